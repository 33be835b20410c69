"""The work on an input is shown: explanations as text, figures and moving pictures as files or in a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import Step, as_volume, build_bank, prepare, run_program
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import ShapeError
from cnnfilter.explain.text import explain_trace
from cnnfilter.explain.trace import Explained, span_around, trace
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.levels import to_levels
from cnnfilter.io.paths import Job, name_input
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Convolution, Layer
from cnnfilter.plot.sheet import PLOT, Paper, Sheet, encode_figure, open_canvas, open_sheet
from cnnfilter.run.result import FeatureMaps, File, Watcher, lay_out, remark_on_pages
from cnnfilter.run.settings import Settings
from cnnfilter.run.views import EXPLAIN, Views

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnnfilter.plot.compare import Grid, Panel
    from cnnfilter.plot.view import Reducer


_LONG = 120
"""Seconds of a moving picture that nobody watches to the end."""

_WEIGHED = "some pixels are transparent, and colors are weighed by alpha then; only opaque ones can be explained"


class Show:
    """Shows the work on one input.

    Parameters
    ----------
    views, picture
        What is to be shown, and the input.
    jobs
        Those that show it.
    models, settings
        The network for each kernel, and how images are run.
    """

    def __init__(
        self, views: Views, picture: Picture, jobs: Sequence[Job], models: Sequence[Model], settings: Settings
    ) -> None:
        self._views, self._picture, self._models, self._settings = views, picture, models, settings
        self._seen: dict[int, tuple[Reducer, FeatureMaps]] = {}
        # A pipeline's figure needs all layers, and that of a window other values: both run the network themselves.
        self._watches = views.explain is None and not settings.pipeline and any(job.view == PLOT for job in jobs)

    def watch(self, job: Job, maps: FeatureMaps) -> Watcher | None:
        """Return what reduces a result for its figure, if there will be one, while it is written."""
        return self._reduce(job.kernel, maps)[0].take if self._watches else None

    def show(self, job: Job, notes: list[str]) -> File:
        """Return the file of a figure, moving picture or explanation, empty if it was shown in a window.

        Remarks are added to `notes`. The shape is that of the pixels, (H, W), or empty for an explanation.
        """
        name = name_input(job.source)
        notes += self._picture.notes
        if self._picture.pages:
            notes.append(remark_on_pages(self._picture.pages))
        if job.view == EXPLAIN:
            return File(job.format_name, self._explain(name, notes), ())
        sheet = self._views.sheet(job)
        if job.view != PLOT:
            return self._animate(name, sheet, notes)
        if sheet.in_window:
            with open_sheet(sheet) as figure:
                return File("", b"", self._draw(figure, name, sheet, notes))
        with open_canvas(sheet) as figure:
            shape = self._draw(figure, name, sheet, notes)
            return File(sheet.target, encode_figure(figure, sheet), shape)

    def _draw(self, figure: Figure, name: str, sheet: Sheet, notes: list[str]) -> Pair:
        """Draw the figure, and return its (height, width) in pixels."""
        paper = Paper(figure, sheet)
        if self._views.explain is not None:
            from cnnfilter.plot.window import draw_windows  # noqa: PLC0415  matplotlib is for figures alone

            draw_windows(list(self._explained(notes)), name, paper)
        else:
            from cnnfilter.plot.compare import draw_panels  # noqa: PLC0415
            from cnnfilter.plot.view import Look  # noqa: PLC0415

            if self._settings.pipeline:
                model, layers = self._models[0], self._views.layers
                grid, panels = run_layers(self._picture, name, model, self._settings, sheet, layers)
            else:
                grid, panels = self._panels(name, notes)
            look = Look(self._views.equalize, self._views.colormap, self._settings.range_)
            draw_panels(paper, panels, grid, look)
        if paper.remark:
            notes.append(paper.remark)
        return paper.pixels

    def _grid(self) -> Grid:
        """Return how the input and the results are arranged."""
        from cnnfilter.plot.compare import arrange  # noqa: PLC0415

        assert self._views.plot
        return arrange(self._views.plot, max(1, len(self._views.kernels)) + 1)

    def _reduce(self, number: int, maps: FeatureMaps) -> tuple[Reducer, FeatureMaps]:
        """Return what reduces the result of a network for its figure, and the result."""
        from cnnfilter.plot.view import Reducer  # noqa: PLC0415

        reducer = Reducer(maps.height, maps.white, matrix=maps.matrix, side=self._grid().side)
        return self._seen.setdefault(number, (reducer, maps))

    def _panels(self, name: str, notes: list[str]) -> tuple[Grid, list[Panel]]:
        """Return the panels of the input and of the results of all networks."""
        from cnnfilter.plot.compare import Panel  # noqa: PLC0415
        from cnnfilter.plot.view import view_picture  # noqa: PLC0415

        grid = self._grid()
        panels = [Panel(PurePath(name).name, view_picture(self._picture, grid.side))]
        for number, model in enumerate(self._models):
            if number not in self._seen:
                maps = lay_out(self._picture, model, self._settings)
                self._reduce(number, maps)
                notes += maps.notes
            reducer, maps = self._seen[number]
            if not reducer.complete:
                maps.visit(reducer.take)
            panels.append(Panel(self._title(number), reducer.view(), only_kernel(model)))
        return grid, panels

    def _title(self, number: int) -> str:
        """Return what a result is called: its kernel, or the words of its network."""
        return PurePath(self._views.kernels[number]).name if self._views.kernels else self._models[number].title

    def _explain(self, name: str, notes: list[str]) -> bytes:
        texts = []
        for one in self._explained(notes):
            held = _held(one.outcome, self._picture, self._settings)
            texts.append(explain_trace(one.traced, one.outcome, f"{name}, {one.title}", held))
        return "\n".join(texts).encode()

    def _explained(self, notes: list[str]) -> Iterator[Explained]:
        """Yield how the value comes about under each network."""
        assert self._views.explain is not None
        for number, model in enumerate(self._models):
            one = _trace(self._picture, model, self._settings, self._views.explain, self._title(number))
            notes += one.notes
            yield one

    def _animate(self, name: str, sheet: Sheet, notes: list[str]) -> File:
        if len(self._models) > 1:
            raise ShapeError(f"{len(self._models)} kernels slide one by one; --animate takes one -k at a time")
        with open_canvas(sheet) as figure:
            from cnnfilter.plot.animation import animate  # noqa: PLC0415  matplotlib is for figures alone
            from cnnfilter.plot.movie import encode_movie  # noqa: PLC0415

            colors, fps = _colors(self._picture), self._views.fps or 3.0
            if self._picture.has_alpha and (as_volume(self._picture.pixels)[:, :, 3] < self._picture.maximum).any():
                raise ShapeError(_WEIGHED)
            title = f"{PurePath(name).name}, {self._title(0)}"
            paper = Paper(figure, sheet)
            program = self._models[0].program(colors.shape)
            movie = animate(program, colors, self._views.around, title, _white(self._picture), paper)
            if (seconds := round(movie.length / fps)) >= _LONG:
                notes.append(
                    f"the moving picture has {movie.length} windows and runs for {seconds // 60} min {seconds % 60} s; "
                    "--around Y,X shows fewer, a larger --fps is faster"
                )
            return File(sheet.target, encode_movie(movie, sheet.target, fps), paper.pixels)


def only_kernel(model: Model) -> Doubles | None:
    """Return the weights of a network that is laid on the input as one kernel, or None."""
    kernels = [kernel for step in model.program(()).steps for kernel in step.kernels]
    return kernels[0].weights if len(kernels) == 1 else None


def run_layers(
    picture: Picture, name: str, model: Model, settings: Settings, sheet: Sheet, layers: Sequence[str] = ()
) -> tuple[Grid, list[Panel]]:
    """Run a network on an image, and return the panels of the image and of the layers that are wanted, all if none is.

    Raises
    ------
    ShapeError
        If there are too many layers for one figure.
    """
    from cnnfilter.plot.compare import Panel, arrange, check_layers  # noqa: PLC0415  matplotlib is for figures
    from cnnfilter.plot.view import View, view_picture, view_values  # noqa: PLC0415

    colors = prepare(_colors(picture), settings.preparation)
    program = model.program(colors.shape)
    names = layers or program.network.names
    check_layers(len(names))
    grid = arrange(sheet, len(names) + 1, large=False)
    white = picture.maximum * settings.preparation.scale
    views: dict[str, View] = {}

    def keep(layer: str, values: Array) -> None:
        if layer in names:
            views[layer] = view_values(values, grid.side, white, matrix=picture.matrix)

    run_program(program, colors, white=white, listener=keep)
    panels = [Panel(PurePath(name).name, view_picture(picture, grid.side))]
    steps = {step.node.name: step for step in _walk(program.steps)}
    for visit in program.network.visits(colors.shape):
        if (called := visit.node.name) in views:
            text = visit.layer.text
            title = called if text == called.rstrip("0123456789") else f"{called}: {text}"
            filters = _filters(steps[called], visit.layer, visit.inputs.shape)
            panels.append(Panel(title, views[called], filters=filters))
    return grid, panels


def _walk(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        for branch in step.branches:
            yield from _walk(branch)
        yield step


def _filters(step: Step, layer: Layer, shape: Sequence[int]) -> Doubles | None:
    """Return the weights of a convolution, (kh, kw, in / groups, out); None for any other layer."""
    if not isinstance(layer, Convolution):
        return None
    if step.kernels:
        return build_bank(layer, step.kernels, shape[2])
    return np.asarray(step.tensors["weight"], dtype=np.float64)


def _colors(picture: Picture) -> Array:
    """Return an image without alpha, (H, W, C)."""
    pixels = as_volume(picture.pixels)
    return pixels[:, :, :3] if picture.has_alpha else pixels


def _white(picture: Picture) -> float:
    return 0.0 if picture.matrix else picture.maximum


def _trace(picture: Picture, model: Model, settings: Settings, place: Pair, title: str) -> Explained:
    """Return how a value comes about; its window has to be opaque."""
    colors = _colors(picture)
    traced = trace(model.program(colors.shape), colors, place)
    if picture.has_alpha:
        alpha = picture.pixels[traced.reach.row_sources[:, None], traced.reach.column_sources, 3]
        if (alpha[traced.inside] < picture.maximum).any():
            raise ShapeError(_WEIGHED)
    maps = lay_out(picture, model, settings)
    rows, columns = (span_around(place[axis], place[axis], traced.output[axis]) for axis in (0, 1))
    outputs = _cut(maps, rows)[:, columns.start : columns.stop]
    outcome = outputs[place[0] - rows.start, place[1] - columns.start]
    return Explained(
        traced, outcome, title, colors, outputs, (rows.start, columns.start), _white(picture), list(maps.notes)
    )


def _cut(maps: FeatureMaps, rows: range) -> Array:
    """Return some rows of a result, (rows, W, C); no more of it is made than needed."""
    found = []
    for part in maps.parts:
        if part.rows.start >= rows.stop:
            break
        first = max(rows.start - part.rows.start, 0)
        found.append(as_volume(part.values)[first : rows.stop - part.rows.start])
    return np.concatenate(found)


def _held(outcome: Array, picture: Picture, settings: Settings) -> str:
    """Return what a file of the picture's depth holds of values, or the empty string if that is the same."""
    depth = settings.depth or picture.depth
    range_ = settings.range_ or Range.CLIP
    if picture.matrix or depth is Depth.FLOAT or range_ in {Range.SCALE, Range.MAX}:
        return ""
    levels = to_levels(outcome, range_=range_, maximum=picture.maximum, depth=depth).pixels
    if np.array_equal(levels, outcome):
        return ""
    return f"{' '.join(map(str, levels))}, in {depth} bits with --range {range_}"
