"""What shared weights save: the same sizes, fully and locally connected."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.summary import Comparison, Cost, compare
from tests.nn.strategies import networks_for


def comparison(text: str, shape: Shape) -> Comparison | None:
    """Return what the only layer of a text would cost."""
    (visit,) = cnnfilter.network(text).visits(shape)
    return compare(visit)


@pytest.mark.parametrize(
    ("text", "shape", "fully", "locally"),
    [
        # 576 outputs of 25 weights and a bias each, as texts on weight sharing have it, against 26 that are shared.
        ("conv:5x5", (28, 28, 1), Cost(784 * 576 + 576, 784 * 576), Cost(14_976, 14_400)),
        # 32x32x3 to 28x28x8: "19 million" against 608 (A. Ng, lectures on convolutional networks).
        ("conv:5x5,8", (32, 32, 3), Cost(19_273_856, 19_267_584), Cost(6272 * 76, 6272 * 75)),
        ("conv:5x5,8,nobias", (32, 32, 3), Cost(19_267_584, 19_267_584), Cost(6272 * 75, 6272 * 75)),
        ("conv:3x3,bias=1", (3, 3, 1), Cost(10, 9), Cost(10, 9)),
        ("conv:sobel-x,sobel-y", (5, 5, 1), Cost(25 * 18, 25 * 18), Cost(9 * 18, 9 * 18)),
        ("dwconv:3x3,nobias", (5, 5, 4), Cost(100 * 36, 100 * 36), Cost(9 * 36, 9 * 36)),
        ("deconv:3x3,2,nobias", (5, 5, 4), Cost(100 * 98, 100 * 98), Cost(1800, 1800)),
        ("deconv:3x3,2", (5, 5, 4), Cost(9898, 9800), Cost(1898, 1800)),
        ("conv:1x1,6,g2,nobias", (2, 2, 4), Cost(16 * 24, 16 * 24), Cost(2 * 24, 2 * 24)),
    ],
)
def test_a_convolution_is_compared_with_full_and_with_local_connections(
    text: str, shape: Shape, fully: Cost, locally: Cost
) -> None:
    assert comparison(text, shape) == Comparison(fully, locally)


def test_full_connections_cost_what_a_linear_of_the_same_sizes_costs() -> None:
    found = comparison("conv:5x5,8", (32, 32, 3))
    row = cnnfilter.network("flatten fc:6272").summary((32, 32, 3)).rows[1]
    assert found is not None
    assert found.fully_connected == (row.parameters, row.macs) == (19_273_856, 19_267_584)


@pytest.mark.parametrize("text", ["relu", "maxpool:2", "bn", "flatten", "gap"])
def test_other_layers_are_not_compared(text: str) -> None:
    assert comparison(text, (4, 4, 3)) is None


@given(st.tuples(st.integers(1, 15), st.integers(1, 15), st.sampled_from([1, 3, 4])), st.data())
def test_sharing_never_costs_more_than_local_connections(shape: Shape, data: st.DataObject) -> None:
    for visit in data.draw(networks_for(shape)).visits(shape):
        if found := compare(visit):
            layer, inputs = visit.node.layer, visit.inputs.shape
            assert layer.parameters(inputs) <= found.locally_connected.parameters
            assert layer.macs(inputs) == found.locally_connected.macs
            assert found.fully_connected.macs == prod(inputs) * prod(visit.outputs.shape)
