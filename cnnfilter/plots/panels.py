"""A panel: values drawn as colors, gray or a map, with numbers in their cells where there is room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Array, Doubles
from cnnfilter.files.formats import Range
from cnnfilter.plots.displays import (
    MOST_MAPS,
    Display,
    Equalized,
    Look,
    display_view,
    display_weights,
    find_gap,
    show_end,
)
from cnnfilter.plots.papers import FRAME, INK, LEAST_POINTS, POINTS, Box, Paper
from cnnfilter.plots.scales import find_inks
from cnnfilter.plots.views import View

TITLE, TICKS, BELOW, BAR = 0.62, 0.52, 0.42, 0.75
"""Inches: above a panel, left of it and below it for its sizes, right of it for a color bar."""


_MOST_CELLS = 1024
"""So many numbers are written into cells."""


_LETTER = 0.62
"""The width of a digit in heights of its font, a little ample."""


def draw_panel(paper: Paper, box: Box, view: View, look: Look, title: str, spared: float = 0.0) -> Axes:
    """Draw a view under its title, with its sizes beside it, in a box that has room for all of this.

    Parameters
    ----------
    paper, box
        Where.
    view, look
        What, and how.
    title
        Its first line; the second one is the range of all values.
    spared
        Inches on the right that the title leaves free.

    Returns
    -------
    Axes
        Those of the values; behind them lies, where one is needed, a color bar.
    """
    inner = Box(box.left + TICKS, box.top + TITLE, box.width - TICKS - BAR, box.height - TITLE - BELOW)
    axes = _draw_vector(paper, inner, view) if len(view.shape) == 1 else _draw_maps(paper, inner, view, look)
    span = f"{show_end(view.low)} to {show_end(view.high)}{_remark(view, look)}"
    words = axes.set_title(f"{title}\n{view.size}, {span}", loc="left", fontsize=9, pad=5)
    paper.fit(words, box.width - TICKS - max(spared, 0.1))
    return axes


def _remark(view: View, look: Look) -> str:
    if len(view.shape) == 1:
        return ""
    if look.range_ not in {None, Range.NONE}:
        return f", shown by range {look.range_}"
    hidden = f", {MOST_MAPS} maps shown" if view.shape[2] > MOST_MAPS else ""
    return f"{display_view(view, look).remark}{', equalized' if look.equalize else ''}{hidden}"


def _draw_maps(paper: Paper, box: Box, view: View, look: Look) -> Axes:
    high, wide = paper.real(box)
    display = display_view(view, look, wide / high)
    ratio = display.pixels.shape[0] / display.pixels.shape[1]
    place = paper.square(box, ratio)
    axes = paper.axes(place)
    single = display.tiles == (1, 1)
    height, width = view.shape[:2] if single else display.pixels.shape[:2]
    image = draw_pixels(axes, display, (height, width))
    if display.bar:
        draw_bar(paper, place, image, display)
    if single:
        mark_sizes(axes, view.shape[0], view.shape[1])
    else:
        axes.set_axis_off()
        _outline(axes, view.values.shape, display)
        words = "red, green, blue: " if view.shape[2] == 3 and not view.matrix else ""
        label = f"{words}{min(view.shape[2], MOST_MAPS)} maps of {view.shape[0]}x{view.shape[1]}"
        axes.text(0, -0.02, label, transform=axes.transAxes, va="top", ha="left", fontsize=8)
    if display.pixels.ndim == 2:
        write_numbers(paper, place, axes, display, display.pixels)
    return axes


def _outline(axes: Axes, shape: Sequence[int], display: Display) -> None:
    """Draw a thin line around each map, so that white ones end somewhere."""
    height, width, count = shape[0], shape[1], min(shape[2], MOST_MAPS)
    gap = find_gap(height, width)
    for number in range(count):
        row, column = divmod(number, display.tiles[1])
        corner = column * (width + gap) - 0.5, row * (height + gap) - 0.5
        axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="#999999", linewidth=0.4))


def draw_pixels(axes: Axes, display: Display, size: tuple[int, int]) -> AxesImage:
    """Draw what a display shows in the coordinates of all (height, width) pixels, the first one at 0, 0."""
    extent = (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)
    return axes.imshow(display.pixels, display.colormap, norm=display.norm, extent=extent, aspect="auto")


def draw_bar(paper: Paper, place: Box, image: ScalarMappable, display: Display) -> Axes:
    """Draw the scale right of a box."""
    axes = paper.axes(Box(place.left + place.width + 0.08, place.top, 0.12, place.height))
    bar = paper.figure.colorbar(image, cax=axes, extend=display.extend)
    if isinstance(display.norm, Equalized):
        levels = [float(level) for level in dict.fromkeys(display.norm.inverse(np.linspace(0, 1, 5)))]
        bar.set_ticks(levels, labels=[show_short(level) for level in levels])
        bar.minorticks_off()
    bar.ax.tick_params(labelsize=7, width=0.5, length=2)
    bar.outline.set_linewidth(0.5)
    axes.set_label("scale")
    return axes


def mark_sizes(axes: Axes, height: int, width: int) -> None:
    """Write the sizes at the axes, and count some pixels from 0."""
    for axis, size, word in ((axes.xaxis, width, "width"), (axes.yaxis, height, "height")):
        axis.set_major_locator(MaxNLocator(5, integer=True, prune=None))
        if size <= 12:
            axis.set_ticks(range(size))
        axis.set_label_text(f"{word} {size}", fontsize=8)
        axis.labelpad = 1.5
    axes.tick_params(labelsize=7, width=0.5, length=2, pad=1.5)


def write_numbers(
    paper: Paper, place: Box, axes: Axes, display: Display, values: Array, words: Sequence[str] | None = None
) -> float:
    """Write each value into its cell if all fit, in letters that can be read, and return their size or 0.

    `words` stand for the values, row by row, where they are given.
    """
    rows, columns = values.shape
    if rows * columns > _MOST_CELLS or not np.isfinite(values).any():
        return 0.0
    written = words or ["" if np.isnan(value) else show_short(float(value)) for value in values.ravel()]
    points = number_points(paper, place, (rows, columns), written)
    if points < LEAST_POINTS:
        return 0.0
    inks = find_inks(ScalarMappable(display.norm, display.colormap), values)
    for (row, column), word, ink in zip(np.ndindex(rows, columns), written, inks, strict=True):
        if word:
            axes.text(column, row, word, ha="center", va="center", fontsize=points, color=ink)
    return points


def number_points(paper: Paper, place: Box, shape: tuple[int, int], words: Sequence[str]) -> float:
    """Return the size of letters in which words fit into the cells of a box, at most 13 points."""
    high, wide = paper.real(place)
    longest = max(map(len, words), default=1)
    return min(wide / shape[1] * POINTS * 0.9 / (_LETTER * max(longest, 2)), high / shape[0] * POINTS * 0.55, 13.0)


def show_short(number: float) -> str:
    """Return a number as a cell holds it, in three digits or as a whole number.

    Examples
    --------
    >>> show_short(0.12345), show_short(1234.5), show_short(320.0), show_short(1.5e9)
    ('0.123', '1234', '320', '1.5e+09')
    """
    number += 0.0  # -0 becomes 0
    return f"{number:.0f}" if abs(number) < 1e6 and (number.is_integer() or abs(number) >= 1000) else f"{number:.3g}"


def _draw_vector(paper: Paper, box: Box, view: View) -> Axes:
    """Draw a vector as bars, or as a line if it is long."""
    axes = paper.axes(box)
    places = np.arange(len(view.values))
    if len(places) <= MOST_MAPS:
        axes.bar(places, view.values, color="#4477aa")
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    else:
        axes.plot(places, view.values, color="#4477aa", linewidth=0.6)
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.tick_params(labelsize=7, width=0.5, length=2, pad=1.5)
    axes.set_xlabel(f"{len(places)} values", fontsize=8, labelpad=1.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def draw_inset(paper: Paper, box: Box, weights: Doubles) -> Axes:
    """Draw a kernel, small and without numbers, in the top right corner of a box."""
    display = display_weights(weights)
    place = paper.square(box, display.pixels.shape[0] / display.pixels.shape[1])
    axes = paper.axes(place._replace(left=box.left + box.width - place.width))
    draw_pixels(axes, display, (display.pixels.shape[0], display.pixels.shape[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_label("kernel")
    return axes


def frame_cells(axes: Axes, top: float, left: float, height: float, width: float) -> Rectangle:
    """Frame some cells."""
    frame = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=FRAME, linewidth=2.5, zorder=5)
    frame.set_clip_on(False)
    axes.add_patch(frame)
    return frame
