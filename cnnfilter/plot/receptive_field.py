"""Receptive fields as a figure: nested frames on the input, and a table of their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke

from cnnfilter.arrays import Doubles
from cnnfilter.compute.forward import as_volume
from cnnfilter.io.atomic import read_bytes
from cnnfilter.io.decode import decode_picture
from cnnfilter.nn.geometry import Pair, show_pair
from cnnfilter.plot.cells import choose_inks
from cnnfilter.plot.input_regions import Frame, Frames
from cnnfilter.plot.kernel_sheet import reduce_picture
from cnnfilter.plot.sheet import Box, Paper, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


_WIDTH, _PANEL, _LINE, _HEAD, _FOOT, _BELOW = 11.0, 5.0, 0.19, 0.95, 0.15, 0.65
"""Inches of the figure, of a panel, of a line of the table, above and below all, and between panel and table."""

_COLUMNS = (
    ("", 0.45, "center"),
    ("layers", 0.7, "left"),
    ("output", 4.85, "right"),
    ("unit", 5.75, "right"),
    ("field", 6.65, "right"),
    ("jump", 7.45, "right"),
    ("start", 8.35, "right"),
    ("sees rows", 9.6, "right"),
    ("and columns", 10.75, "right"),
)
"""The head of each column of the table, its place in inches, and which of its ends is there."""

_MOST_BACKDROP = 1200
"""Pixels a side to which an image is reduced."""


class Backdrop(NamedTuple):
    """An image to draw on: pixels (H, W, 3) from 0 to 1, the rows and columns of it that they cover, and what it is."""

    pixels: Doubles
    covered: Pair
    note: str


def read_backdrop(path: str) -> Backdrop:
    """Return a user's image or matrix to draw on; channels beyond colors are shown as their mean."""
    picture = decode_picture(read_bytes(path), path)
    volume = as_volume(picture.pixels)
    colors = volume[:, :, :3] if picture.has_alpha or volume.shape[2] == 3 else volume.mean(axis=2, keepdims=True)
    levels = colors / picture.maximum
    if picture.matrix:
        least = colors.min()
        levels = (colors - least) / (float(colors.max() - least) or 1.0)
    if picture.has_alpha:
        share = volume[:, :, 3:] / picture.maximum
        levels = levels * share + (1 - share)
    reduced = reduce_picture(levels, _MOST_BACKDROP)
    height, width = volume.shape[:2]
    factor = ceil(max(height, width) / _MOST_BACKDROP)
    covered = min(height, reduced.shape[0] * factor), min(width, reduced.shape[1] * factor)
    return Backdrop(np.clip(np.broadcast_to(reduced, (*reduced.shape[:2], 3)), 0, 1), covered, Path(path).name)


class Fields(NamedTuple):
    """What is to be drawn: frames, the input's (height, width), an image if there is one, the network's name."""

    found: Frames
    size: Pair
    backdrop: Backdrop | None
    title: str

    @property
    def colors(self) -> Doubles:
        """(frames, 4): from the first layer to the last dark to bright."""
        return np.asarray(colormaps["viridis"](np.linspace(0.05, 0.97, len(self.found.frames))))

    @property
    def are_padded(self) -> bool:
        """Whether a frame goes beyond the input."""
        height, width = self.size
        return any(
            min(frame.rows[0], frame.columns[0]) < 0 or frame.rows[1] >= height or frame.columns[1] >= width
            for frame in self.found.frames
        )


class Section(NamedTuple):
    """What a panel shows, in pixels: the first and last row, the first and last column, half a pixel around them."""

    top: float
    bottom: float
    left: float
    right: float

    @property
    def sides(self) -> tuple[float, float]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    def lies_within(self, frame: Frame) -> bool:
        """Return whether a frame goes around all that is shown, so that no side of it is."""
        (top, bottom), (left, right) = frame.rows, frame.columns
        return top < self.top and bottom > self.bottom and left < self.left and right > self.right

    def corners(self, frame: Frame) -> Iterator[tuple[float, float, str, str]]:
        """Yield where a frame's number fits, (column, row), and which of the text's corners is there."""
        (top, bottom), (left, right) = frame.rows, frame.columns
        for y, down in ((top - 0.5, "top"), (bottom + 0.5, "bottom")):
            for x, across in ((left - 0.5, "left"), (right + 0.5, "right")):
                if self.top <= y <= self.bottom or self.left <= x <= self.right:  # else all of the corner is cut off
                    yield min(max(x, self.left), self.right), min(max(y, self.top), self.bottom), across, down


