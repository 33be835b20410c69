"""Rows of numbers in a text: taken as they are, or refused with line and column."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.numbers import Rows, Table, parse_inline, parse_table, show_number

NUMBERS = st.one_of(st.integers(-1000, 1000).map(float), st.floats(allow_nan=False, allow_infinity=False))
ROWS = st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=1))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("1 2\n3 4\n", [[1, 2], [3, 4]], id="spaces"),
        pytest.param("1,2\n3,4\n", [[1, 2], [3, 4]], id="commas"),
        pytest.param("1\t2\n3\t4\n", [[1, 2], [3, 4]], id="tabs"),
        pytest.param("1, 2\n3 ,4\n", [[1, 2], [3, 4]], id="commas-and-spaces"),
        pytest.param("1,\t2\n3\t,4\n", [[1, 2], [3, 4]], id="commas-and-tabs"),
        pytest.param("  1   2\n 30  4", [[1, 2], [30, 4]], id="aligned-no-line-end"),
        pytest.param("1 2\r\n3 4\r\n", [[1, 2], [3, 4]], id="CRLF"),
        pytest.param("1 2  \n3 4\t\n", [[1, 2], [3, 4]], id="trailing-space"),
        pytest.param("7", [[7]], id="one-number"),
        pytest.param("1/2 -1/4\n3/1 0/9", [[0.5, -0.25], [3, 0]], id="fractions"),
        pytest.param("1.5/3 1e2/1e1", [[0.5, 10]], id="decimal-fractions"),
        pytest.param("+1 .5 5. 1e3 -2E-1", [[1, 0.5, 5, 1000, -0.2]], id="decimals"),
        pytest.param("# top\n1 2\n# between\n3 4\n", [[1, 2], [3, 4]], id="comment-lines"),
        pytest.param("1 2 # one\n3 4#two\n", [[1, 2], [3, 4]], id="comments-behind"),
        pytest.param("\n\n1 2\n3 4\n\n\n", [[1, 2], [3, 4]], id="blank-lines-around"),
        pytest.param("1\n2\n3", [[1], [2], [3]], id="a-column"),
    ],
)
def test_a_text_is_read_row_by_row(text: str, rows: Rows) -> None:
    table = parse_table(text)
    assert table.channels == [rows]
    assert table.shape == (len(rows), len(rows[0]))


@pytest.mark.parametrize(
    "text",
    [
        "1 2\n3 4\n\n5 6\n7 8\n",
        "1 2\n3 4\n\n\n  \n5 6\n7 8",
        "\n1 2\n3 4\n\t\n5 6\n7 8\n\n",
        "1,2\r\n3,4\r\n\r\n5,6\r\n7,8\r\n",
    ],
    ids=["one-blank-line", "several", "blank-lines-around", "CRLF"],
)
def test_a_blank_line_starts_the_next_channel(text: str) -> None:
    table = parse_table(text)
    assert table.channels == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert table.shape == (2, 2, 2)


def test_a_comment_line_starts_no_channel() -> None:
    assert parse_table("1 2\n# and\n3 4").shape == (2, 2)
    assert parse_table("1 2\n\n# channel 2\n3 4").shape == (1, 2, 2)


def test_blank_lines_are_skipped_if_told_so() -> None:
    assert parse_table("\n1 2\n\n3 4\n", blank_starts_channel=False).channels == [[[1, 2], [3, 4]]]


def test_comments_above_the_first_row_are_kept_without_their_sign() -> None:
    text = "# what it does\n#source: who\n\n#  indented \n1 2 # not this\n# nor this\n3 4\n"
    assert parse_table(text).comments == ["what it does", "source: who", "indented"]


@pytest.mark.parametrize(
    ("text", "place", "given"),
    [
        pytest.param("1 x", "line 1, column 3", "'x'", id="a-word"),
        pytest.param("1 2\n3 four", "line 2, column 3", "'four'", id="in-the-second-row"),
        pytest.param("# c\n\n1  2\n3   y", "line 4, column 5", "'y'", id="behind-comments-and-blanks"),
        pytest.param("1,2\n3,z", "line 2, column 3", "'z'", id="behind-a-comma"),
        pytest.param("1\tx", "line 1, column 3", "'x'", id="behind-a-tab"),
        pytest.param("1 2\r\nx 4\r\n", "line 2, column 1", "'x'", id="CRLF"),
        pytest.param("1 nan", "line 1, column 3", "'nan'", id="nan"),
        pytest.param("NaN", "line 1, column 1", "'NaN'", id="NaN"),
        pytest.param("1 -inf", "line 1, column 3", "'-inf'", id="inf"),
        pytest.param("1 1e999", "line 1, column 3", "1e999", id="beyond-float64"),
        pytest.param("1 1/0", "line 1, column 3", "1/0", id="divided-by-zero"),
        pytest.param("1/", "line 1, column 1", "'1/'", id="half-a-fraction"),
        pytest.param("1/2/3", "line 1, column 1", "'1/2/3'", id="two-strokes"),
        pytest.param("1,,2", "line 1, column 3", "''", id="an-empty-cell"),
        pytest.param(",1", "line 1, column 1", "''", id="an-empty-first-cell"),
        pytest.param("1,2,\n", "line 1, column 5", "''", id="an-empty-last-cell"),
        pytest.param("1, ,2", "line 1, column 3", "''", id="a-cell-of-space"),
        pytest.param("1;2", "line 1, column 1", "'1;2'", id="semicolon"),
        pytest.param("0x10", "line 1, column 1", "'0x10'", id="hexadecimal"),
        pytest.param("1_000", "line 1, column 1", "'1_000'", id="underscore"),
        pytest.param("١", "line 1, column 1", "'١'", id="digits-of-another-script"),
        pytest.param("1 \N{MINUS SIGN}2", "line 1, column 3", "2'", id="typographic-minus"),
        pytest.param('"1","2"', "line 1, column 1", "'\"1\"'", id="quoted"),
    ],
)
def test_what_is_no_number_is_refused_with_line_and_column(text: str, place: str, given: str) -> None:
    with pytest.raises(ValueError, match=rf"^{place}: ") as caught:
        parse_table(text)
    assert given in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [("1 2\n3", 2), ("1 2\n3 4 5", 2), ("1 2\n3 4\n\n5 6\n7", 5), ("# c\n1,2\n\n1,2,3", 4)],
    ids=["shorter", "longer", "in-the-second-channel", "a-wider-channel"],
)
def test_a_ragged_row_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"^line {line}\b.*first.*2"):
        parse_table(text)


def test_a_ragged_row_is_refused_with_a_column_too() -> None:
    with pytest.raises(ValueError, match=r"^line 2, column [1-9]"):
        parse_table("1 2\n3 4 5")


def test_channels_of_unequal_height_are_refused() -> None:
    with pytest.raises(ValueError, match="channel 3 has 1 row, channel 1 has 2"):
        parse_table("1\n2\n\n3\n4\n\n5\n")


@pytest.mark.parametrize("text", ["", "\n\n", "   \t\n", "# only a comment\n"], ids=repr)
def test_a_text_without_a_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no row of numbers"):
        parse_table(text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0 -1 0; -1 5 -1; 0 -1 0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("1,2;3,4", [[1, 2], [3, 4]]),
        ("1/3", [[1 / 3]]),
        ("  1 2 ;3 4  ", [[1, 2], [3, 4]]),
        ("1;2;3", [[1], [2], [3]]),
    ],
)
def test_an_inline_matrix_parts_its_rows_by_semicolons(text: str, rows: Rows) -> None:
    assert parse_inline(text)[0] == [[rows]]


@pytest.mark.parametrize(
    ("text", "maps", "dimensions"),
    [
        ("1 2; 3 4", [[[[1, 2], [3, 4]]]], 2),
        ("1 2; 3 4;", [[[[1, 2], [3, 4]]]], 2),
        ("1 2; 3 4;;", [[[[1, 2], [3, 4]]]], 3),
        ("1 2; 3 4;;;", [[[[1, 2], [3, 4]]]], 4),
        ("1;;2", [[[[1]], [[2]]]], 3),
        ("1;;;2", [[[[1]]], [[[2]]]], 4),
        ("1;2;;3;4;;;5;6;;7;8", [[[[1], [2]], [[3], [4]]], [[[5], [6]], [[7], [8]]]], 4),
        ("1 2\n3 4\n\n5 6\n7 8", [[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]], 3),
        ("\n\n1 2\n\n\n3 4\n\n", [[[[1, 2]], [[3, 4]]]], 3),
    ],
)
def test_semicolons_part_rows_slices_and_maps(text: str, maps: list[list[Rows]], dimensions: int) -> None:
    shape = len(maps[0][0]), len(maps[0][0][0]), len(maps[0]), len(maps)
    assert parse_inline(text) == (maps, shape[:dimensions])


@given(
    maps=st.tuples(*[st.integers(1, 3)] * 4).flatmap(
        lambda size: st.lists(
            st.lists(
                st.lists(st.lists(NUMBERS, min_size=size[3], max_size=size[3]), min_size=size[2], max_size=size[2]),
                min_size=size[1],
                max_size=size[1],
            ),
            min_size=size[0],
            max_size=size[0],
        )
    ),
    space=st.sampled_from(["", " ", "  "]),
)
def test_maps_that_are_written_are_read_back(maps: list[list[Rows]], space: str) -> None:
    text = f";;;{space}".join(
        f";;{space}".join(f";{space}".join(",".join(map(show_number, row)) for row in rows) for rows in slices)
        for slices in maps
    )
    assert parse_inline(text)[0] == maps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1;;2;;;3", "all maps need the same number of slices"),
        ("1;;2 3", "all slices need the same number of rows, and rows of the same length"),
        ("1;;;2;3", "all slices need the same number of rows, and rows of the same length"),
    ],
)
def test_uneven_slices_and_maps_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        parse_inline(text)


@given(text=st.text(alphabet="01.,; \t\n\r-/e", max_size=30))
def test_any_inline_text_is_an_even_matrix_or_refused_in_one_line(text: str) -> None:
    try:
        maps, shape = parse_inline(text)
        sizes = {(len(slices), len(rows), len(row)) for slices in maps for rows in slices for row in rows}
        enough = len(shape) >= (4 if len(maps) > 1 else 3 if len(maps[0]) > 1 else 2)
        outcome = f"{len(sizes)} size, enough dimensions: {enough}"
    except ValueError as error:
        outcome = str(error)
    assert outcome == "1 size, enough dimensions: True" or re.fullmatch(r"[^\r\n]{10,}", outcome)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2; 3", "row 2 has 1 number, row 1 has 2"),
        ("1 2; 3 4 5", "row 2 has 3 numbers, row 1 has 2"),
        ("1 2; x 3", "row 2: 'x'"),
        ("1 2; 3 nan", "row 2: 'nan'"),
        ("1 1/0", "row 1: '1/0' divides by zero"),
        (";1 2", "row 1"),
        ("1,,2", "row 1: ''"),
        ("", "row 1"),
    ],
)
def test_a_wrong_inline_matrix_is_refused_with_its_row(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^row ") as caught:
        parse_inline(text)
    assert message in str(caught.value)


@given(rows=ROWS, separator=st.sampled_from([" ", ",", "\t", ", ", "  "]), end=st.sampled_from(["\n", "\r\n"]))
def test_every_table_that_is_written_is_read_back(rows: Rows, separator: str, end: str) -> None:
    text = end.join(separator.join(map(show_number, row)) for row in rows)
    assert parse_table(text) == Table([rows], (len(rows), len(rows[0])), [])


@given(rows=ROWS, separator=st.sampled_from([" ", ",", ", "]))
def test_every_inline_matrix_that_is_written_is_read_back(rows: Rows, separator: str) -> None:
    assert parse_inline(";".join(separator.join(map(show_number, row)) for row in rows))[0] == [[rows]]


@given(text=st.text(alphabet="01.,; \t\n\r#-/enax\ufeff", max_size=30))
def test_any_text_is_an_even_table_or_refused_in_one_line(text: str) -> None:
    try:
        sizes = {(len(rows), len(row)) for rows in parse_table(text).channels for row in rows}
        outcome = f"{len(sizes)} size"
    except ValueError as error:
        outcome = str(error)
    assert outcome == "1 size" or re.fullmatch(r"[^\r\n]{10,}", outcome)
