"""Activations: their values, their derivatives, and what texts say of them."""

from collections.abc import Callable
from functools import cache
from math import erf, factorial, inf
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.nn.layers import Function
from cnnfilter.nn.other_layers import SLOPES, Activation, Softmax
from cnnfilter.numbers import show_digits

_Formula = Callable[[Floats, np.floating], Floats]
"""Takes values, and the slope of leakyrelu or the alpha of elu, which the others do not look at."""


class ActivationRow(NamedTuple):
    """A row of the table of activations.

    `formula` and `derivative_formula` write the function and its derivative, `{a}` for the number that the function
    takes. `limits` are the least and the greatest value for that number. At `kinks` the derivative jumps; it is that
    of PyTorch there.
    """

    function: _Formula
    derivative: _Formula
    formula: str
    derivative_formula: str
    limits: Callable[[float], tuple[float, float]]
    source: str
    kinks: tuple[float, ...] = ()


@ieee_arithmetic
def activate(values: Array, layer: Activation) -> Floats:
    """Return the function of each value, in the same shape, as floats."""
    return _apply(ACTIVATIONS[layer.function].function, values, layer)


@ieee_arithmetic
def differentiate(values: Array, layer: Activation | Softmax) -> Floats:
    """Return the derivative of the function at each value; of softmax that of each result by its own value."""
    return _apply(ACTIVATIONS[layer.op].derivative, values, layer)


def parameter_of(layer: Activation | Softmax) -> float:
    """Return the slope of leakyrelu, the alpha of elu; 0 for the others."""
    if isinstance(layer, Softmax):
        return 0.0
    return SLOPES.get(layer.function, 0.0) if layer.slope is None else layer.slope


def write_formulas(layer: Activation | Softmax) -> tuple[str, str]:
    """Return the function and its derivative as texts, the number of the layer in them; a factor of 1 is left out."""
    row, number = ACTIVATIONS[layer.op], show_digits(parameter_of(layer), 15)
    function, derivative = (text.format(a=number) for text in (row.formula, row.derivative_formula))
    return function.replace(" 1*", " "), derivative.replace(" 1*", " ")


def _apply(formula: _Formula, values: Array, layer: Activation | Softmax) -> Floats:
    floats: Floats = values.astype(float_type(values.dtype), copy=False)
    return np.asarray(formula(floats, floats.dtype.type(parameter_of(layer))), dtype=floats.dtype)


