"""Networks as drawings: volumes as boxes, the layers between them, blocks with their branches, in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.plots.boxes import COLORS, NORMAL, SMALL, Pen, Scales, make_scales, outline, text_width
from cnnfilter.plots.sheets import Sheet, set_size
from cnnfilter.plots.steps import Step, walk_steps
from cnnfilter.spec.blocks import Block
from cnnfilter.spec.layers import Shape, show_shape
from cnnfilter.spec.network import Visit
from cnnfilter.spec.printing import show_layer
from cnnfilter.telling import warn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 11.0
"""Inches of a row, unless a single block is wider."""

SMALLEST_WIDTH = 4.5
"""Inches of a drawing, so that there is room for what is written around it."""

SMALLEST_TEXT = 4.0
"""Points below which a remark says that a larger figure would be better read."""

MOST_LETTERS, MOST_LINES = 15, 4
"""In a line of a layer's text, and lines of it; what is longer is cut."""

_LINE = 0.125
"""Inches from one line of text to the next."""

_FORK, _JOIN, _PAD, _GAP = 0.2, 0.34, 0.08, 0.12
"""Inches before and behind branches, around them, and between them."""

_BETWEEN, _EDGE, _HEAD, _FOOT = 0.34, 0.2, 0.62, 0.62
"""Inches between rows, at the edges, above and below all rows."""


_SIGNS = {"sum": " (+)", "channels side by side": " (c)"}
"""What stands where branches meet."""


class Extent(NamedTuple):
    """How much room something takes, in inches: across, above the line of the arrows, and below it."""

    width: float
    up: float
    down: float


class Line(NamedTuple):
    """A line of text over an arrow."""

    text: str
    bold: bool = False


class Row(NamedTuple):
    """Steps that stand side by side, and the room they take."""

    steps: tuple[Step, ...]
    extent: Extent


class Span(NamedTuple):
    """From where to where a box goes, and where its room ends."""

    left: float
    right: float
    end: float


class Drawing(NamedTuple):
    """What is to be drawn: the steps, the input's shape, and the lines above."""

    steps: tuple[Step, ...]
    input: Shape
    title: str
    subtitle: str


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
    rows = _choose_rows(drawing, scales, sheet)
    width, height = _size_of(rows, drawing)
    sides = set_size(figure, sheet, (height, width))
    zoom = min(sides[0] / height, sides[1] / width)
    if zoom * SMALL < SMALLEST_TEXT:
        warn(f"texts are {zoom * SMALL:.1f} points high; --figure-size {height:.1f}x{width:.1f} would suit the network")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(0, width)
    axes.set_ylim(-height, 0)
    pen = Pen(axes, zoom)
    pen.text(_EDGE, -0.3, _cut(drawing.title, width - 2 * _EDGE), points=12, bold=True, at="left baseline")
    pen.text(_EDGE, -0.48, drawing.subtitle, points=8, at="left baseline")
    _draw_rows(pen, rows, scales, drawing.input, width)
    _draw_key(pen, drawing, scales, height)


def _cut(title: str, width: float) -> str:
    """Return a title, its end left out if it is wider than the drawing."""
    if text_width(title, 12, bold=True) <= width:
        return title
    while text_width(f"{title}…", 12, bold=True) > width:
        title = title[:-1]
    return f"{title}…"


def _choose_rows(drawing: Drawing, scales: Scales, sheet: Sheet) -> list[Row]:
    """Return the rows of the natural width, or those that fill a figure of the size that was asked for."""
    steps = [(step, measure_step(step, scales)) for step in drawing.steps]
    start = _measure_input(drawing.input, scales)
    if sheet.size is None:
        return _break_rows(steps, start, ROW)
    height, width = sheet.size
    total = start.width + sum(extent.width for _, extent in steps)
    ways = [_break_rows(steps, start, total / parts + 0.01) for parts in range(1, len(steps) + 2)]

    def zoom(rows: list[Row]) -> float:
        natural = _size_of(rows, drawing)
        return min(width / natural[0], height / natural[1])

    return max(ways, key=zoom)


def _break_rows(steps: Sequence[tuple[Step, Extent]], start: Extent, limit: float) -> list[Row]:
    """Return the steps in rows that are as wide as the limit allows; the input stands before the first."""
    rows: list[tuple[list[Step], list[Extent]]] = [([], [start])]
    for step, extent in steps:
        if sum(old.width for old in rows[-1][1]) + extent.width > limit and rows[-1][1]:
            rows.append(([], []))
        rows[-1][0].append(step)
        rows[-1][1].append(extent)
    return [Row(tuple(row), _beside(extents)) for row, extents in rows]


