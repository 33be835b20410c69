"""The samples of a TIFF's page: its strips or tiles decompressed, and numbers made of their bytes.

Strips and tiles are both called blocks: a strip is a block as wide as the page. What Python cannot decompress goes
through libtiff, that of OpenCV or of Pillow, in a small file made for it, whose pixels are the bytes.
"""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.opencv import call_opencv, capture_stderr, cv2
from cnnfilter.io.pillow import open_with_pillow
from cnnfilter.io.tiff_layout import CCITT, CODECS, FILL_ORDER, WEBP, YCBCR, Layout
from cnnfilter.log import tell

Raw = bytes | memoryview | Array
"""The bytes of a block, decompressed."""

_OFFSETS = {False: 273, True: 324}
_COUNTS = {False: 279, True: 325}
_T4_OPTIONS, _T6_OPTIONS = 292, 293


class StripOrTile(NamedTuple):
    """A strip or tile: where it belongs, how many rows and decompressed bytes it has, and its bytes in the file."""

    plane: int
    top: int
    left: int
    rows: int
    size: int
    data: memoryview


def read_samples(data: bytes, layout: Layout, name: str) -> Array:
    """Return the samples of a page, (H, W, samples), as they are in its file; `ImageFileError` if any are missing."""
    blocks = find_blocks(data, layout, name)
    samples = np.empty((layout.height, layout.width, layout.samples), _type_of(layout))
    width = layout.block[1]
    count = 1 if layout.planar else layout.samples
    read = _read_colour_differences if _is_subsampled(layout) else _read_numbers
    for block, raw in zip(blocks, _decompress(blocks, layout, name), strict=True):
        place = samples[
            block.top : block.top + block.rows, block.left : block.left + width, block.plane : block.plane + count
        ]
        place[...] = read(raw, block.rows, layout)[: place.shape[0], : place.shape[1]]
    return samples


def _type_of(layout: Layout) -> np.dtype[np.generic]:
    """Return the type in which samples are held, in this machine's byte order."""
    size = next(size for size in (1, 2, 4, 8) if layout.bits <= 8 * size)
    return np.dtype(f"{layout.kind}{size}")


def find_blocks(data: bytes, layout: Layout, name: str) -> list[StripOrTile]:
    """Return the blocks of a page, plane by plane, row by row; strips that are one run of bytes as one."""
    tags = layout.directory.tags
    try:
        offsets, counts = (
            tuple(map(int, tags[table[layout.tiled]].values(data))) if table[layout.tiled] in tags else ()
            for table in (_OFFSETS, _COUNTS)
        )
    except (struct.error, ValueError, OverflowError):  # it may be of floats
        _refuse("a page's table of strips or tiles", name)
    file, (height, width), blocks = memoryview(data), layout.block, list[StripOrTile]()
    if _is_one_run(offsets, counts, layout) and offsets[-1] + counts[-1] <= len(data):
        height, counts = layout.height, (sum(counts),)
    most = 8 * _row_bytes(layout) if layout.compression in CCITT else _EXPANSION.get(layout.compression, 1 << 16)
    whole = _size_of(height, layout)
    for plane in range(layout.samples if layout.planar else 1):
        for top in range(0, layout.height, height):
            rows = height if layout.tiled else min(height, layout.height - top)
            size = whole if rows == height else _size_of(rows, layout)
            for left in range(0, layout.width, width):
                if len(blocks) >= len(offsets):
                    raise ImageFileError("the TIFF is damaged: it has fewer strips or tiles than its size", path=name)
                start, size_in_file = _place_of(len(blocks), offsets, counts, len(data), name)
                count = min(size_in_file, size) if layout.compression == 1 else size_in_file
                if start + count > len(data) or size > count * most:
                    _refuse(f"{_kind(layout)} {len(blocks) + 1}", name)
                blocks.append(StripOrTile(plane, top, left, rows, size, file[start : start + count]))
    return blocks


