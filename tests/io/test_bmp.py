"""Bitmaps of every head, depth, compression and mask, against the pixels that they were made of."""

import itertools
import random
import struct
from typing import Any, NamedTuple

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels

RGB, RLE8, RLE4, BITFIELDS, ALPHABITFIELDS = 0, 1, 2, 3, 6

HEADS = (12, 16, 40, 52, 56, 64, 108, 124)

KINDS: tuple[tuple[int, int], ...] = ((1, RGB), (2, RGB), (4, RGB), (8, RGB), (16, RGB), (24, RGB), (32, RGB))
KINDS += ((8, RLE8), (4, RLE4), (16, BITFIELDS), (32, BITFIELDS), (32, ALPHABITFIELDS))

MASKS = {
    16: (
        (0xF800, 0x7E0, 0x1F, 0),
        (0x7C00, 0x3E0, 0x1F, 0x8000),
        (0xF00, 0xF0, 0xF, 0xF000),
        (0xC000, 0x3800, 0x7, 0x700),
    ),
    32: (
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFFE00000, 0x1FFC00, 0x3FF, 0),
        (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000),
        (0xFE, 0x100, 0x3FC00, 0),
    ),
}


class Cell(NamedTuple):
    """A kind of bitmap."""

    head: int = 40
    bits: int = 24
    compression: int = RGB
    top_down: bool = False
    grey: bool = False
    short: bool = False  # a palette of three colours
    masks: int = 0
    width: int = 5
    seed: int = 0

    def is_possible(self) -> bool:
        """Return whether there are such files."""
        if self.short and self.head < 40:  # these do not count their colours
            return False
        if self.head in {12, 16, 64}:
            of_os2 = {RGB} if self.head < 40 else {RGB, RLE8, RLE4}
            return not self.top_down and self.bits not in {2, 16, 32} and self.compression in of_os2
        return self.compression != ALPHABITFIELDS or self.head == 40


def maker(cell: Cell) -> tuple[bytes, Array]:
    """Return a file of a kind, and the image in it."""
    rng = np.random.default_rng(cell.seed)
    height, width, bits = 4, cell.width, cell.bits
    masks: tuple[int, ...] = ()
    palette = b""
    entry = 3 if cell.head == 12 else 4
    if bits <= 8:
        count = min(3, 1 << bits) if cell.short else 1 << bits
        colours = rng.integers(0, 256, (count, 3), dtype=np.uint8)
        colours = np.repeat(colours[:, :1], 3, axis=1) if cell.grey else colours
        palette = b"".join(bytes(colour[::-1]) + bytes(entry - 3) for colour in colours)
        values = rng.integers(0, count, (height, width), dtype=np.uint8)
        image = colours[values][..., 0] if cell.grey else colours[values]
    elif bits == 24:
        values = image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        values = rng.integers(0, 1 << bits, (height, width), dtype=np.uint32)
        masks = MASKS[bits][cell.masks % len(MASKS[bits])]
        usual = ((0x7C00, 0x3E0, 0x1F, 0), (0xFF0000, 0xFF00, 0xFF, 0))[bits == 32]
        masks = usual if cell.compression == RGB else masks
        has_alpha = cell.compression == ALPHABITFIELDS or cell.head >= 56
        masks = masks if has_alpha else (*masks[:3], 0)
        image = np.stack([cut(values, mask) for mask in masks if mask], axis=-1)
    rows = [code(row, cell) for row in (values if cell.top_down else values[::-1])]
    return assemble(
        cell, height, masks, palette, b"".join(rows) + (b"\0\1" if cell.compression in {RLE8, RLE4} else b"")
    ), image


def cut(values: Array, mask: int) -> Array:
    """Return what a mask cuts out, spread to 255."""
    shift = len(f"{mask:b}") - len(f"{mask:b}".rstrip("0"))
    return np.round(((values & mask) >> shift) / (mask >> shift) * 255).astype(np.uint8)


