"""A network's layers side by side."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes

from cnnfilter.arrays import Array
from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import ShapeError
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth
from cnnfilter.plot.compare import draw_panels
from cnnfilter.plot.sheet import Paper
from cnnfilter.plot.view import Look
from cnnfilter.run import result as results
from cnnfilter.run.settings import Settings
from cnnfilter.run.show import run_layers
from tests.plot.conftest import blank, model, texts_on
from tests.plot.test_comparisons import drawn, panels, titles

SETTINGS = Settings(pipeline=True)


def draw(picture: Picture, network: Model | str, *names: str) -> Paper:
    """Return the figure of a network's layers."""
    ready = model(network) if isinstance(network, str) else network
    paper = blank()
    draw_on(paper, picture, ready, names)
    return paper


def draw_on(paper: Paper, picture: Picture, network: Model, names: Sequence[str] = ()) -> None:
    """Draw the layers of a network that are named, or all, on a paper."""
    drawn = run_layers(picture, "input.png", network, SETTINGS, paper.sheet, names)
    draw_panels(paper, drawn, Look())


def filters(paper: Paper) -> list[Axes]:
    """Return the axes of filters."""
    return [axes for axes in paper.figure.axes if axes.get_label() == "filters"]


def random_model(words: str) -> Model:
    """Return a network with random weights."""
    return Model(model_network(words), RandomWeights("he", 1))


def model_network(words: str):  # type: ignore[no-untyped-def]
    """Return the layers of a network whose weights are not there yet."""
    from cnnfilter.kernels.spec import kernel_shape  # noqa: PLC0415
    from cnnfilter.nn.language import parse_network  # noqa: PLC0415

    return parse_network(words, kernel_shape)


def test_each_layer_has_a_panel_in_the_order_of_the_run(colors: Picture) -> None:
    paper = draw(colors, "gray conv:line-vertical:15 relu@r maxpool:10")
    assert [title.split("\n")[0] for title in titles(paper)] == [
        "input.png",
        "gray1",
        "conv1: conv:line-vertical:15",
        "r: relu",
        "maxpool1: maxpool:10",
    ]


def test_layers_hold_what_came_out_of_them(colors: Picture) -> None:
    names = ["gray1", "conv1", "maxpool1"]
    found = results.run_layers(colors, model("gray conv:box:3 maxpool:4"), SETTINGS, names)
    paper = draw(colors, "gray conv:box:3 maxpool:4")
    for axes, name in zip(panels(paper)[1:], names, strict=True):
        assert np.array_equal(drawn(axes), found[name].values[:, :, 0])


def test_a_filter_stands_above_its_map(colors: Picture) -> None:
    paper = draw(colors, "gray conv:sobel-x")
    (above,) = filters(paper)
    below = panels(paper)[2]
    assert drawn(above).tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert above.get_position().y0 > below.get_position().y1
    assert [text.get_text() for text in above.texts] == ["-1", "0", "1", "-2", "0", "2", "-1", "0", "1"]


def test_a_bank_of_random_weights_shows_filters_and_maps(colors: Picture) -> None:
    network = random_model("conv:5x5,6 conv:3x3,4")
    weights = network.program((40, 60, 3)).steps[0].tensors["weight"]
    paper = draw(colors, network)
    words = [text.get_text() for text in paper.figure.texts]
    assert words[0] == "6 filters 5x5x3 as red, green, blue; 0 is mid-gray"
    assert re.fullmatch(r"4 filters 3x3x6, slice 0 of 6,\s+numbers rounded to \d decimals?", words[1])
    first = drawn(filters(paper)[0])
    assert np.allclose(first[:5, :5], 0.5 + weights[:, :, :, 0] / (2 * np.abs(weights).max()))
    assert "6 maps of 36x56" in [text.get_text() for text in panels(paper)[1].texts]


def test_a_vector_is_drawn_as_bars(colors: Picture) -> None:
    paper = draw(colors, "globalavgpool flatten softmax")
    bars = panels(paper)[3].patches
    means = colors.pixels.reshape(-1, 3).mean(axis=0)
    powers = np.exp(means - means.max())
    heights: Array = np.array([bar.get_height() for bar in bars])  # type: ignore[attr-defined]
    assert np.allclose(heights, powers / powers.sum(), rtol=1e-4)


def test_a_long_network_shows_what_only_changes_values_with_the_layer_before_it(colors: Picture) -> None:
    words = "gray " + "conv:box:3+bn+relu+dropout " * 3 + "maxpool:2 res(conv:box:3,same+relu)+relu"
    network = Model(model_network(words), RandomWeights("he", 1))
    assert [title.split("\n")[0] for title in titles(draw(colors, network))] == [
        "input.png",
        "conv1: gray conv:box:3 batchnorm relu dropout",
        "conv2: conv:box:3 batchnorm relu dropout",
        "conv3: conv:box:3 batchnorm relu dropout",
        "maxpool1: maxpool:2",
        "conv4: conv:box:3,same relu",
        "res1: relu",
    ]
    shown = run_layers(colors, "input.png", network, SETTINGS, blank().sheet)[1].view
    named = run_layers(colors, "input.png", network, SETTINGS, blank().sheet, ["relu1"])[1].view
    np.testing.assert_array_equal(shown.values, named.values)


def test_layers_can_be_picked(colors: Picture) -> None:
    paper = draw(colors, "gray conv:box:3 relu maxpool:4", "maxpool1", "gray1")
    assert [title.split("\n")[0] for title in titles(paper)] == ["input.png", "gray1", "maxpool1: maxpool:4"]


def test_layers_in_blocks_have_panels(colors: Picture) -> None:
    paper = draw(colors, "gray cat(conv:sobel-x,same | conv:sobel-y,same) magnitude")
    assert len(panels(paper)) == 6
    assert len(filters(paper)) == 2


def test_too_many_layers_are_an_error_that_says_how_to_pick(colors: Picture) -> None:
    with pytest.raises(ShapeError, match="50 layers are too many for one figure, which holds 47; --save NAME"):
        draw(colors, "50x maxpool:1")


def test_faint_maps_have_a_scale_of_their_own(colors: Picture) -> None:
    axes = panels(draw(colors, "gray conv:[1/100]"))[2]
    assert axes.images[0].norm.vmax == pytest.approx(float(drawn(axes).max()))


def test_a_bank_on_a_small_volume_shows_all_its_numbers() -> None:
    volume = Picture(np.random.default_rng(1).integers(0, 3, (5, 5, 3)).astype(np.float64), Depth.FLOAT, matrix=True)
    axes = panels(draw(volume, random_model("conv:5x5,6,p1")))[1]
    assert len(axes.texts) == 6 * 9 + 1


@pytest.mark.parametrize("size", [(3.0, 4.0), (6.0, 3.0)])
def test_a_small_figure_holds_all_words(colors: Picture, size: tuple[float, float]) -> None:
    paper = blank(size, 150)
    network = random_model("conv:5x5,6 relu maxpool:2 conv:3x3,4 flatten")
    draw_on(paper, colors, network)
    for text in texts_on(paper.figure):
        box = text.get_window_extent()
        assert min(box.x0, box.y0) >= -0.5, text
        assert box.x1 <= paper.figure.bbox.x1 + 0.5, text
