"""Tasks done by several threads, and what came of them handed out in the order of the tasks."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def work_in_order(
    tasks: Iterable[Task], work: Callable[[Task], Outcome], threads: int, ahead: int
) -> Iterator[Outcome]:
    """Yield what comes of each task, in the order of the tasks.

    Parameters
    ----------
    tasks
        Taken one by one, when a thread is free.
    work
        What is done with each; what it raises is raised here.
    threads
        How many tasks are done at a time.
    ahead
        At most so many outcomes wait for one before them, those at work counted; at least `threads`.
    """
    queue, pulling = enumerate(tasks), Lock()
    room = Semaphore(ahead)
    done: SimpleQueue[tuple[int, Outcome] | BaseException | None] = SimpleQueue()
    left = False

    def labor() -> None:
        try:
            while room.acquire():
                with pulling:
                    pulled = None if left else next(queue, None)
                if pulled is None:
                    break
                done.put((pulled[0], work(pulled[1])))
            room.release()  # the others have to find out as well
            done.put(None)
        except BaseException as error:  # raised where the outcomes are waited for
            done.put(error)

    for _ in range(threads):  # none is waited for when an interrupt ends the program
        Thread(target=copy_context().run, args=(labor,), daemon=True).start()
    try:
        waiting: dict[int, Outcome] = {}
        wanted = 0
        while threads:
            match done.get():
                case None:
                    threads -= 1
                case BaseException() as error:
                    raise error
                case number, outcome:
                    waiting[number] = outcome
            while wanted in waiting:
                yield waiting.pop(wanted)
                wanted += 1
                room.release()
    finally:
        left = True
