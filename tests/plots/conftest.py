"""What the tests of figures share: an empty figure as commands open it, and the texts that stand on one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnfilter.plots.sheets import Sheet, open_sheet


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
    return [text for text in found if text.get_text().strip() and text not in hidden]


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
