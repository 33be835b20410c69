"""TIFFs of any kind, written byte by byte, and the values that they mean."""

import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import tifffile
from PIL import Image

from cnnfilter.arrays import Array
from tests.io import saved

NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTANDARD, WEBP = 1, 5, 8, 32773, 32946, 34925, 50000, 50001


class Kind(NamedTuple):
    """How a TIFF is written."""

    photometric: int = 1
    type: str = "u8"  # of a sample: u, i or f, and its bits
    extras: tuple[int, ...] = ()
    planar: bool = False
    compression: int = NONE
    predictor: int = 1
    block: tuple[int, int] | int = 0  # rows and columns of tiles, or rows of strips; 0 for one strip
    order: Literal["<", ">"] = "<"
    big: bool = False
    fill: int = 1
    orientation: int = 1
    subsampling: tuple[int, int] = (1, 1)

    @property
    def bits(self) -> int:
        """The bits of a sample."""
        return int(self.type[1:])

    @property
    def samples(self) -> int:
        """How many samples a pixel has."""
        return COLOURS[self.photometric] + len(self.extras)


COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}
"""How many samples a pixel has of each photometric interpretation, without extra ones."""


def make_samples(kind: Kind, height: int, width: int, rng: np.random.Generator) -> Array:
    """Return random samples, (H, W, samples), that a TIFF of a kind can hold."""
    shape = height, width, kind.samples
    if kind.type[0] == "f":
        return rng.normal(size=shape).astype(f"f{kind.bits // 8}")
    held = next(size for size in (1, 2, 4, 8) if 8 * size >= kind.bits)
    low, high = (0, 1 << kind.bits) if kind.type[0] == "u" else (-1 << kind.bits - 1, 1 << kind.bits - 1)
    most = 1 << 53  # above it not every whole number is a float64
    return rng.integers(max(low, -most), min(high, most), shape, np.int64).astype(f"{kind.type[0]}{held}")


def make_tiff(samples: Array, kind: Kind, tags: Mapping[int, tuple[int, Sequence[int]]] | None = None) -> bytes:
    """Return a TIFF of one page; more tags are given as their type and values."""
    height, width, count = samples.shape
    entries = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [kind.bits] * count),
        259: (3, [kind.compression]),
        262: (3, [kind.photometric]),
        266: (3, [kind.fill]),
        274: (3, [kind.orientation]),
        277: (3, [count]),
        284: (3, [2 if kind.planar else 1]),
        317: (3, [kind.predictor]),
        339: (3, [{"u": 1, "i": 2, "f": 3}[kind.type[0]]] * count),
    }
    if kind.extras:
        entries[338] = (3, list(kind.extras))
    if kind.photometric == 6:
        entries[530] = (3, list(reversed(kind.subsampling)))
    blocks = [_compress(block, kind) for block in _blocks(samples, kind)]
    if isinstance(kind.block, tuple):
        entries |= {322: (4, [kind.block[1]]), 323: (4, [kind.block[0]])}
    else:
        entries[278] = (4, [kind.block or height])
    return put_together([entries | dict(tags or {})], [blocks], kind)


