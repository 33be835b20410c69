"""JPEG 2000: components decoded, and made pixels.

Read are one to four components of up to 16 bits:

- grey, RGB and sYCC, with or without alpha, CMYK, palettes, and components without a meaning, as bands;
- a depth for each component, spread to the range of 8 bits, or of 16 where one has more than 8;
- signed components, whose least value is black, and colours that were multiplied by alpha;
- an image offset or chroma of half the size where no component has more than 8 bits, or there is one.

OpenCV decodes the codestream without the boxes. Where it refuses, Pillow decodes, whose levels are exact up to 8 bits,
and up to 16 of a single component.
"""

import struct
from typing import Any, cast

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.colours import convert_ycc, divide_by_alpha, mix_inks, spread_bits
from cnnfilter.io.jpeg2000_boxes import BILEVEL, CMYK, SYCC, Boxes, read_boxes
from cnnfilter.io.opencv import call_opencv, cv2
from cnnfilter.io.pillow import open_with_pillow

_DAMAGED = "the JPEG 2000 is cut off or damaged"


def decode_jpeg_2000(data: bytes, name: str) -> Array:
    """Return the pixels: (H, W), (H, W, 3) RGB, (H, W, 4) RGBA, or (H, W, channels) of bands.

    `ImageFileError` that says what is not supported, or that the file is cut off or damaged.
    """
    try:
        boxes = read_boxes(data)
    except (struct.error, ValueError, IndexError) as error:
        raise ImageFileError(_DAMAGED, path=name) from error
    samples = _decode_components(data, boxes, name)
    dtype = np.dtype(np.uint16 if boxes.bits > 8 else np.uint8)
    try:
        channels = [_make_channel(samples, boxes, number, dtype) for number in range(len(boxes.channels))]
    except IndexError as error:
        raise ImageFileError(f"{_DAMAGED}: its palette is too short", path=name) from error
    if boxes.bands:
        return np.dstack(channels)
    colours = _convert(np.dstack([channels[number] for number in boxes.colours]), boxes)
    if boxes.alpha is not None:
        alpha = channels[boxes.alpha][:, :, np.newaxis]
        if boxes.is_multiplied:
            colours = divide_by_alpha(colours, alpha)
        return np.concatenate([*[colours] * (3 // colours.shape[2]), alpha], axis=2)
    return colours[:, :, 0] if colours.shape[2] == 1 else colours


def _decode_components(data: bytes, boxes: Boxes, name: str) -> Array:
    """Return the samples of all components, (H, W, components), of signed ones those above the least."""
    stream = boxes.codestream
    count = len(stream.components)
    code = _make_unsigned(data[stream.start : stream.end], count)
    if stream.bits < 8 or any(stream.offset) or stream.is_subsampled:
        samples = _decode_with_pillow(code, boxes, name)
    else:
        flags = cv2.IMREAD_UNCHANGED
        if count == 2:  # which OpenCV reads where a box says that they are three channels
            code, flags = _double_second(code, stream.height, stream.width), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        buffer = np.frombuffer(code, np.uint8)
        samples, _ = call_opencv("JPEG 2000", name, lambda: cast(Array, cv2.imdecode(buffer, flags)))
        if samples is not None and count > 1:
            samples = samples[:, :, [2, 1, 0, 3][: samples.shape[2]]]
    if samples is None or samples.shape[:2] != (stream.height, stream.width):
        raise ImageFileError(f"{_DAMAGED}, or of a kind that OpenJPEG cannot read", path=name)
    return np.atleast_3d(samples)


def _make_unsigned(code: bytes, count: int) -> bytes:
    """Return a codestream whose components are unsigned, which raises each value by half of their range."""
    changed = bytearray(code)
    for place in range(42, 42 + 3 * count, 3):
        changed[place] &= 0x7F
    return bytes(changed)


def _box(name: bytes, *parts: bytes) -> bytes:
    """Return a box (T.800, I.4)."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name) + content


def _wrap(code: bytes, height: int, width: int, count: int, *boxes: bytes) -> bytes:
    """Return a codestream of so many components in a file whose colour space is RGB, with further boxes of its head."""
    size = _box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, 255, 7, 0, 0))
    head = _box(b"jp2h", size, _box(b"colr", struct.pack(">BBBI", 1, 0, 0, 16)), *boxes)
    start = _box(b"jP  ", b"\r\n\x87\n") + _box(b"ftyp", b"jp2 ", bytes(4), b"jp2 ")
    return start + head + _box(b"jp2c", code)


def _double_second(code: bytes, height: int, width: int) -> bytes:
    """Return a file of two components whose second one is the third channel too."""
    palette = struct.pack(">HB3B3B", 1, 3, 7, 7, 7, 0, 0, 0)  # a mapping needs one, and may leave it unused
    mapping = struct.pack(">HBBHBBHBB", 0, 0, 0, 1, 0, 0, 1, 0, 0)
    return _wrap(code, height, width, 2, _box(b"pclr", palette), _box(b"cmap", mapping))


def _decode_with_pillow(code: bytes, boxes: Boxes, name: str) -> Array:
    """Return components as Pillow decodes them, which shifts their levels to 8 bits, or to 16 of a deeper grey."""
    stream = boxes.codestream
    count = len(stream.components)
    if count > 2:  # a bare codestream with small chroma would be converted
        code = _wrap(code, stream.height, stream.width, count)
    with open_with_pillow(code, "JPEG2000", name) as image:
        samples = np.atleast_3d(np.asarray(image))[:, :, :count]
    bits = 8 * samples.dtype.itemsize
    shifted: Array = samples >> np.array([bits - component.bits for component in stream.components], samples.dtype)
    return shifted


def _make_channel(samples: Array, boxes: Boxes, number: int, dtype: np.dtype[Any]) -> Array:
    """Return a channel, its levels spread, of a palette those that it names; `IndexError` if it names none."""
    component, column, bits = boxes.channels[number]
    values = samples[:, :, component]
    if boxes.palette and column is not None:
        values = np.array(boxes.palette.entries, np.uint16)[:, column][values]
    return spread_bits(values, bits, dtype)


def _convert(colours: Array, boxes: Boxes) -> Array:
    """Return grey and RGB as they are, other colours as RGB."""
    white = np.iinfo(colours.dtype).max
    if boxes.space == SYCC:
        bits = boxes.channels[boxes.colours[1]].bits
        return convert_ycc(colours, round(white * (1 << bits - 1) / ((1 << bits) - 1)))
    if boxes.space == CMYK:
        return mix_inks(colours)
    return white - colours if boxes.space == BILEVEL else colours
