"""Which engine carries out a convolution, and in which arithmetic: pure functions of a few facts.

What each engine takes was measured by tests/benchmarks/calibrate.py on 6 megapixels, two cores of a Xeon with
AVX-512, OpenCV 5.0 and OpenBLAS 0.3.30; only ratios matter.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Doubles
from cnnfilter.compute.exact import MISSING, Core, Dtype, Factors, Numbers, find_diagonal, find_factors, is_whole, trim
from cnnfilter.nn.geometry import Pair, show_pair

EXACT_FOURIER = {"float32": 2.0**18, "float64": 2.0**44}
"""Up to here a Fourier transform, whose error is below 1e-6 or 1e-15 of the largest sum, rounds back to the whole."""

_CERTAIN = 0.1
"""An error that rounding to whole numbers takes away, whatever else adds to it."""

MOST_PLANES = 64
"""So many pairs of channel and output are filtered plane by plane at most; products of matrices take over beyond."""

Phases = Literal["", "stride", "dilation"]


class Engine(StrEnum):
    """A way to carry out a convolution."""

    DIRECT = "direct"
    """By OpenCV's filter2D, weight by weight."""

    SEPARABLE = "separable"
    """By OpenCV's sepFilter2D, columns by rows."""

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


SPREADING = {Engine.SEPARABLE, Engine.BANDS, Engine.SHEARED, Engine.BOXES, Engine.FOURIER}
"""Engines in which a pixel that is nan or infinite would reach results whose windows it is not in."""


class Task(NamedTuple):
    """How a kernel is laid on an image.

    Parameters
    ----------
    size
        (rows, columns) of the padded image.
    channels, stride, dilation
        As they are.
    finite, tame
        Whether all pixels are, and small enough for running sums.
    """

    size: Pair
    channels: int = 1
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    finite: bool = True
    tame: bool = True

    @property
    def values(self) -> float:
        """Thousands of numbers, so that a nanosecond for each is a microsecond."""
        return self.size[0] * self.size[1] * self.channels / 1000


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
    factors, direction
        For columns by rows, or the weights along a diagonal with its direction.
    phases
        Whether rows and columns that the stride or the dilation separates are filtered one after the other.
    rounds
        Whether results are rounded to the whole numbers they are known to be.
    exact
        Whether sums are whole numbers that its arithmetic holds.
    shorts
        Whether results are whole numbers of 16 bits.
    price
        The microseconds that it should take.
    """

    engine: Engine
    dtype: Dtype
    reason: str
    core: Core = Core(0, 0, np.zeros((1, 1)))
    factors: Factors = ()
    direction: int = 0
    phases: Phases = ""
    rounds: bool = False
    exact: bool = False
    shorts: bool = False
    price: float = 0.0

    @property
    def method(self) -> str:
        """The engine and its arithmetic, as reports name them."""
        return f"{self.engine}{' by phases' if self.phases else ''} in {self.dtype}"

    def __str__(self) -> str:
        return f"{self.method}: {self.reason}"


class Prices(NamedTuple):
    """Microseconds for a call, nanoseconds for each number, and for each number and weight."""

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
_BOXES_EXACT = Prices(20, 0.45, 0)
_FOURIER = Prices(250, 4.8, 0)
_TAPS = Prices(30, 0.80, 1.2)
_PATCHES = Prices(30, 0.40, 0.45)
_PRODUCT = 0.0085
_INTERLEAVED = 1.3
_CONVERTED = 0.3
_ADDED = 0.8
"""For each number: channels taken apart, 8 bits made floats, results added to others."""

_PHASE = 50.0
"""Microseconds for each image of every so many rows and columns."""

_SLOWER = {"float32": 1.0, "float64": 2.2}
"""How many times as long an arithmetic takes."""


def _price_pass(weights: Doubles) -> float:
    """Return the price of a column or a row as a band."""
    if len(weights) == 1:
        return 0.1
    return _FEW_WEIGHTS.number if np.count_nonzero(weights) <= 2 else _BAND.number + _BAND.weight * len(weights)


def _price_direct(weights: Doubles, values: float) -> float:
    """Return the price of the weights that are not zero; OpenCV skips the others."""
    rates = _DIRECT_ROW if len(weights) == 1 else _DIRECT
    return float(rates.call + values * (rates.number + rates.weight * np.count_nonzero(weights)))


def _price_phase(steps: Pair, channels: int) -> float:
    """Return the price of each number that is read with steps between."""
    alone = min(0.95 * float(np.sqrt(steps[0] * steps[1])), 4.2)
    return alone if channels == 1 else max(alone, 3.0)


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
    if extent[0] * extent[1] <= LARGEST_DIRECT[numbers.dtype]:
        nothing_beats_it = kernel.size <= _FEW_TO_LAY and not numbers.narrow
        if nothing_beats_it or _price_direct(kernel, task.values) < _SMALL:
            return _plan_directly(_Look(trim(_spread(kernel, task.dilation)), numbers, task))
    return min(all_plans(kernel, numbers, task), key=lambda plan: plan.price)


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
    reason = f"{depth} x {maps} weights, {numbers}"
    return Plan(Engine.PATCHES, numbers.dtype, reason, price=price * _SLOWER[numbers.dtype])


def all_plans(kernel: Doubles, numbers: Numbers, task: Task) -> list[Plan]:
    """Return what could be done with a (kh, kw) kernel, each with the microseconds that it would take."""
    look = _Look(trim(_spread(kernel, task.dilation)), numbers, task)
    plans = [_plan_taps(look)]
    if look.core.weights.size <= LARGEST_DIRECT[numbers.dtype]:
        plans.append(_plan_directly(look))
    if not task.finite or (numbers.whole and numbers.bound >= EXACT_FOURIER["float64"]):
        return plans
    plans += _plan_diagonal(look)
    plans += _plan_boxes(look)
    plans += _plan_factors(look)
    plans += _plan_fourier(look)
    plans += _plan_strides(look)
    plans += _plan_gaps(look, kernel)
    return plans


class _Look(NamedTuple):
    """The part of a kernel that is laid, with the gaps of its dilation, on what, and how."""

    core: Core
    numbers: Numbers
    task: Task

    @property
    def nonzero(self) -> int:
        """How many weights are not zero."""
        return int(np.count_nonzero(self.core.weights))

    @property
    def kept(self) -> int:
        """Of how many results the stride keeps one."""
        return self.task.stride[0] * self.task.stride[1]

    @property
    def words(self) -> str:
        """What a plan says of it."""
        return f"{show_pair(self.core.weights.shape)} weights, {self.numbers}"

    def plan(self, engine: Engine, price: float, reason: str, **more: Any) -> Plan:
        """Return a plan in the numbers' own arithmetic, its price that in float32."""
        slower = _SLOWER[self.numbers.dtype]
        return Plan(engine, self.numbers.dtype, reason, self.core, price=price * slower, **more)


