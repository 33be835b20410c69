"""`cnnfilter shape`: what comes out of each layer, counted without running any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cnnfilter.cli import Command, say
from cnnfilter.cli.options import PADDING, PLACE, completing, pair, plot_options, wanted_sheet
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.exchange.documents import load_network
from cnnfilter.log import warn
from cnnfilter.network_files import (
    MODEL_SUFFIX,
    Document,
    known_networks,
    names_document,
    naming,
    read_document,
    shape_of_kernel,
)
from cnnfilter.nn.geometry import LARGEST, NO_PADDING, Padding, Pair, Window, as_pair, show_pair
from cnnfilter.nn.language import LARGEST_COUNT, parse_network
from cnnfilter.nn.layers import Conv, KernelWord, Layout, Shape, as_shape, common_size, show_shape
from cnnfilter.nn.lint import (
    warn_about_borders,
    warn_about_input,
    warn_about_layouts,
    warn_about_sizes,
    warn_about_sums,
)
from cnnfilter.nn.network import Network, Visit
from cnnfilter.nn.summary import FLOAT_BYTES, FloatName, Summary, summarize
from cnnfilter.nn.tables import write_report
from cnnfilter.numbers import align, to_json

if TYPE_CHECKING:
    from cnnfilter.plot.sheet import Sheet


class OneLayer(NamedTuple):
    """The options that stand for one layer, by their names."""

    kernel: str | None = None
    outputs: int | None = None
    stride: Pair | None = None
    padding: Padding | None = None
    dilation: Pair | None = None

    def layer(self) -> Conv:
        """Return the convolution that they describe; its size is 1 where it was left out."""
        kernel = "1" if self.kernel is None else self.kernel
        is_size = re.fullmatch(r"\d+(x\d+)?", kernel, re.ASCII)
        bank: tuple[KernelWord, ...] = ()
        if not is_size:
            from cnnfilter.kernels.spec import list_kernels  # noqa: PLC0415  a size needs no kernel

            bank = tuple(KernelWord(word, shape_of_kernel(word)) for word in list_kernels(kernel))
        if not is_size and self.outputs is not None:
            raise LanguageError("the number of outputs follows from the kernel; leave --outputs out")
        size = as_pair(kernel, "kernel size") if is_size else common_size(bank)
        return Conv(
            window=Window(size, self.stride or (1, 1), self.padding or NO_PADDING, self.dilation or (1, 1)),
            kernels=bank,
            outputs=self.outputs or 1,
            learned_bias=bool(is_size),
        )


def list_networks(*, as_json: bool) -> str:
    """Return the input, the parameters and the source of each known network, as a table or an array of JSON."""
    records: list[dict[str, Any]] = []
    for name, path in known_networks().items():
        document = read_document(path)
        shape = document.input or ()
        comment = " ".join(line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# "))
        source = re.match(r".*?\b(19|20)\d\d\b", comment)  # to the year of its publication
        parameters = summarize(document.network, shape).totals.parameters
        records.append(
            {"name": name, "input": shape, "parameters": parameters, "source": source[0] if source else None}
        )
    if as_json:
        return "[" + ",\n ".join(map(to_json, records)) + "]"
    rows = [("network", "input", "parameters", "source")]
    for record in records:
        counts = show_shape(record["input"]), f"{record['parameters']:,}"
        rows.append((record["name"], *counts, record["source"] or ""))
    return "\n".join(align(rows, flush_right=(2,)))


@click.command(
    "shape",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter shape 224x224x3 conv:7x7,64,s2,p3 maxpool:3,s2,p1
  cnnfilter shape 56x56x64 "2x res(conv:3x3,64,p1,nobias+bn+relu conv:3x3,64,p1,nobias+bn)+relu"
  cnnfilter shape --list
  cnnfilter shape vgg16 --markdown
  cnnfilter shape 256 --kernel 7 --stride 2 --padding 3 --explain
  cnnfilter shape 224 --kernel 7 --padding 3 --solve stride --target 112
  cnnfilter shape 28x28 conv:5x5 --compare
  cnnfilter shape resnet50 --batch 32 --dtype float16
  cnnfilter shape photo.jpg squeezenet -q
  cnnfilter shape resnet18 --plot resnet18.svg
  cnnfilter shape photo.jpg alexnet --plot seen.png --fields --unit 5,5 -q
""",
)
@click.argument("words", metavar="[SIZE] [LAYER...]", nargs=-1, shell_complete=completing("network"))
@click.option("--list", "lists", is_flag=True, help="List the known networks, as a table or with --json.")
@click.option(
    "--layout",
    type=click.Choice(["hwc", "chw"]),
    default="hwc",
    help="How SIZE is written: HxWxC, or channels first, CxHxW.",
)
@click.option(
    "-k",
    "--kernel",
    metavar="KERNEL",
    shell_complete=completing("kernel"),
    help="One convolution instead of LAYERs: its size, 7 or 7x5, or a kernel such as sobel-x.",
)
@click.option("--outputs", type=click.IntRange(1, LARGEST_COUNT), metavar="N", help="Its outputs. Default: 1.")
@click.option("-s", "--stride", type=pair("stride"), help="Its stride. Default: 1.")
@click.option("-p", "--padding", type=PADDING, help="Its padding, such as 1, 1x2, same or full. Default: 0.")
@click.option("-d", "--dilation", type=pair("dilation"), help="Its dilation. Default: 1.")
@click.option(
    "--solve",
    type=click.Choice(["stride", "padding", "kernel", "dilation"]),
    help="Print the layers that give --target when this part is changed, smallest first; one number for both axes"
    " where possible. Exit status 1 if there is none.",
)
@click.option("--target", type=pair("target"), help="The wanted output size of --solve.")
@click.option(
    "--batch",
    type=click.IntRange(1, LARGEST_COUNT),
    metavar="N",
    help="Number of inputs of which the activations take memory. Default: 1.",
)
@click.option("--dtype", type=click.Choice(list(FLOAT_BYTES)), help="Type in which the network runs. Default: float32.")
@click.option("--compare", is_flag=True, help="Add what full and local connections would cost to each convolution.")
@click.option("--csv", "report", flag_value="csv", help="Print comma-separated values, every column.")
@click.option("--markdown", "report", flag_value="markdown", help="Print a Markdown table.")
@click.option("--json", "report", flag_value="json", help="Print JSON, which can be read back as a network file.")
@click.option("--explain", "report", flag_value="explain", help="Print the formulas with their numbers.")
@click.option("--table", "report", flag_value="table", help="Print a table (the default).")
@click.option("-q", "--quiet", is_flag=True, help="Print the last size alone; no warnings.")
@plot_options("Draw the network, its volumes to scale; nothing is printed unless a form such as --table is given.")
@click.option(
    "--fields",
    is_flag=True,
    help="With --plot, draw receptive fields: what a unit of each layer sees, as frames on the input, or on the image"
    " given as SIZE.",
)
@click.option(
    "--unit",
    type=PLACE,
    help="The unit of --fields, in the last layer that sees only a part of the input. Default: the middle one.",
)
def command(
    words: tuple[str, ...],
    lists: bool,
    layout: Layout,
    solve: str | None,
    target: Pair | None,
    batch: int | None,
    dtype: FloatName | None,
    compare: bool,
    report: str | None,
    quiet: bool,
    plot: str | None,
    figure_size: tuple[float, float] | None,
    dpi: int | None,
    fields: bool,
    unit: Pair | None,
    **layer_options: Any,
) -> None:
    """Print the output size, the weights and the receptive field of each LAYER for an input of SIZE.

    SIZE is HxW, HxWxC, N for a square, or an image file; known networks, and files that give their input,
    need none. LAYERs are words of the language, as for `cnnfilter pipeline`, the name of a known network,
    such as resnet18, or a network file. --kernel and the options beside it describe one layer.
    """
    sheet = wanted_sheet(plot, figure_size, dpi, inputs=words)
    tells_memory = report in {None, "table", "markdown", "json"} and not (solve or (sheet and not (report or compare)))
    refusals = {
        "--list prints the known networks, as a table or as JSON, and takes no SIZE or LAYER": lists
        and (words or sheet or report not in {None, "table", "json"}),
        "--unit needs --fields, which draws its receptive field": unit and not fields,
        "--fields needs --plot FILE, the figure to draw": fields and not sheet,
        "--solve prints layers, and cannot be combined with --plot": sheet and (solve or target),
        "--solve PART and --target HxW belong together": bool(solve) != bool(target),
        "--solve prints one layer a line; a table, another form of it and --compare do not apply": solve
        and (compare or report not in {None, "table"}),
        "--compare adds columns to a table, CSV, Markdown or JSON; --explain has none": compare and report == "explain",
        "--batch and --dtype need a table, Markdown or JSON, which say how much memory is taken": (batch or dtype)
        and not tells_memory,
    }
    for reason, applies in refusals.items():
        if applies:
            raise LanguageError(reason)
    if lists:
        click.echo(list_networks(as_json=report == "json"))
        return
    one = OneLayer(**layer_options)
    shape, document = read_words(words, one, layout, solve)
    with naming(document):
        if solve and target:
            keeps_stride = one.stride is not None or any(re.search(r"[:,]s\d", word) for word in words)
            print_solutions(document.network, shape, solve, target, keeps_stride=keeps_stride)
            return
        summary = summarize(document.network, shape, batch=batch or 1, dtype=dtype or "float32")
        if sheet and fields:
            draw_units(sheet, document, summary.visits, shape, unit, words[0] if names_image(words) else None)
        elif sheet:
            draw_volumes(sheet, document, summary)
        warn_about_network(document, summary)
        if sheet and not report and not compare:
            return
        if quiet and report in {None, "table"}:
            click.echo(show_shape(document.network.output(shape)))
        else:
            click.echo(write_report(summary, report or "table", compared=compare))


