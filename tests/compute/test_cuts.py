"""Results that are made part by part have the bits of those made at once, whatever the threads."""

import numpy as np
import pytest

from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import run_program
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Window
from tests.compute.cuts import KERNELS, count_differences, draw_cases, draw_image


@pytest.mark.parametrize("seed", range(16))
def test_parts_put_together_are_the_whole_to_the_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    for case in draw_cases(random, 4):
        assert count_differences(case, random)[1] == 0, case.title


def test_a_part_that_differs_is_found() -> None:
    random = np.random.default_rng(0)
    case = next(case for case in draw_cases(random, 50) if case.image.size > 1000 and "direct" in case.title)
    image = case.image.copy()
    found = run_program(case.program, image)
    image.flat[image.size // 2] += 1
    assert not np.array_equal(found, run_program(case.program, image))


@pytest.mark.parametrize("mode", [BorderMode.ZERO, BorderMode.EDGE, BorderMode.REFLECT, BorderMode.WRAP])
@pytest.mark.parametrize("name", KERNELS)
def test_same_is_valid_where_both_are(name: str, mode: BorderMode) -> None:
    random = np.random.default_rng(3)
    for size in (5, 11, 21):
        image, kernel = draw_image(random, least=60), KERNELS[name](size, random)
        bank, sides = np.repeat(kernel[:, :, None, None], image.shape[2], axis=3), kernel.shape
        padded = convolve_volume(image, bank, Window(sides, padding=PaddingWord.SAME), border=Border(mode))
        valid = convolve_volume(image, bank, Window(sides), border=Border(mode))
        top, left = ((side - 1) // 2 for side in sides)
        inner = padded[top : top + valid.shape[0], left : left + valid.shape[1]]
        assert inner.tobytes() == valid.tobytes(), (size, image.dtype, image.shape)
