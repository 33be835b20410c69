"""Medians of windows: by OpenCV where every window lies in the image, else of sorted values."""

from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.padded import Padded, Places, pad_to_windows
from cnnfilter.compute.tiles import Tile, cut_strips, make_tiles
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.geometry import Pair, Window

_VALUES_AT_ONCE = 1 << 22
"""Those of windows that are sorted at a time: 32 MB of float64."""


def find_medians(volume: Array, window: Window, output: Pair, dtype: np.dtype[Any]) -> Array:
    """Return the median of each window's pixels that are there, (H', W', C); nan, as the padding is, is not there.

    Between two integers it is rounded half to even, if `dtype` holds no fractions.
    """
    padded = pad_to_windows(volume, window, output, np.nan, "float64")
    if _is_blurred(volume, window) and not any(padded.sides) and padded.ordered:
        return _blur_by_median(volume, window, output, dtype)
    if volume.dtype.kind in "iu" and volume.dtype.itemsize > 4:  # float64 does not hold them, but their ranks
        known, padded.volume = np.unique(volume, return_inverse=True)
        padded.volume = padded.volume.reshape(volume.shape)
        low, high = _find_middles(padded, window, output)
        return _meet(known[_as_places(low)], known[_as_places(high)], dtype)
    lower, upper = _find_middles(padded, window, output)
    medians = np.clip(lower / 2 + upper / 2, lower, upper)
    return (medians if dtype.kind == "f" else np.rint(medians)).astype(dtype, copy=False)


def _meet(lower: Array, upper: Array, dtype: np.dtype[Any]) -> Array:
    """Return what lies half way between whole numbers, rounded half to even if `dtype` holds no fractions."""
    if dtype.kind == "f":
        return np.asarray(lower.astype(dtype) / 2 + upper.astype(dtype) / 2)
    below = lower + ((upper - lower).astype(np.uint64) // 2).astype(lower.dtype)
    return np.asarray(below + ((upper - lower) & below & 1), dtype=dtype)


def _as_places(ranks: Doubles) -> Places:
    """Return ranks as indices; where no pixel was, any does."""
    return np.nan_to_num(ranks).astype(np.intp)


def _find_middles(padded: Padded, window: Window, output: Pair) -> tuple[Doubles, Doubles]:
    """Return the two pixels in the middle of each window's, in order, which are one where their number is odd."""
    pixels = padded.whole().astype(np.float64, copy=False)
    extent, stride, dilation = window.extent, window.stride, window.dilation
    windows = np.lib.stride_tricks.sliding_window_view(pixels, extent, axis=(0, 1))
    windows = windows[:: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]][: output[0], : output[1]]
    step = max(1, _VALUES_AT_ONCE // max(1, windows[0].size))
    parts = [_middle(windows[row : row + step]) for row in range(0, output[0], step)]
    return np.concatenate([low for low, _ in parts]), np.concatenate([high for _, high in parts])


def _is_blurred(volume: Array, window: Window) -> bool:
    """Return whether OpenCV's medianBlur takes these pixels and this window."""
    side = window.size[0]
    if window.size != (side, side) or side % 2 == 0 or window.dilation != (1, 1) or volume.shape[2] > 4:
        return False
    return side <= {np.dtype(np.uint8): 255, np.dtype(np.uint16): 5, np.dtype(np.float32): 5}.get(volume.dtype, 0)


def _blur_by_median(volume: Array, window: Window, output: Pair, dtype: np.dtype[Any]) -> Array:
    """Return the medians of windows that lie in the image."""
    results = np.empty((*output, volume.shape[2]), dtype)
    reach = window.size[0] // 2
    columns = slice(reach, reach + (output[1] - 1) * window.stride[1] + 1, window.stride[1])

    def make(tile: Tile) -> None:
        first, kept = tile.rows.start * window.stride[0], (tile.size[0] - 1) * window.stride[0] + 1
        source = np.ascontiguousarray(volume[first : first + kept + 2 * reach])
        medians = cv2.medianBlur(source, window.size[0]).reshape(source.shape)
        results[tile.rows] = medians[reach : reach + kept : window.stride[0], columns]

    make_tiles(cut_strips(*output, volume.shape[1] * volume.shape[2], window.size[0], window.stride[0]), make)
    return results


def _middle(windows: Doubles) -> tuple[Doubles, Doubles]:
    """Return the pixels in the middle of each window of (rows, columns, channels, kh, kw), nan aside."""
    values = np.sort(windows.reshape(*windows.shape[:3], -1), axis=-1)
    counts = np.count_nonzero(~np.isnan(values), axis=-1)[..., None]
    lower = np.take_along_axis(values, np.maximum(counts - 1, 0) // 2, axis=-1)
    upper = np.take_along_axis(values, counts // 2, axis=-1)
    return lower[..., 0], upper[..., 0]
