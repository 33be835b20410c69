"""The options for figures, explanations and moving pictures of inputs, understood before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cnnfilter.cli.options import FILE, Decorated, add_options
from cnnfilter.cli.plotting import PlotOptions, plot_options
from cnnfilter.cli.words import PLACE
from cnnfilter.errors import OutputError
from cnnfilter.files.outputs import STANDARD

if TYPE_CHECKING:
    from cnnfilter.plots.targets import Views
    from cnnfilter.spec.geometry import Pair
    from cnnfilter.viewing import Viewer

MOVIE_DPI = 100
"""Pixels an inch of a moving picture, unless another number is asked for: it has many frames."""

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


class ViewOptions(NamedTuple):
    """What is to be shown, by the names of the options."""

    plot: str | None = None
    equalize: bool = False
    colormap: str | None = None
    figure_size: tuple[float, float] | None = None
    dpi: int | None = None
    explain: Pair | None = None
    animate: str | None = None
    around: Pair | None = None
    fps: float | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is."""
        return self.plot is not None or self.animate is not None or self.explain is not None

    def request(self, kernels: tuple[str, ...] = (), layers: tuple[str, ...] = ()) -> Views:
        """Return what is shown of each input, named by its kernels, or by those of its layers that are wanted."""
        from cnnfilter.plots.sheets import ANIMATE  # noqa: PLC0415  few commands draw
        from cnnfilter.plots.targets import Views  # noqa: PLC0415

        sheets = PlotOptions(self.plot, self.figure_size, self.dpi)
        plot = None if self.plot is None else sheets.wanted(self.plot)
        animate = None
        if self.animate is not None:
            animate = sheets.wanted(self.animate)._replace(option=ANIMATE, dpi=self.dpi or MOVIE_DPI)
        return Views(plot, animate, self.explain, self.around, self.fps, self.equalize, self.colormap, kernels, layers)

    def check(self, output: str | None) -> None:
        """Raise an `OutputError` if an option needs another."""
        belongs = {
            "plot": ("equalize", "colormap"),
            "animate": ("around", "fps"),
        }
        for owner, names in belongs.items():
            for name in names:
                if getattr(self, name) not in {None, False} and getattr(self, owner) is None:
                    raise OutputError(f"--{name} goes with --{owner} FILE, which is not there")
        if self.plot is None and self.animate is None:
            PlotOptions(None, self.figure_size, self.dpi).check_alone()
        if self.explain is not None and output == STANDARD:
            raise OutputError("--explain prints on standard output, and so does -o -; a file for -o parts them")

    def processes(self, jobs: int | None, total: int) -> int | None:
        """Return how many inputs are worked on at a time: one where windows show several, each in its turn."""
        plot = self.request().plot
        return 1 if plot and plot.in_window and total > 1 else jobs

    def viewer(self, kernels: tuple[str, ...], layers: tuple[str, ...]) -> Viewer:
        """Return what shows the work; matplotlib is loaded where something is drawn."""
        from cnnfilter.viewing import Viewer  # noqa: PLC0415  for commands alone that show something

        return Viewer(self.request(kernels, layers))


def take_views(given: dict[str, Any]) -> ViewOptions:
    """Return the options of this kind, and take them out of `given`."""
    return ViewOptions(**{name: given.pop(name) for name in ViewOptions._fields if name in given})
