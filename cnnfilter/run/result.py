"""What a network makes of one picture: its feature maps, then the levels of a file, then the file's bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import Program, drop_single_channel, run_program
from cnnfilter.compute.threads import make_tiles
from cnnfilter.compute.tiles import VALUE, FeatureMaps, Model, Part
from cnnfilter.errors import ImageFileError, ShapeError
from cnnfilter.io.atomic import Encoded
from cnnfilter.io.colours import encode_srgb
from cnnfilter.io.decode import Batch, Pages, Picture
from cnnfilter.io.encode import GREY_ONLY, NO_ALPHA, cut_into_strips, encode_image, encode_pages
from cnnfilter.io.formats import ZARR, Depth, Format, Range, find_format, is_matrix, name_formats_of_pages
from cnnfilter.io.levels import (
    MAXIMA,
    Extremes,
    choose_depth,
    find_extremes,
    has_white_at_1,
    to_levels,
)
from cnnfilter.io.metadata import Metadata
from cnnfilter.io.paths import Job, lacks_memory
from cnnfilter.kernels.spec import never_negative
from cnnfilter.log import PROGRESS, hint
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.nn.lint import advise_on_borders, warn_about_borders, warn_about_layouts, warn_about_sums
from cnnfilter.nn.network import Visit
from cnnfilter.numbers import to_json
from cnnfilter.run.clipping import counts_clipped, warn_about_clipping
from cnnfilter.run.preprocessing import prepare_colours, see, seen_shape, takes_alpha
from cnnfilter.run.settings import Settings

if TYPE_CHECKING:
    from cnnfilter.compute.classes import Class, Ranking
    from cnnfilter.io.background import Background
    from cnnfilter.io.strips import Strips

Watcher = Callable[[Part], None]
"""Sees each part of a result when it is made, perhaps from several threads."""


class Result(NamedTuple):
    """What one file is to hold: the pixels of each page, the share of values clipped, and the pages read.

    The suffix of its name is its format.
    """

    name: str
    pages: list[Array]
    clipped: float = 0.0
    notes: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    source: Pages | None = None
    path: str = ""  # where it goes, if that is another name
    input: str = ""  # of which the classes are ranked
    batch: bool = False  # whether the pages are vectors of which each is ranked
    strips: Strips | None = None  # of the one page, encoded already


class File(NamedTuple):
    """A file's name, its bytes, the shape of what it holds, the share of it that was clipped, warnings, and classes.

    The data of a Zarr array are its values.
    """

    name: str
    data: Encoded | Array
    shape: Shape
    clipped: float = 0.0
    notes: tuple[str, ...] = ()
    classes: tuple[Class, ...] = ()


def lay_out(picture: Picture, model: Model, settings: Settings, *, whole: bool = False) -> FeatureMaps:
    """Return what a network makes of a picture, run part by part as it is asked for; `whole`: with its layers."""
    program, shape = _load(picture, model, settings)
    notes = list(picture.notes)
    if settings.warns:
        notes += warn_about_layers(program.network.visits(shape), settings, matrix=picture.matrix)
    if picture.has_alpha and not (settings.background or takes_alpha(picture, model, settings)):
        notes.append("the image has alpha, and only its colours are used; --background flattens it")
    seen = see(picture, model, settings)
    colours, white = prepare_colours(seen, settings)
    alpha = seen.pixels[:, :, 3:] if seen.has_alpha else None
    if alpha is not None and picture.depth is Depth.FLOAT and not (alpha.min() >= 0 and alpha.max() <= 1):
        notes.append("alpha in floats goes from 0 to 1, and the image's goes beyond; values outside are clipped")
    region = settings.region.cut(model.output(shape)) if settings.region else None
    facts = find_facts(colours, matrix=picture.matrix)
    strips = model.strips(shape, facts, alpha=alpha is not None, whole=whole)
    needed = model.strips(shape, facts, alpha=alpha is not None, region=region) if region else ()
    if settings.linear and picture.depth is Depth.FLOAT and picture.colours.max() > 1:
        notes.append("its floats go beyond 1, as linear light does; --linear decodes them as sRGB all the same")
    return FeatureMaps(
        picture,
        white,
        colours,
        alpha,
        strips,
        notes=tuple(notes),
        model=model,
        linear=settings.linear,
        region=region,
        needed=needed,
    )


def warn_about_layers(visits: Sequence[Visit], settings: Settings, *, matrix: bool) -> list[str]:
    """Return warnings about the layers at work on a picture or a matrix, and give hints on them."""
    warnings = [*warn_about_layouts(visits), *warn_about_borders(visits)]
    if settings.pipeline:
        warnings += warn_about_sums(visits, never_negative)
    elif not matrix:
        for text in advise_on_borders(visits, padding_given=settings.padding_given):
            hint(text)
    return warnings


def run_layers(picture: Picture, model: Model, settings: Settings, layers: Sequence[str]) -> dict[str, FeatureMaps]:
    """Return what comes out of layers of a network, by their names; raises as `lay_out` does."""
    if isinstance(picture.pages, Batch):
        raise ShapeError("--save writes the layers of one input, and this is a batch; --page N takes one of it")
    maps = lay_out(picture, model, settings, whole=True)
    notes = (*maps.notes, warn_about_pages(picture.pages)) if picture.pages else maps.notes
    found: dict[str, FeatureMaps] = {}

    def keep(name: str, values: Array) -> None:
        if name in layers:
            values = encode_srgb(values, maps.white) if settings.linear else values
            made = Picture(values, picture.depth, matrix=picture.matrix)
            found[name] = FeatureMaps(made, maps.white, values, notes=notes)
        PROGRESS.advance()

    PROGRESS.begin("filtering", len(model.network.all_nodes))
    facts = find_facts(maps.colours, matrix=picture.matrix)
    run_program(model.program(maps.colours.shape), maps.colours, white=maps.white, listener=keep, facts=facts)
    return {name: found[name] for name in layers}


def _load(picture: Picture, model: Model, settings: Settings) -> tuple[Program, Shape]:
    """Return a network ready for a picture, and the shape that it sees."""
    if settings.linear and picture.matrix:
        raise ShapeError("a matrix has no sRGB levels to decode; --linear takes images")
    is_changed = settings.preparation or settings.augmentation
    shape = seen_shape(picture, settings) if is_changed else picture.colours.shape
    for layer in model.network.layers:
        layer.check_kind(matrix=picture.matrix, channels=shape[2])
    result = model.output(shape)
    if settings.region:
        settings.region.cut(result)
    if lack := lacks_memory(_count_bytes(shape, result, settings)):  # known before any weight is read
        raise ShapeError(f"a result of {show_shape(result)} values would {lack}")
    return model.program(shape), shape


def _count_bytes(shape: Shape, result: Shape, settings: Settings) -> int:
    """Return the bytes of a result, which is held twice while it is rounded, and of floats that are made before."""
    makes_floats = settings.linear or bool(settings.preparation)
    return VALUE * (2 * prod(result) + makes_floats * prod(shape))


def check_memory(sketch: Picture, models: Sequence[Model], settings: Settings) -> None:
    """Raise a `ShapeError` if memory does not hold a picture and what any of the networks makes of it.

    If only some of them are too large, or cannot be laid on it, that is said of each when it is its turn.
    """
    shape, reasons = seen_shape(sketch, settings), list[str]()
    for model in models:
        try:
            result = model.output(shape)
        except ShapeError:
            if len(models) == 1:
                raise
            return
        lack = lacks_memory(sketch.pixels.size + _count_bytes(shape, result, settings))
        if not lack:
            return
        reasons.append(f"a result of {show_shape(result)} values would {lack}")
    raise ShapeError(reasons[0])


def settle_alpha(picture: Picture, job: Job, model: Model, settings: Settings) -> Picture:
    """Return a picture with alpha as a network takes it for a job's file: without one that is opaque and has no place.

    `ImageFileError` if another has no place, and lies on no background, or if the file holds no colours at all.
    """
    format_ = find_format(job.format_name)
    _, shape = _load(picture, model, settings)
    if not takes_alpha(picture, model, settings) or format_.holds_alpha or model.output(shape)[2:] != (3,):
        return picture
    where = job.target or "standard output"
    if 3 not in format_.channels:
        raise ImageFileError(GREY_ONLY.format(format_.name), path=where)
    if (picture.pixels[:, :, 3] >= picture.maximum).all():
        colours, metadata, pages = np.ascontiguousarray(picture.colours), picture.metadata, picture.pages
        return Picture(colours, picture.depth, metadata=metadata, pages=pages, notes=picture.notes)
    if settings.background:
        return picture
    raise ImageFileError(f"{NO_ALPHA.format(format_.name)}, and --background COLOUR flattens it", path=where)


def warn_about_pages(pages: Pages) -> str:
    """Return a sentence that says how many pages there are, and that one is taken."""
    if isinstance(pages, Batch):
        return f"the first of {pages.count} inputs of the batch is shown; --page N takes another"
    return (
        f"the first of {pages.count} pages is used, because the output holds one; --page N reads another, and "
        f"{name_formats_of_pages()} hold all; {{page}} in -o writes each"
    )


def foresee_shape(
    picture: Picture, model: Model, settings: Settings, layer: str = "", format_: Format | None = None
) -> Shape:
    """Return the shape of what a network, or a layer, would make of a picture; raise if they do not fit.

    In a file of some format, if that is said, it may lie on a background.
    """
    program, shape = _load(picture, model, settings)
    if layer:
        result = next(visit.outputs.shape for visit in program.network.visits(shape) if visit.node.name == layer)
    else:
        result = model.output(shape)
        if settings.region:
            rows, columns = settings.region.cut(result)
            result = rows.stop - rows.start, columns.stop - columns.start, result[2]
        is_flattened = settings.background and format_ and not format_.holds_partial_alpha
        if result[2:] == (3,) and takes_alpha(picture, model, settings) and not is_flattened:
            return *result[:2], 4
    return result[:2] if result[2:] == (1,) else result


def name_files(job: Job, shape: Shape, settings: Settings) -> list[str]:
    """Return a result's files: for a layer that no picture holds `PATH-01.png` and so on, for a vector a text."""
    path, maps = job.target or Path(job.format_name), shape[2] if len(shape) == 3 else 1
    if not job.layer or settings.ranking or is_matrix(job.format_name):
        return [str(path)]
    if len(shape) == 1:
        return [str(path.with_suffix(".txt"))]
    if maps in {1, 3}:
        return [str(path)]
    places = (str(number).zfill(max(2, len(str(maps)))) for number in range(1, maps + 1))
    return [str(path.with_name(f"{path.stem}-{place}{path.suffix}")) for place in places]


