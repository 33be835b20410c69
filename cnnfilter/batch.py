"""Many inputs, one after the other: read, run, range, write; a failure is named and the rest done."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import Program, drop_single_channel, run_program
from cnnfilter.compute.visible import keeps_alpha, run_visible
from cnnfilter.errors import CnnFilterError, ImageFileError, one_line
from cnnfilter.files.formats import Depth, Range, find_format, is_matrix, looks_like_matrix
from cnnfilter.files.images import Encoding
from cnnfilter.files.levels import choose_depth, remark_on_clipping, to_levels
from cnnfilter.files.outputs import STANDARD, Job, make_folder_of, write_whole
from cnnfilter.files.pictures import Picture, decode_picture, encode_picture, read_bytes
from cnnfilter.kernels import never_negative
from cnnfilter.spec.summary import remarks, remarks_on_sums

logger = logging.getLogger("cnnfilter")


class Listener(Protocol):
    """Who is told what happens."""

    def remark(self, text: str) -> None:
        """Hear what is right but perhaps not meant so."""

    def failure(self, text: str) -> None:
        """Hear which input failed, and why."""

    def output(self, data: bytes) -> None:
        """Take what goes to standard output."""


@dataclass(frozen=True)
class Work:
    """What is done with every input.

    Parameters
    ----------
    programs
        The network for each kernel, or the one network.
    jobs
        What is made, the jobs of an input in a row.
    range_, depth, encoding
        How results become files.
    pipeline
        Whether the network was written out as one: it sees colours alone, and its sums are remarked upon.
    allow_truncated, no_clobber, fail_fast
        Whether damaged JPEGs are taken, files that exist are passed over, the first failure ends all.
    stdin
        What standard input held, if it is an input.
    """

    programs: tuple[Program, ...]
    jobs: tuple[Job, ...]
    range_: Range | None = None
    depth: Depth | None = None
    encoding: Encoding = field(default_factory=Encoding)
    pipeline: bool = False
    allow_truncated: bool = False
    no_clobber: bool = False
    fail_fast: bool = False
    stdin: bytes = b""


def run_batch(work: Work, listener: Listener) -> int:
    """Carry out all jobs, and return how many inputs failed.

    What fails is told to the listener as `PATH: reason`; the other inputs, and the other kernels on the
    same input, are done all the same.
    """
    failures = 0
    for source, jobs in groupby(work.jobs, key=lambda job: job.source):
        failures += not _filter_input(source, list(jobs), work, listener)
        if failures and work.fail_fast:
            break
    return failures


def _filter_input(source: str, jobs: list[Job], work: Work, listener: Listener) -> bool:
    """Carry out the jobs of one input, and return whether all went well."""
    wanted = [job for job in jobs if not (work.no_clobber and job.target and job.target.exists())]
    if not wanted:
        logger.debug("%s: passed over, its output exists", source)
        return True
    try:
        picture = _read(source, work)
    except _FAILURES as error:
        listener.failure(_named(source, error))
        return False
    failed = [job for job in wanted if not _carry_out(job, picture, work, listener)]
    return not failed


def _carry_out(job: Job, picture: Picture, work: Work, listener: Listener) -> bool:
    """Carry out one job on its input, and return whether it went well."""
    program = work.programs[job.kernel]
    logger.debug("%s: %s -> %s", job.source, program.network, job.target or "standard output")
    try:
        notes: list[str] = []
        pixels = _filter(picture, program, job, work, notes)
        data = encode_picture(pixels, job.format_name, work.encoding)
        if job.target:
            make_folder_of(job.target)
            write_whole(job.target, data)
        else:
            titled = sum(other.target is None for other in work.jobs) > 1
            title = one_line(f"# {_spoken(job.source)} {program.network}") + "\n" if titled else ""
            listener.output(os.fsencode(title) + data)
        for note in notes:
            listener.remark(f"{_spoken(job.source)}: {note}")
    except _FAILURES as error:
        listener.failure(_named(job.source, error))
        return False
    return True


_FAILURES = (CnnFilterError, MemoryError)
"""What makes an input fail, and not the program."""


def _named(source: str, error: Exception) -> str:
    """Return `PATH: reason`; errors about a file name it themselves."""
    if isinstance(error, ImageFileError):
        return str(error)
    return f"{_spoken(source)}: {'not enough memory' if isinstance(error, MemoryError) else error}"


def _spoken(source: str) -> str:
    """Return what an input is called in a message."""
    return "standard input" if source == STANDARD else source


def _read(source: str, work: Work) -> Picture:
    data = work.stdin if source == STANDARD else read_bytes(source)
    matrix = looks_like_matrix(data) if source == STANDARD else is_matrix(source)
    return decode_picture(data, _spoken(source), matrix=matrix, allow_truncated=work.allow_truncated)


def _filter(picture: Picture, program: Program, job: Job, work: Work, notes: list[str]) -> Array:
    """Return what the job's file is to hold; remarks are added to `notes`."""
    format_ = find_format(job.format_name)
    depth, remark = choose_depth(format_, work.depth, picture.depth)
    notes += [remark] if remark else []
    # A matrix has no white of its own: its numbers are levels of the output.
    maximum = picture.maximum
    if picture.matrix and depth is Depth.SIXTEEN:
        maximum = 65535.0
    values, alpha = _run(picture, program, work, notes)
    if alpha is not None and values.shape[2] != 3:
        notes.append("the result has no place for alpha, so that it lies on black")
        values, alpha = values * alpha, None
    levels = to_levels(values, range_=work.range_, maximum=maximum, depth=depth)
    clipping = remark_on_clipping(levels.clipped)
    notes += [clipping] if clipping else []
    if alpha is None:
        return drop_single_channel(levels.pixels)
    return _with_alpha(levels.pixels, alpha, depth, maximum)


def _run(picture: Picture, program: Program, work: Work, notes: list[str]) -> tuple[Array, Array | None]:
    """Return a program's result, and its alpha if the picture has one and the program keeps it."""
    pixels = picture.pixels
    if not picture.has_alpha:
        notes += _remarks(program, pixels.shape, work)
        return run_program(program, pixels), None
    colours = pixels[:, :, :3]
    notes += _remarks(program, colours.shape, work)
    if work.pipeline or not keeps_alpha(program):
        notes.append("the picture has alpha, and the network sees its colours alone")
        return run_program(program, colours), None
    alpha = pixels[:, :, 3:].astype(np.float32) / np.float32(picture.maximum)
    return run_visible(program, colours, alpha)


def _remarks(program: Program, shape: tuple[int, ...], work: Work) -> list[str]:
    """Return what a careful reader would say of this program on an input of this shape."""
    volume = shape if len(shape) == 3 else (*shape, 1)
    sums = remarks_on_sums(program.network, volume, never_negative) if work.pipeline else []
    return [*remarks(program.network, volume), *sums]


def _with_alpha(colours: Array, alpha: Array, depth: Depth, white: float) -> Array:
    """Return colours and their alpha in one array; in a float file alpha is in the colours' units."""
    if depth is Depth.FLOAT:
        return np.concatenate([colours, (alpha * white).astype(colours.dtype)], axis=2)
    held = to_levels(alpha, range_=None, maximum=1.0, depth=depth).pixels
    return np.concatenate([colours, held], axis=2)
