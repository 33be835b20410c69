"""How a drawing of a network is laid out: how much room steps take, what is written over them, where rows end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from cnnfilter.plots.boxes import COLORS, NORMAL, SMALL, Scales, outline, text_width
from cnnfilter.plots.sheets import Size
from cnnfilter.plots.steps import Step, walk_steps
from cnnfilter.spec.blocks import Block
from cnnfilter.spec.layers import Shape, show_shape
from cnnfilter.spec.network import Visit
from cnnfilter.spec.printing import show_layer

ROW = 11.0
"""Inches of a row, unless a single block is wider."""

SMALLEST_WIDTH = 4.5
"""Inches of a drawing, so that there is room for what is written around it."""

MOST_LETTERS, MOST_LINES = 15, 4
"""In a line of a layer's text, and lines of it; what is longer is cut."""

LINE = 0.125
"""Inches from one line of text to the next."""

FORK, JOIN, PAD, GAP = 0.2, 0.34, 0.08, 0.12
"""Inches before and behind branches, around them, and between them."""

BETWEEN, EDGE, HEAD, FOOT = 0.34, 0.2, 0.62, 0.62
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


class Drawing(NamedTuple):
    """What is to be drawn: the steps, the input's shape, and the lines above."""

    steps: tuple[Step, ...]
    input: Shape
    title: str
    subtitle: str


def choose_rows(drawing: Drawing, scales: Scales, size: Size | None) -> list[Row]:
    """Return the rows of the natural width, or those that fill a figure of the size that was asked for."""
    steps = [(step, measure_step(step, scales)) for step in drawing.steps]
    start = measure_volume(drawing.input, scales)
    if size is None:
        return _break_rows(steps, start, ROW)
    height, width = size
    total = start.width + sum(extent.width for _, extent in steps)
    ways = [_break_rows(steps, start, total / parts + 0.01) for parts in range(1, len(steps) + 2)]

    def zoom(rows: list[Row]) -> float:
        natural = size_of(rows, drawing)
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


def size_of(rows: Sequence[Row], drawing: Drawing) -> tuple[float, float]:
    """Return the (width, height) of a drawing, in inches."""
    key = sum(0.36 + text_width(label, NORMAL) for _, label in key_of(drawing))
    width = max(SMALLEST_WIDTH, key, *(row.extent.width for row in rows)) + 2 * EDGE + 0.1
    heights = sum(row.extent.up + row.extent.down for row in rows)
    return width, heights + BETWEEN * (len(rows) - 1) + HEAD + FOOT


def measure_volume(shape: Shape, scales: Scales) -> Extent:
    """Return the room that a box takes with its size below it, and a word above it."""
    right, up, down = outline(scales, shape)
    return Extent(max(right, text_width(show_shape(shape), SMALL)) + 0.06, up + LINE + 0.05, down + 0.2)


def measure_step(step: Step, scales: Scales) -> Extent:
    """Return the room that a step takes: its arrow, its branches, its volume."""
    box, arrow = measure_volume(step.shape, scales), measure_arrow(step)
    up, down = max(box.up - LINE - 0.05, arrow.up), box.down
    if not step.branches:
        return Extent(arrow.width + box.width, up, down)
    inner = measure_branches(step, scales)
    return Extent(FORK + inner.width + arrow.width + box.width, max(up, inner.up), max(down, inner.down))


def measure_arrow(step: Step) -> Extent:
    """Return the room that an arrow takes with the lines over it."""
    lines = lines_of(step)
    width = max((text_width(line.text, NORMAL, bold=line.bold) for line in lines), default=0.0)
    return Extent(max(0.34, width + 0.2), 0.06 + LINE * len(lines), 0.05)


def measure_lane(branch: Sequence[Step], scales: Scales) -> Extent:
    """Return the room that a branch takes, one without layers too."""
    if not branch:
        return Extent(0.7, 0.06 + LINE, 0.06)
    return _beside([measure_step(step, scales) for step in branch])


def measure_branches(step: Step, scales: Scales) -> Extent:
    """Return the room of branches one below the other, with their ground."""
    lanes = [measure_lane(branch, scales) for branch in step.branches]
    places = places_of(step, lanes)
    width = max(lane.width for lane in lanes) + FORK + JOIN
    up = max(place + lane.up for place, lane in zip(places, lanes, strict=True))
    down = max(lane.down - place for place, lane in zip(places, lanes, strict=True))
    return Extent(width, up + PAD + LINE * (step.times > 1), down + PAD)


def places_of(step: Step, lanes: Sequence[Extent]) -> list[float]:
    """Return where branches lie above the line of the arrows: a sum's first on it, channels around it."""
    places = [0.0]
    for over, lane in pairwise(lanes):
        places.append(places[-1] - over.down - GAP - lane.up)
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


def key_of(drawing: Drawing) -> list[tuple[str, str]]:
    """Return the kinds of volumes that are drawn, and what each is called in the key."""
    kinds = {step.kind for step in walk_steps(drawing.steps)} | {"input"}
    return [(kind, f"{kind}{_SIGNS.get(kind, '')}") for kind in COLORS if kind in kinds]
