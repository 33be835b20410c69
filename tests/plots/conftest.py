"""What the tests of figures share: an empty figure as commands open it, and the texts that stand on one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnfilter.plots.sheets import Sheet, open_sheet


@pytest.fixture
def sheet(tmp_path: Path) -> Sheet:
    """Return a figure's request: a PNG of its natural size."""
    return Sheet(str(tmp_path / "figure.png"))


@pytest.fixture
def figure(sheet: Sheet) -> Iterator[Figure]:
    """Return the figure that is saved when the test ends."""
    with open_sheet(sheet) as opened:
        yield opened


def texts_on(figure: Figure) -> list[Text]:
    """Return the texts that can be seen on a figure."""
    found = figure.findobj(Text)
    return [text for text in found if isinstance(text, Text) and text.get_visible() and text.get_text().strip()]


def words_on(figure: Figure) -> list[str]:
    """Return what the texts on a figure say."""
    return [text.get_text() for text in texts_on(figure)]
