"""Kernels, drawn: their numbers, responses and results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage

from cnnfilter.api.filters import convolve
from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.exact import common_divisor
from cnnfilter.compute.operations import to_gray
from cnnfilter.errors import ImageFileError
from cnnfilter.io.atomic import read_bytes
from cnnfilter.io.decode import decode_picture
from cnnfilter.kernels.recipes import RECIPES, shown_word
from cnnfilter.kernels.spec import Kernel, Made, load_kernel, names, recognize
from cnnfilter.numbers import round_digits, show_number
from cnnfilter.plot.cells import write_numbers
from cnnfilter.plot.compare import draw_filters
from cnnfilter.plot.panel import BAR, BELOW, TICKS, TITLE, draw_bar, draw_pixels, mark_sizes
from cnnfilter.plot.sheet import Box, Paper
from cnnfilter.plot.view import GRAYS, SIGNED, UNSIGNED, Display, scale_of, show_end

WHITE = 255.0
"""Of the sample, and of a user's image, whatever its depth was."""


def read_sample(path: str) -> tuple[Doubles, str]:
    """Return a user's image in gray, (H, W) of up to 240 pixels a side, with `WHITE` as its white, and what it is."""
    picture = decode_picture(read_bytes(path), path)
    volume = picture.colours
    if volume.shape[2] not in {1, 3}:
        raise ImageFileError(f"{path}: has {volume.shape[2]} channels; kernels are shown on grey or colour images")
    gray = to_gray(volume)[:, :, 0] * (WHITE / picture.maximum)
    reduced = reduce_picture(gray, 240)
    size = "x".join(map(str, gray.shape))
    small = f", {size} reduced to {'x'.join(map(str, reduced.shape))}" if reduced.shape != gray.shape else ""
    return reduced, f"{Path(path).name}{small}"


def reduce_picture(picture: Array, most: int) -> Doubles:
    """Return an image, (H, W) or (H, W, C), with neither side above `most`: means of whole blocks of pixels."""
    factor = max(1, ceil(max(picture.shape[:2]) / most))
    height, width = (max(1, side // factor) for side in picture.shape[:2])
    rows, columns = (min(factor, side) for side in picture.shape[:2])
    blocks = picture[: height * rows, : width * columns].reshape(height, rows, width, columns, *picture.shape[2:])
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64))


def make_sample() -> Doubles:
    """Return an image of 96x96 gray levels with what kernels find: a slope, a disk, a rimmed square, lines, rings."""
    row, column = np.mgrid[:96, :96].astype(np.float64)
    sample = 60 + 0.7 * column
    sample[np.hypot(row - 25, column - 25) <= 16] = 230
    sample[8:42, 54:88] = 235
    sample[10:40, 56:86] = 30
    down, across = row - 71, column - 24
    inside = np.hypot(down, across) <= 18
    for line in (down, across, down - across, down + across):
        sample[inside & (line == 0)] = 250
    radius = np.hypot(row - 70, column - 70)
    rings = 127.5 + 127.5 * np.cos(np.pi * radius**2 / 60)
    levels: Doubles = np.rint(np.where(radius <= 21, rings, sample))
    return levels


_FREQUENCIES = 129
"""Along each axis, from -0.5 to 0.5 cycles per pixel; an odd number, so that 0 is one of them."""

MOST_PLANES = 8
"""So many slices are drawn, one below the other; a bank may have thousands."""

_PANEL, _CELL = 3.7, 0.34
"""Inches of a panel, its color bar and its labels included, and of a cell with a number in it."""

_COLUMNS, _WIDTH, _FOOT, _HEAD = 7, 11.4, 0.62, 0.42
"""Of the sheet of all kernels: how many are side by side, and inches of all of them, of its keys, and of its title."""

_KEYS = (
    (SIGNED, "kernels with negative weights; results of sum 0 (99 % within max)", ("-max", "0", "max")),
    (UNSIGNED, "kernels without negative weights", ("0", "", "max")),
    (GRAYS, "other results, cut off at both ends", ("0", "", "white x sum")),
)
"""Its color maps, what they are for, and their ends."""


