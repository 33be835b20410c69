"""JPEG: colour models, chroma, scans, gaps between segments, and kinds that are refused by name."""

import io
import itertools
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels, saved

HEIGHT, WIDTH = 35, 43
NOISE = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8)


def save(mode: str, **options: Any) -> bytes:
    image = Image.frombytes("CMYK", (WIDTH, HEIGHT), NOISE.tobytes()) if mode == "CMYK" else Image.fromarray(NOISE)
    return saved(image.convert(mode), "JPEG", **options)


def with_pillow(data: bytes) -> Array:
    image = Image.open(io.BytesIO(data))
    return np.asarray(image.convert("RGB") if image.mode == "CMYK" else image)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_model_chroma_and_order_of_scans_is_read_as_pillow_reads_it(mode: str) -> None:
    chroma = ("4:4:4", "4:2:2", "4:2:0", "4:1:1") if mode == "RGB" else ("4:4:4",)
    for subsampling, progressive, restart in itertools.product(chroma, (False, True), (0, 2)):
        options = {"subsampling": subsampling, "progressive": progressive, "restart_marker_blocks": restart}
        data = save(mode, quality=90, **options)
        expected = with_pillow(data)
        read = decode_pixels(data, "x")
        assert read.shape == expected.shape == read_header(data).shape
        assert np.abs(read.astype(int) - expected).max() <= (2 if mode == "CMYK" else 0), options


def test_rgb_that_is_not_converted_is_read() -> None:
    data = save("RGB", keep_rgb=True, quality=95)
    np.testing.assert_array_equal(decode_pixels(data, "x"), with_pillow(data))


def patched(marker: int | None = None, **fields: int) -> bytes:
    """Return a JPEG whose frame has another marker, or other numbers."""
    data = bytearray(save("RGB"))
    place = data.index(b"\xff\xc0")
    data[place + 1] = marker or 0xC0
    for name, value in fields.items():
        offset, size = {"bits": (4, 1), "height": (5, 2), "components": (9, 1)}[name]
        data[place + offset : place + offset + size] = value.to_bytes(size)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (patched(0xC3), "lossless JPEG"),
        (patched(0xCB), "lossless JPEG"),
        (patched(0xC5), "hierarchical JPEG"),
        (patched(0xC1, bits=12), "JPEG of 12 bits"),
        (patched(components=2), "JPEG of 2 components"),
        (patched(height=0), "JPEG whose height follows its pixels"),
        (b"\xff\xd8" + struct.pack(">HHBHHB", 0xFFF7, 11, 8, 2, 2, 1) + bytes(3), "JPEG-LS"),
    ],
)
def test_kinds_that_are_not_read_are_named(data: bytes, what: str) -> None:
    with pytest.raises(ImageFileError, match=f"{what}.* is not supported"):
        decode_pixels(data, "x")
    with pytest.raises(ImageFileError, match=f"{what}.* is not supported"):
        decode_pixels(data, "x", allow_truncated=True)


@pytest.mark.parametrize("gap", [b"\0", b"abcdef", b"\xff\0", b"ab\xff\0\xff\xff", bytes(300)], ids=repr)
@pytest.mark.parametrize("marker", [0xDB, 0xC0, 0xC4, 0xDA])
def test_bytes_between_segments_are_no_damage(gap: bytes, marker: int) -> None:
    data = save("RGB")
    place = data.index(bytes([0xFF, marker]))
    np.testing.assert_array_equal(decode_pixels(data[:place] + gap + data[place:], "x"), with_pillow(data))


def test_bytes_within_a_scan_are_damage() -> None:
    data = bytearray(save("RGB"))
    place = data.index(b"\xff\xda") + 40
    data[place : place + 200] = bytes(200)
    with pytest.raises(ImageFileError, match="damaged"):
        decode_pixels(bytes(data), "x")


def test_what_follows_the_end_is_of_no_account() -> None:
    data = save("RGB")
    np.testing.assert_array_equal(decode_pixels(data + b"more" * 99, "x"), with_pillow(data))


def test_of_several_images_the_first_is_read() -> None:
    first = Image.fromarray(NOISE[:, :, :3].copy())
    data = saved(first, "MPO", save_all=True, append_images=[first.rotate(180)], quality=90)
    np.testing.assert_array_equal(decode_pixels(data, "x"), with_pillow(data))
