"""Kernels and pools on images."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfilter.api.arguments import (
    Borders,
    KernelLike,
    Numbers,
    Paddings,
    PoolName,
    as_bias,
    as_border,
    as_choice,
    as_count,
    as_kernel,
    as_place,
    as_single_volume,
    public,
)
from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import Program, Step, build_bank
from cnnfilter.compute.pool import pool_volume
from cnnfilter.compute.threads import limit_threads
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.io.opencv import cv2
from cnnfilter.kernels.spec import Kernel, names
from cnnfilter.log import warn
from cnnfilter.nn.geometry import Border, Padding, Pair, Window, as_padding, as_pair, default_padding
from cnnfilter.nn.layers import Conv, DepthwiseConv, KernelWord
from cnnfilter.nn.lint import is_border_unused
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Pool, PoolMode
from cnnfilter.numbers import show_exact

if TYPE_CHECKING:
    from cnnfilter.explain.trace import Trace


@public
def convolve(
    image: ArrayLike,
    kernel: KernelLike,
    *,
    stride: Numbers = 1,
    padding: Paddings | None = None,
    dilation: Numbers = 1,
    border: Borders = "zero",
    flip: bool = False,
    groups: int = 1,
    bias: ArrayLike = 0.0,
) -> NDArray[np.float32 | np.float64]:
    """Lay a kernel on every place of an image, and sum the products there.

    This is cross-correlation, which CNNs call convolution: the kernel is laid on as it is drawn.

    Parameters
    ----------
    image : array_like
        (H, W) or (H, W, C); bool, integers or floats.
    kernel : str, path or array_like
        A name (`"sharpen"`, `"gaussian:15:2.5"`), a matrix as text (`"0 -1 0; -1 5 -1; 0 -1 0"`), the path of a kernel
        file, or an array: (kh, kw) filters each channel alone; (kh, kw, C) sums over the channels;
        (kh, kw, C / groups, out) is a bank of `out` kernels.
    stride, dilation : int, (int, int) or str
        Pixels between windows, and between the pixels under neighbouring weights: a number, (height, width), or
        `"HxW"`. Default 1.
    padding : int, tuple or {"valid", "same", "same-lower", "half", "full"}, optional
        Pixels added around the image: a number, (height, width), (top, left, bottom, right), or a word: `valid` adds
        none, `same` gives ceil(H / stride) rows with the odd pixel at the end, `same-lower` with the odd pixel at the
        start, `half` adds half the kernel, `full` all but one pixel of it. By default 0, or `same` where a border
        other than zero is given.
    border : {"zero", "edge", "reflect", "symmetric", "wrap"} or float
        What the padding holds; a number is held everywhere (`"constant:V"` in the command).
    flip : bool
        Whether to turn the kernel by 180 degrees first, which is the convolution of mathematics.
    groups : int
        The number of groups into which the channels and the outputs of a bank are divided; each is filtered alone.
    bias : float or array_like
        Added to every value of the result: a number, or one for each output of a bank, (out,).

    Returns
    -------
    numpy.ndarray
        (H', W', C), or (H', W') of a 2-D image, under a 2-D kernel; (H', W') under a 3-D kernel; (H', W', out) under a
        bank. H' = (H + top + bottom - d(kh - 1) - 1) // s + 1. Never rounded or clipped. float32 for uint8, uint16 and
        float32 images (but float64 where sums of whole numbers can pass 2**24), else float64.

    Raises
    ------
    ShapeError
        If the image is not an array of real numbers, the shapes do not fit, or the kernel is larger than the padded
        image.
    KernelError
        If the name of the kernel is unknown, it has not 2 to 4 dimensions, or a weight is not finite.
    LanguageError
        If a border or a padding is unknown.

    Warns
    -----
    UserWarning
        If the image looks like (channels, height, width), a bank like (out, in, kh, kw), or there is a border and no
        padding.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Examples
    --------
    >>> image = np.array([[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]], dtype=np.uint8)
    >>> convolve(image, [[0, 1, 0], [0, 1, 0], [0, 1, 0]])
    array([[12., 21.], [15., 24.]], dtype=float32)
    >>> convolve(image, "sharpen", border="edge").shape
    (4, 4)
    """
    laid = _lay(image, kernel, _LayingOptions(stride, padding, dilation, border, flip, groups, bias), "convolve")
    window, bank = laid.layer.window, laid.bank
    maps = convolve_volume(laid.volume, bank, window, border=laid.layer.border, bias=laid.biases)
    axes = laid.kernel.weights.ndim
    return maps[:, :, 0] if axes == 3 or (axes == 2 and np.ndim(image) == 2) else maps


class _LayingOptions(NamedTuple):
    """How a kernel is laid on an image, as a caller says it."""

    stride: Numbers
    padding: Paddings | None
    dilation: Numbers
    border: Borders
    flip: bool
    groups: int
    bias: ArrayLike


class _LaidKernel(NamedTuple):
    """A kernel laid on an image (H, W, C): the layer, its bank (kh, kw, in / groups, out), and the biases (out,)."""

    volume: Array
    name: str
    kernel: Kernel
    layer: Conv | DepthwiseConv
    bank: Doubles
    biases: Doubles


_MOST_KEPT = 1 << 13
"""Weights of a kernel that is known again when it comes back: a look at larger ones is short beside laying them."""


def _lay(image: ArrayLike, kernel: KernelLike, options: _LayingOptions, caller: str) -> _LaidKernel:
    """Return a kernel laid on an image, or raise a `CnnFilterError` that says what does not fit."""
    volume, (name, given) = as_single_volume(image, caller), as_kernel(kernel)
    word, border = KernelWord(name, given.weights.shape), as_border(options.border)
    laying = _Laying(
        as_pair(options.stride, "stride"),
        default_padding(border) if options.padding is None else as_padding(options.padding),
        as_pair(options.dilation, "dilation"),
        border,
        bool(options.flip),
        as_count(options.groups, "groups"),
        as_bias(options.bias, word.maps),
    )
    make = _lay_weights if given.weights.size <= _MOST_KEPT else _lay_weights.__wrapped__
    layer, bank, biases = make(given.weights.tobytes(), given.offset, word, laying, volume.shape[2])
    if options.flip:
        given = given._replace(weights=given.weights[::-1, ::-1])
    if is_border_unused(layer, volume.shape):
        warn(f'border="{border}" has no effect with padding 0; leave padding out, or give padding="same"')
    return _LaidKernel(volume, name, given, layer, bank, biases)


class _Laying(NamedTuple):
    """How a kernel is laid on an image, understood."""

    stride: Pair
    padding: Padding
    dilation: Pair
    border: Border
    flip: bool
    groups: int
    bias: float | tuple[float, ...]


@lru_cache(maxsize=64)
def _lay_weights(
    weights: bytes, offset: float, word: KernelWord, laying: _Laying, channels: int
) -> tuple[Conv | DepthwiseConv, Doubles, Doubles]:
    """Return the layer that lays weights on an image of so many channels, its bank and its biases."""
    kernel = Kernel(np.frombuffer(weights).reshape(word.shape), offset)
    if laying.flip:
        kernel = kernel._replace(weights=kernel.weights[::-1, ::-1])
    fields: dict[str, Any] = {
        "window": Window((word.shape[0], word.shape[1]), laying.stride, laying.padding, laying.dilation),
        "kernels": (word,),
        "bias": laying.bias,
        "border": laying.border,
        "flip": laying.flip,
    }
    layer: Conv | DepthwiseConv
    if len(word.shape) > 2:
        layer = Conv(**fields, groups=laying.groups)
    elif laying.groups == 1:
        layer = DepthwiseConv(**fields)
    else:
        reason = f"{laying.groups} groups need a bank of shape (kh, kw, in, out)"
        raise ShapeError(f"{reason}; a 2-D kernel filters each channel")
    return layer, *build_bank(layer, (kernel,), channels)


class TracedValue(NamedTuple):
    """How one value of a result comes about; `print` shows it.

    `result` has the value of each output, (out,), `trace` what it is made of: window, weights, products; `data` is
    that as `--explain --json` of the command prints it.
    """

    result: Floats
    trace: Trace
    title: str

    @property
    def data(self) -> dict[str, Any]:
        """The window, the weights, the products and the sums, by name."""
        from cnnfilter.explain.data import describe_trace  # noqa: PLC0415  few values are explained

        return describe_trace(self.trace, self.result, None)

    def __str__(self) -> str:
        from cnnfilter.explain.text import explain_trace  # noqa: PLC0415

        return explain_trace(self.trace, self.result, self.title).rstrip("\n")

    def __repr__(self) -> str:
        values = ", ".join(map(show_exact, self.result[:4])) + ", ..." * (len(self.result) > 4)
        return f"<TracedValue at {list(self.trace.place)}: {values}; print shows it>"


@public
def trace(
    image: ArrayLike,
    kernel: KernelLike,
    at: tuple[int, int],
    *,
    stride: Numbers = 1,
    padding: Paddings | None = None,
    dilation: Numbers = 1,
    border: Borders = "zero",
    flip: bool = False,
    groups: int = 1,
    bias: ArrayLike = 0.0,
) -> TracedValue:
    """Explain how one value of `convolve` comes about, product by product.

    Parameters
    ----------
    image, kernel, stride, padding, dilation, border, flip, groups, bias
        As in `convolve`.
    at : (int, int)
        The (row, column) of the value in the result, from 0.

    Returns
    -------
    TracedValue
        `print` shows the window, the kernel, every product and their sum, as `cnnfilter convolve --explain` does.
        `.result` is the value of each output, (out,), `.data` a dict with all numbers.

    Raises
    ------
    ShapeError, KernelError, LanguageError
        As in `convolve`, and if the place is outside the result.

    Examples
    --------
    >>> print(trace([[1, 2, 4]], [[1, 10, 100]], at=(0, 0)))  # doctest: +ELLIPSIS
    image, kernel: output [0,0], 1x3x1 -> 1x1x1
    ...
    result    o[0,0] = 421
    """
    from cnnfilter.explain.trace import trace as trace_value  # noqa: PLC0415

    laid = _lay(image, kernel, _LayingOptions(stride, padding, dilation, border, flip, groups, bias), "trace")
    row, column = as_place(at)
    network = Network((laid.layer,))
    program = Program(network, (Step(network.nodes[0], (laid.kernel,), {}, ()),))
    traced = trace_value(program, laid.volume, (row, column))
    maps = convolve_volume(laid.volume, laid.bank, laid.layer.window, border=laid.layer.border, bias=laid.biases)
    title = laid.name if isinstance(kernel, str | PathLike) else "kernel"
    return TracedValue(maps[row, column], traced, f"image, {title}")


@public
def pool(
    image: ArrayLike,
    size: Numbers = 2,
    *,
    mode: PoolName = "max",
    stride: Numbers | None = None,
    padding: Paddings = 0,
    dilation: Numbers = 1,
    ceil: bool = False,
    count_include_pad: bool = False,
) -> Array:
    """Take one value from each window of each channel.

    Parameters
    ----------
    image : array_like
        (H, W) or (H, W, C).
    size : int, (int, int) or str
        The window in pixels: a number, (height, width), or `"HxW"`. Default 2.
    mode : {"max", "avg", "l2", "min", "median"}
        What is taken; `l2` is the square root of the sum of squares. Default `max`.
    stride : int, (int, int) or str, optional
        Pixels between windows. By default the size.
    padding : int, tuple or {"valid", "same", "same-lower", "half", "full"}
        As in `convolve`, at most half the window. It never wins a maximum and does not count in a mean.
    dilation : int, (int, int) or str
        Pixels between the pixels of a window. Default 1.
    ceil : bool
        Whether a last window may extend beyond the end.
    count_include_pad : bool
        Whether `avg` and `l2` count the padding as zeros.

    Returns
    -------
    numpy.ndarray
        (H', W') or (H', W', C); of the image's type under max, min and median (integers rounded half to even where the
        median is between two), floats under avg and l2. nan where a window holds nan.

    Raises
    ------
    ShapeError
        If the image is not an array of real numbers, the window is larger than the padded image, or the padding more
        than half the window.
    LanguageError
        If the mode is unknown.

    Examples
    --------
    >>> pool(np.array([[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]), 2, stride=1)
    array([[ 4,  7, 10], [ 5,  8, 11]])
    """
    volume = as_single_volume(image, "pool")
    kind = as_choice(PoolMode, mode, "mode", meant="; nearest: avg" if mode in {"mean", "average"} else "")
    window_size = as_pair(size, "size")
    window = Window(
        size=window_size,
        stride=window_size if stride is None else as_pair(stride, "stride"),
        padding=as_padding(padding),
        dilation=as_pair(dilation, "dilation"),
        ceil=ceil,
    )
    layer = Pool(mode=kind, window=window, count_include_pad=count_include_pad)
    pooled = pool_volume(volume, layer, keeps_type=True)
    return pooled[:, :, 0] if np.ndim(image) == 2 else pooled


@public
def kernel(word: str | PathLike[str]) -> Doubles:
    """Return a kernel as an array.

    Parameters
    ----------
    word : str or path
        A name (`"sobel-x"`, `"gaussian:15:2.5"`), the path of a kernel file, or the matrix as text
        (`"0 -1 0; -1 5 -1; 0 -1 0"`).

    Returns
    -------
    numpy.ndarray
        (kh, kw), (kh, kw, in) or (kh, kw, in, out) of float64. The offset of a libvips matrix is not part of it.

    Raises
    ------
    KernelError
        If the name is unknown, or the file cannot be read.

    Examples
    --------
    >>> kernel("line-diagonal:2")
    array([[1., 0.], [0., 1.]])
    """
    if not isinstance(word, str | PathLike):
        raise KernelError(f"kernel takes a name, a path or a matrix as text, not {type(word).__name__}")
    return as_kernel(word)[1].weights


def kernel_names() -> list[str]:
    """Return the names of all kernels, in alphabetical order.

    Returns
    -------
    list of str
        `"sharpen"` is used as it is; `"box"`, which is made to size, needs its numbers: `"box:5"`.

    Examples
    --------
    >>> "sharpen" in kernel_names()
    True
    """
    return names()


def set_threads(number: int | None) -> None:
    """Set the number of threads that calculations use, those of OpenCV in this process too.

    Parameters
    ----------
    number : int or None
        From 1. None means one for each core that the process may use, which is the default.

    Raises
    ------
    ShapeError
        If the number is below 1.

    Examples
    --------
    >>> set_threads(2)
    >>> set_threads(None)
    """
    if number is not None and as_count(number, "number of threads") < 1:
        raise ShapeError(f"number of threads {number} is below 1; None means one for each core")
    limit_threads(number)
    cv2.setNumThreads(-1 if number is None else number)
