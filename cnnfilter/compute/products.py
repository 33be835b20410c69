"""Banks of kernels and linear layers as products of matrices, which BLAS carries out at the processor's peak."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import Finish
from cnnfilter.compute.threads import Memory, blas_on_one_thread, count_cores, fill_rows, make_tiles, reuse_memory
from cnnfilter.nn.geometry import Pair, Window

MOST_WINDOWS = 256
"""Windows of a product: more than 304 OpenBLAS multiplies in blocks, on processors with AVX2."""

_LEAST_WINDOWS = 16
"""What the windows of smaller products are a multiple of."""

MARGIN = 8
"""Windows at both ends of a product that OpenBLAS adds up in another order, on processors with AVX2."""

_DEEPEST = 1280
"""Weights of a product, for each output: more are added up part by part."""

_MOST_PARTS = 64
"""Parts that float32 adds up: beyond, they are deeper."""

_MOST_OUTPUTS = 128
"""Outputs of a product: cores share those of small images."""

_VECTOR = 16
"""Outputs are filled up to a multiple of so many: OpenBLAS adds up what is left of a vector in another order."""

_IN_CACHE = 1 << 20  # numbers of windows and of their products that are made at a time, 4 MB: fewer are many calls
_WORTH_A_THREAD = 1 << 21  # products that take as long as a thread to begin
_WORTH_PACKING = 1 << 18  # weights that take as long
_AT_ONCE = 1 << 17  # products of a linear layer held at a time: 1 MB, in the cache of a core
_FEW_CHANNELS = 16  # fewer numbers side by side are copied faster along the rows of the image


Matrices = dict[int, Floats]
"""A bank as matrices, by the first of their outputs: (parts, weights of a part, some of out).

