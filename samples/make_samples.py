"""Draw the sample pictures and write the sample matrices.

Everything is computed, nothing is photographed, and two runs give the same files::

    python samples/make_samples.py            # beside this script
    python samples/make_samples.py FOLDER     # somewhere else, e.g. to compare
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.uint16]
Floats: TypeAlias = NDArray[np.float64]
Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

OVERSAMPLING = 4
"""Canvas pixels along each side of a picture pixel."""
FRACTION_BITS = 4
"""Binary digits after the point in the coordinates handed to OpenCV."""
FONT = cv2.FONT_HERSHEY_DUPLEX

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
MAGENTA: Color = (255, 0, 255)


# --------------------------------------------------------------------------- matrices


class Matrix(NamedTuple):
    """A sample matrix: what it is, and its values as rows (of channels)."""

    comment: str
    values: Sequence[Sequence[int | Sequence[int]]]


MATRICES = {
    "lines-4x4.txt": Matrix(
        "4 x 4: one step to the right adds three, one step down adds one",
        [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]],
    ),
    "edge-8x8.txt": Matrix(
        "8 x 8: a dark left half meets a bright right half in one vertical edge",
        [[10, 10, 10, 10, 100, 100, 100, 100]] * 8,
    ),
    "sharpen-5x5.txt": Matrix(
        "5 x 5: a nearly even patch of grey, to be sharpened",
        [
            [105, 102, 100, 97, 96],
            [103, 99, 103, 101, 102],
            [101, 98, 104, 102, 100],
            [99, 101, 106, 104, 99],
            [104, 104, 104, 100, 98],
        ],
    ),
    "pool-4x4.txt": Matrix(
        "4 x 4: four 2 x 2 blocks, to be pooled without remainder",
        [[0, 0, 14, 82], [149, 32, 0, 0], [28, 53, 64, 44], [39, 120, 133, 99]],
    ),
    "pool-5x5.txt": Matrix(
        "5 x 5: an odd size, so that pooling by 2 x 2 leaves a row and a column over",
        [
            [0, 0, 25, 14, 82],
            [149, 32, 31, 0, 0],
            [111, 200, 20, 135, 10],
            [28, 53, 20, 64, 44],
            [39, 120, 210, 13, 99],
        ],
    ),
    "volume-5x5x3.txt": Matrix(
        "5 x 5 x 3: three channels, one after the other, parted by a blank line",
        [
            [[2, 0, 0], [1, 0, 2], [1, 1, 0], [1, 1, 2], [0, 2, 1]],
            [[2, 1, 0], [1, 2, 0], [1, 1, 2], [2, 1, 1], [2, 0, 2]],
            [[2, 0, 0], [1, 0, 0], [1, 2, 1], [0, 0, 0], [0, 2, 2]],
            [[1, 2, 1], [2, 0, 2], [0, 0, 2], [2, 0, 0], [2, 2, 2]],
            [[0, 0, 2], [2, 2, 0], [0, 2, 1], [1, 1, 1], [0, 1, 1]],
        ],
    ),
    "filter0-3x3x3.txt": Matrix(
        "3 x 3 x 3: the first of two filters for the volume, with bias 1",
        [
            [[1, -1, 1], [-1, 1, 0], [-1, -1, 0]],
            [[-1, 0, -1], [-1, 1, 1], [-1, 1, 0]],
            [[1, 1, -1], [-1, -1, 0], [1, 1, 0]],
        ],
    ),
    "filter1-3x3x3.txt": Matrix(
        "3 x 3 x 3: the second of two filters for the volume, with bias 0",
        [
            [[1, 1, 0], [0, -1, 0], [-1, 1, 0]],
            [[1, -1, -1], [1, 0, 1], [0, 1, -1]],
            [[-1, 0, -1], [0, -1, 0], [1, 0, 1]],
        ],
    ),
}


def matrix_text(matrix: Matrix) -> str:
    """Return a matrix as text: a comment, then one line a row, channel after channel."""
    values = np.atleast_3d(np.asarray(matrix.values))
    channels = (
        "".join(" ".join(map(str, row)) + "\n" for row in values[:, :, channel].tolist())
        for channel in range(values.shape[2])
    )
    return f"# {matrix.comment}\n" + "\n".join(channels)


# ----------------------------------------------------------------------------- canvas


class Canvas:
    """An oversampled RGB picture with a pencil that takes fractional coordinates.

    All coordinates and sizes are in pixels of the finished picture; x runs right, y down,
    and whole numbers lie on the borders between pixels.

    Parameters
    ----------
    width, height
        Size of the finished picture.
    color
        What the canvas is filled with at first.
    """

    def __init__(self, width: int, height: int, color: Color) -> None:
        self.pixels: Bytes = np.empty((height * OVERSAMPLING, width * OVERSAMPLING, 3), np.uint8)
        self.pixels[:] = color

    def box(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        """Fill an upright rectangle."""
        x0, x1, y0, y1 = (max(0, round(value * OVERSAMPLING)) for value in (left, right, top, bottom))
        self.pixels[y0:y1, x0:x1] = color

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.pixels, [fixed_point(points)], color, cv2.LINE_AA, FRACTION_BITS)

    def line(self, points: Sequence[Point], color: Color, width: float = 1) -> None:
        """Draw a line through all the points."""
        thickness = max(1, round(width * OVERSAMPLING))
        cv2.polylines(self.pixels, [fixed_point(points)], False, color, thickness, cv2.LINE_AA, FRACTION_BITS)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """Fill a circle."""
        self.polygon(arc_points(center, (radius, radius)), color)

    def ring(self, center: Point, radius: float, color: Color, width: float = 1) -> None:
        """Draw the outline of a circle."""
        self.line(arc_points(center, (radius, radius)), color, width)

    def text(self, center: Point, text: str, size: float, color: Color) -> None:
        """Write a line of text around a point; `size` is about the height of a capital."""
        scale = size * OVERSAMPLING / 21
        (width, _), _ = cv2.getTextSize(text, FONT, scale, 1)
        x = round(center[0] * OVERSAMPLING - width / 2)
        y = round((center[1] + size / 2) * OVERSAMPLING)
        cv2.putText(self.pixels, text, (x, y), FONT, scale, color, 1, cv2.LINE_AA)

    def shrunk(self) -> Bytes:
        """Return the finished picture: the rounded mean of each block of canvas pixels."""
        height, width, channels = self.pixels.shape
        step = OVERSAMPLING
        blocks = self.pixels.reshape(height // step, step, width // step, step, channels)
        total = blocks.sum(axis=(1, 3), dtype=np.uint32)
        return np.asarray((total + step * step // 2) // (step * step), np.uint8)


def fixed_point(points: Sequence[Point]) -> NDArray[np.int32]:
    """Return points as the fixed-point canvas coordinates that OpenCV draws with."""
    centers = np.asarray(points, np.float64) * OVERSAMPLING - 0.5
    return np.rint(centers * (1 << FRACTION_BITS)).astype(np.int32)


def arc_points(center: Point, radii: Point, start: float = 0, stop: float = 360, count: int = 120) -> list[Point]:
    """Return points along an ellipse, from one angle to another in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, stop, count + 1)).tolist()
    return [(center[0] + radii[0] * math.cos(angle), center[1] + radii[1] * math.sin(angle)) for angle in angles]


