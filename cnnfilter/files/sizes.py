"""The shape of a picture from the head of its file, without decoding it."""

import re
import struct
from collections.abc import Callable

from cnnfilter.files.avif import is_avif
from cnnfilter.files.orientation import read_orientation
from cnnfilter.files.tags import Tag, find_tag

Size = tuple[int, ...]
"""(H, W) or (H, W, C), upright, as the picture is once it has been read."""

_ON_ITS_SIDE = {5, 6, 7, 8}
"""Orientations that exchange height and width."""

_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of JPEG that are followed by the size (ITU-T T.81, table B.1)."""

_ALONE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a length."""

_MONOCHROME = 0x10
"""A bit of the AV1 codec configuration."""

_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"


def find_size(data: bytes) -> Size | None:
    """Return the shape of the picture in a file, or None where its head does not tell.

    Parameters
    ----------
    data
        The file, or a map of it: only the head, and the chunks that it is made of, are looked at.
    """
    try:
        return next((read(data) for is_one, read in _READERS if is_one(data)), None)
    except (struct.error, IndexError, ValueError):
        return None


def _shape(height: int, width: int, channels: int, orientation: int = 1) -> Size | None:
    if height < 1 or width < 1 or channels not in {1, 3, 4}:
        return None
    sides = (width, height) if orientation in _ON_ITS_SIDE else (height, width)
    return sides if channels == 1 else (*sides, channels)


def _read_png(data: bytes) -> Size | None:
    """Portable Network Graphics, section 11."""
    width, height, _, kind = struct.unpack_from(">IIBB", data, 16)
    channels, orientation, place = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}[kind], 1, 8
    while place < len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"tRNS" and kind in {2, 3}:
            channels = 4
        elif name == b"eXIf":
            orientation = read_orientation(data[place + 8 : place + 8 + length])
        elif name == b"IEND":
            break
        place += 12 + length
    return _shape(height, width, channels, orientation)


def _read_jpeg(data: bytes) -> Size | None:
    """ITU-T T.81, annex B."""
    place, orientation = 2, 1
    while True:
        while data[place] == 0xFF and data[place + 1] == 0xFF:
            place += 1
        mark, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        if data[place] != 0xFF:
            return None
        if mark in _START_OF_FRAME:
            height, width, channels = struct.unpack_from(">HHB", data, place + 5)
            return _shape(height, width, min(channels, 3), orientation)
        if mark == 0xE1 and data[place + 4 : place + 10] == b"Exif\0\0" and orientation == 1:
            orientation = read_orientation(data[place + 4 : place + 2 + length])
        place += 2 if mark in _ALONE else 2 + length


def _read_webp(data: bytes) -> Size | None:
    """RFC 9649, section 2."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 6)
        return _shape(height & 0x3FFF, width & 0x3FFF, 3)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 1)
        return _shape((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, 4 if bits >> 28 & 1 else 3)
    width, height = (int.from_bytes(head[start : start + 3], "little") + 1 for start in (4, 7))
    orientation, place = 1, 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        if name == b"EXIF":
            orientation = read_orientation(data[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    return _shape(height, width, 4 if head[0] & 0x10 else 3, orientation)


def _read_tiff(data: bytes) -> Size | None:
    """TIFF 6.0, section 8."""
    tags = [find_tag(data, number) for number in (257, 256, 277, 262, 274)]
    height, width, samples, photometric, turned = (_value(data, tag) if tag else 1 for tag in tags)
    channels = 3 if photometric in {3, 5} else samples
    return _shape(height, width, channels, turned)


def _value(data: bytes, tag: Tag) -> int:
    """Return a tag's first number, which is a short or a long."""
    wide = data[2:4] in {b"+\0", b"\0+"}
    (kind,) = struct.unpack_from(f"{tag.order}H", data, tag.offset - (10 if wide else 6))
    return int(struct.unpack_from(tag.order + {4: "I", 16: "Q"}.get(kind, "H"), data, tag.offset)[0])


def _read_avif(data: bytes) -> Size | None:
    """ISO/IEC 23008-12: the largest extent is that of the whole; `irot` turns it."""
    head = data[: data.find(b"mdat")]
    extents = [struct.unpack_from(">II", head, found.end() + 4) for found in re.finditer(b"ispe", head)]
    width, height = max(extents, key=lambda extent: extent[0] * extent[1], default=(0, 0))
    turns, coding = head.find(b"\0\0\0\x09irot"), head.find(b"av1C")
    channels = 1 if head[coding + 6] & _MONOCHROME else 3
    return _shape(height, width, 4 if _ALPHA in head else channels, 6 if turns >= 0 and head[turns + 8] & 1 else 1)


def _read_jpeg_2000(data: bytes) -> Size | None:
    """ISO/IEC 15444-1, annex I."""
    place = data.find(b"ihdr", 0, 4096)
    height, width, channels = struct.unpack_from(">IIH", data, place + 4)
    return _shape(height, width, channels) if place > 0 else None


def _read_bmp(data: bytes) -> Size | None:
    """Read a BMP of 24 bits; of those with palettes and masks the pixels tell."""
    width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    return _shape(abs(height), width, 3) if bits == 24 and data[14] != 12 else None


def _read_netpbm(data: bytes) -> Size | None:
    """Read the head of PBM, PGM, PPM and PFM: a sign, the width, the height."""
    words = re.sub(rb"#[^\n]*", b"", data[:4096]).split()
    return _shape(int(words[2]), int(words[1]), 3 if words[0] in {b"P3", b"P6", b"PF"} else 1)


def _read_radiance(data: bytes) -> Size | None:
    match = re.search(rb"\n-Y (\d+) \+X (\d+)\n", data[:4096])
    return _shape(int(match[1]), int(match[2]), 3) if match else None


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Size | None]], ...] = (
    (lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _read_png),
    (lambda data: data[:2] == b"\xff\xd8", _read_jpeg),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _read_webp),
    (lambda data: data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}, _read_tiff),
    (is_avif, _read_avif),
    (lambda data: data[4:8] == b"jP  ", _read_jpeg_2000),
    (lambda data: data[:2] == b"BM", _read_bmp),
    (lambda data: data[:2] in {b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"PF", b"Pf"}, _read_netpbm),
    (lambda data: data[:2] == b"#?", _read_radiance),
)
"""How each format is known, and how its head is read; of others, such as GIF, the whole file tells."""
