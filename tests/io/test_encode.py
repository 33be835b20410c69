"""Image files: what is written is read back, what others write is read right, what is broken is refused."""

import io
import re
import zlib
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io import encode as images
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_pages
from cnnfilter.io.formats import FORMATS, Depth, Format
from cnnfilter.io.levels import DEPTHS, MAXIMA, to_levels
from tests.io import IMAGE_SUFFIXES, decode_pixels, exif_of, saved
from tests.io.pngs import make_png, put_together
from tests.io.tiffs import Kind, make_tiff

TYPES: dict[Depth, Any] = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16, Depth.FLOAT: np.float32}

CLOSE = {"JPEG": 1.5, "WebP": 2.0, "AVIF": 2.5, "GIF": 6.0, "JPEG 2000": 1.0, "Radiance HDR": 1.0}
"""The lossy formats, and how many 255ths a pixel of a smooth picture may be off on the average."""

RED = (200, 30, 10)


def encode_image(pixels: Array, path: str | Path, **options: Any) -> bytes:
    """Return the bytes of an image file."""
    return bytes(images.encode_image(pixels, path, **options))


def lossless(format_: Format) -> bool:
    return format_.name not in CLOSE


CASES = [
    pytest.param(suffix, depth, channels, id=f"{suffix}-{depth}-{channels}")
    for suffix in IMAGE_SUFFIXES
    for depth in FORMATS[suffix].depths
    for channels in FORMATS[suffix].channels
]
EXACT_CASES = [case for case in CASES if lossless(FORMATS[str(case.values[0])])]
CLOSE_CASES = [case for case in CASES if not lossless(FORMATS[str(case.values[0])])]

ONE_SUFFIX_EACH = {FORMATS[suffix].name: suffix for suffix in reversed(IMAGE_SUFFIXES)}
COLOUR_SUFFIXES = [suffix for suffix in ONE_SUFFIX_EACH.values() if 3 in FORMATS[suffix].channels]
ALPHA_SUFFIXES = [suffix for suffix in ONE_SUFFIX_EACH.values() if 4 in FORMATS[suffix].channels]


def smooth(depth: Depth, channels: int, height: int = 40, width: int = 48) -> Array:
    """Return a picture without a sharp edge, each channel another gradient, so that a swap or a flip shows."""
    y, x = np.mgrid[0:height, 0:width]
    across, down = x / (width - 1), y / (height - 1)
    colours = np.stack([across, down, 1 - across, 0.25 + 0.75 * down], axis=-1) * MAXIMA[depth]
    picture = colours[:, :, 0] if channels == 1 else colours[:, :, :channels]
    return picture.astype(TYPES[depth]) if depth is Depth.FLOAT else np.rint(picture).astype(TYPES[depth])


def noise(depth: Depth, channels: int, height: int = 40, width: int = 48) -> Array:
    """Return a picture of chance, black and white among it; floats below 0 and above 1 too."""
    rng = np.random.default_rng(7)
    shape = (height, width) if channels == 1 else (height, width, channels)
    if depth is Depth.FLOAT:
        return rng.normal(0.5, 2.0, shape).astype(np.float32)
    picture = rng.integers(0, int(MAXIMA[depth]) + 1, shape).astype(TYPES[depth])
    picture[0, 0], picture[-1, -1] = 0, int(MAXIMA[depth])
    return picture


def in_colour(colour: tuple[int, ...], side: int = 32) -> Array:
    return np.full((side, side, len(colour)), colour, np.uint8)


def as_held(pixels: Array, suffix: str) -> Array:
    """Return pixels in the shallowest depth that a format holds."""
    depth = FORMATS[suffix].depths[0]
    white = MAXIMA[DEPTHS[pixels.dtype]]
    held = to_levels(pixels, range_=None, maximum=white, depth=depth)[0]
    return (held / white).astype(np.float32) if depth is Depth.FLOAT else held


def in_eight_bits(pixels: Array) -> Array:
    white = MAXIMA[DEPTHS[pixels.dtype]]
    return to_levels(pixels, range_=None, maximum=white, depth=Depth.EIGHT)[0]


def is_red(pixels: Array) -> bool:
    """Return whether pixels are red on the average, which is all that a dithered GIF gives."""
    return bool(np.abs(pixels.mean(axis=(0, 1)) - RED).max() <= 8)


