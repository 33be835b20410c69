"""Plates: what of a picture is shown where values are missing, cut off, or invisible, and marks that stand apart."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from cnnfilter.arrays import Array
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.plot.sheet import Paper
from cnnfilter.plot.view import SIGNED, Look
from tests.plot.conftest import COLORS, blank, texts_on
from tests.plot.test_comparisons import bars, draw, drawn, insets, norm, panels, titles

SIZES = pytest.mark.parametrize("size", [None, (6.0, 8.0), (3.0, 12.0), (2.0, 3.0), (9.0, 3.0)], ids=str)


def bare(values: Array) -> Picture:
    """Return a matrix as an input."""
    return Picture(np.asarray(values, np.float64), Depth.FLOAT, matrix=True)


def noise(height: int, width: int) -> Picture:
    """Return a gray picture."""
    return Picture(np.random.default_rng(2).integers(0, 256, (height, width)).astype(np.uint8), Depth.EIGHT)


def extents(paper: Paper) -> list[tuple[Text, Bbox]]:
    """Return the texts beside panels, with where they stand."""
    inside = {text for axes in panels(paper) for text in axes.texts}
    return [(text, text.get_window_extent()) for text in texts_on(paper.figure) if text not in inside]


def assert_apart(paper: Paper) -> None:
    """Assert that no text leaves the figure or lies over another one."""
    found = extents(paper)
    whole = paper.figure.bbox
    for text, box in found:
        assert box.x0 >= -0.5, text
        assert box.y0 >= -0.5, text
        assert box.x1 <= whole.x1 + 0.5, text
        assert box.y1 <= whole.y1 + 0.5, text
    for number, (text, box) in enumerate(found):
        for other, its in found[number + 1 :]:
            over = Bbox.intersection(box, its)
            assert over is None or over.width < 1 or over.height < 1, (text, other)


@SIZES
@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_text_is_cut_or_lies_over_another(size: tuple[float, float] | None, count: int) -> None:
    words = ["gray conv:line-antidiagonal:15", "gray conv:sobel-x", "gray conv:gabor:31:6:45:8"] * 2
    assert_apart(draw(noise(120, 160), *words[:count], paper=blank(size, 150)))


@pytest.mark.parametrize("shape", [(900, 60), (60, 900), (1, 20), (2, 20), (3, 20), (20, 1), (12, 12)], ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_marks_of_odd_shapes_stand_apart(shape: tuple[int, int], count: int) -> None:
    assert_apart(draw(noise(*shape), *["conv:[1e6]"] * count))


def test_marks_of_a_long_vector_stand_apart() -> None:
    paper = draw(noise(500, 600), "flatten")
    axes = panels(paper)[1]
    assert_apart(paper)
    assert axes.get_xlabel() == "300000 values"
    lines: Any = axes.collections[0]
    assert len(lines.get_segments()) == 1000


def test_numbers_in_a_row_of_cells_do_not_touch() -> None:
    texts = panels(draw(bare(np.full((1, 20), 157)), "conv:[1]"))[0].texts
    assert len(texts) == 20
    for left, right in pairwise(text.get_window_extent() for text in texts):
        assert right.x0 - left.x1 > 1


def test_the_bar_writes_large_levels_out() -> None:
    paper = draw(noise(9, 9), "conv:[1e6]")
    paper.figure.draw_without_rendering()
    assert len(bars(paper)) == 1
    for bar in bars(paper):
        assert bar.yaxis.get_offset_text().get_text() == ""
        assert float(bar.get_yticklabels()[-1].get_text()) == pytest.approx(bar.get_yticks()[-1], rel=0.01)


def test_a_range_leaves_the_input_alone(colors: Picture) -> None:
    paper = draw(colors, "gray conv:sobel-x", look=Look(range_=Range.OFFSET))
    assert np.allclose(drawn(panels(paper)[0]), COLORS / 255)
    assert titles(paper)[0] == "input.png\n40x60x3, 0 to 255"
    assert titles(paper)[1].replace("\n", " ").endswith("shown by range offset")


def transparent() -> Picture:
    """Return a picture of which the left half is not to be seen."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, :3] = 255
    pixels[:, 4:] = [200, 0, 0, 255]
    return Picture(pixels, Depth.EIGHT)


