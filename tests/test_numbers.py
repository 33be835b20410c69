"""Numbers: what is read, what is refused, and that what is written reads back."""

import re
from fractions import Fraction
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.numbers import join_rows, parse_number, show_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("+7", 7.0),
        ("-7", -7.0),
        ("007", 7.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.25", -0.25),
        ("1e3", 1000.0),
        ("1E3", 1000.0),
        ("1e+3", 1000.0),
        ("2.5e-3", 0.0025),
        ("1/9", 1 / 9),
        ("-1/4", -0.25),
        ("1/-4", -0.25),
        ("0.5/2", 0.25),
        ("1e1/1e2", 0.1),
        ("1e-999", 0.0),
    ],
)
def test_decimals_and_fractions_are_numbers(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", " 1", "1 ", "1\n", "1 2", "1,5", "1_000", "0x10", "1/", "/2", "1/2/3", "--1", "1-"),
        *(".", "e5", "1e", "1e1.5", "x", "nan", "NaN", "inf", "-inf", "infinity", "٣", "３", "½"),
    ],
)
def test_everything_else_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number") as caught:
        parse_number(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["1/0", "0/0", "1/0.0", "1/-0", "1/1e-999"])
def test_nothing_is_divided_by_zero(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' divides by zero"):
        parse_number(text)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1e999/1e999", "1e300/1e-300", "9" * 400])
def test_a_number_beyond_all_floats_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="beyond the largest number"):
        parse_number(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.0, "3"),
        (3, "3"),
        (-12.0, "-12"),
        (0.1, "0.1"),
        (1 / 3, "0.3333333333333333"),
        (-2.5, "-2.5"),
        (1e15, "1000000000000000"),
        (2.0**62, "4611686018427387904"),
        (2.0**63, "9.223372036854776e18"),
        (1e300, "1e300"),
        (-1.5e300, "-1.5e300"),
        (5e-324, "5e-324"),
    ],
)
def test_numbers_are_written_without_what_they_do_not_need(number: float, text: str) -> None:
    assert show_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_reads_back_as_the_same_number(number: float) -> None:
    assert parse_number(show_number(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_has_neither_a_plus_nor_a_needless_point(number: float) -> None:
    text = show_number(number)
    assert "+" not in text
    assert not text.endswith((".", ".0"))


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_are_written_in_digits_alone(number: int) -> None:
    assert show_number(float(number)) == str(number)


@given(st.integers(-999, 999), st.integers(1, 999))
def test_a_fraction_is_its_quotient(numerator: int, denominator: int) -> None:
    assert parse_number(f"{numerator}/{denominator}") == float(Fraction(numerator, denominator))


def outcome(text: str) -> float | str:
    """Return the number, or the complaint."""
    try:
        return parse_number(text)
    except ValueError as error:
        return str(error)


@given(st.text(alphabet="0123456789+-./e ", max_size=8))
def test_every_text_is_a_finite_number_or_is_named_in_a_complaint(text: str) -> None:
    result = outcome(text)
    if isinstance(result, str):
        assert repr(text) in result
    else:
        assert isfinite(result)


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("", ""),
        ("1 2", "1 2"),
        ("1 2\n3 4", "1 2; 3 4"),
        ("\n  1 2\n  3 4\n", "1 2; 3 4"),
        ("1 2\r\n3 4\r\n", "1 2; 3 4"),
        ("1 2;\n3 4;\n", "1 2; 3 4;"),
        ("1 2 ; \n 3 4", "1 2 ; 3 4"),
        ("1 2\n\n3 4", "1 2;; 3 4"),
        ("1 2\n \t\n\n3 4", "1 2;; 3 4"),
        ("1 2;\n\n3 4", "1 2;; 3 4"),
        ("1 2;;\n3 4", "1 2;; 3 4"),
        ("1 2;;\n\n3 4", "1 2;; 3 4"),
        ("1 2;;;\n3 4", "1 2;;; 3 4"),
        ("1 2;;;\n\n3 4", "1 2;;; 3 4"),
        ("1 2; 3 4;; 5 6; 7 8", "1 2; 3 4;; 5 6; 7 8"),
    ],
)
def test_rows_on_lines_are_joined_in_one_line(text: str, joined: str) -> None:
    assert re.sub(r"\s*;", ";", join_rows(text)) == re.sub(r"\s*;", ";", joined)


@given(st.text("12;, \t\n\r", max_size=30))
def test_what_is_joined_is_one_line_and_stays_as_it_is(text: str) -> None:
    joined = join_rows(text)
    assert "\n" not in joined
    assert join_rows(joined) == joined
    assert [word for word in re.split(r"[\s;]+", joined) if word] == [w for w in re.split(r"[\s;]+", text) if w]
