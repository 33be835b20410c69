"""A trace as text: the window, the kernel, every product, the sum, and the formula in symbols and in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.explain.chain import Link
from cnnfilter.explain.trace import Trace, Weighing, count_places, find_picked, pool_window
from cnnfilter.nn.geometry import BorderMode, Window, show_pair
from cnnfilter.nn.layers import Convolution, Normalization, show_shape
from cnnfilter.nn.other_layers import (
    ChannelMode,
    ChannelPool,
    Concatenation,
    Flatten,
    GlobalPool,
    Gray,
    Pool,
    PoolMode,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool
from cnnfilter.numbers import align, as_operand, show_digits, show_exact

MOST_LISTED = 25
"""A larger window's products with weights of 0 are counted, not listed; longer sums are not written out."""

show_value = partial(show_digits, digits=7)


def explain_trace(traced: Trace, outcome: Array, subject: str, held: str = "") -> str:
    """Return how the `outcome` (C,) of a run came about, and what a file has `held` of it, where that differs."""
    lines = [f"{subject}: output {_at(traced.place)}, {show_shape(traced.shape)} -> {show_shape(traced.output)}"]
    if traced.gray:
        shares = " + ".join(f"{weight} {color}" for weight, color in zip(Gray.WEIGHTS, "RGB", strict=True))
        lines.append(_line("input", f"i is {shares}"))
    lines += _explain_convolution(traced) if traced.weighings else _explain_pool(traced)
    lines += [*_explain_rest(traced), ""]
    for number, value in enumerate(outcome):
        place = (*traced.place, number) if len(outcome) > 1 else traced.place
        lines.append(_line("result", f"o{_at(place)} = {show_exact(value)}"))
    if held:
        lines.append(_line("in a file", held))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def explain_chain(links: Sequence[Link], subject: str) -> str:
    """Return how a value of a network's result came about, layer by layer, from the last to the first."""
    first = links[0]
    lines = [f"{subject}: output {_at(first.place)} = {show_value(first.value)}, back to the input"]
    for link in links:
        layer, node = link.step.node.layer, link.step.node
        text = "" if layer.text == node.name else f" {layer.text}"
        lines += ["", f"{node.name}:{text} {show_shape(link.shape)} -> {show_shape(link.output)}"]
        if link.trace:
            lines += _explain_convolution(link.trace) if link.trace.weighings else _explain_pool(link.trace)
        elif link.terms:
            lines += _explain_terms(link)
        elif not isinstance(layer, Concatenation | Flatten):
            lines.append(_line("then", _explain_point(link)))
        lines.append(_line("result", f"o{_at(link.place)} = {show_value(link.value)}"))
        why = f", {link.reason}" if link.reason else ""
        lines.append(_line("back to", f"i{_at(link.source)} = {show_value(link.source_value)}{why}"))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _explain_terms(link: Link) -> Iterator[str]:
    """Yield what a layer adds up: branches, or products, of many the largest ones."""
    products = np.array([term.product for term in link.terms])
    shown = sorted(np.argsort(-np.abs(products), kind="stable")[:MOST_LISTED].tolist())
    rows = []
    for number in shown:
        term = link.terms[number]
        value, product = show_value(term.value), show_value(term.product)
        if isinstance(link.step.node.layer, Residual):
            name = f"branch {number + 1}" if number < len(link.step.branches) else "the block's input"
            rows.append((f"{name} i{_at(term.place)}", f"= {value}"))
        else:
            rows.append((f"i{_at(term.place)}*w", f"= {value}*{_operand(term.weight)} = {product}"))
    yield from (f"  {line}" for line in align(rows, gap=" "))
    if len(shown) < len(products):
        yield f"  {len(products) - len(shown)} smaller products are not listed"
    yield f"  sum       {_add(products)}"
    if link.bias:
        yield f"  bias      {_add([float(products.sum()), link.bias])}"


def _explain_point(link: Link) -> str:
    """Return what a layer makes of one value, in numbers."""
    layer, value, result = link.step.node.layer, show_value(link.source_value), show_value(link.value)
    if norm := link.norm:
        scaled = f"({value} - {_operand(norm.mean)})/sqrt({show_value(norm.variance)} + {norm.eps:g})"
        if norm.weight is not None and norm.bias is not None:
            scaled = f"{scaled}*{_operand(norm.weight)} + {_operand(norm.bias)}"
        return f"{scaled} = {result}"
    if link.slope is not None:
        return f"max(0, {value}) + {_operand(link.slope)}*min(0, {value}) = {result}"
    if isinstance(layer, Softmax):
        return f"exp({value})/(sum of exp of {link.shape[-1]} values) = {result}"
    return f"{layer.text}({value}) = {result}"


