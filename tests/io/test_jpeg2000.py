"""JPEG 2000: depths, components, boxes and offsets, against the values that went in."""

import itertools
import random
import struct
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels, saved

HEIGHT, WIDTH = 37, 41


def with_pillow(pixels: Array, **options: Any) -> bytes:
    """Return the codestream of 8 bits."""
    return saved(Image.fromarray(pixels), "JPEG2000", no_jp2=True, **options)


def codestream(values: Array, bits: int, *, signed: bool = False, **options: Any) -> bytes:
    """Return a lossless codestream, whose depth is patched: around half of the range nothing else depends on it."""
    half = 1 << bits - 1
    if bits <= 8:
        code = bytearray(with_pillow((values.astype(int) + 128 - half).astype(np.uint8), **options))
    else:
        written = (values.astype(int) + 32768 - min(half, 32768)).astype(np.uint16)
        colours = written if written.ndim == 2 else written[:, :, [2, 1, 0, 3][: written.shape[2]]]
        data = cv2.imencode(".jp2", colours, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1].tobytes()
        code = bytearray(data[data.index(b"jp2c") + 4 :])
    (count,) = struct.unpack_from(">H", code, 40)
    for place in range(42, 42 + 3 * count, 3):
        code[place] = bits - 1 | (0x80 if signed else 0)
    return bytes(code)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def wrap(code: bytes, *boxes: bytes, between: bytes = b"") -> bytes:
    """Return a .jp2; `boxes` are those in its head beside the size."""
    width, height, (count,) = *struct.unpack_from(">II", code, 8), struct.unpack_from(">H", code, 40)
    size = box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, 255, 7, 0, 0))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + between + box(b"jp2h", size + b"".join(boxes)) + box(b"jp2c", code)


def space(number: int) -> bytes:
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, number))


def definitions(*rows: tuple[int, int, int]) -> bytes:
    return box(b"cdef", struct.pack(">H", len(rows)) + b"".join(struct.pack(">3H", *row) for row in rows))


def noise(shape: tuple[int, ...], bits: int) -> Array:
    values = np.random.default_rng(bits).integers(0, 1 << bits, shape)
    values.flat[:2] = 0, (1 << bits) - 1
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def spread(values: Array, bits: int) -> Array:
    """Return values of 0 to 2^bits - 1 as 0 to 255, or 65535."""
    white = 255 if bits <= 8 else 65535
    spread_values: Array = np.rint(values * (white / ((1 << bits) - 1))).astype(np.uint8 if bits <= 8 else np.uint16)
    return spread_values


def as_read(values: Array) -> Array:
    return values[:, :, [0, 0, 0, 1]] if values.shape[2:] == (2,) else values


CHANNELS = {1: (HEIGHT, WIDTH), 2: (HEIGHT, WIDTH, 2), 3: (HEIGHT, WIDTH, 3), 4: (HEIGHT, WIDTH, 4)}
SPACES = {1: 17, 2: 17, 3: 16, 4: 16}


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_depth_is_spread_to_the_whole_range(bits: int) -> None:
    for count, signed, boxed in itertools.product(CHANNELS, (False, True), (False, True)):
        if count == 2 and bits > 8:  # which neither library writes
            continue
        values = noise(CHANNELS[count], bits)
        code = codestream(values, bits, signed=signed)
        data = wrap(code, space(SPACES[count])) if boxed else code
        read = decode_pixels(data, "x")
        np.testing.assert_array_equal(read, as_read(spread(values, bits)), err_msg=f"{count} {signed} {boxed}")
        assert read_header(data).shape == read.shape


def test_twelve_bits_end_in_white() -> None:
    values = np.full((40, 40, 3), 4095, np.uint16)
    assert (decode_pixels(wrap(codestream(values, 12), space(16)), "x") == 65535).all()


@pytest.mark.parametrize("count", CHANNELS)
def test_an_offset_of_the_image_and_tiles_move_nothing(count: int) -> None:
    values = noise(CHANNELS[count], 8)
    for offset, tile, start in (((5, 7), (60, 60), (0, 0)), ((5, 7), (8, 8), (0, 0)), ((9, 3), (16, 16), (3, 2))):
        code = with_pillow(values, offset=offset, tile_size=tile, tile_offset=start)
        assert struct.unpack_from(">II", code, 16) == offset
        for data in (code, wrap(code, space(SPACES[count]))):
            np.testing.assert_array_equal(decode_pixels(data, "x"), as_read(values))
            assert read_header(data).shape == as_read(values).shape


