"""What a moving picture is drawn on: the input, the kernel, the output that is still empty."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from cnnfilter.arrays import Doubles
from cnnfilter.numbers import show_short
from cnnfilter.plots.displays import display_weights
from cnnfilter.plots.excerpts import Excerpt
from cnnfilter.plots.panels import find_inks, number_points
from cnnfilter.plots.papers import LEAST_POINTS, POINTS, Box, Paper
from cnnfilter.plots.windows import display_output, draw_cells, draw_grid, draw_input, hatch_padding, read_channel
from cnnfilter.plots.workings import show_work
from cnnfilter.spec.geometry import Pair, show_pair
from cnnfilter.traces import Explained, Trace

_HEAD, _GAP, _LINE, _FOOT = 0.75, 0.5, 0.17, 0.2
_LEAST, _MOST = 3.2, 8.5
"""The longer side of a panel, in inches, where there is one row of them; of several rows each has less."""

_LEAST_KERNEL, _MOST_KERNEL = 1.45, 3.2
_TITLE = 2.0
"""The least width of a panel, which its title has too."""

_POINTS = 9
"""The size of the letters below the panels, all of one width."""

_WANTED = 8.0
"""Numbers in cells are to be as large as this, as far as panels may grow."""

_LONGEST = 6
"""Panels need not grow for longer numbers: these are shortened."""

_EASY = 6.5
"""Numbers smaller than this are rather written in fewer digits."""

_EMPTY = "#f4f4f4", "#d8d8d8"
"""Of cells that hold no value yet, and of their hatching."""


class Board(NamedTuple):
    """A map of the output.

    Parameters
    ----------
    axes, corner, columns
        Its panel, its first place, and how many cells a row has.
    colors, words, inks
        Of each cell, row by row.
    points
        The size of the letters; 0 for none.
    """

    axes: Axes
    corner: Pair
    columns: int
    colors: Doubles
    words: list[str]
    points: float
    inks: list[str]


class Stage(NamedTuple):
    """What the frames are drawn on: inputs and outputs, and where numbers are written, so many letters in a line."""

    paper: Paper
    inputs: list[Axes]
    outputs: list[Board]
    words: Text
    letters: int


class _Panel(NamedTuple):
    """Values, and the (height, width) in inches that they are drawn in."""

    values: Doubles
    size: tuple[float, float]


def set_stage(one: Explained, traces: Sequence[Trace], excerpt: Excerpt, paper: Paper) -> Stage:
    """Draw what stays, and return where the rest goes.

    Parameters
    ----------
    one
        A window at work, and the values of the output that are shown.
    traces, excerpt
        How each of these comes about, and which they are.
    paper
        Empty.
    """
    traced = one.traced
    channels, maps = traced.shape[2], one.outputs.shape[2]
    rows = max(channels, maps)
    least, most = (_LEAST, _MOST) if rows == 1 else (2.2, 4.5)
    inputs = [
        _measure(read_channel(traced, one.colors, channel, *excerpt.seen), least, most) for channel in range(channels)
    ]
    outputs = [_measure(np.asarray(one.outputs[:, :, number], np.float64), least, most) for number in range(maps)]
    slices = _slices(one)
    kernel = max((_measure(values, _LEAST_KERNEL, _MOST_KERNEL).size[1] for _, values in slices), default=-_GAP)
    high = max(panel.size[0] for panel in (*inputs, *outputs))
    inputs, outputs = ([_grow(panel, high, most) for panel in panels] for panels in (inputs, outputs))
    wide, far = _widest(inputs), _widest(outputs)
    if len(slices) == 1:
        high = max(high, _measure(slices[0][1], _LEAST_KERNEL, _MOST_KERNEL).size[0])
    width = 4 * _GAP + wide + kernel + far
    below = _HEAD + rows * (high + _GAP)
    letters = _count_letters(width - 2 * _GAP, paper)
    paper.lay_out(below + _count_lines(one, traces, letters) * _LINE + _FOOT, width)
    part = excerpt.describe(traced.shape)
    title = f"{one.title}{': ' if part else ''}{part}"
    paper.break_lines(paper.text(_GAP, 0.14, title, fontsize=11), title, [], (0.25, width - 2 * _GAP))
    axes = [
        _draw_input(paper, Box(_GAP, _HEAD + channel * (high + _GAP), wide, panel.size[0]), one, channel, excerpt)
        for channel, panel in enumerate(inputs)
    ]
    _draw_kernels(paper, slices, Box(2 * _GAP + wide, _HEAD, kernel, rows * (high + _GAP)))
    boards = [
        _draw_empty(paper, Box(width - _GAP - far, _HEAD + number * (high + _GAP), far, panel.size[0]), one, number)
        for number, panel in enumerate(outputs)
    ]
    line = paper.text(_GAP, below, "", family="DejaVu Sans Mono", fontsize=_POINTS)
    letters = _count_letters(paper.real(Box(0, 0, width - 2 * _GAP, 1))[1], paper)
    return Stage(paper, axes, boards, line, letters)


def _measure(values: Doubles, least: float, most: float) -> _Panel:
    """Return a panel whose numbers can be read, its longer side between two lengths."""
    rows, columns = values.shape
    longest = max((len(show_short(float(value))) for value in values.ravel() if not np.isnan(value)), default=1)
    cell = _WANTED / POINTS * max(0.62 * min(max(longest, 2), _LONGEST) / 0.9, 1 / 0.55)
    side = min(max(cell * max(rows, columns), least), most)
    return _Panel(values, (side * max(min(1.0, rows / columns), 1 / 8), side * max(min(1.0, columns / rows), 1 / 8)))


def _count_letters(width: float, paper: Paper) -> int:
    """Return how many letters of a line fit into some inches; each takes whole pixels."""
    dpi = paper.figure.dpi
    return int(width * dpi / ceil(0.61 * _POINTS / POINTS * dpi))


def _count_lines(one: Explained, traces: Sequence[Trace], letters: int) -> int:
    """Return how many lines of so many letters the longest account of a window takes."""
    values = one.outputs.reshape(len(traces), -1)
    return max(len(show_work(traced, each, letters)) for traced, each in zip(traces, values, strict=True))


def _grow(panel: _Panel, high: float, most: float) -> _Panel:
    """Return a panel as high as others, so that no space is left below it, as far as its width lets it."""
    factor = min(high / panel.size[0], max(most / panel.size[1], 1.0))
    return panel._replace(size=(panel.size[0] * factor, panel.size[1] * factor))


def _widest(panels: Sequence[_Panel]) -> float:
    return max(_TITLE, *(panel.size[1] for panel in panels))


def _draw_input(paper: Paper, box: Box, one: Explained, channel: int, excerpt: Excerpt) -> Axes:
    """Draw a channel of the input with its numbers, what lies beyond it hatched."""
    rows, columns = excerpt.seen
    values = read_channel(one.traced, one.colors, channel, rows, columns)
    axes = draw_input(paper, box, one, channel, values, (rows[0], columns[0]))
    _write_short(paper, box, axes, values, (rows[0], columns[0]))
    draw_grid(axes, (rows[0], columns[0]), (len(rows), len(columns)))
    hatch_padding(axes, rows, columns, one.traced.shape)
    return axes


def _write_short(paper: Paper, box: Box, axes: Axes, values: Doubles, first: Pair) -> None:
    """Write numbers into cells anew, shorter ones if they can be read better."""
    for text in list(axes.texts):
        text.remove()
    words, points = choose_words(paper, paper.square(box, values.shape[0] / values.shape[1]), values)
    if not points:
        return
    inks = find_inks(axes.images[0], values)
    for (row, column), word, ink in zip(np.ndindex(*values.shape), words, inks, strict=True):
        axes.text(
            column + first[1], row + first[0], word, ha="center", va="center", fontsize=points, color=ink, clip_on=True
        )


def choose_words(paper: Paper, place: Box, values: Doubles) -> tuple[list[str], float]:
    """Return a word for each value, in fewer digits if these can be read better, and the size of letters or 0."""
    found: list[tuple[list[str], float]] = []
    for digits in (3, 2, 1):
        words = ["" if np.isnan(value) else show_short(float(value), digits) for value in values.ravel()]
        points = number_points(paper, place, (values.shape[0], values.shape[1]), words)
        if points >= _EASY:
            return words, points
        found.append((words, points))
    words, points = max(found, key=lambda pair: pair[1])
    return words, points if points >= LEAST_POINTS else 0.0


def _slices(one: Explained) -> list[tuple[str, Doubles]]:
    """Return the titles and weights of the kernel's slices; one that lies on all channels is drawn once."""
    weighings = one.traced.weighings
    several = len(weighings) > 1
    found = [
        ((f"map {map_}, " if several else "kernel, ") + f"slice {number}", weighing.weights[:, :, number])
        for map_, weighing in enumerate(weighings)
        for number in range(len(weighing.channels))
    ]
    if found and all(np.array_equal(part, found[0][1]) for _, part in found):
        return [("kernel", found[0][1])]
    return found


