"""Inputs that are not named one by one: those of a folder, and those of a list."""

import errno
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnnfilter.errors import ImageFileError
from cnnfilter.files.formats import IMAGE_SUFFIXES, READ_ONLY_SUFFIXES
from cnnfilter.files.outputs import STANDARD


class Gathered(NamedTuple):
    """All inputs.

    Parameters
    ----------
    sources
        Paths, or `-`, in the order in which they were given; those of a folder by name.
    below
        Where an input lies below the folder that was given, for those that lie deeper.
    failures
        Folders that could not be looked into, or hold no picture, each with the reason.
    remarks
        What was passed over.
    """

    sources: tuple[str, ...]
    below: dict[str, str]
    failures: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()


def gather(words: Sequence[str], output: str | None) -> Gathered:
    """Return all inputs that words name, folders standing for the pictures in them and below.

    Hidden files and folders are passed over, and so is the folder that the results go into.

    Parameters
    ----------
    words
        Files, folders, or `-`.
    output
        `-o`.
    """
    sources: list[str] = []
    below: dict[str, str] = {}
    failures: list[tuple[str, str]] = []
    passed: dict[str, list[str]] = defaultdict(list)
    spared = _folder_of_results(output) if output else ""
    for word in words:
        if not Path(word).is_dir():
            if word == STANDARD or os.path.lexists(word):
                sources.append(word)
            else:
                failures.append((word, os.strerror(errno.ENOENT)))
            continue
        before, missed = len(sources), len(failures)
        for source, folder in _walk(word, spared, failures, passed):
            sources.append(source)
            if folder:
                below[source] = folder
        if len(sources) == before and len(failures) == missed:
            failures.append((word, f"no picture in this folder, or below it ({' '.join(IMAGE_SUFFIXES)})"))
    remarks = (f"{len(paths)} passed over, such as {paths[0]}: they {why}" for why, paths in passed.items())
    return Gathered(tuple(sources), below, tuple(failures), tuple(remarks))


def _folder_of_results(output: str) -> str:
    """Return the folder `-o` itself, or that of the file or the template that it names."""
    is_folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    return os.path.realpath(output if is_folder else Path(output).parent)


def _walk(
    top: str, spared: str, failures: list[tuple[str, str]], passed: dict[str, list[str]]
) -> Iterator[tuple[str, str]]:
    """Yield each picture below a folder, and in which folder below it that lies; links to folders are not followed."""

    def fail(error: OSError) -> None:
        failures.append((str(error.filename), error.strerror or str(error)))

    for folder, folders, names in os.walk(top, onerror=fail):
        kept = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(name for name in kept if os.path.realpath(Path(folder, name)) != spared)
        inner = os.path.relpath(folder, top)
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith("."):
                continue
            if name.lower().endswith(READ_ONLY_SUFFIXES):
                passed["are of formats that are not written; --format, or a template, writes another"].append(str(path))
            elif name.lower().endswith(IMAGE_SUFFIXES) and _is_odd(path):
                passed["are no regular files"].append(str(path))
            elif name.lower().endswith(IMAGE_SUFFIXES):
                yield str(path), "" if inner == "." else inner


def _is_odd(path: Path) -> bool:
    """Return whether a path is that of a pipe or a device, at which reading would wait for ever."""
    return path.exists() and not path.is_file()


def parse_list(data: bytes, *, null: bool) -> tuple[str, ...]:
    r"""Return the names in a list, a line each, or each ended by a NUL; empty ones are none.

    Examples
    --------
    >>> parse_list(b"a b.png\r\n\nc.png", null=False)
    ('a b.png', 'c.png')
    """
    names = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if any(b"\0" in name for name in names):
        raise ImageFileError("the list of inputs has NULs in it, which -0 takes for the ends of names")
    return tuple(os.fsdecode(name) for name in names if name)
