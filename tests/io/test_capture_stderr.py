"""What the libraries write to standard error: kept from the user, and returned to the thread that it is about."""

import ctypes
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnnfilter.errors import ImageFileError
from cnnfilter.io.opencv import capture_stderr
from tests.io import decode_pixels

BAD = "Corrupt JPEG data: bad Huffman code"


def complain(text: str) -> int:
    """Say something as libjpeg does, through C's own stream, and return 7."""
    library = ctypes.CDLL(None)
    library.fputs(text.encode(), ctypes.c_void_p.in_dll(library, "stderr"))
    return 7


def test_what_is_said_is_heard_and_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    said = f"{BAD}\nlibpng warning: two\nPremature end of JPEG file\n"
    assert capture_stderr(lambda: complain(said)) == (7, said.splitlines())
    assert capfd.readouterr() == ("", "")


def test_much_is_heard_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    assert capture_stderr(lambda: complain(f"{BAD}\n" * 100_000))[1] == [BAD] * 100_000
    assert capfd.readouterr() == ("", "")


def test_nothing_is_left_for_the_next() -> None:
    capture_stderr(lambda: complain(BAD))
    assert capture_stderr(lambda: 7) == (7, [])


def test_no_descriptor_is_left_open() -> None:
    """Seen in a process of its own: what other tests left open may be closed meanwhile."""
    code = (
        "import os\n"
        "from cnnfilter.io.opencv import capture_stderr\n"
        "before = os.listdir('/dev/fd')\n"
        "for _ in range(3):\n    capture_stderr(lambda: os.write(2, b'seen '))\n"
        "assert os.listdir('/dev/fd') == before, os.listdir('/dev/fd')\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stderr == b"seen " * 3


def test_standard_error_works_again_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    def complain_and_fail() -> None:
        complain(BAD)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        capture_stderr(complain_and_fail)
    complain("after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_is_no_text_is_heard_all_the_same() -> None:
    def complain_in_latin() -> None:
        library = ctypes.CDLL(None)
        library.fputs(b"libpng \xff\xfe\n", ctypes.c_void_p.in_dll(library, "stderr"))

    assert capture_stderr(complain_in_latin)[1] == ["libpng \ufffd\ufffd"]


def test_what_python_and_other_programs_say_meanwhile_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        os.write(2, b"from here\n")
        complain(f"{BAD}\n")
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('from a child')"], check=True)
        os.write(1, b"data")

    assert capture_stderr(speak)[1] == [BAD]
    assert capfd.readouterr() == ("data", "from here\nfrom a child")


def test_one_thread_waits_for_another_and_hears_what_is_its_own() -> None:
    began, may_end = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_end.wait(10)
        complain(BAD)

    with ThreadPoolExecutor(2) as threads:
        damaged = threads.submit(capture_stderr, work)
        began.wait(10)
        sound = threads.submit(capture_stderr, lambda: None)
        with pytest.raises(TimeoutError):
            sound.result(0.1)
        may_end.set()
        assert (damaged.result(10)[1], sound.result(10)[1]) == ([BAD], [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked there")
def test_a_process_that_is_forked_meanwhile_has_standard_error_and_hears(capfd: pytest.CaptureFixture[str]) -> None:
    began = threading.Event()

    def work() -> None:
        began.set()
        threading.Event().wait(0.2)

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(capture_stderr, work)
        began.wait(10)
        child = os.fork()
        if not child:
            os.write(2, b"from the child")
            os._exit(0 if capture_stderr(lambda: complain(BAD))[1] == [BAD] else 1)
        assert os.waitpid(child, 0)[1] == 0
        slow.result(10)
    assert capfd.readouterr().err == "from the child"


@pytest.mark.parametrize("jobs", [2, 4])
def test_of_many_photos_at_once_the_damaged_are_refused_and_no_other(
    jobs: int, photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sound = photo.read_bytes()
    damaged = bytearray(sound)
    damaged[len(sound) // 2 : len(sound) // 2 + 400] = bytes(400)

    def is_read(number: int) -> bool:
        try:
            decode_pixels(sound if number % 7 else bytes(damaged), "photo.jpg")
        except ImageFileError:
            return False
        return True

    with ThreadPoolExecutor(jobs) as threads:
        assert list(threads.map(is_read, range(70))) == [bool(number % 7) for number in range(70)]
    assert capfd.readouterr() == ("", "")


def test_a_process_without_standard_error_hears_as_well(photo: Path, tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from cnnfilter.errors import ImageFileError\n"
        "from cnnfilter.io.decode import decode_picture\n"
        "data = pathlib.Path(sys.argv[2]).read_bytes()\n"
        "try:\n    decode_picture(data, 'x')\n"
        "except ImageFileError as error:\n    pathlib.Path(sys.argv[1]).write_text(f'{error} {sys.stderr}')\n"
    )
    data = bytearray(photo.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    picture, report = tmp_path / "photo.jpg", tmp_path / "report.txt"
    picture.write_bytes(bytes(data))
    subprocess.run(
        ["sh", "-c", '"$0" -c "$1" "$2" "$3" 2>&-', sys.executable, code, str(report), str(picture)], check=True
    )
    assert "damaged" in report.read_text()
    assert report.read_text().endswith("None")
