"""Write `digits.txt`: digits held out from training, and how probable PyTorch finds them with the weights of samples.

No test runs this; it needs torch and scikit-learn, and is run by hand, in the folder that holds `tests`::

    python -m tests.reference.make_digits_table
"""

from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found, import-untyped, unused-ignore]
from numpy.typing import NDArray
from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import nn

from cnnfilter.learn.examples import InputEntry, divide
from cnnfilter.learn.recipe import Shares

TABLE = Path(__file__).parent / "digits.txt"
WEIGHTS = Path(__file__).resolve().parents[2] / "samples" / "digits.npz"
SHARES = Shares(70, 10, 20)
"""As the Makefile of the samples divides the digits."""

HEAD = """\
# Digits held out from training, the first two of each kind: the digit, the probability that PyTorch gives
# it, and the rows of the picture, one character a pixel: 0 to 9, then a to g for the levels 10 to 16.
"""


def make_network() -> nn.Sequential:
    """Return the network of samples/digits.toml with its weights, which PyTorch takes as they are."""
    network = nn.Sequential()
    for name, layer in {
        **{"conv1": nn.Conv2d(1, 16, 3, padding=1), "relu1": nn.ReLU(), "maxpool1": nn.MaxPool2d(2)},
        **{"conv2": nn.Conv2d(16, 32, 3, padding=1), "relu2": nn.ReLU(), "maxpool2": nn.MaxPool2d(2)},
        **{"flatten": nn.Flatten(), "linear1": nn.Linear(128, 64), "relu3": nn.ReLU(), "linear2": nn.Linear(64, 10)},
    }.items():
        network.add_module(name, layer)
    with np.load(WEIGHTS) as arrays:
        network.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays if "." in name})
    return network.eval()


def find_probabilities(levels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return how probable each digit is (N, 10) for images (N, 8, 8) with levels of 0 to 16."""
    pixels = np.rint(levels * (255 / 16)).astype(np.float32) / np.float32(255)
    with torch.no_grad():
        return np.asarray(make_network()(torch.from_numpy(pixels)[:, None]).softmax(dim=1).numpy())


def main() -> None:
    """Write the table."""
    data = load_digits()
    entries = [InputEntry(str(place), "", str(label)) for place, label in enumerate(data.target)]
    held_out = [int(entry.name) for entry in divide(entries, SHARES)[2]]
    images, labels = data.images[held_out], data.target[held_out]
    found = find_probabilities(images)
    print(f"{(found.argmax(axis=1) == labels).sum()} of {len(labels)} are right")
    lines = []
    for label in range(10):
        for place in np.flatnonzero(labels == label)[:2]:
            rows = " ".join("".join("0123456789abcdefg"[int(level)] for level in row) for row in images[place])
            lines.append(f"{label}  {found[place, label]:.5f}  {rows}\n")
    TABLE.write_text(HEAD + "".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
