"""GIF 87a and 89a: what a file's blocks say, and its frames as they are shown."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.opencv import cv2

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B  # GIF89a, appendix A
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPING, _LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0"), 1
"""Applications whose extension counts loops, in a block of this kind."""

_TO_BACKGROUND, _TO_PREVIOUS = 2, 3
"""Disposals (section 23): what a frame leaves in its place for the next. Others leave it as it is."""

_SCREEN, _IMAGE_HEAD, _CONTROL_BLOCK = struct.Struct("<HHBB"), struct.Struct("<HHHHB"), struct.Struct("<BHB")
"""Sections 18, 20 and 23."""

_FIRST = 13  # where the first palette or block begins

_OPAQUE = 0xFF000000  # as pixels are held below, 0xAABBGGRR


class GifFrame(NamedTuple):
    """An image in a file, and the control block before it."""

    top: int
    left: int
    height: int
    width: int
    is_interlaced: bool
    palette: slice  # where its colours are in the file, three bytes each; empty where it has none
    start: int  # where its pixels are: their bits, then blocks
    end: int
    transparent: int | None  # the number that leaves what was there before
    disposal: int
    duration: int  # in milliseconds


class Screen(NamedTuple):
    """What a file says before its pixels are decoded."""

    height: int  # with room for every frame
    width: int
    background: bytes  # its red, green and blue
    frames: tuple[GifFrame, ...]
    loops: int  # how often the frames are shown, 0 for always
    flaw: str  # what is wrong with it; empty if it is whole

    @property
    def channels(self) -> int:
        """4 where pixels can be transparent, else 3."""
        first, *others = self.frames
        covers = not first.top and not first.left and (first.height, first.width) == (self.height, self.width)
        removed = [frame for frame in (first, *others)[:-1] if frame.disposal == _TO_BACKGROUND]
        is_opaque = covers and not (others and first.disposal == _TO_PREVIOUS)
        return 3 if is_opaque and all(frame.transparent is None for frame in (first, *removed)) else 4


Control = tuple[int | None, int, int]
"""What a control block says of the frame behind it: `transparent`, `disposal` and `duration` of a `GifFrame`."""

_NO_CONTROL: Control = (None, 0, 0)


def read_screen(data: bytes) -> Screen:
    """Return what the blocks of a file say; `struct.error` if it ends before them."""
    width, height, flags, background = _SCREEN.unpack_from(data, 6)
    palette = _find_palette(_FIRST, flags)
    frames: list[GifFrame] = []
    loops, flaw = _read_blocks(data, palette, frames)
    height = max([height, *(frame.top + frame.height for frame in frames)])
    width = max([width, *(frame.left + frame.width for frame in frames)])
    if not flaw and 0 in (height, width):
        flaw = "damaged (no pixel is in it)"
    colours = bytes(data[palette])
    colour = colours[3 * background : 3 * background + 3] or colours[:3] or bytes(3)
    return Screen(height, width, colour, tuple(frames), loops, flaw)


def _read_blocks(data: bytes, palette: slice, frames: list[GifFrame]) -> tuple[int, str]:
    """Append all frames of a file, and return how often they are shown, and what is wrong with the file."""
    place, block, control, loops = palette.stop, 0, _NO_CONTROL, 1
    try:
        while (block := data[place]) != _TRAILER:
            place += 1
            if block == _IMAGE:
                frames.append(_read_frame(data, place, palette, control))
                place, control = frames[-1].end, _NO_CONTROL
            elif block == _EXTENSION:
                kind = data[place]
                if kind == _CONTROL:
                    control = _read_control(data, place + 1, control)
                elif kind == _APPLICATION:
                    loops = _read_loops(data, place + 1, loops)
                place = _skip_blocks(data, place + 1)
            elif block:  # an empty block that ends nothing is forgiven
                return loops, f"damaged (after frame {len(frames)})"
            block = 0
    except (IndexError, struct.error):
        where = f"in frame {len(frames) + 1}" if block == _IMAGE else f"after frame {len(frames)}"
        return loops, f"cut off ({where})"
    return loops, "" if frames else "damaged (no image is in it)"


def _find_palette(place: int, flags: int) -> slice:
    """Return where the colours are that flags announce; nowhere if they announce none."""
    return slice(place, place + (3 << (flags & 7) + 1 if flags & 0x80 else 0))


def _skip_blocks(data: bytes, place: int) -> int:
    """Return where the blocks that begin at a place end, behind an empty one."""
    while data[place]:
        place += data[place] + 1
    return place + 1


def _read_frame(data: bytes, place: int, palette: slice, control: Control) -> GifFrame:
    left, top, width, height, flags = _IMAGE_HEAD.unpack_from(data, place)
    own = _find_palette(place + _IMAGE_HEAD.size, flags)
    end = _skip_blocks(data, own.stop + 1)
    colours = own if own.stop > own.start else palette
    return GifFrame(top, left, height, width, bool(flags & 0x40), colours, own.stop, end, *control)


def _read_control(data: bytes, place: int, before: Control) -> Control:
    if data[place] < 4:
        return before
    flags, delay, transparent = _CONTROL_BLOCK.unpack_from(data, place + 1)
    return transparent if flags & 1 else None, flags >> 2 & 7, 10 * delay


def _read_loops(data: bytes, place: int, before: int) -> int:
    """Return how often the frames are shown if an application's extension says so: once more than they are repeated."""
    if data[place + 1 : place + 12] not in _LOOPING:
        return before
    place += data[place] + 1
    while length := data[place]:
        if length >= 3 and data[place + 1] == _LOOPS:
            repeated = int.from_bytes(data[place + 2 : place + 4], "little")
            return repeated + 1 if repeated else 0
        place += length + 1
    return before


