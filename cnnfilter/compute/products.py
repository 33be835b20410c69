"""Banks of kernels and linear layers as products of matrices, which BLAS carries out at the processor's peak."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import Finish
from cnnfilter.compute.threads import Memory, count_cores, fill_rows, make_tiles, reuse_memory
from cnnfilter.nn.geometry import Pair, Window

LARGEST_PRODUCT = 1 << 18
"""Multiplications on one thread of OpenBLAS: 65536 x GEMM_MULTITHREAD_THRESHOLD."""

_WINDOWS = 128, 64, 32, 16, 8
"""Windows of a product: OpenBLAS adds up those of each of 8 rows in one order on every processor that it knows."""

_DEEPEST = 128
"""Weights of a product, for each output: with the most outputs it takes 32 windows, at nearly the processor's peak."""

_DEEPEST_PATCH = 512
"""The same for weights of a few channels, whose windows are copied: fewer parts are worth slower products."""

_MOST_OUTPUTS = 64
"""Outputs of a product."""

_VECTOR = 16
"""Outputs are filled up to a multiple of so many: OpenBLAS adds up what is left of a vector in another order."""

_MOST_PARTS = 64
"""Beyond so many sums of parts, they are added in float64."""

_IN_CACHE = 3 << 17  # numbers that are read several times, 1.5 MB: what a core keeps in its own cache
_WORTH_A_THREAD = 1 << 21  # products that take as long as a thread to begin
_WORTH_PACKING = 1 << 18  # weights that take as long
_AT_ONCE = 1 << 17  # products held at a time: 1 MB, in the cache of a core
_SUMMED_AT_ONCE = 1 << 18  # products of all parts: as large, and enough for each call to take longer than Python does
_FEW_CHANNELS = 16  # fewer numbers side by side are copied faster along the rows of the image


Matrices = dict[int, Floats]
"""A bank as matrices, by the first of their outputs: (kh, kw in, some of out), or (kh, kw, parts, in / parts, out)."""


class WindowPart(NamedTuple):
    """Windows (..., windows, weights) that have the weights at a `place` of the matrices."""

    windows: Floats
    place: tuple[slice, ...]


