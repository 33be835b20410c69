"""Convolution of volumes by banks of kernels: the formula, and the engines that carry it out.

For stride s, dilation d and a padded volume x the output at row i, column j, map m is

    y[i, j, m] = bias + sum over a, b, c of x[i*s + a*d, j*s + b*d, c] * k[a, b, c, m]

which is cross-correlation, as in every framework for CNNs (Goodfellow et al., Deep Learning, eq. 9.6).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import (
    UNFINISHED,
    Finish,
    Grid,
    add_taps,
    filter_by_fourier,
    filter_dilated,
    filter_directly,
    filter_separably,
    filter_strided,
    lay_tiles,
    move_tiles,
    sum_boxes,
)
from cnnfilter.compute.exact import Facts, Numbers, common_divisor, find_facts, settle_numbers
from cnnfilter.compute.plan import MOST_PLANES, Engine, Plan, Task, plan_bank, plan_kernel
from cnnfilter.compute.threads import make_tiles
from cnnfilter.log import tell
from cnnfilter.nn.geometry import Border, Pair, Window

_LARGEST_SHORT = 2**15 - 1
_MOST_KEPT = 1 << 12  # weights that are compared faster with those of the last images than looked at again
_MENDED_AT_ONCE = 1 << 14  # windows worked weight by weight at a time


Packed = dict[tuple[str, int, bool], dict[int, Floats]]
"""Matrices of one bank with its biases, by the type of their numbers, the divisor, and whether channels are added."""


class Method(NamedTuple):
    """How a bank is laid on an image: found once for the whole, and taken for each of its parts.

    The `bank` is laid in the arithmetic of `numbers`, after the channels have been `added` where it is the same on
    each. `plans` are those of each kernel on each channel, of all maps, or of each pair of map and channel, by `way`;
    `grids` are the tiles of those whose results depend on where these lie. `has_zeros` says that a weight is 0.
    `packed` are the matrices of a bank that has been multiplied, by what its weights became.
    """

    facts: Facts
    bank: Doubles
    biases: Doubles
    divisor: int
    numbers: Numbers
    way: Literal["each", "maps", "pairs"]
    plans: tuple[Plan, ...]
    grids: tuple[Grid | None, ...]
    added: bool
    shorts: bool
    has_zeros: bool
    packed: Packed

    def align(self, axis: int, first: int, last: int) -> Pair:
        """Return the rows (axis 0) or columns (1) of results that are made to get some: those of whole tiles."""
        tiles = [tile for grid in self.grids if grid for tile in grid[axis] if tile.start < last and tile.stop > first]
        return min([first, *(tile.start for tile in tiles)]), max([last, *(tile.stop for tile in tiles)])

    @property
    def results(self) -> Facts:
        """What is known of the results."""
        numbers, floats = self.numbers, float_type(self.facts.dtype)
        keeps_double = numbers.whole and self.divisor == 1 and self.facts.dtype != np.float32
        dtype = np.dtype(numbers.dtype if keeps_double else floats)
        if numbers.whole and self.divisor == 1 and (np.rint(self.biases) == self.biases).all():
            return Facts(dtype, True, numbers.bound)
        return Facts(dtype)


def convolve_volume(
    volume: Array,
    bank: Doubles,
    window: Window,
    *,
    border: Border,
    bias: float | Doubles = 0.0,
    facts: Facts | None = None,
) -> Array:
    """Return the feature maps that a (kh, kw, C / groups, out) bank of kernels makes of a (H, W, C) volume.

    They are (H', W', out), float32 for 8-bit, 16-bit and float32 volumes unless whole numbers need float64, else
    float64. Channels and outputs fall into as many groups, in their order, as the bank's depth divides C into; `bias`
    is one number, or one for each output; `facts` are what is known of the volume, else what its type says. Raises a
    `ShapeError` if the window is larger than the padded volume.
    """
    facts = facts or find_facts(volume)
    if bank.size <= _MOST_KEPT and bank.dtype == np.float64:
        biases = np.asarray(bias, dtype=np.float64)
        kept = bank.tobytes(), bank.shape, biases.tobytes(), biases.shape
        method = _recall_method(kept, window, border, volume.shape, facts)
    else:
        method = choose_method(bank, bias, window, border, volume.shape, facts)
    return lay_bank(method, volume, window, border)


@lru_cache(maxsize=16)
def _recall_method(
    kept: tuple[bytes, tuple[int, ...], bytes, tuple[int, ...]],
    window: Window,
    border: Border,
    shape: tuple[int, ...],
    facts: Facts,
) -> Method:
    """Return how to lay a bank with biases, both as bytes and shapes, that the last images may have met as well."""
    bank, bias = (np.frombuffer(data).reshape(sizes) for data, sizes in (kept[:2], kept[2:]))
    return choose_method(bank, bias, window, border, shape, facts)


def choose_method(
    bank: Doubles,
    bias: float | Doubles,
    window: Window,
    border: Border,
    shape: tuple[int, ...],
    facts: Facts,
    packed: Packed | None = None,
) -> Method:
    """Return how to lay a (kh, kw, C / groups, out) bank on a volume of a shape, (H, W, C): by what is known of it.

    `packed` are the matrices of this bank and its biases that are kept, for volumes of all shapes.
    """
    packed = {} if packed is None else packed
    window.output(shape[0], shape[1])
    channels, biases = shape[2], np.broadcast_to(np.asarray(bias, dtype=np.float64), bank.shape[3])
    divisor = common_divisor(bank)
    numerators = np.rint(bank * divisor) if divisor > 1 else bank
    numbers = settle_numbers(facts, numerators, border, float(np.abs(biases).max()) * divisor)
    each, shorts = bank.shape[3] // channels, False  # kernels for each channel, in a bank without depth
    alike = bank.shape[2] == 1 and bool((bank == np.concatenate([bank[..., :each]] * channels, axis=3)).all())
    if numbers.whole and numbers.narrow and numbers.bound <= _LARGEST_SHORT and divisor == 1:
        plain = alike and each == 1 and window.stride == (1, 1)
        shorts = plain and float(biases[0]).is_integer() and bool((biases == biases[0]).all())
    laid, divisor = (numerators, divisor) if numbers.whole else (bank, 1)
    alike, same = alike and (each == 1 or channels > 1), False
    if not alike and bank.shape[2] == channels > 1:
        same = bool((laid[0, 0] == laid[0, 0, :1]).all() and (laid == laid[:, :, :1]).all())
        laid, channels = (laid[:, :, :1], 1) if same else (laid, channels)
    has_zeros = not bank.all()
    method = Method(facts, laid, biases, divisor, numbers, "each", (), (), same, shorts, has_zeros, packed)
    task = Task((shape[0], shape[1]), channels, window.stride, window.dilation)
    method = _choose_plans(method, task, alike=alike or channels == 1 == laid.shape[2])
    grids = [place_tiles(plan, shape, window) if plan.engine is Engine.FOURIER else None for plan in method.plans]
    return method._replace(grids=tuple(grids))


def _choose_plans(method: Method, task: Task, *, alike: bool) -> Method:
    """Return a method with its way and its plans; `alike` says that each channel is filtered in the same way."""
    bank, numbers = method.bank, method.numbers
    inputs, outputs = bank.shape[2], bank.shape[3] // (task.channels // bank.shape[2])
    kernels = bank[:, :, 0, : outputs if alike else 0]
    if inputs == 1 and not alike:
        plan = Plan(Engine.TAPS, numbers.dtype, numbers, f"kernels of their own for {task.channels} channels")
        return method._replace(way="maps", plans=(plan,))
    planes, one = inputs * outputs, task._replace(channels=1)
    if planes > 1 and (inputs > 1 or task.channels == 1):
        groups = task.channels // inputs
        plan = plan_bank(bank.shape, numbers, task)
        few = groups == 1 and planes <= MOST_PLANES  # by the price of the first: a look at each takes too long
        if not few or plan.price <= _plan(bank[:, :, 0, 0], numbers, one).price * planes:
            return method._replace(way="maps", plans=(plan,))
    if inputs == 1:
        plans = [_plan(kernels[:, :, number], numbers, task) for number in range(kernels.shape[2])]
        return method._replace(plans=tuple(plans))
    pairs = [bank[:, :, plane, map_] for map_ in range(bank.shape[3]) for plane in range(inputs)]
    return method._replace(way="pairs", plans=tuple(_plan(kernel, numbers, one) for kernel in pairs))


def _plan(kernel: Doubles, numbers: Numbers, task: Task) -> Plan:
    """Return how to lay a kernel on each channel."""
    return plan_kernel(kernel.astype(np.float64, copy=False).tobytes(), kernel.shape, numbers, task)


@ieee_arithmetic
def lay_bank(
    method: Method,
    volume: Array,
    window: Window,
    border: Border,
    *,
    first: Pair = (0, 0),
    narrow: np.dtype[Any] | None = None,
) -> Array:
    """Return the feature maps that a method makes of a volume, (H', W', out).

    Of a part of the image, `first` are the row and the column of the whole results that its own begin with, which are
    those of whole tiles, and the window's padding is what lies beyond the image's edges. `narrow`, int16 or uint8, is
    the type of the maps where one kernel of whole numbers makes them of 8 bits, and all sums fit in int16; in uint8
    they are clipped.
    """
    padded = Padded(volume, window.pads(volume.shape[0], volume.shape[1]), border, method.numbers.dtype)
    finish = Finish(method.biases, method.divisor, narrow=narrow if method.shorts else None)
    spreads = any(plan.spreads for plan in method.plans)
    if method.plans[0].engine is Engine.PATCHES:
        spreads = method.has_zeros
    clean = padded if not spreads or padded.finite else padded.without_wild()
    if method.added:
        clean = _add_channels(clean)
    maps = _lay(method, clean, window, finish, first)
    if narrow is not None and maps.dtype == narrow:
        return maps
    if spreads and not padded.finite:
        _mend(maps, method, padded, window)
    return maps.astype(method.results.dtype, copy=False)


def _lay(method: Method, padded: Padded, window: Window, finish: Finish, first: Pair) -> Array:
    """Return the feature maps that a method makes of what is padded, which is finite where that matters."""
    bank, output = method.bank, window.output(*padded.volume.shape[:2])
    grids = [grid and _move_grid(grid, first, output) for grid in method.grids]
    if method.way == "each":
        return _lay_on_each(method, padded, window, finish, grids)
    inputs = bank.shape[2]
    groups = padded.shape[2] // inputs
    outputs = bank.shape[3] // groups
    if method.way == "maps":
        tell("%s", method.plans[0], level="plan")
        if method.plans[0].engine is Engine.TAPS:
            return add_taps(padded, bank, window, output, finish)
        from cnnfilter.compute.products import multiply_patches, pack_bank  # noqa: PLC0415  most images meet one kernel

        kind = method.numbers.dtype, method.divisor, method.added
        if kind not in method.packed:
            method.packed[kind] = pack_bank(bank, groups, padded.dtype, finish)
        return multiply_patches(padded, bank, window, output, groups, finish, method.packed[kind])
    maps = np.zeros((*output, bank.shape[3]), padded.dtype)
    for number, (plan, grid) in enumerate(zip(method.plans, grids, strict=True)):
        tell("%s", plan, level="plan")
        map_, plane = divmod(number, inputs)
        channel = padded.channels(slice(map_ // outputs * inputs + plane, map_ // outputs * inputs + plane + 1))
        maps[:, :, map_] += carry_out(plan, channel, window, UNFINISHED, grid)[:, :, 0]
    return finish(maps)


def place_tiles(plan: Plan, shape: tuple[int, ...], window: Window) -> Grid:
    """Return the tiles of a Fourier transform on a volume of a shape."""
    size = plan.weights.shape[0], plan.weights.shape[1]
    return lay_tiles(size, shape, window, rounds=plan.rounds)


def _move_grid(grid: Grid, first: Pair, output: Pair) -> Grid:
    """Return the tiles of a part of the results, counted from its first row and column."""
    return move_tiles(grid[0], first[0], output[0]), move_tiles(grid[1], first[1], output[1])


def _lay_on_each(method: Method, padded: Padded, window: Window, finish: Finish, grids: list[Grid | None]) -> Array:
    """Return each channel filtered by each of m kernels, a channel's results side by side: (H', W', C m)."""
    parts = []
    for number, (plan, grid) in enumerate(zip(method.plans, grids, strict=True)):
        tell("%s", plan, level="plan")
        biases = finish.bias[number :: len(grids)]
        parts.append(carry_out(plan, padded, window, finish._replace(bias=biases), grid))
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=3).reshape(*parts[0].shape[:2], -1)


