"""Whether two paths are one file."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISLNK

_BEYOND = ("", os.curdir, os.pardir)
"""Last parts of paths that are no names of files."""


class Resolver:
    """Tells what many paths lead to; each folder is looked up once, as long as this is kept."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def resolve(self, path: str | Path) -> str:
        """Return a path without links, as `os.path.realpath` does."""
        folder, name = os.path.split(path)
        if name in _BEYOND or _is_link(path):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)  # noqa: PTH118  as text: it is compared

    def identities(self, path: str | Path) -> Iterator[str]:
        """Yield what tells whether two paths are one file: the resolved path, and the file's number."""
        yield self.resolve(path)
        with suppress(OSError):
            status = os.stat(path)  # noqa: PTH116  a batch asks for each file
            yield f"{status.st_dev}:{status.st_ino}"


def _is_link(path: str | Path) -> bool:
    try:
        return S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False


def identities(path: str | Path) -> Iterator[str]:
    """Yield what tells whether two paths are one file, for a few of them."""
    return Resolver().identities(path)
