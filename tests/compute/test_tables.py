"""What is known of layers and pooling modes is known once: every row of every table has every field."""

import pytest

from cnnfilter.compute.activations import activate
from cnnfilter.compute.alpha import WEIGH
from cnnfilter.compute.operations import RUN
from cnnfilter.compute.pool import RUN as RUN_POOLS
from cnnfilter.compute.pool import pool_channels
from cnnfilter.exchange.opencv_models import OpenCVModel
from cnnfilter.nn.correlation import Correlation
from cnnfilter.nn.frozen import fields_of
from cnnfilter.nn.language import BLOCKS, OPS, parse_network
from cnnfilter.nn.layer_options import NUMBERS
from cnnfilter.nn.layers import Block, Convolution, Function, Layer, SpatialLayer, WindowLayer
from cnnfilter.nn.norms import Norm, OwnNorm
from cnnfilter.nn.other_layers import Activation, ChannelMode, ChannelPool, PoolMode
from tests.nn.strategies import kernel_shape
from tests.reference.seeded import seeded_image

ABSTRACT = {Layer, SpatialLayer, WindowLayer, Convolution, Block, Norm, OwnNorm}
"""Classes of which there are no layers."""


def find_kinds(above: type[Layer] = Layer) -> list[type[Layer]]:
    """Return all classes of layers."""
    below = [kind for single in above.__subclasses__() for kind in find_kinds(single)]
    return [*([] if above in ABSTRACT else [above]), *below]


KINDS = [kind for kind in find_kinds() if kind.__module__.startswith("cnnfilter.")]


def make_layer(word: str) -> Layer:
    """Return the layer of a word, with what it cannot be without."""
    needed = {"conv": ":3x3", "dwconv": ":3x3", "deconv": ":3x3"} | {f"{mode}pool": ":2" for mode in PoolMode}
    needed |= {word: f":{op.example}" for word, op in OPS.items() if op.example}
    (layer,) = parse_network(word + needed.get(word, ""), kernel_shape).layers
    return layer


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_says_how_its_rows_can_be_cut_and_what_alpha_does(kind: type[Layer]) -> None:
    assert kind.ROWS in {"point", "window", "whole"}
    assert kind.ALPHA in {"keep", "weigh", "none"}
    assert (kind.ROWS == "window") is issubclass(kind, WindowLayer)
    assert {kind.BARE, *kind.KEYS} - {""} <= set(fields_of(kind))
    assert set(kind.KEYS) <= set(NUMBERS)
    assert bool(kind.COUNTS) <= bool(kind.BARE)


def test_every_layer_is_computed_by_one_function() -> None:
    assert set(RUN) == set(KINDS)
    assert set(WEIGH) == {kind for kind in KINDS if kind.ALPHA == "weigh"}


def test_every_layer_has_a_word_but_those_that_no_text_holds() -> None:
    kinds = {type(make_layer(word)) for word in OPS} | set(BLOCKS.values())
    assert kinds == set(KINDS) - {Correlation, OpenCVModel}


@pytest.mark.parametrize("word", OPS)
def test_every_word_is_the_op_of_its_layer_and_is_printed_back(word: str) -> None:
    layer = make_layer(word)
    assert layer.op == word
    (again,) = parse_network(layer.text, kernel_shape).layers
    assert again == layer


@pytest.mark.parametrize("mode", PoolMode)
def test_every_pooling_mode_has_a_whole_row_and_one_function(mode: PoolMode) -> None:
    assert mode in RUN_POOLS
    assert mode.row.name == mode
    assert mode.row.gives
    assert "v" in mode.row.formula
    assert mode.row.picks in {"greatest", "least", None}
    assert not (mode.row.picks and mode.row.averages)
    assert f"{mode}pool" in OPS
    assert (f"global{mode}pool" in OPS) is mode.row.unbounded
    assert not mode.row.unbounded or str(mode) in set(ChannelMode)


@pytest.mark.parametrize("mode", ChannelMode)
def test_every_channel_mode_has_a_function(mode: ChannelMode) -> None:
    assert pool_channels(seeded_image((2, 3, 4)), ChannelPool(mode=mode)).shape == (2, 3, 1)


@pytest.mark.parametrize("function", Function)
def test_every_function_is_computed(function: Function) -> None:
    assert activate(seeded_image((2, 3, 4)), Activation(function=function)).shape == (2, 3, 4)
