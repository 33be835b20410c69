"""Which engine carries out a convolution, and in which arithmetic: pure functions of a few facts.

A price is in microseconds: so many for a call, and nanoseconds for each of thousands of numbers, and for each of their
weights. They were measured by tests/benchmarks/calibrate.py on 6 megapixels, two cores of a Xeon with AVX-512, OpenCV
5.0 and OpenBLAS 0.3.30; only ratios matter.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Doubles
from cnnfilter.compute.exact import MISSING, Dtype, Factors, Numbers, find_diagonal, find_factors, is_whole
from cnnfilter.nn.geometry import Pair, show_pair

EXACT_FOURIER = {"float32": 2.0**18, "float64": 2.0**44}
"""Up to here a Fourier transform, whose error is below 1e-6 or 1e-15 of the largest sum, rounds back to the whole."""

_CERTAIN = 0.1  # an error that rounding to whole numbers takes away, whatever else adds to it
MOST_PLANES = 64  # pairs of channel and output filtered plane by plane; beyond, products of matrices take over

Phases = Literal["", "stride", "dilation"]


class Engine(StrEnum):
    """A way to carry out a convolution."""

    DIRECT = "direct"  # by OpenCV's filter2D, weight by weight
    SEPARABLE = "separable"  # by OpenCV's sepFilter2D, columns by rows
    BANDS = "bands"  # columns by rows as products with banded matrices
    SHEARED = "sheared"  # a diagonal, as a column of the image with longer or shorter rows
    BOXES = "boxes"  # equal weights in a rectangle, by running sums
    FOURIER = "Fourier"  # products of spectra, tile by tile
    TAPS = "taps"  # place by place of the kernel, all channels at once: no weight meets a pixel that it does not touch
    PATCHES = "patches"  # all maps at once, as a product of matrices


_SPREADING = {Engine.SEPARABLE, Engine.BANDS, Engine.SHEARED, Engine.FOURIER, Engine.PATCHES}


class Task(NamedTuple):
    """How a kernel is laid on an image of `size`, which is that without padding: what it adds changes no plan."""

    size: Pair
    channels: int = 1
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)


class Plan(NamedTuple):
    """How a (kh, kw) kernel is laid on each channel: by which engine, in which arithmetic.

    `weights` are the part of the kernel that is laid, from the row and column `corner` on, `factors` their columns and
    rows, or the weights along a diagonal of `direction`. With `phases`, rows and columns that the stride or the
    dilation separates are filtered one after the other. `rounds` says that results are rounded to the whole
    numbers they are known to be, `exact` that sums are whole numbers that the arithmetic holds. `price` is in
    microseconds. `subject` and `note` are for a person: which weights are laid, if not simply these, and what else
    there is to say.
    """

    engine: Engine
    dtype: Dtype
    numbers: Numbers
    subject: str = ""
    weights: Doubles = np.zeros((1, 1))
    corner: Pair = (0, 0)
    factors: Factors = ()
    direction: int = 0
    phases: Phases = ""
    rounds: bool = False
    exact: bool = False
    price: float = 0.0
    note: str = ""

    @property
    def spreads(self) -> bool:
        """Whether a pixel that is nan or infinite would reach results whose windows it is not in, or weights of 0."""
        if self.engine is Engine.SEPARABLE and len(self.factors) == 1:
            return not all(part.all() for part in self.factors[0])
        return self.engine in _SPREADING

    def explain(self) -> tuple[str, str]:
        """Return the engine with its arithmetic, as reports name them, and why it is taken."""
        rank = f" of rank {len(self.factors)}" if self.factors else ""
        subject = self.subject or f"{show_pair(self.weights.shape)} weights{rank}"
        phases = " by phases" if self.phases else ""
        numbers = f"whole numbers to {self.numbers.bound:.0f}" if self.numbers.whole else "fractions"
        return f"{self.engine}{phases} in {self.dtype}", f"{subject}, {numbers}{self.note}"

    def __str__(self) -> str:
        return ": ".join(self.explain())


_SLOWER = {"float32": 1.0, "float64": 2.2}  # how many times as long an arithmetic takes
_SMALL = 150.0  # microseconds: what costs less is not worth a look at the kernel, which takes as long
_MOST_IN_CACHE = 50  # weights of a column and a row together; rows under more of them leave the cache
_FEW_TO_LAY = 9  # weights with which no engine is as fast as OpenCV, unless it reads 8 bits as they are
FEW_ON_INTEGERS = 3  # weights that OpenCV lays on 8 and 16 bits, number by number, before a copy of floats is made
LARGEST_DIRECT = {"float32": 129, "float64": 49}  # filter2D takes a Fourier transform beyond: its dft_filter_size


@lru_cache(maxsize=64)
def plan_kernel(weights: bytes, shape: Pair, numbers: Numbers, task: Task) -> Plan:
    """Return how to lay a (kh, kw) kernel on each channel: the cheapest way that gives the exact results.

    The kernel is the bytes of its float64 weights: a picture's strips ask for the same plan again and again.

    Examples
    --------
    >>> str(plan_kernel(np.ones((3, 3)).tobytes(), (3, 3), Numbers("float32", True, 2295.0), Task((600, 512))))
    'direct in float32: 3x3 weights, whole numbers to 2295'
    """
    laid = LaidKernel(np.frombuffer(weights).reshape(shape), numbers, task)
    if laid.extent[0] * laid.extent[1] <= LARGEST_DIRECT[numbers.dtype]:
        nothing_beats_it = laid.kernel.size <= _FEW_TO_LAY and not numbers.narrow
        if nothing_beats_it or _price_direct(laid.kernel, laid.values) < _SMALL:
            return _plan_directly(laid)
    return min(all_plans(laid), key=lambda plan: plan.price)


def plan_bank(shape: tuple[int, ...], numbers: Numbers, task: Task) -> Plan:
    """Return the plan to multiply patches by a bank of (kh, kw, in / groups, out) weights."""
    depth, maps = shape[0] * shape[1] * shape[2], shape[3]
    windows = task.size[0] * task.size[1] / (task.stride[0] * task.stride[1])
    price = 30 + windows / 1000 * depth * (0.45 + 0.0085 * maps)
    price *= _SLOWER[numbers.dtype]
    return Plan(Engine.PATCHES, numbers.dtype, numbers, f"{depth} x {maps} weights", price=price)


class LaidKernel:
    """A kernel, what is known of it, on what it is laid, and how.

    `weights` are the kernel with the gaps of its dilation and without rows and columns of zeros around it, from
    `corner` on; one zero is left of nothing. `nonzero` counts those that are not zero; the stride keeps one of `kept`
    results; `values` is how many thousands of numbers the image has.
    """

    def __init__(self, kernel: Doubles, numbers: Numbers, task: Task) -> None:
        self.kernel, self.numbers, self.task = kernel, numbers, task
        (height, width), (down, along) = kernel.shape, task.dilation
        self.extent = down * (height - 1) + 1, along * (width - 1) + 1
        if task.dilation != (1, 1):
            kernel = np.zeros(self.extent)
            kernel[::down, ::along] = self.kernel
        rows, columns = np.flatnonzero(kernel.any(axis=1)), np.flatnonzero(kernel.any(axis=0))
        top, bottom, left, right = (rows[0], rows[-1], columns[0], columns[-1]) if len(rows) else (0, 0, 0, 0)
        self.weights, self.corner = kernel[top : bottom + 1, left : right + 1], (int(top), int(left))
        self.nonzero = int(np.count_nonzero(self.weights))
        self.kept = task.stride[0] * task.stride[1]
        self.values = task.size[0] * task.size[1] * task.channels / 1000

    def plan(self, engine: Engine, price: float, subject: str = "", **more: Any) -> Plan:
        """Return a plan in the numbers' own arithmetic, its price that in float32."""
        numbers, price = self.numbers, price * _SLOWER[self.numbers.dtype]
        return Plan(engine, numbers.dtype, numbers, subject, self.weights, self.corner, price=price, **more)


