"""Banks of kernels as products of matrices: every window is a row of its pixels, every kernel a column.

Patches are gathered for a few output rows at a time, so that they stay in the cache until BLAS has read them
(Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing, 2006). In
volumes whose channels are neighbours in memory a row of the kernel is one run of kw x C numbers.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import UNFINISHED, Finish
from cnnfilter.compute.threads import Memory, Tile, cut, make_tiles
from cnnfilter.nn.geometry import Pair, Window

_PATCHES = 1 << 21
"""Numbers of patches gathered at a time: 8 MB in float32. More leave every cache, fewer take more calls."""

_SMALL_PRODUCT = 1 << 20
"""OpenBLAS adds one by one the products of up to 100 x 100 x 100 multiplications, so that their errors add up ..."""

_DEEPEST = 512
"""... and those with a single column, unless sums are made in parts."""

_AT_ONCE = 1 << 17
"""Products held at a time: 1 MB, in the cache of a core."""

_FEW_PLACES = 8
"""Kernels about as large as the image, whose products are long and few."""

_FEW_CHANNELS = 16
"""Fewer numbers side by side are copied faster along the rows of the image."""


def multiply_patches(padded: Padded, bank: Floats, window: Window, output: Pair, groups: int, finish: Finish) -> Floats:
    """Return the feature maps of a (kh, kw, in / groups, out) bank: (H', W', out)."""
    rows, columns = output
    inputs, outputs = bank.shape[2], bank.shape[3] // groups
    depth = bank.shape[0] * bank.shape[1] * inputs
    results = np.empty((rows, columns, bank.shape[3]), padded.dtype)
    matrices = [_as_matrix(bank[..., group * outputs : (group + 1) * outputs], padded.dtype) for group in range(groups)]
    at_once = max(1, min(rows, _PATCHES // (depth * columns)))
    few = inputs <= _FEW_CHANNELS and window.stride[1] == 1
    if few and groups == 1 and finish.divisor == 1:
        matrices = [np.vstack([matrices[0], finish.bias.astype(padded.dtype)])]
        finish = UNFINISHED
    memory = Memory(padded.dtype)
    for strip in cut(rows, columns, at_once, columns):
        first, last = strip.rows.start * window.stride[0], (strip.rows.stop - 1) * window.stride[0]
        taken = slice(first, last + window.extent[0])
        source = padded.peek(taken)
        for group, matrix in enumerate(matrices):
            channels = source[:, :, group * inputs : (group + 1) * inputs]
            gather = _gather_weights_first if few else _gather_windows_first
            windows = gather(channels, (*strip.size, *bank.shape[:3]), window, memory)
            sums = results[strip.rows, :, group * outputs : (group + 1) * outputs]
            if rows * columns <= _FEW_PLACES:
                sums[...] = multiply_rows(windows[:, : len(matrix)], matrix).reshape(sums.shape)
                continue
            deepest = _DEEPEST if outputs == 1 or len(windows) * matrix.size <= _SMALL_PRODUCT else len(matrix)
            first_part, *more = (tile.rows for tile in cut(len(matrix), 1, deepest, 1))
            if groups == 1:
                np.matmul(windows[:, first_part], matrix[first_part], out=sums.reshape(-1, outputs))
            else:
                sums[...] = (windows[:, first_part] @ matrix[first_part]).reshape(sums.shape)
            for part in more:
                sums += (windows[:, part] @ matrix[part]).reshape(sums.shape)
        finish(results[strip.rows])
    return results


def _as_matrix(bank: Floats, dtype: np.dtype[np.floating]) -> Floats:
    """Return a (kh, kw, in, out) bank as (kh kw in, out), each kernel in one run if it lies so, as PyTorch's do."""
    if bank.strides[3] > bank.strides[2]:
        return np.ascontiguousarray(np.moveaxis(bank, 3, 0), dtype).reshape(bank.shape[3], -1).T
    return np.ascontiguousarray(bank.reshape(-1, bank.shape[3]), dtype)


def _gather_windows_first(channels: Floats, shape: tuple[int, ...], window: Window, memory: Memory) -> Floats:
    """Return the windows of (rows, columns, in) as rows of a matrix: a row of the kernel is one run of numbers."""
    windows = as_strided(channels, shape, _steps(channels.strides, window))
    if window.size == (1, 1) and windows.flags.c_contiguous:
        return windows.reshape(shape[0] * shape[1], -1)
    patches = memory("patches", *shape)
    np.copyto(patches, windows)
    return patches.reshape(shape[0] * shape[1], -1)


def _gather_weights_first(channels: Floats, shape: tuple[int, ...], window: Window, memory: Memory) -> Floats:
    """Return the same, turned, as a row of the image is one run of numbers, and a last column of ones for the bias."""
    planes = memory("planes", channels.shape[2], *channels.shape[:2])
    np.copyto(planes, np.moveaxis(channels, 2, 0))
    deep, down, across = planes.strides
    steps = _steps((down, across, deep), window)
    patches = memory("patches", prod(shape[2:]) + 1, shape[0] * shape[1])
    kernel = patches[:-1].reshape(*shape[2:], *shape[:2])
    np.copyto(kernel, as_strided(planes, kernel.shape, (*steps[2:], *steps[:2])))
    patches[-1] = 1
    return patches.T


def _steps(strides: tuple[int, ...], window: Window) -> tuple[int, ...]:
    """Return the strides of all windows, (rows, columns, kh, kw, in), in a volume of these strides."""
    down, across, deep = strides
    return (
        window.stride[0] * down,
        window.stride[1] * across,
        window.dilation[0] * down,
        window.dilation[1] * across,
        deep,
    )


def multiply_rows(rows: Floats, matrix: Floats) -> Doubles:
    """Return (n, depth) rows times a (depth, out) matrix: (n, out), summed in float64, pairwise.

    BLAS adds up one by one what is left over of a vector's products, which is too coarse for long ones in float32, and
    cuts them by the number of cores.
    """
    kernels = np.ascontiguousarray(matrix.T)
    vectors = rows.astype(np.float64)
    results = np.empty((len(rows), len(kernels)))

    memory = Memory(np.dtype(np.float64))

    def make(tile: Tile) -> None:
        products = memory("products", tile.size[0], kernels.shape[1])
        for number, vector in enumerate(vectors):
            np.multiply(kernels[tile.rows], vector, out=products)
            products.sum(axis=1, out=results[number, tile.rows])

    make_tiles(cut(len(kernels), 1, max(1, _AT_ONCE // max(1, kernels.shape[1])), 1), make)
    return results
