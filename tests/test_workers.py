"""Tasks on several threads: their outcomes in order, few at a time, and what fails."""

import threading
import time
from collections.abc import Iterator

import pytest

from cnnfilter.workers import work_in_order


def test_outcomes_come_in_the_order_of_the_tasks() -> None:
    def work(task: int) -> int:
        time.sleep(0.02 if task % 3 == 0 else 0)
        return task * task

    assert list(work_in_order(range(30), work, 4, 100)) == [task * task for task in range(30)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_there_may_be_fewer_tasks_than_threads(count: int) -> None:
    assert list(work_in_order(range(count), str, 4, 4)) == [str(task) for task in range(count)]


def test_as_many_are_done_at_a_time_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=30)
    assert len(list(work_in_order(range(6), lambda _: together.wait(), 3, 3))) == 6


def test_no_more_tasks_are_taken_than_may_wait() -> None:
    taken: list[int] = []
    first = threading.Event()

    def tasks() -> Iterator[int]:
        for task in range(50):
            taken.append(task)
            yield task

    def work(task: int) -> int:
        if task == 0:
            first.wait(30)
        return task

    outcomes = work_in_order(tasks(), work, 2, 5)
    threading.Timer(0.2, first.set).start()
    assert next(outcomes) == 0
    assert len(taken) <= 6
    assert list(outcomes) == list(range(1, 50))


def test_what_a_task_raises_is_raised_where_its_outcome_is_waited_for() -> None:
    def work(task: int) -> int:
        if task == 3:
            raise ZeroDivisionError
        return task

    with pytest.raises(ZeroDivisionError):
        list(work_in_order(range(10), work, 2, 10))


def test_what_makes_the_tasks_may_fail_as_well() -> None:
    def tasks() -> Iterator[int]:
        yield 1
        raise KeyError("a")

    with pytest.raises(KeyError):
        list(work_in_order(tasks(), str, 2, 10))


def test_no_task_is_begun_when_nobody_waits_any_more() -> None:
    begun: list[int] = []

    def work(task: int) -> int:
        begun.append(task)
        time.sleep(0.01)
        return task

    outcomes = work_in_order(range(1000), work, 2, 1000)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # it is a generator
    seen = len(begun)
    time.sleep(0.1)
    assert len(begun) <= seen + 2
