"""Inputs from files to files: each is read, run, encoded and written; a failure is named, and the rest is done."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from cnnfilter.compute.plan import Plan
from cnnfilter.compute.threads import count_cores, kept_to_one_core
from cnnfilter.errors import CnnFilterError, ImageFileError, OutputError, ask_for_report, one_line
from cnnfilter.io.addresses import FilePath, as_path, exists, is_address, read_time
from cnnfilter.io.atomic import TemporaryFiles, read_bytes, write_into, write_whole
from cnnfilter.io.decode import Batch, Picture, decode_picture, make_sketch
from cnnfilter.io.encode import check_shape
from cnnfilter.io.formats import find_format, is_array, is_matrix, looks_like_matrix
from cnnfilter.io.headers import Header, read_header
from cnnfilter.io.opencv import held_to_one_thread
from cnnfilter.io.paths import STANDARD, Job, identify, name_input
from cnnfilter.io.zarr_arrays import read_stored, write_array
from cnnfilter.log import PROGRESS, Level, listening, tell
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.run.masks import list_draws, move_along, name_copy
from cnnfilter.run.result import (
    File,
    check_batch,
    check_memory,
    encode,
    foresee_shape,
    lay_out,
    name_files,
    run,
    run_layers,
    settle_alpha,
)
from cnnfilter.run.settings import Work

if TYPE_CHECKING:
    from cnnfilter.compute.classes import Class
    from cnnfilter.run.show import Show

FAILURES = (CnnFilterError, MemoryError)
"""What makes an input fail, and not the program."""

Kind = Level | Literal["note", "failure", "output"]
"""Of an event: what the log tells, a warning about the input, why it failed, bytes for standard output."""


class Outcome:
    """What came of one input; `shape` is known once it has been read, and `engines` names what laid the kernels.

    `drawn` are the steps of augmented copies, `masks` the files that were moved along. Without `plans` it is not noted
    how kernels were laid.
    """

    def __init__(self, source: str, *, plans: bool = True) -> None:
        self.source = source
        self._plans = plans
        self.shape: Shape = ()
        self.events: list[tuple[Kind, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self.warnings: list[str] = []
        self.classes: list[Class] = []
        self.engines: list[str] = []
        self.drawn: list[dict[str, Any]] = []
        self.masks: list[Path] = []
        self.errors: list[str] = []
        self.seconds = 0.0

    def hear(self, level: Level, message: str, *values: object) -> None:
        """Keep the messages of the rooms below."""
        if level == "plan":
            if not self._plans:
                return
            (plan,) = values
            assert isinstance(plan, Plan)
            if (engine := plan.explain()[0]) not in self.engines:
                self.engines.append(engine)
        self.events.append((level, message % values))

    def warn(self, notes: Iterable[str]) -> None:
        """Keep warnings about the input, each once."""
        new = [note for note in dict.fromkeys(notes) if note not in self.warnings]
        self.warnings += new
        self.events += [("note", note) for note in new]

    def fail(self, error: Exception) -> None:
        """Keep why the input failed, `PATH: reason`, each reason once: several of its outputs may fail for the same."""
        if isinstance(error, ImageFileError):
            text = str(error)
        else:
            name, reason = name_input(self.source), str(error)
            if isinstance(error, MemoryError):
                reason = "not enough memory"
            elif isinstance(error, OSError) and error.strerror:  # the system refuses something, such as more files
                name, reason = error.filename or name, error.strerror
            elif not isinstance(error, FAILURES):
                reason = ask_for_report(error)
            text = f"{name}: {reason}"
        if text not in self.errors:
            self.errors.append(text)
            self.events.append(("failure", text))


def run_batch(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Carry out all jobs, and hand over what comes of each input, in their order; one that fails stops no other.

    The folders of all outputs are made first; one that is removed later is missed. `OutputError` if one cannot be made.
    """
    for folder in {job.target.parent for jobs in work.inputs for job in jobs if job.target}:
        try:
            if isinstance(folder, Path):  # stores have none
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(error.strerror or error, path=folder) from error
    settings = work.settings
    if _goes_by_parts(work):
        from cnnfilter.run.chunks import filter_arrays  # noqa: PLC0415  few inputs are such arrays

        filter_arrays(work, hear)
        return
    if settings.cluster:
        from cnnfilter.run.cluster import run_on_cluster  # noqa: PLC0415  few batches have one

        run_on_cluster(work, hear)
        return
    keep_freed_memory()
    processes = 1 if len(work.inputs) == 1 else min(settings.jobs or count_cores(), len(work.inputs))
    if processes > 1:
        from cnnfilter.run.process_pool import can_share, run_in_processes  # noqa: PLC0415  one input goes without

        if can_share(work.inputs):
            run_in_processes(work, processes, hear)
            return
    filtering = Filtering(work)
    with ExitStack() as limits:
        if settings.jobs == 1:
            limits.enter_context(held_to_one_thread())
            limits.enter_context(kept_to_one_core())
        try:
            for jobs in work.inputs:
                outcome = filtering.filter_input(jobs)
                hear(outcome)
                if outcome.errors and settings.fail_fast:
                    return
        except BaseException:
            filtering.temporary_files.abandon()
            raise


