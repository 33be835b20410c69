"""`python -m cnnfilter` is the command."""

import gc
import os
import sys
from contextlib import suppress

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Loading makes some 100,000 objects that stay: looking through them every 700, as Python does, takes 5 ms."""


def run() -> None:
    """Run the command; an interrupt while it is being loaded ends it as one later does."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    hold_standard_streams()
    try:
        from cnnfilter.cli import main  # noqa: PLC0415

        main(prog_name="cnnfilter")
    except KeyboardInterrupt:
        leave_at_once(130)
    except SystemExit as end:
        leave_at_once(end.code if isinstance(end.code, int) else 0)


def hold_standard_streams() -> None:
    """Open what the process was started without, lest a file of ours be taken for standard input or error."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def leave_at_once(status: int) -> None:
    """End the process without taking the libraries in it apart, which takes a fifth of a short command's time."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