def refusal(data: bytes, name: str, *, allow_truncated: bool = False) -> str:
    """Return the message of the refusal, which names the file and is one line."""
    with pytest.raises(ImageFileError) as caught:
        decode_pixels(data, name, allow_truncated=allow_truncated)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    return message


# What we write


@pytest.mark.parametrize(("suffix", "depth", "channels"), EXACT_CASES)
def test_a_lossless_format_gives_back_every_pixel(suffix: str, depth: Depth, channels: int) -> None:
    picture = noise(depth, channels)
    read = decode_pixels(encode_image(picture, f"x{suffix}"), f"x{suffix}")
    assert read.dtype == picture.dtype
    np.testing.assert_array_equal(read, picture)


@pytest.mark.parametrize(("suffix", "depth", "channels"), CLOSE_CASES)
def test_a_lossy_format_gives_back_nearly_the_picture(suffix: str, depth: Depth, channels: int) -> None:
    picture = smooth(depth, channels)
    read = decode_pixels(encode_image(picture, f"x{suffix}"), f"x{suffix}")
    assert read.dtype == picture.dtype
    if channels == 1 and FORMATS[suffix].name == "WebP":  # WebP has no grey of its own
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    if channels == 4 and FORMATS[suffix].name == "GIF":  # which has no partial transparency
        picture = np.where(picture[:, :, 3:] < 128, 0, np.maximum(picture, (0, 0, 0, 255)))
    assert read.shape == picture.shape
    assert 255 / MAXIMA[depth] * np.abs(read - picture.astype(np.float64)).mean() < CLOSE[FORMATS[suffix].name]


def test_the_lossy_formats_are_all_known() -> None:
    assert set(CLOSE) <= {format_.name for format_ in FORMATS.values()}


def test_a_last_axis_of_one_is_grey() -> None:
    picture = noise(Depth.EIGHT, 1)
    np.testing.assert_array_equal(decode_pixels(encode_image(picture[:, :, None], "x.png"), "x"), picture)


@pytest.mark.parametrize("grey", [0, 255])
def test_a_format_without_grey_takes_grey_as_colours(grey: int) -> None:
    read = decode_pixels(encode_image(np.full((16, 16), grey, np.uint8), "x.gif"), "x.gif")
    np.testing.assert_array_equal(read, np.full((16, 16, 3), grey))


def test_a_ppm_of_a_grey_picture_has_three_equal_channels() -> None:
    grey = noise(Depth.SIXTEEN, 1)
    read = decode_pixels(encode_image(grey, "x.ppm"), "x.ppm")
    np.testing.assert_array_equal(read, np.repeat(grey[:, :, None], 3, axis=2))


def test_the_content_tells_the_format_not_the_name() -> None:
    picture = noise(Depth.EIGHT, 3)
    np.testing.assert_array_equal(decode_pixels(encode_image(picture, "x.png"), "x.jpg"), picture)


def test_an_upper_case_suffix_is_the_same_format() -> None:
    picture = noise(Depth.EIGHT, 3)
    assert encode_image(picture, "x.PNG") == encode_image(picture, Path("x.png"))


@pytest.mark.parametrize("second", COLOUR_SUFFIXES)
@pytest.mark.parametrize("first", COLOUR_SUFFIXES)
def test_red_stays_red_through_any_two_formats(first: str, second: str) -> None:
    once = decode_pixels(encode_image(as_held(in_colour(RED), first), f"x{first}"), first)
    twice = decode_pixels(encode_image(as_held(in_eight_bits(once), second), f"x{second}"), second)
    assert is_red(in_eight_bits(twice))


@pytest.mark.parametrize("second", ALPHA_SUFFIXES)
@pytest.mark.parametrize("first", ALPHA_SUFFIXES)
def test_red_and_its_alpha_stay_through_any_two_formats(first: str, second: str) -> None:
    picture = in_colour((*RED, 255))
    picture[:16, :, 3] = 0
    once = decode_pixels(encode_image(picture, f"x{first}"), first)
    twice = decode_pixels(encode_image(once, f"x{second}"), second)
    assert twice.shape == picture.shape
    assert is_red(twice[16:, :, :3])
    assert np.abs(twice[:, :, 3].astype(int) - picture[:, :, 3]).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_colours_under_full_transparency_are_kept(suffix: str) -> None:
    picture = noise(Depth.EIGHT, 4)
    picture[:, :, 3] = 0
    np.testing.assert_array_equal(decode_pixels(encode_image(picture, f"x{suffix}"), suffix), picture)


