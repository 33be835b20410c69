"""Kernels, volumes, and what each engine makes of them."""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.convolve import carry_out, choose_method, lay_bank, place_tiles
from cnnfilter.compute.engines import UNFINISHED, Finish
from cnnfilter.compute.exact import find_facts, settle_numbers
from cnnfilter.compute.plan import Engine, LaidKernel, Plan, Task, all_plans
from cnnfilter.kernels import made as formulas
from cnnfilter.nn.geometry import Border, Pair, Window


def random(seed: int = 0) -> np.random.Generator:
    """Return a generator that always gives the same numbers."""
    return np.random.default_rng(seed)


def random_image(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return an image of any type; its floats are fractions, negative ones too."""
    numbers = random(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (numbers.random(shape) * 300 - 100).astype(kind)
    if kind.kind == "b":
        return numbers.random(shape) < 0.5
    limits = np.iinfo(kind)
    return numbers.integers(max(limits.min, -(2**20)), min(limits.max, 2**20), shape, endpoint=True, dtype=kind)


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "as a row-major block": np.ascontiguousarray,
    "as a column-major block": np.asfortranarray,
    "every second row and column": lambda volume: np.repeat(np.repeat(volume, 2, axis=0), 2, axis=1)[::2, ::2],
    "upside down": lambda volume: np.ascontiguousarray(volume[::-1, ::-1])[::-1, ::-1],
    "channels first": lambda volume: np.moveaxis(np.ascontiguousarray(np.moveaxis(volume, 2, 0)), 0, 2),
    "big-endian": lambda volume: volume.astype(volume.dtype.newbyteorder(">")),
}
"""Ways to hold the same volume in memory."""

NATIVE = [layout for layout in LAYOUTS if layout != "big-endian"]
"""Those whose numbers lie as this machine holds them."""


KINDS: dict[str, Callable[[Pair, np.random.Generator], Doubles]] = {
    "whole": lambda size, numbers: numbers.integers(-9, 10, size).astype(np.float64),
    "fractions": lambda size, numbers: numbers.normal(size=size),
    "equal": lambda size, _: np.ones(size),
    "equal fractions": lambda size, _: np.full(size, 0.3),
    "a product": lambda size, numbers: np.outer(*(numbers.integers(-3, 4, side).astype(np.float64) for side in size)),
    "a product of fractions": lambda size, numbers: np.outer(*(numbers.normal(size=side) for side in size)),
    "two products": lambda size, numbers: numbers.normal(size=(size[0], 2)) @ numbers.normal(size=(2, size[1])),
    "a diagonal": lambda size, numbers: np.diag(numbers.integers(-3, 4, min(size)).astype(np.float64)),
    "a diagonal of fractions": lambda size, numbers: np.diag(numbers.normal(size=min(size)))[:, ::-1],
    "a frame": lambda size, _: np.pad(np.zeros([max(side - 2, 0) for side in size]), 1, constant_values=1.0),
    "a line in a square": lambda size, _: formulas.line_vertical(max(size)),
    "a point in a square": lambda size, _: formulas.identity(max(size)),
    "zeros": lambda size, _: np.zeros(size),
}
"""Kernels of a size, each with another structure."""


LARGE: dict[str, Doubles] = {
    "3x3": KINDS["whole"]((3, 3), random(1)),
    "11x11": KINDS["fractions"]((11, 11), random(1)),
    "25x25": KINDS["fractions"]((25, 25), random(1)),
    "25x25 whole": KINDS["whole"]((25, 25), random(1)),
    "40x3": KINDS["fractions"]((40, 3), random(1)),
    "a mean": formulas.box(15),
    "a wide box": np.ones((3, 31)),
    "a column": formulas.line_vertical(41),
    "a row": formulas.line_horizontal(41),
    "a diagonal": formulas.line_diagonal(33),
    "rising weights": np.diag(np.arange(1.0, 18))[::-1],
    "a Gaussian": formulas.gaussian(35, 6),
    "a frame": formulas.frame(21),
    "a Laplacian of a Gaussian": formulas.log(19, 3),
}
"""Kernels for images of several tiles; each engine but the one for banks lays some of them."""


FAST = set(Engine) - {Engine.TAPS}
"""Engines that are taken for kernels of any size."""


class Laid(NamedTuple):
    """What a plan made of a volume."""

    plan: Plan
    maps: Floats


def lay_by_every_plan(
    volume: Array,
    kernel: Doubles,
    window: Window,
    border: Border,
    finish: Finish = UNFINISHED,
    *,
    engines: Collection[Engine] = tuple(Engine),
) -> Iterator[Laid]:
    """Yield what each engine makes of a volume's channels under a 2-D kernel, and not only the cheapest one."""
    numbers = settle_numbers(find_facts(volume, matrix=True), kernel[:, :, None, None], border)
    sides = window.pads(*volume.shape[:2])
    for plan in plans_of(volume, kernel, window, border):
        if plan.engine in engines:
            yield Laid(plan, carry_out(plan, Padded(volume, sides, border, numbers.dtype), window, finish))


def lay_as_planned(volume: Array, kernel: Doubles, window: Window, border: Border) -> Iterator[Laid]:
    """Yield the same by every plan, with what the package does about pixels that are nan or infinite."""
    bank, facts = np.repeat(kernel[:, :, None, None], volume.shape[2], axis=3), find_facts(volume)
    method = choose_method(bank, 0.0, window, border, volume.shape, facts)
    for plan in plans_of(volume, kernel, window, border):
        grid = place_tiles(plan, volume.shape, window) if plan.engine is Engine.FOURIER else None
        yield Laid(plan, lay_bank(method._replace(plans=(plan,), grids=(grid,)), volume, window, border))


def plans_of(volume: Array, kernel: Doubles, window: Window, border: Border) -> list[Plan]:
    """Return all plans for a 2-D kernel on a volume."""
    task = Task((volume.shape[0], volume.shape[1]), volume.shape[2], window.stride, window.dilation)
    return all_plans(
        LaidKernel(kernel, settle_numbers(find_facts(volume, matrix=True), kernel[:, :, None, None], border), task)
    )


def allowed_error(plan: Plan, volume: Array, kernel: Doubles, border: Border) -> float:
    """Return the error that an engine may have: none for whole numbers, else in proportion to sum |k| x max |x|."""
    if settle_numbers(find_facts(volume, matrix=True), kernel[:, :, None, None], border).whole:
        return 0
    largest = max(float(np.abs(volume.astype(np.float64)).max()), abs(border.value))
    return (2e-6 if plan.dtype == "float32" else 1e-14) * float(np.abs(kernel).sum()) * largest


def correlate_by_numpy(volume: Array, kernel: Doubles, window: Window) -> Doubles:
    """Return the channels of a padded volume under a kernel, place by place of the kernel in float64."""
    output = window.output(*volume.shape[:2])
    total = np.zeros((*output, volume.shape[2]))
    for a, b in zip(*np.nonzero(kernel), strict=True):
        top, left = int(a) * window.dilation[0], int(b) * window.dilation[1]
        pixels = volume[top :: window.stride[0], left :: window.stride[1]][: output[0], : output[1]]
        total += pixels.astype(np.float64) * kernel[a, b]
    return total
