"""Convolution of volumes by banks of kernels: the formula, and the engines that carry it out.

For stride s, dilation d and a padded volume x the output at row i, column j, map m is

    y[i, j, m] = bias + sum over a, b, c of x[i*s + a*d, j*s + b*d, c] * k[a, b, c, m]

which is cross-correlation, as in every framework for CNNs (Goodfellow et al., Deep Learning, eq. 9.6).
"""

import logging

import numpy as np
from numpy.typing import DTypeLike

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.planning import Engine, Plan, common_divisor, find_facts, plan_convolution
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.borders import Border, BorderMode
from cnnfilter.spec.geometry import Pair, Sides, Window

logger = logging.getLogger("cnnfilter")


@ieee_arithmetic
def convolve_volume(
    volume: Array,
    bank: Doubles,
    window: Window,
    *,
    border: Border,
    groups: int = 1,
    bias: float | Doubles = 0.0,
) -> Floats:
    """Return the feature maps that a bank of kernels makes of a volume.

    Parameters
    ----------
    volume
        (H, W, C).
    bank
        (kh, kw, C / groups, out), laid on the volume as it is.
    window
        Size (kh, kw), stride, padding and dilation.
    border
        What the padding holds.
    groups
        Channels and outputs fall into so many groups, in their order.
    bias
        Added to every output: one number, or one for each, (out,).

    Returns
    -------
    ndarray
        (H', W', out); float32 for 8-bit, 16-bit and float32 volumes unless whole numbers need float64,
        else float64.

    Raises
    ------
    ShapeError
        If the window is larger than the padded volume.
    """
    rows, columns = window.output(volume.shape[0], volume.shape[1])
    biases = np.broadcast_to(np.asarray(bias, dtype=np.float64), bank.shape[3])
    divisor = common_divisor(bank)
    numerators = np.rint(bank * divisor) if divisor > 1 else bank
    facts = find_facts(volume, numerators, border, float(np.abs(biases).max()) * divisor)
    plan = plan_convolution(facts)
    logger.debug("%s", plan)
    padded = pad(volume, window.pads(volume.shape[0], volume.shape[1]), border, plan.dtype)
    weights = (numerators if facts.whole else bank).astype(plan.dtype)
    maps = carry_out(plan, padded, weights, window, (rows, columns), groups)
    if facts.whole and divisor > 1:
        maps /= divisor
    maps += biases.astype(maps.dtype)
    keeps_double = facts.whole and divisor == 1 and volume.dtype != np.float32
    return maps if keeps_double else maps.astype(float_type(volume.dtype), copy=False)


def carry_out(plan: Plan, padded: Floats, bank: Floats, window: Window, output: Pair, groups: int) -> Floats:
    """Return what a plan makes of a padded volume: (H', W', out)."""
    maps = np.zeros((*output, bank.shape[3]), dtype=plan.dtype)
    inputs, outputs = bank.shape[2], bank.shape[3] // groups
    if plan.engine is Engine.FILTER2D:
        _filter_planes(padded, bank, window, maps)
    elif plan.engine is Engine.WEIGHTS:
        _add_weights(padded, bank, window, maps)
    elif inputs == 1:
        _add_scaled_taps(padded, bank, window, maps.reshape(*output, groups, outputs))
    else:
        for group in range(groups):
            part = slice(group * outputs, (group + 1) * outputs)
            channels = padded[:, :, group * inputs : (group + 1) * inputs]
            _add_matrix_taps(channels, bank[..., part], window, maps[:, :, part])
    if plan.rounds:
        np.rint(maps, out=maps)
        maps += 0.0  # -0 becomes 0
    return maps


def pad(volume: Array, sides: Sides, border: Border, dtype: DTypeLike) -> Floats:
    """Return a volume with pixels added on its (top, left, bottom, right), as `dtype`."""
    floats = volume.astype(dtype, copy=False)
    if not any(sides):
        return floats
    top, left, bottom, right = sides
    widths = ((top, bottom), (left, right), (0, 0))
    match border.mode:
        case BorderMode.ZERO | BorderMode.CONSTANT:
            return np.pad(floats, widths, constant_values=border.value)
        case BorderMode.EDGE:
            return np.pad(floats, widths, mode="edge")
        case BorderMode.REFLECT:
            return np.pad(floats, widths, mode="reflect")
        case BorderMode.SYMMETRIC:
            return np.pad(floats, widths, mode="symmetric")
        case BorderMode.WRAP:
            return np.pad(floats, widths, mode="wrap")


def tap_view(padded: Array, tap: Pair, window: Window, output: Pair) -> Array:
    """Return, for every window, the pixel under one tap of the kernel: a view of (H', W', C)."""
    slices = [
        slice(start, start + (count - 1) * stride + 1, stride)
        for start, count, stride in zip(
            (tap[0] * window.dilation[0], tap[1] * window.dilation[1]), output, window.stride, strict=True
        )
    ]
    return padded[slices[0], slices[1]]


def _add_matrix_taps(padded: Floats, bank: Floats, window: Window, maps: Floats) -> None:
    """Add to `maps` each tap's pixels times its (in, out) matrix of weights."""
    for tap in np.argwhere(bank.any(axis=(2, 3))):
        row, column = int(tap[0]), int(tap[1])
        maps += tap_view(padded, (row, column), window, maps.shape[:2]) @ bank[row, column]


def _add_scaled_taps(padded: Floats, bank: Floats, window: Window, maps: Floats) -> None:
    """Add to `maps`, (H', W', groups, out / groups), each tap's channels times their own weights."""
    weights = bank.reshape(*bank.shape[:2], *maps.shape[2:])
    for tap in np.argwhere(bank.any(axis=(2, 3))):
        row, column = int(tap[0]), int(tap[1])
        pixels = tap_view(padded, (row, column), window, maps.shape[:2])
        maps += pixels[..., None] * weights[row, column]


def _add_weights(padded: Floats, bank: Floats, window: Window, maps: Floats) -> None:
    """Add to each map each pixel times its weight, where the weight is not 0."""
    inputs, outputs = bank.shape[2], bank.shape[3]
    groups = padded.shape[2] // inputs
    for index in np.argwhere(bank):
        row, column, plane, output = (int(place) for place in index)
        channel = output * groups // outputs * inputs + plane
        pixels = tap_view(padded, (row, column), window, maps.shape[:2])[:, :, channel]
        maps[:, :, output] += pixels * bank[row, column, plane, output]


def _filter_planes(padded: Floats, bank: Floats, window: Window, maps: Floats) -> None:
    """Filter plane by plane, and keep what the stride keeps."""
    inputs, outputs = bank.shape[2], bank.shape[3]
    groups = padded.shape[2] // inputs
    for output in range(outputs):
        first = output * groups // outputs * inputs
        for plane in range(inputs):
            kernel = _dilated(bank[:, :, plane, output], window.dilation)
            filtered = cv2.filter2D(
                np.ascontiguousarray(padded[:, :, first + plane]),
                -1,
                kernel,
                anchor=(0, 0),
                borderType=cv2.BORDER_CONSTANT,
            )
            maps[:, :, output] += tap_view(filtered, (0, 0), window, maps.shape[:2])


def _dilated(kernel: Floats, dilation: Pair) -> Floats:
    """Return a kernel with zeros between its weights."""
    if dilation == (1, 1):
        return np.ascontiguousarray(kernel)
    rows, columns = dilation
    spread = np.zeros(((kernel.shape[0] - 1) * rows + 1, (kernel.shape[1] - 1) * columns + 1), kernel.dtype)
    spread[::rows, ::columns] = kernel
    return spread
