"""Random layers, blocks and networks, as the language can write them, and kernels of which only the shape is known.

A strategy is built once and kept: to build and to check one takes longer than to draw from it.
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain, repeat

from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.kernels import spec as kernels
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Window
from cnnfilter.nn.layers import (
    Block,
    Branch,
    Conv,
    Convolution,
    DepthwiseConv,
    Function,
    KernelWord,
    Layer,
    Normalization,
    Shape,
)
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import (
    SLOPES,
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
    Equalize,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample

NAMES = (
    *("sobel-x", "gaussian:5:1.5", "folder/kernel.txt", "0 -1 0; -1 5 -1; 0 -1 0", "1,2;3,4", "a+b", "a@b", "a#b"),
    *("#a", "a b", " a ", "3x3", "16", "-1", "0.5", "1/2", "1e5", "s2", "p1", "d2.txt", "g4", "s-", "px", "s.5"),
    *("same", "valid", "full", "nobias", "flip", "ceil", "countpad", "p=1", "bias=2", "border=edge", "normalize=sum"),
    *("bias", "=", "a=b", "p=", "x", ":", "a:b,c", "[a]", "[a][b]", "[[]]", "é", "□", "tab\tin it", "2x"),
    *("(", ")", "|", "a(b", "b)", "(a)", "a|b", "res(a)", "a (b).txt", "a[1](2|3)", "eps=1", "alpha=2", "beta=", "k=1"),
)
"""Kernel words that the language would take apart, or for an option, if it were not told that they are kernels."""

SLICED = {
    "1 2; 3 4; 5 6;;": (3, 2, 1),
    "1 2; 3 4; 5 6;; 0 1; 0 0; 1 1": (3, 2, 2),
    "1,2;3,4;5,6;;0,1;0,0;1,1;;1,1;1,1;1,1": (3, 2, 3),
    "1 2; 3 4; 5 6;;; 0 1; 0 0; 1 1": (3, 2, 1, 2),
    "1 2;3 4;5 6;;1 0;1 0;1 0;;; 0 1;0 0;1 1;;0 1;0 1;0 1": (3, 2, 2, 2),
}
"""Matrices with a slice for each channel, and with several maps."""


def kernel_shape(word: str) -> tuple[int, ...]:
    """Return the shape of a kernel, the same for every word that is no matrix of slices."""
    return SLICED.get(word, (3, 2))


ANY_KERNELS = tuple(KernelWord(word, kernel_shape(word)) for word in (*NAMES, *SLICED))
"""Words that `kernel_shape` knows, whether or not there are such kernels."""

REAL_KERNELS = tuple(
    KernelWord(word, kernels.kernel_shape(word))
    for word in (
        *("sobel-x", "box:3", "gaussian:3:0.5", "gaussian:n=3:sigma=1/2", "laplacian-4", "line-diagonal:3"),
        *("0 -1 0; -1 5 -1; 0 -1 0", "1,2,3;4,5,6;7,8,9", "1/9 1/9 1/9;1/9 1/9 1/9;1/9 1/9 1/9", "1 2 3;4 5 6;7 8 9;;"),
        *("1 2 3;4 5 6;7 8 9;;0 1 0;1 0 1;0 1 0", "1 2 3;4 5 6;7 8 9;;;0 1 0;1 0 1;0 1 0"),
        "1 2 3;4 5 6;7 8 9;;0 1 0;1 0 1;0 1 0;;1 1 1;1 1 1;1 1 1",
    )
)
"""Kernels that there are, all of 3x3: networks of them can run, and stand in files."""

Kernels = tuple[KernelWord, ...]


@cache
def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    """Return pairs of which both numbers are often equal."""
    return st.tuples(st.integers(least, most), st.integers(least, most)) | st.integers(least, most).map(
        lambda number: (number, number)
    )


PADDINGS = st.one_of(
    st.sampled_from([word for word in PaddingWord if word is not PaddingWord.VALID]),
    st.just((0, 0, 0, 0)),
    pairs(0, 3).map(lambda pair: pair * 2),
    st.tuples(*[st.integers(0, 4)] * 4),
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)

BORDERS = st.sampled_from([mode for mode in BorderMode if mode is not BorderMode.CONSTANT]).map(Border) | FINITE.map(
    lambda value: Border(BorderMode.CONSTANT, value)
)


BOOLEANS = st.booleans()
GROUPS = st.none() | st.integers(1, 4)
OUTPUTS = st.integers(1, 64)
BIASES = st.just(0.0) | FINITE
NORMALIZATIONS = st.sampled_from(Normalization)


@cache
def banks(known: Kernels, *, depthwise: bool) -> st.SearchStrategy[list[KernelWord]]:
    """Return lists of kernels, those of a dwconv with one slice and for one map."""
    fitting = [kernel for kernel in known if not depthwise or (kernel.slices in {None, 1} and kernel.maps == 1)]
    return st.lists(st.sampled_from(fitting), max_size=3)


@cache
@st.composite
def convolutions(draw: st.DrawFn, known: Kernels = ANY_KERNELS) -> Convolution:
    """Return a conv or a dwconv with kernels by name or by size."""
    groups = draw(GROUPS)
    bank = tuple(draw(banks(known, depthwise=groups is None)))
    window = Window(
        size=bank[0].shape[:2] if bank else draw(pairs(1, 7)),  # type: ignore[arg-type]
        stride=draw(pairs(1, 4)),
        padding=draw(PADDINGS),
        dilation=draw(pairs(1, 3)),
    )
    number = 1 if bank else draw(OUTPUTS)
    bias: float | tuple[float, ...] = draw(BIASES)
    if (bank or groups) and draw(BOOLEANS):  # the outputs of a dwconv by its size depend on what goes into it
        wanted = number if not bank else len(bank) if groups is None else sum(kernel.maps for kernel in bank)
        bias = tuple(draw(st.lists(FINITE, min_size=wanted, max_size=wanted)))
    kind = DepthwiseConv(window=window) if groups is None else Conv(window=window, groups=groups)
    fields: dict[str, object] = {
        "multiplier" if groups is None else "outputs": number,
        "kernels": bank,
        "bias": bias,
        "learned_bias": not bank and not bias and draw(BOOLEANS),
        "border": draw(BORDERS),
        "flip": draw(BOOLEANS),
        "normalize": draw(NORMALIZATIONS),
    }
    return type(kind)(**{**vars(kind), **fields})


POOL_MODES = st.sampled_from(PoolMode)


@cache
@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Return a pool over windows, whether or not an image fits it."""
    mode = draw(POOL_MODES)
    size = draw(pairs(1, 5))
    window = Window(
        size=size,
        stride=size if draw(BOOLEANS) else draw(pairs(1, 4)),
        padding=draw(PADDINGS),
        dilation=draw(pairs(1, 3)),
        ceil=draw(BOOLEANS),
    )
    counts = mode in {PoolMode.AVG, PoolMode.L2} and draw(BOOLEANS)
    return Pool(mode=mode, window=window, count_include_pad=counts)


