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
from cnnfilter.nn.layers import Convolution, Layer, Shape
from cnnfilter.nn.other_layers import Pool


class OpenPart(StrEnum):
    """What of a window can be left open."""

    STRIDE = "stride"
    PADDING = "padding"
    KERNEL = "kernel"
    DILATION = "dilation"


Windowed = Convolution | Pool
"""The layers that have a window."""


class Solution(NamedTuple):
    """What was found: the layers that lead to the wanted size, smallest first, or else the nearest ones.

    `nearest` has layers that lead to smaller or larger sizes; `more` counts pairs that were left out, and `endless`
    tells that larger values lead there as well, without end.
    """

    layers: tuple[Layer, ...]
    nearest: tuple[Layer, ...] = ()
    more: int = 0
    endless: bool = False


MOST_PAIRS = 1000
"""So many solutions that differ along the axes are listed."""


def solve(layer: Layer, part: OpenPart, shape: Shape, target: Pair, *, keeps_stride: bool = False) -> Solution:
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
    keeps_stride
        Whether a pool's stride stays where its size is sought; else a stride equal to the size goes with it.

    Raises
    ------
    ShapeError
        If the layer has no window, or has kernels by name whose size is sought.
    """
    if not isinstance(layer, Windowed):
        raise ShapeError(f"{layer.op} has no {part} to be found; conv, dwconv and the pools have")
    if part is OpenPart.KERNEL and isinstance(layer, Convolution) and layer.kernels:
        raise ShapeError(f"kernel {layer.kernels[0].text} has its size; a size such as 3x3 in its place is left open")
    window, follows = layer.window, _follows(layer, part, keeps_stride=keeps_stride)
    same = window.padding in {PaddingWord.SAME, PaddingWord.SAME_LOWER}
    if same and part in {OpenPart.KERNEL, OpenPart.DILATION} and not follows:
        raise ShapeError(
            f"with padding {window.padding} the size does not depend on the {part}; the stride alone sets it"
        )
    search = _Search(layer, part, follows=follows)
    axes = [search.outputs(axis, shape[axis], target[axis]) for axis in (0, 1)]
    rows, columns = ([value for value, size in axes[axis] if size == target[axis]] for axis in (0, 1))
    endless = bool(rows and columns) and search.is_endless(shape, target)
    if part is OpenPart.STRIDE:  # to 1 leads every stride that is large enough
        rows, columns = (_and_larger(*pair) for pair in ((rows, columns, target[0]), (columns, rows, target[1])))
    alike = sorted(set(rows) & set(columns))
    if found := tuple(search.fitting(((value, value) for value in alike), shape)):
        return Solution(found, endless=endless)
    pairs = nsmallest(MOST_PAIRS, product(rows[:MOST_PAIRS], columns[:MOST_PAIRS]), key=sum)
    if found := tuple(search.fitting(pairs, shape)):
        return Solution(found, more=len(rows) * len(columns) - len(pairs), endless=endless)
    around = zip(*(_around(axes[axis], target[axis]) for axis in (0, 1)), strict=False)
    return Solution((), tuple(search.fitting(around, shape)))


def _follows(layer: Windowed, part: OpenPart, *, keeps_stride: bool) -> bool:
    """Return whether the stride goes with the size, as a pool's does unless told."""
    return (
        part is OpenPart.KERNEL
        and isinstance(layer, Pool)
        and layer.window.stride == layer.window.size
        and not keeps_stride
    )


def _and_larger(strides: list[int], others: list[int], target: int) -> list[int]:
    """Return the strides of one axis, with those of the other that are larger if the target is 1."""
    return strides + [other for other in others if target == 1 and strides and other > strides[-1]]


