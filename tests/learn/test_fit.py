"""Kernels that are found again: from floats and from 8 bits, beside scipy and numpy's own least squares."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage  # type: ignore[import-untyped]

import cnnfilter
from cnnfilter.arrays import Array, Doubles
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.learn import fit as module
from cnnfilter.learn.fit import FittedKernel, Request, fit_kernel, predict, round_weights
from cnnfilter.learn.nearest import find_nearest

KERNELS = [
    *("sharpen", "sobel-x", "gaussian:5:1", "box:5", "emboss", "laplacian-8"),
    *("usm:1:0.7:size=7", "motion:7:30", "log:7:1", "line-diagonal:5"),
]
CROPS = {"face": (80, 160), "stripes": (380, 300), "flag": (100, 330)}


@pytest.fixture(scope="module")
def hopper() -> Array:
    """Return the pixels of a real photo."""
    import matplotlib as mpl  # noqa: PLC0415

    return cnnfilter.read_image(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg")


def crop(hopper: Array, name: str) -> Array:
    top, left = CROPS[name]
    return hopper[top : top + 120, left : left + 140]


def filtered(image: Array, kernel: Array) -> Doubles:
    """Return what scipy makes of an image, as large as that."""
    planes = [ndimage.correlate(plane.astype(np.float64), kernel, mode="nearest") for plane in image.transpose(2, 0, 1)]
    return np.stack(planes, axis=2)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("place", CROPS)
def test_a_kernel_is_found_again_from_floats_and_from_8_bits(hopper: Array, name: str, place: str) -> None:
    image, kernel = crop(hopper, place), cnnfilter.kernel(name)
    result = filtered(image, kernel)
    exact = cnnfilter.fit(image / 255, result / 255, kernel.shape[0])
    assert np.abs(exact.kernel - kernel).max() < 1e-11
    assert exact.r2 == pytest.approx(1, abs=1e-12)
    eight = cnnfilter.fit(image, np.clip(np.rint(result), 0, 255).astype(np.uint8), kernel.shape[0])
    assert np.abs(eight.kernel - kernel).max() < 0.005 * max(1, np.abs(kernel).max())
    assert eight.residual < 0.3  # that of rounding is sqrt(1/12)
    assert eight.used + eight.left_out == exact.used


def test_clipped_values_would_spoil_the_kernel(hopper: Array) -> None:
    image, kernel = crop(hopper, "stripes"), cnnfilter.kernel("laplacian-8")
    clipped = np.clip(filtered(image, kernel), 0, 255)
    assert np.abs(cnnfilter.fit(image, clipped, 3).kernel - kernel).max() > 1  # floats may be 0
    assert np.abs(cnnfilter.fit(image, np.rint(clipped).astype(np.uint8), 3).kernel - kernel).max() < 1e-9


@pytest.mark.parametrize("name", ["sharpen", "gaussian:5:1", "usm:1:0.7:size=7"])
def test_auto_finds_the_size(hopper: Array, name: str) -> None:
    image, kernel = crop(hopper, "face"), cnnfilter.kernel(name)
    for pair in (image / 255, filtered(image, kernel) / 255), (image, np.rint(filtered(image, kernel)).clip(0, 255)):
        found = cnnfilter.fit(pair[0], pair[1].astype(pair[0].dtype))
        assert found.kernel.shape == kernel.shape
        assert np.abs(found.kernel - kernel).max() < 0.005


def test_what_is_left_out_of_after_gives_the_size(hopper: Array) -> None:
    image, kernel = crop(hopper, "face"), np.array([[1.0, 2, 0, -1], [0.5, 0, 3, 1]])
    found = cnnfilter.fit(image, cnnfilter.convolve(image, kernel, bias=4), bias=True)
    assert np.abs(found.kernel - kernel).max() < 1e-5  # of float32
    assert found.bias == pytest.approx(4, abs=1e-3)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("stride", "size"), [((2, 2), (3, 3)), ((3, 2), (5, 4)), ((2, 3), (2, 6))])
def test_strides_and_paddings_are_those_of_convolve(
    hopper: Array, padding: str, stride: tuple[int, int], size: tuple[int, int]
) -> None:
    image = crop(hopper, "flag")[:, :101].astype(np.float64)
    kernel = np.random.default_rng(0).normal(size=size)
    result = cnnfilter.convolve(image, kernel, stride=stride, padding=padding)  # type: ignore[arg-type]
    found = cnnfilter.fit(image, result, size, stride=stride)
    assert np.abs(found.kernel - kernel).max() < 1e-10


def test_sum_finds_a_bank_and_gray_the_kernel_of_the_luma(hopper: Array) -> None:
    image = crop(hopper, "face") / 255
    bank = np.random.default_rng(0).normal(size=(3, 3, 3, 2))
    found = cnnfilter.fit(image, cnnfilter.convolve(image, bank), channels="sum", bias=True)
    assert np.abs(found.kernel - bank).max() < 1e-10
    assert found.bias == pytest.approx((0, 0), abs=1e-10)
    assert found.nearest is None
    luma = image @ [0.299, 0.587, 0.114]
    grey = cnnfilter.fit(image, cnnfilter.convolve(luma, "emboss"), channels="gray")
    assert np.abs(grey.kernel - cnnfilter.kernel("emboss")).max() < 1e-11


def test_the_weights_are_those_of_numpy(hopper: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STRIP", 1000)  # many strips
    image = crop(hopper, "face").astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 20, image.shape)
    after = filtered(image, cnnfilter.kernel("sharpen")) + noise
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1)).reshape(-1, 9)
    table = np.hstack([windows, np.ones((len(windows), 1))])
    expected, squares, *_ = np.linalg.lstsq(table, after[1:-1, 1:-1].reshape(-1))
    found = cnnfilter.fit(image, after, 3, bias=True)
    assert np.abs(found.kernel.reshape(-1) - expected[:-1]).max() < 1e-10
    assert found.bias == pytest.approx(expected[-1], abs=1e-7)
    assert found.residual == pytest.approx(np.sqrt(squares[0] / len(windows)), rel=1e-9)
    assert found.r2 == pytest.approx(1 - squares[0] / (after[1:-1, 1:-1].var() * len(windows)), rel=1e-9)
    made, rest = predict(image, after, Request(bias=True), found)
    assert np.abs(made + rest - after[1:-1, 1:-1]).max() < 1e-9
    assert np.sqrt((rest**2).mean()) == pytest.approx(found.residual, rel=1e-9)


def test_smooth_windows_are_solved_by_qr(hopper: Array) -> None:
    image = ndimage.gaussian_filter(crop(hopper, "face")[:, :, 0].astype(np.float64), 2.5)
    kernel = np.random.default_rng(0).normal(size=(5, 5))
    found = cnnfilter.fit(image, cnnfilter.convolve(image, kernel), 5)
    assert found.condition > 1e6
    assert np.abs(found.kernel - kernel).max() < 1e-14 * found.condition


def test_windows_that_determine_no_kernel_are_refused_and_a_ridge_finds_one() -> None:
    flat = np.full((20, 20), 7.0)
    with pytest.raises(KernelError, match=r"too much alike to determine a kernel, .* a smaller size=N, or ridge=1e-6"):
        cnnfilter.fit(flat, flat[1:-1, 1:-1] * 2)
    found = cnnfilter.fit(flat, flat[1:-1, 1:-1] * 2, ridge=1e-6)
    assert found.kernel == pytest.approx(np.full((3, 3), 2 / 9), rel=1e-4)
    ramp = np.add.outer(np.arange(30.0), np.arange(30.0))
    with pytest.raises(KernelError, match="too much alike"):
        cnnfilter.fit(ramp, ramp[1:-1, 1:-1])
    with pytest.raises(KernelError, match="1 value of AFTER can be used"):
        cnnfilter.fit(np.random.default_rng(0).random((5, 5)), np.ones((1, 1)), 5)


def test_a_ridge_is_the_penalty_that_is_documented(hopper: Array) -> None:
    image = crop(hopper, "face")[:, :, 0].astype(np.float64)
    after = cnnfilter.convolve(image, "sharpen")
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3)).reshape(-1, 9)
    ridge = 0.01 * np.mean(windows**2) * len(windows)
    expected = np.linalg.solve(windows.T @ windows + ridge * np.eye(9), windows.T @ after.reshape(-1))
    assert cnnfilter.fit(image, after, 3, ridge=0.01).kernel.reshape(-1) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("before", "after", "given", "message"),
    [
        ((9, 9), (5, 8), {"size": 3}, r"AFTER is 5x8; a kernel of 3x3 with stride 1x1 makes 7x7 \(valid\) or 9x9"),
        ((9, 9), (12, 9), {}, "AFTER, 12x9, is larger than BEFORE, 9x9"),
        ((300, 200), (150, 100), {}, "much smaller than BEFORE, 300x200; .* 151x101 .* size=N and stride=N say"),
        ((99, 99), (99, 99), {"size": 51}, "a kernel of 51x51 has 2601 weights, and `fit` finds 2500 at most"),
        ((99, 99, 3), (99, 99), {"size": 31, "channels": "sum"}, "31x31 over 3 channels has 2883 weights"),
        ((9, 9, 3), (9, 9), {}, "BEFORE has 3 channels and AFTER 1"),
        ((9, 9, 2), (9, 9), {"channels": "gray"}, "BEFORE has 2 channels"),
        ((9, 9), (9, 9), {"ridge": -1}, "ridge -1 is negative"),
    ],
)
def test_sizes_and_channels_that_do_not_fit_are_refused(
    before: tuple[int, ...], after: tuple[int, ...], given: dict[str, object], message: str
) -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=message):
        cnnfilter.fit(generator.random(before), generator.random(after), **given)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="nan or infinity"):
        cnnfilter.fit(np.full((9, 9), np.nan), np.ones((7, 7)))


@pytest.mark.parametrize(
    ("word", "scale"),
    [
        *((name, 1.0) for name in KERNELS),
        *((name, 0.125) for name in ("sobel-x", "kirsch-n", "emboss")),
        ("gaussian:9:1.7", 1.0),
        ("disk:7", 1.0),
        ("log:9:1.4", 3.0),
    ],
)
def test_the_nearest_kernel_is_named(word: str, scale: float) -> None:
    found = find_nearest(scale * cnnfilter.kernel(word))
    assert found
    assert found.distance < 1e-6
    assert found.factor == pytest.approx(scale, rel=1e-6)
    again = cnnfilter.kernel(found.name)
    assert again == pytest.approx(cnnfilter.kernel(word), abs=1e-6)


def test_the_nearest_of_two_by_two_is_a_mean() -> None:
    found = find_nearest(np.full((2, 2), 0.25) + np.eye(2) * 1e-4)
    assert found
    assert found.distance < 1e-3
    assert cnnfilter.kernel(found.name) * found.factor == pytest.approx(np.full((2, 2), 0.25), abs=1e-3)


def test_the_nearest_of_a_larger_window_is_the_kernel_in_its_centre() -> None:
    found = find_nearest(np.pad(cnnfilter.kernel("sharpen"), 2) + 1e-4)
    assert found
    assert found.name == "sharpen"
    assert find_nearest(np.array([[1.0]])) is not None
    assert find_nearest(np.zeros((3, 3))) is None


def test_rounding_keeps_what_is_there() -> None:
    assert round_weights(np.array([[1e-20, -1.0, 4.9999999999999]])).tolist() == [[0.0, -1.0, 5.0]]
    assert round_weights(np.array([[1e-3 / 3]])) == pytest.approx(1e-3 / 3, rel=1e-11)
    assert round_weights(np.zeros((1, 1))).tolist() == [[0.0]]


def test_levels_of_another_depth_are_brought_together() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 30, 1)).astype(np.uint8)
    after = image[1:-1, 1:-1].astype(np.uint16) * 257
    found: FittedKernel = fit_kernel(image, after, Request(white=65535, scale=1 / 257))
    assert round_weights(found.kernel).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert found.left_out == int(np.isin(image[1:-1, 1:-1], (0, 255)).sum())
