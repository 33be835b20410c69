"""What people meet at the edges: long numbers, odd names, even kernels, files given as pipes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from PIL import Image

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.io.decode import Picture
from cnnfilter.run.result import lay_out
from tests.cli.conftest import Run

SQUARE = "1 2\n3 4\n"


def in_a_shell(line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which `cnnfilter` is this one."""
    program = f'cnnfilter() {{ {sys.executable} -m cnnfilter "$@"; }}; '
    return subprocess.run(["bash", "-c", program + line], cwd=folder, capture_output=True, check=False)


def test_a_size_of_thousands_of_digits_is_a_usage_error(run: Run) -> None:
    assert "is above 999,999,999" in run("shape", "9" * 5000, "relu", status=2).stderr


@pytest.mark.parametrize("words", ["--help", "--version", "shape 5x5 relu", "kernels", "kernels sobel-x"])
def test_a_full_standard_output_is_one_line_for_every_command(tmp_path: Path, words: str) -> None:
    done = in_a_shell(f"cnnfilter {words} > /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (1, b"cnnfilter: standard output: no space left on device\n")


def test_a_pipe_that_is_closed_ends_the_command_without_a_word(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.random.default_rng(0).random((700, 700)))
    done = in_a_shell("cnnfilter pool m.npy --size 1 | head -c 10", tmp_path)
    assert len(done.stdout) == 10
    assert done.stderr == b""


@pytest.mark.parametrize("text", ["1 0;0 2;", "1 0;\n0 2;\n", "1 0\n0 2", "1 0\r\n0 2\r\n", "1 0;\n0 2", "1,0\n0,2\n"])
def test_lines_part_the_rows_of_an_inline_matrix(text: str) -> None:
    assert cnnfilter.kernel(text).tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize("side", range(1, 7))
def test_an_identity_of_any_side_leaves_a_picture_where_it_is(side: int) -> None:
    image = np.arange(63.0).reshape(7, 9)
    same = cnnfilter.convolve(image, cnnfilter.kernel(f"identity:{side}"), padding="same")
    assert np.array_equal(same, image)


def test_range_none_makes_a_tiff_of_floats(run: Run, folder: Path) -> None:
    cv2.imwrite(str(folder / "a.png"), np.array([[0, 255, 9]], np.uint8))
    run("convolve", "a.png", "-k", "1 -1", "-o", "out.tif", "--range", "none")
    assert cnnfilter.read_image(folder / "out.tif").tolist() == [[-255, 246]]


def test_range_none_and_a_depth_of_integers_contradict_each_other(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(SQUARE)
    result = run("pool", "m.txt", "-o", "out.tif", "--range", "none", "--depth", "8", status=2)
    assert "--range none keeps floats as they are, and --depth 8 does not" in result.stderr


def test_an_input_with_too_long_a_name_fails_alone(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(SQUARE)
    long = "a" * 300 + ".txt"
    result = run("pool", long, "m.txt", "-o", "out/", status=1)
    assert result.stderr == f"cnnfilter: {long}: File name too long\ncnnfilter: 1 of 2 inputs failed\n"
    assert (folder / "out" / "m.txt").read_text() == "4\n"


def test_names_by_count_that_fall_together_are_no_mistake() -> None:
    assert cnnfilter.network("61x relu relu6").names[-2:] == ("relu61", "relu61")


def test_a_count_beyond_all_reason_is_refused_rather_than_changed(run: Run) -> None:
    assert "1000000000" in run("shape", "5x5", "conv:3x3,9007199254740993", status=2).stderr


def test_an_input_given_twice_is_called_so(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(SQUARE)
    assert "m.txt is given twice" in run("pool", "m.txt", "m.txt", "-o", "out/", status=2).stderr


def test_a_format_may_be_given_with_its_dot(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(SQUARE)
    run("pool", "m.txt", "-o", "out/", "--format", ".csv")
    assert [path.name for path in (folder / "out").iterdir()] == ["m.csv"]


def test_where_there_is_no_kernel_its_field_is_unknown(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(SQUARE)
    assert "unknown field {kernel}" in run("pool", "m.txt", "-o", "{kernel}-{name}", status=2).stderr


def test_what_is_wrong_with_outputs_is_said_before_standard_input_is_waited_for(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "cnnfilter", "pool", "-", "-o", "x.xyz"]
    try:  # nobody ever writes: if it read, it would not end
        done = subprocess.run(command, cwd=tmp_path, stdin=reading, capture_output=True, timeout=60, check=False)
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 2
    assert b"unknown suffix '.xyz'" in done.stderr


def test_a_newline_in_a_name_does_not_break_a_message(run: Run) -> None:
    assert run("pool", "a\nb.txt", status=1).stderr == "cnnfilter: a\\nb.txt: No such file or directory\n"


@pytest.mark.parametrize(
    ("words", "incomplete"), [(["convolve"], "m"), (["pool"], "m"), (["convolve", "a.png", "-o"], "o")]
)
def test_inputs_and_outputs_are_completed_as_files(words: list[str], incomplete: str) -> None:
    items = BashComplete(main, {}, "cnnfilter", "_CNNFILTER_COMPLETE").get_completions(words, incomplete)
    assert [(item.type, item.value) for item in items] == [("file", incomplete)]


@pytest.mark.parametrize("text", ["flatten", "gray", "gray flatten", "avgpool:1", "relu", "maxpool:1"])
def test_a_result_shares_no_memory_with_its_image(text: str) -> None:
    image = np.ones((3, 3))
    result = cnnfilter.network(text).run(image)
    result[...] = 9
    assert (image == 1).all()


def test_inks_of_a_tiff_become_colours_without_alpha(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (200, 30, 10)).convert("CMYK").save(tmp_path / "inks.tif")
    assert cnnfilter.read_image(tmp_path / "inks.tif")[0, 0].tolist() == [200, 30, 10]


def test_a_tiff_of_grey_and_alpha_is_read_as_rgba(tmp_path: Path) -> None:
    Image.new("LA", (8, 8), (200, 30)).save(tmp_path / "grey.tif")
    read = cnnfilter.read_image(tmp_path / "grey.tif")
    assert read.tolist() == np.full((8, 8, 4), (200, 200, 200, 30)).tolist()


def test_a_kernel_may_come_from_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(SQUARE)
    done = in_a_shell("cnnfilter convolve m.txt -k <(printf '1 1\\n1 1\\n')", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"10\n")


def test_a_kernel_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "k.txt"
    path.write_text("1 2\n")
    assert cnnfilter.kernel(str(path)).tolist() == [[1, 2]]
    path.write_text("1 2 3\n")
    assert cnnfilter.kernel(str(path)).tolist() == [[1, 2, 3]]


def test_a_dry_run_refuses_what_the_run_would_refuse(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(SQUARE)
    assert "has no weights" in run("pipeline", "conv:3x3", "m.txt", "--dry-run", status=2).stderr
    assert "sums to zero" in run("convolve", "m.txt", "-k", "1 -1", "--normalize", "sum", "--dry-run", status=2).stderr


def test_an_interrupt_while_a_command_works_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnfilter.cli.shape.summarize", interrupt)
    result = CliRunner().invoke(main, ["shape", "5x5", "relu"])
    assert (result.exit_code, "Traceback" in result.stderr) == (130, False)


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_straight_alpha_of_a_tiff_leaves_its_colours_alone(tmp_path: Path, big: bool) -> None:
    Image.new("RGBA", (8, 8), (200, 100, 50, 128)).save(tmp_path / "a.tif", big_tiff=big)
    assert cnnfilter.read_image(tmp_path / "a.tif")[0, 0].tolist() == [200, 100, 50, 128]
    Image.new("RGB", (8, 8), (200, 30, 10)).convert("CMYK").save(tmp_path / "inks.tif", big_tiff=big)
    assert cnnfilter.read_image(tmp_path / "inks.tif").shape == (8, 8, 3)


def test_negative_values_do_not_vanish_in_a_radiance_file(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text("1 5\n")
    result = run("convolve", "m.txt", "-k", "1 -1", "-o", "out.hdr", status=1)
    assert result.stderr == "cnnfilter: out.hdr: Radiance HDR holds no negative values; TIFF, PFM and .npy do\n"
    run("convolve", "m.txt", "-k", "1 -1", "-o", "out.hdr", "--range", "abs")
    assert np.allclose(cnnfilter.read_image(folder / "out.hdr"), 4, atol=0.05)


@pytest.mark.parametrize(
    ("words", "status", "output"),
    [
        ("bogus", 2, b""),
        ("shape 5x5x3 conv:box:3 -q", 0, b"3x3x1\n"),
        ("shape 5x5x3 conv:box:3 | tail -n 3 | head -n 1", 0, b"243 MACs, 486 FLOPs\n"),
        ("pool none.txt m.txt --size 1", 1, b"# m.txt maxpool:1\n1 2\n3 4\n"),
    ],
)
def test_what_nobody_can_hear_changes_neither_work_nor_status(
    tmp_path: Path, words: str, status: int, output: bytes
) -> None:
    (tmp_path / "m.txt").write_text(SQUARE)
    done = in_a_shell(f"set -o pipefail; exec 2>/dev/full; cnnfilter {words}", tmp_path)
    assert (done.returncode, done.stdout) == (status, output)


def test_a_matrix_of_several_lines_stays_in_its_row_of_the_table(run: Run) -> None:
    lines = run("shape", "5x5", "conv:[1 0\n0 1],same").stdout.splitlines()
    assert lines[2].startswith("1  conv1  conv:[1 0; 0 1],same")
    assert sum(line.startswith("1  ") for line in lines) == 1


@pytest.mark.parametrize("output", ["file/", "file/x/", "file/x/y/"])
def test_a_file_where_a_folder_should_be_is_told_before_any_work(run: Run, folder: Path, output: str) -> None:
    (folder / "m.txt").write_text(SQUARE)
    (folder / "file").write_text("")
    assert "file: is not a folder" in run("pool", "m.txt", "-o", output, "--dry-run", status=2).stderr


@pytest.mark.parametrize("verbose", [False, True])
def test_a_mistake_of_our_own_is_one_line_that_asks_for_a_report(
    run: Run, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("cnnfilter.cli.pool.filter_files", fail)
    result = run("pool", "m.txt", *["-v"] * verbose, status=1)
    *details, line = result.stderr.splitlines()
    assert line.startswith("cnnfilter: ZeroDivisionError: by nothing; this is a mistake in cnnfilter, please report it")
    assert ("cnnfilter: Traceback (most recent call last):" in details) == verbose
    assert verbose or not details


@pytest.mark.parametrize("verbose", [False, True])
def test_a_mistake_of_our_own_fails_the_input_that_it_happens_on(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    (folder / "a.txt").write_text(SQUARE)
    (folder / "b.txt").write_text("1 2\n")

    def fail(picture: Picture, *words: Any) -> Any:
        if len(picture.pixels) == 1:
            raise ZeroDivisionError
        return lay_out(picture, *words)

    monkeypatch.setattr("cnnfilter.run.inputs.lay_out", fail)
    result = run("pool", "b.txt", "a.txt", "--size", "1", "-o", "out/", *["-v"] * verbose, status=1)
    lines = result.stderr.splitlines()
    assert (
        sum(line.startswith("cnnfilter: b.txt: ZeroDivisionError; this is a mistake in cnnfilter") for line in lines)
        == 1
    )
    assert lines[-1] == "cnnfilter: 1 of 2 inputs failed"
    assert ("cnnfilter: Traceback (most recent call last):" in lines) == verbose
    assert (folder / "out" / "a.txt").read_text() == SQUARE


def test_memory_that_is_short_before_any_input_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("cnnfilter.cli.pool.filter_files", fail)
    assert run("pool", "m.txt", status=1).stderr == "cnnfilter: not enough memory\n"
