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
        return max(0.05, self.inches * bend(number) / bend(self.greatest))


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


class _Pen(NamedTuple):
    """Draws in inches, those of the drawing before it is zoomed."""

    axes: Axes
    zoom: float

    def text(
        self, x: float, y: float, text: str, *, points: float = _NORMAL, bold: bool = False, at: str = "center bottom"
    ) -> None:
        """Write a line of text; `at` says which of its points is at (x, y)."""
        across, down = at.split()
        weight = "bold" if bold else "normal"
        self.axes.text(x, y, text, fontsize=points * self.zoom, ha=across, va=down, fontweight=weight)

    def line(self, *points: tuple[float, float], color: str = "black") -> None:
        """Draw a line through points."""
        xs, ys = zip(*points, strict=True)
        width = 0.9 * self.zoom
        self.axes.plot(xs, ys, color=color, linewidth=width, solid_capstyle="butt", solid_joinstyle="miter", zorder=1)

    def patch(self, corners: Sequence[tuple[float, float]], kind: str, identity: str, light: float = 1.0) -> None:
        """Fill a polygon with the color of a kind of volume; `identity` is what it is, which SVG keeps."""
        red, green, blue = (min(1.0, value * light) for value in to_rgb(COLORS[kind]))
        look = {"edgecolor": "black", "linewidth": 0.6 * self.zoom, "joinstyle": "round", "zorder": 3}
        self.axes.add_patch(Polygon(corners, closed=True, facecolor=(red, green, blue), gid=identity, **look))


class _Piece(NamedTuple):
    """A part of a drawing: the inches it takes along the line of the arrows, above and below it, and what draws it."""

    width: float
    up: float
    down: float
    draw: Callable[[_Pen, float, float, float], float]  # from x, y and the end of the volume before to its own end


