"""What Linux's usual C library does differently when it is asked."""

from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>: up to which freed memory, in all and of an array, is kept."""


def keep_freed_memory() -> None:
    """Let this process keep freed arrays for the next ones, where glibc can: a page taken anew costs a fault."""
    import ctypes  # noqa: PLC0415  numpy has loaded it before, where there is any image

    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, 256 << 20)
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows
