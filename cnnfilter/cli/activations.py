"""`cnnfilter activations`: the formulas, values and curves of activations."""

from __future__ import annotations

from typing import Any

import click

from cnnfilter.cli import Command
from cnnfilter.cli.options import Word, plot_options, wanted_sheet
from cnnfilter.errors import LanguageError, OutputError, nearest
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.log import warn
from cnnfilter.nn.layers import Function
from cnnfilter.nn.other_layers import Activation, Softmax
from cnnfilter.numbers import align, show_digits, to_json

NAMES = (*map(str, Function), Softmax.op)
POINTS = (-2, -1, 0, 1, 2)
SHOWN_DIGITS = 4

Curve = Activation | Softmax


def _parse(text: str) -> Curve:
    """Return the activation that a text of the language names, such as `relu` or `leakyrelu:0.1`."""
    from cnnfilter.nn.language import parse_network  # noqa: PLC0415  help goes without

    name = text.partition(":")[0]
    if name in NAMES:
        layers = parse_network(text, kernel_shape).layers
        if len(layers) == 1 and isinstance(layers[0], Activation | Softmax):
            return layers[0]
    raise LanguageError(f"{text!r} is not an activation{nearest(name.lower(), NAMES)}; known are {', '.join(NAMES)}")


@click.command(
    "activations",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter activations
  cnnfilter activations relu leakyrelu:0.1 --derivative
  cnnfilter activations gelu --json
  cnnfilter activations relu --plot relu.png
  cnnfilter activations sigmoid tanh --derivative --plot curves.png
""",
)
@click.argument("layers", metavar="[NAME]...", nargs=-1, type=Word("NAME", _parse, NAMES))
@click.option("--derivative", is_flag=True, help="Print, or draw, the derivatives too.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print an array of JSON, an object for each: name, formula, range, derivative, x, values, derivatives,"
    " source.",
)
@plot_options("Draw the curves, side by side in one scale.")
def command(
    layers: tuple[Curve, ...],
    derivative: bool,
    as_json: bool,
    plot: str | None,
    figure_size: tuple[float, float] | None,
    dpi: int | None,
) -> None:
    """Print the formula, the range, the values at -2 to 2 and the source of activations.

    A NAME is as in the layer language, such as relu or leakyrelu:0.1; without one all are shown. The values are
    those that networks compute, in 4 digits; --json has all digits. Where a curve has a kink, the derivative is
    that of PyTorch. With --plot nothing is printed, unless --json is given.
    """
    chosen = layers or tuple(map(_parse, NAMES))
    sheet = wanted_sheet(plot, figure_size, dpi, ())
    if sheet:
        curves = [layer for layer in chosen if isinstance(layer, Activation)]
        if len(curves) < len(layers):
            raise OutputError("softmax takes all channels together, and has no curve; leave it out of --plot")
        # What draws loads matplotlib, when all that can be refused without it has been.
        from cnnfilter.plot.curves import draw_curves  # noqa: PLC0415
        from cnnfilter.plot.sheet import Paper, open_sheet  # noqa: PLC0415

        with open_sheet(sheet) as figure:
            paper = Paper(figure, sheet)
            draw_curves(paper, curves, derivative=derivative)
            if paper.warning:
                warn(paper.warning)
    if as_json:
        click.echo("[" + ",\n ".join(to_json(_record(layer)) for layer in chosen) + "]")
    elif not sheet:
        click.echo("\n\n".join(_portrait(layer, derivative=derivative) for layer in chosen))


def _record(layer: Curve) -> dict[str, Any]:
    """Return what JSON says of an activation; softmax takes the values of x together."""
    import numpy as np  # noqa: PLC0415  usage errors go without

    from cnnfilter.compute.activations import (  # noqa: PLC0415
        ACTIVATIONS,
        activate,
        differentiate,
        parameter_of,
        softmax,
        write_formulas,
    )

    row, number, points = ACTIVATIONS[layer.op], parameter_of(layer), np.array(POINTS, dtype=np.float64)
    formula, derivative = write_formulas(layer)
    values = activate(points, layer) if isinstance(layer, Activation) else softmax(points)
    return {
        "name": layer.text,
        "formula": formula,
        "range": row.limits(number),
        "derivative": derivative,
        "x": POINTS,
        "values": (values + 0.0).tolist(),  # -0 becomes 0
        "derivatives": (differentiate(points, layer) + 0.0).tolist(),
        "source": row.source,
    }


def _portrait(layer: Curve, *, derivative: bool) -> str:
    """Return what is printed of an activation."""
    record = _record(layer)
    rows = [("x", "x"), ("f(x)", "values"), *([("f'(x)", "derivatives")] if derivative else [])]
    texts = [[show_digits(number, SHOWN_DIGITS) for number in record[key]] for _, key in rows]
    shown = align(texts, flush_right=range(len(POINTS)))
    together = " (these five together)" if isinstance(layer, Softmax) else ""
    facts = [
        ("formula", record["formula"]),
        ("range", " to ".join(show_digits(limit, 7) for limit in record["range"])),
        *([("derivative", record["derivative"])] if derivative else []),
        *((name, line + ("" if name == "x" else together)) for (name, _), line in zip(rows, shown, strict=True)),
        ("source", record["source"]),
    ]
    return "\n".join([layer.text, *(f"  {line}" for line in align(facts))])
