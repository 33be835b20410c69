"""A trace as text: the window, the kernel, every product, the sum, and the formula in symbols and in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.activations import activate
from cnnfilter.numbers import align, as_operand, show_digits, show_exact
from cnnfilter.spec.borders import BorderMode
from cnnfilter.spec.convolutions import Convolution, Normalization
from cnnfilter.spec.geometry import Sides, Window, show_pair
from cnnfilter.spec.layers import Activation, Gray, show_shape
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode
from cnnfilter.spec.printing import show_layer
from cnnfilter.traces import Trace, Weighing, count_places, find_picked, pool_window

MOST_LISTED = 25
"""A larger window's products with weights of 0 are counted, not listed; longer sums are not written out."""

_MARGIN = 10
"""The width of the column of subjects."""


show_value = partial(show_digits, digits=7)


def explain_trace(traced: Trace, outcome: Array, subject: str, held: str = "") -> str:
    """Return how a value came about.

    Parameters
    ----------
    traced
        What it is made of.
    outcome
        (C,): what the run itself gave at this place, which is stated as the result.
    subject
        What is looked at, for the first line: the input, and the kernel or pool.
    held
        What a file holds of the result, where that is something else.

    Returns
    -------
    str
        Lines, each with its end.
    """
    head = f"{subject}: output {_at(traced.place)}, {show_shape(traced.shape)} -> {show_shape(traced.output)}"
    body = _explain_convolution(traced) if traced.weighings else _explain_pool(traced)
    lines = [head, *_gray(traced), *body, *_behind(traced), *_results(traced, outcome)]
    if held:
        lines.append(_line("in a file", held))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _line(subject: str, text: str) -> str:
    return f"{subject:<{_MARGIN}}{text}".rstrip()


def _at(place: Iterable[int]) -> str:
    return f"[{','.join(str(int(number)) for number in place)}]"


def _gray(traced: Trace) -> Iterator[str]:
    if traced.gray:
        shares = " + ".join(f"{weight} {color}" for weight, color in zip(Gray.WEIGHTS, "RGB", strict=True))
        yield _line("input", f"i is {shares}")


# ------------------------------------------------------------------------------------------------ where the window is


def _geometry(traced: Trace, window: Window) -> Iterator[str]:
    """Yield the numbers behind the formula, and where the window lies."""
    pads = window.pads(traced.shape[0], traced.shape[1])
    border = f", border {traced.layer.border}" if isinstance(traced.layer, Convolution) and any(pads) else ""
    yield _line(
        "with",
        f"stride sy = {window.stride[0]}, sx = {window.stride[1]}; dilation dy = {window.dilation[0]}, "
        f"dx = {window.dilation[1]}; padding top = {pads[0]}, left = {pads[1]}{border}",
    )
    yield _line("window", _where(traced, window, pads))


def _where(traced: Trace, window: Window, pads: Sides) -> str:
    """Return which rows and columns the window sees, and how many of its places are no pixels."""
    parts = []
    for axis, (name, taps) in enumerate((("rows", traced.reach.rows), ("columns", traced.reach.columns))):
        first, last = int(taps[0]), int(taps[-1])
        span = f"{first} to {last}" + (f" in steps of {window.dilation[axis]}" if window.dilation[axis] > 1 else "")
        parts.append(f"{name} {span} ({window.stride[axis]}*{traced.place[axis]} - {pads[axis]} = {first})")
    beyond = int(np.count_nonzero(~traced.inside))
    padded = f"; {beyond} of its {traced.inside.size} places lie in the padding" if beyond else ""
    return f"{', '.join(parts)} of the {show_pair((traced.shape[0], traced.shape[1]))} input{padded}"


def _index(row: str, column: str, window: Window, traced: Trace) -> str:
    pads = window.pads(traced.shape[0], traced.shape[1])
    (sy, sx), (dy, dx) = window.stride, window.dilation
    return f"{sy}*{traced.place[0]} + {dy}*{row} - {pads[0]}, {sx}*{traced.place[1]} + {dx}*{column} - {pads[1]}"


