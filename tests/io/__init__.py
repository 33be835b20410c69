"""Tests of files of images, matrices and weights, and what many of them use."""

import io
from typing import Any

from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.formats import IMAGE_SUFFIXES

__all__ = ["IMAGE_SUFFIXES", "decode_pixels", "exif_of", "saved"]


def decode_pixels(data: bytes, name: str, *, allow_truncated: bool = False) -> Array:
    """Return the pixels of the first picture in an encoded file."""
    return decode_picture(data, name, allow_truncated=allow_truncated).pixels


def saved(image: Image.Image, format_: str, **options: Any) -> bytes:
    """Return what Pillow writes."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    """Return EXIF that names an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
