"""Networks ready to run: kernels read, weights bound, banks and biases laid out for the channels of an image."""

import copyreg
from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.errors import KernelError
from cnnfilter.files.limits import lacks_memory
from cnnfilter.kernels import Kernel, load_kernel
from cnnfilter.spec.convolutions import Convolution, DepthwiseConv, Normalization
from cnnfilter.spec.network import Network, Node
from cnnfilter.spec.printing import show_layer

copyreg.pickle(MappingProxyType, lambda proxy: (MappingProxyType, (dict(proxy),)))  # programs go to other processes

Kernels = tuple[Kernel, ...]

Tensors = Mapping[str, Array]
"""What training set of one layer, by the names of PyTorch, and in our order: `weight` is (kh, kw, in / groups,
out) of a convolution, (inputs, outputs) of a linear; `bias`, `running_mean`, `running_var` have a number for
each output."""

_KERNEL = 8
"""Bytes of a kernel's weight, float64."""

ZERO_SUM = 1e-6
"""A kernel's sum counts as zero up to this share of the sum of its magnitudes."""


class Step(NamedTuple):
    """A layer ready to run: its kernels as they are laid on the image, or what training set, or its branches."""

    node: Node
    kernels: Kernels = ()
    tensors: Tensors = MappingProxyType({})
    branches: tuple[tuple["Step", ...], ...] = ()


class Program(NamedTuple):
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
        If a kernel cannot be read or normalised, all are more than memory holds, or a layer has no weights.
    """
    words = [word for node in network.all_nodes if isinstance(node.layer, Convolution) for word in node.layer.kernels]
    if lack := lacks_memory(_KERNEL * sum(prod(word.shape) for word in words)):
        raise KernelError(f"the network's {len(words)} kernels {lack}")
    return Program(network, _load_steps(network.nodes, weights or {}))


def _load_steps(nodes: tuple[Node, ...], weights: Mapping[str, Tensors]) -> tuple[Step, ...]:
    return tuple(
        Step(
            node,
            _load_kernels(node.layer) if isinstance(node.layer, Convolution) else (),
            _find_tensors(node, weights) if node.layer.learns else MappingProxyType({}),
            tuple(_load_steps(branch, weights) for branch in node.branches),
        )
        for node in nodes
    )


def _load_kernels(layer: Convolution) -> Kernels:
    kernels = []
    for word in layer.kernels:
        kernel = load_kernel(word.text)
        weights = normalize(kernel.weights, layer.normalize, word.text)
        kernels.append(kernel._replace(weights=weights[::-1, ::-1] if layer.flip else weights))
    return tuple(kernels)


def _find_tensors(node: Node, weights: Mapping[str, Tensors]) -> Tensors:
    if node.name not in weights:
        raise KernelError(
            f"{node.name} ({show_layer(node.layer)}) has no weights, so only its size is known (`cnnfilter shape`); "
            "--weights FILE brings some, --init he random ones; a conv also runs with kernels, as in conv:sobel-x"
        )
    return weights[node.name]


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
