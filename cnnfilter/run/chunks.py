"""Arrays that may be larger than memory: read, filtered and written part by part, each of whole chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from math import isqrt, prod
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import plan_program
from cnnfilter.compute.threads import kept_to_one_core, make_tiles
from cnnfilter.compute.tiles import FeatureMaps, Model, Strip, cut_part
from cnnfilter.errors import ClusterError, CnnFilterError, ImageFileError, ShapeError, one_line
from cnnfilter.io.addresses import exists
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range, find_format
from cnnfilter.io.levels import DEPTHS, Extremes, choose_depth, find_extremes, to_levels
from cnnfilter.io.opencv import held_to_one_thread
from cnnfilter.io.paths import Job, lacks_memory
from cnnfilter.io.zarr_arrays import (
    complete_array,
    create_array,
    kept_type,
    open_array,
    read_part,
    reopen_array,
    write_part,
)
from cnnfilter.kernels.spec import never_negative
from cnnfilter.log import PROGRESS, listening, tell
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.nn.lint import warn_about_borders, warn_about_sums
from cnnfilter.run.clipping import warn_about_clipping
from cnnfilter.run.inputs import FAILURES, Outcome
from cnnfilter.run.preprocessing import prepare_colours
from cnnfilter.run.settings import Settings, Work

if TYPE_CHECKING:
    from cnnfilter.run.cluster import Cluster

_VALUES = 1 << 22
"""Values of a result that are made at a time, at most, where chunks are smaller: a halo is then read less often."""

_BYTES = 8
"""Of a value, float64 at most."""


class Area(NamedTuple):
    """Some rows and columns of a result, those of whole chunks."""

    rows: slice
    columns: slice


class ArrayFilter:
    """What is done with an array: each process opens the source and the target itself, and plans for the whole."""

    def __init__(self, job: Job, model: Model, settings: Settings) -> None:
        self.source, self.target = job.source, str(job.target)
        self._model, self._settings = model, settings
        array = open_array(self.source)
        self.shape: Shape = (*array.shape, 1)[:3]
        self.output = model.output(self.shape)
        if len(self.output) != 3:
            raise ImageFileError("the result of the network is a vector, and a .zarr holds maps", path=self.target)
        self.dtype, self._chunks = kept_type(array), (*array.chunks, 1)[:3]
        self.depth = choose_depth(find_format(self.target), settings.depth, DEPTHS[self.dtype])[0]
        usual = Range.NONE if self.depth is Depth.FLOAT else settings.usual_range or Range.CLIP
        self.range = settings.range_ or usual
        self.extremes: Extremes | None = None
        self._arrays: tuple[Any, Any] = array, None

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process."""
        return {**self.__dict__, "_arrays": (None, None)}

    def picture(self, pixels: Array) -> Picture:
        """Return a part as what networks see: no image, whose fourth channel would be alpha."""
        return Picture(pixels, DEPTHS[self.dtype], bands=True)

    @property
    def chunks(self) -> Shape:
        """The chunks of the result: those of the source, as far as they fit."""
        return tuple(min(chunk, side) for chunk, side in zip(self._chunks, self.output, strict=True))

    def areas(self) -> list[Area]:
        """Return the areas of the result, in the order of its chunks."""
        height, width, channels = self.output
        if not self._can_be_cut():
            if lack := lacks_memory(_BYTES * (prod(self.shape) + 2 * prod(self.output))):
                raise ShapeError(f"the network needs the whole array, which would {lack}")
            return [Area(slice(0, height), slice(0, width))]
        down, along, _ = self.chunks
        several = max(1, isqrt(_VALUES // max(1, down * along * channels)))
        down, along = down * several, along * several
        return [
            Area(slice(top, min(top + down, height)), slice(left, min(left + along, width)))
            for top in range(0, height, down)
            for left in range(0, width, along)
        ]

    def _cut(self, area: Area) -> tuple[Strip, float]:
        """Return the network for an area, planned for the whole, and white in its units."""
        sample, white = prepare_colours(self.picture(np.zeros((1, 1, self.shape[2]), self.dtype)), self._settings)
        program = plan_program(self._model.program(self.shape), self.shape, find_facts(sample))
        return cut_part(program, self.shape, area.rows, area.columns), white

    def _can_be_cut(self) -> bool:
        """Return whether a part of the result is made of a part of the source."""
        corner = Area(slice(0, 1), slice(0, 1))
        return self._cut(corner)[0].rows == corner.rows or self.output[:2] == (1, 1)

    def filter(self, area: Area) -> Array:
        """Return the values of an area, (rows, columns, C): the bits that the whole would give."""
        if self._arrays[0] is None:
            self._arrays = open_array(self.source), self._arrays[1]
        strip, white = self._cut(area)
        picture = self.picture(read_part(self._arrays[0], self.source, *strip.source))
        colours, _ = prepare_colours(picture, self._settings)
        here = strip._replace(source=(slice(None), slice(None)))
        values = FeatureMaps(picture, white, colours, strips=[here], model=self._model).values
        return values if values.ndim == 3 else values[:, :, None]

    def measure(self, area: Area) -> Extremes:
        """Return the least and the greatest value of an area."""
        return find_extremes(self.filter(area))

    def level(self, values: Array) -> tuple[Array, int]:
        """Return values as the target holds them, and how many were clipped."""
        white = self._cut(Area(slice(0, 1), slice(0, 1)))[1]
        return to_levels(values, range_=self.range, maximum=white, depth=self.depth, extremes=self.extremes)

    def write(self, area: Area, levels: Array) -> None:
        """Write an area of the target."""
        if self._arrays[1] is None:
            self._arrays = self._arrays[0], reopen_array(self.target)
        flat = levels if len(self.target_shape) == 3 else levels[:, :, 0]
        write_part(self._arrays[1], self.target, area.rows, area.columns, flat)

    def fill(self, area: Area) -> int:
        """Make an area of the target, and return how many values were clipped."""
        levels, outside = self.level(self.filter(area))
        self.write(area, levels)
        return outside

    @property
    def target_shape(self) -> Shape:
        """The shape of the target: (H, W) of one channel."""
        return self.output[:2] if self.output[2] == 1 else self.output

    def create(self, dtype: Any) -> None:
        """Create the target."""
        create_array(self.target, self.target_shape, dtype, self.chunks[: len(self.target_shape)])

    def complete(self) -> None:
        """Say that the target is whole."""
        complete_array(reopen_array(self.target), self.target)


def do_area(given: tuple[ArrayFilter, str], area: Area) -> Any:
    """Do with an area what a name says, in a process that has the filter."""
    filter_, name = given
    return getattr(filter_, name)(area)


def filter_arrays(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Work on inputs that are Zarr arrays, one after the other, and hand over what comes of each."""
    with ExitStack() as stack:
        cluster = None
        if work.settings.cluster:
            from cnnfilter.run.cluster import connected  # noqa: PLC0415  few commands have one

            cluster = stack.enter_context(connected(work.settings.cluster))
        if work.settings.jobs == 1:
            stack.enter_context(held_to_one_thread())
            stack.enter_context(kept_to_one_core())
        for jobs in work.inputs:
            outcome = _filter_jobs(jobs, work, cluster)
            hear(outcome)
            if outcome.errors and work.settings.fail_fast:
                return


def _filter_jobs(jobs: Sequence[Job], work: Work, cluster: Cluster | None) -> Outcome:
    """Do the jobs of an array, and return what came of it."""
    outcome, begun = Outcome(jobs[0].source), perf_counter()
    with listening(outcome.hear):
        for job in jobs:
            try:
                _filter_array(job, work, outcome, cluster)
            except ClusterError:  # it has gone
                raise
            except FAILURES as error:
                outcome.fail(error)
    outcome.seconds = perf_counter() - begun
    return outcome


def _filter_array(job: Job, work: Work, outcome: Outcome, cluster: Cluster | None) -> None:
    """Do one job of an array."""
    settings, model = work.settings, work.models[job.kernel]
    assert job.target
    if settings.no_clobber and exists(job.target):
        tell("%s: skipped, %s exists", job.source, job.target)
        outcome.skipped.append(str(job.target))
        return
    filter_ = ArrayFilter(job, model, settings)
    outcome.shape = open_array(job.source).shape
    visits = model.network.visits(filter_.shape)
    notes = [*warn_about_borders(visits), *(warn_about_sums(visits, never_negative) if settings.pipeline else ())]
    areas = filter_.areas()
    tell("%s: %s -> %s", job.source, model.title, job.target)
    if filter_.range in {Range.SCALE, Range.MAX}:
        found = list(_visit(filter_, areas, "measure", cluster))
        filter_.extremes = min(low for low, _ in found), max(high for _, high in found)
    levels, outside = filter_.level(filter_.filter(areas[0]))
    filter_.create(levels.dtype)
    filter_.write(areas[0], levels)
    outside += sum(_visit(filter_, areas[1:], "fill", cluster))
    filter_.complete()
    share = outside / prod(filter_.output)
    colours = np.broadcast_to(np.uint8(0), filter_.shape)
    maps = FeatureMaps(Picture(colours, Depth.EIGHT, bands=True), 255.0, colours, model=model)
    notes.append(warn_about_clipping(share, maps, settings))
    outcome.warn(filter(None, notes))
    size = list(filter_.target_shape)
    outcome.outputs.append({"path": str(job.target), "size": size, "clipped": round(share, 6)})


def _visit(filter_: ArrayFilter, areas: Sequence[Area], name: str, cluster: Cluster | None) -> Iterator[Any]:
    """Do with areas what a name says, on all cores or on a cluster, and yield what comes of each."""
    PROGRESS.begin("filtering", len(areas))
    if not cluster:
        made: list[Any] = []

        def do(area: Area) -> None:
            made.append(do_area((filter_, name), area))
            PROGRESS.advance()

        with listening(lambda *_told: None):  # the plans are those of the first
            make_tiles(areas, do)
        yield from made
        return
    from cnnfilter.run.cluster import ClusterTasks  # noqa: PLC0415  few commands have one

    def lose(_area: Area, error: Exception) -> Any:
        raise CnnFilterError(str(error)) from error

    batch = ClusterTasks(cluster, (do_area, (filter_, name)), lose, size=1, noun="part")
    with closing(batch.run(areas, len(areas))) as results:
        for result in results:
            yield result
            PROGRESS.advance()


def rehearse_arrays(work: Work, hear: Callable[[Outcome], None]) -> None:
    """Hand over outcomes with a line for each output; nothing is made."""
    for jobs in work.inputs:
        outcome = Outcome(jobs[0].source)
        for job in jobs:
            try:
                filter_ = ArrayFilter(job, work.models[job.kernel], work.settings)
                before = show_shape(open_array(job.source).shape)
                line = f"{job.source} {before} -> {job.target} {show_shape(filter_.target_shape)}"
                outcome.events.append(("output", one_line(line).encode() + b"\n"))
            except FAILURES as error:
                outcome.fail(error)
        hear(outcome)
