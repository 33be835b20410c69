"""Large kernels without structure: products of spectra, tile by tile.

The overlap-save method (Oppenheim and Schafer, Discrete-Time Signal Processing, section 8.7): a tile of n x n
pixels, transformed, multiplied by the conjugate spectrum of the kernel, and transformed back, gives the
(n - kh + 1) x (n - kw + 1) results whose windows lie in it. Under a stride s the image falls into s x s phases,
each of every s-th row and column; each has its part of the kernel, their products are summed as spectra, and
one inverse transform makes only what the stride keeps.
"""

from __future__ import annotations

import numpy as np

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.engines.finish import Finish
from cnnfilter.compute.padded import Padded
from cnnfilter.compute.tiles import Memory, Tile, cut, make_tiles
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.geometry import Pair

SIDES = (32, 64, 128, 256, 512, 640, 1024, 2048, 4096)
"""Sides of tiles that OpenCV transforms fast."""

_IN_CACHE = 640
"""The largest side of tiles that stay in the cache; beyond, a pixel takes half as long again."""


def choose_side(length: int, kernel: int) -> int:
    """Return the side of the tiles that cover so many padded pixels along an axis with the least work.

    A large tile spends less on what the kernel overlaps, a small one on what lies beyond the end.

    Examples
    --------
    >>> choose_side(4000, 25), choose_side(4000, 600), choose_side(40, 25)
    (640, 4000, 40)
    """
    whole = cv2.getOptimalDFTSize(length)
    results = length - kernel + 1

    def work(side: int) -> float:
        tiles = -(-results // (side - kernel + 1))
        return tiles * side * (1.0 if side <= _IN_CACHE else 1.5)

    return min((side for side in (*SIDES, whole) if kernel <= side <= whole), key=work)


def filter_by_fourier(padded: Padded, kernel: Doubles, stride: Pair, finish: Finish) -> Floats:
    """Return each channel filtered by a (kh, kw) kernel: (H', W', C)."""
    channels = padded.shape[2]
    results = np.empty(
        (
            (padded.shape[0] - kernel.shape[0]) // stride[0] + 1,
            (padded.shape[1] - kernel.shape[1]) // stride[1] + 1,
            channels,
        ),
        padded.dtype,
    )
    phases = [
        (padded.every((row, column), stride), kernel[row :: stride[0], column :: stride[1]])
        for row in range(min(stride[0], kernel.shape[0]))
        for column in range(min(stride[1], kernel.shape[1]))
    ]
    largest = phases[0][1].shape
    sides = tuple(choose_side(length + size - 1, size) for length, size in zip(results.shape[:2], largest, strict=True))
    spectra = [_transform(_filled(weights.astype(padded.dtype), sides)) for _, weights in phases]

    memory = Memory(padded.dtype)

    def make(tile: Tile) -> None:
        totals = memory("totals", channels, *sides)
        pixels, plane, product = (
            memory("pixels", *sides, channels),
            memory("plane", *sides),
            memory("product", *sides),
        )
        rows = slice(tile.rows.start, tile.rows.start + sides[0])
        columns = slice(tile.columns.start, tile.columns.start + sides[1])
        for number, ((part, _), spectrum) in enumerate(zip(phases, spectra, strict=True)):
            shape = len(range(*rows.indices(part.shape[0]))), len(range(*columns.indices(part.shape[1])))
            pixels[shape[0] :] = 0
            pixels[:, shape[1] :] = 0
            part.read(rows, columns, pixels[: shape[0], : shape[1]])
            for channel in range(channels):
                np.copyto(plane, pixels[:, :, channel])
                cv2.dft(plane, dst=plane)
                into = product if number else totals[channel]
                cv2.mulSpectrums(plane, spectrum, 0, c=into, conjB=True)
                if number:
                    totals[channel] += product
        for channel in range(channels):
            cv2.idft(totals[channel], dst=plane, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
            results[tile.rows, tile.columns, channel] = plane[: tile.size[0], : tile.size[1]]
        finish(results[tile.rows, tile.columns])

    steps = sides[0] - largest[0] + 1, sides[1] - largest[1] + 1
    make_tiles(cut(results.shape[0], results.shape[1], *steps), make)
    return results


def _filled(values: Floats, sides: tuple[int, ...]) -> Floats:
    """Return values with zeros after them."""
    filled = np.zeros(sides, values.dtype)
    filled[: values.shape[0], : values.shape[1]] = values
    return filled


def _transform(values: Floats) -> Floats:
    """Return a spectrum, packed as OpenCV packs it."""
    return np.asarray(cv2.dft(values))
