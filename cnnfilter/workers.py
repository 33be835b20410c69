"""Tasks done by several processes, and what came of them handed out in the order of the tasks.

Processes, since threads of Python wait for each other while they do anything but call a library, and since what makes
a decoder crash ends one of them and not the batch. A worker ends at once, and leaves nothing half done, when the one
who waits for it hangs up, or has gone without a word.
"""

import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any, Generic, Protocol

from cnnfilter.serving import CANNOT_BEGIN, Answer, Labor, Outcome, Question, Task, Task_contra, serve, undisturbed

START = "fork" if sys.platform.startswith("linux") else "spawn"
"""How a worker begins: as a copy with all that is loaded, or afresh, where copies of libraries break."""

_PATIENCE = 1.0
"""Seconds that workers have to end when they are no longer wanted; one deep in a library may take longer."""

_QUICK = 0.02
"""A worker that did its last task in so many seconds is given the next one ahead, lest it wait to be sent that."""


class Office(Protocol[Task_contra, Outcome]):
    """Who waits for the outcomes."""

    def answer(self, question: Any) -> Any:
        """Answer a worker that needs to know of the others."""

    def hear(self, outcome: Outcome) -> None:
        """Hear of an outcome as soon as it is there, which may be before its turn."""

    def lose(self, task: Task_contra, reason: str) -> Outcome:
        """Return what comes of a task whose worker has died."""


def work_in_order(
    tasks: Iterable[Task],
    labor: Labor[Task, Outcome],
    office: Office[Task, Outcome],
    processes: int,
    ahead: int,
    *,
    eager: int = 0,
) -> Generator[Outcome, None, None]:
    """Yield what comes of each task, in the order of the tasks.

    Parameters
    ----------
    tasks
        Taken one by one, when a worker is free.
    labor, office
        What is done with each, and who is told meanwhile.
    processes
        How many tasks are done at a time.
    ahead
        At most so many outcomes wait for one before them, those at work counted; at least `processes`.
    eager
        So many tasks, the first ones, may be given to a worker that is quick before it has done the last.

    Fewer workers do the work as well where the system allows no more, and where it allows none, this process.
    """
    queue, waiting, wanted, given = enumerate(tasks), dict[int, Outcome](), 0, 0
    crew = _Crew(labor, office, processes)
    try:
        while True:
            while len(waiting) + crew.held < ahead and (worker := crew.find_free(eager=given < eager)):
                if (pulled := crew.reclaim() or next(queue, None)) is None:
                    break
                crew.give(worker, *pulled)
                given += 1
            if crew.held:
                waiting.update(crew.gather())
            elif crew.is_none and (pulled := crew.reclaim() or next(queue, None)):
                waiting.update([crew.work_here(*pulled)])
            else:
                return
            while wanted in waiting:
                yield waiting.pop(wanted)
                wanted += 1
    finally:
        crew.dismiss()


class _Worker(Generic[Task]):
    """A process, the line to it, and its tasks: the one that it is at, and perhaps the next."""

    def __init__(self, process: BaseProcess, line: "Connection[Any, Any]") -> None:
        self.process = process
        self.line = line
        self.tasks: deque[tuple[int, Task]] = deque()
        self.is_quick = False
        self._begun = 0.0

    def take_on(self, number: int, task: Task) -> None:
        """Note one task more."""
        if not self.tasks:
            self._begun = monotonic()
        self.tasks.append((number, task))

    def take_off(self) -> int:
        """Return the number of the task that is done, and note how long it took."""
        now = monotonic()
        self.is_quick, self._begun = now - self._begun < _QUICK, now
        return self.tasks.popleft()[0]


