"""Panels: a view of values under its title, with its sizes, its scale, its numbers, and the kernel that made it."""

from __future__ import annotations

from itertools import islice
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, LogNorm, to_rgba
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Array, Doubles
from cnnfilter.io.formats import Range
from cnnfilter.nn.geometry import Pair
from cnnfilter.numbers import show_digits, show_short
from cnnfilter.plot.cells import write_numbers
from cnnfilter.plot.sheet import FRAME, INK, POINTS, TICK_POINTS, Box, Paper
from cnnfilter.plot.view import MOST_MAPS, Display, Look, View, display_view, display_weights, show_end

TITLE, TICKS, BELOW, BAR = 0.62, 0.52, 0.42, 0.75
"""Inches: above a panel, left of it and below it for its sizes, right of it for a color bar."""

LETTER = 0.62
"""The width of a digit in heights of its font, with some room to spare."""

_BLUE = "#4477aa"

_ODD_COLORS = np.array([[0, 0, 0, 0], to_rgba("#f0e442"), to_rgba("#009e73")])
"""Of nothing, nan, infinite: colors that no map of ours has, and that all eyes distinguish (Okabe and Ito, 2008)."""


class Mark(NamedTuple):
    """A rectangle of pixels from a row and a column on, or where it has no size a point."""

    row: float
    column: float
    height: int = 0
    width: int = 0


def draw_panel(
    paper: Paper,
    box: Box,
    view: View,
    look: Look,
    title: str,
    kernel: Doubles | None = None,
    first: Pair | None = None,
) -> Axes:
    """Draw a view in a box with its sizes, scale and title, and the weights of a `kernel` small at the corner.

    Rows and columns that are shifts are numbered from `first` on. Return the axes of the view.
    """
    inner = Box(box.left + TICKS, box.top + TITLE, box.width - TICKS - BAR, box.height - TITLE - BELOW)
    if len(view.shape) == 1:
        axes, place, captions = _draw_vector(paper, inner, view), inner, list[str]()
    else:
        axes, place, captions = _draw_maps(paper, inner, view, look, first)
    end = box.left + box.width - 0.1
    if kernel is not None:
        end = min(end, _place_kernel(paper, inner, place, display_weights(kernel)) - 0.08)
    span = [f"{show_end(view.low)} to {show_end(view.high)}"] if sum(view.odd) < prod(view.shape) else []
    odd = [f"{count} {what}" for count, what in zip(view.odd, ("nan (yellow)", "inf (green)"), strict=True) if count]
    paper.title(axes, title, [view.size, *span, *odd, *captions], (TITLE - 0.08, end - place.left), gap=5)
    return axes


def _draw_maps(paper: Paper, box: Box, view: View, look: Look, first: Pair | None) -> tuple[Axes, Box, list[str]]:
    """Draw maps in a box, and return their axes, the place they took, and what is to be said of how they are shown."""
    high, wide = paper.real(box)
    display = display_view(view, look, wide / high)
    rows, columns = display.pixels.shape[:2]
    place = paper.square(box, rows / columns)
    axes = paper.axes(place)
    single = display.tiles == (1, 1)
    height, width = view.shape[:2] if single else (rows, columns)
    image = draw_pixels(axes, display, (height, width), first or (0, 0))
    if display.bar:
        draw_bar(paper, place, image, display.extend)
    count = min(view.shape[2], MOST_MAPS)
    if single:
        mark_sizes(paper, place, axes, (height, width), first)
    else:
        axes.set_axis_off()
        for top, left, tall, broad in islice(display.places(), count):  # so that the edges of white maps can be seen
            line = Rectangle((left - 0.5, top - 0.5), broad, tall, fill=False, edgecolor="#999999", linewidth=0.4)
            axes.add_patch(line).set_clip_on(False)  # half of it lies beyond the last cells
        words = "red, green, blue: " if view.shape[2] == 3 and not view.matrix else ""
        label = f"{words}{count} maps of {view.shape[0]}x{view.shape[1]}"
        axes.text(0, -0.02, label, transform=axes.transAxes, va="top", ha="left", fontsize=8 * paper.zoom)
    note = write_numbers(axes, paper.zoom, display, first or (0, 0)) if display.pixels.ndim == 2 else None
    if look.range_ not in {None, Range.NONE} and not view.given:
        said = [f"shown by range {look.range_}"]
    else:
        hidden = f"{MOST_MAPS} maps shown" if view.shape[2] > MOST_MAPS else ""
        said = [display.caption, "equalized" if look.equalize else "", hidden]
    return axes, place, list(filter(None, (*said, note)))


