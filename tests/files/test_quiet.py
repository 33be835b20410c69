"""What is written to file descriptor 2: kept from the user, and heard."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cnnfilter.files.quiet import captured_complaints


def test_lines_written_to_the_descriptor_are_heard_and_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_complaints() as complaints:
        os.write(2, b"libpng error: bad\nCorrupt JPEG data\n")
    assert complaints == ["libpng error: bad", "Corrupt JPEG data"]
    assert capfd.readouterr() == ("", "")


def test_a_program_run_in_the_block_is_heard_too(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_complaints() as complaints:
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('from a child')"], check=True)
    assert complaints == ["from a child"]
    assert capfd.readouterr() == ("", "")


def test_a_quiet_block_holds_no_complaint() -> None:
    with captured_complaints() as complaints:
        pass
    assert complaints == []


def test_standard_output_goes_its_way(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_complaints() as complaints:
        os.write(1, b"data")
    assert complaints == []
    assert capfd.readouterr() == ("data", "")


def test_standard_error_works_again_after_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_complaints():
        os.write(2, b"inside\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_standard_error_works_again_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    def complain_and_fail() -> None:
        with captured_complaints():
            os.write(2, b"before it fails\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        complain_and_fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_was_said_before_the_block_is_not_swallowed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(2, "w", closefd=False, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        stream.write("before, without a line end")
        with captured_complaints() as complaints:
            os.write(2, b"inside\n")
            stream.flush()
    assert complaints == ["inside"]
    assert capfd.readouterr().err == "before, without a line end"


def test_bytes_that_are_no_text_are_heard_all_the_same() -> None:
    with captured_complaints() as complaints:
        os.write(2, b"name \xff\xfe\n")
    assert complaints == ["name \ufffd\ufffd"]


def test_no_descriptor_is_left_open() -> None:
    def free() -> list[int]:
        descriptors = [os.dup(1) for _ in range(10)]
        for descriptor in descriptors:
            os.close(descriptor)
        return descriptors

    before = free()
    for _ in range(5):
        with captured_complaints():
            os.write(2, b"x")
    assert free() == before


def test_a_second_thread_waits_until_the_first_has_heard_all() -> None:
    entered = threading.Event()
    heard: list[list[str]] = []

    def complain() -> None:
        with captured_complaints() as complaints:
            entered.set()
            os.write(2, b"second\n")
        heard.append(complaints)

    second = threading.Thread(target=complain)
    with captured_complaints() as first:
        second.start()
        early = entered.wait(0.2)
        os.write(2, b"first\n")
    second.join()
    assert not early
    assert first == ["first"]
    assert heard == [["second"]]


def test_a_process_without_standard_error_hears_as_well(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from cnnfilter.files.quiet import captured_complaints\n"
        "with captured_complaints() as complaints:\n    os.write(2, b'heard')\n"
        "pathlib.Path(sys.argv[1]).write_text(f'{complaints} {sys.stderr}')\n"
    )
    report = tmp_path / "report.txt"
    subprocess.run(["sh", "-c", '"$0" -c "$1" "$2" 2>&-', sys.executable, code, str(report)], check=True)
    assert report.read_text() == "['heard'] None"
