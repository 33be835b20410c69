"""How values are shown: as colors, gray or a map, on which scale, maps side by side."""

from __future__ import annotations

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.colors import Normalize

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.normalization import equalize
from cnnfilter.files.formats import Depth, Range
from cnnfilter.files.levels import to_levels
from cnnfilter.plots.scales import SIGNED
from cnnfilter.plots.views import View
from cnnfilter.traces.texts import show_value

GRAYS = "gray"


MOST_MAPS = 64
"""So many feature maps are tiled."""


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
    colormap = look.colormap or SIGNED
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
        return max(wanted / columns, columns / wanted) * (1 + 1.2 * empty / count)

    return min(range(1, count + 1), key=cost)


def find_gap(height: int, width: int) -> int:
    """Return how many pixels part two maps: enough to be seen."""
    return max(1, max(height, width) // 25)


def show_end(number: float) -> str:
    """Return the end of a range in five digits, whole numbers whole."""
    return show_value(number) if number.is_integer() else f"{number:.5g}"


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
    return Display(sheet, (maps, slices), SIGNED, Normalize(-reach, reach))
