"""Borders: their words, and what is said of a word that is none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.errors import LanguageError
from cnnfilter.nn.geometry import Border, BorderMode, as_border


@pytest.mark.parametrize("word", ["zero", "edge", "reflect", "symmetric", "wrap"])
def test_a_word_is_a_border_and_is_written_as_that_word(word: str) -> None:
    border = as_border(word)
    assert border == Border(BorderMode(word), 0.0)
    assert str(border) == word


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("constant:255", 255.0, "constant:255"),
        ("constant:0", 0.0, "constant:0"),
        ("constant:-1", -1.0, "constant:-1"),
        ("constant:1/4", 0.25, "constant:0.25"),
        ("constant:1e3", 1000.0, "constant:1000"),
    ],
)
def test_a_constant_border_has_a_value(text: str, value: float, written: str) -> None:
    border = as_border(text)
    assert border == Border(BorderMode.CONSTANT, value)
    assert str(border) == written


def test_the_usual_border_is_zero() -> None:
    assert Border() == as_border("zero")


def test_a_border_is_its_own_border() -> None:
    border = Border(BorderMode.WRAP)
    assert as_border(border) is border


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_constant_border_reads_back(value: float) -> None:
    border = Border(BorderMode.CONSTANT, value)
    assert as_border(str(border)) == border


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("edgy", "edge"), ("reflct", "reflect"), ("symetric", "symmetric"), ("warp", "wrap"), ("constnat:1", "constant")],
)
def test_an_unknown_border_is_named_with_all_words_and_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(LanguageError) as caught:
        as_border(text)
    message, nearest_words = str(caught.value).split("; nearest: ")
    assert message == f"border {text!r} is unknown: zero, edge, reflect, symmetric, wrap or constant:V"
    assert nearest in nearest_words.split(", ")


@pytest.mark.parametrize(
    ("text", "ours"), [("replicate", "edge"), ("mirror", "reflect"), ("circular", "wrap"), ("constant", "constant:V")]
)
def test_a_border_of_another_library_is_answered_with_ours(text: str, ours: str) -> None:
    with pytest.raises(LanguageError, match=rf"constant:V; {ours} (does that|is meant)"):
        as_border(text)


@pytest.mark.parametrize("text", ["", "mirror", "ZERO", "zero:1", "edge:", "constant", "255", ":255"])
def test_a_word_that_is_no_border_is_refused(text: str) -> None:
    with pytest.raises(LanguageError, match=re.escape(f"border {text!r} is unknown")):
        as_border(text)


@pytest.mark.parametrize("value", ["", "white", "nan", "inf", "1e999", "1/0", "1 2"])
def test_a_constant_border_needs_a_finite_number(value: str) -> None:
    with pytest.raises(LanguageError) as caught:
        as_border(f"constant:{value}")
    assert str(caught.value).startswith(f"border 'constant:{value}': '{value}' ")
    assert str(caught.value).endswith("; a number is needed, as in constant:255")
