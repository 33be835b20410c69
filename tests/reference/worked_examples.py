"""Examples worked out by hand in lectures and articles, with what is wrong in them put right.

Images are (H, W) or (H, W, C), kernels (kh, kw) or (kh, kw, C); `expected` is without its single channel.

Two notes that are no examples. The loops of Malyshev's article end at height - k + 2, which is right for k = 2
and 3 only; for k = 15 the last rows and columns stay black, where height - k + 1 rows can be computed. And the
Dev post calls pooling over channels "global pooling": `channelmax` and `channelavg` leave one channel of
many, while `globalmaxpool` and `globalavgpool` leave one value of each channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Nested = Sequence["Nested | float"]
"""An array as nested lists."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Arithmetic:
    """What goes in, what is done, what comes out.

    `kernel`, `padding`, `flip` and `bias` belong to a convolution, `mode` and `size` to a pool, `stride` to both
    (None: as the command has it), `network` to a pipeline. `tolerance` is absolute; 0 means the exact number.
    """

    id: str
    note: str
    op: Literal["convolve", "pool", "pipeline"]
    image: Nested
    expected: Nested
    kernel: Nested | None = None
    stride: int | None = None
    padding: int | str = 0
    flip: bool = False
    bias: float = 0.0
    mode: Literal["max", "avg", "l2"] = "max"
    size: int = 2
    network: str = ""
    tolerance: float = 0.0


@dataclass(frozen=True)
class Sizes:
    """Layers in the language, and what is known of them; None where the source says nothing.

    `outputs` has the size after each layer, or after the last alone; `refused` is a part of the message where the
    layers are an error.
    """

    id: str
    note: str
    input: str
    layers: str
    outputs: tuple[Shape, ...] = ()
    parameters: tuple[int, ...] | None = None
    total_parameters: int | None = None
    padding: Shape | None = None
    refused: str = ""


_RISING = [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]]
_MATRIX = [[1, 0, 0], [0, 2, 0], [1, 2, 0]]
_COUNTED = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
_POST = [[1, 2, 3, 0], [4, 5, 6, 1], [3, 4, 7, 2], [1, 2, 1, 0]]
_VOLUME = [
    [[2, 0, 0], [1, 0, 2], [1, 1, 0], [1, 1, 2], [0, 2, 1]],
    [[2, 1, 0], [1, 2, 0], [1, 1, 2], [2, 1, 1], [2, 0, 2]],
    [[2, 0, 0], [1, 0, 0], [1, 2, 1], [0, 0, 0], [0, 2, 2]],
    [[1, 2, 1], [2, 0, 2], [0, 0, 2], [2, 0, 0], [2, 2, 2]],
    [[0, 0, 2], [2, 2, 0], [0, 2, 1], [1, 1, 1], [0, 1, 1]],
]

