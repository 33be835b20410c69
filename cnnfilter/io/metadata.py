"""What files say beside their pixels: the orientation that they name, EXIF, colour profiles.

EXIF and the colour profile are carried from file to file among JPEG, PNG, WebP and AVIF while they stay true.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.io.formats import Format
from cnnfilter.io.opencv import cv2
from cnnfilter.io.tags import ORIENTATION, read_directories, read_directory

_EXIF_START = b"Exif\0\0"
_SUB_DIRECTORY, _EXIF_WIDTH, _EXIF_HEIGHT = 0x8769, 0xA002, 0xA003  # EXIF 2.32, sections 4.6.3 and 4.6.4
_COLOUR_SPACE = slice(16, 20)  # where an ICC profile names its colour space (ICC.1:2022, section 7.2)


def read_orientation(exif: bytes) -> int:
    r"""Return the orientation, 1 to 8, that an EXIF block (EXIF 2.32, section 4.6.4) names; 1 if it names none."""
    directory = next(read_directories(exif.removeprefix(_EXIF_START)), None)
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
    """What a file says beside its pixels: an EXIF block from its byte order mark on, and an ICC profile; or nothing."""

    exif: bytes = b""
    profile: bytes = b""


def read_metadata(kinds: Sequence[int], blocks: Sequence[Array], avif: bytes = b"") -> Metadata:
    """Return what OpenCV found in a file, and the profile in the first box `colr` of an AVIF, which it leaves there."""
    found = {int(kind): np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=False)}
    exif, profile = found.get(cv2.IMAGE_METADATA_EXIF, b""), found.get(cv2.IMAGE_METADATA_ICCP, b"")
    start = avif.find(b"colrprof")
    length = int.from_bytes(avif[start - 4 : start]) if start >= 4 else 0
    if not profile and length > 12:
        profile = avif[start + 8 : start - 4 + length]
    return Metadata(exif.removeprefix(_EXIF_START), profile)


def carry_over(metadata: Metadata, format_: Format, pixels: Array) -> tuple[Metadata, str]:
    """Return what a file of a format can say of pixels that are upright, and a sentence on what is dropped, and why."""
    named = {"EXIF": metadata.exif, "the colour profile": metadata.profile}
    if not format_.metadata:
        lost = " and ".join(name for name, block in named.items() if block)
        return Metadata(), f"{lost} dropped: OpenCV writes none into {format_.name}" if lost else ""
    exif = _update_exif(metadata.exif, *pixels.shape[:2]) if metadata.exif else b""
    space = b"GRAY" if pixels.ndim == 2 or pixels.shape[2] == 1 else b"RGB "
    if metadata.profile and (metadata.profile[_COLOUR_SPACE] != space or (space == b"GRAY" and format_.name == "WebP")):
        theirs = metadata.profile[_COLOUR_SPACE].decode("ascii", "replace").strip()
        return Metadata(exif), f"the colour profile dropped: it is one for {theirs}, and the result is not"
    return Metadata(exif, metadata.profile), ""


def _update_exif(exif: bytes, height: int, width: int) -> bytes:
    """Return EXIF of a picture that is upright now, has another size perhaps, and no longer the old thumbnail."""
    first = next(read_directories(exif), None)
    if first is None:
        return b""
    changed = bytearray(exif)
    first.rewrite(changed, {ORIENTATION: 1})
    if place := first.number(_SUB_DIRECTORY):
        try:
            read_directory(exif, place).rewrite(changed, {_EXIF_HEIGHT: height, _EXIF_WIDTH: width})
        except struct.error:
            return b""
    end = first.link + struct.calcsize(first.form)
    if end <= len(changed):
        changed[first.link : end] = bytes(end - first.link)
    return bytes(changed)
