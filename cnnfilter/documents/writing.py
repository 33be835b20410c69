"""Layers that a file writes as tables, in the words of the language: one way from there on."""

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from cnnfilter.errors import LanguageError, nearest
from cnnfilter.numbers import parse_number, show_number
from cnnfilter.spec.language import BLOCKS, NAME
from cnnfilter.spec.ops import BARE_KEYS, OPS, SHORT
from cnnfilter.spec.options import FLAGS, KEYS

OPTION_KEYS = {
    **{"stride": "s{}", "padding": "p={}", "dilation": "d{}", "groups": "g{}"},
    **dict.fromkeys(BARE_KEYS, "{}"),
    **{key: f"{key}={{}}" for key in KEYS if key != "p"},
}
"""The keys of a layer written as a table, and how the language says them."""


def write_network(content: Mapping[str, Any]) -> str:
    r"""Return the network of a file in the language.

    Parameters
    ----------
    content
        What the file says: `network`, a text, or `layers`, texts and tables.

    Raises
    ------
    LanguageError
        If it is none of these, or a table has a key that is unknown.

    Examples
    --------
    >>> write_network({"layers": [{"op": "conv", "kernel": [[0, 1], [1, 0]], "stride": 2}, "relu"]})
    'conv:[0 1; 1 0],s2\nrelu'
    """
    if "network" in content:
        rows = content.get("layers")
        if isinstance(rows, list) and any(isinstance(row, str) for row in rows):
            raise LanguageError("network and layers are given; layers beside a network are the rows that --json prints")
        return as_text(content, "network")
    if "layers" not in content:
        raise LanguageError('there are no layers; a file has layers = ["conv:3x3,16", "relu"]')
    return _write_layers(content["layers"])


def _write_layers(layers: object) -> str:
    if isinstance(layers, str):
        return layers
    if not isinstance(layers, list):
        raise LanguageError(f"layers are a list of texts and tables, not {layers!r}")
    return "\n".join(_write_item(item, number) for number, item in enumerate(layers, 1))


def _write_item(item: object, number: int) -> str:
    if isinstance(item, str):
        return item
    try:
        return _write_table(item)
    except LanguageError as error:
        raise LanguageError(f"item {number}, {error}") from error


def _write_table(table: object) -> str:
    """Return a layer or a block that is written as a table in the language."""
    if not isinstance(table, dict) or not isinstance(table.get("op"), str):
        raise LanguageError(f'a layer is a text or a table with op, such as {{op = "relu"}}, not {table!r}')
    rest = {key: value for key, value in table.items() if key not in {"op", "name", "repeat"}}
    name, repeat = table.get("name"), table.get("repeat", 1)
    op = table["op"]
    if op not in (known := [*OPS, *SHORT, *BLOCKS]):
        raise LanguageError(f"unknown layer {op!r}{nearest(op, known)}")
    if not (name is None or (isinstance(name, str) and NAME.fullmatch(name))):
        raise LanguageError(f"{op}: name {name!r} is none; letters, digits, '_', '.' and '-' are, as in conv1")
    if type(repeat) is not int or repeat < 1:
        raise LanguageError(f"{op}: repeat {repeat!r} is no whole number from 1")
    written = _write_block(op, rest) if op in BLOCKS else _write_layer(op, rest)
    return f"{repeat}x " * (repeat != 1) + written + (f"@{name}" if name is not None else "")


def _write_block(op: str, table: Mapping[str, Any]) -> str:
    if set(table) not in ({"body"}, {"branches"}):
        raise LanguageError(f"{op} has body, a list of layers, or branches, a list of such lists")
    branches = [table["body"]] if "body" in table else table["branches"]
    if not isinstance(branches, list):
        raise LanguageError(f"{op}: branches are a list of lists of layers")
    lines = "\n|".join(map(_write_layers, branches))  # a comment ends with its line
    return f"{op}({lines}\n)"


def _write_layer(op: str, table: Mapping[str, Any]) -> str:
    options = [option for key, value in table.items() for option in _write_option(op, key, value)]
    if table.get("bias") is True and ("[" in "".join(options) or SHORT.get(op, op) not in {"conv", "dwconv", "linear"}):
        raise LanguageError(f"{op}: bias = true is for layers with learned weights; a number is added elsewhere")
    return f"{op}:{','.join(options)}" if options else op


