"""The command line: a file for each command, loaded when it is called; errors become one line and an exit status."""

import errno
import io
import os
import re
import sys
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from typing import Any

import click

from cnnfilter import __version__
from cnnfilter.errors import ClusterError, CnnFilterError, MissingLibraryError, ModelError, ask_for_report, one_line
from cnnfilter.log import Level, listening

GROUPS = {
    "Filter": {
        "convolve": "Filter images with kernels: sharpen, blur, find edges.",
        "pool": "Reduce images: one value from each window.",
        "pipeline": "Run a network of layers on images.",
    },
    "Understand": {
        "shape": "Print the size, weights and cost of each layer of a network.",
        "kernels": "List all kernels, or show some.",
        "activations": "Print or draw relu, gelu and the others: formula, range, values.",
        "correlate": "Compare images with a pattern: peaks, shifts, periods.",
    },
    "Learn": {
        "fit": "Find the kernel behind an image before and after.",
        "train": "Train a network on images, and keep its weights.",
        "augment": "Make random copies of images to train with.",
    },
    "Exchange": {
        "export": "Write a network as ONNX, as source for PyTorch, or as a file of weights.",
    },
    "More": {
        "help": "Show a page on kernels, the layer language, file formats and more.",
    },
}
"""Each command, and what it does in a line; none is loaded to list them."""

COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}


class LazyGroup(click.Group):
    """A group that imports a command only when it is asked for."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run as a program does, unless `standalone_mode` is false: errors become one line and an exit status.

        The statuses are 0, 1 for a failure, 2 for usage, 130 for an interrupt. A closed pipe ends quietly.
        """
        if "_CNNFILTER_COMPLETE" in os.environ:  # a shell asks: Click finds our scripts among its own
            import_module(f"{__name__}.completion")
        is_program = extra.get("standalone_mode", True)
        extra["standalone_mode"] = False
        if not is_program:
            return super().main(*args, **extra)
        try:
            status = super().main(*args, **extra)
        except click.UsageError as error:
            with suppress(OSError):
                error.show()
            status = error.exit_code
        except click.ClickException as error:
            say(error.format_message())
            status = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            status = 130  # 128 + SIGINT, as shells have it
        except OSError as error:
            if error.errno != errno.EPIPE:
                say(describe(error))
            with suppress(OSError, AttributeError, ValueError):  # so that the flush at exit does not fail again
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 1
        sys.exit(status if isinstance(status, int) else 0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people meet them."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in groups, their texts in one column."""
        width = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in group.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        return import_module(f"{__name__}.{cmd_name}").command if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names; an unknown one is answered with what was probably meant."""
        if args[0] in COMMANDS or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from cnnfilter.cli.unknown_command import explain_unknown  # noqa: PLC0415  only a mistake needs it

        raise click.UsageError(explain_unknown(args), ctx)


def describe(error: OSError) -> str:
    """Return what the system refused, and of which file; without a current folder no relative name leads anywhere."""
    if error.filename:
        return f"{error.filename}: {error.strerror or error}"
    try:
        os.getcwd()  # noqa: PTH109  the library that is at hand
    except OSError:
        known = os.environ.get("PWD", ".")
        with suppress(OSError):  # Linux: it says which even if nobody has
            known = os.readlink("/proc/self/cwd").removesuffix(" (deleted)")  # noqa: PTH115
        return f"{known}: the current folder has been deleted"
    return error.strerror or str(error)


class Command(click.Command):
    """A command with its options in sections; usage errors have Click's own form, and exit status 2."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in the command's own sections, then in those of `options.SECTIONS`, in their order."""
        from cnnfilter.cli.options import OWN_SECTIONS, SECTIONS, describe_option  # noqa: PLC0415  it is loaded

        own = {option.opts[-1]: option for option in self.get_params(ctx) if isinstance(option, click.Option)}
        for title, names in {**OWN_SECTIONS.get(self.name or "", {}), **SECTIONS}.items():
            if rows := [describe_option(own.pop(name), ctx) for name in names if name in own]:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a sign that the terminal lacks is no reason to fail
        with log_to_stderr(verbose=bool(ctx.params.get("verbose")), quiet=bool(ctx.params.get("quiet"))):
            try:
                return super().invoke(ctx)
            except (MissingLibraryError, ModelError, ClusterError) as error:
                raise click.ClickException(str(error)) from error
            except ImportError as error:  # numpy's own message is a page, and what it comes from a line
                raise click.ClickException(
                    one_line(f"a library cannot be loaded: {error.__cause__ or error}")
                ) from error
            except CnnFilterError as error:
                raise click.UsageError(one_line(str(error)), ctx) from error
            except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
                raise
            except MemoryError as error:
                raise click.ClickException("not enough memory") from error
            except Exception as error:
                raise click.ClickException(ask_for_report(error)) from error


class StatusLine:
    """The last line of a terminal on standard error while a command is at work; whatever else is said replaces it."""

    shown = False

    def draw(self, text: str) -> None:
        """Show a text in place of the last one."""
        self.shown = True
        self._write(f"\r\x1b[K{text}")

    def clear(self) -> None:
        """Remove the text, if there is one."""
        if self.shown:
            self.shown = False
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


STATUS = StatusLine()


def is_terminal() -> bool:
    """Return whether a person reads standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


def say(text: str) -> None:
    """Write a line to standard error; that it cannot be written changes neither the work nor its status."""
    STATUS.clear()
    with suppress(OSError):
        click.echo(f"cnnfilter: {one_line(text)}", err=True)


_HINTS = 2
"""The most hints that a command gives."""


def log_to_stderr(*, verbose: bool, quiet: bool) -> AbstractContextManager[None]:
    """Write what is logged while a block runs: warnings unless `quiet`, hints on a terminal, the rest if `verbose`."""
    written: set[str] = set()
    hints: set[str] = set()

    def write(level: Level, message: str, *values: object) -> None:
        if quiet if level in {"hint", "warning"} else not verbose:
            return
        text = message % values
        if level == "hint":
            kind = without_numbers(text)
            if kind in hints or len(hints) == _HINTS or not is_terminal():
                return
            hints.add(kind)
        if text in written:
            return
        if level in {"once", "warning"}:
            written.add(text)
        say(f"{level}: {text}" if level in {"hint", "warning"} else text)

    return listening(write)


def without_numbers(text: str) -> str:
    """Return what texts of one kind have in common, whatever numbers they name."""
    return re.sub(r"\d[\d.,]*", "", text)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  cnnfilter convolve photo.jpg -k sharpen --border edge -o sharp.jpg
  cnnfilter pool photo.jpg --mode avg --size 4 -o small.jpg
  cnnfilter shape 224x224x3 conv:7x7,64,s2,p3 maxpool:3,s2,p1
""",
)
@click.version_option(__version__, prog_name="cnnfilter", message="%(prog)s %(version)s")
def main() -> None:
    """Filter images with the arithmetic of convolutional networks.

    Each command has its own help, such as `cnnfilter convolve --help`; longer pages are listed by
    `cnnfilter help`. Sizes are height first: HxW or HxWxC.
    """
