"""The words for layers: what each takes, and what it refuses."""

import pytest

from cnnfilter.errors import LanguageError
from cnnfilter.nn.language import OPS, SHORT, build_layer, parse_network
from cnnfilter.nn.layer_options import FLAGS, read_options
from cnnfilter.nn.layers import Function, Layer
from cnnfilter.nn.other_layers import SLOPES
from tests.nn.strategies import kernel_shape

NEEDED = {op: ["3x3"] for op in OPS if op.endswith("conv")} | {op: ["2"] for op in OPS if op.endswith("pool")}
NEEDED |= {"globalmaxpool": [], "globalavgpool": []} | {op: [row.example] for op, row in OPS.items() if row.example}
"""Options without which an op is none."""

WORDS = {
    "size": "5x5",
    "number": "1",
    "stride": "s3",
    "padding": "p1",
    "dilation": "d2",
    "groups": "g2",
    "nobias": "nobias",
    "bias": "bias=2",
    "flip": "flip",
    "normalize": "normalize=abs",
    "border": "border=edge",
    "ceil": "ceil",
    "countpad": "countpad",
    "noaffine": "noaffine",
    "each": "each",
    "interpolation": "bilinear",
    "output_padding": "op1",
    "eps": "eps=1",
    "alpha": "alpha=2",
    "beta": "beta=2",
    "k": "k=2",
    "kernels": "[a kernel]",
}
"""A word for each option."""


def build(op: str, words: list[str]) -> Layer:
    """Return the layer that an op makes of option words."""
    return build_layer(op, read_options(words, kernel_shape=kernel_shape))


def test_there_is_a_word_for_each_option() -> None:
    assert list(WORDS) == [
        *("size", "number", "stride", "padding", "dilation", "groups", "nobias", "bias", "flip", "normalize"),
        *("border", "ceil", "countpad", "noaffine", "each", "interpolation", "output_padding"),
        *("eps", "alpha", "beta", "k", "kernels"),
    ]
    assert set(WORDS) == set().union(*(op.options for op in OPS.values()))
    assert all(read_options([word], kernel_shape=kernel_shape).keys() == {name} for name, word in WORDS.items())


@pytest.mark.parametrize("op", OPS)
def test_every_op_knows_its_own_name_and_only_options_that_there_are(op: str) -> None:
    assert build(op, NEEDED.get(op, [])).op == op
    assert OPS[op].options <= set(WORDS)


TAKEN = [(op, option) for op in OPS for option in WORDS if option in OPS[op].options]
REFUSED = [(op, option) for op in OPS for option in WORDS if option not in OPS[op].options]


@pytest.mark.parametrize(("op", "option"), TAKEN)
def test_every_option_that_an_op_takes_changes_the_layer(op: str, option: str) -> None:
    instead = {"size": {"3x3", "2", "7"}, "kernels": {"3x3"}, "number": {"2", "7", "8", "10"}}.get(option, set())
    needed = [word for word in NEEDED.get(op, []) if word not in instead]
    needed += ["s2"] if option == "output_padding" else []
    word = "4" if option == "number" and (op.endswith("conv") or op == "elu") else WORDS[option]
    assert build(op, [*needed, word]) != build(op, NEEDED.get(op, []))


@pytest.mark.parametrize(("op", "option"), REFUSED)
def test_an_option_that_an_op_does_not_take_is_refused(op: str, option: str) -> None:
    with pytest.raises(LanguageError, match=r" has no [\w ]+$|unknown option '\[a kernel\]'$|deconv takes no kernels"):
        parse_network(f"{op}:{WORDS[option]}", kernel_shape)


@pytest.mark.parametrize(("short", "op"), SHORT.items())
def test_a_short_word_is_no_op_by_itself_and_stands_for_one(short: str, op: str) -> None:
    assert short not in OPS
    assert op in OPS


def test_functions_take_a_number_where_they_have_a_slope() -> None:
    assert {op for op in Function if OPS[op].options} == set(SLOPES)


def test_flags_are_options_of_some_op() -> None:
    assert set(FLAGS) <= set().union(*(op.options for op in OPS.values()))


@pytest.mark.parametrize("word", ["conv", "maxpool", "linear", "lrn", "channelmax"])
@pytest.mark.parametrize("number", ["1e10", "2.5", "1000000001", "-1.5"])
def test_a_count_is_a_whole_number_up_to_a_billion(word: str, number: str) -> None:
    options = f"3x3,{number}" if word == "conv" else number
    with pytest.raises(LanguageError, match=r"is not a whole number up to 1000000000$"):
        parse_network(f"{word}:{options}", kernel_shape)


@pytest.mark.parametrize("rate", ["1.5", "-0.1", "2"])
def test_dropout_has_a_share_from_0_to_1(rate: str) -> None:
    with pytest.raises(LanguageError, match=rf"^layer 1, 'dropout:{rate}': dropout of .* is not a number from 0 to 1$"):
        parse_network(f"dropout:{rate}", kernel_shape)
