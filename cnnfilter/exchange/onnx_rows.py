"""How each layer is written as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.pool import window_counts
from cnnfilter.errors import LanguageError
from cnnfilter.exchange.graph import GraphWriter
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, Sides, Window, output_size
from cnnfilter.nn.layers import Convolution, DepthwiseConv, Function, Layer, Shape
from cnnfilter.nn.other_layers import (
    SLOPES,
    Activation,
    BatchNorm,
    ChannelMode,
    ChannelPool,
    Dropout,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    LocalResponseNorm,
    Pool,
    PoolMode,
    Softmax,
)


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
    """A function of each value that ONNX and PyTorch have too: its operator, the attribute of its slope, its module."""

    onnx: str
    torch: str
    attribute: str = ""
    parameter: str = ""


FUNCTIONS = {
    Function.RELU: PlainFunction("Relu", "ReLU"),
    Function.LEAKYRELU: PlainFunction("LeakyRelu", "LeakyReLU", "alpha", "negative_slope"),
    Function.ELU: PlainFunction("Elu", "ELU", "alpha", "alpha"),
    Function.SIGMOID: PlainFunction("Sigmoid", "Sigmoid"),
    Function.TANH: PlainFunction("Tanh", "Tanh"),
    Function.ABS: PlainFunction("Abs", ""),
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
    inputs = [writer.constant(part, step.tensors[part]) for part in parts]
    return writer.add("BatchNormalization", value, *inputs, epsilon=float(step.layer.eps))


def _activation(writer: GraphWriter, value: str, step: ExportStep) -> str:
    layer: Activation = step.layer
    if layer.function in FUNCTIONS:
        row = FUNCTIONS[layer.function]
        slope = SLOPES.get(layer.function, 0.0) if layer.slope is None else layer.slope
        return writer.add(row.onnx, value, **({row.attribute: float(slope)} if row.attribute else {}))
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
    down, across = window_counts(step.layer, step.inputs)
    counts = np.maximum(np.outer(down, across), 1)
    shares = writer.constant("shares", (1 / counts).astype(np.float32))
    return writer.add("Mul", _sum_windows(writer, value, step), shares)


_CHANNELS = {
    ChannelMode.MAX: "ReduceMax",
    ChannelMode.AVG: "ReduceMean",
    ChannelMode.SUM: "ReduceSum",
    ChannelMode.MIN: "ReduceMin",
    ChannelMode.MAGNITUDE: "ReduceL2",
}
"""What ONNX calls a mode of pooling over channels."""


def _channel_pool(writer: GraphWriter, value: str, step: ExportStep) -> str:
    height, width, channels = step.inputs
    op, maps = _CHANNELS[step.layer.mode], step.outputs[2]
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
