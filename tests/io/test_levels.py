"""From results to what a file holds, by numbers worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import DTypeLike
from scipy import ndimage  # type: ignore[import-untyped]  # scipy ships no types

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.errors import OutputError
from cnnfilter.io.formats import FORMATS, Depth, Range
from cnnfilter.io.levels import DEPTHS, MAXIMA, choose_depth, to_levels

EIGHT, SIXTEEN, FLOAT = Depth.EIGHT, Depth.SIXTEEN, Depth.FLOAT
TYPES = {EIGHT: np.uint8, SIXTEEN: np.uint16, FLOAT: np.float64}


def levels(values: object, how: Range | None, white: float, depth: Depth) -> Array:
    return to_levels(np.asarray(values), range_=how, maximum=white, depth=depth)[0]


GIVEN = [-50.0, 0.0, 0.5, 1.5, 100.0]
"""In units of 8 bits. Times 257 for 16 bits: -12850, 0, 128.5, 385.5, 25700."""


@pytest.mark.parametrize(
    ("how", "depth", "held", "clipped"),
    [
        pytest.param(Range.CLIP, EIGHT, [0, 0, 0, 2, 100], 0.2, id="clip-8"),
        pytest.param(Range.CLIP, SIXTEEN, [0, 0, 128, 386, 25700], 0.2, id="clip-16"),
        pytest.param(Range.CLIP, FLOAT, [0, 0, 0.5, 1.5, 100], 0.2, id="clip-float"),
        pytest.param(Range.ABS, EIGHT, [50, 0, 0, 2, 100], 0, id="abs-8"),
        pytest.param(Range.ABS, SIXTEEN, [12850, 0, 128, 386, 25700], 0, id="abs-16"),
        pytest.param(Range.ABS, FLOAT, [50, 0, 0.5, 1.5, 100], 0, id="abs-float"),
        # -50..100 becomes 0..255: 1.7 (x + 50); 0..65535: 436.9 (x + 50)
        pytest.param(Range.SCALE, EIGHT, [0, 85, 86, 88, 255], 0, id="scale-8"),
        pytest.param(Range.SCALE, SIXTEEN, [0, 21845, 22063, 22500, 65535], 0, id="scale-16"),
        pytest.param(Range.SCALE, FLOAT, [0, 85, 85.85, 87.55, 255], 0, id="scale-float"),
        # 100 becomes 255: 2.55 x; 65535: 655.35 x
        pytest.param(Range.MAX, EIGHT, [0, 0, 1, 4, 255], 0.2, id="max-8"),
        pytest.param(Range.MAX, SIXTEEN, [0, 0, 328, 983, 65535], 0.2, id="max-16"),
        pytest.param(Range.MAX, FLOAT, [0, 0, 1.275, 3.825, 255], 0.2, id="max-float"),
        # plus 128, 32768, half of white
        pytest.param(Range.OFFSET, EIGHT, [78, 128, 128, 130, 228], 0, id="offset-8"),
        pytest.param(Range.OFFSET, SIXTEEN, [19918, 32768, 32896, 33154, 58468], 0, id="offset-16"),
        pytest.param(Range.OFFSET, FLOAT, [77.5, 127.5, 128, 129, 227.5], 0, id="offset-float"),
        pytest.param(Range.NONE, FLOAT, GIVEN, 0, id="none-float"),
        pytest.param(None, EIGHT, [0, 0, 0, 2, 100], 0.2, id="unsaid-8"),
        pytest.param(None, SIXTEEN, [0, 0, 128, 386, 25700], 0.2, id="unsaid-16"),
        pytest.param(None, FLOAT, GIVEN, 0, id="unsaid-float"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_range_brings_values_into_a_depth(
    how: Range | None, depth: Depth, held: list[float], clipped: float, dtype: type[np.floating]
) -> None:
    done, outside = to_levels(np.array(GIVEN, dtype), range_=how, maximum=255.0, depth=depth)
    assert done.dtype == (dtype if depth is FLOAT else TYPES[depth])
    np.testing.assert_allclose(done, held, rtol=1e-6)
    assert outside / done.size == pytest.approx(clipped)


def test_every_range_and_depth_that_go_together_are_in_the_table_above() -> None:
    marks = test_a_range_brings_values_into_a_depth.pytestmark
    (table,) = (mark.args[1] for mark in marks if "held" in mark.args[0])
    told = {(case.values[0], case.values[1]) for case in table}
    expected = {(how, depth) for how in [*Range, None] for depth in Depth if how is not Range.NONE or depth is FLOAT}
    assert told == expected


@pytest.mark.parametrize("depth", [EIGHT, SIXTEEN])
def test_none_is_refused_where_floats_cannot_be_held(depth: Depth) -> None:
    with pytest.raises(OutputError, match=f"none.*{depth} bits"):
        to_levels(np.zeros((2, 2)), range_=Range.NONE, maximum=255.0, depth=depth)


@pytest.mark.parametrize(
    ("given_", "white", "depth", "held"),
    [
        pytest.param([0, 1, 128, 255], 255, SIXTEEN, [0, 257, 32896, 65535], id="8-to-16-by-257"),
        pytest.param([0.5, 254.5], 255, SIXTEEN, [128, 65406], id="halves-of-8-to-16"),
        pytest.param([0, 128, 129, 771, 65535], 65535, EIGHT, [0, 0, 1, 3, 255], id="16-to-8-by-257"),
        pytest.param([0, 1, 65535], 65535, SIXTEEN, [0, 1, 65535], id="16-to-16"),
        pytest.param([-0.1, 0, 0.25, 0.5, 1, 1.2], 1, EIGHT, [0, 0, 64, 128, 255, 255], id="float-to-8"),
        pytest.param([0, 0.25, 0.5, 1], 1, SIXTEEN, [0, 16384, 32768, 65535], id="float-to-16"),
        pytest.param([-0.5, 0, 300.25], 255, FLOAT, [-0.5, 0, 300.25], id="8-to-float-as-it-is"),
        pytest.param([-0.5, 0, 70000.25], 65535, FLOAT, [-0.5, 0, 70000.25], id="16-to-float-as-it-is"),
    ],
)
def test_levels_scale_by_white_to_white(given_: list[float], white: float, depth: Depth, held: list[float]) -> None:
    np.testing.assert_array_equal(levels(given_, None, white, depth), held)


def test_every_eight_bit_level_becomes_257_times_itself_and_comes_back() -> None:
    every = np.arange(256)
    for dtype in (np.uint8, np.float32, np.float64):
        wide = levels(every.astype(dtype), None, 255.0, SIXTEEN)
        np.testing.assert_array_equal(wide, 257 * every)
        np.testing.assert_array_equal(levels(wide, None, 65535.0, EIGHT), every)


@pytest.mark.parametrize(
    ("how", "white", "depth", "zero", "quarter"),
    [
        # 0, and a quarter of white, moved by half the range
        pytest.param(Range.OFFSET, 255.0, EIGHT, 128, 192, id="8-of-8"),
        pytest.param(Range.OFFSET, 65535.0, EIGHT, 128, 192, id="8-of-16"),
        pytest.param(Range.OFFSET, 1.0, EIGHT, 128, 192, id="8-of-float"),
        pytest.param(Range.OFFSET, 255.0, SIXTEEN, 32768, 49152, id="16-of-8"),
        pytest.param(Range.OFFSET, 65535.0, SIXTEEN, 32768, 49152, id="16-of-16"),
        pytest.param(Range.OFFSET, 1.0, SIXTEEN, 32768, 49152, id="16-of-float"),
        pytest.param(Range.OFFSET, 255.0, FLOAT, 127.5, 191.25, id="float-of-8"),
        pytest.param(Range.OFFSET, 65535.0, FLOAT, 32767.5, 49151.25, id="float-of-16"),
        pytest.param(Range.OFFSET, 1.0, FLOAT, 0.5, 0.75, id="float-of-float"),
    ],
)
def test_offset_adds_half_the_range_of_the_output(
    how: Range, white: float, depth: Depth, zero: float, quarter: float
) -> None:
    np.testing.assert_array_equal(levels([0.0, white / 4], how, white, depth), [zero, quarter])


@pytest.mark.parametrize(
    ("value", "level"), [(0.5, 0), (1.5, 2), (2.5, 2), (3.5, 4), (253.5, 254), (254.5, 254), (0.49, 0), (0.51, 1)]
)
def test_rounding_is_half_to_even(value: float, level: int) -> None:
    assert levels([value], None, 255.0, EIGHT) == [level]
    assert levels([value * 257], None, 65535.0, EIGHT) == [level]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
@pytest.mark.parametrize("constant", [0, 7, 255])
@pytest.mark.parametrize("depth", Depth)
def test_scale_of_a_constant_is_zero(constant: int, depth: Depth, dtype: DTypeLike) -> None:
    done, outside = to_levels(np.full((3, 4), constant, dtype), range_=Range.SCALE, maximum=255.0, depth=depth)
    np.testing.assert_array_equal(done, np.zeros((3, 4)))
    assert outside == 0


def test_max_of_nothing_but_zeros_is_zero() -> None:
    done, outside = to_levels(np.zeros((3, 4)), range_=Range.MAX, maximum=255.0, depth=EIGHT)
    np.testing.assert_array_equal(done, np.zeros((3, 4)))
    assert outside == 0


def test_max_divides_by_the_largest_magnitude_on_either_side() -> None:
    np.testing.assert_array_equal(levels([-200.0, 0.0, 80.0], Range.MAX, 255.0, EIGHT), [0, 0, 102])


def test_extremes_are_taken_over_all_channels_together() -> None:
    values = np.array([[[0.0, 10.0, 20.0], [5.0, 15.0, 40.0]]])
    np.testing.assert_array_equal(levels(values, Range.SCALE, 255.0, EIGHT), [[[0, 64, 128], [32, 96, 255]]])
    np.testing.assert_array_equal(levels(-values, Range.MAX, 255.0, EIGHT), np.zeros((1, 2, 3)))


@pytest.mark.parametrize("depth", [EIGHT, SIXTEEN])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_is_black_and_infinity_white(dtype: DTypeLike, depth: Depth) -> None:
    values = np.array([np.nan, 100.0, np.inf, -np.inf], dtype)
    done, outside = to_levels(values, range_=Range.CLIP, maximum=255.0, depth=depth)
    np.testing.assert_array_equal(done, [0, 100 * MAXIMA[depth] / 255, MAXIMA[depth], 0])
    assert outside / done.size == pytest.approx(0.75)


def test_extremes_leave_out_what_is_not_finite() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 10.0, 20.0, 30.0])
    np.testing.assert_array_equal(levels(values, Range.SCALE, 255.0, EIGHT), [0, 255, 0, 0, 128, 255])
    np.testing.assert_array_equal(levels(values, Range.MAX, 255.0, EIGHT), [0, 255, 0, 85, 170, 255])
    np.testing.assert_array_equal(levels(values[:3], Range.SCALE, 255.0, EIGHT), [0, 0, 0])


def test_floats_without_a_range_keep_nan_and_infinity() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1e30])
    np.testing.assert_array_equal(levels(values, None, 255.0, FLOAT), values)


def test_infinity_of_float_levels_is_white() -> None:
    np.testing.assert_array_equal(levels([np.nan, np.inf, -1.0], Range.CLIP, 1.0, FLOAT), [0, 1, 0])


@pytest.mark.parametrize(
    ("values", "clipped"),
    [
        ([0.0, 255.0, 128.0, 1.0], 0),
        ([-0.5, 255.5, 0.0, 1.0], 0.25),
        ([-0.4, 255.4, 0.0, 1.0], 0),
        ([-1.0, 256.0, 0.0, 1.0], 0.5),
        ([np.nan, 0.0, 0.0, 0.0], 0.25),
        ([300.0] * 4, 1),
    ],
    ids=str,
)
def test_what_rounds_into_the_range_is_not_clipped(values: list[float], clipped: float) -> None:
    done, outside = to_levels(np.array(values), range_=Range.CLIP, maximum=255.0, depth=EIGHT)
    assert outside / done.size == pytest.approx(clipped)


def test_an_array_without_a_value_clips_nothing() -> None:
    assert to_levels(np.empty((0, 3)), range_=Range.SCALE, maximum=255.0, depth=EIGHT)[1] == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("how", [None, Range.CLIP, Range.ABS])
def test_whole_numbers_of_any_type_stay_as_they_are(how: Range | None, dtype: DTypeLike) -> None:
    every = np.arange(256)
    np.testing.assert_array_equal(levels(every.astype(dtype), how, 255.0, EIGHT), every)
    np.testing.assert_array_equal(levels(every.astype(dtype), how, 255.0, SIXTEEN), 257 * every)
    np.testing.assert_array_equal(levels(every.astype(dtype), how, 255.0, FLOAT), every)


def test_the_values_given_are_not_changed() -> None:
    for how in Range:
        values = np.array([-5.0, 0.0, 7.5, 900.0, np.nan])
        to_levels(values, range_=how, maximum=255.0, depth=FLOAT)
        np.testing.assert_array_equal(values, [-5.0, 0.0, 7.5, 900.0, np.nan])


@given(
    values=arrays(
        np.float32,
        array_shapes(max_dims=3, max_side=6),
        elements=st.floats(-1000, 1000, width=32),
    ),
    white=st.sampled_from([255.0, 65535.0, 1.0]),
    depth=st.sampled_from(Depth),
)
def test_scale_and_abs_max_clip_nothing(values: Array, white: float, depth: Depth) -> None:
    _, scaled = to_levels(values, range_=Range.SCALE, maximum=white, depth=depth)
    _, peaked = to_levels(abs(values), range_=Range.MAX, maximum=white, depth=depth)
    assert (scaled, peaked) == (0, 0)


@pytest.mark.parametrize("how", [Range.SCALE, Range.MAX])
def test_the_largest_value_of_a_float_file_does_not_count_as_clipped(how: Range) -> None:
    largest = [0.1, 2.2] if how is Range.SCALE else [0.0, 6.7]
    white = 1.0 if how is Range.SCALE else 255.0
    done, outside = to_levels(np.array(largest, np.float32), range_=how, maximum=white, depth=FLOAT)
    np.testing.assert_allclose(done, [0, white], rtol=1e-6)
    assert outside == 0


@given(values=arrays(np.float64, array_shapes(max_dims=2, max_side=6), elements=st.floats(-1e6, 1e6)))
def test_levels_are_half_a_level_from_the_clipped_value_at_most(values: Array) -> None:
    for depth, white in MAXIMA.items():
        if depth is not FLOAT:
            held = levels(values, Range.CLIP, white, depth)
            assert np.abs(held - np.clip(values, 0, white)).max() <= 0.5


# A real photo


def blurred(photo: Path, sigma: float = 2.5) -> Array:
    """Return a photo under scipy's Gaussian, in float64."""
    pixels = cnnfilter.read_image(photo).astype(np.float64)
    return np.asarray(ndimage.gaussian_filter(pixels, (sigma, sigma, 0), mode="nearest", radius=(7, 7, 0)))


