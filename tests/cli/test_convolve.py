"""`cnnfilter convolve`: what each option does to the numbers."""

from collections.abc import Callable
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, signal, special  # type: ignore[import-untyped]  # it has no types

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, correlated, levels, load, rows, text_of

IMAGE: Doubles = np.random.default_rng(1).integers(0, 100, (11, 14)).astype(np.float64)
KERNEL = np.array([[1.0, 2, -1], [0, 3, -2], [-4, 1, 5]])
EVEN = np.array([[1.0, -2, 3, 0], [2, 0, -1, 4]])

SOBEL_X = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SOBEL_Y = SOBEL_X.T
SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])


@pytest.fixture(autouse=True)
def _image(folder: Path) -> None:
    """Lay the matrix in the current folder."""
    (folder / "image.txt").write_text(text_of(IMAGE))


def inline(kernel: Array) -> str:
    """Return a kernel as `-k` takes it."""
    return "; ".join(" ".join(f"{weight:g}" for weight in row) for row in kernel)


def pads_of(word: str, size: int, extent: int, stride: int) -> tuple[int, int]:
    """Return how many pixels a word for padding adds before and after one axis."""
    total = max((ceil(size / stride) - 1) * stride + extent - size, 0)
    return {
        "valid": (0, 0),
        "same": (total // 2, total - total // 2),
        "same-lower": (total - total // 2, total // 2),
        "half": ((extent - 1) // 2, (extent - 1) // 2),
        "full": (extent - 1, extent - 1),
    }[word]


def test_a_matrix_is_printed_and_the_kernel_is_laid_on_it_as_it_is_drawn(run: Run) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL))
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL))
    assert result.stderr == ""


def test_flip_gives_the_convolution_of_mathematics(run: Run) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "--flip")
    assert np.array_equal(rows(result.stdout), signal.convolve2d(IMAGE, KERNEL, mode="valid"))


@pytest.mark.parametrize(("option", "rows_apart", "columns_apart"), [("1", 1, 1), ("3", 3, 3), ("2x3", 2, 3)])
def test_the_stride_is_one_number_or_height_times_width(
    run: Run, option: str, rows_apart: int, columns_apart: int
) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "-s", option)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL)[::rows_apart, ::columns_apart])


@pytest.mark.parametrize(
    ("option", "pads"),
    [("0", (0, 0, 0, 0)), ("2", (2, 2, 2, 2)), ("2x1", (2, 1, 2, 1)), ("1/0/2/3", (1, 0, 2, 3))],
)
def test_padding_is_a_number_or_a_pair_or_four_sides(run: Run, option: str, pads: tuple[int, ...]) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "--padding", option)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL, pads))


@pytest.mark.parametrize("kernel", [KERNEL, EVEN], ids=["3x3", "2x4"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("word", ["valid", "same", "same-lower", "half", "full"])
def test_a_word_for_padding_adds_the_pixels_that_it_means(run: Run, word: str, stride: int, kernel: Array) -> None:
    result = run("convolve", "image.txt", "-k", inline(kernel), "-p", word, "-s", stride)
    top, bottom = pads_of(word, IMAGE.shape[0], kernel.shape[0], stride)
    left, right = pads_of(word, IMAGE.shape[1], kernel.shape[1], stride)
    expected = correlated(IMAGE, kernel, (top, left, bottom, right), stride)
    assert np.array_equal(rows(result.stdout), expected)
    if word.startswith("same"):
        assert expected.shape == (ceil(IMAGE.shape[0] / stride), ceil(IMAGE.shape[1] / stride))


@pytest.mark.parametrize(("option", "down", "across"), [("2", 2, 2), ("3x1", 3, 1), ("1x4", 1, 4)])
def test_dilation_spreads_the_weights(run: Run, option: str, down: int, across: int) -> None:
    spread = np.zeros((2 * down + 1, 2 * across + 1))
    spread[::down, ::across] = KERNEL
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "-d", option)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, spread))


def test_stride_padding_and_dilation_go_together(run: Run) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "-s", 2, "-p", 3, "-d", 2)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL, (3, 3, 3, 3), stride=2, dilation=2))


@pytest.mark.parametrize(
    ("border", "mode", "value"),
    [
        ("zero", "constant", 0),
        ("edge", "nearest", 0),
        ("reflect", "mirror", 0),
        ("symmetric", "reflect", 0),
        ("wrap", "wrap", 0),
        ("constant:7.5", "constant", 7.5),
        ("constant:-1", "constant", -1),
    ],
)
@pytest.mark.parametrize("kernel", ["gaussian:7:1.5", "line-diagonal:9"])
def test_the_border_says_what_lies_beyond_the_edge(run: Run, border: str, mode: str, value: float, kernel: str) -> None:
    drawn = rows(run("kernels", "--matrix", kernel).stdout)
    result = run("convolve", "image.txt", "-k", kernel, "-p", "half", "--border", border)
    expected = ndimage.correlate(IMAGE, drawn, mode=mode, cval=value)
    assert np.allclose(rows(result.stdout), expected, rtol=1e-13, atol=1e-11)
    assert result.stderr == ""


