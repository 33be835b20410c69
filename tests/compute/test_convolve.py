"""Convolution against scipy, against plain loops, and against what must hold for any image and kernel."""

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage, signal  # type: ignore[import-untyped]

import cnnfilter
from cnnfilter import convolve
from cnnfilter.arrays import Array, Doubles, Floats, float_type
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.exact import find_facts
from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import Border, BorderMode, Pair, Window, as_border, as_padding, as_pair
from tests.compute.laying import KINDS, LAYOUTS, lay_as_planned, random, random_image
from tests.compute.plain import Beyond, Move, convolve_plainly, pad_plainly

DTYPES = ("bool", "uint8", "int16", "uint16", "int64", "float16", "float32", "float64")
FLOAT32_TYPES = ("uint8", "uint16", "float32")
"""The types whose convolution is float32, as long as whole numbers fit into it."""

BORDERS = ("zero", "edge", "reflect", "symmetric", "wrap", "constant:-2.5")
SCIPY_BORDERS = {
    "zero": ("constant", 0.0),
    "constant:7.5": ("constant", 7.5),
    "constant:-300": ("constant", -300.0),
    "edge": ("nearest", 0.0),
    "reflect": ("mirror", 0.0),
    "symmetric": ("reflect", 0.0),
    "wrap": ("wrap", 0.0),
}
"""Our borders, and scipy's words and values for them."""


def convolve_matrix(
    volume: Array, bank: Doubles, window: Window, *, border: Border, bias: float | Doubles = 0.0
) -> Array:
    """Return feature maps of a matrix: floats that are all whole numbers are taken for such."""
    facts = find_facts(volume, matrix=True)
    return convolve_volume(volume, bank, window, border=border, bias=bias, facts=facts)


def convolve_plane(
    image: Array,
    kernel: Array,
    padding: str = "valid",
    border: str = "zero",
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
) -> Floats:
    """Return a plane under a 2-D kernel."""
    window = Window((kernel.shape[0], kernel.shape[1]), stride, as_padding(padding), dilation)
    bank = kernel.astype(np.float64)[:, :, None, None]
    return convolve_matrix(image[:, :, None], bank, window, border=as_border(border))[:, :, 0]


def tolerance(image: Array, kernel: Array) -> float:
    """Return the largest error there may be in float32: 1e-5 x sum |k| x max |x|."""
    return 1e-5 * float(np.abs(kernel.astype(np.float64)).sum()) * float(np.abs(image.astype(np.float64)).max())


class TestAgainstScipy:
    @pytest.mark.parametrize("border", SCIPY_BORDERS)
    @pytest.mark.parametrize("size", [(3, 3), (5, 3), (1, 7), (9, 9), (11, 5)], ids=str)
    def test_every_border_is_that_of_ndimage(self, border: str, size: Pair) -> None:
        image, kernel = random().random((12, 10)), random(1).normal(size=size)
        mode, value = SCIPY_BORDERS[border]
        expected = ndimage.correlate(image, kernel, mode=mode, cval=value)
        assert np.allclose(convolve_plane(image, kernel, "same", border), expected, rtol=0, atol=1e-11)

    @pytest.mark.parametrize("border", SCIPY_BORDERS)
    @pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 2), (1, 4), (4, 1)], ids=str)
    def test_every_border_repeats_as_in_ndimage_where_the_padding_is_larger_than_the_image(
        self, border: str, shape: Pair
    ) -> None:
        # 15 and not more: padded by 8, two rows make scipy 1.17 read beyond its memory.
        image, kernel = random().random(shape), random(1).normal(size=(15, 13))
        mode, value = SCIPY_BORDERS[border]
        expected = ndimage.correlate(image, kernel, mode=mode, cval=value)
        assert np.allclose(convolve_plane(image, kernel, "same", border), expected, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("padding", ["valid", "full"])
    @pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (2, 5), (8, 7), (12, 12), (1, 15)], ids=str)
    def test_valid_and_full_are_those_of_correlate2d(self, padding: str, size: Pair) -> None:
        image, kernel = random().normal(size=(20, 17)), random(1).normal(size=size)
        expected = signal.correlate2d(image, kernel, mode=padding)
        assert np.allclose(convolve_plane(image, kernel, padding), expected, rtol=0, atol=1e-11)

    @pytest.mark.parametrize("padding", ["valid", "full"])
    @pytest.mark.parametrize("size", [(3, 3), (2, 2), (2, 5), (8, 7), (1, 15)], ids=str)
    def test_flip_is_convolve2d(self, padding: Literal["valid", "full"], size: Pair) -> None:
        image, kernel = random().normal(size=(20, 17)), random(1).normal(size=size)
        expected = signal.convolve2d(image, kernel, mode=padding)
        assert np.allclose(convolve(image, kernel, padding=padding, flip=True), expected, rtol=0, atol=1e-11)

    @pytest.mark.parametrize("size", [(3, 3), (5, 7)], ids=str)
    def test_flip_with_same_is_convolve2d_with_same_for_odd_kernels(self, size: Pair) -> None:
        image, kernel = random().normal(size=(20, 17)), random(1).normal(size=size)
        expected = signal.convolve2d(image, kernel, mode="same")
        assert np.allclose(convolve(image, kernel, padding="same", flip=True), expected, rtol=0, atol=1e-11)


@dataclass(frozen=True)
class Case:
    """A volume, a bank and how it is laid on."""

    volume: Array
    bank: Doubles
    window: Window
    border: Border
    groups: int
    bias: list[float]


