"""Options of layers: known by their form, in any order, each said once."""

import itertools

import pytest

import cnnfilter
from cnnfilter.errors import LanguageError
from cnnfilter.nn.geometry import PaddingWord
from cnnfilter.nn.layer_options import KNOWN_WORDS, looks_like_option, read_options, reads_as_kernel


def refusal(text: str) -> str:
    """Return what is said of a text that is refused."""
    with pytest.raises(LanguageError) as caught:
        cnnfilter.network(text)
    return str(caught.value)


def test_where_nothing_is_said_nothing_is_known() -> None:
    assert read_options([], kernel_shape=None) == {}


@pytest.mark.parametrize(
    "options",
    [
        ["3x3", "16", "s2", "p1", "nobias"],
        ["5x5", "8", "same", "d2", "g4"],
        ["sobel-x", "flip", "normalize=sum", "border=edge", "bias=1"],
    ],
    ids=",".join,
)
def test_options_may_stand_in_any_order(options: list[str]) -> None:
    networks = {cnnfilter.network("conv:" + ",".join(order)) for order in itertools.permutations(options)}
    assert networks == {cnnfilter.network("conv:" + ",".join(options))}


@pytest.mark.parametrize(
    ("text", "nearest_word"),
    [
        ("conv:3x3,nobais", "nobias"),
        ("conv:3x3,smae", "same"),
        ("conv:3x3,flp", "flip"),
        ("conv:3x3,boder=edge", "border"),
        ("dwconv:3x3,normalise=sum", "normalize"),
    ],
)
def test_a_misspelt_option_of_a_conv_is_told_with_the_nearest_option(text: str, nearest_word: str) -> None:
    with pytest.raises(LanguageError) as caught:
        cnnfilter.network(text)
    _, found, nearest_words = str(caught.value).partition("nearest: ")
    assert found
    assert nearest_word in nearest_words


@pytest.mark.parametrize(
    ("options", "again", "name"),
    [
        ("3x3", "5x5", "size"),
        ("3x3,s1", "s2", "stride"),
        ("3x3,p1", "same", "padding"),
        ("3x3,same", "p=1", "padding"),
        ("3x3,d1", "d1", "dilation"),
        ("3x3,g1", "g2", "groups"),
        ("3x3,nobias", "nobias", "nobias"),
        ("3x3,bias=1", "bias=1", "bias"),
        ("3x3,flip", "flip", "flip"),
        ("3x3,normalize=sum", "normalize=none", "normalize"),
        ("3x3,border=edge", "border=wrap", "border"),
    ],
)
def test_no_option_is_said_twice(options: str, again: str, name: str) -> None:
    text = f"conv:{options},{again}"
    assert refusal(f"relu {text}") == f"layer 2, {text!r}: {again!r} sets the {name} a second time"


def test_no_option_of_a_pool_is_said_twice() -> None:
    assert refusal("maxpool:2,ceil,ceil") == "layer 1, 'maxpool:2,ceil,ceil': 'ceil' sets the ceil a second time"
    assert refusal("avgpool:2,countpad,countpad").endswith("'countpad' sets the countpad a second time")


@pytest.mark.parametrize("text", ["conv:", "conv:3x3,,s2", "conv:3x3,", "conv:[]", "dwconv:edge,"])
def test_an_option_that_is_empty_is_not_taken_for_the_folder_one_is_in(text: str) -> None:
    with pytest.raises(LanguageError) as caught:
        cnnfilter.network(text)
    assert "directory" not in str(caught.value)


@pytest.mark.parametrize("text", ["relu:", "maxpool:2,", "linear:,3"])
def test_an_option_that_is_empty_is_unknown(text: str) -> None:
    assert refusal(text).startswith(f"layer 1, {text!r}: an option is missing; there is no blank after a comma")


@pytest.mark.parametrize(
    "word", ["sobel-x", "gaussian:5:0.8", "a=b", "0 1; 1 0", "[same]", "[3x3]", "1/2", "x", "s", "step"]
)
def test_a_word_that_is_no_option_is_a_kernel(word: str) -> None:
    assert reads_as_kernel(word)


