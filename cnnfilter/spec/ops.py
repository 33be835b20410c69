"""The words for layers: which options each takes, and the layer that they make."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from cnnfilter.errors import LanguageError
from cnnfilter.numbers import show_number
from cnnfilter.spec.borders import Border
from cnnfilter.spec.convolutions import Conv, Convolution, DepthwiseConv, Normalization, common_size
from cnnfilter.spec.geometry import NO_PADDING, Pair, Window
from cnnfilter.spec.layers import SLOPES, Activation, Dropout, Flatten, Function, Gray, Layer, Linear, Softmax
from cnnfilter.spec.norms import BatchNorm, Equalize, LocalResponseNorm
from cnnfilter.spec.options import Options
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode

LARGEST_COUNT = 10**9
"""Of outputs, windows and channels; whole numbers to 2**53 are read exactly."""


class Op(NamedTuple):
    """A word for a layer: the options it takes, and what makes the layer from them."""

    options: frozenset[str]
    build: Callable[[Options], Layer]


def _build_plain(word: str, kind: type[Layer], fixed: dict[str, Any], options: Options) -> Layer:
    """Return a layer whose options are a number without a key, numbers with one, and `nobias`."""
    given = {name: getattr(options, name) for name in kind.KEYS if getattr(options, name) is not None}
    if options.number is not None:
        given[kind.BARE] = _count(options.number, kind.COUNTS) if kind.COUNTS else options.number
    elif kind is Linear:
        raise LanguageError(f"the {kind.COUNTS} is needed, as in {word}:10")
    if options.nobias:
        given["bias"] = False
    return kind(**{**fixed, **given})


def _count(number: float, subject: str) -> int:
    """Return a bare number as a whole number."""
    if not number.is_integer() or number > LARGEST_COUNT:
        raise LanguageError(f"{subject} {show_number(number)} is not a whole number up to {LARGEST_COUNT}")
    return int(number)


def _build_convolution(kind: type[Convolution], options: Options) -> Layer:
    if options.nobias and options.bias is not None:
        raise LanguageError("bias= and nobias contradict each other")
    own: dict[str, Any] = {} if options.groups is None else {"groups": options.groups}
    if options.number is not None:
        own[kind.BARE] = _count(options.number, kind.COUNTS)
    size = _kernel_size(options)
    return kind(
        window=_window(options, size, stride=(1, 1)),
        kernels=options.kernels or (),
        bias=options.bias or 0.0,
        learned_bias=not options.kernels and not options.nobias and options.bias is None,
        border=options.border or Border(),
        flip=bool(options.flip),
        normalize=options.normalize or Normalization.NONE,
        **own,
    )


def _kernel_size(options: Options) -> Pair:
    """Return the size of the kernels, given or by themselves."""
    if not options.kernels:
        if options.size is None:
            raise LanguageError("a kernel size such as 3x3, or a kernel such as sobel-x, is needed")
        return options.size
    size = common_size(options.kernels)
    if options.size not in {None, size}:
        raise LanguageError(f"the size given is not the {size[0]}x{size[1]} of kernel {options.kernels[0].text}")
    if options.number is not None:
        raise LanguageError("the number of outputs follows from the kernels; leave it out")
    return size


def _build_pool(mode: PoolMode, options: Options) -> Layer:
    if (options.size is None) == (options.number is None):
        raise LanguageError("one window is needed, as in maxpool:2 or maxpool:3x2")
    side = 1 if options.number is None else _count(options.number, "window")
    size = options.size or (side, side)
    return Pool(mode=mode, window=_window(options, size, stride=size), count_include_pad=bool(options.countpad))


def _window(options: Options, size: Pair, stride: Pair) -> Window:
    """Return a window as it was asked for; `stride` unless another is given."""
    return Window(
        size=size,
        stride=options.stride or stride,
        padding=NO_PADDING if options.padding is None else options.padding,
        dilation=options.dilation or (1, 1),
        ceil=bool(options.ceil),
    )


_WINDOW = frozenset({"size", "number", "stride", "padding", "dilation"})
_CONVOLUTION = _WINDOW | {"nobias", "bias", "flip", "normalize", "border", "kernels"}

_PLAIN: dict[str, tuple[type[Layer], dict[str, Any]]] = {
    "linear": (Linear, {}),
    **{str(function): (Activation, {"function": function, "slope": SLOPES.get(function)}) for function in Function},
    "batchnorm": (BatchNorm, {}),
    "dropout": (Dropout, {}),
    "lrn": (LocalResponseNorm, {}),
    "equalize": (Equalize, {}),
    "softmax": (Softmax, {}),
    "flatten": (Flatten, {}),
    "gray": (Gray, {}),
    **{f"global{mode}pool": (GlobalPool, {"mode": mode}) for mode in PoolMode if mode.row.unbounded},
    **{mode.op: (ChannelPool, {"mode": mode}) for mode in ChannelMode},
}
"""The words of layers without a window: their class, and the fields that the word sets."""


def _plain_options(word: str, kind: type[Layer]) -> frozenset[str]:
    """Return the options that a layer without a window takes."""
    takes_number = word in SLOPES if kind is Activation else bool(kind.BARE)
    return frozenset([*kind.KEYS, *(["number"] if takes_number else []), *(["nobias"] if kind is Linear else [])])


OPS = {
    "conv": Op(_CONVOLUTION | {"groups"}, partial(_build_convolution, Conv)),
    "dwconv": Op(_CONVOLUTION, partial(_build_convolution, DepthwiseConv)),
    **{
        word: Op(_plain_options(word, kind), partial(_build_plain, word, kind, fixed))
        for word, (kind, fixed) in _PLAIN.items()
    },
    **{
        f"{mode}pool": Op(
            _WINDOW | {"ceil", "countpad"} if mode.row.averages else _WINDOW | {"ceil"}, partial(_build_pool, mode)
        )
        for mode in PoolMode
    },
}
"""Every word for a layer; what it computes is a row of `compute.network.RUN`."""

BARE_KEYS = tuple(dict.fromkeys(kind.BARE for kind, _ in _PLAIN.values() if kind.BARE not in {"", "size"}))
"""What tables in network files call the numbers that the language writes without a key; sizes are a window's there."""

SHORT = {"bn": "batchnorm", "fc": "linear", "dense": "linear", "gap": "globalavgpool", "gmp": "globalmaxpool"}