def list_extensions(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the labels of a file's extensions, where their blocks begin, and what is in these."""
    place = _find_palette(_FIRST, data[10]).stop
    with suppress(IndexError, struct.error):
        while (block := data[place]) in {_IMAGE, _EXTENSION}:
            if block == _IMAGE:
                place = _read_frame(data, place + 1, slice(0), _NO_CONTROL).end
                continue
            label, start = data[place + 1], place + 2
            place = _skip_blocks(data, start)
            parts, at = list[bytes](), start
            while data[at]:
                parts.append(data[at + 1 : at + 1 + data[at]])
                at += 1 + data[at]
            yield label, start, b"".join(parts)


def decode_frames(data: bytes, screen: Screen, name: str) -> Iterator[Array]:
    """Yield the frames as they are shown, (H, W, 3) RGB or (H, W, 4) RGBA; `ImageFileError` at one that is damaged."""
    red, green, blue = screen.background
    background, clear = _OPAQUE | blue << 16 | green << 8 | red, 0
    canvas = np.full((screen.height, screen.width), clear, "<u4")
    for number, frame in enumerate(screen.frames, 1):
        area = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        before = area.copy() if frame.disposal == _TO_PREVIOUS else area
        indices = _decode_indices(data, frame, number, name)
        shown = True if frame.transparent is None else indices != frame.transparent
        np.copyto(area, _read_colours(data, frame.palette)[indices], where=shown)
        pixels = canvas.view(np.uint8).reshape(*canvas.shape, 4)
        yield pixels.copy() if screen.channels == 4 else cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
        area[:] = before
        if frame.disposal == _TO_BACKGROUND:
            area[:] = background if frame.transparent is None else clear


def _decode_indices(data: bytes, frame: GifFrame, number: int, name: str) -> NDArray[np.uint8]:
    """Return the numbers of a frame's colours, (H, W); `ImageFileError` if it has fewer than it promises."""
    from PIL import Image  # noqa: PLC0415  for GIF alone

    size, bits = (frame.width, frame.height), data[frame.start]
    image = None
    if 0 not in size:
        with suppress(ValueError):  # more data than pixels is forgiven, less is not
            image = Image.frombytes("L", size, data[frame.start + 1 : frame.end], "gif", bits, frame.is_interlaced, -1)
    if image is None:
        raise ImageFileError(f"the GIF is damaged (in frame {number})", path=name)
    return np.asarray(image)


def _read_colours(data: bytes, palette: slice) -> NDArray[np.uint32]:
    """Return 256 colours (256,), those past the palette's end black."""
    colours = np.full((256, 4), (0, 0, 0, 255), np.uint8)
    colours[: (palette.stop - palette.start) // 3, :3] = np.frombuffer(data[palette], np.uint8).reshape(-1, 3)
    return colours.view("<u4")[:, 0]
