"""What the tests of the commands share: a folder to work in, pictures in it, and what runs a command there."""

from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cnnfilter.arrays import Array
from cnnfilter.cli import main
from tests.cli.pictures import save


class Run(Protocol):
    """Runs `cnnfilter WORDS...` and returns what came of it."""

    def __call__(self, *words: object, given: bytes | str | None = None, status: int = 0) -> Result:
        """Run a command that must leave with `status`; `given` is its standard input."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(runner: CliRunner, folder: Path) -> Run:
    """Return what runs a command in `folder`; an error that no user should meet is raised."""
    assert folder.is_dir()

    def invoke(*words: object, given: bytes | str | None = None, status: int = 0) -> Result:
        arguments = [str(word) for word in words]
        result = runner.invoke(main, arguments, input=given, prog_name="cnnfilter", catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    return invoke


@pytest.fixture
def colours(folder: Path) -> Array:
    """Return a picture of 21x26 RGB pixels, every level among them, which lies in `folder` as `colours.png`."""
    pixels = np.random.default_rng(7).integers(0, 256, (21, 26, 3)).astype(np.uint8)
    save(folder / "colours.png", pixels)
    return pixels


@pytest.fixture
def deep(folder: Path) -> Array:
    """Return a grey picture of 18x15 pixels of 16 bits, which lies in `folder` as `deep.png`."""
    pixels = np.random.default_rng(8).integers(0, 65536, (18, 15)).astype(np.uint16)
    save(folder / "deep.png", pixels)
    return pixels


@pytest.fixture
def three(folder: Path, colours: Array) -> dict[str, Array]:
    """Return three pictures, which lie in `folder` under these names."""
    pictures = {"a.png": colours, "b.png": colours[::-1], "c.png": colours[:, ::-1]}
    for name, pixels in pictures.items():
        save(folder / name, pixels)
    (folder / "colours.png").unlink()
    return pictures


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard error be taken for a terminal."""
    for module in ("cnnfilter.cli", "cnnfilter.cli.report"):
        monkeypatch.setattr(f"{module}.is_terminal", lambda: True)