def run(maps: FeatureMaps, job: Job, settings: Settings, watch: Watcher | None = None) -> list[Result]:
    """Return what the files of a job are to hold, in the order of `name_files`: the network is run part by part."""
    name, picture, path = job.format_name, maps.picture, str(job.target or job.format_name)
    if isinstance(picture.pages, Batch):
        return [_run_batch(maps, picture.pages, job, settings)._replace(path=path)]
    if picture.pages and find_format(name).pages and not settings.ranking:
        return [_run_pages(maps, picture.pages, name, settings)._replace(path=path)]
    notes = [warn_about_pages(picture.pages)] if picture.pages else []
    if (settings.weights or settings.init) and not job.layer:
        notes += _warn_about_scale(maps, settings)
    names, each = [path], [maps]
    if job.layer or settings.ranking:
        values = drop_single_channel(maps.values)
        names = name_files(job, values.shape, settings)
        if settings.ranking or (values.ndim == 1 and not is_matrix(name)):
            name = name if settings.ranking else names[0]
            return [Result(name, [values], notes=tuple(notes), path=names[0], input=job.source)]
        if len(names) > 1:
            channels = (values[:, :, number] for number in range(len(names)))
            pictures = [Picture(channel, picture.depth, matrix=picture.matrix) for channel in channels]
            each = [FeatureMaps(one, maps.white, one.pixels) for one in pictures]
    ending = name.removeprefix(path)  # what says the format of a file whose suffix does not
    results = [
        _fill(one, file + ending, settings, watch=watch)._replace(path=file)
        for one, file in zip(each, names, strict=True)
    ]
    clipped = sum(result.clipped for result in results) / len(results)
    notes += results[0].notes
    if settings.warns:
        notes.append(warn_about_clipping(clipped, maps.model, maps.colours.shape, settings))
    first = results[0]._replace(notes=tuple(filter(None, notes)))
    return [first, *(result._replace(notes=()) for result in results[1:])]


