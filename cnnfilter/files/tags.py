"""The directories of tags that TIFF files have, and EXIF blocks, which are built as they are."""

import struct
from collections.abc import Iterator
from typing import NamedTuple


class _Layout(NamedTuple):
    """Where a file keeps its first directory, how it counts its entries, and how an entry is built."""

    order: str
    start: int
    place: str
    counts: str


_LAYOUTS = {
    b"II*\0": _Layout("<", 4, "I", "H"),
    b"MM\0*": _Layout(">", 4, "I", "H"),
    b"II+\0": _Layout("<", 8, "Q", "Q"),
    b"MM\0+": _Layout(">", 8, "Q", "Q"),
}
"""TIFF 6.0, section 2, and BigTIFF, which has wider counts and offsets."""

_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
"""The kinds of values that are whole numbers: BYTE, SHORT, LONG, IFD, LONG8."""

_MOST_TAGS = 65_535
"""As many as a classic directory can count."""

_MOST_DIRECTORIES = 100_000
"""More pages than any file has; longer chains are slips or attacks."""


class Tag(NamedTuple):
    """A tag of a directory: its number of values, the first of them, where that stands, and how it is written.

    `value` is 0 where the values are no whole numbers, or lie beyond the file's end.
    """

    length: int
    value: int
    offset: int
    form: str

    def rewritten(self, data: bytes, value: int) -> bytes:
        """Return the file with another first value."""
        return data[: self.offset] + struct.pack(self.form, value) + data[self.offset + struct.calcsize(self.form) :]


class Directory(NamedTuple):
    """The tags of a page by their numbers, where the link to the next page stands, and how it is written."""

    tags: dict[int, Tag]
    link: int
    form: str

    def unlinked(self, data: bytes) -> bytes:
        """Return the file without the pages behind this one."""
        return data[: self.link] + bytes(struct.calcsize(self.form)) + data[self.link + struct.calcsize(self.form) :]

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag."""
        return self.tags[tag].value if tag in self.tags else default


def read_directories(data: bytes) -> Iterator[Directory]:
    """Yield the directories in the order of their links; none where a block is no TIFF, or from where it is cut off.

    Parameters
    ----------
    data
        From the byte order mark on.
    """
    layout = _LAYOUTS.get(data[:4])
    if layout is None:
        return
    form = f"{layout.order}{layout.place}"
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(form, data, layout.start)
        while place and place not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(place)
            directory = read_directory(data, place)
            yield directory
            (place,) = struct.unpack_from(form, data, directory.link)
    except struct.error:
        return


def read_directory(data: bytes, place: int) -> Directory:
    """Return the directory at a place; `struct.error` if the file ends before it."""
    layout = _LAYOUTS[data[:4]]
    if place > len(data):  # 64 bits can be more than an offset
        raise struct.error(f"a directory at {place} of {len(data)} bytes")
    (count,) = struct.unpack_from(f"{layout.order}{layout.counts}", data, place)
    entry = struct.Struct(f"{layout.order}HH{layout.place}")
    room = struct.calcsize(layout.place)
    first = place + struct.calcsize(layout.counts)
    tags: dict[int, Tag] = {}
    for position in range(first, first + (entry.size + room) * min(count, _MOST_TAGS), entry.size + room):
        number, kind, length = entry.unpack_from(data, position)
        tags.setdefault(number, _read_tag(data, layout, (kind, length, position + entry.size, room)))
    return Directory(tags, first + (entry.size + room) * count, f"{layout.order}{layout.place}")


def _read_tag(data: bytes, layout: _Layout, entry: tuple[int, int, int, int]) -> Tag:
    """Return a tag whose values stand in its entry if there is room for them, else where the entry points."""
    kind, length, offset, room = entry
    form = f"{layout.order}{_NUMBERS.get(kind, 'B')}"
    if length * struct.calcsize(form) > room:
        (offset,) = struct.unpack_from(f"{layout.order}{layout.place}", data, offset)
    fits = kind in _NUMBERS and length and offset + struct.calcsize(form) <= len(data)
    return Tag(length, struct.unpack_from(form, data, offset)[0] if fits else 0, offset, form)


def find_tag(data: bytes, number: int) -> Tag | None:
    """Return a tag of the first directory (TIFF 6.0, section 2), or None where it, or any directory, is missing.

    Parameters
    ----------
    data
        From the byte order mark on.
    number
        The tag's number; its values are whole numbers.
    """
    return next((directory.tags.get(number) for directory in read_directories(data)), None)
