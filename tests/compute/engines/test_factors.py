"""What a kernel is made of: found again in kernels that were put together from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnfilter.arrays import Doubles
from cnnfilter.compute.exact import MOST_PAIRS, Factors, Numbers, find_diagonal, find_factors
from cnnfilter.compute.plan import LaidKernel, Task
from cnnfilter.kernels import made as formulas

SPARSE = hnp.arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([0, 0, 0, 2]))


def multiply(factors: Factors) -> Doubles:
    """Return the sum of the products of columns and rows."""
    return np.asarray(sum(np.outer(column, row) for column, row in factors))


def random(rows: int, columns: int, seed: int = 0) -> Doubles:
    """Return fractions without any structure."""
    return np.random.default_rng(seed).normal(size=(rows, columns))


def trim(kernel: Doubles) -> tuple[int, int, Doubles]:
    """Return the first row and column, and the weights, of the part of a kernel that is laid."""
    laid = LaidKernel(kernel, Numbers("float32"), Task((100, 100)))
    return *laid.corner, laid.weights


class TestTrim:
    @given(kernel=SPARSE)
    def test_the_core_in_a_square_of_zeros_is_the_kernel(self, kernel: Doubles) -> None:
        top, left, weights = trim(kernel)
        again = np.zeros_like(kernel)
        again[top : top + weights.shape[0], left : left + weights.shape[1]] = weights
        assert np.array_equal(again, kernel)

    @given(kernel=SPARSE.filter(np.any))
    def test_no_edge_of_the_core_is_all_zeros(self, kernel: Doubles) -> None:
        _, _, weights = trim(kernel)
        assert all(edge.any() for edge in (weights[0], weights[-1], weights[:, 0], weights[:, -1]))

    def test_one_zero_is_left_of_nothing(self) -> None:
        top, left, weights = trim(np.zeros((4, 3)))
        assert (top, left, weights.tolist()) == (0, 0, [[0]])


class TestDiagonal:
    @pytest.mark.parametrize("direction", [1, -1], ids=["falling", "rising"])
    @pytest.mark.parametrize("side", [2, 3, 8, 25])
    def test_a_diagonal_is_found_with_its_weights_from_the_top(self, side: int, direction: int) -> None:
        weights = np.arange(1.0, side + 1)
        found = find_diagonal(np.diag(weights)[:, ::direction])
        assert found is not None
        assert (found[0].tolist(), found[1]) == (weights.tolist(), direction)

    def test_zeros_on_a_diagonal_belong_to_it(self) -> None:
        found = find_diagonal(np.diag([1.0, 0.0, 3.0]))
        assert found is not None
        assert found[0].tolist() == [1, 0, 3]

    @pytest.mark.parametrize(
        "kernel",
        [np.ones((2, 2)), np.eye(3, 4), np.eye(4, 3), np.eye(4, k=1), np.eye(5) + np.eye(5)[::-1]],
        ids=["full", "wide", "tall", "beside the middle", "both"],
    )
    def test_anything_else_is_no_diagonal(self, kernel: Doubles) -> None:
        assert find_diagonal(kernel) is None

    def test_changing_what_was_found_does_not_change_the_kernel(self) -> None:
        kernel = np.eye(3)
        found = find_diagonal(kernel)
        assert found is not None
        found[0][:] = 7
        assert np.array_equal(kernel, np.eye(3))


def whole_of_rank(rank: int, rows: int, columns: int, seed: int = 0) -> Doubles:
    """Return whole numbers that are the sum of so many products, whose factors share no row."""
    numbers = np.random.default_rng(seed)
    kernel = np.zeros((rows, columns))
    for number in range(rank):
        column = numbers.integers(1, 5, rows) * numbers.choice([-1, 1], rows)
        column[np.arange(rows) % rank != number] = 0
        kernel += np.outer(column, numbers.integers(-9, 10, columns))
    return kernel


ALIKE = {
    "equal weights": (np.ones((5, 7)), 1),
    "a column": (np.arange(1.0, 8)[:, None], 1),
    "a row": (np.arange(1.0, 8)[None], 1),
    "rows that are multiples": (np.outer([1.0, -2, 3], [4.0, 6, -8, 2]), 1),
    "Sobel": (np.outer([1.0, 2, 1], [-1.0, 0, 1]), 1),
    "a Gaussian by hand": (np.outer([1.0, 4, 6, 4, 1], [1.0, 4, 6, 4, 1]), 1),
    "rows of zeros between": (np.outer([1.0, 0, 3, 0], [5.0, 1, 2]), 1),
    "a frame": (formulas.frame(9), 2),
    "a plus": (np.array([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]), 2),
    "sharpen": (np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]), 2),
    "two rows by turns": (whole_of_rank(2, 12, 9), 2),
    "two columns by turns": (whole_of_rank(2, 12, 9).T, 2),
    "large weights": (np.outer([1.0, 2.0**15], [2.0**15, 3.0]), 1),
}
"""Kernels of whole numbers whose rows or columns are multiples of one or two, and how many."""


class TestWholeNumbers:
    @pytest.mark.parametrize(("kernel", "pairs"), ALIKE.values(), ids=ALIKE)
    def test_rows_or_columns_that_are_alike_give_whole_factors_to_the_last_bit(
        self, kernel: Doubles, pairs: int
    ) -> None:
        factors, exact = find_factors(kernel)
        assert len(factors) == pairs
        assert exact
        assert np.array_equal(multiply(factors), kernel)
        assert all((np.rint(vector) == vector).all() for pair in factors for vector in pair)

    @given(
        column=hnp.arrays(np.float64, st.integers(1, 20), elements=st.integers(-50, 50)).filter(np.any),
        row=hnp.arrays(np.float64, st.integers(1, 20), elements=st.integers(-50, 50)).filter(np.any),
    )
    def test_a_product_of_a_column_and_a_row_is_taken_apart_to_the_last_bit(
        self, column: Doubles, row: Doubles
    ) -> None:
        kernel = np.outer(column, row)
        factors, exact = find_factors(kernel)
        assert (len(factors), exact) == (1, True)
        assert np.array_equal(multiply(factors), kernel)
        assert all((np.rint(vector) == vector).all() for vector in factors[0])


MADE = {
    "box": (formulas.box(25), 1),
    "gaussian": (formulas.gaussian(25, 4), 1),
    "a wide gaussian": (formulas.gaussian(255, 40), 1),
    "a gaussian of even side": (formulas.gaussian(24, 3), 1),
    "dog": (formulas.dog(31, 3, 5), 2),
    "log": (formulas.log(25, 4), 3),
    "gabor": (formulas.gabor(31, 6, 30, 10), 4),
    "gabor, upright": (formulas.gabor(31, 6, 0, 10), 2),
    "frame": (formulas.frame(25), 2),
}
"""Made kernels, and the most pairs that they should take."""


class TestFractions:
    @pytest.mark.parametrize(("kernel", "pairs"), MADE.values(), ids=MADE)
    def test_made_kernels_are_few_columns_by_rows(self, kernel: Doubles, pairs: int) -> None:
        factors, _ = find_factors(kernel)
        assert 1 <= len(factors) <= pairs
        assert np.abs(multiply(factors) - kernel).sum() <= 2e-7 * np.abs(kernel).sum()

    @pytest.mark.parametrize("rank", range(1, MOST_PAIRS + 1))
    @pytest.mark.parametrize("shape", [(9, 9), (25, 13), (7, 40), (255, 31)], ids=str)
    def test_sums_of_up_to_four_products_are_found(self, rank: int, shape: tuple[int, int]) -> None:
        kernel = random(shape[0], rank) @ random(rank, shape[1], 1)
        factors, _ = find_factors(kernel)
        assert len(factors) == rank
        assert np.abs(multiply(factors) - kernel).sum() <= 2e-7 * np.abs(kernel).sum()
        assert all((len(column), len(row)) == shape for column, row in factors)

    @pytest.mark.parametrize(
        "kernel",
        [random(9, 9), random(9, 5) @ random(5, 9, 1), formulas.disk(25), random(25, 25), np.eye(7)],
        ids=["random", "five products", "disk", "large", "diagonal"],
    )
    def test_what_takes_more_than_four_products_has_no_factors(self, kernel: Doubles) -> None:
        assert find_factors(kernel) == ((), False)

    def test_factors_that_miss_a_bit_are_not_called_exact(self) -> None:
        kernel = random(9, 3) @ random(3, 9, 1)
        factors, exact = find_factors(kernel)
        assert exact == np.array_equal(multiply(factors), kernel)

    @pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e9, 1e30])
    def test_the_size_of_the_weights_makes_no_difference(self, scale: float) -> None:
        for kernel, _ in MADE.values():
            assert len(find_factors(kernel * scale)[0]) == len(find_factors(kernel)[0])

    def test_the_kernel_stays_as_it_is_and_may_be_read_only(self) -> None:
        for kernel, _ in (*ALIKE.values(), *MADE.values()):
            given_kernel = kernel.copy()
            given_kernel.flags.writeable = False
            find_factors(given_kernel)
            assert np.array_equal(given_kernel, kernel)
