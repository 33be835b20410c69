"""Backpropagation: what each kind of layer makes of a batch, and of the gradient that comes back.

A batch is (C, H, W, N) or (length, N): PyTorch's order of axes with the images last. So the numbers that are worked on
together are long rows, weights are used as state dicts hold them, and `flatten` moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.activations import activate, differentiate, softmax
from cnnfilter.compute.forward import Step, build_bank, load_program
from cnnfilter.compute.norm_gradients import normalize_alone, normalize_neighbours, normalize_over_batch
from cnnfilter.compute.resampling_gradients import deconvolve_batch, pool_adaptively, upsample_batch
from cnnfilter.compute.window_gradients import Back, convolve_batch, pool_batch
from cnnfilter.nn.layers import Conv, Convolution, DepthwiseConv, Layer, Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, OwnNorm
from cnnfilter.nn.other_layers import (
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
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
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Upsample

StateTensors = Mapping[str, Mapping[str, Array]]
"""The tensors of each layer by its name and theirs, in PyTorch's order of axes."""


class Mode(NamedTuple):
    """How a batch goes through a network.

    Gradients of the tensors are written into `gradients`. While `training`, batch norms use, and keep, the statistics
    of the batch, and dropout draws from `random`.
    """

    gradients: StateTensors
    training: bool = False
    random: np.random.Generator | None = None

    def of(self, step: Step) -> Mapping[str, Array]:
        """Return where the gradients of a layer's tensors are written; empty for a layer that learns nothing."""
        return self.gradients.get(step.node.name, {})


def load_steps(network: Network, shape: Shape, tensors: StateTensors, dtype: Any = np.float32) -> tuple[Step, ...]:
    """Return the layers ready for batches of images (H, W, C): their tensors in PyTorch's order, fixed kernels too."""
    channels = {visit.node.name: visit.inputs.shape[-1] for visit in network.visits(shape)}

    def lay_out(step: Step) -> Step:
        layer, own = step.node.layer, dict(step.tensors)
        if isinstance(layer, Convolution):
            if step.kernels:
                bank, bias = build_bank(layer, step.kernels, channels[step.node.name])
                own = {"weight": bank.transpose(3, 2, 0, 1).astype(dtype), "bias": bias.astype(dtype)}
            elif "bias" not in own:
                own["bias"] = np.broadcast_to(np.asarray(layer.bias, dtype), (len(own["weight"]),))
        return step._replace(tensors=own, branches=tuple(tuple(map(lay_out, branch)) for branch in step.branches))

    return tuple(map(lay_out, load_program(network, tensors).steps))


def propagate(steps: tuple[Step, ...], values: Floats, mode: Mode, *, needed: bool = False) -> tuple[Floats, Back]:
    """Return what layers in a row make of a batch, and what leads from the gradient by that back to the first.

    The gradient by the batch itself is returned only if it is `needed`.
    """
    backs: list[Back | None] = []
    for step in steps:
        values, back = PROPAGATE[type(step.node.layer)](values, step.node.layer, step, mode, needed)
        learns = _learns(step)
        backs.append(back if needed or learns else None)
        needed = needed or learns

    def propagate_back(gradient: Floats) -> Floats | None:
        for back in reversed(backs):
            if back is None:
                return None
            result = back(gradient)
            if result is None:
                return None
            gradient = result
        return gradient

    return values, propagate_back


def _learns(step: Step) -> bool:
    return step.node.layer.learns or any(_learns(inner) for branch in step.branches for inner in branch)


def _convolve(batch: Floats, layer: Convolution, step: Step, mode: Mode, needed: bool) -> tuple[Floats, Back]:
    groups = layer.groups if isinstance(layer, Conv) else len(batch)
    gradients = mode.of(step)
    return convolve_batch(batch, layer, step.tensors, groups, gradients, needed=needed)


def _connect(batch: Floats, _: Linear, step: Step, mode: Mode, needed: bool) -> tuple[Floats, Back]:
    weight, gradients = step.tensors["weight"], mode.of(step)
    outputs = weight @ batch
    if "bias" in step.tensors:
        outputs += step.tensors["bias"][:, None]

    def back(gradient: Floats) -> Floats | None:
        if "weight" in gradients:
            np.matmul(gradient, batch.T, out=gradients["weight"])
        if "bias" in gradients:
            gradient.sum(axis=1, out=gradients["bias"])
        return weight.T @ gradient if needed else None

    return outputs, back


