"""PNG: every colour type and depth, damaged chunks that hold no pixels, animations as they are shown."""

import itertools
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels, exif_of
from tests.io.pngs import chunk, make_png, pack

HEIGHT, WIDTH = 7, 11
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)


def make(kind: int, bits: int, *, transparent: bool, interlaced: bool) -> tuple[bytes, Array]:
    """Return a file, and the pixels that are in it."""
    shape = (HEIGHT, WIDTH) if SAMPLES[kind] == 1 else (HEIGHT, WIDTH, SAMPLES[kind])
    values: Array = np.random.default_rng(bits).integers(0, 1 << bits, shape)
    chunks = []
    dtype, white = (np.uint16, 65535) if bits == 16 else (np.uint8, 255)
    pixels: Array = values * (white // ((1 << bits) - 1))
    if kind == 3:
        pixels = PALETTE[values]
        chunks.append(chunk(b"PLTE", PALETTE[: 1 << bits].tobytes()))
    if kind == 4:
        pixels = pixels[:, :, [0, 0, 0, 1]]
    if transparent:
        alpha = np.full((HEIGHT, WIDTH), white)
        if kind == 3:
            alpha = np.where(values == 1, 77, 255)
            chunks.append(chunk(b"tRNS", b"\xff\x4d"))
        else:
            key = values[2, 3].reshape(-1)
            alpha[(values.reshape(HEIGHT, WIDTH, -1) == key).all(-1)] = 0
            chunks.append(chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)))
        pixels = np.dstack([pixels] * (3 if pixels.ndim == 2 else 1) + [alpha])
    return make_png(values, kind, bits, *chunks, interlaced=interlaced), pixels.astype(dtype)


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_depth_with_and_without_transparency_and_interlacing(kind: int) -> None:
    for bits, transparent, interlaced in itertools.product(DEPTHS[kind], (False, True), (False, True)):
        if transparent and kind in {4, 6}:
            continue
        data, expected = make(kind, bits, transparent=transparent, interlaced=interlaced)
        read = decode_pixels(data, "x")
        np.testing.assert_array_equal(read, expected, err_msg=f"{bits} {transparent} {interlaced}")
        assert read_header(data).shape == read.shape


GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("name", [b"tEXt", b"gAMA", b"pHYs", b"sRGB", b"eXIf", b"iCCP", b"abCD"])
def test_a_wrong_checksum_of_a_chunk_without_pixels_is_named_and_the_image_read(name: bytes) -> None:
    picture = decode_picture(make_png(GREY, 0, 8, chunk(name, b"a\0b", 7)), "x")
    np.testing.assert_array_equal(picture.pixels, GREY)
    assert picture.notes == (f"chunk {name.decode()} has a wrong checksum, and was skipped",)


@pytest.mark.parametrize(("checksum", "keywords"), [(None, ["Title", "Author"]), (7, ["Author"])])
def test_a_text_of_a_wrong_checksum_is_left_behind(checksum: int | None, keywords: list[str]) -> None:
    texts = chunk(b"tEXt", b"Title\0one", checksum), chunk(b"tEXt", b"Author\0two")
    picture = decode_picture(make_png(np.zeros((2, 2), np.uint8), 0, 8, *texts), "a.png")
    assert [text.keyword for text in picture.metadata.texts] == keywords