@pytest.mark.parametrize("suffix", COLOUR_SUFFIXES)
def test_other_programs_see_the_red_that_we_write(suffix: str) -> None:
    if suffix in {".pfm", ".hdr"}:
        pixels = cv2.imdecode(np.frombuffer(encode_image(as_held(in_colour(RED), suffix), f"x{suffix}"), np.uint8), -1)
        assert pixels is not None
        seen: Array = np.rint(255 * pixels[:, :, ::-1])
    else:
        seen = np.asarray(Image.open(io.BytesIO(encode_image(in_colour(RED), f"x{suffix}"))).convert("RGB"))
    assert is_red(seen)


def test_quality_changes_the_size_of_a_jpeg_and_a_webp(photo: Path) -> None:
    picture = decode_pixels(photo.read_bytes(), "photo")
    for suffix in (".jpg", ".webp"):
        poor, fair, good = (len(encode_image(picture, f"x{suffix}", quality=q)) for q in (10, 50, 95))
        assert poor < fair < good
        assert len(encode_image(picture, f"x{suffix}")) == good


def test_compression_changes_the_size_of_a_png_and_not_its_pixels(photo: Path) -> None:
    picture = decode_pixels(photo.read_bytes(), "photo")
    fast, usual, small = (encode_image(picture, "x.png", compression=level) for level in (0, None, 9))
    assert len(small) < len(usual) < len(fast)
    for data in (fast, usual, small):
        np.testing.assert_array_equal(decode_pixels(data, "x.png"), picture)


def test_quality_and_compression_touch_no_other_format() -> None:
    picture = noise(Depth.EIGHT, 3)
    for suffix in (".tif", ".bmp", ".ppm", ".gif"):
        assert encode_image(picture, f"x{suffix}", quality=1, compression=9) == encode_image(picture, f"x{suffix}")
    assert encode_image(picture, "x.png", quality=1) == encode_image(picture, "x.png")
    assert encode_image(picture, "x.jpg", compression=9) == encode_image(picture, "x.jpg")


# What a format cannot hold


@pytest.mark.parametrize(
    ("name", "shape", "names"),
    [
        pytest.param("x.jpg", (40, 40, 4), "PNG", id="RGBA-into-JPEG"),
        pytest.param("x.pgm", (40, 40, 4), "PNG", id="RGBA-into-PGM"),
        pytest.param("x.ppm", (40, 40, 4), "TIFF", id="RGBA-into-PPM"),
        pytest.param("x.pgm", (40, 40, 3), "--channels gray", id="RGB-into-PGM"),
        pytest.param("x.png", (40, 40, 2), ".npy", id="2-channels"),
        pytest.param("x.png", (40, 40, 5), ".npy", id="5-channels"),
        pytest.param("x.tif", (40, 40, 64), ".npy", id="64-channels"),
        pytest.param("x.jpg", (10,), ".npy", id="a-vector"),
        pytest.param("x.png", (40, 40, 3, 2), ".npy", id="4-dimensions"),
        pytest.param("x.png", (0, 40), ".npy", id="no-pixel"),
        pytest.param("x.jp2", (8, 40, 3), "32 pixels", id="small-JPEG-2000"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_what_can(name: str, shape: tuple[int, ...], names: str) -> None:
    with pytest.raises(ImageFileError) as caught:
        encode_image(np.zeros(shape, np.uint8), name)
    assert str(caught.value).startswith(f"{name}: ")
    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("x.jpg", np.uint16),
        ("x.webp", np.uint16),
        ("x.avif", np.uint16),
        ("x.png", np.float32),
        ("x.ppm", np.float32),
        ("x.pfm", np.uint8),
        ("x.png", np.int32),
        ("x.png", np.int8),
        ("x.tif", np.bool_),
    ],
)
def test_a_type_that_the_format_does_not_hold_is_refused_not_changed(name: str, dtype: Any) -> None:
    with pytest.raises(ImageFileError, match="cannot hold"):
        encode_image(np.ones((40, 40, 3), dtype), name)


def test_a_side_that_the_format_has_no_room_for_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageFileError, match=r"^x\.jpg: [^\n]*JPEG[^\n]*2x70000[^\n]*$"):
        encode_image(np.zeros((2, 70000), np.uint8), "x.jpg")
    assert capfd.readouterr() == ("", "")


