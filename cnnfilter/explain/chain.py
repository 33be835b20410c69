"""One value of a network's result, followed back through its layers to the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import Program, Step, run_program
from cnnfilter.errors import ShapeError
from cnnfilter.explain.trace import Trace, find_picked, trace_step
from cnnfilter.nn.layers import Convolution, Shape, WindowLayer, show_shape
from cnnfilter.nn.norms import Norm, OwnNorm
from cnnfilter.nn.other_layers import (
    ChannelMode,
    ChannelPool,
    Concatenation,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PRelu,
    Residual,
)
from cnnfilter.nn.resampling import Deconv, Upsample

Place = tuple[int, ...]
"""(row, column, channel) of a volume, (index,) of a vector."""


class Term(NamedTuple):
    """What is added up to a value: a value, where it is, and its weight."""

    place: Place
    value: float
    weight: float

    @property
    def product(self) -> float:
        """The value times its weight; a weight of 0 takes nothing of nan or infinity."""
        return self.value * self.weight if self.weight else 0.0


class Scaling(NamedTuple):
    """By what a norm shifts and scales a value; `weight` and `bias` are None where it has none."""

    mean: float
    variance: float
    eps: float
    weight: float | None = None
    bias: float | None = None


class Link(NamedTuple):
    """What one layer does for the value that is followed.

    `value` at `place` comes out of the layer of `step`, which sees an input of a `shape`. It is made of a window
    (`trace`), of a weighted sum (`terms` and `bias`), or of what is at `source` alone, which a norm shifts and scales
    (`norm`) and a prelu multiplies by its `slope` where it is negative. That is where the chain goes on:
    `source_value`, chosen for a `reason` where there were several.
    """

    step: Step
    shape: Shape
    output: Shape
    place: Place
    value: float
    source: Place
    source_value: float
    reason: str = ""
    trace: Trace | None = None
    terms: tuple[Term, ...] = ()
    bias: float = 0.0
    norm: Scaling | None = None
    slope: float | None = None


def settle_place(shape: Shape, place: Place, number: int | None) -> Place:
    """Return the place in a result, (row, column, channel) or (index,), that a place without channel and a map name.

    Raises a `ShapeError` if there is none.
    """
    if len(place) != min(len(shape), 2):
        wanted = "--explain Y,X takes a row and a column" if len(shape) == 3 else "--explain K takes an index"
        raise ShapeError(f"the result is {'' if len(shape) == 3 else 'a vector of '}{show_shape(shape)}; {wanted}")
    if len(shape) == 1 and number is not None:
        raise ShapeError(f"the result is a vector of {shape[0]}, and has no maps; leave --map out")
    full = place if len(shape) == 1 else (*place, number or 0)
    if any(at >= size for at, size in zip(full, shape, strict=True)):
        ends = [f"{name} to {size - 1}" for name, size in zip(("rows", "columns", "maps"), shape, strict=False)]
        last = ", ".join(ends) if len(shape) == 3 else f"indices to {shape[0] - 1}"
        shown = ",".join(map(str, place)) + (f" of map {full[2]}" if len(shape) == 3 else "")
        raise ShapeError(f"position {shown} is outside the result of {show_shape(shape)}, which has {last}")
    return full


def follow(program: Program, volume: Array, place: Place, white: float) -> list[Link]:
    """Return the links of the value at a place of a network's result, from the last layer to the first.

    Raises a `ShapeError` that names the layer if there is one through which no value can be followed.
    """
    outputs: dict[str, Array] = {}
    run_program(program, volume, white=white, listener=outputs.__setitem__)
    return list(_follow(program.steps, volume, place, outputs))


def _follow(steps: Sequence[Step], entering: Array, place: Place, outputs: dict[str, Array]) -> Iterator[Link]:
    """Yield the links of layers in a row, the last first, which an array enters; blocks come before their branches."""
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        before = outputs[steps[number - 1].node.name] if number else entering
        if not step.branches:
            link = _link(step, before, outputs[step.node.name], place)
            yield link
            place = link.source
            continue
        ends = [outputs[branch[-1].node.name] if branch else before for branch in step.branches]
        link, branch = _choose_branch(step, before, ends, outputs[step.node.name], place)
        yield link
        place = link.source
        for inner in _follow(branch, before, place, outputs):
            yield inner
            place = inner.source


def _choose_branch(
    step: Step, before: Array, ends: list[Array], after: Array, place: Place
) -> tuple[Link, Sequence[Step]]:
    """Return the link of a block, and the branch in which the value is followed, empty for the block's own input."""
    branches: list[Sequence[Step]] = list(step.branches)
    if isinstance(step.node.layer, Concatenation):
        chosen, start = 0, place[-1]
        while start >= ends[chosen].shape[-1]:
            start -= ends[chosen].shape[-1]
            chosen += 1
        source, terms = (*place[:-1], start), tuple[Term, ...]()
        reason = f"from branch {chosen + 1}"
    else:
        assert isinstance(step.node.layer, Residual)
        if step.node.layer.adds_input:
            ends, branches = [*ends, before], [*branches, ()]
        terms = tuple(Term(place, float(end[place]), 1.0) for end in ends)
        chosen, source = _largest([term.value for term in terms]), place
        name = "the block's input" if chosen == len(step.branches) else f"branch {chosen + 1}"
        reason = f"from {name}, the largest summand"
    value, source_value = float(after[place]), float(ends[chosen][source])
    link = Link(step, before.shape, after.shape, place, value, source, source_value, reason, terms=terms)
    return link, branches[chosen]


