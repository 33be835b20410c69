"""Pooling against plain loops, and the rules for padding, types and channels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import ndimage  # type: ignore[import-untyped]

from cnnfilter.arrays import Array, float_type
from cnnfilter.compute.pool import pool_channels, pool_globally, pool_volume
from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import Pair, Sides, Window, as_padding
from cnnfilter.nn.other_layers import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode
from tests.compute.plain import Move, join_plainly, pool_plainly

DTYPES = ("bool", "uint8", "int16", "uint16", "int64", "float16", "float32", "float64")
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("uint8", "int16", "uint16", "int64")
NUMBERS = (*INTEGERS, *FLOATS)
COUNTING = (PoolMode.AVG, PoolMode.L2)
KEEPING = (PoolMode.MAX, PoolMode.MIN)


def random_volume(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return a volume of whole numbers of both signs, where the type has both."""
    numbers = np.random.default_rng(seed)
    low = 0 if np.dtype(dtype).kind in "bu" else -100
    return numbers.integers(low, 2 if dtype == "bool" else 101, shape).astype(dtype)


def pool_plane(image: Array, mode: str, window: Window, *, count_include_pad: bool = False) -> Array:
    """Return a plane pooled."""
    layer = Pool(mode=PoolMode(mode), window=window, count_include_pad=count_include_pad)
    return pool_volume(image[:, :, None], layer)[:, :, 0]


@dataclass(frozen=True)
class Case:
    """A volume and a pool."""

    volume: Array
    layer: Pool


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Draw any small window of a pool."""
    pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
    size, dilation = draw(pairs), draw(st.just((1, 1)) | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    rows, columns = ((d * (k - 1) + 1) // 2 for d, k in zip(dilation, size, strict=True))
    sides = tuple(draw(st.integers(0, most)) for most in (rows, columns, rows, columns))
    padding: Sides = sides[0], sides[1], sides[2], sides[3]
    return Window(size, draw(pairs), padding, dilation, ceil=draw(st.booleans()))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a volume of whole numbers and any pool that it can go through."""
    window = draw(windows())
    top, left, bottom, right = window.pads(0, 0)
    shape = (
        max(1, window.extent[0] - top - bottom) + draw(st.integers(0, 6)),
        max(1, window.extent[1] - left - right) + draw(st.integers(0, 6)),
        draw(st.integers(1, 2)),
    )
    mode = draw(st.sampled_from(list(PoolMode)))
    layer = Pool(mode=mode, window=window, count_include_pad=mode in COUNTING and draw(st.booleans()))
    return Case(random_volume(draw(st.sampled_from(NUMBERS)), shape, draw(st.integers(0, 2**32))), layer)


class TestAgainstThePlainLoop:
    @given(case=cases())
    def test_every_pool_is_that_of_the_loop(self, case: Case) -> None:
        window, layer = case.layer.window, case.layer
        move = Move(window.stride, window.pads(*case.volume.shape[:2]), window.dilation, window.ceil)
        expected = np.array(
            pool_plainly(case.volume, layer.mode, window.size, move, count_include_pad=layer.count_include_pad)
        )
        result = pool_volume(case.volume, layer)
        assert result.shape == expected.shape == layer.output(case.volume.shape)
        single = result.dtype == np.float32
        assert np.allclose(result.astype(np.float64), expected, rtol=1e-7 if single else 1e-14, atol=0)

    @pytest.mark.parametrize("mode", list(PoolMode))
    @given(window=windows(), size=st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 99))
    def test_fractions_and_negative_numbers_are_those_of_the_loop(
        self, mode: PoolMode, window: Window, size: Pair, seed: int
    ) -> None:
        sides = window.pads(*size)
        assume(all(size[axis] + sides[axis] + sides[axis + 2] >= window.extent[axis] for axis in (0, 1)))
        volume = np.random.default_rng(seed).normal(size=(*size, 1)) - 1
        expected = pool_plainly(volume, mode, window.size, Move(window.stride, sides, window.dilation, window.ceil))
        result = pool_volume(volume, Pool(mode=mode, window=window))
        assert np.allclose(result, np.array(expected), rtol=1e-13, atol=0)

    @given(case=cases())
    def test_the_volume_stays_as_it_is(self, case: Case) -> None:
        before = case.volume.copy()
        case.volume.flags.writeable = False
        result = pool_volume(case.volume, case.layer)
        assert not np.shares_memory(result, case.volume)
        assert np.array_equal(case.volume, before)

    @pytest.mark.parametrize("mode", list(PoolMode))
    @pytest.mark.parametrize("order", ["F", "reversed", "strided"])
    def test_how_the_volume_lies_in_memory_changes_nothing(self, mode: PoolMode, order: str) -> None:
        volume = random_volume("uint8", (9, 8, 3))
        laid_out = {
            "F": np.asfortranarray(volume),
            "reversed": np.ascontiguousarray(volume[::-1, :, ::-1])[::-1, :, ::-1],
            "strided": np.repeat(volume, 2, axis=1)[:, ::2],
        }[order]
        layer = Pool(mode=mode, window=Window((3, 2), stride=(2, 1), padding=(1, 0, 1, 1)))
        assert np.array_equal(pool_volume(laid_out, layer), pool_volume(volume, layer))


