"""What is done to sums of products before they are results, while they are in the cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Doubles, Floats


class Finish(NamedTuple):
    """Rounding, division, bias.

    Parameters
    ----------
    bias
        Added to the outputs, (out,).
    divisor
        By which whole sums are divided, once.
    rounds
        Whether sums are rounded to the whole numbers that they are known to be.
    """

    bias: Doubles
    divisor: int = 1
    rounds: bool = False

    def of(self, outputs: slice) -> Finish:
        """Return the same for some of the outputs."""
        return self._replace(bias=self.bias[outputs])

    @property
    def does_nothing(self) -> bool:
        """Whether sums are results."""
        return not (self.rounds or self.divisor > 1 or self.bias.any())

    def __call__(self, sums: Floats) -> Floats:
        """Return sums (H', W', out) as results, in place."""
        if self.rounds:
            np.rint(sums, out=sums)
            sums += 0.0  # -0 becomes 0
        if self.divisor > 1:
            sums /= self.divisor
        if self.bias.any():
            sums += self.bias.astype(sums.dtype)
        return sums


UNFINISHED = Finish(np.zeros(1))
"""Leaves sums as they are: they are added to others first."""
