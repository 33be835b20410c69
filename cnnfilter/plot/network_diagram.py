"""Networks as drawings: volumes as boxes to scale, the layers between them, blocks with their branches, in rows."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from math import log2, sqrt
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyBboxPatch, Polygon
from matplotlib.textpath import TextToPath

from cnnfilter.log import warn
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.plot.network_steps import COLORS, SIGNS, Drawing, VolumeStep, lines_of
from cnnfilter.plot.sheet import Sheet, Size, set_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SMALL, _NORMAL, _LEAST = 6.5, 7.5, 4.0
"""Points of sizes and of layers, and below which a warning says that a larger figure would be better read."""

_ROW, _SMALLEST_WIDTH = 11.0, 4.5
"""Inches of a row, unless a single block is wider, and of a drawing, so that its texts have room."""

_LINE, _FORK, _JOIN, _PAD, _GAP = 0.125, 0.2, 0.34, 0.08, 0.12
"""Inches from one line of text to the next; before and behind branches, around them, and between them."""

_BETWEEN, _EDGE, _HEAD, _FOOT = 0.34, 0.2, 0.62, 0.62
"""Inches between rows, at the edges, above and below all rows."""

_SHORTEST = 0.05
"""Inches of the least side of a box."""

_SLANT = (0.38, 0.24)
"""How far a pixel of the width goes to the right and up, in the length of a pixel of the height."""

_WAYS: dict[str, Callable[[float], float]] = {
    "linear": float,
    "square root": sqrt,
    "logarithm": lambda number: log2(1 + number),
}


class Scale(NamedTuple):
    """How numbers become lengths: `way` is `linear`, `square root` or `logarithm`, the `greatest` one is `inches`."""

    way: str
    greatest: int
    inches: float

    def length(self, number: int) -> float:
        """Return the inches of a number."""
        bend = _WAYS[self.way]
        return max(_SHORTEST, self.inches * bend(number) / bend(self.greatest))


def make_scale(numbers: Iterable[int], inches: float) -> Scale:
    """Return the scale for numbers: linear where the greatest is at most 10 times the least, then ever more bent.

    Examples
    --------
    >>> make_scale([4, 32], 1.0).way, make_scale([7, 224], 1.0).way, make_scale([3, 4096], 1.0).way
    ('linear', 'square root', 'logarithm')
    """
    known = list(numbers) or [1]
    ratio = max(known) / min(known)
    return Scale("linear" if ratio <= 10 else "square root" if ratio <= 256 else "logarithm", max(known), inches)


class Scales(NamedTuple):
    """The scales of the heights and widths, of the channels, and of the lengths of vectors."""

    space: Scale
    channels: Scale
    vectors: Scale

    def sides(self, shape: Shape) -> tuple[float, float, float]:
        """Return the inches to the right (channels), up (height), and to the back (width); a vector is upright."""
        if len(shape) == 1:
            return 0.1, self.vectors.length(shape[0]), 0.1
        return self.channels.length(shape[2]), self.space.length(shape[0]), self.space.length(shape[1])

    def outline(self, shape: Shape) -> Extent:
        """Return how far a box goes from the middle of its front's left edge."""
        right, up, back = self.sides(shape)
        return Extent(right + _SLANT[0] * back, up / 2 + _SLANT[1] * back, up / 2)


def make_scales(shapes: Sequence[Shape]) -> Scales:
    """Return scales on which all of these shapes can be drawn beside each other."""
    volumes = [shape for shape in shapes if len(shape) == 3]
    channels = [shape[2] for shape in volumes]
    vectors = [shape[0] for shape in shapes if len(shape) == 1]
    return Scales(
        make_scale([size for shape in volumes for size in shape[:2]], 1.1),
        make_scale(channels, min(0.6, 0.08 * max(channels, default=1))),
        make_scale(vectors, min(1.4, 0.1 * max(vectors, default=1))),
    )


class Extent(NamedTuple):
    """The room that something takes, in inches: across, above the line of the arrows, and below it."""

    width: float
    up: float
    down: float


class DrawingRow(NamedTuple):
    """Steps side by side, and the room they take."""

    steps: list[VolumeStep]
    extent: Extent


