"""What a command's NETWORK means: a text, a known network, a network file, or a model of ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnfilter.network_files import MODEL_SUFFIX, Document, load_document

if TYPE_CHECKING:
    from cnnfilter.nn.geometry import Pair


def load_network(text: str, size: Pair | None = None, *, runs: bool = False) -> Document:
    """Return the network that a text writes, that is known by this name, or that a file holds, a model of ONNX too.

    `size` is the (height, width) for a model whose input has no fixed one. A model with operators that are not known
    here becomes a single layer, which OpenCV runs, if the network `runs`; else it is refused.
    """
    if not text.lower().endswith(MODEL_SUFFIX) or "\n" in text:
        return load_document(text)
    from pathlib import Path  # noqa: PLC0415  only files need it

    from cnnfilter.exchange.models import read_model  # noqa: PLC0415  only models need numpy

    return read_model(Path(text), size, runs=runs)
