"""The samples: they are what their script makes, and hold what the README and the tests count on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnnfilter
from tests.conftest import ROOT

SCRIPT = ROOT / "samples" / "make_samples.py"
PICTURES = {
    "city.png": ((480, 640, 3), 255),
    "chart.png": ((240, 320), 255),
    "gradient-16.png": ((128, 256), 65535),
    "sprite.png": ((64, 64, 4), 255),
    "figures/edges.webp": ((480, 1280, 3), 255),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the script has just made all samples."""
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True)
    return folder


def test_the_script_makes_every_matrix_to_the_letter(made: Path, samples: Path) -> None:
    assert {path.name for path in made.glob("*.txt")} == {path.name for path in samples.glob("*.txt")}
    for path in made.glob("*.txt"):
        assert path.read_bytes() == (samples / path.name).read_bytes()


@pytest.mark.parametrize("name", PICTURES)
def test_the_script_makes_every_picture(made: Path, samples: Path, name: str) -> None:
    shape, white = PICTURES[name]
    again, kept = cnnfilter.read_image(made / name), cnnfilter.read_image(samples / name)
    assert kept.shape == shape
    assert kept.dtype == {255: np.uint8, 65535: np.uint16}[white]
    # Other releases of OpenCV draw letters, and of numpy specks, a little differently.
    assert np.abs(again.astype(float) - kept).mean() < 0.01 * white


def test_the_city_has_edges_in_all_directions(samples: Path) -> None:
    city = cnnfilter.read_image(samples / "city.png")
    words = ["vertical", "horizontal", "diagonal", "antidiagonal"]
    answers = [np.abs(cnnfilter.convolve(city, cnnfilter.kernel(f"ridge-{word}"))).mean() for word in words]
    assert min(answers) > max(answers) / 4


def test_the_gradient_needs_its_16_bits(samples: Path) -> None:
    gradient = cnnfilter.read_image(samples / "gradient-16.png")
    assert (gradient.min(), gradient.max()) == (0, 65535)
    assert len(np.unique(gradient)) > 10_000


def test_the_sprite_hides_a_garish_colour_and_has_soft_edges(samples: Path) -> None:
    sprite = cnnfilter.read_image(samples / "sprite.png")
    hidden = sprite[sprite[:, :, 3] == 0, :3]
    assert len(hidden) > 500
    assert (hidden == [255, 0, 255]).all()
    assert len(np.unique(sprite[:, :, 3])) > 10