def multiply_patches(
    padded: Padded,
    bank: Floats,
    window: Window,
    output: Pair,
    groups: int,
    finish: Finish,
    matrices: Matrices | None = None,
) -> Floats:
    """Return the feature maps of a (kh, kw, in / groups, out) bank, packed in `matrices` if given: (H', W', out).

    Every window is a row of its pixels, every kernel a column (Chellapilla, Puri and Simard, High performance
    convolutional neural networks for document processing, 2006). Windows are made for a few output rows at a time, so
    that they stay in the cache until BLAS has read them.
    """
    rows, columns = output
    inputs, outputs, dtype = bank.shape[2], bank.shape[3] // groups, padded.dtype
    matrices = matrices or pack_bank(bank, groups, dtype)
    results = np.empty((rows, columns, bank.shape[3]), dtype)
    memory = reuse_memory(dtype)
    sources = [
        _kind(inputs)(padded.channels(slice(group * inputs, (group + 1) * inputs)), window, columns)
        for group in range(groups)
    ]

    def fill(first: int, lefts: Iterable[int], parts: list[WindowPart]) -> None:
        target, group = results[first : first + at_once], 0 if parts else -1
        for left in lefts:
            source, matrix = sources[left // outputs], matrices[left]
            if left // outputs != group:
                group, parts = left // outputs, source.read(first, len(target), memory)
            count, sums = min(_MOST_OUTPUTS, outputs - left % outputs), target
            if source.width > columns or matrix.shape[-1] != bank.shape[3]:
                sums = memory("sums", len(target), source.width, matrix.shape[-1])
            _multiply(parts, matrix, sums.reshape(-1, matrix.shape[-1])[: parts[0].windows.shape[-2]], memory)
            finish.write(sums[:, :columns, :count], target, slice(left, left + count))

    cores = count_cores() if rows * columns * bank.size > _WORTH_A_THREAD else 1
    at_once = min(rows, max(_IN_CACHE // (sources[0].width * sources[0].numbers), sources[0].least))
    if rows < cores * at_once and len(matrices) >= cores > 1:  # too few rows for all cores: they share the outputs
        at_once = rows
        parts = sources[0].read(0, rows, memory) if groups == 1 else []
        make_tiles(list(matrices), lambda left: fill(0, [left], parts))
    else:
        at_once = -(-rows // (-(-rows // (at_once * cores)) * cores))
        make_tiles(range(0, rows, at_once), lambda first: fill(first, matrices, []))
    return results


@lru_cache(maxsize=256)
def _count_windows(weights: int, outputs: int, dtype: np.dtype[np.floating]) -> int:
    """Return the windows of a product, as many as BLAS multiplies on one thread, each in the same order.

    It is tried, since OpenBLAS takes 12 rows of float32 in another order than 4 on processors without AVX-512.
    """
    numbers = np.random.Generator(np.random.PCG64(0))
    row, matrix = (numbers.standard_normal(shape).astype(dtype) for shape in ((1, weights), (weights, outputs)))
    for windows in _WINDOWS:
        if windows * matrix.size <= LARGEST_PRODUCT:
            rows = np.repeat(row, windows, axis=0)
            sums = np.concatenate([rows @ matrix, np.asfortranarray(rows) @ matrix])  # of rows, and of few channels
            if (sums == sums[0]).all():
                return windows
    return _WINDOWS[-1]


def pack_bank(bank: Floats, groups: int, dtype: np.dtype[np.floating]) -> Matrices:
    """Return a (kh, kw, in, out) bank as matrices, with zeros for as many outputs as fill up a vector."""
    inputs, outputs = bank.shape[2], bank.shape[3] // groups
    shape = _kind(inputs).shape_weights(bank.shape)
    more = prod(shape) // prod(bank.shape[:2]) - inputs
    firsts = [
        left for group in range(0, bank.shape[3], outputs) for left in range(group, group + outputs, _MOST_OUTPUTS)
    ]
    matrices = dict.fromkeys(firsts, bank)

    def make(left: int) -> None:
        some = bank[..., left : left - left % outputs + min(left % outputs + _MOST_OUTPUTS, outputs)]
        if any(missing := (more, -some.shape[3] % _VECTOR)):
            some = np.pad(some, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])))
        matrices[left] = np.ascontiguousarray(some, dtype).reshape(*shape, some.shape[3])

    if bank.size > _WORTH_PACKING:
        make_tiles(firsts, make)
    else:
        for left in firsts:
            make(left)
    return matrices


class _Patches:
    """The windows of a few channels, all their numbers side by side.

    `width` counts the windows of a row, `numbers` are those to keep in the cache for each, and `least` rows are worth
    reading.
    """

    least = 1

    def __init__(self, padded: Padded, window: Window, columns: int) -> None:
        self._padded, self._window, self.width = padded, window, columns
        self.numbers = prod(window.size) * padded.shape[2]

    @staticmethod
    def shape_weights(bank: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a matrix of a (kh, kw, in, out) bank, but for its outputs."""
        return bank[0], bank[1] * bank[2]

    def read(self, first: int, rows: int, memory: Memory) -> list[WindowPart]:
        """Return the windows of some rows of results."""
        (down, along), (apart, aside) = self._window.stride, self._window.dilation
        last = (first + rows - 1) * down + self._window.extent[0]
        source = self._padded.peek(slice(first * down, last), memory)
        if by_weights := along == 1:  # copied along the rows of the image
            planes = memory("planes", source.shape[2], *source.shape[:2])
            np.copyto(planes, source.transpose(2, 0, 1))
            source = planes.transpose(1, 2, 0)
        size = *self._window.size, source.shape[2], rows, self.width
        to_row, to_column, to_channel = source.strides
        steps = to_row * apart, to_column * aside, to_channel, to_row * down, to_column * along
        windows, parts = as_strided(source, size, steps), list[WindowPart]()
        for part in _cut(size[0], _DEEPEST_PATCH // prod(size[1:3])):
            some = windows[part] if by_weights else windows[part].transpose(3, 4, 0, 1, 2)
            patches = memory(f"patches {part.start}", *some.shape)
            np.copyto(patches, some)
            count = (part.stop - part.start) * prod(size[1:3])
            laid = patches.reshape(count, -1).T if by_weights else patches.reshape(-1, count)
            parts.append(WindowPart(laid, (part,)))
        return parts


class _Shifts:
    """The windows of many channels: for each weight along rows and columns, the image as it is, from another pixel on.

    Nothing is copied for a window. The rows of the image follow one another, so that there are windows between those
    that end a row and those that begin the next; what comes of them is not taken. `width` counts them too, `numbers`
    are those of the image and of the sums for each, and `least` rows are worth reading.
    """

    def __init__(self, padded: Padded, window: Window, columns: int) -> None:
        self._columns, parts = columns, _cut(padded.shape[2], _DEEPEST)
        axes = zip(window.size, window.dilation, window.stride, strict=True)
        self._down, self._along = (_find_shifts(size, apart, step) for size, apart, step in axes)
        self._images = {
            (row, column): [padded.channels(part).every((row, column), window.stride) for part in parts]
            for row, column in product(self._down, self._along)
        }
        self._more, self.least = max(run.last for run in self._down.values()), window.size[0]
        self.width = max(images[0].shape[1] for images in self._images.values())
        self.numbers = padded.shape[2] * len(self._images) + 2 * _MOST_OUTPUTS

    @staticmethod
    def shape_weights(bank: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a matrix of a (kh, kw, in, out) bank, but for its outputs: all parts are as deep."""
        parts = len(_cut(bank[2], _DEEPEST))
        return bank[0], bank[1], parts, -(-bank[2] // parts)

    def read(self, first: int, rows: int, memory: Memory) -> list[WindowPart]:
        """Return the windows of some rows of results."""
        lines, parts = slice(first, first + rows + self._more), []
        for (row, column), images in self._images.items():
            down, along = self._down[row], self._along[column]
            image = self._lay(images, lines, memory, f"{row} {column}")[:, down.first * self.width + along.first :]
            to_part, to_pixel, to_channel = image.strides
            size = down.number, along.number, len(image), (rows - 1) * self.width + self._columns, image.shape[2]
            steps = down.step * self.width * to_pixel, along.step * to_pixel, to_part, to_pixel, to_channel
            parts.append(WindowPart(as_strided(image, size, steps), (down.weights, along.weights)))
        return parts

    def _lay(self, images: list[Padded], lines: slice, memory: Memory, name: str) -> Floats:
        """Return some lines of an image, each `width` pixels, in parts of the channels: (parts, pixels, channels)."""
        lines = slice(lines.start, min(lines.stop, images[0].shape[0]))
        height, width, channels = lines.stop - lines.start, *images[0].shape[1:]
        if len(images) == 1 and width == self.width and images[0].follows_volume:
            image = images[0].peek(lines, lambda _, *shape: memory(name, *shape))
            if image.flags.c_contiguous:
                return image.reshape(1, -1, channels)
        laid = memory(name, len(images), height, self.width, channels)
        laid[:, :, width:] = 0
        laid[-1, :, :, images[-1].shape[2] :] = 0
        for image, part in zip(laid, images, strict=True):
            part.read(lines, slice(None), image[:, :width, : part.shape[2]])
        return laid.reshape(len(images), -1, channels)


def _kind(inputs: int) -> type[_Patches | _Shifts]:
    """Return how the windows of so many channels are made."""
    return _Patches if inputs <= _FEW_CHANNELS else _Shifts


class _Shift(NamedTuple):
    """Weights along an axis that are laid on one of the images that a stride makes: `number`, `step` pixels apart."""

    weights: slice
    first: int
    step: int
    number: int

    @property
    def last(self) -> int:
        """The pixel under the last weight."""
        return self.first + self.step * (self.number - 1)


def _find_shifts(size: int, apart: int, stride: int) -> dict[int, _Shift]:
    """Return the weights along an axis, `apart` pixels from one another, by the first pixel of their image."""
    runs = {}
    for phase in {number * apart % stride for number in range(size)}:
        weights = [number for number in range(size) if number * apart % stride == phase]
        step = weights[1] - weights[0] if len(weights) > 1 else 1
        runs[phase] = _Shift(
            slice(weights[0], weights[-1] + 1, step), weights[0] * apart // stride, step * apart // stride, len(weights)
        )
    return runs


def _cut(count: int, most: int) -> list[slice]:
    """Return so many rows or channels in parts of at most `most`, as alike as can be."""
    size = -(-count // -(-count // max(1, most)))
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def _multiply(parts: list[WindowPart], matrix: Floats, sums: Floats, memory: Memory) -> None:
    """Write into `sums`, (windows, out), those of all parts times their weights of a matrix."""
    bank = [matrix[part.place].reshape(*part.windows.shape[:-2], -1, sums.shape[1]) for part in parts]
    counts = [prod(weights.shape[:-2]) for weights in bank]
    number = sum(counts)
    if number == 1:
        _multiply_part(parts[0].windows, bank[0], sums)
        return
    exact = np.float64 if number > _MOST_PARTS else matrix.dtype
    several = -(-len(sums) * number * sums.shape[1] // _SUMMED_AT_ONCE)
    at_once = -(-len(sums) // (several * _WINDOWS[0])) * _WINDOWS[0]
    for start in range(0, len(sums), at_once):
        stop = min(start + at_once, len(sums))
        some = slice(max(0, min(start, stop - _WINDOWS[0])), stop)  # fewer would be filled up with zeros
        products, first = memory("products", number, some.stop - some.start, sums.shape[1]), 0
        for part, weights, count in zip(parts, bank, counts, strict=True):
            into = products[first : first + count].reshape(*weights.shape[:-2], *products.shape[1:])
            _multiply_part(part.windows[..., some, :], weights, into)
            first += count
        np.add.reduce(products, axis=0, dtype=exact, out=sums[some])


def _multiply_part(windows: Floats, weights: Floats, products: Floats) -> None:
    """Write the products of (..., n, depth) windows and (..., depth, out) weights: (..., n, out)."""
    (*several, count, depth), outputs = windows.shape, weights.shape[-1]
    at_once = _count_windows(depth, outputs, weights.dtype)
    if count < at_once:
        filled = np.zeros((*several, at_once, depth), windows.dtype)
        filled[..., :count, :] = windows
        products[...] = np.matmul(filled, weights)[..., :count, :]
        return
    whole = count - count % at_once
    blocks = windows[..., :whole, :].reshape(*several, -1, at_once, depth)
    into = products[..., :whole, :].reshape(*several, -1, at_once, outputs)
    np.matmul(blocks, weights[..., None, :, :], out=into)
    if whole < count:
        np.matmul(windows[..., -at_once:, :], weights, out=products[..., -at_once:, :])


def multiply_rows(rows: Floats, matrix: Floats) -> Doubles:
    """Return (n, depth) rows times a (depth, out) matrix: (n, out), summed in float64, pairwise."""
    # BLAS adds one by one what is left over of a vector's products, which is too coarse for long ones in float32, and
    # cuts them by the number of cores.
    kernels = np.ascontiguousarray(matrix.T)
    vectors = rows.astype(np.float64)
    memory = reuse_memory(np.dtype(np.float64))

    def fill(first: int, target: Doubles) -> None:
        products = memory("products", len(target), kernels.shape[1])
        for number, vector in enumerate(vectors):
            np.multiply(kernels[first : first + len(target)], vector, out=products)
            products.sum(axis=1, out=target[:, number])

    at_once = max(1, _AT_ONCE // max(1, kernels.shape[1]))
    return fill_rows((len(kernels), len(rows)), np.float64, at_once, fill).T
