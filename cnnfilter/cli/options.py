"""Options of the commands, and the types of their values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.errors import CnnFilterError, LanguageError, OutputError, nearest
from cnnfilter.io.formats import FULL_CHROMA, LOSSLESS, Depth, Range, name_formats_taking
from cnnfilter.nn.geometry import PaddingWord, Pair, as_padding, as_pair, as_region
from cnnfilter.numbers import DECIMAL, parse_number
from cnnfilter.run.settings import ALL

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


def completing(what: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes a kernel, a network, ...: a function of `cli.completion`, loaded when a shell asks."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        items: list[CompletionItem] = getattr(import_module("cnnfilter.cli.completion"), f"complete_{what}")(incomplete)
        return items

    return complete


def pair(subject: str) -> Word:
    """Return the type of a number or HxW."""
    return Word("N|HxW", lambda text: as_pair(text, subject))


def _place(text: str) -> Pair:
    """Return (row, column) from `Y,X`, both counted from 0."""
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9})", text, re.ASCII)
    if not match:
        raise LanguageError(f"position {text!r} is not Y,X, a row and a column from 0, such as 2,31")
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


def as_cluster(text: str) -> str:
    """Return the address of a Dask scheduler, or `local:N`.

    Examples
    --------
    >>> as_cluster("tcp://10.0.0.1:8786"), as_cluster("local")
    ('tcp://10.0.0.1:8786', 'local')
    """
    if not re.fullmatch(r"local(:[1-9]\d{0,3})?|[a-z]+://[^\s/]+:\d{1,5}", text, re.ASCII):
        raise LanguageError(f"cluster {text!r} is neither an address, such as tcp://host:8786, nor local or local:N")
    most = _WORKERS_FOR_A_CORE * (os.cpu_count() or 1)
    if text.startswith("local:") and int(text.removeprefix("local:")) > most:
        raise LanguageError(f"cluster {text}: this machine takes {most} workers at most, {_WORKERS_FOR_A_CORE} a core")
    return text


_WORKERS_FOR_A_CORE = 8
"""Local workers, each with 100 MB or more of its own: beyond, they only wait for one another."""


class Choice(click.Choice[Any]):
    """A choice among the members of a `StrEnum`, written as their values."""

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:
        """Return how a member is written."""
        return str(choice)


PADDING = Word("PADDING", as_padding, tuple(PaddingWord))
NUMBER = Word("NUMBER", parse_number)
NUMBERS = Word("NUMBERS", lambda text: tuple(parse_number(word.strip()) for word in text.split(",")))
"""Numbers separated by commas."""


def _place_or_all(text: str) -> Pair | str:
    """Return (row, column) from `Y,X`, or `all`."""
    try:
        return text if text == ALL else _place(text)
    except LanguageError as error:
        raise LanguageError(f"{error}, or {ALL}") from error


PLACE = Word("Y,X", _place)


def _place_or_index(text: str) -> tuple[int, ...]:
    """Return (row, column) from `Y,X`, or (index,) from `K`."""
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return (int(text),)
    try:
        return _place(text)
    except LanguageError as error:
        raise LanguageError(f"{error}, or K, an index into a vector") from error


PLACE_OR_INDEX = Word("Y,X|K", _place_or_index)
PLACE_OR_ALL = Word("Y,X|all", _place_or_all, (ALL,))
FILE = click.Path(readable=False)
"""A name of a file, completed as one; whether it can be read or written is found out later."""

Decorator = Callable[[Any], Any]

inputs_argument = click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1)

SECTIONS = {
    "Network": ("--list", "--layout", "--weights", "--init", "--seed", "--input", "--save", "--top", "--labels"),
    "Kernel and window": (
        *(
            "--kernel",
            "--with",
            "--mode",
            "--size",
            "--outputs",
            "--stride",
            "--padding",
            "--dilation",
            "--border",
            "--flip",
        ),
        *("--normalize", "--channels", "--combine", "--ceil", "--count-include-pad", "--global", "--over"),
        *("--solve", "--target", "--ridge"),
    ),
    "Output": (
        *("--output", "--format", "--in-place", "--no-clobber", "--region", "--quality", "--compression"),
        *(
            "--peaks",
            "--shift",
            "--matrix",
            "--table",
            "--csv",
            "--markdown",
            "--explain",
            "--map",
            "--derivative",
            "--json",
            "--compare",
            "--batch",
            "--dtype",
        ),
    ),
    "Input": ("--page", "--resize", "--input-scale", "--mean", "--std", "--max-pixels", "--allow-truncated"),
    "Values": ("--bias", "--activation", "--linear", "--range", "--depth", "--background"),
    "Figures": (
        *(
            "--plot",
            "--image",
            "--fields",
            "--unit",
            "--figure-size",
            "--dpi",
            "--equalize",
            "--own-scales",
            "--colormap",
        ),
        *("--animate", "--around", "--fps"),
    ),
    "Many files": (
        *("--jobs", "--cluster", "--recursive", "--files-from", "--null", "--update", "--fail-fast", "--dry-run"),
        *("--report", "--depfile"),
    ),
    "Messages": ("--quiet", "--verbose", "--help"),
}
"""The sections of every command's help, and the options of each in the order in which help shows them."""

