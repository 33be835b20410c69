"""Matrices in files: rows of numbers as text, and `.npy`."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import TYPE_CHECKING

from cnnfilter.errors import ImageFileError, TextError
from cnnfilter.io.formats import find_format
from cnnfilter.io.paths import lacks_memory
from cnnfilter.numbers import align, parse_table, show_exact

if TYPE_CHECKING:
    from cnnfilter.arrays import Array, Doubles
    from cnnfilter.nn.layers import Shape


def decode_matrix(data: bytes, name: str, notes: list[str] | None = None, *, batch: bool = False) -> Doubles:
    """Return the matrix in a text or a `.npy` file, by its first bytes: float64, (H, W) or (H, W, C) of channels.

    A `batch` of them, (N, H, W, C), is returned too where it is allowed. Warnings are added to `notes`.
    """
    import numpy as np  # noqa: PLC0415

    if data.startswith(b"\x93NUMPY"):
        matrix = _decode_numpy(data, name, batch=batch)
        if notes is not None:
            notes += _warn_about_array(matrix)
        return np.ascontiguousarray(matrix, dtype=np.float64)
    try:
        channels = np.array(parse_table(data.decode("utf-8-sig"), finite=False).channels)
    except UnicodeDecodeError as error:
        raise ImageFileError("neither a text nor a .npy file", path=name) from error
    except TextError as error:
        raise ImageFileError(error.reason, path=name, line=error.line, column=error.column) from error
    return channels[0] if len(channels) == 1 else np.ascontiguousarray(np.moveaxis(channels, 0, -1))


def _decode_numpy(data: bytes, name: str, *, batch: bool) -> Array:
    """Return the numbers in a `.npy` file in their own type."""
    import numpy as np  # noqa: PLC0415

    try:
        matrix = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy reads the header by Python's own parser, which raises what it likes
        reason = str(error) if isinstance(error, ValueError | EOFError) else ""
        if not reason or len(reason) >= 200 or "\n" in reason or " at 0x" in reason:
            reason = "its header is damaged"
        raise ImageFileError(f"not a whole .npy file of numbers ({reason})", path=name) from error
    what = f"{matrix.dtype} of shape {matrix.shape}"
    if matrix.dtype.kind == "c":
        raise ImageFileError(f"{what}; complex numbers are not supported, save `.real` or `abs` of them", path=name)
    if matrix.dtype.kind == "f" and matrix.dtype.itemsize > _DOUBLE:
        raise ImageFileError(f"{what}; floats longer than 64 bits are not supported, save `.astype(float)`", path=name)
    if matrix.size == 0:
        raise ImageFileError(f"the array is empty: its shape is {matrix.shape}", path=name)
    if matrix.dtype.kind not in "buif" or matrix.ndim not in ({2, 3, 4} if batch else {2, 3}):
        batches = "" if batch or matrix.ndim != 4 else "; a batch (N, H, W, C) is for `cnnfilter pipeline`"
        dimensions = "2 to 4" if batch else "2 or 3"
        raise ImageFileError(f"{what}; real numbers in {dimensions} dimensions are read{batches}", path=name)
    if lack := lacks_memory(_DOUBLE * matrix.size):
        raise ImageFileError(f"{what}: its numbers {lack}", path=name)
    return np.asarray(matrix)


_DOUBLE = 8  # bytes of a number of float64

_LEAST_SIDE = 8
"""As many columns and channels as rows and columns of an image that is kept channels first are taken to have."""


def _warn_about_array(matrix: Array) -> list[str]:
    """Return warnings for an array from a `.npy` file: whole numbers that are rounded, channels first."""
    notes = list[str]()
    if matrix.dtype.kind in "iu" and (rounded := _count_rounded(matrix)):
        notes.append(f"{rounded} of its whole numbers are beyond 2^53, and are rounded to the nearest of float64")
    return notes + warn_about_channels(matrix.shape)


def warn_about_channels(shape: Shape) -> list[str]:
    """Return a warning for an array whose channels seem to come first."""
    if len(shape) != 3 or shape[0] not in {1, 3, 4} or min(shape[1:]) < _LEAST_SIDE:
        return []
    height, width, channels = shape
    return [
        f"shape {shape} is read as {height} rows and {width} columns of {channels} channels; "
        "if the channels come first, `.transpose(1, 2, 0)` puts them last"
    ]


def _count_rounded(matrix: Array) -> int:
    """Return how many whole numbers float64 does not hold: those whose odd part has more than 53 bits."""
    import numpy as np  # noqa: PLC0415

    if matrix.dtype.itemsize < _DOUBLE:
        return 0
    magnitudes = np.abs(matrix).astype(np.uint64)  # that of the least int64 is right again without its sign
    last_bit = magnitudes & (~magnitudes + np.uint64(1))
    return int(np.count_nonzero(magnitudes // np.maximum(last_bit, 1) >= 2**53))


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
