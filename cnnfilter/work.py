"""What is done with every input of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from cnnfilter.compute.weights import Model
from cnnfilter.files.outputs import Job
from cnnfilter.files.pictures import Picture, Reading
from cnnfilter.rendering import File
from cnnfilter.results import Handling, Result


class Show(Protocol):
    """What shows the work on one input: draws figures, explains values."""

    def watch(self, job: Job, result: Result) -> Result:
        """Return a result that is seen while it is written, so that it need not be made again to be drawn."""

    def show(self, job: Job, notes: list[str]) -> File:
        """Return what a job of this kind is to give, empty if it is done already; remarks are added to `notes`."""


class Viewer(Protocol):
    """Who has something to show of each input."""

    def attend(self, picture: Picture, views: Sequence[Job], models: Sequence[Model], handling: Handling) -> Show:
        """Return what shows the work on an input, before it is done; `views` are the jobs that want to be shown."""


class Work(NamedTuple):
    """What is done with every input.

    Parameters
    ----------
    models
        The network for each kernel, or the one network, with its weights.
    jobs
        What is made, the jobs of an input in a row.
    handling
        How pictures are run, and how results become files.
    reading
        How pictures are read.
    no_clobber, fail_fast, update
        Whether files that exist are passed over, the first failure ends all, files that are up to date are passed
        over.
    stdin
        What standard input held, if it is an input.
    spared
        The identities of all files that are read, over which nothing is written but a job's own target.
    prerequisites
        The files that results hang on beside their input: kernels, networks, weights, labels.
    processes
        How many inputs are worked on at a time, each on one core; 1 holds all to one core. Unless given as many as
        there are cores, and a single one has all of them.
    viewer
        Who does the jobs that show the work; None if there are none.
    """

    models: tuple[Model, ...]
    jobs: tuple[Job, ...]
    handling: Handling = Handling()
    reading: Reading = Reading()
    no_clobber: bool = False
    fail_fast: bool = False
    update: bool = False
    stdin: bytes = b""
    spared: frozenset[str] = frozenset()
    prerequisites: tuple[Path, ...] = ()
    processes: int | None = None
    viewer: Viewer | None = None
