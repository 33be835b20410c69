"""What image files promise in their headers, such as their size and number of pages, and whether that is allowed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.errors import ImageFileError
from cnnfilter.io.metadata import EXIF_START, read_orientation
from cnnfilter.io.paths import VARIABLE, lacks_memory, largest_picture
from cnnfilter.io.signatures import HEAD, NETPBM, explain_unknown, find_camera_raw, not_supported, recognise

if TYPE_CHECKING:
    from cnnfilter.io.gif import Screen
    from cnnfilter.io.jpeg_segments import Segment
    from cnnfilter.io.png import PngFile
    from cnnfilter.io.tiff_layout import Layout

# ruff: noqa: PLC0415  what reads a format is loaded when a file of it is met


class Header(NamedTuple):
    """What a file promises."""

    height: int  # of the first page, as it is in the file
    width: int
    depth: int = 3  # bytes that a pixel takes when it is decoded, at least
    pages: int = 1
    total: int = 0  # the pixels of all pages, if they may differ
    refusal: str = ""  # why it is not read, as far as that is seen without decoding it: it is cut off, damaged, unknown
    channels: int = 0  # of the image once it has been read: 0 where its head does not say
    orientation: int = 1  # how the image is turned before it is shown, as EXIF numbers it
    white: int = 0  # in an AVIF, where OpenCV leaves levels of 10 and 12 bits as they are
    black: int = 0  # in an AVIF of a limited range of grey
    transparent: int | None = None  # the level of a grey PNG that is transparent, once it has been read
    layouts: tuple[Layout, ...] = ()  # of the pages of a TIFF
    bands: bool = False  # whether the channels have no meaning as colours or alpha
    notes: tuple[str, ...] = ()  # what is to be said of how it is read
    screen: Screen | None = None  # of a GIF
    png: PngFile | None = None  # of a PNG
    segments: tuple[Segment, ...] = ()  # of a JPEG, up to its first scan
    is_bare: bool = False  # whether it is known to hold pixels and nothing else
    format: str = ""  # its name; empty if it is not known

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(H, W) or (H, W, C), upright, as the first page is once it has been read; None where that is not known."""
        if self.height < 1 or self.width < 1 or self.channels < 1:
            return None
        sides = (self.width, self.height) if self.orientation in {5, 6, 7, 8} else (self.height, self.width)
        return sides if self.channels == 1 else (*sides, self.channels)


def read_header(data: bytes, name: str = "") -> Header:
    """Return what a file, or a map of it, promises; of a size 0x0 where that is not known. Its name helps."""
    header, format_ = None, recognise(data[:HEAD])
    if not format_:
        return Header(0, 0, refusal=explain_unknown(data, name))
    with suppress(struct.error, IndexError, ValueError):
        header = _READERS[format_](data) if format_ in _READERS else None
    return (header or Header(0, 0))._replace(format=format_)


CUT_OFF = "the JPEG is cut off or damaged"
ALLOWING = "--allow-truncated uses what is left"


def check_header(
    header: Header, name: str, most_pixels: int | None = None, *, page: int | None = None, allow_truncated: bool = False
) -> None:
    """Raise an `ImageFileError` if a file cannot be read as its header says, lacks the page, or has too many pixels."""
    if header.refusal and not header.height:
        raise ImageFileError(header.refusal, path=name)
    if page and page > header.pages:
        what = "has 1 page" if header.pages == 1 else f"has {header.pages} pages"
        raise ImageFileError(f"{what}, and --page {page} does not exist", path=name)
    if page:
        header = header._replace(pages=1, total=0)
    limit = largest_picture() if most_pixels is None else most_pixels
    size = f"{header.height}x{header.width} pixels"
    pixels = header.total or header.height * header.width * header.pages
    what = size if header.pages == 1 else f"{header.pages} pages, the first of {size}, {pixels} in all,"
    one = "" if header.pages == 1 else "--page N reads one page; "
    if pixels > limit:
        variable = f"the environment variable {VARIABLE}"
        reason = f"{what} are more than the limit of {limit}; {one}--max-pixels N, or {variable}, sets another"
        raise ImageFileError(reason, path=name)
    if lack := lacks_memory(2 * pixels * header.depth):  # the image and its result
        raise ImageFileError(f"{what} {lack}{one and f'; {one[:-2]}'}", path=name)
    if header.refusal and not (allow_truncated and header.format == "JPEG"):
        raise ImageFileError(header.refusal, path=name)


