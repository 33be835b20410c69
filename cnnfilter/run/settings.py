"""The settings of a command that runs networks on files, and the work that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.nn.network import Preparation

if TYPE_CHECKING:
    from cnnfilter.compute.classes import Ranking
    from cnnfilter.compute.tiles import Model
    from cnnfilter.io.formats import Depth, Range
    from cnnfilter.io.paths import Job
    from cnnfilter.nn.geometry import Pair
    from cnnfilter.nn.network import Init


class Settings(NamedTuple):
    """What the options say that commands have in common, each by its name, and at the end what follows from them.

    Parameters
    ----------
    preparation
        What is done to images first: what the network's file says, and over it the options.
    pipeline
        Whether the network was written out as one: it sees colours alone, and its sums are remarked upon.
    ranking
        How `top` classes are listed, with their names; None lists all values as they are.
    """

    output: str | None = None
    format_: str | None = None
    in_place: bool = False
    range_: Range | None = None
    depth: Depth | None = None
    quality: int | None = None
    compression: int | None = None
    no_clobber: bool = False
    fail_fast: bool = False
    allow_truncated: bool = False
    page: int | None = None
    max_pixels: int | None = None
    dry_run: bool = False
    jobs: int | None = None
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
    colormap: str | None = None
    figure_size: tuple[float, float] | None = None
    dpi: int | None = None
    explain: Pair | None = None
    animate: str | None = None
    around: Pair | None = None
    fps: float | None = None

    weights: Path | None = None
    init: Init | None = None
    seed: int | None = None
    save: tuple[str, ...] = ()
    top: int | None = None
    labels: Path | None = None

    preparation: Preparation = Preparation()
    pipeline: bool = False
    ranking: Ranking | None = None


class Work(NamedTuple):
    """What is done with every input.

    Parameters
    ----------
    settings
        How it is done.
    models
        The network for each kernel, or the one network, with its weights.
    jobs
        What is made, the jobs of an input in a row.
    names
        What the results of several networks are called in figures; their networks' text unless given.
    stdin
        What standard input held, if it is an input.
    protected
        The identities of all files that are read, over which nothing is written but a job's own target.
    prerequisites
        The files that results depend on beside their input: kernels, networks, weights, labels.
    """

    settings: Settings
    models: tuple[Model, ...]
    jobs: tuple[Job, ...]
    names: tuple[str, ...] = ()
    stdin: bytes = b""
    protected: frozenset[str] = frozenset()
    prerequisites: tuple[Path, ...] = ()