def _goes_by_parts(work: Work) -> bool:
    """Return whether inputs are arrays that are filtered part by part; copies are made of an array as of an image."""
    return bool(work.inputs) and is_array(work.inputs[0][0].source) and not work.settings.augmentation


def keep_freed_memory() -> None:
    """Let this process keep freed arrays for the next ones, where glibc can: a page taken anew costs a fault."""
    import ctypes  # noqa: PLC0415  numpy has loaded it before, where there is any image

    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-1, 256 << 20)  # M_TRIM_THRESHOLD: so much is kept in all
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD: so much of one array, the most that glibc allows


class Filtering:
    """The work on inputs in one process, with the files that are being written."""

    def __init__(self, work: Work) -> None:
        self.temporary_files = TemporaryFiles()
        self._work, self._settings = work, work.settings
        self._written: dict[str, Job] = {}  # what has been written, and by which job
        self._masks: dict[str, Picture] = {}  # the last one that was read
        jobs = [job for jobs in work.inputs for job in jobs]
        self._names_maps = any(job.layer for job in jobs)  # all other names differ, as was seen before any work
        self._titled = sum(not (job.target or job.view) for job in jobs) > 1

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another machine: what is done with an input, and no input."""
        work = self._work._replace(inputs=[], below=self._work.below if self._settings.augmentation else {})
        work = work if self._names_maps else work._replace(protected=frozenset())
        return {**self.__dict__, "temporary_files": None, "_work": work, "_masks": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with no file written."""
        self.__dict__ |= {**state, "temporary_files": TemporaryFiles()}

    def filter_input(self, jobs: list[Job]) -> Outcome:
        """Carry out the jobs of one input, and return what came of it; a bug fails this input alone."""
        reads_plans = self._settings.verbose or self._settings.report is not None
        outcome, begun = Outcome(jobs[0].source, plans=reads_plans), perf_counter()
        with listening(outcome.hear):
            try:
                self._filter(jobs, outcome)
            except Exception as error:  # whatever it is, the other inputs are done
                outcome.fail(error)
        outcome.seconds = perf_counter() - begun
        return outcome

    def _filter(self, jobs: list[Job], outcome: Outcome) -> None:
        if self._settings.no_clobber or self._settings.update:
            jobs = [job for job in jobs if job.layer or not self._is_done(job, [str(job.target)], outcome)]
        if not jobs:
            return
        picture = read_input(outcome.source, self._work)
        outcome.shape = picture.pixels.shape
        plain, masks = [job for job in jobs if not job.view], [job for job in jobs if job.mask]
        views = [job for job in jobs if job.view and not job.mask]
        show = None
        if views:
            from cnnfilter.run.show import Show  # noqa: PLC0415  nobody else needs it

            show = Show(self._work, picture, views)
        pages = _take_pages(picture, plain) if any(job.page for job in plain) else [(0, picture)]
        for page, one in pages:
            of_page = [job for job in plain if job.page == page]
            for _, alike in groupby(of_page, key=lambda job: (job.kernel, bool(job.layer), job.copy)):
                self._run_network(list(alike), one, outcome, show if page <= 1 else None)
        for job in masks:
            self._move_mask(job, picture, outcome)
        if show:
            notes = [note for job in views for note in self._show(job, show, outcome)]
            outcome.warn([] if plain else notes)  # with results they have been given already

    def _run_network(self, jobs: list[Job], picture: Picture, outcome: Outcome, show: Show | None) -> None:
        """Run one network on an input, and make the files of all jobs that it serves."""
        source, model, settings, watch = outcome.source, self._work.models[jobs[0].kernel], self._settings, None
        if settings.augmentation:
            settings = settings._replace(augmentation=name_copy(jobs[0], self._work))
        try:
            if settings.update and jobs[0].layer:
                names = [name_files(job, foresee_shape(picture, model, settings, job.layer), settings) for job in jobs]
                jobs = [job for job, named in zip(jobs, names, strict=True) if not self._is_done(job, named, outcome)]
            if not jobs:
                return
            if settings.verbose:  # the text of a network takes long to write
                targets = ", ".join(str(job.target or "standard output") for job in jobs)
                tell("%s: %s -> %s", source, model.title, targets)
            if picture.has_alpha and not jobs[0].layer:
                picture = settle_alpha(picture, jobs[0], model, settings)
            if jobs[0].layer:
                maps = run_layers(picture, model, settings, [job.layer for job in jobs])
            else:
                maps = {"": lay_out(picture, model, settings)}
                watch = show.watch(jobs[0], maps[""]) if show else None
        except FAILURES as error:
            outcome.fail(error)
            return
        notes = list(maps[jobs[0].layer].notes)
        failed = False
        for job in jobs:
            try:
                files = [encode(result, settings) for result in run(maps[job.layer], job, settings, watch)]
                notes += [f"{job.layer}: {note}" if job.layer else note for file in files for note in file.notes]
                self.deliver(files, job, outcome)
            except FAILURES as error:
                outcome.fail(error)
                failed = True
        if not failed or outcome.outputs:
            outcome.warn(notes)
        if settings.augmentation and not failed:
            outcome.drawn.append(list_draws(picture, settings.augmentation, settings))

    def _move_mask(self, job: Job, picture: Picture, outcome: Outcome) -> None:
        """Move the mask of an input as one of its copies was moved, unless that failed."""
        if outcome.errors:
            return
        tell("%s: %s -> %s", job.source, job.mask, job.target)
        try:
            mask = self._masks.get(job.mask) or read_input(job.mask, self._work)
            self._masks = {job.mask: mask}
            result = move_along(mask, picture, job, self._work)
            self.deliver([encode(result, self._settings)], job, outcome)
        except FAILURES as error:
            outcome.fail(error)
            return
        outcome.masks = [Path(job.mask)]

    def _show(self, job: Job, show: Show, outcome: Outcome) -> tuple[str, ...]:
        """Do a job that shows the work on an input, and return warnings."""
        tell("%s: %s -> %s", job.source, job.view, job.target or "standard output")
        try:
            file = show.show(job)
            self.deliver([file], job, outcome)
        except FAILURES as error:
            outcome.fail(error)
            return ()
        return file.notes

    def _is_done(self, job: Job, names: list[str], outcome: Outcome) -> bool:
        """Return whether a job's files need not be made again, and note that."""
        reason = find_reason_to_pass(job, names, self._work)
        if reason and job.target:
            tell("%s: skipped, %s %s", job.source, job.target, reason)
            outcome.skipped += names
            self.temporary_files.sweep(job.target.parent)
        return bool(reason)

    def _claim(self, job: Job, paths: Sequence[FilePath]) -> None:
        """Raise an `OutputError` if one of a job's files is read by somebody, or was written in this batch."""
        folders: dict[str, str] = {}
        for path in paths:
            if path != job.target and not self._work.protected.isdisjoint(identify(path, folders)):
                raise OutputError(f"{path}: a map would overwrite a file that is read; use another folder")
        names = [identify(path, folders)[0] for path in paths]
        for path, name in zip(paths, names, strict=True):
            if self._written.setdefault(name, job) != job:  # a cluster may do a job twice
                raise OutputError(f"{path}: was already written for another input or layer; use another folder")

    def _must_keep(self, path: FilePath, file: File, job: Job) -> bool:
        """Return whether --no-clobber keeps what is there, which others may have written since it was looked for.

        A first try may have written it too, and then it has the same bytes.
        """
        if not (self._settings.no_clobber and (job.layer or self._work.begun) and exists(path)):
            return False
        if was_there(path, self._work.begun):
            return True
        return not isinstance(file.data, np.ndarray) and read_bytes(path) != bytes(file.data)

    def deliver(self, files: Sequence[File], job: Job, outcome: Outcome) -> None:
        """Write the files, or print them; of the maps of a layer some may be there already."""
        if self._names_maps and job.target:
            self._claim(job, [as_path(file.name) for file in files if file.name])
        for file in files:
            if job.view and not file.name:  # it was shown in a window
                continue
            path = job.target if job.target and file.name == str(job.target) else as_path(file.name)
            if self._must_keep(path, file, job):
                tell("%s: skipped, it exists", path)
                outcome.skipped.append(file.name)
                continue
            if isinstance(file.data, np.ndarray):
                write_array(str(path), file.data)
            elif job.is_stream and isinstance(path, Path):
                write_into(path, file.data)
            elif job.target:
                write_whole(path, file.data, self.temporary_files)
            else:
                if self._titled and not (job.view or self._settings.json):
                    title = f"# {name_input(job.source)} {self._work.models[job.kernel].title}"
                    outcome.events.append(("output", os.fsencode(one_line(title) + "\n")))
                outcome.events.append(("output", file.data))
            outcome.classes += file.classes
            made, size = file.name if job.target else None, list(file.shape) or None
            outcome.outputs.append({"path": made, "size": size, "clipped": round(file.clipped, 6)})


