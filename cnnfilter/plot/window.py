"""An explained value as a figure: the window in the input, the kernel, the products, the value in the output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Array, Doubles
from cnnfilter.errors import ShapeError
from cnnfilter.explain.trace import Explained, Reach, Trace, Weighing, find_picked, find_reach, read_values, span_around
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.other_layers import ChannelPool, Pool
from cnnfilter.numbers import show_sum
from cnnfilter.plot.cells import write_numbers
from cnnfilter.plot.panel import draw_pixels
from cnnfilter.plot.sheet import FRAME, Box, Paper
from cnnfilter.plot.view import GRAYS, SIGNED, Display, find_odd, lies_below, symmetric

MOST_ROWS = 12
"""More channels and maps cannot be read in one figure."""

_CELL, _HEAD, _FOOT, _GAP = 2.5, 0.35, 0.3, 0.55
"""Inches of a panel, above, below and beside it."""

Numbers = Callable[[Axes, float, Display, Pair], str | None]
"""Writes numbers into cells, by their zoom, the first at a (row, column), and returns how; None: there are no lines."""


class _Row(NamedTuple):
    """A row of panels: a channel, its map, its place among the map's channels; with the `last` the map is drawn too.

    The products of all rows have one scale, up to `reach`.
    """

    one: Explained
    channel: int
    map: int
    place: int = 0
    weighing: Weighing | None = None
    last: bool = True
    reach: float = 1.0


def draw_windows(explained: Sequence[Explained], name: str, paper: Paper) -> None:
    """Draw how values come about, a row for each channel of each map; raise a `ShapeError` if these are too many."""
    products = [one.traced.products(weighing) for one in explained for weighing in one.traced.weighings]
    reach = max((float(symmetric(part).vmax or 1.0) for part in products), default=1.0)
    rows = [row._replace(reach=reach) for one in explained for row in _rows(one)]
    if len(rows) > MOST_ROWS:
        raise ShapeError(
            f"{len(rows)} channels and maps are too many for one figure, which holds {MOST_ROWS}; "
            "--explain without --plot prints them"
        )
    columns = 4 if any(row.weighing for row in rows) else 3
    heights = [_CELL * _ratio(row.one) for row in rows]
    paper.lay_out(0.4 + sum(heights) + (_HEAD + _FOOT) * len(rows), columns * (_CELL + _GAP) + 0.5)
    head = f"{PurePath(name).name}: output [{','.join(map(str, explained[0].traced.place))}]"
    paper.text(_GAP, 0.12, head, 11)
    top = 0.4 + _HEAD
    for row, height in zip(rows, heights, strict=True):
        _draw_row(paper, [Box(_GAP + at * (_CELL + _GAP), top, _CELL, height) for at in range(columns)], row)
        top += height + _HEAD + _FOOT


def _ratio(one: Explained) -> float:
    """Return the ratio of height to width that the tallest panel of a row has, at most 1."""
    shapes = [tuple(map(len, _spans(one.traced))), one.traced.values.shape, one.outputs.shape]
    return float(min(1.0, max(1 / 8, *(shape[0] / shape[1] for shape in shapes))))


def _spans(traced: Trace) -> tuple[range, range]:
    """Return which rows and columns of the input are drawn."""
    taps = zip((traced.reach.rows, traced.reach.columns), traced.shape[:2], strict=True)
    rows, columns = (span_around(int(places[0]), int(places[-1]), size) for places, size in taps)
    return rows, columns


def _rows(one: Explained) -> Iterator[_Row]:
    """Yield the rows for a result: of a convolution for each channel that a map adds up."""
    combined = max(1, len(one.traced.weighings) // max(1, len(one.outcome)))
    for number, weighing in enumerate(one.traced.weighings):
        for place, channel in enumerate(weighing.channels):
            last = place == len(weighing.channels) - 1 and number % combined == combined - 1
            yield _Row(one, channel, number // combined, place, weighing, last)
    if not one.traced.weighings:
        together, channels = isinstance(one.traced.layer, ChannelPool), one.traced.shape[2]
        for channel in range(channels):
            last = not together or channel == channels - 1
            yield _Row(one, channel, 0 if together else channel, last=last)


def _draw_row(paper: Paper, boxes: list[Box], row: _Row) -> None:
    _draw_window(paper, boxes[0], row)
    weighing = row.weighing
    if weighing is None:
        _draw_pooled(paper, boxes[1], row)
    else:
        kernel = weighing.weights[:, :, row.place]
        _sign(paper, boxes[0], "×")
        name = PurePath(weighing.kernel).name if len(weighing.kernel) < 20 else "kernel"
        slices = f", slice {row.place}" if len(weighing.channels) > 1 else ""
        display = Display(kernel, colormap=SIGNED, norm=symmetric(weighing.weights))
        draw_cells(paper, boxes[1], display, f"{name}{slices}")
        _sign(paper, boxes[1], "=")
        products = row.one.traced.products(weighing)[:, :, row.place]
        norm = Normalize(-row.reach, row.reach)
        display = Display(products, colormap=SIGNED, norm=norm, odd=find_odd(products))
        draw_cells(paper, boxes[2], display, f"products, sum {_show_alone(products.sum())}")
    if row.last:
        _sign(paper, boxes[-2], "→")
        one = row.one
        values = np.asarray(one.outputs[:, :, row.map], dtype=np.float64)
        display = display_output(values, one)._replace(odd=find_odd(values))
        axes = draw_cells(paper, boxes[-1], display, _output_title(row), one.corner)
        frame_cells(axes, one.traced.place, paper.zoom)


def _sign(paper: Paper, box: Box, sign: str) -> None:
    """Write a sign to the right of the panel in a box, which a figure of another shape does not fill."""
    box = paper.square(box, box.height / box.width)
    paper.text(box.left + box.width + 0.13, box.top + box.height / 2, sign, 15, ha="center", va="center")


def draw_cells(
    paper: Paper, box: Box, display: Display, title: str, first: Pair = (0, 0), numbers: Numbers = write_numbers
) -> Axes:
    """Draw cells with their numbers, the first of them at a (row, column)."""
    rows, columns = display.pixels.shape[:2]
    place = paper.square(box, rows / columns)
    axes = paper.axes(place)
    draw_pixels(axes, display, (rows, columns), first)
    note = numbers(axes, paper.zoom, display, first)
    lined = note is not None
    high, wide = paper.real(place)
    sides = (axes.yaxis, rows, first[0], high / 0.2), (axes.xaxis, columns, first[1], wide / 0.32)
    for axis, size, start, room in sides:
        axis.set_ticks(range(start, start + size, max(1, ceil(size / max(room / paper.zoom, 1)))))
        if lined:
            axis.set_ticks(np.arange(start + 0.5, start + size - 1), minor=True)
    if lined:
        axes.grid(which="minor", color="#888888", linewidth=0.4)
        axes.tick_params(which="minor", length=0)
    paper.title(axes, "", [title, *filter(None, [note])], (_HEAD - 0.05, box.width + _GAP - 0.15))
    return axes


def read_channel(traced: Trace, colors: Array, channel: int, rows: range, columns: range) -> Doubles:
    """Return part of a channel of the input, (rows, columns), padding as the border has it, or nan for a pool."""
    reach = find_reach(np.array(rows), np.array(columns), traced.shape, traced.layer)
    return read_values(colors, reach, traced.layer, gray=traced.gray)[:, :, channel]


def hatch_cells(axes: Axes, top: int, left: int, bottom: int, right: int, hatch: str = "///") -> None:
    """Lay light, hatched cells over some, if there are any, below their numbers."""
    if bottom > top and right > left:
        cells = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, zorder=1, linewidth=0)
        cells.set(facecolor="#f4f4f4", edgecolor="#d8d8d8", hatch=hatch)
        axes.add_patch(cells)


def draw_input(
    paper: Paper, box: Box, one: Explained, channel: int, span: tuple[range, range], numbers: Numbers = write_numbers
) -> Axes:
    """Draw rows and columns of a channel of the input with their numbers, what is beyond it hatched."""
    rows, columns = span
    height, width, channels = one.traced.shape
    values = read_channel(one.traced, one.colors, channel, rows, columns)
    inside = np.logical_and.outer([0 <= row < height for row in rows], [0 <= column < width for column in columns])
    of = f", channel {channel}" if channels > 1 else ", luma" if one.traced.gray else ""
    display = display_input(values, one, inside)
    axes = draw_cells(paper, box, display, f"input {height}x{width}{of}", (rows[0], columns[0]), numbers)
    top, left, bottom, right = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    for area in ((top, left, 0, right), (height, left, bottom, right), (0, left, height, 0), (0, width, height, right)):
        hatch_cells(axes, *area)
    for text in axes.texts:
        column, row = text.get_position()
        if not (0 <= row < height and 0 <= column < width):
            text.set_color("#666666")
    return axes


def display_input(values: Doubles, one: Explained, inside: Array) -> Display:
    """Return how part of an input is drawn: as a plain figure draws all of it; what is not `inside` is padding."""
    finite = one.colors[np.isfinite(one.colors)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    signed = low < 0 and (not one.white or lies_below(finite))
    reach = max(-low, high)
    norm = Normalize(-reach, reach) if signed else Normalize(0, one.white or high or 1.0)
    return Display(values, colormap=SIGNED if signed else GRAYS, norm=norm, odd=find_odd(values) * inside)


def _draw_window(paper: Paper, box: Box, row: _Row) -> None:
    """Draw the input with the window framed, and white haze over the cells that a dilated one leaves out."""
    reach = row.one.traced.reach
    axes = draw_input(paper, box, row.one, row.channel, _spans(row.one.traced))
    for y in range(reach.rows[0], reach.rows[-1] + 1):
        for x in range(reach.columns[0], reach.columns[-1] + 1):
            if y not in reach.rows or x not in reach.columns:
                haze = Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="white", alpha=0.65, linewidth=0, zorder=4)
                axes.add_patch(haze)
    frame_window(axes, reach, paper.zoom)


def frame_window(axes: Axes, reach: Reach, zoom: float) -> list[Rectangle]:
    """Frame what a window spans; under a dilated one dashed, and each place that it sees."""
    rows, columns = reach.rows, reach.columns
    size = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    span = frame_cells(axes, (rows[0], columns[0]), zoom, size)
    if size == (len(rows), len(columns)):
        return [span]
    span.set(linestyle="--", linewidth=zoom)
    return [span, *(frame_cells(axes, (row, column), 0.8 * zoom) for row in rows for column in columns)]


def frame_cells(axes: Axes, first: Pair, zoom: float, size: Pair = (1, 1)) -> Rectangle:
    """Frame (height, width) cells, the first at a (row, column), by a line of 2.5 points times the zoom."""
    corner = first[1] - 0.5, first[0] - 0.5
    style: dict[str, Any] = {"edgecolor": FRAME, "linewidth": 2.5 * zoom, "zorder": 5, "clip_on": False}
    frame = Rectangle(corner, size[1], size[0], fill=False, **style)
    axes.add_patch(frame)
    return frame


def _draw_pooled(paper: Paper, box: Box, row: _Row) -> None:
    """Draw the window of a pool alone, the value that wins framed."""
    traced, layer = row.one.traced, row.one.traced.layer
    values = traced.values[:, :, row.channel]
    display = display_input(values, row.one, traced.inside)
    axes = draw_cells(paper, box, display, f"window, {getattr(layer, 'mode', '')}")
    for y, x in np.argwhere(~traced.inside):
        hatch_cells(axes, y, x, y + 1, x + 1)
    if isinstance(layer, Pool) and (picked := find_picked(layer.mode, values, traced.inside)):
        frame_cells(axes, picked, paper.zoom)


def display_output(values: Doubles, one: Explained) -> Display:
    """Return how outputs are drawn: around 0 where some are negative, else from black on."""
    finite = values[np.isfinite(values)]
    signed = finite.min(initial=0) < 0
    most = max(float(np.abs(finite).max(initial=0)), 0.0 if signed else one.white, 1e-9)
    return Display(values, colormap=SIGNED if signed else GRAYS, norm=Normalize(-most if signed else 0, most))


def _output_title(row: _Row) -> str:
    """Return where a value is, what it is, and what made it of the products: its channels, biases, the functions."""
    one, traced, weighing = row.one, row.one.traced, row.weighing
    terms = list[float]()
    if weighing and len(weighing.channels) > 1 and not traced.functions:
        terms = [*traced.products(weighing).sum(axis=(0, 1)).tolist(), *([weighing.bias] if traced.is_biased else [])]
    added = [_show_biases(row)] if traced.is_biased and not terms else []
    place = ",".join(map(str, (*traced.place, row.map) if len(one.outcome) > 1 else traced.place))
    value = f"output [{place}] {show_sum(terms, float(one.outcome[row.map]))}"
    return ", ".join([value, *added, *(function.op for function in traced.functions)])


def _show_biases(row: _Row) -> str:
    """Return the bias of a map, or those of the maps that were combined into it, where they differ."""
    weighings, maps = row.one.traced.weighings, len(row.one.outcome)
    each = len(weighings) // maps
    biases = [weighing.bias for weighing in weighings[row.map * each : (row.map + 1) * each]]
    if len(set(biases)) == 1:
        return f"bias {_show_alone(biases[0])}"
    return f"biases {', '.join(map(_show_alone, biases))}"


def _show_alone(number: float) -> str:
    """Return a number, behind `≈` where digits are left out."""
    return show_sum([], number).removeprefix("= ")
