"""What one value of a result is made of: where its window is, what is in it, and what becomes of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.activations import activate
from cnnfilter.compute.borders import Places, find_places
from cnnfilter.compute.forward import Program, Step, bank_of
from cnnfilter.compute.operations import to_gray
from cnnfilter.compute.pool import pool_channels, pool_globally, pool_volume
from cnnfilter.errors import ShapeError
from cnnfilter.kernels.spec import load_kernel
from cnnfilter.nn.geometry import Border, BorderMode, Pair, Window
from cnnfilter.nn.layers import Convolution, Layer, Normalization, Shape, WindowLayer, show_shape
from cnnfilter.nn.other_layers import Activation, ChannelPool, GlobalPool, Gray, Pool, PoolMode
from cnnfilter.nn.resampling import AdaptivePool


class Reach(NamedTuple):
    """Where a window is in the input.

    `rows` (kh,) and `columns` (kw,) are below 0 or beyond the input in the padding. The sources are those of the input
    that they are, or that the border repeats there; -1 where it has a value of its own.
    """

    rows: Places
    columns: Places
    row_sources: Places
    column_sources: Places


class Weighing(NamedTuple):
    """What one map of a convolution makes of a window.

    `kernel` is the word of its kernel, `channels` those of the input that it adds up, `weights` (kh, kw, channels) as
    they are laid on the window; these were divided by `divisor`, which is 1 unless the kernel was normalized.
    """

    kernel: str
    channels: tuple[int, ...]
    weights: Doubles
    bias: float = 0.0
    divisor: float = 1.0


class Trace(NamedTuple):
    """How one value for each map of a result comes about.

    `layer` is the convolution or pool; `shape` goes into it, `output` comes out of the network; `place` is the
    (row, column) of the value. `values` (kh, kw, C) are in the window, padding included, which is nan for a pool: of a
    color image their luma if it was made `gray`. `weighings` are there for convolutions alone, map by map, with the
    `combination` and the `activations` behind. Where one `map` is explained, the others are left out.
    """

    layer: Layer
    shape: Shape
    output: Shape
    place: Pair
    reach: Reach
    values: Doubles
    weighings: tuple[Weighing, ...] = ()
    gray: bool = False
    combination: ChannelPool | None = None
    activations: tuple[Activation, ...] = ()
    map: int | None = None

    @property
    def channels(self) -> Sequence[int]:
        """The channels of a pool whose windows are explained."""
        return range(self.shape[2]) if self.map is None else (self.map,)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(kh, kw): which places of the window are pixels of the input."""
        rows, columns = self.reach.rows, self.reach.columns
        return np.logical_and.outer((rows >= 0) & (rows < self.shape[0]), (columns >= 0) & (columns < self.shape[1]))

    @property
    def functions(self) -> list[Layer]:
        """What is behind the sums: the combination of several kernels, and the activations."""
        combination: list[Layer] = [self.combination] if self.combination else []
        return [*combination, *self.activations]

    @property
    def is_biased(self) -> bool:
        """Whether a number is added to the sums of some map; 0 is then added to those of the others."""
        return any(weighing.bias for weighing in self.weighings)

    def products(self, weighing: Weighing) -> Doubles:
        """Return (kh, kw, channels): each value times its weight; one of 0 takes nothing of nan or infinity."""
        values = np.where(weighing.weights == 0, 0.0, self.values[:, :, weighing.channels])
        return np.asarray(values * weighing.weights)

    def sums(self) -> Doubles:
        """Return what the layer gives, before what comes behind it: a value for each map."""
        if self.weighings:
            return np.array([self.products(weighing).sum() + weighing.bias for weighing in self.weighings])
        pooled = _pool(self)
        return pooled if self.map is None or isinstance(self.layer, ChannelPool) else pooled[[self.map]]

    def combined(self) -> Doubles:
        """Return what the combination of several kernels makes of the sums, or the sums."""
        sums = self.sums()
        return pool_channels(sums[None, None], self.combination).ravel() if self.combination else sums

    def stages(self) -> list[Doubles]:
        """Return the values of all maps before the first activation, and after each."""
        stages = [self.combined()]
        for activation in self.activations:
            stages.append(np.asarray(activate(stages[-1], activation), dtype=np.float64))
        return stages

    def results(self) -> Doubles:
        """Return the value of each map in double precision."""
        return self.stages()[-1]


