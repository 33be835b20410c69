"""Figures of correlations: what is marked where, and the curves of signals."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from scipy import signal  # type: ignore[import-untyped]

from cnnfilter.compute.tiles import Model
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth
from cnnfilter.nn.correlation import Correlation, Overlap, Pattern, Similarity
from cnnfilter.nn.network import Network
from cnnfilter.plot.sheet import Paper
from cnnfilter.run.peaks import draw_correlation
from cnnfilter.run.settings import Settings
from tests.plot.conftest import COLORS, blank

SIZES = pytest.mark.parametrize("size", [None, (3.0, 4.0), (15.0, 20.0)], ids=str)


def draw(paper: Paper, picture: Picture, layer: Correlation, **given: int) -> list[Axes]:
    """Draw a correlation, and return the axes that have a title."""
    draw_correlation(paper, picture, Model(Network((layer,))), Settings(**given), "input")  # type: ignore[arg-type]
    return [axes for axes in paper.figure.axes if axes.get_title(loc="left")]


def frames(axes: Axes) -> list[tuple[float, float, float, float]]:
    """Return the top, left, height and width of each frame."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(one.get_y() + 0.5, one.get_x() + 0.5, one.get_height(), one.get_width()) for one in found]


@SIZES
def test_a_pattern_is_framed_where_it_was_found(tmp_path: Path, size: tuple[float, float] | None) -> None:
    np.save(tmp_path / "part.npy", COLORS[12:21, 30:45, 1])
    pattern = Pattern(str(tmp_path / "part.npy"), (9, 15), matrix=True)
    layer = Correlation(pattern=pattern, mode=Overlap.FULL, similarity=Similarity.NCC)
    image, part, found = draw(blank(size), Picture(COLORS[:, :, 1], Depth.EIGHT, matrix=True), layer)
    assert [axes.get_title(loc="left").split("\n")[0] for axes in (image, part, found)] == [
        "input",
        "part.npy",
        "correlation, ncc",
    ]
    assert frames(image) == [(12, 30, 9, 15)]
    (circle,) = found.collections
    assert np.asarray(circle.get_offsets()).tolist() == [[30, 12]]
    assert list(found.images[0].get_extent()) == [-14.5, 59.5, 39.5, -8.5]
    assert "dy, 48 shifts" in {found.get_ylabel(), found.get_ylabel().replace("\n", " ")}


def test_the_cell_of_a_peak_is_framed_where_numbers_are_written() -> None:
    matrix = np.array([[1.0, 2.0], [0.0, 5.0]])
    _, found = draw(blank(), Picture(matrix, Depth.EIGHT, matrix=True), Correlation())
    assert frames(found) == [(0, 0, 1, 1)]
    written = {text.get_position(): text.get_text() for text in found.texts}
    for (row, column), value in np.ndenumerate(signal.correlate(matrix, matrix)):
        assert written[column - 1, row - 1] == f"{value:g}"


def test_an_input_and_its_pattern_have_one_scale(tmp_path: Path) -> None:
    np.save(tmp_path / "part.npy", np.array([[2.0, -3.0]]))
    pattern = Pattern(str(tmp_path / "part.npy"), (1, 2), matrix=True)
    image, part, _ = draw(blank(), Picture(np.eye(3) * 8, Depth.EIGHT, matrix=True), Correlation(pattern=pattern))
    assert image.images[0].get_clim() == part.images[0].get_clim() == (-8, 8)
    assert image.images[0].get_cmap() == part.images[0].get_cmap()


@SIZES
def test_signals_stand_above_their_convolution_and_correlations(
    tmp_path: Path, size: tuple[float, float] | None
) -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(1, 90)), rng.normal(size=(1, 70))
    np.save(tmp_path / "b.npy", other)
    pattern = Pattern(str(tmp_path / "b.npy"), (1, 70), matrix=True)
    layer = Correlation(pattern=pattern, mode=Overlap.FULL)
    axes = draw(blank(size), Picture(one, Depth.EIGHT, matrix=True), layer)
    lines = [np.asarray(one_axes.lines[0].get_data(), dtype=float) for one_axes in axes]
    one, other = one[0], other[0]
    for line, values in zip(lines, [one, one, one, other, other, one], strict=False):
        assert np.allclose(line, [np.arange(len(values)), values])
    lags = signal.correlation_lags(90, 70)
    assert np.allclose(lines[6], [np.arange(159), np.convolve(one, other)])
    assert np.allclose(lines[7], [lags, signal.correlate(one, other)])
    assert np.allclose(lines[8], [np.arange(-89, 90), signal.correlate(one, one)])
    for row in (axes[:3], axes[3:6], axes[6:]):
        assert len({single.get_ylim() for single in row}) == 1
