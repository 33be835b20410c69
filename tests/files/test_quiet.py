"""What the libraries say on C's standard error: kept from the user, and heard, in the thread that it is about."""

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnnfilter.errors import ImageFileError
from cnnfilter.files import quiet
from cnnfilter.files.quiet import hear
from cnnfilter.files.reading import decode_image

ABOUT = ("bad",)


def complain(text: str) -> int:
    """Say something as libjpeg does, through C's own stream, and return 7."""
    library = ctypes.CDLL(None)
    library.fputs(text.encode(), ctypes.c_void_p.in_dll(library, "stderr"))
    return 7


@pytest.fixture(params=["stream", "descriptor"])
def complaining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], int]]:
    """Return what complains, with C's stream exchanged, and with the descriptor where that cannot be done."""
    if request.param == "stream":
        yield complain
        return
    ear = quiet._exchange_descriptor(quiet._open_nowhere())
    monkeypatch.setattr(quiet, "_ear", lambda _: ear)
    yield lambda text: os.write(2, text.encode()) and 7
    os.close(ear.descriptor)


def test_what_is_said_is_heard_and_not_seen(
    complaining: Callable[[str], int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert hear(lambda: complaining("bad: one\nwarning: two\nbad: three\n"), ABOUT) == (
        7,
        ["bad: one", "bad: three"],
    )
    assert capfd.readouterr() == ("", "")


def test_lines_about_other_things_are_forgotten(complaining: Callable[[str], int]) -> None:
    assert hear(lambda: complaining("libpng warning: iCCP\n"), ABOUT)[1] == []
    assert hear(lambda: complaining("bad\n"))[1] == []


def test_nothing_is_left_for_the_next(complaining: Callable[[str], int]) -> None:
    hear(lambda: complaining("bad\n"), ABOUT)
    assert hear(lambda: 7, ABOUT) == (7, [])


def test_standard_error_works_again_afterwards(
    complaining: Callable[[str], int], capfd: pytest.CaptureFixture[str]
) -> None:
    def complain_and_fail() -> None:
        complaining("bad\n")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hear(complain_and_fail, ABOUT)
    complaining("after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_is_no_text_is_heard_all_the_same() -> None:
    def complain_in_latin() -> None:
        library = ctypes.CDLL(None)
        library.fputs(b"bad \xff\xfe\n", ctypes.c_void_p.in_dll(library, "stderr"))

    assert hear(complain_in_latin, ABOUT)[1] == ["bad \ufffd\ufffd"]


def test_python_and_other_programs_are_seen_while_the_libraries_are_heard(capfd: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        os.write(2, b"from here\n")
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('from a child')"], check=True)
        os.write(1, b"data")

    assert hear(speak, ("from",))[1] == []
    assert capfd.readouterr() == ("data", "from here\nfrom a child")


def test_a_complaint_counts_for_the_thread_that_caused_it_alone() -> None:
    both = threading.Barrier(2)
    runs: list[str] = []

    def run(name: str, text: str) -> list[str]:
        def work() -> None:
            runs.append(name)
            if len(runs) <= 2:
                both.wait(10)  # both are inside when one of them complains
            complain(text)
            if len(runs) <= 2:
                both.wait(10)

        return hear(work, ABOUT)[1]

    with ThreadPoolExecutor(2) as threads:
        damaged = threads.submit(run, "damaged", "bad\n")
        sound = threads.submit(run, "sound", "")
        assert (damaged.result(), sound.result()) == (["bad"], [])
    assert sorted(runs) == ["damaged", "damaged", "sound", "sound"]


def test_nobody_enters_while_one_wants_to_be_alone(complaining: Callable[[str], int]) -> None:
    with ThreadPoolExecutor(1) as threads:
        with quiet._ROOM.visit(alone=True):
            other = threads.submit(hear, lambda: complaining("bad\n"), ABOUT)
            with pytest.raises(TimeoutError):
                other.result(0.1)
        assert other.result(10)[1] == ["bad"]


@pytest.mark.parametrize("jobs", [2, 4])
def test_of_many_photos_at_once_the_damaged_are_refused_and_no_other(
    jobs: int, photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sound = photo.read_bytes()
    damaged = bytearray(sound)
    damaged[len(sound) // 2 : len(sound) // 2 + 400] = bytes(400)

    def is_read(number: int) -> bool:
        try:
            decode_image(sound if number % 7 else bytes(damaged), "photo.jpg")
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
        "from cnnfilter.files.reading import decode_image\n"
        "data = pathlib.Path(sys.argv[2]).read_bytes()\n"
        "try:\n    decode_image(data, 'x')\n"
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


def test_threads_that_begin_at_once_share_one_ear(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[quiet._Ear] = []

    def make(descriptor: int) -> quiet._Ear:
        gate.wait(0.2)  # whoever else comes has the time to
        made.append(quiet._exchange_descriptor(descriptor))
        return made[-1]

    gate = threading.Event()
    monkeypatch.setattr(quiet, "_exchange_stream", make)
    quiet._make_ear.cache_clear()
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda number: hear(lambda: number), range(4))) == [
                (number, []) for number in range(4)
            ]
        assert len(made) == 1
    finally:
        quiet._make_ear.cache_clear()
