"""What is shown of a correlation: its peaks or the shift as text, and its map as a figure."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.arrays import Doubles
from cnnfilter.compute.correlate import Lags, Peak, correlate_planes, find_peaks, find_shift, to_plane
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import ShapeError
from cnnfilter.io.decode import Picture
from cnnfilter.nn.correlation import Correlation, Similarity
from cnnfilter.numbers import show_digits, to_json
from cnnfilter.run.result import File, lay_out
from cnnfilter.run.settings import Settings

if TYPE_CHECKING:
    from cnnfilter.plot.compare import Panel
    from cnnfilter.plot.sheet import Paper

_DIGITS = 7
"""Of the value at a peak, as a text shows it; JSON has all."""


class Planes(NamedTuple):
    """An input and its pattern, one array where none was given, the layer that compares them, and warnings."""

    layer: Correlation
    image: Doubles
    pattern: Doubles
    notes: tuple[str, ...]

    @property
    def lags(self) -> Lags:
        """The shifts that the map has values for."""
        return self.layer.lags((self.image.shape[0], self.image.shape[1]))

    def correlate(self) -> Doubles:
        """Return the map."""
        return correlate_planes(self.image, self.pattern, self.lags, self.layer.similarity)


def find_planes(picture: Picture, model: Model, settings: Settings) -> Planes:
    """Return what a model compares of an input."""
    maps = lay_out(picture, model, settings)
    image = to_plane(maps.colours)
    (step,) = model.program(()).steps
    assert isinstance(step.node.layer, Correlation)
    return Planes(step.node.layer, image, step.tensors.get("pattern", image), maps.notes)


def list_correlation(picture: Picture, model: Model, settings: Settings, name: str, *, titled: bool) -> File:
    """Return the lines `dy dx value` of the peaks, or `dy dx` of the shift, or what JSON has of either."""
    planes = find_planes(picture, model, settings)
    layer = planes.layer
    known: dict[str, Any] = {"input": name, "with": layer.pattern and layer.pattern.path}
    known["normalize"] = str(layer.similarity)
    if settings.shift:
        peak = find_shift(planes.image, planes.pattern, layer.similarity)
        text = f"{_show_tenth(peak.dy)} {_show_tenth(peak.dx)}\n"
        known["shift"] = {"dy": round(peak.dy, 2), "dx": round(peak.dx, 2), "value": peak.value}
    else:
        values = planes.correlate()
        if layer.similarity is Similarity.NCC and not values.any():
            raise ShapeError("there is no peak: every overlap is flat, or covers less than half of the pattern")
        peaks = find_peaks(values, planes.lags, settings.peaks or 1)
        text = "".join(f"{peak.dy} {peak.dx} {show_digits(peak.value, _DIGITS)}\n" for peak in peaks)
        known["peaks"] = [peak._asdict() for peak in peaks]
    if settings.json:
        text = to_json(known) + "\n"
    elif titled:
        text = f"# {name}\n{text}"
    return File("-.txt", text.encode("utf-8", "surrogateescape"), (), notes=planes.notes)


def _show_tenth(number: float) -> str:
    """Return a number to a tenth; what rounds to 0 has no sign."""
    return f"{round(number, 1) + 0.0:.1f}"


def draw_correlation(paper: Paper, picture: Picture, model: Model, settings: Settings, name: str) -> tuple[str, ...]:
    """Draw an input, the pattern and the map with its peaks; of signals curves. Return warnings."""
    planes = find_planes(picture, model, settings)
    names = [PurePath(path).name for path in (name, *([planes.layer.pattern.path] if planes.layer.pattern else []))]
    if picture.matrix and len(planes.image) == len(planes.pattern) == 1:
        from cnnfilter.plot.signals import draw_signals  # noqa: PLC0415  matplotlib is for figures alone

        draw_signals(paper, names, planes.image[0], planes.pattern[0], planes.layer)
        return planes.notes
    from cnnfilter.plot.compare import arrange, draw_panels  # noqa: PLC0415
    from cnnfilter.plot.view import Look  # noqa: PLC0415

    panels = _make_panels(planes, picture, names, settings, arrange(paper.sheet, len(names) + 1).side)
    draw_panels(paper, panels, Look(settings.equalize, settings.colormap, settings.range_))
    return planes.notes


def _make_panels(planes: Planes, picture: Picture, names: list[str], settings: Settings, side: int) -> list[Panel]:
    """Return the panels of the planes by their names, with a frame wherever the pattern was found, and of the map."""
    from cnnfilter.plot.cells import MOST_NUMBERS  # noqa: PLC0415  matplotlib is for figures alone
    from cnnfilter.plot.compare import Panel, share_scale  # noqa: PLC0415
    from cnnfilter.plot.panel import Mark  # noqa: PLC0415
    from cnnfilter.plot.view import view_values  # noqa: PLC0415

    values, white, similarity = planes.correlate(), float(picture.maximum), planes.layer.similarity
    peaks: list[Peak] = find_peaks(values, planes.lags, settings.peaks or 1)
    panels = share_scale(
        [
            Panel(title, view_values(plane, side, white, matrix=picture.matrix)._replace(given=True))
            for title, plane in zip(names, (planes.image, planes.pattern), strict=False)
        ]
    )
    kind = "autocorrelation"
    if planes.layer.pattern:
        height, width = planes.pattern.shape
        panels[0] = panels[0]._replace(marks=tuple(Mark(peak.dy, peak.dx, height, width) for peak in peaks))
        kind = "correlation"
    cell = (1, 1) if values.size <= MOST_NUMBERS else (0, 0)  # a circle would hide the number
    marks = tuple(Mark(peak.dy, peak.dx, *cell) for peak in peaks)
    title = kind if similarity is Similarity.NONE else f"{kind}, {similarity}"
    first = planes.lags[0].start, planes.lags[1].start
    return [*panels, Panel(title, view_values(values, side, white, matrix=True), first=first, marks=marks)]
