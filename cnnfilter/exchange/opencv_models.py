"""Models of ONNX that OpenCV runs: a layer that is a whole model, and what comes out of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.operations import RUN
from cnnfilter.errors import ShapeError
from cnnfilter.exchange.onnx_files import load_onnx
from cnnfilter.io.opencv import capture_stderr, cv2
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import PaddingWord, Window
from cnnfilter.nn.layers import Layer, Shape, show_shape

_MOST_KEPT = 4
_ONE_AT_A_TIME = Lock()
"""A model of OpenCV keeps the values of the run that it is in."""


class OpenCVModel(Layer):
    """A whole model, which OpenCV runs; `path` is its file, and `changed` the time at which that was written.

    `channels_last` says that it takes (N, H, W, C).
    """

    ROWS = "whole"
    ALPHA = "none"
    KEEPS_CHANNELS = False
    TRAINABLE = False
    op = "model"

    path: str
    changed: int = 0
    channels_last: bool = False

    @property
    def text(self) -> str:
        """The path of the model."""
        return self.path

    def output(self, shape: Shape) -> Shape:
        """Return the shape of what comes out, which a run tells."""
        return _find_output(self, self.volume(shape))


def model_in(path: Path, *, channels_last: bool = False) -> OpenCVModel:
    """Return the layer for the model that a file holds now."""
    return OpenCVModel(path=str(path), changed=path.stat().st_mtime_ns, channels_last=channels_last)


def load_model(model: str | bytes) -> cv2.dnn.Net:
    """Return the model in a file, or in its bytes, as OpenCV has it."""
    return cv2.dnn.readNetFromONNX(model if isinstance(model, str) else np.frombuffer(model, np.uint8))


@lru_cache(_MOST_KEPT)
def _load_file(layer: OpenCVModel, shape: Shape) -> cv2.dnn.Net:
    """Return the model of a layer, for an input of (height, width, channels), without what OpenCV 5.0 gets wrong."""
    onnx = load_onnx(layer.path)
    model = onnx.load_model(layer.path, load_external_data=False)
    sizes = shape if layer.channels_last else (shape[2], *shape[:2])
    changes = [_pad_in_numbers(onnx, model, sizes), _separate_products(onnx, model)]
    if not any(changes):
        return load_model(layer.path)
    onnx.load_external_data_for_model(model, str(Path(layer.path).parent))
    return load_model(model.SerializeToString())


def _separate_products(onnx: Any, model: Any) -> bool:
    """Put an Identity before products of two values: x * hardsigmoid(y) is taken for the hardswish of y."""
    made = {name for node in model.graph.node if node.op_type != "Constant" for name in node.output}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Mul" and made.issuperset(node.input):
            apart = f"{node.input[1]} of {node.output[0]}"
            nodes.append(onnx.helper.make_node("Identity", [node.input[1]], [apart]))
            node.input[1] = apart
        nodes.append(node)
    is_changed = len(nodes) > len(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return is_changed


def _pad_in_numbers(onnx: Any, model: Any, sizes: Shape) -> bool:
    """Write the paddings SAME_UPPER and SAME_LOWER as numbers: an odd one is laid on the wrong side."""
    words = {b"SAME_UPPER": PaddingWord.SAME, b"SAME_LOWER": PaddingWord.SAME_LOWER}
    padded = []
    for node in model.graph.node:
        given = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        if node.op_type != "ConvTranspose" and given.get("auto_pad") in words:
            padded.append((node, given))
    if not padded:
        return False
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    (entry,) = (value for value in model.graph.input if value.name not in constants)
    for axis, size in zip(entry.type.tensor_type.shape.dim, (1, *sizes), strict=True):
        axis.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in [*inferred.value_info, entry]
    }
    for node, given in padded:
        rows, columns = shapes.get(node.input[0], ())[2:] or (0, 0)
        kernel = given.get("kernel_shape") or constants.get(node.input[1], ())[2:]
        if not (rows and columns and len(kernel) == 2):
            raise ShapeError("OpenCV pads other sides than the model wants")
        height, width = kernel
        window = Window((height, width), padding=words[given["auto_pad"]])
        for field, key in (("stride", "strides"), ("dilation", "dilations")):
            window = replace(window, **{field: tuple(given.get(key, (1, 1)))})
        others = [entry for entry in node.attribute if entry.name not in {"auto_pad", "pads"}]
        del node.attribute[:]
        node.attribute.extend([*others, onnx.helper.make_attribute("pads", window.pads(rows, columns))])
    return True


def run_opencv(load: Callable[[], cv2.dnn.Net], volume: Array, *, channels_last: bool = False) -> Floats:
    """Return what OpenCV makes of a volume (H, W, C) by a model: (H', W', C') or (length,)."""

    def run() -> Array:
        net = load()
        ordered = volume if channels_last else volume.transpose(2, 0, 1)
        net.setInput(np.ascontiguousarray(ordered[None], np.float32))
        return np.array(net.forward())

    try:
        with _ONE_AT_A_TIME:
            result, _ = capture_stderr(run)
    except cv2.error as error:
        reason = str(error).strip().splitlines()[-1].rpartition("error: ")[2]
        raise ShapeError(f"OpenCV cannot run the model on {show_shape(volume.shape)} ({reason})") from error
    values: Floats = np.asarray(result, np.float32)[0]
    if values.ndim != 3:
        return values.reshape(-1)
    return values if channels_last else np.ascontiguousarray(values.transpose(1, 2, 0))


def _run(layer: OpenCVModel, values: Array) -> Floats:
    return run_opencv(partial(_load_file, layer, values.shape), values, channels_last=layer.channels_last)


@lru_cache(_MOST_KEPT)
def _find_output(layer: OpenCVModel, shape: Shape) -> Shape:
    return _run(layer, np.zeros(shape, np.float32)).shape


RUN[OpenCVModel] = lambda values, layer, *_: _run(layer, values)
