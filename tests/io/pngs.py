"""PNGs put together chunk by chunk, as other programs may write them."""

import struct
import zlib

from cnnfilter.arrays import Array

PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row and column, and the steps between them, of Adam7 (PNG specification, 8.2)."""


def chunk(name: bytes, content: bytes = b"", checksum: int | None = None) -> bytes:
    """Return a chunk, whose checksum is right unless another is given."""
    total = zlib.crc32(name + content) if checksum is None else checksum
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", total)


def put_together(
    size: tuple[int, int], kind: int, bits: int, data: bytes, *chunks: bytes, interlaced: bool = False
) -> bytes:
    """Return a file of a height and width, a colour type and its compressed pixels; more chunks lie before these."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], bits, kind, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND")


def make_png(values: Array, kind: int, bits: int, *chunks: bytes, interlaced: bool = False) -> bytes:
    """Return a file of values, (H, W) or (H, W, samples)."""
    parts = [values[row::down, column::across] for row, column, down, across in PASSES] if interlaced else [values]
    data = zlib.compress(b"".join(pack(part, bits) for part in parts if part.size))
    return put_together((values.shape[0], values.shape[1]), kind, bits, data, *chunks, interlaced=interlaced)


def pack(values: Array, bits: int) -> bytes:
    """Return rows, each behind its filter, none, and padded to whole bytes."""
    rows = b""
    for row in values.reshape(len(values), -1):
        digits = "".join(format(value, f"0{bits}b") for value in row)
        rows += b"\0" + int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(-(-len(digits) // 8))
    return rows


def insert(png: bytes, *chunks: bytes) -> bytes:
    """Return a file with more chunks behind its head."""
    return png[:33] + b"".join(chunks) + png[33:]
