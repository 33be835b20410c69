"""`cnnfilter pool`: what each option does to the numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import load, rows, text_of

IMAGE: Doubles = np.random.default_rng(4).integers(-50, 100, (11, 14)).astype(np.float64)

MODES: dict[str, Callable[[Array], float]] = {
    "max": lambda pixels: float(pixels.max()),
    "avg": lambda pixels: float(pixels.mean()),
    "l2": lambda pixels: float(np.sqrt((pixels**2).sum())),
    "min": lambda pixels: float(pixels.min()),
    "median": lambda pixels: float(np.median(pixels)),
}
EVERY_MODE = pytest.mark.parametrize("mode", MODES)

Starts = tuple[list[int], list[int]]
"""Where windows start in the image: their first rows, their first columns; negative in the padding."""


@pytest.fixture(autouse=True)
def _image(folder: Path) -> None:
    """Lay the matrix in the current folder."""
    (folder / "image.txt").write_text(text_of(IMAGE))


def pooled(image: Array, mode: str, starts: Starts, taps: tuple[list[int], list[int]]) -> Doubles:
    """Return one value for each window, of the pixels that are there, by walking over all of them."""
    height, width = image.shape
    result = np.empty((len(starts[0]), len(starts[1])))
    for i, top in enumerate(starts[0]):
        for j, left in enumerate(starts[1]):
            down = [top + tap for tap in taps[0] if 0 <= top + tap < height]
            across = [left + tap for tap in taps[1] if 0 <= left + tap < width]
            result[i, j] = MODES[mode](image[np.ix_(down, across)])
    return result


def assert_pools(
    run: Run, mode: str, options: tuple[str, ...], starts: Starts, taps: tuple[list[int], list[int]]
) -> None:
    """Run the command with options, and compare with windows that start there and have these taps."""
    result = run("pool", "image.txt", "-m", mode, *options)
    expected = pooled(IMAGE, mode, starts, taps)
    assert rows(result.stdout).shape == expected.shape
    assert np.allclose(rows(result.stdout), expected, rtol=1e-13, atol=1e-13)


@EVERY_MODE
def test_windows_of_2_lie_side_by_side_and_leave_the_rest_out(run: Run, mode: str) -> None:
    assert_pools(run, mode, (), (list(range(0, 10, 2)), list(range(0, 14, 2))), ([0, 1], [0, 1]))


def test_the_usual_mode_is_max(run: Run) -> None:
    assert run("pool", "image.txt").stdout == run("pool", "image.txt", "--mode", "max").stdout


@EVERY_MODE
def test_the_stride_is_the_size_unless_it_is_told(run: Run, mode: str) -> None:
    assert_pools(run, mode, ("--size", "3x4"), ([0, 3, 6], [0, 4, 8]), ([0, 1, 2], [0, 1, 2, 3]))
    assert_pools(run, mode, ("--size", "3", "-s", "1"), (list(range(9)), list(range(12))), ([0, 1, 2],) * 2)
    assert_pools(run, mode, ("--size", "2x3", "-s", "5x2"), ([0, 5], list(range(0, 12, 2))), ([0, 1], [0, 1, 2]))


@EVERY_MODE
def test_padding_is_no_pixel(run: Run, mode: str) -> None:
    places = list(range(-1, 10, 2)), list(range(-1, 13, 2))
    assert_pools(run, mode, ("--size", "3", "-s", "2", "-p", "1"), places, ([0, 1, 2],) * 2)


@EVERY_MODE
@pytest.mark.parametrize(("word", "top", "left"), [("same", 0, 0), ("same-lower", 1, 1)])
def test_padding_same_gives_size_over_stride_rounded_up(run: Run, mode: str, word: str, top: int, left: int) -> None:
    # 11 rows by 3: 4 windows want 12, the odd one out at the end, or at the start under same-lower;
    # 14 columns by 3: 5 windows want 15.
    assert_pools(
        run,
        mode,
        ("--size", "3", "-p", word),
        ([start - top for start in range(0, 12, 3)], [start - left for start in range(0, 15, 3)]),
        ([0, 1, 2],) * 2,
    )


@EVERY_MODE
def test_ceil_lets_the_last_windows_hang_over(run: Run, mode: str) -> None:
    assert_pools(run, mode, ("--size", "3", "--ceil"), ([0, 3, 6, 9], [0, 3, 6, 9, 12]), ([0, 1, 2],) * 2)


@EVERY_MODE
def test_no_window_starts_beyond_the_image_even_with_ceil(run: Run, mode: str) -> None:
    # 14 columns and a pixel on each side make 16; a sixth window would start at 15 - 1 = 14, in the padding.
    options = ("--size", "2x2", "-s", "3", "-p", "1", "--ceil")
    assert_pools(run, mode, options, ([-1, 2, 5, 8], [-1, 2, 5, 8, 11]), ([0, 1],) * 2)


@EVERY_MODE
def test_dilation_spreads_a_window(run: Run, mode: str) -> None:
    options = ("--size", "2x3", "-d", "4x2", "-s", "1")
    assert_pools(run, mode, options, (list(range(7)), list(range(10))), ([0, 4], [0, 2, 4]))


@pytest.mark.parametrize("ceil", [(), ("--ceil",)])
def test_means_count_padding_when_told_and_never_what_hangs_over(run: Run, ceil: tuple[str, ...]) -> None:
    options = ("-m", "avg", "--size", "3", "-s", "2", "-p", "1", "--count-include-pad", *ceil)
    result = rows(run("pool", "image.txt", *options).stdout)
    padded = np.pad(IMAGE, 1)
    starts = range(0, 11, 2), range(0, 15 if ceil else 14, 2)
    expected = [[padded[i : i + 3, j : j + 3].mean() for j in starts[1]] for i in starts[0]]
    assert np.allclose(result, expected, rtol=1e-13)


def test_l2_is_a_root_of_a_sum_that_padding_adds_nothing_to(run: Run) -> None:
    options = ("pool", "image.txt", "-m", "l2", "--size", "3", "-p", "1")
    assert run(*options, "--count-include-pad").stdout == run(*options).stdout


@pytest.mark.parametrize(("mode", "function"), [("max", np.max), ("avg", np.mean)])
def test_global_leaves_one_value_of_each_channel(
    run: Run, colours: Array, mode: str, function: Callable[..., Array]
) -> None:
    run("pool", "colours.png", "-m", mode, "--global", "-o", "out.npy")
    stored = np.load("out.npy")
    assert stored.shape == (1, 1, 3)
    assert np.allclose(stored[0, 0], function(colours, axis=(0, 1)), rtol=1e-6)
    run("pool", "colours.png", "-m", mode, "--global", "-o", "out.png")
    assert load("out.png").tolist() == np.rint(stored).tolist()


@pytest.mark.parametrize(("mode", "function"), [("max", np.max), ("avg", np.mean)])
def test_over_channels_leaves_one_map(run: Run, colours: Array, mode: str, function: Callable[..., Array]) -> None:
    run("pool", "colours.png", "-m", mode, "--over", "channels", "-o", "out.npy")
    stored = np.load("out.npy")
    assert stored.shape == colours.shape[:2]
    assert np.allclose(stored, function(colours, axis=2), rtol=1e-6)
    run("pool", "colours.png", "-m", mode, "--over", "channels", "-o", "out.png")
    assert np.array_equal(load("out.png"), np.rint(stored))


def test_over_space_is_the_usual_one(run: Run, colours: Array) -> None:
    run("pool", "colours.png", "-o", "usual.png")
    run("pool", "colours.png", "--over", "space", "-o", "told.png")
    assert np.array_equal(load("told.png"), load("usual.png"))
    assert np.array_equal(load("usual.png"), colours[:20, :26].reshape(10, 2, 13, 2, 3).max(axis=(1, 3)))


@EVERY_MODE
def test_each_channel_of_a_picture_is_pooled_by_itself(run: Run, colours: Array, mode: str) -> None:
    run("pool", "colours.png", "-m", mode, "--size", "3x5", "-s", "2", "-o", "out.png", "-q")
    starts: Starts = list(range(0, 19, 2)), list(range(0, 22, 2))
    planes = [pooled(colours[:, :, i].astype(float), mode, starts, ([0, 1, 2], list(range(5)))) for i in range(3)]
    expected = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255)
    stored = load("out.png")
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, expected)


def test_means_of_a_picture_are_rounded_half_to_even(run: Run, folder: Path) -> None:
    (folder / "halves.txt").write_text("0 1 1 2 2 3\n")
    run("pool", "halves.txt", "-m", "avg", "--size", "1x2", "-o", "out.png")
    assert load("out.png").tolist() == [[0, 2, 2]]


@pytest.mark.parametrize("mode", ["max", "min", "median"])
def test_16_bits_stay_16_bits(run: Run, deep: Array, mode: str) -> None:
    run("pool", "deep.png", "-m", mode, "--size", "3", "-o", "out.png")
    expected = pooled(deep.astype(float), mode, (list(range(0, 18, 3)), list(range(0, 15, 3))), ([0, 1, 2],) * 2)
    assert load("out.png").dtype == np.uint16
    assert np.array_equal(load("out.png"), expected)


def test_the_range_applies_to_pools_too(run: Run) -> None:
    run("pool", "image.txt", "-m", "min", "--range", "abs", "-o", "out.png")
    expected = pooled(IMAGE, "min", (list(range(0, 10, 2)), list(range(0, 14, 2))), ([0, 1],) * 2)
    assert expected.min() < -10
    assert np.array_equal(load("out.png"), np.abs(expected))


@pytest.mark.parametrize("option", ["--global", "--over=channels"])
@pytest.mark.parametrize(
    "told", [("--size", "2"), ("-s", "1"), ("-p", "1"), ("-d", "1"), ("--ceil",), ("--count-include-pad",)]
)
def test_what_has_no_window_takes_no_option_of_one(run: Run, option: str, told: tuple[str, ...]) -> None:
    result = run("pool", "image.txt", option, *told, status=2)
    assert "has no window" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["--global", "--over=channels"])
@pytest.mark.parametrize("mode", ["l2", "min", "median"])
def test_only_max_and_avg_are_global_or_over_channels(run: Run, option: str, mode: str) -> None:
    assert "takes --mode max or avg" in run("pool", "image.txt", option, "-m", mode, status=2).stderr


def test_global_and_over_channels_exclude_each_other(run: Run) -> None:
    result = run("pool", "image.txt", "--global", "--over", "channels", status=2)
    assert "--global and --over channels" in result.stderr


@pytest.mark.parametrize("mode", ["max", "min", "median"])
def test_only_averages_count_padding(run: Run, mode: str) -> None:
    assert "never counts padding" in run("pool", "image.txt", "-m", mode, "--count-include-pad", status=2).stderr


@pytest.mark.parametrize("padding", ["2", "0x2", "0/0/0/2"])
def test_padding_is_at_most_half_the_window(run: Run, padding: str) -> None:
    result = run("pool", "image.txt", "--size", "3", "-p", padding, status=1)
    assert "padding 2 is more than half" in result.stderr
