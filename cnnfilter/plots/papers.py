"""The paper of a figure that is laid out in inches: boxes on it, axes that fill them, words that fit."""

from __future__ import annotations

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

LEAST_POINTS = 5.0
"""Smaller letters cannot be read."""


class Box(NamedTuple):
    """A rectangle on paper, from the top left corner, in the inches of its layout."""

    left: float
    top: float
    width: float
    height: float


class Paper:
    """A figure laid out in inches; where another size is asked for, all of it is stretched but the letters.

    Parameters
    ----------
    figure
        An empty one, that of an open sheet.
    sheet
        What was asked for; of it the size matters.
    """

    def __init__(self, figure: Figure, sheet: Sheet) -> None:
        self.figure, self.sheet = figure, sheet
        self._height = self._width = 1.0
        self._stretch = 1.0, 1.0

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
        mpl.rc("axes", edgecolor=INK, linewidth=0.6)  # of this sheet
        mpl.rc("font", size=8)
        mpl.rc("text", color=INK)

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

    def fit(self, text: Text, width: float) -> None:
        """Make letters smaller, and then words shorter, until they are not wider than some inches."""
        wide = width * self._stretch[1] * self.figure.dpi
        while (taken := text.get_window_extent().width) > wide:
            if float(text.get_fontsize()) > LEAST_POINTS + 2:
                text.set_fontsize(max(LEAST_POINTS + 2, float(text.get_fontsize()) * wide / taken))
                continue
            lines = text.get_text().split("\n")
            longest = max(range(len(lines)), key=lambda number: len(lines[number]))
            if len(lines[longest]) < 6:
                return
            lines[longest] = f"{lines[longest].rstrip('…')[:-2]}…"
            text.set_text("\n".join(lines))
