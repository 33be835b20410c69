"""The types of arrays that the floors hand to each other, and what callers may give for one."""

from collections.abc import Sequence
from os import PathLike
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
"""For functions in which infinities and nan may come about, as IEEE 754 has it, without a complaint of numpy."""

_NARROW = {np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)}


def float_type(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    """Return the arithmetic for a type: float32 for 8 bits, 16 bits and float32, float64 for the rest."""
    return np.float32 if dtype.newbyteorder("=") in _NARROW else np.float64


def as_numbers(given: object, subject: str, error: type[CnnFilterError] = ShapeError) -> Array:
    """Return what a caller gave as an array of real numbers, or raise an `error` that says what would do.

    The subject, such as `image`, is what messages call it. Arrays of other libraries, which have `__array__`, are taken
    as numpy takes them.

    Examples
    --------
    >>> as_numbers([[1, 2], [3, 4]], "image")
    array([[1, 2], [3, 4]])
    """
    if reason := _explain_other_things(given, subject):
        raise error(reason)
    try:
        array = np.asarray(given)
    except Exception as failure:
        reason = _explain_rows(given) or f"does not become an array of numpy: {(str(failure).splitlines() or [''])[0]}"
        raise error(f"{subject}, of type {type(given).__name__}, {reason}") from failure
    if array.dtype.kind not in "buif":
        raise error(f"{subject} holds {_explain_type(array.dtype, subject)}")
    if array.size == 0:
        raise error(f"{subject} is empty: its shape is {array.shape}")
    return array


_PILLOW_MODES = {"1", "L", "I", "F", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I;16N"}
"""Pillow's images whose numbers are grey levels or colours."""


def _explain_other_things(given: object, subject: str) -> str:
    """Return what to do with a path, a file, None or a Pillow image of other colours; else the empty string."""
    if given is None:
        return f"{subject} is None, not an array; cv2.imread gives None for a file that it cannot read"
    if isinstance(given, str | bytes | PathLike) or hasattr(given, "read"):
        shown = repr(given) if isinstance(given, str | PathLike) else "it"
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
        case "O":
            return f"Python objects, not numbers; `numpy.asarray({subject}, dtype=float)` makes numbers where it can"
        case _:
            return f"{dtype}, not numbers"
