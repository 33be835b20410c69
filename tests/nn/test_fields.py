"""Receptive fields: published ones, and those found by following every pixel."""

from collections.abc import Iterator
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.nn.fields import PIXEL, Along, Field, unite
from cnnfilter.nn.geometry import Pair, Window, output_size
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Block, Conv, Convolution, Flow, Layer, Shape
from cnnfilter.nn.network import Network, Visit
from cnnfilter.nn.other_layers import Pool, Residual
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample
from tests.nn.strategies import kernel_shape, networks_for

Seen = NDArray[np.bool_]
"""(values, pixels) along one axis: which pixels of the input a value depends on."""


def field_of(text: str, shape: Shape) -> Field | None:
    """Return the receptive field behind the last layer of the network that a text writes."""
    *_, last = parse_network(text, kernel_shape).visits(shape)
    return last.outputs.field


VGG = "2x conv:3x3,p1 maxpool:2 2x conv:3x3,p1 maxpool:2 3x conv:3x3,p1 maxpool:2"
VGG = f"{VGG} 3x conv:3x3,p1 maxpool:2 3x conv:3x3,p1 maxpool:2"
MOBILENET = (
    "conv:3x3,s2,p1 dwconv:3x3,p1 dwconv:3x3,s2,p1 dwconv:3x3,p1 dwconv:3x3,s2,p1 dwconv:3x3,p1 dwconv:3x3,s2,p1 "
    "5x dwconv:3x3,p1+conv:1x1 dwconv:3x3,s2,p1 dwconv:3x3,p1"
)


@pytest.mark.parametrize(
    ("text", "size", "jump", "first"),
    [
        # Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", table 1.
        pytest.param(
            "conv:11x11,s4,p2 maxpool:3,s2 conv:5x5,p2 maxpool:3,s2 3x conv:3x3,p1 maxpool:3,s2",
            (195, 195),
            (32, 32),
            (-66, -66),
            id="alexnet-195",
        ),
        pytest.param(VGG, (212, 212), (32, 32), (-90, -90), id="vgg16-212"),
        pytest.param(MOBILENET, (315, 315), (32, 32), (-157, -157), id="mobilenet-315"),
        # By hand.
        pytest.param("relu bn softmax dropout lrn", (1, 1), (1, 1), (0, 0), id="each-value-by-itself"),
        pytest.param("conv:3x3", (3, 3), (1, 1), (0, 0), id="3x3"),
        pytest.param("3x conv:3x3,p1", (7, 7), (1, 1), (-3, -3), id="three-3x3-are-7x7"),
        pytest.param("conv:3x1 conv:1x5,s1x2", (3, 5), (1, 2), (0, 0), id="height-first"),
        pytest.param("conv:3x3,d2", (5, 5), (1, 1), (0, 0), id="dilated"),
        pytest.param("conv:3x3 conv:3x3,d2 conv:3x3,d4", (15, 15), (1, 1), (0, 0), id="dilated-more-and-more"),
        pytest.param("maxpool:2 maxpool:2 conv:3x3", (12, 12), (4, 4), (0, 0), id="halved-twice"),
        pytest.param("conv:3x3,p=2/0/0/1", (3, 3), (1, 1), (-2, 0), id="four-paddings"),
        pytest.param("conv:4x4,same", (4, 4), (1, 1), (-1, -1), id="same"),
        pytest.param("conv:4x4,same-lower", (4, 4), (1, 1), (-2, -2), id="same-lower"),
        pytest.param("conv:5x5,full", (5, 5), (1, 1), (-4, -4), id="full"),
        pytest.param("res(2x conv:3x3,p1)", (5, 5), (1, 1), (-2, -2), id="res-as-wide-as-its-branch"),
        pytest.param("cat(conv:1x1 | conv:3x3,p1 | conv:5x5,p2)", (5, 5), (1, 1), (-2, -2), id="widest-branch"),
        pytest.param("cat(conv:1x5,p0x2 | conv:5x1,p2x0)", (5, 5), (1, 1), (-2, -2), id="a-cross-in-its-square"),
        pytest.param("res(conv:3x3,p=2/0/0/2 | conv:3x3,p=0/2/2/0)", (5, 5), (1, 1), (-2, -2), id="to-two-sides"),
        pytest.param("res(conv:3x3,s2,p1 conv:3x3,p1 | conv:1x1,s2)", (7, 7), (2, 2), (-3, -3), id="strided"),
    ],
)
def test_a_field_has_the_size_that_is_published_or_counted(text: str, size: Pair, jump: Pair, first: Pair) -> None:
    field = field_of(text, (224, 224, 1))
    assert field is not None
    assert (field.size, field.jump, field.first) == (size, jump, first)


