"""Sheets: what is refused, what is saved, and that it is the same each time."""

import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib as mpl
import pytest
from matplotlib import pyplot

from cnnfilter.cli.options import as_inches
from cnnfilter.errors import LanguageError, OutputError
from cnnfilter.plot.sheet import Sheet, check_sheet, open_sheet, set_size


def draw(sheet: Sheet) -> bytes:
    """Draw something with every kind of part, and return the file's bytes."""
    with open_sheet(sheet) as figure:
        set_size(figure, sheet, (2.0, 3.0))
        axes = figure.subplots()
        axes.imshow([[0, 1], [2, 3]])
        axes.set_title("$a$ file_名")
        axes.plot([0, 1], clip_on=True)
    return Path(sheet.target).read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_two_runs_give_the_same_bytes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = Sheet(str(tmp_path / f"a{suffix}"))
    first = draw(sheet)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert draw(sheet) == first
    assert len(first) > 1000


def test_a_file_does_not_tell_when_or_by_which_version_it_was_made(tmp_path: Path) -> None:
    for suffix in (".svg", ".pdf", ".png"):
        data = draw(Sheet(str(tmp_path / f"a{suffix}")))
        assert b"dc:date" not in data
        assert b"CreationDate" not in data
    assert mpl.__version__.encode() not in data


def test_the_size_is_height_by_width_in_inches_times_dpi(tmp_path: Path) -> None:
    draw(Sheet(str(tmp_path / "natural.png")))
    draw(Sheet(str(tmp_path / "wanted.png"), (1.5, 4.0), 50))
    natural, wanted = (cv2.imread(str(tmp_path / name)) for name in ("natural.png", "wanted.png"))
    assert natural is not None
    assert wanted is not None
    assert natural.shape == (300, 450, 3)
    assert wanted.shape == (75, 200, 3)


def test_the_settings_of_a_user_change_nothing_and_are_left_as_they_were(tmp_path: Path) -> None:
    plain = draw(Sheet(str(tmp_path / "a.png")))
    with mpl.rc_context({"figure.facecolor": "red", "image.cmap": "gray", "font.size": 30}):
        assert draw(Sheet(str(tmp_path / "b.png"))) == plain
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("a.jpg", "unknown suffix '.jpg'; .png, .svg, .pdf would do, or show for a window"),
        ("a", "no suffix; .png, .svg, .pdf would do"),
        ("shown", "no suffix"),
        ("none/a.png", "no such folder: none"),
        ("folder.png", "is a folder"),
        ("read.png", "would replace a file that is read"),
        ("./read.png", "would replace a file that is read"),
    ],
)
def test_what_could_not_be_saved_is_refused_with_what_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    Path("read.png").write_text("")
    with pytest.raises(OutputError, match=reason):
        check_sheet(Sheet(target), [Path("read.png")])


@pytest.mark.parametrize("text", ["3", "3x", "ax3", "0.5x3", "3x201", "-3x4", "nanx3", "3x4x5"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LanguageError, match="figure size"):
        as_inches(text)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure_of_too_many_pixels_is_refused_before_it_is_drawn(tmp_path: Path, suffix: str) -> None:
    sheet = Sheet(str(tmp_path / f"a{suffix}"), (20.0, 20.0), 2400)
    with pytest.raises(OutputError, match=r"48000x48000 pixels .* a smaller --dpi"):
        draw(sheet)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_when_drawing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_sheet(Sheet(str(tmp_path / "a.png"))):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_window_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OutputError, match=r"no display here; --plot FILE\.png makes a file"):
        check_sheet(Sheet("show"))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    check_sheet(Sheet("show"))
    monkeypatch.delenv("WAYLAND_DISPLAY")
    monkeypatch.setattr(sys, "platform", "darwin")
    check_sheet(Sheet("show"))


def test_a_window_is_opened_by_the_first_toolkit_that_can_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    shown: list[tuple[bool, list[int]]] = []

    switch_backend = pyplot.switch_backend

    def switch(toolkit: str) -> None:
        tried.append(toolkit)
        if len(tried) < 3:
            raise ImportError
        switch_backend("agg")

    monkeypatch.setattr(pyplot, "switch_backend", switch)
    monkeypatch.setattr(pyplot, "show", lambda block: shown.append((block, pyplot.get_fignums())))
    with open_sheet(Sheet("show")) as figure:
        set_size(figure, Sheet("show"), (2.0, 3.0))
        assert shown == []
    assert len(tried) == 3
    assert shown == [(True, [1])]
    assert pyplot.get_fignums() == []
    assert figure.get_size_inches().tolist() == [3.0, 2.0]


def test_without_any_toolkit_no_window_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(toolkit: str) -> None:
        raise ImportError(toolkit)

    monkeypatch.setattr(pyplot, "switch_backend", fail)
    with pytest.raises(OutputError, match="no window can be opened here"), open_sheet(Sheet("show")):
        pass


def test_what_checks_a_figure_loads_no_matplotlib() -> None:
    code = (
        "import sys; from pathlib import Path; from cnnfilter.plot.sheet import *\n"
        "check_sheet(Sheet('a.png'), [Path('b.png')])\n"
        "print('matplotlib' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
