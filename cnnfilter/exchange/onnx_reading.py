"""Networks read from graphs of ONNX: the operators that exporters write become layers with their weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import permutations
from math import isclose, prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.state_dict import order_of
from cnnfilter.errors import CnnFilterError, ShapeError
from cnnfilter.exchange.branches import DataFlow, nest
from cnnfilter.exchange.graph import ForeignGraphError, OnnxGraph, OnnxNode
from cnnfilter.exchange.onnx_files import evaluate
from cnnfilter.exchange.onnx_rows import FUNCTIONS
from cnnfilter.network_files import Preparation
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Sides, Window
from cnnfilter.nn.layers import Conv, DepthwiseConv, Function, Layer, Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import (
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import Deconv, Interpolation, Upsample

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

_NORMED_GROUPS = ("Reshape", ("InstanceNormalization", ("Reshape", "x", "groups"), "one", "zero"), "volume")
_NORMED_CHANNELS = (
    "Div",
    "x",
    ("Pow", ("Reshape", ("Conv", ("Reshape", ("Mul", "x", "x"), "rows"), "weights", "k"), "volume"), "beta"),
)
_AVERAGED_CHANNELS = ("Div", "x", ("Pow", ("Add", ("Mul", "means", "alpha"), "k"), "beta"))
_SQUARES = ("Sqrt", ("Conv", ("Mul", "x", "x"), "ones"))
_LEAST = ("Neg", ("MaxPool", ("Neg", "x")))

_BORDERS = {"edge": BorderMode.EDGE, "reflect": BorderMode.REFLECT, "wrap": BorderMode.WRAP}


_MISTAKES = (KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError, ZeroDivisionError)
"""What a node raises whose attributes or constants are not as ONNX wants them."""


class ReadNetwork(NamedTuple):
    """A network with its weights, what is done to its input, and whether it gives a vector in another order."""

    network: Network
    state: dict[str, Array]
    preparation: Preparation
    reordered: bool


class GraphReader:
    """Reads the nodes of a graph one after the other, for an input of (height, width, channels)."""

    def __init__(self, graph: OnnxGraph, shape: Shape) -> None:
        self.graph, self.constants = graph, dict(graph.tensors)
        self.producers = {name: node for node in graph.nodes for name in node.outputs}
        self.users = Counter(name for node in graph.nodes for name in node.inputs)
        self.flow = DataFlow(shape)
        self.names = {graph.input: self.flow.input}
        self.scales: list[tuple[str, Array]] = []
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
            except ForeignGraphError as error:
                problems[output] = error
            except ShapeError as error:
                problems[output] = ForeignGraphError(f"{_title(node)} has no layer like it: {error}")
                problems[output].about_size = True
            except (CnnFilterError, *_MISTAKES) as error:
                problems[output] = ForeignGraphError(f"{_title(node)} has no layer like it ({error})")
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
            shape = self.flow.flows[self.names[node.inputs[0]]].shape
            found = [np.asarray((1, shape[2], *shape[:2]) if len(shape) == 3 else (1, *shape), np.int64)]
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
        reader = READERS.get(node.op)
        if reader is None:
            raise ForeignGraphError(f"{_title(node)} is an operator that is not known here")
        return reader(self, node)

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
            raise ForeignGraphError(f"{_title(self._node)} takes what no layer makes")
        return self.names[name]

    def shape(self, name: str) -> Shape:
        """Return the shape of a value, (H, W, C) or (length,)."""
        return self.flow.flows[self.value(name)].shape

    def constant(self, node: OnnxNode, place: int) -> Array | None:
        """Return the constant that is an input of a node, None where it is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return None
        if node.inputs[place] not in self.constants:
            raise ForeignGraphError(f"{_title(node)} has an input that is not constant")
        return self.constants[node.inputs[place]]

    def weight(self, node: OnnxNode, place: int) -> Array:
        """Return a constant that has to be there."""
        found = self.constant(node, place)
        if found is None:
            raise ForeignGraphError(f"{_title(node)} lacks an input")
        return found

    def layer(self, layer: Layer, *sources: str, **tensors: Array | None) -> str:
        """Add a layer on values of the graph, and return what it makes."""
        given = {part: tensor for part, tensor in tensors.items() if tensor is not None}
        return self.flow.add(layer, [self.value(name) for name in sources], given, self._suggest_name(given))

    def concatenate(self, values: list[str]) -> str:
        """Add a concatenation; one that begins with all of another, as DenseNet's do, goes on from that."""
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
            given[field] = tuple(_decimal(number) for number in numbers.ravel().tolist())
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
        channels = self.shape(node.inputs[0])[2]
        fits = numbers.size == 1 or (numbers.size == channels and numbers.shape[-3:] == (channels, 1, 1))
        is_next = not self.scales or ops.index(node.op) > ops.index(self.scales[-1][0])
        if not fits or not is_next or self.users[node.inputs[0]] > 1 or (node.op == "Mul" and numbers.size > 1):
            return False
        self.scales.append((node.op, numbers))
        return True


