"""Functions of each value against scipy and their formulas."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special  # type: ignore[import-untyped]

from cnnfilter.arrays import Doubles, float_type
from cnnfilter.compute.activations import (
    ACTIVATIONS,
    activate,
    differentiate,
    error_function,
    parameter_of,
    sigmoid,
    softmax,
)
from cnnfilter.nn.layers import Function
from cnnfilter.nn.other_layers import SLOPES, Activation, Softmax


def elu(x: float, alpha: float) -> float:
    """Return x, or alpha (exp(x) - 1) below 0."""
    return x if x > 0 else alpha * math.expm1(x)


def logistic(x: float) -> float:
    """Return 1 / (1 + exp(-x)), in the form that does not overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


SELU_SCALE = 1.0507009873554805

FORMULAS: dict[Function, Callable[[float], float]] = {
    Function.RELU: lambda x: max(x, 0),
    Function.RELU6: lambda x: min(max(x, 0), 6),
    Function.LEAKYRELU: lambda x: x if x >= 0 else 0.01 * x,
    Function.ELU: lambda x: elu(x, 1.0),
    Function.GELU: lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    Function.SILU: lambda x: x * logistic(x),
    Function.SIGMOID: logistic,
    Function.TANH: math.tanh,
    Function.ABS: abs,
    Function.HARDSWISH: lambda x: x * min(max(x + 3, 0), 6) / 6,
    Function.HARDSIGMOID: lambda x: min(max(x + 3, 0), 6) / 6,
    Function.SELU: lambda x: SELU_SCALE * elu(x, 1.6732632423543772),
    Function.SOFTPLUS: lambda x: x if x > 20 else math.log1p(math.exp(x)),
    Function.MISH: lambda x: x * math.tanh(x if x > 20 else math.log1p(math.exp(x))),
}
"""The functions of PyTorch's documentation, a number at a time."""

POINTS = np.concatenate([np.linspace(-40, 40, 1601), np.array([-1e-3, 1e-3, -1e-12, 1e-12, 5.9999, 6.0001])])


LIMITS = {
    Function.RELU: (0, np.inf),
    Function.RELU6: (0, 6),
    Function.LEAKYRELU: (-np.inf, np.inf),
    Function.ELU: (-1, np.inf),
    Function.GELU: (0, np.inf),
    Function.SILU: (0, np.inf),
    Function.SIGMOID: (0, 1),
    Function.TANH: (-1, 1),
    Function.ABS: (np.inf, np.inf),
    Function.HARDSWISH: (0, np.inf),
    Function.HARDSIGMOID: (0, 1),
    Function.SELU: (-SELU_SCALE * 1.6732632423543772, np.inf),
    Function.SOFTPLUS: (0, np.inf),
    Function.MISH: (0, np.inf),
}
"""What each function goes to at minus and plus infinity."""


NAN_AT_THE_END = {Function.GELU, Function.SILU, Function.HARDSWISH, Function.MISH}
"""Products of x and what goes to 0 at minus infinity."""


def layer_of(function: Function, slope: float | None = None) -> Activation:
    """Return a layer, with PyTorch's slope unless another is given."""
    return Activation(function=function, slope=SLOPES.get(function) if slope is None else slope)