def choose_section(frames: Sequence[Frame], size: Pair) -> Section:
    """Return what is drawn: the input and all frames, but at most the input's own size beyond each of its sides."""
    spans: list[float] = []
    for side, seen in zip(size, _spans(frames), strict=True):
        first, last = max(min(0, *seen), -side), min(max(side - 1, *seen), 2 * side - 1)
        margin = 0.5 + 0.02 * (last - first)
        spans += [first - margin, last + margin]
    return Section(*spans)


def choose_zoom(frames: Sequence[Frame], section: Section) -> Section | None:
    """Return what is drawn larger, in a panel beside: what is around frames of up to an eighth; None without any."""
    height, width = section.sides
    small = [f for f in frames if f.field.size[0] <= height / 8 and f.field.size[1] <= width / 8]
    if not small:
        return None
    spans: list[float] = []
    for seen in _spans(small):
        margin = 0.5 + max(1.0, 0.12 * (max(seen) - min(seen)))
        spans += [min(seen) - margin, max(seen) + margin]
    return Section(*spans)


def _spans(frames: Sequence[Frame]) -> list[list[int]]:
    """Return the ends of all frames along both axes."""
    return [[end for f in frames for end in f.rows], [end for f in frames for end in f.columns]]


def draw_fields(figure: Figure, sheet: Sheet, fields: Fields) -> None:
    """Draw the frames on the input, the small ones once more beside it, and their numbers below."""
    frames = fields.found.frames
    section = choose_section(frames, fields.size)
    near = choose_zoom(frames, section)
    height = min(_PANEL, _PANEL * section.sides[0] / section.sides[1] + 0.3)
    lines = table_of(fields.found)
    paper = Paper(figure, sheet)
    paper.lay_out(_HEAD + height + _BELOW + len(lines) * _LINE + _FOOT, _WIDTH, stretched=False)
    paper.text(0.3, 0.3, fields.title, 12, weight="bold", va="baseline")
    paper.text(0.3, 0.5, _subtitle(fields, section), 8, va="baseline")
    axes = paper.axes(Box(0.6 if near else (_WIDTH - _PANEL) / 2, _HEAD, _PANEL, height))
    _draw_panel(axes, fields, section, paper.zoom)
    axes.set_title("the input" if fields.backdrop is None else fields.backdrop.note, fontsize=9 * paper.zoom)
    if near:
        closer = paper.axes(Box(0.6 + _PANEL + 0.6, _HEAD, _PANEL - 0.6, height))
        _draw_panel(closer, fields, near, paper.zoom)
        closer.set_title("the smallest, enlarged (dashed on the left)", fontsize=9 * paper.zoom)
        corner, (high, wide) = (near.left, near.top), near.sides
        axes.add_patch(Rectangle(corner, wide, high, fill=False, ls="--", lw=paper.zoom, ec="black"))
    for row, cells in enumerate(lines):
        style = {"va": "center", "weight": "normal" if row else "bold"}
        for (_, x, side), cell in zip(_COLUMNS, cells, strict=True):
            text = paper.text(x, _HEAD + height + _BELOW + row * _LINE, cell, 8, ha=side, **style)
            if cell and side == "center":
                _lay_on_color(text, fields.colors[row - 1], paper.zoom, pad=0.2)


def _subtitle(fields: Fields, section: Section) -> str:
    """Return whose fields are drawn, and what is around the input."""
    last = fields.found.frames[-1]
    unit = f"{last.unit[0]}, {last.unit[1]} of {last.names[-1]}"
    padding = "; grey is padding" if fields.are_padded else ""
    cut = [str(number) for number, frame in enumerate(fields.found.frames, 1) if section.lies_within(frame)]
    larger = f"; larger than what is drawn: {', '.join(cut)}" if cut else ""
    return f"What unit {unit} sees of the input, and the units before it under its middle{padding}{larger}."


