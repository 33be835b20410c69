"""Network files: TOML, JSON, or a text of the layer language, with the input they are for and their weights."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cnnfilter.documents.writing import as_text, write_network
from cnnfilter.errors import CnnFilterError, KernelError, LanguageError, nearest
from cnnfilter.files.limits import is_endless
from cnnfilter.numbers import parse_number
from cnnfilter.spec.blocks import Block
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.language import BLOCKS, parse_network
from cnnfilter.spec.layers import Layer, Shape, as_shape
from cnnfilter.spec.network import Network
from cnnfilter.spec.ops import OPS, SHORT
from cnnfilter.spec.preparation import Preparation
from cnnfilter.spec.values import replace

SUFFIXES = (".toml", ".json", ".txt")

KEYS = ("input", "weights", "labels", "input_scale", "mean", "std", "layers", "network")
"""What a TOML or JSON file says; `network` is a text of the language, and `layers` beside it is for reading."""


class Document(NamedTuple):
    """A network, and what the file that it comes from says beside it.

    Parameters
    ----------
    network
        The layers.
    input
        The (height, width, channels) that it is for, or None.
    weights, labels
        The file of its weights, and that of its classes' names, or None.
    preparation
        What was done to the images when it was trained: `input_scale`, `mean` and `std`.
    path
        The file, or None for a text.
    """

    network: Network
    input: Shape | None = None
    weights: Path | None = None
    labels: Path | None = None
    preparation: Preparation = Preparation()
    path: Path | None = None


@contextmanager
def naming(document: Document) -> Iterator[None]:
    """Put the file's name before the messages of errors about its network, while the block runs."""
    try:
        yield
    except CnnFilterError as error:
        if document.path is None:
            raise
        raise type(error)(f"{document.path}: {error}") from error


def load_document(text: str) -> Document:
    """Return the network that a text writes, or that the file has whose path it is.

    Raises
    ------
    LanguageError
        If a word is wrong, or the file cannot be read; the message names the file, and the line of a text.
    """
    return read_document(Path(text)) if names_document(text) else Document(parse_network(text, shape_of_kernel))


def read_document(path: Path) -> Document:
    """Return what a network file says; `LanguageError`, with the file's name, if it cannot be read."""
    if path.suffix.lower() not in SUFFIXES:
        raise LanguageError(f"{path}: network files are {', '.join(SUFFIXES)}, not {path.suffix or 'without suffix'}")
    try:
        return _read(path)
    except CnnFilterError as error:
        raise LanguageError(f"{path}: {error}") from error
    except OSError as error:
        raise LanguageError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise LanguageError(f"{path}: not a text in UTF-8") from error
    except RecursionError as error:
        raise LanguageError(f"{path}: lists in lists in lists, deeper than anything that can be read") from error
    except (ValueError, OverflowError) as error:  # numbers beyond all measure
        raise LanguageError(f"{path}: cannot be read ({error})") from error


def names_document(text: str) -> bool:
    """Return whether a text is the path of a network file, rather than a network.

    Examples
    --------
    >>> names_document("nets/lenet.toml"), names_document("conv:kernel.txt"), names_document("relu tanh")
    (True, False, False)
    """
    op = re.split(r"[:(+@\s]", text, maxsplit=1)[0]
    if "\n" in text or op in OPS or op in SHORT or op in BLOCKS or re.fullmatch(r"\d+x", op):
        return False
    return text.lower().endswith(SUFFIXES) or _is_file(text)


def _is_file(text: str) -> bool:
    """Return whether a text is the path of a file; one that no file can have is none."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _read(path: Path) -> Document:
    if is_endless(path):
        raise LanguageError("is a device, and holds no network")
    text = path.read_text(encoding="utf-8").removeprefix("\ufeff")
    if path.suffix.lower() == ".txt":
        network = parse_network(text, lambda word: shape_of_kernel(_seen_from(word, path.parent)), lines=True)
        return Document(_relocate(network, path.parent), path=path)
    content = _load_toml(text) if path.suffix.lower() == ".toml" else _load_json(text)
    if unknown := [key for key in content if key not in KEYS and not ("network" in content and key == "totals")]:
        raise LanguageError(f"unknown key {unknown[0]!r}{nearest(unknown[0], KEYS)}; known are {', '.join(KEYS)}")
    network = parse_network(write_network(content), lambda word: shape_of_kernel(_seen_from(word, path.parent)))
    weights, labels = as_text(content, "weights"), as_text(content, "labels")
    return Document(
        network=_relocate(network, path.parent),
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
        raise LanguageError(f'{key} {value!r} is no number, such as 0.5 or "1/255"') from error


_DEEP_KEY = re.compile(r"(?<![^\s.=\[\]{},#])(?:[^\s.=\[\]{},#]++[ \t]*+\.[ \t]*+){100}")


def _load_toml(text: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  only files need it

    if _DEEP_KEY.search(text):  # tomllib takes memory by the square of a key's parts
        raise LanguageError("a key has more than 100 parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LanguageError(f"not TOML: {error}") from error


def _load_json(text: str) -> dict[str, Any]:
    import json  # noqa: PLC0415  only files need it

    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise LanguageError(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise LanguageError("a network file is a JSON object, with input and network, or layers")
    return content


def _sizes(value: object) -> str | Sequence[int]:
    if type(value) is int:
        return str(value)
    if isinstance(value, str) or (isinstance(value, list) and all(type(size) is int for size in value)):
        return value
    raise LanguageError(f'input {value!r} is no size, such as "224x224x3"')


def shape_of_kernel(word: str) -> Shape:
    """Return the shape of the kernel that a word names; what knows kernels is loaded with the first of them."""
    from cnnfilter.kernels import kernel_shape  # noqa: PLC0415  most networks name none, and start sooner without

    return kernel_shape(word)


def _seen_from(word: str, folder: Path) -> str:
    """Return a kernel word in which a file's path starts from the folder of the network file."""
    from cnnfilter.kernels.words import KernelFile, recognize  # noqa: PLC0415  as above

    if folder == Path() or Path(word).is_absolute():
        return word
    try:
        kernel = recognize(word)
        is_path = isinstance(kernel, KernelFile) and kernel.path == Path(word)
    except KernelError:
        is_path = (folder / word).exists()
    if not is_path:
        return word
    return str(folder / word) if folder.is_absolute() else f"./{folder / word}"


def _relocate(network: Network, folder: Path) -> Network:
    return Network(tuple(_relocate_layer(layer, folder) for layer in network.layers))


def _relocate_layer(layer: Layer, folder: Path) -> Layer:
    if isinstance(layer, Block):
        branches = tuple(tuple(_relocate_layer(inner, folder) for inner in branch) for branch in layer.branches)
        return replace(layer, branches=branches)
    if isinstance(layer, Convolution) and layer.kernels:
        kernels = tuple(replace(kernel, text=_seen_from(kernel.text, folder)) for kernel in layer.kernels)
        return replace(layer, kernels=kernels)
    return layer
