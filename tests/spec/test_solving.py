"""Windows with one part left open: every solution leads to the target, and none is missed."""

from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.errors import ShapeError
from cnnfilter.spec.convolutions import Conv, Convolution, DepthwiseConv
from cnnfilter.spec.geometry import PaddingWord, Pair, Window
from cnnfilter.spec.layers import Layer, Shape
from cnnfilter.spec.pools import Pool, PoolMode
from cnnfilter.spec.printing import show_layer
from cnnfilter.spec.solving import Part, solve
from cnnfilter.spec.values import replace
from tests.spec.strategies import PADDINGS, output_or_none, pairs


def layer_of(text: str) -> Layer:
    """Return the only layer of a text."""
    (layer,) = cnnfilter.network(text).layers
    return layer


def found(text: str, part: str, shape: Shape, target: Pair) -> list[str]:
    """Return the layers that are found, as texts."""
    return [show_layer(layer) for layer in solve(layer_of(text), Part(part), shape, target).layers]


@pytest.mark.parametrize(
    ("text", "part", "shape", "target", "solutions"),
    [
        ("conv:7x7,64,p3", "stride", (224, 224, 3), (112, 112), ["conv:7x7,64,s2,p3"]),
        ("conv:3x3", "stride", (7, 7, 1), (3, 3), ["conv:3x3,s2"]),
        ("conv:3x3", "stride", (7, 9, 1), (3, 2), ["conv:3x3,s2x4", "conv:3x3,s2x5", "conv:3x3,s2x6"]),
        ("conv:3x3,s2", "padding", (7, 7, 1), (9, 9), ["conv:3x3,s2,p6", "conv:3x3,s2,p=6/6/7/7"]),
        ("conv:3x3", "padding", (7, 7, 1), (7, 7), ["conv:3x3,p1"]),
        ("conv:4x4", "padding", (7, 7, 1), (7, 7), ["conv:4x4,p=1/1/2/2"]),
        ("conv:3x3,s2", "padding", (8, 8, 1), (4, 4), ["conv:3x3,s2,p=0/0/1/1", "conv:3x3,s2,p1"]),
        ("conv:1x1,s2", "kernel", (224, 224, 3), (109, 109), ["conv:7x7,s2", "conv:8x8,s2"]),
        ("conv:1x1", "kernel", (7, 9, 1), (5, 5), ["conv:3x5"]),
        ("conv:3x3", "dilation", (9, 9, 1), (5, 5), ["conv:3x3,d2"]),
        ("conv:1x3", "dilation", (9, 9, 1), (9, 5), ["conv:1x3,d1x2"]),
        ("maxpool:2", "kernel", (8, 8, 1), (4, 4), ["maxpool:2"]),
        ("maxpool:5,s2", "kernel", (8, 8, 1), (4, 4), ["maxpool:1,s2", "maxpool:2"]),
        ("maxpool:2", "stride", (8, 8, 1), (2, 2), ["maxpool:2,s4", "maxpool:2,s5", "maxpool:2,s6"]),
        ("avgpool:3,s2", "padding", (8, 8, 1), (4, 4), ["avgpool:3,s2,p=0/0/1/1", "avgpool:3,s2,p1"]),
        # Padding of more than half of a pool's window is refused, and so is not found.
        ("maxpool:2,s1", "padding", (8, 8, 1), (9, 9), ["maxpool:2,s1,p1"]),
        ("maxpool:2,s1", "padding", (8, 8, 1), (10, 10), []),
        # Padding lets in kernels that are larger than the image.
        ("conv:1x1,p3", "kernel", (7, 7, 1), (5, 5), ["conv:9x9,p3"]),
        ("conv:1x1,full", "kernel", (5, 5, 1), (12, 12), ["conv:8x8,full"]),
        # With `half` every odd kernel keeps the size.
        ("conv:1x1,half", "kernel", (5, 5, 1), (5, 5), ["conv:1x1,half", "conv:3x3,half", "conv:5x5,half"]),
        ("conv:1x1,half", "kernel", (5, 5, 1), (4, 4), ["conv:2x2,half", "conv:4x4,half"]),
        ("conv:2x2,half", "dilation", (5, 5, 1), (4, 4), ["conv:2x2,half", "conv:2x2,half,d3", "conv:2x2,half,d5"]),
        # What the layer says of the part itself is not used.
        ("conv:3x3,s3,p1", "stride", (8, 8, 1), (8, 8), ["conv:3x3,p1"]),
        ("conv:3x3,p9", "padding", (8, 8, 1), (6, 6), ["conv:3x3"]),
        ("conv:3x3,same", "padding", (8, 8, 1), (6, 6), ["conv:3x3"]),
        ("conv:3x3,same", "stride", (8, 8, 1), (4, 4), ["conv:3x3,s2,same"]),
        ("dwconv:sobel-x", "stride", (9, 9, 4), (3, 3), ["dwconv:sobel-x,s3"]),
        # Values may differ between the axes where a pool's padding is limited.
        ("maxpool:2x5,s2", "padding", (8, 10, 1), (5, 5), ["maxpool:2x5,s2,p=1/1/1/2", "maxpool:2x5,s2,p1x2"]),
        # A window that fits along one axis only.
        ("conv:9x1", "stride", (5, 5, 1), (3, 3), []),
    ],
)
def test_the_part_left_open_is_found(text: str, part: str, shape: Shape, target: Pair, solutions: list[str]) -> None:
    assert found(text, part, shape, target) == solutions


