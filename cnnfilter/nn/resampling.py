"""Layers that change the number of rows and columns by other ways than a window that slides."""

from collections.abc import Iterator
from enum import StrEnum
from math import gcd

from cnnfilter.errors import ShapeError
from cnnfilter.nn.fields import MOST_SPANS, Reach
from cnnfilter.nn.geometry import PaddingWord, Pair, Window, show_pair, show_side
from cnnfilter.nn.layers import Flow, Shape, SpatialLayer
from cnnfilter.nn.other_layers import GlobalPool
from cnnfilter.numbers import count


class Deconv(SpatialLayer):
    """A transposed convolution: each value times a kernel, added up where the kernels overlap.

    `window` is that of the convolution whose gradient it is; `output_padding` are rows and columns that it has more at
    the end. Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4; PyTorch's
    ConvTranspose2d.
    """

    ROWS = "whole"
    ALPHA = "none"
    DRAWN = "convolution"
    KEEPS_CHANNELS = False
    BARE = "outputs"
    COUNTS = "number of outputs"
    op = "deconv"
    learns = True

    window: Window
    outputs: int = 1
    groups: int = 1
    output_padding: Pair = (0, 0)
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups < 1:
            raise ShapeError(f"number of groups {self.groups} is below 1, the least that is allowed")
        if isinstance(self.window.padding, PaddingWord):
            raise ShapeError(f"padding of {self.op} is written in numbers, such as p1, not {self.window.padding}")
        for extra, stride, dilation in zip(self.output_padding, self.window.stride, self.window.dilation, strict=True):
            if not 0 <= extra < max(stride, dilation):
                raise ShapeError(
                    f"output padding {extra} is not below the stride of {stride}"
                    f"{f' or the dilation of {dilation}' if dilation > 1 else ''}"
                )

    def options(self) -> Iterator[str]:
        """Yield the kernel size, and the options that are not the usual ones."""
        yield show_pair(self.window.size)
        yield from super().options()
        yield from self.window.options((1, 1))
        if self.output_padding != (0, 0):
            yield f"op{show_side(self.output_padding)}"
        if self.groups > 1:
            yield f"g{self.groups}"
        if not self.bias:
            yield "nobias"

    def output(self, shape: Shape) -> Shape:
        """Return (height', width', outputs): (n - 1) s - before - after + d (k - 1) + op + 1 along each axis."""
        rows, columns, channels = self.volume(shape)
        for subject, number in (("channel", channels), ("output", self.outputs)):
            if number % self.groups:
                raise ShapeError(f"{count(number, subject)} cannot be divided into {self.groups} groups")
        height, width = (self._size(size, axis) for axis, size in enumerate((rows, columns)))
        if min(height, width) < 1:
            pads = "/".join(map(str, self.window.pads(rows, columns)))
            raise ShapeError(f"padding {pads} cuts all of the result away: {height}x{width} would be left")
        return height, width, self.outputs

    def _size(self, size: int, axis: int) -> int:
        pads = self.window.pads(1, 1)
        whole = (size - 1) * self.window.stride[axis] + self.window.extent[axis]
        return whole - pads[axis] - pads[axis + 2] + self.output_padding[axis]

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return the weight (in, outputs / groups, kh, kw), and the bias (outputs,)."""
        tensors: dict[str, Shape] = {"weight": (shape[2], self.outputs // self.groups, *self.window.size)}
        return tensors | {"bias": (self.outputs,)} if self.bias else tensors

    def macs(self, shape: Shape) -> int:
        """Return in elements x (outputs / groups) x kh x kw."""
        rows, columns = self.window.size
        return shape[0] * shape[1] * shape[2] * (self.outputs // self.groups) * rows * columns

    def taps(self, place: int, axis: int) -> Iterator[Pair]:
        """Yield which values before it an output is made of along an axis, and by which row or column of the kernel.

        The first has the least place; some of those beyond the edges are there too, which are no values.
        """
        stride, dilation = self.window.stride[axis], self.window.dilation[axis]
        whole = place + self.window.pads(1, 1)[axis]
        for tap in reversed(range(self.window.size[axis])):
            source, rest = divmod(whole - tap * dilation, stride)
            if rest == 0:
                yield source, tap

    def reach(self, shape: Shape, axis: int) -> tuple[Reach, int, int]:
        """Return which values before it an output sees; after `stride` outputs they are one further."""
        size, outputs = shape[axis], self.output(shape)[axis]
        is_small = size * self.window.stride[axis] < self.window.extent[axis] and outputs <= MOST_SPANS

        def reach(place: int) -> Pair | None:
            sources = [source for source, _ in self.taps(place, axis) if not is_small or 0 <= source < size]
            return (sources[0], sources[-1]) if sources else None

        return (reach, outputs, size) if is_small else (reach, self.window.stride[axis], 1)


class Interpolation(StrEnum):
    """How the values between others are made."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


