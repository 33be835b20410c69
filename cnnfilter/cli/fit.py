"""`cnnfilter fit`: the kernel behind a pair of images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnfilter.cli import Command
from cnnfilter.cli.options import FILE, NUMBER, Word, pair, plot_options, wanted_sheet
from cnnfilter.errors import CnnFilterError, LanguageError, OutputError
from cnnfilter.io.paths import find_obstacle, identify_all
from cnnfilter.nn.geometry import Pair, as_pair
from cnnfilter.nn.layers import show_shape
from cnnfilter.numbers import count, show_digits, to_json

if TYPE_CHECKING:
    from cnnfilter.io.decode import Picture
    from cnnfilter.learn.fit import Channels, FittedKernel, Request
    from cnnfilter.plot.sheet import Sheet

# ruff: noqa: PLC0415  usage errors need no numpy, and only figures matplotlib

_ALIKE = 0.5  # a kernel that is farther away is not named


def _as_size(text: str) -> Pair | None:
    return None if text == "auto" else as_pair(text, "size")


@click.command(
    "fit",
    cls=Command,
    epilog="""\b
Examples:
  cnnfilter fit photo.jpg sharp.png
  cnnfilter fit photo.jpg sharp.png --size 3 --bias -o kernel.txt
  cnnfilter fit photo.jpg sharp.png --channels gray --json
  cnnfilter fit photo.jpg sharp.png --plot fit.png
""",
)
@click.argument("before", metavar="BEFORE", type=FILE)
@click.argument("after", metavar="AFTER", type=FILE)
@click.option(
    "--size",
    type=Word("N|HxW|auto", _as_size, ("auto",)),
    default="auto",
    help="Size of the kernel. auto: what AFTER is smaller by; where it is as large, the smallest odd size after which"
    " the residual falls by less than 1 %.",
)
@click.option("-s", "--stride", type=pair("stride"), default="1", help="Pixels between windows.")
@click.option("--bias", is_flag=True, help="Find a number that is added to every value, too.")
@click.option(
    "--channels",
    type=click.Choice(["each", "sum", "gray"]),
    default="each",
    help="One kernel for all channels; one over all channels for each channel of AFTER; or both grey first.",
)
@click.option(
    "--ridge",
    type=NUMBER,
    default="0",
    help="Prefer small weights: adds R x (mean square of the pixels) x (sum of the squares of the weights) to the mean"
    " square of what is left. 1e-6 is little.",
)
@click.option(
    "-o", "--output", type=FILE, metavar="KERNEL", help="A kernel file, .txt or .npy. Without it the kernel is printed."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print kernel, bias, r2, residual, used, left_out, condition and nearest as JSON.",
)
@plot_options("Draw both images, what the kernel makes of the first, what is left, and the kernel.")
@click.option("-q", "--quiet", is_flag=True, help="No warnings or hints; errors are still printed.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done, and how.")
def command(
    before: str,
    after: str,
    size: Pair | None,
    stride: Pair,
    bias: bool,
    channels: Channels,
    ridge: float,
    output: str | None,
    as_json: bool,
    plot: str | None,
    figure_size: tuple[float, float] | None,
    dpi: int | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Find the kernel that makes the image AFTER of the image BEFORE, by least squares.

    AFTER is as large as BEFORE, or smaller as a kernel without padding leaves it; all windows that lie within BEFORE
    count. Values of AFTER that are black or white are left out, since they may be clipped (not those of floats and
    matrices). `cnnfilter convolve BEFORE -k ./kernel.txt` uses what is printed; a bias is in its comments.
    """
    if ridge < 0:
        raise LanguageError(f"--ridge {ridge:g} is negative; it is 0 or more")
    sheet = wanted_sheet(plot, figure_size, dpi, inputs=(before, after))
    if output is not None:
        _check_output(output, before, after, plot)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # strips are worked on by all cores
    from cnnfilter.learn.fit import Request, fit_kernel

    try:
        pictures = _read(before), _read(after)
        request = _settle_levels(Request(size, bias, stride, channels, ridge), *pictures)
        found = fit_kernel(pictures[0].colours, pictures[1].colours, request)
        is_text = output.lower().endswith(".txt") if output else not (as_json or sheet)
        text = _format(found, before, after) if is_text else ""
    except CnnFilterError as error:  # it is about the images, not about the options
        raise click.ClickException(str(error)) from error
    if sheet:
        _draw(sheet, (before, after), pictures, request, found)
    if as_json:
        click.echo(to_json(found._asdict() | {"kernel": found.kernel.tolist(), "nearest": _name_nearest(found)}))
    if output is not None:
        _write(found, output, text)
    elif not (as_json or sheet):
        click.echo(text, nl=False)


