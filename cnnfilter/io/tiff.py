"""Pages of a TIFF as images: the samples of their strips and tiles, and what these mean."""

import math
import struct
from collections.abc import Callable

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.colours import divide_by_alpha, mix_inks
from cnnfilter.io.metadata import apply_orientation
from cnnfilter.io.opencv import capture_stderr, swap_red_and_blue
from cnnfilter.io.pillow import open_with_pillow
from cnnfilter.io.tags import ORIENTATION, Tag
from cnnfilter.io.tiff_blocks import decode_by_opencv, find_blocks, read_samples
from cnnfilter.io.tiff_layout import (
    BITS,
    CIELAB,
    EXTRA_SAMPLES,
    ICCLAB,
    JPEG,
    MIN_IS_WHITE,
    MULTIPLIED,
    OLD_JPEG,
    PALETTE,
    RGB,
    SAMPLE_FORMAT,
    SEPARATED,
    SUBSAMPLING,
    YCBCR,
    Layout,
)

_WHITE_POINT, _COLOUR_MAP, _COEFFICIENTS, _REFERENCES = 318, 320, 529, 532

_EXACT = 1 << 53
"""Whole numbers up to this are exact in float64."""


def decode_tiff(data: bytes, layout: Layout, name: str) -> Array:
    """Return a page upright, in RGB, with straight alpha; (H, W, samples) of bands, float64 of numbers without a white.

    `ImageFileError` that says what is not supported, or that the file is cut off or damaged.
    """
    for tag in _READ_FIRST & layout.directory.tags.keys():
        if layout.directory.tags[tag].ends_behind(data):
            raise ImageFileError("the TIFF is cut off or damaged: its tags do not fit", path=name)
    if layout.refusal:
        cure = "`tiffcp -c lzw` converts it" if layout.refusal.startswith("compressed") else _CURE
        raise ImageFileError(f"TIFF {layout.refusal} is not supported; {cure}", path=name)
    if min(layout.height, layout.width, layout.samples, *layout.block) < 1:
        raise ImageFileError("the TIFF is damaged: it has no size", path=name)
    try:
        pixels = _decode_whole(data, layout, name) if layout.in_library or layout.plain else None
        if pixels is None:
            pixels = _make_image(read_samples(data, layout, name), layout, data, name)
    except struct.error as error:
        raise ImageFileError("the TIFF is cut off or damaged: its tags do not fit", path=name) from error
    return apply_orientation(pixels, layout.orientation) if layout.orientation > 1 else pixels


_READ_FIRST = {BITS, SAMPLE_FORMAT, EXTRA_SAMPLES, SUBSAMPLING}
"""Tags of several values that say what the samples are."""

_CURE = "convert it to grey, RGB or RGBA of 8 or 16 bits, or to floats"


def _decode_whole(data: bytes, layout: Layout, name: str) -> Array | None:
    """Return what OpenCV, or of old-style JPEG Pillow, decodes of a page; None where another way is left."""
    first = layout.directory
    page = data
    if first.place != struct.unpack_from(first.form, data, struct.calcsize(first.form))[0] or (
        layout.orientation > 1 or EXTRA_SAMPLES in first.tags
    ):
        page = _single_out(data, layout)
    inks = layout.compression == JPEG and layout.photometric == SEPARATED
    if inks or layout.compression == OLD_JPEG:
        with open_with_pillow(page, "TIFF", name) as image:
            mode = "CMYK" if inks else "L" if layout.channels == 1 else "RGB"
            decoded, _ = capture_stderr(lambda: np.asarray(image.convert(mode)))
        if decoded.shape[:2] != (layout.height, layout.width):
            raise ImageFileError("the TIFF is damaged: its JPEG has another size", path=name)
        return mix_inks(decoded) if inks else decoded
    find_blocks(data, layout, name)  # none of them is cut off
    pixels = decode_by_opencv(page, name)
    if pixels is None or pixels.shape != (layout.height, layout.width, layout.channels)[: pixels.ndim]:
        if layout.plain:
            return None
        raise ImageFileError("the TIFF is cut off or damaged, or of a kind that OpenCV cannot read", path=name)
    pixels = swap_red_and_blue(pixels, owned=True)
    if layout.alpha == MULTIPLIED:
        return np.concatenate([divide_by_alpha(pixels[:, :, :3], pixels[:, :, 3:]), pixels[:, :, 3:]], axis=2)
    return pixels


