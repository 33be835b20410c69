"""Weights bound to the layers of a network, in the order of axes that runs here."""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.programs import Program, Tensors, load_program, normalize
from cnnfilter.compute.states import StateDict, Weights
from cnnfilter.compute.strips import Strip, cut_program
from cnnfilter.errors import KernelError
from cnnfilter.files.limits import lacks_memory
from cnnfilter.spec.blocks import Residual
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.layers import Linear, Shape
from cnnfilter.spec.network import Network
from cnnfilter.spec.weights import Need, needs

_WEIGHT = 12
"""Bytes of a weight: drawn as float64, held as float32."""


class Model:
    """A network and where its weights come from: a program for each shape of input.

    Parameters
    ----------
    network
        The layers.
    weights
        For the layers that learn; None if there are none.
    title
        What the network is called; its text unless given.
    """

    def __init__(self, network: Network, weights: Weights | None = None, title: str = "") -> None:
        self.network = network
        self.weights = weights
        self.title = title or str(network)
        self._kept: tuple[Shape, Program] | None = None
        self._cut: tuple[Shape, list[Strip]] | None = None
        if weights is None:
            self.program(())  # fits all shapes: what is wrong with its kernels is told before any picture is read

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process: kernels that have been read, while weights are bound there anew."""
        return {**self.__dict__, "_kept": None if self.weights else self._kept, "_cut": None}

    def program(self, shape: Shape) -> Program:
        """Return the network ready to run on (height, width, channels); the last one is kept.

        Raises
        ------
        KernelError
            If weights are missing, left over, or do not fit.
        ShapeError
            If a layer cannot take what the one before it gives.
        """
        if self._kept is None or (self.weights and shape != self._kept[0]):
            bound = bind(self.network, shape, self.weights) if self.weights else {}
            self._kept = shape, load_program(self.network, bound)
        return self._kept[1]

    def strips(self, shape: Shape) -> list[Strip]:
        """Return the program cut for (height, width, channels); the last ones are kept: pictures of a batch are alike.

        Raises
        ------
        KernelError, ShapeError
            As `program` does.
        """
        if self._cut is None or shape != self._cut[0]:
            self._cut = shape, cut_program(self.program(shape), shape)
        return self._cut[1]


def bind(network: Network, shape: Shape, weights: Weights) -> dict[str, Tensors]:
    """Return the tensors of each layer that learns, in our order of axes, for an input of `shape`.

    Columns of a linear behind `flatten` are turned from PyTorch's order, channel, row, column, to ours.

    Raises
    ------
    KernelError
        If weights are missing, left over, or do not fit, or are more than memory holds.
    """
    wanted = list(needs(network, shape))
    _check_needs(wanted)
    if isinstance(weights, StateDict):
        _check_sums(network, shape)
    found = weights.find(wanted)
    return {need.name: _turn(need, found[need.name]) for need in wanted}


def _check_needs(needs: Iterable[Need]) -> None:
    """Raise a `KernelError` if the weights that a network needs are more than memory holds."""
    counts = {need.name: sum(prod(shape) for shape in need.tensors.values()) for need in needs}
    if lack := lacks_memory(_WEIGHT * sum(counts.values())):
        largest = max(counts, key=counts.__getitem__)
        raise KernelError(f"the network's weights, {counts[largest]} of them in {largest}, {lack}")


def _turn(need: Need, tensors: Mapping[str, Array]) -> Tensors:
    """Return tensors in our order: (kh, kw, in, out), (in, out), vectors as `flatten` has them here."""
    layer = need.layer
    if isinstance(layer, Convolution):
        bank = normalize(tensors["weight"].transpose(2, 3, 1, 0), layer.normalize, need.name)
        return {**tensors, "weight": bank[::-1, ::-1] if layer.flip else bank}
    order = _order(need.parts)
    if isinstance(layer, Linear):
        return {**tensors, "weight": tensors["weight"][:, order].T}
    return {name: tensor[order] for name, tensor in tensors.items()} if need.parts else tensors


def _order(parts: Iterable[Shape]) -> Array:
    """Return for each place of a vector, as it is here, its place in PyTorch."""
    orders, start = [], 0
    for part in parts:
        places = np.arange(start, start + prod(part))
        if len(part) == 3:
            height, width, channels = part
            places = places.reshape(channels, height, width).transpose(1, 2, 0).ravel()
        orders.append(places)
        start += prod(part)
    return np.concatenate(orders) if orders else np.arange(0)


def _check_sums(network: Network, shape: Shape) -> None:
    """Raise a `KernelError` if a block adds vectors of which one is flattened here in another order than in PyTorch."""
    for visit in network.visits(shape):
        layer = visit.layer
        if not isinstance(layer, Residual) or len(visit.outputs.shape) != 1:
            continue
        first, *others = (_order(end.parts) for end in layer.ends(visit.inputs))
        if not all(np.array_equal(first, other) for other in others):
            raise KernelError(
                f"{visit.node.name} adds a flattened volume to a vector of other order; PyTorch flattens by channel, "
                "row, column, so that weights from there cannot be used in it"
            )
