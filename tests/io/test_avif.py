"""AVIF: grey with alpha, crops, turns and odd boxes, against what Pillow decodes of the plain file."""

import io
import struct
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels, saved

HEIGHT, WIDTH = 24, 33


def save(mode: str, **options: Any) -> bytes:
    pixels = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    return saved(Image.fromarray(pixels).convert(mode), "AVIF", **options)


def with_pillow(data: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(data)))


def with_property(data: bytes, name: bytes, content: bytes) -> bytes:
    """Return a file of one item to which a property was added."""
    changed = bytearray(data)
    box = struct.pack(">I4s", 8 + len(content), name) + content
    for outer in (b"meta", b"iprp", b"ipco"):
        place = changed.index(outer) - 4
        length = int.from_bytes(changed[place : place + 4]) + len(box) + (outer != b"ipco")
        changed[place : place + 4] = length.to_bytes(4)
    offset = changed.index(b"iloc") + 12 + 6
    first = int.from_bytes(changed[offset : offset + 4]) + len(box) + 1
    changed[offset : offset + 4] = first.to_bytes(4)
    end = changed.index(b"ipma") - 4  # ipma follows ipco at once
    count = changed[end + 18]
    changed[end : end + 4] = (int.from_bytes(changed[end : end + 4]) + 1).to_bytes(4)
    changed[end + 18] = count + 1
    properties = sum(changed.count(kind) for kind in (b"ispe", b"pixi", b"av1C", b"colrnclx", b"irot", b"imir"))
    changed.insert(end + 19 + count, properties + 1 | 0x80)
    changed[end:end] = box
    return bytes(changed)


def clap(height: Fraction, width: Fraction, top: Fraction, left: Fraction) -> bytes:
    right, down = left - (WIDTH - width) / 2, top - (HEIGHT - height) / 2
    numbers = [part for number in (width, height, right, down) for part in number.as_integer_ratio()]
    return struct.pack(">IIIIiIiI", *numbers)


def test_grey_and_alpha_are_read() -> None:
    data = save("RGBA", subsampling="4:0:0")
    assert read_header(data).shape == (HEIGHT, WIDTH, 4)
    np.testing.assert_array_equal(decode_pixels(data, "x"), with_pillow(data))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"range": "limited"}, {"subsampling": "4:4:4"}, {"quality": 100}], ids=str)
def test_every_mode_is_read_as_pillow_reads_it(mode: str, options: dict[str, Any]) -> None:
    data = save(mode, **options)
    expected = with_pillow(data)
    read = decode_pixels(data, "x")
    assert read.shape == expected.shape == read_header(data).shape
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(("height", "width", "top", "left"), [(10, 20, 3, 5), (24, 33, 0, 0), (1, 1, 23, 32)])
def test_the_clean_aperture_is_cut_out(height: int, width: int, top: int, left: int) -> None:
    data = save("RGB")
    box = clap(Fraction(height), Fraction(width), Fraction(top), Fraction(left))
    cropped = with_property(data, b"clap", box)
    assert read_header(cropped).shape == (height, width, 3)
    expected = with_pillow(data)[top : top + height, left : left + width]
    np.testing.assert_array_equal(decode_pixels(cropped, "x"), expected)


def test_the_clean_aperture_is_cut_out_before_the_image_is_turned() -> None:
    data = save("RGB")
    box = clap(Fraction(10), Fraction(20), Fraction(3), Fraction(5))
    turned = with_property(with_property(data, b"irot", b"\1"), b"clap", box)
    assert read_header(turned).shape == (20, 10, 3)
    np.testing.assert_array_equal(decode_pixels(turned, "x"), np.rot90(with_pillow(data)[3:13, 5:25]))


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (clap(Fraction(10), Fraction(20), Fraction(3), Fraction(1, 2)), "between pixels"),
        (clap(Fraction(10), Fraction(40), Fraction(3), Fraction(0)), "beyond the image"),
        (bytes(32), "a damaged clean aperture"),
    ],
)
def test_other_apertures_are_refused_by_name(box: bytes, reason: str) -> None:
    with pytest.raises(ImageFileError, match=f"AVIF with .*{reason}.* is not supported"):
        decode_pixels(with_property(save("RGB"), b"clap", box), "x")


def test_a_matrix_that_is_not_converted_is_named() -> None:
    data = bytearray(save("RGB"))
    place = data.index(b"colrnclx") + 12
    data[place : place + 2] = (14).to_bytes(2)
    with pytest.raises(ImageFileError, match="the colour matrix ICtCp is not supported"):
        decode_pixels(bytes(data), "x")


def test_properties_in_two_boxes_are_read() -> None:
    data = bytearray(save("RGBA"))
    place = data.index(b"ipma") - 4
    entries, end = place + 16, place + int.from_bytes(data[place : place + 4])
    split = entries + 3 + data[entries + 2]  # behind the first item, the colours
    tables = b"".join(
        struct.pack(">I4sII", 16 + len(part), b"ipma", 0, 1) + part for part in (data[entries:split], data[split:end])
    )
    data[place:end] = tables
    for outer in (b"meta", b"iprp"):
        start = data.index(outer) - 4
        data[start : start + 4] = (int.from_bytes(data[start : start + 4]) + 16).to_bytes(4)
    for item in range(2):
        offset = data.index(b"iloc") + 12 + 14 * item + 6
        data[offset : offset + 4] = (int.from_bytes(data[offset : offset + 4]) + 16).to_bytes(4)
    assert read_header(bytes(data)).shape == (HEIGHT, WIDTH, 4)
    np.testing.assert_array_equal(decode_pixels(bytes(data), "x"), with_pillow(save("RGBA")))


def test_what_libavif_refuses_is_not_called_cut_off() -> None:
    data = save("RGB")
    with pytest.raises(ImageFileError, match="the AVIF is damaged, or its boxes break a rule"):
        decode_pixels(data.replace(b"pict", b"none"), "x")
    with pytest.raises(ImageFileError, match="the AVIF is cut off"):
        decode_pixels(data[:-9], "x")


def test_boxes_before_the_image_move_nothing() -> None:
    data = save("RGB")
    end = int.from_bytes(data[:4])
    moved = bytearray(data[:end] + struct.pack(">I4s", 70_000, b"free") + bytes(69_992) + data[end:])
    offset = moved.index(b"iloc") + 12 + 6
    moved[offset : offset + 4] = (int.from_bytes(moved[offset : offset + 4]) + 70_000).to_bytes(4)
    assert read_header(bytes(moved)).shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(decode_pixels(bytes(moved), "x"), with_pillow(data))


@pytest.mark.parametrize("range_", ["full", "limited"])
def test_the_range_of_grey_may_be_told_by_the_codec_alone(range_: str) -> None:
    data = save("L", range=range_)
    untold = data.replace(b"colrnclx", b"freenclx")
    np.testing.assert_array_equal(decode_pixels(untold, "x"), with_pillow(untold))
