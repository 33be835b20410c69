"""Examples worked out by hand, through the commands: from every kind of matrix file, printed and written."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import rows, text_of
from tests.reference.worked_examples import ARITHMETIC, Arithmetic


def write(path: Path, matrix: Array) -> None:
    """Write a matrix file by its suffix."""
    match path.suffix:
        case ".npy":
            np.save(path, matrix)
        case ".csv":
            path.write_text(text_of(matrix, ","))
        case _:
            path.write_text(f"# a matrix\n{text_of(matrix)}")


SUFFIXES = (".txt", ".csv", ".npy")
EXAMPLES = pytest.mark.parametrize("example", ARITHMETIC, ids=[example.id for example in ARITHMETIC])
CONVOLUTIONS = [example for example in ARITHMETIC if example.op == "convolve"]


def words_of(example: Arithmetic, kernel: str, image: str) -> list[object]:
    """Return the command line of an example."""
    stride = [] if example.stride is None else ["--stride", example.stride]
    match example.op:
        case "convolve":
            options = ["--padding", example.padding, "--bias", example.bias, *["--flip"] * example.flip]
            return ["convolve", image, "-k", kernel, *stride, *options]
        case "pool":
            return ["pool", image, "-m", example.mode, "--size", example.size, *stride]
        case "pipeline":
            return ["pipeline", example.network, image]


def inline(kernel: Doubles) -> str:
    """Return a 2-D kernel as text."""
    return ";".join(" ".join(map(str, row)) for row in kernel.tolist())


def kernel_word(example: Arithmetic, folder: Path, suffix: str = ".txt") -> str:
    """Return the word for an example's kernel: the matrix itself, or a file made for it."""
    if example.kernel is None:
        return ""
    kernel = np.array(example.kernel, dtype=np.float64)
    if suffix == "inline":
        return inline(kernel)
    write(folder / f"kernel{suffix}", kernel)
    return f"kernel{suffix}"


def assert_as_expected(result: Array, example: Arithmetic) -> None:
    """Compare with the example: exactly, unless it has a tolerance."""
    expected = np.array(example.expected, dtype=np.float64)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= example.tolerance


@EXAMPLES
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_example_is_printed_as_it_was_worked_out(run: Run, folder: Path, suffix: str, example: Arithmetic) -> None:
    write(folder / f"image{suffix}", np.array(example.image, dtype=np.float64))
    result = run(*words_of(example, kernel_word(example, folder), f"image{suffix}"))
    printed = rows(result.stdout)
    assert_as_expected(printed[0] if np.ndim(example.expected) == 1 else printed, example)
    assert result.stderr == ""


@EXAMPLES
def test_an_example_is_written_to_a_file_of_doubles(run: Run, folder: Path, example: Arithmetic) -> None:
    write(folder / "image.npy", np.array(example.image, dtype=np.float64))
    result = run(*words_of(example, kernel_word(example, folder), "image.npy"), "-o", "out.npy")
    stored = np.load(folder / "out.npy")
    assert stored.dtype == np.float64
    assert_as_expected(stored, example)
    assert result.output == ""


@pytest.mark.parametrize(
    ("example", "suffix"),
    [
        pytest.param(example, suffix, id=f"{example.id}-{suffix}")
        for example in CONVOLUTIONS
        for suffix in ("inline", *SUFFIXES)
        if suffix != "inline" or np.array(example.kernel).ndim == 2  # the matrix itself has one slice
    ],
)
def test_the_kernel_of_an_example_is_text_or_a_file(run: Run, folder: Path, suffix: str, example: Arithmetic) -> None:
    write(folder / "image.txt", np.array(example.image, dtype=np.float64))
    result = run(*words_of(example, kernel_word(example, folder, suffix), "image.txt"))
    assert_as_expected(rows(result.stdout), example)


@EXAMPLES
def test_an_example_comes_through_standard_input(run: Run, folder: Path, example: Arithmetic) -> None:
    write(folder / "image.npy", np.array(example.image, dtype=np.float64))
    words = words_of(example, kernel_word(example, folder), "-")
    printed = rows(run(*words, given=(folder / "image.npy").read_bytes()).stdout)
    assert_as_expected(printed[0] if np.ndim(example.expected) == 1 else printed, example)


def test_the_table_holds_every_command_and_volumes_too() -> None:
    assert {example.op for example in ARITHMETIC} == {"convolve", "pool", "pipeline"}
    assert sum(np.array(example.kernel).ndim == 3 for example in CONVOLUTIONS) >= 3