def _plan_taps(look: _Look) -> Plan:
    rates, values = _TAPS, look.task.values
    price = rates.call + values * (rates.number + rates.weight * look.nonzero / look.kept)
    return look.plan(Engine.TAPS, price, f"{look.nonzero} weights, {look.numbers}")


def _plan_directly(look: _Look) -> Plan:
    """Return the plan to take the weights one by one, which needs no look at what the kernel is made of."""
    plan = look.plan(Engine.DIRECT, _price_direct(look.core.weights, look.task.values), look.words)
    shorts = look.numbers.shorts and bool(look.core.weights.any())
    return plan._replace(price=plan.price + look.task.values * _CONVERTED * look.numbers.narrow, shorts=shorts)


def _plan_diagonal(look: _Look) -> list[Plan]:
    """Return the plan for weights along a diagonal, if there are no others."""
    height, width = look.core.weights.shape
    diagonal = find_diagonal(look.core.weights) if height > 2 else None
    if not diagonal or look.task.size[1] <= 2 * width:
        return []
    rates = _SHEARED
    price = rates.call + look.task.values * (rates.number + rates.weight * height)
    factors = ((diagonal[0], np.ones(1)),)
    reason = f"a diagonal of {height}, {look.numbers}"
    return [look.plan(Engine.SHEARED, price, reason, factors=factors, direction=diagonal[1])]


def _plan_boxes(look: _Look) -> list[Plan]:
    """Return the plan for weights that are all equal, whose sums may run on without loss."""
    weights, numbers = look.core.weights, look.numbers
    runs = numbers.whole or numbers.dtype == "float32"
    if not runs or weights.size == 1 or not (look.task.tame or numbers.whole) or (weights != weights[0, 0]).any():
        return []
    rates = (_BOXES_EXACT if numbers.whole else _BOXES_NARROW) if numbers.narrow else _BOXES
    price = rates.call + look.task.values * (rates.number + rates.weight * len(weights))
    return [look.plan(Engine.BOXES, price, f"{show_pair(weights.shape)} equal weights, {numbers}", exact=numbers.whole)]