def test_tiles_without_an_offset_are_put_together() -> None:
    values = noise(CHANNELS[3], 8)
    np.testing.assert_array_equal(decode_pixels(with_pillow(values, tile_size=(8, 8)), "x"), values)


def test_a_grey_of_sixteen_bits_may_have_an_offset() -> None:
    values = noise(CHANNELS[1], 16)
    code = with_pillow(values, offset=(5, 7), tile_size=(60, 60))
    np.testing.assert_array_equal(decode_pixels(code, "x"), values)


def test_boxes_may_be_anywhere_before_the_codestream() -> None:
    values = noise(CHANNELS[3], 8)
    data = wrap(with_pillow(values), box(b"res ", bytes(30)), space(16), between=box(b"uuid", bytes(2000)))
    assert read_header(data).shape == values.shape
    np.testing.assert_array_equal(decode_pixels(data, "x"), values)


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "all-columns-one"])
def test_a_palette_gives_colours(mapped: bool) -> None:
    indices = noise(CHANNELS[1], 8) % 4
    colours = np.array([[255, 0, 0], [0, 255, 0], [1, 2, 3], [9, 200, 77]], np.uint8)
    palette = box(b"pclr", struct.pack(">HB3B", 4, 3, 7, 7, 7) + colours.tobytes())
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, n if mapped else 0) for n in range(3)))
    data = wrap(with_pillow(indices), space(16), palette, mapping)
    np.testing.assert_array_equal(decode_pixels(data, "x"), colours[indices])
    assert read_header(data).shape == (HEIGHT, WIDTH, 3)


def test_a_palette_may_have_columns_of_other_depths_and_alpha() -> None:
    indices = noise(CHANNELS[1], 1)
    rows = struct.pack(">HHHB", 4095, 0, 2048, 1) + struct.pack(">HHHB", 1, 2, 3, 0)
    palette = box(b"pclr", struct.pack(">HB4B", 2, 4, 11, 11, 11, 0) + rows)
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, number) for number in range(4)))
    kinds = definitions((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 1, 0))
    colours = np.array([[65535, 0, 32776, 65535], [16, 32, 48, 0]], np.uint16)
    read = decode_pixels(wrap(codestream(indices, 1), space(16), palette, mapping, kinds), "x")
    np.testing.assert_array_equal(read, colours[indices])


def test_a_palette_that_is_too_short_is_damage() -> None:
    palette = box(b"pclr", struct.pack(">HB3B", 1, 3, 7, 7, 7) + bytes(3))
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, number) for number in range(3)))
    with pytest.raises(ImageFileError, match="its palette is too short"):
        decode_pixels(wrap(with_pillow(noise(CHANNELS[1], 8)), space(16), palette, mapping), "x")


def test_definitions_say_which_channel_is_which() -> None:
    values = noise(CHANNELS[4], 8)
    data = wrap(with_pillow(values), space(16), definitions((0, 1, 0), (1, 0, 3), (2, 0, 2), (3, 0, 1)))
    np.testing.assert_array_equal(decode_pixels(data, "x"), values[:, :, [3, 2, 1, 0]])


def test_grey_that_belongs_to_the_whole_image_is_the_colour() -> None:
    values = noise(CHANNELS[2], 8)
    data = wrap(with_pillow(values), space(17), definitions((0, 0, 0), (1, 1, 0)))
    np.testing.assert_array_equal(decode_pixels(data, "x"), as_read(values))


def test_colours_multiplied_by_alpha_are_divided_by_it() -> None:
    values = np.array([[[50, 0, 100, 128], [9, 9, 9, 0], [70, 60, 50, 255]]], np.uint8)
    kinds = definitions((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 2, 0))
    read = decode_pixels(wrap(with_pillow(values), space(16), kinds), "x")
    assert read.tolist() == [[[100, 0, 199, 128], [0, 0, 0, 0], [70, 60, 50, 255]]]


