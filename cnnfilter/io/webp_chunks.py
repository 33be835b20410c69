"""Chunks of WebP (RFC 9649): the size of the image, and metadata, read and written."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cnnfilter.io.metadata import EXIF_START, Metadata

_HAS_PROFILE, _HAS_ALPHA, _HAS_EXIF, _HAS_XMP = 0x20, 0x10, 0x08, 0x04


def list_webp_chunks(data: bytes | memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, the place of what is in it, and its length."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name, place + 8, length
        place += 8 + length + length % 2


def read_webp(data: bytes) -> Metadata:
    """Return what the chunks of a WebP say beside its pixels."""
    names = {b"EXIF": "exif", b"ICCP": "profile", b"XMP ": "xmp"}
    found: dict[str, bytes] = {}
    for name, place, length in list_webp_chunks(data):
        if name in names:
            found.setdefault(names[name], data[place : place + length])
    return Metadata(found.get("exif", b"").removeprefix(EXIF_START), found.get("profile", b""), found.get("xmp", b""))


def write_webp(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Put chunks where they belong: the profile before the pixels, EXIF and XMP behind them."""
    (name, place, length), *_ = list_webp_chunks(data)
    if name == b"VP8X":
        head, rest = bytearray(data[place : place + length]), data[place + length :]
    else:
        head, rest = bytearray(10), data[12:]
        height, width, alpha = read_webp_size(data, name, place)
        head[0] = _HAS_ALPHA if alpha else 0
        head[4:7], head[7:10] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    blocks = (metadata.profile, metadata.exif, metadata.xmp)
    for flag, block in zip((_HAS_PROFILE, _HAS_EXIF, _HAS_XMP), blocks, strict=True):
        head[0] |= flag if block else 0
    profile, exif_, xmp = (
        name + struct.pack("<I", len(block)) + block + bytes(len(block) % 2) if block else b""
        for name, block in zip((b"ICCP", b"EXIF", b"XMP "), blocks, strict=True)
    )
    start = b"WEBPVP8X" + struct.pack("<I", len(head))
    parts: list[bytes | bytearray | memoryview] = [start, head, profile, rest, exif_, xmp]
    return b"".join([b"RIFF", struct.pack("<I", sum(map(len, parts))), *parts])


def read_webp_size(data: bytes | memoryview, name: bytes, place: int) -> tuple[int, int, bool]:
    """Return height and width of an image without an extended header, and whether it has alpha."""
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, place + 1)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, bool(bits >> 28 & 1)
    width, height = struct.unpack_from("<HH", data, place + 6)
    return height & 0x3FFF, width & 0x3FFF, False
