"""Many inputs, several at a time: read, run, write; a failure is named and the rest done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from cnnfilter.accounts import Account, Listener, Output
from cnnfilter.compute.tiles import count_cores, kept_to_one_core
from cnnfilter.compute.weights import Model
from cnnfilter.errors import CnnFilterError, ImageFileError, OutputError, ask_for_report, one_line
from cnnfilter.files.formats import is_matrix, looks_like_matrix
from cnnfilter.files.outputs import STANDARD, Job, identities
from cnnfilter.files.pictures import Picture, decode_picture, read_bytes
from cnnfilter.files.reading import Reading
from cnnfilter.files.unfinished import Unfinished
from cnnfilter.files.writing import make_folder_of, write_whole
from cnnfilter.rendering import File, encode_result, name_files
from cnnfilter.results import Handling, Result, foresee_shapes, run_picture
from cnnfilter.telling import listening, tell

_REPORTS_AHEAD = 1000
"""So many inputs may be done before one ahead of them, as far as they leave no more than a few lines behind."""


class Show(Protocol):
    """What shows the work on one input: draws figures, explains values."""

    def watch(self, job: Job, result: Result) -> Result:
        """Return a result that is seen while it is written, so that it need not be made again to be drawn."""

    def show(self, job: Job, notes: list[str]) -> File:
        """Return what a job of this kind is to give, empty if it is done already; remarks are added to `notes`."""


class Viewer(Protocol):
    """Who has something to show of each input."""

    def attend(self, picture: Picture, views: Sequence[Job], models: Sequence[Model], handling: Handling) -> Show:
        """Return what shows the work on an input, before it is done; `views` are the jobs that want to be shown."""


class Work(NamedTuple):
    """What is done with every input.

    Parameters
    ----------
    models
        The network for each kernel, or the one network, with its weights.
    jobs
        What is made, the jobs of an input in a row.
    handling
        How pictures are run, and how results become files.
    reading
        How pictures are read.
    no_clobber, fail_fast, update
        Whether files that exist are passed over, the first failure ends all, files that are up to date are passed
        over.
    stdin
        What standard input held, if it is an input.
    spared
        The identities of all files that are read, over which nothing is written but a job's own target.
    prerequisites
        The files that results hang on beside their input: kernels, networks, weights, labels.
    threads
        How many inputs are worked on at a time, each on one core; 1 holds all to one core. Unless given as many as
        there are cores, and a single one has all of them.
    viewer
        Who does the jobs that show the work; None if there are none.
    """

    models: tuple[Model, ...]
    jobs: tuple[Job, ...]
    handling: Handling = Handling()
    reading: Reading = Reading()
    no_clobber: bool = False
    fail_fast: bool = False
    update: bool = False
    stdin: bytes = b""
    spared: frozenset[str] = frozenset()
    prerequisites: tuple[Path, ...] = ()
    threads: int | None = None
    viewer: Viewer | None = None


def run_batch(work: Work, listener: Listener) -> int:
    """Carry out all jobs, and return how many inputs failed.

    What fails is told to the listener as `PATH: reason`; the other inputs, and the other kernels on the
    same input, are done all the same. All is told in the order of the inputs.
    """
    batch, failures = _Batch(work), 0
    try:
        for account in batch.accounts():
            failures += bool(account.errors)
            account.tell_to(listener)
    except BaseException:
        batch.unfinished.abandon()
        raise
    return failures


class _Batch:
    """The work on all inputs, and what those that are worked on at a time must know of each other."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.unfinished = Unfinished()
        self._written: dict[str, object] = {}
        self._failed = False
        self._prints = sum(not (job.target or job.view) for job in work.jobs)

    def accounts(self) -> Iterator[Account]:
        """Work on all inputs, and yield what came of each, in their order."""
        count = sum(1 for _ in groupby(self.work.jobs, key=lambda job: job.source))
        threads = min(self.work.threads or count_cores(), count)
        if threads < 2 and self.work.threads != 1:
            yield from map(self._filter_input, self._inputs())
            return
        from cnnfilter.files.opencv import one_thread_each  # noqa: PLC0415  one input goes without
        from cnnfilter.workers import work_in_order  # noqa: PLC0415

        with one_thread_each():
            if threads < 2:
                yield from map(self._filter_in_company, self._inputs())
                return
            ahead = threads + 1 if self._prints else max(_REPORTS_AHEAD, threads)
            yield from work_in_order(self._inputs(), self._filter_in_company, threads, ahead)

    def _inputs(self) -> Iterator[list[Job]]:
        """Yield the jobs of each input, until the first failure where that ends all."""
        for _, jobs in groupby(self.work.jobs, key=lambda job: job.source):
            if self._failed and self.work.fail_fast:
                return
            yield list(jobs)

    def _filter_in_company(self, jobs: list[Job]) -> Account:
        with kept_to_one_core():
            return self._filter_input(jobs)

    def _filter_input(self, jobs: list[Job]) -> Account:
        """Carry out the jobs of one input, and return what came of it; a bug fails this input alone."""
        account = Account(jobs[0].source)
        with listening(account.hear):
            try:
                self._filter(jobs, account)
            except Exception as error:  # whatever it is, the other inputs are done
                account.failure(f"{_spoken(account.source)}: {ask_for_report(error)}")
        self._failed = self._failed or bool(account.errors)
        return account.close()

    def _filter(self, jobs: list[Job], account: Account) -> None:
        wanted = [job for job in jobs if job.layer or not self._stands(job, [job.format_name], account)]
        if not wanted:
            return
        try:
            picture = read_input(account.source, self.work)
        except FAILURES as error:
            account.failure(name_failure(account.source, error))
            return
        account.shape = picture.pixels.shape
        plain, views = [job for job in wanted if not job.view], [job for job in wanted if job.view]
        show = None
        if self.work.viewer and views:
            show = self.work.viewer.attend(picture, views, self.work.models, self.work.handling)
        for _, alike in groupby(plain, key=lambda job: (job.kernel, bool(job.layer))):
            self._carry_out(list(alike), picture, account, show)
        if show:
            notes = self._show(views, show, account)
            self._remark([] if plain else notes, account)  # else they have been told already

    def _stands(self, job: Job, names: list[str], account: Account) -> bool:
        """Return whether a job's files need not be made again, and note that."""
        reason = find_reason_to_pass(job, names, self.work)
        if reason and job.target:
            tell("%s: passed over, %s %s", job.source, job.target, reason)
            account.passed_over += names
            self.unfinished.sweep(job.target.parent)
        return bool(reason)

    def _show(self, views: list[Job], show: Show, account: Account) -> list[str]:
        """Do the jobs that show the work on an input, and return what is to be remarked."""
        notes: list[str] = []
        for job in views:
            tell("%s: %s -> %s", job.source, job.view, job.target or "standard output")
            own: list[str] = []
            try:
                if job.target:
                    self._claim(job.target, job)
                self._deliver([show.show(job, own)], job, account)
            except FAILURES as error:
                account.failure(name_failure(job.source, error))
            else:
                notes += own
        return notes

    def _remark(self, notes: list[str], account: Account) -> None:
        for note in dict.fromkeys(notes):
            account.remark(f"{_spoken(account.source)}: {note}")

    def _carry_out(self, jobs: list[Job], picture: Picture, account: Account, show: Show | None) -> None:
        """Run one network on an input, and do the jobs that it serves."""
        work, source = self.work, account.source
        model = work.models[jobs[0].kernel]
        failed, notes = False, list[str]()
        try:
            if work.update and jobs[0].layer:
                shapes = foresee_shapes(picture, model, work.handling, [job.layer for job in jobs])
                names = {job.layer: name_files(job, shapes[job.layer], work.handling) for job in jobs}
                jobs = [job for job in jobs if not self._stands(job, names[job.layer], account)]
            if not jobs:
                return
            tell("%s: %s -> %s", source, model.title, ", ".join(str(job.target or "standard output") for job in jobs))
            results, notes = run_picture(picture, model, work.handling, [job.layer for job in jobs if job.layer])
            if show and "" in results:
                results[""] = show.watch(jobs[0], results[""])
        except FAILURES as error:
            account.failure(name_failure(source, error))
            return
        for job in jobs:
            try:
                self._deliver(self._encode(results[job.layer], job, notes), job, account)
            except FAILURES as error:
                account.failure(name_failure(source, error))
                failed = True
        if not failed or account.outputs:
            self._remark(notes, account)

    def _encode(self, result: Result, job: Job, notes: list[str]) -> list[File]:
        """Return the files that hold a job's result, by their names, none of which is taken; remarks go to `notes`."""
        own: list[str] = []
        files = list(encode_result(result, job, self.work.handling, own))
        for file in files if job.target else ():
            self._claim(Path(file.name), job)
        notes += [f"{job.layer}: {note}" if job.layer else note for note in own]
        return files

    def _claim(self, path: Path, job: Job) -> None:
        """Raise an `OutputError` if a file is read by somebody, or was written in this batch."""
        if path != job.target and not self.work.spared.isdisjoint(identities(path)):
            raise OutputError(f"{path}: a map would be written over a file that is read; another folder spares it")
        mark = object()
        if self._written.setdefault(os.path.realpath(path), mark) is not mark:  # at once, whoever asks beside us
            raise OutputError(f"{path}: was written for another input or layer already; a folder of its own keeps both")

    def _deliver(self, files: list[File], job: Job, account: Account) -> None:
        """Write the files, or print them; of the maps of a layer some may stand already."""
        for file in files:
            if job.view and not file.data:  # it was shown in a window
                continue
            path = Path(file.name)
            if self.work.no_clobber and job.layer and path.exists():
                tell("%s: passed over, it exists", path)
                account.passed_over.append(file.name)
                continue
            if job.target:
                make_folder_of(path)
                write_whole(path, file.data, self.unfinished)
            else:
                if self._prints > 1 and not job.view:
                    account.output(_title(job, self.work.models))
                account.output(file.data)
            account.outputs.append(Output(file.name if job.target else None, file.shape, file.clipped))


