"""What the options of the commands that run networks on files say, as they were given."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cnnfilter.spec.layers import Shape
from cnnfilter.spec.preparation import Preparation


class FileOptions(NamedTuple):
    """The options of every command that writes files, by their names."""

    output: str | None
    format_: str | None
    in_place: bool
    range_: str | None
    depth: str | None
    quality: int | None
    compression: int | None
    no_clobber: bool
    fail_fast: bool
    allow_truncated: bool
    page: int | None
    max_pixels: int | None
    dry_run: bool
    jobs: int | None
    update: bool
    recursive: bool
    files_from: str | None
    null: bool
    report: str | None
    depfile: str | None
    quiet: bool
    verbose: bool


class NetworkOptions(NamedTuple):
    """What `pipeline` has beyond the other commands, by the names of its options, and what its file says beside.

    `input` is the shape that weights are tried on before any picture, `title` what the network is called,
    `files` what is read besides the pictures, which no output may be.
    """

    weights: Path | None = None
    init: str | None = None
    seed: int = 0
    save: tuple[str, ...] = ()
    top: int | None = None
    labels: Path | None = None
    preparation: Preparation = Preparation()
    input: Shape | None = None
    title: str = ""
    files: tuple[Path, ...] = ()
