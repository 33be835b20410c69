"""Pooling: one value for each window, for each channel, or for channels taken together.

Padding never counts as a pixel: it cannot win a maximum, and averages divide by the pixels that are
there, unless `count_include_pad`, which counts the padding but never what `ceil` hangs over. A window
that sees no pixel at all, as a dilated one can, gives 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type, ieee_arithmetic
from cnnfilter.spec.geometry import Pair, Window
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode
from cnnfilter.spec.values import replace

_ROWS_AT_ONCE = 1 << 22
"""Values of windows that a median holds at a time: 32 MB of float64."""


@ieee_arithmetic
def pool_volume(volume: Array, layer: Pool) -> Array:
    """Return the pooled volume.

    Parameters
    ----------
    volume
        (H, W, C).
    layer
        Mode, window and what counts.

    Returns
    -------
    ndarray
        (H', W', C), of the volume's type under max and min; float32 (float64 for float64 volumes and
        integers of more than 16 bits) under avg, l2 and median. nan is no pixel to a median; elsewhere
        it spreads to each window that sees it.

    Raises
    ------
    ShapeError
        If the window is larger than the padded volume, or the padding more than half the window.
    """
    output = layer.output(volume.shape)[:2]
    pooled = _pool(volume, layer, (output[0], output[1]))
    empty = window_counts(replace(layer, count_include_pad=False), volume.shape) == 0
    if empty.any():
        pooled[empty] = 0
    return pooled


def _pool(volume: Array, layer: Pool, output: Pair) -> Array:
    """Return what each mode makes of the windows, whatever it makes of those that see no pixel."""
    match layer.mode:
        case PoolMode.MAX:
            return _reduce(volume, layer.window, output, np.maximum, lowest(volume.dtype))
        case PoolMode.MIN:
            return _reduce(volume, layer.window, output, np.minimum, highest(volume.dtype))
        case PoolMode.MEDIAN:
            return _median(volume, layer.window, output).astype(float_type(volume.dtype))
        case PoolMode.AVG:
            counts = np.maximum(window_counts(layer, volume.shape), 1)[:, :, None]
            sums = window_sums(volume.astype(np.float64), layer.window, output)
            return (sums / counts).astype(float_type(volume.dtype))
        case PoolMode.L2:
            squares = np.square(volume, dtype=np.float64)
            return np.sqrt(window_sums(squares, layer.window, output)).astype(float_type(volume.dtype))


def lowest(dtype: np.dtype[Any]) -> float:
    """Return what never wins a maximum."""
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else int(np.iinfo(dtype).min)


def highest(dtype: np.dtype[Any]) -> float:
    """Return what never wins a minimum."""
    if dtype.kind == "f":
        return np.inf
    return True if dtype.kind == "b" else int(np.iinfo(dtype).max)


def window_sums(volume: Doubles, window: Window, output: Pair) -> Doubles:
    """Return the sum over each window, (H', W', C); padding and overhang add nothing."""
    return np.asarray(_reduce(volume, window, output, np.add, 0.0))


def window_counts(layer: Pool, shape: tuple[int, ...]) -> Doubles:
    """Return by how many pixels each window's sum is divided: (H', W')."""
    window = layer.window
    pads = window.pads(shape[0], shape[1])
    output = layer.output(shape)
    counts = []
    for axis in (0, 1):
        starts = np.arange(output[axis]) * window.stride[axis] - pads[axis]
        taps = starts[:, None] + np.arange(window.size[axis]) * window.dilation[axis]
        before, after = (pads[axis], pads[axis + 2]) if layer.count_include_pad else (0, 0)
        counts.append(((taps >= -before) & (taps < shape[axis] + after)).sum(axis=1))
    return np.asarray(np.multiply.outer(counts[0], counts[1]), dtype=np.float64)


def _reduce(volume: Array, window: Window, output: Pair, join: np.ufunc, neutral: float) -> Array:
    """Join the values of each window, first along the columns, then along the rows."""
    padded = _pad_to_windows(volume, window, output, neutral)
    for axis in (1, 0):
        taps = [
            _take(padded, axis, tap * window.dilation[axis], output[axis], window.stride[axis])
            for tap in range(window.size[axis])
        ]
        padded = taps[0].copy()
        for tap in taps[1:]:
            join(padded, tap, out=padded)
    return padded


def _take(array: Array, axis: int, start: int, count: int, stride: int) -> Array:
    """Return every `stride`-th row or column, `count` of them: a view."""
    part = slice(start, start + (count - 1) * stride + 1, stride)
    return array[part] if axis == 0 else array[:, part]


def _pad_to_windows(volume: Array, window: Window, output: Pair, fill: float) -> Array:
    """Return the volume with padding, and with as much more at the end as the last windows hang over."""
    pads = window.pads(volume.shape[0], volume.shape[1])
    widths = []
    for axis in (0, 1):
        needed = (output[axis] - 1) * window.stride[axis] + window.extent[axis]
        widths.append((pads[axis], max(0, needed - pads[axis] - volume.shape[axis])))
    return np.pad(volume, (*widths, (0, 0)), constant_values=fill) if any(map(any, widths)) else volume


def _median(volume: Array, window: Window, output: Pair) -> Doubles:
    """Return the median of the pixels that are there; nan, as the padding is, is not there."""
    padded = _pad_to_windows(volume.astype(np.float64), window, output, np.nan)
    extent, stride, dilation = window.extent, window.stride, window.dilation
    windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(0, 1))
    windows = windows[:: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]][: output[0], : output[1]]
    step = max(1, _ROWS_AT_ONCE // max(1, windows[0].size))
    parts = [_middle(windows[row : row + step]) for row in range(0, output[0], step)]
    return np.concatenate(parts)


def _middle(windows: Doubles) -> Doubles:
    """Return the median of each window of (rows, columns, channels, kh, kw), nan aside."""
    values = np.sort(windows.reshape(*windows.shape[:3], -1), axis=-1)
    counts = np.count_nonzero(~np.isnan(values), axis=-1)[..., None]
    lower = np.take_along_axis(values, np.maximum(counts - 1, 0) // 2, axis=-1)
    upper = np.take_along_axis(values, counts // 2, axis=-1)
    return np.clip(lower / 2 + upper / 2, lower, upper)[..., 0]


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
    if layer.mode in _KEEPS_TYPE:
        return _KEEPS_TYPE[layer.mode](groups)
    return _IN_DOUBLE[layer.mode](groups.astype(np.float64)).astype(float_type(volume.dtype))


_KEEPS_TYPE: dict[ChannelMode, Callable[[Array], Array]] = {
    ChannelMode.MAX: lambda groups: np.asarray(groups.max(axis=-1)),
    ChannelMode.MIN: lambda groups: np.asarray(groups.min(axis=-1)),
}
_IN_DOUBLE: dict[ChannelMode, Callable[[Doubles], Doubles]] = {
    ChannelMode.AVG: lambda groups: groups.mean(axis=-1),
    ChannelMode.SUM: lambda groups: groups.sum(axis=-1),
    ChannelMode.MAGNITUDE: lambda groups: np.sqrt(np.square(groups).sum(axis=-1)),
}
