"""`--json`: every key that it prints is on a page of `cnnfilter help`."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import read_json, read_lines
from tests.cli.conftest import Run
from tests.conftest import ROOT

PAGES = ROOT / "cnnfilter" / "help"


def keys(value: Any) -> set[str]:
    """Return the keys of all objects in a value."""
    if isinstance(value, dict):
        return set(value) | {key for held in value.values() for key in keys(held)}
    return {key for held in value for key in keys(held)} if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("kernels", ["kernels"]),
        ("kernels", ["kernels", "gaussian:5:1"]),
        ("language", ["shape", "224x224x3", "conv:7x7,64,s2,p3 bn res(relu | tanh) flatten", "--compare"]),
        ("language", ["shape", "--list"]),
    ],
)
def test_the_keys_are_on_the_page(run: Run, page: str, words: list[str]) -> None:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    printed = keys(read_json(run(*words, "--json").stdout))
    assert printed
    assert {key for key in printed if f"`{key}`" not in text} == set()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("figures", ["convolve", "m.txt", "-k", "1 2", "-k", "1 1", "--combine", "max", "--activation", "relu"]),
        ("figures", ["pool", "m.txt"]),
        ("language", ["pipeline", "flatten softmax", "m.txt", "--top", "2"]),
    ],
)
def test_the_keys_of_lines_are_on_the_page(run: Run, folder: Path, page: str, words: list[str]) -> None:
    (folder / "m.txt").write_text("1 2\n3 4\n")
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    explain = ["--explain", "0,0"] if page == "figures" else []
    (record,) = read_lines(run(*words, *explain, "--json").stdout)
    assert {key for key in keys(record) if f"`{key}`" not in text} == set()


def test_the_keys_of_a_report_are_on_the_page(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text("1 2\n3 4\n")
    run("pipeline", "flatten softmax", "m.txt", "--top", "2", "-o", "top.txt", "--report", "report.jsonl")
    text = (PAGES / "batches.md").read_text(encoding="utf-8")
    (record,) = read_lines((folder / "report.jsonl").read_text())
    assert {key for key in keys(record) if f"`{key}`" not in text} == set()
