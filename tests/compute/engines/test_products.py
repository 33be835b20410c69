"""Products of matrices: patches by banks of kernels, and a few long rows."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import correlate  # type: ignore[import-untyped]

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.engines import Finish
from cnnfilter.compute.exact import Dtype
from cnnfilter.compute.products import multiply_patches, multiply_rows
from cnnfilter.nn.geometry import Border, Window
from tests.compute.laying import random


@pytest.mark.parametrize("depth", [1, 7, 1000, 300_000])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray], ids=["rows", "columns"])
def test_products_are_those_of_numpy_in_float64(depth: int, lay: Callable[[Array], Array]) -> None:
    numbers = random(depth)
    rows, matrix = numbers.normal(size=(3, depth)), lay(numbers.normal(size=(depth, 5)))
    assert np.allclose(multiply_rows(rows, matrix), rows @ matrix, rtol=0, atol=1e-9)


def test_long_sums_of_a_fully_connected_layer_lose_nothing() -> None:
    image = np.full((224, 224), 255, np.uint8)
    weights = {"linear1.weight": np.full((10, 50_176), 0.7, np.float32), "linear1.bias": np.zeros(10, np.float32)}
    outputs = cnnfilter.network("flatten fc:10").run(image, weights=weights)
    assert np.allclose(outputs, 50_176 * 255 * float(np.float32(0.7)), rtol=1e-7)


def test_whole_numbers_through_a_fully_connected_layer_are_exact() -> None:
    image = random().integers(0, 256, (300, 1000), dtype=np.uint8)
    weight = random(1).integers(1, 9, (3, 300_000)).astype(np.float32)
    weights = {"linear1.weight": weight, "linear1.bias": np.ones(3, np.float32)}
    exact = weight.astype(np.int64) @ image.ravel().astype(np.int64) + 1
    assert exact.min() > 2**24
    assert (cnnfilter.network("flatten fc:3").run(image, weights=weights) == exact).all()


@pytest.mark.parametrize("size", [600, 598])
def test_a_bank_as_large_as_the_image_stays_within_the_allowed_error(size: int) -> None:
    image = random().integers(0, 256, (600, 600, 3)).astype(np.uint8)
    bank = random(1).random((size, size, 3, 2)) + 0.37
    maps = cnnfilter.convolve(image, bank)
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1)).astype(np.float64)
    exact = np.einsum("xychw,hwco->xyo", windows, bank)
    assert np.abs(maps - exact).max() <= 1e-5 * bank.sum(axis=(0, 1, 2)).max() * 255


BANKS: dict[str, tuple[tuple[int, int, int, int], Window, int]] = {
    "few channels": ((5, 5, 3, 6), Window((5, 5)), 1),
    "one output": ((3, 3, 20, 1), Window((3, 3)), 1),
    "17 outputs": ((3, 3, 20, 17), Window((3, 3)), 1),
    "129 outputs": ((1, 1, 64, 129), Window((1, 1)), 1),
    "stride": ((3, 3, 18, 32), Window((3, 3), stride=(2, 3)), 1),
    "dilation": ((3, 2, 5, 9), Window((3, 2), dilation=(2, 3)), 1),
    "groups": ((3, 3, 4, 24), Window((3, 3)), 3),
    "deep": ((3, 3, 64, 16), Window((3, 3)), 1),
    "deepest": ((3, 3, 1024, 2), Window((3, 3)), 1),
}
"""The shape of a bank, how it is laid, and its groups."""


def lay_bank(volume: Array, bank: Array, window: Window, groups: int, dtype: Dtype) -> Array:
    """Return the feature maps of a bank on a volume without padding, with a bias for each output."""
    padded = Padded(volume, (0, 0, 0, 0), Border(), dtype)
    finish = Finish(np.arange(bank.shape[3]) / 7)
    return multiply_patches(padded, bank, window, window.output(*volume.shape[:2]), groups, finish)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BANKS)
def test_a_part_of_the_maps_has_the_bits_of_the_whole(name: str, dtype: Dtype) -> None:
    shape, window, groups = BANKS[name]
    numbers = random(len(name))
    volume = numbers.normal(size=(26, 31, shape[2] * groups)).astype(dtype)
    bank = numbers.normal(size=shape).astype(dtype)
    whole = lay_bank(volume, bank, window, groups, dtype)
    for _ in range(25):
        (top, bottom), (left, right) = (np.sort(numbers.choice(size + 1, 2, replace=False)) for size in whole.shape[:2])
        (down, along), (height, width) = window.stride, window.extent
        source = volume[top * down : (bottom - 1) * down + height, left * along : (right - 1) * along + width]
        part = lay_bank(np.ascontiguousarray(source), bank, window, groups, dtype)
        assert (part == whole[top:bottom, left:right]).all()


def test_maps_are_sums_of_products() -> None:
    numbers = random()
    for name, (shape, window, groups) in BANKS.items():
        volume, bank = numbers.normal(size=(26, 31, shape[2] * groups)), numbers.normal(size=shape)
        maps = lay_bank(volume, bank, window, groups, "float64")
        outputs = shape[3] // groups
        for map_ in (0, shape[3] - 1):
            first = map_ // outputs * shape[2]
            kernel = np.zeros((*window.extent, shape[2]))
            kernel[:: window.dilation[0], :: window.dilation[1]] = bank[..., map_]
            summed = correlate(volume[:, :, first : first + shape[2]], kernel, mode="valid")[:, :, 0]
            wanted = summed[:: window.stride[0], :: window.stride[1]] + map_ / 7
            assert np.allclose(maps[:, :, map_], wanted, rtol=0, atol=1e-9), name


_RUN = """
import hashlib, os, sys
os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import numpy as np, cnnfilter
numbers = np.random.default_rng(0)
image = numbers.random((64, 64, 3)).astype(np.float32)
shapes = {"linear1": (1000, 12288), "linear2": (100, 1000)}
weights = {f"{name}.weight": numbers.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
weights |= {f"{name}.bias": np.zeros(shape[0], np.float32) for name, shape in shapes.items()}
outputs = cnnfilter.network("flatten fc:1000+relu fc:100").run(image, weights=weights)
maps = cnnfilter.convolve(image, numbers.normal(size=(64, 64, 3, 8)))
volume = numbers.normal(size=(30, 40, 64)).astype(np.float32)
banks = [numbers.normal(size=shape) for shape in ((3, 3, 64, 17), (5, 5, 64, 200), (1, 1, 64, 33))]
several = [cnnfilter.convolve(volume, bank).tobytes() for bank in banks]
print(hashlib.sha256(outputs.tobytes() + maps.tobytes() + b"".join(several)).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for cores")
def test_the_number_of_cores_changes_no_bit_of_long_products() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _RUN, cores],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
        ).stdout
        for cores, threads in (("1", "1"), ("64", "1"), ("64", "2"))
    }
    assert len(found) == 1
