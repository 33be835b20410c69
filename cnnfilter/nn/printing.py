"""Layers written back as words of the language, in the shortest form that reads back the same."""

import re
from collections.abc import Iterable, Iterator

from cnnfilter.nn.geometry import NO_PADDING, BorderMode, Padding, PaddingWord, Pair, Sides, Window, show_pair
from cnnfilter.nn.layer_options import reads_as_kernel
from cnnfilter.nn.layers import Block, Layer, Linear
from cnnfilter.nn.window_layers import Conv, Convolution, Normalization, Pool
from cnnfilter.numbers import show_number


def show_layer(layer: Layer) -> str:
    """Return the layer as the language writes it, its name aside.

    Examples
    --------
    >>> show_layer(Pool(mode="max", window=Window((2, 2), stride=(2, 2))))
    'maxpool:2'
    """
    if isinstance(layer, Block):
        return f"{layer.op}({' | '.join(map(show_network, layer.branches))})"
    options = ",".join(_options(layer))
    return f"{layer.op}:{options}" if options else layer.op


def show_network(layers: Iterable[Layer]) -> str:
    """Return layers in a row as the language writes them, with the names that they were given.

    Examples
    --------
    >>> show_network([Linear(outputs=10, name="scores"), Linear(outputs=2, bias=False)])
    'linear:10@scores linear:2,nobias'
    """
    return " ".join(show_layer(layer) + (f"@{layer.name}" if layer.name else "") for layer in layers)


def show_padding(padding: Sides) -> str:
    """Return pixels on each side in their shortest form: `1`, `1x0` or `0/1/1/0`."""
    top, left, bottom, right = padding
    if (top, left) != (bottom, right):
        return "/".join(map(str, padding))
    return _show_number_or_pair((top, left))


def _options(layer: Layer) -> Iterator[str]:
    """Yield the options that are not the usual ones."""
    match layer:
        case Convolution():
            yield from _show_convolution(layer)
        case Pool():
            yield _show_number_or_pair(layer.window.size)
            yield from _show_moves(layer.window, layer.window.size)
            yield from _show_flags(ceil=layer.window.ceil, countpad=layer.count_include_pad)
        case _:
            for field in filter(None, (layer.BARE, *layer.KEYS)):
                number = getattr(layer, field)
                if number is not None and number != layer.usual(field):
                    yield f"{'' if field == layer.BARE else f'{field}='}{show_number(number)}"
            yield from _show_flags(nobias=isinstance(layer, Linear) and not layer.bias)


def _show_convolution(layer: Convolution) -> Iterator[str]:
    if layer.kernels:
        yield from (_show_kernel(kernel.text) for kernel in layer.kernels)
    else:
        yield show_pair(layer.window.size)
    if (number := getattr(layer, layer.BARE)) > 1:
        yield str(number)
    if isinstance(layer, Conv) and layer.groups > 1:
        yield f"g{layer.groups}"
    yield from _show_moves(layer.window, (1, 1))
    if layer.bias:
        yield f"bias={show_number(layer.bias)}"
    elif not layer.kernels and not layer.learned_bias:
        yield "nobias"
    if layer.border.mode is not BorderMode.ZERO:
        yield f"border={layer.border}"
    yield from _show_flags(flip=layer.flip)
    if layer.normalize is not Normalization.NONE:
        yield f"normalize={layer.normalize}"


def _show_flags(**flags: bool) -> list[str]:
    return [name for name, given in flags.items() if given]


def _show_kernel(text: str) -> str:
    """Return the word, in brackets where the language would take it apart or for an option."""
    bare = re.fullmatch(r"[^\s\[\]#,+@()|][^\s\[\],+@()|]*", text) and reads_as_kernel(text)
    return text if bare else f"[{text}]"


def _show_moves(window: Window, usual_stride: Pair) -> Iterator[str]:
    """Yield stride, padding and dilation where they are not the usual ones."""
    if window.stride != usual_stride:
        yield f"s{_show_number_or_pair(window.stride)}"
    if window.padding != NO_PADDING:
        yield _show_padding_option(window.padding)
    if window.dilation != (1, 1):
        yield f"d{_show_number_or_pair(window.dilation)}"


def _show_padding_option(padding: Padding) -> str:
    if isinstance(padding, PaddingWord):
        return str(padding)
    text = show_padding(padding)
    return f"p={text}" if "/" in text else f"p{text}"


def _show_number_or_pair(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else show_pair(pair)
