"""What is done to an image before it goes into a network."""

from cnnfilter.errors import ShapeError
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.geometry import Pair, show_pair

MOST_PIXELS = 2**28
"""Larger than any photo; more would take all the memory that a machine has."""


class Preparation(Value):
    """Resized, scaled, and freed of the training set's mean, in this order; false where all stays as it is.

    Parameters
    ----------
    size
        The (height, width) that it is resized to, or None.
    scale
        What its values are multiplied by: 1/255 brings 8 bits to 0..1.
    mean, std
        What is then subtracted, and what the rest is divided by: one number, or one for each channel.
    """

    size: Pair | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __bool__(self) -> bool:
        return self != Preparation()

    def __post_init__(self) -> None:
        if self.size and self.size[0] * self.size[1] > MOST_PIXELS:
            raise ShapeError(f"a size of {show_pair(self.size)} has more than {MOST_PIXELS} pixels, the most allowed")
        if self.scale <= 0:
            raise ShapeError(f"an input scale of {self.scale:g} is not above 0")
        if not self.mean or not self.std:
            raise ShapeError("a mean and a deviation are one number, or one for each channel, and none is given")
        if min(self.std) <= 0:
            raise ShapeError(f"a standard deviation of {min(self.std):g} is not above 0")
