"""`correlate` of the library: what it takes, what it returns, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from scipy import signal  # type: ignore[import-untyped]

from cnnfilter import convolve, correlate
from cnnfilter.errors import CnnFilterError

MODES = ("full", "same", "valid")


@pytest.mark.parametrize("mode", MODES)
def test_planes_and_signals_are_those_of_scipy(mode: Any) -> None:
    rng = np.random.default_rng(1)
    image, pattern = rng.normal(size=(20, 30)), rng.normal(size=(9, 8))
    assert np.allclose(correlate(image, pattern, mode=mode), signal.correlate(image, pattern, mode))
    assert np.allclose(correlate(image[0], pattern[0], mode=mode), signal.correlate(image[0], pattern[0], mode))
    assert np.allclose(correlate(image), signal.correlate(image, image))


def test_it_is_what_convolve_gives_when_the_pattern_is_the_kernel() -> None:
    rng = np.random.default_rng(2)
    image, pattern = rng.integers(0, 256, (20, 30)).astype(float), rng.integers(0, 9, (5, 7)).astype(float)
    assert np.array_equal(correlate(image, pattern, mode="valid"), convolve(image, pattern))
    assert np.array_equal(correlate(image, pattern), convolve(image, pattern, padding="full"))


def test_colours_are_made_grey() -> None:
    image = np.random.default_rng(3).integers(0, 256, (12, 13, 3)).astype(np.uint8)
    grey = image @ np.array([0.299, 0.587, 0.114])
    assert np.allclose(correlate(image, image[3:7, 2:9]), signal.correlate(grey, grey[3:7, 2:9]))


def test_ncc_stays_within_the_image_where_the_pattern_is_smaller() -> None:
    image = np.random.default_rng(4).normal(size=(12, 13))
    found = correlate(image, image[3:7, 2:9], normalize="ncc")
    assert found.shape == (9, 7)
    assert found[3, 2] == pytest.approx(1)
    assert correlate(image, normalize="ncc").shape == (23, 25)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown mode": ({"image": [1], "mode": "ful"}, "mode 'ful' is unknown: full, same, valid; nearest: full"),
    "an unknown normalization": (
        {"image": [1], "normalize": "nc"},
        "normalize 'nc' is unknown: none, mean, ncc, phase; nearest: ncc",
    ),
    "a large pattern": (
        {"image": [1, 2], "pattern": [1, 2, 3], "mode": "valid"},
        'the pattern, 1x3, is larger than the image, 1x2, and mode="valid" keeps it within; mode="full" lets it reach'
        " beyond",
    ),
    "phase within": (
        {"image": [1, 2], "mode": "same", "normalize": "phase"},
        'normalize="phase" takes mode="full" alone, not same',
    ),
    "a flat image": (
        {"image": np.ones((3, 3)), "normalize": "ncc"},
        "the image is flat: ncc divides by its contrast, which is 0",
    ),
    "nan": ({"image": [1, np.nan]}, "nan or infinity among the values: every sum of products would be nan"),
    "alpha": (
        {"image": np.ones((3, 3, 4))},
        "a correlation takes 1 channel, or 3 (red, green, blue), not 4",
    ),
    "nothing": ({"image": np.ones((0, 3))}, "image is empty: its shape is (0, 3)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_correlated_is_refused_in_words_of_python(case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(CnnFilterError) as refused:
        correlate(**given)
    assert str(refused.value) == message
