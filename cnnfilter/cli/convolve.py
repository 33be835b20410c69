"""`cnnfilter convolve`: kernels on images."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from cnnfilter.cli import Command, options
from cnnfilter.cli.batch import filter_files
from cnnfilter.cli.options import NUMBERS, Word, completing, pair, view_options
from cnnfilter.errors import LanguageError
from cnnfilter.kernels.spec import is_name, kernel_shape, list_kernels, recognize
from cnnfilter.nn.geometry import Border, BorderMode, Padding, Pair, Window, as_border, default_padding
from cnnfilter.nn.layers import Conv, DepthwiseConv, Function, KernelWord, Layer, Normalization, common_size, show_shape
from cnnfilter.nn.network import Network
from cnnfilter.numbers import count
from cnnfilter.run.settings import Settings

COMBINATIONS = {"magnitude": "magnitude", "max": "max", "sum": "sum", "mean": "avg"}
"""What --combine can be, and the mode of the `ChannelPool` that it stands for."""


def parse_activation(text: str) -> tuple[Layer, ...]:
    """Return the activations that a text of the language names, such as `relu` or `leakyrelu:0.1`."""
    from cnnfilter.nn.language import parse_network  # noqa: PLC0415  a kernel alone needs no language

    layers = parse_network(text, kernel_shape).layers
    if not layers or not all(layer.op in list(Function) for layer in layers):
        raise LanguageError(f"{text!r} is not an activation, such as {', '.join(Function)}")
    return layers


def read_kernels(values: Sequence[str], inputs: Sequence[str]) -> tuple[KernelWord, ...]:
    """Return the kernels of all -k, of which one is needed; a `LanguageError` if an input is the name of a kernel."""
    for word in inputs:
        if is_name(word) and not Path(word).exists():
            raise LanguageError(f"{word} is a kernel, not a file; each kernel needs a -k: -k {word}")
    if not values:
        raise click.MissingParameter(param_hint="'-k' / '--kernel'", param_type="option")
    return tuple(KernelWord(word, kernel_shape(word)) for value in values for word in list_kernels(value))


def share_biases(biases: tuple[float, ...], kernels: Sequence[KernelWord]) -> list[tuple[float, ...]]:
    """Return the biases for each kernel, one or as many as its maps; a `LanguageError` if they do not fit all kernels.

    Examples
    --------
    >>> share_biases((1, 0, 2), [KernelWord("box:3", (3, 3)), KernelWord("bank.npy", (3, 3, 1, 2))])
    [(1,), (0, 2)]
    """
    if len(biases) == 1:
        return [biases] * len(kernels)
    maps = [kernel.maps for kernel in kernels]
    if len(biases) != sum(maps):
        noun, of = ("kernel", "") if sum(maps) == len(maps) else ("output", " of kernels (kh, kw, in, out)")
        given, wanted = count(len(biases), "number"), count(sum(maps), noun) + of
        raise LanguageError(f"--bias has {given}, for {wanted}; give one number, or one for each {noun}")
    each = iter(biases)
    return [tuple(islice(each, number)) for number in maps]


def name_results(kernels: Sequence[KernelWord]) -> tuple[str, ...]:
    """Return the names that the results of kernels have in templates."""
    is_matrix = [isinstance(recognize(kernel.text), str) for kernel in kernels]
    return tuple(f"kernel{place}" if is_matrix[place - 1] else word.text for place, word in enumerate(kernels, 1))


@click.command(
    "convolve",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter convolve photo.jpg -k sharpen --border edge -o sharp.jpg
  cnnfilter convolve photo.jpg -k gaussian:15:2.5 --border edge -o soft.jpg
  cnnfilter convolve photo.jpg -k sharpen --border edge --channels luma --resize 600x512 -o web.jpg
  cnnfilter convolve photo.jpg -k box:9 --border edge --linear -o light.jpg
  cnnfilter convolve photo.jpg -k sharpen --region 100:103,200:203
  cnnfilter convolve photo.jpg -k sobel-x -k sobel-y --channels gray --combine magnitude -o edges.png
  cnnfilter convolve photo.jpg -k line-vertical:15 -k line-diagonal:15 --range max -o lines/
  cnnfilter convolve photo.jpg -k line-vertical:15 -k line-horizontal:15 --channels gray --plot lines.png
  cnnfilter convolve photo.jpg -k "0 -1 0; -1 5 -1; 0 -1 0" --channels gray --explain 100,200
  cnnfilter convolve photo.jpg -k sharpen --channels gray --animate sharpen.gif --around 100,200
""",
)
@options.inputs_argument
@click.option(
    "-k",
    "--kernel",
    "kernels",
    metavar="KERNEL",
    shell_complete=completing("kernel"),
    multiple=True,
    help="A name (`cnnfilter kernels` lists them), a file, net.npz:conv1 (the kernels of a layer in a file of weights),"
    ' or the matrix itself, such as "0 -1 0; -1 5 -1; 0 -1 0". Several kernels give one output each, unless combined.',
)
@click.option("-s", "--stride", type=pair("stride"), default="1", help="Pixels between windows.")
@options.border_padding_option
@options.dilation_option
@click.option(
    "--border",
    type=Word("BORDER", as_border, tuple(mode for mode in BorderMode if mode is not BorderMode.CONSTANT)),
    default="zero",
    help="Values of the padding: zero, edge, reflect, symmetric, wrap, constant:V.",
)
@click.option("--flip", is_flag=True, help="Turn the kernel by 180 degrees: the mathematical convolution.")
@click.option(
    "--normalize",
    type=options.Choice(Normalization),
    default="none",
    help="Divide the kernel by its sum, or by the sum of its magnitudes (abs).",
)
@click.option(
    "--bias",
    type=NUMBERS,
    metavar="N|N,N",
    default="0",
    help="A number added to every result, or one for each kernel in their order, such as 1,0; for a 4-D kernel one"
    " for each of its outputs.",
)
@click.option(
    "--activation",
    type=Word("ACTIVATION", parse_activation, tuple(Function)),
    help=f"A function applied to every result: {', '.join(Function)}.",
)
@click.option(
    "--channels",
    type=click.Choice(["each", "sum", "gray", "luma"]),
    default="each",
    help="Filter each channel separately, sum over the channels into one map, or make the image grey first"
    " (0.299 R + 0.587 G + 0.114 B). luma filters that grey and keeps the colours, so that sharpening makes no"
    " coloured fringes. A 3-D kernel always sums.",
)
@click.option(
    "--combine", type=click.Choice(list(COMBINATIONS)), help="Combine the results of several kernels into one."
)
@view_options
@options.file_options
def command(
    inputs: tuple[str, ...],
    kernels: tuple[str, ...],
    stride: Pair,
    padding: Padding | None,
    dilation: Pair,
    border: Border,
    flip: bool,
    normalize: Normalization,
    bias: tuple[float, ...],
    activation: tuple[Layer, ...] | None,
    channels: str,
    combine: str | None,
    **given: Any,
) -> None:
    """Filter images with kernels.

    An INPUT is an image file, a matrix (.txt .csv .tsv .npy), an array (.zarr), or - for standard input.

    The kernel is not turned (cross-correlation, the convolution of CNNs) unless --flip is given, and not
    divided unless --normalize is. Without padding the output is smaller than the input:
    (n + before + after - d(k-1) - 1) // s + 1. --border edge keeps the size, and draws no frame.
    """
    words = read_kernels(kernels, inputs)

    deep = next((word for word in words if len(word.shape) > 2), None)
    if deep and channels == "luma":
        raise LanguageError(
            f"--channels luma takes kernels of two dimensions, and {deep.text} is {show_shape(deep.shape)}"
        )

    def make_network(bank: tuple[KernelWord, ...], biases: tuple[float, ...]) -> Network:
        each = channels == "each" and all(len(kernel.shape) == 2 for kernel in bank)
        convolution = (DepthwiseConv if each else Conv)(
            window=Window(common_size(bank), stride, padding or default_padding(border), dilation),
            kernels=bank,
            bias=biases[0] if len(biases) == 1 else biases,
            border=border,
            flip=flip,
            normalize=normalize,
        )
        called = f"kernel{'s' * (len(bank) > 1)} {', '.join(kernel.text for kernel in bank)}"
        if channels not in {"gray", "luma"} and not combine:
            return Network((convolution, *(activation or ())), words=called)
        from cnnfilter.nn.other_layers import ChannelMode, ChannelPool, Gray  # noqa: PLC0415  a kernel alone needs none

        before = [Gray()] if channels in {"gray", "luma"} else []
        # A dwconv puts a channel's results side by side; a conv has summed the channels already.
        size = len(bank) if each else None
        behind = [ChannelPool(mode=ChannelMode(COMBINATIONS[combine]), size=size)] if combine else []
        return Network((*before, convolution, *behind, *(activation or ())), words=called)

    shares = share_biases(bias, words)
    pairs = zip(words, shares, strict=True)
    networks = [make_network(words, bias)] if combine else [make_network((word,), share) for word, share in pairs]
    names = name_results(words)
    settings = Settings(**given, luma=channels == "luma", padding_given=padding is not None)
    filter_files(inputs, networks, settings, names=("+".join(names),) if combine else names)
