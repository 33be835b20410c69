"""Kernel files: texts, ImageMagick's, libvips' and numpy's, read exactly or refused with the place of the fault."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.errors import KernelError
from cnnfilter.kernels.readers import npy_shape
from cnnfilter.kernels.spec import Kernel, kernel_shape, load_kernel
from tests.io.npys import npy, npy_header


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def read(name: str, content: str | bytes) -> Kernel:
    """Return the kernel in a file, whose shape is known without numpy."""
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    kernel = load_kernel(f"./{name}")
    assert kernel.weights.shape == kernel_shape(f"./{name}")
    assert kernel.weights.dtype == np.float64
    assert kernel.weights.flags.c_contiguous
    return kernel


def refusal(name: str, content: str | bytes) -> str:
    """Return the message of the refusal, which names the file and is one line."""
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(KernelError) as caught:
        load_kernel(f"./{name}")
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    return message.removeprefix(f"{name}: ")


# Rows of numbers


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "1 2 3\n4 5 6\n"),
        ("k.csv", "1,2,3\n4,5,6\n"),
        ("k.tsv", "1\t2\t3\n4\t5\t6\n"),
        ("k", "1 2 3\n4 5 6"),
        ("k.txt", "1,2,3\r\n4,5,6\r\n"),
        ("k.txt", "\ufeff1 2 3\n4 5 6\n"),
        ("k.txt", "# a comment\n\n1 2 3 # the first row\n# between\n4 5 6\n"),
        ("k.csv", " 1, 2, 3\n 4, 5, 6\n"),
        ("k.txt", "2/2 4/2 9/3\n8/2 5/1 12/2"),
    ],
    ids=["spaces", "commas", "tabs", "no-suffix", "CRLF", "byte-order-mark", "comments", "padded", "fractions"],
)
def test_rows_of_numbers_are_read_as_they_are_drawn(name: str, text: str) -> None:
    np.testing.assert_array_equal(read(name, text).weights, [[1, 2, 3], [4, 5, 6]])


def test_fractions_are_divided_once() -> None:
    np.testing.assert_array_equal(read("k.txt", "1/9 -1/3\n1.5/4 1e2/8").weights, [[1 / 9, -1 / 3], [0.375, 12.5]])


def test_a_blank_line_starts_the_next_channel_on_the_last_axis() -> None:
    weights = read("k.txt", "1 2 3\n4 5 6\n\n7 8 9\n10 11 12\n\n0 0 0\n0 0 1\n").weights
    assert weights.shape == (2, 3, 3)
    np.testing.assert_array_equal(weights[:, :, 0], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(weights[:, :, 1], [[7, 8, 9], [10, 11, 12]])
    np.testing.assert_array_equal(weights[:, :, 2], [[0, 0, 0], [0, 0, 1]])


def test_the_first_comment_is_the_description_and_the_source_is_told_apart() -> None:
    kernel = read("k.txt", "# source: a book\n# what it does\n# and more\n1 2\n# a late one\n3 4\n")
    assert kernel.description == "what it does"
    assert kernel.source == "a book"
    assert kernel.offset == 0


def test_a_file_without_comments_has_no_description() -> None:
    kernel = read("k.txt", "1 2\n3 4\n")
    assert (kernel.description, kernel.source) == ("", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("1 2\n3 x\n", "line 2, column 3: 'x' is not a number", id="a-word"),
        pytest.param("# c\n1 2\n\n3 nan\n", "line 4, column 3: 'nan' is not a number", id="nan"),
        pytest.param("inf 2\n", "line 1, column 1: 'inf' is not a number", id="inf"),
        pytest.param("1 2/0\n", "line 1, column 3: '2/0' divides by zero", id="divided-by-zero"),
        pytest.param("1,,2\n", "line 1, column 3: '' is not a number", id="an-empty-cell"),
        pytest.param("1 2\n3\n", "line 2", id="ragged"),
        pytest.param("1 2\n\n3 4\n5 6\n", "channel 2 has 2 rows, channel 1 has 1", id="unequal-channels"),
        pytest.param("", "no row of numbers", id="empty"),
        pytest.param("# only a comment\n", "no row of numbers", id="only-a-comment"),
    ],
)
@pytest.mark.parametrize("name", ["k.txt", "k.csv"])
def test_a_wrong_text_is_refused_with_line_and_column(name: str, text: str, message: str) -> None:
    assert refusal(name, text).startswith(message)


@pytest.mark.parametrize("name", ["k.txt", "k.csv", "k.mat", "k"])
def test_bytes_that_are_no_text_are_refused(name: str) -> None:
    assert refusal(name, b"\x89PNG\r\n\x1a\n\xff").startswith("not a text")


# ImageMagick


@pytest.mark.parametrize(
    "text",
    [
        "3x2: 1,2,3 4,5,6",
        "3x2:1,2,3,4,5,6\n",
        "  3x2: 1 2 3 4 5 6",
        "3x2:\n  1,2,3\n  4,5,6\n",
        "3x2: 1, 2, 3\n4, 5, 6",
        "3x2: 1/1,4/2,3 4,5,12/2",
    ],
)
@pytest.mark.parametrize("name", ["k.txt", "k", "k.csv"])
def test_imagemagicks_size_is_width_by_height(name: str, text: str) -> None:
    np.testing.assert_array_equal(read(name, text).weights, [[1, 2, 3], [4, 5, 6]])


def test_imagemagicks_single_size_is_a_square() -> None:
    np.testing.assert_array_equal(read("k.txt", "2: 1,2,3,4").weights, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("3x3: 1 2 3", ["needs 9 numbers", "3 follow"], id="too-few"),
        pytest.param("1x1: 1 2", ["needs 1 number", "2 follow"], id="too-many"),
        pytest.param("3x1: 1,nan,3", ["'nan' is not a number"], id="nan"),
        pytest.param("3x1: 1,-,3", ["'-' is not a number"], id="a-hole"),
        pytest.param("3x3+1+1: 1 2 3 4 5 6 7 8 9", ["'+1+1'", "origin"], id="another-origin"),
        pytest.param("3x1@: 1 2 3", ["'@'", "rotates"], id="turned"),
        pytest.param("3x1>: 1 2 3", ["'>'", "rotates"], id="a-series"),
        pytest.param("0x0:", ["0x0"], id="no-size"),
        pytest.param("3x0:", ["3x0"], id="no-height"),
    ],
)
def test_a_wrong_imagemagick_kernel_is_refused_with_what_is_wrong(text: str, words: list[str]) -> None:
    message = refusal("k.txt", text)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("3x1: 1,x,3", "line 1, column 8: "),
        ("3x3: 1 2 3 4 5 x 7 8 9", "line 1, column 16: "),
        ("3x2:\n  1,2,3\n  4,x,6\n", "line 3, column 5: "),
    ],
)
def test_a_wrong_word_of_an_imagemagick_kernel_is_told_with_its_place_in_the_file(text: str, place: str) -> None:
    assert refusal("k.txt", text) == f"{place}'x' is not a number"


# libvips


@pytest.mark.parametrize(
    ("text", "offset", "scale"),
    [
        ("3 2\n1 2 3\n4 5 6\n", 0, 1),
        ("3 2 4\n1 2 3\n4 5 6\n", 0, 4),
        ("3 2 4 128\n1 2 3\n4 5 6\n", 128, 4),
        ("3 2 1 -0.5\n1 2 3\n4 5 6\n", -0.5, 1),
        ("3,2,8,1\n1,2,3\n4,5,6\n", 1, 8),
        ("3\t2\t-2\t0\n1\t2\t3\n4\t5\t6", 0, -2),
        ("3 2 4 128\r\n1 2 3\r\n\r\n4 5 6\r\n", 128, 4),
        ("3 2 1/9\n1 2 3\n4 5 6\n", 0, 1 / 9),
    ],
)
def test_libvips_divides_by_its_scale_and_adds_its_offset(text: str, offset: float, scale: float) -> None:
    kernel = read("k.mat", text)
    np.testing.assert_allclose(kernel.weights, np.array([[1, 2, 3], [4, 5, 6]]) / scale, rtol=1e-15)
    assert kernel.offset == offset


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", ["line 1", "width height"], id="empty"),
        pytest.param("3\n1 2 3\n", ["line 1", "width height"], id="no-height"),
        pytest.param("3 1 1 0 5\n1 2 3\n", ["line 1", "width height"], id="five-numbers"),
        pytest.param("3 1 0\n1 2 3\n", ["line 1", "scale is 0"], id="scale-0"),
        pytest.param("2 3\n1 2 3\n4 5 6\n", ["says 2 columns and 3 rows", "3 columns and 2 rows follow"], id="size"),
        pytest.param("3 2.5\n1 2 3\n4 5 6\n", ["says 3 columns and 2.5 rows"], id="half-a-row"),
        pytest.param("3 2\n1 2 3\n", ["3 columns and 1 row follow"], id="a-row-too-few"),
        pytest.param("3 2\n", ["no row"], id="no-row"),
        pytest.param("3 2\n1 2 3\n4 x 6\n", ["line 3, column 3: 'x' is not a number"], id="a-word"),
        pytest.param("3 2\n1 2 3\n4 nan 6\n", ["line 3, column 3: 'nan' is not a number"], id="nan"),
        pytest.param("3 2\n1 2 3\n4 5\n", ["line 3"], id="ragged"),
    ],
)
def test_a_wrong_libvips_matrix_is_refused_with_what_is_wrong(text: str, words: list[str]) -> None:
    message = refusal("k.mat", text)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("text", "place"), [("3 x\n1 2 3\n", "line 1, column 3: 'x'"), ("nan 1\n1\n", "line 1, column 1: 'nan'")]
)
def test_a_wrong_word_in_libvips_first_line_is_told_with_its_place(text: str, place: str) -> None:
    assert refusal("k.mat", text).startswith(place)


def test_a_scale_that_carries_weights_beyond_all_bounds_is_refused() -> None:
    reason = "weights divided by the scale 1e-300 are beyond the largest number that can be held"
    assert refusal("k.mat", "1 1 1e-300\n1e300\n") == f"line 1: {reason}"


# numpy


@pytest.mark.parametrize("shape", [(3, 3), (1, 7), (2, 3, 4), (3, 3, 1), (2, 3, 4, 5), (1, 1, 1, 1)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f8", "i1", "u2", ">i4", "u8", "?"])
def test_an_npy_of_two_to_four_dimensions_is_read_as_it_is(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.testing.assert_array_equal(read("k.npy", npy(array)).weights, array.astype(np.float64))


def test_an_npy_in_fortran_order_is_read_as_it_was() -> None:
    array = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    np.testing.assert_array_equal(read("k.npy", npy(array)).weights, np.arange(24.0).reshape(2, 3, 4))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy_is_read(version: tuple[int, int]) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.eye(3), version)
    np.testing.assert_array_equal(read("k.npy", file.getvalue()).weights, np.eye(3))


@pytest.mark.parametrize("shape", [(), (3,), (1, 1, 1, 1, 1), (0, 3), (3, 0, 2)])
def test_an_npy_of_other_dimensions_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    message = refusal("k.npy", npy(np.ones(shape)))
    assert f"shape {shape}" in message
    assert "(kh, kw, in, out)" in message


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 2), np.complex128),
        np.full((2, 2), "a"),
        np.full((2, 2), b"a"),
        np.zeros((2, 2), "M8[s]"),
        np.zeros((2, 2), [("x", "f4")]),
        np.zeros((2, 2), np.longdouble),
    ],
    ids=["complex", "text", "bytes", "dates", "records", "long"],
)
def test_an_npy_of_what_is_no_real_number_is_refused(array: Array) -> None:
    kind = str(np.lib.format.dtype_to_descr(array.dtype))
    assert refusal("k.npy", npy(array)) == f"holds {kind!r}; kernels are bool, integers, or floats of 16, 32 or 64 bits"


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "<i2", ">u4", "<i8", ">u8", "<f2", ">f4", "<f8", ">f8"])
def test_an_npy_of_numbers_of_any_type_is_read(dtype: str, tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([[0, 1], [1, 1]]).astype(dtype))
    assert load_kernel(str(tmp_path / "k.npy")).weights.tolist() == [[0, 1], [1, 1]]


def test_an_npy_of_python_objects_is_refused_and_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    array = np.empty((1, 1), object)
    array[0, 0] = Trap()
    assert refusal("k.npy", npy(array, allow_pickle=True)).startswith("holds '|O'; kernels are ")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_an_npy_with_a_number_that_is_not_finite_is_refused(number: float) -> None:
    array = np.ones((3, 3))
    array[1, 2] = number
    assert "nan or infinity" in refusal("k.npy", npy(array))


def test_an_npy_that_is_cut_anywhere_is_refused() -> None:
    data = npy(np.arange(12.0).reshape(3, 4))
    for length in range(len(data)):
        assert refusal("k.npy", data[:length]).startswith(("not a .npy file", "cut off: shape (3, 4) needs more than "))


@pytest.mark.parametrize("data", [b"", b"junk", b"1 2\n3 4\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_npy_is_refused_though_it_has_its_name(data: bytes) -> None:
    assert "not a .npy file" in refusal("k.npy", data)


_HEADER = "{{'descr': '<f8', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(npy_header("hello"), "not a .npy file", id="a-word"),
        pytest.param(npy_header("[1, 2]"), "not a .npy file", id="a-list"),
        pytest.param(npy_header("{'shape': (1, 1)}", bytes(8)), "holds 'None'; kernels are ", id="no-type"),
        pytest.param(npy_header("{'descr': '<f8'}", bytes(8)), "not a .npy file", id="no-shape"),
        pytest.param(npy_header("((((("), "not a .npy file", id="open-brackets"),
        pytest.param(npy_header("\0\0\0\0\0"), "not a .npy file", id="zeros"),
        pytest.param(npy_header("-" * 3000 + "1"), "not a .npy file", id="deeply-nested"),
        pytest.param(npy_header(_HEADER.format("5"), bytes(64)), "not a .npy file", id="a-shape-of-one-number"),
        pytest.param(npy_header(_HEADER.format("(1.5, 3)"), bytes(64)), "not a .npy file", id="a-broken-size"),
        pytest.param(
            npy_header(_HEADER.format("(-1, -3)"), bytes(64)), "shape (-1, -3); a kernel is ", id="negative-sizes"
        ),
        pytest.param(npy_header(_HEADER.format("'33'"), bytes(72)), "not a .npy file", id="a-shape-of-text"),
        pytest.param(
            npy_header(_HEADER.format("(1, 1)").replace("f8", "f3"), bytes(8)),
            "holds '<f3'; kernels are ",
            id="no-such-type",
        ),
        pytest.param(
            npy_header(_HEADER.format("(1, 1)") + " " * 20_000, bytes(8)),
            "not a whole .npy file of numbers (",
            id="a-long-header",
        ),
        pytest.param(b"\x93NUMPY\x09\x00" + npy(np.eye(2))[8:], "not a .npy file", id="an-unknown-version"),
    ],
)
def test_an_npy_with_a_damaged_header_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    assert refusal("k.npy", data).startswith(reason)


def test_an_npy_that_promises_more_than_any_memory_holds_is_refused() -> None:
    message = refusal("k.npy", npy_header(_HEADER.format((10**8, 10**8)), bytes(64)))
    assert message == "cut off: shape (100000000, 100000000) needs more than the 64 bytes that follow"


@pytest.mark.parametrize("name", ["missing.npy", "missing.txt", "missing.mat"])
def test_a_file_that_is_not_there_is_refused_with_the_systems_reason(name: str) -> None:
    with pytest.raises(KernelError, match=f"^{name}: No such file or directory$"):
        kernel_shape(name)


@given(data=st.binary(max_size=60), start=st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"]))
def test_any_bytes_have_a_shape_or_are_refused_in_one_line(
    data: bytes, start: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.npy"
    path.write_bytes(start + data)
    try:
        outcome = f"{path}: {len(npy_shape(path))} dimensions"
    except KernelError as error:
        outcome = str(error)
    assert outcome.startswith(f"{path}: ")
    assert "\n" not in outcome