def _draw_kernels(paper: Paper, slices: list[tuple[str, Doubles]], box: Box) -> None:
    """Draw the slices of the kernel beside the channels that they lie on."""
    # The slices of several maps share the height that their channels have.
    step = box.height / max(len(slices), 1)
    for number, (title, part) in enumerate(slices):
        size = _measure(part, _LEAST_KERNEL, _MOST_KERNEL).size
        place = Box(box.left, box.top + number * step, box.width, min(size[0], step - _GAP))
        display = display_weights(np.stack([part for _, part in slices], axis=2))._replace(pixels=part)
        axes, _ = draw_cells(paper, place, display, title)
        _write_short(paper, place, axes, part, (0, 0))
        draw_grid(axes, (0, 0), (part.shape[0], part.shape[1]))


def _draw_empty(paper: Paper, box: Box, one: Explained, number: int) -> Board:
    """Draw a map of the output, all of it hatched: no value is there yet."""
    values = np.asarray(one.outputs[:, :, number], np.float64)
    display = display_output(values, one)
    several = f", map {number}" if one.outputs.shape[2] > 1 else ""
    title = f"output {show_pair((one.traced.output[0], one.traced.output[1]))}{several}; hatched: still empty"
    empty = display._replace(pixels=np.full(values.shape, np.nan))
    axes, place = draw_cells(paper, box, empty, title, one.corner)
    rows, columns = values.shape
    cells = Rectangle((one.corner[1] - 0.5, one.corner[0] - 0.5), columns, rows, zorder=1, linewidth=0)
    cells.set(facecolor=_EMPTY[0], edgecolor=_EMPTY[1], hatch="\\\\\\")
    axes.add_patch(cells)
    draw_grid(axes, one.corner, (rows, columns))
    shades = ScalarMappable(display.norm, display.colormap)
    words, points = choose_words(paper, place, values)
    return Board(axes, one.corner, columns, shades.to_rgba(values.ravel()), words, points, find_inks(shades, values))