def _warn_about_scale(maps: FeatureMaps, settings: Settings) -> list[str]:
    """Return a warning where learned weights meet levels as they are, and softmax gives exactly 1 and zeros.

    In float32 that takes a lead of more than 103 before the softmax, which trained networks are far from: on inputs
    255 times too large they have it nearly always.
    """
    is_scaled = settings.preparation and settings.preparation.scale != 1
    if not maps.model or is_scaled or maps.picture.pixels.max(initial=0) <= 1:
        return []
    network = maps.model.network
    shape = network.output(maps.colours.shape)
    if network.layers[-1].op != "softmax" or prod(shape) != shape[-1] or shape[-1] == 1:
        return []
    if np.count_nonzero(maps.values) > 1:
        return []
    return [
        "softmax gives exactly 1 and zeros: weights are usually for inputs from 0 to 1, and the image has levels to "
        f"{maps.picture.maximum:g}; --input-scale 1/{maps.picture.maximum:g} brings them to 0 to 1"
    ]


def _run_pages(maps: FeatureMaps, pages: Pages, name: str, settings: Settings) -> Result:
    """Return what is made of every page, all brought into range alike."""
    format_, notes = find_format(name), list[str]()
    if format_.pages == "frames":
        asked, settings = settings.depth, settings._replace(depth=Depth.EIGHT)
    assert maps.model
    each = [lay_out(picture, maps.model, settings) for picture in pages.pictures()]
    if format_.pages == "frames" and any((asked or one.picture.depth) is not Depth.EIGHT for one in each):
        notes.append(
            f"frames of {format_.name} have 8 bits; a TIFF keeps the depth of its pages, as {{page}} in -o does"
        )
    extremes = _find_extremes(each, settings) if (settings.range_ or settings.usual_range) in _BY_EXTREMES else None
    results = [_fill(one, name, settings, extremes, alone=False) for one in each]
    clipped = sum(result.clipped for result in results) / len(results)
    notes += (note for result in results for note in result.notes)
    if settings.warns:
        notes.append(warn_about_clipping(clipped, maps.model, maps.colours.shape, settings))
    pixels = [page for result in results for page in result.pages]
    return Result(name, pixels, clipped, tuple(filter(None, notes)), maps.picture.metadata, pages)


