"""The options of commands that draw: where the figure goes, how large it is, and how values are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from cnnfilter.cli.options import FILE, Decorated, add_options
from cnnfilter.cli.words import Word
from cnnfilter.errors import OutputError

if TYPE_CHECKING:
    from cnnfilter.plots.sheets import Sheet


class PlotOptions(NamedTuple):
    """The options of a figure, by their names."""

    plot: str | None = None
    figure_size: tuple[float, float] | None = None
    dpi: int | None = None

    def sheet(self, inputs: Iterable[Path] = ()) -> Sheet | None:
        """Return the figure that is wanted, checked, or None.

        Raises
        ------
        OutputError
            If it could not be saved, would replace one of the `inputs`, or is told of without being wanted.
        """
        if self.plot is None:
            self.check_alone()
            return None
        from cnnfilter.plots.sheets import check_sheet  # noqa: PLC0415  few commands draw

        sheet = self.wanted(self.plot)
        check_sheet(sheet, inputs)
        return sheet

    def check_alone(self) -> None:
        """Raise an `OutputError` if a figure is told of, where none is wanted."""
        if self.figure_size or self.dpi:
            raise OutputError("--figure-size and --dpi tell of a figure; --plot FILE asks for one")

    def wanted(self, target: str) -> Sheet:
        """Return a figure of these options, not checked."""
        from cnnfilter.plots.sheets import DPI, Sheet  # noqa: PLC0415  few commands draw

        return Sheet(target, self.figure_size, self.dpi or DPI)


def _inches(text: str) -> tuple[float, float]:
    from cnnfilter.plots.sheets import as_inches  # noqa: PLC0415  few commands draw

    return as_inches(text)


def plot_options(what: str) -> Callable[[Decorated], Decorated]:
    """Return what adds the options of a figure to a command; `what` says what is drawn."""
    return add_options(
        (
            click.option(
                "--plot",
                type=FILE,
                metavar="FILE|show",
                help=f"{what} FILE is .png, .svg or .pdf; show opens a window.",
            ),
            click.option(
                "--figure-size",
                type=Word("figure size", _inches),
                metavar="HxW",
                help="Of the figure, in inches. Default: what suits it.",
            ),
            click.option("--dpi", type=click.IntRange(10, 2400), help="Of the figure: pixels an inch. Default: 150."),
        )
    )
