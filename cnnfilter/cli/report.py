"""What a command writes about its work: messages, progress, a report in JSON, and rules for make."""

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
from cnnfilter.io.addresses import find_timeless, is_address
from cnnfilter.io.atomic import Encoded, check_writable, write_pieces, write_whole
from cnnfilter.io.paths import STANDARD, Job, identify, name_input
from cnnfilter.log import tell
from cnnfilter.numbers import to_json

if TYPE_CHECKING:
    from cnnfilter.cli.progress import ProgressLine
    from cnnfilter.run.inputs import Outcome
    from cnnfilter.run.settings import Settings


_SAID = 3  # inputs that get the same warning; of more the number is given at the end


class Reporter:
    """Writes what came of each input, in their order, and counts them."""

    def __init__(self, settings: Settings, sources: Sequence[str]) -> None:
        self.failed, self.troubles = 0, 0  # inputs, and files about the batch that could not be written
        self.made: list[tuple[str, list[str], list[Path]]] = []  # each input that went well, its files, its masks
        self._settings, self._total, self._done = settings, len(sources), 0
        self._written = self._skipped = 0
        self._warnings: dict[str, tuple[int, str, str]] = {}
        self._is_watched = not (settings.quiet or settings.dry_run) and is_terminal()
        self.progress: ProgressLine | None = None
        if self._is_watched and not settings.verbose:
            from cnnfilter.cli.progress import ProgressLine  # noqa: PLC0415  for a person at a terminal alone

            self.progress = ProgressLine(sources)
        self._begun = monotonic()
        self._report = _open(settings.report) if settings.report and not settings.dry_run else None

    def add(self, outcome: Outcome) -> None:
        """Write what happened to an input, count it, and report on it."""
        if self.progress:
            self.progress.pause()
        for kind, content in outcome.events:
            if kind == "note":
                if not self._settings.quiet:
                    self._warn(name_input(outcome.source), content)
            elif kind == "failure":
                say(content)
            elif kind == "output":
                _print(content)
            else:
                tell("%s", content, level=kind)
        self._done += 1
        self.failed += bool(outcome.errors)
        if self._report:
            self._add_to_report(outcome, self._report)
        if not outcome.errors:
            paths = [output["path"] for output in outcome.outputs if output["path"]]
            self.made.append((outcome.source, [*paths, *outcome.skipped], outcome.masks))
            self._written += bool(paths)
            self._skipped += bool(outcome.skipped) and not paths
        if self.progress:
            self.progress.advance()

    def _warn(self, source: str, note: str) -> None:
        """Write a warning; one that many inputs bring is counted after a few of them."""
        text, kind = f"{source}: {note}", without_numbers(note)
        inputs, last, _ = self._warnings.get(kind, (0, "", ""))
        inputs += source != last
        self._warnings[kind] = inputs, source, text
        if inputs <= _SAID or self._settings.verbose:
            say(f"warning: {text}")

    def close(self) -> None:
        """Write what was only counted, and in a line what came of all inputs, or elsewhere how many of them failed."""
        if self._report and self._settings.report != STANDARD:
            self._report.close()
        for inputs, _, last in self._warnings.values():
            if inputs > _SAID and not self._settings.verbose:
                more = f"{inputs - _SAID} more input{'s' * (inputs > _SAID + 1)}"
                say(f"warning: {more} like these (-v shows all), the last {last}")
        left = self._total - self._done
        is_news = self._skipped and self._settings.update
        if self._is_watched and (is_news or (self._total > 1 and (self._written or self._skipped))):
            say(self._summarize(left))
        elif self.failed and self._total > 1:
            rest = f"; {left} {'was' if left == 1 else 'were'} not started" if left else ""
            say(f"{self.failed} of {self._total} inputs failed{rest}")

    def _summarize(self, left: int) -> str:
        """Return a line on what came of all inputs."""
        from cnnfilter.cli.progress import show_duration  # noqa: PLC0415  for a person at a terminal alone

        reason = "their outputs exist" if self._settings.no_clobber else "up to date; options are not compared"
        counts = [
            f"{self._written} written",
            f"{self._skipped} skipped ({reason})" if self._skipped else "",
            f"{self.failed} failed" if self.failed else "",
            f"{left} not started" if left else "",
        ]
        return f"{', '.join(filter(None, counts))} in {show_duration(monotonic() - self._begun)}"

    def _add_to_report(self, outcome: Outcome, report: BinaryIO) -> None:
        """Add a line to the report at once, with the same keys for each input; a failure stops the report alone."""
        record = {
            "input": outcome.source,
            "size": list(outcome.shape) or None,
            "outputs": outcome.outputs,
            "skipped": outcome.skipped,
            "warnings": outcome.warnings,
            "classes": outcome.classes,
            "engines": outcome.engines,
            "seconds": round(outcome.seconds, 6),
            "error": "; ".join(outcome.errors) or None,
        }
        if self._settings.augmentation:
            record["drawn"] = outcome.drawn
        line = to_json(record).encode() + b"\n"
        if self._settings.report == STANDARD:  # fails as any other output there does
            _print(line)
            return
        try:
            report.write(line)
            report.flush()
        except OSError as error:
            self._trouble(f"{report.name}: {error.strerror or error}")
            with suppress(OSError):
                report.close()
            self._report = None

    def _trouble(self, reason: object) -> None:
        """Write that a file about the batch could not be written."""
        self.troubles += 1
        say(str(reason))

    def write_rules(self, path: Path, prerequisites: Sequence[Path]) -> None:
        """Write the rules of make for what was made."""
        try:
            rules = "".join(
                write_rule(paths, source, (*prerequisites, *masks)) for source, paths, masks in self.made if paths
            )
            write_whole(path, os.fsencode(rules + write_empty_rules(prerequisites)))
        except (ImageFileError, OutputError) as error:
            self._trouble(error)


