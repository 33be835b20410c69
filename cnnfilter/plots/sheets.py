"""Sheets: figures that are checked before any work, opened, and saved as PNG, SVG or PDF, or shown in a window.

Nothing here loads matplotlib before a figure is opened.
"""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.errors import LanguageError, OutputError
from cnnfilter.files.outputs import identities, write_whole
from cnnfilter.numbers import DECIMAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")

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
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
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
    """

    target: str
    size: Size | None = None
    dpi: int = DPI


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
    if sheet.target == SHOW:
        if not _has_display():
            raise OutputError("--plot show: there is no display here; --plot FILE.png makes a file")
        return
    path = Path(sheet.target)
    if path.suffix.lower() not in SUFFIXES:
        what = f"unknown suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise OutputError(f"--plot {sheet.target}: {what}; {', '.join(SUFFIXES)} would do, or show for a window")
    if path.is_dir():
        raise OutputError(f"--plot {sheet.target}: is a folder")
    if not path.parent.is_dir():
        raise OutputError(f"--plot {sheet.target}: no such folder: {path.parent}")
    read = {identity for source in inputs for identity in identities(source)}
    if read & set(identities(path)):
        raise OutputError(f"--plot {sheet.target}: the picture would replace a file that is read")


def _has_display() -> bool:
    """Return whether windows can be opened, as far as the environment tells."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def open_sheet(sheet: Sheet) -> Iterator[Figure]:
    """Yield an empty figure; when the block ends it is saved, or shown until its window is closed.

    The user's settings of matplotlib change nothing, and two runs give the same bytes.

    Raises
    ------
    OutputError
        If there is no window to show it in, or it is too small for what is on it.
    ImageFileError
        If the system refuses the file.
    """
    import matplotlib as mpl  # noqa: PLC0415  only a picture needs it

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("error", message="constrained_layout not applied", category=UserWarning)
        mpl.rcdefaults()
        for key, value in _STYLE.items():
            mpl.rcParams[key] = value  # type: ignore[index]
        if sheet.target == SHOW:
            yield from _window(sheet)
            return
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(dpi=sheet.dpi)
        try:
            yield figure
            data = _encode(figure, sheet)
        except UserWarning as warning:
            reason = "the figure is too small for what is on it; a larger --figure-size would do"
            raise OutputError(f"--plot {sheet.target}: {reason}") from warning
        write_whole(Path(sheet.target), data)


def set_size(figure: Figure, sheet: Sheet, natural: Size) -> Size:
    """Give a figure the size that was asked for, else its natural one, and return (height, width) in inches.

    Raises
    ------
    OutputError
        If it would have too many pixels.
    """
    height, width = sheet.size or natural
    pixels = round(height * sheet.dpi), round(width * sheet.dpi)
    if prod(pixels) > MOST_PIXELS or max(pixels) >= 2**16:
        raise OutputError(
            f"--plot {sheet.target}: {pixels[0]}x{pixels[1]} pixels are more than can be drawn; a smaller --dpi or "
            "--figure-size would do"
        )
    figure.set_size_inches(width, height)
    return height, width


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
    raise OutputError("--plot show: no window can be opened here; --plot FILE.png makes a file")
