"""Weights for a network, by name or in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from math import prod, sqrt
from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import Tensors, normalize
from cnnfilter.errors import KernelError
from cnnfilter.io.paths import lacks_memory
from cnnfilter.log import tell, warn
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.layers import Block, Conv, Convolution, DepthwiseConv, Layer, Normalization, Shape
from cnnfilter.nn.network import Network

MOST_NAMED = 4
"""So many problems a message names; the others it counts."""

Init = Literal["he", "uniform"]
"""How random weights are drawn."""


class Need(NamedTuple):
    """Tensors that one layer needs, in PyTorch's order of axes; `first` if the image's own channels go into it."""

    name: str
    layer: Layer
    tensors: dict[str, Shape]
    parts: tuple[Shape, ...]  # what its input vector was made of, see `Flow`
    first: bool = False


def needs(network: Network, shape: Shape) -> Iterator[Need]:
    """Yield what each layer that learns needs, in the order of execution, for an input of `shape`."""
    first = True
    for visit in network.visits(shape):
        if visit.node.layer.learns:
            tensors = visit.node.layer.tensors(visit.inputs.shape)
            yield Need(visit.node.name, visit.node.layer, tensors, visit.inputs.parts, first)
        first = first and visit.node.layer.KEEPS_CHANNELS


class StateDict(Value):
    """Tensors by their names, `NAME.weight`, in the order in which layers without those names take them.

    `NAME.weight` is (out, in / groups, kh, kw) or (out, in), or (C,) with `NAME.running_mean` beside it. `source` is
    what messages call them; `ordered` says whether their order may be that of the layers, which that of names is not.
    """

    tensors: Mapping[str, Array]
    source: str = "weights"
    ordered: bool = True

    def find(self, wanted: list[Need], fixed: frozenset[str] = frozenset()) -> dict[str, dict[str, Array]]:
        """Return the tensors of each need, matched by name, or in order by kind and shape.

        Where names match, those of `fixed` layers, whose kernels are named in the network, are not needed.
        """
        by_name = self._has_names_of(wanted)
        matched = self._match_names(wanted) if by_name else self._match_in_order(wanted)
        used = {*matched.values(), *(fixed if by_name or not wanted else ())}
        if left := [name for name in self.groups if name not in used]:
            raise self._error(f"no layer takes {self._show(left)}")
        for need in wanted:
            tell("%s <- %s", need.name, self._show([matched[need.name]]), level="once")
        return {need.name: _complete(need, self.groups[matched[need.name]]) for need in wanted}

    @cached_property
    def groups(self) -> dict[str, dict[str, Array]]:
        """The tensors of each layer, by what stands before the last point of their names."""
        groups: dict[str, dict[str, Array]] = {}
        for name, tensor in self.tensors.items():
            group, _, part = name.rpartition(".")
            if part != "num_batches_tracked":
                groups.setdefault(group, {})[part] = tensor
        return groups

    def _has_names_of(self, wanted: list[Need]) -> bool:
        """Return whether the tensors are named as the layers are."""
        # A counted name, `conv1`, may be a coincidence: such names count if they are all there, on one side.
        names = {need.name for need in wanted}
        common = names & set(self.groups)
        given = any(need.layer.name for need in wanted if need.name in common)
        return bool(common) and (given or common in (names, set(self.groups)))

    def _match_names(self, wanted: list[Need]) -> dict[str, str]:
        if missing := [_show_need(need) for need in wanted if need.name not in self.groups]:
            names = {need.name for need in wanted}
            left = [group for group in self.groups if group not in names]
            others = f"; it has {self._show(left)} for no layer" if left else ""
            raise self._error(f"nothing for {_name_some(missing)}{others}")
        for need in wanted:
            group = _complete(need, self.groups[need.name])
            if not _fits(need, group):
                raise self._error(_misfit(need, group) + _hint(need, group))
        return {need.name: need.name for need in wanted}

    def _match_in_order(self, wanted: list[Need]) -> dict[str, str]:
        """Return for each need the first group that is left, of its kind and shapes."""
        left = list(self.groups)
        matched = {}
        doubtful = False
        for need in wanted:
            alike = [group for group in left if _is_alike(need, self.groups[group])]
            fitting = [group for group in alike if _fits(need, _complete(need, self.groups[group]))]
            if not fitting:
                hint = (_hint(need, self.groups[alike[0]]) if alike else "") or self._hint_at_layout(need, left)
                shown = self._show(alike or left) or "nothing"
                raise self._error(f"nothing fits {_show_need(need)}; left is {shown}{hint}")
            doubtful |= len(fitting) > 1
            matched[need.name] = fitting[0]
            left.remove(fitting[0])
        if doubtful and not self.ordered:
            warn(
                f"{self.source}: no name is that of a layer, and layers alike took theirs in the order of names, which "
                "need not be that of the network; -v lists the pairs, and .npz keeps the order"
            )
        return matched

    def _hint_at_layout(self, need: Need, groups: list[str]) -> str:
        """Return what turns the first tensor of some groups that has the axes of Keras into what a layer needs."""
        for group in groups:
            for part, tensor in self.groups[group].items():
                if turn := _turn_from_keras(need, tensor.shape):
                    return f"; {f'{group}.{part}'.lstrip('.')} {tensor.shape} fits after {turn}"
        return ""

    def _show(self, groups: list[str]) -> str:
        shown = (
            ", ".join(f"{group}.{part} {tensor.shape}".lstrip(".") for part, tensor in self.groups[group].items())
            for group in groups
        )
        return _name_some(list(shown))

    def _error(self, reason: str) -> KernelError:
        return KernelError(f"{self.source}: {reason}")


def read_state_dict(path: str | PathLike[str]) -> StateDict:
    """Return the weights in a file; those of `.npz` alone are in the order in which they were written."""
    from cnnfilter.io.weights import read_weights  # noqa: PLC0415  most networks learn nothing

    path = Path(path)
    return StateDict(read_weights(path), str(path), ordered=path.suffix.lower() == ".npz")


class RandomWeights(Value):
    """Weights drawn at random, the same for the same seed.

    `he`: normal with variance 2 / inputs, biases 0 (He et al., "Delving deep into rectifiers", 2015);
    `uniform`: weights and biases even within 1 / sqrt(inputs), as PyTorch begins. Norms begin with a scale of 1 and a
    shift of 0, the slopes of prelu with 0.25, as in PyTorch. Inputs are counted as there: those of the second axis of a
    weight, times the window.
    """

    init: Init
    seed: int = 0

    def find(self, wanted: list[Need], fixed: frozenset[str] = frozenset()) -> dict[str, dict[str, Array]]:
        """Return tensors for each need."""
        generator = np.random.default_rng(self.seed)
        return {need.name: self._draw(need, generator) for need in wanted}

    def _draw(self, need: Need, generator: np.random.Generator) -> dict[str, Array]:
        if begin := need.layer.INITIAL:
            return {name: np.full(shape, begin[name], np.float32) for name, shape in need.tensors.items()}
        inputs = prod(need.tensors["weight"][1:])
        drawn = {}
        for name, shape in need.tensors.items():
            if self.init == "uniform":
                tensor = generator.uniform(-1 / sqrt(inputs), 1 / sqrt(inputs), shape)
            else:
                tensor = generator.normal(0, sqrt(2 / inputs), shape) if name == "weight" else np.zeros(shape)
            drawn[name] = tensor.astype(np.float32)
        return drawn


def _is_alike(need: Need, group: Mapping[str, Array]) -> bool:
    """Return whether tensors look like those of a layer of its kind, whatever their sizes."""
    if "running_mean" in need.tensors or "running_mean" in group:
        return "running_mean" in need.tensors and "running_mean" in group
    return "weight" in group and group["weight"].ndim == len(need.tensors["weight"])


def _complete(need: Need, group: Mapping[str, Array]) -> dict[str, Array]:
    """Return the tensors of a layer, with scale 1 and shift 0 where a batch norm was trained without."""
    if not {"running_mean", "running_var"} <= group.keys():
        return dict(group)
    shape = group["running_mean"].shape
    begin = {name: np.full(shape, need.layer.INITIAL.get(name, 0.0), np.float32) for name in ("weight", "bias")}
    return {name: tensor for name, tensor in begin.items() if name in need.tensors} | dict(group)


def _turn_from_keras(need: Need, given: Shape) -> str:
    """Return the call that makes a layer's weight of an array of a shape, if that is what Keras stores, else nothing.

    Its axes are (kh, kw, in, out), (kh, kw, in, outputs of each) of depthwise layers, or (inputs, outputs), where those
    of a flattened volume are in the order of rows, columns, channels.
    """
    wanted = need.tensors.get("weight", ())
    if given == wanted:
        return ""
    if len(wanted) == 4 and given == (*wanted[2:], wanted[1], wanted[0]):
        return "`.transpose(3, 2, 0, 1)`"
    if isinstance(need.layer, DepthwiseConv) and given[:2] == wanted[2:] and prod(given[2:]) == wanted[0]:
        return f"`.transpose(2, 3, 0, 1).reshape{wanted}`"
    if len(wanted) != 2 or given != wanted[::-1]:
        return ""
    volume = need.parts[0] if len(need.parts) == 1 and len(need.parts[0]) == 3 else ()
    if prod(volume[:2]) > 1:
        return f"`.reshape{(*volume, wanted[0])}.transpose(3, 2, 0, 1).reshape{wanted}`"
    return "`.transpose()`"


def _fits(need: Need, group: Mapping[str, Array]) -> bool:
    return need.tensors == {part: tensor.shape for part, tensor in group.items()}


def _misfit(need: Need, group: Mapping[str, Array]) -> str:
    """Return which tensor of a group does not fit a layer, and what would."""
    layer = f"{need.name} ({need.layer.text})"
    for part, shape in need.tensors.items():
        if part not in group:
            return f"{need.name}.{part} {shape} is missing"
        if group[part].shape != shape:
            turn = _turn_from_keras(need, group[part].shape) if part == "weight" else ""
            hint = f"; it fits after {turn}" if turn else ""
            return f"{need.name}.{part} is {group[part].shape}, and {layer} needs {shape}{hint}"
    extra = next(part for part in group if part not in need.tensors)
    return f"{need.name}.{extra} {group[extra].shape} is too many for {layer}"


def _show_need(need: Need) -> str:
    shapes = ", ".join(f"{part} {shape}" for part, shape in need.tensors.items())
    return f"{need.name} ({need.layer.text}; {shapes})"


def _hint(need: Need, group: Mapping[str, Array]) -> str:
    """Return what to do where a bias is too many or missing, or only the picture's channels or size differ."""
    common = all(group[part].shape == shape for part, shape in need.tensors.items() if part in group)
    if not need.layer.INITIAL and common and set(group) ^ set(need.tensors) == {"bias"}:
        return "; nobias leaves a layer's bias out" if "bias" in need.tensors else "; without nobias it has a bias"
    if (
        need.layer.INITIAL
        and common
        and not {"weight", "bias"} & set(need.tensors)
        and {"weight", "bias"} <= set(group)
    ):
        return "; without noaffine it has them"
    given, wanted = group["weight"].shape if "weight" in group else (), need.tensors.get("weight", ())
    alike = len(given) == len(wanted) > 1 and (given[0], *given[2:]) == (wanted[0], *wanted[2:])
    if not alike or given[1] == wanted[1]:
        return ""
    channels = _channels(need, given[1], wanted[1])
    if channels == (3, 1):
        return "; the weights are for 3 channels, and 1 is given: conv:[1],[1],[1] before makes three of one"
    if channels == (1, 3):
        return "; the weights are for 1 channel, and 3 are given: gray before makes one of three"
    if need.layer.op == "linear" and any(len(part) == 3 for part in need.parts):
        return f"; the weights are for {given[1]} inputs, from an image of another size: --resize HxW"
    return ""


