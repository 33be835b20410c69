"""Convolution of volumes by banks of kernels: the formula, and the engines that carry it out.

For stride s, dilation d and a padded volume x the output at row i, column j, map m is

    y[i, j, m] = bias + sum over a, b, c of x[i*s + a*d, j*s + b*d, c] * k[a, b, c, m]

which is cross-correlation, as in every framework for CNNs (Goodfellow et al., Deep Learning, eq. 9.6).
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type, ieee_arithmetic
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import (
    UNFINISHED,
    Finish,
    add_taps,
    filter_by_fourier,
    filter_dilated,
    filter_directly,
    filter_separably,
    filter_strided,
    sum_boxes,
)
from cnnfilter.compute.exact import WHITE, Numbers, common_divisor, settle_numbers
from cnnfilter.compute.plan import MOST_PLANES, SPREADING, Engine, Plan, Task, plan_bank, plan_kernel
from cnnfilter.log import tell
from cnnfilter.nn.geometry import Border, Pair, Window

_LARGEST_SHORT = 2**15 - 1

_MOST_KEPT = 1 << 12
"""Weights that are compared faster with those of the last images than looked at again."""


class Facts(NamedTuple):
    """What is known of a bank on a type of pixels: the bank as it is laid, and what its results are divided by.

    `alike` says that each channel meets the same kernels, `one_bias` that there is one bias, and a whole number.
    """

    laid: Doubles
    divisor: int
    numbers: Numbers
    alike: bool
    one_bias: bool


def _find_facts(volume: Array, bank: Doubles, border: Border, biases: Doubles) -> Facts:
    """Return what is known of a bank on a volume."""
    divisor = common_divisor(bank)
    numerators = np.rint(bank * divisor) if divisor > 1 else bank
    numbers = settle_numbers(volume, numerators, border, float(np.abs(biases).max()) * divisor)
    channels = volume.shape[2]
    each = bank[..., : bank.shape[3] // channels]  # kernels for each channel, in a bank without depth
    alike = bank.shape[2] == 1 and bool((bank == np.concatenate([each] * channels, axis=3)).all())
    one_bias = float(biases[0]).is_integer() and bool((biases == biases[0]).all())
    return Facts(numerators if numbers.whole else bank, divisor if numbers.whole else 1, numbers, alike, one_bias)


@lru_cache(maxsize=16)
def _recall_facts(
    dtype: np.dtype[Any], channels: int, weights: bytes, shape: tuple[int, ...], border: Border, biases: bytes
) -> Facts:
    """Return what is known of a bank on pixels of a type, whatever they are."""
    bank = np.frombuffer(weights).reshape(shape)
    return _find_facts(np.empty((1, 1, channels), dtype), bank, border, np.frombuffer(biases))


@ieee_arithmetic
def convolve_volume(
    volume: Array,
    bank: Doubles,
    window: Window,
    *,
    border: Border,
    bias: float | Doubles = 0.0,
    shorts: bool = False,
) -> Array:
    """Return the feature maps that a (kh, kw, C / groups, out) bank of kernels makes of a (H, W, C) volume.

    They are (H', W', out), float32 for 8-bit, 16-bit and float32 volumes unless whole numbers need float64, else
    float64; int16 where `shorts` allows it, and one kernel of whole numbers without a stride gives such of the 8 bits
    of each channel. Channels and outputs fall into as many groups, in their order, as the bank's depth divides C into;
    `bias` is one number, or one for each output. Raises a `ShapeError` if the window is larger than the padded volume.
    """
    output = window.output(volume.shape[0], volume.shape[1])
    biases = np.broadcast_to(np.asarray(bias, dtype=np.float64), bank.shape[3])
    channels = volume.shape[2]
    each = bank.shape[3] // channels
    if volume.dtype in WHITE and bank.size <= _MOST_KEPT and bank.dtype == np.float64:
        facts = _recall_facts(volume.dtype, channels, bank.tobytes(), bank.shape, border, biases.tobytes())
    else:
        facts = _find_facts(volume, bank, border, biases)
    laid, divisor, numbers, alike, one_bias = facts
    finish = Finish(biases, divisor)
    if shorts and numbers.whole and numbers.narrow and numbers.bound <= _LARGEST_SHORT and divisor == 1:
        finish = finish._replace(shorts=alike and each == 1 and window.stride == (1, 1) and one_bias)
    padded = Padded(volume, window.pads(volume.shape[0], volume.shape[1]), border, numbers.dtype)
    if alike and (each == 1 or channels > 1):
        maps = _lay_on_each(padded, laid[:, :, 0, :each], window, numbers, finish)
    else:
        maps = _lay_bank(padded, laid, window, output, numbers, finish)
    if maps.dtype == np.int16:
        return maps
    keeps_double = numbers.whole and divisor == 1 and volume.dtype != np.float32
    return maps if keeps_double else maps.astype(float_type(volume.dtype), copy=False)


def _lay_bank(padded: Padded, bank: Doubles, window: Window, output: Pair, numbers: Numbers, finish: Finish) -> Array:
    """Return the feature maps of a bank: (H', W', out)."""
    inputs = bank.shape[2]
    groups = padded.shape[2] // inputs
    outputs = bank.shape[3] // groups
    if inputs == 1 and groups > 1:
        method = f"{Engine.TAPS} in {numbers.dtype}"
        tell("%s: kernels of their own for %s channels", method, groups, level="plan")
        return add_taps(padded, bank, window, output, finish)
    if groups == 1 and inputs > 1 and (bank[0, 0] == bank[0, 0, :1]).all() and (bank == bank[:, :, :1]).all():
        padded, bank, inputs = _add_channels(padded), bank[:, :, :1], 1
    if outputs * inputs > 1 and (bank.all() or padded.finite):
        plan, planes = plan_bank(bank.shape, numbers, output), inputs * outputs
        if groups == 1 and planes <= MOST_PLANES:  # by the price of the first: a look at each takes too long
            one = choose_plan(padded.channels(slice(0, 1)), bank[:, :, 0, 0], window, numbers)
        if groups > 1 or planes > MOST_PLANES or plan.price <= one.price * planes:
            tell("%s: %s", *plan.explain(), level="plan")
            from cnnfilter.compute.products import multiply_patches  # noqa: PLC0415  most images meet one kernel

            return multiply_patches(padded, bank, window, output, groups, finish)
    if inputs == 1:
        return _lay_on_each(padded, bank[:, :, 0], window, numbers, finish)
    maps = np.zeros((*output, bank.shape[3]), padded.dtype)
    for map_ in range(bank.shape[3]):
        first = map_ // outputs * inputs
        for plane in range(inputs):
            channel = padded.channels(slice(first + plane, first + plane + 1))
            maps[:, :, map_] += _lay_on_each(channel, bank[:, :, plane, [map_]], window, numbers, UNFINISHED)[:, :, 0]
    return finish(maps)


def _lay_on_each(padded: Padded, kernels: Doubles, window: Window, numbers: Numbers, finish: Finish) -> Array:
    """Return each channel filtered by each of (kh, kw, m) kernels, a channel's results side by side: (H', W', C m)."""
    parts = []
    for number in range(kernels.shape[2]):
        plan = choose_plan(padded, kernels[:, :, number], window, numbers)
        tell("%s: %s", *plan.explain(), level="plan")
        biases = finish.bias[number :: kernels.shape[2]]
        parts.append(carry_out(plan, padded, window, finish._replace(bias=biases)))
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=3).reshape(*parts[0].shape[:2], -1)


