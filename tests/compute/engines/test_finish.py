"""Rounding, division and bias: in this order, and in place."""

import numpy as np
import pytest

from cnnfilter.arrays import Floats
from cnnfilter.compute.engines import UNFINISHED, Finish

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def sums_of(*values: float, dtype: str = "float64") -> Floats:
    """Return sums of one channel."""
    return np.array(values, dtype).reshape(1, -1, 1)


FINISHES: dict[str, tuple[Finish, float, float]] = {
    "nothing": (Finish(np.zeros(1)), 2.6, 2.6),
    "rounds": (Finish(np.zeros(1), rounds=True), 2.6, 3),
    "rounds a half to even": (Finish(np.zeros(1), rounds=True), 2.5, 2),
    "divides": (Finish(np.zeros(1), 4), 10.0, 2.5),
    "adds": (Finish(np.array([0.25])), 2.5, 2.75),
    "rounds before it divides": (Finish(np.zeros(1), 4, rounds=True), 9.9, 2.5),
    "divides before it adds": (Finish(np.array([1.0]), 4), 10.0, 3.5),
    "rounds, divides and adds": (Finish(np.array([-0.5]), 2, rounds=True), 6.9, 3.0),
    "does not round what was added": (Finish(np.array([0.3]), rounds=True), 0.9, 1.3),
}
"""What is done, to which sum, and the result."""


@DTYPES
@pytest.mark.parametrize(("finish", "sum_", "result"), FINISHES.values(), ids=FINISHES)
def test_a_sum_becomes_a_result(finish: Finish, sum_: float, result: float, dtype: str) -> None:
    finished = finish(sums_of(sum_, dtype=dtype))
    assert finished.dtype == dtype
    assert finished.item() == np.dtype(dtype).type(result)


@DTYPES
def test_sums_are_finished_where_they_are(dtype: str) -> None:
    sums = sums_of(1.2, 3.4, dtype=dtype)
    assert Finish(np.ones(1), 2, rounds=True)(sums) is sums
    assert sums.ravel().tolist() == [1.5, 2.5]


@DTYPES
def test_a_part_of_the_sums_is_finished_and_nothing_else(dtype: str) -> None:
    sums = sums_of(1.0, 1.0, 1.0, dtype=dtype)
    Finish(np.ones(1))(sums[:, ::2])
    assert sums.ravel().tolist() == [2, 1, 2]


@DTYPES
def test_what_is_rounded_to_zero_has_no_sign(dtype: str) -> None:
    finished = Finish(np.zeros(1), 3, rounds=True)(sums_of(-0.3, -0.0, 0.3, dtype=dtype))
    assert finished.ravel().tolist() == [0, 0, 0]
    assert not np.signbit(finished).any()


@DTYPES
def test_a_quotient_is_rounded_once(dtype: str) -> None:
    numerators = np.arange(-500.0, 500)
    finished = Finish(np.zeros(1), 9)(sums_of(*numerators, dtype=dtype))
    assert finished.ravel().tolist() == (numerators / 9).astype(dtype).tolist()


def test_each_output_has_its_bias() -> None:
    finished = Finish(np.array([0.0, 10.0, -3.0]))(np.ones((2, 2, 3)))
    assert finished.tolist() == [[[1, 11, -2]] * 2] * 2


def test_what_is_unfinished_stays_as_it_is() -> None:
    sums = np.array([[[-0.0, 2.6, np.nan]]])
    assert np.array_equal(UNFINISHED(sums.copy()), sums, equal_nan=True)
