"""Sheets: figures that are checked before any work, opened, laid out in inches, and saved or shown in a window.

Nothing here loads matplotlib before a figure is opened, or a color map looked up.
"""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import floor, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.errors import OutputError, nearest
from cnnfilter.io.atomic import write_whole
from cnnfilter.io.paths import find_obstacle, identify_all

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


PLOT, ANIMATE = "plot", "animate"
"""The options that ask for a figure, and for a moving picture."""

_SUFFIXES = {PLOT: (".png", ".svg", ".pdf"), ANIMATE: (".gif", ".webp", ".png")}

DPI = 150
"""Pixels per inch of a PNG: 1650 across a sheet of 11 inches."""

_MOST_PIXELS = 2**27
"""Of a figure, and of the images in an SVG or PDF: half a gigabyte while it is drawn."""

Size = tuple[float, float]
"""(height, width) in inches."""

INK, FRAME = "#222222", "#e66100"
"""Of letters and axes; of what is framed: an orange that all eyes tell from green, and that is in no map here."""

POINTS = 72.0
"""In an inch."""

LEAST_POINTS = 5.0
"""Smaller letters cannot be read."""

TICK_POINTS = 7.0
"""Of the numbers at axes, the smallest letters that are always there."""

_WARNED_POINTS = 4.0
"""Where letters that say something would be smaller, a warning names the figure size that would suit."""

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters everywhere
    "font.size": 9.0,
    "axes.titlesize": "large",
    "pdf.fonttype": 42,  # letters stay letters that can be searched
    "svg.hashsalt": "cnnfilter",  # the same names of parts each time
    "text.parse_math": False,  # a dollar in a file's name is a dollar
}

_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What would differ from one run or version to the next, left out."""


class Sheet(NamedTuple):
    """A figure that an `option` asks for, in a file or, if the target is `show`, a window; its `size` is in inches."""

    target: str
    size: Size | None = None
    dpi: int = DPI
    option: str = PLOT

    def __str__(self) -> str:
        """Return the option as it was given."""
        return f"--{self.option} {self.target}"

    @property
    def in_window(self) -> bool:
        """Whether it is shown rather than saved."""
        return self.option == PLOT and self.target == "show"


def check_sheet(sheet: Sheet, inputs: Iterable[Path] = ()) -> None:
    """Raise an `OutputError` if a figure could not be saved, or would replace one of the files that are read."""
    if sheet.size:
        _check_pixels(sheet, sheet.size)
    if sheet.in_window:
        if sys.platform.startswith("linux") and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
            raise OutputError(f"{sheet}: there is no display here; --plot FILE.png makes a file")
        return
    path, known = Path(sheet.target), _SUFFIXES[sheet.option]
    if path.suffix.lower() not in known:
        what = f"unknown suffix {path.suffix!r}" if path.suffix else "no suffix"
        window = ", or show for a window" if sheet.option == PLOT else ""
        raise OutputError(f"{sheet}: {what}; {', '.join(known)} would do{window}")
    if obstacle := find_obstacle(path):
        raise OutputError(f"{sheet}: {obstacle}")
    check_protected(sheet, identify_all(inputs))


def check_protected(sheet: Sheet, protected: frozenset[str]) -> None:
    """Raise an `OutputError` if a figure would replace a file that is read, by the identities of those."""
    if not protected.isdisjoint(identify_all([sheet.target])):
        raise OutputError(f"{sheet}: the figure would replace a file that is read")


def check_colormap(name: str) -> None:
    """Raise an `OutputError` if matplotlib has no color map of a name."""
    from matplotlib import colormaps  # noqa: PLC0415  only a figure needs it

    known = list(colormaps)
    if name not in known:
        close = nearest(name, known) or "; viridis, gray and RdBu are some"
        raise OutputError(f"--colormap {name}: matplotlib has no map of this name{close}")


def _check_pixels(sheet: Sheet, size: Size) -> None:
    """Raise an `OutputError` if a figure of a size would have too many pixels."""
    height, width = round(size[0] * sheet.dpi), round(size[1] * sheet.dpi)
    if prod((height, width)) > _MOST_PIXELS or max(height, width) >= 2**16:
        raise OutputError(
            f"{sheet}: {height}x{width} pixels are more than can be drawn; a smaller --dpi or --figure-size would do"
        )


@contextmanager
def open_sheet(sheet: Sheet) -> Iterator[Figure]:
    """Yield an empty figure; when the block ends it is saved, or shown until its window is closed."""
    if not sheet.in_window:
        with open_canvas(sheet) as figure:
            yield figure
            data = encode_figure(figure, sheet)
        write_whole(Path(sheet.target), data)
        return
    with _settings():
        from matplotlib import pyplot  # noqa: PLC0415  only windows need it

        for toolkit in ("macosx", "QtAgg", "GTK4Agg", "GTK3Agg", "TkAgg", "WxAgg"):
            with suppress(ImportError):  # the toolkit is missing, or finds no display
                pyplot.switch_backend(toolkit)
                break
        else:
            raise OutputError(f"{sheet}: no window can be opened here; --plot FILE.png makes a file")
        figure = pyplot.figure(dpi=min(sheet.dpi, 100))
        try:
            yield figure
            pyplot.show(block=True)
        finally:
            pyplot.close(figure)


@contextmanager
def open_canvas(sheet: Sheet) -> Iterator[Figure]:
    """Yield an empty figure whose pixels can be read."""
    with _settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(dpi=sheet.dpi)
        FigureCanvasAgg(figure)
        yield figure


@contextmanager
def _settings() -> Iterator[None]:
    """Give matplotlib settings of our own: those of a user change nothing, and two runs give the same bytes."""
    import matplotlib as mpl  # noqa: PLC0415  only a figure needs it

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        yield


def encode_figure(figure: Figure, sheet: Sheet) -> bytes:
    """Return what a sheet's file holds of a figure."""
    suffix = Path(sheet.target).suffix.lower()
    file = io.BytesIO()
    figure.savefig(file, format=suffix[1:], dpi=sheet.dpi, metadata=_METADATA[suffix])
    return file.getvalue()


