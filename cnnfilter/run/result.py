"""What a network makes of one picture: its feature maps, then the levels of a file, then the file's bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import Program, as_volume, drop_single_channel, prepare, run_program
from cnnfilter.compute.tiles import Model, Part, Parts, check_layers, check_result, join_parts
from cnnfilter.io.decode import Pages, Picture, Timing
from cnnfilter.io.encode import Encoded, encode_image, encode_pages
from cnnfilter.io.formats import Depth, Range, find_format, is_matrix, name_formats_of_pages
from cnnfilter.io.levels import (
    Extremes,
    choose_depth,
    clip_shorts,
    depth_of,
    find_extremes,
    remark_on_clipping,
    to_levels,
)
from cnnfilter.io.metadata import Metadata
from cnnfilter.io.paths import Job
from cnnfilter.kernels.spec import never_negative
from cnnfilter.log import tell
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.lint import remark_on_borders, remark_on_sums
from cnnfilter.run.settings import Settings

Watcher = Callable[[Part], None]
"""Sees each part of a result when it is made, perhaps from several threads."""


class FeatureMaps(NamedTuple):
    """What comes out of a network, or of one of its layers.

    Parameters
    ----------
    parts
        (H, W, C), (H, W) or (length,) in the units of a picture in which `white` is white, with alpha (H, W, 1)
        from 0 to 1 or None; part by part. The network is run for a part when it is asked for, so that large results
        need little memory.
    height
        The number of rows, or of values of a vector, of all parts together.
    white, depth, matrix, metadata
        As the picture has them.
    notes
        What is to be remarked.
    pages
        The pages of the picture's file, of which this is made of the first, or None.
    lay_out_page
        Returns what comes of the pixels of another page.
    """

    parts: Iterable[Part]
    height: int
    white: float
    depth: Depth
    matrix: bool = False
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()
    pages: Pages | None = None
    lay_out_page: Callable[[Array], FeatureMaps] | None = None

    @property
    def values(self) -> Array:
        """All values."""
        return join_parts(self.parts).values

    @property
    def alpha(self) -> Array | None:
        """All alpha, or None."""
        return join_parts(self.parts).alpha

    def visit(self, take: Watcher, *, narrow: bool = False) -> None:
        """Hand over all parts, the first one first, the others perhaps from several threads.

        Whole numbers of 16 bits may come as such if `narrow` allows it.
        """
        if isinstance(self.parts, Parts):
            self.parts.visit(take, narrow=narrow)
        else:
            for part in self.parts:
                take(part)


def as_maps(values: Array, white: float, depth: Depth, *, matrix: bool = False) -> FeatureMaps:
    """Return values that are there already as feature maps."""
    return FeatureMaps([Part(slice(0, len(values)), values, None)], len(values), white, depth, matrix)


class Result(NamedTuple):
    """What one file is to hold.

    Parameters
    ----------
    name
        The file's.
    pages
        For each page or frame the pixels as the file holds them; one array of values for a matrix or a ranking.
    clipped
        The share of values that were clipped.
    notes
        What is to be remarked.
    metadata
        What the picture's file said.
    timing
        How frames follow each other, where the file is one of several pages.
    """

    name: str
    pages: list[Array]
    clipped: float = 0.0
    notes: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    timing: Timing | None = None


class File(NamedTuple):
    """A file's name, its bytes, the shape of what it holds, the share of it that was clipped, and remarks."""

    name: str
    data: Encoded
    shape: Shape
    clipped: float = 0.0
    notes: tuple[str, ...] = ()


def lay_out(picture: Picture, model: Model, settings: Settings) -> FeatureMaps:
    """Return what a network makes of a picture, run part by part as it is asked for.

    Raises
    ------
    CnnFilterError
        If the network does not fit the picture, or its weights do not fit the network.
    """
    program, colours, notes = _fit(picture, model, settings)
    alpha = as_volume(picture.pixels)[:, :, 3:] if _shows_alpha(picture, program, settings) else None
    white = picture.maximum * settings.preparation.scale
    parts = Parts(model.strips(colours.shape), colours, alpha, picture.maximum, white)
    maps = FeatureMaps(parts, parts.height, white, picture.depth, picture.matrix, picture.metadata, notes)
    if picture.pages is None:
        return maps
    return maps._replace(
        pages=picture.pages,
        lay_out_page=lambda pixels: lay_out(Picture(pixels, depth_of(pixels.dtype)), model, settings),
    )


def run_layers(picture: Picture, model: Model, settings: Settings, layers: Sequence[str]) -> dict[str, FeatureMaps]:
    """Return what comes out of layers of a network, by their names; raises as `lay_out` does."""
    program, colours, notes = _fit(picture, model, settings, whole=True)
    found: dict[str, Array] = {}

    def keep(name: str, values: Array) -> None:
        if name in layers:
            found[name] = values

    white = picture.maximum * settings.preparation.scale
    run_program(program, colours, white=white, listener=keep)
    if picture.pages is not None:
        notes = *notes, remark_on_pages(picture.pages)
    maps = {name: as_maps(found[name], white, picture.depth, matrix=picture.matrix) for name in layers}
    return {name: one._replace(notes=notes) for name, one in maps.items()}


