"""Sheets: figures that are checked before any work, opened, and saved as PNG, SVG or PDF, or shown in a window.

Nothing here loads matplotlib before a figure is opened, or a color map looked up.
"""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.errors import LanguageError, OutputError, nearest
from cnnfilter.files.identity import identities
from cnnfilter.files.writing import SPECIAL, is_directory, is_special, write_whole
from cnnfilter.numbers import DECIMAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT, ANIMATE = "plot", "animate"
"""The options that ask for a figure, and for a moving picture."""

SUFFIXES = {PLOT: (".png", ".svg", ".pdf"), ANIMATE: (".gif", ".webp", ".png")}
"""What their files may be."""

SHOW = "show"
"""The word that asks for a window rather than a file."""

DPI = 150
"""Pixels an inch of a PNG: 1650 across a sheet of 11 inches."""

MOST_PIXELS = 2**27
"""Of a figure, and of the pictures in an SVG or PDF: half a gigabyte while it is drawn."""

SMALLEST_SIDE, LARGEST_SIDE = 1.0, 200.0
"""Of a figure, in inches."""

Size = tuple[float, float]
"""(height, width) in inches."""

_TOOLKITS = ("macosx", "QtAgg", "GTK4Agg", "GTK3Agg", "TkAgg", "WxAgg")

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
    """A figure that is wanted.

    Parameters
    ----------
    target
        The path of a PNG, SVG or PDF, or `show`.
    size
        (height, width) in inches; None for what suits the figure.
    dpi
        Pixels an inch.
    option
        The option that asks for it; a moving picture is drawn on a sheet as well.
    """

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
        return self.option == PLOT and self.target == SHOW


def as_inches(text: str) -> Size:
    """Return the (height, width) that `HxW` writes, in inches.

    Raises
    ------
    LanguageError
        If it is no such text, or a side is below 1 or above 200 inches.

    Examples
    --------
    >>> as_inches("6.5x8")
    (6.5, 8.0)
    """
    match = re.fullmatch(rf"({DECIMAL})x({DECIMAL})", text, re.ASCII)
    if not match:
        raise LanguageError(f"figure size {text!r} is not HxW in inches, such as 6x8.5")
    height, width = float(match[1]), float(match[2])
    if not (SMALLEST_SIDE <= height <= LARGEST_SIDE and SMALLEST_SIDE <= width <= LARGEST_SIDE):
        raise LanguageError(f"figure size {text}: each side is from {SMALLEST_SIDE:g} to {LARGEST_SIDE:g} inches")
    return height, width


def check_sheet(sheet: Sheet, inputs: Iterable[Path] = ()) -> None:
    """Raise an `OutputError` if a figure could not be saved, or would replace one of the files that are read."""
    if sheet.size:
        _measure(sheet, sheet.size)
    if sheet.in_window:
        if not _has_display():
            raise OutputError(f"{sheet}: there is no display here; --plot FILE.png makes a file")
        return
    path, known = Path(sheet.target), SUFFIXES[sheet.option]
    if path.suffix.lower() not in known:
        what = f"unknown suffix {path.suffix!r}" if path.suffix else "no suffix"
        window = ", or show for a window" if sheet.option == PLOT else ""
        raise OutputError(f"{sheet}: {what}; {', '.join(known)} would do{window}")
    if is_directory(path):
        raise OutputError(f"{sheet}: is a folder")
    if is_special(path):
        raise OutputError(f"{sheet}: {SPECIAL}")
    if not is_directory(path.parent):
        raise OutputError(f"{sheet}: no such folder: {path.parent}")
    check_spared(sheet, {identity for source in inputs for identity in identities(source)})


def check_spared(sheet: Sheet, read: Collection[str]) -> None:
    """Raise an `OutputError` if a figure would replace a file that is read; they are told by their identities."""
    if any(identity in read for identity in identities(sheet.target)):
        raise OutputError(f"{sheet}: the picture would replace a file that is read")