def _channels(need: Need, given: int, wanted: int) -> tuple[int, int] | None:
    """Return for how many channels of the picture weights are, and how many it has, where that can be told."""
    if not need.first:
        return None
    if isinstance(need.layer, Conv) and need.layer.groups == 1:
        return given, wanted
    if need.layer.op == "linear" and len(need.parts) == 1:
        height, width, channels = need.parts[0]
        return (given // (height * width), channels) if given % (height * width) == 0 else None
    return None


def _name_some(items: list[str]) -> str:
    more = f" and {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else ""
    return ", ".join(items[:MOST_NAMED]) + more


def bind(network: Network, shape: Shape, weights: StateDict | RandomWeights) -> dict[str, Tensors]:
    """Return the tensors of each layer that learns, in our order of axes; `KernelError` if they do not fit."""
    wanted = list(needs(network, shape))
    counts = {need.name: sum(prod(shape) for shape in need.tensors.values()) for need in wanted}
    if lack := lacks_memory((8 + 4) * sum(counts.values())):  # drawn as float64, held as float32
        largest = max(counts, key=counts.__getitem__)
        raise KernelError(f"the network's weights, {counts[largest]} of them in {largest}, {lack}")
    if isinstance(weights, StateDict):
        check_sums(network, shape)
    found = find_tensors(network, shape, weights)
    return {need.name: _turn(need, found[need.name]) for need in wanted}


def find_tensors(network: Network, shape: Shape, weights: StateDict | RandomWeights) -> dict[str, dict[str, Array]]:
    """Return the tensors of each layer that learns, as PyTorch has them."""
    named = (node for node in network.all_nodes if isinstance(node.layer, Convolution) and node.layer.kernels)
    return weights.find(list(needs(network, shape)), frozenset(node.name for node in named))


def _turn(need: Need, tensors: Mapping[str, Array]) -> Tensors:
    """Return tensors in our order: (kh, kw, in, out), (in, out), vectors as `flatten` has them here."""
    layer = need.layer
    if isinstance(layer, Convolution):
        bank = tensors["weight"].transpose(2, 3, 1, 0)
        if layer.normalize is not Normalization.NONE:
            bank = normalize(bank, layer.normalize, need.name)
        return {**tensors, "weight": bank[::-1, ::-1] if layer.flip else bank}
    order = order_of(need.parts)
    if layer.op == "linear":
        return {**tensors, "weight": tensors["weight"][:, order].T}
    return {name: tensor[order] if tensor.shape == order.shape else tensor for name, tensor in tensors.items()}


def order_of(parts: Iterable[Shape]) -> Array:
    """Return for each place of a vector, as it is here, its place in PyTorch."""
    orders, start = [], 0
    for part in parts:
        places = np.arange(start, start + prod(part))
        if len(part) == 3:
            height, width, channels = part
            places = places.reshape(channels, height, width).transpose(1, 2, 0).ravel()
        orders.append(places)
        start += prod(part)
    return np.concatenate(orders) if orders else np.arange(0)


def check_sums(network: Network, shape: Shape) -> None:
    """Raise a `KernelError` if a block adds vectors of which one is flattened here in another order than in PyTorch."""
    for visit in network.visits(shape):
        layer = visit.node.layer
        if not isinstance(layer, Block) or layer.op != "res" or len(visit.outputs.shape) != 1:
            continue
        first, *others = (order_of(end.parts) for end in layer.ends(visit.inputs))
        if not all(np.array_equal(first, other) for other in others):
            raise KernelError(
                f"{visit.node.name} adds a flattened volume to a vector of other order; PyTorch flattens by channel, "
                "row, column, so that weights from there cannot be used in it"
            )
