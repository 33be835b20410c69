"""Tiles: an image that is worked on part by part, each of which gives the bits that the whole would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.borders import Places, find_places
from cnnfilter.compute.exact import Facts
from cnnfilter.compute.forward import Program, Step, Tensors, load_program, plan_program, run_program
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
    """Some rows and columns of a result, those of the picture that they are made of, and the network for these alone.

    The program has the plans of the whole: what it makes of `read(picture)` are the bits that the whole would give.
    """

    rows: slice
    columns: slice
    source: tuple[Places | slice, Places | slice]
    program: Program

    def read(self, picture: Array) -> Array:
        """Return what the strip is made of, of a whole picture (H, W, C)."""
        return picture[self.source[0]][:, self.source[1]]


class FeatureMaps:
    """What comes out of a network, or of one of its layers, part by part, and warnings.

    `strips` are the network, cut for colours (H, W, C) with alpha (H, W, 1) or None, and run when their part is asked
    for, so that large results need little memory; without them `colours` are the result itself, of `height` rows or
    values and with `white` in their units. Of the picture's other pages, `model` makes the same. What comes out of
    `linear` strips is light, and becomes levels of sRGB. Of a `region`, rows and columns of the result, the parts are
    handed over alone, made by the strips that are `needed`, and `height` is its own.
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
        needed: Sequence[Strip] = (),
    ) -> None:
        self._linear, self._region = linear, region
        self.picture, self.white, self.colours = picture, white, colours
        self.notes, self.model = notes, model
        self.height = int(strips[-1].rows.stop) if strips else len(colours)
        self._alpha, self._strips = alpha, strips
        self._only = None if strips else Part(slice(0, self.height), colours, None)
        self._needed = needed or strips
        if region:
            self.height = region[0].stop - region[0].start

    def __iter__(self) -> Iterator[Part]:
        """Yield all parts, the first rows first."""
        if len(self._strips) < 2 and not self._region:
            self._only = self._only or self._run(self._strips[0])
            yield self._only
            return
        for strip in self._needed:
            yield _crop(self._run(strip), strip, self._region) if self._region else self._run(strip)

    @property
    def values(self) -> Array:
        """All values."""
        several = [part.values for part in self]
        return several[0] if len(several) == 1 else np.concatenate(several)

    def visit(self, take: Callable[[Part], None], *, narrow: np.dtype[Any] | None = None, whole: bool = False) -> None:
        """Hand over all parts, the first one first, the others from several threads as they come.

        Values may come in a type that is `narrow`, as `run_program` has it; `whole` asks for all of a result of which
        there is a region.
        """
        strips, region = (self._strips, None) if whole else (self._needed, self._region)
        layers = len(self.model.network.all_nodes) if self.model and self._alpha is None else 0
        PROGRESS.begin("filtering", layers if len(strips) == 1 else len(strips))
        if not region and (self._only or not (narrow is not None or self._strips[1:])):
            self._only = self._only or self._run(self._strips[0])
            take(self._only)
            return

        def run(strip: Strip) -> None:
            part = self._run(strip, narrow=narrow)
            take(_crop(part, strip, region) if region else part)
            PROGRESS.advance()

        first, *others = strips
        run(first)
        if others:
            with listening(lambda *_told: None):  # the plans of the others are those of the first
                make_tiles(others, run)

    def _run(self, strip: Strip, *, narrow: np.dtype[Any] | None = None) -> Part:
        """Return what a strip gives."""
        colours, before = strip.read(self.colours), None
        if self._alpha is None:
            count = (lambda *_: PROGRESS.advance()) if len(self._strips) == 1 else None
            values = run_program(strip.program, colours, white=self.white, listener=count, narrow=narrow)
            part = Part(strip.rows, values, None)
        else:
            from cnnfilter.compute.alpha import run_visible  # noqa: PLC0415  most images have no alpha

            before = strip.read(self._alpha).astype(np.float32) / np.float32(self.picture.maximum)
            part = Part(strip.rows, *run_visible(strip.program, colours, before))
        if self.model and self.model.luma and colours.shape[2] > 1:
            from cnnfilter.compute.operations import keep_colours  # noqa: PLC0415  one convolution needs none

            step = next(step for step in strip.program.steps if isinstance(step.node.layer, Convolution))
            part = part._replace(values=keep_colours(part.values, colours, step, before))
        return part._replace(values=encode_srgb(part.values, self.white)) if self._linear else part


