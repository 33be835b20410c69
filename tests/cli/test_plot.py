"""`--plot` and `--animate`: files that appear, and mistakes that are one line."""

import json
import os
import re
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot

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


def records(path: Path) -> list[dict[str, Any]]:
    """Return what a report says of each input."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@PLOTS
@pytest.mark.parametrize("suffix", STARTS)
def test_a_figure_is_written_and_nothing_else_the_same_each_time(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], suffix: str
) -> None:
    result = run(*words, "--plot", f"a{suffix}")
    assert files(folder) == {"m.txt", f"a{suffix}"}
    data = (folder / f"a{suffix}").read_bytes()
    assert data.startswith(STARTS[suffix])
    assert result.stderr == ""
    assert bool(result.stdout) == ("--explain" in words)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    run(*words, "--plot", f"b{suffix}")
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


def test_a_figure_too_small_to_be_read_brings_a_warning(run: Run) -> None:
    words = ("pool", "m.txt", "--plot", "fig.png", "--figure-size")
    assert re.search(
        r"warning: m\.txt: texts are 3\.\d points high; --figure-size 2\.\dx3\.\d would do", run(*words, "2x3").stderr
    )
    assert run(*words, "2x3", "-q").stderr == ""
    assert run(*words, "4x8").stderr == ""


def test_several_inputs_take_a_template(run: Run, three: dict[str, Array], folder: Path) -> None:
    (folder / "m.txt").unlink()
    result = run("pool", *three, "--plot", "fig.png", status=2)
    assert "the figures of a.png and b.png would be written to it" in result.stderr
    assert "a template such as {stem}-plot.png separates them" in result.stderr
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
        (
            ("--plot", "fig.jpg"),
            "--plot fig.jpg: unknown suffix '.jpg'; .png, .svg, .pdf would do, or show for a window",
        ),
        (("--plot", "fig"), "--plot fig: no suffix; .png, .svg, .pdf would do, or show for a window"),
        (("--plot", "-"), "--plot -: no suffix"),
        (("--plot", "nowhere/fig.png"), "--plot nowhere/fig.png: no such folder: nowhere"),
        (("--plot", "{stm}.png"), "unknown field {stm}; known are {stem}"),
        (("--animate", "a.mp4"), "--animate a.mp4: unknown suffix '.mp4'; .gif, .webp, .png would do"),
        (("--equalize",), "--equalize needs --plot FILE"),
        (("--colormap", "viridis"), "--colormap needs --plot FILE"),
        (("--fps", "3"), "--fps needs --animate FILE"),
        (("--around", "1,1"), "--around needs --animate FILE"),
        (("--dpi", "100"), "--figure-size and --dpi are about a figure; --plot FILE asks for one"),
        (("--figure-size", "3x3"), "--plot FILE asks for one"),
        (("--plot", "a.png", "--figure-size", "3"), "'3' is not HxW in inches, such as 6x8.5"),
        (("--plot", "a.png", "--figure-size", "0.1x3"), "each side is from 1 to 200 inches"),
        (
            ("--plot", "a.png", "--figure-size", "50x50", "--dpi", "1200"),
            "60000x60000 pixels are more than can be drawn",
        ),
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
    assert "--plot colours.png: the figure would replace a file that is read" in result.stderr
    assert np.array_equal(load("colours.png"), colours)


def test_show_needs_a_display(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    result = run("pool", "m.txt", "--plot", "show", status=2)
    assert "--plot show: there is no display here; --plot FILE.png makes a file" in result.stderr


def test_show_needs_a_toolkit_that_opens_windows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")

    def fail(toolkit: str) -> None:
        raise ImportError(toolkit)

    monkeypatch.setattr(pyplot, "switch_backend", fail)
    result = run("pool", "m.txt", "--plot", "show", status=1)
    assert (
        result.stderr == "cnnfilter: m.txt: --plot show: no window can be opened here; --plot FILE.png makes a file\n"
    )


def test_show_opens_a_window_and_writes_nothing(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[Thread, int]] = []
    monkeypatch.setenv("DISPLAY", ":0")
    switch_backend = pyplot.switch_backend
    monkeypatch.setattr(pyplot, "switch_backend", lambda _: switch_backend("agg"))
    monkeypatch.setattr(pyplot, "show", lambda block: shown.append((current_thread(), len(pyplot.get_fignums()))))
    (folder / "n.txt").write_text(text_of(PLAIN))
    result = run("pool", "m.txt", "n.txt", "--plot", "show", "-j", "4", "--report", "report.json")
    assert shown == [(main_thread(), 1)] * 2  # toolkits know no other thread
    assert result.stdout == ""
    assert [record["outputs"] for record in records(folder / "report.json")] == [[], []]
    assert files(folder) == {"m.txt", "n.txt", "report.json"}


def test_a_dry_run_names_the_figures(run: Run, folder: Path) -> None:
    words = ("pool", "m.txt", "-o", "out.txt", "--plot", "fig.png", "--animate", "a.gif", "--dry-run")
    assert run(*words).stdout == "m.txt 5x6 -> out.txt 2x3\nm.txt 5x6 -> fig.png\nm.txt 5x6 -> a.gif\n"
    assert files(folder) == {"m.txt"}


def test_a_dry_run_finds_what_does_not_fit(run: Run) -> None:
    result = run("pool", "m.txt", "--size", "9", "--plot", "fig.png", "--dry-run", status=1)
    assert result.stderr.startswith("cnnfilter: m.txt: ")


def test_figures_are_the_same_however_many_inputs_are_drawn_at_a_time(run: Run, three: dict[str, Array]) -> None:
    words = ("convolve", *three, "-k", "sharpen", "-q", "--dpi", "40")
    run(*words, "-j", "1", "--plot", "one-{stem}.png", "--explain", "1,1")
    run(*words, "-j", "3", "--plot", "all-{stem}.png", "--explain", "1,1")
    words = (*words, "-k", "edge")
    run(*words, "-j", "1", "--plot", "one-{stem}.svg", "-o", "one-{stem}-{kernel}.png")
    run(*words, "-j", "3", "--plot", "all-{stem}.svg", "-o", "all-{stem}-{kernel}.png")
    found = {path.name: path.read_bytes() for path in Path().glob("one-*")}
    assert len(found) == 4 * len(three)
    assert {name: Path(name.replace("one-", "all-")).read_bytes() for name in found} == found


def test_explanations_are_printed_in_the_order_of_the_inputs(run: Run, folder: Path) -> None:
    names = [f"{letter}.txt" for letter in "abcdef"]
    for number, name in enumerate(names):
        (folder / name).write_text(text_of(PLAIN + number))
    shown = run("pool", *names, "--explain", "0,0", "-j", "3").stdout
    assert re.findall(r"^(\w\.txt), ", shown, re.MULTILINE) == names


def test_a_report_counts_figures_and_explanations(run: Run, folder: Path) -> None:
    words = ("pool", "m.txt", "-o", "out.txt", "--plot", "fig.png", "--explain", "0,0", "--report", "report.json")
    run(*words, "--figure-size", "2x3", "--dpi", "50")
    assert records(folder / "report.json")[0]["outputs"] == [
        {"path": "out.txt", "size": [2, 3], "clipped": 0},
        {"path": None, "size": None, "clipped": 0},
        {"path": "fig.png", "size": [100, 150], "clipped": 0},
    ]
    run("pool", "m.txt", "--plot", "natural.png", "--report", "report.json")
    assert records(folder / "report.json")[0]["outputs"][0]["size"] == list(load("natural.png").shape[:2])
    run("pool", "m.txt", "--plot", "fig.png", "--no-clobber", "--report", "report.json")
    assert records(folder / "report.json")[0]["skipped"] == ["fig.png"]


def test_rules_for_make_name_figures(run: Run, folder: Path) -> None:
    run("pool", "m.txt", "-o", "out.txt", "--plot", "fig.png", "--animate", "a.gif", "--depfile", "rules.d")
    assert (folder / "rules.d").read_text() == "out.txt fig.png a.gif: m.txt\n"
    run("pool", "m.txt", "--explain", "0,0", "--plot", "fig.png", "--depfile", "rules.d")
    assert (folder / "rules.d").read_text() == "fig.png: m.txt\n"
    assert (
        "--depfile lists the files that are written"
        in run("pool", "m.txt", "--explain", "0,0", "--depfile", "rules.d", status=2).stderr
    )
    result = run("pool", "m.txt", "--plot", "fig.png", "--report", "fig.png", status=2)
    assert "fig.png: is an output too" in result.stderr


def test_figures_that_are_up_to_date_are_skipped(run: Run, folder: Path) -> None:
    words = ("pool", "m.txt", "-o", "out.txt", "--plot", "fig.png", "--update")
    run(*words)
    (folder / "fig.png").write_bytes(b"newer")
    run(*words)
    assert (folder / "fig.png").read_bytes() == b"newer"
    assert run(*words, "--dry-run").stdout.count("(is up to date)") == 2
    os.utime(folder / "fig.png", (1, 1))
    run(*words)
    assert load("fig.png").std() > 10


def test_no_input_is_drawn_after_the_first_that_fails(run: Run, folder: Path) -> None:
    (folder / "bad.txt").write_text("1 x\n")
    run("pool", "bad.txt", "m.txt", "--plot", "{stem}.png", "--fail-fast", "-j", "1", status=1)
    assert files(folder) == {"bad.txt", "m.txt"}


def test_maps_and_figures_do_not_share_a_file(run: Run, folder: Path) -> None:
    words = ("pipeline", "conv:1x1,2@c relu", "m.txt", "--init", "he", "--save", "c", "--range", "scale")
    result = run(*words, "-o", "{layer}.png", "--plot", "c-01.png", status=1)
    assert "c-01.png: was already written for another input or layer" in result.stderr


def test_standard_input_is_drawn_once(run: Run) -> None:
    result = run("pool", "-", "-", "--plot", "{index}.png", given=text_of(PLAIN), status=2)
    assert "'-' is given twice" in result.stderr


def test_figures_that_exist_can_be_skipped(run: Run, folder: Path) -> None:
    (folder / "fig.png").write_bytes(b"old")
    run("pool", "m.txt", "--plot", "fig.png", "--no-clobber")
    assert (folder / "fig.png").read_bytes() == b"old"


def test_a_figure_is_that_of_its_input_where_others_are_skipped(run: Run, folder: Path) -> None:
    (folder / "n.txt").write_text(text_of(PLAIN[::-1]))
    words = ("pool", "m.txt", "n.txt", "-o", "{stem}-out.txt", "--plot", "{stem}.png", "--no-clobber")
    run(*words)
    expected = (folder / "n.png").read_bytes()
    (folder / "n.png").unlink()
    (folder / "m-out.txt").unlink()
    run(*words)
    assert (folder / "n.png").read_bytes() == expected


def test_warnings_come_with_a_figure_unless_told_to_be_quiet(run: Run) -> None:
    words = ("convolve", "m.txt", "-k", "box:3", "--border", "edge", "-p", "0", "--plot", "fig.png")
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
    assert "2 kernels are given, and --animate shows one" in result.stderr


def test_a_matrix_is_still_printed_without_a_figure(run: Run) -> None:
    assert rows(run("pool", "m.txt").stdout).shape == (2, 3)


def test_what_fails_a_figure_and_an_explanation_is_told_once(run: Run, folder: Path) -> None:
    result = run("pool", "m.txt", "--explain", "9,9", "--plot", "a.png", "--report", "r.jsonl", status=1)
    assert result.stderr.count("position 9,9 is outside the output") == 1
    assert (folder / "r.jsonl").read_text().count("position 9,9 is outside the output") == 1


def test_a_moving_picture_that_runs_for_minutes_brings_a_warning(run: Run, folder: Path) -> None:
    (folder / "long.txt").write_text(text_of(np.ones((8, 8))))
    result = run("pool", "long.txt", "-s", "1", "--animate", "a.gif", "--dpi", "40", "--fps", "0.1")
    assert "the animation has 49 windows and runs for 8 min 10 s; --around Y,X shows fewer" in result.stderr
