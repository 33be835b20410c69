"""Correlation against scipy, OpenCV and sums by hand: every shift, peaks, and shifts of parts of a pixel."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.signal  # type: ignore[import-untyped]

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute import correlate
from cnnfilter.compute.correlate import correlate_planes, find_peaks, find_shift, sum_products
from cnnfilter.errors import ShapeError
from cnnfilter.nn.correlation import Overlap, Similarity, choose_mode, find_lags

Lags = tuple[range, range]


def lags_of(image: Array, pattern: Array, mode: Overlap) -> Lags:
    """Return the shifts that a map has values for."""
    rows, columns = (find_lags(*sides, mode) for sides in zip(image.shape, pattern.shape, strict=True))
    return rows, columns


def draw_pairs(count: int) -> Iterator[tuple[Doubles, Doubles, bool]]:
    """Yield pairs of planes of 1 to 24 rows and columns, every other one of whole numbers, and whether it is."""
    rng = np.random.default_rng(1)
    for number in range(count):
        shapes = rng.integers(1, 25, (2, 2))
        if number % 2:
            yield *(rng.integers(0, 256, shape).astype(float) for shape in shapes), True
        else:
            yield *(rng.normal(3, 10, shape) for shape in shapes), False


@pytest.mark.parametrize("largest", [0, correlate.LARGEST_LAID], ids=["transforms", "OpenCV"])
@pytest.mark.parametrize("mode", Overlap)
def test_sums_of_products_are_those_of_scipy_and_exact_of_whole_numbers(
    monkeypatch: pytest.MonkeyPatch, mode: Overlap, largest: int
) -> None:
    monkeypatch.setattr(correlate, "LARGEST_LAID", largest)
    for image, pattern, whole in draw_pairs(200):
        if mode is Overlap.VALID and choose_mode(image.shape, pattern.shape) is not mode:
            continue
        expected = scipy.signal.correlate(image, pattern, mode, method="direct")
        values = sum_products(image, pattern, lags_of(image, pattern, mode))
        assert values.shape == expected.shape
        assert np.abs(values - expected).max() <= 1e-9 * np.sqrt((image**2).sum() * (pattern**2).sum())
        assert not whole or np.array_equal(values, expected)


@pytest.mark.parametrize("mode", [Overlap.FULL, Overlap.VALID])
def test_shifts_are_numbered_as_in_scipy(mode: Overlap) -> None:
    for size in range(1, 9):
        for pattern in range(1, size + 1):
            assert list(find_lags(size, pattern, mode)) == scipy.signal.correlation_lags(size, pattern, mode).tolist()


def test_shifts_of_same_are_those_of_the_values_that_scipy_gives() -> None:
    rng = np.random.default_rng(2)
    for size in range(1, 9):
        for pattern in range(1, 9):
            one, other = rng.normal(size=(1, size)), rng.normal(size=(1, pattern))
            full = dict(zip(find_lags(size, pattern, Overlap.FULL), scipy.signal.correlate(one, other)[0], strict=True))
            same = scipy.signal.correlate(one, other, "same")[0]
            assert np.allclose([full[lag] for lag in find_lags(size, pattern, Overlap.SAME)], same)


def divide_by_hand(image: Doubles, pattern: Doubles, lags: Lags) -> Doubles:
    """Return the normalised coefficient of each overlap, shift by shift."""
    values = np.zeros((len(lags[0]), len(lags[1])))
    for row, dy in enumerate(lags[0]):
        for column, dx in enumerate(lags[1]):
            one = image[max(dy, 0) : max(dy + pattern.shape[0], 0), max(dx, 0) : max(dx + pattern.shape[1], 0)]
            other = pattern[max(-dy, 0) :, max(-dx, 0) :][: one.shape[0], : one.shape[1]]
            if 2 * one.size < pattern.size or one.min() == one.max() or other.min() == other.max():
                continue
            one, other = one - one.mean(), other - other.mean()
            values[row, column] = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
    return values


@pytest.mark.parametrize("mode", Overlap)
@pytest.mark.parametrize("levels", [2, 256])
def test_ncc_is_the_coefficient_of_each_overlap(mode: Overlap, levels: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(8):
        image = rng.integers(0, levels, rng.integers(9, 20, 2)).astype(float)
        pattern = rng.integers(0, levels, rng.integers(3, 9, 2)).astype(float)
        image[:4, :5] = 1
        lags = lags_of(image, pattern, mode)
        values = correlate_planes(image, pattern, lags, Similarity.NCC)
        assert np.allclose(values, divide_by_hand(image, pattern, lags), atol=1e-12)


def test_ncc_of_a_pattern_within_is_that_of_opencv() -> None:
    image = np.random.default_rng(4).integers(0, 256, (80, 90)).astype(np.float32)
    pattern = image[20:37, 31:60].copy()
    expected = cv2.matchTemplate(image, pattern, cv2.TM_CCOEFF_NORMED)
    planes = image.astype(float), pattern.astype(float)
    values = correlate_planes(*planes, lags_of(image, pattern, Overlap.VALID), Similarity.NCC)
    assert np.allclose(values, expected, atol=1e-4)
    assert values[20, 31] == values.max()
    assert values.max() == pytest.approx(1, abs=1e-12)


def test_mean_subtracts_the_mean_of_each() -> None:
    rng = np.random.default_rng(5)
    image, pattern = rng.normal(5, 1, (20, 21)), rng.normal(5, 1, (9, 12))
    expected = scipy.signal.correlate(image - image.mean(), pattern - pattern.mean())
    values = correlate_planes(image, pattern, lags_of(image, pattern, Overlap.FULL), Similarity.MEAN)
    assert np.allclose(values, expected, atol=1e-10)


@pytest.mark.parametrize("similarity", [Similarity.NCC, Similarity.PHASE])
@pytest.mark.parametrize("exponent", [-660, 660])
def test_the_scale_of_numbers_does_not_count(similarity: Similarity, exponent: int) -> None:
    image = np.random.default_rng(5).normal(size=(9, 8))
    lags = lags_of(image, image[:4, :3], Overlap.FULL)
    expected = correlate_planes(image, image[:4, :3].copy(), lags, similarity)
    scaled = np.ldexp(image, exponent)
    assert np.array_equal(correlate_planes(scaled, scaled[:4, :3].copy(), lags, similarity), expected)


def test_products_beyond_all_numbers_are_infinite() -> None:
    image = np.array([[1e200, 1.0]])
    values = sum_products(image, image[:, :1].copy(), lags_of(image, image[:, :1], Overlap.VALID))
    assert values.tolist() == [[np.inf, 1e200]]


def test_phase_keeps_the_phase_of_each_frequency_alone() -> None:
    rng = np.random.default_rng(6)
    image, pattern = rng.normal(size=(16, 17)), rng.normal(size=(17, 16))
    one, other = (np.fft.fft2(plane - plane.mean(), (32, 32)) for plane in (image, pattern))
    product = one * other.conj()
    product /= np.where(product == 0, 1, np.abs(product))
    product[0, 0] = 0  # of the means, which are subtracted
    expected = np.fft.ifft2(product).real
    lags = lags_of(image, pattern, Overlap.FULL)
    values = correlate_planes(image, pattern, lags, Similarity.PHASE)
    assert np.allclose(values, expected[np.ix_(*lags)], atol=1e-10)


@pytest.mark.parametrize("similarity", [Similarity.NCC, Similarity.PHASE])
def test_what_is_flat_cannot_be_compared(similarity: Similarity) -> None:
    flat, other = np.full((5, 5), 7.0), np.eye(5)
    for image, pattern, name in ((flat, other, "image"), (other, flat, "pattern")):
        with pytest.raises(ShapeError, match=f"the {name} is flat"):
            correlate_planes(image, pattern, lags_of(image, pattern, Overlap.FULL), similarity)


@pytest.mark.parametrize("period", [(12, 5), (9, 14), (7, 25)])
def test_the_peaks_of_an_autocorrelation_lie_a_period_apart(period: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    tile = rng.integers(0, 256, period)
    image = np.tile(tile, (6, 6))[: 6 * period[0] - 2, : 6 * period[1] - 1] + rng.normal(0, 5, 1)
    lags = lags_of(image, image, Overlap.FULL)
    peaks = find_peaks(correlate_planes(image, image, lags, Similarity.NCC), lags, 7)
    assert peaks[0][:2] == (0, 0)
    assert all(peak.dy % period[0] == 0 and peak.dx % period[1] == 0 for peak in peaks)
    assert len(peaks) == 7


def test_no_peak_lies_within_3_pixels_of_a_greater_one() -> None:
    values = np.random.default_rng(8).normal(size=(60, 70))
    lags = range(-30, 30), range(70)
    peaks = find_peaks(values, lags, 1000)
    assert [peak.value for peak in peaks] == sorted((peak.value for peak in peaks), reverse=True)
    for number, peak in enumerate(peaks):
        row, column = int(peak.dy) + 30, int(peak.dx)
        window = values[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
        assert peak.value == window.max() == values[row, column]
        assert all(max(abs(peak.dy - other.dy), abs(peak.dx - other.dx)) > 3 for other in peaks[:number])


@pytest.mark.parametrize("height", [0.0, 1.0])
def test_a_plain_has_one_peak(height: float) -> None:
    values = np.zeros((20, 20))
    values[9:11, 9:11] = height
    assert len(find_peaks(values, (range(20), range(20)), 9)) == 1


@pytest.fixture(scope="module")
def photo_plane(photo: Path) -> Doubles:
    """Return the green of a photo."""
    pixels = cv2.imread(str(photo))
    assert pixels is not None
    return pixels[:, :, 1].astype(np.float64)


def shrink(image: Array, top: int, left: int) -> Doubles:
    """Return means of 4x4 pixels from a row and a column on: what a camera sees that has moved by quarters."""
    part = image[top : top + 400, left : left + 360].reshape(100, 4, 90, 4)
    return np.asarray(np.rint(part.mean(axis=(1, 3))))


@pytest.mark.parametrize("quarters", [(0, 0), (3, -6), (-10, 5), (33, 47), (-41, -62), (1, 2)])
@pytest.mark.parametrize("similarity", [Similarity.MEAN, Similarity.NCC, Similarity.PHASE])
def test_shifts_are_found_to_a_tenth_of_a_pixel(
    photo_plane: Doubles, quarters: tuple[int, int], similarity: Similarity
) -> None:
    image, pattern = shrink(photo_plane, 80, 70), shrink(photo_plane, 80 + quarters[0], 70 + quarters[1])
    found = find_shift(image, pattern, similarity)
    assert np.allclose(np.array(found[:2]), np.array(quarters) / 4, atol=0.1)


def test_signals_have_shifts_too() -> None:
    places = np.arange(300)
    one, other = (np.exp(-(((places - middle) / 5) ** 2))[None] for middle in (140.3, 123.0))
    found = find_shift(one, other, Similarity.NCC)
    assert found.dy == 0
    assert found.dx == pytest.approx(17.3, abs=0.05)
