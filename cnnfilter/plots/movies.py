"""Moving pictures as files: GIF by Pillow with one palette for all frames, WebP by Pillow too, APNG."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePath

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import getdata

from cnnfilter.plots.animations import Frame, Reel, Shot
from cnnfilter.plots.papers import FRAME, INK

PAUSE = 2000
"""Milliseconds that the last frame stays."""

_EFFORT, _LEVEL = 3, 6
"""How hard a WebP (0 to 6) and a PNG (1 to 9) are pressed."""

_NO_KEYS = 100_000
"""A WebP has a whole frame after so many that hold differences: only the first."""

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
    """
    suffix = PurePath(name).suffix.lower()
    time = max(20, round(100 / fps) * 10) if suffix == ".gif" else round(1000 / fps)
    times = [time] * (reel.length - 1) + [max(time, PAUSE)]
    if suffix == ".gif":
        return _encode_gif(reel, times)
    return _encode_webp(reel, times) if suffix == ".webp" else _encode_png(reel, times)


def _encode_webp(reel: Reel, times: list[int]) -> bytes:
    """Return a WebP without loss; its frames are taken one by one."""
    images = (Image.fromarray(shot.pixels[:, :, :3].copy()) for shot in reel.shots)
    file = io.BytesIO()
    next(images).save(
        file,
        "WEBP",
        save_all=True,
        append_images=images,
        duration=times,
        loop=0,
        lossless=True,
        method=_EFFORT,
        kmin=_NO_KEYS - 1,
        kmax=_NO_KEYS,
    )
    return file.getvalue()


def _encode_png(reel: Reel, times: list[int]) -> bytes:
    """Return an animated PNG: each frame holds what differs from the one before it, all else transparent."""
    height, width = reel.samples.shape[0] // 2, reel.samples.shape[1]
    chunks = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),
        _chunk(b"acTL", struct.pack(">II", reel.length, 0)),
    ]
    count = 0
    for (part, (left, top)), time in zip(_crop(reel.shots), times, strict=True):
        rows = part.view(np.uint8).reshape(part.shape[0], -1)
        size = struct.pack(">IIIIIHHBB", count, part.shape[1], part.shape[0], left, top, time, 1000, 0, bool(count))
        data = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes(), _LEVEL)
        chunks.append(_chunk(b"fcTL", size))
        if count:
            chunks.append(_chunk(b"fdAT", struct.pack(">I", count + 1) + data))
        else:
            chunks.append(_chunk(b"IDAT", data))
        count += 2 if count else 1
    return b"".join([b"\x89PNG\r\n\x1a\n", *chunks, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG (PNG 3, section 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _crop(shots: Iterator[Shot]) -> Iterator[tuple[NDArray[np.uint32], tuple[int, int]]]:
    """Yield what is new in each frame, RGBA in one number, 0 where nothing is, and the (x, y) where it begins."""
    before: NDArray[np.uint32] | None = None
    for shot in shots:
        packed = shot.pixels.view("<u4")[:, :, 0]
        if before is None:
            before = packed.copy()
            yield before.copy(), (0, 0)
            continue
        top, bottom = _span(region[0] for region in shot.changed)
        left, right = _span(region[1] for region in shot.changed)
        part = np.zeros((min(bottom, len(packed)) - top, min(right, packed.shape[1]) - left), np.uint32)
        for rows, columns in shot.changed:
            new, old = packed[rows, columns], before[rows, columns]
            inner = part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            np.copyto(inner, new, where=new != old)
            old[:] = new
        yield part, (left, top)


def _encode_gif(reel: Reel, times: list[int]) -> bytes:
    """Return a GIF: each frame holds what differs from the one before it, all else transparent."""
    palette = make_palette(reel.samples)
    colors = palette.tobytes().ljust(3 * 256, b"\0")
    parts: list[bytes] = []
    known = np.full(1 << 24, -1, np.int16)
    for (packed, corner), time in zip(_crop(reel.shots), times, strict=True):
        new = packed != 0
        part: NDArray[np.uint8] = np.full(packed.shape, _SAME, np.uint8)
        part[new] = _index(packed[new] & 0xFFFFFF, known, palette)
        if not parts:
            parts += [
                b"GIF89a",
                struct.pack("<HHBBB", part.shape[1], part.shape[0], _GLOBAL_COLORS, 0, 0),
                colors,
                _LOOP,
            ]
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


def _span(slices: Iterable[slice]) -> tuple[int, int]:
    """Return where the first of some slices begins, and the last one ends."""
    ends = [(int(part.start), int(part.stop)) for part in slices]
    return min(start for start, _ in ends), max(stop for _, stop in ends)


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
