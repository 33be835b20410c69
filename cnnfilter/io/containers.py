"""Metadata in the containers of JPEG, PNG, WebP, AVIF and TIFF: found wherever it is, and put beside encoded pixels.

ITU-T T.81 (annex B), JFIF 1.02, ICC.1:2022 (annex B), XMP (part 3), PNG 1.3, RFC 9649.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from cnnfilter.io import exif
from cnnfilter.io.boxes import find_colours, read_items
from cnnfilter.io.exif import Entry, Resolution
from cnnfilter.io.headers import Header
from cnnfilter.io.metadata import EXIF_START, Metadata, Text
from cnnfilter.io.tags import ORIENTATION, Directory

_UNPACKED = 1 << 26
"""So many bytes a compressed profile or text becomes at most."""


def read_metadata(data: bytes, header: Header, page: int = 0) -> Metadata:
    """Return what a file says beside the pixels of a page, counted from 0, once they are upright."""
    orientation = header.orientation
    if page < len(header.layouts):
        directory = header.layouts[page].directory
        found, orientation = _read_tiff(data, directory), directory.number(ORIENTATION, 1)
    else:
        found = _READERS[header.format](data) if header.format in _READERS else Metadata()
    if not found.resolution and found.exif:
        found = found._replace(resolution=exif.read_resolution(exif.read_first_entries(found.exif)))
    if found.resolution and orientation in {5, 6, 7, 8}:
        found = found._replace(resolution=found.resolution.turned())
    return found


def write_metadata(data: bytes | memoryview, format_name: str, pages: Sequence[Metadata]) -> bytes:
    """Return a file with the metadata of each of its pages; formats of frames have place for that of the first."""
    if format_name == "TIFF":
        return exif.add_entries(bytes(data), [_tiff_entries(page) for page in pages])
    return _WRITERS[format_name](data, pages[0])


# JPEG

_JFIF, _XMP, _XMP_MORE = b"JFIF\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_ICC = b"ICC_PROFILE\0"
_PROFILE_PART = 65_519  # bytes of a profile in a segment: 65,535 without its length, the name, a number and a count
_COMMENT = 0xFE

_IPTC = "IPTC and other resources of Photoshop"
_OTHER_SEGMENTS = {
    (0xE1, _XMP_MORE): "the extension of XMP",
    (0xED, b"Photoshop 3.0\0"): _IPTC,
    (0xE2, b"urn:iso:std:iso:ts:21496:-1"): "the gain map",
}


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the markers of applications and comments up to the first scan, and what is in their segments."""
    place = 2
    with suppress(struct.error, IndexError):
        while True:
            while data[place] != 0xFF or data[place + 1] in {0x00, 0xFF}:
                place += 1
            marker = data[place + 1]
            if marker in {0xD9, 0xDA}:  # the end, or a scan
                return
            if 0xD0 <= marker <= 0xD8 or marker == 1:
                place += 2
                continue
            (length,) = struct.unpack_from(">H", data, place + 2)
            if marker >= 0xE0:
                yield marker, data[place + 4 : place + 2 + length]
            place += 2 + length


def _read_jpeg(data: bytes) -> Metadata:
    found, parts = Metadata(), list[tuple[int, int, bytes]]()
    texts, others = list[Text](), list[str]()
    for marker, body in _segments(data):
        if marker == 0xE0 and body.startswith(_JFIF) and len(body) >= 12:
            found = found._replace(resolution=_read_density(*struct.unpack_from(">BHH", body, 7)))
        elif marker == 0xE1 and body.startswith(EXIF_START):
            found = found._replace(exif=found.exif or body[len(EXIF_START) :])
        elif marker == 0xE1 and body.startswith(_XMP):
            found = found._replace(xmp=found.xmp or body[len(_XMP) :])
        elif marker == 0xE2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            parts.append((body[len(_ICC)], body[len(_ICC) + 1], body[len(_ICC) + 2 :]))
        elif marker == _COMMENT:
            texts.append(Text("Comment", body))
        else:
            others += [
                name for (kind, start), name in _OTHER_SEGMENTS.items() if marker == kind and body.startswith(start)
            ]
    parts.sort()
    if [part[:2] for part in parts] == [(number, len(parts)) for number in range(1, len(parts) + 1)]:
        found = found._replace(profile=b"".join(part for _, _, part in parts))
    else:
        others.append("a colour profile of which parts are missing")
    return found._replace(texts=tuple(texts), others=tuple(dict.fromkeys(others)))


