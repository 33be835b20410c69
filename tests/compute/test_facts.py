"""What is known of a bank is kept from image to image, and depends on nothing else that images differ in."""

import numpy as np
import pytest
from scipy import ndimage  # type: ignore[import-untyped]

from cnnfilter.arrays import Array
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import as_volume, run_program
from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.tiles import Model
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Window
from cnnfilter.nn.language import parse_network

generator = np.random.default_rng(5)
PIXELS = generator.integers(0, 256, (7, 9, 2))
KERNEL = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("bias", [0.0, 0.5, 1e6])
@pytest.mark.parametrize("value", [0.0, 0.25, 7.0])
@pytest.mark.parametrize("scale", [1.0, 1 / 9, 1e5])
def test_one_bank_after_another_gives_what_scipy_gives(dtype: type, bias: float, value: float, scale: float) -> None:
    volume: Array = PIXELS.astype(dtype)
    kernel = KERNEL * scale
    bank = np.repeat(kernel[:, :, None, None], 2, axis=3)
    window = Window((3, 3), padding=PaddingWord.SAME)
    border = Border(BorderMode.CONSTANT, value)
    result = convolve_volume(volume, bank, window, border=border, bias=bias)
    for channel in range(2):
        expected = ndimage.correlate(volume[:, :, channel].astype(np.float64), kernel, mode="constant", cval=value)
        largest = 9 * scale * 255 + bias
        np.testing.assert_allclose(result[:, :, channel], expected + bias, rtol=0, atol=1e-6 * largest)


def test_learned_weights_are_packed_once_for_images_of_all_shapes() -> None:
    program = Model(parse_network("conv:3x3,20", kernel_shape), RandomWeights("he")).program((30, 30, 8))
    (step,) = program.steps
    weights = step.tensors["weight"]
    for size in ((30, 30, 8), (12, 40, 8)):
        volume = generator.standard_normal(size).astype(np.float32)
        result = as_volume(run_program(program, volume))
        windows = np.lib.stride_tricks.sliding_window_view(volume, (3, 3), axis=(0, 1))
        expected = np.einsum("ijcab,abcm->ijm", windows.astype(np.float64), weights)
        np.testing.assert_allclose(result, expected + step.tensors.get("bias", 0), rtol=0, atol=1e-4)
    assert step.packed is not None
    assert list(step.packed) == [("float32", 1, False)]
