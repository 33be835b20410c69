"""`--plot` of `kernels` and `shape`: a file is made, nothing is printed that nobody asked for, mistakes are a line."""

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.plot.kernel_sheet import all_kernels
from tests.cli.commands import files
from tests.cli.conftest import Run
from tests.cli.pictures import load, save

COMMANDS = {
    "a kernel": ("kernels", "sobel-x"),
    "kernels": ("kernels", "sobel-x", "1 2; 3 4", "--image", "grey.png"),
    "all kernels": ("kernels",),
    "a network": ("shape", "28x28x3", "conv:3x3,4+relu", "maxpool:2"),
    "fields": ("shape", "28x28x3", "conv:3x3,4+relu", "maxpool:2", "--fields"),
    "fields on a picture": ("shape", "grey.png", "conv:3x3,4+relu", "--fields", "--unit", "2,3"),
}
EVERY_PLOT = pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def grey(folder: Path) -> Path:
    """Return a picture in the folder."""
    save(folder / "grey.png", np.random.default_rng(2).integers(0, 256, (20, 24)).astype(np.uint8))
    return folder / "grey.png"


@pytest.fixture
def _few_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nine kernels have a name: the sheet of all takes seconds, and README and help draw it."""
    few = dict(islice(all_kernels().items(), 9))
    monkeypatch.setattr("cnnfilter.plot.kernel_sheet.all_kernels", lambda: few)


@EVERY_PLOT
@pytest.mark.usefixtures("_few_kernels")
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure_is_made_silently_and_the_same_each_time(
    run: Run, folder: Path, grey: Path, words: tuple[str, ...], suffix: str
) -> None:
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    made = []
    for name in ("first", "second"):
        result = run(*words, "--plot", f"{name}{suffix}", "--dpi", "40")
        assert (result.stdout, result.stderr) == ("", "")
        made.append((folder / f"{name}{suffix}").read_bytes())
    assert made[0].startswith(start)
    assert made[0] == made[1]
    assert files(folder) == {grey.name, f"first{suffix}", f"second{suffix}"}


@EVERY_PLOT
@pytest.mark.usefixtures("grey")
def test_a_figure_has_the_size_that_was_asked_for(run: Run, folder: Path, words: tuple[str, ...]) -> None:
    run(*words, "--plot", "a.png", "--figure-size", "5x7.5", "--dpi", "60", "-q" if words[0] == "shape" else "--dpi=60")
    assert load(folder / "a.png").shape[:2] == (300, 450)


@EVERY_PLOT
@pytest.mark.usefixtures("grey")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--plot", "a.jpg"), "unknown suffix '.jpg'; .png, .svg, .pdf would do, or show for a window"),
        (("--plot", "none/a.png"), "no such folder: none"),
        (("--plot", "show"), "there is no display here; --plot FILE.png makes a file"),
        (("--plot", "a.png", "--figure-size", "4"), "'4' is not HxW in inches, such as 6x8.5"),
        (("--plot", "a.png", "--dpi", "0"), "0 is not in the range"),
        (("--plot", "a.png", "--figure-size", "90x90", "--dpi", "2400"), "pixels are more than can be drawn"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_do(
    run: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    options: tuple[str, ...],
    reason: str,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    before = files(folder)
    result = run(*words, *options, status=2)
    assert result.stdout == ""
    message = result.stderr.partition("Error: ")[2]
    assert reason in message
    assert message.count("\n") == 1
    assert files(folder) == before


@pytest.mark.usefixtures("grey")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("kernels sobel-x --dpi 100", "--plot FILE asks for one"),
        ("shape 28 relu --figure-size 3x3", "--plot FILE asks for one"),
        ("kernels sobel-x --image grey.png", "--image needs --plot FILE"),
        ("kernels --plot grey.png --image grey.png", "would replace a file that is read"),
        ("shape grey.png relu --plot grey.png", "would replace a file that is read"),
        ("kernels --plot a.png --image none.png", "none.png: No such file"),
        ("kernels --plot a.png --image five.npy", "five.npy: has 5 channels"),
        ("kernels sobelx --plot a.png", "nearest: sobel-x"),
        ("shape 28 relu --fields", "--fields needs --plot FILE"),
        ("shape 28 relu --plot a.png --unit 1,1", "--unit needs --fields"),
        ("shape 28 conv:3x3 --plot a.png --fields --unit 26,0", "rows 0 to 25, columns 0 to 25"),
        ("shape 28 conv:3x3 --plot a.png --fields --unit 3", "'3' is not Y,X"),
        ("shape 28 flatten --plot a.png --fields", "no layer sees a part of the input"),
        (
            "shape 28 conv:3x3 --solve stride --target 13 --plot a.png",
            "--solve prints layers, and cannot be combined with --plot",
        ),
        ("shape 28 conv:30x30 --plot a.png", "larger than the input"),
    ],
)
def test_what_does_not_go_together_is_refused(run: Run, folder: Path, words: str, reason: str) -> None:
    np.save(folder / "five.npy", np.ones((4, 4, 5)))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert reason in run(*words.split(), status=2).stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_asked_for_by_name_is_printed_beside_the_figure(run: Run, folder: Path) -> None:
    words = ("shape", "28x28x3", "conv:3x3,4")
    for form in ("--json", "--csv", "--markdown", "--explain", "--table", "--compare"):
        printed = run(*words, form, "--plot", "a.png", "--dpi", "20").stdout
        assert printed == run(*words, form).stdout
        (folder / "a.png").unlink()
    matrix = run("kernels", "--matrix", "sobel-x", "--plot", "a.png", "--dpi", "20").stdout
    assert matrix == run("kernels", "--matrix", "sobel-x").stdout
    assert (folder / "a.png").exists()


def test_warnings_are_told_as_without_a_figure(run: Run) -> None:
    words = ("shape", "28x28", "conv:3x3,s2")
    told = run(*words).stderr
    assert "no window reaches" in told
    assert run(*words, "--plot", "a.png", "--dpi", "20").stderr == told
    assert run(*words, "--plot", "a.png", "--dpi", "20", "-q").stderr == ""


def test_letters_too_small_to_read_bring_a_warning(run: Run, samples: Path) -> None:
    words = ("shape", samples / "vgg16.toml", "--plot", "a.png", "--figure-size", "2x2", "--dpi", "40")
    assert "points high; --figure-size" in run(*words).stderr
    assert run(*words, "-q").stderr == ""


@pytest.mark.usefixtures("folder")
def test_pictures_of_every_kind_are_drawn_on(run: Run, samples: Path, folder: Path) -> None:
    np.save(folder / "volume.npy", np.random.default_rng(0).normal(size=(9, 30, 5)))
    shutil.copy(samples / "sprite.png", "sprite.png")
    shutil.copy(samples / "gradient-16.png", "deep.png")
    save(folder / "wide.png", np.zeros((3, 5000, 3), np.uint8))
    for name in ("volume.npy", "sprite.png", "deep.png", "wide.png"):
        run("shape", name, "conv:3x3,4", "--plot", "a.png", "--fields", "--dpi", "40", "-q")
        assert load(folder / "a.png").std() > 1
    for name in ("sprite.png", "deep.png", "wide.png"):
        run("kernels", "sharpen", "--image", name, "--plot", "a.png", "--dpi", "40")
        assert load(folder / "a.png").std() > 1
