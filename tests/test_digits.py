"""The sample network of digits, which `train` trained: it gives the numbers that PyTorch gives with its weights."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.api.networks import RunnableNetwork
from cnnfilter.cli import main
from cnnfilter.io.weights import read_classes, read_weights
from tests.conftest import ROOT

NETWORK = ROOT / "samples" / "digits.toml"
SHAPES = {
    "conv1.weight": (16, 1, 3, 3),
    "conv1.bias": (16,),
    "conv2.weight": (32, 16, 3, 3),
    "conv2.bias": (32,),
    "linear1.weight": (64, 2 * 2 * 32),
    "linear1.bias": (64,),
    "linear2.weight": (10, 64),
    "linear2.bias": (10,),
}


class Digit(NamedTuple):
    """A handwritten digit (8, 8) of 0 to 255, which one it is, and how probable that is by PyTorch."""

    label: int
    probability: float
    picture: NDArray[np.uint8]


def read_digits() -> list[Digit]:
    """Return the digits of the table; a pixel is one character, of 0 to 16 in base 17."""
    text = (ROOT / "tests" / "reference" / "digits.txt").read_text(encoding="utf-8")
    digits = []
    for line in text.splitlines():
        if not line.startswith("#"):
            label, probability, *rows = line.split()
            levels = np.array([[int(pixel, 17) for pixel in row] for row in rows])
            digits.append(Digit(int(label), float(probability), np.rint(levels * (255 / 16)).astype(np.uint8)))
    return digits


DIGITS = read_digits()


@pytest.fixture(scope="module")
def network() -> RunnableNetwork:
    """Return the network, with the weights that its file names."""
    return cnnfilter.network(str(NETWORK))


def test_the_table_has_two_digits_of_each_kind() -> None:
    assert [digit.label for digit in DIGITS] == [label for label in range(10) for _ in range(2)]
    assert {digit.picture.shape for digit in DIGITS} == {(8, 8)}


@pytest.mark.parametrize("digit", DIGITS, ids=[f"{digit.label}-{number % 2}" for number, digit in enumerate(DIGITS)])
def test_a_digit_is_as_probable_as_by_pytorch(network: RunnableNetwork, digit: Digit) -> None:
    found = network.run(digit.picture)
    assert found.shape == (10,)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert found[digit.label] == pytest.approx(digit.probability, abs=1e-4)


def test_the_sample_picture_is_a_seven(network: RunnableNetwork, samples: Path) -> None:
    picture = cnnfilter.read_image(samples / "digit-7.png")
    assert (picture.shape, picture.dtype.name) == ((8, 8), "uint8")
    found = network.run(picture)
    assert found.argmax() == 7
    assert found[7] > 0.99


def test_a_grey_digit_in_colour_is_the_same_digit(network: RunnableNetwork) -> None:
    for digit in DIGITS:
        found = network.run(np.dstack([digit.picture] * 3))
        assert found[digit.label] == pytest.approx(digit.probability, abs=1e-4)


def test_the_weights_are_those_of_the_layers(network: RunnableNetwork, samples: Path) -> None:
    weights = read_weights(samples / "digits.npz")
    assert {name: tensor.shape for name, tensor in weights.items()} == SHAPES
    assert {tensor.dtype for tensor in weights.values()} == {np.dtype(np.float32)}
    assert sum(tensor.size for tensor in weights.values()) == network.summary((8, 8, 1)).totals.parameters
    assert read_classes(samples / "digits.npz") == tuple("0123456789")
    assert {name.partition(".")[0] for name in SHAPES} <= set(network.names)


def test_the_weights_are_a_small_file(samples: Path) -> None:
    assert (samples / "digits.npz").stat().st_size < 60_000


def test_the_file_states_how_often_the_network_is_right() -> None:
    stated = re.search(r"accuracy on (\d+) held out: ([\d.]+) %", NETWORK.read_text(encoding="utf-8"))
    assert stated
    assert int(stated[1]) >= 360
    assert 97 <= float(stated[2]) <= 100
    page = " ".join((ROOT / "cnnfilter" / "help" / "language.md").read_text(encoding="utf-8").split())
    assert f"it is right on {stated[2]} % of the {stated[1]} digits that were held out" in page


def test_the_command_names_the_seven_first(runner: CliRunner, samples: Path) -> None:
    result = runner.invoke(main, ["pipeline", str(NETWORK), str(samples / "digit-7.png"), "--top", "3"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split()[:1] == ["7"]
