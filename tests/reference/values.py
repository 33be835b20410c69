"""Values that come out of single layers, as PyTorch has them.

Computed with torch 2.13, in single precision and written to seven digits or fewer; in our order of axes: images
are (H, W) or (H, W, C), kernels (kh, kw) or (kh, kw, in / groups, out).
"""

from collections.abc import Sequence
from dataclasses import dataclass

Nested = Sequence["Nested | float"]
"""An array as nested lists."""

TOLERANCE = 5e-7
"""The largest relative error that the digits leave."""


@dataclass(frozen=True)
class Values:
    """A layer in the language, what goes in, what comes out; a conv's weights stand in `kernel` and `bias`."""

    id: str
    layer: str
    image: Nested
    expected: Nested
    kernel: Nested | None = None
    bias: float = 0.0


def _counted(height: int, width: int) -> Nested:
    """Return an image whose pixels are 1, 2, 3, ... row by row."""
    return [[float(row * width + column + 1) for column in range(width)] for row in range(height)]


VALUES = (
    Values(
        "ceil-avgpool-counts-its-padding-but-not-what-hangs-over",
        "avgpool:3,s2,p1,ceil,countpad",
        _counted(4, 4),
        [[1.555556, 3.333333, 2], [6.333333, 11, 6], [4.5, 7.5, 4]],
    ),
    Values(
        "ceil-avgpool-of-an-even-window",
        "avgpool:4,s3,p2,ceil,countpad",
        _counted(7, 6),
        [[1.125, 3.25, 2.125], [8.25, 18.5, 10.25], [11.8125, 25.125, 13.3125]],
    ),
    Values(
        "avgpool-divides-by-real-pixels",
        "avgpool:3,s2,p1",
        _counted(5, 5),
        [[4, 5.5, 7], [11.5, 13, 14.5], [19, 20.5, 22]],
    ),
    # The reference evaluator of onnx 1.23 gives 7 9 / 17 19 here, against its own specification.
    Values("ceil-avgpool-without-padding", "avgpool:4,ceil", _counted(5, 5), [[10, 12.5], [22.5, 25]]),
    Values("ceil-maxpool", "maxpool:3,s2,ceil", _counted(6, 6), [[15, 17, 18], [27, 29, 30], [33, 35, 36]]),
    Values("l2pool-leaves-the-rest", "l2pool:2", _counted(5, 5), [[9.486833, 13.03841], [28.4605, 32.4037]]),
    Values(
        "conv-with-stride-and-padding",
        "conv:3x3,s2,p1",
        _counted(5, 5),
        [[20.5, 40.5, 23.5], [62.5, 113.5, 82.5], [31.5, 52.5, 84.5]],
        kernel=[[1, 2, 0], [0, 1, -1], [2, 0, 3]],
        bias=0.5,
    ),
    Values(
        "conv-in-two-groups",
        "conv:2x2,4,g2,nobias",
        [[[1, 10], [2, 11], [3, 12]], [[4, 13], [5, 14], [6, 15]], [[7, 16], [8, 17], [9, 18]]],
        [[[37, 85, 511, 703], [47, 111, 553, 761]], [[67, 163, 637, 877], [77, 189, 679, 935]]],
        kernel=[[[[1, 5, 9, 13]], [[2, 6, 10, 14]]], [[[3, 7, 11, 15]], [[4, 8, 12, 16]]]],
    ),
    # `same` gives the same size here, but puts the odd pixel at the end, and so gives other values.
    Values(
        "conv-with-padding-before-an-even-side",
        "conv:3x3,s2,p1",
        _counted(4, 4),
        [[17.5, 35.5], [51.5, 95.5]],
        kernel=[[1, 2, 0], [0, 1, -1], [2, 0, 3]],
        bias=0.5,
    ),
    Values(
        "softmax-over-channels",
        "softmax",
        [[[0.5, 1, 1.5, 2]]],
        [[[0.1015363, 0.1674051, 0.2760043, 0.4550542]]],
    ),
    # alpha is divided by the size, as in Caffe; the paper of AlexNet has it as it is.
    Values(
        "lrn-divides-alpha-by-the-size",
        "lrn:5,alpha=1e-4,beta=0.75,k=1",
        [[[10, 20, 30, 40, 50, 60]]],
        [[[9.795016, 19.14479, 27.74144, 35.33039, 44.38889, 53.8886]]],
    ),
)
