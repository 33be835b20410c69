"""`cnnfilter pool`: one value for each window."""

from typing import Any

import click
from click.core import ParameterSource

from cnnfilter.cli import Command, options
from cnnfilter.cli.batch import filter_files
from cnnfilter.cli.options import pair, view_options
from cnnfilter.errors import LanguageError
from cnnfilter.nn.geometry import Padding, Pair, Window
from cnnfilter.nn.layers import Layer
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode
from cnnfilter.run.settings import Settings

WINDOW_OPTIONS = ("size", "stride", "padding", "dilation", "ceil", "count_include_pad")


*_most, _last = (mode.row.gives for mode in PoolMode)
_MODES = f"{', '.join(_most)}, or {_last}.".capitalize()
"""What each mode gives, in a sentence."""


@click.command(
    "pool",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter pool photo.jpg --mode avg --size 4 -o small.jpg
  cnnfilter pool photo.jpg --mode median --size 3 --stride 1 --padding 1 -o clean.jpg
  cnnfilter pool photo.jpg --mode max --over channels -o brightest.png
  cnnfilter pool photo.jpg --mode avg --global
  cnnfilter pool photo.jpg --explain 10,20
""",
)
@options.inputs_argument
@click.option("-m", "--mode", type=options.Choice(PoolMode), default="max", help=_MODES)
@click.option("--size", type=pair("size"), default="2", help="Size of the window.")
@click.option("-s", "--stride", type=pair("stride"), help="Pixels between windows. Default: the size.")
@options.padding_option
@options.dilation_option
@click.option("--ceil", is_flag=True, help="Round sizes up: the last window may reach beyond the image.")
@click.option("--count-include-pad", is_flag=True, help="Count padding in averages, as PyTorch's AvgPool2d does.")
@click.option("--global", "global_", is_flag=True, help="One value for each channel (max, avg).")
@click.option(
    "--over",
    type=click.Choice(["space", "channels"]),
    default="space",
    help="Pool over windows, or over the channels of each pixel (max, avg).",
)
@view_options
@options.file_options
def command(
    inputs: tuple[str, ...],
    mode: PoolMode,
    size: Pair,
    stride: Pair | None,
    padding: Padding,
    dilation: Pair,
    ceil: bool,
    count_include_pad: bool,
    global_: bool,
    over: str,
    **given: Any,
) -> None:
    """Reduce images: take one value from each window.

    An INPUT is an image file, a matrix (.txt .csv .tsv .npy), an array (.zarr), or - for standard input.

    Padding is never the maximum, and averages divide by the number of real pixels in the window.
    """
    layer: Layer
    if global_ and over == "channels":
        raise LanguageError("--global and --over channels cannot be combined")
    if global_ or over == "channels":
        if not mode.row.unbounded:
            raise LanguageError(f"{'--global' if global_ else '--over channels'} takes --mode max or avg, not {mode}")
        layer = GlobalPool(mode=mode) if global_ else ChannelPool(mode=ChannelMode(mode))
        for name in WINDOW_OPTIONS:
            if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise LanguageError(f"{layer.op} has no window, so --{name.replace('_', '-')} cannot be given")
    else:
        window = Window(size, stride or size, padding, dilation, ceil)
        layer = Pool(mode=mode, window=window, count_include_pad=count_include_pad)
    filter_files(inputs, [Network((layer,), words=f"{mode} pool")], Settings(**given))
