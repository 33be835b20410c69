"""Numbers in cells: as they are where that fits, else in fewer digits, which is said; none where none can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, isfinite, log10
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from cnnfilter.arrays import Array
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.other_layers import Gray
from cnnfilter.numbers import is_exact, show_digits, show_number, show_short
from cnnfilter.plot.sheet import LEAST_POINTS, POINTS
from cnnfilter.plot.view import Display

MOST_NUMBERS = 1200
"""More cannot be read on any page; 32x32 with a row of padding around it can."""

_LEAST_POINTS, _MOST_POINTS = 4.0, 13.0
"""Also of small figures, whose other letters shrink further."""

_DIGIT = 0.636
_WIDTHS = {".": 0.318, "-": 0.361, "e": 0.615, "+": 0.838, "i": 0.278, "n": 0.634, "f": 0.352, "a": 0.613}
"""Widths of the signs of DejaVu Sans, in heights of the font; `_DIGIT` is that of any other."""

_FULL = 0.84, 0.55
"""The part of a cell's width and height that its number may take."""


class Words(NamedTuple):
    """A word for each value, the points of its letters, and what was done to the values; nothing if they are exact."""

    words: list[str]
    points: float
    note: str = ""


def write_numbers(axes: Axes, zoom: float, display: Display, first: Pair = (0, 0), divisor: int = 1) -> str | None:
    """Write each value into its cell if all can be read, and return how: the note of `Words`, or None if they are not.

    Weights that are whole numbers over a `divisor` are written as these whole numbers.
    """
    values = display.pixels
    if values.size > MOST_NUMBERS:
        return None
    chosen = choose_words(measure_cells(axes, (values.shape[0], values.shape[1])), zoom, values, display.odd, divisor)
    if chosen is None or not any(chosen.words):
        return None
    write_cells(axes, values, chosen, ScalarMappable(display.norm, display.colormap), first)
    return chosen.note


def measure_cells(axes: Axes, shape: Pair) -> tuple[float, float]:
    """Return the height and width in points of the cells of axes that hold a number of rows and columns."""
    box, dots = axes.get_window_extent(), axes.figure.dpi / POINTS
    return box.height / shape[0] / dots, box.width / shape[1] / dots


def choose_words(
    cell: tuple[float, float], zoom: float, values: Array, odd: Array | None = None, divisor: int = 1
) -> Words | None:
    """Return the most exact words that can be read in cells of a height and width in points, or None.

    What is not finite is written where it is `odd`, and is a gap elsewhere.
    """
    marks = np.zeros(values.shape) if odd is None else odd
    for texts, note in _ways_to_write(values, divisor):
        named = zip(values.ravel().tolist(), texts, marks.ravel().tolist(), strict=True)
        words = [text if isfinite(number) else str(number) if is_odd else "" for number, text, is_odd in named]
        points = fit_points(cell, zoom, words)
        if points >= max(LEAST_POINTS * zoom, _LEAST_POINTS):
            return Words(words, points, note)
    return None


def fit_points(cell: tuple[float, float], zoom: float, words: Sequence[str]) -> float:
    """Return the size of letters in which words fit into cells of a height and width in points."""
    longest = max(2 * _DIGIT, *(sum(_WIDTHS.get(sign, _DIGIT) for sign in word) for word in words))
    return min(_MOST_POINTS * zoom, cell[1] * _FULL[0] / longest, cell[0] * _FULL[1])


def _ways_to_write(values: Array, divisor: int) -> Iterator[tuple[list[str], str]]:
    """Yield the texts of all values, the most exact ones first, and what is to be said of them."""
    numbers = [number if isfinite(number) else 0.0 for number in values.ravel().tolist()]
    if divisor > 1 and (whole := [number * divisor for number in numbers]) and max(map(abs, whole)) < 1e6:
        yield [show_number(round(number)) for number in whole], f"cells: weights x {divisor}"
    slack = 8 * np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0.0
    exact = [show_digits(number, 7 if slack > 1e-9 else 9) for number in numbers]
    if all(is_exact(text, number, slack) for text, number in zip(exact, numbers, strict=True)):
        yield exact, ""
        yield [_drop_zero(text) for text in exact], ""
    yield [show_short(number) for number in numbers], "numbers rounded to 3 digits"
    greatest = max(map(abs, numbers))
    first = -floor(log10(greatest)) if greatest else 0  # the decimal of the greatest one's first digit
    for places in range(min(first + 2, 4), max(first, 0) - 1, -1):
        said = f"{places} decimal{'s' * (places > 1)}" if places else "whole numbers"
        texts = ["0" if number == 0 else f"{number:.{places}f}" for number in numbers]
        yield [_drop_zero(text) for text in texts], f"numbers rounded to {said}"


def _drop_zero(text: str) -> str:
    """Return a number without the 0 before its point.

    Examples
    --------
    >>> _drop_zero("-0.25"), _drop_zero("10.25"), _drop_zero("0")
    ('-.25', '10.25', '0')
    """
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def write_cells(axes: Axes, values: Array, chosen: Words, colors: ScalarMappable, first: Pair = (0, 0)) -> None:
    """Write a word into each cell of (rows, columns), in the ink that its color asks for."""
    for (row, column), word, ink in zip(np.ndindex(values.shape), chosen.words, find_inks(colors, values), strict=True):
        if word:
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": chosen.points, "color": ink}
            axes.text(first[1] + column, first[0] + row, word, **style)


def find_inks(mappable: ScalarMappable, values: Array) -> list[str]:
    """Return for each value the ink that is read better on its color; on odd ones black is."""
    inks = choose_inks(mappable.to_rgba(np.ma.masked_invalid(values)))
    return ["black" if odd else ink for odd, ink in zip(np.ravel(~np.isfinite(values)), inks, strict=True)]


def choose_inks(colors: Array) -> list[str]:
    """Return for each of (..., 4) colors black or white, whichever is read better on it."""
    return ["black" if bright > 0.5 else "white" for bright in np.ravel(colors[..., :3] @ Gray.WEIGHTS)]
