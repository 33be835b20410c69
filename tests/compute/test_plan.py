"""What is known of an image and a kernel, and the plan that follows from it."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.exact import EXACT_FLOAT32, Dtype, Numbers, common_divisor, find_facts, settle_numbers
from cnnfilter.compute.plan import (
    EXACT_FOURIER,
    Engine,
    LaidKernel,
    Plan,
    Task,
    all_plans,
    plan_bank,
    plan_kernel,
)
from cnnfilter.kernels import made as formulas
from cnnfilter.nn.geometry import Pair, as_border

PHOTO: Pair = (2000, 3000)
"""(rows, columns) of an image that is large enough for every engine."""

INFINITE = float("inf")

SMALL = Numbers("float32", True, 2295.0)
FRACTIONS = Numbers("float32")
NARROW = Numbers("float32", narrow=True)
DOUBLES = Numbers("float64")


def random_kernel(rows: int, columns: int) -> Doubles:
    """Return fractions without any structure."""
    return np.random.default_rng(rows * columns).normal(size=(rows, columns))


def whole_kernel(rows: int, columns: int) -> Doubles:
    """Return whole numbers without any structure."""
    return np.random.default_rng(rows * columns).integers(-9, 10, (rows, columns)).astype(np.float64)


def plan_for(kernel: Doubles, numbers: Numbers, task: Task) -> Plan:
    """Return what is planned for a kernel."""
    return plan_kernel(kernel.tobytes(), kernel.shape, numbers, task)


@dataclass(frozen=True)
class Case:
    """A kernel on an image, and what is planned for it."""

    kernel: Doubles
    numbers: Numbers
    engine: Engine
    shape: Pair
    pairs: int = 0
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    phases: str = ""

    @property
    def task(self) -> Task:
        """Return it on one channel of a photo."""
        return Task(PHOTO, 1, self.stride, self.dilation)

    def plan(self) -> Plan:
        """Return what is planned."""
        return plan_for(self.kernel, self.numbers, self.task)


DIRECT, SEPARABLE, BANDS, SHEARED = Engine.DIRECT, Engine.SEPARABLE, Engine.BANDS, Engine.SHEARED
BOXES, FOURIER, TAPS = Engine.BOXES, Engine.FOURIER, Engine.TAPS

CASES = {
    "one weight": Case(np.ones((1, 1)), SMALL, DIRECT, (1, 1)),
    "3x3 whole numbers": Case(whole_kernel(3, 3), SMALL, DIRECT, (3, 3)),
    "3x3 fractions": Case(random_kernel(3, 3), FRACTIONS, DIRECT, (3, 3)),
    "3x3 in float64": Case(random_kernel(3, 3), DOUBLES, DIRECT, (3, 3)),
    "7x7 fractions": Case(random_kernel(7, 7), FRACTIONS, DIRECT, (7, 7)),
    "nothing but zeros": Case(np.zeros((9, 9)), SMALL, DIRECT, (1, 1)),
    "one weight in 25x25": Case(formulas.identity(25), SMALL, DIRECT, (1, 1)),
    "3x3 in a square of zeros": Case(np.pad(whole_kernel(3, 3), 11), SMALL, DIRECT, (3, 3)),
    "a column in 15x15": Case(formulas.line_vertical(15), SMALL, DIRECT, (15, 1)),
    "a diagonal of 25": Case(formulas.line_diagonal(25), SMALL, SHEARED, (25, 25), 1),
    "a diagonal of 25 the other way": Case(formulas.line_antidiagonal(25), SMALL, SHEARED, (25, 25), 1),
    "a diagonal of fractions": Case(np.diag(random_kernel(1, 25)[0]), FRACTIONS, SHEARED, (25, 25), 1),
    "the mean of 25x25": Case(formulas.box(25), FRACTIONS, BANDS, (25, 25), 1),
    "ones of 25x25 in whole numbers": Case(np.ones((25, 25)), SMALL, BOXES, (25, 25)),
    "the mean of 101x101": Case(formulas.box(101), FRACTIONS, BANDS, (101, 101), 1),
    "a Gaussian of 51": Case(formulas.gaussian(51, 8.5), FRACTIONS, BANDS, (51, 51), 1),
    "a Gaussian of 15 on 8 bits": Case(formulas.gaussian(15, 2.5), NARROW, SEPARABLE, (15, 15), 1),
    "a frame of 25": Case(formulas.frame(25), FRACTIONS, BANDS, (25, 25), 2),
    "25x25 fractions": Case(random_kernel(25, 25), FRACTIONS, FOURIER, (25, 25)),
    "25x25 in float64": Case(random_kernel(25, 25), DOUBLES, FOURIER, (25, 25)),
    "101x101 fractions": Case(random_kernel(101, 101), FRACTIONS, FOURIER, (101, 101)),
    "every second of 9x9": Case(random_kernel(9, 9), FRACTIONS, DIRECT, (9, 9), 0, (2, 2), phases="stride"),
    "every second of 15x15": Case(random_kernel(15, 15), FRACTIONS, DIRECT, (15, 15), 0, (2, 2), phases="stride"),
    "every 4th column of 15x15": Case(random_kernel(15, 15), FRACTIONS, DIRECT, (15, 15), 0, (1, 4), phases="stride"),
    "every fourth of a diagonal": Case(formulas.line_diagonal(25), SMALL, DIRECT, (25, 25), 0, (4, 4), phases="stride"),
    "a diagonal of 9": Case(formulas.line_diagonal(9), FRACTIONS, DIRECT, (9, 9)),
    "every second of 3x3": Case(random_kernel(3, 3), FRACTIONS, DIRECT, (3, 3), 0, (2, 2)),
    "every second of a Gaussian": Case(formulas.gaussian(51, 8.5), FRACTIONS, BANDS, (51, 51), 1, (2, 2)),
    "every second of 25x25": Case(random_kernel(25, 25), FRACTIONS, FOURIER, (25, 25), 0, (2, 2)),
    "3x3, 2 apart": Case(random_kernel(3, 3), FRACTIONS, DIRECT, (5, 5), 0, (1, 1), (2, 2)),
    "5x5, 8 apart": Case(random_kernel(5, 5), FRACTIONS, FOURIER, (33, 33), 0, (1, 1), (8, 8)),
    "9x9, 2 apart": Case(random_kernel(9, 9), FRACTIONS, DIRECT, (9, 9), 0, (1, 1), (2, 2), phases="dilation"),
    "25x25, 3 apart": Case(random_kernel(25, 25), FRACTIONS, FOURIER, (73, 73), 0, (1, 1), (3, 3)),
    "one weight, 9 apart": Case(np.ones((1, 1)), SMALL, DIRECT, (1, 1), 0, (1, 1), (9, 9)),
    "beyond 2**44, 5x5": Case(whole_kernel(5, 5), Numbers("float64", True, 2.0**44), DIRECT, (5, 5)),
    "beyond 2**44, 25x25": Case(whole_kernel(25, 25), Numbers("float64", True, 2.0**44), TAPS, (25, 25)),
    "beyond 2**44, equal": Case(np.ones((25, 25)), Numbers("float64", True, 2.0**50), TAPS, (25, 25)),
}
"""Kernels, and the engine, the part that is laid, the pairs of a column and a row, and the phases."""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_kind_of_kernel_has_its_engine(case: Case) -> None:
    plan = case.plan()
    assert (plan.engine, plan.weights.shape) == (case.engine, case.shape)
    assert (len(plan.factors), plan.phases) == (case.pairs, case.phases)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_planned_is_the_cheapest_that_there_is(case: Case) -> None:
    prices = [plan.price for plan in all_plans(LaidKernel(case.kernel, case.numbers, case.task))]
    assert case.plan().price == min(prices)
    assert min(prices) > 0


@pytest.mark.parametrize(
    ("kernel", "top", "left", "weights"),
    [
        ([[0, 0, 0], [0, 2, 0], [0, 0, 0]], 1, 1, [[2]]),
        ([[0, 0, 0], [0, 0, 3], [0, 1, 0]], 1, 1, [[0, 3], [1, 0]]),
        ([[5, 0, 0], [0, 0, 0], [0, 0, 0]], 0, 0, [[5]]),
        ([[0, 1], [0, 1]], 0, 1, [[1], [1]]),
    ],
    ids=["in the middle", "at the bottom right", "at the top left", "a column"],
)
def test_the_core_is_laid_where_its_weights_were(
    kernel: list[list[float]], top: int, left: int, weights: list[list[float]]
) -> None:
    plan = plan_for(np.array(kernel, np.float64), SMALL, Task(PHOTO))
    assert (plan.corner, plan.weights.tolist()) == ((top, left), weights)


@pytest.mark.parametrize("turned", [False, True], ids=["falling", "rising"])
def test_a_diagonal_is_laid_in_its_direction_with_its_weights_from_the_top(turned: bool) -> None:
    weights = np.arange(1.0, 26)
    kernel = np.diag(weights)[:, :: -1 if turned else 1]
    plan = plan_for(kernel, SMALL, Task(PHOTO))
    assert (plan.engine, plan.direction) == (SHEARED, -1 if turned else 1)
    assert plan.factors[0][0].tolist() == weights.tolist()


def test_a_diagonal_is_not_laid_on_an_image_that_is_hardly_wider_than_it() -> None:
    engines = {plan.engine for plan in all_plans(LaidKernel(np.eye(25), SMALL, Task((2000, 50))))}
    assert SHEARED not in engines


BOUNDS: dict[str, tuple[Dtype, float, Dtype | None]] = {
    "small": ("float32", 2295.0, "float32"),
    "just below 2**18": ("float32", EXACT_FOURIER["float32"] - 1, "float32"),
    "at 2**18": ("float32", EXACT_FOURIER["float32"], "float64"),
    "just below 2**24": ("float32", EXACT_FLOAT32 - 1, "float64"),
    "in float64": ("float64", 2295.0, "float64"),
    "at 2**24": ("float64", EXACT_FLOAT32, "float64"),
    "just below 2**44": ("float64", EXACT_FOURIER["float64"] - 1, "float64"),
    "at 2**44": ("float64", EXACT_FOURIER["float64"], None),
}
"""The arithmetic of whole numbers, their largest sum, and the arithmetic of their Fourier transform, if any."""


@pytest.mark.parametrize(("dtype", "bound", "transformed"), BOUNDS.values(), ids=BOUNDS)
def test_a_fourier_transform_of_whole_numbers_is_taken_where_it_can_be_rounded_back(
    dtype: Dtype, bound: float, transformed: Dtype | None
) -> None:
    plans = all_plans(LaidKernel(whole_kernel(25, 25), Numbers(dtype, True, bound), Task(PHOTO)))
    found = [(plan.dtype, plan.rounds) for plan in plans if plan.engine is FOURIER]
    assert found == ([(transformed, True)] if transformed else [])


@pytest.mark.parametrize("numbers", [FRACTIONS, NARROW, DOUBLES], ids=["float32", "8 bits", "float64"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fractions_are_never_rounded_and_keep_their_arithmetic(case: Case, numbers: Numbers) -> None:
    for plan in all_plans(LaidKernel(case.kernel, numbers, case.task)):
        assert not plan.rounds
        assert plan.dtype == numbers.dtype


@st.composite
def kernels(draw: st.DrawFn) -> Doubles:
    """Draw whole numbers with more or less structure."""
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32)))
    rank = draw(st.integers(1, 5))
    return np.asarray(numbers.integers(-3, 4, (rows, rank)) @ numbers.integers(-3, 4, (rank, columns)), np.float64)


@given(
    kernel=kernels(),
    power=st.integers(0, 60),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_any_plan_for_whole_numbers_gives_them_exactly(
    kernel: Doubles, power: int, stride: Pair, dilation: Pair
) -> None:
    bound = 2.0**power
    numbers = Numbers("float32" if bound < EXACT_FLOAT32 else "float64", True, bound)
    for plan in all_plans(LaidKernel(kernel, numbers, Task(PHOTO, 2, stride, dilation))):
        if plan.rounds:
            assert bound < EXACT_FOURIER[plan.dtype]
        elif plan.engine is not SHEARED:
            assert all((np.rint(vector) == vector).all() for pair in plan.factors for vector in pair)
        if plan.factors and plan.engine is not SHEARED:
            together = sum(np.outer(column, row) for column, row in plan.factors)
            assert np.allclose(together, plan.weights, rtol=0, atol=1e-6 * np.abs(kernel).sum())
        assert plan.dtype in {numbers.dtype, "float64"}


WORDS = {
    "3x3 whole numbers": "direct in float32: 3x3 weights, whole numbers to 2295",
    "3x3 in float64": "direct in float64: 3x3 weights, fractions",
    "a column in 15x15": "direct in float32: 15x1 weights, whole numbers to 2295",
    "a Gaussian of 51": "bands in float32: 51x51 weights of rank 1, fractions",
    "a frame of 25": "bands in float32: 25x25 weights of rank 2, fractions",
    "a diagonal of 25": "sheared in float32: a diagonal of 25, whole numbers to 2295",
    "the mean of 25x25": "bands in float32: 25x25 weights of rank 1, fractions",
    "25x25 fractions": "Fourier in float32: 25x25 weights, fractions",
    "every second of 15x15": "direct by phases in float32: 15x15 weights, fractions, every 2x2th result",
    "9x9, 2 apart": "direct by phases in float32: 9x9 weights 2x2 apart, fractions",
    "beyond 2**44, equal": f"taps in float64: 625 weights, whole numbers to {2**50}",
}
"""Some of the cases, and what their plans say."""


@pytest.mark.parametrize("name", WORDS)
def test_a_plan_says_in_words_what_it_does_and_why(name: str) -> None:
    assert str(CASES[name].plan()) == WORDS[name]


def test_the_plan_of_a_bank_tells_the_size_of_its_matrix() -> None:
    plan = plan_bank((3, 3, 64, 128), FRACTIONS, Task((56, 56)))
    assert (plan.engine, plan.dtype, plan.rounds) == (Engine.PATCHES, "float32", False)
    assert str(plan) == "patches in float32: 576 x 128 weights, fractions"


def test_the_plan_of_a_bank_is_in_the_arithmetic_of_its_numbers() -> None:
    plan = plan_bank((1, 1, 8, 2), Numbers("float64", True, 2.0**30), Task((7, 9)))
    assert str(plan) == f"patches in float64: 8 x 2 weights, whole numbers to {2**30}"


@pytest.mark.parametrize("value", [CASES["one weight"].plan(), SMALL, Task(PHOTO)], ids=["plan", "numbers", "task"])
def test_plans_and_what_they_follow_from_cannot_be_changed(value: Plan | Numbers | Task) -> None:
    with pytest.raises(AttributeError, match="can't set attribute"):
        setattr(value, value._fields[0], None)


def numbers_of(image: Array, kernel: Array, border: str = "zero", bias: float = 0.0) -> Numbers:
    """Return what is known of a plane and a 2-D kernel."""
    bank = kernel.astype(np.float64)[:, :, None, None]
    return settle_numbers(find_facts(image[:, :, None], matrix=True), bank, as_border(border), bias)


ONES = np.ones((3, 3))
SIGNED = np.array([[-1.0, 2.0], [3.0, -4.0]])

SETTLED: dict[str, tuple[Array, Array, Dtype, float]] = {
    "8 bits count as white": (np.zeros((2, 2), np.uint8), ONES, "float32", 9 * 255),
    "16 bits count as white": (np.zeros((2, 2), np.uint16), ONES, "float32", 9 * 65535),
    "16 bits beyond 2**24": (np.zeros((2, 2), np.uint16), ONES * 99, "float64", 9 * 65535 * 99),
    "magnitudes of weights add up": (np.ones((2, 2), np.uint8), SIGNED, "float32", 10 * 255),
    "bool": (np.ones((2, 2), bool), ONES, "float64", 9),
    "int64 by its pixels": (np.array([[3, -7]]), ONES, "float64", 9 * 7),
    "the least int8": (np.array([[-128]], np.int8), ONES, "float64", 9 * 128),
    "the least int16": (np.array([[-(2**15)]], np.int16), ONES, "float64", 9 * 2**15),
    "the least int32": (np.array([[-(2**31)]], np.int32), ONES, "float64", 9 * 2**31),
    "the least int64": (np.array([[-(2**63)]], np.int64), ONES, "float64", 9 * 2**63),
    "whole floats": (np.array([[3.0, -7.0]]), ONES, "float64", 9 * 7),
    "whole float32": (np.array([[3.0, -7.0]], np.float32), ONES, "float32", 9 * 7),
    "whole float32 just below 2**24": (np.array([[2.0**24 - 1]], np.float32), ONES[:1, :1], "float32", 2**24 - 1),
    "whole float32 at 2**24": (np.array([[2.0**24]], np.float32), ONES[:1, :1], "float64", 2**24),
    "big-endian float32": (np.array([[3.0]], ">f4"), ONES, "float32", 9 * 3),
    "whole float16": (np.array([[3.0, -7.0]], np.float16), ONES, "float64", 9 * 7),
    "fractions in the image": (np.array([[3.5, -7.0]]), ONES, "float64", INFINITE),
    "fractions in float32": (np.array([[3.5, -7.0]], np.float32), ONES, "float32", INFINITE),
    "a fraction at the end of many": (np.append(np.zeros(9999), 0.5)[None], ONES, "float64", INFINITE),
    "fractions in the kernel": (np.array([[3.0, -7.0]]), ONES / 9, "float64", INFINITE),
    "fractions on 8 bits": (np.zeros((2, 2), np.uint8), ONES / 9, "float32", INFINITE),
    "fractions on 16 bits": (np.zeros((2, 2), np.uint16), ONES / 9, "float32", INFINITE),
    "fractions on int16": (np.zeros((2, 2), np.int16), ONES / 9, "float64", INFINITE),
    "nan": (np.array([[3.0, np.nan]]), ONES, "float64", INFINITE),
    "inf": (np.array([[3.0, -np.inf]], np.float32), ONES, "float32", INFINITE),
    "no weight but 0": (np.array([[3.0]], np.float32), ONES * 0, "float32", 0),
}
"""Image, kernel; the arithmetic, and the largest result there can be, infinite for fractions."""


@pytest.mark.parametrize(("image", "kernel", "dtype", "bound"), SETTLED.values(), ids=SETTLED)
def test_image_and_kernel_settle_the_arithmetic_and_the_largest_result(
    image: Array, kernel: Array, dtype: Dtype, bound: float
) -> None:
    numbers = numbers_of(image, kernel)
    assert numbers == Numbers(dtype, bound < INFINITE, bound, image.dtype == np.uint8)


@pytest.mark.parametrize(
    ("border", "whole", "bound"),
    [
        ("edge", True, 9 * 255),
        ("constant:255", True, 9 * 255),
        ("constant:-1000", True, 9 * 1000),
        ("constant:0.5", False, INFINITE),
    ],
)
def test_a_constant_border_counts_as_pixels_do(border: str, whole: bool, bound: float) -> None:
    numbers = numbers_of(np.zeros((2, 2), np.uint8), ONES, border)
    assert (numbers.whole, numbers.bound) == (whole, bound)


@pytest.mark.parametrize("bias", [0.5, 3.0, -(2.0**30)])
def test_a_bias_raises_the_bound_and_leaves_whole_numbers_whole(bias: float) -> None:
    numbers = numbers_of(np.zeros((2, 2), np.uint8), ONES, bias=bias)
    assert (numbers.whole, numbers.bound) == (True, 9 * 255 + abs(bias))


def test_the_bound_is_that_of_the_heaviest_map() -> None:
    bank = np.zeros((2, 2, 3, 5))
    bank[..., 1] = 1
    bank[..., 4] = -2
    numbers = settle_numbers(find_facts(np.zeros((4, 4, 6), np.uint8)), bank, as_border("zero"), -7.0)
    assert numbers.bound == 2 * 12 * 255 + 7


def test_settling_the_numbers_leaves_image_and_kernel_as_they_are() -> None:
    image = np.array([[-(2**15), 5]], np.int16)
    kernel = SIGNED.copy()
    numbers_of(image, kernel)
    assert image.tolist() == [[-(2**15), 5]]
    assert kernel.tolist() == SIGNED.tolist()


@pytest.mark.parametrize(
    ("numbers", "words"), [(SMALL, "whole numbers to 2295"), (FRACTIONS, "fractions")], ids=["whole", "fractions"]
)
def test_a_plan_says_what_its_numbers_are(numbers: Numbers, words: str) -> None:
    assert Plan(DIRECT, "float32", numbers).explain()[1] == f"1x1 weights, {words}"


DIVISORS = {
    "whole numbers": ([1.0, -5.0, 0.0], 1),
    "halves": ([0.5, -1.5, 2.0], 2),
    "ninths": ([1 / 9] * 9, 9),
    "fractions of two kinds": ([1 / 4, 1 / 6], 12),
    "a Gaussian of 256ths": ([1 / 256, 36 / 256], 256),
    "up to 2**20": ([1 / 2**20], 2**20),
    "more than 2**20": ([1 / (2**20 + 1)], 1),
    "together more than 2**20": ([1 / 1021, 1 / 1031], 1),
    "no fraction with a small divisor": ([0.1234567891234], 1),
    "one that is none among others": ([0.5, np.pi], 1),
    "nothing but zeros": ([0.0, 0.0], 1),
    "tiny": ([1e-30, 1.0], 1),
}
"""Weights, and the smallest number that makes all of them whole, as long as it is no larger than 2**20."""


@pytest.mark.parametrize(("weights", "divisor"), DIVISORS.values(), ids=DIVISORS)
def test_the_common_divisor_makes_all_weights_whole(weights: list[float], divisor: int) -> None:
    assert common_divisor(np.array(weights).reshape(1, -1, 1, 1)) == divisor


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_weights_beyond_float32_are_no_infinities_before_they_are_multiplied(kind: type) -> None:
    image: Array = np.array([[0, 0, 2]], kind)[:, :, None]
    bank = np.array([[1e308, -5e307]])[:, :, None, None]
    for weights in (bank, bank / 3e9):
        assert settle_numbers(find_facts(image), weights, as_border("zero")).dtype == "float64"
