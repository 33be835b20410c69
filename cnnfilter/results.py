"""What a network makes of one picture, and the bytes of the files that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import Listener, as_volume, drop_single_channel, run_program
from cnnfilter.compute.preparation import prepare
from cnnfilter.compute.programs import Program
from cnnfilter.compute.visible import keeps_alpha, run_visible
from cnnfilter.compute.weights import Model
from cnnfilter.files.formats import Depth, Range, find_format, is_matrix
from cnnfilter.files.images import Encoding
from cnnfilter.files.levels import choose_depth, remark_on_clipping, to_levels
from cnnfilter.files.matrices import encode_matrix
from cnnfilter.files.outputs import Job
from cnnfilter.files.pictures import Picture, encode_picture
from cnnfilter.files.ranking import Ranking, rank
from cnnfilter.kernels import never_negative
from cnnfilter.spec.preparation import Preparation
from cnnfilter.spec.remarks import remark_on_borders, remark_on_sums


@dataclass(frozen=True)
class Handling:
    """How pictures are run, and how results become files.

    Parameters
    ----------
    range_, depth, encoding
        How values become a file's levels, and the file's compression.
    pipeline
        Whether the network was written out as one: it sees colours alone, and its sums are remarked upon.
    preparation
        What is done to a picture first.
    ranking
        How many of a vector's classes are listed, and their names; None lists all values as they are.
    """

    range_: Range | None = None
    depth: Depth | None = None
    encoding: Encoding = field(default_factory=Encoding)
    pipeline: bool = False
    preparation: Preparation = field(default_factory=Preparation)
    ranking: Ranking | None = None


@dataclass(frozen=True)
class Result:
    """What came out of a network, or of one of its layers.

    Parameters
    ----------
    values
        (H, W, C) or (length,), in the units of a picture in which `white` is white.
    alpha
        (H, W, 1) from 0 to 1, or None.
    white, depth, matrix
        As the picture had them.
    """

    values: Array
    alpha: Array | None
    white: float
    depth: Depth
    matrix: bool


def run_picture(
    picture: Picture, model: Model, handling: Handling, layers: Sequence[str] = ()
) -> tuple[dict[str, Result], list[str]]:
    """Return what a network makes of a picture, and what is to be remarked.

    Parameters
    ----------
    picture, model, handling
        What is run on what, and how.
    layers
        The names of the layers whose outputs are wanted.

    Returns
    -------
    tuple
        The result of the network under the empty name, or that of each of `layers` under its own.

    Raises
    ------
    CnnFilterError
        If the network does not fit the picture, or its weights do not fit the network.
    """
    pixels = as_volume(picture.pixels)
    colours = pixels[:, :, :3] if picture.has_alpha else pixels
    program = model.program(_prepared_shape(colours, handling.preparation))
    prepared = prepare(colours, handling.preparation)
    white = picture.maximum * handling.preparation.scale
    notes = _remarks(program, prepared.shape, handling)
    found: dict[str, Array] = {}
    alpha = None
    if picture.has_alpha and not handling.pipeline and keeps_alpha(program):
        values, alpha = run_visible(
            program, prepared, pixels[:, :, 3:].astype(np.float32) / np.float32(picture.maximum)
        )
    else:
        notes += ["the picture has alpha, and the network sees its colours alone"] * picture.has_alpha
        values = run_program(program, prepared, white=white, listener=_keep(layers, found))
    results = {name: found[name] for name in layers} if layers else {"": values}
    return {
        name: Result(result, alpha, white, picture.depth, picture.matrix) for name, result in results.items()
    }, notes


def _prepared_shape(colours: Array, preparation: Preparation) -> tuple[int, ...]:
    return *(preparation.size or colours.shape[:2]), colours.shape[2]


def _keep(layers: Sequence[str], found: dict[str, Array]) -> Listener | None:
    """Return what keeps the outputs of the named layers in `found`."""
    if not layers:
        return None
    wanted = frozenset(layers)

    def keep(name: str, values: Array) -> None:
        if name in wanted:
            found[name] = values

    return keep


def _remarks(program: Program, shape: tuple[int, ...], handling: Handling) -> list[str]:
    """Return what a careful reader would say of this program on an input of this shape."""
    visits = list(program.network.visits(shape))
    return [*remark_on_borders(visits), *(remark_on_sums(visits, never_negative) if handling.pipeline else [])]


def encode_result(result: Result, job: Job, handling: Handling, notes: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and the bytes of the files that hold a result; remarks are added to `notes`.

    A result goes into the job's file. A layer's output of which that can hold no picture goes into a picture
    for each map, `PATH-01.png` and so on, or, a vector, into a text.
    """
    name, values = job.format_name, drop_single_channel(result.values)
    if handling.ranking:
        yield name, rank(values, handling.ranking, name, notes)
    elif job.layer and values.ndim == 1 and not is_matrix(name):
        yield str(Path(name).with_suffix(".txt")), encode_matrix(values, "-.txt")
    elif job.layer and values.ndim == 3 and values.shape[2] != 3 and not is_matrix(name):
        yield from _encode_maps(result, name, handling, notes)
    else:
        pixels, clipped = _fill(result, name, handling, notes)
        notes += filter(None, [remark_on_clipping(clipped)])
        yield name, encode_picture(pixels, name, handling.encoding)


def _encode_maps(result: Result, name: str, handling: Handling, notes: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield a picture for each feature map, with one remark for all."""
    path, maps = Path(name), result.values.shape[2]
    shares = []
    for number in range(maps):
        single = replace(result, values=result.values[:, :, number : number + 1])
        pixels, clipped = _fill(single, name, handling, [] if number else notes)
        shares.append(clipped)
        place = str(number + 1).zfill(max(2, len(str(maps))))
        yield str(path.with_name(f"{path.stem}-{place}{path.suffix}")), encode_picture(pixels, name, handling.encoding)
    notes += filter(None, [remark_on_clipping(sum(shares) / maps)])


def _fill(result: Result, name: str, handling: Handling, notes: list[str]) -> tuple[Array, float]:
    """Return what a file of this name is to hold, and the share of values that were clipped."""
    depth, remark = choose_depth(find_format(name), handling.depth, result.depth)
    notes += filter(None, [remark])
    values, alpha = result.values, result.alpha
    if alpha is not None and values.shape[2] != 3:
        notes.append("the result has no place for alpha, so that it lies on black")
        values, alpha = values * alpha, None
    # A matrix has no white of its own: its numbers are levels of the output.
    white = result.white * (257 if result.matrix and depth is Depth.SIXTEEN else 1)
    levels = to_levels(values, range_=handling.range_, maximum=white, depth=depth)
    if alpha is None:
        return drop_single_channel(levels.pixels), levels.clipped
    return _with_alpha(levels.pixels, alpha, depth, white), levels.clipped


def _with_alpha(colours: Array, alpha: Array, depth: Depth, white: float) -> Array:
    """Return colours and their alpha in one array; in a float file alpha is in the colours' units."""
    if depth is Depth.FLOAT:
        return np.concatenate([colours, (alpha * white).astype(colours.dtype)], axis=2)
    held = to_levels(alpha, range_=None, maximum=1.0, depth=depth).pixels
    return np.concatenate([colours, held], axis=2)