def between(first: Point, last: Point, share: float) -> Point:
    """Return the point at a share of the way from one point to another."""
    return (first[0] + (last[0] - first[0]) * share, first[1] + (last[1] - first[1]) * share)


def shaded(color: Color, factor: float) -> Color:
    """Return a colour made darker (factor below 1) or lighter."""
    red, green, blue = (min(255, round(value * factor)) for value in color)
    return red, green, blue


# ------------------------------------------------------------------------------- city

CITY_WIDTH, CITY_HEIGHT = 640, 480
SHORE = 316.0
"""The y at which water, road and meadow begin."""
SUN = (130.0, 94.0)
SKY_STOPS: tuple[tuple[float, Color], ...] = (
    (0, (44, 104, 178)),
    (0.45, (128, 182, 218)),
    (0.8, (248, 216, 178)),
    (1, (252, 190, 150)),
)
STEEL: Color = (58, 66, 84)
SPECK_SHARE, SPECK_DEPTH = 0.1, 5
WATER: Color = (38, 84, 116)
CREAM: Color = (250, 240, 216)
LIT: Color = (255, 222, 134)
LIT_SHARE = 0.16
"""How many of the windows are lit."""


class Tower(NamedTuple):
    """A tower block: where it stands, and how its front looks."""

    left: float
    right: float
    top: float
    wall: Color
    glass: Color
    columns: int
    floor: float


TOWERS = (
    Tower(176, 222, 196, (178, 92, 70), (84, 66, 72), 4, 12),
    Tower(222, 268, 140, (66, 128, 146), (150, 206, 218), 5, 9),
    Tower(268, 318, 178, (226, 196, 142), (98, 104, 120), 4, 13),
    Tower(368, 412, 162, (108, 98, 142), (196, 190, 224), 4, 11),
)


