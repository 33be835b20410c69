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
from cnnfilter.plots.scales import find_inks
from cnnfilter.plots.stages import Board, Stage, set_stage
from cnnfilter.plots.windows import frame_window
from cnnfilter.plots.workings import show_work
from cnnfilter.spec.geometry import Pair
from cnnfilter.spec.pools import ChannelPool
from cnnfilter.traces import Explained, Trace, trace

MOST_PANELS = 4
"""How many channels or maps are shown."""

Frame = NDArray[np.uint8]
"""(H, W, 4), RGBA, all of it opaque."""


class Reel(NamedTuple):
    """A moving picture: how many frames it has, pixels that hold every color of them, and all of them one by one."""

    length: int
    samples: Frame
    frames: Iterator[Frame]


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


def _play(stage: Stage, traces: list[Trace], outputs: Array) -> Iterator[Frame]:
    """Yield the frames: each window in turn, its value in the output from then on."""
    pixels = _pixels(stage)
    for traced, values in zip(traces, outputs.reshape(len(traces), -1), strict=True):
        _fill(stage, traced.place)
        filled = pixels.copy()
        _point(stage, traced, values)
        yield pixels.copy()
        pixels[:] = filled


def _draw(axes: Axes, artist: Artist) -> None:
    """Draw one thing over what is there, and forget it."""
    axes.draw_artist(artist)
    artist.remove()


def _fill(stage: Stage, place: Pair) -> None:
    """Draw the values at a place of the outputs."""
    for board in stage.outputs:
        _fill_cell(board, place)


def _fill_cell(board: Board, place: Pair) -> None:
    row, column = place[0] - board.corner[0], place[1] - board.corner[1]
    value = board.display.pixels[row, column]
    color = board.shades.to_rgba(value)
    cell = Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, facecolor=color, edgecolor="#888888", linewidth=0.4)
    board.axes.add_patch(cell)
    _draw(board.axes, cell)
    if board.points:
        ink = find_inks(board.shades, value.reshape(1))[0]
        word = board.words[row * board.display.pixels.shape[1] + column]
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": board.points, "color": ink}
        _draw(board.axes, board.axes.text(place[1], place[0], word, **style))


def _point(stage: Stage, traced: Trace, values: Array) -> None:
    """Frame the window and the value that it gives, and write how."""
    for axes in stage.inputs:
        for frame in frame_window(axes, traced.reach):
            _draw(axes, frame)
    for board in stage.outputs:
        _draw(board.axes, frame_cells(board.axes, *traced.place, 1, 1))
    stage.words.set_text("\n".join(show_work(traced, values, stage.letters)))
    stage.paper.figure.draw_artist(stage.words)
