"""Engines of convolution: OpenCV, taps, Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, pairwise, product
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.exact import WHITE
from cnnfilter.compute.plan import FEW_ON_INTEGERS
from cnnfilter.compute.threads import Memory, choose_rows, fill_rows, make_tiles, reuse_memory
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.geometry import BorderMode, Pair, Window


class Finish(NamedTuple):
    """What makes results of sums: rounded to the whole numbers that they are known to be, divided once, with a bias.

    `bias` is added to the outputs, (out,). Results may be of the type `narrow`, if that is not None: int16, in which
    all fit, or uint8, to which they are clipped.
    """

    bias: Doubles
    divisor: int = 1
    rounds: bool = False
    narrow: np.dtype[Any] | None = None

    @property
    def does_nothing(self) -> bool:
        """Whether sums are results."""
        return not (self.rounds or self.divisor > 1 or self.bias.any())

    def __call__(self, sums: Floats) -> Floats:
        """Return sums (H', W', out) as results, in place."""
        self.write(sums, sums)
        return sums

    def write(self, sums: Floats, target: Floats) -> None:
        """Write sums (H', W', out) as results into a target, which may be the same."""
        if self.rounds:
            np.add(np.rint(sums, out=target), 0.0, out=target)  # -0 becomes 0
            sums = target
        if self.divisor > 1:
            sums = np.divide(sums, self.divisor, out=target)
        if self.bias.any():
            sums = np.add(sums, self.bias.astype(target.dtype), out=target)
        if sums is not target:
            target[...] = sums

    def of(self, outputs: slice) -> Finish:
        """Return what does this to some of the outputs."""
        return self._replace(bias=self.bias[outputs]) if len(self.bias) > 1 else self


UNFINISHED = Finish(np.zeros(1))  # leaves sums as they are: they are added to others first

BORDERS = {  # no filter takes a wrapped border, nor the value of a constant one
    BorderMode.ZERO: cv2.BORDER_CONSTANT,
    BorderMode.EDGE: cv2.BORDER_REPLICATE,
    BorderMode.REFLECT: cv2.BORDER_REFLECT_101,
    BorderMode.SYMMETRIC: cv2.BORDER_REFLECT,
}
_DEPTHS = {
    np.dtype(np.float32): cv2.CV_32F,
    np.dtype(np.float64): cv2.CV_64F,
    np.dtype(np.int16): cv2.CV_16S,
    np.dtype(np.uint8): cv2.CV_8U,
}
SIDE_BY_SIDE = 4  # channels that OpenCV filters at a time
MOST_CHANNELS = 128  # of an image of OpenCV 5
_LARGEST_SUM = 2**31  # where the whole numbers end in which `boxFilter` adds up pixels of 8 and 16 bits

_STRIDED_STRIPS = 8  # where each takes many calls
VECTOR = 32  # bytes of a row that OpenCV's filters work on at a time, of any processor; the rest is scalar
_IN_CACHE_AT_ONCE = 1 << 17  # numbers of which each is read several times

Filter = Callable[[Array, Pair, int], Array]
"""Filters an image, given its anchor (x, y) and OpenCV's border."""


def filter_directly(padded: Padded, kernel: Doubles, stride: Pair, finish: Finish, *, exact: bool = False) -> Floats:
    """Return each channel filtered by a (kh, kw) kernel: (H', W', C), of the narrow type where one is allowed.

    `exact` says that all sums are whole numbers, and the same however they are added up.
    """
    laid = _lay_directly(kernel, padded.dtype, exact=exact)
    source = padded.in_own_type() if exact and np.count_nonzero(kernel) <= FEW_ON_INTEGERS else padded
    if stride == (1, 1) and laid.has_native_border(padded):
        if finish.narrow is not None:
            narrow = _lay_directly(kernel, padded.dtype, exact=exact, into=finish.narrow, bias=float(finish.bias[0]))
            return narrow.filter_rows(padded, slice(0, padded.shape[0]))
        if source.volume.dtype == source.dtype and finish.does_nothing:
            return _filter_at_once(laid, source)
    return _filter_in_strips(laid, source, stride, finish, padded.dtype)


