"""Gradients of networks with seeded weights on a seeded batch, as PyTorch has them.

Computed with torch 2.13, in single precision, by `make_gradients`, which has the networks in PyTorch's modules. The
file beside this module holds, for each network, its text in our language, the names and shapes of PyTorch's state dict,
the gradients of a loss by the batch and by each tensor, and the running statistics after the batch.
"""

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.reference.seeded import IMAGE_START, LOSS_START, Floats, Shape, seeded_state, spread

IMAGES = 3
"""In a batch."""


class Gradients(NamedTuple):
    """A network, the (height, width, channels) of its images, and what PyTorch finds in one step backward."""

    network: str
    input: Shape
    state: Mapping[str, Shape]
    of_input: Sequence[float]
    of_tensors: Mapping[str, Sequence[float]]
    statistics: Mapping[str, Sequence[float]]

    @property
    def batch(self) -> Floats:
        """The images, (N, C, H, W)."""
        height, width, channels = self.input
        values = np.float32(2) * spread(IMAGES * prod(self.input), IMAGE_START)
        return values.reshape(IMAGES, channels, height, width)

    @property
    def weights(self) -> dict[str, Floats]:
        """The state dict before the step."""
        return seeded_state(self.state.items())

    @property
    def expected(self) -> dict[str, Floats]:
        """The gradient by each tensor, and the running statistics, by the names of the state dict."""
        numbers = {**self.of_tensors, **self.statistics}
        return {name: np.array(values, np.float32).reshape(self.state[name]) for name, values in numbers.items()}


def loss_factors(count: int) -> Floats:
    """Return what the values that come out, in PyTorch's order, are multiplied by before they are added up."""
    return np.float32(2) * spread(count, LOSS_START)


_LINES = json.loads((Path(__file__).parent / "gradients.json").read_text(encoding="utf-8"))

GRADIENTS = tuple(
    Gradients(**{**line, "input": tuple(line["input"]), "state": {name: tuple(shape) for name, shape in line["state"]}})
    for line in _LINES
)
