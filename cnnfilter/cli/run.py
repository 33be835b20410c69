"""From networks and the options for files to a batch, carried out and reported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from cnnfilter.cli.base import told_log
from cnnfilter.cli.companions import attended, check_companions, disturbed_by_nobody, write_rules
from cnnfilter.cli.sources import collect, read_stdin
from cnnfilter.cli.views import ViewOptions
from cnnfilter.errors import LanguageError, OutputError, nearest
from cnnfilter.files.formats import (
    COMPRESSION_FORMATS,
    QUALITY_FORMATS,
    Depth,
    Range,
    find_format,
    is_matrix,
    looks_like_matrix,
)
from cnnfilter.files.limits import allow_pixels
from cnnfilter.files.outputs import STANDARD, Job, OutputRequest, check_sources, find_spared, plan_outputs
from cnnfilter.kernels.words import KernelFile, recognize
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.layers import Flatten, Linear, Shape
from cnnfilter.spec.preparation import Preparation
from cnnfilter.spec.weights import Init
from cnnfilter.telling import warn

if TYPE_CHECKING:
    from cnnfilter.batch import Work
    from cnnfilter.cli.clerk import Clerk
    from cnnfilter.compute.weights import Model
    from cnnfilter.files.ranking import Ranking
    from cnnfilter.spec.network import Network


class FileOptions(NamedTuple):
    """The options of every command that writes files, by their names."""

    output: str | None
    format_: str | None
    in_place: bool
    range_: str | None
    depth: str | None
    quality: int | None
    compression: int | None
    no_clobber: bool
    fail_fast: bool
    allow_truncated: bool
    page: int | None
    max_pixels: int | None
    dry_run: bool
    jobs: int | None
    update: bool
    recursive: bool
    files_from: str | None
    null: bool
    report: str | None
    depfile: str | None
    quiet: bool
    verbose: bool


class NetworkOptions(NamedTuple):
    """What `pipeline` has beyond the other commands, by the names of its options, and what its file says beside.

    `input` is the shape that weights are tried on before any picture, `title` what the network is called,
    `files` what is read besides the pictures, which no output may be.
    """

    weights: Path | None = None
    init: str | None = None
    seed: int = 0
    save: tuple[str, ...] = ()
    top: int | None = None
    labels: Path | None = None
    preparation: Preparation = Preparation()
    input: Shape | None = None
    title: str = ""
    files: tuple[Path, ...] = ()


def filter_files(
    inputs: Sequence[str],
    networks: Sequence[Network],
    options: FileOptions,
    *,
    kernels: tuple[str, ...] = (),
    pipeline: NetworkOptions | None = None,
    views: ViewOptions | None = None,
) -> None:
    """Run each network on each input, and leave with status 1 if an input failed.

    Parameters
    ----------
    inputs
        Paths, or `-`.
    networks
        One for each kernel, or one.
    options
        Where results go, and how they become files.
    kernels
        The words that name the results of several networks.
    pipeline
        What goes with a network that was written in the layer language, or None.
    views
        The figures and explanations that are wanted; where there are some, nothing else is made without `-o`.

    Raises
    ------
    CnnFilterError
        If outputs or networks are wrong; nothing is read or written then.
    """
    gathered = collect(inputs, options)
    sources = gathered.sources if gathered else inputs
    request = OutputRequest(
        output=options.output,
        format_=options.format_.removeprefix(".") if options.format_ else None,
        kernels=kernels,
        layers=_saved_layers(networks[0], pipeline.save) if pipeline else (),
        prints=pipeline is not None and (pipeline.top is not None or _gives_vector(networks[0])),
        in_place=options.in_place,
        kernel_files=(*_kernel_files(networks), *(pipeline.files if pipeline else ())),
        stdin_suffix=".txt",
        below=gathered.below if gathered else {},
    )
    shown = views or ViewOptions()
    shown.check(options.output)
    ranked = pipeline is not None and pipeline.top is not None
    jobs, stdin = _name_jobs(sources, request, shown, ranked=ranked), b""
    if STANDARD in sources:  # what is wrong whatever it holds has been said before it is waited for
        stdin = read_stdin()
        request = request._replace(stdin_suffix=_stdin_suffix(stdin))
        jobs = _name_jobs(sources, request, shown, ranked=ranked)
    results = [job for job in jobs if not job.view]
    _check_range(results, options)
    if pipeline and pipeline.top is not None:
        _check_text(results)
    elif pipeline and not pipeline.save and _gives_vector(networks[0]):
        _check_vector(results)
    spared = find_spared(sources, request)
    check_companions(jobs, options, spared)
    missing = gathered.failures if gathered else ()
    total = len(missing) + len(set(sources))
    with (
        attended(options, total) as clerk,
        told_log(verbose=options.verbose, quiet=options.quiet, make_room=clerk.make_room),
    ):
        work = _plan(jobs, networks, options, stdin=stdin, spared=spared, pipeline=pipeline)
        work = work._replace(prerequisites=request.kernel_files)
        if shown.wanted:
            layers = pipeline.save if pipeline else ()
            work = work._replace(viewer=shown.viewer(kernels, layers), threads=shown.threads(options.jobs, total))
        for path, reason in missing:
            _tell_missing(path, reason, clerk)
        _carry_out(work, options, clerk)
    if clerk.failed or clerk.troubles:
        click.get_current_context().exit(1)


def _name_jobs(sources: Sequence[str], request: OutputRequest, views: ViewOptions, *, ranked: bool) -> list[Job]:
    """Return all jobs; where something is shown, results that nobody gave an output or asked to rank are not made."""
    if not views.wanted:
        return plan_outputs(sources, request)
    from cnnfilter.plots.targets import plan_views  # noqa: PLC0415  for those alone who want to see

    check_sources(sources)
    only_shown = request.output is None and not (request.in_place or ranked)
    jobs = [] if only_shown else plan_outputs(sources, request)
    return plan_views(jobs, sources, views.request, find_spared(sources, request))


def _tell_missing(path: str, reason: str, clerk: Clerk) -> None:
    """Tell that a folder holds no input, as one that failed."""
    from cnnfilter.accounts import Account  # noqa: PLC0415  few folders are empty

    account = Account(path)
    account.failure(f"{path}: {reason}")
    account.close().tell_to(clerk)


def _carry_out(work: Work, options: FileOptions, clerk: Clerk) -> None:
    from cnnfilter.batch import run_batch  # noqa: PLC0415  loads the arrays' libraries

    if options.dry_run:
        from cnnfilter.rehearsal import rehearse  # noqa: PLC0415  nobody else needs it

        rehearse(work, clerk)
        return
    if options.fail_fast and clerk.failed:
        return
    with disturbed_by_nobody(clerk.total):
        run_batch(work, clerk)
    if options.depfile:
        write_rules(Path(options.depfile), clerk, work.prerequisites)


def _plan(
    jobs: list[Job],
    networks: Sequence[Network],
    options: FileOptions,
    *,
    stdin: bytes,
    spared: frozenset[str],
    pipeline: NetworkOptions | None,
) -> Work:
    # The arrays' libraries are loaded here, when all that can be refused without them has been.
    if options.max_pixels:
        allow_pixels(options.max_pixels)
    from cnnfilter.batch import Work  # noqa: PLC0415
    from cnnfilter.files.images import Encoding  # noqa: PLC0415
    from cnnfilter.files.reading import Reading  # noqa: PLC0415
    from cnnfilter.results import Handling  # noqa: PLC0415

    _remark_on_encoding(jobs, options)
    told = pipeline or NetworkOptions()
    handling = Handling(
        range_=Range(options.range_) if options.range_ else None,
        depth=_depth(options),
        encoding=Encoding(options.quality, options.compression),
        pipeline=pipeline is not None,
        preparation=told.preparation,
        ranking=_ranking(told),
    )
    return Work(
        models=tuple(_model(network, told) for network in networks),
        jobs=tuple(jobs),
        handling=handling,
        reading=Reading(options.allow_truncated, options.page, options.max_pixels),
        no_clobber=options.no_clobber,
        fail_fast=options.fail_fast,
        update=options.update,
        stdin=stdin,
        spared=spared,
        threads=options.jobs,
    )


def _model(network: Network, told: NetworkOptions) -> Model:
    """Return a network with its weights; those that shall fit the input it names are tried at once."""
    from cnnfilter.compute.states import RandomWeights, StateDict  # noqa: PLC0415
    from cnnfilter.compute.weights import Model  # noqa: PLC0415
    from cnnfilter.files.weights import keeps_order, read_weights  # noqa: PLC0415

    weights: RandomWeights | StateDict | None = None
    if told.init:
        weights = RandomWeights(Init(told.init), told.seed)
    elif told.weights:
        weights = StateDict(read_weights(told.weights), str(told.weights), ordered=keeps_order(told.weights))
    model = Model(network, weights, told.title)
    if told.input:
        model.program(told.input)
    return model


def _ranking(told: NetworkOptions) -> Ranking | None:
    from cnnfilter.files.ranking import Ranking, read_labels  # noqa: PLC0415

    if told.top is None:
        return None
    return Ranking(told.top, read_labels(told.labels) if told.labels else (), str(told.labels))


def _saved_layers(network: Network, save: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the layers whose outputs are wanted, each once; `all` is every one."""
    names = network.names
    for name in save:
        if name not in names and name != "all":
            raise LanguageError(f"--save {name}: no layer has this name{nearest(name, names)}; {', '.join(names)} have")
    wanted = names if "all" in save else tuple(dict.fromkeys(save))
    for name in wanted:
        if re.fullmatch(r".*-\d+", name) and name[: name.rfind("-")] in wanted:
            raise LanguageError(f"--save: the maps of {name[: name.rfind('-')]} would be written like layer {name}")
    return wanted


