"""Blocks: what comes out where branches meet, what does not fit, and what is held meanwhile."""

from functools import reduce
from math import prod
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.nn.fields import PIXEL
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Block, Branch, Flow, Layer, Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Concatenation, Residual
from tests.nn.strategies import BLOCKS, kernel_shape, networks_for


def parse(text: str) -> Network:
    """Return the network that a text writes."""
    return parse_network(text, kernel_shape)


@pytest.mark.parametrize(
    ("text", "shape", "output"),
    [
        ("res(relu)", (8, 9, 3), (8, 9, 3)),
        ("res(conv:3x3,16,p1 conv:1x1,3)", (8, 9, 3), (8, 9, 3)),
        ("res(conv:3x3,16,s2,p1 | conv:1x1,16,s2)", (8, 9, 3), (4, 5, 16)),
        ("res(relu | tanh | abs)", (8, 9, 3), (8, 9, 3)),
        ("res( | conv:3x3,3,p1)", (8, 9, 3), (8, 9, 3)),
        ("res(conv:3x3,4 | conv:2x2,4,d2)", (8, 9, 3), (6, 7, 4)),
        ("res(flatten fc:10 | gap flatten fc:10)", (8, 9, 3), (10,)),
        ("flatten res(fc:216)", (8, 9, 3), (216,)),
        ("cat(conv:1x1,64 | conv:3x3,128,p1 | maxpool:3,s1,p1)", (28, 28, 192), (28, 28, 384)),
        ("cat(relu)", (8, 9, 3), (8, 9, 3)),
        ("cat( | relu | )", (8, 9, 3), (8, 9, 9)),
        # Branches without layers alone: the channels twice, twice the input, three times a vector.
        ("cat( | )", (8, 9, 3), (8, 9, 6)),
        ("res( | )", (8, 9, 3), (8, 9, 3)),
        ("flatten cat( | | )", (8, 9, 3), (648,)),
        ("res(cat( | ) conv:1x1,3)", (8, 9, 3), (8, 9, 3)),
        ("cat(maxpool:2 | conv:2x2,5,s2)", (8, 8, 3), (4, 4, 8)),
        ("cat(flatten | gap flatten)", (8, 9, 3), (219,)),
        ("cat(gap | gmp)", (8, 9, 3), (1, 1, 6)),
        ("cat(res(relu) | cat(relu | tanh))", (8, 9, 3), (8, 9, 9)),
    ],
)
def test_branches_are_added_or_laid_side_by_side(text: str, shape: Shape, output: Shape) -> None:
    assert parse(text).output(shape) == output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "res(conv:3x3,3)",
            "res(conv:3x3,3): its input of 8x8x3 and its branch's 6x6x3 cannot be added; a second branch, such as "
            "conv:1x1 with the same stride and outputs, makes them fit",
        ),
        (
            "relu res(conv:3x3,8,p1)",
            "layer 3, res(conv:3x3,8,p1): its input of 8x8x3 and its branch's 8x8x8 cannot be added; a second branch, "
            "such as conv:1x1 with the same stride and outputs, makes them fit",
        ),
        (
            "res(conv:3x3,8,s2,p1 | conv:1x1,8)",
            "layer 3, res(conv:3x3,8,s2,p1 | conv:1x1,8): branches of 4x4x8 and 8x8x8 cannot be added; strides, "
            "paddings and outputs must lead to one size",
        ),
        (
            "res(relu | gray | flatten)",
            "layer 4, res(relu | gray | flatten): branches of 8x8x3, 8x8x1 and 192 cannot be added; strides, paddings "
            "and outputs must lead to one size",
        ),
        (
            "cat(conv:3x3 | conv:5x5)",
            "layer 3, cat(conv:3x3 | conv:5x5): branches of 6x6x1 and 4x4x1 do not fit side by side; strides and "
            "paddings must lead to one height and width",
        ),
        ("cat(gap | gap flatten)", "layer 4, cat(globalavgpool | globalavgpool flatten): branches of 1x1x3 and 3"),
        ("res(relu conv:9x9)", "layer 2, conv:9x9: a window of 9x9 is larger than the input of 8x8"),
        ("2x cat(relu | maxpool:1,p1)", "layer 2, maxpool:1,p1: padding 1 is more than half"),
        ("res(relu | res(tanh | fc:3))", "layer 3, linear:3: linear needs a vector, but gets 8x8x3"),
        ("cat(relu | res(tanh | gray)) relu", "layer 4, res(tanh | gray): branches of 8x8x3 and 8x8x1 cannot be added"),
        (
            "res(cat( | ))",
            "layer 2, res(cat( | )): its input of 8x8x3 and its branch's 8x8x6 cannot be added; a second branch",
        ),
        ("res(conv:1x1,6,g2 | conv:1x1,6)", "layer 1, conv:1x1,6,g2: 3 channels cannot be divided into 2 groups"),
    ],
)
def test_branches_that_do_not_fit_are_told_with_their_sizes(text: str, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse(text).output((8, 8, 3))
    assert str(caught.value).removeprefix("layer 2, ").startswith(message.removeprefix("layer 2, "))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [Residual, Concatenation])
@pytest.mark.parametrize("branches", [(), ((),)], ids=["none", "an-empty-one"])
def test_a_single_branch_has_a_layer(kind: type[Block], branches: tuple[Branch, ...]) -> None:
    with pytest.raises(ShapeError, match=r"^(res|cat) has no layer in its only branch$"):
        kind(branches=branches)


