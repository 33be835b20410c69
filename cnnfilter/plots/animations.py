"""The moving picture of a window that slides over a small input while the output fills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
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
from cnnfilter.compute.network import as_volume, run_program
from cnnfilter.compute.programs import Program
from cnnfilter.errors import ShapeError
from cnnfilter.plots.displays import display_weights
from cnnfilter.plots.panels import frame_cells, number_points, show_short
from cnnfilter.plots.papers import LEAST_POINTS, POINTS, Box, Paper
from cnnfilter.plots.scales import find_inks
from cnnfilter.plots.windows import (
    display_output,
    draw_cells,
    draw_grid,
    draw_input,
    frame_window,
    hatch_padding,
    read_channel,
)
from cnnfilter.spec.geometry import Pair, Sides, show_pair
from cnnfilter.spec.pools import ChannelPool, Pool
from cnnfilter.traces import Explained, Trace, trace
from cnnfilter.traces.texts import show_value

LARGEST, CROP = 32, 12
"""The largest input that is animated, and how much of a larger one is taken."""

MOST_PADDED, MOST_PANELS = 48, 4
"""The largest side of an input with its padding, or of an output; and how many channels or maps."""

Frame = NDArray[np.uint8]
"""(H, W, 3), RGB."""

_HEAD, _PANEL, _KERNEL, _GAP, _WORDS = 0.75, 3.2, 1.7, 0.5, 0.85
_POINTS = 9
"""The size of the letters below the panels, all of one width."""


class Reel(NamedTuple):
    """A moving picture: how many frames it has, one that holds every color of them, and all of them one by one."""

    length: int
    preview: Frame
    frames: Iterator[Frame]


class Stage(NamedTuple):
    """What the frames are drawn on: inputs and outputs, and where numbers are written, so many letters in a line."""

    paper: Paper
    inputs: list[Axes]
    outputs: list[tuple[Axes, Box]]
    words: Text
    letters: int


def cut_around(volume: Array, place: Pair | None) -> tuple[Array, Pair]:
    """Return a volume small enough to be animated, or what lies around a place of it, and where that begins.

    Raises
    ------
    ShapeError
        If it is too large and no place is given, or the place lies outside.
    """
    height, width = volume.shape[:2]
    if place is None:
        if max(height, width) > LARGEST:
            raise ShapeError(
                f"{height}x{width} is too large to animate, which goes up to {LARGEST}x{LARGEST}; --around Y,X takes "
                f"the {CROP}x{CROP} pixels around one"
            )
        return volume, (0, 0)
    if place[0] >= height or place[1] >= width:
        raise ShapeError(f"--around {place[0]},{place[1]} lies outside the input of {height}x{width}")
    top, left = (
        min(max(0, center - CROP // 2), max(0, size - CROP))
        for center, size in zip(place, (height, width), strict=True)
    )
    return np.ascontiguousarray(volume[top : top + CROP, left : left + CROP]), (top, left)


def animate(program: Program, volume: Array, corner: Pair, title: str, white: float, paper: Paper) -> Reel:
    """Return the moving picture of a convolution or pool at work.

    Parameters
    ----------
    program
        As `convolve` and `pool` make it.
    volume, corner
        (H, W, C): the input, and where in a larger one it begins.
    title, white
        What the input and the kernel are called; the level of white, 0 for a matrix.
    paper
        Where it is drawn, while its frames are taken too.

    Raises
    ------
    ShapeError
        If there are too many channels, maps, or places in the padding.
    """
    first = trace(program, volume, (0, 0))
    results = as_volume(np.asarray(run_program(program, volume, white=white or None)))
    if not isinstance(first.layer, ChannelPool):
        _check(first)
    explained = Explained(first, results[0, 0], title, volume, results, (0, 0), white, [])
    stage = _set(explained, corner, paper)
    height, width = results.shape[:2]
    places = [(row, column) for row in range(height) for column in range(width)]
    return Reel(len(places), _preview(stage, program, explained), _play(stage, program, explained, places))


def _check(traced: Trace) -> None:
    """Raise a `ShapeError` if a moving picture of it could not be read."""
    if max(len(traced.weighings), traced.shape[2], traced.output[2]) > MOST_PANELS:
        raise ShapeError(
            f"{max(len(traced.weighings), traced.shape[2])} channels and maps are too many to animate, which goes up "
            f"to {MOST_PANELS}; --channels gray or sum, and one kernel, make fewer"
        )
    top, left, bottom, right = _pads(traced)
    sides = (traced.shape[0] + top + bottom, traced.shape[1] + left + right)
    if max(*sides, *traced.output[:2]) > MOST_PADDED:
        raise ShapeError(
            f"an input of {show_pair(sides)} with its padding is too large to animate, which goes up to "
            f"{MOST_PADDED}x{MOST_PADDED}"
        )


def _pads(traced: Trace) -> Sides:
    """Return how far windows reach beyond the input."""
    window = getattr(traced.layer, "window", None)
    if window is None:
        return 0, 0, 0, 0
    top, left, bottom, right = window.pads(traced.shape[0], traced.shape[1])
    hanging = [
        (traced.output[axis] - 1) * window.stride[axis] - pad + window.extent[axis] - traced.shape[axis]
        for axis, pad in enumerate((top, left))
    ]
    return top, left, max(bottom, hanging[0], 0), max(right, hanging[1], 0)


def _set(one: Explained, corner: Pair, paper: Paper) -> Stage:
    """Draw what stays: the input, the kernel, the empty output."""
    traced = one.traced
    channels, maps = traced.shape[2], one.outputs.shape[2]
    rows = max(channels, maps, len(traced.weighings))
    side = _PANEL if rows == 1 else 2.2
    kernel = _KERNEL if traced.weighings else 0.0
    width = 2 * side + kernel + 4 * _GAP
    words = _WORDS + 0.2 * max(0, maps - 2)
    paper.lay_out(_HEAD + rows * (side + _GAP) + words, width)
    where = f", crop from row {corner[0]}, column {corner[1]}" if any(corner) else ""
    paper.fit(paper.text(_GAP, 0.14, f"{one.title}{where}", fontsize=11), width - 2 * _GAP)
    top, left, bottom, right = _pads(traced)
    spans = range(-top, traced.shape[0] + bottom), range(-left, traced.shape[1] + right)
    inputs, outputs = [], []
    for channel in range(channels):
        box = Box(_GAP, _HEAD + channel * (side + _GAP), side, side)
        values = read_channel(traced, one.colors, channel, *spans)
        axes = draw_input(paper, box, one, channel, values, (spans[0][0], spans[1][0]))
        draw_grid(axes, (spans[0][0], spans[1][0]), (len(spans[0]), len(spans[1])))
        hatch_padding(axes, *spans, traced.shape)
        inputs.append(axes)
    _draw_kernels(paper, one, (side, _GAP * 2 + side))
    for number in range(maps):
        box = Box(3 * _GAP + side + kernel, _HEAD + number * (side + _GAP), side, side)
        outputs.append(_draw_empty(paper, box, one, number))
    stays = _HEAD + rows * (side + _GAP)
    line = paper.text(_GAP, stays, "", family="DejaVu Sans Mono", fontsize=_POINTS)
    letters = int(paper.real(Box(0, 0, width - 2 * _GAP, 1))[1] * POINTS / (0.61 * _POINTS))
    return Stage(paper, inputs, outputs, line, letters)


def _draw_kernels(paper: Paper, one: Explained, place: tuple[float, float]) -> None:
    """Draw the slices of the kernel beside the channels that they lie on; one that lies on all is drawn once."""
    side, left = place
    weighings = one.traced.weighings
    slices = [weighing.weights[:, :, number] for weighing in weighings for number in range(len(weighing.channels))]
    several = len(weighings) > 1
    titles = [
        (f"map {map_}, " if several else "kernel, ") + f"slice {number}"
        for map_, weighing in enumerate(weighings)
        for number in range(len(weighing.channels))
    ]
    if slices and all(np.array_equal(part, slices[0]) for part in slices):
        slices = slices[:1]
    rows = max(one.traced.shape[2], one.outputs.shape[2], len(weighings))
    # The slices of several maps share the height that their channels have.
    step = (side + _GAP) * rows / max(len(slices), 1)
    for number, part in enumerate(slices):
        size = min(_KERNEL - 0.25, step - _GAP)
        box = Box(left, _HEAD + number * step, size, size)
        display = display_weights(np.stack(slices, axis=2))._replace(pixels=part)
        draw_cells(paper, box, display, titles[number] if len(slices) > 1 else "kernel")


def _draw_empty(paper: Paper, box: Box, one: Explained, number: int) -> tuple[Axes, Box]:
    values = np.full(one.outputs.shape[:2], np.nan)
    display = display_output(np.asarray(one.outputs[:, :, number], np.float64), one)._replace(pixels=values)
    several = f", map {number}" if one.outputs.shape[2] > 1 else ""
    axes, place = draw_cells(paper, box, display, f"output {show_pair(one.outputs.shape[:2])}{several}")
    draw_grid(axes, (0, 0), (one.outputs.shape[0], one.outputs.shape[1]))
    return axes, place


# ------------------------------------------------------------------------------------------------ frames


def _capture(stage: Stage) -> Frame:
    canvas: Any = stage.paper.figure.canvas  # Agg's, whose methods for parts of a figure have no types
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _preview(stage: Stage, program: Program, one: Explained) -> Frame:
    """Return a frame with everything in it, and leave the stage empty as it was."""
    stage.paper.figure.canvas.draw()
    canvas: Any = stage.paper.figure.canvas  # Agg's, whose methods for parts of a figure have no types
    empty = canvas.copy_from_bbox(stage.paper.figure.bbox)
    height, width = one.outputs.shape[:2]
    for place in np.ndindex(height, width):
        _fill(stage, one, (place[0], place[1]))
    _point(stage, trace(program, one.colors, (height - 1, width - 1)), one)
    frame = _capture(stage)
    canvas.restore_region(empty)
    return frame


def _play(stage: Stage, program: Program, one: Explained, places: Sequence[Pair]) -> Iterator[Frame]:
    """Yield the frames: each window in turn, its value in the output from then on."""
    canvas: Any = stage.paper.figure.canvas  # Agg's, whose methods for parts of a figure have no types
    for place in places:
        _fill(stage, one, place)
        filled = canvas.copy_from_bbox(stage.paper.figure.bbox)
        _point(stage, trace(program, one.colors, place), one)
        yield _capture(stage)
        canvas.restore_region(filled)


def _draw(axes: Axes, artist: Artist) -> None:
    """Draw one thing over what is there, and forget it."""
    axes.draw_artist(artist)
    artist.remove()


def _fill(stage: Stage, one: Explained, place: Pair) -> None:
    """Draw the values at a place of the outputs."""
    for number, (axes, box) in enumerate(stage.outputs):
        values = np.asarray(one.outputs[:, :, number], dtype=np.float64)
        display = display_output(values, one)
        shades = ScalarMappable(display.norm, display.colormap)
        color = shades.to_rgba(values[place])
        cell = Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, facecolor=color, edgecolor="#888888", linewidth=0.4)
        axes.add_patch(cell)
        _draw(axes, cell)
        points = number_points(stage.paper, box, values.shape, [show_short(float(value)) for value in values.ravel()])
        if points >= LEAST_POINTS:
            ink = find_inks(shades, values[place].reshape(1))[0]
            word = show_short(float(values[place]))
            _draw(axes, axes.text(place[1], place[0], word, ha="center", va="center", fontsize=points, color=ink))


def _point(stage: Stage, traced: Trace, one: Explained) -> None:
    """Frame the window and the value that it gives, and write how."""
    for axes in stage.inputs:
        for frame in frame_window(axes, traced.reach):
            _draw(axes, frame)
    for axes, _ in stage.outputs:
        _draw(axes, frame_cells(axes, *traced.place, 1, 1))
    stage.words.set_text("\n".join(_lines(traced, one, stage.letters)))
    stage.paper.figure.draw_artist(stage.words)


def _lines(traced: Trace, one: Explained, letters: int) -> list[str]:
    """Return how each map's value comes about, in a line or a few."""
    values = one.outputs[traced.place]
    lines: list[str] = []
    for number, value in enumerate(values):
        place = ",".join(map(str, (*traced.place, number) if len(values) > 1 else traced.place))
        text = f"o[{place}] = {_work(traced, number, len(values))} = {show_value(float(value))}"
        lines += wrap(text, letters, subsequent_indent="  ")
    return lines