@pytest.mark.parametrize(
    "text",
    ["gap", "gmp", "flatten", "flatten linear:3", "equalize", "conv:3x3 gap relu", "res(equalize)", "cat(gap | gmp)"],
)
def test_some_layers_see_the_whole_input_and_so_do_all_behind_them(text: str) -> None:
    assert field_of(text, (9, 9, 1)) is None


def test_what_is_joined_with_the_whole_sees_the_whole() -> None:
    assert unite([PIXEL, None, PIXEL]) is None
    assert unite([PIXEL]) == PIXEL


def test_of_different_steps_the_largest_is_taken() -> None:
    wide = Field(Along(((-2, 2),), 2), Along(((0, 4),), 1))
    assert unite([PIXEL, wide]) == wide
    assert unite([wide, PIXEL]) == unite([PIXEL, wide])


def test_a_pixel_through_a_window_is_what_the_window_sees() -> None:
    layer = Conv(window=Window((7, 7), stride=(2, 2), padding=(3, 3, 3, 3)))
    assert layer.follow(Flow((224, 224, 1), PIXEL)).field == Field(*[Along(((-3, 3),), 2)] * 2)


@given(*[st.integers(1, 9)] * 3, st.integers(0, 5))
def test_a_span_through_a_window_is_as_long_as_the_formula_says(
    taps: int, stride: int, dilation: int, padding: int
) -> None:
    window = Window((taps, 1), (stride, 1), (padding, 0, padding, 0), (dilation, 1))
    before = Field(Along(((-3, 7),), 4), Along(((0, 0),), 1))
    after = Conv(window=window).follow(Flow((100, 100, 1), before)).field
    assert after
    assert after.size == (11 + dilation * (taps - 1) * 4, 1)
    assert after.jump == (4 * stride, 1)
    assert after.first == (-3 - padding * 4, 0)


def look(layer: Layer, axis: int, seen: Seen) -> Seen:
    """Return what the values behind a layer, no block, see, window by window."""
    if isinstance(layer, Deconv | Upsample | AdaptivePool):
        return look_through(layer, axis, seen)
    if not isinstance(layer, Convolution | Pool):
        return seen
    window, size = layer.window, len(seen)
    before, after = window.pads(size, size)[axis::2]
    extent, stride = window.extent[axis], window.stride[axis]
    count = output_size(size, before, after, extent, stride, ceil=window.ceil)
    found = np.zeros((count, seen.shape[1]), bool)
    for value in range(count):
        for tap in range(window.size[axis]):
            place = value * stride - before + tap * window.dilation[axis]
            if 0 <= place < size:
                found[value] |= seen[place]
    return found


def look_through(layer: Deconv | Upsample | AdaptivePool, axis: int, seen: Seen) -> Seen:
    """Return what the values behind a layer that has no sliding window see, each by where its own values go."""
    size = len(seen)
    if isinstance(layer, AdaptivePool):
        outputs = layer.size[axis]
        spans = [(floor(i * size / outputs), ceil((i + 1) * size / outputs)) for i in range(outputs)]
        return np.array([seen[first:end].any(axis=0) for first, end in spans])
    if isinstance(layer, Upsample):
        factor = layer.factor[axis]
        places = np.arange(size * factor) // factor
        if layer.interpolation is Interpolation.BILINEAR:
            places = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
        return np.asarray(seen[np.floor(places).astype(int)] | seen[np.ceil(places).astype(int)])
    window, (height, width, _) = layer.window, layer.output((size, size, layer.groups))
    found = np.zeros((size * window.stride[axis] + LARGEST_SPAN, seen.shape[1]), bool)
    for place in range(size):
        for tap in range(window.size[axis]):
            found[place * window.stride[axis] + tap * window.dilation[axis]] |= seen[place]
    before = window.pads(1, 1)[axis]
    return found[before : before + (height, width)[axis]]


