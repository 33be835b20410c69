"""The figures of `cnnfilter shape`: a network's volumes, and what its units see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnfilter.spec.geometry import Pair
from cnnfilter.spec.layers import Shape
from cnnfilter.spec.summary import summarize

if TYPE_CHECKING:
    from cnnfilter.documents import Document
    from cnnfilter.plots.sheets import Sheet


def names_picture(words: tuple[str, ...]) -> bool:
    """Return whether the first word names a picture or a matrix; a text by itself is rather a network."""
    if not words or "." not in words[0] or words[0].endswith((".toml", ".json")):
        return False
    from cnnfilter.files.formats import FORMATS  # noqa: PLC0415  most sizes are numbers

    suffix = words[0][words[0].rfind(".") :].lower()
    return suffix in FORMATS and ":" not in words[0] and not (len(words) == 1 and suffix == ".txt")


def draw_volumes(sheet: Sheet, document: Document, shape: Shape) -> None:
    """Draw a network for an input of a shape: its volumes, the layers between them."""
    totals = summarize(document.network, shape).totals
    counts = f"{totals.parameters:,} parameters, {totals.macs:,} MACs"
    # What draws loads matplotlib, when all that can be refused without it has been.
    from cnnfilter.plots.networks import draw_network  # noqa: PLC0415
    from cnnfilter.plots.sheets import open_sheet  # noqa: PLC0415
    from cnnfilter.plots.steps import Drawing, make_steps  # noqa: PLC0415

    drawing = Drawing(make_steps(document.network, shape), shape, _title(document), counts)
    with open_sheet(sheet) as figure:
        draw_network(figure, sheet, drawing)


def draw_units(sheet: Sheet, document: Document, shape: Shape, unit: Pair | None, picture: str | None) -> None:
    """Draw what a unit of each layer sees, on a picture if its path is given."""
    from cnnfilter.plots.frames import find_frames  # noqa: PLC0415  few commands draw

    found = find_frames(document.network.visits(shape), unit)
    # As above.
    from cnnfilter.plots.fields import Fields, draw_fields  # noqa: PLC0415
    from cnnfilter.plots.samples import read_backdrop  # noqa: PLC0415
    from cnnfilter.plots.sheets import open_sheet  # noqa: PLC0415

    backdrop = read_backdrop(picture) if picture else None
    with open_sheet(sheet) as figure:
        draw_fields(figure, sheet, Fields(found, (shape[0], shape[1]), backdrop, _title(document)))


def _title(document: Document) -> str:
    return document.path.name if document.path else str(document.network)