def _work(traced: Trace, number: int, maps: int) -> str:
    """Return what is done to the window for one map, in numbers."""
    if not traced.weighings:
        return _pooled(traced, number)
    each = len(traced.weighings) // maps
    parts = []
    for weighing in traced.weighings[number * each : (number + 1) * each]:
        products = traced.products(weighing)
        numbers = products[:, :, 0].ravel() if len(weighing.channels) == 1 else products.sum(axis=(0, 1))
        pairs = zip(traced.values[:, :, weighing.channels[0]].ravel(), weighing.weights[:, :, 0].ravel(), strict=True)
        if len(weighing.channels) == 1 and len(numbers) <= 9:
            text = " + ".join(f"{show_short(value)}*{_signed(weight)}" for value, weight in pairs)
        else:
            text = " + ".join(map(_signed, numbers)) if len(numbers) <= 25 else f"sum of {len(numbers)} products"
        bias = f" + {_signed(weighing.bias)}" if weighing.bias else ""
        parts.append(f"{text}{bias}")
    functions = [traced.combination.op] if traced.combination else []
    functions += [activation.op for activation in traced.activations]
    return reduce(lambda inner, function: f"{function}({inner})", functions, ", ".join(parts))


def _signed(number: float) -> str:
    return f"({show_short(float(number))})" if number < 0 else show_short(float(number))


def _pooled(traced: Trace, number: int) -> str:
    layer = traced.layer
    mode = str(getattr(layer, "mode", layer.op))
    if isinstance(layer, ChannelPool):
        seen: Doubles = traced.values.ravel()
    else:
        seen = traced.values[:, :, number][traced.inside]
    listed = ", ".join(map(show_short, map(float, seen))) if len(seen) <= 25 else f"{len(seen)} values"
    counted = " with padding" if isinstance(layer, Pool) and layer.count_include_pad else ""
    return f"{mode}({listed}){counted}"