def test_of_strides_that_lead_to_one_value_the_smallest_is_found() -> None:
    solution = solve(layer_of("conv:3x3"), Part.STRIDE, (8, 8, 1), (1, 1))
    assert [show_layer(layer) for layer in solution.layers] == ["conv:3x3,s6"]
    assert solution.larger_too
    oblong = solve(layer_of("conv:3x3"), Part.STRIDE, (8, 7, 1), (1, 1))
    assert [show_layer(layer) for layer in oblong.layers] == ["conv:3x3,s6"]
    assert not solve(layer_of("conv:3x3"), Part.STRIDE, (8, 8, 1), (2, 2)).larger_too
    assert not solve(layer_of("conv:3x3"), Part.KERNEL, (8, 8, 1), (1, 1)).larger_too


@pytest.mark.parametrize(
    ("text", "part", "shape", "target", "nearest"),
    [
        ("conv:3x3", "stride", (9, 9, 1), (5, 5), ["conv:3x3,s2", "conv:3x3"]),
        ("conv:7x7,p3", "stride", (224, 224, 3), (100, 100), ["conv:7x7,s3,p3", "conv:7x7,s2,p3"]),
        ("conv:3x3", "padding", (9, 9, 1), (5, 5), ["conv:3x3", "conv:3x3"]),
        ("conv:1x1,s2", "kernel", (9, 9, 1), (6, 6), ["conv:1x1,s2", "conv:1x1,s2"]),
        ("conv:9x9", "stride", (5, 5, 1), (3, 3), []),
    ],
)
def test_where_there_is_none_the_nearest_are_told(
    text: str, part: str, shape: Shape, target: Pair, nearest: list[str]
) -> None:
    solution = solve(layer_of(text), Part(part), shape, target)
    assert solution.layers == ()
    assert sorted({show_layer(layer) for layer in solution.nearest}) == sorted(set(nearest))


