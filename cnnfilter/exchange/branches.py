"""From layers that take each other's values to branches within blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cnnfilter.arrays import Array
from cnnfilter.errors import ShapeError
from cnnfilter.exchange.graph import ForeignGraphError
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.language import NAME
from cnnfilter.nn.layers import Block, Branch, Flow, Layer, Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Residual

INPUT_VALUE = "v0"


class MadeValue(NamedTuple):
    """What makes a value: a layer, the values it takes, its tensors as PyTorch has them, and a name for it."""

    layer: Layer
    inputs: tuple[str, ...]
    tensors: Mapping[str, Array]
    name: str


class DataFlow:
    """Values by the layers that make them, in an order in which they can be made."""

    def __init__(self, shape: Shape) -> None:
        self.input = INPUT_VALUE
        self.made: dict[str, MadeValue] = {}
        self.flows: dict[str, Flow] = {self.input: Flow(shape)}

    def add(self, layer: Layer, inputs: Sequence[str], tensors: Mapping[str, Array], name: str) -> str:
        """Add a layer, and return the value that it makes; a block joins its inputs."""
        value = f"v{len(self.made) + 1}"
        flows = [self.flows[source] for source in inputs]
        self.flows[value] = layer.join(flows) if isinstance(layer, Block) else layer.follow(flows[0])
        wanted = layer.tensors(flows[0].shape) if tensors else {}
        for part, tensor in tensors.items():
            if tensor.shape != wanted.get(part):
                raise ShapeError(f"its {part} is {tensor.shape}, and {layer.text} needs {wanted.get(part)} here")
        self.made[value] = MadeValue(layer, tuple(inputs), tensors, name)
        return value


def nest(flow: DataFlow, output: str) -> tuple[Branch, dict[str, Array]]:
    """Return the layers of a network, whose blocks hold the branches, and its state dict.

    `ForeignGraphError` where branches cross: a value within one is needed by another.
    """
    layers = _Nesting(flow, output).chain(output, flow.input)
    names = _name_layers(flow, layers)
    state = {
        f"{name}.{part}": tensor
        for value, name in names.items()
        if value in flow.made
        for part, tensor in flow.made[value].tensors.items()
    }
    usual = _count_names(layers)
    final = {value: "" if name == usual[value] else name for value, name in names.items()}
    return tuple(_rename(layer, final) for layer in layers), state


class _Nesting:
    """Makes chains of layers, with those that a block joins in its branches; layers are named after their values."""

    def __init__(self, flow: DataFlow, output: str) -> None:
        self._flow = flow
        self._forks = _find_forks(flow, output)
        self._used: set[str] = set()

    def chain(self, end: str, start: str) -> Branch:
        """Return the layers from a value to another that is made of it alone."""
        layers: list[Layer] = []
        while end != start:
            made = self._flow.made[end]
            if end in self._used:
                raise ForeignGraphError(
                    f"branches cross at {made.name or end} ({made.layer.op}), which two of them need"
                )
            self._used.add(end)
            source = made.inputs[0] if len(made.inputs) == 1 else self._forks.of[end]
            layer = made.layer
            if isinstance(layer, Block):
                layer = self.block(layer, made.inputs, source)
            layers.append(replace(layer, name=end))
            end = source
        return tuple(reversed(layers))

    def block(self, layer: Block, values: Sequence[str], start: str) -> Block:
        """Return a block that joins values; neighbours that are made of a later one are joined in a block first."""
        runs: list[list[str]] = []
        for value in values:
            if runs and self._forks.join([*runs[-1], value]) != start:
                runs[-1].append(value)
            else:
                runs.append([value])
        if len(runs) == 1:  # the last value before all of them is `start`, or they are its own
            runs = [[value] for value in values]
        branches = tuple(self._branch(layer, run, start) for run in runs)
        if isinstance(layer, Residual) and len(branches) == 2 and () in branches and any(branches):
            branches = tuple(branch for branch in branches if branch)
        return replace(layer, branches=branches)

    def _branch(self, layer: Block, run: Sequence[str], start: str) -> Branch:
        if len(run) == 1:
            return self.chain(run[0], start)
        fork = self._forks.join(run)
        inner = replace(self.block(layer, run, fork), name=f"{fork} joined {len(run)}")
        return *self.chain(fork, start), inner


class _Forks(NamedTuple):
    """For each value the last one before it through which all goes that it is made of, and how many such there are."""

    of: dict[str, str]
    depth: dict[str, int]

    def join(self, values: Sequence[str]) -> str:
        """Return the last value through which all goes that some values are made of; it may be one of them."""
        left, *others = values
        for value in others:
            right = value
            while left != right:
                left, right = (
                    (self.of[left], right) if self.depth[left] >= self.depth[right] else (left, self.of[right])
                )
        return left


def _find_forks(flow: DataFlow, output: str) -> _Forks:
    """Return the forks of all values that an output is made of.

    References
    ----------
    Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", 2001; there are no loops here.
    """
    forks = _Forks({flow.input: flow.input}, {flow.input: 0})
    needed, ahead = set[str](), [output]
    while ahead:
        value = ahead.pop()
        if value not in needed and value != flow.input:
            needed.add(value)
            ahead += flow.made[value].inputs
    for value in (value for value in flow.made if value in needed):
        forks.of[value] = forks.join(flow.made[value].inputs)
        forks.depth[value] = forks.depth[forks.of[value]] + 1
    return forks


def _count_names(layers: Branch) -> dict[str, str]:
    """Return for each value the name that its layer has if it is given none."""
    counts, names = Counter[str](), dict[str, str]()
    for node in Network(layers).all_nodes:
        counts[node.layer.op] += 1
        names[node.layer.name] = f"{node.layer.op}{counts[node.layer.op]}"
    return names


def _name_layers(flow: DataFlow, layers: Branch) -> dict[str, str]:
    """Return for each value the name of its layer: the one of the model where that is a name, and no other's."""
    usual = _count_names(layers)
    given = {value: flow.made[value].name if value in flow.made else "" for value in usual}
    times = Counter(given.values())
    taken = set(usual.values())
    return {
        value: name
        if NAME.fullmatch(name) and times[name] == 1 and (name == usual[value] or name not in taken)
        else usual[value]
        for value, name in given.items()
    }


def _rename(layer: Layer, names: Mapping[str, str]) -> Layer:
    """Return a layer with the names that are meant, those in its branches too."""
    if isinstance(layer, Block):
        branches = tuple(tuple(_rename(inner, names) for inner in branch) for branch in layer.branches)
        layer = replace(layer, branches=branches)
    return replace(layer, name=names[layer.name])
