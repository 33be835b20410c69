"""The sheet of all kernels: each with what it makes of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from cnnfilter.arrays import Array
from cnnfilter.kernels import Kernel, load_kernel, names
from cnnfilter.kernels.made import RECIPES
from cnnfilter.plots.results import Result, lay_kernel, show_result
from cnnfilter.plots.samples import WHITE
from cnnfilter.plots.scales import SIGNED, UNSIGNED, scale_of
from cnnfilter.plots.sheets import Sheet, set_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {
    "box": "box:7",
    "gaussian": "gaussian:13:2",
    "line-vertical": "line-vertical:9",
    "line-horizontal": "line-horizontal:9",
    "line-diagonal": "line-diagonal:9",
    "line-antidiagonal": "line-antidiagonal:9",
    "frame": "frame:9",
    "disk": "disk:9",
    "motion": "motion:13:30",
    "log": "log:11:1.5",
    "dog": "dog:13:1:2",
    "gabor": "gabor:13:2.5:45:6",
    "identity": "identity:3",
}
"""Kernels that are made to size, each at one that shows on the sample what it does."""

COLUMNS = 7

_CELL = 1.6
"""Width of a kernel and its result, in inches."""

_FOOT, _HEAD = 0.62, 0.42


class Cell(NamedTuple):
    """A place on the sheet: what it is called, and the kernel, None for the picture itself."""

    title: str
    kernel: Kernel | None


def all_cells() -> list[Cell]:
    """Return the picture itself, and each kernel that has a name."""
    words = [SHOWN[name] if name in RECIPES else name for name in names()]
    return [Cell("the picture", None), *(Cell(word, load_kernel(word)) for word in words)]


def draw_gallery(figure: Figure, sheet: Sheet, cells: Sequence[Cell], picture: Array, note: str) -> None:
    """Draw each kernel, small, with its result on a grey picture (H, W) beside it.

    Parameters
    ----------
    figure
        An empty one.
    sheet
        What was asked for; of it the size matters.
    cells
        What is drawn, row by row.
    picture
        (H, W), from 0 to 255.
    note
        What the picture is.
    """
    rows = ceil(len(cells) / COLUMNS)
    aspect = min(1.6, max(0.55, picture.shape[0] / picture.shape[1]))
    natural = rows * (0.38 + 1.04 * aspect) + _HEAD + _FOOT, COLUMNS * _CELL + 0.2
    height, width = set_size(figure, sheet, natural)
    zoom = min(height / natural[0], width / natural[1])
    top, bottom = 1 - _HEAD * zoom / height, _FOOT * zoom / height
    down, across = (top - bottom) / rows, 1 / COLUMNS
    figure.suptitle(
        f"The kernels of cnnfilter, each on {note}", fontsize=12 * zoom, y=1 - 0.12 * zoom / height, va="top"
    )
    for place, cell in enumerate(cells):
        row, column = divmod(place, COLUMNS)
        left, floor = column * across + 0.01 * across, top - (row + 1) * down
        _draw_cell(figure, (left, floor, across, down), cell, picture, zoom)
    _draw_keys(figure, bottom, zoom)


def _draw_cell(
    figure: Figure, place: tuple[float, float, float, float], cell: Cell, picture: Array, zoom: float
) -> None:
    """Draw a cell in (left, bottom, width, height) of the figure."""
    left, floor, width, height = place
    figure.text(left + 0.03 * width, floor + 0.88 * height, cell.title, fontsize=7 * zoom, va="bottom")
    kernel = cell.kernel or Kernel(np.ones((1, 1)))
    axes = figure.add_axes((left + 0.31 * width, floor + 0.06 * height, 0.63 * width, 0.8 * height), anchor="NW")
    image = show_result(axes, _vivid(lay_kernel(picture, kernel, WHITE)))
    image.set_gid(f"result {cell.title}")
    axes.set_axis_off()
    if cell.kernel:
        side = 0.25 * width * figure.get_figwidth() / figure.get_figheight()  # a square
        inset = figure.add_axes((left + 0.03 * width, floor + 0.86 * height - side, 0.25 * width, side), anchor="NW")
        colors, scale = scale_of(kernel.weights)
        inset.imshow(kernel.weights, cmap=colors, norm=scale, interpolation="nearest").set_gid(f"kernel {cell.title}")
        inset.set_xticks([])
        inset.set_yticks([])


def _vivid(result: Result) -> Result:
    """Return a signed result whose deepest colors begin where 99 % of its magnitudes end: a few peaks pale no edge."""
    limit = float(np.percentile(np.abs(result.values), 99))
    return result._replace(limit=limit) if result.signed and limit else result


def _draw_keys(figure: Figure, height: float, zoom: float) -> None:
    """Draw what the colors mean, in the lowest part of the figure."""
    keys = (
        (SIGNED, "kernels with negative weights; results of sum 0 (99 % within max)", ("-max", "0", "max")),
        (UNSIGNED, "kernels without negative weights", ("0", "", "max")),
        ("gray", "other results, cut off at both ends", ("0", "", "white x sum")),
    )
    scale = Normalize(-1, 1)
    for place, (colors, label, ticks) in enumerate(keys):
        axes = figure.add_axes((0.04 + place * 0.325, 0.58 * height, 0.27, 0.2 * height))
        bar = figure.colorbar(ScalarMappable(scale, colors), cax=axes, orientation="horizontal", ticks=[-1, 0, 1])
        bar.ax.set_xticklabels(ticks, fontsize=7 * zoom)
        bar.ax.set_title(label, fontsize=7 * zoom, pad=2 * zoom)