def code(row: Array, cell: Cell) -> bytes:
    """Return a row as a file has it."""
    if cell.compression == RLE8:  # runs of one, but for the first three as they are; and one pixel beyond the width
        runs = b"".join(bytes([1, value]) for value in row[3:])
        return bytes([0, 3, *row[:3], 0]) + runs + b"\1\0\0\0"
    if cell.compression == RLE4:
        pairs = [(int(a) << 4 | int(b)) for a, b in zip(row[::2], [*row[1::2], 0], strict=False)]
        return b"".join(bytes([2, pair]) for pair in pairs) + b"\0\0"
    if cell.bits <= 8:
        text = "".join(format(value, f"0{cell.bits}b") for value in row)
        data = int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))
    elif cell.bits == 24:
        data = row[:, ::-1].tobytes()
    else:
        data = row.astype(f"<u{cell.bits // 8}").tobytes()
    return data + bytes(-len(data) % 4)


def assemble(cell: Cell, height: int, masks: tuple[int, ...], palette: bytes, data: bytes) -> bytes:
    """Return a file of its parts."""
    used = len(palette) // 4 if cell.short else 0
    masks = masks or (0, 0, 0, 0)
    if cell.head == 12:
        head = struct.pack("<IHHHH", 12, cell.width, height, 1, cell.bits)
    else:
        sides = struct.pack("<ii", cell.width, -height if cell.top_down else height)
        rest = struct.pack("<HHIIiiII", 1, cell.bits, cell.compression, len(data), 0, 0, used, 0)
        rest += struct.pack("<4I", *masks) if cell.head >= 52 and cell.head != 64 else b""
        head = (struct.pack("<I", cell.head) + sides + rest).ljust(cell.head, b"\0")[: cell.head]
        if cell.head == 40 and cell.compression in {BITFIELDS, ALPHABITFIELDS}:
            head += struct.pack("<4I", *masks)[: 12 if cell.compression == BITFIELDS else 16]
    place = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", place + len(data), 0, 0, place) + head + palette + data


def every_kind() -> list[Cell]:
    """Return cells of each kind with each head, each mask, each palette and order of rows, and by chance."""
    chance = random.Random(1)
    cells = [Cell(head, *kind) for head, kind in itertools.product(HEADS, KINDS)]
    cells += [
        Cell(40, *kind, top_down, grey, short)
        for kind in KINDS
        for top_down, grey, short in itertools.product((False, True), repeat=3)
    ]
    masked = [kind for kind in KINDS if kind[1] in {BITFIELDS, ALPHABITFIELDS}]
    cells += [Cell(head, *kind, masks=number) for head in HEADS for kind in masked for number in range(7)]
    for seed in range(300):
        head, kind = chance.choice(HEADS), chance.choice(KINDS)
        top_down, grey, short = (chance.random() < 0.5 for _ in range(3))
        masks, width = chance.randrange(7), chance.randrange(3, 40)
        cells.append(Cell(head, *kind, top_down, grey, short, masks, width, seed))
    return [cell for cell in cells if cell.is_possible()]


def test_every_head_kind_and_mask_and_random_cells_are_read_right() -> None:
    cells = every_kind()
    assert len(cells) > 400
    for cell in cells:
        data, image = maker(cell)
        header = read_header(data)
        pixels = decode_pixels(data, "x")
        assert header.shape == pixels.shape, cell
        np.testing.assert_array_equal(pixels, image, str(cell))


def bitmap(width: int, height: int, bits: int, compression: int, data: bytes, palette: bytes = b"") -> bytes:
    """Return a file with a head of 40 bytes."""
    cell = Cell(40, bits, compression, width=width)
    return assemble(cell, height, (0xFF0000, 0xFF00, 0xFF, 0), palette, data)


GREYS = b"".join(bytes([level, level, level, 0]) for level in range(256))


def test_what_is_coded_beyond_the_width_belongs_to_no_pixel() -> None:
    rows = b"".join(bytes([1, v, 1, v + 1, 1, v + 2, 1, 0, 0, 0]) for v in (10, 20, 30, 40)) + b"\0\1"
    pixels = decode_pixels(bitmap(3, 4, 8, RLE8, rows, GREYS), "x")
    assert pixels.tolist() == [[40, 41, 42], [30, 31, 32], [20, 21, 22], [10, 11, 12]]


def test_an_old_head_of_os_2_keeps_its_colours() -> None:
    row = bytes([0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255])
    data = b"BM" + struct.pack("<IHHI", 26 + len(row), 0, 0, 26) + struct.pack("<IHHHH", 12, 4, 1, 1, 24) + row
    assert decode_pixels(data, "x").tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]]


