"""What a run says: messages, progress, reports."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

from cnnfilter.cli.console import Console, say
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io.atomic import write_whole
from cnnfilter.io.paths import STANDARD, Job, identify

if TYPE_CHECKING:
    from cnnfilter.io.encode import Encoded
    from cnnfilter.run.outcome import Account
    from cnnfilter.run.settings import Settings


_SAID = 3
"""Of so many inputs the same is remarked; of more the number is said at the end."""

_NUMBER = re.compile(r"\d[\d.,]*")

_PAUSE = 0.1
"""Seconds between two pictures of the line."""

_USUAL_COLUMNS = 80

_WIDTH, _NARROWEST = 24, 5
"""Signs of the bar, at most and at least."""


class Clerk:
    """Tells a person what came of a batch, and keeps count.

    Parameters
    ----------
    console
        Who tells it.
    total
        How many inputs there are.
    progress
        The bar, or None.
    report
        An open file into which a line of JSON goes for each input, or None.
    says_all
        Whether remarks are said of each input, however many there are.

    Attributes
    ----------
    total, done, failed
        How many inputs there are, how many were done, well or not, and how many of these failed.
    rules
        For each input that went well its files, and itself.
    troubles
        How many of the files about the batch could not be written.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        progress: Progress | None = None,
        report: BinaryIO | None = None,
        says_all: bool = False,
    ) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self.troubles = 0
        self.rules: list[tuple[list[str], str]] = []
        self._console, self._progress, self._report = console, progress, report
        self._remarks: dict[str, tuple[int, str, str]] = {}
        self._says_all = says_all

    def remark(self, source: str, note: str) -> None:
        """Say what is right but perhaps not meant so; what is said of many inputs is counted after a few of them."""
        text, kind = f"{source}: {note}", _NUMBER.sub("", note)
        inputs, last, _ = self._remarks.get(kind, (0, "", ""))
        inputs += source != last
        self._remarks[kind] = inputs, source, text
        if inputs <= _SAID or self._says_all:
            self.make_room()
            self._console.remark(text)

    def failure(self, text: str) -> None:
        """Say which input failed, and why."""
        self.make_room()
        self._console.failure(text)

    def output(self, data: Encoded) -> None:
        """Write data to standard output."""
        self.make_room()
        self._console.output(data)

    def finish(self, account: Account) -> None:
        """Count an input, and report on it."""
        self.done += 1
        self.failed += bool(account.errors)
        self._add_to_report(account)
        if not account.errors:
            made = [output.path for output in account.outputs if output.path]
            self.rules.append(([*made, *account.passed_over], account.source))
        if self._progress:
            self._progress.advance(self.done)

    def make_room(self) -> None:
        """Wipe away the bar, before anything else is said."""
        if self._progress:
            self._progress.clear()

    def trouble(self, reason: object) -> None:
        """Say that a file about the batch could not be written."""
        self.troubles += 1
        self.failure(str(reason))

    def close(self) -> None:
        """Say what was only counted, and how many inputs failed, if there are several."""
        self.make_room()
        if self._report:
            self._report.close()
        for inputs, _, last in self._remarks.values():
            if inputs > _SAID and not self._says_all:
                more = f"{inputs - _SAID} more input{'s' * (inputs > _SAID + 1)}"
                self._console.remark(f"{more} like these (-v says all), the last {last}")
        if self.failed and self.total > 1:
            left = self.total - self.done
            rest = f"; {left} {'was' if left == 1 else 'were'} not begun" if left else ""
            say(f"{self.failed} of {self.total} inputs failed{rest}")

    def _add_to_report(self, account: Account) -> None:
        """Add a line to the report at once; where that fails, the inputs are done all the same."""
        if not self._report:
            return
        import json  # noqa: PLC0415  a report alone needs it

        try:
            self._report.write(json.dumps(account.as_record()).encode() + b"\n")
            self._report.flush()
        except OSError as error:
            self.trouble(f"{self._report.name}: {error.strerror or error}")
            with suppress(OSError):
                self._report.close()
            self._report = None


