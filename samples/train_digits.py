"""Train a small LeNet on handwritten digits, and write it as a network file with its weights.

The digits are those that scikit-learn ships: 1,797 pictures of 8x8 pixels, from the data set "Optical Recognition
of Handwritten Digits" of the UCI repository. The last 360 are held out: the network never sees them, and neither
its layers nor the numbers below were chosen by them, but by leaving out one quarter of the others after another.
Needs torch and scikit-learn beside what cnnfilter itself needs, and ten seconds::

    python samples/train_digits.py                                   # beside this script
    python samples/train_digits.py FOLDER --table FOLDER/digits.txt  # somewhere else, e.g. to compare

Two runs on one machine give the same files, byte by byte. Other processors and releases of torch may sum in
another order, so that the weights drift apart while they are trained, and a few digits more or fewer are right.
"""

from __future__ import annotations

import argparse
import sys
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import nn

Bytes: TypeAlias = NDArray[np.uint8]
Integers: TypeAlias = NDArray[np.int64]

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent / "tests" / "reference" / "digits.txt"

SEED = 0
HELD_OUT = 360
"""Digits at the end of the data that are kept for the test."""
SEVEN = 342
"""Which of them becomes a sample picture: a 7 that is plain to the eye."""
INK, WHITE = 16, 255
"""The highest level of a pixel in the data and in a picture."""

EPOCHS, BATCH, RATE, DECAY = 120, 32, 0.01, 0.1
TURN, STRETCH, SHIFT = 0.35, 0.2, 0.25
"""How far a digit is moved about at most: in radians, as a share of its size, as a share of half the picture."""

NETWORK = """\
# A LeNet for 8x8 digits, white on black: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998.
# Trained by train_digits.py on {trained:,} of scikit-learn's digits; accuracy on {others} held out: {accuracy:.1f} %.
input = "8x8x1"
weights = "digits.npz"
layers = [
  "gray",
  "conv:3x3,16,p1@conv1 relu maxpool:2",
  "conv:3x3,32,p1@conv2 relu maxpool:2",
  "flatten",
  "linear:64@linear1 relu",
  "linear:10@linear2 softmax",
]
"""


class Digits(NamedTuple):
    """Pictures (N, 8, 8) of 0 to 255, and which digit (N,) each of them shows."""

    pictures: Bytes
    labels: Integers


def read_digits() -> tuple[Digits, Digits]:
    """Return the digits to train with, and those held out."""
    data = load_digits()
    pictures = np.rint(data.images * (WHITE / INK)).astype(np.uint8)
    labels = np.asarray(data.target, np.int64)
    return Digits(pictures[:-HELD_OUT], labels[:-HELD_OUT]), Digits(pictures[-HELD_OUT:], labels[-HELD_OUT:])


def make_network() -> nn.Sequential:
    """Return the network with random weights; what comes out becomes probabilities by softmax."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1),
            relu1=nn.ReLU(),
            maxpool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, 3, padding=1),
            relu2=nn.ReLU(),
            maxpool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear1=nn.Linear(2 * 2 * 32, 64),
            relu3=nn.ReLU(),
            linear2=nn.Linear(64, 10),
        )
    )


def as_batch(pictures: Bytes) -> torch.Tensor:
    """Return pictures (N, H, W) as floats (N, 1, H, W) of the same levels."""
    return torch.from_numpy(pictures.astype(np.float32))[:, None]


def moved_about(batch: torch.Tensor) -> torch.Tensor:
    """Return each picture turned, stretched and shifted a little, at random."""
    farthest = torch.tensor([[TURN], [STRETCH], [SHIFT], [SHIFT]])
    turn, stretch, across, down = farthest * (2 * torch.rand(4, len(batch)) - 1)
    cosine, sine = (1 + stretch) * turn.cos(), (1 + stretch) * turn.sin()
    rows = torch.stack([cosine, -sine, across, sine, cosine, down], dim=1).reshape(-1, 2, 3)
    places = nn.functional.affine_grid(rows, list(batch.shape), align_corners=False)
    return nn.functional.grid_sample(batch, places, align_corners=False)


def train(digits: Digits) -> nn.Sequential:
    """Return a network that has learned the digits, and takes pixels of 0 to 255."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    network = make_network()
    pictures, labels = as_batch(digits.pictures) / WHITE, torch.from_numpy(digits.labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(len(labels)), BATCH):
            loss = nn.functional.cross_entropy(network(moved_about(pictures[chosen])), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    network.state_dict()["conv1.weight"].div_(WHITE)
    return network


def probabilities(network: nn.Sequential, pictures: Bytes) -> NDArray[np.float32]:
    """Return how probable each digit (N, 10) is for each picture (N, 8, 8)."""
    with torch.no_grad():
        return np.asarray(network(as_batch(pictures)).softmax(dim=1).numpy(), np.float32)


def table_text(digits: Digits, found: NDArray[np.float32]) -> str:
    """Return the first two digits of each kind as a table of what they are, and what the network finds."""
    lines = [
        "# Digits held out from training, the first two of each kind: the digit, the probability that PyTorch gives",
        "# it, and the rows of the picture, one character a pixel: 0 to 9, then a to g for the levels 10 to 16.",
    ]
    for label in range(10):
        for index in np.flatnonzero(digits.labels == label)[:2]:
            levels = np.rint(digits.pictures[index] * (INK / WHITE)).astype(int)
            rows = " ".join("".join("0123456789abcdefg"[level] for level in row) for row in levels)
            lines.append(f"{label}  {found[index, label]:.5f}  {rows}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, train, and write the network, its weights, a picture and the table of the tests."""
    parser = argparse.ArgumentParser(description="Train a small LeNet on handwritten digits.")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="default: beside this script")
    parser.add_argument("--table", type=Path, default=TABLE, help="digits and their probabilities, for the tests")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)

    known, held_out = read_digits()
    network = train(known)
    found = probabilities(network, held_out.pictures)
    is_right = found.argmax(axis=1) == held_out.labels
    accuracy = 100 * float(is_right.mean())
    print(f"{is_right.sum()} of {HELD_OUT} held-out digits are right: {accuracy:.1f} %")
    print(f"the sample picture is a 7 with a probability of {found[SEVEN, 7]:.5f}")

    weights: dict[str, Any] = {name: value.numpy() for name, value in network.state_dict().items()}
    np.savez_compressed(given.folder / "digits.npz", **weights)
    text = NETWORK.format(trained=len(known.labels), others=HELD_OUT, accuracy=accuracy)
    (given.folder / "digits.toml").write_text(text, encoding="utf-8", newline="\n")
    cv2.imwrite(str(given.folder / "digit-7.png"), held_out.pictures[SEVEN])
    given.table.write_text(table_text(held_out, found), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
