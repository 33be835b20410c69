"""What Python programs call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from operator import index
from os import PathLike, fspath
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnfilter.arrays import Array, Doubles, Floats, as_numbers
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import Program, Step, as_volume, build_bank, prepare, run_program, white_of
from cnnfilter.compute.pool import pool_volume
from cnnfilter.compute.state_dict import StateDict, read_state_dict
from cnnfilter.compute.threads import limit_threads
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import (
    CnnFilterError,
    ImageFileError,
    KernelError,
    LanguageError,
    OutputError,
    ShapeError,
    nearest,
)
from cnnfilter.explain.data import describe_trace
from cnnfilter.explain.text import explain_trace
from cnnfilter.explain.trace import Trace
from cnnfilter.explain.trace import trace as trace_value
from cnnfilter.io.atomic import read_bytes, write_whole
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image as encode_pixels
from cnnfilter.io.formats import FORMATS_TAKING, Depth, Range, find_format, name_formats_taking
from cnnfilter.io.levels import DEPTHS, MAXIMA, MOST_CLIPPED, describe_clipping, has_white_at_1, to_levels
from cnnfilter.io.opencv import cv2
from cnnfilter.io.weights import as_tensors
from cnnfilter.kernels.spec import Kernel, load_kernel, names
from cnnfilter.log import in_words_of_python, warn
from cnnfilter.network_files import Document, Preparation, load_document, read_document
from cnnfilter.nn.geometry import Border, BorderMode, Window, as_border, as_padding, as_pair, default_padding
from cnnfilter.nn.layers import Conv, DepthwiseConv, KernelWord, Shape, as_shape
from cnnfilter.nn.lint import warn_about_input
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Pool, PoolMode
from cnnfilter.nn.summary import FloatName, Summary, summarize
from cnnfilter.numbers import show_exact

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

PaddingName = Literal["valid", "same", "same-lower", "half", "full"]
BorderName = Literal["zero", "edge", "reflect", "symmetric", "wrap"]
PoolName = Literal["max", "avg", "l2", "min", "median"]
RangeName = Literal["clip", "abs", "scale", "max", "offset", "none"]

Numbers = int | str | Sequence[int]
"""One number for both axes, (height, width), or a text such as `3x2`."""

Paddings = PaddingName | int | Sequence[int]
"""A word, pixels on all sides, (height, width) or (top, left, bottom, right)."""

Borders = BorderName | float | Border
"""A word, or the number that the padding holds."""

ImageSource = str | PathLike[str] | bytes | BinaryIO
"""A path, the bytes of a file, or a file opened for reading bytes."""

KernelLike = str | PathLike[str] | ArrayLike
"""A kernel's name or matrix as text, the path of its file, or an array."""


