"""A network: its layers in order, their names, and what goes in and out of each."""

from collections import Counter
from functools import cached_property
from math import prod
from typing import NamedTuple

from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.layers import Block, Flow, Layer, Shape, show_layers
from cnnfilter.numbers import count


class Node(NamedTuple):
    """A layer at its place: its name, its number from 1 in the order of execution, and what is in its branches.

    `depth` is the number of blocks around it, `branch` its branch in the innermost one, from 1, or 0.
    """

    layer: Layer
    name: str
    number: int
    branches: tuple[tuple["Node", ...], ...]
    depth: int
    branch: int
    words: str = ""

    @property
    def text(self) -> str:
        """What messages call it: the words of the command that made it, or the layer as the language writes it."""
        return self.words or self.layer.text


class Visit(NamedTuple):
    """A layer at work: what goes in and what comes out.

    `live` counts the values that are held while it works: its input, its output, and what blocks around it still need.
    """

    node: Node
    inputs: Flow
    outputs: Flow
    live: int


_SHAPES_KEPT = 4
"""Number of shapes that a network remembers with the sizes of its layers."""


_LONGEST_SHOWN = 200
"""Characters of the layers that a network shows of itself in a notebook."""


class Network(Value):
    """Layers in the order in which they are applied; no two have the same name.

    `words` are what messages call the layers where a command's options made them, such as `kernel sharpen`.
    """

    layers: tuple[Layer, ...]
    words: str = ""

    def __post_init__(self) -> None:
        given = {node.layer.name for node in self.all_nodes}
        for name, times in Counter(node.name for node in self.all_nodes).items():
            if times > 1 and name in given:
                raise LanguageError(f"{times} layers have the name @{name}; names must differ")

    def __str__(self) -> str:
        return show_layers(self.layers)

    def __repr__(self) -> str:
        text = str(self)
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} ..."
        return f"<{type(self).__name__} of {count(len(self.layers), 'layer')}: {shown}>"

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The layers with their names and numbers; those in blocks are in the blocks' nodes."""
        return tuple(node for node in self.all_nodes if not node.depth)

    @cached_property
    def all_nodes(self) -> tuple[Node, ...]:
        """All nodes in the order of execution, those in blocks before the block."""
        nodes: list[Node] = []
        _append_nodes(nodes, self.layers, Counter())
        return tuple(node._replace(words=self.words) for node in nodes) if self.words else tuple(nodes)

    @property
    def names(self) -> tuple[str, ...]:
        """Each layer's `@name`, or its op and the count of that op from 1: `conv1`, `relu1`, `conv2`."""
        return tuple(node.name for node in self.all_nodes)

    @property
    def takes_alpha(self) -> bool:
        """Whether an image's alpha can go through all layers."""
        return all(node.layer.takes_alpha for node in self.all_nodes)

    def visits(self, shape: Shape) -> tuple[Visit, ...]:
        """Return each layer at work, in the order of execution, when `shape` goes into the first.

        Errors name the layer. The last shapes are kept: images of a batch are alike.
        """
        kept: dict[Shape, tuple[Visit, ...]] = vars(self).setdefault("_visits", {})
        if shape not in kept:
            if len(kept) == _SHAPES_KEPT:
                kept.clear()
            alone = len(self.all_nodes) == 1 or bool(self.words)
            kept[shape] = tuple(_visit(self.nodes, Flow(shape), alone=alone))
        return kept[shape]

    def output(self, shape: Shape) -> Shape:
        """Return what comes out of the last layer."""
        visits = self.visits(shape)
        return visits[-1].outputs.shape if visits else shape


def check_trainable(network: Network) -> None:
    """Raise a `LanguageError` if a layer cannot be trained through, or none learns."""
    for node in network.all_nodes:
        if not node.layer.TRAINABLE:
            raise LanguageError(f"layer {node.number}, {node.text}: cannot be trained; no gradient goes through it")
    if not any(node.layer.follows_gradients for node in network.all_nodes):
        raise LanguageError(
            "no layer learns; sized convolutions such as conv:3x3,16, linear, prelu and norms do, kernels are fixed"
        )


def _append_nodes(
    nodes: list[Node], layers: tuple[Layer, ...], counts: Counter[str], depth: int = 0, branch: int = 0
) -> tuple[Node, ...]:
    """Append layers in a row to nodes, those in blocks before the block, and return those of the row.

    `counts` has how many of each op came before.
    """
    row = []
    for layer in layers:
        inside = enumerate(layer.branches if isinstance(layer, Block) else (), 1)
        branches = tuple(_append_nodes(nodes, inner, counts, depth + 1, number) for number, inner in inside)
        counts[layer.op] += 1
        name = layer.name or f"{layer.op}{counts[layer.op]}"
        row.append(Node(layer, name, len(nodes) + 1, branches, depth, branch))
        nodes.append(row[-1])
    return tuple(row)


def _visit(nodes: tuple[Node, ...], flow: Flow, *, alone: bool, held: int = 0, kept: int = 0) -> list[Visit]:
    """Return the visits of layers in a row, those in blocks before the block's.

    `held` values are needed elsewhere while the layers work; `kept` are those of the first one's input, where they are
    needed again after the last.
    """
    visits: list[Visit] = []
    for node in nodes:
        size = joined = prod(flow.shape)
        if node.branches:
            # A branch without layers hands on the input itself, which is then held, and counted, once.
            hands_on = not all(node.branches) or (isinstance(node.layer, Block) and node.layer.adds_input)
            joined = 0
            # The branches go first, so that an error within one names the layer that it is about.
            for number, inner in enumerate(node.branches, 1):
                again = size if hands_on or number < len(node.branches) or kept else 0
                inside = _visit(inner, flow, alone=alone, held=held + joined, kept=again)
                joined += prod(inside[-1].outputs.shape) if inside else 0
                visits += inside
            joined += size if hands_on or kept else 0
        try:
            outputs = node.layer.follow(flow)
        except ShapeError as error:
            place = "" if alone else f"layer {node.number}, "
            raise ShapeError(f"{place}{node.text}: {error}") from error
        visits.append(Visit(node, flow, outputs, held + joined + prod(outputs.shape)))
        flow, held, kept = outputs, held + kept, 0
    return visits