OWN_SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "augment": {"Copies": ("--copies", "--seed", "--with", "--with-output")},
    "train": {
        "Data": ("--target", "--split", "--dev", "--test", "--augment"),
        "Training": (
            *("--output", "--epochs", "--batch", "--rate", "--optimizer", "--loss", "--init", "--seed", "--resume"),
            *("--explain", "--json", "--report"),
        ),
    },
}
"""Sections of single commands, before the others."""


def describe_option(option: click.Option, ctx: click.Context) -> tuple[str, str]:
    """Return how help writes an option, and its text, which ends with its default."""
    written, _ = option.get_help_record(ctx) or ("", "")  # beside it Click's own notes, in another style
    is_shown = isinstance(option.default, str | float | int) and not option.is_flag
    default = f" Default: {option.default}." if is_shown else ""
    return written, f"{option.help}{' Required.' if option.required else default}"


_PADDING_HELP = "Pixels added around the image: a number, HxW, T/L/B/R, or valid (none), same, same-lower, half, full."
padding_option = click.option("-p", "--padding", type=PADDING, default="valid", help=_PADDING_HELP)
border_padding_option = click.option(
    "-p", "--padding", type=PADDING, help=f"{_PADDING_HELP} Default: valid, or same where a --border is given."
)
dilation_option = click.option(
    "-d", "--dilation", type=pair("dilation"), default="1", help="Distance between neighbouring pixels of a window."
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
        help="A file; a folder, which keeps the names; a template with {stem} {name} {ext} {parent} {index},"
        " {kernel}, {layer} or {copy} where there are several, {page} for a file for each page; or - for standard"
        " output. Missing folders are made. Without it matrices are printed.",
    ),
    click.option(
        "--format",
        "format_",
        metavar="SUFFIX",
        shell_complete=completing("format"),
        help="Format of the output, such as png, whatever its name.",
    ),
    click.option("--in-place", is_flag=True, help="Allow an output to replace its own input."),
    click.option(
        "--range",
        "range_",
        type=Choice(Range),
        help="How results are brought into the range of the file: clip, abs (magnitudes), scale (minimum and maximum"
        " become black and white), max (x / max|x|), offset (plus half the range), none (floats as they are)."
        " Default: clip; none for floats.",
    ),
    click.option(
        "--depth",
        type=Choice(Depth),
        help="Bits of a value in the output. Default: as the input; float for matrices.",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        metavar="N",
        help=f"1 to 100, for {name_formats_taking('quality')}. JPEG keeps colour at full resolution from"
        f" {FULL_CHROMA}; WebP is lossless at {LOSSLESS}. Default: 95; for AVIF that of the encoder.",
    ),
    click.option(
        "--compression",
        type=click.IntRange(0, 9),
        metavar="N",
        help=f"0 (fast) to 9 (small), for {name_formats_taking('compression')}.",
    ),
    click.option(
        "--background",
        type=Word("COLOUR", parse_colour),
        shell_complete=completing("colour"),
        help="Colour behind transparent images where the file or the network has no alpha: a CSS name, #rgb or"
        " #rrggbb.",
    ),
    click.option(
        "--region",
        type=Word("Y1:Y2,X1:X2", as_region),
        help="Keep a part of the result, as a numpy slice: counted from 0, negative numbers from the end, the second"
        " one not included, either may be left out. Values are those of the whole result, also under --range scale."
        " Printed without -o.",
    ),
    click.option(
        "--linear",
        is_flag=True,
        help="Filter linear light: decode sRGB first, encode the result. A blur of black and white gives 188, not 128."
        " All that filters acts on linear values, --range on the encoded ones; alpha is not changed. Float images"
        " are sRGB from 0 to 1; matrices are refused.",
    ),
    click.option(
        "--resize",
        type=pair("size"),
        help="Resize images first: area averages where they shrink, linear interpolation where they grow. One number"
        " makes them square.",
    ),
    click.option("--no-clobber", is_flag=True, help="Skip outputs that exist."),
    click.option("--fail-fast", is_flag=True, help="Start no further input after one that fails."),
    click.option("--allow-truncated", is_flag=True, help="Use what is left of a JPEG that is cut off or damaged."),
    click.option(
        "--page",
        type=click.IntRange(min=1),
        metavar="N",
        help="Read one page of a TIFF, or one frame of an animation. Default: all, or the first where the output"
        " holds one.",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1, 2**40 - 1),
        metavar="N",
        help="Refuse larger images, before they are decoded. Default: OPENCV_IO_MAX_IMAGE_PIXELS, or 2^30.",
    ),
    click.option("--dry-run", is_flag=True, help="Print each input, its outputs and their sizes; write nothing."),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of inputs processed in parallel, each on one core. Default: the number of cores. A single input"
        " uses all cores, or one with -j 1.",
    ),
    click.option(
        "--cluster",
        type=Word("ADDRESS|local[:N]", as_cluster, ("local", "tcp://")),
        help="Work on a Dask cluster instead: the address of its scheduler, such as tcp://host:8786, or local:N for N"
        " workers on this machine. `cnnfilter help scaling` says more.",
    ),
    click.option(
        "--update",
        is_flag=True,
        help="Skip outputs that are not older than their input, kernels, network, weights and labels. Options are not"
        " compared.",
    ),
    click.option(
        "-r",
        "--recursive",
        is_flag=True,
        help="Read the images in folders and below, except hidden ones, and keep their tree below the folder -o.",
    ),
    click.option(
        "--files-from", type=FILE, metavar="FILE", help="Read the names of inputs from a file, one a line, or from -."
    ),
    click.option("-0", "--null", is_flag=True, help="Names in --files-from end with NUL, as find -print0 writes them."),
    click.option(
        "--report", type=FILE, metavar="FILE", help="Write a line of JSON for each input; - is standard output."
    ),
    click.option("--depfile", type=FILE, metavar="FILE", help="Write what each output depends on, as rules for make."),
    click.option("-q", "--quiet", is_flag=True, help="No warnings, hints or progress; errors are still printed."),
    click.option("-v", "--verbose", is_flag=True, help="Say what is done to each input, and how."),
)
file_options = partial(add_options, _FILE_OPTIONS)


