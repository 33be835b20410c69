"""The file formats that are written: their suffixes, and all that is known of each."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from cnnfilter.errors import OutputError, nearest

if TYPE_CHECKING:
    from pathlib import PurePath


class Depth(StrEnum):
    """How a pixel's number is held."""

    EIGHT = "8"
    SIXTEEN = "16"
    FLOAT = "float"


Colour = tuple[float, float, float]
"""Red, green and blue, from 0 to 1."""


class Range(StrEnum):
    """How results are brought into the range of a file; x is in the input's units."""

    CLIP = "clip"
    ABS = "abs"
    SCALE = "scale"
    MAX = "max"
    OFFSET = "offset"
    NONE = "none"


class Format(NamedTuple):
    """A file format. How its header is read is in `headers`, under the same name."""

    name: str  # as people call it
    depths: tuple[Depth, ...]  # what its pixels can be, the deepest last
    channels: tuple[int, ...] = ()  # how many an image can have; a matrix holds any number of them, and lists none
    flag: str = ""  # OpenCV's constant for a number that it takes when it writes the format
    usual: int | None = None  # that number where nothing is asked; None leaves it to OpenCV
    option: str = ""  # what sets it, `quality` or `compression`
    pages: Literal["", "pages", "frames"] = ""  # what several images are; frames have times, 8 bits and one size
    metadata: bool = False  # whether EXIF, XMP, a colour profile and the resolution are written into it
    smallest_side: int = 1  # the least height and width that OpenCV writes
    largest_side: int = 1 << 31  # the greatest height and width that are written and read back
    signed: bool = True  # whether its floats can be negative
    doubles: bool = False  # whether its floats can be float64
    is_matrix: bool = False  # whether it holds any numbers as they are, and no image
    separator: str = ""  # between the numbers of a text

    @property
    def holds_alpha(self) -> bool:
        """Whether a file of it can say how transparent each pixel is."""
        return self.is_matrix or 4 in self.channels

    @property
    def holds_partial_alpha(self) -> bool:
        """Whether a file of it can say more of a pixel than whether it is transparent, as a GIF does."""
        return self.holds_alpha and self.name != "GIF"


_EIGHT, _INTEGERS, _FLOATS, _ALL = (Depth.EIGHT,), (Depth.EIGHT, Depth.SIXTEEN), (Depth.FLOAT,), tuple(Depth)
_COLOURS = (1, 3, 4)

_PNG = Format("PNG", _INTEGERS, _COLOURS, "IMWRITE_PNG_COMPRESSION", None, "compression")
_JPEG = Format("JPEG", _EIGHT, (1, 3), "IMWRITE_JPEG_QUALITY", 95, "quality", metadata=True, largest_side=65_500)
_WEBP = Format("WebP", _EIGHT, _COLOURS, "IMWRITE_WEBP_QUALITY", 95, "quality")
_AVIF = Format("AVIF", _EIGHT, _COLOURS, "IMWRITE_AVIF_QUALITY", None, "quality")
_TIFF = Format("TIFF", _ALL, _COLOURS, pages="pages", metadata=True, doubles=True)
_BMP = Format("BMP", _EIGHT, _COLOURS)

FORMATS = {  # by default OpenCV writes WebP without loss, and keeps a quarter of JPEG 2000
    ".png": _PNG._replace(pages="frames", metadata=True, largest_side=1_000_000),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".jpe": _JPEG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": _WEBP._replace(pages="frames", metadata=True, largest_side=16_383),
    ".avif": _AVIF._replace(pages="frames", metadata=True, largest_side=32_768),
    ".jp2": Format("JPEG 2000", _INTEGERS, _COLOURS, "IMWRITE_JPEG2000_COMPRESSION_X1000", 1000, smallest_side=32),
    ".bmp": _BMP,
    ".dib": _BMP,
    ".gif": Format("GIF", _EIGHT, (3, 4), pages="frames", largest_side=65_535),
    ".pgm": Format("PGM", _INTEGERS, (1,)),
    ".ppm": Format("PPM", _INTEGERS, (3,)),
    ".pnm": Format("PNM", _INTEGERS, (1, 3)),
    ".pfm": Format("PFM", _FLOATS, (1, 3)),
    ".hdr": Format("Radiance HDR", _FLOATS, (3,), signed=False),
    ".npy": Format("NPY", _ALL, is_matrix=True),
    ".csv": Format("CSV", _ALL, is_matrix=True, separator=","),
    ".tsv": Format("TSV", _ALL, is_matrix=True, separator="\t"),
    ".txt": Format("text", _ALL, is_matrix=True, separator=" "),
}
"""What OpenCV 5 writes and reads back (tried for each), and the matrices."""

