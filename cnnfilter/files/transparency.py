"""One transparent level in a grey PNG (PNG 1.3, section 11.3.1.1), which OpenCV passes over."""

import struct

import numpy as np

from cnnfilter.arrays import Array

_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_DEEPEST = 16


def show_transparent_level(pixels: Array, data: bytes) -> Array:
    """Return the pixels of a PNG as OpenCV decodes them, with alpha if its header calls one level of grey transparent.

    Returns
    -------
    ndarray
        (H, W, 4) for a grey picture with such a level, else the pixels themselves.
    """
    if pixels.ndim != 2 or not data.startswith(_HEAD):
        return pixels
    level = _find_level(data)
    if level is None:
        return pixels
    bits, white = data[24], np.iinfo(pixels.dtype).max
    spread = level * (white // ((1 << bits) - 1)) if bits <= _DEEPEST else level
    alpha = np.where(pixels == spread, 0, white).astype(pixels.dtype)
    return np.stack([pixels, pixels, pixels, alpha], axis=-1)


def _find_level(data: bytes) -> int | None:
    """Return the level that the chunk `tRNS` names, or None if there is no such chunk before the pixels."""
    place = len(_HEAD) - 8
    while place + 10 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"tRNS":
            return int.from_bytes(data[place + 8 : place + 10])
        if name == b"IDAT":
            return None
        place += length + 12
    return None
