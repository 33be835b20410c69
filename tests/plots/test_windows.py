"""Explained values as figures: frames, numbers, titles."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Array
from cnnfilter.compute.network import as_volume, run_program
from cnnfilter.errors import ShapeError
from cnnfilter.plots.papers import FRAME, Paper
from cnnfilter.plots.windows import draw_windows
from cnnfilter.traces import Explained, span_around, trace
from tests.plots.conftest import blank
from tests.traces.test_traces import NUMBERS, program

PATCH = np.array([[105.0, 102, 100, 97, 96], [103, 99, 103, 101, 102], [101, 98, 104, 102, 100]])[:, :, None]


def explained(words: str, volume: Array, place: tuple[int, int], white: float = 0.0) -> Explained:
    """Return a value with all that it is made of."""
    traced = trace(program(words), volume, place)
    results = as_volume(run_program(program(words), volume))
    rows, columns = (span_around(at, at, size) for at, size in zip(place, results.shape[:2], strict=True))
    outputs = results[rows.start : rows.stop, columns.start : columns.stop]
    return Explained(traced, results[place], words, volume, outputs, (rows.start, columns.start), white, [])


def draw(words: str, volume: Array, place: tuple[int, int]) -> Paper:
    """Return the figure of a value."""
    paper = blank()
    draw_windows([explained(words, volume, place)], "input.txt", paper)
    return paper


def frames(axes: Axes) -> list[tuple[float, float, float, float]]:
    """Return the top, left, height and width of each frame, in cells."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle) and to_hex(patch.get_edgecolor()) == FRAME]
    return [(f.get_y() + 0.5, f.get_x() + 0.5, f.get_height(), f.get_width()) for f in found]


def numbers(axes: Axes) -> list[str]:
    """Return the numbers in the cells."""
    return [text.get_text() for text in axes.texts]


def titles(paper: Paper) -> list[str]:
    """Return the titles of all panels."""
    return [axes.get_title(loc="left") for axes in paper.figure.axes]


def test_the_window_the_kernel_the_products_and_the_output() -> None:
    paper = draw("conv:sharpen,same", PATCH, (0, 0))
    window, kernel, products, output = paper.figure.axes
    assert titles(paper) == ["input 3x5", "sharpen", "products, sum 320", "output [0,0] = 320"]
    assert frames(window) == [(-1, -1, 3, 3)]
    assert numbers(window)[:8] == ["0", "0", "0", "0", "0", "0", "0", "105"]
    assert numbers(kernel) == ["0", "-1", "0", "-1", "5", "-1", "0", "-1", "0"]
    assert numbers(products) == ["0", "0", "0", "0", "525", "-102", "0", "-103", "0"]
    assert frames(output) == [(0, 0, 1, 1)]
    assert numbers(output)[0] == "320"


def test_padding_is_hatched() -> None:
    hatched = [patch for patch in draw("conv:sharpen,same", PATCH, (0, 0)).figure.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 2
    assert draw("conv:sharpen", PATCH, (0, 0)).figure.axes[0].patches[0].get_hatch() is None


def test_a_dilated_window_frames_each_place_that_it_sees() -> None:
    framed = frames(draw("conv:[1 1; 1 1],d2", PATCH, (0, 1)).figure.axes[0])
    assert framed[0] == (0, 1, 3, 3)
    assert framed[1:] == [(0, 1, 1, 1), (0, 3, 1, 1), (2, 1, 1, 1), (2, 3, 1, 1)]


def test_a_volume_has_a_row_for_each_channel_and_adds_up_at_the_end() -> None:
    paper = draw("conv:[1 0; 0 -1],bias=4", NUMBERS, (0, 0))
    words = titles(paper)
    assert len(words) == 10
    one = explained("conv:[1 0; 0 -1],bias=4", NUMBERS, (0, 0))
    sums = one.traced.products(one.traced.weighings[0]).sum(axis=(0, 1))
    assert [f"products, sum {total:.0f}" in words for total in sums] == [True] * 3
    assert words[-1].startswith("output [0,0] = ")
    assert words[-1].endswith(f" + 4 = {one.outcome[0]:.0f}")


def test_a_pool_frames_what_wins() -> None:
    paper = draw("maxpool:2,s1", PATCH, (0, 1))
    window, chosen, output = paper.figure.axes
    assert titles(paper) == ["input 3x5", "window, max", "output [0,1] = 103"]
    assert frames(window) == [(0, 1, 2, 2)]
    assert frames(chosen) == [(1, 1, 1, 1)]
    assert frames(output) == [(0, 1, 1, 1)]


def test_of_a_large_input_what_lies_around_the_window_is_drawn() -> None:
    large = np.arange(50.0 * 60).reshape(50, 60, 1)
    window = draw("conv:box:3", large, (20, 30)).figure.axes[0]
    assert window.get_ylim() == (25.5, 16.5)
    assert window.get_xlim() == (26.5, 35.5)
    assert frames(window) == [(20, 30, 3, 3)]
    assert np.array_equal(np.asarray(window.images[0].get_array()), large[17:26, 27:36, 0])


def test_more_rows_than_can_be_read_are_an_error() -> None:
    deep = np.ones((4, 4, 13))
    with pytest.raises(ShapeError, match="13 channels and maps are too many for one figure, which holds 12"):
        draw("conv:box:3", deep, (0, 0))


def test_kernels_that_are_combined_have_one_output() -> None:
    words = titles(draw("conv:sobel-x,sobel-y magnitude", PATCH, (0, 0)))
    assert [word.partition(" ")[0] for word in words].count("output") == 1
    assert words[-1].endswith(", magnitude")
