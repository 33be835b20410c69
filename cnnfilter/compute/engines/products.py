"""A few long rows times a matrix: sums in float64, pairwise, the same on any number of cores.

BLAS adds up what is left over of a vector's products one by one, which is too coarse for long ones in float32, and
parts them by the cores that there are.
"""

from __future__ import annotations

import numpy as np

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.tiles import Memory, Tile, cut, make_tiles

_AT_ONCE = 1 << 17
"""Products held at a time: 1 MB, in the cache of a core."""


def multiply_rows(rows: Floats, matrix: Floats) -> Doubles:
    """Return (n, depth) rows times a (depth, out) matrix: (n, out)."""
    kernels = np.ascontiguousarray(matrix.T)
    vectors = rows.astype(np.float64)
    results = np.empty((len(rows), len(kernels)))

    memory = Memory(np.dtype(np.float64))

    def make(tile: Tile) -> None:
        products = memory("products", tile.size[0], kernels.shape[1])
        for number, vector in enumerate(vectors):
            np.multiply(kernels[tile.rows], vector, out=products)
            products.sum(axis=1, out=results[number, tile.rows])

    make_tiles(cut(len(kernels), 1, max(1, _AT_ONCE // max(1, kernels.shape[1])), 1), make)
    return results
