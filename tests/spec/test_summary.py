"""The table of a network: a row for each layer, the totals, and what is remarked."""

from math import prod
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.errors import ShapeError
from cnnfilter.kernels import load_kernel, names, never_negative
from cnnfilter.kernels.words import fixed_names
from cnnfilter.spec.language import parse_network
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.printing import show_layer
from cnnfilter.spec.summary import Row, Summary, Totals, remarks, remarks_on_sums, summarize
from tests.spec.strategies import kernel_shape, networks_for


def summary(text: str, shape: Shape) -> Summary:
    """Return the table of the network that a text writes."""
    return summarize(parse_network(text, kernel_shape), shape)


def test_a_row_has_all_that_is_known_of_a_layer() -> None:
    table = summary("conv:7x7,64,s2,p3@stem bn", (224, 224, 3))
    assert table == Summary(
        input=(224, 224, 3),
        network="conv:7x7,64,s2,p3@stem batchnorm",
        rows=(
            Row(
                name="stem",
                op="conv",
                text="conv:7x7,64,s2,p3",
                output=(112, 112, 64),
                activations=802_816,
                parameters=9472,
                statistics=0,
                macs=118_013_952,
                padding=(3, 3, 3, 3),
            ),
            Row(
                name="batchnorm1",
                op="batchnorm",
                text="batchnorm",
                output=(112, 112, 64),
                activations=802_816,
                parameters=128,
                statistics=128,
                macs=0,
                padding=None,
            ),
        ),
        totals=Totals(parameters=9600, statistics=128, macs=118_013_952, flops=236_027_904, activations=1_605_632),
    )


def test_a_network_without_layers_has_no_rows_and_no_sums() -> None:
    assert summary("", (5, 5, 1)) == Summary((5, 5, 1), "", (), Totals(0, 0, 0, 0, 0))


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
    assert [row.text for row in table.rows] == [show_layer(layer) for layer in network.layers]
    assert [row.output for row in table.rows] == list(network.shapes(shape))
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


@pytest.mark.parametrize(
    "text", ["conv:3x3,border=edge", "relu conv:3x3,s2,border=constant:1 tanh", "dwconv:3x3,valid,border=wrap"]
)
def test_a_border_without_padding_is_remarked_upon(text: str) -> None:
    network = parse_network(text, kernel_shape)
    (layer,) = (layer for layer in network.layers if layer.op.endswith("conv"))
    border = text.partition("border=")[2].split()[0]
    (remark,) = remarks(network, (9, 9, 2))
    assert remark == f"{show_layer(layer)}: border {border} has no effect with padding 0; try padding same"


@pytest.mark.parametrize(
    "text", ["conv:3x3", "conv:3x3,p1", "conv:3x3,same,border=edge", "conv:3x3,p=0/0/0/1,border=wrap", "relu", ""]
)
def test_there_is_no_remark_where_nothing_is_odd(text: str) -> None:
    assert remarks(parse_network(text, kernel_shape), (9, 9, 2)) == []


def test_each_border_without_padding_is_remarked_upon() -> None:
    network = parse_network("conv:3x3,border=edge conv:3x3,p1,border=edge 2x conv:1x1,border=wrap", kernel_shape)
    assert [remark.partition(":")[2].partition(",")[0] for remark in remarks(network, (9, 9, 1))] == [
        "3x3",
        "1x1",
        "1x1",
    ]


class TestRemarksOnSums:
    @pytest.mark.parametrize(
        ("text", "channels", "found"),
        [
            ("conv:box:3", 3, ["conv:box:3 sums 3 channels"]),
            ("conv:box:3", 1, []),
            ("conv:sobel-x", 3, []),
            ("dwconv:box:3", 3, []),
            ("gray conv:box:3", 3, []),
            ("conv:sobel-x,box:3", 3, ["conv:sobel-x,box:3 sums 3 channels"]),
            ("conv:box:3 conv:box:3", 3, ["conv:box:3 sums 3 channels"]),
            ("dwconv:sobel-x,sobel-y conv:box:3", 3, ["conv:box:3 sums 6 channels"]),
            ("relu maxpool:2 conv:box:3", 4, ["conv:box:3 sums 4 channels"]),
            ("conv:[1 1],[1 1],[1 1],g3", 3, []),
            ("conv:[1 1],[1 1],g2", 4, ["conv:[1 1],[1 1],g2 sums 2 channels"]),
        ],
    )
    def test_a_conv_that_sums_channels_under_a_blur_is_remarked_upon(
        self, text: str, channels: int, found: list[str]
    ) -> None:
        assert [remark.split(";")[0] for remark in self.remarks(text, channels)] == found

    @staticmethod
    def remarks(text: str, channels: int) -> list[str]:
        return remarks_on_sums(cnnfilter.network(text), (32, 32, channels), never_negative)

    def test_the_remark_names_the_layers_that_were_perhaps_meant(self) -> None:
        (remark,) = self.remarks("conv:box:3", 3)
        assert remark.endswith("; dwconv filters each by itself, gray before it makes one")

    def test_a_kernel_with_a_slice_for_each_channel_is_meant_to_sum(self, tmp_path: Path) -> None:
        np.save(tmp_path / "kernel.npy", np.ones((3, 3, 3)))
        assert self.remarks(f"conv:{tmp_path / 'kernel.npy'}", 3) == []


ARGUMENTS = {
    "gaussian": ":5",
    "motion": ":5:30",
    "log": ":5",
    "dog": ":5:1:2",
    "gabor": ":5:2:0:4",
}


@pytest.mark.parametrize("name", list(names()))
def test_what_never_is_negative_is_known_without_the_array(name: str) -> None:
    word = name if name in fixed_names() else name + ARGUMENTS.get(name, ":5")
    assert never_negative(word) == bool((load_kernel(word).weights >= 0).all())


def test_the_command_shape_makes_the_remark_too(runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", "5x5x3", "conv:box:3"])
    assert "conv:box:3 sums 3 channels; dwconv filters each by itself" in result.stderr
    assert runner.invoke(main, ["shape", "5x5x3", "conv:box:3", "-q"]).stderr == ""