ARITHMETIC = (
    Arithmetic(
        "vertical-line-4x4",
        "Malyshev's article on the mathematics of CNNs: the filter of vertical lines",
        "convolve",
        _RISING,
        [[12, 21], [15, 24]],
        kernel=[[0, 1, 0], [0, 1, 0], [0, 1, 0]],
    ),
    Arithmetic(
        "maxpool-3x4-k2-s1",
        "Malyshev's article: the greatest of each 2x2",
        "pool",
        _RISING[:3],
        [[4, 7, 10], [5, 8, 11]],
        stride=1,
    ),
    Arithmetic(
        "correlation-3x3",
        "lecture: the kernel as it is drawn, 1*1 + 2*5 + 1*7 + 2*8",
        "convolve",
        _MATRIX,
        [[34]],
        kernel=_COUNTED,
    ),
    Arithmetic(
        "true-convolution-3x3",
        "lecture: the kernel turned by 180 degrees, 1*9 + 2*5 + 1*3 + 2*2",
        "convolve",
        _MATRIX,
        [[26]],
        kernel=_COUNTED,
        flip=True,
    ),
    Arithmetic(
        "vertical-edge-8x8",
        "lecture: dark left, bright right",
        "convolve",
        [[10, 10, 10, 10, 100, 100, 100, 100]] * 8,
        [[0, 0, 270, 270, 0, 0]] * 6,
        kernel=[[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    ),
    Arithmetic(
        "horizontal-edge-8x8",
        "lecture: dark above, bright below",
        "convolve",
        [[10] * 8] * 4 + [[100] * 8] * 4,
        [[0] * 6] * 2 + [[270] * 6] * 2 + [[0] * 6] * 2,
        kernel=[[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    ),
    Arithmetic(
        "sharpen-5x5-same",
        "lecture: 320, 210, 89 and 111 are drawn, the rest was computed",
        "convolve",
        [
            [105, 102, 100, 97, 96],
            [103, 99, 103, 101, 102],
            [101, 98, 104, 102, 100],
            [99, 101, 106, 104, 99],
            [104, 104, 104, 100, 98],
        ],
        [
            [320, 206, 198, 188, 281],
            [210, 89, 111, 101, 213],
            [205, 85, 111, 101, 197],
            [189, 98, 117, 113, 193],
            [317, 211, 210, 194, 291],
        ],
        kernel=[[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        padding="same",
    ),
    Arithmetic(
        "volume-5x5x3-two-filters-filter0",
        "lecture, after the course cs231n of Stanford: the first of two filters over three channels",
        "convolve",
        _VOLUME,
        [[-2, 2, 1], [-7, 0, 3], [2, 4, 3]],
        kernel=[
            [[1, -1, 1], [-1, 1, 0], [-1, -1, 0]],
            [[-1, 0, -1], [-1, 1, 1], [-1, 1, 0]],
            [[1, 1, -1], [-1, -1, 0], [1, 1, 0]],
        ],
        stride=2,
        padding=1,
        bias=1,
    ),
    Arithmetic(
        "volume-5x5x3-two-filters-filter1",
        "lecture, after the course cs231n of Stanford: the second of two filters over three channels",
        "convolve",
        _VOLUME,
        [[0, 0, -4], [4, 2, 1], [0, 1, 0]],
        kernel=[
            [[1, 1, 0], [0, -1, 0], [-1, 1, 0]],
            [[1, -1, -1], [1, 0, 1], [0, 1, -1]],
            [[-1, 0, -1], [0, -1, 0], [1, 0, 1]],
        ],
        stride=2,
        padding=1,
    ),
    Arithmetic(
        "volume-5x5x3-two-filters-biases",
        "lecture, after the course cs231n of Stanford: both filters as a layer, with their biases 1 and 0",
        "pipeline",
        _VOLUME,
        [[[-2, 0], [2, 0], [1, -4]], [[-7, 4], [0, 2], [3, 1]], [[2, 0], [4, 1], [3, 0]]],
        network="conv:[1 -1 -1; -1 -1 -1; 1 -1 1;; -1 1 -1; 0 1 1; 1 -1 1;; 1 0 0; -1 1 0; -1 0 0;;;"
        " 1 0 -1; 1 1 0; -1 0 1;; 1 -1 1; -1 0 1; 0 -1 0;; 0 0 0; -1 1 -1; -1 0 1],s2,p1,bias=[1 0]",
    ),
    Arithmetic(
        "exercise-a-volume-6x6x3-bias-7",
        "lecture, exercise a: computed, the lecture leaves it open",
        "convolve",
        [
            [[1, 1, 1], [2, 2, 0], [0, 4, 2], [2, 3, 3], [1, 0, 0], [2, 1, 1]],
            [[3, 0, 0], [2, 4, 4], [6, 3, 5], [0, 2, 2], [3, 1, 3], [0, 5, 2]],
            [[0, 2, 2], [0, 0, 0], [0, 5, 6], [1, 2, 0], [0, 0, 0], [1, 2, 2]],
            [[1, 7, 0], [3, 2, 2], [4, 0, 4], [2, 1, 1], [2, 3, 2], [0, 3, 4]],
            [[0, 2, 2], [2, 0, 6], [2, 4, 2], [0, 0, 0], [3, 2, 2], [1, 0, 3]],
            [[5, 1, 2], [3, 6, 0], [6, 3, 3], [1, 0, 0], [2, 5, 0], [0, 3, 0]],
        ],
        [[35, 20, 19, 24], [1, 1, -3, -3], [22, 7, 22, 22], [-2, 22, 13, 9]],
        kernel=[
            [[0, -1, 0], [0, -2, -2], [1, 0, 0]],
            [[3, 0, -1], [4, 2, 1], [0, 0, 0]],
            [[0, 2, 0], [0, -1, -1], [-1, 0, 0]],
        ],
        bias=7,
    ),
    Arithmetic(
        "exercise-b-relu-maxpool",
        "lecture, exercise b: computed, the lecture leaves it open",
        "pipeline",
        [[35, 20, 20, 3], [1, -1, 21, -3], [21, 7, 15, 22], [-2, 22, 22, 29]],
        [[35, 21, 21], [21, 21, 22], [22, 22, 29]],
        network="relu maxpool:2,s1",
    ),
    Arithmetic(
        "maxpool-4x4-k2-s2",
        "lecture: windows side by side",
        "pool",
        [[0, 0, 14, 82], [149, 32, 0, 0], [28, 53, 64, 44], [39, 120, 133, 99]],
        [[149, 82], [120, 133]],
        stride=2,
    ),
    Arithmetic(
        "maxpool-5x5-k3-s1",
        "lecture: windows that overlap",
        "pool",
        [
            [0, 0, 25, 14, 82],
            [149, 32, 31, 0, 0],
            [111, 200, 20, 135, 10],
            [28, 53, 20, 64, 44],
            [39, 120, 210, 13, 99],
        ],
        [[200, 200, 135], [200, 200, 135], [210, 210, 210]],
        size=3,
        stride=1,
    ),
    Arithmetic("blog-maxpool", "a blog's post on CNNs; values computed", "pool", _POST, [[5, 6], [4, 7]]),
    Arithmetic(
        "blog-avgpool", "a blog's post on CNNs; values computed", "pool", _POST, [[3, 2.5], [2.5, 2.5]], mode="avg"
    ),
    Arithmetic(
        "blog-l2pool",
        "a blog's post on CNNs gives the formula; square roots of 46, 46, 30 and 54",
        "pool",
        _POST,
        [[6.782329983125268, 6.782329983125268], [5.477225575051661, 7.3484692283495345]],
        mode="l2",
        tolerance=1e-12,
    ),
    Arithmetic(
        "blog-global-average",
        "a blog's post on CNNs; value computed, 42 / 16",
        "pipeline",
        _POST,
        [[2.625]],
        network="globalavgpool",
    ),
    Arithmetic(
        "blog-padding-stride",
        "a blog's post on CNNs; it draws the padded rows shifted and gives 1 3 / 2 5, but its own code prints this",
        "convolve",
        [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]],
        [[1, 2], [2, 4]],
        kernel=[[1, 1, 1], [0, 0, 0], [1, 1, 1]],
        stride=2,
        padding=1,
    ),
    Arithmetic(
        "weighted-sum-3x3",
        "a Dev post that explains CNNs: one weighted sum, 0.4 + 1.0 + 0.2 + 0.7 + 1.0",
        "convolve",
        [[0.4, 0.2, 1.0], [0.7, 0.1, 0.2], [0.7, 0.3, 1.0]],
        [[3.3]],
        kernel=[[1, 0, 1], [0, 2, 0], [1, 0, 1]],
        tolerance=1e-12,
    ),
    Arithmetic(
        "softmax",
        "lecture: four scores become probabilities, given to four digits",
        "pipeline",
        [[5.0, 6.0, 1.0, 2.0]],
        [0.2641, 0.7179, 0.0048, 0.0131],
        network="flatten softmax",
        tolerance=5e-05,
    ),
    Arithmetic(
        "flatten-order",
        "lecture: row, column, channel, as the array is held",
        "pipeline",
        [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]],
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        network="flatten",
    ),
)

SHAPES = (
    Sizes("conv-5x5-k3-s2", "lecture: stride", "5x5", "conv:3x3,s2", outputs=((2, 2, 1),)),
    Sizes("mebsout-same", "Mebsout's notes: padding that keeps the size", "6x6", "conv:3x3,same", outputs=((6, 6, 1),)),
    Sizes(
        "simple-convnet",
        "lecture: three convolutions",
        "64x64x3",
        "conv:3x3,8 conv:5x5,16,s2 conv:7x7,32,s2",
        outputs=((62, 62, 8), (29, 29, 16), (12, 12, 32)),
    ),
    Sizes("one-layer-448", "lecture: weights of one layer", "64x64x3", "conv:3x3,16", parameters=(448,)),
    Sizes(
        "one-filter-26",
        "lecture: shared weights; a locally connected layer without them would have 14,976",
        "28x28",
        "conv:5x5,1",
        outputs=((24, 24, 1),),
        parameters=(26,),
    ),
    Sizes(
        "lenet-like",
        "lecture: a network in the manner of LeNet-5",
        "32x32x3",
        "conv:5x5,8 maxpool:2 conv:5x5,16 maxpool:2 flatten fc:120 fc:84 fc:10",
        outputs=((28, 28, 8), (14, 14, 8), (10, 10, 16), (5, 5, 16), (400,), (120,), (84,), (10,)),
        parameters=(608, 0, 3216, 0, 0, 48120, 10164, 850),
        total_parameters=62_958,
    ),
    Sizes(
        "conv-versus-fc",
        "lecture: it multiplies by 3,272 and gets 20,528,256, but the input has 3,072 values",
        "32x32x3",
        "flatten fc:6272",
        total_parameters=19_273_856,
    ),
    Sizes(
        "exercise-c",
        "lecture, exercise c",
        "6x6x3",
        "conv:3x3,1+relu maxpool:2,s1 flatten fc:32",
        total_parameters=348,
    ),
    Sizes(
        "exercise-d",
        "lecture, exercise d",
        "256x256x3",
        "conv:7x7,8,same",
        outputs=((256, 256, 8),),
        parameters=(1184,),
        padding=(3, 3, 3, 3),
    ),
    Sizes(
        "blog-convnet",
        "a blog's post on CNNs: a small network in PyTorch",
        "28x28x1",
        "conv:5x5,16,p2 bn relu maxpool:2 conv:5x5,32,p2 bn relu maxpool:2 flatten fc:10",
        outputs=(
            *((28, 28, 16),) * 3,
            (14, 14, 16),
            *((14, 14, 32),) * 3,
            (7, 7, 32),
            (1568,),
            (10,),
        ),
        total_parameters=29_034,
    ),
    Sizes(
        "stride-zero",
        "Mebsout's notes give n + 2p - f for stride 0, which has no meaning",
        "6x6",
        "conv:3x3,s0",
        refused="stride 0 is below 1",
    ),
)
