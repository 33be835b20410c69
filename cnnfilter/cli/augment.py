"""`cnnfilter augment`: copies of images, changed at random and the same each time."""

from typing import Any

import click

from cnnfilter.cli import Command, options
from cnnfilter.cli.batch import filter_files
from cnnfilter.cli.options import FILE, Word
from cnnfilter.errors import OutputError
from cnnfilter.learn.steps import Augmentation, AugmentSteps, parse_steps
from cnnfilter.nn.network import Network
from cnnfilter.run.settings import Settings


@click.command(
    "augment",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter augment "flip rotate:-15..15 noise:5" photo.jpg --copies 8 -o augmented/
  cnnfilter augment "pad:8 crop:200x200 flip" photo.jpg second.jpg --copies 2 --seed 1 -o crops/
  cnnfilter augment "rotate:-15..15,p=0.3,border=reflect hue:-18..18" photo.jpg --copies 4 -o turned/
  cnnfilter augment "flip shift:-10%..10%" photo.jpg --copies 2 --with masks/ -o shifted/
""",
)
@click.argument("steps", metavar="STEPS", type=Word("STEPS", parse_steps))
@options.inputs_argument
@click.option("--copies", type=click.IntRange(min=1), default=1, metavar="N", help="Copies made of each input.")
@click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Another seed draws other numbers.")
@click.option(
    "--with",
    "with_",
    type=FILE,
    metavar="FOLDER",
    help="Move the masks in this folder along: each has the name of its image, whatever its suffix. Their pixels keep"
    " their values (nearest neighbour), and see no colours, noise or blur.",
)
@click.option(
    "--with-output",
    type=FILE,
    metavar="FOLDER",
    help="Where moved masks go, under the names of their images. Default: masks/ in the folder of the images.",
)
@options.file_options
def command(steps: AugmentSteps, inputs: tuple[str, ...], seed: int, **given: Any) -> None:
    r"""Make random copies of images to train with.

    STEPS are separated by blanks and done in this order. A..B is a number drawn evenly for each copy:

    \b
      crop:HxW          a part of this size, at any place
      pad:N             N more pixels on each side, or HxW
      flip  flip:v      left and right, or top and bottom, half of the time
      rotate:A..B       degrees counter-clockwise
      shift:A..B        whole pixels, or 10% of a side, down and right
      scale:A..B        a factor; the image keeps its size
      shear:A..B        degrees that the top leans to the right
      noise:S           normal, with a deviation of S levels of the image
      salt:P            a share P of the pixels becomes black or white
      blur:A..B         gaussian, by its sigma in pixels
      brightness:A..B   a factor of all values
      contrast:A..B     a factor of the distance from the mean grey
      saturation:A..B   a factor of the distance from the pixel's own grey
      hue:A..B          degrees, as in HSV: 120 makes red green
      gray              the luma in all channels
      erase:A..B        a black rectangle, by its share of the image

    A step is always done, but `flip`, unless p= sets its chance: rotate:-15..15,p=0.3. Beyond the edge is black;
    pad, rotate, shift, scale and shear take border= with edge, reflect, symmetric, wrap or constant:V.

    The seed, the name of the input (with -r its path in the folder) and the number of the copy decide what is
    drawn, so the same command gives the same images. A folder gets photo-1.jpg, photo-2.jpg and so on; templates
    have {copy}.

    An INPUT is an image file, a matrix (.txt .csv .tsv .npy), an array (.zarr), or - for standard input. Of an array
    only the crop is read if the first step is one; else all of it is, and must fit into memory.
    """
    settings = Settings(**given, augmentation=Augmentation(steps, seed))
    if settings.output is None:
        raise OutputError("augment writes images: -o FOLDER/, or a template with {copy}")
    if settings.with_output is not None and settings.with_ is None:
        raise OutputError("--with-output is for masks, which --with FOLDER names")
    filter_files(inputs, [Network((), words="augment")], settings)


_WITHOUT = {"in_place", "range_", "depth", "region", "linear"}
"""Options of other commands on files: copies keep the levels of their image."""

command.params = [option for option in command.params if option.name not in _WITHOUT]
