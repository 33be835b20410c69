"""Where figures, moving pictures and explanations of inputs go: names worked out and checked before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnfilter.errors import OutputError
from cnnfilter.files.identity import Resolver
from cnnfilter.files.outputs import STANDARD, Job, fill_template
from cnnfilter.plots.sheets import Sheet, check_sheet, check_spared

EXPLAIN = "explain"
"""What is made of an input beside its results, its figure and its moving picture."""


class ViewRequest(NamedTuple):
    """What is wanted of each input: a figure, a moving picture, whether an explanation.

    The targets of `plot` and `animate` are templates.
    """

    plot: Sheet | None = None
    animate: Sheet | None = None
    explain: bool = False

    def sheet(self, job: Job) -> Sheet:
        """Return what a job that draws is to draw on."""
        sheet = self.plot if self.plot and job.view == self.plot.option else self.animate
        assert sheet
        return sheet._replace(target=str(job.target)) if job.target else sheet


def plan_views(jobs: Sequence[Job], sources: Sequence[str], request: ViewRequest, read: frozenset[str]) -> list[Job]:
    """Return the jobs with those for figures, moving pictures and explanations behind the others of each input.

    Parameters
    ----------
    jobs
        What is made of each input, as many for one as for the other.
    sources, request
        The inputs, and what is wanted of each.
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
        planned += [*jobs[(index - 1) * each : index * each], *_views(source, number, request)]
    _check_apart(planned, request, read)
    return planned


def _views(source: str, index: str, request: ViewRequest) -> Iterator[Job]:
    if request.explain:
        yield Job(source, 0, None, "-.txt", view=EXPLAIN)
    name = Path("stdin" if source == STANDARD else source)
    fields = {"stem": name.stem, "name": name.name, "ext": name.suffix, "index": index}
    for sheet in filter(None, (request.plot, request.animate)):
        if sheet.in_window:
            check_sheet(sheet)
            yield Job(source, 0, None, "", view=sheet.option)
            continue
        named = sheet._replace(target=fill_template(sheet.target, fields))
        check_sheet(named)
        yield Job(source, 0, Path(named.target), named.target, view=sheet.option)


def _check_apart(jobs: Sequence[Job], request: ViewRequest, read: frozenset[str]) -> None:
    """Raise an `OutputError` if a view would be written over another output, or over what is read."""
    resolver = Resolver()
    taken = {resolver.resolve(job.target): job for job in jobs if job.target and not job.view}
    for job in jobs:
        if not (job.view and job.target):
            continue
        other = taken.setdefault(resolver.resolve(job.target), job)
        if other is not job and other.view == job.view:
            raise OutputError(
                f"--{job.view} {job.target}: the pictures of {other.source} and {job.source} would be written to it; "
                "a template such as {stem}-" + f"{job.view}{job.target.suffix} parts them"
            )
        if other is not job:
            raise OutputError(f"--{job.view} {job.target}: another output has this name; a name of its own keeps both")
        check_spared(request.sheet(job), read)
