"""Layers that bring values to a common scale: by batches, by neighbouring channels, by how frequent they are."""

from cnnfilter.errors import ShapeError
from cnnfilter.spec.layers import Layer, Shape


class BatchNorm(Layer):
    """Each channel shifted and scaled by what was measured and learned in training.

    (x - mean) / sqrt(variance + eps) * weight + bias (Ioffe and Szegedy, "Batch Normalization", 2015).
    """

    ROWS = "point"
    ALPHA = "none"
    KEYS = ("eps",)
    op = "batchnorm"
    learns = True

    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.eps < 0:
            raise ShapeError(f"eps {self.eps} is negative; it is added to a variance")

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return weight, bias, mean and variance: a number for each channel."""
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (shape[-1],))


class LocalResponseNorm(Layer):
    """Each value divided by (k + alpha / size * sum of squares of `size` neighbouring channels) ** beta.

    The channels lie around the value's own, one more before it where `size` is even, as in PyTorch and
    Caffe (Krizhevsky et al., "ImageNet classification with deep CNNs", 2012, has alpha without the division).
    """

    ROWS = "point"
    ALPHA = "none"
    BARE = "size"
    COUNTS = "number of channels"
    KEYS = ("alpha", "beta", "k")
    op = "lrn"

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ShapeError(f"number of channels {self.size} is below 1, the least that is allowed")

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)


class Equalize(Layer):
    """Each channel's values spread so that all levels are about as frequent, from black to white."""

    ROWS = "whole"
    ALPHA = "none"
    op = "equalize"

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)
