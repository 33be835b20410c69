"""Kernels on 6 megapixels, beside OpenCV, SciPy, scikit-image and PyTorch: the cells of the grid.

A peer gets what its user would have at hand: the one-dimensional factors of a kernel that has some, the line of
weights alone where the rest is zeros, a PyTorch tensor that is one already. Where OpenCV can start from 8 bits or
from a copy in float32, both ways are peers. Padding is half the kernel, of zeros.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np

import cnnfilter
from cnnfilter.arrays import Array, Doubles
from tests.benchmarks.cells import Cell
from tests.benchmarks.machine import load_torch, module, to_tensor
from tests.benchmarks.timing import Call

SIZES = (3, 5, 9, 15, 25, 51, 101)
STRIDED_SIZES = (3, 9, 25)
STRIDES = (1, 2, 4)
SIZES_OF_SLOW_PEERS = (9, 25)
HEIGHT, WIDTH = 2000, 3000
KINDS = ("dense", "gaussian", "box", "line-vertical", "line-horizontal", "line-diagonal", "frame")

ZEROS = cv2.BORDER_CONSTANT

OF_FLOATS = " of float32"
"""Behind the name of a peer that starts from a copy of the bytes."""

Filter = Callable[[Array], Array]


class Subject(NamedTuple):
    """A kernel, and how it is laid on an image."""

    kind: str
    kernel: Doubles
    stride: int
    image: Array

    @property
    def size(self) -> int:
        """The side of the kernel."""
        return len(self.kernel)

    @property
    def name(self) -> str:
        """What is printed."""
        stride = f" /{self.stride}" if self.stride > 1 else ""
        return f"{self.kind} {self.size}{stride} {show_image(self.image)}"


def kernel_cells(sizes: Sequence[int], slow_peers_everywhere: bool) -> Iterator[Cell]:
    """Yield the grid."""
    images = list(make_images(HEIGHT, WIDTH))
    for size in sizes:
        for kind in KINDS:
            kernel = make_kernel(kind, size)
            for stride in STRIDES if size in STRIDED_SIZES else (1,):
                for image in images:
                    yield kernel_cell(Subject(kind, kernel, stride, image), slow_peers_everywhere)


def make_images(height: int, width: int) -> Iterator[Array]:
    """Yield a picture's worth of random numbers: 8 bits and float32, grey and RGB."""
    generator = np.random.default_rng(1)
    for shape in ((height, width), (height, width, 3)):
        yield generator.integers(0, 256, shape, dtype=np.uint8)
        yield generator.uniform(0, 255, shape).astype(np.float32)


def show_image(image: Array) -> str:
    """Return an image's type and colours."""
    return f"{image.dtype} {'grey' if image.ndim == 2 else 'RGB'}"


def make_kernel(kind: str, size: int) -> Doubles:
    """Return a matrix of size x size."""
    if kind == "dense":
        return np.random.default_rng(size).standard_normal((size, size))
    return cnnfilter.kernel(f"{kind}:{size}")


def kernel_cell(subject: Subject, slow_peers: bool) -> Cell:
    """Return the cell of a kernel."""
    peers = _opencv_peers(subject)
    if slow_peers or (subject.size in SIZES_OF_SLOW_PEERS and subject.image.dtype == np.float32):
        peers |= _slow_peers(subject)
    return Cell(
        subject.name,
        partial(cnnfilter.convolve, subject.image, subject.kernel, padding="half", stride=subject.stride),
        peers,
        scale=float(np.abs(subject.kernel).sum() * subject.image.max()),
        plain=("filter2D", "filter2D" + OF_FLOATS),
    )


def _opencv_peers(subject: Subject) -> dict[str, Call]:
    """Return OpenCV's filters; on 8 bits each starts from the bytes, and from a copy in float32."""
    peers: dict[str, Call] = {}
    for name, filter_ in _opencv_filters(subject).items():
        peers[name] = partial(_strided, filter_, subject.image, subject.stride)
        if subject.image.dtype == np.uint8:
            peers[name + OF_FLOATS] = partial(_strided, _from_floats(filter_), subject.image, subject.stride)
    if subject.kind == "gaussian":
        blur = partial(cv2.GaussianBlur, ksize=subject.kernel.shape, sigmaX=subject.size / 6, borderType=ZEROS)
        peers["GaussianBlur"] = partial(_strided, _from_floats(blur), subject.image, subject.stride)
    return peers