def _write_option(op: str, key: str, value: object) -> Iterator[str]:
    """Yield an option of a table as the language has it."""
    if key in {"kernel", "size"}:
        yield _write_kernel(op, value)
    elif key == "kernels":
        if not isinstance(value, list):
            raise LanguageError(f"{op}: kernels is a list of names and matrices; kernel is one")
        yield from (_write_kernel(op, kernel) for kernel in value)
    elif key == "bias" and isinstance(value, bool):
        yield from [] if value else ["nobias"]
    elif key in FLAGS:
        if not isinstance(value, bool):
            raise LanguageError(f"{op}: {key} is true or false, not {value!r}")
        yield from [key] * value
    elif key in OPTION_KEYS:
        yield OPTION_KEYS[key].format(_write_value(op, key, value))
    else:
        known = [*OPTION_KEYS, *FLAGS, "kernel", "kernels", "size", "name", "repeat"]
        raise LanguageError(f"{op}: unknown key {key!r}{nearest(key, known)}; known are {', '.join(known)}")


def _write_value(op: str, key: str, value: object) -> str:
    """Return a number, a word, or the numbers of a pair or of four sides."""
    if isinstance(value, str) and not re.search(r"[\s,+()|@\[\]]", value):
        return value
    if _is_number(value):
        return show_number(value)  # type: ignore[arg-type]
    if isinstance(value, list) and len(value) in {2, 4} and all(type(number) is int for number in value):
        return ("x" if len(value) == 2 else "/").join(map(str, value))
    raise LanguageError(f"{op}: {key} {value!r} is neither a number, nor a list of two or four, nor one word")


def _write_kernel(op: str, value: object) -> str:
    """Return a size, a kernel word, or a matrix of numbers as the language has it."""
    if isinstance(value, str):
        if not re.fullmatch(r"\d+(x\d+)?", value, re.ASCII):
            return f"[{value}]"
        value = int(value) if "x" not in value else [int(side) for side in value.split("x")]
    if type(value) is int:
        return _write_size(op, [value, value]) if "conv" in op else str(value)
    if isinstance(value, list) and len(value) == 2 and all(type(number) is int for number in value):
        return _write_size(op, value)
    return f"[{_write_matrix(op, value)}]"


def _write_size(op: str, sides: list[int]) -> str:
    if min(sides) < 1:
        raise LanguageError(f"{op}: the sides of a kernel are at least 1, not {min(sides)}")
    return "x".join(map(str, sides))


def _write_matrix(op: str, value: object) -> str:
    """Return nested lists of numbers, (kh, kw[, in[, out]]), as an inline matrix."""
    shape = _shape_of(value)
    if shape is None or not 2 <= len(shape) <= 4:
        raise LanguageError(
            f"{op}: a kernel is a name, a size, or numbers as even lists, (kh, kw), (kh, kw, in) or (kh, kw, in, out)"
        )
    rows, columns, inputs, outputs = (*shape, 1, 1)[:4]

    def number(row: int, column: int, plane: int, output: int) -> str:
        entry: Any = value
        for index in (row, column, plane, output)[: len(shape)]:
            entry = entry[index]
        return show_number(parse_number(entry) if isinstance(entry, str) else entry)

    maps = [
        ";; ".join(
            "; ".join(" ".join(number(row, column, plane, output) for column in range(columns)) for row in range(rows))
            for plane in range(inputs)
        )
        for output in range(outputs)
    ]
    return ";;; ".join(maps) + ";" * (len(shape) - 1 if len(shape) > 2 else 0)


def _shape_of(value: object) -> tuple[int, ...] | None:
    """Return the shape of nested lists of numbers, or None if they are uneven or hold something else."""
    if not isinstance(value, list):
        return () if _is_number(value) or _is_fraction(value) else None
    shapes = {_shape_of(item) for item in value}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(value), *inner)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def as_text(content: Mapping[str, Any], key: str) -> str:
    """Return the text under a key, empty where there is none; `LanguageError` if it is something else."""
    value = content.get(key, "")
    if not isinstance(value, str):
        raise LanguageError(f"{key} {value!r} is no text")
    return value


def _is_fraction(value: object) -> bool:
    """Return whether a text is a number, such as `1/9`."""
    try:
        return isinstance(value, str) and parse_number(value) is not None
    except ValueError:
        return False
