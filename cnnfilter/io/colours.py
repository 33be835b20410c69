"""Colours of other models as RGB, levels of other depths as those of 8 or 16 bits, and levels of sRGB as light."""

from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Floats, float_type, ieee_arithmetic
from cnnfilter.io.opencv import cv2

_ROWS_AT_ONCE = 64


def unpack_bits(rows: Array, bits: int) -> Array:
    """Return the numbers of 1, 2, 4 or 8 bits in rows of bytes, (H, bytes), the highest bits first."""
    if bits == 8:
        return rows
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return (rows[:, :, None] >> shifts & ((1 << bits) - 1)).reshape(len(rows), -1)


def spread(pixels: Array, white: int, black: int = 0) -> Array:
    """Return whole numbers so that black is 0, and white the greatest of their type."""
    most = np.iinfo(pixels.dtype).max
    if white == most and not black:
        return pixels
    clipped = np.clip(pixels, black, white) - black if black else np.minimum(pixels, white)
    return np.rint(clipped * float(most) / (white - black)).astype(pixels.dtype)


def spread_bits(samples: Array, bits: int, dtype: np.dtype[Any]) -> Array:
    """Return whole numbers of so many bits as those of a type, black and white as they were."""
    white = np.iinfo(dtype).max
    if (1 << bits) - 1 == white:
        return samples.astype(dtype, copy=False)
    table = np.rint(np.arange(1 << bits) * (white / ((1 << bits) - 1))).astype(dtype)
    spread: Array = table[samples]
    return spread


def divide_by_alpha(colours: Array, alpha: Array) -> Array:
    """Return colours that were multiplied by alpha, (H, W, 1), as they were before; black where nothing is visible."""
    white = np.iinfo(colours.dtype).max if colours.dtype.kind == "u" else 1.0
    shape = colours.shape
    straight = np.divide(colours.astype(np.float64) * white, alpha, out=np.zeros(shape), where=alpha > 0)
    if colours.dtype.kind == "u":
        straight = np.rint(straight).clip(0, white)
    return straight.astype(colours.dtype)


def mix_inks(inks: Array) -> Array:
    """Return the RGB of CMYK, computed in whole numbers as libtiff does."""
    white = np.iinfo(inks.dtype).max
    free: Array = white - inks.astype(np.uint32 if white == 255 else np.uint64)
    return (free[:, :, :3] * free[:, :, 3:] // white).astype(inks.dtype)


def convert_ycc(samples: Array, half: int) -> Array:
    """Return the RGB of luma and two colour differences around `half`, as JPEG has them (ITU-T T.871, section 7)."""
    white = np.iinfo(samples.dtype).max
    pixels = np.empty_like(samples)
    for row in range(0, len(samples), _ROWS_AT_ONCE):
        luma, blue, red = cv2.split(samples[row : row + _ROWS_AT_ONCE].astype(np.float32))
        blue, red = blue - half, red - half
        colours = [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue]
        pixels[row : row + _ROWS_AT_ONCE] = np.rint(np.dstack(colours).clip(0, white))
    return pixels


@ieee_arithmetic
def decode_srgb(levels: Array, white: float) -> Floats:
    """Return the light of sRGB levels, both from 0 to `white`, as floats (IEC 61966-2-1).

    The light of negative levels is that of their magnitudes with the sign turned, and the curve goes on beyond white.

    Examples
    --------
    >>> decode_srgb(np.array([0, 188, 255], np.uint8), 255.0).round().tolist()
    [0.0, 128.0, 255.0]
    """
    if levels.dtype.kind == "u":
        every = np.arange(np.iinfo(levels.dtype).max + 1, dtype=np.float64)
        light: Floats = decode_srgb(every, white).astype(np.float32)[levels]
        return light
    floats = levels.astype(float_type(levels.dtype), copy=False)
    shares = np.abs(floats) / white
    curve = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.copysign(curve * white, floats))


@ieee_arithmetic
def encode_srgb(light: Array, white: float) -> Floats:
    """Return the sRGB levels of light, both from 0 to `white`, as floats: the inverse of `decode_srgb`."""
    floats = light.astype(float_type(light.dtype), copy=False)
    shares = np.abs(floats) / white
    curve = np.where(shares <= 0.0031308, 12.92 * shares, 1.055 * shares ** (1 / 2.4) - 0.055)
    return np.asarray(np.copysign(curve * white, floats))
