"""The source of a module of PyTorch: one class, with the preprocessing, to read and to carry on with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.compute.pool import window_counts
from cnnfilter.compute.state_dict import order_of
from cnnfilter.errors import LanguageError
from cnnfilter.exchange.onnx_rows import (
    FUNCTIONS,
    ExportStep,
    adds_number,
    hanging_pads,
    refuse,
    rounds_up_alike,
    turns,
)
from cnnfilter.nn.geometry import BorderMode, Pair, Sides, Window
from cnnfilter.nn.layers import Convolution, DepthwiseConv, Function, Layer
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import (
    SLOPES,
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Interpolation, Upsample
from cnnfilter.numbers import show_number

if TYPE_CHECKING:
    from cnnfilter.compute.forward import Step
    from cnnfilter.exchange.exporting import Exporter

_LONGEST_LINE = 100


class TorchLayer(NamedTuple):
    """A layer in PyTorch: the module that is made once, and the expression that is worked out for each input.

    In the expression `{x}` is the input, and `{module}` the module; without a module there is none.
    """

    module: str = ""
    call: str = "{module}({x})"


def _side(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"({pair[0]}, {pair[1]})"


def _arguments(*items: tuple[str, object, object]) -> str:
    """Return what is written behind the arguments without names: `name=value` of all that are not the usual."""
    return "".join(f", {name}={value}" for name, value, usual in items if value != usual)


def _windowed(window: Window, pads: Pair, stride: Pair = (1, 1)) -> str:
    return _arguments(
        ("stride", _side(window.stride), _side(stride)),
        ("padding", _side(pads), "0"),
        ("dilation", _side(window.dilation), "1"),
    )


_PAD_MODES = {
    BorderMode.ZERO: "",
    BorderMode.EDGE: ', mode="replicate"',
    BorderMode.REFLECT: ', mode="reflect"',
    BorderMode.WRAP: ', mode="circular"',
}
"""What the pad of PyTorch calls a border."""


def _pad(sides: Sides, rest: str) -> str:
    top, left, bottom, right = sides
    return f"functional.pad({{x}}, ({left}, {right}, {top}, {bottom}){rest})"


def _convolution(step: ExportStep) -> TorchLayer:
    layer: Convolution = step.layer
    pads, border = layer.window.pads(*step.inputs[:2]), layer.border
    weight = step.tensors["weight"]
    inputs = step.inputs[2]
    groups = inputs if isinstance(layer, DepthwiseConv) else getattr(layer, "groups", 1)
    call, inside = "{module}({x})", pads[:2]
    if any(pads) and (pads[:2] != pads[2:] or border.mode is not BorderMode.ZERO):
        if border.mode not in {*_PAD_MODES, BorderMode.CONSTANT}:
            raise refuse(step, f"PyTorch has no border {border}; edge and reflect are near")
        rest = f", value={border.value!r}" if border.mode is BorderMode.CONSTANT else _PAD_MODES[border.mode]
        call, inside = f"{{module}}({_pad(pads, rest)})", (0, 0)
    options = _windowed(layer.window, inside) + _arguments(("groups", groups, 1))
    if turns(step):
        value = call.removeprefix("{module}(").removesuffix(")")
        call = f"functional.conv2d({value}, {{module}}.weight.flip(2, 3), {{module}}.bias{options})"
    bias = "" if "bias" in step.tensors else ", bias=False"
    if not bias and adds_number(step):
        call += f" + {{x}}.new_tensor({step.tensors['bias'].tolist()}).view(-1, 1, 1)"
        bias = ", bias=False"
    return TorchLayer(f"nn.Conv2d({inputs}, {len(weight)}, {_side(layer.window.size)}{options}{bias})", call)


def _linear(step: ExportStep) -> TorchLayer:
    bias = "" if step.layer.bias else ", bias=False"
    return TorchLayer(f"nn.Linear({prod(step.inputs)}, {step.layer.outputs}{bias})")


def _batch_norm(step: ExportStep) -> TorchLayer:
    return TorchLayer(f"nn.BatchNorm{2 if len(step.inputs) == 3 else 1}d({step.inputs[-1]}{_of_norm(step)})")


def _of_norm(step: ExportStep, usual: str = "affine") -> str:
    affine = _arguments((usual, step.layer.affine, True)) if usual else ""
    return _arguments(("eps", step.layer.eps, 1e-5)) + affine


def _layer_norm(step: ExportStep) -> TorchLayer:
    shape = (*step.inputs[2:], *step.inputs[:2])
    sizes = f"({', '.join(map(str, shape))})" if len(shape) > 1 else str(shape[0])
    return TorchLayer(f"nn.LayerNorm({sizes}{_of_norm(step, 'elementwise_affine')})")


def _deconvolution(step: ExportStep) -> TorchLayer:
    layer: Deconv = step.layer
    pads = layer.window.pads(*step.inputs[:2])
    inside, call = pads[:2], "{module}({x})"
    if pads[:2] != pads[2:]:  # what is more than PyTorch cuts away on each side
        top, left, bottom, right = pads
        inside = min(top, bottom), min(left, right)
        rows, columns = (
            f"{before - pad}:{pad - after or None}"
            for before, after, pad in ((top, bottom, inside[0]), (left, right, inside[1]))
        )
        call = f"{{module}}({{x}})[:, :, {rows}, {columns}]".replace("None", "")
    given = _windowed(layer.window, inside) + _arguments(
        ("output_padding", _side(layer.output_padding), "0"), ("groups", layer.groups, 1), ("bias", layer.bias, True)
    )
    return TorchLayer(f"nn.ConvTranspose2d({step.inputs[2]}, {layer.outputs}, {_side(layer.window.size)}{given})", call)


def _upsample(step: ExportStep) -> TorchLayer:
    layer: Upsample = step.layer
    mode = ', mode="bilinear"' if layer.interpolation is Interpolation.BILINEAR else ""
    return TorchLayer(f"nn.Upsample(scale_factor={_side(layer.factor)}{mode})")


def _adaptive_pool(step: ExportStep) -> TorchLayer:
    return TorchLayer(f"nn.Adaptive{step.layer.mode.capitalize()}Pool2d({_side(step.layer.size)})")


def _activation(step: ExportStep) -> TorchLayer:
    layer: Activation = step.layer
    row = FUNCTIONS.get(layer.function)
    if layer.function is Function.ABS:
        return TorchLayer(call="{x}.abs()")
    if row is None:
        return TorchLayer(f"nn.{_MODULES[layer.function]}()")
    usual = SLOPES.get(layer.function)
    slope = usual if layer.slope is None else layer.slope
    given = _arguments((row.parameter, slope, usual)) if row.parameter else ""
    return TorchLayer(f"nn.{row.torch}({given.removeprefix(', ')})")


_MODULES = {Function.RELU6: "ReLU6", Function.SILU: "SiLU", Function.GELU: "GELU"}
"""What PyTorch calls the functions that are several operators of ONNX."""


def _local_response_norm(step: ExportStep) -> TorchLayer:
    layer: LocalResponseNorm = step.layer
    rest = _arguments(("alpha", layer.alpha, 1e-4), ("beta", layer.beta, 0.75), ("k", layer.k, 1.0))
    return TorchLayer(f"nn.LocalResponseNorm({layer.size}{rest})")


def _pool(step: ExportStep) -> TorchLayer:
    layer: Pool = step.layer
    window = layer.window
    match layer.mode:
        case PoolMode.MEDIAN:
            raise refuse(step, "PyTorch has no median pool; maxpool and avgpool are near")
        case PoolMode.L2:
            return TorchLayer(call=f"({_sum_windows(step, '{x}.square()')}).sqrt()")
        case PoolMode.AVG:
            return _average_pool(step)
    sign = "-" if layer.mode is PoolMode.MIN else ""
    pads = window.pads(*step.inputs[:2])
    alike = window.ceil and rounds_up_alike(window, step.inputs)
    if not alike:
        pads = hanging_pads(window, step.inputs, step.outputs) if window.ceil else pads
    value, inside = f"{sign}{{x}}", pads[:2]
    if pads[:2] != pads[2:]:
        value, inside = _pad(pads, ', value=float("-inf")').replace("{x}", value), (0, 0)
    options = _windowed(window, inside, window.size) + _arguments(("ceil_mode", alike, False))
    return TorchLayer(f"nn.MaxPool2d({_side(window.size)}{options})", f"{sign}{{module}}({value})")


def _average_pool(step: ExportStep) -> TorchLayer:
    layer: Pool = step.layer
    window = layer.window
    pads = window.pads(*step.inputs[:2])
    if window.dilation != (1, 1) or pads[:2] != pads[2:] or (window.ceil and not rounds_up_alike(window, step.inputs)):
        down, across = window_counts(layer, step.inputs)
        counts = np.maximum(np.outer(down, across), 1).tolist()
        return TorchLayer(call=f"{_sum_windows(step, '{x}')} / {{x}}.new_tensor({counts})")
    options = _windowed(window, pads[:2], window.size) + _arguments(("ceil_mode", window.ceil, False))
    counted = ", count_include_pad=False" if any(pads) and not layer.count_include_pad else ""
    return TorchLayer(f"nn.AvgPool2d({_side(window.size)}{options}{counted})")


def _sum_windows(step: ExportStep, value: str) -> str:
    """Return the expression that adds up the values of each window of a pool."""
    window, channels = step.layer.window, step.inputs[2]
    padded = _pad(hanging_pads(window, step.inputs, step.outputs), "").replace("{x}", value)
    ones = f"{{x}}.new_ones({channels}, 1, {window.size[0]}, {window.size[1]})"
    options = _windowed(window, (0, 0)) + _arguments(("groups", channels, 1))
    return f"functional.conv2d({padded}, {ones}{options})"


def _global_pool(step: ExportStep) -> TorchLayer:
    return TorchLayer(f"nn.Adaptive{step.layer.mode.capitalize()}Pool2d(1)")


def _channel_pool(step: ExportStep) -> TorchLayer:
    groups, axis = "{x}", 1
    if step.outputs[2] > 1:
        groups, axis = f"{{x}}.unflatten(1, ({step.outputs[2]}, -1))", 2
    keeps = ", keepdim=True" if axis == 1 else ""
    return TorchLayer(call=_CHANNELS[step.layer.mode].format(x=groups, axis=f"{axis}{keeps}"))


_CHANNELS = {
    ChannelMode.MAX: "{x}.amax({axis})",
    ChannelMode.AVG: "{x}.mean({axis})",
    ChannelMode.SUM: "{x}.sum({axis})",
    ChannelMode.MIN: "{x}.amin({axis})",
    ChannelMode.MAGNITUDE: "{x}.square().sum({axis}).sqrt()",
}
"""What PyTorch computes of channels."""


def _gray(step: ExportStep) -> TorchLayer:
    if step.inputs[2] == 1:
        return TorchLayer(call="{x}")
    red, green, blue = Gray.WEIGHTS
    return TorchLayer(call=f"({{x}} * {{x}}.new_tensor([{red}, {green}, {blue}]).view(3, 1, 1)).sum(1, keepdim=True)")


ROWS: dict[type[Layer], Callable[[ExportStep], TorchLayer]] = {
    **dict.fromkeys(Convolution.__subclasses__(), _convolution),
    Linear: _linear,
    BatchNorm: _batch_norm,
    GroupNorm: lambda step: TorchLayer(f"nn.GroupNorm({step.layer.groups}, {step.inputs[2]}{_of_norm(step)})"),
    InstanceNorm: lambda step: TorchLayer(f"nn.InstanceNorm2d({step.inputs[2]}{_of_norm(step, '')})"),
    LayerNorm: _layer_norm,
    PRelu: lambda step: TorchLayer(f"nn.PReLU({'' if not step.layer.each else step.inputs[-1]})"),
    Deconv: _deconvolution,
    Upsample: _upsample,
    AdaptivePool: _adaptive_pool,
    Activation: _activation,
    Softmax: lambda _: TorchLayer("nn.Softmax(dim=1)"),
    Flatten: lambda _: TorchLayer("nn.Flatten()"),
    Dropout: lambda step: TorchLayer(f"nn.Dropout({show_number(step.layer.rate)})"),
    LocalResponseNorm: _local_response_norm,
    Gray: _gray,
    Pool: _pool,
    GlobalPool: _global_pool,
    ChannelPool: _channel_pool,
}
"""How each kind of layer is written for PyTorch."""


class SourceWriter:
    """Writes the lines of a class, layer after layer."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self.modules: dict[str, str] = {}
        self.lines: list[str] = []
        self._branches = 0

    def write_steps(self, steps: Iterable[Step], value: str) -> str:
        """Write layers in a row, and return the variable that holds what comes out."""
        for step in steps:
            layer = step.node.layer
            if isinstance(layer, Residual | Concatenation):
                self._write_block(step, layer, value)
                continue
            exported = self._exporter.step(self._exporter.visit(step))
            if type(layer) not in ROWS:
                raise refuse(exported, "PyTorch has no such layer")
            written = ROWS[type(layer)](exported)
            if written.module:
                self.modules[exported.name] = written.module
            call = written.call.format(x=value, module=_path(exported.name))
            if call != value:
                self.lines.append(f"{value} = {call}")
        return value

    def _write_block(self, step: Step, layer: Residual | Concatenation, value: str) -> None:
        ends = []
        for branch in step.branches:
            if not branch:
                ends.append(value)
                continue
            self._branches += 1
            ends.append(f"branch{self._branches}")
            self.lines.append(f"{ends[-1]} = {value}")
            self.write_steps(branch, ends[-1])
        if isinstance(layer, Concatenation):
            self.lines.append(f"{value} = torch.cat([{', '.join(ends)}], dim=1)")
        else:
            self.lines.append(f"{value} = {' + '.join([*ends, value] if layer.adds_input else ends)}")


