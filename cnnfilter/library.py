"""The functions that Python programs call: the commands' work on arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute import network as running
from cnnfilter.compute.pooling import pool_volume
from cnnfilter.errors import KernelError, LanguageError, OutputError, ShapeError, nearest
from cnnfilter.files.formats import Depth, Kind, Range, find_format
from cnnfilter.files.images import decode_image, encode_image
from cnnfilter.files.levels import depth_of, remark_on_clipping, to_levels
from cnnfilter.files.outputs import write_whole
from cnnfilter.files.pictures import read_bytes
from cnnfilter.kernels import Kernel, kernel_shape, load_kernel
from cnnfilter.spec.borders import Border, as_border
from cnnfilter.spec.geometry import Window, as_padding, as_pair
from cnnfilter.spec.language import parse_network
from cnnfilter.spec.layers import Conv, DepthwiseConv, KernelWord, Pool, PoolMode, Shape
from cnnfilter.spec.network import Network as Layers
from cnnfilter.spec.summary import Summary, summarize

Numbers = int | str | Sequence[int]


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
    pooled = pool_volume(volume, layer)
    if layer.mode is PoolMode.MEDIAN:
        pooled = (np.rint(pooled) if given.dtype.kind in "bui" else pooled).astype(given.dtype)
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


class Network(Layers):
    """A network that runs on arrays, and knows its sizes."""

    def run(self, image: Array) -> Array:
        """Return what comes out of the last layer.

        Parameters
        ----------
        image
            (H, W) or (H, W, C).

        Returns
        -------
        ndarray
            (H', W', C'), without its channel axis if there is one channel; (length,) after `flatten`.

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives.
        KernelError
            If a layer has no weights.
        """
        return running.run_program(running.load_program(self), np.asarray(image))

    def summary(self, shape: Shape) -> Summary:
        """Return the sizes, parameters and multiplications for an input of (height, width[, channels]).

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives.

        Examples
        --------
        >>> network("conv:3x3,16").summary((64, 64, 3)).totals.parameters
        448
        """
        return summarize(self, tuple(shape) if len(shape) == 3 else (*shape, 1))


def network(text: str) -> Network:
    """Return the network that a text writes, such as `conv:sobel-x,same relu maxpool:2`.

    Raises
    ------
    LanguageError
        If a word is unknown.

    Examples
    --------
    >>> network("relu maxpool:2,s1").run(np.array([[-1.0, 2.0], [3.0, -4.0]]))
    array([[3.]])
    """
    return Network(parse_network(text, kernel_shape).layers)


def read_image(path: str | Path) -> Array:
    """Return the picture in an image file.

    Parameters
    ----------
    path
        An image file; its content, not its suffix, tells the format.

    Returns
    -------
    ndarray
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, turned upright as its EXIF says; uint8, uint16 or
        float32 (float64 for TIFFs that hold it).

    Raises
    ------
    ImageFileError
        If the file cannot be read, or is cut off or damaged.
    """
    return decode_image(read_bytes(path), str(path))


def write_image(path: str | Path, image: Array, *, range: str = "clip") -> None:
    """Write an image file, which appears whole or not at all.

    Parameters
    ----------
    path
        Its suffix is the format.
    image
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. uint8 and uint16 are written as they are; floats are
        levels of 8 bits, 0 to 255, rounded half to even, unless the format holds floats.
    range
        How floats are brought into the levels: `clip`, `abs`, `scale`, `max`, `offset`.

    Raises
    ------
    OutputError
        If the suffix or the range is unknown, or the format cannot hold the image's type.
    ImageFileError
        If the system refuses, or the format cannot hold the channels.

    Warns
    -----
    UserWarning
        If more than 0.1 % of the values are clipped.
    """
    pixels = np.asarray(image)
    format_ = find_format(path)
    if range not in list(Range):
        raise OutputError(f"range {range!r} is unknown: {', '.join(Range)}")
    depth = depth_of(pixels.dtype)
    if format_.kind is Kind.MATRIX or pixels.dtype.kind not in "uif":
        raise OutputError(f"{path}: no image file, or no image of {pixels.dtype}; numpy.save writes any array")
    if pixels.dtype.kind != "f" and (depth is Depth.FLOAT or depth not in format_.depths):
        raise OutputError(f"{path}: {format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}")
    if pixels.dtype.kind == "f" and Depth.FLOAT not in format_.depths:
        levels = to_levels(pixels, range_=Range(range), maximum=255.0, depth=Depth.EIGHT)
        if remark := remark_on_clipping(levels.clipped):
            warnings.warn(remark, stacklevel=2)
        pixels = levels.pixels
    elif pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    write_whole(Path(path), encode_image(pixels, path))
