"""Displays: how values are shown, as colors, gray or a map, on which scale, maps side by side."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.colors import Normalize

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.elementwise import equalize
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.levels import Extremes, to_levels
from cnnfilter.nn.geometry import Pair
from cnnfilter.numbers import show_digits
from cnnfilter.plot.view import View

SIGNED = "RdBu_r"
"""Blue below 0, white at 0, red above: distinguished by every kind of color-blind eye (C. Brewer)."""

UNSIGNED = "viridis"
"""Equal steps look equal, in print without color too (N. Smith, S. van der Walt, 2015)."""

GRAYS = "gray"

MOST_MAPS = 64
"""So many feature maps are drawn side by side."""

_VISIBLE = 0.5
"""A pixel with less alpha than this is drawn as transparent in a map."""

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
    """

    def __init__(self, values: Floats, ends: Extremes | None = None, *, signed: bool) -> None:
        finite = np.asarray(values, dtype=np.float64)[np.isfinite(values)]
        ordered = np.sort(np.abs(finite) if signed else finite)
        levels, places = np.unique(ordered[np.linspace(0, len(ordered) - 1, _STEPS).astype(int)], return_index=True)
        shares = (places - places[0]) / max(places[-1] - places[0], 1e-9)
        if signed:
            levels, shares = np.r_[-levels[::-1], levels], np.r_[0.5 - shares[::-1] / 2, 0.5 + shares / 2]
            levels, kept = np.unique(levels, return_index=True)
            shares = np.where(levels == 0, 0.5, shares[kept])
        if len(levels) < 2:
            levels, shares = np.array([levels[0], levels[0] + 1]), np.array([0.0, 1.0])
        if ends:
            low, high = (-max(map(abs, ends)), max(map(abs, ends))) if signed else ends
            levels[0], levels[-1] = min(levels[0], low), max(levels[-1], high)
        self._levels, self._shares = levels, shares
        super().__init__(float(levels[0]), float(levels[-1]))

    def __call__(self, value: Array, clip: bool | None = None) -> np.ma.MaskedArray:  # type: ignore[override]
        """Return the place of each value on the scale, from 0 to 1."""
        known = np.ma.masked_invalid(value)
        return np.ma.array(np.interp(known.filled(0), self._levels, self._shares), mask=known.mask)

    def inverse(self, value: Array) -> Array:  # type: ignore[override]
        """Return the values at places of the scale."""
        return np.asarray(np.interp(value, self._shares, self._levels))


class Display(NamedTuple):
    """What an image of matplotlib shows: (h, w) with a map and its scale, or (h, w, 3) colors from 0 to 1.

    With a fourth channel of colors it is alpha. `tiles` is the (rows, columns) of maps side by side, with `gap` cells
    between them, `extend` says on which sides of the scale values are cut off, `bar` whether the scale is shown.
    `hidden` says of each pixel whether it is transparent, `odd` whether its value is 1 nan, 2 infinite or 0 neither.
    """

    pixels: Floats
    tiles: Pair = (1, 1)
    colormap: str = GRAYS
    norm: Normalize | None = None
    bar: bool = False
    extend: str = "neither"
    remark: str = ""
    gap: int = 0
    hidden: Array | None = None
    odd: Array | None = None

    @property
    def tile(self) -> Pair:
        """The (height, width) of a map."""
        down, across = self.tiles
        return (len(self.pixels) + self.gap) // down - self.gap, (self.pixels.shape[1] + self.gap) // across - self.gap

    def corners(self) -> Iterator[Pair]:
        """Yield the (row, column) of the first cell of each place for a map, row by row."""
        height, width = self.tile
        for row, column in np.ndindex(self.tiles):
            yield row * (height + self.gap), column * (width + self.gap)


def display_view(view: View, look: Look, ratio: float = 1.0) -> Display:
    """Return how a view of (h, w, C) values is drawn; maps side by side in a ratio of width to height."""
    if look.range_ not in {None, Range.NONE} and not view.given:
        view = _as_in_file(view, look)
    return _display_colors(view, look) if view.colored and look.colormap is None else _display_maps(view, look, ratio)


def find_odd(values: Array) -> Floats:
    """Return 1 for each value that is nan, 2 for an infinite one, 0 for any other."""
    return np.asarray(np.isnan(values) + 2.0 * np.isinf(values))


def _as_in_file(view: View, look: Look) -> View:
    """Return the view of what a file holds under a range that was asked for; its extremes stay those of the values."""
    levels = to_levels(
        view.values, range_=look.range_, maximum=view.white, depth=Depth.FLOAT, extremes=(view.low, view.high)
    ).pixels
    return view._replace(values=levels, low=0.0, high=view.white, below=0.0, above=0.0, matrix=False)


