"""Inputs beside results: panels, titles, scales, and the values that are drawn."""

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from cnnfilter.arrays import Array
from cnnfilter.cli import main
from cnnfilter.compute.forward import Program
from cnnfilter.compute.tiles import FeatureMaps, Strip
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.paths import Job
from cnnfilter.nn.network import Network
from cnnfilter.plot.compare import Panel, arrange, draw_panels, share_scale
from cnnfilter.plot.sheet import Paper
from cnnfilter.plot.view import GRAYS, SIGNED, Look, Reducer, View, equalized_norm, view_picture
from cnnfilter.run.result import run
from cnnfilter.run.settings import Settings
from cnnfilter.run.show import only_kernel
from tests.plot.conftest import COLORS, blank, result, values_of

PLAIN = Look()


def draw(picture: Picture, *words: str, look: Look = PLAIN, paper: Paper | None = None) -> Paper:
    """Return the figure of a picture and what networks make of it."""
    drawn_on = paper or blank()
    compare(drawn_on, picture, "input.png", words, look)
    return drawn_on


def compare(paper: Paper, picture: Picture, name: str, words: Sequence[str], look: Look = PLAIN) -> None:
    """Draw a picture and what networks make of it."""
    side = arrange(paper.sheet, len(words) + 1).side
    results = [result(picture, word) for word in words]
    panels = [Panel(title, reduced(made, 420), only_kernel(network)) for title, network, made in results]
    draw_panels(paper, [Panel(name, view_picture(picture, side)), *panels], look)


def reducer(maps: FeatureMaps, side: int) -> Reducer:
    """Return what makes a view of feature maps."""
    return Reducer(maps.height, maps.white, matrix=maps.picture.matrix, side=side)


def reduced(maps: FeatureMaps, side: int) -> View:
    """Return a view of feature maps."""
    seen = reducer(maps, side)
    maps.visit(seen.take)
    return seen.view()


def panels(paper: Paper) -> list[Axes]:
    """Return the axes of a figure that have a title: neither bars nor kernels."""
    found = [axes for axes in paper.figure.axes if axes.get_title(loc="left")]
    assert found  # who looks at each of them looks at some
    return found


def titles(paper: Paper) -> list[str]:
    """Return the titles of all panels."""
    return [axes.get_title(loc="left") for axes in panels(paper)]


def drawn(axes: Axes) -> Array:
    """Return the values in a panel."""
    return np.asarray(axes.images[0].get_array())


def norm(axes: Axes) -> Normalize:
    """Return the scale of a panel."""
    scale = axes.images[0].norm
    assert isinstance(scale, Normalize)
    return scale


def insets(paper: Paper) -> list[Axes]:
    """Return the kernels beside the titles."""
    return [axes for axes in paper.figure.axes if axes.get_label() == "kernel"]


def bars(paper: Paper) -> list[Axes]:
    """Return the color bars."""
    return [axes for axes in paper.figure.axes if axes.get_label() == "scale"]


def test_the_input_stands_first_and_each_title_says_the_true_range(colors: Picture) -> None:
    paper = draw(colors, "dwconv:box:3", "gray conv:sobel-x")
    soft, edges = values_of(colors, "dwconv:box:3"), values_of(colors, "gray conv:sobel-x")
    assert titles(paper) == [
        f"input.png\n40x60x3, {COLORS.min()} to {COLORS.max()}",
        f"dwconv:box:3\n38x58x3, {soft.min():.5g} to {soft.max():.5g}",
        f"gray conv:sobel-x\n38x58, {edges.min():.5g} to {edges.max():.5g}",
    ]


def test_colors_are_drawn_as_red_green_blue(colors: Picture) -> None:
    paper = draw(colors, "dwconv:identity:1")
    for axes in panels(paper):
        assert np.allclose(drawn(axes), COLORS / 255)


def test_a_signed_result_is_centered_on_0_and_has_a_color_bar(colors: Picture) -> None:
    paper = draw(colors, "gray conv:sobel-x")
    axes = panels(paper)[1]
    assert np.array_equal(drawn(axes), values_of(colors, "gray conv:sobel-x"))
    assert axes.images[0].get_cmap().name == SIGNED
    assert norm(axes).vmax == -(norm(axes).vmin or 0) > 0
    assert len(bars(paper)) == 1


def test_gray_goes_from_black_to_white_without_a_bar(colors: Picture) -> None:
    paper = draw(colors, "gray")
    axes = panels(paper)[1]
    assert (norm(axes).vmin, norm(axes).vmax) == (0, 255)
    assert axes.images[0].get_cmap().name == GRAYS
    assert bars(paper) == []


