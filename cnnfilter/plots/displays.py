"""How values are shown: as colors, gray or a map, on which scale, maps side by side."""

from __future__ import annotations

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.colors import Normalize

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.normalization import equalize
from cnnfilter.files.formats import Depth, Range
from cnnfilter.files.levels import Extremes, to_levels
from cnnfilter.numbers import show_digits
from cnnfilter.plots.scales import SIGNED
from cnnfilter.plots.views import View

GRAYS = "gray"


MOST_MAPS = 64
"""So many feature maps are tiled."""


VISIBLE = 0.5
"""Of a pixel with less alpha than this a map shows that nothing is to be seen."""

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
    ends
        The least and the greatest of all values, where those that are spread are only means of them.
    signed
        Whether magnitudes are spread, above and below the middle.

    Attributes
    ----------
    levels
        The values between which it goes, from the least to the greatest.
    """

    def __init__(self, values: Floats, ends: Extremes | None = None, *, signed: bool) -> None:
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
        if ends:
            low, high = (-max(map(abs, ends)), max(map(abs, ends))) if signed else ends
            levels[0], levels[-1] = min(levels[0], low), max(levels[-1], high)
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

    With a fourth channel of colors it is alpha. `tiles` is the (rows, columns) of maps side by side, with `gap` cells
    between them, `extend` says on which sides of the scale values are cut off, `bar` whether the scale is shown.
    `hidden` tells of each pixel whether nothing is to be seen there, `odd` whether its value is 1 no number, 2 infinite
    or 0 neither.
    """

    pixels: Floats
    tiles: tuple[int, int] = (1, 1)
    colormap: str = GRAYS
    norm: Normalize | None = None
    bar: bool = False
    extend: str = "neither"
    remark: str = ""
    gap: int = 0
    hidden: Array | None = None
    odd: Array | None = None


def display_view(view: View, look: Look, ratio: float = 1.0) -> Display:
    """Return how a view of (h, w, C) values is drawn; maps side by side in a ratio of width to height."""
    if look.range_ not in {None, Range.NONE} and not view.given:
        view = _as_in_file(view, look)
    if view.colored and look.colormap is None:
        return _display_colors(view, look)
    display = _display_maps(view, look, ratio)
    if not any(view.odd):
        return display
    return display._replace(odd=np.nan_to_num(tile_maps(find_odd(view.values[:, :, :MOST_MAPS]), ratio)[0]))


def find_odd(values: Array) -> Floats:
    """Return 1 for each value that is no number, 2 for an infinite one, 0 for any other."""
    return np.asarray(np.isnan(values) + 2.0 * np.isinf(values))


def _display_maps(view: View, look: Look, ratio: float) -> Display:
    shown = view.values[:, :, :MOST_MAPS]
    pixels, tiles = tile_maps(shown, ratio)
    gap = find_gap(*view.values.shape[:2]) if tiles != (1, 1) else 0
    hidden = None
    if view.alpha is not None:
        unseen = np.repeat((view.alpha < VISIBLE).astype(np.float64), shown.shape[2], axis=2)
        hidden = tile_maps(unseen, ratio)[0] == 1
    if view.signed:
        return _display_signed(view, look, pixels, tiles)._replace(gap=gap, hidden=hidden)
    low, high = view.limits
    ends = view.low, view.high
    norm: Normalize = Equalized(shown, ends, signed=False) if look.equalize else Normalize(low, high or 1.0)
    cut = (False, False) if look.equalize else _cut_off(view)
    # White and black need no scale where they are those of the picture.
    bar = look.equalize or look.colormap is not None or view.matrix or high != view.white or any(cut)
    colormap, remark = look.colormap or GRAYS, _remark_on((low, high), cut)
    return Display(pixels, tiles, colormap, norm, bar, _extend(*cut), remark, gap, hidden)


def _remark_on(shown: Extremes, cut: tuple[bool, bool]) -> str:
    return f"shown {show_end(shown[0])} to {show_end(shown[1])}" if any(cut) else ""


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
    odd = find_odd(view.values).max(axis=2) if any(view.odd) else None
    if look.equalize:
        return Display(_seen(equalize(colors, 1.0), view), odd=odd)
    cut = _cut_off(view)
    remark = _remark_on((low, high), cut if high == view.white else (True, True))
    return Display(_seen(colors / (high or 1.0), view), remark=remark, odd=odd)


def _seen(colors: Floats, view: View) -> Floats:
    """Return colors from 0 to 1, with alpha as the fourth where the view has it."""
    levels = np.clip(colors, 0, 1)
    return levels if view.alpha is None else np.concatenate([levels, np.clip(view.alpha, 0, 1)], axis=2)


def _display_signed(view: View, look: Look, pixels: Floats, tiles: tuple[int, int]) -> Display:
    colormap = look.colormap or SIGNED
    if look.equalize:
        return Display(pixels, tiles, colormap, Equalized(view.values, (view.low, view.high), signed=True), bar=True)
    reach = max(abs(view.low), abs(view.high)) if view.matrix else view.reach
    cut = view.low < -reach, view.high > reach
    remark = _remark_on((-reach, reach), cut)
    return Display(pixels, tiles, colormap, Normalize(-reach, reach), True, _extend(*cut), remark)


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
        return max(wanted / columns, columns / wanted) * (1 + 1.2 * empty / count)

    return min(range(1, count + 1), key=cost)


def find_gap(height: int, width: int) -> int:
    """Return how many pixels part two maps: enough to be seen."""
    return max(1, max(height, width) // 25)


def show_end(number: float) -> str:
    """Return the end of a range in five digits, whole numbers whole."""
    return show_digits(number, 5, whole=1e9)


def display_weights(weights: Doubles) -> Display:
    """Return how the weights of a kernel are drawn, (kh, kw[, in[, out]]): slices in columns, maps in rows."""
    volume = weights.reshape(*weights.shape, *[1] * (4 - weights.ndim))[:, :, :8, :8]
    rows, columns, slices, maps = volume.shape
    gap = max(1, max(rows, columns) // 5)
    sheet = np.full((maps * (rows + gap) - gap, slices * (columns + gap) - gap), np.nan)
    for number in range(slices * maps):
        at, across = divmod(number, slices)
        top, left = at * (rows + gap), across * (columns + gap)
        sheet[top : top + rows, left : left + columns] = volume[:, :, across, at]
    reach = float(np.abs(weights).max()) or 1.0
    return Display(sheet, (maps, slices), SIGNED, Normalize(-reach, reach), gap=gap)
