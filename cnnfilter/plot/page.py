"""The paper of a figure that is laid out in inches: boxes on it, axes that fill them, words that fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.plot.sheet import Sheet, Size, set_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


INK, FRAME = "#222222", "#e66100"
"""Of letters and axes; of what is framed: an orange that people who confuse red and green see too, and that is in no
map here."""

POINTS = 72.0
"""In an inch."""

_LEADING = 1.25
"""The distance of lines in heights of their letters, with some room to spare."""

LEAST_POINTS = 5.0
"""Smaller letters cannot be read."""

_WARNED_POINTS = 4.0
"""Where letters that say something would be smaller, a remark names the figure size that would suit."""

_AXIS_POINTS = 7.0
"""Of the smallest letters that are always there, those at the axes."""


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
        import matplotlib as mpl  # noqa: PLC0415  only a figure needs it

        self._height, self._width = height, width
        fitted = set_size(self.figure, self.sheet, (height, width))
        self._stretch = fitted.height / height, fitted.width / width
        self.zoom = min(1.0, fitted.zoom)
        mpl.rc("axes", edgecolor=INK, linewidth=0.6 * self.zoom)  # of this sheet
        mpl.rc("font", size=8)
        mpl.rc("text", color=INK)

    @property
    def remark(self) -> str:
        """What is to be said of a figure whose letters are too small, or the empty string."""
        points = _AXIS_POINTS * self.zoom
        if points >= _WARNED_POINTS:
            return ""
        width, height = self.figure.get_size_inches() * _WARNED_POINTS / points
        return f"texts are {points:.1f} points high; --figure-size {height:.1f}x{width:.1f} would do"

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) of the figure; matplotlib leaves out what is not a whole pixel."""
        width, height = self.figure.bbox.size
        return int(height), int(width)

    def axes(self, box: Box) -> Axes:
        """Return axes that fill a box."""
        bottom = 1 - (box.top + box.height) / self._height
        return self.figure.add_axes(
            (box.left / self._width, bottom, box.width / self._width, box.height / self._height)
        )

    def text(self, left: float, top: float, words: str, **style: Any) -> Text:
        """Write words whose top left corner is at a point."""
        settled = {"va": "top", "ha": "left", "fontsize": 9, "color": INK, **style}
        return self.figure.text(left / self._width, 1 - top / self._height, words, **settled)

    def real(self, box: Box) -> Size:
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
        tall = self.figure.bbox.height
        scale = self._stretch[0] * self.figure.dpi, self._stretch[1] * self.figure.dpi
        high, wide = box.height * scale[0] / cells[0], box.width * scale[1] / cells[1]
        if min(high, wide) < 1:
            return box
        width, height = floor(wide + 1e-6) * cells[1], floor(high + 1e-6) * cells[0]
        left = round((box.left + box.width) * scale[1] - width)
        low = round(tall - (box.top + box.height) * scale[0])
        return Box(left / scale[1], (tall - low - height) / scale[0], width / scale[1], height / scale[0])

    def break_lines(self, text: Text, name: str, facts: Sequence[str], size: Size) -> None:
        """Write a name, and facts below it, into lines that are together not higher, nor wider, than some inches.

        Where that takes too many lines, letters become smaller, and at last the middle of the name is left out. Facts
        are never cut.

        Parameters
        ----------
        text
            Where they are written; its letters have the size at which they are tried first.
        name, facts
            What it is to say; a name is broken after a blank, a colon, an underscore, or a hyphen between letters, a
            fact at its blanks at most.
        size
            The (height, width) in the inches of the layout.
        """
        high, wide = size[0] * self._stretch[0] * POINTS, size[1] * self._stretch[1] * self.figure.dpi
        points, least = float(text.get_fontsize()), 6.0 * self.zoom
        named = re.split(r"(?<=[\s:_])|(?<=\w-)", name) if name else []
        known = [*(f"{fact}, " for fact in facts[:-1]), *facts[-1:]]
        while True:
            text.set_fontsize(points)
            head, below = ([line.rstrip() for line in _fill(text, pieces, wide)] for pieces in (named, known))
            if len(head + below) * points * _LEADING <= high and all(_fits(text, line, wide) for line in head + below):
                break
            if points <= least:
                head = [_shorten(text, name, wide)] if name else []
                break
            points = max(least, points - 0.5)
        text.set_text("\n".join(head + below))
        text.set_fontsize(points * min(1.0, wide / text.get_window_extent().width))


def _fits(text: Text, words: str, wide: float) -> bool:
    """Return whether words are not wider than so many pixels, in the letters of a text."""
    text.set_text(words)
    return text.get_window_extent().width <= wide


def _fill(text: Text, pieces: Sequence[str], wide: float) -> list[str]:
    """Return pieces joined to lines that are not wider than so many pixels; one that is, is broken at its blanks."""
    lines: list[str] = []
    for piece in filter(None, pieces):
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