def _lay_directly(
    kernel: Doubles, dtype: np.dtype[Any], *, exact: bool, into: np.dtype[Any] | None = None, bias: float = 0.0
) -> _Filtering:
    """Return the filter that takes the weights of a (kh, kw) kernel one by one, in the type of the sums or another."""
    weights, depth = np.ascontiguousarray(kernel, dtype=dtype), _DEPTHS[into or dtype]

    def run(image: Array, anchor: Pair, border: int) -> Array:
        return np.asarray(cv2.filter2D(image, depth, weights, anchor=anchor, delta=bias, borderType=border))

    return _Filtering(run, (kernel.shape[0], kernel.shape[1]), exact=exact)


def filter_strided(padded: Padded, kernel: Doubles, stride: Pair) -> Floats:
    """Return every s-th result, as the sum over s x s phases of the image by those of the kernel: (H', W', C)."""
    (down, along), (height, width), channels = stride, kernel.shape, padded.shape[2]
    output, memory = Window((height, width), stride).output(*padded.shape[:2]), reuse_memory(padded.dtype)
    phases = [
        ((row, column), _lay_directly(kernel[row::down, column::along], padded.dtype, exact=False))
        for row, column in np.ndindex(min(down, height), min(along, width))
        if kernel[row::down, column::along].any()
    ]

    def fill(first: int, target: Floats) -> None:
        rows = slice(first * down, (first + len(target) - 1) * down + height)
        source = padded.peek(rows, memory)
        target[...] = 0
        for (row, column), phase in phases:
            size = len(target) + phase.size[0] - 1, output[1] + phase.size[1] - 1
            pixels = source[row::down, column::along][: size[0], : size[1]]
            for channel in range(0, channels, SIDE_BY_SIDE):
                part = slice(channel, channel + SIDE_BY_SIDE)
                target[:, :, part] += phase.filter_copy(pixels[:, :, part], memory)

    return fill_rows((*output, channels), padded.dtype, -(-output[0] // _STRIDED_STRIPS) or 1, fill)


def filter_dilated(padded: Padded, kernel: Doubles, dilation: Pair, *, exact: bool = False) -> Floats:
    """Return what a kernel with gaps gives: each of d x d phases of the image filtered without: (H', W', C)."""
    rows = padded.shape[0] - dilation[0] * (kernel.shape[0] - 1)
    columns = padded.shape[1] - dilation[1] * (kernel.shape[1] - 1)
    results = np.empty((rows, columns, padded.shape[2]), padded.dtype)
    for row in range(min(dilation[0], rows)):
        for column in range(min(dilation[1], columns)):
            part = padded.every((row, column), dilation)
            sums = filter_directly(part, kernel, (1, 1), UNFINISHED, exact=exact)
            results[row :: dilation[0], column :: dilation[1]] = sums
    return results


def filter_separably(
    padded: Padded, factors: tuple[tuple[Doubles, Doubles], ...], stride: Pair, finish: Finish, *, exact: bool = False
) -> Floats:
    """Return each channel filtered by the sum of (column, row) products: (H', W', C).

    `exact` says that results are whole numbers, and the same however they are added up.
    """
    pairs = [(column.astype(padded.dtype), row.astype(padded.dtype)) for column, row in factors]

    def run(image: Array, anchor: Pair, border: int) -> Array:
        total: Array | None = None
        for column, row in pairs:
            part = cv2.sepFilter2D(image, _DEPTHS[padded.dtype], row, column, anchor=anchor, borderType=border)
            total = part if total is None else np.add(total, part, out=total)
        return np.asarray(total)

    laid, own = _Filtering(run, (len(factors[0][0]), len(factors[0][1])), exact=exact), padded.in_own_type()
    if stride == (1, 1) and own.dtype != padded.dtype and laid.has_native_border(own) and finish.does_nothing:
        return _filter_at_once(laid, own)  # fewer bytes are read than written, and strips would be written twice
    return _filter_in_strips(laid, own, stride, finish, padded.dtype)


def sum_boxes(padded: Padded, size: Pair, weight: float, stride: Pair, finish: Finish, *, exact: bool) -> Floats:
    """Return `weight` times the sum over each window of `size`, channel by channel: (H', W', C).

    `exact` says that pixels are whole numbers. Sums of these run on from pixel to pixel, whatever the size: of 8 or 16
    bits in whole numbers, else in float64. Those of fractions would depend on where they began.
    """
    own = padded.in_own_type()
    source = own if WHITE.get(own.dtype, _LARGEST_SUM) * size[0] * size[1] < _LARGEST_SUM else padded
    if not (exact or source.dtype in WHITE):
        return _double_boxes(padded, size, weight, stride, finish)

    def run(image: Array, anchor: Pair, border: int) -> Array:
        depth = _DEPTHS[padded.dtype]
        sums = cv2.boxFilter(image, depth, size[::-1], anchor=anchor, normalize=False, borderType=border)
        return np.asarray(sums if weight == 1 else np.multiply(sums, padded.dtype.type(weight), out=sums))

    laid = _Filtering(run, size, exact=True)
    return _filter_in_strips(laid, source, stride, finish, padded.dtype, at_once=MOST_CHANNELS)


def _double_boxes(padded: Padded, size: Pair, weight: float, stride: Pair, finish: Finish) -> Floats:
    """Return `weight` times sums of fractions, each of pairs of sums of half as many: (H', W', C)."""
    width, channels = padded.shape[1:]
    output = Window(size, stride).output(*padded.shape[:2])
    memory = reuse_memory(padded.dtype)
    join, factor = (np.multiply, weight) if finish.divisor == 1 else (np.divide, finish.divisor / weight)
    finish = finish._replace(divisor=1)

    def fill(first: int, target: Floats) -> None:
        height = (len(target) - 1) * stride[0] + size[0]
        source = padded.peek(slice(first * stride[0], first * stride[0] + height), memory).reshape(height, -1)
        if stride[0] > 1 and size[0] <= _count_doubled(size[0]) * stride[0]:
            sums = _add_taps_down(source, size[0], stride[0], memory("down", len(target), width * channels))
        else:
            sums = _add_neighbours(source, size[0], 1, memory)[:: stride[0]]
        sums = _add_neighbours(sums.T, size[1], channels, memory).T
        sums = sums.reshape(len(target), -1, channels)[:, :: stride[1]]
        join(sums, padded.dtype.type(factor), out=target)
        finish(target)

    row = width * channels
    at_once = max(1, (_IN_CACHE_AT_ONCE // row - size[0]) // stride[0], 2 * size[0] // stride[0])
    return fill_rows((*output, channels), padded.dtype, min(at_once, max(1, -(-output[0] // 4))), fill)


def _count_doubled(size: int) -> int:
    """Return how many sums of neighbours `_add_neighbours` makes."""
    return size.bit_length() + size.bit_count() - 2


def _add_taps_down(values: Floats, size: int, stride: int, out: Floats) -> Floats:
    """Return the sums of `size` rows, from every `stride`-th on."""
    taps = [values[tap : tap + (len(out) - 1) * stride + 1 : stride] for tap in range(size)]
    np.add(taps[0], taps[1], out=out)
    for tap in taps[2:]:
        np.add(out, tap, out=out)
    return out


def _add_neighbours(values: Floats, size: int, apart: int, memory: Memory) -> Floats:
    """Return the sums of `size` values along the first axis, so many `apart`."""
    count, begin, length = len(values) - (size - 1) * apart, 0, 1
    turned = values.strides[0] < values.strides[1]

    def take(name: str, length: int) -> Floats:
        name = f"{name} {turned}"
        return memory(name, values.shape[1], length).T if turned else memory(name, length, values.shape[1])

    runs, total = values, values[:0]
    while True:
        if size & length:
            part = runs[begin * apart : begin * apart + count]
            total = np.add(total, part, out=take("total", count)) if begin else part
            begin += length
        if 2 * length > size:
            return total
        longer = take(f"runs {length}", len(runs) - length * apart)
        runs = np.add(runs[: -length * apart], runs[length * apart :], out=longer)
        length *= 2


class _Filtering(NamedTuple):
    """A filter of OpenCV and the size of its kernel.

    Unless it is `exact`, the anchor is the centre, by which OpenCV knows symmetric kernels, and what lies in a row
    beyond the last whole vector is filtered anew: there it adds up in another way.
    """

    run: Filter
    size: Pair
    exact: bool

    @property
    def centre(self) -> Pair:
        """The row and the column of the kernel's centre."""
        return (self.size[0] - 1) // 2, (self.size[1] - 1) // 2

    def anchor(self, padded: Padded) -> Pair:
        """Return the row and the column of the kernel that lie on a pixel where OpenCV makes the border."""
        return padded.sides[:2] if self.exact else self.centre

    def has_native_border(self, padded: Padded) -> bool:
        """Return whether OpenCV makes the border of the volume as it is: as far as the kernel reaches on each side."""
        (height, width), (row, column) = self.size, self.anchor(padded)
        top, left, bottom, right = padded.sides
        reaches = top <= row < height - bottom and left <= column < width - right
        return reaches and padded.follows_volume and padded.border.mode in BORDERS and padded.shape[2] <= SIDE_BY_SIDE

    def find_end(self, padded: Padded) -> int:
        """Return the first of the results in a row of the volume that is not made by whole vectors only."""
        _, width, channels = padded.volume.shape
        results, vector = padded.shape[1] - self.size[1] + 1, VECTOR // padded.volume.itemsize
        whole = width * channels // vector * vector // channels - self.centre[1] + padded.sides[1]
        return int(results if self.exact else min(max(whole, 0), results))

    def filter_rows(self, padded: Padded, rows: slice) -> Array:
        """Return the results of the windows in padded rows, with OpenCV's border."""
        (height, width), (row, column), (top, left) = self.size, self.anchor(padded), padded.sides[:2]
        start, stop = rows.start - top, rows.stop - top
        if start < 0:  # what is reflected beyond an edge is on the other side of the window
            stop += height
        if stop > len(padded.volume):
            start -= height
        start = max(start, 0)
        image = np.ascontiguousarray(padded.volume[start:stop])
        filtered = self.run(image, (column, row), BORDERS[padded.border.mode]).reshape(image.shape)
        below, right = rows.start - top - start + row, column - left
        count = rows.stop - rows.start - height + 1
        return filtered[below : below + count, right : right + padded.shape[1] - width + 1]

    def filter_vectors(self, padded: Padded, rows: slice, columns: slice) -> Array:
        """Return the results of the windows in padded rows and columns, filled up to whole vectors."""
        height, width = len(range(padded.shape[0])[rows]), len(range(padded.shape[1])[columns])
        pixels = np.empty(_fill_up(height, width, padded.shape[2], padded.dtype), padded.dtype)
        padded.read(rows, columns, pixels[:, :width])
        return self._filter_filled(pixels, width)

    def filter_copy(self, source: Floats, memory: Memory) -> Floats:
        """Return the results of the windows in a copy of (height, width, C) pixels, filled up to whole vectors."""
        height, width, channels = source.shape
        pixels = memory("pixels", *_fill_up(height, width, channels, source.dtype))
        pixels[:, :width] = source
        return self._filter_filled(pixels, width)

    def _filter_filled(self, pixels: Array, width: int) -> Array:
        """Return the results of the windows in rows of a width, which have whole vectors."""
        pixels[:, width:] = 0
        row, column = self.centre
        filtered = self.run(pixels, (column, row), cv2.BORDER_CONSTANT).reshape(pixels.shape)
        return filtered[row : row + len(pixels) - self.size[0] + 1, column : column + width - self.size[1] + 1]


def _fill_up(height: int, width: int, channels: int, dtype: np.dtype[Any]) -> tuple[int, int, int]:
    """Return the shape of rows of whole vectors."""
    vector = VECTOR // dtype.itemsize
    return height, -(-width // vector) * vector, channels


def _filter_at_once(laid: _Filtering, padded: Padded) -> Array:
    """Filter with OpenCV's border, on its threads."""
    results = laid.filter_rows(padded, slice(0, padded.shape[0]))
    if (end := laid.find_end(padded)) < results.shape[1]:
        results[:, end:] = laid.filter_vectors(padded, slice(None), slice(end, None))
    return results


def _filter_in_strips(
    laid: _Filtering,
    source: Padded,
    stride: Pair,
    finish: Finish,
    dtype: np.dtype[Any],
    *,
    at_once: int = SIDE_BY_SIDE,
) -> Floats:
    """Filter some rows and channels at a time: with OpenCV's border as far as it will do, else of what is padded."""
    channels, (down, along) = source.shape[2], stride
    output = Window(laid.size, stride).output(*source.shape[:2])
    results = np.empty((*output, channels), dtype)
    native = source.volume.dtype == source.dtype and laid.has_native_border(source)
    end = -(-laid.find_end(source) // along) if native else 0
    some = [slice(channel, channel + at_once) for channel in range(0, channels, at_once)]
    parts = [(part, source.channels(part), finish.of(part)) for part in some]

    def fill(tile: tuple[slice, slice]) -> None:
        target = results[tile]
        first = tile[0].start * down
        rows, columns = slice(first, first + (len(target) - 1) * down + laid.size[0]), tile[1]
        for part, pixels, finish_part in parts:
            if columns.stop == end:
                sums = laid.filter_rows(pixels, rows)[:, : (end - 1) * along + 1]
            else:
                sums = laid.filter_vectors(pixels, rows, slice(columns.start * along, None))
            finish_part.write(sums[::down, ::along], target[:, :, part])

    tiles = []
    for columns in (slice(0, end), slice(end, output[1])):
        if width := columns.stop - columns.start:
            rows = choose_rows(output[0], width * along * channels, laid.size[0], down)
            tiles += [(slice(first, first + rows), columns) for first in range(0, output[0], rows)]
    make_tiles(tiles, fill)
    return results


def fill_strips(padded: Padded, size: Pair, stride: Pair, dtype: Any, fill: Callable[[int, Floats], None]) -> Floats:
    """Return the results of windows of a size, (H', W', C): `fill` gets the first padded row, and rows to fill in."""
    height, width, channels = padded.shape
    output = Window(size, stride).output(height, width)
    at_once = choose_rows(output[0], width * channels, size[0], stride[0])
    return fill_rows((*output, channels), dtype, at_once, lambda row, target: fill(row * stride[0], target))


_TILE = 1 << 16  # numbers of a tile of results
_FEW = 128  # sums of more products one by one need float64, lest their rounding errors add up


def add_taps(padded: Padded, bank: Floats, window: Window, output: Pair, finish: Finish) -> Floats:
    """Return the feature maps of a (kh, kw, 1, out) bank, out / C for each channel in turn: (H', W', out)."""
    channels, outputs = padded.shape[2], bank.shape[3]
    weights = bank.astype(padded.dtype).reshape(*bank.shape[:2], channels, outputs // channels)
    sums_in = padded.dtype if bank[..., 0, 0].size <= _FEW else np.dtype(np.float64)
    places = [(row, column) for row, column in np.ndindex(window.size) if weights[row, column].any()]
    (down, along), extent = window.stride, window.extent

    def fill(row: int, target: Floats) -> None:
        height, width = (len(target) - 1) * down + 1, (output[1] - 1) * along + 1
        source = padded.read(slice(row * down, row * down + height - 1 + extent[0]), slice(None))
        sums = np.zeros((*target.shape[:2], *weights.shape[2:]), sums_in)
        product = np.empty_like(sums)
        for place in places:
            top, left = place[0] * window.dilation[0], place[1] * window.dilation[1]
            pixels = source[top : top + height : down, left : left + width : along]
            np.multiply(pixels[..., None], weights[place], out=product)
            sums += product
        target[...] = finish(sums.reshape(target.shape).astype(padded.dtype, copy=False))

    return fill_rows((*output, outputs), padded.dtype, max(1, _TILE // (outputs * output[1])), fill)


SIDES = (32, 64, 128, 256, 512, 640, 1024, 2048, 4096)  # of tiles that OpenCV transforms fast
_IN_CACHE = 640  # the largest side of tiles that stay in the cache; beyond, a pixel takes half as long again


def choose_side(length: int, kernel: int) -> int:
    """Return the side of the tiles that cover so many padded pixels along an axis with the least work."""
    whole = cv2.getOptimalDFTSize(length)
    results = length - kernel + 1

    def work(side: int) -> float:  # large tiles spend less on what the kernel overlaps, small ones beyond the end
        tiles = -(-results // (side - kernel + 1))
        return tiles * side * (1.0 if side <= _IN_CACHE else 1.5)

    return min((side for side in (*SIDES, whole) if kernel <= side <= whole), key=work)


class Tile(NamedTuple):
    """Results from `start` to `stop` along an axis, made of a transform of a length, `side`.

    It is that of the pixels under their windows, with zeros after them: no others change the last bits.
    """

    start: int
    stop: int
    side: int


Grid = tuple[tuple[Tile, ...], tuple[Tile, ...]]
"""The tiles of an image's results, down and across."""


def lay_tiles(size: Pair, shape: tuple[int, ...], window: Window, *, rounds: bool) -> Grid:
    """Return the tiles of a convolution with a (kh, kw) kernel, or what zeros around it leave of it.

    Results whose windows lie within the image have tiles of their own, so that a border does not change their last
    bits; where results are rounded to whole numbers there is nothing to change.
    """
    height, width = shape[:2]
    top, left, _, _ = window.pads(height, width)
    axes = []
    for axis, (before, count) in enumerate(zip((top, left), window.output(height, width), strict=True)):
        stride, room = window.stride[axis], shape[axis] - window.extent[axis] + before
        first = min(-(-before // stride), count)
        last = max(min(room // stride + 1, count), first)
        edges = (0, count) if rounds else (0, first, last, count)
        axes.append(tuple(chain(*(_cut_tiles(one, -(-size[axis] // stride)) for one in pairwise(edges)))))
    return axes[0], axes[1]


def _cut_tiles(results: Pair, kernel: int) -> Iterator[Tile]:
    """Yield the tiles of results from one to another along an axis."""
    start, limit = results
    if start == limit:
        return
    side = choose_side(limit - start + kernel - 1, kernel)
    for first in range(start, limit, side - kernel + 1):
        yield Tile(first, min(first + side - kernel + 1, limit), side)


def move_tiles(tiles: tuple[Tile, ...], first: int, count: int) -> tuple[Tile, ...]:
    """Return the whole tiles of so many results, from the first of which they are counted."""
    some = [tile for tile in tiles if tile.start >= first and tile.stop <= first + count]
    return tuple(Tile(one.start - first, one.stop - first, one.side) for one in some)


def filter_by_fourier(padded: Padded, kernel: Doubles, stride: Pair, finish: Finish, grid: Grid) -> Floats:
    """Return each channel filtered by a (kh, kw) kernel, tile by tile: (H', W', C)."""
    channels = padded.shape[2]
    output = Window((kernel.shape[0], kernel.shape[1]), stride).output(*padded.shape[:2])
    results = np.empty((*output, channels), padded.dtype)
    phases = [
        (padded.every((row, column), stride), kernel[row :: stride[0], column :: stride[1]])
        for row in range(min(stride[0], kernel.shape[0]))
        for column in range(min(stride[1], kernel.shape[1]))
    ]
    spectra = {sides: _transform(phases, sides, padded.dtype) for sides in _find_sides(grid)}
    memory = reuse_memory(padded.dtype)

    def make(tile: tuple[Tile, Tile]) -> None:
        down, across = tile
        target = results[down.start : down.stop, across.start : across.stop]
        totals = _sum_spectra(phases, spectra[down.side, across.side], tile, memory)
        plane = memory("plane", down.side, across.side)
        for channel in range(channels):
            cv2.idft(totals[channel], dst=plane, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
            target[:, :, channel] = plane[: target.shape[0], : target.shape[1]]
        finish(target)

    make_tiles(list(product(*grid)), make)
    return results


_Phases = list[tuple[Padded, Doubles]]


def _find_sides(grid: Grid) -> list[Pair]:
    """Return the sides that tiles have."""
    return list(dict.fromkeys((down.side, across.side) for down, across in product(*grid)))


def _transform(phases: _Phases, sides: Pair, dtype: np.dtype[np.floating]) -> list[Floats]:
    """Return the spectrum of the kernel of each phase."""
    spectra: list[Floats] = []
    for _, weights in phases:
        plane = np.zeros(sides, dtype)
        plane[: weights.shape[0], : weights.shape[1]] = weights
        spectra.append(np.asarray(cv2.dft(plane)))
    return spectra


def _sum_spectra(phases: _Phases, spectra: list[Floats], tile: tuple[Tile, Tile], memory: Memory) -> Floats:
    """Return the spectrum of what comes out of a tile, channel by channel: the sum over the phases of a stride."""
    channels, sides = phases[0][0].shape[2], (tile[0].side, tile[1].side)
    totals, plane, product = memory("totals", channels, *sides), memory("plane", *sides), memory("product", *sides)
    pixels = memory("pixels", *sides, channels)
    for number, ((part, kernel), spectrum) in enumerate(zip(phases, spectra, strict=True)):
        rows, columns = (slice(one.start, one.stop + size - 1) for one, size in zip(tile, kernel.shape, strict=True))
        shape = rows.stop - rows.start, columns.stop - columns.start
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
    return totals
