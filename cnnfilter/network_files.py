"""Network files: TOML, JSON and text, read and written; and what they say beside the network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, reduce
from math import isfinite
from operator import getitem
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.errors import CnnFilterError, KernelError, LanguageError, ShapeError, nearest
from cnnfilter.nn.frozen import Value, replace
from cnnfilter.nn.geometry import Pair, show_pair
from cnnfilter.nn.language import BLOCKS, LAYER_WORDS, NAME, OPS, SHORT, parse_network
from cnnfilter.nn.layer_options import FLAGS, KEYS, LETTERS
from cnnfilter.nn.layers import Block, Convolution, Layer, Shape, as_shape
from cnnfilter.nn.network import Network
from cnnfilter.numbers import parse_number, show_number

if TYPE_CHECKING:
    from pathlib import Path

OPTION_KEYS = {
    **{name: f"{letter}={{}}" if letter == "p" else f"{letter}{{}}" for letter, name in LETTERS.items()},
    **dict.fromkeys(("outputs", "slope", "rate", "factor", "interpolation"), "{}"),
    **{key: f"{key}={{}}" for key in KEYS if key != "p"},
}
"""The keys of a layer written as a table, and how the language says them; one that a layer has bare is so here."""


def write_network(content: Mapping[str, Any]) -> str:
    r"""Return the network of a file in the language: its `network`, a text, or its `layers`, texts and tables.

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
    lines = []
    for number, item in enumerate(layers, 1):
        try:
            lines.append(item if isinstance(item, str) else _write_table(item))
        except LanguageError as error:
            raise LanguageError(f"item {number}, {error}") from error
    return "\n".join(lines)


def _write_table(table: object) -> str:
    """Return a layer or a block that is written as a table in the language."""
    if not isinstance(table, dict) or not isinstance(table.get("op"), str):
        raise LanguageError(f'a layer is a text or a table with op, such as {{op = "relu"}}, not {table!r}')
    rest = {key: value for key, value in table.items() if key not in {"op", "name", "repeat"}}
    name, repeat = table.get("name"), table.get("repeat", 1)
    op = table["op"]
    if op not in LAYER_WORDS:
        raise LanguageError(f"unknown layer {op!r}{nearest(op, LAYER_WORDS)}")
    if not (name is None or (isinstance(name, str) and NAME.fullmatch(name))):
        raise LanguageError(f"{op}: name {name!r} is not a name of letters, digits, '_', '.' and '-', such as conv1")
    if type(repeat) is not int or repeat < 1:
        raise LanguageError(f"{op}: repeat {repeat!r} is not a whole number from 1")
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
    if table.get("bias") is True and (
        "[" in "".join(options) or SHORT.get(op, op) not in {"conv", "dwconv", "deconv", "linear"}
    ):
        raise LanguageError(f"{op}: bias = true needs learned weights; elsewhere the bias is a number")
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
        bare = OPS[SHORT.get(op, op)].kind.BARE
        yield ("{}" if key == bare else OPTION_KEYS[key]).format(_write_value(op, key, value))
    else:
        known = [*OPTION_KEYS, *FLAGS, "kernel", "kernels", "size", "name", "repeat"]
        raise LanguageError(f"{op}: unknown key {key!r}{nearest(key, known)}; known are {', '.join(known)}")


def _write_value(op: str, key: str, value: object) -> str:
    """Return a number, a word, the numbers of a pair or of four sides, or a list of biases in brackets."""
    if isinstance(value, str) and not re.search(r"[\s,+()|@\[\]]", value):
        return value
    if not isinstance(value, str) and (number := _as_number(value)) is not None:
        return show_number(number)
    if key == "bias" and isinstance(value, list):
        numbers = [_as_number(item) for item in value]
        if None in numbers:
            raise LanguageError(f"{op}: bias {value!r} is not a list of numbers")
        return f"[{' '.join(show_number(number) for number in numbers if number is not None)}]"
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