def set_size(figure: Figure, sheet: Sheet, natural: Size) -> float:
    """Give a figure the size that was asked for, else its natural one, and return how large its letters are then."""
    height, width = sheet.size or natural
    _check_pixels(sheet, (height, width))
    figure.set_size_inches(width, height)
    return min(height / natural[0], width / natural[1])


class Box(NamedTuple):
    """A rectangle on paper, from the top left corner, in the inches of its layout."""

    left: float
    top: float
    width: float
    height: float


class Paper:
    """A figure laid out in inches and stretched to the size asked for; letters shrink with it by `zoom`, never grow."""

    def __init__(self, figure: Figure, sheet: Sheet) -> None:
        self.figure, self.sheet = figure, sheet
        self._height = self._width = 1.0
        self._stretch = 1.0, 1.0
        self.zoom = 1.0

    def lay_out(self, height: float, width: float, *, stretched: bool = True) -> None:
        """Give the figure its size before anything is drawn; if not `stretched`, in its ratio, letters growing too."""
        import matplotlib as mpl  # noqa: PLC0415  only a figure needs it

        zoom = set_size(self.figure, self.sheet, (height, width))
        high, wide = self.figure.get_figheight(), self.figure.get_figwidth()
        self._stretch = (high / height, wide / width) if stretched else (zoom, zoom)
        self._height, self._width = high / self._stretch[0], wide / self._stretch[1]
        self.zoom = zoom = min(1.0, zoom) if stretched else zoom  # the settings are those of this sheet
        mpl.rc("axes", edgecolor=INK, linewidth=0.6 * zoom, labelsize=8 * zoom, labelpad=1.5 * zoom)
        mpl.rc(("xtick", "ytick"), labelsize=TICK_POINTS * zoom)  # type: ignore[arg-type]
        mpl.rc(("xtick.major", "ytick.major"), width=0.5 * zoom, size=2 * zoom, pad=1.5 * zoom)  # type: ignore[arg-type]
        mpl.rc("font", size=8)
        mpl.rc("text", color=INK)

    @property
    def warning(self) -> str:
        """What is to be said of a figure whose letters are too small, or the empty string."""
        points = TICK_POINTS * self.zoom
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
        height, width = self._height, self._width
        bounds = box.left / width, 1 - (box.top + box.height) / height, box.width / width, box.height / height
        return self.figure.add_axes(bounds)

    def text(self, left: float, top: float, words: str, points: float, **style: Any) -> Text:
        """Write words whose top left corner is at a point, in letters of so many points, less if these are small."""
        settled = {"va": "top", "fontsize": points * self.zoom, **style}
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
        """Return a box whose cells are whole pixels, if as large as one, with nearly the same bottom right corner."""
        tall = self.figure.bbox.height
        scale = self._stretch[0] * self.figure.dpi, self._stretch[1] * self.figure.dpi
        high, wide = box.height * scale[0] / cells[0], box.width * scale[1] / cells[1]
        if min(high, wide) < 1:
            return box
        width, height = floor(wide + 1e-6) * cells[1], floor(high + 1e-6) * cells[0]
        left = round((box.left + box.width) * scale[1] - width)
        low = round(tall - (box.top + box.height) * scale[0])
        return Box(left / scale[1], (tall - low - height) / scale[0], width / scale[1], height / scale[0])

    def title(self, axes: Axes, name: str, facts: Sequence[str], size: Size, gap: float = 4) -> None:
        """Write a name, and facts below it, so many points above axes, in lines that fit the inches of a size."""
        words = axes.set_title(" ", loc="left", fontsize=9 * self.zoom, pad=gap * self.zoom)
        self.break_lines(words, name, facts, size)

    def break_lines(self, text: Text, name: str, facts: Sequence[str], size: Size) -> None:
        """Write a name, and facts below it, in lines that fit the inches of a size.

        If need be letters become smaller, and at last the middle of the name is left out; facts are never cut.
        """
        high, wide = size[0] * self._stretch[0] * POINTS, size[1] * self._stretch[1] * self.figure.dpi
        points, least = float(text.get_fontsize()), 6.0 * self.zoom
        named = re.split(r"(?<=[\s:_])|(?<=\w-)", name) if name else []
        known = [*(f"{fact}, " for fact in facts[:-1]), *facts[-1:]]
        while True:
            text.set_fontsize(points)
            head, below = ([line.rstrip() for line in _fill(text, pieces, wide)] for pieces in (named, known))
            # A line is 1.25 times as high as its letters, with some room to spare.
            if len(head + below) * points * 1.25 <= high and all(_fits(text, line, wide) for line in head + below):
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
