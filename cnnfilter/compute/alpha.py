"""Networks on pictures with transparent pixels, so that no colour bleeds from where nothing is seen.

Colours are (H, W, C), their visibility alpha is (H, W, 1) from 0 to 1. A blur is an average weighted by
alpha (Porter and Duff, Compositing digital images, 1984); a kernel with negative weights takes an
invisible neighbour for the pixel in its centre, and leaves alpha as it is there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import Kernels, Program, build_bank
from cnnfilter.compute.operations import Setting, run_steps
from cnnfilter.compute.pool import find_loser, find_medians, pool_globally, pool_volume, window_sums
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, Window
from cnnfilter.nn.layers import Conv, Convolution, DepthwiseConv, Layer
from cnnfilter.nn.other_layers import GlobalPool, Pool, PoolMode

_INVISIBLE = 1e-6
"""Less alpha than this is none: a tenth of the smallest step of 16 bits."""


@ieee_arithmetic
def run_visible(program: Program, colours: Array, alpha: Floats) -> tuple[Array, Floats]:
    """Return the colours, (H', W', C'), and the alpha, (H', W', 1), that come out of a network of 2-D kernels.

    Colours are (H, W, C), alpha is (H, W, 1) from 0 to 1. Raises a `ShapeError` if a layer cannot take what the one
    before it gives.
    """
    program.network.output(colours.shape)
    if colours.dtype.kind == "f":
        colours = np.where((alpha <= _INVISIBLE) & ~np.isfinite(colours), 0, colours).astype(colours.dtype)
    for step in program.steps:
        layer = step.node.layer
        if layer.ALPHA == "weigh":
            colours, alpha = WEIGH[type(layer)](colours, alpha, layer, step.kernels)
        else:
            colours = run_steps((step,), colours, Setting())
    return colours, alpha


def _convolve(colours: Array, alpha: Floats, layer: Convolution, kernels: Kernels) -> tuple[Floats, Floats]:
    """Weigh each pixel by its alpha under weights that average; else take an invisible neighbour for the centre."""
    weights = np.stack([kernel.weights for kernel in kernels], axis=-1)
    sums = weights.sum(axis=(0, 1))
    bank, bias = build_bank(layer, kernels, colours.shape[2])
    weighted = convolve_volume(colours * alpha, bank, layer.window, border=layer.border)
    opaque = layer.border  # a constant colour is opaque, zero is invisible
    if opaque.mode is BorderMode.CONSTANT:
        opaque = opaque._replace(value=1.0)
    coverage = convolve_volume(alpha, weights[:, :, None, :], layer.window, border=opaque)
    if (weights >= 0).all() and (sums > 0).all():
        maps, alpha = _average(weighted, coverage, sums.astype(coverage.dtype))
    else:
        # sum k (a c + (1 - a) c0); alpha as it is at the centre
        centre = _at_centre(colours.astype(weighted.dtype), layer.window, layer.border)
        if isinstance(layer, Conv):
            centre = centre.sum(axis=2, keepdims=True)
        filled = centre[:, :, :, None] * (sums - coverage).astype(weighted.dtype)[:, :, None, :]
        maps, alpha = weighted + filled.reshape(weighted.shape), _at_centre(alpha, layer.window, opaque)
    return maps + bias.astype(maps.dtype), alpha


def _average(weighted: Floats, coverage: Floats, sums: Floats) -> tuple[Floats, Floats]:
    """Return S sum(k a c) / sum(k a), and sum(k a) / S for alpha, where S are the sums of the kernels."""
    seen = coverage > _INVISIBLE * sums
    factor = np.where(seen, sums / np.where(seen, coverage, 1), 0)
    maps = weighted * np.tile(factor, weighted.shape[2] // factor.shape[2])
    return maps, np.clip((coverage / sums).mean(axis=2, keepdims=True), 0, 1)


def _at_centre(volume: Floats, window: Window, border: Border) -> Floats:
    """Return the pixels under the centre of each window, (H', W', C)."""
    padded = Padded(volume, window.pads(*volume.shape[:2]), border, volume.dtype.name)
    rows, columns = window.output(*volume.shape[:2])
    centre = [(size - 1) // 2 * gap for size, gap in zip(window.size, window.dilation, strict=True)]
    return padded.every((centre[0], centre[1]), window.stride).read(slice(0, rows), slice(0, columns))


def _pool(colours: Array, alpha: Floats, layer: Pool) -> tuple[Array, Floats]:
    """Pool the visible pixels; an average is weighted by alpha, and alpha is pooled as the colours are."""
    hidden = alpha <= _INVISIBLE
    if layer.mode.row.averages:
        return _pool_sums(colours, alpha, layer)
    if layer.mode.row.picks:
        loser = colours.dtype.type(find_loser(layer.mode, colours.dtype))
        pooled = pool_volume(np.where(hidden, loser, colours), layer)
    else:
        rows, columns, _ = layer.output(colours.shape)
        kind = np.dtype(float_type(colours.dtype))
        pooled = find_medians(colours, layer.window, (rows, columns), kind, hidden)
    seen = pool_volume((~hidden).astype(np.uint8), replace(layer, mode=PoolMode.MAX))
    return np.where(seen, pooled, 0).astype(pooled.dtype), np.asarray(pool_volume(alpha, layer))


def _pool_sums(colours: Array, alpha: Floats, layer: Pool) -> tuple[Array, Floats]:
    """Return sum(a c) / sum(a), or sqrt(sum(a c^2)), and the mean of alpha."""
    rows, columns, _ = layer.output(colours.shape)
    size = rows, columns
    power = 2 if layer.mode is PoolMode.L2 else 1
    sums = window_sums(colours.astype(np.float64) ** power * alpha, layer.window, size)
    coverage = window_sums(alpha.astype(np.float64), layer.window, size)
    seen = coverage > _INVISIBLE
    pooled = np.sqrt(sums) if power == 2 else np.where(seen, sums / np.where(seen, coverage, 1), 0)
    mean = pool_volume(alpha, replace(layer, mode=PoolMode.AVG))
    return pooled.astype(float_type(colours.dtype)), np.asarray(mean)


def _pool_globally(colours: Array, alpha: Floats, layer: GlobalPool) -> tuple[Array, Floats]:
    pooled_alpha = np.asarray(pool_globally(alpha, layer))
    if layer.mode is PoolMode.MAX:
        seen = np.where(alpha > _INVISIBLE, colours, colours.dtype.type(find_loser(layer.mode, colours.dtype)))
        greatest = pool_globally(seen, layer)
        return np.where(pooled_alpha > _INVISIBLE, greatest, 0).astype(colours.dtype), pooled_alpha
    weights = alpha.astype(np.float64)
    total = max(float(weights.sum()), _INVISIBLE)
    mean = (colours * weights).sum(axis=(0, 1), keepdims=True) / total
    return mean.astype(float_type(colours.dtype)), pooled_alpha


WEIGH: dict[type[Layer], Callable[[Array, Floats, Any, Kernels], tuple[Array, Floats]]] = {
    Conv: _convolve,
    DepthwiseConv: _convolve,
    Pool: lambda colours, alpha, layer, _: _pool(colours, alpha, layer),
    GlobalPool: lambda colours, alpha, layer, _: _pool_globally(colours, alpha, layer),
}
"""What the layers that weigh by alpha make of colours and alpha."""
