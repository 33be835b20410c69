"""What goes with a batch beside its outputs: the bar, the report, the rules of make, good order at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cnnfilter.cli.base import Console
from cnnfilter.cli.clerk import Clerk
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.files.outputs import STANDARD, Job, Resolver
from cnnfilter.files.writing import write_whole

if TYPE_CHECKING:
    from cnnfilter.work import Settings


def check_companions(
    jobs: Sequence[Job], settings: Settings, spared: frozenset[str], prerequisites: Sequence[Path]
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
        from cnnfilter.files.make import check_names  # noqa: PLC0415  --depfile alone

        names = (name for job in jobs for name in (job.source, job.format_name))
        check_names((*names, *map(str, prerequisites)))
    companions = [path for path in (settings.report, settings.depfile) if path]
    resolver = Resolver()
    targets = {resolver.resolve(job.target) for job in jobs if job.target} if companions else set()
    for path in companions:
        if path == STANDARD:
            raise OutputError(
                "--report and --depfile name files, and '-' stands for the standard streams; ./- is a file"
            )
        if not spared.isdisjoint(resolver.identities(path)):
            raise OutputError(f"{path}: is read, and would be written over")
        if resolver.resolve(path) in targets:
            raise OutputError(f"{path}: an output would be written to it as well")
        targets.add(resolver.resolve(path))
        if not Path(path).parent.is_dir() or Path(path).is_dir():
            raise OutputError(f"{path}: {'is a folder' if Path(path).is_dir() else 'no such folder'}")


@contextmanager
def attended(settings: Settings, total: int) -> Iterator[Clerk]:
    """Yield who hears of the inputs, with the bar and the report that go with the settings."""
    progress = None
    if total > 1 and not (settings.quiet or settings.verbose or settings.dry_run) and _is_terminal():
        from cnnfilter.cli.progress import Progress  # noqa: PLC0415  terminals alone

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
    from cnnfilter.files.make import write_empty_rules, write_rule  # noqa: PLC0415  --depfile alone

    try:
        rules = "".join(write_rule(outputs, source, prerequisites) for outputs, source in clerk.rules if outputs)
        write_whole(path, os.fsencode(rules + write_empty_rules(prerequisites)))
    except (ImageFileError, OutputError) as error:
        clerk.trouble(error)
