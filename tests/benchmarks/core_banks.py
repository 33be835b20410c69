"""Banks of learned weights as networks have them, beside PyTorch's Conv2d: the cells of the grid."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.convolve import choose_method, lay_bank
from cnnfilter.compute.exact import find_facts
from cnnfilter.nn.geometry import Border, Window
from tests.benchmarks.cells import Cell
from tests.benchmarks.machine import load_torch, to_tensor
from tests.benchmarks.timing import Call


class Bank(NamedTuple):
    """A layer of a network: channels in and out, its window, and the image's sides."""

    network: str
    inputs: int
    outputs: int
    size: int
    height: int
    width: int
    stride: int = 1
    padding: int = 0

    @property
    def name(self) -> str:
        """What is printed."""
        stride = f"/{self.stride}" if self.stride > 1 else ""
        padding = f" p{self.padding}" if self.padding else ""
        window = f"{self.size}x{self.size}{stride}{padding}"
        return f"{self.network} {self.inputs}->{self.outputs} {window}, {self.height}x{self.width}"


BANKS = (
    Bank("LeNet", 1, 6, 5, 32, 32),
    Bank("LeNet", 6, 16, 5, 14, 14),
    Bank("AlexNet", 3, 96, 11, 227, 227, stride=4),
    Bank("AlexNet", 96, 256, 5, 27, 27, padding=2),
    Bank("VGG", 3, 64, 3, 224, 224, padding=1),
    Bank("VGG", 64, 64, 3, 224, 224, padding=1),
    Bank("VGG", 64, 128, 3, 112, 112, padding=1),
    Bank("VGG", 512, 512, 3, 14, 14, padding=1),
    Bank("ResNet", 3, 64, 7, 224, 224, stride=2, padding=3),
    Bank("ResNet", 64, 64, 3, 56, 56, padding=1),
    Bank("ResNet", 64, 128, 3, 56, 56, stride=2, padding=1),
    Bank("ResNet", 64, 256, 1, 56, 56),
    Bank("ResNet", 512, 512, 3, 7, 7, padding=1),
    Bank("photo", 3, 16, 3, 480, 640),
    Bank("plain", 64, 128, 3, 56, 56),
)


def bank_cells() -> Iterator[Cell]:
    """Yield the layers, each on random numbers, with the weights that He's initialization would give it.

    Weights are looked at once, as those of a network are, and of PyTorch's layer.
    """
    torch = load_torch()
    for bank in BANKS:
        generator = np.random.default_rng(bank.inputs + bank.outputs)
        fan_in = bank.size**2 * bank.inputs
        shape = (bank.size, bank.size, bank.inputs, bank.outputs)
        weights = (generator.standard_normal(shape) * (2 / fan_in) ** 0.5).astype(np.float32)
        biases = generator.uniform(-0.1, 0.1, bank.outputs)
        volume = generator.standard_normal((bank.height, bank.width, bank.inputs)).astype(np.float32)
        window = Window((bank.size,) * 2, (bank.stride,) * 2, (bank.padding,) * 4)
        method = choose_method(weights, biases, window, Border(), volume.shape, find_facts(volume))
        yield Cell(
            bank.name,
            partial(lay_bank, method, volume, window, Border()),
            {"torch": _torch_peer(torch, bank, volume, weights, biases)} if torch else {},
            scale=float(np.abs(weights).sum(axis=(0, 1, 2)).max() * np.abs(volume).max()),
        )


def _torch_peer(torch: Any, bank: Bank, volume: Array, weights: Array, biases: Array) -> Call:
    """Return PyTorch's layer with the same weights, its layout as it comes."""
    layer = torch.nn.Conv2d(bank.inputs, bank.outputs, bank.size, bank.stride, bank.padding)
    tensor = to_tensor(torch, volume)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights).permute(3, 2, 0, 1))
        layer.bias.copy_(torch.from_numpy(biases))
    return torch.no_grad()(lambda: layer(tensor))  # type: ignore[no-any-return]  # torch has no types here
