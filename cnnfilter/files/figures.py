"""Where figures, moving pictures and explanations go: names worked out and checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnfilter.errors import OutputError, nearest
from cnnfilter.files.outputs import STANDARD, Job, fill_template, identities, is_directory

SHOW = "show"
"""A figure in a window, not in a file."""

PLOT, ANIMATE, EXPLAIN = "plot", "animate", "explain"
"""What is made of an input beside its results."""

SUFFIXES = {PLOT: (".png", ".svg", ".pdf"), ANIMATE: (".gif", ".webp", ".png")}


class ViewRequest(NamedTuple):
    """What was asked for: `--plot` and `--animate` with their files, or None, and whether `--explain`."""

    plot: str | None = None
    animate: str | None = None
    explain: bool = False

    @property
    def wanted(self) -> bool:
        """Whether anything is."""
        return bool(self.plot is not None or self.animate is not None or self.explain)


def plan_views(
    jobs: Sequence[Job], sources: Sequence[str], request: ViewRequest, read: Sequence[Path] = ()
) -> list[Job]:
    """Return the jobs with those for figures, moving pictures and explanations behind the others of each input.

    Parameters
    ----------
    jobs
        What is made of each input, as many for one as for the other.
    sources, request
        The inputs, and what is wanted of each.
    read
        Files that are read besides the inputs.

    Raises
    ------
    OutputError
        If a suffix is unknown, a folder is missing, or a file would be written twice or over what is read.
    """
    each = len(jobs) // len(sources)
    planned: list[Job] = []
    for index, source in enumerate(sources, 1):
        number = f"{index:0{len(str(len(sources)))}}"
        planned += [*jobs[(index - 1) * each : index * each], *_views(source, number, request)]
    _check_apart(planned, [*map(Path, sources), *read])
    return planned


def _views(source: str, index: str, request: ViewRequest) -> Iterator[Job]:
    if request.explain:
        yield Job(source, 0, None, "-.txt", view=EXPLAIN)
    for view, place in ((PLOT, request.plot), (ANIMATE, request.animate)):
        if place == SHOW and view == PLOT:
            yield Job(source, 0, None, "", view=PLOT)
        elif place is not None:
            target = _name(place, view, source, index)
            yield Job(source, 0, target, str(target), view=view)


def _name(place: str, view: str, source: str, index: str) -> Path:
    """Return the path of a figure or moving picture of an input."""
    name = Path("stdin" if source == STANDARD else source)
    target = Path(fill_template(place, {"stem": name.stem, "name": name.name, "ext": name.suffix, "index": index}))
    known = SUFFIXES[view]
    if target.suffix.lower() not in known:
        what = f"suffix {target.suffix!r} is not" if target.suffix else "no suffix; it is to be"
        options = f"{', '.join(known[:-1])} or {known[-1]}" + (", or the word show" if view == PLOT else "")
        raise OutputError(f"--{view} {place}: {what} {options}{nearest(target.suffix, known)}")
    if is_directory(target):
        raise OutputError(f"--{view} {target}: is a folder")
    if not is_directory(target.parent):
        raise OutputError(f"--{view} {target}: no such folder: {target.parent}")
    return target


def _check_apart(jobs: Sequence[Job], read: Sequence[Path]) -> None:
    """Raise an `OutputError` if a view would be written over another output, or over what is read."""
    spared = {identity: path for path in read for identity in identities(path)}
    taken = {os.path.realpath(job.target): job for job in jobs if job.target and not job.view}
    for job in jobs:
        if not (job.view and job.target):
            continue
        real = os.path.realpath(job.target)
        other = taken.setdefault(real, job)
        if other is not job and other.view == job.view:
            raise OutputError(
                f"--{job.view} {job.target}: the pictures of {other.source} and {job.source} would be written to it; "
                "a template such as {stem}-" + f"{job.view}{job.target.suffix} parts them"
            )
        if other is not job:
            raise OutputError(f"--{job.view} {job.target}: another output has this name; a name of its own keeps both")
        for identity in identities(job.target):
            if identity in spared:
                raise OutputError(f"--{job.view} {job.target}: {spared[identity]} is read, and would be written over")