class Upsample(SpatialLayer):
    """More rows and columns: each value several times, or what is between values; PyTorch's `align_corners=False`."""

    ROWS = "whole"
    ALPHA = "none"
    DRAWN = "upsampling"
    BARE = "factor"
    COUNTS = "factor"
    PAIR = True
    op = "upsample"

    factor: Pair
    interpolation: Interpolation = Interpolation.NEAREST

    def options(self) -> Iterator[str]:
        """Yield the factor, and `bilinear`."""
        yield from super().options()
        if self.interpolation is not Interpolation.NEAREST:
            yield self.interpolation.value

    @property
    def picks_values(self) -> bool:
        """Whether it takes the nearest."""
        return self.interpolation is Interpolation.NEAREST

    def output(self, shape: Shape) -> Shape:
        """Return (height x factor, width x factor, channels)."""
        height, width, channels = self.volume(shape)
        return height * self.factor[0], width * self.factor[1], channels

    def share(self, place: int, axis: int) -> tuple[int, float]:
        """Return the value before it that an output begins with along an axis, and the share of the next one.

        The first may be one before the edge, and the next one beyond: both are then that at the edge.
        """
        factor = self.factor[axis]
        if self.interpolation is Interpolation.NEAREST:
            return place // factor, 0.0
        source, rest = divmod(2 * place + 1 - factor, 2 * factor)
        return source, rest / (2 * factor)

    def reach(self, shape: Shape, axis: int) -> tuple[Reach, int, int]:
        """Return which values before it an output sees; after `factor` outputs they are one further."""

        def reach(place: int) -> Pair:
            source, share = self.share(place, axis)
            return (0, 0) if shape[axis] == 1 else (source, source + (share > 0))

        return reach, self.factor[axis], 1


class AdaptivePool(GlobalPool, SpatialLayer):
    """One value for each window of each channel, of as many windows as are wanted along each axis.

    Window i of `o` on `n` values goes from floor(i n / o) to before ceil((i + 1) n / o), as in PyTorch.
    """

    ALPHA = "none"
    BARE = "size"
    COUNTS = "output size"
    PAIR = True

    size: Pair

    @property
    def op(self) -> str:
        """`adaptivemaxpool` or `adaptiveavgpool`."""
        return f"adaptive{self.mode}pool"

    def output(self, shape: Shape) -> Shape:
        """Return (height', width', channels)."""
        return *self.size, self.volume(shape)[2]

    def follow(self, flow: Flow) -> Flow:
        """Return a volume whose values see what their windows see; a single one sees the whole input."""
        followed = super().follow(flow)
        return followed._replace(field=None) if self.size == (1, 1) else followed

    def places(self, place: int, axis: int, size: int) -> range:
        """Return the rows, or columns, of an input of a size that are in a window."""
        outputs = self.size[axis]
        return range(place * size // outputs, -(-(place + 1) * size // outputs))

    def reach(self, shape: Shape, axis: int) -> tuple[Reach, int, int]:
        """Return which values before it an output sees; windows repeat where sizes have a common divisor."""
        size, outputs = shape[axis], self.size[axis]

        def reach(place: int) -> Pair:
            seen = self.places(place, axis, size)
            return seen.start, seen.stop - 1

        common = gcd(size, outputs)
        return reach, outputs // common, size // common