def _single_out(data: bytes, layout: Layout) -> bytes:
    """Return a TIFF in which a page is the first, and not to be turned or multiplied by alpha."""
    page, first = bytearray(data), layout.directory
    first.rewrite(page, {ORIENTATION: 1, EXTRA_SAMPLES: 0})
    struct.pack_into(first.form, page, struct.calcsize(first.form), first.place)
    return bytes(page)


def _make_image(samples: Array, layout: Layout, data: bytes, name: str) -> Array:
    """Return what samples, (H, W, samples), mean; they may be changed."""
    if layout.numbers:
        pixels = _to_doubles(samples, name)
    else:
        pixels = _spread(samples, layout)
        if layout.alpha and (layout.photometric != RGB or layout.alpha == MULTIPLIED):
            colours, alpha = pixels[:, :, :-1], pixels[:, :, -1:]
            colours = _convert(colours, layout, data, name)
            if layout.alpha == MULTIPLIED and layout.photometric != PALETTE:
                colours = divide_by_alpha(colours, alpha)
            pixels = np.concatenate([*[colours] * (3 // colours.shape[2]), alpha], axis=2)
        elif not layout.alpha:
            pixels = _convert(pixels, layout, data, name)
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _to_doubles(samples: Array, name: str) -> Array:
    """Return whole numbers as float64; `ImageFileError` if some are not exact in it."""
    if samples.dtype.itemsize == 8 and (samples.max() > _EXACT or samples.min() < -_EXACT):
        raise ImageFileError("TIFF of whole numbers above 2^53 is not supported", path=name)
    return samples.astype(np.float64)


def _spread(samples: Array, layout: Layout) -> Array:
    """Return samples whose white is that of 8 or 16 bits, and whose 0 is black; floats as float32 at least."""
    if layout.kind == "f":
        return samples.astype(np.float32) if layout.bits == 16 else samples
    white = np.iinfo(samples.dtype).max
    if layout.photometric == MIN_IS_WHITE:
        np.subtract((1 << layout.bits) - 1, samples[:, :, 0], out=samples[:, :, 0])
    if layout.bits in {8, 16}:
        return samples
    table = np.rint(np.arange(1 << layout.bits) * (white / ((1 << layout.bits) - 1))).astype(samples.dtype)
    if layout.photometric == PALETTE:  # indices stay, and alpha does not
        samples[:, :, 1:] = table[samples[:, :, 1:]]
        return samples
    spread: Array = table[samples]
    return spread


def _convert(colours: Array, layout: Layout, data: bytes, name: str) -> Array:
    """Return grey, RGB or bands as they are, and other colours as RGB."""
    convert = _CONVERSIONS.get(layout.photometric)
    return convert(colours, layout, data, name) if convert else colours


def _look_up(indices: Array, layout: Layout, data: bytes, name: str) -> Array:
    """Return the colours of a palette, which has 16 bits of each; 8 of them, as other programs take them."""
    tag = layout.directory.tags.get(_COLOUR_MAP)
    count = 1 << layout.bits
    if tag is None or tag.length < 3 * count:
        raise ImageFileError("the TIFF is damaged: its palette is too short", path=name)
    palette = np.array(tag.values(data)[: 3 * count]).reshape(3, count).T
    if palette.max() > 255:  # some programs write 8 bits
        palette >>= 8
    return palette.astype(np.uint8)[indices[:, :, 0]]


def _mix(inks: Array, *_: object) -> Array:
    return mix_inks(inks)


def _convert_lab(samples: Array, layout: Layout, data: bytes, name: str) -> Array:
    """Return the sRGB of L*a*b*; a* and b* are signed in CIELab, and have an offset in ICCLab."""
    del name
    white, half, signed = (255, 128, "i1") if layout.bits == 8 else (65535, 32768, "i2")
    is_icc = layout.photometric == ICCLAB
    most = 65280 if is_icc and layout.bits == 16 else white  # ICC.1:2001-04, annex A.3
    x, y = _fractions(data, layout.directory.tags.get(_WHITE_POINT), _D50)
    to_rgb = _XYZ_TO_RGB @ _adapt(np.array([x / y, 1, (1 - x - y) / y]))
    pixels = np.empty_like(samples)
    for row in range(0, len(samples), _ROWS_AT_ONCE):
        part = samples[row : row + _ROWS_AT_ONCE]
        chroma = part[:, :, 1:].astype(np.float64) - half if is_icc else part[:, :, 1:].astype(signed)
        height = (part[:, :, 0] * (100 / most) + 16) / 116
        roots = np.stack(
            [height + chroma[:, :, 0] * (128 / half / 500), height, height - chroma[:, :, 1] * (128 / half / 200)]
        )
        xyz = np.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * (108 / 841))
        linear = np.tensordot(xyz, to_rgb, (0, 1)).clip(0, 1)
        rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        pixels[row : row + _ROWS_AT_ONCE] = np.rint(rgb * white)
    return pixels


_ROWS_AT_ONCE = 64

_D50 = 0.34567, 0.3585
"""The white of L*a*b* (chromaticity x and y) where a file does not say, as in ICC profiles."""

_D65_WHITE = np.array([0.95047, 1, 1.08883])

_XYZ_TO_RGB = np.linalg.inv(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB of XYZ (IEC 61966-2-1)."""

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""Responses of the eye, by which white is adapted (ICC.1:2022, annex E)."""


def _adapt(white: Array) -> Array:
    """Return what makes XYZ under D65 of XYZ relative to a white, in which white is 1, 1, 1."""
    gains = (_BRADFORD @ _D65_WHITE) / (_BRADFORD @ white)
    adapted: Array = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ np.diag(white)
    return adapted


def _convert_ycbcr(samples: Array, layout: Layout, data: bytes, name: str) -> Array:
    """Return the RGB of YCbCr (TIFF 6.0, section 21), rounded as libtiff does: by tables of fixed point."""
    del name
    tags = layout.directory.tags
    red, green, blue = _fractions(data, tags.get(_COEFFICIENTS), (0.299, 0.587, 0.114))
    low, high, *others = _fractions(data, tags.get(_REFERENCES), (0, 255, 128, 255, 128, 255), 0)
    codes = np.arange(256)

    def from_code(codes: Array, low: float, high: float, span: int) -> Array:
        return np.trunc((codes - int(low)) * float(span) / (int(high) - int(low) or 1)).astype(np.int64)

    luminance = from_code(codes, low, high, 255)
    blues, reds = (
        from_code(codes - 128, start - 128, end - 128, 127) for start, end in zip(*[iter(others)] * 2, strict=True)
    )

    def fixed(factor: float) -> int:
        return int(min(max(factor, 0), 2) * (1 << 16) + 0.5)

    half = 1 << 15
    from_red, from_blue = 2 - 2 * red, 2 - 2 * blue
    y, cb, cr = (samples[:, :, channel] for channel in range(3))
    pixels = np.empty_like(samples)
    light = luminance[y]
    pixels[:, :, 0] = (light + (fixed(from_red) * reds + half >> 16)[cr]).clip(0, 255)
    fall = (-fixed(blue * from_blue / green) * blues + half)[cb] + (-fixed(red * from_red / green) * reds)[cr] >> 16
    pixels[:, :, 1] = (light + fall).clip(0, 255)
    pixels[:, :, 2] = (light + (fixed(from_blue) * blues + half >> 16)[cb]).clip(0, 255)
    return pixels


def _fractions(data: bytes, tag: Tag | None, default: tuple[float, ...], least: float = 1e-6) -> tuple[float, ...]:
    """Return the values of a tag of rationals, or those by default if it has not as many, or one below the least."""
    values = tag.values(data) if tag else ()
    if tag and tag.form[1:] in {"II", "ii"}:
        values = tuple(
            over / under if under else math.nan for over, under in zip(values[::2], values[1::2], strict=True)
        )
    return values if len(values) == len(default) and all(least <= value < 1e6 for value in values) else default


_CONVERSIONS: dict[int, Callable[[Array, Layout, bytes, str], Array]] = {
    PALETTE: _look_up,
    SEPARATED: _mix,
    YCBCR: _convert_ycbcr,
    CIELAB: _convert_lab,
    ICCLAB: _convert_lab,
}
"""What makes RGB, (H, W, 3), of samples that mean other colours."""
