"""The warning where values were clipped, and the one cure that it names."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import cnnfilter
from tests.cli.conftest import Run

SCALE = "--range scale shows them"
SHARPEN = "a smaller AMOUNT of usm sharpens less, or --range scale shows them"
HARSH = "0 -9 0; -9 37 -9; 0 -9 0"
"""A kernel that sharpens so much that more than a quarter of the values are clipped."""


@pytest.fixture(autouse=True)
def noise(folder: Path) -> None:
    """Write an image of noise, one of which sharpening clips a little, and a matrix."""
    generator = np.random.default_rng(5)
    cv2.imwrite(str(folder / "noise.png"), generator.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    cv2.imwrite(str(folder / "soft.png"), generator.integers(90, 166, (40, 50), dtype=np.uint8))


def cure_of(run: Run, *words: str) -> str:
    """Return the cure that the only line on standard error names; nothing where there is no warning."""
    stderr = run(*words, "-o", "out.png").stderr
    assert stderr.count("\n") == bool(stderr)
    if stderr:
        assert stderr.startswith("cnnfilter: warning: ")
        assert "% of the values were below black or above white, and were clipped; " in stderr
    return str(stderr.rstrip("\n").rpartition("clipped; ")[2])


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ("-k sobel-x", "--range abs shows them"),
        ("-k sobel-x --channels gray", "--range abs shows them"),
        ("-k sobel-x --channels sum", "--range abs shows them"),
        ("-k sobel-x --range abs", "--activation abs --range max shows them"),
        ("-k sobel-x --range offset", SCALE),
        ("-k sobel-x --activation abs", SCALE),
        ("-k sobel-x --activation relu", SCALE),
        ("-k sobel-x --bias 128", SCALE),
        ("-k sobel-x -k sobel-y --combine magnitude", SCALE),
        ("-k blur-plus", "--normalize sum keeps the brightness"),
        ("-k blur-plus --range abs", "--normalize sum keeps the brightness"),
        ("-k box:3 --channels sum", SCALE),
        ("-k blur-plus --channels sum --normalize sum", SCALE),
        ("-k box:3 --range offset", SCALE),
        ("-k edge --flip --range abs", "--activation abs --range max shows them"),
        ("-k emboss --range offset", SCALE),
        ("-k sharpen-8", SHARPEN),
    ],
    ids=str,
)
def test_the_cure_fits_the_kernel_and_is_not_in_force(run: Run, options: str, cure: str) -> None:
    assert cure_of(run, "convolve", "noise.png", *options.split()) == cure


@pytest.mark.parametrize("range_", ["clip", "max"])
@pytest.mark.parametrize("kernel", ["sobel-x", "blur-plus", "sharpen"])
def test_a_range_that_clips_was_asked_for(run: Run, kernel: str, range_: str) -> None:
    assert cure_of(run, "convolve", "noise.png", "-k", kernel, "--range", range_) == ""


def test_sharpening_clips_up_to_a_quarter_in_silence(run: Run) -> None:
    pixels = cnnfilter.read_image("soft.png").astype(float)
    sharp = cv2.filter2D(pixels, -1, np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]))[1:-1, 1:-1]
    harsh = cv2.filter2D(pixels, -1, np.array([[0.0, -9, 0], [-9, 37, -9], [0, -9, 0]]))[1:-1, 1:-1]
    shares = [((values < -0.5) | (values > 255.5)).mean() for values in (0.5 * sharp + 0.5 * pixels[1:-1, 1:-1], harsh)]
    assert 0.001 < shares[0] < 0.25 < shares[1]
    assert cure_of(run, "convolve", "soft.png", "-k", "0 -.5 0; -.5 3 -.5; 0 -.5 0") == ""
    assert cure_of(run, "convolve", "soft.png", "-k", HARSH) == SHARPEN
    assert f" {100 * shares[1]:.1f} % of" in run("convolve", "soft.png", "-k", HARSH, "-o", "out.png").stderr


def test_the_power_of_a_pool_needs_another_range(run: Run) -> None:
    assert cure_of(run, "pool", "noise.png", "-m", "l2") == SCALE
    assert cure_of(run, "pool", "noise.png", "-m", "l2", "--range", "abs") == SCALE


@pytest.mark.parametrize(
    ("network", "range_", "cure"),
    [
        ("dwconv:sobel-x", None, "--range abs shows them"),
        ("gray conv:sobel-x", "abs", "a layer abs at the end with --range max shows them"),
        ("dwconv:blur-plus", None, "normalize=sum keeps the brightness"),
        ("dwconv:sobel-x relu", None, SCALE),
    ],
)
def test_a_network_is_cured_in_its_own_words(run: Run, network: str, range_: str | None, cure: str) -> None:
    options = ["--range", range_] if range_ else []
    assert cure_of(run, "pipeline", network, "noise.png", *options) == cure
