"""The sheet of all kernels: each stands on it with its result."""

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cnnfilter import convolve
from cnnfilter.kernels.recipes import RECIPES, shown_word
from cnnfilter.kernels.spec import kernel_shape, load_kernel, names
from cnnfilter.plot.kernel_sheet import all_kernels, draw_gallery, make_sample, reduce_picture
from cnnfilter.plot.sheet import Paper, Sheet, open_sheet
from tests.plot.conftest import texts_on, words_on


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Figure]:
    """Return the sheet of all kernels, drawn once for all tests; it is saved when the last of them ends."""
    sheet = Sheet(str(tmp_path_factory.mktemp("sheet") / "figure.png"), dpi=80)
    with open_sheet(sheet) as figure:
        draw_gallery(Paper(figure, sheet), all_kernels(), make_sample(), "a sample")
        yield figure


def images(figure: Figure) -> dict[str, AxesImage]:
    """Return what is shown, by its identity."""
    found = figure.findobj(AxesImage)
    return {str(image.get_gid()): image for image in found if isinstance(image, AxesImage) and image.get_gid()}


def test_every_kernel_that_has_a_name_is_a_cell() -> None:
    assert {shown_word(name).partition(":")[0] for name in RECIPES} == set(RECIPES)
    assert [word.partition(":")[0] for word in all_kernels()] == list(names())
    assert max(kernel_shape(word) for word in map(shown_word, RECIPES)) <= (13, 13)


def test_each_kernel_stands_beside_its_result(gallery: Figure) -> None:
    sample, kernels = make_sample(), all_kernels()
    found = images(gallery)
    assert len(found) == 2 * len(kernels) + 1
    assert np.array_equal(np.asarray(found["result the image"].get_array()), sample)
    for word in kernels:
        weights = load_kernel(word).weights
        assert np.array_equal(np.asarray(found[f"kernel {word}"].get_array()), weights)
        expected = convolve(sample, weights, padding="same", border="edge")
        assert np.allclose(np.asarray(found[f"result {word}"].get_array()), expected)
    assert {"the image", *kernels} <= set(words_on(gallery))
    assert gallery.get_suptitle() == "The kernels of cnnfilter, each on a sample"


def test_results_of_kernels_that_sum_to_0_lie_around_0_and_others_are_grey(gallery: Figure) -> None:
    found = images(gallery)
    for word, colors, low, high in (("sharpen", "gray", 0, 255), ("line-vertical:9", "gray", 0, 9 * 255)):
        image = found[f"result {word}"]
        assert (image.get_cmap().name, image.norm.vmin) == (colors, low)
        assert image.get_clim()[1] == pytest.approx(high)
    edges = found["result sobel-x"]
    assert edges.get_cmap().name == "RdBu_r"
    limit = np.percentile(np.abs(np.asarray(edges.get_array())), 99)
    assert edges.get_clim() == (-limit, limit)


def test_no_text_lies_on_another(gallery: Figure) -> None:
    boxes = [text.get_window_extent() for text in texts_on(gallery)]
    assert not [(a, b) for place, a in enumerate(boxes) for b in boxes[:place] if a.overlaps(b)]


def test_every_kernel_finds_something_on_the_sample() -> None:
    sample = make_sample()
    assert (sample.min(), sample.max()) == (0, 255)
    assert np.array_equal(sample, np.rint(sample))
    plain = np.full_like(sample, 100.0)
    for word, kernel in all_kernels().items():
        if word != "identity:3":
            weights = kernel.weights
            on_sample = convolve(sample, weights, padding="same", border="edge")
            assert on_sample.std() > 1
            assert np.abs(on_sample - sample * weights.sum()).max() > 25
            assert convolve(plain, weights, padding="same", border="edge").std() < 1e-9


def test_a_picture_is_reduced_by_means_of_whole_blocks() -> None:
    picture = np.arange(7 * 10.0).reshape(7, 10)
    assert reduce_picture(picture, 10) is not picture
    assert np.array_equal(reduce_picture(picture, 10), picture)
    assert reduce_picture(picture, 5).tolist() == picture[:6].reshape(3, 2, 5, 2).mean((1, 3)).tolist()
    assert reduce_picture(picture[:1], 2).shape == (1, 2)
