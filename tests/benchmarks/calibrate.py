"""What each engine costs on this machine beside the plain call of OpenCV: the prices of `cnnfilter.compute.plan`.

    python -m tests.benchmarks.calibrate [--rounds N]

Every engine lays kernels of several sizes on 6 megapixels, in turn with the call that its user would write without
us; the medians are the table, so that an engine that loses is seen. A price is a line
through them: nanoseconds for each number, and for each number and weight that the engine counts.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.convolve import carry_out
from cnnfilter.compute.engines import UNFINISHED
from cnnfilter.compute.plan import Engine
from cnnfilter.nn.geometry import Border, Window, as_padding
from tests.benchmarks.core_kernels import HEIGHT, WIDTH
from tests.benchmarks.machine import heading, hold_to_one_thread, warn_if_busy
from tests.benchmarks.timing import Call, call_in_turn
from tests.compute.laying import plans_of

SIZES = (5, 9, 15, 25, 101)


class Row(NamedTuple):
    """A line of the table: an engine on one kind of kernel, and how many weights it counts at a size."""

    name: str
    engine: Engine
    kernel: Callable[[int], Doubles]
    weights: Callable[[int], int]
    dtype: str = "float32"
    channels: int = 1
    stride: int = 1
    dilation: int = 1


def _dense(size: int) -> Doubles:
    return np.random.default_rng(size).standard_normal((size, size))


def _product(size: int) -> Doubles:
    """Return columns by rows that are their own mirror images, as nearly all are: OpenCV is faster with them."""
    column = np.random.default_rng(size).uniform(0.5, 1.5, size)
    column += column[::-1]
    return np.outer(column, column)


def _equal(size: int) -> Doubles:
    return np.full((size, size), 0.3)


def _column(size: int) -> Doubles:
    return np.random.default_rng(size).uniform(0.5, 1.5, (size, 1))


def _diagonal(size: int) -> Doubles:
    return np.diag(np.random.default_rng(size).uniform(0.5, 1.5, size))


ROWS = (
    Row("direct, a square", Engine.DIRECT, _dense, lambda size: size**2),
    Row("direct, a column", Engine.DIRECT, _column, lambda size: size),
    Row("direct, a row", Engine.DIRECT, lambda size: _column(size).T, lambda size: size),
    Row("separable", Engine.SEPARABLE, _product, lambda size: 2 * size),
    Row("separable, 8 bits", Engine.SEPARABLE, _product, lambda size: 2 * size, "uint8"),
    Row("bands", Engine.BANDS, _product, lambda size: 2 * size),
    Row("bands, a column", Engine.BANDS, _column, lambda size: size),
    Row("sheared", Engine.SHEARED, _diagonal, lambda size: size),
    Row("boxes", Engine.BOXES, _equal, lambda size: size),
    Row("boxes, 8 bits", Engine.BOXES, _equal, lambda size: size, "uint8"),
    Row("boxes, exact", Engine.BOXES, lambda size: np.ones((size, size)), lambda _: 0, "uint8"),
    Row("boxes, exact, RGB", Engine.BOXES, lambda size: np.ones((size, size)), lambda _: 0, "uint8", channels=3),
    Row("Fourier", Engine.FOURIER, _dense, lambda _: 0),
    Row("direct, RGB", Engine.DIRECT, _dense, lambda size: size**2, channels=3),
    Row("separable, RGB", Engine.SEPARABLE, _product, lambda size: 2 * size, channels=3),
    Row("bands, RGB", Engine.BANDS, _product, lambda size: 2 * size, channels=3),
    Row("bands, stride 4", Engine.BANDS, _product, lambda size: 2 * size, stride=4),
    Row("phases, stride 2", Engine.DIRECT, _dense, lambda size: size**2, stride=2),
    Row("phases, stride 4", Engine.DIRECT, _dense, lambda size: size**2, stride=4),
    Row("phases, stride 4, RGB", Engine.DIRECT, _dense, lambda size: size**2, channels=3, stride=4),
    Row("phases, dilation 2", Engine.DIRECT, _dense, lambda size: size**2, dilation=2),
)


def calls_of(row: Row, image: Array) -> Iterator[tuple[int, Call]]:
    """Yield an engine's calls with the sizes of kernels that it takes."""
    for size in SIZES:
        kernel = row.kernel(size)
        steps = (row.stride, row.stride), (row.dilation, row.dilation)
        window = Window((kernel.shape[0], kernel.shape[1]), steps[0], as_padding("half"), steps[1])
        for plan in plans_of(image, kernel, window, Border()):
            if plan.engine is row.engine and bool(plan.phases) == row.name.startswith("phases"):
                padded = Padded(image, window.pads(*image.shape[:2]), Border(), plan.dtype)
                yield size, partial(carry_out, plan, padded, window, UNFINISHED)
                break


