"""Tables and drawings in text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Any

from cnnfilter.nn.geometry import PaddingWord, Pair, show_padding
from cnnfilter.nn.layers import Layer, Shape, WindowLayer, show_shape
from cnnfilter.nn.other_layers import Concatenation, Residual
from cnnfilter.nn.summary import COUNTING_RULE, LayerCosts, summarize
from cnnfilter.numbers import align

if TYPE_CHECKING:
    from cnnfilter.network_files import Document
    from cnnfilter.nn.network import Network
    from cnnfilter.nn.summary import Comparison, Summary
    from cnnfilter.plot.sheet import Sheet


def write_markdown(
    head: Sequence[str], rows: Iterable[Sequence[str]], flush_right: tuple[int, ...] = ()
) -> Iterator[str]:
    r"""Yield the lines of a Markdown table.

    Examples
    --------
    >>> list(write_markdown(("a", "b"), [("1|2", "3")], flush_right=(1,)))
    ['| a | b |', '|---|---:|', '| 1\\|2 | 3 |']
    """
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if place in flush_right else '---' for place in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(_in_markdown(cell) for cell in row)} |"


def _in_markdown(cell: str) -> str:
    """Return a cell in which no sign parts columns, and spaces at its start stay."""
    text = cell.replace("|", "\\|")
    return "&nbsp;" * (len(text) - len(text.lstrip())) + text.lstrip()


def write_csv(head: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    r"""Return rows as comma-separated values.

    Examples
    --------
    >>> write_csv(["name", "text"], [{"name": "conv1", "text": "conv:3x3,16"}])
    'name,text\nconv1,"conv:3x3,16"'
    """
    import csv  # noqa: PLC0415  a table goes without
    import io  # noqa: PLC0415

    file = io.StringIO()
    writer = csv.DictWriter(file, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().rstrip("\n")


def names_picture(words: tuple[str, ...]) -> bool:
    """Return whether the first word names a picture or a matrix; a text by itself is rather a network."""
    if not words or "." not in words[0] or words[0].endswith((".toml", ".json")):
        return False
    from cnnfilter.io.formats import FORMATS  # noqa: PLC0415  most sizes are numbers

    suffix = words[0][words[0].rfind(".") :].lower()
    return suffix in FORMATS and ":" not in words[0] and not (len(words) == 1 and suffix == ".txt")


def draw_volumes(sheet: Sheet, document: Document, shape: Shape) -> None:
    """Draw a network for an input of a shape: its volumes, the layers between them."""
    totals = summarize(document.network, shape).totals
    counts = f"{totals.parameters:,} parameters, {totals.macs:,} MACs"
    # What draws loads matplotlib, when all that can be refused without it has been.
    from cnnfilter.plot.network_diagram import draw_network  # noqa: PLC0415
    from cnnfilter.plot.network_steps import Drawing, make_steps  # noqa: PLC0415
    from cnnfilter.plot.sheet import open_sheet  # noqa: PLC0415

    drawing = Drawing(make_steps(document.network, shape), shape, _title(document), counts)
    with open_sheet(sheet) as figure:
        draw_network(figure, sheet, drawing)


def draw_units(sheet: Sheet, document: Document, shape: Shape, unit: Pair | None, picture: str | None) -> None:
    """Draw what a unit of each layer sees, on a picture if its path is given."""
    from cnnfilter.plot.frame import find_frames  # noqa: PLC0415  few commands draw

    found = find_frames(document.network.visits(shape), unit)
    # As above.
    from cnnfilter.plot.receptive_field import Fields, draw_fields, read_backdrop  # noqa: PLC0415
    from cnnfilter.plot.sheet import open_sheet  # noqa: PLC0415

    backdrop = read_backdrop(picture) if picture else None
    with open_sheet(sheet) as figure:
        draw_fields(figure, sheet, Fields(found, (shape[0], shape[1]), backdrop, _title(document)))


def _title(document: Document) -> str:
    return document.path.name if document.path else str(document.network)


FLOAT_BYTES = 4
"""Activations are counted as float32."""


class Report(StrEnum):
    """How a summary is shown."""

    TABLE = "table"
    CSV = "csv"
    MARKDOWN = "markdown"
    JSON = "json"
    EXPLAIN = "explain"


Comparisons = Sequence["Comparison | None"]
"""For each row what its sizes would cost without shared weights; empty where nobody asked."""


def write_report(summary: Summary, network: Network, report: Report, comparisons: Comparisons = ()) -> str:
    """Return a summary in the form that was asked for."""
    match report:
        case Report.TABLE:
            head, rows = _cells(summary, network, comparisons)
            return "\n".join([*align([head, *rows], flush_right=_NUMBERS), *_footer(summary)])
        case Report.MARKDOWN:
            head, rows = _cells(summary, network, comparisons)
            return "\n".join([*write_markdown(head, rows, flush_right=_NUMBERS), "", *_footer(summary, end="  ")])
        case Report.CSV:
            compared = [f"{way}_{count}" for way in _WAYS for count in ("parameters", "macs")] if comparisons else []
            return write_csv(["number", *LayerCosts._fields, *compared], _plain_rows(summary, comparisons))
        case Report.JSON:
            return _json(summary, comparisons)
        case Report.EXPLAIN:
            return "\n".join(_explanations(summary, network))


def show_last_size(summary: Summary) -> str:
    """Return the size of what comes out."""
    return show_shape(summary.rows[-1].output if summary.rows else summary.input)


_HEAD = ("#", "name", "layer", "output", "activations", "parameters", "MACs", "receptive field", "jump")
_COMPARED = ("full: parameters", "full: MACs", "local: parameters", "local: MACs")
_WAYS = ("fully_connected", "locally_connected")
_NUMBERS = (0, 4, 5, 6, 9, 10, 11, 12)
"""The columns that hold numbers."""


def _cells(summary: Summary, network: Network, comparisons: Comparisons) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows."""
    start = ["", "input", "", show_shape(summary.input), f"{prod(summary.input):,}", "", "", "1x1", "1x1"]
    head, rows = [*_HEAD, *_COMPARED[: 4 * bool(comparisons)]], [start]
    layers = [node.layer for node in network.all_nodes]
    indents = _indents(summary.rows)
    for number, (row, layer, indent) in enumerate(zip(summary.rows, layers, indents, strict=True), 1):
        counts = [f"{count:,}" for count in (row.activations, row.parameters, row.macs)]
        cells = [str(number), row.name, indent + _text(row, layer), show_shape(row.output), *counts, *_field(row)]
        comparison = comparisons[number - 1] if comparisons else None
        rows.append(cells + [f"{count:,}" for cost in comparison or () for count in cost])
    return head, [row + [""] * (len(head) - len(row)) for row in rows]


