"""`cnnfilter correlate`: how alike an image and a pattern are, shift by shift."""

from typing import Any

import click

from cnnfilter.cli import Command, options
from cnnfilter.cli.batch import filter_files
from cnnfilter.cli.options import FILE, figure_options
from cnnfilter.errors import LanguageError
from cnnfilter.io.formats import Range
from cnnfilter.nn.correlation import Correlation, Overlap, Pattern, Similarity
from cnnfilter.nn.network import Network
from cnnfilter.run.settings import Settings


@click.command(
    "correlate",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter correlate photo.jpg --with patch.png --peaks 3
  cnnfilter correlate photo.jpg --with patch.png --normalize ncc -o likeness.png
  cnnfilter correlate photo.jpg --with second.jpg --shift
  cnnfilter correlate photo.jpg --normalize mean -o autocorrelation.png
  cnnfilter correlate photo.jpg --with patch.png --normalize ncc --plot found.png
""",
)
@options.inputs_argument
@click.option(
    "--with",
    "with_",
    type=FILE,
    metavar="FILE",
    help="The pattern: an image, or a matrix where the input is one. Default: the input itself (autocorrelation).",
)
@click.option(
    "--normalize",
    "similarity",
    type=options.Choice(Similarity),
    help="mean subtracts the mean of each; ncc is the normalised coefficient of each overlap, -1 to 1 (0 where one is"
    " flat, or covers less than half of the pattern); phase keeps the phase of each frequency alone. Default: none;"
    " ncc for --peaks; phase for --shift.",
)
@click.option(
    "--mode",
    type=options.Choice(Overlap),
    help="full: every shift with an overlap. same: as many values as the input has. valid: the pattern stays within the"
    " input. Default: full; valid for --peaks and ncc where the pattern is smaller than the input.",
)
@click.option(
    "--peaks",
    type=click.IntRange(min=1),
    metavar="N",
    help="Print the N highest peaks, one a line: dy dx value. None is within 3 pixels of a higher one.",
)
@click.option("--shift", is_flag=True, help="Print how far the input is shifted against the pattern: dy dx, in pixels.")
@click.option("--json", is_flag=True, help="Print --peaks or --shift as JSON, a line for each input.")
@figure_options
@options.file_options
def command(
    inputs: tuple[str, ...],
    with_: str | None,
    similarity: Similarity | None,
    mode: Overlap | None,
    **given: Any,
) -> None:
    """Compare images with a pattern, shift by shift.

    An INPUT is an image file, a matrix (.txt .csv .tsv .npy), or - for standard input. Colours are made grey
    first (0.299 R + 0.587 G + 0.114 B). A matrix of one row is a signal.

    The value of shift (dy, dx) is r = sum of a[y + dy, x + dx] b[y, x], with the input a and the pattern b: what
    `convolve` gives when b is the kernel. A peak at dy dx says that the first pixel of the pattern is on
    row dy, column dx of the input. Images show r from its least (black) to its greatest value (white).
    """
    settings = Settings(**given, usual_range=Range.SCALE)
    if settings.shift and settings.peaks is not None:
        raise LanguageError("--shift and --peaks compare in different ways; they go one at a time")
    if settings.shift and not with_:
        raise LanguageError("--shift needs --with FILE, against which the input is shifted")
    if settings.shift and mode not in {None, Overlap.FULL}:
        raise LanguageError(f"--shift looks at every shift, and --mode {mode} leaves some out")
    if settings.json and not settings.lists:
        raise LanguageError("--json needs --peaks N or --shift, whose result it prints")
    if similarity is None:
        similarity = Similarity.PHASE if settings.shift else Similarity.NCC if settings.lists else Similarity.NONE
    if mode is None and (settings.shift or not (settings.lists or similarity is Similarity.NCC)):
        mode = Overlap.FULL
    layer = Correlation(pattern=_read(with_) if with_ else None, mode=mode, similarity=similarity)
    filter_files(inputs, [Network((layer,))], settings)


def _read(path: str) -> Pattern:
    """Return what is known of a pattern before an input is correlated with it."""
    from cnnfilter.compute.correlate import read_pattern  # noqa: PLC0415  a usage error goes without numpy

    return read_pattern(path)[1]


_LEFT_OUT = {"linear", "own_scales"}
"""Options of other commands: the result is no light, and each part of the figure has a scale of its own anyway."""

command.params = [option for option in command.params if option.name not in _LEFT_OUT]
for _option in command.params:
    if isinstance(_option, click.Option) and _option.name == "range_":
        _option.help = str(_option.help).replace("Default: clip", "Default: scale")
