"""OpenCV's filters: `filter2D` weight by weight, `sepFilter2D` for columns by rows, `boxFilter` for equal weights.

They make borders as they go, and take the whole image at once where its pixels are numbers of the right type and the
results are what comes out. Else strips, each converted, filtered and finished in the cache of a core, take a third of
the time: the whole image in another type would be fresh memory. `filter2D` skips weights that are zero, so that what
is not finite stays within the windows that it is in (a separable kernel meets it twice, a running sum never loses it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.engines.finish import UNFINISHED, Finish
from cnnfilter.compute.padded import WHITE, Padded
from cnnfilter.compute.tiles import Tile, cut_strips, make_tiles
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.borders import BorderMode
from cnnfilter.spec.geometry import Pair

_BORDERS = {
    BorderMode.ZERO: cv2.BORDER_CONSTANT,
    BorderMode.EDGE: cv2.BORDER_REPLICATE,
    BorderMode.REFLECT: cv2.BORDER_REFLECT_101,
    BorderMode.SYMMETRIC: cv2.BORDER_REFLECT,
}
"""No filter takes a wrapped border, nor the value of a constant one."""

_DEPTHS = {np.dtype(np.float32): cv2.CV_32F, np.dtype(np.float64): cv2.CV_64F}

_SIDE_BY_SIDE = 4
"""Channels that OpenCV filters at a time."""

MOST_CHANNELS = 128
"""What an image of OpenCV 5 holds."""

_LARGEST_SUM = 2**31
"""Where the whole numbers of 32 bits end in which `boxFilter` adds up pixels of 8 and 16 bits."""

Filter = Callable[[Array, tuple[int, int], int], Array]
"""Filters an image, given its anchor (x, y) and OpenCV's border."""


def filter_directly(padded: Padded, kernel: Doubles, stride: Pair, finish: Finish) -> Floats:
    """Return each channel filtered by a (kh, kw) kernel: (H', W', C)."""
    weights = np.ascontiguousarray(kernel, dtype=padded.dtype)

    def run(image: Array, anchor: tuple[int, int], border: int) -> Array:
        floats = np.ascontiguousarray(image, dtype=padded.dtype)  # faster than OpenCV's own way through 8 bits
        return np.asarray(cv2.filter2D(floats, -1, weights, anchor=anchor, borderType=border))

    size = kernel.shape[0], kernel.shape[1]
    native = has_native_border(padded, size)
    if native and padded.volume.dtype == padded.dtype and stride == (1, 1) and finish.does_nothing:
        return _filter_at_once(run, padded, size)
    return _filter_in_strips(run, _Strips(padded, size, native), stride, finish, padded.dtype)


def filter_strided(padded: Padded, kernel: Doubles, stride: Pair) -> Floats:
    """Return every s-th result, as the sum over s x s phases of the image by those of the kernel: (H', W', C)."""
    rows = (padded.shape[0] - kernel.shape[0]) // stride[0] + 1
    columns = (padded.shape[1] - kernel.shape[1]) // stride[1] + 1
    total: Floats | None = None
    for row in range(min(stride[0], kernel.shape[0])):
        for column in range(min(stride[1], kernel.shape[1])):
            weights = kernel[row :: stride[0], column :: stride[1]]
            if not weights.any():
                continue
            part = filter_directly(padded.every((row, column), stride), weights, (1, 1), UNFINISHED)[:rows, :columns]
            total = np.array(part) if total is None else np.add(total, part, out=total)
    return np.zeros((rows, columns, padded.shape[2]), padded.dtype) if total is None else total


def filter_dilated(padded: Padded, kernel: Doubles, dilation: Pair) -> Floats:
    """Return what a kernel with gaps gives: each of d x d phases of the image filtered without: (H', W', C)."""
    rows = padded.shape[0] - dilation[0] * (kernel.shape[0] - 1)
    columns = padded.shape[1] - dilation[1] * (kernel.shape[1] - 1)
    results = np.empty((rows, columns, padded.shape[2]), padded.dtype)
    for row in range(min(dilation[0], rows)):
        for column in range(min(dilation[1], columns)):
            part = padded.every((row, column), dilation)
            results[row :: dilation[0], column :: dilation[1]] = filter_directly(part, kernel, (1, 1), UNFINISHED)
    return results


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
    native = has_native_border(padded, size) and padded.volume.dtype == own.dtype
    if native and stride == (1, 1) and finish.does_nothing and len(factors) == 1:
        return _filter_at_once(run, padded, size)
    return _filter_in_strips(run, _Strips(padded if native else own, size, native), stride, finish, padded.dtype)


