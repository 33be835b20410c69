"""What image files promise in their headers: the size of the picture, how many pages or frames there are."""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

from cnnfilter.files.avif import is_avif
from cnnfilter.files.tags import read_directories


class Header(NamedTuple):
    """What a file promises.

    Parameters
    ----------
    height, width
        Of the first page, as it lies in the file.
    depth
        Bytes that a pixel takes when it is decoded, at least.
    pages
        How many pages or frames there are.
    total
        The pixels of all pages.
    is_whole
        Whether the file reaches to its end undamaged, as far as that can be told without decoding it.
    """

    height: int
    width: int
    depth: int = 3
    pages: int = 1
    total: int = 0
    is_whole: bool = True

    @property
    def pixels(self) -> int:
        """The pixels of all pages."""
        return self.total or self.height * self.width * self.pages


def read_header(data: bytes) -> Header | None:
    """Return what a file promises, or None where that cannot be told.

    Examples
    --------
    >>> read_header(b"P6 640 480 255 ")[:2]
    (480, 640)
    """
    for belongs, read in _READERS:
        if belongs(data):
            try:
                return read(data)
            except (struct.error, IndexError, ValueError):
                return None
    return None


def _png(data: bytes) -> Header:
    """PNG 1.3 (W3C, 2023), sections 5.3, 11.2.1 and 11.3.6: chunks, each with its checksum."""
    width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
    pages, place, name, sound = 1, 8, b"", True
    file = memoryview(data)
    while sound and name != b"IEND" and place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"acTL":
            (pages,) = struct.unpack_from(">I", data, place + 8)
        end = place + 8 + length  # OpenCV takes memory for any length, and has crashed on chunks of false names
        sound = end + 4 <= len(data) and file[end : end + 4] == crc32(file[place + 4 : end]).to_bytes(4)
        place = end + 4
    channels = {0: 1, 4: 4, 6: 4}.get(kind, 3)
    return Header(height, width, channels * max(1, bits // 8), max(1, pages), is_whole=sound and name == b"IEND")


def _jpeg(data: bytes) -> Header:
    """ITU-T T.81, annex B: segments up to the first scan, behind which somewhere an end must come."""
    place, found = 2, Header(0, 0)
    while True:
        while data[place] != 0xFF or data[place + 1] in {0x00, 0xFF}:
            place += 1
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width, components = struct.unpack_from(">HHB", data, place + 5)
            found = Header(height, width, 1 if components == 1 else 3)
        if marker == _JPEG_SCAN:
            return found._replace(is_whole=data.find(_JPEG_END, place) > 0)
        place += 2 if 0xD0 <= marker <= 0xD8 or marker == 1 else 2 + struct.unpack_from(">H", data, place + 2)[0]


_JPEG_SCAN, _JPEG_END = 0xDA, b"\xff\xd9"


def _gif(data: bytes) -> Header:
    """GIF 89a: a screen, then blocks to a trailer; each picture is a frame."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place, pages = 13 + _colours(flags), 0
    while place < len(data) and data[place] != _GIF_TRAILER:
        if data[place] == _GIF_PICTURE and place + 9 < len(data):
            pages += 1
            place += 11 + _colours(data[place + 9])
        else:
            place += 2
        while place < len(data) and data[place]:
            place += data[place] + 1
        place += 1
    return Header(height, width, 4, max(1, pages), is_whole=place < len(data))


_GIF_TRAILER, _GIF_PICTURE = 0x3B, 0x2C


def _colours(flags: int) -> int:
    """Return how long the table of colours is that a GIF's flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp(data: bytes) -> Header:
    """WebP container (RFC 9649): one picture, or a canvas and a chunk for each frame."""
    is_whole = len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header(height & 0x3FFF, width & 0x3FFF, is_whole=is_whole)
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, 4, is_whole=is_whole)
    across, far_across, down, far_down = struct.unpack_from("<HBHB", data, 24)
    width, height = across + (far_across << 16) + 1, down + (far_down << 16) + 1
    pages, place = 0, 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        pages += name == b"ANMF"
        place += 8 + length + length % 2
    return Header(height, width, 4, max(1, pages), is_whole=is_whole)


_WIDTH, _HEIGHT, _BITS, _SAMPLES = 256, 257, 258, 277
"""TIFF 6.0, section 8."""


def _tiff(data: bytes) -> Header | None:
    """Return the size of the first page, and the sum of all."""
    sizes, depth, directory = [], 1, None
    for directory in read_directories(data):
        height, width = directory.number(_HEIGHT), directory.number(_WIDTH)
        sizes.append((height, width))
        depth = max(depth, directory.number(_SAMPLES, 1) * max(1, directory.number(_BITS, 1) // 8))
    if directory is None:
        return None
    end = directory.link + struct.calcsize(directory.form)
    is_whole = end <= len(data) and not any(data[directory.link : end])
    return Header(*sizes[0], depth, len(sizes), sum(height * width for height, width in sizes), is_whole)


def _bmp(data: bytes) -> Header:
    """Windows bitmap, with a header of 12 or of 40 bytes and more."""
    if data[14] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header(abs(height), abs(width))


_NETPBM = re.compile(rb"P([1-6Ff])\s(?:\s|#[^\n]*\n)*(\d+)\s(?:\s|#[^\n]*\n)*(\d+)\s(?:\s|#[^\n]*\n)*([-+.\d]*)")
"""Netpbm's formats, and PFM."""


def _netpbm(data: bytes) -> Header | None:
    match = _NETPBM.match(data[:4096])
    if not match:
        return None
    colour = match[1] in b"36F"
    size = 4 if match[1] in b"Ff" else 1 + (match[1] not in b"14" and float(match[4] or 0) > 255)
    return Header(int(match[3]), int(match[2]), (3 if colour else 1) * size)


def _pam(data: bytes) -> Header | None:
    """Netpbm's PAM: named lines."""
    found = {name: int(number) for name, number in re.findall(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d+)", data[:4096])}
    if not {b"WIDTH", b"HEIGHT", b"DEPTH"} <= set(found):
        return None
    return Header(found[b"HEIGHT"], found[b"WIDTH"], found[b"DEPTH"] * (1 + (found.get(b"MAXVAL", 0) > 255)))


def _radiance(data: bytes) -> Header | None:
    match = re.search(rb"\n[-+]Y (\d+) [-+]X (\d+)\n", data[:65_536])
    return Header(int(match[1]), int(match[2]), 12) if match else None


def _avif(data: bytes) -> Header | None:
    """ISO/IEC 23008-12: the largest `ispe`, and of a sequence as many samples as its first `stsz` counts."""
    sizes = [struct.unpack_from(">II", data, match.end() + 4) for match in re.finditer(b"ispe", data[:65_536])]
    table = data.find(b"stsz")
    pages = struct.unpack_from(">I", data, table + 12)[0] if table > 0 and b"avis" in data[8:64] else 1
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return Header(height, width, 3, max(1, pages)) if sizes else None


def _jpeg_2000(data: bytes) -> Header | None:
    """ITU-T T.800: the box `ihdr`, or the marker SIZ of a bare stream."""
    box = data.find(b"ihdr", 0, 512)
    if box > 0:
        height, width, components, bits = struct.unpack_from(">IIHB", data, box + 4)
    else:
        right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
        height, width, components, bits = bottom - top, right - left, 3, 7
    return Header(height, width, components * (1 + (bits & 0x7F) // 8))


_READERS: list[tuple[Callable[[bytes], bool], Callable[[bytes], Header | None]]] = [
    (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda data: data.startswith(b"\xff\xd8"), _jpeg),
    (lambda data: data.startswith((b"GIF87a", b"GIF89a")), _gif),
    (lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP", _webp),
    (lambda data: data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), _tiff),
    (lambda data: data.startswith(b"BM"), _bmp),
    (lambda data: data.startswith(b"P7"), _pam),
    (lambda data: data[:1] == b"P", _netpbm),
    (lambda data: data.startswith(b"#?"), _radiance),
    (is_avif, _avif),
    (lambda data: data[4:8] == b"jP  " or data.startswith(b"\xff\x4f\xff\x51"), _jpeg_2000),
]
