"""`cnnfilter kernels`: list the kernels, or show some."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.cli import Command
from cnnfilter.cli.options import completing, plot_options, wanted_sheet
from cnnfilter.errors import OutputError
from cnnfilter.kernels.recipes import RECIPES, usage
from cnnfilter.kernels.spec import Kernel, LearnedBank, describe, list_kernels, load_kernel, names, recognize
from cnnfilter.log import warn
from cnnfilter.numbers import align, round_digits, show_number, to_json

if TYPE_CHECKING:
    from cnnfilter.arrays import Doubles
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
  cnnfilter kernels gaussian:5:1 --json
  cnnfilter kernels sobel-x --plot sobel-x.png
  cnnfilter kernels --plot all.png --image photo.jpg
""",
)
@click.argument("words", metavar="[KERNEL]...", nargs=-1, shell_complete=completing("kernel"))
@click.option("--matrix", is_flag=True, help="Print only the matrix, with all digits, as a kernel file.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print an array of JSON, an object for each kernel: name, shape, weights, divisor, sum, rank, offset, does,"
    " source.",
)
@plot_options("Draw the kernels, their numbers and their frequency responses; without KERNEL all that have names.")
@click.option(
    "--image",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Draw the result of each kernel on this image too, in grey, reduced if it is large. Default: none; for all"
    " kernels a computed test image.",
)
def command(
    words: tuple[str, ...],
    matrix: bool,
    as_json: bool,
    image: str | None,
    plot: str | None,
    figure_size: tuple[float, float] | None,
    dpi: int | None,
) -> None:
    """List all kernels, or show the matrix, divisor, sum and rank of some.

    A KERNEL is a name, a file, the matrix itself, or net.npz:conv1 (the kernels of a layer in a file of
    weights), as for `cnnfilter convolve -k`. The matrix shown is the one that is used. With --plot nothing else
    is printed, unless --matrix or --json is given.
    """
    words = tuple(kernel for word in words for kernel in list_kernels(word))
    if matrix and as_json:
        raise OutputError("--matrix and --json print the same weights in two forms; one of them is enough")
    sheet = wanted_sheet(plot, figure_size, dpi, inputs=[word for word in (*words, image) if word])
    if image and not sheet:
        raise OutputError("--image needs --plot FILE, the figure to draw")
    if sheet:
        _draw(sheet, words, image)
    if as_json:
        records = [_record(word, load_kernel(word)) for word in words] if words else map(_list_record, names())
        click.echo("[" + ",\n ".join(map(to_json, records)) + "]")
    elif words and (matrix or not sheet):
        shown = [(_matrix if matrix else _portrait)(word, load_kernel(word)) for word in words]
        click.echo("\n".join(shown), nl=False)
    elif not sheet:
        click.echo("\n".join(align([(_usage(name), describe(name)) for name in names()])))


def _usage(name: str) -> str:
    """Return a kernel's name, with its arguments if it is made to size."""
    return usage(name) if name in RECIPES else name


def _draw(sheet: Sheet, words: tuple[str, ...], image: str | None) -> None:
    """Draw some kernels, or all that have names."""
    kernels = [load_kernel(word) for word in words]
    # What draws loads matplotlib, when all that can be refused without it has been.
    from cnnfilter.plot import kernel_sheet as draw  # noqa: PLC0415
    from cnnfilter.plot.sheet import Paper, open_sheet  # noqa: PLC0415

    pixels, note = draw.read_sample(image) if image else (draw.make_sample(), "a computed test image")
    with open_sheet(sheet) as figure:
        paper = Paper(figure, sheet)
        if len(kernels) == 1 and isinstance(recognize(words[0]), LearnedBank):
            draw.draw_bank(paper, words[0], kernels[0].weights)
        elif kernels:
            planes = []
            for word, kernel in zip(words, kernels, strict=True):
                flat = image is not None and kernel.weights.ndim == 2
                result = draw.lay_kernel(pixels, kernel, note) if flat else None
                planes += draw.planes_of(word, kernel, result)
            caption = draw.caption_of(words[0], kernels[0].description) if len(kernels) == 1 else ""
            draw.draw_kernels(paper, planes, caption)
        else:
            draw.draw_gallery(paper, draw.all_kernels(), pixels, note)
        if paper.warning:
            warn(paper.warning)


