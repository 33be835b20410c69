"""The layers of a network as frozen values that know what shape comes out of them.

A shape is (height, width, channels), or (length,) after `flatten`. Convolutions, pools and blocks have
modules of their own.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from math import prod
from typing import ClassVar, Literal, NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.spec.fields import PIXEL, Field
from cnnfilter.spec.geometry import Window
from cnnfilter.spec.values import Value, by_name

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


class Flow(NamedTuple):
    """What is known of the values between two layers.

    `field` is the part of the input that they see, None for the whole of it. `parts` are the volumes that were
    flattened into a vector, and the lengths of what else it was made of, in their order.
    """

    shape: Shape
    field: Field | None = PIXEL
    parts: tuple[Shape, ...] = ()


class Layout(StrEnum):
    """In which order a size is written."""

    HWC = "hwc"
    CHW = "chw"


def as_shape(value: str | Sequence[int], layout: Layout = Layout.HWC) -> tuple[int, int, int]:
    """Return (height, width, channels) from `HxW`, `HxWxC`, `N` for a square, or two or three numbers.

    Parameters
    ----------
    value
        The size; one channel unless it says more.
    layout
        `chw` where the channels are first: `CxHxW`.

    Raises
    ------
    ShapeError
        If it is none of these, or a number is below 1.

    Examples
    --------
    >>> as_shape("224x224x3"), as_shape("28"), as_shape("3x224x224", Layout.CHW)
    ((224, 224, 3), (28, 28, 1), (224, 224, 3))
    """
    written = value if isinstance(value, str) else "x".join(map(str, value))
    if not re.fullmatch(r"\d+(x\d+){0,2}", written, re.ASCII):
        raise ShapeError(f"size {written[:40]!r} is neither HxW nor HxWxC, such as 28x28 or 224x224x3")
    if max(map(len, written.split("x"))) > 9:
        raise ShapeError(f"size {written[:40]} is beyond a thousand million, more than any image has")
    sizes = [int(number) for number in written.split("x")]
    if min(sizes) < 1:
        raise ShapeError(f"size {written!r} has a 0; height, width and channels are at least 1")
    if len(sizes) < 3:
        return sizes[0], sizes[-1], 1
    if layout is Layout.CHW:
        sizes = [*sizes[1:], sizes[0]]
    return sizes[0], sizes[1], sizes[2]


class Layer(Value):
    """A step of a network; `name` is its `@name`, or empty.

    Each class says in capitals what others have to know of it. What it computes is a row of `compute.network.RUN`.
    """

    NAMED_ONLY = True

    ROWS: ClassVar[Literal["point", "window", "whole"]]
    """Of what a row of the output is made: of the same row, of those that a window sees, or of all."""

    ALPHA: ClassVar[Literal["keep", "weigh", "none"]]
    """Whether the alpha of an image stays as it is, has a part in what comes out, or has no place behind the layer."""

    BARE: ClassVar[str] = ""
    """The field that the language writes as a number without a key."""

    COUNTS: ClassVar[str] = ""
    """What that number counts; empty where it need not be whole."""

    KEYS: ClassVar[tuple[str, ...]] = ()
    """The fields that are written `key=number`."""

    name: str = by_name(default="", kw_only=True)

    @property
    def op(self) -> str:
        """The word that the language has for this layer."""
        raise NotImplementedError

    @property
    def learns(self) -> bool:
        """Whether training sets numbers of it, which a file of weights then has."""
        return False

    @property
    def takes_alpha(self) -> bool:
        """Whether an image's alpha can go through it."""
        return self.ALPHA != "none"

    def usual(self, field: str) -> object:
        """Return the value of a field that need not be written, or None."""
        return getattr(type(self), field, None)

    def output(self, shape: Shape) -> Shape:
        """Return the shape that comes out when `shape` goes in; `ShapeError` where it cannot go in."""
        return shape

    def sees(self, field: Field | None, shape: Shape) -> Field | None:
        """Return the receptive field of the outputs, where `field` is that of the inputs; None is all."""
        return None if self.ROWS == "whole" else field

    def follow(self, flow: Flow) -> Flow:
        """Return what is known of the outputs from what is known of the inputs."""
        return flow._replace(shape=self.output(flow.shape), field=self.sees(flow.field, flow.shape))

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return what training sets or measures, by name, with its shape in PyTorch's order of axes."""
        return {}

    def parameters(self, shape: Shape) -> int:
        """Return how many numbers training would set, for an input of `shape`."""
        return sum(prod(size) for name, size in self.tensors(shape).items() if not name.startswith("running_"))

    def statistics(self, shape: Shape) -> int:
        """Return how many numbers are measured in training rather than set, for an input of `shape`."""
        return sum(prod(size) for name, size in self.tensors(shape).items() if name.startswith("running_"))

    def macs(self, shape: Shape) -> int:
        """Return how many multiplications by weights an input of `shape` takes."""
        return 0

    def volume(self, shape: Shape) -> tuple[int, int, int]:
        """Return `shape` as (height, width, channels), or raise a `ShapeError` if it is a vector."""
        if len(shape) != 3:
            raise ShapeError(f"{self.op} needs height, width and channels, and gets a vector of {shape[0]}")
        return shape[0], shape[1], shape[2]


class WindowLayer(Layer):
    """A layer that makes each value of what a window sees."""

    ROWS = "window"
    ALPHA = "weigh"

    window: Window

    def sees(self, field: Field | None, shape: Shape) -> Field | None:
        """Return the field that the window's values have together."""
        return field and field.through(self.window, *shape[:2])


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

    def usual(self, field: str) -> object:
        """Return PyTorch's slope for the function."""
        return SLOPES.get(self.function)


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
    op = "gray"

    WEIGHTS: ClassVar[tuple[float, float, float]] = (0.299, 0.587, 0.114)
    """Rec. ITU-R BT.601, section 2.5.1."""

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, 1)."""
        height, width, channels = self.volume(shape)
        if channels not in {1, 3}:
            raise ShapeError(f"gray needs 3 channels (red, green, blue) or 1, and gets {channels}")
        return height, width, 1


class Linear(Layer):
    """A fully connected layer on a vector."""

    ROWS = "whole"
    ALPHA = "none"
    BARE = "outputs"
    COUNTS = "number of outputs"
    op = "linear"
    learns = True

    outputs: int
    bias: bool = True

    def __post_init__(self) -> None:
        if self.outputs < 1:
            raise ShapeError(f"number of outputs {self.outputs} is below 1, the least that is allowed")

    def output(self, shape: Shape) -> Shape:
        """Return (outputs,)."""
        if len(shape) != 1:
            raise ShapeError(f"linear needs a vector, and gets {show_shape(shape)}; put flatten before it")
        return (self.outputs,)

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

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ShapeError(f"dropout of {self.rate} is not a share from 0 to 1")
