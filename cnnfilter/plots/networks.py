"""Networks as drawings: volumes as boxes, the layers between them, blocks with their branches, in rows."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.plots.boxes import COLORS, NORMAL, SMALL, Pen, Scales, make_scales, outline, text_width
from cnnfilter.plots.layout import (
    BETWEEN,
    EDGE,
    FORK,
    HEAD,
    JOIN,
    LINE,
    Drawing,
    Row,
    choose_rows,
    key_of,
    lines_of,
    measure_arrow,
    measure_branches,
    measure_lane,
    measure_volume,
    places_of,
    size_of,
)
from cnnfilter.plots.sheets import Sheet, set_size
from cnnfilter.plots.steps import Step, walk_steps
from cnnfilter.spec.layers import Shape, show_shape
from cnnfilter.telling import warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLEST_TEXT = 4.0
"""Points below which a remark says that a larger figure would be better read."""


class Span(NamedTuple):
    """From where to where a box goes, and where its room ends."""

    left: float
    right: float
    end: float


def draw_network(figure: Figure, sheet: Sheet, drawing: Drawing) -> None:
    """Draw a network, its volumes to scale.

    Parameters
    ----------
    figure
        An empty one.
    sheet
        What was asked for; of it the size matters.
    drawing
        The network.
    """
    scales = make_scales([drawing.input, *(step.shape for step in walk_steps(drawing.steps))])
    rows = choose_rows(drawing, scales, sheet.size)
    width, height = size_of(rows, drawing)
    zoom = set_size(figure, sheet, (height, width)).zoom
    if zoom * SMALL < SMALLEST_TEXT:
        warn(f"texts are {zoom * SMALL:.1f} points high; --figure-size {height:.1f}x{width:.1f} would suit the network")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(0, width)
    axes.set_ylim(-height, 0)
    pen = Pen(axes, zoom)
    pen.text(EDGE, -0.3, _cut(drawing.title, width - 2 * EDGE), points=12, bold=True, at="left baseline")
    pen.text(EDGE, -0.48, drawing.subtitle, points=8, at="left baseline")
    _draw_rows(pen, rows, scales, drawing.input, width)
    _draw_key(pen, drawing, scales, height)


def _cut(title: str, width: float) -> str:
    """Return a title, its end left out if it is wider than the drawing."""
    if text_width(title, 12, bold=True) <= width:
        return title
    fitting = bisect(range(len(title)), width, key=lambda count: text_width(f"{title[:count]}…", 12, bold=True))
    return f"{title[: fitting - 1]}…"


def _draw_rows(pen: Pen, rows: Sequence[Row], scales: Scales, shape: Shape, width: float) -> None:
    """Draw all rows, each the continuation of the one above."""
    y = -HEAD - rows[0].extent.up
    room = measure_volume(shape, scales)
    span = _draw_volume(pen, EDGE, y, shape, scales, "input", "input")
    pen.text(EDGE + room.width / 2, y + room.up - LINE, "input", bold=True)
    for place, row in enumerate(rows):
        if place:
            start = y - rows[place - 1].extent.down - BETWEEN - row.extent.up
            _draw_turn(pen, (span.right, y), (start, start + row.extent.up + BETWEEN / 2), width)
            y, span = start, Span(EDGE, EDGE, EDGE)
        for step in row.steps:
            span = _draw_step(pen, span, y, step, scales)


def _draw_turn(pen: Pen, end: tuple[float, float], below: tuple[float, float], width: float) -> None:
    """Draw the line from the end of a row to the start of the next; `below` is where it starts, and the way there."""
    start, middle = below
    right, left = width - EDGE + 0.1, EDGE - 0.1
    pen.line([end, (right, end[1]), (right, middle), (left, middle), (left, start), (EDGE, start)], light=True)


def _draw_volume(pen: Pen, x: float, y: float, shape: Shape, scales: Scales, kind: str, name: str) -> Span:
    """Draw a box with its size below it, in its room from x on, and return from where to where the box itself goes."""
    right, _, down = outline(scales, shape)
    room = measure_volume(shape, scales).width
    left = x + (room - right) / 2
    pen.box(left, y, shape, scales, kind, name)
    pen.text(x + room / 2, y - down - 0.05, show_shape(shape), points=SMALL, at="center top")
    return Span(left, left + right, x + room)


def _draw_step(pen: Pen, before: Span, y: float, step: Step, scales: Scales) -> Span:
    """Draw a step behind what stands before it, and return where its volume lies."""
    start, x = before.right, before.end
    if step.branches:
        pen.line([(start, y), (x + FORK, y)])
        x = start = _draw_branches(pen, x + FORK, y, step, scales)
    arrow = measure_arrow(step)
    for number, line in enumerate(reversed(lines_of(step))):
        pen.text(x + arrow.width / 2 - 0.02, y + 0.06 + number * LINE, line.text, bold=line.bold)
    span = _draw_volume(pen, x + arrow.width, y, step.shape, scales, step.kind, step.main.node.name)
    pen.line([(start, y), (span.left, y)], arrow=True)
    return span


def _draw_branches(pen: Pen, x: float, y: float, step: Step, scales: Scales) -> float:
    """Draw a block's branches from their fork to their join, and return where it ends."""
    room = measure_branches(step, scales)
    lanes = [measure_lane(branch, scales) for branch in step.branches]
    pen.ground(x, y - room.down, x + room.width, y + room.up)
    if step.times > 1:
        pen.text(x + 0.06, y + room.up - LINE - 0.02, f"{step.times}x", bold=True, at="left bottom")
    fork, join = x + FORK / 2, x + room.width - JOIN / 2
    for place, branch in zip(places_of(step, lanes), step.branches, strict=True):
        level = y + place
        pen.line([(x, y), (fork, y), (fork, level)])
        span = Span(fork, fork, x + FORK)
        for inner in branch:
            span = _draw_step(pen, span, level, inner, scales)
        if not branch:
            pen.text((fork + join) / 2, level + 0.05, "as it is")
        pen.line([(span.right, level), (join, level), (join, y)])
    pen.line([(join, y), (x + room.width, y)])
    pen.sign(join, y, "+" if step.kind == "sum" else "c")
    return x + room.width


def _draw_key(pen: Pen, drawing: Drawing, scales: Scales, height: float) -> None:
    """Draw what the colors and the sizes mean, below all rows."""
    x, y = EDGE, -height + 0.36
    for kind, label in key_of(drawing):
        corners = [(x, y), (x + 0.14, y), (x + 0.14, y + 0.11), (x, y + 0.11)]
        pen.patch(corners, COLORS[kind], f"key of {kind}")
        pen.text(x + 0.2, y + 0.01, label, at="left baseline")
        x += 0.36 + text_width(label, NORMAL)
    pen.text(EDGE, -height + 0.16, scale_note(scales, drawing), at="left baseline")


def scale_note(scales: Scales, drawing: Drawing) -> str:
    """Return how sizes become lengths, for the measures that the drawing has."""
    shapes = [drawing.input, *(step.shape for step in walk_steps(drawing.steps))]
    ways = {"height and width": scales.space.way, "channels": scales.channels.way}
    if any(len(shape) == 1 for shape in shapes):
        ways["length of vectors"] = scales.vectors.way
    return f"Boxes to scale: {'; '.join(f'{what}: {way}' for what, way in ways.items())}."
