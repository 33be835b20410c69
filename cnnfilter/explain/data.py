"""A trace as data for JSON: the window, the weights, every product and what becomes of their sum, in full precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.borders import Places
from cnnfilter.errors import ShapeError
from cnnfilter.explain.chain import Link
from cnnfilter.explain.trace import Trace, Weighing, count_places, find_picked
from cnnfilter.nn.layers import Convolution, WindowLayer
from cnnfilter.nn.other_layers import ChannelPool, GlobalPool, Pool

MOST_VALUES = 1_000_000
"""A window with more values makes a text that nobody reads, and takes gigabytes on its way there."""


def describe_trace(traced: Trace, outcome: Array, stored: Array | None) -> dict[str, Any]:
    """Return how the `outcome` (C,) of a run came about; `stored` (C,) are the levels that a file holds of it, if any.

    The keys are the same for every layer. Raise a `ShapeError` if the window has too many values to list.
    """
    if (count := traced.values.size * max(1, len(traced.weighings))) > MOST_VALUES:
        raise ShapeError(f"the window has {count:,} values; up to {MOST_VALUES:,} are listed")
    combination, stages = traced.combination, traced.stages()
    return {
        "layer": traced.layer.text,
        "at": traced.place,
        "shape": traced.shape,
        "output": traced.output,
        "gray": traced.gray,
        "window": _describe_window(traced),
        "maps": _describe_maps(traced),
        "combination": combination and {"mode": str(combination.mode), "values": stages[0].tolist()},
        "activations": [
            {"name": activation.text, "values": values.tolist()}
            for activation, values in zip(traced.activations, stages[1:], strict=True)
        ],
        "result": _numbers(outcome),
        "stored": None if stored is None else stored.tolist(),
    }


def describe_chain(links: Sequence[Link]) -> dict[str, Any]:
    """Return how a value of a network's result came about, layer by layer, from the last to the first."""
    return {"at": links[0].place, "result": links[0].value, "layers": list(map(_describe_link, links))}


def _describe_link(link: Link) -> dict[str, Any]:
    """Return what one layer does for the value; `window` is that of a convolution or pool, `terms` what others add."""
    traced, node = link.trace, link.step.node
    terms = [{**term._asdict(), "product": term.product} for term in link.terms]
    return {
        "name": node.name,
        "layer": node.layer.text,
        "shape": link.shape,
        "output": link.output,
        "at": link.place,
        "value": link.value,
        "window": traced and _describe_window(traced),
        "maps": traced and _describe_maps(traced),
        "terms": terms or None,
        "bias": link.bias if link.terms else None,
        "norm": link.norm and link.norm._asdict(),
        "slope": link.slope,
        "from": {"at": link.source, "value": link.source_value, "reason": link.reason or None},
    }


def _numbers(values: Array) -> list[float]:
    """Return the values exactly, whatever their type."""
    return [float(value) for value in values]


def _describe_window(traced: Trace) -> dict[str, Any]:
    """Return where the window is; None is what the layer does not have, and the source of a border's own value."""
    layer, reach = traced.layer, traced.reach
    window = layer.window if isinstance(layer, WindowLayer) else None
    return {
        "size": traced.inside.shape,
        "stride": window and window.stride,
        "dilation": window and window.dilation,
        "padding": window and window.pads(traced.shape[0], traced.shape[1]),
        "border": str(layer.border) if isinstance(layer, Convolution) else None,
        "rows": reach.rows.tolist(),
        "columns": reach.columns.tolist(),
        "source_rows": _sources(reach.row_sources),
        "source_columns": _sources(reach.column_sources),
    }


def _sources(places: Places) -> list[int | None]:
    return [place if place >= 0 else None for place in places.tolist()]


def _describe_maps(traced: Trace) -> list[dict[str, Any]]:
    """Return what each map adds up or takes; one map of all channels where it is them that are pooled."""
    if traced.weighings:
        return [_convolved_map(traced, weighing) for weighing in traced.weighings]
    values = traced.sums().tolist()
    if isinstance(traced.layer, ChannelPool):
        return [_pooled_map(traced, range(traced.shape[2]), value) for value in values]
    return [_pooled_map(traced, [channel], value) for channel, value in zip(traced.channels, values, strict=True)]


def _convolved_map(traced: Trace, weighing: Weighing) -> dict[str, Any]:
    products = traced.products(weighing) + 0.0  # -0 becomes 0
    channels = [
        {
            "channel": channel,
            "values": traced.values[:, :, channel].tolist(),
            "weights": weighing.weights[:, :, place].tolist(),
            "products": products[:, :, place].tolist(),
            "sum": float(products[:, :, place].sum()),
        }
        for place, channel in enumerate(weighing.channels)
    ]
    total = float(products.sum())
    return {
        "kernel": weighing.kernel,
        "divisor": weighing.divisor,
        "channels": channels,
        "sum": total,
        "bias": weighing.bias,
        "value": total + weighing.bias,
    }


def _pooled_map(traced: Trace, channels: Sequence[int], value: float) -> dict[str, Any]:
    """Return what one map takes: `count` is what an average divides by, `picked` the (row, column) of the one value."""
    held = [{"channel": channel, "values": _pixels(traced, channel)} for channel in channels]
    is_window = isinstance(traced.layer, GlobalPool | Pool)
    return {
        "channels": held,
        "count": count_places(traced) if is_window else len(channels),
        "picked": _find_picked(traced, traced.values[:, :, channels[0]]) if is_window else None,
        "value": value,
    }


def _pixels(traced: Trace, channel: int) -> list[list[float | None]]:
    """Return a channel of the window, None where it holds no pixel."""
    rows = zip(traced.values[:, :, channel].tolist(), traced.inside.tolist(), strict=True)
    return [[value if there else None for value, there in zip(*row, strict=True)] for row in rows]


def _find_picked(traced: Trace, values: Doubles) -> tuple[int, int] | None:
    layer = traced.layer
    assert isinstance(layer, GlobalPool | Pool)
    place = find_picked(layer.mode, values, traced.inside)
    return (int(traced.reach.rows[place[0]]), int(traced.reach.columns[place[1]])) if place else None
