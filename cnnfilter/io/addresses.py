"""Addresses of objects in stores, such as s3://bucket/photo.jpg, which fsspec reads and writes."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from cnnfilter.errors import CnnFilterError, ImageFileError, MissingLibraryError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

_LOCAL = "file://"
"""What addresses of local files begin with: they are files as all others are."""

_PRIVATE = "memory://"
"""What addresses begin with that mean another object in each process."""


class Address(PurePosixPath):
    """The address of an object, as a path: its parts, its suffix, and what is beside it or below it."""

    def __str__(self) -> str:
        """Return it with both slashes behind its scheme."""
        scheme, _, rest = super().__str__().partition(":")
        return f"{scheme}://{rest.removeprefix('/')}"


FilePath = Path | Address
"""Where a file is, on this machine or in a store."""


def is_address(name: str | PurePath) -> bool:
    """Return whether a name is the address of an object.

    Examples
    --------
    >>> [name for name in ("s3://bucket/a.png", "photos/a.png", "C:/a.png") if is_address(name)]
    ['s3://bucket/a.png']
    """
    return isinstance(name, Address) or bool(isinstance(name, str) and _SCHEME.match(name))


def as_path(name: str) -> FilePath:
    """Return a name as a path."""
    return Address(name) if is_address(name) else Path(name)


def as_local(name: str) -> str:
    """Return the path of a file on this machine that has an address, and other names as they are.

    Examples
    --------
    >>> as_local("file:///tmp/a.png"), as_local("s3://bucket/a.png")
    ('/tmp/a.png', 's3://bucket/a.png')
    """
    return name.removeprefix(_LOCAL)


def is_private(name: str | PurePath | None) -> bool:
    """Return whether a name means another object in each process."""
    return str(name).startswith(_PRIVATE)


def _connect(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec for an address, and the object's path in it."""
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415  files on this machine need none
    except ImportError as error:
        raise MissingLibraryError(f"{address}: needs fsspec: pip install 'cnnfilter[cluster]'") from error
    try:
        with _unheard():
            system, path = url_to_fs(address)
    except (ImportError, ValueError) as error:  # a driver that is not installed; a scheme that nobody knows
        raise MissingLibraryError(f"{address}: {error}") from error
    return system, path


def check_stores(names: Iterable[str]) -> None:
    """Raise a `MissingLibraryError` if fsspec, or the driver of a store among the addresses, is not installed."""
    first = {match[1]: name for name in names if (match := _SCHEME.match(name))}
    for name in first.values():
        _connect(name)


def find_timeless(names: Iterable[str]) -> str:
    """Return the first address whose store does not say when objects were written, or nothing."""
    first = {match[1]: name for name in names if (match := _SCHEME.match(name))}
    for name in first.values():
        system, _ = _connect(name)
        owner = next(kind for kind in type(system).__mro__ if "modified" in vars(kind))
        if owner.__name__ == "AbstractFileSystem":  # which only says that it cannot
            return name
    return ""


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep what drivers log from standard error, where it goes if the process has set up nothing for it."""
    import logging  # noqa: PLC0415  drivers load it

    nobody = logging.NullHandler()
    logging.root.addHandler(nobody)
    try:
        yield
    finally:
        logging.root.removeHandler(nobody)


@contextmanager
def naming_failures(path: str) -> Iterator[None]:
    """Raise an `ImageFileError` for whatever the driver of a store, or zarr, raises: each has errors of its own.

    That is all that is said of a failure: many drivers log it too, with the calls that led to it.
    """
    try:
        with _unheard():
            yield
    except CnnFilterError:
        raise
    except Exception as error:
        raise ImageFileError(find_reason(error), path=path) from error


def find_reason(error: Exception) -> str:
    """Return in a line why a driver failed."""
    reason = os.strerror(errno.ENOENT) if isinstance(error, FileNotFoundError) else ""
    reason = reason or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return reason.strip().splitlines()[0]


def read_object(address: str) -> bytes:
    """Return a whole object, or raise an `ImageFileError` with the store's reason."""
    with naming_failures(address):
        system, path = _connect(address)
        return bytes(system.cat_file(path))


def write_object(address: str, data: bytes | memoryview) -> None:
    """Write an object, which appears whole or not at all: by one request, or parts that are joined last."""
    with naming_failures(address):
        system, path = _connect(address)
        system.pipe_file(path, bytes(data))


def exists(path: FilePath) -> bool:
    """Return whether there is a file or an object."""
    if not isinstance(path, Address):
        return path.exists()
    with naming_failures(str(path)):
        system, place = _connect(str(path))
        return bool(system.exists(place))


def read_time(path: FilePath) -> int:
    """Return when a file or an object was written, in nanoseconds since 1970; `OSError` if it is not there."""
    if not isinstance(path, Address):
        return path.stat().st_mtime_ns
    with naming_failures(str(path)):
        system, place = _connect(str(path))
        time = system.modified(place)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e9)


def list_objects(address: str) -> list[str] | None:
    """Return the paths below an address of all objects there, sorted; None where the address is that of an object."""
    with naming_failures(address):
        system, top = _connect(address)
        top = top.rstrip("/")
        if not address.endswith("/") and system.isfile(top):
            return None
        return sorted(path[len(top) :].lstrip("/") for path in system.find(top))
