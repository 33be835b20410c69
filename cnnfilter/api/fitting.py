"""The kernel behind a pair of images."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from cnnfilter.api.arguments import Numbers, as_single_volume, check_choice, public
from cnnfilter.errors import ShapeError
from cnnfilter.learn.fit import Channels, FittedKernel, Request, fit_kernel
from cnnfilter.nn.geometry import as_pair


@public
def fit(
    before: ArrayLike,
    after: ArrayLike,
    size: Numbers | None = None,
    *,
    bias: bool = False,
    stride: Numbers = 1,
    channels: Channels = "each",
    ridge: float = 0.0,
) -> FittedKernel:
    """Find the kernel that makes one image of another, by least squares over all windows within the first.

    Parameters
    ----------
    before, after : array_like
        (H, W) or (H, W, C), and (H', W') or (H', W', C'): as `convolve` makes it with padding `valid` or `same`; of
        `same` the values whose windows lie within the image count. Values of uint8 and uint16 arrays at 0 and at the
        largest level are left out of `after`, since they may be clipped.
    size : int, (int, int) or str, optional
        Of the kernel. By default what `after` is smaller by; where it is as large, the smallest odd size after which
        the residual falls by less than 1 %.
    bias : bool
        Whether to find a number that is added to every value, too.
    stride : int, (int, int) or str
        Pixels between windows.
    channels : {"each", "sum", "gray"}
        One kernel (kh, kw) for all channels; one (kh, kw, C) over all channels for each channel of `after`, together a
        bank (kh, kw, C, C') where that has several; or both images are made grey first.
    ridge : float
        Prefer small weights: adds ridge x mean(pixel**2) x sum(weights**2) to the mean square of the residual.

    Returns
    -------
    FittedKernel
        `kernel`, `bias`, `r2`, `residual`, `used`, `left_out`, `condition`, `nearest`.

    Raises
    ------
    KernelError
        If the windows do not determine a kernel, as those of a flat image.
    ShapeError
        If the sizes or channels do not go together, or a value is not finite.
    LanguageError
        If `channels` is unknown.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((20, 20))
    >>> found = fit(image, image[:, 1:] - image[:, :-1])
    >>> found.kernel.round(9)
    array([[-1., 1.]])
    >>> found.residual < 1e-12
    True
    """
    check_choice(channels, get_args(Channels), "channels")
    if ridge < 0:
        raise ShapeError(f"ridge {ridge:g} is negative; it is 0 or more")
    volume, target = as_single_volume(before, "fit"), as_single_volume(after, "fit")
    white = float(np.iinfo(target.dtype).max) if target.dtype in (np.uint8, np.uint16) else None
    wanted = None if size is None else as_pair(size, "size")
    return fit_kernel(volume, target, Request(wanted, bias, as_pair(stride, "stride"), channels, ridge, white))
