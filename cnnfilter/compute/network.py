"""Networks run on images: layer after layer, branch after branch."""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, float_type, ieee_arithmetic
from cnnfilter.compute.activations import activate, softmax
from cnnfilter.compute.channels import pool_channels, pool_globally
from cnnfilter.compute.convolution import convolve_volume
from cnnfilter.compute.engines.patches import multiply_rows
from cnnfilter.compute.exactness import settle_numbers
from cnnfilter.compute.normalization import equalize, normalize_batch, normalize_locally
from cnnfilter.compute.pooling import pool_volume
from cnnfilter.compute.programs import Kernels, Program, Step, Tensors, build_bank, build_bias
from cnnfilter.errors import ShapeError
from cnnfilter.spec.blocks import Concatenation, Residual
from cnnfilter.spec.borders import Border
from cnnfilter.spec.convolutions import Conv, Convolution, DepthwiseConv
from cnnfilter.spec.layers import Activation, Dropout, Flatten, Gray, Layer, Linear, Softmax
from cnnfilter.spec.norms import BatchNorm, Equalize, LocalResponseNorm
from cnnfilter.spec.pools import ChannelPool, GlobalPool, Pool

Listener = Callable[[str, Array], None]
"""Hears the name of each layer and what came out of it: (H, W, C) or (length,)."""


class Setting(NamedTuple):
    """What holds for all layers of a run: the level of white, and who hears what comes out of each."""

    white: float = 255.0
    listener: Listener | None = None


def as_volume(image: Array) -> Array:
    """Return an image as (H, W, C), or raise a `ShapeError` if it has not 2 or 3 dimensions or no pixel."""
    if image.ndim not in {2, 3} or image.size == 0:
        raise ShapeError(f"an image is (height, width) or (height, width, channels), not {image.shape}")
    if image.dtype.kind not in "buif":
        raise ShapeError(f"an image holds numbers, not {image.dtype}")
    native = image.astype(image.dtype.newbyteorder("="), copy=False)
    return native[:, :, None] if image.ndim == 2 else native


def run_program(
    program: Program,
    image: Array,
    *,
    white: float | None = None,
    listener: Listener | None = None,
    shorts: bool = False,
) -> Array:
    """Return what comes out of a network.

    Parameters
    ----------
    program
        The network, its kernels and its weights.
    image
        (H, W) or (H, W, C).
    white
        The level of white, to which `equalize` spreads; by the image's type unless given: 65535 for 16 bits, 1
        for floats, else 255.
    listener
        Who hears what comes out of each layer, those in blocks included.
    shorts
        Whether what one kernel makes of 8 bits may be whole numbers of 16 bits.

    Returns
    -------
    ndarray
        (H', W', C'), without its channel axis if there is one channel; (length,) after `flatten`.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one before it gives.
    """
    volume = as_volume(image)
    program.network.output(volume.shape)
    if shorts and len(program.steps) == 1:
        ((node, kernels, *_),) = program.steps
        if kernels and isinstance(node.layer, Convolution):
            return drop_single_channel(convolve_by_layer(volume, node.layer, kernels, shorts=True))
    setting = Setting(white_of(volume) if white is None else white, listener)
    result = drop_single_channel(run_steps(program.steps, volume, setting))
    return result.copy() if np.may_share_memory(result, image) else result


def white_of(volume: Array) -> float:
    """Return the level of white by an image's type: 65535 for 16 bits, 1 for floats, else 255."""
    if volume.dtype.kind == "f":
        return 1.0
    return 65535.0 if volume.dtype == np.uint16 else 255.0


def drop_single_channel(values: Array) -> Array:
    """Return a volume of one channel as (H, W), anything else as it is."""
    return values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values


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


def _convolve(volume: Array, layer: Convolution, step: Step, _: Setting) -> Array:
    """Return the feature maps of a convolution with its kernels or its weights: (H', W', out)."""
    if step.kernels:
        return convolve_by_layer(volume, layer, step.kernels)
    bias = step.tensors.get("bias", layer.bias)
    groups = layer.groups_of(volume.shape[2])
    return convolve_volume(volume, step.tensors["weight"], layer.window, border=layer.border, groups=groups, bias=bias)


def convolve_by_layer(volume: Array, layer: Convolution, kernels: Kernels, *, shorts: bool = False) -> Array:
    """Return the feature maps of a layer whose kernels are given: (H', W', out)."""
    channels = volume.shape[2]
    return convolve_volume(
        volume,
        build_bank(layer, kernels, channels),
        layer.window,
        border=layer.border,
        groups=layer.groups_of(channels),
        bias=build_bias(layer, kernels, channels),
        shorts=shorts,
    )


@ieee_arithmetic
def connect_fully(vector: Array, tensors: Tensors) -> Array:
    """Return the outputs of a fully connected layer, (outputs,): vector @ weight + bias, of a convolution's types."""
    weight, bias = tensors["weight"], tensors.get("bias", np.zeros(1))
    numbers = settle_numbers(vector[None, None], weight[None, None], Border(), float(np.abs(bias).max()))
    keeps_double = numbers.whole and vector.dtype != np.float32
    outputs = multiply_rows(vector[None], weight)[0] + bias
    return np.asarray(outputs, dtype=numbers.dtype if keeps_double else float_type(vector.dtype))


@ieee_arithmetic
def to_gray(volume: Array) -> Array:
    """Return the luma of a volume of 3 channels, (H, W, 1); one channel passes as it is."""
    if volume.shape[2] == 1:
        return volume
    luma = volume.astype(np.float64) @ np.array(Gray.WEIGHTS)
    return np.asarray(luma[:, :, None], dtype=float_type(volume.dtype))


RUN: dict[type[Layer], Callable[[Array, Any, Step, Setting], Array]] = {
    Conv: _convolve,
    DepthwiseConv: _convolve,
    Linear: lambda values, _, step, __: connect_fully(values, step.tensors),
    Pool: lambda values, layer, *_: pool_volume(values, layer),
    GlobalPool: lambda values, layer, *_: pool_globally(values, layer),
    ChannelPool: lambda values, layer, *_: pool_channels(values, layer),
    Activation: lambda values, layer, *_: activate(values, layer),
    Softmax: lambda values, *_: softmax(values),
    BatchNorm: lambda values, layer, step, _: normalize_batch(values, step.tensors, layer.eps),
    LocalResponseNorm: lambda values, layer, *_: normalize_locally(values, layer),
    Equalize: lambda values, _, __, setting: equalize(values, setting.white),
    Gray: lambda values, *_: to_gray(values),
    Flatten: lambda values, *_: values.reshape(-1),
    Dropout: lambda values, *_: values,
    Residual: _add,
    Concatenation: _concatenate,
}
"""What each kind of layer makes of a volume (H, W, C) or a vector (length,)."""