class House(NamedTuple):
    """A gabled house: where its wall stands up to the eaves, and its colours."""

    left: float
    right: float
    eaves: float
    wall: Color
    roof: Color


HOUSES = (
    House(168.0, 206.0, 280.0, (232, 176, 84), (140, 62, 50)),
    House(206.0, 240.0, 272.0, (202, 98, 92), (92, 58, 66)),
    House(240.0, 282.0, 282.0, (146, 178, 134), (160, 78, 56)),
    House(282.0, 318.0, 274.0, (238, 214, 176), (86, 84, 104)),
    House(366.0, 402.0, 278.0, (120, 160, 190), (150, 70, 56)),
)


@cache
def draw_city() -> Bytes:
    """Return the city: sky, skyline, bridge and wheel, mirrored in water beside a road."""
    canvas = Canvas(CITY_WIDTH, CITY_HEIGHT, BLACK)
    paint_sky(canvas)
    sky = canvas.shrunk()
    draw_skyline(canvas)
    draw_bridge(canvas)
    draw_crane(canvas)
    for tower in TOWERS:
        draw_tower(canvas, tower)
    draw_clock_tower(canvas)
    for house in HOUSES:
        draw_house(canvas, house)
    draw_ferris_wheel(canvas)
    draw_birds(canvas)
    mirror_in_water(canvas)
    draw_glitter(canvas)
    draw_ground(canvas)
    draw_street_things(canvas)
    return with_grain(canvas.shrunk(), sky)


def paint_sky(canvas: Canvas) -> None:
    """Paint the sky from blue to peach, the glow round the sun, the sun and some clouds."""
    height, width, _ = canvas.pixels.shape
    y = (np.arange(height)[:, None] + 0.5) / OVERSAMPLING
    x = (np.arange(width)[None, :] + 0.5) / OVERSAMPLING
    places = [place for place, _ in SKY_STOPS]
    bands = [np.interp(y[:, 0] / SHORE, places, [color[i] for _, color in SKY_STOPS]) for i in range(3)]
    distance = np.sqrt((x - SUN[0]) ** 2 + (y - SUN[1]) ** 2)
    glow = 0.75 * np.clip(1 - distance / 190, 0, 1) ** 2
    for channel, warm in enumerate((255, 232, 176)):
        band = bands[channel][:, None]
        canvas.pixels[:, :, channel] = np.rint(band + (warm - band) * glow)
    canvas.disc(SUN, 25, (255, 246, 208))
    for cloud in ((48, 56, 0.9), (344, 44, 1.25), (594, 72, 0.9)):
        draw_cloud(canvas, *cloud)


def draw_cloud(canvas: Canvas, x: float, y: float, size: float) -> None:
    """Lay a half transparent cloud with a flat base over the sky."""
    sky = canvas.pixels.copy()
    for across, up, radius in ((-26, 6, 8), (-12, 10, 13), (6, 13, 16), (24, 7, 10)):
        canvas.disc((x + across * size, y - up * size), radius * size, WHITE)
    canvas.box(x - 60 * size, y, x + 60 * size, y + 30 * size, BLACK)
    base = round(y * OVERSAMPLING)
    canvas.pixels[:base] = cv2.addWeighted(canvas.pixels[:base], 0.45, sky[:base], 0.55, 0)
    canvas.pixels[base:] = sky[base:]


def draw_skyline(canvas: Canvas) -> None:
    """Draw two hazy rows of far away houses along the whole shore."""
    rng = np.random.default_rng(5)
    for color, lowest, highest in (((196, 176, 186), 222, 262), ((160, 150, 172), 252, 286)):
        left = 0.0
        while left < CITY_WIDTH:
            width, top = (float(value) for value in rng.integers((14, lowest), (34, highest)))
            canvas.box(left, top, left + width, SHORE, color)
            left += width


def draw_tower(canvas: Canvas, tower: Tower) -> None:
    """Draw a tower block with a shaded side, a parapet and rows of windows, some of them lit."""
    left, right, top, wall, glass, columns, floor = tower
    rng = np.random.default_rng(int(left))
    canvas.box(left, top, right, SHORE, wall)
    canvas.box(right - 5, top, right, SHORE, shaded(wall, 0.78))
    canvas.box(left - 1, top - 3, right + 1, top + 1, shaded(wall, 0.66))
    step = (right - left - 9) / columns
    y = top + 6
    while y + floor < SHORE:
        for column in range(columns):
            x = left + 4 + column * step
            color = LIT if rng.random() < LIT_SHARE else shaded(glass, 0.92 + 0.16 * float(rng.random()))
            canvas.box(x, y, x + step * 0.66, y + floor * 0.6, color)
        y += floor


