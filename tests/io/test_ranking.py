"""The largest values of a vector with their classes, as data and as lines of text."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.compute.classes import Class, Ranking, rank, read_labels, write_classes
from cnnfilter.errors import ImageFileError, OutputError, ShapeError

PROBABILITIES = np.array([0.125, 0.5, 0.25, 0.0625, 0.0625], dtype=np.float32)
LABELS = ("a", "bird", "cat", "dog", "elk")


def lines(values: Array, ranking: Ranking, path: str = "-.txt") -> list[str]:
    """Return the lines for values that bring no warning."""
    classes, note = rank(values, ranking)
    data = write_classes(classes, path)
    assert note == ""
    assert data.endswith(b"\n")
    return data.decode().splitlines()


def test_the_largest_come_first_and_classes_are_counted_from_0() -> None:
    assert lines(PROBABILITIES, Ranking(3)) == ["1  0.5", "2  0.25", "0  0.125"]


def test_of_equal_values_the_first_class_comes_first() -> None:
    assert [line[0] for line in lines(PROBABILITIES, Ranking(5))] == ["1", "2", "0", "3", "4"]


def test_all_are_listed_where_more_are_asked_for() -> None:
    assert len(lines(PROBABILITIES, Ranking(99))) == 5


def test_labels_stand_for_the_classes_in_a_column() -> None:
    assert lines(PROBABILITIES, Ranking(3, LABELS)) == ["bird  0.5", "cat   0.25", "a     0.125"]


@pytest.mark.parametrize(
    ("path", "line"),
    [("top.csv", "bird,0.5"), ("TOP.CSV", "bird,0.5"), ("a.b/top.tsv", "bird\t0.5"), ("-.txt", "bird  0.5")],
)
def test_the_suffix_parts_the_columns(path: str, line: str) -> None:
    assert lines(PROBABILITIES, Ranking(1, LABELS), path) == [line]


def test_a_comma_in_a_label_parts_no_column() -> None:
    labels = ("a", "tench, Tinca tinca", "c", "d", "e")
    assert lines(PROBABILITIES, Ranking(1, labels), "top.csv") == ['"tench, Tinca tinca",0.5']


def test_people_get_four_digits_and_tables_six() -> None:
    thirds = np.array([1 / 3, 2 / 3])
    assert lines(thirds, Ranking(2)) == ["1  0.6667", "0  0.3333"]
    assert lines(thirds, Ranking(2), "top.csv") == ["1,0.666667", "0,0.333333"]


def test_what_is_below_1_is_not_rounded_up_to_it() -> None:
    assert lines(np.array([1 - 3e-6, 3e-6]), Ranking(2)) == ["0  0.999997", "1  3e-06"]
    assert lines(np.array([0.0, 1.0]), Ranking(1)) == ["1  1"]


def test_as_data_a_class_has_its_name_its_place_and_every_digit() -> None:
    classes, _ = rank(np.array([0.1, 0.9], np.float32), Ranking(1, ("a", "b")))
    assert classes == [Class(name="b", index=1, value=float(np.float32(0.9)))]


def test_a_map_of_one_pixel_is_a_vector() -> None:
    assert lines(PROBABILITIES.reshape(1, 1, 5), Ranking(1)) == ["1  0.5"]


@pytest.mark.parametrize("shape", [(5, 1), (1, 5, 1), (2, 2, 5), (2, 5)])
def test_a_picture_has_no_classes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="flatten makes one"):
        rank(np.zeros(shape), Ranking(1))


@pytest.mark.parametrize("count", [4, 6])
def test_there_are_as_many_labels_as_classes(count: int) -> None:
    labels = (*LABELS, "fox")[:count]
    with pytest.raises(ShapeError, match=f"names.txt has {count} lines, and the network gives 5 classes"):
        rank(PROBABILITIES, Ranking(1, labels, "names.txt"))


@pytest.mark.parametrize("values", [[0.5, 0.6], [1.5, -0.5], [3.0, -2.0], [0.0, 0.0]])
def test_scores_are_said_to_be_no_probabilities(values: list[float]) -> None:
    _, note = rank(np.array(values), Ranking(1))
    assert "softmax" in note


def test_probabilities_need_not_add_up_to_the_last_digit() -> None:
    assert lines(PROBABILITIES * np.float32(1.0004), Ranking(1))


def test_labels_are_the_lines_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffbird \r\n\r\nÄlg\n  cat, black\n\n\n".encode())
    assert read_labels(path) == ("bird", "", "Älg", "cat, black")


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "holds no names"), (b"\n \n", "holds no names"), (b"\xff\xfe", "not a text in UTF-8")]
)
def test_a_file_without_labels_is_an_error_that_names_it(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(data)
    with pytest.raises(ImageFileError, match=f"labels.txt: {reason}"):
        read_labels(path)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"none.txt: No such file"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(ImageFileError, match="Is a directory"):
        read_labels(tmp_path)


@pytest.mark.parametrize("path", ["top.png", "top.npy", "-.png"])
def test_a_list_is_a_text(path: str) -> None:
    with pytest.raises(OutputError, match=r"\.txt, \.csv or \.tsv"):
        write_classes([Class(name="a", index=0, value=1.0)], path)
