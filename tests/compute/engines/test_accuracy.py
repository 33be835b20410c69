"""The error of float32 where it is hardest to keep small: at most 1e-5 of sum |k| x max |x|, by any engine."""

import numpy as np
import pytest
from scipy import ndimage, signal  # type: ignore[import-untyped]

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.engines import UNFINISHED
from cnnfilter.compute.plan import Engine
from cnnfilter.compute.products import multiply_patches
from cnnfilter.kernels import made as formulas
from cnnfilter.nn.geometry import Border, Pair, Window
from tests.compute.laying import FAST, lay_by_every_plan, random

ALLOWED = 1e-5


def sorted_weights(count: int) -> Doubles:
    """Return weights over many powers of ten, the least first."""
    return np.sort(random(count).lognormal(0, 3, count))


def alternating(*shape: int) -> Doubles:
    """Return ones with signs by turns."""
    return np.asarray((-1.0) ** np.indices(shape).sum(axis=0))


IMAGES: dict[str, Array] = {
    "all 0.1": np.full((66, 86), 0.1),
    "all 255.7": np.full((66, 86), 255.7),
    "signs by turns": 0.1 * alternating(66, 86),
    "small waves on a large level": 1000 + random(1).normal(size=(66, 86)),
    "over many powers of ten": random(2).lognormal(0, 4, (66, 86)),
    "one bright pixel": np.where(np.indices((66, 86)).sum(axis=0) == 60, 1e6, 1e-3),
}

KERNELS: dict[str, Doubles] = {
    "equal": np.full((9, 9), 1 / 81),
    "equal, large": np.full((31, 31), 1 / 961),
    "equal tenths": np.full((25, 33), 0.1),
    "a long column": np.full((61, 1), 1 / 61),
    "a long row": np.full((1, 81), 1 / 81),
    "signs by turns": alternating(15, 15) / 225,
    "sorted": sorted_weights(121).reshape(11, 11),
    "sorted, large": sorted_weights(31 * 29).reshape(31, 29),
    "sorted columns by rows": np.outer(sorted_weights(31), sorted_weights(29)),
    "a sorted diagonal": np.diag(sorted_weights(41)),
    "a Gaussian": formulas.gaussian(41, 7),
    "a Gaussian less another": formulas.dog(41, 5, 7),
    "waves": formulas.gabor(31, 6, 30, 10),
    "a frame of tenths": 0.1 * formulas.frame(35),
}


def largest_sum(volume: Array, kernel: Array) -> float:
    """Return sum |k| x max |x|."""
    return float(np.abs(kernel).sum() * np.abs(volume.astype(np.float64)).max())


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_every_engine_stays_within_the_allowed_error(kernel: Doubles, image: Array) -> None:
    plane = image.astype(np.float32)
    expected = signal.correlate(plane.astype(np.float64), kernel, mode="valid", method="direct")
    window = Window((kernel.shape[0], kernel.shape[1]))
    for plan, maps in lay_by_every_plan(plane[:, :, None], kernel, window, Border()):
        assert plan.dtype == "float32"
        assert np.abs(maps[:, :, 0] - expected).max() <= ALLOWED * largest_sum(plane, kernel), plan


LONG = {
    "equal": (np.full(255, 1 / 255), np.full(255, 1 / 255)),
    "Gaussian": (formulas.gaussian(255, 40)[127], formulas.gaussian(255, 40)[127]),
    "sorted": (sorted_weights(255), sorted_weights(255)),
    "signs by turns": (alternating(255), alternating(255)),
    "a column": (sorted_weights(255), np.ones(1)),
    "a row": (np.ones(1), sorted_weights(255)),
}
"""Columns and rows of 255 weights."""