def _fit(
    picture: Picture, model: Model, settings: Settings, *, whole: bool = False
) -> tuple[Program, Array, tuple[str, ...]]:
    """Return a network ready for a picture, the (H, W, C) that it sees, and remarks; raise if it does not fit.

    `whole` says that what is between the layers is wanted too.
    """
    program, shape, colours = _load(picture, model, settings)
    visits = program.network.visits(shape)
    check_layers(program, visits, whole=whole)
    notes = [*picture.notes, *remark_on_borders(visits)]
    if settings.pipeline:
        notes += remark_on_sums(visits, never_negative)
    if picture.has_alpha and not _shows_alpha(picture, program, settings):
        notes.append("the picture has alpha, and the network sees its colours alone")
    return program, prepare(colours, settings.preparation), tuple(notes)


def _load(picture: Picture, model: Model, settings: Settings) -> tuple[Program, Shape, Array]:
    """Return a network ready for a picture, the shape that it sees, and the picture's colours, (H, W, C)."""
    pixels = as_volume(picture.pixels)
    colours = pixels[:, :, :3] if picture.has_alpha else pixels
    shape = *(settings.preparation.size or colours.shape[:2]), colours.shape[2]
    check_result(model.network.output(shape))
    return model.program(shape), shape, colours


def _shows_alpha(picture: Picture, program: Program, settings: Settings) -> bool:
    return picture.has_alpha and not settings.pipeline and program.network.takes_alpha


def remark_on_pages(pages: Pages) -> str:
    """Return a sentence that says how many pages there are, and that one is taken."""
    return (
        f"the first of {pages.count} pages is taken, since the output holds one; --page N takes another, and "
        f"{name_formats_of_pages()} hold all"
    )


def foresee_shape(picture: Picture, model: Model, settings: Settings, layer: str = "") -> Shape:
    """Return the shape of what a network, or one of its layers, would make of a picture; nothing is run.

    Raises
    ------
    CnnFilterError
        If the network does not fit the picture.
    """
    program, shape, _ = _load(picture, model, settings)
    if layer:
        result = next(visit.outputs.shape for visit in program.network.visits(shape) if visit.node.name == layer)
    else:
        result = program.network.output(shape)
        if result[2:] == (3,) and _shows_alpha(picture, program, settings):
            return *result[:2], 4
    return result[:2] if result[2:] == (1,) else result


def name_files(job: Job, shape: Shape, settings: Settings) -> list[str]:
    """Return the names of the files that hold a result of a shape.

    A result goes into the job's file. A layer's output of which that can hold no picture goes into a picture
    for each map, `PATH-01.png` and so on, or, a vector, into a text.
    """
    path, maps = Path(job.format_name), shape[2] if len(shape) == 3 else 1
    if not job.layer or settings.ranking or is_matrix(path):
        return [job.format_name]
    if len(shape) == 1:
        return [str(path.with_suffix(".txt"))]
    if maps in {1, 3}:
        return [job.format_name]
    places = (str(number).zfill(max(2, len(str(maps)))) for number in range(1, maps + 1))
    return [str(path.with_name(f"{path.stem}-{place}{path.suffix}")) for place in places]


def run(maps: FeatureMaps, job: Job, settings: Settings, watch: Watcher | None = None) -> list[Result]:
    """Return what the files of a job are to hold, in the order of `name_files`: the network is run part by part."""
    name = job.format_name
    if maps.pages and find_format(name).pages and not settings.ranking:
        return [_run_pages(maps, maps.pages, name, settings)]
    notes = (remark_on_pages(maps.pages),) if maps.pages else ()
    if not job.layer and not settings.ranking:
        return [_finish(_fill(maps, name, settings, watch=watch), notes)]
    values = drop_single_channel(maps.values)
    names = name_files(job, values.shape, settings)
    if settings.ranking or (values.ndim == 1 and not is_matrix(name)):
        return [Result(names[0], [values], notes=notes)]
    if len(names) == 1:
        return [_finish(_fill(maps, name, settings), notes)]
    single = [as_maps(values[:, :, map_], maps.white, maps.depth, matrix=maps.matrix) for map_ in range(len(names))]
    filled = [_fill(one, name, settings) for one, name in zip(single, names, strict=True)]
    share = sum(result.clipped for result in filled) / len(filled)
    first = _finish(filled[0]._replace(clipped=share), notes)._replace(clipped=filled[0].clipped)
    return [first, *(result._replace(notes=()) for result in filled[1:])]


def _finish(result: Result, notes: tuple[str, ...] = ()) -> Result:
    """Return a result with the remarks before its own, and with one on clipping behind them."""
    remark = remark_on_clipping(result.clipped)
    return result._replace(notes=(*notes, *result.notes, *([remark] if remark else [])))


