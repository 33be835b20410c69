"""Warnings about a network that is valid, but probably not meant so."""

from collections.abc import Callable, Iterable, Iterator
from math import gcd

from cnnfilter.nn.geometry import PaddingWord, Window, show_padding, show_pair
from cnnfilter.nn.layers import Block, Conv, Convolution, Shape, WindowLayer, show_shape
from cnnfilter.nn.network import Visit
from cnnfilter.nn.resampling import Deconv
from cnnfilter.numbers import count


def warn_about_borders(visits: Iterable[Visit]) -> list[str]:
    """Return a warning for each border that has no padding to fill; a window of 1x1 needs none."""
    return [
        f"{visit.node.text}: border {layer.border} has no effect with padding 0; leave the padding out, or make it same"
        for visit in visits
        if isinstance(layer := visit.node.layer, Convolution) and is_border_unused(layer, visit.inputs.shape)
    ]


def is_border_unused(layer: Convolution, shape: Shape) -> bool:
    """Return whether a layer has a border, but no padding to fill around an input (height, width, channels)."""
    return (
        layer.border.mode != "zero"
        and layer.window.padding is not PaddingWord.SAME
        and layer.window.size != (1, 1)
        and not any(layer.window.pads(*shape[:2]))
    )


def advise_on_borders(visits: Iterable[Visit], *, padding_given: bool) -> list[str]:
    """Return advice where a convolution makes the image smaller, or leaves a frame around it."""
    advice = []
    for visit in visits:
        layer, before, after = visit.node.layer, visit.inputs.shape, visit.outputs.shape
        if not isinstance(layer, Convolution) or layer.window.stride != (1, 1) or layer.border.mode != "zero":
            continue
        if before[:2] != after[:2] and not padding_given:
            sizes = f"{show_shape(before[:2])} -> {show_shape(after[:2])}"
            advice.append(f"{sizes}: the windows must fit; --border edge keeps the size")
        elif before[:2] == after[:2] and any(layer.window.pads(*before[:2])):
            advice.append("the zeros around the image leave a frame in the result; --border edge continues the image")
    return advice


def warn_about_layouts(visits: Iterable[Visit]) -> list[str]:
    """Return a warning for each kernel of which the rows, or the axes of PyTorch, (out, in, kh, kw), look misread."""
    words = [word for visit in visits for word in getattr(visit.node.layer, "kernels", ())]
    return [
        f"{word.text}: one row of {side**2} numbers; if it is a matrix of {side}x{side}, end each row with `;` (in a "
        "file with a new line)"
        for word in words
        if (side := _SIDES_OF_SQUARES.get(word.shape)) and not word.text.lower().endswith(".npy")
    ] + [
        f"{word.text}: {describe_bank(word.shape)}"
        for word in words
        if len(word.shape) == 4 and looks_like_pytorch(word.shape)
    ]


_SIDES_OF_SQUARES: dict[Shape, int] = {(1, side**2): side for side in (3, 5, 7)}
"""The shapes of kernels that probably are squares whose rows nothing separates."""


def looks_like_pytorch(shape: Shape) -> bool:
    """Return whether the last two axes of a bank look more like a window than the first two."""
    return shape[2] == shape[3] != shape[0] and (shape[0] != shape[1] or shape[0] > _LARGEST_WINDOW)


def describe_bank(shape: Shape, array: str = "") -> str:
    """Return how a bank that looks like PyTorch's is read, and what turns it; `array` is its name in Python."""
    height, width, inputs, outputs = shape
    return (
        f"shape {shape} is read as windows of {height}x{width} with {inputs} inputs and {outputs} outputs; if it is "
        f"PyTorch's (out, in, kh, kw), `{array}.transpose(2, 3, 1, 0)` turns it"
    )


_LARGEST_WINDOW = 11
"""Side of the largest windows of known networks, those of AlexNet."""


def has_channels_first(shape: Shape) -> bool:
    """Return whether a shape looks like (channels, height, width)."""
    return len(shape) == 3 and shape[0] in {1, 3, 4} and min(shape[1:]) >= _LEAST_SIDE


def warn_about_input(shape: Shape) -> list[str]:
    """Return a warning for the size of an input (height, width, channels) that looks like (channels, height, width)."""
    if not has_channels_first(shape):
        return []
    height, width, channels = shape
    return [
        f"{show_shape(shape)} is read as {count(height, 'row')} and {width} columns of {channels} channels; "
        f"for {count(height, 'channel')} write {width}x{channels}x{height}, or add --layout chw"
    ]


_LEAST_SIDE = 8
"""From this size on, columns and channels look like the rows and columns of an image with its channels first."""


def warn_about_sums(visits: Iterable[Visit], never_negative: Callable[[str], bool]) -> list[str]:
    """Return a warning for each conv that adds up channels under a kernel that is never negative, such as a blur."""
    return [
        f"{layer.text} sums {slices} channels; dwconv filters each channel by itself, gray before it makes one channel"
        for visit in visits
        if isinstance(layer := visit.node.layer, Conv)
        and (slices := layer.bank(visit.inputs.shape[2])[2]) > 1
        and any(never_negative(kernel.text) for kernel in layer.kernels if kernel.slices is None)
    ]