class Explained(NamedTuple):
    """A value, and what is around it.

    `outcome` (C,) is what the run gave, `title` what the result is called, `colors` (H, W, C) the input, `outputs`
    (h, w, C) the output around the value with its first at `corner`. `white` is 0 for a matrix, `notes` are warnings.
    """

    traced: Trace
    outcome: Array
    title: str
    colors: Array
    outputs: Array
    corner: Pair
    white: float
    notes: list[str]


def span_around(first: int, last: int, size: int) -> range:
    """Return the rows or columns that are drawn: all of up to 12, else a window and 3 more on each side of it.

    Examples
    --------
    >>> span_around(-1, 1, 5), span_around(100, 102, 600)
    (range(-1, 5), range(97, 106))
    """
    if size <= 12:
        return range(min(0, first), max(size, last + 1))
    return range(min(first, max(0, first - 3)), max(last + 1, min(size, last + 4)))


def trace(program: Program, volume: Array, place: Pair) -> Trace:
    """Return how the value at a place of a program's output comes about.

    The program is one that `convolve` and `pool` make: perhaps `gray`, one convolution or pool, and what works on each
    place. The volume is (H, W, C), the place a (row, column) in the output.
    """
    output = program.network.output(volume.shape)
    if not (place[0] < output[0] and place[1] < output[1]):
        raise ShapeError(
            f"position {place[0]},{place[1]} is outside the output of {show_shape(output)}; "
            f"rows go to {output[0] - 1}, columns to {output[1] - 1}"
        )
    starts_gray = isinstance(program.steps[0].node.layer, Gray)
    first, *rest = program.steps[1:] if starts_gray else program.steps
    gray, behind = starts_gray and volume.shape[2] > 1, [step.node.layer for step in rest]
    return trace_step(first, volume, output, place, gray=gray)._replace(
        combination=next((layer for layer in behind if isinstance(layer, ChannelPool)), None),
        activations=tuple(layer for layer in behind if isinstance(layer, Activation)),
    )


def trace_step(
    step: Step, volume: Array, output: Shape, place: Pair, *, gray: bool = False, number: int | None = None
) -> Trace:
    """Return how the value at a place comes out of one layer, for all maps or for one.

    The layer is a convolution or a pool, and sees the volume (H, W, C), or its luma.
    """
    layer = step.node.layer
    shape = (*volume.shape[:2], 1 if gray else volume.shape[2])
    rows, columns = (_find_taps(layer, shape, place, axis) for axis in (0, 1))
    reach = find_reach(rows, columns, shape, layer)
    weighings = _weigh(step, shape[2]) if isinstance(layer, Convolution) else ()
    return Trace(
        layer=layer,
        shape=shape,
        output=output,
        place=place,
        reach=reach,
        values=read_values(volume, reach, layer, gray=gray),
        weighings=weighings if number is None else weighings[number : number + 1],
        gray=gray,
        map=number,
    )


def _find_taps(layer: Layer, shape: Shape, place: Pair, axis: int) -> Places:
    """Return the rows, or the columns, of an input of a shape (H, W, C) in the window of an output."""
    if isinstance(layer, WindowLayer):
        window = layer.window
        start = place[axis] * window.stride[axis] - window.pads(shape[0], shape[1])[axis]
        return start + np.arange(window.size[axis]) * window.dilation[axis]
    if isinstance(layer, AdaptivePool):
        return np.array(layer.places(place[axis], axis, shape[axis]))
    return np.arange(shape[axis]) if isinstance(layer, GlobalPool) else np.array([place[axis]])


def _border_of(layer: Layer) -> Border:
    """Return what a layer finds beyond its input: nan, which does not count, for a pool."""
    return layer.border if isinstance(layer, Convolution) else Border(BorderMode.CONSTANT, np.nan)


def find_reach(rows: Places, columns: Places, shape: Shape, layer: Layer) -> Reach:
    """Return what a layer sees of an input of a shape (H, W, C) at rows and columns that may be in the padding."""
    sources = []
    for taps, size in zip((rows, columns), shape, strict=False):
        before, after = max(0, -int(taps[0])), max(0, int(taps[-1]) + 1 - size)
        sources.append(find_places(size, before, after, _border_of(layer).mode)[taps + before])
    return Reach(rows, columns, *sources)