def _beside(extents: Sequence[Extent]) -> Extent:
    """Return the room of things side by side."""
    ups, downs = [extent.up for extent in extents], [extent.down for extent in extents]
    return Extent(sum(extent.width for extent in extents), max(ups, default=0.1), max(downs, default=0.1))


def _size_of(rows: Sequence[Row], drawing: Drawing) -> tuple[float, float]:
    """Return the (width, height) of a drawing, in inches."""
    key = sum(0.36 + text_width(label, NORMAL) for _, label in _key(drawing))
    width = max(SMALLEST_WIDTH, key, *(row.extent.width for row in rows)) + 2 * _EDGE + 0.1
    heights = sum(row.extent.up + row.extent.down for row in rows)
    return width, heights + _BETWEEN * (len(rows) - 1) + _HEAD + _FOOT


def _measure_input(shape: Shape, scales: Scales) -> Extent:
    right, up, down = outline(scales, shape)
    return Extent(max(right, text_width(show_shape(shape), SMALL)) + 0.06, up + _LINE + 0.05, down + 0.2)


def measure_step(step: Step, scales: Scales) -> Extent:
    """Return the room that a step takes: its arrow, its branches, its volume."""
    box, arrow = _measure_input(step.shape, scales), _measure_arrow(step)
    up, down = max(box.up - _LINE - 0.05, arrow.up), box.down
    if not step.branches:
        return Extent(arrow.width + box.width, up, down)
    inner = _measure_branches(step, scales)
    return Extent(_FORK + inner.width + arrow.width + box.width, max(up, inner.up), max(down, inner.down))


def _measure_arrow(step: Step) -> Extent:
    lines = lines_of(step)
    width = max((text_width(line.text, NORMAL, bold=line.bold) for line in lines), default=0.0)
    return Extent(max(0.34, width + 0.2), 0.06 + _LINE * len(lines), 0.05)


def _measure_lane(branch: Sequence[Step], scales: Scales) -> Extent:
    if not branch:
        return Extent(0.7, 0.06 + _LINE, 0.06)
    return _beside([measure_step(step, scales) for step in branch])


def _measure_branches(step: Step, scales: Scales) -> Extent:
    """Return the room of branches one below the other, with their ground."""
    lanes = [_measure_lane(branch, scales) for branch in step.branches]
    places = _places(step, lanes)
    width = max(lane.width for lane in lanes) + _FORK + _JOIN
    up = max(place + lane.up for place, lane in zip(places, lanes, strict=True))
    down = max(lane.down - place for place, lane in zip(places, lanes, strict=True))
    return Extent(width, up + _PAD + _LINE * (step.times > 1), down + _PAD)


def _places(step: Step, lanes: Sequence[Extent]) -> list[float]:
    """Return where branches lie above the line of the arrows: a sum's first on it, channels around it."""
    places = [0.0]
    for over, lane in pairwise(lanes):
        places.append(places[-1] - over.down - _GAP - lane.up)
    shift = 0.0 if step.kind == "sum" else -places[-1] / 2
    return [place + shift for place in places]


def lines_of(step: Step) -> list[Line]:
    """Return the lines over a step's arrow: its name, then its layers, those that change only values together."""
    first, *more = step.name.split(" to ")
    lines = [Line(first, bold=True), *(Line(f"to {name}", bold=True) for name in more)]
    if step.times > 1 and not step.branches:
        lines.insert(0, Line(f"{step.times}x", bold=True))
    for visit in step.visits:
        if not isinstance(visit.layer, Block):
            lines += [Line(text) for text in _layer_lines(visit)]
    return _joined(lines)


def _layer_lines(visit: Visit) -> Iterator[str]:
    """Yield the text of a layer in lines, broken behind commas."""
    words = show_layer(visit.layer).replace(",", ",\0").split("\0")
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > MOST_LETTERS:
            lines.append("")
        lines[-1] += word
    cut = [line if len(line) <= 2 * MOST_LETTERS else f"{line[: 2 * MOST_LETTERS - 1]}…" for line in lines]
    yield from cut[: MOST_LINES - 1]
    yield from ["…"] if len(cut) > MOST_LINES else cut[MOST_LINES - 1 :]


def _joined(lines: list[Line]) -> list[Line]:
    """Return lines with short words such as `relu` put side by side."""
    joined: list[Line] = []
    for line in lines:
        last = joined[-1] if joined else line
        if joined and not last.bold and len(last.text) + len(line.text) + 1 <= MOST_LETTERS and line.text.isalnum():
            joined[-1] = Line(f"{last.text} {line.text}")
        else:
            joined.append(line)
    return joined


