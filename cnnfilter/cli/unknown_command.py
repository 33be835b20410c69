"""What was probably meant by a command that does not exist: `cnnfilter sharpen x.jpg` lays a kernel on it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from cnnfilter.cli import COMMANDS
from cnnfilter.cli.help import find_pages
from cnnfilter.errors import nearest
from cnnfilter.io.formats import FORMATS
from cnnfilter.io.paths import as_file_name
from cnnfilter.kernels.spec import names
from cnnfilter.network_files import SUFFIXES, known_networks
from cnnfilter.nn.language import LAYER_WORDS
from cnnfilter.nn.other_layers import PoolMode

_ANSWERS = {"-o", "--output", "--plot", "--explain", "--animate", "--top"}
"""Options with which a command needs no other output."""

_INPUT = "INPUT"
"""Stands for what a command line without an input is to be given."""


def explain_unknown(words: Sequence[str]) -> str:
    """Return the message for a command line whose first word is not a command.

    Examples
    --------
    >>> print(explain_unknown(["sharpen", "x.jpg"]))
    No such command 'sharpen'. It is a kernel: cnnfilter convolve x.jpg -k sharpen -o x-sharpen.jpg
    >>> print(explain_unknown(["conv"]))
    No such command 'conv'; nearest: convolve
    """
    word, *rest = words if len(words) > 1 else (*words, _INPUT)
    missing = f"No such command {word!r}"
    what, command = _recognise(word, rest)
    if what:
        return f"{missing}. It is {what}: cnnfilter {shlex.join(command)}"
    close = nearest(word, [*COMMANDS, *names()])
    if COMMANDS.keys().isdisjoint(re.findall(r"[\w-]+", close)):
        close = close.replace("nearest", "nearest kernels")
    return missing + close


def _recognise(word: str, rest: list[str]) -> tuple[str, list[str]]:
    """Return what a word is, and the command line that uses it so; two empty values if it is nothing known."""
    first = re.split(r"[:+@(\s]", word, maxsplit=1)[0]
    if first.lower() in names():
        return "a kernel", ["convolve", *rest, "-k", word, *_output(word, rest)]
    if word in set(PoolMode):
        return "a mode of pool", ["pool", *rest, "-m", word, *_output(word, rest)]
    if word in known_networks():
        return "a network", ["shape", word]
    if re.fullmatch(r"\d+(x\d+){0,2}", word, re.ASCII):
        return "a size", ["shape", word, *rest]
    if first in LAYER_WORDS and (word != first or not nearest(word, COMMANDS)):
        return "a layer", ["pipeline", word, *rest, *_output(first, rest)]
    if word in find_pages():
        return "a page", ["help", word]
    suffix = Path(word).suffix.lower()
    if suffix in FORMATS or suffix in SUFFIXES or Path(word).is_file():
        command = "pipeline" if suffix in SUFFIXES and suffix != ".txt" else "convolve"
        inputs = ["-k", "KERNEL", "-o", "OUTPUT"] if command == "convolve" and rest == [_INPUT] else rest
        return "a file, and a command comes first", [command, word, *inputs]
    return "", []


def _output(word: str, rest: list[str]) -> list[str]:
    """Return an output named after the input and the word, unless the line has one or prints its result."""
    if _ANSWERS.intersection(rest):
        return []
    inputs = [Path(other) for other in rest if Path(other).suffix.lower() in FORMATS]
    if len(inputs) != 1:
        return ["-o", "OUTPUT/" if inputs else "OUTPUT"]
    return ["-o", f"{inputs[0].stem}-{as_file_name(word)}{inputs[0].suffix}"]
