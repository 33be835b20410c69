"""Layers as values: what each holds, what comes out of it, and what it costs."""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import reduce
from math import prod
from typing import ClassVar, Literal, NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.nn.frozen import Value, by_name
from cnnfilter.nn.geometry import PIXEL, Field, Window, unite

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


class BatchNorm(Layer):
    """Each channel shifted and scaled by what was measured and learned in training.

    (x - mean) / sqrt(variance + eps) * weight + bias (Ioffe and Szegedy, "Batch Normalization", 2015).
    """

    ROWS = "point"
    ALPHA = "none"
    KEYS = ("eps",)
    op = "batchnorm"
    learns = True

    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.eps < 0:
            raise ShapeError(f"eps {self.eps} is negative; it is added to a variance")

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return weight, bias, mean and variance: a number for each channel."""
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (shape[-1],))


class LocalResponseNorm(Layer):
    """Each value divided by (k + alpha / size * sum of squares of `size` neighbouring channels) ** beta.

    The channels lie around the value's own, one more before it where `size` is even, as in PyTorch and
    Caffe (Krizhevsky et al., "ImageNet classification with deep CNNs", 2012, has alpha without the division).
    """

    ROWS = "point"
    ALPHA = "none"
    BARE = "size"
    COUNTS = "number of channels"
    KEYS = ("alpha", "beta", "k")
    op = "lrn"

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ShapeError(f"number of channels {self.size} is below 1, the least that is allowed")

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)


class Equalize(Layer):
    """Each channel's values spread so that all levels are about as frequent, from black to white."""

    ROWS = "whole"
    ALPHA = "none"
    op = "equalize"

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)


Branch = tuple[Layer, ...]


class Block(Layer):
    """What `Residual` and `Concatenation` have in common; a branch without layers hands its input on."""

    ROWS = "whole"
    ALPHA = "none"

    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if self.branches in {(), ((),)}:
            raise ShapeError(f"{self.op} has no layer in its only branch")

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return what comes of the branches' outputs; `ShapeError` where they do not fit."""
        raise NotImplementedError

    def ends(self, flow: Flow) -> list[Flow]:
        """Return what goes into the join, branch after branch."""
        return [reduce(lambda state, layer: layer.follow(state), branch, flow) for branch in self.branches]

    def follow(self, flow: Flow) -> Flow:
        """Return what is known of the block's outputs."""
        return self.join(self.ends(flow))

    def output(self, shape: Shape) -> Shape:
        """Return the shape that comes out when `shape` goes into each branch."""
        return self.follow(Flow(shape)).shape

    def sees(self, field: Field | None, shape: Shape) -> Field | None:
        """Return the union of what the branches see."""
        return self.follow(Flow(shape, field)).field


class Residual(Block):
    """The sum of its branches; a single one is added to the block's input.

    He et al., "Deep residual learning for image recognition" (2015).
    """

    op = "res"

    def ends(self, flow: Flow) -> list[Flow]:
        """Return the branches' outputs, and the input beside a single one."""
        return [*super().ends(flow), flow] if self.adds_input else super().ends(flow)

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
    """The channels of all branches side by side.

    Szegedy et al., "Going deeper with convolutions" (2014).
    """

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
