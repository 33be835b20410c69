"""The classes that a network finds most likely, as lines of text."""

import io
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError, OutputError, ShapeError
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
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error
    except UnicodeDecodeError as error:
        raise ImageFileError("not a text in UTF-8", path=path) from error
    labels = tuple(line.strip() for line in text.rstrip().splitlines())
    if not labels:
        raise ImageFileError("holds no names of classes, a line each", path=path)
    return labels


def rank(values: Array, ranking: Ranking, path: str | PurePath) -> tuple[bytes, str]:
    """Return the largest of values, (length,) or (1, 1, length), with their classes, and a warning or the empty string.

    The largest is the first line; classes without names are counted from 0; columns are parted by the file's suffix.
    Raises a `ShapeError` if the values are no vector, or there are not as many names as values, and an `OutputError` if
    the file is no text.
    """
    separator = find_format(path).separator
    if not separator:
        raise OutputError("--top writes lines of text, into .txt, .csv or .tsv", path=path)
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
        warning = "the values do not add up to 1: scores, of which softmax at the end would make probabilities"
    order = np.argsort(-vector, kind="stable")[: ranking.top]
    names = [ranking.labels[place] if ranking.labels else str(place) for place in order]
    rows = [(name, f"{vector[place]:.6g}") for name, place in zip(names, order, strict=True)]
    if separator == " ":
        return "".join(f"{line}\n" for line in align(rows)).encode(), warning
    import csv  # noqa: PLC0415  a text goes without

    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n").writerows(rows)
    return file.getvalue().encode(), warning