class TestActivate:
    def test_every_function_is_tested(self) -> None:
        assert set(FORMULAS) == set(Function)

    @pytest.mark.parametrize("function", list(Function))
    def test_each_function_is_its_formula(self, function: Function) -> None:
        expected = [FORMULAS[function](x) for x in POINTS.tolist()]
        assert np.allclose(activate(POINTS, layer_of(function)), expected, rtol=1e-14, atol=1e-14)

    @pytest.mark.parametrize("function", list(Function))
    def test_float32_stays_float32_and_close(self, function: Function) -> None:
        points = POINTS.astype(np.float32)
        result = activate(points, layer_of(function))
        expected = [FORMULAS[function](x) for x in points.tolist()]
        assert result.dtype == np.float32
        assert np.allclose(result, expected, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("function", list(Function))
    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int64", "float16", "float64"])
    def test_other_types_become_the_floats_that_hold_them(self, function: Function, dtype: str) -> None:
        values = np.array([0, 1, 3, 7]).astype(dtype)
        result = activate(values, layer_of(function))
        expected = [FORMULAS[function](x) for x in values.astype(np.float64).tolist()]
        assert result.dtype == float_type(values.dtype)
        assert np.allclose(result, expected, rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("function", list(Function))
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("shape", [(4,), (2, 2, 1), (1, 2, 2)], ids=str)
    def test_the_shape_and_the_values_given_stay_as_they_are(
        self, function: Function, dtype: str, shape: tuple[int, ...]
    ) -> None:
        values = np.array([-2.0, -0.5, 0.5, 9.0], dtype).reshape(shape)
        before = values.copy()
        values.flags.writeable = False
        result = activate(values, layer_of(function))
        assert result.shape == shape
        assert not np.shares_memory(result, values)
        assert np.array_equal(values, before)

    @pytest.mark.parametrize("function", list(Function))
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_large_values_do_not_overflow(self, function: Function, dtype: str) -> None:
        largest = float(np.finfo(dtype).max)
        scale = SELU_SCALE * (1 + 3e-7) if function is Function.SELU else 1  # the largest stays finite
        for size in (1e3, 1e6, 1e30, largest):
            low, high = activate(np.array([-size, size / scale], dtype), layer_of(function)).tolist()
            least, most = LIMITS[function]
            assert low == pytest.approx({-np.inf: -0.01 * size, np.inf: size}.get(least, least), rel=1e-6), (
                f"{function}({-size})"
            )
            assert high == pytest.approx({np.inf: size}.get(most, most), rel=1e-6), f"{function}({size})"

    @pytest.mark.parametrize("function", sorted(set(Function) - NAN_AT_THE_END))
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_infinity_goes_to_the_limit(self, function: Function, dtype: str) -> None:
        values = np.array([-np.inf, np.inf], dtype)
        assert activate(values, layer_of(function)).tolist() == pytest.approx(list(LIMITS[function]))

    @pytest.mark.parametrize("function", sorted(NAN_AT_THE_END))
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_minus_infinity_times_nothing_is_zero_or_nan_and_no_complaint_of_numpy(
        self, function: Function, dtype: str
    ) -> None:
        low, high = activate(np.array([-np.inf, np.inf], dtype), layer_of(function)).tolist()
        assert low == 0 or math.isnan(low)
        assert high == np.inf

    @pytest.mark.parametrize("function", list(Function))
    def test_nan_stays_nan_and_changes_nothing_else(self, function: Function) -> None:
        result = activate(np.array([np.nan, 1.0]), layer_of(function))
        assert np.isnan(result[0])
        assert result[1] == activate(np.array([1.0]), layer_of(function))[0]

    @pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, -0.5])
    def test_the_negative_slope_of_leakyrelu_can_be_chosen(self, slope: float) -> None:
        values = np.array([-2.0, 0.0, 3.0])
        assert activate(values, layer_of(Function.LEAKYRELU, slope)).tolist() == [-2 * slope, 0, 3]

    @pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
    def test_the_alpha_of_elu_can_be_chosen(self, alpha: float) -> None:
        values = np.array([-2.0, 0.0, 3.0])
        expected = [elu(x, alpha) for x in values.tolist()]
        assert np.allclose(activate(values, layer_of(Function.ELU, alpha)), expected, rtol=1e-15)


LAYERS = [
    *map(layer_of, Function),
    *(layer_of(Function.LEAKYRELU, slope) for slope in (0.2, 0.0, -0.5)),
    *(layer_of(Function.ELU, alpha) for alpha in (2.0, 0.0, -0.5)),
]
"""Each function, and those that take a number with several."""


