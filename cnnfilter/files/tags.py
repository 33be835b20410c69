"""The directory of tags that TIFF files have, and EXIF blocks, which are built as they are."""

import struct
from typing import NamedTuple


class _Layout(NamedTuple):
    """Where a file keeps its first directory, how it counts its entries, and how an entry is built."""

    order: str
    start: tuple[int, str]
    counts: str
    entry: str
    value: int


_LAYOUTS = {
    b"II*\0": _Layout("<", (4, "I"), "H", "HHIH2x", 8),
    b"MM\0*": _Layout(">", (4, "I"), "H", "HHIH2x", 8),
    b"II+\0": _Layout("<", (8, "Q"), "Q", "HHQH6x", 12),
    b"MM\0+": _Layout(">", (8, "Q"), "Q", "HHQH6x", 12),
}
"""TIFF 6.0, section 2, and BigTIFF, which has wider counts and offsets."""


_MOST_TAGS = 65_535
"""As many as a classic directory can count."""


class Tag(NamedTuple):
    """A tag of the first directory: its number of values, its first short value, and where that stands."""

    length: int
    value: int
    offset: int
    order: str


def find_tag(data: bytes, number: int) -> Tag | None:
    """Return a tag of the first directory (TIFF 6.0, section 2), or None where it, or any directory, is missing.

    Parameters
    ----------
    data
        From the byte order mark on.
    number
        The tag's number; its values are shorts.
    """
    layout = _LAYOUTS.get(data[:4])
    if layout is None:
        return None
    order, (place, offset) = layout.order, layout.start
    entry = struct.Struct(f"{order}{layout.entry}")
    try:
        (start,) = struct.unpack_from(f"{order}{offset}", data, place)
        (count,) = struct.unpack_from(f"{order}{layout.counts}", data, start)
        first = start + struct.calcsize(f"{order}{layout.counts}")
        for position in range(first, first + entry.size * min(count, _MOST_TAGS), entry.size):
            tag, _, values, value = entry.unpack_from(data, position)
            if tag == number:
                return Tag(values, value, position + layout.value, order)
    except struct.error:
        pass
    return None