class TestTypes:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("mode", KEEPING)
    @pytest.mark.parametrize("padding", [0, 1])
    def test_max_and_min_keep_the_type(self, dtype: str, mode: PoolMode, padding: int) -> None:
        window = Window((2, 2), padding=as_padding(padding))
        assert pool_plane(random_volume(dtype, (4, 4)), mode, window).dtype == dtype

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("mode", [PoolMode.AVG, PoolMode.L2, PoolMode.MEDIAN])
    def test_avg_l2_and_median_are_float32_for_small_types_and_float64_for_the_rest(
        self, dtype: str, mode: PoolMode
    ) -> None:
        expected = "float32" if dtype in {"uint8", "uint16", "float32"} else "float64"
        assert pool_plane(random_volume(dtype, (4, 4)), mode, Window((2, 2))).dtype == expected

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_padding_wins_neither_against_the_least_nor_against_the_greatest_number(self, dtype: str) -> None:
        window = Window((3, 3), padding=(1, 1, 1, 1))
        limits = np.iinfo(dtype)
        for extreme in (limits.min, limits.max):
            image = np.full((3, 3), extreme, dtype)
            assert (pool_plane(image, "max", window) == extreme).all()
            assert (pool_plane(image, "min", window) == extreme).all()

    @pytest.mark.parametrize("dtype", FLOATS)
    @pytest.mark.parametrize("value", [-5.0, 5.0, np.inf, -np.inf])
    def test_padding_wins_against_no_float(self, dtype: str, value: float) -> None:
        window = Window((3, 3), padding=(1, 1, 1, 1))
        image = np.full((3, 3), value, dtype)
        for mode in (*KEEPING, PoolMode.MEDIAN):
            assert (pool_plane(image, mode, window) == value).all()

    def test_sums_of_many_large_pixels_do_not_lose_digits(self) -> None:
        image = np.full((300, 300), 65535, np.uint16)
        image[0, 0] = 0
        mean = pool_plane(image, "avg", Window((300, 300)))
        assert mean.item() == np.float32(65535 * (300**2 - 1) / 300**2)
        assert pool_plane(image, "l2", Window((300, 300))).item() == np.float32(65535 * (300**2 - 1) ** 0.5)

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_squares_do_not_overflow_the_type(self, dtype: str) -> None:
        largest = np.iinfo(dtype).max
        norm = pool_plane(np.full((2, 2), largest, dtype), "l2", Window((2, 2))).item()
        assert norm == pytest.approx(2 * float(largest))


