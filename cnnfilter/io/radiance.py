"""Radiance HDR: floats of a common exponent, in scanlines with run lengths of two kinds, or without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.errors import ImageFileError
from cnnfilter.io.opencv import call_opencv, cv2, swap_red_and_blue
from cnnfilter.io.signatures import not_supported

if TYPE_CHECKING:
    from cnnfilter.arrays import Array

_LONGEST_HEAD = 65_536

_SIZE = re.compile(rb"\n\r?\n([-+])([YX]) +(\d{1,9}) +([-+])([YX]) +(\d{1,9})[ \r]*\n")

_FORMAT = re.compile(rb"^FORMAT *= *(\S+)", re.MULTILINE)

_ENCODABLE = range(8, 32_768)
"""The lengths of scanlines that can be coded channel by channel."""


class Radiance(NamedTuple):
    """What the head of a file says."""

    height: int = 0
    width: int = 0
    place: int = 0  # where the scanlines begin
    from_bottom: bool = False  # whether the first is the lowest
    from_right: bool = False  # whether each begins at the right
    refusal: str = ""  # why it is not read


def read_radiance(data: bytes) -> Radiance:
    """Return what the head of a file says."""
    head = data[:_LONGEST_HEAD]
    match = _SIZE.search(head)
    if not match or match[2] == match[5]:
        return Radiance(refusal="the Radiance HDR is cut off or damaged: its head has no size")
    height, width = int(match[3]), int(match[6])
    found = Radiance(height, width, match.end(), match[1] == b"+", match[4] == b"-")
    format_ = _FORMAT.search(head, 0, match.start() + 1)
    if format_ and format_[1] != b"32-bit_rle_rgbe":
        return found._replace(refusal=not_supported(f"Radiance HDR of the format {format_[1].decode('latin-1')}"))
    if match[2] == b"X":  # programs do not agree on where these columns begin
        return found._replace(refusal=not_supported("Radiance HDR whose scanlines are columns (+X before Y)"))
    return found if height and width else found._replace(refusal="the Radiance HDR is damaged: it has no pixels")


def decode_radiance(data: bytes, name: str) -> Array:
    """Return the pixels, (H, W, 3) RGB, upright; `ImageFileError` if they are cut off or damaged."""
    found = read_radiance(data)
    pixels = _decode_lines(data, found, name)
    pixels = pixels[::-1] if found.from_bottom else pixels
    return np.ascontiguousarray(pixels[:, ::-1] if found.from_right else pixels)


def _decode_lines(data: bytes, found: Radiance, name: str) -> Array:
    """Return the scanlines as rows, by OpenCV where they are coded channel by channel."""
    if _is_encoded(data, found.place, found.width):
        file = data
        if found.from_bottom or found.from_right:  # OpenCV reads one order alone
            head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {found.height} +X {found.width}\n"
            file = head.encode() + data[found.place :]
        buffer = np.frombuffer(file, np.uint8)
        pixels, _ = call_opencv("Radiance HDR", name, lambda: cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))
        if pixels is not None and pixels.shape == (found.height, found.width, 3):
            return swap_red_and_blue(pixels, owned=True)
    codes = np.frombuffer(_expand(data, found, name), np.uint8).reshape(found.height, found.width, 4)
    exponents = codes[:, :, 3:]
    scale = np.where(exponents > 0, np.ldexp(np.float32(1), exponents.astype(np.int32) - 136), np.float32(0))
    return codes[:, :, :3] * scale


def _is_encoded(data: bytes, place: int, width: int) -> bool:
    """Return whether the scanline at a place is coded channel by channel."""
    return data[place : place + 2] == b"\2\2" and data[place + 2] < 128 and width in _ENCODABLE


def _expand(data: bytes, found: Radiance, name: str) -> bytes:
    """Return red, green, blue and exponent of each pixel; scanlines may be coded differently."""
    place, lines = found.place, list[bytes]()
    try:
        for _ in range(found.height):
            expand = _expand_channels if _is_encoded(data, place, found.width) else _expand_pixels
            line, place = expand(data, place, found.width)
            lines.append(line)
    except IndexError as error:
        reason = f"the Radiance HDR is cut off (in scanline {len(lines) + 1} of {found.height})"
        raise ImageFileError(reason, path=name) from error
    except ValueError as error:
        reason = f"the Radiance HDR is damaged (in scanline {len(lines) + 1} of {found.height})"
        raise ImageFileError(reason, path=name) from error
    return b"".join(lines)


def _expand_channels(data: bytes, place: int, length: int) -> tuple[bytes, int]:
    """Return a scanline whose channels are coded one after another, and where it ends."""
    if data[place + 2] << 8 | data[place + 3] != length:
        raise ValueError(length)
    line, place = bytearray(4 * length), place + 4
    for channel in range(4):
        values = bytearray()
        while len(values) < length:
            count = data[place]
            if count > 128:
                values += data[place + 1 : place + 2] * (count - 128)
                place += 2
            else:
                values += data[place + 1 : place + 1 + count]
                place += 1 + count
            _ = data[place - 1]
        line[channel::4] = values  # another length is an error
    return bytes(line), place


def _expand_pixels(data: bytes, place: int, length: int) -> tuple[bytes, int]:
    """Return a scanline of whole pixels, where 1, 1, 1, n repeats the one before n times, and where it ends."""
    end = place + 4 * length
    if end <= len(data) and b"\1\1\1" not in data[place:end]:
        return data[place:end], end
    line, shift = bytearray(), 0
    while len(line) < 4 * length:
        pixel, place = data[place : place + 4], place + 4
        _ = data[place - 1]
        if pixel[:3] != b"\1\1\1":
            line += pixel
            shift = 0
        else:
            line += line[-4:] * (pixel[3] << shift)
            shift += 8
        if len(line) > 4 * length or not line:
            raise ValueError(length)
    return bytes(line), place
