"""Layers as text: the shortest form, and that it reads back as the same layers."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Sides, Window, show_padding
from cnnfilter.nn.language import OPS, SHORT, parse_network
from cnnfilter.nn.layer_options import tokenize
from cnnfilter.nn.layers import Conv, DepthwiseConv, Function, KernelWord, Layer, Normalization
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import BatchNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import (
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
    Equalize,
    Flatten,
    GlobalPool,
    Linear,
    Pool,
    PoolMode,
    Residual,
)
from tests.nn.strategies import BLOCKS, LAYERS, NAMES, SLICED, kernel_shape, networks

THREE = Window((3, 3))
RELU = Activation(function=Function.RELU)


def word(text: str) -> tuple[KernelWord, ...]:
    """Return a bank of one kernel, which is as large as all kernels here."""
    return (KernelWord(text, kernel_shape(text)),)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv(window=THREE, learned_bias=True), "conv:3x3"),
        (Conv(window=THREE), "conv:3x3,nobias"),
        (Conv(window=THREE, outputs=16, groups=4, learned_bias=True), "conv:3x3,16,g4"),
        (Conv(window=THREE, outputs=2, groups=2, learned_bias=True), "conv:3x3,2,g2"),
        (Conv(window=THREE, bias=0.5), "conv:3x3,bias=0.5"),
        (Conv(window=Window((7, 1), stride=(2, 2)), learned_bias=True), "conv:7x1,s2"),
        (Conv(window=Window((7, 1), stride=(2, 1)), learned_bias=True), "conv:7x1,s2x1"),
        (Conv(window=Window((3, 3), dilation=(2, 2)), learned_bias=True), "conv:3x3,d2"),
        (Conv(window=Window((3, 3), padding=(1, 1, 1, 1)), learned_bias=True), "conv:3x3,p1"),
        (Conv(window=Window((3, 3), padding=(1, 0, 1, 0)), learned_bias=True), "conv:3x3,p1x0"),
        (Conv(window=Window((3, 3), padding=(0, 1, 1, 0)), learned_bias=True), "conv:3x3,p=0/1/1/0"),
        (Conv(window=Window((3, 3), padding=PaddingWord.SAME_LOWER), learned_bias=True), "conv:3x3,same-lower"),
        (Conv(window=THREE, border=Border(BorderMode.WRAP), learned_bias=True), "conv:3x3,valid,border=wrap"),
        (
            Conv(window=THREE, border=Border(BorderMode.CONSTANT, 255), learned_bias=True),
            "conv:3x3,valid,border=constant:255",
        ),
        (Conv(window=Window((3, 2)), kernels=word("sobel-x"), flip=True), "conv:sobel-x,flip"),
        (Conv(window=Window((3, 2)), kernels=word("a") + word("b")), "conv:a,b"),
        (
            Conv(window=Window((3, 2)), kernels=word("box:3"), bias=-1, normalize=Normalization.ABS),
            "conv:box:3,bias=-1,normalize=abs",
        ),
        (Conv(window=THREE, outputs=2, bias=(1, -0.5)), "conv:3x3,2,bias=[1 -0.5]"),
        (DepthwiseConv(window=THREE, kernels=word("box:3"), bias=(0,)), "dwconv:box:3,bias=[0]"),
        (DepthwiseConv(window=THREE, multiplier=2, learned_bias=True), "dwconv:3x3,2"),
        (Pool(mode=PoolMode.MAX, window=Window((2, 2), stride=(2, 2))), "maxpool:2"),
        (Pool(mode=PoolMode.MIN, window=Window((3, 2), stride=(3, 2))), "minpool:3x2"),
        (Pool(mode=PoolMode.MEDIAN, window=Window((3, 3))), "medianpool:3,s1"),
        (
            Pool(mode=PoolMode.AVG, window=Window((3, 3), (2, 2), (1, 1, 1, 1), ceil=True), count_include_pad=True),
            "avgpool:3,s2,p1,ceil,countpad",
        ),
        (GlobalPool(mode=PoolMode.AVG), "globalavgpool"),
        (ChannelPool(mode=ChannelMode.MAGNITUDE), "magnitude"),
        (ChannelPool(mode=ChannelMode.MAX, size=2), "channelmax:2"),
        (Activation(function=Function.RELU6), "relu6"),
        (Activation(function=Function.LEAKYRELU, slope=0.01), "leakyrelu"),
        (Activation(function=Function.LEAKYRELU, slope=0.2), "leakyrelu:0.2"),
        (Activation(function=Function.ELU, slope=1.0), "elu"),
        (Linear(outputs=10), "linear:10"),
        (Linear(outputs=10, bias=False), "linear:10,nobias"),
        (Flatten(), "flatten"),
        (BatchNorm(), "batchnorm"),
        (BatchNorm(eps=1e-3), "batchnorm:eps=0.001"),
        (BatchNorm(eps=1e-7), "batchnorm:eps=1e-7"),
        (Dropout(), "dropout"),
        (Dropout(rate=0.2), "dropout:0.2"),
        (Dropout(rate=0.0), "dropout:0"),
        (LocalResponseNorm(), "lrn"),
        (LocalResponseNorm(size=3), "lrn:3"),
        (LocalResponseNorm(k=2.0), "lrn:k=2"),
        (LocalResponseNorm(size=7, alpha=1e-3, beta=0.5, k=0.0), "lrn:7,alpha=0.001,beta=0.5,k=0"),
        (Equalize(), "equalize"),
        (Residual(branches=((RELU,),)), "res(relu)"),
        (Residual(branches=((RELU, Flatten()), (Linear(outputs=3),))), "res(relu flatten | linear:3)"),
        (Concatenation(branches=((), (RELU,), ())), "cat( | relu | )"),
        (Residual(branches=((replace(RELU, name="a"),),)), "res(relu@a)"),
        (
            Concatenation(branches=((Residual(branches=((RELU,),), name="inner"), RELU), (RELU,))),
            "cat(res(relu)@inner relu | relu)",
        ),
        (Residual(branches=((Conv(window=Window((3, 2)), kernels=word("a(1|2)")),),)), "res(conv:[a(1|2)])"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_layer_is_written_in_its_shortest_form(layer: Layer, text: str) -> None:
    assert layer.text == text


@pytest.mark.parametrize(
    ("padding", "text"),
    [
        ((0, 0, 0, 0), "0"),
        ((2, 2, 2, 2), "2"),
        ((1, 0, 1, 0), "1x0"),
        ((0, 0, 1, 1), "0/0/1/1"),
        ((0, 1, 0, 2), "0/1/0/2"),
    ],
)
def test_padding_is_written_as_a_number_a_pair_or_four_sides(padding: Sides, text: str) -> None:
    assert show_padding(padding) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sobel-x", "sobel-x"),
        ("gaussian:5:1.5", "gaussian:5:1.5"),
        ("folder/kernel.txt", "folder/kernel.txt"),
        ("1/2", "1/2"),
        ("a#b", "a#b"),
        ("0 -1 0; -1 5 -1", "[0 -1 0; -1 5 -1]"),
        ("a+b", "[a+b]"),
        ("a@b", "[a@b]"),
        ("a,b", "[a,b]"),
        ("#a", "[#a]"),
        ("[a]", "[[a]]"),
        ("3x3", "[3x3]"),
        ("16", "[16]"),
        ("s2", "[s2]"),
        ("d2.txt", "[d2.txt]"),
        ("same", "[same]"),
        ("nobias", "[nobias]"),
        ("bias=2", "[bias=2]"),
        ("k=2", "[k=2]"),
        ("a(b", "[a(b]"),
        ("a)", "[a)]"),
        ("a|b", "[a|b]"),
        ("1 2;; 3 4", "[1 2;; 3 4]"),
        ("1;;;2", "1;;;2"),
    ],
)
def test_a_kernel_stands_in_brackets_only_where_it_would_be_taken_for_something_else(name: str, text: str) -> None:
    layer = Conv(window=Window((3, 2)), kernels=word(name))
    assert layer.text == f"conv:{text}"


@pytest.mark.parametrize("name", NAMES)
def test_every_awkward_kernel_name_reads_back(name: str) -> None:
    layer = DepthwiseConv(window=Window((3, 2)), kernels=word(name) + word("plain") + word(name))
    assert parse_network(layer.text, kernel_shape).layers == (layer,)


@pytest.mark.parametrize("name", SLICED)
def test_every_matrix_of_slices_reads_back(name: str) -> None:
    layer = Conv(window=Window((3, 2)), kernels=word(name) + word("plain") + word(name))
    assert parse_network(layer.text, kernel_shape).layers == (layer,)


@given(LAYERS | BLOCKS)
def test_every_layer_reads_back_as_itself(layer: Layer) -> None:
    assert parse_network(layer.text, kernel_shape).layers == (layer,)


@settings(max_examples=300)
@given(networks())
def test_every_network_reads_back_as_itself_with_its_names(network: Network) -> None:
    read = parse_network(str(network), kernel_shape)
    assert read == network
    assert read.names == network.names
    assert str(read) == str(network)


@given(networks())
def test_a_text_may_be_spread_over_lines_wherever_there_is_a_space(network: Network) -> None:
    lines = "\n".join(token.text if token.spaced else f"\0{token.text}" for token in tokenize(str(network)))
    assert parse_network(lines.replace("\n\0", ""), kernel_shape, lines=True) == network


@given(st.lists(LAYERS | BLOCKS, min_size=1, max_size=3), st.integers(1, 4))
def test_a_repeated_chain_is_written_out_and_reads_back(layers: list[Layer], repeats: int) -> None:
    chain = "+".join(f"{layer.text}@n{place}" for place, layer in enumerate(layers))
    network = parse_network(f"{repeats}x {chain}", kernel_shape)
    assert len(network.layers) == repeats * len(layers)
    assert [layer.name for layer in network.layers] == [
        f"n{place}.{repeat}" for repeat in range(1, repeats + 1) for place in range(len(layers))
    ]
    assert parse_network(str(network), kernel_shape) == network


@given(LAYERS | BLOCKS)
def test_the_text_of_a_layer_begins_with_its_op_and_is_one_word_of_many(layer: Layer) -> None:
    text = layer.text
    assert re.split(r"[:(]", text)[0] == layer.op
    assert parse_network([text, "relu"], kernel_shape).layers == (layer, Activation(function=Function.RELU))


EXAMPLES = {"conv": ":3x3", "dwconv": ":3x3", "deconv": ":3x3"} | {f"{mode}pool": ":2" for mode in PoolMode}
EXAMPLES |= {op: f":{row.example}" for op, row in OPS.items() if row.example}
"""Options for the ops that need some."""


@pytest.mark.parametrize("op", OPS)
def test_every_op_is_written_as_the_word_that_made_it(op: str) -> None:
    text = op + EXAMPLES.get(op, "")
    (layer,) = parse_network(text, kernel_shape).layers
    assert layer.op == op
    assert layer.text == text


@pytest.mark.parametrize(
    ("short", "op"),
    [
        ("bn", "batchnorm"),
        ("fc", "linear"),
        ("dense", "linear"),
        ("gap", "globalavgpool"),
        ("gmp", "globalmaxpool"),
    ],
)
def test_short_words_are_written_out(short: str, op: str) -> None:
    options = EXAMPLES.get(op, "")
    assert str(parse_network(short + options, kernel_shape)) == op + options
    assert SHORT[short] == op


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("conv:s1,d1,g1,p0,3x3,1", "conv:3x3"),
        ("conv:3x3,valid,border=zero,normalize=none", "conv:3x3"),
        ("conv:3x3,border=wrap", "conv:3x3,same,border=wrap"),
        ("conv:3x3,p0,border=edge", "conv:3x3,valid,border=edge"),
        ("conv:3x3,p1,border=reflect", "conv:3x3,p1,border=reflect"),
        ("conv:3x3,p=1/1/1/1", "conv:3x3,p1"),
        ("conv:3x3,p=1/0/1/0", "conv:3x3,p1x0"),
        ("conv:3x3,p=same", "conv:3x3,same"),
        ("conv:3x3,s2x2,bias=0", "conv:3x3,s2,nobias"),
        ("conv:[sobel-x],bias=1/2", "conv:sobel-x,bias=0.5"),
        ("conv:sobel-x,nobias", "conv:sobel-x"),
        ("conv:sobel-x,3x2", "conv:sobel-x"),
        ("maxpool:2x2,s2", "maxpool:2"),
        ("maxpool:2.0", "maxpool:2"),
        ("leakyrelu:0.010", "leakyrelu"),
        ("elu:1", "elu"),
        ("leakyrelu:1e-2", "leakyrelu"),
        ("leakyrelu:0", "leakyrelu:0"),
        ("bn:eps=1e-05", "batchnorm"),
        ("lrn:5,k=1,beta=3/4", "lrn"),
        ("lrn:alpha=1/10000,9", "lrn:9"),
        ("dropout:.5", "dropout"),
        ("res( relu|tanh )", "res(relu | tanh)"),
        ("res(2x relu # a note\n)+cat(relu)@a", "res(relu relu) cat(relu)@a"),
        ("cat(|fc:3)", "cat( | linear:3)"),
        ("2x res(bn@a)@b", "res(batchnorm@a.1)@b.1 res(batchnorm@a.2)@b.2"),
    ],
)
def test_what_goes_without_saying_is_not_written(text: str, shortest: str) -> None:
    assert str(parse_network(text, kernel_shape)) == shortest
