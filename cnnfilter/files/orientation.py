"""EXIF orientation: which way up a camera was held, read from the metadata and applied to the pixels."""

import struct

import numpy as np

from cnnfilter.arrays import Array

_ORIENTATION = 0x0112
"""EXIF 2.32, section 4.6.4, tag Orientation."""


def read_orientation(exif: bytes) -> int:
    r"""Return the orientation, 1 to 8, that an EXIF block names; 1 if it names none that is known.

    Examples
    --------
    >>> read_orientation(b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0))
    6
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def apply_orientation(pixels: Array, orientation: int) -> Array:
    """Return the pixels turned upright; (H, W[, C]) becomes (W, H[, C]) from 5 to 8.

    Parameters
    ----------
    pixels
        As they are in the file.
    orientation
        Where the file's first row and column belong: 1 top left (nothing to do), 2 top right, 3 bottom
        right, 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom.
    """
    if orientation in {5, 6, 7, 8}:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
