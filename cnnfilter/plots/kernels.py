"""Kernels as figures: the matrix with its numbers, its frequency response, and what it makes of a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import floor, log10
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.ticker import MaxNLocator

from cnnfilter.arrays import Doubles
from cnnfilter.compute.exactness import common_divisor
from cnnfilter.kernels.words import Made, recognize
from cnnfilter.numbers import round_digits, show_number, show_places
from cnnfilter.plots.results import Result, show_result
from cnnfilter.plots.scales import UNSIGNED, draw_scale, find_inks, logarithmic, scale_of
from cnnfilter.plots.sheets import Sheet, set_size, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from cnnfilter.kernels import Kernel

FREQUENCIES = 129
"""Along each axis, from -0.5 to 0.5 cycles per pixel; an odd number, so that 0 is one of them."""

DECADES = 4
"""Powers of ten that a logarithmic response spans: 80 dB."""

MOST_PLANES = 8
"""So many slices are drawn, one below the other; a bank may have thousands."""

SMALLEST_TEXT, LARGEST_TEXT = 5.0, 13.0
"""Of the numbers in the cells, in points; where they would have to be smaller there are none."""

LARGEST_NUMBERED = 15
"""To this many weights a side the panel of the weights grows with them, so that their numbers can be read."""

_PANEL = 3.7
"""Inches of a panel, its color bar and its labels included."""

_CELL = 0.34
"""Inches of a cell with a number in it."""

_DIGIT_WIDTH = 0.62
"""Of a digit of DejaVu Sans, in its height."""


class Plane(NamedTuple):
    """A slice of a kernel that is drawn: its title, its weights (kh, kw), and what it makes of a picture."""

    title: str
    weights: Doubles
    result: Result | None = None


def planes_of(word: str, kernel: Kernel, result: Result | None = None) -> list[Plane]:
    """Return the slices of a kernel as they are drawn, at most `MOST_PLANES`, their titles naming the rest."""
    weights = kernel.weights
    slices = weights.reshape(*weights.shape[:2], -1).transpose(2, 0, 1)
    size = "x".join(map(str, weights.shape))
    head = f"{_shortened(word)}  {size}"
    if len(slices) == 1:
        return [Plane(f"{head}\n{_facts(slices[0])}", slices[0], result)]
    left = f" ({len(slices) - MOST_PLANES} more are not drawn)" if len(slices) > MOST_PLANES else ""
    return [
        Plane(f"{head}, slice {number} of {len(slices)}{left if number == MOST_PLANES else ''}\n{_facts(plane)}", plane)
        for number, plane in enumerate(slices[:MOST_PLANES], 1)
    ]


def _shortened(word: str) -> str:
    return word if len(word) <= 32 else f"{word[:31]}…"


def caption_of(word: str, description: str) -> str:
    """Return what a kernel does, as it stands above its figure: without marks of code, its arguments filled in.

    Examples
    --------
    >>> caption_of("box:3", "mean of N x N pixels; sums to 1")
    'mean of 3 x 3 pixels; sums to 1'
    """
    plain, made = description.replace("`", ""), recognize(word)
    if not isinstance(made, Made):
        return plain
    values = {key.upper(): show_number(value) for key, value in made.arguments}
    clauses = [clause for clause in plain.split("; ") if "unless given" not in clause]
    return re.sub(r"\b[A-Z][A-Z0-9]*\b", lambda match: values.get(match[0], match[0]), "; ".join(clauses))


def _facts(weights: Doubles) -> str:
    divisor = common_divisor(weights)
    times = f"cells: weights x {divisor}; " if divisor > 1 else ""
    total = float(weights.sum())
    return f"{times}sum {show_number(round_digits(total, 6))}"


def draw_kernels(figure: Figure, sheet: Sheet, planes: Sequence[Plane], heading: str = "") -> None:
    """Draw each plane in a row: its weights, its frequency response, and what it makes of a picture if that is known.

    Parameters
    ----------
    figure
        An empty one.
    sheet
        What was asked for; of it the size matters.
    planes
        What is drawn, at least one.
    heading
        A line above all, such as what the kernel does.
    """
    has_results = any(plane.result for plane in planes)
    widths = [max(_first_panel(plane.weights) for plane in planes), *[_PANEL] * (1 + has_results)]
    heights = [_first_panel(plane.weights) * 0.92 for plane in planes]
    natural = sum(heights) + 0.35 * bool(heading), sum(widths)
    height, width = set_size(figure, sheet, natural)
    zoom = min(1.0, height / natural[0], width / natural[1])
    rcParams["font.size"] *= zoom  # of this sheet
    figure.set_layout_engine("constrained", w_pad=0.08 * zoom, h_pad=0.08 * zoom)
    if heading:
        figure.suptitle(fill(heading, 100), fontsize=10 * zoom)
    rows = figure.subplots(
        len(planes), len(widths), squeeze=False, gridspec_kw={"width_ratios": widths, "height_ratios": heights}
    )
    drawn = []
    for axes, plane in zip(rows, planes, strict=True):
        drawn.append(_draw_weights(axes[0], plane))
        _draw_response(axes[1], plane)
        if plane.result:
            show_result(axes[2], plane.result, titled=True)
        elif has_results:
            axes[2].set_axis_off()
    settle(figure)  # now the cells have their sizes
    for axes, plane, image in zip(rows, planes, drawn, strict=True):
        _write_numbers(axes[0], plane.weights, image)


def _first_panel(weights: Doubles) -> float:
    """Return the inches of the panel of the weights."""
    side = max(weights.shape)
    return max(_PANEL, side * _CELL + 1.3) if side <= LARGEST_NUMBERED else _PANEL


def _draw_weights(axes: Axes, plane: Plane) -> AxesImage:
    colors, scale = scale_of(plane.weights)
    image = axes.imshow(plane.weights, cmap=colors, norm=scale, interpolation="nearest")
    axes.set_title(plane.title)
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=9, integer=True, min_n_ticks=1))
    draw_scale(axes, image, "weight")
    return image


def _draw_response(axes: Axes, plane: Plane) -> None:
    response = frequency_response(plane.weights)
    is_logarithmic = needs_logarithm(response)
    scale = logarithmic(response, DECADES) if is_logarithmic else scale_of(response)[1]
    half = 0.5 + 0.5 / (FREQUENCIES - 1)  # the outer pixels' centers lie at 0.5
    image = axes.imshow(
        np.maximum(response, scale.vmin or 0.0),
        cmap=UNSIGNED,
        norm=scale,
        extent=(-half, half, half, -half),
        interpolation="bilinear",
    )
    middle = FREQUENCIES // 2
    axes.set_title(f"frequency response\nat 0: {response[middle, middle]:.3g}, greatest: {response.max():.3g}")
    axes.set_xlabel("cycles per pixel, across")
    axes.set_ylabel("cycles per pixel, down")
    for setter in (axes.set_xticks, axes.set_yticks):
        setter([-0.5, -0.25, 0, 0.25, 0.5], ["-0.5", "", "0", "", "0.5"])
    axes.set_xlim(-0.5, 0.5)
    axes.set_ylim(0.5, -0.5)
    draw_scale(axes, image, "magnitude, logarithmic" if is_logarithmic else "magnitude")


def frequency_response(weights: Doubles) -> Doubles:
    """Return how much a kernel leaves of each wave: the magnitude of its Fourier transform.

    Parameters
    ----------
    weights
        (kh, kw).

    Returns
    -------
    ndarray
        (129, 129): frequencies down and across, each from -0.5 to 0.5 cycles per pixel.

    Examples
    --------
    >>> frequency_response(np.array([[0.5, 0.5]]))[64, [0, 64, 128]].round(12).tolist()
    [0.0, 1.0, 0.0]
    """
    frequencies = np.linspace(-0.5, 0.5, FREQUENCIES)
    down, across = (np.exp(-2j * np.pi * np.outer(frequencies, np.arange(side))) for side in weights.shape)
    response = np.abs(down @ weights @ across.T)
    return np.where(response > 1e-12 * np.abs(weights).sum(), response, 0.0)


def needs_logarithm(response: Doubles) -> bool:
    """Return whether a linear scale would show next to nothing of most of a response: half is below 5 % of its peak."""
    return bool(np.median(response) < 0.05 * response.max())


def _write_numbers(axes: Axes, weights: Doubles, image: AxesImage) -> None:
    """Write each weight in its cell, if the cells are large enough."""
    box = axes.get_window_extent()
    points = 72 / axes.figure.dpi
    height, width = box.height * points / weights.shape[0], box.width * points / weights.shape[1]
    for texts in _ways_to_write(weights):
        longest = max(len(text) for row in texts for text in row)
        size = min(LARGEST_TEXT, height * 0.6, width * 0.88 / (longest * _DIGIT_WIDTH))
        if size < SMALLEST_TEXT:
            continue
        inks = find_inks(image, weights)
        for (row, column), ink in zip(np.ndindex(*weights.shape), inks, strict=True):
            text = texts[row][column]
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)
        return


def _ways_to_write(weights: Doubles) -> Iterator[list[list[str]]]:
    """Yield the texts of the cells: whole numbers over the divisor, else fewer and fewer digits."""
    whole = weights * common_divisor(weights)
    if np.array_equal(whole, np.rint(whole)) and np.abs(whole).max() < 1e6:
        yield [[show_number(weight) for weight in row] for row in whole.tolist()]
        return
    greatest = float(np.abs(weights).max())
    for digits in (4, 3, 2):
        places = max(0, digits - 1 - floor(log10(greatest)))
        if places > 7:
            return
        yield [[show_places(weight, places) for weight in row] for row in weights.tolist()]
