"""Headers: sizes and pages told without decoding, for every format, and nothing told of what is none."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import Header, read_header
from tests.io.damage import HEIGHT, WIDTH, whole_files

FILES = whole_files()

SEVERAL = [name for name in FILES if name.startswith(("pages", "frames"))]

ANIMATED = (".gif", ".png")


def _count_frames(data: bytes) -> int:
    """Return how many frames Pillow finds."""
    with Image.open(io.BytesIO(data)) as image:
        return int(getattr(image, "n_frames", 1))


@pytest.mark.parametrize("name", FILES)
def test_the_size_is_that_of_the_file(name: str) -> None:
    header = read_header(FILES[name])
    assert (header.height, header.width, header.refusal) == (HEIGHT, WIDTH, "")
    assert header.pages == (3 if name in SEVERAL else _count_frames(FILES[name]) if name.endswith(ANIMATED) else 1)
    assert header.total in {0, header.pages * HEIGHT * WIDTH}


@pytest.mark.parametrize("name", FILES)
def test_a_pixel_takes_as_much_as_is_decoded_or_four_values(name: str) -> None:
    header, decoded = read_header(FILES[name]), decode_picture(FILES[name], name).pixels
    assert header.height
    assert header.depth <= max(4 * decoded.dtype.itemsize, decoded.nbytes // (HEIGHT * WIDTH))


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".png", ".gif", ".webp", ".jpg"))])
def test_a_file_without_its_last_bytes_is_not_whole(name: str) -> None:
    header = read_header(FILES[name][:-3])
    assert not header.height or header.refusal


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".tif")])
def test_a_tiff_without_its_last_bytes_has_a_size_and_is_refused_at_the_latest_when_it_is_decoded(name: str) -> None:
    header = read_header(FILES[name][:-3])
    assert (header.height, header.width) == (HEIGHT, WIDTH)
    with pytest.raises(ImageFileError, match=r"cut off|damaged") as caught:
        list(decode_picture(FILES[name][:-3], "x").pages or ())
    assert header.refusal in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P",
        b"P6 x",
        b"BM",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"GIF89a\1",
        b"II*\0\xff\xff\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        b"#?RADIANCE",
        b"P7\nWIDTH 3\n",
        b"a text",
    ],
)
def test_nothing_is_told_of_a_header_that_ends_too_early(data: bytes) -> None:
    assert read_header(data)._replace(format="", refusal="") == Header(0, 0)


def test_a_chain_of_pages_that_leads_back_ends_with_a_note() -> None:
    directory = struct.pack("<HHHII", 1, 256, 4, 1, 7) + struct.pack("<I", 8)
    header = read_header(b"II*\0" + struct.pack("<I", 8) + directory)
    assert header.height == 0
    assert (header.pages, header.refusal) == (1, "")
    assert header.notes == ("the list of the TIFF's pages leads back to an earlier one, and ends there",)


@given(st.sampled_from(sorted(FILES)), st.integers(0, 200), st.binary(max_size=12))
def test_any_bytes_are_a_header_or_none(name: str, place: int, damage: bytes) -> None:
    data = FILES[name][:place] + damage + FILES[name][place + len(damage) :]
    header = read_header(data)
    assert header.pages >= 1
    assert header.shape is None or (len(header.shape) in {2, 3} and min(header.shape) > 0)
