"""Layers and networks against the numbers of PyTorch."""

import pytest

import cnnfilter
from cnnfilter.errors import CnnFilterError
from cnnfilter.nn.layers import Convolution
from cnnfilter.nn.other_layers import Pool
from tests.reference.shapes import (
    NETWORKS,
    REFUSED_LAYERS,
    SINGLE_LAYERS,
    ReferenceNetwork,
    RefusedLayer,
    SingleLayer,
)
from tests.reference.values import VALUES, Nested, Values


@pytest.mark.filterwarnings("ignore:shape .* is read as")  # few rows, many columns, as a test of sizes has them
@pytest.mark.parametrize("row", SINGLE_LAYERS, ids=lambda row: f"{row.id}-{row.layer}")
def test_a_layer_has_the_size_and_the_counts_that_pytorch_has(row: SingleLayer) -> None:
    network = cnnfilter.network(row.layer)
    (found,) = network.summary(row.input).rows
    assert (found.output, found.parameters, found.macs) == (row.output, row.parameters, row.macs)
    if row.padding is not None:
        assert found.padding == row.padding
    (layer,) = network.layers
    assert isinstance(layer, Convolution | Pool)
    assert row.receptive_field in {None, layer.window.extent}


def test_the_table_of_layers_is_whole() -> None:
    assert len(SINGLE_LAYERS) == 168
    assert len({row.id for row in SINGLE_LAYERS}) == 168
    assert sum(row.padding is not None for row in SINGLE_LAYERS) == 25


@pytest.mark.parametrize("row", REFUSED_LAYERS, ids=lambda row: row.id)
def test_a_layer_that_pytorch_refuses_is_refused_in_one_line(row: RefusedLayer) -> None:
    with pytest.raises(CnnFilterError) as caught:
        cnnfilter.network(row.layer).summary(row.input)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert row.layer in message


@pytest.mark.parametrize("reference", NETWORKS, ids=lambda reference: reference.id)
def test_a_network_has_the_rows_and_the_totals_that_pytorch_has(reference: ReferenceNetwork) -> None:
    table = cnnfilter.network(reference.text).summary(reference.input)
    found = [(row.output, row.parameters, row.macs) for row in table.rows]
    assert found == [(row.output, row.parameters, row.macs) for row in reference.layers]
    totals = table.totals
    assert (totals.parameters, totals.macs) == (reference.parameters, reference.macs)
    assert (totals.activations, totals.statistics) == (reference.activations, reference.statistics)


@pytest.mark.parametrize("reference", NETWORKS, ids=lambda reference: reference.id)
def test_a_block_is_a_row_after_those_of_its_branches(reference: ReferenceNetwork) -> None:
    rows = cnnfilter.network(reference.text).summary(reference.input).rows
    blocks = {number: row.op for number, row in enumerate(rows) if row.op in {"res", "cat"}}
    assert blocks == {number: row.layer for number, row in enumerate(reference.layers) if row.layer in {"res", "cat"}}
    assert [(row.depth, row.branch) for row in rows] == [
        (1, row.branch) if row.branch else (0, 0) for row in reference.layers
    ]


@pytest.mark.parametrize("reference", NETWORKS, ids=lambda reference: reference.id)
def test_each_layer_of_a_network_sees_the_pixels_that_the_table_has(reference: ReferenceNetwork) -> None:
    rows = cnnfilter.network(reference.text).summary(reference.input).rows
    known = {number: row for number, row in enumerate(reference.layers) if row.receptive_field is not None}
    found = {number: (rows[number].receptive_field, rows[number].jump, rows[number].first) for number in known}
    assert found == {number: (row.receptive_field, row.jump, row.first) for number, row in known.items()}


def test_the_table_of_networks_is_whole() -> None:
    counts = {reference.id: len(reference.layers) for reference in NETWORKS}
    assert counts == {"lenet5": 13, "alexnet": 22, "vgg16": 40, "resnet18": 70, "squeezenet1.0": 67}
    assert sum(row.layer == "res" for row in NETWORKS[3].layers) == 8
    assert sum(row.layer == "cat" for row in NETWORKS[4].layers) == 8


def volume(array: Nested) -> tuple[int, ...]:
    """Return (height, width, channels) of nested lists."""
    sizes = []
    level: Nested | float = array
    while not isinstance(level, float | int):
        sizes.append(len(level))
        level = level[0]
    return (*sizes, 1)[:3]


@pytest.mark.parametrize("row", VALUES, ids=lambda row: row.id)
def test_the_values_of_pytorch_are_as_many_as_the_layer_gives(row: Values) -> None:
    assert cnnfilter.network(row.layer).output(volume(row.image)) == volume(row.expected)