def test_a_refused_picture_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_TEMP_PATH", str(tmp_path))
    with pytest.raises(ImageFileError, match="32 pixels"):
        encode_image(np.zeros((8, 40), np.uint8), "x.jp2")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_suffix_is_refused_before_anything_is_encoded() -> None:
    with pytest.raises(OutputError, match=r"unknown suffix '\.xyz'"):
        encode_image(in_colour(RED), "x.xyz")


# What other programs write

_RED_IMAGE = Image.fromarray(in_colour(RED))


def palette_with_hole() -> bytes:
    """Return a palette picture whose left half is a transparent entry, its right half red."""
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 255, *RED])
    image.paste(0, (0, 0, 16, 32))
    return saved(image, "PNG", transparency=0)


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(saved(_RED_IMAGE, "PNG"), 0, id="PNG"),
        pytest.param(saved(_RED_IMAGE.quantize(4), "PNG"), 0, id="palette-PNG"),
        pytest.param(saved(_RED_IMAGE.quantize(4), "TIFF"), 0, id="palette-TIFF"),
        pytest.param(saved(_RED_IMAGE, "GIF"), 0, id="GIF"),
        pytest.param(saved(_RED_IMAGE, "BMP"), 0, id="BMP"),
        pytest.param(saved(_RED_IMAGE, "PPM"), 0, id="PPM"),
        pytest.param(saved(_RED_IMAGE, "TIFF", compression="tiff_adobe_deflate"), 0, id="deflated-TIFF"),
        pytest.param(saved(_RED_IMAGE, "JPEG2000"), 0, id="JPEG-2000"),
        pytest.param(saved(_RED_IMAGE, "WEBP", lossless=True), 0, id="lossless-WebP"),
        pytest.param(saved(_RED_IMAGE, "WEBP"), 5, id="WebP"),
        pytest.param(saved(_RED_IMAGE, "AVIF"), 5, id="AVIF"),
        pytest.param(saved(_RED_IMAGE, "JPEG"), 3, id="JPEG"),
        pytest.param(saved(_RED_IMAGE, "JPEG", progressive=True), 3, id="progressive-JPEG"),
        pytest.param(saved(_RED_IMAGE, "JPEG", subsampling=0, keep_rgb=True), 3, id="RGB-JPEG"),
        pytest.param(saved(_RED_IMAGE.convert("CMYK"), "JPEG"), 3, id="CMYK-JPEG"),
    ],
)
def test_a_red_patch_of_another_program_is_read_as_red(data: bytes, tolerance: int) -> None:
    read = decode_pixels(data, "x")
    assert read.shape == (32, 32, 3)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - RED).max() <= tolerance


@pytest.mark.parametrize(
    ("format_", "options", "tolerance"),
    [
        pytest.param("PNG", {}, 0, id="PNG"),
        pytest.param("WEBP", {"lossless": True}, 0, id="WebP"),
        pytest.param("AVIF", {}, 5, id="AVIF"),
        pytest.param("JPEG2000", {}, 0, id="JPEG-2000"),
        pytest.param("TIFF", {}, 0, id="TIFF"),
    ],
)
def test_a_half_transparent_red_keeps_its_red(format_: str, options: dict[str, Any], tolerance: int) -> None:
    colour = (*RED, 100)
    read = decode_pixels(saved(Image.fromarray(in_colour(colour)), format_, **options), "x")
    assert read.shape == (32, 32, 4)
    assert np.abs(read.astype(int) - colour).max() <= tolerance


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("extra", [0, 1, 2], ids=["unspecified", "multiplied", "straight"])
@pytest.mark.parametrize("depth", Depth)
def test_a_half_transparent_tiff_keeps_its_red_whatever_its_alpha_is(
    depth: Depth, extra: int, order: Literal["<", ">"]
) -> None:
    straight = np.array([*RED, 102]) / 255 * MAXIMA[depth]
    held = straight * [0.4, 0.4, 0.4, 1] if extra == 1 else straight
    pixels = np.full((6, 5, 4), held if depth is Depth.FLOAT else np.rint(held)).astype(TYPES[depth])
    kind = Kind(2, {Depth.EIGHT: "u8", Depth.SIXTEEN: "u16", Depth.FLOAT: "f32"}[depth], (extra,), order=order)
    read = decode_pixels(make_tiff(pixels, kind), "x.tif")
    assert read.shape == (6, 5, 4)
    assert read.dtype == TYPES[depth]
    assert np.abs(read / MAXIMA[depth] - straight / MAXIMA[depth]).max() <= 1.5 / 255


