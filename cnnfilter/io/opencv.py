"""OpenCV: how it is loaded, and kept from writing on standard error."""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError, MissingLibraryError
from cnnfilter.io.paths import OPENCV_LIMIT, PIXELS, VARIABLE, free_addresses
from cnnfilter.log import tell

Made = TypeVar("Made")

_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""What brings each library on Debian and Ubuntu."""


def explain_import_error(error: ImportError) -> str:
    """Return one line that says which package brings what OpenCV could not load.

    Examples
    --------
    >>> explain_import_error(ImportError("libGL.so.1: cannot open shared object file"))[:52]
    'OpenCV cannot be loaded: libGL.so.1 is missing; the '
    """
    library = str(error).partition(":")[0]
    what = str(error)
    if package := next((package for name, package in _PACKAGES.items() if name in what), ""):
        what = f"{library} is missing; the package {package} (Debian, Ubuntu) brings it"
    return f"OpenCV cannot be loaded: {what}, and `pip install opencv-python-headless` works too"


_ADDRESSES = 360 << 20
"""The bytes of addresses that OpenCV's libraries take; with fewer they end the process while they are loaded."""


def check_environment() -> None:
    """Raise a `MissingLibraryError` if OpenCV would end the process over one of its variables, or lacks memory."""
    if (free := free_addresses()) < _ADDRESSES and "cv2" not in sys.modules:
        reason = f"it needs {_ADDRESSES >> 20} MB, and `ulimit -v` leaves {free >> 20} MB"
        raise MissingLibraryError(f"not enough memory to load OpenCV: {reason}")
    for variable in (VARIABLE, "OPENCV_IO_MAX_IMAGE_WIDTH", "OPENCV_IO_MAX_IMAGE_HEIGHT"):
        text = os.environ.get(variable)
        if text is not None and not PIXELS.fullmatch(text):
            reason = f"{variable} is {text!r}, and must be a number, such as {OPENCV_LIMIT}"
            raise MissingLibraryError(f"OpenCV cannot be loaded: {reason}")


check_environment()
try:
    import cv2
except ImportError as error:
    raise MissingLibraryError(explain_import_error(error)) from error

__all__ = [
    "Made",
    "call_opencv",
    "capture_stderr",
    "check_environment",
    "cv2",
    "explain_import_error",
    "held_to_one_thread",
]


@contextmanager
def held_to_one_thread() -> Iterator[None]:
    """Let OpenCV work in the thread that calls it while the block runs, and end those that it has begun."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


_LOCK = threading.Lock()


class _Silence:
    """Keeps OpenCV's log from saying anything while at least one thread is in the block."""

    def __init__(self) -> None:
        self._lock, self._threads, self._level = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._threads:
                self._level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._threads += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                cv2.utils.logging.setLogLevel(self._level)


SILENCE = _Silence()

if hasattr(os, "register_at_fork"):  # a child must not begin with descriptor 2 led away, or with the lock taken
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)

_LIBRARIES = (
    b"libpng ",
    b"Corrupt JPEG data",
    b"Premature end of JPEG",
    b"Inconsistent progression",
    b"Invalid SOS parameters",
    b"Unknown Adobe color transform",
    b"Warning: unknown JFIF revision",
    b"TIFF",
    b"OJPEG",
    b"ZSTD",
    b"JPEGLib: ",
    b"JPEGSetupDecode: ",
    b"JPEGPreDecode: ",
)
"""How the lines of libpng (pngerror.c), libjpeg (jerror.h) and libtiff begin; all others come from other threads."""


