"""Columns, rows and diagonals as products with banded matrices, which BLAS carries out at the processor's peak."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import Finish, fill_strips
from cnnfilter.compute.exact import Factors
from cnnfilter.compute.products import LARGEST_PRODUCT
from cnnfilter.compute.threads import Memory, reuse_memory
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.geometry import Pair

_BLOCK = 16  # results of a product along the column or row
_FEW = 2  # so many weights other than 0 are added one by one


def filter_by_bands(padded: Padded, factors: Factors, stride: Pair, finish: Finish) -> Floats:
    """Return each channel filtered by the sum of (column, row) products: (H', W', C)."""
    width, channels = padded.shape[1:]
    size = len(factors[0][0]), len(factors[0][1])
    passes = [(_Pass(column, stride[0], padded.dtype), _Pass(row, stride[1], padded.dtype)) for column, row in factors]
    memory = reuse_memory(padded.dtype)

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
    r"""Return each channel filtered along a diagonal, `\` (direction 1) or `/` (-1), of n weights: (H', W', C).

    It is a column of another image: where rows are one pixel longer, the next pixel down lies one to the right as well.
    """
    width, channels = padded.shape[1:]
    size = len(weights)
    down = _Pass(weights, 1, padded.dtype)
    step = (width + direction) * channels
    start = 0 if direction > 0 else (size - 1) * channels
    memory = reuse_memory(padded.dtype)

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
    """A column or row of n weights, laid along an axis by products with a band of it.

    The band holds the weights once in each of 16 rows, s to the right of the row before: 15 s + n products for n
    weights, at ten times the rate, and what the stride s leaves out is never made. Blocks are so small that BLAS does
    not share one out over its threads: the strips are on all cores already.
    """

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
        width = target.shape[1]
        if width < _BLOCK:  # BLAS adds up the products of what is left of 16 columns in another way
            filled = np.zeros((len(source), _BLOCK), source.dtype)
            filled[:, :width] = source
            target[...] = self._multiply(filled, np.empty((len(target), _BLOCK), target.dtype))[:, :width]
            return
        part = max(_BLOCK, LARGEST_PRODUCT // self._band.size // _BLOCK * _BLOCK)
        last = width // _BLOCK * _BLOCK
        for first in range(0, last, part):
            stop = min(first + part, last)
            self._multiply(source[:, first:stop], target[:, first:stop])
        if last < width:
            self._multiply(source[:, -_BLOCK:], target[:, -_BLOCK:])

    def go_along(self, source: Floats, target: Floats) -> None:
        """Filter the rows of `source`, (rows, w), into `target`, (rows, w')."""
        if len(self._taps) <= _FEW:
            self._add(source.T, target.T)
            return
        part = max(2, LARGEST_PRODUCT // self._band.size)
        for first in range(0, len(target), part):
            block, into = source[first : first + part], target[first : first + part]
            if len(block) == 1:  # BLAS multiplies a single row in another way
                twice = np.repeat(block, 2, axis=0)
                into[...] = self._multiply(twice.T, np.empty((2, into.shape[1]), into.dtype).T).T[:1]
            else:
                self._multiply(block.T, into.T)

    def _multiply(self, source: Floats, target: Floats) -> Floats:
        """Multiply blocks of `source`, (rows, w), by the band into `target`, (rows', w), which is returned.

        Every block has the band's size, as BLAS adds up the products of smaller ones in another way: the last one lies
        on the one before it, or is filled up with zeros.
        """
        length, results = self._band.shape[1], len(target)
        if results < _BLOCK:
            filled = np.zeros_like(source, shape=(length, source.shape[1]))
            filled[: len(source)] = source[:length]
            target[...] = self._multiply(filled, np.empty_like(target, shape=(_BLOCK, target.shape[1])))[:results]
            return target
        blocks = results // _BLOCK
        self._multiply_blocks(source, target, blocks)
        if results % _BLOCK:
            self._multiply_blocks(source[(results - _BLOCK) * self._stride :], target[results - _BLOCK :], 1)
        return target

    def _multiply_blocks(self, source: Floats, target: Floats, blocks: int) -> None:
        """Multiply so many blocks by the band, one after the other."""
        (down, along), length, width = source.strides, self._band.shape[1], source.shape[1]
        into_down, into_along = target.strides
        if along <= down:
            many = as_strided(source, (blocks, length, width), (_BLOCK * self._stride * down, down, along))
            into = as_strided(target, (blocks, _BLOCK, width), (_BLOCK * into_down, into_down, into_along))
            np.matmul(self._band, many, out=into)
        else:
            many = as_strided(source, (blocks, width, length), (_BLOCK * self._stride * down, along, down))
            into = as_strided(target, (blocks, width, _BLOCK), (_BLOCK * into_down, into_along, into_down))
            np.matmul(many, self._across, out=into)

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
