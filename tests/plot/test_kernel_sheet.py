"""Kernels as figures: the numbers in the cells, the response beside them, the result on a picture."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from cnnfilter import convolve
from cnnfilter.arrays import Array
from cnnfilter.kernels.recipes import RECIPES, shown_word
from cnnfilter.kernels.spec import Kernel, load_kernel, names
from cnnfilter.plot.kernel_sheet import (
    MOST_PLANES,
    Plane,
    caption_of,
    draw_kernels,
    frequency_response,
    lay_kernel,
    make_sample,
    needs_logarithm,
    planes_of,
)
from cnnfilter.plot.sheet import Paper, Sheet, open_sheet
from tests.plot.conftest import texts_on, words_on

WORDS = ["sobel-x", "gaussian-5", "gaussian:5:1", "line-vertical:7", "motion:15:30", "1 2 3; 4 5 6", "gabor:9:2:45:4"]


def draw(figure: Figure, sheet: Sheet, word: str) -> None:
    """Draw a kernel."""
    draw_kernels(Paper(figure, sheet), planes_of(word, load_kernel(word)), load_kernel(word).description)


@pytest.fixture(scope="module", params=WORDS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Figure]]:
    """Return a kernel and its figure, drawn once for all tests of it; it is saved when the last of them ends."""
    word = str(request.param)
    sheet = Sheet(str(tmp_path_factory.mktemp("sheet") / "figure.png"), dpi=80)
    with open_sheet(sheet) as figure:
        draw(figure, sheet, word)
        yield word, figure


def panels(figure: Figure) -> list[Axes]:
    """Return the panels of a figure, without their scales."""
    return [axes for axes in figure.axes if axes.get_label() != "scale"]


def shown(figure: Figure, place: int) -> Array:
    """Return the array that a panel shows."""
    return np.asarray(panels(figure)[place].images[0].get_array())


def title(figure: Figure, place: int = 0) -> str:
    """Return the title of a panel."""
    return panels(figure)[place].get_title(loc="left")


def cells(figure: Figure) -> list[list[str]]:
    """Return what stands in the cells of the first panel, row by row."""
    axes = figure.axes[0]
    height, width = shown(figure, 0).shape
    found = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    return [[found[row, column] for column in range(width)] for row in range(height)] if found else []


def test_the_panel_shows_the_weights_and_their_numbers_are_the_weights(drawn: tuple[str, Figure]) -> None:
    word, figure = drawn
    weights = load_kernel(word).weights
    assert np.array_equal(shown(figure, 0), weights)
    written = np.array([[float(cell) for cell in row] for row in cells(figure)])
    divisor = 1.0
    if match := re.search(r"weights x (\d+)$", title(figure)):
        divisor = float(match[1])
    assert written.shape == weights.shape
    assert np.allclose(written, weights * divisor, atol=0.006 * np.abs(weights * divisor).max())
    assert np.array_equal(written == 0, weights == 0) or word.startswith("g")


def test_whole_numbers_stand_over_their_divisor(figure: Figure, sheet: Sheet) -> None:
    draw(figure, sheet, "gaussian-3")
    assert cells(figure) == [["1", "2", "1"], ["2", "4", "2"], ["1", "2", "1"]]
    assert title(figure) == "gaussian-3  3x3\nsum 1, cells: weights x 16"


@pytest.mark.parametrize(
    ("drawn", "has_numbers"),
    [("frame:15", True), ("gaussian:15:2.5", True), ("frame:41", False)],
    indirect=["drawn"],
    scope="module",
)
def test_numbers_stand_in_the_cells_as_far_as_they_can_be_read(drawn: tuple[str, Figure], has_numbers: bool) -> None:
    _, figure = drawn
    assert bool(cells(figure)) == has_numbers
    assert all(float(text.get_fontsize()) >= 5 for text in texts_on(figure))


def test_a_small_figure_has_small_letters_and_no_number_that_could_not_be_read(figure: Figure, sheet: Sheet) -> None:
    draw(figure, sheet._replace(size=(2.0, 4.0)), "gaussian:15:2.5")
    assert cells(figure) == []
    assert float(figure.axes[0].xaxis.label.get_fontsize()) < 5


def test_a_figure_that_is_too_small_has_a_warning_that_names_a_size(figure: Figure, sheet: Sheet) -> None:
    paper = Paper(figure, sheet._replace(size=(1.0, 1.0)))
    draw_kernels(paper, planes_of("volume.npy", Kernel(np.ones((9, 9, 8)))))
    assert re.fullmatch(r"texts are 0\.\d points high; --figure-size [\d.]+x[\d.]+ would do", paper.warning)


def test_a_number_is_no_wider_than_its_cell(drawn: tuple[str, Figure]) -> None:
    _, figure = drawn
    axes = figure.axes[0]
    height, width = shown(figure, 0).shape
    box = axes.get_window_extent()
    assert len(axes.texts) == height * width
    for text in axes.texts:
        extent = text.get_window_extent()
        assert extent.width < box.width / width
        assert extent.height < box.height / height


@pytest.mark.parametrize(
    ("drawn", "colors", "low"),
    [("sobel-x", "RdBu_r", -2), ("box:3", "viridis", 0), ("-1 -2", "RdBu_r", -2), ("0 0", "viridis", 0)],
    indirect=["drawn"],
    scope="module",
)
def test_signed_weights_are_drawn_around_0_and_others_from_0(
    drawn: tuple[str, Figure], colors: str, low: float
) -> None:
    _, figure = drawn
    image = figure.axes[0].images[0]
    assert image.get_cmap().name == colors
    assert image.norm.vmin == low
    assert image.norm.vmax == -low or not low


def test_the_response_is_the_magnitude_of_the_fourier_transform(drawn: tuple[str, Figure]) -> None:
    word, figure = drawn
    weights = load_kernel(word).weights
    response = frequency_response(weights)
    # 128 steps from -0.5 to 0.5: the discrete transform of 128x128 pixels, whose first frequency is -0.5.
    expected = np.abs(np.fft.fftshift(np.fft.fft2(weights, (128, 128))))
    assert np.allclose(response[:-1, :-1], expected)
    assert np.allclose(response, response[::-1, ::-1])
    axes = panels(figure)[1]
    image = axes.images[0]
    assert np.allclose(shown(figure, 1), np.maximum(expected_closed(expected), image.norm.vmin or 0))
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 0.5), (0.5, -0.5))
    assert axes.get_xlabel() == "cycles per pixel, across"
    assert axes.get_ylabel() == "cycles per pixel, down"


def expected_closed(spectrum: Array) -> Array:
    """Return a spectrum with the frequency 0.5, which is -0.5, at its end too."""
    return np.pad(spectrum, ((0, 1), (0, 1)), mode="wrap")


def test_a_diagonal_wave_is_where_the_picture_has_it() -> None:
    rows, columns = np.mgrid[:16, :16]
    falling = frequency_response(np.cos(2 * np.pi * (rows + columns) / 8))
    peaks = np.argwhere(falling > 0.9 * falling.max())
    assert {(row > 64, column > 64) for row, column in peaks.tolist()} == {(True, True), (False, False)}


@pytest.mark.parametrize(
    ("drawn", "is_logarithmic"),
    [("sobel-x", False), ("identity:3", False), ("gaussian:15:2.5", True), ("box:25", True)],
    indirect=["drawn"],
    scope="module",
)
def test_the_scale_is_logarithmic_where_a_linear_one_would_show_little(
    drawn: tuple[str, Figure], is_logarithmic: bool
) -> None:
    word, figure = drawn
    assert needs_logarithm(frequency_response(load_kernel(word).weights)) == is_logarithmic
    assert isinstance(panels(figure)[1].images[0].norm, LogNorm) == is_logarithmic
    assert ("magnitude, logarithmic" in words_on(figure)) == is_logarithmic


def test_the_slices_of_a_volume_stand_one_below_the_other_and_the_rest_is_named(figure: Figure, sheet: Sheet) -> None:
    weights = np.arange(2 * 3 * 10.0).reshape(2, 3, 10)
    planes = planes_of("volume.npy", Kernel(weights))
    assert len(planes) == MOST_PLANES
    assert planes[0].title.startswith("volume.npy  2x3x10, slice 1 of 10")
    assert "slice 8 of 10 (2 more are not drawn)" in planes[-1].title
    draw_kernels(Paper(figure, sheet), planes)
    assert len(panels(figure)) == 2 * MOST_PLANES
    assert [shown(figure, place).tolist() for place in range(0, 2 * MOST_PLANES, 2)] == [
        weights[:, :, place].tolist() for place in range(MOST_PLANES)
    ]


def test_a_picture_shows_what_the_kernel_makes_of_it(figure: Figure, sheet: Sheet) -> None:
    sample = make_sample()
    kernel = load_kernel("sobel-x")
    result = lay_kernel(sample, kernel, "the sample")
    draw_kernels(Paper(figure, sheet), planes_of("sobel-x", kernel, result))
    assert np.array_equal(shown(figure, 2), convolve(sample, kernel.weights, padding="same", border="edge"))
    assert title(figure, 2) == "on the sample\n96x96, values -973 to 973"
    image = panels(figure)[2].images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-result.limit, result.limit)


def test_a_kernel_whose_row_has_no_result_leaves_its_place_empty(figure: Figure, sheet: Sheet) -> None:
    kernel = load_kernel("box:3")
    with_result = Plane("a", kernel.weights, lay_kernel(make_sample(), kernel))
    draw_kernels(Paper(figure, sheet), [with_result, Plane("b", kernel.weights)])
    assert len(panels(figure)) == 5
    last, above = (panels(figure)[place].get_position() for place in (4, 1))
    assert (last.x0, last.x1) == (above.x0, above.x1)


def test_the_description_stands_above_a_single_kernel(drawn: tuple[str, Figure]) -> None:
    word, figure = drawn
    heading = [" ".join(text.get_text().split()) for text in figure.texts]
    assert heading == list(filter(None, [load_kernel(word).description]))


@pytest.mark.parametrize(
    ("word", "caption"),
    [
        (
            "gabor:31:6:45:8",
            "a wave under a Gaussian: stripes 8 apart, crossed by the direction 45; sums to 0",
        ),
        ("line-diagonal:9", "\\ ones falling to the right: lines of 9 pixels at 45 degrees"),
        ("dog:13:s2=2:s1=1.5", "Gaussian 1.5 minus Gaussian 2: details between two scales; sums to 0"),
        ("gaussian:5", "Gaussian blur; sums to 1"),
    ],
)
def test_a_caption_has_the_arguments_of_its_kernel_and_no_marks_of_code(word: str, caption: str) -> None:
    assert caption_of(word, load_kernel(word).description) == caption


@pytest.mark.parametrize("name", list(names()))
def test_no_caption_has_marks_of_code_or_names_of_arguments(name: str) -> None:
    word = shown_word(name) if name in RECIPES else name
    caption = caption_of(word, load_kernel(word).description)
    assert "`" not in caption
    assert not re.search(r"\b(N|ANGLE|WAVELENGTH|S1|S2)\b", caption)
