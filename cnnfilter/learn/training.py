"""Training: a loss, the steps of an optimiser, epochs, and the weights that did best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np

from cnnfilter.arrays import Array, Floats, ieee_arithmetic
from cnnfilter.compute.activations import softmax
from cnnfilter.compute.gradients import Mode, load_steps, propagate
from cnnfilter.compute.state_dict import RandomWeights, StateDict, check_sums, needs
from cnnfilter.errors import DivergenceError, ShapeError
from cnnfilter.learn.recipe import Loss, Optimizer, TrainingRecipe
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.other_layers import Softmax

State = dict[str, Array]
"""A state dict: tensors by `NAME.weight`, ..., in PyTorch's order of axes."""


class Examples(Protocol):
    """Inputs and what a network is to make of them, in batches."""

    @property
    def count(self) -> int:
        """The number of inputs."""

    def batch(self, places: Array, epoch: int = 0) -> Floats:
        """Return some inputs, (C, H, W, N), as they are in an epoch of training; as they are if that is 0."""

    def answers(self, places: Array) -> Array:
        """Return the class of some inputs, (N,), or the values that are wanted, (C, H, W, N) or (length, N)."""


class Parameters:
    """The tensors of a network, of which those that learn are views of one vector, as are their gradients."""

    def __init__(self, tensors: Mapping[str, Mapping[str, Array]]) -> None:
        learned = [
            (name, part, tensor)
            for name, own in tensors.items()
            for part, tensor in own.items()
            if not part.startswith("running_")
        ]
        self.values: Floats = np.concatenate([tensor.ravel() for *_, tensor in learned]).astype(np.float32)
        self.slopes: Floats = np.zeros_like(self.values)
        self.tensors: dict[str, dict[str, Floats]] = {
            name: {part: tensor.astype(np.float32) for part, tensor in own.items()} for name, own in tensors.items()
        }
        self.gradients: dict[str, dict[str, Floats]] = {name: {} for name in tensors}
        start = 0
        for name, part, tensor in learned:
            place = slice(start, start + tensor.size)
            self.tensors[name][part] = self.values[place].reshape(tensor.shape)
            self.gradients[name][part] = self.slopes[place].reshape(tensor.shape)
            start += tensor.size

    def state(self) -> State:
        """Return a copy of all tensors, as a state dict."""
        return {f"{name}.{part}": tensor.copy() for name, own in self.tensors.items() for part, tensor in own.items()}

    def restore(self, state: State) -> None:
        """Take the tensors of a state dict again."""
        for name, own in self.tensors.items():
            for part, tensor in own.items():
                tensor[...] = state[f"{name}.{part}"]


class Score(NamedTuple):
    """How well inputs were answered: the mean loss, and of classes the share that was right.

    `confusion` (classes, classes) counts the inputs of each class, a row, by the class that was found.
    """

    loss: float
    accuracy: float | None = None
    confusion: Array | None = None


class Epoch(NamedTuple):
    """What came of an epoch; `dev` is None where there is no dev data, and `is_best` whether it is the best so far."""

    number: int
    train_loss: float
    dev: Score | None
    seconds: float
    is_best: bool


