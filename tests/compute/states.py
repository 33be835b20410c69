"""Networks and state dicts to try them with."""

from collections.abc import Mapping

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import as_volume, run_program
from cnnfilter.compute.state_dict import StateDict, needs
from cnnfilter.compute.tiles import Model
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.network import Network

Shape = tuple[int, ...]
Tensors = dict[str, Array]

IMAGE = np.random.default_rng(5).normal(size=(5, 6, 4))
"""Neither square nor of one channel."""


def network_of(text: str) -> Network:
    """Return the network that a text writes."""
    return parse_network(text, kernel_shape)


def tensors_of(text: str, shape: Shape, seed: int = 0) -> Tensors:
    """Return a state dict for a network, its names and order those of the layers, its numbers all different."""
    generator = np.random.default_rng(seed)
    return {
        f"{need.name}.{part}": generator.uniform(0.5, 1.5, size)
        if part == "running_var"
        else generator.normal(size=size)
        for need in needs(network_of(text), shape)
        for part, size in need.tensors.items()
    }


def renamed(tensors: Mapping[str, Array], **names: str) -> Tensors:
    """Return tensors under other names of their layers."""
    turned = {}
    for name, tensor in tensors.items():
        layer, point, part = name.rpartition(".")
        turned[f"{names.get(layer, layer)}{point}{part}"] = tensor
    return turned


def run(text: str, image: Array, tensors: Mapping[str, Array]) -> Array:
    """Return what a network with the weights of a state dict makes of an image."""
    model = Model(network_of(text), StateDict(tensors))
    return run_program(model.program(as_volume(image).shape), image)
