"""Where inputs come from: the command line, a list, folders, standard input."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli.base import Console
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.files.outputs import STANDARD, Gathered, gather, parse_list
from cnnfilter.files.writing import is_directory

if TYPE_CHECKING:
    from cnnfilter.work import Settings


def collect(inputs: Sequence[str], settings: Settings) -> Gathered | None:
    """Return the inputs that the command line, a list and folders name, or None where they are those named.

    Raises
    ------
    CnnFilterError
        If a list cannot be read, or standard input would be read twice.
    UsageError
        If no input is named.
    """
    if settings.null and not settings.files_from:
        raise OutputError("-0 says how the names in the list of --files-from end")
    if not inputs and not settings.files_from:
        raise click.UsageError("Missing argument 'INPUT...'.", click.get_current_context())
    if not settings.files_from and not settings.recursive:
        _refuse_folders(inputs)
        return None
    words = (*inputs, *(_listed(settings.files_from, null=settings.null) if settings.files_from else ()))
    if not words:
        Console(quiet=settings.quiet).remark(f"{settings.files_from}: the list names no input")
    if settings.files_from == STANDARD and STANDARD in words:
        raise OutputError("standard input holds the list of inputs, and cannot be one of them")
    if not settings.recursive:
        _refuse_folders(words)
        return Gathered(words, {})
    gathered = gather(words, settings.output)
    for remark in gathered.remarks:
        Console(quiet=settings.quiet).remark(remark)
    return gathered


def _refuse_folders(words: Sequence[str]) -> None:
    """Raise an `OutputError` if an input is a folder, which nobody said to look into."""
    for word in words:
        if is_directory(Path(word)):
            raise OutputError(f"{word}: is a folder; -r takes the pictures in it")


def _listed(path: str, *, null: bool) -> tuple[str, ...]:
    try:
        return parse_list(read_stdin() if path == STANDARD else Path(path).read_bytes(), null=null)
    except OSError as error:
        raise ImageFileError(f"{path}: {error.strerror or error}") from error


def read_stdin() -> bytes:
    """Return all that standard input holds."""
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer.read()
