"""`cnnfilter shape`: what comes out of each layer, counted without running any."""

import re

import click

from cnnfilter.cli.base import Command, Console
from cnnfilter.cli.tables import align
from cnnfilter.errors import ShapeError
from cnnfilter.kernels import kernel_shape, never_negative
from cnnfilter.spec.language import parse_network
from cnnfilter.spec.layers import Shape, show_shape
from cnnfilter.spec.printing import show_padding
from cnnfilter.spec.summary import Row, Summary, remarks, remarks_on_sums, summarize


def parse_size(text: str) -> Shape:
    """Return (height, width, channels) from `HxW`, `HxWxC`, or `N` for a square.

    Examples
    --------
    >>> parse_size("224x224x3"), parse_size("28")
    ((224, 224, 3), (28, 28, 1))
    """
    if not re.fullmatch(r"\d{1,9}(x\d{1,9}){0,2}", text, re.ASCII):
        raise ShapeError(f"size {text!r} is neither HxW nor HxWxC, such as 28x28 or 224x224x3")
    sizes = [int(number) for number in text.split("x")]
    if min(sizes) < 1:
        raise ShapeError(f"size {text!r} has a 0; height, width and channels are at least 1")
    height, width, channels = [*sizes * 2, 1][:3] if len(sizes) == 1 else [*sizes, 1][:3]
    return height, width, channels


@click.command(
    "shape",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter shape 224x224x3 conv:7x7,64,s2,p3 maxpool:3,s2,p1
  cnnfilter shape 32x32x3 conv:5x5,8 maxpool:2 conv:5x5,16 maxpool:2 flatten fc:120 fc:84 fc:10
  cnnfilter shape 28x28 conv:sobel-x,sobel-y,same magnitude
""",
)
@click.argument("size")
@click.argument("layers", nargs=-1)
@click.option("-q", "--quiet", is_flag=True, help="Print the last size alone.")
def command(size: str, layers: tuple[str, ...], *, quiet: bool) -> None:
    """Print the size, the weights and the multiplications of each LAYER for an input of SIZE.

    SIZE is HxW, HxWxC, or N for a square. Layers are written as for `cnnfilter pipeline`; conv:3x3,16
    has no kernels yet, and 16 outputs.
    """
    shape = parse_size(size)
    network = parse_network(layers, kernel_shape)
    summary = summarize(network, shape)
    console = Console(quiet=quiet)
    for remark in [*remarks(network, shape), *remarks_on_sums(network, shape, never_negative)]:
        console.remark(remark)
    click.echo(_last_size(summary) if quiet else _table(summary))


def _last_size(summary: Summary) -> str:
    return show_shape(summary.rows[-1].output if summary.rows else summary.input)


def _table(summary: Summary) -> str:
    rows = [("", "input", "", show_shape(summary.input), "", "")]
    rows += [
        (str(number), row.name, _text(row), show_shape(row.output), f"{row.parameters:,}", f"{row.macs:,}")
        for number, row in enumerate(summary.rows, 1)
    ]
    totals = summary.totals
    head = ("#", "name", "layer", "output", "parameters", "MACs")
    statistics = f", {totals.statistics:,} statistics of batchnorm apart" if totals.statistics else ""
    return "\n".join(
        [
            *align([head, *rows], flush_right=(0, 4, 5)),
            f"{totals.parameters:,} parameters{statistics}; "
            f"{totals.macs:,} MACs (weights of conv and linear), {totals.flops:,} FLOPs",
        ]
    )


def _text(row: Row) -> str:
    """Return the layer, and the pixels that a word for padding came to."""
    if row.padding is None or not any(row.padding):
        return row.text
    return f"{row.text} (padding {show_padding(row.padding)})"
