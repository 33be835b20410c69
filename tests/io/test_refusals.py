"""Files that are not read, each refused in words that say what it is."""

import gzip
import random
import struct
from pathlib import Path

import pytest

import cnnfilter
from cnnfilter.errors import ImageFileError
from cnnfilter.io.signatures import FORMATS_READ
from tests.io import decode_pixels
from tests.io.damage import whole_files

FILES = whole_files()


def refusal(data: bytes, name: str) -> str:
    """Return the reason for which a file is not read."""
    with pytest.raises(ImageFileError) as caught:
        decode_pixels(data, name)
    assert str(caught.value) == f"{name}: {caught.value.reason}"
    return caught.value.reason


def brand(name: bytes, *others: bytes) -> bytes:
    """Return the beginning of a file of boxes."""
    return struct.pack(">I4s4sI", 16 + 4 * len(others), b"ftyp", name, 0) + b"".join(others) + bytes(200)


NOT_READ = {
    "HEIC": brand(b"heic", b"mif1", b"heic"),
    "HEIF": brand(b"jpeg", b"mif1", b"jpeg"),
    "DPX": b"SDPX" + bytes(60),
    "JPEG XL": b"\xff\x0a" + bytes(60),
    "PSD": b"8BPS\0\1" + bytes(60),
    "ICO": b"\0\0\1\0\2\0" + bytes(60),
    "CUR": b"\0\0\2\0\1\0" + bytes(60),
    "PCX": b"\n\5\1\x08" + bytes(124),
    "OpenEXR": b"\x76\x2f\x31\1\2\0\0\0" + bytes(60),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "SVG": b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg width="1">\n</svg>\n',
    "DDS": b"DDS |" + bytes(120),
    "SGI": b"\1\xda\1\1" + bytes(508),
    "QOI": b"qoif" + bytes(20),
    "FITS": b"SIMPLE  =                    T" + b" " * 50,
    "DICOM": bytes(128) + b"DICM" + bytes(60),
    "JPEG XR": b"II\xbc\1" + bytes(60),
    "camera raw (CR3)": brand(b"crx ", b"isom"),
    "camera raw (RAF)": b"FUJIFILMCCD-RAW 0201" + bytes(60),
    "ICNS": b"icns" + bytes(60),
    "XPM": b"/* XPM */\nstatic char *x[] = {\n",
    "XBM": b"#define x_width 8\n#define x_height 1\nstatic char x_bits[] = {1};\n",
    "FLI": struct.pack("<IH", 200, 0xAF12) + bytes(60),
    "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(60),
    "BPG": b"BPG\xfb" + bytes(60),
    "OS/2 bitmap array": b"BA" + bytes(12) + b"BM" + bytes(60),
    "TGA": bytes(60) + b"TRUEVISION-XFILE.\0",
}


@pytest.mark.parametrize("what", NOT_READ)
def test_a_format_that_is_not_read_is_named(what: str) -> None:
    assert refusal(NOT_READ[what], "x.png") == f"{what} is not supported; convert it to PNG or TIFF first"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello\nworld\n", "a text, not an image"),
        ("f\u00fcr \u00e4lter".encode(), "a text, not an image"),
        ("f\u00fcr einen Text von Leuten ohne Unicode".encode("latin-1"), "a text, not an image"),
        ("text".encode("utf-16"), "a text, not an image"),
        (b"<!DOCTYPE html>\n<html></html>", "an HTML page, not an image"),
        (b"PK\3\4" + bytes(60), "a ZIP archive, not an image"),
        (gzip.compress(b"x"), "compressed by gzip; unpack it first"),
        (b"\x89PN", "the PNG is cut off (in its first 8 bytes)"),
        (brand(b"isom"), "a video, not an image"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, not the image itself"),
        (b"Please read me\n", "a text, not an image"),
        (b"BM is a text too, and long enough\n", "a text, not an image"),
        (b"\x89PNG\n\x1a\n" + bytes(60), "the PNG is damaged (in its first 8 bytes, as by a transfer in text mode)"),
        (bytes(range(256)), f"not an image of a known format ({FORMATS_READ})"),
        (random.Random(0).randbytes(999), f"not an image of a known format ({FORMATS_READ})"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_what_is_no_image_is_called_by_its_name(data: bytes, reason: str) -> None:
    assert refusal(data, "x.png").startswith(reason)


def test_a_tga_is_known_by_its_name_alone() -> None:
    plain = bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 24, 0, 1, 2, 3])
    assert refusal(plain, "x.tga").startswith("TGA is not supported")
    assert refusal(plain, "x.png").startswith("not an image of a known format")


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (20, "the PNG is cut off (in chunk IHDR)"),
        (100, "the PNG is cut off (in chunk IDAT)"),
        (-12, "the PNG is cut off (it has no chunk IEND)"),
        (-3, "the PNG is cut off (in chunk IEND)"),
    ],
)
def test_a_png_that_is_cut_is_refused_with_the_chunk(length: int, reason: str) -> None:
    assert refusal(FILES["3-8.png"][:length], "x.png") == reason


def test_a_png_whose_pixels_are_damaged_is_refused_with_the_reason_of_libpng() -> None:
    data = bytearray(FILES["3-8.png"])
    data[data.index(b"IDAT") + 100] ^= 1
    assert refusal(bytes(data), "x.png").startswith("the PNG is damaged (IDAT: ")


NAMES = {"pnm": "P", "jp2": "JPEG 2000", "j2k": "JPEG 2000", "hdr": "Radiance HDR", "dib": "BMP", "ras": "Sun"}
NAMES |= {"jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "tif": "TIFF", "tiff": "TIFF", "webp": "WebP"}


@pytest.mark.parametrize("name", [name for name in FILES if name != "pages.tif"])  # its first page may be whole
def test_every_refusal_of_a_cut_file_names_its_format(name: str) -> None:
    suffix = name.rpartition(".")[2]
    for share in (0.3, 0.6, 0.9, 0.99):
        data = FILES[name][: int(share * len(FILES[name]))]
        assert NAMES.get(suffix, suffix.upper()) in refusal(data, "x"), share


def raw(first: dict[int, tuple[int, bytes]], below: int = 0) -> bytes:
    """Return a TIFF of a directory of tags, (kind, four bytes), and of one below it with a photometric."""
    tags = first | ({330: (4, struct.pack("<I", 8 + 2 + 12 * (len(first) + 1) + 4))} if below else {})
    entries = b"".join(struct.pack("<HHI", tag, kind, 1) + value for tag, (kind, value) in sorted(tags.items()))
    after = struct.pack("<HHHIHHI", 1, 262, 3, 1, below, 0, 0) if below else b""
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + after


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(60), "camera raw (CR2)"),
        (raw({256: (4, b"\1\0\0\0"), 50706: (1, b"\1\4\0\0")}), "camera raw (DNG)"),
        (raw({254: (4, b"\1\0\0\0")}, below=32803), "camera raw"),
        (raw({262: (3, struct.pack("<I", 34892))}), "camera raw"),
    ],
    ids=["cr2", "dng", "below", "linear"],
)
def test_the_raw_data_of_a_camera_is_named_and_not_its_preview_read(data: bytes, what: str) -> None:
    assert refusal(data, "x.tif") == f"{what} is not supported; convert it to PNG or TIFF first"


def test_no_sentence_fits_every_file() -> None:
    package = Path(cnnfilter.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    assert not [text for text in texts if "UNREADABLE" in text]
    assert not [text for text in texts if "an image that can be read" in text]
