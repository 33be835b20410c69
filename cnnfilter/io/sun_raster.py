"""Sun raster files: what their heads say, and their pixels.

| bits   | pixels                                                                                        |
|--------|-----------------------------------------------------------------------------------------------|
| 1      | ones are black; or two colours of a map                                                       |
| 4, 8   | grey, or colours of a map; one channel where all of them are grey                             |
| 24     | blue, green, red; in files of type 3 red, green, blue                                         |
| 32     | the same with a byte that is not used, first, or last where that alone is the same everywhere |

Files of the types 0 (old), 1 (standard), 2 (run lengths) and 3 (RGB) are read.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.errors import ImageFileError
from cnnfilter.io.colours import unpack_bits
from cnnfilter.io.opencv import cv2
from cnnfilter.io.signatures import not_supported

if TYPE_CHECKING:
    from cnnfilter.arrays import Array

_HEAD = 32

_ENCODED, _RED_FIRST = 2, 3

_TYPES = {4: "with a TIFF inside", 5: "with an IFF inside", 0xFFFF: "of an experimental type"}

_RUN = re.compile(rb"\x80(?:\0|([^\0])(.))", re.DOTALL)
"""The byte 128, which is 128 0; or a byte that is there once more than a number says."""


class SunRaster(NamedTuple):
    """What the head of a file says."""

    height: int
    width: int
    bits: int
    kind: int
    colours: bytes  # of the map: all reds, all greens, all blues
    refusal: str = ""

    @property
    def channels(self) -> int:
        """The channels of its image."""
        third = len(self.colours) // 3
        is_grey = self.colours[:third] == self.colours[third : 2 * third] == self.colours[2 * third :]
        return 1 if self.bits <= 8 and is_grey else 3

    @property
    def row(self) -> int:
        """The bytes of a row, which end on a multiple of 2."""
        return (self.width * self.bits + 15) // 16 * 2


def read_sun_raster(data: bytes) -> SunRaster:
    """Return what the head of a file says."""
    if len(data) < _HEAD:
        return SunRaster(0, 0, 0, 0, b"", "the Sun raster is cut off (in its head)")
    width, height, bits, _, kind, map_kind, map_length = struct.unpack_from(">7I", data, 4)
    found = SunRaster(height, width, bits, kind, data[_HEAD : _HEAD + map_length] if map_kind == 1 else b"")
    return found._replace(refusal=_find_refusal(found, map_kind, len(data) - _HEAD - map_length))


def _find_refusal(raster: SunRaster, map_kind: int, rest: int) -> str:
    """Return why a file, with so many bytes behind its map, is not read, or nothing."""
    if raster.kind > _RED_FIRST:
        return not_supported(f"Sun raster {_TYPES.get(raster.kind, f'of type {raster.kind}')}")
    if map_kind > 1:
        return not_supported("Sun raster with a raw map of colours")
    if raster.bits not in {1, 4, 8, 24, 32}:
        return not_supported(f"Sun raster of {raster.bits} bits")
    if raster.height < 1 or raster.width < 1 or len(raster.colours) % 3:
        return "the Sun raster is damaged: its head holds impossible numbers"
    needed = raster.row * (raster.height - 1) + (raster.width * raster.bits + 7) // 8
    return "the Sun raster is cut off" if rest < (1 if raster.kind == _ENCODED else needed) else ""


def decode_sun_raster(data: bytes, name: str) -> Array:
    """Return the pixels, (H, W) or (H, W, 3) RGB; `ImageFileError` if they are cut off."""
    raster = read_sun_raster(data)
    height, width, bits, size = raster.height, raster.width, raster.bits, raster.row * raster.height
    place = _HEAD + int.from_bytes(data[28:32])
    if raster.kind == _ENCODED:
        content = _RUN.sub(lambda run: run[2] * (run[1][0] + 1) if run[1] else b"\x80", data[place:])
    else:
        content = data[place : place + size]
    if len(content) < size - raster.row + (width * bits + 7) // 8:
        raise ImageFileError("the Sun raster is cut off", path=name)
    rows = np.frombuffer(content[:size].ljust(size, b"\0"), np.uint8).reshape(height, -1)
    if bits <= 8:
        return _colour(unpack_bits(rows, bits)[:, :width], raster)
    pixels = rows[:, : width * bits // 8].reshape(height, width, bits // 8)
    if bits == 32:
        pads = [bool((pixels[:, :, channel] == pixels[0, 0, channel]).all()) for channel in (0, 3)]
        pixels = pixels[:, :, :3] if pads == [False, True] else pixels[:, :, 1:]
    pixels = np.ascontiguousarray(pixels)
    return pixels if raster.kind == _RED_FIRST else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _colour(indices: Array, raster: SunRaster) -> Array:
    """Return the colours of a map, or greys: without a map 1 is black of one bit, and the greatest is white of more."""
    if not raster.colours:
        most = (1 << raster.bits) - 1
        return (255 - 255 * indices if raster.bits == 1 else indices * (255 // most)).astype(np.uint8)
    colours = np.frombuffer(raster.colours, np.uint8).reshape(3, -1).T
    table = np.zeros((256, 3), np.uint8)
    table[: len(colours)] = colours[:256]
    return table[:, 0][indices] if raster.channels == 1 else table[indices]
