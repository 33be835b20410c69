"""Convolution against scipy, against plain loops, and against what must hold for any image and kernel."""

from collections.abc import Callable
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

from cnnfilter import convolve
from cnnfilter.arrays import Array, Doubles, Floats, float_type
from cnnfilter.compute.convolution import carry_out, convolve_volume, pad
from cnnfilter.compute.planning import Engine, Plan
from cnnfilter.errors import ShapeError
from cnnfilter.spec.borders import Border, BorderMode, as_border
from cnnfilter.spec.geometry import Pair, Window, as_padding, as_pair
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


def random(seed: int = 0) -> np.random.Generator:
    """Return a generator that always gives the same numbers."""
    return np.random.default_rng(seed)


def random_image(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return an image of any type; its floats are fractions, negative ones too."""
    numbers = random(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (numbers.random(shape) * 300 - 100).astype(kind)
    if kind.kind == "b":
        return numbers.random(shape) < 0.5
    limits = np.iinfo(kind)
    return numbers.integers(max(limits.min, -(2**20)), min(limits.max, 2**20), shape, endpoint=True, dtype=kind)


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
    return convolve_volume(image[:, :, None], bank, window, border=as_border(border))[:, :, 0]


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
    def test_flip_is_convolve2d(self, padding: str, size: Pair) -> None:
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
    return convolve_volume(
        case.volume, case.bank, case.window, border=case.border, groups=case.groups, bias=np.array(case.bias)
    )


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

    @given(case=cases(), data=st.data())
    def test_all_engines_give_what_the_loop_gives(self, case: Case, data: st.DataObject) -> None:
        dtype: Literal["float32", "float64"] = data.draw(st.sampled_from(["float32", "float64"]))
        window = case.window
        output = window.output(*case.volume.shape[:2])
        padded = pad(case.volume, window.pads(*case.volume.shape[:2]), case.border, dtype)
        expected = run_plainly(case) - np.array(case.bias)
        heaviest = np.abs(case.bank).sum(axis=(0, 1, 2)).max()
        for engine in Engine:
            plan = Plan(engine, dtype, False, "by hand")
            maps = carry_out(plan, padded, case.bank.astype(dtype), window, output, case.groups)
            assert maps.dtype.name == dtype
            allowed = (1e-6 if dtype == "float32" else 1e-14) * heaviest * np.abs(padded).max()
            assert np.abs(maps - expected).max() <= allowed, engine

    @given(data=st.data(), border=st.sampled_from(list(BorderMode)))
    def test_padding_holds_what_the_border_says(self, data: st.DataObject, border: BorderMode) -> None:
        shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 2)))
        sides = data.draw(st.tuples(*[st.integers(0, 9)] * 4))
        volume = random().integers(0, 256, shape, dtype=np.uint8)
        value = 0.0 if border is BorderMode.ZERO else 3.5
        padded = pad(volume, sides, Border(border, value), np.float32)
        assert padded.dtype == np.float32
        assert padded.tolist() == pad_plainly(volume, sides, Beyond(border, value))

    @pytest.mark.parametrize("channels", [70, 129])
    def test_many_channels_by_themselves_are_those_of_the_loop(self, channels: int) -> None:
        volume = random().integers(0, 256, (5, 4, channels), dtype=np.uint8)
        bank = random(1).integers(-3, 4, (3, 2, 1, channels)).astype(np.float64)
        result = convolve_volume(volume, bank, Window((3, 2)), border=Border(), groups=channels)
        assert result.tolist() == convolve_plainly(volume, bank, Move(), Beyond(), groups=channels)

    @pytest.mark.parametrize("groups", [1, 2, 5])
    def test_large_banks_are_those_of_the_loop(self, groups: int) -> None:
        volume = random().integers(0, 256, (4, 5, 20), dtype=np.uint8)
        bank = random(1).integers(-3, 4, (2, 3, 20 // groups, 30)).astype(np.float64)
        result = convolve_volume(volume, bank, Window((2, 3), stride=(2, 1)), border=Border(), groups=groups)
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
        result = convolve_volume(np.ones((1, 1, 1), np.uint8), np.ones((1, 3, 1, 1)), window, border=border)
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


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "as a row-major block": np.ascontiguousarray,
    "as a column-major block": np.asfortranarray,
    "every second row and column": lambda volume: np.repeat(np.repeat(volume, 2, axis=0), 2, axis=1)[::2, ::2],
    "upside down": lambda volume: np.ascontiguousarray(volume[::-1, ::-1])[::-1, ::-1],
    "channels first": lambda volume: np.moveaxis(np.ascontiguousarray(np.moveaxis(volume, 2, 0)), 0, 2),
    "big-endian": lambda volume: volume.astype(volume.dtype.newbyteorder(">")),
}
"""Ways to hold the same volume in memory."""


class TestInputs:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("size", [3, 9])
    def test_how_the_image_lies_in_memory_changes_nothing(self, layout: str, dtype: str, size: int) -> None:
        volume = random_image(dtype, (11, 12, 3))
        bank = random(1).normal(size=(size, size, 3, 2))
        window = Window((size, size), stride=(2, 1), padding=(1, 0, 1, 2))
        expected = convolve_volume(volume, bank, window, border=as_border("reflect"))
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
        result = convolve_volume(volume, bank, window, border=Border(), bias=2.0)
        result += 1
        assert np.array_equal(volume, before)
        assert (bank == value).all()

    def test_an_identity_returns_a_new_array(self) -> None:
        volume = random().random((4, 4, 1))
        result = convolve_volume(volume, np.ones((1, 1, 1, 1)), Window((1, 1)), border=Border())
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
        result = convolve_volume(volume, bank, Window((3, 3)), border=Border())
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
        result = convolve_volume(volume, np.ones((1, 1, 1, 1)), Window((1, 1)), border=Border(), bias=bias)
        assert result[:, :, 0].tolist() == [[bias + 1, bias + 3]]

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    @pytest.mark.parametrize("bias", [0.5, 0.1, -1 / 3])
    @pytest.mark.parametrize("size", [3, 11])
    def test_a_fractional_bias_is_added_to_the_exact_whole_number(self, dtype: str, bias: float, size: int) -> None:
        image, kernel = random().integers(0, 256, (20, 20)), random(1).integers(-9, 10, (size, size))
        bank = kernel.astype(np.float64)[:, :, None, None]
        result = convolve_volume(
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
        result = convolve_volume(
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

    @pytest.mark.parametrize("size", [15, 31, 51])
    @pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (65, 1), (1, 65)], ids=["plane", "sum", "many maps"])
    @pytest.mark.parametrize("hurt", [False, True], ids=["finite", "nan in a corner"])
    def test_the_error_stays_small_where_all_pixels_and_weights_are_alike(
        self, size: int, inputs: int, outputs: int, hurt: bool
    ) -> None:
        volume = np.full((55, 55, inputs), 0.1, np.float32)
        bank = np.full((size, size, inputs, outputs), 0.1)
        expected = float(np.float32(0.1)) * 0.1 * size**2 * inputs
        if hurt:
            volume[0, 0] = np.nan
        result = convolve_volume(volume, bank, Window((size, size)), border=Border())[1:, 1:]
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
        together = convolve_volume(volume, bank, Window((1, 2)), border=Border())
        alone = [convolve_volume(volume, bank[..., m : m + 1], Window((1, 2)), border=Border()) for m in (0, 1)]
        assert np.array_equal(together, np.concatenate(alone, axis=2), equal_nan=True)
        assert together[0, 0, 1] == channels

    @pytest.mark.parametrize("hurt", HURTS)
    @pytest.mark.parametrize("channels", [3, 70])
    def test_a_channel_by_itself_does_not_see_the_others(self, hurt: str, channels: int) -> None:
        volume = np.ones((4, 4, channels), np.float32)
        volume[0, 0, 1] = HURTS[hurt]
        result = convolve_volume(volume, np.ones((3, 3, 1, channels)), Window((3, 3)), border=Border(), groups=channels)
        assert (np.delete(result, 1, axis=2) == 9).all()
        assert np.isfinite(result[:, :, 1]).tolist() == [[False, True], [True, True]]

    @pytest.mark.parametrize("hurt", HURTS)
    def test_a_sum_over_channels_sees_the_pixel_in_every_map(self, hurt: str) -> None:
        volume = np.ones((4, 4, 3), np.float32)
        volume[0, 0, 1] = HURTS[hurt]
        result = convolve_volume(volume, np.ones((3, 3, 3, 2)), Window((3, 3)), border=Border())
        assert np.isfinite(result[:, :, 0]).tolist() == [[False, True], [True, True]]
        assert np.isfinite(result[:, :, 1]).tolist() == [[False, True], [True, True]]

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
    one = convolve_volume(volume, bank, Window((1, 1)), border=Border(), bias=0.5)
    each = convolve_volume(volume, bank, Window((1, 1)), border=Border(), bias=np.array([0.0, 10.0, -3.0]))
    assert one[0, 0].tolist() == [1.5, 1.5, 1.5]
    assert each[0, 0].tolist() == [1.0, 11.0, -2.0]
    assert one.dtype == each.dtype == np.float32


@pytest.mark.parametrize("rounds", [False, True])
@pytest.mark.parametrize("engine", list(Engine))
def test_a_plan_that_rounds_gives_whole_numbers(engine: Engine, rounds: bool) -> None:
    padded = np.full((3, 3, 1), 0.3)
    plan = Plan(engine, "float64", rounds, "by hand")
    maps = carry_out(plan, padded, np.ones((2, 2, 1, 1)), Window((2, 2)), (2, 2), 1)
    assert np.allclose(maps, 1.0 if rounds else 1.2, rtol=0, atol=1e-15)


@pytest.mark.parametrize("engine", list(Engine))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_plan_that_rounds_gives_no_negative_zero(engine: Engine, dtype: Literal["float32", "float64"]) -> None:
    padded = np.array([[[-0.3], [0.3], [-0.0]]], dtype)
    maps = carry_out(
        Plan(engine, dtype, True, "by hand"), padded, np.ones((1, 1, 1, 1), dtype), Window((1, 1)), (1, 3), 1
    )
    assert maps.tolist() == [[[0], [0], [0]]]
    assert not np.signbit(maps).any()


def test_pairs_of_numbers_are_height_first() -> None:
    image = np.zeros((3, 9))
    image[0, 0] = 1
    result = convolve_plane(image, np.array([[1, 2, 3]]), "full", stride=as_pair("1x2", "stride"))
    assert result.tolist()[0] == [3.0, 1.0, 0.0, 0.0, 0.0, 0.0]
