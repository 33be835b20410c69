"""Panels: a view of values under its title, with its sizes, its scale, its numbers, and the kernel that made it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import ceil, floor, isfinite, log10, prod
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, to_rgba
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Array, Doubles
from cnnfilter.io.formats import Range
from cnnfilter.nn.geometry import Pair
from cnnfilter.numbers import show_places, show_short
from cnnfilter.plot.sheet import INK, LEAST_POINTS, POINTS, TICK_POINTS, Box, Paper
from cnnfilter.plot.view import MOST_MAPS, Display, Look, View, display_view, display_weights, show_end

TITLE, TICKS, BELOW, BAR = 0.62, 0.52, 0.42, 0.75
"""Inches: above a panel, left of it and below it for its sizes, right of it for a color bar."""

LETTER = 0.62
"""The width of a digit in heights of its font, with some room to spare."""

_BLUE = "#4477aa"

_ODD_COLORS = np.array([[0, 0, 0, 0], to_rgba("#f0e442"), to_rgba("#009e73")])
"""Of nothing, nan, infinite: colors that no map of ours has, and that all eyes distinguish (Okabe and Ito, 2008)."""


def draw_panel(paper: Paper, box: Box, view: View, look: Look, title: str, kernel: Doubles | None = None) -> None:
    """Draw a view in a box with its sizes, scale and title, and the weights of a `kernel` small at the corner."""
    inner = Box(box.left + TICKS, box.top + TITLE, box.width - TICKS - BAR, box.height - TITLE - BELOW)
    if len(view.shape) == 1:
        axes, place, captions = _draw_vector(paper, inner, view), inner, list[str]()
    else:
        axes, place, captions = _draw_maps(paper, inner, view, look)
    end = box.left + box.width - 0.1
    if kernel is not None:
        end = min(end, _place_kernel(paper, inner, place, display_weights(kernel)) - 0.08)
    words = axes.set_title(" ", loc="left", fontsize=9 * paper.zoom, pad=5 * paper.zoom)
    span = [f"{show_end(view.low)} to {show_end(view.high)}"] if sum(view.odd) < prod(view.shape) else []
    odd = [f"{count} {what}" for count, what in zip(view.odd, ("nan (yellow)", "inf (green)"), strict=True) if count]
    paper.break_lines(words, title, [view.size, *span, *odd, *captions], (TITLE - 0.08, end - place.left))


def _draw_maps(paper: Paper, box: Box, view: View, look: Look) -> tuple[Axes, Box, list[str]]:
    """Draw maps in a box, and return their axes, the place they took, and what is to be said of how they are shown."""
    high, wide = paper.real(box)
    display = display_view(view, look, wide / high)
    rows, columns = display.pixels.shape[:2]
    place = paper.square(box, rows / columns)
    axes = paper.axes(place)
    single = display.tiles == (1, 1)
    height, width = view.shape[:2] if single else (rows, columns)
    image = draw_pixels(axes, display, (height, width))
    if display.bar:
        _draw_bar(paper, place, image, display)
    count = min(view.shape[2], MOST_MAPS)
    if single:
        _mark_sizes(paper, place, axes, (height, width))
    else:
        axes.set_axis_off()
        for top, left, tall, broad in islice(display.places(), count):  # so that the edges of white maps can be seen
            line = Rectangle((left - 0.5, top - 0.5), broad, tall, fill=False, edgecolor="#999999", linewidth=0.4)
            axes.add_patch(line).set_clip_on(False)  # half of it lies beyond the last cells
        words = "red, green, blue: " if view.shape[2] == 3 and not view.matrix else ""
        label = f"{words}{count} maps of {view.shape[0]}x{view.shape[1]}"
        axes.text(0, -0.02, label, transform=axes.transAxes, va="top", ha="left", fontsize=8 * paper.zoom)
    if display.pixels.ndim == 2:
        write_numbers(axes, paper.zoom, display)
    if look.range_ not in {None, Range.NONE} and not view.given:
        return axes, place, [f"shown by range {look.range_}"]
    hidden = f"{MOST_MAPS} maps shown" if view.shape[2] > MOST_MAPS else ""
    return axes, place, list(filter(None, (display.caption, "equalized" if look.equalize else "", hidden)))


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
    axes.yaxis.set_major_formatter(lambda level, _: show_short(level))
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


def write_numbers(axes: Axes, zoom: float, display: Display, first: Pair = (0, 0)) -> bool:
    """Write each of up to 1024 values into its cell if all fit, in letters that can be read; return whether they do."""
    values = display.pixels
    odd = np.zeros(values.shape) if display.odd is None else display.odd
    if values.size > 1024 or not (np.isfinite(values).any() or odd.any()):
        return False
    for words in _ways_to_write(values, odd):
        points = number_points(axes, zoom, (values.shape[0], values.shape[1]), words)
        if points >= LEAST_POINTS * zoom:
            write_cells(axes, values, words, points, ScalarMappable(display.norm, display.colormap), first)
            return True
    return False


def write_cells(
    axes: Axes, values: Array, words: Sequence[str], points: float, colors: ScalarMappable, first: Pair = (0, 0)
) -> None:
    """Write a word into each cell of (rows, columns), in the ink that its color asks for."""
    for (row, column), word, ink in zip(np.ndindex(values.shape), words, find_inks(colors, values), strict=True):
        if word:
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": points, "color": ink}
            axes.text(first[1] + column, first[0] + row, word, **style)


def find_inks(mappable: ScalarMappable, values: Array) -> list[str]:
    """Return for each value the ink that is read better on its color; on odd ones black is."""
    inks = choose_inks(mappable.to_rgba(np.ma.masked_invalid(values)))
    return ["black" if odd else ink for odd, ink in zip(np.ravel(~np.isfinite(values)), inks, strict=True)]


def choose_inks(colors: Array) -> list[str]:
    """Return for each of (..., 4) colors black or white, whichever is read better on it."""
    return ["black" if bright > 0.5 else "white" for bright in np.ravel(colors[..., :3] @ [0.299, 0.587, 0.114])]


def _ways_to_write(values: Array, odd: Array) -> Iterator[list[str]]:
    """Yield the texts of cells, in fewer and fewer digits; what is not finite is written unless it is a gap."""
    numbers, marks = values.ravel().tolist(), odd.ravel().tolist()
    greatest = max((abs(number) for number in numbers if isfinite(number)), default=0.0)
    whole = floor(log10(greatest)) if greatest else 0
    ways: list[Callable[[float], str]] = [show_short]
    ways += [partial(show_places, places=digits - 1 - whole) for digits in (3, 2, 1) if 0 < digits - 1 - whole <= 4]
    for write in ways:
        shown = zip(numbers, marks, strict=True)
        yield [write(number) if isfinite(number) else str(number) if is_odd else "" for number, is_odd in shown]


def number_points(axes: Axes, zoom: float, shape: Pair, words: Sequence[str]) -> float:
    """Return the size of letters in which words fit into the cells of axes, at most 13 points."""
    box, dots = axes.get_window_extent(), axes.figure.dpi / POINTS
    height, width = box.height / shape[0] / dots, box.width / shape[1] / dots
    return min(13.0 * zoom, width * 0.8 / (LETTER * max(2, *map(len, words))), height * 0.55)


def _draw_bar(paper: Paper, place: Box, image: ScalarMappable, display: Display) -> None:
    """Draw the scale right of a box."""
    axes = paper.axes(Box(place.left + place.width + 0.08, place.top, 0.12, place.height))
    bar = paper.figure.colorbar(image, cax=axes, extend=display.extend)
    count = max(2, min(9, int(paper.real(place)[0] / (0.25 * paper.zoom))))
    if isinstance(display.norm, FuncNorm):
        levels = list(dict.fromkeys(display.norm.inverse(np.linspace(0, 1, min(count, 5))).tolist()))
        bar.set_ticks(levels, labels=[show_short(level) for level in levels])
        bar.minorticks_off()
    else:
        axes.yaxis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(lambda level, _: show_short(level))
    bar.outline.set_linewidth(0.5 * paper.zoom)
    axes.set_label("scale")


def _mark_sizes(paper: Paper, place: Box, axes: Axes, size: Pair) -> None:
    """Write the (height, width) at the axes, and count some pixels from 0, as many as there is room for."""
    rooms = paper.real(place)
    for axis, count, word, room in zip((axes.yaxis, axes.xaxis), size, ("height", "width"), rooms, strict=True):
        axis.set_ticks(_choose_ticks(paper, count, room, across=axis is axes.xaxis))
        axis.set_label_text(f"{word} {count}")
    label = axes.yaxis.label
    if len(label.get_text()) * LETTER * float(label.get_fontsize()) / POINTS > rooms[0]:
        # The height is written flat, in place of the rows' numbers: the panel is not as high as its words are long.
        label.set_text(label.get_text().replace(" ", "\n"))
        label.set(rotation=0, ha="right", va="center")
        axes.set_yticks([])


def _choose_ticks(paper: Paper, count: int, room: float, *, across: bool) -> list[int]:
    """Return the pixels numbered at an axis of so many inches: all of up to 12 if they fit, or each 2nd, 5th, 10th."""
    needed = TICK_POINTS * paper.zoom / POINTS * (LETTER * (len(str(count - 1)) + 1) if across else 1.5)
    most = max(1, min(12 if count <= 12 else 6, int(room / needed)))
    steps = (digit * 10**power for power in range(10) for digit in (1, 2, 5))
    step = next(step for step in steps if ceil(count / step) <= most or step >= count)
    return list(range(0, count, step))


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