def _public(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let the errors of a function name parameters instead of the command's options."""

    @wraps(call)
    def named(*args: Parameters.args, **given: Parameters.kwargs) -> Result:
        try:
            return call(*args, **given)
        except CnnFilterError as error:
            error.reason, error.args = in_words_of_python(error.reason), (in_words_of_python(str(error)),)
            raise

    return named


@_public
def read_image(
    source: ImageSource, *, page: int | None = None, allow_truncated: bool = False, max_pixels: int | None = None
) -> NDArray[np.uint8 | np.uint16 | np.float32 | np.float64]:
    """Return the image in a file as an array.

    Parameters
    ----------
    source : str, path, bytes or binary file
        The path of an image file, its bytes, or a file opened with `open(path, "rb")`. The content, not the suffix,
        decides the format.
    page : int, optional
        Which page of a TIFF or frame of an animation, from 1. By default the first.
    allow_truncated : bool
        Whether to read a JPEG that is cut off or damaged, as far as it goes. By default it is an error.
    max_pixels : int, optional
        The largest number of pixels that is read, of all pages together. By default 2**30.

    Returns
    -------
    numpy.ndarray
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, upright as its EXIF says; uint8, uint16 or float32 (float64 for
        TIFFs of float64).

    Raises
    ------
    ImageFileError
        If the file cannot be read, is not an image, is cut off or damaged, or has too many pixels.

    Warns
    -----
    UserWarning
        If the file has more pages than the one that is returned, or something in it was lost.

    Examples
    --------
    >>> data = encode_image(np.array([[0, 255]], dtype=np.uint8), ".png")
    >>> read_image(data)
    array([[  0, 255]], dtype=uint8)
    """
    data, name = _read_source(source)
    image = decode_picture(data, name, matrix=False, page=page, allow_truncated=allow_truncated, most_pixels=max_pixels)
    for note in image.notes:
        warn(f"{name}: {note}")
    if image.pages:
        warn(f"{name}: the first of {image.pages.count} pages is returned; page=N returns another")
    return image.pixels


def _read_source(source: ImageSource) -> tuple[bytes, str]:
    """Return the bytes of a file, and what messages call it."""
    if isinstance(source, str | PathLike):
        return read_bytes(fspath(source)), fspath(source)
    name = "image"
    content: object = source
    if hasattr(source, "read"):
        name, content = str(getattr(source, "name", name)), source.read()
        if isinstance(content, str):
            raise ImageFileError('the file gives text, not bytes; open(path, "rb") gives bytes', path=name)
    if not isinstance(content, bytes | bytearray | memoryview):
        raise ImageFileError(f"read_image takes a path, bytes or a binary file, not {type(source).__name__}")
    return bytes(content), name


@_public
def encode_image(
    image: ArrayLike,
    suffix: str,
    *,
    range: RangeName | None = None,
    quality: int | None = None,
    compression: int | None = None,
) -> bytes:
    r"""Return the bytes of an image file.

    Parameters
    ----------
    image : array_like
        As in `write_image`.
    suffix : str
        The format, such as `.png` or `.jpg`.
    range : {"clip", "abs", "scale", "max", "offset", "none"}, optional
        As in `write_image`.
    quality : int, optional
        1 to 100, of JPEG and WebP (95 by default) and AVIF. A WebP of 100 is lossless.
    compression : int, optional
        0 (fast) to 9 (small), of PNG.

    Returns
    -------
    bytes
        The whole file.

    Raises
    ------
    OutputError, ImageFileError
        As in `write_image`.

    Warns
    -----
    UserWarning
        As in `write_image`.

    Examples
    --------
    >>> encode_image(np.zeros((2, 2), dtype=np.uint8), ".png")[:4]
    b'\x89PNG'
    """
    name = f"image{suffix}" if suffix.startswith(".") else suffix if "." in suffix else f"image.{suffix}"
    return _encode(image, name, range, quality, compression)


@_public
def write_image(
    path: str | PathLike[str],
    image: ArrayLike,
    *,
    range: RangeName | None = None,
    quality: int | None = None,
    compression: int | None = None,
) -> None:
    """Write an image file, which appears whole or not at all.

    Parameters
    ----------
    path : str or path
        Its suffix is the format. Its folder must exist.
    image : array_like
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. uint8 and uint16 are written as they are. Floats are levels from 0 to
        255, rounded half to even, unless the format holds floats. False is black and True is white.
    range : {"clip", "abs", "scale", "max", "offset", "none"}, optional
        What brings values into the range of the file: `clip` cuts off, `abs` takes absolute values, `scale` spreads
        the least to the greatest over the range, `max` divides by the greatest absolute value, `offset` adds half the
        range, `none` keeps floats, for formats that hold them. By default floats are clipped where the format holds
        integers, and nothing else is changed.
    quality : int, optional
        1 to 100, of JPEG and WebP (95 by default) and AVIF. A WebP of 100 is lossless.
    compression : int, optional
        0 (fast) to 9 (small), of PNG.

    Raises
    ------
    OutputError
        If the image is not an array of real numbers, the suffix or an option is unknown, or the format cannot hold the
        type of the image.
    ImageFileError
        If the system refuses, or the format cannot hold the channels or the size.

    Warns
    -----
    UserWarning
        If more than 0.1 % of the values are clipped without `range="clip"` or `"max"`, floats from 0 to 1 are written
        as levels from 0 to 255, or something of the image is lost.

    Examples
    --------
    A result with negative values keeps them visible with a range:

    >>> edges = convolve(np.eye(8), "sobel-x", padding="same")
    >>> write_image("edges.png", edges, range="scale")  # doctest: +SKIP
    """
    write_whole(Path(path), _encode(image, fspath(path), range, quality, compression))


def _encode(image: ArrayLike, path: str, range_: str | None, quality: int | None, compression: int | None) -> bytes:
    """Return the bytes of an image file; the path is for its suffix, and for messages."""
    pixels, format_ = as_numbers(image, "image", OutputError), find_format(path)
    if format_.is_matrix:
        raise OutputError(
            f"{format_.name} is not an image format; numpy.save and numpy.savetxt write arrays", path=path
        )
    if range_ is not None and range_ not in list(Range):
        raise OutputError(f"range {range_!r} is unknown: {', '.join(Range)}{nearest(str(range_), Range)}")
    _check_options({"quality": quality, "compression": compression}, format_.name, path)
    pixels = _as_levels(pixels, path, None if range_ is None else Range(range_))
    notes: list[str] = []
    data = bytes(encode_pixels(pixels, path, quality=quality, compression=compression, notes=notes))
    for note in notes:
        warn(f"{path}: {note}")
    return data


_LIMITS = {"quality": (1, 100), "compression": (0, 9)}


def _check_options(options: Mapping[str, int | None], format_name: str, path: str) -> None:
    """Raise an `OutputError` for an option beyond its limits, and warn of one that the format does not take."""
    for name, value in options.items():
        least, most = _LIMITS[name]
        if value is not None and not (isinstance(value, int | np.integer) and least <= value <= most):
            raise OutputError(f"{name} {value!r} is not a whole number from {least} to {most}")
        if value is not None and format_name not in FORMATS_TAKING[name]:
            warn(f"{path}: {name} is for {name_formats_taking(name)}, and changes nothing in {format_name}")


def _as_levels(pixels: Array, path: str, range_: Range | None) -> Array:
    """Return pixels as a file of the path's format holds them."""
    format_ = find_format(path)
    if pixels.dtype == np.bool_:
        pixels = pixels * (np.uint8(255) if Depth.EIGHT in format_.depths else np.float32(1))
    is_float = pixels.dtype.kind == "f"
    usual = Depth.FLOAT if Depth.FLOAT in format_.depths else Depth.EIGHT
    depth = usual if is_float else DEPTHS.get(pixels.dtype)
    if depth is None or depth not in format_.depths:
        raise OutputError(
            f"{format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}; "
            f"`image.astype(numpy.{'float32' if usual is Depth.FLOAT else 'uint8'})` makes that of it",
            path=path,
        )
    if range_ is None and not is_float:
        return pixels
    if range_ is None and depth is not Depth.FLOAT and has_white_at_1(pixels):
        warn(f"{path} is nearly black: floats from 0 to 1 are written as levels from 0 to 255; write `image * 255`")
    white = MAXIMA[Depth.EIGHT if is_float else depth]
    levels, outside = to_levels(pixels, range_=range_, maximum=white, depth=depth)
    if outside > MOST_CLIPPED * pixels.size and range_ not in {Range.CLIP, Range.MAX}:
        clipping = describe_clipping(outside / pixels.size, 'range="scale" shows them')
        warn(f"{path}: {clipping}")
    return levels


@_public
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
    bias: float | Sequence[float] | Doubles = 0.0,
) -> NDArray[np.float32 | np.float64]:
    """Lay a kernel on every place of an image, and sum the products there.

    This is cross-correlation, which CNNs call convolution: the kernel is laid on as it is drawn.

    Parameters
    ----------
    image : array_like
        (H, W) or (H, W, C); bool, integers or floats.
    kernel : str, path or array_like
        A name (`"sharpen"`, `"gaussian:15:2.5"`), a matrix as text (`"0 -1 0; -1 5 -1; 0 -1 0"`), the path of a kernel
        file, or an array: (kh, kw) filters each channel by itself; (kh, kw, C) sums over the channels;
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
        The number of groups into which the channels and the outputs of a bank are divided, each filtered by itself.
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
        If the image looks like (channels, height, width).

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
    bias: float | Sequence[float] | Doubles


class _LaidKernel(NamedTuple):
    """A kernel laid on an image (H, W, C): the layer, its bank (kh, kw, in / groups, out), and the biases (out,)."""

    volume: Array
    name: str
    kernel: Kernel
    layer: Conv | DepthwiseConv
    bank: Doubles
    biases: Doubles


def _lay(image: ArrayLike, kernel: KernelLike, options: _LayingOptions, caller: str) -> _LaidKernel:
    """Return a kernel laid on an image, or raise a `CnnFilterError` that says what does not fit."""
    volume, (name, given) = _as_volume(image, caller), _as_kernel(kernel)
    shape, border = given.weights.shape, _as_border(options.border)
    window = Window(
        size=(shape[0], shape[1]),
        stride=as_pair(options.stride, "stride"),
        padding=default_padding(border) if options.padding is None else as_padding(options.padding),
        dilation=as_pair(options.dilation, "dilation"),
    )
    word = KernelWord(name, shape)
    layer: Conv | DepthwiseConv
    if len(shape) > 2:
        layer = Conv(window=window, kernels=(word,), border=border, groups=_as_count(options.groups, "groups"))
    elif options.groups == 1:
        layer = DepthwiseConv(window=window, kernels=(word,), border=border)
    else:
        reason = f"{options.groups} groups need a bank of shape (kh, kw, in, out)"
        raise ShapeError(f"{reason}; a 2-D kernel filters each channel")
    if options.flip:
        given = given._replace(weights=given.weights[::-1, ::-1])
    bank, offsets = build_bank(layer, (given,), volume.shape[2])
    return _LaidKernel(volume, name, given, layer, bank, offsets + _as_biases(options.bias, word.maps))


def _as_volume(image: ArrayLike, caller: str) -> Array:
    """Return an image as (H, W, C), and warn where its channels seem to come first."""
    array = as_numbers(image, "image")
    if array.ndim == 4:
        raise ShapeError(
            f"image has 4 dimensions, {array.shape}, and {caller} takes one image, (H, W) or (H, W, C), at a time: "
            f"`[{caller}(one, ...) for one in image]`"
        )
    volume = as_volume(array)
    if warn_about_input(array.shape):
        warn(
            f"image of shape {array.shape} is read as {array.shape[0]} rows and {array.shape[1]} columns; if its "
            "channels come first, `image.transpose(1, 2, 0)` puts them last"
        )
    return volume


def _as_kernel(kernel: KernelLike) -> tuple[str, Kernel]:
    """Return what messages call a kernel, and the kernel."""
    if isinstance(kernel, PathLike):
        path = fspath(kernel)
        return path, load_kernel(path if "/" in path else f"./{path}")  # a file, also where a kernel has its name
    if isinstance(kernel, str):
        return kernel, load_kernel(kernel)
    weights = as_numbers(kernel, "kernel", KernelError)
    if weights.ndim not in {2, 3, 4}:
        shapes = "(kh, kw), (kh, kw, in) or (kh, kw, in, out)"
        raise KernelError(f"kernel has the shape {weights.shape}; a kernel is {shapes}")
    if not np.isfinite(weights).all():
        raise KernelError("kernel holds nan or infinity; its weights are finite")
    return "kernel", Kernel(weights.astype(np.float64))


def _as_border(border: Borders) -> Border:
    """Return the border that a word means, or a number that the padding holds."""
    if isinstance(border, str | Border):
        return as_border(border)
    if isinstance(border, int | float | np.number):
        return Border(BorderMode.CONSTANT, float(border))
    return as_border(str(border))


def _as_count(value: int, subject: str) -> int:
    try:
        return index(value)
    except TypeError as error:
        raise ShapeError(f"{subject} {value!r} is not a whole number") from error


def _as_biases(bias: float | Sequence[float] | Doubles, outputs: int) -> Doubles:
    """Return one bias, or one for each output of a bank."""
    try:
        biases = np.array(bias, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"bias {bias!r} is not a number, or a list with a number for each output") from error
    if bias is None or not np.isfinite(biases).all():
        raise ShapeError(f"bias {bias!r} is not a finite number, or a list with one for each output")
    if biases.ndim and biases.shape != (outputs,):
        raise ShapeError(f"bias has the shape {biases.shape}, and the kernel has {outputs} outputs: give ({outputs},)")
    return biases


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
        return describe_trace(self.trace, self.result, None)

    def __str__(self) -> str:
        return explain_trace(self.trace, self.result, self.title).rstrip("\n")

    def __repr__(self) -> str:
        values = ", ".join(map(show_exact, self.result[:4])) + ", ..." * (len(self.result) > 4)
        return f"<TracedValue at {list(self.trace.place)}: {values}; print shows it>"


@_public
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
    bias: float | Sequence[float] | Doubles = 0.0,
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
    laid = _lay(image, kernel, _LayingOptions(stride, padding, dilation, border, flip, groups, bias), "trace")
    row, column = _as_place(at)
    network = Network((laid.layer,))
    program = Program(network, (Step(network.nodes[0], (laid.kernel,), {}, ()),))
    traced = trace_value(program, laid.volume, (row, column))
    biases = np.broadcast_to(laid.biases, laid.bank.shape[3])
    pairs = zip(traced.weighings, biases, strict=True)
    traced = traced._replace(weighings=tuple(weighing._replace(bias=float(bias)) for weighing, bias in pairs))
    maps = convolve_volume(laid.volume, laid.bank, laid.layer.window, border=laid.layer.border, bias=laid.biases)
    return TracedValue(maps[row, column], traced, f"image, {laid.name}")


def _as_place(at: tuple[int, int]) -> tuple[int, int]:
    try:
        row, column = (index(number) for number in at)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"at {at!r} is not (row, column), two whole numbers") from error
    if min(row, column) < 0:
        raise ShapeError(f"at {at!r} is negative; rows and columns are counted from 0")
    return row, column


@_public
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
    volume = _as_volume(image, "pool")
    if mode not in list(PoolMode):
        meant = "; nearest: avg" if mode in {"mean", "average"} else nearest(str(mode), PoolMode)
        raise LanguageError(f"mode {mode!r} is unknown: {', '.join(PoolMode)}{meant}")
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
    return pooled[:, :, 0] if np.ndim(image) == 2 else pooled


@_public
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
    return _as_kernel(word)[1].weights


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
    if number is not None and _as_count(number, "number of threads") < 1:
        raise ShapeError(f"number of threads {number} is below 1; None means one for each core")
    limit_threads(number)
    cv2.setNumThreads(-1 if number is None else number)


class RunnableNetwork(Network):
    """A network that runs on arrays, and knows its sizes; `network` makes one.

    Attributes
    ----------
    layers : tuple
        The layers in the order in which they are applied.
    input : (int, int, int) or None
        The (height, width, channels) that its file names.
    weights : path or None
        The file of weights that its file names.
    preparation : Preparation
        How its file says that images are scaled before the first layer.
    """

    input: Shape | None = None
    weights: Path | None = None
    preparation: Preparation = Preparation()

    def __eq__(self, other: object) -> bool:
        return self.layers == other.layers if isinstance(other, RunnableNetwork) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.layers)

    @_public
    def run(self, image: ArrayLike, weights: str | PathLike[str] | Mapping[str, ArrayLike] | None = None) -> Array:
        """Return what comes out of the last layer.

        Parameters
        ----------
        image : array_like
            (H, W) or (H, W, C), or several images of one size, (N, H, W, C).
        weights : str, path or mapping, optional
            The path of an `.npz` or `.safetensors` file, or arrays by name, as a state dict of PyTorch has them. By
            default those that the network's file names.

        Returns
        -------
        numpy.ndarray
            (H', W', C'), or (H', W') if there is one channel; (length,) after `flatten`. Of several images
            (N, H', W', C') or (N, length).

        Raises
        ------
        ShapeError
            If the image is not an array of real numbers, or a layer cannot take what the one before it gives.
        KernelError
            If a layer has no weights, or the weights do not fit.

        Examples
        --------
        >>> network("relu maxpool:2").run([[-1.0, 2.0], [3.0, -4.0]])
        array([[3.]])
        """
        images = as_numbers(image, "image")
        model = self._model if weights is None else Model(self, _state(weights))
        if images.ndim != 4:
            return self._run(images, model)
        results = [self._run(one, model) for one in images]
        return np.stack([result[:, :, None] if result.ndim == 2 else result for result in results])

    def _run(self, image: Array, model: Model) -> Array:
        """Return what comes out for one image, without its channel axis if there is one channel."""
        volume = as_volume(image)
        white = white_of(volume) * self.preparation.scale
        return run_program(model.program(volume.shape), prepare(volume, self.preparation), white=white)

    @cached_property
    def _model(self) -> Model:
        """The network with the weights of its file, read once."""
        return Model(self, None if self.weights is None else _state(self.weights))

    @_public
    def summary(
        self, shape: str | Sequence[int] | None = None, *, batch: int = 1, dtype: FloatName = "float32"
    ) -> Summary:
        """Return the sizes, parameters and multiplications of each layer; `print` shows them as a table.

        Parameters
        ----------
        shape : tuple or str, optional
            The input, (height, width) or (height, width, channels), or `"HxWxC"`. By default the one that the
            network's file names.
        batch, dtype : int, str
            How many inputs run together, and in which type: what `.totals.bytes` counts.

        Returns
        -------
        Summary
            `.rows` has a row for each layer (`.name .output .parameters .macs ...`), `.totals` their sums, and
            `.totals.bytes` the memory of `.parameters`, `.activations` and of the most that is `.live` at a time.

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives, no shape is known, or the batch is empty.
        LanguageError
            If the type is another.

        Examples
        --------
        >>> network("conv:3x3,16").summary((64, 64, 3)).totals.parameters
        448
        """
        if shape is not None:
            return summarize(self, _as_input(shape), batch=batch, dtype=dtype)
        if self.input is None:
            raise ShapeError("the network names no input; give its shape, as in summary((224, 224, 3))")
        return summarize(self, self.input, batch=batch, dtype=dtype)


def _as_input(shape: str | Sequence[int]) -> Shape:
    """Return (height, width, channels) from a text, or from two or three numbers."""
    try:
        return as_shape(shape if isinstance(shape, str) else [index(number) for number in shape])
    except TypeError as error:
        raise ShapeError(f"shape {shape!r} is not (height, width, channels), such as (224, 224, 3)") from error


def _state(weights: str | PathLike[str] | Mapping[str, ArrayLike]) -> StateDict:
    if isinstance(weights, Mapping):
        return StateDict(as_tensors(weights))
    if not isinstance(weights, str | PathLike):
        raise KernelError(f"weights are a path or a mapping from names to arrays, not {type(weights).__name__}")
    return read_state_dict(weights)


@_public
def network(text: str | PathLike[str]) -> RunnableNetwork:
    """Return a network from a text such as `conv:sobel-x,same relu maxpool:2`, or from a file.

    Parameters
    ----------
    text : str or path
        The layers, or the path of a network file (`.toml`, `.json`, `.txt`).

    Returns
    -------
    RunnableNetwork
        `.run(image)` returns what comes out of the last layer, `.summary((H, W, C))` the sizes.

    Raises
    ------
    LanguageError
        If a word is unknown, or the file cannot be read.

    Examples
    --------
    >>> network("relu maxpool:2,s1").run(np.array([[-1.0, 2.0], [3.0, -4.0]]))
    array([[3.]])
    """
    if not isinstance(text, str | PathLike):
        raise LanguageError(f"network takes the layers as text or the path of a file, not {type(text).__name__}")
    document: Document = load_document(text) if isinstance(text, str) else read_document(Path(text))
    return RunnableNetwork(document.network.layers, document.input, document.weights, document.preparation)
