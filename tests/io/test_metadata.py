"""EXIF and colour profiles: carried while they stay true, dropped where they would not."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from cnnfilter.arrays import Array
from cnnfilter.errors import CnnFilterError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image
from cnnfilter.io.formats import find_format
from cnnfilter.io.metadata import Metadata, carry_over
from tests.io import IMAGE_SUFFIXES

KEEPERS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".avif": "AVIF"}

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

COLOURS = np.random.default_rng(2).integers(0, 256, (24, 40, 3), dtype=np.uint8)


def profile_for(space: bytes) -> bytes:
    return PROFILE[:16] + space + PROFILE[20:]


def exif_of(orientation: int) -> Any:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769).update({0xA002: 40, 0xA003: 24, 0x9003: "2020:01:02 03:04:05"})
    return exif


def saved(format_: str, image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def passed_on(data: bytes, suffix: str, pixels: Array | None = None) -> Image.Image:
    """Return, as Pillow reads it, the file that is written of a file."""
    image = decode_picture(data, "x")
    written = encode_image(image.pixels if pixels is None else pixels, f"x{suffix}", metadata=image.metadata)
    return Image.open(io.BytesIO(bytes(written)))


@pytest.mark.parametrize("target", KEEPERS)
@pytest.mark.parametrize("source", KEEPERS)
def test_both_go_from_any_keeper_to_any_other(source: str, target: str) -> None:
    data = saved(KEEPERS[source], Image.fromarray(COLOURS), exif=exif_of(6), icc_profile=PROFILE)
    image = passed_on(data, target)
    exif = image.getexif()
    assert image.size == (24, 40)
    assert exif.get(0x0112, 1) == 1
    assert exif[0x010F] == "a maker"
    details = exif.get_ifd(0x8769)
    assert (details[0xA002], details[0xA003], details[0x9003]) == (24, 40, "2020:01:02 03:04:05")
    assert image.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("suffix", [suffix for suffix in IMAGE_SUFFIXES if suffix not in {*KEEPERS, ".jpeg", ".jpe"}])
def test_the_other_formats_get_neither_and_it_is_said(suffix: str) -> None:
    metadata, lost = carry_over(Metadata(b"II*\0", PROFILE), find_format(f"x{suffix}"), COLOURS)
    assert metadata == Metadata()
    assert lost.startswith("EXIF and the colour profile dropped")


@pytest.mark.parametrize(
    ("space", "shape", "suffix", "kept"),
    [
        (b"RGB ", (4, 4, 3), ".png", True),
        (b"RGB ", (4, 4, 4), ".png", True),
        (b"RGB ", (4, 4), ".png", False),
        (b"RGB ", (4, 4, 1), ".jpg", False),
        (b"GRAY", (4, 4), ".png", True),
        (b"GRAY", (4, 4), ".webp", False),
        (b"GRAY", (4, 4, 3), ".png", False),
        (b"CMYK", (4, 4, 3), ".jpg", False),
    ],
)
def test_a_profile_stays_with_its_colour_model(space: bytes, shape: tuple[int, ...], suffix: str, kept: bool) -> None:
    metadata, lost = carry_over(Metadata(b"", profile_for(space)), find_format(f"x{suffix}"), np.zeros(shape, np.uint8))
    assert bool(metadata.profile) is kept
    assert bool(lost) is not kept


def test_inks_become_colours_without_their_profile() -> None:
    data = saved("JPEG", Image.fromarray(COLOURS).convert("CMYK"), icc_profile=profile_for(b"CMYK"))
    assert "icc_profile" not in passed_on(data, ".jpg").info


def test_a_profile_for_colours_in_a_grey_png_is_none() -> None:
    data = saved("PNG", Image.fromarray(COLOURS).convert("L"), icc_profile=PROFILE)
    assert decode_picture(data, "x").metadata.profile == b""


def test_the_old_thumbnail_is_not_carried() -> None:
    exif = exif_of(1).tobytes().removeprefix(b"Exif\0\0")
    assert exif[:4] == b"MM\0*"
    entries = int.from_bytes(exif[8:10])
    link = 10 + 12 * entries
    linked = exif[:link] + len(exif).to_bytes(4) + exif[link + 4 :] + bytes.fromhex("000000000000")
    metadata, _ = carry_over(Metadata(linked), find_format("x.jpg"), COLOURS)
    assert metadata.exif[link : link + 4] == bytes(4)


@pytest.mark.parametrize("suffix", KEEPERS)
@pytest.mark.parametrize("exif", [b"", b"junk" * 9, b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09", b"x" * 90_000])
@pytest.mark.parametrize("profile", [b"", b"junk" * 9, b"\0\0\0\x20" * 60_000], ids=["none", "junk", "giant"])
def test_blocks_that_make_no_sense_do_not_stop_a_picture(suffix: str, exif: bytes, profile: bytes) -> None:
    written = encode_image(COLOURS, f"x{suffix}", metadata=Metadata(exif, profile))
    assert decode_picture(bytes(written), "x").pixels.shape == (24, 40, 3)


def test_a_profile_too_long_for_a_jpeg_is_dropped_and_the_picture_is_not(caplog: pytest.LogCaptureFixture) -> None:
    profile = PROFILE + bytes(100_000)
    with caplog.at_level("DEBUG", "cnnfilter"):
        written = encode_image(COLOURS, "x.jpg", metadata=Metadata(b"", profile))
    assert "do not fit" in caplog.text
    assert "icc_profile" not in Image.open(io.BytesIO(bytes(written))).info


def test_a_picture_without_any_is_written_as_before() -> None:
    for suffix in KEEPERS:
        assert bytes(encode_image(COLOURS, f"x{suffix}", metadata=Metadata())) == bytes(
            encode_image(COLOURS, f"x{suffix}")
        )
    with pytest.raises(CnnFilterError):
        encode_image(COLOURS, "x.unknown", metadata=Metadata(b"", PROFILE))
