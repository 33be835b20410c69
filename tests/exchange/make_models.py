"""Write the models of `models/`: small networks exported by PyTorch, with the numbers that it gives.

No test runs this; it needs torch, and is run by hand, in the folder that holds `tests`::

    python -m tests.exchange.make_models

Each `.onnx` is written by torch.onnx.export, with its weights as they are at the start by a fixed seed, and statistics
of norms that are not the usual ones. `models.json` has for each the size of its input, (height, width, channels), how
many parameters PyTorch counts (the exporter makes one bias of the scale and the shift of a norm behind a convolution
without bias), and what comes out for the image of `tests.reference.seeded`, in our order of axes.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found]
from torch import nn

from tests.reference.seeded import seeded_image

FOLDER = Path(__file__).parent / "models"

Tensor = Any


class Residual(nn.Module):  # type: ignore[misc]
    """A block whose shortcut has a convolution, and one whose has none."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.down = nn.Conv2d(3, 8, 1, stride=2)
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Return a score for each class."""
        inner = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        x = nn.functional.relu(inner + self.down(x))
        x = nn.functional.relu(self.conv3(x) + x)
        return self.fc(x.mean(dim=(2, 3)))


class Concatenating(nn.Module):  # type: ignore[misc]
    """Branches side by side, one of which is in another."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 1)
        self.b = nn.Conv2d(3, 4, 3, padding=1)
        self.c = nn.Conv2d(8, 6, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps."""
        both = torch.cat([nn.functional.silu(self.a(x)), nn.functional.gelu(self.b(x))], 1)
        return self.pool(torch.cat([both, nn.functional.hardswish(self.c(both)), x], 1))


class Crossing(nn.Module):  # type: ignore[misc]
    """Two sums, each of which needs what is inside the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 1)
        self.b = nn.Conv2d(3, 3, 1)
        self.c = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps."""
        a = self.a(x)
        b = self.b(x)
        return torch.cat([a + b, self.c(a) + x, nn.functional.relu(b)], 1)


class Attention(nn.Module):  # type: ignore[misc]
    """Channels weighed by what is in them: two values are multiplied, for which there is no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.weigh = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return feature maps."""
        x = self.conv(x)
        return x * torch.sigmoid(self.weigh(nn.functional.adaptive_avg_pool2d(x, 1)))


def modules() -> dict[str, tuple[Any, tuple[int, int, int], dict[str, Any]]]:
    """Return each network, the size of its input, and what is given to the exporter."""
    plain = nn.Sequential(
        *(nn.Conv2d(1, 4, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU6()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 4 * 3, 12), nn.ELU(), nn.Dropout(), nn.Linear(12, 7)),
        nn.Softmax(dim=1),
    )
    depthwise = nn.Sequential(
        *(nn.Conv2d(3, 3, 3, padding=1, groups=3), nn.LeakyReLU(0.2), nn.Conv2d(3, 8, 1, bias=False)),
        *(nn.BatchNorm2d(8, eps=1e-3), nn.Hardsigmoid(), nn.Conv2d(8, 16, 3, 2, 1, groups=8), nn.Mish()),
        *(nn.Conv2d(16, 6, 3, dilation=2, groups=2, padding=2, padding_mode="replicate"), nn.Softplus()),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    )
    transposed = nn.Sequential(
        *(nn.Conv2d(3, 6, 3, 2, 1), nn.PReLU(6), nn.GroupNorm(3, 6)),
        *(nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1, bias=False), nn.InstanceNorm2d(4), nn.SELU()),
        *(nn.ConvTranspose2d(4, 2, 4, 2, 1, groups=2), nn.Sigmoid()),
    )
    upsampling = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.LocalResponseNorm(3, alpha=0.5), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), nn.GELU()),
        *(nn.Upsample(scale_factor=(2, 3), mode="bilinear"), nn.LayerNorm([4, 28, 36])),
    )
    free = {"dynamic_axes": {"input": {0: "n", 2: "h", 3: "w"}}}
    return {
        "plain": (plain, (20, 16, 1), {}),
        "residual": (Residual(), (18, 21, 3), {}),
        "concatenating": (Concatenating(), (11, 12, 3), free),
        "depthwise": (depthwise, (13, 15, 3), {}),
        "transposed": (transposed, (8, 10, 3), {}),
        "upsampling": (upsampling, (9, 8, 3), {}),
        "crossing": (Crossing(), (6, 5, 3), {}),
        "attention": (Attention(), (8, 7, 3), {}),
    }


def record(name: str, module: Any, size: tuple[int, int, int], given: dict[str, Any]) -> dict[str, object]:
    """Write a model, and return what is stored of it."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.get_buffer("running_mean"), -0.5, 0.5)
            nn.init.uniform_(part.get_buffer("running_var"), 0.5, 2)
        if isinstance(part, nn.GroupNorm | nn.LayerNorm):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.uniform_(part.bias, -0.5, 0.5)
    folded = sum(part.num_features for part in module.modules() if isinstance(part, nn.BatchNorm2d))
    module.eval()
    image = torch.from_numpy(seeded_image(size)).permute(2, 0, 1)[None]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (image,), FOLDER / f"{name}.onnx", dynamo=False, input_names=["input"], opset_version=18, **given
        )
        result = module(image)[0]
    turned = result.permute(1, 2, 0) if result.ndim == 3 else result
    return {
        "name": name,
        "input": size,
        "fixed": not given,
        "parameters": sum(part.numel() for part in module.parameters()) - folded,
        "output": turned.shape,
        "values": [float(f"{value:.8g}") for value in turned.ravel().tolist()],
    }


def main() -> None:
    """Write the models and their numbers."""
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    lines = [json.dumps(record(name, *rest), separators=(",", ":")) for name, rest in modules().items()]
    (FOLDER / "models.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
