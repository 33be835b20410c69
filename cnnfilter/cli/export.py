"""`cnnfilter export`: a network with its weights as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli import Command
from cnnfilter.cli.options import FILE, Word, completing
from cnnfilter.cli.pipeline import PATH
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.exchange.documents import load_network
from cnnfilter.network_files import naming
from cnnfilter.nn.layers import Shape, as_shape

if TYPE_CHECKING:
    from cnnfilter.compute.state_dict import Init


@click.command(
    "export",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter export digits -o digits.onnx
  cnnfilter export digits -o digits.py
  cnnfilter export "gray conv:sobel-x,sobel-y,border=edge magnitude" --input 480x640x3 -o edges.py
  cnnfilter export lenet5 --init he --seed 1 -o lenet5.npz
""",
)
@click.argument("network", shell_complete=completing("network"))
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="FILE",
    required=True,
    help=".onnx, a model of ONNX; .py, a module of PyTorch; .npz or .safetensors, the weights alone.",
)
@click.option("--weights", type=PATH, metavar="FILE", help="Trained weights. Default: those that the network names.")
@click.option("--init", type=click.Choice(["he", "uniform"]), help="Random weights instead of trained ones.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The same seed gives the same --init.")
@click.option(
    "--input",
    "shape",
    type=Word("HxWxC", as_shape),
    help="Size of the input. Default: the one that the network names.",
)
@click.option("-q", "--quiet", is_flag=True, help="No warnings or hints; errors are still printed.")
@click.option("-v", "--verbose", is_flag=True, help="Say how much OpenCV computes otherwise, and where weights go.")
def command(
    network: str,
    output: str,
    weights: Path | None,
    init: Init | None,
    seed: int | None,
    shape: Shape | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Write a NETWORK as a file for other programs: text of the layer language, a known network, or a file.

    A model of ONNX takes (N, C, H, W), and has the scale, mean and deviation of the network's file in it; resizing is
    left to the reader. It is run by OpenCV before it is written. The source for PyTorch is one class; its
    load_state_dict takes the .safetensors of the same command, in which kernels are weights too.

    `cnnfilter help exchange` shows how models come here, and go from here.
    """
    if init and weights:
        raise LanguageError("--init draws weights, and --weights reads them; leave one out")
    if seed is not None and not init:
        raise LanguageError("--seed belongs to --init he or --init uniform")
    document, path = load_network(network, (shape[0], shape[1]) if shape else None), Path(output)
    size = shape or document.input
    if size is None:
        raise ShapeError("the size of the input is not known; --input HxWxC gives it, such as 224x224x3")
    # A usage error goes without numpy.
    from cnnfilter.exchange.exporting import check_target, export_network, find_weights  # noqa: PLC0415
    from cnnfilter.io.atomic import check_replaceable, write_whole  # noqa: PLC0415

    check_target(path)
    check_replaceable(path, filter(None, (document.path, weights, document.weights)))
    with naming(document):
        data = export_network(document, path, find_weights(document, weights, init, seed or 0), size)
    write_whole(path, data)
