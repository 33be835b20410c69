"""How a network is trained, as values: the loss, the optimiser, how often and how fast."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cnnfilter.errors import LanguageError
from cnnfilter.learn.steps import AugmentSteps
from cnnfilter.network_files import Preparation
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.network import Network
from cnnfilter.numbers import parse_number, show_number

if TYPE_CHECKING:
    from pathlib import Path

    from cnnfilter.compute.state_dict import Init


class Loss(StrEnum):
    """What is made small."""

    CROSS_ENTROPY = "cross-entropy"
    MSE = "mse"
    MAE = "mae"


class Optimizer(StrEnum):
    """How weights follow their gradients."""

    ADAM = "adam"
    MOMENTUM = "momentum"
    SGD = "sgd"


class TrainingRecipe(Value):
    """How a network is trained: images are taken in batches, all of them once in each epoch."""

    loss: Loss
    optimizer: Optimizer = Optimizer.ADAM
    epochs: int = 10
    batch: int = 32
    rate: float = 1e-3
    seed: int = 0


class Shares(Value):
    """The parts of the data that train, that choose the best epoch, and that are looked at once, at the end."""

    train: float = 80
    dev: float = 10
    test: float = 10

    def __str__(self) -> str:
        return "/".join(map(show_number, (self.train, self.dev, self.test)))

    def __post_init__(self) -> None:
        if self.train <= 0 or min(self.dev, self.test) < 0:
            raise LanguageError(f"split {self}: the share that trains is above 0, and none is negative")


def parse_shares(text: str) -> Shares:
    """Return the shares that `TRAIN/DEV/TEST` writes; what is left out is 0.

    Examples
    --------
    >>> parse_shares("80/20")
    Shares(train=80.0, dev=20.0, test=0.0)
    """
    words = text.split("/")
    try:
        numbers = [parse_number(word) for word in words]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3:
        raise LanguageError(f"split {text!r} is not TRAIN/DEV/TEST, such as 80/10/10")
    return Shares(*numbers, *[0.0] * (3 - len(numbers)))


class TrainingTask(Value):
    """A network, the data that it is to learn from, and how.

    `data`, `dev` and `test` are folders of classes, lists, `.npz` files, or images where `target` is the template of
    what is wanted of each. Without `shares` few inputs all train. `resume` has the weights to begin with, else `init`
    draws them.
    """

    network: Network
    recipe: TrainingRecipe
    data: tuple[str, ...] = ()
    target: str | None = None
    shares: Shares | None = None
    dev: str | None = None
    test: str | None = None
    resume: Path | None = None
    init: Init = "he"
    steps: AugmentSteps = ()
    preparation: Preparation = Preparation()


def choose_loss(loss: Loss | None, *, target: str | None) -> Loss:
    """Return the loss that was asked for, or the usual one: cross-entropy of classes, mse of images."""
    if target is not None and loss is Loss.CROSS_ENTROPY:
        raise LanguageError("--loss cross-entropy is for classes; --target takes mse or mae")
    return loss or (Loss.CROSS_ENTROPY if target is None else Loss.MSE)
