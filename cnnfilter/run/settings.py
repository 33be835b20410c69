"""The settings of a command that runs networks on files, and the work that they ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from cnnfilter.errors import OutputError
from cnnfilter.io.addresses import as_path
from cnnfilter.io.paths import STANDARD, Job, describe_input, fill_template, identify

if TYPE_CHECKING:
    from cnnfilter.compute.classes import Ranking
    from cnnfilter.compute.state_dict import Init
    from cnnfilter.compute.tiles import Model
    from cnnfilter.io.formats import Colour, Depth, Range
    from cnnfilter.learn.steps import Augmentation
    from cnnfilter.network_files import Preparation
    from cnnfilter.nn.geometry import Pair, Region
    from cnnfilter.plot.sheet import Sheet

EXPLAIN, LIST = "explain", "list"
"""What is made of an input beside its results, its figure and its animation: an explanation, peaks or a shift."""

ALL: Literal["all"] = "all"
"""What is explained where it is not one value."""

_MOVIE_DPI = 100
"""Pixels an inch of an animation, unless another number is asked for: it has many frames."""


class Settings(NamedTuple):
    """What the options say that commands have in common, each by its name, and at the end what follows from them.

    `padding_given` is false where the command chose the padding. What is done to images first is `preparation`; a
    network that was written out as a `pipeline` sees colours alone, and its sums may bring a warning. `ranking` says
    how `top` classes are listed; None lists all values as they are.
    An `augmentation` is that of every input, and is bound to a name and a copy before it is drawn.
    `usual_range` holds where no `range_` is given and levels are written; None is to clip.
    """

    output: str | None = None
    format_: str | None = None
    in_place: bool = False
    range_: Range | None = None
    depth: Depth | None = None
    quality: int | None = None
    compression: int | None = None
    background: Colour | None = None
    resize: Pair | None = None
    region: Region | None = None
    linear: bool = False
    no_clobber: bool = False
    fail_fast: bool = False
    allow_truncated: bool = False
    page: int | None = None
    max_pixels: int | None = None
    dry_run: bool = False
    jobs: int | None = None
    cluster: str | None = None
    update: bool = False
    recursive: bool = False
    files_from: str | None = None
    null: bool = False
    report: str | None = None
    depfile: str | None = None
    quiet: bool = False
    verbose: bool = False

    plot: str | None = None
    equalize: bool = False
    own_scales: bool = False
    colormap: str | None = None
    figure_size: tuple[float, float] | None = None
    dpi: int | None = None
    explain: tuple[int, ...] | Literal["all"] | None = None
    map: int | None = None
    json: bool = False
    animate: str | None = None
    around: Pair | None = None
    fps: float | None = None

    weights: Path | None = None
    init: Init | None = None
    seed: int | None = None
    save: tuple[str, ...] = ()
    top: int | None = None
    labels: Path | None = None
    peaks: int | None = None
    shift: bool = False
    copies: int = 0
    with_: str | None = None
    with_output: str | None = None

    padding_given: bool = True
    preparation: Preparation | None = None
    pipeline: bool = False
    luma: bool = False
    ranking: Ranking | None = None
    usual_range: Range | None = None
    augmentation: Augmentation | None = None

    @property
    def warns(self) -> bool:
        """Whether warnings and hints reach somebody, or a report."""
        return not self.quiet or self.report is not None

    @property
    def lists(self) -> bool:
        """Whether peaks or a shift of a correlation are printed."""
        return self.shift or self.peaks is not None


class Work(NamedTuple):
    """What is done with every input, and how.

    There is a model for each kernel, or one; `inputs` has the jobs of each. `names` are those of results in figures,
    `stdin` is what standard input held, `protected` has the identities of files that are read, over which
    nothing is written but a job's own target. Results depend on `prerequisites` too: kernels, weights and the like.
    `below` says where inputs are below a folder. Where an input may be worked on twice, `begun` is when the batch
    began, in nanoseconds since 1970: what was written later, the first try has written.
    """

    settings: Settings
    models: tuple[Model, ...]
    inputs: list[list[Job]]
    names: tuple[str, ...] = ()
    stdin: bytes = b""
    protected: frozenset[str] = frozenset()
    prerequisites: tuple[Path, ...] = ()
    below: Mapping[str, str] = MappingProxyType({})
    begun: int = 0


def request_sheet(settings: Settings, option: str) -> Sheet:
    """Return what `plot` or `animate` asks to draw on; the target is a template."""
    from cnnfilter.plot.sheet import DPI, PLOT, Sheet  # noqa: PLC0415  for figures alone

    target, dpi = (settings.plot, DPI) if option == PLOT else (settings.animate, _MOVIE_DPI)
    return Sheet(target or "", settings.figure_size, settings.dpi or dpi, option)


def plan_views(jobs: Sequence[Job], sources: Sequence[str], settings: Settings, read: frozenset[str]) -> list[Job]:
    """Return the jobs, those of each input with those for its figures, animations and explanations behind them.

    `read` has the identities of all files that are read. Raise an `OutputError` if a figure could not be saved or
    shown, or would be written twice or over what is read.
    """
    from cnnfilter.plot.sheet import check_sheet  # noqa: PLC0415  for figures alone

    made = {source: list(group) for source, group in groupby(jobs, key=lambda job: job.source)}
    sheets = [
        request_sheet(settings, option) for option in ("plot", "animate") if getattr(settings, option) is not None
    ]
    planned: list[Job] = []
    for index, source in enumerate(sources):
        planned += made.get(source, [])
        if settings.explain:
            planned.append(Job(source, 0, None, "-.txt", view=EXPLAIN))
        if settings.lists:
            planned.append(Job(source, 0, None, "-.txt", view=LIST))
        name, number = as_path("stdin" if source == STANDARD else source), str(index + 1).zfill(len(str(len(sources))))
        fields = describe_input(name, number)
        for sheet in sheets:
            target = "" if sheet.in_window else fill_template(sheet.target, fields)
            check_sheet(sheet._replace(target=target) if target else sheet)
            planned.append(Job(source, 0, Path(target) if target else None, target, view=sheet.option))
    _check_apart(planned, settings, read)
    return planned


def _check_apart(jobs: Sequence[Job], settings: Settings, read: frozenset[str]) -> None:
    """Raise an `OutputError` if a view would be written over another output, or over what is read."""
    from cnnfilter.plot.sheet import check_protected  # noqa: PLC0415  for figures alone

    folders: dict[str, str] = {}
    taken = {identify(job.target, folders)[0]: job for job in jobs if job.target and not job.view}
    for job in jobs:
        if not (job.view and job.target):
            continue
        other = taken.setdefault(identify(job.target, folders)[0], job)
        if other is not job and other.view == job.view:
            raise OutputError(
                f"--{job.view} {job.target}: the figures of {other.source} and {job.source} would be written to it; "
                "a template such as {stem}-" + f"{job.view}{job.target.suffix} separates them"
            )
        if other is not job:
            raise OutputError(f"--{job.view} {job.target}: another output has this name; use a different one")
        check_protected(request_sheet(settings, job.view)._replace(target=str(job.target)), read)
