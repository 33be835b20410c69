"""The moving picture of a window that slides over a small input while the output fills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import ceil
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import Program
from cnnfilter.errors import ShapeError
from cnnfilter.explain.trace import Explained, Trace, Weighing, trace
from cnnfilter.nn.geometry import Pair, show_pair
from cnnfilter.nn.other_layers import ChannelPool, Pool
from cnnfilter.numbers import as_operand, show_digits, show_short
from cnnfilter.plot.cells import Words, choose_words, find_inks, measure_cells, write_numbers
from cnnfilter.plot.input_regions import Excerpt, choose_excerpt
from cnnfilter.plot.sheet import POINTS, Box, Paper, Size
from cnnfilter.plot.view import SIGNED, Display, symmetric
from cnnfilter.plot.window import (
    display_output,
    draw_cells,
    draw_input,
    frame_cells,
    frame_window,
    hatch_cells,
    read_channel,
)

MOST_PANELS = 4
"""How many channels or maps are shown."""

Frame = NDArray[np.uint8]
"""(H, W, 4), RGBA, all of it opaque."""

_HEAD, _GAP, _LINE, _FOOT = 0.75, 0.5, 0.17, 0.2
_ALONE, _STACKED, _KERNEL = (3.2, 8.5), (2.2, 4.5), (1.45, 3.2)
"""The least and most of a panel's longer side, in inches: one row of them, several, of the kernel."""

_POINTS = 9
"""The size of the letters below the panels, all of one width."""


class Movie(NamedTuple):
    """A moving picture: its number of frames, pixels with all their colors, and the frames, the same pixels changed."""

    length: int
    samples: Frame
    frames: Iterator[Frame]


class _Output(NamedTuple):
    """A map of the output: its panel, the size of its numbers or 0, and of each cell its color, number and ink."""

    axes: Axes
    points: float
    cells: dict[Pair, tuple[Doubles, str, str]]


class _Stage(NamedTuple):
    """What frames are drawn on: panels, and the text below them, which has so many letters in a line."""

    paper: Paper
    inputs: list[Axes]
    outputs: list[_Output]
    words: Text
    letters: int

    @property
    def pixels(self) -> Frame:
        """The pixels of the canvas, which change when it is drawn on, and it when they do."""
        canvas: Any = self.paper.figure.canvas  # Agg's, whose methods for parts of a figure have no types
        return np.asarray(canvas.buffer_rgba())


Work = Sequence[tuple[Trace, Array]]
"""Each window in its order, with its result for each map."""


def animate(program: Program, volume: Array, place: Pair | None, title: str, white: float, paper: Paper) -> Movie:
    """Return the moving picture of a convolution or pool on an input (H, W, C), drawn on paper while frames are taken.

    Windows are those around a `place`, or all of a small input; `white` is 0 for a matrix.
    """
    first = trace(program, volume, (0, 0))
    excerpt = choose_excerpt(first.layer, first.shape, first.output, place)
    panels = max(len(first.weighings), first.shape[2], first.output[2])
    if panels > MOST_PANELS and not isinstance(first.layer, ChannelPool):
        raise ShapeError(
            f"{panels} channels and maps are too many to animate, which goes up to {MOST_PANELS}; --channels gray or "
            "sum, and one kernel, make fewer"
        )
    traces = [trace(program, volume, (row, column)) for row in excerpt.places[0] for column in excerpt.places[1]]
    work = [(traced, traced.results()) for traced in traces]
    outputs = np.stack([results for _, results in work]).reshape(*map(len, excerpt.places), -1)
    one = Explained(traces[0], outputs[0, 0], title, volume, outputs, traces[0].place, white, [])
    stage = _set_stage(one, work, excerpt, paper)
    return Movie(len(work), _sample(stage, work), _play(stage, work))


def _sample(stage: _Stage, work: Work) -> Frame:
    """Return an empty frame above one with everything in it, and leave the stage empty as it was."""
    stage.paper.figure.canvas.draw()
    empty = stage.pixels.copy()
    for traced, _ in work:
        _fill(stage, traced.place)
    _point(stage, *work[-1])
    samples = np.concatenate([empty, stage.pixels])
    stage.pixels[:] = empty
    return samples


def _play(stage: _Stage, work: Work) -> Iterator[Frame]:
    """Yield the frames: each window in turn, its value in the output from then on."""
    for traced, results in work:
        _fill(stage, traced.place)
        filled = stage.pixels.copy()
        _point(stage, traced, results)
        yield stage.pixels
        stage.pixels[:] = filled


def _draw(axes: Axes, artist: Artist) -> None:
    """Draw one thing over what is there, and forget it."""
    axes.draw_artist(artist)
    artist.remove()