def _gives_vector(network: Network) -> bool:
    """Return whether a vector comes out at the end, whatever goes in."""
    return any(isinstance(node.layer, Flatten | Linear) for node in network.nodes)


def _kernel_files(networks: Sequence[Network]) -> tuple[Path, ...]:
    """Return the files from which the kernels of networks are read."""
    layers = [node.layer for network in networks for node in network.walk()]
    found = [recognize(word.text) for layer in layers if isinstance(layer, Convolution) for word in layer.kernels]
    return tuple(kernel.path for kernel in found if isinstance(kernel, KernelFile))


def _depth(options: FileOptions) -> Depth | None:
    """Return the depth that was asked for; `--range none` asks for floats."""
    if options.range_ == Range.NONE:
        return Depth.FLOAT
    return Depth(options.depth) if options.depth else None


def _check_range(jobs: list[Job], options: FileOptions) -> None:
    """Raise an `OutputError` if `none` is asked of a file that cannot hold floats, or shall not."""
    if options.range_ != Range.NONE:
        return
    if options.depth not in {None, Depth.FLOAT}:
        raise OutputError(f"--range none keeps floats as they are, and --depth {options.depth} does not")
    for job in jobs:
        format_ = find_format(job.format_name)
        if Depth.FLOAT not in format_.depths:
            raise OutputError(
                f"--range none needs a file that holds floats, such as .npy, .pfm or .tiff, not {format_.name}"
            )