def _run_batch(maps: FeatureMaps, batch: Batch, job: Job, settings: Settings) -> Result:
    """Return what is made of every input of a batch: (N, H, W, C) or (N, length), or each vector for its classes."""
    assert maps.model
    if settings.ranking:
        each = [lay_out(picture, maps.model, settings).values for picture in batch.pictures()]
        return Result(job.format_name, each, input=job.source, batch=True)
    check_batch((batch.count, *maps.model.output(maps.colours.shape)), job)
    result = _run_pages(maps, batch, job.format_name, settings)
    items = [item[:, :, None] if item.ndim == 2 else item for item in result.pages]
    return result._replace(pages=[np.stack(items)], source=None)


def check_batch(shape: Shape, job: Job) -> None:
    """Raise an `ImageFileError` if a job's file holds no results of a batch, (N, H, W, C) or (N, length)."""
    format_ = find_format(job.format_name)
    if not format_.is_matrix or format_ is ZARR or (format_.separator and len(shape) > 2):
        what = f"the results of a batch are {show_shape(shape)}, for .npy alone: -o FILE.npy"
        raise ImageFileError(what, path=job.target or "standard output")


_BY_EXTREMES = {Range.SCALE, Range.MAX}
"""Ranges that go by the least and the greatest value."""


class Conversion(NamedTuple):
    """How values become what a file holds, in the words of `to_levels`."""

    range_: Range
    maximum: float
    depth: Depth

    @property
    def by_extremes(self) -> bool:
        """Whether it goes by the least and the greatest value."""
        return self.range_ in _BY_EXTREMES

    @property
    def clips(self) -> bool:
        """Whether it only cuts off what no level holds."""
        return self.range_ is Range.CLIP and self.depth is not Depth.FLOAT


