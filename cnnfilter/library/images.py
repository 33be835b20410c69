"""Image files as arrays, and back."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import OutputError
from cnnfilter.files.formats import Depth, Range, find_format
from cnnfilter.files.images import encode_image
from cnnfilter.files.levels import MAXIMA, depth_of, remark_on_clipping, to_levels
from cnnfilter.files.pictures import decode_picture, read_bytes
from cnnfilter.files.writing import write_whole


def read_image(path: str | Path) -> Array:
    """Return the picture in an image file.

    Parameters
    ----------
    path
        An image file; its content, not its suffix, tells the format.

    Returns
    -------
    ndarray
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, turned upright as its EXIF says; uint8, uint16 or
        float32 (float64 for TIFFs that hold it).

    Raises
    ------
    ImageFileError
        If the file cannot be read, or is cut off or damaged.
    """
    return decode_picture(read_bytes(path), str(path)).pixels


def write_image(path: str | Path, image: Array, *, range: str | None = None) -> None:
    """Write an image file, which appears whole or not at all.

    Parameters
    ----------
    path
        Its suffix is the format.
    image
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. uint8 and uint16 are written as they are; floats are
        levels of 8 bits, 0 to 255, rounded half to even, unless the format holds floats.
    range
        How values are brought into the file's range: `clip`, `abs`, `scale`, `max`, `offset`, `none`. By
        default floats are clipped where the format holds none, and nothing else is changed.

    Raises
    ------
    OutputError
        If the suffix or the range is unknown, or the format cannot hold the image's type.
    ImageFileError
        If the system refuses, or the format cannot hold the channels.

    Warns
    -----
    UserWarning
        If more than 0.1 % of the values are clipped.
    """
    pixels = np.asarray(image)
    format_ = find_format(path)
    if range is not None and range not in list(Range):
        raise OutputError(f"range {range!r} is unknown: {', '.join(Range)}")
    if format_.is_matrix or pixels.dtype.kind not in "uif":
        raise OutputError(f"{path}: no image file, or no image of {pixels.dtype}; numpy.save writes any array")
    whole = pixels.dtype.kind != "f"
    depth = depth_of(pixels.dtype) if whole or Depth.FLOAT in format_.depths else Depth.EIGHT
    if depth not in format_.depths or (whole and depth is Depth.FLOAT):
        raise OutputError(f"{path}: {format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}")
    if not whole or range is not None:
        white = MAXIMA[depth if whole else Depth.EIGHT]
        levels = to_levels(pixels, range_=Range(range) if range else None, maximum=white, depth=depth)
        if remark := remark_on_clipping(levels.clipped):
            warnings.warn(remark, stacklevel=2)
        pixels = levels.pixels
    write_whole(Path(path), encode_image(pixels, path))