def read_words(words: tuple[str, ...], one: OneLayer, layout: Layout, solve: str | None) -> tuple[Shape, Document]:
    """Return the size and the network that the words mean; a `CnnFilterError` if they contradict each other."""
    size = _size(words, layout)
    layers = words[1:] if size else words
    is_described = one != OneLayer()
    if is_described and layers:
        raise LanguageError("--kernel and the options beside it describe one layer, and layers are given as well")
    if is_described and one.kernel is None and solve != "kernel":
        raise LanguageError("--kernel is missing, the size of the one layer that the options describe, such as 3")
    if layout != "hwc" and (size is None or "." in words[0]):
        raise LanguageError("--layout says how SIZE is written, and SIZE is missing")
    files = [word for word in layers if names_document(word)]
    if files and len(layers) > 1:
        raise LanguageError(f"{files[0]}: a network is given alone, or after SIZE")
    if is_described or (solve == "kernel" and not layers):
        document = Document(Network((one.layer(),)))
    elif files or (len(layers) == 1 and solve != "kernel"):
        document = load_network(layers[0], (size[0], size[1]) if size else None)
    else:
        sought = (LARGEST, LARGEST) if solve == "kernel" else None  # any padding fits into the largest window
        document = Document(parse_network(layers, shape_of_kernel, missing_size=sought))
    shape = size or document.input
    if shape is None:
        raise ShapeError("SIZE is missing, such as 224x224x3, or a network file that names its input")
    return shape, document


