"""A network that runs on an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.convolve import Method, Packed, choose_method, lay_bank
from cnnfilter.compute.exact import Facts, find_facts
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.io.opencv import cv2
from cnnfilter.io.paths import lacks_memory
from cnnfilter.kernels.spec import Kernel, load_kernel
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Block, Convolution, DepthwiseConv, Layer, Normalization, Shape
from cnnfilter.nn.network import Network, Node

if TYPE_CHECKING:
    from cnnfilter.network_files import Preparation

Kernels = tuple[Kernel, ...]

Tensors = Mapping[str, Array]
"""What training set of one layer, by the names of PyTorch, and in our order: `weight` is (kh, kw, in / groups,
out) of a convolution, (inputs, outputs) of a linear; `bias`, `running_mean`, `running_var` have a number for
each output."""

_KERNEL = 8
"""Bytes of a kernel's weight, float64."""

_MOST_PLANNED = 16
"""Plans of a program that are kept, for images of as many shapes."""

ZERO_SUM = 1e-6
"""A kernel's sum counts as zero up to this share of the sum of its magnitudes."""


class Place(NamedTuple):
    """The method of a convolution, and where what it makes of a part of an image lies in the whole.

    `first` are the row and the column of the whole results with which those made begin, of which some are `kept`.
    `visible` are the methods for colours weighted by alpha and for alpha, where there is any; `tiles` are the
    rows and columns of results that are made together where alpha tells neighbours apart, if it matters which.
    """

    method: Method
    visible: tuple[Method, ...] = ()
    tiles: tuple[tuple[slice, ...], ...] = ()
    first: Pair = (0, 0)
    kept: tuple[slice, slice] = (slice(None), slice(None))

    def align(self, axis: int, first: int, last: int) -> Pair:
        """Return the rows (axis 0) or columns (1) of results that are made to get some: those of whole tiles."""
        ranges = [method.align(axis, first, last) for method in (self.method, *self.visible)]
        if self.tiles:
            ranges += [(one.start, one.stop) for one in self.tiles[axis] if one.start < last and one.stop > first]
        return min(start for start, _ in ranges), max(stop for _, stop in ranges)


class Step(NamedTuple):
    """A layer ready to run: its kernels as they are laid on the image, or what training set, or its branches.

    `packed` are its weights as they are multiplied, where it learns.
    """

    node: Node
    kernels: Kernels
    tensors: Tensors
    branches: tuple[tuple[Step, ...], ...]
    place: Place | None = None
    packed: Packed | None = None


class Program(NamedTuple):
    """A network ready to run; `planned` ones are by the shape of an image and what is known of it."""

    network: Network
    steps: tuple[Step, ...]
    planned: dict[tuple[Shape, Facts], Program] | None = None


def plan_program(program: Program, shape: Shape, facts: Facts) -> Program:
    """Return a program whose convolutions have their methods for a (H, W, C) image; it is kept for the next one."""
    kept = {} if program.planned is None else program.planned
    if (shape, facts) not in kept:
        if len(kept) >= _MOST_PLANNED:
            kept.clear()
        kept[shape, facts] = Program(program.network, _plan_steps(program.steps, shape, facts)[0])
    return kept[shape, facts]


def _plan_steps(steps: tuple[Step, ...], shape: Shape, facts: Facts) -> tuple[tuple[Step, ...], Facts]:
    """Return layers in a row with their methods, and what is known of what comes out."""
    planned = []
    for step in steps:
        layer, outcomes = step.node.layer, list[Facts]()
        if isinstance(layer, Convolution):
            bank, bias = bank_of(step, shape[2])
            method = choose_method(bank, bias, layer.window, layer.border, shape, facts, step.packed)
            step, outcomes = step._replace(place=Place(method)), [method.results]  # noqa: PLW2901
        elif step.branches:
            branches = [_plan_steps(branch, shape, facts) for branch in step.branches]
            step, outcomes = step._replace(branches=tuple(made for made, _ in branches)), [out for _, out in branches]  # noqa: PLW2901
        planned.append(step)
        shape, facts = layer.output(shape), _follow(layer, facts, shape, outcomes)
    return tuple(planned), facts


def _follow(layer: Layer, facts: Facts, shape: Shape, outcomes: list[Facts]) -> Facts:
    """Return what is known of what a layer makes of values of a shape, or of what its branches make of them."""
    if isinstance(layer, Convolution):
        return outcomes[0]
    floats = facts._replace(dtype=np.dtype(float_type(facts.dtype)))
    if isinstance(layer, Block):
        kinds = [outcome.dtype for outcome in (*outcomes, facts)]
        return Facts(np.result_type(*(kinds[: len(outcomes) + layer.adds_input])))
    if layer.picks_values:
        return facts
    if layer.op == "gray" and shape[2] == 1:
        return facts
    return floats if layer.op == "relu" else Facts(floats.dtype)


