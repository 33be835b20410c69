"""Tests of cnnfilter."""

from cnnfilter.arrays import Array
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.formats import IMAGE_SUFFIXES

__all__ = ["IMAGE_SUFFIXES", "decode_pixels"]


def decode_pixels(data: bytes, name: str, *, allow_truncated: bool = False) -> Array:
    """Return the pixels of the first picture in an encoded file."""
    return decode_picture(data, name, allow_truncated=allow_truncated).pixels