class TestPadding:
    IMAGE = np.array([[4.0, 8.0], [12.0, 16.0]])
    AROUND = Window((2, 2), padding=(1, 1, 1, 1))

    def test_a_mean_divides_by_the_pixels_that_are_there(self) -> None:
        assert pool_plane(self.IMAGE, "avg", self.AROUND).tolist() == [[4, 6, 8], [8, 10, 12], [12, 14, 16]]

    def test_a_mean_that_counts_padding_divides_by_the_whole_window(self) -> None:
        counted = pool_plane(self.IMAGE, "avg", self.AROUND, count_include_pad=True)
        assert counted.tolist() == [[1, 3, 2], [4, 10, 6], [3, 7, 4]]

    def test_l2_adds_up_the_pixels_that_are_there_whatever_is_counted(self) -> None:
        plain = pool_plane(self.IMAGE, "l2", self.AROUND)
        assert plain[0].tolist() == [4, np.sqrt(80), 8]
        assert np.array_equal(plain, pool_plane(self.IMAGE, "l2", self.AROUND, count_include_pad=True))

    def test_what_ceil_hangs_over_is_never_counted(self) -> None:
        image = np.array([[2.0, 4.0, 6.0, 8.0, 10.0]])
        window = Window((1, 2), stride=(1, 2), ceil=True)
        assert pool_plane(image, "avg", window, count_include_pad=True).tolist() == [[3, 7, 10]]
        assert pool_plane(image, "avg", window).tolist() == [[3, 7, 10]]

    def test_padding_is_counted_up_to_where_it_ends_under_a_window_that_hangs_over(self) -> None:
        image = np.array([[6.0, 6.0, 6.0, 6.0]])
        window = Window((1, 4), stride=(1, 3), padding=(0, 1, 0, 1), ceil=True)
        assert pool_plane(image, "avg", window, count_include_pad=True).tolist() == [[18 / 4, 12 / 3]]
        assert pool_plane(image, "avg", window).tolist() == [[6, 6]]

    def test_a_last_window_that_would_start_beyond_the_image_is_left_out(self) -> None:
        image = np.array([[1.0, 2.0, 3.0]])
        assert pool_plane(image, "max", Window((1, 1), stride=(1, 2), ceil=True)).tolist() == [[1, 3]]
        assert pool_plane(np.arange(4.0)[None], "max", Window((1, 1), stride=(1, 3), ceil=True)).tolist() == [[0, 3]]
        assert pool_plane(np.arange(5.0)[None], "max", Window((1, 2), stride=(1, 4), ceil=True)).tolist() == [[1, 4]]
        padded = Window((1, 2), stride=(1, 2), padding=(0, 1, 0, 1), ceil=True)
        assert pool_plane(image, "max", padded).tolist() == [[1, 3]]

    @pytest.mark.parametrize(
        ("window", "message"),
        [
            (Window((3, 3), padding=(2, 0, 0, 0)), "padding 2 is more than half of a pooling window that spans 3"),
            (Window((2, 2), padding=(0, 0, 0, 2)), "padding 2 is more than half of a pooling window that spans 2"),
            (Window((2, 2), padding=as_padding("full"), dilation=(3, 3)), "padding 3 is more than half"),
            (Window((6, 1)), "a window of 6x1 is larger than the input of 5x5"),
            (Window((3, 3), dilation=(3, 1)), r"a window of 3x3 \(spanning 7x3 by its dilation\) is larger"),
        ],
        ids=["top", "right", "full", "too tall", "dilated"],
    )
    def test_a_window_that_does_not_fit_is_refused(self, window: Window, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            pool_plane(np.zeros((5, 5)), "max", window)

    @pytest.mark.parametrize("mode", list(PoolMode))
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_dilated_window_that_steps_over_the_whole_image_gives_0(self, mode: PoolMode, dtype: str) -> None:
        window = Window((1, 2), padding=(0, 3, 0, 3), dilation=(1, 5))
        assert pool_plane(np.ones((1, 1), dtype), mode, window).tolist() == [[0, 0]]

    @pytest.mark.parametrize("mode", ["max", "min", "median"])
    def test_only_averages_can_count_padding(self, mode: str) -> None:
        with pytest.raises(ShapeError, match=f"{mode}pool never counts padding; only avgpool and l2pool can"):
            Pool(mode=PoolMode(mode), window=Window((2, 2)), count_include_pad=True)


class TestMedian:
    @pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 3), (1, 7)], ids=str)
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
    def test_odd_windows_are_those_of_ndimage_away_from_the_border(self, size: Pair, dtype: str) -> None:
        image = random_volume(dtype, (20, 17))
        rows, columns = size[0] // 2, size[1] // 2
        expected = ndimage.median_filter(image, size=size)[rows : 20 - rows, columns : 17 - columns]
        assert np.array_equal(pool_plane(image, "median", Window(size)), expected)

    def test_of_an_even_number_of_pixels_it_lies_between_the_two_in_the_middle(self) -> None:
        image = np.array([[1, 2, 10], [4, 8, 30]], np.uint8)
        assert pool_plane(image, "median", Window((2, 2), stride=(1, 1))).tolist() == [[3, 9]]
        assert pool_plane(image, "median", Window((1, 2))).tolist() == [[1.5, 6.0], [6.0, 19.0]]

    def test_at_the_border_it_is_that_of_the_pixels_that_are_there(self) -> None:
        image = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
        result = pool_plane(image, "median", Window((3, 3), padding=(1, 1, 1, 1)))
        assert result.tolist() == [[3, 3.5, 4], [4.5, 5, 5.5], [6, 6.5, 7]]

    def test_it_lies_between_the_least_and_the_greatest_of_its_window_however_large(self) -> None:
        image = np.full((2, 2), np.finfo(np.float64).max)
        assert (pool_plane(image, "median", Window((2, 2))) == image[0, 0]).all()

    @pytest.mark.parametrize("window", [(7, 7), (40, 30)], ids=str)
    def test_a_large_image_is_done_part_by_part_with_the_same_result(
        self, window: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = random_volume("uint8", (60, 50))
        whole = pool_plane(image, "median", Window(window))
        monkeypatch.setattr("cnnfilter.compute.pool._VALUES_AT_ONCE", 100)
        parts = pool_plane(image, "median", Window(window))
        assert np.array_equal(parts, whole)
        assert whole[0, 0] == np.median(image[: window[0], : window[1]])


class TestNanAndInf:
    @pytest.mark.parametrize("mode", list(PoolMode))
    @pytest.mark.parametrize("dtype", FLOATS)
    def test_nan_stays_in_the_windows_that_see_it(self, mode: PoolMode, dtype: str) -> None:
        image = np.ones((4, 4), dtype)
        image[0, 3] = np.nan
        assert np.isnan(pool_plane(image, mode, Window((2, 2), stride=(2, 2)))).tolist() == [[False, True], [False] * 2]

    @pytest.mark.parametrize("mode", list(PoolMode))
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @given(window=windows(), size=st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 99))
    def test_any_pool_of_nan_is_that_of_the_loop(
        self, mode: PoolMode, dtype: str, window: Window, size: Pair, seed: int
    ) -> None:
        sides = window.pads(*size)
        assume(all(size[axis] + sides[axis] + sides[axis + 2] >= window.extent[axis] for axis in (0, 1)))
        numbers = np.random.default_rng(seed)
        volume = np.where(numbers.random((*size, 2)) < 0.1, np.nan, numbers.normal(size=(*size, 2))).astype(dtype)
        expected = pool_plainly(volume, mode, window.size, Move(window.stride, sides, window.dilation, window.ceil))
        result = pool_volume(volume, Pool(mode=mode, window=window))
        assert np.allclose(result, np.array(expected), rtol=1e-6, atol=1e-6, equal_nan=True)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("side", [2, 3, 5, 7])
    def test_a_median_of_nan_is_that_of_numpy(self, dtype: str, side: int) -> None:
        numbers = np.random.default_rng(side)
        image = np.where(numbers.random((40, 30)) < 0.02, np.nan, numbers.normal(size=(40, 30))).astype(dtype)
        windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
        result = pool_plane(image, "median", Window((side, side)))
        assert np.isnan(result).any()
        assert np.isfinite(result).any()
        assert np.allclose(result, np.median(windows, axis=(2, 3)), rtol=1e-6, atol=0, equal_nan=True)

    @pytest.mark.parametrize(
        ("mode", "value"), [("max", np.inf), ("min", 1.0), ("avg", np.inf), ("l2", np.inf), ("median", 1.0)]
    )
    def test_infinity_is_a_number_like_others(self, mode: str, value: float) -> None:
        image = np.ones((4, 4), np.float32)
        image[0, 3] = np.inf
        result = pool_plane(image, mode, Window((2, 2), stride=(2, 2)))
        assert result[0, 1] == value
        assert np.isfinite(result[:, 0]).all()
        assert np.isfinite(result[1]).all()

    @pytest.mark.parametrize("mode", list(PoolMode))
    def test_both_infinities_in_one_window_are_no_complaint_of_numpy(self, mode: PoolMode) -> None:
        result = pool_plane(np.array([[np.inf, -np.inf, 1.0, 1.0]]), mode, Window((1, 2), stride=(1, 2)))
        assert np.isfinite(result).tolist() == [[False, True]]

    @pytest.mark.parametrize("mode", [ChannelMode.SUM, ChannelMode.AVG, ChannelMode.MAGNITUDE])
    def test_nor_are_both_infinities_in_one_pixel(self, mode: ChannelMode) -> None:
        volume = np.array([[[np.inf, -np.inf], [1.0, 1.0]]])
        result = pool_channels(volume, ChannelPool(mode=mode))
        assert np.isfinite(result[:, :, 0]).tolist() == [[False, True]]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_sum_beyond_the_largest_float_is_infinite_and_no_complaint_of_numpy(self, dtype: str) -> None:
        image = np.full((2, 2), np.finfo(dtype).max, dtype)
        assert pool_plane(image, "l2", Window((2, 2))).item() == np.inf
        assert pool_channels(image[:, :, None].repeat(2, axis=2), ChannelPool(mode=ChannelMode.SUM))[0, 0] == np.inf