def test_a_blurred_photo_in_eight_bits_is_within_half_a_level_and_has_no_bias(photo: Path) -> None:
    exact = blurred(photo)
    error = levels(exact, None, 255.0, EIGHT) - exact
    assert np.abs(error).max() <= 0.5
    assert abs(error.mean()) < 0.002
    assert error.std() == pytest.approx(1 / np.sqrt(12), abs=0.01)


def test_a_photo_blurred_by_us_and_written_is_within_half_a_level_of_the_exact_blur(
    photo: Path, tmp_path: Path
) -> None:
    kernel = cnnfilter.kernel("gaussian:15:2.5")
    soft = cnnfilter.convolve(cnnfilter.read_image(photo), kernel, padding=7, border="edge")
    cnnfilter.write_image(tmp_path / "soft.png", soft)
    error = cnnfilter.read_image(tmp_path / "soft.png") - blurred(photo)
    assert np.abs(error).max() <= 0.5 + 255e-5
    assert abs(error.mean()) < 0.002


# Depths


@pytest.mark.parametrize(
    ("dtype", "depth"),
    [
        (np.uint8, EIGHT),
        (np.uint16, SIXTEEN),
        (np.float32, FLOAT),
        (np.float64, FLOAT),
        (np.int32, None),
        (np.dtype(">u2").newbyteorder("="), SIXTEEN),
    ],
)
def test_the_depth_of_an_array_is_told_by_its_type(dtype: DTypeLike, depth: Depth | None) -> None:
    assert DEPTHS.get(np.dtype(dtype)) is depth


