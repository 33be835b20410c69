"""Bitmaps of Windows and OS/2: what their heads say, and their pixels.

Read are the heads of 12 (OS/2 1), 16 to 64 (OS/2 2) and 40 to 124 bytes (Windows), and of these

| bits      | compression             | pixels                                                             |
|-----------|-------------------------|--------------------------------------------------------------------|
| 1, 2, 4, 8 | none                    | colours of a palette; one channel where all of them are grey       |
| 4, 8      | RLE4, RLE8              | the same; what no code paints has colour 0                         |
| 24        | none                    | blue, green, red                                                   |
| 16, 32    | none                    | 5 bits a channel, 8 bits a channel; the bits left over are no alpha |
| 16, 32    | masks (bit fields)      | any masks, spread to 0..255; alpha where it has a mask             |

An index past the palette is black.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.errors import ImageFileError
from cnnfilter.io.colours import unpack_bits
from cnnfilter.io.opencv import cv2
from cnnfilter.io.signatures import not_supported

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnfilter.arrays import Array

_RGB, _RLE8, _RLE4, _BITFIELDS, _ALPHABITFIELDS = 0, 1, 2, 3, 6

_DEPTHS = {_RGB: {1, 2, 4, 8, 16, 24, 32}, _RLE8: {8}, _RLE4: {4}, _BITFIELDS: {16, 32}, _ALPHABITFIELDS: {16, 32}}
"""The bits of a pixel with each compression that is read."""

_OTHERS = {4: "a JPEG inside", 5: "a PNG inside", 11: "CMYK colours", 12: "CMYK colours", 13: "CMYK colours"}
_OTHERS_OF_OS2 = {3: "Huffman compression", 4: "RLE24 compression"}
"""What the numbers of other compressions mean."""

_USUAL_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}

_FILE_HEAD, _CORE, _INFO, _OS2, _LONGEST = 14, 12, 40, 64, 124
"""The sizes of the head of the file, and of heads of the image."""


class Bitmap(NamedTuple):
    """What the heads of a bitmap say."""

    height: int
    width: int
    bits: int  # of a pixel
    compression: int
    top_down: bool
    place: int  # where the pixels begin
    masks: tuple[int, ...]  # of red, green, blue and alpha; empty where there is a palette, or 24 bits
    palette: bytes  # blue, green, red of each colour, as many as the bits can number
    refusal: str = ""  # why it is not read

    @property
    def channels(self) -> int:
        """The channels of its image."""
        if not self.palette:
            return 4 if self.masks and self.masks[3] else 3
        return 1 if self.palette[::3] == self.palette[1::3] == self.palette[2::3] else 3

    @property
    def row(self) -> int:
        """The bytes of a row without compression, which end on a multiple of 4."""
        return (self.width * self.bits + 31) // 32 * 4


def read_bitmap(data: bytes) -> Bitmap:
    """Return what the heads of a bitmap say."""
    try:
        return _read_heads(data)
    except struct.error:
        return Bitmap(0, 0, 0, 0, False, 0, (), b"", "the BMP is cut off (in its head)")


def _read_heads(data: bytes) -> Bitmap:
    """Return what the heads of a bitmap say; `struct.error` where they are cut off."""
    place, size = struct.unpack_from("<II", data, 10)
    if size == _CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = used = 0
    elif 16 <= size <= _LONGEST:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
        rest = data[30 : _FILE_HEAD + size].ljust(20, b"\0")
        compression, _, _, _, used = struct.unpack_from("<5I", rest)
    else:
        return Bitmap(0, 0, 0, 0, False, 0, (), b"", f"the BMP is damaged: its head has {size} bytes")
    masks, end = _read_masks(data, size, bits, compression)
    palette = b""
    if bits <= 8:
        entry, count = 3 if size == _CORE else 4, min(used or 1 << bits, 1 << bits)
        place = place if place > end else end + entry * count
        palette = _read_palette(data[end : end + entry * count], entry).ljust(3 << bits, b"\0")
    found = Bitmap(abs(height), width, bits, compression, height < 0, max(place, end), masks, palette)
    return found._replace(refusal=_find_refusal(found, size, len(data)))


def _read_masks(data: bytes, size: int, bits: int, compression: int) -> tuple[tuple[int, ...], int]:
    """Return the masks of red, green, blue and alpha, and where the palette begins; masks may follow a short head."""
    end = _FILE_HEAD + size
    if compression not in {_BITFIELDS, _ALPHABITFIELDS} or bits not in {16, 32}:
        return _USUAL_MASKS.get(bits, ()), end
    count = 4 if compression == _ALPHABITFIELDS or size >= _INFO + 16 else 3
    masks = struct.unpack_from(f"<{count}I", data, _FILE_HEAD + _INFO)
    return tuple(mask & (1 << bits) - 1 for mask in (*masks, 0)[:4]), max(end, _FILE_HEAD + _INFO + 4 * count)


def _read_palette(entries: bytes, size: int) -> bytes:
    """Return blue, green and red of each colour, whose entries have a size."""
    return np.frombuffer(entries[: len(entries) // size * size], np.uint8).reshape(-1, size)[:, :3].tobytes()


def _find_refusal(bitmap: Bitmap, size: int, length: int) -> str:
    """Return why a bitmap, with a head of a size in a file of a length, is not read, or nothing."""
    compression, bits = bitmap.compression, bitmap.bits
    is_os2 = size == _OS2 or size < _INFO
    if other := (_OTHERS_OF_OS2 if is_os2 else _OTHERS).get(compression):
        return not_supported(f"BMP with {other}")
    if compression not in _DEPTHS:
        return f"the BMP is damaged: there is no compression {compression}"
    if bits not in {*_DEPTHS[_RGB], 64}:
        return f"the BMP is damaged: there are no {bits} bits a pixel"
    if bits not in _DEPTHS[compression]:
        return not_supported(f"BMP of {bits} bits{' with this compression' if compression else ''}")
    if bitmap.width < 1 or bitmap.height < 1:
        return f"the BMP is damaged: its size is {bitmap.height}x{bitmap.width}"
    if bitmap.masks and not any(bitmap.masks[:3]):
        return "the BMP is damaged: its masks are empty"
    needed = bitmap.row * (bitmap.height - 1) + (bitmap.width * bits + 7) // 8
    if compression not in {_RLE4, _RLE8} and bitmap.place + needed > length:
        return "the BMP is cut off"
    return ""


def find_unused(data: bytes, bitmap: Bitmap) -> tuple[str, ...]:
    """Return a note where the bytes that 32 bits without masks leave over are not all the same, or none."""
    if (bitmap.bits, bitmap.compression) != (32, _RGB):
        return ()
    fourth = data[bitmap.place + 3 : bitmap.place + bitmap.row * bitmap.height : 4]
    if fourth.count(fourth[:1]) == len(fourth):
        return ()
    return ("the fourth byte of a pixel, which is not alpha in a BMP without masks, is not used",)


def decode_bitmap(data: bytes, name: str) -> Array:
    """Return the pixels, (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; `ImageFileError` if they are cut off."""
    bitmap = read_bitmap(data)
    height, width = bitmap.height, bitmap.width
    if bitmap.compression in {_RLE4, _RLE8}:
        indices = np.frombuffer(_expand(data, bitmap, name), np.uint8).reshape(height, width)
        return _colour(_upright(indices, bitmap), bitmap)
    size = bitmap.row * height
    rows = np.frombuffer(data[bitmap.place : bitmap.place + size].ljust(size, b"\0"), np.uint8).reshape(height, -1)
    if bitmap.bits <= 8:
        return _colour(unpack_bits(_upright(rows, bitmap), bitmap.bits)[:, :width], bitmap)
    if bitmap.bits == 24:
        pixels = _upright(rows[:, : 3 * width].reshape(height, width, 3), bitmap)
        return _convert(pixels, 3, lambda part: cv2.cvtColor(part, cv2.COLOR_BGR2RGB))
    words = _upright(rows.view(f"<u{bitmap.bits // 8}")[:, :width], bitmap)
    if bitmap.bits == 16:
        return _look_up(_follow_masks(np.arange(1 << 16, dtype=np.uint16), bitmap), words, bitmap.channels)
    return _convert(words, bitmap.channels, lambda part: _follow_masks(part, bitmap)[:, :, : bitmap.channels])


def _upright(rows: Array, bitmap: Bitmap) -> Array:
    return rows if bitmap.top_down else rows[::-1]


def _convert(rows: Array, channels: int, convert: Callable[[Array], Array]) -> Array:
    """Return rows converted to 8-bit pixels, some at a time, which stay in the cache."""
    pixels = np.empty((*rows.shape[:2], channels), np.uint8)
    for row in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(row, row + _ROWS_AT_ONCE)
        pixels[part] = convert(np.ascontiguousarray(rows[part]))
    return pixels


_ROWS_AT_ONCE = 32


def _look_up(table: Array, indices: Array, channels: int) -> Array:
    """Return the colours, RGB or RGBA, that a table of RGBA, (number, 4), has at indices."""
    words = np.ascontiguousarray(table).view(np.uint32)[:, 0]

    def convert(part: Array) -> Array:
        pixels = np.take(words, part, mode="clip").view(np.uint8).reshape(*part.shape, 4)
        return pixels if channels == 4 else cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)

    return _convert(indices, channels, convert)


def _colour(indices: Array, bitmap: Bitmap) -> Array:
    """Return the colours of a palette, or its greys in one channel."""
    palette = np.frombuffer(bitmap.palette, np.uint8).reshape(-1, 3)
    table = np.zeros((256, 4), np.uint8)
    table[: len(palette), :3] = palette[:, ::-1]
    if bitmap.palette[::3] == bytes(range(256)) and bitmap.channels == 1:
        return np.ascontiguousarray(indices)
    if bitmap.channels == 1:
        return cv2.LUT(np.ascontiguousarray(indices), np.ascontiguousarray(table[:, 0]))
    return _look_up(table, indices, 3)


def _follow_masks(words: Array, bitmap: Bitmap) -> Array:
    """Return what masks cut out of words, spread to 0..255: red, green, blue and alpha, 255 where it has no mask."""
    if bitmap.bits == 32 and bitmap.masks[:3] == _USUAL_MASKS[32][:3] and bitmap.masks[3] in {0, 0xFF000000}:
        return cv2.cvtColor(words.view(np.uint8).reshape(*words.shape, 4), cv2.COLOR_BGRA2RGBA)
    pixels = np.full((*words.shape, 4), 255, np.uint8)
    for channel, mask in enumerate(bitmap.masks):
        if mask or channel < 3:
            shift = max(0, (mask & -mask).bit_length() - 1)
            levels = (words & words.dtype.type(mask)) >> words.dtype.type(shift)
            most = mask >> shift
            pixels[..., channel] = levels if most in {0, 255} else np.rint(levels * (255 / most))
    return pixels


def _expand(data: bytes, bitmap: Bitmap, name: str) -> bytearray:
    """Return the indices that run lengths paint, row after row from the first in the file.

    Rows may be padded with more than their width holds; what is beyond it belongs to no pixel.
    """
    width, height, paired = bitmap.width, bitmap.height, bitmap.compression == _RLE4
    canvas, place, x, y = bytearray(width * height), bitmap.place, 0, 0
    try:
        while y < height:
            count, value = data[place], data[place + 1]
            place += 2
            if count:
                run = bytes((value >> 4, value & 15)) * (count + 1 >> 1) if paired else bytes((value,)) * count
            elif value == 1:  # the end of the image
                break
            elif value in {0, 2}:  # the end of the row, or a move
                x, y = (x + data[place], y + data[place + 1]) if value else (0, y + 1)
                place += value
                continue
            else:
                count, size = value, (value + 1) // 2 if paired else value
                run = _read_run(data, place, size, paired=paired)
                place += size + size % 2
            run = run[: max(0, min(count, width - x))]
            canvas[y * width + x : y * width + x + len(run)] = run
            x += count
    except IndexError as error:
        if y < height - 1 or x < width:  # else only the end is not marked
            reason = f"the BMP is cut off (in row {y + 1} of {height}, as the file has them)"
            raise ImageFileError(reason, path=name) from error
    return canvas


def _read_run(data: bytes, place: int, size: int, *, paired: bool) -> bytes:
    """Return the indices in so many bytes, two in each if they are paired; `IndexError` where the file ends."""
    _ = data[place + size - 1]
    run = data[place : place + size]
    return bytes(index for byte in run for index in (byte >> 4, byte & 15)) if paired else run