def test_channels_without_a_meaning_are_bands() -> None:
    values = noise(CHANNELS[4], 8)
    kinds = definitions((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 65535, 65535))
    picture = decode_picture(wrap(with_pillow(values), space(16), kinds), "x")
    np.testing.assert_array_equal(picture.pixels, values)
    assert not picture.has_alpha
    picture = decode_picture(wrap(with_pillow(values[:, :, :3].copy()), space(17)), "x")
    np.testing.assert_array_equal(picture.pixels, values[:, :, :3])


def test_bilevel_zero_is_white() -> None:
    values = noise(CHANNELS[1], 1)
    for number, expected in ((0, 255 - 255 * values), (15, 255 * values)):
        np.testing.assert_array_equal(decode_pixels(wrap(codestream(values, 1), space(number)), "x"), expected)


def test_inks_become_colours() -> None:
    inks = noise(CHANNELS[4], 8)
    expected = (255 - inks[:, :, :3].astype(int)) * (255 - inks[:, :, 3:].astype(int)) // 255
    np.testing.assert_array_equal(decode_pixels(wrap(with_pillow(inks), space(12)), "x"), expected)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sycc_becomes_rgb(bits: int) -> None:
    values = noise(CHANNELS[3], bits)
    white, half = (1 << bits) - 1, 1 << bits - 1
    luma, blue, red = np.moveaxis(values.astype(float) - [0, half, half], 2, 0)
    rgb = np.dstack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue])
    expected = rgb.clip(0, white) * ((255 if bits == 8 else 65535) / white)
    read = decode_pixels(wrap(codestream(values, bits), space(18)), "x")
    assert np.abs(read - expected).max() <= (0.51 if bits != 12 else 3)
    values[:, :, 1:] = half  # neutral stays neutral
    read = decode_pixels(wrap(codestream(values, bits), space(18)), "x")
    np.testing.assert_array_equal(read, spread(values, bits)[:, :, [0, 0, 0]])


def test_a_profile_of_grey_or_rgb_is_no_hindrance() -> None:
    for count, name in ((1, b"GRAY"), (3, b"RGB "), (4, b"RGB ")):
        values = noise(CHANNELS[count], 8)
        profile = box(b"colr", b"\2\0\0" + bytes(16) + name + bytes(108))
        np.testing.assert_array_equal(decode_pixels(wrap(with_pillow(values), profile), "x"), values)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: wrap(with_pillow(noise(CHANNELS[3], 8)), space(14)), "the colour space CIELab"),
        (lambda: wrap(with_pillow(noise(CHANNELS[3], 8)), space(99)), "the colour space number 99"),
        (lambda: wrap(with_pillow(noise(CHANNELS[1], 8)), space(16)), "1 channels in the colour space RGB"),
        (lambda: codestream(noise(CHANNELS[1], 16), 20), "20 bits"),
    ],
)
def test_what_is_not_supported_is_named(data: Any, reason: str) -> None:
    with pytest.raises(ImageFileError, match=f"JPEG 2000 with {reason} is not supported"):
        decode_pixels(data(), "x")


def test_of_two_codestreams_the_first_is_read_with_a_note() -> None:
    values = noise(CHANNELS[3], 8)
    picture = decode_picture(wrap(with_pillow(values), space(16)) + box(b"jp2c", with_pillow(values)), "x")
    assert picture.notes == ("2 codestreams, of which the first is read",)


def test_what_is_cut_off_is_refused() -> None:
    for data in (with_pillow(noise(CHANNELS[3], 8)), wrap(with_pillow(noise(CHANNELS[3], 8)), space(16))):
        for length in {*range(len(data) - 40, len(data)), *random.Random(0).sample(range(1, len(data)), 20)}:
            with pytest.raises(ImageFileError, match=r"cut off|damaged"):
                decode_pixels(data[:length], "x")


def test_a_codestream_without_all_its_tiles_is_refused() -> None:
    code = with_pillow(noise(CHANNELS[3], 8), tile_size=(16, 16))
    start = code.index(b"\xff\x90")
    (length,) = struct.unpack_from(">I", code, start + 6)
    wide = bytearray(with_pillow(noise(CHANNELS[3], 8)))
    struct.pack_into(">II", wide, 8, 1000, 1000)  # the tile stays as it was
    for data in (code[:start] + code[start + length :], bytes(wide)):
        with pytest.raises(ImageFileError, match="cut off or damaged"):
            decode_pixels(data, "x")
