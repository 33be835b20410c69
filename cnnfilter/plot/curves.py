"""Curves of activations, side by side in one scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Floats
from cnnfilter.compute.activations import ACTIVATIONS, activate, differentiate, write_formulas
from cnnfilter.nn.other_layers import Activation
from cnnfilter.plot.sheet import FRAME, INK, Box, Paper

_COLUMNS = 3
_WIDTH = 3.0
"""Inches of a panel."""

_HEAD, _GAP, _FOOT = 0.65, 0.45, 0.3
"""Inches above, between and below panels."""

_REACH = 4.0
"""At least so far on each side of 0 is drawn, and 2 beyond each kink."""

_MARGIN = 0.2
"""Units of y below the least and above the greatest value."""

_STEPS = 100
"""Points of a curve from one whole x to the next."""


class _Range(NamedTuple):
    """What all panels show."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def ratio(self) -> float:
        """Height to width of a panel on which a slope of 1 is drawn as one, unless that would be too high or flat."""
        return min(2.0, max(0.3, (self.top - self.bottom + 2 * _MARGIN) / (self.right - self.left)))


def draw_curves(paper: Paper, layers: Sequence[Activation], *, derivative: bool) -> None:
    """Draw a panel for each activation, with its `derivative` dashed; all have one scale."""
    right = max([_REACH, *(kink + 2 for layer in layers for kink in ACTIVATIONS[layer.op].kinks)])
    points = np.arange(-_REACH * _STEPS, right * _STEPS + 1) / _STEPS
    curves = [activate(points, layer) for layer in layers]
    slopes = [differentiate(points, layer) for layer in layers] if derivative else []
    drawn = np.concatenate([*curves, *slopes])
    scale = _Range(points[0], points[-1], min(-1, floor(drawn.min())), max(1, ceil(drawn.max())))
    columns, height = min(_COLUMNS, len(layers)), _WIDTH * scale.ratio
    rows = ceil(len(layers) / columns)
    paper.lay_out(rows * (height + _HEAD) + _FOOT, columns * (_WIDTH + _GAP) + _GAP / 2, stretched=False)
    for number, layer in enumerate(layers):
        row, column = divmod(number, columns)
        box = Box(_GAP + column * (_WIDTH + _GAP), _HEAD + row * (height + _HEAD), _WIDTH, height)
        axes = _open_panel(paper, box, layer, scale)
        axes.plot(points, curves[number], color=INK, linewidth=1.6 * paper.zoom, label="f(x)")
        if derivative:
            shown = _break_at(ACTIVATIONS[layer.op].kinks, points, slopes[number])
            axes.plot(points, shown, color=FRAME, linewidth=1.6 * paper.zoom, linestyle="--", label="f'(x)")
            axes.legend(loc="upper left", fontsize=8 * paper.zoom, frameon=False)


def _open_panel(paper: Paper, box: Box, layer: Activation, scale: _Range) -> Axes:
    """Return axes with a grid and both zero lines, below the activation and its formula."""
    axes = paper.axes(box)
    axes.set_xlim(scale.left, scale.right)
    axes.set_ylim(scale.bottom - _MARGIN, scale.top + _MARGIN)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.grid(color="#e4e4e4", linewidth=0.5 * paper.zoom)
    axes.axhline(0, color="#999999", linewidth=0.8 * paper.zoom, zorder=1)
    axes.axvline(0, color="#999999", linewidth=0.8 * paper.zoom, zorder=1)
    paper.title(axes, layer.text, [write_formulas(layer)[0]], (_HEAD - 0.3, box.width))
    return axes


def _break_at(kinks: Sequence[float], points: Floats, slopes: Floats) -> Floats:
    """Return slopes without those at kinks, where a curve would else have an upright line."""
    return np.where(np.isin(points, kinks), np.nan, slopes)