def choose_conversion(picture: Picture, white: float, format_: Format, settings: Settings) -> tuple[Conversion, str]:
    """Return how what is made of a picture goes into a file, and a warning if that is not what was wanted, or nothing.

    `white` is that of the picture in the units of the values. Copies of an array keep its type.
    """
    keeps = settings.augmentation and format_ is ZARR and not picture.matrix
    depth, warning = choose_depth(format_, picture.depth if keeps else settings.depth, picture.depth)
    # A matrix has no white of its own: its numbers are levels of the output.
    maximum = white * (257 if picture.matrix and depth is Depth.SIXTEEN else 1)
    usual = Range.NONE if depth is Depth.FLOAT else settings.usual_range or Range.CLIP
    return Conversion(settings.range_ or usual, maximum, depth), warning


def _find_extremes(each: Iterable[FeatureMaps], settings: Settings) -> Extremes:
    """Return the least and the greatest of all values."""
    found: list[Extremes] = []
    for maps in each:  # a background is added after the values are brought into range
        maps.visit(
            lambda part: found.append(find_extremes((part if settings.background else _shown(part)).values)),
            whole=True,
        )
    return min(low for low, _ in found), max(high for _, high in found)


_LEVELS = np.int16(0), np.int16(255)
"""Of 8 bits, in a type that numpy need not look up the limits of."""


_LARGEST_PIECE = 1 << 20
"""Numbers that are converted to levels at a time: 4 MB of float32."""


class _Rows:
    """The pixels of a file, put together of parts; a large file is encoded strip by strip as they come.

    `cut` returns the strips of the pixels that are to be filled in, or None.
    """

    def __init__(self, height: int, cut: Callable[[Array], Strips | None]) -> None:
        self._height, self._cut = height, cut
        self.pixels: Array | None = None
        self.strips: Strips | None = None

    def place(self, rows: slice, shape: Shape, dtype: Any) -> Array:
        """Return where rows of a shape are put."""
        if self.pixels is None:
            self._begin(np.empty((self._height, *shape[1:]), dtype))
        assert self.pixels is not None
        return self.pixels[rows]

    def put(self, rows: slice, levels: Array) -> None:
        """Put rows in their place; all of them are taken as they are."""
        if len(levels) == self._height:
            self._begin(levels)
            return
        self.place(rows, levels.shape, levels.dtype)[:] = levels
        self.add(rows)

    def put_narrow(self, rows: slice, values: Array) -> int:
        """Put whole numbers, int16 or uint8, in their place as levels, and return how many had to be clipped."""
        if values.dtype == np.uint8:
            self.put(rows, values)
            return 0
        np.clip(values, *_LEVELS, out=self.place(rows, values.shape, np.uint8), casting="unsafe")
        self.add(rows)
        return int(np.count_nonzero(values.view(np.uint16) > 255))  # below 0 are the largest

    def add(self, rows: slice) -> None:
        """Take note that rows are in their place."""
        if self.strips and rows.stop - rows.start < self._height:
            self.strips.add(rows)

    def _begin(self, pixels: Array) -> None:
        self.pixels, self.strips = pixels, self._cut(pixels)


