"""`cnnfilter shape`: what comes out of each layer, counted without running any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cnnfilter.cli.console import Command, Console, told_log
from cnnfilter.cli.options import PADDING, PLACE, KernelWordType, pair, plot_options, wanted_sheet
from cnnfilter.cli.tables import Report, draw_units, draw_volumes, names_picture, show_last_size, write_report
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.network_files import Document, load_document, names_document, naming, shape_of_kernel
from cnnfilter.nn.geometry import NO_PADDING, Padding, Pair, Window, as_pair, show_pair
from cnnfilter.nn.language import LARGEST_COUNT, parse_network
from cnnfilter.nn.layers import Conv, KernelWord, Layer, Layout, Shape, as_shape, show_shape
from cnnfilter.nn.lint import remark_on_borders, remark_on_sizes, remark_on_sums
from cnnfilter.nn.network import Network, Visit
from cnnfilter.nn.summary import Summary, summarize

if TYPE_CHECKING:
    from cnnfilter.nn.solve import OpenPart


SOUGHT = 99_991
"""The size that stands for one that is sought: nobody means it."""


class OneLayer(NamedTuple):
    """The options that stand for one layer, by their names."""

    kernel: str | None
    outputs: int | None
    stride: Pair | None
    padding: Padding | None
    dilation: Pair | None

    @property
    def given(self) -> bool:
        """Whether any was."""
        return any(value is not None for value in self)

    def layer(self) -> Conv:
        """Return the convolution that they describe; its size is 1 where it was left out."""
        is_size = self.kernel is None or re.fullmatch(r"\d+(x\d+)?", self.kernel, re.ASCII)
        words = () if is_size else (KernelWord(str(self.kernel), shape_of_kernel(str(self.kernel))),)
        size = (words[0].shape[0], words[0].shape[1]) if words else as_pair(self.kernel or "1", "kernel size")
        if words and self.outputs is not None:
            raise LanguageError("the number of outputs follows from the kernel; leave --outputs out")
        return Conv(
            window=Window(size, self.stride or (1, 1), self.padding or NO_PADDING, self.dilation or (1, 1)),
            kernels=words,
            outputs=self.outputs or 1,
            learned_bias=not words,
        )


class Answer(NamedTuple):
    """What is asked of the network."""

    layout: str
    report: str | None
    compare: bool
    solve: str | None
    target: Pair | None
    quiet: bool
    fields: bool
    unit: Pair | None


@click.command(
    "shape",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter shape 224x224x3 conv:7x7,64,s2,p3 maxpool:3,s2,p1
  cnnfilter shape 56x56x64 "2x res(conv:3x3,64,p1,nobias+bn+relu conv:3x3,64,p1,nobias+bn)+relu"
  cnnfilter shape samples/vgg16.toml --markdown
  cnnfilter shape 256 --kernel 7 --stride 2 --padding 3 --explain
  cnnfilter shape 224 --kernel 7 --padding 3 --solve stride --target 112
  cnnfilter shape 28x28 conv:5x5 --compare
  cnnfilter shape samples/city.png samples/squeezenet.toml -q
  cnnfilter shape samples/resnet18.toml --plot resnet18.svg
  cnnfilter shape samples/city.png samples/alexnet.toml --plot seen.png --fields --unit 5,9 -q
""",
)
@click.argument("words", metavar="[SIZE] [LAYER...]", nargs=-1)
@click.option(
    "--layout",
    type=click.Choice([str(layout) for layout in Layout]),
    default="hwc",
    show_default=True,
    help="How SIZE is written: HxWxC, or channels first, CxHxW.",
)
@click.option(
    "-k",
    "--kernel",
    type=KernelWordType(),
    help="One convolution: its kernel's size, 7 or 7x5, or a kernel such as sobel-x.",
)
@click.option("--outputs", type=click.IntRange(1, LARGEST_COUNT), help="Its number of outputs. Default: 1.")
@click.option("-s", "--stride", type=pair("stride"), metavar="N|HxW", help="Its stride. Default: 1.")
@click.option("-p", "--padding", type=PADDING, help="Its padding: a number, HxW, T/L/B/R, same, half, full.")
@click.option("-d", "--dilation", type=pair("dilation"), metavar="N|HxW", help="Its dilation. Default: 1.")
@click.option(
    "--solve",
    type=click.Choice(["stride", "padding", "kernel", "dilation"]),
    help="Print the layers that differ in this part and make --target, smallest first; one number for both axes"
    " where one will do. Status 1 if there is none.",
)
@click.option("--target", type=pair("target"), metavar="N|HxW", help="The size that shall come out.")
@click.option("--compare", is_flag=True, help="Beside each convolution, what full and local connections would cost.")
@click.option("--csv", "report", flag_value="csv", help="As comma-separated values, every column.")
@click.option("--markdown", "report", flag_value="markdown", help="As a Markdown table.")
@click.option("--json", "report", flag_value="json", help="As JSON, which is read back as a network file.")
@click.option("--explain", "report", flag_value="explain", help="As formulas, with their numbers put in.")
@click.option("--table", "report", flag_value="table", help="As a table (the default).")
@click.option("-q", "--quiet", is_flag=True, help="The last size alone, or with another form no remarks.")
@plot_options("Draw the network, its volumes to scale; a table or another form is printed beside it only if asked for.")
@click.option(
    "--fields",
    is_flag=True,
    help="With --plot, draw receptive fields instead: what a unit of each layer sees, as frames on the input, or on the"
    " image that SIZE names.",
)
@click.option(
    "--unit",
    type=PLACE,
    metavar="Y,X",
    help="The unit of --fields, in the last layer that sees a part of the input; before it the units under its middle"
    " are taken. Default: the middle one.",
)
def command(words: tuple[str, ...], **given: Any) -> None:
    """Print what comes out of each LAYER for an input of SIZE: its size, weights, and what it sees.

    SIZE is HxW, HxWxC, N for a square, or an image whose size it is; a network file that names its
    input needs none. Layers are words of the language, as for `cnnfilter pipeline`, or a network file;
    --kernel and the options beside it describe one layer.
    """
    one = OneLayer(**{name: given.pop(name) for name in OneLayer._fields})
    sheet = wanted_sheet(given.pop("plot"), given.pop("figure_size"), given.pop("dpi"), inputs=words)
    answer = Answer(**given)
    check_plot(answer, is_wanted=sheet is not None)
    shape, document = read_words(words, one, Layout(answer.layout), solving=answer.solve)
    console = Console(quiet=answer.quiet)
    if answer.compare and answer.report == Report.EXPLAIN:
        raise LanguageError("--compare adds columns to a table, CSV, Markdown or JSON; --explain has none")
    with naming(document):
        if answer.solve or answer.target:
            says_stride = one.stride is not None or any(re.search(r"[:,]s\d", word) for word in words)
            print_solutions(document.network, shape, answer, console, keeps_stride=says_stride)
            return
        if sheet:
            picture = words[0] if names_picture(words) else None
            if answer.fields:
                draw_units(sheet, document, shape, answer.unit, picture)
            else:
                with told_log(verbose=False, quiet=answer.quiet):
                    draw_volumes(sheet, document, shape)
        if sheet is None or answer.report or answer.compare:
            print_summary(document.network, shape, answer, console)
        elif not answer.quiet:
            tell_remarks(document.network.visits(shape), console)


