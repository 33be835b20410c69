"""The types of arrays that the floors hand to each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
