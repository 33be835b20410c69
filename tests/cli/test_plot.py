"""`--plot` and `--animate`: files that appear, and mistakes that are one line."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnfilter.arrays import Array
from tests.cli.commands import files
from tests.cli.conftest import Run
from tests.cli.pictures import load, rows, text_of

PLAIN = np.arange(30.0).reshape(5, 6)
PLOTS = pytest.mark.parametrize(
    "words",
    [
        ("convolve", "m.txt", "-k", "sobel-x"),
        ("pool", "m.txt"),
        ("pipeline", "relu maxpool:2 flatten", "m.txt"),
        ("convolve", "m.txt", "-k", "sobel-x", "-k", "box:3", "--explain", "0,1", "-q"),
    ],
    ids=["convolve", "pool", "pipeline", "explain"],
)
STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(autouse=True)
def _matrix(folder: Path) -> None:
    """Lay a matrix in the current folder."""
    (folder / "m.txt").write_text(text_of(PLAIN))


@PLOTS
@pytest.mark.parametrize("suffix", STARTS)
def test_a_figure_is_written_and_nothing_else(run: Run, folder: Path, words: tuple[str, ...], suffix: str) -> None:
    result = run(*words, "--plot", f"fig{suffix}")
    assert files(folder) == {"m.txt", f"fig{suffix}"}
    assert (folder / f"fig{suffix}").read_bytes().startswith(STARTS[suffix])
    assert result.stderr == ""
    assert bool(result.stdout) == ("--explain" in words)


@PLOTS
@pytest.mark.parametrize("suffix", STARTS)
def test_two_runs_give_the_same_bytes(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], suffix: str
) -> None:
    run(*words, "--plot", f"a{suffix}")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    run(*words, "--plot", f"b{suffix}")
    data = (folder / f"a{suffix}").read_bytes()
    assert data == (folder / f"b{suffix}").read_bytes()
    assert not re.search(rb"CreationDate|<dc:date|tIME|Matplotlib v", data)


def test_a_figure_of_a_picture_with_its_result(run: Run, colours: Array) -> None:
    run("convolve", "colours.png", "-k", "sharpen", "-q", "-o", "out.png")
    alone = load("out.png")
    run("convolve", "colours.png", "-k", "sharpen", "-q", "-o", "out.png", "--plot", "fig.png", "--dpi", "50")
    assert np.array_equal(load("out.png"), alone)
    assert load("fig.png").std() > 10
    run("convolve", "colours.png", "-k", "sharpen", "-q", "--plot", "twice.png", "--dpi", "100")
    assert abs(load("twice.png").shape[0] - 2 * load("fig.png").shape[0]) <= 1
    assert colours.shape == (21, 26, 3)


def test_the_size_of_a_figure_is_in_inches(run: Run) -> None:
    run("pool", "m.txt", "--plot", "fig.png", "--figure-size", "2.5x6", "--dpi", "80")
    assert load("fig.png").shape[:2] == (200, 480)


def test_the_panels_of_transparent_and_deep_pictures_are_drawn(run: Run, samples: Path, deep: Array) -> None:
    run("pool", samples / "sprite.png", "--plot", "a.png")
    run("convolve", "deep.png", "-k", "edge", "--equalize", "--plot", "b.png")
    run("convolve", "deep.png", "-k", "edge", "--colormap", "viridis", "--plot", "c.png")
    assert all(load(name).std() > 10 for name in ("a.png", "b.png", "c.png"))
    assert not np.array_equal(load("b.png"), load("c.png"))
    assert deep.max() > 60_000


def test_several_inputs_take_a_template(run: Run, three: dict[str, Array], folder: Path) -> None:
    (folder / "m.txt").unlink()
    result = run("pool", *three, "--plot", "fig.png", status=2)
    assert "the pictures of a.png and b.png would be written to it" in result.stderr
    assert "a template such as {stem}-plot.png parts them" in result.stderr
    assert files(folder) == set(three)
    run("pool", *three, "--plot", "{stem}-{index}.png")
    assert files(folder) - set(three) == {"a-1.png", "b-2.png", "c-3.png"}


def test_pipeline_draws_the_layers_that_are_saved(run: Run, folder: Path) -> None:
    run("pipeline", "relu maxpool:2@m", "m.txt", "--plot", "all.png", "--dpi", "50")
    run("pipeline", "relu maxpool:2@m", "m.txt", "--save", "m", "--plot", "one.png", "--dpi", "50")
    assert load("one.png").shape[1] < load("all.png").shape[1]
    assert files(folder) == {"m.txt", "all.png", "one.png"}


def test_classes_are_listed_beside_the_figure(run: Run, samples: Path) -> None:
    words = ("pipeline", samples / "digits.toml", samples / "digit-7.png", "--top", "1")
    assert run(*words, "--plot", "fig.png").stdout == run(*words).stdout
    assert load("fig.png").std() > 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--plot", "fig.jpg"), "--plot fig.jpg: suffix '.jpg' is not .png, .svg or .pdf, or the word show"),
        (("--plot", "fig"), "--plot fig: no suffix; it is to be .png, .svg or .pdf, or the word show"),
        (("--plot", "-"), "--plot -: no suffix"),
        (("--plot", "nowhere/fig.png"), "--plot nowhere/fig.png: no such folder: nowhere"),
        (("--plot", "{stm}.png"), "unknown field {stm}; known are {stem}"),
        (("--animate", "a.mp4"), "--animate a.mp4: suffix '.mp4' is not .gif, .webp or .png"),
        (("--equalize",), "--equalize goes with --plot FILE"),
        (("--colormap", "viridis"), "--colormap goes with --plot FILE"),
        (("--fps", "3"), "--fps goes with --animate FILE"),
        (("--around", "1,1"), "--around goes with --animate FILE"),
        (("--dpi", "100"), "--dpi is that of a figure, and none is asked for"),
        (("--figure-size", "3x3"), "--figure-size is that of a figure"),
        (("--plot", "a.png", "--figure-size", "3"), "'3' is not HxW in inches, such as 4x7.5"),
        (("--plot", "a.png", "--figure-size", "0.1x3"), "is not between 1 and 50 inches a side"),
        (("--plot", "a.png", "--figure-size", "50x50", "--dpi", "1200"), "more than 30000 pixels a side"),
        (("--plot", "a.png", "--colormap", "viridos"), "matplotlib has no map of this name; nearest: viridis"),
        (("--plot", "a.png", "-o", "a.png"), "another output has this name"),
        (("--plot", "a.png", "--animate", "a.png"), "another output has this name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    run: Run, folder: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in run("pool", "m.txt", *words, status=2).stderr
    assert files(folder) == {"m.txt"}


def test_a_figure_is_not_drawn_over_what_is_read(run: Run, colours: Array) -> None:
    result = run("pool", "colours.png", "--plot", "colours.png", status=2)
    assert "colours.png is read, and would be written over" in result.stderr
    assert np.array_equal(load("colours.png"), colours)


def test_show_needs_a_display(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    result = run("pool", "m.txt", "--plot", "show", status=2)
    assert "--plot show needs a display, and there is none; --plot FILE.png draws into a file" in result.stderr


def test_show_needs_a_toolkit_that_opens_windows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("matplotlib.pyplot.get_backend", lambda: "agg")
    result = run("pool", "m.txt", "--plot", "show", status=2)
    assert "--plot show needs a toolkit that matplotlib opens windows with" in result.stderr


def test_show_opens_a_window_and_writes_nothing(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("cnnfilter.plots.sheets._opens_windows", lambda: True)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: shown.append(1))
    monkeypatch.setattr("matplotlib.pyplot.figure", Figure)
    run("pool", "m.txt", "--plot", "show")
    assert shown == [1]
    assert files(folder) == {"m.txt"}


def test_a_dry_run_names_the_figures(run: Run, folder: Path) -> None:
    words = ("pool", "m.txt", "-o", "out.txt", "--plot", "fig.png", "--animate", "a.gif", "--dry-run")
    assert run(*words).stdout == "m.txt -> out.txt\nm.txt -> fig.png\nm.txt -> a.gif\n"
    assert files(folder) == {"m.txt"}


def test_figures_that_exist_can_be_passed_over(run: Run, folder: Path) -> None:
    (folder / "fig.png").write_bytes(b"old")
    run("pool", "m.txt", "--plot", "fig.png", "--no-clobber")
    assert (folder / "fig.png").read_bytes() == b"old"


def test_a_figure_is_that_of_its_input_where_others_are_passed_over(run: Run, folder: Path) -> None:
    (folder / "n.txt").write_text(text_of(PLAIN[::-1]))
    words = ("pool", "m.txt", "n.txt", "-o", "{stem}-out.txt", "--plot", "{stem}.png", "--no-clobber")
    run(*words)
    expected = (folder / "n.png").read_bytes()
    (folder / "n.png").unlink()
    (folder / "m-out.txt").unlink()
    run(*words)
    assert (folder / "n.png").read_bytes() == expected


def test_remarks_come_with_a_figure_unless_told_to_be_quiet(run: Run) -> None:
    words = ("convolve", "m.txt", "-k", "box:3", "--border", "edge", "--plot", "fig.png")
    assert run(*words).stderr.count("border edge has no effect") == 1
    assert run(*words, "-o", "out.txt").stderr.count("border edge has no effect") == 1
    assert run(*words, "-q").stderr == ""


def test_an_input_that_fails_is_one_line_and_the_others_are_drawn(run: Run, folder: Path) -> None:
    (folder / "bad.txt").write_text("1 x\n")
    result = run("pool", "bad.txt", "m.txt", "--plot", "{stem}.png", status=1)
    assert result.stderr.startswith("cnnfilter: bad.txt: ")
    assert files(folder) == {"bad.txt", "m.txt", "m.png"}


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_moving_picture_is_written(run: Run, folder: Path, suffix: str) -> None:
    result = run("convolve", "m.txt", "-k", "sobel-x", "--animate", f"a{suffix}", "--dpi", "40", "--fps", "10")
    assert (result.stdout, result.stderr) == ("", "")
    assert files(folder) == {"m.txt", f"a{suffix}"}
    assert (folder / f"a{suffix}").stat().st_size > 5000


def test_a_photo_is_animated_around_a_place(run: Run, photo: Path) -> None:
    words = ("pool", photo, "--animate", "a.gif", "--dpi", "40")
    result = run(*words, status=1)
    assert "600x512 is too large to animate, which goes up to 32x32; --around Y,X" in result.stderr
    run(*words, "--around", "100,200")
    assert Path("a.gif").stat().st_size > 5000


def test_kernels_slide_one_at_a_time(run: Run) -> None:
    result = run("convolve", "m.txt", "-k", "sobel-x", "-k", "sobel-y", "--animate", "a.gif", status=1)
    assert "2 kernels slide one by one; --animate takes one -k at a time" in result.stderr


def test_a_matrix_is_still_printed_without_a_figure(run: Run) -> None:
    assert rows(run("pool", "m.txt").stdout).shape == (2, 3)