def _crop(part: Part, strip: Strip, region: tuple[slice, slice]) -> Part:
    """Return what of a strip's part is in a region, by the rows of that."""
    rows, columns = region
    first, last = max(rows.start, part.rows.start), min(rows.stop, part.rows.stop)
    left = strip.columns.start
    inside = slice(first - part.rows.start, last - part.rows.start), slice(columns.start - left, columns.stop - left)
    alpha = None if part.alpha is None else part.alpha[inside]
    return Part(slice(first - rows.start, last - rows.start), np.ascontiguousarray(part.values[inside]), alpha)


_Stage = tuple[Step, Visit]
"""A step, and the shapes that go into it and come out."""


def cut_program(
    program: Program, shape: Shape, largest: int = _LARGEST_STRIP, region: tuple[slice, slice] | None = None
) -> list[Strip]:
    """Return the strips of the result of a planned network on a (H, W, C) picture; one where it cannot be cut.

    `largest` is how many numbers a layer may give for a strip; a `region` of the result is what they cover.
    """
    visits = program.network.visits(shape)
    output = visits[-1].outputs.shape if visits else shape
    if not _can_be_cut(visits):
        sides = slice(0, output[0]), slice(0, output[1] if len(output) == 3 else 1)
        return [Strip(*sides, (slice(None), slice(None)), program)]
    stages = list(zip(program.steps, visits, strict=True))
    rows, columns = region or (slice(0, output[0]), slice(0, output[1]))
    count = max(1, (rows.stop - rows.start) // _choose_rows(stages, largest))
    edges = [rows.start + (rows.stop - rows.start) * number // count for number in range(count + 1)]
    if stages and (place := stages[-1][0].place):  # no tile is made twice
        inner = {place.align(0, edge, edge + 1)[0] for edge in edges[1:-1]}
        edges = [edges[0], *sorted(edge for edge in inner if edge > edges[0]), edges[-1]]
    return [_cut(stages, edge, (columns.start, columns.stop)) for edge in pairwise(edges)]


def cut_part(program: Program, shape: Shape, rows: slice, columns: slice) -> Strip:
    """Return some rows and columns of the result of a planned network on a (H, W, C) picture, cut out of the whole.

    A layer that needs all of its input, such as `equalize`, makes it the whole.
    """
    visits = program.network.visits(shape)
    if not _can_be_cut(visits):
        return cut_program(program, shape)[0]
    stages = list(zip(program.steps, visits, strict=True))
    return _cut(stages, (rows.start, rows.stop), (columns.start, columns.stop))


def _can_be_cut(visits: Sequence[Visit]) -> bool:
    """Return whether parts of the result are made of parts of the picture."""
    has_window = False
    for visit in visits:  # those in a block are before it, which cannot be cut
        layer, before = visit.node.layer, visit.inputs.shape
        if not isinstance(layer, WindowLayer):
            if layer.ROWS != "point" or len(before) != 3:
                return False
            continue
        window, size = layer.window, before[:2]
        hangs_over = window.ceil and window.output(*size) != replace(window, ceil=False).output(*size)
        if hangs_over or (has_window and _wraps(layer, before)):
            return False
        has_window = True
    return True


def _wraps(layer: WindowLayer, shape: Shape) -> bool:
    """Return whether what lies beyond an edge is the other side of the image."""
    if not isinstance(layer, Convolution) or layer.border.mode is not BorderMode.WRAP:
        return False
    return any(layer.window.pads(*shape[:2]))


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


def _cut(stages: list[_Stage], rows: Pair, columns: Pair) -> Strip:
    """Return the strip that gives rows and columns (from, to) of the result."""
    wanted, kept = (rows, columns), (slice(0, rows[1] - rows[0]), slice(0, columns[1] - columns[0]))
    source: tuple[Places | slice, Places | slice] = slice(*rows), slice(*columns)
    steps: list[Step] = []
    for step, visit in reversed(stages):
        layer = step.node.layer
        if isinstance(layer, WindowLayer):
            down, across = (_cut_axis(step, visit, axis, wanted[axis]) for axis in (0, 1))
            padding = down.sides[0], across.sides[0], down.sides[1], across.sides[1]
            part = replace(layer, window=replace(layer.window, padding=padding))
            kept = down.kept, across.kept
            place = step.place and step.place._replace(first=(down.first, across.first), kept=kept)
            step = step._replace(node=step.node._replace(layer=part), place=place)  # noqa: PLW2901
            wanted, source = (down.taken, across.taken), (down.source, across.source)
        steps.insert(0, step)
    network = Network(tuple(step.node.layer for step in steps))
    return Strip(slice(*rows), slice(*columns), source, Program(network, tuple(steps)))


class _Cut(NamedTuple):
    """What is made along an axis to get some results of a layer, and of what.

    `first` is the first result made; of those made some are `kept`. They are made of what is `taken` of the input, from
    and to, with `sides` of padding before and after; `source` says the same of a picture, of which parts far from each
    other may be taken.
    """

    first: int
    kept: slice
    taken: Pair
    sides: Pair
    source: Places | slice


def _cut_axis(step: Step, visit: Visit, axis: int, wanted: Pair) -> _Cut:
    """Return how to get some results, from and to, along an axis."""
    layer, size, count = step.node.layer, visit.inputs.shape[axis], visit.outputs.shape[axis]
    assert isinstance(layer, WindowLayer)
    pads, stride, extent = layer.window.pads(*visit.inputs.shape[:2]), layer.window.stride, layer.window.extent[axis]
    before, after = pads[axis], pads[axis + 2]
    first, last = step.place.align(axis, *wanted) if step.place else wanted
    if (first, last) == (0, count):
        return _Cut(0, slice(*wanted), (0, size), (before, after), slice(0, size))
    first = min(first, (size - 1 + before) // stride[axis])  # a window sees a pixel of the image, be it beside those
    kept = slice(wanted[0] - first, wanted[1] - first)
    start, stop = first * stride[axis] - before, (last - 1) * stride[axis] + extent - before
    sides, taken = (max(0, -start), max(0, stop - size)), (max(0, start), max(min(stop, size), start + 1, 1))
    if isinstance(layer, Convolution) and any(sides) and layer.border.mode not in _FILLED:
        places = find_places(size, before, after, layer.border.mode)[start + before : stop + before]
        if layer.border.mode is BorderMode.WRAP:
            return _Cut(first, kept, taken, (0, 0), places)
        taken = 0 if sides[0] else int(places.min()), size if sides[1] else int(places.max()) + 1
        if max(before, after) >= size:  # what is reflected is reflected again
            taken = 0, size
        if taken[0] < start:  # what is reflected lies before the windows: they begin there
            first = (taken[0] + before) // stride[axis]
            start = first * stride[axis] - before
            sides, taken = (max(0, -start), sides[1]), (max(0, start), taken[1])
            kept = slice(wanted[0] - first, wanted[1] - first)
    return _Cut(first, kept, taken, sides, slice(*taken))


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
        self._cut: dict[tuple[Any, ...], list[Strip]] = {}
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
        return {**self.__dict__, "_kept": None if self.weights else self._kept, "_cut": {}}

    def program(self, shape: Shape) -> Program:
        """Return the network ready to run on (height, width, channels); the last one is kept."""
        if self._kept is None or (self.weights and shape != self._kept[0]):
            bound: Mapping[str, Tensors] = {}
            if self.weights:
                from cnnfilter.compute.state_dict import bind  # noqa: PLC0415  most networks learn nothing

                bound = bind(self.network, shape, self.weights)
            self._kept = shape, load_program(self.network, bound)
        return self._kept[1]

    def strips(
        self,
        shape: Shape,
        facts: Facts,
        *,
        alpha: bool = False,
        whole: bool = False,
        region: tuple[slice, slice] | None = None,
    ) -> list[Strip]:
        """Return the program cut for (height, width, channels); the last are kept: a batch's pictures are alike.

        `facts` are known of the picture, `region` is the part of the result that they make. Raises a `ShapeError` if
        the network holds more at a time than memory does; `whole` says that what lies between the layers is wanted too,
        so that nothing can be made strip by strip.
        """
        key = shape, facts, alpha, region and (region[0].start, region[0].stop, region[1].start, region[1].stop)
        if key not in self._cut:
            program = plan_program(self.program(shape), shape, facts)
            if alpha:
                from cnnfilter.compute.alpha import plan_visible  # noqa: PLC0415  most images have no alpha

                program = plan_visible(program, shape)
            kept = [one for one in self._cut.items() if one[0][:3] == key[:3]]  # the whole beside a region
            self._cut = dict([*kept[:1], (key, cut_program(program, shape, region=region))])
        strips = self._cut[key]
        largest = max(self.network.visits(shape), key=lambda visit: visit.live, default=None)
        if largest and (whole or (len(strips) == 1 and not region)) and (lack := lacks_memory(VALUE * largest.live)):
            raise ShapeError(f"the {largest.live} values that live beside {largest.node.name} {lack}")
        return strips
