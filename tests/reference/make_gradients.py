"""Write `gradients.json`: the gradients of networks with seeded weights on a seeded batch, computed by PyTorch.

No test runs this; it needs torch, and is run by hand, in the folder that holds `tests`::

    python -m tests.reference.make_gradients

Each network is here twice: in our language, and built of PyTorch's modules, which are in training mode. The loss is the
sum of all values that come out, each times a seeded number.
"""

import json
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import nn  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, import-untyped, unused-ignore]

from tests.reference.seeded import IMAGE_START, LOSS_START, seeded_state, spread

GRADIENTS = Path(__file__).parent / "gradients.json"

DIGITS = 7
IMAGES = 3
SIZE = (5, 6, 4)
"""(height, width, channels) of the images of the batch."""


class Case(NamedTuple):
    """A network in our language, and the same one in PyTorch."""

    network: str
    module: nn.Module
    input: tuple[int, int, int] = SIZE


class Function(nn.Module):  # type: ignore[misc]
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.forward = function


class Join(nn.ModuleList):  # type: ignore[misc]
    """Branches whose results are added, or side by side."""

    def __init__(self, join: Callable[[list[torch.Tensor]], torch.Tensor], *branches: nn.Module) -> None:
        super().__init__(branches)
        self.join = join

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return what the branches give, joined."""
        return self.join([branch(batch) for branch in self])


def medians(batch: torch.Tensor) -> torch.Tensor:
    """Return the median of each 3x3 window."""
    windows = batch.unfold(2, 3, 3).unfold(3, 3, 3)
    return windows.flatten(-2).median(dim=-1).values


def luma(batch: torch.Tensor) -> torch.Tensor:
    """Return the luma of red, green and blue by Rec. 601."""
    return torch.einsum("nchw,c->nhw", batch, torch.tensor([0.299, 0.587, 0.114]))[:, None]


def convolutions() -> Iterator[Case]:
    """Yield convolutions and fully connected layers."""
    yield Case("conv:3x2,6,s2x1,p1,d1x2,g2", nn.Conv2d(4, 6, (3, 2), (2, 1), 1, (1, 2), groups=2))
    yield Case("conv:3x3,2,nobias", nn.Conv2d(4, 2, 3, bias=False))
    yield Case("conv:5x6,3", nn.Conv2d(4, 3, (5, 6)))
    yield Case("conv:1x1,5", nn.Conv2d(4, 5, 1))
    for border, mode in (("edge", "replicate"), ("reflect", "reflect"), ("wrap", "circular")):
        yield Case(f"conv:3x3,2,p1,border={border}", nn.Conv2d(4, 2, 3, padding=1, padding_mode=mode))
    yield Case("dwconv:3x3,2,p1", nn.Conv2d(4, 8, 3, padding=1, groups=4))
    yield Case("flatten linear:5", nn.Sequential(nn.Flatten(), nn.Linear(prod(SIZE), 5)))
    yield Case("flatten linear:5,nobias", nn.Sequential(nn.Flatten(), nn.Linear(prod(SIZE), 5, bias=False)))
    yield Case("batchnorm", nn.BatchNorm2d(4))
    yield Case(
        "gap flatten batchnorm:eps=0.1", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(4, 0.1))
    )
    yield Case("lrn:3,alpha=0.5,k=2", nn.LocalResponseNorm(3, alpha=0.5, k=2))
    yield Case("gray", Function(luma), (5, 6, 3))


def functions() -> Iterator[Case]:
    """Yield activations, and what acts on the channels of a pixel."""
    modules: dict[str, nn.Module] = {
        **{"relu": nn.ReLU(), "relu6": nn.ReLU6(), "leakyrelu:0.2": nn.LeakyReLU(0.2), "elu:0.5": nn.ELU(0.5)},
        **{"gelu": nn.GELU(), "silu": nn.SiLU(), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh()},
        **{"abs": Function(torch.abs), "softmax": nn.Softmax(dim=1)},
        "magnitude": Function(lambda batch: batch.norm(dim=1, keepdim=True)),
        "channelmax": Function(lambda batch: batch.amax(dim=1, keepdim=True)),
        "channelmin:2": Function(lambda batch: batch.unflatten(1, (2, 2)).amin(dim=2)),
        "channelsum:2": Function(lambda batch: batch.unflatten(1, (2, 2)).sum(dim=2)),
        "channelavg": Function(lambda batch: batch.mean(dim=1, keepdim=True)),
    }
    for network, module in modules.items():
        yield Case(network, module)


def pools() -> Iterator[Case]:
    """Yield pools."""
    yield Case("maxpool:2", nn.MaxPool2d(2))
    yield Case("maxpool:3,s2,p1,d1,ceil", nn.MaxPool2d(3, 2, 1, ceil_mode=True))
    yield Case("maxpool:2,s1,d2", nn.MaxPool2d(2, 1, dilation=2))
    yield Case("minpool:3,s1", Function(lambda batch: -functional.max_pool2d(-batch, 3, 1)))
    yield Case("avgpool:3,s2,p1", nn.AvgPool2d(3, 2, 1, count_include_pad=False))
    yield Case("avgpool:3x2,s1,p1,countpad", nn.AvgPool2d((3, 2), 1, 1))
    yield Case("l2pool:2,s1", nn.LPPool2d(2, 2, 1))
    yield Case("medianpool:3", Function(medians))
    yield Case("globalmaxpool", nn.AdaptiveMaxPool2d(1))
    yield Case("globalavgpool", nn.AdaptiveAvgPool2d(1))


def blocks() -> Iterator[Case]:
    """Yield blocks, and layers one after the other."""
    yield Case(
        "res(conv:3x3,4,p1 batchnorm)+relu",
        nn.Sequential(
            Join(sum, nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)), nn.Identity()), nn.ReLU()
        ),
    )
    yield Case("res(conv:3x3,2,s2,p1 | conv:1x1,2,s2)", Join(sum, nn.Conv2d(4, 2, 3, 2, 1), nn.Conv2d(4, 2, 1, 2)))
    yield Case(
        "cat(conv:3x3,2,p1 | maxpool:3,s1,p1 conv:1x1,3)",
        Join(
            lambda parts: torch.cat(parts, dim=1),
            nn.Conv2d(4, 2, 3, padding=1),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(4, 3, 1)),
        ),
    )
    yield Case(
        "conv:3x3,5+relu maxpool:2 conv:1x2,6+tanh flatten fc:4+sigmoid fc:3+softmax",
        nn.Sequential(
            *(nn.Conv2d(4, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, (1, 2)), nn.Tanh(), nn.Flatten()),
            *(nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 3), nn.Softmax(dim=1)),
        ),
    )


SMALL = 3, 4, 4
"""(height, width, channels) of images for layers of which there are many cases."""


def resamplings() -> Iterator[Case]:
    """Yield layers that change the number of rows and columns without a window that slides."""
    yield Case(
        "deconv:3x2,6,s2x1,p1x0,d1x2,op1x0,g2",
        nn.ConvTranspose2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 0), 2, dilation=(1, 2)),
        SMALL,
    )
    yield Case("deconv:2x2,3,s2,nobias", nn.ConvTranspose2d(4, 3, 2, 2, bias=False), SMALL)
    yield Case("deconv:3x3,2,p1,d2", nn.ConvTranspose2d(4, 2, 3, padding=1, dilation=2), SMALL)
    yield Case("upsample:2x3", nn.Upsample(scale_factor=(2, 3)), SMALL)
    yield Case("upsample:3x2,bilinear", nn.Upsample(scale_factor=(3, 2), mode="bilinear", align_corners=False), SMALL)
    yield Case("adaptiveavgpool:2x3", nn.AdaptiveAvgPool2d((2, 3)), SMALL)
    yield Case("adaptivemaxpool:2x3", nn.AdaptiveMaxPool2d((2, 3)), SMALL)
    yield Case("adaptiveavgpool:5x1", nn.AdaptiveAvgPool2d((5, 1)), SMALL)


def norms() -> Iterator[Case]:
    """Yield normalizations and activations with slopes that are learned."""
    yield Case("batchnorm:noaffine", nn.BatchNorm2d(4, affine=False), SMALL)
    yield Case("groupnorm:2", nn.GroupNorm(2, 4), SMALL)
    yield Case("groupnorm:4,noaffine,eps=0.1", nn.GroupNorm(4, 4, eps=0.1, affine=False), SMALL)
    yield Case("instancenorm", nn.InstanceNorm2d(4), SMALL)
    yield Case("layernorm", nn.LayerNorm([SMALL[2], *SMALL[:2]]), SMALL)
    yield Case("flatten layernorm:eps=0.1", nn.Sequential(nn.Flatten(), nn.LayerNorm(prod(SMALL), eps=0.1)), SMALL)
    yield Case("prelu", nn.PReLU(), SMALL)
    yield Case("prelu:each", nn.PReLU(4), SMALL)
    for name, function in (("hardswish", nn.Hardswish), ("hardsigmoid", nn.Hardsigmoid), ("selu", nn.SELU)):
        yield Case(name, function(), SMALL)
    yield Case("softplus", nn.Softplus(), SMALL)
    yield Case("mish", nn.Mish(), SMALL)


def digits_of(values: Any) -> list[float]:
    """Return numbers in a row, rounded."""
    return [float(f"{value:.{DIGITS}g}") for value in np.asarray(values.detach()).ravel()]


def record(case: Case) -> dict[str, object]:
    """Return what is stored of a network."""
    height, width, channels = case.input
    state = [(name, tuple(value.shape)) for name, value in case.module.state_dict().items()]
    case.module.load_state_dict({name: torch.from_numpy(value) for name, value in seeded_state(state).items()})
    batch = torch.from_numpy(2 * spread(IMAGES * prod(case.input), IMAGE_START))
    batch = batch.reshape(IMAGES, channels, height, width).requires_grad_()
    outputs = case.module.train()(batch)
    factors = torch.from_numpy(2 * spread(outputs.numel(), LOSS_START)).reshape(outputs.shape)
    torch.autograd.backward((outputs * factors).sum())
    gradients = {name: digits_of(value.grad) for name, value in case.module.named_parameters()}
    statistics = {name: digits_of(value) for name, value in case.module.named_buffers() if "running" in name}
    return {
        "network": case.network,
        "input": case.input,
        "state": state,
        "of_input": digits_of(batch.grad),
        "of_tensors": gradients,
        "statistics": statistics,
    }


def main() -> None:
    """Write the file, a network a line."""
    cases = [*convolutions(), *functions(), *pools(), *blocks(), *resamplings(), *norms()]
    lines = [json.dumps(record(case), separators=(",", ":")) for case in cases]
    GRADIENTS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{len(lines)} networks, {GRADIENTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
