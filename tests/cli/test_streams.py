"""Standard input, standard output, and what is said on standard error when asked."""

import re
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.commands import EVERY_COMMAND, files
from tests.cli.conftest import Run
from tests.cli.pictures import correlated, decode, load, rows

SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
MATRIX = "1 2 3\n4 5 6\n7 8 9\n"


def test_several_results_are_printed_each_below_its_title(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(MATRIX)
    result = run("convolve", "m.txt", "-k", "2", "-k", "1 1")
    titles = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert len(titles) == 2
    assert all("m.txt" in title for title in titles)
    first, second = result.stdout.split(titles[1] + "\n")
    assert rows(first).tolist() == [[2, 4, 6], [8, 10, 12], [14, 16, 18]]
    assert rows(second).tolist() == [[3, 5], [9, 11], [15, 17]]


@EVERY_COMMAND
def test_the_bytes_on_standard_output_are_those_of_a_file(
    run: Run, three: dict[str, Array], command: tuple[str, ...]
) -> None:
    for suffix in ("png", "jpg", "npy", "tiff"):
        run(*command, "a.png", "-o", f"out.{suffix}")
        printed = run(*command, "a.png", "-o", "-", "--format", suffix)
        assert printed.stdout_bytes == Path(f"out.{suffix}").read_bytes()
    assert np.array_equal(load("out.png"), three["a.png"])


@EVERY_COMMAND
def test_a_picture_comes_through_standard_input(run: Run, three: dict[str, Array], command: tuple[str, ...]) -> None:
    data = Path("c.png").read_bytes()
    result = run(*command, "-", "-o", "-", "--format", "png", given=data)
    assert np.array_equal(decode(result.stdout_bytes), three["c.png"])
    run(*command, "-", "-o", "out/", "--format", "tiff", given=data)
    assert files(Path("out")) == {"stdin.tiff"}
    assert np.array_equal(load("out/stdin.tiff"), three["c.png"])


@EVERY_COMMAND
@pytest.mark.parametrize(
    "text",
    [
        MATRIX,
        f"# a title\n\n{MATRIX}",
        MATRIX.replace(" ", ","),
        MATRIX.replace(" ", "\t"),
        MATRIX.replace("\n", "\r\n"),
        f"  {MATRIX}",
        f"\ufeff{MATRIX}",
    ],
    ids=["spaces", "title", "commas", "tabs", "line ends of Windows", "indented", "byte order mark"],
)
def test_a_matrix_comes_through_standard_input(run: Run, command: tuple[str, ...], text: str) -> None:
    assert run(*command, "-", given=text).stdout == MATRIX
    run(*command, "-", "-o", "out/", given=text)
    assert Path("out/stdin.txt").read_text() == MATRIX


def test_results_go_from_one_command_to_the_next(run: Run, colours: Array) -> None:
    first = run("convolve", "colours.png", "-k", "sharpen", "-o", "-", "--format", "npy")
    second = run("pool", "-", "-o", "-", "--format", "npy", given=first.stdout_bytes)
    run("pipeline", "abs", "-", "-o", "out.npy", given=second.stdout_bytes)
    sharp = correlated(colours, SHARPEN)[:18, :24].reshape(9, 2, 12, 2, 3)
    assert np.array_equal(np.load("out.npy"), np.abs(sharp.max(axis=(1, 3))))


@pytest.mark.parametrize("format_", ["csv", "tsv", "txt", "npy", "png"])
def test_format_says_what_a_printed_matrix_becomes(run: Run, folder: Path, format_: str) -> None:
    (folder / "m.txt").write_text(MATRIX)
    data = run("convolve", "m.txt", "-k", "1", "--format", format_).stdout_bytes
    text = {"csv": MATRIX.replace(" ", ","), "tsv": MATRIX.replace(" ", "\t"), "txt": MATRIX}
    if format_ in text:
        assert data.decode() == text[format_]
    else:
        (folder / f"out.{format_}").write_bytes(data)
        stored = np.load("out.npy") if format_ == "npy" else load("out.png")
        assert stored.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_matrix_with_minus_as_output_keeps_its_format(run: Run, folder: Path) -> None:
    (folder / "m.csv").write_text(MATRIX.replace(" ", ","))
    assert run("pool", "m.csv", "-o", "-", "--size", "1").stdout == MATRIX.replace(" ", ",")
    assert run("pool", "m.csv", "--size", "1").stdout == MATRIX


@pytest.mark.parametrize("output", [(), ("-o", "out/"), ("-o", "{stem}-new{ext}")])
def test_dry_run_names_what_the_run_makes_of_a_matrix_on_standard_input(
    run: Run, folder: Path, output: tuple[str, ...]
) -> None:
    listed = run("pool", "-", *output, "--dry-run", given=MATRIX).stdout
    run("pool", "-", *output, given=MATRIX)
    assert listed == f"- 3x3 -> {files(folder).pop() if output else 'standard output'} 1x1\n"


@EVERY_COMMAND
def test_verbose_names_what_is_done_to_each_input(run: Run, three: dict[str, Array], command: tuple[str, ...]) -> None:
    result = run(*command, *three, "-o", "out/", "-v")
    assert result.stdout == ""
    for name in three:
        (line,) = [line for line in result.stderr.splitlines() if line.startswith(f"cnnfilter: {name}: ")]
        assert line.endswith(f" -> out/{name}")


def test_verbose_names_the_plan_of_a_convolution(run: Run, colours: Array) -> None:
    assert colours.dtype == np.uint8
    named = run("convolve", "colours.png", "-k", "sharpen", "-o", "out.png", "-qv").stderr
    assert re.search(r"^cnnfilter: \w+ in float32: .*whole numbers to 2295$", named, re.MULTILINE)
    named = run("pipeline", "conv:gaussian:5:1", "colours.png", "-o", "out.png", "-qv").stderr
    assert re.search(r"^cnnfilter: \w+ in float32: .*fractions$", named, re.MULTILINE)
    assert run("convolve", "colours.png", "-k", "sharpen", "-o", "out.png", "-q").stderr == ""
