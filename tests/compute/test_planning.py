"""Facts about an image and a kernel, and the plan that follows from them."""

import dataclasses

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.compute.planning import Engine, Facts, Plan, common_divisor, find_facts, plan_convolution
from cnnfilter.spec.borders import Border, as_border

FILTER2D, TAPS, WEIGHTS = Engine.FILTER2D, Engine.TAPS, Engine.WEIGHTS

INFINITE = float("inf")


def fact(
    dtype: str,
    bound: float = INFINITE,
    *,
    pairs: int = 1,
    weights: int = 9,
    whole: bool | None = None,
    finite: bool = True,
) -> Facts:
    """Return facts, by default of whole numbers wherever there is a bound."""
    return Facts(pairs, weights, np.dtype(dtype), bound < INFINITE if whole is None else whole, bound, finite)


PLANS = {
    "8 bits, whole, small": (fact("uint8", 2040), FILTER2D, "float32", True),
    "8 bits, fractions": (fact("uint8"), FILTER2D, "float32", False),
    "16 bits, whole, small": (fact("uint16", 65535, pairs=3), FILTER2D, "float32", True),
    "16 bits, fractions": (fact("uint16", pairs=3), FILTER2D, "float32", False),
    "just below 2**24": (fact("uint8", 2**24 - 1), FILTER2D, "float32", True),
    "at 2**24": (fact("uint8", 2**24), FILTER2D, "float64", True),
    "float32 image beyond 2**24": (fact("float32", 2**30), FILTER2D, "float64", True),
    "just below 2**44": (fact("uint16", 2**44 - 1), FILTER2D, "float64", True),
    "at 2**44": (fact("uint16", 2**44), TAPS, "float64", False),
    "float64 image at 2**44": (fact("float64", 2**44), TAPS, "float64", False),
    "float32, whole": (fact("float32", 1000), FILTER2D, "float32", True),
    "float32, fractions": (fact("float32"), FILTER2D, "float32", False),
    "float64, whole": (fact("float64", 9), FILTER2D, "float64", True),
    "float64, fractions": (fact("float64"), FILTER2D, "float64", False),
    "int16": (fact("int16", 9), FILTER2D, "float64", True),
    "int64": (fact("int64", 9), FILTER2D, "float64", True),
    "bool": (fact("bool", 9), FILTER2D, "float64", True),
    "float16": (fact("float16"), FILTER2D, "float64", False),
    "big-endian float32": (fact(">f4"), FILTER2D, "float32", False),
    "sums of 128 fractions": (fact("uint8", weights=128), FILTER2D, "float32", False),
    "sums of 129 fractions": (fact("uint8", weights=129), FILTER2D, "float64", False),
    "sums of many whole numbers": (fact("uint8", 2**23, weights=2601), FILTER2D, "float32", True),
    "64 planes": (fact("uint8", pairs=64), FILTER2D, "float32", False),
    "65 planes": (fact("uint8", pairs=65), TAPS, "float32", False),
    "65 planes, whole": (fact("uint8", 2**20, pairs=65), TAPS, "float32", False),
    "65 planes, whole, beyond 2**24": (fact("uint8", 2**25, pairs=65), TAPS, "float64", False),
    "nan in float32": (fact("float32", finite=False), WEIGHTS, "float32", False),
    "nan in float64": (fact("float64", finite=False), WEIGHTS, "float64", False),
    "nan among 65 planes": (fact("float32", pairs=65, finite=False), WEIGHTS, "float32", False),
}
"""Facts, and the engine, the arithmetic and whether it rounds."""


@pytest.mark.parametrize(("facts", "engine", "dtype", "rounds"), PLANS.values(), ids=PLANS)
def test_the_facts_settle_engine_arithmetic_and_rounding(
    facts: Facts, engine: Engine, dtype: str, rounds: bool
) -> None:
    plan = plan_convolution(facts)
    assert (plan.engine, plan.dtype, plan.rounds) == (engine, dtype, rounds)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (PLANS["8 bits, whole, small"][0], "filter2D in float32: 1 plane of weights, whole numbers to 2040"),
        (PLANS["64 planes"][0], "filter2D in float32: 64 planes of weights, fractions"),
        (PLANS["at 2**44"][0], f"taps in float64: whole numbers to {2**44}, too large for a DFT"),
        (PLANS["nan in float32"][0], "weights in float32: pixels that are nan or infinite stay where they are"),
        (PLANS["65 planes"][0], "taps in float32: 65 planes of weights, fractions"),
    ],
    ids=["small", "fractions", "large", "nan", "many planes"],
)
def test_a_plan_says_in_words_what_it_does_and_why(facts: Facts, words: str) -> None:
    assert str(plan_convolution(facts)) == words


