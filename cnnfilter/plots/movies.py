"""Moving pictures as files: GIF by Pillow with one palette for all frames, WebP and APNG by OpenCV."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import getdata

from cnnfilter.errors import ImageFileError
from cnnfilter.files.opencv import cv2
from cnnfilter.plots.animations import Frame, Reel
from cnnfilter.plots.papers import FRAME, INK

PAUSE = 2000
"""Milliseconds that the last frame stays."""

_LOSSLESS = 101
"""OpenCV's quality of a WebP without loss."""

_RAMP, _GRAYS = 52, 30
"""So many grays are in every palette, five levels apart, and so many of the most frequent ones as they are."""

_AREAS, _RIMS, _MANY = 400, 30, 4000
"""So many of the most frequent colors are those of areas; for rims of letters so many places are kept, and those up
to so many looked at."""

_SAME = 255
"""The number that stands for what was there before."""

_GLOBAL_COLORS = 0xF7
"""Of the header of a GIF: 256 colors of 8 bits for all frames (GIF89a, section 18)."""

_LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
"""The block of a GIF that says that it begins again, without end."""


def encode_movie(reel: Reel, name: str, fps: float) -> bytes:
    """Return the file that holds a moving picture, by the suffix of its name.

    Parameters
    ----------
    reel
        The frames.
    name
        `.gif`, `.webp` or `.png`.
    fps
        Frames in a second; a GIF counts hundredths of seconds.

    Raises
    ------
    ImageFileError
        If OpenCV cannot write it.
    """
    suffix = PurePath(name).suffix.lower()
    time = max(20, round(100 / fps) * 10) if suffix == ".gif" else round(1000 / fps)
    times = [time] * (reel.length - 1) + [max(time, PAUSE)]
    return _encode_gif(reel, times) if suffix == ".gif" else _encode_by_opencv(reel, times, suffix, name)


def _encode_by_opencv(reel: Reel, times: list[int], suffix: str, name: str) -> bytes:
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(frame, cv2.COLOR_RGBA2BGR) for frame in reel.frames]
    animation.durations = times
    animation.loop_count = 0
    written, data = cv2.imencodeanimation(
        suffix, animation, [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS] * (suffix == ".webp")
    )
    if not written:
        raise ImageFileError(f"{name}: OpenCV cannot write its {reel.length} frames")
    return data.tobytes()


def _encode_gif(reel: Reel, times: list[int]) -> bytes:
    """Return a GIF: each frame holds what differs from the one before it, all else transparent."""
    palette = make_palette(reel.samples)
    colors = palette.tobytes().ljust(3 * 256, b"\0")
    parts: list[bytes] = []
    for (part, corner), time in zip(_differences(reel.frames, palette), times, strict=True):
        if not parts:
            height, width = part.shape
            parts += [b"GIF89a", struct.pack("<HHBBB", width, height, _GLOBAL_COLORS, 0, 0), colors, _LOOP]
        image = Image.fromarray(part)
        image.putpalette(colors)
        parts += getdata(image, corner, duration=time, transparency=_SAME, disposal=1)
    return b"".join([*parts, b";"])


def make_palette(samples: Frame) -> NDArray[np.uint8]:
    """Return the 255 colors (255, 3) of all frames: letters and frames, a ramp of grays, those of areas, of rims."""
    packed, counts = np.unique(_pack(samples), return_counts=True)
    colors = _unpack(packed[np.argsort(-counts, kind="stable")])
    gray = _is_gray(colors)
    needed = np.array([[round(255 * part) for part in to_rgb(color)] for color in (FRAME, INK, "white")], np.uint8)
    ramp = np.repeat(np.linspace(0, 255, _RAMP).round().astype(np.uint8)[:, None], 3, axis=1)
    palette = np.unique(np.concatenate([needed, ramp, colors[gray][:_GRAYS]]), axis=0)
    colored = colors[~gray]
    palette = _spread(palette, colored[:_AREAS], _SAME - _RIMS)
    palette = _spread(palette, colored[_AREAS:_MANY], _SAME)
    return np.concatenate([palette, np.repeat(palette[-1:], _SAME - len(palette), axis=0)])


def _pack(frame: Frame) -> NDArray[np.uint32]:
    """Return (H, W): each pixel's color as one number."""
    return np.asarray(frame.view("<u4")[:, :, 0] & 0xFFFFFF, np.uint32)


def _unpack(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the (N, 3) colors that some numbers stand for."""
    return packed.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]


def _is_gray(colors: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((colors == colors[:, :1]).all(axis=1))


def _spread(palette: NDArray[np.uint8], colors: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Add colors to a palette until it has so many or all, each time the one that it represents worst."""
    wanted = colors.astype(np.int32)
    apart = _distances(wanted, palette).min(axis=1, initial=1 << 20)
    chosen: list[int] = []
    while len(palette) + len(chosen) < most and apart.any():
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, ((wanted - wanted[chosen[-1]]) ** 2).sum(axis=1))
    return np.concatenate([palette, colors[chosen]])


def _distances(colors: NDArray[np.int32], palette: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return (colors, palette): the square of how far apart they are."""
    return np.asarray(((colors[:, None] - palette[None].astype(np.int32)) ** 2).sum(axis=2))


def _differences(
    frames: Iterator[Frame], palette: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.uint8], tuple[int, int]]]:
    """Yield what is new in each frame as numbers of the palette, and the (x, y) where it begins."""
    known = np.full(1 << 24, -1, np.int16)
    before: NDArray[np.uint32] | None = None
    for frame in frames:
        packed = _pack(frame)
        if before is None:
            yield _index(packed, known, palette), (0, 0)
            before = packed
            continue
        changed = packed != before
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):  # a frame has a pixel at least
            rows = columns = np.zeros(1, np.intp)
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        part = np.full(changed[box].shape, _SAME, np.uint8)
        part[changed[box]] = _index(packed[box][changed[box]], known, palette)
        yield part, (int(columns[0]), int(rows[0]))
        before = packed


def _index(packed: NDArray[np.uint32], known: NDArray[np.int16], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the number of the nearest color of the palette for each; a gray stays a gray."""
    found = known[packed]
    if (found < 0).any():
        unknown = np.unique(packed[found < 0])
        colors = _unpack(unknown)
        apart = _distances(colors.astype(np.int32), palette)
        apart[np.logical_and.outer(_is_gray(colors), ~_is_gray(palette))] = 1 << 20
        known[unknown] = apart.argmin(axis=1)
        found = known[packed]
    return found.astype(np.uint8)
