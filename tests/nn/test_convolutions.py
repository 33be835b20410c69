"""Convolutions: channels, groups, kernels by name, and how many weights and multiplications they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import Window
from cnnfilter.nn.layers import Conv, Convolution, DepthwiseConv, KernelWord, Shape, common_size

THREE = Window((3, 3))
EDGE = KernelWord("edge", (3, 3))
LINE = KernelWord("line", (3, 3))
VOLUME = KernelWord("volume", (3, 3, 3))
BANK = KernelWord("bank", (3, 3, 3, 8))


@pytest.mark.parametrize(
    ("kernel", "slices", "maps"), [(EDGE, None, 1), (VOLUME, 3, 1), (BANK, 3, 8)], ids=["matrix", "volume", "bank"]
)
def test_a_kernel_has_slices_and_maps_by_its_dimensions(kernel: KernelWord, slices: int | None, maps: int) -> None:
    assert (kernel.slices, kernel.maps) == (slices, maps)


@pytest.mark.parametrize(
    ("layer", "shape", "output", "parameters", "macs"),
    [
        (Conv(window=THREE, outputs=16, learned_bias=True), (64, 64, 3), (62, 62, 16), 448, 62 * 62 * 432),
        (Conv(window=THREE, outputs=16), (64, 64, 3), (62, 62, 16), 432, 62 * 62 * 432),
        (Conv(window=THREE, outputs=16, bias=0.5), (64, 64, 3), (62, 62, 16), 448, 62 * 62 * 432),
        (Conv(window=THREE, outputs=8, groups=4), (5, 5, 12), (3, 3, 8), 216, 9 * 216),
        (Conv(window=Window((1, 1)), outputs=64, groups=64), (5, 5, 64), (5, 5, 64), 64, 25 * 64),
        (Conv(window=THREE, kernels=(EDGE,)), (5, 5, 1), (3, 3, 1), 9, 81),
        (Conv(window=THREE, kernels=(EDGE,)), (5, 5, 3), (3, 3, 1), 27, 243),
        (Conv(window=THREE, kernels=(EDGE, LINE), bias=1), (5, 5, 3), (3, 3, 2), 56, 486),
        (Conv(window=THREE, kernels=(EDGE, LINE, EDGE, LINE), groups=2), (5, 5, 6), (3, 3, 4), 108, 972),
        (Conv(window=THREE, kernels=(VOLUME,)), (5, 5, 3), (3, 3, 1), 27, 243),
        (Conv(window=THREE, kernels=(BANK,)), (5, 5, 3), (3, 3, 8), 216, 1944),
        (Conv(window=THREE, kernels=(BANK, EDGE)), (5, 5, 3), (3, 3, 9), 243, 2187),
        (Conv(window=THREE, kernels=(BANK,), groups=2), (5, 5, 6), (3, 3, 8), 216, 1944),
        (DepthwiseConv(window=THREE, learned_bias=True), (5, 5, 6), (3, 3, 6), 60, 486),
        (DepthwiseConv(window=THREE, multiplier=2), (5, 5, 6), (3, 3, 12), 108, 972),
        (DepthwiseConv(window=THREE, kernels=(EDGE,)), (5, 5, 6), (3, 3, 6), 54, 486),
        (DepthwiseConv(window=THREE, kernels=(EDGE, LINE), bias=2), (5, 5, 6), (3, 3, 12), 120, 972),
        (Conv(window=THREE, kernels=(EDGE, LINE), bias=(1, 0)), (5, 5, 3), (3, 3, 2), 56, 486),
        (DepthwiseConv(window=THREE, kernels=(EDGE, LINE), bias=(2, 0)), (5, 5, 6), (3, 3, 12), 120, 972),
        (DepthwiseConv(window=THREE, bias=(1, 2, 3)), (5, 5, 3), (3, 3, 3), 30, 243),
    ],
    ids=[
        *("sized", "no-bias", "one-bias", "groups", "as-many-groups-as-channels", "one-kernel", "kernel-on-each-slice"),
        *("two-kernels", "kernels-in-groups", "volume", "bank", "bank-and-kernel", "bank-in-groups"),
        *("depthwise", "multiplied", "depthwise-kernel", "depthwise-kernels"),
        *("two-biases", "depthwise-biases", "depthwise-bias-of-each-output"),
    ],
)
def test_outputs_parameters_and_macs(
    layer: Convolution, shape: Shape, output: Shape, parameters: int, macs: int
) -> None:
    assert layer.output(shape) == output
    assert layer.parameters(shape) == parameters
    assert layer.macs(shape) == macs
    assert layer.statistics(shape) == 0


SMALL = st.integers(1, 5)


@given(st.tuples(SMALL, SMALL), SMALL, SMALL, SMALL, st.booleans())
def test_every_output_has_a_kernel_over_the_channels_of_its_group(
    size: tuple[int, int],
    groups: int,
    slices: int,
    maps: int,
    learned_bias: bool,
) -> None:
    layer = Conv(window=Window(size), outputs=groups * maps, groups=groups, learned_bias=learned_bias)
    shape = (9, 8, groups * slices)
    weights = sum(size[0] * size[1] * slices for _ in range(groups * maps))
    height, width, outputs = layer.output(shape)
    assert (height, width, outputs) == (10 - size[0], 9 - size[1], groups * maps)
    assert layer.bank(shape[2]) == (*size, slices, groups * maps)
    assert layer.parameters(shape) == weights + learned_bias * outputs
    assert layer.macs(shape) == height * width * weights


@given(st.tuples(SMALL, SMALL), SMALL, SMALL)
def test_a_depthwise_conv_is_a_conv_with_a_group_for_each_channel(
    size: tuple[int, int], channels: int, multiplier: int
) -> None:
    depthwise = DepthwiseConv(window=Window(size), multiplier=multiplier)
    grouped = Conv(window=Window(size), outputs=channels * multiplier, groups=channels)
    shape = (9, 8, channels)
    assert depthwise.bank(channels) == grouped.bank(channels)
    assert depthwise.output(shape) == grouped.output(shape)
    assert depthwise.parameters(shape) == grouped.parameters(shape)
    assert depthwise.macs(shape) == grouped.macs(shape)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv(window=THREE, outputs=4, groups=2), (8, 8, 3), "3 channels cannot be divided into 2 groups"),
        (Conv(window=THREE, outputs=3, groups=2), (8, 8, 4), "3 outputs cannot be divided into 2 groups"),
        (Conv(window=THREE, kernels=(EDGE,), groups=2), (8, 8, 4), "1 output cannot be divided into 2 groups"),
        (Conv(window=THREE, kernels=(VOLUME,)), (8, 8, 1), "kernel volume has 3 slices for 1 channels"),
        (Conv(window=THREE, kernels=(EDGE, BANK)), (8, 8, 6), "kernel bank has 3 slices for 6 channels"),
        (Conv(window=THREE, kernels=(BANK,), groups=3), (8, 8, 9), "8 outputs cannot be divided into 3 groups"),
        (Conv(window=THREE, kernels=(BANK,), groups=4), (8, 8, 8), "kernel bank has 3 slices for 2 channels"),
    ],
    ids=[
        "channels",
        "outputs",
        "kernels",
        "volume-on-gray",
        "bank-among-kernels",
        "bank-in-groups",
        "slices-of-a-group",
    ],
)
def test_channels_outputs_and_groups_that_do_not_go_together_are_told(
    layer: Convolution, shape: Shape, message: str
) -> None:
    with pytest.raises(ShapeError, match=f"^{message}$"):
        layer.output(shape)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"outputs": 0}, "number of outputs 0 is below 1, the least that is allowed"),
        ({"groups": 0}, "number of groups 0 is below 1, the least that is allowed"),
        ({"groups": -1}, "number of groups -1 is below 1, the least that is allowed"),
    ],
    ids=["no-outputs", "no-groups", "negative-groups"],
)
def test_a_conv_has_at_least_one_output_and_one_group(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{message}$"):
        Conv(window=THREE, **fields)  # type: ignore[arg-type]


def test_a_depthwise_conv_has_at_least_one_output_for_each_channel() -> None:
    with pytest.raises(ShapeError, match=r"^number of outputs 0 is below 1, the least that is allowed$"):
        DepthwiseConv(window=THREE, multiplier=0)


@pytest.mark.parametrize("kernel", [VOLUME, BANK, KernelWord("pair", (3, 3, 1, 2))], ids=lambda kernel: kernel.text)
def test_a_depthwise_conv_takes_kernels_of_one_slice(kernel: KernelWord) -> None:
    with pytest.raises(ShapeError, match=f"^kernel {kernel.text} has .* weights; dwconv takes a single slice"):
        DepthwiseConv(window=THREE, kernels=(EDGE, kernel))


def test_a_kernel_of_one_slice_is_a_matrix_to_a_depthwise_conv() -> None:
    layer = DepthwiseConv(window=THREE, kernels=(KernelWord("slice", (3, 3, 1)),))
    assert layer.output((5, 5, 4)) == (3, 3, 4)


def test_kernels_of_one_layer_have_one_size() -> None:
    assert common_size((EDGE, BANK, VOLUME)) == (3, 3)
    with pytest.raises(ShapeError, match=r"^the kernels of one layer need one size: edge is 3x3, wide is 3x5$"):
        common_size((EDGE, KernelWord("wide", (3, 5))))
