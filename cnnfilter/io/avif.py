"""AVIF: still images decoded.

Read are grey, RGB and alpha of 8, 10 and 12 bits, whole or in tiles, cropped, turned and mirrored as the boxes say.
OpenCV decodes, of grey with alpha the two images one after the other. Where it refuses a file, Pillow decodes what has
8 bits.
"""

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.avif_boxes import AvifImage, read_avif
from cnnfilter.io.boxes import adapt_to_libavif, find_box, is_cut_off
from cnnfilter.io.colours import divide_by_alpha, spread
from cnnfilter.io.metadata import apply_orientation
from cnnfilter.io.opencv import call_opencv, cv2, explain_failure
from cnnfilter.io.pillow import open_with_pillow


def decode_avif(data: bytes, name: str) -> Array:
    """Return the pixels of a still image, upright: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA of 8 or 16 bits."""
    try:
        image = read_avif(data)
    except ValueError as error:
        raise ImageFileError(f"the AVIF is cut off or damaged: {error}", path=name) from error
    data = adapt_to_libavif(data)
    decode = _decode_grey_and_alpha if image.is_grey and image.alpha else _decode
    pixels = decode(data, image, name)
    if image.crop:
        top, left, height, width = image.crop
        pixels = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    return apply_orientation(pixels, image.orientation)


def _decode(data: bytes, image: AvifImage, name: str) -> Array:
    """Return an image as it is stored, in RGB, spread to the whole range of 8 or 16 bits."""
    if image.is_grey and image.is_limited is None and image.bits == 8:  # OpenCV does not ask the decoder for the range
        return _decode_with_pillow(data, image, name)
    buffer = np.frombuffer(data, np.uint8)
    pixels, lines = call_opencv("AVIF", name, lambda: cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))
    if pixels is None:
        if image.bits > 8:
            raise ImageFileError(_explain(data, lines), path=name)
        return _decode_with_pillow(data, image, name)
    if image.is_grey and image.is_limited is None:
        image = image._replace(is_limited=_is_limited(pixels, data, image, name))
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return spread(pixels, image.white, image.black)


def _is_limited(pixels: Array, data: bytes, image: AvifImage, name: str) -> bool:
    """Return whether grey of 10 or 12 bits has a limited range: whether Pillow's 8 bits are not those of a full one."""
    full = spread(pixels, (1 << image.bits) - 1) / 257
    return bool(np.abs(full - _decode_with_pillow(data, image, name)).max() > 1)


def _decode_with_pillow(data: bytes, image: AvifImage, name: str) -> Array:
    """Return an image of 8 bits."""
    try:
        with open_with_pillow(data, "AVIF", name) as opened:
            return np.array(opened.convert("L" if image.is_grey else "RGBA" if image.alpha else "RGB"))
    except ImageFileError as error:
        raise ImageFileError(_explain(data, []), path=name) from error


def _explain(data: bytes, lines: list[str]) -> str:
    """Return why neither OpenCV nor Pillow reads an image whose boxes are understood."""
    if is_cut_off(data):
        return "the AVIF is cut off"
    return explain_failure("AVIF", lines) if lines else "the AVIF is damaged, or its boxes break a rule of libavif's"


def _decode_grey_and_alpha(data: bytes, image: AvifImage, name: str) -> Array:
    """Return a grey image with its alpha, each decoded as if it were all."""
    start, end = find_box(data, b"meta", b"iref")
    alone = bytearray(data)
    alone[start:end] = alone[start:end].replace(b"auxl", b"none")
    place, stop = find_box(data, b"meta", b"pitm")
    other = alone.copy()
    other[place + 4 : stop] = image.alpha.to_bytes(stop - place - 4)
    grey = _decode(bytes(alone), image, name)[:, :, np.newaxis]
    alpha = _decode(bytes(other), image._replace(is_limited=False), name)[:, :, np.newaxis]
    if grey.shape != alpha.shape:
        raise ImageFileError("AVIF whose alpha has another size is not supported", path=name)
    if image.is_multiplied:
        grey = divide_by_alpha(grey, alpha)
    return np.concatenate([grey, grey, grey, alpha], axis=2)