CALLS = {Engine.SEPARABLE: "sepFilter2D", Engine.BANDS: "sepFilter2D", Engine.BOXES: "boxFilter"}
"""The call of OpenCV beside an engine; `filter2D` beside the others."""


def plain_call(row: Row, image: Array, size: int) -> Call:
    """Return OpenCV's own call for a row's kernel; what a stride leaves out is made and dropped."""
    kernel, name = row.kernel(size), CALLS.get(row.engine, "filter2D")
    gaps = np.pad(np.ones((1, 1)), (0, row.dilation - 1))
    sides = [row.dilation * (side - 1) + 1 for side in kernel.shape]
    spread = np.kron(kernel, gaps)[: sides[0], : sides[1]]

    def call() -> object:
        if name == "boxFilter":
            filtered = cv2.boxFilter(image, cv2.CV_32F, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT)
        elif name == "sepFilter2D":
            column, line = kernel[:, 0], kernel[0] / kernel[0, 0]
            filtered = cv2.sepFilter2D(image, cv2.CV_32F, line, column, borderType=cv2.BORDER_CONSTANT)
        else:
            filtered = cv2.filter2D(image, cv2.CV_32F, spread, borderType=cv2.BORDER_CONSTANT)
        return filtered if row.stride == 1 else np.ascontiguousarray(filtered[:: row.stride, :: row.stride])

    return call


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the engines, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.calibrate")
    parser.add_argument("--rounds", type=int, default=5, help="that count; one more comes first (default 5)")
    options = parser.parse_args(arguments)
    warn_if_busy()
    hold_to_one_thread()
    print(heading())
    generator = np.random.default_rng(1)
    images: dict[tuple[str, int], Array] = {
        ("float32", 1): generator.uniform(0, 255, (HEIGHT, WIDTH, 1)).astype(np.float32),
        ("float32", 3): generator.uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32),
        ("uint8", 1): generator.integers(0, 256, (HEIGHT, WIDTH, 1), dtype=np.uint8),
        ("uint8", 3): generator.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
    }
    times: dict[tuple[str, int], float] = {}
    for row in ROWS:
        image, plain = images[row.dtype, row.channels], f"    {CALLS.get(row.engine, 'filter2D')} for {row.name}"
        for size, call in calls_of(row, image):
            seconds = call_in_turn({row.name: call, plain: plain_call(row, image, size)}, options.rounds)
            times |= {(name, size): 1000 * median(taken) for name, taken in seconds.items()}
    print(f"\n{'milliseconds, by kernel size':40}" + "".join(f"{size:8}" for size in SIZES))
    for name in dict.fromkeys(name for name, _ in times):
        cells = (f"{times[name, size]:8.1f}" if (name, size) in times else " " * 8 for size in SIZES)
        print(f"{name:40}{''.join(cells)}".rstrip())
    print(f"\n{'nanoseconds':28}  number  weight")
    for row in ROWS:
        print(f"{row.name:28}  {'  '.join(f'{price:6.4f}' for price in fit(row, times))}")


def fit(row: Row, times: dict[tuple[str, int], float]) -> tuple[float, float]:
    """Return the nanoseconds for each number, and for each number and weight, that fit an engine's times best.

    Errors are weighed as shares of a time; a price that would be negative is 0.
    """
    sizes = [size for size in SIZES if (row.name, size) in times]
    taken = np.array([times[row.name, size] for size in sizes]) * 1e6 / (HEIGHT * WIDTH * row.channels)
    counts = np.array([row.weights(size) for size in sizes], float)
    if not counts.any() or len(sizes) < 2:
        return float(np.median(taken)), 0.0
    weight, number = np.polyfit(counts, taken, 1, w=1 / taken)
    return max(float(number), 0.0), max(float(weight), 0.0)


if __name__ == "__main__":
    main()
