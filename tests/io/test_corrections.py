"""What OpenCV reads wrong and we set right: white in Netpbm's files, red in PAM, transparent grey, TIFFs with alpha."""

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.encode import encode_image
from tests.io import decode_pixels, saved
from tests.io.tiffs import DEFLATE, Kind, make_tiff


def pam(depth: int, white: int, raw: bytes) -> bytes:
    return b"P7\n# a comment\nWIDTH 2\nHEIGHT 1\nDEPTH %d\nMAXVAL %d\nTUPLTYPE ANY\nENDHDR\n" % (depth, white) + raw


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(pam(1, 255, b"\x07\xff"), [[7, 255]], id="grey"),
        pytest.param(pam(1, 1, b"\1\0"), [[255, 0]], id="black-and-white"),
        pytest.param(pam(2, 255, b"\x07\xff\x09\x80"), [[[7, 7, 7, 255], [9, 9, 9, 128]]], id="grey-and-alpha"),
        pytest.param(pam(3, 255, b"\xff\0\x0a\1\2\3"), [[[255, 0, 10], [1, 2, 3]]], id="colours"),
        pytest.param(pam(4, 255, b"\xff\0\x0a\x80\1\2\3\4"), [[[255, 0, 10, 128], [1, 2, 3, 4]]], id="alpha"),
        pytest.param(pam(3, 100, bytes([100, 0, 50, 1, 2, 3])), [[[255, 0, 128], [3, 5, 8]]], id="white-of-100"),
        pytest.param(pam(1, 1000, struct.pack(">2H", 1000, 500)), [[65535, 32768]], id="white-of-1000"),
    ],
)
def test_a_pam_is_read_with_red_as_red(data: bytes, expected: list[Any]) -> None:
    np.testing.assert_array_equal(decode_pixels(data, "x"), expected)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pam(3, 255, b"\xff\0\x0a\1\2"), "the PAM is cut off"),
        (pam(5, 255, bytes(10)), "PAM of 5 channels is not supported; convert it to PNG or TIFF first"),
        (pam(1, 0, bytes(2)), "the PAM is damaged: its head holds impossible numbers"),
        (b"P7\nWIDTH 1\n", r"the PAM is cut off \(in its head\)"),
    ],
)
def test_a_pam_that_is_cut_or_makes_no_sense_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ImageFileError, match=f"^x: {reason}$"):
        decode_pixels(data, "x")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"P2 2 1 15 0 15 ", [[0, 255]], id="text-15"),
        pytest.param(b"P2 2 1 1000 500 1000 ", [[32768, 65535]], id="text-1000"),
        pytest.param(b"P3 1 1 1000 500 1000 0 ", [[[32768, 65535, 0]]], id="text-colours-1000"),
        pytest.param(b"P5 2 1 100\n" + bytes([50, 100]), [[128, 255]], id="100"),
        pytest.param(b"P5\n# 7 8 9\n2 1 100\n" + bytes([50, 100]), [[128, 255]], id="100-and-a-comment"),
        pytest.param(b"P6 1 1 100\n" + bytes([100, 50, 0]), [[[255, 128, 0]]], id="colours-100"),
        pytest.param(b"P5 2 1 1000\n" + struct.pack(">2H", 500, 1000), [[32768, 65535]], id="1000"),
        pytest.param(b"P5 2 1 255\n" + bytes([50, 100]), [[50, 100]], id="255"),
        pytest.param(b"P5 2 1 65535\n" + struct.pack(">2H", 50, 100), [[50, 100]], id="65535"),
        pytest.param(b"P4 8 1\n\xf0", [[0, 0, 0, 0, 255, 255, 255, 255]], id="bits"),
    ],
)
def test_white_is_what_the_header_calls_white(data: bytes, expected: list[Any]) -> None:
    np.testing.assert_array_equal(decode_pixels(data, "x"), expected)


