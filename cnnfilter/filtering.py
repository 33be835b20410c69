"""The work on inputs, one after the other: read, run, written; a failure is named and the rest done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from cnnfilter.accounts import Account, Output
from cnnfilter.compute.weights import Model
from cnnfilter.errors import OutputError, ask_for_report, one_line
from cnnfilter.files.outputs import Job, Resolver, spoken
from cnnfilter.files.pictures import Picture
from cnnfilter.files.writing import Unfinished, make_folder_of, write_whole
from cnnfilter.inputs import FAILURES, find_reason_to_pass, name_failure, read_input
from cnnfilter.rendering import File, encode_result, name_files
from cnnfilter.results import Result, foresee_shapes, run_picture
from cnnfilter.telling import listening, tell
from cnnfilter.work import Show, Work


class Filtering:
    """The work on inputs in one process.

    Parameters
    ----------
    work
        What is done with every input.

    Attributes
    ----------
    unfinished
        The files that are being written.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.unfinished = Unfinished()
        self._written: set[str] = set()
        self._prints = count_prints(work)
        self._names_maps = any(job.layer for job in work.jobs)  # all other names differ, as was seen before any work

    def filter_input(self, jobs: list[Job]) -> Account:
        """Carry out the jobs of one input, and return what came of it; a bug fails this input alone."""
        account = Account(jobs[0].source)
        with listening(account.hear):
            try:
                self._filter(jobs, account)
            except Exception as error:  # whatever it is, the other inputs are done
                account.failure(f"{spoken(account.source)}: {ask_for_report(error)}")
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
                self._claim(job, [job.format_name])
                self._deliver([show.show(job, own)], job, account)
            except FAILURES as error:
                account.failure(name_failure(job.source, error))
            else:
                notes += own
        return notes

    def _remark(self, notes: list[str], account: Account) -> None:
        for note in dict.fromkeys(notes):
            account.remark(note)

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
        self._claim(job, [file.name for file in files])
        notes += [f"{job.layer}: {note}" if job.layer else note for note in own]
        return files

    def _claim(self, job: Job, names: Sequence[str]) -> None:
        """Raise an `OutputError` if one of a job's files is read by somebody, or was written in this batch."""
        if not (self._names_maps and job.target):
            return
        paths, resolver = [Path(name) for name in names], Resolver()
        for path in paths:
            if path != job.target and not self.work.spared.isdisjoint(resolver.identities(path)):
                raise OutputError(f"{path}: a map would be written over a file that is read; another folder spares it")
        resolved = [resolver.resolve(path) for path in paths]
        for path, name in zip(paths, resolved, strict=True):
            if name in self._written:
                raise OutputError(
                    f"{path}: was written for another input or layer already; a folder of its own keeps both"
                )
        self._written.update(resolved)

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


def count_prints(work: Work) -> int:
    """Return how many results of each kind go to standard output."""
    return sum(not (job.target or job.view) for job in work.jobs)


def _title(job: Job, models: tuple[Model, ...]) -> bytes:
    """Return a comment that names an input and its network, where several results are printed."""
    return os.fsencode(one_line(f"# {spoken(job.source)} {models[job.kernel].title}") + "\n")