def _learn_slopes(batch: Floats, step: Step, mode: Mode) -> tuple[Floats, Back]:
    """Return max(0, x) + slope * min(0, x), one slope or one for each channel."""
    weight, gradients = step.tensors["weight"], mode.of(step)
    slopes = weight.reshape(-1, *[1] * (batch.ndim - 1))

    def back(gradient: Floats) -> Floats:
        if "weight" in gradients:
            below = (gradient * np.minimum(batch, 0)).reshape(len(batch), -1).sum(axis=1)
            gradients["weight"][...] = below if len(weight) > 1 else below.sum()
        return np.where(batch > 0, gradient, gradient * slopes)

    return np.where(batch < 0, batch * slopes, batch), back


def _normalize_alone(batch: Floats, layer: OwnNorm, step: Step, mode: Mode, _: bool) -> tuple[Floats, Back]:
    return normalize_alone(batch, layer, step.tensors, mode.of(step))


def _activate(batch: Floats, layer: Activation) -> tuple[Floats, Back]:
    return activate(batch, layer), lambda gradient: gradient * differentiate(batch, layer)


def _softmax(batch: Floats) -> tuple[Floats, Back]:
    shares = softmax(batch, axis=0)
    return shares, lambda gradient: shares * (gradient - (gradient * shares).sum(axis=0))


def _drop_out(batch: Floats, layer: Dropout, mode: Mode) -> tuple[Floats, Back]:
    """Set a share of the values to 0 while training, and divide the others by the rest, so that their mean stays."""
    if not (mode.training and mode.random and layer.rate):
        return batch, lambda gradient: gradient
    rest = 1 - layer.rate
    kept = (mode.random.random(batch.shape, np.float32) < rest) / batch.dtype.type(rest or 1)
    return batch * kept, lambda gradient: gradient * kept


def _flatten(batch: Floats) -> tuple[Floats, Back]:
    return batch.reshape(-1, batch.shape[-1]), lambda gradient: gradient.reshape(batch.shape)


def _to_gray(batch: Floats) -> tuple[Floats, Back]:
    if len(batch) == 1:
        return batch, lambda gradient: gradient
    weights = np.array(Gray.WEIGHTS, batch.dtype)[:, None, None, None]
    return (batch * weights).sum(axis=0, keepdims=True), lambda gradient: gradient * weights


def _pool_globally(batch: Floats, layer: GlobalPool) -> tuple[Floats, Back]:
    channels, height, width, count = batch.shape
    pixels = batch.reshape(channels, height * width, count)
    if layer.mode is PoolMode.MAX:
        best = pixels.argmax(axis=1)[:, None]

        def back(gradient: Floats) -> Floats:
            shares = np.zeros(pixels.shape, gradient.dtype)
            np.put_along_axis(shares, best, gradient[:, 0], 1)
            return shares.reshape(batch.shape)

        return np.take_along_axis(pixels, best, 1)[:, None], back
    part = batch.dtype.type(1 / (height * width))
    return pixels.mean(axis=1)[:, None, None], lambda gradient: np.broadcast_to(gradient * part, batch.shape)


