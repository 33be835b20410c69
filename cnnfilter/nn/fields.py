"""Receptive fields: what values see of the input, along both axes."""

from collections.abc import Callable, Iterable
from math import gcd, lcm
from typing import NamedTuple

from cnnfilter.nn.geometry import Pair

MOST_SPANS = 512
"""Spans of which no two are alike are followed up to this number; of more values all count as seeing the whole."""

Reach = Callable[[int], Pair | None]
"""Returns the (first, last) value before a layer that one of its values sees; None where it sees none."""


class Along(NamedTuple):
    """What the values along one axis see: each a (first, last) pixel of the input, None where it sees nothing.

    `spans` are those of the first values; those of as many values further on are `step` pixels further.

    Examples
    --------
    >>> Along(((0, 0), (0, 0)), 1).span(5)  # behind upsample:2
    (2, 2)
    """

    spans: tuple[Pair | None, ...]
    step: int

    def span(self, place: int) -> Pair | None:
        """Return the (first, last) pixel that a value sees."""
        times, rest = divmod(place, len(self.spans))
        found = self.spans[rest]
        return found and (found[0] + times * self.step, found[1] + times * self.step)

    @property
    def size(self) -> int:
        """The largest number of pixels that a value sees, from the first to the last; 0 if none sees any."""
        return max((span[1] - span[0] + 1 for span in self.spans if span), default=0)

    @property
    def jump(self) -> int | None:
        """How many pixels further the next value sees; None where that differs."""
        return self.step if len(self.spans) == 1 else None

    @property
    def pace(self) -> Pair:
        """(pixels, values): so many pixels further are so many values further, in lowest terms."""
        common = gcd(self.step, len(self.spans))
        return self.step // common, len(self.spans) // common

    def join(self, first: int, last: int) -> Pair | None:
        """Return what the values from the first to the last see together."""
        count = len(self.spans)
        if count == 1:  # the usual case
            return _unite((self.span(first), self.span(last)))
        ends = {*range(first, min(first + count, last + 1)), *range(max(first, last - count + 1), last + 1)}
        return _unite(map(self.span, ends))

    def behind(self, reach: Reach, outputs: int, inputs: int) -> "Along | None":
        """Return what the values of a layer see, None where too many differ.

        A value that is `outputs` further reaches what is `inputs` further.
        """
        times = lcm(inputs, len(self.spans)) // inputs
        if outputs * times > MOST_SPANS:
            return None
        reached = map(reach, range(outputs * times))
        spans = tuple(self.join(*ends) if ends else None for ends in reached)
        return _shorten(Along(spans, self.step * inputs * times // len(self.spans)))


def _unite(spans: Iterable[Pair | None]) -> Pair | None:
    known = [span for span in spans if span]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None


def _shorten(along: Along) -> Along:
    """Return the same with the fewest spans."""
    count = len(along.spans)
    for fewer in range(1, count):
        if count % fewer == 0 and along.step * fewer % count == 0:
            short = Along(along.spans[:fewer], along.step * fewer // count)
            if all(short.span(place) == along.spans[place] for place in range(count)):
                return short
    return along


class Field(NamedTuple):
    """What values see of the input, along the rows and along the columns.

    Pixels are counted from the image's edge; below 0, and beyond its end, is padding.
    """

    rows: Along
    columns: Along

    @property
    def size(self) -> Pair:
        """(height, width) in pixels of the input, the largest of any value."""
        return self.rows.size, self.columns.size

    @property
    def jump(self) -> Pair | None:
        """(down, across): how many pixels further the next value sees; None where that is not constant."""
        down, across = self.rows.jump, self.columns.jump
        return None if down is None or across is None else (down, across)

    @property
    def first(self) -> Pair:
        """The (row, column) where the field of the first value that sees a pixel begins."""
        top, left = (next((span[0] for span in along.spans if span), 0) for along in self)
        return top, left


PIXEL = Field(Along(((0, 0),), 1), Along(((0, 0),), 1))
"""What a pixel of the input sees: itself."""


def unite(fields: Iterable[Field | None]) -> Field | None:
    """Return the field of values that are made of several, None (the whole input) if one of them is.

    Where the values of some move over the input faster than others, the fastest is taken.
    """
    known = []
    for field in fields:
        if field is None:
            return None
        known.append(field)
    rows, columns = (_unite_along([field[axis] for field in known]) for axis in (0, 1))
    return Field(rows, columns) if rows and columns else None


def _unite_along(several: list[Along]) -> Along | None:
    count = lcm(*(len(along.spans) for along in several))
    if count > MOST_SPANS:
        return None
    step = max(along.step * (count // len(along.spans)) for along in several)
    return _shorten(Along(tuple(_unite(along.span(place) for along in several) for place in range(count)), step))
