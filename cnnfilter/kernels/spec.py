"""From a word, a file or a matrix to a kernel."""

from __future__ import annotations

import re
import stat
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.errors import KernelError, nearest
from cnnfilter.kernels.readers import (
    SUFFIXES,
    TextKernel,
    npy_shape,
    read_matrix,
    read_text_kernel,
)
from cnnfilter.kernels.recipes import RECIPES, make, read_arguments, usage
from cnnfilter.nn.layers import Shape
from cnnfilter.numbers import DECIMAL

if TYPE_CHECKING:
    from cnnfilter.arrays import Doubles


_WORD = rf"{DECIMAL}(?:/{DECIMAL})?"
_SIZE_FIRST = re.compile(r"\s*\d+x\d+[^\s:]*:", re.ASCII)
_LEARNED = re.compile(r"(.+\.(?:npz|safetensors)):([^:/]+)", re.IGNORECASE)
_INLINE = re.compile(rf"[\s,;]*{_WORD}(?:[\s,;]+{_WORD})*[\s,;]*", re.ASCII)


class Made(NamedTuple):
    """A kernel made to size, with its arguments by name."""

    name: str
    arguments: dict[str, float]


class LearnedBank(NamedTuple):
    """The kernels of a layer in a file of trained weights, written `net.npz:conv1`."""

    path: Path
    layer: str


class Kernel(NamedTuple):
    """A kernel's weights as used, (kh, kw), (kh, kw, in) or (kh, kw, in, out) of float64, and its properties."""

    weights: Doubles
    offset: float = 0.0  # added to every result; only libvips' matrices have one
    description: str = ""  # a line, or empty, as is `source`
    source: str = ""


@lru_cache(maxsize=128)
def recognize(word: str) -> Made | LearnedBank | Path | str:
    """Return the meaning of a kernel word: a kernel made to size, a layer, a file, or the matrix itself as text.

    Recognised in this order: JSON, ImageMagick's `WxH:`, or only numbers, fractions, commas and `;` are the matrix
    itself; a known name before the first `:`, in any case, is that kernel; a `/`, a `.`, or that it exists makes a
    file. Anything else is a `KernelError`.
    """
    if _is_matrix(word):
        return word
    if "," in word and len(list_kernels(word)) > 1:
        raise KernelError(f"{word!r} is a list of kernels, and one kernel is needed here")
    name, *arguments = word.lower().split(":")
    if name in RECIPES:
        return Made(name, read_arguments(name, arguments))
    if name in fixed_kernels():
        if arguments:
            raise KernelError(f"kernel {name} is fixed, and {word!r} gives it an argument{_meant(name, arguments)}")
        return fixed_kernels()[name]
    exists = _exists(word)
    if not exists and (match := _LEARNED.fullmatch(word)):
        return LearnedBank(Path(match[1]), match[2])
    if not word.strip() or not ("/" in word or exists or ("." in word and ":" not in word)):
        missing = ", and no such file" if "." in word else ""
        hint = _meant(name, arguments) or f"{nearest(name, names())}; `cnnfilter kernels` lists all"
        raise KernelError(f"unknown kernel {word!r}{missing}{hint}")
    path = Path(word)
    if _LEARNED.fullmatch(f"{word}:layer"):
        raise KernelError(f"holds the weights of layers; {word}:conv1 is the bank of one", path=path)
    if path.suffix.lower() not in {*SUFFIXES, ""}:
        raise KernelError(f"kernel files are {', '.join(SUFFIXES)}, not {path.suffix}", path=path)
    return path


def _is_matrix(word: str) -> bool:
    """Return whether a word is the matrix itself, though perhaps with a mistake in it."""
    is_whole = word.lstrip().startswith("[") or bool(_SIZE_FIRST.match(word) or _INLINE.fullmatch(word))
    return is_whole or (";" in word and "/" not in word and not _exists(word))


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # no file can have such a name
        return False


def is_name(word: str) -> bool:
    """Return whether a word begins with the name of a kernel, in any case."""
    name = word.partition(":")[0].lower()
    return name in RECIPES or name in fixed_kernels()


def list_kernels(word: str) -> list[str]:
    """Return the kernels of a value of `-k`: itself, or those of a list separated by commas; names in lower case."""
    parts = [part.strip() for part in word.split(",")]
    is_whole = not any(parts[1:]) or _is_matrix(word) or _exists(word)
    if is_whole or not any(is_name(part) or _exists(part) for part in parts):
        parts = [word]
    elif wrong := [part for part in parts if not part or _is_matrix(part)]:
        fault = "is a matrix, which needs a -k of its own" if wrong[0] else "is not a kernel"
        raise KernelError(f"{wrong[0]!r} in the list {word!r} {fault}")
    return [part.lower() if is_name(part) else part for part in parts]


SYNONYMS = {"blur": "box", "mean": "box", "average": "box", "unsharp": "usm"}
"""Names from other programs, and the kernel made to size that does the same."""


def _meant(name: str, arguments: list[str]) -> str:
    """Return what a word with an unknown name or superfluous arguments probably means, or the empty string."""
    if name in {"median", "min", "max"}:
        size = arguments[0] if arguments and arguments[0].isdecimal() else "3"
        pool = f"`cnnfilter pool -m {name} --size {size} -s 1 -p same`, in a network {name}pool:{size},s1,same"
        return f"; a {name} filter is a pool: {pool}"
    if name not in SYNONYMS:
        return ""
    made = ":".join([SYNONYMS[name], *arguments])
    try:
        recognize(made)
    except KernelError:
        made = usage(SYNONYMS[name])
    return f"; {made} does that"