def _line(subject: str, text: str) -> str:
    return f"{subject:<10}{text}"


def _at(place: Iterable[int]) -> str:
    return f"[{','.join(str(int(number)) for number in place)}]"


def _operand(number: float) -> str:
    return as_operand(show_value(number))


def _list(numbers: Doubles) -> str:
    """Return numbers one after the other, or the count of many."""
    return ", ".join(map(show_value, numbers)) if len(numbers) <= MOST_LISTED else f"{len(numbers)} values"


def _explain_geometry(traced: Trace, window: Window) -> Iterator[str]:
    """Yield the numbers behind the formula, and where the window is."""
    (sy, sx), (dy, dx), pads = window.stride, window.dilation, window.pads(traced.shape[0], traced.shape[1])
    border = f", border {traced.layer.border}" if isinstance(traced.layer, Convolution) and any(pads) else ""
    steps = f"stride sy = {sy}, sx = {sx}; dilation dy = {dy}, dx = {dx}"
    yield _line("with", f"{steps}; padding top = {pads[0]}, left = {pads[1]}{border}")
    parts = []
    for axis, (name, taps) in enumerate((("rows", traced.reach.rows), ("columns", traced.reach.columns))):
        gaps = f" in steps of {window.dilation[axis]}" if window.dilation[axis] > 1 else ""
        sum_ = f"{window.stride[axis]}*{traced.place[axis]} - {pads[axis]} = {taps[0]}"
        parts.append(f"{name} {taps[0]} to {taps[-1]}{gaps} ({sum_})")
    beyond = np.count_nonzero(~traced.inside)
    padded = f"; {beyond} of its {traced.inside.size} places are padding" if beyond else ""
    yield _line("window", f"{', '.join(parts)} of the {show_pair((traced.shape[0], traced.shape[1]))} input{padded}")


def _show_index(window: Window, traced: Trace) -> str:
    """Return which pixel is under the weight at row r and column c."""
    top, left, _, _ = window.pads(traced.shape[0], traced.shape[1])
    (sy, sx), (dy, dx) = window.stride, window.dilation
    return f"{sy}*{traced.place[0]} + {dy}*r - {top}, {sx}*{traced.place[1]} + {dx}*c - {left}"


def _explain_convolution(traced: Trace) -> Iterator[str]:
    layer = traced.layer
    assert isinstance(layer, Convolution)
    kh, kw = layer.window.size
    summed = len(traced.weighings[0].channels) > 1
    channel, over = (",k", f"r < {kh}, c < {kw}, k < {traced.shape[2]}") if summed else ("", f"r < {kh}, c < {kw}")
    rest = f"{channel}] * f[r,c{channel}]" + (" + b" if traced.is_biased else "")
    yield _line("formula", f"o[y,x] = sum over {over} of i[sy*y + dy*r - top, sx*x + dx*c - left{rest}")
    yield _line("here", f"o{_at(traced.place)} = sum over {over} of i[{_show_index(layer.window, traced)}{rest}")
    yield from _explain_geometry(traced, layer.window)
    if layer.flip:
        yield _line("flip", "the kernel is turned by 180 degrees, and shown as it is laid on the window")
    for number, weighing in enumerate(traced.weighings):
        yield ""
        if len(traced.weighings) > 1:
            own = f"channel {weighing.channels[0]}" if len(weighing.channels) < traced.shape[2] else f"map {number}"
            yield f"{own}, kernel {weighing.kernel}"
        if layer.normalize is not Normalization.NONE:
            what = "their sum" if layer.normalize is Normalization.SUM else "the sum of their magnitudes"
            yield f"  the kernel's weights are divided by {what}, {show_value(weighing.divisor)}"
        yield from _explain_map(traced, weighing)


