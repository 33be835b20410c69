"""Networks on pictures with transparent pixels, so that no colour bleeds from where nothing is seen.

Colours are (H, W, C), their visibility alpha is (H, W, 1) from 0 to 1. A blur is an average weighted by
alpha (Porter and Duff, Compositing digital images, 1984). Under a kernel with negative weights alpha stays as
it is in the centre of the window, and a neighbour counts by its alpha relative to that in the centre: one that
is less visible is taken, as far as it is, for the pixel in the centre. So an evenly translucent image is
filtered as an opaque one is.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.compute.borders import Padded, read_centres
from cnnfilter.compute.convolve import Method, choose_method, convolve_volume, lay_bank
from cnnfilter.compute.engines import Grid
from cnnfilter.compute.exact import Facts, find_facts
from cnnfilter.compute.forward import Place, Program, Step, build_bank, plan_program, resize
from cnnfilter.compute.operations import Setting, run_steps
from cnnfilter.compute.pool import Taps, find_loser, find_medians, find_taps, pool_globally, pool_volume, window_sums
from cnnfilter.compute.threads import make_tiles
from cnnfilter.log import listening
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, Pair, Window
from cnnfilter.nn.layers import Conv, Convolution, DepthwiseConv, Layer, Shape
from cnnfilter.nn.other_layers import GlobalPool, Pool, PoolMode

_INVISIBLE = 1e-6
"""Less alpha than this is none: a tenth of the smallest step of 16 bits."""

_LARGEST_HIDDEN = 2.0**16
"""Floats beyond it, more than white in any file, are 0 where nothing is seen: sums would lose others beside them."""

_SIDE = 128
"""Rows and columns of windows that are worked out together, whose numbers stay in the cache."""

_LEVEL = 16
"""How many times as long a convolution for a level of alpha takes for each pixel as a weight takes for each window."""

_MANY_WEIGHTS = 200
"""Of more weights, windows are worked out level by level of alpha perhaps, whose last bits depend on the tile."""


@ieee_arithmetic
def run_visible(program: Program, colours: Array, alpha: Floats) -> tuple[Array, Floats]:
    """Return the colours, (H', W', C'), and the alpha, (H', W', 1), that come out of a network of 2-D kernels.

    Colours are (H, W, C), alpha is (H, W, 1) from 0 to 1. Raises a `ShapeError` if a layer cannot take what the one
    before it gives.
    """
    program.network.output(colours.shape)
    if program.planned is not None:
        program = plan_visible(plan_program(program, colours.shape, find_facts(colours)), colours.shape)
    if colours.dtype.kind == "f":
        wild = (alpha <= _INVISIBLE) & ~(np.abs(colours) <= _LARGEST_HIDDEN)
        colours = np.where(wild, 0, colours).astype(colours.dtype)
    for step in program.steps:
        layer = step.node.layer
        if layer.ALPHA == "weigh":
            colours, alpha = WEIGH[type(layer)](colours, alpha, layer, step)
        else:
            colours = run_steps((step,), colours, Setting())
    return colours, alpha


def plan_visible(program: Program, shape: Shape) -> Program:
    """Return a planned program with the methods for colours that are weighted by alpha, and for alpha."""
    steps = []
    for step in program.steps:
        layer, place = step.node.layer, step.place
        if isinstance(layer, Convolution) and place and _averages(weights := _stack(step)):
            facts = Facts(np.result_type(place.method.facts.dtype, np.float32))
            bank, _ = build_bank(layer, step.kernels, shape[2])
            method = choose_method(bank, 0.0, layer.window, layer.border, shape, facts)
            facts, one = Facts(np.dtype(np.float32)), (*shape[:2], 1)
            kernels, opaque = weights[:, :, None, :], _make_opaque(layer.border)
            coverage = choose_method(kernels, 0.0, layer.window, opaque, one, facts)
            step = step._replace(place=place._replace(visible=(method, coverage)))  # noqa: PLW2901
        elif isinstance(layer, Convolution) and place and _has_many(weights):
            grid = next((grid for grid in place.method.grids if grid), None)
            tiles = _lay_tiles(layer.window, layer.output(shape), grid)
            step = step._replace(place=place._replace(tiles=tiles))  # noqa: PLW2901
        steps.append(step)
        shape = layer.output(shape)
    return program._replace(steps=tuple(steps))


def _stack(step: Step) -> Doubles:
    """Return the kernels of a convolution, (kh, kw, m)."""
    return np.stack([kernel.weights for kernel in step.kernels], axis=-1)


def _averages(weights: Doubles) -> bool:
    """Return whether kernels (kh, kw, m) average what is visible: no weight is negative."""
    return bool((weights >= 0).all() and (weights.sum(axis=(0, 1)) > 0).all())


def _has_many(weights: Doubles) -> bool:
    """Return whether windows of kernels (kh, kw, m) may be worked out level by level of alpha."""
    return bool(np.count_nonzero(weights.any(axis=2)) > _MANY_WEIGHTS)


def _lay_tiles(window: Window, output: tuple[int, ...], grid: Grid | None = None) -> tuple[tuple[slice, ...], ...]:
    """Return the rows and columns of windows that are worked out together, each in one of a grid's tiles."""
    axes = []
    for axis in (0, 1):
        side = max(_SIDE, 2 * window.extent[axis] // window.stride[axis])
        ranges = [(tile.start, tile.stop) for tile in grid[axis]] if grid else [(0, output[axis])]
        firsts = [(first, stop) for start, stop in ranges for first in range(start, stop, side)]
        axes.append(tuple(slice(first, min(first + side, stop)) for first, stop in firsts))
    return tuple(axes)


def _make_opaque(border: Border) -> Border:
    """Return the border of alpha: a constant colour is opaque, zero is invisible."""
    return border._replace(value=1.0) if border.mode is BorderMode.CONSTANT else border


def _convolve(colours: Array, alpha: Floats, layer: Convolution, step: Step) -> tuple[Floats, Floats]:
    """Average what is visible under weights that are not negative; else count neighbours relative to the centre."""
    bank, bias = build_bank(layer, step.kernels, colours.shape[2])
    assert step.place
    laid = _Laid(_stack(step), bank, bias, layer.window, layer.border, _make_opaque(layer.border), step.place)
    if step.place.visible:
        maps, alpha = _average(colours, alpha, laid)
    else:
        maps, alpha = _compare(colours, alpha, laid, adds_channels=isinstance(layer, Conv))
    return maps[step.place.kept], alpha[step.place.kept]


def resize_visible(pixels: Floats, size: Pair) -> Floats:
    """Return colours and alpha, (H, W, 4), of another (height, width): colours are means weighted by alpha."""
    alpha = pixels[:, :, 3:]
    weighted = resize(np.concatenate([np.where(alpha > 0, pixels[:, :, :3], 0) * alpha, alpha], axis=2), size)
    seen = weighted[:, :, 3:]
    colours = np.divide(weighted[:, :, :3], seen, out=np.zeros_like(weighted[:, :, :3]), where=seen > 0)
    return np.concatenate([colours, seen], axis=2)


class _Laid(NamedTuple):
    """Kernels (kh, kw, m), the bank and the biases that they are for all channels, and how they are laid.

    `border` is that of the colours, `opaque` that of alpha; `place` has the methods.
    """

    weights: Doubles
    bank: Doubles
    bias: Doubles
    window: Window
    border: Border
    opaque: Border
    place: Place

    def lay(self, method: Method, volume: Array, border: Border) -> Floats:
        """Return what one of the methods makes of a volume; alpha in float64 has one of its own."""
        if volume.dtype != method.facts.dtype:
            bank, facts = method.bank, find_facts(volume)
            method = choose_method(bank, method.biases, self.window, border, volume.shape, facts)
        return lay_bank(method, volume, self.window, border, first=self.place.first)


def _average(colours: Array, alpha: Floats, laid: _Laid) -> tuple[Floats, Floats]:
    """Return S sum(k a c) / sum(k a), and sum(k a) / S for alpha, where S are the sums of the kernels."""
    weighted = laid.lay(laid.place.visible[0], colours * alpha, laid.border)
    coverage = laid.lay(laid.place.visible[1], alpha, laid.opaque)
    sums = laid.weights.sum(axis=(0, 1)).astype(coverage.dtype)
    seen = coverage > _INVISIBLE * sums
    factor = np.where(seen, sums / np.where(seen, coverage, 1), 0)
    maps = weighted * np.tile(factor, weighted.shape[2] // factor.shape[2])
    return maps + laid.bias.astype(maps.dtype), np.clip((coverage / sums).mean(axis=2, keepdims=True), 0, 1)


def _compare(colours: Array, alpha: Floats, laid: _Laid, *, adds_channels: bool) -> tuple[Floats, Floats]:
    """Return sum k (r c + (1 - r) c0), r = min(1, a / a0), or 1 where a0 is 0, and a0, the alpha in the centre.

    It is the plain convolution where no neighbour is less visible than the centre; the others are worked out anew, by
    their windows or by whole tiles of these alone, so that a part of an image gives the same bits as the whole.
    """
    window = laid.window
    maps = laid.lay(laid.place.method, colours, laid.border)
    if adds_channels:
        laid = laid._replace(border=laid.border._replace(value=laid.border.value * colours.shape[2]))
        colours = colours.sum(axis=2, keepdims=True, dtype=np.float64)
    centre = read_centres(alpha, window, laid.opaque)
    if laid.border.mode is BorderMode.ZERO:
        _fill_outside(maps, centre, colours, laid)
    if alpha.max() > alpha.min() or (laid.border.mode is BorderMode.CONSTANT and alpha.min() < 1):
        _weigh_neighbours(maps, centre, colours, alpha, laid)
    return maps, centre


def _fill_outside(maps: Floats, centre: Floats, colours: Array, laid: _Laid) -> None:
    """Take what windows see beyond an edge, in place, for the pixel in the centre, as far as that is visible."""
    weights, size = laid.weights, laid.window.size
    sums = np.zeros((size[0] + 1, size[1] + 1, weights.shape[2]))
    sums[1:, 1:] = weights.cumsum(axis=0).cumsum(axis=1)
    taps = find_taps(laid.window, colours.shape, centre.shape)
    for part in _find_cut(taps, size):
        (top, bottom), (left, right) = ((first[some], end[some]) for (first, end), some in zip(taps, part, strict=True))
        inside = sums[np.ix_(bottom, right)] - sums[np.ix_(top, right)] - sums[np.ix_(bottom, left)]
        outside = (sums[-1, -1] - (inside + sums[np.ix_(top, left)])).astype(maps.dtype)
        filled = read_centres(colours, laid.window, laid.border, maps.dtype, part) * (centre[part] > 0)
        maps[part] += (filled[:, :, :, None] * outside[:, :, None, :]).reshape(maps[part].shape)


def _find_cut(taps: tuple[Taps, Taps], size: Pair) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of windows that reach beyond an edge, each window once."""
    (rows, columns), whole = (len(first) for first, _ in taps), []
    for (first, end), count in zip(taps, size, strict=True):
        inside = np.flatnonzero((first == 0) & (end == count))
        whole.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
    down, across = whole
    yield slice(0, down.start), slice(0, columns)
    yield slice(down.stop, rows), slice(0, columns)
    yield down, slice(0, across.start)
    yield down, slice(across.stop, columns)


def _weigh_neighbours(maps: Floats, centre: Floats, colours: Array, alpha: Floats, laid: _Laid) -> None:
    """Work out anew, in place, the results whose windows hold a neighbour that is less visible than the centre."""
    window, pads, channels = laid.window, laid.window.pads(*alpha.shape[:2]), colours.shape[2]
    shown = Border(BorderMode.CONSTANT, np.inf) if laid.border.mode is BorderMode.ZERO else laid.opaque
    padded = Padded(alpha, pads, shown, alpha.dtype.name).whole()
    least = pool_volume(padded, Pool(mode=PoolMode.MIN, window=replace(window, padding=(0, 0, 0, 0))))
    less = ((least < centre) & (centre > 0))[:, :, 0]
    planes = Padded(colours, pads, laid.border, maps.dtype.name), Padded(alpha, pads, laid.opaque, maps.dtype.name)

    def fill(tile: tuple[slice, ...]) -> None:
        found, corner = np.nonzero(less[tile]), (tile[0].start, tile[1].start)
        if not len(found[0]):
            return
        first, last = ([int(pick(places)) for places in found] for pick in (np.min, np.max))
        parts = [
            slice((begin + low) * step, (begin + high) * step + reach)
            for begin, low, high, step, reach in zip(corner, first, last, window.stride, window.extent, strict=True)
        ]
        sides = (part.stop - part.start for part in parts)
        seen = np.empty((*sides, channels + 1), maps.dtype)
        planes[0].read(parts[0], parts[1], out=seen[:, :, :channels])
        planes[1].read(parts[0], parts[1], out=seen[:, :, channels:])
        rows, columns = ((places - low) * step for places, low, step in zip(found, first, window.stride, strict=True))
        maps[found[0] + corner[0], found[1] + corner[1]] = _weigh(seen, rows, columns, laid) + laid.bias

    with listening(lambda *_told: None):  # the plan has been told
        make_tiles(_find_tiles(less.shape, laid), fill)


def _find_tiles(output: tuple[int, ...], laid: _Laid) -> list[tuple[slice, ...]]:
    """Return the tiles of so many rows and columns of windows, counted from the first."""
    axes = laid.place.tiles or _lay_tiles(laid.window, output)
    moved = [
        [slice(max(one.start - first, 0), min(one.stop - first, count)) for one in tiles if one.stop > first]
        for tiles, first, count in zip(axes, laid.place.first if laid.place.tiles else (0, 0), output, strict=True)
    ]
    return [tile for tile in product(*moved) if all(part.start < part.stop for part in tile)]


def _weigh(seen: Floats, rows: Array, columns: Array, laid: _Laid) -> Doubles:
    """Return sum k (c0 + r (c - c0)) of the windows that begin at some rows and columns of colours and alpha.

    These lie side by side, (h, w, C + 1), and the results are (windows, C m). It is done weight by weight, but level by
    level of alpha where weights are many, and fewer levels than would make it longer.
    """
    if not _has_many(laid.weights):
        return _weigh_windows(seen, rows * seen.shape[1] + columns, laid)
    middle = ((size - 1) // 2 * gap for size, gap in zip(laid.weights.shape, laid.window.dilation, strict=False))
    own = seen[rows + next(middle), columns + next(middle)]
    levels = sorted(set(own[:, -1].tolist()))
    if _LEVEL * len(levels) * seen.shape[0] * seen.shape[1] > len(rows) * np.count_nonzero(laid.weights.any(axis=2)):
        return _weigh_windows(seen, rows * seen.shape[1] + columns, laid)
    return _weigh_levels(seen, (rows, columns), own, levels, laid)


def _weigh_levels(seen: Floats, places: tuple[Array, Array], own: Floats, levels: list[float], laid: _Laid) -> Doubles:
    """Return the same by a convolution for each level of alpha in the centres `own` (n, C + 1) of the windows."""
    bank = np.tile(laid.weights, seen.shape[2])[:, :, None]
    window, sums = Window(laid.window.size, dilation=laid.window.dilation), laid.weights.sum(axis=(0, 1))
    totals = np.empty((len(own), seen.shape[2] - 1, len(sums)))
    for level in levels:
        some = own[:, -1] == level
        rows, columns = places[0][some], places[1][some]
        top, left = rows.min(), columns.min()
        part = seen[top : rows.max() + window.extent[0], left : columns.max() + window.extent[1]]
        shares = np.minimum(part[:, :, -1:], seen.dtype.type(level))
        weighed = convolve_volume(
            np.concatenate([part[:, :, :-1] * shares, shares], axis=2), bank, window, border=Border()
        )
        weighed = weighed[rows - top, columns - left].reshape(-1, seen.shape[2], len(sums)) / level
        totals[some] = weighed[:, :-1] + (sums - weighed[:, -1:]) * own[some, :-1, None]
    return totals.reshape(len(own), -1)


def _weigh_windows(seen: Floats, corners: Array, laid: _Laid) -> Doubles:
    """Return sum k (c0 + r (c - c0)) of some windows of colours and alpha side by side, (h, w, C + 1): (n, C m).

    `corners` (n,) are where they begin, counted along the rows.
    """
    weights, steps = laid.weights, (laid.window.dilation[0] * seen.shape[1], laid.window.dilation[1])
    pixels, middle = seen.reshape(-1, seen.shape[2]), ((weights.shape[0] - 1) // 2, (weights.shape[1] - 1) // 2)
    own = np.ascontiguousarray(pixels.take(corners + (middle[0] * steps[0] + middle[1] * steps[1]), axis=0).T)
    neighbours, differences, products = np.empty_like(own.T, order="C"), *np.empty_like([own[:-1]] * 2)
    totals = np.zeros((weights.shape[2], len(own) - 1, len(corners)))
    for row in range(weights.shape[0]):
        sums = np.zeros(totals.shape, seen.dtype)  # of few products, so that their rounding errors do not add up
        for column in range(weights.shape[1]):
            if (row, column) == middle or not weights[row, column].any():
                continue
            places = corners + (row * steps[0] + column * steps[1])
            pixels.take(places, axis=0, out=neighbours, mode="clip")
            np.subtract(neighbours.T[:-1], own[:-1], out=differences)
            shares = np.minimum(neighbours.T[-1], own[-1])
            for number in np.flatnonzero(weights[row, column]):
                weight = seen.dtype.type(weights[row, column, number])
                sums[number] += np.multiply(differences, shares * weight, out=products)
        totals += sums
    totals = totals / own[-1] + np.multiply.outer(weights.sum(axis=(0, 1)), own[:-1])
    return np.asarray(totals.transpose(2, 1, 0).reshape(len(corners), -1))


def _pool(colours: Array, alpha: Floats, layer: Pool) -> tuple[Array, Floats]:
    """Pool the visible pixels; an average is weighted by alpha, and alpha is pooled as the colours are."""
    hidden = alpha <= _INVISIBLE
    if layer.mode.row.averages:
        return _pool_sums(colours, alpha, layer)
    if layer.mode.row.picks:
        loser = colours.dtype.type(find_loser(layer.mode, colours.dtype))
        pooled = pool_volume(np.where(hidden, loser, colours), layer)
    else:
        rows, columns, _ = layer.output(colours.shape)
        kind = np.dtype(float_type(colours.dtype))
        pooled = find_medians(colours, layer.window, (rows, columns), kind, hidden)
    seen = pool_volume((~hidden).astype(np.uint8), replace(layer, mode=PoolMode.MAX))
    return np.where(seen, pooled, 0).astype(pooled.dtype), np.asarray(pool_volume(alpha, layer))


def _pool_sums(colours: Array, alpha: Floats, layer: Pool) -> tuple[Array, Floats]:
    """Return sum(a c) / sum(a), or sqrt(sum(a c^2)), and the mean of alpha."""
    rows, columns, _ = layer.output(colours.shape)
    size = rows, columns
    power = 2 if layer.mode is PoolMode.L2 else 1
    sums = window_sums(colours.astype(np.float64) ** power * alpha, layer.window, size)
    coverage = window_sums(alpha.astype(np.float64), layer.window, size)
    seen = coverage > _INVISIBLE
    pooled = np.sqrt(sums) if power == 2 else np.where(seen, sums / np.where(seen, coverage, 1), 0)
    mean = pool_volume(alpha, replace(layer, mode=PoolMode.AVG))
    return pooled.astype(float_type(colours.dtype)), np.asarray(mean)


def _pool_globally(colours: Array, alpha: Floats, layer: GlobalPool) -> tuple[Array, Floats]:
    pooled_alpha = np.asarray(pool_globally(alpha, layer))
    if layer.mode is PoolMode.MAX:
        seen = np.where(alpha > _INVISIBLE, colours, colours.dtype.type(find_loser(layer.mode, colours.dtype)))
        greatest = pool_globally(seen, layer)
        return np.where(pooled_alpha > _INVISIBLE, greatest, 0).astype(colours.dtype), pooled_alpha
    weights = alpha.astype(np.float64)
    total = max(float(weights.sum()), _INVISIBLE)
    mean = (colours * weights).sum(axis=(0, 1), keepdims=True) / total
    return mean.astype(float_type(colours.dtype)), pooled_alpha


WEIGH: dict[type[Layer], Callable[[Array, Floats, Any, Step], tuple[Array, Floats]]] = {
    Conv: _convolve,
    DepthwiseConv: _convolve,
    Pool: lambda colours, alpha, layer, _: _pool(colours, alpha, layer),
    GlobalPool: lambda colours, alpha, layer, _: _pool_globally(colours, alpha, layer),
}
"""What the layers that weigh by alpha make of colours and alpha."""
