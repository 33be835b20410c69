"""Networks run: kernels loaded once, weights bound once, then layer after layer on each image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type, ieee_arithmetic
from cnnfilter.compute.activations import activate, softmax
from cnnfilter.compute.convolution import convolve_volume
from cnnfilter.compute.normalization import equalize, normalize_batch, normalize_locally
from cnnfilter.compute.pooling import pool_channels, pool_globally, pool_volume
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.kernels import Kernel, load_kernel
from cnnfilter.spec.blocks import Block, Residual
from cnnfilter.spec.convolutions import Convolution, DepthwiseConv, Normalization
from cnnfilter.spec.layers import Activation, Dropout, Flatten, Gray, Linear, Softmax
from cnnfilter.spec.network import Network, Node
from cnnfilter.spec.norms import BatchNorm, Equalize, LocalResponseNorm
from cnnfilter.spec.pools import ChannelPool, GlobalPool, Pool
from cnnfilter.spec.printing import show_layer
from cnnfilter.spec.weights import learns

Kernels = tuple[Kernel, ...]

Tensors = Mapping[str, Array]
"""What training set of one layer, by the names of PyTorch, and in our order: `weight` is (kh, kw, in / groups,
out) of a convolution, (inputs, outputs) of a linear; `bias`, `running_mean`, `running_var` have a number for
each output."""

Listener = Callable[[str, Array], None]
"""Hears the name of each layer and what came out of it: (H, W, C) or (length,)."""

ZERO_SUM = 1e-6
"""A kernel's sum counts as zero up to this share of the sum of its magnitudes."""


@dataclass(frozen=True)
class Step:
    """A layer ready to run: its kernels as they are laid on the image, or what training set, or its branches."""

    node: Node
    kernels: Kernels = ()
    tensors: Tensors = field(default_factory=dict)
    branches: tuple[tuple["Step", ...], ...] = ()


@dataclass(frozen=True)
class Program:
    """A network ready to run."""

    network: Network
    steps: tuple[Step, ...]


def load_program(network: Network, weights: Mapping[str, Tensors] | None = None) -> Program:
    """Return a network ready to run, its kernels read, normalised and turned.

    Parameters
    ----------
    network
        The layers.
    weights
        For the name of each layer that learns, what training set.

    Raises
    ------
    KernelError
        If a kernel cannot be read or normalised, or a layer has no weights.
    """
    return Program(network, _load_steps(network.nodes, weights or {}))


def _load_steps(nodes: tuple[Node, ...], weights: Mapping[str, Tensors]) -> tuple[Step, ...]:
    return tuple(_load_step(node, weights) for node in nodes)


def _load_step(node: Node, weights: Mapping[str, Tensors]) -> Step:
    layer = node.layer
    if node.branches:
        return Step(node, branches=tuple(_load_steps(branch, weights) for branch in node.branches))
    if isinstance(layer, Convolution) and layer.kernels:
        return Step(node, kernels=_load_kernels(layer))
    if not learns(node):
        return Step(node)
    if node.name not in weights:
        raise KernelError(
            f"{node.name} ({show_layer(layer)}) has no weights, so only its size is known (`cnnfilter shape`); "
            "--weights FILE brings some, --init he random ones; a conv also runs with kernels, as in conv:sobel-x"
        )
    return Step(node, tensors=weights[node.name])


def _load_kernels(layer: Convolution) -> Kernels:
    kernels = []
    for word in layer.kernels:
        kernel = load_kernel(word.text)
        weights = normalize(kernel.weights, layer.normalize, word.text)
        kernels.append(replace(kernel, weights=weights[::-1, ::-1] if layer.flip else weights))
    return tuple(kernels)


def normalize(weights: Doubles, how: Normalization, name: str = "the kernel") -> Doubles:
    """Return weights divided by their sum, or by the sum of their magnitudes, map by map.

    Raises
    ------
    KernelError
        If that sum is zero: for `sum`, at most 1e-6 of the sum of magnitudes.

    Examples
    --------
    >>> normalize(np.array([[1.0, -2.0]]), Normalization.ABS)
    array([[ 0.33333333, -0.66666667]])
    """
    if how is Normalization.NONE:
        return weights
    magnitudes = np.abs(weights).sum(axis=(0, 1, 2)[: weights.ndim])
    sums = weights.sum(axis=(0, 1, 2)[: weights.ndim]) if how is Normalization.SUM else magnitudes
    if (np.abs(sums) <= ZERO_SUM * magnitudes).any():
        hint = "`abs` divides by the sum of magnitudes" if magnitudes.any() else "all its weights are 0"
        raise KernelError(f"{name} sums to zero and cannot be normalised by its sum; {hint}")
    return np.asarray(weights / sums)


def build_bank(layer: Convolution, kernels: Kernels, channels: int) -> Doubles:
    """Return the weights of a layer on `channels` inputs: (kh, kw, in / groups, out)."""
    shape = layer.bank(channels)
    if isinstance(layer, DepthwiseConv):
        single = [kernel.weights.reshape(*shape[:2], 1) for kernel in kernels]
        return np.tile(np.concatenate(single, axis=2), channels)[:, :, None, :]
    parts = []
    for kernel in kernels:
        weights = kernel.weights.reshape(*kernel.weights.shape, *[1] * (4 - kernel.weights.ndim))
        parts.append(np.broadcast_to(weights, (*shape[:2], shape[2], weights.shape[3])))
    return np.concatenate(parts, axis=3)