def _explain_map(traced: Trace, weighing: Weighing) -> Iterator[str]:
    """Yield how one map's sum comes about, channel by channel."""
    products = traced.products(weighing)
    for place, channel in enumerate(weighing.channels):
        if len(weighing.channels) > 1:
            yield f"  channel {channel}"
        left, weights = _show_values(traced, channel), weighing.weights[:, :, place]
        right = align([list(map(show_value, row)) for row in weights], range(weights.shape[1]), " ")
        yield f"  {'i':<{len(left[0])}}    f"
        yield from (f"  {row}    {across}" for row, across in zip(left, right, strict=True))
        yield from _list_products(traced, weighing, place, channel)
    if len(weighing.channels) > 1:
        totals = products.sum(axis=(0, 1))
        each = zip(weighing.channels, totals, strict=True)
        yield f"  sums      {', '.join(f'channel {channel}: {show_value(total)}' for channel, total in each)}"
        yield f"  sum       {_add(totals)}"
    else:
        yield f"  sum       {_add(products.ravel())}"
    if traced.is_biased:
        yield f"  bias      {_add([products.sum(), weighing.bias])}"


def _show_values(traced: Trace, channel: int) -> list[str]:
    """Return a channel of the window in aligned rows; padding is in parentheses, a point where it has no value."""
    words = []
    for row, inside in zip(traced.values[:, :, channel], traced.inside, strict=True):
        shown = zip(map(show_value, row), np.isnan(row), inside, strict=True)
        words.append([text if there else "(.)" if odd else f"({text})" for text, odd, there in shown])
    if not traced.inside.all():  # a place is kept for the parenthesis
        words = [[word if word.endswith(")") else f"{word} " for word in row] for row in words]
    widths = [max(map(len, column)) for column in zip(*words, strict=True)]
    return [" ".join(map(str.rjust, row, widths)) for row in words]


def _list_products(traced: Trace, weighing: Weighing, place: int, channel: int) -> Iterator[str]:
    """Yield each product as texts print it; of a large window those with a weight that is not 0."""
    index = f",{channel}" if traced.shape[2] > 1 else ""
    own = f",{place}" if len(weighing.channels) > 1 else ""
    weights, products = weighing.weights[:, :, place], traced.products(weighing)[:, :, place]
    rows = []
    for (row, column), weight in np.ndenumerate(weights):
        if weight or weights.size <= MOST_LISTED:
            left = f"i[{traced.reach.rows[row]},{traced.reach.columns[column]}{index}]*f[{row},{column}{own}]"
            value, product = float(traced.values[row, column, channel]), float(products[row, column])
            right = f"= {show_value(value)}*{_operand(weight)} = {show_value(product)}"
            rows.append((left, right, f" {_name_source(traced, row, column, index)}"))
    yield from (f"  {line}" for line in align(rows, gap=" "))
    if len(rows) < weights.size:
        yield f"  {weights.size - len(rows)} products with weight 0 add nothing"


def _name_source(traced: Trace, row: int, column: int, index: str) -> str:
    """Return what a place in the padding holds, or the empty string for a pixel."""
    if traced.inside[row, column]:
        return ""
    assert isinstance(traced.layer, Convolution)
    mode = traced.layer.border.mode
    if mode in {BorderMode.ZERO, BorderMode.CONSTANT}:
        return f"padding, {traced.layer.border}"
    return f"padding, {mode}: i[{traced.reach.row_sources[row]},{traced.reach.column_sources[column]}{index}]"


def _add(numbers: Sequence[float] | Doubles) -> str:
    """Return the sum of numbers, each written out where they are few."""
    total = show_value(float(np.sum(numbers)))
    if len(numbers) == 1:
        return total
    if len(numbers) > MOST_LISTED:
        return f"{len(numbers)} products add up to {total}"
    signs = "".join(f" {'-' if number < 0 else '+'} {show_value(abs(number))}" for number in numbers[1:])
    return f"{show_value(numbers[0])}{signs} = {total}"


def _explain_pool(traced: Trace) -> Iterator[str]:
    layer = traced.layer
    if isinstance(layer, ChannelPool):
        yield _line("formula", f"o[y,x] = {layer.mode} over k of i[y,x,k]")
        yield _line("values", _combine(traced.values.ravel(), layer.mode))
        return
    assert isinstance(layer, GlobalPool | Pool)
    if isinstance(layer, AdaptivePool):
        yield from _explain_adaptive(layer, traced)
    elif isinstance(layer, GlobalPool):
        yield _line("formula", f"o[0,0] = {'max' if layer.mode is PoolMode.MAX else 'mean'} of all i[y,x]")
    else:
        rows, columns = layer.window.size
        formula = f"{layer.mode.row.formula}, v = i[sy*y + dy*r - top, sx*x + dx*c - left]; r < {rows}, c < {columns}"
        yield _line("formula", f"o[y,x] = {formula}")
        yield _line("here", f"v = i[{_show_index(layer.window, traced)}]")
        yield from _explain_geometry(traced, layer.window)
        if not traced.inside.all():
            counted = "counts as 0, also in the number of values"
            yield _line("padding", counted if layer.count_include_pad else "does not count")
    for channel in traced.channels:
        yield ""
        if traced.shape[2] > 1:
            yield f"channel {channel}"
        if max(traced.inside.shape) <= MOST_LISTED:
            yield "  i"
            yield from (f"  {row}" for row in _show_values(traced, channel))
        yield f"  {_pool(traced, layer.mode, channel)}"


