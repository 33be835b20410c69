"""What all commands share: errors that become one line and an exit status, and a console."""

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from cnnfilter.errors import CnnFilterError, MissingLibraryError

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class Command(click.Command):
    """A command whose mistakes of usage come out in Click's own form, with exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a sign that the terminal lacks is no reason to fail
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except MissingLibraryError as error:
            click.echo(f"cnnfilter: {error}", err=True)
            ctx.exit(1)
        except CnnFilterError as error:
            raise click.UsageError(str(error), ctx) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # Click ends quietly
            click.echo(f"cnnfilter: {error.strerror or error}", err=True)
            ctx.exit(1)


@dataclass(frozen=True)
class Console:
    """Tells a person what happens: failures and remarks on standard error, data on standard output."""

    quiet: bool = False

    def remark(self, text: str) -> None:
        """Say what is right but perhaps not meant so, unless told to be quiet."""
        if not self.quiet:
            click.echo(f"cnnfilter: remark: {text}", err=True)

    def failure(self, text: str) -> None:
        """Say which input failed, and why."""
        click.echo(f"cnnfilter: {text}", err=True)

    def output(self, data: bytes) -> None:
        """Write data to standard output."""
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def detailed_log(*, enabled: bool) -> Iterator[None]:
    """Send what the floors below log to standard error while the block runs."""
    if not enabled:
        yield
        return
    import logging  # noqa: PLC0415  --help and shape start without it

    logger = logging.getLogger("cnnfilter")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("cnnfilter: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