@cache
def fixed_kernels() -> dict[str, Path]:
    """Return the file of each fixed kernel by its name, in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_kernels"
    folder = installed if installed.is_dir() else package.parent / "kernels"
    return {path.stem: path for path in folder.glob("*.txt")}


def names() -> list[str]:
    """Return every name that `-k` knows, in alphabetical order."""
    return sorted([*fixed_kernels(), *RECIPES])


def describe(name: str) -> str:
    """Return one line on what a named kernel does."""
    if name in RECIPES:
        return RECIPES[name].description
    found = _read(name)
    return found.description if isinstance(found, TextKernel) else ""


def kernel_shape(word: str) -> Shape:
    """Return the shape of a kernel, (kh, kw[, in[, out]]), without numpy."""
    match _read(word):
        case Made(_, arguments):
            return int(arguments["n"]), int(arguments["n"])
        case TextKernel(_, shape):
            return shape
        case LearnedBank() as bank:
            return _load_bank(bank).shape
        case path:
            return npy_shape(path)


def _read(word: str) -> Made | TextKernel | LearnedBank | Path:
    """Return a kernel made to size, one that is written out, a layer's, or the path of a `.npy` file.

    A file that has not changed is read once; so is a pipe, such as a shell's `<(...)`, which gives its text only once.
    """
    found = recognize(word)
    if isinstance(found, str):
        try:
            return read_matrix(found)
        except ValueError as error:
            raise KernelError(f"kernel {found!r}: {getattr(error, 'reason', error)}") from error
    if isinstance(found, Made | LearnedBank) or found.suffix.lower() == ".npy":
        return found
    try:
        status = found.stat()
    except (OSError, ValueError) as error:
        raise KernelError(getattr(error, "strerror", None) or error, path=found) from error
    version = (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else (0, 0)
    return read_text_kernel(found, (status.st_dev, status.st_ino, *version))


def never_negative(word: str) -> bool:
    """Return whether a kernel has no negative weight, as a blur has none; only for `.npy` files with numpy."""
    match _read(word):
        case Made(name):
            return not RECIPES[name].signed
        case TextKernel(maps):
            return all(weight >= 0 for slices in maps for rows in slices for row in rows for weight in row)
        case LearnedBank() as bank:
            return bool((_load_bank(bank) >= 0).all())
        case path:
            return bool((_load_numpy(path) >= 0).all())


def load_kernel(word: str) -> Kernel:
    """Return the kernel of a word: a name, a file, or the matrix itself, as `-k` takes it."""
    import numpy as np  # noqa: PLC0415  `shape` goes without

    match _read(word):
        case Made(name, arguments):
            recipe = RECIPES[name]
            return Kernel(make(name, arguments), description=recipe.description, source=recipe.source)
        case TextKernel(maps, shape, offset, description, source):
            weights = np.array(maps).transpose(2, 3, 1, 0).reshape(shape)  # from (out, in, kh, kw)
            return Kernel(np.ascontiguousarray(weights), offset, description, source)
        case LearnedBank() as bank:
            return Kernel(_load_bank(bank), description=f"learned by {bank.layer}", source=str(bank.path))
        case path:
            return Kernel(_load_numpy(path))


def _load_bank(bank: LearnedBank) -> Doubles:
    """Return the kernels of a layer, (kh, kw, in / groups, out); a `KernelError` names those that there are."""
    import numpy as np  # noqa: PLC0415  a name needs none

    from cnnfilter.io.weights import read_weights  # noqa: PLC0415  most kernels are not learned

    tensors = read_weights(bank.path)
    layers = [name.removesuffix(".weight") for name, tensor in tensors.items() if tensor.ndim == 4]
    if bank.layer not in layers:
        kind = "is not a convolution" if f"{bank.layer}.weight" in tensors else "is not there"
        others = f"; kernels have {', '.join(layers)}" if layers else "; no layer has kernels"
        raise KernelError(f"layer {bank.layer!r} {kind}{nearest(bank.layer, layers) or others}", path=bank.path)
    found = tensors.get(f"{bank.layer}.weight", tensors.get(bank.layer))
    bias = tensors.get(f"{bank.layer}.bias")
    if bank.layer.startswith("deconv") or (bias is not None and found is not None and len(bias) != len(found)):
        raise KernelError(
            f"layer {bank.layer!r} is a transposed convolution, whose weights are no kernels", path=bank.path
        )
    return np.ascontiguousarray(np.asarray(found, np.float64).transpose(2, 3, 1, 0))


def _load_numpy(path: Path) -> Doubles:
    import numpy as np  # noqa: PLC0415

    npy_shape(path)
    try:
        weights = np.load(path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError) as error:
        raise KernelError(f"not a whole .npy file of numbers ({str(error).splitlines()[0]})", path=path) from error
    if not np.isfinite(weights).all():
        raise KernelError("holds nan or infinity; the weights of a kernel are finite", path=path)
    return np.ascontiguousarray(weights)
