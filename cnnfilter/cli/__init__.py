"""The command line: one file a command, loaded when it is called."""

from functools import partial
from importlib import import_module
from typing import Any

import click

from cnnfilter import __version__
from cnnfilter.cli.console import leave

COMMANDS = {
    "convolve": "Lay kernels on images.",
    "pool": "Take one value from each window of images.",
    "pipeline": "Run a network of layers on images.",
    "shape": "Print what comes out of each layer: sizes, weights, and what it sees.",
    "kernels": "List all kernels, or show some.",
}
"""Each command, and what it does in a line; none is loaded to list them."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is asked for."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run as a program does, unless told otherwise: errors become one line and an exit status."""
        work = partial(super().main, *args, **{**extra, "standalone_mode": False})
        return leave(work) if extra.get("standalone_mode", True) else work()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people meet them."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), "command")  # noqa: B009
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  cnnfilter convolve samples/city.png -k sharpen -o sharp.png
  cnnfilter pool samples/pool-4x4.txt
  cnnfilter shape 224x224x3 conv:7x7,64,s2,p3 maxpool:3,s2,p1
""",
)
@click.version_option(__version__, prog_name="cnnfilter", message="%(prog)s %(version)s")
def main() -> None:
    """Filter images with the arithmetic of convolutional networks.

    Convolution means what it means in every CNN framework: the kernel is laid on the image as it is
    drawn (cross-correlation). Sizes are height first, HxW or HxWxC. Nothing is normalised, clipped or
    rounded until the result is written, and then not without a word.
    """
