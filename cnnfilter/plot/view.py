"""Views: what is drawn of an image or a result, reduced to what a figure can show, and how: colors, scale, maps."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.colors import FuncNorm, Normalize

from cnnfilter.arrays import Array, Doubles, Floats, float_type
from cnnfilter.compute.forward import as_volume
from cnnfilter.compute.operations import equalize
from cnnfilter.compute.tiles import Part
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.levels import Extremes, find_extremes, to_levels
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.numbers import show_digits

SIGNED = "RdBu_r"
"""Blue below 0, white at 0, red above: distinguished by every kind of color-blind eye (C. Brewer)."""

UNSIGNED = "viridis"
"""Equal steps look equal, in print without color too (N. Smith, S. van der Walt, 2015)."""

GRAYS = "gray"

MOST_MAPS = 64
"""So many feature maps are drawn side by side."""


class View(NamedTuple):
    """What is drawn of some values, reduced; floats in the units in which `white` is white.

    The `values` (h, w, C) or (length,) represent all values of a `shape`, of which `low` and `high` are the least and
    the greatest, and `odd` says how many are nan, and how many infinite. Numbers of a `matrix` are no image. Of a
    `signed` view 0 is the middle rather than black; a `bright` one has over a quarter of its values above white. What
    was `given` is drawn from black to white however dark it is. `alpha` (h, w, 1) goes from 0 (transparent) to 1.
    A `scale` that is shared with others decides over the limits.
    """

    values: Floats
    shape: Shape
    low: float
    high: float
    white: float
    matrix: bool
    signed: bool
    bright: bool
    given: bool = False
    alpha: Floats | None = None
    odd: tuple[int, int] = (0, 0)
    scale: Extremes | None = None

    @property
    def colored(self) -> bool:
        """Whether the channels are red, green and blue."""
        return len(self.shape) == 3 and self.shape[2] == 3 and not (self.matrix or self.signed)

    @property
    def limits(self) -> Extremes:
        """The ends of the scale: around 0, or black and white, but the greatest value where white would show little."""
        if self.scale:
            return self.scale
        if self.signed:
            reach = max(-self.low, self.high) if self.matrix else self.reach
            return -reach, reach
        if self.matrix:
            return min(self.low, 0.0), max(self.high, 0.0)
        if self.given or len(self.shape) < 3:
            return 0.0, self.white
        # So it is of maps, of what is bright, and of what is so dim that nothing reaches a quarter of white.
        own = self.shape[2] not in {1, 3} or self.bright or 0 < self.high < self.white / 4
        return 0.0, self.reach if own else self.white

    @property
    def reach(self) -> float:
        """A magnitude that few values exceed: the rare largest ones of over 10,000 would leave all others pale."""
        magnitudes = np.abs(self.values[np.isfinite(self.values)])
        rare = float(np.percentile(magnitudes, 99.5)) if magnitudes.size > 10_000 else 0.0
        return rare or max(abs(self.low), abs(self.high))

    @property
    def cut(self) -> tuple[bool, bool]:
        """Whether values lie below and above the limits, by more than rounding brings about."""
        low, high = self.limits
        slack = 1e-6 * max(abs(low), abs(high))
        return self.low < low - slack, self.high > high + slack

    @property
    def size(self) -> str:
        """Height, width and channels as people write them; alpha is the fourth beside three."""
        if self.alpha is not None and self.shape[2:] == (3,):
            return show_shape((*self.shape[:2], 4))
        return show_shape(self.shape[:2] if self.shape[2:] == (1,) else self.shape)


def view_values(values: Array, side: int, white: float, *, matrix: bool = False, alpha: Floats | None = None) -> View:
    """Return a view of (H, W), (H, W, C) or (length,) values that are all there, as a `Reducer` makes it."""
    reducer = Reducer(len(values), white, matrix=matrix, side=side)
    reducer.take(Part(slice(0, len(values)), values, alpha))
    return reducer.view()


def view_picture(picture: Picture, side: int) -> View:
    """Return a view of an input."""
    pixels, alpha = as_volume(picture.pixels), None
    if picture.has_alpha:
        pixels, alpha = pixels[:, :, :3], np.asarray(pixels[:, :, 3:] / picture.maximum)
    return view_values(pixels, side, picture.maximum, matrix=picture.matrix, alpha=alpha)._replace(given=True)


class Reducer:
    """Makes a view, less than twice `side` pixels high and wide, of a result's parts in any order.

    The first part comes alone, others from several threads; together they have `height` rows.
    """

    def __init__(self, height: int, white: float, *, matrix: bool, side: int) -> None:
        self._height, self._white, self._matrix, self._side = height, white, matrix, side
        self._small: Floats | None = None
        self._alpha: Floats | None = None
        self._shape: Shape = ()
        self._factor = 1
        self._odd = 0, 0
        self._extremes: dict[int, Extremes] = {}
        self._rows = 0

    @property
    def complete(self) -> bool:
        """Whether all parts have come by."""
        return self._rows >= self._height

    def take(self, part: Part) -> None:
        """Take in a part; one that comes again changes nothing."""
        if part.rows.start in self._extremes:
            return
        values = part.values if part.values.ndim == 1 else as_volume(part.values)
        small = self._begin(values) if self._small is None else self._small
        self._extremes[part.rows.start] = find_extremes(values)
        if values.dtype.kind == "f" and values.size and not np.isfinite([values.min(), values.max()]).all():
            nans, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
            self._odd = self._odd[0] + nans, self._odd[1] + infinite
        self._rows += len(values)
        first = ceil(part.rows.start / self._factor)
        skipped = first * self._factor - part.rows.start  # these rows are means with the ones of another part
        if skipped >= len(values):
            return
        values, target = values[skipped:], slice(first, first + ceil((len(values) - skipped) / self._factor))
        if part.alpha is None:
            small[target] = _shrink(values, self._factor)
            return
        if self._alpha is None:
            self._alpha = np.ones((*small.shape[:2], 1), small.dtype)
        visible = np.asarray(part.alpha)[skipped:]
        self._alpha[target] = seen = _shrink(visible, self._factor)
        small[target] = _shrink(values * visible, self._factor) / np.maximum(seen, 1e-9) if self._factor > 1 else values

    def _begin(self, values: Array) -> Floats:
        """Return room for all parts."""
        self._shape = (self._height, *values.shape[1:])
        self._factor = max(1, max(self._shape[:2]) // self._side) if values.ndim > 1 else 1
        reduced = (*(ceil(side / self._factor) for side in self._shape[:2]), *self._shape[2:])
        self._small = np.empty(reduced, float_type(values.dtype))
        return self._small

    def view(self) -> View:
        """Return the view, when all parts have come by."""
        assert self._small is not None
        low = min(low for low, _ in self._extremes.values())
        high = max(high for _, high in self._extremes.values())
        finite = self._small[np.isfinite(self._small)]
        signed = low < 0 and (self._matrix or lies_below(finite))
        bright = int(np.count_nonzero(finite > self._white)) > finite.size / 4
        view = View(self._small, self._shape, low, high, self._white, self._matrix, signed, bright)
        return view._replace(alpha=self._alpha, odd=self._odd)


def lies_below(finite: Floats) -> bool:
    """Return whether values below 0 are a tenth of all magnitudes; fewer, as in a sharpened photo, are cut off."""
    return bool(-finite[finite < 0].sum() > 0.1 * np.abs(finite).sum())


def _shrink(values: Array, factor: int) -> Floats:
    """Return means of squares of pixels, (ceil(H / factor), ceil(W / factor), C); the last ones may be smaller."""
    kind = float_type(values.dtype)
    if factor == 1:
        return values.astype(kind)
    source = values if values.dtype.name in {"uint8", "uint16", "float32", "float64"} else values.astype(kind)
    whole = len(source) - len(source) % factor
    bands = [_resize(band, factor) for band in (source[:whole], source[whole:]) if len(band)]
    return np.concatenate(bands).astype(kind)


def _resize(band: Array, factor: int) -> Array:
    """Return means of squares of some rows of pixels, four channels at a time."""
    height, width = (ceil(side / factor) for side in band.shape[:2])
    fours = (np.ascontiguousarray(band[:, :, start : start + 4]) for start in range(0, band.shape[2], 4))
    small = [cv2.resize(four, (width, height), interpolation=cv2.INTER_AREA) for four in fours]
    return np.concatenate([four.reshape(height, width, -1) for four in small], axis=2)


def find_odd(values: Array) -> Floats:
    """Return 1 for each value that is nan, 2 for an infinite one, 0 for any other."""
    return np.asarray(np.isnan(values) + 2.0 * np.isinf(values))


class Look(NamedTuple):
    """How values are drawn: `--equalize`, `--colormap`, `--range` of the command."""

    equalize: bool = False
    colormap: str | None = None
    range_: Range | None = None


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
    caption: str = ""
    gap: int = 0
    hidden: Array | None = None
    odd: Array | None = None

    def places(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield the first row and column, the height and the width of each place for a map, row by row."""
        down, across = ((size + self.gap) // count for size, count in zip(self.pixels.shape, self.tiles, strict=False))
        for row, column in np.ndindex(self.tiles):
            yield row * down, column * across, down - self.gap, across - self.gap


def display_view(view: View, look: Look, ratio: float = 1.0) -> Display:
    """Return how a view of (h, w, C) values is drawn; maps side by side in a ratio of width to height."""
    if look.range_ not in {None, Range.NONE} and not view.given:  # as a file holds it; of all values the ends are known
        ends = view.low, view.high
        levels, _ = to_levels(view.values, range_=look.range_, maximum=view.white, depth=Depth.FLOAT, extremes=ends)
        view = view._replace(values=levels, low=0.0, high=view.white, matrix=False, signed=False, bright=False)
    return _display_colors(view, look) if view.colored and look.colormap is None else _display_maps(view, look, ratio)


def _display_colors(view: View, look: Look) -> Display:
    low, high = view.limits
    colors = np.nan_to_num(view.values)
    colors = np.clip(equalize(colors, 1.0) if look.equalize else colors / (high or 1.0), 0, 1)
    if view.alpha is not None:
        colors = np.concatenate([colors, np.clip(view.alpha, 0, 1)], axis=2)
    said = not look.equalize and (high != view.white or any(view.cut))
    odd = find_odd(view.values).max(axis=2) if any(view.odd) else None
    return Display(colors, caption=_show_limits(low, high) if said else "", odd=odd)


def _display_maps(view: View, look: Look, ratio: float) -> Display:
    low, high = view.limits
    maps = view.values[:, :, :MOST_MAPS].transpose(2, 0, 1)
    sheet = display_maps(maps, ratio)
    cut = (False, False) if look.equalize else view.cut
    # White and black need no scale where they are those of the image.
    plain = not (look.equalize or look.colormap or view.matrix or view.signed or high != view.white or any(cut))
    norm = equalized_norm(maps, (view.low, view.high), signed=view.signed) if look.equalize else None
    hidden = None if view.alpha is None else np.broadcast_to(view.alpha[:, :, 0] < 0.5, maps.shape)
    across, gap = sheet.tiles[1], sheet.gap
    return sheet._replace(
        colormap=look.colormap or (SIGNED if view.signed else GRAYS),
        norm=norm or Normalize(low, high or 1.0),
        bar=not plain,
        extend=("neither", "min", "max", "both")[cut[0] + 2 * cut[1]],
        caption=_show_limits(low, high) if any(cut) else "",
        hidden=None if hidden is None else lay_tiles(hidden, across, gap, 0),
        odd=lay_tiles(find_odd(maps), across, gap, 0) if any(view.odd) else None,
    )


def _show_limits(low: float, high: float) -> str:
    return f"shown {show_end(low)} to {show_end(high)}"


def show_end(number: float) -> str:
    """Return the end of a range in five digits, whole numbers whole."""
    return show_digits(number, 5, whole=1e9)


def equalized_norm(values: Floats, ends: Extremes | None = None, *, signed: bool) -> FuncNorm:
    """Return a scale on which a level is at the share of values below it, with 0 in the middle if `signed`.

    Where the values are only means of others, `ends` are the least and the greatest of these.
    """
    finite = np.asarray(values, dtype=np.float64)[np.isfinite(values)]
    ordered = np.sort(np.abs(finite) if signed else finite)
    levels, places = np.unique(ordered[np.linspace(0, len(ordered) - 1, 256).astype(int)], return_index=True)
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

    def find_share(level: Array) -> Array:  # np.interp forgets what is masked
        return np.ma.array(np.interp(level, levels, shares), mask=np.ma.getmask(level))

    return FuncNorm((find_share, lambda share: np.interp(share, shares, levels)), float(levels[0]), float(levels[-1]))


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
        return max(wanted / columns, columns / wanted) * (1 + 1.2 * (-count % columns) / count)

    return min(range(1, count + 1), key=cost)


def display_weights(weights: Doubles) -> Display:
    """Return how the weights of a kernel are drawn, (kh, kw[, in[, out]]): slices in columns, maps in rows."""
    volume = weights.reshape(*weights.shape, *[1] * (4 - weights.ndim))[:, :, :8, :8]
    rows, columns, slices, maps = volume.shape
    gap = max(1, max(rows, columns) // 5)
    sheet = lay_tiles(volume.transpose(3, 2, 0, 1).reshape(-1, rows, columns), slices, gap)
    return Display(sheet, (maps, slices), SIGNED, symmetric(weights), gap=gap)


def symmetric(values: Array) -> Normalize:
    """Return a scale around 0 that reaches the greatest finite magnitude."""
    reach = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
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
