"""Kernel words and what they stand for: a matrix itself, a name, a size to be made, a file."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cnnfilter.errors import KernelError, nearest
from cnnfilter.files.matrices import Rows, inline_dimensions, parse_inline
from cnnfilter.kernels.made import RECIPES, read_arguments
from cnnfilter.kernels.readers import SUFFIXES, npy_shape, read_text_kernel
from cnnfilter.numbers import DECIMAL
from cnnfilter.spec.layers import Shape

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
