"""What a kernel is made of: where it is not zero, columns by rows, a diagonal."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Doubles
from cnnfilter.compute.engines.bands import Factors

MOST_PAIRS = 4
"""Sums of more products of a column and a row cost more than a Fourier transform."""

MISSING = 1e-7
"""The share of the sum of magnitudes that may be missing: a hundredth of the error that is allowed."""


class Core(NamedTuple):
    """The part of a kernel that is not zero around its edges: its first row and column, and its weights."""

    top: int
    left: int
    weights: Doubles


def trim(kernel: Doubles) -> Core:
    """Return a (kh, kw) kernel without the rows and columns of zeros around it; one zero is left of nothing.

    Examples
    --------
    >>> trim(np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]))
    Core(top=0, left=1, weights=array([[1.],
           [2.]]))
    """
    rows, columns = np.flatnonzero(kernel.any(axis=1)), np.flatnonzero(kernel.any(axis=0))
    if not len(rows):
        return Core(0, 0, kernel[:1, :1])
    top, left = int(rows[0]), int(columns[0])
    return Core(top, left, kernel[top : rows[-1] + 1, left : columns[-1] + 1])


def find_diagonal(weights: Doubles) -> tuple[Doubles, int] | None:
    r"""Return the weights along `\` (1) or `/` (-1), from the top, if there are no others.

    Examples
    --------
    >>> find_diagonal(np.eye(2)[::-1])
    (array([1., 1.]), -1)
    """
    if weights.shape[0] != weights.shape[1]:
        return None
    for direction in (1, -1):
        along = np.diagonal(weights[:, ::direction])
        if np.count_nonzero(along) == np.count_nonzero(weights):
            return along.copy(), direction
    return None


def find_factors(weights: Doubles, missing: float = MISSING) -> tuple[Factors, bool]:
    """Return columns and rows whose products add up to the kernel, and whether they do so to the last bit.

    At most a share of `missing` of the sum of magnitudes is lost.

    Rows that are multiples of one another are one row; the factors of whole numbers are whole numbers then.
    Else the singular value decomposition tells; a kernel that takes more than 4 pairs has none.

    Examples
    --------
    >>> find_factors(np.array([[2.0, 4.0], [3.0, 6.0]]))
    (((array([2., 3.]), array([1., 2.])),), True)
    """
    for matrix in (weights, weights.T):
        groups = _group_rows(matrix, missing)
        if groups and _lost(groups, matrix) <= missing:
            pairs = groups if matrix is weights else tuple((row, column) for column, row in groups)
            return pairs, bool((_product(pairs) == weights).all())
    if min(weights.shape) <= MOST_PAIRS:
        return (), False
    left, values, right = np.linalg.svd(weights)
    for rank in range(1, MOST_PAIRS + 1):
        pairs = tuple((left[:, place] * values[place], right[place]) for place in range(rank))
        if _lost(pairs, weights) <= missing:
            return pairs, False
    return (), False


def _group_rows(weights: Doubles, missing: float) -> Factors:
    """Return a (column, row) pair for each set of rows that are multiples of one; none if there are many."""
    pairs: list[tuple[Doubles, Doubles]] = []
    left = weights.any(axis=1)
    tolerance = missing * np.abs(weights).max()
    while left.any():
        if len(pairs) == MOST_PAIRS // 2:
            return ()
        row = _primitive(weights[int(np.flatnonzero(left)[np.abs(weights[left]).max(axis=1).argmax()])])
        column = np.where(left, weights @ row / (row @ row), 0.0)
        near = np.rint(column)
        column = np.where(np.abs(near - column) < 1e-9, near, column)
        alike = left & (np.abs(weights - column[:, None] * row).max(axis=1) <= tolerance)
        pairs.append((np.where(alike, column, 0.0), row))
        left &= ~alike
    return tuple(pairs)


def _primitive(row: Doubles) -> Doubles:
    """Return a row of whole numbers divided by what they share, any other as it is."""
    if not (np.rint(row) == row).all() or np.abs(row).max() > 2**31:
        return row
    return row / gcd(*row.astype(np.int64).tolist())


def _lost(factors: Factors, weights: Doubles) -> float:
    """Return by what share of a kernel's sum of magnitudes its factors miss it."""
    return float(np.abs(_product(factors) - weights).sum() / np.abs(weights).sum())


def _product(factors: Factors) -> Doubles:
    return np.asarray(sum(np.outer(column, row) for column, row in factors))
