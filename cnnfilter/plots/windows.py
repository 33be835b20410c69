"""An explained value as a figure: the window in the input, the kernel, the products, the value in the output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Array, Doubles
from cnnfilter.errors import ShapeError
from cnnfilter.numbers import show_short
from cnnfilter.plots.displays import GRAYS, SIGNED, Display, display_weights, find_odd, show_end
from cnnfilter.plots.panels import draw_pixels, frame_cells, mark_axes, write_numbers
from cnnfilter.plots.papers import Box, Paper
from cnnfilter.plots.views import SUBSTANTIAL
from cnnfilter.spec.geometry import Pair
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.pools import ChannelPool, Pool
from cnnfilter.traces import Explained, Reach, Trace, Weighing, find_picked, find_sources, read_values, span_around

MOST_ROWS = 12
"""More channels and maps cannot be read in one figure."""

_CELL, _HEAD, _FOOT = 2.5, 0.35, 0.3
_GAP = 0.55


class Line(NamedTuple):
    """A row of panels: a channel of the input, the map that it goes into, its place among the map's channels.

    `last` says whether the map is complete with it, and drawn.
    """

    explained: Explained
    channel: int
    map: int
    place: int = 0
    weighing: Weighing | None = None
    last: bool = True


def draw_windows(explained: Sequence[Explained], name: str, paper: Paper) -> None:
    """Draw how values come about, a row for each channel of each map.

    Raises
    ------
    ShapeError
        If there are too many rows to be read.
    """
    lines = [line for one in explained for line in _lines(one)]
    if len(lines) > MOST_ROWS:
        raise ShapeError(
            f"{len(lines)} channels and maps are too many for one figure, which holds {MOST_ROWS}; "
            "--explain without --plot prints them"
        )
    columns = 4 if any(line.weighing for line in lines) else 3
    heights = [_CELL * _ratio(line) for line in lines]
    paper.lay_out(0.4 + sum(heights) + (_HEAD + _FOOT) * len(lines), columns * (_CELL + _GAP) + 0.5)
    head = f"{PurePath(name).name}: output [{','.join(map(str, explained[0].traced.place))}]"
    paper.text(_GAP, 0.12, head, fontsize=11 * paper.zoom)
    top = 0.4
    for line, height in zip(lines, heights, strict=True):
        boxes = [Box(_GAP + column * (_CELL + _GAP), top + _HEAD, _CELL, height) for column in range(columns)]
        _draw_line(paper, boxes, line)
        top += height + _HEAD + _FOOT


def _ratio(line: Line) -> float:
    """Return the ratio of height to width that the tallest panel of a row has, at most 1."""
    traced = line.explained.traced
    rows, columns = _spans(traced)
    shapes = [(len(rows), len(columns)), traced.values.shape[:2], line.explained.outputs.shape[:2]]
    return float(min(1.0, max(1 / 8, *(height / width for height, width in shapes))))


def _spans(traced: Trace) -> tuple[range, range]:
    """Return which rows and columns of the input are drawn."""
    reach, shape = traced.reach, traced.shape
    return (
        span_around(int(reach.rows[0]), int(reach.rows[-1]), shape[0]),
        span_around(int(reach.columns[0]), int(reach.columns[-1]), shape[1]),
    )


def _lines(one: Explained) -> Iterator[Line]:
    """Yield the rows for a result: of a convolution for each channel that a map adds up."""
    for number, weighing in enumerate(one.traced.weighings):
        combined = len(one.traced.weighings) // len(one.outcome) if len(one.outcome) else 1
        for place, channel in enumerate(weighing.channels):
            last = place == len(weighing.channels) - 1 and number % combined == combined - 1
            yield Line(one, channel, number // combined, place, weighing, last)
    if not one.traced.weighings:
        together = isinstance(one.traced.layer, ChannelPool)
        for channel in range(one.traced.shape[2]):
            last = not together or channel == one.traced.shape[2] - 1
            yield Line(one, channel, 0 if together else channel, last=last)


def _draw_line(paper: Paper, boxes: list[Box], line: Line) -> None:
    _draw_window(paper, boxes[0], line)
    traced, weighing = line.explained.traced, line.weighing
    if weighing is None:
        _draw_chosen(paper, boxes[1], line)
    else:
        kernel = weighing.weights[:, :, line.place]
        _sign(paper, boxes[0], "×")
        name = PurePath(weighing.kernel).name if len(weighing.kernel) < 20 else "kernel"
        slices = f", slice {line.place}" if len(weighing.channels) > 1 else ""
        draw_cells(paper, boxes[1], display_weights(weighing.weights)._replace(pixels=kernel), f"{name}{slices}")
        _sign(paper, boxes[1], "=")
        products = traced.products(weighing)[:, :, line.place]
        reach = float(np.abs(products[np.isfinite(products)]).max(initial=0)) or 1.0
        display = Display(products, colormap=SIGNED, norm=Normalize(-reach, reach), odd=find_odd(products))
        draw_cells(paper, boxes[2], display, f"products, sum {show_end(float(products.sum()))}")
    if line.last:
        _sign(paper, boxes[-2], "→")
        _draw_output(paper, boxes[-1], line)


def _sign(paper: Paper, box: Box, sign: str) -> None:
    """Write a sign between a box and the next one."""
    paper.text(
        box.left + box.width + 0.13, box.top + box.height / 2, sign, fontsize=15 * paper.zoom, ha="center", va="center"
    )


def draw_cells(paper: Paper, box: Box, display: Display, title: str, first: Pair = (0, 0)) -> tuple[Axes, Box]:
    """Draw cells with their numbers, the first of them at a (row, column), and return the axes and their box."""
    rows, columns = display.pixels.shape[:2]
    place = paper.square(box, rows / columns)
    axes = paper.axes(place)
    draw_pixels(axes, display, (rows, columns))
    for image in axes.images:
        image.set_extent((first[1] - 0.5, first[1] + columns - 0.5, first[0] + rows - 0.5, first[0] - 0.5))
    points = write_numbers(paper, place, axes, display, display.pixels)
    for text in axes.texts:
        column, row = text.get_position()
        text.set_position((column + first[1], row + first[0]))
    if points:
        draw_grid(axes, first, (rows, columns))
    for axis, size, start in ((axes.yaxis, rows, first[0]), (axes.xaxis, columns, first[1])):
        high, wide = paper.real(place)
        room = (high / 0.2 if axis is axes.yaxis else wide / 0.32) / paper.zoom
        step = max(1, ceil(size / max(room, 1)))
        axis.set_ticks(range(start, start + size, step))
    mark_axes(paper, axes)
    words = axes.set_title(" ", loc="left", fontsize=9 * paper.zoom, pad=4 * paper.zoom)
    paper.break_lines(words, "", [title], (_HEAD - 0.05, box.width + _GAP - 0.15))
    return axes, place


def draw_grid(axes: Axes, first: Pair, size: Pair) -> None:
    """Draw thin lines between cells, without marks at the axes."""
    for axis, start, count in ((axes.yaxis, first[0], size[0]), (axes.xaxis, first[1], size[1])):
        axis.set_ticks([start + number - 0.5 for number in range(1, count)], minor=True)
    axes.grid(which="minor", color="#888888", linewidth=0.4)
    axes.tick_params(which="minor", length=0)


def read_channel(traced: Trace, colors: Array, channel: int, rows: range, columns: range) -> Doubles:
    """Return part of a channel of the input, (rows, columns), padding as the border has it, or nan for a pool."""
    spans = zip((rows, columns), traced.shape, strict=False)
    places = [find_sources(np.array(span), size, traced.layer) for span, size in spans]
    return read_values(colors, places[0], places[1], traced.layer, gray=traced.gray)[:, :, channel]


def hatch_padding(axes: Axes, rows: range, columns: range, shape: Shape) -> None:
    """Lay light, hatched cells over what lies beyond the input, below its numbers."""
    top, left, bottom, right = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    parts = [
        (top, left, 0, right),
        (shape[0], left, bottom, right),
        (0, left, shape[0], 0),
        (0, shape[1], shape[0], right),
    ]
    for high, near, low, far in parts:
        if low > high and far > near:
            _hatch(axes, high, near, low, far)
    for text in axes.texts:
        column, row = text.get_position()
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            text.set_color("#666666")


def _hatch(axes: Axes, top: int, left: int, bottom: int, right: int) -> None:
    """Lay light, hatched cells over some."""
    cells = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, zorder=1, linewidth=0)
    cells.set(facecolor="#f4f4f4", edgecolor="#d8d8d8", hatch="///")
    axes.add_patch(cells)


def draw_input(paper: Paper, box: Box, one: Explained, channel: int, values: Doubles, first: Pair) -> Axes:
    """Draw part of a channel of the input, (rows, columns), the first of them at a (row, column)."""
    shape = one.traced.shape
    display = display_input(values, one, _within(values.shape, first, shape))
    of = f", channel {channel}" if shape[2] > 1 else ", luma" if one.traced.gray else ""
    return draw_cells(paper, box, display, f"input {shape[0]}x{shape[1]}{of}", first)[0]


def _within(size: Pair, first: Pair, shape: Shape) -> Array:
    """Return of (rows, columns) of cells, the first of them at a (row, column), which lie in an input of a shape."""
    inside = [
        (first[axis] + np.arange(size[axis]) >= 0) & (first[axis] + np.arange(size[axis]) < shape[axis])
        for axis in (0, 1)
    ]
    return np.logical_and.outer(*inside)


def display_input(values: Doubles, one: Explained, inside: Array) -> Display:
    """Return how part of an input is drawn: as a plain figure draws all of it; padding is told by `inside`."""
    finite = one.colors[np.isfinite(one.colors)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    odd = find_odd(values) * inside
    if low < 0 and (not one.white or -finite[finite < 0].sum() > SUBSTANTIAL * np.abs(finite).sum()):
        reach = max(-low, high)
        return Display(values, colormap=SIGNED, norm=Normalize(-reach, reach), odd=odd)
    if one.white:
        return Display(values, colormap=GRAYS, norm=Normalize(0, one.white), odd=odd)
    return Display(values, colormap=GRAYS, norm=Normalize(0, high or 1.0), odd=odd)


def _draw_window(paper: Paper, box: Box, line: Line) -> None:
    """Draw the input with the window framed, and what lies in the padding hatched."""
    traced = line.explained.traced
    reach, shape = traced.reach, traced.shape
    rows, columns = _spans(traced)
    values = read_channel(traced, line.explained.colors, line.channel, rows, columns)
    axes = draw_input(paper, box, line.explained, line.channel, values, (rows[0], columns[0]))
    hatch_padding(axes, rows, columns, shape)
    _dim_skipped(axes, reach)
    _scale_lines(paper, frame_window(axes, reach))


def frame_window(axes: Axes, reach: Reach) -> list[Rectangle]:
    """Frame what a window spans; under a dilated one dashed, and each place that it sees."""
    height, width = reach.rows[-1] - reach.rows[0] + 1, reach.columns[-1] - reach.columns[0] + 1
    frames = [frame_cells(axes, reach.rows[0], reach.columns[0], height, width)]
    if height * width > len(reach.rows) * len(reach.columns):
        frames[0].set(linewidth=1.0, linestyle="--")
        cells = [frame_cells(axes, row, column, 1, 1) for row in reach.rows for column in reach.columns]
        for cell in cells:
            cell.set_linewidth(2.0)
        frames += cells
    return frames


def _scale_lines(paper: Paper, frames: Sequence[Rectangle]) -> None:
    """Make frames as much thinner as letters are smaller."""
    for frame in frames:
        frame.set_linewidth(frame.get_linewidth() * paper.zoom)


def _dim_skipped(axes: Axes, reach: Reach) -> None:
    """Lay white haze over the cells that a dilated window passes over."""
    seen = {(int(row), int(column)) for row in reach.rows for column in reach.columns}
    for row in range(int(reach.rows[0]), int(reach.rows[-1]) + 1):
        for column in range(int(reach.columns[0]), int(reach.columns[-1]) + 1):
            if (row, column) not in seen:
                haze = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="white", alpha=0.65, linewidth=0, zorder=4)
                axes.add_patch(haze)


def _draw_chosen(paper: Paper, box: Box, line: Line) -> None:
    """Draw the window of a pool alone, the value that wins framed."""
    one = line.explained
    values = one.traced.values[:, :, line.channel]
    display = display_input(values, one, one.traced.inside)
    layer = one.traced.layer
    mode = getattr(layer, "mode", "")
    axes, _ = draw_cells(paper, box, display, f"window, {mode}")
    for row, column in np.argwhere(~one.traced.inside):
        _hatch(axes, row, column, row + 1, column + 1)
    if isinstance(layer, Pool) and (place := find_picked(layer.mode, values)):
        _scale_lines(paper, [frame_cells(axes, *place, 1, 1)])


def _draw_output(paper: Paper, box: Box, line: Line) -> None:
    """Draw the output, its value framed, with what was added to the sum."""
    one = line.explained
    values = np.asarray(one.outputs[:, :, line.map], dtype=np.float64)
    display = display_output(values, one)._replace(odd=find_odd(values))
    axes, _ = draw_cells(paper, box, display, _output_title(line), one.corner)
    _scale_lines(paper, [frame_cells(axes, *one.traced.place, 1, 1)])


def display_output(values: Doubles, one: Explained) -> Display:
    """Return how outputs are drawn: around 0 where some are negative, else from black on."""
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() < 0:
        reach = float(np.abs(finite).max())
        return Display(values, colormap=SIGNED, norm=Normalize(-reach, reach))
    most = max(float(finite.max(initial=0)), one.white, 1e-9)
    return Display(values, colormap=GRAYS, norm=Normalize(0, most))


def _output_title(line: Line) -> str:
    one = line.explained
    number = f",{line.map}" if len(one.outcome) > 1 else ""
    biased = line.weighing and line.weighing.bias and not _channel_sums(line)
    added = f", bias {show_short(line.weighing.bias)}" if line.weighing and biased else ""
    functions = "".join(f", {activation.op}" for activation in one.traced.activations)
    functions = (f", {one.traced.combination.op}" if one.traced.combination else "") + functions
    place = ",".join(map(str, one.traced.place))
    return f"output [{place}{number}] = {_channel_sums(line)}{show_end(float(one.outcome[line.map]))}{added}{functions}"


def _channel_sums(line: Line) -> str:
    """Return the sums of a convolution's channels, or the empty string for one, or where they are not the result."""
    traced, weighing = line.explained.traced, line.weighing
    if weighing is None or len(weighing.channels) == 1 or traced.combination or traced.activations:
        return ""
    sums = traced.products(weighing).sum(axis=(0, 1))
    bias = [weighing.bias] if weighing.bias else []
    first, *others = [show_short(float(number)) for number in [*sums, *bias]]
    return first + "".join(f" - {other[1:]}" if other.startswith("-") else f" + {other}" for other in others) + " = "