@pytest.mark.parametrize(
    ("text", "part", "message"),
    [
        ("relu", "stride", "relu has no stride to be found; conv, dwconv and the pools have"),
        ("gap", "kernel", "globalavgpool has no kernel to be found; conv, dwconv and the pools have"),
        ("flatten", "padding", "flatten has no padding to be found; conv, dwconv and the pools have"),
        ("conv:sobel-x", "kernel", "kernel sobel-x has its size; a size such as 3x3 in its place is left open"),
        (
            "conv:3x3,same",
            "kernel",
            "with padding same the size does not depend on the kernel; the stride alone sets it",
        ),
        (
            "conv:3x3,same-lower",
            "dilation",
            "with padding same-lower the size does not depend on the dilation; the stride alone sets it",
        ),
    ],
)
def test_what_has_no_such_part_is_refused(text: str, part: str, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        solve(layer_of(text), Part(part), (8, 8, 1), (8, 8))
    assert str(caught.value) == message


@pytest.mark.parametrize("part", Part)
@pytest.mark.parametrize("text", ["conv:3x3", "conv:3x3,full,s2", "maxpool:2", "conv:2x3,half,d2"])
def test_no_more_is_found_than_one_can_read(text: str, part: Part) -> None:
    solution = solve(layer_of(text), part, (9, 9, 1), (1, 1))
    assert len(solution.layers) < 10
    assert all(layer.output((9, 9, 1))[:2] == (1, 1) for layer in solution.layers)


@pytest.mark.parametrize("part", Part)
def test_a_target_beyond_all_bounds_is_not_found(part: Part) -> None:
    solution = solve(layer_of("conv:3x3"), part, (9, 9, 1), (10**9, 10**9))
    assert solution.layers == ()
    assert solution.nearest


@st.composite
def windowed(draw: st.DrawFn) -> Convolution | Pool:
    """Return a conv, a dwconv or a pool of a small window."""
    window = Window(
        size=draw(pairs(1, 5)), stride=draw(pairs(1, 3)), padding=draw(PADDINGS), dilation=draw(pairs(1, 3))
    )
    if draw(st.booleans()):
        return draw(st.sampled_from([Conv(window=window, outputs=3), DepthwiseConv(window=window)]))
    return Pool(mode=PoolMode.AVG, window=replace(window, ceil=draw(st.booleans())))


MOST = 40
"""A bound beyond all that is found for images of up to 9 pixels and paddings of up to 4."""


def changed(layer: Convolution | Pool, part: Part, pair: Pair) -> Convolution | Pool:
    """Return the layer with one part changed; paddings are given by their sums, an odd pixel at the end."""
    if part is Part.PADDING:
        first = tuple(total // 2 for total in pair)
        window = replace(layer.window, padding=first + tuple((total + 1) // 2 for total in pair))
    else:
        field = {Part.STRIDE: "stride", Part.KERNEL: "size", Part.DILATION: "dilation"}[part]
        window = replace(layer.window, **{field: pair})
        if part is Part.KERNEL and isinstance(layer, Pool) and layer.window.stride == layer.window.size:
            window = replace(window, stride=pair)  # as it does where a pool's stride is left out
    return replace(layer, window=window)


def every_pair(layer: Convolution | Pool, part: Part, shape: Shape, target: Pair) -> set[Pair]:
    """Return all pairs up to `MOST` that lead to the target."""
    values = range(0 if part is Part.PADDING else 1, MOST)
    return {
        pair
        for pair in product(values, values)
        if (output := output_or_none(changed(layer, part, pair), shape)) and output[:2] == target
    }


@settings(max_examples=150)
@given(
    windowed(),
    st.sampled_from(Part),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(2)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.integers(1, 9).map(lambda size: (size, size)),
)
def test_what_is_found_leads_to_the_target_and_nothing_smaller_is_missed(
    layer: Convolution | Pool, part: Part, shape: Shape, target: Pair
) -> None:
    without_effect = {PaddingWord.SAME, PaddingWord.SAME_LOWER}
    assume(layer.window.padding not in without_effect or part in {Part.STRIDE, Part.PADDING})
    solution = solve(layer, part, shape, target)
    every = every_pair(layer, part, shape, target)
    by_layer = {changed(layer, part, pair): pair for pair in every}
    assert len(set(solution.layers)) == len(solution.layers)
    assert set(solution.layers) <= set(by_layer)
    assert not (solution.layers and solution.nearest)
    chosen = [by_layer[found_layer] for found_layer in solution.layers if isinstance(found_layer, Convolution | Pool)]
    assert chosen == sorted(chosen, key=sum)
    bound = bounds(layer, part, shape)
    within = {pair for pair in every if pair[0] <= bound[0] and pair[1] <= bound[1]}
    wanted = {pair for pair in within if pair[0] == pair[1]} or within
    if part is Part.STRIDE and 1 in target and wanted:  # every larger one leads to 1 as well
        wanted = {min(wanted, key=sum)}
    assert set(chosen) >= wanted


def bounds(layer: Convolution | Pool, part: Part, shape: Shape) -> Pair:
    """Return up to which values along each axis nothing may be missed.

    With `half` larger kernels than the image change nothing; a window of one pixel is not dilated.
    """
    rows, columns = MOST, MOST
    if part is Part.DILATION:
        rows, columns = (MOST if taps > 1 else 1 for taps in layer.window.size)
    if part in {Part.KERNEL, Part.DILATION} and layer.window.padding is PaddingWord.HALF:
        return min(rows, shape[0]), min(columns, shape[1])
    return rows, columns
