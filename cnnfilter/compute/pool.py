"""Pooling over windows and over channels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.borders import Padded, pad_to_windows
from cnnfilter.compute.engines import (
    MOST_CHANNELS,
    SIDE_BY_SIDE,
    UNFINISHED,
    VECTOR,
    Finish,
    filter_separably,
    sum_boxes,
)
from cnnfilter.compute.exact import EXACT_FLOAT32, WHITE
from cnnfilter.compute.threads import count_cores, fill_rows, reuse_memory
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Pair, Sides, Window
from cnnfilter.nn.other_layers import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode

_VALUES_AT_ONCE = 1 << 22  # those of windows that are sorted at a time: 32 MB of float64
_FEW_SUMMED = 128  # so many values float32 adds up with an error below 1e-5 of the sum of their magnitudes
_LONGEST_FILTER = 32  # weights of a column that are added one by one in float32; sums of pairs are faster beyond
_AT_ONCE = 1 << 19  # numbers of a tile of windows, which stay in the cache of a core with what is made of them
_SWEPT = {np.dtype(name) for name in ("uint8", "uint16", "int16", "float32", "float64")}  # by OpenCV's morphology


def find_medians(
    volume: Array, window: Window, output: Pair, dtype: np.dtype[Any], hidden: Array | None = None
) -> Array:
    """Return the median of each window's pixels, (H', W', C), and nan where one of them is nan.

    Padding is left out, and so are pixels that are `hidden`, (H, W, 1). Between two integers the median is rounded half
    to even, if `dtype` holds no fractions.
    """
    padded = pad_to_windows(volume, window, output, np.nan, "float64")
    if hidden is None and _is_blurred(volume, window) and not any(padded.sides) and padded.ordered:
        padded.dtype, side = volume.dtype, window.size[0]
        blurred = _sweep(padded, window, output, lambda part: cv2.medianBlur(part, side), side // 2)
        return blurred.astype(dtype, copy=False)
    if hidden is None and volume.dtype.kind in "iu" and volume.dtype.itemsize > 4:
        known, padded.volume = np.unique(volume, return_inverse=True)  # float64 does not hold them, but their ranks
        padded.volume = padded.volume.reshape(volume.shape)
        lower, upper = known[np.nan_to_num(_find_middles(padded, window, output)).astype(np.intp)]
        return _meet(lower, upper, dtype)
    if hidden is not None:
        padded.volume = np.where(hidden, np.nan, volume.astype(np.float64))
        volume = np.where(hidden, 0, volume)
    lower, upper = _find_middles(padded, window, output)
    medians: Array = np.clip(lower / 2 + upper / 2, lower, upper)
    if volume.dtype.kind == "f" and (unknown := np.isnan(volume)).any():
        seen = pad_to_windows(unknown.astype(np.uint8), window, output, 0, "uint8")
        medians[_join_taps(seen, window, output, np.maximum) > 0] = np.nan
    return (medians if dtype.kind == "f" else np.rint(medians)).astype(dtype, copy=False)


def _meet(lower: Array, upper: Array, dtype: np.dtype[Any]) -> Array:
    """Return what lies half way between whole numbers, rounded half to even if `dtype` holds no fractions."""
    if dtype.kind == "f":
        return np.asarray(lower.astype(dtype) / 2 + upper.astype(dtype) / 2)
    below = lower + ((upper - lower).astype(np.uint64) // 2).astype(lower.dtype)
    return np.asarray(below + ((upper - lower) & below & 1), dtype=dtype)


def _find_middles(padded: Padded, window: Window, output: Pair) -> Doubles:
    """Return the two pixels in the middle of each window, (2, H', W', C), leaving out nan; the same one if odd."""
    (down, along), (down_apart, apart) = window.stride, window.dilation
    windows = np.lib.stride_tricks.sliding_window_view(padded.whole(), window.extent, axis=(0, 1))
    windows = windows[::down, ::along, :, ::down_apart, ::apart][: output[0], : output[1]]

    def fill(row: int, target: Doubles) -> None:
        values = np.sort(windows[row : row + len(target)].reshape(*target.shape[:3], -1), axis=-1)
        counts = np.count_nonzero(~np.isnan(values), axis=-1)
        places = np.stack([np.maximum(counts - 1, 0) // 2, counts // 2], axis=-1)
        target[...] = np.take_along_axis(values, places, axis=-1)

    at_once = max(1, _VALUES_AT_ONCE // max(1, windows[0].size))
    return np.moveaxis(fill_rows((*output, padded.shape[2], 2), np.float64, at_once, fill), 3, 0)


def _is_blurred(volume: Array, window: Window) -> bool:
    """Return whether OpenCV's medianBlur takes these pixels and this window."""
    side = window.size[0]
    if window.size != (side, side) or side % 2 == 0 or window.dilation != (1, 1) or volume.shape[2] > 4:
        return False
    return side <= {np.dtype(np.uint8): 255, np.dtype(np.uint16): 5, np.dtype(np.float32): 5}.get(volume.dtype, 0)