@pytest.mark.parametrize(
    "word", ["3x3", "16", "-1", ".5", "s2", "s-1", "p.5", "dx", "g0", "same", "flip", "bias=x", "p="]
)
def test_a_word_in_the_form_of_an_option_is_no_kernel(word: str) -> None:
    assert not reads_as_kernel(word)


OPTIONS = {word: (word, "padding") for word in PaddingWord} | {
    "nobias": ("nobias", "nobias"),
    "flip": ("flip", "flip"),
    "ceil": ("ceil", "ceil"),
    "countpad": ("countpad", "countpad"),
    "noaffine": ("noaffine", "noaffine"),
    "each": ("each", "each"),
    "nearest": ("nearest", "interpolation"),
    "bilinear": ("bilinear", "interpolation"),
    "p=": ("p=1/2/3/4", "padding"),
    "bias=": ("bias=1/3", "bias"),
    "border=": ("border=constant:1", "border"),
    "normalize=": ("normalize=sum", "normalize"),
    "eps=": ("eps=1e-3", "eps"),
    "alpha=": ("alpha=1", "alpha"),
    "beta=": ("beta=.75", "beta"),
    "k=": ("k=2", "k"),
}
"""For each known word, an option that begins with it, and what it says."""


@pytest.mark.parametrize("word", KNOWN_WORDS)
def test_every_known_word_is_read_as_what_it_says(word: str) -> None:
    option, subject = OPTIONS[word]
    assert option.startswith(word)
    assert read_options([option], kernel_shape=None).keys() == {subject}


@pytest.mark.parametrize(
    "word", ["same", "flip", "ceil", "s2", "s0", "p-1", "p.txt", "d2x3", "g4", "bias=1", "border="]
)
def test_an_option_that_stands_alone_is_told_from_an_unknown_layer(word: str) -> None:
    message = f"layer 2, {word!r}: {word!r} is an option; options follow their layer after a comma, without white space"
    assert looks_like_option(word)
    assert refusal(f"conv:3x3 {word}") == message


@pytest.mark.parametrize("word", ["relv", "16", "x3", "3x3x3x3", "bias", "pool=1", "size=3", "step", "="])
def test_a_word_that_is_no_option_is_an_unknown_layer(word: str) -> None:
    assert not looks_like_option(word)
    assert refusal(f"conv:3x3 {word}").startswith(f"layer 2, {word!r}: unknown layer {word!r}")


@pytest.mark.parametrize("word", ["3x3", "8x8", "28x1", "224x224x3", "0x0"])
def test_a_size_that_stands_alone_is_told_from_an_unknown_layer(word: str) -> None:
    message = f"layer 2, {word!r}: {word!r} is a size; it comes before all layers, or after the colon of one"
    assert not looks_like_option(word)
    assert refusal(f"conv:3x3 {word}") == refusal(f"relu+{word} tanh") == message


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("stride=2", "s2"),
        ("padding=same", "same"),
        ("padding=1x0", "p1x0"),
        ("padding=0/1/1/0", "p=0/1/1/0"),
        ("pad=1", "p1"),
        ("dilation=2", "d2"),
        ("s=2", "s2"),
        ("s=2x1", "s2x1"),
        ("d=2", "d2"),
    ],
)
@pytest.mark.parametrize("layer", ["conv:3x3", "maxpool:2"])
def test_a_word_of_other_tools_is_told_with_what_would_be_taken_for_it(layer: str, option: str, meant: str) -> None:
    text = f"{layer},{option}"
    start, told, advice = refusal(text).partition(" is written ")
    assert (start, told) == (f"layer 1, {text!r}: {option!r}", " is written ")
    assert cnnfilter.network(f"{layer},{advice}") == cnnfilter.network(f"{layer},{meant}")


@pytest.mark.parametrize("option", ["groups=2", "g=2"])
def test_groups_in_words_of_other_tools_are_told_for_a_conv(option: str) -> None:
    assert refusal(f"conv:3x3,16,{option}") == f"layer 1, 'conv:3x3,16,{option}': {option!r} is written g2"
