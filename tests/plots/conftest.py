"""What the tests of figures share."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.compute.weights import Model
from cnnfilter.files.formats import Depth
from cnnfilter.files.pictures import Picture
from cnnfilter.kernels import kernel_shape
from cnnfilter.results import Handling, Result, run_picture
from cnnfilter.spec.language import parse_network

COLORS = np.random.default_rng(5).integers(0, 256, (40, 60, 3)).astype(np.uint8)


@pytest.fixture
def colors() -> Picture:
    """Return a picture of 40x60 RGB pixels."""
    return Picture(COLORS, Depth.EIGHT)


@pytest.fixture
def matrix(samples: Path) -> Picture:
    """Return the 5x5 matrix that the texts sharpen."""
    return Picture(np.loadtxt(samples / "sharpen-5x5.txt"), Depth.EIGHT, matrix=True)


def model(words: str) -> Model:
    """Return a network that is ready to run."""
    return Model(parse_network(words, kernel_shape))


def result(picture: Picture, words: str) -> tuple[str, Model, Result]:
    """Return what a network makes of a picture, named by its words."""
    network = model(words)
    return words, network, run_picture(picture, network, Handling())[0][""]


def values_of(picture: Picture, words: str) -> Array:
    """Return what a network makes of a picture."""
    return result(picture, words)[2].values
