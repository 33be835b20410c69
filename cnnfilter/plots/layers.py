"""A network at work: a panel for each layer, feature maps side by side, filters above the maps that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.network import as_volume, run_program
from cnnfilter.compute.preparation import prepare
from cnnfilter.compute.programs import Program, Step, build_bank
from cnnfilter.compute.weights import Model
from cnnfilter.errors import ShapeError
from cnnfilter.files.pictures import Picture
from cnnfilter.plots.comparisons import SMALL, choose_columns, choose_side, lay_out_panels
from cnnfilter.plots.displays import MOST_MAPS, Display, Look, choose_across, display_weights, find_gap, tile_maps
from cnnfilter.plots.panels import draw_pixels, write_numbers
from cnnfilter.plots.papers import Box, Paper
from cnnfilter.plots.plates import TICKS, draw_plate
from cnnfilter.plots.views import View, view_picture, view_values
from cnnfilter.results import Handling
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.printing import show_layer

MOST_PANELS = 48
"""More cannot be told apart in one figure."""

FILTERS = 1.15
"""The height of the filters above their maps, in inches, with their words."""


class Layered(NamedTuple):
    """A panel: its title, its values, and the filters (kh, kw, in, out) that made them, or None."""

    title: str
    view: View
    filters: Doubles | None = None


def draw_layers(
    picture: Picture, model: Model, handling: Handling, named: tuple[str, Sequence[str]], style: tuple[Paper, Look]
) -> None:
    """Draw what each layer of a network makes of a picture.

    Parameters
    ----------
    picture, model, handling
        What is run on what.
    named
        What the picture is called, and the layers that are wanted, all if there is none.
    style
        Where, and how values are drawn.

    Raises
    ------
    ShapeError
        If there are too many layers for one figure.
    """
    (name, wanted), (paper, look) = named, style
    pixels = as_volume(picture.pixels)
    colors = prepare(pixels[:, :, :3] if picture.has_alpha else pixels, handling.preparation)
    program = model.program(colors.shape)
    names = wanted or program.network.names
    if len(names) >= MOST_PANELS:
        raise ShapeError(
            f"{len(names)} layers are too many for one figure, which holds {MOST_PANELS - 1}; "
            "--save NAME, as often as needed, picks layers"
        )
    columns = choose_columns(len(names) + 1)
    side = choose_side(paper.sheet, SMALL, columns)
    first = Layered(PurePath(name).name, view_picture(picture, side))
    white = picture.maximum * handling.preparation.scale
    views = _run(program, colors, names, (side, white, picture.matrix))
    panels = [first, *_layered(program, colors.shape, views)]
    _arrange(panels, columns, paper, look)


def _run(program: Program, colors: Array, names: Sequence[str], scale: tuple[int, float, bool]) -> dict[str, View]:
    """Return a view of what came out of each of the named layers."""
    side, white, matrix = scale
    views: dict[str, View] = {}

    def keep(name: str, values: Array) -> None:
        if name in names:
            views[name] = view_values(values, side, white, matrix=matrix)

    run_program(program, colors, white=white, listener=keep)
    return views


def _layered(program: Program, shape: Shape, views: dict[str, View]) -> Iterator[Layered]:
    steps = {step.node.name: step for step in _walk(program.steps)}
    for visit in program.network.visits(shape):
        if visit.node.name in views:
            filters = None
            if isinstance(visit.layer, Convolution):
                filters = _filters(steps[visit.node.name], visit.layer, visit.inputs.shape[2])
            text = show_layer(visit.layer)
            title = visit.node.name if text == visit.node.name.rstrip("0123456789") else f"{visit.node.name}: {text}"
            yield Layered(title, views[visit.node.name], filters)


def _walk(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        for branch in step.branches:
            yield from _walk(branch)
        yield step


def _filters(step: Step, layer: Convolution, channels: int) -> Doubles:
    """Return the weights of a convolution: (kh, kw, in / groups, out)."""
    if step.kernels:
        return build_bank(layer, step.kernels, channels)
    return np.asarray(step.tensors["weight"], dtype=np.float64)


def _arrange(panels: list[Layered], columns: int, paper: Paper, look: Look) -> None:
    """Draw the panels in rows, those with filters higher than the others."""
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heads = [FILTERS if any(panel.filters is not None for panel in row) else 0.0 for row in rows]
    height, width = lay_out_panels(paper, panels[0].view, SMALL, (len(rows), columns), sum(heads))
    top = 0.0
    for row, head in zip(rows, heads, strict=True):
        for column, panel in enumerate(row):
            left = column * width
            if panel.filters is not None:
                _draw_filters(paper, Box(left + TICKS, top + 0.1, width - TICKS - 0.3, head - 0.1), panel.filters)
            draw_plate(paper, Box(left, top + head, width, height), panel.view, look, panel.title)
        top += head + height


def _draw_filters(paper: Paper, box: Box, filters: Doubles) -> None:
    """Draw the filters of a layer side by side: those of three channels as colors, else their first slice."""
    rows, columns, slices, count = filters.shape
    words = [f"{count} filter{'s' * (count > 1)} {rows}x{columns}x{slices}"]
    shown = filters[:, :, :, :MOST_MAPS]
    alike = bool((shown == shown[:, :, :1]).all())
    inner = box._replace(top=box.top + 0.2, height=box.height - 0.3)
    if slices == 3 and not alike:
        display = _display_colored(shown, inner.width / inner.height)
        words[0] += " as red, green, blue; 0 is mid-gray"
    else:
        display = _display_slices(shown[:, :, 0], inner.width / inner.height)
        words += [] if alike else [f"slice 0 of {slices}"]
    words += [f"{MOST_MAPS} shown"] if count > MOST_MAPS else []
    caption = paper.text(box.left, box.top + 0.17, "", fontsize=8 * paper.zoom, va="bottom")
    paper.break_lines(caption, "", words, (0.26, box.width))
    place = paper.square(inner, display.pixels.shape[0] / display.pixels.shape[1])
    axes = paper.axes(place)
    draw_pixels(axes, display, (display.pixels.shape[0], display.pixels.shape[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_label("filters")
    axes.set_frame_on(display.tiles == (1, 1))
    if display.pixels.ndim == 2:
        write_numbers(paper, place, axes, display, display.pixels)


def _display_slices(slices: Doubles, ratio: float) -> Display:
    """Return how (kh, kw, maps) weights are drawn."""
    sheet, tiles = tile_maps(slices, ratio)
    return display_weights(slices[:, :, 0])._replace(pixels=sheet, tiles=tiles, norm=display_weights(slices).norm)


def _display_colored(filters: Doubles, ratio: float) -> Display:
    """Return how (kh, kw, 3, maps) weights are drawn: 0 mid-gray, the largest magnitude black or full."""
    rows, columns, _, count = filters.shape
    across = choose_across(count, sqrt(count * rows / columns * ratio))
    gap = find_gap(rows, columns)
    down = ceil(count / across)
    sheet = np.ones((down * (rows + gap) - gap, across * (columns + gap) - gap, 3))
    reach = float(np.abs(filters).max()) or 1.0
    for number in range(count):
        top, left = (number // across) * (rows + gap), (number % across) * (columns + gap)
        sheet[top : top + rows, left : left + columns] = 0.5 + filters[:, :, :, number] / (2 * reach)
    return Display(sheet, (down, across))
