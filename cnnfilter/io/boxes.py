"""Boxes of AVIF, and its items: EXIF, XMP and others, which may lie anywhere in the file.

ISO/IEC 14496-12 (sections 4.2 and 8.11) and 23008-12.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple


class Item(NamedTuple):
    """An item as the table of items names it."""

    number: int
    name: str  # its type of four signs, of `mime` the type of its contents
    place: int  # where the four signs are


def list_boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each box between two places, and where its contents begin and end."""
    while place + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1 and start + 8 <= end:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        stop = place + length if length else end
        if stop < start:
            return
        yield name, start, min(stop, end)
        place = stop


def find_box(data: bytes, *path: bytes) -> tuple[int, int]:
    """Return where the contents of a box begin and end, found down a path of boxes; 0, 0 where there is none."""
    place, end = 0, len(data)
    for name in path:
        place, end = next(
            ((start, stop) for found, start, stop in list_boxes(data, place, end) if found == name), (0, 0)
        )
        if name == b"meta" and end:
            place += 4  # its version and flags
    return place, end


def list_items(data: bytes) -> Iterator[Item]:
    """Yield the items of a file."""
    start, end = find_box(data, b"meta", b"iinf")
    if start + 4 > end:
        return
    for name, place, stop in list_boxes(data, start + (6 if data[start] == 0 else 8), end):
        if name == b"infe" and data[place] in {2, 3}:
            wide = data[place] == 3
            (number,) = struct.unpack_from(">I" if wide else ">H", data, place + 4)
            signs = place + (10 if wide else 8)
            kind, texts = data[signs : signs + 4], data[signs + 4 : stop].split(b"\0")
            kind = texts[1] if kind == b"mime" and len(texts) > 1 else kind
            yield Item(number, kind.decode("latin-1"), signs)


def read_items(data: bytes) -> dict[str, bytes]:
    """Return what is in the items that describe the picture, EXIF and those that have a type of contents."""
    found: dict[str, bytes] = {}
    with suppress(struct.error, IndexError):
        places = dict(_list_places(data))
        for item in list_items(data):
            if item.name == "Exif" or "/" in item.name:
                parts = (data[place : place + length] for place, length in places.get(item.number, []))
                found.setdefault(item.name, b"".join(parts))
    return found


def is_cut_off(data: bytes) -> bool:
    """Return whether an item ends beyond the file, or its table of places does."""
    try:
        return any(place + length > len(data) for _, parts in _list_places(data) for place, length in parts)
    except (struct.error, IndexError):
        return True


def _list_places(data: bytes) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield the number of each item, and the place and length of each of its parts."""
    place, end = find_box(data, b"meta", b"iloc")
    inner, inner_end = find_box(data, b"meta", b"idat")

    def take(size: int) -> int:
        nonlocal place
        place += size
        if place > end:
            raise struct.error("the table of places ends too early")
        return int.from_bytes(data[place - size : place])

    if not end:
        return
    version, sizes = take(4) >> 24, take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(take(2 if version < 2 else 4)):
        number = take(2 if version < 2 else 4)
        method = take(2) & 15 if version in {1, 2} else 0
        take(2)  # another file, which is not followed
        base, parts = take(base_size), list[tuple[int, int]]()
        for _ in range(take(2)):
            take(index_size if version in {1, 2} else 0)
            start, length = base + take(offset_size), take(length_size)
            first, last = (inner, inner_end) if method == 1 else (0, len(data))
            parts.append((first + start, length or max(0, last - first - start)))
        yield number, parts


def list_associations(data: bytes) -> Iterator[int]:
    """Yield where the contents of each box `ipma` begin: tables of which properties each item has."""
    for name, place, _ in list_boxes(data, *find_box(data, b"meta", b"iprp")):
        if name == b"ipma":
            yield place


def adapt_to_libavif(data: bytes) -> bytes:
    """Return an AVIF as libavif reads it.

    Items that describe the image are hidden: libavif reads no file in which they lie far behind. Several tables of
    properties of the same kind, as old versions of cavif write them, get flags of their own, which no reader looks at.
    """
    changed = bytearray(data)
    with suppress(struct.error, IndexError):
        for item in list_items(data):
            if item.name == "Exif" or "/" in item.name:
                changed[item.place : item.place + 4] = b"none"
        for number, place in enumerate(list_associations(data)):
            changed[place + 1] = min(number, 255)
    return bytes(changed)


def find_colours(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Return where a file tells its colour space, by numbers (`nclx`) or a profile (`prof`): from where to where."""
    start, end = find_box(data, b"meta", b"iprp", b"ipco")
    found: dict[bytes, tuple[int, int]] = {}
    for name, place, stop in list_boxes(data, start, end):
        if name == b"colr":
            kind = data[place : place + 4]
            found.setdefault(b"prof" if kind == b"rICC" else kind, (place + 4, stop))
    return found