def _draw_rows(pen: Pen, rows: Sequence[Row], scales: Scales, shape: Shape, width: float) -> None:
    """Draw all rows, each the continuation of the one above."""
    y = -_HEAD - rows[0].extent.up
    room = _measure_input(shape, scales)
    span = _draw_volume(pen, _EDGE, y, shape, scales, "input", "input")
    pen.text(_EDGE + room.width / 2, y + room.up - _LINE, "input", bold=True)
    for place, row in enumerate(rows):
        if place:
            start = y - rows[place - 1].extent.down - _BETWEEN - row.extent.up
            _draw_turn(pen, (span.right, y), (start, start + row.extent.up + _BETWEEN / 2), width)
            y, span = start, Span(_EDGE, _EDGE, _EDGE)
        for step in row.steps:
            span = _draw_step(pen, span, y, step, scales)


def _draw_turn(pen: Pen, end: tuple[float, float], below: tuple[float, float], width: float) -> None:
    """Draw the line from the end of a row to the start of the next; `below` is where it starts, and the way there."""
    start, middle = below
    right, left = width - _EDGE + 0.1, _EDGE - 0.1
    pen.line([end, (right, end[1]), (right, middle), (left, middle), (left, start), (_EDGE, start)], light=True)


def _draw_volume(pen: Pen, x: float, y: float, shape: Shape, scales: Scales, kind: str, name: str) -> Span:
    """Draw a box with its size below it, in its room from x on, and return from where to where the box itself goes."""
    right, _, down = outline(scales, shape)
    room = _measure_input(shape, scales).width
    left = x + (room - right) / 2
    pen.box(left, y, shape, scales, kind, name)
    pen.text(x + room / 2, y - down - 0.05, show_shape(shape), points=SMALL, at="center top")
    return Span(left, left + right, x + room)


def _draw_step(pen: Pen, before: Span, y: float, step: Step, scales: Scales) -> Span:
    """Draw a step behind what stands before it, and return where its volume lies."""
    start, x = before.right, before.end
    if step.branches:
        pen.line([(start, y), (x + _FORK, y)])
        x = start = _draw_branches(pen, x + _FORK, y, step, scales)
    arrow = _measure_arrow(step)
    for number, line in enumerate(reversed(lines_of(step))):
        pen.text(x + arrow.width / 2 - 0.02, y + 0.06 + number * _LINE, line.text, bold=line.bold)
    span = _draw_volume(pen, x + arrow.width, y, step.shape, scales, step.kind, step.main.node.name)
    pen.line([(start, y), (span.left, y)], arrow=True)
    return span


def _draw_branches(pen: Pen, x: float, y: float, step: Step, scales: Scales) -> float:
    """Draw a block's branches from their fork to their join, and return where it ends."""
    room = _measure_branches(step, scales)
    lanes = [_measure_lane(branch, scales) for branch in step.branches]
    pen.ground(x, y - room.down, x + room.width, y + room.up)
    if step.times > 1:
        pen.text(x + 0.06, y + room.up - _LINE - 0.02, f"{step.times}x", bold=True, at="left bottom")
    fork, join = x + _FORK / 2, x + room.width - _JOIN / 2
    for place, branch in zip(_places(step, lanes), step.branches, strict=True):
        level = y + place
        pen.line([(x, y), (fork, y), (fork, level)])
        span = Span(fork, fork, x + _FORK)
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
    x, y = _EDGE, -height + 0.36
    for kind, label in _key(drawing):
        corners = [(x, y), (x + 0.14, y), (x + 0.14, y + 0.11), (x, y + 0.11)]
        pen.patch(corners, COLORS[kind], f"key of {kind}")
        pen.text(x + 0.2, y + 0.01, label, at="left baseline")
        x += 0.36 + text_width(label, NORMAL)
    pen.text(_EDGE, -height + 0.16, scale_note(scales, drawing), at="left baseline")


def _key(drawing: Drawing) -> list[tuple[str, str]]:
    """Return the kinds of volumes that are drawn, and what each is called in the key."""
    kinds = {step.kind for step in walk_steps(drawing.steps)} | {"input"}
    return [(kind, f"{kind}{_SIGNS.get(kind, '')}") for kind in COLORS if kind in kinds]


def scale_note(scales: Scales, drawing: Drawing) -> str:
    """Return how sizes become lengths, for the measures that the drawing has."""
    shapes = [drawing.input, *(step.shape for step in walk_steps(drawing.steps))]
    ways = {"height and width": scales.space.way, "channels": scales.channels.way}
    if any(len(shape) == 1 for shape in shapes):
        ways["length of vectors"] = scales.vectors.way
    return f"Boxes to scale: {'; '.join(f'{what}: {way}' for what, way in ways.items())}."
