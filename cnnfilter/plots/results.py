"""What a kernel makes of a picture, and how that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import convolve_by_layer
from cnnfilter.plots.scales import SIGNED, draw_scale
from cnnfilter.spec.borders import as_border
from cnnfilter.spec.convolutions import DepthwiseConv, KernelWord
from cnnfilter.spec.geometry import PaddingWord, Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from cnnfilter.kernels import Kernel


class Result(NamedTuple):
    """A picture under a kernel.

    Parameters
    ----------
    values
        (H, W), as they come out.
    signed
        Whether 0 is in the middle: the kernel sums to 0 or less, as one that looks for differences.
    limit
        The value that is shown as white, or of the deepest colors: the kernel's sum times the picture's white,
        or the greatest magnitude of a signed result.
    note
        What the picture is.
    """

    values: Array
    signed: bool
    limit: float
    note: str = ""


def lay_kernel(picture: Array, kernel: Kernel, white: float, note: str = "") -> Result:
    """Return what a kernel (kh, kw) makes of a grey picture (H, W) of the same size, its edges going on outside."""
    shape = kernel.weights.shape
    layer = DepthwiseConv(
        window=Window((shape[0], shape[1]), padding=PaddingWord.SAME),
        kernels=(KernelWord("drawn", shape),),
        border=as_border("edge"),
    )
    values = convolve_by_layer(np.asarray(picture, dtype=np.float64)[:, :, None], layer, (kernel,))[:, :, 0]
    total, weight = float(kernel.weights.sum()), float(np.abs(kernel.weights).sum())
    signed = total <= 1e-6 * weight
    limit = (float(np.abs(values).max()) or 1.0) if signed else total * white
    return Result(values, signed, limit, note)


def show_result(axes: Axes, result: Result, *, titled: bool = False) -> AxesImage:
    """Show a result: signed in diverging colors around 0, else in greys from 0 to its white."""
    image = axes.imshow(
        result.values,
        cmap=SIGNED if result.signed else "gray",
        vmin=-result.limit if result.signed else 0.0,
        vmax=result.limit,
        interpolation="antialiased",
    )
    if titled:
        height, width = result.values.shape
        low, high = float(result.values.min()), float(result.values.max())
        axes.set_title(f"on {result.note}\n{height}x{width}, values {low:.4g} to {high:.4g}")
        draw_scale(axes, image, "value")
    return image
