"""How each layer is written as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.pool import window_counts
from cnnfilter.errors import LanguageError
from cnnfilter.exchange.graph import GraphWriter
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, Sides, Window, output_size
from cnnfilter.nn.layers import Convolution, DepthwiseConv, Function, Layer, Shape
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, Norm
from cnnfilter.nn.other_layers import (
    SLOPES,
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
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample


class ExportStep(NamedTuple):
    """A layer as it is exported: its name, the shapes that go in and come out, and its tensors in PyTorch's layout.

    Those of a convolution are its weights as they are laid on the image, whether they were learned or named.
    """

    name: str
    layer: Any
    inputs: Shape
    outputs: Shape
    tensors: Mapping[str, Array]


def turns(step: ExportStep) -> bool:
    """Return whether a convolution turns the weights that it has learned before it lays them on the image."""
    return isinstance(step.layer, Convolution) and step.layer.flip and step.layer.learns


def adds_number(step: ExportStep) -> bool:
    """Return whether a convolution that learns its weights has a bias that it does not learn."""
    return isinstance(step.layer, Convolution) and step.layer.learns and not step.layer.learned_bias


def refuse(step: ExportStep, what: str) -> LanguageError:
    """Return the error about a layer that a kind of file does not have."""
    return LanguageError(f"{step.name} ({step.layer.text}): {what}")


class PlainFunction(NamedTuple):
    """A function of each value that ONNX and PyTorch have too: its operator, and its module.

    `attribute` and `parameter` are what these call its slope, `fixed` are attributes that are always the same.
    """

    onnx: str
    torch: str
    attribute: str = ""
    parameter: str = ""
    fixed: Mapping[str, float] = MappingProxyType({})


FUNCTIONS = {
    Function.RELU: PlainFunction("Relu", "ReLU"),
    Function.LEAKYRELU: PlainFunction("LeakyRelu", "LeakyReLU", "alpha", "negative_slope"),
    Function.ELU: PlainFunction("Elu", "ELU", "alpha", "alpha"),
    Function.SIGMOID: PlainFunction("Sigmoid", "Sigmoid"),
    Function.TANH: PlainFunction("Tanh", "Tanh"),
    Function.ABS: PlainFunction("Abs", ""),
    Function.HARDSWISH: PlainFunction("HardSwish", "Hardswish"),
    Function.HARDSIGMOID: PlainFunction("HardSigmoid", "Hardsigmoid", fixed={"alpha": 1 / 6, "beta": 0.5}),
    Function.SELU: PlainFunction("Selu", "SELU"),
    Function.SOFTPLUS: PlainFunction("Softplus", "Softplus"),
    Function.MISH: PlainFunction("Mish", "Mish"),
}
"""The functions that are one operator of ONNX."""

_PAD_MODES = {
    BorderMode.ZERO: "constant",
    BorderMode.CONSTANT: "constant",
    BorderMode.EDGE: "edge",
    BorderMode.REFLECT: "reflect",
    BorderMode.WRAP: "wrap",
}
"""What ONNX calls a border."""


def _pad(writer: GraphWriter, value: str, step: ExportStep, sides: Sides, border: Border) -> str:
    """Append a Pad node, if there is anything to be padded."""
    if not any(sides):
        return value
    if border.mode not in _PAD_MODES:
        raise refuse(step, f"ONNX has no border {border}; edge and reflect are near")
    top, left, bottom, right = sides
    inputs = [value, writer.constant("pads", [0, 0, top, left, 0, 0, bottom, right])]
    if _PAD_MODES[border.mode] == "constant":
        inputs.append(writer.constant("border", np.float32(border.value)))
    return writer.add("Pad", *inputs, mode=_PAD_MODES[border.mode])


def _convolution(writer: GraphWriter, value: str, step: ExportStep) -> str:
    layer: Convolution = step.layer
    pads = layer.window.pads(*step.inputs[:2])
    if layer.border.mode is not BorderMode.ZERO:
        value, pads = _pad(writer, value, step, pads, layer.border), (0, 0, 0, 0)
    groups = step.inputs[2] if isinstance(layer, DepthwiseConv) else getattr(layer, "groups", 1)
    inputs = [writer.constant(part, step.tensors[part]) for part in ("weight", "bias") if part in step.tensors]
    return writer.add("Conv", value, *inputs, **_window(layer.window, pads), group=groups)


def _window(window: Window, pads: Sides) -> dict[str, Any]:
    return {
        "kernel_shape": list(window.size),
        "strides": list(window.stride),
        "pads": list(pads),
        "dilations": list(window.dilation),
    }


def _linear(writer: GraphWriter, value: str, step: ExportStep) -> str:
    inputs = [writer.constant(part, step.tensors[part]) for part in ("weight", "bias") if part in step.tensors]
    return writer.add("Gemm", value, *inputs, transB=1)


def _batch_norm(writer: GraphWriter, value: str, step: ExportStep) -> str:
    parts = ("weight", "bias", "running_mean", "running_var")
    inputs = _affine(writer, step, step.inputs[-1:], parts)
    return writer.add("BatchNormalization", value, *inputs, epsilon=float(step.layer.eps))


FILLING = "unused"
"""The end of the name of a tensor that changes nothing, where an operator wants one and the layer has none."""


def _affine(
    writer: GraphWriter, step: ExportStep, shape: Shape, parts: tuple[str, ...] = ("weight", "bias")
) -> list[str]:
    """Return the names of a norm's tensors, of what changes nothing where it has none."""
    return [
        writer.constant(part, step.tensors[part])
        if part in step.tensors
        else writer.constant(f"{part}-{FILLING}", np.full(shape, Norm.INITIAL[part], np.float32))
        for part in parts
    ]