def _largest(numbers: Sequence[float] | Doubles) -> int:
    """Return the place of the number that is farthest from 0."""
    return int(np.nan_to_num(np.abs(np.asarray(numbers, dtype=np.float64)), nan=np.inf).argmax())


def _link(step: Step, before: Array, after: Array, place: Place) -> Link:
    """Return the link of a layer that is not a block."""
    layer, value = step.node.layer, float(after[place])
    traced: Trace | None = None
    terms, bias, reason, source = tuple[Term, ...](), 0.0, "", place
    if isinstance(layer, Flatten):
        source = tuple(map(int, np.unravel_index(place[0], before.shape)))
    elif isinstance(layer, Gray):
        weights = layer.WEIGHTS if before.shape[2] > 1 else (1.0,)
        terms = tuple(
            Term((*place[:2], channel), float(before[(*place[:2], channel)]), weight)
            for channel, weight in enumerate(weights)
        )
    elif isinstance(layer, Linear):
        weights = step.tensors["weight"][:, place[0]].tolist()
        pairs = enumerate(zip(before.tolist(), weights, strict=True))
        terms = tuple(Term((index,), value, weight) for index, (value, weight) in pairs)
        bias = float(step.tensors.get("bias", np.zeros(after.shape))[place[0]])
    elif isinstance(layer, Deconv):
        terms = tuple(_products_of(layer, step.tensors["weight"], before, place))
        bias = float(step.tensors["bias"][place[2]]) if layer.bias else 0.0
    elif isinstance(layer, Upsample):
        terms = tuple(_shares_of(layer, before, place))
    elif isinstance(layer, WindowLayer | GlobalPool | ChannelPool):
        traced = trace_step(step, before, after.shape, (place[0], place[1]), number=place[2])
        source, reason = _choose_source(traced)
    elif layer.ROWS != "point" and before.shape != after.shape:
        raise ShapeError(f"{step.node.name} ({layer.text}): no value can be followed through this layer")
    if terms:
        source, reason = terms[_largest([term.product for term in terms])].place, "the largest product"
    elif isinstance(layer, Deconv):
        raise ShapeError(f"{step.node.name} ({layer.text}): no value before it is in the value at {place[:2]}")
    link = Link(step, before.shape, after.shape, place, value, source, float(before[source]), reason, traced)
    return link._replace(
        terms=terms, bias=bias, norm=_find_scaling(step, before, place), slope=_find_slope(step, place)
    )