def _is_one_run(offsets: tuple[int, ...], counts: tuple[int, ...], layout: Layout) -> bool:
    """Return whether strips follow one another without compression."""
    if layout.compression != 1 or layout.tiled or layout.planar or _is_subsampled(layout) or not offsets:
        return False
    whole, rows = divmod(layout.height, layout.block[0])
    sizes = (_size_of(layout.block[0], layout),) * whole + ((_size_of(rows, layout),) if rows else ())
    return counts == sizes and offsets == tuple(range(offsets[0], offsets[0] + len(sizes) * sizes[0], sizes[0]))


_EXPANSION = {1: 1, 5: 4096, 8: 1040, 32773: 64, 32946: 1040}
"""How many bytes one byte of a compression can at most become; a file that promises more is not whole. A bit of a fax
can be a row. Of the others it is not known, and less than the number that is used for them."""


def _place_of(index: int, offsets: Sequence[int], counts: Sequence[int], end: int, name: str) -> tuple[int, int]:
    """Return where a block is in the file, and how long: up to the end where the file does not say."""
    start = offsets[index]
    if index >= len(counts) or (start and len(offsets) == 1 and not counts[0]):
        return start, max(0, end - start)
    if not (start and counts[index]):
        raise ImageFileError("TIFF with missing (sparse) strips or tiles is not supported", path=name)
    return start, counts[index]


def _kind(layout: Layout) -> str:
    return "tile" if layout.tiled else "strip"


def _refuse(what: str, name: str) -> NoReturn:
    raise ImageFileError(f"the TIFF is cut off or damaged: {what} is not whole", path=name)


def _is_subsampled(layout: Layout) -> bool:
    """Return whether colour differences have fewer samples than the luminance, and are packed together with it."""
    return layout.photometric == YCBCR and not (layout.planar or layout.in_library) and layout.subsampling != (1, 1)


