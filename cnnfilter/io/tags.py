"""Directories of tags, as TIFF (6.0, section 2), BigTIFF, which has wider counts and offsets, and EXIF have them."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

ORIENTATION = 274

TAG_STARTS = {b"II*\0": "<I", b"MM\0*": ">I", b"II+\0": "<Q", b"MM\0+": ">Q"}
"""How files and blocks of tags begin, and how their offsets are written."""

_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Whole numbers: BYTE, SHORT, LONG, IFD, LONG8, IFD8."""

_FORMS = _WHOLE | {5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 17: "q"}
"""The types of values; a rational is two numbers. ASCII (2), UNDEFINED (7) and unknown types are bytes."""

_MOST_TAGS = 65_535  # that a classic directory can count
_MOST_DIRECTORIES = 100_000  # more pages than any file has; more are slips or attacks


class Tag(NamedTuple):
    """A tag of a directory."""

    length: int  # its number of values
    value: int  # the first of them; 0 where they are not whole numbers, or beyond the file's end
    offset: int  # where that is
    form: str  # how it is written
    kind: int  # the number of its type

    def ends_behind(self, data: bytes) -> bool:
        """Return whether a file ends before the last of the values does."""
        return self.offset + self.length * struct.calcsize(self.form) > len(data)

    def values(self, data: bytes) -> tuple[float, ...]:
        """Return all values in a file, of rationals the two numbers of each; `struct.error` where the file ends."""
        order, codes = self.form[0], self.form[1:]
        if self.ends_behind(data):
            raise struct.error(f"{self.length} values at {self.offset} of {len(data)} bytes")
        return struct.unpack_from(f"{order}{self.length * len(codes)}{codes[0]}", data, self.offset)


class Directory(NamedTuple):
    """The tags of a page by their numbers, where the link to the next page is, how it is written, and its own place."""

    tags: dict[int, Tag]
    link: int
    form: str
    place: int = 0

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag."""
        return self.tags[tag].value if tag in self.tags else default

    def rewrite(self, data: bytearray, values: Mapping[int, int]) -> None:
        """Change the first value of some tags in a file, where the page has them and they have the room."""
        for number, value in values.items():
            tag = self.tags.get(number)
            size = struct.calcsize(tag.form) if tag else 0
            fits = tag and tag.form[1:] in _WHOLE.values() and tag.offset + size <= len(data)
            if tag and fits and value < 1 << 8 * size:
                struct.pack_into(tag.form, data, tag.offset, value)


def read_directories(data: bytes | memoryview) -> Iterator[Directory]:
    """Yield the directories of a block, in the order of their links; none where it has none, or is cut off."""
    offset = TAG_STARTS.get(bytes(data[:4]))
    if offset is None:
        return
    seen: set[int] = set()
    with suppress(struct.error):
        (place,) = struct.unpack_from(offset, data, struct.calcsize(offset))  # the first is as far in as it is wide
        while place and place not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(place)
            directory = read_directory(data, place)
            yield directory
            (place,) = struct.unpack_from(offset, data, directory.link)


def read_directory(data: bytes | memoryview, place: int) -> Directory:
    """Return the directory at a place; `struct.error` if the file ends before it."""
    offsets = TAG_STARTS[bytes(data[:4])]
    order, width = offsets[0], offsets[1]
    counts, entry = order + ("H" if width == "I" else "Q"), f"{order}HH{width}"
    if place > len(data):  # 64 bits can be more than an offset
        raise struct.error(f"a directory at {place} of {len(data)} bytes")
    (count,) = struct.unpack_from(counts, data, place)
    room = struct.calcsize(offsets)
    first, size = place + struct.calcsize(counts), struct.calcsize(entry) + room
    tags: dict[int, Tag] = {}
    for end in range(first + size, first + size * (min(count, _MOST_TAGS) + 1), size):
        number, kind, length = struct.unpack_from(entry, data, end - size)
        offset, form = end - room, order + _FORMS.get(kind, "B")
        if length * struct.calcsize(form) > room:
            (offset,) = struct.unpack_from(offsets, data, offset)
        fits = kind in _WHOLE and length and offset + struct.calcsize(form) <= len(data)
        value = struct.unpack_from(form, data, offset)[0] if fits else 0
        tags.setdefault(number, Tag(length, value, offset, form, kind))
    return Directory(tags, first + size * count, offsets, place)
