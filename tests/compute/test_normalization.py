"""Batch statistics, neighbouring channels and equal shares of levels against plain formulas, PyTorch and OpenCV."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import Step
from cnnfilter.compute.operations import Setting, equalize, normalize_batch, normalize_locally, run_steps
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.norms import LocalResponseNorm
from tests.compute.plain import equalize_plainly, normalize_batch_plainly, normalize_locally_plainly


def statistics_of(channels: int, seed: int = 0) -> dict[str, Doubles]:
    """Return what batch norm learned for so many channels."""
    generator = np.random.default_rng(seed)
    return {
        "weight": generator.normal(1, 0.5, channels),
        "bias": generator.normal(0, 2, channels),
        "running_mean": generator.normal(0, 10, channels),
        "running_var": generator.uniform(0.01, 100, channels),
    }


def step_of(text: str) -> Step:
    """Return the step of a layer that has neither kernels nor weights."""
    (node,) = parse_network(text, kernel_shape).nodes
    return Step(node, (), {}, ())


class TestBatchNorm:
    @pytest.mark.parametrize("shape", [(4, 5, 3), (1, 1, 3), (3,), (7,), (2, 3, 1)], ids=str)
    @pytest.mark.parametrize("eps", [0.0, 1e-5, 1e-3, 2.0])
    def test_it_is_the_plain_formula_channel_by_channel(self, shape: tuple[int, ...], eps: float) -> None:
        values = np.random.default_rng(1).normal(0, 30, shape)
        tensors = statistics_of(shape[-1])
        plain = {name: tensor.tolist() for name, tensor in tensors.items()}
        expected = [normalize_batch_plainly(pixel, plain, eps) for pixel in values.reshape(-1, shape[-1]).tolist()]
        result = normalize_batch(values, tensors, eps)
        assert result.shape == shape
        assert result.dtype == np.float64
        assert np.allclose(result.reshape(-1, shape[-1]), expected, rtol=1e-12, atol=1e-12)

    def test_a_worked_example(self) -> None:
        tensors = {
            "weight": np.array([3.0]),
            "bias": np.array([-1.0]),
            "running_mean": np.array([10.0]),
            "running_var": np.array([3.0]),
        }
        assert normalize_batch(np.array([10.0, 12.0]).reshape(2, 1, 1), tensors, 1.0).ravel().tolist() == [-1, 2]

    def test_eps_is_what_keeps_a_channel_without_variance_finite(self) -> None:
        tensors = {**statistics_of(1), "running_var": np.zeros(1), "running_mean": np.array([5.0])}
        result = normalize_batch(np.array([6.0]), tensors, 1e-5)
        assert result == pytest.approx(tensors["weight"] / np.sqrt(1e-5) + tensors["bias"])

    @pytest.mark.parametrize("mean", [0.0, 1.0])
    def test_without_eps_and_variance_it_is_no_number_and_no_complaint(self, mean: float) -> None:
        tensors = {**statistics_of(1), "running_var": np.zeros(1), "running_mean": np.array([mean])}
        assert not np.isfinite(normalize_batch(np.array([1.0]), tensors, 0.0)).any()

    @pytest.mark.parametrize("stored", ["float16", "float32", "float64"])
    @pytest.mark.parametrize(
        ("given", "kind"),
        [
            ("uint8", "float32"),
            ("uint16", "float32"),
            ("float32", "float32"),
            ("int64", "float64"),
            ("bool", "float64"),
        ],
    )
    def test_the_image_and_not_the_weights_tell_the_arithmetic(self, given: str, kind: str, stored: str) -> None:
        values = np.random.default_rng(2).integers(0, 2, (3, 4, 5)).astype(given)
        tensors = {name: tensor.astype(stored) for name, tensor in statistics_of(5).items()}
        result = normalize_batch(values, tensors, 1e-5)
        exact = normalize_batch(
            values.astype(np.float64), {name: tensor.astype(np.float64) for name, tensor in tensors.items()}, 1e-5
        )
        assert result.dtype == kind
        assert np.allclose(result, exact, rtol=1e-5, atol=1e-5)

    def test_nan_and_infinity_stay_in_their_place_without_a_complaint(self) -> None:
        values = np.array([[[np.nan, 1.0], [np.inf, 2.0]]])
        result = normalize_batch(values, statistics_of(2), 1e-5)
        assert np.isnan(result[0, 0, 0])
        assert np.isinf(result[0, 1, 0])
        assert np.isfinite(result[..., 1]).all()

    def test_the_values_given_stay_as_they_are(self) -> None:
        values = np.ones((2, 2, 1))
        values.flags.writeable = False
        normalize_batch(values, statistics_of(1), 1e-5)
        assert (values == 1).all()


class TestLocalResponseNorm:
    @pytest.mark.parametrize("size", range(1, 10))
    @pytest.mark.parametrize("channels", [1, 2, 5, 8])
    def test_it_is_the_plain_loop_for_odd_and_even_sizes(self, size: int, channels: int) -> None:
        volume = np.random.default_rng(size).normal(0, 20, (2, 3, channels))
        layer = LocalResponseNorm(size=size, alpha=0.3, beta=0.6, k=1.5)
        expected = [normalize_locally_plainly(pixel, size, 0.3, 0.6, 1.5) for pixel in volume.reshape(6, -1).tolist()]
        assert np.allclose(normalize_locally(volume, layer).reshape(6, -1), expected, rtol=1e-13)

    @given(
        volume=hnp.arrays(np.float64, (1, 2, 6), elements=st.floats(-1e3, 1e3)),
        size=st.integers(1, 12),
        alpha=st.floats(0, 10),
        beta=st.floats(0, 3),
        k=st.floats(0.1, 10),
    )
    def test_it_is_the_plain_loop_for_any_numbers(
        self, volume: Doubles, size: int, alpha: float, beta: float, k: float
    ) -> None:
        layer = LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k)
        expected = [normalize_locally_plainly(pixel, size, alpha, beta, k) for pixel in volume[0].tolist()]
        assert np.allclose(normalize_locally(volume, layer)[0], expected, rtol=1e-12, atol=1e-300)

    def test_an_even_size_has_one_more_channel_before_than_behind(self) -> None:
        volume = np.array([[[3.0, 1.0, 0.0]]])
        layer = LocalResponseNorm(size=2, alpha=2.0, beta=1.0, k=1.0)
        assert normalize_locally(volume, layer).ravel().tolist() == [3 / 10, 1 / 11, 0]

    def test_a_size_beyond_all_channels_costs_no_more_than_all_channels(self) -> None:
        volume = np.random.default_rng(0).normal(size=(200, 200, 3))
        layer = LocalResponseNorm(size=10**9, alpha=1e9, beta=0.5, k=2.0)
        total = np.square(volume).sum(axis=2, keepdims=True)
        assert np.allclose(normalize_locally(volume, layer), volume / np.sqrt(2 + total), rtol=1e-12)

    @pytest.mark.parametrize("beta", [0.75, -0.75])
    def test_black_without_k_is_no_complaint(self, beta: float) -> None:
        result = normalize_locally(np.zeros((1, 1, 3)), LocalResponseNorm(k=0.0, beta=beta))
        assert np.isnan(result).all() if beta > 0 else (result == 0).all()

    def test_without_alpha_it_divides_by_a_power_of_k(self) -> None:
        volume = np.random.default_rng(0).normal(size=(2, 2, 4))
        layer = LocalResponseNorm(alpha=0.0, beta=0.5, k=4.0)
        assert np.allclose(normalize_locally(volume, layer), volume / 2, rtol=1e-15)

    @pytest.mark.parametrize(
        ("given", "kind"), [("uint8", "float32"), ("uint16", "float32"), ("float32", "float32"), ("int64", "float64")]
    )
    def test_small_types_give_float32_and_squares_do_not_overflow(self, given: str, kind: str) -> None:
        volume = np.full((2, 2, 3), 255).astype(given)
        result = normalize_locally(volume, LocalResponseNorm(size=3, alpha=1.0))
        middle = 255 / (1 + 255**2) ** 0.75
        assert result.dtype == kind
        assert result[0, 0, 1] == pytest.approx(middle, rel=1e-6)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_largest_numbers_go_to_zero_without_a_complaint(self, dtype: str) -> None:
        volume = np.full((1, 1, 2), np.finfo(dtype).max, dtype)
        result = normalize_locally(volume, LocalResponseNorm())
        assert np.isfinite(result).all()
        assert result.dtype == dtype


class TestEqualize:
    @pytest.fixture
    def grey(self, photo: Path) -> Array:
        """Return the photo in 8-bit grey."""
        pixels = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        return pixels

    def test_it_is_opencvs_on_a_photo_but_for_the_rounding(self, grey: Array) -> None:
        result = equalize(grey[:, :, None], 255.0)
        assert result.dtype == np.float32
        assert np.abs(result[:, :, 0] - cv2.equalizeHist(grey)).max() <= 0.5 + 1e-4

    def test_each_channel_of_a_photo_is_spread_by_itself(self, photo: Path) -> None:
        pixels = cv2.imread(str(photo), cv2.IMREAD_COLOR)
        assert pixels is not None
        result = equalize(pixels, 255.0)
        for channel in range(3):
            expected = cv2.equalizeHist(np.ascontiguousarray(pixels[:, :, channel]))
            assert np.abs(result[:, :, channel] - expected).max() <= 0.5 + 1e-4

    def test_the_scale_of_the_levels_does_not_matter(self, grey: Array) -> None:
        eight = equalize(grey[:, :, None], 65535.0)
        sixteen = equalize(grey[:, :, None].astype(np.uint16) * 257, 65535.0)
        floats = equalize(grey[:, :, None] / 255, 65535.0)
        assert np.array_equal(eight, sixteen)
        assert floats.dtype == np.float64
        assert np.allclose(floats, eight, rtol=1e-6)

    @pytest.mark.parametrize("white", [255.0, 65535.0, 1.0])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "int32"])
    def test_it_is_the_plain_formula_on_any_type(self, dtype: str, white: float) -> None:
        volume = np.random.default_rng(0).integers(0, 20, (5, 6, 2)).astype(dtype)
        result = equalize(volume, white)
        for channel in range(2):
            expected = equalize_plainly(volume[:, :, channel].ravel().tolist(), white)
            assert np.allclose(result[:, :, channel].ravel(), expected, rtol=1e-6, atol=0)

    @given(levels=hnp.arrays(np.float64, (4, 5, 1), elements=st.floats(-1e9, 1e9) | st.sampled_from([0.0, -0.0, 1.0])))
    def test_it_keeps_the_order_and_runs_from_black_to_white(self, levels: Doubles) -> None:
        result = equalize(levels, 255.0).ravel()
        assert np.allclose(result, equalize_plainly(levels.ravel().tolist(), 255.0), rtol=1e-12)
        if np.ptp(levels):
            assert (result.min(), result.max()) == (0, 255)
            assert (np.diff(result[np.argsort(levels, axis=None)]) >= 0).all()

    def test_a_second_time_changes_nothing(self, grey: Array) -> None:
        once = equalize(grey[:, :, None], 255.0)
        assert np.allclose(equalize(once, 255.0), once, rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    def test_a_channel_of_one_level_stays_as_it_is_beside_others(self, dtype: str) -> None:
        volume = np.stack([np.full((2, 2), 77), np.array([[1, 2], [3, 3]])], axis=2).astype(dtype)
        result = equalize(volume, 90.0)
        assert result[:, :, 0].tolist() == [[77, 77], [77, 77]]
        assert result[:, :, 1].tolist() == [[0, 30], [90, 90]]

    def test_a_single_pixel_stays_as_it_is(self) -> None:
        assert equalize(np.full((1, 1, 1), 9, np.uint8), 255.0).tolist() == [[[9]]]

    def test_nan_stays_nan_and_counts_for_nothing(self) -> None:
        plane = np.array([[np.nan, 1.0, 2.0], [np.nan, 2.0, 9.0]])
        expected = [[np.nan, 0, 2 / 3], [np.nan, 2 / 3, 1]]
        assert np.allclose(equalize(plane[:, :, None], 1.0)[:, :, 0], expected, equal_nan=True)

    @pytest.mark.parametrize("levels", [[np.nan, np.nan], [np.nan, 4.0], [4.0, 4.0]], ids=str)
    def test_nan_is_no_level_of_its_own(self, levels: list[float]) -> None:
        result = equalize(np.array(levels).reshape(1, 2, 1), 255.0)
        assert np.array_equal(result.ravel(), levels, equal_nan=True)

    def test_infinities_are_the_least_and_the_greatest(self) -> None:
        plane = np.array([[np.inf, -np.inf, 3.0, 3.0, 4.0]])
        assert equalize(plane[:, :, None], 100.0).ravel().tolist() == [100, 0, 50, 50, 75]

    def test_the_values_given_stay_as_they_are(self) -> None:
        volume = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        volume.flags.writeable = False
        equalize(volume, 255.0)
        assert volume.ravel().tolist() == list(range(6))


class TestDropout:
    @pytest.mark.parametrize("text", ["dropout", "dropout:0", "dropout:0.9", "dropout:1"])
    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    @pytest.mark.parametrize("shape", [(2, 3, 4), (6,)], ids=str)
    def test_all_values_pass(self, text: str, dtype: str, shape: tuple[int, ...]) -> None:
        values = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
        result = run_steps((step_of(text),), values, Setting())
        assert result.dtype == dtype
        assert np.array_equal(result, values)
