"""Files of trained weights: state dicts in `.npz` and `.safetensors`."""

import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnfilter.arrays import Array, as_array
from cnnfilter.errors import KernelError, MissingLibraryError
from cnnfilter.io.paths import lacks_memory

SUFFIXES = (".npz", ".safetensors")

CLASSES = "__classes__"
"""The key of the names of classes, beside the tensors of a `.npz`, and in the metadata of a `.safetensors`."""


NEEDS_SAFETENSORS = ".safetensors needs the package safetensors (pip install safetensors); .npz needs none"


def read_weights(path: str | Path) -> dict[str, Array]:
    """Return the tensors of a file by their names, as float32, or float64 where the file has that.

    They are in the file's order for `.npz`; in natural order of the names, `2` before `10`, for `.safetensors`,
    which keeps none and needs the package `safetensors`. `KernelError` if the file cannot be read, is cut off, or holds
    something else than finite numbers.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise KernelError(
            f"weights are read from {' and '.join(SUFFIXES)}; in PyTorch, numpy.savez(path, "
            "**{name: tensor.numpy() for name, tensor in model.state_dict().items()}) writes the first",
            path=path,
        )
    try:
        with Path(path).open("rb") as file:
            tensors = (_read_numpy if suffix == ".npz" else _read_safetensors)(file, path)
    except OSError as error:
        raise KernelError(error.strerror or error, path=path) from error
    if not tensors:
        raise KernelError("holds no weights", path=path)
    return as_tensors(tensors, f"{path}: ")


def read_classes(path: str | Path) -> tuple[str, ...]:
    """Return the names of classes that a file of weights keeps; none where it cannot be read or has none."""
    try:
        if Path(path).suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as members:
                names = members[CLASSES].tolist()
        else:
            with Path(path).open("rb") as file:  # the length of a header of JSON, and this
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            names = json.loads(header["__metadata__"][CLASSES])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()


def encode_weights(tensors: Mapping[str, Array], suffix: str, classes: Sequence[str] = ()) -> bytes:
    """Return what a file of weights holds, the same bytes for the same tensors."""
    if suffix == ".npz":
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **tensors, **({CLASSES: np.array(classes)} if classes else {}))
        return file.getvalue()
    try:
        from safetensors.numpy import save  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingLibraryError(NEEDS_SAFETENSORS) from error
    named = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return save(named, {CLASSES: json.dumps(list(classes))} if classes else None)


def as_tensors(tensors: Mapping[str, Any], source: str = "") -> dict[str, Array]:
    """Return tensors as float32, or float64 where they are that; `KernelError` if one holds no finite numbers."""
    floats: dict[str, Array] = {}
    for key, value in tensors.items():
        name = f"{source}{key}"
        tensor = as_array(value, name, KernelError)
        if tensor.dtype == np.dtype("V2"):  # as numpy stores bfloat16
            tensor = _widen(tensor.view("<u2"))
        if tensor.dtype.kind not in "buif":
            hint = "; a file of torch.save is written anew by numpy.savez" if name.endswith("data.pkl") else ""
            raise KernelError(f"{name} holds {tensor.dtype}, and weights are numbers{hint}")
        is_double = tensor.dtype.kind == "f" and tensor.dtype.itemsize >= np.dtype(np.float64).itemsize
        tensor = tensor.astype(np.float64 if is_double else np.float32, copy=False)
        if not np.isfinite(tensor).all():
            raise KernelError(f"{name} holds nan or infinity; weights are finite")
        if name.endswith("running_var") and tensor.min(initial=0) < 0:
            raise KernelError(f"{name} is negative, and no variance is")
        floats[str(key)] = tensor
    return floats


def _read_numpy(file: BinaryIO, path: str | Path) -> dict[str, Any]:
    try:
        return _load_members(np.load(file, allow_pickle=False), path)
    except KernelError:
        raise
    except Exception as error:  # zipfile, zlib and numpy's own parser raise what they like
        raise KernelError(f"not a whole .npz file of numbers ({_first_line(error)})", path=path) from error


def _load_members(members: Any, path: str | Path) -> dict[str, Any]:
    if isinstance(members, np.ndarray):
        raise KernelError("holds one array without a name; weights have names, as numpy.savez gives them", path=path)
    if lack := lacks_memory(sum(member.file_size for member in members.zip.infolist())):
        raise KernelError(f"its tensors {lack}", path=path)
    return {name: members[name] for name in members.files if name != CLASSES}


def _read_safetensors(file: BinaryIO, path: str | Path) -> dict[str, Any]:
    try:
        from safetensors import deserialize  # noqa: PLC0415  an extra
    except ImportError as error:
        raise MissingLibraryError(NEEDS_SAFETENSORS, path=path) from error
    if lack := lacks_memory(2 * os.fstat(file.fileno()).st_size):
        raise KernelError(f"its tensors {lack}", path=path)
    try:
        tensors = dict(deserialize(file.read()))  # type: ignore[no-untyped-call]
    except Exception as error:  # the library's own errors
        raise KernelError(f"not a whole .safetensors file of numbers ({_first_line(error)})", path=path) from error
    return {name: _decode_tensor(name, tensors[name], path) for name in sorted(tensors, key=natural_order)}


_STORED = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{f"{sign.upper()}{8 * size}": f"<{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)},
}
"""The types of .safetensors that are read, as numpy stores their bytes."""


def _decode_tensor(name: str, tensor: Mapping[str, Any], path: str | Path) -> Array:
    """Return a tensor of .safetensors."""
    kind = str(tensor["dtype"])
    if kind not in _STORED:
        reason = f"{name} holds {kind}; read are F64, F32, F16, BF16 and whole numbers: `.float()` makes F32 in PyTorch"
        raise KernelError(reason, path=path)
    values = np.frombuffer(tensor["data"], _STORED[kind]).reshape(tensor["shape"])
    return _widen(values) if kind == "BF16" else values


def _widen(halves: Array) -> Array:
    """Return the float32 of which bfloat16 is the upper half."""
    return np.asarray((halves.astype("<u4") << 16).view("<f4"))


def _first_line(error: Exception) -> str:
    if "allow_pickle" in str(error):
        return "it holds Python's own objects, or text"
    return (str(error).splitlines() or [type(error).__name__])[0]


def natural_order(name: str) -> list[list[tuple[int, int, str]]]:
    """Return a key that sorts names part by part, with the numbers in them as numbers.

    Examples
    --------
    >>> sorted(["layer10.weight", "layer2.weight"], key=natural_order)
    ['layer2.weight', 'layer10.weight']
    >>> sorted(["fc2.weight", "fc.weight"], key=natural_order)
    ['fc.weight', 'fc2.weight']
    """
    parts = (re.findall(r"[0-9]+|[^0-9]+", part) for part in name.split("."))
    return [
        [(0, len(word.lstrip("0")), word.lstrip("0")) if "0" <= word[0] <= "9" else (1, 0, word) for word in words]
        for words in parts
    ]
