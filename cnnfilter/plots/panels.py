"""A panel: values drawn as colors, gray or a map, with numbers in their cells where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.normalization import equalize
from cnnfilter.files.formats import Depth, Range
from cnnfilter.files.levels import to_levels
from cnnfilter.plots.sheets import FRAME, INK, LEAST_POINTS, POINTS, Box, Sheet
from cnnfilter.plots.views import View
from cnnfilter.traces.texts import show_value

DIVERGING, GRAYS = "RdBu_r", "gray"
"""Blue below 0, white at 0, red above: told apart by those who confuse red and green (C. Brewer, colorbrewer2.org)."""

TITLE, TICKS, BELOW, BAR = 0.62, 0.52, 0.42, 0.75
"""Inches: above a panel, left of it and below it for its sizes, right of it for a color bar."""

MOST_MAPS = 64
"""So many feature maps are tiled."""

_MOST_CELLS = 1024
"""So many numbers are written into cells."""

_LETTER = 0.62
"""The width of a digit in heights of its font, a little ample."""

_STEPS = 256
"""Of an equalized scale."""


class Look(NamedTuple):
    """How values are drawn: `--equalize`, `--colormap`, `--range` of the command."""

    equalize: bool = False
    colormap: str | None = None
    range_: Range | None = None


class Equalized(Normalize):
    """A scale on which each level stands at the share of values below it; a signed one keeps 0 in its middle.

    Parameters
    ----------
    values
        What is spread.
    signed
        Whether magnitudes are spread, above and below the middle.

    Attributes
    ----------
    levels
        The values between which it goes, from the least to the greatest.
    """

    def __init__(self, values: Floats, *, signed: bool) -> None:
        finite = np.asarray(values, dtype=np.float64)[np.isfinite(values)]
        ordered = np.sort(np.abs(finite) if signed else finite)
        levels, places = np.unique(ordered[np.linspace(0, len(ordered) - 1, _STEPS).astype(int)], return_index=True)
        shares = places / (_STEPS - 1)
        shares = (shares - shares[0]) / max(shares[-1] - shares[0], 1e-9)
        if signed:
            levels, shares = np.r_[-levels[::-1], levels], np.r_[0.5 - shares[::-1] / 2, 0.5 + shares / 2]
            levels, kept = np.unique(levels, return_index=True)
            shares = np.where(levels == 0, 0.5, shares[kept])
        if len(levels) < 2:
            levels, shares = np.array([levels[0], levels[0] + 1]), np.array([0.0, 1.0])
        self.levels, self._shares = levels, shares
        super().__init__(float(levels[0]), float(levels[-1]))

    def __call__(self, value: Array, clip: bool | None = None) -> np.ma.MaskedArray:  # type: ignore[override]
        """Return the place of each value on the scale, from 0 to 1."""
        known = np.ma.masked_invalid(value)
        return np.ma.array(np.interp(known.filled(0), self.levels, self._shares), mask=known.mask)

    def inverse(self, value: Array) -> Array:  # type: ignore[override]
        """Return the values at places of the scale."""
        return np.asarray(np.interp(value, self._shares, self.levels))


class Display(NamedTuple):
    """What an image of matplotlib shows: (h, w) with a map and its scale, or (h, w, 3) colors from 0 to 1.

    `tiles` is the (rows, columns) of maps side by side, `extend` says on which sides of the scale values are cut
    off, `bar` whether the scale is shown.
    """

    pixels: Floats
    tiles: tuple[int, int] = (1, 1)
    colormap: str = GRAYS
    norm: Normalize | None = None
    bar: bool = False
    extend: str = "neither"
    remark: str = ""


def display_view(view: View, look: Look, ratio: float = 1.0) -> Display:
    """Return how a view of (h, w, C) values is drawn; maps side by side in a ratio of width to height."""
    if look.range_ not in {None, Range.NONE}:
        view = _as_in_file(view, look)
    if view.colored and look.colormap is None:
        return _display_colors(view, look)
    shown = view.values[:, :, :MOST_MAPS]
    pixels, tiles = tile_maps(shown, ratio)
    if view.signed:
        return _display_signed(view, look, pixels, tiles)
    low, high = view.limits
    norm: Normalize = Equalized(shown, signed=False) if look.equalize else Normalize(low, high or 1.0)
    cut = _cut_off(view)
    # White and black need no scale where they are those of the picture.
    bar = look.equalize or look.colormap is not None or view.matrix or high != view.white
    remark = "" if not any(cut) else f", shown {show_end(low)} to {show_end(high)}"
    return Display(pixels, tiles, look.colormap or GRAYS, norm, bar, _extend(*cut), "" if look.equalize else remark)


def _cut_off(view: View) -> tuple[bool, bool]:
    """Return whether values lie below and above the limits, by more than arithmetic brings about."""
    low, high = view.limits
    slack = 1e-6 * max(abs(low), abs(high))
    return view.low < low - slack, view.high > high + slack


def _as_in_file(view: View, look: Look) -> View:
    """Return the view of what a file holds under a range that was asked for; its extremes stay those of the values."""
    levels = to_levels(
        view.values, range_=look.range_, maximum=view.white, depth=Depth.FLOAT, extremes=(view.low, view.high)
    ).pixels
    return view._replace(values=levels, low=0.0, high=view.white, below=0.0, above=0.0, matrix=False)


def _display_colors(view: View, look: Look) -> Display:
    colors = np.nan_to_num(view.values)
    low, high = view.limits
    if look.equalize:
        return Display(np.clip(equalize(colors, 1.0), 0, 1))
    remark = f", shown {show_end(low)} to {show_end(high)}" if any(_cut_off(view)) or high != view.white else ""
    return Display(np.clip(colors / (high or 1.0), 0, 1), remark=remark)


def _display_signed(view: View, look: Look, pixels: Floats, tiles: tuple[int, int]) -> Display:
    colormap = look.colormap or DIVERGING
    if look.equalize:
        norm = Equalized(view.values, signed=True)
        extend = _extend(view.low < norm.levels[0], view.high > norm.levels[-1])
        return Display(pixels, tiles, colormap, norm, True, extend)
    reach = max(abs(view.low), abs(view.high)) if view.matrix else view.reach
    return Display(
        pixels, tiles, colormap, Normalize(-reach, reach), True, _extend(view.low < -reach, view.high > reach)
    )


def _extend(below: bool, above: bool) -> str:
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def tile_maps(maps: Floats, ratio: float = 1.0) -> tuple[Floats, tuple[int, int]]:
    """Return (h, w, C) maps side by side with nan between them, and into how many (rows, columns).

    `ratio` is that of width to height which all of them are to have together.
    """
    height, width, count = maps.shape
    columns = choose_across(count, sqrt(count * height / width * ratio))
    rows = ceil(count / columns)
    if count == 1:
        return maps[:, :, 0], (1, 1)
    gap = find_gap(height, width)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan, maps.dtype)
    for number in range(count):
        row, column = divmod(number, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = maps[:, :, number]
    return sheet, (rows, columns)


def choose_across(count: int, wanted: float) -> int:
    """Return a number of columns near the one that is wanted that leaves few places of the last row empty.

    Examples
    --------
    >>> choose_across(8, 5.2), choose_across(16, 4.3), choose_across(3, 1.9)
    (4, 4, 2)
    """

    def cost(columns: int) -> float:
        empty = -count % columns
        return max(wanted / columns, columns / wanted) * (1 + 2 * empty / count)

    return min(range(1, count + 1), key=cost)


def find_gap(height: int, width: int) -> int:
    """Return how many pixels part two maps: enough to be seen."""
    return max(1, max(height, width) // 25)


def draw_panel(sheet: Sheet, box: Box, view: View, look: Look, title: str, spared: float = 0.0) -> Axes:
    """Draw a view under its title, with its sizes beside it, in a box that has room for all of this.

    Parameters
    ----------
    sheet, box
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
    axes = _draw_vector(sheet, inner, view) if len(view.shape) == 1 else _draw_maps(sheet, inner, view, look)
    span = f"{show_end(view.low)} to {show_end(view.high)}{_remark(view, look)}"
    words = axes.set_title(f"{title}\n{view.size}, {span}", loc="left", fontsize=9, pad=5)
    sheet.fit(words, box.width - TICKS - max(spared, 0.1))
    return axes


