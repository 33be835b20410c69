"""A network as it is drawn: the volumes, the layers between them, and the branches of blocks; nothing of matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from cnnfilter.spec.blocks import Block, Concatenation, Residual
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.layers import Linear, Shape
from cnnfilter.spec.network import Network, Node, Visit
from cnnfilter.spec.pools import GlobalPool, Pool
from cnnfilter.spec.printing import show_layer

MOST_STEPS = 24
"""Networks of more volumes are drawn with equal neighbors joined: VGG-16 has 22, ResNet-18 more."""


class Step(NamedTuple):
    """Layers that make one volume, and the volume.

    Parameters
    ----------
    visits
        The layers, in their order: one that makes the volume, and around it those that only change its values.
    main
        The one that makes it.
    branches
        Of a block: what is drawn side by side; empty for what hands on its input.
    times
        How many equal steps in a row this one stands for.
    last
        The name of the main layer of the last of them.
    """

    visits: tuple[Visit, ...]
    main: Visit
    branches: tuple[tuple[Step, ...], ...] = ()
    times: int = 1
    last: str = ""

    @property
    def shape(self) -> Shape:
        """Of the volume."""
        return self.visits[-1].outputs.shape

    @property
    def inputs(self) -> Shape:
        """Of what goes in."""
        return self.visits[0].inputs.shape

    @property
    def name(self) -> str:
        """The name of the main layer, or the first and the last name of several."""
        name = self.main.node.name
        return name if self.times == 1 else f"{name} to {self.last}"

    @property
    def kind(self) -> str:
        """What makes the volume: `convolution`, `pool`, `linear`, `sum`, `channels side by side` or `other`."""
        match self.main.layer:
            case Convolution():
                return "convolution"
            case Pool() | GlobalPool():
                return "pool"
            case Linear():
                return "linear"
            case Residual():
                return "sum"
            case Concatenation():
                return "channels side by side"
            case _:
                return "other"


def make_steps(network: Network, shape: Shape) -> tuple[Step, ...]:
    """Return the steps of a network for an input of a shape, equal neighbors joined where there are many.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one before it gives.
    """
    visits = {visit.node.number: visit for visit in network.visits(shape)}
    steps = tuple(_steps(network.nodes, visits))
    return join_equal(steps) if count_volumes(steps) > MOST_STEPS else steps


def count_volumes(steps: Iterable[Step]) -> int:
    """Return how many volumes are drawn, those in branches too."""
    return sum(1 + sum(map(count_volumes, step.branches)) for step in steps)


def walk_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield all steps, those in branches before the block."""
    for step in steps:
        for branch in step.branches:
            yield from walk_steps(branch)
        yield step


def _steps(nodes: Sequence[Node], visits: dict[int, Visit]) -> Iterator[Step]:
    """Yield the steps of layers in a row; what only changes values goes with the volume before it, else behind it."""
    made: list[Step] = []
    waiting: tuple[Visit, ...] = ()
    for node in nodes:
        visit = visits[node.number]
        if not _makes_volume(visit):
            if made:
                made[-1] = made[-1]._replace(visits=(*made[-1].visits, visit))
            else:
                waiting = (*waiting, visit)
            continue
        branches = tuple(tuple(_steps(branch, visits)) for branch in node.branches)
        if isinstance(node.layer, Residual) and node.layer.adds_input:
            branches = (*branches, ())
        before: tuple[Visit, ...] = ()
        if branches and waiting:  # what goes into a block stands before its fork
            made.append(Step(waiting, waiting[-1]))
        else:
            before = waiting
        made.append(Step((*before, visit), visit, branches))
        waiting = ()
    if waiting:
        made.append(Step(waiting, waiting[-1]))
    yield from made


def _makes_volume(visit: Visit) -> bool:
    makes = isinstance(visit.layer, Convolution | Pool | Linear | GlobalPool | Block)
    return makes or visit.inputs.shape != visit.outputs.shape


def join_equal(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return steps with neighbors of equal layers and sizes joined, in branches too."""
    joined = []
    for _, equal in groupby(steps, key=_what_counts):
        first, *more = equal
        branches = tuple(join_equal(branch) for branch in first.branches)
        last = more[-1].main.node.name if more else ""
        joined.append(first._replace(branches=branches, times=1 + len(more), last=last))
    return tuple(joined)


def _what_counts(step: Step) -> tuple[object, ...]:
    """Return what equal steps have in common: everything but their names."""
    layers = tuple(show_layer(visit.layer) for visit in step.visits if not isinstance(visit.layer, Block))
    branches = tuple(tuple(map(_what_counts, branch)) for branch in step.branches)
    return step.kind, layers, step.inputs, step.shape, branches