def _take_pages(picture: Picture, jobs: Sequence[Job]) -> Iterator[tuple[int, Picture]]:
    """Yield the picture that jobs see, or each page that some see, with its number; 0 for a picture as it is."""
    numbers = {job.page for job in jobs}
    if not picture.pages or numbers <= {0}:
        yield from ((number, picture) for number in sorted(numbers))
        return
    metadata = picture.pages.metadata()
    for number, page in enumerate(picture.pages.pictures(), 1):
        if number in numbers:
            page.metadata = metadata[min(number, len(metadata)) - 1]
            yield number, page


def find_reason_to_pass(job: Job, names: list[str], work: Work) -> str:
    """Return why a job's files need not be made again, `exists` or `is up to date`, or nothing."""
    if job.is_stream:
        return ""
    if job.target and work.settings.no_clobber and not job.layer and was_there(job.target, work.begun):
        return "exists"
    prerequisites = (*work.prerequisites, Path(job.mask)) if job.mask else work.prerequisites
    if job.target and work.settings.update and is_up_to_date(names, job.source, prerequisites):
        return "is up to date" if all(was_there(as_path(name), work.begun) for name in names) else ""
    return ""


def was_there(path: FilePath, begun: int) -> bool:
    """Return whether there is a file, and it was written before a time, in nanoseconds since 1970, if there is one."""
    if not begun or not exists(path):
        return exists(path)
    second = 10**9 if is_address(path) else 1  # stores count whole ones
    try:
        return read_time(path) // second < begun // second
    except OSError:  # a store without times
        return True