def load_program(network: Network, weights: Mapping[str, Tensors] | None = None) -> Program:
    """Return a network ready to run, its kernels read, normalised and turned.

    `weights` has, for the name of each layer that learns, what training set. Raises a `KernelError` if a kernel cannot
    be read or normalised, all are more than memory holds, or a layer has no weights.
    """
    words = [word for node in network.all_nodes if isinstance(node.layer, Convolution) for word in node.layer.kernels]
    if lack := lacks_memory(_KERNEL * sum(prod(word.shape) for word in words)):
        raise KernelError(f"the network's {len(words)} kernels {lack}")
    return Program(network, tuple(_load_step(node, weights or {}) for node in network.nodes), {})


def _load_step(node: Node, weights: Mapping[str, Tensors]) -> Step:
    layer, kernels = node.layer, list[Kernel]()
    tensors: Tensors = {}
    if isinstance(layer, Convolution) and layer.kernels:
        for word in layer.kernels:
            kernel = load_kernel(word.text)
            values = kernel.weights
            if layer.normalize is not Normalization.NONE:
                values = normalize(values, layer.normalize, word.text)
            kernels.append(kernel._replace(weights=values[::-1, ::-1] if layer.flip else values))
    elif layer.files:
        from cnnfilter.compute.correlate import read_pattern  # noqa: PLC0415  one command alone needs it

        tensors = {"pattern": read_pattern(layer.files[0])[0]}
    elif layer.learns:
        if node.name not in weights:
            raise KernelError(
                f"{node.name} ({layer.text}) has no weights, so only its size is known (`cnnfilter shape`); "
                "--weights FILE brings some, --init he random ones; a conv also runs with kernels, as in conv:sobel-x"
            )
        tensors = weights[node.name]
    branches = tuple(tuple(_load_step(inner, weights) for inner in branch) for branch in node.branches)
    return Step(node, tuple(kernels), tensors, branches, packed={} if layer.learns else None)


def normalize(weights: Doubles, how: Normalization, name: str = "the kernel") -> Doubles:
    """Return weights divided by their sum, or by the sum of their magnitudes, map by map.

    Raises a `KernelError` if that sum is zero: for `sum`, at most 1e-6 of the sum of magnitudes.
    """
    magnitudes = np.abs(weights).sum(axis=(0, 1, 2)[: weights.ndim])
    sums = weights.sum(axis=(0, 1, 2)[: weights.ndim]) if how is Normalization.SUM else magnitudes
    if (np.abs(sums) <= ZERO_SUM * magnitudes).any():
        hint = "`abs` divides by the sum of magnitudes" if magnitudes.any() else "all its weights are 0"
        raise KernelError(f"{name} sums to zero and cannot be normalised by its sum; {hint}")
    return np.asarray(weights / sums)


def build_bank(layer: Convolution, kernels: Kernels, channels: int) -> tuple[Doubles, Doubles]:
    """Return a layer's weights on `channels` inputs, (kh, kw, in / groups, out), and what is added to each output."""
    shape, parts = layer.bank(channels), []
    for kernel in kernels:
        weights = kernel.weights.reshape(*kernel.weights.shape, *[1] * (4 - kernel.weights.ndim))
        parts.append(np.broadcast_to(weights, (*shape[:3], weights.shape[3])))
    bank = np.concatenate(parts, axis=3)
    offsets = np.repeat([kernel.offset for kernel in kernels], [part.shape[3] for part in parts])
    biases = offsets + np.asarray(layer.bias)
    if isinstance(layer, DepthwiseConv):
        bank, biases = np.concatenate([bank] * channels, axis=3), np.concatenate([biases] * channels)
    return bank, biases


def bank_of(step: Step, channels: int) -> tuple[Array, Array]:
    """Return the weights of a convolution as `build_bank` does, those that it was trained with where there are some."""
    layer, trained = step.node.layer, step.tensors.get("weight")
    assert isinstance(layer, Convolution)
    if trained is None:
        return build_bank(layer, step.kernels, channels)
    return trained, step.tensors.get("bias", np.asarray(layer.bias))


