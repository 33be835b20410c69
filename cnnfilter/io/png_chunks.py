"""Metadata in the chunks of PNG, before and behind its pixels (PNG 1.3, section 11.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress

from cnnfilter.io.exif import INCH, Resolution, Text
from cnnfilter.io.metadata import EXIF_START, Metadata
from cnnfilter.io.photoshop import keep_resources, wrap_iptc
from cnnfilter.io.png import write_chunk

_UNPACKED = 1 << 26
"""So many bytes a compressed profile or text becomes at most."""

_XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW = "Raw profile type "
_COLOUR_CHUNKS = {b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
"""Chunks that tell the colour space, and how long they are."""


def _unpack(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, _UNPACKED)


def read_png(chunks: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """Return what chunks of a PNG, their names and what is in them, say beside its pixels."""
    found, texts, colours, raw = Metadata(), list[Text](), dict[bytes, bytes](), dict[str, bytes]()
    for name, body in chunks:
        with suppress(struct.error, IndexError, ValueError, zlib.error):
            if name == b"eXIf":
                found = found._replace(exif=body.removeprefix(EXIF_START))
            elif name == b"iCCP":
                found = found._replace(profile=_unpack(body[body.index(0) + 2 :]))
            elif name == b"pHYs":
                across, down, unit = struct.unpack_from(">IIB", body)
                found = found._replace(resolution=_read_physical_size(across, down, unit))
            elif len(body) == _COLOUR_CHUNKS.get(name):
                colours.setdefault(name, name + body)
            elif name in {b"tEXt", b"zTXt", b"iTXt"}:
                text = _read_text(name, body)
                if text.keyword == _XMP_KEYWORD.decode():
                    found = found._replace(xmp=text.value)
                elif text.keyword.startswith(_RAW):
                    raw[text.keyword.removeprefix(_RAW)] = _read_raw(text.value)
                elif 0 < len(text.keyword) < 80 and text.keyword.isprintable():
                    texts.append(text)
    resources = raw.get("8bim") or (wrap_iptc(raw["iptc"]) if "iptc" in raw else b"")
    return found._replace(
        exif=found.exif or (raw.get("exif") or raw.get("APP1", b"")).removeprefix(EXIF_START),
        profile=found.profile or raw.get("icc", b""),
        xmp=found.xmp or raw.get("xmp", b""),
        texts=tuple(texts),
        colours=tuple(colours.values()),
        resources=keep_resources(resources),
    )


def _read_raw(text: bytes) -> bytes:
    """Return a block that ImageMagick wrote as a text: an empty line, its name, its length, and hexadecimal digits."""
    _, _, _, digits = text.split(b"\n", 3)
    return bytes.fromhex(digits.decode())


def _read_physical_size(across: int, down: int, unit: int) -> Resolution | None:
    if not across or not down or (unit != 1 and across == down):
        return None
    scale = INCH if unit == 1 else 1
    return Resolution(across * scale, down * scale, unit == 1)


def _read_text(name: bytes, body: bytes) -> Text:
    """Return a text of a PNG, in UTF-8, with its chunk."""
    keyword, _, rest = body.partition(b"\0")
    if name == b"iTXt":
        packed = rest[0]
        value = rest[2:].split(b"\0", 2)[2]
        value = _unpack(value) if packed else value
    else:
        value = (_unpack(rest[1:]) if name == b"zTXt" else rest).decode("latin-1").encode()
    return Text(keyword.decode("latin-1"), value, name + body)


def _write_text(text: Text) -> bytes:
    """Return the chunk of a text, which is in UTF-8, or in something else: then as it is."""
    if text.chunk:
        return text.chunk
    keyword = text.keyword.encode("latin-1")
    with suppress(UnicodeDecodeError):
        if not text.value.decode().isascii():
            return b"iTXt" + keyword + b"\0\0\0\0\0" + text.value
    return b"tEXt" + keyword + b"\0" + text.value


def write_png(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Insert chunks behind the first one, before all pixels and palettes."""
    bodies = list(metadata.colours)
    if metadata.profile:
        bodies.append(b"iCCPICC profile\0\0" + zlib.compress(metadata.profile))
    if resolution := metadata.resolution:
        scale = 1 / INCH if resolution.is_per_inch else 1
        numbers = (min(max(1, round(number * scale)), 0x7FFF_FFFF) for number in resolution[:2])
        bodies.append(b"pHYs" + struct.pack(">IIB", *numbers, resolution.is_per_inch))
    if metadata.exif:
        bodies.append(b"eXIf" + metadata.exif)
    if metadata.xmp:
        bodies.append(b"iTXt" + _XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp)
    bodies += map(_write_text, metadata.texts)
    chunks = [write_chunk(body[:4], body[4:]) for body in bodies]
    end = 8 + 12 + 13  # of the signature and the chunk IHDR
    return b"".join([data[:end], *chunks, data[end:]])