class _Crew(Generic[Task, Outcome]):
    """The workers: begun when there is something to do, replaced when they die, and sent home together."""

    def __init__(self, labor: Labor[Task, Outcome], office: Office[Task, Outcome], size: int) -> None:
        self._labor, self._office, self._size = labor, office, size
        self._context: Any = get_context(START)
        if START == "spawn" and os.name == "posix":
            from multiprocessing.resource_tracker import ensure_running  # noqa: PLC0415  forked ones need none

            ensure_running()  # begun with the first worker, it would let signals through to that
        self._far_end, self._lifeline = self._context.Pipe(duplex=False)
        self._workers: list[_Worker[Task]] = []
        self._unbegun: list[tuple[int, Task]] = []
        self._works_here = False

    @property
    def is_none(self) -> bool:
        """Whether no worker can be begun."""
        return not self._size

    @property
    def held(self) -> int:
        """How many tasks the workers have."""
        return sum(len(worker.tasks) for worker in self._workers)

    def find_free(self, *, eager: bool) -> _Worker[Task] | None:
        """Return a worker that can be given a task, perhaps a new one; None if all have enough to do.

        Parameters
        ----------
        eager
            Whether a quick one that is at work has room for one more.
        """
        if idle := next((worker for worker in self._workers if not worker.tasks), None):
            return idle
        if len(self._workers) < self._size and self._begin():
            return self._workers[-1]
        quick = (worker for worker in self._workers if worker.is_quick and len(worker.tasks) == 1)
        return next(quick, None) if eager else None

    def _begin(self) -> bool:
        """Begin one more worker, if the system allows it."""
        ours, theirs = self._context.Pipe()
        arguments = self._labor, theirs, self._far_end, self._lifeline
        process = self._context.Process(target=serve, args=arguments, daemon=True)
        with undisturbed(), warnings.catch_warnings():
            # The threads that Python warns of are those of BLAS, which stops them meanwhile.
            warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)
            try:
                process.start()
            except OSError:
                self._size = len(self._workers)
                return False
            finally:
                theirs.close()
            self._workers.append(_Worker(process, ours))
        return True

    def give(self, worker: _Worker[Task], number: int, task: Task) -> None:
        """Give a task to a worker; one that has died idle takes none along."""
        try:
            worker.line.send(task)
        except OSError:
            if not worker.tasks:
                self._workers.remove(worker)
                worker.line.close()
                self._unbegun.append((number, task))
                return
        worker.take_on(number, task)

    def reclaim(self) -> tuple[int, Task] | None:
        """Return a task that was given to a worker which died before it came to it, with its number."""
        return self._unbegun.pop() if self._unbegun else None

    def gather(self) -> Iterator[tuple[int, Outcome]]:
        """Wait until some workers say something, and yield the outcomes with their numbers."""
        at_work = [worker for worker in self._workers if worker.tasks]
        spoken = wait([worker.line for worker in at_work])
        for worker in [worker for worker in at_work if worker.line in spoken]:
            try:
                said = worker.line.recv()
                if isinstance(said, Question):
                    worker.line.send(Answer(self._office.answer(said.content)))
                    continue
                outcome: Outcome = said
            except (EOFError, OSError):
                reason = self._bury(worker)
                if not worker.tasks:
                    continue
                outcome = self._office.lose(worker.tasks[0][1], reason)
            self._office.hear(outcome)
            yield worker.take_off(), outcome

    def _bury(self, worker: _Worker[Task]) -> str:
        """Return how a worker has died; it keeps the task that is lost with it, and others do what it had not begun."""
        self._workers.remove(worker)
        worker.process.join()
        worker.line.close()
        begun = 1
        if worker.process.exitcode == CANNOT_BEGIN:
            self._size, begun = len(self._workers), 0
        self._unbegun += [worker.tasks.pop() for _ in range(len(worker.tasks) - begun)]
        return _describe_end(worker.process.exitcode or 0)

    def work_here(self, number: int, task: Task) -> tuple[int, Outcome]:
        """Return what comes of a task, done in this process, with its number."""
        if not self._works_here:
            self._works_here = True
            self._labor.begin(self._office.answer)
        outcome = self._labor.work(task)
        self._office.hear(outcome)
        return number, outcome

    def dismiss(self) -> None:
        """Send all workers home, and wait until they have gone; what they were at is lost."""
        self._lifeline.close()
        if self._works_here:
            self._labor.abandon()
        end = monotonic() + _PATIENCE
        for worker in self._workers:
            worker.process.join(max(0.0, end - monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.line.close()
            if worker.tasks:
                self._office.lose(worker.tasks[0][1], "was not waited for")
        self._workers.clear()
        self._far_end.close()


def _describe_end(code: int) -> str:
    """Return how a process ended, from its exit code.

    Examples
    --------
    >>> _describe_end(-9)[:28]
    'was ended by signal 9, Kille'
    """
    if code >= 0:
        return f"ended with status {code}"
    hint = ", perhaps since memory ran out" if code == -getattr(signal, "SIGKILL", 0) else ""
    return f"was ended by signal {-code}, {signal.strsignal(-code)}{hint}"