def _fill(
    maps: FeatureMaps,
    name: str,
    settings: Settings,
    extremes: Extremes | None = None,
    watch: Watcher | None = None,
    *,
    alone: bool = True,
) -> Result:
    """Return what a file of this name is to hold, of `alone` encoded in strips perhaps.

    `extremes` are those of all pages, where there are several.
    """
    picture, format_ = maps.picture, find_format(name)
    conversion, warning = choose_conversion(picture, maps.white, format_, settings)
    how, white, depth = conversion
    notes = [warning]
    if conversion.by_extremes and not extremes:
        extremes = _find_extremes([maps], settings)
    narrow = None
    if not watch and how is Range.CLIP and depth is Depth.EIGHT:
        narrow = np.dtype(np.int16 if counts_clipped(settings) else np.uint8)
    cut = partial(cut_into_strips, path=name, quality=settings.quality, compression=settings.compression)
    rows, outside = _Rows(maps.height, cut if alone else lambda _: None), list[int]()

    def take(part: Part) -> None:
        if watch:
            watch(part)
        if narrow is not None and part.alpha is None and part.values.dtype == narrow:
            outside.append(rows.put_narrow(part.rows, part.values))
            return
        background = None if part.alpha is None else _find_background(part, format_, settings)
        shown = part._replace(alpha=None) if background else _shown(part)
        convert = partial(to_levels, range_=how, maximum=white, depth=depth, extremes=extremes, background=background)
        levels, beyond = (
            convert(shown.values) if background or depth is Depth.FLOAT else _convert_in_pieces(shown.values, convert)
        )
        held = drop_single_channel(levels)
        if shown.alpha is not None:
            held = np.concatenate([held, _alpha_levels(shown.alpha, depth, white, held.dtype)], axis=2)
        if rows.pixels is None and part.alpha is not None and not background:
            notes.append(_warn_about_alpha(shown, format_, settings))
        rows.put(part.rows, held)
        outside.append(beyond)

    maps.visit(take, narrow=narrow)
    assert rows.pixels is not None
    if rows.strips:
        make_tiles(rows.strips.left, rows.strips.encode)
    numbers = maps.colours if settings.augmentation else picture.pixels
    if picture.matrix and conversion.clips and has_white_at_1(numbers):
        notes += warn_about_black(rows.pixels.max(initial=0), depth)
    share = sum(outside) / max(1, rows.pixels.size)
    return Result(name, [rows.pixels], share, tuple(notes), picture.metadata, strips=rows.strips)


def _convert_in_pieces(values: Array, convert: Callable[[Array], tuple[Array, int]]) -> tuple[Array, int]:
    """Return the levels of values, and how many were clipped; a few rows at a time, whose copies take little memory."""
    count = values.size // _LARGEST_PIECE
    if count < 2 or len(values) < count:
        return convert(values)
    pieces = [convert(rows) for rows in np.array_split(values, count)]
    return np.concatenate([levels for levels, _ in pieces]), sum(outside for _, outside in pieces)


def _find_background(part: Part, format_: Format, settings: Settings) -> Background | None:
    """Return the background of a part whose alpha the file cannot hold, if one was asked for."""
    if part.alpha is None or settings.background is None or (part.values.shape[2] == 3 and format_.holds_partial_alpha):
        return None
    from cnnfilter.io.background import Background  # noqa: PLC0415  most images have no alpha

    return Background(part.alpha, settings.background)


