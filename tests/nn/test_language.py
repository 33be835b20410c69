"""The layer language: what its words mean, and what is said of words that mean nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.errors import KernelError, LanguageError, nearest
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Window
from cnnfilter.nn.language import BLOCKS, DEEPEST, MOST_LAYERS, OPS, parse_network
from cnnfilter.nn.layers import Conv, DepthwiseConv, Function, KernelWord, Layer, Normalization
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import (
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
    Equalize,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample

SHAPES = {
    "edge": (3, 3),
    "line": (3, 3),
    "blur": (5, 5),
    "blur:5:0.8": (5, 5),
    "0 1; 1 0": (2, 2),
    "a,b+c@d #e": (3, 3),
    "same": (3, 3),
    "s2": (3, 3),
    "volume": (3, 3, 3),
    "bank": (3, 3, 3, 8),
    "[edge]s": (3, 3),
    "s[edge]": (3, 3),
    "wide": (3, 5),
    "(1 | 2)": (3, 3),
}
"""The kernels that are known here."""

ENDLESS = "9" * 5000
"""More digits than Python turns into a number."""


def kernel_shape(word: str) -> tuple[int, ...]:
    """Return the shape of a kernel that is known here."""
    if word not in SHAPES:
        raise KernelError(f"unknown kernel {word!r}{nearest(word, SHAPES)}")
    return SHAPES[word]


def parse(text: str | list[str]) -> Network:
    """Return the network that a text writes."""
    return parse_network(text, kernel_shape)


def refusal(text: str | list[str]) -> str:
    """Return what is said of a text that is refused, which is one line."""
    with pytest.raises(LanguageError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def bank(*words: str) -> tuple[KernelWord, ...]:
    """Return kernels by their words."""
    return tuple(KernelWord(word, SHAPES[word]) for word in words)


def conv(window: Window, **fields: object) -> Conv:
    """Return a conv by sizes, with a learned bias unless told otherwise."""
    return Conv(**{"window": window, "learned_bias": True, **fields})  # type: ignore[arg-type]


THREE = Window((3, 3))
SAME = Window((3, 3), padding=PaddingWord.SAME)

LAYERS: dict[str, Layer] = {
    "conv:3x3": conv(THREE),
    "conv:3x5": conv(Window((3, 5))),
    "conv:3x3,16": conv(THREE, outputs=16),
    "conv:3x3,s2": conv(Window((3, 3), stride=(2, 2))),
    "conv:3x3,s2x1": conv(Window((3, 3), stride=(2, 1))),
    "conv:3x3,p1": conv(Window((3, 3), padding=(1, 1, 1, 1))),
    "conv:3x3,p1x0": conv(Window((3, 3), padding=(1, 0, 1, 0))),
    "conv:3x3,p=2": conv(Window((3, 3), padding=(2, 2, 2, 2))),
    "conv:3x3,p=0/1/2/3": conv(Window((3, 3), padding=(0, 1, 2, 3))),
    "conv:3x3,p0/1/2/3": conv(Window((3, 3), padding=(0, 1, 2, 3))),
    "conv:3x3,same": conv(Window((3, 3), padding=PaddingWord.SAME)),
    "conv:3x3,same-lower": conv(Window((3, 3), padding=PaddingWord.SAME_LOWER)),
    "conv:3x3,half": conv(Window((3, 3), padding=PaddingWord.HALF)),
    "conv:3x3,full": conv(Window((3, 3), padding=PaddingWord.FULL)),
    "conv:3x3,p=full": conv(Window((3, 3), padding=PaddingWord.FULL)),
    "conv:3x3,valid": conv(THREE),
    "conv:3x3,d2": conv(Window((3, 3), dilation=(2, 2))),
    "conv:3x3,d2x3": conv(Window((3, 3), dilation=(2, 3))),
    "conv:3x3,8,g4": conv(THREE, outputs=8, groups=4),
    "conv:3x3,nobias": conv(THREE, learned_bias=False),
    "conv:3x3,bias=0.5": conv(THREE, learned_bias=False, bias=0.5),
    "conv:3x3,bias=-1/4": conv(THREE, learned_bias=False, bias=-0.25),
    "conv:3x3,border=reflect": conv(SAME, border=Border(BorderMode.REFLECT)),
    "conv:3x3,border=constant:0.5": conv(SAME, border=Border(BorderMode.CONSTANT, 0.5)),
    "conv:3x3,border=constant:0": conv(SAME, border=Border(BorderMode.CONSTANT)),
    "conv:3x3,border=zero": conv(THREE),
    "conv:3x3,border=edge,valid": conv(THREE, border=Border(BorderMode.EDGE)),
    "conv:3x3,p0,border=edge": conv(THREE, border=Border(BorderMode.EDGE)),
    "conv:3x3,p1,border=edge": conv(Window((3, 3), padding=(1, 1, 1, 1)), border=Border(BorderMode.EDGE)),
    "conv:3x3,flip": conv(THREE, flip=True),
    "conv:3x3,normalize=abs": conv(THREE, normalize=Normalization.ABS),
    "conv:edge": Conv(window=THREE, kernels=bank("edge")),
    "conv:edge,line": Conv(window=THREE, kernels=bank("edge", "line")),
    "conv:edge,s2,edge": Conv(window=Window((3, 3), stride=(2, 2)), kernels=bank("edge", "edge")),
    "conv:edge,3x3": Conv(window=THREE, kernels=bank("edge")),
    "conv:edge,bias=2": Conv(window=THREE, kernels=bank("edge"), bias=2.0),
    "conv:edge,line,bias=[1 -1/4]": Conv(window=THREE, kernels=bank("edge", "line"), bias=(1.0, -0.25)),
    "conv:3x3,2,bias=[ 1 , 0 ]": conv(THREE, outputs=2, learned_bias=False, bias=(1.0, 0.0)),
    "dwconv:3x3,bias=[1,0,2]": DepthwiseConv(window=THREE, bias=(1.0, 0.0, 2.0)),
    "conv:edge,nobias": Conv(window=THREE, kernels=bank("edge")),
    "conv:volume": Conv(window=THREE, kernels=bank("volume")),
    "conv:bank,g2": Conv(window=THREE, kernels=bank("bank"), groups=2),
    "conv:[edge]": Conv(window=THREE, kernels=bank("edge")),
    "conv:[0 1; 1 0],same": Conv(window=Window((2, 2), padding=PaddingWord.SAME), kernels=bank("0 1; 1 0")),
    "conv:[a,b+c@d #e]": Conv(window=THREE, kernels=bank("a,b+c@d #e")),
    "conv:[edge]s": Conv(window=THREE, kernels=bank("[edge]s")),
    "conv:s[edge]": Conv(window=THREE, kernels=bank("s[edge]")),
    "conv:[same],[s2]": Conv(window=THREE, kernels=bank("same", "s2")),
    "dwconv:3x3": DepthwiseConv(window=THREE, learned_bias=True),
    "dwconv:3x3,2,nobias": DepthwiseConv(window=THREE, multiplier=2),
    "dwconv:blur:5:0.8,s2": DepthwiseConv(window=Window((5, 5), stride=(2, 2)), kernels=bank("blur:5:0.8")),
    "maxpool:2": Pool(mode=PoolMode.MAX, window=Window((2, 2), stride=(2, 2))),
    "maxpool:3x2": Pool(mode=PoolMode.MAX, window=Window((3, 2), stride=(3, 2))),
    "maxpool:3,s2,p1,d1,ceil": Pool(mode=PoolMode.MAX, window=Window((3, 3), (2, 2), (1, 1, 1, 1), ceil=True)),
    "avgpool:3,s1,countpad": Pool(mode=PoolMode.AVG, window=THREE, count_include_pad=True),
    "l2pool:3,s1,same": Pool(mode=PoolMode.L2, window=Window((3, 3), padding=PaddingWord.SAME)),
    "minpool:2,d2": Pool(mode=PoolMode.MIN, window=Window((2, 2), stride=(2, 2), dilation=(2, 2))),
    "medianpool:3,s1": Pool(mode=PoolMode.MEDIAN, window=THREE),
    "globalmaxpool": GlobalPool(mode=PoolMode.MAX),
    "globalavgpool": GlobalPool(mode=PoolMode.AVG),
    "gmp": GlobalPool(mode=PoolMode.MAX),
    "gap": GlobalPool(mode=PoolMode.AVG),
    "channelmax": ChannelPool(mode=ChannelMode.MAX),
    "channelavg:2": ChannelPool(mode=ChannelMode.AVG, size=2),
    "channelsum": ChannelPool(mode=ChannelMode.SUM),
    "channelmin": ChannelPool(mode=ChannelMode.MIN),
    "magnitude:2": ChannelPool(mode=ChannelMode.MAGNITUDE, size=2),
    "bn": BatchNorm(),
    "batchnorm": BatchNorm(),
    "softmax": Softmax(),
    "flatten": Flatten(),
    "gray": Gray(),
    "equalize": Equalize(),
    "bn:eps=1e-3": BatchNorm(eps=1e-3),
    "dropout": Dropout(),
    "dropout:0.2": Dropout(rate=0.2),
    "dropout:.25": Dropout(rate=0.25),
    "lrn": LocalResponseNorm(),
    "lrn:3": LocalResponseNorm(size=3),
    "lrn:5,alpha=1e-4,beta=0.75,k=2": LocalResponseNorm(k=2.0),
    "lrn:k=1/2,7": LocalResponseNorm(size=7, k=0.5),
    "linear:10": Linear(outputs=10),
    "fc:10,nobias": Linear(outputs=10, bias=False),
    "relu": Activation(function=Function.RELU),
    "relu6": Activation(function=Function.RELU6),
    "gelu": Activation(function=Function.GELU),
    "silu": Activation(function=Function.SILU),
    "sigmoid": Activation(function=Function.SIGMOID),
    "tanh": Activation(function=Function.TANH),
    "abs": Activation(function=Function.ABS),
    "elu": Activation(function=Function.ELU, slope=1.0),
    "elu:0.5": Activation(function=Function.ELU, slope=0.5),
    "leakyrelu": Activation(function=Function.LEAKYRELU, slope=0.01),
    "leakyrelu:-0.2": Activation(function=Function.LEAKYRELU, slope=-0.2),
    "leakyrelu:1e-3": Activation(function=Function.LEAKYRELU, slope=0.001),
    "hardswish": Activation(function=Function.HARDSWISH),
    "hardsigmoid": Activation(function=Function.HARDSIGMOID),
    "selu": Activation(function=Function.SELU),
    "softplus": Activation(function=Function.SOFTPLUS),
    "mish": Activation(function=Function.MISH),
    "prelu": PRelu(),
    "prelu:each": PRelu(each=True),
    "bn:noaffine": BatchNorm(affine=False),
    "groupnorm:8": GroupNorm(groups=8),
    "groupnorm:noaffine,eps=1e-3,2": GroupNorm(groups=2, eps=1e-3, affine=False),
    "instancenorm": InstanceNorm(),
    "layernorm": LayerNorm(),
    "layernorm:noaffine": LayerNorm(affine=False),
    "deconv:3x3": Deconv(window=THREE),
    "deconv:4x2,64,s2x1,p1,d3,op1,g2,nobias": Deconv(
        window=Window((4, 2), (2, 1), (1, 1, 1, 1), (3, 3)),
        outputs=64,
        groups=2,
        output_padding=(1, 1),
        bias=False,
    ),
    "deconv:3x3,s2,p=0/1/1/0,op1x0": Deconv(window=Window((3, 3), (2, 2), (0, 1, 1, 0)), output_padding=(1, 0)),
    "upsample:2": Upsample(factor=(2, 2)),
    "upsample:2x3,bilinear": Upsample(factor=(2, 3), interpolation=Interpolation.BILINEAR),
    "upsample:nearest,4": Upsample(factor=(4, 4)),
    "adaptiveavgpool:7": AdaptivePool(mode=PoolMode.AVG, size=(7, 7)),
    "adaptivemaxpool:2x3": AdaptivePool(mode=PoolMode.MAX, size=(2, 3)),
}


@pytest.mark.parametrize("text", LAYERS)
def test_a_word_is_a_layer(text: str) -> None:
    assert parse(text).layers == (LAYERS[text],)


def test_every_op_is_in_the_table_above() -> None:
    assert {layer.op for layer in LAYERS.values()} == set(OPS)


RELU, TANH = Activation(function=Function.RELU), Activation(function=Function.TANH)

UNITS: dict[str, Layer] = {
    "res(relu)": Residual(branches=((RELU,),)),
    "cat(relu)": Concatenation(branches=((RELU,),)),
    "res(relu|tanh)": Residual(branches=((RELU,), (TANH,))),
    "res( relu | tanh )": Residual(branches=((RELU,), (TANH,))),
    "res(relu tanh|tanh+relu)": Residual(branches=((RELU, TANH), (TANH, RELU))),
    "res(relu\n|\ntanh # a note | relu )\n)": Residual(branches=((RELU,), (TANH,))),
    "cat(#note\nrelu|#note\ntanh)": Concatenation(branches=((RELU,), (TANH,))),
    "res(|relu)": Residual(branches=((), (RELU,))),
    "res(relu|)": Residual(branches=((RELU,), ())),
    "cat(|relu|)": Concatenation(branches=((), (RELU,), ())),
    "cat(relu|tanh)@both": Concatenation(branches=((RELU,), (TANH,)), name="both"),
    "cat(res(relu)|tanh)": Concatenation(branches=((Residual(branches=((RELU,),)),), (TANH,))),
    "res(res(res(relu)@c)@b)@a": Residual(
        name="a", branches=((Residual(name="b", branches=((Residual(name="c", branches=((RELU,),)),),)),),)
    ),
    "res(2x relu)": Residual(branches=((RELU, RELU),)),
    "res(2x relu+tanh | 1x relu)": Residual(branches=((RELU, TANH, RELU, TANH), (RELU,))),
    "cat(conv:[(1 | 2)] | conv:[0 1; 1 0])": Concatenation(
        branches=(
            (Conv(window=THREE, kernels=bank("(1 | 2)")),),
            (Conv(window=Window((2, 2)), kernels=bank("0 1; 1 0")),),
        )
    ),
}


@pytest.mark.parametrize("text", UNITS)
def test_brackets_behind_res_and_cat_hold_branches(text: str) -> None:
    assert parse(text).layers == (UNITS[text],)
    assert parse(f"tanh {text} relu").layers == (TANH, UNITS[text], RELU)
    assert parse(f"tanh+{text}+relu").layers == (TANH, UNITS[text], RELU)


def test_every_block_is_in_the_table_above() -> None:
    assert {layer.op for layer in UNITS.values()} == set(BLOCKS)


def test_blocks_may_stand_in_each_other_to_a_depth() -> None:
    assert len(parse("res(" * DEEPEST + "relu" + ")" * DEEPEST).names) == DEEPEST + 1 == 51
    assert len(parse("res(relu) " * (DEEPEST + 1)).layers) == DEEPEST + 1
    assert refusal("res(" * (DEEPEST + 1) + "relu") == "more than 50 blocks within each other are not allowed"


def test_kernels_keep_their_order() -> None:
    assert parse("conv:edge,line") != parse("conv:line,edge")


@pytest.mark.parametrize("text", ["", " ", "# nothing", []], ids=str)
def test_no_words_are_a_network_without_layers(text: str | list[str]) -> None:
    assert parse(text).layers == ()


def test_a_plus_is_then() -> None:
    assert parse("conv:3x3+bn+relu") == parse("conv:3x3 bn relu") == parse(["conv:3x3", "bn relu"])


def test_a_name_follows_an_at_sign() -> None:
    assert [layer.name for layer in parse("conv:3x3@conv1 relu bn@_a.b-2").layers] == ["conv1", "", "_a.b-2"]


@pytest.mark.parametrize(
    ("text", "written_out"),
    [
        ("1x relu", "relu"),
        ("2x relu", "relu relu"),
        ("3x maxpool:2,s1+relu", "maxpool:2,s1 relu maxpool:2,s1 relu maxpool:2,s1 relu"),
        ("2x relu tanh", "relu relu tanh"),
        ("tanh 02x relu", "tanh relu relu"),
        ("2x relu 2x tanh", "relu relu tanh tanh"),
        ("2x relu@a", "relu@a.1 relu@a.2"),
        ("2x relu@a+tanh+abs@b", "relu@a.1 tanh abs@b.1 relu@a.2 tanh abs@b.2"),
        ("2x res(relu)", "res(relu) res(relu)"),
        ("2x res(relu)+tanh", "res(relu) tanh res(relu) tanh"),
        ("2x tanh+res(relu)", "tanh res(relu) tanh res(relu)"),
        ("2x res(relu)@a", "res(relu)@a.1 res(relu)@a.2"),
        ("2x res(relu@a | tanh@b)@c", "res(relu@a.1 | tanh@b.1)@c.1 res(relu@a.2 | tanh@b.2)@c.2"),
        ("res(2x relu@a | tanh)", "res(relu@a.1 relu@a.2 | tanh)"),
        ("cat(2x tanh@a | res(2x relu@b))", "cat(tanh@a.1 tanh@a.2 | res(relu@b.1 relu@b.2))"),
        ("2x\nres(relu)", "res(relu) res(relu)"),
    ],
)
def test_a_repeat_is_as_if_it_were_written_out(text: str, written_out: str) -> None:
    assert parse(text) == parse(written_out)


@pytest.mark.parametrize(
    ("text", "start", "nearest_word"),
    [
        ("conw:3x3", "layer 1, 'conw:3x3': unknown layer 'conw'", "conv"),
        ("relu maxpol:2", "layer 2, 'maxpol:2': unknown layer 'maxpol'", "maxpool"),
        ("relu+tnah", "layer 2, 'tnah': unknown layer 'tnah'", "tanh"),
        ("3x relu flaten", "layer 4, 'flaten': unknown layer 'flaten'", "flatten"),
        ("relu 2x tanh+sofmax", "layer 3, 'sofmax': unknown layer 'sofmax'", "softmax"),
        ("bnn", "layer 1, 'bnn': unknown layer 'bnn'", "bn"),
        ("maxpool:2,ciel", "layer 1, 'maxpool:2,ciel': unknown option 'ciel'", "ceil"),
        ("relu linear:3,nobais", "layer 2, 'linear:3,nobais': unknown option 'nobais'", "nobias"),
        ("avgpool:2,cuontpad", "layer 1, 'avgpool:2,cuontpad': unknown option 'cuontpad'", "countpad"),
        ("conv:edgy", "layer 1, 'conv:edgy': unknown kernel 'edgy'", "edge"),
        ("relu conv:3x3,border=edgy", "layer 2, 'conv:3x3,border=edgy': border 'edgy' is unknown", "edge"),
        ("conv:3x3,p=smae", "layer 1, 'conv:3x3,p=smae': padding 'smae' is unknown", "same"),
    ],
)
def test_an_unknown_word_is_told_with_the_number_the_text_and_the_nearest_word(
    text: str, start: str, nearest_word: str
) -> None:
    message, nearest_words = refusal(text).split("; nearest: ")
    assert message.startswith(start)
    assert nearest_words.split(", ")[0] == nearest_word


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # A repeat is a word of its own.
        ("2xconv", "layer 1, '2xconv': a repeat is a word of its own: '2x conv'"),
        ("relu 2xconv:3x3", "layer 2, '2xconv:3x3': a repeat is a word of its own: '2x conv'"),
        ("0x relu", "'0x' repeats nothing; 1x is the least"),
        ("relu 2x", "nothing follows '2x'; a layer to repeat is needed after it"),
        ("2x # relu", "nothing follows '2x'; a layer to repeat is needed after it"),
        ("2x 3x relu", "'3x' follows another repeat; one number of repeats is enough"),
        ("-1x relu", "layer 1, '-1x': unknown layer '-1x'"),
        ("10001x relu", "'10001x': more than 10000 layers in all are not allowed"),
        ("5001x relu+tanh", "'5001x': more than 10000 layers in all are not allowed"),
        ("10000x relu tanh", "'tanh': more than 10000 layers in all are not allowed"),
        ("99999999999999999999x relu", "'99999999999999999999x': more than 10000 layers in all are not allowed"),
        # A size is no layer.
        (
            "8x8 relu",
            "layer 1, '8x8': '8x8' is a size; it comes before all layers, or after the colon of one",
        ),
        (
            "3x relu 28x28x3@a",
            "layer 4, '28x28x3@a': '28x28x3' is a size; it comes before all layers, or after the colon of one",
        ),
        ("8x8x8x8", "layer 1, '8x8x8x8': unknown layer '8x8x8x8'"),
        # Brackets.
        ("conv:[0 1", "'conv:[0 1': '[' is never closed"),
        ("relu conv:[[0]", "'conv:[[0]': '[' is never closed"),
        ("conv:0]", "'conv:0]': ']' at position 7 has no '[' before it"),
        # Names.
        ("relu@", "layer 1, 'relu@': '@' is not a name of letters, digits, '_', '.' and '-', as in @conv1"),
        (
            "relu@1a",
            "layer 1, 'relu@1a': '@1a' is not a name of letters, digits, '_', '.' and '-', as in @conv1",
        ),
        (
            "relu@a@b",
            "layer 1, 'relu@a@b': '@a@b' is not a name of letters, digits, '_', '.' and '-', as in @conv1",
        ),
        (
            "tanh relu@é",
            "layer 2, 'relu@é': '@é' is not a name of letters, digits, '_', '.' and '-', as in @conv1",
        ),
        ("@a", "layer 1, '@a': unknown layer ''"),
        ("relu@a tanh@a", "2 layers have the name @a; names must differ"),
        ("2x relu@a tanh@a.1", "2 layers have the name @a.1; names must differ"),
        ("2x relu@a+tanh@a", "2 layers have the name @a.1; names must differ"),
        ("relu@a res(tanh@a)", "2 layers have the name @a; names must differ"),
        ("res(relu@a | relu@a)", "2 layers have the name @a; names must differ"),
        ("res(relu@a)@a", "2 layers have the name @a; names must differ"),
        ("res(relu)@relu1", "2 layers have the name @relu1; names must differ"),
        ("res(relu@res1)", "2 layers have the name @res1; names must differ"),
        ("res(2x relu@a)+tanh@a.2", "2 layers have the name @a.2; names must differ"),
        ("3x res(relu@a)+res(relu@a)", "2 layers have the name @a.1; names must differ"),
        (
            "res(relu)@1",
            "layer 2, 'res(...)': '@1' is not a name of letters, digits, '_', '.' and '-', as in @conv1",
        ),
        (
            "res(relu)@",
            "layer 2, 'res(...)': '@' is not a name of letters, digits, '_', '.' and '-', as in @conv1",
        ),
        (
            "cat(relu)@a@b",
            "layer 2, 'cat(...)': '@a@b' is not a name of letters, digits, '_', '.' and '-', as in @conv1",
        ),
        ("res(relu) @a", "layer 3, '@a': unknown layer ''"),
        # Blocks.
        ("res(relu", "'res(' is never closed; ')' ends a block"),
        ("res(relu | cat(tanh)", "'res(' is never closed; ')' ends a block"),
        ("res(cat(relu | tanh", "'cat(' is never closed; ')' ends a block"),
        ("relu)", "')' is outside of a block, as in res(relu | tanh)"),
        ("res(relu))", "')' is outside of a block, as in res(relu | tanh)"),
        (") relu", "')' is outside of a block, as in res(relu | tanh)"),
        ("res()", "layer 1, 'res(...)': res has no layer in its only branch"),
        ("relu cat( # note |\n )", "layer 2, 'cat(...)': cat has no layer in its only branch"),
        ("9x res()", "layer 1, 'res(...)': res has no layer in its only branch"),
        ("cat( | res())", "layer 1, 'res(...)': res has no layer in its only branch"),
        ("res", "layer 1, 'res': res needs its branches directly after it, as in res(conv:3x3,p1 | conv:1x1)"),
        (
            "relu cat@a",
            "layer 2, 'cat@a': cat needs its branches directly after it, as in cat(conv:3x3,p1 | conv:1x1)",
        ),
        ("res (relu)", "layer 1, 'res': '(' follows res directly, without white space"),
        ("cat\n(relu)", "layer 1, 'cat': '(' follows cat directly, without white space"),
        ("2xres(relu)", "layer 1, '2xres': a repeat is a word of its own: '2x res('"),
        ("tanh 12xcat(relu)", "layer 2, '12xcat': a repeat is a word of its own: '12x cat('"),
        ("2x (relu)", "layer 1, '(': '(' begins the branches of res or cat; elsewhere it must be inside [...]"),
        ("(relu)", "layer 1, '(': '(' begins the branches of res or cat; elsewhere it must be inside [...]"),
        (
            "relu (tanh)",
            "layer 1, 'relu': '(' begins the branches of res or cat; elsewhere it must be inside [...]",
        ),
        (
            "conv:a(1).txt",
            "layer 1, 'conv:a': '(' begins the branches of res or cat; elsewhere it must be inside [...]",
        ),
        (
            "rse(relu)",
            "layer 1, 'rse': '(' begins the branches of res or cat; elsewhere it must be inside [...]; nearest: res",
        ),
        (
            "cta(relu)",
            "layer 1, 'cta': '(' begins the branches of res or cat; elsewhere it must be inside [...]; nearest: cat",
        ),
        (
            "res:2(relu)",
            "layer 1, 'res:2': '(' begins the branches of res or cat; elsewhere it must be inside [...]; nearest: res",
        ),
        ("res(relu)tanh", "'tanh' directly follows ')'; layers are separated by white space or +"),
        ("res(relu)res(tanh)", "'res' directly follows ')'; layers are separated by white space or +"),
        ("res(relu)#note", "'#note' directly follows ')'; layers are separated by white space or +"),
        ("res(relu+)", "layer 2: a layer is missing beside '+', which joins two layers without white space"),
        ("res(+relu)", "layer 1: a layer is missing beside '+', which joins two layers without white space"),
        ("res(relu)+ tanh", "layer 3: a layer is missing beside '+', which joins two layers without white space"),
        ("res(relu) +tanh", "layer 3: a layer is missing beside '+', which joins two layers without white space"),
        ("res(relu+|tanh)", "layer 2: a layer is missing beside '+', which joins two layers without white space"),
        ("res(2x)", "nothing follows '2x'; a layer to repeat is needed after it"),
        ("res(2x | relu)", "nothing follows '2x'; a layer to repeat is needed after it"),
        ("res(relu | tnah)", "layer 2, 'tnah': unknown layer 'tnah'; nearest: tanh"),
        ("res(relu | tanh) tnah", "layer 4, 'tnah': unknown layer 'tnah'; nearest: tanh"),
        ("3x res(relu | tanh) tnah", "layer 10, 'tnah': unknown layer 'tnah'; nearest: tanh"),
        (
            "res(2x tanh res(3x relu+conv:3x3,s0))",
            "layer 4, 'conv:3x3,s0': stride 0 is below 1, the least that is allowed",
        ),
        ("2x(relu tanh)", "'(' directly follows '2x'; layers are separated by white space or +"),
        ("2x+relu", "'+' directly follows '2x'; layers are separated by white space or +"),
        ("relu | tanh", "'|' is outside of a block, as in res(relu | tanh)"),
        # More layers than there can be: nothing is built before it is counted.
        ("99999999999x res(relu)", "'99999999999x': more than 10000 layers in all are not allowed"),
        ("5000x res(relu) relu", "'relu': more than 10000 layers in all are not allowed"),
        ("100x res(100x relu)", "'100x': more than 10000 layers in all are not allowed"),
        ("99x res(100x relu) res(relu)", "'res': more than 10000 layers in all are not allowed"),
        ("9999x relu res(relu)", "'res': more than 10000 layers in all are not allowed"),
        ("9x res(9x res(9x res(9x res(9x relu))))", "'9x': more than 10000 layers in all are not allowed"),
        # Chains.
        ("relu++tanh", "layer 2: a layer is missing beside '+', which joins two layers without white space"),
        ("+relu", "layer 1: a layer is missing beside '+', which joins two layers without white space"),
        ("relu+", "layer 2: a layer is missing beside '+', which joins two layers without white space"),
        # Numbers that say nothing.
        ("conv:3x3,s0", "layer 1, 'conv:3x3,s0': stride 0 is below 1, the least that is allowed"),
        ("conv:3x3,s1x0", "layer 1, 'conv:3x3,s1x0': stride 0 is below 1, the least that is allowed"),
        ("conv:3x3,s-1", "layer 1, 'conv:3x3,s-1': stride -1 is below 1, the least that is allowed"),
        ("conv:3x3,p-1", "layer 1, 'conv:3x3,p-1': padding -1 is below 0, the least that is allowed"),
        ("conv:3x3,p=0/0/0/-1", "layer 1, 'conv:3x3,p=0/0/0/-1': padding -1 is below 0, the least that is allowed"),
        ("conv:3x3,g0", "layer 1, 'conv:3x3,g0': groups 0 is below 1, the least that is allowed"),
        ("conv:3x3,g2x3", "layer 1, 'conv:3x3,g2x3': groups '2x3' is not one number"),
        ("conv:3x3,d0", "layer 1, 'conv:3x3,d0': dilation 0 is below 1, the least that is allowed"),
        ("conv:0x3", "layer 1, 'conv:0x3': size 0 is below 1, the least that is allowed"),
        ("conv:3x3,0", "layer 1, 'conv:3x3,0': number of outputs 0 is below 1, the least that is allowed"),
        ("conv:3x3,-1", "layer 1, 'conv:3x3,-1': number of outputs -1 is below 1, the least that is allowed"),
        ("conv:3x3,1.5", "layer 1, 'conv:3x3,1.5': number of outputs 1.5 is not a whole number up to 1000000000"),
        ("dwconv:3x3,0", "layer 1, 'dwconv:3x3,0': number of outputs 0 is below 1, the least that is allowed"),
        ("maxpool:0", "layer 1, 'maxpool:0': kernel size 0 is below 1, the least that is allowed"),
        ("maxpool:2.5", "layer 1, 'maxpool:2.5': window 2.5 is not a whole number up to 1000000000"),
        ("linear:0", "layer 1, 'linear:0': number of outputs 0 is below 1, the least that is allowed"),
        ("channelmax:0", "layer 1, 'channelmax:0': number of channels 0 is below 1, the least that is allowed"),
        ("conv:3x3,sx2", "layer 1, 'conv:3x3,sx2': stride 'x2' is neither a number nor HxW, such as 3 or 3x2"),
        ("conv:3x3,d2.5", "layer 1, 'conv:3x3,d2.5': dilation '2.5' is neither a number nor HxW, such as 3 or 3x2"),
        ("conv:3x3,s100001", "layer 1, 'conv:3x3,s100001': stride 100001 is above 100000, the most that is allowed"),
        # What is missing, and what is too much.
        ("conv", "layer 1, 'conv': a kernel size such as 3x3, or a kernel such as sobel-x, is needed"),
        (
            "conv:16",
            "layer 1, 'conv:16': 16 is not a window; conv:16x16 is a window, conv:3x3,16 has 16 outputs",
        ),
        (
            "dwconv:2,s2",
            "layer 1, 'dwconv:2,s2': 2 is not a window; dwconv:2x2 is a window, dwconv:3x3,2 has 2 outputs",
        ),
        # Kernels and PyTorch's modules as layers.
        (
            "edge,same",
            "layer 1, 'edge,same': edge is a kernel; dwconv:edge,same filters each channel with it, conv:edge,same "
            "sums the channels",
        ),
        ("relu Conv2d(3,16,3)", "layer 2, 'Conv2d': Conv2d(3,16,3) is written conv:3x3,16"),
        ("nn.ReLU", "layer 1, 'nn.ReLU': nn.ReLU is written relu"),
        (
            "conv:edge, relu",
            "layer 1, 'conv:edge,': an option is missing; there is no blank after a comma, as in conv:sobel-x,same",
        ),
        ("maxpool", "layer 1, 'maxpool': one window is needed, as in maxpool:2 or maxpool:3x2"),
        ("maxpool:2,2x2", "layer 1, 'maxpool:2,2x2': one window is needed, as in maxpool:2 or maxpool:3x2"),
        ("linear", "layer 1, 'linear': the number of outputs is needed, as in linear:10"),
        (
            "conv:3,3",
            "layer 1, 'conv:3,3': '3' is a second bare number; a kernel or window size is written 3x3",
        ),
        (
            "maxpool:2,1",
            "layer 1, 'maxpool:2,1': '1' is a second bare number; a kernel or window size is written 3x3",
        ),
        (
            "conv:3x3,2,bias=1,0",
            "layer 1, 'conv:3x3,2,bias=1,0': '0' is a second bare number; several biases are written bias=[1 0]",
        ),
        # Options that a layer does not have.
        ("relu:3", "layer 1, 'relu:3': relu has no number"),
        ("bn:3x3", "layer 1, 'bn:3x3': bn has no size"),
        ("relu:s2", "layer 1, 'relu:s2': relu has no stride"),
        ("dwconv:3x3,g2", "layer 1, 'dwconv:3x3,g2': dwconv has no groups"),
        ("conv:3x3,ceil", "layer 1, 'conv:3x3,ceil': conv has no ceil"),
        ("maxpool:2,countpad", "layer 1, 'maxpool:2,countpad': maxpool has no countpad"),
        ("maxpool:2,border=edge", "layer 1, 'maxpool:2,border=edge': maxpool has no border"),
        ("linear:3,flip", "layer 1, 'linear:3,flip': linear has no flip"),
        ("relu:nan", "layer 1, 'relu:nan': unknown option 'nan'"),
        # Options that contradict each other.
        ("conv:3x3,bias=1,nobias", "layer 1, 'conv:3x3,bias=1,nobias': bias= and nobias contradict each other"),
        ("conv:edge,nobias,bias=0", "layer 1, 'conv:edge,nobias,bias=0': bias= and nobias contradict each other"),
        (
            "conv:edge,blur",
            "layer 1, 'conv:edge,blur': the kernels of one layer need one size: edge is 3x3, blur is 5x5",
        ),
        (
            "conv:edge,line,bias=1,0",
            "layer 1, 'conv:edge,line,bias=1,0': the number of outputs follows from the kernels; leave it out; several "
            "biases are written in brackets, as in bias=[1 0]",
        ),
        (
            "conv:bank,bias=[1 0]",
            "layer 1, 'conv:bank,bias=[1 0]': bias has 2 numbers, for 8 outputs; give one number, or one for each "
            "output",
        ),
        (
            "dwconv:edge,line,bias=[1]",
            "layer 1, 'dwconv:edge,line,bias=[1]': bias has 1 number, for 2 kernels; give one number, or one for each "
            "kernel",
        ),
        ("conv:edge,16", "layer 1, 'conv:edge,16': the number of outputs follows from the kernels; leave it out"),
        ("conv:wide,5x5", "layer 1, 'conv:wide,5x5': the size given is not the 3x5 of kernel wide"),
        ("conv:edge,5x5", "layer 1, 'conv:edge,5x5': the size given is not the 3x3 of kernel edge"),
        (
            "dwconv:bank",
            "layer 1, 'dwconv:bank': kernel bank has 3x3x3x8 weights; dwconv takes a single slice, conv takes more",
        ),
        # Values that are none.
        ("conv:3x3,bias=x", "layer 1, 'conv:3x3,bias=x': bias: 'x' is not a number"),
        (
            "conv:3x3,2,bias=[1 x]",
            "layer 1, 'conv:3x3,2,bias=[1 x]': bias=[1 x]: 'x' is not a number; a bias for each output is written "
            "bias=[1 0]",
        ),
        ("conv:3x3,bias=nan", "layer 1, 'conv:3x3,bias=nan': bias: 'nan' is not a number"),
        ("conv:3x3,bias=", "layer 1, 'conv:3x3,bias=': bias: '' is not a number"),
        (
            "conv:3x3,bias=1e999",
            "layer 1, 'conv:3x3,bias=1e999': bias: '1e999' is beyond the largest number that can be held",
        ),
        ("conv:3x3,normalize=mean", "layer 1, 'conv:3x3,normalize=mean': normalize=mean is unknown: none, sum, abs"),
    ],
)
def test_a_mistake_is_told_in_one_line(text: str, message: str) -> None:
    assert refusal(text) == message


def test_as_many_layers_as_allowed_are_allowed() -> None:
    assert len(parse("100x res(99x relu)").names) == 10_000
    assert len(parse(f"{MOST_LAYERS - 2}x relu tanh+abs").layers) == MOST_LAYERS == 10_000


@pytest.mark.parametrize(
    "text",
    [
        "conv:3x3,1e999",
        "leakyrelu:-1e999",
        f"{ENDLESS}x relu",
        f"{ENDLESS}x res({ENDLESS}x relu)",
        "res(" * 5000,
        "res(" * 5000 + "relu" + ")" * 5000,
        ")" * 5000,
        "res(|" * 5000,
        "[" * 5000,
        "conv:" + "[" * 5000 + "]" * 5000,
        f"dropout:{ENDLESS}",
        f"lrn:{ENDLESS}",
        "lrn:alpha=1e999",
        f"conv:{ENDLESS}x3",
        f"conv:3x3,{ENDLESS}",
        f"maxpool:2,s{ENDLESS}",
        f"conv:3x3,p=1/1/1/{ENDLESS}",
        f"conv:3x3,g{ENDLESS}",
        f"relu@{ENDLESS}",
        f"conv:{'a' * 300}",
        f"conv:{'a' * 5000}.txt",
        "conv:a/\0",
        "conv:\ud800",
    ],
    ids=lambda text: ascii(text)[1:20],
)
def test_numbers_and_names_beyond_all_bounds_are_refused_like_any_other(text: str) -> None:
    with pytest.raises(LanguageError):
        cnnfilter.network(text)


SIGNS = (
    "(",
    ")",
    "|",
    "res(",
    "cat(",
    " | ",
    ":",
    ",",
    "+",
    "@",
    "[",
    "]",
    "#",
    "=",
    " ",
    "\n",
    "/",
    ";",
    "-",
    ".",
    "2x",
    "0x",
    "é",
    "\t",
    "\u2028",
    "'",
)
OPTIONS = (
    *("3x3", "2", "17", "s2", "s0", "p1", "p=1/0/0/1", "same", "half", "d2", "g1", "nobias", "flip", "ceil"),
    *(
        "countpad",
        "bias=1/3",
        "bias=[1 0]",
        "border=constant:1",
        "border=x",
        "normalize=sum",
        "edge",
        "line",
        "blur",
        "bank",
        "[same]",
    ),
)

LIKELY_LAYERS = st.builds(
    lambda op, options, name: ":".join([op, *([",".join(options)] if options else [])]) + name,
    st.sampled_from([*OPS, "fc", "flatn"]),
    st.lists(st.sampled_from(OPTIONS), max_size=3),
    st.sampled_from(["", "", "", "@a", "@b.1"]),
)
TEXTS = st.one_of(
    st.lists(LIKELY_LAYERS, max_size=2).map("+".join),
    st.recursive(
        LIKELY_LAYERS,
        lambda inner: st.builds(
            lambda op, branches, end: f"{op}({'|'.join(branches)}{end}",
            st.sampled_from(["res", "cat", "2x res", "rse"]),
            st.lists(st.lists(inner, max_size=2).map(" ".join), min_size=1, max_size=3),
            st.sampled_from([")", ")", ")", ")@a", ")+relu", ""]),
        ),
        max_leaves=6,
    ),
    st.lists(LIKELY_LAYERS | st.sampled_from(["2x", "# note\n", "relu"]), max_size=3).map(" ".join),
    st.lists(st.sampled_from([*OPS, *OPTIONS, *SIGNS]), max_size=12).map("".join),
)


def outcome(text: str) -> Network | str:
    """Return the network, or the complaint."""
    try:
        return parse(text)
    except LanguageError as error:
        return str(error)


@settings(max_examples=300)
@given(TEXTS)
def test_every_text_is_a_network_or_one_line_of_complaint(text: str) -> None:
    result = outcome(text)
    if isinstance(result, Network):
        assert parse(str(result)) == result
    else:
        assert result.splitlines() == [result]


def test_a_comment_ends_with_the_item_of_a_list_it_stands_in() -> None:
    network = parse_network(["relu # not the end", "tanh"], kernel_shape)
    assert [layer.op for layer in network.layers] == ["relu", "tanh"]


def test_the_lines_of_a_matrix_in_brackets_are_its_rows() -> None:
    network = cnnfilter.network("conv:[1 0\n0 2]\nrelu")
    assert network.run(np.array([[1.0, 5.0], [7.0, 3.0]])).tolist() == [[7.0]]


class TestLines:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("relu\ntanh\nabss", "line 3, layer 3, 'abss': unknown layer 'abss'; nearest: abs"),
            ("# a\n\n# b\n  relu+\n", "line 4, layer 2: a layer is missing beside '+', which joins two"),
            ("conv:[0 1\n1 0],same\nabss", "line 3, layer 2, 'abss'"),
            ("conv:[0 1\n1 0],smae\nabs", "line 1, layer 1, 'conv:[0 1\\n1 0],smae'"),
            ("3x\nrelu\ntanh 0x\nrelu", "line 3, '0x' repeats nothing"),
            ("relu\n2x\n", "line 2, nothing follows '2x'"),
            ("relu\n\n2x 3x\nrelu", "line 3, '3x' follows another repeat"),
            ("relu\n9999x tanh\nabs", "line 3, 'abs': more than 10000 layers"),
            ("relu\n99999x\n\ntanh", "line 2, '99999x': more than 10000 layers"),
            ("relu\nres(tanh\n|\nabs", "line 2, 'res(' is never closed"),
            ("relu\nres(tanh\n|\nabs\n)\n)", "line 6, ')' is outside of a block"),
            ("res(tanh\n|\nabs+tnah)", "line 3, layer 3, 'tnah'"),
            ("relu\nres(\n\n)\n", "line 2, layer 2, 'res(...)': res has no layer in its only branch"),
            ("relu\nres(\ntanh)@\n", "line 2, layer 3, 'res(...)': '@' is not a name"),
            ("relu\nrelu (\ntanh)", "line 2, layer 2, 'relu': '(' begins the branches of res or cat"),
            ("relu\n" + "res(\n" * 51, "line 52, more than 50 blocks within each other"),
            ("relu\nconv:[0 1\n1 0\ntanh", "line 2, 'conv:[0 1"),
            ("relu\nconv:[0 1\n1 0]\ntanh]", "line 4, 'tanh]': ']' at position 5 has no '[' before it"),
            ("relu\nconv:[0 1\n" + "tanh\n" * 1000, "line 2, 'conv:[0 1"),
            ("relu\nres(tanh)abs", "line 2, 'abs' directly follows ')'"),
        ],
    )
    def test_an_error_in_a_text_of_lines_names_the_line(self, text: str, message: str) -> None:
        with pytest.raises(LanguageError) as caught:
            parse_network(text, kernel_shape, lines=True)
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 150

    @settings(max_examples=200)
    @given(TEXTS, st.booleans())
    def test_with_lines_or_without_the_same_is_read(self, text: str, lines: bool) -> None:
        try:
            found: Network | str = parse_network(text, kernel_shape, lines=lines)
        except LanguageError as error:
            found = str(error)
        expected = outcome(text)
        if isinstance(found, Network):
            assert found == expected
        else:
            assert isinstance(expected, str)
            assert found.endswith(expected)


@pytest.mark.parametrize("text", ["deconv:3x3,sobel-x", "deconv:[1 2;3 4]"])
def test_a_transposed_convolution_takes_no_kernels(text: str) -> None:
    with pytest.raises(LanguageError, match="deconv takes no kernels by name; conv and dwconv do"):
        cnnfilter.network(text)