def _field(row: LayerCosts) -> tuple[str, str]:
    if row.receptive_field == "all" or row.jump is None:
        return "all", ""
    return show_shape(row.receptive_field), show_shape(row.jump)


def _indents(rows: Iterable[LayerCosts]) -> Iterator[str]:
    """Yield what stands before each layer: two spaces for each block around it, a dash where a branch begins."""
    seen: dict[int, int] = {}
    for row in rows:
        begins = row.depth > 0 and seen.get(row.depth) != row.branch
        seen = {depth: branch for depth, branch in seen.items() if depth < row.depth} | {row.depth: row.branch}
        yield "  " * (row.depth - 1) + "- " if begins else "  " * row.depth


def _text(row: LayerCosts, layer: Layer) -> str:
    """Return the layer, and the pixels that a word for its padding came to; a block by what it does."""
    match layer:
        case Residual(adds_input=True):
            return "res (plus its input)"
        case Residual():
            return f"res (sum of {len(layer.branches)} branches)"
        case Concatenation():
            count = len(layer.branches)
            return f"cat ({count} branches side by side)" if count > 1 else "cat (1 branch)"
        case WindowLayer() if isinstance(layer.window.padding, PaddingWord) and row.padding:
            return f"{row.text} (padding {show_padding(row.padding)})"
        case _:
            return row.text


def _footer(summary: Summary, end: str = "") -> list[str]:
    totals = summary.totals
    statistics = f", and {totals.statistics:,} statistics of batchnorm" if totals.statistics else ""
    lines = [
        f"{totals.parameters:,} parameters{statistics}",
        f"{totals.macs:,} MACs, {totals.flops:,} FLOPs",
        f"{totals.activations:,} activations ({_mebibytes(totals.activations)} as float32), at most "
        f"{summary.peak:,} values ({_mebibytes(summary.peak)}) live at a time",
    ]
    if summary.rows:
        field, jump = _field(summary.rows[-1])
        lines.append(f"receptive field {field if jump else 'of the whole input'}{f', jump {jump}' if jump else ''}")
    return [line + end for line in [*lines, COUNTING_RULE]]


def _mebibytes(values: int) -> str:
    return f"{values * FLOAT_BYTES / 2**20:,.1f} MiB"


def _json_row(row: LayerCosts, comparison: Comparison | None) -> dict[str, Any]:
    """Return what is known of a layer by the names of the schema; what does not apply is left out."""
    content: dict[str, Any] = {key: value for key, value in row._asdict().items() if value is not None}
    for key in ("statistics", "depth", "branch"):
        if not content[key]:
            del content[key]
    if comparison:
        content |= {key: cost._asdict() for key, cost in comparison._asdict().items()}
    return content


def _json(summary: Summary, comparisons: Comparisons) -> str:
    import json  # noqa: PLC0415  the table goes without

    rows = [
        json.dumps(_json_row(row, comparison))
        for row, comparison in zip(summary.rows, comparisons or [None] * len(summary.rows), strict=True)
    ]
    layers = ",\n  ".join(rows)
    return (
        f'{{"input": {json.dumps(summary.input)},\n "network": {json.dumps(summary.network)},\n'
        f' "layers": [\n  {layers}],\n "totals": {json.dumps(summary.totals._asdict())}}}'
    )


def _plain_rows(summary: Summary, comparisons: Comparisons) -> Iterator[dict[str, str]]:
    """Yield each layer with all its columns, numbers as they are."""
    for number, row in enumerate(summary.rows, 1):
        content = {"number": str(number)}
        for key, value in row._asdict().items():
            if value is None:
                content[key] = ""
            elif isinstance(value, tuple):
                content[key] = ("/" if key == "padding" else "," if key == "first" else "x").join(map(str, value))
            else:
                content[key] = str(value)
        if comparisons:
            comparison = comparisons[number - 1]
            for key in _WAYS:
                cost = getattr(comparison, key, None)
                content[f"{key}_parameters"] = str(cost.parameters) if cost else ""
                content[f"{key}_macs"] = str(cost.macs) if cost else ""
        yield content


def _explanations(summary: Summary, network: Network) -> Iterator[str]:
    from cnnfilter.nn.formulas import explain  # noqa: PLC0415  a table goes without

    for visit, row in zip(network.visits(summary.input), summary.rows, strict=True):
        shapes = f"{show_shape(visit.inputs.shape)} -> {show_shape(row.output)}"
        yield f"{visit.node.number} {row.name}: {_text(row, visit.layer)}, {shapes}"
        explanations = explain(visit)
        width = max((len(subject) for subject, _ in explanations), default=0)
        yield from (f"    {subject.ljust(width)}  {formula}" for subject, formula in explanations)
    yield COUNTING_RULE