def test_a_result_beyond_white_has_its_own_scale(colors: Picture) -> None:
    paper = draw(colors, "gray conv:line-vertical:15")
    assert norm(panels(paper)[1]).vmax == values_of(colors, "gray conv:line-vertical:15").max() > 1000
    assert len(bars(paper)) == 1


def test_what_is_cut_off_is_said() -> None:
    flat = np.full((20, 20), 200, np.uint8)
    flat[10, 10] = 10
    paper = draw(Picture(flat, Depth.EIGHT), "conv:sharpen")
    assert titles(paper)[1] == "conv:sharpen\n18x18, -750 to 390, shown 0 to 255"
    assert drawn(panels(paper)[1]).min() == -750


def test_signed_colors_stand_side_by_side(colors: Picture) -> None:
    paper = draw(colors, "dwconv:sobel-x")
    axes, values = panels(paper)[1], values_of(colors, "dwconv:sobel-x")
    assert drawn(axes).size > values.size
    for channel in range(3):
        assert np.isin(values[:, :, channel], drawn(axes)).all()
    assert "red, green, blue: 3 maps of 38x58" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(("count", "columns"), [(1, 2), (2, 3), (3, 2), (5, 3), (11, 4)])
def test_several_results_stand_in_a_grid_each_with_its_kernel(colors: Picture, count: int, columns: int) -> None:
    paper = draw(colors, *["gray conv:line-vertical:15"] * count)
    lefts = {round(axes.get_position().x0, 3) for axes in panels(paper)}
    assert len(panels(paper)) == count + 1
    assert len(lefts) == columns
    assert len(insets(paper)) == count
    assert drawn(insets(paper)[0]).tolist() == [[0] * 7 + [1] + [0] * 7] * 15


def test_a_pool_has_no_kernel(colors: Picture) -> None:
    assert insets(draw(colors, "maxpool:2")) == []


