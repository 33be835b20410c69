"""A volume with its border: padding, conversion and steps are made where it is read, not before."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.arrays import Array, Floats, float_type
from cnnfilter.compute.exact import WHITE
from cnnfilter.compute.threads import Memory
from cnnfilter.nn.geometry import Border, BorderMode, Pair, Sides, Window

Places = NDArray[np.intp]
"""For each padded row or column, which of the volume's it is; -1 stands for the border's value."""

_MOST_SUMMED = 2**24  # no engine adds up more pixels on the way to a result
_REFLECTING = {BorderMode.REFLECT, BorderMode.SYMMETRIC, BorderMode.WRAP}  # may reach for pixels of the other side


class Padded:
    """A volume (H, W, C) with padding around it, read in parts as numbers of one type.

    `sides` are the pixels added on the (top, left, bottom, right), `border` says what they hold. `shape` is that of
    what can be read, `follows_volume` says that it is the volume with its sides, and not some of its rows and columns.
    """

    def __init__(self, volume: Array, sides: Sides, border: Border, dtype: str) -> None:
        self.volume, self.sides, self.border, self.dtype = volume, sides, border, np.dtype(dtype)
        self.follows_volume = True
        height, width, channels = volume.shape
        self.shape = height + sides[0] + sides[2], width + sides[1] + sides[3], channels

    @cached_property
    def _rows(self) -> Places:
        return find_places(self.volume.shape[0], self.sides[0], self.sides[2], self.border.mode)

    @cached_property
    def _columns(self) -> Places:
        return find_places(self.volume.shape[1], self.sides[1], self.sides[3], self.border.mode)

    @cached_property
    def _across(self) -> list[tuple[slice, slice]]:
        return _find_runs(self._columns)

    def every(self, start: Pair, step: Pair) -> Padded:
        """Return every `step`-th padded row and column from `start` on."""
        if start == (0, 0) and step == (1, 1):
            return self
        part = self._some(slice(start[0], None, step[0]), slice(start[1], None, step[1]))
        part.follows_volume = False
        return part

    def _some(self, rows: slice, columns: slice) -> Padded:
        part = copy(self)
        part.__dict__.pop("_across", None)
        part._rows, part._columns = self._rows[rows], self._columns[columns]
        part.shape = len(part._rows), len(part._columns), self.shape[2]
        return part

    def channels(self, part: slice) -> Padded:
        """Return some of the channels."""
        if part.indices(self.shape[2]) == (0, self.shape[2], 1):
            return self
        some = copy(self)
        some.volume = self.volume[:, :, part]
        some.shape = *self.shape[:2], some.volume.shape[2]
        return some

    def in_own_type(self) -> Padded:
        """Return the same to be read as the volume's own 8 or 16 bits, if its border can be written in them."""
        limit = WHITE.get(self.volume.dtype)
        if limit is None or not (float(self.border.value).is_integer() and 0 <= self.border.value <= limit):
            return self
        own = copy(self)
        own.dtype = self.volume.dtype
        return own

    def whole(self) -> Floats:
        """Return all of it; the volume itself where that is the same."""
        if self.follows_volume and not any(self.sides):
            return np.asarray(self.volume.astype(self.dtype, copy=False))
        return self.read(slice(None), slice(None))

    def inner(self, cut: Sides) -> Padded:
        """Return what is left without some rows and columns on the (top, left, bottom, right)."""
        part = self._some(slice(cut[0], self.shape[0] - cut[2]), slice(cut[1], self.shape[1] - cut[3]))
        top, left, bottom, right = (side - less for side, less in zip(self.sides, cut, strict=True))
        part.sides = max(top, 0), max(left, 0), max(bottom, 0), max(right, 0)
        if self.follows_volume and min(top, left, bottom, right) < 0:
            height, width = self.volume.shape[:2]
            last = max(height + min(bottom, 0), 0), max(width + min(right, 0), 0)
            kept = self.volume[max(-top, 0) : last[0], max(-left, 0) : last[1]]
            if kept.size and self.border.mode not in _REFLECTING:
                return Padded(kept, part.sides, self.border, self.dtype.name)
            part.follows_volume = False
        return part

    @cached_property
    def finite(self) -> bool:
        """Whether no pixel is nan or infinite, or so large that sums on the way to a result may be."""
        return self._is_below(self._limit)

    def find_wild(self) -> NDArray[np.bool_]:
        """Return which pixels of the volume are nan or infinite, or so large that sums on the way may be, (H, W, C)."""
        return np.asarray(~(np.abs(self.volume) < self._limit))

    def without_wild(self) -> Padded:
        """Return the same with 0 for these pixels."""
        tamed = copy(self)
        tamed.volume = np.where(self.find_wild(), self.volume.dtype.type(0), self.volume)
        return tamed

    @property
    def _limit(self) -> float:
        return float(np.finfo(float_type(self.volume.dtype)).max) / _MOST_SUMMED

    def _is_below(self, limit: float) -> bool:
        """Return whether all magnitudes are below a limit; whole numbers are."""
        volume = self.volume
        if volume.dtype.kind != "f":
            return True
        if volume.flags.c_contiguous and volume.dtype.itemsize >= 4:
            flat = volume.reshape(-1)
            if float(np.dot(flat, flat)) < limit * limit:  # one pass, at the memory's own speed
                return True
        return max(float(volume.max(initial=0)), -float(volume.min(initial=0))) < limit

    @cached_property
    def ordered(self) -> bool:
        """Whether all pixels can be compared: whether none is nan."""
        return self.volume.dtype.kind != "f" or self.finite or not bool(np.isnan(self.volume).any())

    def peek(self, rows: slice, memory: Memory | None = None) -> Array:
        """Return whole rows, where they are if they are a part of the volume, or in `memory`: not to be written to."""
        if self.follows_volume and not (self.sides[1] or self.sides[3]) and self.volume.dtype == self.dtype:
            runs = _find_runs(self._rows[rows])
            if len(runs) == 1 and len(part := self.volume[runs[0][1]]) == len(self._rows[rows]):
                return part
        out = memory("source", len(self._rows[rows]), *self.shape[1:]) if memory else None
        return self.read(rows, slice(None), out)

    def read(self, rows: slice, columns: slice, out: Floats | None = None) -> Floats:
        """Return a part, (rows, columns, C), in `out` if it is given.

        At most a few slices are copied, each with the conversion on the way: as fast as OpenCV's `copyMakeBorder`,
        which takes neither all types nor parts of an image that see its other side.
        """
        wanted = self._rows[rows], self._columns[columns]
        values = np.empty((len(wanted[0]), len(wanted[1]), self.volume.shape[2]), self.dtype) if out is None else out
        down, across = _find_runs(wanted[0]), self._across if columns == slice(None) else _find_runs(wanted[1])
        _fill_ends(values, down, self.border.value)
        _fill_ends(values.swapaxes(0, 1), across, self.border.value)
        for into_rows, from_rows in down:
            for into_columns, from_columns in across:
                values[into_rows, into_columns] = self.volume[from_rows, from_columns]
        return values


