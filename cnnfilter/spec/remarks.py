"""What a careful reader would say of a network that is right, but perhaps not meant so."""

from collections.abc import Callable, Iterable, Iterator

from cnnfilter.spec.blocks import Block
from cnnfilter.spec.convolutions import Conv, Convolution
from cnnfilter.spec.geometry import PaddingWord, Window, show_pair
from cnnfilter.spec.layers import Flow, Shape
from cnnfilter.spec.network import Visit
from cnnfilter.spec.pools import Pool
from cnnfilter.spec.printing import show_layer, show_padding


def remark_on_borders(visits: Iterable[Visit]) -> list[str]:
    """Return a remark for each border that has no padding to fill."""
    return [
        f"{show_layer(layer)}: border {layer.border} has no effect with padding 0; try padding same"
        for visit in visits
        if isinstance(layer := visit.layer, Convolution)
        and layer.border.mode != "zero"
        and not any(layer.window.pads(*visit.inputs.shape[:2]))
    ]


def remark_on_sums(visits: Iterable[Visit], never_negative: Callable[[str], bool]) -> list[str]:
    """Return a remark for each conv that adds up channels under a kernel meant for one, such as a blur.

    Parameters
    ----------
    visits
        The layers at work.
    never_negative
        What tells whether a kernel, by its word, has no negative weight.
    """
    found = []
    for visit in visits:
        layer = visit.layer
        if not isinstance(layer, Conv) or (slices := layer.bank(visit.inputs.shape[2])[2]) < 2:
            continue
        if any(never_negative(kernel.text) for kernel in layer.kernels if kernel.slices is None):
            found.append(
                f"{show_layer(layer)} sums {slices} channels; dwconv filters each by itself, gray before it makes one"
            )
    return found


def remark_on_sizes(visits: Iterable[Visit]) -> list[str]:
    """Return a remark for each layer that passes over pixels, shifts the image, or sees more than there is."""
    found = []
    seen_all = False
    shape: Shape = ()
    for visit in visits:
        shape = shape or visit.inputs.shape
        found += [f"layer {visit.node.number}, {visit.node.name}: {remark}" for remark in _of_visit(visit)]
        field = visit.outputs.field
        if field and not seen_all and (field.size[0] > shape[0] or field.size[1] > shape[1]):
            seen_all = True
            found.append(
                f"layer {visit.node.number}, {visit.node.name}: from here on a value's receptive field of "
                f"{show_pair(field.size)} is larger than the input of {show_pair((shape[0], shape[1]))}"
            )
    return found


def _of_visit(visit: Visit) -> Iterator[str]:
    layer, flow = visit.layer, visit.inputs
    if isinstance(layer, Convolution | Pool):
        mends = "padding" if isinstance(layer, Convolution) else "ceil or padding"
        yield from _on_window(layer.window, flow.shape[0], flow.shape[1], mends)
    if isinstance(layer, Block):
        yield from _on_branches(layer.ends(flow))


def _on_window(window: Window, height: int, width: int, mends: str) -> Iterator[str]:
    outputs, pads = window.output(height, width), window.pads(height, width)
    unread = [
        f"the last {missed} {axis if missed > 1 else axis[:-1]}"
        for place, (axis, size) in enumerate((("rows", height), ("columns", width)))
        if (missed := size + pads[place] - (outputs[place] - 1) * window.stride[place] - window.extent[place]) > 0
    ]
    if any(stride > extent for stride, extent in zip(window.stride, window.extent, strict=True)):
        yield (
            f"the stride of {show_pair(window.stride)} is larger than the window, which spans "
            f"{show_pair(window.extent)}, so that pixels between are passed over"
        )
    elif unread:
        yield f"no window reaches {' and '.join(unread)} of {height}x{width}; {mends} would take them in"
    if window.padding in {PaddingWord.SAME, PaddingWord.SAME_LOWER} and not all(size % 2 for size in window.extent):
        side = "end" if window.padding is PaddingWord.SAME else "start"
        if pads[0] != pads[2] or pads[1] != pads[3]:
            yield f"an even window has no centre: `{window.padding}` pads {show_padding(pads)}, one more at the {side}"


def _on_branches(ends: list[Flow]) -> Iterator[str]:
    jumps = {end.field.jump: None for end in ends if end.field}
    if len(jumps) > 1:
        each = " and ".join(map(show_pair, jumps))
        yield f"its branches have jumps of {each}, so that their values do not lie over the same pixels"
