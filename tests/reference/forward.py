"""What networks with seeded weights make of a seeded image, as PyTorch has it.

Computed with torch 2.13, in single precision, by `make_forward`, which has the networks in PyTorch's modules. The
file beside this module holds, for each network, its text in our language, the names and shapes of PyTorch's state
dict, and the values that come out, in our order of axes; the weights and the image are those of `seeded`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.reference.seeded import Floats, Shape, seeded_image, seeded_state


@dataclass(frozen=True)
class Forward:
    """A network in the language, the shapes of its image and its state dict, and what comes out.

    Weights of `state` are (out, in, kh, kw) and (out, in) as in PyTorch, the columns of a linear layer after
    `flatten` in its order: channel, row, column.
    """

    id: str
    network: str
    input: Shape
    state: tuple[tuple[str, Shape], ...]
    output: Shape
    values: tuple[float, ...]

    @property
    def image(self) -> Floats:
        """The image that goes in."""
        return seeded_image(self.input)

    @property
    def weights(self) -> dict[str, Floats]:
        """The state dict."""
        return seeded_state(self.state)

    @property
    def expected(self) -> Floats:
        """The array that comes out."""
        return np.array(self.values, np.float32).reshape(self.output)


def _forward(
    id: str,
    network: str,
    input: list[int],
    state: list[tuple[str, list[int]]],
    output: list[int],
    values: list[float],
) -> Forward:
    """Return a line of the file with its lists as tuples."""
    shapes = tuple((name, tuple(shape)) for name, shape in state)
    return Forward(id, network, tuple(input), shapes, tuple(output), tuple(values))


_LINES = json.loads((Path(__file__).parent / "forward.json").read_text(encoding="utf-8"))

FORWARD = tuple(_forward(**line) for line in _LINES)
