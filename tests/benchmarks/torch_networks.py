"""What a user of PyTorch writes to run a network on a picture with weights from a file, and to see its top 5.

    python -m tests.benchmarks.torch_networks lenet5|resnet18 WEIGHTS IMAGE

The weights are taken in their order, as the file has no names of PyTorch's.
"""

import sys

import numpy as np
import torch  # type: ignore[import-not-found]
from PIL import Image
from torch import nn

from tests.reference.make_forward import ResNet18


def lenet5() -> nn.Module:
    """Return the network of samples/lenet5.toml."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def main(network: str, weights: str, image: str) -> None:
    """Run, and print."""
    module = lenet5() if network == "lenet5" else ResNet18(1000)
    names = [name for name in module.state_dict() if not name.endswith("num_batches_tracked")]
    arrays = np.load(weights).values()
    state = {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}
    module.load_state_dict(state, strict=False)
    pixels = torch.from_numpy(np.array(Image.open(image))).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        chances, classes = module.eval()(pixels).softmax(dim=1)[0].topk(5)
    for chance, number in zip(chances.tolist(), classes.tolist(), strict=True):
        print(number, chance)


if __name__ == "__main__":
    main(*sys.argv[1:])
