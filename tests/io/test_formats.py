"""The table of formats: suffixes, depths and channels, and how a file without a name is told."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image, encode_pages
from cnnfilter.io.formats import (
    FORMATS,
    MATRIX_SUFFIXES,
    READ_ONLY_SUFFIXES,
    Depth,
    Format,
    find_format,
    is_matrix,
    looks_like_matrix,
)
from cnnfilter.io.headers import read_header
from cnnfilter.io.matrices import encode_matrix
from cnnfilter.io.metadata import Metadata
from cnnfilter.io.transfer import carry_over
from tests.io import IMAGE_SUFFIXES, decode_pixels


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.png", "PNG"),
        ("a.PNG", "PNG"),
        ("folder.d/a.b.Jpeg", "JPEG"),
        ("a.jpg", "JPEG"),
        ("a.jpe", "JPEG"),
        ("a.tif", "TIFF"),
        ("a.TIFF", "TIFF"),
        ("a.dib", "BMP"),
        ("a.jp2", "JPEG 2000"),
        ("a.hdr", "Radiance HDR"),
        ("a.npy", "NPY"),
        ("a.txt", "text"),
        ("-.png", "PNG"),
    ],
)
def test_a_suffix_names_its_format_in_either_case(path: str, name: str) -> None:
    assert find_format(path).name == name
    assert find_format(Path(path)).name == name


def test_an_unknown_suffix_names_the_nearest_and_all_that_are_known() -> None:
    with pytest.raises(OutputError) as caught:
        find_format("out/a.jpge")
    message = str(caught.value)
    assert re.match(r"out/a\.jpge: unknown suffix '\.jpge'; nearest: [^;]*\.jpeg[,;]", message)
    assert all(suffix in message for suffix in FORMATS)
    assert "\n" not in message


@pytest.mark.parametrize("path", ["a", "folder.png/a", ".png"])
def test_a_path_without_a_suffix_is_told_so(path: str) -> None:
    with pytest.raises(OutputError, match=r": no suffix.*known are \.png"):
        find_format(path)


def test_every_suffix_is_of_a_picture_or_of_a_matrix() -> None:
    assert set(IMAGE_SUFFIXES) | set(MATRIX_SUFFIXES) == set(FORMATS)
    assert not set(IMAGE_SUFFIXES) & set(MATRIX_SUFFIXES)
    assert set(MATRIX_SUFFIXES) == {".npy", ".csv", ".tsv", ".txt"}


def _smallest(format_: Format) -> Array:
    """Return the least picture that a format holds."""
    side = format_.smallest_side
    dtype = np.float32 if format_.depths == (Depth.FLOAT,) else np.uint8
    return np.full((side, side) if 1 in format_.channels else (side, side, 3), 100, dtype)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_row_of_a_picture_format_is_complete_and_true(suffix: str) -> None:
    row = FORMATS[suffix]
    data = bytes(encode_image(_smallest(row), f"x{suffix}"))
    header = read_header(data)
    assert header.format == ("PGM" if row.name == "PNM" else row.name)
    assert (header.height, header.width, header.pages) == (row.smallest_side, row.smallest_side, 1)
    assert not row.flag or isinstance(getattr(cv2, row.flag), int)
    assert bool(row.flag) == bool(row.usual or row.option)
    assert row.option in {"", "quality", "compression"}
    assert row.pages in {"", "pages", "frames"}
    assert cv2.haveImageWriter(f"x{suffix}")
    exif = Metadata(b"II*\0\x08\0\0\0" + bytes(6))
    kept, lost = carry_over(exif, row, _smallest(row))
    assert (kept == exif, bool(lost)) == (row.metadata, not row.metadata)


LIMITED = [suffix for suffix in IMAGE_SUFFIXES if FORMATS[suffix].largest_side < 1 << 31]


@pytest.mark.parametrize("suffix", LIMITED)
@pytest.mark.parametrize("upright", [False, True])
def test_the_longest_side_is_written_and_read_back_and_one_more_is_refused(suffix: str, upright: bool) -> None:
    most = FORMATS[suffix].largest_side
    shape = (most, 3) if upright else (3, most)
    data = bytes(encode_image(np.zeros(shape, np.uint8), f"x{suffix}"))
    assert decode_picture(data, "x").pixels.shape[:2] == shape
    with pytest.raises(ImageFileError, match=f"holds {most} pixels on each side at most"):
        encode_image(np.zeros([side + (side == most) for side in shape], np.uint8), f"x{suffix}")


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_several_pictures_are_written_where_the_row_says_so(suffix: str) -> None:
    row = FORMATS[suffix]
    pages = [_smallest(row), 2 * _smallest(row)]
    if not row.pages:
        with pytest.raises(ImageFileError, match="cannot hold 2 images"):
            encode_pages(pages, f"x{suffix}")
        return
    header = read_header(bytes(encode_pages(pages, f"x{suffix}")))
    assert header.pages == 2


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_float64_is_written_where_the_row_says_so(suffix: str) -> None:
    row = FORMATS[suffix]
    if Depth.FLOAT in row.depths:
        held = decode_pixels(bytes(encode_image(np.full((4, 4, 3), 1 / 3), f"x{suffix}")), "x")
        assert held.dtype == (np.float64 if row.doubles else np.float32)
    else:
        assert not row.doubles


@pytest.mark.parametrize("suffix", READ_ONLY_SUFFIXES)
def test_what_is_only_read_has_no_row(suffix: str) -> None:
    assert suffix not in FORMATS


@pytest.mark.parametrize("suffix", FORMATS)
def test_suffixes_are_lower_case_and_depths_stand_from_shallow_to_deep(suffix: str) -> None:
    format_ = FORMATS[suffix]
    assert suffix == suffix.lower()
    assert suffix.startswith(".")
    assert list(format_.depths) == [depth for depth in Depth if depth in format_.depths]
    assert format_.depths
    assert list(format_.channels) == sorted(set(format_.channels) & {1, 3, 4})


def test_matrices_hold_any_channels_and_every_depth() -> None:
    assert {suffix for suffix in FORMATS if FORMATS[suffix].is_matrix} == set(MATRIX_SUFFIXES)
    assert [FORMATS[suffix].separator for suffix in MATRIX_SUFFIXES] == ["", ",", "\t", " "]
    for suffix in MATRIX_SUFFIXES:
        assert FORMATS[suffix].channels == ()
        assert FORMATS[suffix].depths == tuple(Depth)


def test_only_some_picture_formats_hold_floats() -> None:
    holding = {suffix for suffix in IMAGE_SUFFIXES if Depth.FLOAT in FORMATS[suffix].depths}
    assert holding == {".tif", ".tiff", ".pfm", ".hdr"}


def test_suffixes_of_one_format_are_one_format() -> None:
    for group in ([".jpg", ".jpeg", ".jpe"], [".tif", ".tiff"], [".bmp", ".dib"]):
        assert len({FORMATS[suffix] for suffix in group}) == 1


@pytest.mark.parametrize(
    ("path", "answer"),
    [("a.txt", True), ("a.CSV", True), ("a.tsv", True), ("a.npy", True), ("a.png", False), ("a", False), ("-", False)],
)
def test_a_matrix_is_told_by_its_suffix(path: str, answer: bool) -> None:
    assert is_matrix(path) is answer
    assert is_matrix(Path(path)) is answer


@pytest.mark.parametrize(
    "text",
    ["1 2\n3 4\n", "-1,2", "+1", ".5 1", "# a comment\n1 2", "  1 2", "\t1\t2", "\n1 2", "\r\n1 2", "\ufeff1 2\n3 4\n"],
    ids=repr,
)
def test_rows_of_numbers_without_a_name_are_a_matrix(text: str) -> None:
    assert looks_like_matrix(text.encode())


@pytest.mark.parametrize("suffix", MATRIX_SUFFIXES)
def test_every_matrix_that_we_write_is_known_without_its_name(suffix: str) -> None:
    assert looks_like_matrix(encode_matrix(np.array([[-1.5, 2.0], [0.0, 4.0]]), f"x{suffix}"))


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_no_picture_that_we_write_is_taken_for_a_matrix(suffix: str) -> None:
    format_ = FORMATS[suffix]
    dtype = np.float32 if format_.depths == (Depth.FLOAT,) else np.uint8
    shape = (40, 40) if 1 in format_.channels else (40, 40, 3)
    assert not looks_like_matrix(bytes(encode_image(np.ones(shape, dtype), f"x{suffix}")))


@pytest.mark.parametrize("data", [b"", b"hello", b"P2 1 1 255 7"])
def test_what_starts_with_no_number_is_no_matrix(data: bytes) -> None:
    assert not looks_like_matrix(data)