def _write_matrix(op: str, value: Any) -> str:
    """Return nested lists of numbers, (kh, kw[, in[, out]]), as an inline matrix."""
    shape = _shape_of(value)
    if shape is None or not 2 <= len(shape) <= 4:
        raise LanguageError(
            f"{op}: a kernel is a name, a size, or numbers as even lists, (kh, kw), (kh, kw, in) or (kh, kw, in, out)"
        )
    rows, columns, inputs, outputs = (*shape, 1, 1)[:4]

    def number(*place: int) -> str:
        return show_number(_as_number(reduce(getitem, place[: len(shape)], value)) or 0.0)  # a number: it has a shape

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
        return None if _as_number(value) is None else ()
    shapes = {_shape_of(item) for item in value}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(value), *inner)


def _as_number(value: object) -> float | None:
    """Return a finite number, or one that a text such as `1/9` writes; None for anything else."""
    try:
        number = parse_number(value) if isinstance(value, str) else value
    except ValueError:
        return None
    is_finite = isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number)
    return number if is_finite else None  # type: ignore[return-value]


def as_text(content: Mapping[str, Any], key: str) -> str:
    """Return the text under a key, empty where there is none; `LanguageError` if it is something else."""
    value = content.get(key, "")
    if not isinstance(value, str):
        raise LanguageError(f"{key} {value!r} is not a text")
    return value


SUFFIXES = (".toml", ".json", ".txt")

MODEL_SUFFIX = ".onnx"
"""Of a model, which is a network too for what the room `exchange` reads."""

DOCUMENT_KEYS = ("input", "weights", "labels", "input_scale", "mean", "std", "layers", "network")
"""What a TOML or JSON file says; `network` is a text of the language, and `layers` beside it is for reading."""


MOST_PIXELS = 2**28
"""Larger than any photo; more would take all the memory that a machine has."""


class Preparation(Value):
    """Resized, scaled, and freed of the training set's mean, in this order; false where all stays as it is.

    Parameters
    ----------
    size
        The (height, width) that it is resized to, or None.
    scale
        What its values are multiplied by: 1/255 brings 8 bits to 0..1.
    mean, std
        What is then subtracted, and what the rest is divided by: one number, or one for each channel.
    """

    size: Pair | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __bool__(self) -> bool:
        return self != Preparation()

    def __post_init__(self) -> None:
        if self.size and self.size[0] * self.size[1] > MOST_PIXELS:
            raise ShapeError(f"a size of {show_pair(self.size)} has more than {MOST_PIXELS} pixels, the most allowed")
        if self.scale <= 0:
            raise ShapeError(f"an input scale of {self.scale:g} is not above 0")
        if not self.mean or not self.std:
            raise ShapeError("mean and std need one number, or one for each channel")
        if min(self.std) <= 0:
            raise ShapeError(f"a standard deviation of {min(self.std):g} is not above 0")


class Document(NamedTuple):
    """A network, and what the file that it comes from says beside it."""

    network: Network
    input: Shape | None = None
    """(height, width, channels)."""
    weights: Path | None = None
    labels: Path | None = None
    preparation: Preparation = Preparation()
    """What was done to the images when it was trained: `input_scale`, `mean` and `std`."""
    path: Path | None = None
    """None for a text."""
    state: Mapping[str, Any] | None = None
    """The weights that the file itself holds, by PyTorch's names."""

    @property
    def name(self) -> str:
        """The name of a known network, the path of another file, and empty for a text."""
        is_known = self.path in known_networks().values()
        return self.path.stem if self.path and is_known else str(self.path or "")


@contextmanager
def naming(document: Document) -> Iterator[None]:
    """Put the file's name before the messages of errors about its network, while the block runs."""
    try:
        yield
    except CnnFilterError as error:
        if document.path is None:
            raise
        raise type(error)(error, path=document.path) from error


