"""From networks and settings to a batch: inputs found, outputs checked, the work carried out and reported."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cnnfilter.cli.options import NO_FIGURE
from cnnfilter.cli.report import Reporter, check_reports
from cnnfilter.errors import ImageFileError, LanguageError, OutputError, nearest
from cnnfilter.io.addresses import as_local, check_stores, is_address, is_private
from cnnfilter.io.formats import FORMATS, FORMATS_TAKING, ZARR, Depth, Range, find_format, is_array, looks_like_matrix
from cnnfilter.io.paths import (
    STANDARD,
    STANDARD_OUTPUTS,
    Job,
    OutputRequest,
    allow_pixels,
    find_inputs,
    identify_all,
    parse_list,
    plan_outputs,
)
from cnnfilter.kernels.spec import recognize
from cnnfilter.log import warn
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.layers import Convolution
from cnnfilter.run.settings import ALL, Settings, Work, plan_views

if TYPE_CHECKING:
    from cnnfilter.compute.state_dict import RandomWeights, StateDict
    from cnnfilter.network_files import Document
    from cnnfilter.nn.network import Network


def filter_files(
    inputs: Sequence[str],
    networks: Sequence[Network],
    settings: Settings,
    *,
    names: tuple[str, ...] = (),
    document: Document | None = None,
) -> None:
    """Run each network on each input, and leave with status 1 if an input failed; `names` are those of the results."""
    if settings.output in STANDARD_OUTPUTS:
        settings = settings._replace(output=STANDARD)
    if settings.output:
        settings = settings._replace(output=as_local(settings.output))
    if settings.resize:
        from cnnfilter.network_files import Preparation  # noqa: PLC0415  a kernel alone needs none

        settings = settings._replace(preparation=replace(settings.preparation or Preparation(), size=settings.resize))
    sources, below, failures = _collect(inputs, settings)
    prerequisites = _find_prerequisites(networks, settings, document)
    listed = Path(settings.files_from) if settings.files_from not in {None, "", STANDARD} else None
    request = OutputRequest(
        output=settings.output,
        format_=settings.format_.removeprefix(".") if settings.format_ else None,
        kernels=names,
        layers=_saved_layers(networks[0], settings.save) if settings.pipeline else (),
        prints=settings.output is None and _prints_numbers(networks[0], settings),
        in_place=settings.in_place,
        read_files=(*prerequisites, *([listed] if listed else ())),
        below=below,
        page=settings.page,
        copies=settings.copies,
    )
    _check_arrays(sources, settings)
    jobs, stdin = _name_jobs(sources, request, settings), b""
    if STANDARD in sources:  # what is wrong whatever it holds has been said before it is waited for
        stdin = _read_stdin()
        jobs = _name_jobs(sources, request, settings, stdin)
    _check_results(jobs, networks[0], settings)
    if settings.cluster:
        _check_reach(jobs, settings)
    writes_more = settings.save or settings.report or settings.depfile  # than the jobs name, which have been checked
    protected = identify_all((*sources, *request.read_files)) if writes_more else frozenset()
    if settings.report or settings.depfile or settings.update:
        check_reports(jobs, settings, protected, prerequisites)
    each_input = [list(group) for _, group in groupby(jobs, key=lambda job: job.source)]
    work = Work(settings, (), each_input, names, stdin, protected, prerequisites, below)
    reporter = Reporter(settings, [*(path for path, _ in failures), *(jobs[0].source for jobs in each_input)])
    with reporter.progress.shown() if reporter.progress else nullcontext():
        _carry_out(_prepare(work, networks, document), failures, reporter)
    reporter.close()
    if reporter.failed or reporter.troubles:
        click.get_current_context().exit(1)


def _find_prerequisites(networks: Sequence[Network], settings: Settings, document: Document | None) -> tuple[Path, ...]:
    """Return the files beside the inputs on which results depend."""
    all_layers = [node.layer for network in networks for node in network.all_nodes]
    words = [word for layer in all_layers if isinstance(layer, Convolution) for word in layer.kernels]
    kernels = [getattr(found, "path", found) for found in (recognize(word.text) for word in words)]
    patterns = [Path(path) for layer in all_layers for path in layer.files]
    files = (*kernels, *patterns, document and document.path, settings.weights, settings.labels)
    return tuple(path for path in files if isinstance(path, Path))


def _collect(
    inputs: Sequence[str], settings: Settings
) -> tuple[Sequence[str], Mapping[str, str], Sequence[tuple[str, str]]]:
    """Return the inputs that the command line, a list and folders name, where they are below, and what holds none."""
    if settings.null and not settings.files_from:
        raise OutputError("-0 needs --files-from FILE")
    if not inputs and not settings.files_from:
        raise click.UsageError("Missing argument 'INPUT...'.", click.get_current_context())
    words = tuple(inputs)
    if settings.files_from:
        try:
            data = _read_stdin() if settings.files_from == STANDARD else Path(settings.files_from).read_bytes()
        except OSError as error:
            raise ImageFileError(error.strerror or error, path=settings.files_from) from error
        words += parse_list(data, null=settings.null)
        if not words:
            warn(f"{settings.files_from}: the list names no input")
        if settings.files_from == STANDARD and STANDARD in words:
            raise OutputError("standard input holds the list of inputs, and cannot be one of them")
    words = tuple(map(as_local, words))
    check_stores([*words, settings.output or ""])
    if settings.recursive:
        sources, below, failures, warnings = find_inputs(words, settings.output)
        for text in warnings:
            warn(text)
        return sources, below, failures
    for word in words:
        if not is_array(word) and (os.path.isdir(word) or (is_address(word) and word.endswith("/"))):  # noqa: PTH112  Path.is_dir raises if it is too long
            raise OutputError(f"{word}: is a folder; -r reads the images in it")
    return words, {}, ()


def _count_pages(sources: Sequence[str], stdin: bytes) -> dict[str, int]:
    """Return how many pages inputs have, by their heads."""
    from cnnfilter.run.inputs import count_pages  # noqa: PLC0415  nobody else needs heads before the work

    return {source: count_pages(source, stdin) for source in sources}


def _read_stdin() -> bytes:
    """Return all that standard input holds."""
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard input") from error


def _find_suffix(stdin: bytes) -> str:
    """Return what the name of standard input would end in: that of a text for a matrix, else by how it begins."""
    if not stdin or looks_like_matrix(stdin):
        return ".txt"
    from cnnfilter.io.signatures import HEAD, recognise  # noqa: PLC0415  most inputs have names

    format_ = recognise(stdin[:HEAD])
    return next((suffix for suffix, row in FORMATS.items() if row.name == format_), "")


def _name_jobs(sources: Sequence[str], request: OutputRequest, settings: Settings, stdin: bytes = b"") -> list[Job]:
    """Return all jobs; where something is shown, results that nobody gave an output or asked to rank are not made.

    Raise an `OutputError` if an option of figures, moving pictures or explanations needs another.
    """
    for owner, names in {"plot": ("equalize", "own_scales", "colormap"), "animate": ("around", "fps")}.items():
        for name in names:
            if getattr(settings, name) not in {None, False} and getattr(settings, owner) is None:
                raise OutputError(f"--{name.replace('_', '-')} needs --{owner} FILE")
    if settings.plot is None and settings.animate is None and (settings.figure_size or settings.dpi):
        raise OutputError(NO_FIGURE)
    lists = settings.lists
    if lists and settings.output == STANDARD:
        raise OutputError("--peaks, --shift and -o - all print on standard output; use -o FILE")
    if settings.explain is not None and settings.output == STANDARD:
        raise OutputError("--explain and -o - both print on standard output; use -o FILE")
    shows = lists or any(view is not None for view in (settings.plot, settings.animate, settings.explain))
    if settings.json and settings.explain is None and settings.top is None and not lists:
        raise OutputError(
            f"--json needs {'--top N or ' if settings.pipeline else ''}--explain Y,X, whose result it prints"
        )
    if settings.map is not None and settings.explain is None:
        raise OutputError("--map chooses what --explain Y,X follows, which is not there")
    if settings.explain is not None and settings.top is not None:
        raise OutputError("--top lists classes, and --explain follows one value; leave one out")
    if settings.json and settings.top is not None and settings.output not in {None, STANDARD}:
        raise OutputError("--top N --json prints on standard output, and -o writes a file; leave -o out")
    _check_together(settings)
    if settings.cluster and settings.jobs:
        raise OutputError("-j is for this machine, and the workers of --cluster have their own threads; leave -j out")
    expands = "{page}" in (settings.output or "")  # each page gets an output
    pages = _count_pages(sources, stdin) if expands else {}
    request = request._replace(stdin_suffix=_find_suffix(stdin), pages=pages)
    only_shows = shows and request.output is None and not (request.in_place or settings.top is not None)
    jobs = plan_outputs(sources, request, only_shows=only_shows)
    _check_terminal(jobs)
    if settings.with_:
        from cnnfilter.run.masks import plan_masks  # noqa: PLC0415  one command moves masks

        jobs = plan_masks(jobs, request, settings.with_, settings.with_output)
    return plan_views(jobs, sources, settings, identify_all((*sources, *request.read_files))) if shows else jobs


def _check_terminal(jobs: Sequence[Job]) -> None:
    """Raise an `OutputError` if the bytes of a file would be printed on a terminal."""
    formats = [find_format(job.format_name) for job in jobs if job.format_name and not job.target]
    binary = next((format_ for format_ in formats if not format_.separator), None)
    if binary and sys.stdout is not None and sys.stdout.isatty():
        raise OutputError(f"standard output is a terminal, and {binary.name} is not text; use -o FILE or > FILE")


def _check_together(settings: Settings) -> None:
    """Raise an `OutputError` if two options each make of the result what the other cannot take."""
    preparation = settings.preparation
    is_normalized = preparation is not None and (preparation.mean, preparation.std) != ((0.0,), (1.0,))
    if settings.linear and is_normalized:
        raise OutputError("--linear filters light, and --mean and --std make other numbers of it; leave out one")
    names = ("explain", "animate", "top", "peaks", "shift")
    views = [name for name in names if getattr(settings, name) not in {None, False}]
    if settings.explain == ALL:
        if settings.plot is not None:
            raise OutputError("--explain all prints every value, and --plot draws one; give it as --explain Y,X")
        views.remove("explain")  # a region chooses the values
    if settings.region and (settings.plot is not None or views or settings.save):
        option = "plot" if settings.plot is not None else views[0] if views else "save"
        raise OutputError(f"--region takes a part of the result, and --{option} goes by the whole; leave out one")
    if settings.luma and views:
        raise OutputError(
            f"--channels luma does not go with --{views[0]}; --channels gray shows what is done to the luma"
        )
    if settings.linear and views:
        raise OutputError(f"--linear does not go with --{views[0]}, which shows numbers as the network computes them")


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
    return any(node.layer.op in {"flatten", "linear"} for node in network.nodes)


def _prints_numbers(network: Network, settings: Settings) -> bool:
    """Return whether a region, classes, a number for each channel, or a vector are wanted, whatever goes in."""
    if settings.region is not None or settings.top is not None:
        return True
    last = {layer.op for layer in network.layers[-1:]}
    return _gives_vector(network) or not last.isdisjoint({"globalmaxpool", "globalavgpool"})


def _check_results(jobs: list[Job], network: Network, settings: Settings) -> None:
    """Raise an `OutputError` if the files that are named cannot hold what comes out."""
    for job in jobs:
        if not job.view and find_format(job.format_name) is ZARR:
            _check_array(job, settings)
    if settings.range_ is Range.NONE and settings.depth not in {None, Depth.FLOAT}:
        raise OutputError(f"--range none keeps floats as they are, and --depth {settings.depth} does not")
    is_vector = settings.pipeline and not settings.save and _gives_vector(network)
    if settings.range_ is not Range.NONE and settings.top is None and not is_vector:  # any format holds a picture
        return
    for job in jobs:
        if job.view:
            continue
        format_, where = find_format(job.format_name), job.target or "standard output"
        if settings.range_ is Range.NONE and Depth.FLOAT not in format_.depths:
            raise OutputError(
                f"--range none needs a file that holds floats, such as .npy, .pfm or .tiff, not {format_.name}"
            )
        if settings.top is not None and not format_.separator:
            raise OutputError(f"{where}: --top writes lines of text: .txt, .csv or .tsv, or --format txt")
        if is_vector and (format_ is ZARR or not format_.is_matrix):
            raise OutputError(
                f"{where}: the result of the network is a vector; use .txt, .csv, .tsv or .npy, or --format txt"
            )


def _check_array(job: Job, settings: Settings) -> None:
    """Raise an `OutputError` if a job makes a Zarr array where none can be, or by an option that looks at times."""
    if not job.target:
        raise OutputError("standard output holds no .zarr, which is a folder; --format npy or -o FILE.zarr")
    if not is_array(job.target):
        raise OutputError("the name of a Zarr array ends in .zarr", path=job.target)
    for option in ("update", "depfile"):
        if getattr(settings, option):
            raise OutputError(f"--{option} goes by times, and a .zarr keeps none", path=job.target)


def _check_arrays(sources: Sequence[str], settings: Settings) -> None:
    """Raise an `OutputError` if Zarr arrays are among other inputs, or an option does not go with them."""
    arrays = [source for source in sources if is_array(source)]
    if not arrays:
        return
    if other := next((source for source in sources if not is_array(source)), None):
        raise OutputError(f"is not a .zarr, and {arrays[0]} is one; they need a command each", path=other)
    if settings.update or settings.depfile:
        option = "update" if settings.update else "depfile"
        raise OutputError(f"--{option} goes by times, and a .zarr keeps none", path=arrays[0])
    if settings.in_place:
        raise OutputError("--in-place replaces files, and a .zarr is read while its result is written", path=arrays[0])
    for name in ("save", "plot", "animate", "explain", "top", "resize", "linear", "page", "peaks", "shift"):
        if getattr(settings, name) not in {None, False, ()}:
            what = f"--{name} takes images; --region Y1:Y2,X1:X2 -o FILE.npy makes a file of a part of the array"
            raise OutputError(what, path=arrays[0])
    if settings.output is None and not settings.region:
        what = "an array needs an output: -o FILE or -o FOLDER/; --region Y1:Y2,X1:X2 prints a part"
        raise OutputError(what, path=arrays[0])


def _check_reach(jobs: Sequence[Job], settings: Settings) -> None:
    """Raise an `OutputError` if a job needs what a worker of a cluster does not have."""
    for job in jobs:
        for name in (job.source, str(job.target or "")):
            if is_private(name):
                raise OutputError("memory:// is within one process, and --cluster has others", path=name)
        if job.is_stream:
            raise OutputError("is a pipe or a device of this machine, and --cluster has others", path=job.target)
    if settings.plot == "show":
        raise OutputError("--plot show opens a window here, and --cluster works elsewhere; use --plot FILE.png")


def _carry_out(work: Work, missing: Sequence[tuple[str, str]], reporter: Reporter) -> None:
    """Work on all inputs, or say what would be made of them; folders that hold no input have failed."""
    from cnnfilter.run.inputs import Outcome, rehearse, run_batch  # noqa: PLC0415  loads the arrays' libraries

    for path, reason in missing:
        outcome = Outcome(path)
        outcome.fail(ImageFileError(reason, path=path))
        reporter.add(outcome)
    if work.settings.dry_run:
        rehearse(work, reporter.add)
        return
    if work.settings.fail_fast and reporter.failed:
        return
    with exiting_on_signals():
        run_batch(work, reporter.add)
    if work.settings.depfile:
        reporter.write_rules(Path(work.settings.depfile), work.prerequisites)


@contextmanager
def exiting_on_signals() -> Iterator[None]:
    """Let the signals that ask a process to end raise `SystemExit` while the block runs, with the status of shells."""
    import signal  # noqa: PLC0415  where nothing is written, nothing is left half written
    import threading  # noqa: PLC0415

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGHUP) if is_main else ()
    usual = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in usual:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, signal.SIG_DFL)


def _prepare(work: Work, networks: Sequence[Network], document: Document | None) -> Work:
    """Return the work with what it needs to be loaded: weights, labels, and the arrays' libraries."""
    settings = work.settings
    if settings.max_pixels:
        allow_pixels(settings.max_pixels)
    if settings.format_ or settings.quality is not None or settings.compression is not None:
        _warn_of_formats([job for jobs in work.inputs for job in jobs if not job.view], settings)
    if settings.range_ is Range.NONE:
        settings = settings._replace(depth=Depth.FLOAT)
    if settings.top is not None:
        from cnnfilter.compute.classes import Ranking, read_labels  # noqa: PLC0415  for classes alone

        labels, source = read_labels(settings.labels) if settings.labels else (), settings.labels
        if settings.weights and not labels:
            from cnnfilter.io.weights import read_classes  # noqa: PLC0415  most networks learn nothing

            labels, source = read_classes(settings.weights), settings.weights
        settings = settings._replace(ranking=Ranking(settings.top, labels, str(source)))
    from cnnfilter.compute.tiles import Model  # noqa: PLC0415  a usage error goes without numpy

    weights = _load_weights(settings, document)
    models = tuple(
        Model(network, weights, document.name if document else "", luma=settings.luma) for network in networks
    )
    if (
        document and document.input and (settings.weights or document.state)
    ):  # that they fit is seen before any input is read
        models[0].program(document.input)
    if settings.colormap is not None:
        from cnnfilter.plot.sheet import check_colormap  # noqa: PLC0415  for figures alone

        check_colormap(settings.colormap)
    if settings.plot == "show" and len(work.inputs) > 1:  # each window in its turn
        settings = settings._replace(jobs=1)
    return work._replace(settings=settings, models=models)


