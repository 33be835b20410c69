"""Normalizations: layers that shift and scale values by a mean and a variance, or by what is around them."""

from collections.abc import Iterator
from typing import ClassVar

from cnnfilter.errors import ShapeError
from cnnfilter.nn.layers import Layer, Shape
from cnnfilter.numbers import count


class Norm(Layer):
    """(x - mean) / sqrt(variance + eps) * weight + bias; without the last two where it is not `affine`."""

    ALPHA = "none"
    KEYS = ("eps",)
    INITIAL: ClassVar[dict[str, float]] = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}

    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eps < 0:
            raise ShapeError(f"eps {self.eps} is negative; it is added to a variance")

    @property
    def learns(self) -> bool:
        """Whether it has weight and bias."""
        return self.affine

    def options(self) -> Iterator[str]:
        """Yield the options that are not the usual ones, as the language writes them."""
        yield from super().options()
        if self.affine != type(self).affine:
            yield "noaffine"

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return weight and bias, a number for each channel."""
        return dict.fromkeys(("weight", "bias"), (shape[-1],)) if self.affine else {}


class BatchNorm(Norm):
    """Each channel shifted and scaled by what was measured and learned in training.

    Ioffe and Szegedy, "Batch Normalization", 2015.
    """

    ROWS = "point"
    op = "batchnorm"
    learns = True

    @property
    def follows_gradients(self) -> bool:
        """Whether it has weight and bias."""
        return self.affine

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return weight, bias, mean and variance: a number for each channel."""
        return super().tensors(shape) | dict.fromkeys(("running_mean", "running_var"), (shape[-1],))


class OwnNorm(Norm):
    """A norm by the mean and the variance of what goes in; `sets` of channels have their own."""

    ROWS = "whole"

    def sets(self, channels: int) -> int:
        """Return the number of sets of channels that have a mean and a variance, each of as many neighbours."""
        raise NotImplementedError


class GroupNorm(OwnNorm):
    """Groups of channels, each by its own mean and variance (Wu and He, "Group Normalization", 2018)."""

    BARE = "groups"
    COUNTS = "number of groups"
    op = "groupnorm"

    groups: int

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels); the groups must divide the channels."""
        channels = self.volume(shape)[2]
        if channels % self.groups:
            raise ShapeError(f"{count(channels, 'channel')} cannot be divided into {self.groups} groups")
        return shape

    def sets(self, channels: int) -> int:
        """Return the number of groups."""
        return self.groups


class InstanceNorm(OwnNorm):
    """Each channel by its own mean and variance, and no more.

    Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", 2016.
    """

    op = "instancenorm"

    affine: bool = False

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)

    def sets(self, channels: int) -> int:
        """Return the number of channels."""
        return channels


class LayerNorm(OwnNorm):
    """All values by their mean and variance, each with its own weight and bias.

    Ba, Kiros and Hinton, "Layer Normalization", 2016.
    """

    op = "layernorm"

    def sets(self, channels: int) -> int:
        """Return 1: all values together."""
        return 1

    def tensors(self, shape: Shape) -> dict[str, Shape]:
        """Return weight and bias, (channels, height, width) or (length,)."""
        return dict.fromkeys(("weight", "bias"), (*shape[2:], *shape[:2])) if self.affine else {}


class LocalResponseNorm(Layer):
    """Each value divided by (k + alpha / size * sum of squares of `size` neighbouring channels) ** beta.

    The channels are around the value's own, one more before it where `size` is even, as in PyTorch and
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

    def output(self, shape: Shape) -> Shape:
        """Return (height, width, channels)."""
        return self.volume(shape)
