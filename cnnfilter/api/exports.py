"""Networks written for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import get_args

from numpy.typing import ArrayLike

from cnnfilter.api.arguments import check_choice, public
from cnnfilter.api.networks import RunnableNetwork, as_input, as_state, network
from cnnfilter.compute.state_dict import Init
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.exchange.exporting import check_target, export_network, find_weights
from cnnfilter.io.atomic import write_whole
from cnnfilter.network_files import Document


@public
def export(
    layers: str | PathLike[str] | RunnableNetwork,
    path: str | PathLike[str],
    *,
    weights: str | PathLike[str] | Mapping[str, ArrayLike] | None = None,
    init: Init | None = None,
    seed: int = 0,
    input: str | Sequence[int] | None = None,
) -> None:
    """Write a network with its weights as a file for other programs.

    Parameters
    ----------
    layers : str, path or network
        What `network` takes, or a network.
    path : str or path
        The file: `.onnx` (needs the package onnx), `.py` with a module of PyTorch, `.npz` or `.safetensors` with the
        weights alone.
    weights : str, path or mapping, optional
        What `run` takes. By default those that the network's file names.
    init : {"he", "uniform"}, optional
        Random weights instead.
    seed : int
        The same seed gives the same random weights.
    input : tuple or str, optional
        (height, width) or (height, width, channels). By default the one that the network's file names.

    Raises
    ------
    ShapeError
        If no input is known, or a layer cannot take what the one before it gives.
    LanguageError
        If a kind of file has no place for a layer.
    KernelError
        If a layer has no weights, or the weights do not fit.
    OutputError
        If the suffix is none of these, or OpenCV computes something else of the model; nothing is written then.

    Examples
    --------
    >>> export("gray conv:sobel-x relu", "edges.py", input=(480, 640, 3))  # doctest: +SKIP
    """
    net, target = layers if isinstance(layers, RunnableNetwork) else network(layers), Path(path)
    check_target(target)
    if init is not None:
        check_choice(init, get_args(Init), "init")
        if weights is not None:
            raise LanguageError("init draws weights, and weights gives them; leave one out")
    size = net.input if input is None else as_input(input)
    if size is None:
        raise ShapeError("the network names no input; give it, as in input=(224, 224, 3)")
    document = Document(net, size, net.weights, preparation=net.preparation, state=net.state)
    found = find_weights(document, None, init, seed) if weights is None else as_state(weights)
    write_whole(target, export_network(document, target, found, size))
