"""What a run says: messages, progress, a report in JSON, and rules for make."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

from cnnfilter.cli import STATUS, is_terminal, say, without_numbers
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io.atomic import check_writable, write_whole
from cnnfilter.io.paths import STANDARD, Job, identify, name_input
from cnnfilter.log import tell
from cnnfilter.numbers import to_json

if TYPE_CHECKING:
    from cnnfilter.run.inputs import Outcome
    from cnnfilter.run.settings import Settings


_SAID = 3  # so many inputs get the same warning; of more the number is given at the end
_PAUSE = 0.1  # seconds between two pictures of the line
_USUAL_COLUMNS = 80
_WIDTH, _NARROWEST = 24, 5  # signs of the bar, at most and at least


class Reporter:
    """Tells a person what came of a batch of inputs, and counts them."""

    def __init__(self, settings: Settings, total: int) -> None:
        self.failed, self.troubles = 0, 0  # inputs, and files about the batch that could not be written
        self.made: list[tuple[str, list[str]]] = []  # each input that went well, and its files
        self._settings, self._total, self._done = settings, total, 0
        self._warnings: dict[str, tuple[int, str, str]] = {}
        self._has_bar = total > 1 and not (settings.quiet or settings.verbose or settings.dry_run) and is_terminal()
        self._begun, self._drawn = monotonic(), 0.0
        self._report = _open(settings.report) if settings.report and not settings.dry_run else None

    def add(self, outcome: Outcome) -> None:
        """Say what happened to an input, count it, and report on it."""
        for kind, content in outcome.events:
            if kind == "note":
                if not self._settings.quiet:
                    self._warn(name_input(outcome.source), content)
            elif kind == "failure":
                say(content)
            elif kind == "output":
                STATUS.clear()
                if sys.stdout is None:
                    raise OSError(errno.EBADF, "standard output is closed")
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            else:
                tell("%s", content, level=kind)
        self._done += 1
        self.failed += bool(outcome.errors)
        if self._report:
            self._add_to_report(outcome, self._report)
        if not outcome.errors:
            paths = [output["path"] for output in outcome.outputs if output["path"]]
            self.made.append((outcome.source, [*paths, *outcome.skipped]))
        now = monotonic()
        if self._has_bar and (not STATUS.shown or now - self._drawn >= _PAUSE or self._done >= self._total):
            self._drawn = now
            STATUS.draw(show_progress(self._done, self._total, now - self._begun, _count_columns()))

    def _warn(self, source: str, note: str) -> None:
        """Write a warning; one that many inputs bring is counted after a few of them."""
        text, kind = f"{source}: {note}", without_numbers(note)
        inputs, last, _ = self._warnings.get(kind, (0, "", ""))
        inputs += source != last
        self._warnings[kind] = inputs, source, text
        if inputs <= _SAID or self._settings.verbose:
            say(f"warning: {text}")

    def close(self) -> None:
        """Say what was only counted, and how many inputs failed, if there are several."""
        if self._report:
            self._report.close()
        for inputs, _, last in self._warnings.values():
            if inputs > _SAID and not self._settings.verbose:
                more = f"{inputs - _SAID} more input{'s' * (inputs > _SAID + 1)}"
                say(f"warning: {more} like these (-v says all), the last {last}")
        if self.failed and self._total > 1:
            left = self._total - self._done
            rest = f"; {left} {'was' if left == 1 else 'were'} not begun" if left else ""
            say(f"{self.failed} of {self._total} inputs failed{rest}")

    def _add_to_report(self, outcome: Outcome, report: BinaryIO) -> None:
        """Add a line to the report at once, with the same keys for each input; a failure stops the report alone."""
        record = {
            "input": outcome.source,
            "size": list(outcome.shape) or None,
            "outputs": outcome.outputs,
            "skipped": outcome.skipped,
            "classes": outcome.classes,
            "engines": outcome.engines,
            "seconds": round(outcome.seconds, 6),
            "error": "; ".join(outcome.errors) or None,
        }
        try:
            report.write(to_json(record).encode() + b"\n")
            report.flush()
        except OSError as error:
            self._trouble(f"{report.name}: {error.strerror or error}")
            with suppress(OSError):
                report.close()
            self._report = None

    def _trouble(self, reason: object) -> None:
        """Say that a file about the batch could not be written."""
        self.troubles += 1
        say(str(reason))

    def write_rules(self, path: Path, prerequisites: Sequence[Path]) -> None:
        """Write the rules of make for what was made."""
        try:
            rules = "".join(write_rule(paths, source, prerequisites) for source, paths in self.made if paths)
            write_whole(path, os.fsencode(rules + write_empty_rules(prerequisites)))
        except (ImageFileError, OutputError) as error:
            self._trouble(error)


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


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


def _count_columns() -> int:
    """Return the width of the terminal that standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def check_reports(
    jobs: Sequence[Job], settings: Settings, protected: frozenset[str], prerequisites: Sequence[Path]
) -> None:
    """Raise an `OutputError` if options contradict each other, or a report cannot be written or hits a file in use."""
    if settings.update and settings.in_place:
        raise OutputError("--update compares an output with its input, and --in-place makes them one")
    if settings.depfile:
        made = [job for job in jobs if job.target or not job.view]
        if not made or any(job.target is None for job in made):
            raise OutputError("--depfile names the files that are made: -o FILE, -o FOLDER/ or a template makes some")
        for name in (*(name for job in jobs for name in (job.source, str(job.target))), *map(str, prerequisites)):
            _quote(name)
    reports = [path for path in (settings.report, settings.depfile) if path]
    folders: dict[str, str] = {}
    targets = {identify(job.target, folders)[0] for job in jobs if job.target} if reports else set()
    for path in reports:
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
    if settings.depfile and not settings.dry_run:
        check_writable(Path(settings.depfile))


def write_rule(outputs: Iterable[str], source: str, prerequisites: Iterable[Path]) -> str:
    """Return a rule of a makefile: outputs depend on an input and other files."""
    needed = [*([] if source == STANDARD else [source]), *map(str, prerequisites)]
    return f"{' '.join(map(_quote_target, outputs))}: {' '.join(map(_quote, needed))}\n"


def write_empty_rules(prerequisites: Iterable[Path]) -> str:
    """Return rules by which a kernel or a network that is gone is no reason for make to give up."""
    return "".join(f"{_quote_target(os.fspath(path))}:\n" for path in dict.fromkeys(prerequisites))


_UNSPEAKABLE = {"\n": "a line end", "\t": "a tab", "=": "'='", ";": "';'", "|": "'|'"}
"""What makes a variable, a recipe or something else of a rule, whatever is before it: `a!=b` runs b."""


def _quote(name: str) -> str:
    """Return a name as make reads it back, or raise an `OutputError` if it has no way to."""
    for sign, word in _UNSPEAKABLE.items():
        if sign in name:
            raise OutputError(f"a name with {word} cannot stand in rules for make", path=name)
    marked = re.sub(r"(\\*)([ #:*?\[])", r"\1\1\\\2", name)
    return marked.replace("$", "$$")


def _quote_target(name: str) -> str:
    """Return a name left of the colon, where a percent sign would make a pattern of it."""
    return _quote(name).replace("%", r"\%")
