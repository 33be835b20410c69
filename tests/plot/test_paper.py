"""Papers: letters that shrink with the figure, lines that break and are never cut in a number, whole pixels."""

import pytest
from matplotlib.text import Text

from cnnfilter.plot.sheet import LEAST_POINTS, Box, Paper
from tests.plot.conftest import blank

FACTS = ["456x616", "-1381.2 to 6284.7", "shown -5824.8 to 5824.8", "3 nan (yellow)"]


def laid_out(size: tuple[float, float] | None = None) -> Paper:
    """Return a paper whose layout takes 4x6 inches."""
    paper = blank(size)
    paper.lay_out(4.0, 6.0)
    return paper


def broken(name: str, facts: list[str], height: float, width: float) -> Text:
    """Return a text that is fitted into inches."""
    paper = laid_out()
    text = paper.text(0, 0, "", 9.0)
    paper.break_lines(text, name, facts, (height, width))
    assert text.get_window_extent().width <= width * paper.figure.dpi
    return text


@pytest.mark.parametrize(
    ("size", "zoom"), [(None, 1.0), ((8.0, 12.0), 1.0), ((2.0, 6.0), 0.5), ((4.0, 1.5), 0.25), ((1.0, 6.0), 0.25)]
)
def test_letters_shrink_with_the_side_that_shrinks_most(size: tuple[float, float] | None, zoom: float) -> None:
    assert laid_out(size).zoom == zoom


def test_letters_that_are_too_small_bring_a_warning_with_a_size_that_would_do() -> None:
    assert laid_out().warning == ""
    assert laid_out((2.4, 6.0)).warning == ""
    assert laid_out((1.0, 3.0)).warning == "texts are 1.8 points high; --figure-size 2.3x6.9 would do"


@pytest.mark.parametrize("width", [4.0, 2.4, 1.6, 1.0, 0.4])
def test_no_number_is_cut_however_narrow_the_room(width: float) -> None:
    text = broken("gabor:31:6:45:8", FACTS, 0.6, width)
    assert text.get_text().replace("\n", " ").endswith(", ".join(FACTS))


def test_facts_stand_in_one_line_where_there_is_room() -> None:
    text = broken("sobel-x", FACTS[:2], 0.6, 4.0)
    assert text.get_text() == "sobel-x\n456x616, -1381.2 to 6284.7"
    assert text.get_fontsize() == 9.0


def test_a_name_breaks_where_its_parts_end_and_not_before_a_sign() -> None:
    assert broken("line-antidiagonal:25", ["3x3"], 0.6, 1.1).get_text() == "line-\nantidiagonal:25\n3x3"
    lines = broken("1 0 -1;2 0 -2;1 0 -1", ["3x3"], 0.8, 0.8).get_text().split("\n")
    assert len(lines) > 2
    assert not any(line.endswith("-") for line in lines)


def test_of_a_name_without_end_the_middle_is_left_out() -> None:
    lines = broken(f"first{'x' * 300}last", ["1 to 8"], 0.6, 2.0).get_text().split("\n")
    assert lines[0].startswith("firstx")
    assert "…" in lines[0]
    assert lines[0].endswith("xlast")
    assert lines[1:] == ["1 to 8"]


def test_letters_shrink_before_a_name_is_cut() -> None:
    text = broken("line-antidiagonal:25", FACTS[:2], 0.4, 1.5)
    assert LEAST_POINTS < float(text.get_fontsize()) < 9
    assert "…" not in text.get_text()


@pytest.mark.parametrize(("cells", "pixels"), [((25, 25), 50), ((3, 3), 54), ((9, 9), 54)])
def test_cells_are_whole_pixels(cells: tuple[int, int], pixels: int) -> None:
    paper = laid_out()
    box = paper.snap(Box(1.013, 0.507, 0.55, 0.55), cells)
    extent = paper.axes(box).get_window_extent()
    assert round(extent.width, 6) == round(extent.height, 6) == pixels
    for edge in (extent.x0, extent.y0):
        assert edge == pytest.approx(round(edge), abs=1e-6)


def test_cells_smaller_than_a_pixel_are_left_as_they_are() -> None:
    box = Box(1.0, 1.0, 0.5, 0.5)
    assert laid_out().snap(box, (80, 80)) == box
