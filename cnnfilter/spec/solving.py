"""Windows with one part left open: which strides, paddings, kernels or dilations lead to a wanted size."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.geometry import LARGEST, PaddingWord, Pair, Window, output_size
from cnnfilter.spec.layers import Layer, Shape
from cnnfilter.spec.pools import Pool
from cnnfilter.spec.values import replace


class Part(StrEnum):
    """What of a window can be left open."""

    STRIDE = "stride"
    PADDING = "padding"
    KERNEL = "kernel"
    DILATION = "dilation"


Windowed = Convolution | Pool
"""The layers that have a window."""


class Solution(NamedTuple):
    """What was found: the layers that lead to the wanted size, smallest first, or else the nearest ones.

    `nearest` has layers that lead to smaller or larger sizes; `larger_too` tells that every larger stride
    does as well.
    """

    layers: tuple[Layer, ...]
    nearest: tuple[Layer, ...] = ()
    larger_too: bool = False


def solve(layer: Layer, part: Part, shape: Shape, target: Pair) -> Solution:
    """Return the layers that differ from `layer` in one part, and make `target` of an input of `shape`.

    Parameters
    ----------
    layer
        A conv, a dwconv or a pool; what it says of the part itself is not used.
    part
        What is left open. One number for both axes where one will do, else a pair; paddings are even on both sides, or
        have one pixel more at the end.
    shape, target
        (height, width, channels) that go in, (height, width) that shall come out.

    Raises
    ------
    ShapeError
        If the layer has no window, or has kernels by name whose size is sought.
    """
    if not isinstance(layer, Windowed):
        raise ShapeError(f"{layer.op} has no {part} to be found; conv, dwconv and the pools have")
    if part is Part.KERNEL and isinstance(layer, Convolution) and layer.kernels:
        raise ShapeError(f"kernel {layer.kernels[0].text} has its size; a size such as 3x3 in its place is left open")
    window = layer.window
    if window.padding in {PaddingWord.SAME, PaddingWord.SAME_LOWER} and part in {Part.KERNEL, Part.DILATION}:
        raise ShapeError(
            f"with padding {window.padding} the size does not depend on the {part}; the stride alone sets it"
        )
    axes = [_outputs(layer, part, axis, shape[axis], target[axis]) for axis in (0, 1)]
    rows, columns = ([value for value, size in axes[axis] if size == target[axis]] for axis in (0, 1))
    if part is Part.STRIDE:  # to 1 leads every stride that is large enough
        rows, columns = (_and_larger(*pair) for pair in ((rows, columns, target[0]), (columns, rows, target[1])))
    alike = [(value, value) for value in rows if value in set(columns)]
    found = tuple(_fitting(layer, part, alike, shape))
    found = found or tuple(_fitting(layer, part, sorted(product(rows, columns), key=sum), shape))
    if found:
        return Solution(found, larger_too=part is Part.STRIDE and target == (1, 1))
    around = zip(*(_around(axes[axis], target[axis]) for axis in (0, 1)), strict=False)
    return Solution((), tuple(_fitting(layer, part, around, shape)))


def _and_larger(strides: list[int], others: list[int], target: int) -> list[int]:
    """Return the strides of one axis, with those of the other that are larger if the target is 1."""
    return strides + [other for other in others if target == 1 and strides and other > strides[-1]]


def _outputs(layer: Windowed, part: Part, axis: int, size: int, target: int) -> list[Pair]:
    """Return the values of a part that lead to the target along an axis, and one on each side, with what comes out."""
    candidates = _candidates(layer.window, part, axis, size)

    def output(value: int) -> int:
        """Return what comes out, 0 where the window does not fit."""
        window = _with(layer, part, (value, value)).window
        before, after = window.pads(size, size)[axis::2]
        if window.extent[axis] > size + before + after:
            return 0
        return output_size(size, before, after, window.extent[axis], window.stride[axis], ceil=window.ceil)

    if layer.window.padding is PaddingWord.HALF and part in {Part.KERNEL, Part.DILATION}:  # it goes up and down
        return [(value, output(value)) for value in candidates]
    sign = 1 if _grows(layer.window, part) else -1
    first = bisect_left(candidates, sign * target, key=lambda value: sign * output(value))
    found: list[Pair] = []
    for value in candidates[max(0, first - 1) :]:
        result = output(value)
        found += [(value, result)] if result else []
        if sign * result > sign * target or (part is Part.STRIDE and result == 1):
            break
    return found


def _candidates(window: Window, part: Part, axis: int, size: int) -> range:
    """Return the values that are tried along an axis: all from which something can still come out."""
    before, after = window.pads(size, size)[axis::2]
    room = size if isinstance(window.padding, PaddingWord) else size + before + after
    match part:
        case Part.PADDING:
            return range(2 * LARGEST)
        case Part.DILATION if window.size[axis] == 1:
            return range(1, 2)
        case Part.KERNEL | Part.DILATION if not _grows(window, part):
            return range(1, min(room, LARGEST) + 1)
        case _:
            return range(1, LARGEST + 1)


def _grows(window: Window, part: Part) -> bool:
    """Return whether a larger value leads to a larger size, or to the same."""
    return part is Part.PADDING or (part is not Part.STRIDE and window.padding is PaddingWord.FULL)


def _with(layer: Windowed, part: Part, pair: Pair) -> Windowed:
    """Return the layer with one part changed; paddings are given by how many pixels they have in all."""
    window, (rows, columns) = layer.window, pair
    follows = isinstance(layer, Pool) and window.stride == window.size  # as a pool's stride does unless told
    changes: dict[Part, dict[str, object]] = {
        Part.STRIDE: {"stride": pair},
        Part.KERNEL: {"size": pair, "stride": pair if follows else window.stride},
        Part.DILATION: {"dilation": pair},
        Part.PADDING: {"padding": (rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)},
    }
    return replace(layer, window=replace(window, **changes[part]))


def _fitting(layer: Windowed, part: Part, pairs: Iterable[Pair], shape: Shape) -> Iterator[Layer]:
    """Yield the layers with these values that can take the input; a pool's padding can be too large for it."""
    for pair in pairs:
        candidate = _with(layer, part, pair)
        with suppress(ShapeError):
            candidate.output(shape)
            yield candidate


def _around(outputs: list[Pair], target: int) -> list[int]:
    """Return the values that lead nearest to the target from below and from above, or to it."""
    below = max((pair for pair in outputs if pair[1] <= target), key=lambda pair: (pair[1], -pair[0]), default=None)
    above = min((pair for pair in outputs if pair[1] >= target), key=lambda pair: pair[::-1], default=None)
    ends = [below or above, above or below]
    return [end[0] for end in ends if end]