class Progress:
    """A bar, drawn on standard error, and wiped away before anything else is said there.

    Parameters
    ----------
    total
        How many inputs there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = monotonic()
        self._drawn = 0.0
        self._shown = False

    def advance(self, done: int) -> None:
        """Draw the line anew, unless it was drawn just now."""
        now = monotonic()
        if now - self._drawn < _PAUSE and done < self._total:
            return
        self._drawn, self._shown = now, True
        columns = _count_columns()
        _write(f"\r\x1b[K{show_progress(done, self._total, now - self._begun, columns)}")

    def clear(self) -> None:
        """Wipe the line away."""
        if self._shown:
            self._shown, self._drawn = False, 0.0
            _write("\r\x1b[K")


def show_progress(done: int, total: int, seconds: float, columns: int = 80) -> str:
    """Return the line, in fewer columns than there are: a full line would go on in the next.

    Examples
    --------
    >>> show_progress(30, 120, 10.0)
    '[######------------------] 30 of 120, 3.0/s, 0:30 left'
    >>> show_progress(30, 120, 10.0, columns=41), show_progress(30, 120, 10.0, columns=16)
    ('[##--------] 30 of 120, 3.0/s, 0:30 left', '30 of 120, 3.0/')
    """
    rate = done / seconds if seconds else 0.0
    left = f", {show_time((total - done) / rate)} left" if rate else ""
    text = f"{done} of {total}, {rate:.1f}/s{left}"
    width = min(_WIDTH, columns - len(text) - len("[] ") - 1)
    filled = width * done // total
    bar = f"[{'#' * filled}{'-' * (width - filled)}] " if width >= _NARROWEST else ""
    return f"{bar}{text}"[: columns - 1]


def _count_columns() -> int:
    """Return the width of the terminal that standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def show_time(seconds: float) -> str:
    """Return hours, minutes and seconds.

    Examples
    --------
    >>> show_time(29.6), show_time(3725)
    ('0:30', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _write(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def check_companions(
    jobs: Sequence[Job], settings: Settings, protected: frozenset[str], prerequisites: Sequence[Path]
) -> None:
    """Raise an `OutputError` if options contradict each other, or the report or the rules cannot be written.

    Nor may they destroy a file that is read or made.
    """
    if settings.update and settings.in_place:
        raise OutputError("--update compares an output with its input, and --in-place makes them one")
    made = [job for job in jobs if job.target or not job.view]
    if settings.depfile and (not made or any(job.target is None for job in made)):
        raise OutputError("--depfile names the files that are made: -o FILE, -o FOLDER/ or a template makes some")
    if settings.depfile:
        from cnnfilter.run.outcome import check_names  # noqa: PLC0415  --depfile alone

        names = (name for job in jobs for name in (job.source, job.format_name))
        check_names((*names, *map(str, prerequisites)))
    companions = [path for path in (settings.report, settings.depfile) if path]
    folders: dict[str, str] = {}
    targets = {identify(job.target, folders)[0] for job in jobs if job.target} if companions else set()
    for path in companions:
        if path == STANDARD:
            raise OutputError(
                "--report and --depfile name files, and '-' stands for the standard streams; ./- is a file"
            )
        identities = identify(path, folders)
        if not protected.isdisjoint(identities):
            raise OutputError(f"{path}: is read, and would be written over")
        if identities[0] in targets:
            raise OutputError(f"{path}: an output would be written to it as well")
        targets.add(identities[0])
        if not Path(path).parent.is_dir() or Path(path).is_dir():
            raise OutputError(f"{path}: {'is a folder' if Path(path).is_dir() else 'no such folder'}")


@contextmanager
def attended(settings: Settings, total: int) -> Iterator[Clerk]:
    """Yield who hears of the inputs, with the bar and the report that go with the settings."""
    progress = None
    if total > 1 and not (settings.quiet or settings.verbose or settings.dry_run) and _is_terminal():
        progress = Progress(total)
    report = _open(settings.report) if settings.report and not settings.dry_run else None
    console = Console(quiet=settings.quiet)
    clerk = Clerk(console, total, progress=progress, report=report, says_all=settings.verbose)
    try:
        yield clerk
    except BaseException:
        clerk.make_room()
        raise
    clerk.close()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def write_rules(path: Path, clerk: Clerk, prerequisites: Sequence[Path]) -> None:
    """Write the rules of make for what was made."""
    from cnnfilter.run.outcome import write_empty_rules, write_rule  # noqa: PLC0415  --depfile alone

    try:
        rules = "".join(write_rule(outputs, source, prerequisites) for outputs, source in clerk.rules if outputs)
        write_whole(path, os.fsencode(rules + write_empty_rules(prerequisites)))
    except (ImageFileError, OutputError) as error:
        clerk.trouble(error)
