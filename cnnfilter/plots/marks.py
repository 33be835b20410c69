"""Marks beside a panel: numbered pixels, sizes, a color bar."""

from __future__ import annotations

from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.ticker import MaxNLocator

from cnnfilter.numbers import show_short
from cnnfilter.plots.displays import Display, Equalized
from cnnfilter.plots.panels import LETTER
from cnnfilter.plots.papers import POINTS, Box, Paper
from cnnfilter.spec.geometry import Pair

TICK_POINTS = 7
"""Of the numbers at the axes."""


def draw_bar(paper: Paper, place: Box, image: ScalarMappable, display: Display) -> Axes:
    """Draw the scale right of a box."""
    axes = paper.axes(Box(place.left + place.width + 0.08, place.top, 0.12, place.height))
    bar = paper.figure.colorbar(image, cax=axes, extend=display.extend)
    count = max(2, min(9, int(paper.real(place)[0] / (0.25 * paper.zoom))))
    if isinstance(display.norm, Equalized):
        levels = [float(level) for level in dict.fromkeys(display.norm.inverse(np.linspace(0, 1, min(count, 5))))]
        bar.set_ticks(levels, labels=[show_short(level) for level in levels])
        bar.minorticks_off()
    else:
        bar.ax.yaxis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
        bar.ax.yaxis.set_major_formatter(lambda level, _: show_short(level))
    mark_axes(paper, bar.ax)
    bar.outline.set_linewidth(0.5 * paper.zoom)
    axes.set_label("scale")
    return axes


def mark_axes(paper: Paper, axes: Axes) -> None:
    """Give the marks at the axes, and their numbers, their size."""
    zoom = paper.zoom
    axes.tick_params(labelsize=TICK_POINTS * zoom, width=0.5 * zoom, length=2 * zoom, pad=1.5 * zoom)


def mark_sizes(paper: Paper, place: Box, axes: Axes, size: Pair) -> None:
    """Write the (height, width) at the axes, and count some pixels from 0, as many as there is room for."""
    rooms = paper.real(place)
    for axis, count, word, room in (
        (axes.yaxis, size[0], "height", rooms[0]),
        (axes.xaxis, size[1], "width", rooms[1]),
    ):
        axis.set_ticks(choose_ticks(paper, count, room, across=axis is axes.xaxis))
        axis.set_label_text(f"{word} {count}", fontsize=8 * paper.zoom)
        axis.labelpad = 1.5 * paper.zoom
    mark_axes(paper, axes)
    _keep_apart(paper, place, axes)


def choose_ticks(paper: Paper, count: int, room: float, *, across: bool) -> list[int]:
    """Return which of so many pixels are numbered beside an axis that is so many inches long.

    All of up to 12 are, if they have room, else every 2nd, 5th, 10th and so on, so that they stand apart.
    """
    needed = TICK_POINTS * paper.zoom / POINTS * (LETTER * (len(str(count - 1)) + 1) if across else 1.5)
    most = max(1, min(12 if count <= 12 else 6, int(room / needed)))
    step = 1
    while ceil(count / step) > most and step < count:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return list(range(0, count, step))


def _keep_apart(paper: Paper, place: Box, axes: Axes) -> None:
    """Write the height flat, in place of the rows' numbers, where the panel is not as high as its words are long."""
    label = axes.yaxis.label
    if len(label.get_text()) * LETTER * float(label.get_fontsize()) / POINTS > paper.real(place)[0]:
        label.set_text(label.get_text().replace(" ", "\n"))
        label.set(rotation=0, ha="right", va="center")
        axes.set_yticks([])
