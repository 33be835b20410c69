"""Which pixels of the input one unit of each layer sees, as frames on the input; nothing of matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor
from typing import NamedTuple

from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import Field, Interval, Pair, show_pair
from cnnfilter.nn.network import Visit


class Frame(NamedTuple):
    """What a unit sees.

    Parameters
    ----------
    names
        The layers whose unit it is; more than one where they see the same.
    output
        (height, width) of what comes out of them.
    unit
        (row, column) of the unit in it.
    field
        The receptive field of the first unit, as `shape` reports it: its size, its jump, its first pixel.
    """

    names: tuple[str, ...]
    output: Pair
    unit: Pair
    field: Field

    @property
    def rows(self) -> Pair:
        """The first and the last row that the unit sees; below 0 and beyond the end lies padding."""
        return _seen(self.field.rows, self.unit[0])

    @property
    def columns(self) -> Pair:
        """The first and the last column that the unit sees."""
        return _seen(self.field.columns, self.unit[1])


class Frames(NamedTuple):
    """The frames in the order of the last of their layers, and the names of layers that see the whole input."""

    frames: tuple[Frame, ...]
    whole: tuple[str, ...]


def _seen(span: Interval, place: int) -> Pair:
    return span.first + place * span.step, span.last + place * span.step


def find_frames(visits: Iterable[Visit], unit: Pair | None = None) -> Frames:
    """Return what one unit of each layer sees: frames that lie in each other, as far as padding lets them.

    The unit is chosen in the last layer that sees a part of the input; in each layer before it is the one whose
    field has its middle nearest to the middle of the last one's.

    Parameters
    ----------
    visits
        The layers at work.
    unit
        (row, column) in the last layer, from 0; the middle one unless given.

    Raises
    ------
    ShapeError
        If the last layer has no such unit, or no layer sees a part of the input.
    """
    visits = list(visits)
    partial = [(visit, field) for visit in visits if (field := visit.outputs.field)]
    if not partial:
        raise ShapeError("no layer sees a part of the input, so there is no receptive field to draw")
    middle = _middle(*partial[-1], unit)
    found: dict[tuple[Pair, Field], list[str]] = {}
    for visit, field in partial:
        height, width = visit.outputs.shape[:2]
        key = (height, width), field
        found[key] = [*found.pop(key, []), visit.node.name]  # what meets at a block's end stands behind its branches
    frames = [Frame(tuple(names), size, _nearest(field, size, middle), field) for (size, field), names in found.items()]
    return Frames(tuple(frames), tuple(visit.node.name for visit in visits if visit.outputs.field is None))


def _middle(last: Visit, field: Field, unit: Pair | None) -> tuple[float, float]:
    """Return the middle of what a unit of the last layer sees, (row, column)."""
    height, width = last.outputs.shape[:2]
    row, column = unit or (height // 2, width // 2)
    if not (0 <= row < height and 0 <= column < width):
        raise ShapeError(
            f"--unit {row},{column}: {last.node.name}, the last layer with a receptive field, gives "
            f"{show_pair((height, width))}: rows 0 to {height - 1}, columns 0 to {width - 1}"
        )
    return sum(_seen(field.rows, row)) / 2, sum(_seen(field.columns, column)) / 2


def _nearest(field: Field, size: Pair, middle: Sequence[float]) -> Pair:
    """Return the unit whose field has its middle nearest to a place."""
    places = []
    for span, count, place in zip((field.rows, field.columns), size, middle, strict=True):
        unit = floor((place - (span.first + span.last) / 2) / span.step + 0.5)
        places.append(min(max(unit, 0), count - 1))
    return places[0], places[1]
