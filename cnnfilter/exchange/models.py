"""Models of ONNX: read as networks, or run as a whole by OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.operations import RUN
from cnnfilter.errors import CnnFilterError, ModelError, ShapeError
from cnnfilter.exchange.graph import ForeignGraphError, OnnxGraph
from cnnfilter.exchange.onnx_files import read_graph
from cnnfilter.exchange.onnx_reading import ReadNetwork, read_network
from cnnfilter.io.opencv import capture_stderr, cv2
from cnnfilter.log import hint
from cnnfilter.network_files import Document
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Layer, Shape, show_shape
from cnnfilter.nn.network import Network

TRIAL_SIZES = ((256, 256), (320, 192))
"""For inputs without a fixed size: a network that is the same for both is the same for all."""


_NOT_FIXED = "the size of its input is not fixed; SIZE of `shape`, --input of `export`, --resize of `pipeline` give one"


class OpenCVModel(Layer):
    """A whole model, which OpenCV runs; `path` is its file."""

    ROWS = "whole"
    ALPHA = "none"
    KEEPS_CHANNELS = False
    TRAINABLE = False
    op = "model"

    path: str

    @property
    def text(self) -> str:
        """The path of the model."""
        return self.path

    def output(self, shape: Shape) -> Shape:
        """Return the shape of what comes out, which a run tells."""
        key = self.path, self.volume(shape)
        if key not in _SHAPES:
            _SHAPES[key] = run_model(self.path, np.zeros(shape, np.float32)).shape
        return _SHAPES[key]


_SHAPES: dict[tuple[str, Shape], Shape] = {}
_NETS: dict[str, Any] = {}
"""The models that this process has loaded, and what comes out of them."""

RUN[OpenCVModel] = lambda values, layer, *_: run_model(layer.path, values)


def run_model(path: str, volume: Array) -> Floats:
    """Return what OpenCV makes of a volume (H, W, C) by the model in a file: (H', W', C') or (length,)."""

    def run() -> Array:
        if path not in _NETS:
            _NETS[path] = cv2.dnn.readNetFromONNX(path)
        _NETS[path].setInput(np.ascontiguousarray(volume.transpose(2, 0, 1)[None], np.float32))
        return np.asarray(_NETS[path].forward())

    try:
        result, _ = capture_stderr(run)
    except cv2.error as error:
        reason = str(error).strip().splitlines()[-1].rpartition("error: ")[2]
        raise ShapeError(f"OpenCV cannot run the model on {show_shape(volume.shape)} ({reason})") from error
    values: Floats = np.asarray(result, np.float32)[0]
    return np.ascontiguousarray(values.transpose(1, 2, 0)) if values.ndim == 3 else values.reshape(-1)


def read_model(path: Path, size: Pair | None = None, *, runs: bool = False) -> Document:
    """Return the network in a model of ONNX; see `documents.load_network`."""
    graph = read_graph(path)
    try:
        found, shape = _read(graph, size)
    except ForeignGraphError as error:
        if not runs:
            raise ModelError(error, path=path) from error
        hint(f"{path}: {error}; OpenCV runs the model as a whole, so that layers cannot be shown")
        return Document(Network((OpenCVModel(path=str(path)),)), input=_fixed_shape(graph), path=path)
    except CnnFilterError as error:
        raise ModelError(error, path=path) from error
    if found.reordered and runs:  # its values would come in the order of rows, columns, channels
        return Document(Network((OpenCVModel(path=str(path)),)), input=shape, path=path)
    return Document(found.network, input=shape, preparation=found.preparation, path=path, state=found.state)


def _fixed_shape(graph: OnnxGraph) -> Shape | None:
    """Return (height, width, channels) of the input, or None where they are not fixed."""
    if len(graph.shape) != 4:
        raise ModelError(f"its input has {len(graph.shape)} dimensions; images are 4: batch, channels, height, width")
    _, channels, height, width = graph.shape
    return (height, width, channels) if height and width and channels else None


def _read(graph: OnnxGraph, size: Pair | None) -> tuple[ReadNetwork, Shape | None]:
    """Return what is read of a graph, and the shape of its input if that is fixed."""
    if shape := _fixed_shape(graph):
        return read_network(graph, shape), shape
    channels = graph.shape[1] or _count_channels(graph)
    if size:
        return read_network(graph, (*size, channels)), None
    try:
        first, second = (read_network(graph, (*trial, channels)) for trial in TRIAL_SIZES)
    except ForeignGraphError as error:
        if error.about_size:
            raise ModelError(f"{_NOT_FIXED} ({error})") from error
        raise
    if first.network != second.network:
        raise ModelError(_NOT_FIXED)
    return first, None


def _count_channels(graph: OnnxGraph) -> int:
    """Return the channels of the input by the weights that it meets first."""
    for node in graph.nodes:
        if node.op == "Conv" and node.inputs[1] in graph.tensors:
            return int(graph.tensors[node.inputs[1]].shape[1])
    raise ModelError("the number of channels of its input is not fixed")