def written_by_tifffile(samples: Array, **options: Any) -> bytes:
    """Return what tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


SIZES = {1: "B", 3: "H", 4: "I", 5: "II", 16: "Q"}


def put_together(
    pages: Sequence[dict[int, tuple[int, Any]]], blocks: Sequence[Sequence[bytes]], kind: Kind, *, last: int = 0
) -> bytes:
    """Return a file of pages, each with its tags and its compressed strips or tiles; `last` is the last page's link."""
    order, big = kind.order, kind.big
    wide, entry_size, room = ("Q", 20, 8) if big else ("I", 12, 4)
    mark = {"<": b"II", ">": b"MM"}[order]
    head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else mark + struct.pack(f"{order}HI", 42, 8)
    file = bytearray(head)
    for number, (given, data) in enumerate(zip(pages, blocks, strict=True)):
        where, lengths = (324, 325) if 322 in given else (273, 279)
        tags = given | {where: (16 if big else 4, [0] * len(data)), lengths: (4, list(map(len, data)))}
        values = {tag: pack_values(order, *tags[tag]) for tag in sorted(tags)}
        start = len(file) + (8 if big else 2)
        place = start + entry_size * len(tags) + room
        places = {}
        for tag, value in values.items():
            if len(value) > room:
                places[tag] = place
                place += len(value) + len(value) % 2
        offsets = [place + sum(map(len, data[:index])) for index in range(len(data))]
        values[where] = pack_values(order, 16 if big else 4, offsets)
        file += struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, value in values.items():
            type_, numbers = tags[tag]
            file += struct.pack(f"{order}HH{wide}", tag, type_, len(numbers) // len(SIZES[type_]))
            file += struct.pack(order + wide, places[tag]) if tag in places else value.ljust(room, b"\0")
        held = b"".join(values[tag] + bytes(len(values[tag]) % 2) for tag in places) + b"".join(data)
        held += bytes(len(held) % 2)
        following = len(file) + room + len(held) if number + 1 < len(pages) else last
        file += struct.pack(order + wide, following) + held
    return bytes(file)


def pack_values(order: str, type_: int, numbers: Sequence[int]) -> bytes:
    """Return the values of a tag; a rational is two numbers."""
    return struct.pack(f"{order}{len(numbers)}{SIZES[type_][0]}", *numbers)


def _blocks(samples: Array, kind: Kind) -> Iterator[bytes]:
    """Yield the bytes of each strip or tile before they are compressed."""
    height, width, count = samples.shape
    planes = [samples[:, :, [channel]] for channel in range(count)] if kind.planar else [samples]
    for plane in planes:
        tall, wide = kind.block if isinstance(kind.block, tuple) else (kind.block or height, width)
        for top in range(0, height, tall):
            for left in range(0, width, wide):
                part = plane[top : top + tall, left : left + wide]
                if isinstance(kind.block, tuple):
                    part = np.pad(part, ((0, tall - part.shape[0]), (0, wide - part.shape[1]), (0, 0)), "edge")
                yield _pack(part, kind)


def _pack(part: Array, kind: Kind) -> bytes:
    """Return the bytes of samples, (rows, columns, samples); of a WebP they are the file, without loss."""
    if kind.compression == WEBP:
        return saved(Image.fromarray(part), "WEBP", lossless=True, exact=True)
    if kind.photometric == 6 and kind.subsampling != (1, 1):
        return _pack_subsampled(part, *kind.subsampling)
    rows, size = len(part), kind.bits // 8
    if kind.bits % 8 or kind.bits == 24:
        shifts = np.arange(kind.bits - 1, -1, -1)
        numbers = part.reshape(rows, -1, 1).astype(np.int64)
        return np.packbits((numbers >> shifts & 1).astype(np.uint8).reshape(rows, -1), axis=1).tobytes()
    if kind.predictor == 2:
        part = part.view(f"u{size}")
        part = np.concatenate([part[:, :1], np.diff(part, axis=1)], axis=1)
    if kind.predictor == 3:
        held = part.astype(part.dtype.newbyteorder(">")).reshape(rows, -1).view(np.uint8)
        sorted_ = held.reshape(rows, -1, size).transpose(0, 2, 1).reshape(rows, -1, part.shape[2])
        return np.concatenate([sorted_[:, :1], np.diff(sorted_, axis=1)], axis=1).tobytes()
    return part.astype(part.dtype.newbyteorder(kind.order)).tobytes()


def _pack_subsampled(part: Array, down: int, across: int) -> bytes:
    """Return YCbCr in units of several Y, one Cb and one Cr, those of the upper left pixel."""
    rows, columns, _ = part.shape
    part = np.pad(part, ((0, -rows % down), (0, -columns % across), (0, 0)), "edge")
    tall, wide = part.shape[0] // down, part.shape[1] // across
    light = part[:, :, 0].reshape(tall, down, wide, across).transpose(0, 2, 1, 3).reshape(tall, wide, -1)
    return np.concatenate([light, part[::down, ::across, 1:]], axis=2).tobytes()


REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _compress(data: bytes, kind: Kind) -> bytes:
    """Return the bytes of a strip or tile as they are in the file."""
    packed = COMPRESSORS[kind.compression](data)
    return packed.translate(REVERSED) if kind.fill == 2 else packed


def _pack_runs(data: bytes) -> bytes:
    """Return PackBits: a run where the next bytes are equal, else a literal of up to 100 bytes."""
    packed, place = bytearray(), 0
    while place < len(data):
        part = data[place : place + 100]
        packed += (
            bytes([257 - len(part), part[0]]) if len(set(part)) == 1 < len(part) else bytes([len(part) - 1]) + part
        )
        place += len(part)
    return bytes(packed)


def _pack_lzw(data: bytes) -> bytes:
    """Return LZW whose table is cleared before codes get longer than 9 bits."""
    codes = [code for start in range(0, len(data), 200) for code in (256, *data[start : start + 200])]
    bits = np.array([*codes, 257])[:, None] >> np.arange(8, -1, -1) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def _pack_zstandard(data: bytes) -> bytes:
    """Return a frame (RFC 8878) of one block that is not compressed."""
    assert len(data) < 1 << 17
    return struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data)) + (len(data) << 3 | 1).to_bytes(3, "little") + data


