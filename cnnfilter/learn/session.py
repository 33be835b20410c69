"""A session of training: the data read and divided, the network and its weights, and what is learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfilter.compute.state_dict import RandomWeights, StateDict, read_state_dict
from cnnfilter.errors import ImageFileError, LanguageError, ShapeError
from cnnfilter.io.weights import read_classes
from cnnfilter.learn.examples import ImageExamples, InputEntry, divide, find_entries, sort_classes
from cnnfilter.learn.recipe import Shares, TrainingTask
from cnnfilter.learn.steps import AugmentSteps
from cnnfilter.learn.training import Score, Trainer
from cnnfilter.log import hint, warn
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.layers import Shape, show_shape

FEW = 10
"""Fewer inputs all train, unless shares are given."""

_LARGE = 10.0
"""Inputs above it are probably levels of a file."""


class Session:
    """Data in three parts, each None where it is empty, and the trainer of a network; `CnnFilterError` before any work.

    `classes` are the names of the classes in the order of the network's values; none where it makes images.
    """

    def __init__(self, task: TrainingTask) -> None:
        self.task = task
        entries = find_entries(task.data, task.target)
        parts = self._divide(entries)
        kept = read_classes(task.resume) if task.resume else ()
        self.classes = () if task.target is not None else kept or sort_classes(entries or parts[2])
        if not task.recipe.epochs:  # the test data alone is looked at
            parts = [[], [], parts[2]]
        self.train = self._read(parts[0], task.steps)
        self.dev, self.test = self._read(parts[1]), self._read(parts[2])
        self.shape = self._settle_shape()
        self._read_targets()
        weights: RandomWeights | StateDict = RandomWeights(task.init, task.recipe.seed)
        if task.resume:
            weights = read_state_dict(task.resume)
        self.trainer = Trainer(task.network, self.shape, weights, task.recipe, len(self.classes))
        self._warn(parts[0])

    def _divide(self, entries: Sequence[InputEntry]) -> list[list[InputEntry]]:
        """Return the inputs that train, those that choose the best epoch, and those of the test."""
        task = self.task
        shares = task.shares or (Shares(1, 0, 0) if len(entries) < FEW else Shares())
        if task.dev:
            shares = replace(shares, train=shares.train + shares.dev, dev=0)
        if task.test:
            shares = replace(shares, train=shares.train + shares.test, test=0)
        train, dev, test = divide(entries, shares)
        dev += find_entries([task.dev], task.target) if task.dev else []
        test += find_entries([task.test], task.target) if task.test else []
        if task.recipe.epochs and not train:
            raise ImageFileError(f"none of {len(entries)} inputs trains with --split {shares}; more are needed")
        if not task.recipe.epochs and not test:
            raise LanguageError("--epochs 0 evaluates, and there is no test data: --test DATA")
        return [train, dev, test]

    def _read(self, entries: Sequence[InputEntry], steps: AugmentSteps = ()) -> ImageExamples | None:
        if not entries:
            return None
        return ImageExamples(entries, self.task.preparation, self.classes, steps, self.task.recipe.seed)

    def _settle_shape(self) -> Shape:
        """Return what the network sees of all inputs, which must have one size."""
        parts = [part for part in (self.train, self.dev, self.test) if part]
        first = parts[0]
        for part in parts[1:]:
            if part.shape != first.shape:
                raise ShapeError(
                    f"{part.names[0]} is {show_shape(part.shape)} for the network, and {first.names[0]} "
                    f"{show_shape(first.shape)}; --resize HxW makes them one size"
                )
        return first.shape

    def _read_targets(self) -> None:
        if self.task.target is None:
            return
        output = self.task.network.output(self.shape)
        for part in (self.train, self.dev, self.test):
            if part:
                part.read_targets(output)

    def _warn(self, train: Sequence[InputEntry]) -> None:
        """Warn of classes that nothing trains; give advice on inputs that are levels."""
        if self.train is None:
            return
        trained = {entry.answer for entry in train}
        if missing := [name for name in self.classes if name not in trained]:
            warn(f"no input of class {', '.join(missing)} is among those that train")
        largest = float(np.abs(self.train.batch(np.arange(1))).max())
        if largest > _LARGE and self.task.preparation.scale == 1:
            hint(f"inputs reach {largest:g}; with --input-scale 1/255 a network learns sooner")

    def evaluate(self) -> Score | None:
        """Return how well the best weights do on the test data, None if there is none."""
        self.trainer.parameters.restore(self.trainer.best)
        return self.trainer.evaluate(self.test) if self.test else None
