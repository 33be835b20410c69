"""Several pictures in a file: all are read, one is, and all are written where the format holds them."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_pages
from tests.io import exif_of, saved

FORMATS = {".gif": "GIF", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF"}

TIMED = [suffix for suffix in FORMATS if suffix != ".tif"]

OPTIONS: dict[str, dict[str, Any]] = {
    ".webp": {"lossless": True},
    ".avif": {"quality": 100, "subsampling": "4:4:4"},
}

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def flat(colour: tuple[int, ...], height: int = 20, width: int = 32) -> Array:
    return np.full((height, width, len(colour)), colour, np.uint8)


THREE = [flat(colour) for colour in (RED, GREEN, BLUE)]


def saved_pages(suffix: str, pages: list[Array] = THREE, **options: Any) -> bytes:
    """Return what Pillow writes."""
    first, *others = [Image.fromarray(page) for page in pages]
    timing = {"duration": [100, 200, 300], "loop": 2} if suffix in TIMED else {}
    options = timing | OPTIONS.get(suffix, {}) | options
    return saved(first, FORMATS[suffix], save_all=True, append_images=others, **options)


def is_near(pixels: Array, colour: tuple[int, ...]) -> bool:
    return bool(np.abs(pixels[:, :, :3].astype(int) - colour).max() <= 8)


@pytest.mark.parametrize("suffix", FORMATS)
def test_all_pages_are_read_in_their_order(suffix: str) -> None:
    image = decode_picture(saved_pages(suffix), "x")
    assert image.pages is not None
    assert image.pages.count == 3
    assert is_near(image.pixels, RED)
    assert [is_near(page, colour) for page, colour in zip(image.pages, (RED, GREEN, BLUE), strict=True)] == [True] * 3


@pytest.mark.parametrize("suffix", TIMED)
def test_the_times_of_frames_are_known_when_they_have_been_read(suffix: str) -> None:
    pages = decode_picture(saved_pages(suffix), "x").pages
    assert pages is not None
    assert len(list(pages)) == 3
    assert pages.durations == (100, 200, 300)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("page", "colour"), [(1, RED), (2, GREEN), (3, BLUE)])
def test_one_page_is_read_by_its_number(suffix: str, page: int, colour: tuple[int, ...]) -> None:
    image = decode_picture(saved_pages(suffix), "x", page=page)
    assert is_near(image.pixels, colour)
    assert image.pages is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_page_that_is_not_there_is_refused(suffix: str) -> None:
    with pytest.raises(ImageFileError, match=r"x: has 3 pages, and --page 4 does not exist"):
        decode_picture(saved_pages(suffix), "x", page=4)


def test_a_file_of_one_picture_has_no_pages() -> None:
    assert decode_picture(saved_pages(".tif", [flat(RED)]), "x").pages is None
    with pytest.raises(ImageFileError, match="has 1 page"):
        decode_picture(saved_pages(".tif", [flat(RED)]), "x", page=2)


def test_the_pages_of_a_tiff_may_all_differ() -> None:
    deep = np.full((5, 7), 40_000, np.uint16)
    half = np.full((9, 4, 4), (10, 20, 30, 128), np.uint8)
    pages = decode_picture(saved_pages(".tif", [flat(RED), deep, half]), "x").pages
    assert pages is not None
    first, second, third = pages
    assert is_near(first, RED)
    np.testing.assert_array_equal(second, deep)
    np.testing.assert_array_equal(third, half)
    np.testing.assert_array_equal(pages[1], deep)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_other_programs_read(suffix: str) -> None:
    written = bytes(encode_pages(THREE, f"x{suffix}", (100, 200, 300), 2, quality=100))
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(written)))]
    colours = zip(frames, (RED, GREEN, BLUE), strict=True)
    assert [np.abs(frame.astype(int) - colour).max() <= 60 for frame, colour in colours] == [True] * 3
    if suffix in TIMED:
        pages = decode_picture(written, "x").pages
        assert pages is not None
        assert len(list(pages)) == 3
        assert pages.durations == (100, 200, 300)


def test_a_tiff_holds_pages_of_any_kind() -> None:
    pages = [flat(RED), np.full((5, 7), 40_000, np.uint16), np.full((9, 4, 3), -0.5, np.float32)]
    read = decode_picture(bytes(encode_pages(pages, "x.tif")), "x").pages
    assert read is not None
    for page, expected in zip(read, pages, strict=True):
        np.testing.assert_array_equal(page, expected)


@pytest.mark.parametrize("suffix", TIMED)
def test_frames_of_different_sizes_are_refused_and_what_holds_them_is_named(suffix: str) -> None:
    with pytest.raises(ImageFileError, match=r"20x32, 20x30; use \.tif, --page N for one"):
        encode_pages([flat(RED), flat(RED, width=30)], f"x{suffix}")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_frames_of_different_channels_get_as_many_each(suffix: str) -> None:
    pages = [np.full((20, 32), 90, np.uint8), flat(RED), flat((*BLUE, 0))]
    read = decode_picture(bytes(encode_pages(pages, f"x{suffix}")), "x").pages
    assert read is not None
    assert [page.shape for page in read] == [(20, 32, 4)] * 3


def test_a_format_of_one_picture_refuses_several() -> None:
    with pytest.raises(ImageFileError, match="JPEG"):
        encode_pages(THREE, "x.jpg")


def test_the_quality_counts_for_frames_too() -> None:
    noise = [np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8) for seed in (1, 2)]
    small, usual = (bytes(encode_pages(noise, "x.webp", quality=quality)) for quality in (10, None))
    assert len(small) < len(usual)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_off_in_a_later_page_is_refused(suffix: str, share: float) -> None:
    noise = [np.random.default_rng(seed).integers(0, 256, (20, 32, 3), dtype=np.uint8) for seed in (1, 2, 3)]
    data = saved_pages(suffix, noise)

    def read_all() -> list[Array]:
        return list(decode_picture(data[: int(share * len(data))], "x").pages or ())

    with pytest.raises(ImageFileError, match="cut off"):
        read_all()


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_every_frame_is_upright(suffix: str) -> None:
    frames = [np.random.default_rng(seed).integers(0, 256, (20, 32, 3), np.uint8) for seed in range(3)]
    image = decode_picture(saved_pages(suffix, frames, exif=exif_of(6)), "x")
    assert image.pages is not None
    for index, (read, frame) in enumerate(zip(image.pages, frames, strict=True)):
        np.testing.assert_array_equal(read, np.rot90(frame, -1))
        np.testing.assert_array_equal(image.pages[index], read)
