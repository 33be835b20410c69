"""A batch on a Dask cluster: chunks of inputs go out as futures, and outcomes come back in the order of the inputs."""

from __future__ import annotations

import os
import pickle
import platform
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter import __version__
from cnnfilter.compute.threads import count_cores, kept_to_one_core
from cnnfilter.errors import ClusterError, MissingLibraryError
from cnnfilter.io.opencv import cv2
from cnnfilter.io.paths import Job
from cnnfilter.log import tell, warn
from cnnfilter.run.inputs import Filtering, Outcome, keep_freed_memory
from cnnfilter.run.process_pool import can_share
from cnnfilter.run.settings import Work

if TYPE_CHECKING:
    from distributed import Client, Future

_PATIENCE = 6.0
"""Seconds in which a scheduler answers, if there is one."""

_CHUNK_TIME = 0.5
"""Seconds that the work on a chunk takes: long beside the milliseconds that a task costs, short beside a pause."""

_LARGEST_CHUNK = 500

_CHUNKS_A_THREAD = 2
"""Chunks that are out for each thread of the workers: one at work, one that waits beside it."""

_CHUNKS_AHEAD = 1000
"""So many chunks may be done before one ahead of them."""

_NO_WORKER = "the cluster has no worker; waiting for one"

Inputs = list[list[Job]]


class SentInputs(NamedTuple):
    """Inputs that go out together, and what comes of them; one that is `alone` shares the cluster with no other."""

    inputs: Inputs
    future: Future
    alone: bool = False


def run_on_cluster(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Work on all inputs on a cluster, and hand over what comes of each, in their order.

    `ClusterError` if there is no scheduler, or it goes away; what has been written by then stays.
    """
    settings, address = work.settings, work.settings.cluster or ""
    with connected(address) as client:
        folder = "" if address.startswith("local") else os.getcwd()  # noqa: PTH109  the library that is at hand
        batch = _Batch(client, work, folder)
        try:
            for outcomes in batch.run():
                for outcome in outcomes:
                    hear(outcome)
                    if outcome.errors and settings.fail_fast:
                        batch.stop()
        except Exception as error:
            if client.status == "running":
                raise
            left = f"{batch.left} of {len(work.inputs)} inputs are left"
            raise ClusterError(f"--cluster {address}: the scheduler has gone; {left}") from error
        finally:
            batch.abandon()


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler, or start workers on this machine, and warn of workers that are not like this process."""
    import logging  # noqa: PLC0415  whoever has no cluster needs none of these
    import warnings  # noqa: PLC0415

    try:
        import dask  # noqa: PLC0415
        from distributed import Client, LocalCluster  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("--cluster needs Dask: pip install 'cnnfilter[cluster]'") from error
    begun, given = monotonic(), address
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # what matters is said in a line of ours
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
        word, _, count = address.partition(":")
        if word == "local":
            workers = int(count or count_cores())
            given = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL + 1,
                )
            )
        try:
            client = stack.enter_context(Client(given, timeout=_PATIENCE))
        except (OSError, ValueError) as error:
            raise ClusterError(f"--cluster {address}: no Dask scheduler answers there") from error
        if word == "local":
            client.register_worker_callbacks(_ignore_interrupts)
        tell("%s: %s workers after %.1f s", address, len(client.nthreads()), monotonic() - begun)
        _compare(client)
        yield client


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that has begun this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _describe_process() -> dict[str, str]:
    """Return the versions and the type of CPU on which last bits depend."""
    return {
        "cnnfilter": __version__,
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "OpenCV": cv2.__version__,
        "CPU features": cv2.getCPUFeaturesLine(),
    }


def _compare(client: Client) -> None:
    """Warn of workers with other versions or CPUs; `ClusterError` if one does not have this program."""
    here = _describe_process()
    if not client.nthreads():
        warn(_NO_WORKER)
    for worker, there in client.run(_describe_process, on_error="return").items():
        if not isinstance(there, dict):
            raise ClusterError(f"worker {worker} cannot run cnnfilter {__version__}: {there}")
        other = [f"{name} {value} (here {here[name]})" for name, value in there.items() if value != here[name]]
        if other:
            warn(f"worker {worker} has {', '.join(other)}; last bits of results may differ")


