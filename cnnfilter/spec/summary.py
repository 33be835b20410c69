"""The table of a network: what comes out of each layer, its weights and its multiplications."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from cnnfilter.errors import ShapeError
from cnnfilter.spec.convolutions import Conv, Convolution
from cnnfilter.spec.geometry import Sides
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.network import Network
from cnnfilter.spec.pools import Pool
from cnnfilter.spec.printing import show_layer


@dataclass(frozen=True)
class Row:
    """What is known of one layer; sizes are (height, width, channels) or (length,).

    `padding` is (top, left, bottom, right), and None for a layer without a window.
    """

    name: str
    op: str
    text: str
    output: Shape
    activations: int
    parameters: int
    statistics: int
    macs: int
    padding: Sides | None


@dataclass(frozen=True)
class Totals:
    """Sums over the layers; `flops` is 2 x `macs`."""

    parameters: int
    statistics: int
    macs: int
    flops: int
    activations: int


@dataclass(frozen=True)
class Summary:
    """The table of a network for an input of one shape."""

    input: Shape
    network: str
    rows: tuple[Row, ...]
    totals: Totals


def summarize(network: Network, shape: Shape) -> Summary:
    """Return sizes, parameters and multiplications of each layer for an input of `shape`.

    Multiplications (MACs) are those by weights, of conv and linear: out elements x (in / groups) x kh x kw.

    Parameters
    ----------
    network
        The layers.
    shape
        (height, width, channels).

    Raises
    ------
    ShapeError
        If the shape is none of an image, or a layer cannot take what the one before it gives.
    """
    if len(shape) != 3 or not all(size >= 1 for size in shape):
        raise ShapeError(f"an input is (height, width, channels), each at least 1, not {shape}")
    inputs: Shape = shape
    rows = []
    for layer, name, output in zip(network.layers, network.names, network.shapes(shape), strict=True):
        rows.append(
            Row(
                name=name,
                op=layer.op,
                text=show_layer(layer),
                output=output,
                activations=prod(output),
                parameters=layer.parameters(inputs),
                statistics=layer.statistics(inputs),
                macs=layer.macs(inputs),
                padding=layer.window.pads(*inputs[:2]) if isinstance(layer, Convolution | Pool) else None,
            )
        )
        inputs = output
    return Summary(shape, str(network), tuple(rows), _totals(rows))


def _totals(rows: list[Row]) -> Totals:
    macs = sum(row.macs for row in rows)
    return Totals(
        parameters=sum(row.parameters for row in rows),
        statistics=sum(row.statistics for row in rows),
        macs=macs,
        flops=2 * macs,
        activations=sum(row.activations for row in rows),
    )


def remarks(network: Network, shape: Shape) -> list[str]:
    """Return what a careful reader would say of a network that is right but perhaps not meant so."""
    remarks = []
    inputs = shape
    for layer, output in zip(network.layers, network.shapes(shape), strict=True):
        if isinstance(layer, Convolution) and layer.border.mode != "zero" and not any(layer.window.pads(*inputs[:2])):
            remarks.append(f"{show_layer(layer)}: border {layer.border} has no effect with padding 0; try padding same")
        inputs = output
    return remarks


def remarks_on_sums(network: Network, shape: Shape, never_negative: Callable[[str], bool]) -> list[str]:
    """Return a remark for each conv that adds up channels under a kernel meant for one, such as a blur.

    Parameters
    ----------
    network, shape
        The layers, and the (height, width, channels) of their input.
    never_negative
        What tells whether a kernel, by its word, has no negative weight.
    """
    found = []
    inputs = shape
    for layer, output in zip(network.layers, network.shapes(shape), strict=True):
        if isinstance(layer, Conv) and (slices := layer.bank(inputs[2])[2]) > 1:
            flat = [kernel.text for kernel in layer.kernels if kernel.slices is None]
            if any(never_negative(word) for word in flat):
                found.append(
                    f"{show_layer(layer)} sums {slices} channels; dwconv filters each by itself, "
                    "gray before it makes one"
                )
        inputs = output
    return found
