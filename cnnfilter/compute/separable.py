"""Columns by rows as products with banded matrices, which BLAS carries out at the processor's peak.

A column of n weights filters 16 rows of an image by one product with a (16, 15 s + n) matrix that holds the
column once in each row, s to the right of the row before: the stride s is part of it, and what it leaves out is
never made. More products are taken than there are weights (15 s + n for n), at ten times the rate. Blocks are
kept so small that BLAS does not share one out over its threads: the strips are on all cores already.

A diagonal is a column of another image: where rows are taken to be one pixel longer than they are, the next
pixel down lies one to the right as well.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import Finish, fill_strips
from cnnfilter.compute.exact import Factors
from cnnfilter.compute.threads import Memory
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.geometry import Pair

_BLOCK = 16
"""Results of a product along the column or row."""

_LARGEST_PRODUCT = 1 << 18
"""OpenBLAS takes one thread for products of up to so many multiplications: 65536 x GEMM_MULTITHREAD_THRESHOLD."""

_FEW = 2
"""So many weights other than 0 are added one by one."""


def filter_by_bands(padded: Padded, factors: Factors, stride: Pair, finish: Finish) -> Floats:
    """Return each channel filtered by the sum of (column, row) products: (H', W', C)."""
    width, channels = padded.shape[1:]
    size = len(factors[0][0]), len(factors[0][1])
    passes = [(_Pass(column, stride[0], padded.dtype), _Pass(row, stride[1], padded.dtype)) for column, row in factors]
    memory = Memory(padded.dtype)

    def fill(first: int, target: Floats) -> None:
        taken = (len(target) - 1) * stride[0] + size[0]
        source = padded.read(slice(first, first + taken), slice(None), memory("source", taken, width, channels))
        for number, (down, along) in enumerate(passes):
            part = memory("part", *target.shape) if number else target
            _filter_strip(source, down, along, part, memory)
            if number:
                target += part
        finish(target)

    return fill_strips(padded, size, stride, padded.dtype, fill)


def filter_sheared(padded: Padded, weights: Doubles, direction: int, stride: Pair, finish: Finish) -> Floats:
    r"""Return each channel filtered along a diagonal, `\` (direction 1) or `/` (-1), of n weights: (H', W', C)."""
    width, channels = padded.shape[1:]
    size = len(weights)
    down = _Pass(weights, 1, padded.dtype)
    step = (width + direction) * channels
    start = 0 if direction > 0 else (size - 1) * channels
    memory = Memory(padded.dtype)

    def fill(first: int, target: Floats) -> None:
        kept = (len(target) - 1) * stride[0] + 1
        taken = (kept + size - 1) * width * channels
        lines = -(-kept * width * channels // step)
        source = memory("source", max(taken, start + (lines + size - 1) * step))
        source[taken:] = 0
        pixels = source[:taken].reshape(kept + size - 1, width, channels)
        padded.read(slice(first, first + kept + size - 1), slice(None), pixels)
        sums = memory("sums", lines, step)
        down.go_down(source[start : start + (lines + size - 1) * step].reshape(-1, step), sums)
        square = sums.ravel()[: kept * width * channels].reshape(kept, width, channels)
        target[...] = square[:: stride[0], : width - size + 1 : stride[1]]
        finish(target)

    return fill_strips(padded, (size, size), stride, padded.dtype, fill)


def _filter_strip(source: Floats, down: _Pass, along: _Pass, target: Floats, memory: Memory) -> None:
    """Filter a (rows, width, C) strip by a column and a row into `target`, (rows', width', C)."""
    height, width, channels = target.shape[0], source.shape[1], source.shape[2]
    flat = source.reshape(-1, width * channels)
    if not down.is_one:
        columns = memory("columns", height, width * channels)
        down.go_down(flat, columns)
        flat = columns
    if along.is_one:
        np.copyto(target, flat.reshape(height, width, channels))
    elif channels == 1:
        along.go_along(flat, target[:, :, 0])
    else:
        planes = memory("planes", channels, height, width)
        sums = memory("sums", channels, height, target.shape[1])
        for channel in range(channels):
            np.copyto(planes[channel], flat.reshape(height, width, channels)[:, :, channel])
            along.go_along(planes[channel], sums[channel])
        if channels <= 4:
            cv2.merge(list(sums), dst=target)
        else:
            target[...] = np.moveaxis(sums, 0, 2)


class _Pass:
    """A column or row of weights, and how it is laid along an axis."""

    def __init__(self, weights: Doubles, stride: int, dtype: np.dtype[np.floating]) -> None:
        self._stride = stride
        self._taps = [(int(place), dtype.type(weights[place])) for place in np.flatnonzero(weights)]
        self.is_one = len(weights) == 1 and weights[0] == 1 and stride == 1
        band = np.zeros((_BLOCK, (_BLOCK - 1) * stride + len(weights)), dtype)
        for row in range(_BLOCK):
            band[row, row * stride : row * stride + len(weights)] = weights
        self._band = band
        self._across = np.ascontiguousarray(band.T)

    def go_down(self, source: Floats, target: Floats) -> None:
        """Filter the columns of `source`, (rows, w), into `target`, (rows', w)."""
        if len(self._taps) <= _FEW:
            self._add(source, target)
            return
        length = self._band.shape[1]
        blocks, rest = divmod(len(target), _BLOCK)
        used = length - (_BLOCK - rest) * self._stride
        part = max(16, _LARGEST_PRODUCT // self._band.size // 16 * 16)
        for first in range(0, target.shape[1], part):
            block, into = source[:, first : first + part], target[:, first : first + part]
            if blocks:
                steps = _BLOCK * self._stride * block.strides[0], *block.strides
                np.matmul(
                    self._band,
                    as_strided(block, (blocks, length, block.shape[1]), steps),
                    out=as_strided(into, (blocks, _BLOCK, block.shape[1]), (_BLOCK * into.strides[0], *into.strides)),
                )
            if rest:
                last = block[blocks * _BLOCK * self._stride :][:used]
                np.matmul(self._band[:rest, :used], last, out=into[blocks * _BLOCK :])

    def go_along(self, source: Floats, target: Floats) -> None:
        """Filter the rows of `source`, (rows, w), into `target`, (rows, w')."""
        if len(self._taps) <= _FEW:
            self._add(source.T, target.T)
            return
        length = self._band.shape[1]
        blocks, rest = divmod(target.shape[1], _BLOCK)
        used = length - (_BLOCK - rest) * self._stride
        part = max(1, _LARGEST_PRODUCT // self._band.size)
        for first in range(0, len(target), part):
            block, into = source[first : first + part], target[first : first + part]
            if blocks:
                steps = _BLOCK * self._stride * block.strides[1], *block.strides
                np.matmul(
                    as_strided(block, (blocks, len(block), length), steps),
                    self._across,
                    out=as_strided(into, (blocks, len(block), _BLOCK), (_BLOCK * into.strides[1], *into.strides)),
                )
            if rest:
                last = block[:, blocks * _BLOCK * self._stride :][:, :used]
                np.matmul(last, self._across[:used, :rest], out=into[:, blocks * _BLOCK :])

    def _add(self, source: Floats, target: Floats) -> None:
        """Add up a few shifted views of `source`, each times its weight."""
        reach = (len(target) - 1) * self._stride + 1
        for number, (place, weight) in enumerate(self._taps):
            view = source[place : place + reach : self._stride]
            if not number:
                np.multiply(view, weight, out=target)
            elif weight == 1:
                np.add(target, view, out=target)
            else:
                target += view * weight
