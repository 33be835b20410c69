"""The layers that are not convolutions: activations, fully connected ones, pools and blocks."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import prod
from typing import ClassVar, Literal, NamedTuple, Self

from cnnfilter.errors import ShapeError
from cnnfilter.nn.fields import unite
from cnnfilter.nn.geometry import show_side
from cnnfilter.nn.layers import Block, Flow, Function, Layer, Shape, WindowLayer, show_shape

SLOPES = {Function.LEAKYRELU: 0.01, Function.ELU: 1.0}
"""The functions that take a parameter (negative slope, alpha), with PyTorch's defaults."""


class Activation(Layer):
    """A function of each value; `slope` is the negative slope of leakyrelu, the alpha of elu."""

    ROWS = "point"
    ALPHA = "keep"
    BARE = "slope"

    function: Function
    slope: float | None = None

    @property
    def op(self) -> str:
        """The function's name."""
        return str(self.function)

    def options(self) -> Iterator[str]:
        """Yield the slope, if it is not PyTorch's for the function."""
        return super().options() if self.slope != SLOPES.get(self.function) else iter(())


class Softmax(Layer):
    """exp(x) / sum(exp(x)) over the channels of each pixel, or over a vector."""

    ROWS = "point"
    ALPHA = "none"
    op = "softmax"


class Flatten(Layer):
    """All values in one row, in the order row, column, channel."""

    ROWS = "whole"
    ALPHA = "none"
    op = "flatten"

    @property
    def picks_values(self) -> bool:
        """Always."""
        return True

    def output(self, shape: Shape) -> Shape:
        """Return (height x width x channels,)."""
        return (prod(shape),)

    def follow(self, flow: Flow) -> Flow:
        """Return a vector that sees the whole input, and remember the volume."""
        return Flow(self.output(flow.shape), None, (flow.shape,) if len(flow.shape) == 3 else flow.parts)


class Gray(Layer):
    """Luma of red, green and blue; a single channel passes as it is."""

    ROWS = "point"
    ALPHA = "keep"
    KEEPS_CHANNELS = False
    op = "gray"

    WEIGHTS: ClassVar[tuple[float, float, float]] = (0.299, 0.587, 0.114)
    """Rec. ITU-R BT.601, section 2.5.1."""

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, 1)."""
        height, width, channels = self.volume(shape)
        if channels not in {1, 3}:
            raise ShapeError(f"gray needs 3 channels (red, green, blue) or 1, but gets {channels}")
        return height, width, 1


class Linear(Layer):
    """A fully connected layer on a vector."""

    ROWS = "whole"
    ALPHA = "none"
    DRAWN = "linear"
    KEEPS_CHANNELS = False
    BARE = "outputs"
    COUNTS = "number of outputs"
    op = "linear"
    learns = True

    outputs: int
    bias: bool = True

    def output(self, shape: Shape) -> Shape:
        """Return (outputs,)."""
        if len(shape) != 1:
            raise ShapeError(f"linear needs a vector, but gets {show_shape(shape)}; put flatten before it")
        return (self.outputs,)

    def options(self) -> Iterator[str]:
        """Yield the number of outputs, and `nobias`."""
        yield from super().options()
        if not self.bias:
            yield "nobias"

    def follow(self, flow: Flow) -> Flow:
        """Return a vector that sees the whole input."""
        outputs = self.output(flow.shape)
        return Flow(outputs, None, (outputs,))

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return the weight (outputs, inputs), and the bias (outputs,)."""
        tensors: dict[str, Shape] = {"weight": (*self.output(shape), prod(shape))}
        return tensors | {"bias": (self.outputs,)} if self.bias else tensors

    def macs(self, shape: Shape) -> int:
        """Return inputs x outputs."""
        return prod(shape) * self.output(shape)[0]


class Dropout(Layer):
    """In training a share of the values is set to 0; here, where nothing is trained, all pass."""

    ROWS = "point"
    ALPHA = "keep"
    BARE = "rate"
    op = "dropout"

    rate: float = 0.5

    @property
    def picks_values(self) -> bool:
        """Always."""
        return True

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ShapeError(f"dropout of {self.rate} is not a number from 0 to 1")


