"""Tiles: they cover a result exactly once, and are made on any number of cores."""

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.compute import tiles
from cnnfilter.compute.tiles import Tile, Worker, count_cores, cut, make_tiles

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
    make_tiles(wanted, lambda: made.append)
    assert sorted(tile.rows.start for tile in made) == list(range(count))
    assert len(wanted) == count


@CORES
@pytest.mark.parametrize("count", [1, 3, 50])
def test_memory_is_taken_once_for_each_thread_and_no_thread_is_without_a_tile_to_make(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int
) -> None:
    on_cores(monkeypatch, cores)
    begun: list[int] = []

    def begin() -> Worker:
        begun.append(threading.get_ident())
        return lambda _tile: None

    make_tiles(cut(count, 1, 1, 1), begin)
    assert len(begun) == min(cores, count)


@CORES
def test_a_thread_makes_its_tiles_with_the_memory_that_it_took(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    on_cores(monkeypatch, cores)
    strangers: Counter[bool] = Counter()

    def begin() -> Worker:
        owner = threading.get_ident()

        def make(_tile: Tile) -> None:
            strangers[owner != threading.get_ident()] += 1

        return make

    make_tiles(cut(40, 1, 1, 1), begin)
    assert strangers == {False: 40}


def fail_on_a_tile() -> Worker:
    """Return a worker that cannot make one of the tiles."""

    def make(tile: Tile) -> None:
        if tile.rows.start == 3:
            raise MemoryError("tile 3")

    return make


def fail_at_once() -> Worker:
    """Take more memory than there is."""
    raise MemoryError("tile 3")


@CORES
@pytest.mark.parametrize("begin", [fail_on_a_tile, fail_at_once], ids=["in a tile", "before the first tile"])
def test_what_goes_wrong_in_a_thread_is_raised(
    monkeypatch: pytest.MonkeyPatch, cores: int, begin: Callable[[], Worker]
) -> None:
    on_cores(monkeypatch, cores)
    with pytest.raises(MemoryError, match="tile 3"):
        make_tiles(cut(8, 1, 1, 1), begin)


@CORES
def test_threads_keep_how_numpy_takes_what_is_no_number(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    on_cores(monkeypatch, cores)
    results = np.zeros(8)

    def begin() -> Worker:
        def make(tile: Tile) -> None:
            results[tile.rows] = np.array([np.inf]) - np.inf  # a warning, and so an error, without the state of numpy

        return make

    with np.errstate(invalid="ignore"):
        make_tiles(cut(8, 1, 1, 1), begin)
    assert np.isnan(results).all()
