"""Strides and dilations as several convolutions without: every s-th row and column is an image of its own."""

from __future__ import annotations

import numpy as np

from cnnfilter.arrays import Doubles, Floats
from cnnfilter.compute.engines.direct import filter_directly
from cnnfilter.compute.engines.finish import UNFINISHED
from cnnfilter.compute.padded import Padded
from cnnfilter.spec.geometry import Pair


def filter_strided(padded: Padded, kernel: Doubles, stride: Pair) -> Floats:
    """Return every s-th result, as the sum over s x s phases of the image by those of the kernel: (H', W', C)."""
    rows = (padded.shape[0] - kernel.shape[0]) // stride[0] + 1
    columns = (padded.shape[1] - kernel.shape[1]) // stride[1] + 1
    total: Floats | None = None
    for row in range(min(stride[0], kernel.shape[0])):
        for column in range(min(stride[1], kernel.shape[1])):
            weights = kernel[row :: stride[0], column :: stride[1]]
            if not weights.any():
                continue
            part = filter_directly(padded.every((row, column), stride), weights, (1, 1), UNFINISHED)[:rows, :columns]
            total = np.array(part) if total is None else np.add(total, part, out=total)
    return np.zeros((rows, columns, padded.shape[2]), padded.dtype) if total is None else total


def filter_dilated(padded: Padded, kernel: Doubles, dilation: Pair) -> Floats:
    """Return what a kernel with gaps gives: each of d x d phases of the image filtered without: (H', W', C)."""
    rows = padded.shape[0] - dilation[0] * (kernel.shape[0] - 1)
    columns = padded.shape[1] - dilation[1] * (kernel.shape[1] - 1)
    results = np.empty((rows, columns, padded.shape[2]), padded.dtype)
    for row in range(min(dilation[0], rows)):
        for column in range(min(dilation[1], columns)):
            part = padded.every((row, column), dilation)
            results[row :: dilation[0], column :: dilation[1]] = filter_directly(part, kernel, (1, 1), UNFINISHED)
    return results
