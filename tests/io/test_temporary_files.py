"""Temporary files: who removes them, and when."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnfilter.io.atomic import TemporaryFiles, write_whole


def left_by(process: int, folder: Path) -> Path:
    """Make a temporary file as a process of this number would."""
    path = folder / f".cnnfilter-{process}-{os.urandom(6).hex()}.part"
    path.write_bytes(b"half")
    return path


@pytest.fixture
def gone() -> int:
    """Return the number of a process that runs no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_two_names_differ_and_lie_beside_the_file() -> None:
    names = set[Path]()
    for _ in range(100):
        with TemporaryFiles().beside(Path("a/b.png")) as name:
            names.add(Path(name))
    assert len(names) == 100
    assert {name.parent for name in names} == {Path("a")}


def test_the_first_file_in_a_folder_sweeps_what_a_process_left_that_is_gone(tmp_path: Path, gone: int) -> None:
    left = left_by(gone, tmp_path)
    write_whole(tmp_path / "a.txt", b"1", TemporaryFiles())
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_process_before_ours_left_under_our_number_is_swept(tmp_path: Path) -> None:
    left = left_by(os.getpid(), tmp_path)
    temporary_files = TemporaryFiles()
    ours = left_by(os.getpid(), tmp_path)
    temporary_files._paths.add(str(ours))
    write_whole(tmp_path / "a.txt", b"1", temporary_files)
    assert (left.exists(), ours.exists()) == (False, True)


@pytest.mark.parametrize("name", ["notes.part", ".cnnfilter-x-000000000000.part", ".cnnfilter-1.part", "cnnfilter.png"])
def test_nothing_else_is_swept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    write_whole(tmp_path / "a.txt", b"1", TemporaryFiles())
    assert (tmp_path / name).exists()


def test_the_file_of_a_process_that_runs_is_left_alone(tmp_path: Path) -> None:
    left = left_by(os.getppid(), tmp_path)
    write_whole(tmp_path / "a.txt", b"1", TemporaryFiles())
    assert left.exists()


def test_a_folder_is_swept_once(tmp_path: Path, gone: int) -> None:
    temporary_files = TemporaryFiles()
    write_whole(tmp_path / "a.txt", b"1", temporary_files)
    left = left_by(gone, tmp_path)
    write_whole(tmp_path / "b.txt", b"1", temporary_files)
    assert left.exists()


def test_all_that_is_abandoned_is_removed_and_nothing_more_is_begun(tmp_path: Path) -> None:
    temporary_files = TemporaryFiles()
    with temporary_files.beside(tmp_path / "a.txt") as done:
        Path(done).write_bytes(b"whole")
    with temporary_files.beside(tmp_path / "b.txt") as first, temporary_files.beside(tmp_path / "c.txt") as second:
        for half in (first, second):
            Path(half).write_bytes(b"half")
        temporary_files.abandon()
        assert [Path(path).exists() for path in (done, first, second)] == [True, False, False]
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "d.txt", b"1", temporary_files)
    assert not (tmp_path / "d.txt").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no file is held there")
@pytest.mark.parametrize("ours", [False, True], ids=["a process that is gone", "our own number"])
def test_a_file_that_is_held_is_left_alone_whatever_its_process_is_called(
    tmp_path: Path, gone: int, ours: bool
) -> None:
    import fcntl  # noqa: PLC0415  Windows has none

    left = left_by(os.getpid() if ours else gone, tmp_path)
    with left.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_whole(tmp_path / "a.txt", b"1", TemporaryFiles())
        assert left.exists()
    write_whole(tmp_path / "b.txt", b"1", TemporaryFiles())
    assert not left.exists()
