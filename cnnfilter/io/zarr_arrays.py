"""Arrays in Zarr stores (versions 2 and 3), on this machine or at addresses: opened, created, known as complete."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from cnnfilter.arrays import float_type
from cnnfilter.errors import ImageFileError, MissingLibraryError
from cnnfilter.io.addresses import as_path, find_reason, naming_failures
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, is_array
from cnnfilter.io.levels import DEPTHS
from cnnfilter.io.matrices import warn_about_channels
from cnnfilter.io.paths import lacks_memory
from cnnfilter.nn.layers import Shape

_COMPLETE = "complete"
"""The attribute that is set last when an array is written."""

_SIDE = 1024
"""Rows and columns of a chunk of an array that is made of no other: 4 MB of each channel in float32."""

_KEPT = (np.uint8, np.uint16, np.float32, np.float64)
"""Types that are filtered as they are; what else there is of numbers becomes float64."""


def _load_zarr(path: str) -> Any:
    try:
        import zarr  # noqa: PLC0415  few inputs are such arrays
    except ImportError as error:
        raise MissingLibraryError(f"{path}: needs zarr: pip install 'cnnfilter[cluster]'") from error
    return zarr


def _list_group(path: str) -> list[str]:
    """Return the paths of what is in a group, or nothing if there is none."""
    with suppress(Exception):  # what is no group holds nothing
        return [f"{path.rstrip('/')}/{name}" for name in sorted(_load_zarr(path).open_group(path, mode="r").keys())]
    return []


def open_array(path: str) -> Any:
    """Return the array of a store, (H, W) or (H, W, C), to be read; `ImageFileError` if there is none."""
    zarr = _load_zarr(path)
    with naming_failures(path):
        try:
            array = zarr.open_array(path, mode="r")
        except (zarr.errors.NodeNotFoundError, ValueError) as error:
            names = _list_group(path)
            what = f"is a group of arrays; name one of them: {', '.join(names)}" if names else "holds no Zarr array"
            raise ImageFileError(what, path=path) from error
        what = f"{array.dtype} of shape {array.shape}"
        if array.ndim not in {2, 3} or 0 in array.shape:
            cure = "; an array of its own for each image, such as array[0], can be read" * (array.ndim > 3)
            raise ImageFileError(f"{what}; arrays are (H, W) or (H, W, C), and not empty{cure}", path=path)
        if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
            raise ImageFileError(f"{what}; arrays hold real numbers of at most 64 bits", path=path)
        if array.attrs.get(_COMPLETE) is False:
            raise ImageFileError("is not complete: the command that wrote it was interrupted", path=path)
        return array


def read_part(array: Any, path: str, rows: Any, columns: Any) -> np.ndarray[Any, Any]:
    """Return rows and columns of an array, slices or places, as (H, W, C) of a type that is filtered."""
    with naming_failures(path):
        try:
            part = np.asarray(array.oindex[rows, columns])
        except Exception as error:  # whatever it is, it may be about one chunk
            raise ImageFileError(_find_damage(array, rows, columns) or find_reason(error), path=path) from error
    return np.atleast_3d(part).astype(kept_type(array), copy=False)


def _find_damage(array: Any, *places: Any) -> str:
    """Return where the first chunk that cannot be read is, among rows and columns, and why; nothing if all can."""
    sides = array.chunks[:2]
    starts = [
        sorted({place // side * side for place in np.arange(length)[chosen].tolist()})
        for length, side, chosen in zip(array.shape, sides, places, strict=False)
    ]
    for corner in product(*starts):
        rows, columns = (slice(start, start + side) for start, side in zip(corner, sides, strict=True))
        try:
            array[rows, columns]
        except Exception as error:
            ends = (min(stop, length) for stop, length in zip((rows.stop, columns.stop), array.shape, strict=False))
            return "the chunk {0}:{2},{1}:{3} cannot be read: {4}".format(*corner, *ends, find_reason(error))
    return ""


def kept_type(array: Any) -> np.dtype[Any]:
    """Return the type in which an array is filtered."""
    native = array.dtype.newbyteorder("=")
    return np.dtype(next((kind for kind in _KEPT if native == kind), np.float64))


def as_picture(pixels: np.ndarray[Any, Any]) -> Picture:
    """Return a part of an array as networks see it: levels of 8 or 16 bits by its type, else a matrix.

    None of its channels is alpha.
    """
    if pixels.dtype.kind == "f":
        return Picture(pixels, Depth.EIGHT, matrix=True)
    return Picture(pixels, DEPTHS[pixels.dtype], bands=True)


class StoredPixels:
    """The pixels of an array, read as they are asked for: some rows and columns, or all as an array of numpy."""

    def __init__(self, path: str) -> None:
        self._array, self._path = open_array(path), path
        self.shape: Shape = self._array.shape
        self.ndim, self.dtype = self._array.ndim, kept_type(self._array)

    def __getitem__(self, places: tuple[slice, slice]) -> np.ndarray[Any, Any]:
        """Return some rows and columns."""
        part = read_part(self._array, self._path, *places)
        return part if self.ndim == 3 else part[:, :, 0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Return all pixels; `ImageFileError` if memory does not hold them."""
        floats = np.dtype(float_type(self.dtype)).itemsize
        if lack := lacks_memory((self.dtype.itemsize + 2 * floats) * prod(self.shape)):  # steps change floats
            what = f"its values {lack}; steps that begin with crop:HxW read a part, which may be small"
            raise ImageFileError(what, path=self._path)
        return np.asarray(self[:, :], dtype, copy=copy)


