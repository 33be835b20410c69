"""Entries of EXIF blocks and of TIFF directories: read, written, and added to what is there.

TIFF 6.0 (section 2), BigTIFF, and EXIF 2.32 (section 4.6). The values of an entry are held in little-endian order, and
a directory that it leads to, such as that of EXIF or GPS, is held with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from cnnfilter.io.tags import Directory, read_directories, read_directory

DESCRIPTION, SOFTWARE, ARTIST, COPYRIGHT = 270, 305, 315, 33432
RESOLUTION = _ACROSS, _DOWN, _UNIT = 282, 283, 296
XMP, IPTC, RESOURCES, PROFILE = 700, 33723, 34377, 34675  # RESOURCES are Photoshop's
DETAILS, GPS = 34665, 34853
DESCRIPTIVE = frozenset(
    {269, DESCRIPTION, 271, 272, 285, SOFTWARE, 306, ARTIST, 316, 18246, 18249, COPYRIGHT, DETAILS, GPS}
    | set(range(40091, 40096))  # Windows' title, comment, author, keywords and subject
)
"""What says something of the picture rather than of how its pixels are written."""

BYTE, UNDEFINED = 1, 7
_ASCII, _SHORT, _LONG, _RATIONAL, _LONG8 = 2, 3, 4, 5, 16
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes that a value takes, by its kind."""

_WIDE = {16, 17, 18}  # kinds of BigTIFF alone
_LINKS = {DETAILS, GPS, 40965}  # the last leads from EXIF to what it says of compatibility
_DEEPEST = 3


class Entry(NamedTuple):
    """The values of a tag, or the directory that it leads to."""

    kind: int  # TIFF 6.0, section 2: 1 BYTE, 2 ASCII, 3 SHORT, and so on
    data: bytes = b""
    directory: Mapping[int, Entry] | None = None


def read_first_entries(block: bytes) -> dict[int, Entry]:
    """Return all entries of the first directory of a block."""
    first = next(read_directories(block), None)
    return read_entries(block, first, first.tags) if first else {}


def read_entries(block: bytes, directory: Directory, wanted: Iterable[int], depth: int = 0) -> dict[int, Entry]:
    """Return those entries of a directory that are wanted, and whose values are there."""
    found: dict[int, Entry] = {}
    left = len(block)  # values that overlap are no reason to take much memory
    for number in wanted:
        tag = directory.tags.get(number)
        if tag and number in _LINKS:
            with suppress(struct.error):
                below = read_directory(block, tag.value)
                entries = read_entries(block, below, below.tags, depth + 1) if depth < _DEEPEST else {}
                found[number] = Entry(_LONG, directory=entries)
        elif tag:
            length = tag.length * _SIZES.get(tag.kind, 0)
            left -= length
            if 0 < length <= len(block) - tag.offset and left >= 0:
                data = block[tag.offset : tag.offset + length]
                found[number] = Entry(tag.kind, _swap(data, tag.kind) if directory.form[0] == ">" else data)
    return found


def _swap(values: bytes, kind: int) -> bytes:
    """Return values in the other order of bytes."""
    size = _SIZES[kind] // (2 if kind in {5, 10} else 1)  # fractions are pairs
    return np.frombuffer(values, f"<u{size}").byteswap().tobytes() if size > 1 else values


def build_block(entries: Mapping[int, Entry]) -> bytes:
    """Return a block of one directory, such as EXIF is."""
    block = bytearray(b"II*\0\0\0\0\0")
    struct.pack_into("<I", block, 4, _append(block, "<I", entries, {}, 0))
    return bytes(block)


def add_entries(block: bytes | memoryview, pages: Sequence[Mapping[int, Entry]]) -> bytearray:
    """Return a block or a TIFF with entries in its directories, which take the place of those of the same tags.

    New directories are written behind everything else, so that all other offsets stay true. `struct.error` if the
    block would be longer than its offsets can say.
    """
    changed = bytearray(block)
    directories = list(read_directories(block))[: len(pages)]
    if not directories:
        return changed
    form, last = directories[0].form, directories[-1].link
    room = struct.calcsize(form)
    (following,) = struct.unpack(form, bytes(block[last : last + room]).ljust(room, b"\0"))
    for directory, entries in reversed(list(zip(directories, pages, strict=False))):
        following = _append(changed, form, entries, _raw_entries(block, directory), following)
    struct.pack_into(form, changed, room, following)
    return changed