def _standard_output() -> BinaryIO:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    return sys.stdout.buffer


def _print(data: Encoded) -> None:
    """Write to standard output at once."""
    STATUS.clear()
    stream = _standard_output()
    write_pieces(stream, data)
    stream.flush()


def _open(path: str) -> BinaryIO:
    if path == STANDARD:
        return _standard_output()
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def check_reports(
    jobs: Sequence[Job], settings: Settings, protected: frozenset[str], prerequisites: Sequence[Path]
) -> None:
    """Raise an `OutputError` if options contradict each other, or a report cannot be written or hits a file in use."""
    if settings.update:
        _check_times(jobs, settings)
    if settings.depfile:
        made = [job for job in jobs if job.target or not job.view]
        if not made or any(job.target is None for job in made):
            raise OutputError("--depfile lists the files that are written; use -o FILE, -o FOLDER/ or a template")
        for name in (*(name for job in jobs for name in (job.source, str(job.target))), *map(str, prerequisites)):
            if is_address(name):
                raise OutputError("make knows files, not addresses; leave --depfile out", path=name)
            _quote(name)
    if settings.depfile == STANDARD:
        raise OutputError("--depfile needs a file; ./- is a file of that name")
    if settings.report == STANDARD and any(job.target is None and job.format_name for job in jobs):
        raise OutputError("--report - prints on standard output, and the results do so too; -o FILE takes the results")
    reports = [path for path in (settings.report, settings.depfile) if path and path != STANDARD]
    folders: dict[str, str] = {}
    targets = {identify(job.target, folders)[0] for job in jobs if job.target} if reports else set()
    for path in reports:
        identities = identify(path, folders)
        if not protected.isdisjoint(identities):
            raise OutputError(f"{path}: is read, and would be overwritten")
        if identities[0] in targets:
            raise OutputError(f"{path}: is an output too")
        targets.add(identities[0])
        if not Path(path).parent.is_dir() or Path(path).is_dir():
            raise OutputError(f"{path}: {'is a folder' if Path(path).is_dir() else 'no such folder'}")
    if settings.depfile and not settings.dry_run:
        check_writable(Path(settings.depfile))


def _check_times(jobs: Sequence[Job], settings: Settings) -> None:
    """Raise an `OutputError` if outputs cannot be compared with their inputs."""
    if settings.in_place:
        raise OutputError("--update compares an output with its input, and with --in-place they are one file")
    names = {name for job in jobs for name in (job.source, str(job.target or ""))}
    if timeless := find_timeless(sorted(names)):
        raise OutputError("--update compares times, and this store keeps none", path=timeless)


def write_rule(outputs: Iterable[str], source: str, prerequisites: Iterable[Path]) -> str:
    """Return a rule of a makefile: outputs depend on an input and other files."""
    needed = [*([] if source == STANDARD else [source]), *map(str, prerequisites)]
    return f"{' '.join(map(_quote_target, outputs))}: {' '.join(map(_quote, needed))}\n"


def write_empty_rules(prerequisites: Iterable[Path]) -> str:
    """Return rules with which make goes on where a kernel or a network has been deleted."""
    return "".join(f"{_quote_target(os.fspath(path))}:\n" for path in dict.fromkeys(prerequisites))


_UNSPEAKABLE = {"\n": "a line end", "\t": "a tab", "=": "'='", ";": "';'", "|": "'|'"}
"""What makes a variable, a recipe or something else of a rule, whatever is before it: `a!=b` runs b."""


def _quote(name: str) -> str:
    """Return a name as make reads it back, or raise an `OutputError` if it has no way to."""
    for sign, word in _UNSPEAKABLE.items():
        if sign in name:
            raise OutputError(f"a name with {word} is not possible in rules for make", path=name)
    marked = re.sub(r"(\\*)([ #:*?\[])", r"\1\1\\\2", name)
    return marked.replace("$", "$$")


def _quote_target(name: str) -> str:
    """Return a name left of the colon, where a percent sign would make a pattern of it."""
    return _quote(name).replace("%", r"\%")
