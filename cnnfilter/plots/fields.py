"""Receptive fields as a figure: nested frames on the input, and a table of their sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke

from cnnfilter.plots.frames import Frame, Frames
from cnnfilter.plots.samples import Backdrop
from cnnfilter.plots.sections import Section, choose_section, choose_zoom, corners_of
from cnnfilter.plots.sheets import Sheet, set_size
from cnnfilter.spec.geometry import Pair, show_pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = "viridis"
"""From the first layer to the last, dark to bright."""

_WIDTH, _PANEL, _LINE, _HEAD, _FOOT = 11.0, 5.0, 0.19, 0.95, 0.15
"""Inches of the figure, of a panel, of a line of the table, above and below all."""

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
"""The head of each column of the table, its place in inches, and which of its ends stands there."""

MOST_GRID = 64
"""Where no more pixels are drawn along a side, lines part them."""

MOST_LETTERS = 46
"""Of the names of layers in a line."""


Place = Callable[[float, float], tuple[float, float]]
"""Turns inches from the top left corner of the natural figure into shares of the real one."""


class Fields(NamedTuple):
    """What is to be drawn: frames, the input's (height, width), a picture if there is one, the network's name."""

    found: Frames
    size: Pair
    backdrop: Backdrop | None
    title: str


def draw_fields(figure: Figure, sheet: Sheet, fields: Fields) -> None:
    """Draw the frames on the input, the small ones once more beside it, and their numbers below.

    Parameters
    ----------
    figure
        An empty one.
    sheet
        What was asked for; of it the size matters.
    fields
        What is drawn.
    """
    frames = fields.found.frames
    section = choose_section(frames, fields.size)
    near = choose_zoom(frames, section)
    panel = min(_PANEL, _PANEL * section.sides[0] / section.sides[1] + 0.3)
    lines = len(frames) + bool(fields.found.whole) + 1
    natural = _HEAD + panel + 0.65 + lines * _LINE + _FOOT
    height, width, zoom = set_size(figure, sheet, (natural, _WIDTH))
    unit = zoom / width, zoom / height  # an inch of the natural figure, as shares of this one

    def place(x: float, y: float) -> tuple[float, float]:
        return x * unit[0], 1 - y * unit[1]

    figure.text(*place(0.3, 0.3), fields.title, fontsize=12 * zoom, weight="bold")
    figure.text(*place(0.3, 0.5), _subtitle(fields, section), fontsize=8 * zoom)
    left, low = place(0.6 if near else (_WIDTH - _PANEL) / 2, _HEAD + panel)
    axes = figure.add_axes((left, low, _PANEL * unit[0], panel * unit[1]))
    _draw_panel(axes, fields, section, zoom)
    axes.set_title("the input" if fields.backdrop is None else fields.backdrop.note, fontsize=9 * zoom)
    if near:
        left, low = place(0.6 + _PANEL + 0.6, _HEAD + panel)
        closer = figure.add_axes((left, low, (_PANEL - 0.6) * unit[0], panel * unit[1]))
        _draw_panel(closer, fields, near, zoom)
        closer.set_title("the smallest, enlarged (dashed on the left)", fontsize=9 * zoom)
        box = Rectangle((near.left, near.top), near.sides[1], near.sides[0], fill=False, ls="--", lw=zoom, ec="black")
        axes.add_patch(box)
    for row, cells in enumerate(table_of(fields.found)):
        _write_row(figure, place, _HEAD + panel + 0.65 + row * _LINE, cells, zoom, frame_colors(len(frames))[row - 1 :])


def _subtitle(fields: Fields, section: Section) -> str:
    """Return whose fields are drawn, and what lies around the input."""
    last = fields.found.frames[-1]
    text = (
        f"What unit {_pair(last.unit)} of {last.names[-1]} sees of the input, and the units before it under its middle"
    )
    if _reaches_padding(fields):
        text += "; grey is padding"
    if larger := [str(number) for number, frame in enumerate(fields.found.frames, 1) if section.lies_within(frame)]:
        text += f"; larger than what is drawn: {', '.join(larger)}"
    return f"{text}."


def _reaches_padding(fields: Fields) -> bool:
    height, width = fields.size
    return any(
        min(frame.rows[0], frame.columns[0]) < 0 or frame.rows[1] >= height or frame.columns[1] >= width
        for frame in fields.found.frames
    )


def frame_colors(count: int) -> list[str]:
    """Return a color for each frame, dark to bright."""
    return [to_hex(color) for color in colormaps[COLORS](np.linspace(0.05, 0.97, count))]


def _draw_panel(axes: Axes, fields: Fields, section: Section, zoom: float) -> None:
    """Draw the input and the frames that lie in a section."""
    height, width = fields.size
    axes.set_facecolor("#E4E4E4" if _reaches_padding(fields) else "white")
    axes.set_xlim(section.left, section.right)
    axes.set_ylim(section.bottom, section.top)
    axes.set_aspect("equal", anchor="N")
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor="white", edgecolor="black", lw=zoom, zorder=0))
    if fields.backdrop is not None:
        rows, columns = fields.backdrop.covered
        axes.imshow(
            fields.backdrop.pixels,
            extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
            interpolation="antialiased",
            zorder=1,
        )
        axes.set_xlim(section.left, section.right)
        axes.set_ylim(section.bottom, section.top)
    elif max(section.sides) <= MOST_GRID:
        axes.vlines(np.arange(width + 1) - 0.5, -0.5, height - 0.5, "#DDDDDD", lw=0.4 * zoom, zorder=1)
        axes.hlines(np.arange(height + 1) - 0.5, -0.5, width - 0.5, "#DDDDDD", lw=0.4 * zoom, zorder=1)
    axes.tick_params(labelsize=7 * zoom)
    axes.set_xlabel("column", fontsize=8 * zoom)
    axes.set_ylabel("row", fontsize=8 * zoom)
    axes.locator_params(integer=True, nbins=8)
    _draw_frames(axes, fields.found.frames, section, zoom)


def _draw_frames(axes: Axes, frames: Sequence[Frame], section: Section, zoom: float) -> None:
    """Draw the frames, and their numbers where there is room for them: the largest first."""
    points = 72 * zoom * _PANEL / max(section.sides)  # of a pixel, about
    colors = frame_colors(len(frames))
    taken: list[tuple[float, float]] = []
    for number in range(len(frames), 0, -1):
        frame, color = frames[number - 1], colors[number - 1]
        top, left = frame.rows[0] - 0.5, frame.columns[0] - 0.5
        patch = Rectangle((left, top), frame.field.size[1], frame.field.size[0], fill=False, ec=color, lw=1.6 * zoom)
        patch.set_path_effects([Stroke(linewidth=3.0 * zoom, foreground="black"), Normal()])
        patch.set_zorder(3 + len(frames) - number)
        patch.set_gid(f"frame {number}")
        axes.add_patch(patch)
        for x, y, across, down in corners_of(frame, section):
            far = all(max(abs(x - a), abs(y - b)) * points > 11 * zoom for a, b in taken)
            if far and min(frame.field.size) * points > 8 * zoom:
                taken.append((x, y))
                _write_number(axes, (x, y), (across, down), number, color, zoom)
                break


def _write_number(
    axes: Axes, place: tuple[float, float], sides: tuple[str, str], number: int, color: str, zoom: float
) -> None:
    """Write a frame's number in its corner, on its color."""
    across, down = sides
    inwards = 1.5 * zoom if across == "left" else -1.5 * zoom, -1.5 * zoom if down == "top" else 1.5 * zoom
    text = axes.annotate(
        str(number),
        place,
        xytext=inwards,
        textcoords="offset points",
        ha=across,
        va=down,
        fontsize=6.5 * zoom,
        color=_ink_on(color),
        zorder=100,
        bbox={"boxstyle": "square,pad=0.15", "facecolor": color, "edgecolor": "black", "linewidth": 0.5 * zoom},
    )
    text.set_gid(f"number {number}")


