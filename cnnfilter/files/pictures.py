"""What comes from an input, picture or matrix, and how it goes into a file."""

from pathlib import Path
from typing import NamedTuple

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.files.formats import Depth, is_matrix
from cnnfilter.files.images import Encoded, Encoding, decode_image, encode_image
from cnnfilter.files.levels import MAXIMA, depth_of
from cnnfilter.files.matrices import decode_matrix, encode_matrix


class Picture(NamedTuple):
    """An input.

    Parameters
    ----------
    pixels
        (H, W) or (H, W, C), RGB or RGBA.
    depth
        How its file held them; for a matrix 8 bits, the levels of which its numbers are taken for.
    matrix
        Whether it is a matrix, which has no range of its own.
    """

    pixels: Array
    depth: Depth
    matrix: bool = False

    @property
    def maximum(self) -> float:
        """White: 255, 65535, or 1 for floats."""
        return MAXIMA[self.depth]

    @property
    def has_alpha(self) -> bool:
        """Whether the fourth channel is alpha."""
        return not self.matrix and self.pixels.ndim == 3 and self.pixels.shape[2] == 4


def read_bytes(path: str | Path) -> bytes:
    """Return a whole file, or raise an `ImageFileError` with the system's reason."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageFileError(f"{path}: {error.strerror or error}") from error


def decode_picture(data: bytes, name: str, *, matrix: bool, allow_truncated: bool = False) -> Picture:
    """Return the picture or matrix in a file's bytes; `ImageFileError` if there is none."""
    if matrix:
        return Picture(decode_matrix(data, name), Depth.EIGHT, matrix=True)
    pixels = decode_image(data, name, allow_truncated=allow_truncated)
    return Picture(pixels, depth_of(pixels.dtype))


def encode_picture(
    pixels: Array, path: str | Path, encoding: Encoding | None = None, *, owned: bool = False
) -> Encoded:
    """Return the bytes of an image or matrix file, by the suffix of its name; `owned` pixels may be changed."""
    return encode_matrix(pixels, path) if is_matrix(path) else encode_image(pixels, path, encoding, owned=owned)