def read_values(volume: Array, reach: Reach, layer: Layer, *, gray: bool) -> Doubles:
    """Return the values that a layer sees, (kh, kw, C), the border's own ones among them."""
    seen = volume[reach.row_sources[:, None], reach.column_sources]
    values = np.array(to_gray(seen) if gray else seen, dtype=np.float64)
    values[np.logical_or.outer(reach.row_sources < 0, reach.column_sources < 0)] = _border_of(layer).value
    return values


def _weigh(step: Step, channels: int) -> tuple[Weighing, ...]:
    """Return the weights of each map; those of a dwconv, and of groups, see some channels each."""
    layer = step.node.layer
    assert isinstance(layer, Convolution)
    bank, biases = bank_of(step, channels)
    words = [word.text for word in layer.kernels for _ in range(word.maps)] or ["weights"]
    divisors, weighings = _divisors(layer) or [1.0], list[Weighing]()
    seen, maps = bank.shape[2:]
    for number, bias in enumerate(np.broadcast_to(biases, maps)):
        first = number // (maps * seen // channels) * seen
        place, weights = number % len(words), bank[..., number].astype(np.float64)
        weighings.append(
            Weighing(words[place], tuple(range(first, first + seen)), weights, float(bias), divisors[place])
        )
    return tuple(weighings)


def _divisors(layer: Convolution) -> list[float]:
    """Return what the weights of each map of each kernel are divided by."""
    if layer.normalize is Normalization.NONE:
        return [1.0] * sum(word.maps for word in layer.kernels)
    divisors: list[float] = []
    for word in layer.kernels:
        maps = load_kernel(word.text).weights.reshape(-1, word.maps)
        sums, magnitudes = maps.sum(axis=0), np.abs(maps).sum(axis=0)
        divisors += (sums if layer.normalize is Normalization.SUM else magnitudes).tolist()
    return divisors


def _pool(traced: Trace) -> Doubles:
    """Return what a pool makes of the window alone: the pixels of it that are there."""
    layer, pixels = traced.layer, traced.values[traced.inside]
    if isinstance(layer, GlobalPool):
        return np.ravel(pool_globally(traced.values, layer)).astype(np.float64)
    if isinstance(layer, ChannelPool):
        return np.ravel(pool_channels(traced.values, layer)).astype(np.float64)
    assert isinstance(layer, Pool)
    if not len(pixels):
        return np.zeros(traced.shape[2])
    pooled = pool_window(pixels, layer.mode)
    averages = layer.count_include_pad and layer.mode is PoolMode.AVG
    return pooled * len(pixels) / count_places(traced) if averages else pooled


def pool_window(pixels: Doubles, mode: PoolMode) -> Doubles:
    """Return what a mode makes of all pixels (pixels, C) together: (C,)."""
    alone = Pool(mode=mode, window=Window((len(pixels), 1)))
    return np.ravel(pool_volume(pixels[:, None], alone)).astype(np.float64)


def find_picked(mode: PoolMode, values: Doubles, inside: NDArray[np.bool_]) -> Pair | None:
    """Return the (row, column) of the value that a mode picks of a window, a nan first; None where it picks none."""
    if mode.row.picks is None or not inside.any():
        return None
    unknown = np.isnan(values) & inside
    find = np.nanargmax if mode.row.picks == "greatest" else np.nanargmin
    row, column = np.unravel_index(int(unknown.argmax()) if unknown.any() else find(values), values.shape)
    return int(row), int(column)


def count_places(traced: Trace) -> int:
    """Return what an average divides by: pixels, and with `count_include_pad` padding, never what hangs over."""
    layer, (height, width, _) = traced.layer, traced.shape
    if not isinstance(layer, Pool) or not layer.count_include_pad:
        return int(np.count_nonzero(traced.inside))
    _, _, bottom, right = layer.window.pads(height, width)
    rows, columns = traced.reach.rows < height + bottom, traced.reach.columns < width + right
    return int(np.count_nonzero(rows)) * int(np.count_nonzero(columns))
