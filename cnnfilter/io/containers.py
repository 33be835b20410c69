"""Metadata in the containers of JPEG, PNG, WebP, AVIF and TIFF: found wherever it is, and put beside encoded pixels.

JPEG, PNG and WebP have modules of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

from cnnfilter.io import exif
from cnnfilter.io.boxes import find_box, find_colours, list_boxes, read_items
from cnnfilter.io.exif import Entry, Resolution, Text
from cnnfilter.io.gif import list_extensions
from cnnfilter.io.headers import Header
from cnnfilter.io.jpeg_segments import read_jpeg, write_jpeg
from cnnfilter.io.metadata import EXIF_START, Metadata
from cnnfilter.io.photoshop import find_iptc, keep_resources, wrap_iptc
from cnnfilter.io.png import list_contents
from cnnfilter.io.png_chunks import read_png, write_png
from cnnfilter.io.tags import ORIENTATION, Directory
from cnnfilter.io.webp_chunks import read_webp, write_webp


def read_metadata(data: bytes, header: Header, page: int = 0) -> Metadata:
    """Return what a file says beside the pixels of a page, counted from 0, once they are upright."""
    orientation = header.orientation
    if page < len(header.layouts):
        directory = header.layouts[page].directory
        found, orientation = _read_tiff(data, directory), directory.number(ORIENTATION, 1)
    else:
        found = Metadata()
        with suppress(struct.error, IndexError):
            if header.png:
                found = read_png(list_contents(data, header.png))
            elif header.segments:
                found = read_jpeg(data, header.segments)
            elif header.format in _READERS:
                found = _READERS[header.format](data)
    if not found.resolution and found.exif:
        found = found._replace(resolution=exif.read_resolution(exif.read_first_entries(found.exif)))
    if resolution := found.resolution:
        if not all(_COARSEST < number < _FINEST for number in resolution[:2]):
            return found._replace(resolution=None)
        if orientation in {5, 6, 7, 8}:
            return found._replace(resolution=resolution.turned())
    return found


_COARSEST, _FINEST = 0.01, 400_000
"""Dots by the inch that make sense, and that all formats can say."""


def write_metadata(data: bytes | memoryview, format_name: str, pages: Sequence[Metadata]) -> bytes | memoryview:
    """Return a file with the metadata of each of its pages; formats of frames have place for that of the first."""
    if format_name == "TIFF":
        return memoryview(exif.add_entries(data, [_tiff_entries(page) for page in pages]))
    return _WRITERS[format_name](data, pages[0])


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
    dict.fromkeys((301, 318, 319), "the colour space")
    | dict.fromkeys((33550, 33922, 34264, 34735, 34736, 34737), "the geographic reference")
    | {37724: "the layers of Photoshop"}
    | dict.fromkeys((42112, 42113), "notes of GDAL")
)
_FIRST_PRIVATE = 32_768
_OF_SAMPLES = {*range(32_995, 32_999), 33_421, 33_422, *range(34_016, 34_030), *range(34_908, 34_911), 34_925, 37_439}
"""Private tags that say how samples are written."""

_CARRIED = (*exif.DESCRIPTIVE, exif.XMP, exif.PROFILE, exif.RESOURCES, exif.IPTC, *exif.RESOLUTION)

_SIZED_DESCRIPTIONS = (b'{"shape":', b"ImageJ=", b"<?xml")
"""How descriptions begin in which tifffile, ImageJ or OME count pages and pixels, which need not stay as many."""


def _read_tiff(data: bytes, directory: Directory) -> Metadata:
    entries = exif.read_entries(data, directory, _CARRIED)
    blocks = (exif.XMP, exif.PROFILE, exif.RESOURCES, exif.IPTC)
    xmp, profile, resources, iptc = (entries.pop(tag, Entry(0)).data for tag in blocks)
    resolution = exif.read_resolution(entries)
    others = [name for tag, name in _NAMED_TAGS.items() if tag in directory.tags]
    known = {*_CARRIED, *_NAMED_TAGS, *_OF_SAMPLES}
    if private := [str(tag) for tag in directory.tags if tag >= _FIRST_PRIVATE and tag not in known]:
        others.append(f"private TIFF tags ({', '.join(private[:4])}{', ...' if len(private) > 4 else ''})")
    if entries.get(exif.DESCRIPTION, Entry(0)).data.startswith(_SIZED_DESCRIPTIONS):
        del entries[exif.DESCRIPTION]
        others.append("a description with sizes")
    for tag in exif.RESOLUTION:
        entries.pop(tag, None)
    block = exif.build_block(entries) if entries else b""
    resources = keep_resources(resources) or (wrap_iptc(iptc) if iptc else b"")
    return Metadata(block, profile, xmp, resolution, resources=resources, others=tuple(dict.fromkeys(others)))


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
    if metadata.resources:
        entries[exif.RESOURCES] = Entry(exif.BYTE, metadata.resources)
    if iptc := find_iptc(metadata.resources):
        entries[exif.IPTC] = Entry(exif.UNDEFINED, iptc)
    return entries


# Formats into which none is written


def _read_bmp(data: bytes) -> Metadata:
    """Windows bitmap: pixels by the metre, and in a header of 124 bytes a profile."""
    (size,) = struct.unpack_from("<I", data, 14)
    if size < 40:
        return Metadata()
    across, down = (number * exif.INCH for number in struct.unpack_from("<ii", data, 38))
    profile = b""
    if size >= 124 and data[70:74] == b"DEBM":  # PROFILE_EMBEDDED
        start, length = struct.unpack_from("<II", data, 126)
        profile = data[14 + start : 14 + start + length]
    return Metadata(profile=profile, resolution=Resolution(across, down) if min(across, down) > 0 else None)


def _read_gif(data: bytes) -> Metadata:
    """GIF 89a: comments, and XMP and a profile in extensions of applications."""
    found, texts = Metadata(), list[Text]()
    for label, start, body in list_extensions(data):
        if label == 0xFE:
            texts.append(Text("Comment", body))
        elif data[start : start + 12] == b"\x0bXMP DataXMP":  # as it is, and behind it what leads readers out
            xmp, trailer, _ = data[start + 12 :].partition(b"\x01\xff\xfe")
            found = found._replace(xmp=xmp if trailer and xmp.lstrip(b"\xef\xbb\xbf").startswith(b"<") else b"")
        elif body.startswith(b"ICCRGBG1012"):
            found = found._replace(profile=body[11:])
    return found._replace(texts=tuple(texts))


_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
}


def _read_jpeg_2000(data: bytes) -> Metadata:
    """JP2 (ITU-T T.800, annex I): boxes of colour and resolution, and UUID boxes of XMP and EXIF."""
    if data[4:8] != b"jP  ":
        return Metadata()
    blocks = dict.fromkeys(("exif", "profile", "xmp"), b"")
    for name, start, end in list_boxes(data, 0, len(data)):
        if name == b"uuid" and (kind := _UUIDS.get(data[start : start + 16])):
            blocks[kind] = blocks[kind] or data[start + 16 : end]
    start, end = find_box(data, b"jp2h", b"colr")
    if end and data[start] in {2, 3}:  # a restricted profile, or any
        blocks["profile"] = data[start + 3 : end]
    resolution = None
    for name in (b"resc", b"resd"):
        start, end = find_box(data, b"jp2h", b"res ", name)
        if end - start >= 10:
            *numbers, down_power, across_power = struct.unpack_from(">4H2b", data, start)
            if all(numbers):
                down = numbers[0] / numbers[1] * 10.0**down_power * exif.INCH
                across = numbers[2] / numbers[3] * 10.0**across_power * exif.INCH
                resolution = Resolution(across, down)
    return Metadata(blocks["exif"].removeprefix(EXIF_START), blocks["profile"], blocks["xmp"], resolution)


_READERS: dict[str, Callable[[bytes], Metadata]] = {
    "WebP": read_webp,
    "AVIF": _read_avif,
    "BMP": _read_bmp,
    "GIF": _read_gif,
    "JPEG 2000": _read_jpeg_2000,
}
_WRITERS: dict[str, Callable[[bytes | memoryview, Metadata], bytes]] = {
    "JPEG": write_jpeg,
    "PNG": write_png,
    "WebP": write_webp,
    "AVIF": _write_avif,
}
