"""Results as whole numbers of 16 or 8 bits, against the same in floats."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array, float_type
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import Program, load_program, plan_program, run_program
from cnnfilter.compute.tiles import FeatureMaps, Model, Part, cut_program
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth
from cnnfilter.kernels.spec import fixed_kernels, kernel_shape
from cnnfilter.log import listening
from cnnfilter.nn.language import parse_network

NARROW = {
    "a kernel": "dwconv:sharpen,half",
    "no padding": "dwconv:sobel-x",
    "a bias": "dwconv:laplacian-8,half,bias=-300",
    "an offset of the kernel's own": "dwconv:emboss,half",
    "a kernel with margins": "dwconv:[0 0 0 0 0;0 0 1 0 0;0 -2 0 7 0;0 0 0 0 0],half",
    "gaps": "dwconv:sobel-y,d3,half,border=edge",
    "the largest sums": "dwconv:[64 -64],p=0/1/0/0,bias=-127",
    "turned": "dwconv:sobel-y,half,flip",
}
"""Networks whose results are whole numbers of 16 bits."""

WIDE = {
    "larger sums": "dwconv:[64 -64],p=0/1/0/0,bias=-128",
    "a large bias": "dwconv:[100],bias=9999",
    "fractions": "dwconv:gaussian:3,half",
    "a bias with a fraction": "dwconv:sharpen,half,bias=0.5",
    "a border with a fraction": "dwconv:sharpen,half,border=constant:0.5",
    "a border that OpenCV does not make": "dwconv:sharpen,half,border=wrap",
    "padding beyond the kernel": "dwconv:sharpen,p5",
    "a stride": "dwconv:sharpen,half,s2",
    "zeros": "dwconv:[0 0 0]",
    "sums of channels": "conv:sharpen,half",
    "two kernels": "dwconv:sobel-x,sobel-y,half",
    "two layers": "dwconv:sharpen,half relu",
    "another layer": "maxpool:2",
    "a block": "res(dwconv:sharpen,half)",
}
"""Networks that need floats, or for which these are as good."""

BYTES = find_facts(np.zeros(1, np.uint8))
SHORT, BYTE = np.dtype(np.int16), np.dtype(np.uint8)


def program_of(text: str) -> Program:
    """Return the program of a network without weights of its own."""
    return load_program(parse_network(text, kernel_shape))


def run_narrowly(program: Program, volume: Array) -> Array | None:
    """Return what a network makes in whole numbers of 16 bits, or None."""
    result = run_program(program, volume, narrow=SHORT)
    return result if result.dtype == np.int16 else None


def picture_of(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return random pixels, among them blocks of black and of white."""
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    pixels[: shape[0] // 3] = 0
    pixels[: shape[0] // 3, : shape[1] // 2] = 255
    return pixels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", NARROW.values(), ids=NARROW)
def test_whole_numbers_are_those_of_floats(text: str, channels: int) -> None:
    program, volume = program_of(text), picture_of((31, 29, channels))
    found = run_narrowly(program, volume)
    assert found is not None
    assert found.dtype == np.int16
    expected = run_program(program, volume)
    assert np.array_equal(found, expected)
    assert found.shape == expected.shape


@pytest.mark.parametrize("text", WIDE.values(), ids=WIDE)
def test_what_needs_floats_is_left_to_them(text: str) -> None:
    assert run_narrowly(program_of(text), picture_of((31, 29, 3))) is None


@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.int16, np.float64])
def test_pixels_of_other_types_are_left_to_floats(kind: type) -> None:
    program = program_of("dwconv:sharpen,half")
    volume: Array = picture_of((31, 29, 3)).astype(kind)
    found: list[Part] = []
    strips = cut_program(plan_program(program, volume.shape, find_facts(volume)), volume.shape)
    FeatureMaps(Picture(volume, Depth.EIGHT), 255.0, volume, strips=strips).visit(found.append, narrow=SHORT)
    assert [part.values.dtype for part in found] == [np.dtype(float_type(volume.dtype))]


