"""Alpha in TIFF files, which say whether their colours have been multiplied by it."""

import struct
from enum import IntEnum

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.files.tags import find_tag

_EXTRA_SAMPLES = 338
"""TIFF 6.0, section 18."""


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
    if tag is None or tag.count != 1 or tag.value not in set(Alpha):
        return data, Alpha.UNKNOWN
    neutral = struct.pack(f"{tag.order}H", Alpha.UNKNOWN)
    return data[: tag.offset] + neutral + data[tag.offset + 2 :], Alpha(tag.value)


def divide_by_alpha(pixels: Array) -> Array:
    """Return (H, W, 4) colours that were multiplied by their alpha as they were before, 0 where alpha is 0."""
    colours, alpha = pixels[:, :, :3].astype(np.float64), pixels[:, :, 3:].astype(np.float64)
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1.0
    straight = np.divide(colours * white, alpha, out=np.zeros_like(colours), where=alpha > 0)
    if pixels.dtype.kind == "u":
        straight = np.rint(straight).clip(0, white)
    return np.concatenate([straight.astype(pixels.dtype), pixels[:, :, 3:]], axis=2)