class Trainer:
    """A network that learns from examples: `learn` goes through them epoch by epoch, and `best` has the best weights.

    Parameters
    ----------
    network, shape
        The layers, and the (height, width, channels) that go into them.
    weights
        Those to begin with, drawn at random or read.
    recipe
        How it learns.
    classes
        How many classes there are; 0 if the network makes images.
    """

    def __init__(
        self,
        network: Network,
        shape: Shape,
        weights: RandomWeights | StateDict,
        recipe: TrainingRecipe,
        classes: int = 0,
    ) -> None:
        check_sums(network, shape)
        self.recipe, self.classes = recipe, classes
        if classes:
            _check_scores(network, shape, classes)
        self.parameters = Parameters(weights.find(list(needs(network, shape))))
        steps = load_steps(network, shape, self.parameters.tensors)
        takes_softmax = recipe.loss is Loss.CROSS_ENTROPY and isinstance(steps[-1].node.layer, Softmax)
        self.steps = steps[:-1] if takes_softmax else steps  # the loss has a softmax of its own
        self.initial = self.parameters.state()
        self.best, self.best_epoch = self.initial, 0
        self._least = float("inf"), float("inf")
        self._update = OPTIMIZERS[recipe.optimizer](self.parameters.values, recipe.rate)

    def learn(
        self, train: Examples, dev: Examples | None = None, hear: Callable[[int, int], None] | None = None
    ) -> Iterator[Epoch]:
        """Go through the examples as often as the recipe says, and yield what came of each epoch.

        `hear` gets how many batches of the epoch are done, of how many. Raises a `DivergenceError` if the loss is no
        longer a finite number.
        """
        generator = self.make_generator()
        size = self.recipe.batch
        for number in range(1, self.recipe.epochs + 1):
            begun, total = perf_counter(), 0.0
            order = generator.permutation(train.count)
            batches = range(0, train.count, size)
            for place, first in enumerate(batches, 1):
                chosen = order[first : first + size]
                total += self._step(train, chosen, number, generator) * len(chosen)
                if hear:
                    hear(place, len(batches))
            score = self.evaluate(dev) if dev and dev.count else None
            is_best = self._keep_best(number, score)
            yield Epoch(number, total / train.count, score, perf_counter() - begun, is_best)

    @ieee_arithmetic
    def _step(self, train: Examples, places: Array, epoch: int, generator: np.random.Generator) -> float:
        """Do one step: forward, loss, backpropagation, update. Return the loss."""
        mode = Mode(self.parameters.gradients, training=True, random=generator)
        outputs, back = propagate(self.steps, train.batch(places, epoch), mode)
        loss, gradient = self.find_loss(outputs, train.answers(places))
        if not np.isfinite(loss):
            raise DivergenceError(
                f"the loss is {loss} in epoch {epoch}; a smaller learning rate helps, such as {self.recipe.rate / 10:g}"
            )
        back(gradient)
        self.update()
        return loss

    def make_generator(self) -> np.random.Generator:
        """Return what orders the inputs and drops values; the weights were drawn with the seed alone."""
        return np.random.default_rng((self.recipe.seed, 1))

    def update(self) -> None:
        """Change the weights by the gradients of now."""
        self._update(self.parameters.slopes)

    def find_loss(self, outputs: Floats, answers: Array) -> tuple[float, Floats]:
        """Return the mean loss of a batch, and its gradient by what came out."""
        if not self.classes:
            return LOSSES[self.recipe.loss](outputs, answers)
        scores = outputs.reshape(self.classes, -1)
        wanted = answers if self.recipe.loss is Loss.CROSS_ENTROPY else _as_columns(answers, self.classes)
        loss, gradient = LOSSES[self.recipe.loss](scores, wanted)
        return loss, gradient.reshape(outputs.shape)

    def _keep_best(self, number: int, score: Score | None) -> bool:
        """Keep the weights if none did better on the dev data, or there is none; return whether they were kept."""
        if score is not None:
            rank = -(score.accuracy or 0.0), score.loss
            if not rank < self._least:
                return False
            self._least = rank
        self.best, self.best_epoch = self.parameters.state(), number
        return True

    @ieee_arithmetic
    def evaluate(self, examples: Examples) -> Score:
        """Return how well the weights of now answer examples."""
        total, confusion = 0.0, np.zeros((self.classes, self.classes), np.int64)
        for first in range(0, examples.count, self.recipe.batch):
            places = np.arange(first, min(first + self.recipe.batch, examples.count))
            outputs, _ = propagate(self.steps, examples.batch(places), Mode({}))
            answers = examples.answers(places)
            total += self.find_loss(outputs, answers)[0] * len(places)
            if self.classes:
                np.add.at(confusion, (answers, outputs.reshape(self.classes, -1).argmax(axis=0)), 1)
        if not self.classes:
            return Score(total / examples.count)
        return Score(total / examples.count, int(confusion.trace()) / examples.count, confusion)


