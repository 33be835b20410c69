"""What a network makes of one picture, and the bytes of the files that hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.network import Listener, as_volume, drop_single_channel, run_program
from cnnfilter.compute.preparation import prepare
from cnnfilter.compute.room import check_layers
from cnnfilter.compute.strips import Part, Parts, join_parts
from cnnfilter.compute.visible import keeps_alpha
from cnnfilter.compute.weights import Model
from cnnfilter.files.formats import Depth, Range, find_format, is_matrix
from cnnfilter.files.images import Encoded, Encoding, encode_pages
from cnnfilter.files.levels import Extremes, choose_depth, depth_of, find_extremes, remark_on_clipping, to_levels
from cnnfilter.files.matrices import encode_matrix
from cnnfilter.files.metadata import Metadata
from cnnfilter.files.outputs import Job
from cnnfilter.files.pictures import Picture, encode_picture
from cnnfilter.files.reading import Pages
from cnnfilter.kernels import never_negative
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.network import Visit
from cnnfilter.spec.preparation import Preparation
from cnnfilter.spec.remarks import remark_on_borders, remark_on_sums
from cnnfilter.telling import tell

if TYPE_CHECKING:
    from cnnfilter.files.ranking import Ranking


class Handling(NamedTuple):
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
    encoding: Encoding = Encoding()
    pipeline: bool = False
    preparation: Preparation = Preparation()
    ranking: Ranking | None = None


class Result(NamedTuple):
    """What came out of a network, or of one of its layers.

    Parameters
    ----------
    parts
        (H, W, C), (H, W) or (length,) in the units of a picture in which `white` is white, with alpha (H, W, 1)
        from 0 to 1 or None; part by part, and each part the first time when it is asked for.
    height
        How many rows, or values of a vector, all parts have.
    white, depth, matrix, metadata
        As the picture had them.
    pages
        The pages of the picture's file, of which this is made of the first, and what makes a result of each.
    """

    parts: Iterable[Part]
    height: int
    white: float
    depth: Depth
    matrix: bool
    metadata: Metadata = Metadata()
    pages: tuple[Pages, Callable[[Array], Result]] | None = None

    @property
    def values(self) -> Array:
        """All values."""
        return join_parts(self.parts).values

    @property
    def alpha(self) -> Array | None:
        """All alpha, or None."""
        return join_parts(self.parts).alpha


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
    pixels, colours = as_volume(picture.pixels), _colours(picture)
    program = model.program(_prepared_shape(colours, handling.preparation))
    visits = list(program.network.visits(_prepared_shape(colours, handling.preparation)))
    check_layers(program, visits, whole=bool(layers))
    prepared = prepare(colours, handling.preparation)
    white = picture.maximum * handling.preparation.scale
    notes = [*picture.notes, *_remarks(visits, handling)]
    alpha = pixels[:, :, 3:] if picture.has_alpha and not handling.pipeline and keeps_alpha(program) else None
    notes += [_UNSEEN_ALPHA] * (picture.has_alpha and alpha is None)
    if not layers:
        parts = Parts(program, prepared, alpha, picture.maximum, white)
        pages = (picture.pages, lambda page: _run_page(page, model, handling)) if picture.pages else None
        made = Result(parts, parts.shape[0], white, picture.depth, picture.matrix, picture.metadata, pages)
        return {"": made}, notes
    notes += [remark_on_pages(picture.pages)] * (picture.pages is not None)
    found: dict[str, Array] = {}
    run_program(program, prepared, white=white, listener=_keep(layers, found))
    return {name: as_result(found[name], white, picture.depth, picture.matrix) for name in layers}, notes


def _run_page(pixels: Array, model: Model, handling: Handling) -> Result:
    """Return what a network makes of a page."""
    return run_picture(Picture(pixels, depth_of(pixels.dtype)), model, handling)[0][""]


def remark_on_pages(pages: Pages | None) -> str:
    """Return a sentence that says how many pages there are, and that one is taken."""
    count = pages.count if pages else 1
    return (
        f"the first of {count} pages is taken, since the output holds one; --page N takes another, and .gif, .png, "
        ".webp, .avif and .tif hold all"
    )


def as_result(values: Array, white: float, depth: Depth, matrix: bool = False) -> Result:
    """Return values that are there already as a result."""
    return Result([Part(slice(0, len(values)), values, None)], len(values), white, depth, matrix)


_UNSEEN_ALPHA = "the picture has alpha, and the network sees its colours alone"


def _colours(picture: Picture) -> Array:
    """Return what a network sees of a picture: (H, W, C) without alpha."""
    pixels = as_volume(picture.pixels)
    return pixels[:, :, :3] if picture.has_alpha else pixels


def _prepared_shape(colours: Array, preparation: Preparation) -> tuple[int, ...]:
    return *(preparation.size or colours.shape[:2]), colours.shape[2]


def _keep(layers: Sequence[str], found: dict[str, Array]) -> Listener:
    """Return what keeps the outputs of the named layers in `found`."""
    wanted = frozenset(layers)

    def keep(name: str, values: Array) -> None:
        if name in wanted:
            found[name] = values

    return keep


def _remarks(visits: list[Visit], handling: Handling) -> list[str]:
    """Return what a careful reader would say of these layers at work."""
    return [*remark_on_borders(visits), *(remark_on_sums(visits, never_negative) if handling.pipeline else [])]


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


def foresee_shapes(picture: Picture, model: Model, handling: Handling, layers: Sequence[str] = ()) -> dict[str, Shape]:
    """Return the shapes of what `run_picture` would make, by the same names; nothing is run.

    Raises
    ------
    CnnFilterError
        If the network does not fit the picture.
    """
    shape = _prepared_shape(_colours(picture), handling.preparation)
    program = model.program(shape)
    if layers:
        shapes = {visit.node.name: visit.outputs.shape for visit in program.network.visits(shape)}
        return {name: _drop_one(shapes[name]) for name in layers}
    result = program.network.output(shape)
    if result[2:] == (3,) and picture.has_alpha and not handling.pipeline and keeps_alpha(program):
        return {"": (*result[:2], 4)}
    return {"": _drop_one(result)}


def _drop_one(shape: Shape) -> Shape:
    """Return a shape without its channel axis if there is one channel."""
    return shape[:2] if shape[2:] == (1,) else shape


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
    data = encode_picture(pixels, name, handling.encoding, owned=True, metadata=result.metadata)
    return File(name, data, pixels.shape, clipped)


def _encode_pages(result: Result, name: str, handling: Handling, notes: list[str]) -> File:
    """Return the file that holds what became of every page, all brought into range alike."""
    if result.pages is None:
        raise ValueError("there is one page only")
    pages, run = result.pages
    animated = find_format(name).name != "TIFF"
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
        yield File(name, encode_picture(pixels, name, handling.encoding), pixels.shape, clipped)
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
    filled: list[Array] = []
    outside: list[int] = []

    def take(part: Part) -> None:
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

    visit_parts(result.parts, take)
    return filled[0], sum(outside) / max(1, filled[0].size)


def _find_extremes(result: Result, how: Range) -> Extremes:
    """Return the least and the greatest of all values, if the range goes by them."""
    if how not in {Range.SCALE, Range.MAX}:
        return 0.0, 0.0
    found: list[Extremes] = []
    visit_parts(result.parts, lambda part: found.append(find_extremes(_shown(part).values)))
    return min(low for low, _ in found), max(high for _, high in found)


def visit_parts(parts: Iterable[Part], take: Callable[[Part], None]) -> None:
    """Hand over all parts, the first one first, the others perhaps from several threads."""
    if isinstance(parts, Parts | Watched):
        parts.visit(take)
        return
    for part in parts:
        take(part)


class Watched:
    """The parts of a result, each of which a watcher sees when it is made.

    Parameters
    ----------
    parts
        Those of the result.
    watcher
        Sees them first, perhaps from several threads, and again whenever they are made again.
    """

    def __init__(self, parts: Iterable[Part], watcher: Callable[[Part], None]) -> None:
        self._parts, self._watcher = parts, watcher

    def __iter__(self) -> Iterator[Part]:
        """Yield all parts."""
        for part in self._parts:
            self._watcher(part)
            yield part

    def visit(self, take: Callable[[Part], None]) -> None:
        """Hand over all parts, the first one first."""

        def see(part: Part) -> None:
            self._watcher(part)
            take(part)

        visit_parts(self._parts, see)


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