@cache
def known_networks() -> dict[str, Path]:
    """Return the file of each network known by its name: in the installed package, or among a checkout's samples."""
    from pathlib import Path  # noqa: PLC0415  only files need it

    package = Path(__file__).resolve().parent
    installed = package / "_networks"
    folder = installed if installed.is_dir() else package.parent / "samples"
    return {path.stem: path for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem)}


def load_document(text: str) -> Document:
    """Return the network that a text writes, that is known by this name, or that the file with this path holds."""
    if names_document(text):
        from pathlib import Path  # noqa: PLC0415  only files need it

        return read_document(known_networks().get(text) or Path(text))
    try:
        return Document(parse_network(text, shape_of_kernel))
    except LanguageError as error:
        if text in LAYER_WORDS or not NAME.fullmatch(text) or not nearest(text, known_networks()):
            raise
        close = nearest(text, [*known_networks(), *LAYER_WORDS])
        raise LanguageError(
            f"unknown network or layer {text!r}{close}; `cnnfilter shape --list` lists networks"
        ) from error


def read_document(path: Path) -> Document:
    """Return what a network file says; `LanguageError`, with the file's name, if it cannot be read."""
    if path.suffix.lower() not in SUFFIXES:
        from cnnfilter.io.formats import FORMATS  # noqa: PLC0415  for a mistake alone

        is_input = path.suffix.lower() in FORMATS
        raise LanguageError(
            f"network files are {', '.join(SUFFIXES)}, not {path.suffix or 'without suffix'}"
            + "; the network is the first argument, inputs follow" * is_input
            + "; a model runs, and is not trained" * (path.suffix.lower() == MODEL_SUFFIX),
            path=path,
        )
    try:
        return _read(path)
    except CnnFilterError as error:
        about_file = LanguageError(error, path=path)
        about_file.line, about_file.column = error.line, error.column
        raise about_file from error
    except OSError as error:
        raise LanguageError(error.strerror or error, path=path) from error
    except UnicodeDecodeError as error:
        raise LanguageError("not a text in UTF-8", path=path) from error
    except RecursionError as error:
        raise LanguageError("lists are nested too deeply", path=path) from error
    except (ValueError, OverflowError) as error:  # numbers that are too large
        raise LanguageError(f"cannot be read ({error})", path=path) from error


def names_document(text: str) -> bool:
    """Return whether a text is the name of a known network or the path of a network file, rather than a network.

    Examples
    --------
    >>> names_document("nets/lenet.toml"), names_document("conv:kernel.txt"), names_document("relu tanh")
    (True, False, False)
    >>> names_document("resnet18"), names_document("relu")
    (True, False)
    """
    op = re.split(r"[:(+@\s]", text, maxsplit=1)[0]
    if "\n" in text or op in LAYER_WORDS or re.fullmatch(r"\d+x", op):
        return False
    if NAME.fullmatch(text) and text in known_networks():
        return True
    return text.lower().endswith((*SUFFIXES, MODEL_SUFFIX)) or os.path.isfile(text)  # noqa: PTH113  Path.is_file raises if it is too long


def _read(path: Path) -> Document:
    from cnnfilter.io.atomic import is_endless  # noqa: PLC0415  only files need it

    if is_endless(path):
        raise LanguageError("is a device, not a network file")
    text = path.read_text(encoding="utf-8").removeprefix("\ufeff")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return Document(_parse(text, path.parent, lines=True), path=path)
    content = _load(text, suffix)
    known = {*DOCUMENT_KEYS, "totals"} if "network" in content else DOCUMENT_KEYS
    if unknown := [key for key in content if key not in known]:
        hint = nearest(unknown[0], DOCUMENT_KEYS)
        raise LanguageError(f"unknown key {unknown[0]!r}{hint}; known are {', '.join(DOCUMENT_KEYS)}")
    network = _parse(write_network(content), path.parent)
    weights, labels = as_text(content, "weights"), as_text(content, "labels")
    return Document(
        network=network,
        input=as_shape(_sizes(content["input"])) if "input" in content else None,
        weights=path.parent / weights if weights else None,
        labels=path.parent / labels if labels else None,
        preparation=Preparation(
            scale=_numbers(content, "input_scale", 1.0)[0],
            mean=_numbers(content, "mean", 0.0),
            std=_numbers(content, "std", 1.0),
        ),
        path=path,
    )


