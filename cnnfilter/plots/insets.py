"""Insets: kernels drawn small, beside the title of what they make."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Doubles
from cnnfilter.plots.displays import Display, display_weights
from cnnfilter.plots.panels import draw_pixels
from cnnfilter.plots.papers import INK, POINTS, Box, Paper

_INSET = 0.5, 1.2
"""The greatest (height, width) of an inset, in inches."""

_OUTLINE = 0.5
"""Points."""

_LINED = 2.5
"""Cells of more points have lines between them."""


def place_inset(paper: Paper, inner: Box, place: Box, margin: float, kernel: Doubles) -> float:
    """Draw a kernel at the corner of its panel, and return how far to the right a title above the panel may go.

    Parameters
    ----------
    paper
        Where.
    inner, place
        The room that the panel had, and what it took.
    margin
        Inches right of a panel for its color bar.
    kernel
        The weights. Where the panel leaves room beside it they stand there, behind the color bar.
    """
    display = display_weights(kernel)
    ratio = display.pixels.shape[0] / display.pixels.shape[1]
    corner = Box(0.0, place.top - 0.06 - _INSET[0], _INSET[1], _INSET[0])
    size = paper.square(corner, ratio)
    right = place.left + place.width
    if inner.width - place.width > size.width + 0.1:
        beside = right + margin
        draw_inset(paper, size._replace(left=beside, top=place.top), display)
        return inner.left + inner.width + margin
    draw_inset(paper, size._replace(left=right - size.width), display)
    return right - size.width


def draw_inset(paper: Paper, box: Box, display: Display) -> Axes:
    """Draw a kernel, small and without numbers; its cells are whole pixels where they are that large.

    Each of its slices has its own outline.
    """
    rows, columns = display.pixels.shape
    snapped = paper.snap(box, (rows, columns))
    axes = paper.axes(snapped)
    draw_pixels(axes, display, (rows, columns)).set_interpolation("nearest")
    down, across = display.tiles
    height, width = (rows + display.gap) // down - display.gap, (columns + display.gap) // across - display.gap
    dots = max(1, round(_OUTLINE * paper.zoom * paper.figure.dpi / POINTS))
    half = dots / 2 * columns / (paper.real(snapped)[1] * paper.figure.dpi)  # outside of the cells, on all sides alike
    large = max(paper.real(box)) * POINTS / max(rows, columns) > _LINED
    for number in range(down * across):
        row, column = divmod(number, across)
        top, left = row * (height + display.gap) - 0.5, column * (width + display.gap) - 0.5
        if large:
            style: dict[str, Any] = {"colors": "#bbbbbb", "linewidth": 0.4 * paper.zoom}
            axes.hlines(top + np.arange(1, height), left, left + width, **style)
            axes.vlines(left + np.arange(1, width), top, top + height, **style)
        outline = Rectangle((left - half, top - half), width + 2 * half, height + 2 * half, fill=False, edgecolor=INK)
        outline.set(linewidth=dots * POINTS / paper.figure.dpi, snap=False, clip_on=False, joinstyle="miter")
        axes.add_patch(outline)
    axes.set_axis_off()
    axes.set_label("kernel")
    return axes
