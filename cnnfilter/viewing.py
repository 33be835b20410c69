"""Who shows the work of a batch: explanations as text, figures and moving pictures as files or in a window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import as_volume
from cnnfilter.compute.weights import Model
from cnnfilter.errors import ShapeError
from cnnfilter.files.figures import EXPLAIN, PLOT
from cnnfilter.files.formats import Depth, Range
from cnnfilter.files.images import Encoded
from cnnfilter.files.levels import to_levels
from cnnfilter.files.outputs import STANDARD, Job
from cnnfilter.files.pictures import Picture
from cnnfilter.results import Handling, Result, Watched, run_picture
from cnnfilter.spec.geometry import Pair
from cnnfilter.traces import Explained, span_around, trace
from cnnfilter.traces.texts import explain_trace

if TYPE_CHECKING:
    from cnnfilter.plots.displays import Look
    from cnnfilter.plots.sheets import Paper
    from cnnfilter.plots.views import Reducer


class Wishes(NamedTuple):
    """What is to be shown, by the names of the options; `kernels` name the results, `layers` are those wanted."""

    plot: str | None
    equalize: bool
    colormap: str | None
    figure_size: tuple[float, float] | None
    dpi: int | None
    explain: Pair | None
    animate: str | None
    around: Pair | None
    fps: float | None
    kernels: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


class Presenter:
    """Shows what was wished for; raises an `OutputError` at once if a color map is unknown or no window opens.

    Parameters
    ----------
    wishes
        What is to be shown.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._seen: dict[tuple[str, int], Reducer] = {}
        if wishes.plot is not None or wishes.animate is not None:
            from cnnfilter.plots.sheets import check_paper  # noqa: PLC0415  matplotlib is for figures alone

            check_paper(self._paper(), wishes.colormap)

    def watch(self, job: Job, result: Result) -> Result:
        """Return a result that is reduced for its figure, if there will be one, while it is written."""
        if self._wishes.plot is None or self._wishes.explain is not None:
            return result
        from cnnfilter.plots.views import Reducer  # noqa: PLC0415

        reducer = Reducer(result, self._side())
        self._seen[job.source, job.kernel] = reducer
        return result._replace(parts=Watched(result.parts, reducer.take))

    def _side(self) -> int:
        """Return how many pixels of a picture a panel shows."""
        from cnnfilter.plots.comparisons import lay_out  # noqa: PLC0415

        return lay_out(self._paper(), max(1, len(self._wishes.kernels)) + 1)[2]

    def show(
        self, job: Job, picture: Picture, models: Sequence[Model], handling: Handling
    ) -> tuple[Encoded, list[str]]:
        """Return the bytes of a figure or explanation, none of what was shown in a window, and what is remarked."""
        name = "standard input" if job.source == STANDARD else job.source
        if job.view == EXPLAIN:
            return self._explain(name, picture, models, handling)
        if job.view != PLOT:
            return self._animate(job, name, picture, models, handling)
        from cnnfilter.plots.comparisons import draw_comparison  # noqa: PLC0415
        from cnnfilter.plots.layers import draw_layers  # noqa: PLC0415
        from cnnfilter.plots.sheets import finish  # noqa: PLC0415
        from cnnfilter.plots.views import Reducer  # noqa: PLC0415
        from cnnfilter.plots.windows import draw_windows  # noqa: PLC0415

        paper = self._paper()
        notes: list[str] = []
        if self._wishes.explain is not None:
            explained = self._traces(picture, models, handling)
            notes = [note for one in explained for note in one.notes]
            sheet = draw_windows(explained, name, paper)
        elif handling.pipeline:
            sheet = draw_layers(
                picture, models[0], handling, (name, self._wishes.layers), (paper, self._look(handling))
            )
        else:
            results = []
            for number, model in enumerate(models):
                reducer = self._seen.pop((job.source, number), None)
                if reducer is None:
                    made, own = run_picture(picture, model, handling)
                    reducer = Reducer(made[""], self._side())
                    notes += own
                results.append((self._title(number, model), model, reducer))
            sheet = draw_comparison(picture, name, results, paper, self._look(handling))
        return finish(sheet, job.format_name, paper), notes

    def _paper(self) -> Paper:
        from cnnfilter.plots.sheets import Paper  # noqa: PLC0415

        return Paper(self._wishes.figure_size, self._wishes.dpi or 100, window=self._wishes.plot == "show")

    def _look(self, handling: Handling) -> Look:
        from cnnfilter.plots.displays import Look  # noqa: PLC0415

        return Look(self._wishes.equalize, self._wishes.colormap, handling.range_)

    def _title(self, number: int, model: Model) -> str:
        """Return what a result is called: its kernel, or the words of its network."""
        return PurePath(self._wishes.kernels[number]).name if self._wishes.kernels else model.title

    def _explain(
        self, name: str, picture: Picture, models: Sequence[Model], handling: Handling
    ) -> tuple[Encoded, list[str]]:
        explained = self._traces(picture, models, handling)
        texts = [
            explain_trace(one.traced, one.outcome, f"{name}, {one.title}", _held(one.outcome, picture, handling))
            for one in explained
        ]
        return "\n".join(texts).encode(), [note for one in explained for note in one.notes]

    def _traces(self, picture: Picture, models: Sequence[Model], handling: Handling) -> list[Explained]:
        assert self._wishes.explain is not None
        found = []
        for number, model in enumerate(models):
            found.append(_trace(picture, model, handling, self._wishes.explain, self._title(number, model)))
        return found

    def _animate(
        self, job: Job, name: str, picture: Picture, models: Sequence[Model], handling: Handling
    ) -> tuple[Encoded, list[str]]:
        from cnnfilter.plots.animations import animate, cut_around  # noqa: PLC0415
        from cnnfilter.plots.movies import encode_movie  # noqa: PLC0415

        if len(models) > 1:
            raise ShapeError(f"{len(models)} kernels slide one by one; --animate takes one -k at a time")
        volume, corner = cut_around(_opaque(picture), self._wishes.around)
        title = f"{PurePath(name).name}, {self._title(0, models[0])}"
        white = 0.0 if picture.matrix else picture.maximum
        reel = animate(models[0].program(volume.shape), volume, corner, title, white, self._paper())
        return encode_movie(reel, job.format_name, self._wishes.fps or 3.0), []