def test_masks_are_followed_and_without_one_for_alpha_all_is_opaque() -> None:
    words = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFFFFFF)
    pixels = decode_pixels(bitmap(4, 1, 32, BITFIELDS, words), "x")
    assert pixels.tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (b"\0\2\1\1\2\7\0\1", [[0, 0, 0, 0], [0, 7, 7, 0], [0, 0, 0, 0]]),
        (b"\2\5\0\0\1\6\0\1", [[0, 0, 0, 0], [6, 0, 0, 0], [5, 5, 0, 0]]),
        (b"\4\1\0\0\4\2\0\0\4\3", [[3, 3, 3, 3], [2, 2, 2, 2], [1, 1, 1, 1]]),
        (b"\0\4\1\2\3\4\0\1", [[0, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]]),
    ],
    ids=["move", "early-end", "no-end-mark", "as-they-are"],
)
def test_run_lengths(codes: bytes, expected: Any) -> None:
    assert decode_pixels(bitmap(4, 3, 8, RLE8, codes, GREYS), "x").tolist() == expected


def test_an_index_past_the_palette_is_black() -> None:
    palette = bytes([10, 20, 30, 0, 40, 50, 60, 0])
    data = assemble(Cell(40, 8, short=True, width=3), 1, (), palette, bytes([0, 1, 9, 0]))
    assert decode_pixels(data, "x").tolist() == [[[30, 20, 10], [60, 50, 40], [0, 0, 0]]]


def test_the_fourth_byte_without_masks_is_no_alpha_and_said_where_it_may_be() -> None:
    data = bitmap(2, 1, 32, RGB, bytes([1, 2, 3, 128, 4, 5, 6, 255]))
    picture = decode_picture(data, "x")
    assert picture.pixels.tolist() == [[[3, 2, 1], [6, 5, 4]]]
    assert picture.notes == ("the fourth byte of a pixel, which is not alpha in a BMP without masks, is not used",)
    assert decode_picture(bitmap(2, 1, 32, RGB, bytes(8)), "x").notes == ()


def test_the_last_row_needs_no_padding() -> None:
    assert decode_pixels(bitmap(1, 1, 24, RGB, b"\1\2\3"), "x").tolist() == [[[3, 2, 1]]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bitmap(2, 2, 24, RGB, bytes(13)), "the BMP is cut off"),
        (bitmap(2, 2, 8, RLE8, b"\2\1\0\0\1", GREYS), r"the BMP is cut off \(in row 2 of 2, as the file has them\)"),
        (bitmap(4, 2, 8, RLE8, b"\0\4\1\2", GREYS), r"the BMP is cut off \(in row 1 of 2, as the file has them\)"),
        (bitmap(2, 2, 24, RGB, bytes(16))[:20], r"the BMP is cut off \(in its head\)"),
        (bitmap(2, 2, 24, 4, bytes(16)), "BMP with a JPEG inside is not supported; .*"),
        (bitmap(2, 2, 24, 5, bytes(16)), "BMP with a PNG inside is not supported; .*"),
        (bitmap(2, 2, 64, RGB, bytes(32)), "BMP of 64 bits is not supported; .*"),
        (bitmap(2, 2, 3, RGB, bytes(32)), "the BMP is damaged: there are no 3 bits a pixel"),
        (bitmap(2, 2, 24, 99, bytes(32)), "the BMP is damaged: there is no compression 99"),
        (bitmap(-2, 2, 24, RGB, bytes(32)), "the BMP is damaged: its size is 2x-2"),
        (
            assemble(Cell(64, 1, BITFIELDS), 1, (), bytes(8), bytes(4)),
            "BMP with Huffman compression is not supported; .*",
        ),
        (assemble(Cell(64, 24, 4), 1, (), b"", bytes(16)), "BMP with RLE24 compression is not supported; .*"),
        (assemble(Cell(40, 32, BITFIELDS), 4, (0, 0, 0, 0), b"", bytes(80)), "the BMP is damaged: its masks are empty"),
        (b"BA" + bytes(12) + bitmap(2, 2, 24, RGB, bytes(16)), "OS/2 bitmap array is not supported; .*"),
        (bitmap(2, 2, 24, RGB, bytes(16))[14:], "DIB .* is not supported; .*"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_not_read_is_refused_by_its_name(data: bytes, reason: str) -> None:
    with pytest.raises(ImageFileError, match=f"^x: {reason}$"):
        decode_pixels(data, "x")
