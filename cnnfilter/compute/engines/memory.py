"""Memory that a worker uses again for each tile: fresh pages cost more than the arithmetic done on them."""

from __future__ import annotations

from math import prod

import numpy as np

from cnnfilter.arrays import Floats


class Memory:
    """Arrays by name, of one type; each call with a name gives the same memory, whatever it held before."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._dtype = dtype
        self._arrays: dict[str, Floats] = {}

    def __call__(self, name: str, *shape: int) -> Floats:
        """Return a C-contiguous array of a shape."""
        size = prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, self._dtype)
        return self._arrays[name][:size].reshape(shape)
