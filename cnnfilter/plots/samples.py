"""Images to draw on: one made by formulas for kernels, or the user's own."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.network import as_volume, to_gray
from cnnfilter.errors import ImageFileError
from cnnfilter.files.formats import is_matrix
from cnnfilter.files.pictures import decode_picture, read_bytes
from cnnfilter.spec.geometry import Pair

WHITE = 255.0
"""Of the sample, and of a user's image, whatever its depth was."""

_MOST_SAMPLE, _MOST_BACKDROP = 240, 1200
"""Images are reduced to so many pixels a side: few where what a kernel does to a pixel is to be seen."""


def read_sample(path: str) -> tuple[Doubles, str]:
    """Return a user's image in gray, (H, W) with `WHITE` as its white, not large, and what it is.

    Raises
    ------
    ImageFileError
        If it cannot be read, or has neither 1 nor 3 channels besides alpha.
    """
    picture = decode_picture(read_bytes(path), path, matrix=is_matrix(path))
    volume = as_volume(picture.pixels)[:, :, : 3 if picture.has_alpha else None]
    if volume.shape[2] not in {1, 3}:
        raise ImageFileError(f"{path}: has {volume.shape[2]} channels; kernels are shown on grey or colored pictures")
    gray = to_gray(volume)[:, :, 0] * (WHITE / picture.maximum)
    reduced = reduce_picture(gray, _MOST_SAMPLE)
    size = "x".join(map(str, gray.shape))
    small = f", {size} reduced to {'x'.join(map(str, reduced.shape))}" if reduced.shape != gray.shape else ""
    return reduced, f"{Path(path).name}{small}"


def reduce_picture(picture: Array, most: int) -> Doubles:
    """Return a gray image, (H, W), with neither side above `most`: means of whole blocks of pixels.

    Examples
    --------
    >>> reduce_picture(np.array([[0.0, 2.0, 9.0], [4.0, 6.0, 9.0]]), 2).tolist()
    [[3.0]]
    """
    factor = max(1, ceil(max(picture.shape) / most))
    height, width = (max(1, side // factor) for side in picture.shape)
    rows, columns = min(factor, picture.shape[0]), min(factor, picture.shape[1])
    blocks = picture[: height * rows, : width * columns].reshape(height, rows, width, columns)
    reduced: Doubles = blocks.mean(axis=(1, 3), dtype=np.float64)
    return reduced


def make_sample() -> Doubles:
    """Return an image of 96x96 gray levels in which every kernel finds something.

    It has, on a slope from dark to bright, a bright disk, a dark square with a bright rim, lines of one pixel in four
    directions, and rings that narrow from the middle to the rim.
    """
    row, column = np.mgrid[:96, :96].astype(np.float64)
    sample = 60 + 0.7 * column
    sample[np.hypot(row - 25, column - 25) <= 16] = 230
    sample[8:42, 54:88] = 235
    sample[10:40, 56:86] = 30
    down, across = row - 71, column - 24
    inside = np.hypot(down, across) <= 18
    for line in (down, across, down - across, down + across):
        sample[inside & (line == 0)] = 250
    radius = np.hypot(row - 70, column - 70)
    rings = 127.5 + 127.5 * np.cos(np.pi * radius**2 / 60)
    levels: Doubles = np.rint(np.where(radius <= 21, rings, sample))
    return levels


class Backdrop(NamedTuple):
    """A user's image to draw on.

    Parameters
    ----------
    pixels
        (H, W, 3) from 0 to 1, reduced where the image is large.
    covered
        How many rows and columns of the image they cover: all, but a last few that made no whole block.
    note
        What the image is.
    """

    pixels: Doubles
    covered: Pair
    note: str


def read_backdrop(path: str) -> Backdrop:
    """Return a user's image or matrix to draw on; channels beyond colors are shown as their mean.

    Raises
    ------
    ImageFileError
        If it cannot be read.
    """
    picture = decode_picture(read_bytes(path), path, matrix=is_matrix(path))
    volume = as_volume(picture.pixels)
    colors = volume[:, :, :3] if picture.has_alpha or volume.shape[2] == 3 else volume.mean(axis=2, keepdims=True)
    levels = colors / picture.maximum
    if picture.matrix:
        least = colors.min()
        levels = (colors - least) / (float(colors.max() - least) or 1.0)
    if picture.has_alpha:
        share = volume[:, :, 3:] / picture.maximum
        levels = levels * share + (1 - share)
    planes = [reduce_picture(levels[:, :, channel], _MOST_BACKDROP) for channel in range(levels.shape[2])]
    pixels = np.clip(np.stack(planes * (3 // len(planes)), axis=2), 0, 1)
    height, width = volume.shape[:2]
    factor = ceil(max(height, width) / _MOST_BACKDROP)
    covered = min(height, pixels.shape[0] * factor), min(width, pixels.shape[1] * factor)
    return Backdrop(pixels, covered, Path(path).name)
