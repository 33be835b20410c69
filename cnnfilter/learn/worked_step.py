"""The first step of training with all its numbers, in the words in which training is taught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.activations import softmax
from cnnfilter.compute.forward import Step
from cnnfilter.compute.gradients import Mode, StateTensors, propagate
from cnnfilter.compute.window_gradients import Back
from cnnfilter.errors import LanguageError
from cnnfilter.learn.recipe import Loss, Optimizer
from cnnfilter.learn.session import Session
from cnnfilter.learn.training import State
from cnnfilter.nn.layers import show_shape
from cnnfilter.numbers import align, count, show_digits

MOST_NUMBERS = 600
"""Weights and values of one input that are printed."""

_DIGITS = 5


def explain_step(session: Session) -> str:
    """Return the first step of a session, which it does: weights, values, loss, gradients, and the new weights.

    Of several inputs in the batch the values of the first are printed; the loss, and gradients by weights, are the
    means over all. Raises a `LanguageError` if there are too many numbers.
    """
    if session.train is None:
        raise LanguageError("--explain shows a step of training, and with --epochs 0 there is none")
    _check_size(session)
    trainer, recipe = session.trainer, session.task.recipe
    generator = trainer.make_generator()
    places = generator.permutation(session.train.count)[: recipe.batch]
    batch, answers = session.train.batch(places, epoch=1), session.train.answers(places)
    lines = [f"One step: {_name_inputs(session, places)}", "", f"Initialise: {_name_weights(session)}"]
    lines += _show_weights(trainer.parameters.state())
    mode = Mode(trainer.parameters.gradients, training=True, random=generator)
    backs = list[tuple[Step, Back]]()
    lines += ["", f"Forward: input {show_shape(session.shape)}", *_show_values(batch)]
    for step in trainer.steps:
        batch, back = propagate((step,), batch, mode, needed=True)
        backs.append((step, back))
        lines += [f"  {step.node.name} = {step.node.layer.text}", *_show_values(batch)]
    loss, gradient = trainer.find_loss(batch, answers)
    lines += ["", *_explain_loss(session, batch, answers, loss), ""]
    lines += _explain_backpropagation(backs, gradient, trainer.parameters.gradients)
    trainer.update()
    lines += ["", f"Update: {_UPDATES[recipe.optimizer].format(rate=show_digits(recipe.rate, _DIGITS))}"]
    lines += _show_weights(trainer.parameters.state())
    return "\n".join(lines) + "\n"


def _check_size(session: Session) -> None:
    task = session.task
    weights = session.trainer.parameters.values.size
    values = sum(prod(visit.outputs.shape) for visit in task.network.visits(session.shape)) + prod(session.shape)
    if weights + values > MOST_NUMBERS:
        raise LanguageError(
            f"--explain prints up to {MOST_NUMBERS} numbers; the network has {count(weights, 'weight')} and "
            f"{count(values, 'value')} for an input of {show_shape(session.shape)}; a smaller one or --resize would do"
        )


def _name_inputs(session: Session, places: Array) -> str:
    assert session.train
    first = session.train.names[int(places[0])]
    return first if len(places) == 1 else f"{first} and {len(places) - 1} more; values are those of the first"


def _name_weights(session: Session) -> str:
    task = session.task
    if task.resume:
        return f"weights of {task.resume}"
    return f"weights drawn by --init {task.init} --seed {task.recipe.seed}"


def _explain_loss(session: Session, outputs: Floats, answers: Array, loss: float) -> Iterator[str]:
    """Yield how the loss of the first input comes about, and the mean over the batch."""
    recipe, inputs = session.task.recipe, outputs.shape[-1]
    yield f"Loss: {recipe.loss}"
    if recipe.loss is Loss.CROSS_ENTROPY:
        shares = softmax(outputs.reshape(len(session.classes), -1), axis=0)[:, 0]
        wanted = int(answers[0])
        yield "  softmax: the share of each class, exp(score) / the sum of exp(scores)"
        rows = zip(session.classes, map(_show, shares.tolist()), strict=True)
        yield from (f"    {line}" for line in align([*rows], flush_right=(1,)))
        own = -float(np.log(shares[wanted]))
        yield f"  the class is {session.classes[wanted]}: -log({_show(float(shares[wanted]))}) = {_show(own)}"
    elif session.classes:
        yield f"  wanted is 1 for the class, {session.classes[int(answers[0])]}, and 0 for the others"
    else:
        yield "  wanted"
        yield from _show_values(answers)
    if recipe.loss is not Loss.CROSS_ENTROPY:
        formula = "(output - wanted)^2" if recipe.loss is Loss.MSE else "|output - wanted|"
        yield f"  the mean of {formula} over all values = {_show(loss)}"
    elif inputs > 1:
        yield f"  the mean over {inputs} inputs = {_show(loss)}"


def _explain_backpropagation(
    backs: Sequence[tuple[Step, Back]], gradient: Floats, gradients: StateTensors
) -> Iterator[str]:
    """Yield the gradients by what each layer gives and by its weights, the last layer first."""
    yield "Backpropagation: how fast the loss grows with each number, from the last layer to the first"
    for step, back in reversed(backs):
        yield f"  by what {step.node.name} gives"
        yield from _show_values(gradient)
        going_on = back(gradient)
        assert going_on is not None
        gradient = going_on
        for part, tensor in gradients.get(step.node.name, {}).items():
            yield f"  by {step.node.name}.{part}"
            yield from _show_tensor(tensor)


_UPDATES = {
    Optimizer.SGD: "sgd, new weight = weight - {rate} x gradient",
    Optimizer.MOMENTUM: "momentum, velocity = 0.9 x velocity (0 at first) + gradient; new weight = weight - {rate} x "
    "velocity",
    Optimizer.ADAM: "adam, new weight = weight - {rate} x m / (sqrt(v) + 1e-8), where m and v are running means of the "
    "gradient and of its square; at first m = gradient, v = gradient^2",
}


def _show_weights(state: State) -> Iterator[str]:
    for name, tensor in state.items():
        yield f"  {name}"
        yield from _show_tensor(tensor)


def _show_values(batch: Floats) -> Iterator[str]:
    """Yield the values of the first input of a batch."""
    return _show_tensor(batch[..., 0])


def _show_tensor(tensor: Array) -> Iterator[str]:
    """Yield the numbers of a tensor, matrix after matrix."""
    if tensor.ndim < 3:
        yield from (f"    {line}" for line in _align(np.atleast_2d(tensor)))
        return
    for place in np.ndindex(tensor.shape[:-2]):
        if prod(tensor.shape[:-2]) > 1:
            words = ("map",) if len(place) == 1 else ("kernel", "slice")
            yield "    " + ", ".join(f"{word} {number}" for word, number in zip(words, place, strict=True))
        yield from (f"    {line}" for line in _align(tensor[place]))


def _align(matrix: Array) -> list[str]:
    rows = [[_show(number) for number in row] for row in matrix.tolist()]
    return align(rows, flush_right=range(matrix.shape[1]))


def _show(number: float) -> str:
    return show_digits(number + 0.0, _DIGITS)
