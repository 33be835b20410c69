"""What is known of pixels and weights before any is multiplied: whole numbers, the largest sum, what makes a kernel."""

from __future__ import annotations

from math import gcd, lcm
from typing import Any, Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type
from cnnfilter.nn.geometry import Border

WHITE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
"""The largest pixel of the types that OpenCV's filters read as they are."""

EXACT_FLOAT32 = 2.0**24  # up to here float32 holds every whole number
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_LARGEST_DIVISOR = 2**20  # with a larger common divisor weights are taken for fractions: an error of one part in 10^7
_MOST_WEIGHTS = 2**20  # larger banks are trained ones, in which no divisor is sought

Dtype = Literal["float32", "float64"]


class Facts(NamedTuple):
    """What is known of all pixels of an image, or of all values between two layers, before any is looked at.

    `whole` says that they are whole numbers, of which no magnitude is above `largest`.
    """

    dtype: np.dtype[Any]
    whole: bool = False
    largest: float = np.inf


def find_facts(volume: Array, *, matrix: bool = False) -> Facts:
    """Return what is known of an image by its type, so that each part of it is planned as the whole is.

    Whole numbers of more than 16 bits are looked at, for the largest; the numbers of a matrix, for whether all are
    whole.
    """
    dtype = volume.dtype
    if dtype.kind == "b":
        return Facts(dtype, True, 1.0)
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        limits = np.iinfo(dtype)
        return Facts(dtype, True, float(max(limits.max, -limits.min)))
    if dtype.kind in "iu" or (matrix and is_whole(volume)):
        return Facts(dtype, True, max(abs(float(volume.min(initial=0))), abs(float(volume.max(initial=0)))))
    return Facts(dtype)


class Numbers(NamedTuple):
    """What is known of pixels and weights: the arithmetic that they need, and whether all are whole numbers.

    `bound` is the largest result that can be, sum |k| x max |x|, infinite for fractions; `narrow` says that pixels have
    8 bits.
    """

    dtype: Dtype
    whole: bool = False
    bound: float = np.inf
    narrow: bool = False


def settle_numbers(facts: Facts, bank: Doubles, border: Border, bias: float = 0.0) -> Numbers:
    """Return what is known of pixels, their border, a (kh, kw, in / groups, out) bank and its largest bias."""
    # weights beyond float32 would be infinities in it, which make nan of 0
    beyond = bank.dtype != np.float32 and max(bank.max(initial=0.0), -bank.min(initial=0.0)) > _LARGEST_FLOAT32
    single, narrow = float_type(facts.dtype) is np.float32 and not beyond, facts.dtype == np.uint8
    bound = np.inf
    if facts.whole and float(border.value).is_integer() and is_whole(bank):
        heaviest = float(np.abs(bank).sum(axis=(0, 1, 2)).max(initial=0.0))
        bound = heaviest * max(facts.largest, abs(border.value)) + abs(bias)
    if not np.isfinite(bound):
        return Numbers("float32" if single else "float64", narrow=narrow)
    return Numbers("float32" if single and bound < EXACT_FLOAT32 else "float64", True, bound, narrow)


def common_divisor(bank: Doubles) -> int:
    """Return the smallest number that makes whole numbers of all weights, or 1 if there is none up to 2**20.

    So the mean of nine pixels is their exact sum divided by 9, rounded once.
    """
    if bank.size > _MOST_WEIGHTS or (np.rint(bank) == bank).all() or _denominator(float(bank.flat[0])) == 0:
        return 1
    divisor = 1
    weights = np.sort(np.abs(bank), axis=None)  # numpy.unique would load numpy.ma, which few commands need
    for weight in weights[np.append(True, weights[1:] != weights[:-1])]:
        divisor = lcm(divisor, _denominator(float(weight)))
        if not 0 < divisor <= _LARGEST_DIVISOR:
            return 1
    return divisor


def _denominator(weight: float) -> int:
    """Return the denominator of the fraction that a weight is to the last bit, or 0."""
    from fractions import Fraction  # noqa: PLC0415  most kernels are whole numbers

    fraction = Fraction(weight).limit_denominator(_LARGEST_DIVISOR)
    return fraction.denominator if float(fraction) == weight else 0


_SAMPLE = 4096  # so many numbers tell of most photos in float32 that they are fractions


def is_whole(array: Array) -> bool:
    """Return whether all are whole numbers."""
    flat = array.flat[:_SAMPLE]
    with np.errstate(invalid="ignore"):
        if not (np.rint(flat) == flat).all():
            return False
        return array.size <= _SAMPLE or all(bool((np.rint(row) == row).all()) for row in array)


Factors = tuple[tuple[Doubles, Doubles], ...]
"""Pairs of a column (kh,) and a row (kw,), the sum of whose products is the kernel."""

MOST_PAIRS = 4  # sums of more products of a column and a row cost more than a Fourier transform
MISSING = 1e-7  # the share of the sum of magnitudes that may be missing: a hundredth of the error that is allowed


def find_diagonal(weights: Doubles) -> tuple[Doubles, int] | None:
    r"""Return the weights along `\` (1) or `/` (-1), from the top, if there are no others."""
    if weights.shape[0] != weights.shape[1]:
        return None
    for direction in (1, -1):
        along = np.diagonal(weights[:, ::direction])
        if np.count_nonzero(along) == np.count_nonzero(weights):
            return along.copy(), direction
    return None


def find_factors(weights: Doubles, missing: float = MISSING) -> tuple[Factors, bool]:
    """Return columns and rows whose products add up to the kernel, and whether they do so to the last bit.

    At most a share of `missing` of the sum of magnitudes is lost. Rows that are multiples of one another come first, as
    whole numbers have whole factors then, else the singular value decomposition; beyond 4 pairs there are none.
    """
    for matrix in (weights, weights.T):
        groups, lost = _group_rows(matrix, missing)
        if lost <= missing:
            return groups if matrix is weights else tuple((row, column) for column, row in groups), lost == 0
    if min(weights.shape) <= MOST_PAIRS:
        return (), False
    left, values, right = np.linalg.svd(weights)
    pairs: Factors = ()
    product = np.zeros(weights.shape)
    for rank in range(MOST_PAIRS):
        pairs = *pairs, (left[:, rank] * values[rank], right[rank])
        product += np.outer(*pairs[-1])
        if np.abs(product - weights).sum() / np.abs(weights).sum() <= missing:
            return pairs, False
    return (), False


def _group_rows(weights: Doubles, missing: float) -> tuple[Factors, float]:
    """Return a (column, row) pair for each set of rows that are multiples of one, and the share that they miss.

    There are none if there would be many; they miss all then.
    """
    pairs: list[tuple[Doubles, Doubles]] = []
    product = np.zeros(weights.shape)
    left = weights.any(axis=1)
    tolerance = missing * np.abs(weights).max()
    while left.any():
        if len(pairs) == MOST_PAIRS // 2:
            return (), 1.0
        row = weights[int(np.flatnonzero(left)[np.abs(weights[left]).max(axis=1).argmax()])]
        if (np.rint(row) == row).all() and np.abs(row).max() <= 2**31:
            row = row / gcd(*row.astype(np.int64).tolist())
        column = np.where(left, weights @ row / (row @ row), 0.0)
        near = np.rint(column)
        column = np.where(np.abs(near - column) < 1e-9, near, column)
        alike = left & (np.abs(weights - column[:, None] * row).max(axis=1) <= tolerance)
        pairs.append((np.where(alike, column, 0.0), row))
        product += np.outer(*pairs[-1])
        left &= ~alike
    return tuple(pairs), float(np.abs(product - weights).sum() / np.abs(weights).sum())
