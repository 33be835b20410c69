"""Windows with one part left open: every solution leads to the target, and none is missed."""

from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.errors import ShapeError
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Padding, PaddingWord, Pair, Window
from cnnfilter.nn.layers import Conv, Convolution, DepthwiseConv, Layer, Shape
from cnnfilter.nn.other_layers import Pool, PoolMode
from cnnfilter.nn.solve import OpenPart, solve
from tests.nn.strategies import PADDINGS, output_or_none, pairs


def layer_of(text: str) -> Layer:
    """Return the only layer of a text."""
    (layer,) = cnnfilter.network(text).layers
    return layer


def found(text: str, part: str, shape: Shape, target: Pair, *, keeps_stride: bool = False) -> list[str]:
    """Return the layers that are found, as texts."""
    solution = solve(layer_of(text), OpenPart(part), shape, target, keeps_stride=keeps_stride)
    return [layer.text for layer in solution.layers]


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
        # A pool's stride goes with its size, with padding of whatever kind.
        ("maxpool:2", "kernel", (12, 12, 1), (3, 3), ["maxpool:4"]),
        ("maxpool:2,half", "kernel", (8, 8, 1), (4, 4), ["maxpool:2,half"]),
        ("maxpool:1,full", "kernel", (8, 8, 1), (5, 5), ["maxpool:2,full"]),
        ("maxpool:2x3", "kernel", (12, 12, 1), (3, 4), ["maxpool:4x3"]),
        # Of a pool that is strided otherwise it stays.
        ("maxpool:2x3,s3x2", "kernel", (12, 12, 1), (3, 4), ["maxpool:5,s3x2", "maxpool:6,s3x2"]),
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


@pytest.mark.parametrize(
    ("text", "shape", "target", "solutions"),
    [
        ("maxpool:2", (8, 8, 1), (4, 4), ["maxpool:1,s2", "maxpool:2"]),
        ("maxpool:2", (12, 12, 1), (3, 3), ["maxpool:7,s2", "maxpool:8,s2"]),
        ("avgpool:3", (9, 10, 1), (2, 3), ["avgpool:4,s3"]),
        (
            "maxpool:2x3",
            (12, 12, 1),
            (5, 2),
            [
                "maxpool:3x7,s2x3",
                "maxpool:3x8,s2x3",
                "maxpool:4x7,s2x3",
                "maxpool:3x9,s2x3",
                "maxpool:4x8,s2x3",
                "maxpool:4x9,s2x3",
            ],
        ),
        ("conv:1x1,s2", (9, 9, 1), (3, 3), ["conv:4x4,s2", "conv:5x5,s2"]),
    ],
)
def test_a_stride_that_is_kept_does_not_go_with_the_size(
    text: str, shape: Shape, target: Pair, solutions: list[str]
) -> None:
    assert found(text, "kernel", shape, target, keeps_stride=True) == solutions


def test_of_strides_that_lead_to_one_value_the_smallest_is_found() -> None:
    solution = solve(layer_of("conv:3x3"), OpenPart.STRIDE, (8, 8, 1), (1, 1))
    assert [layer.text for layer in solution.layers] == ["conv:3x3,s6"]
    assert solution.endless
    oblong = solve(layer_of("conv:3x3"), OpenPart.STRIDE, (8, 7, 1), (1, 1))
    assert [layer.text for layer in oblong.layers] == ["conv:3x3,s6"]
    assert oblong.endless
    assert not solve(layer_of("conv:3x3"), OpenPart.STRIDE, (8, 8, 1), (2, 2)).endless
    assert not solve(layer_of("conv:3x3"), OpenPart.KERNEL, (8, 8, 1), (1, 1)).endless


@pytest.mark.parametrize(
    ("text", "part", "shape", "target", "endless"),
    [
        ("conv:3x3", "stride", (8, 8, 1), (1, 2), True),
        ("conv:3x3", "stride", (8, 8, 1), (2, 1), True),
        ("conv:3x3,same", "stride", (8, 8, 1), (1, 1), True),
        ("conv:1x1", "dilation", (8, 8, 1), (8, 8), True),
        ("conv:1x1", "dilation", (8, 8, 1), (7, 7), False),
        ("conv:3x3", "dilation", (8, 8, 1), (4, 4), False),
        ("conv:3x3,full", "dilation", (8, 8, 1), (10, 10), False),
        ("conv:3x3,half", "dilation", (8, 8, 1), (8, 8), True),
        ("conv:2x2,half", "dilation", (8, 8, 1), (7, 7), True),
        ("conv:3x3,half", "dilation", (8, 8, 1), (7, 7), False),
        ("conv:3x3,half", "kernel", (8, 8, 1), (8, 8), True),
        ("conv:3x3,half", "kernel", (8, 8, 1), (7, 7), True),
        ("conv:3x3,half", "kernel", (8, 8, 1), (6, 6), False),
        ("conv:3x3,half", "padding", (8, 8, 1), (6, 6), False),
        ("conv:3x3,full", "kernel", (8, 8, 1), (9, 9), False),
        ("maxpool:2,s1,half", "kernel", (8, 8, 1), (8, 8), True),
        # A pool's stride goes with its size.
        ("maxpool:2,half", "kernel", (8, 8, 1), (4, 4), False),
        ("maxpool:2,half", "kernel", (8, 8, 1), (1, 1), True),
    ],
)
def test_where_larger_values_lead_there_too_it_is_told(
    text: str, part: str, shape: Shape, target: Pair, endless: bool
) -> None:
    solution = solve(layer_of(text), OpenPart(part), shape, target)
    assert solution.endless is endless
    assert not (endless and solution.nearest)


