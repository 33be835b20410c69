"""The options of commands that draw: where the figure goes, and how large it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from cnnfilter.cli.words import Word
from cnnfilter.errors import OutputError

if TYPE_CHECKING:
    from cnnfilter.plots.sheets import Sheet

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class PlotOptions(NamedTuple):
    """The options of a figure, by their names."""

    plot: str | None
    figure_size: tuple[float, float] | None
    dpi: int | None

    def sheet(self, inputs: Iterable[Path] = ()) -> Sheet | None:
        """Return the figure that is wanted, checked, or None.

        Raises
        ------
        OutputError
            If it could not be saved, would replace one of the `inputs`, or is told of without being wanted.
        """
        if self.plot is None:
            if self.figure_size or self.dpi:
                raise OutputError("--figure-size and --dpi tell of a figure; --plot FILE asks for one")
            return None
        from cnnfilter.plots.sheets import DPI, Sheet, check_sheet  # noqa: PLC0415  few commands draw

        sheet = Sheet(self.plot, self.figure_size, self.dpi or DPI)
        check_sheet(sheet, inputs)
        return sheet


def _inches(text: str) -> tuple[float, float]:
    from cnnfilter.plots.sheets import as_inches  # noqa: PLC0415  few commands draw

    return as_inches(text)


def plot_options(what: str) -> Callable[[Decorated], Decorated]:
    """Return what adds the options of a figure to a command; `what` says what is drawn."""

    def add(command: Decorated) -> Decorated:
        for option in (
            click.option("--dpi", type=click.IntRange(10, 2400), help="Of the figure: pixels an inch. Default: 150."),
            click.option(
                "--figure-size",
                type=Word("figure size", _inches),
                metavar="HxW",
                help="Of the figure, in inches. Default: what suits it.",
            ),
            click.option(
                "--plot",
                type=click.Path(readable=False),
                metavar="FILE|show",
                help=f"{what} FILE is .png, .svg or .pdf; show opens a window.",
            ),
        ):
            command = option(command)
        return command

    return add
