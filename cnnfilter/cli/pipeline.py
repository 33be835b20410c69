"""`cnnfilter pipeline`: a network of layers on images."""

from typing import Any

import click

from cnnfilter.cli import options
from cnnfilter.cli.base import Command
from cnnfilter.cli.run import FileOptions, filter_files
from cnnfilter.errors import LanguageError
from cnnfilter.kernels import kernel_shape
from cnnfilter.spec.language import parse_network


@click.command(
    "pipeline",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter pipeline "gray conv:line-vertical:15 relu maxpool:10" samples/city.png --range scale -o map.png
  cnnfilter pipeline "dwconv:gaussian:9,same,border=edge 2x avgpool:2" samples/city.png -o quarter.png
  cnnfilter pipeline "gray conv:sobel-x,sobel-y,same magnitude" samples/city.png -o edges.png
  cnnfilter pipeline "maxpool:2,s1 flatten softmax" samples/lines-4x4.txt
""",
)
@click.argument("network")
@options.inputs_argument
@options.file_options
def command(network: str, inputs: tuple[str, ...], **given: Any) -> None:
    """Run a NETWORK, written in the layer language, on images.

    An INPUT is an image file, a matrix (.txt .csv .tsv .npy), or - for standard input.

    Layers are words: conv:KERNEL,... sums over channels, dwconv:KERNEL,... filters each; maxpool:2
    avgpool:2 l2pool:2 minpool:2 medianpool:2 globalmaxpool globalavgpool; channelmax channelavg
    channelsum channelmin magnitude; relu relu6 leakyrelu elu gelu silu sigmoid tanh abs; softmax
    flatten gray. Options follow a colon: s2 stride, p1 padding (or same, half, full, valid), d2
    dilation, bias=1, border=edge, flip, normalize=sum, ceil, countpad. 2x repeats what follows.
    """
    layers = parse_network(network, kernel_shape)
    if not layers.layers:
        raise LanguageError("the network has no layer, such as relu or maxpool:2")
    filter_files(inputs, [layers], FileOptions(**given), pipeline=True)
