"""What normalizations make of a batch (C, H, W, N) or (length, N), and of the gradient that comes back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.window_gradients import Back
from cnnfilter.nn.norms import BatchNorm, LocalResponseNorm, OwnNorm

MOMENTUM = 0.1
"""The share of a batch in the running statistics, PyTorch's default."""


def normalize_over_batch(
    batch: Floats, layer: BatchNorm, tensors: Mapping[str, Array], gradients: Mapping[str, Floats], *, training: bool
) -> tuple[Floats, Back]:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias (Ioffe and Szegedy, 2015, with their gradients)."""
    axes, count = tuple(range(1, batch.ndim)), batch[0].size
    each = (-1, *[1] * len(axes))
    mean, variance = tensors["running_mean"], tensors["running_var"]
    if training:
        measured = batch.mean(axis=axes), batch.var(axis=axes)
        unbiased = measured[1] * (count / max(count - 1, 1))
        mean += MOMENTUM * (measured[0] - mean)
        variance += MOMENTUM * (unbiased - variance)
        mean, variance = measured
    inverse = 1 / np.sqrt(variance + batch.dtype.type(layer.eps))
    normal = (batch - mean.reshape(each)) * inverse.reshape(each)
    scale = tensors["weight"].reshape(each) if layer.affine else batch.dtype.type(1)

    def back(gradient: Floats) -> Floats:
        of_weight, of_bias = (gradient * normal).sum(axis=axes), gradient.sum(axis=axes)
        if "weight" in gradients:
            gradients["weight"][...], gradients["bias"][...] = of_weight, of_bias
        if training:
            shares = (of_bias.reshape(each) + normal * of_weight.reshape(each)) / gradient.dtype.type(count)
            gradient = gradient - shares
        return np.asarray(gradient * (scale * inverse.reshape(each)))

    return normal * scale + tensors["bias"].reshape(each) if layer.affine else normal, back


def normalize_alone(
    batch: Floats, layer: OwnNorm, tensors: Mapping[str, Array], gradients: Mapping[str, Floats]
) -> tuple[Floats, Back]:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, mean and variance those of each set of values."""
    sets = batch.reshape(layer.sets(len(batch)), -1, batch.shape[-1])
    mean = sets.mean(axis=1, keepdims=True, dtype=np.float64)
    inverse = 1 / np.sqrt(np.square(sets - mean).mean(axis=1, keepdims=True) + layer.eps)
    normal = ((sets - mean) * inverse).astype(batch.dtype).reshape(batch.shape)
    weight = tensors["weight"] if layer.affine else np.ones(())
    axes = tuple(range(weight.ndim, batch.ndim))
    each = (*weight.shape, *[1] * len(axes))
    scale = weight.reshape(each).astype(batch.dtype)

    def back(gradient: Floats) -> Floats:
        if "weight" in gradients:
            gradients["weight"][...] = (gradient * normal).sum(axis=axes)
            gradients["bias"][...] = gradient.sum(axis=axes)
        scaled = (gradient * scale).reshape(sets.shape)
        shares = scaled * normal.reshape(sets.shape)
        means = [part.mean(axis=1, keepdims=True, dtype=np.float64) for part in (scaled, shares)]
        result = (scaled - means[0] - normal.reshape(sets.shape) * means[1]) * inverse
        return np.asarray(result.reshape(batch.shape), dtype=gradient.dtype)

    shift = tensors["bias"].reshape(each).astype(batch.dtype) if layer.affine else batch.dtype.type(0)
    return normal * scale + shift, back


def normalize_neighbours(batch: Floats, layer: LocalResponseNorm) -> tuple[Floats, Back]:
    """Return x / d^beta, d = k + alpha / size * the sum of x^2 of the channels around it."""
    before, after = layer.size // 2, (layer.size - 1) // 2
    rate, beta = batch.dtype.type(layer.alpha / layer.size), batch.dtype.type(layer.beta)
    sums = batch.dtype.type(layer.k) + rate * _add_around(np.square(batch), before, after)
    factors = sums**-beta

    def back(gradient: Floats) -> Floats:
        around = _add_around(gradient * batch * factors / sums, after, before)
        return np.asarray(gradient * factors - 2 * rate * beta * batch * around)

    return batch * factors, back


def _add_around(batch: Floats, before: int, after: int) -> Floats:
    """Return the sum of each value, of those in `before` channels before it and in `after` channels behind it."""
    sums = batch.copy()
    for distance in range(1, min(max(before, after), len(batch) - 1) + 1):
        if distance <= before:
            sums[distance:] += batch[:-distance]
        if distance <= after:
            sums[:-distance] += batch[distance:]
    return sums
