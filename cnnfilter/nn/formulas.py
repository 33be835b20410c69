"""The formulas behind a network's table, each with its numbers put in."""

from collections.abc import Callable, Iterable, Iterator
from math import prod

from cnnfilter.nn.fields import Along, Field
from cnnfilter.nn.geometry import PaddingWord, Window, show_pair
from cnnfilter.nn.layers import Convolution, SpatialLayer, WindowLayer, show_shape
from cnnfilter.nn.network import Visit
from cnnfilter.nn.norms import Norm
from cnnfilter.nn.other_layers import ChannelPool, Concatenation, Flatten, GlobalPool, Gray, Linear, PRelu, Residual
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Upsample

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
            yield from _of_both_axes(lambda axis: _axis_size(layer.window, axis, shape[0], shape[1]))
        case Deconv():
            yield from _of_both_axes(lambda axis: _axis_growth(layer, axis, shape[axis], output[axis]))
        case Upsample():
            yield from _of_both_axes(lambda axis: [("", f"{shape[axis]}*{layer.factor[axis]} = {output[axis]}")])
        case AdaptivePool():
            yield from _of_both_axes(lambda axis: [("", f"one value for each window: {output[axis]}")])
            yield from _of_both_axes(lambda axis: [(" of window i", _axis_window(shape[axis], output[axis]))])
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
    elif isinstance(layer, Deconv):
        yield "channels", f"{output[2]}, one for each filter"


def _of_both_axes(explain_axis: Callable[[int], Iterable[Explanation]]) -> list[Explanation]:
    """Return what explains each axis, once where it is the same for both."""
    rows, columns = (list(explain_axis(axis)) for axis in (0, 1))
    axes = {"height, width": rows} if rows == columns else {"height": rows, "width": columns}
    return [(f"{axis}{subject}", formula) for axis, formulas in axes.items() for subject, formula in formulas]


def _axis_growth(layer: Deconv, axis: int, size: int, output: int) -> Iterator[Explanation]:
    """Yield how one axis of a deconv gets its size."""
    window, pads = layer.window, layer.window.pads(1, 1)
    span = f"{window.dilation[axis]}*({window.size[axis]}-1)"
    whole = f"({size}-1)*{window.stride[axis]} - {pads[axis]} - {pads[axis + 2]} + {span}"
    yield "", f"{whole} + {layer.output_padding[axis]} + 1 = {output}"


def _axis_window(size: int, output: int) -> str:
    return f"floor(i*{size}/{output}) to before ceil((i+1)*{size}/{output})"


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
        case Deconv():
            rows, columns = layer.window.size
            weights = f"{layer.outputs // layer.groups}*{rows}*{columns}"
            yield "parameters", f"{shape[2]}*{weights}{f' + {layer.outputs}' if layer.bias else ''} = {parameters}"
            yield "MACs", f"{'*'.join(map(str, shape))} * {weights} = {macs}"
        case PRelu():
            yield "parameters", f"one value{' for each channel' if layer.each else ''}: {parameters}"
        case Norm():
            tensors = layer.tensors(shape)
            if layer.affine:
                size = "*".join(map(str, tensors["weight"]))
                yield "parameters", f"2*{size} = {parameters} (weight, bias)"
            if "running_mean" in tensors:
                yield "statistics", f"2*{shape[-1]} = {layer.statistics(shape):,} (mean, variance)"


def _field(visit: Visit) -> Iterator[Explanation]:
    layer, before, after = visit.node.layer, visit.inputs.field, visit.outputs.field
    if before == after and not isinstance(layer, WindowLayer):
        return
    if after is None:
        if before is not None:
            yield "receptive field", "the whole input"
    elif before and isinstance(layer, SpatialLayer):
        yield from _spatial_field(layer, before, after)
    else:
        yield "receptive field", f"union of what is joined: {after.size[0]}x{after.size[1]}"


def _spatial_field(layer: SpatialLayer, before: Field, after: Field) -> Iterator[Explanation]:
    if isinstance(layer, WindowLayer) and before.jump:
        rows, columns = (_axis_field(layer.window, axis, before[axis], after[axis]) for axis in (0, 1))
        for subject, down, across in zip(("receptive field", "jump", "first pixel"), rows, columns, strict=True):
            yield subject, down if down == across else f"{down} down, {across} across"
        return
    yield "receptive field", f"{after.size[0]}x{after.size[1]}{'' if after.jump else ', the largest of any value'}"
    yield "jump", show_pair(after.jump) if after.jump else "varies"


def _axis_field(window: Window, axis: int, before: Along, after: Along) -> tuple[str, str, str]:
    """Return how size, jump and first pixel of a receptive field come about along one axis."""
    jump, (first, _), (begin, _) = before.step, *filter(None, (before.spans[0], after.spans[0]))
    padding = (first - begin) // jump
    return (
        f"{before.size} + {window.dilation[axis]}*({window.size[axis]}-1)*{jump} = {after.size}",
        f"{jump}*{window.stride[axis]} = {after.step}",
        f"{first} - {padding}*{jump} = {begin}",
    )
