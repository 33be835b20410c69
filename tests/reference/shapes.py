"""Shapes, parameters, multiplications and receptive fields of layers and networks, as PyTorch has them.

The numbers were computed with torch 2.13; the paddings that the words `same` and `same-lower` come to by the
formula of TensorFlow and ONNX, checked with the shape inference of onnx 1.23. They stand in `shapes.txt`, a
layer a row, and in `networks.txt`, a layer of a network a row. The networks are LeNet-5 with full connections,
and AlexNet, VGG-16, ResNet-18 (with the stride in the 3x3 convolution) and SqueezeNet 1.0 as torchvision builds
them, with a softmax at the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Shape = tuple[int, ...]


@dataclass(frozen=True)
class SingleLayer:
    """A layer, what goes into it, and what is known of it; `padding` is None where no word asks for it."""

    id: str
    input: Shape
    layer: str
    output: Shape
    parameters: int
    macs: int
    padding: Shape | None
    receptive_field: Shape | None


@dataclass(frozen=True)
class RefusedLayer:
    """A layer that PyTorch refuses for this input, and why."""

    id: str
    input: Shape
    layer: str
    reason: str


@dataclass(frozen=True)
class NetworkLayer:
    """A layer within a network; the last three are None for layers without a window.

    `branch` is the number, from 1, of the branch that the layer stands in, None outside blocks. A block is a row
    after those of its branches; its `layer` is `res` or `cat`, without them.
    """

    branch: int | None
    layer: str
    output: Shape
    parameters: int
    macs: int
    receptive_field: Shape | None
    jump: Shape | None
    first: Shape | None


@dataclass(frozen=True)
class ReferenceNetwork:
    """A whole network, its layers in order, and its totals."""

    id: str
    input: Shape
    parameters: int
    macs: int
    activations: int
    layers: tuple[NetworkLayer, ...]
    statistics: int = 0

    @property
    def text(self) -> str:
        """The network in the language."""
        items = []
        branches: dict[int, list[str]] = {}
        for row in self.layers:
            if row.branch is not None:
                branches.setdefault(row.branch, []).append(row.layer)
            elif branches:
                items.append(f"{row.layer}({' | '.join(map(' '.join, branches.values()))})")
                branches = {}
            else:
                items.append(row.layer)
        return " ".join(items)


def _rows(name: str) -> Iterator[list[str]]:
    """Yield the words of each row of a table beside this module."""
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split()


def _sizes(word: str, separator: str = "x") -> Shape:
    return tuple(int(number) for number in word.split(separator))


def _single_layer(words: list[str]) -> SingleLayer:
    name, shape, layer, output, parameters, macs, padding, field = words
    return SingleLayer(
        id=name,
        input=_sizes(shape),
        layer=layer,
        output=_sizes(output),
        parameters=int(parameters),
        macs=int(macs),
        padding=None if padding == "-" else _sizes(padding, "/"),
        receptive_field=None if field == "-" else _sizes(field),
    )


def _network_layer(words: list[str]) -> NetworkLayer:
    branch, layer, output, parameters, macs, field, jump, first = words
    seen = field != "-"
    return NetworkLayer(
        branch=None if branch == "-" else int(branch),
        layer=layer,
        output=_sizes(output),
        parameters=int(parameters),
        macs=int(macs),
        receptive_field=_sizes(field) if seen else None,
        jump=_sizes(jump) if seen else None,
        first=_sizes(first, ",") if seen else None,
    )


def _layers(network: str) -> tuple[NetworkLayer, ...]:
    return tuple(_network_layer(words) for name, *words in _rows("networks.txt") if name == network)


def _network(
    name: str, shape: Shape, parameters: int, macs: int, activations: int, statistics: int = 0
) -> ReferenceNetwork:
    return ReferenceNetwork(name, shape, parameters, macs, activations, _layers(name), statistics)


SINGLE_LAYERS = tuple(_single_layer(words) for words in _rows("shapes.txt"))

NETWORKS = (
    _network("lenet5", (32, 32, 1), parameters=61_706, macs=416_520, activations=14_732),
    _network("alexnet", (224, 224, 3), parameters=61_100_840, macs=714_188_480, activations=1_099_216),
    _network("vgg16", (224, 224, 3), parameters=138_357_544, macs=15_470_264_320, activations=28_677_072),
    _network(
        "resnet18",
        (224, 224, 3),
        parameters=11_689_512,
        macs=1_814_073_344,
        activations=8_231_888,
        statistics=9600,
    ),
    _network("squeezenet1.0", (224, 224, 3), parameters=1_248_424, macs=818_924_576, activations=12_034_376),
)

REFUSED_LAYERS = (
    RefusedLayer("dilated-conv-larger-both-ways", (15, 8, 3), "conv:7x6,18,g3,s3,p1x0,d3,nobias", "19x16 on 17x8"),
    RefusedLayer("dilated-conv-taller", (3, 29, 2), "conv:3x3,3,s4,d3", "7x7 on 3x29"),
    RefusedLayer("dilated-conv-taller-though-padded", (11, 11, 16), "conv:5x5,s4,p0x4,d3", "13x13 on 11x19"),
    RefusedLayer("conv-on-one-pixel", (1, 1, 12), "conv:2x2,5", "2x2 on 1x1"),
    RefusedLayer("dilated-ceil-maxpool-wider", (23, 2, 12), "maxpool:3,s2x1,d1x2,ceil", "-2 columns would come out"),
    RefusedLayer("dilated-maxpool-wider", (46, 5, 2), "maxpool:7x5,s1,p3x1,d2", "-1 columns would come out"),
    RefusedLayer("avgpool-taller", (2, 2, 3), "avgpool:5,s4,p1x2,countpad", "no row would come out"),
    RefusedLayer("ceil-l2pool-wider", (57, 4, 1), "l2pool:5,s2x1,ceil", "no column would come out"),
    RefusedLayer("conv-larger-with-stride", (2, 2, 1), "conv:3x3,s2", "3x3 on 2x2; division towards 0 would give 1"),
    RefusedLayer("groups-that-do-not-divide", (8, 8, 3), "conv:3x3,4,g2", "3 channels in 2 groups"),
    RefusedLayer("no-groups", (8, 8, 4), "conv:3x3,4,g0", "groups are at least 1"),
    RefusedLayer("negative-stride", (8, 8, 1), "conv:3x3,s-1", "strides are positive"),
    RefusedLayer("negative-padding", (8, 8, 1), "conv:3x3,p-1", "padding is not negative"),
    RefusedLayer("pool-padded-by-its-window", (8, 8, 1), "maxpool:2,p2", "padding is at most half of the window"),
    RefusedLayer("maxpool-larger", (2, 2, 1), "maxpool:3,s2", "no pixel would come out"),
    RefusedLayer("ceil-maxpool-larger", (1, 1, 1), "maxpool:4,s2,ceil", "no pixel would come out"),
    RefusedLayer("l2pool-larger", (2, 2, 1), "l2pool:3,s1", "no pixel would come out"),
)
