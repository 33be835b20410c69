"""Who shows the work of a batch: explanations as text, figures and moving pictures as files or in a window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import as_volume
from cnnfilter.compute.weights import Model
from cnnfilter.errors import ShapeError
from cnnfilter.files.formats import Depth, Range
from cnnfilter.files.levels import to_levels
from cnnfilter.files.outputs import STANDARD, Job
from cnnfilter.files.pictures import Picture
from cnnfilter.plots.sheets import PLOT, Sheet, check_colormap, open_canvas, open_sheet
from cnnfilter.plots.targets import EXPLAIN, ViewRequest
from cnnfilter.rendering import File
from cnnfilter.results import Handling, Result, Watched, remark_on_pages, run_picture
from cnnfilter.spec.geometry import Pair
from cnnfilter.traces import Explained, span_around, trace
from cnnfilter.traces.texts import explain_trace

if TYPE_CHECKING:
    from cnnfilter.plots.comparisons import Named
    from cnnfilter.plots.displays import Look
    from cnnfilter.plots.views import Reducer


class Wishes(NamedTuple):
    """What is to be shown, by the names of the options; `kernels` name the results, `layers` are those wanted."""

    request: ViewRequest
    equalize: bool = False
    colormap: str | None = None
    explain: Pair | None = None
    around: Pair | None = None
    fps: float | None = None
    kernels: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


class Presenter:
    """Shows what was wished for; raises an `OutputError` at once if a color map is unknown.

    Parameters
    ----------
    wishes
        What is to be shown.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        if wishes.colormap is not None:
            check_colormap(wishes.colormap)

    def attend(self, picture: Picture, views: Sequence[Job], models: Sequence[Model], handling: Handling) -> Show:
        """Return what shows the work on an input."""
        return Show(self._wishes, picture, views, (models, handling))