@cache
@st.composite
def deconvs(draw: st.DrawFn) -> Deconv:
    """Return a transposed convolution, whether or not an image fits it."""
    window = Window(draw(pairs(1, 5)), draw(pairs(1, 4)), draw(st.tuples(*[st.integers(0, 2)] * 4)), draw(pairs(1, 3)))
    extra = [draw(st.integers(0, max(steps) - 1)) for steps in zip(window.stride, window.dilation, strict=True)]
    return Deconv(
        window=window,
        outputs=draw(OUTPUTS),
        groups=draw(st.integers(1, 4)),
        output_padding=(extra[0], extra[1]),
        bias=draw(BOOLEANS),
    )


FUNCTIONS = st.sampled_from(Function)


@cache
@st.composite
def activations(draw: st.DrawFn) -> Activation:
    """Return an activation, with a slope where it takes one."""
    function = draw(FUNCTIONS)
    return Activation(function=function, slope=draw(FINITE) if function in SLOPES else None)


@cache
def layers(known: Kernels = ANY_KERNELS) -> st.SearchStrategy[Layer]:
    """Return layers of every kind but blocks, whether or not anything fits them."""
    positive = st.floats(0, 1e6)
    return st.one_of(
        convolutions(known),
        pools(),
        activations(),
        st.builds(ChannelPool, mode=st.sampled_from(ChannelMode), size=st.none() | st.integers(1, 9)),
        st.builds(GlobalPool, mode=st.sampled_from([PoolMode.MAX, PoolMode.AVG])),
        st.builds(Linear, outputs=st.integers(1, 99), bias=st.booleans()),
        st.builds(BatchNorm, eps=st.just(1e-5) | positive, affine=BOOLEANS),
        st.builds(GroupNorm, groups=st.integers(1, 4), affine=BOOLEANS),
        st.builds(LayerNorm, eps=st.just(1e-5) | positive, affine=BOOLEANS),
        st.builds(PRelu, each=BOOLEANS),
        deconvs(),
        st.builds(Upsample, factor=pairs(1, 3), interpolation=st.sampled_from(Interpolation)),
        st.builds(AdaptivePool, mode=st.sampled_from([PoolMode.MAX, PoolMode.AVG]), size=pairs(1, 9)),
        st.builds(Dropout, rate=st.just(0.5) | st.floats(0, 1)),
        st.builds(
            LocalResponseNorm,
            size=st.integers(1, 9),
            alpha=st.just(1e-4) | positive,
            beta=st.just(0.75) | st.floats(0, 4),
            k=st.just(1.0) | st.floats(0.5, 1e6),
        ),
        st.sampled_from([Flatten(), Gray(), Softmax(), Equalize(), InstanceNorm()]),
    )


