"""Options of the commands, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.errors import CnnFilterError, LanguageError, OutputError, nearest
from cnnfilter.io.formats import FULL_CHROMA, LOSSLESS, Depth, Range, name_formats_taking
from cnnfilter.nn.geometry import PaddingWord, Pair, as_padding, as_pair
from cnnfilter.numbers import DECIMAL, parse_number

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from cnnfilter.io.formats import Colour
    from cnnfilter.plot.sheet import Sheet


class Word(click.ParamType):  # type: ignore[type-arg]
    """A word that a function of the floors below understands; its errors become usage errors."""

    def __init__(self, name: str, understand: Callable[[str], object], words: tuple[str, ...] = ()) -> None:
        self.name = name  # as help writes it
        self.understand = understand
        self.words = words

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return how help writes such a word."""
        return self.name

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return what the word means."""
        if not isinstance(value, str):
            return value
        try:
            return self.understand(value)
        except (CnnFilterError, ValueError) as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the known words that begin as the incomplete one does."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  only shells ask

        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


def complete_kernel(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of kernels that begin as the incomplete one does, or files for a path."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  only shells ask

    from cnnfilter.kernels.spec import describe, names  # noqa: PLC0415

    if "/" in incomplete or incomplete.startswith("."):
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(name, help=describe(name)) for name in names() if name.startswith(incomplete)]


def pair(subject: str) -> Word:
    """Return the type of a number or HxW."""
    return Word("N|HxW", lambda text: as_pair(text, subject))


def _place(text: str) -> Pair:
    """Return (row, column) from `Y,X`, both counted from 0."""
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9})", text, re.ASCII)
    if not match:
        raise LanguageError(f"position {text!r} is not Y,X, a row and a column from 0 on, such as 2,31")
    return int(match[1]), int(match[2])


def as_inches(text: str) -> tuple[float, float]:
    """Return the (height, width) that `HxW` writes, in inches."""
    match = re.fullmatch(rf"({DECIMAL})x({DECIMAL})", text, re.ASCII)
    if not match:
        raise LanguageError(f"figure size {text!r} is not HxW in inches, such as 6x8.5")
    height, width = float(match[1]), float(match[2])
    if not all(1 <= side <= 200 for side in (height, width)):
        raise LanguageError(f"figure size {text}: each side is from 1 to 200 inches")
    return height, width


def parse_colour(text: str) -> Colour:
    """Return the red, green and blue, from 0 to 1, of a CSS name, `#rgb` or `#rrggbb`.

    Examples
    --------
    >>> parse_colour("#f06"), parse_colour("white")
    ((1.0, 0.0, 0.4), (1.0, 1.0, 1.0))
    """
    written = text.lower()
    if written.startswith("#"):
        one, two = "([0-9a-f])", "([0-9a-f]{2})"
        digits = re.fullmatch(f"#(?:{one * 3}|{two * 3})", written)
        levels = [int(digit * (2 // len(digit)), 16) for digit in digits.groups() if digit] if digits else []
    else:
        from PIL.ImageColor import colormap, getrgb  # noqa: PLC0415  a number needs no table

        levels = list(getrgb(written)[:3]) if written in colormap else []
    if not levels:
        close = nearest(written, colormap) if not written.startswith("#") else ""
        raise LanguageError(f"colour {text!r} is not a name of CSS, #rgb or #rrggbb, such as white or #ff8000{close}")
    red, green, blue = (level / 255 for level in levels)
    return red, green, blue


def complete_colour(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of colours that begin as the incomplete one does."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  only shells ask
    from PIL.ImageColor import colormap  # noqa: PLC0415

    return [CompletionItem(name) for name in colormap if name.startswith(incomplete.lower())]


class Choice(click.Choice[Any]):
    """A choice among the members of a `StrEnum`, written as their values."""

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:
        """Return how a member is written."""
        return str(choice)


PADDING = Word("PADDING", as_padding, tuple(PaddingWord))
NUMBER = Word("NUMBER", parse_number)
PLACE = Word("Y,X", _place)
FILE = click.Path(readable=False)
"""A name of a file, completed as one; whether it can be read or written is found out later."""

Decorator = Callable[[Any], Any]

inputs_argument = click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1)

padding_option = click.option(
    "-p",
    "--padding",
    type=PADDING,
    default="valid",
    help="Pixels added: a number, HxW, T/L/B/R, or valid, same, same-lower, half, full.",
)
dilation_option = click.option(
    "-d", "--dilation", type=pair("dilation"), default="1", help="Pixels between the pixels under neighbouring weights."
)


def add_options(options: Sequence[Decorator], command: Any) -> Any:
    """Return a command with options added, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