@pytest.mark.parametrize("level", [0.1, 1 / 3, 77.7])
@pytest.mark.parametrize(("column", "row"), LONG.values(), ids=LONG)
@pytest.mark.parametrize("rough", [False, True], ids=["flat", "rough"])
def test_columns_and_rows_of_255_weights_stay_within_the_allowed_error(
    column: Doubles, row: Doubles, level: float, rough: bool
) -> None:
    plane = np.full((len(column) + 20, len(row) + 24), level, np.float32)
    if rough:
        plane *= random(3).lognormal(0, 2, plane.shape).astype(np.float32)
    kernel = np.outer(column, row)
    doubles = ndimage.correlate1d(ndimage.correlate1d(plane.astype(np.float64), column, axis=0), row, axis=1)
    expected = doubles[len(column) // 2 :, len(row) // 2 :][:21, :25]
    window = Window((len(column), len(row)))
    engines = set()
    for plan, maps in lay_by_every_plan(plane[:, :, None], kernel, window, Border(), engines=FAST):
        engines.add(plan.engine)
        assert np.abs(maps[:, :, 0] - expected).max() <= ALLOWED * largest_sum(plane, kernel), plan
    assert Engine.BANDS in engines


BANKS: dict[str, tuple[int, ...]] = {
    "3x3x512": (3, 3, 512, 4),
    "3x3x512, many maps": (3, 3, 512, 70),
    "1x1x4608": (1, 1, 4608, 3),
    "16x16x4": (16, 16, 4, 3),
    "17x17x16": (17, 17, 16, 2),
    "48x48x2": (48, 48, 2, 2),
    "1x1x4608, few maps": (1, 1, 4608, 2),
    "1x1x16384": (1, 1, 16384, 2),
}
"""Banks whose maps are sums of up to 16384 products."""


@pytest.mark.parametrize("shape", BANKS.values(), ids=BANKS)
@pytest.mark.parametrize("kind", ["equal", "sorted", "signs by turns", "random"])
@pytest.mark.parametrize("level", [0.1, 77.7])
def test_sums_of_thousands_of_products_stay_within_the_allowed_error(
    shape: tuple[int, ...], kind: str, level: float
) -> None:
    count = int(np.prod(shape[:3]))
    weights = {
        "equal": np.full(count, 1 / count),
        "sorted": sorted_weights(count),
        "signs by turns": alternating(count) + 1e-3,
        "random": random(4).normal(size=count),
    }[kind]
    bank: Doubles = np.repeat(weights[:, None], shape[3], axis=1).reshape(shape) * np.arange(1.0, shape[3] + 1)
    volume = np.full((shape[0] + 2, shape[1] + 3, shape[2]), level, np.float32)
    volume[1] *= random(5).random((shape[1] + 3, shape[2])).astype(np.float32)
    window = Window((shape[0], shape[1]))
    output: Pair = (3, 4)
    windows = np.lib.stride_tricks.sliding_window_view(volume.astype(np.float64), window.size, axis=(0, 1))
    expected = np.einsum("ijcab,abcm->ijm", windows, bank)
    allowed = ALLOWED * np.abs(bank).sum(axis=(0, 1, 2)) * float(np.abs(volume).max())
    padded = Padded(volume, (0, 0, 0, 0), Border(), "float32")
    for maps in (
        multiply_patches(padded, bank, window, output, 1, UNFINISHED._replace(bias=np.zeros(shape[3]))),
        convolve_volume(volume, bank, window, border=Border()),
    ):
        assert maps.dtype == np.float32
        assert (np.abs(maps - expected).max(axis=(0, 1)) <= allowed).all()


@pytest.mark.parametrize("channels", [3, 64, 2000])
@pytest.mark.parametrize("size", [1, 3, 15])
def test_channels_that_are_summed_first_stay_within_the_allowed_error(channels: int, size: int) -> None:
    volume = np.full((size + 3, size + 2, channels), 0.1, np.float32)
    volume[0] += random(6).random((size + 2, channels)).astype(np.float32)
    kernel = sorted_weights(size**2).reshape(size, size)
    bank = np.repeat(kernel[:, :, None, None], channels, axis=2)
    expected = signal.correlate(volume.astype(np.float64).sum(axis=2), kernel, mode="valid", method="direct")
    result = convolve_volume(volume, bank, Window((size, size)), border=Border())[:, :, 0]
    assert np.abs(result - expected).max() <= ALLOWED * float(np.abs(bank).sum()) * float(volume.max())