def _add_channels(padded: Padded) -> Padded:
    """Return the sum of all channels as the only one, for kernels that are the same on each."""
    volume = padded.volume.astype(padded.dtype, copy=False).sum(axis=2, keepdims=True)
    border = padded.border._replace(value=padded.border.value * padded.shape[2])
    return Padded(volume, padded.sides, border, padded.dtype.name)


def _mend(maps: Array, method: Method, padded: Padded, window: Window) -> None:
    """Work out anew, weight by weight, the results whose windows hold a pixel that is nan, infinite or nearly so."""
    wild = Padded(np.asarray(padded.find_wild().any(axis=2, keepdims=True)), padded.sides, padded.border, "float32")
    wild.border = padded.border._replace(value=0.0)
    ones = np.ones((*window.size, 1, 1))
    held = add_taps(wild, ones, window, maps.shape[:2], UNFINISHED)[:, :, 0]
    rows, columns = np.nonzero(held)
    pixels = padded.read(slice(None), slice(None))
    bank, inputs = method.bank, padded.shape[2] if method.added else method.bank.shape[2]
    outputs = bank.shape[3] // (padded.shape[2] // inputs)
    weights = bank[:, :, 0, :] if method.added or bank.shape[2] == 1 else None

    def work(start: int) -> None:
        some = slice(start, start + _MENDED_AT_ONCE)
        down, along = rows[some] * window.stride[0], columns[some] * window.stride[1]
        sums = np.zeros((len(down), bank.shape[3]))
        for row, column in np.ndindex(window.size):
            seen = pixels[down + row * window.dilation[0], along + column * window.dilation[1]]
            for channel in range(padded.shape[2]):
                first = channel // inputs * outputs
                depth = 0 if weights is not None else channel % inputs
                kernels = bank[row, column, depth, first : first + outputs]
                used = np.flatnonzero(kernels)
                sums[:, first + used] += seen[:, channel, None].astype(np.float64) * kernels[used]
        if method.divisor > 1:
            sums /= method.divisor
        maps[rows[some], columns[some]] = sums + method.biases

    make_tiles(range(0, len(rows), _MENDED_AT_ONCE), work)