def _load_weights(settings: Settings, document: Document | None) -> RandomWeights | StateDict | None:
    """Return random weights, those of a file, or those that the network brings; None if there are none."""
    if not (settings.init or settings.weights or (document and document.state)):
        return None
    from cnnfilter.compute.state_dict import RandomWeights, StateDict, read_state_dict  # noqa: PLC0415  few need them

    if settings.init:
        return RandomWeights(settings.init, settings.seed or 0)
    if settings.weights:
        return read_state_dict(settings.weights)
    assert document
    assert document.state
    return StateDict(document.state, document.name)


def _warn_of_formats(jobs: Sequence[Job], settings: Settings) -> None:
    """Warn of options that no format among the outputs takes, and of suffixes that --format contradicts."""
    names = {find_format(job.format_name).name for job in jobs}
    for option, value in (("quality", settings.quality), ("compression", settings.compression)):
        takers = FORMATS_TAKING[option]
        if value is not None and names.isdisjoint(takers):
            outputs = ", ".join(sorted(names)) or "figures"
            warn(f"--{option} is for {', '.join(takers)}, and changes nothing in {outputs}")
    for job in jobs:
        if job.target and str(job.target) != job.format_name and job.target.suffix.lower() in FORMATS:
            warn(f"{job.target}: is written as {find_format(job.format_name).name}, because of --format")
