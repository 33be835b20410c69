"""What callers give: its types, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import wraps
from operator import index
from os import PathLike, fspath
from typing import BinaryIO, Literal, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from cnnfilter.arrays import Array, as_numbers
from cnnfilter.compute.forward import as_volume
from cnnfilter.errors import CnnFilterError, KernelError, LanguageError, ShapeError, nearest
from cnnfilter.kernels.spec import Kernel, load_kernel
from cnnfilter.log import in_words_of_python, warn
from cnnfilter.nn.geometry import Border, BorderMode, Pair
from cnnfilter.nn.geometry import as_border as as_border_of_word
from cnnfilter.nn.lint import describe_bank, has_channels_first, looks_like_pytorch
from cnnfilter.numbers import count

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Choice = TypeVar("Choice", bound=StrEnum)

PaddingName = Literal["valid", "same", "same-lower", "half", "full"]
BorderName = Literal["zero", "edge", "reflect", "symmetric", "wrap"]
PoolName = Literal["max", "avg", "l2", "min", "median"]
RangeName = Literal["clip", "abs", "scale", "max", "offset", "none"]

Numbers = int | str | Sequence[int]
"""One number for both axes, (height, width), or a text such as `3x2`."""

Paddings = PaddingName | int | Sequence[int]
"""A word, pixels on all sides, (height, width) or (top, left, bottom, right)."""

Borders = BorderName | float | Border
"""A word, or the number that the padding holds."""

ImageSource = str | PathLike[str] | bytes | BinaryIO
"""A path, the bytes of a file, or a file opened for reading bytes."""

KernelLike = str | PathLike[str] | ArrayLike
"""A kernel's name or matrix as text, the path of its file, or an array."""


def public(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let the errors of a function name parameters instead of the command's options."""

    @wraps(call)
    def named(*args: Parameters.args, **given: Parameters.kwargs) -> Result:
        try:
            return call(*args, **given)
        except CnnFilterError as error:
            error.reason, error.args = in_words_of_python(error.reason), (in_words_of_python(str(error)),)
            raise

    return named


def as_single_volume(image: ArrayLike, caller: str) -> Array:
    """Return an image as (H, W, C), and warn where its channels seem to come first."""
    array = as_numbers(image, "image")
    if array.ndim == 4:
        raise ShapeError(
            f"image has 4 dimensions, {array.shape}, and {caller} takes one image, (H, W) or (H, W, C), at a time: "
            f"`[{caller}(one, ...) for one in image]`"
        )
    if array.ndim not in {2, 3}:
        raise ShapeError(f"image has the shape {array.shape}; (H, W) and (H, W, C) are images")
    volume = as_volume(array)
    warn_about_axes(array.shape)
    return volume


def warn_about_axes(shape: tuple[int, ...]) -> None:
    """Warn where the channels of an image seem to come first."""
    if has_channels_first(shape):
        warn(
            f"image of shape {shape} is read as {shape[0]} rows and {shape[1]} columns; if its channels come first, "
            "`image.transpose(1, 2, 0)` puts them last"
        )


def as_kernel(kernel: KernelLike) -> tuple[str, Kernel]:
    """Return what messages call a kernel, and the kernel."""
    if isinstance(kernel, PathLike):
        path = fspath(kernel)
        return path, load_kernel(path if "/" in path else f"./{path}")  # a file, also where a kernel has its name
    if isinstance(kernel, str):
        return kernel, load_kernel(kernel)
    weights = as_numbers(kernel, "kernel", KernelError)
    if weights.ndim not in {2, 3, 4}:
        shapes = "(kh, kw), (kh, kw, in) or (kh, kw, in, out)"
        row = "; `kernel[None, :]` is one row" if weights.ndim == 1 else ""
        raise KernelError(f"kernel has the shape {weights.shape}; a kernel is {shapes}{row}")
    if not np.isfinite(weights).all():
        raise KernelError("kernel holds nan or infinity; its weights are finite")
    if weights.ndim == 4 and looks_like_pytorch(weights.shape):
        warn(f"kernel of {describe_bank(weights.shape, 'kernel')}")
    return f"of shape {weights.shape}", Kernel(weights.astype(np.float64))


def as_border(border: Borders) -> Border:
    """Return the border that a word means, or a number that the padding holds."""
    if isinstance(border, str | Border):
        return as_border_of_word(border)
    if isinstance(border, int | float | np.number):
        return Border(BorderMode.CONSTANT, float(border))
    return as_border_of_word(str(border))


def as_choice(
    words: type[Choice], given: str, subject: str, error: type[CnnFilterError] = LanguageError, meant: str = ""
) -> Choice:
    """Return the member of an enumeration that a word names; of another word say what is probably `meant`."""
    check_choice(given, tuple(words), subject, error, meant)
    return words(given)


def check_choice(
    given: str, words: tuple[str, ...], subject: str, error: type[CnnFilterError] = LanguageError, meant: str = ""
) -> None:
    """Raise an `error` if a word is not among those that are known."""
    if given not in words:
        raise error(f"{subject} {given!r} is unknown: {', '.join(words)}{meant or nearest(str(given), words)}")


def as_count(value: int, subject: str) -> int:
    """Return a whole number, of whatever type; 2.5 is not one."""
    try:
        return index(value)
    except TypeError as error:
        raise ShapeError(f"{subject} {value!r} is not a whole number") from error


def as_bias(bias: ArrayLike, outputs: int) -> float | tuple[float, ...]:
    """Return one bias, or one for each output of a bank."""
    try:
        biases = np.array(bias, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"bias {bias!r} is not a number, or a list with a number for each output") from error
    if bias is None or not np.isfinite(biases).all():
        raise ShapeError(f"bias {bias!r} is not a finite number, or a list with one for each output")
    if biases.ndim and biases.shape != (outputs,):
        wanted = f"the kernel has {count(outputs, 'output')}: give ({outputs},) or a number"
        raise ShapeError(f"bias has the shape {biases.shape}, and {wanted}")
    return tuple(biases.tolist()) if biases.ndim else float(biases)


def as_place(at: tuple[int, int]) -> Pair:
    """Return a (row, column), both from 0."""
    try:
        row, column = (index(number) for number in at)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"at {at!r} is not (row, column), two whole numbers") from error
    if min(row, column) < 0:
        raise ShapeError(f"at {at!r} is negative; rows and columns are counted from 0")
    return row, column
