"""From networks and the options for files to a batch, carried out and reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli.base import ended_in_order, told_log
from cnnfilter.cli.checks import (
    check_range,
    check_text,
    check_vector,
    gives_vector,
    remark_on_encoding,
    saved_layers,
    wanted_depth,
)
from cnnfilter.cli.companions import attended, check_companions, write_rules
from cnnfilter.cli.settings import FileOptions, NetworkOptions
from cnnfilter.cli.sources import collect, read_stdin
from cnnfilter.cli.views import ViewOptions
from cnnfilter.files.formats import (
    Range,
    looks_like_matrix,
)
from cnnfilter.files.limits import allow_pixels
from cnnfilter.files.outputs import (
    STANDARD,
    Job,
    OutputRequest,
    check_sources,
    find_spared,
    group_by_input,
    plan_outputs,
)
from cnnfilter.kernels.words import KernelFile, recognize
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.weights import Init

if TYPE_CHECKING:
    from cnnfilter.cli.clerk import Clerk
    from cnnfilter.compute.weights import Model
    from cnnfilter.files.ranking import Ranking
    from cnnfilter.spec.network import Network
    from cnnfilter.work import Work


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
    prerequisites = (*_kernel_files(networks), *(pipeline.files if pipeline else ()))
    request = OutputRequest(
        output=options.output,
        format_=options.format_.removeprefix(".") if options.format_ else None,
        kernels=kernels,
        layers=saved_layers(networks[0], pipeline.save) if pipeline else (),
        prints=pipeline is not None and (pipeline.top is not None or gives_vector(networks[0])),
        in_place=options.in_place,
        read_files=(*prerequisites, *_lists(options)),
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
    _check_results([job for job in jobs if not job.view], networks, options, pipeline)
    spared = find_spared(sources, request)
    check_companions(jobs, options, spared, prerequisites)
    missing = gathered.failures if gathered else ()
    total = len(missing) + len(group_by_input(jobs))
    with (
        attended(options, total) as clerk,
        told_log(verbose=options.verbose, quiet=options.quiet, make_room=clerk.make_room),
    ):
        work = _plan(jobs, networks, options, stdin=stdin, spared=spared, pipeline=pipeline)
        work = work._replace(prerequisites=prerequisites)
        if shown.wanted:
            layers = pipeline.save if pipeline else ()
            work = work._replace(viewer=shown.viewer(kernels, layers), processes=shown.processes(options.jobs, total))
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
    return plan_views(jobs, sources, views.request(), find_spared(sources, request))


def _check_results(
    jobs: list[Job], networks: Sequence[Network], options: FileOptions, pipeline: NetworkOptions | None
) -> None:
    """Raise a `CnnFilterError` if the files that are named cannot hold what comes out."""
    check_range(jobs, options)
    if pipeline and pipeline.top is not None:
        check_text(jobs)
    elif pipeline and not pipeline.save and gives_vector(networks[0]):
        check_vector(jobs)


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
    with ended_in_order():
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
    from cnnfilter.files.images import Encoding  # noqa: PLC0415
    from cnnfilter.files.pictures import Reading  # noqa: PLC0415
    from cnnfilter.results import Handling  # noqa: PLC0415
    from cnnfilter.work import Work  # noqa: PLC0415

    remark_on_encoding(jobs, options)
    told = pipeline or NetworkOptions()
    handling = Handling(
        range_=Range(options.range_) if options.range_ else None,
        depth=wanted_depth(options),
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
        processes=options.jobs,
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


def _lists(options: FileOptions) -> tuple[Path, ...]:
    """Return the file that inputs are listed in."""
    return (Path(options.files_from),) if options.files_from and options.files_from != STANDARD else ()


def _kernel_files(networks: Sequence[Network]) -> tuple[Path, ...]:
    """Return the files from which the kernels of networks are read."""
    layers = [node.layer for network in networks for node in network.walk()]
    found = [recognize(word.text) for layer in layers if isinstance(layer, Convolution) for word in layer.kernels]
    return tuple(kernel.path for kernel in found if isinstance(kernel, KernelFile))


def _stdin_suffix(data: bytes) -> str:
    return ".txt" if looks_like_matrix(data) or not data else ""