def _path(name: str) -> str:
    """Return the expression for a module: its name in the state dict is that of its layer."""
    first, *others = name.split(".")
    head = f"self.{first}" if first.isidentifier() else f'self.get_submodule("{first}")'
    return head + "".join(f'["{part}"]' for part in others)


def _tree(modules: Mapping[str, str]) -> dict[str, object]:
    """Return modules by the parts of their names between points."""
    tree: dict[str, object] = {}
    for name, text in modules.items():
        place: dict[str, object] = tree
        *folders, last = name.split(".")
        for folder in folders:
            inner = place.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise LanguageError(f"a layer is called {folder} and another {name}, which PyTorch has no place for")
            place = inner
        if last in place:
            raise LanguageError(f"a layer is called {name}, and others begin so, which PyTorch has no place for")
        place[last] = text
    return tree


def _show_module(item: object, indent: str) -> str:
    if not isinstance(item, dict):
        return str(item)
    inner = "".join(f'{indent}    "{name}": {_show_module(each, indent + "    ")},\n' for name, each in item.items())
    return f"nn.ModuleDict({{\n{inner}{indent}}})"


def write_source(exporter: Exporter, title: str) -> str:
    """Return the source of a module that computes what a network does, for (N, C, H, W)."""
    writer = SourceWriter(exporter)
    writer.write_steps(exporter.program.steps, "x")
    visits = exporter.network.visits(exporter.shape)
    order = order_of(visits[-1].outputs.parts) if visits else np.arange(0)
    if (np.diff(order) != 1).any():  # a flattened volume comes out, whose channels are last here
        writer.lines.append(f"x = x[:, {order.tolist()}]")
    made = []
    for name, item in _tree(writer.modules).items():
        shown = _show_module(item, " " * 8)
        made.append(f"self.{name} = {shown}" if name.isidentifier() else f'self.add_module("{name}", {shown})')
    height, width, channels = exporter.shape
    result = exporter.result
    shape = (result[2], *result[:2]) if len(result) == 3 else result
    lines = [
        f'"""{_plain(title)}, written by cnnfilter."""',
        "",
        "import torch",
        "from torch import nn" + ("\nfrom torch.nn import functional" if "functional." in str(writer.lines) else ""),
        "",
        "",
        "class Network(nn.Module):",
        f'    """From (N, {channels}, {height}, {width}) to (N, {", ".join(map(str, shape))})."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *(f"        {line}" for line in made),
        "",
        "    def forward(self, x: torch.Tensor) -> torch.Tensor:",
        '        """Return what comes out of the last layer."""',
        *(f"        {line}" for line in [*_prepare(exporter), *writer.lines]),
        "        return x",
    ]
    return "\n".join(lines) + "\n"


def _prepare(exporter: Exporter) -> Iterable[str]:
    """Yield what is done to the input before the first layer."""
    preparation = exporter.preparation
    if preparation.scale != 1:
        yield f"x = x * {preparation.scale!r}"
    for sign, numbers, usual in (("-", preparation.mean, 0.0), ("/", preparation.std, 1.0)):
        if numbers != (usual,):
            yield f"x = x {sign} x.new_tensor({list(numbers)}).view(-1, 1, 1)"


def _plain(title: str) -> str:
    """Return a title that ends no text of Python."""
    return re.sub(r'[\\"\n\r]', " ", title)[:_LONGEST_LINE]