def draw_house(canvas: Canvas, house: House) -> None:
    """Draw a gabled house: wall, pitched roof, chimney, round attic window, door and windows."""
    left, right, eaves, wall, roof = house
    middle, half = (left + right) / 2, (right - left) / 2
    ridge = eaves - half
    canvas.box(right - half * 0.55, ridge + 1, right - half * 0.3, eaves, shaded(roof, 0.8))
    canvas.polygon([(left, eaves), (middle, ridge), (right, eaves)], wall)
    canvas.box(left, eaves, right, SHORE, wall)
    canvas.line([(left - 1, eaves + 1), (middle, ridge), (right + 1, eaves + 1)], roof, 3.5)
    canvas.disc((middle, eaves - half * 0.32), 4, CREAM)
    canvas.disc((middle, eaves - half * 0.32), 2.8, STEEL)
    canvas.box(middle - 4, SHORE - 15, middle + 4, SHORE, shaded(roof, 0.75))
    for x in (left + half * 0.4, right - half * 0.4):
        canvas.box(x - 4.5, eaves + 5, x + 4.5, eaves + 17, CREAM)
        canvas.box(x - 3.3, eaves + 6.2, x + 3.3, eaves + 15.8, (88, 112, 138))
        canvas.line([(x, eaves + 6), (x, eaves + 16)], CREAM, 0.75)


def draw_clock_tower(canvas: Canvas) -> None:
    """Draw the town hall's tower: brick, two cornices, arched windows, a pointed roof, a clock."""
    left, right, top, brick = 322.0, 362.0, 168.0, (186, 122, 88)
    middle = (left + right) / 2
    canvas.box(left, top, right, SHORE, brick)
    canvas.box(right - 6, top, right, SHORE, shaded(brick, 0.8))
    canvas.polygon([(left - 4, top), (middle, top - 46), (right + 4, top)], (70, 112, 104))
    canvas.polygon([(middle, top), (middle, top - 46), (right + 4, top)], (54, 90, 86))
    canvas.line([(middle, top - 45), (middle, top - 57)], STEEL, 1.25)
    canvas.box(left - 4, top, right + 4, top + 4, CREAM)
    canvas.box(left - 2, top + 46, right + 2, top + 49, CREAM)
    for x in (left + 7, middle - 3, right - 13):
        for y in (top + 58, top + 84, top + 110):
            arch = arc_points((x + 3, y), (3, 3), 180, 360)
            canvas.polygon([(x, y + 14), *arch, (x + 6, y + 14)], STEEL)
    draw_clock(canvas, (middle, top + 24))


def draw_clock(canvas: Canvas, center: Point) -> None:
    """Draw a round clock that shows ten past ten."""
    canvas.disc(center, 16.5, STEEL)
    canvas.disc(center, 14.5, (255, 252, 240))
    for hour in arc_points(center, (11.8, 11.8), count=12):
        canvas.disc(hour, 0.9, STEEL)
    for degrees, length in ((-150, 7.5), (-30, 10.5)):
        canvas.line([center, *arc_points(center, (length, length), degrees, degrees, 0)], BLACK, 1.5)


def draw_bridge(canvas: Canvas) -> None:
    """Draw a cable-stayed bridge: a pylon, a deck on piers, and a fan of slanting cables."""
    deck, pylon, color = 288.0, 84.0, (150, 54, 52)
    for pier in (20, 148):
        canvas.box(pier - 3, deck, pier + 3, SHORE, shaded(color, 0.7))
    for step in range(1, 9):
        anchor = 172 + 4 * step
        for side in (-1, 1):
            canvas.line([(pylon, anchor), (pylon + side * (102 - 11 * step), deck)], CREAM, 0.9)
    canvas.polygon([(pylon - 6, SHORE), (pylon - 3, 160), (pylon + 3, 160), (pylon + 6, SHORE)], color)
    canvas.box(pylon - 3, 156, pylon + 3, 161, shaded(color, 0.7))
    canvas.box(0, deck - 3, 178, deck + 4, color)
    canvas.box(0, deck + 2, 178, deck + 4, shaded(color, 0.7))
    for left, paint in ((22, (60, 90, 150)), (56, CREAM), (122, (220, 170, 60))):
        canvas.box(left, deck - 9, left + 15, deck - 3, paint)


