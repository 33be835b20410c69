"""Summaries of networks as tables, CSV, Markdown, JSON and formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

from cnnfilter.nn.geometry import PaddingWord, show_padding
from cnnfilter.nn.layers import Layer, WindowLayer, show_shape
from cnnfilter.nn.other_layers import Concatenation, Residual
from cnnfilter.nn.summary import COUNTING_RULE, Comparison, LayerCosts, Summary, compare
from cnnfilter.numbers import align, show_bytes

_HEAD = ("#", "name", "layer", "output", "activations", "parameters", "MACs", "receptive field", "jump")
_COMPARED = ("full: parameters", "full: MACs", "local: parameters", "local: MACs")
_NUMBERS = (0, 4, 5, 6, 9, 10, 11, 12)  # the columns that hold numbers


def write_report(summary: Summary, report: str = "table", *, compared: bool = False) -> str:
    """Return a summary as a table, csv, markdown, json or explain; `compared` adds the costs without shared weights."""
    match report:
        case "csv":
            return _csv(summary, compared=compared)
        case "json":
            return _json(summary, compared=compared)
        case "explain":
            return "\n".join(_explanations(summary))
        case "markdown":
            cells = _cells(summary, compared=compared)
            return "\n".join([*_markdown(cells), "", *_footer(summary, end="  ")])
        case _:
            cells = _cells(summary, compared=compared)
            return "\n".join([*align(cells, flush_right=_NUMBERS), *_footer(summary)])


def _cells(summary: Summary, *, compared: bool) -> list[list[str]]:
    """Return the head and the rows of a table."""
    start = ["", "input", "", show_shape(summary.input), f"{prod(summary.input):,}", "", "", "1x1", "1x1"]
    cells = [[*_HEAD, *(_COMPARED if compared else ())], start]
    indents = _indents(summary.rows)
    for number, (row, visit, indent) in enumerate(zip(summary.rows, summary.visits, indents, strict=True), 1):
        counts = [f"{count:,}" for count in (row.activations, row.parameters, row.macs)]
        layer = indent + _text(row, visit.node.layer)
        costs = (compare(visit) if compared else None) or ()
        others = [f"{count:,}" for cost in costs for count in cost]
        cells.append([str(number), row.name, layer, show_shape(row.output), *counts, *_field(row), *others])
    return [row + [""] * (len(cells[0]) - len(row)) for row in cells]


def _markdown(cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table in whose cells no sign separates columns, and spaces at the start stay."""
    for number, row in enumerate(cells):
        escaped = (re.sub("^ +", lambda spaces: "&nbsp;" * len(spaces[0]), cell.replace("|", "\\|")) for cell in row)
        yield f"| {' | '.join(escaped)} |"
        if number == 0:
            yield f"|{'|'.join('---:' if place in _NUMBERS else '---' for place in range(len(row)))}|"


def _field(row: LayerCosts) -> tuple[str, str]:
    if row.receptive_field == "all":
        return "all", ""
    return show_shape(row.receptive_field), show_shape(row.jump) if row.jump else "varies"


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
    totals, taken = summary.totals, summary.totals.bytes
    batch = f" for a batch of {taken.batch}" if taken.batch > 1 else ""
    statistics = f", and {totals.statistics:,} statistics of batchnorm" if totals.statistics else ""
    lines = [
        f"{totals.parameters:,} parameters ({show_bytes(taken.parameters)} as {taken.dtype}){statistics}",
        f"{totals.macs:,} MACs, {totals.flops:,} FLOPs",
        f"{totals.activations:,} activations ({show_bytes(taken.activations)} as {taken.dtype}{batch}), "
        f"at most {summary.peak:,} values ({show_bytes(taken.live)}) live at a time",
    ]
    if summary.rows:
        field, jump = _field(summary.rows[-1])
        lines.append(f"receptive field {field}, jump {jump}" if jump else "receptive field of the whole input")
    return [line + end for line in lines]


def _json(summary: Summary, *, compared: bool) -> str:
    """Return what is known of each layer by the names of the schema; what does not apply is left out."""
    import json  # noqa: PLC0415  the table goes without

    rows = []
    for row, visit in zip(summary.rows, summary.visits, strict=True):
        content: dict[str, Any] = {
            key: value
            for key, value in row._asdict().items()
            if (value is not None or (key == "jump" and row.receptive_field != "all"))
            and (value or key not in {"statistics", "depth", "branch"})
        }
        if compared and (costs := compare(visit)):
            content |= {key: cost._asdict() for key, cost in costs._asdict().items()}
        rows.append(json.dumps(content))
    layers = ",\n  ".join(rows)
    totals = {**summary.totals._asdict(), "bytes": summary.totals.bytes._asdict()}
    return (
        f'{{"input": {json.dumps(summary.input)},\n "network": {json.dumps(summary.network)},\n'
        f' "layers": [\n  {layers}],\n "totals": {json.dumps(totals)}}}'
    )


def _csv(summary: Summary, *, compared: bool) -> str:
    """Return each layer with all its columns, numbers as they are."""
    import csv  # noqa: PLC0415  the table goes without
    import io  # noqa: PLC0415

    ways = Comparison._fields if compared else ()
    head = ["number", *LayerCosts._fields, *(f"{way}_{count}" for way in ways for count in ("parameters", "macs"))]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    for number, (row, visit) in enumerate(zip(summary.rows, summary.visits, strict=True), 1):
        cells: list[object] = [number]
        for key, value in row._asdict().items():
            separator = {"padding": "/", "first": ","}.get(key, "x")
            cells.append(separator.join(map(str, value)) if isinstance(value, tuple) else value)
        costs = (compare(visit) if compared else None) or ()
        cells += [count for cost in costs for count in cost]
        writer.writerow(cells + [""] * (len(head) - len(cells)))
    return file.getvalue().rstrip("\n")


def _explanations(summary: Summary) -> Iterator[str]:
    from cnnfilter.nn.formulas import explain  # noqa: PLC0415  a table goes without

    for visit, row in zip(summary.visits, summary.rows, strict=True):
        shapes = f"{show_shape(visit.inputs.shape)} -> {show_shape(row.output)}"
        yield f"{visit.node.number} {row.name}: {_text(row, visit.node.layer)}, {shapes}"
        explanations = explain(visit)
        width = max((len(subject) for subject, _ in explanations), default=0)
        yield from (f"    {subject.ljust(width)}  {formula}" for subject, formula in explanations)
    yield COUNTING_RULE
