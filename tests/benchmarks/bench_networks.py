"""Networks on a picture as whole commands, beside the shortest script of PyTorch's that does the same.

    python -m tests.benchmarks.bench_networks [--rounds N]

Both load the weights from one file, run, and print the five likeliest classes; each begins as a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

import cnnfilter as package
from cnnfilter.compute.state_dict import needs
from tests.benchmarks.machine import module, print_absent, warn_if_busy
from tests.benchmarks.pictures import write
from tests.benchmarks.timing import Command, cnnfilter, report, time_in_turn
from tests.reference.seeded import seeded_state

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

NETWORKS = {"lenet5": 32, "resnet18": 224}
"""Sample networks, and the side of the picture that they take."""


def write_weights(name: str, side: int, path: Path) -> None:
    """Write seeded weights for a sample network, in the order in which its layers need them."""
    network = package.network(SAMPLES / f"{name}.toml")
    shapes = [
        (f"{need.name}.{tensor}", shape)
        for need in needs(network, (side, side, 3))
        for tensor, shape in need.tensors.items()
    ]
    np.savez(path, **seeded_state(shapes))  # type: ignore[arg-type]  # names that are none of savez's own


def write_picture(side: int, path: Path) -> None:
    """Write the sample picture in the size that a network takes."""
    city = cv2.imread(str(SAMPLES / "city.png"), cv2.IMREAD_COLOR)
    write(path, cv2.resize(np.asarray(city), (side, side), interpolation=cv2.INTER_AREA))


def commands_for(name: str, weights: Path, picture: Path) -> dict[str, Command]:
    """Return our command, and PyTorch's where it is installed."""
    ours = cnnfilter(
        *("pipeline", str(SAMPLES / f"{name}.toml"), str(picture)),
        *("--weights", str(weights), "--top", "5", "-q", "--input-scale", "1/255"),
    )
    if module("torch") is None:
        return {f"cnnfilter, {name}": ours}
    torch = [sys.executable, "-m", "tests.benchmarks.torch_networks", name, str(weights), str(picture)]
    return {f"cnnfilter, {name}": ours, f"torch, {name}": torch}


def check(commands: dict[str, Command]) -> None:
    """Print a line if the likeliest classes are not the same."""
    classes = {
        tuple(line.split()[0] for line in subprocess.check_output(command, text=True).splitlines())
        for command in commands.values()
    }
    if len(classes) > 1:
        print(f"{' and '.join(commands)} DISAGREE: {classes}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the networks, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_networks")
    parser.add_argument("--rounds", type=int, default=7, help="that count; one more comes first (default 7)")
    options = parser.parse_args(arguments)
    warn_if_busy()
    print_absent("torch")
    with tempfile.TemporaryDirectory() as folder:
        for name, side in NETWORKS.items():
            weights, picture = Path(folder) / f"{name}.npz", Path(folder) / f"{name}.png"
            write_weights(name, side, weights)
            write_picture(side, picture)
            commands = commands_for(name, weights, picture)
            check(commands)
            report(time_in_turn(commands, options.rounds))


if __name__ == "__main__":
    main()