def _draw_vector(paper: Paper, box: Box, view: View) -> Axes:
    """Draw a vector as bars, or as thin lines from 0 if it is long; of many side by side those that reach farthest."""
    axes = paper.axes(box)
    count, wide = len(view.values), paper.real(box)[1]
    if count <= MOST_MAPS:
        axes.bar(np.arange(count), view.values, color=_BLUE)
    else:
        starts = np.arange(0, count, ceil(count / 1000))  # more would be drawn over each other
        finite = np.nan_to_num(view.values, nan=0.0, posinf=view.high, neginf=view.low)
        lows, highs = np.minimum.reduceat(finite, starts), np.maximum.reduceat(finite, starts)
        thick = min(1.0, max(0.5, wide * POINTS / len(starts)))
        axes.vlines(starts, np.minimum(lows, 0), np.maximum(highs, 0), color=_BLUE, linewidth=thick)
    axes.axhline(0, color=INK, linewidth=0.5 * paper.zoom)
    axes.set_xticks(_choose_ticks(paper, count, wide, across=True))
    axes.yaxis.set_major_formatter(show_level)
    axes.set_xlabel(f"{count} values")
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def draw_pixels(axes: Axes, display: Display, size: Pair, first: Pair = (0, 0)) -> AxesImage:
    """Draw what a display shows in the coordinates of all (height, width) pixels, the first one at (row, column)."""
    extent = (first[1] - 0.5, first[1] + size[1] - 0.5, first[0] + size[0] - 0.5, first[0] - 0.5)
    pixels, hidden = display.pixels, display.hidden
    if hidden is not None:
        pixels = np.ma.masked_where(hidden, pixels)
    image = axes.imshow(pixels, display.colormap, norm=display.norm, extent=extent, aspect="auto")
    if hidden is not None or pixels.shape[2:] == (4,):
        below = np.ones(pixels.shape[:2], bool) if hidden is None else hidden
        axes.imshow(_checker(below), extent=extent, aspect="auto", zorder=-1)
    if display.odd is not None:
        axes.imshow(_ODD_COLORS[display.odd.astype(int)], extent=extent, aspect="auto")
    return image


