"""Columns, rows and diagonals as products with banded matrices, which BLAS carries out at the processor's peak."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import Finish, fill_strips
from cnnfilter.compute.exact import Factors
from cnnfilter.compute.products import (
    MARGIN,
    MOST_WINDOWS,
    Form,
    Product,
    count_windows,
    draw_numbers,
    find_form,
    multiply_blocks,
    multiply_once,
)
from cnnfilter.compute.threads import Memory, blas_on_one_thread, reuse_memory
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.geometry import Pair

_BLOCKS = 16, 12  # results of a product along the column or row: OpenBLAS takes 12 at a time on processors with AVX2
_FEW = 2  # so many weights other than 0 are added one by one

_OF_ROWS = Form(turned=False, more=0), Form(turned=True, more=MARGIN)
_OF_COLUMNS = Form(turned=True, more=0), Form(turned=True, more=MARGIN)
"""The forms of products that are tried: the first writes results where they belong."""


def filter_by_bands(padded: Padded, factors: Factors, stride: Pair, finish: Finish) -> Floats:
    """Return each channel filtered by the sum of (column, row) products: (H', W', C)."""
    width, channels = padded.shape[1:]
    size = len(factors[0][0]), len(factors[0][1])
    passes = [
        (_Pass(column, stride[0], padded.dtype, by_weights=True), _Pass(row, stride[1], padded.dtype, by_weights=False))
        for column, row in factors
    ]
    memory = reuse_memory(padded.dtype)

    def fill(first: int, target: Floats) -> None:
        taken = (len(target) - 1) * stride[0] + size[0]
        source = _reserve(memory, taken * width * channels)
        pixels = source[MARGIN:][: taken * width * channels].reshape(taken, width, channels)
        padded.read(slice(first, first + taken), slice(None), pixels)
        for number, (down, along) in enumerate(passes):
            part = memory("part", *target.shape) if number else target
            _filter_strip(_as_columns(source, taken, width * channels), pixels, down, along, part, memory)
            if number:
                target += part
        finish(target)

    with blas_on_one_thread(max(one.product.largest for both in passes for one in both)):
        return fill_strips(padded, size, stride, padded.dtype, fill)


def filter_sheared(padded: Padded, weights: Doubles, direction: int, stride: Pair, finish: Finish) -> Floats:
    r"""Return each channel filtered along a diagonal, `\` (direction 1) or `/` (-1), of n weights: (H', W', C).

    It is a column of another image: where rows are one pixel longer, the next pixel down lies one to the right as well.
    """
    width, channels = padded.shape[1:]
    size = len(weights)
    down = _Pass(weights, 1, padded.dtype, by_weights=True)
    step = (width + direction) * channels
    start = 0 if direction > 0 else (size - 1) * channels
    memory = reuse_memory(padded.dtype)

    def fill(first: int, target: Floats) -> None:
        kept = (len(target) - 1) * stride[0] + 1
        taken = (kept + size - 1) * width * channels
        lines = -(-kept * width * channels // step)
        source = _reserve(memory, max(taken, start + (lines + size - 1) * step))
        source[MARGIN + taken :] = 0
        pixels = source[MARGIN:][:taken].reshape(kept + size - 1, width, channels)
        padded.read(slice(first, first + kept + size - 1), slice(None), pixels)
        sums = memory("sums", lines, step)
        down.filter(_as_columns(source[start:], lines + size - 1, step), sums.T, memory)
        square = sums.ravel()[: kept * width * channels].reshape(kept, width, channels)
        target[...] = square[:: stride[0], : width - size + 1 : stride[1]]
        finish(target)

    with blas_on_one_thread(down.product.largest):
        return fill_strips(padded, (size, size), stride, padded.dtype, fill)


def _reserve(memory: Memory, numbers: int) -> Floats:
    """Return memory for so many numbers, with zeros before and after them for what products make besides."""
    flat = memory("source", MARGIN + numbers + MOST_WINDOWS + MARGIN)
    flat[:MARGIN], flat[MARGIN + numbers :] = 0, 0
    return flat


def _as_columns(flat: Floats, lines: int, length: int) -> Floats:
    """Return the columns of lines that follow one another in memory, with what lies around them: (columns, lines)."""
    (step,) = flat.strides
    return as_strided(flat, (MARGIN + length + MOST_WINDOWS + MARGIN, lines), (step, length * step))


def _filter_strip(columns: Floats, pixels: Floats, down: _Pass, along: _Pass, target: Floats, memory: Memory) -> None:
    """Filter a strip, (rows, width, C), and as the columns of all its channels, into `target`, (rows', width', C)."""
    height, width, channels = target.shape[0], *pixels.shape[1:]
    if along.is_one:
        if down.is_one:
            np.copyto(target, pixels)
        else:
            down.filter(columns, target.reshape(height, -1).T, memory)
        return
    planes = memory("planes", channels, along.count_lines(height), width)
    middle = planes[:, MARGIN : MARGIN + height]
    planes[:, :MARGIN], planes[:, MARGIN + height :] = 0, 0
    if channels == 1 and not down.is_one:
        down.filter(columns, middle[0].T, memory)
    else:
        if not down.is_one:
            pixels = memory("columns", height, width, channels)
            down.filter(columns, pixels.reshape(height, -1).T, memory)
        np.copyto(middle, pixels.transpose(2, 0, 1))
    if channels == 1:
        along.filter(planes[0], target[:, :, 0], memory)
        return
    sums = memory("sums", channels, height, target.shape[1])
    for plane, into in zip(planes, sums, strict=True):
        along.filter(plane, into, memory)
    if channels <= 4:
        cv2.merge(list(sums), dst=target)
    else:
        target[...] = np.moveaxis(sums, 0, 2)


class _Pass:
    """A column or row of n weights, laid along lines by products with a band of it.

    The band holds the weights once for each of 16 results, s below those of the result before: 15 s + n products for n
    weights, at ten times the rate, and what the stride s leaves out is never made.
    """

    def __init__(self, weights: Doubles, stride: int, dtype: np.dtype[np.floating], *, by_weights: bool) -> None:
        self._stride = stride
        self._taps = [(int(place), dtype.type(weights[place])) for place in np.flatnonzero(weights)]
        self.is_one = len(weights) == 1 and weights[0] == 1 and stride == 1
        length, self._block, self._form = _choose_block(len(weights), stride, dtype, by_weights=by_weights)
        self._length = (self._block - 1) * stride + len(weights)
        self._bands: list[tuple[int, Floats]] = []
        for start in range(0, len(weights), length):
            first = max(min(start, len(weights) - length), 0)  # the last part lies on the one before it
            part = np.where(np.arange(first, first + length) < start, 0.0, weights[first : first + length])
            self._bands.append((first, _make_band(part, stride, self._block).astype(dtype)))
        self.product = Product(len(self._bands[0][1]), self._block, dtype, by_weights)

    def count_lines(self, count: int) -> int:
        """Return how many lines are read for those of which there are so many: with others around them."""
        return MARGIN + count_windows(self.product, self._form, count) + MARGIN

    def filter(self, lines: Floats, target: Floats, memory: Memory) -> None:
        """Filter lines, (MARGIN + n + more, places), along their places into `target`, (n, results)."""
        count, results = target.shape
        if len(self._taps) <= _FEW:
            self._add(lines[MARGIN : MARGIN + count], target)
        elif results < self._block:
            filled = np.zeros_like(lines, shape=(len(lines), self._length))
            filled[:, : min(self._length, lines.shape[1])] = lines[:, : self._length]
            sums = np.empty_like(target, shape=(count, self._block))
            self._multiply(filled, sums, 1, memory)
            target[...] = sums[:, :results]
        else:
            self._multiply(lines, target, results // self._block, memory)
            if results % self._block:  # BLAS adds up the products of smaller blocks in another way
                last = results - self._block
                self._multiply(lines[:, last * self._stride :], target[:, last:], 1, memory)

    def _multiply(self, lines: Floats, target: Floats, blocks: int, memory: Memory) -> None:
        """Multiply so many blocks by the band, one after the other."""
        target = target[:, : blocks * self._block]
        self._multiply_part(lines, self._bands[0], target, memory)
        for part in self._bands[1:]:
            by_weights = self.product.by_weights
            more = memory("more", *target.shape[::-1]).T if by_weights else memory("more", *target.shape)
            self._multiply_part(lines, part, more, memory)
            target += more

    def _multiply_part(self, lines: Floats, part: tuple[int, Floats], sums: Floats, memory: Memory) -> None:
        """Multiply blocks by a part of the band, whose first weight is given."""
        (start, band), (to_line, along), (into_line, into_along), block = part, lines.strides, sums.strides, self._block
        blocks, steps = sums.shape[1] // block, (block * self._stride * along, to_line, along)
        windows = as_strided(lines[:, start:], (blocks, len(lines), len(band)), steps)
        into = as_strided(sums, (blocks, len(sums), block), (block * into_along, into_line, into_along))
        multiply_blocks(windows, band, self.product, self._form, into, memory)

    def _add(self, lines: Floats, target: Floats) -> None:
        """Add up a few shifted views of the lines, each times its weight."""
        reach = (target.shape[1] - 1) * self._stride + 1
        for number, (place, weight) in enumerate(self._taps):
            view = lines[:, place : place + reach : self._stride]
            if not number:
                np.multiply(view, weight, out=target)
            elif weight == 1:
                np.add(target, view, out=target)
            else:
                target += view * weight


def _make_band(weights: Doubles, stride: int, results: int) -> Doubles:
    """Return the weights for each of so many results, (places, results)."""
    band = np.zeros(((results - 1) * stride + len(weights), results))
    for place in range(results):
        band[place * stride : place * stride + len(weights), place] = weights
    return band


@lru_cache(maxsize=64)
def _choose_block(
    weights: int, stride: int, dtype: np.dtype[np.floating], *, by_weights: bool
) -> tuple[int, int, Form]:
    """Return how many weights a band has, how many results, and the form of its products: all are added up alike.

    It is tried, on lines that are the same everywhere, since processors differ. Of many weights OpenBLAS adds up some
    hundreds at a time, which would be others for each result; so they are parted before.
    """
    length = weights
    while True:
        for results in _BLOCKS:
            band = _make_band(draw_numbers(length), stride, results)
            product = Product(len(band), results, dtype, by_weights)
            form = find_form(product, _OF_COLUMNS if by_weights else _OF_ROWS)
            lines = np.repeat(draw_numbers(form.most, 1), len(band), axis=1)
            sums = multiply_once(product, form, lines, band)
            if (sums == sums[:, :1]).all() or length == 1:
                return length, results, form
        length = -(-length // 2)
