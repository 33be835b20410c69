"""From networks and settings to a batch, carried out and reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli.base import ended_in_order, told_log
from cnnfilter.cli.checks import check_results, gives_vector, remark_on_encoding, saved_layers
from cnnfilter.cli.companions import attended, check_companions, write_rules
from cnnfilter.cli.sources import collect, read_stdin
from cnnfilter.cli.views import check_views, wants_views
from cnnfilter.files.formats import Depth, Range, looks_like_matrix
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

if TYPE_CHECKING:
    from cnnfilter.cli.clerk import Clerk
    from cnnfilter.compute.weights import Model
    from cnnfilter.documents import Document
    from cnnfilter.spec.network import Network
    from cnnfilter.work import Settings, Work


def filter_files(
    inputs: Sequence[str],
    networks: Sequence[Network],
    settings: Settings,
    *,
    names: tuple[str, ...] = (),
    document: Document | None = None,
) -> None:
    """Run each network on each input, and leave with status 1 if an input failed.

    Parameters
    ----------
    inputs
        Paths, or `-`.
    networks
        One for each kernel, or one.
    settings
        What is made of results, and how; where views are wanted, nothing else is made without `-o`.
    names
        What the results of several networks are called.
    document
        What holds a network that was written in the layer language.

    Raises
    ------
    CnnFilterError
        If outputs or networks are wrong; nothing is read or written then.
    """
    gathered = collect(inputs, settings)
    sources = gathered.sources if gathered else inputs
    said = (document and document.path, settings.weights, settings.labels)
    prerequisites = (*_kernel_files(networks), *(path for path in said if path))
    listed = Path(settings.files_from) if settings.files_from not in {None, "", STANDARD} else None
    request = OutputRequest(
        output=settings.output,
        format_=settings.format_.removeprefix(".") if settings.format_ else None,
        kernels=names,
        layers=saved_layers(networks[0], settings.save) if settings.pipeline else (),
        prints=settings.pipeline and (settings.top is not None or gives_vector(networks[0])),
        in_place=settings.in_place,
        read_files=(*prerequisites, *([listed] if listed else ())),
        stdin_suffix=".txt",
        below=gathered.below if gathered else {},
    )
    check_views(settings)
    jobs, stdin = _name_jobs(sources, request, settings), b""
    if STANDARD in sources:  # what is wrong whatever it holds has been said before it is waited for
        stdin = read_stdin()
        request = request._replace(stdin_suffix=".txt" if looks_like_matrix(stdin) or not stdin else "")
        jobs = _name_jobs(sources, request, settings)
    check_results(jobs, networks[0], settings)
    protected = find_spared(sources, request)
    check_companions(jobs, settings, protected, prerequisites)
    missing = gathered.failures if gathered else ()
    total = len(missing) + len(group_by_input(jobs))
    with (
        attended(settings, total) as clerk,
        told_log(verbose=settings.verbose, quiet=settings.quiet, make_room=clerk.make_room),
    ):
        work = _prepare(jobs, networks, settings, document)
        work = work._replace(names=names, stdin=stdin, protected=protected, prerequisites=prerequisites)
        for path, reason in missing:
            _tell_missing(path, reason, clerk)
        _carry_out(work, clerk)
    if clerk.failed or clerk.troubles:
        click.get_current_context().exit(1)


def _name_jobs(sources: Sequence[str], request: OutputRequest, settings: Settings) -> list[Job]:
    """Return all jobs; where something is shown, results that nobody gave an output or asked to rank are not made."""
    if not wants_views(settings):
        return plan_outputs(sources, request)
    from cnnfilter.plots.targets import plan_views, request_views  # noqa: PLC0415  for those alone who want to see

    check_sources(sources)
    only_shown = request.output is None and not (request.in_place or settings.top is not None)
    jobs = [] if only_shown else plan_outputs(sources, request)
    return plan_views(jobs, sources, request_views(settings), find_spared(sources, request))


def _tell_missing(path: str, reason: str, clerk: Clerk) -> None:
    """Tell that a folder holds no input, as one that failed."""
    from cnnfilter.accounts import Account  # noqa: PLC0415  few folders are empty

    account = Account(path)
    account.failure(f"{path}: {reason}")
    account.close().tell_to(clerk)


def _carry_out(work: Work, clerk: Clerk) -> None:
    settings = work.settings
    if settings.dry_run:
        from cnnfilter.filtering import rehearse  # noqa: PLC0415  loads the arrays' libraries

        rehearse(work, clerk)
        return
    if settings.fail_fast and clerk.failed:
        return
    from cnnfilter.batch import run_batch  # noqa: PLC0415  loads the arrays' libraries

    with ended_in_order():
        run_batch(work, clerk)
    if settings.depfile:
        write_rules(Path(settings.depfile), clerk, work.prerequisites)


def _prepare(jobs: list[Job], networks: Sequence[Network], settings: Settings, document: Document | None) -> Work:
    """Return the work, with what it needs to be loaded: weights, labels, and the arrays' libraries."""
    if settings.max_pixels:
        allow_pixels(settings.max_pixels)
    from cnnfilter.work import Work  # noqa: PLC0415

    remark_on_encoding(jobs, settings)
    if settings.range_ is Range.NONE:
        settings = settings._replace(depth=Depth.FLOAT)
    if settings.top is not None:
        from cnnfilter.files.ranking import Ranking, read_labels  # noqa: PLC0415  for classes alone

        labels = read_labels(settings.labels) if settings.labels else ()
        settings = settings._replace(ranking=Ranking(settings.top, labels, str(settings.labels)))
    models = tuple(_load_model(network, settings, document) for network in networks)
    if settings.colormap is not None:
        from cnnfilter.plots.sheets import check_colormap  # noqa: PLC0415  for figures alone

        check_colormap(settings.colormap)
    if settings.plot == "show" and len(group_by_input(jobs)) > 1:  # each window in its turn
        settings = settings._replace(jobs=1)
    return Work(settings, models, tuple(jobs))


def _load_model(network: Network, settings: Settings, document: Document | None) -> Model:
    """Return a network with its weights; those that shall fit the input it names are tried at once."""
    from cnnfilter.compute.states import RandomWeights, StateDict  # noqa: PLC0415
    from cnnfilter.compute.weights import Model  # noqa: PLC0415

    weights: RandomWeights | StateDict | None = None
    if settings.init:
        weights = RandomWeights(settings.init, settings.seed or 0)
    elif settings.weights:
        from cnnfilter.files.weights import keeps_order, read_weights  # noqa: PLC0415  trained ones alone

        weights = StateDict(
            read_weights(settings.weights), str(settings.weights), ordered=keeps_order(settings.weights)
        )
    model = Model(network, weights, str(document.path or "") if document else "")
    if document and document.input and settings.weights:
        model.program(document.input)
    return model


def _kernel_files(networks: Sequence[Network]) -> tuple[Path, ...]:
    """Return the files from which the kernels of networks are read."""
    layers = [node.layer for network in networks for node in network.walk()]
    found = [recognize(word.text) for layer in layers if isinstance(layer, Convolution) for word in layer.kernels]
    return tuple(kernel.path for kernel in found if isinstance(kernel, KernelFile))