def _opencv_filters(subject: Subject) -> dict[str, Filter]:
    """Return what OpenCV has for a kernel."""
    size, kernel = subject.size, subject.kernel
    filters: dict[str, Filter] = {"filter2D": lambda image: cv2.filter2D(image, cv2.CV_32F, kernel, borderType=ZEROS)}
    if subject.kind in {"gaussian", "box", "line-vertical", "line-horizontal"}:
        column, row = _factors(kernel)
        filters["sepFilter2D"] = lambda image: cv2.sepFilter2D(image, cv2.CV_32F, row, column, borderType=ZEROS)
    if subject.kind.startswith("line-") and subject.kind != "line-diagonal":
        shape = (1, size) if subject.kind == "line-vertical" else (size, 1)
        line = np.ones(shape[::-1])
        filters["filter2D of the line"] = lambda image: cv2.filter2D(image, cv2.CV_32F, line, borderType=ZEROS)
        filters["boxFilter"] = lambda image: cv2.boxFilter(image, cv2.CV_32F, shape, normalize=False, borderType=ZEROS)
    if subject.kind == "box":
        filters["boxFilter"] = lambda image: cv2.boxFilter(image, cv2.CV_32F, (size, size), borderType=ZEROS)
    return filters


def _factors(kernel: Doubles) -> tuple[Doubles, Doubles]:
    """Return a column and a row whose product is the kernel, each without the zeros at its ends."""
    column, row = kernel.sum(axis=1), kernel.sum(axis=0) / kernel.sum()
    return column[column != 0], row[row != 0]


def _from_floats(filter_: Filter) -> Filter:
    return lambda image: filter_(image.astype(np.float32, copy=False))


def _strided(filter_: Filter, image: Array, stride: int) -> Array:
    """Return every stride-th row and column of a filtered image, as an array of its own."""
    filtered = filter_(image)
    return filtered if stride == 1 else np.ascontiguousarray(filtered[::stride, ::stride])


def _slow_peers(subject: Subject) -> dict[str, Call]:
    """Return the peers that are seldom the fastest, those that are installed."""
    image, stride = subject.image.astype(np.float32, copy=False), subject.stride
    kernel = subject.kernel.astype(np.float32)
    weights = kernel.reshape(*kernel.shape, *[1] * (image.ndim - 2))
    filters: dict[str, Filter] = {}
    if ndimage := module("scipy.ndimage"):
        filters["ndimage.correlate"] = partial(ndimage.correlate, weights=weights, mode="constant")
    if signal := module("scipy.signal"):
        filters["oaconvolve"] = partial(signal.oaconvolve, in2=weights[::-1, ::-1], mode="same", axes=(0, 1))
    if subject.kind == "gaussian" and (skimage := module("skimage.filters")):
        filters["skimage gaussian"] = partial(
            skimage.gaussian,
            sigma=subject.size / 6,
            mode="constant",
            truncate=subject.size // 2 / (subject.size / 6),
            preserve_range=True,
            channel_axis=None if image.ndim == 2 else -1,
        )
    peers: dict[str, Call] = {name: partial(_strided, filter_, image, stride) for name, filter_ in filters.items()}
    if torch := load_torch():
        peers["torch"] = _torch_peer(torch, image, kernel, stride)
    return peers


def _torch_peer(torch: Any, image: Array, kernel: Array, stride: int) -> Call:
    """Return PyTorch's convolution of each channel by itself, of a tensor with channels first."""
    tensor = to_tensor(torch, image)
    weights = torch.from_numpy(kernel).expand(tensor.shape[1], 1, -1, -1).contiguous()
    return partial(
        torch.nn.functional.conv2d,
        tensor,
        weights,
        stride=stride,
        padding=len(kernel) // 2,
        groups=tensor.shape[1],
    )