def _check_scores(network: Network, shape: Shape, classes: int) -> None:
    """Raise a `ShapeError` if a network does not give a value for each class, in their order."""
    flow = network.visits(shape)[-1].outputs
    if flow.shape not in {(classes,), (1, 1, classes)}:
        raise ShapeError(
            f"the network gives {show_shape(flow.shape)} values, and there are {classes} classes; "
            f"`flatten linear:{classes}` at its end gives one for each"
        )
    if any(len(part) == 3 and part[2] > 1 and part[:2] != (1, 1) for part in flow.parts):
        raise ShapeError("the network ends with a flattened volume; a linear layer at its end gives a value a class")


def _as_columns(classes: Array, count: int) -> Floats:
    """Return a column for each class of (N,): 1 in its row, else 0."""
    return np.eye(count, dtype=np.float32)[:, classes]


def _cross_entropy(scores: Floats, classes: Array) -> tuple[float, Floats]:
    """Return the mean of -log of the softmax at each class, and its gradient by the scores (classes, N)."""
    shares = softmax(scores, axis=0)
    columns = np.arange(len(classes))
    highest = scores.max(axis=0)
    logs = np.log(np.exp(scores - highest).sum(axis=0)) + highest - scores[classes, columns]
    shares[classes, columns] -= 1
    return float(logs.mean(dtype=np.float64)), shares / np.float32(len(classes))


def _squares(outputs: Floats, wanted: Floats) -> tuple[float, Floats]:
    difference = outputs - wanted
    return float(np.square(difference, dtype=np.float64).mean()), difference * np.float32(2 / difference.size)


def _distances(outputs: Floats, wanted: Floats) -> tuple[float, Floats]:
    difference = outputs - wanted
    return float(np.abs(difference).mean(dtype=np.float64)), np.sign(difference) * np.float32(1 / difference.size)


LOSSES: dict[Loss, Callable[[Floats, Array], tuple[float, Floats]]] = {
    Loss.CROSS_ENTROPY: _cross_entropy,
    Loss.MSE: _squares,
    Loss.MAE: _distances,
}
"""Of what came out and what is wanted, the mean loss, and its gradient by what came out."""

Update = Callable[[Floats], None]
"""Changes the values that it was made for by a gradient."""


def _adam(values: Floats, rate: float) -> Update:
    """Return steps of Adam (Kingma and Ba, 2015) with PyTorch's 0.9, 0.999 and 1e-8."""
    means, squares, spare = np.zeros_like(values), np.zeros_like(values), np.empty_like(values)
    count = 0

    def update(gradient: Floats) -> None:
        nonlocal count
        count += 1
        np.multiply(means, ADAM[0], out=means)
        np.add(means, np.multiply(gradient, 1 - ADAM[0], out=spare), out=means)
        np.multiply(squares, ADAM[1], out=squares)
        np.multiply(gradient, gradient, out=spare)
        np.add(squares, np.multiply(spare, 1 - ADAM[1], out=spare), out=squares)
        np.sqrt(squares, out=spare)
        np.multiply(spare, 1 / (1 - ADAM[1] ** count) ** 0.5, out=spare)
        np.divide(means, np.add(spare, ADAM[2], out=spare), out=spare)
        np.subtract(values, np.multiply(spare, rate / (1 - ADAM[0] ** count), out=spare), out=values)

    return update


ADAM = 0.9, 0.999, 1e-8
"""The shares of the means and of the mean squares that stay in each step, and what keeps from a division by 0."""

MOMENTUM = 0.9


def _momentum(values: Floats, rate: float) -> Update:
    """Return steps along the sum of all gradients, each of which fades by a tenth in each step."""
    velocity = np.zeros_like(values)

    def update(gradient: Floats) -> None:
        np.multiply(velocity, MOMENTUM, out=velocity)
        np.add(velocity, gradient, out=velocity)
        np.subtract(values, velocity * rate, out=values)

    return update


def _descend(values: Floats, rate: float) -> Update:
    """Return steps against the gradient."""

    def update(gradient: Floats) -> None:
        np.subtract(values, gradient * rate, out=values)

    return update


OPTIMIZERS: dict[Optimizer, Callable[[Floats, float], Update]] = {
    Optimizer.ADAM: _adam,
    Optimizer.MOMENTUM: _momentum,
    Optimizer.SGD: _descend,
}
