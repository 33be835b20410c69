"""How large an image may be, by its header, before anything is decoded; and how much memory is free."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfilter.errors import ImageFileError, MissingLibraryError

if TYPE_CHECKING:
    from cnnfilter.files.headers import Header

OPENCV_LIMIT = 1 << 30
"""So many pixels OpenCV reads unless its environment variable says otherwise (imgcodecs, loadsave.cpp)."""

VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"

_WORTH_ASKING = 1 << 28
"""Bytes below which the system is not asked for its free memory."""

_NUMBER = re.compile(r"(\d{1,12})(KB|Kb|kb|MB|Mb|mb)?", re.ASCII)
"""What OpenCV understands in its variables; anything else ends the process when it is loaded."""


def largest_picture() -> int:
    """Return how many pixels OpenCV reads, by its environment variable or by itself."""
    match = _NUMBER.fullmatch(os.environ.get(VARIABLE, ""))
    return int(match[1]) << {"": 0, "K": 10, "M": 20}[(match[2] or "")[:1].upper()] if match else OPENCV_LIMIT


def check_environment() -> None:
    """Raise a `MissingLibraryError` if OpenCV would end the process over one of its variables."""
    for variable in (VARIABLE, "OPENCV_IO_MAX_IMAGE_WIDTH", "OPENCV_IO_MAX_IMAGE_HEIGHT"):
        text = os.environ.get(variable)
        if text is not None and not _NUMBER.fullmatch(text):
            raise MissingLibraryError(
                f"OpenCV cannot be loaded: {variable} is {text!r}, and must be a number, such as {OPENCV_LIMIT}"
            )


def allow_pixels(number: int) -> None:
    """Let OpenCV read pictures of so many pixels; in effect if it has not been loaded yet."""
    if number > largest_picture():
        os.environ[VARIABLE] = str(number)


def check_header(header: Header, name: str, most_pixels: int | None = None) -> None:
    """Raise an `ImageFileError` if a file promises more pixels than are allowed, or than memory could hold.

    As many are allowed in all pages as `most_pixels` says, or as OpenCV reads.
    """
    limit = largest_picture() if most_pixels is None else most_pixels
    size = f"{header.height}x{header.width} pixels"
    what = size if header.pages == 1 else f"{header.pages} pages, the first of {size}, {header.pixels} in all,"
    one = "" if header.pages == 1 else "--page N reads one page; "
    if header.pixels > limit:
        variable = f"the environment variable {VARIABLE}"
        reason = f"{what} are more than the limit of {limit}; {one}--max-pixels N, or {variable}, sets another"
        raise ImageFileError(reason, path=name)
    if lack := lacks_memory(2 * header.pixels * header.depth):  # the image and its result
        raise ImageFileError(f"{what} {lack}{one and f'; {one[:-2]}'}", path=name)


def is_endless(path: Path) -> bool:
    """Return whether a path is that of a device: `/dev/zero` gives bytes for ever. A terminal is a stream."""
    mode = path.stat().st_mode
    if stat.S_ISBLK(mode):
        return True
    if not stat.S_ISCHR(mode):
        return False
    with path.open("rb", buffering=0) as file:
        return not file.isatty()


def lacks_memory(needed: int) -> str:
    """Return how many bytes are needed and how many are free, if there are fewer; else the empty string."""
    if needed <= _WORTH_ASKING or needed <= (free := free_memory()):
        return ""
    return f"need {needed >> 20} MB of memory, and {free >> 20} MB are free"


def free_memory() -> int:
    """Return how many bytes this process can still have, as far as the system tells; else more than any machine has."""
    free = [1 << 62]
    with suppress(OSError, ValueError, StopIteration):  # what Linux calls available: free, or given back by caches
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    with suppress(OSError, ValueError):  # what a container's group (version 2) still has
        most, now = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        free.append(max(0, int(most) - int(now)))
    with suppress(ImportError, OSError, ValueError, IndexError):  # what `ulimit -v` leaves
        from resource import RLIM_INFINITY, RLIMIT_AS, getpagesize, getrlimit  # noqa: PLC0415  Windows has none

        if (limit := getrlimit(RLIMIT_AS)[0]) != RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            free.append(max(0, limit - pages * getpagesize()))
    return min(free)
