"""Networks that run on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import as_volume, run_program, white_of
from cnnfilter.compute.preparation import prepare
from cnnfilter.compute.states import StateDict
from cnnfilter.compute.weights import Model
from cnnfilter.documents import Document, load_document, read_document
from cnnfilter.files.weights import as_tensors, keeps_order, read_weights
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.network import Network as Layers
from cnnfilter.spec.preparation import Preparation
from cnnfilter.spec.summary import Summary, summarize


class Network(Layers):
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
        return self.layers == other.layers if isinstance(other, Network) else NotImplemented

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
    path = Path(weights)
    return StateDict(read_weights(path), str(path), ordered=keeps_order(path))


def network(text: str | PathLike[str]) -> Network:
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
    return Network(document.network.layers, document.input, document.weights, document.preparation)
