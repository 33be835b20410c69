"""Correlation of two planes: sums of products for every shift, peaks, and the shift to a part of a pixel.

r[dy, dx] = sum over y, x of a[y + dy, x + dx] b[y, x], where b lies within a: what `scipy.signal.correlate` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.exact import is_whole
from cnnfilter.compute.plan import EXACT_FOURIER
from cnnfilter.errors import ImageFileError, ShapeError
from cnnfilter.io.atomic import read_bytes
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.opencv import cv2
from cnnfilter.log import warn
from cnnfilter.nn.correlation import Correlation, Overlap, Pattern, Similarity, find_lags
from cnnfilter.nn.other_layers import Gray

Lags = tuple[range, range]
"""The shifts (dy, dx) that a map has values for, one for each row, one for each column."""

_APART = 3
"""Pixels between two peaks, along the axis on which they are farther apart, at least: none is as near as this."""

LARGEST_LAID = 1 << 14
"""Weights of a pattern up to which OpenCV is at least as fast as transforms of the whole (tests/benchmarks)."""

_DIGITS = 9
"""Values that agree in so many digits of the greatest one count as equal."""

_ROWS = 64
"""Rows that are worked on at a time: few enough to stay in the cache, so that little memory is needed."""

_LEAST_REFINED = 8
"""Fewer rows or columns that two images share say nothing about parts of a pixel."""


class Peak(NamedTuple):
    """A shift (dy, dx), where the first pixel of the pattern lies in the image, and the value there."""

    dy: float
    dx: float
    value: float


def read_pattern(path: str) -> tuple[Doubles, Pattern]:
    """Return the plane in the file of a pattern, and what is known of it before it is correlated."""
    picture = decode_picture(read_bytes(path), path)
    if picture.matrix and picture.colours.shape[2] > 1:
        reason = f"the matrix has {picture.colours.shape[2]} channels, and a correlation takes one"
        raise ImageFileError(reason, path=path)
    if picture.pages:
        warn(f"{path}: the first of {picture.pages.count} pages is used as the pattern")
    try:
        plane = to_plane(picture.colours)
    except ShapeError as error:
        raise ImageFileError(str(error), path=path) from error
    return plane, Pattern(path, (plane.shape[0], plane.shape[1]), picture.matrix)


def to_plane(volume: Array) -> Doubles:
    """Return a (H, W, C) volume as (H, W) float64: its luma, or its only channel. `ShapeError` of nan and infinity."""
    if volume.shape[2] not in {1, 3}:
        raise ShapeError(f"a correlation takes 1 channel, or 3 (red, green, blue), not {volume.shape[2]}")
    doubles = volume.astype(np.float64)
    plane = doubles[:, :, 0] if volume.shape[2] == 1 else doubles @ np.array(Gray.WEIGHTS)
    if not np.isfinite(plane).all():
        raise ShapeError("nan or infinity among the values: every sum of products would be nan")
    return np.ascontiguousarray(plane)


def correlate_volume(volume: Array, layer: Correlation, pattern: Array | None) -> Doubles:
    """Return what a layer makes of a (H, W, C) volume, (H', W', 1); without a pattern its autocorrelation."""
    plane = to_plane(volume)
    lags = layer.lags((plane.shape[0], plane.shape[1]))
    return correlate_planes(plane, plane if pattern is None else pattern, lags, layer.similarity)[:, :, None]


def correlate_planes(image: Doubles, pattern: Doubles, lags: Lags, similarity: Similarity) -> Doubles:
    """Return the value of each shift, (rows, columns); `image` itself as the pattern gives the autocorrelation.

    Raises a `ShapeError` where `ncc` and `phase` have nothing to compare: one of the two has a single level.
    """
    if similarity is Similarity.NONE:
        return sum_products(image, pattern, lags)
    for plane, name in ((image, "the image"), (pattern, "the pattern")):
        if similarity is not Similarity.MEAN and plane.min() == plane.max():
            raise ShapeError(f"{name} is flat: {similarity} divides by its contrast, which is 0")
    centred = _centre(image, similarity)
    other = centred if pattern is image else _centre(pattern, similarity)
    if similarity is Similarity.PHASE:
        return multiply_spectra(centred, other, lags, whiten=True)
    products = sum_products(centred, other, lags)
    return products if similarity is Similarity.MEAN else _divide_by_contrast(products, centred, other, lags)


def _centre(plane: Doubles, similarity: Similarity) -> Doubles:
    """Return a plane without its mean; where its scale does not count, near 1, so that no square is too large."""
    centred: Doubles = plane - plane.mean()
    if similarity is not Similarity.MEAN:
        _, exponent = np.frexp(max(centred.max(), -centred.min()))
        np.ldexp(centred, -exponent, out=centred)
    return centred


def sum_products(image: Doubles, pattern: Doubles, lags: Lags) -> Doubles:
    """Return the sums of products: exact where both hold whole numbers that are small enough."""
    lay = lay_directly if pattern.size <= LARGEST_LAID else multiply_spectra
    products = lay(image, pattern, lags)
    bound = float(np.abs(image).max()) * float(np.abs(pattern).max()) * min(image.size, pattern.size)
    if bound < EXACT_FOURIER["float64"] and is_whole(image) and is_whole(pattern):
        np.rint(products, out=products)
    return products


def lay_directly(image: Doubles, pattern: Doubles, lags: Lags) -> Doubles:
    """Return the sums of products by OpenCV, on the image with as many zeros around as the shifts need.

    From 50 weights on it works tile by tile with Fourier transforms of its own.
    """
    (above, below), (left, right) = (
        (max(0, -shifts[0]), max(0, shifts[-1] + length - side))
        for side, length, shifts in zip(image.shape, pattern.shape, lags, strict=True)
    )
    padded = cv2.copyMakeBorder(image, above, below, left, right, cv2.BORDER_CONSTANT, value=0.0)
    laid = cv2.filter2D(padded, cv2.CV_64F, pattern, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    rows, columns = (
        range(shifts[0] + pad, shifts[-1] + pad + 1) for shifts, pad in zip(lags, (above, left), strict=True)
    )
    return np.asarray(laid[rows.start : rows.stop, columns.start : columns.stop])


def multiply_spectra(image: Doubles, pattern: Doubles, lags: Lags, *, whiten: bool = False) -> Doubles:
    """Return the sums of products by Fourier transforms so long that what wraps around reaches no shift asked for."""
    sides = [
        cv2.getOptimalDFTSize(max(side - shifts[0], shifts[-1] + length, side, length))
        for side, length, shifts in zip(image.shape, pattern.shape, lags, strict=True)
    ]
    spectrum = np.fft.rfft2(image, sides)
    other = spectrum if pattern is image else np.fft.rfft2(pattern, sides)
    greatest = 0.0
    for start in range(0, sides[0], _ROWS):
        rows = spectrum[start : start + _ROWS]
        rows *= other[start : start + _ROWS].conj()
        greatest = max(greatest, float(np.abs(rows).max())) if whiten else 0.0
    for start in range(0, sides[0] if whiten else 0, _ROWS):
        rows = spectrum[start : start + _ROWS]
        magnitudes = np.abs(rows)
        magnitudes[magnitudes <= np.finfo(float).eps * greatest] = np.inf
        rows /= magnitudes
    np.fft.ifft(spectrum, axis=0, out=spectrum)
    sums = np.empty((len(lags[0]), len(lags[1])))
    for start in range(0, len(sums), _ROWS):
        lines = np.fft.irfft(spectrum[np.array(lags[0][start : start + _ROWS]) % sides[0]], sides[1])
        sums[start : start + _ROWS] = np.roll(lines, -lags[1].start, axis=1)[:, : len(lags[1])]
    return sums


def _divide_by_contrast(products: Doubles, image: Doubles, pattern: Doubles, lags: Lags) -> Doubles:
    """Return the normalised coefficient of each overlap: 0 where a side is flat, or it has under half of the pattern.

    num / sqrt(var a var b) with num = sum ab - sum a sum b / n, var = sum a^2 - (sum a)^2 / n, all over the n pixels of
    the overlap (Padfield, "Masked object registration in the Fourier domain", 2012, eqs. 1 to 5).
    """
    spans = [_find_spans(*sides) for sides in zip(image.shape, pattern.shape, lags, strict=True)]
    counts = np.multiply.outer(*((stops - starts).astype(float) for starts, stops, _ in spans))
    columns = [spans[1][0], spans[1][1]], [spans[1][0] - spans[1][2], spans[1][1] - spans[1][2]]
    running = [(_accumulate(plane), _accumulate(plane**2)) for plane in (image, pattern)]
    least = [8 * np.finfo(float).eps * float(squares[-1].sum()) for _, squares in running]  # what rounding leaves of 0
    result = np.zeros(products.shape)
    for start in range(0, len(result), _ROWS):
        part = slice(start, start + _ROWS)
        starts, stops, shifts = (edge[part] for edge in spans[0])
        rows, count = ((starts, stops), (starts - shifts, stops - shifts)), counts[part]
        totals = [_add_spans(sums, rows[side], columns[side]) for side, (sums, _) in enumerate(running)]
        energies = [_add_spans(squares, rows[side], columns[side]) for side, (_, squares) in enumerate(running)]
        contrasts = [energy - total**2 / count for energy, total in zip(energies, totals, strict=True)]
        known = (contrasts[0] > least[0]) & (contrasts[1] > least[1]) & (2 * count >= pattern.size)
        scale = np.sqrt(np.where(known, contrasts[0], 1)) * np.sqrt(np.where(known, contrasts[1], 1))
        np.divide(products[part] - totals[0] * totals[1] / count, scale, out=result[part], where=known)
    return np.clip(result, -1, 1, out=result)


def _find_spans(side: int, length: int, shifts: range) -> tuple[Array, Array, Array]:
    """Return for each shift the first row that the pattern covers, the one after the last, and the shift."""
    shift = np.arange(shifts.start, shifts.stop)
    return np.maximum(shift, 0), np.minimum(shift + length, side), shift


def _accumulate(plane: Doubles) -> Doubles:
    """Return the sums of the first 0, 1, 2, ... rows: (H + 1, W)."""
    return np.concatenate([np.zeros((1, plane.shape[1])), plane.cumsum(axis=0)])


def _add_spans(sums: Doubles, rows: Sequence[Array], columns: Sequence[Array]) -> Doubles:
    """Return the sum over each pair of rows from a start to a stop and columns from a start to a stop."""
    bands = _accumulate((sums[rows[1]] - sums[rows[0]]).T)
    return (bands[columns[1]] - bands[columns[0]]).T


def find_peaks(values: Doubles, lags: Lags, count: int) -> list[Peak]:
    """Return up to so many peaks, the greatest first: values that none within 3 pixels exceeds, and not all equal.

    Examples
    --------
    >>> find_peaks(np.array([[0.0, 3, 0, 0, 0, 9, 1]]), (range(1), range(-3, 4)), 5)
    [Peak(dy=0, dx=2, value=9.0), Peak(dy=0, dx=-2, value=3.0)]
    """
    window = np.ones((2 * _APART + 1, 2 * _APART + 1), np.uint8)
    levels = np.round(values / (np.abs(values).max() or 1.0), _DIGITS)  # so that rounding makes no peaks
    highest = (levels == cv2.dilate(levels, window)) & (levels > cv2.erode(levels, window))  # a plain has no peak
    if not highest.any():
        highest.flat[levels.argmax()] = True
    places = np.argwhere(highest)
    shifts = places + np.array([shifts.start for shifts in lags])
    found, taken = list[Peak](), np.empty((0, 2), int)
    for index in np.lexsort(((shifts**2).sum(axis=1), -levels[highest])):  # of equal ones the nearest to 0 0 is first
        if len(found) == count:
            break
        if not found or np.abs(taken - shifts[index]).max(axis=1).min() > _APART:
            taken = np.vstack([taken, shifts[index]])
            dy, dx = map(int, shifts[index])
            found.append(Peak(dy, dx, float(values[tuple(places[index])])))
    return found


def find_shift(image: Doubles, pattern: Doubles, similarity: Similarity) -> Peak:
    """Return how far the image is shifted against the pattern, (dy, dx) to a part of a pixel, and the greatest value.

    The greatest value of the map gives the whole pixels. Then what the two share is laid on each other again, by a
    correlation whose values between the pixels are those of the trigonometric polynomial through the others
    (Guizar-Sicairos, Thurman and Fienup, "Efficient subpixel image registration algorithms", 2008).
    """
    lags = tuple(find_lags(*sides, Overlap.FULL) for sides in zip(image.shape, pattern.shape, strict=True))
    values = correlate_planes(image, pattern, (lags[0], lags[1]), similarity)
    place = np.unravel_index(np.argmax(values), values.shape)
    dy, dx = lags[0][place[0]], lags[1][place[1]]
    down, right = max(dy, 0), max(dx, 0)
    height = min(image.shape[0], dy + pattern.shape[0]) - down
    width = min(image.shape[1], dx + pattern.shape[1]) - right
    shared = image[down : down + height, right : right + width]
    part = _find_part(shared, pattern[down - dy :, right - dx :][:height, :width])
    return Peak(dy + part[0], dx + part[1], float(values[place]))


def _find_part(image: Doubles, pattern: Doubles) -> tuple[float, float]:
    """Return the shift of two planes of one size that are at most a pixel apart, to a hundredth."""
    fade = np.multiply.outer(*(np.hanning(side + 2)[1:-1] for side in image.shape))
    spectra = [np.fft.fft2((plane - plane.mean()) * fade) for plane in (image, pattern)]
    product = spectra[0] * np.conj(spectra[1])
    frequencies = [np.fft.fftfreq(side) for side in image.shape]
    reach = [1.0 if side >= _LEAST_REFINED else 0.0 for side in image.shape]
    best = 0.0, 0.0
    for step in (0.1, 0.01):
        tried = [at + some * np.arange(-10, 11) * step for at, some in zip(best, reach, strict=True)]
        down, right = (np.exp(2j * np.pi * np.multiply.outer(*axis)) for axis in zip(tried, frequencies, strict=True))
        values = (down @ product @ right.T).real
        row, column = np.unravel_index(np.argmax(values), values.shape)
        best = float(tried[0][row]), float(tried[1][column])
    return best