class _Batch:
    """The chunks of a batch that are out, the first ones first."""

    def __init__(self, client: Client, work: Work, folder: str) -> None:
        self._client, self._work, self._folder = client, work, folder
        self._next, self._seconds = 0, _CHUNK_TIME  # the first input that is not out; how long one takes
        self.left = len(work.inputs)  # of which nobody knows yet what came of them
        self._end, self._can_share = len(work.inputs), can_share(work.inputs)
        self._out: deque[SentInputs] = deque()
        # Taken from a recipe, it is made again where the worker that has it dies.
        self._filtering = client.submit(pickle.loads, pickle.dumps(Filtering(work)), pure=False)

    def run(self) -> Iterator[list[Outcome]]:
        """Yield what comes of the inputs of each chunk."""
        while self._out or self._next < self._end:
            self._send()
            if not self._out[0].future.done():
                self._wait()
                continue
            chunk = self._out.popleft()
            try:
                outcomes = chunk.future.result()
            except Exception as error:  # whatever it is, it is about this chunk, unless the cluster has gone
                outcomes = self._answer(chunk, error)
            if outcomes:
                self._seconds = sum(outcome.seconds for outcome in outcomes) / len(outcomes)
            self.left -= len(outcomes)
            yield outcomes

    def stop(self) -> None:
        """Send no further input out."""
        self._end = self._next

    def abandon(self) -> None:
        """Take back what waits; a worker ends the input that it is at."""
        if self._out and self._client.status == "running":
            self._client.cancel([chunk.future for chunk in self._out], force=True)

    def _send(self) -> None:
        """Send chunks out while workers have room for them."""
        threads = max(1, sum(self._client.nthreads().values()))
        ahead = threads if self._work.settings.fail_fast else _CHUNKS_AHEAD
        room = _CHUNKS_A_THREAD * threads - sum(not chunk.future.done() for chunk in self._out)
        while room > 0 and self._next < self._end and len(self._out) < ahead:
            size = self._choose_size(room)
            self._out.append(self._submit(self._work.inputs[self._next : self._next + size]))
            self._next += size
            room -= 1

    def _choose_size(self, room: int) -> int:
        """Return how many inputs the next chunk has: all of them where their maps may have one name."""
        if self._work.settings.fail_fast:
            return 1
        if not self._can_share:
            return len(self._work.inputs)
        left = self._end - self._next
        return max(1, min(int(_CHUNK_TIME / max(self._seconds, 1e-6)), -(-left // (2 * room)), _LARGEST_CHUNK))

    def _submit(self, inputs: Inputs, *, alone: bool = False) -> SentInputs:
        fails_fast = self._work.settings.fail_fast
        future = self._client.submit(filter_chunk, self._filtering, inputs, self._folder, fails_fast, pure=False)
        return SentInputs(inputs, future, alone)

    def _wait(self) -> None:
        """Wait until a chunk is done, or for a while."""
        from distributed import wait  # noqa: PLC0415

        at_work = [chunk.future for chunk in self._out if not chunk.future.done()]
        try:
            wait(at_work, timeout=_PATIENCE, return_when="FIRST_COMPLETED")
        except TimeoutError:
            if not self._client.nthreads():
                warn(_NO_WORKER)

    def _answer(self, chunk: SentInputs, error: Exception) -> list[Outcome]:
        """Return what comes of a chunk whose task has failed; of a worker that died, its inputs go out again."""
        from distributed import KilledWorker  # noqa: PLC0415

        if self._client.status != "running":
            raise error
        if not isinstance(error, KilledWorker):
            return [_fail(jobs, error) for jobs in chunk.inputs]
        if len(chunk.inputs) > 1:
            self._out.extendleft(self._submit([jobs]) for jobs in reversed(chunk.inputs))
            return []
        if not chunk.alone:  # another input may have brought its worker down
            while any(not other.future.done() for other in self._out):
                self._wait()
            self._out.appendleft(self._submit(chunk.inputs, alone=True))
            while not self._out[0].future.done():
                self._wait()
            return []
        reason = "each worker that worked on it was ended, perhaps because memory ran out"
        return [_fail(jobs, ClusterError(reason)) for jobs in chunk.inputs]


def _fail(jobs: list[Job], error: Exception) -> Outcome:
    """Return what came of an input that no worker could work on."""
    outcome = Outcome(jobs[0].source)
    outcome.fail(error)
    return outcome


def filter_chunk(filtering: Filtering, inputs: Inputs, folder: str, fails_fast: bool) -> list[Outcome]:
    """Carry out the jobs of some inputs in a thread of a worker, and return what comes of each."""
    cv2.setNumThreads(1)
    keep_freed_memory()
    outcomes: list[Outcome] = []
    with _FOLDER.entered(folder), kept_to_one_core():
        for jobs in inputs:
            outcomes.append(filtering.filter_input(jobs))
            if fails_fast and outcomes[-1].errors:
                break
    return outcomes


class _CurrentFolder:
    """The current folder of a worker, which is one for all its threads: tasks of another wait."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._name, self._users = "", 0

    @contextmanager
    def entered(self, name: str) -> Iterator[None]:
        """Have relative names begin in a folder while the block runs; where none is named, all stays as it is."""
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._name == name)
            if name and not self._users:
                os.chdir(name)
            self._name, self._users = name, self._users + 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()


_FOLDER = _CurrentFolder()
