"""Networks read from graphs of ONNX: the operators that exporters write become layers with their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import permutations
from math import isclose, sqrt
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.state_dict import order_of
from cnnfilter.errors import CnnFilterError, ShapeError
from cnnfilter.exchange.branches import DataFlow, nest
from cnnfilter.exchange.graph import ForeignGraphError, OnnxGraph, OnnxNode
from cnnfilter.exchange.onnx_files import evaluate
from cnnfilter.network_files import Preparation
from cnnfilter.nn.layers import Function, Layer, Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Activation, Concatenation, Linear

Pattern = Any
"""A text stands for a value, the same one wherever it is, a number for a constant, (operator, inputs...) for a node."""

_ROOT = sqrt(2)
_SHARES = (
    ("Add", ("Erf", ("Div", "x", _ROOT)), 1.0),
    ("Add", ("Erf", ("Mul", "x", 1 / _ROOT)), 1.0),
)
_SOFTPLUS = (
    ("Softplus", "x"),
    ("Where", ("Greater", ("Mul", "x", 1.0), 20.0), "x", ("Div", ("Softplus", ("Mul", "x", 1.0)), 1.0)),
    ("Where", ("Greater", "x", 20.0), "x", ("Softplus", "x")),
    ("Where", ("Greater", "x", 20.0), "x", ("Log", ("Add", ("Exp", "x"), 1.0))),
)
_UP_TO_6 = ("Clip", ("Add", "x", 3.0), 0.0, 6.0)

PATTERNS: tuple[tuple[Function, Pattern], ...] = (
    (Function.SILU, ("Mul", "x", ("Sigmoid", "x"))),
    *((Function.GELU, ("Mul", ("Mul", "x", share), 0.5)) for share in _SHARES),
    *((Function.GELU, ("Mul", ("Mul", "x", 0.5), share)) for share in _SHARES),
    *((Function.GELU, ("Mul", "x", ("Mul", share, 0.5))) for share in _SHARES),
    (Function.HARDSWISH, ("Mul", "x", ("HardSigmoid", "x"))),
    (Function.HARDSWISH, ("Div", ("Mul", "x", _UP_TO_6), 6.0)),
    (Function.HARDSWISH, ("Mul", "x", ("Div", _UP_TO_6, 6.0))),
    (Function.HARDSIGMOID, ("Div", _UP_TO_6, 6.0)),
    *((Function.MISH, ("Mul", "x", ("Tanh", form))) for form in _SOFTPLUS),
    *((Function.SOFTPLUS, form) for form in _SOFTPLUS[1:]),
)
"""The functions that exporters write as several operators."""

_MISTAKES = (KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError, ZeroDivisionError)
"""What a node raises whose attributes or constants are not as ONNX wants them."""


Reader = Callable[["GraphReader", OnnxNode], str]
"""Adds the layer that a node is, and returns the name of the value that it makes."""


class ReadNetwork(NamedTuple):
    """A network with its weights, what is done to its input, and whether it gives a vector in another order."""

    network: Network
    state: dict[str, Array]
    preparation: Preparation
    reordered: bool


class GraphReader:
    """Reads the nodes of a graph one after the other, for an input of (height, width, channels)."""

    def __init__(self, graph: OnnxGraph, shape: Shape, readers: Mapping[str, Reader]) -> None:
        self._readers = readers
        self.graph, self.constants = graph, dict(graph.tensors)
        self.producers = {name: node for node in graph.nodes for name in node.outputs}
        self.users = Counter(name for node in graph.nodes for name in node.inputs)
        self.flow = DataFlow(shape)
        self.names = {graph.input: self.flow.input}
        self.scales: list[tuple[str, Array]] = []
        self.channels_last = {graph.input} if takes_channels_last(graph) else set[str]()
        self._in_order: set[str] = set()
        self._node = OnnxNode("", (), (), {})

    def read(self) -> ReadNetwork:
        """Return the network; `ForeignGraphError` if an operator is not known, or branches cross."""
        problems: dict[str, ForeignGraphError] = {}
        for node in self.graph.nodes:
            self._node = node
            output = node.outputs[0]
            try:
                if not self._fold(node):
                    self.names[output] = self._read_node(node)
                    self._follow_order(node)
            except ForeignGraphError as error:
                problems[output] = error
            except ShapeError as error:
                problems[output] = ForeignGraphError(f"{title_of(node)} has no layer like it: {error}")
                problems[output].about_size = True
            except (CnnFilterError, *_MISTAKES) as error:
                problems[output] = ForeignGraphError(f"{title_of(node)} has no layer like it ({error})")
        last = self.graph.output
        if last not in self.names:
            raise _first_problem(self, problems, last)
        layers, state = nest(self.flow, self.names[last])
        parts = self.flow.flows[self.names[last]].parts
        moved = bool((np.diff(order_of(parts)) != 1).any()) and self.names[last] not in self._in_order
        return ReadNetwork(Network(layers), state, self._preparation(), moved)

    def _fold(self, node: OnnxNode) -> bool:
        """Work out a node whose inputs are all constants, or a shape that is known."""
        inputs = [name for name in node.inputs if name]
        if node.op == "Shape" and node.inputs[0] in self.names:
            found = [np.asarray(self.sizes(node.inputs[0]), np.int64)]
            start, end = node.attributes.get("start", 0), node.attributes.get("end")
            found[0] = found[0][start:end]
        elif inputs and all(name in self.constants for name in inputs):
            found = evaluate(node, {name: self.constants[name] for name in inputs}, self.graph.opset)
        else:
            return False
        self.constants.update(zip(node.outputs, found, strict=False))
        return True

    def _read_node(self, node: OnnxNode) -> str:
        """Return the name of the value that a node makes of layers."""
        for function, pattern in PATTERNS:
            if pattern[0] == node.op and (found := self.match(node.outputs[0], pattern)):
                return self.layer(Activation(function=function), found["x"])
        reader = self._readers.get(node.op)
        if reader is None:
            raise ForeignGraphError(f"{title_of(node)} is an operator that is not known here")
        return reader(self, node)

    def _follow_order(self, node: OnnxNode) -> None:
        """Remember that what comes out of a node has its channels last, as what goes in has."""
        given, output = [name for name in node.inputs if name in self.names], node.outputs[0]
        if node.op == "Transpose" or len(self.flow.flows[self.names[output]].shape) == 1:
            return
        if self.channels_last.isdisjoint(given):
            return
        if node.op not in CHANNEL_BY_CHANNEL or not self.channels_last.issuperset(given):
            raise ForeignGraphError(f"{title_of(node)} takes values whose channels are last")
        self.channels_last.add(output)

    def match(self, name: str, pattern: Pattern) -> dict[str, str]:
        """Return the values that the texts of a pattern stand for, if a value is made so; else nothing."""
        found: dict[str, str] = {}
        return found if self._match(name, pattern, found) else {}

    def _match(self, name: str, pattern: Pattern, found: dict[str, str]) -> bool:
        if isinstance(pattern, str):
            return found.setdefault(pattern, name) == name
        if isinstance(pattern, float):
            number = self.constants.get(name)
            return number is not None and number.size == 1 and isclose(float(number.item()), pattern, rel_tol=1e-4)
        node = self.producers.get(name)
        if node is None or node.op != pattern[0] or len(node.inputs) != len(pattern) - 1:
            return False
        orders = permutations(node.inputs) if node.op in {"Add", "Mul"} else (node.inputs,)
        for order in orders:
            trial = dict(found)
            if all(self._match(value, part, trial) for value, part in zip(order, pattern[1:], strict=True)):
                found.update(trial)
                return True
        return False

    def value(self, name: str) -> str:
        """Return the value of layers that has a name in the graph; `ForeignGraphError` where there is none."""
        if name not in self.names:
            raise ForeignGraphError(f"{title_of(self._node)} takes what no layer makes")
        return self.names[name]

    def shape(self, name: str) -> Shape:
        """Return the shape of a value, (H, W, C) or (length,)."""
        return self.flow.flows[self.value(name)].shape

    def sizes(self, name: str) -> tuple[int, ...]:
        """Return the sizes of a value's axes in the graph, of which the first is the batch."""
        shape = self.shape(name)
        return (1, shape[2], *shape[:2]) if len(shape) == 3 and name not in self.channels_last else (1, *shape)

    def constant(self, node: OnnxNode, place: int) -> Array | None:
        """Return the constant that is an input of a node, None where it is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return None
        if node.inputs[place] not in self.constants:
            raise ForeignGraphError(f"{title_of(node)} has an input that is not constant")
        return self.constants[node.inputs[place]]

    def weight(self, node: OnnxNode, place: int) -> Array:
        """Return a constant that has to be there."""
        found = self.constant(node, place)
        if found is None:
            raise ForeignGraphError(f"{title_of(node)} lacks an input")
        return found

    def is_filling(self, node: OnnxNode) -> bool:
        """Return whether a norm's scale and shift change nothing, and are called otherwise than what is learned."""
        weight, bias = self.weight(node, 1), self.constant(node, 2)
        changes = (weight != 1).any() or (bias is not None and bias.any())
        return not changes and not node.inputs[1].endswith(".weight")

    def layer(self, layer: Layer, *sources: str, **tensors: Array | None) -> str:
        """Add a layer on values of the graph, and return what it makes."""
        given = {part: tensor for part, tensor in tensors.items() if tensor is not None}
        values = [self.value(name) for name in sources]
        is_ordered = not self._in_order.isdisjoint(values)
        if is_ordered and isinstance(layer, Linear):
            order = order_of(self.flow.flows[values[0]].parts)
            given["weight"] = given["weight"][:, np.argsort(order)]
        elif is_ordered and (given or len(values) > 1):
            raise ForeignGraphError(f"{title_of(self._node)} takes a vector in the order of rows, columns, channels")
        value = self.flow.add(layer, values, given, self._suggest_name(given))
        return self.mark_order(value) if is_ordered and not isinstance(layer, Linear) else value

    def concatenate(self, values: list[str]) -> str:
        """Add a concatenation; one that begins with all of another, as DenseNet's do, goes on from that."""
        if len(values) == 1:
            return values[0]
        if not self._in_order.isdisjoint(values):
            raise ForeignGraphError(f"{title_of(self._node)} takes a vector in the order of rows, columns, channels")
        for value, made in self.flow.made.items():
            count = len(made.inputs)
            if isinstance(made.layer, Concatenation) and count < len(values) and (*values[:count],) == made.inputs:
                return self.concatenate([value, *values[count:]])
        return self.flow.add(Concatenation(branches=((), ())), values, {}, self._suggest_name({}))

    def behind(self, layer: Layer, value: str) -> str:
        """Add a layer behind what another has made."""
        return self.flow.add(layer, [value], {}, "")

    def _suggest_name(self, tensors: Mapping[str, Array]) -> str:
        """Return the name before that of a weight, or before the slash of a node's name."""
        for name in self._node.inputs if tensors else ():
            stem, _, part = name.rpartition(".")
            if part == "weight" and name in self.graph.tensors:
                return stem
        head, slash, _ = self._node.name.partition("/")
        return head if slash else ""

    def replace(self, value: str, layer: Layer, **tensors: Array) -> str:
        """Put a layer with more tensors in the place of the one that has made a value."""
        made = self.flow.made[value]
        self.flow.made[value] = made._replace(
            layer=layer, tensors={**made.tensors, **tensors}, name=made.name or self._suggest_name(tensors)
        )
        return value

    def _preparation(self) -> Preparation:
        """Return what is done to the input: x scale - mean, / std."""
        given: dict[str, Any] = {}
        for op, numbers in self.scales:
            field = {"Mul": "scale", "Sub": "mean", "Div": "std"}[op]
            given[field] = tuple(as_decimal(number) for number in numbers.ravel().tolist())
        if "scale" in given:
            (scale,) = given["scale"]
            inverse = round(1 / scale) if scale else 0
            is_share = inverse > 1 and np.float32(1 / inverse) == np.float32(scale)
            given["scale"] = 1 / inverse if is_share else scale  # 1/255 is more than its nearest float32
        return Preparation(**given)

    def mark_order(self, value: str) -> str:
        """Remember that a vector is in the order of rows, columns, channels."""
        self._in_order.add(value)
        return value

    def prepares(self, node: OnnxNode) -> bool:
        """Take a node that scales the input, subtracts a mean or divides, in this order; else return False."""
        ops, numbers = ("Mul", "Sub", "Div"), self.constants.get(node.inputs[1])
        if node.op not in ops or numbers is None or self.names.get(node.inputs[0]) != self.flow.input:
            return False
        channels, is_last = self.shape(node.inputs[0])[2], node.inputs[0] in self.channels_last
        axes = (channels,) if is_last else (channels, 1, 1)
        fits = numbers.size == 1 or (numbers.size == channels and numbers.shape[-len(axes) :] == axes)
        is_next = not self.scales or ops.index(node.op) > ops.index(self.scales[-1][0])
        if not fits or not is_next or self.users[node.inputs[0]] > 1 or (node.op == "Mul" and numbers.size > 1):
            return False
        self.scales.append((node.op, numbers))
        return True


