"""What the image libraries say on standard error, kept from the user and heard by us, in many threads at once.

libpng and libjpeg write there by themselves, past OpenCV's log level, and their complaint is all that tells of a
JPEG that is damaged in its middle. It comes through C's own stream `stderr`: where the C library lets it be exchanged
(glibc), that stream leads elsewhere while a picture is decoded, and what Python and other programs write to file
descriptor 2 goes its way. Elsewhere the descriptor itself is led away, for one picture at a time.

Commands work in processes; the threads are those of programs that use the library.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple, TypeVar

from cnnfilter.files.glibc import find_glibc
from cnnfilter.files.opencv import cv2

Made = TypeVar("Made")


def hear(run: Callable[[], Made], about: tuple[str, ...] = ()) -> tuple[Made, list[str]]:
    """Return what a function returns, and those lines about something that the libraries said while it ran.

    Threads do not wait for each other here, but for one case: a line that several of them may have caused. Its
    function is then run once more, alone.

    Parameters
    ----------
    run
        Decodes or encodes a picture; run twice it does the same.
    about
        How the lines begin that are wanted; all others are kept from the user and forgotten.
    """
    with _ROOM.visit(alone=not _ear(os.getpid()).is_shared) as visit:
        made = run()
    lines = [line for line in visit.lines if line.startswith(about)] if about else []
    if not lines or visit.alone:
        return made, lines
    with _ROOM.visit(alone=True) as visit:
        made = run()
    return made, [line for line in visit.lines if line.startswith(about)]


class _Ear(NamedTuple):
    """A file without a name, what makes the libraries write to it, and whether several threads may do so at once."""

    descriptor: int
    listen: Callable[[], object]
    leave: Callable[[], object]
    is_shared: bool

    def heard(self) -> int:
        """Return how many bytes have been written."""
        return os.lseek(self.descriptor, 0, os.SEEK_END)

    def lines(self, start: int) -> list[str]:
        """Return what was written from a place on."""
        size = self.heard() - start
        os.lseek(self.descriptor, start, os.SEEK_SET)
        return os.read(self.descriptor, size).decode("utf-8", "replace").splitlines()


class _Visit:
    """A stay in the room: what was said meanwhile, and whether nobody else was there."""

    lines: tuple[str, ...] | list[str] = ()
    alone = False


class _Room:
    """Where pictures are decoded: by many threads at once, or by one that wants to be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._entered = 0
        self._solitary = 0
        self._level = 0

    @contextmanager
    def visit(self, *, alone: bool) -> Iterator[_Visit]:
        """Hear the libraries while the block runs; who wants to be alone waits until all have left."""
        visit = _Visit()
        ear = _ear(os.getpid())
        with self._changed:
            self._solitary += alone
            self._changed.wait_for(lambda: self._inside == 0 if alone else self._solitary == 0)
            self._inside += 1
            self._entered += 1
            number, first = self._entered, self._inside == 1
            if first:
                self._level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
                ear.listen()
            start = ear.heard()
        try:
            yield visit
        finally:
            with self._changed:
                visit.alone = first and self._entered == number
                visit.lines = ear.lines(start) if ear.heard() > start else ()
                self._inside -= 1
                self._solitary -= alone
                if not self._inside:
                    ear.leave()
                    cv2.utils.logging.setLogLevel(self._level)
                    os.ftruncate(ear.descriptor, 0)
                self._changed.notify_all()


_ROOM = _Room()


def _ear(process: int) -> _Ear:
    """Return what hears the libraries in a process, by its number: a forked one has an ear of its own."""
    with _MAKING:  # two threads that begin at once would make two
        return _make_ear(process)


_MAKING = threading.Lock()


@cache
def _make_ear(_process: int) -> _Ear:
    descriptor = _open_nowhere()
    return _exchange_stream(descriptor) or _exchange_descriptor(descriptor)


def _open_nowhere() -> int:
    """Return the descriptor of a file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("complaints")
    import tempfile  # noqa: PLC0415  it costs 3 ms where the system has no such files

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _exchange_stream(descriptor: int) -> _Ear | None:
    """Return an ear that exchanges C's stream, or None where the C library is not known to let it be exchanged."""
    library = find_glibc()
    if not library:
        return None
    import ctypes  # noqa: PLC0415  numpy has loaded it before, where there is any picture

    library.fdopen.restype = ctypes.c_void_p
    ours = library.fdopen(descriptor, b"a")
    library.setbuf(ctypes.c_void_p(ours), None)
    stream = ctypes.c_void_p.in_dll(library, "stderr")
    kept: list[int | None] = []

    def listen() -> None:
        kept.append(stream.value)
        stream.value = ours

    def leave() -> None:
        stream.value = kept.pop()

    return _Ear(descriptor, listen, leave, is_shared=True)


def _exchange_descriptor(descriptor: int) -> _Ear:
    """Return an ear that exchanges file descriptor 2 itself, for one thread at a time."""
    kept: list[int | None] = []

    def listen() -> None:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept.append(os.dup(2))
        except OSError:  # the process was started without it
            kept.append(None)
        os.dup2(descriptor, 2)

    def leave() -> None:
        saved = kept.pop()
        if saved is None:
            os.close(2)
        else:
            os.dup2(saved, 2)
            os.close(saved)

    return _Ear(descriptor, listen, leave, is_shared=False)