LAYERS = layers()
"""Layers of every kind but blocks."""


@cache
def blocks(known: Kernels = ANY_KERNELS, depth: int = 3) -> st.SearchStrategy[Block]:
    """Return blocks in blocks, `depth` deep, whether or not their branches fit each other."""
    inner = layers(known) if depth == 1 else layers(known) | blocks(known, depth - 1)
    rows = st.lists(st.lists(inner, max_size=3).map(tuple), min_size=1, max_size=3)
    branches = rows.map(tuple).filter(lambda branches: branches != ((),))
    return st.builds(Residual, branches=branches) | st.builds(Concatenation, branches=branches)


BLOCKS = blocks()
"""Blocks of up to three branches, some or all of them empty, up to three deep."""


@cache
def parts(known: Kernels) -> st.SearchStrategy[list[Layer]]:
    """Return up to six layers and blocks, whether or not anything fits them."""
    return st.lists(st.one_of(layers(known), layers(known), blocks(known)), max_size=6)


@cache
@st.composite
def networks(draw: st.DrawFn, known: Kernels = ANY_KERNELS) -> Network:
    """Return a network of up to six layers and blocks, some of them with names, no two of them equal."""
    return Network(name_layers(tuple(draw(parts(known))), draw(NAME_LISTS)))


@cache
@st.composite
def networks_for(draw: st.DrawFn, shape: Shape, known: Kernels = ANY_KERNELS) -> Network:
    """Return a network of layers and blocks that can take what the ones before them give.

    With `REAL_KERNELS` it can run, those layers that learn with random weights.
    """
    return Network(name_layers(draw(branches_for(shape, known, longest=6)), draw(NAME_LISTS)))


@cache
def kinds(longest: int, *, with_blocks: bool) -> st.SearchStrategy[list[str]]:
    """Return lists of which parts stand in a row, a fourth of them blocks."""
    return st.lists(st.sampled_from(["layer", "layer", "layer", *["block"] * with_blocks]), max_size=longest)