def _checker(where: Array) -> Doubles:
    """Return the squares, white and light gray, that are seen where an image is transparent: (h, w, 4)."""
    height, width = where.shape
    side = max(1, max(height, width) // 32)
    squares = np.add.outer(np.arange(height) // side, np.arange(width) // side) % 2
    return np.dstack([np.repeat(1 - 0.2 * squares[:, :, None], 3, axis=2), where])


def show_level(level: float, _: object = None) -> str:
    """Return a level at an axis, without what rounding adds to it."""
    return show_digits(0.0 if abs(level) < 1e-12 else level, 6, whole=1e6)


def draw_bar(paper: Paper, place: Box, image: ScalarMappable, extend: str = "neither", label: str = "") -> None:
    """Draw the scale right of a box."""
    axes = paper.axes(Box(place.left + place.width + 0.08, place.top, 0.12, place.height))
    bar = paper.figure.colorbar(image, cax=axes, extend=extend, label=label)
    words = [show_digits(level, 6, whole=1e6) for level in _choose_levels(paper, place, image)]
    levels = [float(word) for word in words]
    bar.set_ticks(levels, labels=words)
    bar.minorticks_off()
    shares = np.asarray(image.norm(np.array(levels)), np.float64).tolist()
    for text, share in zip(axes.get_yticklabels(), shares, strict=True):
        text.set_verticalalignment("bottom" if share < 0.02 else "top" if share > 0.98 else "center_baseline")
    bar.outline.set_linewidth(0.5 * paper.zoom)
    axes.set_label("scale")


def _choose_levels(paper: Paper, place: Box, image: ScalarMappable) -> list[float]:
    """Return the levels of a scale that are named."""
    norm, count = image.norm, max(2, min(9, int(paper.real(place)[0] / (0.25 * paper.zoom))))
    low, high = (float(np.asarray(end)) for end in (norm.vmin, norm.vmax))
    if isinstance(norm, FuncNorm):
        shares = np.linspace(0, 1, min(count, 5))[1:-1]
        return list(dict.fromkeys(float(show_short(level)) for level in (low, *norm.inverse(shares).tolist(), high)))
    if isinstance(norm, LogNorm):
        return [high / 10**power for power in range(5) if high / 10**power >= low * 0.999]
    slack = 1e-6 * (high - low)
    levels = np.asarray(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)).tolist()
    return [0.0 if abs(level) < slack else level for level in levels if low - slack <= level <= high + slack]


def mark_sizes(paper: Paper, place: Box, axes: Axes, size: Pair, first: Pair | None = None) -> None:
    """Write the (height, width) at the axes, and number some pixels from 0, or shifts from `first` on."""
    rooms, words = paper.real(place), ("height {}", "width {}") if first is None else ("dy, {} shifts", "dx, {} shifts")
    axes_of = zip((axes.yaxis, axes.xaxis), size, words, rooms, first or (0, 0), strict=True)
    for axis, count, word, room, start in axes_of:
        ticks = _choose_ticks(paper, count, room, across=axis is axes.xaxis, first=start)
        axis.set_ticks(ticks, labels=list(map(str, ticks)))
        axis.set_label_text(word.format(count))
    label = axes.yaxis.label
    if len(label.get_text()) * LETTER * float(label.get_fontsize()) / POINTS > rooms[0]:
        # The height is written flat, in place of the rows' numbers: the panel is not as high as its words are long.
        label.set_text(label.get_text().replace(" ", "\n"))
        label.set(rotation=0, ha="right", va="center")
        axes.set_yticks([])


def _choose_ticks(paper: Paper, count: int, room: float, *, across: bool, first: int = 0) -> list[int]:
    """Return the pixels numbered at an axis of so many inches: all of up to 12 if they fit, or each 2nd, 5th, 10th."""
    longest = max(len(str(first)), len(str(first + count - 1)))
    needed = TICK_POINTS * paper.zoom / POINTS * (LETTER * (longest + 1) if across else 1.5)
    most = max(1, min(12 if count <= 12 else 6, int(room / needed)))
    steps = (digit * 10**power for power in range(10) for digit in (1, 2, 5))
    step = next(step for step in steps if ceil(count / step) <= most or step >= count)
    return list(range(-(-first // step) * step, first + count, step))


def draw_mark(axes: Axes, zoom: float, mark: Mark) -> None:
    """Draw a frame around some pixels, or a circle around a single point."""
    style: dict[str, Any] = {"edgecolor": FRAME, "linewidth": 1.5 * zoom}
    if mark.height and mark.width:
        corner = mark.column - 0.5, mark.row - 0.5
        axes.add_patch(Rectangle(corner, mark.width, mark.height, fill=False, **style))
    else:
        axes.scatter([mark.column], [mark.row], s=(9 * zoom) ** 2, facecolor="none", clip_on=False, **style)


def _place_kernel(paper: Paper, inner: Box, place: Box, display: Display) -> float:
    """Draw a kernel beside its panel, which took `place` of `inner`, or above it, and return where the title ends."""
    corner = Box(0.0, place.top - 0.06 - 0.5, 1.2, 0.5)  # the most that a kernel takes above a panel
    size = paper.square(corner, display.pixels.shape[0] / display.pixels.shape[1])
    right = place.left + place.width
    if inner.width - place.width > size.width + 0.1:
        _draw_kernel(paper, size._replace(left=right + BAR, top=place.top), display)
        return inner.left + inner.width + BAR
    _draw_kernel(paper, size._replace(left=right - size.width), display)
    return right - size.width


def _draw_kernel(paper: Paper, box: Box, display: Display) -> None:
    """Draw a kernel, small, each slice with an outline of half a point; cells are whole pixels where they can be."""
    rows, columns = display.pixels.shape
    snapped = paper.snap(box, (rows, columns))
    axes = paper.axes(snapped)
    draw_pixels(axes, display, (rows, columns)).set_interpolation("nearest")
    dots = max(1, round(0.5 * paper.zoom * paper.figure.dpi / POINTS))
    half = dots / 2 * columns / (paper.real(snapped)[1] * paper.figure.dpi)  # outside of the cells, on all sides alike
    large = max(paper.real(box)) * POINTS / max(rows, columns) > 2.5  # points, of a cell with lines around it
    for row, column, height, width in display.places():
        top, left = row - 0.5, column - 0.5
        if large:
            style: dict[str, Any] = {"colors": "#bbbbbb", "linewidth": 0.4 * paper.zoom}
            axes.hlines(top + np.arange(1, height), left, left + width, **style)
            axes.vlines(left + np.arange(1, width), top, top + height, **style)
        outline = Rectangle((left - half, top - half), width + 2 * half, height + 2 * half, fill=False, edgecolor=INK)
        outline.set(linewidth=dots * POINTS / paper.figure.dpi, snap=False, clip_on=False, joinstyle="miter")
        axes.add_patch(outline)
    axes.set_axis_off()
    axes.set_label("kernel")