def _explain_adaptive(layer: AdaptivePool, traced: Trace) -> Iterator[str]:
    """Yield how a window of an adaptive pool is found."""
    name = "max" if layer.mode is PoolMode.MAX else "mean"
    sizes = zip("rc", "yx", traced.shape, layer.size, strict=False)
    spans = [f"floor({y}*{n}/{o}) <= {r} < ceil(({y}+1)*{n}/{o})" for r, y, n, o in sizes]
    yield _line("formula", f"o[y,x] = {name} of i[r,c], {', '.join(spans)}")
    ends = [f"{taps[0]} to {taps[-1]}" for taps in (traced.reach.rows, traced.reach.columns)]
    size = show_pair((traced.shape[0], traced.shape[1]))
    yield _line("window", f"rows {ends[0]}, columns {ends[1]} of the {size} input")


def _pool(traced: Trace, mode: PoolMode, channel: int) -> str:
    """Return what a mode makes of the pixels in a window, in numbers."""
    values = traced.values[:, :, channel]
    pixels = values[traced.inside]
    listed, few = _list(pixels), len(pixels) <= MOST_LISTED
    if not len(pixels):
        return "the window has no pixel of the input: 0"
    if mode is PoolMode.AVG:
        count, total = count_places(traced), pixels.sum()
        added = f"({' + '.join(map(_operand, pixels))})/{count} = " if few else f"sum of {listed}: "
        return f"{added}{show_value(total)}/{count} = {show_value(total / count)}"
    if mode is PoolMode.L2:
        return _take_root(pixels, few=few)
    if mode is PoolMode.MEDIAN and not np.isnan(pixels).any():
        ordered = np.sort(pixels)
        low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
        mean = f"({_operand(low)} + {_operand(high)})/2 = {show_value((low + high) / 2)}"
        return f"in order {_list(ordered)}; in the middle {show_value(low) if len(ordered) % 2 else mean}"
    if place := find_picked(mode, values, traced.inside):
        where = _at((traced.reach.rows[place[0]], traced.reach.columns[place[1]]))
        return f"{mode}({listed}) = {show_value(values[place])} = i{where}"
    return f"{mode}({listed}) = {show_value(pool_window(pixels[:, None], mode).item())}"


def _take_root(values: Doubles, *, few: bool = True) -> str:
    """Return the square root of a sum of squares, each written out if they are few."""
    total = float(np.square(values).sum())
    squares = f"sqrt({' + '.join(f'{_operand(value)}^2' for value in values)}) = " if few else ""
    return f"{squares}sqrt({show_value(total)}) = {show_value(total**0.5)}"


def _combine(values: Doubles, mode: ChannelMode) -> str:
    """Return what becomes of the values of channels or maps, in numbers."""
    match mode:
        case ChannelMode.MAGNITUDE:
            return _take_root(values)
        case ChannelMode.SUM:
            return _add(values)
        case ChannelMode.AVG:
            return f"({' + '.join(map(_operand, values))})/{len(values)} = {show_value(values.sum() / len(values))}"
        case ChannelMode.MAX | ChannelMode.MIN:
            best = values.max() if mode is ChannelMode.MAX else values.min()
            return f"{mode}({', '.join(map(show_value, values))}) = {show_value(best)}"


def _explain_rest(traced: Trace) -> Iterator[str]:
    """Yield what the combination of kernels and the activations make of the sums."""
    stages = traced.stages()
    if (combination := traced.combination) is not None:
        parts = traced.sums().reshape(len(stages[0]), -1)
        yield ""
        yield from (_line("combined", _combine(part, combination.mode)) for part in parts)
    for activation, values in zip(traced.activations, pairwise(stages), strict=True):
        yield ""
        for before, after in zip(*values, strict=True):
            yield _line("then", f"{activation.text}({show_value(before)}) = {show_value(after)}")