@cache
@st.composite
def branches_for(
    draw: st.DrawFn, shape: Shape, known: Kernels, *, depth: int = 3, longest: int = 3, steady: bool = False
) -> Branch:
    """Return layers in a row that `shape` can go through; a `steady` one keeps height and width."""
    row: list[Layer] = []
    for kind in draw(kinds(longest, with_blocks=depth > 0)):
        if kind == "block":
            layer: Layer = draw(blocks_for(shape, known, depth=depth - 1, steady=steady))
        else:
            layer = draw(layers(known))
            layer = _steady(layer) if steady else layer
        output = output_or_none(layer, shape)
        if output is not None and (not steady or output[:-1] == shape[:-1]):
            row.append(layer)
            shape = output
    return tuple(row)


BLOCK_KINDS = st.sampled_from([Residual, Concatenation])
COUNTS = st.integers(1, 3)
STRIDES = st.just((1, 1)) | pairs(1, 2)


@cache
@st.composite
def blocks_for(draw: st.DrawFn, shape: Shape, known: Kernels, *, depth: int, steady: bool) -> Block:
    """Return a block that `shape` can go into, whose branches fit each other."""
    kind = draw(BLOCK_KINDS)
    count = draw(COUNTS)
    adds_input = kind is Residual and count == 1
    stride = (1, 1) if adds_input or steady or len(shape) == 1 else draw(STRIDES)
    target = shape if adds_input else None
    branches = []
    for _ in range(count):
        head = () if stride == (1, 1) else (draw(_strides(stride)),)
        start = Network(head).output(shape)
        branch = (*head, *draw(branches_for(start, known, depth=depth, longest=2, steady=True)))
        end = Network(branch).output(shape)
        if kind is Residual and target and end != target:
            branch = (*branch, _with_outputs(target))
        target = target or end
        branches.append(branch)
    if branches == [()]:
        branches[-1] = (Activation(function=Function.RELU),)
    return kind(branches=tuple(branches))


@cache
def _strides(stride: tuple[int, int]) -> st.SearchStrategy[Layer]:
    """Return layers that take every second row or column, or both, and lead to one size."""
    windows = st.builds(Window, pairs(1, 3), stride=st.just(stride), padding=st.just(PaddingWord.SAME))
    return st.builds(Conv, window=windows, outputs=st.integers(1, 4), learned_bias=st.booleans()) | st.builds(
        Pool, mode=st.sampled_from(PoolMode), window=windows
    )


def _with_outputs(target: Shape) -> Layer:
    """Return a layer that leads to a number of channels, or to a length."""
    if len(target) == 1:
        return Linear(outputs=target[0])
    return Conv(window=Window((1, 1)), outputs=target[2], learned_bias=True)


def _steady(layer: Layer) -> Layer:
    """Return the layer with a window that keeps height and width, if it has one."""
    if not isinstance(layer, Convolution | Pool):
        return layer
    return replace(layer, window=replace(layer.window, stride=(1, 1), padding=PaddingWord.SAME, ceil=False))


def output_or_none(layer: Layer, shape: Shape) -> Shape | None:
    """Return what comes out of a layer, or None if it cannot take the shape."""
    try:
        return layer.output(shape)
    except ShapeError:
        return None


NAME_LISTS = st.lists(st.none() | st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,5}", fullmatch=True), max_size=8)


def name_layers(row: Branch, names: list[str | None]) -> Branch:
    """Return the layers, some of them with names, those in blocks too, no two of them equal."""
    different = (name if name and name not in names[:place] else "" for place, name in enumerate(names))
    return tuple(_named(row, chain(different, repeat(""))))


def _named(row: Branch, names: Iterator[str]) -> Iterator[Layer]:
    for layer in row:
        inner = (
            {"branches": tuple(tuple(_named(branch, names)) for branch in layer.branches)}
            if isinstance(layer, Block)
            else {}
        )
        yield replace(layer, name=next(names), **inner)