@st.composite
def cases(draw: st.DrawFn, *, whole: bool = True, constant: bool = True) -> Case:
    """Draw any small convolution; all numbers are whole unless told otherwise."""
    size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    groups, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    window = Window(
        size,
        stride=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        padding=(draw(st.integers(0, 4)), draw(st.integers(0, 4)), draw(st.integers(0, 4)), draw(st.integers(0, 4))),
        dilation=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
    )
    top, left, bottom, right = window.pads(0, 0)
    shape = (
        max(1, window.extent[0] - top - bottom) + draw(st.integers(0, 6)),
        max(1, window.extent[1] - left - right) + draw(st.integers(0, 6)),
        groups * inputs,
    )
    seed = draw(st.integers(0, 2**32))
    volume, bank = (
        random_image(draw(st.sampled_from(DTYPES)), shape, seed),
        random(seed + 1).normal(size=(*size, inputs, groups * outputs), scale=5),
    )
    if whole:
        volume, bank = np.rint(volume).astype(volume.dtype), np.rint(bank)
    mode = draw(st.sampled_from([mode for mode in BorderMode if constant or mode is not BorderMode.CONSTANT]))
    value = draw(st.sampled_from([-5.0, 7.0, 260.0])) if mode is BorderMode.CONSTANT else 0.0
    bias = draw(st.just([0.0] * groups * outputs) | st.just([float(m - 1) for m in range(groups * outputs)]))
    return Case(volume, bank, window, Border(mode, value), groups, bias)


def run(case: Case) -> Floats:
    """Return what the package makes of a case."""
    return convolve_matrix(case.volume, case.bank, case.window, border=case.border, bias=np.array(case.bias))


def run_plainly(case: Case) -> Doubles:
    """Return what the plain loop makes of a case."""
    window = case.window
    move = Move(window.stride, window.pads(0, 0), window.dilation)
    beyond = Beyond(case.border.mode, case.border.value)
    maps = convolve_plainly(case.volume, case.bank, move, beyond, groups=case.groups, bias=case.bias)
    return np.array(maps, dtype=np.float64)