def test_sizes_stand_at_the_axes(colors: Picture) -> None:
    axes = panels(draw(colors, "gray conv:sobel-x"))[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width 58", "height 38")
    assert axes.get_xlim() == (-0.5, 57.5)
    assert axes.get_ylim() == (37.5, -0.5)


def test_a_small_matrix_shows_its_numbers(matrix: Picture) -> None:
    paper = draw(matrix, "conv:sharpen,same")
    texts = [text.get_text() for text in panels(paper)[1].texts]
    assert texts[:6] == ["320", "206", "198", "188", "281", "210"]
    assert len(texts) == 25
    assert [tick.get_text() for tick in panels(paper)[1].get_xticklabels()] == ["0", "1", "2", "3", "4"]


def test_a_large_picture_is_reduced_for_the_figure_alone() -> None:
    large = np.zeros((1800, 2700), np.uint8)
    large[:, 1350:] = 200
    large[0, 0] = 255
    picture = Picture(large, Depth.EIGHT)
    paper = draw(picture, "conv:[2]")
    first, second = panels(paper)
    assert drawn(first).shape == drawn(second).shape == (300, 450)
    assert first.get_xlim() == (-0.5, 2699.5)
    assert drawn(second)[150, 300] == 400
    assert titles(paper)[1] == "conv:[2]\n1800x2700, 0 to 510, shown 0 to 400"


def test_equalize_spreads_levels_and_keeps_the_values(colors: Picture) -> None:
    dark = Picture((COLORS[:, :, 0] // 16).astype(np.uint8), Depth.EIGHT)
    plain, spread = (panels(draw(dark, "gray", look=Look(equalize=on)))[0] for on in (False, True))
    assert np.array_equal(drawn(plain), drawn(spread))
    shares = np.asarray(norm(spread)(drawn(spread)))
    assert (shares.min(), shares.max()) == (0, 1)
    assert abs(float(np.median(shares)) - 0.5) < 0.1
    assert float(np.asarray(norm(plain)(drawn(plain))).max()) < 0.1


def test_an_equalized_scale_keeps_0_in_the_middle_and_has_an_inverse() -> None:
    scale = equalized_norm(np.array([-100.0, -1, 0, 0.5, 2, 3, 4]), signed=True)
    values = np.array([-100.0, -4, 0, 4, 100])
    shares = np.asarray(scale(values))
    assert shares[0] == 0
    assert shares[2] == 0.5
    assert shares[4] == 1
    assert np.allclose(shares[1] + shares[3], 1)
    assert np.allclose(scale.inverse(shares), values)


def test_an_equalized_picture_of_one_level_is_drawn() -> None:
    paper = draw(Picture(np.full((9, 9), 7, np.uint8), Depth.EIGHT), "conv:edge", look=Look(equalize=True))
    paper.figure.savefig(io.BytesIO())
    assert titles(paper)[0] == "input.png\n9x9, 7 to 7, equalized"


def test_a_color_map_is_taken_for_maps(colors: Picture) -> None:
    paper = draw(colors, "gray", look=Look(colormap="viridis"))
    assert panels(paper)[1].images[0].get_cmap().name == "viridis"
    assert len(bars(paper)) == 2


def test_a_range_shows_what_a_file_holds(colors: Picture) -> None:
    paper = draw(colors, "gray conv:sobel-x", look=Look(range_=Range.ABS))
    values = np.abs(values_of(colors, "gray conv:sobel-x"))
    assert np.array_equal(drawn(panels(paper)[1]), np.clip(values, 0, 255))
    assert titles(paper)[1].endswith(", shown by range abs")


def test_the_figure_has_the_size_that_is_asked_for(colors: Picture) -> None:
    paper = draw(colors, "gray", paper=blank((3.0, 9.5), 50))
    assert paper.figure.get_size_inches().tolist() == [9.5, 3.0]
    assert paper.figure.dpi == 50


def test_words_do_not_run_into_the_next_panel(colors: Picture) -> None:
    paper = blank()
    compare(paper, colors, f"{'long' * 50}.png", ["gray"])
    title = titles(paper)[0]
    left, right = panels(paper)
    words = left.title if left.get_title() else left._left_title  # type: ignore[attr-defined]
    assert "…" in title
    assert words.get_window_extent().x1 < right.get_window_extent().x0


def test_what_is_seen_while_it_is_written_is_not_made_again(colors: Picture) -> None:
    _, _, made = result(colors, "gray conv:sobel-x")
    seen = reducer(made, 420)
    assert not seen.complete
    (written,) = run(made, Job("in.png", 0, Path("x.npy"), "x.npy"), Settings(), seen.take)
    assert np.array_equal(written.pages[0], made.values)
    assert seen.complete
    view = seen.view()
    assert np.array_equal(view.values[:, :, 0], made.values)
    assert (view.low, view.high) == (made.values.min(), made.values.max())


@pytest.mark.parametrize(("height", "width", "side"), [(1100, 702, 300), (997, 31, 100), (640, 640, 640)])
def test_a_result_in_parts_is_reduced_as_a_whole_one_is(height: int, width: int, side: int) -> None:
    values = np.random.default_rng(9).random((height, width, 2))
    edges = [0, 7, 300, 301, height]
    nothing = Program(Network(()), ())
    everything = slice(None)
    strips = [Strip(slice(*rows), everything, (slice(*rows), everything), nothing) for rows in pairwise(edges)]
    view = reduced(FeatureMaps(Picture(values, Depth.FLOAT), 1.0, values, strips=strips), side)
    factor = max(1, max(height, width) // side)
    assert view.values.shape == (-(-height // factor), -(-width // factor), 2)
    assert (view.low, view.high) == (values.min(), values.max())
    block = values[factor * 10 : factor * 11, factor * 3 : factor * 4]
    if width % factor == 0:
        assert np.allclose(view.values[10, 3], block.mean(axis=(0, 1)), atol=1e-6)


def test_results_side_by_side_have_one_scale(colors: Picture) -> None:
    words = ["conv:sobel-x", "conv:gaussian:3", "conv:sobel-y", "dwconv:gaussian:3", "dwconv:box:3"]
    made = [reduced(result(colors, word)[2], 420) for word in words]
    shared = share_scale([Panel("", view) for view in made])
    edges, soft, other, *photos = [panel.view for panel in shared]
    reach = max(made[0].limits[1], made[2].limits[1])
    assert edges.limits == soft.limits == other.limits
    assert edges.limits[1] >= reach
    assert soft.signed
    assert [(view.limits, view.signed, view.colored) for view in photos] == [((0.0, 255.0), False, True)] * 2
    np.testing.assert_array_equal(edges.values, made[0].values)


def test_a_figure_of_several_kernels_has_one_scale_unless_each_is_to_have_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("0 1 2\n3 4 5\n6 7 9\n")
    limits = []
    monkeypatch.setattr("cnnfilter.plot.compare.draw_panels", lambda _, panels, __: limits.append(
        [panel.view.limits for panel in panels[1:]]
    ))  # fmt: skip
    words = ["convolve", "a.txt", "-k", "1 -1", "-k", "10 -10", "--plot", "a.png"]
    for more in ([], ["--own-scales"]):
        done = CliRunner().invoke(main, [*words, *more])
        assert done.exit_code == 0, done.output
    assert limits == [[(-20.0, 20.0)] * 2, [(-2.0, 2.0), (-20.0, 20.0)]]
    refused = CliRunner().invoke(main, ["convolve", "a.txt", "-k", "1", "--own-scales"])
    assert "--own-scales needs --plot FILE" in refused.output
