"""Volumes as boxes to scale, and the pen that draws them with the lines and texts around them, in inches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import log2, sqrt
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyBboxPatch, Polygon
from matplotlib.textpath import TextToPath

from cnnfilter.spec.layers import Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    "input": "#DDDDDD",
    "convolution": "#56B4E9",
    "pool": "#E69F00",
    "linear": "#009E73",
    "sum": "#CC79A7",
    "channels side by side": "#F0E442",
    "other": "#FFFFFF",
}
"""What makes a volume, as colors that all eyes tell apart (M. Okabe, K. Ito, Color universal design, 2002)."""

SMALL, NORMAL = 6.5, 7.5
"""Points of sizes and of layers."""

_SHORTEST = 0.05
"""Inches of the least side of a box."""

_SLANT = (0.38, 0.24)
"""How far a pixel of the width goes to the right and up, in the length of a pixel of the height."""


class Scale(NamedTuple):
    """How numbers become lengths: `way` is `linear`, `square root` or `logarithm`, the `greatest` one is `inches`."""

    way: str
    greatest: int
    inches: float

    def length(self, number: int) -> float:
        """Return the inches of a number."""
        value, most = (_bent(self.way, size) for size in (number, self.greatest))
        return max(_SHORTEST, self.inches * value / most)


def _bent(way: str, number: int) -> float:
    return {"linear": float(number), "square root": sqrt(number), "logarithm": log2(1 + number)}[way]


def make_scale(numbers: Iterable[int], inches: float) -> Scale:
    """Return the scale for numbers: linear where the greatest is at most 10 times the least, then ever more bent.

    Examples
    --------
    >>> make_scale([4, 32], 1.0).way, make_scale([7, 224], 1.0).way, make_scale([3, 4096], 1.0).way
    ('linear', 'square root', 'logarithm')
    """
    known = list(numbers) or [1]
    ratio = max(known) / min(known)
    way = "linear" if ratio <= 10 else "square root" if ratio <= 256 else "logarithm"
    return Scale(way, max(known), inches)


class Scales(NamedTuple):
    """The scales of the heights and widths, of the channels, and of the lengths of vectors."""

    space: Scale
    channels: Scale
    vectors: Scale

    def sides(self, shape: Shape) -> tuple[float, float, float]:
        """Return the inches to the right (channels), up (height), and to the back (width); a vector stands upright."""
        if len(shape) == 1:
            return 0.1, self.vectors.length(shape[0]), 0.1
        height, width, channels = shape
        return self.channels.length(channels), self.space.length(height), self.space.length(width)


def make_scales(shapes: Sequence[Shape]) -> Scales:
    """Return scales on which all of these shapes can be drawn beside each other."""
    volumes = [shape for shape in shapes if len(shape) == 3]
    channels = [shape[2] for shape in volumes]
    vectors = [shape[0] for shape in shapes if len(shape) == 1]
    return Scales(
        make_scale([size for shape in volumes for size in shape[:2]], 1.1),
        make_scale(channels, min(0.6, 0.08 * max(channels, default=1))),
        make_scale(vectors, min(1.4, 0.1 * max(vectors, default=1))),
    )


def outline(scales: Scales, shape: Shape) -> tuple[float, float, float]:
    """Return how far a box goes from the middle of its front's left edge: to the right, up and down."""
    right, up, back = scales.sides(shape)
    return right + _SLANT[0] * back, up / 2 + _SLANT[1] * back, up / 2


@cache
def text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Return the inches of a line of text."""
    font = FontProperties(size=points, weight="bold" if bold else "normal")
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


class Pen:
    """Draws on axes whose unit is an inch before they are zoomed."""

    def __init__(self, axes: Axes, zoom: float) -> None:
        self.axes = axes
        self.zoom = zoom

    def text(
        self, x: float, y: float, text: str, *, points: float = NORMAL, bold: bool = False, at: str = "center bottom"
    ) -> None:
        """Write a line of text; `at` says which of its points lies at (x, y)."""
        across, down = at.split()
        weight = "bold" if bold else "normal"
        self.axes.text(x, y, text, fontsize=points * self.zoom, ha=across, va=down, fontweight=weight)

    def line(self, points: Sequence[tuple[float, float]], *, light: bool = False, arrow: bool = False) -> None:
        """Draw a line through points, with the head of an arrow at its end if told so."""
        color, width = ("#999999" if light else "black"), 0.9 * self.zoom
        xs, ys = zip(*points, strict=True)
        self.axes.plot(xs, ys, color=color, linewidth=width, solid_capstyle="butt", solid_joinstyle="miter", zorder=1)
        if arrow:
            x, y = points[-1]
            head = [(x, y), (x - 0.07, y + 0.035), (x - 0.07, y - 0.035)]
            self.axes.add_patch(Polygon(head, closed=True, facecolor=color, edgecolor="none", zorder=2))

    def ground(self, left: float, low: float, right: float, high: float) -> None:
        """Draw the ground that a block stands on."""
        style = "round,pad=0,rounding_size=0.08"
        size = right - left, high - low
        self.axes.add_patch(
            FancyBboxPatch((left, low), *size, boxstyle=style, facecolor="#00000010", edgecolor="#00000030", zorder=0)
        )

    def sign(self, x: float, y: float, sign: str) -> None:
        """Draw a sign in a circle, where branches meet."""
        face = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.9 * self.zoom}
        self.axes.add_patch(Circle((x, y), 0.1, zorder=3, **face))
        self.axes.text(x, y, sign, fontsize=9 * self.zoom, ha="center", va="center_baseline", zorder=4)

    def box(self, x: float, y: float, shape: Shape, scales: Scales, kind: str, name: str) -> None:
        """Draw a volume whose front's left edge has its middle at (x, y)."""
        right, up, back = scales.sides(shape)
        over, above = _SLANT[0] * back, _SLANT[1] * back
        low, high = y - up / 2, y + up / 2
        front = [(x, low), (x + right, low), (x + right, high), (x, high)]
        top = [(x, high), (x + right, high), (x + right + over, high + above), (x + over, high + above)]
        side = [(x + right, low), (x + right + over, low + above), (x + right + over, high + above), (x + right, high)]
        for part, face, light in (("front", front, 1.0), ("top", top, 1.12), ("side", side, 0.82)):
            red, green, blue = (min(1.0, value * light) for value in to_rgb(COLORS[kind]))
            color = red, green, blue
            self.patch(face, color, f"{part} of {name}")

    def patch(
        self, corners: Sequence[tuple[float, float]], color: str | tuple[float, float, float], identity: str
    ) -> None:
        """Draw a filled polygon; `identity` is what it is, which SVG keeps."""
        look = {"edgecolor": "black", "linewidth": 0.6 * self.zoom, "joinstyle": "round", "zorder": 3}
        self.axes.add_patch(Polygon(corners, closed=True, facecolor=color, gid=identity, **look))
