"""The paper of a figure that is laid out in inches: boxes on it, axes that fill them, words that fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnfilter.plots.sheets import Sheet, set_size

INK, FRAME = "#222222", "#e66100"
"""Of letters and axes; of what is framed: an orange that those who confuse red and green see as well, and that no map
here has."""

POINTS = 72.0
"""In an inch."""

_LEADING = 1.25
"""The distance of lines in heights of their letters, a little ample."""

LEAST_POINTS = 5.0
"""Smaller letters cannot be read."""

REMARKED_POINTS = 4.0
"""Where letters that say something would be smaller, a remark says which figure would suit."""

_SMALLEST = 7.0
"""The points of the smallest letters that are always there, those at the axes."""


class Box(NamedTuple):
    """A rectangle on paper, from the top left corner, in the inches of its layout."""

    left: float
    top: float
    width: float
    height: float


class Paper:
    """A figure laid out in inches; where another size is asked for, all of it is stretched.

    Letters become smaller with the side that shrinks most, so that they keep their room, and never larger.

    Parameters
    ----------
    figure
        An empty one, that of an open sheet.
    sheet
        What was asked for; of it the size matters.

    Attributes
    ----------
    zoom
        How large letters are, at most 1.
    """

    def __init__(self, figure: Figure, sheet: Sheet) -> None:
        self.figure, self.sheet = figure, sheet
        self._height = self._width = 1.0
        self._stretch = 1.0, 1.0
        self.zoom = 1.0

    def lay_out(self, height: float, width: float) -> None:
        """Give the figure its size, before anything is drawn: the layout takes so many inches.

        Raises
        ------
        OutputError
            If it would have too many pixels.
        """
        self._height, self._width = height, width
        size = set_size(self.figure, self.sheet, (height, width))
        self._stretch = size[0] / height, size[1] / width
        self.zoom = min(1.0, *self._stretch)
        mpl.rc("axes", edgecolor=INK, linewidth=0.6 * self.zoom)  # of this sheet
        mpl.rc("font", size=8)
        mpl.rc("text", color=INK)

    @property
    def remark(self) -> str:
        """What is to be said of a figure whose letters are too small, or the empty string."""
        points = _SMALLEST * self.zoom
        if points >= REMARKED_POINTS:
            return ""
        scale = REMARKED_POINTS / points
        height, width = self._height * self._stretch[0] * scale, self._width * self._stretch[1] * scale
        return f"texts are {points:.1f} points high; --figure-size {height:.1f}x{width:.1f} would do"

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) of the figure; matplotlib leaves out what is no whole pixel."""
        width, height = self.figure.bbox.size
        return int(height), int(width)

    def axes(self, box: Box) -> Axes:
        """Return axes that fill a box."""
        return self.figure.add_axes(
            (
                box.left / self._width,
                1 - (box.top + box.height) / self._height,
                box.width / self._width,
                box.height / self._height,
            )
        )

    def text(self, left: float, top: float, words: str, **style: Any) -> Text:
        """Write words whose top left corner is at a point."""
        settled = {"va": "top", "ha": "left", "fontsize": 9, "color": INK, **style}
        return self.figure.text(left / self._width, 1 - top / self._height, words, **settled)

    def real(self, box: Box) -> tuple[float, float]:
        """Return the (height, width) that a box has in the figure, in inches."""
        return box.height * self._stretch[0], box.width * self._stretch[1]

    def square(self, box: Box, ratio: float) -> Box:
        """Return the largest box of a ratio of height to width in the top left corner of another, at least 1:8."""
        high, wide = self.real(box)
        settled = min(max(ratio, 1 / 8), 8.0)
        width = min(wide, high / settled)
        return box._replace(width=width / self._stretch[1], height=width * settled / self._stretch[0])

    def snap(self, box: Box, cells: tuple[int, int]) -> Box:
        """Return a box whose (rows, columns) of cells are whole pixels, if they are as large as one.

        It goes to the same bottom right corner, or less than a pixel further.
        """
        tall, _ = self.figure.bbox.size[::-1]
        scale = self._stretch[0] * self.figure.dpi, self._stretch[1] * self.figure.dpi
        high, wide = box.height * scale[0] / cells[0], box.width * scale[1] / cells[1]
        if min(high, wide) < 1:
            return box
        width, height = floor(wide + 1e-6) * cells[1], floor(high + 1e-6) * cells[0]
        left = round((box.left + box.width) * scale[1] - width)
        low = round(tall - (box.top + box.height) * scale[0])
        return Box(left / scale[1], (tall - low - height) / scale[0], width / scale[1], height / scale[0])

    def fit(self, text: Text, width: float) -> None:
        """Make letters smaller, and then a line shorter, until it is not wider than some inches."""
        wide, least = self._pixels(width), (LEAST_POINTS + 2) * self.zoom
        while (taken := _width(text)) > wide:
            points, words = float(text.get_fontsize()), text.get_text()
            if points > least:
                text.set_fontsize(max(least, points * wide / taken))
            elif len(words) < 6:
                return
            else:
                text.set_text(f"{words.rstrip('…')[:-2]}…")

    def break_lines(self, text: Text, name: str, facts: Sequence[str], size: tuple[float, float]) -> None:
        """Write a name, and facts below it, into lines that are together not higher, nor wider, than some inches.

        Where that takes too many lines, letters become smaller, and at last the middle of the name is left out. Facts
        are never cut.

        Parameters
        ----------
        text
            Where they are written; its letters have the size at which they are tried first.
        name, facts
            What it is to say; a fact is broken at its blanks at most.
        size
            The (height, width) in the inches of the layout.
        """
        high, wide = size[0] * self._stretch[0] * POINTS, self._pixels(size[1])
        least = 6.0 * self.zoom
        named, known = _name_pieces(name), [f"{fact}, " for fact in facts[:-1]] + list(facts[-1:])
        while True:
            points = float(text.get_fontsize())
            below = [line.rstrip() for line in _fill(text, known, wide)]
            lines = [*(line.rstrip() for line in _fill(text, named, wide)), *below]
            low_enough = len(lines) * points * _LEADING <= high
            if low_enough and all(_fits(text, line, wide) for line in lines):
                break
            if points <= least:
                lines = [_shorten(text, name, wide), *below] if name else below
                break
            text.set_fontsize(max(least, points - 0.5))
        text.set_text("\n".join(lines))
        if (taken := _width(text)) > wide:
            text.set_fontsize(float(text.get_fontsize()) * wide / taken)

    def _pixels(self, width: float) -> float:
        return width * self._stretch[1] * self.figure.dpi