class TestGlobalPools:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_greatest_of_each_channel_keeps_the_type(self, dtype: str) -> None:
        volume = random_volume(dtype, (5, 4, 3))
        result = pool_globally(volume, GlobalPool(mode=PoolMode.MAX))
        assert result.tolist() == [[[max(volume[:, :, c].ravel().tolist()) for c in range(3)]]]
        assert result.dtype == dtype

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_mean_of_each_channel_is_a_float(self, dtype: str) -> None:
        volume = random_volume(dtype, (5, 4, 3))
        result = pool_globally(volume, GlobalPool(mode=PoolMode.AVG))
        expected = [sum(volume[:, :, c].ravel().tolist()) / 20 for c in range(3)]
        assert result.shape == (1, 1, 3)
        assert np.allclose(result[0, 0], expected, rtol=1e-7)
        assert result.dtype == float_type(volume.dtype)

    def test_the_greatest_of_negative_numbers_is_negative(self) -> None:
        assert pool_globally(np.full((2, 2, 1), -3.0), GlobalPool(mode=PoolMode.MAX)).item() == -3

    def test_the_mean_of_many_float32_does_not_lose_digits(self) -> None:
        volume = np.full((1000, 1000, 1), 0.1, np.float32)
        assert pool_globally(volume, GlobalPool(mode=PoolMode.AVG)).item() == np.float32(0.1)


