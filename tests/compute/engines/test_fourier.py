"""Products of spectra: the tiles that they are taken in, and what comes out at the edges of tiles."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import signal  # type: ignore[import-untyped]

from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import SIDES, UNFINISHED, choose_side, filter_by_fourier, lay_tiles
from cnnfilter.io.opencv import cv2
from cnnfilter.nn.geometry import Border, Pair, Window

LENGTHS = st.one_of(st.integers(1, 100), st.integers(1, 20000))


@given(length=LENGTHS, kernel=LENGTHS)
def test_a_tile_holds_the_kernel_and_is_no_larger_than_the_image_needs(length: int, kernel: int) -> None:
    assume(kernel <= length)
    side = choose_side(length, kernel)
    assert kernel <= side <= cv2.getOptimalDFTSize(length)


@given(length=LENGTHS, kernel=LENGTHS)
def test_a_tile_is_one_that_is_transformed_fast(length: int, kernel: int) -> None:
    assume(kernel <= length)
    side = choose_side(length, kernel)
    assert side in SIDES or side == cv2.getOptimalDFTSize(length)


@given(length=LENGTHS, kernel=LENGTHS)
def test_tiles_cover_the_image_with_no_more_work_than_one_tile_would(length: int, kernel: int) -> None:
    assume(kernel <= length)
    side = choose_side(length, kernel)
    tiles = -(-(length - kernel + 1) // (side - kernel + 1))
    assert tiles * side <= 1.5 * cv2.getOptimalDFTSize(length)


@pytest.mark.parametrize("kernel", [1, 25, 600])
def test_a_kernel_as_large_as_the_image_takes_one_tile(kernel: int) -> None:
    assert choose_side(kernel, kernel) == cv2.getOptimalDFTSize(kernel)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3), (5, 4)], ids=str)
@pytest.mark.parametrize("kernel", [(1, 1), (9, 9), (9, 1), (2, 12), (17, 16)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_of_any_size_are_filtered_up_to_their_last_pixel(kernel: Pair, stride: Pair, dtype: str) -> None:
    numbers = np.random.default_rng(0)
    weights = numbers.normal(size=kernel)
    for more in (0, 1, 2, 14, 15, 16, 31, 56, 120, 121):
        image = numbers.normal(size=(kernel[0] + more, kernel[1] + more // 2))
        padded = Padded(image[:, :, None], (0, 0, 0, 0), Border(), dtype)
        grid = lay_tiles(kernel, image.shape, Window(kernel, stride), rounds=False)
        result = filter_by_fourier(padded, weights, stride, UNFINISHED, grid)[:, :, 0]
        expected = signal.correlate2d(image, weights, mode="valid")[:: stride[0], :: stride[1]]
        assert result.dtype == dtype
        assert result.shape == expected.shape
        allowed = (2e-6 if dtype == "float32" else 1e-14) * np.abs(weights).sum() * np.abs(image).max()
        assert np.abs(result - expected).max() <= allowed