def convolve_step(step: Step, volume: Array, *, narrow: np.dtype[Any] | None = None) -> Array:
    """Return the feature maps of a convolution with its kernels or its weights: (H', W', out)."""
    layer, place = step.node.layer, step.place
    assert isinstance(layer, Convolution)
    if place is None or place.method.facts.dtype != volume.dtype:
        bank, bias = bank_of(step, volume.shape[2])
        place = Place(choose_method(bank, bias, layer.window, layer.border, volume.shape, find_facts(volume)))
    return lay_bank(place.method, volume, layer.window, layer.border, first=place.first, narrow=narrow)[place.kept]


Listener = Callable[[str, Array], None]
"""Hears the name of each layer and what came out of it: (H, W, C) or (length,)."""


def as_volume(image: Array) -> Array:
    """Return an image as (H, W, C), or raise a `ShapeError` if it has not 2 or 3 dimensions or no pixel."""
    if image.size == 0:
        raise ShapeError(f"the image is empty: its shape is {image.shape}")
    if image.ndim not in {2, 3}:
        raise ShapeError(f"an image is (height, width) or (height, width, channels), not {image.shape}")
    if image.dtype.kind not in "buif":
        raise ShapeError(f"an image holds real numbers, not {image.dtype}")
    native = image.astype(image.dtype.newbyteorder("="), copy=False)
    return native[:, :, None] if image.ndim == 2 else native


def run_program(
    program: Program,
    image: Array,
    *,
    white: float | None = None,
    listener: Listener | None = None,
    narrow: np.dtype[Any] | None = None,
    facts: Facts | None = None,
) -> Array:
    """Return what a network makes of an image, (H, W) or (H, W, C).

    `white` is the level to which `equalize` spreads, by the image's type unless given; `listener` hears what comes out
    of each layer, those in blocks included; what one kernel makes of 8 bits may be of the type `narrow`, int16 or
    uint8, as in `lay_bank`; `facts` are what is known of the image, else what its type says. The result is
    (H', W', C'), without its channel axis if there is one channel, or (length,) after `flatten`. Raises a `ShapeError`
    if a layer cannot take what the one before it gives.
    """
    volume = as_volume(image)
    program.network.output(volume.shape)
    if program.planned is not None:
        program = plan_program(program, volume.shape, facts or find_facts(volume))
    is_plain = len(program.steps) == 1 and isinstance(program.steps[0].node.layer, Convolution)
    if is_plain and not (listener and narrow is None):
        result = convolve_step(program.steps[0], volume, narrow=narrow)
        return drop_single_channel(result)
    from cnnfilter.compute.operations import Setting, run_steps  # noqa: PLC0415  one convolution needs none

    setting = Setting(white_of(volume) if white is None else white, listener)
    result = drop_single_channel(run_steps(program.steps, volume, setting))
    return result.copy() if np.may_share_memory(result, image) else result


def white_of(volume: Array) -> float:
    """Return the level of white by an image's type: 65535 for 16 bits, 1 for floats, else 255."""
    if volume.dtype.kind == "f":
        return 1.0
    return 65535.0 if volume.dtype == np.uint16 else 255.0


def drop_single_channel(values: Array) -> Array:
    """Return a volume of one channel as (H, W), anything else as it is."""
    return values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values


@ieee_arithmetic
def prepare(volume: Array, preparation: Preparation) -> Array:
    """Return (resized volume x scale - mean) / std, (H', W', C), as floats; the volume itself where nothing is asked.

    Raises a `ShapeError` if there are several means or deviations, and not one for each channel.
    """
    if not preparation:
        return volume
    floats: Floats = volume.astype(float_type(volume.dtype))
    if preparation.size and preparation.size != volume.shape[:2]:
        floats = resize(floats, preparation.size)
    for subject, numbers in (("mean", preparation.mean), ("std", preparation.std)):
        if len(numbers) not in {1, volume.shape[2]}:
            raise ShapeError(f"{subject} has {len(numbers)} numbers, for an image whose channels are {volume.shape[2]}")
    mean, std = (np.array(numbers, dtype=floats.dtype) for numbers in (preparation.mean, preparation.std))
    return np.asarray((floats * floats.dtype.type(preparation.scale) - mean) / std)


def resize(volume: Floats, size: Pair) -> Floats:
    """Return a volume of another (height, width): means of areas where it shrinks, linear where it grows."""
    smaller = min(size[0], volume.shape[0]), min(size[1], volume.shape[1])
    planes = []
    for channel in range(volume.shape[2]):
        plane = np.ascontiguousarray(volume[:, :, channel])
        shrunk = cv2.resize(plane, smaller[::-1], interpolation=cv2.INTER_AREA)
        planes.append(cv2.resize(shrunk, size[::-1], interpolation=cv2.INTER_LINEAR))
    return np.stack(planes, axis=2)
