"""What Python programs call."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import as_volume, build_bank, prepare, run_program, white_of
from cnnfilter.compute.pool import pool_volume
from cnnfilter.compute.state_dict import StateDict, read_state_dict
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import KernelError, LanguageError, OutputError, ShapeError, nearest
from cnnfilter.io.atomic import read_bytes, write_whole
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image
from cnnfilter.io.formats import Depth, Range, find_format
from cnnfilter.io.levels import DEPTHS, MAXIMA, MOST_CLIPPED, describe_clipping, has_white_at_1, to_levels
from cnnfilter.io.weights import as_tensors
from cnnfilter.kernels.spec import Kernel, load_kernel
from cnnfilter.network_files import Document, Preparation, load_document, read_document
from cnnfilter.nn.geometry import Border, Window, as_border, as_padding, as_pair, default_padding
from cnnfilter.nn.layers import Conv, DepthwiseConv, KernelWord, Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Pool, PoolMode
from cnnfilter.nn.summary import Summary, summarize


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
    return decode_picture(read_bytes(path), str(path), matrix=False).pixels


def write_image(path: str | Path, image: Array, *, range: str | None = None) -> None:
    """Write an image file, which appears whole or not at all.

    Parameters
    ----------
    path
        Its suffix is the format.
    image
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA. uint8 and uint16 are written as they are; floats are
        levels of 8 bits, 0 to 255, rounded half to even, unless the format holds floats; False is 0 and
        True is white.
    range
        How values are brought into the file's range: `clip`, `abs`, `scale`, `max`, `offset`, `none`. By
        default floats are clipped where the format holds none, and nothing else is changed.

    Raises
    ------
    OutputError
        If the suffix or the range is unknown, or the format cannot hold the image's type.
    ImageFileError
        If the system refuses, or the format cannot hold the channels.

    Warns
    -----
    UserWarning
        If more than 0.1 % of the values are clipped, or floats from 0 to 1 become levels of 0 to 255.
    """
    pixels = np.asarray(image)
    format_ = find_format(path)
    if pixels.dtype == np.bool_:
        pixels = pixels * (np.uint8(255) if Depth.EIGHT in format_.depths else np.float32(1))
    if range is not None and range not in list(Range):
        raise OutputError(f"range {range!r} is unknown: {', '.join(Range)}")
    if format_.is_matrix or pixels.dtype.kind not in "uif":
        raise OutputError(f"{path}: no image file, or no image of {pixels.dtype}; numpy.save writes any array")
    whole = pixels.dtype.kind != "f"
    usual = Depth.FLOAT if Depth.FLOAT in format_.depths else Depth.EIGHT
    depth = DEPTHS.get(pixels.dtype) if whole else usual
    if depth is None or depth not in format_.depths:
        raise OutputError(f"{path}: {format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}")
    if not whole or range is not None:
        white = MAXIMA[depth if whole else Depth.EIGHT]
        if range is None and depth is not Depth.FLOAT and has_white_at_1(pixels):
            hint = "levels go from 0 to 255, and the floats from 0 to 1: `image * 255` is written in full"
            warnings.warn(f"{path} is nearly black: {hint}", stacklevel=2)
        pixels, outside = to_levels(pixels, range_=Range(range) if range else None, maximum=white, depth=depth)
        if outside > MOST_CLIPPED * pixels.size:
            warnings.warn(describe_clipping(outside / pixels.size, 'range="scale" shows them'), stacklevel=2)
    notes: list[str] = []
    write_whole(Path(path), encode_image(pixels, path, notes=notes))
    for note in notes:
        warnings.warn(note, stacklevel=2)


Numbers = int | str | Sequence[int]
"""One number for both axes, (height, width), or a text such as `3x2`."""


def convolve(
    image: Array,
    kernel: Array,
    *,
    stride: Numbers = 1,
    padding: Numbers | None = None,
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
        By default 0, or `same` where a border other than zero is given.
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
    volume = as_volume(np.asarray(image))
    weights = _weights(kernel)
    word = KernelWord("given", weights.shape)
    edge = as_border(border)
    window = Window(
        size=(weights.shape[0], weights.shape[1]),
        stride=as_pair(stride, "stride"),
        padding=default_padding(edge) if padding is None else as_padding(padding),
        dilation=as_pair(dilation, "dilation"),
    )
    fields: dict[str, Any] = {"window": window, "kernels": (word,), "border": edge, "bias": float(bias)}
    if weights.ndim == 2 and groups != 1:
        raise ShapeError(f"{groups} groups need a bank of shape (kh, kw, in, out); a 2-D kernel filters each channel")
    layer = DepthwiseConv(**fields) if weights.ndim == 2 else Conv(**fields, groups=groups)
    bank, biases = build_bank(layer, (Kernel(weights[::-1, ::-1] if flip else weights),), volume.shape[2])
    maps = convolve_volume(volume, bank, window, border=layer.border, bias=biases)
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
        even where the median lies between two), floats under avg and l2. nan where a window holds nan.

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
    volume = as_volume(given)
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


class RunnableNetwork(Network):
    """A network that runs on arrays, and knows its sizes.

    Parameters
    ----------
    layers
        The layers in the order in which they are applied.
    input
        The (height, width, channels) that its file names, or None.
    weights
        The file of weights that its file names, or None.
    preparation
        What its file says of the images: how they are scaled before the first layer.
    """

    input: Shape | None = None
    weights: Path | None = None
    preparation: Preparation = Preparation()

    def __eq__(self, other: object) -> bool:
        return self.layers == other.layers if isinstance(other, RunnableNetwork) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.layers)

    def run(self, image: Array, weights: str | PathLike[str] | Mapping[str, Array] | None = None) -> Array:
        """Return what comes out of the last layer.

        Parameters
        ----------
        image
            (H, W) or (H, W, C).
        weights
            The path of an `.npz` or `.safetensors` file, or its tensors by name, as a state dict of PyTorch has
            them; by default those that the network's file names.

        Returns
        -------
        ndarray
            (H', W', C'), without its channel axis if there is one channel; (length,) after `flatten`.

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives.
        KernelError
            If a layer has no weights, or the weights do not fit.
        """
        volume = as_volume(np.asarray(image))
        model = self._model if weights is None else Model(self, _state(weights))
        white = white_of(volume) * self.preparation.scale
        return run_program(model.program(volume.shape), prepare(volume, self.preparation), white=white)

    @cached_property
    def _model(self) -> Model:
        """The network with the weights of its file, read once."""
        return Model(self, None if self.weights is None else _state(self.weights))

    def summary(self, shape: Shape | None = None) -> Summary:
        """Return the sizes, parameters and multiplications for an input of (height, width[, channels]).

        Without a shape it is the one that the network's file names.

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives, or no shape is known.

        Examples
        --------
        >>> network("conv:3x3,16").summary((64, 64, 3)).totals.parameters
        448
        """
        given = (self.input or ()) if shape is None else shape
        return summarize(self, (*given, 1) if len(given) == 2 else tuple(given))


def _state(weights: str | PathLike[str] | Mapping[str, Array]) -> StateDict:
    if isinstance(weights, Mapping):
        return StateDict(as_tensors(weights))
    return read_state_dict(weights)


def network(text: str | PathLike[str]) -> RunnableNetwork:
    """Return the network that a text writes, such as `conv:sobel-x,same relu maxpool:2`, or that a file has.

    Parameters
    ----------
    text
        The layers, or the path of a network file (`.toml`, `.json`, `.txt`).

    Raises
    ------
    LanguageError
        If a word is unknown, or the file cannot be read.

    Examples
    --------
    >>> network("relu maxpool:2,s1").run(np.array([[-1.0, 2.0], [3.0, -4.0]]))
    array([[3.]])
    """
    document: Document = load_document(text) if isinstance(text, str) else read_document(Path(text))
    return RunnableNetwork(document.network.layers, document.input, document.weights, document.preparation)
