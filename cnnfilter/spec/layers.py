"""The layers of a network as frozen values that know what shape comes out of them.

A shape is (height, width, channels), or (length,) after `flatten`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from typing import ClassVar

from cnnfilter.errors import ShapeError
from cnnfilter.spec.borders import Border
from cnnfilter.spec.geometry import Pair, Window, show_pair

Shape = tuple[int, ...]


class PoolMode(StrEnum):
    """What a pool makes of the values in its window."""

    MAX = "max"
    AVG = "avg"
    L2 = "l2"
    MIN = "min"
    MEDIAN = "median"


class ChannelMode(StrEnum):
    """What becomes of channels that are taken together, pixel by pixel."""

    MAX = "max"
    AVG = "avg"
    SUM = "sum"
    MIN = "min"
    MAGNITUDE = "magnitude"


class Function(StrEnum):
    """Functions that are applied to each value by itself."""

    RELU = "relu"
    RELU6 = "relu6"
    LEAKYRELU = "leakyrelu"
    ELU = "elu"
    GELU = "gelu"
    SILU = "silu"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    ABS = "abs"


class Normalization(StrEnum):
    """What the weights of a kernel are divided by."""

    NONE = "none"
    SUM = "sum"
    ABS = "abs"


SLOPES = {Function.LEAKYRELU: 0.01, Function.ELU: 1.0}
"""The functions that take a parameter (negative slope, alpha), with PyTorch's defaults."""


def show_shape(shape: Shape) -> str:
    """Return `HxWxC`, or the length of a vector.

    Examples
    --------
    >>> show_shape((28, 28, 6))
    '28x28x6'
    """
    return "x".join(map(str, shape))


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A step of a network; `name` is its `@name`, or empty."""

    name: str = ""

    @property
    def op(self) -> str:
        """The word that the language has for this layer."""
        raise NotImplementedError

    def output(self, shape: Shape) -> Shape:
        """Return the shape that comes out when `shape` goes in; `ShapeError` where it cannot go in."""
        return shape

    def parameters(self, shape: Shape) -> int:
        """Return how many numbers training would set, for an input of `shape`."""
        return 0

    def statistics(self, shape: Shape) -> int:
        """Return how many numbers are measured in training rather than set, for an input of `shape`."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Return how many multiplications by weights an input of `shape` takes."""
        return 0

    def volume(self, shape: Shape) -> tuple[int, int, int]:
        """Return `shape` as (height, width, channels), or raise a `ShapeError` if it is a vector."""
        if len(shape) != 3:
            raise ShapeError(f"{self.op} needs height, width and channels, and gets a vector of {shape[0]}")
        return shape[0], shape[1], shape[2]


@dataclass(frozen=True)
class KernelWord:
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


@dataclass(frozen=True, kw_only=True)
class Convolution(Layer):
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

    window: Window
    kernels: tuple[KernelWord, ...] = ()
    bias: float = 0.0
    learned_bias: bool = False
    border: Border = field(default_factory=Border)
    flip: bool = False
    normalize: Normalization = Normalization.NONE

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

    def parameters(self, shape: Shape) -> int:
        """Return the weights, and one bias for each output if there are any."""
        bank = self.bank(self.volume(shape)[2])
        return prod(bank) + (bank[3] if self.learned_bias or self.bias else 0)

    def macs(self, shape: Shape) -> int:
        """Return out elements x (in / groups) x kh x kw; biases are additions and do not count."""
        height, width, _ = self.output(shape)
        return height * width * prod(self.bank(shape[2]))


@dataclass(frozen=True, kw_only=True)
class Conv(Convolution):
    """A convolution of CNNs: every output sums over the channels of its group.

    Examples
    --------
    >>> Conv(window=Window((3, 3)), outputs=16, learned_bias=True).parameters((64, 64, 3))
    448
    """

    outputs: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        for subject, number in (("number of outputs", self.outputs), ("number of groups", self.groups)):
            if number < 1:
                raise ShapeError(f"{subject} {number} is below 1, the least that is allowed")

    @property
    def op(self) -> str:
        """`conv`."""
        return "conv"

    def groups_of(self, channels: int) -> int:
        """Return the layer's groups, which must divide both the channels and the outputs."""
        for subject, number in (("channels", channels), ("outputs", self.maps)):
            if number % self.groups:
                raise ShapeError(f"{number} {subject} cannot be divided into {self.groups} groups")
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


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv(Convolution):
    """Each channel filtered by itself; `multiplier` outputs for each, or one for each kernel."""

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

    @property
    def op(self) -> str:
        """`dwconv`."""
        return "dwconv"

    def groups_of(self, channels: int) -> int:
        """Return one group for each channel."""
        return channels

    def bank(self, channels: int) -> Shape:
        """Return (kh, kw, 1, channels x kernels); a channel's outputs are neighbours."""
        return *self.window.size, 1, channels * (len(self.kernels) or self.multiplier)


