"""Files read as a whole, and files that appear whole or not at all."""

import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO

from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io.addresses import Address, FilePath, is_address, read_object, write_object
from cnnfilter.io.formats import is_array
from cnnfilter.io.paths import DESCRIPTOR, SPECIAL, find_obstacle, identify, identify_all

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.cnnfilter-(\d{1,10})-[0-9a-f]{12}\.part")
"""Of a temporary file, with the number of its process."""


def is_endless(path: Path) -> bool:
    """Return whether a path is that of a device: `/dev/zero` gives bytes for ever. A terminal is a stream."""
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode):
        with path.open("rb", buffering=0) as file:
            return not file.isatty()
    return stat.S_ISBLK(mode)


def read_bytes(path: str | FilePath) -> bytes:
    """Return a whole file or object, or raise an `ImageFileError` with the system's reason."""
    if is_address(path):
        return read_object(str(path))
    try:
        with open(path, "rb", buffering=0) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty())):
                return file.readall()
    except IsADirectoryError as error:
        reads = "is an array; convolve, pool, pipeline and augment read it"
        raise ImageFileError(reads if is_array(path) else error.strerror, path=path) from error
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error
    raise ImageFileError("is a device, not an image file", path=path)


def read_text(path: str | Path) -> str:
    """Return a whole text in UTF-8, or raise an `ImageFileError` with the reason."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error
    except UnicodeDecodeError as error:
        raise ImageFileError("not a text in UTF-8", path=path) from error


class TemporaryFiles:
    """The temporary files of a process, which another thread of it may abandon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[str] = set()  # as text: a path costs more than to write a small file
        self._swept: set[str] = set()
        self._abandoned = False

    @contextmanager
    def beside(self, path: Path) -> Iterator[str]:
        """Yield a name beside a path that no other file has; `KeyboardInterrupt` if all has been abandoned."""
        temporary = os.path.join(os.path.dirname(path), f".cnnfilter-{os.getpid()}-{os.urandom(6).hex()}.part")
        with self._lock:
            if self._abandoned:
                raise KeyboardInterrupt
            self._paths.add(temporary)
        try:
            yield temporary
        finally:
            with self._lock:
                self._paths.discard(temporary)

    def abandon(self) -> None:
        """Remove all that is half written, and let nothing more be begun."""
        with self._lock:
            self._abandoned = True
            for path in self._paths:
                with suppress(OSError):
                    os.unlink(path)

    def sweep(self, folder: str | FilePath) -> None:
        """Remove what killed processes left in a folder, the first time that it is asked for; stores have none."""
        if isinstance(folder, Address):
            return
        folder = str(folder)
        with self._lock:
            if folder in self._swept:
                return
            self._swept.add(folder)
        try:
            names = os.listdir(folder or os.curdir)
        except OSError:
            return
        with self._lock:
            ours = set(self._paths)
        for match in filter(None, map(_NAME.fullmatch, names)):
            path = os.path.join(folder, match[0])
            if path not in ours and not _is_written(path, int(match[1])):
                with suppress(OSError):
                    os.unlink(path)


def _is_written(path: str, process: int) -> bool:
    """Return whether somebody writes a temporary file: its process, or one in another container or on another machine.

    Numbers of processes begin at 1 in every container, so that ours may be another's.
    """
    if process != os.getpid() and _is_running(process):
        return True
    if not fcntl:
        return False
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def _is_running(process: int) -> bool:
    """Return whether a process runs on this machine; where that cannot be asked harmlessly, assume so."""
    with suppress(OSError):  # Linux: one that has ended is still there until its parent has asked how
        if Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2][1:2] == "Z":
            return False
    try:
        if os.name == "posix":
            os.kill(process, 0)
    except (OSError, OverflowError) as error:
        return not isinstance(error, ProcessLookupError)
    return True


class Pieces:
    """The bytes of a file, one piece behind the other; `bytes` puts them together."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = [*pieces]

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return iter(self._pieces)

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)


Encoded = bytes | memoryview | Pieces
"""What goes into a file."""


def write_pieces(file: IO[bytes] | FileIO, data: Encoded) -> None:
    """Write the bytes of a file into one that is open."""
    for piece in data if isinstance(data, Pieces) else [data]:
        rest = memoryview(piece)
        while rest:  # a file without a buffer takes as much as the system does
            rest = rest[file.write(rest) :]


def write_whole(path: FilePath, data: Encoded, temporary_files: TemporaryFiles | None = None) -> None:
    """Write a file that appears whole or not at all, into a folder that exists, or an object of a store.

    The bytes go to a temporary file in the same folder, which then takes the target's place and mode. It is locked
    for processes that do not know each other's numbers. A link is replaced itself: what it leads to stays as it is.
    `ImageFileError` if the system refuses, or the target is a device or a pipe; it is then as it was.
    """
    if isinstance(path, Address):
        write_object(str(path), bytes(data))
        return
    mode = 0
    with suppress(OSError):
        mode = os.stat(path).st_mode
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ImageFileError(SPECIAL, path=path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    if temporary_files:
        temporary_files.sweep(os.path.dirname(path))
    with (temporary_files or TemporaryFiles()).beside(path) as temporary:
        try:
            with open(os.open(temporary, flags, 0o600 if mode else 0o666), "wb", buffering=0) as file:
                if fcntl:
                    with suppress(OSError):  # some network file systems have no locks
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                write_pieces(file, data)
            if mode:
                os.chmod(temporary, stat.S_IMODE(mode))
            os.replace(temporary, path)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary)
            if isinstance(error, OSError):
                reason = error.strerror or error
                if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
                    reason = f"no such folder: {path.parent}"
                raise ImageFileError(reason, path=path) from error
            raise


def write_into(path: Path, data: Encoded) -> None:
    """Write all bytes into a pipe, a device, or the open file that a name such as `/dev/fd/3` stands for."""
    try:
        if match := DESCRIPTOR.fullmatch(str(path)):
            with os.fdopen(os.dup(int(match[1] or 2)), "wb") as file:
                write_pieces(file, data)
        else:
            with path.open("wb") as file:
                write_pieces(file, data)
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error


def check_writable(path: Path) -> None:
    """Raise an `ImageFileError` if `write_whole` could not begin a file."""
    if reason := find_obstacle(path):
        raise ImageFileError(reason, path=path)
    try:
        with suppress(FileNotFoundError):  # a name may be too long
            path.lstat()
        with TemporaryFiles().beside(path) as temporary:
            Path(temporary).touch(exist_ok=False)
            os.unlink(temporary)
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error


def check_replaceable(path: Path, read: Iterable[str | Path]) -> None:
    """Raise an error if a file cannot be begun, or is one of those that are read; missing folders are made."""
    if not identify_all(read).isdisjoint(identify(path, {})):
        raise OutputError("is read too, and would be overwritten", path=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path)