def _products_of(layer: Deconv, weight: Array, before: Array, place: Place) -> Iterator[Term]:
    """Yield the values that a transposed convolution adds up at a place, each with its weight."""
    inputs, outputs = before.shape[2] // layer.groups, layer.outputs // layer.groups
    first, number = place[2] // outputs * inputs, place[2] % outputs
    for row, down in layer.taps(place[0], 0):
        for column, across in layer.taps(place[1], 1):
            if 0 <= row < before.shape[0] and 0 <= column < before.shape[1]:
                for channel in range(first, first + inputs):
                    source = row, column, channel
                    yield Term(source, float(before[source]), float(weight[channel, number, down, across]))


def _shares_of(layer: Upsample, before: Array, place: Place) -> Iterator[Term]:
    """Yield the values between which an interpolated one is, each with its share."""
    axes = []
    for axis in (0, 1):
        source, share = layer.share(place[axis], axis)
        ends = ((source, 1 - share), (source + 1, share))
        axes.append([(min(max(at, 0), before.shape[axis] - 1), part) for at, part in ends if part])
    for row, down in axes[0]:
        for column, across in axes[1]:
            pixel = row, column, place[2]
            yield Term(pixel, float(before[pixel]), down * across)


def _find_scaling(step: Step, before: Array, place: Place) -> Scaling | None:
    """Return by what a norm shifts and scales the value at a place, None for another layer."""
    layer, tensors = step.node.layer, step.tensors
    if not isinstance(layer, Norm):
        return None
    numbers = Scaling(0.0, 1.0, layer.eps)
    if isinstance(layer, OwnNorm):
        size = before.shape[-1] // layer.sets(before.shape[-1])
        first = place[-1] // size * size
        values = before[..., first : first + size].astype(np.float64)
        numbers = numbers._replace(mean=float(values.mean()), variance=float(values.var()))
    else:
        mean, variance = (float(tensors[name][place[-1]]) for name in ("running_mean", "running_var"))
        numbers = numbers._replace(mean=mean, variance=variance)
    if not layer.affine:
        return numbers
    at = place if tensors["weight"].ndim == 1 else (place[2], *place[:2])  # those of layernorm are in PyTorch's order
    weight, bias = (float(tensors[name][at[-tensors[name].ndim :]]) for name in ("weight", "bias"))
    return numbers._replace(weight=weight, bias=bias)


def _find_slope(step: Step, place: Place) -> float | None:
    """Return the slope of a prelu at a place, None for another layer."""
    if not isinstance(step.node.layer, PRelu):
        return None
    slopes = step.tensors["weight"]
    return float(slopes[place[-1] if len(slopes) > 1 else 0])


def _choose_source(traced: Trace) -> tuple[Place, str]:
    """Return which value of a window is followed, where it is in the input, and why it."""
    layer, reach = traced.layer, traced.reach
    pixels = np.logical_and.outer(reach.row_sources >= 0, reach.column_sources >= 0)
    if not pixels.any():
        raise ShapeError(f"{layer.text}: the window at {traced.place[0]},{traced.place[1]} has no pixel of its input")
    if isinstance(layer, Convolution):
        (weighing,) = traced.weighings
        products = np.abs(traced.products(weighing)) * pixels[:, :, None]
        row, column, place = map(int, np.unravel_index(_largest(products), products.shape))
        channel, reason = weighing.channels[place], "the largest product"
    elif isinstance(layer, ChannelPool):
        values = traced.values[0, 0]
        picks = {ChannelMode.MAX: np.argmax, ChannelMode.MIN: np.argmin}
        row, column = 0, 0
        channel = int(picks.get(layer.mode, _largest)(values))
        reason = "the value that won" if layer.mode in picks else "the largest value"
    else:
        assert isinstance(layer, GlobalPool | Pool)
        assert traced.map is not None
        channel, values = traced.map, traced.values[:, :, traced.map]
        picked = find_picked(layer.mode, values, traced.inside)
        largest = np.unravel_index(_largest(np.where(traced.inside, values, 0)), values.shape)
        row, column = picked or map(int, largest)
        reason = "the value that won" if picked else "the largest value of the window"
    return (int(reach.row_sources[row]), int(reach.column_sources[column]), channel), reason