# ------------------------------------------------------------------------------------------------ convolutions


def _explain_convolution(traced: Trace) -> Iterator[str]:
    layer = traced.layer
    assert isinstance(layer, Convolution)
    kh, kw = layer.window.size
    summed = len(traced.weighings[0].channels) > 1
    channel, over = (",k", f"r < {kh}, c < {kw}, k < {traced.shape[2]}") if summed else ("", f"r < {kh}, c < {kw}")
    bias = " + b" if any(weighing.bias for weighing in traced.weighings) else ""
    place = ",".join(map(str, traced.place))
    yield _line(
        "formula",
        f"o[y,x] = sum over {over} of i[sy*y + dy*r - top, sx*x + dx*c - left{channel}] * f[r,c{channel}]{bias}",
    )
    inner = _index("r", "c", layer.window, traced)
    yield _line("here", f"o[{place}] = sum over {over} of i[{inner}{channel}] * f[r,c{channel}]{bias}")
    yield from _geometry(traced, layer.window)
    yield from _treatment(layer)
    for number, weighing in enumerate(traced.weighings):
        yield ""
        yield from _explain_map(traced, number, weighing)


def _treatment(layer: Convolution) -> Iterator[str]:
    if layer.flip:
        yield _line("flip", "the kernel is turned by 180 degrees, and shown as it is laid on the window")


def _explain_map(traced: Trace, number: int, weighing: Weighing) -> Iterator[str]:
    """Yield how one map's sum comes about, channel by channel."""
    assert isinstance(traced.layer, Convolution)
    if len(traced.weighings) > 1:
        own = f"channel {weighing.channels[0]}, " if len(weighing.channels) < traced.shape[2] else f"map {number}, "
        yield f"{own}kernel {weighing.kernel}"
    if traced.layer.normalize is not Normalization.NONE:
        what = "their sum" if traced.layer.normalize is Normalization.SUM else "the sum of their magnitudes"
        yield f"  the kernel's weights are divided by {what}, {show_value(weighing.divisor)}"
    products = traced.products(weighing)
    for place, channel in enumerate(weighing.channels):
        if len(weighing.channels) > 1:
            yield f"  channel {channel}"
        yield from _show_window(traced, weighing, place, channel)
        yield from _list_products(traced, weighing, place, channel)
    totals = [float(products[:, :, place].sum()) for place in range(len(weighing.channels))]
    if len(totals) > 1:
        each = ", ".join(
            f"channel {channel}: {show_value(total)}" for channel, total in zip(weighing.channels, totals, strict=True)
        )
        yield f"  sums      {each}"
        yield f"  sum       {_add(totals)}"
    else:
        yield f"  sum       {_add(products[:, :, 0].ravel())}"
    if weighing.bias:
        total = float(products.sum())
        yield f"  bias      {_add([total, weighing.bias])}"


def _show_window(traced: Trace, weighing: Weighing, place: int, channel: int) -> Iterator[str]:
    """Yield the window's values and the kernel's weights side by side; padding stands in parentheses."""
    values = _mark(traced.values[:, :, channel], traced.inside)
    weights = [[show_value(weight) for weight in row] for row in weighing.weights[:, :, place]]
    left, right = _align(values), _align(weights)
    yield f"  {'i':<{len(left[0])}}    f"
    for row, across in zip(left, right, strict=True):
        yield f"  {row}    {across}"


def _mark(values: Doubles, inside: Array) -> list[list[str]]:
    return [
        [show_value(value) if there else f"({'.' if np.isnan(value) else show_value(value)})" for value, there in row]
        for row in (zip(*rows, strict=True) for rows in zip(values, inside, strict=True))
    ]


def _align(words: list[list[str]]) -> list[str]:
    """Return rows whose columns are flush right, a place kept for the parenthesis that closes padding."""
    if any(word.endswith(")") for row in words for word in row):
        words = [[word if word.endswith(")") else f"{word} " for word in row] for row in words]
    lines = align(words, range(len(words[0])), " ")
    return [line.ljust(max(map(len, lines))) for line in lines]