def _size_of(rows: int, layout: Layout) -> int:
    """Return how many bytes a block of some rows has once it is decompressed."""
    down = layout.subsampling[0] if _is_subsampled(layout) else 1
    return -(-rows // down) * _row_bytes(layout)


def _row_bytes(layout: Layout) -> int:
    """Return how many bytes a row of a block has, or the rows that share colour differences."""
    if _is_subsampled(layout):
        down, across = layout.subsampling
        return -(-layout.block[1] // across) * (down * across + 2)
    return (layout.block[1] * (1 if layout.planar else layout.samples) * layout.bits + 7) // 8


def _decompress(blocks: Sequence[StripOrTile], layout: Layout, name: str) -> Iterator[Raw]:
    """Yield the bytes of each block; `ImageFileError` at one that has fewer than its size."""
    if layout.directory.number(FILL_ORDER, 1) == 2 and layout.compression not in CCITT:
        blocks = [block._replace(data=memoryview(bytes(block.data).translate(_REVERSED))) for block in blocks]
    if layout.compression not in _IN_PYTHON:
        for batch in _batches(blocks):
            yield from _decompress_by_libtiff(batch, layout, name)
        return
    decompress = _IN_PYTHON[layout.compression]
    for number, block in enumerate(blocks, 1):
        raw = decompress(block.data, block.size)
        if len(raw) < block.size:
            _refuse(f"{_kind(layout)} {number}", name)
        yield raw


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse order, for FillOrder 2."""


def _copy(data: memoryview, size: int) -> memoryview:
    return data[:size]


def _inflate(data: memoryview, size: int) -> bytes:
    """Return what Deflate compressed, or as much as there is before damage."""
    try:
        return zlib.decompressobj().decompress(data, size + 1)
    except zlib.error:
        return b""


def _unpack_lzma(data: memoryview, size: int) -> bytes:
    """Return what LZMA compressed, or nothing if it is damaged."""
    import lzma  # noqa: PLC0415  it is rarely needed, and a Python may lack it

    try:
        return lzma.LZMADecompressor(memlimit=1 << 28).decompress(data, size + 1)
    except lzma.LZMAError:
        return b""


def _unpack_webp(data: memoryview, size: int) -> bytes:
    """Return the samples of a WebP, RGB or RGBA, or nothing if it is damaged or has another size."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if pixels is None:
        return b""
    opaque = pixels.shape[2] == 3 and pixels.size // 3 * 4 == size
    code = cv2.COLOR_BGR2RGBA if opaque else cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    samples = cv2.cvtColor(pixels, code)
    return bytes(samples.data) if samples.size == size else b""


_IN_PYTHON: dict[int, Callable[[memoryview, int], Raw]] = {
    1: _copy,
    8: _inflate,
    32946: _inflate,
    34925: _unpack_lzma,
    WEBP: _unpack_webp,
}
"""What decompresses a block, by the number of its compression, given its data and size; short if it is damaged."""

_BATCH = 4 << 20
"""So many bytes are decompressed by libtiff at a time."""


def _batches(blocks: Sequence[StripOrTile]) -> Iterator[list[StripOrTile]]:
    """Yield blocks of one size together."""
    batch: list[StripOrTile] = []
    for block in blocks:
        if batch and (block.rows != batch[0].rows or len(batch) * block.size >= _BATCH):
            yield batch
            batch = []
        batch.append(block)
    yield batch


def _decompress_by_libtiff(batch: Sequence[StripOrTile], layout: Layout, name: str) -> Array:
    """Return the bytes of blocks of one size."""
    size, codec, in_pillow = batch[0].size, layout.compression, layout.compression in _BY_PILLOW
    if codec in CCITT:
        bits, width, rows = 1, layout.block[1], batch[0].rows
    else:
        bits = 8 if in_pillow or size % 2 else 16  # of which OpenCV decodes 16 much faster
        width, rows = _shape_bytes(size // (bits // 8), _row_bytes(layout), bits)
    small = _write_small_file([block.data for block in batch], bits, (rows, width), layout)
    pixels: Array | None
    if in_pillow:
        with open_with_pillow(small, "TIFF", name) as image:
            pixels, _ = capture_stderr(lambda: np.asarray(image))
    else:
        pixels = decode_by_opencv(small, name)
    if pixels is None or pixels.shape != (rows * len(batch), width):
        raise ImageFileError(f"the TIFF is cut off or damaged in its {CODECS[codec].name} data", path=name)
    if bits == 1:
        pixels = np.packbits(pixels, axis=1)
    return pixels.reshape(len(batch), -1).view(np.uint8)


def decode_by_opencv(data: bytes, name: str) -> Array | None:
    """Return what OpenCV decodes; None if its libtiff finds any fault, of which OpenCV tells only some."""
    pixels, lines = call_opencv("TIFF", name, lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    for line in lines:
        tell("%s", line)
    return None if any("TIFF_Error" in line for line in lines) else pixels


_BY_PILLOW = {50000}

_WIDEST = 1 << 20  # that OpenCV reads


def _shape_bytes(count: int, row: int, bits: int) -> tuple[int, int]:
    """Return the width and height of an image of so many numbers, as wide as a row of the page, of `row` bytes.

    It may be narrower: compressions do not see where rows end, and OpenCV has a limit.
    """
    width = row // 2 if bits == 16 and row % 2 == 0 else row
    parts = next((parts for parts in range(-(-width // _WIDEST), 4096) if width % parts == 0), 1)
    return width // parts, count // (width // parts)


def _write_small_file(blocks: Sequence[memoryview], bits: int, shape: tuple[int, int], layout: Layout) -> bytes:
    """Return a TIFF of one grey image that has blocks as its strips, each of `shape` and compressed as in the page."""
    count, (rows, width) = len(blocks), shape
    numbers = {256: width, 257: rows * count, 258: bits, 259: layout.compression, 262: 1, 277: 1, 278: rows}
    if bits == 1:
        options = (FILL_ORDER, 1), (_T4_OPTIONS, 0), (_T6_OPTIONS, 0)
        numbers |= {tag: layout.directory.number(tag, default) for tag, default in options}
    start = 8 + 2 + 12 * (len(numbers) + 2) + 4
    offsets = np.cumsum([start + 8 * count, *(len(block) for block in blocks)])
    order = "<" if sys.byteorder == "little" else ">"  # so that numbers of 16 bits are read as they are
    tables = np.array([offsets[:-1], np.diff(offsets)], f"{order}u4")
    entries = {tag: struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in numbers.items()}
    for tag, table, place in ((273, tables[0], start), (279, tables[1], start + 4 * count)):
        entries[tag] = struct.pack(f"{order}HHII", tag, 4, count, place if count > 1 else int(table[0]))
    head = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries))
    return b"".join([head, *(entries[tag] for tag in sorted(entries)), bytes(4), tables.tobytes(), *blocks])


def _read_numbers(raw: Raw, rows: int, layout: Layout) -> Array:
    """Return the samples of a block, (rows, columns, samples)."""
    columns, count = layout.block[1], 1 if layout.planar else layout.samples
    if layout.bits not in {8, 16, 32, 64}:
        return _unpack_bits(raw, rows, columns * count, layout.bits).reshape(rows, columns, count)
    held = _type_of(layout)
    if layout.predictor == 3:
        return _undo_float_differences(raw, (rows, columns, count), held)
    written = held.newbyteorder("<" if layout.directory.form[0] == "<" else ">")
    numbers = np.frombuffer(raw, written, rows * columns * count).reshape(rows, columns, count)
    if layout.predictor == 2:
        whole = np.dtype(f"u{held.itemsize}")
        steps = numbers.view(whole.newbyteorder(written.byteorder))
        return np.add.accumulate(steps, axis=1, dtype=whole).view(held)
    return numbers


def _unpack_bits(raw: Raw, rows: int, columns: int, bits: int) -> Array:
    """Return numbers of up to 16 bits that are packed in rows of whole bytes, the highest bit first."""
    size = (columns * bits + 7) // 8
    packed = np.frombuffer(raw, np.uint8, rows * size).reshape(rows, size)
    if bits == 1:
        return np.unpackbits(packed, axis=1, count=columns)
    starts = np.arange(columns) * bits
    first, shifts = starts >> 3, 24 - bits - (starts & 7)  # each number is in three bytes
    numbers = np.empty((rows, columns), np.uint8 if bits < 8 else np.uint16)
    for top in range(0, rows, _ROWS_AT_ONCE):
        part = np.pad(packed[top : top + _ROWS_AT_ONCE], ((0, 0), (0, 2))).astype(np.int32)
        threes = part[:, first] << 16 | part[:, first + 1] << 8 | part[:, first + 2]
        numbers[top : top + _ROWS_AT_ONCE] = threes >> shifts & (1 << bits) - 1
    return numbers


_ROWS_AT_ONCE = 64


def _undo_float_differences(raw: Raw, shape: tuple[int, int, int], held: np.dtype[np.generic]) -> Array:
    """Return floats whose bytes were sorted by their weight, and replaced by differences (Adobe's TIFF note 3)."""
    rows, columns, count = shape
    steps = np.frombuffer(raw, np.uint8, rows * columns * count * held.itemsize).reshape(rows, -1, count)
    sums = np.add.accumulate(steps, axis=1, dtype=np.uint8).reshape(rows, held.itemsize, columns * count)
    floats = np.empty((rows, columns * count, held.itemsize), np.uint8)
    for byte in range(held.itemsize):  # the heaviest is first
        floats[:, :, byte] = sums[:, byte]
    return floats.view(held.newbyteorder(">")).reshape(shape)


def _read_colour_differences(raw: Raw, rows: int, layout: Layout) -> Array:
    """Return the YCbCr of a block in which several pixels share colour differences."""
    down, across = layout.subsampling
    tall, wide = -(-rows // down), -(-layout.block[1] // across)
    units = np.frombuffer(raw, np.uint8, tall * wide * (down * across + 2)).reshape(tall, wide, -1)
    samples = np.empty((tall, down, wide, across, 3), np.uint8)
    samples[..., 0] = units[:, :, :-2].reshape(tall, wide, down, across).transpose(0, 2, 1, 3)
    samples[..., 1:] = units[:, None, :, None, -2:]
    return samples.reshape(tall * down, wide * across, 3)[:rows]