def _remark_on_encoding(jobs: list[Job], options: FileOptions) -> None:
    """Warn if no output can take the quality or the compression that was asked for."""
    names = {find_format(job.format_name).name for job in jobs if not job.view}
    for option, value, takers in (
        ("--quality", options.quality, QUALITY_FORMATS),
        ("--compression", options.compression, COMPRESSION_FORMATS),
    ):
        if value is not None and names.isdisjoint(takers):
            warn(f"{option} is of {', '.join(takers)}, and changes nothing in {', '.join(sorted(names)) or 'figures'}")


def _check_text(jobs: list[Job]) -> None:
    """Raise an `OutputError` if classes shall go into a file that is no text."""
    for job in jobs:
        if not job.format_name.lower().endswith((".txt", ".csv", ".tsv")):
            where = job.target or "standard output"
            raise OutputError(f"{where}: --top writes lines of text: .txt, .csv or .tsv, or --format txt")


def _check_vector(jobs: list[Job]) -> None:
    """Raise an `OutputError` if a vector shall go into a picture."""
    for job in jobs:
        if not is_matrix(job.format_name):
            where = job.target or "standard output"
            raise OutputError(f"{where}: the network gives a vector, for .txt, .csv, .tsv or .npy, or --format txt")


def _stdin_suffix(data: bytes) -> str:
    return ".txt" if looks_like_matrix(data) or not data else ""
