"""Which windows of a layer are animated, and which part of its input they see; nothing of matplotlib."""

from __future__ import annotations

from typing import NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import Pair, show_pair
from cnnfilter.nn.layers import Layer, Shape
from cnnfilter.nn.other_layers import GlobalPool

LARGEST, CROP = 32, 12
"""The largest input that is animated whole, and how much of a larger one is shown where windows are no larger."""

MOST_PADDED = 48
"""The largest side of what is shown, with its padding."""

_LEAST = 4
"""So many windows are shown along an axis, large ones too if they fit."""


class Excerpt(NamedTuple):
    """A part of an input, and the windows in it.

    Parameters
    ----------
    places
        The rows and the columns of the output whose windows these are.
    seen
        The rows and the columns of the input that are shown; below 0 and beyond the end is padding.
    """

    places: tuple[range, range]
    seen: tuple[range, range]

    @property
    def corner(self) -> Pair:
        """(row, column) of the first value of the output."""
        return self.places[0].start, self.places[1].start

    @property
    def size(self) -> Pair:
        """(height, width) of what is shown of the output."""
        return len(self.places[0]), len(self.places[1])

    def describe(self, shape: Shape) -> str:
        """Return which part of an input (H, W, C) is shown, or the empty string for all of it."""
        (top, bottom), (left, right) = (
            (max(span.start, 0), min(span.stop, size)) for span, size in zip(self.seen, shape[:2], strict=True)
        )
        if (bottom - top, right - left) == shape[:2]:
            return ""
        return f"rows {top} to {bottom - 1}, columns {left} to {right - 1} of {show_pair((shape[0], shape[1]))}"


def choose_excerpt(layer: Layer, shape: Shape, output: Shape, place: Pair | None) -> Excerpt:
    """Return all windows of a layer on a small input, or those around a place of the input.

    Parameters
    ----------
    layer
        A convolution or pool.
    shape, output
        (H, W, C) of what goes into it, and of what comes out.
    place
        (row, column) in the input.

    Raises
    ------
    ShapeError
        If the input is too large and no place is given, the place is outside, or windows are too large.
    """
    height, width = shape[:2]
    if place and (place[0] >= height or place[1] >= width):
        raise ShapeError(f"--around {place[0]},{place[1]} lies outside the input of {height}x{width}")
    whole = place is None or isinstance(layer, GlobalPool)
    if whole and max(height, width) > LARGEST:
        hint = (
            "a window that slides, such as --size 2, has parts that can be shown"
            if isinstance(layer, GlobalPool)
            else f"--around Y,X takes about {CROP}x{CROP} pixels around one"
        )
        raise ShapeError(f"{height}x{width} is too large to animate, which goes up to {LARGEST}x{LARGEST}; {hint}")
    rows, columns = (_choose(layer, shape, output[axis], axis, None if whole else place) for axis in (0, 1))
    excerpt = Excerpt((rows[0], columns[0]), (rows[1], columns[1]))
    sides = len(excerpt.seen[0]), len(excerpt.seen[1])
    if max(*sides, *excerpt.size) > MOST_PADDED:
        what = f"an input of {show_pair(sides)} with its padding" if whole else f"a window of {show_pair(sides)}"
        raise ShapeError(f"{what} is too large to animate, which goes up to {MOST_PADDED}x{MOST_PADDED}")
    return excerpt


def _choose(layer: Layer, shape: Shape, count: int, axis: int, place: Pair | None) -> tuple[range, range]:
    """Return which of `count` windows along an axis are animated, and what is shown of the input."""
    size = shape[axis]
    if isinstance(layer, GlobalPool):
        return range(1), range(size)
    before, after, stride, extent = 0, 0, 1, 1
    if window := getattr(layer, "window", None):
        pads = window.pads(shape[0], shape[1])
        before, after, stride, extent = pads[axis], pads[axis + 2], window.stride[axis], window.extent[axis]
    if place is None:
        return range(count), range(-before, max(size + after, (count - 1) * stride - before + extent))
    nearest = min(max(round((place[axis] + before - (extent - 1) / 2) / stride), 0), count - 1)
    fitting = min(max((CROP - extent) // stride + 1, _LEAST), max((MOST_PADDED - extent) // stride + 1, 1), count)
    first = min(max(0, nearest - fitting // 2), count - fitting)
    places = range(first, first + fitting)
    return places, range(first * stride - before, places[-1] * stride - before + extent)
