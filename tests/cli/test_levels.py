"""From results to what a file holds: `--range`, `--depth`, rounding, and the warning on what was cut off."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import correlated, decode, levels, load, rows, save, text_of

SOBEL_X = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])

RANGES: dict[str, Callable[[Doubles, float], Doubles]] = {
    "clip": lambda x, white: x,
    "abs": lambda x, white: np.abs(x),
    "scale": lambda x, white: (x - x.min()) / (x.max() - x.min()) * white,
    "max": lambda x, white: x / np.abs(x).max() * white,
    "offset": lambda x, white: x + (white + 1) / 2,
}


def near(left: Array, right: Array) -> bool:
    """Return whether levels are the same but for a step where a result lies half way between two."""
    steps = np.abs(left.astype(np.int64) - right)
    return left.dtype == right.dtype and bool((steps <= 1).all() and (steps == 0).mean() > 0.97)


@pytest.mark.parametrize("word", RANGES)
def test_the_range_brings_results_into_8_bits(run: Run, colours: Array, word: str) -> None:
    run("convolve", "colours.png", "-k", "sobel-x", "--range", word, "-o", "out.png", "-q")
    expected = levels(RANGES[word](correlated(colours, SOBEL_X), 255))
    assert expected.std() > 10
    assert near(load("out.png"), expected)


@pytest.mark.parametrize("word", RANGES)
def test_the_range_brings_results_into_16_bits(run: Run, deep: Array, word: str) -> None:
    run("convolve", "deep.png", "-k", "sobel-x", "--range", word, "-o", "out.png", "-q")
    assert near(load("out.png"), levels(RANGES[word](correlated(deep, SOBEL_X), 65535), 65535))


@pytest.mark.parametrize("suffix", [".npy", ".tiff"])
@pytest.mark.parametrize("word", RANGES)
def test_the_range_brings_results_into_that_of_floats_too(run: Run, colours: Array, word: str, suffix: str) -> None:
    run("convolve", "colours.png", "-k", "sobel-x", "--range", word, "--depth", "float", "-o", f"out{suffix}", "-q")
    stored = np.load("out.npy") if suffix == ".npy" else load("out.tiff")
    expected = np.clip(RANGES[word](correlated(colours, SOBEL_X), 255), 0, 255)
    assert stored.dtype == np.float32
    assert np.abs(stored - expected).max() <= 0.5  # half of the range of floats may be 127.5
    assert word == "offset" or np.allclose(stored, expected, atol=1e-3)


@pytest.mark.parametrize("command", [("convolve", "-k", "sobel-x"), ("pipeline", "dwconv:sobel-x")])
def test_without_a_range_results_are_cut_off(run: Run, colours: Array, command: tuple[str, ...]) -> None:
    run(*command, "colours.png", "-o", "out.png", "-q")
    assert np.array_equal(load("out.png"), levels(correlated(colours, SOBEL_X)))


def test_the_extremes_are_those_of_all_channels(run: Run, folder: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:, :, 0] = 10
    pixels[:, :, 2] = 20
    save(folder / "flat.png", pixels)
    run("convolve", "flat.png", "-k", "1", "--range", "scale", "-o", "out.png")
    assert load("out.png")[0, 0].tolist() == [128, 0, 255]


def test_the_scale_of_one_value_alone_is_black(run: Run, folder: Path) -> None:
    save(folder / "flat.png", np.full((5, 5), 77, np.uint8))
    run("convolve", "flat.png", "-k", "box:3", "--range", "scale", "-o", "out.png")
    assert np.array_equal(load("out.png"), np.zeros((3, 3)))


def test_halves_are_rounded_to_the_even_level(run: Run, folder: Path) -> None:
    (folder / "halves.txt").write_text("0.5 1.5 2.5 3.5 254.5 253.5\n")
    run("convolve", "halves.txt", "-k", "1", "-o", "out.png")
    assert load("out.png").tolist() == [[0, 2, 2, 4, 254, 254]]


@pytest.mark.parametrize("suffix", [".npy", ".tiff", ".pfm"])
def test_a_file_of_floats_holds_results_as_they_are(run: Run, colours: Array, suffix: str) -> None:
    result = run(
        "convolve", "colours.png", "-k", "sobel-x", "--range", "none", "-o", f"out{suffix}", "--depth", "float"
    )
    stored = np.load("out.npy") if suffix == ".npy" else load(f"out{suffix}")
    assert stored.dtype == np.float32
    assert np.array_equal(stored, correlated(colours, SOBEL_X))
    assert result.stderr == ""


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".tsv", ".txt", ".pfm"])
def test_files_of_plain_numbers_and_pfm_hold_floats_untold(run: Run, deep: Array, suffix: str) -> None:
    result = run("convolve", "deep.png", "-k", "sobel-x", "-o", f"out{suffix}")
    path = Path(f"out{suffix}")
    separator = {".csv": ",", ".tsv": "\t"}.get(suffix)
    match suffix:
        case ".npy":
            stored = np.load(path)
        case ".pfm":
            stored = load(path)
        case _:
            stored = rows(path.read_text(), separator)
    assert np.array_equal(stored, correlated(deep, SOBEL_X))
    assert result.stderr == ""


def test_the_depth_is_that_of_the_input(run: Run, folder: Path, colours: Array, deep: Array) -> None:
    deep_colours = np.stack([deep, deep[::-1], deep[:, ::-1]], axis=-1)
    save(folder / "deep-colours.png", deep_colours)
    for name, pixels in (("colours.png", colours), ("deep.png", deep), ("deep-colours.png", deep_colours)):
        run("convolve", name, "-k", "identity:3", "-o", "out.png")
        stored = load("out.png")
        assert stored.dtype == pixels.dtype
        assert np.array_equal(stored, pixels[1:-1, 1:-1])


def test_8_bits_become_16_by_257_for_each_step(run: Run, colours: Array) -> None:
    run("convolve", "colours.png", "-k", "1", "--depth", "16", "-o", "out.png")
    stored = load("out.png")
    assert stored.dtype == np.uint16
    assert np.array_equal(stored, colours.astype(np.uint16) * 257)


def test_16_bits_become_8_rounded_once(run: Run, deep: Array) -> None:
    run("convolve", "deep.png", "-k", "1", "--depth", "8", "-o", "out.png")
    stored = load("out.png")
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, np.rint(deep / 257))


def test_half_of_the_range_is_that_of_the_file_where_depths_differ(run: Run, folder: Path) -> None:
    save(folder / "black.png", np.zeros((3, 3), np.uint8))
    run("convolve", "black.png", "-k", "1", "--range", "offset", "--depth", "16", "-o", "out.png")
    assert (load("out.png") == 32768).all()


def test_a_float_picture_has_white_at_1(run: Run, folder: Path) -> None:
    save(folder / "floats.tiff", np.array([[0.0, 0.25, 1.0, 1.5, -0.5]], np.float32))
    run("convolve", "floats.tiff", "-k", "1", "--depth", "8", "-o", "out.png", "-q")
    assert load("out.png").tolist() == [[0, 64, 255, 255, 0]]
    run("convolve", "floats.tiff", "-k", "2", "-o", "twice.tiff")
    assert load("twice.tiff").tolist() == [[0, 0.5, 2, 3, -1]]


@pytest.mark.parametrize(("depth", "white"), [("8", 255), ("16", 65535)])
def test_the_numbers_of_a_matrix_are_levels_of_the_output(run: Run, folder: Path, depth: str, white: int) -> None:
    (folder / "matrix.txt").write_text("0 1 200 300 -4 70000\n")
    run("convolve", "matrix.txt", "-k", "1", "--depth", depth, "-o", "out.png", "-q")
    stored = load("out.png")
    assert stored.dtype == (np.uint8 if white == 255 else np.uint16)
    assert stored.tolist() == [[0, 1, 200, min(300, white), 0, white]]


def test_a_matrix_becomes_a_picture_of_8_bits_untold(run: Run, folder: Path) -> None:
    volume = np.arange(60.0).reshape(4, 5, 3) * 4
    (folder / "matrix.txt").write_text(text_of(volume))
    run("convolve", "matrix.txt", "-k", "1", "-o", "out.png")
    stored = load("out.png")
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, volume)


def test_16_bits_to_jpeg_become_8_with_a_warning(run: Run, samples: Path) -> None:
    result = run("convolve", samples / "gradient-16.png", "-k", "box:5", "-o", "out.jpg")
    source = load(samples / "gradient-16.png")
    stored = load("out.jpg")
    assert source.dtype == np.uint16
    assert stored.dtype == np.uint8
    assert np.abs(stored - correlated(source, np.full((5, 5), 1 / 25)) / 257).max() < 4
    assert result.stderr.startswith("cnnfilter: warning: ")
    assert "JPEG cannot hold depth 16; it is written with 8" in result.stderr


def test_floats_to_png_become_16_bits_with_a_warning(run: Run, colours: Array) -> None:
    result = run("convolve", "colours.png", "-k", "1", "--depth", "float", "-o", "out.png")
    assert np.array_equal(load("out.png"), colours.astype(np.uint16) * 257)
    assert "PNG cannot hold depth float; it is written with 16" in result.stderr


@pytest.mark.parametrize("depth", ["8", "16", "float"])
def test_tiff_holds_every_depth(run: Run, colours: Array, depth: str) -> None:
    result = run("convolve", "colours.png", "-k", "sharpen", "--depth", depth, "-o", "out.tiff", "-q")
    sharp = correlated(colours, np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]))
    stored = load("out.tiff")
    expected = {"8": levels(sharp), "16": levels(sharp * 257, 65535), "float": sharp.astype(np.float32)}[depth]
    assert stored.dtype == expected.dtype
    assert np.array_equal(stored, expected)
    assert result.stdout_bytes == b""


def test_what_is_cut_off_brings_a_warning_with_the_share_and_the_cure(run: Run, colours: Array) -> None:
    result = run("convolve", "colours.png", "-k", "sobel-x", "-o", "out.png")
    values = correlated(colours, SOBEL_X)
    share = 100 * ((values < 0) | (values > 255)).mean()
    said = f"{share:.1f} % of the values were below black or above white, and were clipped; --range abs shows them"
    assert result.stderr == f"cnnfilter: warning: colours.png: {said}\n"
    assert result.stdout == ""


def test_quiet_silences_the_warning_and_nothing_else(run: Run, colours: Array) -> None:
    aloud = run("convolve", "colours.png", "-k", "sobel-x", "-o", "-", "--format", "png")
    quiet = run("convolve", "colours.png", "-k", "sobel-x", "-o", "-", "--format", "png", "--quiet")
    assert aloud.stderr != ""
    assert quiet.stderr == ""
    assert quiet.stdout_bytes == aloud.stdout_bytes
    assert np.array_equal(decode(quiet.stdout_bytes), levels(correlated(colours, SOBEL_X)))


@pytest.mark.parametrize(("white", "warnings"), [(1, 0), (2, 1)])
def test_a_thousandth_is_what_may_be_cut_off_without_a_warning(
    run: Run, folder: Path, white: int, warnings: int
) -> None:
    matrix = np.zeros((40, 25))
    matrix.flat[:white] = 300
    (folder / "matrix.txt").write_text(text_of(matrix))
    result = run("convolve", "matrix.txt", "-k", "1", "-o", "out.png")
    assert result.stderr.count("warning") == warnings
    assert (load("out.png") == 255).sum() == white


def test_an_array_that_looks_channels_first_brings_a_warning(run: Run, folder: Path) -> None:
    np.save(folder / "chw.npy", np.zeros((3, 50, 60)))
    np.save(folder / "bank.npy", np.ones((4, 3, 3, 3)))
    stderr = run("pool", "chw.npy", "-o", "out.npy").stderr
    assert stderr.startswith("cnnfilter: warning: chw.npy: shape (3, 50, 60) is read as 3 rows and 50 columns of 60")
    np.save(folder / "hwc.npy", np.zeros((50, 60, 3)))
    stderr = run("convolve", "hwc.npy", "-k", "bank.npy", "-o", "out.npy").stderr
    assert stderr.startswith("cnnfilter: warning: hwc.npy: bank.npy: shape (4, 3, 3, 3) is read as windows of 4x3")
    assert run("convolve", "hwc.npy", "-k", "bank.npy", "-o", "out.npy", "-q").stderr == ""


@pytest.mark.parametrize("kernel", ["1", "sharpen"])
def test_a_matrix_from_0_to_1_that_makes_a_black_image_brings_a_warning(run: Run, folder: Path, kernel: str) -> None:
    image = np.linspace(0, 1, 400).reshape(20, 20)
    np.save(folder / "unit.npy", image)
    np.save(folder / "levels.npy", image * 255)
    stderr = run("convolve", "unit.npy", "-k", kernel, "-o", "out.png").stderr
    assert "cnnfilter: warning: unit.npy: the image is nearly black: the matrix goes from 0 to 1" in stderr
    for words in (("levels.npy", "-o", "out.png"), ("unit.npy", "-o", "out.png", "--range", "scale")):
        assert "nearly black" not in run("convolve", *words, "-k", kernel).stderr
    assert "nearly black" not in run("convolve", "unit.npy", "-k", kernel, "-o", "out.npy").stderr
    assert "nearly black" not in run("convolve", "unit.npy", "-k", "255", "-o", "out.png").stderr