@ieee_arithmetic
def pool_globally(volume: Array, layer: GlobalPool) -> Array:
    """Return one value for each channel, (1, 1, C): the greatest, of the volume's type, or the mean, as floats."""
    if layer.mode is PoolMode.MAX:
        return np.asarray(volume.max(axis=(0, 1), keepdims=True))
    mean = volume.mean(axis=(0, 1), keepdims=True, dtype=np.float64)
    return np.asarray(mean, dtype=float_type(volume.dtype))


@ieee_arithmetic
def pool_channels(volume: Array, layer: ChannelPool) -> Array:
    """Return one value for every `size` neighbouring channels, (H, W, C / size).

    max and min keep the volume's type; sums, means and magnitudes, sqrt(sum of squares), are floats.
    """
    channels = layer.output(volume.shape)[2]
    groups = volume.reshape(*volume.shape[:2], channels, -1)
    if layer.mode in {ChannelMode.MAX, ChannelMode.MIN}:
        return np.asarray(_JOIN_CHANNELS[layer.mode](groups, axis=-1))
    return np.asarray(_JOIN_CHANNELS[layer.mode](groups.astype(np.float64), axis=-1), dtype=float_type(volume.dtype))


_JOIN_CHANNELS: dict[ChannelMode, Callable[..., Any]] = {
    ChannelMode.MAX: np.max,
    ChannelMode.MIN: np.min,
    ChannelMode.AVG: np.mean,
    ChannelMode.SUM: np.sum,
    ChannelMode.MAGNITUDE: lambda groups, axis: np.sqrt(np.square(groups).sum(axis=axis)),
}


@ieee_arithmetic
def pool_volume(volume: Array, layer: Pool, *, keeps_type: bool = False) -> Array:
    """Return the pooled volume, (H', W', C), as floats, but of its own type under max and min.

    With `keeps_type` medians are of its own type too, rounded half to even. A window that holds nan gives nan.
    """
    rows, columns, _ = layer.output(volume.shape)
    of_medians = volume.dtype if keeps_type else np.dtype(float_type(volume.dtype))
    pooled = RUN[layer.mode](volume, layer, (rows, columns), of_medians)
    down, across = window_counts(replace(layer, count_include_pad=False), volume.shape)
    pooled[down == 0] = 0
    pooled[:, across == 0] = 0
    return pooled


def find_loser(mode: PoolMode, dtype: np.dtype[Any]) -> float:
    """Return what never comes out of a window that sees another value: nan where a mode picks none."""
    if mode.row.picks is None:
        return np.nan
    least, greatest = (-np.inf, np.inf) if dtype.kind == "f" else (False, True)
    if dtype.kind in "iu":
        least, greatest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return least if mode.row.picks == "greatest" else greatest


