"""What only a process shows: `python -m cnnfilter` and the script, exit status, streams of bytes, an interrupt."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.pictures import decode, levels, load

SCRIPT = Path(sys.executable).with_name("cnnfilter")
MODULE = (sys.executable, "-m", "cnnfilter")


def run(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command in the current folder, and return its status and its bytes."""
    return subprocess.run([str(word) for word in words], input=given, capture_output=True, check=False)


def in_a_shell(redirected: str) -> subprocess.CompletedProcess[bytes]:
    """Run `cnnfilter ARGUMENTS` with the redirections of a shell."""
    return run("sh", "-c", f'"$0" -m cnnfilter {redirected}', sys.executable)


def test_the_module_is_the_command_and_silent_on_success_with_status_0(colours: Array) -> None:
    done = run(*MODULE, "pool", "colours.png", "-o", "small.png")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert np.array_equal(load("small.png"), colours[:20].reshape(10, 2, 13, 2, 3).max(axis=(1, 3)))


def test_an_input_that_fails_is_status_1_and_one_line_with_the_counts_below(folder: Path, colours: Array) -> None:
    done = run(*MODULE, "pool", "missing.png", "colours.png", "-o", "out/")
    assert (done.returncode, done.stdout) == (1, b"")
    failure = b"cnnfilter: missing.png: No such file or directory\n"
    assert done.stderr == failure + b"cnnfilter: 1 of 2 inputs failed\n"
    assert load(folder / "out" / "colours.png").shape[2] == colours.shape[2]


@pytest.mark.usefixtures("folder")
def test_a_mistake_of_usage_is_status_2_in_the_form_of_click() -> None:
    done = run(*MODULE, "pool", "--size", "0", "m.txt")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Usage: cnnfilter pool [OPTIONS] INPUT...\n")
    assert b"Traceback" not in done.stderr


def test_the_script_is_the_command_and_a_picture_goes_through_it_as_bytes(folder: Path, colours: Array) -> None:
    data = (folder / "colours.png").read_bytes()
    done = run(SCRIPT, "convolve", "-", "-k", "2", "-o", "-", "--format", "png", "-q", given=data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert np.array_equal(decode(done.stdout), levels(2.0 * colours))


@pytest.mark.usefixtures("folder")
def test_a_matrix_goes_through_as_text() -> None:
    done = run(SCRIPT, "convolve", "-", "-k", "1 1", given=b"1 2 3\r\n4 5 6\r\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"3  5\n9 11\n", b"")


def test_an_interrupt_ends_with_status_130_and_leaves_nothing(folder: Path) -> None:
    os.mkfifo(folder / "slow.txt")
    command = [*MODULE, "pool", "slow.txt", "-o", "out.txt"]
    # The pipe opens for writing when the command has opened it for reading, and waits.
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process, (folder / "slow.txt").open("wb"):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode in {130, -signal.SIGINT}  # Python may hand the signal on; a shell sees 130 either way
    assert b"Traceback" not in said
    assert [path.name for path in folder.iterdir()] == ["slow.txt"]


@pytest.mark.usefixtures("folder")
def test_a_standard_input_that_is_closed_is_one_line() -> None:
    done = in_a_shell("pool - <&-")
    assert done.returncode in {1, 2}
    assert b"Traceback" not in done.stderr
    assert b"standard input" in done.stderr


@pytest.mark.parametrize(("where", "reason"), [(">/dev/full", b"output: no space left"), (">&-", b"standard output")])
def test_a_standard_output_that_takes_nothing_is_one_line(folder: Path, where: str, reason: bytes) -> None:
    (folder / "m.txt").write_text("1 2\n")
    done = in_a_shell(f"convolve m.txt -k 1 {where}")
    assert done.returncode == 1
    assert done.stderr.startswith(b"cnnfilter: ")
    assert reason in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_has_gone_is_no_reason_for_a_word(folder: Path) -> None:
    np.save(folder / "large.npy", np.zeros((500, 500)))
    done = in_a_shell("pool large.npy | head -c 5")
    assert done.stdout == b"0 0 0"
    assert done.stderr == b""