def _decimal(number: float) -> float:
    """Return the shortest decimal number that is the same in float32."""
    return float(str(np.float32(number)))


def _title(node: OnnxNode) -> str:
    return f"{node.op} ({node.name or node.outputs[0]})"


def _first_problem(reader: GraphReader, problems: Mapping[str, ForeignGraphError], output: str) -> ForeignGraphError:
    """Return what is wrong with the first node, of those that the output needs, that could not be read."""
    needed, ahead = set[str](), [output]
    while ahead:
        name = ahead.pop()
        if name in needed or name not in reader.producers:
            continue
        needed.add(name)
        ahead += reader.producers[name].inputs
    found = (error for name, error in problems.items() if name in needed)
    return next(found, ForeignGraphError(f"no operator makes its output {output}"))


def _window(reader: GraphReader, node: OnnxNode, size: Iterable[int], usual_stride: int = 1) -> Window:
    """Return the window of a convolution or a pool."""
    sides = tuple(int(side) for side in size)
    if len(sides) != 2:
        raise ForeignGraphError(f"{_title(node)} has a window of {len(sides)} dimensions")
    given = node.attributes
    stride = tuple(given.get("strides", (usual_stride, usual_stride)))
    dilation = tuple(given.get("dilations", (1, 1)))
    words: dict[str, PaddingWord | Sides] = {
        "SAME_UPPER": PaddingWord.SAME,
        "SAME_LOWER": PaddingWord.SAME_LOWER,
        "VALID": (0, 0, 0, 0),
    }
    top, left, bottom, right = given.get("pads", (0, 0, 0, 0))
    padding = words.get(given.get("auto_pad", "NOTSET"), (top, left, bottom, right))
    window = Window((sides[0], sides[1]), (stride[0], stride[1]), padding, (dilation[0], dilation[1]))
    return replace(window, ceil=True) if given.get("ceil_mode") else window


def _pad_before(reader: GraphReader, name: str) -> tuple[str, Sides, Border]:
    """Return what a Pad node takes, its sides and its border, where a value comes from one."""
    node = reader.producers.get(name)
    if node is None or node.op != "Pad" or name in reader.names:
        return name, (0, 0, 0, 0), Border()
    pads = reader.constant(node, 1)
    sides = [int(side) for side in (node.attributes["pads"] if pads is None else pads)]
    if len(sides) != 8 or any((*sides[:2], *sides[4:6])) or min(sides) < 0 or (len(node.inputs) > 3 and node.inputs[3]):
        raise ForeignGraphError(f"{_title(node)} pads more than rows and columns")
    mode, value = node.attributes.get("mode", "constant"), reader.constant(node, 2)
    number = float(node.attributes.get("value", 0.0) if value is None else value.item())
    border = Border(_BORDERS[mode]) if mode in _BORDERS else Border(BorderMode.CONSTANT, number) if number else Border()
    return node.inputs[0], (sides[2], sides[3], sides[6], sides[7]), border


