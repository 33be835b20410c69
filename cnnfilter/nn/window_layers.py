"""Layers that lay windows on their input: convolutions and pools."""

from enum import StrEnum
from math import prod
from typing import Literal, NamedTuple, Self

from cnnfilter.errors import ShapeError
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.geometry import Border, Pair, show_pair
from cnnfilter.nn.layers import Layer, Shape, WindowLayer, show_shape


class Normalization(StrEnum):
    """What the weights of a kernel are divided by."""

    NONE = "none"
    SUM = "sum"
    ABS = "abs"


class KernelWord(Value):
    """A kernel as it is named in a network, and the shape of its matrix: (kh, kw[, in[, out]])."""

    text: str
    shape: Shape

    @property
    def slices(self) -> int | None:
        """How many channels it needs, or None where its one slice is laid on each."""
        return self.shape[2] if len(self.shape) > 2 else None

    @property
    def maps(self) -> int:
        """How many feature maps it makes."""
        return self.shape[3] if len(self.shape) > 3 else 1


def common_size(kernels: tuple[KernelWord, ...]) -> Pair:
    """Return the (height, width) that all kernels of a layer have, or raise a `ShapeError`."""
    sizes = {(kernel.shape[0], kernel.shape[1]): kernel.text for kernel in kernels}
    if len(sizes) > 1:
        each = ", ".join(f"{text} is {show_pair(size)}" for size, text in sizes.items())
        raise ShapeError(f"the kernels of one layer need one size: {each}")
    return next(iter(sizes))


class Convolution(WindowLayer):
    """What `Conv` and `DepthwiseConv` have in common.

    Parameters
    ----------
    window
        The kernel's size and how it moves.
    kernels
        The kernels by name; empty where only sizes are known.
    bias
        A number added to every output.
    learned_bias
        Whether each output has a bias of its own, among the weights.
    border, flip, normalize
        What padding holds; whether the kernel is turned by 180 degrees (the convolution of mathematics);
        what its weights are divided by.
    """

    kernels: tuple[KernelWord, ...] = ()
    bias: float = 0.0
    learned_bias: bool = False
    border: Border = Border()
    flip: bool = False
    normalize: Normalization = Normalization.NONE

    @property
    def learns(self) -> bool:
        """Whether its kernels are known by size alone."""
        return not self.kernels

    @property
    def takes_alpha(self) -> bool:
        """Whether all its kernels are given, each in one slice that lies on every channel."""
        return bool(self.kernels) and all(len(kernel.shape) == 2 for kernel in self.kernels)

    def groups_of(self, channels: int) -> int:
        """Return into how many groups `channels` fall, each filtered by kernels of its own."""
        raise NotImplementedError

    def bank(self, channels: int) -> Shape:
        """Return the shape of the weights for `channels` inputs: (kh, kw, in / groups, out)."""
        raise NotImplementedError

    def output(self, shape: Shape) -> Shape:
        """Return (height', width', out)."""
        height, width, channels = self.volume(shape)
        return *self.window.output(height, width), self.bank(channels)[3]

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return the weight (out, in / groups, kh, kw), and the bias (out,); none for kernels by name."""
        if self.kernels:
            return {}
        rows, columns, inputs, outputs = self.bank(self.volume(shape)[2])
        tensors: dict[str, Shape] = {"weight": (outputs, inputs, rows, columns)}
        return tensors | {"bias": (outputs,)} if self.learned_bias else tensors

    def parameters(self, shape: Shape) -> int:
        """Return the weights, and one bias for each output if there are any."""
        bank = self.bank(self.volume(shape)[2])
        return prod(bank) + (bank[3] if self.learned_bias or self.bias else 0)

    def macs(self, shape: Shape) -> int:
        """Return out elements x (in / groups) x kh x kw; biases are additions and do not count."""
        height, width, _ = self.output(shape)
        return height * width * prod(self.bank(shape[2]))


class Conv(Convolution):
    """A convolution of CNNs: every output sums over the channels of its group.

    Examples
    --------
    >>> from cnnfilter.nn.geometry import Window
    >>> Conv(window=Window((3, 3)), outputs=16, learned_bias=True).parameters((64, 64, 3))
    448
    """

    BARE = "outputs"
    COUNTS = "number of outputs"
    op = "conv"

    outputs: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        for subject, number in (("number of outputs", self.outputs), ("number of groups", self.groups)):
            if number < 1:
                raise ShapeError(f"{subject} {number} is below 1, the least that is allowed")

    def groups_of(self, channels: int) -> int:
        """Return the layer's groups, which must divide both the channels and the outputs."""
        for subject, number in (("channel", channels), ("output", self.maps)):
            if number % self.groups:
                raise ShapeError(f"{number} {subject}{'s' * (number > 1)} cannot be divided into {self.groups} groups")
        return self.groups

    def bank(self, channels: int) -> Shape:
        """Return (kh, kw, channels / groups, out)."""
        slices = channels // self.groups_of(channels)
        for kernel in self.kernels:
            if kernel.slices not in {None, slices}:
                raise ShapeError(f"kernel {kernel.text} has {kernel.slices} slices for {slices} channels")
        return *self.window.size, slices, self.maps

    @property
    def maps(self) -> int:
        """How many feature maps come out."""
        return sum(kernel.maps for kernel in self.kernels) if self.kernels else self.outputs


class DepthwiseConv(Convolution):
    """Each channel filtered by itself; `multiplier` outputs for each, or one for each kernel."""

    BARE = "multiplier"
    COUNTS = "number of outputs"
    op = "dwconv"

    multiplier: int = 1

    def __post_init__(self) -> None:
        if self.multiplier < 1:
            raise ShapeError(f"number of outputs {self.multiplier} is below 1, the least that is allowed")
        for kernel in self.kernels:
            if kernel.slices not in {None, 1} or kernel.maps != 1:
                raise ShapeError(
                    f"kernel {kernel.text} has {show_shape(kernel.shape)} weights; dwconv takes a single slice, "
                    "conv takes more"
                )

    def groups_of(self, channels: int) -> int:
        """Return one group for each channel."""
        return channels

    def bank(self, channels: int) -> Shape:
        """Return (kh, kw, 1, channels x kernels); a channel's outputs are neighbours."""
        return *self.window.size, 1, channels * (len(self.kernels) or self.multiplier)


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
