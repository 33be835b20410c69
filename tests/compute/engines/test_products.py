"""A few long rows times a matrix."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.compute.products import multiply_rows
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
print(hashlib.sha256(outputs.tobytes() + maps.tobytes()).hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for cores")
def test_the_number_of_cores_changes_no_bit_of_long_products() -> None:
    found = {
        subprocess.run([sys.executable, "-c", _RUN, cores], capture_output=True, text=True, check=True).stdout
        for cores in ("1", "64")
    }
    assert len(found) == 1
