"""The options for figures, explanations and moving pictures of inputs, understood before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cnnfilter.cli.options import FILE, Decorated, add_options
from cnnfilter.cli.plotting import PlotOptions, plot_options
from cnnfilter.cli.words import PLACE
from cnnfilter.errors import OutputError
from cnnfilter.files.outputs import STANDARD

if TYPE_CHECKING:
    from cnnfilter.work import Settings

_LOOK_OPTIONS = (
    click.option("--equalize", is_flag=True, help="Spread the levels of the figure from black to white, to see more."),
    click.option("--colormap", metavar="NAME", help="Of matplotlib, for maps in the figure, such as viridis."),
)

_WINDOW_OPTIONS = (
    click.option(
        "--explain",
        type=PLACE,
        metavar="Y,X",
        help="Say how the value in row Y, column X of the output comes about, counted from 0; with --plot draw it.",
    ),
    click.option(
        "--animate",
        type=FILE,
        metavar="FILE",
        help="Let the window slide and the output fill: .gif, .webp or .png, for inputs up to 32x32; of 100 pixels"
        " an inch but for --dpi.",
    ),
    click.option(
        "--around", type=PLACE, metavar="Y,X", help="Animate about 12x12 pixels around this one of a larger input."
    ),
    click.option("--fps", type=click.FloatRange(0.1, 50), help="Windows in a second of --animate. Default: 3."),
)


def figure_options(command: Decorated) -> Decorated:
    """Add the options of figures."""
    plot = plot_options(
        "Draw the input and what comes out side by side; several inputs take a template such as {stem}-plot.png."
        " Without -o nothing else is written."
    )
    return plot(add_options(_LOOK_OPTIONS)(command))


def view_options(command: Decorated) -> Decorated:
    """Add those of figures, explanations and moving pictures, for commands that lay one window on the input."""
    return figure_options(add_options(_WINDOW_OPTIONS)(command))


def check_views(settings: Settings) -> None:
    """Raise an `OutputError` if an option of figures, moving pictures or explanations needs another."""
    for owner, names in {"plot": ("equalize", "colormap"), "animate": ("around", "fps")}.items():
        for name in names:
            if getattr(settings, name) not in {None, False} and getattr(settings, owner) is None:
                raise OutputError(f"--{name} goes with --{owner} FILE, which is not there")
    if settings.plot is None and settings.animate is None:
        PlotOptions(None, settings.figure_size, settings.dpi).check_alone()
    if settings.explain is not None and settings.output == STANDARD:
        raise OutputError("--explain prints on standard output, and so does -o -; a file for -o parts them")


def wants_views(settings: Settings) -> bool:
    """Return whether the work is to be shown."""
    return settings.plot is not None or settings.animate is not None or settings.explain is not None
