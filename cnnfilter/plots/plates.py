"""A plate: a view of values under its title, with its sizes, its scale, and the kernel that made it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Doubles
from cnnfilter.files.formats import Range
from cnnfilter.numbers import show_short
from cnnfilter.plots.displays import MOST_MAPS, Display, Look, display_view, find_gap, show_end
from cnnfilter.plots.insets import place_inset
from cnnfilter.plots.marks import choose_ticks, draw_bar, mark_axes, mark_sizes
from cnnfilter.plots.panels import draw_pixels, write_numbers
from cnnfilter.plots.papers import INK, POINTS, Box, Paper
from cnnfilter.plots.views import View

TITLE, TICKS, BELOW, BAR = 0.62, 0.52, 0.42, 0.75
"""Inches: above a panel, left of it and below it for its sizes, right of it for a color bar."""

_MOST_LINES = 1000
"""More of them side by side would be drawn over each other."""

_BLUE = "#4477aa"

_ODD_WORDS = "nan (yellow)", "inf (green)"


def draw_plate(paper: Paper, box: Box, view: View, look: Look, title: str, kernel: Doubles | None = None) -> Axes:
    """Draw a view under its title, with its sizes beside it, in a box that has room for all of this.

    Parameters
    ----------
    paper, box
        Where.
    view, look
        What, and how.
    title
        Its first line; below it stand the size and the range of all values.
    kernel
        Weights that are drawn small at the corner of the panel.

    Returns
    -------
    Axes
        Those of the values; behind them lies, where one is needed, a color bar.
    """
    inner = Box(box.left + TICKS, box.top + TITLE, box.width - TICKS - BAR, box.height - TITLE - BELOW)
    if len(view.shape) == 1:
        axes, place, remark = _draw_vector(paper, inner, view), inner, ""
    else:
        axes, place, remark = _draw_maps(paper, inner, view, look)
    end = box.left + box.width - 0.1
    if kernel is not None:
        end = min(end, place_inset(paper, inner, place, BAR, kernel) - 0.08)
    words = axes.set_title(" ", loc="left", fontsize=9 * paper.zoom, pad=5 * paper.zoom)
    span = [f"{show_end(view.low)} to {show_end(view.high)}"] if sum(view.odd) < prod(view.shape) else []
    facts = [view.size, *span, *_remarks(view, look, remark)]
    paper.break_lines(words, title, facts, (TITLE - 0.08, end - place.left))
    return axes


def _remarks(view: View, look: Look, remark: str) -> list[str]:
    """Return what else is to be said of a view that is drawn, beside what its display has to say."""
    odd = [f"{count} {words}" for count, words in zip(view.odd, _ODD_WORDS, strict=True) if count]
    if len(view.shape) == 1:
        return odd
    if look.range_ not in {None, Range.NONE} and not view.given:
        return [*odd, f"shown by range {look.range_}"]
    hidden = f"{MOST_MAPS} maps shown" if view.shape[2] > MOST_MAPS else ""
    return [*odd, *filter(None, (remark, "equalized" if look.equalize else "", hidden))]


def _draw_maps(paper: Paper, box: Box, view: View, look: Look) -> tuple[Axes, Box, str]:
    """Draw maps in a box, and return their axes, the place they took, and what their display has to say."""
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
        mark_sizes(paper, place, axes, (height, width))
    else:
        axes.set_axis_off()
        _outline(axes, view.values.shape, display)
        words = "red, green, blue: " if view.shape[2] == 3 and not view.matrix else ""
        label = f"{words}{min(view.shape[2], MOST_MAPS)} maps of {view.shape[0]}x{view.shape[1]}"
        axes.text(0, -0.02, label, transform=axes.transAxes, va="top", ha="left", fontsize=8 * paper.zoom)
    if display.pixels.ndim == 2:
        write_numbers(paper, place, axes, display, display.pixels)
    return axes, place, display.remark


def _outline(axes: Axes, shape: Sequence[int], display: Display) -> None:
    """Draw a thin line around each map, so that white ones end somewhere."""
    height, width, count = shape[0], shape[1], min(shape[2], MOST_MAPS)
    gap = find_gap(height, width)
    for number in range(count):
        row, column = divmod(number, display.tiles[1])
        corner = column * (width + gap) - 0.5, row * (height + gap) - 0.5
        line = axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="#999999", linewidth=0.4))
        line.set_clip_on(False)  # half of it lies beyond the last cells


def _draw_vector(paper: Paper, box: Box, view: View) -> Axes:
    """Draw a vector as bars, or as thin lines from 0 if it is long; of many side by side those that reach farthest."""
    axes = paper.axes(box)
    count = len(view.values)
    if count <= MOST_MAPS:
        axes.bar(np.arange(count), view.values, color=_BLUE)
    else:
        starts = np.arange(0, count, ceil(count / _MOST_LINES))
        finite = np.nan_to_num(view.values, nan=0.0, posinf=view.high, neginf=view.low)
        lows, highs = np.minimum.reduceat(finite, starts), np.maximum.reduceat(finite, starts)
        width = min(1.0, max(0.5, paper.real(box)[1] * POINTS / len(starts)))
        axes.vlines(starts, np.minimum(lows, 0), np.maximum(highs, 0), color=_BLUE, linewidth=width)
    axes.axhline(0, color=INK, linewidth=0.5 * paper.zoom)
    axes.set_xticks(choose_ticks(paper, count, paper.real(box)[1], across=True))
    axes.yaxis.set_major_formatter(lambda level, _: show_short(level))
    axes.set_xlabel(f"{count} values", fontsize=8 * paper.zoom, labelpad=1.5 * paper.zoom)
    mark_axes(paper, axes)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