@pytest.mark.parametrize(
    ("suffix", "asked", "given_", "depth"),
    [
        # nothing asked: as the input
        (".png", None, EIGHT, EIGHT),
        (".png", None, SIXTEEN, SIXTEEN),
        (".jpg", None, EIGHT, EIGHT),
        (".tif", None, EIGHT, EIGHT),
        (".tif", None, FLOAT, FLOAT),
        (".ppm", None, SIXTEEN, SIXTEEN),
        # matrices hold the floats as they are
        (".npy", None, EIGHT, FLOAT),
        (".csv", None, SIXTEEN, FLOAT),
        (".txt", None, EIGHT, FLOAT),
        # a format of floats alone takes no harm from a shallower input
        (".pfm", None, EIGHT, FLOAT),
        (".hdr", None, SIXTEEN, FLOAT),
        # what is asked is done
        (".png", SIXTEEN, EIGHT, SIXTEEN),
        (".png", EIGHT, SIXTEEN, EIGHT),
        (".tif", FLOAT, EIGHT, FLOAT),
        (".npy", EIGHT, FLOAT, EIGHT),
        (".txt", SIXTEEN, EIGHT, SIXTEEN),
        (".pfm", FLOAT, EIGHT, FLOAT),
    ],
)
def test_a_depth_that_the_format_holds_is_chosen_without_a_warning(
    suffix: str, asked: Depth | None, given_: Depth, depth: Depth
) -> None:
    assert choose_depth(FORMATS[suffix], asked, given_) == (depth, "")


@pytest.mark.parametrize(
    ("suffix", "asked", "given_", "depth"),
    [
        (".jpg", None, SIXTEEN, EIGHT),
        (".jpg", None, FLOAT, EIGHT),
        (".png", None, FLOAT, SIXTEEN),
        (".jpg", SIXTEEN, EIGHT, EIGHT),
        (".png", FLOAT, EIGHT, SIXTEEN),
        (".webp", FLOAT, EIGHT, EIGHT),
        (".pfm", EIGHT, EIGHT, FLOAT),
        (".hdr", SIXTEEN, FLOAT, FLOAT),
    ],
)
def test_a_depth_that_the_format_cannot_hold_becomes_its_deepest_with_a_warning(
    suffix: str, asked: Depth | None, given_: Depth, depth: Depth
) -> None:
    chosen, warning = choose_depth(FORMATS[suffix], asked, given_)
    assert chosen is depth
    assert FORMATS[suffix].name in warning
    assert f"depth {asked or given_}" in warning
    assert f"with {depth}" in warning