def read_stored(path: str) -> Picture:
    """Return an array as a picture, of which no pixel has been read."""
    pixels: Any = StoredPixels(path)
    picture = as_picture(np.broadcast_to(pixels.dtype.type(0), pixels.shape))
    picture.pixels, picture.notes = pixels, tuple(warn_about_channels(pixels.shape))
    return picture


def create_array(path: str, shape: Shape, dtype: Any, chunks: Shape) -> Any:
    """Return a new array of version 3 in place of any that is there, but of no group; it is not complete yet."""
    zarr = _load_zarr(path)
    with naming_failures(path):
        if _list_group(path):
            raise ImageFileError("is a group of arrays, which would be lost; use another name", path=path)
        if above := _find_array_above(path):
            raise ImageFileError(f"{above} is an array, and holds no others; use another name", path=path)
        if isinstance(place := as_path(path), Path) and place.is_file():
            raise ImageFileError("is a file, and a .zarr is a folder; use another name", path=path)
        return zarr.create_array(
            path, shape=shape, dtype=dtype, chunks=chunks, overwrite=True, attributes={_COMPLETE: False}
        )


def _find_array_above(path: str) -> str:
    """Return the array in which a path of a store is, or nothing."""
    zarr = _load_zarr(path)
    above = path.rpartition("/")[0]
    while is_array(above):
        with suppress(Exception):  # a group, or nothing yet
            zarr.open_array(above, mode="r")
            return above
        above = above.rpartition("/")[0]
    return ""


def reopen_array(path: str) -> Any:
    """Return an array that was created, to be written."""
    zarr = _load_zarr(path)
    with naming_failures(path):
        return zarr.open_array(path, mode="r+")


def write_part(array: Any, path: str, rows: slice, columns: slice, values: np.ndarray[Any, Any]) -> None:
    """Write whole chunks of an array."""
    with naming_failures(path):
        array[rows, columns] = values


def complete_array(array: Any, path: str) -> None:
    """Say that all of an array has been written."""
    with naming_failures(path):
        array.attrs[_COMPLETE] = True


def write_array(path: str, values: np.ndarray[Any, Any]) -> None:
    """Write a whole array, (H, W) or (H, W, C), that was made of no other; `ImageFileError` for another shape."""
    if values.ndim not in {2, 3}:
        raise ImageFileError(f"a .zarr holds (H, W) or (H, W, C), and the result is {values.shape}", path=path)
    chunks = (*(min(_SIDE, side) for side in values.shape[:2]), *values.shape[2:])
    array = create_array(path, values.shape, values.dtype, chunks)
    write_part(array, path, slice(None), slice(None), values)
    complete_array(array, path)
