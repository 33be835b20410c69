"""The commands that the same options belong to, and what they leave behind."""

from pathlib import Path

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
