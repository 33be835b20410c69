"""Tests of cnnfilter."""

from cnnfilter.arrays import Array
from cnnfilter.files.formats import IMAGE_SUFFIXES
from cnnfilter.files.pictures import Reading, decode_picture

__all__ = ["IMAGE_SUFFIXES", "decode_pixels"]


def decode_pixels(data: bytes, name: str, *, allow_truncated: bool = False) -> Array:
    """Return the pixels of the first picture in an encoded file."""
    return decode_picture(data, name, Reading(allow_truncated)).pixels
