"""What convolutions and pools make of a batch (C, H, W, N), and of the gradient that comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.borders import Places, find_places
from cnnfilter.compute.pool import find_loser, window_counts
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, Window
from cnnfilter.nn.layers import Convolution, Normalization
from cnnfilter.nn.other_layers import Pool, PoolMode

Back = Callable[[Floats], Floats | None]
"""Takes the gradient of the loss by what came out, and returns that by what went in, None where nobody asks for it."""

_PATCHES = 1 << 23  # numbers of patches held at a time: 32 MB of float32
_FILLED = {BorderMode.ZERO, BorderMode.CONSTANT}


class WindowedBatch:
    """A batch (C, H, W, N), padded as all windows of a layer together need it, and the places of the windows."""

    def __init__(self, batch: Floats, window: Window, border: Border) -> None:
        self.window, self._border, self._shape = window, border, batch.shape
        self.output = window.output(batch.shape[1], batch.shape[2])
        top, left, _, _ = window.pads(batch.shape[1], batch.shape[2])
        ends = [
            (self.output[axis] - 1) * window.stride[axis] + window.extent[axis] - before - batch.shape[axis + 1]
            for axis, before in ((0, top), (1, left))
        ]
        self._sides = top, left, max(0, ends[0]), max(0, ends[1])
        self.padded = self._pad(batch)

    @property
    def is_padded(self) -> bool:
        """Whether windows see more than the batch."""
        return any(self._sides)

    def _pad(self, batch: Floats) -> Floats:
        if not self.is_padded:
            return batch
        if self._border.mode not in _FILLED:
            rows, columns = self._places()
            return np.asarray(batch[:, rows][:, :, columns])
        (channels, height, width, count), (top, left, bottom, right) = self._shape, self._sides
        shape = channels, top + height + bottom, left + width + right, count
        padded = np.full(shape, self._border.value, batch.dtype)
        padded[:, top : top + height, left : left + width] = batch
        return padded

    def _places(self) -> tuple[Places, Places]:
        """Return which row, and which column, of the batch is at each padded one."""
        (_, height, width, _), (top, left, bottom, right) = self._shape, self._sides
        mode = self._border.mode
        return find_places(height, top, bottom, mode), find_places(width, left, right, mode)

    def unpad(self, gradient: Floats) -> Floats:
        """Return the gradient by the batch from that by what is padded: a pixel gets that of its copies too."""
        if not self.is_padded:
            return gradient
        (_, height, width, _), (top, left, _, _) = self._shape, self._sides
        if self._border.mode in _FILLED:
            return gradient[:, top : top + height, left : left + width]
        rows, columns = self._places()
        folded = _fold(gradient, rows, slice(top, top + height))
        return _fold(folded.swapaxes(1, 2), columns, slice(left, left + width)).swapaxes(1, 2)

    def taps(self, padded: Floats) -> list[Floats]:
        """Return what each place of the windows sees, (C, H', W', N), those of the first row first: views."""
        rows, columns = self.window.size
        return [self._tap(padded, row, column) for row in range(rows) for column in range(columns)]

    def _tap(self, padded: Floats, row: int, column: int, output_rows: int = 0) -> Floats:
        (down, across), (down_apart, apart) = self.window.stride, self.window.dilation
        top, left = row * down_apart, column * apart
        bottom = top + ((output_rows or self.output[0]) - 1) * down + 1
        return padded[:, top:bottom:down, left : left + (self.output[1] - 1) * across + 1 : across]

    def strips(self) -> list[tuple[int, int]]:
        """Return the output rows in parts, (first, count), whose patches are not too large to be held."""
        each = self.padded.shape[0] * prod(self.window.size) * self.output[1] * self.padded.shape[3]
        at_once = max(1, _PATCHES // each)
        rows = self.output[0]
        return [(first, min(at_once, rows - first)) for first in range(0, rows, at_once)]

    def patches(self, first: int, count: int) -> Floats:
        """Return the windows of some output rows, (C, kh, kw, count, W', N)."""
        (down, across), (down_apart, apart) = self.window.stride, self.window.dilation
        channel, row, column, image = self.padded.strides
        shape = self.padded.shape[0], *self.window.size, count, self.output[1], self.padded.shape[3]
        strides = channel, row * down_apart, column * apart, row * down, column * across, image
        return np.ascontiguousarray(as_strided(self.padded[:, first * down :], shape, strides))

    def add_patches(self, gradient: Floats, patches: Floats, first: int) -> None:
        """Add the gradients by the patches of some output rows to that by what is padded."""
        (rows, columns), (down, across), (down_apart, apart) = (
            self.window.size,
            self.window.stride,
            self.window.dilation,
        )
        part = gradient[:, first * down :]
        if rows * columns <= patches.shape[3] * patches.shape[4]:
            for row in range(rows):
                for column in range(columns):
                    self._tap(part, row, column, patches.shape[3])[...] += patches[:, row, column]
            return
        height, width = self.window.extent
        for row in range(patches.shape[3]):
            for column in range(patches.shape[4]):
                top, left = row * down, column * across
                seen = part[:, top : top + height : down_apart, left : left + width : apart]
                seen += patches[:, :, :, row, column]


def _fold(gradient: Floats, places: Places, inside: slice) -> Floats:
    """Return the second axis of a gradient with what is outside added where it was copied from."""
    folded = gradient[:, inside].copy()
    for place in (*range(inside.start), *range(inside.stop, len(places))):
        folded[:, places[place]] += gradient[:, place]
    return folded


def convolve_batch(
    batch: Floats,
    layer: Convolution,
    tensors: Mapping[str, Array],
    groups: int,
    gradients: Mapping[str, Floats],
    *,
    needed: bool = True,
) -> tuple[Floats, Back]:
    """Return the feature maps (out, H', W', N) of a batch, and what goes back, by products of matrices.

    Each window is a column. `tensors` are `weight` (out, in / groups, kh, kw) and, if there is one, `bias` (out,); what
    is found for them is written into `gradients`, as far as there is a place for it.
    """
    windows = WindowedBatch(batch, layer.window, layer.border)
    weight, learn = _use_weight(tensors["weight"], layer)
    matrices = weight.reshape(groups, len(weight) // groups, -1)
    strips, columns = windows.strips(), windows.output[1] * batch.shape[3]
    kept = windows.patches(*strips[0]) if len(strips) == 1 else None  # others are made again when they are needed
    maps: Floats = np.empty((*matrices.shape[:2], windows.output[0], columns), batch.dtype)
    for first, count in strips:
        patches = windows.patches(first, count) if kept is None else kept
        products = matrices @ patches.reshape(groups, matrices.shape[2], -1)
        maps[:, :, first : first + count] = products.reshape(*matrices.shape[:2], count, columns)
    outputs: Floats = maps.reshape(len(weight), *windows.output, batch.shape[3])
    if "bias" in tensors:
        outputs += tensors["bias"][:, None, None, None]

    def back(gradient: Floats) -> Floats | None:
        of_maps = np.ascontiguousarray(gradient).reshape(maps.shape)
        of_padded = np.zeros(windows.padded.shape if needed else 0, gradient.dtype)
        of_weight = np.zeros(matrices.shape, gradient.dtype)
        for first, count in strips:
            patches = windows.patches(first, count) if kept is None else kept
            part = of_maps[:, :, first : first + count].reshape(*matrices.shape[:2], -1)
            if "weight" in gradients:
                of_weight += part @ patches.reshape(groups, matrices.shape[2], -1).swapaxes(1, 2)
            if needed:
                windows.add_patches(of_padded, (matrices.swapaxes(1, 2) @ part).reshape(patches.shape), first)
        if "weight" in gradients:
            gradients["weight"][...] = learn(of_weight.reshape(weight.shape))
        if "bias" in gradients:
            gradients["bias"][...] = of_maps.sum(axis=(2, 3)).ravel()
        return windows.unpad(of_padded) if needed else None

    return outputs, back


def _use_weight(weight: Array, layer: Convolution) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return the weights (out, in, kh, kw) as they are laid on a batch, and what leads from their gradient back."""
    turn = (slice(None), slice(None), slice(None, None, -1), slice(None, None, -1)) if layer.flip else ...
    if layer.normalize is Normalization.NONE:
        return weight[turn], lambda gradient: gradient[turn]
    slopes = np.ones_like(weight) if layer.normalize is Normalization.SUM else np.sign(weight)
    sums = (weight * slopes).sum(axis=(1, 2, 3), keepdims=True)
    used = weight / sums

    def back(gradient: Floats) -> Floats:
        turned = gradient[turn]
        return np.asarray((turned - slopes * (turned * used).sum(axis=(1, 2, 3), keepdims=True)) / sums)

    return used[turn], back


def pool_batch(batch: Floats, layer: Pool) -> tuple[Floats, Back]:
    """Return what a pool makes of a batch (C, H, W, N), and what goes back."""
    filled = Border(BorderMode.CONSTANT, 0.0 if layer.mode.row.averages else find_loser(layer.mode, batch.dtype))
    windows = WindowedBatch(batch, layer.window, filled)
    outputs, share = _POOLS[layer.mode](windows.taps(windows.padded), layer, batch.shape)
    seeing = _find_seeing(layer, batch.shape) if windows.is_padded else None
    if seeing is not None:
        outputs = np.where(seeing, outputs, outputs.dtype.type(0))

    def back(gradient: Floats) -> Floats:
        of_padded = np.zeros(windows.padded.shape, gradient.dtype)
        shares = share(gradient if seeing is None else gradient * seeing)
        for tap, part in zip(windows.taps(of_padded), shares, strict=True):
            np.add(tap, part, out=tap)
        return windows.unpad(of_padded)

    return outputs, back


def _find_seeing(layer: Pool, shape: tuple[int, ...]) -> Array | None:
    """Return which windows see a pixel, (H', W', 1); None if all do."""
    down, across = window_counts(replace(layer, count_include_pad=False), (*shape[1:3], shape[0]))
    return None if down.all() and across.all() else np.multiply.outer(down > 0, across > 0)[:, :, None]


Shares = Callable[[Floats], Iterator[Floats]]
"""Yields what each place of the windows gets of a gradient."""


def _pick(taps: Sequence[Floats], join: np.ufunc) -> tuple[Floats, Shares]:
    """Return the extreme of each window; all of the gradient goes to the first place that has it, as in PyTorch."""
    outputs = np.array(taps[0])
    for tap in taps[1:]:
        join(outputs, tap, out=outputs)

    def share(gradient: Floats) -> Iterator[Floats]:
        left = gradient
        for tap in taps:
            part = left * (tap == outputs)
            left = left - part
            yield part

    return outputs, share


def _average(taps: Sequence[Floats], layer: Pool, shape: tuple[int, ...]) -> tuple[Floats, Shares]:
    down, across = (np.maximum(counts, 1) for counts in window_counts(layer, (*shape[1:3], shape[0])))
    weights = (1 / np.multiply.outer(down, across)[:, :, None]).astype(taps[0].dtype)
    outputs = sum(taps[1:], taps[0]) * weights
    return outputs, lambda gradient: ((gradient * weights) for _ in taps)


def _take_norm(taps: Sequence[Floats], _: Pool, __: tuple[int, ...]) -> tuple[Floats, Shares]:
    outputs = np.sqrt(sum((np.square(tap) for tap in taps[1:]), np.square(taps[0])))
    divisor = np.where(outputs == 0, 1, outputs)
    return outputs, lambda gradient: (gradient / divisor * tap for tap in taps)


def _take_median(taps: Sequence[Floats], _: Pool, __: tuple[int, ...]) -> tuple[Floats, Shares]:
    """Return the medians; of an even number of pixels each of the two in the middle gets half of the gradient."""
    values = np.stack(taps)
    order = values.argsort(axis=0, kind="stable")  # what is padding, nan, comes last
    counts = np.count_nonzero(~np.isnan(values), axis=0)
    middles = [np.take_along_axis(order, place[None], 0) for place in (np.maximum(counts - 1, 0) // 2, counts // 2)]
    half = values.dtype.type(0.5)
    outputs = sum(np.take_along_axis(values, middle, 0)[0] * half for middle in middles)

    def share(gradient: Floats) -> Iterator[Floats]:
        for number in range(len(taps)):
            yield sum((middle[0] == number) * gradient * half for middle in middles)

    return outputs, share


_POOLS: dict[PoolMode, Callable[[Sequence[Floats], Pool, tuple[int, ...]], tuple[Floats, Shares]]] = {
    PoolMode.MAX: lambda taps, *_: _pick(taps, np.maximum),
    PoolMode.MIN: lambda taps, *_: _pick(taps, np.minimum),
    PoolMode.AVG: _average,
    PoolMode.L2: _take_norm,
    PoolMode.MEDIAN: _take_median,
}
"""What each mode makes of the places of the windows, and how the gradient is shared among them."""
