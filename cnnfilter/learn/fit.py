"""The kernel behind a pair of images, by least squares over all windows that lie within the first one.

Windows are read in strips of rows, and of a strip only the sums of products are kept (the normal equations), so that
memory does not grow with the images. Where windows are so alike that these lose too many digits, the triangular factor
of all windows is kept instead (QR, strip by strip).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil, log10, prod, sqrt
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.operations import to_gray
from cnnfilter.compute.threads import make_tiles
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.learn.nearest import Likeness, find_nearest
from cnnfilter.nn.geometry import Pair, same_padding, show_pair
from cnnfilter.nn.layers import show_shape
from cnnfilter.numbers import count

Channels = Literal["each", "sum", "gray"]
"""One kernel for all channels; a 3-D kernel for each channel of AFTER; both made grey first."""

_SHARES = 4  # of the rows, in the same order on every machine: the last bits of sums depend on them
_STRIP = 1 << 19  # numbers of the windows of a strip: 4 MB
_WORST_SQUARES = 1e12  # the condition of normal equations whose result one correction makes as good as that of QR
_WORST = 1e11  # the condition of windows, equally scaled, that are taken to determine a kernel
_LARGEST_SIDE = 31  # of a size that is found
_MOST_WEIGHTS = 2_500  # of a kernel: their sums of products take 50 MB, and about a minute for each megapixel
_LEAST_FALL = 0.99  # a larger size is taken where the residual falls below this share
_EXACT = 1e-9  # of the largest value: a residual that is only rounding


class FittedKernel(NamedTuple):
    """A kernel that was found: (kh, kw), (kh, kw, in) or (kh, kw, in, out) of float64, and how well it fits.

    Attributes
    ----------
    kernel : numpy.ndarray
        The weights, as `convolve` takes them.
    bias : float or tuple of float
        What is added to every value: 0 unless it was asked for; one for each output of a bank.
    r2 : float
        The share of the variance of AFTER that the fitted values explain; 1 is all of it.
    residual : float
        The root mean square of what is left, in the levels of BEFORE.
    used, left_out : int
        Number of values of AFTER that count, and of those that may be clipped.
    condition : float
        The ratio of the greatest to the smallest singular value of the windows, each pixel of them scaled to length 1:
        errors of AFTER can grow by as much in the weights.
    nearest : Likeness or None
        The kernel that has a name, or a multiple of it, that is most alike; None for more than two dimensions.
    """

    kernel: Doubles
    bias: float | tuple[float, ...]
    r2: float
    residual: float
    used: int
    left_out: int
    condition: float
    nearest: Likeness | None


class Request(NamedTuple):
    """What is fitted: (height, width) or None to find it, what else there is, and the level of white or None.

    `scale` brings levels of AFTER into the units of BEFORE.
    """

    size: Pair | None = None
    bias: bool = False
    stride: Pair = (1, 1)
    channels: Channels = "each"
    ridge: float = 0.0
    white: float | None = None
    scale: float = 1.0


class _Axis(NamedTuple):
    """Along one axis: the first value of AFTER whose window lies within BEFORE, how many do, where the first begins."""

    first: int
    values: int
    start: int


class _Windows(NamedTuple):
    """The windows of some channels of BEFORE and the values of a channel of AFTER; without channels both are grey.

    They are worked on in `_SHARES` shares of rows, each in a thread.
    """

    before: Array
    after: Array
    request: Request
    axes: tuple[_Axis, _Axis]
    size: Pair
    inputs: slice = slice(None)
    output: int | None = None
    share: int = 0

    def strips(self) -> Iterator[tuple[Doubles, int]]:
        """Yield the windows of a share, (kh kw in + 2, values), and how many values are left out of them.

        Below the pixels are a row of ones and one of the values of AFTER.
        Values that may be clipped, and all that belongs to them, are 0.
        """
        (top, rows, start), (left, columns, across) = self.axes
        (height, width), (down, right) = self.size, self.request.stride
        inputs = 1 if self.output is None else self.before[:1, :1, self.inputs].shape[2]
        step = max(1, _STRIP // ((height * width * inputs + 2) * columns))
        last = rows * (self.share + 1) // _SHARES
        for first in range(rows * self.share // _SHARES, last, step):
            number = min(step, last - first)
            begin = start + first * down
            source = self._read(self.before[begin : begin + (number - 1) * down + height])
            target = self.after[top + first : top + first + number, left : left + columns]
            table = np.empty((height, width, inputs, number, columns))
            for i, j in product(range(height), range(width)):
                table[i, j] = source[i::down, across + j :: right][:number, :columns].transpose(2, 0, 1)
            whole = np.empty((height * width * inputs + 2, number * columns))
            whole[:-2] = table.reshape(-1, number * columns)
            whole[-2] = 1
            whole[-1] = (self._read(target, output=True)[:, :, 0] * self.request.scale).reshape(-1)
            clipped = self._find_clipped(target).reshape(-1)
            if clipped.any():
                whole *= ~clipped
            yield whole, int(np.count_nonzero(clipped))

    def all(self) -> Iterator[Doubles]:
        """Yield the windows of every share, in order."""
        for share in range(_SHARES):
            yield from (table for table, _ in self._replace(share=share).strips())

    def counted(self) -> Array:
        """Return which values of AFTER count, (rows, columns)."""
        rows, columns = (slice(axis.first, axis.first + axis.values) for axis in self.axes)
        return ~self._find_clipped(self.after[rows, columns])

    def _read(self, part: Array, *, output: bool = False) -> Array:
        """Return the channels of some rows that are in a window, or that of AFTER."""
        if self.output is None:
            return to_gray(part.astype(np.float64))
        return part[:, :, self.output : self.output + 1] if output else part[:, :, self.inputs]

    def _find_clipped(self, target: Array) -> Array:
        """Return which values of AFTER may be clipped."""
        white = self.request.white
        if white is None:
            return np.zeros(target.shape[:2], bool)
        seen = target if self.output is None else target[:, :, self.output : self.output + 1]
        return np.asarray(((seen <= 0) | (seen >= white)).any(axis=2))


class _Solution(NamedTuple):
    """The weights of one system, the sum of squares left, that of AFTER about its mean, counts and the condition."""

    weights: Doubles
    bias: float
    left: float
    total: float
    used: int
    left_out: int
    condition: float


def fit_kernel(before: Array, after: Array, request: Request) -> FittedKernel:
    """Return the kernel that makes (H', W', C') AFTER of (H, W, C) BEFORE; raise if there is none, or no single one."""
    _check_channels(before, after, request)
    size = request.size or _size_of_valid(before, after, request)
    depth = before.shape[2] if request.channels == "sum" else 1
    if size and (weights := prod(size) * depth) > _MOST_WEIGHTS:
        over = f" over {count(depth, 'channel')}" * (depth > 1)
        raise ShapeError(
            f"a kernel of {show_pair(size)}{over} has {weights} weights, and `fit` finds {_MOST_WEIGHTS} at most;"
            " a smaller --size N"
        )
    found = _fit_size(before, after, request, size) if size else _fit_smallest(before, after, request)
    return found._replace(nearest=find_nearest(found.kernel) if found.kernel.ndim == 2 else None)


def _check_channels(before: Array, after: Array, request: Request) -> None:
    """Raise a `ShapeError` if the channels do not go with the mode, or values are not finite."""
    for name, array in (("BEFORE", before), ("AFTER", after)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ShapeError(f"{name} holds nan or infinity; a fit needs numbers")
        if request.channels == "gray" and array.shape[2] not in {1, 3}:
            raise ShapeError(f"{name} has {array.shape[2]} channels, and --channels gray takes 1 or 3")
    if request.channels == "each" and before.shape[2] != after.shape[2]:
        raise ShapeError(
            f"BEFORE has {count(before.shape[2], 'channel')} and AFTER {after.shape[2]}; --channels gray makes both"
            " grey, and sum finds a kernel over all channels of BEFORE"
        )


def _size_of_valid(before: Array, after: Array, request: Request) -> Pair | None:
    """Return the size that leaves AFTER as much smaller as it is, with stride 1; None if it is as large as BEFORE."""
    size = before.shape[0] - after.shape[0] + 1, before.shape[1] - after.shape[1] + 1
    if request.stride != (1, 1) or size == (1, 1):
        return None
    if min(size) < 1:
        raise ShapeError(f"AFTER, {show_shape(after.shape[:2])}, is larger than BEFORE, {show_shape(before.shape[:2])}")
    if prod(size) > _MOST_WEIGHTS:
        raise ShapeError(
            f"AFTER, {show_shape(after.shape[:2])}, is much smaller than BEFORE, {show_shape(before.shape[:2])}; with"
            f" stride 1 only a kernel of {show_pair(size)} leaves so little: --size N and --stride N say what made it"
        )
    return size


def _fit_smallest(before: Array, after: Array, request: Request) -> FittedKernel:
    """Return the kernel of the smallest odd size after which the residual falls by less than a hundredth."""
    exact = _EXACT * float(np.abs(after).max(initial=0)) * request.scale
    best = _fit_size(before, after, request, (1, 1))
    for side in range(3, min(_LARGEST_SIDE, *before.shape[:2]) + 1, 2):
        if best.residual <= exact:
            break
        try:
            larger = _fit_size(before, after, request, (side, side))
        except KernelError:  # such windows do not determine it
            break
        if larger.residual > _LEAST_FALL * best.residual:
            break
        best = larger
    return best


def _fit_size(before: Array, after: Array, request: Request, size: Pair) -> FittedKernel:
    found = [_solve(system) for system in _list_systems(before, after, request, size)]
    kernels = [one.weights.reshape(*size, -1) for one in found]
    used, total = sum(one.used for one in found), sum(one.total for one in found)
    left = sum(one.left for one in found)
    kernel = kernels[0] if len(kernels) == 1 else np.stack(kernels, axis=3)
    if kernel.shape[2:] == (1,):
        kernel = kernel[:, :, 0]
    return FittedKernel(
        kernel=kernel,
        bias=found[0].bias if len(found) == 1 else tuple(one.bias for one in found),
        r2=1 - left / total if total > 0 else float(left <= 0),
        residual=sqrt(left / used),
        used=used,
        left_out=sum(one.left_out for one in found),
        condition=max(one.condition for one in found),
        nearest=None,
    )


def _list_systems(before: Array, after: Array, request: Request, size: Pair) -> list[list[_Windows]]:
    """Return the windows that share a kernel, for each kernel that is fitted."""
    axes = _place_windows(before.shape, after.shape, size, request.stride)
    windows = _Windows(before, after, request, axes, size)
    if request.channels == "gray":
        return [[windows]]
    if request.channels == "sum":
        return [[windows._replace(output=number)] for number in range(after.shape[2])]
    every = range(before.shape[2])
    return [[windows._replace(inputs=slice(number, number + 1), output=number) for number in every]]


def _place_windows(before: Sequence[int], after: Sequence[int], size: Pair, stride: Pair) -> tuple[_Axis, _Axis]:
    """Return where windows lie along both axes; `ShapeError` if AFTER is neither `valid` nor `same`."""
    down, across = (_place_axis(before[axis], after[axis], size[axis], stride[axis]) for axis in (0, 1))
    if down is None or across is None:
        sizes = list(zip(before[:2], size, stride, strict=True))
        valid = show_shape(tuple(max(0, (whole - side) // step + 1) for whole, side, step in sizes))
        same = show_shape(tuple(ceil(whole / step) for whole, _, step in sizes))
        raise ShapeError(
            f"AFTER is {show_shape(tuple(after[:2]))}; a kernel of {show_pair(size)} with stride {show_pair(stride)}"
            f" makes {valid} (valid) or {same} (same) of BEFORE, {show_shape(tuple(before[:2]))}"
        )
    return down, across


def _place_axis(before: int, after: int, size: int, stride: int) -> _Axis | None:
    inside = (before - size) // stride + 1
    if inside < 1:
        return None
    if after == inside:
        return _Axis(0, inside, 0)
    if after != ceil(before / stride):
        return None
    padding = same_padding(before, size, stride)[0]
    first = ceil(padding / stride)
    last = (before - size + padding) // stride
    return _Axis(first, last - first + 1, first * stride - padding) if last >= first else None


def _solve(system: Sequence[_Windows]) -> _Solution:
    """Return the weights that fit all windows of a system; a `KernelError` if they do not determine them."""
    request = system[0].request
    squares, left_out = _add_up(system)
    used = round(float(squares[-2, -2]))
    chosen = [*range(len(squares) - 2), *([len(squares) - 2] if request.bias else [])]
    pixels = len(squares) - 2
    scale = np.sqrt(np.diagonal(squares)[chosen])
    damping = np.zeros(len(chosen))
    damping[:pixels] = request.ridge * float(np.mean(scale[:pixels] ** 2))
    matrix = squares[np.ix_(chosen, chosen)] + np.diag(damping)
    total = max(0.0, float(squares[-1, -1] - squares[-1, -2] ** 2 / max(1, used)))
    if not request.ridge and (used < len(chosen) or not scale.all()):
        raise _undetermined(used, len(chosen))
    scale = np.sqrt(np.diagonal(matrix))
    if not scale.all():
        raise _undetermined(used, len(chosen))
    values = np.linalg.eigvalsh(matrix / np.outer(scale, scale))
    if values[0] * _WORST_SQUARES > values[-1]:
        condition = sqrt(values[-1] / values[0])
        weights, left = _correct(system, matrix, damping, chosen, _solve_equations(matrix, squares[chosen, -1]))
    else:
        weights, left, condition = _solve_by_factor(system, damping, chosen, scale)
    if condition > _WORST:
        raise _undetermined(used, len(chosen))
    bias = float(weights[-1]) if request.bias else 0.0
    return _Solution(weights[:pixels], bias, max(0.0, left), total, used, left_out, condition)


def _undetermined(used: int, unknowns: int) -> KernelError:
    if used < unknowns:
        return KernelError(
            f"{count(used, 'value')} of AFTER can be used (those at black and white may be clipped), and a kernel has"
            f" {unknowns} weights; a smaller --size N, or --ridge 1e-6, which prefers small weights"
        )
    return KernelError(
        "the windows of BEFORE are too much alike to determine a kernel, as those of a flat or very smooth image are;"
        " a smaller --size N, or --ridge 1e-6, which prefers small weights"
    )


def _add_up(system: Sequence[_Windows]) -> tuple[Doubles, int]:
    """Return the sums of products of all windows, ones and values of AFTER, and how many values are left out."""

    def add(windows: _Windows) -> tuple[Doubles, int]:
        squares, left_out = np.zeros(()), 0
        for table, clipped in windows.strips():
            squares = np.asarray(squares + table @ table.T)
            left_out += clipped
        return squares, left_out

    sums, left_out = zip(*_share(system, add), strict=True)
    return np.sum([one for one in sums if one.ndim], axis=0), sum(left_out)


Sums = TypeVar("Sums")


def _share(system: Sequence[_Windows], add: Callable[[_Windows], Sums]) -> list[Sums]:
    """Return what comes of each share of the windows of a system, in their order, worked on by all cores."""
    shares = [windows._replace(share=share) for windows in system for share in range(_SHARES)]
    found: dict[int, Sums] = {}

    def work(number: int) -> None:
        found[number] = add(shares[number])

    make_tiles(range(len(shares)), work)
    return [found[number] for number in range(len(shares))]


def _correct(
    system: Sequence[_Windows], matrix: Doubles, damping: Doubles, chosen: Sequence[int], weights: Doubles
) -> tuple[Doubles, float]:
    """Return weights after one correction by what they leave, which restores the digits that squaring has lost."""

    def add(windows: _Windows) -> Doubles:
        sums = np.zeros(len(chosen) + 1)
        for table, _ in windows.strips():
            rest = table[-1] - weights @ table[chosen]
            sums[:-1] += table[chosen] @ rest
            sums[-1] += rest @ rest
        return sums

    sums = np.sum(_share(system, add), axis=0)
    gradient, left = sums[:-1], sums[-1]
    change = np.linalg.solve(matrix, gradient - damping * weights)
    left += change @ ((matrix - np.diag(damping)) @ change) - 2 * change @ gradient
    return weights + change, float(left)


def _solve_by_factor(
    system: Sequence[_Windows], damping: Doubles, chosen: Sequence[int], scale: Doubles
) -> tuple[Doubles, float, float]:
    """Return weights, the sum of squares left and the condition by QR; all windows become one triangle."""
    columns = [*chosen, -1]
    triangle = np.zeros((0, len(columns)))
    if damping.any():
        triangle = np.hstack([np.diag(np.sqrt(damping)), np.zeros((len(chosen), 1))])
    for windows in system:
        for table in windows.all():
            triangle = np.asarray(np.linalg.qr(np.vstack([triangle, table[columns].T]), mode="r"))
    values = np.linalg.svd(triangle[:-1, :-1] / scale, compute_uv=False)
    if not values[-1] * _WORST > values[0]:
        return scale, 0.0, float("inf")
    weights = _solve_equations(triangle[:-1, :-1], triangle[:-1, -1])
    left = float(triangle[-1, -1] ** 2) - float(damping @ weights**2)
    return weights, left, float(values[0] / values[-1])


def _solve_equations(matrix: Doubles, values: Doubles) -> Doubles:
    return np.asarray(np.linalg.solve(matrix, values), np.float64)


def predict(before: Array, after: Array, request: Request, found: FittedKernel) -> tuple[Doubles, Doubles]:
    """Return what a kernel makes of BEFORE, (H', W', out), and AFTER less that: 0 where that is left out."""
    size = found.kernel.shape[0], found.kernel.shape[1]
    systems = _list_systems(before, after, request, size)
    banks = np.atleast_3d(found.kernel).reshape(-1, found.kernel.shape[3] if found.kernel.ndim == 4 else 1)
    biases = found.bias if isinstance(found.bias, tuple) else (found.bias,)
    made, rest = list[Doubles](), list[Doubles]()
    for number, system in enumerate(systems):
        for windows in system:
            whole = windows._replace(request=request._replace(white=None))
            tables = [np.vstack([table[-1], banks[:, number] @ table[:-2] + biases[number]]) for table in whole.all()]
            values, fitted = np.hstack(tables).reshape(2, windows.axes[0].values, -1)
            made.append(fitted)
            rest.append((values - fitted) * windows.counted())
    return np.stack(made, axis=2), np.stack(rest, axis=2)


def round_weights(kernel: Doubles, digits: int = 12) -> Doubles:
    """Return weights rounded to so many digits of the largest, so that what is 0 but for rounding is 0.

    Examples
    --------
    >>> round_weights(np.array([[5.0000000000001, 1e-14]])).tolist()
    [[5.0, 0.0]]
    """
    largest = float(np.abs(kernel).max(initial=0))
    if largest == 0:
        return kernel
    return np.round(kernel, digits - ceil(log10(largest))) + 0.0
