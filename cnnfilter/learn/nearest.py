"""The kernel with a name that is most like another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Doubles
from cnnfilter.kernels import made
from cnnfilter.kernels.recipes import RECIPES
from cnnfilter.kernels.spec import fixed_kernels, load_kernel
from cnnfilter.numbers import show_digits

_PLAIN = 0.02
"""Where a factor is this near to 1, the kernel itself is meant."""

_STEPS = 60
"""Values of a sigma or an angle that are tried, before the best is refined."""


class Likeness(NamedTuple):
    """A kernel's word, the factor that it is taken with, and the distance: that of the weights, relative to them."""

    name: str
    factor: float
    distance: float


def find_nearest(kernel: Doubles) -> Likeness | None:
    """Return the named kernel, or the multiple of one, that is most like a (kh, kw) kernel; None for zeros.

    Fixed kernels of other sizes are laid in the centre; those that are made have the size of the longer side.

    Examples
    --------
    >>> find_nearest(2 * np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]))
    Likeness(name='sharpen', factor=2.0, distance=0.0)
    """
    if not kernel.any():
        return None
    found = [likeness for word, weights in _candidates(kernel) if (likeness := _compare(kernel, weights, word))]
    # Of equals a fixed one, and one with a short name, is the better known.
    ranks = {one: (round(one.distance, 9), one.factor != 1, ":" in one.name, len(one.name)) for one in found}
    return min(ranks, key=ranks.__getitem__, default=None)


def _compare(kernel: Doubles, weights: Doubles, word: str) -> Likeness | None:
    """Return how like a kernel some weights are, times the best factor; None if they are 0, larger, or its opposite."""
    laid = _lay(weights, (kernel.shape[0], kernel.shape[1]))
    if laid is None or not laid.any():
        return None
    factor = float((kernel * laid).sum() / (laid * laid).sum())
    if factor <= 0:
        return None
    if abs(factor - 1) <= _PLAIN:
        factor = 1.0
    distance = float(np.linalg.norm(kernel - factor * laid) / np.linalg.norm(kernel))
    return Likeness(word, factor, distance)


def _lay(weights: Doubles, size: tuple[int, int]) -> Doubles | None:
    """Return weights with zeros around them; None if they do not fit, or have another centre."""
    rest = size[0] - weights.shape[0], size[1] - weights.shape[1]
    if min(rest) < 0 or rest[0] % 2 or rest[1] % 2:
        return None
    before = rest[0] // 2, rest[1] // 2
    return np.pad(weights, [(before[0], before[0]), (before[1], before[1])])


def _candidates(kernel: Doubles) -> Iterator[tuple[str, Doubles]]:
    """Yield words and weights of kernels that may be like another."""
    for name in sorted(fixed_kernels()):
        weights = load_kernel(name).weights
        if weights.ndim == 2:
            yield name, weights
    side = max(kernel.shape)
    for name, recipe in RECIPES.items():
        if recipe.arguments == ("n",):
            for smaller in range(side % 2 or 2, side + 1, 2):
                yield f"{name}:{smaller}", load_kernel(f"{name}:{smaller}").weights
    if side > 1 and kernel.shape == (side, side):
        yield from _fit_recipes(kernel, side)


def _fit_recipes(kernel: Doubles, side: int) -> Iterator[tuple[str, Doubles]]:
    """Yield made kernels of a size, their sigma, amount or angle the one that fits best."""
    for name, low, high in (("gaussian", 0.3, side / 2), ("log", 0.5, side / 3), ("motion", 0.0, 180.0)):
        make: Callable[[int, float], Doubles] = getattr(made, name)
        value = _search(partial(_distance_of, kernel, make), low, high)
        yield f"{name}:{side}:{value:g}", make(side, value)
    if side % 2:
        point = made.identity(side)
        rest = kernel - point
        sigma = _search(lambda value: _distance(rest, point - made.gaussian(side, value)), 0.3, side / 2)
        mask = point - made.gaussian(side, sigma)
        amount = float(show_digits(float((rest * mask).sum() / (mask * mask).sum()), 3))
        if amount > 0:
            yield f"usm:{sigma:g}:{amount:g}:size={side}", made.usm(side, sigma, amount)


def _distance_of(kernel: Doubles, make: Callable[[int, float], Doubles], value: float) -> float:
    return _distance(kernel, make(max(kernel.shape), value))


def _distance(kernel: Doubles, weights: Doubles) -> float:
    """Return how far a kernel is from the nearest multiple of some weights."""
    along = float((kernel * weights).sum()) / max(1e-300, float((weights * weights).sum()))
    return float(np.linalg.norm(kernel - along * weights))


def _search(distance: Callable[[float], float], low: float, high: float) -> float:
    """Return where a distance is least, in few digits if they do: by trying values, then by thirds between two."""
    values = np.linspace(low, high, _STEPS)
    best = int(np.argmin([distance(float(value)) for value in values]))
    low, high = float(values[max(0, best - 1)]), float(values[min(_STEPS - 1, best + 1)])
    for _ in range(30):
        first, second = low + (high - low) / 3, high - (high - low) / 3
        if distance(first) <= distance(second):
            high = second
        else:
            low = first
    value = (low + high) / 2
    worst = 1.05 * distance(value) + 1e-9
    return next((short for digits in (1, 2, 3) if distance(short := float(f"{value:.{digits}g}")) <= worst), value)
