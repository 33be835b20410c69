"""Moving pictures as files: GIF by Pillow with one palette for all frames, WebP and APNG by OpenCV."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from cnnfilter.errors import ImageFileError
from cnnfilter.files.opencv import cv2
from cnnfilter.plots.animations import Frame, Reel
from cnnfilter.plots.papers import FRAME, INK

PAUSE = 2000
"""Milliseconds that the last frame stays."""

_LOSSLESS = 101
"""OpenCV's quality of a WebP without loss."""

_EXACT = 160
"""So many of the most frequent colors, those of areas, are in the palette as they are."""


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
    animation.frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in reel.frames]
    animation.durations = times
    animation.loop_count = 0
    written, data = cv2.imencodeanimation(
        suffix, animation, [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS] * (suffix == ".webp")
    )
    if not written:
        raise ImageFileError(f"{name}: OpenCV cannot write {reel.length} frames of {reel.preview.shape}")
    return data.tobytes()


def _encode_gif(reel: Reel, times: list[int]) -> bytes:
    palette = make_palette(reel.preview)
    frames = _index(reel.frames, palette)
    file = io.BytesIO()
    next(frames).save(
        file, "GIF", save_all=True, append_images=frames, duration=times, loop=0, optimize=True, disposal=1
    )
    return file.getvalue()


def make_palette(preview: Frame) -> NDArray[np.uint8]:
    """Return the 256 colors (256, 3) of all frames: letters, the most frequent ones, the rest by median cut."""
    colors, counts = np.unique(preview.reshape(-1, 3), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    needed = [tuple(round(255 * part) for part in to_rgb(color)) for color in (FRAME, INK, "white")]
    first = np.array([tuple(color) in needed for color in colors[order].tolist()])
    order = np.concatenate([order[first], order[~first]])
    exact = colors[order[:_EXACT]]
    rest = colors[order[_EXACT:]]
    if len(colors) <= 256:
        mixed = rest
    else:
        cut = Image.fromarray(rest[None]).quantize(256 - _EXACT, Image.Quantize.MEDIANCUT)
        mixed = np.array((cut.getpalette() or [])[: 3 * (256 - _EXACT)], np.uint8).reshape(-1, 3)
    palette = np.concatenate([exact, mixed])
    return np.concatenate([palette, np.repeat(palette[-1:], 256 - len(palette), axis=0)])


def _index(frames: Iterator[Frame], palette: NDArray[np.uint8]) -> Iterator[Image.Image]:
    """Yield each frame with the number of the nearest color of the palette in place of each pixel."""
    known = np.full(1 << 24, -1, np.int16)
    for frame in frames:
        packed = frame.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
        unknown = np.unique(packed[known[packed] < 0])
        if len(unknown):
            colors = np.stack([unknown >> 16, unknown >> 8 & 255, unknown & 255], axis=1)
            apart = ((colors[:, None] - palette[None].astype(np.int32)) ** 2).sum(axis=2)
            known[unknown] = apart.argmin(axis=1)
        image = Image.fromarray(known[packed].astype(np.uint8))
        image.putpalette(palette.tobytes())
        yield image