@pytest.mark.parametrize(
    ("held", "straight"),
    [
        pytest.param([78, 12, 4, 100], [199, 31, 10, 100], id="rounded"),  # 198.9, 30.6, 10.2
        pytest.param([78, 12, 4, 255], [78, 12, 4, 255], id="opaque"),
        pytest.param([0, 0, 0, 0], [0, 0, 0, 0], id="invisible"),
        pytest.param([200, 0, 0, 100], [255, 0, 0, 100], id="brighter-than-white"),
    ],
)
def test_colours_that_were_multiplied_by_alpha_are_divided_by_it(held: list[int], straight: list[int]) -> None:
    read = decode_pixels(make_tiff(np.full((2, 3, 4), held, np.uint8), Kind(2, extras=(1,))), "x.tif")
    np.testing.assert_array_equal(read, np.full((2, 3, 4), straight))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_of_ten_or_twelve_bits_is_read_as_sixteen(bits: int, channels: int) -> None:
    white = (1 << bits) - 1
    pixels = np.full((32, 32) if channels == 1 else (32, 32, channels), white, np.uint16)
    pixels[:16] = white // 5
    written, data = cv2.imencode(".avif", pixels, [cv2.IMWRITE_AVIF_DEPTH, bits])
    read = decode_pixels(data.tobytes(), "x.avif")
    assert written
    assert read.dtype == np.uint16
    assert np.abs(read - pixels * (65535 / white)).max() <= 800  # of 65535: AVIF is lossy


def test_a_palette_with_a_transparent_entry_is_read_as_rgba() -> None:
    read = decode_pixels(palette_with_hole(), "x.png")
    assert read.shape == (32, 32, 4)
    assert (read[:, :16, 3] == 0).all()
    assert (read[:, 16:] == (*RED, 255)).all()


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_is_read_as_black_and_white(format_: str) -> None:
    image = Image.new("1", (19, 11))
    for x in range(0, 19, 3):
        image.putpixel((x, x // 2), 1)
    read = decode_pixels(saved(image, format_), "x")
    np.testing.assert_array_equal(read, np.asarray(image).astype(np.uint8) * 255)


def test_grey_with_alpha_is_read_as_rgba() -> None:
    read = decode_pixels(saved(Image.new("LA", (32, 32), (77, 128)), "PNG"), "x.png")
    np.testing.assert_array_equal(read, in_colour((77, 77, 77, 128)))


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_sixteen_bits(format_: str) -> None:
    grey = noise(Depth.SIXTEEN, 1)
    read = decode_pixels(saved(Image.fromarray(grey), format_), "x")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, grey)


def test_a_float_tiff_keeps_its_floats() -> None:
    floats = noise(Depth.FLOAT, 1)
    read = decode_pixels(saved(Image.fromarray(floats), "TIFF"), "x.tif")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, floats)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_tiff_of_doubles_keeps_type_and_colours(channels: int) -> None:
    doubles = noise(Depth.FLOAT, channels).astype(np.float64) / 3
    reversed_order = doubles if channels == 1 else doubles[:, :, [2, 1, 0, 3][:channels]]
    written, data = cv2.imencode(".tif", reversed_order)
    read = decode_pixels(data.tobytes(), "x.tif")
    assert written
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, doubles)


def test_a_grey_jpeg_stays_one_channel() -> None:
    assert decode_pixels(saved(Image.new("L", (20, 10), 77), "JPEG"), "x.jpg").shape == (10, 20)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (13, 9), (1, 1), (3, 40)])
def test_an_interlaced_png_is_read_as_the_plain_one(height: int, width: int) -> None:
    pixels = noise(Depth.EIGHT, 3, height, width)
    np.testing.assert_array_equal(decode_pixels(make_png(pixels, 2, 8, interlaced=True), "x.png"), pixels)


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_read(format_: str) -> None:
    green = Image.new("RGB", (32, 32), (0, 255, 0))
    read = decode_pixels(saved(_RED_IMAGE, format_, save_all=True, append_images=[green]), "x")
    assert np.abs(read[:, :, :3].astype(int) - RED).max() <= 5


