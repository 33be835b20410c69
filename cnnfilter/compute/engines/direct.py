"""OpenCV's filters: `filter2D` weight by weight, `sepFilter2D` for columns by rows.

Both make borders as they go, and take the whole image at once where its pixels are numbers of the right type and the
results are what comes out. Else strips, each converted, filtered and finished in the cache of a core, take a third of
the time: the whole image in another type would be fresh memory. `filter2D` passes over weights that are zero, so that
what is not finite stays with the windows that it belongs to (a separable kernel meets it twice).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.engines.finish import Finish
from cnnfilter.compute.padded import Padded
from cnnfilter.compute.tiles import Tile, Worker, cut_strips, make_tiles
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.borders import BorderMode
from cnnfilter.spec.geometry import Pair

_BORDERS = {
    BorderMode.ZERO: cv2.BORDER_CONSTANT,
    BorderMode.EDGE: cv2.BORDER_REPLICATE,
    BorderMode.REFLECT: cv2.BORDER_REFLECT_101,
    BorderMode.SYMMETRIC: cv2.BORDER_REFLECT,
}
"""Neither function takes a wrapped border, nor the value of a constant one."""

_DEPTHS = {np.dtype(np.float32): cv2.CV_32F, np.dtype(np.float64): cv2.CV_64F}

_MOST_CHANNELS = 4
"""What OpenCV filters side by side."""

Filter = Callable[[Array, tuple[int, int], int], Array]
"""Filters an image, given its anchor (x, y) and OpenCV's border."""


def filter_directly(padded: Padded, kernel: Doubles, stride: Pair, finish: Finish) -> Floats:
    """Return each channel filtered by a (kh, kw) kernel: (H', W', C)."""
    weights = np.ascontiguousarray(kernel, dtype=padded.dtype)

    def run(image: Array, anchor: tuple[int, int], border: int) -> Array:
        floats = np.ascontiguousarray(image, dtype=padded.dtype)  # faster than OpenCV's own way through 8 bits
        return np.asarray(cv2.filter2D(floats, -1, weights, anchor=anchor, borderType=border))

    size = kernel.shape[0], kernel.shape[1]
    if has_native_border(padded, size):
        if padded.volume.dtype == padded.dtype and stride == (1, 1) and finish.does_nothing:
            return _filter_at_once(run, padded, size)
        return _filter_in_strips(run, _native_strips(padded, size), padded, size, stride, finish)
    return _filter_in_strips(run, _padded_strips(padded, size), padded, size, stride, finish)


def filter_to_shorts(padded: Padded, kernel: Doubles, bias: float) -> Array:
    """Return each channel of 8 bits filtered by a (kh, kw) kernel, with a bias: int16 (H', W', C).

    The caller knows that OpenCV can make the border, and that all sums are whole numbers of 16 bits.
    """
    weights = kernel.astype(np.float32)

    def run(image: Array, anchor: tuple[int, int], border: int) -> Array:
        return np.asarray(cv2.filter2D(image, cv2.CV_16S, weights, anchor=anchor, delta=bias, borderType=border))

    return _filter_at_once(run, padded, (kernel.shape[0], kernel.shape[1]))


def filter_separably(
    padded: Padded, factors: tuple[tuple[Doubles, Doubles], ...], stride: Pair, finish: Finish
) -> Floats:
    """Return each channel filtered by the sum of (column, row) products: (H', W', C)."""
    pairs = [(column.astype(padded.dtype), row.astype(padded.dtype)) for column, row in factors]

    def run(image: Array, anchor: tuple[int, int], border: int) -> Array:
        total: Array | None = None
        for column, row in pairs:
            part = cv2.sepFilter2D(image, _DEPTHS[padded.dtype], row, column, anchor=anchor, borderType=border)
            total = part if total is None else np.add(total, part, out=total)
        return np.asarray(total)

    size = len(factors[0][0]), len(factors[0][1])
    own = padded.in_own_type()
    if has_native_border(padded, size) and padded.volume.dtype == own.dtype:
        if stride == (1, 1) and finish.does_nothing and len(factors) == 1:
            return _filter_at_once(run, padded, size)
        return _filter_in_strips(run, _native_strips(padded, size), padded, size, stride, finish)
    return _filter_in_strips(run, _padded_strips(own, size), padded, size, stride, finish)


def has_native_border(padded: Padded, size: Pair) -> bool:
    """Return whether OpenCV makes the border of the volume as it lies, and its results are in the right places."""
    height, width, channels = padded.shape
    top, left, _, _ = padded.sides
    return (
        padded.follows_volume
        and padded.border.mode in _BORDERS
        and channels <= _MOST_CHANNELS
        and height - size[0] < padded.volume.shape[0]
        and width - size[1] < padded.volume.shape[1]
        and top < size[0]
        and left < size[1]
    )


def _filter_at_once(run: Filter, padded: Padded, size: Pair) -> Array:
    """Filter with OpenCV's border, on its threads."""
    top, left, _, _ = padded.sides
    image = np.ascontiguousarray(padded.volume)
    filtered = run(image, (left, top), _BORDERS[padded.border.mode]).reshape(image.shape)
    return filtered[: padded.shape[0] - size[0] + 1, : padded.shape[1] - size[1] + 1]


class _Strip(NamedTuple):
    """Rows of an image to filter, how OpenCV does so, and which of its results is the first that is wanted."""

    pixels: Array
    anchor: tuple[int, int]
    border: int
    first: int


Strips = Callable[[int, int], _Strip]
"""Gives the strip for results from a row on, so many."""


def _native_strips(padded: Padded, size: Pair) -> Strips:
    """Return strips of the volume, whose border OpenCV makes."""
    top, left, _, _ = padded.sides
    height = padded.volume.shape[0]

    def give(first: int, count: int) -> _Strip:
        start, stop = first - top, first - top + count - 1 + size[0]
        if start < 0:  # what is reflected beyond an edge lies on the other side of the window
            stop += size[0]
        if stop > height:
            start -= size[0]
        start = max(start, 0)
        return _Strip(padded.volume[start:stop], (left, top), _BORDERS[padded.border.mode], first - start)

    return give


def _padded_strips(padded: Padded, size: Pair) -> Strips:
    """Return strips of the padded volume."""

    def give(first: int, count: int) -> _Strip:
        return _Strip(padded.peek(slice(first, first + count + size[0] - 1)), (0, 0), cv2.BORDER_CONSTANT, 0)

    return give


def _filter_in_strips(run: Filter, strips: Strips, padded: Padded, size: Pair, stride: Pair, finish: Finish) -> Floats:
    """Filter a few rows at a time; keep what the stride keeps."""
    height, width, channels = padded.shape
    rows, columns = (height - size[0]) // stride[0] + 1, (width - size[1]) // stride[1] + 1
    results = np.empty((rows, columns, channels), padded.dtype)

    def begin() -> Worker:
        def make(tile: Tile) -> None:
            kept = (tile.size[0] - 1) * stride[0] + 1
            strip = strips(tile.rows.start * stride[0], kept)
            for channel in range(0, channels, _MOST_CHANNELS):
                part = np.ascontiguousarray(strip.pixels[:, :, channel : channel + _MOST_CHANNELS])
                filtered = run(part, strip.anchor, strip.border).reshape(part.shape)
                wanted = filtered[strip.first : strip.first + kept : stride[0], : width - size[1] + 1 : stride[1]]
                results[tile.rows, :, channel : channel + _MOST_CHANNELS] = wanted
            finish(results[tile.rows])

        return make

    make_tiles(cut_strips(rows, columns, width * channels, size[0], stride[0]), begin)
    return results
