"""The work on an input is shown: explanations as text, figures and animations as files or in a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import Step, as_volume, build_bank, run_program
from cnnfilter.compute.tiles import FeatureMaps, Model
from cnnfilter.errors import ShapeError
from cnnfilter.explain.text import explain_trace
from cnnfilter.explain.trace import Explained, span_around, trace
from cnnfilter.io.colours import encode_srgb
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.levels import to_levels
from cnnfilter.io.paths import Job, name_input
from cnnfilter.nn.correlation import Correlation
from cnnfilter.nn.geometry import Pair, Region
from cnnfilter.nn.layers import Block, Convolution, Shape
from cnnfilter.nn.network import Network
from cnnfilter.numbers import to_json
from cnnfilter.plot.sheet import PLOT, Paper, Sheet, encode_figure, open_canvas, open_sheet
from cnnfilter.run.preprocessing import prepare_colours, see
from cnnfilter.run.result import File, Watcher, lay_out, warn_about_pages
from cnnfilter.run.settings import EXPLAIN, LIST, Settings, Work, request_sheet

if TYPE_CHECKING:
    from cnnfilter.plot.compare import Panel
    from cnnfilter.plot.view import Reducer

_LONG = 120
"""Seconds of an animation that nobody watches to the end."""

MOST_EXPLAINED = 32
"""Rows and columns of which all values can be explained."""

_WEIGHED = "the image has transparent pixels, and colours are weighted by alpha; only opaque images can be explained"


class Show:
    """Shows the work on one input, by the jobs that are for this."""

    def __init__(self, work: Work, picture: Picture, jobs: Sequence[Job]) -> None:
        self._work, self._picture, self._settings = work, picture, work.settings
        self._reducers: dict[int, Reducer] = {}
        # A pipeline's figure needs all layers, and that of a window other values: both run the network themselves.
        runs_itself = self._settings.explain is not None or self._settings.pipeline
        self._watches = not runs_itself and any(job.view == PLOT for job in jobs)

    def watch(self, job: Job, maps: FeatureMaps) -> Watcher | None:
        """Return what reduces a result for its figure, if there will be one, while it is written."""
        return self._reduce(job.kernel, maps).take if self._watches else None

    def show(self, job: Job) -> File:
        """Return the file of a figure, animation or explanation, empty if it was shown in a window."""
        name, notes = name_input(job.source), list(self._picture.notes)
        if self._picture.pages:
            notes.append(warn_about_pages(self._picture.pages))
        if job.view == EXPLAIN:
            file = self._explain(job)
        elif job.view == LIST:
            from cnnfilter.run.peaks import list_correlation  # noqa: PLC0415  one command alone needs it

            titled = len(self._work.inputs) > 1
            file = list_correlation(self._picture, self._work.models[0], self._settings, name, titled=titled)
        else:
            sheet = request_sheet(self._settings, job.view)
            if job.target:
                sheet = sheet._replace(target=str(job.target))
            file = self._plot(name, sheet) if job.view == PLOT else self._animate(name, sheet)
        return file._replace(notes=(*notes, *file.notes))

    def _plot(self, name: str, sheet: Sheet) -> File:
        """Draw the figure."""
        with (open_sheet if sheet.in_window else open_canvas)(sheet) as figure:
            paper, settings = Paper(figure, sheet), self._settings
            if isinstance(self._work.models[0].network.layers[0], Correlation):
                from cnnfilter.run.peaks import draw_correlation  # noqa: PLC0415  one command alone needs it

                notes = [*draw_correlation(paper, self._picture, self._work.models[0], settings, name)]
            elif settings.explain is not None:
                from cnnfilter.plot.window import draw_windows  # noqa: PLC0415  matplotlib is for figures alone

                explained = self._explained()
                notes = [note for one in explained for note in one.notes]
                draw_windows(explained, name, paper)
            else:
                from cnnfilter.plot.compare import draw_panels  # noqa: PLC0415
                from cnnfilter.plot.view import Look  # noqa: PLC0415

                if settings.pipeline:
                    model, notes = self._work.models[0], []
                    panels = run_layers(self._picture, name, model, settings, sheet, settings.save)
                else:
                    panels, notes = self._panels(name)
                draw_panels(paper, panels, Look(settings.equalize, settings.colormap, settings.range_))
            if paper.warning:
                notes.append(paper.warning)
            if sheet.in_window:
                return File("", b"", paper.pixels, notes=tuple(notes))
            return File(sheet.target, encode_figure(figure, sheet), paper.pixels, notes=tuple(notes))

    def _side(self) -> int:
        """Return how many pixels the panels of the input and of the results show along their longer side."""
        from cnnfilter.plot.compare import arrange  # noqa: PLC0415

        return arrange(request_sheet(self._settings, PLOT), len(self._work.models) + 1).side

    def _reduce(self, number: int, maps: FeatureMaps) -> Reducer:
        """Return what reduces the result of a network for its figure."""
        from cnnfilter.plot.view import Reducer  # noqa: PLC0415

        reducer = Reducer(maps.height, maps.white, matrix=maps.picture.matrix, side=self._side())
        return self._reducers.setdefault(number, reducer)

    def _panels(self, name: str) -> tuple[list[Panel], list[str]]:
        """Return the panels of the input and of the results of all networks, and warnings."""
        from cnnfilter.plot.compare import Panel, share_scale  # noqa: PLC0415
        from cnnfilter.plot.view import view_picture  # noqa: PLC0415

        notes: list[str] = []
        seen = see(self._picture, self._work.models[0], self._settings)
        panels = [Panel(PurePath(name).name, view_picture(seen, self._side()))]
        for number, model in enumerate(self._work.models):
            reducer = self._reducers.get(number)
            if not (reducer and reducer.complete):
                maps = lay_out(self._picture, model, self._settings)
                reducer = self._reduce(number, maps)
                maps.visit(reducer.take)
                notes += maps.notes
            panels.append(Panel(self._title(number), reducer.view(), only_kernel(model)))
        return panels if self._settings.own_scales else [*panels[:1], *share_scale(panels[1:])], notes

    def _title(self, number: int) -> str:
        """Return what a result is called: its kernel, or the words of its network."""
        names = self._work.names
        return PurePath(names[number]).name if names else self._work.models[number].title

    def _explain(self, job: Job) -> File:
        """Explain the value under each network: as text, or as a line of JSON each."""
        if self._settings.pipeline:
            return self._explain_chain(job)
        texts, notes = list[str](), list[str]()
        for one in self._explained():
            stored = _store(one.outcome, self._picture, self._settings)
            if self._settings.json:
                from cnnfilter.explain.data import describe_trace  # noqa: PLC0415  most explanations are texts

                head = {"input": job.source, "name": one.title}
                texts.append(to_json({**head, **describe_trace(one.traced, one.outcome, stored)}) + "\n")
            else:
                subject = f"{name_input(job.source)}, {one.title}"
                held = _show_stored(stored, one.outcome, self._picture, self._settings)
                texts.append(explain_trace(one.traced, one.outcome, subject, held))
            notes += one.notes
        return File(job.format_name, ("" if self._settings.json else "\n").join(texts).encode(), (), notes=tuple(notes))

    def _explain_chain(self, job: Job) -> File:
        """Follow a value of a network's result back to the input: as text, or as a line of JSON."""
        from cnnfilter.explain.chain import follow, settle_place  # noqa: PLC0415  most explanations are of one layer

        model, settings = self._work.models[0], self._settings
        assert isinstance(settings.explain, tuple)
        maps = lay_out(self._picture, model, settings, whole=True)
        place = settle_place(model.output(maps.colours.shape), settings.explain, settings.map)
        links = follow(model.program(maps.colours.shape), maps.colours, place, maps.white)
        if settings.json:
            from cnnfilter.explain.data import describe_chain  # noqa: PLC0415

            text = to_json({"input": job.source, "name": self._title(0), **describe_chain(links)}) + "\n"
        else:
            from cnnfilter.explain.text import explain_chain  # noqa: PLC0415

            text = explain_chain(links, f"{name_input(job.source)}, {self._title(0)}")
        return File(job.format_name, text.encode(), (), notes=maps.notes)

    def _explained(self) -> list[Explained]:
        """Return how the values come about under each network."""
        return [one for number in range(len(self._work.models)) for one in self._explain_network(number)]

    def _explain_network(self, number: int) -> Iterator[Explained]:
        """Yield how the values come about under a network; their windows have to be opaque."""
        settings, picture, model = self._settings, self._picture, self._work.models[number]
        seen = see(picture, model, settings)
        colors = seen.colours
        program = model.program(colors.shape)
        output = program.network.output(colors.shape)
        asked = settings.explain
        places = [(asked[0], asked[1])] if isinstance(asked, tuple) else _list_places(output, settings)
        traces = [trace(program, colors, place) for place in places]
        if seen.has_alpha:
            for traced in traces:
                alpha = seen.pixels[traced.reach.row_sources[:, None], traced.reach.column_sources, 3]
                if (alpha[traced.inside] < picture.maximum).any():
                    raise ShapeError(_WEIGHED)
        maps = lay_out(picture, model, settings._replace(region=None))
        rows, columns = (span_around(places[0][axis], places[-1][axis], output[axis]) for axis in (0, 1))
        outputs = _cut(maps, rows)[:, columns.start : columns.stop]
        corner, title, notes = (rows.start, columns.start), self._title(number), list(maps.notes)
        for traced, (row, column) in zip(traces, places, strict=True):
            outcome = outputs[row - rows.start, column - columns.start]
            yield Explained(traced, outcome, title, colors, outputs, corner, _white(picture), notes)

    def _animate(self, name: str, sheet: Sheet) -> File:
        if len(self._work.models) > 1:
            raise ShapeError(f"{len(self._work.models)} kernels are given, and --animate shows one")
        with open_canvas(sheet) as figure:
            from cnnfilter.plot.animation import animate  # noqa: PLC0415  matplotlib is for figures alone
            from cnnfilter.plot.movie import encode_movie  # noqa: PLC0415

            model, fps = self._work.models[0], self._settings.fps or 3.0
            picture = see(self._picture, model, self._settings)
            colors = picture.colours
            if picture.has_alpha and (picture.pixels[:, :, 3] < picture.maximum).any():
                raise ShapeError(_WEIGHED)
            title = f"{PurePath(name).name}, {self._title(0)}"
            paper = Paper(figure, sheet)
            program = model.program(colors.shape)
            movie = animate(program, colors, self._settings.around, title, _white(picture), paper)
            notes = []
            if (seconds := round(movie.length / fps)) >= _LONG:
                notes.append(
                    f"the animation has {movie.length} windows and runs for {seconds // 60} min {seconds % 60} s; "
                    "--around Y,X shows fewer, a larger --fps is faster"
                )
            return File(sheet.target, encode_movie(movie, sheet.target, fps), paper.pixels, notes=tuple(notes))