def all_plans(laid: LaidKernel) -> list[Plan]:
    """Return what could be done with a (kh, kw) kernel, each with the microseconds that it would take."""
    weights, numbers, task, most = laid.weights, laid.numbers, laid.task, LARGEST_DIRECT[laid.numbers.dtype]
    price = 30 + laid.values * (0.80 + 1.2 * laid.nonzero / laid.kept)
    plans = [laid.plan(Engine.TAPS, price, f"{laid.nonzero} weights")]
    if weights.size <= most:
        plans.append(_plan_directly(laid))
    if numbers.whole and numbers.bound >= EXACT_FOURIER["float64"]:
        return plans
    if len(weights) > 2 and laid.nonzero <= len(weights) and task.size[1] > 2 * weights.shape[1]:
        plans += _plan_diagonal(laid)
    if weights.size > 1 and (weights == weights[0, 0]).all():
        plans.append(_plan_boxes(laid))
    if laid.nonzero > 2:
        plans += _plan_factors(laid)
    if weights.size > most // 2:
        plans.append(_plan_fourier(laid))
    if laid.kept > 1 and laid.nonzero > _FEW_TO_LAY:
        plans += _plan_strides(laid)
    if task.dilation != (1, 1) and laid.kept == 1 and laid.kernel.size <= most:
        plans.append(_plan_gaps(laid))
    return plans


def _plan_directly(laid: LaidKernel) -> Plan:
    """Return the plan to take the weights one by one, which needs no look at what the kernel is made of."""
    plan = laid.plan(Engine.DIRECT, _price_direct(laid.weights, laid.values))
    if not laid.numbers.narrow:
        return plan
    copies = not (laid.numbers.whole and laid.nonzero <= FEW_ON_INTEGERS)
    more = _price_colours(laid.task.channels) if copies else 1.0
    return plan._replace(price=plan.price + laid.values * 0.3 * more)


def _price_direct(weights: Doubles, values: float) -> float:
    """Return the price of the weights that are not zero; OpenCV skips the others, and is slower along a row."""
    each = 0.030 if len(weights) == 1 else 0.021
    return float(10 + values * (0.55 + each * np.count_nonzero(weights)))


