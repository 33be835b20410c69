"""What each kind of layer makes of a volume or a vector."""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.activations import activate, softmax
from cnnfilter.compute.borders import read_centres
from cnnfilter.compute.correlate import correlate_volume
from cnnfilter.compute.exact import find_facts, settle_numbers
from cnnfilter.compute.forward import Listener, Step, Tensors, convolve_step
from cnnfilter.compute.norm_gradients import normalize_alone
from cnnfilter.compute.pool import pool_channels, pool_globally, pool_volume
from cnnfilter.compute.products import multiply_rows
from cnnfilter.compute.resampling_gradients import deconvolve_batch, pool_adaptively, upsample_batch
from cnnfilter.nn.correlation import Correlation
from cnnfilter.nn.geometry import Border, BorderMode
from cnnfilter.nn.layers import Conv, Convolution, DepthwiseConv, Layer
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, OwnNorm
from cnnfilter.nn.other_layers import (
    Activation,
    ChannelPool,
    Concatenation,
    Dropout,
    Equalize,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample


class Setting(NamedTuple):
    """What holds for all layers of a run: the level of white, and who hears what comes out of each."""

    white: float = 255.0
    listener: Listener | None = None


@ieee_arithmetic
def normalize_batch(values: Array, tensors: Mapping[str, Array], eps: float) -> Floats:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, channel by channel of (H, W, C) or (length,)."""
    mean, variance = (tensors[name].astype(np.float64) for name in ("running_mean", "running_var"))
    scale = tensors.get("weight", np.ones(1)) / np.sqrt(variance + eps)
    kind = float_type(values.dtype)
    shift = tensors.get("bias", np.zeros(1)) - mean * scale
    return np.asarray(values * scale.astype(kind) + shift.astype(kind), dtype=kind)


@ieee_arithmetic
def normalize_locally(volume: Array, layer: LocalResponseNorm) -> Floats:
    """Return each value divided by (k + alpha / size * sum of squares) ** beta of the channels around it, (H, W, C).

    Channels beyond the first and the last count as 0.
    """
    kind = float_type(volume.dtype)
    channels = volume.shape[2]
    before, after = (min(reach, channels - 1) for reach in (layer.size // 2, (layer.size - 1) // 2))
    squares = np.square(volume.astype(np.float64))
    padded = np.pad(squares, ((0, 0), (0, 0), (before, after)))
    sums = sum((padded[:, :, start : start + channels] for start in range(before + 1 + after)), np.zeros(()))
    return np.asarray(volume / (layer.k + layer.alpha / layer.size * sums) ** layer.beta, dtype=kind)


@ieee_arithmetic
def equalize(volume: Array, white: float) -> Floats:
    """Return each channel with its levels spread from 0 to `white`, in the order that they had.

    A level v becomes white * (n(v) - n(least)) / (n(greatest) - n(least)), where n(v) counts the pixels up to
    v: Gonzalez and Woods, "Digital Image Processing", section 3.3, without their rounding. A channel of a
    single level stays as it is, as does nan.
    """
    planes = [_equalize_plane(volume[:, :, channel], white) for channel in range(volume.shape[2])]
    return np.stack(planes, axis=2).astype(float_type(volume.dtype))


def _equalize_plane(plane: Array, white: float) -> Doubles:
    levels, places, counts = np.unique(plane, return_inverse=True, return_counts=True, equal_nan=False)
    counts = np.where(np.isnan(levels), 0, counts)
    upto = np.cumsum(counts)
    if upto[-1] == upto[0]:
        return plane.astype(np.float64)
    spread = white * (upto - upto[0]) / (upto[-1] - upto[0])
    spread = np.where(np.isnan(levels), np.nan, spread)
    return np.asarray(spread[places].reshape(plane.shape), dtype=np.float64)


@ieee_arithmetic
def connect_fully(vector: Array, tensors: Tensors) -> Array:
    """Return the outputs of a fully connected layer, (outputs,): vector @ weight + bias, of a convolution's types."""
    weight, bias = tensors["weight"], tensors.get("bias", np.zeros(1))
    numbers = settle_numbers(find_facts(vector), weight[None, None], Border(), float(np.abs(bias).max()))
    keeps_double = numbers.whole and vector.dtype != np.float32
    outputs = multiply_rows(vector[None], weight)[0] + bias
    return np.asarray(outputs, dtype=numbers.dtype if keeps_double else float_type(vector.dtype))


@ieee_arithmetic
def to_gray(volume: Array) -> Array:
    """Return the luma of a volume of 3 channels, (H, W, 1); one channel passes as it is."""
    if volume.shape[2] == 1:
        return volume
    red, green, blue = (volume[:, :, channel] * np.float64(Gray.WEIGHTS[channel]) for channel in range(3))
    return np.asarray((red + green + blue)[:, :, None], dtype=float_type(volume.dtype))


@ieee_arithmetic
def keep_colours(luma: Array, volume: Array, step: Step, alpha: Floats | None = None) -> Array:
    """Return colours with another luma, (H', W', 3): c + (luma' - luma), c in the centre of each window of a step.

    `volume` (H, W, 3) is what the layer saw the luma of. Where it is transparent, by `alpha` (H, W, 1), it has no
    colour, as padding with one level has none.
    """
    colours = volume - to_gray(volume)
    if alpha is not None:
        colours = np.where(alpha > 0, colours, colours.dtype.type(0))
    layer, kept = step.node.layer, step.place.kept if step.place else slice(None)
    assert isinstance(layer, Convolution)
    border = Border() if layer.border.mode is BorderMode.CONSTANT else layer.border
    return np.asarray(luma.reshape(*luma.shape[:2], 1) + read_centres(colours, layer.window, border)[kept])


def run_steps(steps: tuple[Step, ...], values: Array, setting: Setting) -> Array:
    """Return what layers in a row make of a volume (H, W, C) or a vector (length,)."""
    for step in steps:
        values = RUN[type(step.node.layer)](values, step.node.layer, step, setting)
        if setting.listener:
            setting.listener(step.node.name, values)
    return values


@ieee_arithmetic
def _add(values: Array, layer: Residual, step: Step, setting: Setting) -> Array:
    summands = [run_steps(branch, values, setting) for branch in step.branches]
    if layer.adds_input:
        summands.append(values)
    kind = np.result_type(*(float_type(summand.dtype) for summand in summands))
    return np.asarray(reduce(add, [summand.astype(kind, copy=False) for summand in summands]))


def _concatenate(values: Array, _: Concatenation, step: Step, setting: Setting) -> Array:
    return np.concatenate([run_steps(branch, values, setting) for branch in step.branches], axis=-1)


@ieee_arithmetic
def _use_slopes(values: Array, tensors: Tensors) -> Floats:
    """Return max(0, x) + slope * min(0, x) of (H, W, C) or (length,), one slope or one for each channel."""
    floats: Floats = values.astype(float_type(values.dtype), copy=False)
    return np.where(floats < 0, floats * tensors["weight"].astype(floats.dtype), floats)


@ieee_arithmetic
def _run_as_batch(values: Array, run: Callable[[Array], tuple[Array, Any]], *, keeps_type: bool = False) -> Array:
    """Return what a layer makes of (H, W, C) or (length,) by what it makes of a batch, as floats or of its own type."""
    floats = values if keeps_type else values.astype(float_type(values.dtype), copy=False)
    if floats.ndim == 1:
        return run(floats[:, None])[0][:, 0]
    return np.ascontiguousarray(run(floats.transpose(2, 0, 1)[..., None])[0][..., 0].transpose(1, 2, 0))


def _normalize_alone(values: Array, layer: OwnNorm, step: Step, _: Setting) -> Array:
    return _run_as_batch(values, lambda batch: normalize_alone(batch, layer, step.tensors, {}))


def _pool_adaptively(values: Array, layer: AdaptivePool, *_: Any) -> Array:
    keeps_type = layer.mode is PoolMode.MAX
    return _run_as_batch(values, lambda batch: pool_adaptively(batch, layer), keeps_type=keeps_type)


def _upsample(values: Array, layer: Upsample, *_: Any) -> Array:
    keeps_type = layer.interpolation is Interpolation.NEAREST
    return _run_as_batch(values, lambda batch: upsample_batch(batch, layer), keeps_type=keeps_type)


def _deconvolve(values: Array, layer: Deconv, step: Step, _: Setting) -> Array:
    return _run_as_batch(values, lambda batch: deconvolve_batch(batch, layer, step.tensors, {}))


RUN: dict[type[Layer], Callable[[Array, Any, Step, Setting], Array]] = {
    Conv: lambda values, _, step, __: convolve_step(step, values),
    DepthwiseConv: lambda values, _, step, __: convolve_step(step, values),
    Linear: lambda values, _, step, __: connect_fully(values, step.tensors),
    Pool: lambda values, layer, *_: pool_volume(values, layer),
    GlobalPool: lambda values, layer, *_: pool_globally(values, layer),
    ChannelPool: lambda values, layer, *_: pool_channels(values, layer),
    Activation: lambda values, layer, *_: activate(values, layer),
    Softmax: lambda values, *_: softmax(values),
    BatchNorm: lambda values, layer, step, _: normalize_batch(values, step.tensors, layer.eps),
    LocalResponseNorm: lambda values, layer, *_: normalize_locally(values, layer),
    GroupNorm: _normalize_alone,
    InstanceNorm: _normalize_alone,
    LayerNorm: _normalize_alone,
    PRelu: lambda values, _, step, __: _use_slopes(values, step.tensors),
    Deconv: _deconvolve,
    Upsample: _upsample,
    AdaptivePool: _pool_adaptively,
    Equalize: lambda values, _, __, setting: equalize(values, setting.white),
    Gray: lambda values, *_: to_gray(values),
    Flatten: lambda values, *_: values.reshape(-1),
    Dropout: lambda values, *_: values,
    Correlation: lambda values, layer, step, _: correlate_volume(values, layer, step.tensors.get("pattern")),
    Residual: _add,
    Concatenation: _concatenate,
}
"""What each kind of layer makes of a volume (H, W, C) or a vector (length,)."""
