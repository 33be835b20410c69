"""The language that writes a network as words: `conv:3x3,16,p1+relu maxpool:2 flatten`.

    network := item*                            words, parted by white space
    item    := [N"x"] chain                     the word 2x repeats the next chain
    chain   := layer ("+" layer)*               + means then
    layer   := op [":" option ("," option)*] ["@" name]

Inside `[...]` nothing separates; `#` at the start of a word begins a comment.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from cnnfilter.errors import CnnFilterError, LanguageError, nearest
from cnnfilter.numbers import show_number
from cnnfilter.spec.borders import Border
from cnnfilter.spec.convolutions import Conv, DepthwiseConv, Normalization, common_size
from cnnfilter.spec.geometry import NO_PADDING, Window
from cnnfilter.spec.layers import SLOPES, Activation, BatchNorm, Flatten, Function, Gray, Layer, Linear, Softmax
from cnnfilter.spec.network import Network
from cnnfilter.spec.options import KernelShape, Options, looks_like_option, read_options
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode

MOST_LAYERS = 10_000
"""More layers than any network has; a larger number is a slip or an attack."""

LARGEST_COUNT = 10**9
"""Of outputs, windows and channels; whole numbers to 2**53 are read exactly."""

_WINDOW = {"size", "number", "stride", "padding", "dilation"}
_CONVOLUTION = _WINDOW | {"nobias", "bias", "flip", "normalize", "border", "kernels"}


@dataclass(frozen=True)
class Op:
    """A word for a layer: the options it takes, and what makes the layer from them."""

    options: frozenset[str]
    build: Callable[[Options], Layer]


def parse_network(text: str | Sequence[str], kernel_shape: KernelShape) -> Network:
    """Return the network that a text, or a list of words, writes.

    Parameters
    ----------
    text
        Layers in the language; a list's items may hold several words each.
    kernel_shape
        What tells the shape of a kernel from its word.

    Raises
    ------
    LanguageError
        If a word is wrong; the message has the layer's number, its text and the nearest known word.

    Examples
    --------
    >>> network = parse_network("2x relu maxpool:2", kernel_shape=len)
    >>> [layer.op for layer in network.layers]
    ['relu', 'relu', 'maxpool']
    """
    words = split_words(text if isinstance(text, str) else "\n".join(text))
    layers: list[Layer] = []
    repeats: int | None = None
    for word in words:
        if re.fullmatch(r"\d+x", word, re.ASCII):
            if repeats is not None:
                raise LanguageError(f"{word!r} follows another repeat; one number of repeats is enough")
            repeats = _repeats(word)
            continue
        chain = [_parse_layer(part, len(layers) + 1 + i, kernel_shape) for i, part in enumerate(_split(word, "+"))]
        if len(layers) + len(chain) * (repeats or 1) > MOST_LAYERS:
            raise LanguageError(f"{word!r}: more than {MOST_LAYERS} layers in all are not allowed")
        layers += chain if repeats is None else _repeat(chain, repeats)
        repeats = None
    if repeats is not None:
        raise LanguageError(f"nothing follows {words[-1]!r}; a layer to repeat is needed after it")
    return Network(tuple(layers))


def split_words(text: str) -> list[str]:
    """Return the words of a text, comments left out; white space inside brackets separates nothing.

    Examples
    --------
    >>> split_words("conv:[1 -1],same relu  # a comment")
    ['conv:[1 -1],same', 'relu']
    """
    return [word for word in _split_outside(text, str.isspace, comments=True) if word]


def _split(text: str, separator: str) -> list[str]:
    return list(_split_outside(text, separator.__eq__))


def _split_outside(text: str, separates: Callable[[str], bool], *, comments: bool = False) -> Iterator[str]:
    """Yield the parts of `text` between separators that stand outside square brackets, comments left out."""
    depth, start, position = 0, 0, 0
    while position < len(text):
        sign = text[position]
        if comments and sign == "#" and depth == 0 and position == start:
            start = position = (text + "\n").index("\n", position)
            continue
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            raise LanguageError(f"{text!r}: {sign!r} at place {position + 1} has no partner")
        if depth == 0 and separates(sign):
            yield text[start:position]
            start = position + 1
        position += 1
    if depth:
        raise LanguageError(f"{text!r}: '[' is never closed")
    yield text[start:]


def _repeats(word: str) -> int:
    count = word[:-1].lstrip("0")
    if not count:
        raise LanguageError(f"{word!r} repeats nothing; 1x is the least")
    return int(count) if len(count) < len(str(MOST_LAYERS)) + 1 else MOST_LAYERS + 1


def _repeat(chain: list[Layer], count: int) -> list[Layer]:
    """Return the chain `count` times; names get the number of their repeat."""
    return [
        replace(layer, name=f"{layer.name}.{number}") if layer.name else layer
        for number in range(1, count + 1)
        for layer in chain
    ]


def _parse_layer(text: str, number: int, kernel_shape: KernelShape) -> Layer:
    try:
        return _layer(text, kernel_shape)
    except CnnFilterError as error:
        raise LanguageError(f"layer {number}, {text!r}: {error}") from error


def _layer(text: str, kernel_shape: KernelShape) -> Layer:
    if not text:
        raise LanguageError("a layer is missing beside '+', which stands between two without white space")
    body, name = _split_name(text)
    word, colon, rest = body.partition(":")
    op = _find_op(word)
    options = read_options(
        _split(rest, ",") if colon else [], kernel_shape=kernel_shape if "kernels" in op.options else None
    )
    for said in options.said():
        if said not in op.options:
            raise LanguageError(f"{word} has no {said}")
    return replace(op.build(options), name=name)


def _split_name(text: str) -> tuple[str, str]:
    body, *names = _split(text, "@")
    if not names:
        return body, ""
    if len(names) > 1 or not re.fullmatch(r"[A-Za-z_][\w.-]*", names[0], re.ASCII):
        raise LanguageError(f"'@{'@'.join(names)}' is no name; letters, digits, '_', '.' and '-' are, as in @conv1")
    return body, names[0]


def _find_op(word: str) -> Op:
    canonical = SHORT.get(word, word)
    if canonical in OPS:
        return OPS[canonical]
    if match := re.match(r"(\d+x)(?=[a-z])", word):
        raise LanguageError(f"a repeat is a word of its own: '{match[1]} {word[match.end() :]}'")
    if looks_like_option(word):
        raise LanguageError(f"{word!r} is an option, which follows its layer by a comma, without white space")
    raise LanguageError(f"unknown layer {word!r}{nearest(word, [*OPS, *SHORT])}")


def _count(options: Options, subject: str) -> int:
    """Return the bare number as a whole number, 1 if there is none."""
    number = 1.0 if options.number is None else options.number
    if not number.is_integer() or number > LARGEST_COUNT:
        raise LanguageError(f"{subject} {show_number(number)} is not a whole number up to {LARGEST_COUNT}")
    return int(number)


def _kernel_window(options: Options) -> Window:
    if options.kernels:
        size = common_size(options.kernels)
        if options.size not in {None, size}:
            raise LanguageError(f"the size given is not the {size[0]}x{size[1]} of kernel {options.kernels[0].text}")
        if options.number is not None:
            raise LanguageError("the number of outputs follows from the kernels; leave it out")
    elif options.size is None:
        raise LanguageError("a kernel size such as 3x3, or a kernel such as sobel-x, is needed")
    else:
        size = options.size
    return Window(
        size=size,
        stride=options.stride or (1, 1),
        padding=NO_PADDING if options.padding is None else options.padding,
        dilation=options.dilation or (1, 1),
    )


def _convolution_fields(options: Options) -> dict[str, object]:
    """Return what conv and dwconv make of the same options."""
    if options.nobias and options.bias is not None:
        raise LanguageError("bias= and nobias contradict each other")
    return {
        "window": _kernel_window(options),
        "kernels": options.kernels or (),
        "bias": options.bias or 0.0,
        "learned_bias": not options.kernels and not options.nobias and options.bias is None,
        "border": options.border or Border(),
        "flip": bool(options.flip),
        "normalize": options.normalize or Normalization.NONE,
    }


def _conv(options: Options) -> Layer:
    fields = _convolution_fields(options)
    return Conv(**fields, outputs=_count(options, "number of outputs"), groups=options.groups or 1)  # type: ignore[arg-type]


def _dwconv(options: Options) -> Layer:
    return DepthwiseConv(**_convolution_fields(options), multiplier=_count(options, "number of outputs"))  # type: ignore[arg-type]


def _pool(mode: PoolMode) -> Callable[[Options], Layer]:
    def build(options: Options) -> Layer:
        if (options.size is None) == (options.number is None):
            raise LanguageError("one window is needed, as in maxpool:2 or maxpool:3x2")
        side = _count(options, "window")
        size = options.size or (side, side)
        window = Window(
            size=size,
            stride=options.stride or size,
            padding=NO_PADDING if options.padding is None else options.padding,
            dilation=options.dilation or (1, 1),
            ceil=bool(options.ceil),
        )
        return Pool(mode=mode, window=window, count_include_pad=bool(options.countpad))

    return build


def _channel_pool(mode: ChannelMode) -> Callable[[Options], Layer]:
    return lambda options: ChannelPool(
        mode=mode, size=None if options.number is None else _count(options, "number of channels")
    )


def _activation(function: Function) -> Callable[[Options], Layer]:
    return lambda options: Activation(
        function=function, slope=SLOPES.get(function) if options.number is None else options.number
    )


def _linear(options: Options) -> Layer:
    if options.number is None:
        raise LanguageError("the number of outputs is needed, as in linear:10")
    return Linear(outputs=_count(options, "number of outputs"), bias=not options.nobias)


def _ops() -> dict[str, Op]:
    """Return every word for a layer."""
    pool = frozenset(_WINDOW | {"ceil"})
    averaging = {PoolMode.AVG, PoolMode.L2}
    ops = {
        "conv": Op(frozenset(_CONVOLUTION | {"groups"}), _conv),
        "dwconv": Op(frozenset(_CONVOLUTION), _dwconv),
        "linear": Op(frozenset({"number", "nobias"}), _linear),
        "batchnorm": Op(frozenset(), lambda _: BatchNorm()),
        "softmax": Op(frozenset(), lambda _: Softmax()),
        "flatten": Op(frozenset(), lambda _: Flatten()),
        "gray": Op(frozenset(), lambda _: Gray()),
        "globalmaxpool": Op(frozenset(), lambda _: GlobalPool(mode=PoolMode.MAX)),
        "globalavgpool": Op(frozenset(), lambda _: GlobalPool(mode=PoolMode.AVG)),
    }
    for mode in PoolMode:
        ops[f"{mode}pool"] = Op(pool | {"countpad"} if mode in averaging else pool, _pool(mode))
    for channel_mode in ChannelMode:
        layer = ChannelPool(mode=channel_mode)
        ops[layer.op] = Op(frozenset({"number"}), _channel_pool(channel_mode))
    for function in Function:
        ops[function] = Op(frozenset({"number"} if function in SLOPES else ()), _activation(function))
    return ops


OPS = _ops()
SHORT = {"bn": "batchnorm", "fc": "linear", "dense": "linear", "gap": "globalavgpool", "gmp": "globalmaxpool"}
