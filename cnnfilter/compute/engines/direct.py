"""The whole image at once by OpenCV: `filter2D` weight by weight, `sepFilter2D` for columns by rows.

Both have threads of their own, and make borders as they go. They pass over weights that are zero, so that what
is not finite stays with the windows that it belongs to (`filter2D` alone; a separable kernel meets it twice).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.engines.finish import Finish
from cnnfilter.compute.padded import Padded
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

    return _run(run, padded, (kernel.shape[0], kernel.shape[1]), stride, finish)


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

    return _run(run, padded, (len(factors[0][0]), len(factors[0][1])), stride, finish)


def _run(run: Filter, padded: Padded, size: Pair, stride: Pair, finish: Finish) -> Floats:
    """Filter with OpenCV's border where it is ours, else with the padding made first; keep what the stride keeps."""
    height, width, channels = padded.shape
    top, left, _, _ = padded.sides
    rows, columns = height - size[0] + 1, width - size[1] + 1
    fits = rows <= padded.volume.shape[0] and columns <= padded.volume.shape[1] and top < size[0] and left < size[1]
    if fits and padded.follows_volume and padded.border.mode in _BORDERS and _readable(padded.volume):
        image, anchor, border = padded.volume, (left, top), _BORDERS[padded.border.mode]
    else:
        image, anchor, border = padded.whole(), (0, 0), cv2.BORDER_CONSTANT
    if channels <= _MOST_CHANNELS:
        filtered = run(np.ascontiguousarray(image), anchor, border).reshape(*image.shape[:2], channels)
        return finish(filtered[: rows : stride[0], : columns : stride[1]])
    results = np.empty((-(-rows // stride[0]), -(-columns // stride[1]), channels), padded.dtype)
    for channel in range(channels):
        filtered = run(np.ascontiguousarray(image[:, :, channel]), anchor, border)
        results[:, :, channel] = filtered[: rows : stride[0], : columns : stride[1]]
    return finish(results)


def _readable(volume: Array) -> bool:
    """Return whether OpenCV takes pixels of this type."""
    return volume.dtype in {np.dtype(name) for name in ("uint8", "uint16", "float32", "float64")}
