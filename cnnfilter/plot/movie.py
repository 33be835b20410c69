"""Moving pictures as files: frame by frame, since hundreds of them at once would not fit into memory."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import getdata

from cnnfilter.plot.animation import Frame, Movie
from cnnfilter.plot.sheet import FRAME, INK

PAUSE = 2000
"""Milliseconds that the last frame stays."""

_SAME = 255
"""The number of a GIF's palette that means what was there before."""

_GIF_HEAD, _GIF_LOOP = struct.Struct("<6sHHBBB768s"), b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
"""Its size and its 256 colors of 8 bits for all frames, marked by 0xF7 (GIF89a, section 18); it repeats without end."""

_APNG_FRAME = struct.Struct(">IIIIIHHBB")
"""Number, size, place, delay as a fraction, and that what is transparent leaves what is below (PNG 3, 11.3.4.2)."""

Colors = NDArray[np.uint32]
"""Each color as one number: 0xAABBGGRR."""


def encode_movie(movie: Movie, name: str, fps: float) -> bytes:
    """Return a moving picture as a `.gif`, `.webp` or `.png`, which the name says; a GIF has hundredths of seconds."""
    suffix = PurePath(name).suffix.lower()
    time = max(20, round(100 / fps) * 10) if suffix == ".gif" else round(1000 / fps)
    times = [time] * (movie.length - 1) + [max(time, PAUSE)]
    return {".gif": _encode_gif, ".webp": _encode_webp, ".png": _encode_png}[suffix](movie, times)


def _encode_webp(movie: Movie, times: list[int]) -> bytes:
    """Return a WebP without loss, whose only whole frame is the first."""
    images = (Image.fromarray(frame[:, :, :3].copy()) for frame in movie.frames)
    file = io.BytesIO()
    style = {"lossless": True, "method": 3, "kmin": 99_999, "kmax": 100_000}
    next(images).save(file, "WEBP", save_all=True, append_images=images, duration=times, loop=0, **style)
    return file.getvalue()


def _encode_png(movie: Movie, times: list[int]) -> bytes:
    """Return an animated PNG, in which each frame holds what differs from the one before it."""
    height, width = movie.samples.shape[0] // 2, movie.samples.shape[1]
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)]
    chunks += [b"acTL" + struct.pack(">II", movie.length, 0)]
    for number, ((part, left, top), time) in enumerate(zip(_find_changes(movie), times, strict=True)):
        count = max(0, 2 * number - 1)  # every frame has two chunks that are numbered, the first one
        size = part.shape[1], part.shape[0], left, top
        rows = np.pad(part.view(np.uint8), ((0, 0), (1, 0)))
        chunks += [b"fcTL" + _APNG_FRAME.pack(count, *size, time, 1000, 0, number > 0)]
        chunks += [(b"fdAT" + struct.pack(">I", count + 1) if number else b"IDAT") + zlib.compress(rows.tobytes(), 6)]
    framed = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in [*chunks, b"IEND"]
    )
    return b"".join([b"\x89PNG\r\n\x1a\n", *framed])


def _encode_gif(movie: Movie, times: list[int]) -> bytes:
    """Return a GIF, in which each frame holds what differs from the one before it."""
    height, width = movie.samples.shape[0] // 2, movie.samples.shape[1]
    palette = make_palette(movie.samples)
    parts = [_GIF_HEAD.pack(b"GIF89a", width, height, 0xF7, 0, 0, palette.tobytes()), _GIF_LOOP]
    known = np.full(1 << 24, -1, np.int16)
    for (part, left, top), time in zip(_find_changes(movie), times, strict=True):
        indices = np.where(part, _index(part & np.uint32(0xFFFFFF), known, palette), _SAME)
        image = Image.fromarray(indices.astype(np.uint8))
        image.putpalette(palette.tobytes())
        parts += getdata(image, (left, top), duration=time, transparency=_SAME, disposal=1)
    return b"".join([*parts, b";"])


def _find_changes(movie: Movie) -> Iterator[tuple[Colors, int, int]]:
    """Yield the part of each frame that holds what is new, 0 where nothing is, and the x and y where it begins."""
    before = np.zeros((movie.samples.shape[0] // 2, movie.samples.shape[1]), np.uint32)
    for frame in movie.frames:
        packed = frame.view("<u4")[:, :, 0]
        new = packed != before  # all of the first frame, which is opaque
        rows, columns = (np.flatnonzero(new.any(axis=axis)) for axis in (1, 0))
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        yield np.where(new[part], packed[part], 0).astype("<u4"), int(columns[0]), int(rows[0])
        before[part] = packed[part]


def make_palette(samples: Frame) -> NDArray[np.uint8]:
    """Return the 255 colors (255, 3) of all frames: letters and frames, a ramp of grays, those of areas, of rims.

    If there are no more, they are all in it. Else the 30 most frequent grays are kept as they are, beside 52 that are
    five levels apart. The 400 most frequent colors are those of areas; 30 places are for the rims of letters, among
    3600 less frequent ones.
    """
    packed, counts = np.unique(samples.view("<u4") & 0xFFFFFF, return_counts=True)
    colors = _unpack(packed[np.argsort(-counts, kind="stable")])
    if len(colors) <= _SAME:
        return np.concatenate([colors, np.repeat(colors[-1:], _SAME - len(colors), axis=0)])
    gray = _is_gray(colors)
    needed = np.array([[round(255 * part) for part in to_rgb(color)] for color in (FRAME, INK, "white")], np.uint8)
    ramp = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[:, None], 3, axis=1)
    palette = np.unique(np.concatenate([needed, ramp, colors[gray][:30]]), axis=0)
    colored = colors[~gray]
    palette = _spread(palette, colored[:400], _SAME - 30)
    palette = _spread(palette, colored[400:4000], _SAME)
    return np.concatenate([palette, np.repeat(palette[-1:], _SAME - len(palette), axis=0)])


def _spread(palette: NDArray[np.uint8], colors: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Add colors to a palette until it has so many or all, each time the one that it represents worst."""
    apart = _distances(colors, palette).min(axis=1, initial=1 << 20)
    while len(palette) < most and apart.any():
        palette = np.concatenate([palette, colors[None, apart.argmax()]])
        apart = np.minimum(apart, _distances(colors, palette[-1:])[:, 0])
    return palette


def _distances(colors: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return (colors, palette): the square of how far apart they are."""
    return np.asarray(((colors[:, None].astype(np.int32) - palette) ** 2).sum(axis=2))


def _index(packed: Colors, known: NDArray[np.int16], palette: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the number of the nearest color of the palette for each; a gray stays a gray."""
    unknown = np.unique(packed[known[packed] < 0])
    if len(unknown):
        colors = _unpack(unknown)
        apart = _distances(colors, palette)
        apart[np.logical_and.outer(_is_gray(colors), ~_is_gray(palette))] = 1 << 20
        known[unknown] = apart.argmin(axis=1)
    return np.asarray(known[packed])


def _unpack(packed: Colors) -> NDArray[np.uint8]:
    """Return (N, 3): the red, green and blue of some colors."""
    return packed.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]


def _is_gray(colors: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((colors == colors[:, :1]).all(axis=1))
