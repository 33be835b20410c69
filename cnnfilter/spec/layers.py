"""The layers of a network as frozen values that know what shape comes out of them.

A shape is (height, width, channels), or (length,) after `flatten`. Convolutions and pools have modules
of their own.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import ClassVar

from cnnfilter.errors import ShapeError

Shape = tuple[int, ...]


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