def is_up_to_date(outputs: Iterable[str], source: str, prerequisites: Iterable[Path]) -> bool:
    """Return whether no output is missing, or older than its input or another prerequisite, as make has it."""
    if source == STANDARD:  # taken for changed, as is what cannot be looked at
        return False
    try:
        oldest = min(read_time(as_path(output)) for output in outputs)
        return all(read_time(path) <= oldest for path in (as_path(source), *prerequisites))
    except OSError:
        return False


def read_input(source: str, work: Work) -> Picture:
    """Return the picture or matrix of an input; `ImageFileError` if there is none."""
    PROGRESS.begin("reading")
    if is_array(source):
        return read_stored(source)
    data = work.stdin if source == STANDARD else read_bytes(source)
    settings = work.settings
    return decode_picture(
        data,
        name_input(source),
        matrix=looks_like_matrix(data) if source == STANDARD else None,
        page=settings.page,
        allow_truncated=settings.allow_truncated,
        most_pixels=settings.max_pixels,
        foresee=lambda sketch: check_memory(sketch, work.models, settings),
        batch=settings.pipeline,
    )


def sketch_file(source: str) -> Picture | None:
    """Return a picture as large as that in a file, or None where its head does not tell; no pipe is read."""
    header = _read_head(source)
    return make_sketch(header) if header else None