def sum_boxes(padded: Padded, size: Pair, weight: float, stride: Pair, finish: Finish, *, exact: bool) -> Floats:
    """Return `weight` times the sum over each window of `size`, channel by channel: (H', W', C).

    Sums run on from pixel to pixel, whatever the size: in whole numbers where pixels have 8 or 16 bits, else in
    float64. Where they are exact, OpenCV makes the border; else sums run along each strip with its padding.
    """
    own = padded.in_own_type()
    source = own if WHITE.get(own.dtype, _LARGEST_SUM) * size[0] * size[1] < _LARGEST_SUM else padded

    def run(image: Array, anchor: tuple[int, int], border: int) -> Array:
        pixels = np.ascontiguousarray(image, dtype=source.dtype)
        depth = _DEPTHS[padded.dtype]
        sums = cv2.boxFilter(pixels, depth, size[::-1], anchor=anchor, normalize=False, borderType=border)
        return np.asarray(sums if weight == 1 else np.multiply(sums, padded.dtype.type(weight), out=sums))

    native = exact and has_native_border(padded, size)
    if native and stride == (1, 1) and padded.volume.dtype == source.dtype:
        return finish(_filter_at_once(run, padded, size))
    strips = _Strips(source, size, native)
    return _filter_in_strips(run, strips, stride, finish, padded.dtype, MOST_CHANNELS)


def has_native_border(padded: Padded, size: Pair) -> bool:
    """Return whether OpenCV makes the border of the volume as it is, and its results are in the right places."""
    height, width, channels = padded.shape
    top, left, _, _ = padded.sides
    return (
        padded.follows_volume
        and padded.border.mode in _BORDERS
        and channels <= _SIDE_BY_SIDE
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


class _Strips(NamedTuple):
    """Rows of an image for a kernel of a size: of the volume, whose border OpenCV makes, or of the padded volume."""

    padded: Padded
    size: Pair
    native: bool

    def filter(self, run: Filter, channels: slice, first: int, count: int) -> Array:
        """Return so many rows of results from `first` on."""
        padded, size = self.padded, self.size
        if not self.native:
            part = np.ascontiguousarray(padded.peek(slice(first, first + count + size[0] - 1))[:, :, channels])
            return run(part, (0, 0), cv2.BORDER_CONSTANT).reshape(part.shape)[:count]
        top, left, _, _ = padded.sides
        start, stop = first - top, first - top + count - 1 + size[0]
        if start < 0:  # what is reflected beyond an edge is on the other side of the window
            stop += size[0]
        if stop > len(padded.volume):
            start -= size[0]
        start = max(start, 0)
        part = np.ascontiguousarray(padded.volume[start:stop, :, channels])
        return run(part, (left, top), _BORDERS[padded.border.mode]).reshape(part.shape)[first - start :][:count]


def _filter_in_strips(
    run: Filter, strips: _Strips, stride: Pair, finish: Finish, dtype: np.dtype[Any], at_once: int = _SIDE_BY_SIDE
) -> Floats:
    """Filter a few rows at a time; keep what the stride keeps."""
    (height, width, channels), size = strips.padded.shape, strips.size
    rows, columns = (height - size[0]) // stride[0] + 1, (width - size[1]) // stride[1] + 1
    results = np.empty((rows, columns, channels), dtype)

    def make(tile: Tile) -> None:
        kept = (tile.size[0] - 1) * stride[0] + 1
        for first in range(0, channels, at_once):
            part = slice(first, first + at_once)
            filtered = strips.filter(run, part, tile.rows.start * stride[0], kept)
            results[tile.rows, :, part] = filtered[:: stride[0], : width - size[1] + 1 : stride[1]]
        finish(results[tile.rows])

    make_tiles(cut_strips(rows, columns, width * channels, size[0], stride[0]), make)
    return results