def _png(data: bytes) -> Header:
    """Return what the chunks say, and the frames of an animation that is whole."""
    from cnnfilter.io.png import read_file

    file = read_file(data)
    if not file.height:
        return Header(0, 0, refusal=file.refusal)
    depth = {0: 1, 4: 4, 6: 4}.get(file.kind, 3) * max(1, file.bits // 8)
    header = Header(file.height, file.width, depth, max(1, len(file.frames)), refusal=file.refusal, notes=file.notes)
    transparent = file.grey if file.transparent and file.kind == 0 else None
    header = header._replace(orientation=file.orientation, transparent=transparent, png=file, is_bare=file.is_bare)
    return header._replace(channels=4 if file.transparent else {0: 1, 4: 4, 6: 4}.get(file.kind, 3))


def _jpeg(data: bytes) -> Header:
    """ITU-T T.81, annex B: segments up to the first scan, behind which somewhere an end must come."""
    from cnnfilter.io.jpeg_segments import SCAN, list_segments

    found, orientation, segments, is_bare = Header(0, 0), 1, tuple(list_segments(data)), True
    for marker, start, end, _ in segments:
        is_bare = is_bare and (marker < 0xE0 or _is_plain_jfif(data[start:end]))
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # a frame
            bits, height, width, components = struct.unpack_from(">BHHB", data, start)
            if what := _name_jpeg(marker, bits, height, components):
                return Header(0, 0, refusal=not_supported(what))
            found = Header(height, width, 1 if components == 1 else 3, channels=min(components, 3))
        elif marker == 0xF7 and not found.height:
            return Header(0, 0, refusal=not_supported("JPEG-LS"))
        elif marker == 0xE1 and orientation == 1 and data[start : start + 6] == EXIF_START:
            orientation = read_orientation(data[start:end])
        elif marker == SCAN:
            refusal = "" if data.rfind(b"\xff\xd9", start) > 0 else f"{CUT_OFF}; {ALLOWING}"
            return found._replace(refusal=refusal, orientation=orientation, segments=segments, is_bare=is_bare)
    return Header(0, 0)


def _is_plain_jfif(body: bytes) -> bool:
    """Return whether what a segment of a JPEG holds is JFIF's head (JFIF 1.02) without a resolution."""
    return body[:5] == b"JFIF\0" and body[7:12] == b"\0\0\1\0\1"


def _name_jpeg(marker: int, bits: int, height: int, components: int) -> str:
    """Return what kind of JPEG it is if it is one that is not read (T.81, table B.1)."""
    if marker & 3 == 3:
        return "lossless JPEG"
    if marker in {0xC5, 0xC6, 0xCD, 0xCE}:
        return "hierarchical JPEG"
    if bits == 12:
        return "JPEG of 12 bits"
    if components == 2 or components > 4:
        return f"JPEG of {components} components"
    return "" if height else "JPEG whose height follows its pixels (DNL)"


def _gif(data: bytes) -> Header:
    from cnnfilter.io.gif import read_screen

    screen = read_screen(data)
    pages, channels = len(screen.frames) or 1, screen.channels if screen.frames else 0
    refusal = f"the GIF is {screen.flaw}" if screen.flaw else ""
    return Header(screen.height, screen.width, 4, pages, 0, refusal, channels, screen=screen)


def _webp(data: bytes) -> Header:
    """WebP container (RFC 9649): one image, or a canvas and a chunk for each frame."""
    from cnnfilter.io.webp_chunks import list_webp_chunks, read_webp_size

    refusal = "" if len(data) >= 8 + struct.unpack_from("<I", data, 4)[0] else "the WebP is cut off"
    (kind, start, _), *others = list_webp_chunks(data)
    if kind in {b"VP8 ", b"VP8L"}:
        height, width, has_alpha = read_webp_size(data, kind, start)
        return Header(height, width, 4 if kind == b"VP8L" else 3, refusal=refusal, channels=4 if has_alpha else 3)
    across, far_across, down, far_down = struct.unpack_from("<HBHB", data, 24)
    width, height = across + (far_across << 16) + 1, down + (far_down << 16) + 1
    pages, orientation, channels = 0, 1, 4 if data[20] & 0x10 else 3
    for name, place, length in others:
        pages += name == b"ANMF"
        if name == b"EXIF":
            orientation = read_orientation(data[place : place + length])
    return Header(height, width, 4, max(1, pages), 0, refusal, channels, orientation)


def _tiff(data: bytes) -> Header | None:
    """Return the size of the first page, and the sum of all."""
    from cnnfilter.io.tiff_layout import read_pages

    if raw := find_camera_raw(data):
        return Header(0, 0, refusal=not_supported(raw))
    pages, is_whole, notes = read_pages(data)
    refusal = "" if is_whole else "the TIFF is cut off or damaged: its list of pages does not end"
    if not pages:
        return None
    first = pages[0]
    depth = max(page.channels * page.value_bytes for page in pages)
    total = sum(page.height * page.width for page in pages)
    header = Header(first.height, first.width, depth, len(pages), total, refusal, layouts=pages, notes=notes)
    return header._replace(channels=first.channels, orientation=first.orientation)


def _bmp(data: bytes) -> Header:
    from cnnfilter.io.bmp import find_unused, read_bitmap

    bitmap = read_bitmap(data)
    if bitmap.refusal:
        return Header(bitmap.height, bitmap.width, refusal=bitmap.refusal)
    channels, notes = bitmap.channels, find_unused(data, bitmap)
    return Header(bitmap.height, bitmap.width, channels, channels=channels, notes=notes)


def _netpbm(data: bytes) -> Header:
    from cnnfilter.io.netpbm import find_second, read_netpbm

    found = read_netpbm(data)
    if found.refusal:
        return Header(found.height, found.width, refusal=found.refusal)
    depth, notes = found.samples * found.dtype.itemsize, find_second(data, found)
    return Header(found.height, found.width, depth, channels=found.channels, notes=notes, is_bare=True)


def _radiance(data: bytes) -> Header:
    from cnnfilter.io.radiance import read_radiance

    found = read_radiance(data)
    if found.refusal:
        return Header(found.height, found.width, refusal=found.refusal)
    return Header(found.height, found.width, 12, channels=3)


def _sun_raster(data: bytes) -> Header:
    from cnnfilter.io.sun_raster import read_sun_raster

    raster = read_sun_raster(data)
    if raster.refusal:
        return Header(raster.height, raster.width, refusal=raster.refusal)
    return Header(raster.height, raster.width, raster.channels, channels=raster.channels)


def _avif(data: bytes) -> Header:
    """ISO/IEC 23008-12: the boxes of the main image, or those of a sequence."""
    from cnnfilter.io.avif_boxes import read_avif

    image = read_avif(data)
    height, width = image.crop[2:] if image.crop else (image.height, image.width)
    depth = image.channel_count * (1 + (image.bits > 8))
    refusal = f"AVIF with {image.refusal} is not supported" if image.refusal else ""
    header = Header(height, width, depth, max(1, image.frames), refusal=refusal, channels=image.channel_count)
    return header._replace(orientation=image.orientation, white=image.white, black=image.black)


def _jpeg_2000(data: bytes) -> Header:
    """ITU-T T.800: boxes, or a bare codestream."""
    from cnnfilter.io.jpeg2000_boxes import read_boxes

    if data[20:24] == b"mjp2":
        return Header(0, 0, refusal="Motion JPEG 2000 is not supported")
    boxes = read_boxes(data)
    stream = boxes.codestream
    refusal = "" if stream.is_whole else "the JPEG 2000 is cut off or damaged: its codestream has no end"
    if boxes.refusal:
        refusal = f"JPEG 2000 with {boxes.refusal} is not supported"
    depth = boxes.channel_count * (1 + (boxes.bits > 8))
    notes = (f"{boxes.codestreams} codestreams, of which the first is read",) if boxes.codestreams > 1 else ()
    header = Header(stream.height, stream.width, depth, refusal=refusal, channels=boxes.channel_count, notes=notes)
    return header._replace(bands=boxes.bands)


_READERS: dict[str, Callable[[bytes], Header | None]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "GIF": _gif,
    "WebP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    **dict.fromkeys(NETPBM, _netpbm),
    "Radiance HDR": _radiance,
    "Sun raster": _sun_raster,
    "AVIF": _avif,
    "JPEG 2000": _jpeg_2000,
}
"""What reads the header of each format; how its files begin is in `signatures`."""
