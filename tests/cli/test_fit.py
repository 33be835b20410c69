"""`cnnfilter fit`: a kernel file from a pair of files."""

import json
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.conftest import Run
from tests.cli.pictures import load


@pytest.fixture
def pair(run: Run, colours: Array) -> Array:
    """Return `colours.png`; `sharp.png` is made of it by a kernel."""
    run("convolve", "colours.png", "-k", "sharpen", "--border", "edge", "-q", "-o", "sharp.png")
    return colours


@pytest.mark.usefixtures("pair")
def test_the_file_that_is_printed_is_a_kernel_that_says_how_it_fits(run: Run) -> None:
    printed = run("fit", "colours.png", "sharp.png").stdout
    lines = printed.splitlines()
    assert lines[0] == "# makes sharp.png of colours.png: 3x3"
    assert lines[1] == "# bias 0"
    assert lines[2].startswith("# R2 1, residual ")
    assert " values used, " in lines[3]
    assert lines[3].endswith(" left out, which are black or white in AFTER")
    assert lines[5] == "# nearest: sharpen, exactly"
    assert lines[6:] == [" 0 -1  0", "-1  5 -1", " 0 -1  0"]
    run("fit", "colours.png", "sharp.png", "-o", "kernel.txt")
    assert Path("kernel.txt").read_text() == printed
    run("convolve", "colours.png", "-k", "./kernel.txt", "--border", "edge", "-q", "-o", "again.png")
    assert (load("again.png") == load("sharp.png")).all()
    assert "makes sharp.png of colours.png: 3x3" in run("kernels", "./kernel.txt").stdout


@pytest.mark.usefixtures("pair")
def test_json_holds_what_the_comments_say(run: Run) -> None:
    record = json.loads(run("fit", "colours.png", "sharp.png", "--bias", "--json").stdout)
    assert list(record) == ["kernel", "bias", "r2", "residual", "used", "left_out", "condition", "nearest"]
    assert np.abs(np.array(record["kernel"]) - [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]).max() < 1e-9
    assert record["bias"] == pytest.approx(0, abs=1e-9)
    assert record["used"] + record["left_out"] == 19 * 24 * 3
    assert record["nearest"]["name"] == "sharpen"


@pytest.mark.usefixtures("pair")
def test_a_bank_goes_into_an_array_and_a_figure_is_drawn(run: Run) -> None:
    run("fit", "colours.png", "sharp.png", "--size", 3, "--channels", "sum", "-o", "bank.npy", "--plot", "fit.png")
    bank = np.load("bank.npy")
    assert bank.shape == (3, 3, 3, 3)
    assert np.abs(bank[:, :, 1, 1] - [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]).max() < 1e-9
    assert np.abs(bank[:, :, 0, 1]).max() < 1e-9
    assert load("fit.png").std() > 1
    message = run("fit", "colours.png", "sharp.png", "--size", 3, "--channels", "sum", status=1).stderr
    assert message == (
        "cnnfilter: a bank of 3 kernels, one for each channel of AFTER, is no text; -o KERNEL.npy or --json holds it\n"
    )


def test_depths_may_differ_and_matrices_are_taken_as_they_are(run: Run, folder: Path, pair: Array) -> None:
    run("convolve", "colours.png", "-k", "gaussian:3:1", "--depth", 16, "-q", "-o", "soft.png")
    record = json.loads(run("fit", "colours.png", "soft.png", "--json").stdout)
    assert sum(map(sum, record["kernel"])) == pytest.approx(1, abs=1e-3)
    (folder / "a.txt").write_text("0 255 3 9 4\n5 5 255 2 0\n1 6 8 255 3\n4 4 0 1 7\n")
    run("convolve", "a.txt", "-k", "1 -1", "-o", "b.txt")
    assert run("fit", "a.txt", "b.txt").stdout.splitlines()[-1] == "1 -1"
    assert pair.shape == (21, 26, 3)


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("colours.png", "nowhere.png"), 1, "cnnfilter: nowhere.png: No such file or directory"),
        (("colours.png", "sharp.png", "--size", 3, "-s", 2), 1, "AFTER is 21x26; a kernel of 3x3 with stride 2x2"),
        (("colours.png", "sharp.png", "--size", "0"), 2, "size 0 is below 1"),
        (("colours.png", "sharp.png", "--size", "x"), 2, "neither a number nor HxW"),
        (("colours.png", "sharp.png", "-o", "k.png"), 2, "a kernel is written as .txt or .npy"),
        (("colours.png", "sharp.png", "-o", "nowhere/k.txt"), 2, "no such folder: nowhere"),
        (("colours.png", "sharp.png", "--plot", "k.jpg"), 2, "unknown suffix"),
        (("colours.png", "sharp.png", "--plot", "sharp.png"), 2, "would replace a file that is read"),
        (("colours.png", "sharp.png", "--ridge", "-1"), 2, "--ridge -1 is negative"),
        (("colours.png",), 2, "Missing argument 'AFTER'"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: tuple[object, ...], status: int, message: str) -> None:
    assert message in " ".join(run("fit", *words, status=status).stderr.split())


def test_a_flat_image_is_refused_and_the_message_names_the_ridge(run: Run, folder: Path) -> None:
    (folder / "flat.txt").write_text("7 7 7 7 7\n" * 5)
    (folder / "after.txt").write_text("9 9 9\n" * 3)
    assert "--ridge 1e-6" in run("fit", "flat.txt", "after.txt", status=1).stderr
    assert run("fit", "flat.txt", "after.txt", "--ridge", "1e-6").stdout.count("0.142857") == 9