class TestPairsThatAreTooMany:
    @pytest.mark.parametrize(("stride", "listed", "more"), [(31, 961, 0), (32, 1000, 24), (40, 1000, 600)])
    def test_a_thousand_of_the_smallest_are_listed_and_the_rest_is_counted(
        self, stride: int, listed: int, more: int
    ) -> None:
        layer = Conv(window=Window((1, 1), stride=(stride, stride)), outputs=1)
        solution = solve(layer, OpenPart.PADDING, (1, 1, 1), (1, 2))
        every = sorted(sum(pair) for pair in product(range(stride), range(stride, 2 * stride)))
        assert (len(solution.layers), solution.more) == (listed, more)
        assert len(set(solution.layers)) == listed
        assert all(found_layer.output((1, 1, 1)) == (1, 2, 1) for found_layer in solution.layers)
        sums = [sum(found_layer.window.pads(1, 1)) for found_layer in solution.layers if isinstance(found_layer, Conv)]
        assert sums == every[:listed]

    def test_millions_are_counted_too(self) -> None:
        solution = solve(layer_of("conv:1x1,s2000"), OpenPart.PADDING, (1, 1, 1), (1, 2))
        assert (len(solution.layers), solution.more) == (1000, 2000**2 - 1000)

    def test_where_one_number_will_do_all_are_listed(self) -> None:
        solution = solve(layer_of("conv:1x1,s1200"), OpenPart.PADDING, (1, 1, 1), (2, 2))
        assert (len(solution.layers), solution.more) == (1200, 0)

    def test_those_that_a_pool_cannot_have_are_not_counted(self) -> None:
        solution = solve(layer_of("avgpool:40"), OpenPart.PADDING, (40, 80, 1), (1, 3))
        assert (len(solution.layers), solution.more) == (40, 0)

    def test_those_that_a_pool_cannot_have_hide_none_that_it_can(self) -> None:
        solution = solve(layer_of("avgpool:99,s60,p30"), OpenPart.KERNEL, (60, 120, 1), (2, 2))
        assert [found_layer.text for found_layer in solution.layers[:2]] == [
            "avgpool:60x61,s60,p30",
            "avgpool:60x62,s60,p30",
        ]
        assert (len(solution.layers), solution.more) == (60, 0)


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
    solution = solve(layer_of(text), OpenPart(part), shape, target)
    assert solution.layers == ()
    assert sorted({layer.text for layer in solution.nearest}) == sorted(set(nearest))


