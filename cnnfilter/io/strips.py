"""PNG and JPEG files encoded in strips of rows, from several threads, while other rows are still being made.

A strip is encoded as soon as its rows are there. The strips depend on the image alone, and so do the bytes of the file.
"""

from __future__ import annotations

import struct
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.jpeg_segments import SCAN, list_segments
from cnnfilter.io.opencv import SILENCE, cv2
from cnnfilter.io.png import START, read_file, write_chunk

_STRIP = 1 << 20
"""Bytes of pixels that are few enough for all cores, and enough to be worth the calls and to pack well."""


class Strips(ABC):
    """The strips of an image: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA.

    Parameters
    ----------
    pixels
        What is encoded; its rows may be filled in later.
    path
        The file, for messages.
    parameters
        What OpenCV is given to encode the whole image.
    """

    size: int = _STRIP  # bytes of pixels in each, about
    unit = 1  # strips begin at multiples of so many rows
    above = 0  # so many rows above a strip are needed to encode it

    def __init__(self, pixels: Array, path: str | Path, parameters: Sequence[int]) -> None:
        self._pixels, self._path, self._parameters = pixels, path, parameters
        height = len(pixels)
        rows = max(1, self.size * height // pixels.nbytes // self.unit) * self.unit
        edges = [*range(0, height, rows), height]
        self._rows = [slice(*pair) for pair in pairwise(edges)]
        self._missing = [rows.stop - max(0, rows.start - self.above) for rows in self._rows]
        self._encoded: list[bytes] = [b""] * len(self._rows)
        self._lock = threading.Lock()

    def add(self, rows: slice) -> None:
        """Take note that some rows are there, and encode the strips that are complete by that."""
        complete: list[int] = []
        length = self._rows[0].stop
        first = rows.start // length
        touched = self._rows[first : (rows.stop - 1 + self.above) // length + 1]
        with self._lock:
            for number, strip in enumerate(touched, first):
                needed = slice(max(0, strip.start - self.above), strip.stop)
                self._missing[number] -= min(needed.stop, rows.stop) - max(needed.start, rows.start)
                if not self._missing[number]:
                    complete.append(number)
        for number in complete:
            self.encode(number)

    @property
    def left(self) -> list[int]:
        """The numbers of the strips that have not been encoded."""
        return [number for number, encoded in enumerate(self._encoded) if not encoded]

    def encode(self, number: int) -> None:
        """Encode a strip, all rows of which are there."""
        self._encoded[number] = self._encode(number)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the file piece by piece: first what is before the pixels."""
        for number in self.left:
            self.encode(number)
        yield from self._join(self._encoded)

    @abstractmethod
    def _encode(self, number: int) -> bytes:
        """Return the bytes of a strip."""

    @abstractmethod
    def _join(self, strips: list[bytes]) -> Iterator[bytes]:
        """Yield the file's head, its strips, and what ends it."""

    def _encode_with_opencv(self, suffix: str, rows: slice, parameters: Sequence[int]) -> bytes:
        """Return the file that OpenCV makes of some rows."""
        part = self._pixels[rows]
        if part.ndim == 3:
            part = cv2.cvtColor(part, cv2.COLOR_RGB2BGR if part.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
        try:
            with SILENCE:
                written, data = cv2.imencode(suffix, part, parameters)
        except cv2.error:
            written = False
        if not written:
            what = f"cannot hold {part.shape} pixels of {part.dtype}, or there is too little memory"
            raise ImageFileError(f"{suffix[1:]} {what}", path=self._path)
        return data.tobytes()


_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""Of PNG (section 11.2.1), by the number of channels."""

_SUB = 1
"""The filter of PNG (section 9.2) that takes the differences to the pixels on the left."""

_ZLIB_START, _ZLIB_END = b"\x78\x01", b"\x03\x00"
"""The head of a zlib stream (RFC 1950), and an empty last block (RFC 1951)."""

_ADLER = 65_521
"""The modulus of Adler-32 (RFC 1950, section 8.2)."""


class PngStrips(Strips):
    """A PNG: each strip is filtered and deflated by itself, and ends with a whole byte.

    As OpenCV writes it: rows are differences to the left, packed by level 1 as run lengths. Where a level is asked for,
    libpng chooses the filter of each row, which may look at the row above.
    """

    def __init__(self, pixels: Array, path: str | Path, parameters: Sequence[int]) -> None:
        self._level = parameters[1] if parameters else None
        if self._level is not None:
            self.above, self.size = 1, 2 * _STRIP  # more to refer to
        super().__init__(pixels, path, parameters)
        self._sums = [0] * len(self._rows)

    def _encode(self, number: int) -> bytes:
        rows = self._rows[number]
        level, strategy = (1, zlib.Z_RLE) if self._level is None else (self._level, zlib.Z_DEFAULT_STRATEGY)
        filtered = _subtract(self._pixels[rows]).data if self._level is None else self._filter(rows)
        packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
        start = b"" if number else _ZLIB_START
        packed = start + packer.compress(filtered) + packer.flush(zlib.Z_SYNC_FLUSH)
        self._sums[number] = zlib.adler32(filtered)
        return write_chunk(b"IDAT", packed)

    def _filter(self, rows: slice) -> memoryview:
        """Return rows as libpng filters them: OpenCV writes them without packing, below the row above."""
        first = max(0, rows.start - 1)
        file = self._encode_with_opencv(".png", slice(first, rows.stop), [cv2.IMWRITE_PNG_COMPRESSION, 0])
        stored = b"".join(file[start:end] for name, start, end in read_file(file).chunks if name == b"IDAT")
        length = 1 + self._pixels[0].nbytes
        return memoryview(zlib.decompress(stored))[length * (rows.start - first) :]

    def _join(self, strips: list[bytes]) -> Iterator[bytes]:
        height, width = self._pixels.shape[:2]
        channels = self._pixels.shape[2] if self._pixels.ndim == 3 else 1
        bits = 8 * self._pixels.itemsize
        head = struct.pack(">IIBBBBB", width, height, bits, _COLOUR_TYPES[channels], 0, 0, 0)
        yield START + write_chunk(b"IHDR", head)
        yield from strips
        length, total = 1 + self._pixels[0].nbytes, 1
        for rows, sum_ in zip(self._rows, self._sums, strict=True):
            total = _combine(total, sum_, length * (rows.stop - rows.start))
        yield write_chunk(b"IDAT", _ZLIB_END, total.to_bytes(4)) + write_chunk(b"IEND")


def _subtract(rows: Array) -> Array:
    """Return rows of pixels as the filter Sub writes them: (H, 1 + bytes of a row)."""
    pixel = rows[0, 0].nbytes
    samples = rows if rows.itemsize == 1 else rows.astype(">u2")
    plain = samples.reshape(len(rows), -1).view(np.uint8)
    filtered = np.empty((len(rows), 1 + plain.shape[1]), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1 : 1 + pixel] = plain[:, :pixel]
    np.subtract(plain[:, pixel:], plain[:, :-pixel], out=filtered[:, 1 + pixel :])
    return filtered


def _combine(first: int, second: int, length: int) -> int:
    """Return the Adler-32 of two blocks, one behind the other, from theirs and the length of the second.

    Examples
    --------
    >>> _combine(zlib.adler32(b"two "), zlib.adler32(b"blocks"), 6) == zlib.adler32(b"two blocks")
    True
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return high % _ADLER << 16 | low % _ADLER


_FRAME, _RESTART, _RESTART_INTERVAL = 0xC0, 0xD0, 0xFFDD
"""Markers of JPEG (T.81, table B.1)."""


class JpegStrips(Strips):
    """A JPEG: each strip is encoded as a file, and goes between two restart markers (T.81, section B.2.1)."""

    unit = 16  # rows in a minimum coded unit where chroma has half the height, and in two where it has all

    def _encode(self, number: int) -> bytes:
        return self._encode_with_opencv(".jpg", self._rows[number], self._parameters)

    def _join(self, strips: list[bytes]) -> Iterator[bytes]:
        segments = {marker: start for marker, start, _, _ in list_segments(strips[0])}
        frame, scan = segments[_FRAME], segments[SCAN]
        pixels = scan + int.from_bytes(strips[0][scan : scan + 2])
        head = bytearray(strips[0][:pixels])
        head[frame + 1 : frame + 3] = len(self._pixels).to_bytes(2)
        units = _count_units(self._pixels[self._rows[0]].shape, head[frame + 7 : frame + 6 + 3 * head[frame + 5] : 3])
        place = scan - 2  # of the marker
        yield bytes(head[:place]) + struct.pack(">HHH", _RESTART_INTERVAL, 4, units) + bytes(head[place:])
        for number, strip in enumerate(strips):
            yield strip[pixels:-2]
            yield bytes([0xFF, _RESTART + number % 8]) if number < len(strips) - 1 else strip[-2:]


def _count_units(shape: tuple[int, ...], factors: Sequence[int]) -> int:
    """Return how many minimum coded units (T.81, section A.2) there are in (H, W) pixels.

    `factors` are how often each component is sampled, across and down, 4 bits each; one alone is not interleaved.

    Examples
    --------
    >>> _count_units((32, 50, 3), [0x22, 0x11, 0x11]), _count_units((32, 50), [0x22])
    (8, 28)
    """
    across, down = max(factors) >> 4, max(factor & 15 for factor in factors)
    if len(factors) == 1:
        across, down = 1, 1
    return -(-shape[1] // (8 * across)) * -(-shape[0] // (8 * down))
