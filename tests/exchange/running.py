"""Networks to be exported, and what runs them elsewhere."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import cnnfilter

Floats = NDArray[np.float32]


class Case(NamedTuple):
    """A network, by its name or in the language, and the size of an input that is small enough for a test."""

    network: str
    size: tuple[int, int, int]

    @property
    def image(self) -> Floats:
        """An image of random numbers from 0 to 1, or to 255 where the network scales it."""
        scale = np.float32(cnnfilter.network(self.network).preparation.scale)
        return np.random.default_rng(0).random(self.size, dtype=np.float32) / scale

    @property
    def has_weights(self) -> bool:
        """Whether there is anything to be written into a file of weights."""
        totals = cnnfilter.network(self.network).summary(self.size).totals
        return bool(totals.parameters) and self.network != "gray"

    def export(self, path: Path) -> Path:
        """Write the network with random weights into a file."""
        cnnfilter.export(self.network, path, init="uniform", seed=1, input=self.size)
        return path

    def run(self, folder: Path) -> Floats:
        """Return what cnnfilter makes of the image with the same weights, which are then in `net.npz`."""
        weights = self.export(folder / "net.npz") if self.has_weights else None
        return np.asarray(cnnfilter.network(self.network).run(self.image, weights))


def to_torch(image: Floats) -> Floats:
    """Return (H, W, C) as (1, C, H, W)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def from_torch(values: Any) -> Floats:
    """Return (1, C, H, W) as (H, W, C), or (H, W) if there is one channel; (1, length) as (length,)."""
    first = np.asarray(values)[0]
    turned = first.transpose(1, 2, 0) if first.ndim == 3 else first
    return np.asarray(turned[:, :, 0] if turned.shape[2:] == (1,) else turned)


def difference(found: Floats, expected: Floats) -> float:
    """Return the greatest difference, relative to the largest value."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


GOOGLENET = str(cnnfilter.network("googlenet")).replace("avgpool:7,s1", "gap")
"""GoogLeNet for smaller images: a test would take half a minute for those of its paper."""

KNOWN = (
    Case("lenet5", (32, 32, 3)),
    Case("lenet5-1998", (32, 32, 1)),
    Case("resnet18", (32, 32, 3)),
    Case("squeezenet", (48, 48, 3)),
    Case(GOOGLENET, (64, 64, 3)),
    Case("mobilenet", (32, 32, 3)),
    Case("digits", (8, 8, 1)),
)
"""Known networks; those that end in a global pool are smaller than usual."""

LAYERS = (
    "maxpool:3,s2,p1,ceil",
    "maxpool:2,s1,d2,same",
    "minpool:3,same",
    "avgpool:3,s2,p1,ceil",
    "avgpool:3,s2,p1,countpad,ceil",
    "avgpool:3,s2,p=0/1/1/0",
    "avgpool:3x2,d2",
    "l2pool:3,s2,ceil",
    "gap",
    "gmp flatten",
    "lrn:5,alpha=0.5",
    "lrn:4,alpha=0.5,k=2",
    "conv:3x3,4,g2,s2,p=0/1/2/0,bias=0.5",
    "conv:sobel-x,sobel-y,bias=[1 0],border=edge",
    "conv:3x3,4,border=wrap",
    "conv:3x3,2,border=reflect,flip",
    "conv:3x3,2,normalize=abs,nobias",
    "dwconv:3x3,2,border=constant:3",
    "dwconv:gaussian:3,sobel-x,d2@g.1 relu@g.2",
    "conv:3x3,4@a.1 conv:3x3,2@conv-2",
    "channelmax:2 magnitude",
    "channelavg:2 channelsum",
    "magnitude:3 channelmin",
    "gelu silu relu6 leakyrelu:0.2 elu:2 abs",
    "sigmoid tanh relu leakyrelu elu softmax",
    "flatten",
    "conv:3x3,4 bn:eps=1e-3 flatten bn dropout softmax",
    "hardswish hardsigmoid selu softplus mish",
    "prelu:each prelu flatten prelu:each",
    "groupnorm:3 instancenorm layernorm",
    "groupnorm:2,noaffine,eps=1e-3 layernorm:noaffine flatten layernorm bn:noaffine",
    "deconv:3x3,4,s2,p1,op1,g2 deconv:3x2,3,s2x1,d2,nobias",
    "deconv:4x4,2,s3,p=1/0/2/1",
    "upsample:2x3 upsample:2,bilinear",
    "adaptiveavgpool:4x5 adaptivemaxpool:3x2",
    "adaptivemaxpool:11x7",
    "res(conv:3x3,6,p1 | relu | abs)",
    "res(conv:3x3,6,p1 relu)",
    "cat( | relu | abs)",
    "cat(flatten | gap flatten)",
    "cat(flatten | gap flatten) fc:3",
)
"""Layers on a volume of 6 channels."""

CASES = (*KNOWN, *(Case(text, (11, 14, 6)) for text in LAYERS), Case("gray", (5, 6, 3)), Case("gray", (5, 6, 1)))