def _average(volume: Array, layer: Pool, output: Pair) -> Floats:
    rows, columns = (np.maximum(counts, 1) for counts in window_counts(layer, volume.shape))
    if _are_filtered(volume, layer.window):
        return _filter_means(volume, layer.window, output, rows, columns)
    if (rows == rows[0]).all() and (columns == columns[0]).all():
        means = window_sums(volume, layer.window, output, divisor=int(rows[0] * columns[0]))
    else:
        means = window_sums(volume, layer.window, output)
        means /= np.multiply.outer(rows, columns)[:, :, None].astype(means.dtype)
    return means.astype(float_type(volume.dtype), copy=False)


def _are_filtered(volume: Array, window: Window) -> bool:
    """Return whether means of windows are made fastest by OpenCV's filter of columns and rows, of few weights."""
    few = 1 < max(window.size) <= _LONGEST_FILTER and volume.shape[2] <= SIDE_BY_SIDE
    return volume.dtype.kind == "f" and few and window.stride == window.dilation == (1, 1)


def _filter_means(volume: Array, window: Window, output: Pair, rows: Array, columns: Array) -> Floats:
    """Return the mean of each window of fractions, of which some `rows` and `columns` count."""
    dtype = float_type(volume.dtype)
    padded = pad_to_windows(volume, window, output, 0.0, np.dtype(dtype).name)
    down, along = (np.full(size, 1 / size) for size in window.size)
    means = filter_separably(padded, ((down, along),), (1, 1), UNFINISHED)
    for axis, counts in enumerate((rows, columns)):
        short = np.flatnonzero(counts != window.size[axis])
        some, factors = (short, slice(None))[:: 1 - 2 * axis], window.size[axis] / counts[short]
        means[some] *= np.asarray(factors.reshape(-1, *[1] * (2 - axis)), dtype)
    return means


def _add_squares(volume: Array, layer: Pool, output: Pair) -> Floats:
    sums = window_sums(volume, layer.window, output, squared=True)
    return np.asarray(np.sqrt(sums, out=sums), dtype=float_type(volume.dtype))


def window_sums(volume: Array, window: Window, output: Pair, *, squared: bool = False, divisor: int = 1) -> Floats:
    """Return the sum over each window, or that of squares, divided once, (H', W', C); padding adds nothing.

    It is float32 where that is exact, or so few are added one by one that it makes no difference, else float64.
    """
    pixels, overlaps = window.size[0] * window.size[1], False
    if window.dilation == (1, 1):
        overlaps = window.stride[0] < window.size[0] or window.stride[1] < window.size[1]
    dtype = _type_of_sums(volume.dtype, pixels, squared=squared, pairwise=overlaps)
    if squared:
        volume = np.square(volume, dtype=dtype)
    padded = pad_to_windows(volume, window, output, 0.0, dtype)
    finish = UNFINISHED._replace(divisor=divisor)
    whole, side_by_side = volume.dtype.kind != "f", window.stride == window.size and window.dilation == (1, 1)
    if side_by_side and pixels > 1 and pixels & (pixels - 1) == 0 and (whole or dtype == "float32"):
        return _reduce_by_area(padded, window, output, finish)
    if overlaps and (dtype == "float32" or not whole):
        return sum_boxes(padded, window.size, 1.0, window.stride, finish, exact=whole)
    return finish(_join_taps(padded, window, output, np.add))


def _reduce_by_area(padded: Padded, window: Window, output: Pair, finish: Finish) -> Floats:
    """Return the sums over windows side by side: a reduction in size, whose means times a power of two are exact.

    What lies in a row of fractions beyond the last whole vector is made anew: there OpenCV adds up in another order.
    """
    scale = padded.dtype.type(window.size[0] * window.size[1] / finish.divisor)
    (down, along), width, vector = window.size, output[1] * window.size[1], VECTOR // padded.dtype.itemsize
    first_end = output[1] if padded.volume.dtype.kind != "f" else output[1] // vector * vector

    def fill(row: int, target: Array) -> None:
        source = padded.peek(slice(row * down, (row + len(target)) * down))[:, :width]
        for channels in _sides(padded.shape[2]):
            part, into = np.ascontiguousarray(source[:, :, channels]), target[:, :, channels]
            if into.flags.c_contiguous:
                cv2.resize(part, into.shape[1::-1], dst=into, interpolation=cv2.INTER_AREA)
            else:
                into[...] = cv2.resize(part, into.shape[1::-1], interpolation=cv2.INTER_AREA).reshape(into.shape)
            if first_end < output[1]:
                ends = np.zeros((len(part), vector * along, part.shape[2]), part.dtype)
                ends[:, : width - first_end * along] = part[:, first_end * along :]
                reduced = cv2.resize(ends, (vector, len(target)), interpolation=cv2.INTER_AREA)
                into[:, first_end:] = reduced.reshape(len(target), vector, -1)[:, : output[1] - first_end]
            if scale != 1:
                into *= scale

    at_once = output[0]  # on OpenCV's threads
    if padded.volume.dtype != padded.dtype:
        at_once = _rows_at_once(output[0], down * padded.shape[1] * padded.shape[2])
    return fill_rows((*output, padded.shape[2]), padded.dtype, at_once, fill)


