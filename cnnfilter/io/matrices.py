"""Matrices in files: rows of numbers as text, and `.npy`."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import TYPE_CHECKING

from cnnfilter.errors import ImageFileError, TextError
from cnnfilter.io.formats import find_format
from cnnfilter.numbers import align, parse_table, show_exact

if TYPE_CHECKING:
    from cnnfilter.arrays import Array, Doubles


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
