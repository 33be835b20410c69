"""Which numbers the layers of a network need that training sets, known without having any."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from cnnfilter.spec.blocks import Block
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.layers import Gray, Layer, Linear, Shape
from cnnfilter.spec.network import Network
from cnnfilter.spec.pools import ChannelPool


class Init(StrEnum):
    """How random weights are drawn."""

    HE = "he"
    UNIFORM = "uniform"


class Need(NamedTuple):
    """What one layer needs: tensors by name, in PyTorch's order of axes, (out, in, kh, kw) or (out, in).

    `parts` are what its input vector was made of, see `Flow`; `first` is whether the image's own channels go in.
    """

    name: str
    layer: Layer
    tensors: dict[str, Shape]
    parts: tuple[Shape, ...]
    first: bool = False


def needs(network: Network, shape: Shape) -> Iterator[Need]:
    """Yield what each layer that learns needs, in the order of execution, for an input of `shape`.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one before it gives.
    """
    first = True
    for visit in network.visits(shape):
        if visit.layer.learns:
            tensors = visit.layer.tensors(visit.inputs.shape)
            yield Need(visit.node.name, visit.layer, tensors, visit.inputs.parts, first)
        first = first and not isinstance(visit.layer, Block | ChannelPool | Convolution | Gray | Linear)
