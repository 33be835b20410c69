"""The classes that a network finds most likely, as data and as lines of text."""

import io
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, TypedDict

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError, OutputError, ShapeError
from cnnfilter.io.atomic import read_text
from cnnfilter.io.formats import find_format
from cnnfilter.numbers import align

_SLACK = 1e-3
"""How far the sum of probabilities may lie from 1."""


class Ranking(NamedTuple):
    """How many classes are listed, the names of all of them in their order, and where these come from."""

    top: int
    labels: tuple[str, ...] = ()
    source: str = ""


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Return the names of classes, a line each, or raise an `ImageFileError` with the reason."""
    labels = tuple(line.strip() for line in read_text(path).rstrip().splitlines())
    if not labels:
        raise ImageFileError("holds no names of classes, a line each", path=path)
    return labels


class Class(TypedDict):
    """A class: its name, its place among all classes from 0, and the value that the network gives it."""

    name: str
    index: int
    value: float


def rank(values: Array, ranking: Ranking) -> tuple[list[Class], str]:
    """Return the classes of the largest values, (length,) or (1, 1, length), and a warning or the empty string.

    The largest is the first; classes without names are called by their index. Raises a `ShapeError` if the values are
    not a vector, or there are not as many names as values.
    """
    if values.size != values.shape[-1]:
        raise ShapeError(
            f"--top lists the classes of a vector, and the network gives {values.shape}; flatten makes one"
        )
    vector = values.ravel()
    if ranking.labels and len(ranking.labels) != vector.size:
        raise ShapeError(
            f"{ranking.source} has {len(ranking.labels)} lines, and the network gives {vector.size} classes"
        )
    warning = ""
    if vector.min() < 0 or abs(float(vector.sum()) - 1) > _SLACK:
        warning = "the values do not add up to 1: they are scores; with softmax at the end they are probabilities"
    order = np.argsort(-vector, kind="stable")[: ranking.top].tolist()
    names = ranking.labels or [str(place) for place in range(vector.size)]
    return [Class(name=names[place], index=place, value=float(vector[place])) for place in order], warning


def write_classes(classes: Sequence[Class], path: str | PurePath) -> bytes:
    """Return a line for each class, its name and its value, as the file's suffix says.

    In .csv and .tsv values have six digits, in columns for people four. Raises an `OutputError` if the file is not a
    text.
    """
    return _write_rows([[one] for one in classes], path)


def write_rankings(rankings: Sequence[Sequence[Class]], path: str | PurePath) -> bytes:
    """Return a line for each input of a batch: its index, then its classes, as `write_classes` writes them."""
    return _write_rows(rankings, path, numbered=True)


def _write_rows(rows: Sequence[Sequence[Class]], path: str | PurePath, *, numbered: bool = False) -> bytes:
    separator = find_format(path).separator
    if not separator:
        raise OutputError("--top writes lines of text, into .txt, .csv or .tsv", path=path)
    show = _show_value if separator == " " else "{:.6g}".format
    cells = [
        [*([str(number)] if numbered else []), *(cell for one in row for cell in (one["name"], show(one["value"])))]
        for number, row in enumerate(rows)
    ]
    if separator == " ":
        return "".join(f"{line}\n" for line in align(cells)).encode()
    import csv  # noqa: PLC0415  a text goes without

    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n").writerows(cells)
    return file.getvalue().encode()


def _show_value(value: float) -> str:
    """Return a value in four digits; in more where one below 1 would be rounded up to it.

    Examples
    --------
    >>> _show_value(1 / 3), _show_value(0.9999684), _show_value(1.0)
    ('0.3333', '0.99997', '1')
    """
    digits = 4
    while value < 1 and float(f"{value:.{digits}g}") == 1:
        digits += 1
    return f"{value:.{digits}g}"