@pytest.mark.parametrize("count", [2, 3])
def test_several_branches_need_no_layer(count: int) -> None:
    flow = Flow((4, 6, 3), field=PIXEL)
    assert Residual(branches=((),) * count).follow(flow) == flow
    assert Concatenation(branches=((),) * count).follow(flow) == Flow((4, 6, 3 * count), field=PIXEL)


@given(BLOCKS, st.tuples(*[st.integers(1, 20)] * 3))
def test_a_block_by_itself_has_neither_weights_nor_multiplications(block: Block, shape: Shape) -> None:
    assert (block.parameters(shape), block.statistics(shape), block.macs(shape)) == (0, 0, 0)
    assert block.tensors(shape) == {}


def add_up(layer: Layer, shape: Shape) -> Shape:
    """Return what comes out of a layer by rules of its own for blocks."""
    if not isinstance(layer, Block):
        return layer.output(shape)
    ends = [reduce(lambda state, inner: add_up(inner, state), branch, shape) for branch in layer.branches]
    if layer.op == "res":
        assert set(ends) == {shape if len(ends) == 1 else ends[0]}
        return ends[0]
    assert len({end[:-1] for end in ends}) == 1
    return (*ends[0][:-1], sum(end[-1] for end in ends))


SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]))


@settings(max_examples=200)
@given(SHAPES, st.data())
def test_random_blocks_have_the_size_of_their_branches(shape: Shape, data: st.DataObject) -> None:
    network = data.draw(networks_for(shape))
    flow, expected = Flow(shape), shape
    for layer in network.layers:
        flow, expected = layer.follow(flow), add_up(layer, expected)
        assert flow.shape == expected
    assert network.output(shape) == expected


def test_vectors_side_by_side_remember_what_was_flattened() -> None:
    *_, last = parse("cat(flatten | maxpool:2 flatten relu | gap flatten linear:7)").visits((4, 6, 3))
    assert last.outputs.parts == ((4, 6, 3), (2, 3, 3), (7,))
    assert sum(map(prod, last.outputs.parts)) == last.outputs.shape[0]


@settings(max_examples=200)
@given(SHAPES, st.data())
def test_the_parts_of_a_vector_are_as_long_as_it(shape: Shape, data: st.DataObject) -> None:
    for visit in data.draw(networks_for(shape)).visits(shape):
        parts = visit.outputs.parts
        assert sum(map(prod, parts)) == (visit.outputs.shape[0] if len(visit.outputs.shape) == 1 else 0)


class Value(NamedTuple):
    """Something that is held in memory: which one, and how many numbers it has."""

    number: int
    shape: Shape


class Machine:
    """Runs a network with values that are only numbered, and counts what is held while each layer works."""

    def __init__(self, shape: Shape) -> None:
        self.made = 0
        self.live: list[int] = []
        self.held: list[Value] = []
        self.start = self.make(shape)

    def make(self, shape: Shape) -> Value:
        """Return a new value."""
        self.made += 1
        return Value(self.made, shape)

    def work(self, inputs: list[Value], shape: Shape) -> Value:
        """Make a value of others, all of which are held meanwhile, and what else must be."""
        output = self.make(shape)
        self.live.append(sum(prod(value.shape) for value in {*self.held, *inputs, output}))
        return output

    def run(self, layers: Branch, value: Value) -> Value:
        """Return the value behind the last layer."""
        for layer in layers:
            if isinstance(layer, Block):
                value = self.join(layer, value)
            else:
                value = self.work([value], layer.output(value.shape))
        return value

    def join(self, block: Block, value: Value) -> Value:
        """Return what a block makes of a value; its input is held as long as some branch or the sum needs it."""
        ends: list[Value] = []
        adds = block.op == "res" and len(block.branches) == 1
        for place, branch in enumerate(block.branches):
            more = ends + [value] * (adds or place + 1 < len(block.branches))
            self.held += more
            ends.append(self.run(branch, value))
            del self.held[len(self.held) - len(more) :]
        ends += [value] * adds
        channels = sum(end.shape[-1] for end in ends) if block.op == "cat" else ends[0].shape[-1]
        return self.work(ends, (*ends[0].shape[:-1], channels))


@pytest.mark.parametrize(
    ("text", "live"),
    [
        # Of 4x4x2: 32 values.
        ("relu", [64]),
        ("relu conv:1x1,4 relu", [64, 96, 128]),
        ("res(relu)", [64, 96]),
        ("res(conv:1x1,8 conv:1x1,2)", [160, 192, 96]),
        ("cat(relu | tanh)", [64, 96, 128]),
        ("cat(conv:1x1,1 conv:1x1,3 | relu)", [48, 96, 112, 192 - 32]),
        ("relu res(relu res(relu tanh))", [64, 64, 96, 128, 128, 96]),
        ("res(flatten fc:32 | flatten)", [64, 96, 96, 96]),
        # An input that is handed on several times is held once.
        ("cat( | )", [96]),
        ("res( | )", [64]),
        ("relu cat( | | ) relu", [64, 128, 192]),
    ],
)
def test_while_a_layer_works_its_input_and_output_are_held_and_what_blocks_need(text: str, live: list[int]) -> None:
    network = parse(text)
    assert [visit.live for visit in network.visits((4, 4, 2))] == live


@settings(max_examples=300)
@given(SHAPES, st.data())
def test_a_machine_that_forgets_what_it_can_holds_as_many_values(shape: Shape, data: st.DataObject) -> None:
    network = data.draw(networks_for(shape))
    machine = Machine(shape)
    machine.run(network.layers, machine.start)
    assert [visit.live for visit in network.visits(shape)] == machine.live