_FILE_OPTIONS = (
    click.option(
        "-o",
        "--output",
        type=FILE,
        metavar="OUTPUT",
        help="A file, a folder, a template with {stem} {name} {ext} {parent} {index} and {kernel} or {layer} where"
        " there are several, {page} for a file of each page, or - for standard output. Folders are made first."
        " Matrices are printed without it.",
    ),
    click.option(
        "--format", "format_", metavar="SUFFIX", help="Format of the output, such as png, whatever its name is."
    ),
    click.option("--in-place", is_flag=True, help="Allow an output to replace its own input."),
    click.option(
        "--range",
        "range_",
        type=Choice(Range),
        help="How results are brought into the file's range: clip (the default for 8 and 16 bits), abs,"
        " scale (min..max), max (x / max|x|), offset (+ half), none (the default for floats).",
    ),
    click.option(
        "--depth", type=Choice(Depth), help="Of the file's pixels. Default: as the input; floats for matrices."
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        help=f"Of {name_formats_taking('quality')}. JPEG keeps its chroma at full size from {FULL_CHROMA}; "
        f"WebP loses nothing at {LOSSLESS}.",
    ),
    click.option(
        "--compression", type=click.IntRange(0, 9), help=f"Of {name_formats_taking('compression')}, from fast to small."
    ),
    click.option(
        "--background",
        type=Word("COLOUR", parse_colour),
        shell_complete=complete_colour,
        help="What transparent images lie on where the file or the network has no place for alpha: a CSS name, #rgb or"
        " #rrggbb.",
    ),
    click.option("--no-clobber", is_flag=True, help="Pass over outputs that exist."),
    click.option("--fail-fast", is_flag=True, help="Begin no input after one that fails."),
    click.option("--allow-truncated", is_flag=True, help="Take what there is of a JPEG that is cut off or damaged."),
    click.option(
        "--page",
        type=click.IntRange(min=1),
        metavar="N",
        help="Take one page of a TIFF, or one frame of an animation. Default: all, or the first where the output"
        " holds one.",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1, 2**40 - 1),
        metavar="N",
        help="Refuse pictures of more, before they are decoded. Default: OPENCV_IO_MAX_IMAGE_PIXELS, or 2^30.",
    ),
    click.option("--dry-run", is_flag=True, help="Print each input and its outputs with their sizes, and do nothing."),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="So many inputs at a time, each on one core. Default: as many as there are cores; a single input has"
        " them all, but for -j 1.",
    ),
    click.option(
        "--update",
        is_flag=True,
        help="Pass over outputs that are no older than their input, kernels, network, weights and labels. Changed"
        " options are not seen.",
    ),
    click.option(
        "-r",
        "--recursive",
        is_flag=True,
        help="Take the pictures in folders and below, hidden ones apart, and keep the tree below the folder -o, from"
        " which none is taken.",
    ),
    click.option("--files-from", type=FILE, metavar="FILE", help="A list of inputs, a line each; - reads it."),
    click.option("-0", "--null", is_flag=True, help="The names in the list of --files-from end with NULs."),
    click.option("--report", type=FILE, metavar="FILE", help="Write a line of JSON for each input."),
    click.option("--depfile", type=FILE, metavar="FILE", help="Write what the outputs hang on as rules for make."),
    click.option("-q", "--quiet", is_flag=True, help="No warnings; failures are still named."),
    click.option("-v", "--verbose", is_flag=True, help="Say what is done to each input, and how."),
)
file_options = partial(add_options, _FILE_OPTIONS)


def plot_options(what: str) -> Decorator:
    """Return what adds the options of a figure to a command; `what` says what is drawn."""
    suffixes = "FILE is .png, .svg or .pdf; show opens a window."
    size = click.option(
        "--figure-size", type=Word("HxW", as_inches), help="Of the figure, in inches. Default: what suits it."
    )
    dpi = click.option("--dpi", type=click.IntRange(10, 2400), help="Of the figure: pixels an inch. Default: 150.")
    plot = click.option("--plot", type=FILE, metavar="FILE|show", help=f"{what} {suffixes}")
    return partial(add_options, (plot, size, dpi))


NO_FIGURE = "--figure-size and --dpi tell of a figure; --plot FILE asks for one"


def wanted_sheet(
    plot: str | None, figure_size: tuple[float, float] | None, dpi: int | None, inputs: Iterable[str]
) -> Sheet | None:
    """Return the figure that the options ask for, checked, or None; it may not replace one of the inputs."""
    if plot is None:
        if figure_size or dpi:
            raise OutputError(NO_FIGURE)
        return None
    from pathlib import Path  # noqa: PLC0415

    from cnnfilter.plot.sheet import DPI, Sheet, check_sheet  # noqa: PLC0415  few commands draw

    sheet = Sheet(plot, figure_size, dpi or DPI)
    check_sheet(sheet, map(Path, inputs))
    return sheet


figure_options = partial(
    add_options,
    (
        plot_options(
            "Draw the input and what comes out side by side; several inputs take a template such as {stem}-plot.png."
            " Without -o nothing else is written."
        ),
        click.option(
            "--equalize", is_flag=True, help="Spread the levels of the figure from black to white, to see more."
        ),
        click.option("--colormap", metavar="NAME", help="Of matplotlib, for maps in the figure, such as viridis."),
    ),
)

view_options = partial(  # for commands that lay one window on the input
    add_options,
    (
        figure_options,
        click.option(
            "--explain",
            type=PLACE,
            help="Say how the value in row Y, column X of the output comes about, counted from 0; with --plot draw it"
            " too.",
        ),
        click.option("--json", is_flag=True, help="Print what --explain says as JSON, a line for each kernel."),
        click.option(
            "--animate",
            type=FILE,
            metavar="FILE",
            help="Let the window slide and the output fill: .gif, .webp or .png, for inputs up to 32x32; of 100 pixels"
            " an inch but for --dpi.",
        ),
        click.option("--around", type=PLACE, help="Animate about 12x12 pixels around this one of a larger input."),
        click.option("--fps", type=click.FloatRange(0.1, 50), help="Windows in a second of --animate. Default: 3."),
    ),
)
