"""Parts of results: they are made once each, on any number of cores."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute import threads as tiles
from cnnfilter.compute.threads import (
    BLAS,
    LARGEST_PRODUCT,
    blas_on_one_thread,
    count_cores,
    fill_rows,
    make_tiles,
    reuse_memory,
)

CORES = pytest.mark.parametrize("cores", [1, 2, 4])


@given(rows=st.integers(0, 40), at_once=st.integers(1, 50))
def test_each_row_is_filled_once_and_no_more_at_a_time_than_asked(rows: int, at_once: int) -> None:
    parts: list[tuple[int, int]] = []

    def fill(first: int, target: Array) -> None:
        parts.append((first, len(target)))
        target[...] = np.arange(first, first + len(target))[:, None]

    filled = fill_rows((rows, 3), np.int64, at_once, fill)
    assert (filled == np.arange(rows)[:, None]).all()
    assert all(1 <= count <= at_once for _, count in parts)
    assert sum(count for _, count in parts) == rows


def test_there_is_at_least_one_core() -> None:
    assert count_cores() >= 1


def on_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """Have so many cores."""
    monkeypatch.setattr(tiles, "count_cores", lambda: cores)


@CORES
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_each_tile_is_made_once(monkeypatch: pytest.MonkeyPatch, cores: int, count: int) -> None:
    on_cores(monkeypatch, cores)
    made: list[int] = []
    make_tiles(range(count), made.append)
    assert sorted(made) == list(range(count))


@CORES
@pytest.mark.parametrize("count", [1, 3, 50])
def test_memory_is_taken_once_for_each_thread_and_there_are_no_more_threads_than_tiles(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int
) -> None:
    on_cores(monkeypatch, cores)
    memory = reuse_memory(np.dtype(np.float32))
    taken: dict[int, set[int]] = {}
    seen: list[Floats] = []

    def make(_tile: int) -> None:
        seen.append(memory("sums", 3, 2))
        taken.setdefault(threading.get_ident(), set()).add(seen[-1].ctypes.data)

    make_tiles(range(count), make)
    assert 1 <= len(taken) <= min(cores, count)
    assert all(len(addresses) == 1 for addresses in taken.values())
    assert len({address for addresses in taken.values() for address in addresses}) == len(taken)
    assert {(array.shape, array.dtype.name) for array in seen} == {((3, 2), "float32")}


@CORES
def test_several_threads_make_tiles_at_the_same_time(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    on_cores(monkeypatch, cores)
    together = threading.Barrier(cores, timeout=30)

    threads: list[int] = []

    def wait(_tile: int) -> None:
        together.wait()
        threads.append(threading.get_ident())

    make_tiles(range(cores), wait)
    assert len(threads) == len(set(threads)) == cores


def test_memory_of_a_name_grows_and_is_used_again() -> None:
    memory = reuse_memory(np.dtype(np.float64))
    large = memory("sums", 4, 5)
    assert np.shares_memory(memory("sums", 2, 3), large)
    assert not np.shares_memory(memory("source", 2, 3), large)
    assert memory("sums", 5, 5).shape == (5, 5)


@CORES
@pytest.mark.parametrize("bad", [3, 0], ids=["in a tile", "in the first tile"])
def test_what_goes_wrong_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch, cores: int, bad: int) -> None:
    on_cores(monkeypatch, cores)

    def make(tile: int) -> None:
        if tile == bad:
            raise MemoryError(f"tile {bad}")

    with pytest.raises(MemoryError, match=f"tile {bad}"):
        make_tiles(range(8), make)


@CORES
def test_threads_keep_how_numpy_takes_what_is_no_number(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    on_cores(monkeypatch, cores)
    results = np.zeros(8)

    def make(tile: int) -> None:
        results[tile] = np.array([np.inf])[0] - np.inf  # a warning, and so an error, without the state of numpy

    with np.errstate(invalid="ignore"):
        make_tiles(range(8), make)
    assert np.isnan(results).all()


@pytest.mark.skipif(BLAS.count_threads() == 1, reason="numpy has another BLAS, or one thread of it")
def test_blas_gets_its_threads_back_when_the_last_one_has_multiplied() -> None:
    before = BLAS.count_threads()
    inside, goes_on = threading.Event(), threading.Event()

    def multiply() -> None:
        with blas_on_one_thread(LARGEST_PRODUCT + 1):
            inside.set()
            goes_on.wait()

    other = threading.Thread(target=multiply)
    with blas_on_one_thread(LARGEST_PRODUCT + 1):
        other.start()
        inside.wait()
        assert BLAS.count_threads() == 1
    assert BLAS.count_threads() == 1
    goes_on.set()
    other.join()
    assert BLAS.count_threads() == before
    with blas_on_one_thread(LARGEST_PRODUCT):  # it takes no others for so few
        assert BLAS.count_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork") or BLAS.count_threads() == 1, reason="there is nothing to give back")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_copy_of_the_process_has_the_threads_of_blas() -> None:
    before = BLAS.count_threads()
    with blas_on_one_thread(LARGEST_PRODUCT + 1):
        child = os.fork()
        if child == 0:
            os._exit(BLAS.count_threads() != before)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert BLAS.count_threads() == 1
