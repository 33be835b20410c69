"""Images brought to what a network was trained on: resized, scaled, centred, and never rounded."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import prepare, resize
from cnnfilter.errors import ShapeError
from cnnfilter.network_files import Preparation

GENERATOR = np.random.default_rng(3)
PICTURE = GENERATOR.integers(0, 256, (12, 18, 3)).astype(np.uint8)

sides = st.integers(1, 40)


def test_an_image_of_which_nothing_is_asked_is_as_it_was() -> None:
    assert prepare(PICTURE, Preparation()) is PICTURE


def test_an_image_is_scaled_then_freed_of_the_mean_then_divided() -> None:
    prepared = prepare(PICTURE, Preparation(scale=1 / 255, mean=(0.5, 0.25, 0.125), std=(0.5, 2.0, 4.0)))
    expected = (PICTURE / 255 - [0.5, 0.25, 0.125]) / [0.5, 2, 4]
    assert np.allclose(prepared, expected, rtol=1e-6, atol=1e-6)


def test_one_number_is_for_every_channel() -> None:
    single = prepare(PICTURE, Preparation(mean=(100.0,), std=(7.0,)))
    assert np.array_equal(single, prepare(PICTURE, Preparation(mean=(100.0,) * 3, std=(7.0,) * 3)))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.uint8, np.float32),
        (np.uint16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (">f8", np.float64),
    ],
)
def test_the_arithmetic_is_that_of_the_image_and_nothing_is_rounded(dtype: Any, expected: type) -> None:
    for preparation in (Preparation(scale=0.1), Preparation((5, 7)), Preparation(mean=(0.3,))):
        prepared = prepare(PICTURE.astype(dtype), preparation)
        assert prepared.dtype == expected
        assert not np.array_equal(prepared, np.rint(prepared))


def test_doubles_keep_their_digits() -> None:
    image = PICTURE.astype(np.float64)
    assert np.array_equal(prepare(image, Preparation(scale=0.1)), image * 0.1)


@pytest.mark.parametrize("numbers", [(1.0, 2.0), (1.0, 2.0, 3.0, 4.0)])
def test_there_is_one_number_for_each_channel(numbers: tuple[float, ...]) -> None:
    for preparation in (Preparation(mean=numbers), Preparation(std=numbers)):
        with pytest.raises(ShapeError, match=f"{len(numbers)} numbers"):
            prepare(PICTURE, preparation)


@pytest.mark.parametrize(("scale", "std"), [(1.0, (0.0,)), (1.0, (1.0, -1.0, 1.0)), (0.0, (1.0,)), (-1.0, (1.0,))])
def test_what_would_wipe_out_or_turn_over_an_image_is_refused(scale: float, std: tuple[float, ...]) -> None:
    with pytest.raises(ShapeError, match="not above 0"):
        Preparation(scale=scale, std=std)


def test_the_size_comes_first() -> None:
    prepared = prepare(PICTURE, Preparation((4, 6), scale=0.5, mean=(1.0,)))
    assert np.allclose(prepared, blocks(PICTURE, 3) * 0.5 - 1, atol=1e-4)


def blocks(image: Array, size: int) -> Array:
    """Return the means of square blocks."""
    height, width, channels = image.shape
    cut = image.astype(np.float64).reshape(height // size, size, width // size, size, channels)
    return np.asarray(cut.mean(axis=(1, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_an_image_shrunk_by_a_whole_number_is_the_means_of_blocks(dtype: Any, factor: int) -> None:
    shrunk = resize(PICTURE.astype(dtype), (12 // factor, 18 // factor))
    assert shrunk.dtype == dtype
    assert np.allclose(shrunk, blocks(PICTURE, factor), atol=1e-4)


@given(sides, sides, sides, sides, st.integers(-1000, 1000), st.integers(1, 5))
def test_a_constant_stays_constant(height: int, width: int, rows: int, columns: int, level: int, channels: int) -> None:
    constant = np.full((height, width, channels), level / 7)
    resized = resize(constant, (rows, columns))
    assert resized.shape == (rows, columns, channels)
    assert np.allclose(resized, level / 7, rtol=1e-6)


@given(sides, sides, sides, sides)
def test_no_value_leaves_the_range_of_the_image(height: int, width: int, rows: int, columns: int) -> None:
    image = np.random.default_rng(height * 41 + width).normal(size=(height, width, 2))
    resized = resize(image, (rows, columns))
    for channel in (0, 1):
        assert resized[:, :, channel].min() >= image[:, :, channel].min() - 1e-6
        assert resized[:, :, channel].max() <= image[:, :, channel].max() + 1e-6


@given(sides, sides, sides, sides)
def test_an_image_that_shrinks_keeps_its_mean(height: int, width: int, rows: int, columns: int) -> None:
    image = np.random.default_rng(height * 41 + width).normal(size=(height, width, 1))
    resized = resize(image, (min(rows, height), min(columns, width)))
    assert resized.mean() == pytest.approx(image.mean(), abs=1e-5)


@given(sides, st.integers(1, 6))
def test_an_image_that_grows_is_linear_between_the_centres_of_its_pixels(size: int, factor: int) -> None:
    row = np.random.default_rng(size).normal(size=size)
    grown = resize(row[None, :, None], (1, size * factor))[0, :, 0]
    centres = (np.arange(size * factor) + 0.5) / factor - 0.5
    assert np.allclose(grown, np.interp(centres, np.arange(size), row), atol=1e-5)


def test_height_and_width_are_resized_each_by_itself() -> None:
    image = PICTURE.astype(np.float64)
    tall_and_narrow = resize(image, (24, 9))
    narrow = image.reshape(12, 9, 2, 3).mean(axis=2)
    assert np.allclose(tall_and_narrow, resize(narrow, (24, 9)), atol=1e-6)
    assert np.allclose(resize(image.transpose(1, 0, 2), (9, 24)), tall_and_narrow.transpose(1, 0, 2), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 600])
def test_every_channel_is_resized_like_the_first(channels: int) -> None:
    volume = np.repeat(PICTURE[:, :, :1].astype(np.float32), channels, axis=2)
    resized = resize(volume, (7, 30))
    assert resized.shape == (7, 30, channels)
    assert (resized == resized[:, :, :1]).all()


def test_a_view_that_runs_backwards_is_resized_as_it_looks() -> None:
    image = PICTURE.astype(np.float64)
    assert np.allclose(resize(image[::-1, ::-1], (5, 31)), resize(image, (5, 31))[::-1, ::-1], atol=1e-6)
