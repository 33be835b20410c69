"""From results to what a file holds: range, depth, one rounding and one saturation, at the very end."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, float_type, ieee_arithmetic
from cnnfilter.errors import OutputError
from cnnfilter.files.formats import Depth, Format, Kind, Range

MAXIMA = {Depth.EIGHT: 255.0, Depth.SIXTEEN: 65535.0, Depth.FLOAT: 1.0}
"""White, by depth."""

WORTH_A_REMARK = 0.001
"""The share of clipped values that is mentioned."""

_SLACK = 1e-6
"""How far above white a float may come to lie by rounding in float32."""

_TYPES = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16}


@dataclass(frozen=True)
class Levels:
    """What a file is to hold, and the share of values that had to be clipped."""

    pixels: Array
    clipped: float


def depth_of(dtype: np.dtype[Any]) -> Depth:
    """Return the depth of an array's type: 8 for uint8, 16 for uint16, float for the rest."""
    return {np.dtype(np.uint8): Depth.EIGHT, np.dtype(np.uint16): Depth.SIXTEEN}.get(dtype, Depth.FLOAT)


def choose_depth(format_: Format, asked: Depth | None, given: Depth) -> tuple[Depth, str]:
    """Return the depth a file gets, and a remark if it is not the one that was wanted, or the empty string.

    Parameters
    ----------
    format_
        The file's format.
    asked
        What the user said, or None.
    given
        The input's depth, which is kept where nothing was asked and the format can hold it.
    """
    wanted = asked or (Depth.FLOAT if format_.kind is Kind.MATRIX else given)
    if wanted in format_.depths:
        return wanted, ""
    deepest = format_.depths[-1]
    order = list(Depth)
    if asked is None and order.index(deepest) > order.index(wanted):
        return deepest, ""
    return deepest, f"{format_.name} cannot hold depth {wanted}; it is written with {deepest}"


@ieee_arithmetic
def to_levels(values: Array, *, range_: Range | None, maximum: float, depth: Depth) -> Levels:
    """Return values as a file of some depth holds them.

    Parameters
    ----------
    values
        Any shape, in the input's units: white is `maximum`.
    range_
        How they are brought into range; None is `clip` for 8 and 16 bits, `none` for floats.
    maximum
        White of the input: 255, 65535, or 1.
    depth
        Of the file. 8 and 16 bits scale by their white / `maximum` and round half to even; floats stay
        in the input's units.

    Returns
    -------
    Levels
        uint8, uint16, or floats as they came.

    Raises
    ------
    OutputError
        If `none` is asked of 8 or 16 bits.

    Examples
    --------
    >>> to_levels(np.array([-3.0, 0.5, 1.5, 260.0]), range_=None, maximum=255.0, depth=Depth.EIGHT)
    Levels(pixels=array([  0,   0,   2, 255], dtype=uint8), clipped=0.5)
    """
    how = range_ or (Range.NONE if depth is Depth.FLOAT else Range.CLIP)
    floats = values.astype(float_type(values.dtype), copy=False)
    if depth is Depth.FLOAT:
        if how is Range.NONE:
            return Levels(floats, 0.0)
        return _saturate(_arrange(floats, how, maximum) + _middle(how, depth, maximum), maximum)
    if how is Range.NONE:
        raise OutputError(f"range none writes floats as they are, and a file of {depth} bits cannot hold them")
    white = MAXIMA[depth]
    scaled = _arrange(floats, how, maximum) * (white / maximum)
    levels = _saturate(np.rint(scaled + _middle(how, depth, white)), white)
    return Levels(levels.pixels.astype(_TYPES[depth]), levels.clipped)


def _arrange(values: Array, how: Range, maximum: float) -> Array:
    """Return the values moved as asked, still in the input's units and before anything is cut off."""
    match how:
        case Range.ABS:
            return np.abs(values)
        case Range.SCALE:
            low, high = _extremes(values)
            return (values - low) * maximum / (high - low) if high > low else np.zeros_like(values)
        case Range.MAX:
            peak = max(map(abs, _extremes(values)))
            return values * maximum / peak if peak > 0 else values
        case _:
            return values


def _middle(how: Range, depth: Depth, white: float) -> float:
    """Return what `offset` adds: half of white, or the level above it.

    127.5 itself would not do for 8 bits: half to even would then round 0 and 1 to one level, 2 and 3 to the next.
    """
    if how is not Range.OFFSET:
        return 0.0
    return white / 2 if depth is Depth.FLOAT else (white + 1) / 2


def _extremes(values: Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _saturate(values: Array, white: float) -> Levels:
    """Cut off what lies beyond 0..white; what is no number becomes 0."""
    inside = (values >= 0) & (values <= white * (1 + _SLACK))
    outside = values.size - int(np.count_nonzero(inside))
    values = np.clip(values, 0, white)
    if outside and np.isnan(values).any():
        values = np.nan_to_num(values)
    return Levels(values, outside / max(1, values.size))


def remark_on_clipping(clipped: float) -> str:
    """Return a sentence on the share of clipped values, or the empty string if it is below 0.1 %."""
    if clipped <= WORTH_A_REMARK:
        return ""
    return (
        f"{100 * clipped:.1f} % of the values lay outside the file's range and were clipped; "
        "--range abs, scale, max or offset shows them, --range none with a float file keeps them"
    )
