"""A network with its weights as a file of another program, and how much that computes otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import Program, Step, bank_of, drop_single_channel, prepare, run_program
from cnnfilter.compute.state_dict import Init, RandomWeights, StateDict, find_tensors, order_of, read_state_dict
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import LanguageError, MissingLibraryError, OutputError, ShapeError
from cnnfilter.exchange.graph import INPUT, GraphWriter, OnnxGraph
from cnnfilter.exchange.onnx_files import encode_graph, load_onnx
from cnnfilter.exchange.onnx_rows import ROWS, ExportStep, adds_number, turns
from cnnfilter.exchange.opencv_models import load_model, run_opencv
from cnnfilter.io.weights import NEEDS_SAFETENSORS, as_tensors, encode_weights, read_classes
from cnnfilter.log import tell
from cnnfilter.network_files import Document, Preparation
from cnnfilter.nn.layers import Convolution, Layer, Shape
from cnnfilter.nn.network import Network, Visit
from cnnfilter.nn.other_layers import Concatenation, Residual

SUFFIXES = (".onnx", ".py", ".npz", ".safetensors")

MOST_DIFFERENT = 1e-3
"""Of the largest value: where OpenCV computes something else than this program, nothing is written."""

Weights = StateDict | RandomWeights | None


class Exporter:
    """A network, what is done to its input, and its weights, for an input of (height, width, channels)."""

    def __init__(self, network: Network, preparation: Preparation, weights: Weights, shape: Shape) -> None:
        self.network, self.preparation, self.shape = network, preparation, shape
        self.result = network.output(shape)
        self.program: Program = Model(network, weights).program(shape)
        self._visits = {visit.node.number: visit for visit in network.visits(shape)}
        self._found: Mapping[str, Mapping[str, Array]] = find_tensors(network, shape, weights) if weights else {}
        self._steps = {step.node.number: step for step in _walk(self.program.steps)}

    @property
    def state(self) -> dict[str, Array]:
        """The weights of all layers by PyTorch's names, kernels that are named among them."""
        state: dict[str, Array] = {}
        for number in sorted(self._visits):
            step = self.step(self._visits[number])
            for part, tensor in step.tensors.items():
                if part == "weight" and turns(step):
                    state[f"{step.name}.{part}"] = tensor[:, :, ::-1, ::-1]
                elif part == "weight" or not adds_number(step):
                    state[f"{step.name}.{part}"] = tensor
        return state

    def step(self, visit: Visit) -> ExportStep:
        """Return a layer as it is exported."""
        layer, tensors = visit.node.layer, dict(self._found.get(visit.node.name, {}))
        if isinstance(layer, Convolution):
            weights, bias = bank_of(self._steps[visit.node.number], visit.inputs.shape[2])
            tensors = {"weight": weights.transpose(3, 2, 0, 1)}
            if layer.learned_bias or np.any(bias):
                tensors["bias"] = np.broadcast_to(bias, weights.shape[3])
        floats = {part: np.ascontiguousarray(tensor, np.float32) for part, tensor in tensors.items()}
        return ExportStep(visit.node.name, layer, visit.inputs.shape, visit.outputs.shape, floats)

    def visit(self, step: Step) -> Visit:
        """Return what goes in and out of a layer."""
        return self._visits[step.node.number]


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        for branch in step.branches:
            yield from _walk(branch)
        yield step


def check_target(path: Path) -> None:
    """Raise an error if no file of this kind is written, or what it needs is not installed."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"networks are exported as {', '.join(SUFFIXES)}", path=path)
    if suffix == ".onnx":
        load_onnx(path)
    if suffix == ".safetensors" and not find_spec("safetensors"):
        raise MissingLibraryError(NEEDS_SAFETENSORS, path=path)


def find_weights(document: Document, given: Path | None, init: Init | None, seed: int) -> Weights:
    """Return random weights if they are asked for, or those of a file, by default what the network's file names."""
    if init:
        return RandomWeights(init, seed)
    if path := given or document.weights:
        return read_state_dict(path)
    return StateDict(as_tensors(document.state), document.name) if document.state else None


