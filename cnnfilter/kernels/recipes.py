"""Kernels that are made to size: their arguments, read without numpy."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.errors import KernelError, nearest
from cnnfilter.numbers import parse_number, show_number

if TYPE_CHECKING:
    from cnnfilter.arrays import Doubles


LARGEST_SIDE = 4001  # 128 MB of float64

# Of sigmas and wavelengths, in pixels: beyond these a kernel is a point, or flat, to the last bit.
SMALLEST_SCALE, LARGEST_SCALE = 0.01, 1_000_000


class Recipe(NamedTuple):
    """A made kernel: its arguments in their order, those that show its effect on a sample, and its source."""

    arguments: tuple[str, ...]
    shown: str
    description: str
    source: str
    optional: tuple[str, ...] = ()
    signed: bool = False  # whether it has negative weights
    side: str = "n"  # the argument for N; where it is not among `arguments` it is given by its key alone


RECIPES = {
    "box": Recipe(("n",), "7", "mean of N x N pixels; sums to 1", "moving average, in common use"),
    "gaussian": Recipe(
        ("n", "sigma"),
        "13:2",
        "Gaussian blur; sigma is N/6 unless given, N 6 sigma rounded up to odd; sums to 1",
        "sampled Gaussian; Marr and Hildreth, Theory of edge detection, 1980",
        optional=("n", "sigma"),
    ),
    "line-vertical": Recipe(("n",), "9", "`|` a column of ones: bright vertical lines of N pixels", "line of ones"),
    "line-horizontal": Recipe(("n",), "9", "`-` a row of ones: bright horizontal lines of N pixels", "line of ones"),
    "line-diagonal": Recipe(
        ("n",), "9", "`\\` ones falling to the right: lines of N pixels at 45 degrees", "line of ones"
    ),
    "line-antidiagonal": Recipe(
        ("n",), "9", "`/` ones rising to the right: lines of N pixels at 45 degrees", "line of ones"
    ),
    "frame": Recipe(("n",), "9", "`□` ones around the rim of N x N: bright squares of that size", "line of ones"),
    "disk": Recipe(
        ("n",), "9", "mean of the pixels in a circle N wide, as a lens out of focus; sums to 1", "pillbox filter"
    ),
    "motion": Recipe(
        ("n", "angle"),
        "13:30",
        "mean along a line of N pixels at ANGLE degrees, anticlockwise from the horizontal; sums to 1",
        "linear motion blur, in common use",
    ),
    "log": Recipe(
        ("n", "sigma"),
        "11:1.5",
        "Laplacian of a Gaussian: blobs and edges at one scale, dark blobs positive; sums to 0",
        "Marr and Hildreth, Theory of edge detection, 1980",
        optional=("sigma",),
        signed=True,
    ),
    "dog": Recipe(
        ("n", "s1", "s2"),
        "13:1:2",
        "Gaussian S1 minus Gaussian S2: details between two scales; sums to 0",
        "Marr and Hildreth, Theory of edge detection, 1980",
        signed=True,
    ),
    "gabor": Recipe(
        ("n", "sigma", "angle", "wavelength"),
        "13:2.5:45:6",
        "a wave under a Gaussian: stripes WAVELENGTH apart, crossed by the direction ANGLE; sums to 0",
        "Daugman, Uncertainty relation for resolution in space, 1985",
        signed=True,
    ),
    "usm": Recipe(
        ("sigma", "amount"),
        "2:1",
        "unsharp mask: I + AMOUNT (I - Gaussian); AMOUNT 1, size=N 6 sigma unless given; no threshold (not linear);"
        " sums to 1",
        "photographic unsharp masking; Schreiber, Wirephoto quality improvement by unsharp masking, 1970",
        optional=("amount", "size"),
        signed=True,
        side="size",
    ),
    "identity": Recipe(("n",), "3", "a single one in the centre of N x N: the image itself", "unit impulse"),
}


def read_arguments(name: str, words: list[str]) -> dict[str, float]:
    """Return N and the other arguments of a made kernel, given by place or as `key=value`, with those left out."""
    recipe = RECIPES[name]
    known = dict.fromkeys((*recipe.arguments, recipe.side))
    given: dict[str, float] = {}
    for place, word in enumerate(words):
        key, equals, value = word.rpartition("=")
        if not equals:
            if place >= len(recipe.arguments):
                raise KernelError(f"{usage(name)}; {word!r} is one argument too many")
            key = recipe.arguments[place]
        if key not in known or key in given:
            fault = "given twice" if key in given else f"unknown{nearest(key, known)}"
            raise KernelError(f"{usage(name)}; argument {key!r} is {fault}")
        given[key] = _number(name, key, value)
    if "n" in given and "sigma" in recipe.optional:
        given.setdefault("sigma", given["n"] / 6)
    if "amount" in recipe.optional:
        given.setdefault("amount", 1.0)
    if "sigma" in given and recipe.side in recipe.optional and recipe.side not in given:
        given[recipe.side] = _number(name, recipe.side, show_number(ceil(6 * given["sigma"]) // 2 * 2 + 1.0))
    if missing := [key for key in recipe.arguments if key not in given]:
        raise KernelError(f"{usage(name)}; {missing[0].upper()} is missing; an example is {shown_word(name)}")
    return {"n": given[recipe.side]} | {key: given[key] for key in recipe.arguments if key != recipe.side}


def _number(name: str, key: str, value: str) -> float:
    try:
        number = parse_number(value)
    except ValueError as error:
        raise KernelError(f"{usage(name)}; {key}: {error}") from error
    recipe = RECIPES[name]
    if key == recipe.side and not (number.is_integer() and 1 <= number <= LARGEST_SIDE):
        hint = f"; {name}:sigma={value} chooses N" if "n" in recipe.optional and number > 0 else ""
        raise KernelError(
            f"{usage(name)}; {key.upper()} is {value}, and must be a whole number from 1 to {LARGEST_SIDE}{hint}"
        )
    if key == "size" and number % 2 == 0:
        raise KernelError(f"{usage(name)}; SIZE is {value}, and must be odd: an unsharp mask has a centre")
    if key not in {recipe.side, "angle"} and not SMALLEST_SCALE <= number <= LARGEST_SCALE:
        bounds = f"from {SMALLEST_SCALE} to {LARGEST_SCALE}"
        raise KernelError(f"{usage(name)}; {key} is {value}, and must be above 0: {bounds}")
    return number


def usage(name: str) -> str:
    """Return the form of a made kernel's word, such as `motion:N:ANGLE`."""
    return ":".join([name, *(argument.upper() for argument in RECIPES[name].arguments)])


def shown_word(name: str) -> str:
    """Return the word of a made kernel at a size that shows its effect on a sample, such as `motion:13:30`."""
    return f"{name}:{RECIPES[name].shown}"


def make(name: str, arguments: dict[str, float]) -> Doubles:
    """Return the matrix of a made kernel, (N, N) of float64, from the arguments that were read."""
    from cnnfilter.kernels import made  # noqa: PLC0415  the first need of numpy

    side, *others = arguments.values()
    matrix: Doubles = getattr(made, name.replace("-", "_"))(int(side), *others)
    return matrix
