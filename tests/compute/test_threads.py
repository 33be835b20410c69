"""Tiles: they cover a result exactly once, and are made on any number of cores."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Floats
from cnnfilter.compute import threads as tiles
from cnnfilter.compute.threads import Memory, Tile, count_cores, cut, make_tiles

CORES = pytest.mark.parametrize("cores", [1, 2, 4])

LENGTHS = st.integers(0, 40)
SIDES = st.integers(1, 50)


@given(height=LENGTHS, width=LENGTHS, rows=SIDES, columns=SIDES)
def test_tiles_cover_each_place_exactly_once(height: int, width: int, rows: int, columns: int) -> None:
    seen = np.zeros((height, width), int)
    for tile in cut(height, width, rows, columns):
        seen[tile.rows, tile.columns] += 1
    assert (seen == 1).all()


@given(height=LENGTHS, width=LENGTHS, rows=SIDES, columns=SIDES)
def test_no_tile_is_empty_or_larger_than_asked(height: int, width: int, rows: int, columns: int) -> None:
    for tile in cut(height, width, rows, columns):
        assert 1 <= tile.size[0] <= rows
        assert 1 <= tile.size[1] <= columns
        assert seen_shape(tile, height, width) == tile.size


def seen_shape(tile: Tile, height: int, width: int) -> tuple[int, int]:
    """Return the shape of what a tile takes out of an array."""
    shape = np.empty((height, width))[tile.rows, tile.columns].shape
    return shape[0], shape[1]


def test_there_is_at_least_one_core() -> None:
    assert count_cores() >= 1


def on_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    """Have so many cores."""
    monkeypatch.setattr(tiles, "count_cores", lambda: cores)


@CORES
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_each_tile_is_made_once(monkeypatch: pytest.MonkeyPatch, cores: int, count: int) -> None:
    on_cores(monkeypatch, cores)
    made: list[Tile] = []
    wanted = cut(count, 3, 1, 3)
    make_tiles(wanted, made.append)
    assert sorted(tile.rows.start for tile in made) == list(range(count))
    assert len(wanted) == count


@CORES
@pytest.mark.parametrize("count", [1, 3, 50])
def test_memory_is_taken_once_for_each_thread_and_there_are_no_more_threads_than_tiles(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int
) -> None:
    on_cores(monkeypatch, cores)
    memory = Memory(np.dtype(np.float32))
    taken: dict[int, set[int]] = {}
    seen: list[Floats] = []

    def make(_tile: Tile) -> None:
        seen.append(memory("sums", 3, 2))
        taken.setdefault(threading.get_ident(), set()).add(seen[-1].ctypes.data)

    make_tiles(cut(count, 1, 1, 1), make)
    assert 1 <= len(taken) <= min(cores, count)
    assert all(len(addresses) == 1 for addresses in taken.values())
    assert len({address for addresses in taken.values() for address in addresses}) == len(taken)
    assert {(array.shape, array.dtype.name) for array in seen} == {((3, 2), "float32")}


@CORES
def test_several_threads_make_tiles_at_the_same_time(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    on_cores(monkeypatch, cores)
    together = threading.Barrier(cores, timeout=30)

    def wait(_tile: Tile) -> None:
        together.wait()

    make_tiles(cut(cores, 1, 1, 1), wait)


def test_memory_of_a_name_grows_and_is_used_again() -> None:
    memory = Memory(np.dtype(np.float64))
    large = memory("sums", 4, 5)
    assert np.shares_memory(memory("sums", 2, 3), large)
    assert not np.shares_memory(memory("source", 2, 3), large)
    assert memory("sums", 5, 5).shape == (5, 5)


@CORES
@pytest.mark.parametrize("bad", [3, 0], ids=["in a tile", "in the first tile"])
def test_what_goes_wrong_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch, cores: int, bad: int) -> None:
    on_cores(monkeypatch, cores)

    def make(tile: Tile) -> None:
        if tile.rows.start == bad:
            raise MemoryError(f"tile {bad}")

    with pytest.raises(MemoryError, match=f"tile {bad}"):
        make_tiles(cut(8, 1, 1, 1), make)


@CORES
def test_threads_keep_how_numpy_takes_what_is_no_number(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    on_cores(monkeypatch, cores)
    results = np.zeros(8)

    def make(tile: Tile) -> None:
        results[tile.rows] = np.array([np.inf]) - np.inf  # a warning, and so an error, without the state of numpy

    with np.errstate(invalid="ignore"):
        make_tiles(cut(8, 1, 1, 1), make)
    assert np.isnan(results).all()
