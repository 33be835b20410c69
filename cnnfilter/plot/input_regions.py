"""Regions of an input: what one unit of each layer sees, and what of it is animated; nothing of matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor
from typing import NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.nn.fields import Along, Field
from cnnfilter.nn.geometry import Pair, Window, show_pair
from cnnfilter.nn.layers import Layer, Shape
from cnnfilter.nn.network import Visit
from cnnfilter.nn.other_layers import GlobalPool

LARGEST, CROP, MOST_PADDED = 32, 12, 48
"""The largest side of an input that is animated whole, of what is shown of a larger one, unless windows are larger,
and of what is shown with its padding."""

_LEAST = 4
"""So many windows are shown along an axis, large ones too if they fit."""


class Frame(NamedTuple):
    """What a unit sees: `names` are the layers whose unit it is, more than one where they see the same.

    `output` is the (height, width) of what comes out of them, `unit` the (row, column) in it, and `field` what `shape`
    reports: the receptive field of the first unit.
    """

    names: tuple[str, ...]
    output: Pair
    unit: Pair
    field: Field

    @property
    def rows(self) -> Pair:
        """The first and the last row that the unit sees; below 0 and beyond the end lies padding."""
        return _seen(self.field, self.unit, 0)

    @property
    def columns(self) -> Pair:
        """The first and the last column that the unit sees."""
        return _seen(self.field, self.unit, 1)


class Frames(NamedTuple):
    """The frames in the order of the last of their layers, and the names of layers that see the whole input."""

    frames: tuple[Frame, ...]
    whole: tuple[str, ...]


def _seen(field: Field, unit: Pair, axis: int) -> Pair:
    span = field[axis].span(unit[axis])
    if span is None:
        raise ShapeError(f"unit {unit[0]},{unit[1]} sees no pixel of the input")
    return span


def find_frames(visits: Iterable[Visit], unit: Pair | None = None) -> Frames:
    """Return what one unit of each layer sees: frames that lie in each other, as far as padding lets them.

    The unit is that at a (row, column) of the last layer that sees a part of the input, the middle one unless given;
    in each layer before, it is the one whose field has its middle nearest to the middle of the last one's.
    """
    visits = list(visits)
    partial = [(visit, field) for visit in visits if (field := visit.outputs.field)]
    if not partial:
        raise ShapeError("no layer sees a part of the input, so there is no receptive field to draw")
    middle = _middle(*partial[-1], unit)
    found: dict[tuple[Pair, Field], list[str]] = {}
    for visit, field in partial:
        height, width = visit.outputs.shape[:2]
        key = (height, width), field
        found[key] = [*found.pop(key, []), visit.node.name]  # what meets at a block's end stands behind its branches
    frames = [Frame(tuple(names), size, _nearest(field, size, middle), field) for (size, field), names in found.items()]
    return Frames(tuple(frames), tuple(visit.node.name for visit in visits if visit.outputs.field is None))


def _middle(last: Visit, field: Field, unit: Pair | None) -> tuple[float, float]:
    """Return the middle of what a unit of the last layer sees, (row, column)."""
    height, width = last.outputs.shape[:2]
    row, column = unit or (height // 2, width // 2)
    if not (0 <= row < height and 0 <= column < width):
        raise ShapeError(
            f"--unit {row},{column}: {last.node.name}, the last layer with a receptive field, gives "
            f"{show_pair((height, width))}: rows 0 to {height - 1}, columns 0 to {width - 1}"
        )
    return sum(_seen(field, (row, column), 0)) / 2, sum(_seen(field, (row, column), 1)) / 2


def _nearest(field: Field, size: Pair, middle: Sequence[float]) -> Pair:
    """Return the unit whose field has its middle nearest to a place."""
    row, column = (_nearest_along(*of_axis) for of_axis in zip(field, size, middle, strict=True))
    return row, column


def _nearest_along(along: Along, count: int, middle: float) -> int:
    """Return which of the values along an axis has its middle nearest to a place, the last of several."""
    known = [(place, sum(span) / 2) for place, span in enumerate(along.spans[:count]) if span]
    around = [
        min(max(floor((middle - own) / along.step + 0.5), 0), (count - 1 - place) // len(along.spans))
        for place, own in known
    ]
    ends = [
        (abs(own + times * along.step - middle), -(place + times * len(along.spans)))
        for times, (place, own) in zip(around, known, strict=True)
    ]
    return -min(ends)[1]


class Excerpt(NamedTuple):
    """The rows and the columns of an output whose windows are shown, and those of the input that are `seen`.

    Of the input, what is below 0 and beyond the end is padding.
    """

    places: tuple[range, range]
    seen: tuple[range, range]

    def describe(self, shape: Shape) -> str:
        """Return which part of an input (H, W, C) is shown, or the empty string for all of it."""
        (top, bottom), (left, right) = (
            (max(span.start, 0), min(span.stop, size)) for span, size in zip(self.seen, shape[:2], strict=True)
        )
        if (bottom - top, right - left) == shape[:2]:
            return ""
        return f"rows {top} to {bottom - 1}, columns {left} to {right - 1} of {show_pair((shape[0], shape[1]))}"


def choose_excerpt(layer: Layer, shape: Shape, output: Shape, place: Pair | None) -> Excerpt:
    """Return all windows of a layer on a small input, or those around a (row, column); too large is a `ShapeError`."""
    height, width = shape[:2]
    if place and (place[0] >= height or place[1] >= width):
        raise ShapeError(f"--around {place[0]},{place[1]} is outside the input of {height}x{width}")
    whole = place is None or isinstance(layer, GlobalPool)
    if whole and max(height, width) > LARGEST:
        hint = (
            "a window that slides, such as --size 2, has parts that can be shown"
            if isinstance(layer, GlobalPool)
            else f"--around Y,X takes about {CROP}x{CROP} pixels around one"
        )
        raise ShapeError(f"{height}x{width} is too large to animate, which goes up to {LARGEST}x{LARGEST}; {hint}")
    rows, columns = (_choose(layer, shape, output[axis], axis, None if whole else place) for axis in (0, 1))
    sides = len(rows[1]), len(columns[1])
    if max(*sides, len(rows[0]), len(columns[0])) > MOST_PADDED:
        what = f"an input of {show_pair(sides)} with its padding" if whole else f"a window of {show_pair(sides)}"
        raise ShapeError(f"{what} is too large to animate, which goes up to {MOST_PADDED}x{MOST_PADDED}")
    return Excerpt((rows[0], columns[0]), (rows[1], columns[1]))


def _choose(layer: Layer, shape: Shape, count: int, axis: int, place: Pair | None) -> tuple[range, range]:
    """Return which of `count` windows along an axis are animated, and what is shown of the input."""
    whole = Window((shape[0], shape[1]) if isinstance(layer, GlobalPool) else (1, 1))
    window: Window = getattr(layer, "window", whole)
    pads, stride, extent = window.pads(shape[0], shape[1]), window.stride[axis], window.extent[axis]
    size, before, after = shape[axis], pads[axis], pads[axis + 2]
    if place is None:
        return range(count), range(-before, max(size + after, (count - 1) * stride - before + extent))
    nearest = min(max(round((place[axis] + before - (extent - 1) / 2) / stride), 0), count - 1)
    fitting = min(max((CROP - extent) // stride + 1, _LEAST), max((MOST_PADDED - extent) // stride + 1, 1), count)
    first = min(max(0, nearest - fitting // 2), count - fitting)
    places = range(first, first + fitting)
    return places, range(first * stride - before, places[-1] * stride - before + extent)
