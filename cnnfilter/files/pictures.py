"""What comes from an input, picture or matrix, and how it goes into a file."""

from pathlib import Path
from typing import NamedTuple

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.files.formats import Depth, is_matrix
from cnnfilter.files.images import Encoded, Encoding, encode_image
from cnnfilter.files.levels import MAXIMA, depth_of
from cnnfilter.files.limits import is_endless
from cnnfilter.files.matrices import decode_matrix, encode_matrix
from cnnfilter.files.metadata import Metadata
from cnnfilter.files.reading import Pages, Reading, read_image_bytes


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
    metadata
        What its file says beside the pixels.
    pages
        All pages or frames of the file, of which `pixels` are the first; None where there is one, or one was chosen.
    notes
        What is to be remarked of how it was read.
    """

    pixels: Array
    depth: Depth
    matrix: bool = False
    metadata: Metadata = Metadata()
    pages: Pages | None = None
    notes: tuple[str, ...] = ()

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
        if not is_endless(Path(path)):
            return Path(path).read_bytes()
    except OSError as error:
        raise ImageFileError(f"{path}: {error.strerror or error}") from error
    raise ImageFileError(f"{path}: is a device, and holds no picture")


def decode_picture(data: bytes, name: str, *, matrix: bool, reading: Reading | None = None) -> Picture:
    """Return the picture or matrix in a file's bytes; `ImageFileError` if there is none, or not the page asked for."""
    if matrix and reading and reading.page not in {None, 1}:
        raise ImageFileError(f"{name}: a matrix has 1 page, and --page {reading.page} is none of them")
    if matrix:
        return Picture(decode_matrix(data, name), Depth.EIGHT, matrix=True)
    image = read_image_bytes(data, name, reading)
    depth = depth_of(image.pixels.dtype)
    return Picture(image.pixels, depth, metadata=image.metadata, pages=image.pages, notes=image.notes)


def encode_picture(
    pixels: Array,
    path: str | Path,
    encoding: Encoding | None = None,
    *,
    owned: bool = False,
    metadata: Metadata | None = None,
) -> Encoded:
    """Return the bytes of an image or matrix file, by the suffix of its name; `owned` pixels may be changed."""
    if is_matrix(path):
        return encode_matrix(pixels, path)
    return encode_image(pixels, path, encoding, owned=owned, metadata=metadata)