def draw_crane(canvas: Canvas) -> None:
    """Draw a tower crane: lattice mast and jib, stays, counterweight, cab and hook."""
    mast, jib, tip, tail, color = 292.0, 88.0, 414.0, 250.0, (222, 152, 40)
    peak = (mast, jib - 26)
    canvas.line([(mast + 3 * (-1) ** i, jib + 6 * i) for i in range(15)], color, 0.75)
    canvas.line([(mast + 6 * i, jib - 6 * (i % 2)) for i in range(21)], color, 0.75)
    for girder in (
        [(mast - 3, 180), (mast - 3, jib), peak, (mast + 3, jib), (mast + 3, 180)],
        [(tail, jib), (tip, jib), (tip - 8, jib - 6), (mast, jib - 6)],
        [(tail + 4, jib), peak, (tip - 44, jib - 6)],
    ):
        canvas.line(girder, color, 1.25)
    canvas.box(tail, jib, tail + 10, jib + 10, STEEL)
    canvas.box(mast + 3, jib + 1, mast + 11, jib + 11, CREAM)
    canvas.line([(tip - 20, jib), (tip - 20, jib + 26)], STEEL, 0.75)
    canvas.box(tip - 28, jib + 26, tip - 12, jib + 31, (170, 84, 60))


def draw_ferris_wheel(canvas: Canvas) -> None:
    """Draw the wheel: double rim, spokes, legs, and a cabin at the end of each spoke."""
    center, radius, spokes, white = (526.0, 196.0), 98.0, 16, (236, 238, 244)
    rim = arc_points(center, (radius, radius), count=spokes)[:spokes]
    for point in rim:
        canvas.line([center, point], white, 1)
    canvas.ring(center, radius, white, 3)
    canvas.ring(center, radius - 10, white, 1.25)
    for side in (-1, 1):
        canvas.line([center, (center[0] + side * 54, SHORE + 4)], STEEL, 4)
    canvas.line([(center[0] - 27, 256), (center[0] + 27, 256)], STEEL, 2)
    canvas.disc(center, 9, STEEL)
    canvas.disc(center, 4.5, CREAM)
    paints = ((214, 62, 62), (242, 180, 52), (62, 150, 110), (58, 110, 190))
    for number, (x, y) in enumerate(rim):
        canvas.disc((x, y + 3), 7.5, paints[number % len(paints)])
        canvas.polygon(arc_points((x, y + 3), (5.5, 5.5), 180, 360), (232, 242, 248))


def draw_birds(canvas: Canvas) -> None:
    """Draw a few birds, each made of two wings."""
    for x, y, span in ((206, 74, 7.0), (224, 62, 6.0), (226, 84, 5.0), (450, 70, 6.0), (468, 60, 5.0)):
        wings = [(x - span, y - span * 0.4), (x - span * 0.4, y - span * 0.5), (x, y)]
        canvas.line([*wings, (x + span * 0.4, y - span * 0.5), (x + span, y - span * 0.4)], STEEL, 1)


def mirror_in_water(canvas: Canvas) -> None:
    """Fill the canvas below the shore with what is above it: upside down, rippled and tinted."""
    height, width, _ = canvas.pixels.shape
    shore = round(SHORE * OVERSAMPLING)
    depth = (np.arange(height - shore)[:, None] + 0.5) / OVERSAMPLING
    wave = np.sin(depth * 1.9 / (1 + depth * 0.006)) + 0.6 * np.sin(depth * 0.73 + 1)
    shift = np.rint(wave * (0.8 + depth * 0.035) * OVERSAMPLING).astype(np.int64)
    row = np.rint(shore - 1 - depth * 1.45 * OVERSAMPLING).astype(np.int64)
    column = np.clip(np.arange(width)[None, :] + shift, 0, width - 1)
    soft = cv2.blur(canvas.pixels[row, column], (2 * OVERSAMPLING + 1, 4 * OVERSAMPLING + 1))
    share = (0.34 + depth * 0.0016)[:, :, None]
    canvas.pixels[shore:] = np.rint(soft * (1 - share) + np.array(WATER) * share)


def draw_glitter(canvas: Canvas) -> None:
    """Strew short bright strokes over the water below the sun, more spread out towards the viewer."""
    rng = np.random.default_rng(3)
    for y in np.arange(SHORE + 10, CITY_HEIGHT, 3.5).tolist():
        spread = 5 + (y - SHORE) * 0.16
        x = SUN[0] + spread * float(rng.uniform(-1, 1))
        half = spread * float(rng.uniform(0.2, 0.6))
        canvas.line([(x - half, y), (x + half, y)], (246, 222, 172), 0.75)


class Strip(NamedTuple):
    """A strip of ground: its borders at the shore and at the lower edge of the picture."""

    far: tuple[float, float]
    near: tuple[float, float]
    color: Color


