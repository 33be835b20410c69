"""Kernels written as text or stored by numpy: inline matrices, rows of numbers, ImageMagick, libvips, `.npy`."""

import math
import os
import re
import struct
from functools import lru_cache
from operator import index
from pathlib import Path
from typing import NamedTuple

from cnnfilter.errors import KernelError, TextError
from cnnfilter.nn.layers import Shape
from cnnfilter.numbers import Rows, Table, count, parse_inline, parse_number, parse_table

SUFFIXES = (".txt", ".csv", ".tsv", ".mat", ".npy")
LONGEST_HEADER = 10_000  # of a .npy file; numpy, too, refuses longer ones
_IMAGEMAGICK = re.compile(r"\s*(\d+)(?:x(\d+))?([-+@<>^][^:]*)?:(.*)", re.DOTALL | re.ASCII)


_BRACKETS = re.compile(r"\s*\[\s*(?:\[[^][;]*\]\s*(?:,\s*(?=\[)|(?=\])))+\]\s*")


class TextKernel(NamedTuple):
    """A kernel as a text holds it: the rows of each slice of each map, its shape, its description and its source."""

    maps: list[list[Rows]]
    shape: Shape
    offset: float = 0.0  # added to every result (libvips)
    description: str = ""
    source: str = ""


def read_matrix(text: str) -> TextKernel:
    """Return the kernel that a text writes inline: as JSON, as ImageMagick has it, or as rows that end in `;`."""
    if text.lstrip().startswith("["):
        if not _BRACKETS.fullmatch(text):
            raise ValueError("a matrix in brackets has two dimensions, such as [[0,-1,0],[-1,5,-1],[0,-1,0]]")
        text = "; ".join(re.findall(r"\[([^][]*)\]", text))
    elif match := _IMAGEMAGICK.fullmatch(text):
        return _parse_imagemagick(match)
    return TextKernel(*parse_inline(text))


@lru_cache(maxsize=128)
def read_text_kernel(path: Path, version: tuple[int, ...]) -> TextKernel:
    """Return the kernel in a text file of one of the three formats; a version of it is read once."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        is_vips = path.suffix.lower() == ".mat"
        if not is_vips and (match := _IMAGEMAGICK.fullmatch(text)):
            return _parse_imagemagick(match)
        table, offset = _parse_vips(text) if is_vips else (parse_table(text), 0.0)
    except UnicodeDecodeError as error:
        raise KernelError(f"not a text; kernel files are {', '.join(SUFFIXES)} files", path=path) from error
    except OSError as error:
        raise KernelError(error.strerror or error, path=path) from error
    except TextError as error:
        raise KernelError(error.reason, path=path, line=error.line, column=error.column) from error
    except ValueError as error:  # a size of more digits than Python reads
        raise KernelError(error, path=path) from error
    sources = [line.removeprefix("source:").strip() for line in table.comments if line.startswith("source:")]
    descriptions = [line for line in table.comments if not line.startswith("source:")]
    return TextKernel([table.channels], table.shape, offset, "".join(descriptions[:1]), "".join(sources[:1]))


def _parse_vips(text: str) -> tuple[Table, float]:
    """Read libvips' matrix format, `width height [scale [offset]]`, then the rows; return the offset beside it."""
    first, _, rest = text.partition("\n")
    head = _numbers(first, 0)
    if not 2 <= len(head) <= 4:
        raise TextError("the first line must be `width height [scale [offset]]`", line=1)
    width, height, scale, offset = [*head, *(1.0, 0.0)[len(head) - 2 :]]
    if scale == 0:
        raise TextError("the scale is 0, and all weights are divided by it", line=1)
    table = parse_table(f"\n{rest}", blank_starts_channel=False)
    if (height, width) != table.shape:
        raise TextError(
            f"line 1 says {width:g} columns and {height:g} rows, but "
            f"{count(table.shape[1], 'column')} and {count(table.shape[0], 'row')} follow"
        )
    rows = [[weight / scale for weight in row] for row in table.channels[0]]
    if not all(math.isfinite(weight) for row in rows for weight in row):
        raise TextError(
            f"weights divided by the scale {scale:g} are beyond the largest number that can be held", line=1
        )
    return table._replace(channels=[rows]), offset


def _parse_imagemagick(match: re.Match[str]) -> TextKernel:
    """Read ImageMagick's `WIDTHxHEIGHT: n,n,n n,n,n ...`."""
    if match[3]:
        raise TextError(
            f"{match[3]!r} moves the origin or rotates the kernel, which is not supported; remove it", line=1
        )
    width, height = int(match[1]), int(match[2] or match[1])
    numbers = _numbers(match.string, match.start(4))
    if not numbers or len(numbers) != width * height:
        raise TextError(f"{width}x{height} needs {count(width * height, 'number')}, but {len(numbers)} follow")
    rows = [numbers[start : start + width] for start in range(0, len(numbers), width)]
    return TextKernel([[rows]], (height, width))


def _numbers(text: str, start: int) -> list[float]:
    """Return the numbers of a text from some place on, over the ends of lines."""
    numbers = []
    for word in re.compile(r"[^\s,]+").finditer(text, start):
        try:
            numbers.append(parse_number(word[0]))
        except ValueError as error:
            line = text.count("\n", 0, word.start()) + 1
            raise TextError(error, line=line, column=word.start() - text.rfind("\n", 0, word.start())) from error
    return numbers


_NUMPY_NUMBER = re.compile(r"[<>|=]?(?:b(?=1)|[iu](?=[1248])|f(?=[248]))(\d)", re.ASCII)
"""The types of numbers in the header of a `.npy` file, with their bytes."""


def npy_shape(path: Path) -> Shape:
    """Return the shape in the header of a `.npy` file, 2 to 4 dimensions of numbers, without numpy (format: NEP 1)."""
    import ast  # noqa: PLC0415  the names start without it

    try:
        with path.open("rb") as file:
            magic = file.read(8)
            wide = magic[6:7] != b"\x01"
            (length,) = struct.unpack("<I" if wide else "<H", file.read(4 if wide else 2))
            header = ast.literal_eval(file.read(min(length, LONGEST_HEADER)).decode("utf-8"))
            shape = tuple(index(size) for size in header["shape"])
            rest = file.seek(0, os.SEEK_END) - length - (12 if wide else 10)
    except OSError as error:
        raise KernelError(error.strerror or error, path=path) from error
    except Exception as error:  # the header is a literal of Python, whose parser raises what it likes
        raise KernelError("not a .npy file", path=path) from error
    if magic[:6] != b"\x93NUMPY":
        raise KernelError("not a .npy file", path=path)
    kind = str(header.get("descr"))
    if not (number := _NUMPY_NUMBER.fullmatch(kind)):
        reason = f"holds {kind[:40]!r}; kernels are bool, integers, or floats of 16, 32 or 64 bits"
        raise KernelError(reason, path=path)
    if math.prod(shape) * int(number[1]) > rest:
        raise KernelError(f"cut off: shape {shape} needs more than the {rest} bytes that follow", path=path)
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise KernelError(f"shape {shape}; a kernel is (kh, kw), (kh, kw, in) or (kh, kw, in, out)", path=path)
    return shape