class TestDifferentiate:
    @pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.text)
    def test_it_is_the_quotient_of_finite_differences_but_at_kinks(self, layer: Activation) -> None:
        step = 1e-5
        points = np.concatenate([np.linspace(-12, 12, 2402), [-1e-3, 1e-3, 5.999, 6.001, -30.0, 30.0]])
        quotients = (activate(points + step, layer) - activate(points - step, layer)) / (2 * step)
        assert np.abs(differentiate(points, layer) - quotients).max() <= 2e-9

    @pytest.mark.parametrize(
        ("layer", "points", "slopes"),
        [
            (layer_of(Function.RELU), [0.0], [0.0]),
            (layer_of(Function.RELU6), [0.0, 6.0], [0.0, 0.0]),
            (layer_of(Function.LEAKYRELU, 0.1), [0.0], [0.1]),
            (layer_of(Function.ELU, 2.0), [0.0], [2.0]),
            (layer_of(Function.ABS), [0.0], [0.0]),
            (layer_of(Function.HARDSWISH), [-3.0, 3.0], [0.0, 1.0]),
            (layer_of(Function.HARDSIGMOID), [-3.0, 3.0], [0.0, 0.0]),
            (layer_of(Function.SELU), [0.0], [SELU_SCALE * 1.6732632423543772]),
        ],
        ids=lambda given: getattr(given, "text", str(given)),
    )
    def test_at_kinks_it_is_that_of_pytorch(self, layer: Activation, points: list[float], slopes: list[float]) -> None:
        assert list(ACTIVATIONS[layer.op].kinks) == points
        assert differentiate(np.array(points), layer).tolist() == slopes

    @pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.text)
    def test_there_are_no_other_kinks(self, layer: Activation) -> None:
        points = np.linspace(-12, 12, 240_001)
        jumps = np.abs(np.diff(differentiate(points, layer)))
        places = points[:-1][jumps > 1e-3]
        assert all(min(abs(place - kink) for kink in ACTIVATIONS[layer.op].kinks) < 1e-3 for place in places)

    @pytest.mark.parametrize("function", list(Function))
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_large_values_do_not_overflow(self, function: Function, dtype: str) -> None:
        largest = float(np.finfo(dtype).max)
        slopes = differentiate(np.array([-largest, -1e6, 1e6, largest], dtype), layer_of(function))
        assert slopes.dtype == dtype
        assert np.isfinite(slopes).all()

    def test_that_of_softmax_is_each_result_by_its_own_value(self) -> None:
        points, step = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), 1e-6
        moved = step * np.eye(5)
        quotients = np.diag(softmax(points + moved) - softmax(points - moved)) / (2 * step)
        assert np.allclose(differentiate(points, Softmax()), quotients, rtol=0, atol=1e-9)


class TestActivations:
    def test_every_activation_and_softmax_has_a_row(self) -> None:
        assert set(ACTIVATIONS) == {*Function, "softmax"}

    @pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.text)
    def test_the_limits_are_the_least_and_the_greatest_value(self, layer: Activation) -> None:
        values = activate(np.linspace(-100, 100, 2_000_001), layer)
        least, most = ACTIVATIONS[layer.op].limits(parameter_of(layer))
        assert (most == np.inf and values.max() >= 100) or values.max() == pytest.approx(most, abs=1e-9)
        assert (least == -np.inf and values.min() < 0) or values.min() == pytest.approx(least, abs=1e-9)

    @pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.text)
    def test_the_formulas_that_are_written_are_those_that_are_computed(self, layer: Activation) -> None:
        row, number = ACTIVATIONS[layer.op], parameter_of(layer)
        for x in (-2.5, -0.3, 0.7, 3.0, 7.0):
            point = np.array([x])
            assert evaluate(row.formula, number, x) == pytest.approx(activate(point, layer)[0])
            assert evaluate(row.derivative_formula, number, x) == pytest.approx(differentiate(point, layer)[0])


def evaluate(formula: str, number: float, x: float) -> float:
    """Return what a formula as it is written gives for a number."""
    names = {name: getattr(math, name) for name in ("exp", "erf", "sqrt", "tanh", "log", "pi")}
    text, _, share = formula.format(a=number).replace("^", "**").replace("|x|", "abs(x)").partition(", s = ")
    known = {**names, "sigmoid": logistic, "x": x}
    return float(eval(text, {**known, "s": eval(share, dict(known)) if share else 0.0}))


