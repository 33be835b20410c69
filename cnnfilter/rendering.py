"""The files that hold results: their names, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import drop_single_channel
from cnnfilter.compute.strips import Part
from cnnfilter.files.formats import Depth, Range, find_format, is_matrix
from cnnfilter.files.images import Encoded, encode_image, encode_pages
from cnnfilter.files.levels import (
    Extremes,
    choose_depth,
    clip_shorts,
    find_extremes,
    remark_on_clipping,
    to_levels,
)
from cnnfilter.files.matrices import encode_matrix
from cnnfilter.files.outputs import Job
from cnnfilter.results import Handling, Result, as_result, remark_on_pages, visit_parts
from cnnfilter.spec.layers import Shape
from cnnfilter.telling import tell


class File(NamedTuple):
    """What goes into a file: its name, its bytes, the shape of what it holds, and the share of it that was clipped."""

    name: str
    data: Encoded
    shape: Shape
    clipped: float = 0.0


def name_files(job: Job, shape: Shape, handling: Handling) -> list[str]:
    """Return the names of the files that hold a result of a shape.

    A result goes into the job's file. A layer's output of which that can hold no picture goes into a picture
    for each map, `PATH-01.png` and so on, or, a vector, into a text.
    """
    path, maps = Path(job.format_name), shape[2] if len(shape) == 3 else 1
    if not job.layer or handling.ranking or is_matrix(path):
        return [job.format_name]
    if len(shape) == 1:
        return [str(path.with_suffix(".txt"))]
    if maps in {1, 3}:
        return [job.format_name]
    places = (str(number).zfill(max(2, len(str(maps)))) for number in range(1, maps + 1))
    return [str(path.with_name(f"{path.stem}-{place}{path.suffix}")) for place in places]


def encode_result(result: Result, job: Job, handling: Handling, notes: list[str]) -> Iterator[File]:
    """Yield the files that hold a result, as `name_files` names them; remarks are added to `notes`."""
    name = job.format_name
    if not job.layer and not handling.ranking:
        yield _encode(result, name, handling, notes)
        return
    values = drop_single_channel(result.values)
    names = name_files(job, values.shape, handling)
    notes += [remark_on_pages(result.pages[0])] if result.pages else []
    if handling.ranking:
        from cnnfilter.files.ranking import rank  # noqa: PLC0415  for classes alone

        yield File(name, rank(values, handling.ranking, name, notes), values.shape)
    elif values.ndim == 1 and not is_matrix(name):
        yield File(names[0], encode_matrix(values, "-.txt"), values.shape)
    elif len(names) > 1:
        yield from _encode_maps(result, names, handling, notes)
    else:
        yield _encode(result, name, handling, notes)


def _encode(result: Result, name: str, handling: Handling, notes: list[str]) -> File:
    """Return the file that holds a result."""
    if result.pages and find_format(name).pages:
        return _encode_pages(result, name, handling, notes)
    notes += [remark_on_pages(result.pages[0])] if result.pages else []
    pixels, clipped = _fill(result, name, handling, notes)
    notes += filter(None, [remark_on_clipping(clipped)])
    data = encode_image(pixels, name, handling.encoding, owned=True, metadata=result.metadata)
    return File(name, data, pixels.shape, clipped)


def _encode_pages(result: Result, name: str, handling: Handling, notes: list[str]) -> File:
    """Return the file that holds what became of every page, all brought into range alike."""
    if result.pages is None:
        raise ValueError("there is one page only")
    pages, run = result.pages
    animated = find_format(name).pages == "frames"
    if animated:
        if Depth.SIXTEEN in {handling.depth, handling.depth or result.depth}:
            notes.append(f"frames of {find_format(name).name} have 8 bits; a TIFF keeps the depth of its pages")
        handling = handling._replace(depth=Depth.EIGHT)
    results = [run(page) for page in pages]
    how = handling.range_ or Range.CLIP
    found = [_find_extremes(each, how) for each in results]
    extremes = min(low for low, _ in found), max(high for _, high in found)
    filled = [_fill(each, name, handling, notes, extremes) for each in results]
    clipped = sum(share for _, share in filled) / len(filled)
    notes += filter(None, [remark_on_clipping(clipped)])
    if any(result.metadata):
        tell("%s: EXIF and colour profile dropped: OpenCV writes none into files of several pictures", name)
    data = encode_pages([pixels for pixels, _ in filled], name, handling.encoding, pages.timing)
    return File(name, data, filled[0][0].shape, clipped)


def _encode_maps(result: Result, names: list[str], handling: Handling, notes: list[str]) -> Iterator[File]:
    """Yield a picture for each feature map, with one remark for all."""
    values, shares = result.values, []
    for number, name in enumerate(names):
        single = as_result(values[:, :, number], result.white, result.depth, result.matrix)
        pixels, clipped = _fill(single, name, handling, [] if number else notes)
        shares.append(clipped)
        yield File(name, encode_image(pixels, name, handling.encoding), pixels.shape, clipped)
    notes += filter(None, [remark_on_clipping(sum(shares) / len(names))])


def _fill(
    result: Result, name: str, handling: Handling, notes: list[str], extremes: Extremes | None = None
) -> tuple[Array, float]:
    """Return what a file of this name is to hold, and the share of values that were clipped.

    `extremes` are those of all pages, where there are several.
    """
    depth, remark = choose_depth(find_format(name), handling.depth, result.depth)
    notes += filter(None, [remark])
    # A matrix has no white of its own: its numbers are levels of the output.
    white = result.white * (257 if result.matrix and depth is Depth.SIXTEEN else 1)
    how = handling.range_ or (Range.NONE if depth is Depth.FLOAT else Range.CLIP)
    extremes = extremes or _find_extremes(result, how)
    narrow = how is Range.CLIP and depth is Depth.EIGHT
    filled: list[Array] = []
    outside: list[int] = []

    def take(part: Part) -> None:
        if narrow and part.values.dtype == np.int16:
            if not filled:
                filled.append(np.empty((result.height, *part.values.shape[1:]), np.uint8))
            outside.append(clip_shorts(part.values, filled[0][part.rows]))
            return
        shown = _shown(part)
        levels = to_levels(shown.values, range_=how, maximum=white, depth=depth, extremes=extremes)
        held = drop_single_channel(levels.pixels)
        if shown.alpha is not None:
            held = _with_alpha(levels.pixels, shown.alpha, depth, white)
        if not filled:
            filled.append(
                held if len(held) == result.height else np.empty((result.height, *held.shape[1:]), held.dtype)
            )
            notes.extend([_ON_BLACK] * (shown is not part))
        if filled[0] is not held:
            filled[0][part.rows] = held
        outside.append(levels.outside)

    visit_parts(result.parts, take, narrow=narrow)
    return filled[0], sum(outside) / max(1, filled[0].size)


def _find_extremes(result: Result, how: Range) -> Extremes:
    """Return the least and the greatest of all values, if the range goes by them."""
    if how not in {Range.SCALE, Range.MAX}:
        return 0.0, 0.0
    found: list[Extremes] = []
    visit_parts(result.parts, lambda part: found.append(find_extremes(_shown(part).values)))
    return min(low for low, _ in found), max(high for _, high in found)


_ON_BLACK = "the result has no place for alpha, so that it lies on black"


def _shown(part: Part) -> Part:
    """Return a part of which a file can hold the alpha, or that lies on black."""
    if part.alpha is None or part.values.shape[2] == 3:
        return part
    return part._replace(values=part.values * part.alpha, alpha=None)


def _with_alpha(colours: Array, alpha: Array, depth: Depth, white: float) -> Array:
    """Return colours and their alpha in one array; in a float file alpha is in the colours' units."""
    if depth is Depth.FLOAT:
        return np.concatenate([colours, (alpha * white).astype(colours.dtype)], axis=2)
    held = to_levels(alpha, range_=None, maximum=1.0, depth=depth).pixels
    return np.concatenate([colours, held], axis=2)