def test_whole_numbers_of_32_bits_are_read_as_they_are() -> None:
    read = decode_pixels(saved(Image.fromarray(np.full((8, 8), -70000, np.int32)), "TIFF"), "x.tif")
    np.testing.assert_array_equal(read, np.full((8, 8), -70000.0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format_", "options"),
    [
        pytest.param("JPEG", {"quality": 95}, id="JPEG"),
        pytest.param("PNG", {}, id="PNG"),
        pytest.param("WEBP", {"lossless": True}, id="WebP"),
        pytest.param("TIFF", {}, id="TIFF"),
        pytest.param("AVIF", {"quality": 95}, id="AVIF"),
    ],
)
def test_a_picture_is_turned_as_its_exif_says(format_: str, options: dict[str, Any], orientation: int) -> None:
    data = saved(Image.fromarray(smooth(Depth.EIGHT, 3, 24, 40)), format_, exif=exif_of(orientation), **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    read = decode_pixels(data, "x")
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).max() <= 3


# What is broken


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_an_empty_file_is_refused(suffix: str) -> None:
    assert "empty" in refusal(b"", f"x{suffix}")


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_a_text_named_as_a_picture_is_refused(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "not an image" in refusal(b"hello, this is a text\n" * 40, f"x{suffix}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize(("suffix", "depth", "channels"), CASES)
def test_a_file_that_is_cut_is_refused_and_the_libraries_keep_quiet(
    suffix: str, depth: Depth, channels: int, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encode_image(abs(noise(depth, channels)), f"x{suffix}")
    assert "cut off" in refusal(data[: int(share * len(data))], f"x{suffix}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_that_is_cut_is_read_as_far_as_it_goes_if_allowed(
    share: float, progressive: bool, photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = photo.read_bytes()
    if progressive:
        data = saved(Image.open(io.BytesIO(data)), "JPEG", progressive=True)
    cut = data[: int(share * len(data))]
    assert "--allow-truncated" in refusal(cut, "photo.jpg")
    assert decode_pixels(cut, "photo.jpg", allow_truncated=True).shape == (600, 512, 3)
    assert capfd.readouterr() == ("", "")


def test_the_part_before_the_cut_is_the_picture(photo: Path) -> None:
    data = photo.read_bytes()
    whole = decode_pixels(data, "photo.jpg")
    half = decode_pixels(data[: len(data) // 2], "photo.jpg", allow_truncated=True)
    np.testing.assert_array_equal(half[:200], whole[:200])
    assert (half[-1] == half[-1, 0]).all()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_jpeg_with_a_damaged_middle_is_refused_unless_allowed(
    share: float, photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(photo.read_bytes())
    middle = int(share * len(data))
    data[middle : middle + 400] = bytes(400)
    message = refusal(bytes(data), "photo.jpg")
    assert "damaged" in message
    assert "--allow-truncated" in message
    assert decode_pixels(bytes(data), "photo.jpg", allow_truncated=True).shape == (600, 512, 3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("allow_truncated", [False, True], ids=["strict", "allowing"])
def test_a_jpeg_without_its_tables_is_refused_with_its_damage_though_truncation_is_allowed(
    allow_truncated: bool, photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(photo.read_bytes())
    table = data.rindex(b"\xff\xdb")
    data[table : table + 2] = bytes(2)
    message = refusal(bytes(data), "photo.jpg", allow_truncated=allow_truncated)
    assert re.match(r"photo\.jpg: the JPEG is damaged \(Corrupt JPEG data: \d+ extraneous bytes before marker", message)
    ending = ", and no part of it can be read" if allow_truncated else "; --allow-truncated uses what is left"
    assert message.endswith(ending)
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_of_which_nothing_is_there_is_refused_without_advice_to_allow_it(photo: Path) -> None:
    message = refusal(photo.read_bytes()[:100], "photo.jpg", allow_truncated=True)
    assert message == "photo.jpg: the JPEG is cut off or damaged, and no part of it can be read"


def test_a_whole_jpeg_is_read_the_same_whether_truncation_is_allowed_or_not(photo: Path) -> None:
    data = photo.read_bytes()
    strict, allowed = decode_pixels(data, "photo"), decode_pixels(data, "photo", allow_truncated=True)
    assert strict.shape == (600, 512, 3)
    np.testing.assert_array_equal(strict, allowed)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(photo: Path) -> None:
    data = photo.read_bytes()
    np.testing.assert_array_equal(decode_pixels(data + bytes(64), "photo"), decode_pixels(data, "photo"))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_allowing_truncation_makes_no_picture_of_what_is_no_jpeg(suffix: str) -> None:
    data = encode_image(noise(Depth.EIGHT, 3), f"x{suffix}")
    message = refusal(data[: len(data) // 2], f"x{suffix}", allow_truncated=True)
    assert "cut off" in message
    assert "--allow-truncated" not in message
    assert refusal(b"", f"x{suffix}", allow_truncated=True) == f"x{suffix}: the file is empty"


def test_a_png_whose_pixels_do_not_fit_their_checksum_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encode_image(noise(Depth.EIGHT, 3), "x.png"))
    data[len(data) // 2] ^= 0xFF
    assert "the PNG is damaged (IDAT: " in refusal(bytes(data), "x.png")
    assert capfd.readouterr() == ("", "")


def test_more_pixels_than_opencv_reads_name_the_variable_that_raises_its_limit() -> None:
    png = put_together((60000, 60000), 2, 8, zlib.compress(bytes(1000)))
    assert "OPENCV_IO_MAX_IMAGE_PIXELS" in refusal(png, "x.png")


_WHOLE = {
    suffix: encode_image(smooth(FORMATS[suffix].depths[0], FORMATS[suffix].channels[-1]), f"x{suffix}")
    for suffix in ONE_SUFFIX_EACH.values()
}


@given(
    suffix=st.sampled_from(sorted(_WHOLE)),
    place=st.integers(0, 10_000),
    damage=st.binary(min_size=1, max_size=8),
    allow_truncated=st.booleans(),
)
def test_damage_brings_a_picture_or_one_line_and_nothing_else(
    suffix: str, place: int, damage: bytes, allow_truncated: bool
) -> None:
    data = bytearray(_WHOLE[suffix])
    place %= len(data)
    data[place : place + len(damage)] = damage
    try:
        outcome = f"x: {decode_pixels(bytes(data), 'x', allow_truncated=allow_truncated).shape[2:]}"
    except ImageFileError as error:
        outcome = str(error)
    assert outcome in {"x: ()", "x: (3,)", "x: (4,)"} or re.fullmatch(r"x: [^\n]{20,}", outcome)


@pytest.mark.parametrize("quality", [None, 100, 95, 90, 89, 10])
def test_jpeg_keeps_its_chroma_at_full_size_from_quality_90(quality: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    layers: Any = Image.open(io.BytesIO(encode_image(noise, "x.jpg", quality=quality))).layer  # type: ignore[attr-defined]
    full = quality is None or quality >= 90
    assert [layer[1:3] for layer in layers] == [(1, 1) if full else (2, 2), (1, 1), (1, 1)]
    grey: Any = Image.open(io.BytesIO(encode_image(noise[:, :, 0], "x.jpg", quality=quality))).layer  # type: ignore[attr-defined]
    assert len(grey) == 1


def test_jpeg_of_quality_100_is_close() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    back = decode_pixels(encode_image(noise, "x.jpg", quality=100), "x.jpg")
    assert np.abs(back.astype(int) - noise).max() <= 6


@pytest.mark.parametrize("channels", [3, 4])
def test_a_webp_of_quality_100_is_without_loss_and_so_are_its_frames(channels: int) -> None:
    frames = [noise(Depth.EIGHT, channels), noise(Depth.EIGHT, channels)[::-1].copy()]
    data = encode_image(frames[0], "x.webp", quality=100)
    np.testing.assert_array_equal(decode_pixels(data, "x.webp"), frames[0])
    assert (decode_pixels(encode_image(frames[0], "x.webp", quality=99), "x.webp") != frames[0]).any()
    pages = decode_picture(bytes(encode_pages(frames, "x.webp", (50, 50), 0, quality=100)), "x.webp").pages
    assert pages is not None
    for frame, read in zip(frames, pages, strict=True):
        visible = frame[:, :, -1] > 0 if channels == 4 else np.full(frame.shape[:2], True)
        np.testing.assert_array_equal(read[visible], frame[visible])
