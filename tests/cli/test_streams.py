"""Standard input, standard output, and what is said on standard error when asked."""

import json
import os
import re
import subprocess
import sys
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


@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt", "npy"])
def test_nan_and_infinity_go_from_one_command_to_the_next(run: Run, folder: Path, suffix: str) -> None:
    np.save(folder / "odd.npy", np.array([[2, np.nan], [np.inf, -np.inf]]))
    run("convolve", "odd.npy", "-k", "1", "-o", f"odd-2.{suffix}")
    assert run("convolve", f"odd-2.{suffix}", "-k", "1").stdout == "  2  nan\ninf -inf\n"


@pytest.mark.parametrize("text", ["nan 1\n", "NaN,2\n", "inf\n", "-inf 3\n"])
def test_a_matrix_that_begins_with_nan_or_infinity_comes_through_standard_input(run: Run, text: str) -> None:
    assert run("convolve", "-", "-k", "1", given=text).stdout == text.lower().replace(",", " ")


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


@EVERY_COMMAND
@pytest.mark.parametrize("output", ["out.tmp", "out", "a.b", "{stem}", "new/{stem}.x", "x.jpg", "folder/"])
def test_format_holds_whatever_the_name_is(
    run: Run, three: dict[str, Array], command: tuple[str, ...], output: str
) -> None:
    result = run(*command, "a.png", "-o", output, "--format", "tif")
    (name,) = files(Path()) - set(three)
    assert Path(name).read_bytes()[:4] in {b"II*\0", b"MM\0*"}
    assert np.array_equal(decode(Path(name).read_bytes()), three["a.png"])
    expected = "cnnfilter: warning: x.jpg: is written as TIFF, because of --format\n"
    assert result.stderr == (expected if output == "x.jpg" else "")


def test_format_holds_for_the_maps_of_layers(run: Run, colours: Array) -> None:
    run(
        "pipeline",
        "gray@g conv:sobel-x,sobel-y@c",
        "colours.png",
        "--save",
        "all",
        "-o",
        "{layer}.x",
        "--format",
        "bmp",
    )
    assert files(Path()) == {"colours.png", "g.x", "c-01.x", "c-02.x"}
    assert load_bytes("c-02.x").shape == (colours.shape[0] - 2, colours.shape[1] - 2)


def load_bytes(name: str) -> Array:
    """Return the picture in a file, whose suffix says nothing."""
    return decode(Path(name).read_bytes())


@pytest.mark.usefixtures("colours")
def test_a_message_names_the_file_and_its_format(run: Run) -> None:
    result = run("pipeline", "conv:sobel-x,sobel-y", "colours.png", "-o", "out.x", "--format", "png", status=1)
    assert result.stderr.startswith("cnnfilter: out.x as .png: an image file holds 1, 3 or 4 channels")


def test_format_is_that_of_a_report_and_of_updates(run: Run, three: dict[str, Array]) -> None:
    words = ("pool", *three, "-o", "{stem}.x", "--format", "png", "--report", "r.jsonl", "--depfile", "r.d", "--update")
    run(*words)
    lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [line["outputs"][0]["path"] for line in lines] == ["a.x", "b.x", "c.x"]
    assert Path("r.d").read_text() == "a.x: a.png\nb.x: b.png\nc.x: c.png\n"
    run(*words)
    lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [line["skipped"] for line in lines] == [["a.x"], ["b.x"], ["c.x"]]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_has_other_names(run: Run, three: dict[str, Array], name: str) -> None:
    printed = run("pool", "a.png", "--size", "1", "-o", name)  # as - does, it keeps the input's format
    assert np.array_equal(decode(printed.stdout_bytes), three["a.png"])
    assert printed.stdout_bytes == run("pool", "a.png", "--size", "1", "-o", "-", "--format", "png").stdout_bytes
    assert "standard output" in run("pool", *three, "-o", name, "--format", "png", status=2).stderr


@pytest.mark.parametrize("options", [(), ("--no-clobber",), ("--update",), ("-j", "2")], ids=" ".join)
def test_an_open_file_is_written_where_it_is(run: Run, three: dict[str, Array], options: tuple[str, ...]) -> None:
    with Path("all.bin").open("wb", buffering=0) as file:
        file.write(b"before")
        run("pool", "a.png", "--size", "1", "-o", f"/dev/fd/{file.fileno()}", "--format", "bmp", *options)
        file.write(b"behind")
    data = Path("all.bin").read_bytes()
    assert (data[:6], data[-6:]) == (b"before", b"behind")
    assert np.array_equal(decode(data[6:-6]), three["a.png"])


@pytest.mark.parametrize("named", [True, False], ids=["a named pipe", "/dev/fd"])
def test_a_pipe_takes_a_result_with_format(run: Run, three: dict[str, Array], named: bool) -> None:
    os.mkfifo("pipe.bmp")
    reading = os.open("pipe.bmp", os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open("pipe.bmp", os.O_WRONLY)
    output = "pipe.bmp" if named else f"/dev/fd/{writing}"
    run("pool", "a.png", "--size", "1", "-o", output, "--format", "bmp")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert np.array_equal(decode(pipe.read()), three["a.png"])
    assert Path("pipe.bmp").is_fifo()


def test_a_device_takes_a_result_and_one_that_is_full_fails(run: Run, three: dict[str, Array]) -> None:
    run("pool", "a.png", "-o", "/dev/null", "--format", "png")
    assert Path("/dev/null").is_char_device()
    if Path("/dev/full").exists():
        result = run("pool", "a.png", "-o", "/dev/full", "--format", "png", status=1)
        assert result.stderr == "cnnfilter: /dev/full: No space left on device\n"
    result = run("pool", "a.png", "-o", "/dev/fd/999", "--format", "png", status=2)
    assert "/dev/fd/999: no file is open under this number" in result.stderr
    assert files(Path()) == set(three)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif", "ppm"])
def test_a_piped_picture_keeps_its_format(run: Run, suffix: str) -> None:
    run("pool", "a.png", "--size", "1", "-o", f"given.{suffix}")
    given = Path(f"given.{suffix}").read_bytes()
    named = run("pool", f"given.{suffix}", "-o", "-").stdout_bytes
    assert run("pool", "-", "-o", "-", given=given).stdout_bytes == named
    run("pool", "-", "-o", "out/{stem}-small{ext}", given=given)
    assert Path(f"out/stdin-small.{suffix}").read_bytes() == named


def test_a_piped_picture_of_a_format_that_is_not_written_needs_another(run: Run) -> None:
    result = run("pool", "-", "-o", "-", given=b"P4 8 2\n\xf0\x0f", status=2)
    assert "standard output needs a format, such as --format png" in result.stderr
    assert "no suffix" in run("pool", "-", "-o", "out/", given=b"P4 8 2\n\xf0\x0f", status=2).stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="the system has no terminals of this kind")
@pytest.mark.parametrize(("format_", "status"), [("png", 2), ("npy", 2), ("txt", 0)])
@pytest.mark.usefixtures("three")
def test_only_text_is_printed_on_a_terminal(format_: str, status: int) -> None:
    terminal, line = os.openpty()
    words = [sys.executable, "-m", "cnnfilter", "pool", "a.png", "-o", "-", "--format", format_]
    done = subprocess.run(words, stdout=line, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    os.close(line)
    os.close(terminal)
    assert done.returncode == status, done.stderr
    assert (b"standard output is a terminal, and " in done.stderr) == (status == 2)
