"""Sheets: figures that are checked before any work, opened, and saved as PNG, SVG or PDF, or shown in a window.

Nothing here loads matplotlib before a figure is opened, or a color map looked up.
"""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.errors import LanguageError, OutputError, nearest
from cnnfilter.io.atomic import SPECIAL, is_directory, is_special, write_whole
from cnnfilter.io.paths import Resolver
from cnnfilter.numbers import DECIMAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PLOT, ANIMATE = "plot", "animate"
"""The options that ask for a figure, and for a moving picture."""

_SUFFIXES = {PLOT: (".png", ".svg", ".pdf"), ANIMATE: (".gif", ".webp", ".png")}

DPI = 150
"""Pixels per inch of a PNG: 1650 across a sheet of 11 inches."""

_MOST_PIXELS = 2**27
"""Of a figure, and of the images in an SVG or PDF: half a gigabyte while it is drawn."""

_SIDES = 1.0, 200.0
"""The shortest and the longest side of a figure, in inches."""

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
        The path of a PNG, SVG or PDF, or `show` for a window.
    size
        (height, width) in inches; None for what suits the figure.
    dpi
        Pixels per inch.
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
        return self.option == PLOT and self.target == "show"


def as_inches(text: str) -> Size:
    """Return the (height, width) that `HxW` writes, in inches.

    Raises
    ------
    LanguageError
        If it is not such a text, or a side is below 1 or above 200 inches.

    Examples
    --------
    >>> as_inches("6.5x8")
    (6.5, 8.0)
    """
    match = re.fullmatch(rf"({DECIMAL})x({DECIMAL})", text, re.ASCII)
    if not match:
        raise LanguageError(f"figure size {text!r} is not HxW in inches, such as 6x8.5")
    height, width = float(match[1]), float(match[2])
    if not all(_SIDES[0] <= side <= _SIDES[1] for side in (height, width)):
        raise LanguageError(f"figure size {text}: each side is from {_SIDES[0]:g} to {_SIDES[1]:g} inches")
    return height, width


def check_sheet(sheet: Sheet, inputs: Iterable[Path] = ()) -> None:
    """Raise an `OutputError` if a figure could not be saved, or would replace one of the files that are read."""
    if sheet.size:
        _check_pixels(sheet, sheet.size)
    if sheet.in_window:
        if not _has_display():
            raise OutputError(f"{sheet}: there is no display here; --plot FILE.png makes a file")
        return
    path, known = Path(sheet.target), _SUFFIXES[sheet.option]
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
    check_spared(sheet, {identity for source in inputs for identity in Resolver().identities(source)})


def check_spared(sheet: Sheet, read: Collection[str]) -> None:
    """Raise an `OutputError` if a figure would replace a file that is read; `read` are identities of files."""
    if any(identity in read for identity in Resolver().identities(sheet.target)):
        raise OutputError(f"{sheet}: the picture would replace a file that is read")


def check_colormap(name: str) -> None:
    """Raise an `OutputError` if matplotlib has no color map of a name."""
    from matplotlib import colormaps  # noqa: PLC0415  only a figure needs it

    known = list(colormaps)
    if name not in known:
        close = nearest(name, known) or "; viridis, gray and RdBu are some"
        raise OutputError(f"--colormap {name}: matplotlib has no map of this name{close}")


def _has_display() -> bool:
    """Return whether windows can be opened, as far as the environment tells."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _check_pixels(sheet: Sheet, size: Size) -> None:
    """Raise an `OutputError` if a figure of a size would have too many pixels."""
    height, width = round(size[0] * sheet.dpi), round(size[1] * sheet.dpi)
    if prod((height, width)) > _MOST_PIXELS or max(height, width) >= 2**16:
        raise OutputError(
            f"{sheet}: {height}x{width} pixels are more than can be drawn; a smaller --dpi or --figure-size would do"
        )


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
    if sheet.in_window:
        with _settings():
            yield from _window(sheet)
        return
    with open_canvas(sheet) as figure:
        yield figure
        data = encode_figure(figure, sheet)
    write_whole(Path(sheet.target), data)


@contextmanager
def open_canvas(sheet: Sheet) -> Iterator[Figure]:
    """Yield an empty figure whose pixels can be read, as the frames of a moving picture are; nothing is saved.

    Raises
    ------
    OutputError
        If the figure is too small for what is drawn on it.
    """
    with _settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(dpi=sheet.dpi)
        FigureCanvasAgg(figure)
        try:
            yield figure
        except UserWarning as warning:
            reason = "the figure is too small for what is on it; a larger --figure-size would do"
            raise OutputError(f"{sheet}: {reason}") from warning


@contextmanager
def _settings() -> Iterator[None]:
    """Give matplotlib settings of our own while the block runs."""
    import matplotlib as mpl  # noqa: PLC0415  only a figure needs it

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("error", message="constrained_layout not applied", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        yield


def encode_figure(figure: Figure, sheet: Sheet) -> bytes:
    """Return what a sheet's file holds of a figure."""
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


class Fitted(NamedTuple):
    """The (height, width) of a figure in inches, and how large its letters are beside those of its natural size."""

    height: float
    width: float
    zoom: float


def set_size(figure: Figure, sheet: Sheet, natural: Size) -> Fitted:
    """Give a figure the size that was asked for, else its natural one, and return it.

    Raises
    ------
    OutputError
        If it would have too many pixels.
    """
    height, width = sheet.size or natural
    _check_pixels(sheet, (height, width))
    figure.set_size_inches(width, height)
    return Fitted(height, width, min(height / natural[0], width / natural[1]))