MEADOW: Color = (112, 148, 82)
MOWN: Color = (124, 160, 90)
KERB: Color = (232, 222, 204)
GROUND = (
    Strip((382, 640), (204, 1800), MEADOW),
    *(Strip((412, 412), (near, near + 130), MOWN) for near in (640, 900, 1160, 1420)),
    Strip((380, 384), (168, 214), (126, 112, 108)),
    Strip((382, 393), (186, 296), (206, 190, 170)),
    Strip((393, 394), (296, 306), KERB),
    Strip((394, 412), (306, 596), (84, 86, 98)),
    Strip((412, 413), (596, 606), KERB),
    Strip((394.9, 395.3), (324, 329), CREAM),
    Strip((408.8, 409.2), (574, 579), CREAM),
)
LANE_BORDER: tuple[Point, Point] = ((402.9, SHORE), (445, CITY_HEIGHT))
"""The line that parts the lanes, from the shore to the viewer."""


def draw_ground(canvas: Canvas) -> None:
    """Draw quay, pavement, road and meadow, all narrowing towards the shore."""
    canvas.box(0, SHORE - 1.5, 400, SHORE + 1.5, (112, 98, 100))
    for (far_left, far_right), (near_left, near_right), color in GROUND:
        far: list[Point] = [(far_left, SHORE), (far_right, SHORE)]
        near: list[Point] = [(near_right, CITY_HEIGHT), (near_left, CITY_HEIGHT)]
        canvas.polygon([*far, *near], color)
    for start, stop in dashes():
        x_far, y_far = between(*LANE_BORDER, start)
        x_near, y_near = between(*LANE_BORDER, stop)
        far = [(x_far - 4.5 * start, y_far), (x_far + 4.5 * start, y_far)]
        near = [(x_near + 4.5 * stop, y_near), (x_near - 4.5 * stop, y_near)]
        canvas.polygon([*far, *near], WHITE)


def dashes() -> Iterator[tuple[float, float]]:
    """Yield where the dashes on the road start and stop, as shares of the way to the viewer."""
    for number in range(12):
        yield 1.15 / (1.35 + number), 1.15 / (0.9 + number)


def draw_street_things(canvas: Canvas) -> None:
    """Place trees, lamps, cars and the billboard, the far ones first."""
    for x, ground, size in ((428, 324, 0.34), (446, 334, 0.5), (474, 350, 0.75)):
        draw_tree(canvas, x, ground, size)
    for share in (0.14, 0.3, 0.62):
        foot = between((392.0, SHORE), (284.0, 480.0), share)
        draw_lamp(canvas, foot, 14 + 105 * share)
    draw_car(canvas, (433, 366), 0.42, (240, 180, 60), (206, 44, 44))
    draw_car(canvas, (388, 436), 0.8, (58, 116, 178), (255, 240, 200))
    draw_billboard(canvas)


def draw_tree(canvas: Canvas, x: float, ground: float, size: float) -> None:
    """Draw a round tree with a lit side."""
    canvas.box(x - 3 * size, ground - 30 * size, x + 3 * size, ground, (96, 70, 54))
    canvas.disc((x, ground - 48 * size), 26 * size, (58, 104, 66))
    canvas.disc((x - 6 * size, ground - 54 * size), 17 * size, (84, 136, 78))


def draw_lamp(canvas: Canvas, foot: Point, height: float) -> None:
    """Draw a street lamp whose arm reaches over the road."""
    x, y = foot
    arm = height * 0.22
    canvas.line([(x, y), (x, y - height), (x + arm, y - height * 1.08)], STEEL, height / 34)
    canvas.disc((x + arm, y - height * 1.05), height / 22, LIT)


def draw_car(canvas: Canvas, ground: Point, size: float, paint: Color, lamps: Color) -> None:
    """Draw a car seen along the road, standing on the given point."""
    x, y = ground

    def at(*places: Point) -> list[Point]:
        return [(x + across * size, y - up * size) for across, up in places]

    canvas.polygon(arc_points((x, y), (36 * size, 5 * size)), (62, 64, 76))
    for side in (-1, 1):
        canvas.box(x + side * 23 * size - 6 * size, y - 10 * size, x + side * 23 * size + 6 * size, y, BLACK)
    canvas.polygon(at((-24, 30), (-17, 50), (17, 50), (24, 30)), shaded(paint, 0.8))
    canvas.polygon(at((-19, 32), (-14, 46), (14, 46), (19, 32)), (188, 214, 228))
    canvas.polygon(at((-32, 8), (-32, 24), (-26, 32), (26, 32), (32, 24), (32, 8)), paint)
    for side in (-1, 1):
        canvas.disc((x + side * 25 * size, y - 22 * size), 4.5 * size, lamps)
    canvas.polygon(at((-9, 13), (-9, 20), (9, 20), (9, 13)), CREAM)