def _matrix(word: str, kernel: Kernel) -> str:
    from cnnfilter.io.matrices import format_matrix  # noqa: PLC0415  numpy only where a matrix is shown

    if kernel.weights.ndim == 4:
        raise click.UsageError(f"{word} has 4 dimensions, and a text holds 3")
    return f"# {word}\n{format_matrix(kernel.weights)}"


def _record(name: str, kernel: Kernel) -> dict[str, Any]:
    """Return what JSON says of a kernel; `rank` is the highest of its slices."""
    from cnnfilter.compute.exact import common_divisor  # noqa: PLC0415  only where a kernel is shown

    weights = kernel.weights
    return {
        "name": name,
        "shape": weights.shape,
        "weights": weights.tolist(),
        "divisor": common_divisor(weights),
        "sum": math.fsum(weights.flat),
        "rank": _find_ranks(weights)[-1],
        "offset": kernel.offset,
        "does": kernel.description or None,
        "source": kernel.source or None,
    }


def _list_record(name: str) -> dict[str, Any]:
    """Return what JSON says of a name; of a kernel made to size only what does not depend on its arguments."""
    if name not in RECIPES:
        return _record(name, load_kernel(name))
    recipe = RECIPES[name]
    unknown = dict.fromkeys(("shape", "weights", "divisor", "sum", "rank"))
    return {"name": usage(name), **unknown, "offset": 0.0, "does": recipe.description, "source": recipe.source}


def _find_ranks(weights: Doubles) -> list[int]:
    """Return the ranks that the slices of a kernel have, each once, the lowest first."""
    import numpy as np  # noqa: PLC0415  only where a kernel is shown

    planes = weights.reshape(*weights.shape[:2], -1).transpose(2, 0, 1)
    return sorted(set(np.linalg.matrix_rank(planes).tolist()))


def _portrait(word: str, kernel: Kernel) -> str:
    """Return a kernel's name, its matrix times its divisor, slices one below the other, and its measures."""
    from cnnfilter.compute.exact import common_divisor  # noqa: PLC0415  only where a kernel is shown

    weights, divisor, ranks = kernel.weights, common_divisor(kernel.weights), _find_ranks(kernel.weights)
    planes = weights.reshape(*weights.shape[:2], -1).transpose(2, 0, 1)
    slices = []
    for plane in planes * divisor:
        rows = [[show_number(round_digits(float(weight), SHOWN_DIGITS)) for weight in row] for row in plane]
        slices.append("\n".join(f"  {line}" for line in align(rows, flush_right=range(len(rows[0])))))
    meaning: dict[tuple[int, ...], str] = {(0,): "(all weights are 0)", (1,): "(separable: a column times a row)"}
    shows_all = all(round_digits(weight, SHOWN_DIGITS) == weight for weight in (weights * divisor).flat)
    facts = [
        ("digits", "" if shows_all else f"{SHOWN_DIGITS} of each weight; --matrix prints all"),
        ("divisor", show_number(divisor)),
        ("sum", show_number(round_digits(float(weights.sum()), SHOWN_DIGITS))),
        ("rank", f"{', '.join(map(str, ranks))} {meaning.get(tuple(ranks), '(not separable)')}"),
        ("offset", show_number(kernel.offset) if kernel.offset else ""),
        ("does", kernel.description),
        ("source", kernel.source),
    ]
    head = f"{word}  {'x'.join(map(str, weights.shape))}"
    return "\n".join([head, "\n\n".join(slices), *align([fact for fact in facts if fact[1]]), ""])