def _instance_norm(writer: GraphWriter, value: str, step: ExportStep) -> str:
    inputs = _affine(writer, step, step.inputs[2:])
    return writer.add("InstanceNormalization", value, *inputs, epsilon=float(step.layer.eps))


def _layer_norm(writer: GraphWriter, value: str, step: ExportStep) -> str:
    inputs = _affine(writer, step, (*step.inputs[2:], *step.inputs[:2]))
    return writer.add("LayerNormalization", value, *inputs, axis=1, epsilon=float(step.layer.eps))


def _group_norm(writer: GraphWriter, value: str, step: ExportStep) -> str:
    """Append an instance norm of the groups, then scale and shift for each channel, as PyTorch's exporter does."""
    layer: GroupNorm = step.layer
    height, width, channels = step.inputs
    groups = writer.add("Reshape", value, writer.constant("groups", [0, layer.groups, -1]))
    ones, zeros = (
        writer.constant(part, np.full(layer.groups, number)) for part, number in (("one", 1.0), ("zero", 0.0))
    )
    normed = writer.add("InstanceNormalization", groups, ones, zeros, epsilon=float(layer.eps))
    value = writer.add("Reshape", normed, writer.constant("volume", [0, channels, height, width]))
    for op, part in (("Mul", "weight"), ("Add", "bias")):
        if part in step.tensors:
            value = writer.add(op, value, writer.constant(part, step.tensors[part].reshape(-1, 1, 1)))
    return value


def _prelu(writer: GraphWriter, value: str, step: ExportStep) -> str:
    slopes = step.tensors["weight"]
    return writer.add(
        "PRelu", value, writer.constant("weight", slopes.reshape(-1, 1, 1) if len(step.inputs) == 3 else slopes)
    )


def _deconvolution(writer: GraphWriter, value: str, step: ExportStep) -> str:
    layer: Deconv = step.layer
    inputs = [writer.constant(part, step.tensors[part]) for part in ("weight", "bias") if part in step.tensors]
    window = _window(layer.window, layer.window.pads(*step.inputs[:2]))
    extra = list(layer.output_padding)
    return writer.add("ConvTranspose", value, *inputs, **window, output_padding=extra, group=layer.groups)


NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
"""The attributes of Resize that give what PyTorch's Upsample gives."""


def _upsample(writer: GraphWriter, value: str, step: ExportStep) -> str:
    scales = writer.constant("scales", [1.0, 1.0, *map(float, step.layer.factor)])
    is_nearest = step.layer.interpolation is Interpolation.NEAREST
    return writer.add("Resize", value, "", scales, **(NEAREST if is_nearest else LINEAR))


def _adaptive_pool(writer: GraphWriter, value: str, step: ExportStep) -> str:
    """Append a pool where all windows are alike; else products with shares, or maxima of rows that are repeated."""
    layer: AdaptivePool = step.layer
    is_max = layer.mode is PoolMode.MAX
    if not any(size % outputs for size, outputs in zip(step.inputs[:2], layer.size, strict=True)):
        size = step.inputs[0] // layer.size[0], step.inputs[1] // layer.size[1]
        given = {"kernel_shape": list(size), "strides": list(size)}
        return writer.add("MaxPool" if is_max else "AveragePool", value, **given)
    for axis in (0, 1):
        constant = writer.constant("windows", window_constant(layer, axis, step.inputs[axis]))
        if is_max:
            taps = writer.add("Gather", value, constant, axis=2 + axis)
            value = writer.add("ReduceMax", taps, writer.constant("axes", [3 + axis]), keepdims=0)
        else:
            value = writer.add("MatMul", *((constant, value) if axis == 0 else (value, constant)))
    return value


