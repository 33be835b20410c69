"""Arrays that may be larger than memory: read and filtered part by part, into arrays, images or other files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from math import isqrt, prod
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import drop_single_channel, plan_program
from cnnfilter.compute.threads import kept_to_one_core, make_tiles
from cnnfilter.compute.tiles import FeatureMaps, Model, Strip, cut_part
from cnnfilter.errors import ClusterError, CnnFilterError, ImageFileError, ShapeError, one_line
from cnnfilter.io.encode import NO_ALPHA, check_shape
from cnnfilter.io.formats import ZARR, Depth, find_format
from cnnfilter.io.levels import Extremes, find_extremes, to_levels
from cnnfilter.io.matrices import warn_about_channels
from cnnfilter.io.opencv import held_to_one_thread
from cnnfilter.io.paths import Job, lacks_memory
from cnnfilter.io.zarr_arrays import (
    as_picture,
    complete_array,
    create_array,
    kept_type,
    open_array,
    read_part,
    reopen_array,
    write_part,
)
from cnnfilter.log import PROGRESS, listening, tell
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.run.clipping import warn_about_clipping
from cnnfilter.run.inputs import FAILURES, Filtering, Outcome, find_reason_to_pass
from cnnfilter.run.preprocessing import prepare_colours
from cnnfilter.run.result import Result, choose_conversion, encode, warn_about_black, warn_about_layers
from cnnfilter.run.settings import Settings, Work

if TYPE_CHECKING:
    from cnnfilter.run.cluster import Cluster

_VALUES = 1 << 22
"""Values of a result that are made at a time, at most, where chunks are smaller: a halo is then read less often."""

_MOST_READ = 1 << 24
"""Values of the source that are read at a time, at most, where a part of the result can be made in pieces."""

_BYTES = 8
"""Of a value, float64 at most."""


class Area(NamedTuple):
    """Some rows and columns of a result."""

    rows: slice
    columns: slice

    @property
    def corner(self) -> Area:
        """The first pixel of the area."""
        return Area(*(slice(side.start, side.start + 1) for side in self))


class AreaLevels(NamedTuple):
    """What was made of an area: its levels, unless they are written, the brightest, and how many were clipped."""

    levels: Array | None
    brightest: float
    clipped: int


class ArrayFilter:
    """What is done with an array: each process opens the source and the target itself, and plans for the whole."""

    def __init__(self, job: Job, model: Model, settings: Settings) -> None:
        self.source, self.target = job.source, str(job.target or "standard output")
        self._model, self._settings = model, settings
        array = open_array(self.source)
        self.stored: Shape = array.shape
        self.shape: Shape = (*self.stored, 1)[:3]
        self._whole = model.output(self.shape)
        if len(self._whole) != 3:
            raise ShapeError(
                "the result of the network is a vector, which images and .npy files give, and arrays do not"
            )
        height, width, channels = self._whole
        self._all = Area(slice(0, height), slice(0, width))
        self._region = Area(*settings.region.cut(self._whole)) if settings.region else self._all
        self.output: Shape = (*(side.stop - side.start for side in self._region), channels)
        self._dtype, self._chunks = kept_type(array), (*array.chunks, 1)[:3]
        sample = as_picture(np.zeros((1, 1, self.shape[2]), self._dtype))
        colours, white = prepare_colours(sample, settings)
        self._facts, self.is_matrix = find_facts(colours), sample.matrix
        format_ = find_format(job.format_name)
        self.is_array = format_ is ZARR
        self.conversion, self.note = choose_conversion(sample, white, format_, settings)
        self.extremes: Extremes | None = None
        self._arrays: tuple[Any, Any] = array, None

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process."""
        return {**self.__dict__, "_arrays": (None, None)}

    @property
    def target_shape(self) -> Shape:
        """The shape of the target: (H, W) of one channel."""
        return self.output[:2] if self.output[2] == 1 else self.output

    @property
    def _target_chunks(self) -> Shape:
        """The chunks of the target: those of the source, as far as they fit."""
        return tuple(min(chunk, side) for chunk, side in zip(self._chunks, self.output, strict=True))

    def areas(self, *, whole: bool = False) -> list[Area]:
        """Return the areas of the target, each of whole chunks, or those of the whole result."""
        rows, columns = self._all if whole else self._region
        if not self._can_be_cut():
            if lack := lacks_memory(_BYTES * (prod(self.shape) + 2 * prod(self._whole))):
                raise ShapeError(f"the network needs the whole array, which would {lack}")
            return [Area(rows, columns)]
        down, along, _ = self._target_chunks
        height, width, channels = self._whole
        if not self.is_array:  # the parts of a file may have any size
            down = max(1, min(down, down * height // self.shape[0]))
            along = max(1, min(along, along * width // self.shape[1]))
        a_pixel = max(channels, prod(self.shape) // (height * width))
        several = max(1, isqrt(_VALUES // (down * along * a_pixel)))
        down, along = down * several, along * several
        return [
            Area(slice(top, min(top + down, rows.stop)), slice(left, min(left + along, columns.stop)))
            for top in range(rows.start, rows.stop, down)
            for left in range(columns.start, columns.stop, along)
        ]

    def _cut(self, area: Area) -> Strip:
        """Return the network for an area, planned for the whole."""
        program = plan_program(self._model.program(self.shape), self.shape, self._facts)
        return cut_part(program, self.shape, area.rows, area.columns)

    def _can_be_cut(self) -> bool:
        """Return whether a part of the result is made of a part of the source."""
        corner = Area(slice(0, 1), slice(0, 1))
        return self._cut(corner).rows == corner.rows or self._whole[:2] == (1, 1)

    def _read(self, strip: Strip) -> Array:
        """Return what a strip is made of, (rows, columns, C)."""
        if self._arrays[0] is None:
            self._arrays = open_array(self.source), self._arrays[1]
        return read_part(self._arrays[0], self.source, *strip.source)

    def filter(self, area: Area) -> Array:
        """Return the values of an area, (rows, columns, C): the bits that the whole would give."""
        strip = self._cut(area)
        if halves := self._find_halves(area, strip):
            return np.concatenate([self.filter(half) for half in halves], int(halves[0].rows == area.rows))
        picture = as_picture(self._read(strip))
        colours, white = prepare_colours(picture, self._settings)
        here = strip._replace(source=(slice(None), slice(None)))
        values = np.atleast_3d(FeatureMaps(picture, white, colours, strips=[here], model=self._model).values)
        return values if (strip.rows, strip.columns) == area else values[area]

    def _find_halves(self, area: Area, strip: Strip) -> list[Area]:
        """Return the halves of an area whose strip reads much, if they read little more; else nothing."""
        read, sides = _count_read(strip, self.shape), [side.stop - side.start for side in area]
        if read <= _MOST_READ or max(sides) == 1 or (strip.rows, strip.columns) != area:
            return []
        halves = _halve(area)
        return halves if sum(_count_read(self._cut(half), self.shape) for half in halves) < 1.25 * read else []

    def measure(self, area: Area) -> Extremes:
        """Return the least and the greatest value of an area."""
        return find_extremes(self.filter(area))

    def look(self, area: Area) -> Extremes:
        """Return the least and the greatest value of what an area is made of."""
        return find_extremes(self._read(self._cut(area)))

    def make(self, area: Area) -> AreaLevels:
        """Make the levels of an area as the target holds them, (rows, columns) or (rows, columns, C)."""
        levels, clipped = to_levels(self.filter(area), **self.conversion._asdict(), extremes=self.extremes)
        return AreaLevels(drop_single_channel(levels), float(levels.max(initial=0)), clipped)

    def fill(self, area: Area) -> AreaLevels:
        """Make the levels of an area, and write them into the target."""
        made = self.make(area)
        self.write(area, made)
        return made._replace(levels=None)

    def write(self, area: Area, made: AreaLevels) -> None:
        """Write the levels of an area into the target, which is an array."""
        if self._arrays[1] is None:
            self._arrays = self._arrays[0], reopen_array(self.target)
        assert made.levels is not None
        write_part(self._arrays[1], self.target, *self.place(area), made.levels)

    def place(self, area: Area) -> Area:
        """Return where an area of the result is in the target."""
        ends = zip(area, self._region, strict=True)
        return Area(*(slice(part.start - side.start, part.stop - side.start) for part, side in ends))

    def create(self, dtype: Any) -> None:
        """Create the target, which is an array."""
        create_array(self.target, self.target_shape, dtype, self._target_chunks[: len(self.target_shape)])


def _halve(area: Area) -> list[Area]:
    """Return the halves of an area, along its longer axis."""
    (top, bottom), (left, right) = ((side.start, side.stop) for side in area)
    if bottom - top >= right - left:
        middle = (top + bottom) // 2
        return [Area(slice(top, middle), area.columns), Area(slice(middle, bottom), area.columns)]
    middle = (left + right) // 2
    return [Area(area.rows, slice(left, middle)), Area(area.rows, slice(middle, right))]


def _count_read(strip: Strip, shape: Shape) -> int:
    """Return how many values of a source of a shape a strip is made of."""
    sides = [
        range(side)[places] if isinstance(places, slice) else places
        for places, side in zip(strip.source, shape[:2], strict=True)
    ]
    return shape[2] * prod(map(len, sides))


def do_area(given: tuple[ArrayFilter, str], area: Area) -> Any:
    """Do with an area what a name says, in a process that has the filter."""
    filter_, name = given
    return getattr(filter_, name)(area)


def filter_arrays(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Work on inputs that are Zarr arrays, one after the other, and hand over what comes of each."""
    filtering = Filtering(work)
    with ExitStack() as stack:
        cluster = None
        if work.settings.cluster:
            from cnnfilter.run.cluster import connected  # noqa: PLC0415  few commands have one

            cluster = stack.enter_context(connected(work.settings.cluster))
        if work.settings.jobs == 1:
            stack.enter_context(held_to_one_thread())
            stack.enter_context(kept_to_one_core())
        stack.callback(filtering.temporary_files.abandon)
        for jobs in work.inputs:
            outcome = _filter_jobs(jobs, work, filtering, cluster)
            hear(outcome)
            if outcome.errors and work.settings.fail_fast:
                return


def _filter_jobs(jobs: Sequence[Job], work: Work, filtering: Filtering, cluster: Cluster | None) -> Outcome:
    """Do the jobs of an array, and return what came of it."""
    outcome, begun = Outcome(jobs[0].source), perf_counter()
    with listening(outcome.hear):
        for job in jobs:
            try:
                _filter_array(job, work, outcome, filtering, cluster)
            except ClusterError:  # it has gone
                raise
            except FAILURES as error:
                outcome.fail(error)
    outcome.seconds = perf_counter() - begun
    return outcome


def _plan(job: Job, work: Work) -> ArrayFilter:
    """Return what a job does with its array; raise an error if its file could not hold the result, or memory."""
    filter_, format_ = ArrayFilter(job, work.models[job.kernel], work.settings), find_format(job.format_name)
    if filter_.is_array:
        return filter_
    if not format_.is_matrix:
        check_shape(filter_.target_shape, format_, filter_.target)
        if filter_.output[2] == 4 and not format_.holds_alpha:
            raise ImageFileError(NO_ALPHA.format(format_.name), path=filter_.target)
    a_value = {Depth.EIGHT: 1, Depth.SIXTEEN: 2}.get(filter_.conversion.depth, _BYTES)
    if lack := lacks_memory(2 * a_value * prod(filter_.output)):  # as pixels, and as a file
        what = f"a result of {show_shape(filter_.target_shape)} values would {lack}"
        raise ShapeError(f"{what}; -o FILE.zarr holds it, and --region Y1:Y2,X1:X2 takes a part")
    return filter_


def _filter_array(job: Job, work: Work, outcome: Outcome, filtering: Filtering, cluster: Cluster | None) -> None:
    """Do one job of an array."""
    settings, model = work.settings, work.models[job.kernel]
    if reason := find_reason_to_pass(job, [str(job.target)], work):
        tell("%s: skipped, %s %s", job.source, job.target, reason)
        outcome.skipped.append(str(job.target))
        return
    filter_ = _plan(job, work)
    outcome.shape = filter_.stored
    notes = warn_about_channels(filter_.stored)
    notes += warn_about_layers(model.network.visits(filter_.shape), settings, matrix=filter_.is_matrix)
    tell("%s: %s -> %s", job.source, model.title, filter_.target)
    if filter_.conversion.by_extremes:
        filter_.extremes = _find_extremes(filter_, filter_.areas(whole=True), "measure", cluster)
    pixels, parts = _fill(filter_, cluster)
    share = sum(part.clipped for part in parts) / prod(filter_.output)
    notes += [filter_.note, *_warn_about_black(filter_, parts, cluster)]
    notes.append(warn_about_clipping(share, model, filter_.shape, settings))
    if filter_.is_array:
        size = list(filter_.target_shape)
        outcome.outputs.append({"path": str(job.target), "size": size, "clipped": round(share, 6)})
    else:
        result = Result(job.format_name, [pixels], share, path=str(job.target or job.format_name))
        file = encode(result, settings)
        filtering.deliver([file], job, outcome)
        notes += file.notes
    outcome.warn(filter(None, notes))


def _fill(filter_: ArrayFilter, cluster: Cluster | None) -> tuple[Array, list[AreaLevels]]:
    """Make the target, if it is an array, or the pixels of a file; return these, and what was made of each area."""
    areas = filter_.areas()
    made = filter_.make(areas[0].corner if len(areas) > 1 else areas[0])  # the type of all levels
    assert made.levels is not None
    parts: list[AreaLevels] = []
    is_array, pixels = filter_.is_array, np.empty(0)

    def put(area: Area, part: AreaLevels) -> None:
        if part.levels is not None and is_array:
            filter_.write(area, part)
        elif part.levels is not None:
            pixels[filter_.place(area)] = part.levels
        parts.append(part._replace(levels=None))

    if is_array:
        filter_.create(made.levels.dtype)
    else:
        pixels = np.empty(filter_.target_shape, made.levels.dtype)
    if len(areas) > 1:
        _visit(filter_, areas, "fill" if is_array else "make", cluster, put)
    else:
        put(areas[0], made)
    if is_array:
        complete_array(reopen_array(filter_.target), filter_.target)
    return pixels, parts


def _find_extremes(filter_: ArrayFilter, areas: Sequence[Area], name: str, cluster: Cluster | None) -> Extremes:
    """Return the least and the greatest of the extremes of areas."""
    found: list[Extremes] = []
    _visit(filter_, areas, name, cluster, lambda _, extremes: found.append(extremes))
    return min(low for low, _ in found), max(high for _, high in found)


def _warn_about_black(filter_: ArrayFilter, parts: Sequence[AreaLevels], cluster: Cluster | None) -> list[str]:
    """Return a warning where levels are nearly black, since the floats of the array go from 0 to 1."""
    if not (filter_.is_matrix and filter_.conversion.clips):
        return []
    warnings = warn_about_black(max(part.brightest for part in parts), filter_.conversion.depth)
    if warnings:
        low, high = _find_extremes(filter_, filter_.areas(), "look", cluster)
        return warnings if low >= 0 and 0 < high <= 1 else []
    return []


def _visit(
    filter_: ArrayFilter,
    areas: Sequence[Area],
    name: str,
    cluster: Cluster | None,
    take: Callable[[Area, Any], None],
) -> None:
    """Do with areas what a name says, on all cores or on a cluster, and hand over what comes of each."""
    PROGRESS.begin("filtering", len(areas))
    if not cluster:

        def do(area: Area) -> None:
            take(area, do_area((filter_, name), area))
            PROGRESS.advance()

        with listening(lambda *_told: None):  # the plans are those of the first
            make_tiles(areas, do)
        return
    from cnnfilter.run.cluster import ClusterTasks  # noqa: PLC0415  few commands have one

    def lose(_area: Area, error: Exception) -> Any:
        raise CnnFilterError(str(error)) from error

    batch = ClusterTasks(cluster, (do_area, (filter_, name)), lose, size=1, noun="part")
    with closing(batch.run(areas, len(areas))) as results:
        for area, result in zip(areas, results, strict=True):
            take(area, result)
            PROGRESS.advance()


def rehearse_arrays(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Hand over outcomes with a line for each output; nothing is made."""
    for jobs in work.inputs:
        outcome = Outcome(jobs[0].source)
        for job in jobs:
            try:
                filter_ = _plan(job, work)
                before, after = show_shape(filter_.stored), show_shape(filter_.target_shape)
                reason = find_reason_to_pass(job, [str(job.target)], work)
                line = f"{job.source} {before} -> {filter_.target} {after}{f' ({reason})' if reason else ''}"
                outcome.events.append(("output", f"{one_line(line)}\n".encode("utf-8", "surrogateescape")))
            except FAILURES as error:
                outcome.fail(error)
        hear(outcome)