@dataclass(frozen=True, kw_only=True)
class Pool(Layer):
    """One value for each window of each channel."""

    mode: PoolMode
    window: Window
    count_include_pad: bool = False

    def __post_init__(self) -> None:
        if self.count_include_pad and self.mode not in {PoolMode.AVG, PoolMode.L2}:
            raise ShapeError(f"{self.op} never counts padding; only avgpool and l2pool can")

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
        rows, columns = self.window.output(height, width)
        for axis, (outputs, size) in enumerate(((rows, height), (columns, width))):
            self._check_pixels(axis, outputs, size, pads[axis])
        return rows, columns, channels

    def _check_pixels(self, axis: int, outputs: int, size: int, before: int) -> None:
        """Raise a `ShapeError` if some window steps over the whole image, as only a dilated one can."""
        stride, dilation, taps = (getattr(self.window, name)[axis] for name in ("stride", "dilation", "size"))
        for start in range(-before, min(outputs * stride - before, 0), stride):
            first = -(start // dilation)
            if first >= taps or start + first * dilation >= size:
                raise ShapeError(f"a window dilated by {dilation} sees nothing but padding of {size} pixels")


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Layer):
    """One value for each channel: the greatest, or the mean."""

    mode: PoolMode

    @property
    def op(self) -> str:
        """`globalmaxpool` or `globalavgpool`."""
        return f"global{self.mode}pool"

    def output(self, shape: Shape) -> Shape:
        """Return (1, 1, channels)."""
        return 1, 1, self.volume(shape)[2]


@dataclass(frozen=True, kw_only=True)
class ChannelPool(Layer):
    """One value for every `size` neighbouring channels, or for all of them, pixel by pixel."""

    mode: ChannelMode
    size: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ShapeError(f"number of channels {self.size} is below 1, the least that is allowed")

    @property
    def op(self) -> str:
        """`magnitude`, `channelmax`, `channelavg`, `channelsum` or `channelmin`."""
        return "magnitude" if self.mode is ChannelMode.MAGNITUDE else f"channel{self.mode}"

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels / size)."""
        height, width, channels = self.volume(shape)
        size = self.size or channels
        if channels % size:
            raise ShapeError(f"{channels} channels cannot be taken {size} at a time")
        return height, width, channels // size


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """A function of each value; `slope` is the negative slope of leakyrelu, the alpha of elu."""

    function: Function
    slope: float | None = None

    @property
    def op(self) -> str:
        """The function's name."""
        return str(self.function)


@dataclass(frozen=True, kw_only=True)
class Softmax(Layer):
    """exp(x) / sum(exp(x)) over the channels of each pixel, or over a vector."""

    @property
    def op(self) -> str:
        """`softmax`."""
        return "softmax"


@dataclass(frozen=True, kw_only=True)
class Flatten(Layer):
    """All values in one row, in the order row, column, channel."""

    @property
    def op(self) -> str:
        """`flatten`."""
        return "flatten"

    def output(self, shape: Shape) -> Shape:
        """Return (height x width x channels,)."""
        return (prod(shape),)


@dataclass(frozen=True, kw_only=True)
class Gray(Layer):
    """Luma of red, green and blue; a single channel passes as it is."""

    WEIGHTS: ClassVar[tuple[float, float, float]] = (0.299, 0.587, 0.114)
    """Rec. ITU-R BT.601, section 2.5.1."""

    @property
    def op(self) -> str:
        """`gray`."""
        return "gray"

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, 1)."""
        height, width, channels = self.volume(shape)
        if channels not in {1, 3}:
            raise ShapeError(f"gray needs 3 channels (red, green, blue) or 1, and gets {channels}")
        return height, width, 1


@dataclass(frozen=True, kw_only=True)
class Linear(Layer):
    """A fully connected layer on a vector."""

    outputs: int
    bias: bool = True

    def __post_init__(self) -> None:
        if self.outputs < 1:
            raise ShapeError(f"number of outputs {self.outputs} is below 1, the least that is allowed")

    @property
    def op(self) -> str:
        """`linear`."""
        return "linear"

    def output(self, shape: Shape) -> Shape:
        """Return (outputs,)."""
        if len(shape) != 1:
            raise ShapeError(f"linear needs a vector, and gets {show_shape(shape)}; put flatten before it")
        return (self.outputs,)

    def parameters(self, shape: Shape) -> int:
        """Return inputs x outputs, and the biases."""
        return self.macs(shape) + (self.outputs if self.bias else 0)

    def macs(self, shape: Shape) -> int:
        """Return inputs x outputs."""
        return prod(shape) * self.output(shape)[0]


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer):
    """Each channel shifted and scaled by what was measured and learned in training."""

    @property
    def op(self) -> str:
        """`batchnorm`."""
        return "batchnorm"

    def parameters(self, shape: Shape) -> int:
        """Return a scale and a shift for each channel."""
        return 2 * shape[-1]

    def statistics(self, shape: Shape) -> int:
        """Return a mean and a variance for each channel."""
        return 2 * shape[-1]
