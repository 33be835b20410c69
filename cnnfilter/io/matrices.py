"""Matrices: rows of numbers as text, in files or on the command line, and `.npy`. Strict: no guess is made.

numpy is loaded where arrays are made: the sizes of kernels are known without it.
"""

from __future__ import annotations

import io
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.errors import ImageFileError, TextError
from cnnfilter.io.formats import find_format
from cnnfilter.numbers import align, join_rows, parse_row, show_exact

if TYPE_CHECKING:
    from cnnfilter.arrays import Array, Doubles


Rows = list[list[float]]


class Table(NamedTuple):
    """Rows of numbers, a list of rows for each channel; (rows, columns[, channels]); and the comments above them."""

    channels: list[Rows]
    shape: tuple[int, ...]
    comments: list[str]


def parse_table(text: str, *, blank_starts_channel: bool = True) -> Table:
    r"""Return the table that a text writes: a row a line, spaces, tabs or commas, `#` comments.

    A blank line between rows starts the next channel, or is skipped. `TextError`, with its place, if it is no table.

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
            row = parse_row(content)
        except TextError as error:
            raise TextError(error.reason, line=number, column=error.column) from error
        if channels[0] and len(row) != len(channels[0][0]):
            reason = f"the row ends with {len(row)} numbers, and the first row has {len(channels[0][0])}"
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
            reason = f"channel {number} has {len(rows)} rows, channel 1 has {shape[0]}; all channels need as many"
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
        raise ValueError("every map needs as many slices")
    if len({(len(rows), len(rows[0])) for slices in maps for rows in slices}) > 1:
        raise ValueError("every slice needs as many rows, and as many numbers in them")
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
            raise ValueError(f"row {number} has {len(rows[-1])} numbers, row 1 has {len(rows[0])}; all need as many")
    return rows


def decode_matrix(data: bytes, name: str) -> Doubles:
    """Return the matrix in a text or a `.npy` file, by its first bytes: float64, (H, W) or (H, W, C) of channels."""
    import numpy as np  # noqa: PLC0415

    if data.startswith(b"\x93NUMPY"):
        return _decode_numpy(data, name)
    try:
        channels = np.array(parse_table(data.decode("utf-8-sig")).channels)
    except UnicodeDecodeError as error:
        raise ImageFileError("neither a text nor a .npy file", path=name) from error
    except TextError as error:
        raise ImageFileError(error.reason, path=name, line=error.line, column=error.column) from error
    return channels[0] if len(channels) == 1 else np.ascontiguousarray(np.moveaxis(channels, 0, -1))


def _decode_numpy(data: bytes, name: str) -> Doubles:
    import numpy as np  # noqa: PLC0415

    try:
        matrix = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy reads the header by Python's own parser, which raises what it likes
        reason = str(error) if isinstance(error, ValueError | EOFError) else ""
        if not reason or len(reason) >= 200 or "\n" in reason or " at 0x" in reason:
            reason = "its header is damaged"
        raise ImageFileError(f"not a whole .npy file of numbers ({reason})", path=name) from error
    if matrix.dtype.kind not in "buif" or matrix.ndim not in {2, 3} or matrix.size == 0:
        what = f"{matrix.dtype} of shape {matrix.shape}"
        raise ImageFileError(f"{what}; real numbers in 2 or 3 dimensions are read", path=name)
    return np.ascontiguousarray(matrix, dtype=np.float64)


def encode_matrix(matrix: Array, path: str | PurePath) -> bytes:
    """Return the bytes of a `.npy` or text file, by its suffix, that holds (length,), (H, W) or (H, W, C)."""
    if separator := find_format(path).separator:
        return format_matrix(matrix, separator).encode()
    import numpy as np  # noqa: PLC0415

    file = io.BytesIO()
    np.save(file, matrix, allow_pickle=False)
    return file.getvalue()


def format_matrix(matrix: Array, separator: str = " ") -> str:
    r"""Return a matrix, (length,), (H, W) or (H, W, C), as text: a row a line, a blank line between channels.

    Columns are flush right where the separator is a space.

    Examples
    --------
    >>> import numpy as np
    >>> format_matrix(np.array([[1.0, -10.5], [2.0, 3.0]]))
    '1 -10.5\n2     3\n'
    """
    channels = matrix.transpose(2, 0, 1) if matrix.ndim == 3 else [matrix if matrix.ndim == 2 else matrix[None]]
    tables: list[str] = []
    for channel in channels:
        rows = [list(map(show_exact, row)) for row in channel]
        lines = align(rows, range(len(rows[0])), separator) if separator == " " else map(separator.join, rows)
        tables.append("".join(f"{line}\n" for line in lines))
    return "\n".join(tables)