LARGEST_SPAN = 40
"""At least as many places as a kernel spans."""


def follow(layers: tuple[Layer, ...], axis: int, seen: Seen, found: list[Seen]) -> Seen:
    """Return what the values behind the last layer see, and append what those behind each see."""
    for layer in layers:
        if isinstance(layer, Block):
            ends = [follow(branch, axis, seen, found) for branch in layer.branches]
            alone = isinstance(layer, Residual) and len(ends) == 1
            seen = np.logical_or.reduce([*ends, *[seen] * alone])
        else:
            seen = look(layer, axis, seen)
        found.append(seen)
    return seen


def check(field: Field, axis: int, seen: Seen, *, even: bool) -> None:
    """Assert that a field is what the values see along an axis, where that lies within the image, and else holds it.

    Where branches of different steps were joined, not `even`, this is so of the first value only.
    """
    largest = 0
    for value, pixels in enumerate(seen if even else seen[:1]):
        places = np.flatnonzero(pixels)
        largest = max(largest, int(np.ptp(places)) + 1 if len(places) else 0)
        span = field[axis].span(value)
        if span is None:
            assert not len(places)
            continue
        first, last = span
        assert all(first <= place <= last for place in places)
        if even and first >= 0 and last < len(pixels):
            assert (places.min(), places.max()) == (first, last)
    assert largest <= field.size[axis]


def until_whole(network: Network, shape: Shape) -> Iterator[tuple[int, Visit, Field]]:
    """Yield the visits that do not see the whole input, and their places."""
    for place, visit in enumerate(network.visits(shape)):
        if visit.outputs.field:
            yield place, visit, visit.outputs.field


@settings(max_examples=300)
@given(st.data())
def test_a_field_is_what_following_every_pixel_finds(data: st.DataObject) -> None:
    shape = (40, 31, 3)
    network = data.draw(networks_for(shape))
    visits = list(network.visits(shape))
    small = [visit for visit in visits if len(visit.outputs.shape) == 3]
    if small != visits:
        return  # `flatten` has no rows to follow
    for axis in (0, 1):
        found: list[Seen] = []
        follow(network.layers, axis, np.eye(shape[axis], dtype=bool), found)
        even = True
        for place, visit, field in until_whole(network, shape):
            if isinstance(visit.node.layer, Block):
                even = (
                    even
                    and len({end.field and end.field[axis].pace for end in visit.node.layer.ends(visit.inputs)}) == 1
                )
            check(field, axis, found[place], even=even)


RUNNING = (
    "dwconv:box:3",
    "dwconv:box:3,p1 maxpool:2",
    "avgpool:3,s2,p1 dwconv:[1 1],same",
    "dwconv:box:3,same,d2 l2pool:2,s1",
    "res(dwconv:box:3,p1)",
    "res(dwconv:box:3,s2,p1 dwconv:box:3,p1 | maxpool:1,s2)",
    "cat(dwconv:[1 1 1],p0x1 | dwconv:[1;1;1],p1x0) channelsum",
    "dwconv:box:3,s2 cat(conv:box:1 | res(dwconv:box:3,p1 | dwconv:box:5,p2))",
    "maxpool:3,s2,ceil dwconv:box:3,p1",
    "avgpool:2,same-lower,s1 dwconv:box:2,full",
)
"""Networks without a negative weight, in which nothing can cancel."""


@pytest.mark.parametrize("text", RUNNING)
def test_a_field_holds_the_pixels_that_change_a_value_when_the_network_runs(text: str) -> None:
    height, width = 17, 14
    network = cnnfilter.network(text)
    *_, last = network.visits((height, width, 1))
    assert last.outputs.field
    changed = np.zeros((*last.outputs.shape, height, width), bool)
    for row, column in np.ndindex(height, width):
        image = np.zeros((height, width))
        image[row, column] = 1.0
        changed[..., row, column] = network.run(image).reshape(last.outputs.shape) > 0
    check(last.outputs.field, 0, np.asarray(changed.any(axis=(1, 2, 4))), even=True)
    check(last.outputs.field, 1, np.asarray(changed.any(axis=(0, 2, 3))), even=True)
