"""What files say beside their pixels: the orientation that they name, EXIF, colour profiles.

EXIF, XMP, the colour profile, the resolution and texts are carried from file to file among JPEG, PNG, WebP, AVIF and
TIFF while they stay true; `containers` finds and writes them, `transfer` says what goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from cnnfilter.arrays import Array
    from cnnfilter.io.exif import Resolution, Text

EXIF_START = b"Exif\0\0"


def read_orientation(block: bytes) -> int:
    r"""Return the orientation, 1 to 8, that an EXIF block (EXIF 2.32, section 4.6.4) names; 1 if it names none."""
    from cnnfilter.io.tags import ORIENTATION, read_directories  # noqa: PLC0415  many files have none

    directory = next(read_directories(block.removeprefix(EXIF_START)), None)
    orientation = directory.number(ORIENTATION) if directory else 1
    return orientation if 1 <= orientation <= 8 else 1


def apply_orientation(pixels: Array, orientation: int) -> Array:
    """Return the pixels of a file turned upright; (H, W[, C]) becomes (W, H[, C]) from 5 to 8.

    The orientation says where the file's first row and column belong: 1 top left (nothing to do), 2 top right, 3 bottom
    right, 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom.
    """
    if orientation in {5, 6, 7, 8}:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


class Metadata(NamedTuple):
    """What a file says beside its pixels, as far as it does."""

    exif: bytes = b""  # a block, from its byte order mark on
    profile: bytes = b""  # ICC
    xmp: bytes = b""
    resolution: Resolution | None = None
    texts: tuple[Text, ...] = ()
    colours: tuple[bytes, ...] = ()  # names and contents of a PNG's chunks that tell its colour space, cICP of AVIF too
    resources: bytes = b""  # of Photoshop, IPTC among them
    others: tuple[str, ...] = ()  # the names of what is not carried