class _Search(NamedTuple):
    """A layer of which one part is tried; its stride may go with its size."""

    layer: Windowed
    part: OpenPart
    follows: bool

    def outputs(self, axis: int, size: int, target: int) -> list[Pair]:
        """Return the values that lead to the target along an axis, and one on each side, with what comes out."""
        candidates = self.candidates(axis, size)
        if self.goes_up_and_down or self.follows:
            return [(value, self.output(axis, size, value)) for value in candidates]
        sign = 1 if self.grows else -1
        first = bisect_left(candidates, sign * target, key=lambda value: sign * self.output(axis, size, value))
        found: list[Pair] = []
        for value in candidates[max(0, first - 1) :]:
            result = self.output(axis, size, value)
            found += [(value, result)] if result else []
            if sign * result > sign * target or (self.part is OpenPart.STRIDE and result == 1):
                break
        return found

    def output(self, axis: int, size: int, value: int) -> int:
        """Return what comes out along an axis, 0 where the window does not fit."""
        window = self.changed((value, value)).window
        before, after = window.pads(size, size)[axis::2]
        if window.extent[axis] > size + before + after:
            return 0
        return output_size(size, before, after, window.extent[axis], window.stride[axis], ceil=window.ceil)

    def candidates(self, axis: int, size: int) -> range:
        """Return the values that are tried along an axis: all from which something can still come out."""
        window = self.layer.window
        before, after = window.pads(size, size)[axis::2]
        room = size if isinstance(window.padding, PaddingWord) else size + before + after
        match self.part:
            case OpenPart.PADDING:
                most = window.extent[axis] // 2 if isinstance(self.layer, Pool) else LARGEST
                return range(2 * most + 1)
            case OpenPart.DILATION if window.size[axis] == 1:
                return range(1, 2)
            case OpenPart.KERNEL | OpenPart.DILATION if self.grows:
                return range(1, self.first_beyond(axis) if isinstance(self.layer, Pool) else LARGEST + 1)
            case OpenPart.KERNEL | OpenPart.DILATION:
                values = range(1, min(room, LARGEST) + 1)
                return values[
                    bisect_left(values, x=True, key=lambda value: self.allows(axis, max(before, after), value)) :
                ]
            case OpenPart.STRIDE:
                return range(1, LARGEST + 1)

    def allows(self, axis: int, padding: int, value: int) -> bool:
        """Return whether a padding is allowed; a pool's is at most half of its window."""
        extent = self.changed((value, value)).window.extent[axis]
        word = isinstance(self.layer.window.padding, PaddingWord)
        return word or not isinstance(self.layer, Pool) or padding <= extent // 2

    def first_beyond(self, axis: int) -> int:
        """Return the first value with which full padding is more than half of a pool's window: it spans more than 2."""
        return next(value for value in range(1, 4) if self.changed((value, value)).window.extent[axis] > 2)

    @property
    def grows(self) -> bool:
        """Whether a larger value leads to a larger size, or to the same."""
        return self.part is OpenPart.PADDING or (
            self.part is not OpenPart.STRIDE and self.layer.window.padding is PaddingWord.FULL
        )

    @property
    def goes_up_and_down(self) -> bool:
        """Whether sizes neither grow nor shrink with the value."""
        return self.layer.window.padding is PaddingWord.HALF and self.part in {OpenPart.KERNEL, OpenPart.DILATION}

    def is_endless(self, shape: Shape, target: Pair) -> bool:
        """Return whether there are solutions beyond all that are tried."""
        without_gaps = self.part is OpenPart.DILATION and self.layer.window.size == (1, 1)
        up_and_down = self.goes_up_and_down and any(
            self.output(axis, shape[axis], LARGEST - odd) == target[axis] for axis in (0, 1) for odd in (0, 1)
        )
        return (self.part is OpenPart.STRIDE and 1 in target) or without_gaps or up_and_down

    def changed(self, pair: Pair) -> Windowed:
        """Return the layer with the part changed; paddings are given by how many pixels they have in all."""
        window, (rows, columns) = self.layer.window, pair
        changes: dict[OpenPart, dict[str, object]] = {
            OpenPart.STRIDE: {"stride": pair},
            OpenPart.KERNEL: {"size": pair, "stride": pair if self.follows else window.stride},
            OpenPart.DILATION: {"dilation": pair},
            OpenPart.PADDING: {"padding": (rows // 2, columns // 2, rows - rows // 2, columns - columns // 2)},
        }
        return replace(self.layer, window=replace(window, **changes[self.part]))

    def fitting(self, pairs: Iterable[Pair], shape: Shape) -> Iterator[Layer]:
        """Yield the layers with these values that can take the input; a pool's padding can be too large for it."""
        for pair in pairs:
            candidate = self.changed(pair)
            with suppress(ShapeError):
                candidate.output(shape)
                yield candidate


def _around(outputs: list[Pair], target: int) -> list[int]:
    """Return the values that lead nearest to the target from below and from above, or to it."""
    below = max((pair for pair in outputs if pair[1] <= target), key=lambda pair: (pair[1], -pair[0]), default=None)
    above = min((pair for pair in outputs if pair[1] >= target), key=lambda pair: pair[::-1], default=None)
    ends = [below or above, above or below]
    return [end[0] for end in ends if end]