CHANNEL_BY_CHANNEL = frozenset(
    {"Identity", "Cast", "Dropout", "Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "Mul", "Sub", "Div"}
)
"""The operators that are read where channels are last: they compute the same in any order of axes."""


def takes_channels_last(graph: OnnxGraph) -> bool:
    """Return whether the input is (N, H, W, C): it is transposed before the first layer, as TensorFlow's are."""
    name = graph.input
    for _ in graph.nodes:
        users = [node for node in graph.nodes if name in node.inputs]
        if any(node.op == "Transpose" and list(node.attributes.get("perm", ())) == [0, 3, 1, 2] for node in users):
            return True
        if len(users) != 1 or users[0].op not in CHANNEL_BY_CHANNEL:
            break
        name = users[0].outputs[0]
    return False


def as_decimal(number: float) -> float:
    """Return the shortest decimal number that is the same in float32."""
    return float(str(np.float32(number)))


def title_of(node: OnnxNode) -> str:
    """Return what messages call a node."""
    return f"{node.op} ({node.name or node.outputs[0]})"


def _first_problem(reader: GraphReader, problems: Mapping[str, ForeignGraphError], output: str) -> ForeignGraphError:
    """Return what is wrong with the first node, of those that the output needs, that could not be read."""
    needed, ahead = set[str](), [output]
    while ahead:
        name = ahead.pop()
        if name in needed or name in reader.names or name not in reader.producers:
            continue
        needed.add(name)
        ahead += reader.producers[name].inputs
    found = (error for name, error in problems.items() if name in needed)
    return next(found, ForeignGraphError(f"no operator makes its output {output}"))