class TestErrorFunction:
    def test_it_is_that_of_scipy_to_2e_15(self) -> None:
        points = np.linspace(-8, 8, 200_001)
        assert np.abs(error_function(points) - special.erf(points)).max() <= 2e-15

    @given(points=hnp.arrays(np.float64, (50,), elements=st.floats(-8, 8)))
    def test_it_is_that_of_scipy_at_any_point(self, points: Doubles) -> None:
        assert np.abs(error_function(points) - special.erf(points)).max() <= 2e-15

    def test_it_is_odd_and_never_leaves_minus_one_to_one(self) -> None:
        points = np.linspace(0, 8, 10_001)
        assert np.abs(error_function(-points) + error_function(points)).max() <= 4e-15
        assert np.abs(error_function(points)).max() <= 1

    def test_beyond_6_it_is_one(self) -> None:
        points = np.array([6.0, 6.5, 40.0, 1e300, np.inf])
        assert error_function(points).tolist() == [1.0] * 5
        assert error_function(-points).tolist() == [-1.0] * 5

    def test_nan_stays_nan(self) -> None:
        assert np.isnan(error_function(np.array([np.nan, 0.0]))).tolist() == [True, False]

    def test_float32_stays_float32(self) -> None:
        points = np.linspace(-8, 8, 2001, dtype=np.float32)
        result = error_function(points)
        assert result.dtype == np.float32
        assert np.abs(result - special.erf(points.astype(np.float64))).max() <= 1.2e-7


class TestSigmoid:
    def test_it_is_that_of_scipy(self) -> None:
        assert np.allclose(sigmoid(POINTS), special.expit(POINTS), rtol=0, atol=4e-16)

    @given(points=hnp.arrays(np.float64, (9,), elements=st.floats(-1e6, 1e6)))
    def test_it_stays_between_0_and_1_and_its_opposite_completes_it(self, points: Doubles) -> None:
        result = sigmoid(points)
        assert ((result >= 0) & (result <= 1)).all()
        assert np.allclose(result + sigmoid(-points), 1, rtol=0, atol=1e-15)


class TestSoftmax:
    @given(values=hnp.arrays(np.float64, st.sampled_from([(5,), (2, 3, 4), (1, 1, 7)]), elements=st.floats(-1e4, 1e4)))
    def test_it_is_that_of_scipy_along_the_channels(self, values: Doubles) -> None:
        assert np.allclose(softmax(values), special.softmax(values, axis=-1), rtol=1e-13, atol=1e-300)

    def test_each_pixel_sums_to_one(self) -> None:
        values = np.random.default_rng(0).normal(size=(6, 5, 10), scale=30)
        assert np.allclose(softmax(values).sum(axis=2), 1, rtol=0, atol=1e-14)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_large_values_do_not_overflow(self, dtype: str) -> None:
        largest = float(np.finfo(dtype).max)
        assert softmax(np.array([largest, -1.0, largest], dtype)).tolist() == [0.5, 0.0, 0.5]
        assert softmax(np.array([-1e30, -1e30], dtype)).tolist() == [0.5, 0.5]

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_small_types_give_float32(self, dtype: str) -> None:
        result = softmax(np.array([0, 1, 2], dtype))
        assert result.dtype == np.float32
        assert np.allclose(result, special.softmax([0.0, 1.0, 2.0]), rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["int64", "float64"])
    def test_large_types_give_float64(self, dtype: str) -> None:
        assert softmax(np.array([0, 255], dtype)).dtype == np.float64

    def test_a_single_channel_is_one_everywhere(self) -> None:
        assert softmax(np.array([[[3.0], [-7.0]]])).tolist() == [[[1.0], [1.0]]]

    def test_the_values_given_stay_as_they_are(self) -> None:
        values = np.array([1.0, 2.0])
        values.flags.writeable = False
        assert softmax(values).sum() == pytest.approx(1)
        assert values.tolist() == [1.0, 2.0]
