"""Files of ONNX: bytes made of a graph, and a graph read from a file; the package onnx is an extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfilter import __version__
from cnnfilter.arrays import Array
from cnnfilter.errors import MissingLibraryError, ModelError
from cnnfilter.exchange.graph import OnnxGraph, OnnxNode
from cnnfilter.nn.layers import Shape
from cnnfilter.numbers import count

if TYPE_CHECKING:
    from types import ModuleType

OPSET, IR_VERSION = 19, 9
"""Of ONNX 1.14, of 2023; `Pad` knows wrap since then."""

BATCH = "N"
"""The name of the batch axis, which is free."""

NEEDS_ONNX = ".onnx needs the package onnx (pip install onnx)"


def load_onnx(path: str | Path) -> ModuleType:
    """Return the package onnx; `MissingLibraryError` if it is not installed."""
    try:
        import onnx  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingLibraryError(NEEDS_ONNX, path=path) from error
    module: ModuleType = onnx
    return module


def encode_graph(graph: OnnxGraph, shape: Shape, result: Shape, title: str, path: str | Path) -> bytes:
    """Return the bytes of a model, checked by ONNX; `shape` and `result` are (H, W, C) or (length,)."""
    onnx = load_onnx(path)
    helper = onnx.helper
    nodes = [helper.make_node(node.op, node.inputs, node.outputs, node.name, **node.attributes) for node in graph.nodes]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [BATCH, *_channels_first(size)])
        for name, size in ((graph.input, shape), (graph.output, result))
    ]
    constants = [onnx.numpy_helper.from_array(values, name) for name, values in graph.tensors.items()]
    made = helper.make_model(
        helper.make_graph(nodes, title, ends[:1], ends[1:], constants),
        producer_name="cnnfilter",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    data: bytes = made.SerializeToString()
    onnx.checker.check_model(data if len(data) < onnx.checker.MAXIMUM_PROTOBUF else made)
    return data


def _channels_first(shape: Shape) -> Sequence[int]:
    return (shape[2], *shape[:2]) if len(shape) == 3 else shape


def read_graph(path: Path) -> OnnxGraph:
    """Return the graph in a file; `ModelError` if it is damaged, or a file of tensors beside it is missing."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(error.strerror or error, path=path) from error
    onnx = load_onnx(path)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own errors
        raise ModelError(f"not a whole ONNX model ({_first_line(error)})", path=path) from error
    if not model.graph.node or not model.opset_import:
        raise ModelError("not an ONNX model: it has no operators", path=path)
    _load_side_files(onnx, model, path)
    try:
        return _read(onnx, model)
    except ModelError as error:
        raise ModelError(error, path=path) from error
    except (ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise ModelError(f"not a whole ONNX model ({_first_line(error)})", path=path) from error


def check_whole(path: Path) -> None:
    """Raise a `ModelError` for a model that breaks ONNX's rules: OpenCV may end the process on one."""
    try:
        load_onnx(path).checker.check_model(str(path))
    except Exception as error:  # a name that is no text is an error of its own
        raise ModelError(f"breaks the rules of ONNX ({_first_line(error)})", path=path) from error


def _load_side_files(onnx: Any, model: Any, path: Path) -> None:
    """Read the tensors that a model keeps in files beside it."""
    uses = onnx.external_data_helper.uses_external_data
    named = {
        entry.value
        for tensor in model.graph.initializer
        if uses(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for name in sorted(named):
        if not (path.parent / name).is_file():
            raise ModelError(f"its weights are in {name}, which is not beside it", path=path)
    if not named:
        return
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # what the library says of a file that is too short, or outside of the folder
        raise ModelError(f"its weights cannot be read ({_first_line(error)})", path=path) from error


def _read(onnx: Any, model: Any) -> OnnxGraph:
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in tensors]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        counts = f"{count(len(inputs), 'input')} and {count(len(model.graph.output), 'output')}"
        raise ModelError(f"the model has {counts}; one of each is read")
    nodes = []
    for node in model.graph.node:
        if not node.output:
            raise ValueError(f"{node.op_type} has no output")
        attributes = {entry.name: _attribute(onnx, entry) for entry in node.attribute}
        if node.op_type == "Constant" and node.domain in {"", "ai.onnx"}:
            tensors[node.output[0]] = np.asarray(next(iter(attributes.values())))
            continue
        op = node.op_type if node.domain in {"", "ai.onnx"} else f"{node.domain}.{node.op_type}"
        nodes.append(OnnxNode(op, tuple(node.input), tuple(node.output), attributes, node.name))
    sizes = inputs[0].type.tensor_type.shape.dim
    shape = tuple(size.dim_value or None for size in sizes)
    opset = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 0)
    return OnnxGraph(nodes, tensors, inputs[0].name, model.graph.output[0].name, shape, opset)


def evaluate(node: OnnxNode, values: Mapping[str, Array], opset: int) -> list[Array]:
    """Return what ONNX's reference makes of constants by an operator."""
    from onnx import helper, numpy_helper  # noqa: PLC0415  an extra
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

    given = {
        key: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for key, value in node.attributes.items()
    }
    made = helper.make_node(node.op, node.inputs, node.outputs, **given)
    ends = [[helper.make_empty_tensor_value_info(name) for name in names] for names in (values, node.outputs)]
    graph = helper.make_graph([made], "constants", *ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(found) for found in ReferenceEvaluator(model).run(None, dict(values))]


def _attribute(onnx: Any, entry: Any) -> Any:
    """Return an attribute as a number, a text, a list or an array."""
    value = onnx.helper.get_attribute_value(entry)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