def test_a_border_that_nothing_sees_brings_a_warning(run: Run) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "-p", "0", "--border", "edge")
    assert result.stderr.startswith("cnnfilter: warning: image.txt: ")
    assert "border edge has no effect with padding 0" in result.stderr
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL))


@pytest.mark.parametrize(("border", "mode"), [("edge", "nearest"), ("reflect", "mirror"), ("wrap", "wrap")])
def test_a_border_keeps_the_size_where_no_padding_is_given(run: Run, border: str, mode: str) -> None:
    result = run("convolve", "image.txt", "-k", "gaussian:7:1.5", "--border", border)
    expected = ndimage.correlate(IMAGE, rows(run("kernels", "--matrix", "gaussian:7:1.5").stdout), mode=mode)
    assert np.allclose(rows(result.stdout), expected, rtol=1e-13, atol=1e-11)
    assert result.stderr == ""


@pytest.mark.parametrize("options", [("--border", "zero"), ("-p", "valid", "--border", "zero")])
def test_a_zero_border_alone_changes_nothing(run: Run, options: tuple[str, ...]) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), *options)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL))
    assert result.stderr == ""


@pytest.mark.parametrize("options", [(), ("-p", "0")])
def test_a_border_around_a_window_of_one_pixel_brings_no_warning(run: Run, options: tuple[str, ...]) -> None:
    result = run("convolve", "image.txt", "-k", "identity:1", "--border", "edge", *options)
    assert np.array_equal(rows(result.stdout), IMAGE)
    assert result.stderr == ""


@pytest.mark.parametrize(("word", "divisor"), [("none", 1), ("sum", KERNEL.sum()), ("abs", np.abs(KERNEL).sum())])
def test_normalize_divides_by_the_sum_or_by_that_of_the_magnitudes(run: Run, word: str, divisor: float) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "--normalize", word)
    assert np.allclose(rows(result.stdout), correlated(IMAGE, KERNEL) / divisor, rtol=1e-13, atol=1e-11)


@pytest.mark.parametrize(("text", "bias"), [("12", 12), ("-0.5", -0.5), ("1/4", 0.25)])
def test_the_bias_is_added_to_every_result(run: Run, text: str, bias: float) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL), "--bias", text)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, KERNEL) + bias)


@pytest.mark.parametrize(
    ("word", "function"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("relu6", lambda x: np.minimum(np.maximum(x, 0), 6)),
        ("leakyrelu", lambda x: np.where(x < 0, 0.01 * x, x)),
        ("leakyrelu:0.2", lambda x: np.where(x < 0, 0.2 * x, x)),
        ("elu", lambda x: np.where(x < 0, np.exp(x) - 1, x)),
        ("elu:0.5", lambda x: np.where(x < 0, 0.5 * (np.exp(x) - 1), x)),
        ("gelu", lambda x: x * special.ndtr(x)),
        ("silu", lambda x: x * special.expit(x)),
        ("sigmoid", special.expit),
        ("tanh", np.tanh),
        ("abs", np.abs),
    ],
)
def test_the_activation_is_a_function_of_every_result(
    run: Run, word: str, function: Callable[[Doubles], Doubles]
) -> None:
    result = run("convolve", "image.txt", "-k", inline(KERNEL / 100), "--bias", "-1", "--activation", word)
    expected = function(correlated(IMAGE, KERNEL / 100) - 1)
    assert expected.std() > 0.1
    assert np.allclose(rows(result.stdout), expected, rtol=1e-12, atol=1e-12)


def test_each_channel_of_a_picture_is_filtered_by_itself(run: Run, colours: Array) -> None:
    run("convolve", "colours.png", "-k", "sharpen", "-o", "out.png", "-q")
    assert np.array_equal(load("out.png"), levels(correlated(colours, SHARPEN)))


def test_channels_sum_adds_them_up_in_one_map(run: Run, colours: Array) -> None:
    run("convolve", "colours.png", "-k", inline(KERNEL), "--channels", "sum", "-o", "out.npy")
    result = np.load("out.npy")
    assert result.dtype == np.float32
    assert np.array_equal(result, correlated(colours, KERNEL).sum(axis=2))


