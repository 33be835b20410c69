"""Resources of Photoshop in JPEG and TIFF, IPTC among them (Adobe Photoshop File Formats Specification)."""

import struct
from collections.abc import Iterator

IPTC = 0x0404
_PATHS = range(2000, 2999)
_STALE = {0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424}
"""Thumbnails, and copies of the colour profile, of EXIF and of XMP."""


def _list_resources(block: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield the number of each resource, and where it begins, its contents begin, and they end."""
    place = 0
    while place + 12 <= len(block):
        (number, length) = struct.unpack_from(">HB", block, place + 4)
        start = place + 7 + length + (length + 1) % 2 + 4
        end = start + int.from_bytes(block[start - 4 : start])
        if end > len(block):
            return
        yield number, place, start, end
        place = end + (end - start) % 2


def keep_resources(block: bytes) -> bytes:
    """Return the resources that are true of an image that was changed."""
    kept = (
        block[place:end] + bytes((end - start) % 2)
        for number, place, start, end in _list_resources(block)
        if number not in _STALE
    )
    return b"".join(kept)


def find_iptc(block: bytes) -> bytes:
    """Return the records of IPTC among the resources."""
    return next((block[start:end] for number, _, start, end in _list_resources(block) if number == IPTC), b"")


def wrap_iptc(records: bytes) -> bytes:
    """Return records of IPTC as a resource."""
    return struct.pack(">4sHHI", b"8BIM", IPTC, 0, len(records)) + records + bytes(len(records) % 2)


def name_resources(block: bytes) -> list[str]:
    """Return the names of resources that people would miss."""
    numbers = {number for number, *_ in _list_resources(block)}
    return ["IPTC"] * (IPTC in numbers) + ["the paths of Photoshop"] * (not numbers.isdisjoint(_PATHS))
