"""The types of arrays within the package, and how arrays of callers are read."""

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.errors import CnnFilterError, ShapeError

Array = NDArray[Any]
"""Real numbers of any type."""

Floats = NDArray[np.floating]
"""float32 or float64."""

Doubles = NDArray[np.float64]

ieee_arithmetic = np.errstate(divide="ignore", invalid="ignore", over="ignore")
"""For functions that may give infinities and nan, by IEEE 754, without a warning of numpy."""

_NARROW = {np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)}


def float_type(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    """Return the arithmetic for a type: float32 for 8 bits, 16 bits and float32, float64 for the rest."""
    return np.float32 if dtype.newbyteorder("=") in _NARROW else np.float64


def as_array(given: object, subject: str, error: type[CnnFilterError]) -> Array:
    """Return an array of what a caller gave, or raise an `error` that says why it cannot be one."""
    try:
        return np.asarray(given)
    except Exception as failure:  # arrays of other libraries raise what they like
        reason = _explain_rows(given) or f"cannot become a numpy array: {(str(failure).splitlines() or [''])[0]}"
        raise error(f"{subject}, of type {type(given).__name__}, {reason}") from failure


def as_numbers(given: object, subject: str, error: type[CnnFilterError] = ShapeError) -> Array:
    """Return what a caller gave as an array of real numbers, or raise an `error` that says what to do.

    Messages call it by its subject, such as `image`. Arrays of other libraries are taken by their `__array__`.

    Examples
    --------
    >>> as_numbers([[1, 2], [3, 4]], "image")
    array([[1, 2], [3, 4]])
    """
    if reason := _explain_other_things(given, subject):
        raise error(reason)
    array = as_array(given, subject, error)
    if array.dtype.kind not in "buif":
        raise error(f"{subject}, of type {type(given).__name__}, holds {_explain_type(array.dtype, subject)}")
    if array.size == 0:
        raise error(f"{subject} is empty: its shape is {array.shape}")
    return array


_PILLOW_MODES = {"1", "L", "I", "F", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I;16N"}
"""Pillow's images whose numbers are grey levels or colours."""


def _explain_other_things(given: object, subject: str) -> str:
    """Return what to do with a path, a file, None or a Pillow image of other colours; else the empty string."""
    if given is None:
        reason = "; cv2.imread returns None for a file that it cannot read" if subject == "image" else ""
        return f"{subject} is None, not an array{reason}"
    if isinstance(given, str | bytes | PathLike) or hasattr(given, "read"):
        shown = repr(fspath(given)) if isinstance(given, str | PathLike) else subject
        return f"{subject} is of type {type(given).__name__}, not an array; cnnfilter.read_image({shown}) returns one"
    mode = getattr(given, "mode", "") if type(given).__module__.startswith("PIL.") else ""
    if mode and mode not in _PILLOW_MODES:
        return f'{subject} is a Pillow image of mode {mode}; `{subject}.convert("RGB")` has colours'
    return ""


def _explain_rows(given: object) -> str:
    """Return how long the rows of a ragged list are, or the empty string of anything else."""
    if not isinstance(given, Sequence) or not all(isinstance(row, Sequence) for row in given):
        return ""
    lengths = list(dict.fromkeys(map(len, given)))
    return f"has rows of {' and '.join(map(str, lengths[:2]))} values; all need the same length" * (len(lengths) > 1)


def _explain_type(dtype: np.dtype[Any], subject: str) -> str:
    """Return what numbers of a type that is not real are, and what makes real ones of them."""
    match dtype.kind:
        case "c":
            return f"complex numbers ({dtype}); `{subject}.real` and `abs({subject})` are real"
        case "U" | "S":
            return "text, not numbers"
        case "O":
            return f"Python objects, not numbers; `numpy.array({subject}, dtype=float)` makes numbers where it can"
        case _:
            return f"{dtype}, not numbers"
