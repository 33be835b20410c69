"""Networks trained on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from cnnfilter.api.arguments import as_choice, check_choice, public
from cnnfilter.api.networks import RunnableNetwork, as_state, network
from cnnfilter.arrays import as_numbers
from cnnfilter.compute.state_dict import Init, RandomWeights
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.learn.examples import ImageExamples, InputEntry, name_labels, sort_classes
from cnnfilter.learn.recipe import Loss, Optimizer, TrainingRecipe
from cnnfilter.learn.training import Epoch, State, Trainer
from cnnfilter.nn.network import check_trainable

LossName = Literal["cross-entropy", "mse", "mae"]
OptimizerName = Literal["adam", "momentum", "sgd"]
Answers = ArrayLike | Sequence[str]
Subject = Literal["labels", "targets"]


class Training(NamedTuple):
    """What came of a training.

    Attributes
    ----------
    weights : dict
        A state dict: arrays by `NAME.weight` and the like, laid out as in PyTorch; `run(image, weights=...)` takes it.
    classes : tuple of str
        Their names, in the order of the network's values; empty where images are wanted.
    epochs : tuple
        What came of each epoch: `number`, `train_loss`, `dev` (`loss`, `accuracy`) or None, `seconds`, `is_best`.
    """

    weights: State
    classes: tuple[str, ...]
    epochs: tuple[Epoch, ...]


@public
def train(
    layers: str | PathLike[str] | RunnableNetwork,
    images: ArrayLike,
    labels: Answers | None = None,
    *,
    targets: ArrayLike | None = None,
    dev: tuple[ArrayLike, Answers] | None = None,
    epochs: int = 10,
    batch: int = 32,
    rate: float = 1e-3,
    optimizer: OptimizerName = "adam",
    loss: LossName | None = None,
    init: Init = "he",
    seed: int = 0,
    weights: str | PathLike[str] | State | None = None,
) -> Training:
    """Train a network on images with classes, or to make other images of them.

    Parameters
    ----------
    layers : str, path or network
        What `network` takes, or a network.
    images : array_like
        (N, H, W) or (N, H, W, C). They are scaled as the network's file says; values of 0 to 1 are learned soonest.
    labels : array_like
        (N,) whole numbers or names of classes. Classes are sorted.
    targets : array_like
        In place of labels, what is wanted of each image: (N, H', W') or (N, H', W', C'), as the network makes it.
    dev : (images, labels) or (images, targets), optional
        Data on which each epoch is tried: the weights of the epoch with the highest accuracy, or with the lowest loss
        of targets, are returned. By default those of the last epoch.
    epochs, batch : int
        How often all images are taken, and how many in each step.
    rate : float
        The learning rate, the length of a step.
    optimizer : {"adam", "momentum", "sgd"}
        How weights follow their gradients.
    loss : {"cross-entropy", "mse", "mae"}, optional
        What is made small: by default the cross-entropy of classes, of which the softmax at the network's end is a
        part, and the mean square of the error of targets.
    init : {"he", "uniform"}
        How the first weights are drawn.
    seed : int
        The same seed gives the same weights.
    weights : str, path or mapping, optional
        The weights to begin with, in place of random ones.

    Returns
    -------
    Training
        `.weights`, `.classes` and `.epochs`.

    Raises
    ------
    LanguageError
        If a layer cannot be trained, or none learns, or a choice is unknown.
    ShapeError
        If the arrays do not fit each other or the network.
    DivergenceError
        If the loss is no longer a finite number.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> images = generator.random((40, 4, 4))
    >>> found = train("conv:2x2,1,nobias", images, targets=images[:, 1:, 1:], epochs=100, rate=0.05)
    >>> found.weights["conv1.weight"].round(2)[0, 0] + 0
    array([[0., 0.],
           [0., 1.]], dtype=float32)
    """
    net = layers if isinstance(layers, RunnableNetwork) else network(layers)
    check_trainable(net)
    if (labels is None) == (targets is None):
        raise LanguageError("train takes labels, the classes of the images, or targets, the images wanted of them")
    if min(epochs, batch) < 1 or rate <= 0:
        raise ShapeError(f"epochs {epochs}, batch {batch} and rate {rate:g} are above 0")
    check_choice(init, get_args(Init), "init")
    chosen = as_choice(Loss, loss, "loss") if loss else Loss.MSE if labels is None else Loss.CROSS_ENTROPY
    if labels is None and chosen is Loss.CROSS_ENTROPY:
        raise LanguageError('loss "cross-entropy" is for labels; targets take "mse" or "mae"')
    recipe = TrainingRecipe(
        loss=chosen,
        optimizer=as_choice(Optimizer, optimizer, "optimizer"),
        epochs=epochs,
        batch=batch,
        rate=rate,
        seed=seed,
    )
    subject: Subject = "labels" if targets is None else "targets"
    entries = _list_entries(images, labels if targets is None else targets, subject)
    classes = sort_classes(entries) if targets is None else ()
    examples = ImageExamples(entries, net.preparation, classes)
    parts = [examples]
    if dev is not None:
        parts.append(ImageExamples(_list_entries(dev[0], dev[1], subject), net.preparation, classes))
    if targets is not None:
        for part in parts:
            part.read_targets(net.output(examples.shape))
    first = RandomWeights(init, seed) if weights is None else as_state(weights)
    trainer = Trainer(net, examples.shape, first, recipe, len(classes))
    done = tuple(trainer.learn(examples, parts[1] if dev is not None else None))
    return Training(trainer.best, classes, done)


def _list_entries(images: ArrayLike, answers: Answers | None, subject: Subject) -> list[InputEntry]:
    """Return the images of an array with their classes, or with what is wanted of them."""
    pixels = as_numbers(images, "images")
    if pixels.ndim not in {3, 4}:
        raise ShapeError(f"images have the shape {pixels.shape}; (N, H, W) and (N, H, W, C) are images")
    names = name_labels(np.asarray(answers)) if subject == "labels" else []
    wanted = as_numbers(answers, subject) if subject == "targets" else [None] * len(names)
    if len(wanted) != len(pixels):
        raise ShapeError(f"{len(wanted)} {subject} are given for {len(pixels)} images")
    return [
        InputEntry(str(place), f"image {place}", names[place] if names else f"target {place}", *pair)
        for place, pair in enumerate(zip(pixels, wanted, strict=True))
    ]
