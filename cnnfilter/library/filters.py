"""Convolution and pooling of arrays, with the words of the commands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute import network as running
from cnnfilter.compute.pooling import pool_volume
from cnnfilter.errors import KernelError, LanguageError, ShapeError, nearest
from cnnfilter.kernels import Kernel, load_kernel
from cnnfilter.spec.borders import Border, as_border
from cnnfilter.spec.convolutions import Conv, DepthwiseConv, KernelWord
from cnnfilter.spec.geometry import Window, as_padding, as_pair
from cnnfilter.spec.pools import Pool, PoolMode

Numbers = int | str | Sequence[int]
"""One number for both axes, (height, width), or a text such as `3x2`."""


def convolve(
    image: Array,
    kernel: Array,
    *,
    stride: Numbers = 1,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    border: str | Border = "zero",
    flip: bool = False,
    groups: int = 1,
    bias: float = 0.0,
) -> Floats:
    """Lay a kernel on every place of an image, and sum the products there.

    This is cross-correlation, which CNNs call convolution: the kernel is laid on as it is drawn.

    Parameters
    ----------
    image
        (H, W) or (H, W, C); bool, integers or floats.
    kernel
        (kh, kw) filters each channel by itself; (kh, kw, C) sums over the channels into one map;
        (kh, kw, C / groups, out) is a bank of `out` maps.
    stride, dilation
        Pixels between windows, and between the pixels under neighbouring weights: a number, (height,
        width), or `"HxW"`. Default 1.
    padding
        Pixels added around the image: a number, (height, width), (top, left, bottom, right), or `valid`
        (0), `same` (ceil(H / stride) rows come out, the odd pixel at the end), `same-lower`, `half`, `full`.
    border
        What the padding holds: `zero`, `edge`, `reflect`, `symmetric`, `wrap`, `constant:V`.
    flip
        Whether to turn the kernel by 180 degrees first: the convolution of mathematics.
    groups
        Channels and outputs of a bank fall into so many groups, each by itself.
    bias
        A number added to every output.

    Returns
    -------
    ndarray
        (H', W'), (H', W', C) or (H', W', out) as said at `kernel`, with
        H' = (H + top + bottom - d(kh - 1) - 1) // s + 1, never rounded or clipped. float32 for uint8,
        uint16 and float32 images (but float64 where whole-number weights on 8 or 16 bits can pass 2**24,
        which float32 would not hold), float64 for the rest.

    Raises
    ------
    ShapeError
        If the shapes do not go together, or the kernel is larger than the padded image.
    KernelError
        If the kernel has not 2 to 4 dimensions, or holds a number that is not finite.
    LanguageError
        If a border or a padding is unknown.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Examples
    --------
    >>> image = np.array([[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]], dtype=np.uint8)
    >>> convolve(image, np.array([[0, 1, 0]] * 3))
    array([[12., 21.], [15., 24.]], dtype=float32)
    """
    volume = running.as_volume(np.asarray(image))
    weights = _weights(kernel)
    word = KernelWord("given", weights.shape)
    window = Window(
        size=(weights.shape[0], weights.shape[1]),
        stride=as_pair(stride, "stride"),
        padding=as_padding(padding),
        dilation=as_pair(dilation, "dilation"),
    )
    fields = {"window": window, "kernels": (word,), "border": as_border(border), "bias": float(bias)}
    if weights.ndim == 2 and groups != 1:
        raise ShapeError(f"{groups} groups need a bank of shape (kh, kw, in, out); a 2-D kernel filters each channel")
    if weights.ndim == 2:
        layer: Conv | DepthwiseConv = DepthwiseConv(**fields)  # type: ignore[arg-type]
    else:
        layer = Conv(**fields, groups=groups)  # type: ignore[arg-type]
    turned = Kernel(weights[::-1, ::-1] if flip else weights)
    maps = running.convolve_by_layer(volume, layer, (turned,))
    single = weights.ndim == 3 or (weights.ndim == 2 and np.ndim(image) == 2)
    return maps[:, :, 0] if single else maps


def _weights(kernel: Array) -> Doubles:
    weights = np.asarray(kernel)
    if weights.ndim not in {2, 3, 4} or weights.size == 0 or weights.dtype.kind not in "buif":
        raise KernelError(
            f"a kernel is real numbers of shape (kh, kw[, in[, out]]), not {weights.dtype} {weights.shape}"
        )
    if not np.isfinite(weights).all():
        raise KernelError("a kernel holds nan or infinity; its weights are finite")
    return weights.astype(np.float64)


def pool(
    image: Array,
    size: Numbers = 2,
    *,
    mode: str = "max",
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil: bool = False,
    count_include_pad: bool = False,
) -> Array:
    """Take one value from each window of each channel.

    Parameters
    ----------
    image
        (H, W) or (H, W, C).
    size
        Of the window: a number, (height, width), or `"HxW"`.
    mode
        `max`, `avg`, `l2` (the square root of the sum of squares), `min` or `median`.
    stride
        Pixels between windows; the size unless given.
    padding
        As in `convolve`, at most half the window. It is no pixel: it wins no maximum and counts in no mean.
    dilation
        Pixels between the pixels of a window.
    ceil
        Whether a last window may hang over the end.
    count_include_pad
        Whether avg divides by the padding as well.

    Returns
    -------
    ndarray
        (H', W') or (H', W', C); of the image's type under max, min and median (integers rounded half to
        even where the median lies between two), floats under avg and l2.

    Raises
    ------
    ShapeError
        If the window is larger than the padded image, or the padding more than half the window.
    LanguageError
        If the mode is unknown.

    Examples
    --------
    >>> pool(np.array([[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]), 2, stride=1)
    array([[ 4,  7, 10], [ 5,  8, 11]])
    """
    given = np.asarray(image)
    volume = running.as_volume(given)
    if mode not in list(PoolMode):
        raise LanguageError(f"mode {mode!r} is unknown: {', '.join(PoolMode)}{nearest(mode, PoolMode)}")
    window_size = as_pair(size, "window")
    window = Window(
        size=window_size,
        stride=window_size if stride is None else as_pair(stride, "stride"),
        padding=as_padding(padding),
        dilation=as_pair(dilation, "dilation"),
        ceil=ceil,
    )
    layer = Pool(mode=PoolMode(mode), window=window, count_include_pad=count_include_pad)
    pooled = pool_volume(volume, layer, keeps_type=True)
    return pooled[:, :, 0] if given.ndim == 2 else pooled


def kernel(word: str) -> Doubles:
    """Return the kernel that `-k` would use: a name, a file, or the matrix itself as text.

    Parameters
    ----------
    word
        Such as `sobel-x`, `gaussian:15:2.5`, `./mine.txt` or `0 -1 0; -1 5 -1; 0 -1 0`.

    Returns
    -------
    ndarray
        (kh, kw), (kh, kw, in) or (kh, kw, in, out). The offset of a libvips matrix is not part of it.

    Raises
    ------
    KernelError
        If the word is unknown, or the file cannot be read.

    Examples
    --------
    >>> kernel("line-diagonal:2")
    array([[1., 0.], [0., 1.]])
    """
    return load_kernel(word).weights