ZARR = Format("Zarr", _ALL, is_matrix=True)
"""A folder or a prefix that holds an array, which is worked on chunk by chunk."""

FULL_CHROMA = 90
"""The quality from which a JPEG keeps its chroma at full size (4:4:4); below, at half the size (4:2:0)."""

LOSSLESS = 100
"""The quality at which a WebP loses nothing."""

READ_ONLY_SUFFIXES = (".pbm", ".pam", ".ras", ".sr", ".j2k", ".jfif", ".apng")
"""Of images that are read, and whose results need another suffix."""

IMAGE_SUFFIXES = tuple(suffix for suffix, format_ in FORMATS.items() if not format_.is_matrix)
MATRIX_SUFFIXES = tuple(suffix for suffix, format_ in FORMATS.items() if format_.is_matrix)

FORMATS_TAKING = {
    option: tuple(dict.fromkeys(row.name for row in FORMATS.values() if row.option == option))
    for option in ("quality", "compression")
}
"""The names of the formats that take an option."""

_MATRIX_STARTS = {bytes([sign]) for sign in b"0123456789+-.# \t\r\n"}

_ARRAY = re.compile(r"\.zarr([\\/]+[^\\/.]+)*[\\/]*$", re.IGNORECASE)
"""The end of a name of a Zarr array, which may be in a group."""


@lru_cache(maxsize=16)
def find_suffix(path: str | PurePath) -> str:
    """Return what follows the last dot in the name of a file, with the dot, in small letters; as `PurePath.suffix`."""
    name = os.path.split(str(path).rstrip("/"))[1]
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


@lru_cache(maxsize=16)
def find_format(path: str | PurePath) -> Format:
    """Return the format that a path's suffix names; `OutputError` if there is no suffix, or none that is known."""
    suffix = find_suffix(path)
    if is_array(path):
        return ZARR
    if suffix not in FORMATS:
        what = f"unknown suffix {suffix!r}" if suffix else "no suffix (a folder ends in /, standard output is -o -)"
        raise OutputError(f"{what}{nearest(suffix, [*FORMATS, '.zarr'])}; known are {' '.join(FORMATS)}", path=path)
    return FORMATS[suffix]


def is_array(path: str | PurePath) -> bool:
    """Return whether a path names a Zarr array, or one in a group, such as slide.zarr/0."""
    return bool(_ARRAY.search(str(path)))


def is_matrix(path: str | PurePath) -> bool:
    """Return whether a path names a matrix or an array rather than an image."""
    return find_suffix(path) in MATRIX_SUFFIXES or is_array(path)


def looks_like_matrix(data: bytes) -> bool:
    """Return whether bytes without a name are a matrix: a `.npy` file, or rows of numbers as text."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    is_text = text[:1] in _MATRIX_STARTS or text[:3].lower() in {b"nan", b"inf"}
    is_text = is_text and not text.startswith(b"#?")  # Radiance HDR
    return data.startswith(b"\x93NUMPY") or is_text


def name_formats_taking(option: str) -> str:
    """Return the formats that take an option, as its help names them.

    Examples
    --------
    >>> name_formats_taking("quality"), name_formats_taking("compression")
    ('JPEG, WebP and AVIF', 'PNG')
    """
    *others, last = FORMATS_TAKING[option]
    return f"{', '.join(others)} and {last}" if others else last


def name_formats_of_pages() -> str:
    """Return the suffixes of the formats that hold several images: those of frames first, the plainest first.

    Examples
    --------
    >>> name_formats_of_pages()
    '.gif, .png, .webp, .avif and .tif'
    """
    rows = dict.fromkeys(row for row in FORMATS.values() if row.pages)
    plainest_first = sorted(rows, key=lambda row: (row.pages != "frames", len(row.channels)))
    *others, last = (next(suffix for suffix in FORMATS if FORMATS[suffix] == row) for row in plainest_first)
    return f"{', '.join(others)} and {last}"