def _opaque(picture: Picture) -> Array:
    """Return a picture's colors (H, W, C), or raise a `ShapeError` if some are not opaque."""
    pixels = as_volume(picture.pixels)
    if not picture.has_alpha:
        return pixels
    if (pixels[:, :, 3] < picture.maximum).any():
        raise ShapeError(_WEIGHED)
    return pixels[:, :, :3]


_WEIGHED = "some pixels are transparent, and colors are weighed by alpha then; only opaque ones can be explained"


def _trace(picture: Picture, model: Model, handling: Handling, place: Pair, title: str) -> Explained:
    """Return how a value comes about; its window has to be opaque."""
    pixels = as_volume(picture.pixels)
    colors = pixels[:, :, :3] if picture.has_alpha else pixels
    traced = trace(model.program(colors.shape), colors, place)
    if picture.has_alpha:
        alpha = pixels[traced.reach.row_sources[:, None], traced.reach.column_sources, 3]
        if (alpha[traced.inside] < picture.maximum).any():
            raise ShapeError(_WEIGHED)
    results, notes = run_picture(picture, model, handling)
    rows, columns = (span_around(place[axis], place[axis], traced.output[axis]) for axis in (0, 1))
    outputs = _cut(results[""], rows)[:, columns.start : columns.stop]
    outcome = outputs[place[0] - rows.start, place[1] - columns.start]
    white = 0.0 if picture.matrix else picture.maximum
    return Explained(traced, outcome, title, colors, outputs, (rows.start, columns.start), white, notes)


def _cut(result: Result, rows: range) -> Array:
    """Return some rows of a result, (rows, W, C); no more of it is made than needed."""
    found = []
    for part in result.parts:
        if part.rows.start >= rows.stop:
            break
        if part.rows.stop > rows.start:
            inner = slice(max(rows.start - part.rows.start, 0), rows.stop - part.rows.start)
            found.append(as_volume(part.values)[inner])
    return np.concatenate(found)


def _held(outcome: Array, picture: Picture, handling: Handling) -> str:
    """Return what a file of the picture's depth holds of values, or the empty string if that is the same."""
    depth = handling.depth or picture.depth
    range_ = handling.range_ or Range.CLIP
    if picture.matrix or depth is Depth.FLOAT or range_ in {Range.SCALE, Range.MAX}:
        return ""
    levels = to_levels(outcome, range_=range_, maximum=picture.maximum, depth=depth).pixels
    if np.array_equal(levels, outcome):
        return ""
    return f"{' '.join(map(str, levels))}, in {depth} bits with --range {range_}"
