"""A graph of ONNX's operators as plain values; nothing here needs the package onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cnnfilter.arrays import Array
from cnnfilter.errors import ModelError

INPUT, OUTPUT = "input", "output"
"""What a graph that is written calls the values that go in and come out."""


class ForeignGraphError(ModelError):
    """A graph that no network of layers is like: an operator is not known, or branches cross.

    `about_size` says that it may be like one for an input of another size.
    """

    about_size = False


class OnnxNode(NamedTuple):
    """An operator at its place: the names of the values that go in and come out, empty where one is left out."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    name: str = ""


class OnnxGraph(NamedTuple):
    """Nodes in the order of execution, and the constants among their values.

    `input` and `output` are names of values, `shape` is that of the input: (N, C, H, W), None where a size is free.
    """

    nodes: list[OnnxNode]
    tensors: dict[str, Array]
    input: str = INPUT
    output: str = OUTPUT
    shape: tuple[int | None, ...] = ()
    opset: int = 0


class GraphWriter:
    """Appends nodes to a graph; those of one layer have its name before a slash."""

    def __init__(self) -> None:
        self.graph = OnnxGraph([], {})
        self.layer = ""
        self._names: set[str] = {INPUT, OUTPUT}

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node, and return the name of what comes out."""
        name = self._name(op)
        self.graph.nodes.append(OnnxNode(op, inputs, (name,), attributes, name))
        return name

    def constant(self, part: str, values: ArrayLike | Sequence[int]) -> str:
        """Keep a constant, whole numbers as int64 and others as float32, and return its name."""
        name = f"{self.layer}.{part}" if self.layer else part
        if name in self._names:
            name = self._name(part)
        self._names.add(name)
        numbers = np.asarray(values)
        self.graph.tensors[name] = np.asarray(numbers, np.int64 if numbers.dtype.kind in "iu" else np.float32, "C")
        return name

    def end(self, value: str) -> OnnxGraph:
        """Return the graph, whose output a value becomes."""
        nodes = self.graph.nodes
        if not nodes or nodes[-1].outputs != (value,):
            self.add("Identity", value)
        nodes[-1] = nodes[-1]._replace(outputs=(OUTPUT,))
        return self.graph

    def _name(self, word: str) -> str:
        stem = f"{self.layer}/{word}"
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}_{number}"
        self._names.add(name)
        return name
