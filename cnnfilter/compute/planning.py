"""Which engine carries out a convolution, and in which arithmetic: pure functions of a few facts."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from math import lcm
from typing import Any, Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type
from cnnfilter.compute.engines.bands import Factors
from cnnfilter.compute.engines.factors import MISSING, Core, find_diagonal, find_factors, trim
from cnnfilter.spec.borders import Border
from cnnfilter.spec.geometry import Pair, show_pair

EXACT_FLOAT32 = 2.0**24
"""Up to here float32 holds every whole number."""

EXACT_FOURIER = {"float32": 2.0**18, "float64": 2.0**44}
"""Up to here a Fourier transform, whose error is below 1e-6 or 1e-15 of the largest sum, rounds back to the whole."""

LARGEST_DIVISOR = 2**20
"""Weights with a larger common divisor are taken for fractions, which costs an error of one part in 10^7."""

_CERTAIN = 0.1
"""An error that rounding to whole numbers takes away, whatever else adds to it."""

MOST_WEIGHTS = 2**20
"""Larger banks are trained ones, in which no divisor is sought."""

MOST_PLANES = 64
"""So many pairs of channel and output are filtered plane by plane at most; products of matrices take over beyond."""

Dtype = Literal["float32", "float64"]

Phases = Literal["", "stride", "dilation"]


class Engine(StrEnum):
    """A way to carry out a convolution, each a module of `engines`."""

    DIRECT = "direct"
    """The image at once by OpenCV's filter2D, weight by weight."""

    SEPARABLE = "separable"
    """The image at once by OpenCV's sepFilter2D, columns by rows."""

    BANDS = "bands"
    """Columns by rows as products with banded matrices."""

    SHEARED = "sheared"
    """A diagonal, as a column of the image with longer or shorter rows."""

    BOXES = "boxes"
    """Equal weights in a rectangle, by running sums."""

    FOURIER = "Fourier"
    """Products of spectra, tile by tile."""

    TAPS = "taps"
    """Place by place of the kernel, all channels at once: nothing meets a pixel that its weight does not touch."""

    PATCHES = "patches"
    """All maps at once, as a product of matrices."""


SPREADING = {Engine.SEPARABLE, Engine.BANDS, Engine.SHEARED, Engine.BOXES, Engine.FOURIER, Engine.PATCHES}
"""Engines in which a pixel that is nan or infinite would reach results whose windows it is not in."""


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


class Task(NamedTuple):
    """How a kernel is laid on an image.

    Parameters
    ----------
    size
        (rows, columns) of the padded image.
    channels, stride, dilation
        As they are.
    finite
        Whether all pixels are.
    """

    size: Pair
    channels: int = 1
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    finite: bool = True


class Plan(NamedTuple):
    """How a (kh, kw) kernel is laid on each channel.

    Parameters
    ----------
    engine
        What does the work.
    dtype
        Its arithmetic.
    reason
        Why, for a person.
    core
        The part of the kernel that is laid.
    factors
        For columns by rows, or the weights along a diagonal with its direction.
    phases
        Whether rows and columns that the stride or the dilation parts are filtered apart.
    rounds
        Whether results are rounded to the whole numbers they are known to be.
    price
        The microseconds that it should take.
    """

    engine: Engine
    dtype: Dtype
    reason: str
    core: Core
    factors: Factors = ()
    direction: int = 0
    phases: Phases = ""
    rounds: bool = False
    price: float = 0.0

    def __str__(self) -> str:
        return f"{self.engine}{' by phases' if self.phases else ''} in {self.dtype}: {self.reason}"


