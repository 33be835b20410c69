"""EXIF orientation: read from any block, applied as the standard draws it."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cnnfilter.io.metadata import apply_orientation, read_orientation

ORDERS = {"<": b"II", ">": b"MM"}


def exif_block(order: str, orientation: int, *, before: int = 0) -> bytes:
    """Return a TIFF header with one directory: `before` other tags, then the orientation."""
    head = ORDERS[order] + struct.pack(f"{order}HI", 42, 8)
    others = b"".join(struct.pack(f"{order}HHII", 0x0100 + tag, 4, 1, 640) for tag in range(before))
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(f"{order}H", before + 1) + others + entry + struct.pack(f"{order}I", 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"], ids=["bare", "with-prefix"])
@pytest.mark.parametrize("order", ORDERS, ids=["little-endian", "big-endian"])
def test_an_orientation_is_read_in_both_byte_orders(order: str, prefix: bytes, orientation: int) -> None:
    assert read_orientation(prefix + exif_block(order, orientation)) == orientation


@pytest.mark.parametrize("order", ORDERS, ids=["little-endian", "big-endian"])
def test_an_orientation_is_found_behind_other_tags(order: str) -> None:
    assert read_orientation(exif_block(order, 6, before=5)) == 6


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    assert read_orientation(exif_block("<", orientation)) == 1


@pytest.mark.parametrize("block", [b"", b"II", b"Exif\0\0", b"XX*\0" + bytes(40), b"II*\0\xff\xff\xff\xff"])
def test_a_block_that_names_no_orientation_is_upright(block: bytes) -> None:
    assert read_orientation(block) == 1


def test_a_block_that_pillow_writes_is_read() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras"
    exif[0x0112] = 8
    exif[0x8298] = "whose picture it is"
    assert read_orientation(exif.tobytes()) == 8


def test_a_block_that_ends_before_its_orientation_is_upright() -> None:
    block = exif_block(">", 6, before=2)
    end = block.index(struct.pack(">HHIH", 0x0112, 3, 1, 6)) + 10
    assert read_orientation(block[: end + 2]) == 6
    assert {read_orientation(block[:length]) for length in range(end)} == {1}


@given(block=st.binary(max_size=60), mark=st.sampled_from([b"II*\0", b"MM\0*", b""]))
def test_any_bytes_name_one_of_the_eight_orientations(block: bytes, mark: bytes) -> None:
    assert 1 <= read_orientation(mark + block) <= 8


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, [[1, 2, 3], [4, 5, 6]]),
        (2, [[3, 2, 1], [6, 5, 4]]),
        (3, [[6, 5, 4], [3, 2, 1]]),
        (4, [[4, 5, 6], [1, 2, 3]]),
        (5, [[1, 4], [2, 5], [3, 6]]),
        (6, [[4, 1], [5, 2], [6, 3]]),
        (7, [[6, 3], [5, 2], [4, 1]]),
        (8, [[3, 6], [2, 5], [1, 4]]),
    ],
)
def test_pixels_are_turned_as_the_standard_draws_them(orientation: int, upright: list[list[int]]) -> None:
    turned = apply_orientation(np.array([[1, 2, 3], [4, 5, 6]]), orientation)
    np.testing.assert_array_equal(turned, upright)
    assert turned.flags.c_contiguous


@given(
    orientation=st.integers(1, 8),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    channels=st.sampled_from([1, 3, 4]),
)
def test_every_size_is_turned_as_pillow_turns_it(orientation: int, height: int, width: int, channels: int) -> None:
    shape = (height, width) if channels == 1 else (height, width, channels)
    pixels = np.arange(height * width * channels, dtype=np.uint8).reshape(shape)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(apply_orientation(pixels, orientation), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize(("there", "back"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)])
def test_turning_there_and_back_changes_nothing(there: int, back: int) -> None:
    pixels = np.arange(24).reshape(2, 4, 3)
    np.testing.assert_array_equal(apply_orientation(apply_orientation(pixels, there), back), pixels)
