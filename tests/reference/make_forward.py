"""Write `forward.json`: what networks with seeded weights make of a seeded image, computed by PyTorch.

No test runs this; it needs torch, and is run by hand, in the folder that holds `tests`::

    python -m tests.reference.make_forward

Each network stands here twice: in our language, and built of PyTorch's modules. Their state dicts, as PyTorch
names and orders them, go into the file as names and shapes alone; the numbers come from `seeded`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found]
from torch import nn

from tests.reference.seeded import Floats, seeded_image, seeded_state

FORWARD = Path(__file__).parent / "forward.json"

DIGITS = 8
"""Significant digits of the values: enough to tell any two neighbours of a float32 near 1 apart."""

CLOSE = 1e-5
"""The largest error of single precision, relative to the largest value that comes out, that is let pass."""


@dataclass(frozen=True)
class Case:
    """A network in our language, the same one in PyTorch, and the (height, width, channels) that go in."""

    id: str
    network: str
    input: tuple[int, int, int]
    module: nn.Module = field(repr=False)


class BasicBlock(nn.Module):  # type: ignore[misc]
    """The block of ResNet-18 and -34: two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or channels != outputs:
            convolution = nn.Conv2d(channels, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Return the sum of the two convolutions and the shortcut."""
        inner = self.relu(self.bn1(self.conv1(volume)))
        shortcut = volume if self.downsample is None else self.downsample(volume)
        return self.relu(self.bn2(self.conv2(inner)) + shortcut)


class ResNet18(nn.Module):  # type: ignore[misc]
    """ResNet-18 with torchvision's layers, names and order of names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return a score for each class."""
        volume = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        volume = self.layer4(self.layer3(self.layer2(self.layer1(volume))))
        return self.fc(self.avgpool(volume).flatten(1))


class Concatenation(nn.ModuleList):  # type: ignore[misc]
    """Branches whose channels come out side by side."""

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Return the channels of every branch."""
        return torch.cat([branch(volume) for branch in self], dim=1)


def _lenet5() -> nn.Module:
    """Return LeNet-5 with full connections, its layers named as in the paper."""
    layers = {
        "C1": nn.Conv2d(1, 6, 5),
        "tanh1": nn.Tanh(),
        "S2": nn.AvgPool2d(2),
        "C3": nn.Conv2d(6, 16, 5),
        "tanh3": nn.Tanh(),
        "S4": nn.AvgPool2d(2),
        "C5": nn.Conv2d(16, 120, 5),
        "tanh5": nn.Tanh(),
        "flatten": nn.Flatten(),
        "F6": nn.Linear(120, 84),
        "tanh6": nn.Tanh(),
        "OUT": nn.Linear(84, 10),
        "softmax": nn.Softmax(dim=1),
    }
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


def _inception() -> nn.Module:
    """Return the inception module 3a with an eighth of its channels; relu at its end would hide half of the values."""
    return nn.Sequential(
        Concatenation(
            [
                nn.Conv2d(24, 8, 1),
                nn.Sequential(nn.Conv2d(24, 12, 1), nn.ReLU(), nn.Conv2d(12, 16, 3, padding=1)),
                nn.Sequential(nn.Conv2d(24, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 5, padding=2)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(24, 4, 1)),
            ]
        ),
        nn.LocalResponseNorm(5, alpha=0.5, beta=0.75, k=2),
        nn.LocalResponseNorm(4, alpha=1, beta=0.5, k=1),
    )


def _resnet18_text() -> str:
    """Return ResNet-18 in our language, every layer with weights under torchvision's name."""

    def block(name: str, outputs: int, shortcut: bool) -> str:
        stride = ",s2" if shortcut else ""
        main = (
            f"conv:3x3,{outputs}{stride},p1,nobias@{name}.conv1 bn@{name}.bn1 relu "
            f"conv:3x3,{outputs},p1,nobias@{name}.conv2 bn@{name}.bn2"
        )
        side = f" | conv:1x1,{outputs},s2,nobias@{name}.downsample.0 bn@{name}.downsample.1" if shortcut else ""
        return f"res({main}{side})+relu"

    blocks = [
        block(f"layer{stage}.{number}", 32 << stage, shortcut=stage > 1 and number == 0)
        for stage in (1, 2, 3, 4)
        for number in (0, 1)
    ]
    return " ".join(["conv:7x7,64,s2,p3,nobias@conv1 bn@bn1 relu maxpool:3,s2,p1", *blocks, "gap flatten fc:100@fc"])


def cases() -> Iterator[Case]:
    """Yield the networks."""
    yield Case(
        "lenet5-by-name",
        "conv:5x5,6@C1+tanh avgpool:2 conv:5x5,16@C3+tanh avgpool:2 conv:5x5,120@C5+tanh "
        "flatten fc:84@F6+tanh fc:10@OUT softmax",
        (32, 32, 1),
        _lenet5(),
    )
    yield Case(
        "lenet-in-order",
        "conv:5x5,6+relu maxpool:2 conv:5x5,16+relu maxpool:2 flatten fc:120+relu fc:84+relu fc:10",
        (32, 28, 3),
        nn.Sequential(
            *(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(16 * 5 * 4, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        ),
    )
    yield Case("resnet18-by-name", _resnet18_text(), (64, 64, 3), ResNet18(100))
    yield Case(
        "resnet18-in-order",
        "conv:7x7,64,s2,p3,nobias bn relu maxpool:3,s2,p1 "
        "2x res(conv:3x3,64,p1,nobias+bn+relu conv:3x3,64,p1,nobias+bn)+relu "
        "res(conv:3x3,128,s2,p1,nobias+bn+relu conv:3x3,128,p1,nobias+bn | conv:1x1,128,s2,nobias+bn)+relu "
        "res(conv:3x3,128,p1,nobias+bn+relu conv:3x3,128,p1,nobias+bn)+relu "
        "res(conv:3x3,256,s2,p1,nobias+bn+relu conv:3x3,256,p1,nobias+bn | conv:1x1,256,s2,nobias+bn)+relu "
        "res(conv:3x3,256,p1,nobias+bn+relu conv:3x3,256,p1,nobias+bn)+relu "
        "res(conv:3x3,512,s2,p1,nobias+bn+relu conv:3x3,512,p1,nobias+bn | conv:1x1,512,s2,nobias+bn)+relu "
        "res(conv:3x3,512,p1,nobias+bn+relu conv:3x3,512,p1,nobias+bn)+relu "
        "gap flatten fc:100",
        (64, 64, 3),
        ResNet18(100),
    )
    yield Case(
        "groups-dilations-strides-and-pools",
        "conv:3x3,12,g3,s2,p2,d2+silu dwconv:5x3,2,p2x1+sigmoid conv:1x1,18,g2,s1x2,nobias+leakyrelu:0.2 "
        "maxpool:3,s2,p1,ceil avgpool:3x2,s1,p1,countpad conv:2x3,8,g2,p=0/1/1/2,d2x1+elu avgpool:3,s2,p1 gelu",
        (34, 47, 6),
        nn.Sequential(
            *(nn.Conv2d(6, 12, 3, 2, padding=2, dilation=2, groups=3), nn.SiLU()),
            *(nn.Conv2d(12, 24, (5, 3), padding=(2, 1), groups=12), nn.Sigmoid()),
            *(nn.Conv2d(24, 18, 1, (1, 2), groups=2, bias=False), nn.LeakyReLU(0.2)),
            *(nn.MaxPool2d(3, 2, padding=1, ceil_mode=True), nn.AvgPool2d((3, 2), 1, padding=1)),
            *(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(18, 8, (2, 3), dilation=(2, 1), groups=2), nn.ELU()),
            *(nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), nn.GELU()),
        ),
    )
    yield Case(
        "inception-and-lrn",
        "cat(conv:1x1,8 | conv:1x1,12+relu conv:3x3,16,p1 | conv:1x1,2+relu conv:5x5,4,p2 "
        "| maxpool:3,s1,p1 conv:1x1,4) lrn:5,alpha=0.5,beta=0.75,k=2 lrn:4,alpha=1,beta=0.5",
        (7, 6, 24),
        _inception(),
    )
    yield Case(
        "batchnorm-of-volume-and-vector",
        "conv:3x3,20,s2,nobias bn:eps=1e-3 relu6 maxpool:2 flatten bn:eps=0.5 dropout fc:12+tanh fc:8",
        (13, 10, 5),
        nn.Sequential(
            *(nn.Conv2d(5, 20, 3, 2, bias=False), nn.BatchNorm2d(20, eps=1e-3), nn.ReLU6()),
            *(nn.MaxPool2d(2), nn.Flatten(), nn.BatchNorm1d(120, eps=0.5), nn.Dropout()),
            *(nn.Linear(120, 12), nn.Tanh(), nn.Linear(12, 8)),
        ),
    )
    yield Case(
        "vectors-side-by-side",
        "conv:3x3,4+relu cat(maxpool:2,s1 flatten | gap flatten | flatten fc:5+relu) fc:6",
        (8, 6, 2),
        nn.Sequential(
            *(nn.Conv2d(2, 4, 3), nn.ReLU()),
            Concatenation(
                [
                    nn.Sequential(nn.MaxPool2d(2, 1), nn.Flatten()),
                    nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                    nn.Sequential(nn.Flatten(), nn.Linear(4 * 6 * 4, 5), nn.ReLU()),
                ]
            ),
            nn.Linear(4 * 5 * 3 + 4 + 5, 6),
        ),
    )


def state_of(case: Case) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and shapes of the module's state dict, in its order."""
    return [(name, tuple(value.shape)) for name, value in case.module.state_dict().items()]


def forward(case: Case, dtype: torch.dtype) -> Floats:
    """Return what the module makes of the seeded image: (H, W, C), or (length,)."""
    state = {name: torch.from_numpy(values) for name, values in seeded_state(state_of(case)).items()}
    case.module.load_state_dict(state)
    module = case.module.eval().to(dtype)
    image = torch.from_numpy(seeded_image(case.input)).permute(2, 0, 1)[None].to(dtype)
    with torch.no_grad():
        result = module(image)[0]
    turned = result.permute(1, 2, 0) if result.ndim == 3 else result
    return np.asarray(turned.contiguous().numpy())


def record(case: Case) -> dict[str, object]:
    """Return what is stored of a network; refuse values that could show no mistake."""
    result, exact = forward(case, torch.float32), forward(case, torch.float64)
    largest = np.abs(exact).max()
    error = np.abs(result - exact).max() / largest
    print(f"{case.id}: {result.shape}, {result.min():.4g} to {result.max():.4g}, error {error:.1e}")
    if error > CLOSE or result.std() < largest / 100 or not 1e-2 < largest < 1e3:
        raise SystemExit(f"{case.id}: the values are of no use")
    return {
        "id": case.id,
        "network": case.network,
        "input": case.input,
        "state": state_of(case),
        "output": result.shape,
        "values": [float(f"{value:.{DIGITS}g}") for value in result.ravel()],
    }


def main() -> None:
    """Write the file, a network a line."""
    lines = [json.dumps(record(case), separators=(",", ":")) for case in cases()]
    FORWARD.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{FORWARD.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
