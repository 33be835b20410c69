"""Numbers in rows, as kernel files, matrix files and inline matrices hold them. Strict: no guess is made."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cnnfilter.numbers import parse_number

Rows = list[list[float]]


@dataclass(frozen=True)
class Table:
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


def parse_inline(text: str) -> Rows:
    """Return the rows of an inline matrix, parted by `;` or lines: `0 -1 0; -1 5 -1; 0 -1 0`.

    Raises
    ------
    ValueError
        If a row is empty or ragged, or a word is no number.

    Examples
    --------
    >>> parse_inline("1 2; 3 4")
    [[1.0, 2.0], [3.0, 4.0]]
    """
    rows = []
    for number, part in enumerate(re.split(r"\s*[;\n]\s*", text.strip().rstrip("; \t")), 1):
        words = [word for _, word in _words(part)]
        try:
            rows.append([parse_number(word) for word in words])
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from error
        if not words or len(rows[-1]) != len(rows[0]):
            raise ValueError(f"row {number} has {len(words)} numbers, row 1 has {len(rows[0])}; all need as many")
    return rows
