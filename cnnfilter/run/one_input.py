"""One input from file to files: read, run, encoded, written; a failure is named and the other results are made."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from cnnfilter.errors import CnnFilterError, ImageFileError, OutputError, ask_for_report, one_line
from cnnfilter.io.atomic import TemporaryFiles, make_folder_of, write_whole
from cnnfilter.io.decode import Picture, decode_picture, read_bytes
from cnnfilter.io.formats import Depth, is_matrix, looks_like_matrix
from cnnfilter.io.headers import read_header
from cnnfilter.io.paths import STANDARD, Job, group_by_input, identify, name_input
from cnnfilter.log import listening, tell
from cnnfilter.nn.layers import show_shape
from cnnfilter.run.outcome import Account, Listener, Output
from cnnfilter.run.result import File, encode, foresee_shape, lay_out, name_files, run, run_layers
from cnnfilter.run.settings import Work

if TYPE_CHECKING:
    from cnnfilter.run.show import Show


FAILURES = (CnnFilterError, MemoryError)
"""What makes an input fail, and not the program."""


def name_failure(source: str, error: Exception) -> str:
    """Return `PATH: reason`; errors about a file name it themselves."""
    if isinstance(error, ImageFileError):
        return str(error)
    return f"{name_input(source)}: {'not enough memory' if isinstance(error, MemoryError) else error}"


class Filtering:
    """The work on inputs in one process.

    Parameters
    ----------
    work
        What is done with every input.

    Attributes
    ----------
    temporary_files
        The files that are being written.
    """

    def __init__(self, work: Work) -> None:
        self.temporary_files = TemporaryFiles()
        self._work, self._settings = work, work.settings
        self._written: set[str] = set()
        self._names_maps = any(job.layer for job in work.jobs)  # all other names differ, as was seen before any work
        self._titled = count_prints(work) > 1

    def filter_input(self, jobs: list[Job]) -> Account:
        """Carry out the jobs of one input, and return what came of it; a bug fails this input alone."""
        account = Account(jobs[0].source)
        with listening(account.hear):
            try:
                self._filter(jobs, account)
            except FAILURES as error:
                account.failure(name_failure(account.source, error))
            except Exception as error:  # whatever it is, the other inputs are done
                account.failure(f"{name_input(account.source)}: {ask_for_report(error)}")
        return account.close()

    def _filter(self, jobs: list[Job], account: Account) -> None:
        wanted = [job for job in jobs if job.layer or not self._is_done(job, [job.format_name], account)]
        if not wanted:
            return
        picture = read_input(account.source, self._work)
        account.shape = picture.pixels.shape
        plain, views = [job for job in wanted if not job.view], [job for job in wanted if job.view]
        show = None
        if views:
            from cnnfilter.run.show import Show  # noqa: PLC0415
            from cnnfilter.run.views import request_views  # noqa: PLC0415  nobody else needs it

            shown = request_views(self._settings, self._work.names)
            show = Show(shown, picture, views, self._work.models, self._settings)
        for _, alike in groupby(plain, key=lambda job: (job.kernel, bool(job.layer))):
            self._run_network(list(alike), picture, account, show)
        if show:
            notes = [note for job in views for note in self._show(job, show, account)]
            account.remark([] if plain else notes)  # else they have been told already

    def _run_network(self, jobs: list[Job], picture: Picture, account: Account, show: Show | None) -> None:
        """Run one network on an input, and make the files of all jobs that it serves."""
        source, model, settings, watch = account.source, self._work.models[jobs[0].kernel], self._settings, None
        try:
            if settings.update and jobs[0].layer:
                jobs = [job for job in jobs if not self._is_done(job, self._foresee(job, picture), account)]
            if not jobs:
                return
            targets = ", ".join(str(job.target or "standard output") for job in jobs)
            tell("%s: %s -> %s", source, model.title, targets)
            if jobs[0].layer:
                maps = run_layers(picture, model, settings, [job.layer for job in jobs])
            else:
                maps = {"": lay_out(picture, model, settings)}
                watch = show.watch(jobs[0], maps[""]) if show else None
        except FAILURES as error:
            account.failure(name_failure(source, error))
            return
        notes = list(maps[jobs[0].layer].notes)
        failed = False
        for job in jobs:
            try:
                files = [encode(result, settings) for result in run(maps[job.layer], job, settings, watch)]
                notes += [f"{job.layer}: {note}" if job.layer else note for file in files for note in file.notes]
                self._deliver(files, job, account)
            except FAILURES as error:
                account.failure(name_failure(source, error))
                failed = True
        if not failed or account.outputs:
            account.remark(notes)

    def _foresee(self, job: Job, picture: Picture) -> list[str]:
        shape = foresee_shape(picture, self._work.models[job.kernel], self._settings, job.layer)
        return name_files(job, shape, self._settings)

    def _show(self, job: Job, show: Show, account: Account) -> list[str]:
        """Do a job that shows the work on an input, and return what is to be remarked."""
        tell("%s: %s -> %s", job.source, job.view, job.target or "standard output")
        notes: list[str] = []
        try:
            self._deliver([show.show(job, notes)], job, account)
        except FAILURES as error:
            account.failure(name_failure(job.source, error))
            return []
        return notes

    def _is_done(self, job: Job, names: list[str], account: Account) -> bool:
        """Return whether a job's files need not be made again, and note that."""
        reason = find_reason_to_pass(job, names, self._work)
        if reason and job.target:
            tell("%s: passed over, %s %s", job.source, job.target, reason)
            account.passed_over += names
            self.temporary_files.sweep(job.target.parent)
        return bool(reason)

    def _claim(self, job: Job, paths: Sequence[Path]) -> None:
        """Raise an `OutputError` if one of a job's files is read by somebody, or was written in this batch."""
        folders: dict[str, str] = {}
        for path in paths:
            if path != job.target and not self._work.protected.isdisjoint(identify(path, folders)):
                raise OutputError(f"{path}: a map would be written over a file that is read; another folder spares it")
        names = [identify(path, folders)[0] for path in paths]
        for path, name in zip(paths, names, strict=True):
            if name in self._written:
                raise OutputError(
                    f"{path}: was written for another input or layer already; a folder of its own keeps both"
                )
        self._written.update(names)

    def _deliver(self, files: Sequence[File], job: Job, account: Account) -> None:
        """Write the files, or print them; of the maps of a layer some may be there already."""
        if self._names_maps and job.target:
            self._claim(job, [Path(file.name) for file in files if file.name])
        for file in files:
            if job.view and not file.data:  # it was shown in a window
                continue
            path = Path(file.name)
            if self._settings.no_clobber and job.layer and path.exists():
                tell("%s: passed over, it exists", path)
                account.passed_over.append(file.name)
                continue
            if job.target:
                make_folder_of(path)
                write_whole(path, file.data, self.temporary_files)
            else:
                if self._titled and not job.view:
                    title = f"# {name_input(job.source)} {self._work.models[job.kernel].title}"
                    account.output(os.fsencode(one_line(title) + "\n"))
                account.output(file.data)
            account.outputs.append(Output(file.name if job.target else None, file.shape, file.clipped))


