"""What is printed of a correlation: its peaks, or the shift."""

from __future__ import annotations

from typing import Any

from cnnfilter.arrays import Doubles
from cnnfilter.compute.correlate import correlate_planes, find_peaks, find_shift, to_plane
from cnnfilter.compute.tiles import Model
from cnnfilter.io.decode import Picture
from cnnfilter.nn.correlation import Correlation
from cnnfilter.numbers import show_digits, to_json
from cnnfilter.run.result import File, lay_out
from cnnfilter.run.settings import Settings

_DIGITS = 7
"""Of the value at a peak, as a text shows it; JSON has all."""


def find_planes(picture: Picture, model: Model, settings: Settings) -> tuple[Correlation, Doubles, Doubles]:
    """Return the layer, and the planes of an input and of the pattern, which are one array where none was given."""
    plane = to_plane(lay_out(picture, model, settings).colours)
    (step,) = model.program(()).steps
    layer = step.node.layer
    assert isinstance(layer, Correlation)
    return layer, plane, step.tensors.get("pattern", plane)


def list_correlation(picture: Picture, model: Model, settings: Settings, name: str, *, titled: bool) -> File:
    """Return the lines `dy dx value` of the peaks, or `dy dx` of the shift, or what JSON has of either."""
    layer, plane, pattern = find_planes(picture, model, settings)
    known: dict[str, Any] = {
        "input": name,
        "with": layer.pattern and layer.pattern.path,
        "normalize": str(layer.similarity),
    }
    if settings.shift:
        peak = find_shift(plane, pattern, layer.similarity)
        text = f"{_show_tenth(peak.dy)} {_show_tenth(peak.dx)}\n"
        known |= {"shift": {"dy": round(peak.dy, 2), "dx": round(peak.dx, 2), "value": peak.value}}
    else:
        lags = layer.lags((plane.shape[0], plane.shape[1]))
        peaks = find_peaks(correlate_planes(plane, pattern, lags, layer.similarity), lags, settings.peaks or 1)
        text = "".join(f"{peak.dy} {peak.dx} {show_digits(peak.value, _DIGITS)}\n" for peak in peaks)
        known |= {"peaks": [peak._asdict() for peak in peaks]}
    if settings.json:
        text = to_json(known) + "\n"
    elif titled:
        text = f"# {name}\n{text}"
    return File("-.txt", text.encode("utf-8", "surrogateescape"), ())


def _show_tenth(number: float) -> str:
    """Return a number to a tenth; what rounds to 0 has no sign."""
    return f"{round(number, 1) + 0.0:.1f}"
