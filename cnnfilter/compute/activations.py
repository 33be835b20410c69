"""Functions of each value, and softmax. Formulas as in the documentation of PyTorch."""

from collections.abc import Callable
from functools import cache
from math import erf, factorial

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.spec.layers import SLOPES, Activation, Function


@ieee_arithmetic
def activate(values: Array, layer: Activation) -> Floats:
    """Return the function of each value, in the same shape.

    Parameters
    ----------
    values
        Any shape; 8 and 16 bits become float32.
    layer
        The function, and its slope where it takes one.
    """
    floats: Floats = values.astype(float_type(values.dtype), copy=False)
    if layer.function in _SLOPED:
        slope = SLOPES[layer.function] if layer.slope is None else layer.slope
        return _SLOPED[layer.function](floats, slope)
    return _FUNCTIONS[layer.function](floats)


@ieee_arithmetic
def softmax(values: Array) -> Floats:
    """Return exp(x) / sum(exp(x)) along the last axis: a vector's values, or each pixel's channels."""
    floats = values.astype(float_type(values.dtype), copy=False)
    powers = np.exp(floats - floats.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), by powers that cannot overflow."""
    power = np.exp(-np.abs(values))
    return np.asarray(np.where(values < 0, power, 1) / (1 + power))


def error_function(values: Floats) -> Floats:
    """Return erf(x), within 2e-15 in float64.

    A Taylor series around the nearest of a row of points at which `math.erf` is known: the derivatives
    of erf are Hermite polynomials times its slope (Abramowitz and Stegun, 7.1.19).

    Examples
    --------
    >>> bool(abs(error_function(np.array([0.3]))[0] - erf(0.3)) < 2e-15)
    True
    """
    step, coefficients = _erf_table()
    inside = np.clip(np.nan_to_num(values), -_ERF_REACH, _ERF_REACH)
    nearest = np.rint(inside / step)
    offset = inside - nearest * step
    index = (nearest + _ERF_REACH / step).astype(np.intp)
    result = np.zeros_like(inside)
    for coefficient in coefficients[::-1]:
        result = result * offset + coefficient[index]
    return np.where(np.isnan(values), values, result).astype(values.dtype)


_ERF_REACH = 6.0
"""erf(6) is 1 to the last bit of float64."""


@cache
def _erf_table() -> tuple[float, Doubles]:
    """Return the distance of the points, and for each point its Taylor coefficients from order 0 on."""
    from numpy.polynomial import hermite  # noqa: PLC0415  only gelu needs it

    step, orders = 1 / 64, 7
    points = np.arange(-_ERF_REACH, _ERF_REACH + step, step)
    slopes = 2 / np.sqrt(np.pi) * np.exp(-(points**2))
    rows = [np.array([erf(point) for point in points])]
    for order in range(orders):
        polynomial = hermite.hermval(points, [0] * order + [1])
        rows.append((-1) ** order * polynomial * slopes / factorial(order + 1))
    return step, np.stack(rows)


def gelu(values: Floats) -> Floats:
    """Return x * (1 + erf(x / sqrt 2)) / 2, the exact form."""
    return np.asarray(values * (0.5 + 0.5 * error_function(values / values.dtype.type(np.sqrt(2)))))


def _leaky(values: Floats, slope: float) -> Floats:
    return np.where(values < 0, values * values.dtype.type(slope), values)


def _elu(values: Floats, alpha: float) -> Floats:
    return np.where(values < 0, values.dtype.type(alpha) * np.expm1(np.minimum(values, 0)), values)


_FUNCTIONS: dict[Function, Callable[[Floats], Floats]] = {
    Function.RELU: lambda values: np.maximum(values, 0),
    Function.RELU6: lambda values: np.clip(values, 0, 6),
    Function.GELU: gelu,
    Function.SILU: lambda values: np.asarray(values * sigmoid(values)),
    Function.SIGMOID: sigmoid,
    Function.TANH: np.tanh,
    Function.ABS: np.abs,
}
_SLOPED: dict[Function, Callable[[Floats, float], Floats]] = {Function.LEAKYRELU: _leaky, Function.ELU: _elu}
