"""Radiance HDR with run lengths of both kinds and without, in rows of every direction."""

import re

import cv2
import numpy as np
import pytest

from cnnfilter.errors import ImageFileError
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels

HEAD = b"#?RADIANCE\n# made here\nEXPOSURE=2\nFORMAT=32-bit_rle_rgbe\n\n"

FLAT = bytes([128, 64, 32, 129, 255, 0, 1, 130, 7, 8, 9, 0])

VALUES: list[list[float]] = [[1, 0.5, 0.25], [255 / 64, 0, 1 / 64], [0, 0, 0]]


def test_pixels_without_run_lengths() -> None:
    data = HEAD + b"-Y 1 +X 3\n" + FLAT
    assert decode_pixels(data, "x").tolist() == [VALUES]
    assert read_header(data).shape == (1, 3, 3)


def test_old_run_lengths_repeat_the_pixel_before_them() -> None:
    codes = FLAT[:4] + b"\1\1\1\2" + FLAT[4:8] + b"\1\1\1\4\1\1\1\1"
    pixels = decode_pixels(HEAD + b"-Y 1 +X 264\n" + codes, "x")
    assert np.array_equal(pixels[0], [VALUES[0]] * 3 + [VALUES[1]] * 261)


@pytest.mark.parametrize(
    ("size", "step"), [("-Y 2 +X 9", (1, 1)), ("-Y 2 -X 9", (1, -1)), ("+Y 2 +X 9", (-1, 1)), ("+Y 2 -X 9", (-1, -1))]
)
def test_rows_of_every_direction(size: str, step: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((2, 9, 3)).astype(np.float32)
    written = cv2.imencode(".hdr", image)[1].tobytes()
    usual = decode_pixels(written, "x")
    turned = re.sub(rb"-Y 2 \+X 9", size.encode(), written)
    assert np.array_equal(decode_pixels(turned, "x"), usual[:: step[0], :: step[1]])
    assert np.abs(usual - image[:, :, ::-1]).max() < 1 / 128


def test_scanlines_may_be_coded_differently() -> None:
    coded = b"\2\2\0\x08" + b"\x88\x80" + b"\x88\x40" + b"\x08" + bytes([32] * 8) + b"\x84\x81\4" + bytes([129] * 4)
    pixels = decode_pixels(HEAD + b"-Y 2 +X 8\n" + coded + 8 * FLAT[:4], "x")
    assert np.array_equal(pixels, np.broadcast_to(np.array(VALUES[0]), (2, 8, 3)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEAD + b"-Y 1 +X 4\n" + FLAT, "the Radiance HDR is cut off (in scanline 1 of 1)"),
        (HEAD + b"-Y 1 +X 8\n\2\2\0\x08\x88\1\x88\1\x88\1\x88", "the Radiance HDR is cut off (in scanline 1 of 1)"),
        (HEAD + b"-Y 1 +X 8\n\2\2\0\x08\x90\1" + bytes(60), "the Radiance HDR is damaged (in scanline 1 of 1)"),
        (HEAD + b"-Y 1 +X 3\n\1\1\1\3" + FLAT, "the Radiance HDR is damaged (in scanline 1 of 1)"),
        (HEAD, "the Radiance HDR is cut off or damaged: its head has no size"),
        (
            HEAD.replace(b"rgbe", b"xyze") + b"-Y 1 +X 3\n" + FLAT,
            "Radiance HDR of the format 32-bit_rle_xyze is not supported; convert it to PNG or TIFF first",
        ),
        (
            HEAD + b"+X 3 -Y 1\n" + FLAT,
            "Radiance HDR whose scanlines are columns (+X before Y) is not supported; convert it to PNG or TIFF first",
        ),
    ],
    ids=["flat", "coded", "too-long", "nothing-to-repeat", "head", "xyze", "columns"],
)
def test_what_is_not_read_is_refused_by_its_name(data: bytes, reason: str) -> None:
    with pytest.raises(ImageFileError, match=f"^x: {re.escape(reason)}$"):
        decode_pixels(data, "x")
