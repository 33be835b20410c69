"""Temporary files: removed by an interrupt, and, where a process was killed, by the next one that writes there."""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.cnnfilter-(\d{1,10})-[0-9a-f]{12}\.part")


def name_temporary(path: Path) -> Path:
    """Return a name beside a path, of this process alone, that is nobody else's."""
    return path.parent / f".cnnfilter-{os.getpid()}-{os.urandom(6).hex()}.part"


def hold(descriptor: int) -> None:
    """Mark an open file as one that somebody writes, which processes see that do not know each other's numbers."""
    if fcntl:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Unfinished:
    """The files that a process is writing, which another thread of it may abandon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[Path] = set()
        self._swept: set[Path] = set()
        self._abandoned = False

    def begin(self, temporary: Path) -> None:
        """Take up a file that is about to be made.

        Raises
        ------
        KeyboardInterrupt
            If all has been abandoned.
        """
        with self._lock:
            if self._abandoned:
                raise KeyboardInterrupt
            self._paths.add(temporary)
        self.sweep(temporary.parent)

    def end(self, temporary: Path) -> None:
        """Let go of a file that has its own name now, or is gone."""
        with self._lock:
            self._paths.discard(temporary)

    def abandon(self) -> None:
        """Remove all that is half written, and let nothing more be begun."""
        with self._lock:
            self._abandoned = True
            for path in self._paths:
                with suppress(OSError):
                    path.unlink()

    def sweep(self, folder: Path) -> None:
        """Remove what processes left in a folder that run no more, the first time that it is asked for."""
        with self._lock:
            if folder in self._swept:
                return
            self._swept.add(folder)
        try:
            names = os.listdir(folder)  # noqa: PTH208  as names, which are not all made into paths
        except OSError:
            return
        for name in names:
            if (match := _NAME.fullmatch(name)) and self._is_left(folder / name, int(match[1])):
                with suppress(OSError):
                    (folder / name).unlink()

    def _is_left(self, path: Path, process: int) -> bool:
        if process == os.getpid():  # or that of another container, in which numbers begin at 1 too
            with self._lock:
                runs = path in self._paths
        else:
            runs = _is_running(process)
        return not runs and not _is_held(path)


def _is_held(path: Path) -> bool:
    """Return whether a process in another container, or on another machine, writes a file."""
    if not fcntl:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _is_running(process: int) -> bool:
    """Return whether a process runs on this machine; where that cannot be asked harmlessly, assume so."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
