"""Views: what is drawn of an image or a result, reduced to what a figure can show, with its true range."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats, float_type
from cnnfilter.compute.forward import as_volume
from cnnfilter.compute.tiles import Part
from cnnfilter.io.decode import Picture
from cnnfilter.io.levels import Extremes, find_extremes
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.layers import Shape, show_shape

SUBSTANTIAL = 0.1
"""From this share of all magnitudes on, values below 0 are what a result is about; fewer, as a sharpened photo has
them, are cut off as they are in a file."""

_BRIGHT = 0.25
"""From this share of all pixels above white on, the greatest value is drawn as white."""

_DIM = 0.25
"""A result of which no value reaches this share of white is drawn up to its greatest."""

_FEW = 10_000
"""Up to so many values none is left out of the scale."""

_RESIZED = {"uint8", "uint16", "float32", "float64"}
"""The types that OpenCV resizes."""


class View(NamedTuple):
    """What is drawn of some values.

    Parameters
    ----------
    values
        (h, w, C), reduced, or (length,); floats in the units in which `white` is white.
    shape
        That of all values.
    low, high
        The least and the greatest of all values.
    below, above
        The share of all magnitudes that lies below 0, and of all values that lies above white.
    white
        The level of white.
    matrix
        Whether the values are plain numbers rather than an image.
    given
        Whether it is the input, which is drawn from black to white however dark it is.
    alpha
        (h, w, 1), reduced, from 0 (transparent) to 1; None where all is opaque.
    odd
        How many values are nan, and how many are infinite.
    """

    values: Floats
    shape: Shape
    low: float
    high: float
    below: float
    above: float
    white: float
    matrix: bool
    given: bool = False
    alpha: Floats | None = None
    odd: tuple[int, int] = (0, 0)

    @property
    def signed(self) -> bool:
        """Whether 0 is the middle rather than black."""
        return self.low < 0 and (self.matrix or self.below > SUBSTANTIAL)

    @property
    def colored(self) -> bool:
        """Whether the channels are red, green and blue."""
        return len(self.shape) == 3 and self.shape[2] == 3 and not (self.matrix or self.signed)

    @property
    def limits(self) -> Extremes:
        """The ends of the scale: around 0, or black and white, but the greatest value where white would show little."""
        if self.signed:
            reach = max(-self.low, self.high) if self.matrix else self.reach
            return -reach, reach
        if self.matrix:
            return min(self.low, 0.0), max(self.high, 0.0)
        if self.given or len(self.shape) < 3:
            return 0.0, self.white
        own = self.shape[2] not in {1, 3} or self.above > _BRIGHT or 0 < self.high < _DIM * self.white
        return 0.0, self.reach if own else self.white

    @property
    def reach(self) -> float:
        """A magnitude that few values exceed: the rare largest ones would leave all others pale."""
        magnitudes = np.abs(self.values[np.isfinite(self.values)])
        rare = float(np.percentile(magnitudes, 99.5)) if magnitudes.size > _FEW else 0.0
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


def view_values(values: Array, side: int, white: float, *, matrix: bool = False) -> View:
    """Return a view of (H, W), (H, W, C) or (length,) values, less than twice `side` pixels high and wide.

    Parameters
    ----------
    values
        Of any type.
    side
        So many pixels are drawn along an axis at least, if there are as many.
    white, matrix
        The level of white, and whether the values are plain numbers.
    """
    if values.ndim == 1:
        small: Floats = values.astype(float_type(values.dtype))
    else:
        values = as_volume(values)
        small = _shrink(values, _factor(values.shape, side))
    view = _measure(small, values.shape, find_extremes(values), white, matrix)
    return view._replace(odd=_count_odd(values))


def view_picture(picture: Picture, side: int) -> View:
    """Return a view of an input."""
    pixels = as_volume(picture.pixels)
    if not picture.has_alpha:
        return view_values(pixels, side, picture.maximum, matrix=picture.matrix)._replace(given=True)
    colors, alpha = pixels[:, :, :3], np.asarray(pixels[:, :, 3:] / picture.maximum)
    small, seen = _shrink_visible(colors, alpha, _factor(pixels.shape, side))
    view = _measure(small, colors.shape, find_extremes(colors), picture.maximum, matrix=False)
    return view._replace(given=True, alpha=seen, odd=_count_odd(colors))


class Reducer:
    """Makes a view of a result as its parts come by, in any order and from several threads.

    Parameters
    ----------
    visit
        Hands every part of the result to a function.
    height
        The number of rows, or of values of a vector, of all parts together.
    white, matrix
        The value that is white, and whether the values are a matrix's numbers.
    side
        So many pixels are drawn along an axis at least, if there are as many.
    """

    def __init__(
        self, visit: Callable[[Callable[[Part], None]], object], height: int, white: float, matrix: bool, side: int
    ) -> None:
        self._visit, self._height, self._white, self._matrix, self._side = visit, height, white, matrix, side
        self._small: Floats | None = None
        self._alpha: Floats | None = None
        self._shape: Shape = ()
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
        small = self._small if self._small is not None else self._begin(values)
        self._extremes[part.rows.start] = find_extremes(values)
        nans, infinite = _count_odd(values)
        self._odd = self._odd[0] + nans, self._odd[1] + infinite
        if values.ndim == 1:
            small[part.rows] = values
        else:
            self._reduce(part, values, small)
        self._rows += len(values)

    def view(self) -> View:
        """Return the view."""
        if not self.complete:
            self._visit(self.take)
        assert self._small is not None
        ends = self._extremes.values()
        span = min(low for low, _ in ends), max(high for _, high in ends)
        view = _measure(self._small, self._shape, span, self._white, self._matrix)
        return view._replace(alpha=self._alpha, odd=self._odd)

    def _begin(self, values: Array) -> Floats:
        """Return room for all parts, of which the first one comes alone."""
        self._shape = (self._height, *values.shape[1:])
        factor = _factor(self._shape, self._side) if values.ndim > 1 else 1
        reduced = (*(ceil(side / factor) for side in self._shape[:2]), *self._shape[2:])
        self._small = np.empty(reduced, float_type(values.dtype))
        return self._small

    def _reduce(self, part: Part, values: Array, small: Floats) -> None:
        """Reduce the squares of pixels that begin in a part."""
        factor = _factor(self._shape, self._side)
        first = ceil(part.rows.start / factor)
        skipped = first * factor - part.rows.start
        if skipped >= len(values):
            return
        target = slice(first, first + ceil((len(values) - skipped) / factor))
        if part.alpha is None:
            small[target] = _shrink(values[skipped:], factor)
            return
        if self._alpha is None:
            self._alpha = np.ones((*small.shape[:2], 1), small.dtype)
        visible = np.asarray(part.alpha)[skipped:]
        small[target], self._alpha[target] = _shrink_visible(values[skipped:], visible, factor)


def _shrink_visible(values: Array, alpha: Floats, factor: int) -> tuple[Floats, Floats]:
    """Return means of squares of pixels, each weighed by its alpha (from 0 to 1), and means of alpha."""
    seen = _shrink(alpha, factor)
    if factor == 1:
        return _shrink(values, 1), seen
    return _shrink(values * alpha, factor) / np.maximum(seen, 1e-9), seen


def _shrink(volume: Array, factor: int) -> Floats:
    """Return means of squares of pixels, (ceil(H / factor), ceil(W / factor), C); the last ones may be smaller."""
    kind = float_type(volume.dtype)
    if factor == 1:
        return volume.astype(kind)
    source = volume if volume.dtype.name in _RESIZED else volume.astype(kind)
    whole = len(source) - len(source) % factor
    bands = [_resize(band, factor) for band in (source[:whole], source[whole:]) if len(band)]
    return np.concatenate(bands).astype(kind)


def _resize(band: Array, factor: int) -> Array:
    """Return means of squares of some rows of pixels, four channels at a time."""
    height, width = (ceil(side / factor) for side in band.shape[:2])
    fours = (np.ascontiguousarray(band[:, :, start : start + 4]) for start in range(0, band.shape[2], 4))
    small = [cv2.resize(four, (width, height), interpolation=cv2.INTER_AREA) for four in fours]
    return np.concatenate([four.reshape(height, width, -1) for four in small], axis=2)


def _factor(shape: Shape, side: int) -> int:
    return max(1, max(shape[:2]) // side)


def _count_odd(values: Array) -> tuple[int, int]:
    """Return how many values are nan, and how many are infinite."""
    if values.dtype.kind != "f" or not values.size or np.isfinite([values.min(), values.max()]).all():
        return 0, 0
    return int(np.count_nonzero(np.isnan(values))), int(np.count_nonzero(np.isinf(values)))


def _measure(values: Floats, shape: Shape, extremes: Extremes, white: float, matrix: bool) -> View:
    """Return a view of reduced values, with the shares that lie below 0 and above white."""
    finite = values[np.isfinite(values)]
    total = float(np.abs(finite).sum())
    below = -float(finite[finite < 0].sum()) / total if total else 0.0
    above = float(np.count_nonzero(finite > white)) / max(1, finite.size)
    return View(values, shape, *extremes, below, above, white, matrix)
