"""Tasks in several processes: their outcomes in order, few at a time, and workers that die."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from cnnfilter.run.process_pool import START, work_in_order


class Calling(NamedTuple):
    """What calls a function with each task."""

    function: Callable[[Any], Any]
    traces: str = ""

    def begin(self) -> tuple[Callable[[Any], Any], Callable[[], None]]:
        """Return the function, and what leaves a trace."""
        return self.function, self.abandon

    def abandon(self) -> None:
        """Leave a trace."""
        if self.traces:
            Path(self.traces, str(os.getpid())).touch()


class Losses(list[tuple[Any, str]]):
    """What was lost, and why."""

    def lose(self, task: Any, reason: str) -> Any:
        """Remember a loss."""
        self.append((task, reason))
        return f"lost {task}"


def outcomes(
    tasks: Any, function: Callable[[Any], Any], processes: int, ahead: int, losses: Losses | None = None
) -> Iterator[Any]:
    """Return what comes of tasks."""
    return work_in_order(
        tasks, Calling(function).begin, (Losses() if losses is None else losses).lose, processes, ahead
    )


def list_workers() -> list[BaseProcess]:
    """Return the processes that this one has begun, without those of a cluster that other tests share."""
    return [process for process in multiprocessing.active_children() if not process.name.startswith("Dask")]


def square_slowly(task: int) -> int:
    time.sleep(0.02 if task % 3 == 0 else 0)
    return task * task


def give_back(task: Any) -> Any:
    return task


@pytest.mark.parametrize("start", [START, "spawn"])
def test_outcomes_come_in_the_order_of_the_tasks(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.process_pool.START", start)
    assert list(outcomes(range(30), square_slowly, 4, 100)) == [task * task for task in range(30)]
    assert not list_workers()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_there_may_be_fewer_tasks_than_processes(count: int) -> None:
    assert list(outcomes(range(count), give_back, 4, 4)) == list(range(count))


def test_as_many_are_done_at_a_time_as_there_are_processes() -> None:
    together = multiprocessing.get_context("fork").Barrier(3, timeout=30)

    def meet(_task: int) -> int:
        together.wait()
        return os.getpid()

    found = list(outcomes(range(6), meet, 3, 3))
    assert len(found) == 6
    assert len(set(found)) == 3
    assert os.getpid() not in found


def test_no_more_tasks_are_taken_than_may_wait() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for task in range(50):
            taken.append(task)
            yield task

    def work(task: int) -> int:
        time.sleep(0.2 if task == 0 else 0)
        return task

    found = outcomes(tasks(), work, 2, 5)
    assert next(found) == 0
    assert len(taken) <= 6
    assert list(found) == list(range(1, 50))


def test_a_worker_that_dies_is_replaced_and_its_task_lost() -> None:
    def work(task: int) -> int:
        if task % 4 == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    losses = Losses()
    found = list(outcomes(range(12), work, 2, 12, losses))
    assert found == [f"lost {task}" if task % 4 == 1 else task for task in range(12)]
    assert sorted(task for task, _ in losses) == [1, 5, 9]
    assert {reason.split(",")[0] for _, reason in losses} == {"was ended by signal 9"}


def test_a_worker_that_dies_takes_none_of_the_tasks_behind_along() -> None:
    def work(task: int) -> int:
        if task == 8:
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    for processes in (1, 2):
        losses = Losses()
        found = list(outcomes(range(20), work, processes, 20, losses))
        assert found == [*range(8), "lost 8", *range(9, 20)]
        assert [task for task, _ in losses] == [8]


def test_no_task_is_done_twice_where_others_crash(tmp_path: Path) -> None:
    def work(task: int) -> int:
        with (tmp_path / str(task)).open("a") as file:
            file.write("done\n")
        if task % 5 == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    assert len(list(outcomes(range(20), work, 3, 20))) == 20
    assert [(tmp_path / str(task)).read_text() for task in range(20)] == ["done\n"] * 20


def test_a_worker_that_dies_with_many_tasks_ahead_loses_the_one_that_it_was_at(tmp_path: Path) -> None:
    def work(task: int) -> int:
        with (tmp_path / str(task)).open("a") as file:
            file.write("done\n")
        if task in {150, 151, 199}:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    losses = Losses()
    found = list(outcomes(range(200), work, 2, 200, losses))  # so short that workers get many at a time
    assert found == [f"lost {task}" if task in {150, 151, 199} else task for task in range(200)]
    assert sorted(task for task, _ in losses) == [150, 151, 199]
    assert [(tmp_path / str(task)).read_text() for task in range(200)] == ["done\n"] * 200


def test_tasks_that_wait_for_a_worker_that_cannot_be_replaced_are_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    start = BaseProcess.start
    begun: list[object] = []

    def refuse(self: Any) -> None:
        if begun:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        begun.append(self)
        start(self)

    def work(task: int) -> tuple[int, bool]:
        if task == 60:
            os.kill(os.getpid(), signal.SIGKILL)
        return task, os.getpid() == here

    here = os.getpid()
    monkeypatch.setattr(BaseProcess, "start", refuse)
    assert list(outcomes(range(80), work, 1, 80)) == [
        "lost 60" if task == 60 else (task, task > 60) for task in range(80)
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_workers_leave_signals_to_who_waits_for_them(number: signal.Signals) -> None:
    def work(task: int) -> int:
        os.kill(os.getpid(), number)
        return task

    assert list(outcomes(range(6), work, 2, 6)) == list(range(6))


def test_what_makes_the_tasks_may_fail() -> None:
    def tasks() -> Iterator[int]:
        yield 1
        raise KeyError("a")

    with pytest.raises(KeyError):
        list(outcomes(tasks(), give_back, 2, 10))
    assert not list_workers()


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_fewer_workers_do_it_as_well_where_the_system_allows_no_more(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = BaseProcess.start
    begun: list[object] = []

    def refuse(self: Any) -> None:
        if len(begun) == allowed:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        begun.append(self)
        start(self)

    monkeypatch.setattr(BaseProcess, "start", refuse)
    found = list(outcomes(range(9), lambda task: (2 * task, os.getpid()), 4, 9))
    assert [doubled for doubled, _ in found] == [2 * task for task in range(9)]
    processes = {process for _, process in found}
    assert (len(processes) <= allowed) if allowed else (processes == {os.getpid()})


@pytest.mark.parametrize("allowed", [0, 1])
def test_workers_that_cannot_begin_lose_no_task(allowed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    start = Thread.start

    def refuse(self: Thread) -> None:
        if len(list(tmp_path.iterdir())) >= allowed:
            raise RuntimeError("can't start new thread")
        (tmp_path / str(os.getpid())).touch()
        start(self)

    monkeypatch.setattr(Thread, "start", refuse)
    losses = Losses()
    assert list(outcomes(range(9), give_back, 3, 9, losses)) == list(range(9))
    assert not losses


def test_an_idle_worker_that_dies_takes_no_task_along() -> None:
    def tasks() -> Iterator[int]:
        yield 0
        (worker,) = list_workers()
        assert worker.pid
        yield 1
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        yield 2

    losses = Losses()
    assert list(outcomes(tasks(), give_back, 1, 1, losses)) == [0, 1, 2]
    assert not losses


def test_all_end_at_once_and_in_order_when_nobody_waits_any_more(tmp_path: Path) -> None:
    begun_folder = tmp_path / "begun"
    begun_folder.mkdir()

    def work(task: int) -> int:
        (begun_folder / str(task)).touch()
        time.sleep(60 if task else 0)
        return os.getpid()

    losses = Losses()
    begun = time.monotonic()
    with closing(work_in_order(range(9), Calling(work, str(tmp_path)).begin, losses.lose, 3, 9)) as found:
        first = next(found)
        while len(list(begun_folder.iterdir())) < 4 and time.monotonic() - begun < 30:
            time.sleep(0.01)
    assert time.monotonic() - begun < 30
    assert not list_workers()
    assert len(list(tmp_path.glob("[0-9]*"))) == 3
    assert (tmp_path / str(first)).exists()
    assert sorted(task for task, _ in losses) == [1, 2, 3]


def test_workers_end_when_who_waits_has_gone_without_a_word(tmp_path: Path) -> None:
    def work(_task: int) -> None:
        (tmp_path / f"begun-{os.getpid()}").touch()
        time.sleep(60)

    process = os.fork() if os.name == "posix" else pytest.skip("there is no fork")
    if not process:
        list(work_in_order(range(2), Calling(work, str(tmp_path)).begin, Losses().lose, 2, 2))
        os._exit(1)
    end = time.monotonic() + 30
    while len(list(tmp_path.glob("begun-*"))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    while len(list(tmp_path.glob("[0-9]*"))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    workers = {path.name.removeprefix("begun-") for path in tmp_path.glob("begun-*")}
    assert {path.name for path in tmp_path.glob("[0-9]*")} == workers
    assert len(workers) == 2
