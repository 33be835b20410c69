"""Channels filtered each by kernels of its own: place by place of the kernel, all channels at once."""

from __future__ import annotations

import numpy as np

from cnnfilter.arrays import Floats
from cnnfilter.compute.engines.finish import Finish
from cnnfilter.compute.padded import Padded
from cnnfilter.compute.tiles import Tile, cut, make_tiles
from cnnfilter.spec.geometry import Pair, Window

_TILE = 1 << 16
"""Numbers of a tile of results."""

_FEW = 128
"""Sums of more products one by one need float64, lest their rounding errors add up."""


def add_taps(padded: Padded, bank: Floats, window: Window, output: Pair, finish: Finish) -> Floats:
    """Return the feature maps of a (kh, kw, 1, out) bank, out / C for each channel in turn: (H', W', out)."""
    channels, outputs = padded.shape[2], bank.shape[3]
    multiplier = outputs // channels
    results = np.empty((*output, outputs), padded.dtype)
    weights = bank.astype(padded.dtype).reshape(*bank.shape[:2], channels, multiplier)
    sums_in = padded.dtype if bank[..., 0, 0].size <= _FEW else np.dtype(np.float64)
    at_once = max(1, _TILE // (outputs * output[1]))

    def make(tile: Tile) -> None:
        source = padded.read(
            slice(
                tile.rows.start * window.stride[0],
                (tile.rows.stop - 1) * window.stride[0] + window.extent[0],
            ),
            slice(None),
        )
        sums = np.zeros((*tile.size, channels, multiplier), sums_in)
        product = np.empty_like(sums)
        for row in range(window.size[0]):
            for column in range(window.size[1]):
                if not weights[row, column].any():
                    continue
                top, left = row * window.dilation[0], column * window.dilation[1]
                pixels = source[
                    top : top + (tile.size[0] - 1) * window.stride[0] + 1 : window.stride[0],
                    left : left + (tile.size[1] - 1) * window.stride[1] + 1 : window.stride[1],
                ]
                np.multiply(pixels[..., None], weights[row, column], out=product)
                sums += product
        results[tile.rows] = finish(sums.reshape(*tile.size, outputs).astype(padded.dtype, copy=False))

    make_tiles(cut(output[0], output[1], at_once, output[1]), make)
    return results
