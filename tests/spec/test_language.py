"""The layer language: what its words mean, and what is said of words that mean nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.errors import KernelError, LanguageError, nearest
from cnnfilter.spec.borders import Border, BorderMode
from cnnfilter.spec.convolutions import Conv, DepthwiseConv, KernelWord, Normalization
from cnnfilter.spec.geometry import PaddingWord, Window
from cnnfilter.spec.language import MOST_LAYERS, OPS, parse_network, split_words
from cnnfilter.spec.layers import Activation, BatchNorm, Flatten, Function, Gray, Layer, Linear, Softmax
from cnnfilter.spec.network import Network
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode

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
    "conv:3x3,border=reflect": conv(THREE, border=Border(BorderMode.REFLECT)),
    "conv:3x3,border=constant:0.5": conv(THREE, border=Border(BorderMode.CONSTANT, 0.5)),
    "conv:3x3,flip": conv(THREE, flip=True),
    "conv:3x3,normalize=abs": conv(THREE, normalize=Normalization.ABS),
    "conv:edge": Conv(window=THREE, kernels=bank("edge")),
    "conv:edge,line": Conv(window=THREE, kernels=bank("edge", "line")),
    "conv:edge,s2,edge": Conv(window=Window((3, 3), stride=(2, 2)), kernels=bank("edge", "edge")),
    "conv:edge,3x3": Conv(window=THREE, kernels=bank("edge")),
    "conv:edge,bias=2": Conv(window=THREE, kernels=bank("edge"), bias=2.0),
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
}


@pytest.mark.parametrize("text", LAYERS)
def test_a_word_is_a_layer(text: str) -> None:
    assert parse(text).layers == (LAYERS[text],)


def test_every_op_is_in_the_table_above() -> None:
    assert {layer.op for layer in LAYERS.values()} == set(OPS)


def test_kernels_keep_their_order() -> None:
    assert parse("conv:edge,line") != parse("conv:line,edge")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \n\t ", []),
        ("relu", ["relu"]),
        ("relu\ttanh\nabs", ["relu", "tanh", "abs"]),
        ("conv:[0 1; 1 0],same relu", ["conv:[0 1; 1 0],same", "relu"]),
        ("conv:[a [b c] d] relu", ["conv:[a [b c] d]", "relu"]),
        ("relu # tanh", ["relu"]),
        ("# relu", []),
        ("# a note\nrelu", ["relu"]),
        ("relu # a note\ntanh", ["relu", "tanh"]),
        ("relu #a #b\ntanh", ["relu", "tanh"]),
        ("conv:a#b", ["conv:a#b"]),
        ("conv:[a #b] relu", ["conv:[a #b]", "relu"]),
        ("relu # a [note", ["relu"]),
        ("relu # a note]", ["relu"]),
        ("relu #] and #[", ["relu"]),
        ("relu #[note", ["relu"]),
    ],
)
def test_white_space_parts_words_and_a_hash_at_the_start_of_one_begins_a_comment(text: str, words: list[str]) -> None:
    assert split_words(text) == words


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
        ("10001x relu", "'relu': more than 10000 layers in all are not allowed"),
        ("5001x relu+tanh", "'relu+tanh': more than 10000 layers in all are not allowed"),
        ("10000x relu tanh", "'tanh': more than 10000 layers in all are not allowed"),
        ("99999999999999999999x relu", "'relu': more than 10000 layers in all are not allowed"),
        # Brackets.
        ("conv:[0 1", "'conv:[0 1': '[' is never closed"),
        ("relu conv:[[0]", "'relu conv:[[0]': '[' is never closed"),
        ("conv:0]", "'conv:0]': ']' at place 7 has no partner"),
        # Names.
        ("relu@", "layer 1, 'relu@': '@' is no name; letters, digits, '_', '.' and '-' are, as in @conv1"),
        ("relu@1a", "layer 1, 'relu@1a': '@1a' is no name; letters, digits, '_', '.' and '-' are, as in @conv1"),
        ("relu@a@b", "layer 1, 'relu@a@b': '@a@b' is no name; letters, digits, '_', '.' and '-' are, as in @conv1"),
        ("tanh relu@é", "layer 2, 'relu@é': '@é' is no name; letters, digits, '_', '.' and '-' are, as in @conv1"),
        ("@a", "layer 1, '@a': unknown layer ''"),
        ("relu@a tanh@a", "2 layers have the name @a; names must differ"),
        ("2x relu@a tanh@a.1", "2 layers have the name @a.1; names must differ"),
        ("2x relu@a+tanh@a", "2 layers have the name @a.1; names must differ"),
        # Chains.
        ("relu++tanh", "layer 2, '': a layer is missing beside '+', which stands between two without white space"),
        ("+relu", "layer 1, '': a layer is missing beside '+', which stands between two without white space"),
        ("relu+", "layer 2, '': a layer is missing beside '+', which stands between two without white space"),
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
        ("conv:16", "layer 1, 'conv:16': a kernel size such as 3x3, or a kernel such as sobel-x, is needed"),
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
        ("conv:edge,16", "layer 1, 'conv:edge,16': the number of outputs follows from the kernels; leave it out"),
        ("conv:wide,5x5", "layer 1, 'conv:wide,5x5': the size given is not the 3x5 of kernel wide"),
        ("conv:edge,5x5", "layer 1, 'conv:edge,5x5': the size given is not the 3x3 of kernel edge"),
        (
            "dwconv:bank",
            "layer 1, 'dwconv:bank': kernel bank has 3x3x3x8 weights; dwconv takes a single slice, conv takes more",
        ),
        # Values that are none.
        ("conv:3x3,bias=x", "layer 1, 'conv:3x3,bias=x': bias: 'x' is no number"),
        ("conv:3x3,bias=nan", "layer 1, 'conv:3x3,bias=nan': bias: 'nan' is no number"),
        ("conv:3x3,bias=", "layer 1, 'conv:3x3,bias=': bias: '' is no number"),
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
    assert len(parse(f"{MOST_LAYERS - 2}x relu tanh+abs").layers) == MOST_LAYERS == 10_000


@pytest.mark.parametrize(
    "text",
    [
        "conv:3x3,1e999",
        "leakyrelu:-1e999",
        f"{ENDLESS}x relu",
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


SIGNS = (":", ",", "+", "@", "[", "]", "#", "=", " ", "\n", "/", ";", "-", ".", "2x", "0x", "é", "\t", "\u2028", "'")
OPTIONS = (
    *("3x3", "2", "17", "s2", "s0", "p1", "p=1/0/0/1", "same", "half", "d2", "g1", "nobias", "flip", "ceil"),
    *(
        "countpad",
        "bias=1/3",
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