class Prices(NamedTuple):
    """Nanoseconds for each number, on the machine and by the script of tests/benchmarks/calibrate.py.

    Measured on 6 megapixels of float32, two cores of a Xeon with AVX-512, OpenCV 5.0, OpenBLAS 0.3.30:

    ============================  =====  =====  =====  =====  =====
    milliseconds, by kernel size      5      9     15     25    101
    ============================  =====  =====  =====  =====  =====
    direct, a square                6.5   12.2     58     57     97
    direct, a column                1.9    2.4    2.9    5.4   18.0
    direct, a row                   3.4    4.5    5.6    7.8   16.0
    separable                       5.3    8.2    9.3   12.8   59.0
    separable, 8 bits               3.0    4.4    4.6    7.3   33.7
    bands                          12.9   13.2   13.4   15.0   22.4
    bands, a column                 6.0    6.2    6.7    7.4   13.8
    boxes                           8.8    9.4   10.3   10.4   14.1
    boxes, 8 bits                   7.3    8.0    8.9    9.7   12.9
    Fourier                        24.4   25.1   28.6   26.2   30.7
    ============================  =====  =====  =====  =====  =====

    Above 129 weights OpenCV's filter2D goes by a Fourier transform of its own, on one core.
    """

    call: float
    number: float
    weight: float


_DIRECT_SQUARE = Prices(10, 0.25, 0.024)
_DIRECT_COLUMN = Prices(10, 0.25, 0.026)
_DIRECT_ROW = Prices(10, 0.55, 0.024)
_SEPARABLE = Prices(20, 0.75, 0.029)
_SEPARABLE_NARROW = Prices(20, 0.40, 0.016)
_BAND = Prices(120, 0.90, 0.0085)
_FEW_WEIGHTS = Prices(0, 0.25, 0)
_SHEARED = Prices(120, 1.30, 0.010)
_BOXES = Prices(60, 1.45, 0.006)
_BOXES_NARROW = Prices(60, 1.30, 0.005)
_FOURIER = Prices(250, 4.0, 0)
_TAPS = Prices(30, 0.50, 0.40)
_PATCHES = Prices(30, 0.40, 0.45)
_PRODUCT = 0.0085
_PHASE = 0.8
_INTERLEAVED = 0.7
_CONVERTED = 0.3
"""For each number: a step that leaves some out, channels taken apart, 8 bits made floats. Estimates, as _TAPS and
_SHEARED are: the table has none of them."""

_SMALL = 150.0
"""Microseconds: what costs less is not worth a look at the kernel, which takes as long."""

_FEW_TO_LAY = 9
"""No other engine is as fast as OpenCV with so few weights, unless it reads 8 bits as they are."""

LARGEST_DIRECT = {"float32": 129, "float64": 49}
"""More weights, and OpenCV's filter2D takes a Fourier transform (dft_filter_size in its sources)."""


def plan_kernel(kernel: Doubles, numbers: Numbers, task: Task) -> Plan:
    """Return how to lay a (kh, kw) kernel on each channel: the cheapest way that gives the exact results.

    Examples
    --------
    >>> str(plan_kernel(np.ones((3, 3)), Numbers("float32", True, 2295.0), Task((600, 512))))
    'direct in float32: 3x3 weights, whole numbers to 2295'
    """
    return _choose(kernel.astype(np.float64, copy=False).tobytes(), kernel.shape, numbers, task)


@lru_cache(maxsize=64)
def _choose(weights: bytes, shape: Pair, numbers: Numbers, task: Task) -> Plan:
    """Return the cheapest plan; a picture's strips ask for the same one again and again."""
    kernel = np.frombuffer(weights).reshape(shape)
    extent = [gap * (side - 1) + 1 for gap, side in zip(task.dilation, shape, strict=True)]
    values = task.size[0] * task.size[1] * task.channels / 1000
    if extent[0] * extent[1] <= LARGEST_DIRECT[numbers.dtype]:
        nothing_beats_it = kernel.size <= _FEW_TO_LAY and not numbers.narrow
        if nothing_beats_it or _price_direct(tuple(extent), values) < _SMALL:
            return _plan_directly(kernel, numbers, task)
    return min(_plans(kernel, numbers, task), key=lambda plan: plan.price)


