"""What goes on in the process of a worker: tasks come, outcomes go, and it ends when nobody waits for it."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, NamedTuple, Protocol, TypeVar

Task = TypeVar("Task")
Task_contra = TypeVar("Task_contra", contravariant=True)
Outcome = TypeVar("Outcome")
Outcome_co = TypeVar("Outcome_co", covariant=True)

Ask = Callable[[Any], Any]
"""Puts a question to who waits for the outcomes, and returns the answer."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What asks a process to end. A terminal sends it to the workers as well, which leave the answer to who waits."""


class Labor(Protocol[Task_contra, Outcome_co]):
    """What is done with tasks. Each worker has a copy; where processes begin afresh, it is pickled.

    Tasks and outcomes are pickled everywhere. A task is small, at most some kilobytes: the next may be sent while the
    worker sends the outcome of the last.
    """

    def begin(self, ask: Ask) -> None:
        """Make ready, once, in the process of a worker."""

    def work(self, task: Task_contra) -> Outcome_co:
        """Return what comes of a task."""

    def abandon(self) -> None:
        """Leave nothing half done: the process is about to end. Called from a thread beside that of `work`."""


CANNOT_BEGIN = 75
"""The exit code of a worker to which the system does not give what it needs; EX_TEMPFAIL of <sysexits.h>."""


class Question(NamedTuple):
    """What a worker asks who waits."""

    content: Any


class Answer(NamedTuple):
    """What it is told."""

    content: Any


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off the signals that ask this process to end until the block has run."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(
    labor: Labor[Task, Outcome],
    line: "Connection[Any, Any]",
    far_end: "Connection[Any, Any]",
    lifeline: "Connection[Any, Any]",
) -> None:
    """Do the tasks that come by a line, in the process of a worker, until the lifeline ends."""
    lifeline.close()  # that of the other process counts, and closes with it
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        Thread(target=_end_with, args=(far_end, labor), daemon=True).start()
    except RuntimeError:  # the system allows no more
        os._exit(CANNOT_BEGIN)
    given: deque[Task] = deque()

    def ask(question: Any) -> Any:
        line.send(Question(question))
        while not isinstance(said := line.recv(), Answer):
            given.append(said)
        return said.content

    labor.begin(ask)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # who waits has gone
        while True:
            line.send(labor.work(given.popleft() if given else line.recv()))


def _end_with(far_end: "Connection[Any, Any]", labor: Labor[Task, Outcome]) -> None:
    """End this process when nobody holds the other end any more."""
    with suppress(EOFError, OSError):
        far_end.recv()
    labor.abandon()
    os._exit(0)
