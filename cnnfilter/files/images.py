"""Image files, read and written through OpenCV: the one place that knows its reader, and its BGR."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.files.avif import develop_avif, is_avif
from cnnfilter.files.formats import Format, find_format
from cnnfilter.files.levels import depth_of
from cnnfilter.files.opencv import cv2
from cnnfilter.files.orientation import apply_orientation, read_orientation
from cnnfilter.files.quiet import hear
from cnnfilter.files.tiff import Alpha, divide_by_alpha, has_inks, is_grey_with_alpha, take_alpha_as_it_is

JPEG_QUALITY = 95
"""What OpenCV takes for JPEG by itself; for WebP, whose own default is lossless, as well."""

_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"

_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
"""How libjpeg's complaints begin that mean lost pixels."""

_ROWS_AT_ONCE = 64
"""Rows whose channels are swapped at a time, in the cache."""

_PIXEL_TYPES = (np.uint8, np.uint16, np.float32, np.float64)


Encoded = bytes | memoryview
"""What goes into a file."""


class Encoding(NamedTuple):
    """How a file is compressed: quality 1 to 100 (JPEG, WebP), compression 0 to 9 (PNG), None for the usual."""

    quality: int | None = None
    compression: int | None = None


def decode_image(data: bytes, name: str, *, allow_truncated: bool = False) -> Array:
    """Return the picture in an encoded file.

    Parameters
    ----------
    data
        The whole file.
    name
        Its name, for the message.
    allow_truncated
        Whether a JPEG that ends too early, or is damaged, is taken as far as it goes.

    Returns
    -------
    ndarray
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, upright; uint8, uint16, float32 or float64.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, damaged, or no image that OpenCV reads.
    """
    if not data:
        raise ImageFileError(f"{name}: the file is empty")
    is_jpeg = data.startswith(_JPEG_START)
    if is_jpeg and allow_truncated and not data.rstrip(b"\0").endswith(_JPEG_END):
        data += _JPEG_END
    pixels, damage = hear(lambda: _decode(data, name), _DAMAGE if is_jpeg else ())
    if pixels is None or (is_jpeg and damage and not allow_truncated):
        raise ImageFileError(f"{name}: {_unreadable(data, damage)}")
    if pixels.dtype not in _PIXEL_TYPES or (pixels.ndim == 3 and pixels.shape[2] not in {3, 4}):
        raise ImageFileError(f"{name}: pixels of {pixels.dtype} with shape {pixels.shape} are not read")
    return _swap_red_and_blue(pixels, owned=True)


def _decode(data: bytes, name: str) -> Array | None:
    """Return what OpenCV decodes, upright (a TIFF it turns by itself) and with straight alpha, or None."""
    data, alpha = take_alpha_as_it_is(data)
    if is_grey_with_alpha(data):
        raise ImageFileError(f"{name}: a TIFF of grey and alpha is not read; RGBA is")
    try:
        pixels, kinds, blocks = cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageFileError(f"{name}: {_reason(error)}") from error
    if pixels is None:
        return None
    if has_inks(data) and pixels.ndim == 3:
        return pixels[:, :, :3]
    if alpha is Alpha.MULTIPLIED and pixels.ndim == 3 and pixels.shape[2] == 4:
        return divide_by_alpha(pixels)
    if is_avif(data):
        return develop_avif(pixels, data)
    exif = [bytes(block) for kind, block in zip(kinds, blocks, strict=False) if kind == cv2.IMAGE_METADATA_EXIF]
    return apply_orientation(pixels, read_orientation(exif[0]) if exif else 1)


def _reason(error: cv2.error) -> str:
    """Return OpenCV's own reason in a line."""
    if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
        return "more pixels than OpenCV reads; the environment variable OPENCV_IO_MAX_IMAGE_PIXELS raises its limit"
    return f"OpenCV cannot read it: {getattr(error, 'err', '') or str(error).splitlines()[0]}"