def read_centres(
    volume: Array,
    window: Window,
    border: Border,
    dtype: np.dtype[Any] | None = None,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> Floats:
    """Return the pixels under the centre of each window, (H', W', C), or of some rows and columns, in a type."""
    padded = Padded(volume, window.pads(*volume.shape[:2]), border, (dtype or volume.dtype).name)
    output = window.output(*volume.shape[:2])
    centre = [(size - 1) // 2 * gap for size, gap in zip(window.size, window.dilation, strict=True)]
    rows, columns = (slice(*some.indices(count)) for some, count in zip(part, output, strict=True))
    return padded.every((centre[0], centre[1]), window.stride).read(rows, columns)


def find_places(size: int, before: int, after: int, mode: BorderMode) -> Places:
    """Return which row, or column, of `size` stands at each place of the padded ones; -1 is the border's value."""
    if mode is BorderMode.EDGE or mode in _REFLECTING:  # they have numpy's names
        return np.asarray(np.pad(np.arange(size), (before, after), mode=mode))  # type: ignore[call-overload]
    places = np.arange(-before, size + after)
    places[places >= size] = -1
    return np.maximum(places, -1)


def _find_runs(places: Places) -> list[tuple[slice, slice]]:
    """Return the runs of places that are a step apart: which ones, and what they take of the volume."""
    inside = np.flatnonzero(places >= 0)
    if not len(inside):
        return []
    start, end = int(inside[0]), int(inside[-1]) + 1
    steps = np.diff(places)
    if end - start > 1 and (step := int(steps[start])) > 0 and (steps[start : end - 1] == step).all():
        return [(slice(start, end), slice(int(places[start]), int(places[end - 1]) + 1, step))]
    breaks = (np.flatnonzero(np.diff(steps)) + 2).tolist()
    runs = []
    while start < end:
        stop = min(next((place for place in breaks if place > start + 1), end), end)
        first, last = int(places[start]), int(places[stop - 1])
        if last < first:
            taken = slice(first, last - 1 if last else None, int(steps[start]))
        else:
            taken = slice(first, last + 1, int(steps[start]) if last > first else 1)
        runs.append((slice(start, stop), taken))
        start = stop
    return runs


def _fill_ends(values: Array, runs: list[tuple[slice, slice]], value: float) -> None:
    """Write a value into what lies before and after the runs along the first axis."""
    first, last = (runs[0][0].start, runs[-1][0].stop) if runs else (0, 0)
    values[:first] = value
    values[last:] = value


def pad_to_windows(volume: Array, window: Window, output: Pair, fill: float, dtype: str) -> Padded:
    """Return the volume with padding, and with as much more at the end as the last windows hang over."""
    pads = window.pads(volume.shape[0], volume.shape[1])
    after = [
        max(0, (output[axis] - 1) * window.stride[axis] + window.extent[axis] - pads[axis] - volume.shape[axis])
        for axis in (0, 1)
    ]
    return Padded(volume, (pads[0], pads[1], after[0], after[1]), Border(BorderMode.CONSTANT, fill), dtype)
