"""The formulas behind a network's table, each with its numbers put in."""

from collections.abc import Iterator
from math import prod

from cnnfilter.nn.geometry import Field, PaddingWord, Window
from cnnfilter.nn.layers import Convolution, WindowLayer, show_shape
from cnnfilter.nn.network import Visit
from cnnfilter.nn.other_layers import BatchNorm, ChannelPool, Concatenation, Flatten, GlobalPool, Gray, Linear, Residual

Explanation = tuple[str, str]
"""A subject, and the formula that gives it."""


def explain(visit: Visit) -> list[Explanation]:
    """Return how a layer's size, its counts and its receptive field come about.

    Examples
    --------
    >>> from cnnfilter.nn.language import parse_network
    >>> (visit,) = parse_network("maxpool:3,s2,p1", kernel_shape=len).visits((112, 112, 64))
    >>> explain(visit)[0]
    ('height, width', 'floor((112 + 1 + 1 - 1*(3-1) - 1)/2) + 1 = 56')
    """
    return [*_size(visit), *_counts(visit), *_field(visit)]


def _size(visit: Visit) -> Iterator[Explanation]:
    layer, shape, output = visit.node.layer, visit.inputs.shape, visit.outputs.shape
    match layer:
        case WindowLayer():
            yield from _window_size(layer.window, shape[0], shape[1])
        case GlobalPool():
            yield "height, width", "one value for each channel: 1"
        case Gray():
            weighted = [f"{weight} {colour}" for weight, colour in zip(Gray.WEIGHTS, "RGB", strict=True)]
            yield "channels", " + ".join(weighted)
        case ChannelPool():
            yield "channels", f"{shape[2]}/{layer.size or shape[2]} = {output[2]}"
        case Flatten():
            yield "length", f"{'*'.join(map(str, shape))} = {output[0]}"
        case Residual():
            summands = [show_shape(end.shape) for end in layer.ends(visit.inputs)]
            yield "sum", " + ".join(summands) + (" (its input)" if layer.adds_input else "")
        case Concatenation():
            channels = [str(end.shape[-1]) for end in layer.ends(visit.inputs)]
            yield "channels", f"{' + '.join(channels)} = {output[-1]}"
    if isinstance(layer, Convolution):
        yield "channels", _channels(layer, shape[2], output[2])


def _window_size(window: Window, height: int, width: int) -> list[Explanation]:
    rows, columns = (list(_axis_size(window, axis, height, width)) for axis in (0, 1))
    axes = {"height, width": rows} if rows == columns else {"height": rows, "width": columns}
    return [(f"{axis}{subject}", formula) for axis, formulas in axes.items() for subject, formula in formulas]


def _axis_size(window: Window, axis: int, height: int, width: int) -> Iterator[Explanation]:
    """Yield how one axis gets its padding, if by a word, and its size."""
    size, output = (height, width)[axis], window.output(height, width)[axis]
    kernel, stride, dilation = window.size[axis], window.stride[axis], window.dilation[axis]
    pads = window.pads(height, width)
    before, after = pads[axis], pads[axis + 2]
    span = f"{dilation}*({kernel}-1)"
    if isinstance(window.padding, PaddingWord):
        formula = _padding(window.padding, size, span, stride, before + after)
        yield " padding", f"{window.padding}: {formula}: {before} before, {after} after"
    room = f"({size} + {before} + {after} - {span} - 1)/{stride}"
    if not window.ceil:
        yield "", f"floor({room}) + 1 = {output}"
        return
    windows = -(-(size + before + after - window.extent[axis]) // stride) + 1
    less = "" if windows == output else f" = {windows}, less 1 as the last window would start beyond the input"
    yield "", f"ceil({room}) + 1{less} = {output}"


def _padding(word: PaddingWord, size: int, span: str, stride: int, total: int) -> str:
    match word:
        case PaddingWord.HALF:
            return f"2*floor({span}/2) = {total}"
        case PaddingWord.FULL:
            return f"2*{span} = {total}"
        case _:
            return f"max((ceil({size}/{stride})-1)*{stride} + {span} + 1 - {size}, 0) = {total}"


def _channels(layer: Convolution, inputs: int, outputs: int) -> str:
    if layer.op == "dwconv":
        return f"{inputs}*{outputs // inputs} = {outputs}"
    if layer.kernels:
        return f"{' + '.join(str(kernel.maps) for kernel in layer.kernels)} = {outputs}, one for each kernel's map"
    return f"{outputs}, one for each filter"


def _counts(visit: Visit) -> Iterator[Explanation]:
    layer, shape, output = visit.node.layer, visit.inputs.shape, visit.outputs.shape
    parameters, macs = f"{layer.parameters(shape):,}", f"{layer.macs(shape):,}"
    match layer:
        case Convolution():
            rows, columns, inputs, outputs = layer.bank(shape[2])
            weights = f"{rows}*{columns}*{inputs}"
            biases = f" + {outputs}" if layer.learned_bias or layer.bias else ""
            yield "parameters", f"{weights}*{outputs}{biases} = {parameters}"
            yield "MACs", f"{'*'.join(map(str, output))} * {weights} = {macs}"
        case Linear():
            weights = f"{prod(shape)}*{layer.outputs}"
            yield "parameters", f"{weights}{f' + {layer.outputs}' if layer.bias else ''} = {parameters}"
            yield "MACs", f"{weights} = {macs}"
        case BatchNorm():
            yield "parameters", f"2*{shape[-1]} = {parameters} (weight, bias)"
            yield "statistics", f"2*{shape[-1]} = {layer.statistics(shape):,} (mean, variance)"


def _field(visit: Visit) -> Iterator[Explanation]:
    layer, before, after = visit.node.layer, visit.inputs.field, visit.outputs.field
    if before == after and not isinstance(layer, WindowLayer):
        return
    if after is None:
        if before is not None:
            yield "receptive field", "the whole input"
    elif isinstance(layer, WindowLayer) and before:
        rows, columns = (_axis_field(layer.window, axis, before, after) for axis in (0, 1))
        for subject, down, across in zip(("receptive field", "jump", "first pixel"), rows, columns, strict=True):
            yield subject, down if down == across else f"{down} down, {across} across"
    else:
        yield "receptive field", f"union of what is joined: {after.size[0]}x{after.size[1]}"


def _axis_field(window: Window, axis: int, before: Field, after: Field) -> tuple[str, str, str]:
    """Return how size, jump and first pixel of a receptive field come about along one axis."""
    jump, first = before.jump[axis], before.first[axis]
    padding = (first - after.first[axis]) // jump
    return (
        f"{before.size[axis]} + {window.dilation[axis]}*({window.size[axis]}-1)*{jump} = {after.size[axis]}",
        f"{jump}*{window.stride[axis]} = {after.jump[axis]}",
        f"{first} - {padding}*{jump} = {after.first[axis]}",
    )
