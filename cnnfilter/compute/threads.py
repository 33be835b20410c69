"""Work on parts of an array in threads."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cached_property
from math import prod
from pathlib import Path
from threading import Lock, Thread, local
from typing import Any, TypeVar

import numpy as np

from cnnfilter.arrays import Array, Floats

Task = TypeVar("Task")

_MOST_AT_ONCE = 3 << 19
"""Numbers read for a strip: 6 MB of float32."""

_LEAST_AT_ONCE = 1 << 19
"""Numbers whose calls cost more than what another core would save."""

_SHARES = 6
"""Strips for cores to share: so many are filtered in the least time, grey or of colours, whatever their size."""

_KERNELS = 8
"""How many times as many rows as the kernel's a strip has at least, as what strips overlap is filtered twice."""

_IN_WORKER = ContextVar("_IN_WORKER", default=False)
"""Whether this is done in a thread that was begun here: the other cores have work already."""


def choose_rows(rows: int, numbers: int, size: int, stride: int) -> int:
    """Return how many of so many rows of results make a strip: enough to be worth the calls, few enough for all cores.

    `numbers` are read in each row; a result is made of `size` rows, and the next one lies `stride` rows below.

    Examples
    --------
    >>> choose_rows(2000, 3000, 5, 1), choose_rows(100, 100, 5, 1)
    (333, 5242)
    """
    least = max(_LEAST_AT_ONCE // numbers, min(_KERNELS * size, rows * stride // 4))
    most = max(_MOST_AT_ONCE // numbers, least)
    return max(1, sorted((least, rows * stride // _SHARES, most))[1] // stride)


_limit: int | None = None
"""The number of threads that a caller has set, or None."""


def limit_threads(number: int | None) -> None:
    """Set the number of threads that calculations use; None is one for each core."""
    global _limit  # noqa: PLW0603  a setting of the process, as OpenCV's is
    _limit = number


def count_cores() -> int:
    """Return how many threads may work: one for each core of this process, or as many as a caller has set."""
    if _IN_WORKER.get():
        return 1
    if _limit:
        return _limit
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_tiles(tiles: Sequence[Task], make: Callable[[Task], None]) -> None:
    """Make all tiles, or other parts of a result, on as many threads as there are cores and tiles, in any order."""
    others = min(count_cores(), len(tiles)) - 1
    if others < 1:
        for tile in tiles:
            make(tile)
        return
    queue = iter(tiles)  # next() of the iterator of a list or a range is atomic
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for tile in queue:
                make(tile)
        except BaseException as failure:  # raised where the tiles were asked for
            failures.append(failure)
            deque(queue, maxlen=0)

    with kept_to_one_core():
        # numpy's error state is in the context, and a thread starts with an empty one
        threads = [Thread(target=copy_context().run, args=(work,)) for _ in range(others)]
        for thread in threads:
            thread.start()
        work()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def fill_rows(shape: tuple[int, ...], dtype: Any, at_once: int, fill: Callable[[int, Array], None]) -> Array:
    """Return an array whose rows are filled in on all cores, so many at a time.

    `fill` gets the number of the first row, and the rows.
    """
    results = np.empty(shape, dtype)
    make_tiles(range(0, shape[0], at_once), lambda first: fill(first, results[first : first + at_once]))
    return results


@contextmanager
def kept_to_one_core() -> Iterator[None]:
    """Do all the work of the block on the core of this thread: the others have work already."""
    before = _IN_WORKER.set(True)
    try:
        yield
    finally:
        _IN_WORKER.reset(before)


LARGEST_PRODUCT = 1 << 18
"""Multiplications that OpenBLAS leaves to one thread: 65536 x GEMM_MULTITHREAD_THRESHOLD."""


_OPENBLAS = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)
"""What the functions of OpenBLAS are called in numpy's own builds, and in others."""


class Blas:
    """The BLAS that numpy multiplies with, if it is OpenBLAS, and who needs it on one thread."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = Lock(), 0, 1
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        """Give a copy of this process the threads that it had: those that multiply are not in it."""
        if self._users:
            self.set_threads(self._before)
        self._lock, self._users = Lock(), 0

    @cached_property
    def count_threads(self) -> Callable[[], int]:
        """Return how many threads it takes for a product."""
        return self._find("get") or (lambda: 1)

    @cached_property
    def set_threads(self) -> Callable[[int], object]:
        """Set how many threads it takes, in the whole process."""
        return self._find("set") or (lambda _number: None)

    @staticmethod
    def _find(verb: str) -> Callable[..., Any] | None:
        from ctypes import CDLL  # noqa: PLC0415  numpy has loaded it

        of_numpy = sys.modules["numpy._core._multiarray_umath"].__file__
        beside = Path(np.__file__).parents[1].glob("numpy.libs/*openblas*")  # Windows looks in one library alone
        libraries = [CDLL(str(path)) for path in (of_numpy, *beside) if path]
        found = (getattr(library, name.format(verb), None) for library in libraries for name in _OPENBLAS)
        return next((function for function in found if function), None)

    def begin(self) -> None:
        """Keep it to one thread."""
        with self._lock:
            if self._users == 0:
                self._before = self.count_threads()
                self.set_threads(1)
            self._users += 1

    def end(self) -> None:
        """Give it back the threads that it had, if nobody else needs one alone."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self.set_threads(self._before)


BLAS = Blas()


@contextmanager
def blas_on_one_thread(products: int) -> Iterator[None]:
    """Keep BLAS, in the whole process, to the thread that asks for so many products, where it would take others.

    They are at work on other parts of the result, and how BLAS shares products out changes their last bits.
    """
    if products <= LARGEST_PRODUCT:
        yield
        return
    BLAS.begin()
    try:
        yield
    finally:
        BLAS.end()


Memory = Callable[..., Floats]
"""Gives a C-contiguous array of a name and a shape, the same for the same name, whatever it held before."""


def reuse_memory(dtype: np.dtype[np.floating]) -> Memory:
    """Return arrays of a type for each thread: fresh pages cost more than the arithmetic done on them."""
    kept = local()

    def take(name: str, *shape: int) -> Floats:
        array, size = kept.__dict__.get(name), prod(shape)
        if array is None or array.size < size:
            array = kept.__dict__[name] = np.empty(size, dtype)
        return np.asarray(array[:size].reshape(shape))

    return take