def _plan_diagonal(laid: LaidKernel) -> list[Plan]:
    """Return the plan for weights along a diagonal, if there are no others."""
    diagonal = find_diagonal(laid.weights)
    if not diagonal:
        return []
    weights, direction = diagonal
    price = 120 + laid.values * (1.00 + 0.013 * len(weights))
    factors = ((weights, np.ones(1)),)
    return [laid.plan(Engine.SHEARED, price, f"a diagonal of {len(weights)}", factors=factors, direction=direction)]


def _plan_boxes(laid: LaidKernel) -> Plan:
    """Return the plan for weights that are all equal."""
    (height, width), numbers = laid.weights.shape, laid.numbers
    if not numbers.whole:
        sums = height.bit_length() + height.bit_count()  # of twice as many each time
        price = 60 + laid.values * (0.5 + (0.1 + 0.4 * sums) / laid.task.stride[0])
    elif numbers.narrow:
        price = 20 + laid.values * 0.78 * _price_colours(laid.task.channels)
    else:
        price = 60 + laid.values * (1.50 + 0.010 * height)
    return laid.plan(Engine.BOXES, price, f"{height}x{width} equal weights", exact=numbers.whole)


def _plan_factors(laid: LaidKernel) -> list[Plan]:
    """Return the ways to lay columns and rows, if few make up the kernel."""
    weights, numbers, task = laid.weights, laid.numbers, laid.task
    missing = min(MISSING, _CERTAIN / max(numbers.bound, 1.0)) if numbers.whole else MISSING  # zeros are bound by 0
    factors, exact = find_factors(weights, missing)
    if not factors:
        return []
    rounds = numbers.whole and not (exact and is_whole(np.concatenate([*chain(*factors)])))
    if rounds and numbers.bound >= EXACT_FOURIER[numbers.dtype]:
        return []
    each = 0.75 + 0.029 * sum(weights.shape)
    if numbers.narrow:
        each = (0.45 + 0.0085 * weights.shape[0] + 0.022 * weights.shape[1]) * _price_colours(task.channels)
    each += 0.06 * max(sum(weights.shape) - _MOST_IN_CACHE, 0)
    opencv = 20 + laid.values * (len(factors) * each + (len(factors) - 1) * 0.8)
    bands = 120 + laid.values * (2.1 if task.channels > 1 else 0.8)
    for column, row in factors:
        for band, kept in ((column, task.stride[0]), (row, laid.kept)):
            each = 0.2 if np.count_nonzero(band) <= 2 else 0.3 + 0.0104 * len(band)
            bands += laid.values / kept * (0.1 if len(band) == 1 else each)
    return [
        laid.plan(engine, price, factors=factors, rounds=rounds)
        for engine, price in ((Engine.SEPARABLE, opencv), (Engine.BANDS, bands))
    ]


def _price_colours(channels: int) -> float:
    """Return how many times as long a number takes that is made of 8 bits: colours leave the cache."""
    return 1.0 if channels == 1 else 1.75


def _plan_fourier(laid: LaidKernel) -> Plan:
    """Return the plan to multiply spectra."""
    plan, whole = laid.plan(Engine.FOURIER, 250 + laid.values * 4.8), laid.numbers.whole
    if whole and laid.numbers.bound >= EXACT_FOURIER["float32"] and plan.dtype == "float32":
        plan = plan._replace(dtype="float64", price=plan.price * _SLOWER["float64"])
    return plan._replace(rounds=whole)


def _plan_strides(laid: LaidKernel) -> list[Plan]:
    """Return the plan to make only what a stride keeps."""
    (down, along), weights = laid.task.stride, laid.weights
    parts = [weights[row::down, column::along] for row in range(down) for column in range(along)]
    if parts[0].size > LARGEST_DIRECT[laid.numbers.dtype]:
        return []
    phases = sum(bool(part.any()) for part in parts)
    each = (1.6 if laid.task.channels == 1 else 2.4) + 0.021 * laid.nonzero / phases
    price = phases * (10 + laid.values / laid.kept * each)
    note = f", every {show_pair(laid.task.stride)}th result"
    return [laid.plan(Engine.DIRECT, price, phases="stride", note=note)]


def _plan_gaps(laid: LaidKernel) -> Plan:
    """Return the plan to lay a dilated kernel without its gaps."""
    down, along = laid.task.dilation
    price = _price_direct(laid.kernel, laid.values) + down * along * 50
    price += laid.values * _price_phase(laid.task.dilation, laid.task.channels)
    words = f"{show_pair(laid.kernel.shape)} weights {down}x{along} apart"
    return laid.plan(Engine.DIRECT, price, words, phases="dilation")._replace(weights=laid.kernel, corner=(0, 0))


def _price_phase(steps: Pair, channels: int) -> float:
    """Return the price of each number that is read with steps between."""
    alone = min(0.95 * float(np.sqrt(steps[0] * steps[1])), 4.2)
    return alone if channels == 1 else max(alone, 3.0)
