"""Warnings about networks: what is right, but probably not meant."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.kernels.spec import kernel_shape as kernel_shape_of_files
from cnnfilter.kernels.spec import never_negative
from cnnfilter.nn.geometry import Pair, Window
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Conv, Convolution, Shape
from cnnfilter.nn.lint import (
    warn_about_borders,
    warn_about_input,
    warn_about_layouts,
    warn_about_sizes,
    warn_about_sums,
)
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Pool, PoolMode
from tests.nn.strategies import PADDINGS, kernel_shape, networks_for, output_or_none, pairs


@pytest.mark.parametrize(
    "text",
    ["conv:3x3,p0,border=edge", "relu conv:3x3,s2,valid,border=constant:1 tanh", "dwconv:1x3,valid,border=wrap"],
)
def test_a_border_without_padding_brings_a_warning(text: str) -> None:
    network = parse_network(text, kernel_shape)
    (layer,) = (layer for layer in network.layers if layer.op.endswith("conv"))
    border = text.partition("border=")[2].split()[0]
    (warning,) = warn_about_borders(network.visits((9, 9, 2)))
    assert (
        warning == f"{layer.text}: border {border} has no effect with padding 0; leave the padding out, or make it same"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("conv:3x3", "conv:3x3,p1", "conv:3x3,same,border=edge", "conv:3x3,p=0/0/0/1,border=wrap", "relu", ""),
        *("conv:3x3,border=edge", "conv:3x3,s3,border=edge", "conv:1x1,border=edge", "conv:1x1,p0,border=wrap"),
    ],
)
def test_there_is_no_warning_where_nothing_is_odd(text: str) -> None:
    assert warn_about_borders(parse_network(text, kernel_shape).visits((9, 9, 2))) == []


def test_each_border_without_padding_brings_a_warning() -> None:
    network = parse_network("conv:3x3,p0,border=edge conv:3x3,p1,border=edge 2x conv:2x1,p0,border=wrap", kernel_shape)
    assert [
        warning.partition(":")[2].partition(",")[0] for warning in warn_about_borders(network.visits((9, 9, 1)))
    ] == [
        "3x3",
        "2x1",
        "2x1",
    ]


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (64, 3, 7, 7), (64, 64, 3, 3), (1, 3, 5, 5), (8, 4, 1, 1)], ids=str)
def test_a_bank_that_looks_like_one_of_pytorch_brings_a_warning(shape: Shape, tmp_path: Path) -> None:
    np.save(tmp_path / "bank.npy", np.ones(shape))
    network = parse_network(f"conv:{tmp_path}/bank.npy,full", kernel_shape_of_files)
    (warning,) = warn_about_layouts(network.visits((99, 99, shape[2])))
    assert warning == (
        f"{tmp_path}/bank.npy: shape {shape} is read as windows of {shape[0]}x{shape[1]} with {shape[2]} inputs and "
        f"{shape[3]} outputs; if it is PyTorch's (out, in, kh, kw), `.transpose(2, 3, 1, 0)` turns it"
    )


@pytest.mark.parametrize("shape", [(3, 3, 3, 4), (3, 3, 3, 3), (3, 3, 5, 5), (7, 7, 3, 64), (3, 3), (3, 5, 5)], ids=str)
def test_other_kernels_are_not(shape: Shape, tmp_path: Path) -> None:
    np.save(tmp_path / "bank.npy", np.ones(shape))
    network = parse_network(f"conv:{tmp_path}/bank.npy", kernel_shape_of_files)
    assert warn_about_layouts(network.visits((99, 99, (*shape, 1)[2]))) == []


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 28, 28), (4, 8, 9)], ids=str)
def test_a_size_that_looks_channels_first_brings_a_warning(shape: Shape) -> None:
    (warning,) = warn_about_input(shape)
    assert re.match(rf"{shape[0]}x{shape[1]}x{shape[2]} is read as {shape[0]} rows? and {shape[1]} columns", warning)
    assert re.search(rf"for {shape[0]} channels? write {shape[1]}x{shape[2]}x{shape[0]}, or add --layout chw", warning)


@pytest.mark.parametrize("shape", [(224, 224, 3), (224, 224, 64), (3, 3, 64), (1, 1, 512), (7, 7, 512), (10,)], ids=str)
def test_other_sizes_are_not(shape: Shape) -> None:
    assert warn_about_input(shape) == []


def test_the_command_says_so_and_layout_chw_is_right() -> None:
    result = CliRunner().invoke(main, ["shape", "3x224x224", "conv:3x3,8"])
    assert (
        ": 3x224x224 is read as 3 rows and 224 columns of 224 channels; for 3 channels write 224x224x3, or add --layout"
        in result.stderr
    )
    result = CliRunner().invoke(main, ["shape", "3x224x224", "conv:3x3,8", "--layout", "chw"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert CliRunner().invoke(main, ["shape", "3x224x224", "conv:3x3,8", "-q"]).stderr == ""


class TestWarningsOnSums:
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
    def test_a_conv_that_sums_channels_under_a_blur_brings_a_warning(
        self, text: str, channels: int, found: list[str]
    ) -> None:
        assert [warning.split(";")[0] for warning in self.warnings(text, channels)] == found

    @staticmethod
    def warnings(text: str, channels: int) -> list[str]:
        return warn_about_sums(cnnfilter.network(text).visits((32, 32, channels)), never_negative)

    def test_the_warning_names_the_layers_that_were_perhaps_meant(self) -> None:
        (warning,) = self.warnings("conv:box:3", 3)
        assert warning.endswith("; dwconv filters each channel by itself, gray before it makes one channel")

    def test_a_kernel_with_a_slice_for_each_channel_is_meant_to_sum(self, tmp_path: Path) -> None:
        np.save(tmp_path / "kernel.npy", np.ones((3, 3, 3)))
        assert self.warnings(f"conv:{tmp_path / 'kernel.npy'}", 3) == []


def test_the_command_shape_makes_the_warning_too(runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", "5x5x3", "conv:box:3"])
    assert "conv:box:3 sums 3 channels; dwconv filters each channel by itself" in result.stderr
    assert runner.invoke(main, ["shape", "5x5x3", "conv:box:3", "-q"]).stderr == ""


class TestWarningsOnSizes:
    @pytest.mark.parametrize(
        ("text", "shape", "found"),
        [
            (
                "maxpool:2",
                (5, 5, 1),
                [
                    "layer 1, maxpool1: no window reaches the last row and the last column of 5x5; ceil or padding "
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
                ["layer 1, maxpool1: no window reaches the last column of 4x7; ceil or padding would take them in"],
            ),
            (
                "conv:2x2,s3",
                (8, 8, 1),
                [
                    "layer 1, conv1: no window reaches some rows and columns: the stride of 3 is larger than the "
                    "window of 2"
                ],
            ),
            (
                "conv:3x2,s4x3",
                (11, 11, 1),
                [
                    "layer 1, conv1: no window reaches some rows: the stride of 4 is larger than the window of 3",
                    "layer 1, conv1: no window reaches some columns: the stride of 3 is larger than the window of 2",
                ],
            ),
            (
                # Gaps along one axis, what is left over along the other.
                "conv:2x2,s3x2",
                (8, 9, 1),
                [
                    "layer 1, conv1: no window reaches some rows: the stride of 3 is larger than the window of 2",
                    "layer 1, conv1: no window reaches the last column of 8x9; padding would take them in",
                ],
            ),
            (
                "conv:3x3,d2,s1x6,p2",
                (8, 9, 1),
                [
                    "layer 1, conv1: no window reaches some columns: the stride of 6 and a window of 3 dilated by 2 "
                    "skip them"
                ],
            ),
            (
                # The window spans more than the stride, and touches even rows and columns alone.
                "conv:3x3,d2,s2",
                (9, 9, 1),
                [
                    "layer 1, conv1: no window reaches some rows and columns: the stride of 2 and a window of 3 "
                    "dilated by 2 skip them"
                ],
            ),
            (
                # A single window lies nowhere beside another.
                "maxpool:2,s5",
                (4, 2, 1),
                ["layer 1, maxpool1: no window reaches the last 2 rows of 4x2; ceil or padding would take them in"],
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
                ["layer 2, conv2: from here on a value's receptive field, 11x11, is larger than the input of 10x11"],
            ),
            (
                "res(maxpool:1,s2 | conv:1x1 conv:2x2,s2)",
                (4, 4, 1),
                [
                    "layer 1, maxpool1: no window reaches some rows and columns: the stride of 2 is larger than the "
                    "window of 1"
                ],
            ),
            (
                "cat(conv:3x3,p1 | maxpool:3,s2,p1 conv:3x3,full)",
                (4, 4, 1),
                [
                    "layer 3, conv2: from here on a value's receptive field, 7x7, is larger than the input of 4x4",
                    "layer 4, cat1: its branches have jumps of 1x1 and 2x2, so their values are not over the same "
                    "pixels",
                ],
            ),
        ],
    )
    def test_what_is_odd_about_sizes_is_told_layer_by_layer(self, text: str, shape: Shape, found: list[str]) -> None:
        assert sorted(warn_about_sizes(parse_network(text, kernel_shape).visits(shape))) == sorted(found)

    @pytest.mark.parametrize(
        ("count", "names"),
        [
            (2, "layer 1, conv1; layer 2, conv2"),
            (4, "layer 1, conv1; layer 2, conv2; layer 3, conv3; layer 4, conv4"),
            (5, "layer 1, conv1; layer 2, conv2; layer 3, conv3; layer 4, conv4 and 1 more"),
            (9, "layer 1, conv1; layer 2, conv2; layer 3, conv3; layer 4, conv4 and 5 more"),
        ],
    )
    def test_layers_of_which_the_same_is_to_be_said_share_a_warning(self, count: int, names: str) -> None:
        visits = parse_network(f"{count}x conv:2x2,same", kernel_shape).visits((99, 99, 1))
        (warning,) = warn_about_sizes(visits)
        assert warning == f"{names}: an even window has no centre: `same` pads 0/0/1/1, one more at the end"

    def test_layers_share_a_warning_only_where_sizes_are_the_same_too(self) -> None:
        network = parse_network("cat(conv:2x2,s2 | conv:2x2,s2) conv:2x2,s2", kernel_shape)
        assert warn_about_sizes(network.visits((23, 23, 1))) == [
            "layer 1, conv1; layer 2, conv2: no window reaches the last row and the last column of 23x23; padding "
            "would take them in",
            "layer 4, conv3: no window reaches the last row and the last column of 11x11; padding would take them in",
        ]

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
        assert warn_about_sizes(parse_network(text, kernel_shape).visits((8, 8, 1))) == []

    def test_padding_that_no_window_reaches_is_no_loss(self) -> None:
        assert warn_about_sizes(parse_network("conv:3x3,s2,p1", kernel_shape).visits((8, 8, 1))) == []

    @settings(max_examples=200)
    @given(st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)), st.data())
    def test_a_warning_is_a_line_that_begins_with_its_layers(self, shape: Shape, data: st.DataObject) -> None:
        network = data.draw(networks_for(shape))
        places = {f"layer {node.number}, {node.name}": node.number for node in network.all_nodes}
        said = []
        for warning in warn_about_sizes(network.visits(shape)):
            assert warning.splitlines() == [warning]
            start, _, what = warning.partition(": ")
            names, _, more = start.partition(" and ")
            numbers = [places[name] for name in names.split("; ")]
            assert numbers == sorted(set(numbers))
            assert len(numbers) <= 4
            if more:
                assert len(numbers) == 4
                assert 0 < int(more.removesuffix(" more")) <= len(places) - 4
            said.append(what)
        assert len(set(said)) == len(said)


class Unread(NamedTuple):
    """What is told of the rows, or columns, of one layer: that some are skipped, how many at the end are left."""

    gaps: bool
    last: int


def told(layer: Convolution | Pool, shape: Shape) -> tuple[Unread, Unread]:
    """Return what the warnings tell of the rows and of the columns that no window reaches."""
    warnings = [
        warning.partition(": no window reaches ")[2] for warning in warn_about_sizes(Network((layer,)).visits(shape))
    ]
    found = []
    for name in ("row", "column"):
        gaps = [warning for warning in warnings if re.match(rf"some (\w+ and )?{name}s( and \w+)?:", warning)]
        last = [match for warning in warnings if (match := re.search(rf"the last (?:(\d+) )?{name}s?\b", warning))]
        assert len(gaps) + len(last) <= 1
        found.append(Unread(bool(gaps), int(last[0][1] or 1) if last else 0))
    return found[0], found[1]


def touched(window: Window, axis: int, shape: Shape) -> NDArray[np.bool_]:
    """Return on which rows, or columns, of an image and its padding some window has a weight."""
    before, after = window.pads(*shape[:2])[axis::2]
    starts = range(0, window.output(*shape[:2])[axis] * window.stride[axis], window.stride[axis])
    marks = np.zeros(before + shape[axis] + after + window.stride[axis], bool)  # a last window may hang over the end
    for start in starts:
        marks[start : start + window.extent[axis] : window.dilation[axis]] = True
    return marks


def image(window: Window, axis: int, shape: Shape) -> slice:
    """Return where the image lies in its padding."""
    before = window.pads(*shape[:2])[axis]
    return slice(before, before + shape[axis])


def behind_all(window: Window, axis: int, shape: Shape) -> int:
    """Return the first row, or column, of the image that lies behind all windows."""
    behind = int(np.flatnonzero(touched(window, axis, shape))[-1]) + 1 - window.pads(*shape[:2])[axis]
    return min(max(behind, 0), shape[axis])


def away_from_edges(window: Window, axis: int, shape: Shape) -> slice:
    """Return the part of the image that misses no window that would reach it if the image went on for ever."""
    before, outputs, stride = window.pads(*shape[:2])[axis], window.output(*shape[:2])[axis], window.stride[axis]
    start = max(0, window.extent[axis] - stride - before)
    return slice(start, max(start, min(behind_all(window, axis, shape), outputs * stride - before)))


@st.composite
def windowed_with_shape(draw: st.DrawFn, dilations: st.SearchStrategy[Pair]) -> tuple[Convolution | Pool, Shape]:
    """Return a conv or a pool, and an image that it can take."""
    window = Window(draw(pairs(1, 5)), draw(pairs(1, 7)), draw(PADDINGS), draw(dilations), ceil=draw(st.booleans()))
    kinds: list[Convolution | Pool] = [Conv(window=window, outputs=1), Pool(mode=PoolMode.MAX, window=window)]
    layer = draw(st.sampled_from(kinds))
    shape = (draw(st.integers(1, 40)), draw(st.integers(1, 40)), 1)
    assume(output_or_none(layer, shape))
    return layer, shape


class TestUnreadPixels:
    @settings(max_examples=500)
    @given(windowed_with_shape(st.just((1, 1))))
    def test_what_no_window_reaches_is_told_exactly(self, drawn: tuple[Convolution | Pool, Shape]) -> None:
        layer, shape = drawn
        for axis, unread in enumerate(told(layer, shape)):
            reached = touched(layer.window, axis, shape)[image(layer.window, axis, shape)]
            behind = behind_all(layer.window, axis, shape)
            assert unread.gaps == (not reached[:behind].all())
            assert unread.last == (0 if unread.gaps else shape[axis] - behind)

    @settings(max_examples=500)
    @given(windowed_with_shape(pairs(1, 4)))
    def test_of_dilated_windows_a_gap_is_told_only_where_there_is_one(
        self, drawn: tuple[Convolution | Pool, Shape]
    ) -> None:
        layer, shape = drawn
        for axis, unread in enumerate(told(layer, shape)):
            reached = touched(layer.window, axis, shape)[image(layer.window, axis, shape)]
            behind = behind_all(layer.window, axis, shape)
            assert unread.last in {0, shape[axis] - behind}
            assert not unread.gaps or not reached[:behind].all()
            assert unread.gaps or unread.last == shape[axis] - behind

    @settings(max_examples=500)
    @given(windowed_with_shape(pairs(1, 4)))
    def test_a_gap_away_from_the_edges_is_told_of_dilated_windows_too(
        self, drawn: tuple[Convolution | Pool, Shape]
    ) -> None:
        layer, shape = drawn
        for axis, unread in enumerate(told(layer, shape)):
            reached = touched(layer.window, axis, shape)[image(layer.window, axis, shape)]
            assert unread.gaps or reached[away_from_edges(layer.window, axis, shape)].all()

    @pytest.mark.parametrize(
        ("text", "shape", "expected"),
        [
            # Every window starts in the padding, or lies in it as a whole: what is skipped is padding too.
            ("conv:1x1,s2,p2", (1, 1, 1), Unread(gaps=False, last=0)),
            ("conv:2x2,s4,p4", (2, 2, 1), Unread(gaps=False, last=0)),
            ("conv:1x1,s2,p1", (1, 1, 1), Unread(gaps=True, last=0)),
            ("conv:1x1,s9,p3", (2, 2, 1), Unread(gaps=False, last=2)),
            # Windows larger than any that is meant.
            ("conv:600x600,s1000", (2600, 2600, 1), Unread(gaps=True, last=0)),
            ("conv:600x600,s700,p520", (50, 50, 1), Unread(gaps=False, last=0)),
        ],
    )
    def test_padding_that_is_skipped_is_not_told(self, text: str, shape: Shape, expected: Unread) -> None:
        (layer,) = parse_network(text, kernel_shape).layers
        assert isinstance(layer, Convolution)
        assert told(layer, shape) == (expected, expected)


def test_warnings_are_made_of_layers_in_blocks_too() -> None:
    network = cnnfilter.network("res(conv:box:3,p0,border=edge | cat(conv:box:3,valid,border=wrap))")
    assert len(warn_about_borders(network.visits((9, 9, 3)))) == 2
    assert len(warn_about_sums(network.visits((9, 9, 3)), never_negative)) == 2
