"""Kernels made to size: sums, symmetries, sizes and finite numbers, for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Doubles
from cnnfilter.errors import KernelError
from cnnfilter.kernels.recipes import LARGEST_SIDE, RECIPES, make, read_arguments, usage
from cnnfilter.kernels.spec import kernel_shape, load_kernel

SUM_ONE = ("box", "gaussian", "disk", "motion", "identity")
SIGNED_SUM_ONE = ("usm",)
SUM_ZERO = ("log", "dog", "gabor")
ONES = {
    "line-vertical": lambda n: n,
    "line-horizontal": lambda n: n,
    "line-diagonal": lambda n: n,
    "line-antidiagonal": lambda n: n,
    "frame": lambda n: n * n - max(0, n - 2) ** 2,
}
"""The kernels of ones, and how many ones."""

TAIL = {
    "gaussian": (":1.5", ":40"),
    "motion": (":0", ":30", ":45", ":90", ":-20", ":1000"),
    "log": ("", ":1.4"),
    "dog": (":1:2", ":3:0.5"),
    "gabor": (":2:0:5", ":3:30:7.5", ":1:90:2"),
}
"""Further arguments behind N."""

SIDES = (1, 2, 3, 4, 7, 8, 15)
BY_SIDE = [name for name in RECIPES if RECIPES[name].side == "n"]
WORDS = [f"{name}:{side}{tail}" for name in BY_SIDE for side in SIDES for tail in TAIL.get(name, ("",))]
WORDS += [f"usm:{numbers}:size={side}" for side in SIDES if side % 2 for numbers in ("1", "2.5:0.3")]


def weights(word: str) -> Doubles:
    return load_kernel(word).weights


def words_of(*kernels: str) -> list[str]:
    return [word for word in WORDS if word.partition(":")[0] in kernels]


def test_every_recipe_has_a_sum_by_design() -> None:
    assert {*SUM_ONE, *SIGNED_SUM_ONE, *SUM_ZERO, *ONES} == set(RECIPES)


@pytest.mark.parametrize("word", WORDS)
def test_the_shape_known_without_numpy_is_that_of_the_array(word: str) -> None:
    kernel = load_kernel(word)
    assert kernel.weights.shape == kernel_shape(word)
    assert kernel.weights.dtype == np.float64
    assert kernel.weights.flags.c_contiguous
    assert np.isfinite(kernel.weights).all()
    assert kernel.offset == 0
    assert kernel.description == RECIPES[word.partition(":")[0]].description
    assert kernel.source


@pytest.mark.parametrize("word", words_of(*SUM_ONE))
def test_what_smooths_sums_to_one_and_has_no_negative_weight(word: str) -> None:
    assert weights(word).sum() == pytest.approx(1, abs=1e-12)
    assert (weights(word) >= 0).all()


@pytest.mark.parametrize("word", words_of(*SIGNED_SUM_ONE))
def test_what_sharpens_sums_to_one(word: str) -> None:
    assert weights(word).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("word", words_of(*SUM_ZERO))
def test_what_finds_edges_blobs_and_stripes_sums_to_zero(word: str) -> None:
    kernel = weights(word)
    assert abs(kernel.sum()) <= 1e-12 * max(1, np.abs(kernel).sum())


@pytest.mark.parametrize("word", words_of(*ONES))
def test_lines_and_frames_are_ones_on_zeros(word: str) -> None:
    kernel = weights(word)
    name, _, side = word.partition(":")
    assert set(np.unique(kernel)) <= {0.0, 1.0}
    assert kernel.sum() == ONES[name](int(side))


@pytest.mark.parametrize("word", words_of("box", "gaussian", "disk", "frame", "log", "dog", "usm"))
def test_what_has_no_direction_is_the_same_turned_and_mirrored(word: str) -> None:
    kernel = weights(word)
    for other in (kernel.T, kernel[::-1], kernel[:, ::-1], np.rot90(kernel)):
        np.testing.assert_allclose(kernel, other, atol=1e-15)


@pytest.mark.parametrize("word", words_of("gabor", "motion", "line-diagonal", "line-antidiagonal"))
def test_what_has_a_direction_is_the_same_turned_half_way(word: str) -> None:
    np.testing.assert_allclose(weights(word), np.rot90(weights(word), 2), atol=1e-9)


@pytest.mark.parametrize("word", [f"{name}:1{TAIL.get(name, ('',))[0]}" for name in BY_SIDE] + ["usm:2:size=1"])
def test_a_side_of_one_is_one_number(word: str) -> None:
    name = word.partition(":")[0]
    np.testing.assert_allclose(weights(word), [[0.0 if name in SUM_ZERO else 1.0]], atol=1e-15)


@given(
    name=st.sampled_from(sorted(BY_SIDE)),
    side=st.integers(1, 31),
    numbers=st.lists(st.floats(0.05, 50), min_size=3, max_size=3),
)
def test_any_size_and_any_arguments_keep_shape_sum_and_finiteness(name: str, side: int, numbers: list[float]) -> None:
    count = len(RECIPES[name].arguments) - 1
    word = ":".join([name, str(side), *(f"{number:.4f}" for number in numbers[:count])])
    kernel = weights(word)
    assert kernel.shape == kernel_shape(word) == (side, side)
    assert np.isfinite(kernel).all()
    expected = 1 if name in SUM_ONE else 0 if name in SUM_ZERO else ONES[name](side)
    assert abs(kernel.sum() - expected) <= 1e-11 * max(1, np.abs(kernel).sum())


@pytest.mark.parametrize("word", ["gaussian:3:1e-170", "log:3:1e-90", "dog:3:1e-170:1", "gabor:3:1e-170:0:4"])
def test_a_sigma_too_small_for_its_square_is_refused_or_makes_finite_weights(word: str) -> None:
    try:
        kernel = weights(word)
    except KernelError:
        kernel = np.zeros((3, 3))
    assert np.isfinite(kernel).all()


@pytest.mark.parametrize("name", RECIPES)
def test_the_largest_side_is_told_without_making_it(name: str) -> None:
    tail = [f"{key}=2" for key in RECIPES[name].arguments if key != "n"]
    largest = ":".join([name, f"{RECIPES[name].side}={LARGEST_SIDE}", *tail])
    assert kernel_shape(largest) == (LARGEST_SIDE, LARGEST_SIDE)
    with pytest.raises(KernelError, match=f"from 1 to {LARGEST_SIDE}"):
        kernel_shape(largest.replace(str(LARGEST_SIDE), str(LARGEST_SIDE + 1)))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("box", "box:N"),
        ("gaussian", "gaussian:N:SIGMA"),
        ("motion", "motion:N:ANGLE"),
        ("log", "log:N:SIGMA"),
        ("dog", "dog:N:S1:S2"),
        ("gabor", "gabor:N:SIGMA:ANGLE:WAVELENGTH"),
        ("usm", "usm:SIGMA:AMOUNT"),
        ("identity", "identity:N"),
    ],
)
def test_a_call_names_the_arguments_in_their_order(name: str, call: str) -> None:
    assert usage(name) == call


@pytest.mark.parametrize("name", BY_SIDE)
def test_the_matrix_that_is_made_is_the_one_that_the_word_stands_for(name: str) -> None:
    word = f"{name}:7{TAIL.get(name, ('',))[0]}"
    arguments = read_arguments(name, word.split(":")[1:])
    np.testing.assert_array_equal(make(name, arguments), weights(word))


def test_two_words_never_share_an_array() -> None:
    weights("box:3")[:] = 7
    np.testing.assert_allclose(weights("box:3"), 1 / 9)
