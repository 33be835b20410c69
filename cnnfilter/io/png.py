"""PNG: what the chunks of a file say, and the frames of an animation as they are shown.

PNG 1.3 (W3C, 2025), sections 5.3, 11.2, 11.3.1 and 11.3.6. OpenCV decodes the image, and each frame as an image of its
own. A damaged chunk that holds no pixels, and a damaged animation, are left out, and named.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple
from zlib import crc32

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.metadata import read_orientation
from cnnfilter.io.png_chunks import read_png

_START = b"\x89PNG\r\n\x1a\n"

_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""The chunks that an image is decoded from."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_TO_BACKGROUND, _TO_PREVIOUS = 1, 2
"""Disposals: what a frame leaves in its place for the next. Others leave it as it is."""


class Chunk(NamedTuple):
    """A chunk, and where what is in it begins and ends."""

    name: bytes
    start: int
    end: int


class PngFrame(NamedTuple):
    """A frame of an animation."""

    top: int
    left: int
    height: int
    width: int
    duration: int  # in milliseconds
    disposal: int
    is_blended: bool  # with what was there before
    parts: list[tuple[int, int]]  # where its pixels are


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

    @property
    def channel_count(self) -> int:
        """How many channels the pixels have."""
        return 4 if self.transparent else {0: 1, 4: 4, 6: 4}.get(self.kind, 3)


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
            exif = read_png(_START + data[chunk.start - 8 : chunk.end + 4]).exif
            file = file._replace(orientation=read_orientation(exif) if exif else file.orientation)
    if b"acTL" in names:
        frames, loops, flaw = _read_animation(data, file)
        file = file._replace(frames=frames, loops=loops)
        notes += [f"its animation is damaged ({flaw}), and the image alone was read"] if flaw else []
    return file._replace(notes=tuple(notes))


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


def _read_animation(data: bytes, file: PngFile) -> tuple[tuple[PngFrame, ...], int, str]:
    """Return the frames of an animation, how often they are shown, and what is wrong with it, or nothing."""
    frames: list[PngFrame] = []
    count = loops = following = 0
    for name, start, end in file.chunks:
        if name == b"acTL":
            count, loops = struct.unpack_from(">II", data[start:end].ljust(8, b"\0"))
        elif name == b"fcTL" and end - start == 26:
            number, width, height, left, top, over, under, disposal, blending = struct.unpack_from(
                ">5IHHBB", data, start
            )
            if number != following or not width or not height or disposal > _TO_PREVIOUS or blending > 1:
                return (), 0, f"frame {len(frames) + 1} has wrong numbers"
            if left + width > file.width or top + height > file.height:
                return (), 0, f"frame {len(frames) + 1} is beyond the image"
            duration = round(1000 * over / (under or 100))
            frames.append(PngFrame(top, left, height, width, duration, disposal, bool(blending), []))
            following += 1
        elif name == b"fdAT" and frames:
            if end - start < 4 or int.from_bytes(data[start : start + 4]) != following:
                return (), 0, f"frame {len(frames)} has wrong numbers"
            frames[-1].parts.append((start + 4, end))
            following += 1
        elif name == b"IDAT" and frames:
            frames[-1].parts.append((start, end))
    found = sum(bool(frame.parts) for frame in frames)
    if not count or count != found or found != len(frames):
        return (), 0, f"{count} frames are promised, and {found} are there"
    return (tuple(frames), loops, "") if count > 1 else ((), 0, "")


def without_damage(data: bytes, file: PngFile) -> bytes:
    """Return a file as OpenCV reads it: without damaged chunks, and as an image where the animation is damaged."""
    is_animation_left = not file.frames and any(chunk.name == b"acTL" for chunk in file.chunks)
    return keep_chunks(data) if file.notes or is_animation_left else data


def keep_chunks(data: bytes) -> bytes:
    """Return a file of the chunks that an image is decoded from."""
    chunks, _, _ = _list_chunks(data)
    return _START + b"".join(data[chunk.start - 8 : chunk.end + 4] for chunk in chunks if chunk.name in _PIXELS)


def _write_chunk(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content), name) + content + crc32(name + content).to_bytes(4)


def decode_frames_of_png(data: bytes, file: PngFile, name: str, decode: Callable[[bytes], Array]) -> Iterator[Array]:
    """Yield frames as they are shown: (H, W), (H, W, 3) or (H, W, 4); `decode` reads an image of one frame."""
    shared = b"".join(
        data[chunk.start - 8 : chunk.end + 4] for chunk in file.chunks if chunk.name in {b"PLTE", b"tRNS"}
    )
    canvas: Array | None = None
    for number, frame in enumerate(file.frames, 1):
        head = struct.pack(">II", frame.width, frame.height) + data[24:29]
        parts = (data[start:end] for start, end in frame.parts)
        image = _START + _write_chunk(b"IHDR", head) + shared + _write_chunk(b"IDAT", *parts) + _write_chunk(b"IEND")
        try:
            pixels = decode(image)
        except ImageFileError as error:
            raise ImageFileError(f"the PNG is damaged (in frame {number})", path=name) from error
        if canvas is None:
            canvas = np.zeros((file.height, file.width, *pixels.shape[2:]), pixels.dtype)
        before = canvas
        region = slice(frame.top, frame.top + frame.height), slice(frame.left, frame.left + frame.width)
        shown = canvas.copy()
        shown[region] = _blend(pixels, canvas[region]) if frame.is_blended else pixels
        yield shown
        canvas = shown.copy() if frame.disposal == _TO_BACKGROUND else shown
        if frame.disposal == _TO_BACKGROUND:
            canvas[region] = 0
        elif frame.disposal == _TO_PREVIOUS:
            canvas = np.zeros_like(before) if number == 1 else before


def _blend(over: Array, under: Array) -> Array:
    """Return pixels over others, of straight alpha, as alpha mixes them."""
    if over.ndim == 2 or over.shape[2] != 4:
        return over
    white = np.iinfo(over.dtype).max
    alpha, below = (pixels[:, :, 3:].astype(np.float64) / white for pixels in (over, under))
    rest = below * (1 - alpha)
    total = alpha + rest
    mixed = np.zeros(over.shape)
    np.divide(over[:, :, :3] * alpha + under[:, :, :3] * rest, total, out=mixed[:, :, :3], where=total > 0)
    mixed[:, :, 3:] = total * white
    blended: Array = np.rint(mixed).astype(over.dtype)
    return blended
