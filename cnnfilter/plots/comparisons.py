"""An input beside what kernels or a pool make of it; several results in a grid, the input first."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import PurePath

from cnnfilter.arrays import Doubles
from cnnfilter.compute.weights import Model
from cnnfilter.files.pictures import Picture
from cnnfilter.plots.displays import Look
from cnnfilter.plots.panels import BAR, BELOW, TICKS, TITLE, draw_inset, draw_panel
from cnnfilter.plots.papers import Box, Paper
from cnnfilter.plots.sheets import Sheet
from cnnfilter.plots.views import Reducer, View, view_picture

LARGE, SMALL = 4.2, 3.0
"""The longer side of a panel in inches: of two, of many."""

_INSET = 0.5
"""The side of a kernel in the corner, in inches."""

Named = tuple[str, Model, Reducer]
"""A result: what it is called, the network that made it, what came out."""


def draw_comparison(picture: Picture, name: str, results: Sequence[Named], paper: Paper, look: Look) -> None:
    """Draw an input and its results.

    Parameters
    ----------
    picture, name
        The input, and what it is called.
    results
        What was made of it.
    paper, look
        Where, and how values are drawn.
    """
    count = len(results) + 1
    long, columns, side = arrange(paper.sheet, count)
    views = [view_picture(picture, side), *(result.view() for _, _, result in results)]
    titles = [PurePath(name).name, *(title for title, _, _ in results)]
    kernels = [None, *(_kernel(model) for _, model, _ in results)]
    height, width = panel_size(views[0], long)
    paper.lay_out(height * ceil(count / columns), width * columns)
    for number, (view, title, kernel) in enumerate(zip(views, titles, kernels, strict=True)):
        row, column = divmod(number, columns)
        box = Box(column * width, row * height, width, height)
        corner = 0.0
        if kernel is not None:
            inset = Box(box.left + width - BAR - 1.2, box.top + 0.06, 1.2, _INSET)
            placed = draw_inset(paper, inset, kernel)
            corner = placed.get_position().width * width * columns + BAR
        draw_panel(paper, box, view, look, title, spared=corner)


def arrange(sheet: Sheet, count: int) -> tuple[float, int, int]:
    """Return the longer side of so many panels in inches, their columns, and how many pixels they show."""
    long = LARGE if count < 3 else SMALL
    columns = choose_columns(count)
    return long, columns, choose_side(sheet, long, columns)


def choose_columns(count: int) -> int:
    """Return in how many columns panels stand.

    Examples
    --------
    >>> [choose_columns(count) for count in (1, 2, 3, 4, 6, 12)]
    [1, 2, 3, 2, 3, 4]
    """
    if count <= 3:
        return count
    return 2 if count == 4 else 3 if count <= 9 else 4 if count <= 16 else 6


def choose_side(sheet: Sheet, long: float, columns: int) -> int:
    """Return how many pixels of a picture a panel can show along an axis."""
    inches = max(sheet.size) / columns if sheet.size else long
    return max(400, int(inches * sheet.dpi))


def panel_size(view: View, long: float) -> tuple[float, float]:
    """Return the (height, width) of a panel with its margins in inches, whose longer side is given."""
    ratio = min(max(view.shape[0] / view.shape[1], 0.4), 1.6)
    height, width = (long, long / ratio) if ratio > 1 else (long * ratio, long)
    return height + TITLE + BELOW, width + TICKS + BAR


def _kernel(model: Model) -> Doubles | None:
    """Return the weights of a network that is laid on the input as one kernel, or None."""
    kernels = [kernel for step in model.program(()).steps for kernel in step.kernels]
    return kernels[0].weights if len(kernels) == 1 else None