def window_constant(layer: AdaptivePool, axis: int, size: int) -> Array:
    """Return the windows of a pool along an axis: the places in each for maxima, else the shares of all values."""
    windows = [layer.places(place, axis, size) for place in range(layer.size[axis])]
    if layer.mode is PoolMode.MAX:
        longest = max(map(len, windows))
        return np.array([[min(seen.start + tap, seen[-1]) for tap in range(longest)] for seen in windows], np.int64)
    shares = np.zeros((layer.size[axis], size), np.float32)
    for row, seen in zip(shares, windows, strict=True):
        row[seen.start : seen.stop] = 1 / len(seen)
    return shares if axis == 0 else shares.T


def _activation(writer: GraphWriter, value: str, step: ExportStep) -> str:
    layer: Activation = step.layer
    if layer.function in FUNCTIONS:
        row = FUNCTIONS[layer.function]
        slope = SLOPES.get(layer.function, 0.0) if layer.slope is None else layer.slope
        given = {row.attribute: float(slope)} if row.attribute else {}
        return writer.add(row.onnx, value, **given, **row.fixed)
    return _COMPOSED[layer.function](writer, value)


def _relu6(writer: GraphWriter, value: str) -> str:
    least, most = (writer.constant(part, np.float32(number)) for part, number in (("min", 0), ("max", 6)))
    return writer.add("Clip", value, least, most)


def _silu(writer: GraphWriter, value: str) -> str:
    return writer.add("Mul", value, writer.add("Sigmoid", value))


def _gelu(writer: GraphWriter, value: str) -> str:
    """Append x * (1 + erf(x / sqrt(2))) / 2, as PyTorch's exporter does."""
    root, one, half = (
        writer.constant(part, np.float32(number)) for part, number in (("root", np.sqrt(2)), ("one", 1), ("half", 0.5))
    )
    share = writer.add("Add", writer.add("Erf", writer.add("Div", value, root)), one)
    return writer.add("Mul", writer.add("Mul", value, share), half)


_COMPOSED: dict[Function, Callable[[GraphWriter, str], str]] = {
    Function.RELU6: _relu6,
    Function.SILU: _silu,
    Function.GELU: _gelu,
}
"""The functions that are several operators."""