@cache
def _text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Return the inches of a line of text."""
    font = FontProperties(size=points, weight="bold" if bold else "normal")
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def _choose_rows(drawing: Drawing, scales: Scales, size: Size | None) -> list[DrawingRow]:
    """Return the rows of the natural width, or those that fill a figure of the size that was asked for."""
    extents = [_measure_step(step, scales) for step in drawing.steps]
    start = _measure_volume(drawing.input, scales)
    if size is None:
        return _break_rows(drawing.steps, extents, start, _ROW)
    total = _beside([start, *extents]).width
    limits = [total / parts + 0.01 for parts in range(1, len(extents) + 2)]
    ways = [_break_rows(drawing.steps, extents, start, limit) for limit in limits]
    naturals = [_measure_drawing(rows, drawing) for rows in ways]
    zooms = [min(size[0] / natural[0], size[1] / natural[1]) for natural in naturals]
    return ways[zooms.index(max(zooms))]


def _break_rows(
    steps: Sequence[VolumeStep], extents: Sequence[Extent], start: Extent, limit: float
) -> list[DrawingRow]:
    """Return the steps in rows that are as wide as the limit allows; the input is before the first."""
    rows = [DrawingRow([], start)]
    for step, extent in zip(steps, extents, strict=True):
        together = _beside([rows[-1].extent, extent])
        if together.width > limit:
            rows.append(DrawingRow([step], extent))
        else:
            rows[-1] = DrawingRow([*rows[-1].steps, step], together)
    return rows


def _beside(extents: Sequence[Extent]) -> Extent:
    """Return the room of things side by side."""
    widths, ups, downs = zip(*extents, strict=True)
    return Extent(sum(widths), max(ups), max(downs))


def _measure_drawing(rows: Sequence[DrawingRow], drawing: Drawing) -> Size:
    """Return the (height, width) of a drawing, in inches."""
    key = sum(0.36 + _text_width(label, _NORMAL) for _, label in drawing.key)
    heights = sum(row.extent.up + row.extent.down for row in rows) + _BETWEEN * (len(rows) - 1)
    width = max(_SMALLEST_WIDTH, key, *(row.extent.width for row in rows))
    return heights + _HEAD + _FOOT, width + 2 * _EDGE + 0.1


def _measure_volume(shape: Shape, scales: Scales) -> Extent:
    """Return the room that a box takes with its size below it, and a word above it."""
    box = scales.outline(shape)
    return Extent(max(box.width, _text_width(show_shape(shape), _SMALL)) + 0.06, box.up + _LINE + 0.05, box.down + 0.2)


def _measure_step(step: VolumeStep, scales: Scales) -> Extent:
    """Return the room that a step takes: its branches, its arrow, its volume."""
    box, arrow = _measure_volume(step.shape, scales), _measure_arrow(step)
    plain = Extent(arrow.width + box.width, max(box.up - _LINE - 0.05, arrow.up), box.down)
    return _beside([Extent(_FORK, 0, 0), _measure_branches(step, scales), plain]) if step.branches else plain


def _measure_arrow(step: VolumeStep) -> Extent:
    """Return the room that an arrow takes with the lines over it."""
    lines = lines_of(step)
    width = max((_text_width(line.text, _NORMAL, bold=line.bold) for line in lines), default=0.0)
    return Extent(max(0.34, width + 0.2), 0.06 + _LINE * len(lines), 0.05)


def _measure_branches(step: VolumeStep, scales: Scales) -> Extent:
    """Return the room of branches one below the other, with their ground."""
    lanes = _measure_lanes(step, scales)
    return Extent(
        max(lane.width for _, lane in lanes) + _FORK + _JOIN,
        max(place + lane.up for place, lane in lanes) + _PAD + (_LINE if step.times > 1 else 0),
        max(lane.down - place for place, lane in lanes) + _PAD,
    )


def _measure_lanes(step: VolumeStep, scales: Scales) -> list[tuple[float, Extent]]:
    """Return how far each branch is above the line of the arrows, a sum's first on it, and the room that it takes."""
    lanes = [
        _beside([_measure_step(inner, scales) for inner in branch]) if branch else Extent(0.7, 0.06 + _LINE, 0.06)
        for branch in step.branches
    ]
    places = [0.0]
    for over, lane in pairwise(lanes):
        places.append(places[-1] - over.down - _GAP - lane.up)
    shift = 0.0 if step.kind == "sum" else -places[-1] / 2
    return [(place + shift, lane) for place, lane in zip(places, lanes, strict=True)]


