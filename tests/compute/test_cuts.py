"""Results that are made part by part have the bits of those made at once, whatever the threads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.tiles import Strip
from cnnfilter.nn.geometry import Border, BorderMode, PaddingWord, Window
from tests.compute.cuts import KERNELS, VISIBLE, count_differences, draw_cases, draw_image, draw_visible

PRODUCTS = Path(__file__).parent / "engines" / "test_products.py"


@pytest.mark.parametrize("seed", range(16))
def test_parts_put_together_are_the_whole_to_the_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    for case in draw_cases(random, 4):
        assert count_differences(case, random)[1] == 0, case.title


KINDS = {"Nehalem": "SSE42", "Haswell": "AVX2", "SkylakeX": "AVX512_SKX"}
"""What OpenBLAS calls kinds of processors, each with how it multiplies, and what these have."""


@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_too_on_each_kind_of_processor(kind: str) -> None:
    if not sys.modules["numpy._core._multiarray_umath"].__cpu_features__.get(KINDS[kind]):
        pytest.skip(f"this processor has no {KINDS[kind]}")
    tests = [f"{__file__}::{test_parts_put_together_are_the_whole_to_the_bit.__name__}", str(PRODUCTS)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *tests, "-k", "whole"]
    environment = {**os.environ, "OPENBLAS_CORETYPE": kind}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", VISIBLE)
def test_parts_of_colours_with_alpha_are_too(text: str) -> None:
    random = np.random.default_rng(1)
    case = draw_visible(random, text)
    assert count_differences(case, random)[1] == 0, case.title


def test_parts_that_differ_in_the_last_bits_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    random, read = np.random.default_rng(0), Strip.read
    cases = [case for case in draw_cases(random, 60) if case.image.dtype == np.float32 and "zeros" not in case.title]
    monkeypatch.setattr(Strip, "read", lambda strip, image: np.nextafter(read(strip, image), np.float32(np.inf)))
    assert len(cases) > 3
    for case in cases:
        assert count_differences(case, random)[1], case.title


@pytest.mark.parametrize("mode", [BorderMode.ZERO, BorderMode.EDGE, BorderMode.REFLECT, BorderMode.WRAP])
@pytest.mark.parametrize("name", KERNELS)
def test_same_is_valid_where_both_are(name: str, mode: BorderMode) -> None:
    random = np.random.default_rng(3)
    for size in (2, 4) if "long" in name else (5, 11, 21):
        image, kernel = draw_image(random, least=60), KERNELS[name](size, random)
        bank, sides = np.repeat(kernel[:, :, None, None], image.shape[2], axis=3), kernel.shape
        padded = convolve_volume(image, bank, Window(sides, padding=PaddingWord.SAME), border=Border(mode))
        valid = convolve_volume(image, bank, Window(sides), border=Border(mode))
        top, left = ((side - 1) // 2 for side in sides)
        inner = padded[top : top + valid.shape[0], left : left + valid.shape[1]]
        assert inner.tobytes() == valid.tobytes(), (size, image.dtype, image.shape)


@pytest.mark.parametrize("seed", range(4))
def test_same_is_valid_for_small_banks_too(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(40):
        height, width = (int(side) for side in random.integers(1, 6, 2))
        inputs, outputs = (int(count) for count in random.choice([1, 2, 3, 4, 17], 2))
        shape = height + int(random.choice([1, 3, 200])), width + int(random.integers(0, 300)), inputs
        image = random.standard_normal(shape).astype(random.choice(["float32", "float64"]))
        bank = random.standard_normal((height, width, inputs, outputs))
        padded = convolve_volume(image, bank, Window((height, width), padding=PaddingWord.SAME), border=Border())
        valid = convolve_volume(image, bank, Window((height, width)), border=Border())
        top, left = (height - 1) // 2, (width - 1) // 2
        inner = padded[top : top + valid.shape[0], left : left + valid.shape[1]]
        assert inner.tobytes() == valid.tobytes(), (bank.shape, image.dtype, image.shape)
