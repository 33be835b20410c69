"""Pools as layers: over windows, over all pixels, over channels."""

from enum import StrEnum
from typing import Literal, NamedTuple, Self

from cnnfilter.errors import ShapeError
from cnnfilter.spec.layers import Layer, Shape, WindowLayer


class _Mode(NamedTuple):
    """A row of the table of pooling modes; its arithmetic is a row of `compute.pooling.RUN`.

    Parameters
    ----------
    name, gives, formula
        The word; what comes out, as the help says it; the formula of one value, of the pixels v of a window.
    picks
        Which pixel of the window is the result, or None where it is made of several.
    averages
        Whether all pixels count by their share: padding may be one of them, and alpha weighs them. In the other modes
        pixels that are not seen are left out: they lose where one is picked, and are nan elsewhere.
    unbounded
        Whether all pixels of a channel, or all channels of a pixel, can be pooled as well.
    """

    name: str
    gives: str
    formula: str
    picks: Literal["greatest", "least"] | None
    averages: bool
    unbounded: bool


class PoolMode(StrEnum):
    """What a pool makes of the values in its window."""

    MAX = _Mode("max", "the greatest value", "max over r, c of v", picks="greatest", averages=False, unbounded=True)
    AVG = _Mode("avg", "the mean", "(sum over r, c of v)/n", picks=None, averages=True, unbounded=True)
    L2 = _Mode("l2", "sqrt(sum of squares)", "sqrt(sum over r, c of v^2)", picks=None, averages=True, unbounded=False)
    MIN = _Mode("min", "the smallest", "min over r, c of v", picks="least", averages=False, unbounded=False)
    MEDIAN = _Mode("median", "the middle one", "median over r, c of v", picks=None, averages=False, unbounded=False)

    row: _Mode

    def __new__(cls, *row: str) -> Self:
        """Make a word that knows its row."""
        mode = str.__new__(cls, row[0])
        mode._value_ = row[0]
        mode.row = _Mode._make(row)
        return mode


class ChannelMode(StrEnum):
    """What becomes of channels that are taken together, pixel by pixel."""

    MAX = "max"
    AVG = "avg"
    SUM = "sum"
    MIN = "min"
    MAGNITUDE = "magnitude"

    @property
    def op(self) -> str:
        """The word for a layer of this mode."""
        return self if self is ChannelMode.MAGNITUDE else f"channel{self}"


class Pool(WindowLayer):
    """One value for each window of each channel."""

    mode: PoolMode
    count_include_pad: bool = False

    def __post_init__(self) -> None:
        if self.count_include_pad and not self.mode.row.averages:
            counting = " and ".join(f"{mode}pool" for mode in PoolMode if mode.row.averages)
            raise ShapeError(f"{self.op} never counts padding; only {counting} can")

    @property
    def op(self) -> str:
        """`maxpool`, `avgpool`, `l2pool`, `minpool` or `medianpool`."""
        return f"{self.mode}pool"

    def output(self, shape: Shape) -> Shape:
        """Return (height', width', channels)."""
        height, width, channels = self.volume(shape)
        pads = self.window.pads(height, width)
        for pad, extent in zip(pads, self.window.extent * 2, strict=True):
            if pad > extent // 2:
                raise ShapeError(f"padding {pad} is more than half of a pooling window that spans {extent}")
        return *self.window.output(height, width), channels


class GlobalPool(Layer):
    """One value for each channel: the greatest, or the mean."""

    ROWS = "whole"
    ALPHA = "weigh"

    mode: PoolMode

    @property
    def op(self) -> str:
        """`globalmaxpool` or `globalavgpool`."""
        return f"global{self.mode}pool"

    def output(self, shape: Shape) -> Shape:
        """Return (1, 1, channels)."""
        return 1, 1, self.volume(shape)[2]


class ChannelPool(Layer):
    """One value for every `size` neighbouring channels, or for all of them, pixel by pixel."""

    ROWS = "point"
    ALPHA = "keep"
    BARE = "size"
    COUNTS = "number of channels"

    mode: ChannelMode
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ShapeError(f"number of channels {self.size} is below 1, the least that is allowed")

    @property
    def op(self) -> str:
        """`magnitude`, `channelmax`, `channelavg`, `channelsum` or `channelmin`."""
        return self.mode.op

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels / size)."""
        height, width, channels = self.volume(shape)
        size = self.size or channels
        if channels % size:
            raise ShapeError(f"{channels} channels cannot be taken {size} at a time")
        return height, width, channels // size