def _list_places(output: Shape, settings: Settings) -> list[Pair]:
    """Return the (row, column) of all values of an output (H, W, C), or of those in the region."""
    whole = Region((None, None), (None, None))
    rows, columns = (range(part.start, part.stop) for part in (settings.region or whole).cut(output))
    if max(len(rows), len(columns)) > MOST_EXPLAINED:
        raise ShapeError(
            f"--explain all prints up to {MOST_EXPLAINED}x{MOST_EXPLAINED} values, and these are "
            f"{len(rows)}x{len(columns)}; --explain Y,X prints one, and --region Y1:Y2,X1:X2 chooses some"
        )
    return [(row, column) for row in rows for column in columns]


def only_kernel(model: Model) -> Doubles | None:
    """Return the weights of a network that is laid on the input as one kernel, or None."""
    kernels = [kernel for step in model.program(()).steps for kernel in step.kernels]
    return kernels[0].weights if len(kernels) == 1 else None


def run_layers(
    picture: Picture, name: str, model: Model, settings: Settings, sheet: Sheet, layers: Sequence[str] = ()
) -> list[Panel]:
    """Run a network on an image, and return the panels of the image and of the layers wanted, all if none is named."""
    from cnnfilter.plot.compare import MOST_PANELS, Panel, arrange  # noqa: PLC0415  matplotlib is for figures
    from cnnfilter.plot.view import View, view_picture, view_values  # noqa: PLC0415

    seen = see(picture, model, settings)
    colors, white = prepare_colours(seen, settings)
    program = model.program(colors.shape)
    titles = _name_panels(program.network, colors.shape, layers)
    if len(titles) >= MOST_PANELS:
        raise ShapeError(
            f"{len(titles)} layers are too many for one figure, which holds {MOST_PANELS - 1}; "
            "--save NAME, as often as needed, picks layers"
        )
    side = arrange(sheet, len(titles) + 1).side
    views: dict[str, View] = {}

    def keep(layer: str, values: Array) -> None:
        if layer in titles:
            values = encode_srgb(values, white) if settings.linear else values
            views[layer] = view_values(values, side, white, matrix=picture.matrix)

    run_program(program, colors, white=white, listener=keep)
    panels = [Panel(PurePath(name).name, view_picture(seen, side))]
    steps = {step.node.name: step for step in _walk(program.steps)}
    visits = {visit.node.name: visit for visit in program.network.visits(colors.shape)}
    for shown, (title, main) in titles.items():
        visit, step, filters = visits[main], steps[main], None
        if isinstance(visit.node.layer, Convolution) and step.kernels:
            filters = build_bank(visit.node.layer, step.kernels, visit.inputs.shape[2])[0]
        elif isinstance(visit.node.layer, Convolution):
            filters = np.asarray(step.tensors["weight"], dtype=np.float64)
        panels.append(Panel(title, views[shown], filters=filters))
    return panels


