"""Networks run: kernels loaded once, then layer after layer on each image."""

from dataclasses import dataclass, replace

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type, ieee_arithmetic
from cnnfilter.compute.activations import activate, softmax
from cnnfilter.compute.convolution import convolve_volume
from cnnfilter.compute.pooling import pool_channels, pool_globally, pool_volume
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.kernels import Kernel, load_kernel
from cnnfilter.spec.convolutions import Convolution, DepthwiseConv, Normalization
from cnnfilter.spec.layers import Activation, Flatten, Gray, Layer, Softmax
from cnnfilter.spec.network import Network
from cnnfilter.spec.pools import ChannelPool, GlobalPool, Pool
from cnnfilter.spec.printing import show_layer

Kernels = tuple[Kernel, ...]

ZERO_SUM = 1e-6
"""A kernel's sum counts as zero up to this share of the sum of its magnitudes."""


@dataclass(frozen=True)
class Program:
    """A network and, for each layer, its kernels as they are laid on the image."""

    network: Network
    kernels: tuple[Kernels, ...]


def load_program(network: Network) -> Program:
    """Return a network ready to run, its kernels read, normalised and turned.

    Raises
    ------
    KernelError
        If a kernel cannot be read or normalised, or a layer has no weights.
    """
    kernels = []
    for layer, name in zip(network.layers, network.names, strict=True):
        if layer.op in {"linear", "batchnorm"} or (isinstance(layer, Convolution) and not layer.kernels):
            raise KernelError(
                f"{name} ({show_layer(layer)}) has no weights, so only its size is known (`cnnfilter shape`); "
                "a conv runs with kernels, as in conv:sobel-x"
            )
        kernels.append(_load_kernels(layer) if isinstance(layer, Convolution) else ())
    return Program(network, tuple(kernels))


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


def run_program(program: Program, image: Array) -> Array:
    """Return what comes out of a network.

    Parameters
    ----------
    program
        The network and its kernels.
    image
        (H, W) or (H, W, C).

    Returns
    -------
    ndarray
        (H', W', C'), without its channel axis if there is one channel; (length,) after `flatten`.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one before it gives.
    """
    values = as_volume(image)
    program.network.output(values.shape)
    for layer, kernels in zip(program.network.layers, program.kernels, strict=True):
        values = apply(layer, values, kernels)
    result = drop_single_channel(values)
    return result.copy() if np.may_share_memory(result, image) else result


def drop_single_channel(values: Array) -> Array:
    """Return a volume of one channel as (H, W), anything else as it is."""
    return values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values


def apply(layer: Layer, values: Array, kernels: Kernels = ()) -> Array:
    """Return what one layer makes of a volume (H, W, C) or a vector (length,)."""
    match layer:
        case Convolution():
            return convolve_by_layer(values, layer, kernels)
        case Pool():
            return pool_volume(values, layer)
        case GlobalPool():
            return pool_globally(values, layer)
        case ChannelPool():
            return pool_channels(values, layer)
        case Activation():
            return activate(values, layer)
        case Softmax():
            return softmax(values)
        case Flatten():
            return values.reshape(-1)
        case Gray():
            return to_gray(values)
        case _:
            raise NotImplementedError(layer.op)


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
def to_gray(volume: Array) -> Array:
    """Return the luma of a volume of 3 channels, (H, W, 1); one channel passes as it is."""
    if volume.shape[2] == 1:
        return volume
    luma = volume.astype(np.float64) @ np.array(Gray.WEIGHTS)
    return np.asarray(luma[:, :, None], dtype=float_type(volume.dtype))
