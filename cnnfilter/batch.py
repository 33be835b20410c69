"""Many inputs, several at a time, each in a process and on a core of its own."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress

from cnnfilter.accounts import Account, Listener
from cnnfilter.compute.states import RandomWeights
from cnnfilter.compute.tiles import count_cores, kept_to_one_core
from cnnfilter.files.glibc import keep_freed_memory
from cnnfilter.files.outputs import Job, group_by_input, spoken
from cnnfilter.files.writing import Unfinished
from cnnfilter.filtering import Claim, Filtering, count_prints
from cnnfilter.inputs import FAILURES, sketch_file
from cnnfilter.results import foresee_shapes
from cnnfilter.work import Work

_REPORTS_AHEAD = 1000
"""So many inputs may be done before one ahead of them, as far as they leave no more than a few lines behind."""


def run_batch(work: Work, listener: Listener) -> int:
    """Carry out all jobs, and return how many inputs failed.

    What fails is told to the listener as `PATH: reason`; the other inputs, and the other kernels on the
    same input, are done all the same. All is told in the order of the inputs.
    """
    keep_freed_memory()
    failures = 0
    with closing(_Batch(work).accounts()) as accounts:
        for account in accounts:
            failures += bool(account.errors)
            account.tell_to(listener)
    return failures


class _Batch:
    """The work on all inputs, and what those that are worked on at a time must know of each other."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._inputs = group_by_input(work.jobs)
        self._written: set[str] = set()
        self._failed = False

    def accounts(self) -> Generator[Account, None, None]:
        """Work on all inputs, and yield what came of each, in their order."""
        processes = min(self.work.processes or count_cores(), len(self._inputs))
        if processes > 1 and _can_part([jobs[0].source for jobs in self._inputs]):
            return self._work_in_company(processes)
        return self._work_on_one_core() if self.work.processes == 1 else self._work_alone()

    def _work_in_company(self, processes: int) -> Generator[Account, None, None]:
        """Work on some inputs at a time, each in a process and on a core of its own."""
        from cnnfilter.files.opencv import held_to_one_thread  # noqa: PLC0415  one process goes without
        from cnnfilter.workers import work_in_order  # noqa: PLC0415

        self._draw_weights(self._inputs[0][0].source)
        ahead = processes + 1 if count_prints(self.work) else max(_REPORTS_AHEAD, processes)
        eager = 0 if self.work.fail_fast else len(self._inputs) - processes  # the last ones go to whoever is free
        with held_to_one_thread():
            accounts = work_in_order(self._numbers(), _Hands(self.work), self, processes, ahead, eager=eager)
            with closing(accounts):
                yield from accounts

    def _work_on_one_core(self) -> Generator[Account, None, None]:
        from cnnfilter.files.opencv import held_to_one_thread  # noqa: PLC0415  one input goes without

        with held_to_one_thread(), kept_to_one_core():
            yield from self._work_alone()

    def _work_alone(self) -> Generator[Account, None, None]:
        """Work on the inputs in this process, one after the other."""
        filtering = Filtering(self.work, self.answer)
        try:
            for number in self._numbers():
                account = filtering.filter_input(self._inputs[number])
                self.hear(account)
                yield account
        except BaseException:
            filtering.unfinished.abandon()
            raise

    def _draw_weights(self, source: str) -> None:
        """Draw random weights before processes part, which then have them in common, if the first input tells which."""
        models = [model for model in self.work.models if isinstance(model.weights, RandomWeights)]
        if models and (picture := sketch_file(source)):
            with suppress(*FAILURES):  # told where the input is worked on
                for model in models:
                    foresee_shapes(picture, model, self.work.handling)

    def _numbers(self) -> Iterator[int]:
        """Yield the number of each input, until the first failure where that ends all."""
        for number in range(len(self._inputs)):
            if self._failed and self.work.fail_fast:
                return
            yield number

    def answer(self, names: Sequence[str]) -> str | None:
        """Take the names of files for a result, or return one that another result has."""
        taken = next((name for name in names if name in self._written), None)
        if taken is None:
            self._written.update(names)
        return taken

    def hear(self, account: Account) -> None:
        """Note whether an input failed."""
        self._failed = self._failed or bool(account.errors)

    def lose(self, number: int, reason: str) -> Account:
        """Remove what a worker has left half written, and return what came of its input."""
        jobs = self._inputs[number]
        for folder in {job.target.parent for job in jobs if job.target}:
            Unfinished().sweep(folder)
        account = Account(jobs[0].source)
        account.failure(f"{spoken(account.source)}: the process that worked on it {reason}")
        return account.close()


def _can_part(sources: Sequence[str]) -> bool:
    """Return whether other processes can read the inputs: one that begins afresh has none of our pipes."""
    from cnnfilter.workers import START  # noqa: PLC0415  one input goes without

    return START == "fork" or all(os.path.isfile(source) for source in sources)  # noqa: PTH113  as text


class _Hands:
    """What a worker does: the same work, on one core."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._inputs: list[list[Job]] = []
        self._filtering: Filtering | None = None

    def begin(self, claim: Claim) -> None:
        """Make ready; the names of files are claimed from who waits."""
        from cnnfilter.files.opencv import hold_to_one_thread  # noqa: PLC0415  one input goes without

        keep_freed_memory()
        hold_to_one_thread()
        self._inputs = group_by_input(self._work.jobs)
        self._filtering = Filtering(self._work, claim)

    def work(self, number: int) -> Account:
        """Carry out the jobs of an input, which is told by its number: less goes to and fro."""
        assert self._filtering
        with kept_to_one_core():
            return self._filtering.filter_input(self._inputs[number])

    def abandon(self) -> None:
        """Remove what is half written."""
        if self._filtering:
            self._filtering.unfinished.abandon()
