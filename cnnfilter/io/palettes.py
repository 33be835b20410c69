"""Palettes of at most 256 colours that are made for an image, and the dithering that goes with them.

Colours are whole numbers 0xBBGGRR.
"""

import numpy as np
from numpy.typing import NDArray

from cnnfilter.arrays import Array

Colours = NDArray[np.uint32]

MOST = 256
"""How many colours a palette has at most."""

_SAMPLE = 1 << 15  # pixels by which a palette is made
_AREA = 1024  # the share of pixels, one in so many, from which on a colour is that of an area
_ROUNDS = 4  # of k-means; more improve little
_AT_ONCE = 512  # colours of which the nearest is searched at a time: more are shared out among threads, and take longer
_ALL = (1 << 24) + 1  # colours of 8 bits a channel, and what is none
_ROWS = 64  # that are dithered at a time, in the cache


def make_palette(colours: Colours, room: int) -> Colours:
    """Return at most `room` colours (N,) for pixels (M,), by an octree and k-means on some of them.

    What covers areas is in it as it is, in three quarters of the room at most; the rest is for all others.
    """
    from PIL import Image  # noqa: PLC0415  few files need it

    sample = colours[:: max(1, len(colours) // _SAMPLE)]
    distinct, counts = np.unique(sample, return_counts=True)
    if len(distinct) <= room:
        return distinct
    areas = np.argsort(-counts, kind="stable")[: 3 * room // 4]
    areas = areas[counts[areas] >= len(sample) / _AREA]
    points, weights = unpack(distinct).astype(np.float32), counts.astype(np.float64)
    others = Image.fromarray(unpack(sample[~np.isin(sample, distinct[areas])])[None])
    octree = others.quantize(room - len(areas), Image.Quantize.FASTOCTREE).getpalette()
    centres = np.concatenate([points[areas], np.array(octree, np.float32).reshape(-1, 3)])[:room]
    for _ in range(_ROUNDS):
        nearest = _find_nearest(points, centres)
        total = np.bincount(nearest, weights, len(centres))
        sums = [np.bincount(nearest, weights * channel, len(centres)) for channel in points.T]
        total[: len(areas)] = 0
        moved = total > 0
        centres[moved] = np.stack([channel[moved] / total[moved] for channel in sums], axis=1)
    return np.unique(pack(np.rint(centres).astype(np.uint8)))


def dither(colours: Colours, palette: Colours, top: int, left: int) -> NDArray[np.uint8]:
    """Return the number of a palette's colour for each pixel (H, W) of a part of an image that begins at top and left.

    A pixel gets one of two colours between which its own lies, by a threshold that depends on its place alone: so what
    does not move does not flicker, and a colour of the palette stays as it is. Pixels are closer to their colours than
    by the diffusion of errors.
    """
    points = unpack(palette).astype(np.float32)
    distinct = np.unique(colours)
    place = np.empty(_ALL, np.int32)
    place[distinct] = np.arange(len(distinct), dtype=np.int32)
    own = unpack(distinct).astype(np.float32)
    first = _find_nearest(own, points)
    second = _find_nearest(2 * own - points[first], points)  # on the other side of it
    step = points[second] - points[first]
    length = np.maximum((step * step).sum(axis=1), 1)
    share = ((own - points[first]) * step).sum(axis=1) / length
    chosen = np.empty(colours.shape, np.uint8)
    for row in range(0, len(colours), _ROWS):
        where = place[colours[row : row + _ROWS]]
        over = share[where] > _thresholds(where.shape, top + row, left)
        chosen[row : row + _ROWS] = np.where(over, second[where], first[where])
    return chosen


def _thresholds(shape: tuple[int, ...], top: int, left: int) -> Array:
    """Return a number from 0 to 1 for each place, those of neighbours far apart: interleaved gradient noise.

    J. Jimenez, Next generation post processing in Call of Duty: Advanced Warfare, SIGGRAPH 2014.
    """
    rows, columns = np.ogrid[top : top + shape[0], left : left + shape[1]]
    noise: Array = (52.9829189 * ((0.06711056 * columns + 0.00583715 * rows) % 1.0)) % 1.0
    return noise


def _find_nearest(colours: Array, palette: Array) -> NDArray[np.intp]:
    """Return the number of the nearest in a palette (P, 3) for each colour (N, 3)."""
    nearest = np.empty(len(colours), np.intp)
    points = np.column_stack([colours, np.ones(len(colours), np.float32)])
    weights = np.ascontiguousarray(np.column_stack([palette, (palette * palette).sum(axis=1) / -2]).T)
    for start in range(0, len(points), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        nearest[part] = (points[part] @ weights).argmax(axis=1)
    return nearest


def pack(pixels: NDArray[np.uint8]) -> Colours:
    """Return pixels (..., 3) as whole numbers (...)."""
    colours: Colours = pixels[..., 0].astype(np.uint32)
    for channel in (1, 2):
        colours |= pixels[..., channel].astype(np.uint32) << np.uint32(8 * channel)
    return colours


def unpack(colours: Colours) -> NDArray[np.uint8]:
    """Return whole numbers (N,) as pixels (N, 3)."""
    return np.ascontiguousarray(colours, "<u4").view(np.uint8).reshape(-1, 4)[:, :3]
