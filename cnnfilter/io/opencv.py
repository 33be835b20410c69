"""OpenCV: how it is loaded, and what it does wrong of a format."""

import os
import re
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import MissingLibraryError
from cnnfilter.io.paths import check_environment

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
    package = next((package for name, package in _PACKAGES.items() if name in str(error)), "")
    remedy = f"the package {package} (Debian, Ubuntu) brings it" if package else str(error)
    what = f"{library} is missing; {remedy}" if package else remedy
    return f"OpenCV cannot be loaded: {what}, and `pip install opencv-python-headless` serves as well"


check_environment()
try:
    import cv2
except ImportError as error:
    raise MissingLibraryError(explain_import_error(error)) from error

__all__ = ["Made", "capture_stderr", "cv2", "explain_import_error", "held_to_one_thread", "hold_to_one_thread"]


def hold_to_one_thread() -> None:
    """Let OpenCV work in the thread that calls it, and end those that it has begun: other callers fill the cores."""
    cv2.setNumThreads(1)


@contextmanager
def held_to_one_thread() -> Iterator[None]:
    """Hold OpenCV to the thread that calls it while the block runs."""
    before = cv2.getNumThreads()
    hold_to_one_thread()
    try:
        yield
    finally:
        cv2.setNumThreads(before)


_LOCK = threading.Lock()

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
)
"""How the lines of libpng (pngerror.c) and libjpeg (jerror.h) begin; all others come from other threads."""


def capture_stderr(call: Callable[[], Made]) -> tuple[Made, list[str]]:
    """Return what a function returns, and the lines that the image libraries wrote meanwhile.

    What other threads and programs wrote is passed on afterwards.
    """
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # the process was started without it
            kept = -1
        memory = _open_memory()
        os.dup2(memory, 2)
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        said: list[bytes] = []
        try:
            made = call()
        finally:
            cv2.utils.logging.setLogLevel(level)
            if size := os.lseek(memory, 0, os.SEEK_CUR):
                os.lseek(memory, 0, os.SEEK_SET)
                said = os.read(memory, size).splitlines(keepends=True)
            _lead_back(kept, memory, b"".join(line for line in said if not line.startswith(_LIBRARIES)))
    return made, [line.decode("utf-8", "replace").rstrip("\r\n") for line in said if line.startswith(_LIBRARIES)]


def _open_memory() -> int:
    """Return the descriptor of a file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stderr")
    import tempfile  # noqa: PLC0415  it costs 3 ms, and Linux needs none

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _lead_back(kept: int, memory: int, others: bytes) -> None:
    """Let descriptor 2 lead where it led before, and write there what is not about images."""
    if kept >= 0:
        os.dup2(kept, 2)
        os.close(kept)
        with suppress(OSError):  # nobody may listen there any more
            os.write(2, others)
    elif memory != 2:
        os.close(2)
    os.close(memory)


def _show_transparent_level(pixels: Array, data: bytes) -> Array:
    """Return a PNG with alpha if it calls one level of grey transparent (PNG 1.3, 11.3.1.1), which OpenCV skips."""
    level = _find_level(data) if pixels.ndim == 2 else None
    if level is None:
        return pixels
    bits, white = data[24], np.iinfo(pixels.dtype).max
    spread = level * (white // ((1 << bits) - 1)) if bits <= 16 else level
    alpha = np.where(pixels == spread, 0, white).astype(pixels.dtype)
    return np.stack([pixels, pixels, pixels, alpha], axis=-1)


def _find_level(data: bytes) -> int | None:
    """Return the level that the chunk `tRNS` names, or None if there is no such chunk before the pixels."""
    place, name = 8, b""
    while place + 10 <= len(data) and name != b"IDAT":
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"tRNS":
            return int.from_bytes(data[place + 8 : place + 10])
        place += length + 12
    return None


_HEAD = re.compile(rb"P([2356])\s(?:\s|#[^\n]*\n)*\d+\s(?:\s|#[^\n]*\n)*\d+\s(?:\s|#[^\n]*\n)*(\d+)")
"""Of PGM and PPM, up to white."""

_LINE = re.compile(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,9})\s*$")
"""Of the head of a PAM."""

_LONGEST_HEAD = 65_536


def _spread_levels(pixels: Array, data: bytes) -> Array:
    """Return a PGM or PPM with white at 255 or 65535, where OpenCV leaves it at what the file calls white."""
    match = _HEAD.match(data[:_LONGEST_HEAD])
    if not match or pixels.dtype.kind != "u" or (match[1] in b"23" and pixels.dtype == np.uint8):
        return pixels
    return _spread(pixels, int(match[2]))


def _spread(pixels: Array, white: int) -> Array:
    """Return whole numbers up to `white` as such up to 255 or 65535; those above it are white."""
    full = np.iinfo(pixels.dtype).max
    if white in {0, full}:
        return pixels
    return np.rint(np.minimum(pixels, white) * float(full) / white).astype(pixels.dtype)


def decode_pam(data: bytes) -> Array | None:
    """Return the image in a PAM, of which OpenCV takes red for blue, and drops a second channel; None if it is cut off.

    Two channels, grey and alpha, are made four.
    """
    end = data.find(b"ENDHDR\n", 0, _LONGEST_HEAD)
    found = {match[1]: int(match[2]) for line in data[: max(0, end)].splitlines() if (match := _LINE.match(line))}
    height, width, depth, white = (found.get(key, 0) for key in (b"HEIGHT", b"WIDTH", b"DEPTH", b"MAXVAL"))
    kind = np.dtype(np.uint8 if white < 256 else ">u2")
    start, count = end + len(b"ENDHDR\n"), height * width * depth
    if not (1 <= depth <= 4 and 1 <= white <= 65_535 and count and start + count * kind.itemsize <= len(data)):
        return None
    raw = np.frombuffer(data, kind, count, start).reshape(height, width, depth)
    pixels = _spread(raw.astype(kind.newbyteorder("="), copy=True), white)
    if depth == 2:
        return np.ascontiguousarray(pixels[:, :, [0, 0, 0, 1]])
    return pixels[:, :, 0] if depth == 1 else pixels


def _finish_avif(pixels: Array, data: bytes) -> Array:
    """Return an AVIF turned by its boxes (ISO/IEC 23008-12), and 10 or 12 bits spread over 0..65535."""
    start = data.find(b"meta")
    head = data[start : start - 4 + int.from_bytes(data[start - 4 : start])] if start >= 4 else b""
    turns, mirror = _find_property(head, b"irot"), _find_property(head, b"imir")
    pixels = np.rot90(pixels, (turns or 0) & 3)
    if mirror is not None:
        pixels = pixels[:, ::-1] if mirror & 1 else pixels[::-1]
    if pixels.dtype == np.uint16:
        coding = head.find(b"av1C")
        white = 4095 if 0 <= coding < len(head) - 6 and head[coding + 6] & 0x20 else 1023
        pixels = np.rint(pixels * (65535.0 / white)).clip(0, 65535).astype(np.uint16)
    return np.ascontiguousarray(pixels)


def _find_property(head: bytes, name: bytes) -> int | None:
    """Return the one byte of a property box, or None if the file has none of that name."""
    start = head.find(b"\0\0\0\x09" + name)
    return head[start + 8] if 0 <= start < len(head) - 8 else None


CORRECTIONS: dict[str, Callable[[Array, bytes], Array]] = {
    "PNG": _show_transparent_level,
    "Netpbm": _spread_levels,
    "AVIF": _finish_avif,
}
"""What is done to the pixels of each format, by the whole file."""