STORED = 7, 34887, 77
"""Compressions of files that are refused before their data are looked at."""

COMPRESSORS: dict[int, Callable[[bytes], bytes]] = {
    NONE: bytes,
    LZW: _pack_lzw,
    DEFLATE: zlib.compress,
    OLD_DEFLATE: zlib.compress,
    PACKBITS: _pack_runs,
    LZMA: lambda data: lzma.compress(data, preset=0),
    ZSTANDARD: _pack_zstandard,
    WEBP: bytes,
    **dict.fromkeys(STORED, bytes),
}


PALETTE_COLOURS = [(index * 40503 + channel * 12289) % 65536 for channel in range(3) for index in range(256)]


def palette_of(bits: int) -> dict[int, tuple[int, list[int]]]:
    """Return the tag of a palette."""
    return {320: (3, [PALETTE_COLOURS[channel * 256 + index] for channel in range(3) for index in range(1 << bits)])}


def meaning(samples: Array, kind: Kind) -> Array:
    """Return the values that a reader is to give: upright, RGB, straight alpha, spread to the whole range."""
    pixels = _colours(samples, kind)
    turns: dict[int, Callable[[Array], Array]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }
    return turns[kind.orientation](pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _colours(samples: Array, kind: Kind) -> Array:
    if kind.type[0] == "i" or kind.type in {"u32", "u64"}:
        return samples.astype(np.float64)
    if kind.type == "f16":
        samples = samples.astype(np.float32)
    count = COLOURS[kind.photometric]
    alpha = kind.extras[0] if len(kind.extras) == 1 and kind.extras[0] in {1, 2} else 0
    given = samples[:, :, :count] if alpha else samples
    colours = _convert(given, kind)
    if not alpha:
        return colours
    opacity = _spread(samples[:, :, count:], kind)
    if alpha == 1 and kind.photometric != 3:
        colours = _divide(colours, opacity)
    return np.concatenate([np.repeat(colours, 3 // colours.shape[2], axis=2), opacity], axis=2)


def _spread(samples: Array, kind: Kind) -> Array:
    if samples.dtype.kind == "f" or kind.bits in {8, 16}:
        return samples
    white = np.iinfo(samples.dtype).max
    return np.rint(samples * (white / ((1 << kind.bits) - 1))).astype(samples.dtype)


def _divide(colours: Array, alpha: Array) -> Array:
    white = np.iinfo(colours.dtype).max if colours.dtype.kind == "u" else 1
    straight = np.where(alpha != 0, colours * float(white) / np.where(alpha == 0, 1, alpha), 0)
    if colours.dtype.kind == "u":
        return np.rint(straight).clip(0, white).astype(colours.dtype)
    return np.where(alpha > 0, straight, 0).astype(colours.dtype)


def _convert(samples: Array, kind: Kind) -> Array:
    match kind.photometric:
        case 0 if kind.type[0] == "u":
            inverted = np.concatenate([((1 << kind.bits) - 1) - samples[:, :, :1], samples[:, :, 1:]], axis=2)
            return _spread(inverted.astype(samples.dtype), kind)
        case 3:
            table = np.array(palette_of(kind.bits)[320][1]).reshape(3, -1).T >> 8
            return np.asarray(table.astype(np.uint8)[samples[:, :, 0]])
        case 5:
            white = int(np.iinfo(samples.dtype).max)
            free = white - samples.astype(np.uint64)
            return np.asarray(free[:, :, :3] * free[:, :, 3:] // np.uint64(white), samples.dtype)
        case 6:
            light, blue, red = samples.astype(float).transpose(2, 0, 1) - np.array([[[0]], [[128]], [[128]]])
            green = light - (0.114 * 1.772 * blue + 0.299 * 1.402 * red) / 0.587
            colours = np.stack([light + 1.402 * red, green, light + 1.772 * blue], 2)
            return np.asarray(np.rint(colours).clip(0, 255), np.uint8)
        case _:
            return _spread(samples, kind)
