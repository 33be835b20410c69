"""What OpenCV decodes, made what the file holds: upright, with straight alpha, red first, white where it belongs."""

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.files import tiff
from cnnfilter.files.avif import develop_avif, is_avif
from cnnfilter.files.netpbm import spread_levels
from cnnfilter.files.opencv import cv2
from cnnfilter.files.orientation import apply_orientation, read_orientation
from cnnfilter.files.tags import Directory
from cnnfilter.files.transparency import show_transparent_level

_ROWS_AT_ONCE = 64
"""Rows whose channels are swapped at a time, in the cache."""

_PIXEL_TYPES = (np.uint8, np.uint16, np.float32, np.float64)


def develop(
    pixels: Array,
    data: bytes,
    name: str,
    *,
    exif: bytes = b"",
    directory: Directory | None = None,
    red_first: bool = False,
) -> Array:
    """Return the picture in pixels that OpenCV decoded.

    Parameters
    ----------
    pixels
        (H, W[, C]), BGR.
    data, name
        The whole file, and its name for the message.
    exif
        Its EXIF block; a TIFF has none, and comes turned from OpenCV.
    directory
        The page of a TIFF.
    red_first
        Whether they came as RGB.

    Returns
    -------
    ndarray
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, upright.

    Raises
    ------
    ImageFileError
        If the pixels are of a type that is not computed with.
    """
    if directory and tiff.is_grey_with_alpha(directory):
        if not tiff.can_be_widened(directory):
            raise ImageFileError(f"{name}: a TIFF of grey and alpha packed like this is not read; RGBA is")
        pixels = tiff.part_alpha(pixels, directory)
    elif directory:
        pixels = _develop_tiff(pixels, directory)
    elif is_avif(data):
        pixels = develop_avif(pixels, data)
    else:
        pixels = spread_levels(pixels, data)
        pixels = show_transparent_level(pixels, data)
        pixels = apply_orientation(pixels, read_orientation(exif) if exif else 1)
    if pixels.dtype not in _PIXEL_TYPES or (pixels.ndim == 3 and pixels.shape[2] not in {3, 4}):
        raise ImageFileError(f"{name}: pixels of {pixels.dtype} with shape {pixels.shape} are not read")
    return pixels if red_first else swap_red_and_blue(pixels, owned=True)


def _develop_tiff(pixels: Array, directory: Directory) -> Array:
    if tiff.has_inks(directory) and pixels.ndim == 3:
        return pixels[:, :, :3]
    if tiff.alpha_of(directory) is tiff.Alpha.MULTIPLIED and pixels.ndim == 3 and pixels.shape[2] == 4:
        return tiff.divide_by_alpha(pixels)
    return pixels


def swap_red_and_blue(pixels: Array, *, owned: bool) -> Array:
    """Return BGR as RGB, or the reverse; in place if the array is nobody else's."""
    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    if pixels.dtype == np.float64:
        return np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])
    target = pixels if owned and pixels.flags.writeable else np.empty_like(pixels)
    for row in range(0, len(pixels), _ROWS_AT_ONCE):  # in place OpenCV copies first what it is given
        part = slice(row, row + _ROWS_AT_ONCE)
        target[part] = cv2.cvtColor(pixels[part], code)
    return target
