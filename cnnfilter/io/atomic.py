"""Files that appear whole or not at all."""

import os
import re
import stat
import threading
from contextlib import suppress
from pathlib import Path

from cnnfilter.errors import ImageFileError

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

SPECIAL = "is no regular file, and nothing takes its place"

_NAME = re.compile(r"\.cnnfilter-(\d{1,10})-[0-9a-f]{12}\.part")
"""Of a temporary file, with the number of its process."""


def is_special(path: Path) -> bool:
    """Return whether a path is that of a device, a pipe or a socket, or a link to one."""
    mode = _mode(path)
    return bool(mode) and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _mode(path: Path) -> int:
    """Return the kind and the permissions of the file at a path; 0 if there is none."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  a batch asks for each file
    except (OSError, ValueError):
        return 0


def is_directory(path: Path) -> bool:
    """Return whether a path is that of a folder; one too long for the system is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def make_folder_of(path: Path) -> None:
    """Make the folder of a file, and those above it, if they are missing; `ImageFileError` if the system refuses."""
    if os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120  as text: a batch asks for each file
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error


class Unfinished:
    """The temporary files of a process, which another thread of it may abandon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[Path] = set()
        self._swept: set[Path] = set()
        self._abandoned = False

    def begin(self, temporary: Path) -> None:
        """Take up a file that is about to be made; `KeyboardInterrupt` if all has been abandoned."""
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
        """Remove what killed processes left in a folder, the first time that it is asked for."""
        with self._lock:
            if folder in self._swept:
                return
            self._swept.add(folder)
        try:
            names = os.listdir(folder)  # noqa: PTH208  as names, which are not all made into paths
        except OSError:
            return
        with self._lock:
            ours = set(self._paths)
        for match in filter(None, map(_NAME.fullmatch, names)):
            path = folder / match[0]
            if path not in ours and not _is_written(path, int(match[1])):
                with suppress(OSError):
                    path.unlink()


def _is_written(path: Path, process: int) -> bool:
    """Return whether somebody writes a temporary file: its process, or one in another container or on another machine.

    Numbers of processes begin at 1 in every container, so that ours may be another's.
    """
    if process != os.getpid() and _is_running(process):
        return True
    if not fcntl:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def _is_running(process: int) -> bool:
    """Return whether a process runs on this machine; where that cannot be asked harmlessly, assume so."""
    try:
        if os.name == "posix":
            os.kill(process, 0)
    except (OSError, OverflowError) as error:
        return not isinstance(error, ProcessLookupError)
    return True


def name_temporary(path: Path) -> Path:
    """Return a name beside a path that no other file has."""
    return path.parent / f".cnnfilter-{os.getpid()}-{os.urandom(6).hex()}.part"


def hold(descriptor: int) -> None:
    """Mark an open file as one that somebody writes, for processes that do not know each other's numbers."""
    if fcntl:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_whole(path: Path, data: bytes | memoryview, unfinished: Unfinished | None = None) -> None:
    """Write a file that appears whole or not at all.

    The bytes go to a temporary file in the same folder, of which `unfinished` knows, and which then takes the target's
    place and mode. A link is replaced itself: what it leads to stays as it is. `ImageFileError` if the system refuses,
    or the target is a device or a pipe; it is then as it was.
    """
    if is_special(path):
        raise ImageFileError(SPECIAL, path=path)
    mode = _mode(path)
    temporary = name_temporary(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        if unfinished:
            unfinished.begin(temporary)
        with os.fdopen(os.open(temporary, flags, 0o600 if mode else 0o666), "wb") as file:
            hold(file.fileno())
            file.write(data)
        if mode:
            temporary.chmod(stat.S_IMODE(mode))
        os.replace(temporary, path)  # noqa: PTH105  Path.replace makes one more path
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise ImageFileError(error.strerror or error, path=path) from error
        raise
    finally:
        if unfinished:
            unfinished.end(temporary)
