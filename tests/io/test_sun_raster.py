"""Sun raster files of every type and depth, against the pixels that they were made of."""

import itertools
import random
import struct

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels

OLD, STANDARD, ENCODED, RGB = range(4)


def assemble(
    width: int, height: int, bits: int, kind: int, rows: bytes, colours: bytes = b"", map_kind: int = 1
) -> bytes:
    """Return a file of its parts."""
    head = (0x59A66A95, width, height, bits, len(rows), kind, map_kind if colours else 0, len(colours))
    return struct.pack(">8I", *head) + colours + rows


def encode(rows: bytes) -> bytes:
    """Return rows as run lengths."""
    groups = [(byte, len(list(run))) for byte, run in itertools.groupby(rows)]
    return b"".join(
        b"".join(
            bytes([128, part - 1, byte])
            if part > 2 or (byte == 128 and part > 1)
            else b"\x80\0"
            if byte == 128
            else bytes([byte]) * part
            for part in [200] * (count // 200) + [count % 200]
            if part
        )
        for byte, count in groups
    )


def maker(bits: int, kind: int, colour_map: str, width: int, seed: int) -> tuple[bytes, Array]:
    """Return a file, and the image in it."""
    rng = np.random.default_rng(seed)
    height, colours = 4, b""
    if bits >= 24:
        image = rng.choice([0, 128, 200], (height, width, 3)).astype(np.uint8)
        stored = image if kind == RGB else image[:, :, ::-1]
        values = stored if bits == 24 else np.concatenate([np.zeros((height, width, 1), np.uint8), stored], axis=2)
        rows = [row.tobytes() for row in values]
    else:
        indices = rng.integers(0, 1 << bits, (height, width))
        image = (255 - 255 * indices if bits == 1 else indices * 255 // ((1 << bits) - 1)).astype(np.uint8)
        if colour_map:
            table = rng.integers(0, 256, (1 << bits, 3), dtype=np.uint8)
            table = table[:, [0, 0, 0]] if colour_map == "grey" else table
            colours, image = table.T.tobytes(), table[indices]
            image = image[:, :, 0] if colour_map == "grey" else image
        texts = ["".join(format(index, f"0{bits}b") for index in row) for row in indices]
        rows = [int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8)) for text in texts]
    data = b"".join(row + bytes(len(row) % 2) for row in rows)
    return assemble(width, height, bits, kind, encode(data) if kind == ENCODED else data, colours), image


def test_every_type_depth_and_map_and_random_cells_are_read_right() -> None:
    chance = random.Random(2)
    cells = list(itertools.product((1, 4, 8, 24, 32), (OLD, STANDARD, ENCODED, RGB), ("", "grey", "colours")))
    for seed, (bits, kind, colour_map) in enumerate([*cells, *chance.choices(cells, k=150)]):
        data, image = maker(bits, kind, colour_map, chance.randrange(1, 300), seed)
        pixels = decode_pixels(data, "x")
        np.testing.assert_array_equal(pixels, image, f"{bits} {kind} {colour_map}")
        assert read_header(data).shape == pixels.shape


def test_a_byte_that_is_not_used_may_be_the_last() -> None:
    rows = bytes([1, 2, 3, 0, 4, 5, 6, 0])
    assert decode_pixels(assemble(2, 1, 32, STANDARD, rows), "x").tolist() == [[[3, 2, 1], [6, 5, 4]]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (assemble(3, 3, 24, STANDARD, bytes(28)), "the Sun raster is cut off"),
        (assemble(3, 3, 8, ENCODED, b"\x80\5\1\x80"), "the Sun raster is cut off"),
        (assemble(3, 3, 24, STANDARD, bytes(30))[:30], r"the Sun raster is cut off \(in its head\)"),
        (assemble(3, 3, 16, STANDARD, bytes(30)), "Sun raster of 16 bits is not supported; .*"),
        (assemble(3, 3, 24, 4, bytes(30)), "Sun raster with a TIFF inside is not supported; .*"),
        (assemble(3, 3, 24, 0xFFFF, bytes(30)), "Sun raster of an experimental type is not supported; .*"),
        (
            assemble(3, 3, 8, STANDARD, bytes(30), bytes(6), 2),
            "Sun raster with a raw map of colours is not supported; .*",
        ),
        (assemble(0, 3, 8, STANDARD, bytes(30)), "the Sun raster is damaged: its head holds impossible numbers"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(data: bytes, reason: str) -> None:
    with pytest.raises(ImageFileError, match=f"^x: {reason}$"):
        decode_pixels(data, "x")
