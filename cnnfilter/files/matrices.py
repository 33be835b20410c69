"""Matrix files: rows of numbers as text, and `.npy`. Whole numbers are written as whole numbers."""

import io
from pathlib import PurePath

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.errors import ImageFileError
from cnnfilter.files.tables import Rows, parse_table
from cnnfilter.numbers import align, show_exact

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_NPY_START = b"\x93NUMPY"


def decode_matrix(data: bytes, name: str) -> Doubles:
    """Return the matrix in a text or a `.npy` file, told apart by its first bytes.

    Returns
    -------
    ndarray
        (H, W), or (H, W, C) where blank lines part channels; float64.

    Raises
    ------
    ImageFileError
        If the text is ragged, empty, or holds a word that is no number (with line and column), or the
        `.npy` file is cut off or holds no real numbers in 2 or 3 dimensions.
    """
    if data.startswith(_NPY_START):
        return _decode_numpy(data, name)
    try:
        return stack_channels(parse_table(data.decode("utf-8-sig")).channels)
    except UnicodeDecodeError as error:
        raise ImageFileError("neither a text nor a .npy file", path=name) from error
    except ValueError as error:
        raise ImageFileError(error, path=name) from error


def stack_channels(channels: list[Rows]) -> Doubles:
    """Return the rows of each channel as one array: (H, W), or (H, W, C) for several.

    Examples
    --------
    >>> stack_channels([[[1.0, 2.0]], [[3.0, 4.0]]]).tolist()
    [[[1.0, 3.0], [2.0, 4.0]]]
    """
    planes = np.array(channels)
    return planes[0] if len(planes) == 1 else np.ascontiguousarray(np.moveaxis(planes, 0, -1))


_LONGEST_REASON = 200


def _decode_numpy(data: bytes, name: str) -> Doubles:
    try:
        matrix = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy reads the header by Python's own parser, which raises what it likes
        reason = str(error) if isinstance(error, ValueError | EOFError) else ""
        told = reason if 0 < len(reason) < _LONGEST_REASON and "\n" not in reason and " at 0x" not in reason else ""
        raise ImageFileError(
            f"not a whole .npy file of numbers ({told or 'its header is damaged'})", path=name
        ) from error
    if matrix.dtype.kind not in "buif" or matrix.ndim not in {2, 3} or matrix.size == 0:
        raise ImageFileError(
            f"{matrix.dtype} of shape {matrix.shape}; real numbers in 2 or 3 dimensions are read",
            path=name,
        )
    return np.ascontiguousarray(matrix, dtype=np.float64)


def encode_matrix(matrix: Array, path: str | PurePath) -> bytes:
    """Return the bytes of a matrix file, `.npy` or text by the suffix of its name.

    Parameters
    ----------
    matrix
        (length,), (H, W) or (H, W, C).
    path
        The file's name.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix == ".npy":
        file = io.BytesIO()
        np.save(file, matrix, allow_pickle=False)
        return file.getvalue()
    return format_matrix(matrix, _SEPARATORS.get(suffix, " ")).encode()


def format_matrix(matrix: Array, separator: str = " ") -> str:
    r"""Return a matrix as text: a row a line, a blank line between channels, columns flush right.

    Parameters
    ----------
    matrix
        (length,), (H, W) or (H, W, C).
    separator
        What parts the numbers; columns are aligned where it is a space.

    Examples
    --------
    >>> format_matrix(np.array([[1.0, -10.5], [2.0, 3.0]]))
    '1 -10.5\n2     3\n'
    """
    channels = np.moveaxis(matrix, -1, 0) if matrix.ndim == 3 else [np.atleast_2d(matrix)]
    return "\n".join(
        _format_channel([list(map(show_exact, row)) for row in channel], separator) for channel in channels
    )


def _format_channel(rows: list[list[str]], separator: str) -> str:
    lines = align(rows, range(len(rows[0])), separator) if separator == " " else map(separator.join, rows)
    return "".join(f"{line}\n" for line in lines)
