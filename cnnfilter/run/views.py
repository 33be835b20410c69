"""What is shown of each input: figures, moving pictures and explanations, named and checked before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnfilter.errors import OutputError
from cnnfilter.io.paths import STANDARD, Job, fill_template, identify
from cnnfilter.nn.geometry import Pair
from cnnfilter.plot.sheet import ANIMATE, DPI, PLOT, Sheet, check_protected, check_sheet
from cnnfilter.run.settings import Settings

MOVIE_DPI = 100
"""Pixels an inch of a moving picture, unless another number is asked for: it has many frames."""

EXPLAIN = "explain"
"""What is made of an input beside its results, its figure and its moving picture."""


class Views(NamedTuple):
    """What is to be shown of each input, by the names of the options.

    The targets of `plot` and `animate` are templates; `kernels` name the results, `layers` are those that are drawn,
    all if there are none.
    """

    plot: Sheet | None = None
    animate: Sheet | None = None
    explain: Pair | None = None
    around: Pair | None = None
    fps: float | None = None
    equalize: bool = False
    colormap: str | None = None
    kernels: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    def sheet(self, job: Job) -> Sheet:
        """Return what a job that draws is to draw on."""
        sheet = self.plot if job.view == PLOT else self.animate
        assert sheet
        return sheet._replace(target=str(job.target)) if job.target else sheet


def request_views(settings: Settings, kernels: tuple[str, ...] = ()) -> Views:
    """Return what is shown of each input, where its results are named by their kernels."""
    size, dpi = settings.figure_size, settings.dpi
    plot = None if settings.plot is None else Sheet(settings.plot, size, dpi or DPI)
    animate = None if settings.animate is None else Sheet(settings.animate, size, dpi or MOVIE_DPI, ANIMATE)
    look = settings.equalize, settings.colormap
    return Views(plot, animate, settings.explain, settings.around, settings.fps, *look, kernels, settings.save)


def plan_views(jobs: Sequence[Job], sources: Sequence[str], views: Views, read: frozenset[str]) -> list[Job]:
    """Return the jobs with those for figures, moving pictures and explanations behind the others of each input.

    Parameters
    ----------
    jobs
        What is made of each input, as many for one as for the other.
    sources, views
        The inputs, and what is shown of each.
    read
        The identities of all files that are read.

    Raises
    ------
    OutputError
        If a figure could not be saved or shown, or would be written twice or over what is read.
    """
    each = len(jobs) // max(1, len(sources))
    planned: list[Job] = []
    for index, source in enumerate(sources, 1):
        number = f"{index:0{len(str(len(sources)))}}"
        planned += [*jobs[(index - 1) * each : index * each], *_plan(source, number, views)]
    _check_apart(planned, views, read)
    return planned


def _plan(source: str, index: str, views: Views) -> Iterator[Job]:
    if views.explain:
        yield Job(source, 0, None, "-.txt", view=EXPLAIN)
    name = Path("stdin" if source == STANDARD else source)
    fields = {"stem": name.stem, "name": name.name, "ext": name.suffix, "index": index}
    for sheet in filter(None, (views.plot, views.animate)):
        target = "" if sheet.in_window else fill_template(sheet.target, fields)
        check_sheet(sheet._replace(target=target) if target else sheet)
        yield Job(source, 0, Path(target) if target else None, target, view=sheet.option)


def _check_apart(jobs: Sequence[Job], views: Views, read: frozenset[str]) -> None:
    """Raise an `OutputError` if a view would be written over another output, or over what is read."""
    folders: dict[str, str] = {}
    taken = {identify(job.target, folders)[0]: job for job in jobs if job.target and not job.view}
    for job in jobs:
        if not (job.view and job.target):
            continue
        other = taken.setdefault(identify(job.target, folders)[0], job)
        if other is not job and other.view == job.view:
            raise OutputError(
                f"--{job.view} {job.target}: the pictures of {other.source} and {job.source} would be written to it; "
                "a template such as {stem}-" + f"{job.view}{job.target.suffix} parts them"
            )
        if other is not job:
            raise OutputError(f"--{job.view} {job.target}: another output has this name; a name of its own keeps both")
        check_protected(views.sheet(job), read)
