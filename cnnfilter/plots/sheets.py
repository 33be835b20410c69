"""The paper that figures are drawn on: laid out in inches, written so that two runs give the same bytes."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnfilter.errors import OutputError, nearest

INK, FRAME = "#222222", "#e66100"
"""Of letters and axes; of what is framed: an orange that those who confuse red and green see as well, and that no map
here has."""

POINTS = 72.0
"""In an inch."""

LEAST_POINTS = 5.0
"""Smaller letters cannot be read."""


class Paper(NamedTuple):
    """How large a figure is, (height, width) in inches or None for what its panels need, and whether in a window."""

    size: tuple[float, float] | None = None
    dpi: int = 100
    window: bool = False


class Box(NamedTuple):
    """A rectangle on paper, from the top left corner, in the inches of its layout."""

    left: float
    top: float
    width: float
    height: float


class Sheet:
    """A figure laid out in inches; where another size is asked for, all of it is stretched but the letters.

    Parameters
    ----------
    height, width
        What the layout takes, in inches.
    paper
        What was asked for.

    Attributes
    ----------
    figure
        Matplotlib's.
    """

    def __init__(self, height: float, width: float, paper: Paper) -> None:
        self._height, self._width = height, width
        size = paper.size or (height, width)
        self._stretch = size[0] / height, size[1] / width
        with mpl.rc_context(_STYLE):
            self.figure = _open_window(size[::-1], paper.dpi) if paper.window else Figure(size[::-1], paper.dpi)
            if not paper.window:
                FigureCanvasAgg(self.figure)

    def axes(self, box: Box) -> Axes:
        """Return axes that fill a box."""
        with mpl.rc_context(_STYLE):
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


_STYLE: Any = {
    **{key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(("backend", "interactive"))},
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "font.size": 8,
    "svg.hashsalt": "cnnfilter",
    "text.color": INK,
}
"""Matplotlib's own style, whatever the user's file says, so that a figure is the same everywhere."""


def check_paper(paper: Paper, colormap: str | None) -> None:
    """Raise an `OutputError` if a color map is unknown, or no window can be opened."""
    if colormap is not None and colormap not in mpl.colormaps:
        close = nearest(colormap, mpl.colormaps) or "; viridis, gray and RdBu are some"
        raise OutputError(f"--colormap {colormap}: matplotlib has no map of this name{close}")
    if paper.window and not _opens_windows():
        raise OutputError(
            "--plot show needs a toolkit that matplotlib opens windows with, such as tkinter or PyQt6; "
            "--plot FILE.png draws into a file"
        )


def _opens_windows() -> bool:
    from matplotlib import pyplot  # noqa: PLC0415  for windows alone

    pyplot.get_backend()
    return pyplot.get_backend().lower() not in {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}


def _open_window(size: tuple[float, float], dpi: int) -> Figure:
    from matplotlib import pyplot  # noqa: PLC0415  for windows alone

    return pyplot.figure(figsize=size, dpi=dpi)


def finish(sheet: Sheet, name: str, paper: Paper) -> bytes:
    """Return the file that holds a figure, by the suffix of its name, or show it until its window is closed."""
    if paper.window:
        from matplotlib import pyplot  # noqa: PLC0415  for windows alone

        pyplot.show()
        pyplot.close(sheet.figure)
        return b""
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    file = io.BytesIO()
    with mpl.rc_context(_STYLE):
        sheet.figure.savefig(file, format=suffix, metadata=_NO_METADATA[suffix])
    return file.getvalue()


_NO_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Nothing that changes from day to day, or with matplotlib's version."""
