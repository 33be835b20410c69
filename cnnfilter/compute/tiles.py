"""Row tiles: an image that is worked on part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.borders import Places, find_places
from cnnfilter.compute.forward import Program, Step, Tensors, load_program, run_program
from cnnfilter.compute.threads import make_tiles
from cnnfilter.errors import ShapeError
from cnnfilter.io.paths import lacks_memory
from cnnfilter.log import listening
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import BorderMode, Pair, Window
from cnnfilter.nn.layers import Convolution, Shape, WindowLayer, show_shape
from cnnfilter.nn.network import Network, Visit

if TYPE_CHECKING:
    from cnnfilter.compute.state_dict import RandomWeights, StateDict

_LARGEST_STRIP = 1 << 20
"""So many numbers a layer gives at a time: 4 MB of float32."""

_FILLED = {BorderMode.ZERO, BorderMode.CONSTANT, BorderMode.EDGE}
"""Borders of which a strip at the edge knows all."""


class Part(NamedTuple):
    """Some rows of a result: values (rows, W, C), (rows, W) or (length,), and alpha (rows, W, 1) or None."""

    rows: slice
    values: Array
    alpha: Floats | None


class Strip(NamedTuple):
    """Some rows of a result, the rows of the picture that they are made of, and the network for these alone."""

    rows: slice
    source: Places | slice
    program: Program


class Parts:
    """What a network makes of a picture, part by part; made again each time it is asked for, unless it is one part.

    `strips` are the network, cut for colours of their shape, (H, W, C); alpha is (H, W, 1) or None. `opaque` is the
    level of alpha that hides all behind it, `white` the level of white.
    """

    def __init__(
        self, strips: Sequence[Strip], colours: Array, alpha: Array | None, opaque: float, white: float
    ) -> None:
        self._strips = strips
        self._colours, self._alpha, self._opaque, self._white = colours, alpha, opaque, white
        self._only: Part | None = None
        self.height = int(strips[-1].rows.stop)

    def __iter__(self) -> Iterator[Part]:
        """Yield all parts, the first rows first."""
        if len(self._strips) == 1:
            self._only = self._only or self._run(self._strips[0])
            yield self._only
            return
        for strip in self._strips:
            yield self._run(strip)

    def visit(self, take: Callable[[Part], None], *, narrow: bool = False) -> None:
        """Hand over all parts, the first one first, the others from several threads as they come.

        Values that are whole numbers of 16 bits come as such, int16, if `narrow` allows it.
        """
        first, *others = self._strips
        take(self._run(first, narrow=narrow) if others or narrow else next(iter(self)))
        if others:
            with listening(lambda *_told: None):  # the plans of the others are those of the first
                make_tiles(others, lambda strip: take(self._run(strip, narrow=narrow)))

    def _run(self, strip: Strip, *, narrow: bool = False) -> Part:
        colours = self._colours[strip.source]
        if self._alpha is None:
            values = run_program(strip.program, colours, white=self._white, shorts=narrow)
            return Part(strip.rows, values, None)
        from cnnfilter.compute.alpha import run_visible  # noqa: PLC0415  most images have no alpha

        alpha = self._alpha[strip.source].astype(np.float32) / np.float32(self._opaque)
        return Part(strip.rows, *run_visible(strip.program, colours, alpha))


_Stage = tuple[Step, Shape, Shape]
"""A step, the shape that goes into it and the one that comes out."""


def cut_program(program: Program, shape: Shape, largest: int = _LARGEST_STRIP) -> list[Strip]:
    """Return the strips of the result of a network on a (H, W, C) picture; one where it cannot be cut.

    `largest` is how many numbers a layer may give for a strip.
    """
    whole = [Strip(slice(0, program.network.output(shape)[0]), slice(None), program)]
    stages: list[_Stage] = []
    has_window = False
    for step in program.steps:
        layer = step.node.layer
        if not isinstance(layer, WindowLayer):
            if layer.ROWS != "point" or len(shape) != 3:
                return whole
        elif (layer.window.ceil and _hangs_over(layer.window, shape)) or (has_window and _folds(layer, shape)):
            return whole
        has_window = has_window or isinstance(layer, WindowLayer)
        stages.append((step, shape, layer.output(shape)))
        shape = stages[-1][2]
    count = shape[0] // _choose_rows(stages, largest)
    if count < 2:
        return whole
    edges = [shape[0] * number // count for number in range(count + 1)]
    return [_cut(stages, rows) for rows in pairwise(edges)]


def _hangs_over(window: Window, shape: Shape) -> bool:
    """Return whether the last windows hang over the end."""
    return window.output(*shape[:2]) != replace(window, ceil=False).output(*shape[:2])


def _folds(layer: WindowLayer, shape: Shape) -> bool:
    """Return whether the rows beyond the edge are others of the image."""
    if not isinstance(layer, Convolution) or layer.border.mode in _FILLED:
        return False
    top, _, bottom, _ = layer.window.pads(*shape[:2])
    return bool(top or bottom)


def _choose_rows(stages: list[_Stage], largest: int) -> int:
    """Return how many rows of the result a strip has: few enough, but more than its windows reach beyond it."""
    rows, reach, most = 1, 0, 1
    for (node, *_), before, after in reversed(stages):
        most = max(most, rows * after[1] * after[2])
        if isinstance(node.layer, WindowLayer):
            window = node.layer.window
            top, _, bottom, _ = window.pads(*before[:2])
            reach = reach * window.stride[0] + max(window.extent[0] - 1, top, bottom)
            rows *= window.stride[0]
        most = max(most, rows * before[1] * before[2])
    return max(largest // most, 2 * reach // rows, 1)


def _cut(stages: list[_Stage], rows: Pair) -> Strip:
    """Return the strip that gives rows (from, to) of the result."""
    first, last = rows
    steps: list[Step] = []
    source: Places | None = None
    for step, shape, _ in reversed(stages):
        layer = step.node.layer
        if isinstance(layer, WindowLayer):
            window = layer.window
            top, left, bottom, right = window.pads(*shape[:2])
            start, stop = first * window.stride[0], (last - 1) * window.stride[0] + window.extent[0]
            above, below = max(0, top - start), max(0, stop - top - shape[0])
            if isinstance(layer, Convolution) and _folds(layer, shape):
                source = find_places(shape[0], top, bottom, layer.border.mode)[start:stop]
                above, below = 0, 0
            first, last = max(0, start - top), min(stop - top, shape[0])
            part = replace(layer, window=replace(window, padding=(above, left, below, right)))
            step = step._replace(node=step.node._replace(layer=part))  # noqa: PLW2901
        steps.insert(0, step)
    network = Network(tuple(step.node.layer for step in steps))
    return Strip(slice(*rows), slice(first, last) if source is None else source, Program(network, tuple(steps)))


class Model:
    """A network, where its weights come from, and what it is called: a program for each shape of input."""

    def __init__(self, network: Network, weights: StateDict | RandomWeights | None = None, title: str = "") -> None:
        self.network = network
        self.weights = weights
        self._title = title
        self._kept: tuple[Shape, Program] | None = None
        self._cut: tuple[Shape, list[Strip]] | None = None
        if weights is None:
            self.program(())  # fits all shapes: what is wrong with its kernels is told before any picture is read

    @property
    def title(self) -> str:
        """What the network is called."""
        return self._title or str(self.network)

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process: kernels that have been read, while weights are bound there anew."""
        return {**self.__dict__, "_kept": None if self.weights else self._kept, "_cut": None}

    def program(self, shape: Shape) -> Program:
        """Return the network ready to run on (height, width, channels); the last one is kept."""
        if self._kept is None or (self.weights and shape != self._kept[0]):
            bound: Mapping[str, Tensors] = {}
            if self.weights:
                from cnnfilter.compute.state_dict import bind  # noqa: PLC0415  most networks learn nothing

                bound = bind(self.network, shape, self.weights)
            self._kept = shape, load_program(self.network, bound)
        return self._kept[1]

    def strips(self, shape: Shape) -> list[Strip]:
        """Return the program cut for (height, width, channels); the last are kept: a batch's pictures are alike."""
        if self._cut is None or shape != self._cut[0]:
            self._cut = shape, cut_program(self.program(shape), shape)
        return self._cut[1]