def warn_about_sizes(visits: Iterable[Visit]) -> list[str]:
    """Return a warning for layers that skip pixels, shift the image, or see more than there is.

    Layers with the same warning share it.
    """
    found: dict[str, list[str]] = {}
    shape: Shape = ()
    seen_all = False
    for visit in visits:
        shape = shape or visit.inputs.shape
        field = visit.outputs.field
        name = f"layer {visit.node.number}, {visit.node.name}"
        for warning in _of_visit(visit):
            found.setdefault(warning, []).append(name)
        if field and not seen_all and (field.size[0] > shape[0] or field.size[1] > shape[1]):
            seen_all = True
            seen, size = show_pair(field.size), show_pair((shape[0], shape[1]))
            found[f"from here on a value's receptive field, {seen}, is larger than the input of {size}"] = [name]
    return [f"{_join(names)}: {warning}" for warning, names in found.items()]


def _join(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


MOST_NAMED = 4
"""Number of layers that a warning names; it counts the others."""


def _of_visit(visit: Visit) -> Iterator[str]:
    layer, flow = visit.node.layer, visit.inputs
    if isinstance(layer, WindowLayer):
        mends = "padding" if isinstance(layer, Convolution) else "ceil or padding"
        yield from _on_unread(layer.window, flow.shape[0], flow.shape[1], mends)
        yield from _on_even(layer.window, flow.shape[0], flow.shape[1])
    if isinstance(layer, Deconv):
        yield from _on_empty(layer, flow.shape)
    if isinstance(layer, Block):
        paces = dict.fromkeys(tuple(along.pace for along in end.field) for end in layer.ends(flow) if end.field)
        if len(paces) > 1:
            each = " and ".join(
                "x".join(f"{pixels}/{values}".removesuffix("/1") for pixels, values in pace) for pace in paces
            )
            yield f"its branches have jumps of {each}, so their values are not over the same pixels"


def _on_unread(window: Window, height: int, width: int, mends: str) -> Iterator[str]:
    """Yield warnings about rows and columns that no window reaches: those between windows, and the last ones."""
    last = []
    gaps: dict[str, list[str]] = {}
    for axis, (name, size) in enumerate((("row", height), ("column", width))):
        outputs, stride = window.output(height, width)[axis], window.stride[axis]
        before = window.pads(height, width)[axis]
        if _has_gaps(window, axis, size, before, outputs):
            kernel, dilation = window.size[axis], window.dilation[axis]
            cause = f"is larger than the window of {kernel}"
            if dilation > 1:
                cause = f"and a window of {kernel} dilated by {dilation} skip them"
            gaps.setdefault(f"the stride of {stride} {cause}", []).append(name)
            continue
        missed = min(size, size + before - (outputs - 1) * stride - window.extent[axis])
        if missed > 0:
            last.append(f"the last {f'{missed} {name}s' if missed > 1 else name}")
    for cause, names in gaps.items():
        yield f"no window reaches some {' and '.join(f'{name}s' for name in names)}: {cause}"
    if last:
        yield f"no window reaches {' and '.join(last)} of {height}x{width}; {mends} would take them in"


def _on_empty(layer: Deconv, shape: Shape) -> Iterator[str]:
    """Yield a warning about rows and columns to which no weight brings a value."""
    for axis, name in enumerate(("rows", "columns")):
        reach, outputs, _ = layer.reach(shape, axis)
        if not all(map(reach, range(outputs))):
            stride, extent = layer.window.stride[axis], layer.window.extent[axis]
            cause = f"a window of {extent} and a stride of {stride}"
            yield f"no value reaches some {name}, which hold the bias alone: {cause}"


def _has_gaps(window: Window, axis: int, size: int, before: int, outputs: int) -> bool:
    """Return whether windows skip pixels of the image that are before the last one that they touch."""
    kernel, stride, dilation = window.size[axis], window.stride[axis], window.dilation[axis]
    behind = (outputs - 1) * stride + window.extent[axis] - before
    reached = {weight * dilation % stride for weight in range(min(kernel, stride // gcd(stride, dilation)))}
    # The pixels that windows skip repeat with each stride.
    return any(place % stride not in reached for place in range(before, before + min(size, behind, stride)))


def _on_even(window: Window, height: int, width: int) -> Iterator[str]:
    pads = window.pads(height, width)
    same = window.padding in {PaddingWord.SAME, PaddingWord.SAME_LOWER}
    if same and (pads[0] != pads[2] or pads[1] != pads[3]) and not all(size % 2 for size in window.extent):
        side = "end" if window.padding is PaddingWord.SAME else "start"
        yield f"an even window has no centre: `{window.padding}` pads {show_padding(pads)}, one more at the {side}"