def test_transparent_pixels_lie_on_a_checkerboard() -> None:
    paper = draw(transparent(), "dwconv:identity:1")
    for axes, title in zip(panels(paper), titles(paper), strict=True):
        assert drawn(axes)[0, 0, 3] == 0
        assert np.allclose(drawn(axes)[0, 7], [200 / 255, 0, 0, 1])
        below = np.asarray(axes.images[1].get_array())
        assert axes.images[1].get_zorder() < axes.images[0].get_zorder()
        assert set(below[:, :, 0].ravel().tolist()) == {0.8, 1.0}
        assert "8x8x4" in title


def test_invisible_pixels_of_maps_are_no_values() -> None:
    axes = panels(draw(transparent(), "gray conv:[-1]"))[1]
    values = axes.images[0].get_array()
    assert isinstance(values, np.ma.MaskedArray)
    assert np.asarray(values.mask)[:, :4].all()
    assert not np.asarray(values.mask)[:, 4:].any()
    below = np.asarray(axes.images[1].get_array())
    assert (below[:, :4, 3] == 1).all()
    assert (below[:, 4:, 3] == 0).all()


def holes() -> Array:
    """Return a matrix with values that are none, or infinite."""
    values = np.arange(1.0, 10).reshape(3, 3)
    values[0, :2] = np.nan
    values[1, 1], values[2, 2] = np.inf, -np.inf
    return values


def overlay(axes: Axes) -> list[list[str]]:
    """Return the colors that are laid over a panel, the empty text where there is none."""
    colors = np.asarray(axes.images[-1].get_array())
    return [[to_hex(color) if color[3] else "" for color in row] for row in colors]


def test_what_is_no_number_has_a_color_of_its_own_and_is_counted() -> None:
    paper = draw(bare(holes()), "conv:[2]")
    for axes in panels(paper):
        assert overlay(axes) == [["#f0e442", "#f0e442", ""], ["", "#009e73", ""], ["", "", "#009e73"]]
        written = {text.get_position(): text.get_text() for text in axes.texts}
        assert [written[place] for place in ((0, 0), (1, 1), (2, 2))] == ["nan", "inf", "-inf"]
    assert titles(paper)[0] == "input.png\n3x3, 3 to 8, 2 nan (yellow), 2 inf (green)"


def test_a_title_names_no_range_where_nothing_is_a_number() -> None:
    assert titles(draw(bare(np.full((2, 2), np.nan)), "conv:[1]"))[0] == "input.png\n2x2, 4 nan (yellow)"


def test_what_is_no_number_in_colors_is_seen_too() -> None:
    values = np.full((4, 4, 3), 0.5, np.float32)
    values[1, 2, 0] = np.nan
    paper = draw(Picture(values, Depth.FLOAT), "dwconv:[1]")
    for axes, title in zip(panels(paper), titles(paper), strict=True):
        assert overlay(axes)[1] == ["", "", "#f0e442", ""]
        assert "1 nan (yellow)" in title


def test_only_values_beyond_the_bar_give_it_arrows_and_the_title_says_so() -> None:
    values = np.random.default_rng(1).integers(0, 256, (150, 150)).astype(np.uint8)
    values[:, 75] = 0
    picture = Picture(values, Depth.EIGHT)
    for equalize in (False, True):
        paper = draw(picture, "conv:sobel-x", "conv:laplacian-8", look=Look(equalize=equalize))
        for axes, title in zip(panels(paper)[1:], titles(paper)[1:], strict=True):
            bar = axes.images[0].colorbar
            assert bar is not None
            beyond = bool((np.abs(drawn(axes)) > (norm(axes).vmax or 0)).any())
            assert beyond is not equalize
            assert (bar.extend == "neither") is equalize
            assert ("shown" in title) is not equalize


