"""Many inputs, in processes: their order is kept, and a crash loses one."""

import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, NamedTuple, Protocol

START = "fork" if sys.platform.startswith("linux") else "spawn"
"""How a worker begins: as a copy with all that is loaded, or afresh, where copies of libraries break."""

_PATIENCE = 1.0
"""Seconds that workers have to end when they are no longer wanted; one deep in a library may take longer."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What asks a process to end. A terminal sends it to the workers as well, which leave the answer to the parent."""


class Labor(Protocol):
    """What is done with tasks. Each worker has a copy, pickled where processes begin afresh, as tasks always are."""

    def begin(self) -> None:
        """Make ready, once, in the worker's process."""

    def work(self, task: Any) -> Any:
        """Return what comes of a task."""

    def abandon(self) -> None:
        """Leave nothing half done: the process is about to end. Called from a thread beside that of `work`."""


def work_in_order(
    tasks: Iterable[Any], labor: Labor, lose: Callable[[Any, str], Any], processes: int, ahead: int
) -> Generator[Any, None, None]:
    """Yield what comes of each task, in the order of the tasks.

    Parameters
    ----------
    tasks, labor
        What is to be done, and what does it.
    lose
        Returns what comes of a task whose worker has died, for the reason given; called in other threads.
    processes
        The number of workers. Fewer do it where the system allows no more, and this process where it allows none.
    ahead
        At most this many tasks have been taken of which the outcome has not been handed out.
    """
    crew, pending = _Crew(labor, lose, processes), deque[Future[Any]]()
    try:
        for task in tasks:
            pending.append(crew.submit(task))
            while pending and (len(pending) >= ahead or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        crew.dismiss()


class _Worker(NamedTuple):
    """A process, and the line to it."""

    process: BaseProcess
    line: "Connection[Any, Any]"


class _Crew:
    """The workers: begun when there is something to do, replaced when they die, and sent home together."""

    def __init__(self, labor: Labor, lose: Callable[[Any, str], Any], size: int) -> None:
        self._labor, self._lose, self._size = labor, lose, size
        self._context: Any = get_context(START)
        if START == "spawn" and os.name == "posix":
            from multiprocessing.resource_tracker import ensure_running  # noqa: PLC0415  forked ones need none

            ensure_running()  # begun with the first worker, it would let signals through to that
        self._far_end, self._lifeline = self._context.Pipe(duplex=False)
        self._threads = ThreadPoolExecutor(size, initializer=_block_signals)
        self._has_thread = self._works_here = self._ends = False
        self._lock = Lock()
        self._workers: list[_Worker] = []
        self._free: SimpleQueue[_Worker | None] = SimpleQueue()
        for _ in range(size):
            self._free.put(None)  # a worker that is still to begin

    def submit(self, task: Any) -> Future[Any]:
        """Return what will come of a task."""
        future: Future[Any] = Future()
        try:
            self._threads.submit(self._fulfil, future, task)
            self._has_thread = True
        except RuntimeError:  # the system allows no more threads: those that there are come to it
            if not self._has_thread:
                self._fulfil(future, task)
        return future

    def _fulfil(self, future: Future[Any], task: Any) -> None:
        try:
            future.set_result(self._do(task))
        except BaseException as error:  # raised where the outcome is asked for
            future.set_exception(error)

    def _do(self, task: Any) -> Any:
        """Return what comes of a task, done by the next worker that is free."""
        worker = None
        while worker is None:
            worker = self._free.get() or self._begin()
            if worker is None and not self._shrink():
                try:
                    return self._work_here(task)
                finally:
                    self._free.put(None)
            if worker and not _sends(worker.line, task):  # it has died idle
                self._bury(worker)
                worker = None
        try:
            outcome = worker.line.recv()
        except (EOFError, OSError):
            return self._lose(task, self._bury(worker))
        self._free.put(worker)
        return outcome

    def _begin(self) -> _Worker | None:
        """Return a new worker, if the system allows it."""
        with self._lock, warnings.catch_warnings():
            if self._ends:
                return None
            # The threads that Python warns of are those of BLAS, which stops them meanwhile, and those that wait here.
            warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)
            ours, theirs = self._context.Pipe()
            arguments = self._labor, theirs, self._far_end, self._lifeline
            process = self._context.Process(target=_serve, args=arguments, daemon=True)
            try:
                process.start()
            except OSError:
                return None
            finally:
                theirs.close()
            self._workers.append(worker := _Worker(process, ours))
        try:
            ours.recv()
        except (EOFError, OSError):
            self._bury(worker, replaced=False)
            return None
        return worker

    def _shrink(self) -> bool:
        """Do with one worker less, and return True; False if it is the last."""
        with self._lock:
            if self._size == 1:
                return False
            self._size -= 1
            return True

    def _bury(self, worker: _Worker, *, replaced: bool = True) -> str:
        """Make room for another worker in the place of one that has died, and return how it ended."""
        with self._lock:
            self._workers.remove(worker)
            worker.process.join()
            worker.line.close()
        if replaced:
            self._free.put(None)
        return _describe_end(worker.process.exitcode or 0)

    def _work_here(self, task: Any) -> Any:
        """Return what comes of a task, done in this process."""
        if self._ends:
            return None
        if not self._works_here:
            self._works_here = True
            self._labor.begin()
        return self._labor.work(task)

    def dismiss(self) -> None:
        """Send all workers home, and wait until they have gone; what they were at is lost."""
        self._ends = True
        self._lifeline.close()
        if self._works_here:
            self._labor.abandon()
        self._threads.shutdown(wait=False, cancel_futures=True)
        end = monotonic() + _PATIENCE
        for process in [worker.process for worker in self._workers]:
            if not wait([process.sentinel], max(0.0, end - monotonic())):
                process.kill()
        self._threads.shutdown()
        for worker in list(self._workers):
            self._bury(worker)
        self._far_end.close()


def _sends(line: "Connection[Any, Any]", task: Any) -> bool:
    """Send a task, and return whether there is somebody to take it."""
    try:
        line.send(task)
    except OSError:
        return False
    return True


def _block_signals() -> None:
    """Leave signals to the main thread; workers that are begun here let them through when they are ready for them."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _serve(
    labor: Labor, line: "Connection[Any, Any]", far_end: "Connection[Any, Any]", lifeline: "Connection[Any, Any]"
) -> None:
    """Do the tasks that come by a line, in the process of a worker, until the lifeline ends."""
    lifeline.close()  # that of the parent counts, and closes with it
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        Thread(target=_end_with, args=(far_end, labor), daemon=True).start()
    except RuntimeError:  # the system allows no more
        os._exit(1)
    labor.begin()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent has gone
        line.send(None)
        while True:
            line.send(labor.work(line.recv()))
    os._exit(0)


def _end_with(far_end: "Connection[Any, Any]", labor: Labor) -> None:
    """End this process when nobody holds the other end any more."""
    with suppress(EOFError, OSError):
        far_end.recv()
    labor.abandon()
    os._exit(0)


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
