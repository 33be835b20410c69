"""Many inputs, several at a time, each in a process and on a core of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from functools import partial

from cnnfilter.compute.threads import count_cores, kept_to_one_core
from cnnfilter.io.atomic import TemporaryFiles
from cnnfilter.io.paths import Job, group_by_input, identify, name_input
from cnnfilter.run.one_input import FAILURES, Filtering, count_prints, sketch_file
from cnnfilter.run.outcome import Account, Listener
from cnnfilter.run.result import foresee_shape
from cnnfilter.run.settings import Work

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>: up to which freed memory, in all and of an array, is kept."""


def keep_freed_memory() -> None:
    """Let this process keep freed arrays for the next ones, where glibc can: a page taken anew costs a fault."""
    import ctypes  # noqa: PLC0415  numpy has loaded it before, where there is any image

    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, 256 << 20)
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows


_REPORTS_AHEAD = 1000
"""So many inputs may be done before one ahead of them, as far as they leave no more than a few lines behind."""


def run_batch(work: Work, listener: Listener) -> int:
    """Carry out all jobs, and return how many inputs failed.

    What fails is told to the listener as `PATH: reason`; the other inputs, and the other kernels on the
    same input, are done all the same. All is told in the order of the inputs.
    """
    keep_freed_memory()
    inputs, failures = group_by_input(work.jobs), 0

    def numbers() -> Iterator[int]:
        for number in range(len(inputs)):
            if failures and work.settings.fail_fast:
                return
            yield number

    with closing(_run_inputs(inputs, numbers(), work)) as accounts:
        for account in accounts:
            failures += bool(account.errors)
            account.tell_to(listener)
    return failures


def _run_inputs(inputs: list[list[Job]], numbers: Iterable[int], work: Work) -> Generator[Account, None, None]:
    """Yield what comes of each input, in their order; numbers are taken one by one."""
    processes = min(work.settings.jobs or count_cores(), len(inputs))
    if processes > 1 and _can_part(inputs) and not _may_share_names(inputs):
        return _work_in_company(inputs, numbers, work, processes)
    return (_work_on_one_core if work.settings.jobs == 1 else _work_alone)(inputs, numbers, work)


def _work_in_company(
    inputs: list[list[Job]], numbers: Iterable[int], work: Work, processes: int
) -> Generator[Account, None, None]:
    """Work on some inputs at a time, each in a process and on a core of its own."""
    from cnnfilter.io.opencv import held_to_one_thread  # noqa: PLC0415  one input goes without
    from cnnfilter.run.process_pool import work_in_order  # noqa: PLC0415

    def lose(number: int, reason: str) -> Account:
        """Remove what a worker has left half written, and return what came of its input."""
        for folder in {job.target.parent for job in inputs[number] if job.target}:
            TemporaryFiles().sweep(folder)
        account = Account(inputs[number][0].source)
        account.failure(f"{name_input(account.source)}: the process that worked on it {reason}")
        return account.close()

    _draw_weights(inputs[0][0].source, work)
    ahead = (
        processes
        if work.settings.fail_fast
        else processes + 1
        if count_prints(work)
        else max(_REPORTS_AHEAD, processes)
    )
    with (
        held_to_one_thread(),
        closing(work_in_order(numbers, partial(_begin, work), lose, processes, ahead)) as accounts,
    ):
        yield from accounts


def _work_alone(inputs: list[list[Job]], numbers: Iterable[int], work: Work) -> Generator[Account, None, None]:
    """Work on the inputs in this process, one after the other."""
    filtering = Filtering(work)
    try:
        for number in numbers:
            yield filtering.filter_input(inputs[number])
    except BaseException:
        filtering.temporary_files.abandon()
        raise


def _work_on_one_core(inputs: list[list[Job]], numbers: Iterable[int], work: Work) -> Generator[Account, None, None]:
    from cnnfilter.io.opencv import held_to_one_thread  # noqa: PLC0415  one input goes without

    with held_to_one_thread(), kept_to_one_core():
        yield from _work_alone(inputs, numbers, work)


def _draw_weights(source: str, work: Work) -> None:
    """Draw random weights before processes part, which then have them in common, if the first input tells which."""
    from cnnfilter.compute.state_dict import RandomWeights  # noqa: PLC0415  one input goes without

    models = [model for model in work.models if isinstance(model.weights, RandomWeights)]
    if models and (picture := sketch_file(source)):
        with suppress(*FAILURES):  # told where the input is worked on
            for model in models:
                foresee_shape(picture, model, work.settings)


def _can_part(inputs: list[list[Job]]) -> bool:
    """Return whether other processes can read the inputs: one that begins afresh has none of our pipes."""
    from cnnfilter.run.process_pool import START  # noqa: PLC0415  one input goes without

    return START == "fork" or all(os.path.isfile(jobs[0].source) for jobs in inputs)  # noqa: PTH113  as text


def _may_share_names(inputs: list[list[Job]]) -> bool:
    """Return whether maps of two inputs may have one name, as x-01.png of x.png and of x-01.png: one process sees."""
    if not any(job.layer for job in inputs[0]):
        return False
    folders, owners = dict[str, str](), dict[str, int]()
    for number, jobs in enumerate(inputs):
        for job in jobs:
            if job.target:
                stem = re.sub(r"-\d+$", "", identify(job.target.with_suffix(""), folders)[0])
                if owners.setdefault(stem, number) != number:
                    return True
    return False


def _begin(work: Work) -> tuple[Callable[[int], Account], Callable[[], None]]:
    """Make a worker ready, and return what works on the input of a number, and what removes what is half written."""
    from cnnfilter.io.opencv import cv2  # noqa: PLC0415  one input goes without

    keep_freed_memory()
    cv2.setNumThreads(1)
    filtering, inputs = Filtering(work), group_by_input(work.jobs)

    def filter_input(number: int) -> Account:
        with kept_to_one_core():
            return filtering.filter_input(inputs[number])

    return filter_input, filtering.temporary_files.abandon
