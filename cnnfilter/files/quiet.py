"""What the image libraries say on the process's standard error, kept from the user and heard by us."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

_LOCK = threading.Lock()


@contextmanager
def captured_complaints() -> Iterator[list[str]]:
    """Yield a list that holds, once the block is left, the lines that were written to file descriptor 2.

    libpng and libjpeg write there by themselves, past OpenCV's log level. One block runs at a time.
    """
    complaints: list[str] = []
    with _LOCK, _open_nowhere() as file:
        saved = _keep_standard_error()
        os.dup2(file.fileno(), 2)
        try:
            yield complaints
        finally:
            if saved is None:
                os.close(2)
            else:
                os.dup2(saved, 2)
                os.close(saved)
            file.seek(0)
            complaints += file.read().decode("utf-8", "replace").splitlines()


def _open_nowhere() -> BinaryIO:
    """Return a file without a name."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("complaints"), "w+b")  # noqa: PTH123  a descriptor is no path
    import tempfile  # noqa: PLC0415  it costs 3 ms where the system has no such files

    return tempfile.TemporaryFile()


def _keep_standard_error() -> int | None:
    """Return a second descriptor of standard error, flushed, or None if the process was started without one."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        return os.dup(2)
    except OSError:
        return None