def _fill(stage: _Stage, place: Pair) -> None:
    """Draw the values at a place of the outputs."""
    row, column = place
    for output in stage.outputs:
        color, word, ink = output.cells[place]
        cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, edgecolor="#888888", linewidth=0.4)
        output.axes.add_artist(cell)
        _draw(output.axes, cell)
        if output.points:
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": output.points, "color": ink}
            _draw(output.axes, output.axes.text(column, row, word, **style))


def _point(stage: _Stage, traced: Trace, results: Array) -> None:
    """Frame the window and the value that it gives, and write how."""
    for axes in stage.inputs:
        for frame in frame_window(axes, traced.reach, stage.paper.zoom):
            _draw(axes, frame)
    for output in stage.outputs:
        _draw(output.axes, frame_cells(output.axes, traced.place, stage.paper.zoom))
    stage.words.set_text("\n".join(_show_work(traced, results, stage.letters)))
    stage.paper.figure.draw_artist(stage.words)


def _set_stage(one: Explained, work: Work, excerpt: Excerpt, paper: Paper) -> _Stage:
    """Draw what stays, and return where the rest goes."""
    channels = [read_channel(one.traced, one.colors, channel, *excerpt.seen) for channel in range(one.traced.shape[2])]
    maps = list(np.moveaxis(np.asarray(one.outputs, np.float64), 2, 0))
    slices = _slices(one.traced.weighings)
    (inputs, kernels, outputs), bottom, width = _lay_out(channels, list(slices.values()), maps)
    text_width = width - 2 * _GAP
    lines = max(len(_show_work(*each, _count_letters(text_width, paper))) for each in work)
    paper.lay_out(bottom + lines * _LINE + _FOOT, width)
    part = excerpt.describe(one.traced.shape)
    title = f"{one.title}: {part}" if part else one.title
    # the letters of title and formula can be read on small figures too
    heading = paper.text(_GAP, 0.14, title, 11 / paper.zoom)
    paper.break_lines(heading, title, [], (0.5, text_width))
    panels = [
        draw_input(paper, box, one, channel, excerpt.seen, _write_between_lines) for channel, box in enumerate(inputs)
    ]
    scale = symmetric(np.stack(list(slices.values()))) if slices else None
    for box, (name, weights) in zip(kernels, slices.items(), strict=True):
        draw_cells(paper, box, Display(weights, colormap=SIGNED, norm=scale), name, numbers=_write_between_lines)
    return _Stage(
        paper,
        panels,
        [_draw_empty(paper, box, one, number, maps[number]) for number, box in enumerate(outputs)],
        paper.text(_GAP, bottom, "", _POINTS / paper.zoom, family="DejaVu Sans Mono"),
        _count_letters(paper.real(Box(0, 0, text_width, 1))[1], paper),
    )


def _lay_out(
    inputs: Sequence[Doubles], kernels: Sequence[Doubles], outputs: Sequence[Doubles]
) -> tuple[list[list[Box]], float, float]:
    """Return where channels of the input, slices of the kernel and maps of the output are, and the end of all."""
    rows = max(len(inputs), len(outputs))
    limits = _ALONE if rows == 1 else _STACKED
    high = max(_measure(values, limits)[0] for values in (*inputs, *outputs))
    here, there = ([_grow(_measure(values, limits), high, limits[1]) for values in part] for part in (inputs, outputs))
    slices = [_measure(values, _KERNEL) for values in kernels]
    wide, far = (max(2.0, *(width for _, width in part)) for part in (here, there))  # titles need two inches
    kernel = max((width for _, width in slices), default=-_GAP)
    step = _GAP + (max(high, slices[0][0]) if len(slices) == 1 else high)
    width = 4 * _GAP + wide + kernel + far
    share = rows * step / max(len(slices), 1)  # the slices of several maps share the height that channels have
    boxes = [
        [Box(_GAP, _HEAD + row * step, wide, height) for row, (height, _) in enumerate(here)],
        [
            Box(2 * _GAP + wide, _HEAD + row * share, kernel, min(height, share - _GAP))
            for row, (height, _) in enumerate(slices)
        ],
        [Box(width - _GAP - far, _HEAD + row * step, far, height) for row, (height, _) in enumerate(there)],
    ]
    return boxes, _HEAD + rows * step, width


def _measure(values: Doubles, limits: tuple[float, float]) -> Size:
    """Return the (height, width) of a panel whose numbers have 8 points, its longer side within limits, in inches."""
    rows, columns = values.shape
    longest = max((len(show_short(float(value))) for value in values.ravel() if not np.isnan(value)), default=1)
    letters = min(max(longest, 2), 6)  # longer numbers are shortened
    cell = 8.0 / POINTS * max(0.62 * letters / 0.9, 1 / 0.55)
    side = min(max(cell * max(rows, columns), limits[0]), limits[1])
    return side * max(min(1.0, rows / columns), 1 / 8), side * max(min(1.0, columns / rows), 1 / 8)


def _grow(size: Size, high: float, most: float) -> Size:
    """Return a panel as high as others, so that no space is left below it, as far as its width lets it."""
    factor = min(high / size[0], max(most / size[1], 1.0))
    return size[0] * factor, size[1] * factor


def _count_letters(width: float, paper: Paper) -> int:
    """Return how many letters of a line fit into some inches; each takes whole pixels."""
    dpi = paper.figure.dpi
    return int(width * dpi / ceil(0.61 * _POINTS / POINTS * dpi))


def _write_between_lines(axes: Axes, zoom: float, display: Display, first: Pair) -> str:
    """Write numbers into cells if they can be read; lines separate the cells in any case."""
    return write_numbers(axes, zoom, display, first) or ""


def _slices(weighings: Sequence[Weighing]) -> dict[str, Doubles]:
    """Return the weights of the kernel's slices, named; one that lies on all channels is drawn once."""
    found = {
        (f"map {map_}, " if len(weighings) > 1 else "kernel, ") + f"slice {number}": weighing.weights[:, :, number]
        for map_, weighing in enumerate(weighings)
        for number in range(len(weighing.channels))
    }
    parts = list(found.values())
    return {"kernel": parts[0]} if parts and all(np.array_equal(part, parts[0]) for part in parts) else found


def _draw_empty(paper: Paper, box: Box, one: Explained, number: int, values: Doubles) -> _Output:
    """Draw a map of the output, all of it hatched: no value is there yet."""
    display = display_output(values, one)
    several = f", map {number}" if one.outputs.shape[2] > 1 else ""
    title = f"output {show_pair((one.traced.output[0], one.traced.output[1]))}{several}; hatched: still empty"
    empty = display._replace(pixels=np.full(values.shape, np.nan))
    axes = draw_cells(paper, box, empty, title, one.corner, _write_between_lines)
    top, left = one.corner
    hatch_cells(axes, top, left, top + values.shape[0], left + values.shape[1], "\\\\\\")
    shades = ScalarMappable(display.norm, display.colormap)
    chosen = choose_words(measure_cells(axes, (values.shape[0], values.shape[1])), paper.zoom, values)
    words, points, _ = chosen or Words([""] * values.size, 0.0)
    places = [(top + row, left + column) for row, column in np.ndindex(*values.shape)]
    styles = zip(shades.to_rgba(values.ravel()), words, find_inks(shades, values), strict=True)
    return _Output(axes, points, dict(zip(places, styles, strict=True)))


def _show_work(traced: Trace, values: Array, letters: int) -> list[str]:
    """Return how the value (maps,) of each map comes about, in a line or a few of so many letters."""
    lines: list[str] = []
    for number, value in enumerate(values):
        place = ",".join(map(str, (*traced.place, number) if len(values) > 1 else traced.place))
        work = _weighed(traced, number, len(values)) if traced.weighings else _pooled(traced, number)
        lines += wrap(f"o[{place}] = {work} = {show_digits(float(value), 7)}", letters, subsequent_indent="  ")
    return lines


def _weighed(traced: Trace, number: int, maps: int) -> str:
    """Return what a convolution does to the window for one map, in numbers."""
    each = len(traced.weighings) // maps
    parts = []
    for weighing in traced.weighings[number * each : (number + 1) * each]:
        products = traced.products(weighing)
        alone = len(weighing.channels) == 1
        numbers = products[:, :, 0].ravel() if alone else products.sum(axis=(0, 1))
        if alone and len(numbers) <= 9:
            pairs = zip(traced.values[:, :, weighing.channels[0]].flat, weighing.weights[:, :, 0].flat, strict=True)
            text = " + ".join(f"{show_short(value)}*{_signed(weight)}" for value, weight in pairs)
        else:
            text = " + ".join(map(_signed, numbers)) if len(numbers) <= 25 else f"sum of {len(numbers)} products"
        parts.append(f"{text} + {_signed(weighing.bias)}" if traced.is_biased else text)
    return reduce(lambda inner, layer: f"{layer.op}({inner})", traced.functions, ", ".join(parts))


def _signed(number: float) -> str:
    """Return a number as a factor or a summand."""
    return as_operand(show_short(float(number)))


def _pooled(traced: Trace, number: int) -> str:
    """Return what a pool does to the window for one map, in numbers."""
    layer = traced.layer
    together = isinstance(layer, ChannelPool)
    seen = traced.values.ravel() if together else traced.values[:, :, number][traced.inside]
    listed = ", ".join(show_short(float(value)) for value in seen) if len(seen) <= 25 else f"{len(seen)} values"
    counted = " with padding" if isinstance(layer, Pool) and layer.count_include_pad else ""
    return f"{getattr(layer, 'mode', layer.op)}({listed}){counted}"
