"""What the tests of figures share: an empty figure as commands open it, and the texts that stand on one."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnfilter.arrays import Array
from cnnfilter.compute.tiles import FeatureMaps, Model
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.plot.sheet import Paper, Sheet, Size, open_sheet
from cnnfilter.run.result import lay_out
from cnnfilter.run.settings import Settings

COLORS = np.random.default_rng(5).integers(0, 256, (40, 60, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    """Take back what a test does to matplotlib's settings."""
    with mpl.rc_context():
        yield


def blank(size: Size | None = None, dpi: int = 100) -> Paper:
    """Return an empty paper whose figure is drawn on, but neither saved nor shown."""
    figure = Figure(dpi=dpi)
    FigureCanvasAgg(figure)
    return Paper(figure, Sheet("figure.png", size, dpi))


@pytest.fixture
def sheet(tmp_path: Path) -> Sheet:
    """Return a figure's request: a PNG of its natural size."""
    return Sheet(str(tmp_path / "figure.png"), dpi=80)


@pytest.fixture
def figure(sheet: Sheet) -> Iterator[Figure]:
    """Return the figure that is saved when the test ends."""
    with open_sheet(sheet) as opened:
        yield opened


def texts_on(figure: Figure) -> list[Text]:
    """Return the texts that can be seen on a figure."""
    figure.draw_without_rendering()  # now ticks are where they are drawn
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    hidden = {tick for axes in figure.findobj(Axes) if isinstance(axes, Axes) for tick in _hidden_ticks(axes)}
    shown = [text for text in found if text.get_text().strip() and text not in hidden]
    assert shown  # who looks at each of them looks at some
    return shown


def _hidden_ticks(axes: Axes) -> Iterator[Text]:
    """Yield the labels of ticks that lie outside an axis, all where there is none."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axes.axison or not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def words_on(figure: Figure) -> list[str]:
    """Return what the texts on a figure say."""
    return [text.get_text() for text in texts_on(figure)]


@pytest.fixture
def colors() -> Picture:
    """Return a picture of 40x60 RGB pixels."""
    return Picture(COLORS, Depth.EIGHT)


@pytest.fixture
def matrix(samples: Path) -> Picture:
    """Return the 5x5 matrix that the texts sharpen."""
    return Picture(np.loadtxt(samples / "sharpen-5x5.txt"), Depth.EIGHT, matrix=True)


def model(words: str) -> Model:
    """Return a network that is ready to run."""
    return Model(parse_network(words, kernel_shape))


def result(picture: Picture, words: str) -> tuple[str, Model, FeatureMaps]:
    """Return what a network makes of a picture, named by its words."""
    network = model(words)
    return words, network, lay_out(picture, network, Settings())


def values_of(picture: Picture, words: str) -> Array:
    """Return what a network makes of a picture."""
    return result(picture, words)[2].values