def plot_options(what: str) -> Decorator:
    """Return what adds the options of a figure to a command; `what` says what is drawn."""
    suffixes = "FILE is .png, .svg or .pdf; show opens a window."
    size = click.option(
        "--figure-size",
        type=Word("HxW", as_inches),
        help="Size of the figure in inches, such as 6x8.5. Default: what suits it.",
    )
    dpi = click.option(
        "--dpi", type=click.IntRange(10, 2400), metavar="N", help="Resolution of the figure, 10 to 2400. Default: 150."
    )
    plot = click.option("--plot", type=FILE, metavar="FILE|show", help=f"{what} {suffixes}")
    return partial(add_options, (plot, size, dpi))


NO_FIGURE = "--figure-size and --dpi are about a figure; --plot FILE asks for one"


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
            "Draw the input and the result side by side; several inputs need a template such as {stem}-plot.png."
            " Without -o nothing else is written."
        ),
        click.option("--equalize", is_flag=True, help="Spread the grey levels of the figure, to see more."),
        click.option("--own-scales", is_flag=True, help="Give each result of the figure a scale of its own."),
        click.option(
            "--colormap",
            metavar="NAME",
            shell_complete=completing("colormap"),
            help="Colours for maps in the figure: a name of matplotlib, such as viridis.",
        ),
    ),
)

view_options = partial(  # for commands that lay one window on the input
    add_options,
    (
        figure_options,
        click.option(
            "--explain",
            type=PLACE_OR_ALL,
            help="Print how the value in row Y, column X of the result is computed, counted from 0; with --plot it is"
            " drawn too. all: every value of a result of up to 32x32, or of a --region.",
        ),
        click.option(
            "--json", is_flag=True, help="Print what --explain says as JSON, a line for each kernel and value."
        ),
        click.option(
            "--animate",
            type=FILE,
            metavar="FILE",
            help="Show the window sliding over an input of up to 32x32: .gif, .webp or .png, 100 dpi unless --dpi says"
            " otherwise.",
        ),
        click.option("--around", type=PLACE, help="Animate about 12x12 pixels around this one of a larger input."),
        click.option(
            "--fps",
            type=click.FloatRange(0.1, 50),
            metavar="N",
            help="Windows a second of --animate, 0.1 to 50. Default: 3.",
        ),
    ),
)
