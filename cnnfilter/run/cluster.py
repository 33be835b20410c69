"""A batch on a Dask cluster: chunks of inputs go out as futures, and outcomes come back in the order of the inputs."""

from __future__ import annotations

import logging
import os
import pickle
import platform
import signal
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice, takewhile
from pathlib import Path
from threading import Condition
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter import __version__
from cnnfilter.compute.threads import count_cores, kept_to_one_core
from cnnfilter.errors import ClusterError, MissingLibraryError
from cnnfilter.io.addresses import as_path
from cnnfilter.io.opencv import cv2
from cnnfilter.io.paths import Job
from cnnfilter.log import tell, warn
from cnnfilter.run.inputs import Filtering, Outcome, keep_freed_memory
from cnnfilter.run.process_pool import START, can_share
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

_CONFIGURATION = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.multiprocessing-method": "forkserver" if START == "fork" else "spawn",
}
"""Of clusters on this machine: how often a task is tried again without a word, and how a worker begins."""

_LONGEST_FOLDER = 75
"""Bytes of a folder's name: Linux takes 107 for a socket, and /pymp-12345678/listener-12345678 has 32."""

_NO_WORKER = "the cluster has no worker; waiting for one"


class Cluster(NamedTuple):
    """The client of a cluster, and what the command calls the cluster."""

    client: Client
    address: str


class Sent(NamedTuple):
    """Tasks that went out together, and what comes of them; those that are `alone` share the cluster with no others."""

    tasks: list[Any]
    future: Future
    alone: bool = False


