"""Row tiles: an image that is worked on part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.borders import Places, find_places
from cnnfilter.compute.forward import Program, Step, Tensors, load_program, run_program
from cnnfilter.compute.threads import make_tiles
from cnnfilter.errors import ShapeError
from cnnfilter.io.colours import encode_srgb
from cnnfilter.io.paths import lacks_memory
from cnnfilter.log import PROGRESS, listening
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import BorderMode, Pair
from cnnfilter.nn.layers import Convolution, Shape, WindowLayer
from cnnfilter.nn.network import Network, Visit

if TYPE_CHECKING:
    from cnnfilter.compute.state_dict import RandomWeights, StateDict
    from cnnfilter.io.decode import Picture

VALUE = 4  # bytes of a value, float32
_LARGEST_STRIP = 1 << 20  # numbers that a layer gives at a time: 4 MB of float32
_FILLED = {BorderMode.ZERO, BorderMode.CONSTANT, BorderMode.EDGE}  # borders of which a strip at the edge knows all


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


class FeatureMaps:
    """What comes out of a network, or of one of its layers, part by part, and warnings.

    `strips` are the network, cut for colours (H, W, C) with alpha (H, W, 1) or None, and run when their part is asked
    for, so that large results need little memory; without them `colours` are the result itself, of `height` rows or
    values and with `white` in their units. Of the picture's other pages, `model` makes the same. What comes out of
    `linear` strips is light, and becomes levels of sRGB. Of a `region`, rows and columns of the result, the parts are
    handed over alone, and `height` is its own.
    """

    def __init__(
        self,
        picture: Picture,
        white: float,
        colours: Array,
        alpha: Array | None = None,
        strips: Sequence[Strip] = (),
        *,
        notes: tuple[str, ...] = (),
        model: Model | None = None,
        linear: bool = False,
        region: tuple[slice, slice] | None = None,
    ) -> None:
        self._linear, self._region = linear, region
        self.picture, self.white, self.colours = picture, white, colours
        self.notes, self.model = notes, model
        self.height = int(strips[-1].rows.stop) if strips else len(colours)
        self._alpha, self._strips = alpha, strips
        self._only = None if strips else Part(slice(0, self.height), colours, None)
        self._needed = strips
        if region:
            rows, self.height = region[0], region[0].stop - region[0].start
            self._needed = [strip for strip in strips if strip.rows.start < rows.stop and strip.rows.stop > rows.start]

    def __iter__(self) -> Iterator[Part]:
        """Yield all parts, the first rows first."""
        parts: Iterable[Part] = map(self._run, self._needed)
        if len(self._strips) < 2:
            self._only = self._only or self._run(self._strips[0])
            parts = (self._only,)
        yield from (_crop(part, self._region) if self._region else part for part in parts)

    @property
    def values(self) -> Array:
        """All values."""
        several = [part.values for part in self]
        return several[0] if len(several) == 1 else np.concatenate(several)

    def visit(self, take: Callable[[Part], None], *, narrow: bool = False, whole: bool = False) -> None:
        """Hand over all parts, the first one first, the others from several threads as they come.

        Values that are whole numbers of 16 bits may come as such, int16, if `narrow` allows it; `whole` asks for all of
        a result of which there is a region.
        """
        strips, region = (self._strips, None) if whole else (self._needed, self._region)
        layers = len(self.model.network.all_nodes) if self.model and self._alpha is None else 0
        PROGRESS.begin("filtering", layers if len(strips) == 1 else len(strips))
        if self._only or not (narrow or self._strips[1:]):
            self._only = self._only or self._run(self._strips[0])
            take(_crop(self._only, region) if region else self._only)
            return

        def run(strip: Strip) -> None:
            part = self._run(strip, narrow=narrow)
            take(_crop(part, region) if region else part)
            PROGRESS.advance()

        first, *others = strips
        run(first)
        if others:
            with listening(lambda *_told: None):  # the plans of the others are those of the first
                make_tiles(others, run)

    def _run(self, strip: Strip, *, narrow: bool = False) -> Part:
        """Return what a strip gives."""
        colours, before = self.colours[strip.source], None
        if self._alpha is None:
            count = (lambda *_: PROGRESS.advance()) if len(self._strips) == 1 else None
            values = run_program(strip.program, colours, white=self.white, listener=count, shorts=narrow)
            part = Part(strip.rows, values, None)
        else:
            from cnnfilter.compute.alpha import run_visible  # noqa: PLC0415  most images have no alpha

            before = self._alpha[strip.source].astype(np.float32) / np.float32(self.picture.maximum)
            part = Part(strip.rows, *run_visible(strip.program, colours, before))
        if self.model and self.model.luma and colours.shape[2] > 1:
            from cnnfilter.compute.operations import keep_colours  # noqa: PLC0415  one convolution needs none

            layer = next(node.layer for node in strip.program.network.nodes if isinstance(node.layer, Convolution))
            part = part._replace(values=keep_colours(part.values, colours, layer, before))
        return part._replace(values=encode_srgb(part.values, self.white)) if self._linear else part


def _crop(part: Part, region: tuple[slice, slice]) -> Part:
    """Return what of a part is in a region, by the rows of that."""
    rows, columns = region
    first, last = max(rows.start, part.rows.start), min(rows.stop, part.rows.stop)
    inside = slice(first - part.rows.start, last - part.rows.start), columns
    alpha = None if part.alpha is None else part.alpha[inside]
    return Part(slice(first - rows.start, last - rows.start), np.ascontiguousarray(part.values[inside]), alpha)


_Stage = tuple[Step, Visit]
"""A step, and the shapes that go into it and come out."""


def cut_program(program: Program, shape: Shape, largest: int = _LARGEST_STRIP) -> list[Strip]:
    """Return the strips of the result of a network on a (H, W, C) picture; one where it cannot be cut.

    `largest` is how many numbers a layer may give for a strip.
    """
    visits = program.network.visits(shape)
    rows = visits[-1].outputs.shape[0] if visits else shape[0]
    whole = [Strip(slice(0, rows), slice(None), program)]
    has_window = False
    for visit in visits:  # those in a block are before it, which cannot be cut
        layer, before = visit.node.layer, visit.inputs.shape
        if not isinstance(layer, WindowLayer):
            if layer.ROWS != "point" or len(before) != 3:
                return whole
            continue
        window, size = layer.window, before[:2]
        hangs_over = window.ceil and window.output(*size) != replace(window, ceil=False).output(*size)
        if hangs_over or (has_window and _folds(layer, before)):
            return whole
        has_window = True
    stages = list(zip(program.steps, visits, strict=True))
    count = rows // _choose_rows(stages, largest)
    if count < 2:
        return whole
    edges = [rows * number // count for number in range(count + 1)]
    return [_cut(stages, edge) for edge in pairwise(edges)]


def _folds(layer: WindowLayer, shape: Shape) -> bool:
    """Return whether the rows beyond the edge are others of the image."""
    if not isinstance(layer, Convolution) or layer.border.mode in _FILLED:
        return False
    top, _, bottom, _ = layer.window.pads(*shape[:2])
    return bool(top or bottom)


def _choose_rows(stages: list[_Stage], largest: int) -> int:
    """Return how many rows of the result a strip has: few enough, but more than its windows reach beyond it."""
    rows, reach, most = 1, 0, 1
    for step, visit in reversed(stages):
        before, after, layer = visit.inputs.shape, visit.outputs.shape, step.node.layer
        most = max(most, rows * after[1] * after[2])
        if isinstance(layer, WindowLayer):
            window = layer.window
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
    for step, visit in reversed(stages):
        layer, shape = step.node.layer, visit.inputs.shape
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
    """A network, where its weights come from, and what it is called: a program for each shape of input.

    Of one that filters `luma`, gray and a convolution, what comes out gets the colours of the image.
    """

    def __init__(
        self,
        network: Network,
        weights: StateDict | RandomWeights | None = None,
        title: str = "",
        *,
        luma: bool = False,
    ) -> None:
        self.network = network
        self.weights = weights
        self.luma = luma
        self._title = title
        self._kept: tuple[Shape, Program] | None = None
        self._cut: tuple[Shape, list[Strip]] | None = None
        if weights is None:
            self.program(())  # fits all shapes: what is wrong with its kernels is told before any picture is read

    @property
    def title(self) -> str:
        """What the network is called."""
        return self._title or f"{self.network}{' as luma' if self.luma else ''}" or self.network.words

    def output(self, shape: Shape) -> Shape:
        """Return the shape of what comes out."""
        result = self.network.output(shape)
        return (*result[:2], shape[2]) if self.luma else result

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

    def strips(self, shape: Shape, *, whole: bool = False) -> list[Strip]:
        """Return the program cut for (height, width, channels); the last are kept: a batch's pictures are alike.

        Raises a `ShapeError` if the network holds more at a time than memory does; `whole` says that what lies between
        the layers is wanted too, so that nothing can be made strip by strip.
        """
        program = self.program(shape)
        if self._cut is None or shape != self._cut[0]:
            self._cut = shape, cut_program(program, shape)
        strips = self._cut[1]
        largest = max(program.network.visits(shape), key=lambda visit: visit.live, default=None)
        if largest and (whole or len(strips) == 1) and (lack := lacks_memory(VALUE * largest.live)):
            raise ShapeError(f"the {largest.live} values that live beside {largest.node.name} {lack}")
        return strips