def draw_billboard(canvas: Canvas) -> None:
    """Draw the café's sign on two posts."""
    left, top, right, bottom = 524.0, 342.0, 632.0, 396.0
    for x in (left + 22, right - 22):
        canvas.box(x - 2.5, bottom, x + 2.5, 424, STEEL)
    canvas.box(left, top, right, bottom, (150, 44, 48))
    canvas.box(left + 3, top + 3, right - 3, bottom - 3, CREAM)
    canvas.box(left + 5, top + 5, right - 5, bottom - 5, (34, 62, 92))
    middle = (left + right) / 2
    canvas.text((middle, top + 18), "CAFE", 13, LIT)
    canvas.text((middle, top + 38), "KERNEL", 13, WHITE)


def with_grain(picture: Bytes, sky: Bytes) -> Bytes:
    """Return the picture with faint dark specks on everything but the sky."""
    specks = np.random.default_rng(11).random(picture.shape[:2]) < SPECK_SHARE
    covered = (picture != sky).any(axis=2)
    darker = np.maximum(picture, SPECK_DEPTH) - np.uint8(SPECK_DEPTH)
    return np.where((specks & covered)[:, :, None], darker, picture)


# ------------------------------------------------------------------------------ edges


def draw_edges() -> Bytes:
    """Return the city beside its edges: how steep each colour is at each pixel, by Sobel's kernels."""
    city = draw_city()
    slopes = [cv2.Sobel(city, cv2.CV_64F, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1))]
    edges = np.clip(np.rint(np.hypot(*slopes)), 0, 255).astype(np.uint8)
    return np.hstack([city, edges])


# ------------------------------------------------------------------------------ chart


GRID: Color = (186, 186, 186)
LABEL: Color = (60, 60, 60)
INK: Color = (40, 40, 40)


