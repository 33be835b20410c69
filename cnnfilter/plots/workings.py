"""What is done to a window, in numbers: the line below a moving picture."""

from __future__ import annotations

from functools import reduce
from textwrap import wrap

from cnnfilter.arrays import Array, Doubles
from cnnfilter.numbers import as_operand, show_digits, show_short
from cnnfilter.spec.pools import ChannelPool, Pool
from cnnfilter.traces import Trace


def show_work(traced: Trace, values: Array, letters: int) -> list[str]:
    """Return how the value (maps,) of each map comes about, in a line or a few of so many letters."""
    lines: list[str] = []
    for number, value in enumerate(values):
        place = ",".join(map(str, (*traced.place, number) if len(values) > 1 else traced.place))
        text = f"o[{place}] = {_work(traced, number, len(values))} = {show_digits(float(value), 7)}"
        lines += wrap(text, letters, subsequent_indent="  ")
    return lines


def _work(traced: Trace, number: int, maps: int) -> str:
    """Return what is done to the window for one map, in numbers."""
    if not traced.weighings:
        return _pooled(traced, number)
    each = len(traced.weighings) // maps
    parts = []
    for weighing in traced.weighings[number * each : (number + 1) * each]:
        products = traced.products(weighing)
        numbers = products[:, :, 0].ravel() if len(weighing.channels) == 1 else products.sum(axis=(0, 1))
        pairs = zip(traced.values[:, :, weighing.channels[0]].ravel(), weighing.weights[:, :, 0].ravel(), strict=True)
        if len(weighing.channels) == 1 and len(numbers) <= 9:
            text = " + ".join(f"{show_short(value)}*{_signed(weight)}" for value, weight in pairs)
        else:
            text = " + ".join(map(_signed, numbers)) if len(numbers) <= 25 else f"sum of {len(numbers)} products"
        bias = f" + {_signed(weighing.bias)}" if weighing.bias else ""
        parts.append(f"{text}{bias}")
    functions = [traced.combination.op] if traced.combination else []
    functions += [activation.op for activation in traced.activations]
    return reduce(lambda inner, function: f"{function}({inner})", functions, ", ".join(parts))


def _signed(number: float) -> str:
    return as_operand(show_short(float(number)))


def _pooled(traced: Trace, number: int) -> str:
    layer = traced.layer
    mode = str(getattr(layer, "mode", layer.op))
    if isinstance(layer, ChannelPool):
        seen: Doubles = traced.values.ravel()
    else:
        seen = traced.values[:, :, number][traced.inside]
    listed = ", ".join(map(show_short, map(float, seen))) if len(seen) <= 25 else f"{len(seen)} values"
    counted = " with padding" if isinstance(layer, Pool) and layer.count_include_pad else ""
    return f"{mode}({listed}){counted}"