def check_plot(answer: Answer, *, is_wanted: bool) -> None:
    """Raise a `LanguageError` if what is asked of a figure goes with none, or with another one."""
    if answer.unit and not answer.fields:
        raise LanguageError("--unit is one of those whose receptive fields --fields draws")
    if answer.fields and not is_wanted:
        raise LanguageError("--fields draws receptive fields; --plot FILE asks for the figure")
    if is_wanted and (answer.solve or answer.target):
        raise LanguageError("--solve prints layers, and --plot draws a network")


def read_words(words: tuple[str, ...], one: OneLayer, layout: Layout, solving: str | None) -> tuple[Shape, Document]:
    """Return the size and the network that the words mean.

    Raises
    ------
    CnnFilterError
        If a word is wrong, layers are given in two ways, or no size is.
    """
    size = _size(words, layout)
    layers = words[1:] if size else words
    if one.given and layers:
        raise LanguageError("--kernel and the options beside it describe one layer, and layers are given as well")
    if one.given and one.kernel is None and solving != "kernel":
        raise LanguageError("--kernel is missing, the size of the one layer that the options describe, such as 3")
    if layout is not Layout.HWC and (size is None or "." in words[0]):
        raise LanguageError("--layout tells how SIZE is written, and no SIZE is")
    alone = one.given or (solving == "kernel" and not layers)
    document = Document(Network((one.layer(),))) if alone else _document(layers, solving)
    shape = size or document.input
    if shape is None:
        raise ShapeError("SIZE is missing, such as 224x224x3, or a network file that names its input")
    return shape, document


