"""What Linux's usual C library does differently when it is asked."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>."""

_KEPT = 256 << 20
"""Bytes of freed memory that a process, each worker of a batch, keeps at most."""

_FROM_HEAP = 32 << 20
"""Bytes of an array up to which its memory is kept at all: the most that glibc allows."""


@cache
def find_glibc() -> CDLL | None:
    """Return the GNU C library, or None where another is in use."""
    import ctypes  # noqa: PLC0415  numpy has loaded it before, where there is any picture

    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def keep_freed_memory() -> None:
    """Let this process keep the memory of arrays that it has freed for the next ones.

    Given back and taken anew, each page of it costs a fault, which small pictures feel most.
    """
    if library := find_glibc():
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_MMAP_THRESHOLD, _FROM_HEAP)
