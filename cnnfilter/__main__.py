"""`python -m cnnfilter` is the command."""

import gc
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Loading makes some 100,000 objects that stay: looking through them every 700, as Python does, takes time."""

_CYCLES_BEFORE_SLEEP = "20"
"""OpenBLAS's threads wait in a loop for 2^20 cycles, less than a millisecond, before they sleep. By themselves they do
so for a tenth of a second from the moment that numpy is loaded, and slow down all that is loaded meanwhile."""


class StandardOutput(io.FileIO):
    """Standard output, which is named in its errors, and waited for where it does not block."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write a part of the data, and return how many bytes that were."""
        try:
            while (written := super().write(data)) is None:
                from select import select  # noqa: PLC0415  few readers make it necessary

                select([], [self], [])
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, reason[:1].lower() + reason[1:], "standard output") from error
        return written


def run() -> None:
    """Run the command; an interrupt while it is being loaded ends it as one later does.

    The libraries in the process are not taken apart at its end, which takes a fifth of a short command's time.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", _CYCLES_BEFORE_SLEEP)
    for descriptor in range(3):  # one that is not open would be taken by a file of ours
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    with suppress(OSError, ValueError, AttributeError):  # it is closed, or has been replaced
        if not sys.stdout.isatty():
            # Of a raw file, which Python takes where it is told not to buffer, one write may take a part only.
            file = io.BufferedWriter(StandardOutput(sys.stdout.fileno(), "wb", closefd=False))
            sys.stdout = io.TextIOWrapper(file, sys.stdout.encoding, sys.stdout.errors)
    try:
        status = _run_command()
    except KeyboardInterrupt:  # while it is being loaded, or ends
        status = 130
    os._exit(status)


def _run_command() -> int:
    """Run the command, leave nothing unwritten, and return its exit status."""
    status = 0
    try:
        from cnnfilter.cli import main  # noqa: PLC0415

        main(prog_name="cnnfilter")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if "multiprocessing.forkserver" in sys.modules:  # workers of a cluster: its folder outlives so sudden an end
        from multiprocessing.util import get_temp_dir  # noqa: PLC0415
        from shutil import rmtree  # noqa: PLC0415

        rmtree(get_temp_dir(), ignore_errors=True)
    return status


if __name__ == "__main__":
    run()