_MANY = 11
"""Layers; of more those that only change values have no panel of their own."""


def _name_panels(network: Network, shape: Shape, layers: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the layers whose results are drawn, with the title of each, and the layer whose filters are.

    Of a long network `relu`, `dropout` and the like are drawn with the layer before them, and `gray` with the next one.
    """
    visits = list(network.visits(shape))
    if layers or len(visits) <= _MANY:
        wanted = [visit.node for visit in visits if visit.node.name in (layers or network.names)]
        return {node.name: (_title_of(node.name, [node.layer.text]), node.name) for node in wanted}
    from cnnfilter.plot.network_steps import fold_steps, walk_steps  # noqa: PLC0415

    found, before = dict[str, tuple[str, str]](), list[str]()
    for step in walk_steps(fold_steps(network, shape)):
        texts = [*before, *(one.node.layer.text for one in step.visits if not isinstance(one.node.layer, Block))]
        before = texts if step.main.node.layer.op == "gray" and step.visits[-1] is not visits[-1] else []
        if not before:
            found[step.visits[-1].node.name] = _title_of(step.name, texts or [step.main.node.layer.op]), step.name
    return found


def _title_of(name: str, texts: Sequence[str]) -> str:
    """Return the title of a panel: a layer's name and text, which may be the same word."""
    return name if texts == [name.rstrip("0123456789")] else f"{name}: {' '.join(texts)}"


def _walk(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        for branch in step.branches:
            yield from _walk(branch)
        yield step


def _white(picture: Picture) -> float:
    return 0.0 if picture.matrix else picture.maximum


def _cut(maps: FeatureMaps, rows: range) -> Array:
    """Return some rows of a result, (rows, W, C); no more of it is made than needed."""
    found = []
    for part in maps:
        if part.rows.start >= rows.stop:
            break
        first = max(rows.start - part.rows.start, 0)
        found.append(as_volume(part.values)[first : rows.stop - part.rows.start])
    return np.concatenate(found)


def _store(outcome: Array, picture: Picture, settings: Settings) -> Array | None:
    """Return the levels of values in a file of the picture's depth; None where it holds floats or depends on others."""
    depth = settings.depth or picture.depth
    range_ = settings.range_ or Range.CLIP
    if picture.matrix or depth is Depth.FLOAT or range_ in {Range.SCALE, Range.MAX}:
        return None
    return to_levels(outcome, range_=range_, maximum=picture.maximum, depth=depth)[0]


def _show_stored(stored: Array | None, outcome: Array, picture: Picture, settings: Settings) -> str:
    """Return what a file holds of values, or the empty string if that is the same or not known."""
    if stored is None or np.array_equal(stored, outcome):
        return ""
    depth, range_ = settings.depth or picture.depth, settings.range_ or Range.CLIP
    return f"{' '.join(map(str, stored))}, in {depth} bits with --range {range_}"
