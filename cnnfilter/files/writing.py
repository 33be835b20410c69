"""Files that appear whole or not at all."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from cnnfilter.errors import ImageFileError
from cnnfilter.files.unfinished import Unfinished, hold, name_temporary

SPECIAL = "is no regular file, and nothing takes its place"


def is_special(path: Path) -> bool:
    """Return whether a path is that of a device, a pipe or a socket, or a link to one."""
    return _is_special(_mode(path))


def _is_special(mode: int | None) -> bool:
    return mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_directory(path: Path) -> bool:
    """Return whether a path is that of a folder; one too long for the system is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def make_folder_of(path: Path) -> None:
    """Make the folder of a file, and those above it, if they are missing; `ImageFileError` if the system refuses."""
    folder = os.path.dirname(path)  # noqa: PTH120  as text: a batch asks for each file
    if os.path.isdir(folder):  # noqa: PTH112
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(f"{path}: {error.strerror or error}") from error


def write_whole(path: Path, data: bytes | memoryview, unfinished: Unfinished | None = None) -> None:
    """Write a file that appears whole or not at all.

    The bytes go to a temporary file in the same folder, which then takes the target's place and mode. A link is
    replaced itself: what it leads to stays as it is.

    Parameters
    ----------
    path, data
        The file, and what it is to hold.
    unfinished
        Who knows of the temporary file while there is one.

    Raises
    ------
    ImageFileError
        If the system refuses, or the target is a device or a pipe; it is then as it was.
    """
    mode = _mode(path)
    if _is_special(mode):
        raise ImageFileError(f"{path}: {SPECIAL}")
    temporary = name_temporary(path)
    try:
        if unfinished:
            unfinished.begin(temporary)
        _write_by_way_of(temporary, path, mode, data)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise ImageFileError(f"{path}: {error.strerror or error}") from error
        raise
    finally:
        if unfinished:
            unfinished.end(temporary)


def _write_by_way_of(temporary: Path, path: Path, mode: int | None, data: bytes | memoryview) -> None:
    """Write a new file, and let it take the place of the one that is to be, and its mode if there is one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(temporary, flags, 0o666 if mode is None else 0o600), "wb") as file:
        hold(file.fileno())
        file.write(data)
    if mode is not None:
        temporary.chmod(stat.S_IMODE(mode))
    os.replace(temporary, path)  # noqa: PTH105  Path.replace makes one more path


def _mode(path: Path) -> int | None:
    """Return the kind and the permissions of the file at a path; None if there is none."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  a batch asks for each file
    except (OSError, ValueError):
        return None