def _ink_on(color: str) -> str:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else "white"


def table_of(found: Frames) -> list[tuple[str, ...]]:
    """Return the lines of the table: its head, each frame's numbers, and which layers see all."""
    lines = [tuple(head for head, _, _ in _COLUMNS)]
    for number, frame in enumerate(found.frames, 1):
        lines.append(
            (
                str(number),
                _names(frame.names),
                show_pair(frame.output),
                _pair(frame.unit),
                show_pair(frame.field.size),
                show_pair(frame.field.jump),
                _pair(frame.field.first),
                "{} to {}".format(*frame.rows),
                "{} to {}".format(*frame.columns),
            )
        )
    if found.whole:
        lines.append(("", _names(found.whole), "", "", "the whole input", "", "", "", ""))
    return lines


def _pair(pair: Pair) -> str:
    return f"{pair[0]}, {pair[1]}"


def _names(names: Sequence[str]) -> str:
    """Return names in a line, the first and the last of many."""
    text = ", ".join(names)
    return text if len(text) <= MOST_LETTERS else f"{names[0]}, {names[1]} ... {names[-1]} ({len(names)} layers)"


def _write_row(
    figure: Figure, place: Place, y: float, cells: Sequence[str], zoom: float, colors: Sequence[str]
) -> None:
    """Write a line of the table; a frame's number stands on its color."""
    is_head = not cells[0] and cells[1] == "layers"
    for (_, x, side), text in zip(_COLUMNS, cells, strict=True):
        if not text:
            continue
        weight = "bold" if is_head else "normal"
        written = figure.text(*place(x, y), text, fontsize=8 * zoom, ha=side, va="center", weight=weight)
        if side == "center":
            written.set(fontsize=6.5 * zoom, color=_ink_on(colors[0]))
            written.set_bbox(
                {"boxstyle": "square,pad=0.2", "facecolor": colors[0], "edgecolor": "black", "lw": 0.5 * zoom}
            )