def _check_output(output: str, before: str, after: str, plot: str | None) -> None:
    """Raise an `OutputError` if a kernel cannot be written to a file."""
    path = Path(output)
    if path.suffix.lower() not in {".txt", ".npy"}:
        raise OutputError("a kernel is written as .txt or .npy", path=output)
    if obstacle := find_obstacle(path):
        raise OutputError(obstacle, path=output)
    if not identify_all([output]).isdisjoint(identify_all([before, after, *([plot] if plot else [])])):
        raise OutputError("is read, or is the figure; use another name", path=output)


def _read(path: str) -> Picture:
    """Return the image or matrix in a file; of several pages the first."""
    from cnnfilter.io.atomic import read_bytes
    from cnnfilter.io.decode import decode_picture
    from cnnfilter.log import warn

    picture = decode_picture(read_bytes(path), path)
    if picture.pages:
        warn(f"{path}: the first of {picture.pages.count} pages is used")
    return picture


def _settle_levels(request: Request, before: Picture, after: Picture) -> Request:
    """Return the request with the white of AFTER, where it may be clipped, and its levels in the units of BEFORE."""
    is_whole = not after.matrix and after.pixels.dtype.kind == "u"
    scale = 1.0 if before.matrix or after.matrix else before.maximum / after.maximum
    return request._replace(white=float(after.maximum) if is_whole else None, scale=scale)


def _name_nearest(found: FittedKernel) -> dict[str, object] | None:
    return dict(found.nearest._asdict()) if found.nearest else None


def _describe(found: FittedKernel, before: str, after: str) -> list[str]:
    """Return what the comments of a kernel file say."""
    biases = found.bias if isinstance(found.bias, tuple) else (found.bias,)
    left = f", {found.left_out:,} left out, which are black or white in AFTER" if found.left_out else ""
    residual = "0, but for rounding" if found.r2 == 1 else f"{found.residual:.3g} levels (root mean square)"
    lines = [
        f"makes {Path(after).name} of {Path(before).name}: {show_shape(found.kernel.shape)}",
        f"bias {', '.join(show_digits(bias, 9) for bias in biases)}",
        f"R2 {show_digits(found.r2, 9)}, residual {residual}",
        f"{count(found.used, 'value')} used{left}",
        f"condition {found.condition:.3g}",
    ]
    if found.nearest:
        name, factor, distance = found.nearest
        times = "" if factor == 1 else f"{show_digits(factor, 4)} x "
        off = "exactly" if distance < 1e-9 else f"off by {100 * distance:.2g} %"
        lines.append(f"nearest: {times}{name}, {off}" if distance <= _ALIKE else "nearest: no named kernel is like it")
    return lines


def _format(found: FittedKernel, before: str, after: str) -> str:
    """Return the text of a kernel file."""
    from cnnfilter.io.matrices import format_matrix
    from cnnfilter.learn.fit import round_weights

    if found.kernel.ndim == 4:
        raise OutputError(
            f"a bank of {found.kernel.shape[3]} kernels, one for each channel of AFTER, is no text; -o KERNEL.npy"
            " or --json holds it"
        )
    comments = "".join(f"# {line}\n" for line in _describe(found, before, after))
    return comments + format_matrix(round_weights(found.kernel))


def _write(found: FittedKernel, output: str, text: str) -> None:
    """Write the kernel file, a text or an array."""
    import io

    import numpy as np

    from cnnfilter.io.atomic import write_whole

    if text:
        write_whole(Path(output), text.encode())
        return
    data = io.BytesIO()
    np.save(data, found.kernel)
    write_whole(Path(output), data.getvalue())


def _draw(
    sheet: Sheet, names: tuple[str, str], pictures: tuple[Picture, Picture], request: Request, found: FittedKernel
) -> None:
    """Draw both images, what the kernel makes of the first, what is left, and the kernel."""
    from cnnfilter.learn.fit import predict, round_weights
    from cnnfilter.log import warn
    from cnnfilter.plot.compare import Panel, arrange, draw_panels
    from cnnfilter.plot.sheet import Paper, open_sheet
    from cnnfilter.plot.view import Look, view_picture, view_values

    before, after = pictures
    made, rest = predict(before.colours, after.colours, request, found)
    weights = round_weights(found.kernel)
    white = 0.0 if before.matrix else float(before.maximum)
    side = arrange(sheet, 5).side
    panels = [
        *(Panel(Path(name).name, view_picture(picture, side)) for name, picture in zip(names, pictures, strict=True)),
        Panel("fitted", view_values(made, side, white, matrix=before.matrix)),
        Panel(f"residual, root mean square {found.residual:.3g}", view_values(rest, side, 0.0, matrix=True)),
        Panel("kernel", view_values(weights.reshape(*weights.shape[:2], -1), side, 0.0, matrix=True)),
    ]
    with open_sheet(sheet) as figure:
        paper = Paper(figure, sheet)
        draw_panels(paper, panels, Look())
        if paper.warning:
            warn(paper.warning)