class KernelResult(NamedTuple):
    """What a kernel makes of an image (H, W), named by the `note`, shown from 0 to the limit, if `signed` around 0."""

    values: Array
    signed: bool
    limit: float
    note: str = ""


def lay_kernel(image: Array, kernel: Kernel, note: str = "") -> KernelResult:
    """Return what a kernel (kh, kw) makes of a gray image (H, W), of the same size, its edges continued outside."""
    values = convolve(image, kernel.weights, padding="same", border="edge")
    total = float(kernel.weights.sum())
    if total <= 1e-6 * float(np.abs(kernel.weights).sum()):
        return KernelResult(values, True, float(np.abs(values).max()) or 1.0, note)
    return KernelResult(values, False, total * WHITE, note)


def _show_result(axes: Axes, result: KernelResult) -> AxesImage:
    """Show a result: signed in diverging colors around 0, else in grays from 0 to its white."""
    colors, low = (SIGNED, -result.limit) if result.signed else (GRAYS, 0.0)
    return axes.imshow(result.values, cmap=colors, vmin=low, vmax=result.limit, interpolation="antialiased")


class Plane(NamedTuple):
    """A slice of a kernel that is drawn: its title, its weights (kh, kw), and what it makes of an image."""

    title: str
    weights: Doubles
    result: KernelResult | None = None

    @property
    def side(self) -> float:
        """The inches of the panel of the weights: it grows with up to 15 a side, so that numbers can be read."""
        side = max(self.weights.shape)
        return max(_PANEL, side * _CELL + 1.3) if side <= 15 else _PANEL


def planes_of(word: str, kernel: Kernel, result: KernelResult | None = None) -> list[Plane]:
    """Return the slices of a kernel as they are drawn, at most `MOST_PLANES`, their titles naming the rest."""
    slices = kernel.weights.reshape(*kernel.weights.shape[:2], -1).transpose(2, 0, 1)
    count, left = len(slices), len(slices) - MOST_PLANES
    head = f"{word if len(word) <= 32 else f'{word[:31]}…'}  {'x'.join(map(str, kernel.weights.shape))}"
    planes = []
    for number, weights in enumerate(slices[:MOST_PLANES], 1):
        place = f", slice {number} of {count}" if count > 1 else ""
        rest = f" ({left} more are not drawn)" if number == MOST_PLANES and left > 0 else ""
        planes.append(Plane(f"{head}{place}{rest}", weights, result if count == 1 else None))
    return planes


def caption_of(word: str, description: str) -> str:
    """Return what a kernel does, as written above its figure: without marks of code, its arguments filled in."""
    plain, made = description.replace("`", ""), recognize(word)
    if not isinstance(made, Made):
        return plain
    values = {key.upper(): show_number(value) for key, value in made.arguments.items()}
    clauses = [clause for clause in plain.split("; ") if "unless given" not in clause]
    return re.sub(r"\b[A-Z][A-Z0-9]*\b", lambda match: values.get(match[0], match[0]), "; ".join(clauses))


def draw_kernels(paper: Paper, planes: Sequence[Plane], heading: str = "") -> None:
    """Draw each plane in a row below the `heading`: its weights, frequency response, and result if it is known."""
    has_results = any(plane.result for plane in planes)
    widths = [max(plane.side for plane in planes), *[_PANEL] * (1 + has_results)]
    heights = [plane.side * 0.92 for plane in planes]
    top = 0.5 if heading else 0.0
    paper.lay_out(sum(heights) + top, sum(widths))
    if heading:
        words = paper.text(TICKS, 0.12, "", 10)
        paper.break_lines(words, "", [heading], (top - 0.12, sum(widths) - 2 * TICKS))
    for plane, height in zip(planes, heights, strict=True):
        boxes, left = list[Box](), 0.0
        for width in widths:
            boxes.append(Box(left, top, width, height))
            left += width
        _draw_weights(paper, boxes[0], plane)
        _draw_response(paper, boxes[1], frequency_response(plane.weights))
        if plane.result:
            _draw_result(paper, boxes[2], plane.result)
        top += height