class _Pen:
    """Draws in inches, those of the drawing before it is zoomed; `kind` is what makes a volume, as in `COLORS`."""

    def __init__(self, axes: Axes, zoom: float, scales: Scales) -> None:
        self.axes, self.zoom, self.scales = axes, zoom, scales

    def text(
        self, x: float, y: float, text: str, *, points: float = _NORMAL, bold: bool = False, at: str = "center bottom"
    ) -> None:
        """Write a line of text; `at` says which of its points lies at (x, y)."""
        across, down = at.split()
        weight = "bold" if bold else "normal"
        self.axes.text(x, y, text, fontsize=points * self.zoom, ha=across, va=down, fontweight=weight)

    def line(self, *points: tuple[float, float], color: str = "black") -> None:
        """Draw a line through points."""
        xs, ys = zip(*points, strict=True)
        width = 0.9 * self.zoom
        self.axes.plot(xs, ys, color=color, linewidth=width, solid_capstyle="butt", solid_joinstyle="miter", zorder=1)

    def arrow(self, start: float, end: float, y: float) -> None:
        """Draw an arrow to the right."""
        self.line((start, y), (end, y))
        head = [(end, y), (end - 0.07, y + 0.035), (end - 0.07, y - 0.035)]
        self.axes.add_patch(Polygon(head, closed=True, facecolor="black", edgecolor="none", zorder=2))

    def sign(self, x: float, y: float, sign: str) -> None:
        """Draw a sign in a circle, where branches meet."""
        face = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.9 * self.zoom}
        self.axes.add_patch(Circle((x, y), 0.1, zorder=3, **face))
        self.axes.text(x, y, sign, fontsize=9 * self.zoom, ha="center", va="center_baseline", zorder=4)

    def patch(self, corners: Sequence[tuple[float, float]], kind: str, identity: str, light: float = 1.0) -> None:
        """Draw a filled polygon; `identity` is what it is, which SVG keeps."""
        red, green, blue = (min(1.0, value * light) for value in to_rgb(COLORS[kind]))
        look = {"edgecolor": "black", "linewidth": 0.6 * self.zoom, "joinstyle": "round", "zorder": 3}
        self.axes.add_patch(Polygon(corners, closed=True, facecolor=(red, green, blue), gid=identity, **look))

    def volume(self, x: float, y: float, shape: Shape, kind: str, name: str) -> tuple[float, float]:
        """Draw a box to scale in its room from x on, its size below it, and return the x of its left and right end."""
        room = _measure_volume(shape, self.scales).width
        box = self.scales.outline(shape)
        left = x + (room - box.width) / 2
        right, up, back = self.scales.sides(shape)
        over, above = _SLANT[0] * back, _SLANT[1] * back
        near, low, high = left + right, y - up / 2, y + up / 2
        front = [(left, low), (near, low), (near, high), (left, high)]
        top = [(left, high), (near, high), (near + over, high + above), (left + over, high + above)]
        side = [(near, low), (near + over, low + above), (near + over, high + above), (near, high)]
        self.patch(front, kind, f"front of {name}")
        self.patch(top, kind, f"top of {name}", 1.12)
        self.patch(side, kind, f"side of {name}", 0.82)
        self.text(x + room / 2, y - box.down - 0.05, show_shape(shape), points=_SMALL, at="center top")
        return left, left + box.width


def draw_network(figure: Figure, sheet: Sheet, drawing: Drawing) -> None:
    """Draw a network on an empty figure, its volumes to scale; of the sheet the size matters."""
    scales = make_scales(drawing.shapes)
    rows = _choose_rows(drawing, scales, sheet.size)
    height, width = _measure_drawing(rows, drawing)
    zoom = set_size(figure, sheet, (height, width))
    if (least := zoom * _SMALL) < _LEAST:
        warn(f"texts are {least:.1f} points high; --figure-size {height:.1f}x{width:.1f} would suit the network")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-height, 0), aspect="equal")
    axes.set_axis_off()
    pen = _Pen(axes, zoom, scales)
    pen.text(_EDGE, -0.3, _cut(drawing.title, width - 2 * _EDGE), points=12, bold=True, at="left baseline")
    pen.text(_EDGE, -0.48, drawing.subtitle, points=8, at="left baseline")
    _draw_rows(pen, rows, drawing.input, width)
    _draw_key(pen, drawing, height)


