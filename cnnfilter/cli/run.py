"""From networks and the options for files to a batch, carried out and reported."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli.base import Console, detailed_log
from cnnfilter.errors import OutputError
from cnnfilter.files.formats import Depth, Range, find_format, looks_like_matrix
from cnnfilter.files.outputs import STANDARD, Job, OutputRequest, plan_outputs
from cnnfilter.kernels.words import KernelFile, recognize
from cnnfilter.spec.convolutions import Convolution

if TYPE_CHECKING:
    from cnnfilter.spec.network import Network


@dataclass(frozen=True)
class FileOptions:
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
    dry_run: bool
    quiet: bool
    verbose: bool


def filter_files(
    inputs: Sequence[str],
    networks: Sequence[Network],
    options: FileOptions,
    *,
    kernels: tuple[str, ...] = (),
    pipeline: bool = False,
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
        Whether the network was written in the layer language.

    Raises
    ------
    CnnFilterError
        If outputs or networks are wrong; nothing is read or written then.
    """
    request = OutputRequest(
        output=options.output,
        format_=options.format_.removeprefix(".") if options.format_ else None,
        kernels=kernels,
        in_place=options.in_place,
        kernel_files=_kernel_files(networks),
        stdin_suffix=".txt",
    )
    jobs, stdin = plan_outputs(inputs, request), b""
    if STANDARD in inputs:  # what is wrong whatever it holds has been said before it is waited for
        stdin = _read_stdin()
        jobs = plan_outputs(inputs, replace(request, stdin_suffix=_stdin_suffix(stdin)))
    _check_range(jobs, options)
    with detailed_log(enabled=options.verbose):
        if _carry_out(jobs, networks, options, stdin, pipeline=pipeline):
            click.get_current_context().exit(1)


def _carry_out(
    jobs: list[Job], networks: Sequence[Network], options: FileOptions, stdin: bytes, *, pipeline: bool
) -> int:
    # The arrays' libraries are loaded here, when all that can be refused without them has been.
    from cnnfilter.batch import Work, run_batch  # noqa: PLC0415
    from cnnfilter.compute.network import load_program  # noqa: PLC0415
    from cnnfilter.files.images import Encoding  # noqa: PLC0415

    work = Work(
        programs=tuple(load_program(network) for network in networks),
        jobs=tuple(jobs),
        range_=Range(options.range_) if options.range_ else None,
        depth=_depth(options),
        encoding=Encoding(options.quality, options.compression),
        pipeline=pipeline,
        allow_truncated=options.allow_truncated,
        no_clobber=options.no_clobber,
        fail_fast=options.fail_fast,
        stdin=stdin,
    )
    if options.dry_run:
        _list(jobs)
        return 0
    return run_batch(work, Console(quiet=options.quiet))


def _kernel_files(networks: Sequence[Network]) -> tuple[Path, ...]:
    """Return the files from which the kernels of networks are read."""
    layers = [layer for network in networks for layer in network.layers if isinstance(layer, Convolution)]
    found = [recognize(word.text) for layer in layers for word in layer.kernels]
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


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer.read()


def _stdin_suffix(data: bytes) -> str:
    return ".txt" if looks_like_matrix(data) or not data else ""


def _list(jobs: list[Job]) -> None:
    for job in jobs:
        click.echo(f"{job.source} -> {job.target or 'standard output'}")