def test_a_plan_and_its_facts_cannot_be_changed() -> None:
    plan = Plan(TAPS, "float64", False, "by hand")
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.rounds = True  # type: ignore[misc]
    assert plan == Plan(TAPS, "float64", False, "by hand")


def facts_of(image: Array, kernel: Array, border: str = "zero", bias: float = 0.0) -> Facts:
    """Return the facts about a plane and a 2-D kernel."""
    bank = kernel.astype(np.float64)[:, :, None, None]
    return find_facts(image[:, :, None], bank, as_border(border), bias)


ONES = np.ones((3, 3))
SIGNED = np.array([[-1.0, 2.0], [3.0, -4.0]])

FOUND = {
    "8 bits count as white": (np.zeros((2, 2), np.uint8), ONES, True, 9 * 255, True),
    "16 bits count as white": (np.zeros((2, 2), np.uint16), ONES, True, 9 * 65535, True),
    "magnitudes of weights add up": (np.ones((2, 2), np.uint8), SIGNED, True, 10 * 255, True),
    "bool": (np.ones((2, 2), bool), ONES, True, 9, True),
    "int64 by its pixels": (np.array([[3, -7]]), ONES, True, 9 * 7, True),
    "the least int8": (np.array([[-128]], np.int8), ONES, True, 9 * 128, True),
    "the least int16": (np.array([[-(2**15)]], np.int16), ONES, True, 9 * 2**15, True),
    "the least int32": (np.array([[-(2**31)]], np.int32), ONES, True, 9 * 2**31, True),
    "the least int64": (np.array([[-(2**63)]], np.int64), ONES, True, 9 * 2**63, True),
    "whole floats": (np.array([[3.0, -7.0]]), ONES, True, 9 * 7, True),
    "whole float32": (np.array([[3.0, -7.0]], np.float32), ONES, True, 9 * 7, True),
    "fractions in the image": (np.array([[3.5, -7.0]]), ONES, False, INFINITE, True),
    "fractions in the kernel": (np.array([[3.0, -7.0]]), ONES / 9, False, INFINITE, True),
    "fractions on 8 bits": (np.zeros((2, 2), np.uint8), ONES / 9, False, INFINITE, True),
    "nan": (np.array([[3.0, np.nan]]), ONES, False, INFINITE, False),
    "inf": (np.array([[3.0, -np.inf]], np.float32), ONES, False, INFINITE, False),
}
"""Image, kernel; whether all is whole, the largest result there can be, whether all is finite."""


@pytest.mark.parametrize(("image", "kernel", "whole", "bound", "finite"), FOUND.values(), ids=FOUND)
def test_the_facts_are_found_in_image_and_kernel(
    image: Array, kernel: Array, whole: bool, bound: float, finite: bool
) -> None:
    facts = facts_of(image, kernel)
    assert facts == Facts(1, kernel.size, image.dtype, whole, bound, finite)


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
    facts = facts_of(np.zeros((2, 2), np.uint8), ONES, border)
    assert (facts.whole, facts.bound) == (whole, bound)


@pytest.mark.parametrize("bias", [0.5, 3.0, -(2.0**30)])
def test_a_bias_raises_the_bound_and_leaves_whole_numbers_whole(bias: float) -> None:
    facts = facts_of(np.zeros((2, 2), np.uint8), ONES, bias=bias)
    assert (facts.whole, facts.bound) == (True, 9 * 255 + abs(bias))


def test_the_bound_is_that_of_the_heaviest_map_and_every_plane_of_weights_counts() -> None:
    bank = np.zeros((2, 2, 3, 5))
    bank[..., 1] = 1
    bank[..., 4] = -2
    facts = find_facts(np.zeros((4, 4, 6), np.uint8), bank, Border(), -7.0)
    assert (facts.pairs, facts.weights, facts.bound) == (15, 12, 2 * 12 * 255 + 7)


def test_finding_the_facts_leaves_image_and_kernel_as_they_are() -> None:
    image = np.array([[-(2**15), 5]], np.int16)
    kernel = SIGNED.copy()
    facts_of(image, kernel)
    assert image.tolist() == [[-(2**15), 5]]
    assert kernel.tolist() == SIGNED.tolist()


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
