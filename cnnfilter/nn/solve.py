"""Windows with one part left open: which strides, paddings, kernels or dilations lead to a wanted size."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from heapq import nsmallest
from itertools import product
from typing import NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import LARGEST, PaddingWord, Pair, output_size
from cnnfilter.nn.layers import Convolution, Layer, Shape, WindowLayer
from cnnfilter.nn.other_layers import Pool


class OpenPart(StrEnum):
    """What of a window can be left open."""

    STRIDE = "stride"
    PADDING = "padding"
    KERNEL = "kernel"
    DILATION = "dilation"


class Solution(NamedTuple):
    """What was found: the layers that lead to the wanted size, smallest first, or else the nearest ones.

    `nearest` has layers that lead to smaller or larger sizes; `more` counts pairs that were left out, and `endless`
    is whether larger values lead there as well, without end.
    """

    layers: tuple[Layer, ...]
    nearest: tuple[Layer, ...] = ()
    more: int = 0
    endless: bool = False


MOST_PAIRS = 1000
"""Number of solutions that differ along the axes that are listed."""


def solve(layer: Layer, part: OpenPart, shape: Shape, target: Pair, *, keeps_stride: bool = False) -> Solution:
    """Return the layers that differ from `layer` in one part, and make `target` of an input of `shape`.

    One number is given for both axes where one will do, else a pair; paddings are even on both sides, or have one pixel
    more at the end. A pool's stride that equals its size goes with it unless `keeps_stride`.
    """
    if not isinstance(layer, WindowLayer):
        raise ShapeError(f"{layer.op} has no {part}; conv, dwconv and the pools have")
    if part is OpenPart.KERNEL and isinstance(layer, Convolution) and layer.kernels:
        raise ShapeError(f"kernel {layer.kernels[0].text} has a fixed size; write a size such as 3x3 in its place")
    search = _Search(layer, part, shape, keeps_stride=keeps_stride)
    same = layer.window.padding in {PaddingWord.SAME, PaddingWord.SAME_LOWER}
    if same and part in {OpenPart.KERNEL, OpenPart.DILATION} and not search.stride_follows:
        raise ShapeError(
            f"with padding {layer.window.padding} the size does not depend on the {part}; the stride alone sets it"
        )
    axes = [search.outputs(axis, target[axis]) for axis in (0, 1)]
    rows, columns = ([value for value, size in axes[axis] if size == target[axis]] for axis in (0, 1))
    endless = bool(rows and columns) and search.is_endless(target)
    if part is OpenPart.STRIDE:  # to 1 leads every stride that is large enough
        rows, columns = (_and_larger(*pair) for pair in ((rows, columns, target[0]), (columns, rows, target[1])))
    alike = sorted(set(rows) & set(columns))
    if found := tuple(search.fitting((value, value) for value in alike)):
        return Solution(found, endless=endless)
    pairs = nsmallest(MOST_PAIRS, product(rows[:MOST_PAIRS], columns[:MOST_PAIRS]), key=sum)
    if found := tuple(search.fitting(pairs)):
        return Solution(found, more=len(rows) * len(columns) - len(pairs), endless=endless)
    around = zip(*(_around(axes[axis], target[axis]) for axis in (0, 1)), strict=False)
    return Solution((), tuple(search.fitting(around)))


def _and_larger(strides: list[int], others: list[int], target: int) -> list[int]:
    """Return the strides of one axis, with those of the other that are larger if the target is 1."""
    return strides + [other for other in others if target == 1 and strides and other > strides[-1]]


class _Search:
    """A layer of which one part is tried on an input."""

    def __init__(self, layer: WindowLayer, part: OpenPart, shape: Shape, *, keeps_stride: bool) -> None:
        self.layer, self.part, self.shape = layer, part, shape
        self.window, self.padding = layer.window, layer.window.padding
        self.is_pool = isinstance(layer, Pool)
        kernel_or_dilation = part in {OpenPart.KERNEL, OpenPart.DILATION}
        follows = part is OpenPart.KERNEL and self.is_pool and self.window.stride == self.window.size
        self.stride_follows = follows and not keeps_stride
        """Whether the stride goes with the size, as a pool's does unless given."""
        self.grows = part is OpenPart.PADDING or (kernel_or_dilation and self.padding is PaddingWord.FULL)
        """Whether a larger value leads to a larger size, or to the same."""
        self.is_monotonous = not (kernel_or_dilation and self.padding is PaddingWord.HALF) and not self.stride_follows

    def outputs(self, axis: int, target: int) -> list[Pair]:
        """Return the values that lead to the target along an axis, and one on each side, with what comes out."""
        candidates = self.candidates(axis)
        if not self.is_monotonous:
            return [(value, self.output(axis, value)) for value in candidates]
        sign = 1 if self.grows else -1
        first = bisect_left(candidates, sign * target, key=lambda value: sign * self.output(axis, value))
        found: list[Pair] = []
        for value in candidates[max(0, first - 1) :]:
            result = self.output(axis, value)
            found += [(value, result)] if result else []
            if sign * result > sign * target or (self.part is OpenPart.STRIDE and result == 1):
                break
        return found

    def output(self, axis: int, value: int) -> int:
        """Return what comes out along an axis, 0 where the window does not fit."""
        size, window = self.shape[axis], self.changed((value, value)).window
        before, after = window.pads(size, size)[axis::2]
        if window.extent[axis] > size + before + after:
            return 0
        return output_size(size, before, after, window.extent[axis], window.stride[axis], ceil=window.ceil)

    def candidates(self, axis: int) -> range:
        """Return the values that are tried along an axis: all from which something can still come out."""
        size = self.shape[axis]
        if self.part is OpenPart.STRIDE:
            return range(1, LARGEST + 1)
        if self.part is OpenPart.PADDING:
            return range(2 * (self.window.extent[axis] // 2 if self.is_pool else LARGEST) + 1)
        if self.part is OpenPart.DILATION and self.window.size[axis] == 1:
            return range(1, 2)
        if not isinstance(self.padding, PaddingWord):
            before, after = self.padding[axis::2]
            values = range(1, min(size + before + after, LARGEST) + 1)
            # A pool's padding is at most half of its window.
            least = 2 * max(before, after) if self.is_pool else 0
            return values[bisect_left(values, least, key=lambda value: self.extent(axis, value)) :]
        if self.grows:
            # Full padding is more than half of a pool's window that spans more than 2.
            beyond = bisect_left(range(1, 4), 3, key=lambda value: self.extent(axis, value)) + 1
            return range(1, beyond if self.is_pool else LARGEST + 1)
        most = max(size, 2)  # of larger ones it is only of importance whether they are even
        if self.window.ceil and self.padding is PaddingWord.HALF:
            # A last window may start in the padding, until that before the input is as large as the stride.
            most = max(most, 2 * size + 2 if self.stride_follows else 2 * self.window.stride[axis])
        return range(1, min(most, LARGEST) + 1)

    def extent(self, axis: int, value: int) -> int:
        """Return how many pixels the window spans along an axis with a value."""
        return self.changed((value, value)).window.extent[axis]

    def is_endless(self, target: Pair) -> bool:
        """Return whether there are solutions beyond all that are tried: the largest values lead there as well."""
        dilates = self.part is OpenPart.DILATION
        if dilates and self.window.size == (1, 1):
            return True
        axes = [axis for axis in (0, 1) if not (dilates and self.window.size[axis] == 1)]
        largest = (LARGEST - 1, LARGEST)
        return not self.grows and any(self.output(axis, value) == target[axis] for axis in axes for value in largest)

    def changed(self, pair: Pair) -> WindowLayer:
        """Return the layer with the part changed; paddings are given by how many pixels they have in all."""
        rows, columns = pair
        changes: dict[OpenPart, dict[str, object]] = {
            OpenPart.STRIDE: {"stride": pair},
            OpenPart.KERNEL: {"size": pair, "stride": pair if self.stride_follows else self.window.stride},
            OpenPart.DILATION: {"dilation": pair},
            OpenPart.PADDING: {"padding": (rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)},
        }
        return replace(self.layer, window=replace(self.window, **changes[self.part]))

    def fitting(self, pairs: Iterable[Pair]) -> Iterator[Layer]:
        """Yield the layers with these values that can take the input; a pool's padding can be too large for it."""
        for pair in pairs:
            candidate = self.changed(pair)
            with suppress(ShapeError):
                candidate.output(self.shape)
                yield candidate


def _around(outputs: list[Pair], target: int) -> list[int]:
    """Return the values that lead nearest to the target from below and from above, or to it."""
    below = max((pair for pair in outputs if pair[1] <= target), key=lambda pair: (pair[1], -pair[0]), default=None)
    above = min((pair for pair in outputs if pair[1] >= target), key=lambda pair: pair[::-1], default=None)
    ends = [below or above, above or below]
    return [end[0] for end in ends if end]