def _draw_panel(axes: Axes, fields: Fields, section: Section, zoom: float) -> None:
    """Draw the input and the frames in a section."""
    height, width = fields.size
    axes.set_facecolor("#E4E4E4" if fields.are_padded else "white")
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor="white", edgecolor="black", lw=zoom, zorder=0))
    if fields.backdrop is not None:
        rows, columns = fields.backdrop.covered
        extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
        axes.imshow(fields.backdrop.pixels, extent=extent, interpolation="antialiased", zorder=1)
    elif max(section.sides) <= 64:  # more lines between pixels would hide them
        axes.vlines(np.arange(width + 1) - 0.5, -0.5, height - 0.5, "#DDDDDD", lw=0.4 * zoom, zorder=1)
        axes.hlines(np.arange(height + 1) - 0.5, -0.5, width - 0.5, "#DDDDDD", lw=0.4 * zoom, zorder=1)
    axes.set(xlim=(section.left, section.right), ylim=(section.bottom, section.top))
    axes.set_aspect("equal", anchor="N")
    axes.set(xlabel="column", ylabel="row")
    axes.locator_params(integer=True, nbins=8)
    _draw_frames(axes, fields, section, zoom)


def _draw_frames(axes: Axes, fields: Fields, section: Section, zoom: float) -> None:
    """Draw the frames, and their numbers where there is room for them: the largest first."""
    points = 72 * zoom * _PANEL / max(section.sides)  # of a pixel, about
    taken: list[tuple[float, float]] = []
    frames = fields.found.frames
    for number, (frame, color) in reversed(list(enumerate(zip(frames, fields.colors, strict=True), 1))):
        height, width = (last - first + 1 for first, last in (frame.rows, frame.columns))
        corner = frame.columns[0] - 0.5, frame.rows[0] - 0.5
        patch = Rectangle(corner, width, height, fill=False, ec=color, lw=1.6 * zoom, gid=f"frame {number}")
        patch.set_path_effects([Stroke(linewidth=3.0 * zoom, foreground="black"), Normal()])
        patch.set_zorder(3 + len(frames) - number)
        axes.add_patch(patch)
        for x, y, across, down in section.corners(frame) if min(height, width) * points > 8 * zoom else ():
            if all(max(abs(x - a), abs(y - b)) * points > 11 * zoom for a, b in taken):
                taken.append((x, y))
                inwards = (1.5 if across == "left" else -1.5) * zoom, (-1.5 if down == "top" else 1.5) * zoom
                text = axes.annotate(str(number), (x, y), xytext=inwards, textcoords="offset points", zorder=100)
                text.set(ha=across, va=down, gid=f"number {number}")
                _lay_on_color(text, color, zoom, pad=0.15)
                break


def _lay_on_color(text: Text, color: Doubles, zoom: float, pad: float) -> None:
    """Lay a frame's number on the frame's color."""
    text.set(fontsize=6.5 * zoom, color=choose_inks(color)[0])
    text.set_bbox({"boxstyle": f"square,pad={pad}", "facecolor": color, "edgecolor": "black", "linewidth": 0.5 * zoom})


def table_of(found: Frames) -> list[tuple[str, ...]]:
    """Return the lines of the table: its head, each frame's numbers, and which layers see all."""
    lines = [tuple(head for head, _, _ in _COLUMNS)]
    for number, frame in enumerate(found.frames, 1):
        field = frame.field
        unit, first = ("{}, {}".format(*place) for place in (frame.unit, field.first))
        sizes = show_pair(frame.output), unit, show_pair(field.size), show_pair(field.jump) if field.jump else "varies"
        seen = ("{} to {}".format(*span) for span in (frame.rows, frame.columns))
        lines.append((str(number), _names(frame.names), *sizes, first, *seen))
    if found.whole:
        lines.append(("", _names(found.whole), "", "", "the whole input", "", "", "", ""))
    return lines


def _names(names: Sequence[str]) -> str:
    """Return names in a line of the table, the first and the last of those too long for it."""
    text = ", ".join(names)
    return text if len(text) <= 46 else f"{names[0]}, {names[1]} ... {names[-1]} ({len(names)} layers)"
