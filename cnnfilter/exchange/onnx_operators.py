"""What each operator of ONNX is as a layer: a function for each, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import product
from math import isclose, prod
from typing import Any

import numpy as np

from cnnfilter.compute.state_dict import order_of
from cnnfilter.errors import ShapeError
from cnnfilter.exchange.graph import ForeignGraphError, OnnxGraph, OnnxNode
from cnnfilter.exchange.onnx_reading import GraphReader, Reader, ReadNetwork, as_decimal, title_of
from cnnfilter.exchange.onnx_rows import FUNCTIONS, REDUCTIONS, window_constant, window_shares
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Sides, Window
from cnnfilter.nn.layers import Conv, DepthwiseConv, Function, Layer, Shape
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import (
    Activation,
    ChannelMode,
    ChannelPool,
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
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample

_NORMED_GROUPS = ("Reshape", ("InstanceNormalization", ("Reshape", "x", "groups"), "one", "zero"), "volume")
_NORMED_CHANNELS = (
    "Div",
    "x",
    ("Pow", ("Reshape", ("Conv", ("Reshape", ("Mul", "x", "x"), "rows"), "weights", "k"), "volume"), "beta"),
)
_AVERAGED_CHANNELS = ("Div", "x", ("Pow", ("Add", ("Mul", "means", "alpha"), "k"), "beta"))
_MOVED = ("Sub", "x", ("ReduceMean", "x"))
_NORMED_VALUES = ("Div", _MOVED, ("Sqrt", ("Add", ("ReduceMean", ("Pow", _MOVED, 2.0)), "eps")))
_SQUARES = ("Sqrt", ("Conv", ("Mul", "x", "x"), "ones"))
_LEAST = ("Neg", ("MaxPool", ("Neg", "x")))
_SHARED_WINDOWS = ("Mul", ("Conv", "x", "ones"), "shares")
_AVERAGED_WINDOWS = ("MatMul", ("MatMul", "down", "x"), "across")
_GREATEST_OF_WINDOWS = ("ReduceMax", ("Gather", ("ReduceMax", ("Gather", "x", "down"), "rows"), "across"), "columns")

FLOAT_TYPES = (1, 10, 11, 16)
"""What ONNX calls float32, float16, float64 and bfloat16."""

_BORDERS = {"edge": BorderMode.EDGE, "reflect": BorderMode.REFLECT, "wrap": BorderMode.WRAP}


def _window(reader: GraphReader, node: OnnxNode, size: Iterable[int], usual_stride: int = 1) -> Window:
    """Return the window of a convolution or a pool."""
    sides = tuple(int(side) for side in size)
    if len(sides) != 2:
        raise ForeignGraphError(f"{title_of(node)} has a window of {len(sides)} dimensions")
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
        raise ForeignGraphError(f"{title_of(node)} pads more than rows and columns")
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
            raise ForeignGraphError(f"{title_of(node)} is padded twice")
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
        raise ForeignGraphError(f"{title_of(node)} gives the size of what comes out")
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
        raise ForeignGraphError(f"{title_of(node)} is no plain product")
    weight, bias = reader.weight(node, 1), reader.constant(node, 2)
    weight = weight if given.get("transB") else weight.T
    bias = None if bias is None else np.broadcast_to(bias.reshape(-1), (len(weight),))
    return reader.layer(Linear(outputs=len(weight), bias=bias is not None), node.inputs[0], weight=weight, bias=bias)


def _matmul(reader: GraphReader, node: OnnxNode) -> str:
    if found := reader.match(node.outputs[0], _AVERAGED_WINDOWS):
        return _adaptive_pool(reader, node, PoolMode.AVG, found)
    weight = reader.weight(node, 1)
    if weight.ndim != 2 or len(reader.shape(node.inputs[0])) != 1:
        raise ForeignGraphError(f"{title_of(node)} is a product of more than a vector and a matrix")
    return reader.layer(Linear(outputs=weight.shape[1], bias=False), node.inputs[0], weight=weight.T)


def _adaptive_pool(reader: GraphReader, node: OnnxNode, mode: PoolMode, found: Mapping[str, str]) -> str:
    """Add an adaptive pool, if two constants are what it is written with."""
    down, across = (reader.constants[found[key]] for key in ("down", "across"))
    size = len(down), across.shape[1] if mode is PoolMode.AVG else len(across)
    layer, shape = AdaptivePool(mode=mode, size=size), reader.shape(found["x"])
    wanted = [window_constant(layer, axis, shape[axis]) for axis in (0, 1)]
    if not all(np.array_equal(*pair) for pair in zip(wanted, (down, across), strict=True)):
        raise ForeignGraphError(f"{title_of(node)} joins other windows than those of an adaptive pool")
    return reader.layer(layer, found["x"])


def _norm(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias, mean, variance = (reader.weight(node, place) for place in (1, 2, 3, 4))
    affine = {} if reader.is_filling(node) else {"weight": weight, "bias": bias}
    layer = BatchNorm(eps=as_decimal(node.attributes.get("epsilon", 1e-5)), affine=bool(affine))
    return reader.layer(layer, node.inputs[0], **affine, running_mean=mean, running_var=variance)


def _instance_norm(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias = reader.weight(node, 1), reader.weight(node, 2)
    eps = as_decimal(node.attributes.get("epsilon", 1e-5))
    if reader.is_filling(node):
        return reader.layer(InstanceNorm(eps=eps), node.inputs[0])
    layer = GroupNorm(groups=reader.shape(node.inputs[0])[2], eps=eps)
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias)


def _layer_norm(reader: GraphReader, node: OnnxNode) -> str:
    shape, axis = reader.shape(node.inputs[0]), node.attributes.get("axis", -1)
    if axis not in {1, -len(shape)}:
        raise ForeignGraphError(f"{title_of(node)} is a norm along axis {axis}")
    weight, bias = reader.weight(node, 1), reader.constant(node, 2)
    bias = np.zeros_like(weight) if bias is None else bias
    affine = {} if reader.is_filling(node) else {"weight": weight, "bias": bias}
    layer = LayerNorm(eps=as_decimal(node.attributes.get("epsilon", 1e-5)), affine=bool(affine))
    return reader.layer(layer, node.inputs[0], **affine)


def _group_norm(reader: GraphReader, node: OnnxNode) -> str:
    weight, bias = reader.weight(node, 1), reader.weight(node, 2)
    groups, channels = node.attributes["num_groups"], reader.shape(node.inputs[0])[2]
    weight, bias = (np.repeat(part, channels // len(part)) for part in (weight, bias))
    layer = GroupNorm(groups=groups, eps=as_decimal(node.attributes.get("epsilon", 1e-5)))
    return reader.layer(layer, node.inputs[0], weight=weight, bias=bias)


def _lrn(reader: GraphReader, node: OnnxNode) -> str:
    size, given = node.attributes["size"], node.attributes
    if size % 2 == 0:
        raise ForeignGraphError(f"{title_of(node)} has an even size, which means other channels here")
    alpha, beta, k = (
        as_decimal(given.get(key, usual)) for key, usual in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return reader.layer(LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k), node.inputs[0])


def _div(reader: GraphReader, node: OnnxNode) -> str:
    if reader.prepares(node):
        return reader.flow.input
    if found := reader.match(node.outputs[0], _NORMED_CHANNELS):
        weights = reader.constants[found["weights"]]
        layer = LocalResponseNorm(
            size=weights.shape[2],
            alpha=as_decimal(weights.flat[0] * weights.shape[2]),
            beta=as_decimal(reader.constants[found["beta"]].item()),
            k=as_decimal(reader.constants[found["k"]].item()),
        )
        return reader.layer(layer, found["x"])
    if found := reader.match(node.outputs[0], _AVERAGED_CHANNELS):
        alpha, beta, k = (as_decimal(reader.constants[found[key]].item()) for key in ("alpha", "beta", "k"))
        size = _count_averaged(reader, found["means"], found["x"])
        return reader.layer(LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k), found["x"])
    if found := reader.match(node.outputs[0], _NORMED_VALUES):
        return _written_layer_norm(reader, node, found)
    raise ForeignGraphError(f"{title_of(node)} divides by what no layer does")


def _written_layer_norm(reader: GraphReader, node: OnnxNode, found: Mapping[str, str]) -> str:
    """Add the norm over all values that exporters write as several operators before opset 17."""
    moved, root = (reader.producers[name] for name in node.inputs)
    total = reader.producers[root.inputs[0]]
    (squares,) = (name for name in total.inputs if name != found["eps"])
    every = [*range(1, len(reader.sizes(found["x"])))]
    for mean in (reader.producers[moved.inputs[1]], reader.producers[squares]):
        if sorted(axis % (len(every) + 1) for axis in _axes(reader, mean)) != every:
            raise ForeignGraphError(f"{title_of(mean)} is a norm along axes {_axes(reader, mean)}")
    eps = as_decimal(reader.constants[found["eps"]].item())
    return reader.layer(LayerNorm(eps=eps, affine=False), found["x"])


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
        raise ForeignGraphError(f"{title_of(node)} takes means of something else than neighbouring channels")
    return int(size)


def _plain(function: Function) -> Reader:
    row = FUNCTIONS[function]

    def read(reader: GraphReader, node: OnnxNode) -> str:
        given, usual = node.attributes, {"LeakyRelu": 0.01, "Elu": 1.0}
        if any(
            not isclose(given.get(key, {"alpha": 0.2}.get(key, 0.5)), number, rel_tol=1e-5)
            for key, number in row.fixed.items()
        ):
            raise ForeignGraphError(f"{title_of(node)} has other numbers than PyTorch's")
        slope = as_decimal(given.get(row.attribute, usual[node.op])) if row.attribute else None
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
    raise ForeignGraphError(f"{title_of(node)} has other ends than 0 and 6")


def _prelu(reader: GraphReader, node: OnnxNode) -> str:
    slopes, channels = reader.weight(node, 1), reader.shape(node.inputs[0])[-1]
    if slopes.size not in {1, channels}:
        raise ForeignGraphError(f"{title_of(node)} has a slope for each value")
    return reader.layer(PRelu(each=slopes.size > 1), node.inputs[0], weight=slopes.ravel())


def _softmax(reader: GraphReader, node: OnnxNode) -> str:
    shape, axis = reader.shape(node.inputs[0]), node.attributes.get("axis", -1 if reader.graph.opset >= 13 else 1)
    if axis not in {1, -len(shape)}:
        raise ForeignGraphError(f"{title_of(node)} is along axis {axis}, and not along the channels")
    return reader.layer(Softmax(), node.inputs[0])


def _dropout(reader: GraphReader, node: OnnxNode) -> str:
    ratio = reader.constant(node, 1)
    rate = node.attributes.get("ratio", 0.5) if ratio is None else float(ratio.item())
    return reader.layer(Dropout(rate=as_decimal(rate)), node.inputs[0])


def _identity(reader: GraphReader, node: OnnxNode) -> str:
    return reader.value(node.inputs[0])


def _pool(mode: PoolMode) -> Reader:
    def read(reader: GraphReader, node: OnnxNode) -> str:
        window = _window(reader, node, node.attributes["kernel_shape"])
        counts = bool(node.attributes.get("count_include_pad")) and window.padding != (0, 0, 0, 0)
        if node.attributes.get("p", 2) != 2 or node.attributes.get("storage_order"):
            raise ForeignGraphError(f"{title_of(node)} is another norm than the one of squares")
        return reader.layer(Pool(mode=mode, window=window, count_include_pad=counts), node.inputs[0])

    return read


def _global_pool(mode: PoolMode) -> Reader:
    return lambda reader, node: reader.layer(GlobalPool(mode=mode), node.inputs[0])


def _axes(reader: GraphReader, node: OnnxNode) -> list[int]:
    """Return the axes along which a node joins values, none of them if it joins all."""
    given = reader.constant(node, 1)
    return list(node.attributes.get("axes", ()) if given is None else given.tolist())


def _reduce(mode: ChannelMode) -> Reader:
    def read(reader: GraphReader, node: OnnxNode) -> str:
        axes = _axes(reader, node)
        if mode is ChannelMode.MAX and (found := reader.match(node.outputs[0], _GREATEST_OF_WINDOWS)):
            return _adaptive_pool(reader, node, PoolMode.MAX, found)
        shape, keeps = reader.shape(node.inputs[0]), node.attributes.get("keepdims", 1)
        places = sorted(axis % (len(shape) + 1) for axis in axes)
        pools = {ChannelMode.AVG: PoolMode.AVG, ChannelMode.MAX: PoolMode.MAX}
        if places == ([1, 2] if node.inputs[0] in reader.channels_last else [2, 3]) and mode in pools:
            pooled = reader.layer(GlobalPool(mode=pools[mode]), node.inputs[0])
            return pooled if keeps else reader.behind(Flatten(), pooled)
        if places == [1] and keeps and len(shape) == 3:
            return reader.layer(ChannelPool(mode=mode), node.inputs[0])
        raise ForeignGraphError(f"{title_of(node)} is along axes {axes}")

    return read


def _reshape(reader: GraphReader, node: OnnxNode) -> str:
    if found := reader.match(node.outputs[0], _NORMED_GROUPS):
        inner = reader.producers[reader.producers[node.outputs[0]].inputs[0]]
        one, zero = reader.constants[found["one"]], reader.constants[found["zero"]]
        if (one == 1).all() and not zero.any():
            layer = GroupNorm(groups=len(one), eps=as_decimal(inner.attributes.get("epsilon", 1e-5)), affine=False)
            return reader.layer(layer, found["x"])
    for mode, op in REDUCTIONS.items():
        if found := reader.match(node.outputs[0], ("Reshape", (op, ("Reshape", "x", "groups"), "axes"), "volume")):
            return _channel_groups(reader, node, mode, found)
    wanted = [int(size) for size in reader.weight(node, 1)]
    before = reader.sizes(node.inputs[0])
    sizes = [before[axis] if size == 0 and axis < len(before) else size for axis, size in enumerate(wanted)]
    if -1 in sizes:
        sizes[sizes.index(-1)] = prod(before) // max(1, -prod(sizes))
    if tuple(sizes) == before:
        return reader.value(node.inputs[0])
    if tuple(sizes) == (1, prod(before)):
        return _flattened(reader, node.inputs[0])
    raise ForeignGraphError(f"{title_of(node)} makes {sizes} of {list(before)}")


def _flattened(reader: GraphReader, name: str) -> str:
    """Add a flatten, whose values are in another order if the channels of the volume are last."""
    value = reader.layer(Flatten(), name)
    return reader.mark_order(value) if name in reader.channels_last else value


def _channel_groups(reader: GraphReader, node: OnnxNode, mode: ChannelMode, found: Mapping[str, str]) -> str:
    """Add a pool over groups of neighbouring channels, which has as many axes as groups."""
    height, width, channels = reader.shape(found["x"])
    maps = int(reader.constants[found["volume"]][1])
    groups = [maps, channels // maps, height * width]
    axes = reader.constants[found["axes"]].tolist()
    if reader.constants[found["groups"]].tolist()[1:] != groups or axes != [2]:
        raise ForeignGraphError(f"{title_of(node)} joins something else than neighbouring channels")
    return reader.layer(ChannelPool(mode=mode, size=channels // maps), found["x"])


def _transpose(reader: GraphReader, node: OnnxNode) -> str:
    order, is_last = list(node.attributes.get("perm", ())), node.inputs[0] in reader.channels_last
    if order != ([0, 3, 1, 2] if is_last else [0, 2, 3, 1]) or len(reader.shape(node.inputs[0])) != 3:
        raise ForeignGraphError(f"{title_of(node)} changes the order of axes to {order}")
    if not is_last:
        reader.channels_last.add(node.outputs[0])
    return reader.value(node.inputs[0])


def _cast(reader: GraphReader, node: OnnxNode) -> str:
    if node.attributes["to"] not in FLOAT_TYPES:
        raise ForeignGraphError(f"{title_of(node)} makes whole numbers")
    return reader.value(node.inputs[0])


def _flatten(reader: GraphReader, node: OnnxNode) -> str:
    if node.attributes.get("axis", 1) != 1:
        raise ForeignGraphError(f"{title_of(node)} flattens the batch")
    return _flattened(reader, node.inputs[0])


def _squeeze(reader: GraphReader, node: OnnxNode) -> str:
    given, shape = reader.constant(node, 1), reader.shape(node.inputs[0])
    axes = node.attributes.get("axes") if given is None else given.tolist()
    if len(shape) == 3 and shape[:2] == (1, 1) and sorted(axis % 4 for axis in axes or ()) == [2, 3]:
        return reader.layer(Flatten(), node.inputs[0])
    raise ForeignGraphError(f"{title_of(node)} removes other axes than those of a pooled volume")


def _add(reader: GraphReader, node: OnnxNode) -> str:
    constants = [place for place, name in enumerate(node.inputs) if name in reader.constants]
    if not constants:
        shapes = {reader.shape(name) for name in node.inputs}
        if len(shapes) > 1:
            raise ForeignGraphError(f"{title_of(node)} adds values of other sizes")
        return reader.layer(Residual(branches=((), ())), *node.inputs)
    if len(node.inputs) != 2:
        raise ForeignGraphError(f"{title_of(node)} adds constants")
    return _scale_or_shift(reader, node, constants[0], "bias")


def _mul(reader: GraphReader, node: OnnxNode) -> str:
    if reader.prepares(node):
        return reader.flow.input
    if found := reader.match(node.outputs[0], _SHARED_WINDOWS):
        return _shared_windows(reader, node, found)
    constants = [place for place, name in enumerate(node.inputs) if name in reader.constants]
    if len(constants) != 1:
        raise ForeignGraphError(f"{title_of(node)} multiplies values with each other")
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
        is_free = isinstance(layer, GroupNorm | LayerNorm) and (part == "bias" or not layer.affine)
        sizes = replace(layer, affine=True).tensors(shape)["weight"] if is_free else ()
        wanted = sizes if len(sizes) == 3 or len(shape) == 1 else (shape[-1], 1, 1)
        if is_free and part not in made.tensors and numbers.shape[-len(wanted) :] == wanted:
            usual = {"weight": np.ones(sizes, np.float32), "bias": np.zeros(sizes, np.float32)}
            given = {**usual, **made.tensors, part: numbers.reshape(sizes)}
            if part == "weight":
                del given["bias"]
            return reader.replace(value, replace(layer, affine=True), **given)
    if numbers.size == 1 and numbers.item() == (part == "weight"):  # times 1, plus 0
        return value
    raise ForeignGraphError(f"{title_of(node)} has a constant that belongs to no layer")


def _shared_windows(reader: GraphReader, node: OnnxNode, found: Mapping[str, str]) -> str:
    """Add the average pool that is written as sums of windows, times a share for each of them."""
    ones, shares = reader.constants[found["ones"]], reader.constants[found["shares"]]
    shape, conv = reader.shape(found["x"]), reader.producers[node.inputs[0]]
    window = _window(reader, conv, ones.shape[2:])
    if (ones != 1).any() or conv.attributes.get("group") != shape[2]:
        raise ForeignGraphError(f"{title_of(node)} has a constant that belongs to no layer")
    top, left, bottom, right = window.pads(*shape[:2])
    rows, columns = (
        range(after, max(after - stride, -1), -1) for after, stride in zip((bottom, right), window.stride, strict=True)
    )
    for below, beside, counts in product(rows, columns, (False, True)):
        is_shorter = (below, beside) != (bottom, right)
        padded = replace(window, padding=(top, left, below, beside), ceil=is_shorter)
        with suppress(ShapeError):  # a padding that no pool has
            layer = Pool(mode=PoolMode.AVG, window=padded, count_include_pad=counts)
            if layer.output(shape)[:2] == shares.shape and np.array_equal(window_shares(layer, shape), shares):
                return reader.layer(layer, found["x"])
    raise ForeignGraphError(f"{title_of(node)} has a constant that belongs to no layer")


def _sub(reader: GraphReader, node: OnnxNode) -> str:
    if reader.prepares(node):
        return reader.flow.input
    raise ForeignGraphError(f"{title_of(node)} subtracts what no layer does")


def _concat(reader: GraphReader, node: OnnxNode) -> str:
    dimensions = len(reader.shape(node.inputs[0])) + 1
    if node.attributes["axis"] % dimensions != 1:
        raise ForeignGraphError(f"{title_of(node)} is along axis {node.attributes['axis']}, and not along the channels")
    return reader.concatenate([reader.value(name) for name in node.inputs])


def _gather(reader: GraphReader, node: OnnxNode) -> str:
    value, places = reader.value(node.inputs[0]), reader.weight(node, 1)
    if node.attributes.get("axis", 0) == 1 and np.array_equal(places, order_of(reader.flow.flows[value].parts)):
        return reader.mark_order(value)
    raise ForeignGraphError(f"{title_of(node)} picks some values")


def _resize(reader: GraphReader, node: OnnxNode) -> str:
    given, place = node.attributes, 1 if node.op == "Upsample" else 2
    scales, sizes = reader.constant(node, place), reader.constant(node, 3)
    shape = reader.shape(node.inputs[0])
    if scales is None or not scales.size:
        if sizes is None:
            raise ForeignGraphError(f"{title_of(node)} lacks a scale")
        scales = np.asarray(sizes) / (1, shape[2], *shape[:2])
    factors = [float(scale) for scale in scales]
    if factors[:2] != [1, 1] or any(factor != int(factor) or factor < 1 for factor in factors):
        raise ForeignGraphError(f"{title_of(node)} has scales {factors}, and not whole numbers")
    mode, coordinates = given.get("mode", "nearest"), given.get("coordinate_transformation_mode", "half_pixel")
    is_nearest = mode == "nearest" and (
        node.op == "Upsample" or (coordinates == "asymmetric" and given.get("nearest_mode") == "floor")
    )
    is_linear = mode == "linear" and coordinates in {"half_pixel", "pytorch_half_pixel"}
    if not is_nearest and not is_linear:
        raise ForeignGraphError(f"{title_of(node)} interpolates by {mode} with {coordinates}")
    kind = Interpolation.NEAREST if is_nearest else Interpolation.BILINEAR
    return reader.layer(Upsample(factor=(int(factors[2]), int(factors[3])), interpolation=kind), node.inputs[0])


def _sqrt(reader: GraphReader, node: OnnxNode) -> str:
    found = reader.match(node.outputs[0], _SQUARES)
    if not found or not (reader.constants[found["ones"]] == 1).all():
        raise ForeignGraphError(f"{title_of(node)} is the root of what no layer makes")
    conv = reader.producers[node.inputs[0]]
    window = _window(reader, conv, reader.constants[found["ones"]].shape[2:])
    return reader.layer(Pool(mode=PoolMode.L2, window=window), found["x"])


def _neg(reader: GraphReader, node: OnnxNode) -> str:
    found = reader.match(node.outputs[0], _LEAST)
    if not found:
        raise ForeignGraphError(f"{title_of(node)} is an operator that is not known here")
    pool = reader.producers[node.inputs[0]]
    return reader.layer(
        Pool(mode=PoolMode.MIN, window=_window(reader, pool, pool.attributes["kernel_shape"])), found["x"]
    )


READERS: dict[str, Reader] = {
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
    "Cast": _cast,
    "Transpose": _transpose,
    "MaxPool": _pool(PoolMode.MAX),
    "AveragePool": _pool(PoolMode.AVG),
    "LpPool": _pool(PoolMode.L2),
    "GlobalAveragePool": _global_pool(PoolMode.AVG),
    "GlobalMaxPool": _global_pool(PoolMode.MAX),
    **{op: _reduce(mode) for mode, op in REDUCTIONS.items()},
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
    return GraphReader(graph, shape, READERS).read()