def draw_chart() -> Bytes:
    """Return a line chart in grey whose two lines climb and fall at 45 degrees."""
    canvas = Canvas(320, 240, WHITE)
    left, top, right, bottom, step = 50, 36, 290, 196, 40
    for x in range(left, right + 1, step):
        canvas.box(x, top, x + 1, bottom, GRID)
        canvas.text((x + 0.5, bottom + 13), str((x - left) // step), 8, LABEL)
    for y in range(top, bottom + 1, step):
        canvas.box(left, y, right + 1, y + 1, GRID)
        canvas.text((left - 14, y + 0.5), str((bottom - y) // 2), 8, LABEL)
    canvas.box(left - 1, top - 6, left + 1, bottom + 2, BLACK)
    canvas.box(left - 1, bottom, right + 6, bottom + 2, BLACK)
    draw_series(canvas, (left + 0.5, bottom + 0.5), -step, BLACK)
    draw_series(canvas, (left + 2 * step + 0.5, top + 0.5), step, WHITE)
    canvas.text((170, 16), "Sold and in stock", 10, BLACK)
    canvas.text((170, 227), "week", 8, LABEL)
    canvas.text((110.5, 96), "sold", 9, BLACK)
    canvas.text((270.5, 132), "stock", 9, BLACK)
    return np.ascontiguousarray(canvas.shrunk()[:, :, 0])


def draw_series(canvas: Canvas, start: Point, rise: float, filling: Color) -> None:
    """Draw five points on a straight line, each marked by a circle."""
    points = [(start[0] + i * abs(rise), start[1] + i * rise) for i in range(5)]
    canvas.line(points, INK, 2)
    for point in points:
        canvas.disc(point, 5, INK)
        canvas.disc(point, 3, filling)


# --------------------------------------------------------------------------- gradient


BUMPS = ((0.3, 0.7, 0.3, 0.05), (0.62, 0.3, 0.28, -0.06), (0.8, 0.75, 0.2, 0.04))
"""Of each bump: its place across and down as shares of the picture, its radius, its height."""


def draw_gradient() -> Words:
    """Return a diagonal gradient in 16-bit grey with a terrace half way and a few soft bumps.

    Where it is nearly level, one step of an 8-bit picture is many pixels wide.
    """
    y, x = np.meshgrid(np.linspace(0, 1, 128), np.linspace(0, 1, 256), indexing="ij")
    flight = np.minimum(np.floor(x + y), 1)
    part = x + y - flight
    surface = (flight + part * part * (3 - 2 * part)) / 2
    for across, down, radius, height in BUMPS:
        surface += height * soft_bump(x - across, (y - down) / 2, radius)
    surface = (surface - surface.min()) / (surface.max() - surface.min())
    return np.asarray(np.rint(surface * np.iinfo(np.uint16).max), np.uint16)


def soft_bump(x: Floats, y: Floats, radius: float) -> Floats:
    """Return a round hill of height 1 that ends smoothly at its radius."""
    inside = np.clip(1 - (x * x + y * y) / radius**2, 0, None)
    return np.asarray(inside * inside)


# ----------------------------------------------------------------------------- sprite

SPRITE_SIZE = 64


def draw_sprite() -> Bytes:
    """Return a ghost as RGBA; under its invisible pixels lies a garish colour, to show up leaks."""
    alpha = ghost_alpha()
    color = np.where(alpha[:, :, None] == 0, np.array(MAGENTA, np.uint8), ghost_color())
    return np.dstack([color, alpha]).astype(np.uint8)


def ghost_outline(inset: float) -> list[Point]:
    """Return the outline of the ghost, drawn in by some pixels: a dome above a scalloped hem."""
    radius, hem, scallops = 22 - inset, 53 - inset, 3
    dome = arc_points((32, 27), (radius, radius), 180, 360)
    width = 2 * radius / scallops
    points = list(dome)
    for number in range(scallops):
        center = (32 + radius - (number + 0.5) * width, hem)
        points += arc_points(center, (width / 2, 5), 0, 180, 40)
    return points


def ghost_alpha() -> Bytes:
    """Return how opaque the ghost is: soft at its edge, and fading towards the hem."""
    canvas = Canvas(SPRITE_SIZE, SPRITE_SIZE, BLACK)
    canvas.polygon(ghost_outline(0), WHITE)
    canvas.pixels = np.asarray(cv2.blur(canvas.pixels, (9, 9)), np.uint8)
    fade = np.interp(np.arange(SPRITE_SIZE), (36, 60), (1, 0.7))
    return np.rint(canvas.shrunk()[:, :, 0] * fade[:, None]).astype(np.uint8)


def ghost_color() -> Bytes:
    """Return the colours of the ghost, the outline's colour running on beyond its edge."""
    outline, body, ink = (74, 70, 128), (236, 240, 255), (44, 40, 84)
    canvas = Canvas(SPRITE_SIZE, SPRITE_SIZE, outline)
    canvas.polygon(ghost_outline(2.5), (190, 196, 236))
    canvas.polygon([(x - 3, y - 1) for x, y in ghost_outline(5.5)], body)
    for x in (24, 38):
        canvas.polygon(arc_points((x, 27), (4, 5.5)), ink)
        canvas.disc((x - 1.2, 24.8), 1.6, WHITE)
        canvas.polygon(arc_points((x + (x - 31) * 0.6, 35), (3, 2)), (255, 172, 190))
    canvas.polygon(arc_points((31, 35), (3.5, 4), 0, 180), ink)
    return canvas.shrunk()


# -------------------------------------------------------------------------------- all

PICTURES: dict[str, Callable[[], Bytes | Words]] = {
    "city.png": draw_city,
    "figures/edges.webp": draw_edges,
    "chart.png": draw_chart,
    "gradient-16.png": draw_gradient,
    "sprite.png": draw_sprite,
}
OPTIONS = {".png": (cv2.IMWRITE_PNG_COMPRESSION, 9), ".webp": (cv2.IMWRITE_WEBP_QUALITY, 80)}
TO_OPENCV = {(3,): cv2.COLOR_RGB2BGR, (4,): cv2.COLOR_RGBA2BGRA}
"""By the channels of a picture: how to bring them into the order in which OpenCV keeps them."""


def write_picture(path: Path, picture: Bytes | Words) -> None:
    """Write a grey, RGB or RGBA picture as PNG or WebP."""
    order = TO_OPENCV.get(picture.shape[2:])
    stored = picture if order is None else cv2.cvtColor(picture, order)
    done, code = cv2.imencode(path.suffix, stored, OPTIONS[path.suffix])
    if not done:
        raise OSError(path)
    path.write_bytes(code.tobytes())


def write_samples(folder: Path) -> None:
    """Write all pictures and matrices into a folder, which is made if need be."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        write_picture(folder / name, draw())
    for name, matrix in MATRICES.items():
        (folder / name).write_text(matrix_text(matrix), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and write the samples."""
    parser = argparse.ArgumentParser(description="Draw the sample pictures and write the sample matrices.")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(__file__).parent, help="default: beside this script"
    )
    write_samples(parser.parse_args(arguments).folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