def _unreadable(data: bytes, damage: list[str]) -> str:
    if damage:
        return f"the JPEG is damaged ({damage[0]}); --allow-truncated takes what is there"
    if data.startswith(_JPEG_START):
        return "the JPEG is cut off or damaged; --allow-truncated takes what is there"
    return "not an image that can be read, or cut off"


def _swap_red_and_blue(pixels: Array, *, owned: bool) -> Array:
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


def encode_image(pixels: Array, path: str | Path, encoding: Encoding | None = None, *, owned: bool = False) -> Encoded:
    """Return the bytes of an image file.

    Parameters
    ----------
    pixels
        (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, of a type that the format holds: uint8,
        uint16, or floats (float64 only in TIFF, elsewhere float32).
    path
        The file's name; its suffix is the format.
    encoding
        Quality and compression.
    owned
        Whether the pixels may be changed, since nobody looks at them again.

    Raises
    ------
    ImageFileError
        If the format cannot hold the channels or the type, or OpenCV cannot write the size.
    OutputError
        If the suffix is unknown.
    """
    format_ = find_format(path)
    if depth_of(pixels.dtype) not in format_.depths or pixels.dtype.kind not in "uf":
        raise ImageFileError(f"{path}: {format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}")
    fitted = _fit_channels(pixels, format_, path)
    if fitted.dtype == np.float64 and format_.name != "TIFF":
        fitted = fitted.astype(np.float32)  # OpenCV would make 8 bits of it
    if min(fitted.shape[:2]) < format_.smallest_side:
        least = format_.smallest_side
        raise ImageFileError(f"{path}: {format_.name} needs {least} pixels on each side, and gets {fitted.shape[:2]}")
    if not format_.signed and fitted.min() < 0:
        raise ImageFileError(f"{path}: {format_.name} holds no negative values; TIFF, PFM and .npy do")
    parameters = _parameters(format_, encoding or Encoding())
    swapped = _swap_red_and_blue(fitted, owned=owned or fitted is not pixels)
    try:
        (written, data), _ = hear(lambda: cv2.imencode(Path(path).suffix.lower(), swapped, parameters))
    except cv2.error:
        written = False
    if not written:
        raise ImageFileError(f"{path}: {format_.name} cannot hold {fitted.shape} pixels of {fitted.dtype}")
    return data.data


def _fit_channels(pixels: Array, format_: Format, path: str | Path) -> Array:
    """Return the pixels with as many channels as the format holds; grey is repeated, nothing is dropped."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in {2, 3} or pixels.size == 0:
        raise ImageFileError(f"{path}: a result of shape {pixels.shape} is no picture; a .npy or .txt file holds it")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1 and 1 not in format_.channels:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if channels in format_.channels:
        return pixels
    if channels == 4:
        raise ImageFileError(f"{path}: {format_.name} holds no alpha; PNG, WebP, TIFF and AVIF do")
    if channels == 3:
        raise ImageFileError(
            f"{path}: {format_.name} holds grey pictures only; `gray`, a layer or --channels gray, makes one"
        )
    raise ImageFileError(
        f"{path}: an image file holds 1, 3 or 4 channels, and the result has {channels}; a .npy file holds any number, "
        "and --save all, of pipeline, writes a picture for each map"
    )


def _parameters(format_: Format, encoding: Encoding) -> list[int]:
    quality = JPEG_QUALITY if encoding.quality is None else encoding.quality
    match format_.name:
        case "JPEG":
            return [cv2.IMWRITE_JPEG_QUALITY, quality]
        case "WebP":
            return [cv2.IMWRITE_WEBP_QUALITY, quality]
        case "JPEG 2000":
            return [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]  # without loss; OpenCV's default keeps a quarter
        case "PNG" if encoding.compression is not None:
            return [cv2.IMWRITE_PNG_COMPRESSION, encoding.compression]
        case _:
            return []