def _list_products(traced: Trace, weighing: Weighing, place: int, channel: int) -> Iterator[str]:
    """Yield each product as texts print it; of a large window those with a weight that is not 0."""
    index = f",{channel}" if traced.shape[2] > 1 else ""
    weights, products = weighing.weights[:, :, place], traced.products(weighing)[:, :, place]
    own = f",{place}" if len(weighing.channels) > 1 else ""
    every = weights.size <= MOST_LISTED
    rows = []
    for (row, column), weight in np.ndenumerate(weights):
        if not (every or weight):
            continue
        value = traced.values[row, column, channel]
        left = f"i[{traced.reach.rows[row]},{traced.reach.columns[column]}{index}]*f[{row},{column}{own}]"
        right = f"{show_value(value)}*{_signed(weight)} = {show_value(float(products[row, column]))}"
        rows.append((left, right, _origin(traced, row, column, index)))
    wide, deep = (
        max((len(left) for left, _, _ in rows), default=0),
        max((len(right) for _, right, _ in rows), default=0),
    )
    for left, right, origin in rows:
        yield f"  {left:<{wide}} = {right:<{deep}}{origin}".rstrip()
    if len(rows) < weights.size:
        yield f"  {weights.size - len(rows)} products with weight 0 add nothing"


def _origin(traced: Trace, row: int, column: int, index: str) -> str:
    """Return what a place in the padding holds, or the empty string for a pixel."""
    if traced.inside[row, column]:
        return ""
    assert isinstance(traced.layer, Convolution)
    mode = traced.layer.border.mode
    if mode in {BorderMode.ZERO, BorderMode.CONSTANT}:
        return f"  padding, {traced.layer.border}"
    source = traced.reach.row_sources[row], traced.reach.column_sources[column]
    return f"  padding, {mode}: i[{source[0]},{source[1]}{index}]"


def _signed(number: float) -> str:
    return as_operand(show_value(number))


def _add(numbers: Sequence[float] | Doubles) -> str:
    """Return the sum of numbers, each written out where they are few."""
    total = show_value(float(np.sum(numbers)))
    if len(numbers) == 1:
        return total
    if len(numbers) > MOST_LISTED:
        return f"{len(numbers)} products add up to {total}"
    signs = "".join(f" {'-' if number < 0 else '+'} {show_value(abs(float(number)))}" for number in numbers[1:])
    return f"{show_value(float(numbers[0]))}{signs} = {total}"


# ------------------------------------------------------------------------------------------------ pools


def _explain_pool(traced: Trace) -> Iterator[str]:
    layer = traced.layer
    match layer:
        case Pool():
            yield _line("formula", _formula(layer))
            yield _line("here", f"v = i[{_index('r', 'c', layer.window, traced)}]")
            yield from _geometry(traced, layer.window)
            yield _line("padding", "is no pixel" if not layer.count_include_pad else "counts as 0, and is divided by")
        case GlobalPool():
            yield _line("formula", f"o[0,0] = {'max' if layer.mode is PoolMode.MAX else 'mean'} of all i[y,x]")
        case ChannelPool():
            yield _line("formula", f"o[y,x] = {layer.mode} over k of i[y,x,k]")
    if isinstance(layer, ChannelPool):
        yield _line("values", _combine(traced.values.ravel(), layer.mode))
        return
    for channel in range(traced.shape[2]):
        yield ""
        if traced.shape[2] > 1:
            yield f"channel {channel}"
        yield from _explain_window(traced, channel)


def _formula(layer: Pool) -> str:
    rows, columns = layer.window.size
    return f"o[y,x] = {layer.mode.row.formula}, v = i[sy*y + dy*r - top, sx*x + dx*c - left]; r < {rows}, c < {columns}"


