"""From a word, a file or a matrix to a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.errors import KernelError, nearest
from cnnfilter.io.matrices import Rows, inline_dimensions, parse_inline
from cnnfilter.kernels.readers import SUFFIXES, npy_shape, read_text_kernel
from cnnfilter.kernels.recipes import RECIPES, make, read_arguments
from cnnfilter.nn.layers import Shape
from cnnfilter.numbers import DECIMAL

if TYPE_CHECKING:
    from cnnfilter.arrays import Doubles


_WORD = rf"{DECIMAL}(?:/{DECIMAL})?"
_INLINE = re.compile(rf"[\s,;]*{_WORD}(?:[\s,;]+{_WORD})*[\s,;]*", re.ASCII)


class Inline(NamedTuple):
    """The matrix itself, as text."""

    text: str

    def maps(self) -> list[list[Rows]]:
        """Return the rows of each slice of each map."""
        try:
            return parse_inline(self.text)
        except ValueError as error:
            raise KernelError(f"kernel {self.text!r}: {error}") from error

    def shape(self) -> Shape:
        """Return (kh, kw), (kh, kw, in) where `;;` parts slices, or (kh, kw, in, out) where `;;;` parts maps."""
        maps = self.maps()
        whole = len(maps[0][0]), len(maps[0][0][0]), len(maps[0]), len(maps)
        return whole[: inline_dimensions(self.text)]


class Made(NamedTuple):
    """A kernel made to size."""

    name: str
    arguments: tuple[tuple[str, float], ...]

    def shape(self) -> Shape:
        """Return (N, N)."""
        side = int(dict(self.arguments)["n"])
        return side, side


class KernelFile(NamedTuple):
    """A kernel in a file, one of ours or the user's."""

    path: Path

    @property
    def is_numpy(self) -> bool:
        """Whether the file is a `.npy`."""
        return self.path.suffix.lower() == ".npy"

    def shape(self) -> Shape:
        """Return (kh, kw[, in[, out]])."""
        return npy_shape(self.path) if self.is_numpy else read_text_kernel(self.path).table.shape


def recognize(word: str) -> Inline | Made | KernelFile:
    """Return what a kernel word stands for.

    Told apart in this order: only numbers, fractions, commas and `;` are the matrix itself; a known name
    before the first `:` is that kernel; a `/`, a `.`, or that it exists makes a file.

    Raises
    ------
    KernelError
        If it is none of these, or the arguments of a made kernel are wrong.

    Examples
    --------
    >>> recognize("0.997")
    Inline(text='0.997')
    >>> recognize("box:3").shape()
    (3, 3)
    """
    if _INLINE.fullmatch(word) or (";" in word and "/" not in word and not _exists(word)):
        return Inline(word)
    name, *arguments = word.split(":")
    if name in RECIPES:
        return Made(name, tuple(read_arguments(name, arguments).items()))
    if name in fixed_names():
        if arguments:
            raise KernelError(f"kernel {name} is fixed and takes no argument, and {word!r} gives {len(arguments)}")
        return KernelFile(fixed_folder() / f"{name}.txt")
    if word.strip() and ("/" in word or "." in word or _exists(word)):
        return _known_file(word)
    raise KernelError(f"unknown kernel {word!r}{nearest(name, names())}; `cnnfilter kernels` lists all")


def _known_file(word: str) -> KernelFile:
    path = Path(word)
    if ":" in word and "/" not in word and not _exists(word):
        hint = nearest(word.partition(":")[0], names())
        raise KernelError(f"unknown kernel {word!r}, and no such file{hint}; `cnnfilter kernels` lists all")
    if path.suffix.lower() not in {*SUFFIXES, ""}:
        raise KernelError(f"{path}: kernel files are {', '.join(SUFFIXES)}, not {path.suffix}")
    return KernelFile(path)


def _exists(word: str) -> bool:
    """Return whether a word names a file; one that no file can have names none."""
    try:
        return Path(word).exists()
    except (OSError, ValueError):
        return False


@cache
def fixed_folder() -> Path:
    """Return the folder of the fixed kernels: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_kernels"
    return installed if installed.is_dir() else package.parent / "kernels"


@cache
def fixed_names() -> frozenset[str]:
    """Return the names of the fixed kernels, the stems of their files."""
    return frozenset(path.stem for path in fixed_folder().glob("*.txt"))


def names() -> Iterator[str]:
    """Yield every name that `-k` knows, in alphabetical order."""
    yield from sorted({*fixed_names(), *RECIPES})


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
    from cnnfilter.io.matrices import stack_channels  # noqa: PLC0415  numpy only where weights are wanted

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
