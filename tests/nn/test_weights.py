"""Which weights a network needs, by name and in PyTorch's order of axes."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.compute.state_dict import Need, needs
from cnnfilter.errors import ShapeError
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Convolution, Shape
from cnnfilter.nn.network import Network
from tests.nn.strategies import kernel_shape, networks_for


def needed(text: str, shape: Shape) -> list[Need]:
    """Return what the layers of a text need."""
    return list(needs(parse_network(text, kernel_shape), shape))


@pytest.mark.parametrize(
    ("text", "shape", "tensors"),
    [
        ("conv:3x5,16", (9, 9, 4), {"weight": (16, 4, 3, 5), "bias": (16,)}),
        ("conv:3x5,16,nobias", (9, 9, 4), {"weight": (16, 4, 3, 5)}),
        ("conv:3x5,16,bias=2", (9, 9, 4), {"weight": (16, 4, 3, 5)}),
        ("conv:3x3,16,g2", (9, 9, 4), {"weight": (16, 2, 3, 3), "bias": (16,)}),
        ("dwconv:3x3", (9, 9, 4), {"weight": (4, 1, 3, 3), "bias": (4,)}),
        ("dwconv:3x3,3,nobias", (9, 9, 4), {"weight": (12, 1, 3, 3)}),
        ("linear:10", (7,), {"weight": (10, 7), "bias": (10,)}),
        ("linear:10,nobias", (7,), {"weight": (10, 7)}),
        ("bn", (9, 9, 4), {"weight": (4,), "bias": (4,), "running_mean": (4,), "running_var": (4,)}),
        ("bn", (7,), {"weight": (7,), "bias": (7,), "running_mean": (7,), "running_var": (7,)}),
    ],
)
def test_a_layer_needs_tensors_by_the_names_and_shapes_of_pytorch(
    text: str, shape: Shape, tensors: dict[str, Shape]
) -> None:
    (need,) = needed(text, shape)
    assert need.tensors == tensors
    assert list(need.tensors) == list(tensors)


@pytest.mark.parametrize(
    "text", ["", "relu", "conv:sobel-x", "dwconv:a,b,bias=2", "maxpool:2", "gap flatten", "dropout lrn", "res(relu)"]
)
def test_kernels_by_name_and_layers_without_weights_need_nothing(text: str) -> None:
    assert needed(text, (9, 9, 4)) == []


def test_layers_in_blocks_need_theirs_in_the_order_of_execution() -> None:
    found = needed("conv:1x1,2 res(bn@a | conv:1x1,2 cat(conv:1x1@b | conv:1x1)) flatten fc:3", (5, 5, 4))
    assert [(need.name, need.layer.op) for need in found] == [
        ("conv1", "conv"),
        ("a", "batchnorm"),
        ("conv2", "conv"),
        ("b", "conv"),
        ("conv4", "conv"),
        ("linear1", "linear"),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("flatten fc:3", ((4, 6, 2),)),
        ("gap flatten fc:3", ((1, 1, 2),)),
        ("flatten relu+dropout+bn+softmax+flatten fc:3", ((4, 6, 2),)),
        ("flatten fc:9 relu fc:3", ((9,),)),
        ("cat(flatten | flatten fc:5 | gap flatten) fc:3", ((4, 6, 2), (5,), (1, 1, 2))),
        ("flatten res(relu) fc:3", ((4, 6, 2),)),
        ("flatten cat( | fc:2) fc:3", ((4, 6, 2), (2,))),
    ],
)
def test_a_linear_knows_which_volumes_its_input_was_flattened_from(text: str, parts: tuple[Shape, ...]) -> None:
    need = needed(text, (4, 6, 2))[-1]
    assert need.layer.op == "linear"
    assert need.parts == parts
    assert sum(map(prod, parts)) == need.tensors["weight"][1]


def test_a_batchnorm_of_a_vector_knows_it_too() -> None:
    (need,) = needed("flatten bn", (4, 6, 2))
    assert (need.layer.op, need.parts) == ("batchnorm", ((4, 6, 2),))


def test_a_network_that_does_not_fit_is_refused_before_weights_are() -> None:
    with pytest.raises(ShapeError, match=r"^layer 2, linear:3: linear needs a vector"):
        needed("conv:3x3 fc:3", (9, 9, 1))


@given(st.tuples(st.integers(1, 15), st.integers(1, 15), st.sampled_from([1, 3, 4])), st.data())
def test_what_is_needed_is_what_the_table_counts(shape: Shape, data: st.DataObject) -> None:
    network: Network = data.draw(networks_for(shape))
    found = list(needs(network, shape))
    assert [need.name for need in found] == [node.name for node in network.all_nodes if node.layer.learns]
    by_name = {visit.node.name: visit for visit in network.visits(shape)}
    for need in found:
        layer, inputs = need.layer, by_name[need.name].inputs.shape
        one_bias = isinstance(layer, Convolution) and bool(getattr(layer, "bias", 0))
        counted = layer.parameters(inputs) + layer.statistics(inputs)
        added = layer.output(inputs)[-1] if one_bias else 0
        assert sum(map(prod, need.tensors.values())) == counted - added
