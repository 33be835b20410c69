"""Networks on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import index
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cnnfilter.api.arguments import public
from cnnfilter.arrays import Array, as_numbers
from cnnfilter.compute.forward import as_volume, prepare, run_program, white_of
from cnnfilter.compute.state_dict import StateDict, read_state_dict
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import KernelError, LanguageError, ShapeError
from cnnfilter.exchange.documents import load_network
from cnnfilter.io.weights import as_tensors
from cnnfilter.log import warn
from cnnfilter.network_files import MODEL_SUFFIX, Document, Preparation, read_document
from cnnfilter.nn.layers import Shape, as_shape
from cnnfilter.nn.lint import has_channels_first
from cnnfilter.nn.network import Network
from cnnfilter.nn.summary import FloatName, Summary, summarize


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
    state : mapping or None
        The weights that the file itself holds, of a model of ONNX.
    """

    input: Shape | None = None
    weights: Path | None = None
    preparation: Preparation = Preparation()
    state: Mapping[str, Any] | None = None

    def __eq__(self, other: object) -> bool:
        return self.layers == other.layers if isinstance(other, RunnableNetwork) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.layers)

    @public
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
        if images.ndim not in {2, 3, 4}:
            raise ShapeError(f"image has the shape {images.shape}; (H, W), (H, W, C) and (N, H, W, C) are images")
        model = self._model if weights is None else Model(self, as_state(weights))
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
        found = self.state if self.weights is None else self.weights
        return Model(self, None if found is None else as_state(found))

    @public
    def summary(
        self, shape: str | Sequence[int] | None = None, *, batch: int = 1, dtype: FloatName = "float32"
    ) -> Summary:
        """Return the sizes, parameters and multiplications of each layer; `print` shows them as a table.

        Parameters
        ----------
        shape : tuple or str, optional
            The input, (height, width) or (height, width, channels), or `"HxWxC"`. By default the one that the
            network's file names.
        batch : int
            How many inputs run together, which `.totals.bytes` counts. Default 1.
        dtype : {"float32", "float16"}
            The type whose bytes `.totals.bytes` counts. Default `float32`.

        Returns
        -------
        Summary
            `.rows` has a row for each layer (`.name .output .parameters .macs ...`), `.totals` their sums, and
            `.totals.bytes` the memory of `.parameters`, `.activations` and of the most that is `.live` at a time.

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives, no shape is known, or the batch is below 1.
        LanguageError
            If the type is unknown.

        Warns
        -----
        UserWarning
            If the shape looks like (channels, height, width).

        Examples
        --------
        >>> network("conv:3x3,16").summary((64, 64, 3)).totals.parameters
        448
        """
        if shape is not None:
            return summarize(self, as_input(shape), batch=batch, dtype=dtype)
        if self.input is None:
            raise ShapeError("the network names no input; give its shape, as in summary((224, 224, 3))")
        return summarize(self, self.input, batch=batch, dtype=dtype)


def as_input(shape: str | Sequence[int]) -> Shape:
    """Return (height, width, channels) from a text, or from two or three numbers."""
    try:
        given = shape if isinstance(shape, str) else [index(number) for number in shape]
    except TypeError:
        given = []
    if len(given) not in {2, 3} and not isinstance(given, str):
        raise ShapeError(f"shape {shape!r} is not (height, width) or (height, width, channels), such as (224, 224, 3)")
    sizes = as_shape(given)
    if has_channels_first(sizes):
        height, width, channels = sizes
        warn(f"shape {sizes} is read as {height} rows; for {height} channels give {(width, channels, height)}")
    return sizes


def as_state(weights: str | PathLike[str] | Mapping[str, ArrayLike]) -> StateDict:
    """Return the weights in a file, or those that a mapping has."""
    if isinstance(weights, Mapping):
        return StateDict(as_tensors(weights))
    if not isinstance(weights, str | PathLike):
        raise KernelError(f"weights are a path or a mapping from names to arrays, not {type(weights).__name__}")
    return read_state_dict(weights)


@public
def network(text: str | PathLike[str]) -> RunnableNetwork:
    """Return a network from a text such as `conv:sobel-x,same relu maxpool:2`, from its name, or from a file.

    Parameters
    ----------
    text : str or path
        The layers, the name of a known network (`"resnet18"`), or the path of a network file (`.toml`, `.json`,
        `.txt`) or of a model of ONNX (`.onnx`).

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
    >>> network("relu maxpool:2,s1").run([[-1.0, 2.0], [3.0, -4.0]])
    array([[3.]])
    >>> network("lenet5").summary().input
    (32, 32, 3)
    """
    if not isinstance(text, str | PathLike):
        raise LanguageError(f"network takes the layers as text or the path of a file, not {type(text).__name__}")
    is_path = not isinstance(text, str) and Path(text).suffix.lower() != MODEL_SUFFIX
    document: Document = read_document(Path(text)) if is_path else load_network(fspath(text), runs=True)
    return RunnableNetwork(
        document.network.layers,
        input=document.input,
        weights=document.weights,
        preparation=document.preparation,
        state=document.state,
    )
