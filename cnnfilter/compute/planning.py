"""Which engine carries out a convolution, and in which arithmetic: pure functions of a few facts."""

from dataclasses import dataclass
from enum import StrEnum
from math import lcm
from typing import Any, Literal

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type
from cnnfilter.spec.borders import Border

EXACT_FLOAT32 = 2.0**24
"""Up to here float32 holds every whole number."""

EXACT_DFT = 2.0**44
"""Up to here the DFT in float64, whose error is some 1e-15 of the largest sum, rounds back to the whole number."""

LARGEST_DIVISOR = 2**20
"""Weights with a larger common divisor are taken for fractions, which costs an error of one part in 10^7."""

MOST_WEIGHTS = 2**20
"""Larger banks are trained ones, in which no divisor is sought."""

MOST_SUMMED = 128
"""So many products float32 sums, in whatever order, with an error below 1e-5 of the sum of their magnitudes."""

MOST_PAIRS = 64
"""So many pairs of channel and output are filtered plane by plane; a matrix product takes over beyond."""


class Engine(StrEnum):
    """A way to carry out a convolution."""

    FILTER2D = "filter2D"
    """Plane by plane by OpenCV, which takes a DFT for large kernels."""

    TAPS = "taps"
    """Place by place of the kernel, all channels and maps at once, by a matrix product."""

    WEIGHTS = "weights"
    """Weight by weight: nothing meets a pixel that its weight does not touch."""


@dataclass(frozen=True)
class Facts:
    """What the choice of an engine depends on.

    Parameters
    ----------
    pairs
        How many planes of weights there are: (in / groups) x out.
    weights
        How many products each result sums: kh x kw x (in / groups).
    dtype
        Of the image.
    whole
        Whether all weights and all pixels are whole numbers.
    bound
        The largest result that can be: sum |k| x max |x|.
    finite
        Whether all pixels are finite.
    """

    pairs: int
    weights: int
    dtype: np.dtype[Any]
    whole: bool
    bound: float
    finite: bool


@dataclass(frozen=True)
class Plan:
    """How a convolution is carried out.

    Parameters
    ----------
    engine
        What does the work.
    dtype
        The arithmetic.
    rounds
        Whether results are rounded to the whole numbers they are known to be.
    reason
        Why, for a person.
    """

    engine: Engine
    dtype: Literal["float32", "float64"]
    rounds: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.engine} in {self.dtype}: {self.reason}"


def plan_convolution(facts: Facts) -> Plan:
    """Return how to carry out a convolution.

    Examples
    --------
    >>> str(plan_convolution(Facts(1, 9, np.dtype("uint8"), True, 2040.0, True)))
    'filter2D in float32: 1 plane of weights, whole numbers to 2040'
    """
    beyond = facts.bound >= EXACT_FLOAT32 if facts.whole else facts.weights > MOST_SUMMED
    dtype: Literal["float32", "float64"] = "float64" if beyond or float_type(facts.dtype) is np.float64 else "float32"
    numbers = f"whole numbers to {facts.bound:.0f}" if facts.whole else "fractions"
    planes = f"{facts.pairs} plane{'s' * (facts.pairs != 1)} of weights"
    if not facts.finite:
        return Plan(Engine.WEIGHTS, dtype, False, "pixels that are nan or infinite stay where they are")
    if facts.whole and facts.bound >= EXACT_DFT:
        return Plan(Engine.TAPS, dtype, False, f"{numbers}, too large for a DFT")
    if facts.pairs > MOST_PAIRS:
        return Plan(Engine.TAPS, dtype, False, f"{planes}, {numbers}")
    return Plan(Engine.FILTER2D, dtype, facts.whole, f"{planes}, {numbers}")


def find_facts(volume: Array, bank: Doubles, border: Border, bias: float = 0.0) -> Facts:
    """Return the facts about a (H, W, C) volume, its border, a (kh, kw, in / groups, out) bank and its largest bias."""
    finite = volume.dtype.kind in "bui" or bool(np.isfinite(volume).all())
    whole = finite and float(border.value).is_integer() and _is_whole(bank)
    whole = whole and (volume.dtype.kind in "bui" or _is_whole(volume))
    largest = max(_largest(volume), abs(border.value))
    heaviest = float(np.abs(bank).sum(axis=(0, 1, 2)).max(initial=0.0))
    return Facts(
        pairs=bank.shape[2] * bank.shape[3],
        weights=bank.shape[0] * bank.shape[1] * bank.shape[2],
        dtype=volume.dtype,
        whole=whole,
        bound=heaviest * largest + abs(bias) if whole else np.inf,
        finite=finite,
    )


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


def _is_whole(array: Array) -> bool:
    return bool((np.rint(array) == array).all())


def _largest(volume: Array) -> float:
    """Return the largest magnitude: by the type for 8 and 16 bits, so that a plan does not hang on the pixels."""
    if volume.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return float(np.iinfo(volume.dtype).max)
    return max(abs(float(volume.min(initial=0))), abs(float(volume.max(initial=0))))
