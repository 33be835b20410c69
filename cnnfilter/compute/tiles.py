"""Row tiles: an image that is worked on part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.alpha import run_visible
from cnnfilter.compute.borders import Places, find_places
from cnnfilter.compute.forward import Program, Step, run_program
from cnnfilter.compute.threads import make_tiles
from cnnfilter.errors import ShapeError
from cnnfilter.io.paths import lacks_memory
from cnnfilter.log import hushed
from cnnfilter.nn.frozen import Value, replace
from cnnfilter.nn.geometry import BorderMode, Pair
from cnnfilter.nn.layers import Convolution, Layer, Shape, WindowLayer, show_shape
from cnnfilter.nn.network import Network, Visit

_LARGEST_STRIP = 1 << 20
"""So many numbers a layer gives at a time: 4 MB of float32."""

_FILLED = {BorderMode.ZERO, BorderMode.CONSTANT, BorderMode.EDGE}
"""Borders of which a strip at the edge knows all."""


class Part(NamedTuple):
    """Some rows of a result: values (rows, W, C), (rows, W) or (length,), and alpha (rows, W, 1) or None."""

    rows: slice
    values: Array
    alpha: Floats | None


class Strip(Value):
    """Some rows of a result, the rows of the picture that they are made of, and the network for these alone.

    Parameters
    ----------
    rows, source, program
        The rows, where they come from, and what makes them.
    shape
        (H, W, C) of what they are made of.
    """

    rows: slice
    source: Places | slice
    program: Program
    shape: Shape


class Parts:
    """What a network makes of a picture, part by part; made again each time it is asked for, unless it is one part.

    Parameters
    ----------
    strips
        The network, cut for colours of their shape.
    colours, alpha
        (H, W, C), and (H, W, 1) or None.
    opaque
        The level of alpha that hides all behind it.
    white
        The level of white.
    """

    def __init__(
        self, strips: Sequence[Strip], colours: Array, alpha: Array | None, opaque: float, white: float
    ) -> None:
        self._strips = strips
        self._colours, self._alpha, self._opaque, self._white = colours, alpha, opaque, white
        self._only: Part | None = None

    @property
    def height(self) -> int:
        """How many rows, or values of a vector, they have."""
        return int(self._strips[-1].rows.stop)

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
        if len(self._strips) == 1 and not narrow:
            take(next(iter(self)))
            return
        take(self._run(self._strips[0], narrow=narrow))
        with hushed():  # the plans of the others are those of the first
            make_tiles(self._strips[1:], lambda strip: take(self._run(strip, narrow=narrow)))

    def _run(self, strip: Strip, *, narrow: bool = False) -> Part:
        colours = self._colours[strip.source]
        if self._alpha is None:
            values = run_program(strip.program, colours, white=self._white, shorts=narrow)
            return Part(strip.rows, values, None)
        alpha = self._alpha[strip.source].astype(np.float32) / np.float32(self._opaque)
        return Part(strip.rows, *run_visible(strip.program, colours, alpha))


def cut_program(program: Program, shape: Shape, largest: int = _LARGEST_STRIP) -> list[Strip]:
    """Return the strips of the result of a network on a (H, W, C) picture; one where it cannot be cut.

    Parameters
    ----------
    program, shape
        The network and what goes in.
    largest
        How many numbers a layer may give for a strip.
    """
    layers = [step.node.layer for step in program.steps]
    shapes = [shape]
    for layer in layers:
        shapes.append(layer.output(shapes[-1]) if len(shapes[-1]) == 3 else shapes[-1])
    whole = [Strip(slice(0, program.network.output(shape)[0]), slice(None), program, shape)]
    if not all(_can_be_cut(layer, before) for layer, before in zip(layers, shapes[:-1], strict=True)):
        return whole
    windowed = [
        (layer, before) for layer, before in zip(layers, shapes, strict=False) if isinstance(layer, WindowLayer)
    ]
    if any(_folds(layer, before) for layer, before in windowed[1:]):
        return whole
    height = shapes[-1][0]
    count = height // _choose_rows(layers, shapes, largest)
    if count < 2:
        return whole
    edges = [height * number // count for number in range(count + 1)]
    return [_cut(program, shapes, rows) for rows in pairwise(edges)]


def _can_be_cut(layer: Layer, shape: Shape) -> bool:
    """Return whether a layer gives its rows one by one, none from windows that hang over the end."""
    if not isinstance(layer, WindowLayer):
        return layer.ROWS == "point" and len(shape) == 3
    inside = replace(layer.window, ceil=False)
    return not layer.window.ceil or layer.window.output(*shape[:2]) == inside.output(*shape[:2])


def _folds(layer: Layer, shape: Shape) -> bool:
    """Return whether the rows beyond the edge are others of the image."""
    if not isinstance(layer, Convolution) or layer.border.mode in _FILLED:
        return False
    pads = layer.window.pads(shape[0], shape[1])
    return bool(pads[0] or pads[2])


def _choose_rows(layers: list[Layer], shapes: list[Shape], largest: int) -> int:
    """Return how many rows of the result a strip has: few enough, but more than its windows reach beyond it."""
    rows, reach, most = 1, 0, 1
    for layer, before, after in zip(reversed(layers), reversed(shapes[:-1]), reversed(shapes[1:]), strict=True):
        most = max(most, rows * after[1] * after[2])
        if isinstance(layer, WindowLayer):
            pads = layer.window.pads(before[0], before[1])
            reach = reach * layer.window.stride[0] + max(layer.window.extent[0] - 1, pads[0], pads[2])
            rows *= layer.window.stride[0]
        most = max(most, rows * before[1] * before[2])
    return max(largest // most, 2 * reach // rows, 1)


def _cut(program: Program, shapes: list[Shape], rows: Pair) -> Strip:
    """Return the strip that gives rows (from, to) of the result."""
    first, last = rows
    steps: list[Step] = []
    source: Places | None = None
    windowed = [step for step in program.steps if isinstance(step.node.layer, WindowLayer)]
    for step, shape in zip(reversed(program.steps), reversed(shapes[:-1]), strict=True):
        layer = step.node.layer
        if not isinstance(layer, WindowLayer):
            steps.insert(0, step)
            continue
        window = layer.window
        top, left, bottom, right = window.pads(shape[0], shape[1])
        start, stop = first * window.stride[0], (last - 1) * window.stride[0] + window.extent[0]
        if step is windowed[0] and isinstance(layer, Convolution) and _folds(layer, shape):
            source = find_places(shape[0], top, bottom, layer.border.mode)[start:stop]
            above, below = 0, 0
        else:
            above, below = max(0, top - start), max(0, stop - top - shape[0])
            first, last = max(0, start - top), min(stop - top, shape[0])
        part = replace(layer, window=replace(window, padding=(above, left, below, right)))
        steps.insert(0, step._replace(node=step.node._replace(layer=part)))
    layers = tuple(step.node.layer for step in steps)
    height = last - first if source is None else len(source)
    seen = slice(first, last) if source is None else source
    return Strip(slice(*rows), seen, Program(Network(layers), tuple(steps)), (height, *shapes[0][1:]))


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

    Parameters
    ----------
    program, visits
        The network, and its layers at work.
    whole
        Whether what lies between the layers is wanted too, so that nothing can be made strip by strip.
    """
    largest = max(visits, key=lambda visit: visit.live, default=None)
    lack = lacks_memory(_VALUE * largest.live) if largest else ""
    if largest and lack and (whole or len(cut_program(program, visits[0].inputs.shape)) == 1):
        raise ShapeError(f"the {largest.live} values that live beside {largest.node.name} {lack}")
