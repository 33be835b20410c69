"""What transposed convolutions, upsampling and adaptive pools make of a batch (C, H, W, N), and of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.window_gradients import Back
from cnnfilter.nn.geometry import Pair, Window
from cnnfilter.nn.other_layers import PoolMode
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample


def _list_places(window: Window, height: int, width: int) -> Iterator[tuple[Pair, tuple[slice, ...]]]:
    """Yield each weight's place in the kernel, and to what of all that comes out of (height, width) maps it adds."""
    for row, column in np.ndindex(*window.size):
        starts = row * window.dilation[0], column * window.dilation[1]
        reaches = zip(starts, (height, width), window.stride, strict=True)
        slices = (slice(start, start + (size - 1) * step + 1, step) for start, size, step in reaches)
        yield (row, column), (slice(None), *slices)


def deconvolve_batch(
    batch: Floats, layer: Deconv, tensors: Mapping[str, Array], gradients: Mapping[str, Floats], *, needed: bool = True
) -> tuple[Floats, Back]:
    """Return the maps (out, H', W', N) of a batch, and what goes back, by a product of matrices for each weight.

    `tensors` are `weight` (in, out / groups, kh, kw) and, if there is one, `bias` (out,); what is found for them is
    written into `gradients`, as far as there is a place for it.
    """
    weight, groups = tensors["weight"].astype(batch.dtype, copy=False), layer.groups
    channels, height, width, count = batch.shape
    matrices = weight.reshape(groups, channels // groups, *weight.shape[1:])
    columns = np.ascontiguousarray(batch).reshape(groups, channels // groups, -1)
    rows_out, columns_out, outputs = layer.output((height, width, channels))
    top, left, bottom, right = layer.window.pads(height, width)
    inside = slice(None), slice(top, top + rows_out), slice(left, left + columns_out)
    shape = outputs, top + rows_out + bottom, left + columns_out + right, count

    whole = np.zeros(shape, batch.dtype)
    for tap, place in _list_places(layer.window, height, width):
        whole[place] += (matrices[..., *tap].swapaxes(1, 2) @ columns).reshape(outputs, height, width, count)
    result = whole[inside]
    if "bias" in tensors:
        result = result + tensors["bias"].astype(batch.dtype, copy=False)[:, None, None, None]

    def back(gradient: Floats) -> Floats | None:
        of_whole = np.zeros(shape, gradient.dtype)
        of_whole[inside] = gradient
        of_batch = np.zeros(columns.shape, gradient.dtype)
        of_weight = gradients["weight"].reshape(matrices.shape) if "weight" in gradients else None
        for tap, place in _list_places(layer.window, height, width):
            part = of_whole[place].reshape(groups, outputs // groups, -1)
            if needed:
                of_batch += matrices[..., *tap] @ part
            if of_weight is not None:
                of_weight[..., *tap] = columns @ part.swapaxes(1, 2)
        if "bias" in gradients:
            gradients["bias"][...] = gradient.sum(axis=(1, 2, 3))
        return of_batch.reshape(batch.shape) if needed else None

    return result, back


def upsample_batch(batch: Floats, layer: Upsample) -> tuple[Floats, Back]:
    """Return a batch of more rows and columns, and what goes back; of its own type where pixels are repeated."""
    stretch = _repeat if layer.interpolation is Interpolation.NEAREST else _interpolate
    return _along_both(batch, lambda values, axis: stretch(values, layer, axis))


def pool_adaptively(batch: Floats, layer: AdaptivePool) -> tuple[Floats, Back]:
    """Return the means, or the greatest values, of all windows of a batch, and what goes back."""
    pool = _take_greatest if layer.mode is PoolMode.MAX else _average
    return _along_both(batch, lambda values, axis: pool(values, layer, axis))


_Step = Callable[[Floats, int], tuple[Floats, Callable[[Floats], Floats]]]
"""Works along the first axis of values, which is the axis of rows, 0, or of columns, 1, of the images."""


def _along_both(batch: Floats, step: _Step) -> tuple[Floats, Back]:
    """Return what a step makes of the columns and then of the rows; of equal values the first row's go first."""
    across, back_across = step(np.moveaxis(batch, 2, 0), 1)
    down, back_down = step(np.moveaxis(across, 2, 0), 0)

    def back(gradient: Floats) -> Floats:
        of_across = np.moveaxis(back_down(np.moveaxis(gradient, 0, 2)), 0, 2)
        return np.moveaxis(back_across(of_across), 0, 2)

    return np.moveaxis(down, 2, 0), back


def _repeat(values: Floats, layer: Upsample, axis: int) -> tuple[Floats, Callable[[Floats], Floats]]:
    factor, count = layer.factor[axis], len(values)
    shape = count, factor, *values.shape[1:]
    return values.repeat(factor, axis=0), lambda gradient: gradient.reshape(shape).sum(axis=1)


def _interpolate(values: Floats, layer: Upsample, axis: int) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return what is between values and, beyond the first and the last, what is at the edge."""
    factor, count = layer.factor[axis], len(values)
    padded = values[np.clip(np.arange(-1, count + 1), 0, count - 1)]
    result = np.empty((count * factor, *values.shape[1:]), values.dtype)
    shares = [layer.share(phase, axis) for phase in range(factor)]
    for phase, (source, share) in enumerate(shares):
        part = padded[source + 1 : source + 1 + count]
        if share:
            part = part * values.dtype.type(1 - share) + padded[source + 2 : source + 2 + count] * values.dtype.type(
                share
            )
        result[phase::factor] = part

    def back(gradient: Floats) -> Floats:
        of_padded = np.zeros(padded.shape, gradient.dtype)
        for phase, (source, share) in enumerate(shares):
            of_padded[source + 1 : source + 1 + count] += gradient[phase::factor] * gradient.dtype.type(1 - share)
            if share:
                of_padded[source + 2 : source + 2 + count] += gradient[phase::factor] * gradient.dtype.type(share)
        of_padded[1] += of_padded[0]
        of_padded[count] += of_padded[count + 1]
        return of_padded[1:-1]

    return result, back


def _windows(layer: AdaptivePool, axis: int, count: int) -> list[slice]:
    seen = (layer.places(place, axis, count) for place in range(layer.size[axis]))
    return [slice(places.start, places.stop) for places in seen]


def _average(values: Floats, layer: AdaptivePool, axis: int) -> tuple[Floats, Callable[[Floats], Floats]]:
    windows = _windows(layer, axis, len(values))
    means = [values[window].mean(axis=0, dtype=np.float64).astype(values.dtype) for window in windows]

    def back(gradient: Floats) -> Floats:
        shares = np.zeros(values.shape, gradient.dtype)
        for window, part in zip(windows, gradient, strict=True):
            shares[window] += part / gradient.dtype.type(window.stop - window.start)
        return shares

    return np.stack(means), back


def _take_greatest(values: Floats, layer: AdaptivePool, axis: int) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return the greatest values; all of the gradient goes to the first place that has it, as in PyTorch."""
    windows = _windows(layer, axis, len(values))
    best = [values[window].argmax(axis=0)[None] for window in windows]
    greatest = [np.take_along_axis(values[window], place, 0)[0] for window, place in zip(windows, best, strict=True)]

    def back(gradient: Floats) -> Floats:
        shares = np.zeros(values.shape, gradient.dtype)
        for window, place, part in zip(windows, best, gradient, strict=True):
            rows = np.arange(window.stop - window.start).reshape(-1, *[1] * part.ndim)
            shares[window] += (rows == place) * part
        return shares

    return np.stack(greatest), back
