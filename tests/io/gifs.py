"""GIFs made byte by byte, as other programs make them, and what they show, pixel by pixel."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
CLEAR = (0, 0, 0, 0)

Palette = Sequence[tuple[int, int, int]]

FOREVER = b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"


class Part(NamedTuple):
    """A frame of a GIF: numbers of colours (H, W), where it lies, and what is said of it."""

    indices: Array
    left: int = 0
    top: int = 0
    transparent: int | None = None
    disposal: int = 1
    delay: int | None = 10  # hundredths of a second; None writes no control block
    palette: Palette = ()
    interlaced: bool = False
    behind: bytes = b""  # more codes, in a block of their own

    def encode(self) -> bytes:
        """Return its blocks."""
        height, width = self.indices.shape
        control = b""
        if self.delay is not None:
            flags = self.disposal << 2 | (self.transparent is not None)
            control = b"\x21\xf9\x04" + struct.pack("<BHBB", flags, self.delay, self.transparent or 0, 0)
        flags = (0x80 | _bits(self.palette) - 1 if self.palette else 0) | 0x40 * self.interlaced
        head = struct.pack("<BHHHHB", 0x2C, self.left, self.top, width, height, flags)
        rows = list(self.indices)
        if self.interlaced:
            passes = ((0, 8), (4, 8), (2, 4), (1, 2))
            rows = [rows[row] for first, step in passes for row in range(first, height, step)]
        behind = bytes([len(self.behind)]) + self.behind if self.behind else b""
        return control + head + _table(self.palette) + _compress(np.concatenate(rows)) + behind + b"\0"


def _bits(palette: Palette) -> int:
    return max(1, (len(palette) - 1).bit_length())


def _table(palette: Palette) -> bytes:
    return b"".join(map(bytes, palette)).ljust(3 << _bits(palette) if palette else 0, b"\0")


def _compress(indices: Array) -> bytes:
    """Return codes of nine bits, a clear code before each hundred so that they stay as wide."""
    codes: list[int] = []
    for start in range(0, len(indices), 100):
        codes += [256, *map(int, indices[start : start + 100])]
    bits = sum(code << 9 * place for place, code in enumerate([*codes, 257]))
    data = bits.to_bytes((9 * (len(codes) + 1) + 7) // 8, "little")
    blocks = [data[start : start + 255] for start in range(0, len(data), 255)]
    return b"\x08" + b"".join(bytes([len(block)]) + block for block in blocks)


def make_gif(
    *parts: Part | bytes,
    size: tuple[int, int] | None = None,
    palette: Palette = (RED, GREEN, BLUE, WHITE),
    background: int = 0,
    loop: bytes = FOREVER,
    head: bytes = b"GIF89a",
) -> bytes:
    """Return a file of some parts, or other blocks, of a size (H, W), or that of its first part."""
    first = next(part for part in parts if isinstance(part, Part))
    height, width = size or first.indices.shape
    flags = 0x80 | _bits(palette) - 1 if palette else 0
    start = head + struct.pack("<HHBBB", width, height, flags, background, 0) + _table(palette)
    return start + loop + b"".join(part if isinstance(part, bytes) else part.encode() for part in parts) + b";"


def show(parts: Sequence[Part], size: tuple[int, int], palette: Palette, background: tuple[int, int, int]) -> Array:
    """Return what each part shows, (N, H, W, 4)."""
    canvas = np.zeros((*size, 4), np.uint8)
    shown = []
    for part in parts:
        before = canvas.copy()
        for (row, column), index in np.ndenumerate(part.indices):
            if index != part.transparent:
                canvas[part.top + row, part.left + column] = (*(part.palette or palette)[index], 255)
        shown.append(canvas.copy())
        if part.disposal == 3:
            canvas = before
        elif part.disposal == 2:
            there = canvas[part.top :, part.left :][: part.indices.shape[0], : part.indices.shape[1]]
            there[:] = (*background, 255) if part.transparent is None else CLEAR
    return np.stack(shown)
