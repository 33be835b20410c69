"""A network as it is drawn: its volumes, the layers between them, the branches of blocks; nothing of matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from cnnfilter.nn.layers import Block, Shape
from cnnfilter.nn.network import Network, Node, Visit
from cnnfilter.nn.other_layers import Residual

MOST_STEPS = 24
"""Networks of more volumes are drawn with equal neighbors joined: VGG-16 has 22, ResNet-18 more."""

COLORS = {
    "input": "#DDDDDD",
    "convolution": "#56B4E9",
    "pool": "#E69F00",
    "upsampling": "#D55E00",
    "linear": "#009E73",
    "sum": "#CC79A7",
    "channels side by side": "#F0E442",
    "other": "#FFFFFF",
}
"""What makes a volume, as colors that all eyes distinguish (M. Okabe, K. Ito, Color universal design, 2002)."""

SIGNS = {"sum": "+", "channels side by side": "c"}
"""Where branches meet."""

_MOST_LETTERS, _MOST_LINES = 15, 4
"""In a line of a layer's text, and lines of it; what is longer is cut."""


class VolumeStep(NamedTuple):
    """A volume, the layer that makes it (`main`), and with it, in `visits`, those around that only change its values.

    A block has its branches, which are empty where they hand on its input. A step may represent so many equal ones in
    a row (`times`), of which the main layer of the `last` is named.
    """

    visits: tuple[Visit, ...]
    main: Visit
    branches: tuple[tuple[VolumeStep, ...], ...] = ()
    times: int = 1
    last: str = ""

    @property
    def shape(self) -> Shape:
        """Of the volume."""
        return self.visits[-1].outputs.shape

    @property
    def name(self) -> str:
        """Of the main layer."""
        return self.main.node.name

    @property
    def kind(self) -> str:
        """What makes the volume, one of `COLORS`."""
        return self.main.node.layer.DRAWN or "other"


class Drawing(NamedTuple):
    """What is to be drawn: the steps, the input's shape, and the lines above."""

    steps: tuple[VolumeStep, ...]
    input: Shape
    title: str
    subtitle: str

    @property
    def shapes(self) -> list[Shape]:
        """Of all volumes."""
        return [self.input, *(step.shape for step in walk_steps(self.steps))]

    @property
    def key(self) -> list[tuple[str, str]]:
        """The kinds of volumes that are drawn, and what each is called in the key."""
        kinds = {step.kind for step in walk_steps(self.steps)} | {"input"}
        return [(kind, f"{kind} ({SIGNS[kind]})" if kind in SIGNS else kind) for kind in COLORS if kind in kinds]


def make_steps(network: Network, shape: Shape) -> tuple[VolumeStep, ...]:
    """Return the steps of a network for an input of a shape, equal neighbors joined where there are many."""
    steps = fold_steps(network, shape)
    return _join_equal(steps) if sum(1 for _ in walk_steps(steps)) > MOST_STEPS else steps


def fold_steps(network: Network, shape: Shape) -> tuple[VolumeStep, ...]:
    """Return the steps of a network for an input of a shape, layers that only change values with those before them."""
    return _steps(network.nodes, {visit.node.number: visit for visit in network.visits(shape)})


def walk_steps(steps: Iterable[VolumeStep]) -> Iterator[VolumeStep]:
    """Yield all steps, those in branches before the block."""
    for step in steps:
        for branch in step.branches:
            yield from walk_steps(branch)
        yield step


def _steps(nodes: Sequence[Node], visits: dict[int, Visit]) -> tuple[VolumeStep, ...]:
    """Return the steps of layers in a row; what only changes values goes with the volume before it, else behind it."""
    made: list[VolumeStep] = []
    waiting: tuple[Visit, ...] = ()
    for visit in (visits[node.number] for node in nodes):
        branches = tuple(_steps(branch, visits) for branch in visit.node.branches)
        if isinstance(visit.node.layer, Residual) and visit.node.layer.adds_input:
            branches = (*branches, ())
        if waiting and branches:  # what goes into a block is before its fork
            made.append(VolumeStep(waiting, waiting[-1]))
            waiting = ()
        if visit.node.layer.DRAWN or visit.inputs.shape != visit.outputs.shape:
            made.append(VolumeStep((*waiting, visit), visit, branches))
            waiting = ()
        elif made:
            made[-1] = made[-1]._replace(visits=(*made[-1].visits, visit))
        else:
            waiting = (*waiting, visit)
    return (*made, VolumeStep(waiting, waiting[-1])) if waiting else tuple(made)


def _join_equal(steps: Sequence[VolumeStep]) -> tuple[VolumeStep, ...]:
    """Return steps with neighbors of equal layers and sizes joined, in branches too."""
    joined = []
    for _, equal in groupby(steps, key=_without_names):
        first, *more = equal
        branches = tuple(_join_equal(branch) for branch in first.branches)
        joined.append(first._replace(branches=branches, times=1 + len(more), last=more[-1].name if more else ""))
    return tuple(joined)


def _without_names(step: VolumeStep) -> tuple[object, ...]:
    """Return what equal steps have in common: everything but their names."""
    layers = tuple(visit.node.layer.text for visit in step.visits if not isinstance(visit.node.layer, Block))
    branches = tuple(tuple(map(_without_names, branch)) for branch in step.branches)
    return step.kind, layers, step.visits[0].inputs.shape, step.shape, branches


class ArrowLine(NamedTuple):
    """A line of text over an arrow."""

    text: str
    bold: bool = False


def lines_of(step: VolumeStep) -> list[ArrowLine]:
    """Return the lines over a step's arrow: its name, then its layers, short words such as `relu` side by side."""
    names = [step.name, f"to {step.last}"] if step.times > 1 else [step.name]
    lines = [ArrowLine(f"{step.times}x", bold=True)] if step.times > 1 and not step.branches else []
    lines += [ArrowLine(name, bold=True) for name in names]
    for visit in step.visits:
        for text in [] if isinstance(visit.node.layer, Block) else _break_layer(visit.node.layer.text):
            last = lines[-1]
            if not last.bold and text.isalnum() and len(last.text) + len(text) + 1 <= _MOST_LETTERS:
                lines[-1] = ArrowLine(f"{last.text} {text}")
            else:
                lines.append(ArrowLine(text))
    return lines


def _break_layer(text: str) -> list[str]:
    """Return the text of a layer in lines, broken behind commas."""
    lines = [""]
    for word in text.replace(",", ",\0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(word) > _MOST_LETTERS:
            lines.append("")
        lines[-1] += word
    cut = [line if len(line) <= 2 * _MOST_LETTERS else f"{line[: 2 * _MOST_LETTERS - 1]}…" for line in lines]
    return cut if len(cut) <= _MOST_LINES else [*cut[: _MOST_LINES - 1], "…"]