def count_prints(work: Work) -> int:
    """Return how many results of each kind go to standard output."""
    return sum(not (job.target or job.view) for job in work.jobs)


def find_reason_to_pass(job: Job, names: list[str], work: Work) -> str:
    """Return why a job's files need not be made again, `exists` or `is up to date`, or nothing."""
    if job.target is None:
        return ""
    if work.settings.no_clobber and not job.layer and job.target.exists():
        return "exists"
    if not work.settings.update:
        return ""
    from cnnfilter.run.outcome import is_up_to_date  # noqa: PLC0415  --update alone asks

    return "is up to date" if is_up_to_date(list(map(Path, names)), job.source, work.prerequisites) else ""


def read_input(source: str, work: Work) -> Picture:
    """Return the picture or matrix of an input; `ImageFileError` if there is none."""
    data = work.stdin if source == STANDARD else read_bytes(source)
    matrix = looks_like_matrix(data) if source == STANDARD else is_matrix(source)
    settings = work.settings
    return decode_picture(
        data,
        name_input(source),
        matrix=matrix,
        page=settings.page,
        allow_truncated=settings.allow_truncated,
        most_pixels=settings.max_pixels,
    )


def sketch_file(source: str) -> Picture | None:
    """Return a picture as large as that in a file, or None where its head does not tell; no pipe is read."""
    if source == STANDARD or is_matrix(source) or not os.path.isfile(source):  # noqa: PTH113  as text
        return None
    try:
        with Path(source).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = read_header(cast(bytes, data))  # a map is sliced and searched as bytes are
    except (OSError, ValueError):  # what is empty, or not there at all, is read as ever
        return None
    return Picture(np.broadcast_to(np.uint8(0), header.shape), Depth.EIGHT) if header.shape else None


def rehearse(work: Work, listener: Listener) -> None:
    """Give the listener a line for each output, `INPUT SIZE -> OUTPUT SIZE`; nothing is run or written.

    The sizes are those in the heads of the files. What would be passed over is marked so; an input that cannot be
    read, or does not fit the network, is a failure.
    """
    for jobs in group_by_input(work.jobs):
        source = jobs[0].source
        account = Account(source)
        try:
            picture = sketch_file(source) or read_input(source, work)
            size = show_shape(picture.pixels.shape)
            for job in jobs:
                for line in _foretell(picture, job, work):
                    text = one_line(f"{source} {size} -> {line}") + "\n"
                    account.output(text.encode("utf-8", "surrogateescape"))
        except FAILURES as error:
            account.failure(name_failure(source, error))
        account.close().tell_to(listener)


def _foretell(picture: Picture, job: Job, work: Work) -> list[str]:
    """Return each output of a job with its size; that of a figure or an explanation is known when it has been made."""
    names, after = [str(job.target or job.format_name)], ""
    if job.view:
        for model in work.models:
            foresee_shape(picture, model, work.settings)
    else:
        shape = foresee_shape(picture, work.models[job.kernel], work.settings, job.layer)
        names = name_files(job, shape, work.settings)
        after = f" {show_shape(shape[:2] if len(names) > 1 else shape)}"
    reason = find_reason_to_pass(job, names, work)
    if not job.target:
        names = ["standard output" if job.format_name else "a window"]
    return [f"{name}{after}{f' ({reason})' if reason else ''}" for name in names]
