"""Networks that run on arrays."""

from __future__ import annotations

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute import network as running
from cnnfilter.kernels import kernel_shape
from cnnfilter.spec.language import parse_network
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.network import Network as Layers
from cnnfilter.spec.summary import Summary, summarize


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
        return summarize(self, (*shape, 1) if len(shape) == 2 else tuple(shape))


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
