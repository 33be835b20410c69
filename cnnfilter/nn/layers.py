"""Layers as values: what each holds, what comes out of it, what it costs, and how it is written; convolutions first."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import reduce
from math import prod
from typing import ClassVar, Literal, NamedTuple, dataclass_transform

from cnnfilter.errors import ShapeError
from cnnfilter.nn.fields import PIXEL, Field, Reach
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.geometry import LARGEST, Border, BorderMode, Pair, Window, show_pair, show_side
from cnnfilter.numbers import count, show_number

Shape = tuple[int, ...]


def show_shape(shape: Shape) -> str:
    """Return `HxWxC`, or the length of a vector."""
    return "x".join(map(str, shape))


class Flow(NamedTuple):
    """What is known of the values between two layers; `field` is what they see of the input, None for all of it."""

    shape: Shape
    field: Field | None = PIXEL
    parts: tuple[Shape, ...] = ()
    """The volumes that were flattened into a vector, and the lengths of what else it was made of, in their order."""


Layout = Literal["hwc", "chw"]
"""In which order a size is written."""


def as_shape(value: str | Sequence[int], layout: Layout = "hwc") -> tuple[int, int, int]:
    """Return (height, width, channels) from `HxW`, `HxWxC`, `N` for a square, or two or three numbers.

    Examples
    --------
    >>> as_shape("224x224x3"), as_shape("28"), as_shape("3x224x224", "chw")
    ((224, 224, 3), (28, 28, 1), (224, 224, 3))
    """
    written = value if isinstance(value, str) else "x".join(map(str, value))
    if not re.fullmatch(r"\d+(x\d+){0,2}", written, re.ASCII):
        raise ShapeError(f"size {written[:40]!r} is neither HxW nor HxWxC, such as 28x28 or 224x224x3")
    if max(map(len, written.split("x"))) > 9:
        raise ShapeError(f"size {written[:40]} is above 999,999,999, more than any image has")
    sizes = [int(number) for number in written.split("x")]
    if min(sizes) < 1:
        raise ShapeError(f"size {written!r} has a 0; height, width and channels are at least 1")
    if len(sizes) < 3:
        return sizes[0], sizes[-1], 1
    if layout == "chw":
        sizes = [*sizes[1:], sizes[0]]
    return sizes[0], sizes[1], sizes[2]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Layer(Value):
    """A step of a network; `name` is its `@name`, or empty.

    Each class says in capitals what others have to know of it. What it computes is a row of `compute.operations.RUN`.
    """

    NAMED_ONLY = True

    ROWS: ClassVar[Literal["point", "window", "whole"]]
    """Of what a row of the output is made: of the same row, of those that a window sees, or of all."""

    ALPHA: ClassVar[Literal["keep", "weigh", "none"]]
    """Whether the alpha of an image stays as it is, has a part in what comes out, or has no place behind the layer."""

    KEEPS_CHANNELS: ClassVar[bool] = True
    """Whether the channels that come out are those that go in."""

    TRAINABLE: ClassVar[bool] = True
    """Whether training can go through it: it then has a row in `compute.gradients.PROPAGATE` too."""

    BARE: ClassVar[str] = ""
    """The field that the language writes as a number without a key."""

    COUNTS: ClassVar[str] = ""
    """What that number counts; empty where it need not be whole."""

    PAIR: ClassVar[bool] = False
    """Whether that number is one for the height and one for the width."""

    KEYS: ClassVar[tuple[str, ...]] = ()
    """The fields that are written `key=number`."""

    INITIAL: ClassVar[Mapping[str, float]] = {}
    """The numbers that its tensors begin with, for those that are not drawn at random."""

    DRAWN: ClassVar[str] = ""
    """As what it is drawn, one of `plot.network_steps.COLORS`; empty for a layer that gives its volume no colour."""

    name: str = ""

    def __post_init__(self) -> None:
        given = getattr(self, self.BARE) if self.COUNTS else None
        for number in given or () if self.PAIR else () if given is None else (given,):
            if number < 1:
                raise ShapeError(f"{self.COUNTS} {number} is below 1, the least that is allowed")
            if self.PAIR and number > LARGEST:
                raise ShapeError(f"{self.COUNTS} {number} is above {LARGEST}, the most that is allowed")

    @property
    def op(self) -> str:
        """The word that the language has for this layer."""
        raise NotImplementedError

    @property
    def learns(self) -> bool:
        """Whether training sets numbers of it, which a file of weights then has."""
        return False

    @property
    def follows_gradients(self) -> bool:
        """Whether training moves numbers of it against their gradients, and does not only measure some."""
        return self.learns

    @property
    def picks_values(self) -> bool:
        """Whether all that comes out has gone in: numbers of the same type, and whole ones if these are."""
        return False

    @property
    def takes_alpha(self) -> bool:
        """Whether an image's alpha can go through it."""
        return self.ALPHA != "none"

    @property
    def text(self) -> str:
        """The layer as the language writes it, in the shortest form that reads back the same; its name aside."""
        options = ",".join(self.options())
        return f"{self.op}:{options}" if options else self.op

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the files that it reads beside kernels."""
        return ()

    def check_kind(self, *, matrix: bool, channels: int) -> None:
        """Raise a `ShapeError` if it does not take matrices, or images, such as the input of so many channels."""

    def options(self) -> Iterator[str]:
        """Yield the options that are not the usual ones, as the language writes them."""
        for field in filter(None, (self.BARE, *self.KEYS)):
            number = getattr(self, field)
            if number is not None and number != getattr(type(self), field, None):
                text = show_side(number) if self.PAIR else show_number(number)
                yield text if field == self.BARE else f"{field}={text}"

    def output(self, shape: Shape) -> Shape:
        """Return the shape that comes out when `shape` goes in; `ShapeError` where it cannot go in."""
        return shape

    def follow(self, flow: Flow) -> Flow:
        """Return what is known of the outputs from what is known of the inputs."""
        return flow._replace(shape=self.output(flow.shape), field=None if self.ROWS == "whole" else flow.field)

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
            raise ShapeError(f"{self.op} needs height, width and channels, but gets a vector of {shape[0]}")
        return shape[0], shape[1], shape[2]


class SpatialLayer(Layer):
    """A layer that makes each value of some of those before it, which differ along both axes."""

    def reach(self, shape: Shape, axis: int) -> tuple[Reach, int, int]:
        """Return what a value sees along an axis of an input of `shape`, and how it repeats: see `Along.behind`."""
        raise NotImplementedError

    def follow(self, flow: Flow) -> Flow:
        """Return a volume whose values see what the values that they are made of see together."""
        shape = self.output(flow.shape)
        if flow.field is None:
            return Flow(shape, None)
        rows, columns = (along.behind(*self.reach(flow.shape, axis)) for axis, along in enumerate(flow.field))
        return Flow(shape, Field(rows, columns) if rows and columns else None)


class WindowLayer(SpatialLayer):
    """A layer that makes each value of what a window sees."""

    ROWS = "window"
    ALPHA = "weigh"

    window: Window

    def reach(self, shape: Shape, axis: int) -> tuple[Reach, int, int]:
        """Return what a window sees along an axis; the next one is `stride` further."""
        before, extent = self.window.pads(shape[0], shape[1])[axis], self.window.extent[axis]
        stride = self.window.stride[axis]
        return lambda place: (place * stride - before, place * stride - before + extent - 1), 1, stride


def show_layers(layers: Iterable[Layer]) -> str:
    """Return layers in a row as the language writes them, with the names that they were given."""
    return " ".join(layer.text + (f"@{layer.name}" if layer.name else "") for layer in layers)


Branch = tuple[Layer, ...]


class Block(Layer):
    """What `Residual` and `Concatenation` have in common; a branch without layers hands its input on."""

    ROWS = "whole"
    ALPHA = "none"
    KEEPS_CHANNELS = False

    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if self.branches in {(), ((),)}:
            raise ShapeError(f"{self.op} has no layer in its only branch")

    @property
    def text(self) -> str:
        """The block and what is in its branches, as the language writes them."""
        return f"{self.op}({' | '.join(map(show_layers, self.branches))})"

    @property
    def adds_input(self) -> bool:
        """Whether the block's own input is joined to what its branches make."""
        return False

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return what comes of the branches' outputs; `ShapeError` where they do not fit."""
        raise NotImplementedError

    def ends(self, flow: Flow) -> list[Flow]:
        """Return what goes into the join, branch after branch."""
        ends = [reduce(lambda state, layer: layer.follow(state), branch, flow) for branch in self.branches]
        return [*ends, flow] if self.adds_input else ends

    def follow(self, flow: Flow) -> Flow:
        """Return what is known of the block's outputs."""
        return self.join(self.ends(flow))

    def output(self, shape: Shape) -> Shape:
        """Return the shape that comes out when `shape` goes into each branch."""
        return self.follow(Flow(shape)).shape


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
    HARDSWISH = "hardswish"
    HARDSIGMOID = "hardsigmoid"
    SELU = "selu"
    SOFTPLUS = "softplus"
    MISH = "mish"


