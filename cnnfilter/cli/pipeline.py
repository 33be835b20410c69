"""`cnnfilter pipeline`: a network of layers on images."""

from pathlib import Path
from typing import Any

import click

from cnnfilter.cli import Command, options
from cnnfilter.cli.batch import filter_files
from cnnfilter.cli.options import NUMBER, NUMBERS, PLACE_OR_INDEX, completing, figure_options
from cnnfilter.errors import LanguageError
from cnnfilter.exchange.documents import load_network
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.language import OPS
from cnnfilter.nn.layers import Function
from cnnfilter.nn.other_layers import ChannelMode, PoolMode
from cnnfilter.run.settings import Settings


class FileName(click.Path):
    """The name of a file, completed as one; whether it can be read is found out later."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; an empty name is a mistake."""
        if value == "":
            self.fail("the name is empty; a variable of the shell may be unset", param, ctx)
        return super().convert(value, param, ctx)


PATH = FileName(readable=False, path_type=Path)


@click.command(
    "pipeline",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter pipeline "gray conv:line-vertical:15 relu maxpool:10" photo.jpg --range scale -o map.png
  cnnfilter pipeline "dwconv:gaussian:9,same,border=edge 2x avgpool:2" photo.jpg -o quarter.jpg
  cnnfilter pipeline "gray cat(conv:sobel-x,same | conv:sobel-y,same) magnitude" photo.jpg -o edges.png
  cnnfilter pipeline "gray conv:line-vertical:15 maxpool:10" photo.jpg --plot layers.png
  cnnfilter pipeline "conv:7x7,6@c1 relu" photo.jpg --init he --save c1 --range scale -o maps/
  cnnfilter pipeline digits photo.jpg --resize 8x8 --top 3
  cnnfilter pipeline "gray conv:sobel-x relu maxpool:2" photo.jpg --explain 20,30
  cnnfilter pipeline "avgpool:8 gap flatten softmax" photo.jpg
""",
)
@click.argument("network", shell_complete=completing("network"))
@options.inputs_argument
@click.option(
    "--weights", type=PATH, metavar="FILE", help="Trained weights, .npz or .safetensors, matched by name or in order."
)
@click.option("--init", type=click.Choice(["he", "uniform"]), help="Random weights instead of trained ones.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The same seed gives the same --init.")
@click.option(
    "--save",
    multiple=True,
    metavar="NAME",
    help="Write the output of this layer instead of the network's, into the folder -o; one image for each map,"
    " unless there are 1 or 3. `all` writes every layer.",
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Print the N classes with the largest values.")
@click.option(
    "--explain",
    type=PLACE_OR_INDEX,
    help="Print how the value in row Y, column X of the result is computed, counted from 0, layer by layer back to the"
    " input: through a window by the value that won, or whose product is the largest. K is an index into a vector.",
)
@click.option(
    "--map",
    type=click.IntRange(min=0),
    metavar="K",
    help="Map of the value that --explain follows, from 0. Default: 0.",
)
@click.option("--json", is_flag=True, help="Print --top or --explain as JSON, a line for each input.")
@click.option("--labels", type=PATH, metavar="FILE", help="Names of the classes for --top, one a line.")
@click.option(
    "--input-scale",
    type=NUMBER,
    help="Multiply input values by this, such as 1/255. Default: as the network's file says, or 1.",
)
@click.option(
    "--mean",
    type=NUMBERS,
    metavar="M|R,G,B",
    help="Then subtract this, or one number for each channel. Default: 0.",
)
@click.option(
    "--std",
    type=NUMBERS,
    metavar="S|R,G,B",
    help="Then divide by this, or one number for each channel. Default: 1.",
)
@figure_options
@options.file_options
def command(
    network: str,
    inputs: tuple[str, ...],
    input_scale: float | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    **given: Any,
) -> None:
    """Run a NETWORK on images: text of the layer language, a known network, or a file (.toml .json .txt .onnx).

    An INPUT is an image file, a matrix (.txt .csv .tsv .npy), an array (.zarr), or - for standard input. A result
    that is a vector, or one value for each channel, is printed unless -o is given.

    Layers are words: conv:KERNEL,... sums over channels, dwconv:KERNEL,... filters each channel, conv:3x3,16
    takes its weights from --weights, as deconv:3x3,16,s2 does, its transpose; {pools}; {channels}; {functions};
    {others}.

    Options follow a colon: s2 stride, p1 padding (or same, half, full, valid), d2 dilation, g2 groups,
    bias=1 (or bias=[1 0], one for each output), nobias, border=edge, flip, normalize=sum, ceil, countpad;
    op1 output padding (deconv), bilinear (upsample), noaffine (norms), each (prelu).
    2x repeats the next layer; res(a b) adds its input, res(a | b) adds branches, cat(a | b) puts their
    channels side by side; @name gives a layer a name. `cnnfilter help language` explains all of it.
    """
    settings = Settings(**given)
    document = load_network(network, settings.resize, runs=True)
    if not document.network.layers:
        where = f"{document.name}: " if document.name else ""
        raise LanguageError(f"{where}the network has no layer, such as relu or maxpool:2")
    if settings.init and settings.weights:
        raise LanguageError("--init draws weights, and --weights reads them; leave one out")
    if settings.seed is not None and not settings.init:
        raise LanguageError("--seed belongs to --init he or --init uniform")
    if settings.labels and settings.top is None:
        raise LanguageError("--labels names the classes that --top N lists")
    if settings.top is not None and settings.save:
        raise LanguageError("--save writes layers, and --top prints the network's result; leave one out")
    changes = {"scale": input_scale, "mean": mean, "std": std}
    settings = settings._replace(
        weights=None if settings.init else settings.weights or document.weights,
        labels=settings.labels or document.labels,
        preparation=replace(
            document.preparation, **{key: value for key, value in changes.items() if value is not None}
        ),
        pipeline=True,
    )
    filter_files(inputs, [document.network], settings, document=document)


def _with_example(word: str) -> str:
    """Return a word for a layer with the option that it needs, if there is one."""
    return f"{word}:{OPS[word].example}" if OPS[word].example else word


_channels, _functions = [mode.op for mode in ChannelMode], list(Function)
_others = [word for word in OPS if not word.endswith(("conv", "pool")) and word not in {*_channels, *_functions}]
_pools = [_with_example(word) for word in OPS if word.startswith(("global", "adaptive"))]
command.help = str(command.help).format(
    pools=" ".join([*(f"{mode}pool:2" for mode in PoolMode), *_pools]),
    channels=" ".join(_channels),
    functions=" ".join(_functions),
    others=" ".join(map(_with_example, _others)),
)