def _remark(view: View, look: Look) -> str:
    if len(view.shape) == 1:
        return ""
    if look.range_ not in {None, Range.NONE}:
        return f", shown by range {look.range_}"
    hidden = f", {MOST_MAPS} maps shown" if view.shape[2] > MOST_MAPS else ""
    return f"{display_view(view, look).remark}{', equalized' if look.equalize else ''}{hidden}"


def _draw_maps(sheet: Sheet, box: Box, view: View, look: Look) -> Axes:
    high, wide = sheet.real(box)
    display = display_view(view, look, wide / high)
    ratio = display.pixels.shape[0] / display.pixels.shape[1]
    place = sheet.square(box, ratio)
    axes = sheet.axes(place)
    single = display.tiles == (1, 1)
    height, width = view.shape[:2] if single else display.pixels.shape[:2]
    image = draw_pixels(axes, display, (height, width))
    if display.bar:
        draw_bar(sheet, place, image, display)
    if single:
        mark_sizes(axes, view.shape[0], view.shape[1])
    else:
        axes.set_axis_off()
        _outline(axes, view.values.shape, display)
        words = "red, green, blue: " if view.shape[2] == 3 and not view.matrix else ""
        label = f"{words}{min(view.shape[2], MOST_MAPS)} maps of {view.shape[0]}x{view.shape[1]}"
        axes.text(0, -0.02, label, transform=axes.transAxes, va="top", ha="left", fontsize=8)
    if display.pixels.ndim == 2:
        write_numbers(sheet, place, axes, display, display.pixels)
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


