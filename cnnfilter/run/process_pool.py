"""Many inputs, or other tasks, in several processes: their order is kept, and a crash loses one."""

from __future__ import annotations

import os
import re
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import takewhile
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from time import monotonic, sleep
from typing import Any

from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.threads import kept_to_one_core
from cnnfilter.errors import CnnFilterError
from cnnfilter.io.addresses import is_address, is_private
from cnnfilter.io.atomic import TemporaryFiles
from cnnfilter.io.opencv import cv2, held_to_one_thread
from cnnfilter.io.paths import Job, identify
from cnnfilter.run.inputs import FAILURES, Filtering, Outcome, keep_freed_memory, sketch_file
from cnnfilter.run.result import foresee_shape
from cnnfilter.run.settings import Work

START = "fork" if sys.platform.startswith("linux") else "spawn"
"""How a worker begins: as a copy with all that is loaded, or afresh, where copies of libraries break."""

_PATIENCE = 1.0
"""Seconds that workers have to end when they are no longer wanted; one deep in a library may take longer."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What asks a process to end. A terminal sends it to the workers as well, which leave the answer to the parent."""

_STOCK, _MOST_IN_STOCK = 0.05, 32
"""Seconds of work that a worker has ahead of it where tasks are short, and the most tasks that this may be."""

_PAUSE = 0.004
"""Seconds in which nobody looks at workers that have tasks ahead: to be woken costs as much as a short task."""

_REPORTS_AHEAD = 1000
"""So many inputs may be done before one ahead of them, as far as they leave no more than a few lines behind."""

Abandon = Callable[[], None]
Begin = Callable[[], tuple[Callable[[Any], Any], Abandon]]
"""Makes a process ready; returns what does a task, and what a second thread calls to leave nothing half done."""


def can_share(inputs: list[list[Job]]) -> bool:
    """Return whether processes that know nothing of each other can read the inputs, and name what they make."""
    if any(is_private(job.source) or is_private(job.target) for jobs in inputs for job in jobs):
        return False
    # A process that begins afresh has none of our pipes.
    sources = [jobs[0].source for jobs in inputs if START != "fork"]
    if not all(is_address(source) or os.path.isfile(source) for source in sources):  # noqa: PTH113  as text
        return False
    if not any(job.layer for job in inputs[0]):
        return True
    # Maps of two inputs may have one name, as x-01.png of x.png and of x-01.png.
    folders, owners = dict[str, str](), dict[str, int]()
    for number, jobs in enumerate(inputs):
        for job in jobs:
            if job.target:
                stem = re.sub(r"-\d+$", "", identify(job.target.with_suffix(""), folders)[0])
                if owners.setdefault(stem, number) != number:
                    return False
    return True


def run_in_processes(work: Work, processes: int, hear: Callable[[Outcome], None]) -> None:
    """Work on some inputs at a time, each in a process and on a core of its own."""
    fails = False
    numbers = takewhile(lambda _number: not (fails and work.settings.fail_fast), range(len(work.inputs)))

    def lose(number: int, reason: str) -> Outcome:
        """Remove what a worker has left half written, and return what came of its input."""
        for folder in {job.target.parent for job in work.inputs[number] if job.target}:
            TemporaryFiles().sweep(folder)
        outcome = Outcome(work.inputs[number][0].source)
        outcome.fail(CnnFilterError(f"the process that worked on it {reason}"))
        return outcome

    drawn = [model for model in work.models if isinstance(model.weights, RandomWeights)]
    if drawn and (picture := sketch_file(work.inputs[0][0].source)):  # processes have the weights in common then
        with suppress(*FAILURES):  # it fails again where the input is worked on
            for model in drawn:
                foresee_shape(picture, model, work.settings)
    prints = any(not (job.target or job.view) for jobs in work.inputs for job in jobs)
    ahead = processes + 1 if prints else max(_REPORTS_AHEAD, processes)  # what is printed is kept until its turn
    if work.settings.fail_fast:
        ahead = processes
    tasks = work_in_order(numbers, partial(_begin, work), lose, processes, ahead)
    with held_to_one_thread(), closing(tasks) as outcomes:
        for outcome in outcomes:
            fails = fails or bool(outcome.errors)
            hear(outcome)


def _begin(work: Work) -> tuple[Callable[[int], Outcome], Abandon]:
    """Make a worker ready, and return what works on the input of a number, and what removes what is half written."""
    keep_freed_memory()
    cv2.setNumThreads(1)
    filtering = Filtering(work)

    def filter_input(number: int) -> Outcome:
        with kept_to_one_core():
            return filtering.filter_input(work.inputs[number])

    return filter_input, filtering.temporary_files.abandon


def work_in_order(
    tasks: Iterable[Any], begin: Begin, lose: Callable[[Any, str], Any], processes: int, ahead: int
) -> Generator[Any, None, None]:
    """Yield what comes of each task, in their order; at most `ahead` have been taken, and not yet handed out.

    `lose` returns what comes of a task whose worker has died, for the reason given.
    """
    pool, taken, handed_out = _Pool(begin, lose), 0, 0
    try:
        pool.start(processes)
        for task in tasks:
            pool.submit(taken, task)
            taken += 1
            while handed_out < taken and (taken - handed_out >= ahead or handed_out in pool.outcomes):
                yield pool.wait_for(handed_out)
                handed_out += 1
        for number in range(handed_out, taken):
            yield pool.wait_for(number)
    finally:
        pool.dismiss()


