"""Kernel files: rows of numbers, ImageMagick's `3x3: ...`, libvips' `.mat`, numpy's `.npy`."""

import ast
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from cnnfilter.errors import KernelError
from cnnfilter.files.tables import Table, parse_table
from cnnfilter.numbers import parse_number

SUFFIXES = (".txt", ".csv", ".tsv", ".mat", ".npy")

_IMAGEMAGICK = re.compile(r"\s*(\d+)(?:x(\d+))?([-+@<>^][^:]*)?:(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True)
class TextKernel:
    """A kernel as a text holds it: its table, and a number that is added to every result (libvips' offset)."""

    table: Table
    offset: float = 0.0


def read_text_kernel(path: Path) -> TextKernel:
    """Return the kernel in a text file, whichever of the three formats it is in.

    Raises
    ------
    KernelError
        If the file cannot be read or holds no kernel; the message has file, line and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KernelError(f"{path}: not a text; kernels are {', '.join(SUFFIXES)} files") from error
    except (OSError, ValueError) as error:
        raise KernelError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        if path.suffix.lower() == ".mat":
            return _parse_vips(text)
        if match := _IMAGEMAGICK.fullmatch(text):
            return TextKernel(_parse_imagemagick(match))
        return TextKernel(parse_table(text))
    except ValueError as error:
        raise KernelError(f"{path}: {error}") from error


def _parse_vips(text: str) -> TextKernel:
    """Read libvips' matrix format: `width height [scale [offset]]`, then the rows."""
    lines = text.splitlines()
    head = [parse_number(word) for word in lines[0].replace(",", " ").split()] if lines else []
    if not 2 <= len(head) <= 4:
        raise ValueError("line 1: `width height [scale [offset]]` is needed")
    scale = head[2] if len(head) > 2 else 1.0
    if scale == 0:
        raise ValueError("line 1: the scale is 0, and everything is divided by it")
    table = parse_table("\n".join(["", *lines[1:]]), blank_starts_channel=False)
    if (head[1], head[0]) != table.shape:
        raise ValueError(
            f"line 1 promises {head[0]:g} columns and {head[1]:g} rows, and "
            f"{table.shape[1]} columns and {table.shape[0]} rows follow"
        )
    rows = [[weight / scale for weight in row] for row in table.channels[0]]
    return TextKernel(Table([rows], table.comments), head[3] if len(head) > 3 else 0.0)


def _parse_imagemagick(match: re.Match[str]) -> Table:
    """Read ImageMagick's `WIDTHxHEIGHT: n,n,n n,n,n ...`."""
    if match[3]:
        raise ValueError(f"line 1: {match[3]!r} moves the origin or turns the kernel, which is not read; take it out")
    width, height = int(match[1]), int(match[2] or match[1])
    words = match[4].replace(",", " ").split()
    if len(words) != width * height:
        raise ValueError(f"{width}x{height} promises {width * height} numbers, and {len(words)} follow")
    rows = [words[start : start + width] for start in range(0, len(words), width)]
    return parse_table("\n".join(" ".join(row) for row in rows))


def npy_shape(path: Path) -> tuple[int, ...]:
    """Return the shape in the header of a `.npy` file, without numpy (format: NEP 1).

    Raises
    ------
    KernelError
        If the file cannot be read, is no `.npy`, or holds something else than 2 to 4 dimensions of numbers.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
            wide = magic[6:7] != b"\x01"
            (length,) = struct.unpack("<I" if wide else "<H", file.read(4 if wide else 2))
            header = ast.literal_eval(file.read(min(length, 65536)).decode("utf-8"))
            shape = tuple(int(size) for size in header["shape"])
    except OSError as error:
        raise KernelError(f"{path}: {error.strerror or error}") from error
    except (ValueError, SyntaxError, KeyError, TypeError, struct.error, MemoryError) as error:
        raise KernelError(f"{path}: not a .npy file") from error
    if magic[:6] != b"\x93NUMPY" or not re.fullmatch(r"[<>|=]?[bBiuf]\d*", str(header.get("descr"))):
        raise KernelError(f"{path}: not a .npy file of plain numbers")
    if not 2 <= len(shape) <= 4 or 0 in shape:
        raise KernelError(f"{path}: shape {shape}; a kernel is (kh, kw), (kh, kw, in) or (kh, kw, in, out)")
    return shape