class TestAgainstThePlainLoop:
    @given(case=cases())
    def test_whole_numbers_are_those_of_the_loop_to_the_last_unit(self, case: Case) -> None:
        result = run(case)
        assert result.tolist() == run_plainly(case).tolist()

    @given(case=cases(whole=False))
    def test_fractions_are_those_of_the_loop_within_the_allowed_error(self, case: Case) -> None:
        heaviest = np.abs(case.bank).sum(axis=(0, 1, 2)).max()
        largest = max(np.abs(case.volume.astype(np.float64)).max(), abs(case.border.value))
        allowed = (1e-5 if float_type(case.volume.dtype) is np.float32 else 1e-13) * (heaviest * largest + 10)
        assert np.abs(run(case) - run_plainly(case)).max() <= allowed

    @given(case=cases(whole=False))
    def test_the_shape_is_the_one_the_window_predicts(self, case: Case) -> None:
        predicted = case.window.output(*case.volume.shape[:2])
        assert run(case).shape == (*predicted, case.bank.shape[3]) == run_plainly(case).shape

    @given(case=cases(whole=False, constant=False))
    def test_the_result_is_float32_for_small_types_and_float64_for_the_rest(self, case: Case) -> None:
        assert run(case).dtype == (np.float32 if case.volume.dtype.name in FLOAT32_TYPES else np.float64)

    @pytest.mark.parametrize("channels", [70, 129])
    def test_many_channels_by_themselves_are_those_of_the_loop(self, channels: int) -> None:
        volume = random().integers(0, 256, (5, 4, channels), dtype=np.uint8)
        bank = random(1).integers(-3, 4, (3, 2, 1, channels)).astype(np.float64)
        result = convolve_matrix(volume, bank, Window((3, 2)), border=Border())
        assert result.tolist() == convolve_plainly(volume, bank, Move(), Beyond(), groups=channels)

    @pytest.mark.parametrize("groups", [1, 2, 5])
    def test_large_banks_are_those_of_the_loop(self, groups: int) -> None:
        volume = random().integers(0, 256, (4, 5, 20), dtype=np.uint8)
        bank = random(1).integers(-3, 4, (2, 3, 20 // groups, 30)).astype(np.float64)
        result = convolve_matrix(volume, bank, Window((2, 3), stride=(2, 1)), border=Border())
        assert result.tolist() == convolve_plainly(volume, bank, Move((2, 1)), Beyond(), groups=groups)

    @pytest.mark.parametrize("size", [(1, 1), (7, 9), (2, 9), (7, 1)], ids=str)
    def test_a_kernel_as_large_as_the_image_gives_one_row_or_column(self, size: Pair) -> None:
        image, kernel = random_image("uint8", (7, 9)), random(1).integers(-9, 10, size)
        expected = convolve_plainly(image[:, :, None], kernel[:, :, None, None], Move(), Beyond())
        assert convolve_plane(image, kernel).tolist() == [[point[0] for point in row] for row in expected]

    @pytest.mark.parametrize("border", BORDERS)
    def test_an_image_of_one_pixel_has_neighbours_by_its_border(self, border: str) -> None:
        image, kernel = np.array([[3.0]]), np.arange(1.0, 10.0).reshape(3, 3)
        around = {"zero": 0.0, "constant:-2.5": -2.5}.get(border, 3.0)
        assert convolve_plane(image, kernel, "same", border).tolist() == [[3 * 5 + around * 40]]

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("border", [*BORDERS, "constant:0.5", "constant:1000"])
    def test_every_border_goes_with_every_type(self, dtype: str, border: str) -> None:
        image, kernel = np.rint(random_image(dtype, (4, 5))).astype(dtype), random(1).integers(-5, 6, (3, 3))
        word = as_border(border)
        expected = convolve_plainly(
            image[:, :, None], kernel[:, :, None, None], Move(sides=(1, 1, 1, 1)), Beyond(word.mode, word.value)
        )
        result = convolve_plane(image, kernel, "same", border)
        assert result.tolist() == [[point[0] for point in row] for row in expected]

    @pytest.mark.parametrize("size", [3, 9])
    def test_a_fractional_border_under_whole_numbers_is_not_rounded(self, size: int) -> None:
        image = np.ones((1, 1), np.uint8)
        result = convolve_plane(image, np.ones((size, size)), "same", "constant:0.25")
        assert result.item() == 1 + (size**2 - 1) * 0.25

    def test_a_border_may_be_given_as_a_whole_python_number(self) -> None:
        border = Border(BorderMode.CONSTANT, 2)
        window = Window((1, 3), padding=(0, 1, 0, 1))
        result = convolve_matrix(np.ones((1, 1, 1), np.uint8), np.ones((1, 3, 1, 1)), window, border=border)
        assert result.tolist() == [[[5]]]

    def test_a_border_brighter_than_the_image_is_exact_as_well(self) -> None:
        image = np.array([[1, 1]], np.uint8)
        result = convolve_plane(image, np.ones((1, 3)), "same", "constant:16777216")
        assert result.tolist() == [[2**24 + 2, 2**24 + 2]]
        odd = convolve_plane(image, np.array([[1, 1, 0]]), "same", "constant:16777216")
        assert odd.tolist() == [[2**24 + 1, 2]]

    def test_a_window_larger_than_the_padded_volume_is_refused(self) -> None:
        with pytest.raises(ShapeError, match="a window of 3x3 is larger than the input of 2x5"):
            convolve_plane(np.zeros((2, 5)), np.ones((3, 3)))


def integers(shape: tuple[int, ...], least: int = -9, seed: int = 1) -> Doubles:
    """Return whole numbers up to 9 as weights."""
    return random(seed).integers(least, 10, shape).astype(np.float64)


@dataclass(frozen=True)
class Bank:
    """A bank, how it is laid on a volume, and a word of the plan that it must come to."""

    weights: Doubles
    channels: int
    groups: int
    word: str
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)


BANKS = {
    "many channels, many maps": Bank(integers((3, 3, 9, 8)), 9, 1, "patches"),
    "1x1 on many channels": Bank(integers((1, 1, 40, 5)), 40, 1, "patches"),
    "1x1 on many channels, every second": Bank(integers((1, 1, 40, 5)), 40, 1, "patches", (2, 2)),
    "many channels, 2 apart": Bank(integers((3, 2, 20, 4)), 20, 1, "patches", (1, 2), (2, 1)),
    "one channel, many maps": Bank(integers((3, 3, 1, 70)), 1, 1, "patches"),
    "two groups": Bank(integers((3, 3, 2, 4)), 4, 2, "patches"),
    "three groups, every second": Bank(integers((2, 3, 2, 3)), 6, 3, "patches", (2, 2)),
    "three groups of many": Bank(integers((2, 3, 20, 9)), 60, 3, "patches", (1, 1), (1, 2)),
    "channels by themselves": Bank(integers((3, 3, 1, 5)), 5, 5, "taps"),
    "channels by themselves, two maps each": Bank(integers((3, 3, 1, 10)), 5, 5, "taps"),
    "channels by themselves, every second": Bank(integers((4, 3, 1, 6)), 6, 6, "taps", (2, 3)),
    "channels by themselves, 2 apart": Bank(integers((3, 3, 1, 6)), 6, 6, "taps", (1, 1), (2, 2)),
    "channels by themselves, weights of zero": Bank(integers((3, 3, 1, 6), 8) * np.eye(3)[:, :, None, None], 6, 6, ""),
    "the same kernel on each channel": Bank(np.repeat(integers((3, 3, 1, 1)), 5, axis=3), 5, 5, "direct"),
    "the same two kernels on each channel": Bank(np.tile(integers((3, 3, 1, 2)), 5), 5, 5, "direct"),
    "a sum over channels": Bank(np.repeat(integers((3, 3, 1, 1)), 5, axis=2), 5, 1, "direct"),
    "two sums over channels": Bank(np.repeat(integers((3, 3, 1, 2)), 5, axis=2), 5, 1, ""),
    "a sum over many channels": Bank(np.repeat(integers((2, 3, 1, 1)), 70, axis=2), 70, 1, "direct", (2, 1), (1, 2)),
    "one kernel for each of three channels": Bank(integers((5, 5, 3, 1)), 3, 1, ""),
}
"""Banks of whole numbers."""


class TestBanks:
    @pytest.mark.parametrize("border", ["zero", "reflect", "constant:7"])
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
    @pytest.mark.parametrize("bank", BANKS.values(), ids=BANKS)
    def test_banks_of_any_shape_are_those_of_the_loop(
        self, caplog: pytest.LogCaptureFixture, bank: Bank, dtype: str, border: str
    ) -> None:
        volume = random().integers(0, 100, (9, 8, bank.channels)).astype(dtype)
        window = Window((bank.weights.shape[0], bank.weights.shape[1]), bank.stride, (2, 1, 0, 3), bank.dilation)
        bias = [float(m % 7 - 3) for m in range(bank.weights.shape[3])]
        word = as_border(border)
        with caplog.at_level("DEBUG", "cnnfilter"):
            result = convolve_matrix(volume, bank.weights, window, border=word, bias=np.array(bias))
        move, beyond = Move(bank.stride, (2, 1, 0, 3), bank.dilation), Beyond(word.mode, word.value)
        expected = convolve_plainly(volume, bank.weights, move, beyond, groups=bank.groups, bias=bias)
        assert result.tolist() == expected
        assert caplog.records
        assert all(record.getMessage().startswith(bank.word) for record in caplog.records)

    @pytest.mark.parametrize("bank", BANKS.values(), ids=BANKS)
    def test_banks_of_fractions_are_those_of_the_loop(self, bank: Bank) -> None:
        volume, weights = random().normal(size=(7, 9, bank.channels)), bank.weights / 9.1 + (bank.weights != 0) / 3
        window = Window((weights.shape[0], weights.shape[1]), bank.stride, (0, 0, 0, 0), bank.dilation)
        bias = [m / 7 - 3 for m in range(weights.shape[3])]
        move = Move(bank.stride, (0, 0, 0, 0), bank.dilation)
        expected = convolve_plainly(volume, weights, move, Beyond(), groups=bank.groups, bias=bias)
        heaviest = np.abs(weights).sum(axis=(0, 1, 2)).max() * np.abs(volume).max()
        for dtype, allowed in (("float32", 1e-6), ("float64", 1e-14)):
            result = convolve_matrix(volume.astype(dtype), weights, window, border=Border(), bias=np.array(bias))
            assert result.dtype == dtype
            assert np.abs(result - expected).max() <= allowed * heaviest

    @pytest.mark.parametrize("rows", [1, 2, 70])
    @pytest.mark.parametrize("columns", [1, 300])
    @pytest.mark.parametrize("inputs", [4, 40])
    def test_tall_and_wide_volumes_are_gathered_up_to_their_last_row(
        self, rows: int, columns: int, inputs: int
    ) -> None:
        volume = random().integers(0, 10, (rows + 2, columns + 2, inputs), dtype=np.uint8)
        bank = integers((3, 3, inputs, 20))
        windows = sliding_window_view(volume.astype(np.float64), (3, 3), axis=(0, 1))
        exact = np.tensordot(windows, bank, axes=((3, 4, 2), (0, 1, 2)))
        assert np.array_equal(convolve_matrix(volume, bank, Window((3, 3)), border=Border()), exact)

    @pytest.mark.parametrize("bank", BANKS.values(), ids=BANKS)
    def test_a_fractional_bias_is_added_to_whole_sums_and_rounded_once(self, bank: Bank) -> None:
        volume = random().integers(0, 256, (9, 8, bank.channels), dtype=np.uint8)
        window = Window((bank.weights.shape[0], bank.weights.shape[1]), bank.stride, dilation=bank.dilation)
        bias = np.arange(bank.weights.shape[3], dtype=np.float64) + 0.1
        sums = convolve_matrix(volume, bank.weights, window, border=Border())
        result = convolve_matrix(volume, bank.weights, window, border=Border(), bias=bias)
        assert np.abs(result - (sums + bias)).max() <= np.spacing(np.float32(np.abs(sums).max() + bias.max()))


class TestInputs:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("size", [3, 9])
    def test_how_the_image_lies_in_memory_changes_nothing(self, layout: str, dtype: str, size: int) -> None:
        volume = random_image(dtype, (11, 12, 3))
        bank = random(1).normal(size=(size, size, 3, 2))
        window = Window((size, size), stride=(2, 1), padding=(1, 0, 1, 2))
        expected = convolve_matrix(volume, bank, window, border=as_border("reflect"))
        laid_out = LAYOUTS[layout](volume)
        result = convolve(laid_out, bank, stride=(2, 1), padding=(1, 0, 1, 2), border="reflect")
        assert result.dtype == expected.dtype
        assert np.array_equal(result, expected)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("padding", ["valid", "same"])
    @pytest.mark.parametrize("value", [1.0, 0.5])
    def test_the_image_and_the_bank_stay_as_they_are_and_may_be_read_only(
        self, dtype: str, padding: str, value: float
    ) -> None:
        volume, bank = random_image(dtype, (6, 5, 2)), np.full((3, 3, 2, 1), value)
        volume.flags.writeable = bank.flags.writeable = False
        before = volume.copy()
        window = Window((3, 3), padding=as_padding(padding))
        result = convolve_matrix(volume, bank, window, border=Border(), bias=2.0)
        result += 1
        assert np.array_equal(volume, before)
        assert (bank == value).all()

    def test_an_identity_returns_a_new_array(self) -> None:
        volume = random().random((4, 4, 1))
        result = convolve_matrix(volume, np.ones((1, 1, 1, 1)), Window((1, 1)), border=Border())
        assert np.array_equal(result, volume)
        assert not np.shares_memory(result, volume)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_each_type_gives_the_numbers_that_it_holds(self, dtype: str) -> None:
        image = random_image(dtype, (6, 7))
        result = convolve_plane(image, np.ones((1, 1)))
        assert np.array_equal(result, image.astype(np.float64))


PLANES = hnp.arrays(np.float64, st.tuples(st.integers(3, 9), st.integers(3, 9)), elements=st.integers(-99, 99))
KERNELS = hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 3)), elements=st.integers(-9, 9))
ODD_KERNELS = hnp.arrays(np.float64, st.sampled_from([(1, 1), (3, 3), (3, 1), (1, 3)]), elements=st.integers(-9, 9))


