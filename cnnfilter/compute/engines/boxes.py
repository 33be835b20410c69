"""Rectangles of equal weights by OpenCV's `boxFilter`: sums that run on from pixel to pixel, whatever the size.

Sums are held in float64, of 8 and 16 bits in whole numbers, so that nothing is lost as they run. What is not finite
would stay in them, and so would, of float64, the rounding errors of the pixels that have passed. OpenCV takes one
thread: the strips take the others.
"""

from __future__ import annotations

import numpy as np

from cnnfilter.arrays import Floats
from cnnfilter.compute.engines.finish import Finish
from cnnfilter.compute.padded import WHITE, Padded
from cnnfilter.compute.tiles import Tile, Worker, cut_strips, make_tiles
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.geometry import Pair

_LARGEST_SUM = 2**31
"""Where its whole numbers of 32 bits end."""

MOST_CHANNELS = 128
"""What an image of OpenCV 5 holds."""

_DEPTHS = {np.dtype(np.float32): cv2.CV_32F, np.dtype(np.float64): cv2.CV_64F}


def sum_boxes(padded: Padded, size: Pair, weight: float, stride: Pair, finish: Finish) -> Floats:
    """Return `weight` times the sum over each window of `size`, channel by channel: (H', W', C)."""
    height, width, channels = padded.shape
    rows, columns = (height - size[0]) // stride[0] + 1, (width - size[1]) // stride[1] + 1
    results = np.empty((rows, columns, channels), padded.dtype)
    own = padded.in_own_type()
    source = own if WHITE.get(own.dtype, _LARGEST_SUM) * size[0] * size[1] < _LARGEST_SUM else padded

    def begin() -> Worker:
        def make(tile: Tile) -> None:
            kept = (tile.size[0] - 1) * stride[0] + 1
            first = tile.rows.start * stride[0]
            part = slice(first, first + kept + size[0] - 1)
            pixels = source.peek(part)
            for channel in range(0, channels, MOST_CHANNELS):
                sums = cv2.boxFilter(
                    np.ascontiguousarray(pixels[:, :, channel : channel + MOST_CHANNELS]),
                    _DEPTHS[padded.dtype],
                    size[::-1],
                    anchor=(0, 0),
                    normalize=False,
                    borderType=cv2.BORDER_CONSTANT,
                ).reshape(*pixels.shape[:2], -1)
                kept_sums = sums[: kept : stride[0], : width - size[1] + 1 : stride[1]]
                results[tile.rows, :, channel : channel + MOST_CHANNELS] = kept_sums
            if weight != 1:
                results[tile.rows] *= padded.dtype.type(weight)
            finish(results[tile.rows])

        return make

    make_tiles(cut_strips(rows, columns, width * channels, size[0], stride[0]), begin)
    return results
