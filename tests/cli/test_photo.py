"""A real photo and the sample pictures through the commands: sizes, colours, and what the line filters see."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, signal  # type: ignore[import-untyped]  # it has no types

from cnnfilter.arrays import Array
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, levels, load

LINES = ("line-vertical", "line-horizontal", "line-diagonal", "line-antidiagonal", "frame")


@pytest.fixture
def pixels(photo: Path) -> Array:
    """Return the photo as another library reads it."""
    with Image.open(photo) as image:
        return np.asarray(image.convert("RGB"))


def test_the_photo_is_600_by_512_and_red_is_first(run: Run, photo: Path, pixels: Array) -> None:
    run("pool", photo, "--size", 1, "-o", "copy.png")
    with Image.open("copy.png") as image:
        copy = np.asarray(image)
    assert copy.shape == (600, 512, 3)
    assert np.abs(copy.astype(int) - pixels).mean() < 1


def test_a_blurred_photo_is_the_photo_blurred(run: Run, photo: Path, pixels: Array) -> None:
    run("convolve", photo, "-k", "gaussian:15:2.5", "-p", "same", "--border", "reflect", "-o", "soft.png")
    expected = ndimage.gaussian_filter(pixels.astype(np.float64), 2.5, mode="mirror", radius=7, axes=(0, 1))
    stored = load("soft.png")
    assert stored.shape == (600, 512, 3)
    assert np.abs(stored - expected).mean() < 1


def test_a_sharpened_photo_loses_a_pixel_on_each_side(run: Run, photo: Path) -> None:
    run("convolve", photo, "-k", "sharpen", "-o", "sharp.png", "-q")
    run("pool", photo, "--size", 1, "-o", "copy.png")
    weights = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])[:, :, None]
    expected = ndimage.correlate(load("copy.png").astype(np.float64), weights)[1:-1, 1:-1]
    assert expected.shape == (598, 510, 3)
    assert np.array_equal(load("sharp.png"), levels(expected))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ((), (300, 256)),
        (("--size", "7"), (85, 73)),
        (("--size", "7", "--ceil"), (86, 74)),
        (("--size", "3", "-s", "2", "-p", "1"), (300, 256)),
        (("-m", "avg", "--size", "4x8"), (150, 64)),
    ],
)
def test_a_pooled_photo_has_the_size_that_the_formula_gives(
    run: Run, photo: Path, options: tuple[str, ...], size: tuple[int, int]
) -> None:
    run("pool", photo, *options, "-o", "small.png")
    assert load("small.png").shape == (*size, 3)


def test_the_network_of_a_vertical_line_filter_relu_and_pool(run: Run, photo: Path) -> None:
    run("pool", photo, "--size", 1, "-o", "copy.png")
    run("pipeline", "gray conv:line-vertical:15", photo, "-o", "maps.npy")
    run("pipeline", "gray conv:line-vertical:15 relu maxpool:10", photo, "-o", "map.npy")
    column = np.zeros((15, 15))
    column[:, 7] = 1
    maps = signal.correlate(load("copy.png") @ np.array(GRAY), column, mode="valid")
    assert maps.shape == (586, 498)
    assert np.allclose(np.load("maps.npy"), maps, rtol=1e-5, atol=0.02)
    pooled = maps[:580, :490].reshape(58, 10, 49, 10).max(axis=(1, 3))
    assert np.load("map.npy").shape == (58, 49)
    assert np.allclose(np.load("map.npy"), pooled, rtol=1e-5, atol=0.02)


def test_the_network_writes_a_picture_that_range_max_makes_visible(run: Run, photo: Path) -> None:
    result = run("pipeline", "gray conv:line-vertical:15 relu maxpool:10", photo, "-o", "map.png")
    assert "were clipped" in result.stderr
    result = run(*("pipeline", "gray conv:line-vertical:15 relu maxpool:10", photo, "-o", "map.png", "--range", "max"))
    assert result.stderr == ""
    assert load("map.png").shape == (58, 49)
    assert load("map.png").max() == 255


def test_the_five_line_filters_on_the_photo(run: Run, photo: Path) -> None:
    kernels = [word for line in LINES for word in ("-k", f"{line}:25")]
    run("convolve", photo, *kernels, "--channels", "gray", "--range", "max", "-o", "lines/")
    made = {path.name: load(path) for path in Path("lines").iterdir()}
    assert set(made) == {f"grace_hopper-{line}_25.jpg" for line in LINES}
    assert {pixels.shape for pixels in made.values()} == {(576, 488)}
    assert len({pixels.tobytes() for pixels in made.values()}) == 5


def answers(run: Run, picture: Path, kernel: str) -> Array:
    """Return what a line filter of 15 pixels, balanced by its neighbours, makes of the dark lines of a picture."""
    run("pipeline", f"conv:{kernel}:15,normalize=sum", picture, "-o", "along.npy")
    run("pipeline", "conv:box:15", picture, "-o", "around.npy")
    return np.asarray(np.load("around.npy") - np.load("along.npy"))


@pytest.mark.parametrize(
    ("line", "row", "column"),
    [
        ("line-vertical", slice(100, 180), 49),
        ("line-horizontal", 196, slice(140, 250)),
    ],
)
def test_a_line_filter_answers_most_on_the_lines_of_its_direction(
    run: Run, samples: Path, line: str, row: int | slice, column: int | slice
) -> None:
    chart = load(samples / "chart.png").astype(int)
    assert chart[row, column].max() < 60  # the axis is dark, and as long as that
    maps = {name: answers(run, samples / "chart.png", name) for name in LINES[:4]}
    there = {name: np.median(answer[_inside(row), _inside(column)]) for name, answer in maps.items()}
    assert max(there, key=lambda name: there[name]) == line
    assert there[line] > 3 * sorted(there.values())[-2]


def _inside(place: int | slice) -> int | slice:
    """Return the place in a map that a kernel of 15 leaves, 7 pixels smaller on each side."""
    return place - 7 if isinstance(place, int) else slice(place.start - 7, place.stop - 7)


def test_the_diagonals_are_told_apart(run: Run, samples: Path) -> None:
    chart = load(samples / "chart.png").astype(int)
    rising = [(166 - step, 80 + step) for step in range(6)]
    falling = [(52 + step, 146 + step) for step in range(6)]
    for line, places in (("line-antidiagonal", rising), ("line-diagonal", falling)):
        assert max(chart[place] for place in places) < 128
        maps = {name: answers(run, samples / "chart.png", name) for name in LINES[:4]}
        there = {
            name: np.mean([answer[row - 7, column - 7] for row, column in places]) for name, answer in maps.items()
        }
        assert max(there, key=lambda name: there[name]) == line


def test_16_bits_stay_16_bits_and_smooth(run: Run, samples: Path) -> None:
    run(
        "convolve", samples / "gradient-16.png", "-k", "gaussian:9:1.5", "-p", "same", "--border", "edge", "-o", "g.png"
    )
    source, stored = load(samples / "gradient-16.png"), load("g.png")
    assert stored.dtype == np.uint16
    assert stored.shape == source.shape
    expected = ndimage.gaussian_filter(source.astype(np.float64), 1.5, mode="nearest", radius=4)
    assert np.abs(stored - expected).max() < 1
    assert len(np.unique(stored)) > 5000