def _cut(title: str, width: float) -> str:
    """Return a title, its end left out if it is wider than the drawing."""
    if _text_width(title, 12, bold=True) <= width:
        return title
    fitting = bisect(range(len(title)), width, key=lambda count: _text_width(f"{title[:count]}…", 12, bold=True))
    return f"{title[: fitting - 1]}…"


def _draw_rows(pen: _Pen, rows: Sequence[DrawingRow], shape: Shape, width: float) -> None:
    """Draw all rows, each the continuation of the one above."""
    y = -_HEAD - rows[0].extent.up
    room = _measure_volume(shape, pen.scales)
    _, start = pen.volume(_EDGE, y, shape, "input", "input")
    pen.text(_EDGE + room.width / 2, y + room.up - _LINE, "input", bold=True)
    x = _EDGE + room.width
    for above, row in zip([None, *rows], rows, strict=False):
        if above:
            turn, y, last = y - above.extent.down - _BETWEEN / 2, y - above.extent.down - _BETWEEN - row.extent.up, y
            right, left = width - _EDGE + 0.1, _EDGE - 0.1
            way = (start, last), (right, last), (right, turn), (left, turn), (left, y), (_EDGE, y)
            pen.line(*way, color="#999999")
            start = x = _EDGE
        for step in row.steps:
            start, x = _draw_step(pen, start, x, y, step)


def _draw_step(pen: _Pen, start: float, x: float, y: float, step: VolumeStep) -> tuple[float, float]:
    """Draw a step from x on, `start` is where the volume before it ends; return where its volume ends, and its room."""
    if step.branches:
        pen.line((start, y), (x + _FORK, y))
        x = start = _draw_branches(pen, x + _FORK, y, step)
    arrow = _measure_arrow(step)
    for number, line in enumerate(reversed(lines_of(step))):
        pen.text(x + arrow.width / 2 - 0.02, y + 0.06 + number * _LINE, line.text, bold=line.bold)
    left, right = pen.volume(x + arrow.width, y, step.shape, step.kind, step.name)
    pen.arrow(start, left, y)
    return right, x + arrow.width + _measure_volume(step.shape, pen.scales).width


def _draw_branches(pen: _Pen, x: float, y: float, step: VolumeStep) -> float:
    """Draw a block's branches on their ground, from their fork to their join, and return where it ends."""
    room = _measure_branches(step, pen.scales)
    corner, height, style = (x, y - room.down), room.down + room.up, "round,pad=0,rounding_size=0.08"
    ground = FancyBboxPatch(corner, room.width, height, boxstyle=style, zorder=0)
    ground.set(facecolor="#00000010", edgecolor="#00000030")
    pen.axes.add_patch(ground)
    if step.times > 1:
        pen.text(x + 0.06, y + room.up - _LINE - 0.02, f"{step.times}x", bold=True, at="left bottom")
    fork, join = x + _FORK / 2, x + room.width - _JOIN / 2
    for (place, _), branch in zip(_measure_lanes(step, pen.scales), step.branches, strict=True):
        level = y + place
        pen.line((x, y), (fork, y), (fork, level))
        start, end = fork, x + _FORK
        for inner in branch:
            start, end = _draw_step(pen, start, end, level, inner)
        if not branch:
            pen.text((fork + join) / 2, level + 0.05, "as it is")
        pen.line((start, level), (join, level), (join, y))
    pen.line((join, y), (x + room.width, y))
    pen.sign(join, y, SIGNS[step.kind])
    return x + room.width


def _draw_key(pen: _Pen, drawing: Drawing, height: float) -> None:
    """Draw what the colors and the sizes mean, below all rows."""
    x, y = _EDGE, -height + 0.36
    for kind, label in drawing.key:
        pen.patch([(x, y), (x + 0.14, y), (x + 0.14, y + 0.11), (x, y + 0.11)], kind, f"key of {kind}")
        pen.text(x + 0.2, y + 0.01, label, at="left baseline")
        x += 0.36 + _text_width(label, _NORMAL)
    ways = {"height and width": pen.scales.space.way, "channels": pen.scales.channels.way}
    if any(len(shape) == 1 for shape in drawing.shapes):
        ways["length of vectors"] = pen.scales.vectors.way
    note = "; ".join(f"{what}: {way}" for what, way in ways.items())
    pen.text(_EDGE, -height + 0.16, f"Boxes to scale: {note}.", at="left baseline")