def _plan_factors(look: _Look) -> list[Plan]:
    """Return the ways to lay columns and rows, if few make up the kernel."""
    weights, numbers, task = look.core.weights, look.numbers, look.task
    if look.nonzero <= 2:
        return []
    factors, exact = find_factors(weights, min(MISSING, _CERTAIN / numbers.bound) if numbers.whole else MISSING)
    if not factors:
        return []
    rounds = numbers.whole and not (exact and all(is_whole(vector) for pair in factors for vector in pair))
    if rounds and numbers.bound >= EXACT_FOURIER[numbers.dtype]:
        return []
    rates = _SEPARABLE_NARROW if numbers.narrow else _SEPARABLE
    each = rates.number + rates.weight * sum(weights.shape)
    opencv = rates.call + task.values * (len(factors) * each + (len(factors) - 1) * _ADDED)
    bands = _BANDS.call + task.values * (_BANDS.number + _INTERLEAVED * (task.channels > 1))
    for column, row in factors:
        bands += task.values / task.stride[0] * _price_pass(column)
        bands += task.values / look.kept * _price_pass(row)
    reason = f"{show_pair(weights.shape)} weights of rank {len(factors)}, {numbers}"
    return [
        look.plan(engine, price, reason, factors=factors, rounds=rounds)
        for engine, price in ((Engine.SEPARABLE, opencv), (Engine.BANDS, bands))
    ]


def _plan_fourier(look: _Look) -> list[Plan]:
    """Return the plan to multiply spectra, for kernels that are not small."""
    numbers = look.numbers
    if look.core.weights.size <= LARGEST_DIRECT[numbers.dtype] // 2:
        return []
    dtype: Dtype = numbers.dtype
    if numbers.whole and numbers.bound >= EXACT_FOURIER["float32"]:
        dtype = "float64"
    price = (_FOURIER.call + look.task.values * _FOURIER.number) * _SLOWER[dtype]
    return [Plan(Engine.FOURIER, dtype, look.words, look.core, rounds=numbers.whole, price=price)]


def _plan_strides(look: _Look) -> list[Plan]:
    """Return the plan to make only what a stride keeps."""
    weights, task, numbers = look.core.weights, look.task, look.numbers
    rows, columns = (-(-side // step) for side, step in zip(weights.shape, task.stride, strict=True))
    if look.kept == 1 or look.nonzero <= _FEW_TO_LAY or rows * columns > LARGEST_DIRECT[numbers.dtype]:
        return []
    phases = sum(
        bool(weights[row :: task.stride[0], column :: task.stride[1]].any())
        for row in range(task.stride[0])
        for column in range(task.stride[1])
    )
    each = _price_phase(task.stride, task.channels) + _DIRECT.weight * look.nonzero / phases
    price = phases * (_DIRECT.call + task.values / look.kept * each)
    return [look.plan(Engine.DIRECT, price, f"{look.words}, every {show_pair(task.stride)}th result", phases="stride")]


def _plan_gaps(look: _Look, kernel: Doubles) -> list[Plan]:
    """Return the plan to lay a dilated kernel without its gaps."""
    task, numbers = look.task, look.numbers
    if task.dilation == (1, 1) or task.stride != (1, 1) or kernel.size > LARGEST_DIRECT[numbers.dtype]:
        return []
    phases = task.dilation[0] * task.dilation[1]
    price = _price_direct(kernel, task.values) + phases * _PHASE
    price += task.values * _price_phase(task.dilation, task.channels)
    reason = f"{show_pair(kernel.shape)} weights {show_pair(task.dilation)} apart, {numbers}"
    plan = look.plan(Engine.DIRECT, price, reason, phases="dilation")
    return [plan._replace(core=Core(0, 0, kernel))]


def _spread(kernel: Doubles, dilation: Pair) -> Doubles:
    """Return a kernel with zeros between its weights."""
    if dilation == (1, 1):
        return kernel
    rows, columns = dilation
    spread = np.zeros(((kernel.shape[0] - 1) * rows + 1, (kernel.shape[1] - 1) * columns + 1))
    spread[::rows, ::columns] = kernel
    return spread
