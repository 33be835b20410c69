"""Pictures and matrices in and out, and what must become of them, worked out by other means than the package's."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cnnfilter.arrays import Array, Doubles

GRAY = (0.299, 0.587, 0.114)
"""The luma of red, green and blue, Rec. ITU-R BT.601."""


def save(path: Path, pixels: Array) -> None:
    """Write a (H, W), (H, W, 3) RGB or (H, W, 4) RGBA picture."""
    swapped = pixels if pixels.ndim == 2 else pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]
    assert cv2.imwrite(str(path), np.ascontiguousarray(swapped))


def load(path: str | Path) -> Array:
    """Return a picture as it is stored: (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."""
    return decode(Path(path).read_bytes())


def decode(data: bytes) -> Array:
    """Return the picture in the bytes of a file."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels if pixels.ndim == 2 else pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]


def rows(text: str, separator: str | None = None) -> Doubles:
    """Return the matrix that a text prints, (H, W), or (H, W, C) where blank lines part channels."""
    blocks = [np.loadtxt(io.StringIO(block), ndmin=2, delimiter=separator) for block in text.split("\n\n")]
    return blocks[0] if len(blocks) == 1 else np.stack(blocks, axis=-1)


def text_of(matrix: Array, separator: str = " ") -> str:
    """Return a matrix as a text file holds it: every digit, a blank line between channels."""
    planes = [matrix] if matrix.ndim == 2 else list(np.moveaxis(matrix, -1, 0))
    blocks = ["".join(separator.join(repr(float(x)) for x in row) + "\n" for row in plane) for plane in planes]
    return "\n".join(blocks)


def correlated(
    image: Array, kernel: Array, pads: Sequence[int] = (0, 0, 0, 0), stride: int = 1, dilation: int = 1
) -> Doubles:
    """Return what a 2-D kernel makes of each channel, by the formula: zeros on (top, left, bottom, right)."""
    top, left, bottom, right = pads
    volume = image[:, :, None] if image.ndim == 2 else image
    padded = np.pad(volume.astype(np.float64), ((top, bottom), (left, right), (0, 0)))
    height, width = ((size - 1) * dilation + 1 for size in kernel.shape)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(0, 1))
    maps = np.einsum("ijcab,ab->ijc", windows[::stride, ::stride, :, ::dilation, ::dilation], kernel)
    return np.asarray(maps[:, :, 0] if image.ndim == 2 else maps)


def levels(values: Array, white: int = 255) -> Array:
    """Return values rounded half to even and cut off, as a file of 8 or 16 bits holds them."""
    return np.clip(np.rint(values), 0, white).astype(np.uint8 if white == 255 else np.uint16)