def _plan_directly(kernel: Doubles, numbers: Numbers, task: Task) -> Plan:
    """Return the plan to take the weights one by one, which needs no look at what the kernel is made of."""
    core = trim(_spread(kernel, task.dilation))
    values = task.size[0] * task.size[1] * task.channels / 1000
    price = _price_direct(core.weights.shape, values) * (1.0 if numbers.dtype == "float32" else 2.2)
    price += values * _CONVERTED * numbers.narrow
    reason = f"{core.weights.shape[0]}x{core.weights.shape[1]} weights, {numbers}"
    return Plan(Engine.DIRECT, numbers.dtype, reason, core, price=price)


def plan_bank(shape: tuple[int, ...], numbers: Numbers, output: Pair) -> Plan:
    """Return the plan to multiply patches by a bank of (kh, kw, in / groups, out) weights.

    Examples
    --------
    >>> str(plan_bank((3, 3, 64, 128), Numbers("float32"), (56, 56)))
    'patches in float32: 576 x 128 weights, fractions'
    """
    depth, maps = shape[0] * shape[1] * shape[2], shape[3]
    values = output[0] * output[1] / 1000
    price = _PATCHES.call + values * depth * (_PATCHES.weight + _PRODUCT * maps)
    slower = 1.0 if numbers.dtype == "float32" else 2.2
    reason = f"{depth} x {maps} weights, {numbers}"
    return Plan(Engine.PATCHES, numbers.dtype, reason, Core(0, 0, np.zeros((1, 1))), price=price * slower)


