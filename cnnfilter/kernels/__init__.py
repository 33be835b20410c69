"""Kernels by their words: names, made to size, read from files, written out.

Their sizes are known without numpy, so that the table of a network can name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.errors import KernelError
from cnnfilter.kernels.made import RECIPES, make
from cnnfilter.kernels.readers import read_text_kernel
from cnnfilter.kernels.words import Inline, KernelFile, Made, fixed_folder, names, recognize

if TYPE_CHECKING:
    from cnnfilter.arrays import Doubles
    from cnnfilter.spec.layers import Shape

__all__ = ["Kernel", "describe", "kernel_name", "kernel_shape", "load_kernel", "names", "never_negative"]


class Kernel(NamedTuple):
    """A kernel's weights as used, and what is known of it.

    Parameters
    ----------
    weights
        (kh, kw), (kh, kw, in) or (kh, kw, in, out), float64.
    offset
        A number that is added to every result; 0 but for libvips' matrices.
    description, source
        A line each, or empty.
    """

    weights: Doubles
    offset: float = 0.0
    description: str = ""
    source: str = ""


def kernel_shape(word: str) -> Shape:
    """Return the shape of the kernel that `word` stands for, (kh, kw[, in[, out]]), without numpy.

    Raises
    ------
    KernelError
        If the word is unknown, or the file it names cannot be read.

    Examples
    --------
    >>> kernel_shape("gaussian:sigma=2.5")
    (15, 15)
    """
    return recognize(word).shape()


def kernel_name(word: str, number: int) -> str:
    """Return what a result of this kernel is called: its word, or `kernel1` by its number for a matrix itself.

    Examples
    --------
    >>> kernel_name("sobel-x", 1), kernel_name("1 2; 3 4", 2)
    ('sobel-x', 'kernel2')
    """
    return f"kernel{number}" if isinstance(recognize(word), Inline) else word


def describe(name: str) -> str:
    """Return one line on what a named kernel does.

    Examples
    --------
    >>> describe("box")
    'mean of N x N pixels; sums to 1'
    """
    if name in RECIPES:
        return RECIPES[name].description
    return _notes(read_text_kernel(fixed_folder() / f"{name}.txt").table.comments)[0]


def never_negative(word: str) -> bool:
    """Return whether a kernel has no negative weight, as a blur has none; without numpy but for `.npy` files.

    Examples
    --------
    >>> never_negative("gaussian:5"), never_negative("sobel-x")
    (True, False)
    """
    match recognize(word):
        case Made(name):
            return not RECIPES[name].signed
        case Inline() as inline:
            rows = [row for slices in inline.maps() for rows in slices for row in rows]
        case KernelFile() as file if file.is_numpy:
            return bool((_load_numpy(file) >= 0).all())
        case KernelFile() as file:
            rows = [row for channel in read_text_kernel(file.path).table.channels for row in channel]
    return all(weight >= 0 for row in rows for weight in row)


def load_kernel(word: str) -> Kernel:
    """Return the kernel that `word` stands for.

    Parameters
    ----------
    word
        A name, a file, or the matrix itself, as `-k` takes it.

    Raises
    ------
    KernelError
        If the word is unknown, or the file it names cannot be read or holds a number that is not finite.

    Examples
    --------
    >>> load_kernel("0 1; 1/2 0").weights
    array([[0. , 1. ], [0.5, 0. ]])
    """
    import numpy as np  # noqa: PLC0415  `shape` goes without

    match recognize(word):
        case Inline() as inline:
            planes = np.array(inline.maps())  # (out, in, kh, kw)
            return Kernel(np.ascontiguousarray(planes.transpose(2, 3, 1, 0).reshape(inline.shape())))
        case Made(name, arguments):
            recipe = RECIPES[name]
            return Kernel(make(name, dict(arguments)), description=recipe.description, source=recipe.source)
        case KernelFile() as file if file.is_numpy:
            return Kernel(_load_numpy(file))
        case KernelFile() as file:
            return _load_text(file)


def _load_text(file: KernelFile) -> Kernel:
    from cnnfilter.files.matrices import stack_channels  # noqa: PLC0415  numpy only where weights are wanted

    read = read_text_kernel(file.path)
    return Kernel(stack_channels(read.table.channels), read.offset, *_notes(read.table.comments))


def _notes(comments: list[str]) -> tuple[str, str]:
    """Return description and source from the comments above a kernel."""
    sources = [line.removeprefix("source:").strip() for line in comments if line.startswith("source:")]
    descriptions = [line for line in comments if not line.startswith("source:")]
    return next(iter(descriptions), ""), next(iter(sources), "")


def _load_numpy(file: KernelFile) -> Doubles:
    import numpy as np  # noqa: PLC0415

    file.shape()
    try:
        weights = np.load(file.path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError) as error:
        raise KernelError(f"{file.path}: not a whole .npy file of numbers ({str(error).splitlines()[0]})") from error
    if not np.isfinite(weights).all():
        raise KernelError(f"{file.path}: holds nan or infinity; the weights of a kernel are finite")
    return np.ascontiguousarray(weights)
