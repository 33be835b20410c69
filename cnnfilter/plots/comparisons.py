"""An input beside what kernels or a pool make of it; several results in a grid, the input first."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import PurePath

from cnnfilter.arrays import Doubles
from cnnfilter.compute.weights import Model
from cnnfilter.files.pictures import Picture
from cnnfilter.plots.displays import Look
from cnnfilter.plots.papers import Box, Paper
from cnnfilter.plots.plates import BAR, BELOW, TICKS, TITLE, draw_plate
from cnnfilter.plots.sheets import Sheet
from cnnfilter.plots.views import Reducer, View, view_picture

LARGE, SMALL = 4.2, 3.0
"""The longer side of a panel in inches: of two, of many."""

_LEAST = 1.6, 1.9
"""The (height, width) in inches to which a panel shrinks, where the figure asked for is small, before letters do."""

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
    height, width = lay_out_panels(paper, views[0], long, (ceil(count / columns), columns))
    for number, (view, title, kernel) in enumerate(zip(views, titles, kernels, strict=True)):
        row, column = divmod(number, columns)
        draw_plate(paper, Box(column * width, row * height, width, height), view, look, title, kernel)


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


def lay_out_panels(
    paper: Paper, view: View, long: float, grid: tuple[int, int], extra: float = 0.0
) -> tuple[float, float]:
    """Lay a paper out for (rows, columns) of panels; return the (height, width) of each with its margins in inches.

    Parameters
    ----------
    paper
        Whose size is that of the sheet, if it has one: then panels take what the margins leave.
    view, long
        What the first panel shows, and the longer side of panels in inches.
    grid
        How many rows and columns there are.
    extra
        Inches that the rows have together above their panels.
    """
    height, width = panel_size(view, long)
    if paper.sheet.size:
        least = min(height, TITLE + BELOW + _LEAST[0]), min(width, TICKS + BAR + _LEAST[1])
        high, wide = paper.sheet.size
        zoom = min(1.0, high / (least[0] * grid[0] + extra), wide / (least[1] * grid[1]))
        height, width = (high / zoom - extra) / grid[0], wide / zoom / grid[1]
    paper.lay_out(height * grid[0] + extra, width * grid[1])
    return height, width


def panel_size(view: View, long: float) -> tuple[float, float]:
    """Return the (height, width) of a panel with its margins in inches, whose longer side is given."""
    ratio = min(max(view.shape[0] / view.shape[1], 0.4), 1.6)
    height, width = (long, long / ratio) if ratio > 1 else (long * ratio, long)
    return height + TITLE + BELOW, width + TICKS + BAR


def _kernel(model: Model) -> Doubles | None:
    """Return the weights of a network that is laid on the input as one kernel, or None."""
    kernels = [kernel for step in model.program(()).steps for kernel in step.kernels]
    return kernels[0].weights if len(kernels) == 1 else None
