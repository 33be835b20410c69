"""`python -m cnnfilter` is the command."""

import gc
import os
import sys
from contextlib import suppress

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Loading makes some 100,000 objects that stay: looking through them every 700, as Python does, takes 5 ms."""


def run() -> None:
    """Run the command; an interrupt while it is being loaded ends it as one later does.

    The libraries in the process are not taken apart at its end, which takes a fifth of a short command's time.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    for descriptor in range(3):  # one that is not open would be taken by a file of ours
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    status = 0
    try:
        from cnnfilter.cli import main  # noqa: PLC0415

        main(prog_name="cnnfilter")
    except KeyboardInterrupt:
        status = 130
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
