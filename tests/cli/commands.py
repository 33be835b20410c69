"""The commands that the same options belong to, and what they leave behind."""

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

COMMANDS = {
    "convolve": ("convolve", "-k", "identity:1"),
    "pool": ("pool", "--size", "1"),
    "pipeline": ("pipeline", "maxpool:1"),
    "block": ("pipeline", "res(maxpool:1 | dwconv:[0])", "--mean", "0", "--std", "1"),
}
"""Four ways to leave a picture as it is."""

EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def files(folder: Path) -> set[str]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def read_json(text: str) -> Any:
    """Return what a text of JSON holds, read strictly: Python's NaN and Infinity are none."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def read_lines(text: str) -> list[Any]:
    """Return what each line of a text holds, read strictly."""
    assert text.endswith("\n")
    return [read_json(line) for line in text.splitlines()]
