"""`--resize` of the three commands: what is filtered, drawn, explained and foretold is the resized image."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import levels, load, rows, save

FILTERS = {
    "convolve": ("convolve", "-k", "identity:1"),
    "pool": ("pool", "--size", "1"),
    "pipeline": ("pipeline", "maxpool:1"),
}
EVERY_FILTER = pytest.mark.parametrize("command", FILTERS.values(), ids=FILTERS)


def means(volume: Array, side: int) -> Doubles:
    """Return the means of squares of pixels, (H / side, W / side, C)."""
    height, width = volume.shape[0] // side, volume.shape[1] // side
    return np.asarray(volume.reshape(height, side, width, side, -1).mean(axis=(1, 3)))


@pytest.fixture
def even(folder: Path) -> Array:
    """Return 24x32 RGB pixels, which lie in `folder` as `even.png`."""
    pixels = np.random.default_rng(3).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    save(folder / "even.png", pixels)
    return pixels


@EVERY_FILTER
def test_an_image_that_shrinks_becomes_the_means_of_areas(run: Run, even: Array, command: tuple[str, ...]) -> None:
    assert run(*command, "even.png", "--resize", "6x8", "-o", "out.png").stderr == ""
    assert np.array_equal(load("out.png"), levels(means(even, 4)))
    words = (*command, "even.png", "--resize", "6x8", "-o", "new.png", "--dry-run")
    assert run(*words).stdout == "even.png 24x32x3 -> new.png 6x8x3\n"


def test_an_image_that_grows_is_linear_between_the_middles_of_its_pixels(run: Run, folder: Path) -> None:
    save(folder / "row.png", np.array([[0, 200]], np.uint8))
    run("convolve", "row.png", "-k", "identity:1", "--resize", "1x4", "-o", "out.png")
    assert load("out.png").tolist() == [[0, 50, 150, 200]]


def test_many_images_get_one_size(run: Run, three: dict[str, Array]) -> None:
    run("convolve", *three, "-k", "sharpen", "-p", "same", "--border", "edge", "--resize", "32", "-o", "out/")
    assert {load(f"out/{name}").shape for name in three} == {(32, 32, 3)}


def test_a_matrix_is_resized_too(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text("1 2\n3 6\n")
    assert rows(run("pool", "m.txt", "--size", "1", "--resize", "1").stdout).tolist() == [[3]]


def test_colours_that_nobody_sees_do_not_bleed_into_smaller_images(run: Run, folder: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, ::2] = 200, 100, 50, 255
    pixels[:, 1::2] = 0, 255, 255, 0
    save(folder / "clear.png", pixels)
    run("convolve", "clear.png", "-k", "identity:1", "--resize", "2", "-o", "out.png")
    assert load("out.png").tolist() == [[[200, 100, 50, 128]] * 2] * 2


def test_the_smaller_image_is_the_one_that_is_explained(run: Run, even: Array) -> None:
    small = means(even, 8)
    said = run("convolve", "even.png", "-k", "box:3", "--resize", "3x4", "--explain", "0,0").stdout
    assert f"{small[:3, :3, 0].mean():.2f}"[:-1] in said
    run("convolve", "even.png", "-k", "box:3", "--resize", "3x4", "--animate", "out.gif")
    assert Path("out.gif").stat().st_size


@pytest.mark.parametrize(
    "command", [("pipeline", "relu@r"), ("convolve", "-k", "identity:1")], ids=["pipeline", "convolve"]
)
def test_a_figure_draws_what_the_network_sees(run: Run, even: Array, command: tuple[str, ...]) -> None:
    Path("large").mkdir()
    save(Path("large/even.png"), even.repeat(4, axis=0).repeat(4, axis=1))
    run(*command, "large/even.png", "--resize", "24x32", "--plot", "a.png")
    run(*command, "even.png", "--plot", "b.png")
    assert np.array_equal(load("a.png"), load("b.png"))


def test_an_image_of_the_wanted_size_stays_as_it_is(run: Run, even: Array) -> None:
    run("convolve", "even.png", "-k", "identity:1", "--resize", "24x32", "-o", "out.png")
    assert np.array_equal(load("out.png"), even)
