"""What is known of pixels and weights before any is multiplied: whether they are whole numbers, how large sums get."""

from __future__ import annotations

from math import lcm
from typing import Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type
from cnnfilter.spec.borders import Border

EXACT_FLOAT32 = 2.0**24
"""Up to here float32 holds every whole number."""

_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)

LARGEST_DIVISOR = 2**20
"""Weights with a larger common divisor are taken for fractions, which costs an error of one part in 10^7."""

MOST_WEIGHTS = 2**20
"""Larger banks are trained ones, in which no divisor is sought."""

Dtype = Literal["float32", "float64"]


class Numbers(NamedTuple):
    """What is known of pixels and weights.

    Parameters
    ----------
    dtype
        Of the arithmetic.
    whole
        Whether all weights and all pixels are whole numbers.
    bound
        The largest result that can be: sum |k| x max |x|; infinite for fractions.
    narrow
        Whether pixels have 8 bits.
    """

    dtype: Dtype
    whole: bool = False
    bound: float = np.inf
    narrow: bool = False

    def __str__(self) -> str:
        return f"whole numbers to {self.bound:.0f}" if self.whole else "fractions"


def settle_numbers(volume: Array, bank: Doubles, border: Border, bias: float = 0.0) -> Numbers:
    """Return what is known of a (H, W, C) volume, its border, a (kh, kw, in / groups, out) bank, its largest bias."""
    single = float_type(volume.dtype) is np.float32 and not _exceeds_float32(bank)
    whole = float(border.value).is_integer() and is_whole(bank)
    if not whole or not (volume.dtype.kind in "bui" or is_whole(volume)):
        return Numbers("float32" if single else "float64", narrow=volume.dtype == np.uint8)
    heaviest = float(np.abs(bank).sum(axis=(0, 1, 2)).max(initial=0.0))
    bound = heaviest * max(_largest(volume), abs(border.value)) + abs(bias)
    if not np.isfinite(bound):
        return Numbers("float32" if single else "float64")
    return Numbers("float32" if single and bound < EXACT_FLOAT32 else "float64", True, bound, volume.dtype == np.uint8)


def _exceeds_float32(bank: Array) -> bool:
    """Return whether some weights would be infinities in float32, which make nan of 0; large banks are not copied."""
    if bank.dtype == np.float32:
        return False
    return bool(bank.max(initial=0.0) > _LARGEST_FLOAT32 or bank.min(initial=0.0) < -_LARGEST_FLOAT32)


def common_divisor(bank: Doubles) -> int:
    """Return the smallest number that makes whole numbers of all weights, or 1 if there is none up to 2**20.

    So the mean of nine pixels is their exact sum divided by 9, rounded once.

    Examples
    --------
    >>> common_divisor(np.array([1 / 9, 2 / 3])), common_divisor(np.array([0.1234567]))
    (9, 1)
    """
    if bank.size > MOST_WEIGHTS or _denominator(float(bank.flat[0])) == 0:
        return 1
    divisor = 1
    weights = np.sort(np.abs(bank), axis=None)  # numpy.unique would load numpy.ma, which costs a command 6 ms
    for weight in weights[np.append(True, weights[1:] != weights[:-1])]:
        divisor = lcm(divisor, _denominator(float(weight)))
        if not 0 < divisor <= LARGEST_DIVISOR:
            return 1
    return divisor


def _denominator(weight: float) -> int:
    """Return the denominator of the fraction that a weight is to the last bit, or 0."""
    if weight.is_integer():
        return 1
    from fractions import Fraction  # noqa: PLC0415  most kernels are whole numbers

    fraction = Fraction(weight).limit_denominator(LARGEST_DIVISOR)
    return fraction.denominator if float(fraction) == weight else 0


_SAMPLE = 4096
"""So many numbers tell of most photos in float32 that they are fractions."""


def is_whole(array: Array) -> bool:
    """Return whether all are whole numbers."""
    flat = array.flat[:_SAMPLE]
    with np.errstate(invalid="ignore"):
        if not (np.rint(flat) == flat).all():
            return False
        return array.size <= _SAMPLE or all(bool((np.rint(row) == row).all()) for row in array)


def _largest(volume: Array) -> float:
    """Return the largest magnitude: by the type for 8 and 16 bits, so that a plan does not hang on the pixels."""
    if volume.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return float(np.iinfo(volume.dtype).max)
    return max(abs(float(volume.min(initial=0))), abs(float(volume.max(initial=0))))
