"""`cnnfilter shape` on VGG-16 from its file, beside the import of click and beside torchinfo.

    python -m tests.benchmarks.bench_shape [ROUNDS]

The first line is what any command of Click costs before it has done anything. torchinfo is timed if it and
torch are installed (the extra `bench`).
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.timing import Command, python, report, time_in_turn

VGG16 = Path(__file__).resolve().parents[2] / "samples" / "vgg16.toml"

TORCHINFO = """
import torch, torchinfo
layers, channels = [], 3
for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
    if width:
        layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
        channels = width
    else:
        layers.append(torch.nn.MaxPool2d(2))
head = [torch.nn.Flatten(), torch.nn.Linear(25088, 4096), torch.nn.ReLU(), torch.nn.Linear(4096, 4096)]
head += [torch.nn.ReLU(), torch.nn.Linear(4096, 1000)]
with torch.device("meta"):
    network = torch.nn.Sequential(*layers, *head)
torchinfo.summary(network, (1, 3, 224, 224), device="meta", verbose=1)
"""


def main(rounds: int) -> None:
    """Time the commands, and print."""
    cnnfilter = "from cnnfilter.__main__ import run; run()"
    commands: dict[str, Command] = {
        "import click": python("import click"),
        "shape 224x224x3 relu": [*python(cnnfilter), "shape", "224x224x3", "relu"],
        "shape vgg16.toml": [*python(cnnfilter), "shape", str(VGG16)],
    }
    if find_spec("torchinfo"):
        commands["torchinfo, VGG-16"] = python(TORCHINFO)
    report(time_in_turn(commands, rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
