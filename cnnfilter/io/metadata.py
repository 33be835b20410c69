"""EXIF and the colour profile, carried from file to file among JPEG, PNG, WebP and AVIF while they stay true."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.io.formats import Format
from cnnfilter.io.opencv import cv2
from cnnfilter.io.tiff import ORIENTATION, read_directories, read_directory

_EXIF_START = b"Exif\0\0"

_SUB_DIRECTORY, _WIDTH, _HEIGHT = 0x8769, 0xA002, 0xA003
"""EXIF 2.32, sections 4.6.3 and 4.6.4."""

_COLOUR_SPACE = slice(16, 20)
"""Where an ICC profile names its colour space (ICC.1:2022, section 7.2)."""


class Metadata(NamedTuple):
    """What a file says beside its pixels: an EXIF block from its byte order mark on, and an ICC profile; or nothing."""

    exif: bytes = b""
    profile: bytes = b""


def read_metadata(kinds: Sequence[int], blocks: Sequence[Array]) -> Metadata:
    """Return what OpenCV found in a file."""
    found = {int(kind): np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=False)}
    exif = found.get(cv2.IMAGE_METADATA_EXIF, b"").removeprefix(_EXIF_START)
    return Metadata(exif, found.get(cv2.IMAGE_METADATA_ICCP, b""))


def find_avif_profile(data: bytes) -> bytes:
    """Return the colour profile in an AVIF, which OpenCV leaves there, or nothing: that of the first box `colr`."""
    start = data.find(b"colrprof")
    length = int.from_bytes(data[start - 4 : start]) if start >= 4 else 0
    return data[start + 8 : start - 4 + length] if length > 12 else b""


def carry(metadata: Metadata, format_: Format, pixels: Array) -> tuple[Metadata, str]:
    """Return what a file of a format can say of pixels that are upright, and what is dropped, with the reason.

    Parameters
    ----------
    metadata
        What the input said.
    format_, pixels
        The file's format, and what goes into it, (H, W[, C]).

    Returns
    -------
    tuple
        What is written: EXIF with orientation 1, the size of the pixels and no thumbnail, and a profile if it is
        one for these channels. Then a sentence on what is not, or the empty string.
    """
    named = {"EXIF": metadata.exif, "the colour profile": metadata.profile}
    if not format_.metadata:
        lost = " and ".join(name for name, block in named.items() if block)
        return Metadata(), f"{lost} dropped: OpenCV writes none into {format_.name}" if lost else ""
    exif = _made_true(metadata.exif, *pixels.shape[:2]) if metadata.exif else b""
    space = b"GRAY" if pixels.ndim == 2 or pixels.shape[2] == 1 else b"RGB "
    if metadata.profile and (metadata.profile[_COLOUR_SPACE] != space or (space == b"GRAY" and format_.name == "WebP")):
        theirs = metadata.profile[_COLOUR_SPACE].decode("ascii", "replace").strip()
        return Metadata(exif), f"the colour profile dropped: it is one for {theirs}, and the result is not"
    return Metadata(exif, metadata.profile), ""


def _made_true(exif: bytes, height: int, width: int) -> bytes:
    """Return EXIF of a picture that is upright now, has another size perhaps, and no longer the old thumbnail."""
    first = next(read_directories(exif), None)
    if first is None:
        return b""
    changed = bytearray(exif)
    first.rewrite(changed, {ORIENTATION: 1})
    if place := first.number(_SUB_DIRECTORY):
        try:
            read_directory(exif, place).rewrite(changed, {_HEIGHT: height, _WIDTH: width})
        except struct.error:
            return b""
    end = first.link + struct.calcsize(first.form)
    if end <= len(changed):
        changed[first.link : end] = bytes(end - first.link)
    return bytes(changed)


def as_blocks(metadata: Metadata) -> tuple[list[int], list[Array]]:
    """Return metadata as OpenCV takes it: kinds, and their blocks."""
    blocks = {cv2.IMAGE_METADATA_EXIF: metadata.exif, cv2.IMAGE_METADATA_ICCP: metadata.profile}
    held = {kind: np.frombuffer(block, np.uint8) for kind, block in blocks.items() if block}
    return list(held), list(held.values())
