"""Receptive fields: which pixels of the input a value of some layer can depend on.

Along each axis they are an interval, followed through the layers as in Araujo, Norris and Sim, "Computing
receptive fields of convolutional neural networks", Distill (2019).
"""

from collections.abc import Iterable
from typing import NamedTuple

from cnnfilter.spec.geometry import Pair, Window


class Interval(NamedTuple):
    """Along one axis: the pixels `first` to `last` that output 0 sees; the next output sees those `step` further.

    Pixels are counted from the image's edge; below 0, and beyond its end, lies padding.
    """

    first: int
    last: int
    step: int

    def through(self, before: int, extent: int, stride: int) -> "Interval":
        """Return the span behind a window of `extent` values that starts `before` values early."""
        first = self.first - before * self.step
        return Interval(first, self.last + (extent - 1 - before) * self.step, self.step * stride)

    @property
    def length(self) -> int:
        """How many pixels it holds."""
        return self.last - self.first + 1


class Field(NamedTuple):
    """A receptive field, rows and columns."""

    rows: Interval
    columns: Interval

    def through(self, window: Window, height: int, width: int) -> "Field":
        """Return the field of what a window makes of (height, width) values that have this one.

        Examples
        --------
        >>> field = PIXEL.through(Window((7, 7), stride=(2, 2), padding=(3, 3, 3, 3)), 224, 224)
        >>> field.size, field.jump, field.first
        ((7, 7), (2, 2), (-3, -3))
        """
        top, left, _, _ = window.pads(height, width)
        return Field(
            self.rows.through(top, window.extent[0], window.stride[0]),
            self.columns.through(left, window.extent[1], window.stride[1]),
        )

    @property
    def size(self) -> Pair:
        """(height, width) in pixels of the input."""
        return self.rows.length, self.columns.length

    @property
    def jump(self) -> Pair:
        """How far the fields of two neighbouring values lie apart, (down, across)."""
        return self.rows.step, self.columns.step

    @property
    def first(self) -> Pair:
        """Where the field of the first value begins, (row, column); negative in the padding."""
        return self.rows.first, self.columns.first


PIXEL = Field(Interval(0, 0, 1), Interval(0, 0, 1))
"""What a pixel of the input sees: itself."""


def unite(fields: Iterable[Field | None]) -> Field | None:
    """Return the field of values that are made of several, None (the whole input) if one of them is.

    Where the steps differ the largest is taken, and the field is that of the first value.
    """
    known = []
    for field in fields:
        if field is None:
            return None
        known.append(field)
    return Field(_hull([field.rows for field in known]), _hull([field.columns for field in known]))


def _hull(spans: list[Interval]) -> Interval:
    return Interval(
        min(span.first for span in spans), max(span.last for span in spans), max(span.step for span in spans)
    )
