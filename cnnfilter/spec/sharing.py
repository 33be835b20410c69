"""What a convolution saves by sharing its weights: the same sizes, fully or locally connected.

LeCun et al., "Gradient-based learning applied to document recognition" (1998), section II.A.
"""

from math import prod
from typing import NamedTuple

from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.network import Visit


class Cost(NamedTuple):
    """How many numbers would be learned, and how many multiplications done."""

    parameters: int
    macs: int


class Comparison(NamedTuple):
    """What layers of the sizes of a convolution would cost without its sharing."""

    fully_connected: Cost
    locally_connected: Cost


def compare(visit: Visit) -> Comparison | None:
    """Return what a conv's sizes would cost fully connected, and with filters of their own for each place.

    A bias, where the conv has any, is one for each output. None for a layer that is no convolution.

    Examples
    --------
    >>> from cnnfilter.spec.language import parse_network
    >>> (visit,) = parse_network("conv:5x5", kernel_shape=len).visits((28, 28, 1))
    >>> compare(visit).locally_connected.parameters
    14976
    """
    layer, inputs, outputs = visit.layer, visit.inputs.shape, visit.outputs.shape
    if not isinstance(layer, Convolution):
        return None
    biases = prod(outputs) if layer.learned_bias or layer.bias else 0
    every, near = prod(inputs) * prod(outputs), layer.macs(inputs)
    return Comparison(Cost(every + biases, every), Cost(near + biases, near))
