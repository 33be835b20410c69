"""Standard output takes all of a result, or the command says that it did not and ends with status 1."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.pictures import decode, save

PLAIN = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
"""The environment of a process whose standard output is buffered."""

BUFFERED = pytest.mark.parametrize(
    "environment", [PLAIN, PLAIN | {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)
WORDS = "convolve noise.png -k identity:1 -o - --format bmp"
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device here is always full")  # noqa: PTH110


@pytest.fixture
def noise(folder: Path) -> Array:
    """Return a picture of 300x300 pixels, which lies in `folder` as `noise.png`."""
    pixels = np.random.default_rng(5).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    save(folder / "noise.png", pixels)
    return pixels


def in_a_shell(line: str, environment: dict[str, str] = PLAIN) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in the current folder, in which `cnnfilter` is this one."""
    program = f'cnnfilter() {{ {sys.executable} -m cnnfilter "$@"; }}; '
    return subprocess.run(["bash", "-c", program + line], capture_output=True, check=False, timeout=60, env=environment)


@pytest.mark.usefixtures("noise")
@BUFFERED
def test_a_file_that_may_not_grow_ends_with_status_1_and_a_line(environment: dict[str, str]) -> None:
    done = in_a_shell(f"ulimit -f 100; cnnfilter {WORDS} > cut.bmp", environment)
    assert done.returncode == 1
    assert done.stderr == b"cnnfilter: standard output: file too large\n"
    assert Path("cut.bmp").stat().st_size <= 102_400


@pytest.mark.usefixtures("noise")
@BUFFERED
def test_a_reader_that_leaves_ends_the_command_quietly_with_status_1(environment: dict[str, str]) -> None:
    done = in_a_shell(f"cnnfilter {WORDS} | head -c 10; exit ${{PIPESTATUS[0]}}", environment)
    assert (done.returncode, len(done.stdout), done.stderr) == (1, 10, b"")


@FULL
@pytest.mark.parametrize(
    "words", ["pool m.txt", "pool m.txt --explain 0,0", "shape 5x5 relu --json", "kernels --matrix sobel-x"]
)
def test_a_full_disk_is_named_by_every_command(folder: Path, words: str) -> None:
    (folder / "m.txt").write_text("1 2\n3 4\n")
    done = in_a_shell(f"cnnfilter {words} > /dev/full", PLAIN | {"PYTHONUNBUFFERED": "1"})
    assert (done.returncode, done.stderr) == (1, b"cnnfilter: standard output: no space left on device\n")


def test_a_pipe_that_does_not_block_takes_the_whole_result(noise: Array) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    words = [sys.executable, "-m", "cnnfilter", *WORDS.split()]
    with subprocess.Popen(words, stdout=writing) as process, os.fdopen(reading, "rb") as pipe:
        os.close(writing)
        data = pipe.read()
    assert process.returncode == 0
    assert np.array_equal(decode(data), noise)


def test_a_current_folder_that_has_been_deleted_is_named(folder: Path) -> None:
    (folder / "m.txt").write_text("1 2\n3 4\n")
    done = in_a_shell("mkdir gone; cd gone; rmdir ../gone; cnnfilter pool ../m.txt -o out.txt")
    reason = f"cnnfilter: {folder / 'gone'}: the current folder has been deleted\n"
    assert (done.returncode, done.stderr.decode()) == (1, reason)
