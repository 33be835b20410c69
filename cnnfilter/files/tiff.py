"""Alpha in TIFF files, which say whether their colours have been multiplied by it; and grey with alpha."""

import struct
from enum import IntEnum

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.files.orientation import apply_orientation
from cnnfilter.files.tags import Directory, read_directories

_WIDTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 258, 259, 262, 274, 277
_PLANES, _PREDICTOR, _TILE_WIDTH, _EXTRA_SAMPLES = 284, 317, 322, 338
"""TIFF 6.0, sections 8, 14, 15 and 18."""

_SEPARATED = 5
"""The photometric interpretation of inks, such as CMYK."""

_BLIND = {1, 5, 8, 32773, 32946}
"""Compressions that know nothing of pixels: none, LZW, Deflate (two numbers), PackBits."""


class Alpha(IntEnum):
    """What the tag ExtraSamples says of the last channel."""

    UNKNOWN = 0
    MULTIPLIED = 1
    STRAIGHT = 2


def alpha_of(directory: Directory) -> Alpha:
    """Return what a page says of its alpha."""
    tag = directory.tags.get(_EXTRA_SAMPLES)
    known = tag is not None and tag.length == 1 and tag.value in set(Alpha)
    return Alpha(tag.value) if tag and known else Alpha.UNKNOWN


def take_alpha_as_it_is(data: bytes) -> bytes:
    """Return the file so that OpenCV leaves its colours alone, and takes grey with alpha for grey of double width.

    OpenCV multiplies 8-bit colours by an alpha that the file calls straight, and so loses them; of grey with alpha
    it reads the first channel, and 8 bits of it.
    """
    directories = list(read_directories(data))
    if not any(_EXTRA_SAMPLES in directory.tags or is_grey_with_alpha(directory) for directory in directories):
        return data
    changed = bytearray(data)
    for directory in directories:
        if alpha_of(directory) is not Alpha.UNKNOWN and not is_grey_with_alpha(directory):
            _rewrite(changed, directory, {_EXTRA_SAMPLES: Alpha.UNKNOWN})
        if is_grey_with_alpha(directory) and can_be_widened(directory):
            widths = {tag: 2 * directory.number(tag) for tag in (_WIDTH, _TILE_WIDTH)}
            single = {_SAMPLES: 1, _EXTRA_SAMPLES: Alpha.UNKNOWN, _PREDICTOR: 1, _ORIENTATION: 1}
            _rewrite(changed, directory, widths | single)
    return bytes(changed)


def _rewrite(data: bytearray, directory: Directory, values: dict[int, int]) -> None:
    """Change the first value of some tags in place, where the page has them."""
    for number, value in values.items():
        tag = directory.tags.get(number)
        if tag and tag.offset + struct.calcsize(tag.form) <= len(data):
            struct.pack_into(tag.form, data, tag.offset, value)


def has_inks(directory: Directory) -> bool:
    """Return whether a page holds inks, which OpenCV turns into RGB and an alpha that the file has not."""
    return directory.number(_PHOTOMETRIC) == _SEPARATED


def is_grey_with_alpha(directory: Directory) -> bool:
    """Return whether a page has two samples a pixel."""
    return directory.number(_SAMPLES) == 2


def can_be_widened(directory: Directory) -> bool:
    """Return whether samples lie side by side, packed by what knows nothing of pixels, so that they can be parted."""
    widths = [directory.tags[tag] for tag in (_WIDTH, _TILE_WIDTH) if tag in directory.tags]
    tiled = _TILE_WIDTH in directory.tags
    return (
        all(2 * tag.value < 1 << 8 * struct.calcsize(tag.form) for tag in widths)
        and directory.number(_PREDICTOR, 1) in ({1} if tiled else {1, 2})
        and directory.number(_COMPRESSION, 1) in _BLIND
        and directory.number(_PLANES, 1) == 1
        and directory.number(_PHOTOMETRIC) == 1
        and directory.number(_BITS) in {8, 16}
    )


def part_alpha(pixels: Array, directory: Directory) -> Array:
    """Return grey with alpha, read as (H, 2 W), as (H, W, 4) upright."""
    pairs = pixels.reshape(len(pixels), -1, 2)
    if directory.number(_PREDICTOR, 1) == 2:
        pairs = np.cumsum(pairs, axis=1, dtype=pairs.dtype)
    whole = apply_orientation(pairs[:, :, [0, 0, 0, 1]], directory.number(_ORIENTATION, 1))
    return divide_by_alpha(whole) if alpha_of(directory) is Alpha.MULTIPLIED else whole


def divide_by_alpha(pixels: Array) -> Array:
    """Return (H, W, 4) colours that were multiplied by their alpha as they were before, 0 where alpha is 0."""
    colours, alpha = pixels[:, :, :3].astype(np.float64), pixels[:, :, 3:].astype(np.float64)
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1.0
    straight = np.divide(colours * white, alpha, out=np.zeros_like(colours), where=alpha > 0)
    if pixels.dtype.kind == "u":
        straight = np.rint(straight).clip(0, white)
    return np.concatenate([straight.astype(pixels.dtype), pixels[:, :, 3:]], axis=2)
