"""Netpbm's formats and PFM of every kind, against the samples that they were made of."""

import itertools
import re
from typing import Any

import cv2
import numpy as np
import pytest

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels

WHITES = (1, 2, 7, 100, 254, 255, 256, 1000, 4095, 65534, 65535)

ENDINGS = (b"\n", b" ", b"\r", b"\t", b"#end\n")


def expected(samples: Array, white: int) -> Array:
    """Return samples as they are read: spread, in colours if they have alpha."""
    most = 255 if white < 256 else 65535
    pixels = np.rint(np.minimum(samples, white) * most / white).astype(np.uint8 if white < 256 else np.uint16)
    if pixels.shape[2] == 2:
        return pixels[:, :, [0, 0, 0, 1]]
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def random_samples(seed: int, white: int, channels: int) -> Array:
    """Return samples of an image of 3x5."""
    return np.random.default_rng(seed).integers(0, white + 1, (3, 5, channels))


def raw(samples: Array, white: int) -> bytes:
    """Return samples as bytes."""
    return samples.astype("u1" if white < 256 else ">u2").tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", "2356")
def test_grey_and_colours_of_every_white_are_spread(kind: str, ending: bytes) -> None:
    for seed, white in enumerate(WHITES):
        samples = random_samples(seed, white, 3 if kind in "36" else 1)
        content = raw(samples, white) if kind in "56" else " ".join(map(str, samples.ravel())).encode()
        data = f"P{kind}\n#a 1 b\n5 # 9\n 3\t{white}".encode() + ending + content
        np.testing.assert_array_equal(decode_pixels(data, "x"), expected(samples, white), f"{white}")
        assert read_header(data).shape == expected(samples, white).shape


@pytest.mark.parametrize(("channels", "type_"), list(itertools.product((1, 2, 3, 4), ("RGB_ALPHA", "", "FOO"))))
def test_a_pam_of_every_white_is_spread(channels: int, type_: str) -> None:
    for seed, white in enumerate(WHITES):
        samples = random_samples(seed, white, channels)
        lines = f"P7\nWIDTH 5\nHEIGHT 3\n# a comment\nDEPTH {channels}\nMAXVAL {white}\n"
        data = (lines + (f"TUPLTYPE {type_}\n" if type_ else "") + "ENDHDR\n").encode() + raw(samples, white)
        np.testing.assert_array_equal(decode_pixels(data, "x"), expected(samples, white), f"{white}")
        assert read_header(data).shape == expected(samples, white).shape


@pytest.mark.parametrize("width", [1, 7, 8, 9, 17])
def test_bits_whose_ones_are_black(width: int) -> None:
    bits = np.random.default_rng(width).integers(0, 2, (3, width), dtype=np.uint8)
    white = 255 - 255 * bits
    packed = f"P4 {width} 3\n".encode() + np.packbits(bits, axis=1).tobytes()
    assert np.array_equal(decode_pixels(packed, "x"), white)
    for gap in ("", " ", "\n"):
        assert np.array_equal(decode_pixels(f"P1 {width} 3\n{gap.join(map(str, bits.ravel()))}".encode(), "x"), white)


@pytest.mark.parametrize(("kind", "channels"), [("f", 1), ("F", 3)])
@pytest.mark.parametrize("scale", ["-1.0", "1", "+1.000", "-2.5", "1e3"])
def test_floats_from_the_bottom_in_either_order(kind: str, channels: int, scale: str) -> None:
    floats = np.random.default_rng(0).normal(size=(3, 5, channels)).astype(np.float32)
    order = "<f4" if scale.startswith("-") else ">f4"
    data = f"P{kind}\n5 3\n{scale}\n".encode() + floats[::-1].astype(order).tobytes()
    assert np.array_equal(decode_pixels(data, "x"), floats[:, :, 0] if channels == 1 else floats)


def test_a_second_image_is_said() -> None:
    one = b"P5 2 1 255\n\x01\x02"
    assert decode_picture(one + one, "x").notes == ("the PGM holds more than one image, and the first is read",)
    assert decode_picture(one + b"\n", "x").notes == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P5 5 3 255\n" + bytes(14), "the PGM is cut off"),
        (b"P6 5 3 65535\n" + bytes(89), "the PPM is cut off"),
        (b"P4 9 3\n" + bytes(5), "the PBM is cut off"),
        (b"P1 9 3\n1 0 1", "the PBM is cut off"),
        (b"P3 2 1 255\n1 2 3 4 5", "the PPM is cut off"),
        (b"P3 2 1 255\n100 200 3 4 5", "the PPM is cut off"),
        (b"Pf\n5 3\n-1\n" + bytes(59), "the PFM is cut off"),
        (b"P7\nWIDTH 1\n", "the PAM is cut off (in its head)"),
        (b"P6\n", "the PPM is cut off (in its head)"),
        (b"P5 5 3 65536\n" + bytes(99), "the PGM is damaged: its head holds impossible numbers"),
        (b"P5 5 0 255\n" + bytes(99), "the PGM is damaged: its head holds impossible numbers"),
        (b"Pf\n5 3\n0\n" + bytes(99), "the PFM is damaged: its head holds impossible numbers"),
        (b"P5 five 3 255\n" + bytes(99), "the PGM is damaged: its head has no size"),
        (
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\n" + bytes(4),
            "PAM of the type CMYK is not supported; convert it to PNG or TIFF first",
        ),
        (b"P7 332\n#XVVERSION\n", "XV thumbnail is not supported; convert it to PNG or TIFF first"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
def test_what_is_cut_off_or_damaged_is_refused(data: bytes, reason: Any) -> None:
    with pytest.raises(ImageFileError, match=f"^x: {re.escape(reason)}$"):
        decode_pixels(data, "x")


@pytest.mark.parametrize("suffix", [".pgm", ".ppm", ".pnm"])
@pytest.mark.parametrize("white", [255, 65535])
def test_files_are_written_as_opencv_writes_them(suffix: str, white: int) -> None:
    pixels = random_samples(1, white, 3).astype(np.uint8 if white < 256 else np.uint16)
    pixels = pixels[:, :, 0] if suffix == ".pgm" else pixels
    blue_first: Any = pixels[..., ::-1].copy() if pixels.ndim == 3 else pixels
    written, data = cv2.imencode(suffix, blue_first)
    assert written
    assert bytes(encode_image(pixels, f"image{suffix}")) == data.tobytes()
    assert np.array_equal(decode_pixels(data.tobytes(), suffix), pixels)


def test_an_image_that_is_read_can_be_changed() -> None:
    pixels = cnnfilter.read_image(b"P5 2 1 255\n\x01\x02")
    pixels += 1
    assert pixels.tolist() == [[2, 3]]