def draw_bank(paper: Paper, word: str, weights: Doubles) -> None:
    """Draw what a layer has learned, (kh, kw, in, out): its kernels side by side, with one scale."""
    paper.lay_out(6.4, 6.2)
    words = paper.text(0.3, 0.12, "", 10)
    paper.break_lines(words, "", [f"{word}: {show_end(weights.min())} to {show_end(weights.max())}"], (0.3, 5.6))
    draw_filters(paper, Box(0.3, 0.45, 5.6, 5.75), weights)


def _open_panel(paper: Paper, box: Box, shape: Sequence[int]) -> tuple[Axes, Box]:
    """Return the axes of an image of a shape within a box, below the room for its title, and where they are."""
    inner = Box(box.left + TICKS, box.top + TITLE, box.width - TICKS - BAR - 0.2, box.height - TITLE - BELOW)
    place = paper.square(inner, shape[0] / shape[1])
    return paper.axes(place), place


def _write_title(paper: Paper, box: Box, axes: Axes, name: str, facts: Sequence[str]) -> None:
    paper.title(axes, name, facts, (TITLE - 0.08, box.width - TICKS - 0.1), gap=5)


def _draw_weights(paper: Paper, box: Box, plane: Plane) -> None:
    weights = plane.weights
    size = weights.shape[0], weights.shape[1]
    colors, scale = scale_of(weights)
    display = Display(weights, colormap=colors, norm=scale)
    axes, place = _open_panel(paper, box, size)
    draw_bar(paper, place, draw_pixels(axes, display, size), label="weight")
    mark_sizes(paper, place, axes, size)
    note = write_numbers(axes, paper.zoom, display, divisor=common_divisor(weights))
    total = f"sum {show_number(round_digits(float(weights.sum()), 6))}"
    _write_title(paper, box, axes, plane.title, [total, *filter(None, [note])])


def _draw_response(paper: Paper, box: Box, response: Doubles) -> None:
    most, middle = float(response.max()), _FREQUENCIES // 2
    is_logarithmic = needs_logarithm(response)
    scale = LogNorm(most / 10**4, most, clip=True) if is_logarithmic else scale_of(response)[1]  # 80 dB
    half = 0.5 + 0.5 / (_FREQUENCIES - 1)  # the outer pixels' centers lie at 0.5
    axes, place = _open_panel(paper, box, (1, 1))
    style: dict[str, Any] = {"extent": (-half, half, half, -half), "interpolation": "bilinear", "aspect": "auto"}
    image = axes.imshow(np.maximum(response, scale.vmin or 0.0), cmap=UNSIGNED, norm=scale, **style)
    facts = [f"at 0: {response[middle, middle]:.3g}", f"greatest: {most:.3g}"]
    axes.set(xlabel="cycles per pixel, across", ylabel="cycles per pixel, down")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([-0.5, 0, 0.5], labels=["-0.5", "0", "0.5"])
        axis.set_ticks([-0.25, 0.25], minor=True)
    axes.set(xlim=(-0.5, 0.5), ylim=(0.5, -0.5))
    draw_bar(paper, place, image, label="magnitude, logarithmic" if is_logarithmic else "magnitude")
    _write_title(paper, box, axes, "frequency response", facts)


def _draw_result(paper: Paper, box: Box, result: KernelResult) -> None:
    size = result.values.shape[0], result.values.shape[1]
    low, high = float(result.values.min()), float(result.values.max())
    axes, place = _open_panel(paper, box, size)
    image = _show_result(axes, result)
    axes.set_aspect("auto")
    mark_sizes(paper, place, axes, size)
    draw_bar(paper, place, image, label="value")
    _write_title(paper, box, axes, f"on {result.note}", [f"{size[0]}x{size[1]}", f"values {low:.4g} to {high:.4g}"])