class TestProperties:
    @given(image=PLANES, kernel=KERNELS, factor=st.integers(-9, 9), data=st.data())
    def test_it_is_linear_in_the_image(self, image: Doubles, kernel: Doubles, factor: int, data: st.DataObject) -> None:
        other = data.draw(hnp.arrays(np.float64, image.shape, elements=st.integers(-99, 99)))
        together = convolve_plane(image + factor * other, kernel)
        assert np.array_equal(together, convolve_plane(image, kernel) + factor * convolve_plane(other, kernel))

    @given(image=PLANES, kernel=KERNELS, factor=st.integers(-9, 9), data=st.data())
    def test_it_is_linear_in_the_kernel(
        self, image: Doubles, kernel: Doubles, factor: int, data: st.DataObject
    ) -> None:
        other = data.draw(hnp.arrays(np.float64, kernel.shape, elements=st.integers(-9, 9)))
        together = convolve_plane(image, kernel + factor * other)
        assert np.array_equal(together, convolve_plane(image, kernel) + factor * convolve_plane(image, other))

    @given(image=PLANES, kernel=ODD_KERNELS, shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)))
    def test_a_shifted_image_gives_the_shifted_result(self, image: Doubles, kernel: Doubles, shift: Pair) -> None:
        shifted = np.roll(image, shift, axis=(0, 1))
        expected = np.roll(convolve_plane(image, kernel, "same", "wrap"), shift, axis=(0, 1))
        assert np.array_equal(convolve_plane(shifted, kernel, "same", "wrap"), expected)

    @given(image=PLANES, size=st.sampled_from([1, 3, 5, 9]), border=st.sampled_from(BORDERS))
    def test_a_one_in_the_centre_gives_the_image(self, image: Doubles, size: int, border: str) -> None:
        kernel = np.zeros((size, size))
        kernel[size // 2, size // 2] = 1
        assert np.array_equal(convolve_plane(image, kernel, "same", border), image)

    @given(image=PLANES, kernel=KERNELS)
    def test_a_kernel_turned_by_hand_and_by_flip_is_the_kernel(self, image: Doubles, kernel: Doubles) -> None:
        assert np.array_equal(convolve(image, kernel[::-1, ::-1], flip=True), convolve(image, kernel))

    @given(image=PLANES, kernel=KERNELS)
    def test_turning_image_and_kernel_turns_the_result(self, image: Doubles, kernel: Doubles) -> None:
        turned = convolve_plane(image[::-1, ::-1], kernel[::-1, ::-1])
        assert np.array_equal(turned, convolve_plane(image, kernel)[::-1, ::-1])

    @given(image=PLANES, kernel=KERNELS)
    def test_exchanging_rows_and_columns_exchanges_them_in_the_result(self, image: Doubles, kernel: Doubles) -> None:
        assert np.array_equal(convolve_plane(image.T, kernel.T), convolve_plane(image, kernel).T)

    @given(image=PLANES, kernel=KERNELS, stride=st.tuples(st.integers(1, 4), st.integers(1, 4)))
    def test_a_stride_keeps_every_so_many_of_the_results_without_it(
        self, image: Doubles, kernel: Doubles, stride: Pair
    ) -> None:
        kept = convolve_plane(image, kernel)[:: stride[0], :: stride[1]]
        assert np.array_equal(convolve_plane(image, kernel, stride=stride), kept)

    @given(image=PLANES, kernel=KERNELS, dilation=st.tuples(st.integers(1, 4), st.integers(1, 4)))
    def test_dilation_is_a_kernel_with_zeros_between_its_weights(
        self, image: Doubles, kernel: Doubles, dilation: Pair
    ) -> None:
        rows, columns = (d * (size - 1) + 1 for d, size in zip(dilation, kernel.shape, strict=True))
        spread = np.zeros((rows, columns))
        spread[:: dilation[0], :: dilation[1]] = kernel
        expected = convolve_plane(image, spread, "full")
        assert np.array_equal(convolve_plane(image, kernel, "full", dilation=dilation), expected)

    @given(image=PLANES, first=KERNELS, second=KERNELS)
    def test_two_kernels_after_each_other_are_their_full_convolution(
        self, image: Doubles, first: Doubles, second: Doubles
    ) -> None:
        joint = signal.convolve2d(first, second)
        twice = convolve_plane(convolve_plane(image, first, "full"), second, "full")
        assert np.array_equal(twice, convolve_plane(image, joint, "full"))


SCALES = {
    "small": (255, 9),
    "beyond 2**24": (255, 2**16 - 1),
    "beyond 2**44": (2**16 - 1, 2**25),
    "just below 2**53": (2**16 - 1, None),
}
"""The largest pixel and weight; None: so large that the sum stays just below 2**53."""


def correlate_exactly(image: Array, kernel: Array) -> Array:
    """Return the valid correlation in 64-bit integers."""
    windows = sliding_window_view(image.astype(np.int64), kernel.shape)
    return np.asarray(np.einsum("ijab,ab->ij", windows, kernel.astype(np.int64)))


class TestWholeNumbers:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    @pytest.mark.parametrize("scale", SCALES)
    @pytest.mark.parametrize("size", [*range(1, 18), 25, 31, 32, 40, 50, 51])
    def test_every_whole_number_is_exact(self, dtype: str, scale: str, size: int) -> None:
        largest, weight = SCALES[scale]
        largest = min(largest, 255) if dtype == "uint8" else largest
        weight = weight or 2**53 // (size**2 * largest) - 1
        numbers = random(size)
        image = numbers.integers(0, largest, (57, 55), endpoint=True)
        image = image * numbers.choice([-1, 1], image.shape) if dtype.startswith("float") else image
        kernel = numbers.integers(-weight, weight, (size, size), endpoint=True)
        exact = correlate_exactly(image, kernel)
        result = convolve_plane(image.astype(dtype), kernel)
        if dtype == "float32":
            assert result.tolist() == exact.astype(np.float32).tolist()
        else:
            assert result.astype(np.int64).tolist() == exact.tolist()
            assert (result == np.rint(result)).all()

    @pytest.mark.parametrize("dtype", ["uint16", "float64"])
    @pytest.mark.parametrize("size", [7, 9, 21, 51])
    @pytest.mark.parametrize("limit", [2**24, 2**44, 2**53])
    def test_sums_just_below_a_limit_are_exact_where_everything_is_largest(
        self, dtype: str, size: int, limit: int
    ) -> None:
        largest = min(65535, limit // size**2 - 1)
        weight = max(1, limit // (size**2 * largest))
        image = np.full((64, 60), largest)
        image[::3, ::2] -= 1
        kernel = np.full((size, size), weight)
        exact = correlate_exactly(image, kernel)
        assert exact.max() > limit // 3
        assert convolve_plane(image.astype(dtype), kernel).astype(np.int64).tolist() == exact.tolist()

    @pytest.mark.parametrize("shape", [(1, 51), (51, 1), (2, 30), (16, 16), (51, 51)], ids=str)
    def test_one_heavy_weight_among_light_ones_leaves_the_light_ones_exact(self, shape: Pair) -> None:
        image = random().integers(0, 65536, (60, 70))
        kernel = random(1).integers(-3, 4, shape)
        kernel[0, 0] = 2**27
        result = convolve_plane(image.astype(np.uint16), kernel)
        assert result.astype(np.int64).tolist() == correlate_exactly(image, kernel).tolist()

    def test_the_least_int16_among_small_pixels_is_exact_under_heavy_weights(self) -> None:
        image = random().integers(-3, 4, (40, 40)).astype(np.int16)
        image[::2, ::3] = -(2**15)
        kernel = random(1).integers(-(2**31), 2**31, (9, 9))
        result = convolve_plane(image, kernel)
        assert result.astype(np.int64).tolist() == correlate_exactly(image, kernel).tolist()

    @pytest.mark.parametrize("channels", [3, 64, 65, 200])
    def test_sums_over_many_channels_are_exact(self, channels: int) -> None:
        volume = random().integers(0, 65536, (9, 8, channels), dtype=np.uint16)
        bank = random(1).integers(-(2**20), 2**20, (3, 3, channels, 2)).astype(np.float64)
        windows = sliding_window_view(volume.astype(np.int64), (3, 3), axis=(0, 1))
        exact = np.einsum("ijcab,abcm->ijm", windows, bank.astype(np.int64))
        result = convolve_matrix(volume, bank, Window((3, 3)), border=Border())
        assert result.astype(np.int64).tolist() == exact.tolist()

    def test_beyond_2_to_24_the_result_for_small_integers_is_float64_and_for_float32_it_is_rounded_once(self) -> None:
        image, kernel = np.full((1, 2), 65535, np.uint16), np.array([[257, 1]])
        assert convolve_plane(image, kernel).dtype == np.float64
        assert convolve_plane(image, kernel).item() == 65535 * 258
        rounded = convolve_plane(image.astype(np.float32), kernel)
        assert rounded.dtype == np.float32
        assert rounded.item() == np.float32(65535 * 258)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
    @pytest.mark.parametrize("bias", [2.0**24, 2.0**30 + 1, -(2.0**40) - 3])
    def test_a_large_whole_bias_is_added_exactly(self, dtype: str, bias: float) -> None:
        volume = np.array([[[1], [3]]], dtype)
        result = convolve_matrix(volume, np.ones((1, 1, 1, 1)), Window((1, 1)), border=Border(), bias=bias)
        assert result[:, :, 0].tolist() == [[bias + 1, bias + 3]]

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    @pytest.mark.parametrize("bias", [0.5, 0.1, -1 / 3])
    @pytest.mark.parametrize("size", [3, 11])
    def test_a_fractional_bias_is_added_to_the_exact_whole_number(self, dtype: str, bias: float, size: int) -> None:
        image, kernel = random().integers(0, 256, (20, 20)), random(1).integers(-9, 10, (size, size))
        bank = kernel.astype(np.float64)[:, :, None, None]
        result = convolve_matrix(
            image.astype(dtype)[:, :, None], bank, Window((size, size)), border=Border(), bias=bias
        )[:, :, 0]
        exact = correlate_exactly(image, kernel) + bias
        assert np.allclose(result, exact, rtol=1e-15 if dtype == "float64" else 2e-7, atol=1e-8)

    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    @pytest.mark.parametrize("size", [1, 3, 7, 8, 11, 15, 31, 51])
    def test_no_zero_is_negative(self, dtype: str, size: int) -> None:
        image = np.zeros((60, 60), dtype)
        image[:5, :5] = random().integers(1, 256, (5, 5))
        kernel = random(1).integers(-5, 6, (size, size))
        kernel[0, 0] = -1
        result = convolve_plane(image, kernel, "same")
        assert (result == 0).any()
        assert not np.signbit(result[result == 0]).any()

    @pytest.mark.parametrize("weight", [-1.0, -0.5])
    @pytest.mark.parametrize("planes", [1, 70])
    def test_black_under_a_negative_weight_is_zero_without_a_sign(self, weight: float, planes: int) -> None:
        result = convolve_matrix(
            np.zeros((2, 2, planes), np.uint8), np.full((1, 1, planes, 1), weight), Window((1, 1)), border=Border()
        )
        assert not np.signbit(result).any()


class TestFractions:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    @pytest.mark.parametrize("size", [1, 3, 7, 8, 15, 31, 51])
    @pytest.mark.parametrize("signed", [False, True], ids=["positive", "signed"])
    def test_the_error_in_float32_is_at_most_1e_5_of_the_largest_sum(self, dtype: str, size: int, signed: bool) -> None:
        image = random_image(dtype, (60, 58), seed=size)
        kernel = random(1).random((size, size)) - (0.5 if signed else 0)
        expected = signal.correlate(image.astype(np.float64), kernel, mode="valid", method="direct")
        assert np.abs(convolve_plane(image, kernel) - expected).max() <= tolerance(image, kernel)

    @pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (65, 1), (1, 65)], ids=["plane", "sum", "many maps"])
    @pytest.mark.parametrize(
        ("size", "hurt"),
        [(15, False), (31, False), (51, False), (15, True), (31, True), (51, True)],
    )
    def test_the_error_stays_small_where_all_pixels_and_weights_are_alike(
        self, size: int, inputs: int, outputs: int, hurt: bool
    ) -> None:
        volume = np.full((55, 55, inputs), 0.1, np.float32)
        bank = np.full((size, size, inputs, outputs), 0.1)
        expected = float(np.float32(0.1)) * 0.1 * size**2 * inputs
        if hurt:
            volume[0, 0] = np.nan
        result = convolve_matrix(volume, bank, Window((size, size)), border=Border())[1:, 1:]
        assert result.size
        assert np.abs(result - expected).max() <= 1e-5 * expected

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "float32", "float64"])
    @pytest.mark.parametrize("divisor", [2, 3, 7, 9, 16, 49, 256, 961, 2601])
    @pytest.mark.parametrize("size", [3, 9])
    def test_numerators_over_one_divisor_give_their_sum_divided_once(self, dtype: str, divisor: int, size: int) -> None:
        numbers = random(divisor)
        image = numbers.integers(0, 256, (20, 19))
        numerators = numbers.integers(-9, 10, (size, size))
        result = convolve_plane(image.astype(dtype), numerators / divisor)
        exact = correlate_exactly(image, numerators) / divisor
        assert result.tolist() == exact.astype(float_type(np.dtype(dtype))).tolist()

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 15, 31, 51])
    @pytest.mark.parametrize("value", [0, 1, 77, 255])
    def test_the_mean_of_equal_pixels_is_their_value_exactly(self, size: int, value: int) -> None:
        image = np.full((52, 53), value, np.uint8)
        assert (convolve_plane(image, np.full((size, size), 1 / size**2)) == value).all()

    @given(
        image=hnp.arrays(np.float32, (5, 6), elements=st.floats(-(2.0**60), 2.0**60, width=32)),
        kernel=hnp.arrays(np.float64, (3, 2), elements=st.floats(-(2.0**30), 2.0**30, width=32)),
    )
    @example(image=np.full((5, 6), 2.0**60, np.float32), kernel=np.full((3, 2), 0.1))
    def test_the_error_is_in_proportion_for_numbers_of_any_size(self, image: Floats, kernel: Doubles) -> None:
        expected = signal.correlate2d(image.astype(np.float64), kernel, mode="valid")
        allowed = tolerance(image, kernel) + 1e-37
        assert np.abs(convolve_plane(image, kernel) - expected).max() <= allowed

    @pytest.mark.parametrize("size", [3, 9, 31])
    def test_float64_images_are_filtered_in_float64(self, size: int) -> None:
        image, kernel = random().random((40, 40)), random(1).normal(size=(size, size))
        expected = signal.correlate(image, kernel, mode="valid", method="direct")
        assert np.abs(convolve_plane(image, kernel) - expected).max() <= 1e-15 * np.abs(kernel).sum() * 10