def _conv(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias = reader.weight(node, 1), reader.constant(node, 2)
    source, pads, border = _pad_before(reader, node.inputs[0])
    channels, groups = reader.shape(source)[2], node.attributes.get("group", 1)
    is_gray = weight.shape == (1, 3, 1, 1) and np.array_equal(weight.ravel(), np.asarray(Gray.WEIGHTS, np.float32))
    window = _window(reader, node, weight.shape[2:])
    if is_gray and bias is None and window == Window((1, 1)):
        return reader.layer(Gray(), source)
    if any(pads):
        if border.mode is BorderMode.ZERO and not isinstance(window.padding, PaddingWord):
            top, left, bottom, right = (inner + outer for inner, outer in zip(window.padding, pads, strict=True))
            pads = top, left, bottom, right
        elif window.padding != (0, 0, 0, 0):
            raise ForeignGraphError(f"{_title(node)} is padded twice")
        window = replace(window, padding=pads)
    given: dict[str, Any] = {"window": window, "learned_bias": bias is not None, "border": border}
    if groups > 1 and groups == channels and len(weight) % channels == 0:
        layer: Layer = DepthwiseConv(multiplier=len(weight) // channels, **given)
    else:
        layer = Conv(outputs=len(weight), groups=groups, **given)
    return reader.layer(layer, source, weight=weight, bias=bias)


def _deconv(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias = reader.weight(node, 1), reader.constant(node, 2)
    if "output_shape" in node.attributes or node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        raise ForeignGraphError(f"{_title(node)} gives the size of what comes out")
    rows, columns = node.attributes.get("output_padding", (0, 0))
    groups = node.attributes.get("group", 1)
    layer = Deconv(
        window=_window(reader, node, weight.shape[2:]),
        outputs=weight.shape[1] * groups,
        groups=groups,
        output_padding=(rows, columns),
        bias=bias is not None,
    )
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias)


def _gemm(reader: GraphReader, node: OnnxNode) -> str:
    given = node.attributes
    if given.get("transA") or given.get("alpha", 1) != 1 or given.get("beta", 1) != 1:
        raise ForeignGraphError(f"{_title(node)} is no plain product")
    weight, bias = reader.weight(node, 1), reader.constant(node, 2)
    weight = weight if given.get("transB") else weight.T
    bias = None if bias is None else np.broadcast_to(bias.reshape(-1), (len(weight),))
    return reader.layer(Linear(outputs=len(weight), bias=bias is not None), node.inputs[0], weight=weight, bias=bias)


def _matmul(reader: GraphReader, node: OnnxNode) -> str:
    weight = reader.weight(node, 1)
    if weight.ndim != 2 or len(reader.shape(node.inputs[0])) != 1:
        raise ForeignGraphError(f"{_title(node)} is a product of more than a vector and a matrix")
    return reader.layer(Linear(outputs=weight.shape[1], bias=False), node.inputs[0], weight=weight.T)


def _norm(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias, mean, variance = (reader.weight(node, place) for place in (1, 2, 3, 4))
    layer = BatchNorm(eps=_decimal(node.attributes.get("epsilon", 1e-5)))
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias, running_mean=mean, running_var=variance)


def _instance_norm(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias = reader.weight(node, 1), reader.weight(node, 2)
    eps = _decimal(node.attributes.get("epsilon", 1e-5))
    if (weight == 1).all() and not bias.any():
        return reader.layer(InstanceNorm(eps=eps), node.inputs[0])
    layer = GroupNorm(groups=reader.shape(node.inputs[0])[2], eps=eps)
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias)


def _layer_norm(reader: GraphReader, node: OnnxNode) -> str:
    shape, axis = reader.shape(node.inputs[0]), node.attributes.get("axis", -1)
    if axis not in {1, -len(shape)}:
        raise ForeignGraphError(f"{_title(node)} is a norm along axis {axis}")
    weight, bias = reader.weight(node, 1), reader.constant(node, 2)
    bias = np.zeros_like(weight) if bias is None else bias
    layer = LayerNorm(eps=_decimal(node.attributes.get("epsilon", 1e-5)))
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias)


def _group_norm(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias = reader.weight(node, 1), reader.weight(node, 2)
    groups, channels = node.attributes["num_groups"], reader.shape(node.inputs[0])[2]
    weight, bias = (np.repeat(part, channels // len(part)) for part in (weight, bias))
    layer = GroupNorm(groups=groups, eps=_decimal(node.attributes.get("epsilon", 1e-5)))
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias)


def _lrn(reader: GraphReader, node: OnnxNode) -> str:
    size, given = node.attributes["size"], node.attributes
    if size % 2 == 0:
        raise ForeignGraphError(f"{_title(node)} has an even size, which means other channels here")
    alpha, beta, k = (
        _decimal(given.get(key, usual)) for key, usual in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return reader.layer(LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k), node.inputs[0])


def _div(reader: GraphReader, node: OnnxNode) -> str:
    if reader.prepares(node):
        return reader.flow.input
    if found := reader.match(node.outputs[0], _NORMED_CHANNELS):
        weights = reader.constants[found["weights"]]
        layer = LocalResponseNorm(
            size=weights.shape[2],
            alpha=_decimal(weights.flat[0] * weights.shape[2]),
            beta=_decimal(reader.constants[found["beta"]].item()),
            k=_decimal(reader.constants[found["k"]].item()),
        )
        return reader.layer(layer, found["x"])
    if found := reader.match(node.outputs[0], _AVERAGED_CHANNELS):
        alpha, beta, k = (_decimal(reader.constants[found[key]].item()) for key in ("alpha", "beta", "k"))
        size = _count_averaged(reader, found["means"], found["x"])
        return reader.layer(LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k), found["x"])
    raise ForeignGraphError(f"{_title(node)} divides by what no layer does")


def _count_averaged(reader: GraphReader, name: str, source: str) -> int:
    """Return of how many channels means are taken, of the squares of a value; PyTorch asks for the shape of them."""
    node = reader.producers[name]
    while node.op in {"Reshape", "Squeeze", "If", "Equal", "Gather", "Shape"}:
        node = reader.producers[node.inputs[0]]
    size, *others = node.attributes["kernel_shape"]
    pad = reader.producers[node.inputs[0]]
    sides = reader.weight(pad, 1).tolist()
    squares = reader.producers[reader.producers[pad.inputs[0]].inputs[0]]
    is_usual = node.op == "AveragePool" and set(others) == {1} and sides[2] == size // 2 and sum(sides) == size - 1
    if not is_usual or (squares.op, squares.inputs) != ("Mul", (source, source)):
        raise ForeignGraphError(f"{_title(node)} takes means of something else than neighbouring channels")
    return int(size)


def _plain(function: Function) -> Callable[[GraphReader, OnnxNode], str]:
    row = FUNCTIONS[function]

    def read(reader: GraphReader, node: OnnxNode) -> str:
        given, usual = node.attributes, {"LeakyRelu": 0.01, "Elu": 1.0}
        if any(
            not isclose(given.get(key, {"alpha": 0.2}.get(key, 0.5)), number, rel_tol=1e-5)
            for key, number in row.fixed.items()
        ):
            raise ForeignGraphError(f"{_title(node)} has other numbers than PyTorch's")
        slope = _decimal(given.get(row.attribute, usual[node.op])) if row.attribute else None
        return reader.layer(Activation(function=function, slope=slope), node.inputs[0])

    return read


def _clip(reader: GraphReader, node: OnnxNode) -> str:
    ends = []
    for place, key in ((1, "min"), (2, "max")):
        given = reader.constant(node, place)
        ends.append(node.attributes.get(key) if given is None else float(given.item()))
    least, most = ends
    if least == 0 and most == 6:
        return reader.layer(Activation(function=Function.RELU6), node.inputs[0])
    if least == 0 and (most is None or most > 1e30):
        return reader.layer(Activation(function=Function.RELU), node.inputs[0])
    raise ForeignGraphError(f"{_title(node)} has other ends than 0 and 6")


def _prelu(reader: GraphReader, node: OnnxNode) -> str:
    slopes, channels = reader.weight(node, 1), reader.shape(node.inputs[0])[-1]
    if slopes.size not in {1, channels}:
        raise ForeignGraphError(f"{_title(node)} has a slope for each value")
    return reader.layer(PRelu(each=slopes.size > 1), node.inputs[0], weight=slopes.ravel())


def _softmax(reader: GraphReader, node: OnnxNode) -> str:
    shape, axis = reader.shape(node.inputs[0]), node.attributes.get("axis", -1 if reader.graph.opset >= 13 else 1)
    if axis not in {1, -len(shape)}:
        raise ForeignGraphError(f"{_title(node)} is along axis {axis}, and not along the channels")
    return reader.layer(Softmax(), node.inputs[0])


def _dropout(reader: GraphReader, node: OnnxNode) -> str:
    ratio = reader.constant(node, 1)
    rate = node.attributes.get("ratio", 0.5) if ratio is None else float(ratio.item())
    return reader.layer(Dropout(rate=_decimal(rate)), node.inputs[0])


def _identity(reader: GraphReader, node: OnnxNode) -> str:
    return reader.value(node.inputs[0])


def _pool(mode: PoolMode) -> Callable[[GraphReader, OnnxNode], str]:
    def read(reader: GraphReader, node: OnnxNode) -> str:
        window = _window(reader, node, node.attributes["kernel_shape"])
        counts = bool(node.attributes.get("count_include_pad")) and window.padding != (0, 0, 0, 0)
        if node.attributes.get("p", 2) != 2 or node.attributes.get("storage_order"):
            raise ForeignGraphError(f"{_title(node)} is another norm than the one of squares")
        return reader.layer(Pool(mode=mode, window=window, count_include_pad=counts), node.inputs[0])

    return read


def _global_pool(mode: PoolMode) -> Callable[[GraphReader, OnnxNode], str]:
    return lambda reader, node: reader.layer(GlobalPool(mode=mode), node.inputs[0])


def _reduce(mode: ChannelMode) -> Callable[[GraphReader, OnnxNode], str]:
    def read(reader: GraphReader, node: OnnxNode) -> str:
        given = reader.constant(node, 1)
        axes = node.attributes.get("axes") if given is None else given.tolist()
        shape, keeps = reader.shape(node.inputs[0]), node.attributes.get("keepdims", 1)
        places = sorted(axis % (len(shape) + 1) for axis in axes or ())
        pools = {ChannelMode.AVG: PoolMode.AVG, ChannelMode.MAX: PoolMode.MAX}
        if places == [2, 3] and mode in pools:
            pooled = reader.layer(GlobalPool(mode=pools[mode]), node.inputs[0])
            return pooled if keeps else reader.behind(Flatten(), pooled)
        if places == [1] and keeps and len(shape) == 3:
            return reader.layer(ChannelPool(mode=mode), node.inputs[0])
        raise ForeignGraphError(f"{_title(node)} is along axes {axes}")

    return read


def _reshape(reader: GraphReader, node: OnnxNode) -> str:
    if found := reader.match(node.outputs[0], _NORMED_GROUPS):
        inner = reader.producers[reader.producers[node.outputs[0]].inputs[0]]
        one, zero = reader.constants[found["one"]], reader.constants[found["zero"]]
        if (one == 1).all() and not zero.any():
            layer = GroupNorm(groups=len(one), eps=_decimal(inner.attributes.get("epsilon", 1e-5)), affine=False)
            return reader.layer(layer, found["x"])
    wanted = [int(size) for size in reader.weight(node, 1)]
    shape = reader.shape(node.inputs[0])
    before = (1, shape[2], *shape[:2]) if len(shape) == 3 else (1, *shape)
    sizes = [before[axis] if size == 0 and axis < len(before) else size for axis, size in enumerate(wanted)]
    if -1 in sizes:
        sizes[sizes.index(-1)] = prod(before) // max(1, -prod(sizes))
    if tuple(sizes) == before:
        return reader.value(node.inputs[0])
    if tuple(sizes) == (1, prod(before)):
        return reader.layer(Flatten(), node.inputs[0])
    raise ForeignGraphError(f"{_title(node)} makes {sizes} of {list(before)}")


def _flatten(reader: GraphReader, node: OnnxNode) -> str:
    if node.attributes.get("axis", 1) != 1:
        raise ForeignGraphError(f"{_title(node)} flattens the batch")
    return reader.layer(Flatten(), node.inputs[0])


def _squeeze(reader: GraphReader, node: OnnxNode) -> str:
    given, shape = reader.constant(node, 1), reader.shape(node.inputs[0])
    axes = node.attributes.get("axes") if given is None else given.tolist()
    if len(shape) == 3 and shape[:2] == (1, 1) and sorted(axis % 4 for axis in axes or ()) == [2, 3]:
        return reader.layer(Flatten(), node.inputs[0])
    raise ForeignGraphError(f"{_title(node)} removes other axes than those of a pooled volume")


def _add(reader: GraphReader, node: OnnxNode) -> str:
    constants = [place for place, name in enumerate(node.inputs) if name in reader.constants]
    if not constants:
        shapes = {reader.shape(name) for name in node.inputs}
        if len(shapes) > 1:
            raise ForeignGraphError(f"{_title(node)} adds values of other sizes")
        return reader.layer(Residual(branches=((), ())), *node.inputs)
    if len(node.inputs) != 2:
        raise ForeignGraphError(f"{_title(node)} adds constants")
    return _scale_or_shift(reader, node, constants[0], "bias")


def _mul(reader: GraphReader, node: OnnxNode) -> str:
    if reader.prepares(node):
        return reader.flow.input
    constants = [place for place, name in enumerate(node.inputs) if name in reader.constants]
    if len(constants) != 1:
        raise ForeignGraphError(f"{_title(node)} multiplies values with each other")
    return _scale_or_shift(reader, node, constants[0], "weight")


def _scale_or_shift(reader: GraphReader, node: OnnxNode, place: int, part: str) -> str:
    """Take a constant for each channel as a part of the linear layer or the norm before it."""
    numbers, source = reader.constants[node.inputs[place]], node.inputs[1 - place]
    value = reader.value(source)
    made, shape = reader.flow.made.get(value), reader.flow.flows[value].shape
    if made and reader.users[source] == 1:
        layer = made.layer
        if part == "bias" and isinstance(layer, Linear) and not layer.bias and numbers.size == layer.outputs:
            return reader.replace(value, replace(layer, bias=True), bias=numbers.reshape(-1))
        fits = numbers.size == shape[-1] and (len(shape) == 1 or numbers.shape[-3:] == (shape[2], 1, 1))
        if isinstance(layer, GroupNorm) and fits and part not in made.tensors and (part == "bias" or not layer.affine):
            usual = {"weight": np.ones(shape[-1], np.float32), "bias": np.zeros(shape[-1], np.float32)}
            given = {**usual, **made.tensors, part: numbers.reshape(-1)}
            if part == "weight":
                del given["bias"]
            return reader.replace(value, replace(layer, affine=True), **given)
    raise ForeignGraphError(f"{_title(node)} has a constant that belongs to no layer")


def _sub(reader: GraphReader, node: OnnxNode) -> str:
    if reader.prepares(node):
        return reader.flow.input
    raise ForeignGraphError(f"{_title(node)} subtracts what no layer does")


def _concat(reader: GraphReader, node: OnnxNode) -> str:
    dimensions = len(reader.shape(node.inputs[0])) + 1
    if node.attributes["axis"] % dimensions != 1:
        raise ForeignGraphError(f"{_title(node)} is along axis {node.attributes['axis']}, and not along the channels")
    return reader.concatenate([reader.value(name) for name in node.inputs])


def _gather(reader: GraphReader, node: OnnxNode) -> str:
    value, places = reader.value(node.inputs[0]), reader.weight(node, 1)
    if node.attributes.get("axis", 0) == 1 and np.array_equal(places, order_of(reader.flow.flows[value].parts)):
        return reader.mark_order(value)
    raise ForeignGraphError(f"{_title(node)} picks some values")


def _resize(reader: GraphReader, node: OnnxNode) -> str:
    given, place = node.attributes, 1 if node.op == "Upsample" else 2
    scales, sizes = reader.constant(node, place), reader.constant(node, 3)
    shape = reader.shape(node.inputs[0])
    if scales is None or not scales.size:
        if sizes is None:
            raise ForeignGraphError(f"{_title(node)} lacks a scale")
        scales = np.asarray(sizes) / (1, shape[2], *shape[:2])
    factors = [float(scale) for scale in scales]
    if factors[:2] != [1, 1] or any(factor != int(factor) or factor < 1 for factor in factors):
        raise ForeignGraphError(f"{_title(node)} has scales {factors}, and not whole numbers")
    mode, coordinates = given.get("mode", "nearest"), given.get("coordinate_transformation_mode", "half_pixel")
    is_nearest = mode == "nearest" and (
        node.op == "Upsample" or (coordinates == "asymmetric" and given.get("nearest_mode") == "floor")
    )
    is_linear = mode == "linear" and coordinates in {"half_pixel", "pytorch_half_pixel"}
    if not is_nearest and not is_linear:
        raise ForeignGraphError(f"{_title(node)} interpolates by {mode} with {coordinates}")
    kind = Interpolation.NEAREST if is_nearest else Interpolation.BILINEAR
    return reader.layer(Upsample(factor=(int(factors[2]), int(factors[3])), interpolation=kind), node.inputs[0])


def _sqrt(reader: GraphReader, node: OnnxNode) -> str:
    found = reader.match(node.outputs[0], _SQUARES)
    if not found or not (reader.constants[found["ones"]] == 1).all():
        raise ForeignGraphError(f"{_title(node)} is the root of what no layer makes")
    conv = reader.producers[node.inputs[0]]
    window = _window(reader, conv, reader.constants[found["ones"]].shape[2:])
    return reader.layer(Pool(mode=PoolMode.L2, window=window), found["x"])


def _neg(reader: GraphReader, node: OnnxNode) -> str:
    found = reader.match(node.outputs[0], _LEAST)
    if not found:
        raise ForeignGraphError(f"{_title(node)} is an operator that is not known here")
    pool = reader.producers[node.inputs[0]]
    return reader.layer(
        Pool(mode=PoolMode.MIN, window=_window(reader, pool, pool.attributes["kernel_shape"])), found["x"]
    )


READERS: dict[str, Callable[[GraphReader, OnnxNode], str]] = {
    **{row.onnx: _plain(function) for function, row in FUNCTIONS.items()},
    "Gelu": lambda reader, node: reader.layer(Activation(function=Function.GELU), node.inputs[0]),
    "Conv": _conv,
    "ConvTranspose": _deconv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "LRN": _lrn,
    "Clip": _clip,
    "PRelu": _prelu,
    "Softmax": _softmax,
    "Dropout": _dropout,
    "Identity": _identity,
    "MaxPool": _pool(PoolMode.MAX),
    "AveragePool": _pool(PoolMode.AVG),
    "LpPool": _pool(PoolMode.L2),
    "GlobalAveragePool": _global_pool(PoolMode.AVG),
    "GlobalMaxPool": _global_pool(PoolMode.MAX),
    "ReduceMean": _reduce(ChannelMode.AVG),
    "ReduceMax": _reduce(ChannelMode.MAX),
    "ReduceMin": _reduce(ChannelMode.MIN),
    "ReduceSum": _reduce(ChannelMode.SUM),
    "ReduceL2": _reduce(ChannelMode.MAGNITUDE),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Add": _add,
    "Sum": _add,
    "Mul": _mul,
    "Sub": _sub,
    "Div": _div,
    "Concat": _concat,
    "Gather": _gather,
    "Resize": _resize,
    "Upsample": _resize,
    "Sqrt": _sqrt,
    "Neg": _neg,
}
"""What makes layers of each operator of ONNX."""


def read_network(graph: OnnxGraph, shape: Shape) -> ReadNetwork:
    """Return the network that a graph is for an input of (height, width, channels)."""
    return GraphReader(graph, shape).read()
