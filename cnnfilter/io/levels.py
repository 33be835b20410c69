"""From results to what a file holds: range, depth, one rounding and one saturation, at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnfilter.arrays import Array, float_type, ieee_arithmetic
from cnnfilter.errors import OutputError
from cnnfilter.io.formats import Depth, Format, Range

if TYPE_CHECKING:
    from cnnfilter.io.background import Background

MAXIMA = {Depth.EIGHT: 255.0, Depth.SIXTEEN: 65535.0, Depth.FLOAT: 1.0}
"""White, by depth."""

MOST_CLIPPED = 0.001
"""The share of values that may be clipped without a warning."""

DEPTHS = {
    np.dtype(np.uint8): Depth.EIGHT,
    np.dtype(np.uint16): Depth.SIXTEEN,
    np.dtype(np.float32): Depth.FLOAT,
    np.dtype(np.float64): Depth.FLOAT,
}
"""The types that pixels have, with their depths."""

Extremes = tuple[float, float]
"""The least and the greatest finite value."""


def choose_depth(format_: Format, asked: Depth | None, given: Depth) -> tuple[Depth, str]:
    """Return the depth a file gets, and a sentence if it is not the one that was wanted, or the empty string.

    That of the input, `given`, is kept where none was asked and the format can hold it.
    """
    wanted, deepest = asked or (Depth.FLOAT if format_.is_matrix else given), format_.depths[-1]
    if wanted in format_.depths:
        return wanted, ""
    order = list(Depth)
    if asked is None and order.index(deepest) > order.index(wanted):
        return deepest, ""
    return deepest, f"{format_.name} cannot hold depth {wanted}; it is written with {deepest}"


@ieee_arithmetic
def to_levels(
    values: Array,
    *,
    range_: Range | None,
    maximum: float,
    depth: Depth,
    extremes: Extremes | None = None,
    background: Background | None = None,
) -> tuple[Array, int]:
    """Return values as a file of some depth holds them, uint8, uint16, or floats, and how many had to be clipped.

    Values are in the units of an input with white at `maximum`. Without a range they are clipped for 8 and 16 bits, and
    scaled by the depth's white / `maximum` and rounded half to even; floats stay as they are. `extremes` are what
    `scale` and `max` go by where the values are a part of what goes into the file. On a `background` lies what has been
    brought into range, before it is rounded. `OutputError` if 8 or 16 bits are to hold the range `none`.

    Examples
    --------
    >>> to_levels(np.array([-3.0, 0.5, 1.5, 260.0]), range_=None, maximum=255.0, depth=Depth.EIGHT)
    (array([  0,   0,   2, 255], dtype=uint8), 2)
    """
    how = range_ or (Range.NONE if depth is Depth.FLOAT else Range.CLIP)
    floats: Array = values.astype(float_type(values.dtype), copy=False)
    if depth is not Depth.FLOAT and how is Range.NONE:
        raise OutputError(f"range none writes floats as they are, and a file of {depth} bits cannot hold them")
    if how is Range.NONE:
        return floats if background is None else background.blend(floats, maximum), 0
    low, high = extremes or (find_extremes(floats) if how in {Range.SCALE, Range.MAX} else (0.0, 0.0))
    peak = max(abs(low), abs(high))
    if how is Range.ABS:
        floats = np.abs(floats)
    elif how is Range.SCALE:
        floats = (floats - low) * maximum / (high - low) if high > low else np.zeros_like(floats)
    elif how is Range.MAX and peak > 0:
        floats = floats * maximum / peak
    white = maximum if depth is Depth.FLOAT else MAXIMA[depth]
    if white != maximum:
        floats = floats * (white / maximum)
    if how is Range.OFFSET:
        # Half of white, or the level above it: 127.5 would round 0 and 1 to one level, 2 and 3 to the next.
        floats = floats + (white / 2 if depth is Depth.FLOAT else (white + 1) / 2)
    if depth is Depth.FLOAT:  # rounding in float32 may end just above white
        levels, outside = _saturate(floats, white * (1 + 1e-6), white)
        return levels if background is None else background.blend(levels, white), outside
    levels, outside = _saturate(np.rint(floats), white, white, owned=True)
    if background:
        levels = np.rint(background.blend(np.nan_to_num(np.clip(floats, 0, white)), white))
    return levels.astype(np.uint8 if depth is Depth.EIGHT else np.uint16), outside


def find_extremes(values: Array) -> Extremes:
    """Return the least and the greatest finite value; (0, 0) of nothing finite."""
    if not values.size:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    return find_extremes(values[np.isfinite(values)])


def _saturate(values: Array, most: float, white: float, *, owned: bool = False) -> tuple[Array, int]:
    """Cut off what is beyond 0 and white, and count what is beyond 0 and `most`; nan becomes 0."""
    if not values.size:
        return values, 0
    low, high = values.min(), values.max()
    outside = 0
    if not (low >= 0 and high <= most):
        outside = values.size - int(np.count_nonzero((values >= 0) & (values <= most)))
    if not (low >= 0 and high <= white):
        values = np.clip(values, 0, white, out=values if owned else None)
        if np.isnan(low):
            values = np.nan_to_num(values)
    return values, outside


def has_white_at_1(values: Array) -> bool:
    """Return whether all values are from 0 to 1, and not all 0: an image as most libraries of Python hold it."""
    return bool(values.size) and values.dtype.kind == "f" and values.min() >= 0 and 0 < values.max() <= 1


def describe_clipping(share: float, cure: str) -> str:
    """Return a sentence on the share of values that were clipped, from 0 to 1, and on what to do about it.

    Examples
    --------
    >>> describe_clipping(0.31, "--range abs shows them")
    '31.0 % of the values were below black or above white, and were clipped; --range abs shows them'
    """
    return f"{100 * share:.1f} % of the values were below black or above white, and were clipped; {cure}"
