"""The table of a network: a row for each layer, the totals, and its warnings."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.summary import FloatName, LayerCosts, Memory, Summary, Totals, summarize
from tests.nn.strategies import kernel_shape, networks_for


def summary(text: str, shape: Shape) -> Summary:
    """Return the table of the network that a text writes."""
    return summarize(parse_network(text, kernel_shape), shape)


def test_a_row_has_all_that_is_known_of_a_layer() -> None:
    table = summary("conv:7x7,64,s2,p3@stem bn", (224, 224, 3))
    assert table._replace(visits=()) == Summary(
        input=(224, 224, 3),
        network="conv:7x7,64,s2,p3@stem batchnorm",
        rows=(
            LayerCosts(
                name="stem",
                op="conv",
                text="conv:7x7,64,s2,p3",
                output=(112, 112, 64),
                activations=802_816,
                parameters=9472,
                statistics=0,
                macs=118_013_952,
                padding=(3, 3, 3, 3),
                receptive_field=(7, 7),
                jump=(2, 2),
                first=(-3, -3),
                depth=0,
                branch=0,
            ),
            LayerCosts(
                name="batchnorm1",
                op="batchnorm",
                text="batchnorm",
                output=(112, 112, 64),
                activations=802_816,
                parameters=128,
                statistics=128,
                macs=0,
                padding=None,
                receptive_field=(7, 7),
                jump=(2, 2),
                first=(-3, -3),
                depth=0,
                branch=0,
            ),
        ),
        totals=Totals(
            parameters=9600,
            statistics=128,
            macs=118_013_952,
            flops=236_027_904,
            activations=1_605_632,
            bytes=Memory(1, "float32", 4 * 9600, 4 * 1_605_632, 4 * 2 * 802_816),
        ),
        peak=2 * 802_816,
    )


def test_a_network_without_layers_has_no_rows_and_no_sums() -> None:
    assert summary("", (5, 5, 1)) == Summary(
        (5, 5, 1), "", (), Totals(0, 0, 0, 0, 0, Memory(1, "float32", 0, 0, 100)), 25
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("batch", [1, 32])
def test_bytes_are_those_of_arrays_of_this_type(batch: int, dtype: FloatName) -> None:
    """Of what PyTorch would hold: weights once, outputs for each input of the batch."""
    weights = [np.zeros((8, 3, 5, 5), dtype), np.zeros(8, dtype), np.zeros((10, 1568), dtype), np.zeros(10, dtype)]
    sizes = [(28, 28, 8), (14, 14, 8), (1568,), (10,)]
    outputs = [np.zeros((batch, *size), dtype) for size in sizes]
    network = parse_network("conv:5x5,8 maxpool:2 flatten fc:10", kernel_shape)
    table = summarize(network, (32, 32, 3), batch=batch, dtype=dtype)
    image = np.zeros((batch, 32, 32, 3), dtype)
    assert table.totals.bytes == Memory(
        batch=batch,
        dtype=dtype,
        parameters=sum(tensor.nbytes for tensor in weights),
        activations=sum(tensor.nbytes for tensor in outputs),
        live=image.nbytes + outputs[0].nbytes,
    )


def test_a_batch_has_an_input_and_a_type_that_networks_run_in() -> None:
    network = cnnfilter.network("relu")
    with pytest.raises(ShapeError, match="a batch has at least 1 input, not 0"):
        network.summary((4, 4), batch=0)
    with pytest.raises(LanguageError, match="dtype 'int8' is not known; float32 and float16 are"):
        network.summary((4, 4), dtype="int8")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "padding"),
    [
        ("conv:3x3", (0, 0, 0, 0)),
        ("conv:3x3,p1x2", (1, 2, 1, 2)),
        ("conv:4x4,same", (1, 1, 2, 2)),
        ("conv:4x4,same-lower", (2, 2, 1, 1)),
        ("conv:3x3,s2,same", (0, 1, 1, 1)),
        ("conv:4x4,half", (1, 1, 1, 1)),
        ("conv:4x3,full", (3, 2, 3, 2)),
        ("dwconv:3x3,d2,same", (2, 2, 2, 2)),
        ("maxpool:3,s2,same", (0, 1, 1, 1)),
        ("avgpool:2", (0, 0, 0, 0)),
        ("globalavgpool", None),
        ("relu", None),
        ("flatten", None),
    ],
)
def test_a_row_has_the_pixels_that_a_padding_came_to(text: str, padding: Shape | None) -> None:
    (row,) = summary(text, (8, 9, 1)).rows
    assert row.padding == padding


@settings(max_examples=200)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4, 12])), st.data())
def test_the_totals_are_the_sums_of_the_rows(shape: Shape, data: st.DataObject) -> None:
    network = data.draw(networks_for(shape))
    table = summarize(network, shape)
    assert table.input == shape
    assert table.network == str(network)
    assert [row.name for row in table.rows] == list(network.names)
    assert [row.text for row in table.rows] == [node.layer.text for node in network.all_nodes]
    assert [row.output for row in table.rows] == [visit.outputs.shape for visit in network.visits(shape)]
    assert all(row.activations == prod(row.output) for row in table.rows)
    for subject in ("parameters", "statistics", "macs", "activations"):
        assert getattr(table.totals, subject) == sum(getattr(row, subject) for row in table.rows)
    assert table.totals.flops == 2 * table.totals.macs


def test_an_image_without_channels_has_one() -> None:
    assert cnnfilter.network("conv:3x3,16").summary((64, 64)) == cnnfilter.network("conv:3x3,16").summary((64, 64, 1))


def test_the_library_counts_as_the_table_does() -> None:
    text = "conv:5x5,6+relu maxpool:2 flatten fc:10"
    assert cnnfilter.network(text).summary((32, 32, 3)) == summary(text, (32, 32, 3))


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0), (-1, 5, 3), (5, 5, 0), (5,), (2, 2, 2, 2), ()], ids=str)
def test_a_shape_that_no_image_has_is_refused(shape: Shape) -> None:
    with pytest.raises(ShapeError):
        cnnfilter.network("relu").summary(shape)


def test_rows_in_blocks_know_how_deep_they_stand_and_in_which_branch() -> None:
    table = summary("relu res(tanh | cat(abs@a | conv:1x1 gelu) conv:1x1,3 | ) silu", (4, 4, 3))
    assert [(row.name, row.op, row.depth, row.branch) for row in table.rows] == [
        ("relu1", "relu", 0, 0),
        ("tanh1", "tanh", 1, 1),
        ("a", "abs", 2, 1),
        ("conv1", "conv", 2, 2),
        ("gelu1", "gelu", 2, 2),
        ("cat1", "cat", 1, 2),
        ("conv2", "conv", 1, 2),
        ("res1", "res", 0, 0),
        ("silu1", "silu", 0, 0),
    ]
    assert table.rows[7].text == "res(tanh | cat(abs@a | conv:1x1 gelu) conv:1x1,3 | )"
    assert table.rows[5].output == (4, 4, 4)


@pytest.mark.parametrize(
    ("text", "field", "jump", "first"),
    [
        ("relu", (1, 1), (1, 1), (0, 0)),
        ("conv:7x7,s2,p3", (7, 7), (2, 2), (-3, -3)),
        ("conv:3x5,s1x2", (3, 5), (1, 2), (0, 0)),
        ("gap", "all", None, None),
        ("flatten", "all", None, None),
        ("equalize", "all", None, None),
        ("gap conv:1x1", "all", None, None),
    ],
)
def test_a_row_has_what_its_layer_sees(text: str, field: object, jump: object, first: object) -> None:
    *_, row = summary(text, (9, 9, 1)).rows
    assert (row.receptive_field, row.jump, row.first) == (field, jump, first)


@pytest.mark.parametrize(
    ("text", "peak"),
    [
        ("", 48),
        ("relu", 96),
        ("conv:1x1,10 conv:1x1,2", 208),
        ("conv:1x1,10 conv:1x1,20 conv:1x1", 160 + 320 + 0),
        ("res(conv:1x1,10 conv:1x1,3)", 48 + 160 + 48),
        ("cat(conv:1x1,10 | relu)", 160 + 48 + 208),
        ("cat( | conv:1x1,10 conv:1x1,1)", 48 + 160 + 16),
    ],
)
def test_the_peak_is_the_most_that_is_held_at_one_time(text: str, peak: int) -> None:
    assert summary(text, (4, 4, 3)).peak == peak


def test_a_block_counts_its_sum_and_nothing_else() -> None:
    table = summary("res(conv:3x3,8,p1,nobias+bn | conv:1x1,8)", (6, 6, 4))
    assert [(row.op, row.parameters, row.statistics, row.macs, row.activations) for row in table.rows] == [
        ("conv", 288, 0, 36 * 288, 288),
        ("batchnorm", 16, 16, 0, 288),
        ("conv", 40, 0, 36 * 32, 288),
        ("res", 0, 0, 0, 288),
    ]
    assert table.totals[:5] == (344, 16, 36 * 320, 72 * 320, 4 * 288)