class PRelu(Layer):
    """max(0, x) + slope * min(0, x), with a slope that is learned: one, or `each` channel its own.

    He et al., "Delving deep into rectifiers", 2015.
    """

    ROWS = "point"
    ALPHA = "none"
    INITIAL: ClassVar[dict[str, float]] = {"weight": 0.25}
    op = "prelu"
    learns = True

    each: bool = False

    def options(self) -> Iterator[str]:
        """Yield `each`."""
        if self.each:
            yield "each"

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return the slope, (1,), or one for each channel."""
        return {"weight": (shape[-1] if self.each else 1,)}


class Equalize(Layer):
    """Each channel's values spread so that all levels are about as frequent, from black to white."""

    ROWS = "whole"
    ALPHA = "none"
    TRAINABLE = False  # the levels of an image are counted, which has no derivative
    op = "equalize"

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)


class Residual(Block):
    """The sum of its branches; with one branch, of it and the input (He et al., "Deep residual learning", 2015)."""

    DRAWN = "sum"
    op = "res"

    @property
    def adds_input(self) -> bool:
        """Whether the block's own input is a summand."""
        return len(self.branches) == 1

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return the shape that all summands have."""
        if len({end.shape for end in ends}) > 1:
            given = _list_shapes(ends)
            raise ShapeError(
                f"its input of {show_shape(ends[-1].shape)} and its branch's {show_shape(ends[0].shape)} cannot be "
                "added; a second branch, such as conv:1x1 with the same stride and outputs, makes them fit"
                if self.adds_input
                else f"branches of {given} cannot be added; strides, paddings and outputs must lead to one size"
            )
        return Flow(ends[0].shape, unite(end.field for end in ends), ends[0].parts)


class Concatenation(Block):
    """The channels of all branches side by side (Szegedy et al., "Going deeper with convolutions", 2014)."""

    DRAWN = "channels side by side"
    op = "cat"

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return (height, width, all channels), or the length of all vectors together."""
        if len({end.shape[:-1] for end in ends}) > 1:
            raise ShapeError(
                f"branches of {_list_shapes(ends)} do not fit side by side; strides and paddings must lead to one "
                "height and width"
            )
        shape = *ends[0].shape[:-1], sum(end.shape[-1] for end in ends)
        parts = tuple(part for end in ends for part in end.parts)
        return Flow(shape, unite(end.field for end in ends), parts)


def _list_shapes(ends: Sequence[Flow]) -> str:
    *first, last = [show_shape(end.shape) for end in ends]
    return f"{', '.join(first)} and {last}"


class _Mode(NamedTuple):
    """A row of the table of pooling modes; its arithmetic is a row of `compute.pool.RUN`.

    `gives` says in the help what comes out, and `formula` how one value is made of the pixels v of its window. `picks`
    is which of them is the result, None where it is made of several. `averages` is whether all count by their share:
    padding may then be one of them, and alpha weighs them; elsewhere pixels that are not seen lose where one is picked,
    and are nan. `unbounded` is whether all pixels of a channel, or all channels of a pixel, can be pooled as well.
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

    DRAWN = "pool"

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

    @property
    def picks_values(self) -> bool:
        """Whether it takes the greatest or the least."""
        return self.mode.row.picks is not None

    def options(self) -> Iterator[str]:
        """Yield the size, and the options that are not the usual ones; the stride is the size unless given."""
        yield show_side(self.window.size)
        yield from self.window.options(self.window.size)
        if self.window.ceil:
            yield "ceil"
        if self.count_include_pad:
            yield "countpad"

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
    ALPHA: ClassVar[Literal["weigh", "none"]] = "weigh"
    DRAWN = "pool"

    mode: PoolMode

    @property
    def op(self) -> str:
        """`globalmaxpool` or `globalavgpool`."""
        return f"global{self.mode}pool"

    @property
    def picks_values(self) -> bool:
        """Whether it takes the greatest."""
        return self.mode.row.picks is not None

    def output(self, shape: Shape) -> Shape:
        """Return (1, 1, channels)."""
        return 1, 1, self.volume(shape)[2]


class ChannelPool(Layer):
    """One value for every `size` neighbouring channels, or for all of them, pixel by pixel."""

    ROWS = "point"
    ALPHA = "keep"
    KEEPS_CHANNELS = False
    BARE = "size"
    COUNTS = "number of channels"

    mode: ChannelMode
    size: int | None = None

    @property
    def picks_values(self) -> bool:
        """Whether it takes the greatest or the least."""
        return self.mode in {ChannelMode.MAX, ChannelMode.MIN}

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
