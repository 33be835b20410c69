"""Layers written as tables: the words of the language that they come to."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnfilter.errors import LanguageError
from cnnfilter.kernels.spec import load_kernel
from cnnfilter.network_files import OPTION_KEYS, as_text, write_network
from cnnfilter.nn.geometry import Padding, PaddingWord
from cnnfilter.nn.language import OPS, parse_network
from cnnfilter.nn.layer_options import FLAGS
from cnnfilter.nn.layers import Block, Branch, Conv, Convolution, DepthwiseConv, Layer, Normalization
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import GroupNorm, InstanceNorm, LocalResponseNorm, Norm
from cnnfilter.nn.other_layers import SLOPES, Activation, ChannelPool, Dropout, Linear, Pool, PRelu
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Upsample
from tests.nn.strategies import ANY_KERNELS, kernel_shape, networks

Table = dict[str, Any]


def written(*layers: object) -> str:
    """Return the text of layers, in one line."""
    return write_network({"layers": list(layers)}).replace("\n", " ")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"op": "relu"}, "relu"),
        ({"op": "relu", "name": "a"}, "relu@a"),
        ({"op": "relu", "repeat": 3}, "3x relu"),
        ({"op": "relu", "repeat": 1, "name": "a.b"}, "relu@a.b"),
        ({"op": "bn", "eps": 1e-3}, "bn:eps=0.001"),
        ({"op": "conv", "size": 3}, "conv:3x3"),
        ({"op": "conv", "size": "3"}, "conv:3x3"),
        ({"op": "conv", "size": "3x5"}, "conv:3x5"),
        ({"op": "conv", "size": [3, 5]}, "conv:3x5"),
        ({"op": "conv", "kernel": 3, "outputs": 16}, "conv:3x3,16"),
        ({"op": "dwconv", "kernel": [3, 3], "outputs": 2}, "dwconv:3x3,2"),
        ({"op": "conv", "size": 3, "stride": 2}, "conv:3x3,s2"),
        ({"op": "conv", "size": 3, "stride": [2, 1]}, "conv:3x3,s2x1"),
        ({"op": "conv", "size": 3, "padding": 1}, "conv:3x3,p=1"),
        ({"op": "conv", "size": 3, "padding": [1, 0]}, "conv:3x3,p=1x0"),
        ({"op": "conv", "size": 3, "padding": [0, 1, 2, 3]}, "conv:3x3,p=0/1/2/3"),
        ({"op": "conv", "size": 3, "padding": "same"}, "conv:3x3,p=same"),
        ({"op": "conv", "size": 3, "dilation": 2, "groups": 4}, "conv:3x3,d2,g4"),
        ({"op": "conv", "size": 3, "bias": False}, "conv:3x3,nobias"),
        ({"op": "conv", "size": 3, "bias": True}, "conv:3x3"),
        ({"op": "conv", "size": 3, "bias": 0.5}, "conv:3x3,bias=0.5"),
        ({"op": "conv", "size": 3, "bias": "1/2"}, "conv:3x3,bias=1/2"),
        ({"op": "conv", "size": 3, "outputs": 2, "bias": [1, "1/4"]}, "conv:3x3,2,bias=[1 0.25]"),
        ({"op": "conv", "size": 3, "border": "constant:1"}, "conv:3x3,border=constant:1"),
        ({"op": "conv", "size": 3, "flip": True, "normalize": "abs"}, "conv:3x3,flip,normalize=abs"),
        ({"op": "conv", "size": 3, "flip": False, "nobias": True}, "conv:3x3,nobias"),
        ({"op": "conv", "kernel": "sobel-x"}, "conv:[sobel-x]"),
        ({"op": "conv", "kernel": "a b,c+d@e(f|g)#h"}, "conv:[a b,c+d@e(f|g)#h]"),
        ({"op": "conv", "kernels": ["sobel-x", "sobel-y"]}, "conv:[sobel-x],[sobel-y]"),
        ({"op": "conv", "kernels": ["same", [[1, 2]]]}, "conv:[same],[1 2]"),
        ({"op": "conv", "kernel": "1 2; 3 4"}, "conv:[1 2; 3 4]"),
        ({"op": "conv", "kernel": "\n1 2\n3 4\n"}, "conv:[ 1 2 3 4 ]"),
        ({"op": "conv", "kernel": [[0, -1, 0.5]]}, "conv:[0 -1 0.5]"),
        ({"op": "conv", "kernel": [[1, 2], [3, 4]]}, "conv:[1 2; 3 4]"),
        ({"op": "maxpool", "size": 2}, "maxpool:2"),
        ({"op": "maxpool", "size": [3, 2], "stride": 1, "ceil": True}, "maxpool:3x2,s1,ceil"),
        ({"op": "avgpool", "size": 2, "countpad": True, "ceil": False}, "avgpool:2,countpad"),
        ({"op": "linear", "outputs": 10}, "linear:10"),
        ({"op": "fc", "outputs": 10, "bias": False}, "fc:10,nobias"),
        ({"op": "leakyrelu", "slope": 0.2}, "leakyrelu:0.2"),
        ({"op": "dropout", "rate": 0.1}, "dropout:0.1"),
        ({"op": "lrn", "size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2}, "lrn:5,alpha=0.0001,beta=0.75,k=2"),
        ({"op": "channelmax", "size": 2}, "channelmax:2"),
        ({"op": "res", "body": ["relu"]}, "res(relu )"),
        ({"op": "res", "body": "relu tanh"}, "res(relu tanh )"),
        ({"op": "res", "body": ["relu", {"op": "tanh"}], "name": "a", "repeat": 2}, "2x res(relu tanh )@a"),
        ({"op": "cat", "branches": [["relu", "abs"], "tanh", []]}, "cat(relu abs |tanh | )"),
        ({"op": "cat", "branches": [[{"op": "res", "body": ["relu"]}]]}, "cat(res(relu ) )"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_table_comes_to_words_of_the_language(table: Table, text: str) -> None:
    assert written(table) == text


def test_texts_and_tables_stand_in_one_list() -> None:
    assert written("relu # a note", {"op": "tanh"}, "2x abs+gelu") == "relu # a note tanh 2x abs+gelu"
    assert write_network({"layers": "relu tanh"}) == "relu tanh"
    assert write_network({"layers": []}) == ""
    assert write_network({"network": "relu", "layers": 3}) == "relu"


@pytest.mark.parametrize(
    "table",
    [
        {"op": "res", "branches": [["relu # note"], ["tanh # note"]]},
        {"op": "res", "branches": ["relu # note", "tanh # note"]},
        {"op": "res", "branches": [["# note\nrelu", "# note"], ["tanh", "# note"]]},
    ],
    ids=str,
)
def test_a_comment_ends_with_its_item(table: Table) -> None:
    assert str(parse_network(written(table) and write_network({"layers": [table]}), kernel_shape)) == "res(relu | tanh)"


KNOWN = ", ".join([*OPTION_KEYS, *FLAGS, "kernel", "kernels", "size", "name", "repeat"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3, 'a layer is a text or a table with op, such as {op = "relu"}, not 3'),
        (None, 'a layer is a text or a table with op, such as {op = "relu"}, not None'),
        (["relu"], "a layer is a text or a table with op, such as {op = \"relu\"}, not ['relu']"),
        ({}, 'a layer is a text or a table with op, such as {op = "relu"}, not {}'),
        ({"op": 3}, "a layer is a text or a table with op, such as {op = \"relu\"}, not {'op': 3}"),
        ({"op": ""}, "unknown layer ''"),
        ({"op": "rleu"}, "unknown layer 'rleu'; nearest: relu"),
        ({"op": "relu tanh"}, "unknown layer 'relu tanh'"),
        ({"op": "#relu"}, "unknown layer '#relu'; nearest: relu"),
        ({"op": "conv:3x3"}, "unknown layer 'conv:3x3'"),
        ({"op": "res(relu)"}, "unknown layer 'res(relu)'"),
        ({"op": "conv", "name": 3}, "conv: name 3 is not a name"),
        ({"op": "conv", "name": "a tanh"}, "conv: name 'a tanh' is not a name"),
        ({"op": "conv", "name": ""}, "conv: name '' is not a name"),
        ({"op": "conv", "repeat": "2"}, "conv: repeat '2' is not a whole number"),
        ({"op": "conv", "repeat": 2.0}, "conv: repeat 2.0 is not a whole number"),
        ({"op": "conv", "repeat": True}, "conv: repeat True is not a whole number"),
        ({"op": "conv", "strides": 2}, f"conv: unknown key 'strides'; nearest: stride; known are {KNOWN}"),
        ({"op": "conv", "text": "conv:3x3"}, f"conv: unknown key 'text'; known are {KNOWN}"),
        ({"op": "conv", "kernels": "sobel-x"}, "conv: kernels is a list of names and matrices; kernel is one"),
        ({"op": "conv", "size": 3, "stride": None}, "conv: stride None is neither a number, nor a list of two or four"),
        ({"op": "conv", "size": 3, "stride": [1]}, "conv: stride [1] is neither a number, nor a list of two or four"),
        ({"op": "conv", "size": 3, "stride": [1, 2, 3]}, "conv: stride [1, 2, 3] is neither a number, nor a list of"),
        ({"op": "conv", "size": 3, "stride": [1.0, 2]}, "conv: stride [1.0, 2] is neither a number, nor a list of two"),
        ({"op": "conv", "size": 3, "stride": True}, "conv: stride True is neither a number, nor a list of two or four"),
        ({"op": "conv", "size": 3, "flip": 1}, "conv: flip is true or false, not 1"),
        ({"op": "maxpool", "size": 2, "ceil": "yes"}, "maxpool: ceil is true or false, not 'yes'"),
        ({"op": "conv", "kernel": None}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": 2.5}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": True}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": []}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [[]]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [1, 2, 3]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [[1, 2], [3]]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [[1, "b"]]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [[1, True]]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [[1, [2]]]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "conv", "kernel": [[[[[1]]]]]}, "conv: a kernel is a name, a size, or numbers as even lists"),
        ({"op": "res"}, "res has body, a list of layers, or branches, a list of such lists"),
        ({"op": "res", "body": [], "branches": []}, "res has body, a list of layers, or branches"),
        ({"op": "cat", "body": ["relu"], "stride": 2}, "cat has body, a list of layers, or branches"),
        ({"op": "res", "branches": {}}, "res: branches are a list of lists of layers"),
        ({"op": "res", "branches": "relu"}, "res: branches are a list of lists of layers"),
        ({"op": "res", "body": {}}, "layers are a list of texts and tables, not {}"),
        ({"op": "res", "branches": [3]}, "layers are a list of texts and tables, not 3"),
        ({"op": "res", "body": [{"op": "conv", "x": 1}]}, f"item 1, conv: unknown key 'x'; known are {KNOWN}"),
        ({"op": "conv", "kernel": "sobel-x", "bias": True}, "conv: bias = true needs learned weights"),
        ({"op": "conv", "size": 3, "bias": [1, True]}, "conv: bias [1, True] is not a list of numbers"),
        ({"op": "maxpool", "size": 2, "bias": True}, "maxpool: bias = true needs learned weights"),
    ],
    ids=lambda value: json.dumps(value) if not isinstance(value, str) else "",
)
def test_a_wrong_table_is_told(table: object, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        written("relu", table)
    assert str(caught.value).startswith(f"item 2, {message}")
    assert str(caught.value).splitlines() == [str(caught.value)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"op": "relu", "repeat": 0}, "relu: repeat 0 is not a whole number from 1"),
        ({"op": "relu", "repeat": -2}, "relu: repeat -2 is not a whole number from 1"),
        ({"op": "relu", "repeat": 10**9}, "more than 10000 layers"),
        ({"op": "conv", "size": 3, "stride": 0}, "stride 0 is below 1"),
        ({"op": "conv", "size": [0, 3]}, "conv: the sides of a kernel are at least 1, not 0"),
        ({"op": "conv", "size": -1}, "conv: the sides of a kernel are at least 1, not -1"),
        ({"op": "conv", "size": 3, "padding": -1}, "padding -1 is below 0"),
        ({"op": "conv", "size": 3, "padding": "smae"}, "padding 'smae' is unknown"),
        ({"op": "conv", "size": 3, "stride": 2.5}, "stride '2.5' is neither a number nor HxW"),
        ({"op": "conv", "size": 3, "outputs": 2.5}, "number of outputs 2.5 is not a whole number"),
        ({"op": "conv", "size": 3, "ceil": True}, "conv has no ceil"),
        ({"op": "relu", "size": 3}, "relu has no number"),
        ({"op": "res", "body": []}, "res has no layer in its only branch"),
        ({"op": "conv", "kernel": [[float("nan")]]}, "numbers as even lists"),
        ({"op": "conv", "kernel": "a]b["}, "unknown kernel 'a]b['"),
        ({"op": "conv", "kernel": "a]"}, "has no '[' before it"),
        ({"op": "conv"}, "a kernel size such as 3x3, or a kernel such as sobel-x, is needed"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_values_are_judged_by_the_language(table: Table, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_network(write_network({"layers": ["tanh", table]}), lambda word: load_kernel(word).weights.shape)
    assert message in str(caught.value)


def test_a_text_is_a_text() -> None:
    assert as_text({"weights": "w.npz"}, "weights") == "w.npz"
    assert as_text({}, "weights") == ""
    with pytest.raises(LanguageError, match=r"^weights \['w.npz'\] is not a text$"):
        as_text({"weights": ["w.npz"]}, "weights")


NUMBERS = st.integers(-1000, 1000).map(float) | st.floats(allow_nan=False, allow_infinity=False)
SHAPES = st.integers(2, 4).flatmap(lambda dimensions: st.tuples(*[st.integers(1, 4)] * dimensions))


@settings(max_examples=200)
@given(arrays.arrays(np.float64, SHAPES, elements=NUMBERS))
def test_numbers_in_lists_are_the_array_that_numpy_makes_of_them(
    weights: np.ndarray[Any, np.dtype[np.float64]],
) -> None:
    text = written({"op": "conv", "kernel": json.loads(json.dumps(weights.tolist()))})
    (layer,) = parse_network(text, lambda word: load_kernel(word).weights.shape).layers
    assert isinstance(layer, Convolution)
    loaded = load_kernel(layer.kernels[0].text).weights
    assert layer.kernels[0].shape == loaded.shape == weights.shape
    np.testing.assert_array_equal(loaded, weights)


def test_four_dimensions_are_rows_columns_inputs_and_outputs() -> None:
    weights = np.arange(36.0).reshape(3, 2, 2, 3)
    text = written({"op": "conv", "kernel": weights.astype(int).tolist()})
    assert text.startswith("conv:[0 6; 12 18; 24 30;; 3 9; 15 21; 27 33;;; 1 7; ")
    (layer,) = parse_network(text, lambda word: load_kernel(word).weights.shape).layers
    assert isinstance(layer, Conv)
    assert layer.output((9, 9, 2)) == (7, 8, 3)


def as_table(layer: Layer) -> Table:
    """Return a layer as a file may write it, by rules of its own."""
    table: Table = {"op": layer.op}
    if layer.name:
        table["name"] = layer.name
    match layer:
        case Block():
            table["branches"] = [as_tables(branch) for branch in layer.branches]
        case Convolution():
            table |= of_convolution(layer)
        case Pool():
            table |= {"size": list(layer.window.size), "stride": list(layer.window.stride)}
            table |= {"padding": of_padding(layer.window.padding), "dilation": list(layer.window.dilation)}
            table |= (
                {"ceil": layer.window.ceil, "countpad": True}
                if layer.count_include_pad
                else {"ceil": layer.window.ceil}
            )
        case ChannelPool(size=size) if size:
            table["size"] = size
        case Activation(function=function) if function in SLOPES:
            table["slope"] = layer.slope
        case Linear():
            table |= {"outputs": layer.outputs, "bias": layer.bias}
        case Deconv() | Upsample() | AdaptivePool() | PRelu() | Norm():
            table |= of_decoder(layer)
        case Dropout():
            table["rate"] = layer.rate
        case LocalResponseNorm():
            table |= {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta, "k": layer.k}
    return table


def of_decoder(layer: Deconv | Upsample | AdaptivePool | PRelu | Norm) -> Table:
    """Return what a file says of a layer that decodes or normalises."""
    table: Table = {}
    match layer:
        case Deconv():
            table |= {"kernel": list(layer.window.size), "outputs": layer.outputs, "bias": layer.bias}
            table |= {"stride": list(layer.window.stride), "padding": of_padding(layer.window.padding)}
            table |= {"dilation": list(layer.window.dilation), "output_padding": list(layer.output_padding)}
            table["groups"] = layer.groups
        case Upsample():
            table |= {"factor": list(layer.factor), "interpolation": str(layer.interpolation)}
        case AdaptivePool():
            table["size"] = list(layer.size)
        case PRelu():
            table["each"] = layer.each
        case Norm():
            table |= {"eps": layer.eps} | ({"groups": layer.groups} if isinstance(layer, GroupNorm) else {})
            table |= {} if isinstance(layer, InstanceNorm) else {"noaffine": not layer.affine}
    return table


def of_convolution(layer: Convolution) -> Table:
    """Return what a file says of a convolution."""
    table: Table = {"stride": list(layer.window.stride), "padding": of_padding(layer.window.padding)}
    table |= {"dilation": list(layer.window.dilation), "border": str(layer.border)}
    if layer.kernels:
        table["kernels"] = [kernel.text for kernel in layer.kernels]
    else:
        table["size"] = list(layer.window.size)
        table["outputs"] = layer.multiplier if isinstance(layer, DepthwiseConv) else vars(layer)["outputs"]
    if isinstance(layer, Conv):
        table["groups"] = layer.groups
    if layer.bias:
        table["bias"] = list(layer.bias) if isinstance(layer.bias, tuple) else layer.bias
    elif not layer.kernels:
        table["bias"] = layer.learned_bias
    if layer.flip:
        table["flip"] = True
    if layer.normalize is not Normalization.NONE:
        table["normalize"] = str(layer.normalize)
    return table


def of_padding(padding: Padding) -> str | list[int]:
    """Return a padding as a word or as four numbers."""
    return str(padding) if isinstance(padding, PaddingWord) else list(padding)


def as_tables(branch: Branch) -> list[Table]:
    """Return layers in a row as a file may write them."""
    return [as_table(layer) for layer in branch]


UNWRITTEN = {"3x3", "16"}
"""Kernels by these names are sizes in a table."""


@settings(max_examples=200)
@given(networks(tuple(kernel for kernel in ANY_KERNELS if kernel.text not in UNWRITTEN)))
def test_every_network_is_written_as_tables_and_reads_back(network: Network) -> None:
    content: Mapping[str, Any] = json.loads(json.dumps({"layers": as_tables(network.layers)}))
    assert parse_network(write_network(content), kernel_shape) == network


def test_every_option_has_a_key() -> None:
    keys = {*OPTION_KEYS, *FLAGS, "size", "kernels"} - {"outputs", "slope", "rate", "factor"} | {"number"}
    assert set().union(*(op.options for op in OPS.values())) == keys
    assert {"outputs", "slope", "rate", "factor"} <= set(OPTION_KEYS)
    assert "res" not in OPS


@pytest.mark.parametrize(
    "table",
    [
        {"op": "maxpool", "size": 2, "stride": "2 tanh"},
        {"op": "linear", "outputs": "2,nobias"},
        {"op": "conv", "size": 3, "border": "edge,flip"},
    ],
    ids=str,
)
def test_a_text_in_a_table_is_one_value(table: Table) -> None:
    with pytest.raises(LanguageError, match="nor one word"):
        write_network({"layers": [table]})


def test_a_kernel_may_have_fractions() -> None:
    written = write_network({"layers": [{"op": "conv", "kernel": [["1/4", 0], [-1, "1/2"]]}]})
    assert written == "conv:[0.25 0; -1 0.5]"