class Normalization(StrEnum):
    """What the weights of a kernel are divided by."""

    NONE = "none"
    SUM = "sum"
    ABS = "abs"


class KernelWord(NamedTuple):
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

    @property
    def written(self) -> str:
        """The word, in brackets where the language would split it or take it for an option."""
        from cnnfilter.nn.layer_options import is_json, reads_as_kernel  # noqa: PLC0415  only text needs the language

        is_bare = re.fullmatch(r"[^\s\[\]#,+@()|][^\s\[\],+@()|]*", self.text) and reads_as_kernel(self.text)
        return self.text if is_bare or is_json(self.text) else f"[{self.text}]"


def common_size(kernels: tuple[KernelWord, ...]) -> Pair:
    """Return the (height, width) that all kernels of a layer have, or raise a `ShapeError`."""
    sizes = {(kernel.shape[0], kernel.shape[1]): kernel.text for kernel in kernels}
    if len(sizes) > 1:
        each = ", ".join(f"{text} is {show_pair(size)}" for size, text in sizes.items())
        raise ShapeError(f"the kernels of one layer need one size: {each}")
    return next(iter(sizes))


class Convolution(WindowLayer):
    """What `Conv` and `DepthwiseConv` have in common; `kernels` is empty where only their size is known.

    `bias` is a number added to every output, or a number for each output, but for each kernel of a dwconv that has
    kernels; `learned_bias` gives each output one of its own, among the weights. `flip` turns the kernels by 180
    degrees, which makes it the convolution of mathematics.
    """

    DRAWN = "convolution"
    KEEPS_CHANNELS = False

    kernels: tuple[KernelWord, ...] = ()
    bias: float | tuple[float, ...] = 0.0
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
        """Whether all its kernels are given, each in one slice for every channel."""
        return bool(self.kernels) and all(len(kernel.shape) == 2 for kernel in self.kernels)

    def options(self) -> Iterator[str]:
        """Yield the kernels or their size, and the options that are not the usual ones."""
        yield from [kernel.written for kernel in self.kernels] or [show_pair(self.window.size)]
        if (number := getattr(self, self.BARE)) > 1:
            yield str(number)
        if isinstance(self, Conv) and self.groups > 1:
            yield f"g{self.groups}"
        has_border = self.border.mode is not BorderMode.ZERO
        yield from self.window.options((1, 1), names_valid=has_border)
        if isinstance(self.bias, tuple):
            yield f"bias=[{' '.join(map(show_number, self.bias))}]"
        elif self.bias:
            yield f"bias={show_number(self.bias)}"
        elif not self.kernels and not self.learned_bias:
            yield "nobias"
        if has_border:
            yield f"border={self.border}"
        if self.flip:
            yield "flip"
        if self.normalize is not Normalization.NONE:
            yield f"normalize={self.normalize}"

    def check_bias(self, wanted: int, noun: str) -> None:
        """Raise a `ShapeError` if several biases are given, and they are not as many as wanted."""
        if isinstance(self.bias, tuple) and len(self.bias) != wanted:
            given = count(len(self.bias), "number")
            raise ShapeError(f"bias has {given}, for {count(wanted, noun)}; give one number, or one for each {noun}")

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
    """A convolution of CNNs: every output sums over the channels of its group."""

    BARE = "outputs"
    COUNTS = "number of outputs"
    op = "conv"

    outputs: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups < 1:
            raise ShapeError(f"number of groups {self.groups} is below 1, the least that is allowed")
        self.check_bias(self.maps, "output")

    def bank(self, channels: int) -> Shape:
        """Return (kh, kw, channels / groups, out); the groups must divide both the channels and the outputs."""
        for subject, number in (("channel", channels), ("output", self.maps)):
            if number % self.groups:
                raise ShapeError(f"{number} {subject}{'s' * (number > 1)} cannot be divided into {self.groups} groups")
        slices = channels // self.groups
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
        super().__post_init__()
        for kernel in self.kernels:
            if prod(kernel.shape[2:]) > 1:
                raise ShapeError(
                    f"kernel {kernel.text} has {show_shape(kernel.shape)} weights; dwconv takes a single slice, "
                    "conv takes more"
                )
        if self.kernels:
            self.check_bias(len(self.kernels), "kernel")

    def bank(self, channels: int) -> Shape:
        """Return (kh, kw, 1, channels x kernels); a channel's outputs are neighbours."""
        outputs = channels * (len(self.kernels) or self.multiplier)
        if not self.kernels:
            self.check_bias(outputs, "output")
        return *self.window.size, 1, outputs
