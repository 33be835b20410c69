"""The words for layers: which options each takes, and the layer that they make."""

from collections.abc import Callable
from typing import Any, NamedTuple

from cnnfilter.errors import LanguageError
from cnnfilter.numbers import show_number
from cnnfilter.spec.borders import Border
from cnnfilter.spec.convolutions import Conv, DepthwiseConv, Normalization, common_size
from cnnfilter.spec.geometry import NO_PADDING, Window
from cnnfilter.spec.layers import SLOPES, Activation, Dropout, Flatten, Function, Gray, Layer, Linear, Softmax
from cnnfilter.spec.norms import BatchNorm, Equalize, LocalResponseNorm
from cnnfilter.spec.options import Options
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode
from cnnfilter.spec.values import replace

LARGEST_COUNT = 10**9
"""Of outputs, windows and channels; whole numbers to 2**53 are read exactly."""

_WINDOW = {"size", "number", "stride", "padding", "dilation"}
_CONVOLUTION = _WINDOW | {"nobias", "bias", "flip", "normalize", "border", "kernels"}


class Op(NamedTuple):
    """A word for a layer: the options it takes, and what makes the layer from them."""

    options: frozenset[str]
    build: Callable[[Options], Layer]


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


def _global_pool(mode: PoolMode) -> Callable[[Options], Layer]:
    return lambda _: GlobalPool(mode=mode)


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


def _dropout(options: Options) -> Layer:
    return Dropout() if options.number is None else Dropout(rate=options.number)


def _local_response_norm(options: Options) -> Layer:
    size: dict[str, Any] = {} if options.number is None else {"size": _count(options, "number of channels")}
    return replace(LocalResponseNorm(), **size, **_said(options, "alpha", "beta", "k"))


def _said(options: Options, *names: str) -> dict[str, Any]:
    """Return those of the named numbers that were given."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _ops() -> dict[str, Op]:
    """Return every word for a layer."""
    pool = frozenset(_WINDOW | {"ceil"})
    ops = {
        "conv": Op(frozenset(_CONVOLUTION | {"groups"}), _conv),
        "dwconv": Op(frozenset(_CONVOLUTION), _dwconv),
        "linear": Op(frozenset({"number", "nobias"}), _linear),
        "batchnorm": Op(frozenset({"eps"}), lambda options: replace(BatchNorm(), **_said(options, "eps"))),
        "dropout": Op(frozenset({"number"}), _dropout),
        "lrn": Op(frozenset({"number", "alpha", "beta", "k"}), _local_response_norm),
        "equalize": Op(frozenset(), lambda _: Equalize()),
        "softmax": Op(frozenset(), lambda _: Softmax()),
        "flatten": Op(frozenset(), lambda _: Flatten()),
        "gray": Op(frozenset(), lambda _: Gray()),
    }
    for mode in PoolMode:
        ops[f"{mode}pool"] = Op(pool | {"countpad"} if mode.row.averages else pool, _pool(mode))
        if mode.row.unbounded:
            ops[f"global{mode}pool"] = Op(frozenset(), _global_pool(mode))
    for channel_mode in ChannelMode:
        layer = ChannelPool(mode=channel_mode)
        ops[layer.op] = Op(frozenset({"number"}), _channel_pool(channel_mode))
    for function in Function:
        ops[function] = Op(frozenset({"number"} if function in SLOPES else ()), _activation(function))
    return ops


OPS = _ops()
SHORT = {"bn": "batchnorm", "fc": "linear", "dense": "linear", "gap": "globalavgpool", "gmp": "globalmaxpool"}
