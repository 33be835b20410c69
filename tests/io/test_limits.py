"""Limits: what a header promises is held against them, and against memory, before anything is decoded."""

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from cnnfilter.errors import ImageFileError, MissingLibraryError
from cnnfilter.io import decode as pictures
from cnnfilter.io import paths as limits
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import Header, check_header
from cnnfilter.io.opencv import check_environment
from cnnfilter.io.paths import (
    OPENCV_LIMIT,
    VARIABLE,
    allow_pixels,
    free_memory,
    lacks_memory,
    largest_picture,
)
from tests.io.damage import whole_files
from tests.io.pngs import put_together

FILES = whole_files()


def promising(height: int, width: int) -> bytes:
    """Return a whole PNG of few bytes that promises a picture of 16 bits with alpha."""
    return put_together((height, width), 6, 16, zlib.compress(b""))


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sure that nothing is decoded."""

    def decode(*_: Any, **__: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pictures, "call_opencv", decode)


def refusal(check: Callable[[], object]) -> str:
    with pytest.raises(ImageFileError) as caught:
        check()
    return str(caught.value)


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("limit", [None, 10_000])
def test_a_giant_is_refused_by_its_header_and_the_limit_is_named(limit: int | None) -> None:
    message = refusal(lambda: decode_picture(promising(60_000, 60_000), "x.png", most_pixels=limit))
    assert message.startswith("x.png: 60000x60000 pixels")
    assert str(limit or OPENCV_LIMIT) in message
    assert "--max-pixels" in message
    assert VARIABLE in message


def test_as_many_pixels_as_are_allowed_are_read() -> None:
    data = FILES["3-8.png"]
    assert decode_picture(data, "x", most_pixels=38 * 45).pixels.shape == (38, 45, 3)
    assert "38x45" in refusal(lambda: decode_picture(data, "x", most_pixels=38 * 45 - 1))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("pages", "frames"))])
def test_all_pages_count_unless_one_is_chosen(name: str) -> None:
    message = refusal(lambda: decode_picture(FILES[name], name, most_pixels=2 * 38 * 45))
    assert "3 pages" in message
    assert "--page N" in message
    assert decode_picture(FILES[name], name, page=2, most_pixels=2 * 38 * 45).pixels.shape[:2] == (38, 45)


@pytest.mark.usefixtures("undecoded")
def test_more_than_memory_holds_is_refused_by_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 30)
    message = refusal(lambda: decode_picture(promising(20_000, 20_000), "x.png"))
    assert message == "x.png: 20000x20000 pixels need 6103 MB of memory, and 1024 MB are free"


def test_small_needs_ask_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 0)
    check_header(Header(4000, 4000), "x")
    assert lacks_memory(1 << 28) == ""
    assert lacks_memory((1 << 28) + 1) != ""


def test_this_machine_has_some_memory_and_not_without_end() -> None:
    assert 1 << 20 < free_memory() < 1 << 60


@pytest.mark.parametrize(
    ("text", "limit"), [(None, OPENCV_LIMIT), ("1000", 1000), ("2KB", 2048), ("3Mb", 3 << 20)], ids=str
)
def test_the_limit_is_what_opencv_understands(monkeypatch: pytest.MonkeyPatch, text: str | None, limit: int) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(VARIABLE, text)
    check_environment()
    assert largest_picture() == limit


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "5 MB", "12GB", "9" * 30])
def test_what_would_end_the_process_in_opencv_is_a_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(MissingLibraryError, match=f"{VARIABLE} is '{text}'"):
        check_environment()


@pytest.mark.parametrize(("number", "kept"), [(1, "5000"), (5001, "5001")])
def test_opencv_is_told_of_a_higher_limit_only(monkeypatch: pytest.MonkeyPatch, number: int, kept: str) -> None:
    monkeypatch.setenv(VARIABLE, "5000")
    allow_pixels(number)
    assert os.environ[VARIABLE] == kept


def test_max_pixels_goes_beyond_the_variable(tmp_path: Any, samples: Any) -> None:
    command = [sys.executable, "-m", "cnnfilter", "pool", str(samples / "sprite.png"), "-o", str(tmp_path / "x.png")]
    environment = os.environ | {VARIABLE: "10"}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (refused.returncode, "the limit of 10;" in refused.stderr) == (1, True)
    taken = subprocess.run([*command, "--max-pixels", "1000000"], env=environment, capture_output=True, check=False)
    assert (taken.returncode, taken.stderr) == (0, b"")
