"""Numbers as people write them: decimals, fractions and matrices in, texts of a wanted number of digits out, tables.

Reading is strict: no guess is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence
from typing import Any, NamedTuple, SupportsFloat

from cnnfilter.errors import TextError

DECIMAL = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
"""A decimal number, as a regular expression."""

_NUMBER = re.compile(rf"({DECIMAL})(?:/({DECIMAL}))?", re.ASCII)


_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def parse_number(text: str, *, finite: bool = True) -> float:
    """Return the number that `text` writes as a decimal or a fraction, or as nan or inf if it may.

    Examples
    --------
    >>> parse_number("-1/4"), parse_number("2.5e-3"), parse_number("-inf", finite=False)
    (-0.25, 0.0025, -inf)
    """
    match = _NUMBER.fullmatch(text)
    if not match:
        if not finite and _NOT_FINITE.fullmatch(text):
            return float(text)
        raise ValueError(f"{text!r} is not a number")
    numerator, denominator = float(match[1]), float(match[2] or 1)
    if denominator == 0:
        raise ValueError(f"{text!r} divides by zero")
    number = numerator / denominator
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is beyond the largest number that can be held")
    return number


_CELL = re.compile(r"[^\s,]+|(?:(?<=,)|^)\s*(?=,|$)")
"""A place in a row for a number; one beside a comma may be empty."""


_BLANK_GAP = re.compile(r"[^\s,]\s+[^\s,]")
"""Two numbers without a comma between them."""


def parse_row(text: str, *, finite: bool = True) -> list[float]:
    """Return the numbers of a row, separated by commas or by spaces; `TextError` with the column of anything else.

    Without `finite` they may be nan, inf and -inf, in any case.

    Examples
    --------
    >>> parse_row("1/2, -3 , 4e2")
    [0.5, -3.0, 400.0]
    """
    row: list[float] = []
    if "," in text and (gap := _BLANK_GAP.search(text)):
        reason = "commas separate some numbers, blanks alone others; `;` ends a row, in a file a new line does"
        raise TextError(reason, column=gap.end())
    for cell in _CELL.finditer(text.rstrip()):
        try:
            row.append(parse_number(cell[0].strip(), finite=finite))
        except ValueError as error:
            raise TextError(error, column=cell.start() + 1) from error
    return row


Rows = list[list[float]]


class Table(NamedTuple):
    """Rows of numbers, a list of rows for each channel; (rows, columns[, channels]); and the comments above them."""

    channels: list[Rows]
    shape: tuple[int, ...]
    comments: list[str]


def parse_table(text: str, *, blank_starts_channel: bool = True, finite: bool = True) -> Table:
    r"""Return the table that a text writes: a row a line, spaces, tabs or commas, `#` comments.

    A blank line between rows starts the next channel, or is skipped. Without `finite` numbers may be nan and infinite.
    `TextError`, with its place, if it is not a table.

    Examples
    --------
    >>> parse_table("# mean\n1/2, 1/2").channels
    [[[0.5, 0.5]]]
    """
    channels: list[Rows] = [[]]
    comments: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        content, sign, comment = line.partition("#")
        if not content.strip():
            if sign and not channels[0]:
                comments.append(comment.strip())
            if not sign and channels[-1] and blank_starts_channel:
                channels.append([])
            continue
        try:
            row = parse_row(content, finite=finite)
        except TextError as error:
            raise TextError(error.reason, line=number, column=error.column) from error
        if channels[0] and len(row) != len(channels[0][0]):
            reason = f"the row has {count(len(row), 'number')}, the first row has {len(channels[0][0])}"
            last = re.split(r"[\s,]", content.rstrip())[-1]
            raise TextError(reason, line=number, column=content.rindex(last) + 1)
        channels[-1].append(row)
    if not channels[-1]:
        channels.pop()
    if not channels:
        raise TextError("no row of numbers")
    shape = len(channels[0]), len(channels[0][0]), len(channels)
    for number, rows in enumerate(channels, 1):
        if len(rows) != shape[0]:
            reason = (
                f"channel {number} has {count(len(rows), 'row')}, channel 1 has {shape[0]}; all need the same number"
            )
            raise TextError(reason)
    return Table(channels, shape if len(channels) > 1 else shape[:2], comments)


def parse_inline(text: str) -> tuple[list[list[Rows]], tuple[int, ...]]:
    """Return an inline matrix and its shape: `;` ends a row, `;;` a slice (a channel), `;;;` a feature map.

    A matrix alone is one slice of one map. The shape is (rows, columns[, slices[, maps]]), as far as there are such
    signs. `ValueError` if a row is empty or ragged, a word is not a number, or slices or maps differ in size.

    Examples
    --------
    >>> parse_inline("1 2; 3 4")
    ([[[[1.0, 2.0], [3.0, 4.0]]]], (2, 2))
    >>> parse_inline("1 2;; 3 4")
    ([[[[1.0, 2.0]], [[3.0, 4.0]]]], (1, 2, 2))
    """
    matrix = join_rows(text)
    longest = max(map(len, re.findall(";+", matrix)), default=1)
    pieces = matrix.rstrip("; \t").split(";;;")
    maps = [[_parse_rows(part) for part in piece.split(";;")] for piece in pieces]
    if len({len(slices) for slices in maps}) > 1:
        raise ValueError("all maps need the same number of slices")
    if len({(len(rows), len(rows[0])) for slices in maps for rows in slices}) > 1:
        raise ValueError("all slices need the same number of rows, and rows of the same length")
    first = maps[0][0]
    return maps, (len(first), len(first[0]), len(maps[0]), len(maps))[: max(2, 1 + longest)]


def _parse_rows(text: str) -> Rows:
    """Return the rows of one slice, separated by `;`."""
    rows: Rows = []
    for number, part in enumerate(text.split(";"), 1):
        try:
            rows.append(parse_row(part))
        except TextError as error:
            raise ValueError(f"row {number}: {error.reason}") from error
        if len(rows[-1]) != len(rows[0]):
            lengths = f"row {number} has {count(len(rows[-1]), 'number')}, row 1 has {len(rows[0])}"
            raise ValueError(f"{lengths}; all rows need the same length")
    return rows


def count(number: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> count(1, "row"), count(3, "row")
    ('1 row', '3 rows')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def show_number(number: float) -> str:
    """Return the shortest text that reads back as the same number, whole numbers without a point.

    Examples
    --------
    >>> show_number(3.0), show_number(0.1), show_number(-0.0), show_number(1e300)
    ('3', '0.1', '0', '1e300')
    """
    return show_exact(float(number)).replace("e-0", "e-")


def show_exact(number: SupportsFloat) -> str:
    """Return the same of any type, numpy's included: exponents have two digits at least, as in files.

    Examples
    --------
    >>> import numpy as np
    >>> show_exact(np.float32(0.1)), show_exact(np.uint8(7)), show_exact(1e-7)
    ('0.1', '7', '1e-07')
    """
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) < 2**63 else str(number).replace("e+", "e")


def round_digits(number: float, digits: int) -> float:
    """Return a number rounded to digits; one that is next to nothing is 0.

    Examples
    --------
    >>> round_digits(2 / 3, 3), round_digits(1e-13, 3)
    (0.667, 0.0)
    """
    return float(f"{number:.{digits}g}") if abs(number) > 1e-12 else 0.0


def show_digits(number: float, digits: int, whole: float = 1e15) -> str:
    """Return a number in up to `digits` digits; a whole one below `whole` has all of them.

    Examples
    --------
    >>> show_digits(105.0, 7), show_digits(1 / 3, 7), show_digits(-2.5, 7)
    ('105', '0.3333333', '-2.5')
    """
    return str(int(number)) if float(number).is_integer() and abs(number) < whole else f"{number:.{digits}g}"


def show_short(number: float) -> str:
    """Return a number in about three digits, as where there is little room.

    Examples
    --------
    >>> show_short(0.12345), show_short(1234.5), show_short(320.0), show_short(1.5e9)
    ('0.123', '1234', '320', '1.5e9')
    """
    number += 0.0  # -0 becomes 0
    if abs(number) < 1e6 and (float(number).is_integer() or abs(number) >= 1000):
        return f"{number:.0f}"
    return re.sub(r"e([-+]?)0*", lambda sign: "e" + sign[1].strip("+"), f"{number:.3g}")


def is_exact(text: str, number: float, precision: float = 1e-12) -> bool:
    """Return whether a text is a number but for rounding of its arithmetic.

    Examples
    --------
    >>> is_exact("0.3", 0.1 + 0.2), is_exact("0.333", 1 / 3)
    (True, False)
    """
    return abs(float(text) - number) <= precision * abs(number)


def show_sum(terms: Sequence[float], total: float) -> str:
    """Return what some numbers add up to, `=` before it, or, where digits are left out, `≈`; one alone without terms.

    Examples
    --------
    >>> show_sum([8.0, -5.0, 4.0], 7.0), show_sum([], 2.5)
    ('= 8 - 5 + 4 = 7', '= 2.5')
    >>> show_sum([1 / 3, 1 / 3], 2 / 3), show_sum([], 2 / 3)
    ('≈ 0.33333 + 0.33333 ≈ 0.66667', '≈ 0.66667')
    """
    numbers = [*map(float, terms), float(total)]
    texts = [show_digits(number, 9) for number in numbers]
    sign = "="
    if not all(is_exact(text, number) for text, number in zip(texts, numbers, strict=True)):
        sign, texts = "≈", [show_digits(number, 5, whole=1e9) for number in numbers]
    summed = " + ".join(texts[:-1]).replace("+ -", "- ")
    return f"{sign} {summed} {sign} {texts[-1]}" if terms else f"{sign} {texts[-1]}"


def show_bytes(count: int) -> str:
    """Return a number of bytes in the largest unit of which there is at least one.

    Examples
    --------
    >>> show_bytes(576), show_bytes(41_816), show_bytes(4_014_080), show_bytes(3 << 30)
    ('576 bytes', '40.8 KiB', '3.8 MiB', '3.0 GiB')
    """
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def to_json(value: object) -> str:
    """Return a value as a line of JSON; what JSON has no number for is "NaN", "Infinity" or "-Infinity", a text.

    Examples
    --------
    >>> print(to_json({"shape": (2, 1), "values": [0.5, float("nan"), -float("inf")]}))
    {"shape": [2, 1], "values": [0.5, "NaN", "-Infinity"]}
    """
    import json  # noqa: PLC0415  few commands print it

    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_name_infinities(value))


def _name_infinities(value: Any) -> Any:
    """Return the value with texts in place of the numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _name_infinities(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_name_infinities(held) for held in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def as_operand(text: str) -> str:
    """Return the text of a number as it is written within a formula: in parentheses if it is negative.

    Examples
    --------
    >>> as_operand("-2.5"), as_operand("7")
    ('(-2.5)', '7')
    """
    return f"({text})" if text.startswith("-") else text


def align(rows: Sequence[Sequence[str]], flush_right: Container[int] = (), gap: str = "  ") -> list[str]:
    """Return each row of a table as a line; columns are flush left except some, and two spaces apart.

    Examples
    --------
    >>> align([("a", "bb"), ("ccc", "d")], flush_right=(1,))
    ['a    bb', 'ccc   d']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join(
            cell.rjust(width) if place in flush_right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def join_rows(text: str) -> str:
    r"""Return a matrix of several lines in one: rows end in `;`, slices in `;;`, but in brackets or after a size.

    Examples
    --------
    >>> join_rows("1 2\n3 4\n\n5 6\n7 8\n")
    '1 2; 3 4;; 5 6; 7 8'
    >>> join_rows("[[1, 2],\n [3, 4]]")
    '[[1, 2], [3, 4]]'
    """
    if "[" in text or ":" in text:
        return " ".join(text.split())
    lines = "\n".join(map(str.strip, text.strip().splitlines()))
    return re.sub(r"(?<!;)(;*+)(\n+)", lambda end: end[1].ljust(min(len(end[2]), 2), ";") + " ", lines)
