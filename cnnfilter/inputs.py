"""Inputs of a batch: read, or their sizes alone, or passed over; and how their failures are told."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from cnnfilter.errors import CnnFilterError, ImageFileError
from cnnfilter.files.formats import Depth, is_matrix, looks_like_matrix
from cnnfilter.files.headers import read_header
from cnnfilter.files.outputs import STANDARD, Job, spoken
from cnnfilter.files.pictures import Picture, decode_picture, read_bytes

if TYPE_CHECKING:
    from cnnfilter.work import Work

FAILURES = (CnnFilterError, MemoryError)
"""What makes an input fail, and not the program."""


def name_failure(source: str, error: Exception) -> str:
    """Return `PATH: reason`; errors about a file name it themselves."""
    if isinstance(error, ImageFileError):
        return str(error)
    return f"{spoken(source)}: {'not enough memory' if isinstance(error, MemoryError) else error}"


def find_reason_to_pass(job: Job, names: list[str], work: Work) -> str:
    """Return why a job's files need not be made again, `exists` or `is up to date`, or nothing."""
    if job.target is None:
        return ""
    if work.no_clobber and not job.layer and job.target.exists():
        return "exists"
    if not work.update:
        return ""
    from cnnfilter.files.make import is_up_to_date  # noqa: PLC0415  --update alone asks

    paths = [Path(name) for name in names]
    return "is up to date" if is_up_to_date(paths, job.source, work.prerequisites) else ""


def read_input(source: str, work: Work) -> Picture:
    """Return the picture or matrix of an input; `ImageFileError` if there is none."""
    data = work.stdin if source == STANDARD else read_bytes(source)
    matrix = looks_like_matrix(data) if source == STANDARD else is_matrix(source)
    return decode_picture(data, spoken(source), matrix=matrix, reading=work.reading)


def sketch_input(source: str, work: Work) -> Picture:
    """Return a picture as large as an input, without its pixels where the head of its file tells how large it is."""
    return sketch_file(source) or read_input(source, work)


def sketch_file(source: str) -> Picture | None:
    """Return a picture as large as that in a file, or None where its head does not tell; no pipe is read."""
    if source == STANDARD or is_matrix(source) or not os.path.isfile(source):  # noqa: PTH113  as text
        return None
    try:
        with Path(source).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = read_header(cast(bytes, data))  # a map is sliced and searched as bytes are
    except (OSError, ValueError):  # what is empty, or not there at all, is read as ever
        return None
    return Picture(np.broadcast_to(np.uint8(0), header.shape), Depth.EIGHT) if header and header.shape else None