def _numbers(content: Mapping[str, Any], key: str, usual: float) -> tuple[float, ...]:
    """Return the numbers under a key: one, a list of them, or texts such as `1/255`."""
    value = content.get(key, usual)
    items = value if isinstance(value, list) and key != "input_scale" else [value]
    try:
        return tuple(parse_number(str(item)) for item in items)
    except ValueError as error:
        raise LanguageError(f'{key} {value!r} is not a number, such as 0.5 or "1/255"') from error


_DEEP_KEY = re.compile(r"(?<![^\s.=\[\]{},#])(?:[^\s.=\[\]{},#]++[ \t]*+\.[ \t]*+){100}")


def _load(text: str, suffix: str) -> dict[str, Any]:
    """Return what a TOML or JSON file says; an error has the place that the parser's message names."""
    mistake: type[ValueError]
    if suffix == ".toml":
        import tomllib  # noqa: PLC0415  only files need it

        if _DEEP_KEY.search(text):  # tomllib takes memory by the square of a key's parts
            raise LanguageError("a key has more than 100 parts")
        load, mistake = tomllib.loads, tomllib.TOMLDecodeError
    else:
        import json  # noqa: PLC0415  only files need it

        load, mistake = json.loads, json.JSONDecodeError
    try:
        content = load(text)
    except mistake as error:
        misread = LanguageError(f"not {suffix[1:].upper()}: {error}")
        if place := re.search(r"line (\d+),? column (\d+)", str(error)):
            misread.line, misread.column = int(place[1]), int(place[2])
        raise misread from error
    if not isinstance(content, dict):
        raise LanguageError("a network file is a JSON object, with input and network, or layers")
    return content


def _sizes(value: object) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, list) and all(type(size) is int for size in value):
        return "x".join(map(str, value))
    if isinstance(value, str):
        return value
    raise LanguageError(f'input {value!r} is not a size, such as "224x224x3"')


def shape_of_kernel(word: str) -> Shape:
    """Return the shape of the kernel that a word names; what knows kernels is loaded with the first of them."""
    from cnnfilter.kernels.spec import kernel_shape  # noqa: PLC0415  most networks name none, and start sooner without

    return kernel_shape(word)


def _seen_from(word: str, folder: Path) -> str:
    """Return a kernel word in which a file's path starts from the folder of the network file."""
    from pathlib import Path  # noqa: PLC0415  only files need it

    from cnnfilter.kernels.spec import LearnedBank, recognize  # noqa: PLC0415  as above

    if folder == Path() or Path(word).is_absolute():
        return word
    try:
        found = recognize(word)
        is_path = found == Path(word) or isinstance(found, LearnedBank)
    except KernelError:
        is_path = (folder / word).exists()
    if not is_path:
        return word
    return str(folder / word) if folder.is_absolute() else f"./{folder / word}"


def _parse(text: str, folder: Path, *, lines: bool = False) -> Network:
    """Return a network in whose text the files of kernels are named from a folder on."""
    network = parse_network(text, lambda word: shape_of_kernel(_seen_from(word, folder)), lines=lines)
    return Network(tuple(_relocate(layer, folder) for layer in network.layers))


def _relocate(layer: Layer, folder: Path) -> Layer:
    """Return a layer whose kernels' files are named from where the program runs."""
    if isinstance(layer, Block):
        branches = tuple(tuple(_relocate(inner, folder) for inner in branch) for branch in layer.branches)
        return replace(layer, branches=branches)
    if isinstance(layer, Convolution) and layer.kernels:
        kernels = tuple(kernel._replace(text=_seen_from(kernel.text, folder)) for kernel in layer.kernels)
        return replace(layer, kernels=kernels)
    return layer