def join_parts(parts: Iterable[Part]) -> Part:
    """Return all parts as one."""
    several = list(parts)
    if len(several) == 1:
        return several[0]
    alphas = [part.alpha for part in several if part.alpha is not None]
    return Part(
        slice(0, several[-1].rows.stop),
        np.concatenate([part.values for part in several]),
        np.concatenate(alphas) if alphas else None,
    )


_VALUE = 4
"""Bytes of a value, float32."""

_COPIES = 2
"""Results are rounded: they are held twice for a moment."""


def check_result(shape: Shape) -> None:
    """Raise a `ShapeError` if a network's result, of which the shape is known before any weight, is too large."""
    if lack := lacks_memory(_COPIES * _VALUE * prod(shape)):
        raise ShapeError(f"a result of {show_shape(shape)} values would {lack}")


def check_layers(program: Program, visits: Sequence[Visit], *, whole: bool) -> None:
    """Raise a `ShapeError` if a network holds more at a time than memory does.

    `whole` says that what lies between the layers is wanted too, so that nothing can be made strip by strip.
    """
    largest = max(visits, key=lambda visit: visit.live, default=None)
    lack = lacks_memory(_VALUE * largest.live) if largest else ""
    if largest and lack and (whole or len(cut_program(program, visits[0].inputs.shape)) == 1):
        raise ShapeError(f"the {largest.live} values that live beside {largest.node.name} {lack}")