HURTS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


class TestNanAndInf:
    @pytest.mark.parametrize("hurt", HURTS)
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("size", [3, 9, 15])
    def test_only_windows_over_the_pixel_see_it(self, hurt: str, dtype: str, size: int) -> None:
        clean = random_image(dtype, (31, 33))
        image = clean.copy()
        image[16, 20] = HURTS[hurt]
        kernel = random(1).random((size, size)) + 0.5
        result, untouched = convolve_plane(image, kernel), convolve_plane(clean, kernel)
        over = np.zeros(result.shape, bool)
        over[16 - size + 1 : 17, 20 - size + 1 : 21] = True
        assert np.array_equal(np.isfinite(result), ~over)
        assert np.abs(result[~over] - untouched[~over]).max() <= tolerance(clean, kernel)
        same = np.isnan(result[over]) if hurt == "nan" else result[over] == HURTS[hurt]
        assert same.all()

    @pytest.mark.parametrize("hurt", HURTS)
    def test_a_weight_of_zero_does_not_see_the_pixel(self, hurt: str) -> None:
        image = np.array([[1.0, HURTS[hurt], 2.0, 3.0]])
        assert convolve_plane(image, np.array([[1, 0, 1]])).tolist()[0][0] == 3
        assert not np.isfinite(convolve_plane(image, np.array([[1, 0, 1]])).tolist()[0][1])

    @pytest.mark.parametrize("hurt", HURTS)
    @pytest.mark.parametrize("channels", [1, 2])
    def test_a_map_does_not_depend_on_the_other_kernels_of_its_bank(self, hurt: str, channels: int) -> None:
        volume = np.ones((1, 2, channels))
        volume[0, 0] = HURTS[hurt]
        bank = np.zeros((1, 2, channels, 2))
        bank[0, 0, :, 0] = bank[0, 1, :, 1] = 1
        together = convolve_matrix(volume, bank, Window((1, 2)), border=Border())
        alone = [convolve_matrix(volume, bank[..., m : m + 1], Window((1, 2)), border=Border()) for m in (0, 1)]
        assert np.array_equal(together, np.concatenate(alone, axis=2), equal_nan=True)
        assert together[0, 0, 1] == channels

    @pytest.mark.parametrize("hurt", HURTS)
    @pytest.mark.parametrize("channels", [3, 70])
    def test_a_channel_by_itself_does_not_see_the_others(self, hurt: str, channels: int) -> None:
        volume = np.ones((4, 4, channels), np.float32)
        volume[0, 0, 1] = HURTS[hurt]
        result = convolve_matrix(volume, np.ones((3, 3, 1, channels)), Window((3, 3)), border=Border())
        assert (np.delete(result, 1, axis=2) == 9).all()
        assert np.isfinite(result[:, :, 1]).tolist() == [[False, True], [True, True]]

    @pytest.mark.parametrize("hurt", HURTS)
    def test_a_sum_over_channels_sees_the_pixel_in_every_map(self, hurt: str) -> None:
        volume = np.ones((4, 4, 3), np.float32)
        volume[0, 0, 1] = HURTS[hurt]
        result = convolve_matrix(volume, np.ones((3, 3, 3, 2)), Window((3, 3)), border=Border())
        assert np.isfinite(result[:, :, 0]).tolist() == [[False, True], [True, True]]
        assert np.isfinite(result[:, :, 1]).tolist() == [[False, True], [True, True]]

    @given(hurt=st.sampled_from(list(HURTS)), kind=st.sampled_from(list(KINDS)), data=st.data())
    def test_exactly_the_windows_with_a_weight_over_the_pixel_see_it(
        self, hurt: str, kind: str, data: st.DataObject
    ) -> None:
        size = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 8))
        kernel = KINDS[kind](size, random(data.draw(st.integers(0, 999))))
        pairs = st.just((1, 1)) | st.tuples(st.integers(1, 3), st.integers(1, 3))
        window = Window((kernel.shape[0], kernel.shape[1]), data.draw(pairs), (0, 0, 0, 0), data.draw(pairs))
        shape = window.extent[0] + data.draw(st.integers(0, 9)), window.extent[1] + data.draw(st.integers(0, 9)), 2
        volume = random_image(data.draw(st.sampled_from(["float32", "float64"])), shape)
        mark = np.zeros(shape, int)
        for _ in range(data.draw(st.integers(1, 3))):
            mark[tuple(data.draw(st.integers(0, side - 1)) for side in shape)] = 1
        volume[mark == 1] = HURTS[hurt]
        bank = np.repeat((kernel != 0).astype(int)[:, :, None, None], 2, axis=3)
        seen = np.array(convolve_plainly(mark, bank, Move(window.stride, dilation=window.dilation), Beyond(), groups=2))
        with np.errstate(invalid="ignore"):
            laid = list(lay_as_planned(volume, kernel, window, Border()))
        for plan, maps in laid:
            assert np.array_equal(np.isfinite(maps), seen == 0), plan
            if hurt == "nan":
                assert np.array_equal(np.isnan(maps), seen > 0), plan

    @pytest.mark.parametrize("hurt", HURTS)
    @pytest.mark.parametrize("sparse", [False, True], ids=["full", "with weights of zero"])
    @pytest.mark.parametrize("bank", BANKS.values(), ids=BANKS)
    def test_only_maps_with_a_weight_over_the_pixel_see_it(self, bank: Bank, sparse: bool, hurt: str) -> None:
        weights = np.abs(bank.weights) + 1
        if sparse and weights.shape[0] > 1:
            weights[0, 1:] = 0
        shape = (8, 9, bank.channels)
        volume, mark = random().normal(size=shape), np.zeros(shape, int)
        mark[3, 4, bank.channels // 2] = mark[7, 0, 0] = 1
        volume[mark == 1] = HURTS[hurt]
        window = Window((weights.shape[0], weights.shape[1]), bank.stride, dilation=bank.dilation)
        move = Move(bank.stride, dilation=bank.dilation)
        seen = np.array(convolve_plainly(mark, (weights != 0).astype(int), move, Beyond(), groups=bank.groups)) > 0
        result = convolve_matrix(volume, weights, window, border=Border())
        assert np.array_equal(np.isnan(result) if hurt == "nan" else result == HURTS[hurt], seen)
        volume[mark == 1] = 0
        clean = convolve_matrix(volume, weights, window, border=Border())
        assert np.allclose(result[~seen], clean[~seen], rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("groups", [1, 3])
    def test_infinities_of_both_signs_in_two_channels_are_no_number_in_their_sum_alone(self, groups: int) -> None:
        volume = np.ones((2, 3, 3))
        volume[0, 0] = np.inf, -np.inf, 1
        bank = np.ones((1, 1, 3 // groups, groups))
        result = convolve_matrix(volume, bank, Window((1, 1)), border=Border())
        assert np.isnan(result).any() == (groups == 1)
        assert np.isfinite(result[1]).all()

    def test_both_infinities_in_one_window_are_no_number(self) -> None:
        image = np.array([[np.inf, -np.inf, 1.0, 1.0]])
        assert np.isnan(convolve_plane(image, np.ones((1, 2)))[0, 0])
        assert convolve_plane(image, np.ones((1, 2)))[0, 1:].tolist() == [-np.inf, 2]

    @pytest.mark.parametrize("border", ["edge", "reflect", "symmetric", "wrap"])
    def test_a_border_repeats_the_pixel_and_nothing_else(self, border: str) -> None:
        image = np.ones((5, 5))
        image[0, 0] = np.nan
        result = convolve_plane(image, np.ones((3, 3)), "same", border)
        padded = pad_plainly(image[:, :, None], (1, 1, 1, 1), Beyond(border))
        seen = [
            [any(np.isnan(padded[i + a][j + b][0]) for a, b in product(range(3), repeat=2)) for j in range(5)]
            for i in range(5)
        ]
        assert np.isnan(result).tolist() == seen


def test_the_bias_is_one_number_or_one_for_each_output() -> None:
    volume, bank = np.ones((2, 2, 1), np.uint8), np.ones((1, 1, 1, 3))
    one = convolve_matrix(volume, bank, Window((1, 1)), border=Border(), bias=0.5)
    each = convolve_matrix(volume, bank, Window((1, 1)), border=Border(), bias=np.array([0.0, 10.0, -3.0]))
    assert one[0, 0].tolist() == [1.5, 1.5, 1.5]
    assert each[0, 0].tolist() == [1.0, 11.0, -2.0]
    assert one.dtype == each.dtype == np.float32


@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 3)], ids=str)
@pytest.mark.parametrize("size", [3, 15, 31])
def test_an_image_of_zeros_gives_zeros_under_kernels_of_any_size(shape: tuple[int, ...], size: int) -> None:
    kernel = np.random.default_rng(size).integers(0, 5, (size, size))
    result = convolve(np.zeros(shape), kernel, padding="same")
    assert np.array_equal(result, np.zeros(shape))


def test_pairs_of_numbers_are_height_first() -> None:
    image = np.zeros((3, 9))
    image[0, 0] = 1
    result = convolve_plane(image, np.array([[1, 2, 3]]), "full", stride=as_pair("1x2", "stride"))
    assert result.tolist()[0] == [3.0, 1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("shape", [(600, 800), (180, 230, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weight", [1 / 625, 0.3, 1.0])
@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e30])
def test_what_is_odd_in_a_float_image_stays_within_the_windows_of_a_box(
    odd: float, weight: float, dtype: str, shape: tuple[int, ...]
) -> None:
    image = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype)
    clean = cnnfilter.convolve(image, np.full((25, 25), weight), padding="half")
    image[150, 200] = odd
    found = cnnfilter.convolve(image, np.full((25, 25), weight), padding="half")
    window = slice(138, 163), slice(188, 213)
    clean[window] = found[window] = 0
    assert np.allclose(found, clean, rtol=1e-4, atol=0)
