"""Texts taken apart into words and signs, and words into their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.errors import LanguageError
from cnnfilter.nn.layer_options import SIGNS, Token, split, tokenize


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
    assert [token.text for token in tokenize(text)] == words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a+b", ["a", "+", "b"]),
        ("a + b", ["a", "+", "b"]),
        ("res(a|b)", ["res", "(", "a", "|", "b", ")"]),
        ("res( a | b )@c+d", ["res", "(", "a", "|", "b", ")", "@c", "+", "d"]),
        ("a:[b+c|(d)]+e", ["a:[b+c|(d)]", "+", "e"]),
        ("a:[b [c] + d]", ["a:[b [c] + d]"]),
        ("(#a\nb|#c\nd)", ["(", "b", "|", "d", ")"]),
        ("a+#b", ["a", "+", "#b"]),
        (")#b", [")", "#b"]),
        ("a:[#b\nc]", ["a:[#b\nc]"]),
        ("((||++))", ["(", "(", "|", "|", "+", "+", ")", ")"]),
    ],
)
def test_signs_are_words_by_themselves_outside_square_brackets(text: str, tokens: list[str]) -> None:
    assert [token.text for token in tokenize(text)] == tokens


def test_a_token_knows_its_line_and_whether_space_stands_before_it() -> None:
    assert tokenize("a b\n\n# note\n c+d:[1\n2]e (f") == [
        Token("a", 1, True),
        Token("b", 1, True),
        Token("c", 4, True),
        Token("+", 4, False),
        Token("d:[1\n2]e", 4, False),
        Token("(", 5, True),
        Token("f", 5, False),
    ]


@pytest.mark.parametrize(
    "space", [" ", "\t", "\n", "\r\n", "\N{NO-BREAK SPACE}", "\N{LINE SEPARATOR}", "\v"], ids=ascii
)
def test_white_space_of_any_kind_parts_words(space: str) -> None:
    assert [token.text for token in tokenize(f"{space}a{space}{space}b{space}")] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "'[': '[' is never closed"),
        ("a b[c d", "'b[c d': '[' is never closed"),
        ("a]", "'a]': ']' at position 2 has no '[' before it"),
        ("a [b]c]", "'[b]c]': ']' at position 5 has no '[' before it"),
        ("a+]", "']': ']' at position 1 has no '[' before it"),
        ("res([a)", "'[a)': '[' is never closed"),
    ],
)
def test_a_square_bracket_without_a_partner_is_told(text: str, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        tokenize(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (",", ["", ""]),
        ("a,,b,", ["a", "", "b", ""]),
        ("[a,b],c", ["[a,b]", "c"]),
        ("a[b,[c,d],e]f,g", ["a[b,[c,d],e]f", "g"]),
    ],
)
def test_a_word_is_split_outside_square_brackets(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


@given(st.lists(st.text("ab1:@.", max_size=4) | st.text("a, +()|#", max_size=5).map("[{}]".format), min_size=1))
def test_parts_that_are_joined_are_split_again(parts: list[str]) -> None:
    assert split(",".join(parts), ",") == parts


@given(st.text("ab:[] \n#+()|", max_size=20))
def test_what_is_taken_apart_holds_all_that_is_no_space_and_no_comment(text: str) -> None:
    try:
        tokens = tokenize(text)
    except LanguageError:
        return
    assert all(token.text in SIGNS or not (set(token.text.partition("[")[0]) & set(SIGNS)) for token in tokens)
    if "#" not in text:
        assert "".join("".join(token.text.split()) for token in tokens) == "".join(text.split())
    assert [token.line for token in tokens] == sorted(token.line for token in tokens)