def frequency_response(weights: Doubles) -> Doubles:
    """Return how much a kernel (kh, kw) leaves of each wave: the magnitude of its Fourier transform, (129, 129).

    Examples
    --------
    >>> frequency_response(np.array([[0.5, 0.5]]))[64, [0, 64, 128]].round(12).tolist()
    [0.0, 1.0, 0.0]
    """
    frequencies = np.linspace(-0.5, 0.5, _FREQUENCIES)
    down, across = (np.exp(-2j * np.pi * np.outer(frequencies, np.arange(side))) for side in weights.shape)
    response = np.abs(down @ weights @ across.T)
    return np.where(response > 1e-12 * np.abs(weights).sum(), response, 0.0)


def needs_logarithm(response: Doubles) -> bool:
    """Return whether a linear scale would show next to nothing of most of a response: half is below 5 % of its peak."""
    return bool(np.median(response) < 0.05 * response.max())


def all_kernels() -> dict[str, Kernel]:
    """Return each kernel that has a name, those that are made at a size that shows what they do."""
    words = [shown_word(name) if name in RECIPES else name for name in names()]
    return {word: load_kernel(word) for word in words}


def draw_gallery(paper: Paper, kernels: dict[str, Kernel], image: Array, note: str) -> None:
    """Draw a gray image (H, W) from 0 to `WHITE`, and each kernel, small, with its result on it; `note` names it."""
    cells = [("the image", None), *kernels.items()]
    rows = ceil(len(cells) / _COLUMNS)
    down, across = 0.38 + 1.04 * min(1.6, max(0.55, image.shape[0] / image.shape[1])), _WIDTH / _COLUMNS
    height = _HEAD + rows * down + _FOOT
    paper.lay_out(height, _WIDTH)
    style: dict[str, Any] = {"fontsize": 12 * paper.zoom, "y": 1 - 0.12 / height, "va": "top"}
    paper.figure.suptitle(f"The kernels of cnnfilter, each on {note}", **style)
    for place, (word, kernel) in enumerate(cells):
        row, column = divmod(place, _COLUMNS)
        left, top = (column + 0.04) * across, _HEAD + (row + 0.14) * down
        paper.text(left, top - 0.02 * down, word, 7, va="bottom")
        axes = paper.axes(Box(left + 0.28 * across, top, 0.63 * across, 0.8 * down))
        result = lay_kernel(image, kernel or Kernel(np.ones((1, 1))))
        if result.signed:  # a few peaks would pale all edges
            limit = float(np.percentile(np.abs(result.values), 99))
            result = result._replace(limit=limit or result.limit)
        _show_result(axes, result).set_gid(f"result {word}")
        axes.set_anchor("NW")
        axes.set_axis_off()
        if kernel:
            inset = paper.axes(paper.square(Box(left, top, 0.25 * across, 0.8 * down), 1.0))
            colors, scale = scale_of(kernel.weights)
            drawn = inset.imshow(kernel.weights, cmap=colors, norm=scale, interpolation="nearest")
            drawn.set_gid(f"kernel {word}")
            inset.set(xticks=[], yticks=[], anchor="NW")
    _draw_keys(paper, height - _FOOT)


def _draw_keys(paper: Paper, top: float) -> None:
    """Draw what the colors mean, below all kernels."""
    for place, (colors, label, ticks) in enumerate(_KEYS):
        axes = paper.axes(Box((0.04 + place * 0.325) * _WIDTH, top + 0.22 * _FOOT, 0.27 * _WIDTH, 0.2 * _FOOT))
        mappable = ScalarMappable(Normalize(-1, 1), colors)
        paper.figure.colorbar(mappable, cax=axes, orientation="horizontal", ticks=[-1, 0, 1])
        axes.set_xticklabels(ticks)
        axes.set_title(label, fontsize=7 * paper.zoom, pad=2 * paper.zoom)
