"""Matrix files: strict texts, `.npy` files, and numbers printed as a person would write them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.matrices import decode_matrix, encode_matrix, format_matrix
from tests.io.npys import npy, npy_header

TEXTS = (".txt", ".csv", ".tsv")
FINITE = {"allow_nan": False, "allow_infinity": False}


def refusal(data: bytes, name: str) -> str:
    """Return the message of the refusal, which names the file and is one line."""
    with pytest.raises(ImageFileError) as caught:
        decode_matrix(data, name)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    return message


# Texts


@pytest.mark.parametrize(
    "text",
    ["1 2.5\n-3 1/4\n", "1,2.5\n-3,1/4\n", "1\t2.5\n-3\t1/4\n", "1 2.5\r\n-3 1/4\r\n", "\ufeff1 2.5\n-3 1/4"],
    ids=["spaces", "commas", "tabs", "CRLF", "byte-order-mark"],
)
@pytest.mark.parametrize("suffix", TEXTS)
def test_a_text_is_read_whatever_its_separator_line_end_and_suffix(text: str, suffix: str) -> None:
    matrix = decode_matrix(text.encode(), f"m{suffix}")
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, [[1, 2.5], [-3, 0.25]])


def test_a_byte_order_mark_with_crlf_and_channels_is_read() -> None:
    matrix = decode_matrix("\ufeff1,2\r\n\r\n3,4\r\n".encode(), "m.csv")
    np.testing.assert_array_equal(matrix, [[[1, 3], [2, 4]]])


def test_blank_lines_part_channels_and_the_channel_is_the_last_axis() -> None:
    matrix = decode_matrix(b"1 2 3\n4 5 6\n\n7 8 9\n10 11 12\n", "m.txt")
    assert matrix.shape == (2, 3, 2)
    assert matrix.flags.c_contiguous
    np.testing.assert_array_equal(matrix[:, :, 0], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(matrix[:, :, 1], [[7, 8, 9], [10, 11, 12]])


def test_the_sample_volume_has_three_channels(samples: Path) -> None:
    volume = decode_matrix((samples / "volume-5x5x3.txt").read_bytes(), "volume")
    assert volume.shape == (5, 5, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("1 2\n3 x\n", "line 2, column 3: 'x' is not a number", id="a-word"),
        pytest.param("1 2\nnan/2 4\n", "line 2, column 1: 'nan/2' is not a number", id="a-fraction-of-nan"),
        pytest.param("1 1e999\n", "line 1, column 3: '1e999' is beyond the largest number", id="too-large"),
        pytest.param("1,,2\n", "line 1, column 3: '' is not a number", id="an-empty-cell"),
        pytest.param("\ufeffx 2\n", "line 1, column 1: 'x' is not a number", id="behind-a-byte-order-mark"),
        pytest.param("1 2\r\n3 y\r\n", "line 2, column 3: 'y' is not a number", id="CRLF"),
        pytest.param("", "no row of numbers", id="empty"),
        pytest.param("\n \n", "no row of numbers", id="blank"),
        pytest.param("# nothing\n", "no row of numbers", id="only-a-comment"),
        pytest.param("1\n2\n\n3\n", "channel 2 has 1 row, channel 1 has 2", id="unequal-channels"),
    ],
)
def test_a_wrong_text_is_refused_with_file_line_and_column(text: str, message: str) -> None:
    assert refusal(text.encode(), "folder/m.txt").startswith(f"folder/m.txt: {message}")


def test_a_ragged_text_is_refused_with_file_and_line() -> None:
    assert "m.csv: line 2" in refusal(b"1,2\n3\n", "m.csv")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", "1 2".encode("utf-16"), b"\xff 1"], ids=repr)
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    assert "neither a text nor a .npy file" in refusal(data, "m.txt")


# .npy files


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 5), (1, 1)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f8", "u1", "i2", ">i4", "u8", "?"])
def test_an_npy_of_real_numbers_is_read_as_float64(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    matrix = decode_matrix(npy(array), "m.npy")
    assert matrix.dtype == np.float64
    assert matrix.flags.c_contiguous
    np.testing.assert_array_equal(matrix, array.astype(np.float64))


@pytest.mark.parametrize("dtype", [f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)])
def test_the_limits_of_every_type_of_whole_numbers_are_read_exactly_or_bring_a_warning(dtype: str) -> None:
    limits, notes = np.iinfo(dtype), list[str]()
    array = np.array([[limits.min, 0, limits.max]], dtype)
    matrix = decode_matrix(npy(array), "m.npy", notes)
    assert matrix.tolist() == [[float(limits.min), 0, float(limits.max)]]
    exact = [int(number) == int(read) for number, read in zip(array[0], matrix[0], strict=True)]
    expected = f"{exact.count(False)} of its whole numbers are beyond 2^53, and are rounded to the nearest of float64"
    assert notes == ([] if all(exact) else [expected])


@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**54), 2**54), min_size=1, max_size=20))
def test_whole_numbers_that_float64_rounds_are_counted(numbers: list[int]) -> None:
    notes = list[str]()
    decode_matrix(npy(np.array([numbers], np.int64)), "m.npy", notes)
    rounded = sum(int(float(number)) != number for number in numbers)
    assert [note.partition(" ")[0] for note in notes] == ([str(rounded)] if rounded else [])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.ones((2, 3), np.complex64), "complex64 of shape (2, 3); complex numbers are not supported"),
        (np.ones((2, 3), np.complex128), "complex128 of shape (2, 3); complex numbers are not supported"),
        (np.ones((2, 3), np.longdouble), "floats longer than 64 bits are not supported, save `.astype(float)`"),
        (np.ones((2, 3), "V2"), "|V2 of shape (2, 3)"),
        (np.ones((2, 3), "datetime64[D]"), "datetime64[D] of shape (2, 3)"),
        (np.full((2, 3), "a"), "<U1 of shape (2, 3)"),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else "",
)
def test_types_that_are_not_supported_are_named(array: Array, reason: str) -> None:
    assert reason in refusal(npy(array), "m.npy")


@pytest.mark.parametrize("shape", [(3, 50, 60), (1, 8, 8), (4, 9, 200)])
def test_an_array_that_looks_channels_first_brings_a_warning(shape: tuple[int, ...]) -> None:
    notes = list[str]()
    matrix = decode_matrix(npy(np.zeros(shape, np.uint8)), "m.npy", notes)
    assert matrix.shape == shape
    height, width, channels = shape
    assert notes == [
        f"shape {shape} is read as {height} rows and {width} columns of {channels} channels; "
        "if the channels come first, `.transpose(1, 2, 0)` puts them last"
    ]


@pytest.mark.parametrize("shape", [(3, 50), (3, 50, 3), (50, 60, 3), (2, 50, 60), (3, 3, 60), (3, 60, 4), (5, 9, 9)])
def test_an_array_that_looks_like_no_other_is_not(shape: tuple[int, ...]) -> None:
    notes = list[str]()
    decode_matrix(npy(np.zeros(shape)), "m.npy", notes)
    assert notes == []


def test_numbers_for_which_memory_is_not_free_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.io.paths.free_memory", lambda: 1 << 20)
    monkeypatch.setattr("cnnfilter.io.paths._WORTH_ASKING", 0)
    message = refusal(npy(np.zeros((512, 512), np.uint8)), "m.npy")
    assert message == "m.npy: uint8 of shape (512, 512): its numbers need 2 MB of memory, and 1 MB are free"


def test_an_npy_in_fortran_order_is_read_as_it_was() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(decode_matrix(npy(array), "m.npy"), [[0, 1, 2], [3, 4, 5]])


def test_an_npy_is_known_by_its_first_bytes_whatever_its_name() -> None:
    np.testing.assert_array_equal(decode_matrix(npy(np.eye(2)), "m.txt"), np.eye(2))
    np.testing.assert_array_equal(decode_matrix(b"1 0\n0 1\n", "m.npy"), np.eye(2))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 5, 3)])
def test_an_empty_npy_is_refused_as_empty(shape: tuple[int, ...]) -> None:
    assert refusal(npy(np.zeros(shape)), "m.npy").endswith(f"the array is empty: its shape is {shape}")


@pytest.mark.parametrize("shape", [(), (3,), (1, 1, 1, 1)])
def test_an_npy_of_other_dimensions_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    message = refusal(npy(np.ones(shape)), "m.npy")
    assert f"shape {shape}" in message
    assert "2 or 3 dimensions" in message


@pytest.mark.parametrize(
    "array",
    [
        np.full((2, 2), "a"),
        np.zeros((2, 2), "M8[s]"),
        np.zeros((2, 2), [("x", "f4")]),
    ],
    ids=["text", "dates", "records"],
)
def test_an_npy_of_what_is_no_real_number_is_refused(array: Array) -> None:
    assert "real numbers" in refusal(npy(array), "m.npy")


def test_an_npy_of_python_objects_is_refused_and_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    array = np.empty((1, 1), object)
    array[0, 0] = Trap()
    assert "allow_pickle=False" in refusal(npy(array, allow_pickle=True), "m.npy")
    assert not (tmp_path / "sprung").exists()


def test_an_npy_that_is_cut_anywhere_is_refused() -> None:
    data = npy(np.arange(12.0).reshape(3, 4))
    for length in range(6, len(data)):
        assert refusal(data[:length], "m.npy").startswith("m.npy: not a whole .npy file of numbers (")


_HEADER = "{{'descr': '<f8', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(npy_header("hello"), id="a-word"),
        pytest.param(npy_header("((((("), id="open-brackets"),
        pytest.param(npy_header("\0\0\0\0\0"), id="zeros"),
        pytest.param(npy_header(_HEADER.format("(1.5, 3)"), bytes(64)), id="a-broken-size"),
        pytest.param(npy_header(_HEADER.format("(-1, 3)"), bytes(64)), id="a-negative-size"),
        pytest.param(npy_header(_HEADER.format("'ab'"), bytes(64)), id="a-shape-of-text"),
        pytest.param(npy_header(_HEADER.format("(1, 1)") + " " * 20_000, bytes(8)), id="a-long-header"),
        pytest.param(b"\x93NUMPY\x09\x00" + npy(np.eye(2))[8:], id="an-unknown-version"),
    ],
)
def test_an_npy_with_a_damaged_header_is_refused_in_one_line(data: bytes) -> None:
    assert refusal(data, "m.npy").startswith("m.npy: not a whole .npy file of numbers (")


def test_an_npy_that_promises_more_than_any_memory_holds_is_refused() -> None:
    message = refusal(npy_header(_HEADER.format((10**8, 10**8)), bytes(64)), "m.npy")
    assert message.startswith("m.npy: not a whole .npy file of numbers (")


# Printing


@pytest.mark.parametrize(
    ("array", "text"),
    [
        pytest.param(np.array([[1.0, -10.5], [2.0, 3.0]]), "1 -10.5\n2     3\n", id="columns-flush-right"),
        pytest.param(np.array([[100.0, 0.0], [-0.0, 7.0]]), "100 0\n  0 7\n", id="no-minus-before-zero"),
        pytest.param(np.array([[0.1, 1 / 3]]), "0.1 0.3333333333333333\n", id="float64"),
        pytest.param(np.array([[0.1, 1 / 3]], np.float32), "0.1 0.33333334\n", id="float32-shortest"),
        pytest.param(np.array([[0.1, 1 / 3]], np.float16), "0.1 0.3333\n", id="float16-shortest"),
        pytest.param(np.array([[16777216.0, 1e10]], np.float32), "16777216 10000000000\n", id="large-whole-float32"),
        pytest.param(np.array([[2.0**53, 1e300, 1e-7]]), "9007199254740992 1e300 1e-07\n", id="large-and-small"),
        pytest.param(np.array([[0, 255]], np.uint8), "0 255\n", id="uint8"),
        pytest.param(np.array([[0, 65535]], np.uint16), "0 65535\n", id="uint16"),
        pytest.param(np.array([[-5, 7]]), "-5 7\n", id="int64"),
        pytest.param(np.array([1.0, 2.5, 3.0]), "1 2.5 3\n", id="a-vector-is-a-row"),
        pytest.param(np.array([[7.0]]), "7\n", id="one-number"),
        pytest.param(np.array([[1.0], [20.0]]), " 1\n20\n", id="a-column"),
        pytest.param(np.arange(8.0).reshape(2, 2, 2), "0 2\n4 6\n\n1 3\n5 7\n", id="a-blank-line-between-channels"),
        pytest.param(np.array([[[1.0], [2.0]]]), "1 2\n", id="one-channel"),
        pytest.param(np.array([[np.nan, np.inf, -np.inf]]), "nan inf -inf\n", id="not-finite"),
    ],
)
def test_numbers_are_printed_as_a_person_writes_them(array: Array, text: str) -> None:
    assert format_matrix(array) == text


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".txt", "  1 -2.5\n300    4\n"), (".csv", "1,-2.5\n300,4\n"), (".tsv", "1\t-2.5\n300\t4\n")],
)
def test_the_suffix_tells_the_separator(suffix: str, text: str) -> None:
    matrix = np.array([[1.0, -2.5], [300.0, 4.0]])
    assert encode_matrix(matrix, f"m{suffix}") == text.encode()
    assert encode_matrix(matrix, Path(f"m{suffix.upper()}")) == text.encode()


def test_an_npy_is_written_in_the_type_it_has() -> None:
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        written = np.load(io.BytesIO(encode_matrix(np.arange(6, dtype=dtype).reshape(2, 3), "m.npy")))
        assert written.dtype == dtype
        np.testing.assert_array_equal(written, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("word", "number"),
    [
        *(("nan", np.nan), ("NaN", np.nan), ("-NAN", np.nan), ("+nan", np.nan), ("inf", np.inf), ("Inf", np.inf)),
        *(("+INF", np.inf), ("-inf", -np.inf), ("infinity", np.inf), ("-Infinity", -np.inf)),
    ],
)
@pytest.mark.parametrize("suffix", TEXTS)
def test_nan_and_infinity_are_numbers_of_a_matrix(word: str, number: float, suffix: str) -> None:
    np.testing.assert_array_equal(
        decode_matrix(f"2,{word}\n{word},6\n".encode(), f"m{suffix}"), [[2, number], [number, 6]]
    )


@given(
    matrix=st.sampled_from([np.float64, np.float32]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=2, max_dims=3, max_side=4))
    ),
    suffix=st.sampled_from([*TEXTS, ".npy"]),
)
def test_every_matrix_that_is_written_is_read_back(matrix: Array, suffix: str) -> None:
    read = decode_matrix(encode_matrix(matrix, f"m{suffix}"), f"m{suffix}")
    one_channel = suffix != ".npy" and matrix.ndim == 3 and matrix.shape[2] == 1
    np.testing.assert_array_equal(read.astype(matrix.dtype), matrix[:, :, 0] if one_channel else matrix)


@given(number=st.integers(-(2**53), 2**53))
def test_whole_numbers_are_printed_without_a_point(number: int) -> None:
    assert format_matrix(np.array([[float(number)]])) == f"{number}\n"


@given(number=st.floats(width=32, **FINITE))
def test_a_float32_is_printed_with_no_more_digits_than_tell_it_apart(number: float) -> None:
    text = format_matrix(np.array([[number]], np.float32)).strip()
    assert np.float32(text) == np.float32(number)
    mantissa = text.partition("e")[0].lstrip("-0.").replace(".", "")
    assert float(number).is_integer() or len(mantissa) <= 9


@given(data=st.binary(max_size=40), start=st.sampled_from([b"", b"1 2\n", b"\x93NUMPY\x01\x00"]))
def test_any_bytes_are_a_matrix_or_refused_in_one_line(data: bytes, start: bytes) -> None:
    try:
        outcome = f"m: {decode_matrix(start + data, 'm').ndim} dimensions"
    except ImageFileError as error:
        outcome = str(error)
    assert outcome.startswith("m: ")
    assert "\n" not in outcome
