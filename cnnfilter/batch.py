"""Many inputs, one after the other: read, run, write; a failure is named and the rest done."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from cnnfilter.compute.weights import Model
from cnnfilter.errors import CnnFilterError, ImageFileError, OutputError, one_line
from cnnfilter.files.formats import is_matrix, looks_like_matrix
from cnnfilter.files.images import Encoded
from cnnfilter.files.outputs import STANDARD, Job, identities, make_folder_of, write_whole
from cnnfilter.files.pictures import Picture, decode_picture, read_bytes
from cnnfilter.files.reading import Reading
from cnnfilter.results import Handling, Result, encode_result, run_picture
from cnnfilter.telling import tell


class Listener(Protocol):
    """Who is told what happens."""

    def remark(self, text: str) -> None:
        """Hear what is right but perhaps not meant so."""

    def failure(self, text: str) -> None:
        """Hear which input failed, and why."""

    def output(self, data: Encoded) -> None:
        """Take what goes to standard output."""


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
    no_clobber, fail_fast
        Whether files that exist are passed over, the first failure ends all.
    stdin
        What standard input held, if it is an input.
    spared
        The identities of all files that are read, over which nothing is written but a job's own target.
    """

    models: tuple[Model, ...]
    jobs: tuple[Job, ...]
    handling: Handling = Handling()
    reading: Reading = Reading()
    no_clobber: bool = False
    fail_fast: bool = False
    stdin: bytes = b""
    spared: frozenset[str] = frozenset()


def run_batch(work: Work, listener: Listener) -> int:
    """Carry out all jobs, and return how many inputs failed.

    What fails is told to the listener as `PATH: reason`; the other inputs, and the other kernels on the
    same input, are done all the same.
    """
    failures = 0
    written: set[str] = set()
    for source, jobs in groupby(work.jobs, key=lambda job: job.source):
        failures += not _filter_input(source, list(jobs), work, listener, written)
        if failures and work.fail_fast:
            break
    return failures


def _filter_input(source: str, jobs: list[Job], work: Work, listener: Listener, written: set[str]) -> bool:
    """Carry out the jobs of one input, and return whether all went well; `written` has the files made so far."""
    wanted = [job for job in jobs if not (work.no_clobber and not job.layer and job.target and job.target.exists())]
    if not wanted:
        tell("%s: passed over, its output exists", source)
        return True
    try:
        picture = _read(source, work)
    except _FAILURES as error:
        listener.failure(_named(source, error))
        return False
    done = [
        _carry_out(list(alike), picture, work, listener, written)
        for _, alike in groupby(wanted, key=lambda job: (job.kernel, bool(job.layer)))
    ]
    return all(done)


def _carry_out(jobs: list[Job], picture: Picture, work: Work, listener: Listener, written: set[str]) -> bool:
    """Run one network on an input, do the jobs that it serves, and return whether all went well."""
    model, source = work.models[jobs[0].kernel], jobs[0].source
    tell("%s: %s -> %s", source, model.title, ", ".join(str(job.target or "standard output") for job in jobs))
    layers = [job.layer for job in jobs if job.layer]
    try:
        results, notes = run_picture(picture, model, work.handling, layers)
    except _FAILURES as error:
        listener.failure(_named(source, error))
        return False
    done = []
    for job in jobs:
        try:
            _deliver(_encode(results[job.layer], job, work, written, notes), job, work, listener)
            done.append(True)
        except _FAILURES as error:
            listener.failure(_named(source, error))
            done.append(False)
    for note in dict.fromkeys(notes) if any(done) else ():
        listener.remark(f"{_spoken(source)}: {note}")
    return all(done)


def _encode(result: Result, job: Job, work: Work, written: set[str], notes: list[str]) -> list[tuple[str, Encoded]]:
    """Return the files that hold a job's result, by their names, none of which is taken; remarks go to `notes`."""
    own: list[str] = []
    files = list(encode_result(result, job, work.handling, own))
    for name, _ in files if job.target else ():
        path = Path(name)
        if path != job.target and not work.spared.isdisjoint(identities(path)):
            raise OutputError(f"{path}: a map would be written over a file that is read; another folder spares it")
        if (real := os.path.realpath(path)) in written:
            raise OutputError(f"{path}: was written for another input or layer already; a folder of its own keeps both")
        written.add(real)
    notes += [f"{job.layer}: {note}" if job.layer else note for note in own]
    return files


def _deliver(files: list[tuple[str, Encoded]], job: Job, work: Work, listener: Listener) -> None:
    """Write the files, or print them; of the maps of a layer some may stand already."""
    for name, data in files:
        if work.no_clobber and job.layer and Path(name).exists():
            tell("%s: passed over, it exists", name)
        elif job.target:
            make_folder_of(Path(name))
            write_whole(Path(name), data)
        else:
            if title := _title(job, work):
                listener.output(title)
            listener.output(data)


def _title(job: Job, work: Work) -> bytes:
    """Return a comment that names an input and its network, where several results are printed."""
    if sum(other.target is None for other in work.jobs) < 2:
        return b""
    return os.fsencode(one_line(f"# {_spoken(job.source)} {work.models[job.kernel].title}") + "\n")


_FAILURES = (CnnFilterError, MemoryError)
"""What makes an input fail, and not the program."""


def _named(source: str, error: Exception) -> str:
    """Return `PATH: reason`; errors about a file name it themselves."""
    if isinstance(error, ImageFileError):
        return str(error)
    return f"{_spoken(source)}: {'not enough memory' if isinstance(error, MemoryError) else error}"


def _spoken(source: str) -> str:
    """Return what an input is called in a message."""
    return "standard input" if source == STANDARD else source


def _read(source: str, work: Work) -> Picture:
    data = work.stdin if source == STANDARD else read_bytes(source)
    matrix = looks_like_matrix(data) if source == STANDARD else is_matrix(source)
    return decode_picture(data, _spoken(source), matrix=matrix, reading=work.reading)
