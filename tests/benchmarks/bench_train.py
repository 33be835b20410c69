"""Training the network of digits beside the shortest script of PyTorch, start included; and how often it is right.

    python -m tests.benchmarks.bench_train [--rounds N]

It needs scikit-learn, whose digits it learns, and torch (the extra `bench`). The goals: at least 97 % right on the test
split, the mean of seeds 0 to 4, each in at most 20 seconds on two cores, and not slower than PyTorch with its best
number of threads.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

from tests.benchmarks.machine import print_absent, warn_if_busy
from tests.benchmarks.timing import Command, cnnfilter, report, time_in_turn

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 20
SEEDS = range(5)
THREADS = (1, 2)


def train(data: Path, seed: int) -> Command:
    """Return the command that trains the network of digits."""
    words = ("--epochs", str(EPOCHS), "--rate", "2e-3", "--seed", str(seed), "--json")
    return cnnfilter("train", "digits", str(data), *words, "-o", str(data.with_name("weights.npz")))


def measure_accuracy(command: Command) -> float:
    """Return the share of the test split that is right after a training."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["test_accuracy"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with all seeds, time both sides in turn, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_train")
    parser.add_argument("--rounds", type=int, default=3, help="that count; one more comes first (default 3)")
    options = parser.parse_args(arguments)
    warn_if_busy()
    print_absent("torch", "sklearn")
    if not find_spec("sklearn"):
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "digits.npz"
        subprocess.run([sys.executable, str(ROOT / "samples" / "make_digits.py"), str(data)], check=True)
        right = [measure_accuracy(train(data, seed)) for seed in SEEDS]
        print(f"right on the test split: {', '.join(f'{share:.1%}' for share in right)}; mean {mean(right):.1%}")
        commands = {f"cnnfilter train, {EPOCHS} epochs": train(data, 0)}
        if find_spec("torch"):
            script = str(Path(__file__).with_name("torch_digits.py"))
            for threads in THREADS:
                words = [sys.executable, script, str(data), str(threads), str(EPOCHS)]
                commands[f"PyTorch, {threads} thread{'s' * (threads > 1)}"] = words
        report(time_in_turn(commands, options.rounds))


if __name__ == "__main__":
    main()