@cache
def _text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Return the inches of a line of text."""
    font = FontProperties(size=points, weight="bold" if bold else "normal")
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def _make_volume(shape: Shape, kind: str, name: str, scales: Scales) -> _Piece:
    """Return a box to scale with its size below it and an arrow to it; above the input there is its name instead."""
    right, up, back = scales.sides(shape)
    over, above = _SLANT[0] * back, _SLANT[1] * back
    width = max(right + over, _text_width(show_shape(shape), _SMALL)) + 0.06

    def draw(pen: _Pen, x: float, y: float, start: float) -> float:
        left, low, high = x + (width - (right + over)) / 2, y - up / 2, y + up / 2
        near = left + right
        front = [(left, low), (near, low), (near, high), (left, high)]
        top = [(left, high), (near, high), (near + over, high + above), (left + over, high + above)]
        side = [(near, low), (near + over, low + above), (near + over, high + above), (near, high)]
        pen.patch(front, kind, f"front of {name}")
        pen.patch(top, kind, f"top of {name}", 1.12)
        pen.patch(side, kind, f"side of {name}", 0.82)
        pen.text(x + width / 2, low - 0.05, show_shape(shape), points=_SMALL, at="center top")
        if kind == "input":
            pen.text(x + width / 2, high + above + 0.05, name, bold=True)
        else:
            pen.line((start, y), (left, y))
            head = [(left, y), (left - 0.07, y + 0.035), (left - 0.07, y - 0.035)]
            pen.axes.add_patch(Polygon(head, closed=True, facecolor="black", edgecolor="none", zorder=2))
        return near + over

    named = _LINE + 0.05 if kind == "input" else 0
    return _Piece(width, up / 2 + above + named, up / 2 + 0.2, draw)


def _make_step(step: VolumeStep, scales: Scales) -> _Piece:
    """Return the branches of a step, the lines over its arrow, its volume."""
    lines = lines_of(step)
    arrow = max(0.34, 0.2 + max((_text_width(line.text, _NORMAL, bold=line.bold) for line in lines), default=0.0))
    volume = _make_volume(step.shape, step.kind, step.name, scales)

    def draw(pen: _Pen, x: float, y: float, start: float) -> float:
        for number, line in enumerate(reversed(lines)):
            pen.text(x + arrow / 2 - 0.02, y + 0.06 + number * _LINE, line.text, bold=line.bold)
        return volume.draw(pen, x + arrow, y, start)

    plain = _Piece(arrow + volume.width, max(volume.up, 0.06 + _LINE * len(lines)), volume.down, draw)
    return _beside([_make_branches(step, scales), plain]) if step.branches else plain


def _make_branches(step: VolumeStep, scales: Scales) -> _Piece:
    """Return a block's branches one below the other on their ground, from their fork to their join."""
    same = _Piece(0.7, 0.06 + _LINE, 0.06, lambda pen, x, y, start: start)
    lanes = [_beside([_make_step(inner, scales) for inner in branch]) if branch else same for branch in step.branches]
    levels = [0.0]
    for over, lane in pairwise(lanes):
        levels.append(levels[-1] - over.down - _GAP - lane.up)
    if step.kind != "sum":  # of which the first branch goes straight on
        levels = [level - levels[-1] / 2 for level in levels]
    width = max(lane.width for lane in lanes) + _FORK + _JOIN
    up = max(level + lane.up for level, lane in zip(levels, lanes, strict=True)) + _PAD
    up += _LINE if step.times > 1 else 0
    down = max(lane.down - level for level, lane in zip(levels, lanes, strict=True)) + _PAD

    def draw(pen: _Pen, x: float, y: float, start: float) -> float:
        left, right = x + _FORK, x + _FORK + width
        fork, join = left + _FORK / 2, right - _JOIN / 2
        pen.line((start, y), (left, y))
        style = "round,pad=0,rounding_size=0.08"
        ground = FancyBboxPatch((left, y - down), width, down + up, boxstyle=style, zorder=0)
        ground.set(facecolor="#00000010", edgecolor="#00000030")
        pen.axes.add_patch(ground)
        if step.times > 1:
            pen.text(left + 0.06, y + up - _LINE - 0.02, f"{step.times}x", bold=True, at="left bottom")
        for level, lane, branch in zip(levels, lanes, step.branches, strict=True):
            pen.line((left, y), (fork, y), (fork, y + level))
            end = lane.draw(pen, left + _FORK, y + level, fork)
            if not branch:
                pen.text((fork + join) / 2, y + level + 0.05, "as it is")
            pen.line((end, y + level), (join, y + level), (join, y))
        pen.line((join, y), (right, y))
        circle = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.9 * pen.zoom, "zorder": 3}
        pen.axes.add_patch(Circle((join, y), 0.1, **circle))
        sign = SIGNS[step.kind]
        pen.axes.text(join, y, sign, fontsize=9 * pen.zoom, ha="center", va="center_baseline", zorder=4)
        return right

    return _Piece(_FORK + width, up, down, draw)


def _beside(pieces: Sequence[_Piece]) -> _Piece:
    """Return pieces side by side as one."""
    widths, ups, downs, _ = zip(*pieces, strict=True)

    def draw(pen: _Pen, x: float, y: float, start: float) -> float:
        for piece in pieces:
            start = piece.draw(pen, x, y, start)
            x += piece.width
        return start

    return _Piece(sum(widths), max(ups), max(downs), draw)


def _choose_rows(pieces: Sequence[_Piece], drawing: Drawing, size: Size | None) -> list[_Piece]:
    """Return the rows of the natural width, or those that fill a figure of the size that was asked for."""
    if size is None:
        return _break_rows(pieces, _ROW)
    total = _beside(pieces).width
    ways = [_break_rows(pieces, total / parts + 0.01) for parts in range(1, len(pieces) + 1)]
    naturals = [_measure_drawing(rows, drawing) for rows in ways]
    zooms = [min(size[0] / natural[0], size[1] / natural[1]) for natural in naturals]
    return ways[zooms.index(max(zooms))]