def test_channels_gray_takes_the_luma_first(run: Run, colours: Array) -> None:
    run("convolve", "colours.png", "-k", inline(KERNEL), "--channels", "gray", "-o", "out.npy")
    expected = correlated(colours @ np.array(GRAY), KERNEL)
    assert np.allclose(np.load("out.npy"), expected, rtol=0, atol=1e-5 * np.abs(KERNEL).sum() * 255)


def test_a_volume_of_weights_sums_over_the_channels(run: Run, folder: Path, colours: Array) -> None:
    kernel = np.random.default_rng(2).integers(-3, 4, (3, 5, 3)).astype(np.float64)
    (folder / "kernel.txt").write_text(text_of(kernel))
    run("convolve", "colours.png", "-k", "kernel.txt", "-o", "out.npy")
    expected = sum(correlated(colours[:, :, channel], kernel[:, :, channel]) for channel in range(3))
    assert np.array_equal(np.load("out.npy"), expected)


def test_a_bank_of_weights_makes_a_map_each(run: Run, folder: Path, colours: Array) -> None:
    bank = np.random.default_rng(3).integers(-3, 4, (3, 3, 3, 4)).astype(np.float64)
    np.save(folder / "bank.npy", bank)
    run("convolve", "colours.png", "-k", "bank.npy", "-o", "out.npy")
    expected = [sum(correlated(colours[:, :, i], bank[:, :, i, out]) for i in range(3)) for out in range(4)]
    assert np.array_equal(np.load("out.npy"), np.stack(expected, axis=-1))


COMBINATIONS: dict[str, Callable[[Array], Array]] = {
    "magnitude": lambda maps: np.sqrt((maps**2).sum(axis=0)),
    "max": lambda maps: maps.max(axis=0),
    "sum": lambda maps: maps.sum(axis=0),
    "mean": lambda maps: maps.mean(axis=0),
}


@pytest.mark.parametrize("word", COMBINATIONS)
def test_kernels_that_are_combined_keep_the_colours_apart(run: Run, colours: Array, word: str) -> None:
    run("convolve", "colours.png", "-k", "sobel-x", "-k", "sobel-y", "--combine", word, "-o", "out.npy")
    maps = np.stack([correlated(colours, SOBEL_X), correlated(colours, SOBEL_Y)])
    expected = COMBINATIONS[word](maps)
    assert expected.shape == (19, 24, 3)
    assert np.allclose(np.load("out.npy"), expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("word", COMBINATIONS)
@pytest.mark.parametrize("channels", ["sum", "gray"])
def test_kernels_on_one_channel_are_combined_into_one_map(run: Run, colours: Array, channels: str, word: str) -> None:
    run(
        *("convolve", "colours.png", "-k", "sobel-x", "-k", "sobel-y", "--channels", channels),
        *("--combine", word, "-o", "out.npy"),
    )
    plane = colours.sum(axis=2) if channels == "sum" else colours @ np.array(GRAY)
    expected = COMBINATIONS[word](np.stack([correlated(plane, SOBEL_X), correlated(plane, SOBEL_Y)]))
    assert np.allclose(np.load("out.npy"), expected, rtol=1e-5, atol=1e-2)


def test_the_activation_comes_after_the_combination(run: Run) -> None:
    result = run(
        *("convolve", "image.txt", "-k", "sobel-x", "-k", "sobel-y", "--combine", "sum", "--activation", "relu")
    )
    assert np.array_equal(rows(result.stdout), np.maximum(correlated(IMAGE, SOBEL_X + SOBEL_Y), 0))


def test_whole_numbers_stay_exact_where_float32_would_lose_them(run: Run, deep: Array) -> None:
    kernel = np.arange(1.0, 82).reshape(9, 9) * 997
    np.save("kernel.npy", kernel)
    run("convolve", "deep.png", "-k", "kernel.npy", "-o", "out.npy")
    result = np.load("out.npy")
    assert np.abs(result).max() > 2**31
    assert np.array_equal(result, correlated(deep, kernel))


def test_a_kernel_that_is_written_out_may_be_longer_than_any_name_of_a_file(run: Run) -> None:
    kernel = np.arange(1000.0, 1081).reshape(9, 9)
    assert len(inline(kernel)) > 400
    result = run("convolve", "image.txt", "-k", inline(kernel))
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, kernel))