def test_a_result_that_is_cut_off_at_white_has_a_bar() -> None:
    flat = np.full((40, 40), 200, np.uint8)
    flat[10, 10] = 10
    axes = panels(draw(Picture(flat, Depth.EIGHT), "conv:sharpen"))[1]
    assert axes.images[0].colorbar is not None
    assert axes.images[0].colorbar.extend == "both"


def test_numbers_of_fractions_are_shortened_until_they_fit() -> None:
    values = np.random.default_rng(3).normal(size=(9, 9)) / 3
    paper = draw(bare(values), "conv:[1]", "conv:[-1]", "conv:[3]")
    for axes in panels(paper):
        assert len(axes.texts) == 81
        for text, value in zip(axes.texts, drawn(axes).ravel(), strict=True):
            assert float(text.get_text()) == pytest.approx(value, abs=0.06)


def test_slices_of_a_kernel_have_an_outline_each() -> None:
    volume = Picture(np.ones((5, 5, 3)), Depth.FLOAT, matrix=True)
    (inset,) = insets(draw(volume, "conv:[1 0 -1; 2 0 -2; 1 0 -1 ;; 0 1 0; 1 0 1; 0 1 0 ;; 1 1 1; 1 1 1; 0 0 0]"))
    outlines = [(patch.get_x(), patch.get_width()) for patch in inset.patches]  # type: ignore[attr-defined]
    assert outlines == [pytest.approx((start, 3), abs=0.25) for start in (-0.5, 3.5, 7.5)]
    assert all(start < cells and width > 3 for (start, width), cells in zip(outlines, (-0.5, 3.5, 7.5), strict=True))
    assert not inset.axison


def test_a_kernel_of_one_weight_repeated_shows_its_cells() -> None:
    (inset,) = insets(draw(noise(30, 30), "conv:box:3"))
    lines: list[Any] = list(inset.collections)
    assert [len(line.get_segments()) for line in lines] == [2, 2]


def test_the_frame_of_a_kernel_is_as_thick_on_all_sides() -> None:
    paper = draw(noise(60, 60), "conv:frame:25", paper=blank(dpi=60))
    (inset,) = insets(paper)
    extent = inset.get_window_extent()
    cell = extent.width / 25
    assert cell == pytest.approx(round(cell))
    assert extent.x0 == pytest.approx(round(extent.x0))
    assert inset.images[0].get_interpolation() == "nearest"


@pytest.mark.parametrize("shape", [(900, 60), (300, 300), (60, 900)])
@pytest.mark.parametrize("size", [None, (3.0, 12.0)])
def test_a_kernel_stands_at_its_panel(shape: tuple[int, int], size: tuple[float, float] | None) -> None:
    paper = draw(noise(*shape), "conv:sobel-x", paper=blank(size))
    (inset,) = insets(paper)
    kernel, panel = inset.get_window_extent(), panels(paper)[1].get_window_extent()
    aside = max(0.0, kernel.x0 - panel.x1)
    above = max(0.0, kernel.y0 - panel.y1)
    assert min(aside, above) == 0
    assert max(aside, above) < 0.8 * paper.figure.dpi


def test_maps_side_by_side_have_all_their_borders(colors: Picture) -> None:
    axes = panels(draw(colors, "dwconv:sobel-x"))[1]
    assert len(axes.patches) == 3
    assert not any(patch.get_clip_on() for patch in axes.patches)


def test_a_small_figure_keeps_the_levels_of_its_bar_whole(colors: Picture) -> None:
    paper = draw(colors, *["gray conv:line-vertical:15"] * 5, paper=blank((6.0, 8.0), 150))
    assert len(bars(paper)) == 5
    paper.figure.draw_without_rendering()
    for bar in bars(paper):
        for label in bar.get_yticklabels():
            assert label.get_window_extent().x1 <= paper.figure.bbox.x1
    assert panels(paper)[0].images[0].get_cmap().name != SIGNED