def check_colormap(name: str) -> None:
    """Raise an `OutputError` if matplotlib has no color map of a name."""
    from matplotlib import colormaps  # noqa: PLC0415  only a picture needs it

    known = list(colormaps)
    if name not in known:
        close = nearest(name, known) or "; viridis, gray and RdBu are some"
        raise OutputError(f"--colormap {name}: matplotlib has no map of this name{close}")


def _has_display() -> bool:
    """Return whether windows can be opened, as far as the environment tells."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def open_sheet(sheet: Sheet, save: Callable[[Path, bytes], object] = write_whole) -> Iterator[Figure]:
    """Yield an empty figure; when the block ends it is saved, or shown until its window is closed.

    The user's settings of matplotlib change nothing, and two runs give the same bytes.

    Parameters
    ----------
    sheet
        What is wanted.
    save
        Takes the path of the file, and the bytes that it is to hold; writes them unless told otherwise.

    Raises
    ------
    OutputError
        If there is no window to show it in, or it is too small for what is on it.
    ImageFileError
        If the system refuses the file.
    """
    if sheet.in_window:
        with _settings():
            yield from _window(sheet)
        return
    with open_canvas(sheet) as figure:
        try:
            yield figure
            data = _encode(figure, sheet)
        except UserWarning as warning:
            reason = "the figure is too small for what is on it; a larger --figure-size would do"
            raise OutputError(f"{sheet}: {reason}") from warning
    save(Path(sheet.target), data)


@contextmanager
def open_canvas(sheet: Sheet) -> Iterator[Figure]:
    """Yield an empty figure whose pixels can be read, as the frames of a moving picture are; nothing is saved."""
    with _settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(dpi=sheet.dpi)
        FigureCanvasAgg(figure)
        yield figure


@contextmanager
def _settings() -> Iterator[None]:
    """Give matplotlib settings of our own while the block runs."""
    import matplotlib as mpl  # noqa: PLC0415  only a picture needs it

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("error", message="constrained_layout not applied", category=UserWarning)
        mpl.rcdefaults()
        for key, value in _STYLE.items():
            mpl.rcParams[key] = value  # type: ignore[index]
        yield


def set_size(figure: Figure, sheet: Sheet, natural: Size) -> Size:
    """Give a figure the size that was asked for, else its natural one, and return (height, width) in inches.

    Raises
    ------
    OutputError
        If it would have too many pixels.
    """
    height, width = sheet.size or natural
    _measure(sheet, (height, width))
    figure.set_size_inches(width, height)
    return height, width


def _measure(sheet: Sheet, size: Size) -> None:
    """Raise an `OutputError` if a figure of a size would have too many pixels."""
    pixels = round(size[0] * sheet.dpi), round(size[1] * sheet.dpi)
    if prod(pixels) > MOST_PIXELS or max(pixels) >= 2**16:
        raise OutputError(
            f"{sheet}: {pixels[0]}x{pixels[1]} pixels are more than can be drawn; a smaller --dpi or "
            "--figure-size would do"
        )


def settle(figure: Figure) -> None:
    """Lay out the panels of a figure for good, at places that no order of sums in the solver changes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, low, width, height = (round(part, 6) for part in axes.get_position(original=True).bounds)
        axes.set_position((left, low, width, height))


def _encode(figure: Figure, sheet: Sheet) -> bytes:
    suffix = Path(sheet.target).suffix.lower()
    file = io.BytesIO()
    figure.savefig(file, format=suffix[1:], dpi=sheet.dpi, metadata=_METADATA[suffix])
    return file.getvalue()


def _window(sheet: Sheet) -> Iterator[Figure]:
    """Yield a figure in a window, and show it until it is closed."""
    from matplotlib import pyplot  # noqa: PLC0415  only windows need it

    for toolkit in _TOOLKITS:
        try:
            pyplot.switch_backend(toolkit)
        except ImportError:  # the toolkit is missing, or finds no display
            continue
        figure = pyplot.figure(dpi=min(sheet.dpi, 100))
        try:
            yield figure
            pyplot.show(block=True)
        finally:
            pyplot.close(figure)
        return
    raise OutputError(f"{sheet}: no window can be opened here; --plot FILE.png makes a file")
