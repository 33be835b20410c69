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

    Measured on 6 megapixels of float32, one channel or three, two cores of a Xeon with AVX-512, OpenCV 5.0, OpenBLAS
    0.3.30:

    ============================  =====  =====  =====  =====  =====
    milliseconds, by kernel size      5      9     15     25    101
    ============================  =====  =====  =====  =====  =====
    direct, a square                7.8   13.4
    direct, a column                1.4    2.0    2.7    5.9   19.4
    direct, a row                   1.7    4.1    5.7    7.5   17.5
    separable                       6.7    8.2   10.0   13.2   65.3
    separable, 8 bits               2.2    3.1    4.8    8.1   38.2
    bands                           9.4    9.5   10.7   12.6   21.1
    bands, a column                 5.8    6.0    6.6    7.3   12.9
    sheared                         6.0    6.4    7.1    7.6   13.8
    boxes                           6.2   11.0   11.5   11.0   15.2
    boxes, 8 bits                   4.4    5.7    5.7    5.9    7.7
    Fourier                               23.9   31.7   29.5   35.0
    direct, RGB                    21.6   37.3
    separable, RGB                 17.5   23.1   27.1   34.5  205.9
    bands, RGB                     53.0   51.6   56.1   63.7  106.0
    bands, stride 4                 5.0    5.6    5.7    6.0    9.8
    phases, stride 2               12.6   13.7   18.7
    phases, stride 4               23.9   25.8   26.4   30.5
    phases, stride 4, RGB          54.3   54.3   54.4   70.4
    phases, dilation 2             18.3   25.0
    ============================  =====  =====  =====  =====  =====

    Above 129 weights OpenCV's filter2D goes by a Fourier transform of its own, on one core.
    """

    call: float
    number: float
    weight: float


_DIRECT = Prices(10, 0.55, 0.021)
_DIRECT_ROW = Prices(10, 0.55, 0.030)
_SEPARABLE = Prices(20, 0.75, 0.029)
_SEPARABLE_NARROW = Prices(20, 0.10, 0.025)
_BANDS = Prices(120, 0.80, 0)
_BAND = Prices(0, 0.30, 0.0104)
_FEW_WEIGHTS = Prices(0, 0.20, 0)
_SHEARED = Prices(120, 1.00, 0.013)
_BOXES = Prices(60, 1.50, 0.010)
_BOXES_NARROW = Prices(60, 0.80, 0.005)
_FOURIER = Prices(250, 4.8, 0)
_TAPS = Prices(30, 0.80, 1.2)
_PATCHES = Prices(30, 0.40, 0.45)
_PRODUCT = 0.0085
_INTERLEAVED = 1.3
_CONVERTED = 0.3
_ADDED = 0.8
"""For each number: channels taken apart, 8 bits made floats, results added to others."""

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
        if nothing_beats_it or _price_direct(kernel, values) < _SMALL:
            return _plan_directly(kernel, numbers, task)
    return min(_plans(kernel, numbers, task), key=lambda plan: plan.price)


def _plan_directly(kernel: Doubles, numbers: Numbers, task: Task) -> Plan:
    """Return the plan to take the weights one by one, which needs no look at what the kernel is made of."""
    core = trim(_spread(kernel, task.dilation))
    values = task.size[0] * task.size[1] * task.channels / 1000
    price = _price_direct(core.weights, values) * (1.0 if numbers.dtype == "float32" else 2.2)
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
    weights = int(np.count_nonzero(core.weights))
    size = f"{height}x{width} weights, {numbers}"
    options: list[Plan] = []

    def add(price: float, engine: Engine, reason: str, **more: Any) -> None:
        dtype = more.pop("dtype", numbers.dtype)
        slower = 1.0 if dtype == "float32" else 2.2
        options.append(Plan(engine, dtype, reason, more.pop("core", core), price=price * slower, **more))

    kept = task.stride[0] * task.stride[1]
    price = _TAPS.call + values * (_TAPS.number + _TAPS.weight * weights / kept)
    add(price, Engine.TAPS, f"{weights} weights, {numbers}")
    if core.weights.size <= LARGEST_DIRECT[numbers.dtype]:
        options.append(_plan_directly(kernel, numbers, task))
    if not task.finite or (numbers.whole and numbers.bound >= EXACT_FOURIER["float64"]):
        return options
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
        prices = _BOXES_NARROW if numbers.narrow else _BOXES
        price = prices.call + values * (prices.number + prices.weight * height)
        add(price, Engine.BOXES, f"{height}x{width} equal weights, {numbers}")
    if weights > 2:
        options += _separable_plans(core, numbers, task, values)
    if core.weights.size > LARGEST_DIRECT[numbers.dtype] // 2:
        dtype: Dtype = numbers.dtype
        if numbers.whole and numbers.bound >= EXACT_FOURIER["float32"]:
            dtype = "float64"
        add(_FOURIER.call + values * _FOURIER.number, Engine.FOURIER, size, dtype=dtype, rounds=numbers.whole)
    part = -(-height // task.stride[0]), -(-width // task.stride[1])
    if kept > 1 and weights > 9 and part[0] * part[1] <= LARGEST_DIRECT[numbers.dtype]:
        phases = [
            bool(core.weights[row :: task.stride[0], column :: task.stride[1]].any())
            for row in range(task.stride[0])
            for column in range(task.stride[1])
        ]
        each = _price_phase(task.stride, task.channels) + _DIRECT.weight * weights / sum(phases)
        price = sum(phases) * (_DIRECT.call + values / kept * each)
        add(price, Engine.DIRECT, f"{size}, every {show_pair(task.stride)}th result", phases="stride")
    if task.dilation != (1, 1) and task.stride == (1, 1) and kernel.size <= LARGEST_DIRECT[numbers.dtype]:
        price = _price_direct(kernel, values) + values * _price_phase(task.dilation, task.channels)
        price += 50.0 * task.dilation[0] * task.dilation[1]
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
    whole += (len(factors) - 1) * values * _ADDED
    bands = _BANDS.call + values * _BANDS.number
    for column, row in factors:
        bands += values / task.stride[0] * _price_pass(column)
        bands += values / task.stride[0] / task.stride[1] * _price_pass(row)
    bands += values * _INTERLEAVED * (task.channels > 1)
    plan = Plan(Engine.SEPARABLE, numbers.dtype, pairs, core, factors, rounds=rounds, price=whole * slower)
    return [plan, plan._replace(engine=Engine.BANDS, price=bands * slower)]


def _price_pass(weights: Doubles) -> float:
    if len(weights) == 1:
        return 0.1
    return _FEW_WEIGHTS.number if np.count_nonzero(weights) <= 2 else _BAND.number + _BAND.weight * len(weights)


def _price_direct(weights: Doubles, values: float) -> float:
    """Return the price of the weights that are not zero; OpenCV passes over the others."""
    prices = _DIRECT_ROW if len(weights) == 1 else _DIRECT
    return float(prices.call + values * (prices.number + prices.weight * np.count_nonzero(weights)))


def _price_phase(steps: Pair, channels: int) -> float:
    """Return the price of each number that is read with steps between."""
    alone = min(0.95 * float(np.sqrt(steps[0] * steps[1])), 4.2)
    return alone if channels == 1 else max(alone, 3.0)


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