def _local_response_norm(writer: GraphWriter, value: str, step: ExportStep) -> str:
    """Append x / (k + alpha / size * sum of squares) ** beta; the sum is a convolution along the channels.

    ONNX's LRN has an odd size in most programs, and another divisor in some.
    """
    layer: LocalResponseNorm = step.layer
    height, width, channels = step.inputs
    squares = writer.add("Mul", value, value)
    rows = writer.add("Reshape", squares, writer.constant("rows", [0, 1, channels, height * width]))
    weight = writer.constant("weights", np.full((1, 1, layer.size, 1), layer.alpha / layer.size))
    window = Window((layer.size, 1), padding=(layer.size // 2, 0, (layer.size - 1) // 2, 0))
    sums = writer.add(
        "Conv", rows, weight, writer.constant("k", [float(layer.k)]), **_window(window, window.pads(1, 1))
    )
    volume = writer.add("Reshape", sums, writer.constant("volume", [0, channels, height, width]))
    return writer.add("Div", value, writer.add("Pow", volume, writer.constant("beta", np.float32(layer.beta))))


def _gray(writer: GraphWriter, value: str, step: ExportStep) -> str:
    if step.inputs[2] == 1:
        return value
    weight = writer.constant("weights", np.reshape(Gray.WEIGHTS, (1, 3, 1, 1)))
    return writer.add("Conv", value, weight, kernel_shape=[1, 1])


def _dropout(writer: GraphWriter, value: str, step: ExportStep) -> str:
    return writer.add("Dropout", value, writer.constant("ratio", np.float32(step.layer.rate)))


def hanging_pads(window: Window, shape: Shape, outputs: Shape) -> Sides:
    """Return the padding with which a window's places are counted without rounding up; below 0 rows are not reached."""
    top, left, bottom, right = window.pads(*shape[:2])
    ends = [
        (outputs[axis] - 1) * window.stride[axis] + window.extent[axis] - shape[axis] - before
        for axis, before in ((0, top), (1, left))
    ]
    return top, left, max(bottom, ends[0]), max(right, ends[1])


def rounds_up_alike(window: Window, shape: Shape) -> bool:
    """Return whether a window whose places are rounded up begins nowhere beyond the image, so that all count alike."""
    top, left, bottom, right = window.pads(*shape[:2])
    axes = ((shape[0], top, bottom, 0), (shape[1], left, right, 1))
    return all(
        output_size(size, before, after, window.extent[axis], window.stride[axis], ceil=True)
        == -(-(size + before + after - window.extent[axis]) // window.stride[axis]) + 1
        for size, before, after, axis in axes
    )


def _pool(writer: GraphWriter, value: str, step: ExportStep) -> str:
    layer: Pool = step.layer
    window = layer.window
    if layer.mode is PoolMode.MEDIAN:
        raise refuse(step, "ONNX has no median; maxpool and avgpool are near")
    if layer.mode is PoolMode.MIN:
        greatest = replace(layer, mode=PoolMode.MAX)
        negated = writer.add("Neg", value)
        return writer.add("Neg", _pool(writer, negated, step._replace(layer=greatest)))
    if layer.mode is PoolMode.L2:
        return writer.add("Sqrt", _sum_windows(writer, writer.add("Mul", value, value), step))
    rounds_up = window.ceil and rounds_up_alike(window, step.inputs)
    pads = window.pads(*step.inputs[:2]) if rounds_up else hanging_pads(window, step.inputs, step.outputs)
    given = _window(window, pads)
    if layer.mode is PoolMode.MAX:
        return writer.add("MaxPool", value, **given, ceil_mode=int(rounds_up))
    if window.dilation != (1, 1) or (layer.count_include_pad and window.ceil):
        return _average_windows(writer, value, step)
    del given["dilations"]
    counts = int(layer.count_include_pad)
    return writer.add("AveragePool", value, **given, ceil_mode=int(rounds_up), count_include_pad=counts)


def _sum_windows(writer: GraphWriter, value: str, step: ExportStep) -> str:
    """Append a convolution that adds up the values of each window of a pool."""
    window, channels = step.layer.window, step.inputs[2]
    ones = writer.constant("ones", np.ones((channels, 1, *window.size)))
    pads = hanging_pads(window, step.inputs, step.outputs)
    return writer.add("Conv", value, ones, **_window(window, pads), group=channels)


def _average_windows(writer: GraphWriter, value: str, step: ExportStep) -> str:
    """Append sums of windows divided by how many values each has."""
    shares = writer.constant("shares", window_shares(step.layer, step.inputs))
    return writer.add("Mul", _sum_windows(writer, value, step), shares)


def window_shares(layer: Pool, shape: Shape) -> Floats:
    """Return what the sum of each window of an average pool is multiplied by."""
    counts = np.maximum(np.outer(*window_counts(layer, shape)), 1)
    shares: Floats = (1 / counts).astype(np.float32)
    return shares


REDUCTIONS = {
    ChannelMode.MAX: "ReduceMax",
    ChannelMode.AVG: "ReduceMean",
    ChannelMode.SUM: "ReduceSum",
    ChannelMode.MIN: "ReduceMin",
    ChannelMode.MAGNITUDE: "ReduceL2",
}
"""What ONNX calls a mode of pooling over channels."""


def _channel_pool(writer: GraphWriter, value: str, step: ExportStep) -> str:
    height, width, channels = step.inputs
    op, maps = REDUCTIONS[step.layer.mode], step.outputs[2]
    if maps == 1:
        return writer.add(op, value, writer.constant("axes", [1]), keepdims=1)
    shape = writer.constant("groups", [0, maps, channels // maps, height * width])
    groups = writer.add("Reshape", value, shape)
    joined = writer.add(op, groups, writer.constant("axes", [2]), keepdims=0)
    return writer.add("Reshape", joined, writer.constant("volume", [0, maps, height, width]))


def _global_pool(writer: GraphWriter, value: str, step: ExportStep) -> str:
    return writer.add("GlobalMaxPool" if step.layer.mode is PoolMode.MAX else "GlobalAveragePool", value)


ROWS: dict[type[Layer], Callable[[GraphWriter, str, ExportStep], str]] = {
    **dict.fromkeys(Convolution.__subclasses__(), _convolution),
    Linear: _linear,
    BatchNorm: _batch_norm,
    GroupNorm: _group_norm,
    InstanceNorm: _instance_norm,
    LayerNorm: _layer_norm,
    PRelu: _prelu,
    Deconv: _deconvolution,
    Upsample: _upsample,
    AdaptivePool: _adaptive_pool,
    Activation: _activation,
    Softmax: lambda writer, value, _: writer.add("Softmax", value, axis=1),
    Flatten: lambda writer, value, _: writer.add("Flatten", value, axis=1),
    Dropout: _dropout,
    LocalResponseNorm: _local_response_norm,
    Gray: _gray,
    Pool: _pool,
    GlobalPool: _global_pool,
    ChannelPool: _channel_pool,
}
"""What appends the nodes of each kind of layer to a graph, and returns the name of what comes out."""
