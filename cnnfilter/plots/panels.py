"""A panel: values drawn as colors, gray or a map, with numbers in their cells where there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import floor, isfinite, isnan, log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgba
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Array, Doubles
from cnnfilter.numbers import show_places, show_short
from cnnfilter.plots.displays import Display
from cnnfilter.plots.papers import FRAME, LEAST_POINTS, POINTS, Box, Paper
from cnnfilter.plots.scales import find_inks

_MOST_CELLS = 1024
"""So many numbers are written into cells."""

LETTER = 0.62
"""The width of a digit in heights of its font, a little ample."""

_ODD_COLORS = np.array([[0, 0, 0, 0], to_rgba("#f0e442"), to_rgba("#009e73")])
"""Of nothing, of what is no number, of what is infinite: yellow and green that no map of ours has, and that all eyes
tell apart (M. Okabe, K. Ito, 2008)."""


def draw_pixels(axes: Axes, display: Display, size: tuple[int, int]) -> AxesImage:
    """Draw what a display shows in the coordinates of all (height, width) pixels, the first one at 0, 0."""
    extent = (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)
    pixels = display.pixels
    if display.hidden is not None:
        pixels = np.ma.masked_where(display.hidden, pixels)
    image = axes.imshow(pixels, display.colormap, norm=display.norm, extent=extent, aspect="auto")
    if display.hidden is not None or pixels.shape[2:] == (4,):
        below = np.ones(pixels.shape[:2], bool) if display.hidden is None else display.hidden
        axes.imshow(_checker(below), extent=extent, aspect="auto", zorder=-1)
    if display.odd is not None:
        axes.imshow(_ODD_COLORS[display.odd.astype(int)], extent=extent, aspect="auto")
    return image


def _checker(where: Array) -> Doubles:
    """Return the squares, white and light gray, on which a picture lies where it is transparent: (h, w, 4)."""
    height, width = where.shape
    side = max(1, max(height, width) // 32)
    squares = np.add.outer(np.arange(height) // side, np.arange(width) // side) % 2
    return np.dstack([np.repeat(1 - 0.2 * squares[:, :, None], 3, axis=2), where])


def write_numbers(
    paper: Paper, place: Box, axes: Axes, display: Display, values: Array, words: Sequence[str] | None = None
) -> float:
    """Write each value into its cell if all fit, in letters that can be read, and return their size or 0.

    `words` stand for the values, row by row, where they are given; else digits are left out until they fit.
    """
    rows, columns = values.shape
    odd = np.zeros(values.size) if display.odd is None else display.odd.ravel()
    if rows * columns > _MOST_CELLS or not (np.isfinite(values).any() or odd.any()):
        return 0.0
    for written in [words] if words else _ways_to_write(values, odd):
        points = number_points(paper, place, (rows, columns), written)
        if points >= LEAST_POINTS * paper.zoom:
            break
    else:
        return 0.0
    inks = find_inks(ScalarMappable(display.norm, display.colormap), values)
    for (row, column), word, ink, is_odd in zip(np.ndindex(rows, columns), written, inks, odd, strict=True):
        if word:
            axes.text(column, row, word, ha="center", va="center", fontsize=points, color="black" if is_odd else ink)
    return points


def _ways_to_write(values: Array, odd: Array) -> Iterator[list[str]]:
    """Yield the texts of cells: up to three digits each, then as many places as give the greatest three, two, one.

    What is no number is written where it is odd: cells between maps are none.
    """
    numbers = [float(value) for value in values.ravel()]
    others = [_show_odd(number) if is_odd else "" for number, is_odd in zip(numbers, odd, strict=True)]

    def write(show: Callable[[float], str]) -> list[str]:
        return [show(number) if isfinite(number) else other for number, other in zip(numbers, others, strict=True)]

    yield write(show_short)
    greatest = max((abs(number) for number in numbers if isfinite(number)), default=0.0)
    whole = floor(log10(greatest)) if greatest else 0
    for digits in (3, 2, 1):
        if 0 < (places := digits - 1 - whole) <= 4:
            yield write(partial(show_places, places=places))


def number_points(paper: Paper, place: Box, shape: tuple[int, int], words: Sequence[str]) -> float:
    """Return the size of letters in which words fit into the cells of a box, at most 13 points."""
    high, wide = paper.real(place)
    longest = max(map(len, words), default=1)
    points = min(wide / shape[1] * POINTS * 0.8 / (LETTER * max(longest, 2)), high / shape[0] * POINTS * 0.55)
    return min(points, 13.0 * paper.zoom)


def _show_odd(number: float) -> str:
    """Return nan, inf or -inf."""
    return "nan" if isnan(number) else "inf" if number > 0 else "-inf"


def frame_cells(axes: Axes, top: float, left: float, height: float, width: float) -> Rectangle:
    """Frame some cells."""
    frame = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=FRAME, linewidth=2.5, zorder=5)
    frame.set_clip_on(False)
    axes.add_patch(frame)
    return frame
