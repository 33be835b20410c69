"""A volume with its border, read in parts, against numpy's padding."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array, Floats, ieee_arithmetic
from cnnfilter.compute.borders import Padded
from cnnfilter.nn.geometry import Border, BorderMode, Pair, Sides

DTYPES = ("bool", "uint8", "int16", "uint16", "int64", "float16", "float32", "float64", ">f4", ">i2")

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "row-major": np.ascontiguousarray,
    "column-major": np.asfortranarray,
    "every second": lambda volume: np.repeat(np.repeat(volume, 2, axis=0), 2, axis=1)[::2, ::2],
    "upside down": lambda volume: np.ascontiguousarray(volume[::-1, ::-1])[::-1, ::-1],
    "channels first": lambda volume: np.moveaxis(np.ascontiguousarray(np.moveaxis(volume, 2, 0)), 0, 2),
}
"""Ways to hold the same volume in memory."""


@dataclass(frozen=True)
class Case:
    """A padded volume, and the same made by numpy."""

    padded: Padded
    expected: Floats


def pad_by_numpy(volume: Array, sides: Sides, border: Border, dtype: str) -> Floats:
    """Return a volume with its padding."""
    top, left, bottom, right = sides
    widths = ((top, bottom), (left, right), (0, 0))
    floats = volume.astype(dtype)
    match border.mode:
        case BorderMode.ZERO | BorderMode.CONSTANT:
            return np.pad(floats, widths, constant_values=border.value)
        case BorderMode.EDGE:
            return np.pad(floats, widths, mode="edge")
        case BorderMode.REFLECT:
            return np.pad(floats, widths, mode="reflect")
        case BorderMode.SYMMETRIC:
            return np.pad(floats, widths, mode="symmetric")
        case BorderMode.WRAP:
            return np.pad(floats, widths, mode="wrap")


def volume_of(shape: tuple[int, int, int], dtype: str = "uint8", seed: int = 0) -> Array:
    """Return a volume of small whole numbers."""
    return np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def case_of(volume: Array, sides: Sides, border: Border, dtype: str) -> Case:
    """Return a volume padded by the package and by numpy."""
    return Case(Padded(volume, sides, border, dtype), pad_by_numpy(volume, sides, border, dtype))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw any small volume and its padding."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)))
    volume = LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](volume_of(shape, draw(st.sampled_from(DTYPES))))
    mode = draw(st.sampled_from(list(BorderMode)))
    sides = draw(st.just((0, 0, 0, 0)) | st.tuples(*[st.integers(0, 9)] * 4))
    border = Border(mode, -3.5 if mode is BorderMode.CONSTANT else 0.0)
    return case_of(volume, sides, border, draw(st.sampled_from(["float32", "float64"])))


@st.composite
def parts(draw: st.DrawFn, size: int) -> slice:
    """Draw some neighbours out of `size`, at least one."""
    start = draw(st.integers(0, size - 1))
    return slice(start, draw(st.integers(start + 1, size)))


@st.composite
def cuts(draw: st.DrawFn, padded: Padded) -> Sides:
    """Draw what is cut off, so that something is left."""
    height, width, _ = padded.shape
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(0, height - 1 - top)), draw(st.integers(0, width - 1 - left))
    return top, left, bottom, right


def cut_off(expected: Floats, cut: Sides) -> Floats:
    """Return an array without some of its rows and columns."""
    top, left, bottom, right = cut
    return expected[top : expected.shape[0] - bottom, left : expected.shape[1] - right]


def derive(draw: st.DrawFn, case: Case) -> Case:
    """Return a part of a case, by one of the ways to take it."""
    padded, expected = case.padded, case.expected
    height, width, channels = expected.shape
    match draw(st.sampled_from(["inner", "every", "channels"])):
        case "inner":
            cut = draw(cuts(padded))
            return Case(padded.inner(cut), cut_off(expected, cut))
        case "every":
            start: Pair = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            step: Pair = draw(st.integers(1, 4)), draw(st.integers(1, 4))
            return Case(padded.every(start, step), expected[start[0] :: step[0], start[1] :: step[1]])
        case _:
            some = draw(parts(channels))
            return Case(padded.channels(some), expected[:, :, some])


@st.composite
def derived(draw: st.DrawFn) -> Case:
    """Draw a padded volume, or a part of a part of one."""
    case = draw(cases())
    for _ in range(draw(st.integers(0, 3))):
        case = derive(draw, case)
    return case


class TestReading:
    @given(case=derived())
    def test_the_whole_is_what_numpy_pads(self, case: Case) -> None:
        whole = case.padded.whole()
        assert whole.dtype == case.expected.dtype
        assert np.array_equal(whole, case.expected)

    @given(case=derived())
    def test_the_shape_is_that_of_the_whole(self, case: Case) -> None:
        assert case.padded.shape == case.expected.shape

    @given(case=derived(), data=st.data())
    def test_a_part_that_is_read_is_that_part_of_the_whole(self, case: Case, data: st.DataObject) -> None:
        rows, columns = data.draw(parts(case.expected.shape[0])), data.draw(parts(case.expected.shape[1]))
        read = case.padded.read(rows, columns)
        assert read.dtype == case.expected.dtype
        assert np.array_equal(read, case.expected[rows, columns])

    @given(case=derived(), data=st.data())
    def test_a_part_is_written_into_the_array_that_is_given(self, case: Case, data: st.DataObject) -> None:
        rows, columns = data.draw(parts(case.expected.shape[0])), data.draw(parts(case.expected.shape[1]))
        wanted = case.expected[rows, columns]
        out = np.full(wanted.shape, np.nan, wanted.dtype)
        assert case.padded.read(rows, columns, out) is out
        assert np.array_equal(out, wanted)

    @given(case=derived(), data=st.data())
    def test_rows_that_are_peeked_at_hold_the_same_numbers(self, case: Case, data: st.DataObject) -> None:
        rows = data.draw(parts(case.expected.shape[0]))
        peeked = case.padded.peek(rows)
        assert peeked.dtype in {case.padded.volume.dtype, case.expected.dtype}
        assert np.array_equal(peeked.astype(case.expected.dtype), case.expected[rows])

    @given(case=derived())
    def test_what_follows_its_volume_is_the_volume_with_its_sides(self, case: Case) -> None:
        padded = case.padded
        if padded.follows_volume:
            again = pad_by_numpy(padded.volume, padded.sides, padded.border, padded.dtype.name)
            assert np.array_equal(again, case.expected)

    @given(case=cases(), data=st.data())
    def test_taking_a_part_leaves_the_rest_as_it_was(self, case: Case, data: st.DataObject) -> None:
        before = case.padded.volume.copy()
        part = case.padded.inner(data.draw(cuts(case.padded)))
        part.dtype = np.dtype(np.float64)
        case.padded.every((0, 0), (2, 2)).whole()
        assert np.array_equal(case.padded.whole(), case.expected)
        assert case.padded.whole().dtype == case.expected.dtype
        assert np.array_equal(case.padded.volume, before)


OWN_TYPES = [
    ("uint8", 255.0, "uint8"),
    ("uint8", 256.0, "float32"),
    ("uint8", -1.0, "float32"),
    ("uint8", 0.5, "float32"),
    ("uint16", 65535.0, "uint16"),
    (">u2", 7.0, "float32"),
    ("int16", 7.0, "float32"),
    ("bool", 1.0, "float32"),
]


class TestCopying:
    def test_the_whole_of_what_needs_neither_padding_nor_another_type_is_the_volume_itself(self) -> None:
        volume = volume_of((4, 5, 2), "float32")
        assert np.shares_memory(Padded(volume, (0, 0, 0, 0), Border(), "float32").whole(), volume)

    @pytest.mark.parametrize("mode", list(BorderMode))
    def test_rows_of_the_volume_in_its_own_type_are_peeked_at_without_a_copy(self, mode: BorderMode) -> None:
        volume = volume_of((6, 5, 2))
        rows = Padded(volume, (2, 0, 2, 0), Border(mode), "float32").in_own_type().peek(slice(3, 6))
        assert rows.dtype == np.uint8
        assert np.shares_memory(rows, volume)
        assert np.array_equal(rows, volume[1:4])

    @pytest.mark.parametrize("sides", [(0, 1, 0, 0), (0, 0, 0, 1), (2, 0, 0, 0)], ids=["left", "right", "top"])
    def test_rows_that_reach_into_the_padding_are_read(self, sides: Sides) -> None:
        rows = Padded(volume_of((6, 5, 2)), sides, Border(), "float32").peek(slice(0, 3))
        assert rows.dtype == np.float32

    @pytest.mark.parametrize(("dtype", "value", "own"), OWN_TYPES)
    def test_8_and_16_bits_are_read_as_they_are_where_the_border_can_be(
        self, dtype: str, value: float, own: str
    ) -> None:
        padded = Padded(volume_of((3, 4, 1), dtype), (1, 1, 1, 1), Border(BorderMode.CONSTANT, value), "float32")
        rows = padded.in_own_type().read(slice(None), slice(None))
        assert rows.dtype == own
        assert np.array_equal(rows, padded.whole())

    def test_what_is_cut_off_down_to_the_volume_is_a_view_of_it(self) -> None:
        volume = volume_of((6, 5, 2), "float64")
        inner = Padded(volume, (1, 1, 1, 1), Border(), "float64").inner((2, 2, 2, 2))
        assert np.shares_memory(inner.whole(), volume)
        assert np.array_equal(inner.whole(), volume[1:-1, 1:-1])

    @pytest.mark.parametrize("mode", list(BorderMode))
    def test_padding_larger_than_the_volume_repeats_it_as_numpy_does(self, mode: BorderMode) -> None:
        case = case_of(volume_of((2, 3, 1)), (11, 7, 8, 13), Border(mode), "float32")
        assert np.array_equal(case.padded.whole(), case.expected)


FINITE: dict[str, tuple[Array, bool]] = {
    "8 bits": (np.full((2, 2, 1), 255, np.uint8), True),
    "bool": (np.ones((2, 2, 1), bool), True),
    "small numbers": (np.ones((2, 2, 1)), True),
    "nothing": (np.ones((0, 2, 1)), True),
    "a square beyond float32": (np.full((2, 2, 1), 1e30, np.float32), True),
    "a square beyond float64": (np.full((2, 2, 1), -1e200), True),
    "squares that only add up beyond float32": (np.full((2, 2, 1), 1.5e19, np.float32), True),
    "so large that sums end beyond float32": (np.full((2, 2, 1), 1e35, np.float32), False),
    "the largest float16": (np.full((9, 9, 1), 65504, np.float16), True),
    "nan": (np.array([[[1.0], [np.nan]]]), False),
    "inf": (np.array([[[1.0], [np.inf]]], np.float32), False),
    "-inf": (np.array([[[1.0], [-np.inf]]], np.float16), False),
    "both infinities": (np.array([[[np.inf], [-np.inf]]]), False),
    "nan in other byte order": (np.array([[[1.0], [np.nan]]], ">f4"), False),
    "nan among every second": (np.array([[[1.0], [2.0], [np.nan]]])[:, ::2], False),
    "nan between every second": (np.array([[[1.0], [np.nan], [2.0]]])[:, ::2], True),
}
"""Volumes, and whether all of their pixels are finite."""


@pytest.mark.parametrize(("volume", "finite"), FINITE.values(), ids=FINITE)
def test_a_volume_is_finite_where_no_pixel_is_nan_or_infinite(volume: Array, finite: bool) -> None:
    padded = Padded(volume, (0, 0, 0, 0), Border(), "float64")
    assert ieee_arithmetic(lambda: padded.finite)() is finite


@pytest.mark.parametrize("asked", [False, True], ids=["at once", "after the volume was asked"])
def test_channels_of_a_finite_volume_are_finite(asked: bool) -> None:
    padded = Padded(volume_of((3, 3, 4), "float32"), (1, 1, 1, 1), Border(), "float32")
    if asked:
        assert padded.finite
    assert padded.channels(slice(1, 2)).finite
    assert padded.inner((2, 2, 0, 0)).finite
