"""What OpenCV leaves undone of Netpbm's files: levels up to any white in PGM and PPM, and all of PAM.

OpenCV takes a PAM's red for blue, drops its second channel, and leaves numbers as they are where white is not 255 or
65535. See pgm(5), ppm(5) and pam(5).
"""

import re

import numpy as np

from cnnfilter.arrays import Array

_HEAD = re.compile(rb"P([2356])\s(?:\s|#[^\n]*\n)*\d+\s(?:\s|#[^\n]*\n)*\d+\s(?:\s|#[^\n]*\n)*(\d+)")
_LINE = re.compile(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,9})\s*$")

_LONGEST_HEAD = 65_536


def spread_levels(pixels: Array, data: bytes) -> Array:
    """Return the pixels of a PGM or PPM, as OpenCV decodes them, with white at 255 or 65535."""
    match = _HEAD.match(data[:_LONGEST_HEAD])
    if not match or pixels.dtype.kind != "u":
        return pixels
    is_text = match[1] in b"23"
    white = int(match[2])
    return pixels if is_text and pixels.dtype == np.uint8 else _spread(pixels, white)


def _spread(pixels: Array, white: int) -> Array:
    """Return whole numbers up to `white` as such up to 255 or 65535; those above it are white."""
    full = np.iinfo(pixels.dtype).max
    if white in {0, full}:
        return pixels
    return np.rint(np.minimum(pixels, white) * float(full) / white).astype(pixels.dtype)


def decode_pam(data: bytes) -> Array | None:
    """Return the picture in a PAM, (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; None if it is cut off or another thing.

    Two channels, grey and alpha, are made four.
    """
    end = data.find(b"ENDHDR\n", 0, _LONGEST_HEAD)
    found = {match[1]: int(match[2]) for line in data[: max(0, end)].splitlines() if (match := _LINE.match(line))}
    height, width, depth, white = (found.get(name, 0) for name in (b"HEIGHT", b"WIDTH", b"DEPTH", b"MAXVAL"))
    kind = np.dtype(np.uint8 if white < 256 else ">u2")
    start, count = end + len(b"ENDHDR\n"), height * width * depth
    if not (1 <= depth <= 4 and 1 <= white <= 65_535 and count and start + count * kind.itemsize <= len(data)):
        return None
    raw = np.frombuffer(data, kind, count, start).reshape(height, width, depth)
    pixels = _spread(raw.astype(kind.newbyteorder("="), copy=True), white)
    if depth == 2:
        return np.ascontiguousarray(pixels[:, :, [0, 0, 0, 1]])
    return pixels[:, :, 0] if depth == 1 else pixels
