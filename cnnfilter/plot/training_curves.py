"""How training went: the losses and the accuracy epoch by epoch, and the first filters before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Array, Doubles
from cnnfilter.learn.session import Session
from cnnfilter.learn.training import Epoch
from cnnfilter.nn.layers import Convolution, Shape
from cnnfilter.nn.other_layers import Linear
from cnnfilter.plot.compare import draw_filters
from cnnfilter.plot.sheet import FRAME, INK, Box, Paper
from cnnfilter.plot.view import symmetric

_WIDTH, _HEIGHT = 4.2, 2.8
"""Inches of a panel with curves."""

_LEFT, _TOP, _BELOW = 0.7, 0.4, 0.55
"""Inches left of a panel, above and below it."""

_FILTERS = 2.2
"""Inches of the filters, with their caption."""


def draw_training(paper: Paper, epochs: Sequence[Epoch], session: Session) -> None:
    """Draw the curves of a session, and the filters of the first layer that learns, before and after."""
    scores = [epoch.dev for epoch in epochs if epoch.dev]
    accuracies = [100 * score.accuracy for score in scores if score.accuracy is not None]
    filters = _find_filters(session)
    high = _TOP + _HEIGHT + _BELOW
    paper.lay_out(high + (_TOP + _FILTERS if filters else 0), 2 * (_LEFT + _WIDTH) + 0.2)
    panels = [Box(place * (_LEFT + _WIDTH) + _LEFT, _TOP, _WIDTH, _HEIGHT) for place in (0, 1)]
    wide = panels[0]._replace(width=_WIDTH * 2 + _LEFT)
    loss = _open_curves(paper, panels[0] if accuracies else wide, f"loss ({session.task.recipe.loss})", epochs)
    _draw_curve(loss, [epoch.train_loss for epoch in epochs], "train", INK)
    if scores:
        _draw_curve(loss, [score.loss for score in scores], "dev", FRAME)
    _mark_best(loss, session)
    loss.set_ylim(bottom=0)
    loss.legend(fontsize=8 * paper.zoom, frameon=False)
    if accuracies:
        accuracy = _open_curves(paper, panels[1], "dev accuracy in %", epochs)
        _draw_curve(accuracy, accuracies, "dev", FRAME)
        _mark_best(accuracy, session)
    if filters:
        name, *states = filters
        scale = symmetric(np.stack(states))
        for words, panel, state in zip(("before", "after"), panels, states, strict=True):
            box = Box(panel.left, high + _TOP, _WIDTH, _FILTERS - 0.1)
            paper.text(box.left, high + 0.1, f"{name} {words} training", 9)
            draw_filters(paper, box, state, scale)


def _open_curves(paper: Paper, box: Box, title: str, epochs: Sequence[Epoch]) -> Axes:
    axes = paper.axes(box)
    axes.set_title(title, loc="left", fontsize=9 * paper.zoom)
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.grid(color="#e4e4e4", linewidth=0.5 * paper.zoom)
    return axes


def _draw_curve(axes: Axes, values: Sequence[float], label: str, color: str) -> None:
    marker = "o" if len(values) <= 40 else ""
    axes.plot(range(1, len(values) + 1), values, marker=marker, markersize=3, linewidth=1.4, color=color, label=label)


def _mark_best(axes: Axes, session: Session) -> None:
    """Draw an upright line at the epoch whose weights are kept, where dev data choose it."""
    if session.dev:
        axes.axvline(session.trainer.best_epoch, color="#999999", linewidth=0.8, linestyle="--", label="kept")


def _find_filters(session: Session) -> tuple[str, Doubles, Doubles] | None:
    """Return the name of the first layer with weights on an image, and them before and after: (kh, kw, in, out)."""
    trainer = session.trainer
    for visit in session.task.network.visits(session.shape):
        layer, parts, name = visit.node.layer, visit.inputs.parts, visit.node.name
        is_flattened = isinstance(layer, Linear) and len(parts) == 1 and len(parts[0]) == 3
        if layer.learns and (isinstance(layer, Convolution) or is_flattened):
            volume = parts[0] if is_flattened else ()
            before, after = (_as_bank(state[f"{name}.weight"], volume) for state in (trainer.initial, trainer.best))
            return name, before, after
    return None


def _as_bank(weight: Array, volume: Shape) -> Doubles:
    """Return weights (out, in, kh, kw) as (kh, kw, in, out); those of a linear layer on a volume are as large as it."""
    if volume:
        weight = weight.reshape(-1, volume[2], *volume[:2])
    return np.asarray(weight.transpose(2, 3, 1, 0), np.float64)