@pytest.mark.parametrize(
    ("mode", "level", "spread"), [("L", 50, 50), ("1", 0, 0), ("1", 1, 255), ("I;16", 40000, 40000)]
)
def test_one_transparent_level_of_a_grey_png_becomes_alpha(mode: str, level: int, spread: int) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    pixels = ramp if mode == "I;16" else (ramp >> 8).astype(np.uint8)
    pixels[2, 3] = spread
    image = Image.fromarray(pixels).convert(mode) if mode == "1" else Image.fromarray(pixels)
    read = decode_pixels(saved(image, "PNG", transparency=level), "x")
    grey = decode_pixels(saved(image, "PNG"), "x")
    white = np.iinfo(grey.dtype).max
    assert read.shape == (8, 64, 4)
    np.testing.assert_array_equal(read[:, :, :3], np.repeat(grey[:, :, None], 3, axis=2))
    np.testing.assert_array_equal(read[:, :, 3], np.where(grey == spread, 0, white))
    assert not read[2, 3, 3]


def grey_and_alpha() -> tuple[Array, Array]:
    y, x = np.mgrid[0:20, 0:30]
    return (x * 8).astype(np.uint8), (y * 12 + 5).astype(np.uint8)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_tiff_of_grey_and_alpha_is_read_as_rgba(compression: str | None, orientation: int) -> None:
    grey, alpha = grey_and_alpha()
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    data = saved(image, "TIFF", compression=compression, tiffinfo={274: orientation})
    turns = {1: 0, 3: 2, 6: 3}[orientation]
    expected = np.rot90(np.stack([grey, grey, grey, alpha], axis=-1), turns)
    np.testing.assert_array_equal(decode_pixels(data, "x"), expected)


GREY_AND_ALPHA = Kind(1, "u8", (2,))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_differences_of_neighbours_are_summed_for_each_sample(dtype: Any) -> None:
    whole = np.random.default_rng(4).integers(0, 200, (6, 9, 2)).astype(dtype)
    steps = np.diff(whole, axis=1, prepend=np.zeros((6, 1, 2), dtype))
    kind = GREY_AND_ALPHA._replace(type=f"u{8 * whole.itemsize}")
    np.testing.assert_array_equal(decode_pixels(make_tiff(whole, kind), "x"), whole[:, :, [0, 0, 0, 1]])
    data = make_tiff(steps, kind._replace(compression=DEFLATE), {317: (3, [2])})
    np.testing.assert_array_equal(decode_pixels(data, "x"), whole[:, :, [0, 0, 0, 1]])


def test_grey_that_was_multiplied_by_its_alpha_is_divided_by_it() -> None:
    samples = np.array([[[50, 128], [9, 0], [70, 255]]], np.uint8)
    read = decode_pixels(make_tiff(samples, GREY_AND_ALPHA._replace(extras=(1,))), "x")
    np.testing.assert_array_equal(read, [[[100, 100, 100, 128], [0, 0, 0, 0], [70, 70, 70, 255]]])


def test_grey_whose_zero_is_white_is_inverted_and_its_alpha_is_not() -> None:
    samples = np.array([[[50, 128], [255, 0]]], np.uint8)
    read = decode_pixels(make_tiff(samples, GREY_AND_ALPHA._replace(photometric=0)), "x")
    np.testing.assert_array_equal(read, [[[205, 205, 205, 128], [0, 0, 0, 0]]])


def test_planes_without_a_strip_for_each_are_refused() -> None:
    data = make_tiff(np.full((4, 4, 2), 9, np.uint8), GREY_AND_ALPHA, {284: (3, [2])})
    with pytest.raises(ImageFileError, match="fewer strips or tiles than its size"):
        decode_pixels(data, "x")


def test_a_picture_that_is_opaque_all_over_goes_where_there_is_no_alpha() -> None:
    opaque = np.dstack([np.full((8, 8, 3), (200, 30, 10)), np.full((8, 8), 255)]).astype(np.uint8)
    assert decode_pixels(bytes(encode_image(opaque, "x.ppm")), "x").tolist() == opaque[:, :, :3].tolist()
    opaque[3, 3, 3] = 254
    with pytest.raises(ImageFileError, match="holds no alpha"):
        encode_image(opaque, "x.ppm")
