"""Layers without a window: what they take, what comes out, what they count."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.nn.layers import Function, Layer, Shape, show_shape
from cnnfilter.nn.norms import BatchNorm, LayerNorm
from cnnfilter.nn.other_layers import SLOPES, Activation, Dropout, Flatten, Gray, Linear, PRelu, Softmax
from tests.nn.strategies import LAYERS

SHAPES = st.tuples(*[st.integers(1, 20)] * 3) | st.tuples(st.integers(1, 500))


@pytest.mark.parametrize(
    ("shape", "text"),
    [((28, 28, 6), "28x28x6"), ((400,), "400"), ((1, 2, 3), "1x2x3")],
    ids=["volume", "vector", "order"],
)
def test_a_shape_is_shown_height_first(shape: Shape, text: str) -> None:
    assert show_shape(shape) == text


@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 1, 1), (60,)], ids=show_shape)
@pytest.mark.parametrize(
    "layer",
    [*(Activation(function=function, slope=SLOPES.get(function)) for function in Function), Softmax()],
    ids=lambda layer: layer.op,
)
def test_a_function_of_each_value_keeps_the_shape_and_costs_no_weights(layer: Layer, shape: Shape) -> None:
    assert layer.output(shape) == shape
    assert (layer.parameters(shape), layer.statistics(shape), layer.macs(shape)) == (0, 0, 0)


def test_each_function_is_named_as_its_word() -> None:
    assert {Activation(function=function).op for function in Function} == set(Function)


@given(SHAPES)
def test_flatten_keeps_every_value(shape: Shape) -> None:
    assert Flatten().output(shape) == (prod(shape),)


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_makes_one_channel_of_three_and_leaves_one_alone(channels: int) -> None:
    assert Gray().output((4, 5, channels)) == (4, 5, 1)


@pytest.mark.parametrize("channels", [2, 4, 64])
def test_gray_needs_red_green_and_blue(channels: int) -> None:
    with pytest.raises(ShapeError, match=rf"^gray needs 3 channels \(red, green, blue\) or 1, but gets {channels}$"):
        Gray().output((4, 5, channels))


def test_gray_weighs_as_luma_does_and_sums_to_one() -> None:
    assert Gray.WEIGHTS == (0.299, 0.587, 0.114)
    assert sum(Gray.WEIGHTS) == pytest.approx(1, abs=1e-15)


@given(st.integers(1, 500), st.integers(1, 500), st.booleans())
def test_linear_multiplies_every_input_for_every_output(inputs: int, outputs: int, bias: bool) -> None:
    layer = Linear(outputs=outputs, bias=bias)
    assert layer.output((inputs,)) == (outputs,)
    assert layer.macs((inputs,)) == inputs * outputs
    assert layer.parameters((inputs,)) == inputs * outputs + bias * outputs


@pytest.mark.parametrize("measure", ["output", "parameters", "macs"])
def test_linear_needs_a_vector(measure: str) -> None:
    with pytest.raises(ShapeError, match=r"^linear needs a vector, but gets 5x5x16; put flatten before it$"):
        getattr(Linear(outputs=10), measure)((5, 5, 16))


@pytest.mark.parametrize("outputs", [0, -3])
def test_linear_has_at_least_one_output(outputs: int) -> None:
    with pytest.raises(ShapeError, match=f"number of outputs {outputs} is below 1"):
        Linear(outputs=outputs)


@given(LAYERS, st.integers(1, 500))
def test_a_layer_takes_a_vector_or_says_what_it_needs(layer: Layer, length: int) -> None:
    if isinstance(layer, Activation | PRelu | Softmax | BatchNorm | LayerNorm | Flatten | Linear | Dropout):
        assert len(layer.output((length,))) == 1
    else:
        with pytest.raises(
            ShapeError, match=f"^{layer.op} needs height, width and channels, but gets a vector of {length}$"
        ):
            layer.output((length,))


def output_or_complaint(layer: Layer, shape: Shape) -> Shape | str:
    """Return what comes out of a layer, or what it says."""
    try:
        return layer.output(shape)
    except ShapeError as error:
        return str(error)


@given(LAYERS, SHAPES)
def test_what_comes_out_has_a_size_and_what_is_counted_is_not_negative(layer: Layer, shape: Shape) -> None:
    output = output_or_complaint(layer, shape)
    if isinstance(output, str):
        assert output.splitlines() == [output]
    else:
        assert len(output) in {1, 3}
        assert min(output) >= 1
        assert min(layer.parameters(shape), layer.statistics(shape), layer.macs(shape)) >= 0
