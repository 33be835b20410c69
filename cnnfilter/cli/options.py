"""The vocabulary of options: each stands here once, with the words and types that all commands use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import Any, TypeVar

import click

from cnnfilter.cli.words import PADDING, KernelWordType, Word, pair
from cnnfilter.files.formats import Depth, Range, name_formats_taking
from cnnfilter.spec.borders import BorderMode, as_border
from cnnfilter.work import Settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


BORDER = Word("border", as_border, tuple(mode for mode in BorderMode if mode is not BorderMode.CONSTANT))


class Choice(click.Choice[Any]):
    """A choice among the members of a `StrEnum`, written as their values."""

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:
        """Return how a member is written."""
        return str(choice)


FILE = click.Path(readable=False)
"""A name of a file, completed as one; whether it can be read or written is found out later."""

inputs_argument = click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1)

kernel_option = click.option(
    "-k",
    "--kernel",
    "kernels",
    type=KernelWordType(),
    multiple=True,
    required=True,
    help="A name (`cnnfilter kernels` lists them), a file, or the matrix itself, such as"
    ' "0 -1 0; -1 5 -1; 0 -1 0". Several give a result each, unless combined.',
)
stride_option = click.option(
    "-s",
    "--stride",
    type=pair("stride"),
    metavar="N|HxW",
    default="1",
    show_default=True,
    help="Pixels between windows.",
)
padding_option = click.option(
    "-p",
    "--padding",
    type=PADDING,
    default="valid",
    show_default=True,
    help="Pixels added: a number, HxW, T/L/B/R, or valid, same, same-lower, half, full.",
)
dilation_option = click.option(
    "-d",
    "--dilation",
    type=pair("dilation"),
    metavar="N|HxW",
    default="1",
    show_default=True,
    help="Pixels between the pixels under neighbouring weights.",
)
border_option = click.option(
    "--border",
    type=BORDER,
    default="zero",
    show_default=True,
    help="What padding holds: zero, edge, reflect, symmetric, wrap, constant:V.",
)

_FILE_OPTIONS = (
    click.option(
        "-o",
        "--output",
        type=FILE,
        metavar="OUTPUT",
        help="A file, a folder, a template with {stem} {name} {ext} {index} and {kernel} or {layer} where there are"
        " several, or - for standard output. Matrices are printed without it.",
    ),
    click.option("--format", "format_", metavar="SUFFIX", help="Format of the output, such as png; - needs it."),
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
    click.option("--quality", type=click.IntRange(1, 100), help=f"Of {name_formats_taking('quality')}."),
    click.option(
        "--compression", type=click.IntRange(0, 9), help=f"Of {name_formats_taking('compression')}, from fast to small."
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
    click.option("-q", "--quiet", is_flag=True, help="No remarks; failures are still named."),
    click.option("-v", "--verbose", is_flag=True, help="Say what is done to each input, and how."),
)


def add_options(given: Sequence[Callable[[Any], Any]]) -> Callable[[Decorated], Decorated]:
    """Return what adds options to a command, in their order."""
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(given), command)


def file_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that writes files; all that `Settings` has fields for arrive as `settings`."""

    @wraps(command)
    def gather(*words: Any, **given: Any) -> None:
        shared = {name: given.pop(name) for name in Settings._fields if name in given}
        command(*words, **given, settings=Settings(**shared))

    return add_options(_FILE_OPTIONS)(gather)
