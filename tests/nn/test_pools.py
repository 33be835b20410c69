"""Pools: sizes, how much padding they take, and windows that would see nothing."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import PaddingWord, Pair, Sides, Window
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.other_layers import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode
from tests.nn.strategies import pools


@pytest.mark.parametrize(
    ("window", "shape", "output"),
    [
        (Window((2, 2), stride=(2, 2)), (28, 28, 6), (14, 14, 6)),
        (Window((3, 3), stride=(2, 2)), (55, 55, 64), (27, 27, 64)),
        (Window((3, 3), stride=(2, 2), padding=(1, 1, 1, 1)), (112, 112, 64), (56, 56, 64)),
        (Window((3, 3), stride=(2, 2), ceil=True), (109, 109, 96), (54, 54, 96)),
        (Window((3, 3), stride=(2, 2), ceil=True), (54, 54, 256), (27, 27, 256)),
        (Window((2, 2), stride=(2, 2)), (5, 5, 1), (2, 2, 1)),
        (Window((2, 2), stride=(2, 2), ceil=True), (5, 5, 1), (3, 3, 1)),
        (Window((3, 1)), (5, 4, 2), (3, 4, 2)),
        (Window((3, 3), padding=PaddingWord.SAME), (5, 4, 2), (5, 4, 2)),
    ],
    ids=["halves", "overlap", "padded", "ceil-even", "ceil-odd", "rest-left", "rest-taken", "oblong", "same"],
)
@pytest.mark.parametrize("mode", PoolMode)
def test_a_pool_of_any_mode_has_a_value_for_each_window_of_each_channel(
    mode: PoolMode, window: Window, shape: Shape, output: Shape
) -> None:
    layer = Pool(mode=mode, window=window)
    assert layer.op == f"{mode}pool"
    assert layer.output(shape) == output
    assert (layer.parameters(shape), layer.macs(shape), layer.statistics(shape)) == (0, 0, 0)


@pytest.mark.parametrize("mode", [PoolMode.MAX, PoolMode.MIN, PoolMode.MEDIAN])
def test_only_sums_can_count_padding(mode: PoolMode) -> None:
    with pytest.raises(ShapeError, match=f"^{mode}pool never counts padding; only avgpool and l2pool can$"):
        Pool(mode=mode, window=Window((2, 2)), count_include_pad=True)


@pytest.mark.parametrize(
    ("size", "dilation", "padding", "spans"),
    [
        ((2, 2), (1, 1), (2, 2, 2, 2), 2),
        ((3, 3), (1, 1), (1, 1, 2, 1), 3),
        ((3, 3), (1, 1), (0, 0, 0, 2), 3),
        ((1, 1), (1, 1), (1, 0, 0, 0), 1),
        ((2, 2), (2, 1), (1, 2, 1, 1), 2),
        ((3, 3), (1, 1), PaddingWord.FULL, 3),
    ],
    ids=["by-the-window", "bottom", "right", "of-one-pixel", "dilated-otherwise", "full"],
)
def test_padding_of_more_than_half_of_the_window_is_refused(
    size: Pair, dilation: Pair, padding: Sides | PaddingWord, spans: int
) -> None:
    layer = Pool(mode=PoolMode.MAX, window=Window(size, padding=padding, dilation=dilation))
    with pytest.raises(ShapeError, match=f"is more than half of a pooling window that spans {spans}$"):
        layer.output((8, 8, 1))


@pytest.mark.parametrize(
    ("size", "dilation", "padding"),
    [((2, 2), (1, 1), (1, 1, 1, 1)), ((3, 5), (1, 1), (1, 2, 1, 2)), ((3, 2), (2, 3), (2, 2, 2, 2))],
    ids=["even", "oblong", "dilated"],
)
def test_padding_of_half_of_the_dilated_window_is_taken(size: Pair, dilation: Pair, padding: Sides) -> None:
    window = Window(size, padding=padding, dilation=dilation)
    assert Pool(mode=PoolMode.MAX, window=window).output((8, 8, 1)) == (*window.output(8, 8), 1)


def predicted(layer: Pool, height: int, width: int) -> Pair | str:
    """Return the size that should come out of a pool, or a part of what should be said."""
    window = layer.window
    pads = window.pads(height, width)
    if any(pad > extent // 2 for pad, extent in zip(pads, window.extent * 2, strict=True)):
        return "more than half of a pooling window"
    if window.extent[0] > height + pads[0] + pads[2] or window.extent[1] > width + pads[1] + pads[3]:
        return "is larger than the input"
    return window.output(height, width)


def check_against_prediction(layer: Pool, height: int, width: int) -> None:
    """Assert that the pool gives the size, or the complaint, that its window predicts."""
    expected = predicted(layer, height, width)
    if isinstance(expected, str):
        with pytest.raises(ShapeError, match=expected):
            layer.output((height, width, 2))
    else:
        assert layer.output((height, width, 2)) == (*expected, 2)


@given(pools(), st.integers(1, 12), st.integers(1, 12))
def test_a_pool_is_refused_exactly_if_its_window_does_not_fit(layer: Pool, height: int, width: int) -> None:
    check_against_prediction(layer, height, width)


DILATED = [(taps, dilation) for taps in (1, 2, 3) for dilation in range(1, 7)]


@pytest.mark.parametrize(("taps", "dilation"), DILATED)
def test_a_dilated_pool_has_a_size_though_a_window_may_step_over_the_image(taps: int, dilation: int) -> None:
    half = (dilation * (taps - 1) + 1) // 2
    for height, top, bottom, stride, ceil in product(
        range(1, 6), range(half + 1), range(half + 1), (1, 2, 3), (False, True)
    ):
        window = Window((taps, 1), (stride, 1), (top, 0, bottom, 0), (dilation, 1), ceil)
        check_against_prediction(Pool(mode=PoolMode.MAX, window=window), height, 2)


@pytest.mark.parametrize(("mode", "op"), [(PoolMode.MAX, "globalmaxpool"), (PoolMode.AVG, "globalavgpool")])
def test_a_global_pool_has_one_value_a_channel(mode: PoolMode, op: str) -> None:
    layer = GlobalPool(mode=mode)
    assert layer.op == op
    assert layer.output((7, 9, 512)) == (1, 1, 512)


@pytest.mark.parametrize(
    ("mode", "op"),
    [
        (ChannelMode.MAX, "channelmax"),
        (ChannelMode.AVG, "channelavg"),
        (ChannelMode.SUM, "channelsum"),
        (ChannelMode.MIN, "channelmin"),
        (ChannelMode.MAGNITUDE, "magnitude"),
    ],
)
def test_a_pool_over_channels_is_named_by_what_it_makes_of_them(mode: ChannelMode, op: str) -> None:
    assert ChannelPool(mode=mode).op == op


@pytest.mark.parametrize(("size", "channels"), [(None, 1), (6, 1), (3, 2), (2, 3), (1, 6)])
def test_a_pool_over_channels_takes_neighbours_together(size: int | None, channels: int) -> None:
    assert ChannelPool(mode=ChannelMode.MAX, size=size).output((4, 5, 6)) == (4, 5, channels)


@pytest.mark.parametrize("size", [4, 5, 7])
def test_channels_that_cannot_be_taken_so_many_at_a_time_are_refused(size: int) -> None:
    with pytest.raises(ShapeError, match=f"^6 channels cannot be taken {size} at a time$"):
        ChannelPool(mode=ChannelMode.SUM, size=size).output((4, 5, 6))


@pytest.mark.parametrize("size", [0, -1])
def test_at_least_one_channel_is_taken(size: int) -> None:
    with pytest.raises(ShapeError, match=f"^number of channels {size} is below 1, the least that is allowed$"):
        ChannelPool(mode=ChannelMode.SUM, size=size)