def _raw_entries(block: bytes | memoryview, directory: Directory) -> dict[int, bytes]:
    """Return the entries of a directory as they are in the block, by the numbers of their tags."""
    room = struct.calcsize(directory.form)
    first, size = directory.place + (2 if room == 4 else 8), 4 + 2 * room
    each = (bytes(block[place : place + size]) for place in range(first, directory.link, size))
    return {struct.unpack_from(f"{directory.form[0]}H", entry)[0]: entry for entry in each}


def _append(
    block: bytearray, form: str, entries: Mapping[int, Entry], kept: Mapping[int, bytes], following: int
) -> int:
    """Append a directory of entries, and of others that are kept as they are, and return its place."""
    written, order, room = dict(kept), form[0], struct.calcsize(form)
    for number, entry in entries.items():
        if room == 4 and entry.kind in _WIDE:
            continue
        kind, data = entry.kind, _swap(entry.data, entry.kind) if order == ">" else entry.data
        if entry.directory is not None:
            kind = _LONG if room == 4 else _LONG8
            data = struct.pack(form, _append(block, form, entry.directory, {}, 0))
        head = struct.pack(f"{order}HH{form[1]}", number, kind, len(data) // _SIZES[kind])
        if len(data) > room:
            block += bytes(len(block) % 2)
            place = len(block)
            block += data
            data = struct.pack(form, place)
        written[number] = head + data.ljust(room, b"\0")
    block += bytes(len(block) % 2)
    place = len(block)
    block += struct.pack(order + ("H" if room == 4 else "Q"), len(written))
    block += b"".join(written[number] for number in sorted(written)) + struct.pack(form, following)
    return place


class Text(NamedTuple):
    """A text with a keyword, as PNG has them; a comment of JPEG has the keyword Comment."""

    keyword: str
    value: bytes  # in UTF-8, or as it is in a JPEG
    chunk: bytes = b""  # of a PNG: its name and contents


INCH = 0.0254  # metres


class Resolution(NamedTuple):
    """How many pixels there are in a length."""

    across: float
    down: float
    is_per_inch: bool = True  # else only the proportion of the two is known

    def turned(self) -> Resolution:
        """Return that of the picture turned by a quarter."""
        return Resolution(self.down, self.across, self.is_per_inch)


_NO_UNIT, _INCH, _CENTIMETRE = 1, 2, 3


def read_resolution(entries: Mapping[int, Entry]) -> Resolution | None:
    """Return the resolution that entries tell; 1 by 1, as some programs write it, tells nothing."""
    numbers = [_fraction(entries.get(tag)) for tag in (_ACROSS, _DOWN)]
    unit = int.from_bytes(entries[_UNIT].data[:2], "little") if _UNIT in entries else _INCH
    if not all(numbers) or numbers == [1, 1] or (unit == _NO_UNIT and numbers[0] == numbers[1]):
        return None
    across, down = (number * (2.54 if unit == _CENTIMETRE else 1) for number in numbers)
    return Resolution(across, down, unit != _NO_UNIT)


def _fraction(entry: Entry | None) -> float:
    if not entry or entry.kind != _RATIONAL:
        return 0.0
    above, below = struct.unpack_from("<II", entry.data)
    return float(above / below) if below else 0.0


def write_resolution(resolution: Resolution) -> dict[int, Entry]:
    """Return the entries that tell a resolution."""
    from fractions import Fraction  # noqa: PLC0415  seldom needed, and slow to load

    unit = _INCH if resolution.is_per_inch else _NO_UNIT
    parts = [Fraction(number).limit_denominator(10_000) for number in resolution[:2]]
    across, down = (Entry(_RATIONAL, struct.pack("<II", part.numerator, part.denominator)) for part in parts)
    return {
        _ACROSS: across,
        _DOWN: down,
        _UNIT: Entry(_SHORT, struct.pack("<H", unit)),
    }


def write_text(text: bytes) -> Entry:
    """Return an entry that holds a text."""
    return Entry(_ASCII, text + b"\0")