The bias of an output is one weight more, for a pixel that is always 1, unless results are divided before.
"""


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
    matrices = matrices or pack_bank(bank, groups, dtype, finish)
    results = np.empty((rows, columns, bank.shape[3]), dtype)
    memory = reuse_memory(dtype)
    sources = [padded.channels(slice(first, first + inputs)) for first in range(0, groups * inputs, inputs)]
    parts, depth, width = matrices[0].shape
    by_weights = inputs <= _FEW_CHANNELS and window.stride[1] == 1  # windows are copied along the rows of the image
    kinds = {left: Product(depth, matrix.shape[2], dtype, by_weights) for left, matrix in matrices.items()}

    def read(left: int, corner: Pair, size: Pair) -> Floats:
        source = sources[left // outputs]
        return _read_windows(source, window, corner, size, parts * depth, memory, by_weights=by_weights)

    def multiply(left: int, windows: Floats, target: Floats) -> None:
        some = slice(left, left + min(_MOST_OUTPUTS, outputs - left % outputs))
        maps = target.reshape(-1, bank.shape[3])[:, some]
        _multiply(windows, matrices[left], kinds[left], finish.of(some), maps, memory)

    def fill(tile: tuple[slice, slice]) -> None:
        target = results[tile]
        for left in matrices:
            if left % outputs == 0:
                windows = read(left, (tile[0].start, tile[1].start), (target.shape[0], target.shape[1]))
            multiply(left, windows, target)

    cores = count_cores() if rows * columns * bank.size > _WORTH_A_THREAD else 1
    with blas_on_one_thread(kinds[0].largest):
        if rows * columns < cores * MOST_WINDOWS and groups == 1 and len(matrices) >= cores > 1:
            windows = read(0, (0, 0), output)  # cores share the outputs
            make_tiles(list(matrices), lambda left: multiply(left, windows, results))
        else:
            make_tiles(_cut_results(output, parts * depth + width, cores), fill)
    return results


def _cut_results(output: Pair, numbers: int, cores: int) -> list[tuple[slice, slice]]:
    """Return the parts that results are made in: as many rows for each core, or pieces of rows if these are long.

    `numbers` are made for each of the windows.
    """
    rows, columns = output
    wide, at_once = columns, max(_IN_CACHE // (columns * numbers), -(-MOST_WINDOWS // columns))
    if columns * numbers > 2 * _IN_CACHE:
        wide, at_once = max(_IN_CACHE // numbers, MOST_WINDOWS), 1
    at_once = -(-rows // (-(-rows // (at_once * cores)) * cores))
    firsts = product(range(0, rows, at_once), range(0, columns, wide))
    return [(slice(row, row + at_once), slice(column, column + wide)) for row, column in firsts]


def pack_bank(bank: Floats, groups: int, dtype: np.dtype[np.floating], finish: Finish) -> Matrices:
    """Return a (kh, kw, in, out) bank as matrices, with zeros for as many weights and outputs as fill them up."""
    outputs, weights = bank.shape[3] // groups, bank.reshape(-1, bank.shape[3])
    if finish.divisor == 1 and finish.bias.any():
        weights = np.concatenate([weights, finish.bias[None].astype(bank.dtype)])
    parts = min(-(-len(weights) // _DEEPEST), _MOST_PARTS)
    firsts = [
        left for group in range(0, bank.shape[3], outputs) for left in range(group, group + outputs, _MOST_OUTPUTS)
    ]
    matrices: Matrices = dict.fromkeys(firsts, bank)

    def make(left: int) -> None:
        some = weights[:, left : left + min(_MOST_OUTPUTS, outputs - left % outputs)]
        more = -len(some) % parts, -some.shape[1] % _VECTOR
        matrix = np.pad(some, ((0, more[0]), (0, more[1]))) if any(more) else some
        matrices[left] = np.ascontiguousarray(matrix, dtype).reshape(parts, -1, matrix.shape[1])

    if bank.size > _WORTH_PACKING:
        make_tiles(firsts, make)
    else:
        for left in firsts:
            make(left)
    return matrices


class Form(NamedTuple):
    """How BLAS adds up the products of each window in the same order.

    The kernels are `turned` to stand before the windows; there are `more` windows at both ends of a product, of which
    nothing is taken; `most` are the windows between them.
    """

    turned: bool
    more: int
    most: int = MOST_WINDOWS

    def reserve(self, memory: Memory, name: str, number: int, size: int, outputs: int) -> Floats:
        """Return memory for the sums of a number of products, (number, windows, out)."""
        windows = size + 2 * self.more
        if self.turned:
            return memory(name, number, outputs, windows).transpose(0, 2, 1)
        return memory(name, number, windows, outputs)

    def multiply(self, windows: Floats, matrix: Floats, sums: Floats) -> None:
        """Write (number, windows, depth) times (depth, out) into sums, (number, windows, out)."""
        if self.turned:
            np.matmul(matrix.T, windows.transpose(0, 2, 1), out=sums.transpose(0, 2, 1))
        else:
            np.matmul(windows, matrix, out=sums)


_FORMS = Form(turned=False, more=0), Form(turned=True, more=MARGIN)
_SLOW = Form(turned=False, more=0, most=8)  # in one order on every processor that OpenBLAS knows, at half the rate


class Product(NamedTuple):
    """Windows times a matrix of `depth` weights for each of so many `outputs`.

    The numbers of a window lie side by side in memory, or those of all windows do, weight by weight.
    """

    depth: int
    outputs: int
    dtype: np.dtype[np.floating]
    by_weights: bool

    @property
    def largest(self) -> int:
        """The multiplications of one call of BLAS, at most."""
        return (MOST_WINDOWS + 2 * MARGIN) * self.depth * self.outputs


@lru_cache(maxsize=256)
def find_form(product: Product, forms: tuple[Form, ...] = _FORMS) -> Form:
    """Return the first form of a product in which BLAS is exact to the bit: it is tried, since processors differ."""
    return next((form for form in forms if _try_form(product, form, form.most)), _SLOW)


@lru_cache(maxsize=1024)
def _find_size(product: Product, form: Form, rest: int) -> int:
    """Return the windows of the smallest product of so many that has the bits of the largest."""
    size = -(-rest // _LEAST_WINDOWS) * _LEAST_WINDOWS
    if size >= form.most:
        return form.most
    sums = [_try_form(product, form, windows) for windows in (size, form.most)]
    return size if sums[0] == sums[1] else _find_size(product, form, 2 * size)


@lru_cache(maxsize=256)
def _try_form(product: Product, form: Form, size: int) -> bytes:
    """Return the sums of some window and matrix, if they are the same wherever the window is, else nothing."""
    numbers = draw_numbers(product.depth, product.outputs + 1)
    taken = multiply_once(product, form, np.repeat(numbers[:, :1].T, size, axis=0), numbers[:, 1:])
    return bytes(taken[0].tobytes()) if (taken == taken[0]).all() else b""


def draw_numbers(*shape: int) -> Doubles:
    """Return numbers from -1 to 1, the same each time: to load what makes random ones takes 10 ms."""
    return np.asarray(np.sin(np.arange(1.0, prod(shape) + 1) ** 2).reshape(shape))


def multiply_once(product: Product, form: Form, windows: Doubles, matrix: Doubles) -> Floats:
    """Return the sums, (n, out), of n windows, (n, depth), at most as many as a form takes."""
    more, count = form.more, len(windows)
    laid = np.zeros((more + count + more, product.depth), product.dtype, order="F" if product.by_weights else "C")
    laid[more : more + count] = windows
    sums = form.reserve(lambda _, *shape: np.empty(shape, product.dtype), "", 1, count, product.outputs)
    with blas_on_one_thread(product.largest):
        form.multiply(laid[None], np.ascontiguousarray(matrix, product.dtype), sums)
    return sums[0, more : more + count]


def count_windows(product: Product, form: Form, count: int) -> int:
    """Return how many windows are multiplied to get so many: no fewer than the smallest product with their bits has."""
    return max(count, _find_size(product, form, min(count, form.most)))


def multiply_blocks(
    windows: Floats, matrix: Floats, product: Product, form: Form, sums: Floats, memory: Memory
) -> None:
    """Write (blocks, windows, depth) times (depth, out) into sums, (blocks, n, out).

    Of the windows, `MARGIN` lie before those of the sums and after them, and as many more as `count_windows` says.
    """
    start, count = 0, sums.shape[1]
    while start < count:
        size = _find_size(product, form, min(count - start, form.most))
        first = max(min(start, count - size), 0)  # the last product lies on those before
        some, into = windows[:, MARGIN - form.more + first :][:, : size + 2 * form.more], sums[:, first : first + size]
        if form.more == 0 and into.shape[1] == size:
            form.multiply(some, matrix, into)
        else:
            taken = form.reserve(memory, "blocks", len(sums), size, product.outputs)
            form.multiply(some, matrix, taken)
            into[...] = taken[:, form.more : form.more + into.shape[1]]
        start += size


def _read_windows(
    padded: Padded, window: Window, corner: Pair, output: Pair, depth: int, memory: Memory, *, by_weights: bool
) -> Floats:
    """Return the windows of some results, each with a 1 and zeros after it, as far as a depth: (n, depth).

    `MARGIN` more lie before and after them, and others after few windows, so that there are enough for a product.
    """
    (rows, columns), (down, along), (apart, aside), channels = output, window.stride, window.dilation, padded.shape[2]
    lines = slice(corner[0] * down, (corner[0] + rows - 1) * down + window.extent[0])
    across = slice(corner[1] * along, (corner[1] + columns - 1) * along + window.extent[1])
    whole = across.start == 0 and across.stop > padded.shape[1] - along
    sides = lines.stop - lines.start, padded.shape[1] if whole else across.stop - across.start
    size = rows, columns, *window.size, channels
    stop, weights = MARGIN + rows * columns, prod(size[2:])
    number = MARGIN + max(rows * columns, MOST_WINDOWS) + MARGIN
    if by_weights:
        planes = memory("planes", channels, *sides).transpose(1, 2, 0)
        source = padded.read(lines, slice(None) if whole else across, planes)
        windows = memory("windows", depth, number).T
    else:
        source = padded.peek(lines, memory) if whole else padded.read(lines, across, memory("part", *sides, channels))
        windows = memory("windows", number, depth)
    windows[:MARGIN], windows[stop:], windows[:, weights + 1 :] = 0, 0, 0
    windows[:, weights : weights + 1] = 1
    to_row, to_column, to_channel = source.strides
    steps = to_row * down, to_column * along, to_row * apart, to_column * aside, to_channel
    np.copyto(windows[MARGIN:stop, :weights].reshape(size), as_strided(source, size, steps))
    return windows


def _multiply(windows: Floats, matrix: Floats, product: Product, finish: Finish, maps: Floats, memory: Memory) -> None:
    """Write the results of windows with a matrix into `maps`, (n, out)."""
    depth, outputs, form, (to_window, to_number) = product.depth, product.outputs, find_form(product), windows.strides
    several, rest = divmod(len(maps), form.most)
    products = [(0, several, form.most)] if several else []
    if rest:
        size = _find_size(product, form, rest)
        products.append((max(len(maps) - size, 0), 1, size))  # it lies on those before
    for start, number, size in products:
        shape = number, size + 2 * form.more, depth
        steps = size * to_window, to_window, to_number
        into = maps[start : start + number * size]
        whole = not form.turned and into.shape == (number * size, outputs)
        sums = into.reshape(number, size, outputs) if whole else form.reserve(memory, "sums", number, size, outputs)
        for part, weights in enumerate(matrix):
            some = as_strided(windows[MARGIN - form.more + start :, part * depth :], shape, steps)
            if part == 0:
                form.multiply(some, weights, sums)
            else:
                more = form.reserve(memory, "more", number, size, outputs)
                form.multiply(some, weights, more)
                sums += more
        taken = sums[:, form.more : form.more + min(size, len(into)), : maps.shape[1]]
        if finish.divisor > 1:
            finish(taken)
        if not whole:
            into.reshape(taken.shape)[...] = taken


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