def _add_channels(padded: Padded) -> Padded:
    """Return the sum of all channels as the only one, for kernels that are the same on each."""
    volume = padded.volume.astype(padded.dtype, copy=False).sum(axis=2, keepdims=True)
    border = padded.border._replace(value=padded.border.value * padded.shape[2])
    return Padded(volume, padded.sides, border, padded.dtype.name)


def choose_plan(padded: Padded, kernel: Doubles, window: Window, numbers: Numbers) -> Plan:
    """Return how to lay a kernel on each channel; pixels are only looked at where the plan depends on them."""
    task = Task(padded.shape[:2], padded.shape[2], window.stride, window.dilation)
    weights = kernel.astype(np.float64, copy=False).tobytes()
    plan = plan_kernel(weights, kernel.shape, numbers, task)
    if plan.engine is Engine.BOXES and not padded.tame:
        plan = plan_kernel(weights, kernel.shape, numbers, task._replace(tame=False))
    if plan.engine in SPREADING and not padded.finite:
        return plan_kernel(weights, kernel.shape, numbers, task._replace(finite=False))
    return plan


def carry_out(plan: Plan, padded: Padded, window: Window, finish: Finish) -> Array:
    """Return what a plan makes of each channel: (H', W', C)."""
    finish, exact = finish._replace(rounds=plan.rounds), plan.numbers.whole
    kernel, (top, left), stride = plan.weights, plan.corner, window.stride
    size = kernel.shape[0], kernel.shape[1]
    if not kernel.any():  # OpenCV keeps one of the zeros, which times nan would be nan
        return finish(np.zeros((*window.output(*padded.volume.shape[:2]), padded.shape[2]), plan.dtype))
    if plan.phases == "dilation":
        return finish(filter_dilated(padded, kernel, window.dilation, exact=exact))
    cut = top, left, window.extent[0] - top - size[0], window.extent[1] - left - size[1]
    if any(cut) or padded.dtype != plan.dtype:
        padded = padded.inner(cut)
        padded.dtype = np.dtype(plan.dtype)
    if plan.phases == "stride":
        return finish(filter_strided(padded, kernel, stride, exact=exact))
    match plan.engine:
        case Engine.DIRECT:
            return filter_directly(padded, kernel, stride, finish, exact=exact)
        case Engine.SEPARABLE:
            return filter_separably(padded, plan.factors, stride, finish, exact=exact)
        case Engine.BOXES:
            return sum_boxes(padded, size, float(kernel[0, 0]), stride, finish, exact=exact)
        case Engine.FOURIER:
            return filter_by_fourier(padded, kernel, stride, finish)
        case Engine.TAPS:
            bank = np.repeat(kernel[:, :, None, None], padded.shape[2], axis=3)
            window = Window(size, stride)
            return add_taps(padded, bank, window, window.output(*padded.shape[:2]), finish)
    from cnnfilter.compute.products import filter_by_bands, filter_sheared  # noqa: PLC0415  large kernels alone

    if plan.engine is Engine.BANDS:
        return filter_by_bands(padded, plan.factors, stride, finish)
    return filter_sheared(padded, plan.factors[0][0], plan.direction, stride, finish)
