"""`cnnfilter kernels`: list the kernels, or show some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.cli.console import Command
from cnnfilter.cli.options import KernelWordType, PlotOptions, plot_options
from cnnfilter.errors import OutputError
from cnnfilter.kernels.recipes import RECIPES, usage
from cnnfilter.kernels.spec import describe, load_kernel, names
from cnnfilter.numbers import align, round_digits, show_number

if TYPE_CHECKING:
    from cnnfilter.arrays import Doubles
    from cnnfilter.kernels.spec import Kernel
    from cnnfilter.plot.sheet import Sheet

SHOWN_DIGITS = 6


@click.command(
    "kernels",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter kernels
  cnnfilter kernels sobel-x
  cnnfilter kernels gaussian:5:1 "0 -1 0; -1 5 -1; 0 -1 0"
  cnnfilter kernels --matrix disk:7
  cnnfilter kernels sobel-x --plot sobel-x.png
  cnnfilter kernels --plot all.png --image samples/city.png
""",
)
@click.argument("words", metavar="[KERNEL]...", type=KernelWordType(), nargs=-1)
@click.option("--matrix", is_flag=True, help="Print the matrix alone, every digit of it, as a kernel file.")
@plot_options("Draw the kernels, their numbers and their frequency responses; without a KERNEL all that have names.")
@click.option(
    "--image",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Draw what the kernels make of this picture too, in grey and reduced where it is large. The sheet of all"
    " kernels has a picture of its own.",
)
def command(words: tuple[str, ...], *, matrix: bool, image: str | None, **figure: Any) -> None:
    """List all kernels, or show the matrix, divisor, sum and rank of some.

    A KERNEL is what -k takes: a name, a file, or the matrix itself. What is drawn is what is used. With
    --plot nothing is printed, but for --matrix.
    """
    sheet = PlotOptions(**figure).sheet([Path(word) for word in (*words, image) if word])
    if sheet:
        _draw(sheet, words, image)
    elif image:
        raise OutputError("--image is a picture to draw kernels on; --plot FILE asks for the figure")
    if sheet and not (matrix and words):
        return
    if not words:
        click.echo("\n".join(align([(usage(name) if name in RECIPES else name, describe(name)) for name in names()])))
        return
    shown = [(_matrix if matrix else _portrait)(word, load_kernel(word)) for word in words]
    click.echo("\n".join(shown), nl=False)


def _draw(sheet: Sheet, words: tuple[str, ...], image: str | None) -> None:
    """Draw some kernels, or all that have names."""
    # What draws loads matplotlib, when all that can be refused without it has been.
    kernels = [load_kernel(word) for word in words]
    from cnnfilter.plot.kernel_sheet import (  # noqa: PLC0415  # noqa: PLC0415
        WHITE,
        all_kernels,
        caption_of,
        draw_gallery,
        draw_kernels,
        lay_kernel,
        make_sample,
        planes_of,
        read_sample,
    )
    from cnnfilter.plot.sheet import open_sheet  # noqa: PLC0415

    picture, note = read_sample(image) if image else (make_sample(), "a picture made by formulas")
    with open_sheet(sheet) as figure:
        if not kernels:
            draw_gallery(figure, sheet, all_kernels(), picture, note)
            return
        planes = []
        for word, kernel in zip(words, kernels, strict=True):
            flat = image is not None and kernel.weights.ndim == 2
            planes += planes_of(word, kernel, lay_kernel(picture, kernel, WHITE, note) if flat else None)
        caption = caption_of(words[0], kernels[0].description) if len(kernels) == 1 else ""
        draw_kernels(figure, sheet, planes, caption)


def _matrix(word: str, kernel: Kernel) -> str:
    from cnnfilter.io.matrices import format_matrix  # noqa: PLC0415  numpy only where a matrix is shown

    if kernel.weights.ndim == 4:
        raise click.UsageError(f"{word} has 4 dimensions, and a text holds 3")
    return f"# {word}\n{format_matrix(kernel.weights)}"


def _portrait(word: str, kernel: Kernel) -> str:
    """Return a kernel's name, matrix and measures."""
    from cnnfilter.compute.exact import common_divisor  # noqa: PLC0415  numpy only where a kernel is shown

    divisor = common_divisor(kernel.weights)
    weights = kernel.weights
    facts = [
        ("digits", "" if _shows_all(weights * divisor) else f"{SHOWN_DIGITS} of each weight; --matrix prints all"),
        ("divisor", show_number(divisor)),
        ("sum", show_number(round_digits(float(weights.sum()), SHOWN_DIGITS))),
        ("rank", _rank(weights)),
        ("offset", show_number(kernel.offset) if kernel.offset else ""),
        ("does", kernel.description),
        ("source", kernel.source),
    ]
    head = f"{word}  {'x'.join(map(str, weights.shape))}"
    lines = align([fact for fact in facts if fact[1]])
    return "\n".join([head, *_drawing(weights, divisor), *lines, ""])


def _drawing(weights: Doubles, divisor: int) -> list[str]:
    """Return the matrix times its divisor, indented, the slices of a volume one below the other."""
    lines: list[str] = []
    for place, plane in enumerate(_slices(weights) * divisor):
        rows = [[show_number(round_digits(float(weight), SHOWN_DIGITS)) for weight in row] for row in plane]
        lines += [""] * (place > 0) + [f"  {line}" for line in align(rows, flush_right=range(len(rows[0])))]
    return lines


def _slices(weights: Doubles) -> Doubles:
    """Return the planes of a kernel one after the other, (slices, kh, kw)."""
    return weights.reshape(*weights.shape[:2], -1).transpose(2, 0, 1)


def _shows_all(weights: Doubles) -> bool:
    return all(round_digits(weight, SHOWN_DIGITS) == weight for weight in weights.flat)


def _rank(weights: Doubles) -> str:
    """Return the rank of each slice, and what follows from a rank of 1."""
    import numpy as np  # noqa: PLC0415

    ranks = sorted({int(np.linalg.matrix_rank(plane)) for plane in _slices(weights)})
    if ranks == [0]:
        return "0 (all weights are 0)"
    if ranks == [1]:
        return "1 (separable: a column times a row)"
    return f"{', '.join(map(str, ranks))} (not separable)"