def test_the_plan_is_told_as_ever() -> None:
    program, volume = program_of("dwconv:sharpen,half"), picture_of((31, 29, 3))
    told: list[list[str]] = []
    for run in (run_narrowly, run_program):
        told.append([])
        with listening(lambda _level, message, *values: told[-1].append(message % values)):
            run(program, volume)
    assert told[0] == told[1] != []


@pytest.mark.parametrize("name", sorted(fixed_kernels()))
@pytest.mark.parametrize("border", ["zero", "edge", "reflect", "symmetric"])
def test_every_kernel_gives_the_same_in_both(name: str, border: str) -> None:
    program, volume = program_of(f"dwconv:{name},half,border={border}"), picture_of((23, 37, 3))
    found = run_narrowly(program, volume)
    if found is not None:
        assert np.array_equal(found, run_program(program, volume))


def test_most_small_kernels_of_whole_numbers_are_such() -> None:
    found = {
        name
        for name in fixed_kernels()
        if run_narrowly(program_of(f"dwconv:{name},half"), picture_of((23, 37, 3))) is not None
    }
    assert {"sharpen", "sobel-x", "sobel-y", "prewitt-y", "emboss", "laplacian-8"} <= found


@given(
    weights=st.lists(st.lists(st.integers(-30, 30), min_size=2, max_size=2), min_size=1, max_size=2),
    bias=st.integers(-2000, 2000),
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    padding=st.sampled_from(["half", "same", "full"]),
)
def test_any_weights_and_any_bias(weights: list[list[int]], bias: int, size: tuple[int, int], padding: str) -> None:
    rows = ";".join(" ".join(map(str, row)) for row in weights)
    program = program_of(f"dwconv:[{rows}],{padding},bias={bias}")
    volume = picture_of((*size, 3), seed=bias % 7)
    found = run_narrowly(program, volume)
    assert found is None or np.array_equal(found, run_program(program, volume))
    clipped = run_program(program, volume, narrow=BYTE)
    if found is not None:
        assert clipped.dtype == BYTE
        assert np.array_equal(clipped, np.clip(found, 0, 255))


def test_parts_are_narrow_where_that_is_allowed() -> None:
    for height in (40, 900):
        volume = picture_of((height, 700, 3))
        program = program_of("dwconv:sharpen,half,border=reflect")
        strips = cut_program(plan_program(program, volume.shape, find_facts(volume)), volume.shape)
        parts = FeatureMaps(Picture(volume, Depth.EIGHT), 255.0, volume, strips=strips)
        found = {narrow: np.zeros(volume.shape) for narrow in (SHORT, BYTE, None)}
        for narrow, whole in found.items():

            def take(part: Part, whole: Array = whole, narrow: np.dtype[Any] | None = narrow) -> None:
                assert part.values.dtype == (narrow or np.float32)
                whole[part.rows] = part.values

            parts.visit(take, narrow=narrow)
        assert np.array_equal(found[SHORT], found[None])
        assert np.array_equal(found[BYTE], np.clip(found[None], 0, 255))


def test_strips_are_kept_for_pictures_that_are_alike() -> None:
    model = Model(parse_network("dwconv:sharpen,half", kernel_shape))
    (strip,) = model.strips((20, 30, 3), BYTES)
    assert model.strips((20, 30, 3), BYTES)[0] is strip
    assert model.strips((20, 31, 3), BYTES)[0] is not strip


@pytest.mark.parametrize(
    ("text", "engine"),
    [("dwconv:line-diagonal:31,half", "sheared"), ("dwconv:[1 2 3;4 5 6;7 8 -9],d15,p15", "Fourier")],
)
def test_kernels_for_other_engines_are_left_to_them(text: str, engine: str) -> None:
    program, shape = program_of(text), (600, 800, 3)
    told: list[str] = []
    with listening(lambda _level, message, *values: told.append(message % values)):
        run_program(program, np.zeros(shape, np.uint8))
    assert told[0].startswith(engine)
    assert run_narrowly(program, np.zeros(shape, np.uint8)) is None
