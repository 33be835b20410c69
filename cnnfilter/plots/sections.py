"""Which part of the input a panel of receptive fields shows, and where the frames' numbers can stand in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cnnfilter.plots.frames import Frame
from cnnfilter.spec.geometry import Pair

ZOOMED = 8
"""Frames so many times smaller than what is drawn are drawn again, larger, in a panel beside it."""


class Section(NamedTuple):
    """What a panel shows, in pixels: the first and last row, the first and last column, half a pixel around them."""

    top: float
    bottom: float
    left: float
    right: float

    @property
    def sides(self) -> tuple[float, float]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    def lies_within(self, frame: Frame) -> bool:
        """Return whether a frame goes around all that is shown, so that no side of it is."""
        (top, bottom), (left, right) = frame.rows, frame.columns
        return top < self.top and bottom > self.bottom and left < self.left and right > self.right


def choose_section(frames: Sequence[Frame], size: Pair) -> Section:
    """Return what is drawn: the input and all frames, but at most the input's own size beyond each of its sides."""
    spans = []
    for axis, side in enumerate(size):
        seen = [(frame.rows, frame.columns)[axis] for frame in frames]
        first = max(min([0, *(low for low, _ in seen)]), -side)
        last = min(max([side - 1, *(high for _, high in seen)]), 2 * side - 1)
        margin = 0.5 + 0.02 * (last - first)
        spans.append((first - margin, last + margin))
    return Section(*spans[0], *spans[1])


def choose_zoom(frames: Sequence[Frame], section: Section) -> Section | None:
    """Return what is drawn larger, around the small frames; None where all are large enough to be told apart."""
    small = [
        frame
        for frame in frames
        if frame.field.size[0] * ZOOMED <= section.sides[0] and frame.field.size[1] * ZOOMED <= section.sides[1]
    ]
    if not small:
        return None
    sides = []
    for axis in (0, 1):
        seen = [(frame.rows, frame.columns)[axis] for frame in small]
        first, last = min(low for low, _ in seen), max(high for _, high in seen)
        margin = 0.5 + max(1.0, 0.12 * (last - first))
        sides.append((first - margin, last + margin))
    return Section(*sides[0], *sides[1])


def corners_of(frame: Frame, section: Section) -> Iterator[tuple[float, float, str, str]]:
    """Yield where a frame's number could stand, (column, row), and which of the text's corners lies there."""
    (top, bottom), (left, right) = frame.rows, frame.columns
    for y, down in ((top - 0.5, "top"), (bottom + 0.5, "bottom")):
        for x, across in ((left - 0.5, "left"), (right + 0.5, "right")):
            inside = section.top <= y <= section.bottom, section.left <= x <= section.right
            if all(inside):
                yield x, y, across, down
            elif any(inside):  # the frame goes on beyond what is drawn
                yield min(max(x, section.left), section.right), min(max(y, section.top), section.bottom), across, down
