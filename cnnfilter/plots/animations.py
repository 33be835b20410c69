"""The moving picture of a window that slides over a small input while the output fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from cnnfilter.arrays import Array
from cnnfilter.compute.programs import Program
from cnnfilter.errors import ShapeError
from cnnfilter.plots.excerpts import choose_excerpt
from cnnfilter.plots.panels import frame_cells
from cnnfilter.plots.papers import Paper
from cnnfilter.plots.stages import Stage, set_stage
from cnnfilter.plots.windows import frame_window
from cnnfilter.plots.workings import show_work
from cnnfilter.spec.geometry import Pair
from cnnfilter.spec.pools import ChannelPool
from cnnfilter.traces import Explained, Trace, trace

MOST_PANELS = 4
"""How many channels or maps are shown."""

Frame = NDArray[np.uint8]
"""(H, W, 4), RGBA, all of it opaque."""


_MARGIN = 3 / 72
"""Inches beyond a cell that its frame takes."""

Region = tuple[slice, slice]
"""Rows and columns of a frame."""


class Shot(NamedTuple):
    """A frame, whose pixels are another one's once that is asked for, and all regions that differ from the last."""

    pixels: Frame
    changed: list[Region]


class Reel(NamedTuple):
    """A moving picture: how many frames it has, pixels that hold every color of them, and all of them one by one."""

    length: int
    samples: Frame
    shots: Iterator[Shot]


def animate(program: Program, volume: Array, place: Pair | None, title: str, white: float, paper: Paper) -> Reel:
    """Return the moving picture of a convolution or pool at work.

    Parameters
    ----------
    program
        As `convolve` and `pool` make it.
    volume
        (H, W, C): the whole input, of which windows see what they see in a run.
    place
        (row, column) in the input, around which windows are shown; None for all of a small one.
    title, white
        What the input and the kernel are called; the level of white, 0 for a matrix.
    paper
        Where it is drawn, while its frames are taken too.

    Raises
    ------
    ShapeError
        If there are too many channels, maps, or pixels.
    """
    first = trace(program, volume, (0, 0))
    excerpt = choose_excerpt(first.layer, first.shape, first.output, place)
    if not isinstance(first.layer, ChannelPool):
        _check(first)
    traces = [trace(program, volume, (row, column)) for row in excerpt.places[0] for column in excerpt.places[1]]
    outputs = np.stack([traced.results() for traced in traces]).reshape(*excerpt.size, -1)
    one = Explained(traces[0], outputs[0, 0], title, volume, outputs, excerpt.corner, white, [])
    stage = set_stage(one, traces, excerpt, paper)
    return Reel(len(traces), _sample(stage, traces, outputs), _play(stage, traces, outputs))


def _check(traced: Trace) -> None:
    """Raise a `ShapeError` if there are too many panels to be read."""
    panels = max(len(traced.weighings), traced.shape[2], traced.output[2])
    if panels > MOST_PANELS:
        raise ShapeError(
            f"{panels} channels and maps are too many to animate, which goes up to {MOST_PANELS}; --channels gray or "
            "sum, and one kernel, make fewer"
        )


def _pixels(stage: Stage) -> Frame:
    """Return the pixels of the canvas, which change when it is drawn on, and it when they do."""
    canvas: Any = stage.paper.figure.canvas  # Agg's, whose methods for parts of a figure have no types
    return np.asarray(canvas.buffer_rgba())


def _sample(stage: Stage, traces: list[Trace], outputs: Array) -> Frame:
    """Return an empty frame above one with everything in it, and leave the stage empty as it was."""
    stage.paper.figure.canvas.draw()
    pixels = _pixels(stage)
    empty = pixels.copy()
    for traced in traces:
        _fill(stage, traced.place)
    _point(stage, traces[-1], outputs[-1, -1])
    samples = np.concatenate([empty, pixels])
    pixels[:] = empty
    return samples


def _play(stage: Stage, traces: list[Trace], outputs: Array) -> Iterator[Shot]:
    """Yield the frames: each window in turn, its value in the output from then on."""
    pixels = _pixels(stage)
    before: list[Region] = [(slice(0, pixels.shape[0]), slice(0, pixels.shape[1]))]
    for traced, values in zip(traces, outputs.reshape(len(traces), -1), strict=True):
        _fill(stage, traced.place)
        regions = list(_find_regions(stage, traced, pixels))
        filled = [pixels[region].copy() for region in regions]
        _point(stage, traced, values)
        yield Shot(pixels, before + regions)
        for region, part in zip(regions, filled, strict=True):
            pixels[region] = part
        before = regions


def _find_regions(stage: Stage, traced: Trace, pixels: Frame) -> Iterator[Region]:
    """Yield where a window, its value and the words are drawn."""
    height, width = pixels.shape[:2]
    margin = int(stage.paper.figure.dpi * _MARGIN) + 2
    reach = traced.reach
    window = reach.rows[0], reach.columns[0], reach.rows[-1] + 1, reach.columns[-1] + 1
    cell = *traced.place, traced.place[0] + 1, traced.place[1] + 1
    placed = [(axes, window) for axes in stage.inputs] + [(board.axes, cell) for board in stage.outputs]
    for axes, (top, left, bottom, right) in placed:
        (west, north), (east, south) = axes.transData.transform([(left - 0.5, top - 0.5), (right - 0.5, bottom - 0.5)])
        rows = slice(max(int(height - north) - margin, 0), max(int(height - south) + margin, 0))
        yield rows, slice(max(int(west) - margin, 0), max(int(east) + margin, 0))
    top = int((1 - stage.words.get_position()[1]) * height)
    yield slice(max(top - margin, 0), height), slice(0, width)


def _draw(axes: Axes, artist: Artist) -> None:
    """Draw one thing over what is there, and forget it."""
    axes.draw_artist(artist)
    artist.remove()


def _fill(stage: Stage, place: Pair) -> None:
    """Draw the values at a place of the outputs."""
    for board in stage.outputs:
        row, column = place[0] - board.corner[0], place[1] - board.corner[1]
        number = row * board.columns + column
        style: dict[str, Any] = {"facecolor": board.colors[number], "edgecolor": "#888888", "linewidth": 0.4}
        cell = Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, **style)
        board.axes.add_artist(cell)
        _draw(board.axes, cell)
        if board.points:
            style = {"ha": "center", "va": "center", "fontsize": board.points, "color": board.inks[number]}
            _draw(board.axes, board.axes.text(place[1], place[0], board.words[number], **style))


def _point(stage: Stage, traced: Trace, values: Array) -> None:
    """Frame the window and the value that it gives, and write how."""
    for axes in stage.inputs:
        for frame in frame_window(axes, traced.reach):
            _draw(axes, frame)
    for board in stage.outputs:
        _draw(board.axes, frame_cells(board.axes, *traced.place, 1, 1))
    stage.words.set_text("\n".join(show_work(traced, values, stage.letters)))
    stage.paper.figure.draw_artist(stage.words)
