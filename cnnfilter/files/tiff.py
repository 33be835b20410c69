"""Alpha in TIFF files, which say whether their colours have been multiplied by it."""

import struct
from enum import IntEnum

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.files.tags import find_tag

_PHOTOMETRIC, _SAMPLES, _EXTRA_SAMPLES = 262, 277, 338
"""TIFF 6.0, section 8 and section 18."""

_SEPARATED = 5
"""The photometric interpretation of inks, such as CMYK."""


class Alpha(IntEnum):
    """What the tag ExtraSamples says of the fourth channel."""

    UNKNOWN = 0
    MULTIPLIED = 1
    STRAIGHT = 2


def take_alpha_as_it_is(data: bytes) -> tuple[bytes, Alpha]:
    """Return the file so that OpenCV leaves its colours alone, and what it said of its alpha.

    OpenCV multiplies 8-bit colours by an alpha that the file calls straight, and so loses them.
    """
    tag = find_tag(data, _EXTRA_SAMPLES)
    if tag is None or tag.length != 1 or tag.value not in set(Alpha):
        return data, Alpha.UNKNOWN
    neutral = struct.pack(f"{tag.order}H", Alpha.UNKNOWN)
    return data[: tag.offset] + neutral + data[tag.offset + 2 :], Alpha(tag.value)


def has_inks(data: bytes) -> bool:
    """Return whether a TIFF holds inks, which OpenCV turns into RGB and an alpha that the file has not."""
    tag = find_tag(data, _PHOTOMETRIC)
    return tag is not None and tag.value == _SEPARATED


def is_grey_with_alpha(data: bytes) -> bool:
    """Return whether a TIFF has two samples a pixel, of which OpenCV reads the first, and 8 bits of it."""
    tag = find_tag(data, _SAMPLES)
    return tag is not None and tag.value == 2


def divide_by_alpha(pixels: Array) -> Array:
    """Return (H, W, 4) colours that were multiplied by their alpha as they were before, 0 where alpha is 0."""
    colours, alpha = pixels[:, :, :3].astype(np.float64), pixels[:, :, 3:].astype(np.float64)
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1.0
    straight = np.divide(colours * white, alpha, out=np.zeros_like(colours), where=alpha > 0)
    if pixels.dtype.kind == "u":
        straight = np.rint(straight).clip(0, white)
    return np.concatenate([straight.astype(pixels.dtype), pixels[:, :, 3:]], axis=2)