@ieee_arithmetic
def softmax(values: Array, axis: int = -1) -> Floats:
    """Return exp(x) / sum(exp(x)) along an axis, the last one for a vector's values or each pixel's channels."""
    floats = values.astype(float_type(values.dtype), copy=False)
    powers = np.exp(floats - floats.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), by powers that cannot overflow."""
    power = np.exp(-np.abs(values))
    return np.asarray(np.where(values < 0, power, 1) / (1 + power))


def softplus(values: Floats) -> Floats:
    """Return log(1 + exp(x)), and x itself above 20, as PyTorch does."""
    powers = np.log1p(np.exp(-np.abs(values))) + np.maximum(values, 0)
    return np.asarray(np.where(values > _SOFTPLUS_THRESHOLD, values, powers))


_SOFTPLUS_THRESHOLD = 20

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
"""The fixed point of mean 0 and variance 1 (Klambauer et al., 2017)."""


def error_function(values: Floats) -> Floats:
    """Return erf(x), within 2e-15 in float64: a Taylor series around the nearest point at which `math.erf` is known."""
    step, coefficients = _erf_table()
    inside = np.clip(np.nan_to_num(values), -_ERF_REACH, _ERF_REACH)
    nearest = np.rint(inside / step)
    offset = inside - nearest * step
    index = (nearest + _ERF_REACH / step).astype(np.intp)
    result = np.zeros_like(inside)
    for coefficient in coefficients[::-1]:
        result = result * offset + coefficient[index]
    return np.where(np.isnan(values), values, result).astype(values.dtype)


_ERF_REACH = 6.0  # erf is 1 to the last bit of float64 there


@cache
def _erf_table() -> tuple[float, Doubles]:
    """Return the distance of the points, and for each point its Taylor coefficients from order 0 on.

    Derivatives of erf are Hermite polynomials times its slope (Abramowitz and Stegun, 7.1.19).
    """
    from numpy.polynomial import hermite  # noqa: PLC0415  only gelu needs it

    step, orders = 1 / 64, 7
    points = np.arange(-_ERF_REACH, _ERF_REACH + step, step)
    slopes = 2 / np.sqrt(np.pi) * np.exp(-(points**2))
    rows = [np.array([erf(point) for point in points])]
    for order in range(orders):
        polynomial = hermite.hermval(points, [0] * order + [1])
        rows.append((-1) ** order * polynomial * slopes / factorial(order + 1))
    return step, np.stack(rows)


def _gauss(values: Floats) -> Floats:
    """Return the share of the standard normal distribution below each value."""
    return np.asarray(0.5 + 0.5 * error_function(values / values.dtype.type(np.sqrt(2))))


def _gelu_derivative(values: Floats) -> Floats:
    inside = np.clip(values, -40, 40)  # beyond, the density is 0
    return np.asarray(_gauss(values) + inside * np.exp(-np.square(inside) / 2) / values.dtype.type(np.sqrt(2 * np.pi)))


def _silu_derivative(values: Floats) -> Floats:
    share = sigmoid(values)
    return np.asarray(share + np.clip(values, -100, 100) * share * sigmoid(-values))  # beyond, the product is 0


def _mish_derivative(values: Floats) -> Floats:
    inside = np.clip(values, -100, 100)  # beyond, the second summand is 0
    height = np.tanh(softplus(values))
    return np.asarray(height + inside * (1 - np.square(height)) * sigmoid(values))


ACTIVATIONS: dict[str, ActivationRow] = {
    Function.RELU: ActivationRow(
        lambda x, _: np.maximum(x, 0),
        lambda x, _: (x > 0).astype(x.dtype),
        "max(0, x)",
        "1 if x > 0 else 0",
        lambda _: (0, inf),
        "Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010",
        kinks=(0,),
    ),
    Function.RELU6: ActivationRow(
        lambda x, _: np.clip(x, 0, 6),
        lambda x, _: ((x > 0) & (x < 6)).astype(x.dtype),
        "min(max(0, x), 6)",
        "1 if 0 < x < 6 else 0",
        lambda _: (0, 6),
        "Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010",
        kinks=(0, 6),
    ),
    Function.LEAKYRELU: ActivationRow(
        lambda x, slope: np.where(x < 0, x * slope, x),
        lambda x, slope: np.where(x > 0, 1, slope),
        "x if x > 0 else {a}*x",
        "1 if x > 0 else {a}",
        lambda slope: (-inf if slope > 0 else 0, inf),
        "Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013",
        kinks=(0,),
    ),
    Function.ELU: ActivationRow(
        lambda x, alpha: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
        lambda x, alpha: np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0))),
        "x if x > 0 else {a}*(exp(x) - 1)",
        "1 if x > 0 else {a}*exp(x)",
        lambda alpha: (min(0, -alpha), inf),
        "Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units,"
        " ICLR 2016",
        kinks=(0,),
    ),
    Function.GELU: ActivationRow(
        lambda x, _: x * _gauss(x),
        lambda x, _: _gelu_derivative(x),
        "x*(1 + erf(x/sqrt(2)))/2",
        "(1 + erf(x/sqrt(2)))/2 + x*exp(-x^2/2)/sqrt(2*pi)",
        lambda _: (-0.16997120747990369, inf),
        "Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, 2016",
    ),
    Function.SILU: ActivationRow(
        lambda x, _: x * sigmoid(x),
        lambda x, _: _silu_derivative(x),
        "x/(1 + exp(-x))",
        "s + x*s*(1 - s), s = sigmoid(x)",
        lambda _: (-0.27846454276107380, inf),
        "Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units for Neural Network Function Approximation in"
        " Reinforcement Learning, Neural Networks 107, 2018",
    ),
    Function.SIGMOID: ActivationRow(
        lambda x, _: sigmoid(x),
        lambda x, _: sigmoid(x) * sigmoid(-x),
        "1/(1 + exp(-x))",
        "s*(1 - s), s = sigmoid(x)",
        lambda _: (0, 1),
        "Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors, Nature 323, 1986",
    ),
    Function.TANH: ActivationRow(
        lambda x, _: np.tanh(x),
        lambda x, _: 1 / np.square(np.cosh(np.clip(x, -40, 40))),
        "(exp(x) - exp(-x))/(exp(x) + exp(-x))",
        "1 - tanh(x)^2",
        lambda _: (-1, 1),
        "LeCun, Bottou, Orr and Müller, Efficient BackProp, in Neural Networks: Tricks of the Trade, 1998",
    ),
    Function.ABS: ActivationRow(
        lambda x, _: np.abs(x),
        lambda x, _: np.sign(x),
        "|x|",
        "-1 if x < 0 else 1 if x > 0 else 0",
        lambda _: (0, inf),
        "Jarrett, Kavukcuoglu, Ranzato and LeCun, What is the Best Multi-Stage Architecture for Object Recognition?,"
        " ICCV 2009",
        kinks=(0,),
    ),
    Function.HARDSWISH: ActivationRow(
        lambda x, _: x * (np.clip(x + 3, 0, 6) / 6),
        lambda x, _: np.where(x >= 3, 1, np.where(x > -3, x / 3 + x.dtype.type(0.5), 0)),
        "x*min(max(0, x + 3), 6)/6",
        "0 if x <= -3 else 1 if x >= 3 else x/3 + 1/2",
        lambda _: (-0.375, inf),
        "Howard et al., Searching for MobileNetV3, ICCV 2019",
        kinks=(-3, 3),
    ),
    Function.HARDSIGMOID: ActivationRow(
        lambda x, _: np.clip(x + 3, 0, 6) / 6,
        lambda x, _: ((x > -3) & (x < 3)) * x.dtype.type(1 / 6),
        "min(max(0, x + 3), 6)/6",
        "1/6 if -3 < x < 3 else 0",
        lambda _: (0, 1),
        "Courbariaux, Bengio and David, BinaryConnect: Training Deep Neural Networks with Binary Weights During"
        " Propagations, NeurIPS 2015 (with a slope of 1/2); PyTorch's slope of 1/6 is that of Howard et al., ICCV 2019",
        kinks=(-3, 3),
    ),
    Function.SELU: ActivationRow(
        lambda x, _: x.dtype.type(_SELU_SCALE) * np.where(x < 0, _SELU_ALPHA * np.expm1(np.minimum(x, 0)), x),
        lambda x, _: x.dtype.type(_SELU_SCALE) * np.where(x > 0, 1, _SELU_ALPHA * np.exp(np.minimum(x, 0))),
        "1.0507009873554805*x if x > 0 else 1.7580993408473766*(exp(x) - 1)",
        "1.0507009873554805 if x > 0 else 1.7580993408473766*exp(x)",
        lambda _: (-_SELU_SCALE * _SELU_ALPHA, inf),
        "Klambauer, Unterthiner, Mayr and Hochreiter, Self-Normalizing Neural Networks, NeurIPS 2017",
        kinks=(0,),
    ),
    Function.SOFTPLUS: ActivationRow(
        lambda x, _: softplus(x),
        lambda x, _: sigmoid(x),
        "log(1 + exp(x))",
        "1/(1 + exp(-x))",
        lambda _: (0, inf),
        "Dugas, Bengio, Bélisle, Nadeau and Garcia, Incorporating Second-Order Functional Knowledge for Better Option"
        " Pricing, NeurIPS 2000",
    ),
    Function.MISH: ActivationRow(
        lambda x, _: x * np.tanh(softplus(x)),
        lambda x, _: _mish_derivative(x),
        "x*tanh(log(1 + exp(x)))",
        "s + x*(1 - s^2)/(1 + exp(-x)), s = tanh(log(1 + exp(x)))",
        lambda _: (-0.30884341301725041, inf),
        "Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020",
    ),
    Softmax.op: ActivationRow(
        lambda x, _: softmax(x),
        lambda x, _: softmax(x) * (1 - softmax(x)),
        "exp(x)/(sum of exp over all channels)",
        "s*(1 - s), s = softmax(x)",
        lambda _: (0, 1),
        "Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, in Neurocomputing, 1990",
    ),
}
"""What each activation computes, how it is written, and who proposed it for networks."""