def _size(words: tuple[str, ...], layout: Layout) -> Shape | None:
    """Return the size in the first word, or the size of the image that it names."""
    if names_image(words):
        # Only the decoder knows an image's size for sure, turned as its EXIF says; nothing else here needs OpenCV.
        from cnnfilter.io.atomic import read_bytes  # noqa: PLC0415
        from cnnfilter.io.decode import decode_picture  # noqa: PLC0415

        image = decode_picture(read_bytes(words[0]), words[0])
        height, width, channels = (*image.pixels.shape, 1)[:3]
        return height, width, 3 if image.has_alpha else channels
    first = words[0] if words else ""
    is_size = re.match("[0-9-]", first) and not re.fullmatch(r"\d+x(\s.*)?", first, re.DOTALL)
    return as_shape(first, layout) if is_size and not names_document(first) else None


def names_image(words: tuple[str, ...]) -> bool:
    """Return whether the first word names an image or a matrix; a text alone is rather a network."""
    if not words or "." not in words[0] or words[0].endswith((".toml", ".json", MODEL_SUFFIX)):
        return False
    from cnnfilter.io.formats import FORMATS, READ_ONLY_SUFFIXES  # noqa: PLC0415  most sizes are numbers

    suffix = words[0][words[0].rfind(".") :].lower()
    is_known = suffix in FORMATS or suffix in READ_ONLY_SUFFIXES
    return is_known and ":" not in words[0] and not (len(words) == 1 and suffix == ".txt")