def _warn_about_alpha(shown: Part, format_: Format, settings: Settings) -> str:
    """Return a warning for a part that had alpha, and was laid on no background."""
    if shown.alpha is None:
        return "the result has no place for alpha, and is on black; --background sets a colour"
    return f"--background changes nothing in {format_.name}, which holds alpha" if settings.background else ""


def warn_about_black(brightest: float, depth: Depth) -> list[str]:
    """Return a warning for an image made from a matrix of 0 to 1, if its brightest level makes it nearly black."""
    if brightest > MAXIMA[depth] // 16:
        return []
    return ["the image is nearly black: the matrix goes from 0 to 1, and levels to 255; --range scale brightens it"]


def _shown(part: Part) -> Part:
    """Return a part as a file can hold it: with its alpha, or on black."""
    if part.alpha is None or part.values.shape[2] == 3:
        return part
    return part._replace(values=part.values * part.alpha, alpha=None)


def _alpha_levels(alpha: Array, depth: Depth, white: float, dtype: np.dtype[Any]) -> Array:
    """Return alpha as a file holds it; in a float file it is in the colours' units."""
    if depth is Depth.FLOAT:
        return (alpha * white).astype(dtype)
    return to_levels(alpha, range_=None, maximum=1.0, depth=depth)[0]


def encode(result: Result, settings: Settings) -> File:
    """Return the file that holds a result."""
    PROGRESS.begin("writing")
    first, notes, said = result.pages[0], result.notes, list[str]()
    quality, compression = settings.quality, settings.compression
    data: Encoded | Array
    if settings.ranking:
        return _encode_classes(result, settings.ranking, as_json=settings.json)
    if find_format(result.name) is ZARR:
        data = first
    elif pages := result.source:
        from cnnfilter.io.transfer import carry_over_pages  # noqa: PLC0415  many files have no metadata

        kept, lost = carry_over_pages(pages.metadata(), find_format(result.name), result.pages)
        data = encode_pages(
            result.pages,
            result.name,
            pages.durations,
            pages.loops,
            quality=quality,
            compression=compression,
            owned=True,
            metadata=kept,
            notes=said,
        )
        notes = *notes, *lost
    else:
        metadata = Metadata()
        if any(result.metadata) and not is_matrix(result.name):
            from cnnfilter.io.transfer import carry_over  # noqa: PLC0415  many files have no metadata

            metadata, lost = carry_over(result.metadata, find_format(result.name), first)
            notes = *notes, *lost
        data = encode_image(
            first,
            result.name,
            quality=quality,
            compression=compression,
            owned=True,
            metadata=metadata,
            notes=said,
            strips=result.strips,
        )
    return File(result.path or result.name, data, first.shape, result.clipped, (*notes, *said))


def _encode_classes(result: Result, ranking: Ranking, *, as_json: bool) -> File:
    """Return the file that lists the classes of a result, or of each input of a batch, a line each."""
    from cnnfilter.compute.classes import rank, write_classes, write_rankings  # noqa: PLC0415  for classes alone

    ranked = [rank(values, ranking) for values in result.pages]
    classes, warnings = [each for each, _ in ranked], [warning for _, warning in ranked if warning]
    shape = result.pages[0].shape
    if as_json:
        items = [{"item": item} if result.batch else {} for item in range(len(classes))]
        lines = [{"input": result.input, **item, "classes": each} for item, each in zip(items, classes, strict=True)]
        data = "".join(f"{to_json(line)}\n" for line in lines).encode()
    else:
        data = write_rankings(classes, result.name) if result.batch else write_classes(classes[0], result.name)
    return File(
        result.path or result.name,
        data,
        (len(classes), *shape) if result.batch else shape,
        notes=(*result.notes, *warnings),
        classes=tuple(one for each in classes for one in each),
    )