def draw_bar(sheet: Sheet, place: Box, image: ScalarMappable, display: Display) -> Axes:
    """Draw the scale right of a box."""
    axes = sheet.axes(Box(place.left + place.width + 0.08, place.top, 0.12, place.height))
    bar = sheet.figure.colorbar(image, cax=axes, extend=display.extend)
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
    sheet: Sheet, place: Box, axes: Axes, display: Display, values: Array, words: Sequence[str] | None = None
) -> float:
    """Write each value into its cell if all fit, in letters that can be read, and return their size or 0.

    `words` stand for the values, row by row, where they are given.
    """
    rows, columns = values.shape
    if rows * columns > _MOST_CELLS or not np.isfinite(values).any():
        return 0.0
    written = words or ["" if np.isnan(value) else show_short(float(value)) for value in values.ravel()]
    points = number_points(sheet, place, (rows, columns), written)
    if points < LEAST_POINTS:
        return 0.0
    inks = find_inks(display, values)
    for (row, column), word, ink in zip(np.ndindex(rows, columns), written, inks, strict=True):
        if word:
            axes.text(column, row, word, ha="center", va="center", fontsize=points, color=ink)
    return points


def number_points(sheet: Sheet, place: Box, shape: tuple[int, int], words: Sequence[str]) -> float:
    """Return the size of letters in which words fit into the cells of a box, at most 13 points."""
    high, wide = sheet.real(place)
    longest = max(map(len, words), default=1)
    return min(wide / shape[1] * POINTS * 0.9 / (_LETTER * max(longest, 2)), high / shape[0] * POINTS * 0.55, 13.0)


def show_end(number: float) -> str:
    """Return the end of a range in five digits, whole numbers whole."""
    return show_value(number) if number.is_integer() else f"{number:.5g}"


def show_short(number: float) -> str:
    """Return a number as a cell holds it, in three digits or as a whole number.

    Examples
    --------
    >>> show_short(0.12345), show_short(1234.5), show_short(320.0), show_short(1.5e9)
    ('0.123', '1234', '320', '1.5e+09')
    """
    number += 0.0  # -0 becomes 0
    return f"{number:.0f}" if abs(number) < 1e6 and (number.is_integer() or abs(number) >= 1000) else f"{number:.3g}"


def find_inks(display: Display, values: Array) -> list[str]:
    """Return for each cell black or white, whichever stands out from it."""
    colors = ScalarMappable(display.norm, display.colormap).to_rgba(np.ma.masked_invalid(values))
    bright = colors[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    return [INK if light > 0.5 else "white" for light in np.ravel(bright)]


def _draw_vector(sheet: Sheet, box: Box, view: View) -> Axes:
    """Draw a vector as bars, or as a line if it is long."""
    axes = sheet.axes(box)
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


def display_weights(weights: Doubles) -> Display:
    """Return how the weights of a kernel are drawn, (kh, kw[, in[, out]]): slices in columns, maps in rows."""
    volume = weights.reshape(*weights.shape, *[1] * (4 - weights.ndim))[:, :, :8, :8]
    rows, columns, slices, maps = volume.shape
    sheet = np.full((maps * (rows + 1) - 1, slices * (columns + 1) - 1), np.nan)
    for number in range(slices * maps):
        at, across = divmod(number, slices)
        top, left = at * (rows + 1), across * (columns + 1)
        sheet[top : top + rows, left : left + columns] = volume[:, :, across, at]
    reach = float(np.abs(weights).max()) or 1.0
    return Display(sheet, (maps, slices), DIVERGING, Normalize(-reach, reach))


def draw_inset(sheet: Sheet, box: Box, weights: Doubles) -> Axes:
    """Draw a kernel, small and without numbers, in the top right corner of a box."""
    display = display_weights(weights)
    place = sheet.square(box, display.pixels.shape[0] / display.pixels.shape[1])
    axes = sheet.axes(place._replace(left=box.left + box.width - place.width))
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