def _pool_channels(batch: Floats, layer: ChannelPool) -> tuple[Floats, Back]:
    size = layer.size or len(batch)
    groups = batch.reshape(len(batch) // size, size, *batch.shape[1:])
    outputs, share = _CHANNEL_POOLS[layer.mode](groups)
    return outputs, lambda gradient: share(gradient[:, None]).reshape(batch.shape)


Share = Callable[[Floats], Floats]
"""Shares a gradient (C / size, 1, H, W, N) among the channels of each group, (C / size, size, H, W, N)."""


def _pick_channel(groups: Floats, best: Array) -> tuple[Floats, Share]:
    places = best[:, None]

    def share(gradient: Floats) -> Floats:
        shares = np.zeros(groups.shape, gradient.dtype)
        np.put_along_axis(shares, places, gradient, 1)
        return shares

    return np.take_along_axis(groups, places, 1)[:, 0], share


def _take_magnitude(groups: Floats) -> tuple[Floats, Share]:
    outputs = np.sqrt(np.square(groups).sum(axis=1))
    directions = groups / np.where(outputs == 0, 1, outputs)[:, None]
    return outputs, lambda gradient: gradient * directions


def _add_channels(groups: Floats, factor: float) -> tuple[Floats, Share]:
    part = groups.dtype.type(factor)
    return groups.sum(axis=1) * part, lambda gradient: np.broadcast_to(gradient * part, groups.shape)


_CHANNEL_POOLS: dict[ChannelMode, Callable[[Floats], tuple[Floats, Share]]] = {
    ChannelMode.MAX: lambda groups: _pick_channel(groups, groups.argmax(axis=1)),
    ChannelMode.MIN: lambda groups: _pick_channel(groups, groups.argmin(axis=1)),
    ChannelMode.AVG: lambda groups: _add_channels(groups, 1 / groups.shape[1]),
    ChannelMode.SUM: lambda groups: _add_channels(groups, 1),
    ChannelMode.MAGNITUDE: _take_magnitude,
}


def _add(batch: Floats, layer: Residual, step: Step, mode: Mode, needed: bool) -> tuple[Floats, Back]:
    ends = [propagate(branch, batch, mode, needed=needed) for branch in step.branches]
    total = reduce(add, [values for values, _ in ends])

    def back(gradient: Floats) -> Floats | None:
        parts = [part for _, own in ends if (part := own(gradient)) is not None]
        return reduce(add, [*parts, gradient] if layer.adds_input else parts) if needed else None

    return total + batch if layer.adds_input else total, back


def _concatenate(batch: Floats, _: Concatenation, step: Step, mode: Mode, needed: bool) -> tuple[Floats, Back]:
    ends = [propagate(branch, batch, mode, needed=needed) for branch in step.branches]
    places = np.cumsum([len(values) for values, _ in ends])[:-1]

    def back(gradient: Floats) -> Floats | None:
        backs = [own(part) for (_, own), part in zip(ends, np.split(gradient, places), strict=True)]
        return reduce(add, [part for part in backs if part is not None]) if needed else None

    return np.concatenate([values for values, _ in ends]), back


PROPAGATE: dict[type[Layer], Callable[[Floats, Any, Step, Mode, bool], tuple[Floats, Back]]] = {
    Conv: _convolve,
    DepthwiseConv: _convolve,
    Linear: _connect,
    Pool: lambda batch, layer, *_: pool_batch(batch, layer),
    GlobalPool: lambda batch, layer, *_: _pool_globally(batch, layer),
    ChannelPool: lambda batch, layer, *_: _pool_channels(batch, layer),
    Activation: lambda batch, layer, *_: _activate(batch, layer),
    Softmax: lambda batch, *_: _softmax(batch),
    PRelu: lambda batch, _, step, mode, __: _learn_slopes(batch, step, mode),
    BatchNorm: lambda batch, layer, step, mode, _: normalize_over_batch(
        batch, layer, step.tensors, mode.of(step), training=mode.training
    ),
    GroupNorm: _normalize_alone,
    InstanceNorm: _normalize_alone,
    LayerNorm: _normalize_alone,
    LocalResponseNorm: lambda batch, layer, *_: normalize_neighbours(batch, layer),
    Deconv: lambda batch, layer, step, mode, needed: deconvolve_batch(
        batch, layer, step.tensors, mode.of(step), needed=needed
    ),
    Upsample: lambda batch, layer, *_: upsample_batch(batch, layer),
    AdaptivePool: lambda batch, layer, *_: pool_adaptively(batch, layer),
    Gray: lambda batch, *_: _to_gray(batch),
    Flatten: lambda batch, *_: _flatten(batch),
    Dropout: lambda batch, layer, _, mode, __: _drop_out(batch, layer, mode),
    Residual: _add,
    Concatenation: _concatenate,
}
"""What each kind of layer that can be trained makes of a batch, and what it makes of the gradient that comes back."""