@pytest.mark.parametrize("name", [b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT"])
def test_a_wrong_checksum_of_a_chunk_with_pixels_is_damage(name: bytes) -> None:
    with pytest.raises(ImageFileError, match=f"damaged \\(chunk {name.decode()} has a wrong checksum"):
        decode_pixels(make_png(GREY, 0, 8, chunk(name, b"\0\1", 7)), "x")


def test_a_wrong_checksum_of_pixels_is_damage() -> None:
    data = bytearray(make_png(GREY, 0, 8))
    data[-16] ^= 1
    with pytest.raises(ImageFileError, match=r"damaged \(.*IDAT"):
        decode_pixels(bytes(data), "x")


@pytest.mark.parametrize("name", [b"cHRM", b"bKGD", b"hIST", b"sBIT", b"gAMA"])
def test_an_empty_chunk_that_no_pixel_needs_is_no_hindrance(name: bytes) -> None:
    np.testing.assert_array_equal(decode_pixels(make_png(GREY, 0, 8, chunk(name)), "x"), GREY)


@pytest.mark.parametrize("count", [0, 1, 2, 2_147_483_649])
def test_an_animation_without_frames_leaves_the_image_with_a_note(count: int) -> None:
    picture = decode_picture(make_png(GREY, 0, 8, chunk(b"acTL", struct.pack(">II", count, 0))), "x")
    np.testing.assert_array_equal(picture.pixels, GREY)
    assert picture.pages is None
    reason = f"its animation is damaged ({count} frames are promised, and 0 are there), and the image alone was read"
    assert picture.notes == (reason,)


def control(number: int, **fields: int) -> bytes:
    """Return a chunk fcTL."""
    values = {
        "width": 4,
        "height": 3,
        "left": 0,
        "top": 0,
        "over": 1,
        "under": 20,
        "disposal": 0,
        "blending": 0,
    } | fields
    return chunk(b"fcTL", struct.pack(">5IHHBB", number, *values.values()))


def pixels_of(values: Array, bits: int = 8) -> bytes:
    return zlib.compress(pack(values, bits))


@pytest.mark.parametrize(
    ("frames", "flaw"),
    [
        ([control(1)], "2 frames are promised, and 1 are there"),
        ([control(5), chunk(b"fdAT", struct.pack(">I", 2) + pixels_of(GREY))], "frame 2 has wrong numbers"),
        ([control(1, width=9), chunk(b"fdAT", struct.pack(">I", 2) + pixels_of(GREY))], "frame 2 is beyond the image"),
        ([], "2 frames are promised, and 1 are there"),
    ],
)
def test_an_animation_with_a_bad_frame_leaves_the_image_with_a_note(frames: list[bytes], flaw: str) -> None:
    data = make_png(GREY, 0, 8, chunk(b"acTL", struct.pack(">II", 2, 0)), control(0))
    end = data.index(b"IEND") - 4
    picture = decode_picture(data[:end] + b"".join(frames) + data[end:], "x")
    np.testing.assert_array_equal(picture.pixels, GREY)
    assert picture.notes == (f"its animation is damaged ({flaw}), and the image alone was read",)


def test_frames_are_blended_and_disposed_of_as_they_say() -> None:
    base = np.full((3, 4, 4), (200, 0, 0, 255), np.uint8)
    part = np.full((2, 2, 4), (0, 0, 250, 51), np.uint8)
    region = {"width": 2, "height": 2, "left": 1, "top": 1}
    steps = [(0, 0), (1, 0), (2, 1), (0, 1)]  # disposal, blending
    data = make_png(base, 6, 8, chunk(b"acTL", struct.pack(">II", 5, 3)), control(0))
    end, number, frames = data.index(b"IEND") - 4, 1, b""
    for disposal, blending in steps:
        frames += control(number, disposal=disposal, blending=blending, **region)
        frames += chunk(b"fdAT", struct.pack(">I", number + 1) + pixels_of(part))
        number += 2
    picture = decode_picture(data[:end] + frames + data[end:], "x")
    assert picture.pages
    shown = [page[1, 1].tolist() for page in picture.pages]
    blue = [0, 0, 250, 51]
    assert shown == [[200, 0, 0, 255], blue, blue, blue, blue]
    assert picture.pages.loops == 3
    assert picture.pages.durations == (50,) * 5
    assert all(page[0, 0].tolist() == [200, 0, 0, 255] for page in picture.pages)
    np.testing.assert_array_equal(picture.pages[4], list(picture.pages)[4])


def test_a_translucent_frame_over_an_opaque_one_is_mixed() -> None:
    base = np.full((3, 4, 4), (200, 0, 0, 255), np.uint8)
    data = make_png(base, 6, 8, chunk(b"acTL", struct.pack(">II", 2, 0)), control(0))
    end = data.index(b"IEND") - 4
    over = np.full((3, 4, 4), (0, 0, 250, 51), np.uint8)
    frames = control(1, blending=1) + chunk(b"fdAT", struct.pack(">I", 2) + pixels_of(over))
    picture = decode_picture(data[:end] + frames + data[end:], "x")
    assert picture.pages
    assert picture.pages[1][0, 0].tolist() == [160, 0, 50, 255]


def test_frames_of_sixteen_bits_and_of_palettes_keep_their_levels() -> None:
    cases: list[tuple[int, int, Any]] = [(2, 16, (3, 4, 3)), (3, 8, (3, 4)), (0, 4, (3, 4))]
    for kind, bits, shape in cases:
        first, second = np.random.default_rng(1).integers(0, 1 << bits, (2, *shape))
        colours = chunk(b"PLTE", PALETTE.tobytes()) if kind == 3 else b""
        data = make_png(first, kind, bits, chunk(b"acTL", struct.pack(">II", 2, 0)), control(0), colours)
        end = data.index(b"IEND") - 4
        frames = control(1) + chunk(b"fdAT", struct.pack(">I", 2) + pixels_of(second, bits))
        picture = decode_picture(data[:end] + frames + data[end:], "x")
        assert picture.pages
        expected = PALETTE[second] if kind == 3 else second * (17 if bits == 4 else 1)
        np.testing.assert_array_equal(picture.pages[1], expected)


def test_the_orientation_in_a_raw_profile_turns_the_image_and_its_shape() -> None:
    block = exif_of(6).tobytes()
    text = f"\nexif\n{len(block):8d}\n{block.hex()}\n".encode()
    data = make_png(GREY, 0, 8, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))
    assert read_header(data).shape == (4, 3)
    np.testing.assert_array_equal(decode_pixels(data, "x"), np.rot90(GREY, 3))


def test_the_kind_that_xcode_makes_is_named() -> None:
    data = make_png(GREY, 0, 8)
    with pytest.raises(ImageFileError, match="CgBI"):
        decode_pixels(data[:8] + chunk(b"CgBI", bytes(4)) + data[8:], "x")


def test_what_follows_the_end_is_of_no_account() -> None:
    np.testing.assert_array_equal(decode_pixels(make_png(GREY, 0, 8) + bytes(50) + b"more", "x"), GREY)
