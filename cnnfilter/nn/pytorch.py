"""PyTorch's spellings of layers, and how the language writes them."""

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cnnfilter.nn.geometry import Border, BorderMode, Pair, Window, as_padding, as_pair
from cnnfilter.nn.layers import Conv, Function, Layer
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, Norm
from cnnfilter.nn.other_layers import (
    Activation,
    Dropout,
    Flatten,
    GlobalPool,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample

Arguments = Mapping[str, Any]
"""The arguments of a call by their names, those that were left out aside."""


class Module(NamedTuple):
    """A module of PyTorch: its parameters in their order, the layer that it is here, and an example of that."""

    parameters: str
    make: Callable[[Arguments], Layer]
    example: str


BORDERS = {
    "zeros": BorderMode.ZERO,
    "reflect": BorderMode.REFLECT,
    "replicate": BorderMode.EDGE,
    "circular": BorderMode.WRAP,
}
"""What PyTorch calls a padding mode, and what it is here."""


def _window(given: Arguments, stride: Pair | None = None) -> Window:
    size = as_pair(given["kernel_size"], "kernel_size")
    steps = given.get("stride")
    return Window(
        size,
        stride=(stride or size) if steps is None else as_pair(steps, "stride"),
        padding=as_padding(given.get("padding", 0)),
        dilation=as_pair(given.get("dilation", 1), "dilation"),
        ceil=bool(given.get("ceil_mode")),
    )


def _conv(given: Arguments) -> Layer:
    return Conv(
        window=_window(given, stride=(1, 1)),
        outputs=given["out_channels"],
        groups=given.get("groups", 1),
        learned_bias=given.get("bias", True),
        border=Border(BORDERS[given.get("padding_mode", "zeros")]),
    )


def _deconv(given: Arguments) -> Layer:
    return {
        "zeros": Deconv(
            window=_window(given, stride=(1, 1)),
            outputs=given["out_channels"],
            groups=given.get("groups", 1),
            output_padding=as_pair(given.get("output_padding", 0), "output_padding", least=0),
            bias=given.get("bias", True),
        )
    }[given.get("padding_mode", "zeros")]


def _upsample(given: Arguments) -> Layer:
    mode = Interpolation(given.get("mode", "nearest"))
    return {False: Upsample(factor=_whole(given["scale_factor"]), interpolation=mode)}[bool(given.get("align_corners"))]


def _whole(factor: Any) -> Pair:
    """Return a factor as whole numbers; 2.0 is one."""
    numbers = factor if isinstance(factor, list | tuple) else [factor]
    return as_pair([{int(number): int(number)}[number] for number in numbers], "scale_factor")


def _avg_pool(given: Arguments) -> Layer:
    counts = bool(given.get("padding")) and given.get("count_include_pad", True)
    return Pool(mode=PoolMode.AVG, window=_window(given), count_include_pad=counts)


def _l2_pool(given: Arguments) -> Layer:
    return Pool(mode=PoolMode({2: "l2"}[given["norm_type"]]), window=_window(given))


def _adaptive_pool(mode: PoolMode) -> Callable[[Arguments], Layer]:
    def make(given: Arguments) -> Layer:
        size = as_pair(given["output_size"], "output_size")
        return GlobalPool(mode=mode) if size == (1, 1) else AdaptivePool(mode=mode, size=size)

    return make


def _norm(kind: type[Norm]) -> Callable[[Arguments], Layer]:
    def make(given: Arguments) -> Layer:
        affine = given.get("affine", True) and given.get("elementwise_affine", True)
        return {True: kind(eps=given.get("eps", kind.eps), affine=affine)}[given.get("bias", True)]

    return make


def _group_norm(given: Arguments) -> Layer:
    affine = given.get("affine", True)
    return GroupNorm(groups=given["num_groups"], eps=given.get("eps", GroupNorm.eps), affine=affine)


def _instance_norm(given: Arguments) -> Layer:
    """Return an instancenorm, or the groupnorm with a group for each channel, which has weights."""
    eps = given.get("eps", InstanceNorm.eps)
    plain = GroupNorm(groups=given["num_features"], eps=eps) if given.get("affine") else InstanceNorm(eps=eps)
    return {False: plain}[bool(given.get("track_running_stats"))]


def _softplus(given: Arguments) -> Layer:
    return {(1, 20): Activation(function=Function.SOFTPLUS)}[given.get("beta", 1), given.get("threshold", 20)]


def _plain(layer: Layer) -> Callable[[Arguments], Layer]:
    return lambda _: layer


MODULES = {
    "Conv2d": Module(
        "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode", _conv, "conv:3x3,16"
    ),
    "MaxPool2d": Module(
        "kernel_size stride padding dilation return_indices ceil_mode",
        lambda given: Pool(mode=PoolMode.MAX, window=_window(given)),
        "maxpool:2",
    ),
    "AvgPool2d": Module("kernel_size stride padding ceil_mode count_include_pad", _avg_pool, "avgpool:2"),
    "LPPool2d": Module("norm_type kernel_size stride ceil_mode", _l2_pool, "l2pool:2"),
    "ConvTranspose2d": Module(
        "in_channels out_channels kernel_size stride padding output_padding groups bias dilation padding_mode",
        _deconv,
        "deconv:3x3,16,s2,p1,op1",
    ),
    "Upsample": Module("size scale_factor mode align_corners", _upsample, "upsample:2,bilinear"),
    "UpsamplingNearest2d": Module("size scale_factor", _upsample, "upsample:2"),
    "AdaptiveAvgPool2d": Module("output_size", _adaptive_pool(PoolMode.AVG), "adaptiveavgpool:7"),
    "AdaptiveMaxPool2d": Module("output_size", _adaptive_pool(PoolMode.MAX), "adaptivemaxpool:7"),
    "BatchNorm2d": Module("num_features eps momentum affine", _norm(BatchNorm), "batchnorm"),
    "GroupNorm": Module("num_groups num_channels eps affine", _group_norm, "groupnorm:8"),
    "InstanceNorm2d": Module("num_features eps momentum affine track_running_stats", _instance_norm, "instancenorm"),
    "LayerNorm": Module("normalized_shape eps elementwise_affine bias", _norm(LayerNorm), "layernorm"),
    "PReLU": Module("num_parameters init", lambda given: PRelu(each=given.get("num_parameters", 1) > 1), "prelu:each"),
    "Softplus": Module("beta threshold", _softplus, "softplus"),
    "LocalResponseNorm": Module(
        "size alpha beta k", lambda given: LocalResponseNorm(**{"size": 5} | dict(given)), "lrn:5"
    ),
    "Linear": Module(
        "in_features out_features bias",
        lambda given: Linear(outputs=given["out_features"], bias=given.get("bias", True)),
        "linear:10",
    ),
    "Dropout": Module("p inplace", lambda given: Dropout(rate=given.get("p", 0.5)), "dropout"),
    "Flatten": Module("start_dim end_dim", _plain(Flatten()), "flatten"),
    "Softmax": Module("dim", _plain(Softmax()), "softmax"),
    "LeakyReLU": Module(
        "negative_slope inplace",
        lambda given: Activation(function=Function.LEAKYRELU, slope=given.get("negative_slope", 0.01)),
        "leakyrelu",
    ),
    "ELU": Module(
        "alpha inplace", lambda given: Activation(function=Function.ELU, slope=given.get("alpha", 1.0)), "elu"
    ),
    **{
        name: Module("inplace", _plain(Activation(function=Function(name.lower()))), name.lower())
        for name in ("ReLU", "ReLU6", "GELU", "SiLU", "Sigmoid", "Tanh", "Hardswish", "Hardsigmoid", "SELU", "Mish")
    },
}
"""PyTorch's modules that the language has."""


def translate(call: str) -> str | None:
    """Return how the language writes a module of PyTorch, or an example where its arguments are not all there.

    None for anything else.

    Examples
    --------
    >>> translate("Conv2d(3, 16, 3)"), translate("nn.MaxPool2d(3, stride=2)"), translate("conw")
    ('conv:3x3,16', 'maxpool:3,s2', None)
    """
    name, opening, _ = call.partition("(")
    name = name.rpartition(".")[2]
    if name == "Sequential":
        return "as its layers one after the other, such as conv:3x3,16 relu"
    if name not in MODULES:
        return None
    module = MODULES[name]
    try:
        return module.make(_read_arguments(call if opening else f"{call}()", module.parameters.split())).text
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return f"{module.example}, for example"


def _read_arguments(call: str, parameters: list[str]) -> Arguments:
    """Return the arguments of a call by their names; a `ValueError` or `TypeError` if they are not literals."""
    tree = ast.parse(call, mode="eval").body
    if not isinstance(tree, ast.Call):
        raise TypeError("not a call")
    by_place = dict(zip(parameters, tree.args, strict=False))
    by_name = {keyword.arg or "": keyword.value for keyword in tree.keywords}
    return {name: ast.literal_eval(value) for name, value in {**by_place, **by_name}.items()}