def _title(job: Job, models: tuple[Model, ...]) -> bytes:
    """Return a comment that names an input and its network, where several results are printed."""
    return os.fsencode(one_line(f"# {_spoken(job.source)} {models[job.kernel].title}") + "\n")


FAILURES = (CnnFilterError, MemoryError)
"""What makes an input fail, and not the program."""


def name_failure(source: str, error: Exception) -> str:
    """Return `PATH: reason`; errors about a file name it themselves."""
    if isinstance(error, ImageFileError):
        return str(error)
    return f"{_spoken(source)}: {'not enough memory' if isinstance(error, MemoryError) else error}"


def _spoken(source: str) -> str:
    """Return what an input is called in a message."""
    return "standard input" if source == STANDARD else source


def find_reason_to_pass(job: Job, names: list[str], work: Work) -> str:
    """Return why a job's files need not be made again, `exists` or `is up to date`, or nothing."""
    if job.target is None:
        return ""
    if work.no_clobber and not job.layer and job.target.exists():
        return "exists"
    if not work.update:
        return ""
    from cnnfilter.files.make import is_up_to_date  # noqa: PLC0415  --update alone asks

    paths = [Path(name) for name in names]
    return "is up to date" if is_up_to_date(paths, job.source, work.prerequisites) else ""


def read_input(source: str, work: Work) -> Picture:
    """Return the picture or matrix of an input; `ImageFileError` if there is none."""
    data = work.stdin if source == STANDARD else read_bytes(source)
    matrix = looks_like_matrix(data) if source == STANDARD else is_matrix(source)
    return decode_picture(data, _spoken(source), matrix=matrix, reading=work.reading)
