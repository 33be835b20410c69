"""PNG: what the chunks of a file say (PNG 1.3, W3C, 2025, sections 5.3, 11.2 and 11.3.1).

OpenCV decodes the image. A damaged chunk that holds no pixels, and a damaged animation, are left out, and named.
"""

# ruff: noqa: PLC0415  most files have neither EXIF nor an animation

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from cnnfilter.io.metadata import read_orientation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnfilter.io.apng import PngFrame

START = b"\x89PNG\r\n\x1a\n"

_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""The chunks that an image is decoded from."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


class Chunk(NamedTuple):
    """A chunk, and where what is in it begins and ends."""

    name: bytes
    start: int
    end: int


class PngFile(NamedTuple):
    """What the chunks of a file say."""

    height: int
    width: int
    bits: int
    kind: int  # of colours
    chunks: tuple[Chunk, ...]  # those that are sound
    transparent: bool = False  # whether there is a chunk tRNS
    grey: int = 0  # the level that is transparent then
    orientation: int = 1
    frames: tuple[PngFrame, ...] = ()  # of an animation that is whole
    loops: int = 0  # how often they are shown, 0 for always
    notes: tuple[str, ...] = ()  # what was left out
    refusal: str = ""
    is_bare: bool = False  # whether there is nothing but the image


def read_file(data: bytes) -> PngFile:
    """Return what the chunks of a file say; `struct.error` where its first one does not fit."""
    if data[12:16] == b"CgBI":
        return PngFile(0, 0, 0, 0, (), refusal="PNG of the kind that Xcode makes (CgBI) is not supported")
    if len(data) < 33:
        return PngFile(0, 0, 0, 0, (), refusal="the PNG is cut off (in chunk IHDR)")
    width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
    chunks, damaged, refusal = _list_chunks(data)
    names = [chunk.name for chunk in chunks]
    if b"IEND" not in names:
        refusal = refusal or "the PNG is cut off (it has no chunk IEND)"
    file = PngFile(height, width, bits, kind, tuple(chunks), refusal=refusal)
    notes = [f"chunk {name} has a wrong checksum, and was skipped" for name in damaged]
    for chunk in chunks[: names.index(b"IDAT") if b"IDAT" in names else 0]:
        if chunk.name == b"tRNS":
            level = int.from_bytes(data[chunk.start : chunk.start + 2]) * {1: 255, 2: 85, 4: 17}.get(bits, 1)
            file = file._replace(transparent=True, grey=level)
    for chunk in chunks:
        body = data[chunk.start : chunk.start + 16]
        if chunk.name == b"eXIf" or (chunk.name in _TEXTS and body == b"Raw profile type"):
            from cnnfilter.io.png_chunks import read_png

            exif = read_png([(chunk.name, data[chunk.start : chunk.end])]).exif
            file = file._replace(orientation=read_orientation(exif) if exif else file.orientation)
    if b"acTL" in names:
        from cnnfilter.io.apng import read_animation

        frames, loops, flaw = read_animation(data, file)
        file = file._replace(frames=frames, loops=loops)
        notes += [f"its animation is damaged ({flaw}), and the image alone was read"] if flaw else []
    is_bare = not notes and all(chunk.name in _PIXELS for chunk in chunks)
    return file._replace(notes=tuple(notes), is_bare=is_bare)


def _list_chunks(data: bytes) -> tuple[list[Chunk], list[str], str]:
    """Return the chunks that are sound, the names of others that an image needs not, and what is wrong with the file.

    The checksums of IDAT are left to libpng, unless there is an animation. OpenCV makes room for a chunk of any length,
    and has crashed on chunks of false names.
    """
    chunks: list[Chunk] = []
    damaged: list[str] = []
    place, is_animated = 8, False
    while place + 8 <= len(data) and not (chunks and chunks[-1].name == b"IEND"):
        length, name = struct.unpack_from(">I4s", data, place)
        chunk, text = Chunk(name, place + 8, place + 8 + length), name.decode("latin-1")
        if not (name.isascii() and name.isalpha()):
            return chunks, damaged, "the PNG is damaged (a chunk has no name)"
        if chunk.end + 4 > len(data):
            if data[-8:-4] == b"IEND":
                return chunks, damaged, f"the PNG is damaged (chunk {text} is longer than the file)"
            return chunks, damaged, f"the PNG is cut off (in chunk {text})"
        is_animated = is_animated or name == b"acTL"
        is_checked = name != b"IDAT" or is_animated
        if is_checked and data[chunk.end : chunk.end + 4] != crc32(memoryview(data)[place + 4 : chunk.end]).to_bytes(4):
            if (
                name in _PIXELS or name in _ANIMATION or not name[0] & 0x20
            ):  # the first letter of critical ones is large
                return chunks, damaged, f"the PNG is damaged (chunk {text} has a wrong checksum)"
            damaged.append(text)
        else:
            chunks.append(chunk)
        place = chunk.end + 4
    return chunks, damaged, ""


def write_chunk(name: bytes, *parts: bytes) -> bytes:
    """Return a chunk of a name that holds the parts."""
    content = b"".join(parts)
    return b"".join([struct.pack(">I4s", len(content), name), content, crc32(content, crc32(name)).to_bytes(4)])


def list_contents(data: bytes, file: PngFile) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names of chunks, and what is in those that hold no pixels."""
    for chunk in file.chunks:
        if chunk.name not in {b"IDAT", b"fdAT"}:
            yield chunk.name, data[chunk.start : chunk.end]


def without_damage(data: bytes, file: PngFile) -> bytes:
    """Return a file as OpenCV reads it: without damaged chunks, and as an image where the animation is damaged."""
    is_animation_left = not file.frames and any(chunk.name == b"acTL" for chunk in file.chunks)
    return keep_chunks(data, file) if file.notes or is_animation_left else data


def keep_chunks(data: bytes, file: PngFile) -> bytes:
    """Return a file of the chunks that an image is decoded from."""
    return START + b"".join(data[chunk.start - 8 : chunk.end + 4] for chunk in file.chunks if chunk.name in _PIXELS)