def run_on_cluster(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Work on all inputs on a cluster, and hand over what comes of each, in their order.

    `ClusterError` if there is no scheduler, or it goes away; what has been written by then stays.
    """
    if not work.inputs:
        return
    settings, fails = work.settings, False
    filtering = Filtering(work._replace(begun=time_ns()))
    inputs = takewhile(lambda _jobs: not (fails and settings.fail_fast), work.inputs)
    size = 1 if settings.fail_fast else 0 if can_share(work.inputs) else len(work.inputs)
    with connected(settings.cluster or "") as cluster:
        _check_folders(cluster.client, work.inputs[0][0])
        batch = ClusterTasks(cluster, (_filter_input, filtering), _lose, size=size, fail_fast=settings.fail_fast)
        with closing(batch.run(inputs, len(work.inputs))) as outcomes:
            for outcome in outcomes:
                fails = fails or bool(outcome.errors)
                hear(outcome)


def _check_folders(client: Client, job: Job) -> None:
    """Raise a `ClusterError` if a worker does not see a folder of this machine that a job needs."""
    paths = [Path.cwd() / "file", as_path(job.source), job.target]
    here = [str(path.parent.absolute()) for path in paths if isinstance(path, Path) and path.parent.is_dir()]
    for worker, missing in client.run(_find_missing, here).items():
        if missing:
            what = f"does not see {missing[0]}; workers need folders that all machines see, or an object store"
            raise ClusterError(f"worker {worker} {what}")


def _find_missing(folders: list[str]) -> list[str]:
    return [folder for folder in folders if not Path(folder).is_dir()]


def _filter_input(filtering: Filtering, jobs: list[Job]) -> Outcome:
    return filtering.filter_input(jobs)


def _lose(jobs: list[Job], error: Exception) -> Outcome:
    """Return what came of an input that no worker could work on."""
    outcome = Outcome(jobs[0].source)
    outcome.fail(error)
    return outcome


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a scheduler, or start workers on this machine, and warn of workers that are not like this process."""
    begun, (word, _, count) = monotonic(), address.partition(":")
    is_local = word == "local"
    with ExitStack() as stack:
        stack.enter_context(_silenced())
        try:
            import dask  # noqa: PLC0415  whoever has no cluster needs none of these

            if is_local and START == "fork":
                _begin_loading()
            from distributed import Client, LocalCluster  # noqa: PLC0415
        except ImportError as error:
            raise MissingLibraryError("--cluster needs Dask: pip install 'cnnfilter[cluster]'") from error
        stack.enter_context(dask.config.set(_CONFIGURATION))
        try:
            if is_local:
                options: dict[str, Any] = {
                    "threads_per_worker": 1,
                    "dashboard_address": None,
                    "silence_logs": logging.CRITICAL + 1,
                }
                given = stack.enter_context(LocalCluster(n_workers=int(count or count_cores()), **options))
            else:
                _greet(address)
                given = address
            client = stack.enter_context(Client(given, timeout=_PATIENCE))
        except Exception as error:  # each way to connect has errors of its own
            reason = "no Dask scheduler answers there; `dask scheduler` starts one, and prints its address"
            if is_local:
                reason = "the workers do not start; local:1 starts one alone"
            raise ClusterError(f"--cluster {address}: {reason}") from error
        if is_local:
            client.register_worker_callbacks(_ignore_interrupts)
        _compare(client)
        tell("%s: %s workers after %.1f s", address, len(client.nthreads()), monotonic() - begun)
        yield Cluster(client, address)


def _begin_loading() -> None:
    """Let a process load the libraries beside this one; local workers are its copies, and begin with all of them.

    Ctrl-C is for this process alone.
    """
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415

    resource_tracker.ensure_running()  # begun with the other process, it would let signals through to that
    forkserver.set_forkserver_preload(["distributed", __name__])
    _choose_folder()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _choose_folder() -> None:
    """Make the folder of the sockets of local workers in /tmp, where its name would be too long elsewhere."""
    from multiprocessing.util import get_temp_dir  # noqa: PLC0415

    elsewhere = tempfile.gettempdir()
    if len(os.fsencode(elsewhere)) > _LONGEST_FOLDER:
        tempfile.tempdir = "/tmp"
    try:
        get_temp_dir()
    finally:
        tempfile.tempdir = elsewhere


@contextmanager
def _silenced() -> Iterator[None]:
    """Let Dask and its processes print nothing: what matters is said in a line of ours."""
    level, filters = logging.root.manager.disable, os.environ.get("PYTHONWARNINGS")
    logging.disable(logging.CRITICAL)
    os.environ["PYTHONWARNINGS"] = "ignore"  # one is about what a command that is interrupted leaves to the system
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        del os.environ["PYTHONWARNINGS"]
        os.environ |= {"PYTHONWARNINGS": filters} if filters is not None else {}


def _greet(address: str) -> None:
    """Exchange the first words with a scheduler; `Client` would wait for ever for those of another program."""
    import asyncio  # noqa: PLC0415  Dask loads it

    from distributed.comm import connect  # noqa: PLC0415  few commands have a cluster

    async def meet() -> None:
        async with asyncio.timeout(_PATIENCE):
            (await connect(address, timeout=_PATIENCE)).abort()

    asyncio.run(meet())


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


class ClusterTasks:
    """Tasks on a cluster, some of which go out together as a chunk.

    `work` is a function, and what it is given beside a task; `lose` returns what comes of a task that failed. A chunk
    has `size` tasks, or as many as are done in half a second. With `fail_fast` few are ahead of the first that is not
    done. `noun` is what a message calls a task.
    """

    def __init__(
        self,
        cluster: Cluster,
        work: tuple[Callable[[Any, Any], Any], Any],
        lose: Callable[[Any, Exception], Any],
        *,
        size: int = 0,
        fail_fast: bool = False,
        noun: str = "input",
    ) -> None:
        self._client, self._address = cluster
        self._lose, self._size, self._fail_fast, self._noun = lose, size, fail_fast, noun
        self._seconds = _CHUNK_TIME  # that a task takes
        self._out: deque[Sent] = deque()
        self._workers = len(self._client.nthreads())  # when they were last counted
        self._folder = "" if self._address.startswith("local") else os.getcwd()  # noqa: PTH109  the library that is at hand
        self._work = pickle.dumps(work)
        self._share()

    def run(self, tasks: Iterable[Any], total: int) -> Generator[Any, None, None]:
        """Yield what comes of each of so many tasks, in their order; `ClusterError` if the scheduler goes away."""
        waiting, left = iter(tasks), total
        try:
            while self._send(waiting, left) or self._out:
                if not self._out[0].future.done():
                    self._wait()
                    continue
                for result in self._take(self._out.popleft()):
                    left -= 1
                    yield result
        except Exception as error:
            if self._client.status == "running":
                raise
            what = f"the scheduler has gone; {left} of {total} {self._noun}s are left"
            raise ClusterError(f"--cluster {self._address}: {what}") from error
        finally:
            self._abandon()

    def _send(self, waiting: Iterator[Any], left: int) -> bool:
        """Send chunks out while workers have room for them; return whether there was one."""
        threads = max(1, sum(self._client.nthreads().values()))
        ahead = threads if self._fail_fast else _CHUNKS_AHEAD
        room = _CHUNKS_A_THREAD * threads - sum(not sent.future.done() for sent in self._out)
        sends = False
        while room > 0 and len(self._out) < ahead:
            left_to_send = left - sum(len(sent.tasks) for sent in self._out)
            fair = -(-left_to_send // (2 * threads))  # ever smaller ones, which end together
            fast = min(int(_CHUNK_TIME / max(self._seconds, 1e-6)), _LARGEST_CHUNK)
            chunk = list(islice(waiting, self._size or max(1, min(fair, fast))))
            if not chunk:
                break
            self._out.append(self._submit(chunk))
            room, sends = room - 1, True
        return sends

    def _share(self) -> None:
        """Give the work to the cluster, as a recipe: it is made again where the worker that has it dies."""
        self._shared = self._client.submit(pickle.loads, self._work, pure=False)

    def _submit(self, tasks: list[Any], *, alone: bool = False) -> Sent:
        return Sent(tasks, self._client.submit(do_tasks, self._shared, tasks, self._folder, pure=False), alone)

    def _wait(self) -> None:
        """Wait until a chunk is done, or for a while."""
        from distributed import wait  # noqa: PLC0415

        at_work = [sent.future for sent in self._out if not sent.future.done()]
        try:
            wait(at_work, timeout=_PATIENCE, return_when="FIRST_COMPLETED")
        except TimeoutError:
            workers = len(self._client.nthreads())
            if self._workers and not workers:
                warn(_NO_WORKER)
            self._workers = workers

    def _take(self, sent: Sent) -> list[Any]:
        """Return what has come of a chunk; of a worker that died, its tasks go out again."""
        from distributed import KilledWorker  # noqa: PLC0415

        try:
            results, seconds = sent.future.result()
        except KilledWorker:
            if sent.alone:
                reason = "each worker that worked on it was ended, perhaps because memory ran out"
                return [self._lose(task, ClusterError(reason)) for task in sent.tasks]
            self._send_again(sent)
            return []
        except Exception as error:  # whatever it is, it is about these tasks, unless the cluster has gone
            if self._client.status != "running":
                raise
            return [self._lose(task, error) for task in sent.tasks]
        self._seconds = seconds / len(sent.tasks)
        return list(results)

    def _send_again(self, sent: Sent) -> None:
        """Send tasks one by one; one that was by itself is sent when all others are done, which may have harmed it."""
        self._share()  # the worker may have died while it took what is shared
        if len(sent.tasks) > 1:
            self._out.extendleft(self._submit([task]) for task in reversed(sent.tasks))
            return
        while any(not other.future.done() for other in self._out):
            self._wait()
        self._out.appendleft(self._submit(sent.tasks, alone=True))
        while not self._out[0].future.done():
            self._wait()

    def _abandon(self) -> None:
        """Take back what waits; a worker ends the tasks that it is at."""
        if self._out and self._client.status == "running":
            self._client.cancel([sent.future for sent in self._out], force=True)


def do_tasks(work: tuple[Callable[[Any, Any], Any], Any], tasks: list[Any], folder: str) -> tuple[list[Any], float]:
    """Do tasks in a thread of a worker; return what comes of each, and the seconds that all took."""
    cv2.setNumThreads(1)
    keep_freed_memory()
    function, given = work
    begun = monotonic()
    with _FOLDER.entered(folder), kept_to_one_core():
        return [function(given, task) for task in tasks], monotonic() - begun


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
