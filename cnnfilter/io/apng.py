"""Animated PNG (PNG 1.3, W3C, 2025, section 11.3.6): the frames of a file, as its chunks say and as they are shown.

OpenCV decodes each frame as an image of its own.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.png import START, PngFile, write_chunk

_TO_BACKGROUND, _TO_PREVIOUS = 1, 2
"""Disposals: what a frame leaves in its place for the next. Others leave it as it is."""


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


def read_animation(data: bytes, file: PngFile) -> tuple[tuple[PngFrame, ...], int, str]:
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


def decode_frames_of_png(data: bytes, file: PngFile, name: str, decode: Callable[[bytes], Array]) -> Iterator[Array]:
    """Yield frames as they are shown: (H, W), (H, W, 3) or (H, W, 4); `decode` reads an image of one frame."""
    shared = b"".join(
        data[chunk.start - 8 : chunk.end + 4] for chunk in file.chunks if chunk.name in {b"PLTE", b"tRNS"}
    )
    canvas: Array | None = None
    for number, frame in enumerate(file.frames, 1):
        head = struct.pack(">II", frame.width, frame.height) + data[24:29]
        parts = (data[start:end] for start, end in frame.parts)
        image = START + write_chunk(b"IHDR", head) + shared + write_chunk(b"IDAT", *parts) + write_chunk(b"IEND")
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
