"""Banks of kernels as products of matrices: every window is a row of its pixels, every kernel a column.

Patches are gathered for a few output rows at a time, so that they stay in the cache until BLAS has read them
(Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing, 2006). In
volumes whose channels are neighbours in memory a row of the kernel is one run of kw x C numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnfilter.arrays import Floats
from cnnfilter.compute.engines.finish import Finish
from cnnfilter.compute.padded import Padded
from cnnfilter.spec.geometry import Pair, Window

_PATCHES = 1 << 18
"""Numbers of patches gathered at a time: 1 MB in float32."""


def multiply_patches(padded: Padded, bank: Floats, window: Window, output: Pair, groups: int, finish: Finish) -> Floats:
    """Return the feature maps of a (kh, kw, in / groups, out) bank: (H', W', out)."""
    rows, columns = output
    inputs, outputs = bank.shape[2], bank.shape[3] // groups
    depth = bank.shape[0] * bank.shape[1] * inputs
    results = np.empty((rows, columns, bank.shape[3]), padded.dtype)
    matrices = [
        np.ascontiguousarray(bank[..., group * outputs : (group + 1) * outputs].reshape(depth, outputs), padded.dtype)
        for group in range(groups)
    ]
    at_once = max(1, min(rows, _PATCHES // (depth * columns)))
    patches = np.empty((at_once, columns, *bank.shape[:3]), padded.dtype)
    for first in range(0, rows, at_once):
        part = slice(first, min(first + at_once, rows))
        height = part.stop - first
        source = padded.read(
            slice(first * window.stride[0], (part.stop - 1) * window.stride[0] + window.extent[0]), slice(None)
        )
        for group in range(groups):
            channels = source[:, :, group * inputs : (group + 1) * inputs]
            rowed = _gather(channels, patches[:height], window)
            sums = results[part, :, group * outputs : (group + 1) * outputs]
            if groups == 1:
                np.matmul(rowed, matrices[0], out=sums.reshape(-1, outputs))
            else:
                sums[...] = (rowed @ matrices[group]).reshape(sums.shape)
        finish(results[part])
    return results


def _gather(channels: Floats, patches: Floats, window: Window) -> Floats:
    """Return the windows of a (rows, columns, in) volume as rows of a matrix."""
    height, columns = patches.shape[:2]
    down, across, deep = channels.strides
    steps = (
        window.stride[0] * down,
        window.stride[1] * across,
        window.dilation[0] * down,
        window.dilation[1] * across,
        deep,
    )
    windows = as_strided(channels, patches.shape, steps)
    if window.size == (1, 1) and window.stride == (1, 1) and windows.flags.c_contiguous:
        return windows.reshape(height * columns, -1)
    np.copyto(patches, windows)
    return patches.reshape(height * columns, -1)