def _size(words: tuple[str, ...], layout: Layout) -> Shape | None:
    """Return the size that the first word is, or that the picture has which it names."""
    if not words:
        return None
    first = words[0]
    if names_picture(words):
        return _size_of_picture(first)
    is_size = first[:1] in set("0123456789-") and not re.fullmatch(r"\d+x|\d+x\s.*", first, re.DOTALL)
    return as_shape(first, layout) if is_size and not names_document(first) else None


def _size_of_picture(path: str) -> Shape:
    # Only the decoder knows a picture's size for sure, turned as its EXIF says; nothing else here needs OpenCV.
    from cnnfilter.io.decode import decode_picture, read_bytes  # noqa: PLC0415
    from cnnfilter.io.formats import is_matrix  # noqa: PLC0415

    picture = decode_picture(read_bytes(path), path, matrix=is_matrix(path))
    height, width, channels = (*picture.pixels.shape, 1)[:3]
    return height, width, 3 if picture.has_alpha else channels


def _document(layers: tuple[str, ...], solving: str | None) -> Document:
    """Return the network of the words, or that of the file that they name."""
    if len(layers) > 1 and (files := [word for word in layers if names_document(word)]):
        raise LanguageError(f"{files[0]}: a network file stands by itself, or behind SIZE")
    if len(layers) == 1:
        try:
            return load_document(layers[0])
        except LanguageError:
            if solving != "kernel":
                raise
            return load_document(f"{layers[0]}{',' if ':' in layers[0] else ':'}{SOUGHT}x{SOUGHT}")
    return Document(parse_network(layers, shape_of_kernel))


def print_summary(network: Network, shape: Shape, answer: Answer, console: Console) -> None:
    """Print the table of a network, or the form of it that was asked for."""
    visits = network.visits(shape)
    summary = summarize(network, shape, visits)
    if not answer.quiet:
        tell_remarks(visits, console)
    report = Report(answer.report or Report.TABLE)
    if answer.quiet and report is Report.TABLE:
        click.echo(show_last_size(summary))
        return
    click.echo(write_report(summary, network, report, _comparisons(network, summary) if answer.compare else ()))


def tell_remarks(visits: Sequence[Visit], console: Console) -> None:
    """Say what is right but perhaps not meant so."""
    for remark in [*remark_on_borders(visits), *remark_on_sums(visits, _never_negative), *remark_on_sizes(visits)]:
        console.remark(remark)


def _never_negative(word: str) -> bool:
    from cnnfilter.kernels.spec import never_negative  # noqa: PLC0415  most networks name no kernel

    return never_negative(word)


def _comparisons(network: Network, summary: Summary) -> Any:
    from cnnfilter.nn.summary import compare  # noqa: PLC0415  only --compare needs it

    return [compare(visit) for visit in network.visits(summary.input)]


def print_solutions(network: Network, shape: Shape, answer: Answer, console: Console, *, keeps_stride: bool) -> None:
    """Print each layer that makes the target, or say that there is none, and leave with status 1."""
    from cnnfilter.nn.solve import OpenPart, solve  # noqa: PLC0415  only --solve needs it

    if not answer.solve or not answer.target:
        raise LanguageError("--solve PART and --target HxW belong together")
    if answer.compare or answer.report not in {None, Report.TABLE}:
        raise LanguageError("--solve prints layers, a line each, and neither a table nor another form of it")
    if len(network.layers) != 1:
        raise LanguageError(f"--solve needs one layer, and the network has {len(network.layers)}")
    part, layer = OpenPart(answer.solve), network.layers[0]
    solution = solve(layer, part, shape, answer.target, keeps_stride=keeps_stride)
    for found in solution.layers:
        click.echo(found.text)
    if solution.more:
        console.remark(f"{solution.more:,} more pairs lead there")
    if solution.endless:
        console.remark(f"larger {part}s lead there as well, without end")
    if not solution.layers:
        console.failure(_nothing_found(part, solution.nearest, shape, answer.target))
        click.get_current_context().exit(1)


def _nothing_found(part: OpenPart, nearest: tuple[Layer, ...], shape: Shape, target: Pair) -> str:
    sizes = [f"{layer.text} gives {show_shape(layer.output(shape)[:2])}" for layer in nearest]
    near = f"; nearest: {', '.join(dict.fromkeys(sizes))}" if sizes else ""
    return f"no {part} gives {show_pair(target)}{near}"