def carry_out(plan: Plan, padded: Padded, window: Window, finish: Finish, grid: Grid | None = None) -> Array:
    """Return what a plan makes of each channel: (H', W', C); `grid` are the tiles of a part of the whole."""
    finish, exact = finish._replace(rounds=plan.rounds), plan.numbers.whole
    kernel, (top, left), stride = plan.weights, plan.corner, window.stride
    if plan.engine is Engine.FOURIER and not grid:
        grid = place_tiles(plan, padded.volume.shape, window)
    size = kernel.shape[0], kernel.shape[1]
    if not kernel.any():  # OpenCV keeps one of the zeros, which times nan would be nan
        return finish(np.zeros((*window.output(*padded.volume.shape[:2]), padded.shape[2]), plan.dtype))
    if plan.phases == "dilation":
        return finish(filter_dilated(padded, kernel, window.dilation, exact=exact))
    cut = top, left, window.extent[0] - top - size[0], window.extent[1] - left - size[1]
    if any(cut) or padded.dtype != plan.dtype:
        padded = padded.inner(cut)
        padded.dtype = np.dtype(plan.dtype)
    if plan.phases == "stride":
        return finish(filter_strided(padded, kernel, stride))
    match plan.engine:
        case Engine.DIRECT:
            return filter_directly(padded, kernel, stride, finish, exact=exact)
        case Engine.SEPARABLE:
            return filter_separably(padded, plan.factors, stride, finish, exact=exact)
        case Engine.BOXES:
            return sum_boxes(padded, size, float(kernel[0, 0]), stride, finish, exact=exact)
        case Engine.FOURIER:
            assert grid
            return filter_by_fourier(padded, kernel, stride, finish, grid)
        case Engine.TAPS:
            bank = np.repeat(kernel[:, :, None, None], padded.shape[2], axis=3)
            window = Window(size, stride)
            return add_taps(padded, bank, window, window.output(*padded.shape[:2]), finish)
    from cnnfilter.compute.bands import filter_by_bands, filter_sheared  # noqa: PLC0415  large kernels alone

    if plan.engine is Engine.BANDS:
        return filter_by_bands(padded, plan.factors, stride, finish)
    return filter_sheared(padded, plan.factors[0][0], plan.direction, stride, finish)