def warn_about_network(document: Document, summary: Summary) -> None:
    """Warn of what is right but probably not meant; sizes of a known network with its own input were meant."""
    if summary.input == document.input and document.path in known_networks().values():
        return
    visits = summary.visits
    warnings = [*warn_about_input(visits[0].inputs.shape if visits else ()), *warn_about_layouts(visits)]
    warnings += [*warn_about_borders(visits), *warn_about_sums(visits, _never_negative), *warn_about_sizes(visits)]
    for text in warnings:
        warn(text)


def _never_negative(word: str) -> bool:
    from cnnfilter.kernels.spec import never_negative  # noqa: PLC0415  most networks name no kernel

    return never_negative(word)


def print_solutions(network: Network, shape: Shape, part: str, target: Pair, *, keeps_stride: bool) -> None:
    """Print each layer that makes the target, or say that there is none, and leave with status 1."""
    from cnnfilter.nn.solve import OpenPart, solve  # noqa: PLC0415  only --solve needs it

    if len(network.layers) != 1:
        raise LanguageError(f"--solve needs one layer, and the network has {len(network.layers)}")
    solution = solve(network.layers[0], OpenPart(part), shape, target, keeps_stride=keeps_stride)
    for layer in solution.layers:
        click.echo(layer.text)
    if solution.more:
        warn(f"{solution.more:,} more pairs lead there")
    if solution.endless:
        warn(f"larger {part}s lead there as well, without end")
    if not solution.layers:
        sizes = [f"{layer.text} gives {show_shape(layer.output(shape)[:2])}" for layer in solution.nearest]
        near = f"; nearest: {', '.join(dict.fromkeys(sizes))}" if sizes else ""
        say(f"no {part} gives {show_pair(target)}{near}")
        click.get_current_context().exit(1)


def draw_volumes(sheet: Sheet, document: Document, summary: Summary) -> None:
    """Draw a network: its volumes, the layers between them."""
    # What draws loads matplotlib, when all that can be refused without it has been.
    from cnnfilter.plot.network_diagram import draw_network  # noqa: PLC0415
    from cnnfilter.plot.network_steps import Drawing, make_steps  # noqa: PLC0415
    from cnnfilter.plot.sheet import open_sheet  # noqa: PLC0415

    counts = f"{summary.totals.parameters:,} parameters, {summary.totals.macs:,} MACs"
    drawing = Drawing(make_steps(document.network, summary.input), summary.input, _title(document), counts)
    with open_sheet(sheet) as figure:
        draw_network(figure, sheet, drawing)


def draw_units(
    sheet: Sheet, document: Document, visits: Sequence[Visit], shape: Shape, unit: Pair | None, image: str | None
) -> None:
    """Draw what a unit of each layer sees, on an image if its path is given."""
    from cnnfilter.plot.input_regions import find_frames  # noqa: PLC0415  few commands draw

    found = find_frames(visits, unit)  # what it refuses is refused without matplotlib
    from cnnfilter.plot.receptive_field import Fields, draw_fields, read_backdrop  # noqa: PLC0415
    from cnnfilter.plot.sheet import open_sheet  # noqa: PLC0415

    backdrop = read_backdrop(image) if image else None
    with open_sheet(sheet) as figure:
        draw_fields(figure, sheet, Fields(found, (shape[0], shape[1]), backdrop, _title(document)))


def _title(document: Document) -> str:
    return document.path.name if document.path else str(document.network)
