"""Remarks: what is right, but perhaps not meant so."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.kernels import never_negative
from cnnfilter.spec.language import parse_network
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.printing import show_layer
from cnnfilter.spec.remarks import remark_on_borders, remark_on_sizes, remark_on_sums
from tests.spec.strategies import kernel_shape, networks_for


@pytest.mark.parametrize(
    "text", ["conv:3x3,border=edge", "relu conv:3x3,s2,border=constant:1 tanh", "dwconv:3x3,valid,border=wrap"]
)
def test_a_border_without_padding_is_remarked_upon(text: str) -> None:
    network = parse_network(text, kernel_shape)
    (layer,) = (layer for layer in network.layers if layer.op.endswith("conv"))
    border = text.partition("border=")[2].split()[0]
    (remark,) = remark_on_borders(network.visits((9, 9, 2)))
    assert remark == f"{show_layer(layer)}: border {border} has no effect with padding 0; try padding same"


@pytest.mark.parametrize(
    "text", ["conv:3x3", "conv:3x3,p1", "conv:3x3,same,border=edge", "conv:3x3,p=0/0/0/1,border=wrap", "relu", ""]
)
def test_there_is_no_remark_where_nothing_is_odd(text: str) -> None:
    assert remark_on_borders(parse_network(text, kernel_shape).visits((9, 9, 2))) == []


def test_each_border_without_padding_is_remarked_upon() -> None:
    network = parse_network("conv:3x3,border=edge conv:3x3,p1,border=edge 2x conv:1x1,border=wrap", kernel_shape)
    assert [remark.partition(":")[2].partition(",")[0] for remark in remark_on_borders(network.visits((9, 9, 1)))] == [
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
        return remark_on_sums(cnnfilter.network(text).visits((32, 32, channels)), never_negative)

    def test_the_remark_names_the_layers_that_were_perhaps_meant(self) -> None:
        (remark,) = self.remarks("conv:box:3", 3)
        assert remark.endswith("; dwconv filters each by itself, gray before it makes one")

    def test_a_kernel_with_a_slice_for_each_channel_is_meant_to_sum(self, tmp_path: Path) -> None:
        np.save(tmp_path / "kernel.npy", np.ones((3, 3, 3)))
        assert self.remarks(f"conv:{tmp_path / 'kernel.npy'}", 3) == []


def test_the_command_shape_makes_the_remark_too(runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", "5x5x3", "conv:box:3"])
    assert "conv:box:3 sums 3 channels; dwconv filters each by itself" in result.stderr
    assert runner.invoke(main, ["shape", "5x5x3", "conv:box:3", "-q"]).stderr == ""


class TestRemarksOnSizes:
    @pytest.mark.parametrize(
        ("text", "shape", "found"),
        [
            (
                "maxpool:2",
                (5, 5, 1),
                [
                    "layer 1, maxpool1: no window reaches the last 1 row and the last 1 column of 5x5; ceil or padding "
                    "would take them in"
                ],
            ),
            (
                "relu conv:3x3,s3@c",
                (8, 9, 1),
                ["layer 2, c: no window reaches the last 2 rows of 8x9; padding would take them in"],
            ),
            (
                "maxpool:1x2",
                (4, 7, 1),
                ["layer 1, maxpool1: no window reaches the last 1 column of 4x7; ceil or padding would take them in"],
            ),
            (
                "conv:2x2,s3",
                (8, 8, 1),
                [
                    "layer 1, conv1: the stride of 3x3 is larger than the window, which spans 2x2, so that pixels "
                    "between are passed over"
                ],
            ),
            (
                "conv:3x3,d2,s1x6,p2",
                (8, 9, 1),
                [
                    "layer 1, conv1: the stride of 1x6 is larger than the window, which spans 5x5, so that pixels "
                    "between are passed over"
                ],
            ),
            (
                "conv:4x4,same",
                (8, 8, 1),
                ["layer 1, conv1: an even window has no centre: `same` pads 1/1/2/2, one more at the end"],
            ),
            (
                "conv:2x3,same-lower",
                (8, 8, 1),
                ["layer 1, conv1: an even window has no centre: `same-lower` pads 1/1/0/1, one more at the start"],
            ),
            (
                "conv:9x9 conv:3x3,p1 conv:3x3,p1",
                (10, 11, 1),
                ["layer 2, conv2: from here on a value's receptive field of 11x11 is larger than the input of 10x11"],
            ),
            (
                "res(maxpool:1,s2 | conv:1x1 conv:2x2,s2)",
                (4, 4, 1),
                [
                    "layer 1, maxpool1: the stride of 2x2 is larger than the window, which spans 1x1, so that pixels "
                    "between are passed over"
                ],
            ),
            (
                "cat(conv:3x3,p1 | maxpool:3,s2,p1 conv:3x3,full)",
                (4, 4, 1),
                [
                    "layer 3, conv2: from here on a value's receptive field of 7x7 is larger than the input of 4x4",
                    "layer 4, cat1: its branches have jumps of 1x1 and 2x2, so that their values do not lie over the "
                    "same pixels",
                ],
            ),
        ],
    )
    def test_what_is_odd_about_sizes_is_told_layer_by_layer(self, text: str, shape: Shape, found: list[str]) -> None:
        assert sorted(remark_on_sizes(parse_network(text, kernel_shape).visits(shape))) == sorted(found)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "relu",
            "maxpool:2",
            "conv:3x3",
            "conv:3x3,p1",
            "conv:3x3,same",
            "conv:4x4,p1",
            "conv:3x3,s2,p=0/0/1/1",
            "maxpool:3,s2,ceil",
            "conv:2x2,same,s2",
            "conv:1x1,s1",
            "gap conv:1x1",
            "flatten fc:3",
            "res(conv:3x3,s2,p=0/0/1/1 | conv:2x2,s2)",
            "res(equalize | relu)",
        ],
    )
    def test_nothing_is_said_where_every_pixel_is_read(self, text: str) -> None:
        assert remark_on_sizes(parse_network(text, kernel_shape).visits((8, 8, 1))) == []

    def test_padding_that_no_window_reaches_is_no_loss(self) -> None:
        assert remark_on_sizes(parse_network("conv:3x3,s2,p1", kernel_shape).visits((8, 8, 1))) == []

    @settings(max_examples=200)
    @given(st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)), st.data())
    def test_a_remark_is_a_line_that_begins_with_its_layer(self, shape: Shape, data: st.DataObject) -> None:
        network = data.draw(networks_for(shape))
        starts = tuple(f"layer {node.number}, {node.name}: " for node in network.walk())
        for remark in remark_on_sizes(network.visits(shape)):
            assert remark.startswith(starts)
            assert remark.splitlines() == [remark]


def test_remarks_are_made_of_layers_in_blocks_too() -> None:
    network = cnnfilter.network("res(conv:box:3,border=edge | cat(conv:box:3,border=wrap))")
    assert len(remark_on_borders(network.visits((9, 9, 3)))) == 2
    assert len(remark_on_sums(network.visits((9, 9, 3)), never_negative)) == 2
