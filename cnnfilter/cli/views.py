"""The options for figures, explanations and moving pictures, understood before anything is read."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.errors import OutputError
from cnnfilter.files.figures import SHOW, ViewRequest
from cnnfilter.files.outputs import STANDARD

if TYPE_CHECKING:
    from cnnfilter.batch import Viewer
    from cnnfilter.spec.geometry import Pair

MOST_PIXELS = 30_000
"""The longest side of a figure."""


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
    def request(self) -> ViewRequest:
        """What is made of each input."""
        return ViewRequest(self.plot, self.animate, self.explain is not None)

    def check(self, output: str | None) -> None:
        """Raise an `OutputError` if an option needs another, or there is no display for `show`."""
        belongs = {
            "plot": ("equalize", "colormap"),
            "animate": ("around", "fps"),
        }
        for owner, names in belongs.items():
            for name in names:
                if getattr(self, name) not in {None, False} and getattr(self, owner) is None:
                    raise OutputError(f"--{name} goes with --{owner} FILE, which is not there")
        for name in ("figure_size", "dpi"):
            if getattr(self, name) is not None and self.plot is None and self.animate is None:
                raise OutputError(f"--{name.replace('_', '-')} is that of a figure, and none is asked for by --plot")
        if self.figure_size and max(self.figure_size) * (self.dpi or 100) > MOST_PIXELS:
            raise OutputError(f"a figure of more than {MOST_PIXELS} pixels a side is too large; fewer --dpi would do")
        if self.explain is not None and output == STANDARD:
            raise OutputError("--explain prints on standard output, and so does -o -; a file for -o parts them")
        if self.plot == SHOW and not has_display():
            raise OutputError("--plot show needs a display, and there is none; --plot FILE.png draws into a file")

    def viewer(self, kernels: tuple[str, ...], layers: tuple[str, ...]) -> Viewer:
        """Return who shows what is asked for; matplotlib is loaded where something is drawn."""
        from cnnfilter.viewing import Presenter, Wishes  # noqa: PLC0415  for those alone who want to see

        return Presenter(Wishes(**self._asdict(), kernels=kernels, layers=layers))


def has_display() -> bool:
    """Return whether windows can be opened, as far as the environment tells."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def take_views(given: dict[str, Any]) -> ViewOptions:
    """Return the options of this kind, and take them out of `given`."""
    return ViewOptions(**{name: given.pop(name) for name in ViewOptions._fields if name in given})