class Show:
    """Shows the work on one input.

    Parameters
    ----------
    wishes, picture
        What is to be shown, and the input.
    views
        The jobs that show it.
    work
        The network for each kernel, and how pictures are run.
    """

    def __init__(
        self, wishes: Wishes, picture: Picture, views: Sequence[Job], work: tuple[Sequence[Model], Handling]
    ) -> None:
        self._wishes, self._picture = wishes, picture
        self._models, self._handling = work
        self._seen: dict[int, Reducer] = {}
        # A pipeline's figure needs all layers, and that of a window other values: both run the network themselves.
        compares = wishes.explain is None and not self._handling.pipeline
        self._watches = compares and any(job.view == PLOT for job in views)

    def watch(self, job: Job, result: Result) -> Result:
        """Return a result that is reduced for its figure, if there will be one, while it is written."""
        if not self._watches:
            return result
        from cnnfilter.plots.views import Reducer  # noqa: PLC0415  for figures alone

        reducer = self._seen[job.kernel] = Reducer(result, self._side())
        return result._replace(parts=Watched(result.parts, reducer.take))

    def show(self, job: Job, notes: list[str]) -> File:
        """Return the file of a figure, moving picture or explanation, empty if it was shown in a window.

        Remarks go to `notes`. The shape is that of the pixels, (H, W), or empty for an explanation.
        """
        name = "standard input" if job.source == STANDARD else job.source
        notes += self._picture.notes
        notes += [remark_on_pages(self._picture.pages)] if self._picture.pages else []
        if job.view == EXPLAIN:
            return File(job.format_name, self._explain(name, notes), ())
        sheet = self._wishes.request.sheet(job)
        return self._plot(name, sheet, notes) if job.view == PLOT else self._animate(name, sheet, notes)

    def _side(self) -> int:
        """Return how many pixels of a picture a panel shows."""
        from cnnfilter.plots.comparisons import arrange  # noqa: PLC0415  for figures alone

        sheet = self._wishes.request.plot
        assert sheet
        return arrange(sheet, max(1, len(self._wishes.kernels)) + 1)[2]

    def _plot(self, name: str, sheet: Sheet, notes: list[str]) -> File:
        explained = self._traces(notes) if self._wishes.explain is not None else []
        results = [] if explained or self._handling.pipeline else self._reduced(notes)
        files: list[File] = []

        def save(path: Path, data: bytes) -> None:
            files.append(File(str(path), data, shape))

        with open_sheet(sheet, save) as figure:
            from cnnfilter.plots.papers import Paper  # noqa: PLC0415  matplotlib is for figures alone

            paper = Paper(figure, sheet)
            if explained:
                from cnnfilter.plots.windows import draw_windows  # noqa: PLC0415

                draw_windows(explained, name, paper)
            elif self._handling.pipeline:
                from cnnfilter.plots.layers import draw_layers  # noqa: PLC0415

                named = name, self._wishes.layers
                draw_layers(self._picture, self._models[0], self._handling, named, (paper, self._look()))
            else:
                from cnnfilter.plots.comparisons import draw_comparison  # noqa: PLC0415

                draw_comparison(self._picture, name, results, paper, self._look())
            shape = paper.pixels
            notes += filter(None, [paper.remark])
        return files[0] if files else File("", b"", shape)

    def _reduced(self, notes: list[str]) -> list[Named]:
        """Return the results of all networks, reduced for a figure, with what they are called."""
        from cnnfilter.plots.views import Reducer  # noqa: PLC0415  for figures alone

        results = []
        for number, model in enumerate(self._models):
            reducer = self._seen.get(number)
            if reducer is None:
                made, own = run_picture(self._picture, model, self._handling)
                reducer = Reducer(made[""], self._side())
                notes += own
            results.append((self._title(number, model), model, reducer))
        return results

    def _look(self) -> Look:
        from cnnfilter.plots.displays import Look  # noqa: PLC0415  for figures alone

        return Look(self._wishes.equalize, self._wishes.colormap, self._handling.range_)

    def _title(self, number: int, model: Model) -> str:
        """Return what a result is called: its kernel, or the words of its network."""
        return PurePath(self._wishes.kernels[number]).name if self._wishes.kernels else model.title

    def _explain(self, name: str, notes: list[str]) -> bytes:
        texts = []
        for one in self._traces(notes):
            held = _held(one.outcome, self._picture, self._handling)
            texts.append(explain_trace(one.traced, one.outcome, f"{name}, {one.title}", held))
        return "\n".join(texts).encode()

    def _traces(self, notes: list[str]) -> list[Explained]:
        assert self._wishes.explain is not None
        found = []
        for number, model in enumerate(self._models):
            title = self._title(number, model)
            found.append(_trace(self._picture, model, self._handling, self._wishes.explain, title))
            notes += found[-1].notes
        return found

    def _animate(self, name: str, sheet: Sheet, notes: list[str]) -> File:
        if len(self._models) > 1:
            raise ShapeError(f"{len(self._models)} kernels slide one by one; --animate takes one -k at a time")
        with open_canvas(sheet) as figure:
            from cnnfilter.plots.animations import animate  # noqa: PLC0415  matplotlib is for figures alone
            from cnnfilter.plots.movies import encode_movie  # noqa: PLC0415
            from cnnfilter.plots.papers import Paper  # noqa: PLC0415

            volume = _opaque(self._picture)
            title = f"{PurePath(name).name}, {self._title(0, self._models[0])}"
            white = 0.0 if self._picture.matrix else self._picture.maximum
            paper = Paper(figure, sheet)
            reel = animate(self._models[0].program(volume.shape), volume, self._wishes.around, title, white, paper)
            notes += _remark_on_time(reel.length, fps := self._wishes.fps or 3.0)
            return File(sheet.target, encode_movie(reel, sheet.target, fps), paper.pixels)


def _remark_on_time(length: int, fps: float) -> list[str]:
    """Return a sentence if a moving picture runs for minutes."""
    seconds = round(length / fps)
    if seconds < _LONG:
        return []
    return [
        f"the moving picture has {length} windows and runs for {seconds // 60} min {seconds % 60} s; --around Y,X "
        "shows fewer, a larger --fps is faster"
    ]


_LONG = 120
"""Seconds that nobody watches to the end."""


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