def export_network(document: Document, path: Path, weights: Weights, shape: Shape) -> bytes:
    """Return a network as a file of the kind that a path's suffix names.

    Raises a `LanguageError` if a layer has no place in it, an `OutputError` if OpenCV computes something else of it.
    """
    exporter = Exporter(document.network, document.preparation, weights, shape)
    title = document.path.stem if document.path else str(document.network)
    match path.suffix.lower():
        case ".onnx":
            data = encode_graph(build_graph(exporter), shape, exporter.result, title, path)
            difference = compare_with_opencv(exporter, data, path)
            tell("%s: OpenCV computes the same, within %.1e of the largest value", path, difference)
            return data
        case ".py":
            from cnnfilter.exchange.pytorch_source import write_source  # noqa: PLC0415  one kind of file alone

            return write_source(exporter, title).encode()
        case suffix:
            if not exporter.state:
                raise OutputError("the network has no weights", path=path)
            return encode_weights(exporter.state, suffix, _read_classes(weights))


def _read_classes(weights: Weights) -> tuple[str, ...]:
    """Return the names of the classes that a file of weights keeps."""
    return read_classes(weights.source) if isinstance(weights, StateDict) else ()


def build_graph(exporter: Exporter) -> OnnxGraph:
    """Return a network as a graph of ONNX's operators, with what is done to its input before it."""
    writer = GraphWriter()
    value = _write_preparation(writer, exporter.preparation)
    value = _write_steps(writer, value, exporter.program.steps, exporter)
    writer.layer = OUTPUT_ORDER
    visits = exporter.network.visits(exporter.shape)
    order = order_of(visits[-1].outputs.parts) if visits else np.arange(0)
    if (np.diff(order) != 1).any():  # a flattened volume comes out, whose channels are last here
        value = writer.add("Gather", value, writer.constant("order", order), axis=1)
    return writer.end(value)


PREPARATION, OUTPUT_ORDER = "input", "output"
"""The names of nodes before and behind the network."""


def _write_preparation(writer: GraphWriter, preparation: Preparation) -> str:
    """Append (input x scale - mean) / std."""
    value, writer.layer = INPUT, PREPARATION
    for op, part, numbers, usual in (
        ("Mul", "scale", (preparation.scale,), 1.0),
        ("Sub", "mean", preparation.mean, 0.0),
        ("Div", "std", preparation.std, 1.0),
    ):
        if numbers != (usual,):
            value = writer.add(op, value, writer.constant(part, np.reshape(numbers, (-1, 1, 1)).astype(np.float64)))
    return value


def _write_steps(writer: GraphWriter, value: str, steps: tuple[Step, ...], exporter: Exporter) -> str:
    for step in steps:
        layer, ends = step.node.layer, list[str]()
        for branch in step.branches:
            ends.append(_write_steps(writer, value, branch, exporter))
        writer.layer = step.node.name
        if isinstance(layer, Residual):
            summands = [*ends, value] if layer.adds_input else ends
            value = writer.add("Add" if len(summands) == 2 else "Sum", *summands)
        elif isinstance(layer, Concatenation):
            value = writer.add("Concat", *ends, axis=1)
        else:
            value = _write_layer(writer, value, layer, exporter.step(exporter.visit(step)))
    return value


def _write_layer(writer: GraphWriter, value: str, layer: Layer, step: ExportStep) -> str:
    if type(layer) not in ROWS:
        raise LanguageError(f"{step.name} ({layer.text}): ONNX has no such operator")
    return ROWS[type(layer)](writer, value, step)


def compare_with_opencv(exporter: Exporter, data: bytes, path: Path) -> float:
    """Return the greatest difference, relative to the largest value, of what OpenCV makes of random numbers."""
    generator = np.random.default_rng(0)
    values = generator.random(exporter.shape, dtype=np.float32) / np.float32(exporter.preparation.scale)
    expected = run_program(exporter.program, prepare(values, exporter.preparation))
    try:
        found = run_opencv(lambda: load_model(data), values)
    except ShapeError as error:
        raise OutputError(error, path=path) from error
    largest = np.abs(expected).max(initial=np.float32(1e-30))
    shown = drop_single_channel(found)
    difference = float(np.abs(shown - expected).max() / largest) if shown.shape == expected.shape else np.inf
    if not difference <= MOST_DIFFERENT:
        reason = f"OpenCV computes other values of it, by {difference:.1e} of the largest; nothing is written"
        raise OutputError(reason, path=path)
    return difference
