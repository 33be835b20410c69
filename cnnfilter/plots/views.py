"""What is drawn of a picture or a result: reduced to what a figure can show, with the true range of all values."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats, float_type
from cnnfilter.compute.network import as_volume
from cnnfilter.compute.strips import Part
from cnnfilter.files.levels import Extremes, find_extremes
from cnnfilter.files.opencv import cv2
from cnnfilter.files.pictures import Picture
from cnnfilter.results import Result, visit_parts
from cnnfilter.spec.layers import Shape, show_shape

SUBSTANTIAL = 0.1
"""From this share of all magnitudes on, values below 0 are what a result is about; fewer, as a sharpened photo has
them, are cut off as they are in a file."""

BRIGHT = 0.25
"""And from this share of all pixels on, values above white."""

DIM = 0.25
"""A result of which no value reaches this share of white is drawn up to its greatest."""

FEW = 10_000
"""Up to so many values none is left out of the scale."""


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
        Whether the values are plain numbers and no picture.
    given
        Whether it is the input, which is drawn from black to white however dark it is.
    alpha
        (h, w, 1), reduced, from 0 where nothing is to be seen to 1; None where all is.
    odd
        How many values are no numbers, and how many are infinite.
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
        """What is drawn black and white: 0 and white, but the greatest value where white would show little of it."""
        if self.matrix:
            return min(self.low, 0.0), max(self.high, 0.0)
        if self.given or len(self.shape) < 3:
            return 0.0, self.white
        if self.shape[2] not in {1, 3}:
            return 0.0, self.reach
        return 0.0, self.reach if self.above > BRIGHT or 0 < self.high < DIM * self.white else self.white

    @property
    def reach(self) -> float:
        """A magnitude that few values exceed: the rare largest ones would leave all others pale."""
        magnitudes = np.abs(self.values[np.isfinite(self.values)])
        rare = float(np.percentile(magnitudes, 99.5)) if magnitudes.size > FEW else 0.0
        return rare or max(abs(self.low), abs(self.high))

    @property
    def size(self) -> str:
        """Height, width and channels as people write them; alpha is the fourth beside three."""
        if len(self.shape) < 3 or self.shape[2] > 1:
            with_alpha = self.alpha is not None and self.shape[2:] == (3,)
            return show_shape((*self.shape[:2], 4) if with_alpha else self.shape)
        return show_shape(self.shape[:2])


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
        floats: Floats = values.astype(float_type(values.dtype))
        return _measured(floats, values.shape, find_extremes(values), white, matrix)._replace(odd=count_odd(values))
    volume = as_volume(values)
    factor = _factor(volume.shape, side)
    view = _measured(shrink(volume, factor), volume.shape, find_extremes(volume), white, matrix)
    return view._replace(odd=count_odd(volume))


def view_picture(picture: Picture, side: int) -> View:
    """Return a view of an input."""
    pixels = as_volume(picture.pixels)
    if not picture.has_alpha:
        return view_values(pixels, side, picture.maximum, matrix=picture.matrix)._replace(given=True)
    factor = _factor(pixels.shape, side)
    extremes = find_extremes(pixels[:, :, :3])
    shape = (*pixels.shape[:2], 3)
    alpha = np.asarray(pixels[:, :, 3:] / picture.maximum)
    shown, seen = _shrink_visible(pixels[:, :, :3], alpha, factor)
    return _measured(shown, shape, extremes, picture.maximum, matrix=False)._replace(
        given=True, alpha=seen, odd=count_odd(pixels[:, :, :3])
    )


class Reducer:
    """Makes a view of a result as its parts come by, in any order and from several threads.

    Parameters
    ----------
    result
        Whose parts they are.
    side
        So many pixels are drawn along an axis at least, if there are as many.
    """

    def __init__(self, result: Result, side: int) -> None:
        self._result, self._side = result, side
        self._small: Floats | None = None
        self._alpha: Floats | None = None
        self._odd = 0, 0
        self._shape: Shape = ()
        self._extremes: dict[int, Extremes] = {}
        self._rows = 0

    @property
    def complete(self) -> bool:
        """Whether all parts have come by."""
        return self._rows >= self._result.height

    def take(self, part: Part) -> None:
        """Take in a part; one that comes again changes nothing."""
        if part.rows.start in self._extremes:
            return
        values = part.values if part.values.ndim == 1 else as_volume(part.values)
        if self._small is None:
            self._begin(values)
        assert self._small is not None
        self._extremes[part.rows.start] = find_extremes(values)
        nans, infinite = count_odd(values)
        self._odd = self._odd[0] + nans, self._odd[1] + infinite
        if values.ndim == 1:
            self._small[part.rows] = values
        else:
            self._reduce(part, values, self._small)
        self._rows += len(values)

    def view(self) -> View:
        """Return the view."""
        if not self.complete:
            visit_parts(self._result.parts, self.take)
        assert self._small is not None
        ends = self._extremes.values()
        span = min(low for low, _ in ends), max(high for _, high in ends)
        view = _measured(self._small, self._shape, span, self._result.white, self._result.matrix)
        return view._replace(alpha=self._alpha, odd=self._odd)

    def _begin(self, values: Array) -> None:
        """Make room for all parts, of which the first one comes alone."""
        self._shape = (self._result.height, *values.shape[1:])
        reduced = self._shape
        if values.ndim > 1:
            factor = _factor(self._shape, self._side)
            reduced = (ceil(self._shape[0] / factor), ceil(self._shape[1] / factor), self._shape[2])
        self._small = np.empty(reduced, float_type(values.dtype))

    def _reduce(self, part: Part, values: Array, small: Floats) -> None:
        """Reduce the squares of pixels that begin in a part."""
        factor = _factor(self._shape, self._side)
        first = ceil(part.rows.start / factor)
        skipped = first * factor - part.rows.start
        if skipped >= len(values):
            return
        target = slice(first, first + ceil((len(values) - skipped) / factor))
        if part.alpha is None:
            small[target] = shrink(values[skipped:], factor)
            return
        if self._alpha is None:
            self._alpha = np.ones((*small.shape[:2], 1), small.dtype)
        visible = np.asarray(part.alpha)[skipped:]
        small[target], self._alpha[target] = _shrink_visible(values[skipped:], visible, factor)


def _shrink_visible(values: Array, alpha: Floats, factor: int) -> tuple[Floats, Floats]:
    """Return means of squares of pixels, each weighed by its alpha (from 0 to 1), and means of alpha."""
    seen = shrink(alpha, factor)
    if factor == 1:
        return shrink(values, 1), seen
    return shrink(values * alpha, factor) / np.maximum(seen, 1e-9), seen


def shrink(volume: Array, factor: int) -> Floats:
    """Return means of squares of pixels, (ceil(H / factor), ceil(W / factor), C); the last ones may be smaller."""
    kind = float_type(volume.dtype)
    if factor == 1:
        return volume.astype(kind)
    height, width, channels = volume.shape
    size = ceil(width / factor), ceil(height / factor)
    source = volume if volume.dtype in _REDUCED else volume.astype(kind)
    reduced = np.empty((size[1], size[0], channels), kind)
    whole = height // factor
    for rows, target in (
        (slice(0, whole * factor), slice(0, whole)),
        (slice(whole * factor, height), slice(whole, None)),
    ):
        for channel in range(0, channels, 4) if rows.start < rows.stop else ():
            part = np.ascontiguousarray(source[rows, :, channel : channel + 4])
            place = reduced[target, :, channel : channel + 4]
            small = cv2.resize(part, (size[0], place.shape[0]), interpolation=cv2.INTER_AREA)
            place[...] = small.reshape(place.shape)
    return reduced


_REDUCED = {np.dtype(name) for name in ("uint8", "uint16", "float32", "float64")}
"""What OpenCV resizes."""


def _factor(shape: Shape, side: int) -> int:
    return max(1, max(shape[:2]) // side)


def count_odd(values: Array) -> tuple[int, int]:
    """Return how many values are no numbers, and how many are infinite."""
    if values.dtype.kind != "f" or not values.size or np.isfinite([values.min(), values.max()]).all():
        return 0, 0
    return int(np.count_nonzero(np.isnan(values))), int(np.count_nonzero(np.isinf(values)))


def _measured(values: Floats, shape: Shape, extremes: Extremes, white: float, matrix: bool) -> View:
    finite = values[np.isfinite(values)]
    total = float(np.abs(finite).sum())
    below = -float(finite[finite < 0].sum()) / total if total else 0.0
    above = float(np.count_nonzero(finite > white)) / max(1, finite.size)
    return View(values, shape, *extremes, below, above, white, matrix)
