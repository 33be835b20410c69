"""Explained values as figures: frames, numbers, titles."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import as_volume, run_program
from cnnfilter.errors import ShapeError
from cnnfilter.explain.trace import Explained, span_around, trace
from cnnfilter.plot.sheet import FRAME, Paper
from cnnfilter.plot.view import GRAYS, SIGNED
from cnnfilter.plot.window import draw_windows
from tests.explain.test_traces import NUMBERS, program
from tests.plot.conftest import blank, texts_on

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


@pytest.mark.parametrize("size", [(3.0, 4.0), (11.0, 8.5), (6.0, 20.0)])
def test_signs_are_beside_the_panels_whatever_the_shape_of_the_figure(size: tuple[float, float]) -> None:
    paper = blank(size)
    draw_windows([explained("conv:sharpen,same", PATCH, (0, 0))], "input.txt", paper)
    for axes, sign in zip(paper.figure.axes[:3], paper.figure.texts[1:], strict=True):
        assert sign.get_text() in {"×", "=", "→"}
        left, middle = sign.get_position()
        place = axes.get_position()
        assert place.y0 <= middle <= place.y1
        assert 0 < (left - place.x1) * size[1] < 0.6


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


def test_each_map_shows_its_own_bias() -> None:
    paper = draw("conv:[1 0; 0 -1],[0 2; 0 0],bias=[4 0]", NUMBERS, (0, 0))
    one = explained("conv:[1 0; 0 -1],[0 2; 0 0],bias=[4 0]", NUMBERS, (0, 0))
    first, second = (title for title in titles(paper) if title.startswith("output"))
    assert first.endswith(f" + 4 = {one.outcome[0]:.0f}")
    assert second.endswith(f" + 0 = {one.outcome[1]:.0f}")


@pytest.mark.parametrize(("bias", "shown"), [("2.5", "bias 2.5"), ("[3 0]", "biases 3, 0"), ("[1 1]", "bias 1")])
def test_the_biases_of_maps_that_are_combined_are_named_beside_the_result(bias: str, shown: str) -> None:
    output = titles(draw(f"dwconv:[1 0],[0 1],bias={bias} channelsum", PATCH, (1, 1)))[-1]
    assert output.partition(", ")[2] == f"{shown}, channelsum"


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
    assert ", magnitude" in words[-1]


FRACTIONS = np.random.default_rng(3).normal(size=(8, 8, 1)) / 3


@pytest.mark.parametrize("words", ["conv:gaussian:3,same", "l2pool:3,s2,p1,ceil"])
def test_fractions_are_shortened_until_they_fit(words: str) -> None:
    figure = draw(words, FRACTIONS, (4, 4)).figure
    assert len(figure.axes) >= 3
    for axes in figure.axes:
        shown = np.asarray(axes.images[0].get_array(), dtype=np.float64)
        shown = shown[np.isfinite(shown)]
        assert np.allclose([float(number) for number in numbers(axes)], shown, atol=0.006)


def test_titles_hold_five_digits() -> None:
    one = explained("conv:gaussian:3,same", FRACTIONS, (1, 1))
    words = titles(draw("conv:gaussian:3,same", FRACTIONS, (1, 1)))
    assert [word.partition(", numbers")[0].partition(",\nnumbers")[0] for word in words[2:]] == [
        f"products, sum ≈ {one.outcome[0]:.5g}",
        f"output [1,1] ≈ {one.outcome[0]:.5g}",
    ]


def test_negative_inputs_have_the_map_of_signed_results() -> None:
    window = draw("conv:sharpen", FRACTIONS, (0, 0)).figure.axes[0].images[0]
    assert window.get_cmap().name == SIGNED
    assert window.get_clim() == pytest.approx((-np.abs(FRACTIONS).max(), np.abs(FRACTIONS).max()))
    assert draw("conv:sharpen", PATCH, (0, 0)).figure.axes[0].images[0].get_cmap().name == GRAYS
    assert draw("maxpool:2", FRACTIONS, (0, 0)).figure.axes[1].images[0].get_cmap().name == SIGNED


def test_padding_in_the_window_of_a_pool_is_hatched() -> None:
    chosen = draw("maxpool:2,p1", PATCH, (0, 0)).figure.axes[1]
    hatched = {(patch.get_y() + 0.5, patch.get_x() + 0.5) for patch in chosen.patches if patch.get_hatch()}  # type: ignore[attr-defined]
    assert hatched == {(0, 0), (0, 1), (1, 0)}
    assert numbers(chosen) == ["105"]


def test_cells_that_a_dilated_window_passes_over_are_dim() -> None:
    axes = draw("conv:[1 2 3],d2", PATCH, (1, 0)).figure.axes[0]
    dim = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == "#ffffff" and patch.get_alpha()]
    assert [(patch.get_y() + 0.5, patch.get_x() + 0.5) for patch in dim] == [(1, 1), (1, 3)]  # type: ignore[attr-defined]


def test_what_is_no_number_is_written_and_padding_is_not() -> None:
    holes = PATCH.copy()
    holes[0, 0] = np.nan
    window, chosen, output = draw("maxpool:2,p1", holes, (0, 0)).figure.axes
    assert numbers(window).count("nan") == numbers(chosen).count("nan") == numbers(output).count("nan") == 1
    values, colors = window.images
    assert tuple(values.get_extent()) == tuple(colors.get_extent()) == (-1.5, 4.5, 2.5, -1.5)


def test_frames_are_as_thin_as_letters_are_small() -> None:
    paper = blank((2.0, 4.0))
    draw_windows([explained("maxpool:2,s1", PATCH, (0, 1))], "input.txt", paper)
    assert len(paper.figure.axes) >= 3
    for axes in paper.figure.axes:
        (width,) = {patch.get_linewidth() for patch in axes.patches if not patch.get_hatch()}
        assert width == pytest.approx(2.5 * paper.zoom)


@pytest.mark.parametrize("size", [None, (2.0, 4.0), (1.5, 12.0)])
def test_titles_and_numbers_stay_in_the_figure(size: tuple[float, float] | None) -> None:
    paper = blank(size, 150)
    draw_windows([explained("conv:[1 0; 0 -1],bias=4 sigmoid", FRACTIONS, (0, 0))], "input.txt", paper)
    whole = paper.figure.bbox
    for text in texts_on(paper.figure):
        box = text.get_window_extent()
        assert min(box.x0, box.y0) >= 0
        assert (box.x1, box.y1) <= (whole.x1, whole.y1)
