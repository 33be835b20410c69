"""Weights and images that are the same on every machine, for networks that run in PyTorch and here.

The numbers come from whole-number arithmetic on the place of each value, so that none need be stored. A state
dict is made from the names and shapes of its arrays, as PyTorch writes and orders them; the scales keep what
comes out of each layer near 1, however many layers there are.
"""

from collections.abc import Iterable
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Floats = NDArray[np.float32]

GAIN = sqrt(24)
"""Over sqrt(fan_in): the variance 2 / fan_in that keeps values through relu (He et al. 2015), for -0.5 to 0.5."""

IMAGE_START = 1 << 31
"""Where the numbers of an image begin; those of the weights begin at 0, and are fewer than these."""

LOSS_START = 3 << 30
"""Where the numbers begin by which results are multiplied to become a loss."""


def spread(count: int, start: int = 0) -> Floats:
    """Return the numbers `start`, `start` + 1, ... as values that look random, from -0.5 to below 0.5.

    The bits are mixed by the rounds of a 32-bit hash; the highest 24 of them are a float32 without rounding.

    References
    ----------
    C. Wellons, Hash Function Prospector, 2018: the multipliers and shifts of `lowbias32`.

    Examples
    --------
    >>> spread(4, start=1)
    array([-0.09165096,  0.31669813, -0.17209   ,  0.34958446], dtype=float32)
    """
    mixed = np.arange(start, start + count, dtype=np.uint32)
    for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(multiplier)
    mixed ^= mixed >> np.uint32(16)
    return (mixed >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24) - np.float32(0.5)


def seeded_state(shapes: Iterable[tuple[str, Shape]]) -> dict[str, Floats]:
    """Return an array for each name: convolutions and linear layers with weights of their fan-in, others near 1 or 0.

    Parameters
    ----------
    shapes
        The names and shapes of a state dict, in its order: `conv1.weight`, `bn1.running_var`, ...

    Returns
    -------
    dict
        Weights with two axes or more within +-sqrt(6 / fan_in); those with one, and variances, from 0.5 to 1.5;
        biases and means within +-0.1; counts of batches 0.
    """
    state = {}
    start = 0
    for name, shape in shapes:
        count = prod(shape)
        scale, centre = _range(name, shape)
        values = np.float32(scale) * spread(count, start) + np.float32(centre)
        state[name] = values.reshape(shape)
        start += count
    return state


def seeded_image(shape: Shape) -> Floats:
    """Return an image with values from -1 to below 1.

    Parameters
    ----------
    shape
        (height, width, channels).
    """
    return np.float32(2) * spread(prod(shape), IMAGE_START).reshape(shape)


def _range(name: str, shape: Shape) -> tuple[float, float]:
    """Return the width of the range of an array's values, and its centre."""
    kind = name.rpartition(".")[2]
    if kind == "num_batches_tracked":
        return 0.0, 0.0
    if kind in {"bias", "running_mean"}:
        return 0.2, 0.0
    if kind == "running_var" or len(shape) == 1:
        return 1.0, 1.0
    return GAIN / sqrt(prod(shape[1:])), 0.0
