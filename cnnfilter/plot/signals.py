"""Signals, and below them their convolution, cross-correlation and autocorrelation as curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Doubles
from cnnfilter.compute.correlate import correlate_planes, find_peaks, sum_products
from cnnfilter.nn.correlation import Correlation, Overlap, Similarity, find_lags
from cnnfilter.plot.panel import Mark, draw_mark, show_level
from cnnfilter.plot.sheet import INK, Box, Paper

_FEW = 64
"""So many values are drawn as points, each with a line from 0; more as one curve."""

_BLUE, _GREEN = "#4477aa", "#228833"
"""The input and the pattern; what comes of them is in ink (P. Tol, "Colour schemes", 2021)."""


class Curve(NamedTuple):
    """Values over places or shifts, the first of which is `first`; those of one unit can be compared."""

    title: str
    label: str
    values: Doubles
    first: int
    color: str
    unit: str = ""
    peak: Mark | None = None


def draw_signals(paper: Paper, names: Sequence[str], one: Doubles, other: Doubles, layer: Correlation) -> None:
    """Draw a signal above its autocorrelation, or by two names two above their convolution and correlation as well."""
    every = find_lags(len(one), len(other), Overlap.FULL)
    first = Curve(f"a: {names[0]}", "x", one, 0, _BLUE)
    own = find_lags(len(one), len(one), Overlap.FULL)
    autocorrelation = _correlate("autocorrelation", "r[d] = sum of a[x + d] a[x]", (one, one), own, layer.similarity)
    if len(names) == 1:
        _draw_columns(paper, [(first, autocorrelation)])
        return
    second = Curve(f"b: {names[1]}", "x", other, 0, _GREEN)
    convolved = sum_products(one[None], other[None, ::-1], (range(1), every))[0]
    convolution = Curve("convolution\nc[x] = sum of a[x - i] b[i]", "x", convolved, 0, INK)
    shifts = layer.lags((1, len(one)))[1]
    correlation = _correlate("cross-correlation", "r[d] = sum of a[x + d] b[x]", (one, other), shifts, layer.similarity)
    _draw_columns(paper, [(first, second, convolution), (first, second, correlation), (first, first, autocorrelation)])


def _correlate(title: str, formula: str, pair: tuple[Doubles, Doubles], shifts: range, similarity: Similarity) -> Curve:
    """Return the values of a correlation over its shifts, the highest marked."""
    lags = range(1), shifts
    values = correlate_planes(pair[0][None], pair[1][None], lags, similarity)
    (peak,) = find_peaks(values, lags, 1)
    if similarity is not Similarity.NONE:
        title, formula = f"{title}, {similarity}", f"{len(shifts)} shifts"
    unit = str(similarity) if similarity in {Similarity.NCC, Similarity.PHASE} else ""
    return Curve(f"{title}\n{formula}", "shift d", values[0], shifts.start, INK, unit, Mark(peak.value, peak.dx))


def _draw_columns(paper: Paper, columns: Sequence[tuple[Curve, ...]]) -> None:
    """Draw curves in columns; those of a row that have one unit share a scale."""
    wide, high, left, title, below = 3.4, 1.3, 0.55, 0.5, 0.42
    count = len(columns[0])
    paper.lay_out(count * (high + title + below), len(columns) * (wide + left) + 0.2)
    for row in range(count):
        curves = [column[row] for column in columns]
        for place, curve in enumerate(curves):
            box = Box(left + place * (wide + left), title + row * (high + title + below), wide - 0.15, high)
            axes = paper.axes(box)
            _draw_curve(axes, curve, paper.zoom)
            alike = [0.0, *(value for other in curves if other.unit == curve.unit for value in other.values)]
            room = 0.06 * ((max(alike) - min(alike)) or 1.0)
            axes.set_ylim(min(alike) - room, max(alike) + room)
            head, *facts = curve.title.split("\n")
            paper.title(axes, head, facts or [f"{len(curve.values)} values"], (title - 0.06, wide))


def _draw_curve(axes: Axes, curve: Curve, zoom: float) -> None:
    """Draw values over their places or shifts, and a circle around the peak."""
    places = np.arange(curve.first, curve.first + len(curve.values))
    if len(places) <= _FEW:
        axes.vlines(places, 0, curve.values, color=curve.color, linewidth=1.2 * zoom)
        axes.plot(places, curve.values, "o", color=curve.color, markersize=2.5 * zoom)
    else:
        axes.plot(places, curve.values, color=curve.color, linewidth=0.9 * zoom)
    axes.axhline(0, color=INK, linewidth=0.5 * zoom)
    axes.set_xlim(places[0] - 0.5, places[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(show_level)
    axes.set_xlabel(curve.label)
    axes.spines[["top", "right"]].set_visible(False)
    if curve.peak:
        draw_mark(axes, zoom, curve.peak)