class _Pool:
    """Workers by the lines to them, replaced when they die; `outcomes` has those not handed out, by number.

    The tasks of a worker wait in its line, and it answers each before it takes the next. So one that dies loses the
    first without an answer, and others do the rest.
    """

    def __init__(self, begin: Begin, lose: Callable[[Any, str], Any]) -> None:
        self.outcomes: dict[int, Any] = {}
        self._begin, self._lose = begin, lose
        self._here: tuple[Callable[[Any], Any], Abandon] | None = None
        self._context: Any = get_context(START)
        if START == "spawn" and os.name == "posix":
            from multiprocessing.resource_tracker import ensure_running  # noqa: PLC0415  forked ones need none

            ensure_running()  # begun with the first worker, it would let signals through to that
        self._far_end, self._lifeline = self._context.Pipe(duplex=False)
        self._workers: dict[Connection[Any, Any], BaseProcess] = {}
        self._tasks: dict[Connection[Any, Any], deque[tuple[int, Any]]] = {}
        self._waiting: deque[tuple[int, Any]] = deque()
        self._answered, self._pace = monotonic(), _STOCK  # the time of the last answer, and the seconds between two

    def start(self, count: int) -> None:
        """Start workers, as many as the system allows, and wait until they are ready."""
        started: list[Connection[Any, Any]] = []
        for _ in range(count):
            ours, theirs = self._context.Pipe()
            arguments = self._begin, theirs, self._far_end, self._lifeline
            process = self._context.Process(target=_serve, args=arguments, daemon=True)
            with _signals_blocked(), warnings.catch_warnings():
                # The threads that Python warns of are those of BLAS, which stops them meanwhile.
                warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)
                try:
                    process.start()
                except OSError:
                    break
                finally:
                    theirs.close()
                self._workers[ours], self._tasks[ours] = process, deque()
                started.append(ours)
        for line in started:
            try:
                line.recv()
            except (EOFError, OSError):
                self._bury(line)

    def submit(self, number: int, task: Any) -> None:
        """Give a task to a worker as soon as one has room for it; do it here if there is none."""
        self._waiting.append((number, task))
        self._hand_on()

    def _hand_on(self) -> None:
        """Give the tasks that wait to the workers with the fewest."""
        while self._waiting:
            line = min(self._workers, key=lambda line: len(self._tasks[line]), default=None)
            if line is None:
                number, task = self._waiting.popleft()
                self._here = self._here or self._begin()
                self.outcomes[number] = self._here[0](task)
            elif len(self._tasks[line]) >= self._room:
                self._receive()
            else:
                try:
                    line.send(self._waiting[0][1])
                except OSError:  # it has died idle
                    self._receive()
                else:
                    self._tasks[line].append(self._waiting.popleft())

    @property
    def _room(self) -> int:
        """How many tasks a worker may have: one, or more where they are short."""
        return max(1, min(_MOST_IN_STOCK, int(_STOCK / (self._pace * len(self._workers)))))

    def wait_for(self, number: int) -> Any:
        """Return what has come of a task."""
        while number not in self.outcomes:
            self._hand_on()
            if number not in self.outcomes:
                self._receive()
        return self.outcomes.pop(number)

    def _receive(self) -> None:
        """Wait for workers that are done or dead, and replace these."""
        lines = list[Any](wait(self._workers, 0))
        if not lines and all(len(tasks) > 1 for tasks in self._tasks.values()):
            sleep(_PAUSE)
        for line in lines or list[Any](wait(self._workers)):
            try:
                outcome = line.recv()
            except (EOFError, OSError):
                self._bury(line)
                self.start(1)
            else:
                number, _ = self._tasks[line].popleft()
                self.outcomes[number] = outcome
                now = monotonic()
                self._pace += (now - self._answered - self._pace) / 10
                self._answered = now

    def _bury(self, line: Connection[Any, Any]) -> None:
        """Take leave of a worker that has died, and lose the task that it was at."""
        process = self._workers.pop(line)
        process.join()
        line.close()
        tasks = self._tasks.pop(line)
        if tasks:
            number, task = tasks.popleft()
            self.outcomes[number] = self._lose(task, _describe_end(process.exitcode or 0))
        self._waiting.extendleft(reversed(tasks))

    def dismiss(self) -> None:
        """Send all workers home, and wait until they have gone; what they were at is lost."""
        self._lifeline.close()
        if self._here:
            self._here[1]()
        end = monotonic() + _PATIENCE
        for process in self._workers.values():
            if not wait([process.sentinel], max(0.0, end - monotonic())):
                process.kill()
        for line in list(self._workers):
            self._bury(line)
        self._far_end.close()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Keep signals for later while a worker starts, which lets them through when it is ready for them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(
    begin: Begin, line: Connection[Any, Any], far_end: Connection[Any, Any], lifeline: Connection[Any, Any]
) -> None:
    """Do the tasks that come by a line, in the process of a worker, until the lifeline ends."""
    lifeline.close()  # that of the parent counts, and closes with it
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    work, abandon = begin()

    def end_with_parent() -> None:
        with suppress(EOFError, OSError):
            far_end.recv()
        abandon()
        os._exit(0)

    try:
        Thread(target=end_with_parent, daemon=True).start()
    except RuntimeError:  # the system allows no more
        os._exit(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has gone
        line.send(None)
        while True:
            line.send(work(line.recv()))
    os._exit(0)


def _describe_end(code: int) -> str:
    """Return how a process ended, from its exit code."""
    if code >= 0:
        return f"ended with status {code}"
    hint = ", perhaps because memory ran out" if code == -getattr(signal, "SIGKILL", 0) else ""
    return f"was ended by signal {-code}, {signal.strsignal(-code)}{hint}"
