"""What OpenCV leaves undone of an AVIF file: its rotation, its mirror, and samples of 10 or 12 bits.

Boxes are those of ISO/IEC 23008-12 (`irot`, `imir`) and of the AV1 codec configuration (`av1C`).
"""

import numpy as np

from cnnfilter.arrays import Array


def is_avif(data: bytes) -> bool:
    """Return whether a file is an AVIF, by its first box."""
    return data[4:8] == b"ftyp" and b"avi" in data[8:64]


def develop_avif(pixels: Array, data: bytes) -> Array:
    """Return decoded pixels turned upright, and those of more than 8 bits spread over 0..65535.

    Parameters
    ----------
    pixels
        (H, W[, C]), uint8 or uint16, as OpenCV decodes them.
    data
        The whole file.
    """
    start = data.find(b"meta")
    head = data[start : start - 4 + int.from_bytes(data[start - 4 : start])] if start >= 4 else b""
    turns, mirror = _property(head, b"irot"), _property(head, b"imir")
    pixels = np.rot90(pixels, (turns or 0) & 3)
    if mirror is not None:
        pixels = pixels[:, ::-1] if mirror & 1 else pixels[::-1]
    if pixels.dtype == np.uint16:
        white = (1 << _bits(head)) - 1
        pixels = np.rint(pixels * (65535.0 / white)).clip(0, 65535).astype(np.uint16)
    return np.ascontiguousarray(pixels)


def _property(head: bytes, name: bytes) -> int | None:
    """Return the one byte of a property box, or None if the file has none of that name."""
    start = head.find(b"\0\0\0\x09" + name)
    return head[start + 8] if 0 <= start < len(head) - 8 else None


def _bits(head: bytes) -> int:
    """Return the bits of a sample: 12 if the codec's configuration says twelve, else 10."""
    start = head.find(b"av1C")
    return 12 if 0 <= start < len(head) - 6 and head[start + 6] & 0x20 else 10


def find_profile(data: bytes) -> bytes:
    """Return the ICC profile in the first box `colr` that has one, or nothing."""
    start = data.find(b"colrprof")
    length = int.from_bytes(data[start - 4 : start]) if start >= 4 else 0
    return data[start + 8 : start - 4 + length] if length > 12 else b""
