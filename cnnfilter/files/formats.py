"""The file formats that are written: their suffixes, and the depths and channels each can hold."""

from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from cnnfilter.errors import OutputError, nearest


class Depth(StrEnum):
    """How a pixel's number is held."""

    EIGHT = "8"
    SIXTEEN = "16"
    FLOAT = "float"


class Range(StrEnum):
    """How results are brought into the range of a file; x is in the input's units."""

    CLIP = "clip"
    ABS = "abs"
    SCALE = "scale"
    MAX = "max"
    OFFSET = "offset"
    NONE = "none"


class Kind(StrEnum):
    """Whether a file holds a picture or plain numbers."""

    IMAGE = "image"
    MATRIX = "matrix"


class Format(NamedTuple):
    """A file format.

    Parameters
    ----------
    name
        As people call it.
    kind
        A picture, or a matrix that holds any numbers as they are.
    depths
        What its pixels can be, the deepest last.
    channels
        How many channels it can hold; empty for any number.
    smallest_side
        The least height and width that OpenCV writes.
    signed
        Whether its floats can be negative.
    pages
        Whether a file can hold several pictures.
    """

    name: str
    kind: Kind
    depths: tuple[Depth, ...]
    channels: tuple[int, ...]
    smallest_side: int = 1
    signed: bool = True
    pages: bool = False


_EIGHT = (Depth.EIGHT,)
_INTEGERS = (Depth.EIGHT, Depth.SIXTEEN)
_FLOATS = (Depth.FLOAT,)
_ALL = (Depth.EIGHT, Depth.SIXTEEN, Depth.FLOAT)

_JPEG = Format("JPEG", Kind.IMAGE, _EIGHT, (1, 3))
_TIFF = Format("TIFF", Kind.IMAGE, _ALL, (1, 3, 4), pages=True)
_BMP = Format("BMP", Kind.IMAGE, _EIGHT, (1, 3, 4))

FORMATS = {
    ".png": Format("PNG", Kind.IMAGE, _INTEGERS, (1, 3, 4), pages=True),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".jpe": _JPEG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": Format("WebP", Kind.IMAGE, _EIGHT, (1, 3, 4), pages=True),
    ".avif": Format("AVIF", Kind.IMAGE, _EIGHT, (1, 3, 4), pages=True),
    ".jp2": Format("JPEG 2000", Kind.IMAGE, _INTEGERS, (1, 3, 4), smallest_side=32),
    ".bmp": _BMP,
    ".dib": _BMP,
    ".gif": Format("GIF", Kind.IMAGE, _EIGHT, (3, 4), pages=True),
    ".pgm": Format("PGM", Kind.IMAGE, _INTEGERS, (1,)),
    ".ppm": Format("PPM", Kind.IMAGE, _INTEGERS, (3,)),
    ".pnm": Format("PNM", Kind.IMAGE, _INTEGERS, (1, 3)),
    ".pfm": Format("PFM", Kind.IMAGE, _FLOATS, (1, 3)),
    ".hdr": Format("Radiance HDR", Kind.IMAGE, _FLOATS, (3,), signed=False),
    ".npy": Format("NPY", Kind.MATRIX, _ALL, ()),
    ".csv": Format("CSV", Kind.MATRIX, _ALL, ()),
    ".tsv": Format("TSV", Kind.MATRIX, _ALL, ()),
    ".txt": Format("text", Kind.MATRIX, _ALL, ()),
}
"""What OpenCV 5 writes and reads back (tried for each), and the matrices."""

QUALITY_FORMATS, COMPRESSION_FORMATS = ("JPEG", "WebP", "AVIF"), ("PNG",)
"""Those that a quality, or a compression, can be asked of."""

MATRIX_SUFFIXES = tuple(suffix for suffix, format_ in FORMATS.items() if format_.kind is Kind.MATRIX)


def find_format(path: str | PurePath) -> Format:
    """Return the format that a path's suffix names.

    Raises
    ------
    OutputError
        If there is no suffix, or none that is known.

    Examples
    --------
    >>> find_format("edges.JPG").name
    'JPEG'
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in FORMATS:
        what = f"unknown suffix {suffix!r}" if suffix else "no suffix (a folder ends in /, standard output is -o -)"
        raise OutputError(f"{path}: {what}{nearest(suffix, FORMATS)}; known are {' '.join(FORMATS)}")
    return FORMATS[suffix]


def is_matrix(path: str | PurePath) -> bool:
    """Return whether a path names a matrix rather than a picture."""
    return PurePath(path).suffix.lower() in MATRIX_SUFFIXES


def looks_like_matrix(data: bytes) -> bool:
    """Return whether bytes without a name are a matrix: a `.npy` file, or rows of numbers as text.

    Examples
    --------
    >>> looks_like_matrix(b"1 2; 3"), looks_like_matrix(b"P2 1 1 255 7"), looks_like_matrix(b"# x")
    (True, False, True)
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    picture = text.startswith(b"#?")  # Radiance HDR
    return data.startswith(b"\x93NUMPY") or (text[:1] in _MATRIX_STARTS and not picture)


_MATRIX_STARTS = {bytes([sign]) for sign in b"0123456789+-.# \t\r\n"}