def _sides(channels: int) -> list[slice]:
    """Return the channels in parts that OpenCV takes."""
    return [slice(first, first + MOST_CHANNELS) for first in range(0, channels, MOST_CHANNELS)]


def _type_of_sums(dtype: np.dtype[Any], count: int, *, squared: bool, pairwise: bool) -> str:
    """Return the type of a sum of so many values of a type; the errors of sums of pairs hardly add up."""
    if dtype in WHITE:
        return "float32" if count * WHITE[dtype] ** (2 if squared else 1) < EXACT_FLOAT32 else "float64"
    return "float32" if dtype == np.float32 and not squared and (pairwise or count <= _FEW_SUMMED) else "float64"


def window_counts(layer: Pool, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return how many rows of each row of windows, and columns of each column, count: (H',) and (W',)."""
    beyond = layer.window.pads(shape[0], shape[1]) if layer.count_include_pad else (0, 0, 0, 0)
    down, across = find_taps(layer.window, shape, layer.output(shape), beyond)
    return down[1] - down[0], across[1] - across[0]


Taps = tuple[Array, Array]
"""For each row, or column, of windows, which of their own rows, or columns, are the first in the image and after it."""


def find_taps(
    window: Window, shape: tuple[int, ...], output: tuple[int, ...], beyond: Sides = (0, 0, 0, 0)
) -> tuple[Taps, Taps]:
    """Return which rows and columns of windows are in an image of a shape (H, W, C), or up to `beyond` outside it."""
    pads, taps = window.pads(shape[0], shape[1]), list[Taps]()
    for axis in (0, 1):
        starts = np.arange(output[axis]) * window.stride[axis] - pads[axis]
        gap, size = window.dilation[axis], window.size[axis]
        edges = -beyond[axis], shape[axis] + beyond[axis + 2]
        first, end = (np.clip(-((starts - edge) // gap), 0, size) for edge in edges)
        taps.append((first, end))
    return taps[0], taps[1]


def _find_extremes(volume: Array, layer: Pool, output: Pair, join: np.ufunc, sweep: Callable[..., Any]) -> Array:
    """Return the extreme of each window, (H', W', C): by OpenCV's `sweep` where windows overlap, else by `join`."""
    window = layer.window
    padded = pad_to_windows(volume, window, output, find_loser(layer.mode, volume.dtype), volume.dtype.name)
    overlaps = window.stride[0] < window.size[0] and window.stride[1] < window.size[1]
    if not (overlaps and window.dilation == (1, 1) and volume.dtype in _SWEPT and padded.ordered):
        return _join_taps(padded, window, output, join)
    kernel = np.ones(window.size, np.uint8)
    return _sweep(padded, window, output, lambda part: sweep(part, kernel, anchor=(0, 0)))


def _sweep(padded: Padded, window: Window, output: Pair, run: Callable[[Array], Any], offset: int = 0) -> Array:
    """Return what OpenCV makes of windows, (H', W', C), whose results lie `offset` rows and columns within them."""
    channels, (down, along) = padded.shape[2], window.stride
    width = (output[1] - 1) * along + 1
    if down == along == 1 and padded.dtype.itemsize == 1 and channels <= MOST_CHANNELS:
        swept = np.asarray(run(np.ascontiguousarray(padded.whole()))).reshape(padded.shape)  # on OpenCV's threads
        return swept[offset : offset + output[0], offset : offset + output[1]]

    def fill(row: int, target: Array) -> None:
        height = (len(target) - 1) * down + 1
        source = padded.peek(slice(row * down, row * down + height + window.size[0] - 1))
        for some in _sides(channels):
            part = np.ascontiguousarray(source[:, :, some])
            swept = run(part).reshape(part.shape)[offset:, offset:]
            target[:, :, some] = swept[:height:down, :width:along]

    at_once = max(1, _rows_at_once(padded.shape[0], padded.shape[1] * channels, 2 * window.size[0]) // down)
    return fill_rows((*output, channels), padded.dtype, at_once, fill)


def _join_taps(padded: Padded, window: Window, output: Pair, join: np.ufunc) -> Array:
    """Join the values of each window, first down the rows, which lie in one run, then along them: (H', W', C)."""
    source, memory = padded.in_own_type(), reuse_memory(padded.dtype)

    def fill(row: int, target: Array) -> None:
        first = row * window.stride[0]
        rows = source.peek(slice(first, first + (len(target) - 1) * window.stride[0] + window.extent[0]))
        if window.size[0] > 1:
            rows = _join_axis(rows, 0, window, join, memory("down", len(target), *rows.shape[1:]))
        else:
            rows = rows[:: window.stride[0]]
        _join_axis(rows, 1, window, join, target)

    at_once = _rows_at_once(output[0], padded.shape[1] * padded.shape[2] * padded.dtype.itemsize // 2)
    return fill_rows((*output, padded.shape[2]), padded.dtype, at_once, fill)


def _join_axis(source: Array, axis: int, window: Window, join: np.ufunc, out: Array) -> Array:
    """Write what windows join along one axis into `out`."""
    size, stride, count = window.size[axis], window.stride[axis], out.shape[axis]
    side_by_side = stride == size and window.dilation[axis] == 1 and source.dtype == out.dtype
    if side_by_side and axis == 0 and size > 2:
        rows = source[: count * size].reshape(count, size, *source.shape[1:])
        return np.asarray(join.reduce(rows, axis=1, out=out))
    reach, starts = (count - 1) * stride + 1, [tap * window.dilation[axis] for tap in range(size)]
    parts = [slice(start, start + reach, stride) for start in starts]
    taps = [source[part] if axis == 0 else source[:, part] for part in parts]
    if size == 1:
        np.copyto(out, taps[0])
        return out
    join(taps[0], taps[1], out=out, dtype=out.dtype)
    for tap in taps[2:]:
        join(out, tap, out=out)
    return out


def _rows_at_once(rows: int, numbers: int, least: int = 1) -> int:
    """Return how many of so many rows, each of so many numbers, are worked on at a time."""
    if rows * numbers <= 2 * _AT_ONCE:  # threads would take longer to begin
        return max(1, rows)
    tiles, cores = -(-rows // max(1, _AT_ONCE // numbers, least)), count_cores()
    return -(-rows // (-(-tiles // cores) * cores))  # as many for each core


RUN: dict[PoolMode, Callable[[Array, Pool, Pair, np.dtype[Any]], Array]] = {  # dtype: of what lies between two values
    PoolMode.MAX: lambda volume, layer, output, _: _find_extremes(volume, layer, output, np.maximum, cv2.dilate),
    PoolMode.MIN: lambda volume, layer, output, _: _find_extremes(volume, layer, output, np.minimum, cv2.erode),
    PoolMode.AVG: lambda volume, layer, output, _: _average(volume, layer, output),
    PoolMode.L2: lambda volume, layer, output, _: _add_squares(volume, layer, output),
    PoolMode.MEDIAN: lambda volume, layer, output, dtype: find_medians(volume, layer.window, output, dtype),
}
"""What each mode makes of a volume, (H', W', C), of windows that see a pixel."""
