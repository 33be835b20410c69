"""What all commands share: errors that become one line and an exit status, and a console."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

import click

from cnnfilter.errors import CnnFilterError, MissingLibraryError, ask_for_report, one_line
from cnnfilter.log import Level, listening

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
        except MissingLibraryError as error:
            raise click.ClickException(str(error)) from error
        except CnnFilterError as error:
            raise click.UsageError(one_line(str(error)), ctx) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
            raise
        except MemoryError as error:
            raise click.ClickException("not enough memory") from error
        except Exception as error:
            with told_log(verbose=bool(ctx.params.get("verbose")), quiet=True):
                raise click.ClickException(ask_for_report(error)) from error


def leave(run: Callable[[], object]) -> NoReturn:
    """Run Click's work, and leave with its status; what the system refuses is one line.

    The statuses are 0, 1 for a failure, 2 for usage, 130 for an interrupt. A closed pipe ends quietly.
    """
    try:
        status = run()
        sys.exit(status if isinstance(status, int) else 0)
    except click.UsageError as error:
        with suppress(OSError):
            error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        say(error.format_message())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except OSError as error:
        if error.errno != errno.EPIPE:
            say(f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        _forget_standard_output()
        sys.exit(1)


def say(text: str) -> None:
    """Say a line on standard error; that nobody can hear it changes neither the work nor its status."""
    with suppress(OSError):
        click.echo(f"cnnfilter: {one_line(text)}", err=True)


def _forget_standard_output() -> None:
    """Turn standard output away from what takes nothing more, so that the flush at exit does not fail again."""
    with suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Console(NamedTuple):
    """Tells a person what happens: failures and remarks on standard error, data on standard output."""

    quiet: bool = False

    def remark(self, text: str) -> None:
        """Say what is right but perhaps not meant so, unless told to be quiet."""
        if not self.quiet:
            say(f"remark: {text}")

    def failure(self, text: str) -> None:
        """Say which input failed, and why."""
        say(text)

    def output(self, data: bytes | memoryview) -> None:
        """Write data to standard output."""
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def told_log(*, verbose: bool, quiet: bool, make_room: Callable[[], None] | None = None) -> Iterator[None]:
    """Tell a person what the floors below tell while the block runs: warnings as remarks, all if `verbose`.

    `make_room` is called before anything is said.
    """
    told: set[str] = set()

    def hear(level: Level, message: str, *values: object) -> None:
        if quiet if level == "warning" else not verbose:
            return
        text = message % values
        if text in told:
            return
        if make_room:
            make_room()
        if level in {"once", "warning"}:
            told.add(text)
        say(f"remark: {text}" if level == "warning" else text)

    with listening(hear):
        yield


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let the signals that ask a process to end raise `SystemExit` while the block runs, with the status of shells."""
    import signal  # noqa: PLC0415  where nothing is written, nothing is left half written
    import threading  # noqa: PLC0415

    def leave_now(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    usual = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        usual = []
    for number in usual:
        signal.signal(number, leave_now)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, signal.SIG_DFL)
