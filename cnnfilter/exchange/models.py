"""Models of ONNX: read as networks, or run as a whole by OpenCV."""

from __future__ import annotations

from pathlib import Path

from cnnfilter.errors import CnnFilterError, ModelError
from cnnfilter.exchange.graph import ForeignGraphError, OnnxGraph
from cnnfilter.exchange.onnx_files import check_whole, read_graph
from cnnfilter.exchange.onnx_operators import read_network
from cnnfilter.exchange.onnx_reading import ReadNetwork, takes_channels_last
from cnnfilter.exchange.opencv_models import model_in
from cnnfilter.log import hint
from cnnfilter.network_files import Document
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.network import Network

TRIAL_SIZES = ((256, 256), (320, 192))
"""For inputs without a fixed size: a network that is the same for both is the same for all."""


_NOT_FIXED = "the size of its input is not fixed; SIZE of `shape`, --input of `export`, --resize of `pipeline` give one"


def read_model(path: Path, size: Pair | None = None, *, runs: bool = False) -> Document:
    """Return the network in a model of ONNX; see `documents.load_network`."""
    graph = read_graph(path)
    try:
        found, shape = _read(graph, size)
    except ForeignGraphError as error:
        if not runs:
            raise ModelError(error, path=path) from error
        hint(f"{path}: {error}; OpenCV runs the model as a whole, so that layers cannot be shown")
        return Document(_run_whole(graph, path), input=_fixed_shape(graph), path=path)
    except CnnFilterError as error:
        raise ModelError(error, path=path) from error
    if found.reordered and runs:  # its values would come in the order of rows, columns, channels
        return Document(_run_whole(graph, path), input=shape, path=path)
    return Document(found.network, input=shape, preparation=found.preparation, path=path, state=found.state)


def _run_whole(graph: OnnxGraph, path: Path) -> Network:
    check_whole(path)
    return Network((model_in(path, channels_last=takes_channels_last(graph)),))


def _fixed_shape(graph: OnnxGraph) -> Shape | None:
    """Return (height, width, channels) of the input, or None where they are not fixed."""
    if len(graph.shape) != 4:
        raise ModelError(f"its input has {len(graph.shape)} dimensions; images are 4: batch, channels, height, width")
    channels, height, width = _ordered(graph)
    return (height, width, channels) if height and width and channels else None


def _ordered(graph: OnnxGraph) -> tuple[int | None, int | None, int | None]:
    """Return the channels, the height and the width of the input."""
    _, first, second, third = graph.shape
    return (third, first, second) if takes_channels_last(graph) else (first, second, third)


def _read(graph: OnnxGraph, size: Pair | None) -> tuple[ReadNetwork, Shape | None]:
    """Return what is read of a graph, and the shape of its input if that is fixed."""
    if shape := _fixed_shape(graph):
        return read_network(graph, shape), shape
    channels = _ordered(graph)[0] or _count_channels(graph)
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