def _break_rows(pieces: Sequence[_Piece], limit: float) -> list[_Piece]:
    """Return the pieces in rows that are as wide as the limit allows."""
    rows = [[pieces[0]]]
    for piece in pieces[1:]:
        if sum(one.width for one in (*rows[-1], piece)) > limit:
            rows.append([piece])
        else:
            rows[-1].append(piece)
    return [_beside(row) for row in rows]


def _measure_drawing(rows: Sequence[_Piece], drawing: Drawing) -> Size:
    """Return the (height, width) of a drawing, in inches."""
    key = sum(0.36 + _text_width(label, _NORMAL) for _, label in drawing.key)
    heights = sum(row.up + row.down for row in rows) + _BETWEEN * (len(rows) - 1)
    width = max(_SMALLEST_WIDTH, key, *(row.width for row in rows))
    return heights + _HEAD + _FOOT, width + 2 * _EDGE + 0.1


def draw_network(figure: Figure, sheet: Sheet, drawing: Drawing) -> None:
    """Draw a network on an empty figure, its volumes to scale; of the sheet the size matters."""
    scales = make_scales(drawing.shapes)
    volumes = [_make_step(step, scales) for step in drawing.steps]
    rows = _choose_rows([_make_volume(drawing.input, "input", "input", scales), *volumes], drawing, sheet.size)
    height, width = _measure_drawing(rows, drawing)
    zoom = set_size(figure, sheet, (height, width))
    if (least := zoom * _SMALL) < _LEAST:
        warn(f"texts are {least:.1f} points high; --figure-size {height:.1f}x{width:.1f} would suit the network")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-height, 0), aspect="equal")
    axes.set_axis_off()
    pen = _Pen(axes, zoom)
    pen.text(_EDGE, -0.3, _cut(drawing.title, width - 2 * _EDGE), points=12, bold=True, at="left baseline")
    pen.text(_EDGE, -0.48, drawing.subtitle, points=8, at="left baseline")
    _draw_rows(pen, rows, width)
    _draw_key(pen, drawing, height, scales)


def _cut(title: str, width: float) -> str:
    """Return a title, its end left out if it is wider than the drawing."""
    if _text_width(title, 12, bold=True) <= width:
        return title
    fitting = bisect(range(len(title)), width, key=lambda count: _text_width(f"{title[:count]}…", 12, bold=True))
    return f"{title[: fitting - 1]}…"


def _draw_rows(pen: _Pen, rows: Sequence[_Piece], width: float) -> None:
    """Draw all rows, each the continuation of the one above."""
    y = -_HEAD - rows[0].up
    start = rows[0].draw(pen, _EDGE, y, _EDGE)
    right, left = width - _EDGE + 0.1, _EDGE - 0.1
    for above, row in pairwise(rows):
        turn, y, last = y - above.down - _BETWEEN / 2, y - above.down - _BETWEEN - row.up, y
        way = (start, last), (right, last), (right, turn), (left, turn), (left, y), (_EDGE, y)
        pen.line(*way, color="#999999")
        start = row.draw(pen, _EDGE, y, _EDGE)


def _draw_key(pen: _Pen, drawing: Drawing, height: float, scales: Scales) -> None:
    """Draw what the colors and the sizes mean, below all rows."""
    x, y = _EDGE, -height + 0.36
    for kind, label in drawing.key:
        pen.patch([(x, y), (x + 0.14, y), (x + 0.14, y + 0.11), (x, y + 0.11)], kind, f"key of {kind}")
        pen.text(x + 0.2, y + 0.01, label, at="left baseline")
        x += 0.36 + _text_width(label, _NORMAL)
    ways = {"height and width": scales.space.way, "channels": scales.channels.way}
    if any(len(shape) == 1 for shape in drawing.shapes):
        ways["length of vectors"] = scales.vectors.way
    note = "; ".join(f"{what}: {way}" for what, way in ways.items())
    pen.text(_EDGE, -height + 0.16, f"Boxes to scale: {note}.", at="left baseline")
