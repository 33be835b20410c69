"""The shape of a picture from the head of its file: as it is once the file has been read."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnfilter.io.encode import encode_image
from cnnfilter.io.formats import FORMATS, Depth
from cnnfilter.io.headers import read_header
from tests.io import decode_pixels, exif_of, saved

TYPES = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16, Depth.FLOAT: np.float32}


def written() -> list[tuple[str, Depth, int]]:
    """Return each suffix with each depth and number of channels that it holds."""
    formats = [(suffix, format_) for suffix, format_ in FORMATS.items() if not format_.is_matrix]
    return [
        (suffix, depth, count) for suffix, format_ in formats for depth in format_.depths for count in format_.channels
    ]


@pytest.mark.parametrize(("suffix", "depth", "channels"), written())
def test_the_head_of_what_is_written_tells_the_shape_that_is_read(suffix: str, depth: Depth, channels: int) -> None:
    shape = (41, 37) if channels == 1 else (41, 37, channels)
    pixels = (np.random.default_rng(0).random(shape) * 200).astype(TYPES[depth])
    data = bytes(encode_image(pixels, f"x{suffix}"))
    assert read_header(data).shape == decode_pixels(data, "x").shape


MODES = ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK")
TURNED = exif_of(6)
OTHERS: dict[str, list[dict[str, Any]]] = {
    "PNG": [{}, {"exif": TURNED}, {"transparency": 3}],
    "JPEG": [{}, {"exif": TURNED}, {"progressive": True}],
    "WEBP": [{}, {"exif": TURNED}, {"lossless": True}, {"lossless": True, "exif": TURNED}],
    "TIFF": [{}, {"big_tiff": True}, {"tiffinfo": {0x0112: 6}}],
    "AVIF": [{}, {"exif": TURNED}],
    "JPEG2000": [{}],
    "BMP": [{}],
    "PPM": [{}],
    "GIF": [{}],
}


UNWRITTEN = {
    "PNG": {"CMYK"},
    "JPEG": {"P", "RGBA", "LA"},
    "JPEG2000": {"P", "1"},
    "BMP": {"LA", "CMYK"},
    "PPM": {"P", "LA", "CMYK"},
    "GIF": {"CMYK"},
}
"""The modes that Pillow does not write."""

CASES = [(format_, mode) for format_ in OTHERS for mode in MODES if mode not in UNWRITTEN.get(format_, ())]


@pytest.mark.parametrize(("format_", "mode"), CASES)
def test_the_head_of_what_others_write_tells_the_shape_that_is_read(format_: str, mode: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (41, 37, 3)).astype(np.uint8)
    image = Image.fromarray(noise).convert(mode if mode != "LA" else "L").convert(mode)
    for options in OTHERS[format_]:
        if "transparency" in options and mode not in {"L", "P", "1"}:  # the others have no level of one number
            continue
        data = saved(image, format_, **options)
        assert read_header(data).shape == decode_pixels(data, "x").shape, options


@given(st.sampled_from([".png", ".jpg", ".webp", ".tiff", ".avif", ".jp2", ".bmp", ".pgm", ".pfm", ".hdr"]), st.data())
def test_a_head_that_is_cut_or_damaged_tells_a_shape_or_nothing(suffix: str, data: st.DataObject) -> None:
    kind = np.float32 if suffix in {".pfm", ".hdr"} else np.uint8
    shape = (32, 33) if suffix == ".pgm" else (32, 33, 3)
    whole = bytearray(bytes(encode_image(np.ones(shape, kind), f"x{suffix}")))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, min(len(whole) - 1, 400)))] = data.draw(st.integers(0, 255))
    found = read_header(bytes(whole[: data.draw(st.integers(0, len(whole)))])).shape
    assert found is None or (len(found) in {2, 3} and min(found) > 0)