@pytest.mark.parametrize(
    ("text", "part", "message"),
    [
        ("relu", "stride", "relu has no stride; conv, dwconv and the pools have"),
        ("gap", "kernel", "globalavgpool has no kernel; conv, dwconv and the pools have"),
        ("flatten", "padding", "flatten has no padding; conv, dwconv and the pools have"),
        ("conv:sobel-x", "kernel", "kernel sobel-x has a fixed size; write a size such as 3x3 in its place"),
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
        solve(layer_of(text), OpenPart(part), (8, 8, 1), (8, 8))
    assert str(caught.value) == message


@pytest.mark.parametrize("part", OpenPart)
@pytest.mark.parametrize("text", ["conv:3x3", "conv:3x3,full,s2", "maxpool:2", "conv:2x3,half,d2"])
def test_no_more_is_found_than_one_can_read(text: str, part: OpenPart) -> None:
    solution = solve(layer_of(text), part, (9, 9, 1), (1, 1))
    assert len(solution.layers) < 10
    assert all(layer.output((9, 9, 1))[:2] == (1, 1) for layer in solution.layers)


@pytest.mark.parametrize("part", OpenPart)
def test_a_target_beyond_all_bounds_is_not_found(part: OpenPart) -> None:
    solution = solve(layer_of("conv:3x3"), part, (9, 9, 1), (10**9, 10**9))
    assert solution.layers == ()
    assert solution.nearest


@st.composite
def windowed(draw: st.DrawFn) -> Convolution | Pool:
    """Return a conv, a dwconv or a pool of a small window."""
    size = draw(pairs(1, 5))
    window = Window(
        size=size, stride=draw(pairs(1, 3) | st.just(size)), padding=draw(PADDINGS), dilation=draw(pairs(1, 3))
    )
    if draw(st.booleans()):
        return draw(st.sampled_from([Conv(window=window, outputs=3), DepthwiseConv(window=window)]))
    return Pool(mode=PoolMode.AVG, window=replace(window, ceil=draw(st.booleans())))


MOST = 60
"""A bound beyond all that is found for images of up to 9 pixels, strides of up to 5 and paddings of up to 4."""

FAR = (998, 999)
"""Values, an even and an odd one, that lead only to targets to which values without end lead."""


def changed(layer: Convolution | Pool, part: OpenPart, pair: Pair, *, sets_stride: bool) -> Convolution | Pool:
    """Return the layer with one part changed; paddings are given by their sums, an odd pixel at the end."""
    if part is OpenPart.PADDING:
        first = tuple(total // 2 for total in pair)
        window = replace(layer.window, padding=first + tuple((total + 1) // 2 for total in pair))
    else:
        field = {OpenPart.STRIDE: "stride", OpenPart.KERNEL: "size", OpenPart.DILATION: "dilation"}[part]
        window = replace(layer.window, **{field: pair})
        if sets_stride:
            window = replace(window, stride=pair)  # as it does where a pool's stride is left out
    return replace(layer, window=window)


def squared(layer: Convolution | Pool, axis: int) -> Convolution | Pool:
    """Return a layer that treats both axes as the given one treats `axis`."""
    window = layer.window
    padding = window.padding
    if isinstance(padding, tuple):
        padding = (padding[axis], padding[axis], padding[axis + 2], padding[axis + 2])
    pairs_of = {field: (getattr(window, field)[axis],) * 2 for field in ("size", "stride", "dilation")}
    return replace(layer, window=replace(window, padding=padding, **pairs_of))


def every_pair(
    layer: Convolution | Pool, part: OpenPart, shape: Shape, target: Pair, *, keeps_stride: bool
) -> dict[Convolution | Pool, Pair]:
    """Return all layers with values up to `MOST`, and few `FAR` beyond, that lead to the target.

    Rows hang on the values of rows alone, and columns on those of columns: each axis is tried by itself, then all
    pairs of what leads to the target.
    """
    follows = part is OpenPart.KERNEL and isinstance(layer, Pool) and layer.window.stride == layer.window.size
    sets_stride = follows and not keeps_stride
    leading = []
    for axis in (0, 1):
        one, sides, goal = squared(layer, axis), (shape[axis], shape[axis], shape[2]), (target[axis],) * 2
        tried = (*range(0 if part is OpenPart.PADDING else 1, MOST), *FAR)
        leading.append([value for value in tried if leads(one, part, (value, value), sides, goal, sets_stride)])
    return {
        changed(layer, part, pair, sets_stride=sets_stride): pair
        for pair in product(*leading)
        if leads(layer, part, pair, shape, target, sets_stride)
    }


def leads(layer: Convolution | Pool, part: OpenPart, pair: Pair, shape: Shape, target: Pair, sets_stride: bool) -> bool:
    """Return whether the layer with one part changed leads to the target."""
    output = output_or_none(changed(layer, part, pair, sets_stride=sets_stride), shape)
    return output is not None and output[:2] == target


@settings(max_examples=150)
@given(
    windowed(),
    st.sampled_from(OpenPart),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(2)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.integers(1, 9).map(lambda size: (size, size)),
    st.booleans(),
)
def test_what_is_found_leads_to_the_target_and_nothing_smaller_is_missed(
    layer: Convolution | Pool, part: OpenPart, shape: Shape, target: Pair, keeps_stride: bool
) -> None:
    follows = part is OpenPart.KERNEL and isinstance(layer, Pool) and layer.window.stride == layer.window.size
    without_effect = {PaddingWord.SAME, PaddingWord.SAME_LOWER} if keeps_stride or not follows else set()
    assume(layer.window.padding not in without_effect or part in {OpenPart.STRIDE, OpenPart.PADDING})
    solution = solve(layer, part, shape, target, keeps_stride=keeps_stride)
    by_layer = every_pair(layer, part, shape, target, keeps_stride=keeps_stride)
    assert len(set(solution.layers)) == len(solution.layers)
    assert set(solution.layers) <= set(by_layer)
    assert not (solution.layers and solution.nearest)
    assert solution.more == 0
    assert solution.endless == bool(far(layer, part, by_layer.values()))
    chosen = [by_layer[found_layer] for found_layer in solution.layers if isinstance(found_layer, Convolution | Pool)]
    assert chosen == sorted(chosen, key=sum)
    bound = bounds(layer, part, shape, keeps_stride=keeps_stride)
    within = {pair for pair in by_layer.values() if pair[0] <= bound[0] and pair[1] <= bound[1]}
    wanted = {pair for pair in within if pair[0] == pair[1]} or within
    if part is OpenPart.STRIDE and 1 in target and wanted:  # every larger one leads to 1 as well
        wanted = {min(wanted, key=sum)}
    assert set(chosen) >= wanted


def far(layer: Convolution | Pool, part: OpenPart, leading: Iterable[Pair]) -> set[Pair]:
    """Return those of the pairs that have a `FAR` value, along an axis where values make a difference.

    A window of one pixel by several is dilated along one axis only; the other is not spoken of.
    """
    one = part is OpenPart.DILATION and layer.window.size != (1, 1)
    axes = [axis for axis in (0, 1) if not (one and layer.window.size[axis] == 1)]
    return {pair for pair in leading if any(pair[axis] in FAR for axis in axes)}


def bounds(layer: Convolution | Pool, part: OpenPart, shape: Shape, *, keeps_stride: bool) -> Pair:
    """Return up to which values along each axis nothing may be missed.

    With `half` larger kernels than the image change nothing, unless `ceil` lets a last window start in the padding; a
    window of one pixel is not dilated, and under `same` a pool that is larger than the image changes nothing.
    """
    rows, columns = MOST, MOST
    if part is OpenPart.DILATION:
        rows, columns = (MOST if taps > 1 else 1 for taps in layer.window.size)
    if part not in {OpenPart.KERNEL, OpenPart.DILATION} or not isinstance(layer.window.padding, PaddingWord):
        return rows, columns
    if layer.window.padding is PaddingWord.FULL:
        return rows, columns
    most = [max(2, shape[0]), max(2, shape[1])]
    if layer.window.padding is PaddingWord.HALF and layer.window.ceil:
        follows = part is OpenPart.KERNEL and layer.window.stride == layer.window.size and not keeps_stride
        most = [2 * shape[axis] + 2 if follows else max(most[axis], 2 * layer.window.stride[axis]) for axis in (0, 1)]
    return min(rows, most[0]), min(columns, most[1])


@pytest.mark.parametrize("part", OpenPart)
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 1), *PaddingWord], ids=str)
def test_of_small_images_every_solution_is_found(part: OpenPart, padding: Padding) -> None:
    """Whether what is not found leads only to where larger values lead without end."""
    values = range(0 if part is OpenPart.PADDING else 1, 12)
    for size, kernel, stride, dilation, ceil in product((1, 2, 3), (1, 2, 3), (1, 2, 4), (1, 2), (False, True)):
        window = Window((kernel, kernel), (stride, stride), padding, (dilation, dilation), ceil)
        layer = Pool(mode=PoolMode.AVG, window=window)
        shape = (size, size, 1)
        sets_stride = part is OpenPart.KERNEL and stride == kernel
        leading: dict[int, list[Layer]] = {}
        for value in values:
            candidate = changed(layer, part, (value, value), sets_stride=sets_stride)
            if output := output_or_none(candidate, shape):
                leading.setdefault(output[0], []).append(candidate)
        no_effect = part is OpenPart.DILATION or (part is OpenPart.KERNEL and not sets_stride)
        if padding in {PaddingWord.SAME, PaddingWord.SAME_LOWER} and no_effect:
            continue
        for target, candidates in leading.items():
            solution = solve(layer, part, shape, (target, target))
            missed = [candidate for candidate in candidates if candidate not in solution.layers]
            assert not missed or solution.endless
            assert solution.layers == (*candidates, *solution.layers)[: len(solution.layers)]


@pytest.mark.parametrize(
    ("text", "shape", "target", "solutions"),
    [
        (
            "avgpool:1x4,half,ceil",
            (3, 2, 1),
            (1, 1),
            ["avgpool:4,half,ceil", "avgpool:5,half,ceil", "avgpool:6,half,ceil"],
        ),
        ("maxpool:1,s2,half,ceil", (2, 2, 1), (2, 2), ["maxpool:3,s2,half,ceil"]),
    ],
)
def test_with_ceil_a_kernel_larger_than_the_image_can_lead_to_another_size(
    text: str, shape: Shape, target: Pair, solutions: list[str]
) -> None:
    assert found(text, "kernel", shape, target) == solutions


def test_under_same_a_pool_whose_stride_goes_with_its_size_has_solutions() -> None:
    assert found("maxpool:2,same", "kernel", (8, 8, 1), (2, 2)) == [f"maxpool:{size},same" for size in (4, 5, 6, 7)]
    with pytest.raises(ShapeError, match="the stride alone sets it"):
        found("maxpool:2,same", "kernel", (8, 8, 1), (2, 2), keeps_stride=True)