def _plans(kernel: Doubles, numbers: Numbers, task: Task) -> list[Plan]:
    """Return what could be done, each with the microseconds that it would take."""
    spread = _spread(kernel, task.dilation)
    core = trim(spread)
    values = task.size[0] * task.size[1] * task.channels / 1000
    height, width = core.weights.shape
    weights = np.count_nonzero(core.weights)
    size = f"{height}x{width} weights, {numbers}"
    options: list[Plan] = []

    def add(price: float, engine: Engine, reason: str, **more: Any) -> None:
        dtype = more.pop("dtype", numbers.dtype)
        slower = 1.0 if dtype == "float32" else 2.2
        options.append(Plan(engine, dtype, reason, more.pop("core", core), price=price * slower, **more))

    add(_TAPS.call + values * (_TAPS.number + _TAPS.weight * weights), Engine.TAPS, f"{weights} weights, {numbers}")
    if core.weights.size <= LARGEST_DIRECT[numbers.dtype]:
        options.append(_plan_directly(kernel, numbers, task))
    if not task.finite or (numbers.whole and numbers.bound >= EXACT_FOURIER["float64"]):
        return options
    kept = task.stride[0] * task.stride[1]
    diagonal = find_diagonal(core.weights) if height > 2 else None
    if diagonal and task.size[1] > 2 * width:
        price = _SHEARED.call + values * (_SHEARED.number + _SHEARED.weight * height)
        add(
            price,
            Engine.SHEARED,
            f"a diagonal of {height}, {numbers}",
            factors=((diagonal[0], np.ones(1)),),
            direction=diagonal[1],
        )
    runs = numbers.whole or numbers.dtype == "float32"
    if runs and core.weights.size > 1 and (core.weights == core.weights[0, 0]).all():
        price = _BOXES_NARROW if numbers.narrow else _BOXES
        cost = price.call + values * (price.number + price.weight * height)
        add(cost, Engine.BOXES, f"{height}x{width} equal weights, {numbers}")
    if weights > 2:
        options += _separable_plans(core, numbers, task, values)
    if core.weights.size > LARGEST_DIRECT[numbers.dtype] // 2:
        dtype: Dtype = numbers.dtype
        if numbers.whole and numbers.bound >= EXACT_FOURIER["float32"]:
            dtype = "float64"
        share = 0.5 + 0.5 / kept
        add(_FOURIER.call + values * _FOURIER.number * share, Engine.FOURIER, size, dtype=dtype, rounds=numbers.whole)
    part = -(-height // task.stride[0]), -(-width // task.stride[1])
    if kept > 1 and weights > 9 and part[0] * part[1] <= LARGEST_DIRECT[numbers.dtype]:
        price = _price_direct(part, values) + values * _PHASE
        add(price, Engine.DIRECT, f"{size}, every {show_pair(task.stride)}th result", phases="stride")
    if task.dilation != (1, 1) and task.stride == (1, 1) and kernel.size <= LARGEST_DIRECT[numbers.dtype]:
        price = _price_direct(kernel.shape, values) + values * 2 * _PHASE + 50.0 * task.dilation[0] * task.dilation[1]
        reason = f"{kernel.shape[0]}x{kernel.shape[1]} weights {show_pair(task.dilation)} apart, {numbers}"
        add(price, Engine.DIRECT, reason, phases="dilation", core=Core(0, 0, kernel))
    return options


def _separable_plans(core: Core, numbers: Numbers, task: Task, values: float) -> list[Plan]:
    """Return the ways to lay columns and rows."""
    height, width = core.weights.shape
    factors, exact = find_factors(core.weights, min(MISSING, _CERTAIN / numbers.bound) if numbers.whole else MISSING)
    if not factors:
        return []
    rounds = numbers.whole and not (exact and all(_is_whole(vector) for pair in factors for vector in pair))
    if rounds and numbers.bound >= EXACT_FOURIER[numbers.dtype]:
        return []
    slower = 1.0 if numbers.dtype == "float32" else 2.2
    pairs = f"{height}x{width} weights of rank {len(factors)}, {numbers}"
    opencv = _SEPARABLE_NARROW if numbers.narrow else _SEPARABLE
    whole = opencv.call + len(factors) * values * (opencv.number + opencv.weight * (height + width))
    bands = _BAND.call
    for column, row in factors:
        bands += values / task.stride[0] * _price_pass(column)
        bands += values / task.stride[0] / task.stride[1] * _price_pass(row)
    apart = 0.3 + _INTERLEAVED * (task.channels > 1)
    plan = Plan(Engine.SEPARABLE, numbers.dtype, pairs, core, factors, rounds=rounds, price=whole * slower)
    return [plan, plan._replace(engine=Engine.BANDS, price=bands * slower + values * apart)]


def _price_pass(weights: Doubles) -> float:
    if len(weights) == 1:
        return 0.1
    return _FEW_WEIGHTS.number if np.count_nonzero(weights) <= 2 else _BAND.number + _BAND.weight * len(weights)


def _price_direct(shape: tuple[int, ...], values: float) -> float:
    prices = _DIRECT_COLUMN if shape[1] == 1 else _DIRECT_ROW if shape[0] == 1 else _DIRECT_SQUARE
    return prices.call + values * (prices.number + prices.weight * shape[0] * shape[1])


def _spread(kernel: Doubles, dilation: Pair) -> Doubles:
    """Return a kernel with zeros between its weights."""
    if dilation == (1, 1):
        return kernel
    rows, columns = dilation
    spread = np.zeros(((kernel.shape[0] - 1) * rows + 1, (kernel.shape[1] - 1) * columns + 1))
    spread[::rows, ::columns] = kernel
    return spread


def settle_numbers(volume: Array, bank: Doubles, border: Border, bias: float = 0.0) -> Numbers:
    """Return what is known of a (H, W, C) volume, its border, a (kh, kw, in / groups, out) bank, its largest bias."""
    narrow = float_type(volume.dtype) is np.float32
    whole = float(border.value).is_integer() and _is_whole(bank)
    if not whole or not (volume.dtype.kind in "bui" or _is_whole(volume)):
        return Numbers("float32" if narrow else "float64", narrow=volume.dtype == np.uint8)
    heaviest = float(np.abs(bank).sum(axis=(0, 1, 2)).max(initial=0.0))
    bound = heaviest * max(_largest(volume), abs(border.value)) + abs(bias)
    if not np.isfinite(bound):
        return Numbers("float32" if narrow else "float64")
    return Numbers("float32" if narrow and bound < EXACT_FLOAT32 else "float64", True, bound, volume.dtype == np.uint8)


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


def _is_whole(array: Array) -> bool:
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
