"""Errors: one line, and what they are about as data."""

import pickle
from pathlib import Path

import pytest

from cnnfilter.errors import CnnFilterError, ImageFileError, KernelError, MissingLibraryError, OutputError, TextError
from cnnfilter.io.matrices import decode_matrix
from cnnfilter.numbers import parse_table

KINDS = (CnnFilterError, ImageFileError, KernelError, MissingLibraryError, OutputError, TextError)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_names_its_path_and_carries_it_and_the_place(kind: type[CnnFilterError]) -> None:
    error = kind("is bad", path=Path("a/b.txt"), line=3, column=7)
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert (str(one), one.path, one.line, one.column) == ("a/b.txt: line 3, column 7: is bad", "a/b.txt", 3, 7)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_about_no_file_has_none(kind: type[CnnFilterError]) -> None:
    error = kind("is bad")
    assert (str(error), error.path, error.line, error.column) == ("is bad", None, None, None)


def test_a_table_says_where_it_is_wrong_in_words_and_as_numbers() -> None:
    with pytest.raises(TextError, match=r"^line 2, column 3: 'x'") as caught:
        parse_table("1 2\n3 x\n")
    assert (caught.value.path, caught.value.line, caught.value.column) == (None, 2, 3)
    with pytest.raises(ImageFileError, match=r"^a\.txt: line 2, column 3: 'x'") as told:
        decode_matrix(b"1 2\n3 x\n", "a.txt")
    assert (told.value.path, told.value.line, told.value.column) == ("a.txt", 2, 3)