def capture_stderr(call: Callable[[], Made]) -> tuple[Made, list[str]]:
    """Return what a function returns, and the lines that the image libraries wrote meanwhile.

    What other threads and programs wrote is passed on afterwards.
    """
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # the process was started without it
            kept = -1
        memory = os.memfd_create("stderr") if hasattr(os, "memfd_create") else _open_unnamed()
        os.dup2(memory, 2)
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        said, others = list[bytes](), list[bytes]()
        try:
            made = call()
        finally:
            cv2.utils.logging.setLogLevel(level)
            if size := os.lseek(memory, 0, os.SEEK_CUR):
                os.lseek(memory, 0, os.SEEK_SET)
                said, others = _separate(os.read(memory, size).splitlines(keepends=True))
            if kept >= 0:
                os.dup2(kept, 2)
                os.close(kept)
                if others:
                    with suppress(OSError):  # nobody may listen there any more
                        os.write(2, b"".join(others))
            elif memory != 2:
                os.close(2)
            os.close(memory)
    return made, [line.decode("utf-8", "replace").rstrip("\r\n") for line in said]


def call_opencv(format_: str, name: str, decode: Callable[[], Made]) -> tuple[Made, list[str]]:
    """Return what OpenCV makes of a file of a format, and the libraries' complaints; `ImageFileError` if it raises."""
    try:
        return capture_stderr(decode)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            reason = f"more pixels than OpenCV reads; the environment variable {VARIABLE} raises its limit"
        else:
            tell("%s", str(error).strip())
            reason = explain_failure(format_, [])
        raise ImageFileError(reason, path=name) from error


def explain_failure(format_: str, lines: list[str]) -> str:
    """Return why OpenCV made nothing of a file of a format, by what it and its libraries said.

    Examples
    --------
    >>> explain_failure("PNG", ["libpng error: IDAT: CRC error"])
    'the PNG is damaged (IDAT: CRC error)'
    >>> explain_failure("BMP", [])
    'the BMP is cut off, damaged, or of a kind that OpenCV cannot read'
    """
    for line in lines:
        tell("%s", line)
    if any(sign in line for line in lines for sign in _CUT):
        return f"the {format_} is cut off"
    if said := [line for line in lines if line.encode().startswith(_LIBRARIES)]:
        return f"the {format_} is damaged ({re.sub('^libpng (error|warning): ', '', said[-1])})"
    return f"the {format_} is cut off, damaged, or of a kind that OpenCV cannot read"


_CUT = ("Unexpected end of input stream", "runcated data", "inconsistent with stream length")
"""What OpenCV and its libraries say of a file that ends too early."""


def _separate(lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the lines of the image libraries, and those of others.

    An error of OpenCV, and an empty line, may follow its first line; an exception goes on up to an empty line.
    """
    ours, others = list[bytes](), list[bytes]()
    before, goes_on = b"", False
    for line in lines:
        is_error, is_empty = line.startswith(b"[ERROR:"), not line.strip()
        if is_error or goes_on or line.startswith(_LIBRARIES):
            ours += [] if is_empty else [line]
        elif not (is_empty and before.startswith(b"[ERROR:")):
            others.append(line)
        goes_on = not is_empty and (goes_on or (is_error and b" OpenCV(" in line))
        before = line
    return ours, others


def _open_unnamed() -> int:
    """Return the descriptor of a file without a name."""
    import tempfile  # noqa: PLC0415  Linux needs none

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


_ROWS_AT_ONCE = 64
"""Rows whose channels are swapped at a time, in the cache."""

_SMALL = 1 << 19
"""Bytes of an image that is in the cache as a whole."""


def swap_red_and_blue(pixels: Array, *, owned: bool) -> Array:
    """Return BGR as RGB, or the reverse; in place if nothing else uses the array."""
    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    if pixels.dtype == np.float64:
        return np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])
    if pixels.nbytes <= _SMALL:
        return np.asarray(cv2.cvtColor(pixels, code))
    target = pixels if owned and pixels.flags.writeable else np.empty_like(pixels)
    for row in range(0, len(pixels), _ROWS_AT_ONCE):  # in place OpenCV copies first what it is given
        part = slice(row, row + _ROWS_AT_ONCE)
        target[part] = cv2.cvtColor(pixels[part], code)
    return target