def count_pages(source: str, stdin: bytes) -> int:
    """Return how many pages an input has by its head; 1 where that does not tell."""
    if is_address(source) and not is_matrix(source):
        stdin, source = read_bytes(source), STANDARD
    header = read_header(stdin, source) if source == STANDARD else _read_head(source)
    return header.pages if header else 1


def _read_head(source: str) -> Header | None:
    """Return what the head of a file says; None for what is not a regular file, or a matrix."""
    if source == STANDARD or is_matrix(source) or not os.path.isfile(source):  # noqa: PTH113  as text
        return None
    try:
        with Path(source).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read_header(cast(bytes, data), source)  # a map is sliced and searched as bytes are
    except (OSError, ValueError):  # what is empty, or not there at all, is read as ever
        return None


def rehearse(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Hand over outcomes with a line for each output, `INPUT SIZE -> OUTPUT SIZE`; nothing is run or written."""
    if _goes_by_parts(work):
        from cnnfilter.run.chunks import rehearse_arrays  # noqa: PLC0415  few inputs are such arrays

        rehearse_arrays(work, hear)
        return
    for jobs in work.inputs:
        source = jobs[0].source
        outcome = Outcome(source)
        try:
            picture = None if any(job.page for job in jobs) else sketch_file(source)
            if picture is None or (picture.has_alpha and not all(map(_holds_alpha, jobs))):  # it may be opaque
                picture = read_input(source, work)
            for page, one in _take_pages(picture, jobs):
                for job in jobs:
                    if job.page == page:
                        _rehearse_job(one, job, work, outcome)
        except FAILURES as error:
            outcome.fail(error)
        hear(outcome)


def _rehearse_job(picture: Picture, job: Job, work: Work, outcome: Outcome) -> None:
    """Add a line for each output of a job to an outcome, or why it fails."""
    size = show_shape(picture.pixels.shape)
    try:
        for line in _foretell(picture, job, work):
            text = one_line(f"{job.source} {size} -> {line}") + "\n"
            outcome.events.append(("output", text.encode("utf-8", "surrogateescape")))
    except FAILURES as error:
        outcome.fail(error)


def _holds_alpha(job: Job) -> bool:
    """Return whether what is made by a job may be transparent."""
    return bool(job.view or job.layer) or find_format(job.format_name).holds_alpha


def _foretell(picture: Picture, job: Job, work: Work) -> list[str]:
    """Return each output of a job with its size; that of a figure or an explanation is known when it has been made."""
    names, after = [str(job.target or job.format_name)], ""
    if job.view:
        for model in work.models:
            foresee_shape(picture, model, work.settings)
    else:
        model = work.models[job.kernel]
        if picture.has_alpha and not _holds_alpha(job):
            picture = settle_alpha(picture, job, model, work.settings)
        format_ = find_format(job.format_name)
        shape = foresee_shape(picture, model, work.settings, job.layer, format_)
        if isinstance(picture.pages, Batch) and not work.settings.ranking:
            shape = picture.pages.count, *shape, *((1,) if len(shape) == 2 else ())
            check_batch(shape, job)
        names = name_files(job, shape, work.settings)
        if len(shape) > 1 and not format_.is_matrix:
            check_shape(shape[:2] if len(names) > 1 else shape, format_, job.target or "standard output")
        after = f" {show_shape(shape[:2] if len(names) > 1 else shape)}"
    reason = find_reason_to_pass(job, names, work)
    if not job.target:
        names = ["standard output" if job.format_name else "a window"]
    return [f"{name}{after}{f' ({reason})' if reason else ''}" for name in names]
