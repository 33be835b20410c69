"""An input beside what is made of it: panels in a grid, the input first, filters above the maps that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import Normalize

from cnnfilter.arrays import Doubles
from cnnfilter.nn.geometry import Pair
from cnnfilter.plot.cells import write_numbers
from cnnfilter.plot.panel import BAR, BELOW, TICKS, TITLE, Mark, draw_mark, draw_panel, draw_pixels
from cnnfilter.plot.sheet import Box, Paper, Sheet
from cnnfilter.plot.view import MOST_MAPS, SIGNED, Look, View, display_maps, symmetric

MOST_PANELS = 48
"""More cannot be distinguished in one figure."""


class Panel(NamedTuple):
    """A title, the values below it, and what made them: a kernel that is drawn beside, or filters (kh, kw, in, out).

    Of a map of shifts `first` is the shift (dy, dx) of the first value; `marks` are drawn on the values.
    """

    title: str
    view: View
    kernel: Doubles | None = None
    filters: Doubles | None = None
    first: Pair | None = None
    marks: tuple[Mark, ...] = ()


class Grid(NamedTuple):
    """How panels are arranged: in how many columns, their longer side in inches, the pixels that they show along it."""

    columns: int
    long: float
    side: int


def arrange(sheet: Sheet, count: int) -> Grid:
    """Return how so many panels are arranged; one or two are large.

    Examples
    --------
    >>> [arrange(Sheet("a.png"), count).columns for count in (1, 2, 3, 4, 6, 12)]
    [1, 2, 3, 2, 3, 4]
    """
    columns = count if count <= 3 else 2 if count == 4 else 3 if count <= 9 else 4 if count <= 16 else 6
    long = 4.2 if count < 3 else 3.0
    inches = max(sheet.size) / columns if sheet.size else long
    return Grid(columns, long, max(400, int(inches * sheet.dpi)))


def share_scale(panels: Sequence[Panel]) -> list[Panel]:
    """Return panels that have one scale, so that equal colours are equal values.

    Maps have one among them, around 0 if one of them has; panels in red, green and blue another.
    """
    shared = list(panels)
    for colored in (False, True):
        places = [
            place for place, panel in enumerate(panels) if len(panel.view.shape) > 1 and panel.view.colored == colored
        ]
        signed = any(panels[place].view.signed for place in places)
        views = [panels[place].view._replace(signed=signed) for place in places]
        if len(views) > 1:
            lows, highs = zip(*(view.limits for view in views), strict=True)
            for place, view in zip(places, views, strict=True):
                shared[place] = panels[place]._replace(view=view._replace(scale=(min(lows), max(highs))))
    return shared


def draw_panels(paper: Paper, panels: Sequence[Panel], look: Look) -> None:
    """Draw panels in rows, the input first; where a size was asked for, panels take what the margins leave of it."""
    grid = arrange(paper.sheet, len(panels))
    rows = [panels[start : start + grid.columns] for start in range(0, len(panels), grid.columns)]
    heads = [1.15 if any(panel.filters is not None for panel in row) else 0.0 for row in rows]  # of filters
    ratio = min(max(panels[0].view.shape[0] / panels[0].view.shape[1], 0.4), 1.6)
    height, width = grid.long * min(ratio, 1.0) + TITLE + BELOW, grid.long / max(ratio, 1.0) + TICKS + BAR
    if paper.sheet.size:
        least = min(height, TITLE + BELOW + 1.6), min(width, TICKS + BAR + 1.9)  # below, letters shrink as well
        high, wide = paper.sheet.size
        zoom = min(1.0, high / (least[0] * len(rows) + sum(heads)), wide / (least[1] * grid.columns))
        height, width = (high / zoom - sum(heads)) / len(rows), wide / zoom / grid.columns
    paper.lay_out(height * len(rows) + sum(heads), width * grid.columns)
    top = 0.0
    for row, head in zip(rows, heads, strict=True):
        for column, panel in enumerate(row):
            left = column * width
            if panel.filters is not None:
                draw_filters(paper, Box(left + TICKS, top + 0.1, width - TICKS - 0.3, head - 0.1), panel.filters)
            box = Box(left, top + head, width, height)
            axes = draw_panel(paper, box, panel.view, look, panel.title, panel.kernel, panel.first)
            for mark in panel.marks:
                draw_mark(axes, paper.zoom, mark)
        top += head + height


def draw_filters(paper: Paper, box: Box, filters: Doubles, scale: Normalize | None = None) -> None:
    """Draw the filters of a layer side by side: those of three channels as colors, else their first slice.

    They are shown from minus to plus their greatest magnitude, unless a scale is given.
    """
    rows, columns, slices, count = filters.shape
    shown = filters.transpose(3, 0, 1, 2)[:MOST_MAPS]
    alike = bool((shown == shown[..., :1]).all())
    colored = slices == 3 and not alike
    words = [f"{count} filter{'s' * (count > 1)} {rows}x{columns}x{slices}"]
    if colored:
        words[0] += " as red, green, blue; 0 is mid-gray"
    elif not alike:
        words.append(f"slice 0 of {slices}")
    if count > MOST_MAPS:
        words.append(f"{MOST_MAPS} shown")
    inner = box._replace(top=box.top + 0.2, height=box.height - 0.3)
    norm = scale or symmetric(shown if colored else shown[..., 0])
    display = display_maps(
        np.asarray(norm(shown)) if colored else shown[..., 0], inner.width / inner.height, 1.0 if colored else np.nan
    )._replace(colormap=SIGNED, norm=norm)
    axes = paper.axes(paper.square(inner, display.pixels.shape[0] / display.pixels.shape[1]))
    draw_pixels(axes, display, (display.pixels.shape[0], display.pixels.shape[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_label("filters")
    axes.set_frame_on(display.tiles == (1, 1))
    note = None if colored else write_numbers(axes, paper.zoom, display)
    caption = paper.text(box.left, box.top + 0.17, "", 8, va="bottom")
    paper.break_lines(caption, "", [*words, *filter(None, [note])], (0.26, box.width))
