"""What a command costs before it does anything, beside the imports that it cannot do without.

    python -m tests.benchmarks.bench_start [--rounds N]

A command that needs no arrays is beside the import of click, which any command of Click costs: 1.6 times that is the
goal. One that filters a picture is beside a script that calls OpenCV three times. torchinfo is beside `shape` of
the same network, if it and torch are installed (the extra `bench`).
"""

import argparse
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.machine import print_absent, warn_if_busy
from tests.benchmarks.timing import Command, cnnfilter, python, report, time_in_turn

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

CLICK, OPENCV, SHAPE_FILE, USAGE_ERROR = "import click", "three calls of OpenCV", "shape vgg16.toml", "usage error"

SCRIPT = """
import sys, cv2, numpy as np
image = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)
cv2.imwrite(sys.argv[2], cv2.filter2D(image, -1, np.float32([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])))
"""

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the commands, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_start")
    parser.add_argument("--rounds", type=int, default=15, help="that count; one more comes first (default 15)")
    options = parser.parse_args(arguments)
    warn_if_busy()
    print_absent("torch", "torchinfo")
    with tempfile.TemporaryDirectory() as folder:
        small, edges = str(SAMPLES / "gradient-16.png"), str(Path(folder) / "edges.png")
        commands: dict[str, Command] = {
            CLICK: python(CLICK),
            "--help": cnnfilter("--help"),
            USAGE_ERROR: cnnfilter("convolve", "--kernal", "sobel-x"),
            "shape 32 relu": cnnfilter("shape", "32", "relu"),
            SHAPE_FILE: cnnfilter("shape", str(SAMPLES / "vgg16.toml")),
            OPENCV: [*python(SCRIPT), small, edges],
            "convolve small.png": cnnfilter("convolve", small, "-k", "sobel-x", "-q", "-o", edges),
        }
        baselines = {OPENCV: OPENCV, "convolve small.png": OPENCV, "torchinfo, VGG-16": SHAPE_FILE}
        if find_spec("torch") and find_spec("torchinfo"):
            commands["torchinfo, VGG-16"] = python(TORCHINFO)
        report(time_in_turn(commands, options.rounds, ends={USAGE_ERROR: 2}), baselines)


if __name__ == "__main__":
    main()