CHANNELS: dict[ChannelMode, Callable[[list[float]], float]] = {
    ChannelMode.MAX: max,
    ChannelMode.MIN: min,
    ChannelMode.SUM: sum,
    ChannelMode.AVG: lambda values: sum(values) / len(values),
    ChannelMode.MAGNITUDE: lambda values: join_plainly("l2", values, 0),
}


class TestChannelPools:
    @pytest.mark.parametrize("mode", list(ChannelMode))
    @pytest.mark.parametrize("size", [None, 1, 2, 3, 6])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_neighbouring_channels_are_taken_together(self, mode: ChannelMode, size: int | None, dtype: str) -> None:
        volume = random_volume(dtype, (3, 2, 6))
        layer = ChannelPool(mode=mode, size=size)
        result = pool_channels(volume, layer)
        step = size or 6
        expected = [
            [[CHANNELS[mode](point[c : c + step]) for c in range(0, 6, step)] for point in row]
            for row in volume.tolist()
        ]
        assert result.shape == layer.output(volume.shape) == (3, 2, 6 // step)
        assert np.allclose(result.astype(np.float64), np.array(expected, np.float64), rtol=1e-7, atol=1e-12)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("mode", list(ChannelMode))
    def test_max_and_min_keep_the_type_and_the_others_are_floats(self, mode: ChannelMode, dtype: str) -> None:
        volume = random_volume(dtype, (3, 2, 6))
        expected = dtype if mode in {"max", "min"} else np.dtype(float_type(volume.dtype))
        assert pool_channels(volume, ChannelPool(mode=mode)).dtype == expected

    def test_channels_that_cannot_be_divided_are_refused(self) -> None:
        with pytest.raises(ShapeError, match="5 channels cannot be taken 2 at a time"):
            pool_channels(np.zeros((2, 2, 5)), ChannelPool(mode=ChannelMode.SUM, size=2))

    def test_a_size_below_one_is_refused(self) -> None:
        with pytest.raises(ShapeError, match="number of channels 0 is below 1"):
            ChannelPool(mode=ChannelMode.SUM, size=0)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((1, 3), 2**63 - 1, np.int64), 2**63 - 1),
        (np.full((1, 3), 2**64 - 1, np.uint64), 2**64 - 1),
        (np.full((1, 3), 2**53 + 1, np.int64), 2**53 + 1),
        (np.array([[-(2**63), 2**63 - 1]]), 0),
        (np.array([[3, 4]]), 4),
        (np.array([[4, 5]]), 4),
        (np.array([[-3, -2]]), -2),
        (np.array([[2**62 + 1, 2**62 + 4]]), 2**62 + 2),
    ],
)
def test_medians_of_64_bits_are_exact_and_rounded_half_to_even(pixels: Array, expected: int) -> None:
    layer = Pool(mode=PoolMode.MEDIAN, window=Window((1, pixels.shape[1])))
    median = pool_volume(pixels[:, :, None], layer, keeps_type=True)
    assert (median.dtype, median.item()) == (pixels.dtype, expected)
