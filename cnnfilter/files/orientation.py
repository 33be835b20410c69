"""EXIF orientation: which way up a camera was held, read from the metadata and applied to the pixels."""

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.files.tags import find_tag

_ORIENTATION = 0x0112
"""EXIF 2.32, section 4.6.4, tag Orientation."""


def read_orientation(exif: bytes) -> int:
    r"""Return the orientation, 1 to 8, that an EXIF block names; 1 if it names none that is known.

    Examples
    --------
    >>> import struct
    >>> read_orientation(b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0))
    6
    """
    tag = find_tag(exif.removeprefix(b"Exif\0\0"), _ORIENTATION)
    return tag.value if tag and 1 <= tag.value <= 8 else 1


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