def _width(text: Text) -> float:
    """Return how many pixels a text is wide."""
    return text.get_window_extent().width


def _fits(text: Text, words: str, wide: float) -> bool:
    """Return whether words are not wider than so many pixels, in the letters of a text."""
    text.set_text(words)
    return _width(text) <= wide


def _name_pieces(name: str) -> list[str]:
    """Return the pieces of a name: a line may end behind a blank, a colon, an underscore, a hyphen between letters."""
    return [piece for piece in re.split(r"(?<=[\s:_])|(?<=\w-)", name) if piece]


def _fill(text: Text, pieces: Sequence[str], wide: float) -> list[str]:
    """Return pieces joined to lines that are not wider than so many pixels; one that is, is broken at its blanks."""
    lines: list[str] = []
    for piece in pieces:
        if lines and _fits(text, f"{lines[-1]}{piece}".rstrip(), wide):
            lines[-1] += piece
        elif _fits(text, piece.rstrip(), wide) or " " not in piece.rstrip():
            lines.append(piece)
        else:
            lines += _fill(text, re.split(r"(?<=\s)(?=\S)", piece), wide)
    return lines


def _shorten(text: Text, name: str, wide: float) -> str:
    """Return a name of which as much of the middle is left out as makes it narrow enough."""
    kept, shortened = len(name), name
    while kept > 4 and not _fits(text, shortened, wide):
        kept -= 1
        shortened = f"{name[: (kept + 1) // 2]}…{name[len(name) - kept // 2 :]}"
    return shortened
