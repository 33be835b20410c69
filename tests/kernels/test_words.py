"""Kernel words: which of them is a matrix, a name, a file, in which order, and what is none of them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.errors import KernelError
from cnnfilter.kernels.recipes import RECIPES
from cnnfilter.kernels.spec import (
    Made,
    describe,
    fixed_kernels,
    kernel_shape,
    list_kernels,
    load_kernel,
    names,
    never_negative,
    recognize,
)


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def refusal(word: str) -> str:
    """Return the message of the refusal, the same for the shape and for the array, and one line."""
    with pytest.raises(KernelError) as caught:
        kernel_shape(word)
    with pytest.raises(KernelError) as again:
        load_kernel(word)
    assert str(caught.value) == str(again.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The order


@pytest.mark.parametrize(
    ("word", "rows"),
    [
        ("0.997", [[0.997]]),
        ("-1", [[-1]]),
        ("1/9", [[1 / 9]]),
        ("1 2 3", [[1, 2, 3]]),
        ("1,2,3", [[1, 2, 3]]),
        ("1;2;3", [[1], [2], [3]]),
        ("0 -1 0; -1 5 -1; 0 -1 0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("1/2, 1e-3; .5, +2.", [[0.5, 0.001], [0.5, 2]]),
        ("  1 2 ; 3 4  ", [[1, 2], [3, 4]]),
    ],
)
def test_numbers_fractions_commas_and_semicolons_are_the_matrix_itself(word: str, rows: list[list[float]]) -> None:
    assert recognize(word) == word
    assert kernel_shape(word) == (len(rows), len(rows[0]))
    np.testing.assert_array_equal(load_kernel(word).weights, rows)


@pytest.mark.parametrize("word", ["0.997", "5", "1e5"])
def test_a_number_is_a_matrix_even_where_a_file_has_its_name(word: str) -> None:
    Path(word).write_text("1 2\n3 4\n")
    assert kernel_shape(word) == (1, 1)


@pytest.mark.parametrize("name", ["emboss", "box:3", "gaussian:sigma=2.5"])
def test_a_known_name_is_that_kernel_even_where_a_file_has_its_name(name: str) -> None:
    expected = load_kernel(name).weights
    Path(name).write_text("1 2\n3 4\n")
    np.testing.assert_array_equal(load_kernel(name).weights, expected)


@pytest.mark.parametrize("name", ["emboss", "gaussian", "5"])
def test_a_leading_point_and_stroke_force_the_file(name: str) -> None:
    Path(name).write_text("1 2\n3 4\n")
    assert recognize(f"./{name}") == Path(name)
    np.testing.assert_array_equal(load_kernel(f"./{name}").weights, [[1, 2], [3, 4]])


def test_a_leading_point_and_stroke_force_a_file_with_a_semicolon_in_its_name() -> None:
    Path("a;b.txt").write_text("1 2\n3 4\n")
    assert kernel_shape("./a;b.txt") == (2, 2)


@pytest.mark.parametrize("word", ["mine", "my-kernel", "mine.txt", "folder/mine", "folder.d/mine.csv"])
def test_a_stroke_a_point_or_its_being_there_makes_a_file(word: str) -> None:
    Path(word).parent.mkdir(exist_ok=True)
    Path(word).write_text("1,2,3\n")
    assert recognize(word) == Path(word)
    assert kernel_shape(word) == (1, 3)


@pytest.mark.parametrize("word", ["missing.txt", "folder/missing", "./emboss"])
def test_a_file_that_is_not_there_is_named_with_the_reason(word: str) -> None:
    assert refusal(word) == f"{Path(word)}: No such file or directory"


@pytest.mark.parametrize("word", ["kernel.json", "./kernel.png", "folder.d/kernel.xml"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_there_are(word: str) -> None:
    message = refusal(word)
    assert message.startswith(f"{Path(word)}: ")
    assert all(suffix in message for suffix in (".txt", ".csv", ".tsv", ".mat", ".npy"))


def test_suffixes_of_files_may_be_upper_case() -> None:
    Path("A.TXT").write_text("1 2\n")
    Path("B.CSV").write_text("1,2\n")
    np.save(Path("c.npy"), np.ones((1, 2)))
    Path("c.npy").rename("C.NPY")
    assert [kernel_shape(word) for word in ("A.TXT", "B.CSV", "C.NPY")] == [(1, 2)] * 3


def test_a_folder_is_no_kernel() -> None:
    Path("folder").mkdir()
    assert refusal("folder") == "folder: Is a directory"


@pytest.mark.parametrize("word", ["0 -1 0; -1 5 -1; 0 -1 0", "1,2;3,4", "1/9", "-0.5", "1e-3 2E5", ".5 +1"])
def test_an_inline_matrix_is_one_even_where_a_file_has_its_text_as_name(word: str) -> None:
    assert recognize(word) == word
    Path(word).parent.mkdir(exist_ok=True)
    Path(word).write_text("1 2\n3 4\n")
    recognize.cache_clear()
    assert recognize(word) == word


@pytest.mark.parametrize("word", ["sobel-x", "gaussian:15:2.5", "./5", "folder/mine.txt"])
def test_every_other_kernel_is_made_or_a_file(word: str) -> None:
    assert isinstance(recognize(word), Made | Path)


SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


@pytest.mark.parametrize(
    ("word", "rows"),
    [
        ("[[0,-1,0],[-1,5,-1],[0,-1,0]]", SHARPEN),
        (" [ [0, -1, 0],\n [-1, 5, -1],\n [0, -1, 0] ] ", SHARPEN),
        ("[[1]]", [[1]]),
        ("[[1/4, .5, 2e0]]", [[0.25, 0.5, 2]]),
        ("3x3: 0,-1,0 -1,5,-1 0,-1,0", SHARPEN),
        ("3x3:0 -1 0 -1 5 -1 0 -1 0", SHARPEN),
        ("3x2: 1,2,3 4,5,6", [[1, 2, 3], [4, 5, 6]]),
        ("0 , -1 ,0;-1 5 -1; 0,-1,0", SHARPEN),
    ],
)
def test_json_and_imagemagicks_size_first_are_the_matrix_itself(word: str, rows: list[list[float]]) -> None:
    assert recognize(word) == word
    assert kernel_shape(word) == (len(rows), len(rows[0]))
    np.testing.assert_array_equal(load_kernel(word).weights, rows)


def test_json_is_read_as_the_json_library_reads_it() -> None:
    text = json.dumps(np.random.default_rng(0).normal(size=(4, 5)).tolist())
    np.testing.assert_array_equal(load_kernel(text).weights, json.loads(text))


@pytest.mark.parametrize("word", ["Sharpen", "GAUSSIAN:15:2.5", "Gaussian:Sigma=2.5", "USM:2"])
def test_names_have_no_case(word: str) -> None:
    expected = load_kernel(word.lower()).weights
    Path(word).write_text("1 2\n3 4\n")
    np.testing.assert_array_equal(load_kernel(word).weights, expected)
    Path("Blur").write_text("1 2\n")
    assert load_kernel("./Blur").weights.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("word", "listed"),
    [
        ("sobel-x,sobel-y", ["sobel-x", "sobel-y"]),
        ("Sobel-X, gaussian:15:2.5 ,usm:2", ["sobel-x", "gaussian:15:2.5", "usm:2"]),
        ("mine,sharpen", ["mine", "sharpen"]),
        ("mine,other.txt", ["mine", "other.txt"]),
        ("sharpen,missing.txt", ["sharpen", "missing.txt"]),
        ("sharpen", ["sharpen"]),
        ("Blur", ["blur"]),
        ("mine", ["mine"]),
        ("./Mine,mine", ["./Mine,mine"]),
        ("1,2,3", ["1,2,3"]),
        ("1, 2; 3, 4", ["1, 2; 3, 4"]),
        ("[[1,2],[3,4]]", ["[[1,2],[3,4]]"]),
        ("3x1: 1,2,3", ["3x1: 1,2,3"]),
        ("foo,bar", ["foo,bar"]),
    ],
)
def test_names_and_files_separated_by_commas_are_a_list(word: str, listed: list[str]) -> None:
    Path("mine").write_text("1 2\n")
    Path("Mine,mine").write_text("1 2\n")
    assert list_kernels(word) == listed


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("1 2 1,sobel-x", "'1 2 1' in the list '1 2 1,sobel-x' is a matrix, which needs a -k of its own"),
        ("sobel-x,,sobel-y", "'' in the list 'sobel-x,,sobel-y' is not a kernel"),
    ],
)
def test_a_list_holds_names_and_files_alone(word: str, reason: str) -> None:
    with pytest.raises(KernelError, match=re.escape(reason)):
        list_kernels(word)


def test_a_list_is_refused_where_one_kernel_is_needed() -> None:
    assert refusal("gaussian:5,sobel-x") == "'gaussian:5,sobel-x' is a list of kernels, and one kernel is needed here"


# Mistakes


@pytest.mark.parametrize(
    ("word", "pointer"),
    [
        ("median", "`cnnfilter pool -m median --size 3 -s 1 -p same`, in a network medianpool:3,s1,same"),
        ("Median:5", "`cnnfilter pool -m median --size 5 -s 1 -p same`, in a network medianpool:5,s1,same"),
        ("blur:5", "; box:5 does that"),
        ("mean", "; box:N does that"),
        ("unsharp:2", "; usm:2 does that"),
        ("unsharp:2:0.5", "; usm:2:0.5 does that"),
        ("unsharp:a", "; usm:SIGMA:AMOUNT does that"),
        ("gaussian:2.5", "; gaussian:sigma=2.5 chooses N"),
    ],
)
def test_a_word_of_another_program_is_answered_with_ours(word: str, pointer: str) -> None:
    assert refusal(word).endswith(pointer)


@pytest.mark.parametrize("word", ["0 -1 0, -1 5 -1, 0 -1 0", "1,2 3", "1 2; 3, 4 5"])
def test_commas_in_some_gaps_and_blanks_alone_in_others_are_refused(word: str) -> None:
    assert "commas separate some numbers, blanks alone others; `;` ends a row" in refusal(word)
    Path("mixed.txt").write_text(f"1 2 3\n{word.rpartition(';')[2]}\n")
    assert "mixed.txt: line 2, column" in refusal("mixed.txt")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("[1,2,3]", "a matrix in brackets has two dimensions, such as [[0,-1,0],"),
        ("[[[1]]]", "a matrix in brackets has two dimensions"),
        ("[[1,2],[3,4]", "a matrix in brackets has two dimensions"),
        ("[[1,2],[3]]", "row 2 has 1 number, row 1 has 2; all rows need the same length"),
        ("[[1,x]]", "row 1: 'x' is not a number"),
        ("3x3: 1,2,3", "3x3 needs 9 numbers, but 3 follow"),
        ("3x1+1+0: 1,2,3", "'+1+0' moves the origin"),
    ],
)
def test_a_wrong_matrix_in_another_form_is_refused(word: str, reason: str) -> None:
    assert reason in refusal(word)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("sobelx", "sobel-x"),
        ("sobel_x", "sobel-x"),
        ("gausian", "gaussian"),
        ("gausian:15", "gaussian"),
        ("gausian:n=15:sigma=200", "gaussian"),
        ("lapacian-4", "laplacian-4"),
        ("embos", "emboss"),
        ("line-verticle:15", "line-vertical"),
        ("kirsch-nn", "kirsch-n"),
        ("sharpen ", "sharpen"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(word: str, near: str) -> None:
    message = refusal(word)
    assert message.startswith(f"unknown kernel {word!r}; nearest: ")
    assert near in re.split(r"nearest: |, |; ", message)
    assert message.endswith("`cnnfilter kernels` lists all")


@pytest.mark.parametrize("word", ["qqqq", " ", ",", "nan", "inf", "1_0", "0x10"])
def test_a_name_that_is_like_none_is_refused_without_a_guess(word: str) -> None:
    assert refusal(word) == f"unknown kernel {word!r}; `cnnfilter kernels` lists all"


def test_an_empty_word_is_no_kernel() -> None:
    assert "unknown kernel ''" in refusal("")


@pytest.mark.parametrize("word", ["sobel-x:3", "emboss:n=3", "blur:"])
def test_a_fixed_kernel_takes_no_argument(word: str) -> None:
    message = refusal(word)
    assert repr(word) in message
    assert "gives it an argument" in message


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("1 2; 3", ["row 2 has 1 number", "row 1 has 2"]),
        ("1 2; x 3", ["row 2: 'x' is not a number"]),
        ("1 2; nan 3", ["row 2: 'nan' is not a number"]),
        ("1 1/0", ["row 1: '1/0' divides by zero"]),
        ("1 1e999", ["row 1: '1e999' is beyond"]),
        ("1,,2", ["row 1: '' is not a number"]),
        (";", ["row 1"]),
    ],
)
def test_a_wrong_inline_matrix_is_refused_with_its_text_and_row(word: str, words: list[str]) -> None:
    message = refusal(word)
    assert message.startswith(f"kernel {word!r}: row ")
    assert [part for part in words if part not in message] == []


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("box", ["box:N", "N is missing"]),
        ("gaussian", ["gaussian:N:SIGMA", "N is missing; an example is gaussian:13:2"]),
        ("log:sigma=2", ["log:N:SIGMA", "N is missing"]),
        ("motion:5", ["motion:N:ANGLE", "ANGLE is missing"]),
        ("dog:9:1", ["dog:N:S1:S2", "S2 is missing"]),
        ("gabor:9:2:0", ["gabor:N:SIGMA:ANGLE:WAVELENGTH", "WAVELENGTH is missing"]),
        ("box:", ["box:N", "n: '' is not a number"]),
        ("box:x", ["box:N", "n: 'x' is not a number"]),
        ("box:nan", ["n: 'nan' is not a number"]),
        ("gaussian:9:1/0", ["sigma: '1/0' divides by zero"]),
        ("box:0", ["N is 0", "from 1 to"]),
        ("box:-3", ["N is -3", "from 1 to"]),
        ("box:2.5", ["N is 2.5", "whole number"]),
        ("box:100000000", ["N is 100000000", "from 1 to"]),
        ("gaussian:sigma=1e6", ["N is 6000001", "from 1 to"]),
        ("gaussian:9:0", ["sigma is 0", "above 0"]),
        ("log:9:-1", ["sigma is -1", "above 0"]),
        ("dog:9:1:0", ["s2 is 0", "above 0"]),
        ("gabor:9:2:0:-4", ["wavelength is -4", "above 0"]),
        ("box:3:4", ["box:N", "'4' is one argument too many"]),
        ("box:n=3:n=4", ["argument 'n' is given twice"]),
        ("box:3:n=4", ["argument 'n' is given twice"]),
        ("box:m=3", ["box:N", "argument 'm' is unknown"]),
        ("gaussian:sgima=2", ["argument 'sgima' is unknown; nearest: sigma"]),
        ("motion:9:angel=3", ["argument 'angel' is unknown; nearest: angle"]),
    ],
)
def test_a_wrong_argument_is_refused_with_how_the_kernel_is_called(word: str, words: list[str]) -> None:
    message = refusal(word)
    assert message.startswith(word.partition(":")[0] + ":N")
    assert [part for part in words if part not in message] == []


def test_a_sigma_beyond_all_bounds_is_refused_as_every_other() -> None:
    assert "gaussian:N:SIGMA" in refusal("gaussian:sigma=1e308")


# Arguments


@pytest.mark.parametrize(
    ("word", "arguments"),
    [
        ("box:5", {"n": 5}),
        ("box:n=5", {"n": 5}),
        ("box:5.0", {"n": 5}),
        ("box:10/2", {"n": 5}),
        ("gaussian:15:2.5", {"n": 15, "sigma": 2.5}),
        ("gaussian:15", {"n": 15, "sigma": 2.5}),
        ("gaussian:sigma=2.5", {"n": 15, "sigma": 2.5}),
        ("gaussian:sigma=2.5:n=5", {"n": 5, "sigma": 2.5}),
        ("gaussian:sigma=1", {"n": 7, "sigma": 1}),
        ("gaussian:sigma=7/6", {"n": 7, "sigma": 7 / 6}),
        ("gaussian:sigma=1.2", {"n": 9, "sigma": 1.2}),
        ("gaussian:sigma=0.1", {"n": 1, "sigma": 0.1}),
        ("log:12", {"n": 12, "sigma": 2}),
        ("log:9:1.4", {"n": 9, "sigma": 1.4}),
        ("motion:9:-45", {"n": 9, "angle": -45}),
        ("motion:angle=30:n=9", {"n": 9, "angle": 30}),
        ("dog:9:1:2", {"n": 9, "s1": 1, "s2": 2}),
        ("usm:2", {"n": 13, "sigma": 2, "amount": 1}),
        ("usm:1.2:0.5", {"n": 9, "sigma": 1.2, "amount": 0.5}),
        ("usm:2:size=5", {"n": 5, "sigma": 2, "amount": 1}),
        ("usm:size=5:amount=3/2:sigma=1", {"n": 5, "sigma": 1, "amount": 1.5}),
        ("gabor:21:4:30:8", {"n": 21, "sigma": 4, "angle": 30, "wavelength": 8}),
    ],
)
def test_arguments_are_taken_by_place_or_by_name(word: str, arguments: dict[str, float]) -> None:
    made = recognize(word)
    assert isinstance(made, Made)
    assert made.arguments == pytest.approx(arguments)
    assert list(made.arguments) == ["n", *(key for key in RECIPES[made.name].arguments if key != "n")]
    assert kernel_shape(word) == (arguments["n"], arguments["n"])


# Names


def test_names_are_all_fixed_and_made_kernels_in_alphabetical_order() -> None:
    listed = list(names())
    assert listed == sorted(listed)
    assert set(listed) == {*fixed_kernels(), *RECIPES}
    assert not fixed_kernels().keys() & RECIPES.keys()


def test_the_fixed_names_are_the_stems_of_the_files() -> None:
    (folder,) = {path.parent for path in fixed_kernels().values()}
    assert fixed_kernels() == {path.stem: path for path in folder.iterdir()}
    assert {path.suffix for path in folder.iterdir()} == {".txt"}


@pytest.mark.parametrize("name", list(names()))
def test_every_name_is_plain_words_joined_by_hyphens_and_has_one_line_of_description(name: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", name)
    assert re.fullmatch(r"\S.{10,118}\S", describe(name))


@pytest.mark.parametrize("name", ["nope", "nope.txt"])
def test_a_name_that_is_unknown_has_no_description(name: str) -> None:
    with pytest.raises(KernelError):
        describe(name)


# Signs


ARGUMENTS = {
    "gaussian": ":5",
    "motion": ":5:30",
    "log": ":5",
    "dog": ":5:1:2",
    "gabor": ":5:2:0:4",
}


@pytest.mark.parametrize("name", list(names()))
def test_what_never_is_negative_is_known_without_the_array(name: str) -> None:
    word = name if name in fixed_kernels() else name + ARGUMENTS.get(name, ":5")
    assert never_negative(word) == bool((load_kernel(word).weights >= 0).all())


@pytest.mark.parametrize(
    ("word", "never"),
    [
        ("1 0; 0 1", True),
        ("1 0; 0 -1", False),
        ("1 0;; 0 1", True),
        ("1 0;; 0 -1", False),
        ("1 0;;; 0 -1/2", False),
        ("-0", True),
    ],
)
def test_of_a_matrix_every_slice_and_map_is_looked_at(word: str, never: bool) -> None:
    assert never_negative(word) is never


# Slices and maps


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("1 2; 3 4", (2, 2)),
        ("1 2; 3 4;", (2, 2)),
        ("1 2; 3 4;;", (2, 2, 1)),
        ("1 2; 3 4;;;", (2, 2, 1, 1)),
        ("1 2;; 3 4", (1, 2, 2)),
        ("1 2;; 3 4;", (1, 2, 2)),
        ("1;;2;;3", (1, 1, 3)),
        ("1 2;;; 3 4", (1, 2, 1, 2)),
        ("1 2;; 3 4;;; 5 6;; 7 8;;; 9 0;; 1 2", (1, 2, 2, 3)),
        ("1 2\n3 4", (2, 2)),
        ("1 2\n3 4\n\n5 6\n7 8\n", (2, 2, 2)),
        ("1 2\r\n3 4\r\n\r\n5 6\r\n7 8\r\n", (2, 2, 2)),
        ("1 2;\n3 4;;\n5 6;\n7 8", (2, 2, 2)),
        ("1 2;;\n\n3 4", (1, 2, 2)),
        ("1 2;;;\n\n3 4", (1, 2, 1, 2)),
        ("1 2;;;\n3 4", (1, 2, 1, 2)),
    ],
)
def test_two_semicolons_part_slices_and_three_part_maps(word: str, shape: tuple[int, ...]) -> None:
    assert kernel_shape(word) == shape
    assert load_kernel(word).weights.shape == shape


def test_slices_and_maps_stand_in_memory_as_they_are_written() -> None:
    weights = load_kernel("1 2; 3 4; 5 6;; 7 8; 9 10; 11 12;;; 13 14; 15 16; 17 18;; 19 20; 21 22; 23 24").weights
    assert weights.flags.c_contiguous
    assert weights[:, :, 0, 0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert weights[:, :, 1, 0].tolist() == [[7, 8], [9, 10], [11, 12]]
    assert weights[:, :, 0, 1].tolist() == [[13, 14], [15, 16], [17, 18]]
    assert weights[:, :, 1, 1].tolist() == [[19, 20], [21, 22], [23, 24]]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("1 2;; 3", "all slices need the same number of rows, and rows of the same length"),
        ("1 2; 3 4;; 5 6", "all slices need the same number of rows, and rows of the same length"),
        ("1 2;;; 3 4; 5 6", "all slices need the same number of rows, and rows of the same length"),
        ("1 2;; 3 4;;; 5 6", "all maps need the same number of slices"),
        ("1 2;;; 3 4;; 5 6", "all maps need the same number of slices"),
        ("1 2;;;; 3 4", "row 1: '' is not a number"),
        (";; 1 2", "row 1: '' is not a number"),
        ("1 2; ; 3 4", "row 2: '' is not a number"),
        (";;", "row 1: '' is not a number"),
        ("1 2;; x 4", "row 1: 'x' is not a number"),
    ],
)
def test_uneven_slices_and_maps_are_refused(word: str, reason: str) -> None:
    message = refusal(word)
    assert message.startswith(f"kernel {word!r}: ")
    assert reason in message


def test_a_matrix_of_slices_is_a_matrix_itself() -> None:
    assert recognize("1 2;; 3 4") == "1 2;; 3 4"


def test_a_matrix_with_a_long_run_of_one_sign_is_read_at_once() -> None:
    assert kernel_shape("1" + " " * 100_000 + "2") == (1, 2)
    assert kernel_shape("1" + "\n" * 100_000 + "2") == (1, 1, 2)
    assert kernel_shape("1 2" + ";" * 100_000) == (1, 2, 1, 1)
