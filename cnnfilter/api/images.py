"""Image files, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfilter.api.arguments import ImageSource, RangeName, as_choice, as_count, public, warn_about_axes
from cnnfilter.arrays import Array, as_numbers
from cnnfilter.compute.threads import make_tiles
from cnnfilter.errors import ImageFileError, OutputError
from cnnfilter.io.addresses import as_local, as_path
from cnnfilter.io.atomic import read_bytes, write_whole
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import cut_into_strips
from cnnfilter.io.encode import encode_image as encode_pixels
from cnnfilter.io.formats import FORMATS_TAKING, Depth, Range, find_format, looks_like_matrix, name_formats_taking
from cnnfilter.io.levels import DEPTHS, MAXIMA, MOST_CLIPPED, describe_clipping, has_white_at_1, to_levels
from cnnfilter.log import warn


@public
def read_image(
    source: ImageSource, *, page: int | None = None, allow_truncated: bool = False, max_pixels: int | None = None
) -> NDArray[np.uint8 | np.uint16 | np.float32 | np.float64]:
    """Return the image in a file as an array.

    Parameters
    ----------
    source : str, path, bytes or binary file
        The path of an image file, its bytes, or a file opened with `open(path, "rb")`. The content, not the suffix,
        decides the format. An address such as `s3://bucket/photo.jpg` is read by fsspec.
    page : int, optional
        Which page of a TIFF or frame of an animation, from 1. By default the first.
    allow_truncated : bool
        Whether to read a JPEG that is cut off or damaged, as far as it goes. By default it is an error.
    max_pixels : int, optional
        The largest number of pixels that is read, of all pages together. By default 2**30.

    Returns
    -------
    numpy.ndarray
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, upright as its EXIF says; uint8, uint16 or float32 (float64 for
        TIFFs of float64).

    Raises
    ------
    ImageFileError
        If the file cannot be read, is not an image, is cut off or damaged, or has too many pixels.

    Warns
    -----
    UserWarning
        If the file has more pages than the one that is returned, or something in it was lost.

    Examples
    --------
    >>> data = encode_image(np.array([[0, 255]], dtype=np.uint8), ".png")
    >>> read_image(data)
    array([[  0, 255]], dtype=uint8)
    """
    data, name = _read_source(source)
    if looks_like_matrix(data):
        raise ImageFileError("is a matrix, not an image; numpy.load or numpy.loadtxt reads it", path=name)
    if page is not None and as_count(page, "page") < 1:
        raise ImageFileError(f"page {page} is below 1, the first", path=name)
    image = decode_picture(data, name, matrix=False, page=page, allow_truncated=allow_truncated, most_pixels=max_pixels)
    for note in image.notes:
        warn(f"{name}: {note}")
    if image.pages:
        warn(f"{name}: the first of {image.pages.count} pages is returned; page=N returns another")
    return image.pixels if image.pixels.flags.writeable else image.pixels.copy()


def _read_source(source: ImageSource) -> tuple[bytes, str]:
    """Return the bytes of a file, and what messages call it."""
    if isinstance(source, str | PathLike):
        path = as_local(fspath(source))
        return read_bytes(path), path
    name = "image"
    content: object = source
    if hasattr(source, "read"):
        name, content = str(getattr(source, "name", name)), source.read()
        if isinstance(content, str):
            raise ImageFileError('the file gives text, not bytes; open(path, "rb") gives bytes', path=name)
    if not isinstance(content, bytes | bytearray | memoryview):
        raise ImageFileError(f"read_image takes a path, bytes or a binary file, not {type(source).__name__}")
    return bytes(content), name


@public
def encode_image(
    image: ArrayLike,
    suffix: str,
    *,
    range: RangeName | None = None,
    quality: int | None = None,
    compression: int | None = None,
) -> bytes:
    r"""Return the bytes of an image file.

    Parameters
    ----------
    image : array_like
        As in `write_image`.
    suffix : str
        The format, such as `.png` or `.jpg`.
    range : {"clip", "abs", "scale", "max", "offset", "none"}, optional
        As in `write_image`.
    quality : int, optional
        1 to 100, of JPEG and WebP (95 by default) and AVIF. A WebP of 100 is lossless.
    compression : int, optional
        0 (fast) to 9 (small), of PNG.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    OutputError, ImageFileError
        As in `write_image`.

    Warns
    -----
    UserWarning
        As in `write_image`.

    Examples
    --------
    >>> encode_image(np.zeros((2, 2), dtype=np.uint8), ".png")[:4]
    b'\x89PNG'
    """
    if not isinstance(suffix, str):
        raise OutputError(f'suffix is of type {type(suffix).__name__}; a text such as ".png" names the format')
    name = f"image{suffix}" if suffix.startswith(".") else suffix if "." in suffix else f"image.{suffix}"
    return _encode(image, name, range, quality, compression)


@public
def write_image(
    path: str | PathLike[str],
    image: ArrayLike,
    *,
    range: RangeName | None = None,
    quality: int | None = None,
    compression: int | None = None,
) -> None:
    """Write an image file, which appears whole or not at all.

    Parameters
    ----------
    path : str or path
        Its suffix is the format. Its folder must exist. An address such as `s3://bucket/photo.jpg` is written by
        fsspec.
    image : array_like
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. uint8 and uint16 are written as they are. Floats are levels from 0 to
        255, rounded half to even, unless the format holds floats. False is black and True is white.
    range : {"clip", "abs", "scale", "max", "offset", "none"}, optional
        What brings values into the range of the file: `clip` cuts off, `abs` takes absolute values, `scale` spreads
        the least to the greatest over the range, `max` divides by the greatest absolute value, `offset` adds half the
        range, `none` keeps floats, for formats that hold them. By default floats are clipped where the format holds
        integers, and nothing else is changed.
    quality : int, optional
        1 to 100, of JPEG and WebP (95 by default) and AVIF. A WebP of 100 is lossless.
    compression : int, optional
        0 (fast) to 9 (small), of PNG.

    Raises
    ------
    OutputError
        If the image is not an array of real numbers, the suffix or an option is unknown, or the format cannot hold the
        type of the image.
    ImageFileError
        If the system refuses, or the format cannot hold the channels or the size.

    Warns
    -----
    UserWarning
        If more than 0.1 % of the values are clipped without `range="clip"` or `"max"`, floats from 0 to 1 are written
        as levels from 0 to 255, or something of the image is lost.

    Examples
    --------
    >>> write_image("ramp.png", np.arange(256.0).reshape(16, 16))  # doctest: +SKIP
    """
    if not isinstance(path, str | PathLike):
        raise OutputError(f"path is of type {type(path).__name__}; it comes first, as in write_image(path, image)")
    name = as_local(fspath(path))
    write_whole(as_path(name), _encode(image, name, range, quality, compression))


def _encode(image: ArrayLike, path: str, range_: str | None, quality: int | None, compression: int | None) -> bytes:
    """Return the bytes of an image file; the path is for its suffix, and for messages."""
    pixels, format_ = as_numbers(image, "image", OutputError), find_format(path)
    if format_.is_matrix:
        raise OutputError(
            f"{format_.name} is not an image format; numpy.save and numpy.savetxt write arrays", path=path
        )
    chosen = None if range_ is None else as_choice(Range, range_, "range", OutputError)
    warn_about_axes(pixels.shape)
    _check_options({"quality": quality, "compression": compression}, format_.name, path)
    pixels = _as_levels(pixels, path, chosen)
    notes: list[str] = []
    strips = cut_into_strips(pixels, path, quality=quality, compression=compression)
    if strips:
        make_tiles(strips.left, strips.encode)
    data = bytes(encode_pixels(pixels, path, quality=quality, compression=compression, notes=notes, strips=strips))
    for note in notes:
        warn(f"{path}: {note}")
    return data


_LIMITS = {"quality": (1, 100), "compression": (0, 9)}


def _check_options(options: Mapping[str, int | None], format_name: str, path: str) -> None:
    """Raise an `OutputError` for an option beyond its limits, and warn of one that the format does not take."""
    for name, value in options.items():
        least, most = _LIMITS[name]
        if value is not None and not (isinstance(value, int | np.integer) and least <= value <= most):
            raise OutputError(f"{name} {value!r} is not a whole number from {least} to {most}")
        if value is not None and format_name not in FORMATS_TAKING[name]:
            warn(f"{path}: {name} is for {name_formats_taking(name)}, and changes nothing in {format_name}")


def _looks_like_0_to_1(pixels: Array) -> bool:
    """Return whether floats are from 0 to 1, or were before a filter that overshoots, as sharpening does."""
    if has_white_at_1(pixels):
        return True
    if not (pixels.min() >= -4 and 0 < pixels.max() <= 5):
        return False
    inside = np.count_nonzero((pixels >= 0) & (pixels <= 1))
    return bool(inside > pixels.size / 2 and (pixels % 1 != 0).any())


def _as_levels(pixels: Array, path: str, range_: Range | None) -> Array:
    """Return pixels as a file of the path's format holds them."""
    format_ = find_format(path)
    if pixels.dtype == np.bool_:
        pixels = pixels * (np.uint8(255) if Depth.EIGHT in format_.depths else np.float32(1))
    is_float = pixels.dtype.kind == "f"
    usual = Depth.FLOAT if Depth.FLOAT in format_.depths else Depth.EIGHT
    depth = usual if is_float else DEPTHS.get(pixels.dtype)
    if depth is None or depth not in format_.depths:
        raise OutputError(
            f"{format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}; "
            "`image.astype(float)` is written as levels of it",
            path=path,
        )
    if range_ is None and not is_float:
        return pixels
    is_dark = range_ is None and depth is not Depth.FLOAT and _looks_like_0_to_1(pixels)
    if is_dark:
        warn(f"{path} is nearly black: floats from 0 to 1 are written as levels from 0 to 255; write `image * 255`")
    white = MAXIMA[Depth.EIGHT if is_float else depth]
    levels, outside = to_levels(pixels, range_=range_, maximum=white, depth=depth)
    if outside > MOST_CLIPPED * pixels.size and range_ not in {Range.CLIP, Range.MAX} and not is_dark:
        clipping = describe_clipping(outside / pixels.size, 'range="scale" shows them')
        warn(f"{path}: {clipping}")
    return levels