def _run_pages(maps: FeatureMaps, pages: Pages, name: str, settings: Settings) -> Result:
    """Return what is made of every page, all brought into range alike."""
    format_, notes = find_format(name), list[str]()
    if format_.pages == "frames":
        if Depth.SIXTEEN in {settings.depth, settings.depth or maps.depth}:
            notes.append(f"frames of {format_.name} have 8 bits; a TIFF keeps the depth of its pages")
        settings = settings._replace(depth=Depth.EIGHT)
    assert maps.lay_out_page
    each = list(map(maps.lay_out_page, pages))
    found = [_find_extremes(one, settings.range_ or Range.CLIP) for one in each]
    extremes = min(low for low, _ in found), max(high for _, high in found)
    filled = [_fill(one, name, settings, extremes) for one in each]
    notes += [note for result in filled for note in result.notes]
    clipped = sum(result.clipped for result in filled) / len(filled)
    pixels = [page for result in filled for page in result.pages]
    return _finish(Result(name, pixels, clipped, tuple(notes), maps.metadata, pages.timing))


def _fill(
    maps: FeatureMaps, name: str, settings: Settings, extremes: Extremes | None = None, watch: Watcher | None = None
) -> Result:
    """Return what a file of this name is to hold; `extremes` are those of all pages, where there are several."""
    depth, remark = choose_depth(find_format(name), settings.depth, maps.depth)
    notes = [remark] if remark else []
    # A matrix has no white of its own: its numbers are levels of the output.
    white = maps.white * (257 if maps.matrix and depth is Depth.SIXTEEN else 1)
    how = settings.range_ or (Range.NONE if depth is Depth.FLOAT else Range.CLIP)
    extremes = extremes or _find_extremes(maps, how)
    narrow = not watch and how is Range.CLIP and depth is Depth.EIGHT
    filled: list[Array] = []
    outside: list[int] = []

    def take(part: Part) -> None:
        if watch:
            watch(part)
        if narrow and part.values.dtype == np.int16:
            if not filled:
                filled.append(np.empty((maps.height, *part.values.shape[1:]), np.uint8))
            outside.append(clip_shorts(part.values, filled[0][part.rows]))
            return
        shown = _shown(part)
        levels = to_levels(shown.values, range_=how, maximum=white, depth=depth, extremes=extremes)
        held = drop_single_channel(levels.pixels)
        if shown.alpha is not None:
            held = np.concatenate([held, _alpha_levels(shown.alpha, depth, white, held.dtype)], axis=2)
        if not filled:
            filled.append(held if len(held) == maps.height else np.empty((maps.height, *held.shape[1:]), held.dtype))
            if shown is not part:
                notes.append("the result has no place for alpha, so that it lies on black")
        if filled[0] is not held:
            filled[0][part.rows] = held
        outside.append(levels.outside)

    maps.visit(take, narrow=narrow)
    return Result(name, filled, sum(outside) / max(1, filled[0].size), tuple(notes), maps.metadata)


def _find_extremes(maps: FeatureMaps, how: Range) -> Extremes:
    """Return the least and the greatest of all values, if the range goes by them."""
    if how not in {Range.SCALE, Range.MAX}:
        return 0.0, 0.0
    found: list[Extremes] = []
    maps.visit(lambda part: found.append(find_extremes(_shown(part).values)))
    return min(low for low, _ in found), max(high for _, high in found)


def _shown(part: Part) -> Part:
    """Return a part of which a file can hold the alpha, or that lies on black."""
    if part.alpha is None or part.values.shape[2] == 3:
        return part
    return part._replace(values=part.values * part.alpha, alpha=None)


def _alpha_levels(alpha: Array, depth: Depth, white: float, dtype: np.dtype[Any]) -> Array:
    """Return alpha as a file holds it; in a float file it is in the colours' units."""
    if depth is Depth.FLOAT:
        return (alpha * white).astype(dtype)
    return to_levels(alpha, range_=None, maximum=1.0, depth=depth).pixels


def encode(result: Result, settings: Settings) -> File:
    """Return the file that holds a result."""
    first, notes = result.pages[0], list(result.notes)
    quality, compression = settings.quality, settings.compression
    if settings.ranking:
        from cnnfilter.compute.classes import rank  # noqa: PLC0415  for classes alone

        data: Encoded = rank(first, settings.ranking, result.name, notes)
    elif result.timing is not None:
        if any(result.metadata):
            tell("%s: EXIF and colour profile dropped: OpenCV writes none into files of several pictures", result.name)
        data = encode_pages(result.pages, result.name, result.timing, quality=quality, compression=compression)
    else:
        data = encode_image(
            first, result.name, quality=quality, compression=compression, owned=True, metadata=result.metadata
        )
    return File(result.name, data, first.shape, result.clipped, tuple(notes))
