"""Pools, beside OpenCV, PyTorch, scikit-image and SciPy: the cells of the grid.

OpenCV has no pools: a morphological filter or a mean of the whole image, of which every stride-th value is kept, is
what its user writes; and, for means of windows side by side, a reduction in size by area.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np

import cnnfilter
from cnnfilter.arrays import Array
from tests.benchmarks.cells import Cell
from tests.benchmarks.core_kernels import HEIGHT, WIDTH, make_images, show_image
from tests.benchmarks.machine import load_torch, module, to_tensor
from tests.benchmarks.timing import Call

WINDOWS = ((2, 2), (3, 2), (3, 1), (10, 10), (5, 1))
MEDIAN_WINDOWS = ((3, 2), (3, 1), (5, 1))
VOLUME_WINDOWS = ((2, 2), (3, 2))
WINDOWS_OF_SLOW_PEERS = ((3, 2), (5, 1))


class Subject(NamedTuple):
    """A pool, and what it is laid on."""

    mode: Literal["max", "avg", "min", "median"]
    size: int
    stride: int
    image: Array

    @property
    def name(self) -> str:
        """What is printed."""
        colours = show_image(self.image) if self.image.shape[:2] == (HEIGHT, WIDTH) else "112x112x64"
        return f"{self.mode} {self.size}/{self.stride} {colours}"


def pool_cells(slow_peers_everywhere: bool) -> Iterator[Cell]:
    """Yield the grid."""
    grey_bytes, grey, _, colours = make_images(HEIGHT, WIDTH)
    volume = np.random.default_rng(2).standard_normal((112, 112, 64)).astype(np.float32)
    modes: tuple[Literal["max", "avg", "min"], ...] = ("max", "avg", "min")
    for mode in modes:
        for size, stride in WINDOWS:
            for image in (grey_bytes, grey, colours):
                yield pool_cell(Subject(mode, size, stride, image), slow_peers_everywhere)
    for size, stride in MEDIAN_WINDOWS:
        for image in (grey_bytes, grey):
            yield pool_cell(Subject("median", size, stride, image), slow_peers_everywhere)
    for size, stride in VOLUME_WINDOWS:
        yield pool_cell(Subject("max", size, stride, volume), slow_peers_everywhere)


def pool_cell(subject: Subject, slow_peers: bool) -> Cell:
    """Return the cell of a pool."""
    image = subject.image
    peers: dict[str, Call] = {
        name: partial(_windows, filter_, subject) for name, filter_ in _opencv_filters(subject).items()
    }
    peers |= _side_by_side(subject) | _torch_peers(subject)
    window = subject.size, subject.stride
    if slow_peers or (window in WINDOWS_OF_SLOW_PEERS and image.ndim == 2 and image.dtype == np.float32):
        peers |= _scipy_peers(subject)
    return Cell(
        subject.name,
        partial(cnnfilter.pool, image, subject.size, mode=subject.mode, stride=subject.stride),
        peers,
        scale=float(np.abs(image).max()),
    )


def _opencv_filters(subject: Subject) -> dict[str, Callable[[Array], Array]]:
    """Return filters whose results stand where their windows begin; a median's, where the centre is."""
    size, corner = (subject.size, subject.size), (0, 0)
    match subject.mode:
        case "max":
            return {"dilate": partial(cv2.dilate, kernel=np.ones(size, np.uint8), anchor=corner)}
        case "min":
            return {"erode": partial(cv2.erode, kernel=np.ones(size, np.uint8), anchor=corner)}
        case "avg":
            return {"blur": partial(cv2.boxFilter, ddepth=cv2.CV_32F, ksize=size, anchor=corner)}
    middle = subject.size // 2
    return {"medianBlur": lambda image: cv2.medianBlur(image, subject.size)[middle:, middle:]}


def _windows(filter_: Callable[[Array], Array], subject: Subject) -> Array:
    """Return the results of the windows that lie in the image, as an array of their own."""
    height, width = (side - subject.size + 1 for side in subject.image.shape[:2])
    return np.ascontiguousarray(filter_(subject.image)[: height : subject.stride, : width : subject.stride])


def _side_by_side(subject: Subject) -> dict[str, Call]:
    """Return the peers for windows that do not overlap."""
    image, size, mode = subject.image, subject.size, subject.mode
    peers: dict[str, Call] = {}
    if size != subject.stride:
        return peers
    if mode == "avg":
        shape = (image.shape[1] // size, image.shape[0] // size)
        peers["resize by area"] = lambda: cv2.resize(
            image.astype(np.float32, copy=False), shape, interpolation=cv2.INTER_AREA
        )
    if size == 2 and mode in {"max", "min"}:
        peers["numpy of slices"] = partial(_of_slices, image, np.maximum if mode == "max" else np.minimum)
    if measure := module("skimage.measure"):
        function = {"max": np.max, "min": np.min, "avg": np.mean}[mode]
        block = (size, size, 1)[: image.ndim]
        peers["block_reduce"] = partial(measure.block_reduce, image, block, function)
    return peers


def _of_slices(image: Array, join: np.ufunc) -> Array:
    """Return what joins each 2x2 pixels."""
    rows = join(image[::2], image[1::2])
    return np.asarray(join(rows[:, ::2], rows[:, 1::2]))


def _torch_peers(subject: Subject) -> dict[str, Call]:
    """Return PyTorch's pool, of a float tensor with channels first; its minimum is that of the negative."""
    torch = load_torch()
    if not torch or subject.mode == "median":
        return {}
    tensor = to_tensor(torch, subject.image.astype(np.float32, copy=False))
    functional: Any = torch.nn.functional
    maximum = partial(functional.max_pool2d, kernel_size=subject.size, stride=subject.stride)
    match subject.mode:
        case "max":
            return {"torch": partial(maximum, tensor)}
        case "min":
            return {"torch": lambda: -maximum(-tensor)}
    mean = partial(functional.avg_pool2d, kernel_size=subject.size, stride=subject.stride)
    return {"torch": partial(mean, tensor, count_include_pad=False)}


def _scipy_peers(subject: Subject) -> dict[str, Call]:
    """Return SciPy's filters, each result where its window begins."""
    ndimage = module("scipy.ndimage")
    if not ndimage:
        return {}
    functions = {
        "max": ndimage.maximum_filter,
        "min": ndimage.minimum_filter,
        "avg": ndimage.uniform_filter,
        "median": ndimage.median_filter,
    }
    flat = subject.image.ndim == 2
    size, origin = (subject.size, subject.size, 1), (-(subject.size // 2), -(subject.size // 2), 0)
    filter_ = partial(functions[subject.mode], size=size[: 2 if flat else 3], origin=origin[: 2 if flat else 3])
    return {"ndimage": partial(_windows, filter_, subject)}