def _read_density(unit: int, across: int, down: int) -> Resolution | None:
    if not across or not down or (unit not in {1, 2} and across == down):
        return None
    scale = 2.54 if unit == 2 else 1
    return Resolution(across * scale, down * scale, unit in {1, 2})


_AS_NEAR = 0.02
"""So many dots by the inch do not count: PNG counts whole ones by the metre."""


def _write_density(resolution: Resolution) -> bytes:
    """Return JFIF's unit and two whole numbers, by the inch, or by the centimetre where these come nearer."""
    across, down = resolution[:2]
    if not resolution.is_per_inch:
        from fractions import Fraction  # noqa: PLC0415  seldom needed, and slow to load

        ratio = Fraction(across / down).limit_denominator(255)
        return struct.pack(">BHH", 0, min(ratio.numerator, 65_535), ratio.denominator)
    inches, centimetres = (
        max(abs(round(n / length) - n / length) * length for n in (across, down)) for length in (1, 2.54)
    )
    unit = 1 if inches < _AS_NEAR or inches <= centimetres else 2
    whole = (min(max(1, round(number / (2.54 if unit == 2 else 1))), 65_535) for number in (across, down))
    return struct.pack(">BHH", unit, *whole)


def _write_jpeg(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Insert segments behind the first one, JFIF's, as OpenCV writes it, which tells the resolution."""
    (length,) = struct.unpack_from(">H", data, 4)
    first = bytearray(data[: 4 + length])
    if metadata.resolution:
        first[13:18] = _write_density(metadata.resolution)
    bodies: list[tuple[int, bytes]] = []
    if metadata.exif:
        bodies.append((0xE1, EXIF_START + metadata.exif))
    if metadata.xmp:
        bodies.append((0xE1, _XMP + metadata.xmp))
    starts = range(0, len(metadata.profile), _PROFILE_PART)
    for number, start in enumerate(starts, 1):
        head = _ICC + bytes([number, len(starts)])
        bodies.append((0xE2, head + metadata.profile[start : start + _PROFILE_PART]))
    bodies += [(_COMMENT, text.value) for text in metadata.texts]
    segments = [struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body for marker, body in bodies]
    return b"".join([first, *segments, data[4 + length :]])


# PNG

_XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW = "Raw profile type "
_COLOUR_CHUNKS = {b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
"""Chunks that tell the colour space, and how long they are."""

_INCHES_IN_METRE = 1 / 0.0254


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names of chunks, and what is in those that hold no pixels."""
    place = 8
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name not in {b"IDAT", b"fdAT"}:
            yield name, data[place + 8 : place + 8 + length]
        place += 12 + length


def _unpack(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, _UNPACKED)


def _read_png(data: bytes) -> Metadata:
    found, texts, colours, raw = Metadata(), list[Text](), dict[bytes, bytes](), dict[str, bytes]()
    for name, body in _chunks(data):
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
    others = (_IPTC,) if {"iptc", "8bim"} & {*raw} else ()
    return found._replace(
        exif=found.exif or (raw.get("exif") or raw.get("APP1", b"")).removeprefix(EXIF_START),
        profile=found.profile or raw.get("icc", b""),
        xmp=found.xmp or raw.get("xmp", b""),
        texts=tuple(texts),
        colours=tuple(colours.values()),
        others=others,
    )


def _read_raw(text: bytes) -> bytes:
    """Return a block that ImageMagick wrote as a text: an empty line, its name, its length, and hexadecimal digits."""
    _, _, _, digits = text.split(b"\n", 3)
    return bytes.fromhex(digits.decode())


def _read_physical_size(across: int, down: int, unit: int) -> Resolution | None:
    if not across or not down or (unit != 1 and across == down):
        return None
    scale = 1 / _INCHES_IN_METRE if unit == 1 else 1
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


def _write_png(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Insert chunks behind the first one, before all pixels and palettes."""
    bodies = list(metadata.colours)
    if metadata.profile:
        bodies.append(b"iCCPICC profile\0\0" + zlib.compress(metadata.profile))
    if resolution := metadata.resolution:
        scale = _INCHES_IN_METRE if resolution.is_per_inch else 1
        numbers = (min(max(1, round(number * scale)), 0x7FFF_FFFF) for number in resolution[:2])
        bodies.append(b"pHYs" + struct.pack(">IIB", *numbers, resolution.is_per_inch))
    if metadata.exif:
        bodies.append(b"eXIf" + metadata.exif)
    if metadata.xmp:
        bodies.append(b"iTXt" + _XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp)
    bodies += map(_write_text, metadata.texts)
    chunks = [struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in bodies]
    end = 8 + 12 + 13  # of the signature and the chunk IHDR
    return b"".join([data[:end], *chunks, data[end:]])


# WebP

_HAS_PROFILE, _HAS_ALPHA, _HAS_EXIF, _HAS_XMP = 0x20, 0x10, 0x08, 0x04


def _riff_chunks(data: bytes | memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, the place of what is in it, and its length."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name, place + 8, length
        place += 8 + length + length % 2


def _read_webp(data: bytes) -> Metadata:
    names = {b"EXIF": "exif", b"ICCP": "profile", b"XMP ": "xmp"}
    found: dict[str, bytes] = {}
    for name, place, length in _riff_chunks(data):
        if name in names:
            found.setdefault(names[name], data[place : place + length])
    return Metadata(found.get("exif", b"").removeprefix(EXIF_START), found.get("profile", b""), found.get("xmp", b""))


def _write_webp(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Put chunks where they belong: the profile before the pixels, EXIF and XMP behind them."""
    (name, place, length), *_ = _riff_chunks(data)
    if name == b"VP8X":
        head, rest = bytearray(data[place : place + length]), data[place + length :]
    else:
        head, rest = bytearray(10), data[12:]
        height, width, alpha = _webp_size(data, name, place)
        head[0] = _HAS_ALPHA if alpha else 0
        head[4:7], head[7:10] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    blocks = (metadata.profile, metadata.exif, metadata.xmp)
    for flag, block in zip((_HAS_PROFILE, _HAS_EXIF, _HAS_XMP), blocks, strict=True):
        head[0] |= flag if block else 0
    profile, exif_, xmp = (
        name + struct.pack("<I", len(block)) + block + bytes(len(block) % 2) if block else b""
        for name, block in zip((b"ICCP", b"EXIF", b"XMP "), blocks, strict=True)
    )
    parts: list[bytes | bytearray | memoryview] = [
        b"WEBPVP8X" + struct.pack("<I", len(head)),
        head,
        profile,
        rest,
        exif_,
        xmp,
    ]
    return b"".join([b"RIFF", struct.pack("<I", sum(map(len, parts))), *parts])


def _webp_size(data: bytes | memoryview, name: bytes, place: int) -> tuple[int, int, bool]:
    """Return height and width of an image without an extended header, and whether it has alpha."""
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, place + 1)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, bool(bits >> 28 & 1)
    width, height = struct.unpack_from("<HH", data, place + 6)
    return height & 0x3FFF, width & 0x3FFF, False


# AVIF and TIFF


_PLAIN_PRIMARIES, _PLAIN_CURVES = {1, 2}, {1, 2, 6, 13, 14, 15}
"""Numbers of ITU-T H.273 for primaries and curves that are those of sRGB or near them, or are not known."""


def _read_avif(data: bytes) -> Metadata:
    items, found = read_items(data), find_colours(data)
    block, xmp = items.get("Exif", b""), items.get("application/rdf+xml", b"")
    if len(block) > 4:  # the offset of the byte order mark comes first
        block = block[4 + int.from_bytes(block[:4]) :]
    profile, numbers = (data[slice(*found.get(kind, (0, 0)))] for kind in (b"prof", b"nclx"))
    colours: tuple[bytes, ...] = ()
    if len(numbers) >= 4 and not profile:
        primaries, curve = struct.unpack_from(">HH", numbers)
        if not (primaries in _PLAIN_PRIMARIES and curve in _PLAIN_CURVES) and max(primaries, curve) < 256:
            colours = (bytes([*b"cICP", primaries, curve, 0, 1]),)
    return Metadata(block.removeprefix(EXIF_START), profile, xmp, colours=colours)


def _write_avif(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Name the colour space in numbers; OpenCV has written the rest."""
    changed = bytearray(data)
    start, _ = find_colours(bytes(data)).get(b"nclx", (0, 0))
    for chunk in metadata.colours:
        if start and chunk[:4] == b"cICP":
            struct.pack_into(">HH", changed, start, chunk[4], chunk[5])
    return bytes(changed)


_NAMED_TAGS = (
    {33723: _IPTC, 34377: _IPTC}
    | dict.fromkeys((301, 318, 319), "the colour space")
    | dict.fromkeys((33550, 33922, 34264, 34735, 34736, 34737), "the geographic reference")
    | {37724: "the layers of Photoshop"}
    | dict.fromkeys((42112, 42113), "notes of GDAL")
)
_FIRST_PRIVATE = 32_768
_OF_SAMPLES = {
    32995,
    32996,
    32997,
    32998,
    *range(33421, 33423),
    *range(34016, 34030),
    34925,
    34908,
    34909,
    34910,
    37439,
}
"""Private tags that say how samples are written."""

_CARRIED = (*exif.DESCRIPTIVE, exif.XMP, exif.PROFILE, *exif.RESOLUTION)

_SIZED_DESCRIPTIONS = (b'{"shape":', b"ImageJ=", b"<?xml")
"""How descriptions begin in which tifffile, ImageJ or OME count pages and pixels, which need not stay as many."""


def _read_tiff(data: bytes, directory: Directory) -> Metadata:
    entries = exif.read_entries(data, directory, _CARRIED)
    xmp, profile = (entries.pop(tag, Entry(0)).data for tag in (exif.XMP, exif.PROFILE))
    resolution = exif.read_resolution(entries)
    others = [name for tag, name in _NAMED_TAGS.items() if tag in directory.tags]
    known = {*_CARRIED, *_NAMED_TAGS, *_OF_SAMPLES}
    if private := [str(tag) for tag in directory.tags if tag >= _FIRST_PRIVATE and tag not in known]:
        others.append(f"tags ({', '.join(private[:4])}{', ...' if len(private) > 4 else ''})")
    if entries.get(exif.DESCRIPTION, Entry(0)).data.startswith(_SIZED_DESCRIPTIONS):
        del entries[exif.DESCRIPTION]
        others.append("a description that tells sizes")
    for tag in exif.RESOLUTION:
        entries.pop(tag, None)
    block = exif.build_block(entries) if entries else b""
    return Metadata(block, profile, xmp, resolution, others=tuple(dict.fromkeys(others)))


def _tiff_entries(metadata: Metadata) -> dict[int, Entry]:
    """Return the entries of a page of a TIFF that say what other formats have blocks for."""
    entries = exif.read_first_entries(metadata.exif)
    entries = {tag: entry for tag, entry in entries.items() if tag in exif.DESCRIPTIVE}
    if metadata.resolution:
        entries |= exif.write_resolution(metadata.resolution)
    if metadata.xmp:
        entries[exif.XMP] = Entry(exif.BYTE, metadata.xmp)
    if metadata.profile:
        entries[exif.PROFILE] = Entry(exif.UNDEFINED, metadata.profile)
    return entries


_READERS: dict[str, Callable[[bytes], Metadata]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "WebP": _read_webp,
    "AVIF": _read_avif,
}
_WRITERS: dict[str, Callable[[bytes | memoryview, Metadata], bytes]] = {
    "JPEG": _write_jpeg,
    "PNG": _write_png,
    "WebP": _write_webp,
    "AVIF": _write_avif,
}
