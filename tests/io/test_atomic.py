"""Files that appear whole or not at all."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnfilter.errors import ImageFileError
from cnnfilter.io.atomic import TemporaryFiles, check_writable, write_whole


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.bin", b"\x00\xff" * 1000)
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff" * 1000
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bin"]


def test_an_empty_file_is_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.bin", b"")
    assert (tmp_path / "a.bin").read_bytes() == b""


def test_a_file_is_written_into_no_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"new/a\.bin: no such folder: .*new$"):
        write_whole(tmp_path / "new/a.bin", b"data")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("new/a.d", "no such folder: "), ("", "is a folder"), ("pipe", "is not a regular file"), ("x" * 300, "too long")],
    ids=["no folder", "a folder", "a pipe", "a long name"],
)
def test_what_could_not_be_written_is_seen_before(tmp_path: Path, name: str, reason: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageFileError, match=reason):
        check_writable(tmp_path / name)
    check_writable(tmp_path / "a.d")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"a longer text that was there before")
    path.chmod(0o604)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o7777 == 0o604


@pytest.fixture
def _mask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_mask")
def test_a_new_file_gets_the_mode_that_the_mask_leaves(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.bin", b"data")
    assert (tmp_path / "a.bin").stat().st_mode & 0o7777 == 0o640
    assert os.umask(0o027) == 0o027


def test_the_target_is_as_it_was_until_the_new_file_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    seen: list[tuple[bytes, bytes]] = []
    replace = os.replace

    def watch(source: str | Path, target: str | Path) -> None:
        seen.append((Path(source).read_bytes(), Path(target).read_bytes()))
        assert Path(source).parent == tmp_path  # one file system, or it would not be at once
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_whole(path, b"new and whole")
    assert seen == [(b"new and whole", b"old")]
    assert path.read_bytes() == b"new and whole"


@pytest.mark.parametrize("function", ["replace", "open"])
@pytest.mark.parametrize("existing", [True, False], ids=["over-a-file", "new"])
def test_a_failure_is_one_line_and_leaves_everything_as_it_was(
    function: str, existing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    if existing:
        path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(ImageFileError) as caught:
        write_whole(path, b"new")
    assert str(caught.value) == f"{path}: No space left on device"
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("a.bin", b"old")] * existing


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_system_stops_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from cnnfilter.errors import ImageFileError\n"
        "from cnnfilter.io.atomic import write_whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n    write_whole(Path(sys.argv[1]), bytes(100_000))\n"
        "except ImageFileError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: File too large\n"
    assert done.stderr == ""
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "a.bin"
    with pytest.raises(ImageFileError) as caught:
        write_whole(path, b"new")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [200, 255])
def test_a_name_as_long_as_the_system_allows_is_written(length: int, tmp_path: Path) -> None:
    path = tmp_path / ("a" * (length - 4) + ".png")
    write_whole(path, b"data")
    assert path.read_bytes() == b"data"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for the state of a process")
def test_a_process_that_has_ended_writes_no_more_though_nobody_has_asked_how(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        left = tmp_path / f".cnnfilter-{process.pid}-{'0' * 12}.part"
        left.touch()
        TemporaryFiles().sweep(tmp_path)
        assert not left.exists()