def test_the_name_of_a_kernel_wins_over_a_file_and_a_dot_forces_the_file(run: Run, folder: Path) -> None:
    (folder / "emboss").write_text("7\n")
    named = run("convolve", "image.txt", "-k", "emboss").stdout
    assert rows(named).shape == (9, 12)
    assert np.array_equal(rows(run("convolve", "image.txt", "-k", "./emboss").stdout), IMAGE * 7)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "# a kernel\n1 1/2\n-1, 0.25 # its end\n"),
        ("k.csv", "1,0.5\n-1,0.25\n"),
        ("k.tsv", "1\t0.5\n-1\t0.25\n"),
        ("k.mat", "2 2 4 0\n4 2\n-4 1\n"),
        ("magick.txt", "2x2: 1,0.5  -1,0.25\n"),
    ],
)
def test_a_kernel_is_read_from_any_of_its_file_formats(run: Run, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    result = run("convolve", "image.txt", "-k", name)
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, np.array([[1, 0.5], [-1, 0.25]])))


def test_the_offset_of_a_kernel_of_libvips_is_added(run: Run, folder: Path) -> None:
    (folder / "k.mat").write_text("2 1 2 10\n1 3\n")
    result = run("convolve", "image.txt", "-k", "k.mat")
    assert np.array_equal(rows(result.stdout), correlated(IMAGE, np.array([[0.5, 1.5]])) + 10)


# What people write for a kernel


def test_a_list_of_names_makes_a_result_each(run: Run) -> None:
    run("convolve", "image.txt", "-k", "Sobel-X,sobel-y", "-o", "out/{kernel}.txt")
    for name in ("sobel-x", "sobel-y"):
        assert np.array_equal(
            rows(Path(f"out/{name}.txt").read_text()), rows(run("convolve", "image.txt", "-k", name).stdout)
        )


@pytest.mark.parametrize("word", ["[[1,2,-1],[0,3,-2],[-4,1,5]]", "3x3: 1,2,-1 0,3,-2 -4,1,5"])
def test_json_and_imagemagicks_form_are_matrices(run: Run, word: str) -> None:
    assert np.array_equal(rows(run("convolve", "image.txt", "-k", word).stdout), correlated(IMAGE, KERNEL))
    run("convolve", "image.txt", "-k", word, "-o", "{kernel}.txt")
    assert Path("kernel1.txt").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-k", "0 -1 0, -1 5 -1, 0 -1 0"), "`;` ends a row"),
        (("-k", "sharpen", "blur"), "blur is a kernel, not a file; each kernel needs a -k: -k blur"),
        (("sharpen",), "sharpen is a kernel, not a file; each kernel needs a -k: -k sharpen"),
        (("-k", "sharpen", "Gaussian:5"), "each kernel needs a -k: -k Gaussian:5"),
        (("-k", "median"), "cnnfilter pool -m median"),
        (("-k", "blur:5"), "box:5 does that"),
        (("-k", "gaussian:2.5"), "gaussian:sigma=2.5 chooses N"),
        (("-k", "unsharp:2"), "usm:2 does that"),
    ],
)
def test_what_was_meant_is_said_as_a_mistake_of_usage(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run("convolve", "image.txt", *words, "-o", "out.txt", status=2)
    assert said in result.stderr
    assert not Path("out.txt").exists()


@pytest.mark.parametrize("side", [3, 5, 7])
def test_the_numbers_of_a_square_in_one_row_bring_a_warning(run: Run, side: int) -> None:
    numbers = " ".join(["1"] * side**2)
    np.savetxt("wide.txt", np.ones((1, 60)))
    warning = f"one row of {side**2} numbers; if it is a matrix of {side}x{side}, end each row with `;`"
    assert warning in run("convolve", "wide.txt", "-k", numbers).stderr
    Path("kernel.txt").write_text(numbers)
    assert warning in run("convolve", "wide.txt", "-k", "kernel.txt").stderr
    assert run("convolve", "wide.txt", "-k", f"{numbers} 1").stderr == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-k", "Box:513"), "image.txt: kernel box:513: a window of 513x513 is larger"),
        (("-k", "1 1 1; 1 1 1", "-d", "99"), "image.txt: kernel 1 1 1; 1 1 1: a window of 2x3 (spanning"),
        (("-k", "box:99", "-k", "box:99", "--combine", "max"), "image.txt: kernels box:99, box:99: a window"),
    ],
)
def test_an_error_speaks_of_the_kernel_and_not_of_layers(run: Run, options: tuple[str, ...], said: str) -> None:
    stderr = run("convolve", "image.txt", *options, status=1).stderr
    assert said in stderr
    assert "conv:" not in stderr


def test_a_warning_speaks_of_the_kernel_and_not_of_layers(run: Run) -> None:
    stderr = run("convolve", "image.txt", "-k", "box:3", "-p", "0", "--border", "edge").stderr
    assert "image.txt: kernel box:3: border edge has no effect with padding 0; leave the padding out" in stderr