def _display_colors(view: View, look: Look) -> Display:
    low, high = view.limits
    colors = np.nan_to_num(view.values)
    colors = np.clip(equalize(colors, 1.0) if look.equalize else colors / (high or 1.0), 0, 1)
    if view.alpha is not None:
        colors = np.concatenate([colors, np.clip(view.alpha, 0, 1)], axis=2)
    said = not look.equalize and (high != view.white or any(view.cut))
    odd = find_odd(view.values).max(axis=2) if any(view.odd) else None
    return Display(colors, remark=_show_limits(low, high) if said else "", odd=odd)


def _display_maps(view: View, look: Look, ratio: float) -> Display:
    low, high = view.limits
    shown = view.values[:, :, :MOST_MAPS]
    sheet = display_maps(shown.transpose(2, 0, 1), ratio)
    cut = (False, False) if look.equalize else view.cut
    # White and black need no scale where they are those of the image.
    plain = not (look.equalize or look.colormap or view.matrix or view.signed or high != view.white or any(cut))
    display = sheet._replace(
        colormap=look.colormap or (SIGNED if view.signed else GRAYS),
        norm=Equalized(shown, (view.low, view.high), signed=view.signed)
        if look.equalize
        else Normalize(low, high or 1.0),
        bar=not plain,
        extend=("neither", "min", "max", "both")[cut[0] + 2 * cut[1]],
        remark=_show_limits(low, high) if any(cut) else "",
    )

    def beside(marks: Array) -> Array:
        """Return (h, w, C) marks of the values side by side as these are, 0 between them."""
        return lay_tiles(marks.transpose(2, 0, 1), sheet.tiles[1], sheet.gap, 0)

    if view.alpha is not None:
        display = display._replace(hidden=beside(np.broadcast_to(view.alpha < _VISIBLE, shown.shape)))
    return display._replace(odd=beside(find_odd(shown))) if any(view.odd) else display


def _show_limits(low: float, high: float) -> str:
    return f"shown {show_end(low)} to {show_end(high)}"


def display_maps(maps: Array, ratio: float, empty: float = np.nan) -> Display:
    """Return (count, h, w, ...) maps side by side, `empty` between them, all of them in a ratio of width to height."""
    count, height, width = maps.shape[:3]
    across = choose_across(count, sqrt(count * height / width * ratio))
    gap = max(1, max(height, width) // 25) if count > 1 else 0
    return Display(lay_tiles(maps, across, gap, empty), (ceil(count / across), across), gap=gap)


def lay_tiles(maps: Array, across: int, gap: int, empty: float = np.nan) -> Array:
    """Return (count, h, w, ...) maps side by side, so many in a row, with `gap` cells between them."""
    count, height, width = maps.shape[:3]
    down = ceil(count / across)
    sheet = np.full((down * (height + gap) - gap, across * (width + gap) - gap, *maps.shape[3:]), empty, maps.dtype)
    for (row, column), one in zip(np.ndindex(down, across), maps, strict=False):
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = one
    return sheet


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


def show_end(number: float) -> str:
    """Return the end of a range in five digits, whole numbers whole."""
    return show_digits(number, 5, whole=1e9)


def display_weights(weights: Doubles) -> Display:
    """Return how the weights of a kernel are drawn, (kh, kw[, in[, out]]): slices in columns, maps in rows."""
    volume = weights.reshape(*weights.shape, *[1] * (4 - weights.ndim))[:, :, :8, :8]
    rows, columns, slices, maps = volume.shape
    gap = max(1, max(rows, columns) // 5)
    sheet = lay_tiles(volume.transpose(3, 2, 0, 1).reshape(-1, rows, columns), slices, gap)
    return Display(sheet, (maps, slices), SIGNED, symmetric(weights), gap=gap)


def symmetric(values: Array) -> Normalize:
    """Return a scale around 0 that reaches the greatest magnitude."""
    reach = float(np.abs(values).max()) or 1.0
    return Normalize(-reach, reach)


def scale_of(values: Array) -> tuple[str, Normalize]:
    """Return the color map and its range: -max to max where a value is negative, else 0 to max.

    Examples
    --------
    >>> name, scale = scale_of(np.array([-3.0, 1.0]))
    >>> name, scale.vmin, scale.vmax
    ('RdBu_r', -3.0, 3.0)
    """
    if values.min() < 0:
        return SIGNED, symmetric(values)
    return UNSIGNED, Normalize(0.0, float(values.max()) or 1.0)
