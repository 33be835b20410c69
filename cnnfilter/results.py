"""What a network makes of one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.arrays import Array
from cnnfilter.compute.network import Listener, as_volume, run_program
from cnnfilter.compute.preparation import prepare
from cnnfilter.compute.room import check_layers, check_result
from cnnfilter.compute.strips import Part, Parts, join_parts
from cnnfilter.compute.visible import keeps_alpha
from cnnfilter.compute.weights import Model
from cnnfilter.files.formats import Depth, Range, name_formats_of_pages
from cnnfilter.files.images import Encoding
from cnnfilter.files.levels import depth_of
from cnnfilter.files.metadata import Metadata
from cnnfilter.files.pictures import Pages, Picture
from cnnfilter.kernels import never_negative
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.network import Visit
from cnnfilter.spec.preparation import Preparation
from cnnfilter.spec.remarks import remark_on_borders, remark_on_sums

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
    shape = _prepared_shape(colours, handling.preparation)
    check_result(model.network.output(shape))
    program = model.program(shape)
    visits = program.network.visits(shape)
    check_layers(program, visits, whole=bool(layers))
    prepared = prepare(colours, handling.preparation)
    white = picture.maximum * handling.preparation.scale
    notes = [*picture.notes, *_remarks(visits, handling)]
    alpha = pixels[:, :, 3:] if picture.has_alpha and not handling.pipeline and keeps_alpha(program) else None
    notes += [_UNSEEN_ALPHA] * (picture.has_alpha and alpha is None)
    if not layers:
        parts = Parts(model.strips(shape), prepared, alpha, picture.maximum, white)
        pages = (picture.pages, lambda page: _run_page(page, model, handling)) if picture.pages else None
        made = Result(parts, parts.height, white, picture.depth, picture.matrix, picture.metadata, pages)
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
        f"the first of {count} pages is taken, since the output holds one; --page N takes another, and "
        f"{name_formats_of_pages()} hold all"
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


def _remarks(visits: Sequence[Visit], handling: Handling) -> list[str]:
    """Return what a careful reader would say of these layers at work."""
    return [*remark_on_borders(visits), *(remark_on_sums(visits, never_negative) if handling.pipeline else [])]


def foresee_shapes(picture: Picture, model: Model, handling: Handling, layers: Sequence[str] = ()) -> dict[str, Shape]:
    """Return the shapes of what `run_picture` would make, by the same names; nothing is run.

    Raises
    ------
    CnnFilterError
        If the network does not fit the picture.
    """
    shape = _prepared_shape(_colours(picture), handling.preparation)
    check_result(model.network.output(shape))
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


def visit_parts(parts: Iterable[Part], take: Callable[[Part], None], *, narrow: bool = False) -> None:
    """Hand over all parts, the first one first, the others perhaps from several threads.

    Whole numbers of 16 bits may come as such if `narrow` allows it.
    """
    if isinstance(parts, Parts | Watched):
        parts.visit(take, narrow=narrow)
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

    def visit(self, take: Callable[[Part], None], *, narrow: bool = False) -> None:
        """Hand over all parts, the first one first."""

        def see(part: Part) -> None:
            self._watcher(part)
            take(part)

        visit_parts(self._parts, see)
