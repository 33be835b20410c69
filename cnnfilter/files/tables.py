"""Numbers in rows, as kernel files, matrix files and inline matrices hold them. Strict: no guess is made."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cnnfilter.numbers import join_rows, parse_number

Rows = list[list[float]]


class Table(NamedTuple):
    """Rows of numbers, a list of rows for each channel, and the comments that stood above them."""

    channels: list[Rows]
    comments: list[str]

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns), and the channels if there are several."""
        rows = self.channels[0]
        size = len(rows), len(rows[0])
        return size if len(self.channels) == 1 else (*size, len(self.channels))


def parse_table(text: str, *, blank_starts_channel: bool = True) -> Table:
    r"""Return the table that a text writes: a row a line, spaces, tabs or commas, `#` comments.

    Parameters
    ----------
    text
        The whole text. A blank line between rows starts the next channel.
    blank_starts_channel
        Whether it does; otherwise blank lines are passed over.

    Raises
    ------
    ValueError
        If a row is ragged, a word is no number, or there is no row; the message starts with
        `line L, column C`.

    Examples
    --------
    >>> parse_table("# mean\n1/2, 1/2").channels
    [[[0.5, 0.5]]]
    """
    channels: list[Rows] = [[]]
    comments: list[str] = []
    first: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        content, sign, comment = line.partition("#")
        if not content.strip():
            if sign and not channels[0]:
                comments.append(comment.strip())
            if not sign and channels[-1] and blank_starts_channel:
                channels.append([])
            continue
        row = _parse_row(content, number, first)
        first = len(row)
        channels[-1].append(row)
    return Table(_even_channels(channels), comments)


def _even_channels(channels: list[Rows]) -> list[Rows]:
    if not channels[-1]:
        channels = channels[:-1]
    if not channels:
        raise ValueError("no row of numbers")
    for number, rows in enumerate(channels[1:], 2):
        if len(rows) != len(channels[0]):
            raise ValueError(
                f"channel {number} has {len(rows)} rows, channel 1 has {len(channels[0])}; all channels need as many"
            )
    return channels


def _parse_row(content: str, line: int, length: int | None) -> list[float]:
    """Return the numbers of a line, which has `length` of them if that is known."""
    row: list[float] = []
    column = 1
    for column, word in _words(content):
        try:
            row.append(parse_number(word))
        except ValueError as error:
            raise ValueError(f"line {line}, column {column}: {error}") from error
    if length not in {None, len(row)}:
        raise ValueError(
            f"line {line}, column {column}: the row ends with {len(row)} numbers, and the first row has {length}"
        )
    return row


def _words(content: str) -> Iterator[tuple[int, str]]:
    """Yield each word with the column it starts in; an empty place beside a comma is a word too."""
    for match in re.finditer(r"[^\s,]+|(?:(?<=,)|^)\s*(?=,|$)", content.rstrip()):
        yield match.start() + 1, match[0].strip()


def parse_inline(text: str) -> list[list[Rows]]:
    """Return an inline matrix: `;` ends a row, `;;` a slice (a channel), `;;;` a feature map.

    Returns
    -------
    list
        For each map its slices, for each slice its rows. A matrix alone is one slice of one map.

    Raises
    ------
    ValueError
        If a row is empty or ragged, a word is no number, or slices or maps differ in size.

    Examples
    --------
    >>> parse_inline("1 2; 3 4")
    [[[[1.0, 2.0], [3.0, 4.0]]]]
    >>> parse_inline("1 2;; 3 4")
    [[[[1.0, 2.0]], [[3.0, 4.0]]]]
    """
    matrix = join_rows(text).rstrip("; \t")
    maps = [[_parse_rows(part) for part in piece.split(";;")] for piece in matrix.split(";;;")]
    if len({len(slices) for slices in maps}) > 1:
        raise ValueError("every map needs as many slices")
    if len({(len(rows), len(rows[0])) for slices in maps for rows in slices}) > 1:
        raise ValueError("every slice needs as many rows, and as many numbers in them")
    return maps


def inline_dimensions(text: str) -> int:
    """Return 4 for an inline matrix with maps, 3 for one with slices, else 2.

    Examples
    --------
    >>> inline_dimensions("1 2; 3 4;"), inline_dimensions("1 2; 3 4;;")
    (2, 3)
    """
    longest = max(map(len, re.findall(";+", join_rows(text))), default=1)
    return max(2, 1 + longest)


def _parse_rows(text: str) -> Rows:
    """Return the rows of one slice, parted by `;`."""
    rows: Rows = []
    for number, part in enumerate(text.split(";"), 1):
        words = [word for _, word in _words(part.strip())]
        try:
            rows.append([parse_number(word) for word in words])
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from error
        if not words or len(rows[-1]) != len(rows[0]):
            raise ValueError(f"row {number} has {len(words)} numbers, row 1 has {len(rows[0])}; all need as many")
    return rows