def build_bias(layer: Convolution, kernels: Kernels, channels: int) -> Doubles:
    """Return what is added to each output, (out,): the layer's bias and its kernels' offsets."""
    offsets = np.array(
        [kernel.offset for kernel, word in zip(kernels, layer.kernels, strict=True) for _ in range(word.maps)]
    )
    repeats = layer.bank(channels)[3] // len(offsets)
    return layer.bias + np.tile(offsets, repeats)


def as_volume(image: Array) -> Array:
    """Return an image as (H, W, C), or raise a `ShapeError` if it has not 2 or 3 dimensions or no pixel."""
    if image.ndim not in {2, 3} or image.size == 0:
        raise ShapeError(f"an image is (height, width) or (height, width, channels), not {image.shape}")
    if image.dtype.kind not in "buif":
        raise ShapeError(f"an image holds numbers, not {image.dtype}")
    native = image.astype(image.dtype.newbyteorder("="), copy=False)
    return native[:, :, None] if image.ndim == 2 else native


def run_program(
    program: Program, image: Array, *, white: float | None = None, listener: Listener | None = None
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
    level = _white_of(volume) if white is None else white
    result = drop_single_channel(_run(program.steps, volume, level, listener))
    return result.copy() if np.may_share_memory(result, image) else result


def _white_of(volume: Array) -> float:
    if volume.dtype.kind == "f":
        return 1.0
    return 65535.0 if volume.dtype == np.uint16 else 255.0


def drop_single_channel(values: Array) -> Array:
    """Return a volume of one channel as (H, W), anything else as it is."""
    return values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values


def _run(steps: tuple[Step, ...], values: Array, white: float, listener: Listener | None) -> Array:
    for step in steps:
        if isinstance(step.node.layer, Block):
            values = _run_block(step, values, white, listener)
        else:
            values = apply(step, values, white)
        if listener:
            listener(step.node.name, values)
    return values


@ieee_arithmetic
def _run_block(step: Step, values: Array, white: float, listener: Listener | None) -> Array:
    ends = [_run(branch, values, white, listener) for branch in step.branches]
    if not isinstance(step.node.layer, Residual):
        return np.concatenate(ends, axis=-1)
    summands = [*ends, values] if step.node.layer.adds_input else ends
    kind = np.result_type(*(float_type(summand.dtype) for summand in summands))
    return np.asarray(reduce(add, [summand.astype(kind, copy=False) for summand in summands]))


def apply(step: Step, values: Array, white: float = 255.0) -> Array:  # noqa: PLR0912  one branch a kind of layer
    """Return what one layer, no block, makes of a volume (H, W, C) or a vector (length,)."""
    match step.node.layer:
        case Convolution() as layer:
            return convolve_by_step(values, layer, step)
        case Linear():
            return connect_fully(values, step.tensors)
        case BatchNorm(eps=eps):
            return normalize_batch(values, step.tensors, eps)
        case Pool() as layer:
            return pool_volume(values, layer)
        case GlobalPool() as layer:
            return pool_globally(values, layer)
        case ChannelPool() as layer:
            return pool_channels(values, layer)
        case Activation() as layer:
            return activate(values, layer)
        case LocalResponseNorm() as layer:
            return normalize_locally(values, layer)
        case Softmax():
            return softmax(values)
        case Flatten():
            return values.reshape(-1)
        case Gray():
            return to_gray(values)
        case Equalize():
            return equalize(values, white)
        case Dropout():
            return values
        case layer:
            raise NotImplementedError(layer.op)


def convolve_by_step(volume: Array, layer: Convolution, step: Step) -> Array:
    """Return the feature maps of a convolution with its kernels or its weights: (H', W', out)."""
    if step.kernels:
        return convolve_by_layer(volume, layer, step.kernels)
    return convolve_volume(
        volume,
        step.tensors["weight"],
        layer.window,
        border=layer.border,
        groups=layer.groups_of(volume.shape[2]),
        bias=step.tensors.get("bias", layer.bias),
    )


def convolve_by_layer(volume: Array, layer: Convolution, kernels: Kernels) -> Array:
    """Return the feature maps of a layer whose kernels are given: (H', W', out)."""
    channels = volume.shape[2]
    return convolve_volume(
        volume,
        build_bank(layer, kernels, channels),
        layer.window,
        border=layer.border,
        groups=layer.groups_of(channels),
        bias=build_bias(layer, kernels, channels),
    )


@ieee_arithmetic
def connect_fully(vector: Array, tensors: Tensors) -> Array:
    """Return the outputs of a fully connected layer, (outputs,): vector @ weight + bias."""
    kind = float_type(vector.dtype)
    outputs = vector.astype(kind, copy=False) @ tensors["weight"].astype(kind, copy=False)
    return np.asarray(outputs + tensors["bias"].astype(kind) if "bias" in tensors else outputs)


@ieee_arithmetic
def to_gray(volume: Array) -> Array:
    """Return the luma of a volume of 3 channels, (H, W, 1); one channel passes as it is."""
    if volume.shape[2] == 1:
        return volume
    luma = volume.astype(np.float64) @ np.array(Gray.WEIGHTS)
    return np.asarray(luma[:, :, None], dtype=float_type(volume.dtype))