def _explain_window(traced: Trace, channel: int) -> Iterator[str]:
    values, inside = traced.values[:, :, channel], traced.inside
    pixels = values[inside]
    if max(values.shape) <= MOST_LISTED:
        yield "  i"
        yield from (f"  {row}" for row in _align(_mark(values, inside)))
    if not len(pixels):
        yield "  no pixel lies in the window: 0"
        return
    mode = traced.layer.mode if isinstance(traced.layer, Pool | GlobalPool) else PoolMode.MAX
    yield f"  {_pool(traced, mode, pixels, values)}"


def _pool(traced: Trace, mode: PoolMode, pixels: Doubles, values: Doubles) -> str:
    """Return what a mode makes of the pixels in a window, in numbers."""
    few = len(pixels) <= MOST_LISTED
    listed = ", ".join(map(show_value, pixels)) if few else f"{len(pixels)} values"
    match mode:
        case PoolMode.AVG:
            count, total = count_places(traced), float(pixels.sum())
            listed = f"({' + '.join(map(_signed, pixels))})/{count} = " if few else f"sum of {listed}: "
            return f"{listed}{show_value(total)}/{count} = {show_value(total / count)}"
        case PoolMode.L2:
            total = float(np.square(pixels).sum())
            squares = f"sqrt({' + '.join(f'{_signed(pixel)}^2' for pixel in pixels)}) = " if few else ""
            return f"{squares}sqrt({show_value(total)}) = {show_value(total**0.5)}"
        case PoolMode.MEDIAN:
            ordered = np.sort(pixels)
            low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
            between = (
                show_value(low)
                if len(ordered) % 2
                else f"({_signed(low)} + {_signed(high)})/2 = {show_value((low + high) / 2)}"
            )
            return f"in order {', '.join(map(show_value, ordered)) if few else listed}; in the middle {between}"
        case _ if (place := find_picked(mode, values)) is not None:
            where = _at((traced.reach.rows[place[0]], traced.reach.columns[place[1]]))
            return f"{mode}({listed}) = {show_value(values[place])} = i{where}"
        case _:
            alone = pool_window(pixels[:, None], mode)
            return f"{mode}({listed}) = {show_value(alone.item())}"


def _combine(values: Doubles, mode: ChannelMode) -> str:
    """Return what becomes of the values of channels or maps, in numbers."""
    match mode:
        case ChannelMode.MAGNITUDE:
            total = float(np.square(values).sum())
            squares = " + ".join(f"{_signed(value)}^2" for value in values)
            return f"sqrt({squares}) = sqrt({show_value(total)}) = {show_value(total**0.5)}"
        case ChannelMode.SUM:
            return _add(values)
        case ChannelMode.AVG:
            total = float(values.sum())
            added = " + ".join(map(_signed, values))
            return f"({added})/{len(values)} = {show_value(total / len(values))}"
        case ChannelMode.MAX | ChannelMode.MIN:
            best = values.max() if mode is ChannelMode.MAX else values.min()
            return f"{mode}({', '.join(map(show_value, values))}) = {show_value(float(best))}"


# ------------------------------------------------------------------------------------------------ what comes behind


def _behind(traced: Trace) -> Iterator[str]:
    """Yield what the combination of kernels and the activations make of the sums."""
    values = traced.sums()
    if (combination := traced.combination) is not None:
        combined = traced.combined()
        yield ""
        yield from (_line("combined", _combine(part, combination.mode)) for part in values.reshape(len(combined), -1))
        values = combined
    for activation in traced.activations:
        after = np.asarray(activate(values, activation), dtype=np.float64)
        yield ""
        yield from (_line("then", _activate(activation, *pair)) for pair in zip(values, after, strict=True))
        values = after


def _activate(activation: Activation, before: float, after: float) -> str:
    return f"{show_layer(activation)}({show_value(before)}) = {show_value(after)}"


def _results(traced: Trace, outcome: Array) -> Iterator[str]:
    """Yield the values that the run gave."""
    yield ""
    for number, value in enumerate(outcome):
        place = (*traced.place, number) if len(outcome) > 1 else traced.place
        yield _line("result", f"o{_at(place)} = {show_exact(value)}")
