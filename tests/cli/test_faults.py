"""What goes wrong around a batch, tried for real: nothing is lost, no file is half, the status is right."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.commands import files
from tests.cli.pictures import load, save
from tests.conftest import ROOT

MODULE = (sys.executable, "-m", "cnnfilter")
COUNT = 24
NAMES = [f"{number:02}.png" for number in range(COUNT)]
BATCH = (*MODULE, "pool", *NAMES, "--size", "1", "-o", "out/", "-j", "2")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    """Return pictures that take a while to write."""
    noise = np.random.default_rng(3).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    return {name: np.roll(noise, number, axis=1) for number, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, pictures: dict[str, Array]) -> Path:
    """Return a folder with all pictures in it, which nobody changes."""
    folder = tmp_path_factory.mktemp("album")
    for name, pixels in pictures.items():
        save(folder / name, pixels)
    return folder


@pytest.fixture
def desk(folder: Path, album: Path) -> Path:
    """Return the current folder, with all pictures in it."""
    return shutil.copytree(album, folder, dirs_exist_ok=True)


def run(*words: str, **told: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the current folder."""
    return subprocess.run(words, capture_output=True, check=False, timeout=120, **told)  # type: ignore[call-overload, no-any-return]


class Running(subprocess.Popen[bytes]):
    """A command that runs; one whose test fails is killed, for it might wait for ever."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind:
            self.kill()
        super().__exit__(kind, error, traceback)


def begin(*words: str) -> Running:
    """Begin a command in the current folder."""
    return Running(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def assert_whole(pictures: dict[str, Array]) -> set[str]:
    """Assert that each output is what it should be, and return which there are; temporary files are not counted."""
    made = {name for name in files(Path("out")) if not name.startswith(".")} if Path("out").exists() else set()
    for name in made:
        assert np.array_equal(load(Path("out", name)), pictures[name])
    return made


def assert_no_temporary_file() -> None:
    """Assert that nothing is left that has no name of its own."""
    assert not list(Path().rglob(".cnnfilter-*"))


def wait_for_outputs(process: subprocess.Popen[bytes], count: int) -> None:
    """Wait until so many outputs, temporary files counted, are there, or the command has ended."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if Path("out").exists() and len(list(Path("out").iterdir())) >= count:
            return
        time.sleep(0.0005)


@pytest.mark.usefixtures("desk")
def test_a_full_disk_names_what_does_not_fit_and_the_rest_is_done(pictures: dict[str, Array]) -> None:
    for name in NAMES[::2]:
        pictures = pictures | {name: np.zeros((4, 4, 3), np.uint8)}
        save(Path(name), pictures[name])
    done = run(*BATCH, preexec_fn=limit_files)
    assert done.returncode == 1
    *failures, counts = done.stderr.decode().splitlines()
    assert failures == [f"cnnfilter: out/{name}: File too large" for name in NAMES[1::2]]
    assert counts == f"cnnfilter: {COUNT // 2} of {COUNT} inputs failed"
    assert assert_whole(pictures) == set(NAMES[::2])
    assert_no_temporary_file()


def limit_files() -> None:
    """Let no file of this process grow beyond 64 KiB, as a disk does that is full."""
    import resource  # noqa: PLC0415  not everywhere

    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


@pytest.fixture
def small_disk(desk: Path) -> Iterator[Path]:
    """Return a folder on a file system of 1 MiB."""
    disk = desk / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_file_system_without_room_keeps_what_fits_whole(small_disk: Path, pictures: dict[str, Array]) -> None:
    done = run(*MODULE, "pool", *NAMES, "--size", "1", "-o", "disk/")
    assert done.returncode == 1
    *failures, counts = done.stderr.decode().splitlines()
    assert all(line.endswith(": No space left on device") for line in failures)
    assert counts == f"cnnfilter: {len(failures)} of {COUNT} inputs failed"
    made = files(small_disk)
    assert len(made) == COUNT - len(failures) > 0
    for name in made:
        assert np.array_equal(load(small_disk / name), pictures[name])


def obey_permissions() -> None:
    """Let a process of the superuser obey the permissions of files, as every other does."""
    if os.geteuid():
        return
    import ctypes  # noqa: PLC0415  for the superuser alone

    drop, override, search = 24, 1, 2  # linux/prctl.h, linux/capability.h
    for capability in (override, search):
        if ctypes.CDLL(None, use_errno=True).prctl(drop, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.fixture
def obeying(tmp_path: Path) -> Callable[[], None]:
    """Return what makes a process obey permissions, where that can be had."""
    (tmp_path / "closed").touch(0o000)
    words = [sys.executable, "-c", "open('closed')"]
    try:
        if not subprocess.run(
            words, cwd=tmp_path, capture_output=True, check=False, preexec_fn=obey_permissions
        ).returncode:
            pytest.skip("the superuser cannot be held to permissions here")
    except subprocess.SubprocessError:
        pytest.skip("the superuser cannot be held to permissions here")
    (tmp_path / "closed").unlink()
    return obey_permissions


@pytest.mark.usefixtures("desk")
def test_a_folder_that_is_read_only_is_named_for_each_output(obeying: Callable[[], None]) -> None:
    Path("out").mkdir(mode=0o555)
    done = run(*BATCH, preexec_fn=obeying)
    assert done.returncode == 1
    *failures, counts = done.stderr.decode().splitlines()
    assert failures == [f"cnnfilter: out/{name}: Permission denied" for name in NAMES]
    assert counts == f"cnnfilter: {COUNT} of {COUNT} inputs failed"
    assert files(Path("out")) == set()


@pytest.mark.usefixtures("desk")
def test_an_input_that_may_not_be_read_is_named_and_the_rest_is_done(
    obeying: Callable[[], None], pictures: dict[str, Array]
) -> None:
    Path(NAMES[5]).chmod(0)
    done = run(*BATCH, preexec_fn=obeying)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"cnnfilter: {NAMES[5]}: Permission denied",
        f"cnnfilter: 1 of {COUNT} inputs failed",
    ]
    assert assert_whole(pictures) == set(NAMES) - {NAMES[5]}


@pytest.mark.usefixtures("desk")
def test_a_folder_that_may_not_be_looked_into_is_named_and_the_rest_is_done(obeying: Callable[[], None]) -> None:
    Path("in/closed").mkdir(parents=True)
    shutil.move(NAMES[0], "in")
    Path("in/closed").chmod(0)
    done = run(*MODULE, "pool", "-r", "in", "-o", "out/", preexec_fn=obeying)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "cnnfilter: in/closed: Permission denied",
        "cnnfilter: 1 of 2 inputs failed",
    ]
    assert files(Path("out")) == {NAMES[0]}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_input_that_is_removed_while_it_waits_is_named_and_the_rest_is_done(
    desk: Path, pictures: dict[str, Array], jobs: str
) -> None:
    os.mkfifo(desk / "first.txt")
    os.mkfifo(desk / "second.txt")
    words = ["first.txt", "second.txt", *NAMES[:4], "--size", "1", "-o", "out/", "-j", jobs]
    with begin(*MODULE, "pool", *words) as process:
        with (desk / "first.txt").open("w") as pipe:
            Path(NAMES[1]).unlink()
            pipe.write("1\n")
        (desk / "second.txt").write_text("2\n")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.decode().splitlines() == [
        f"cnnfilter: {NAMES[1]}: No such file or directory",
        "cnnfilter: 1 of 6 inputs failed",
    ]
    for name in ("first.txt", "second.txt"):
        Path("out", name).unlink()
    assert assert_whole(pictures) == {NAMES[0], NAMES[2], NAMES[3]}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_of_results_that_is_removed_is_not_made_again(desk: Path, jobs: str) -> None:
    os.mkfifo(desk / "first.txt")
    os.mkfifo(desk / "second.txt")
    words = ["first.txt", "second.txt", NAMES[0], "--size", "1", "-o", "out/", "-j", jobs]
    with begin(*MODULE, "pool", *words) as process:
        with (desk / "first.txt").open("w") as pipe:
            Path("out").rmdir()  # it was made before the first input is read
            pipe.write("1\n")
        (desk / "second.txt").write_text("2\n")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.decode().splitlines() == [
        *(f"cnnfilter: out/{name}: no such folder: out" for name in ("first.txt", "second.txt", NAMES[0])),
        "cnnfilter: 3 of 3 inputs failed",
    ]
    assert not Path("out").exists()


def test_a_folder_that_a_template_names_is_not_made_again_but_named(desk: Path) -> None:
    os.mkfifo(desk / "pipe.txt")
    Path("out").mkdir()
    with begin(*MODULE, "pool", "pipe.txt", "--size", "1", "-o", "out/x.txt") as process:
        with (desk / "pipe.txt").open("w") as pipe:
            Path("out").rmdir()
            Path("out").write_text("in the way")
            pipe.write("1\n")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.startswith(b"cnnfilter: out/x.txt: ")
    assert said.count(b"\n") == 1
    assert Path("out").read_text() == "in the way"


@pytest.mark.usefixtures("desk")
def test_kill_leaves_whole_files_and_what_is_left_is_swept(pictures: dict[str, Array]) -> None:
    for moment in range(10):
        with begin(*BATCH, "--update") as process:
            wait_for_outputs(process, 2 * moment + 1)
            process.kill()
        assert_whole(pictures)
    done = run(*BATCH, "--update")
    assert (done.returncode, done.stderr) == (0, b"")
    assert assert_whole(pictures) == set(NAMES)
    assert_no_temporary_file()


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupt_leaves_whole_files_and_nothing_else(
    pictures: dict[str, Array], number: signal.Signals, status: int
) -> None:
    for moment in (1, 3, 8):
        shutil.rmtree("out", ignore_errors=True)
        with begin(*BATCH) as process:
            wait_for_outputs(process, moment)
            process.send_signal(number)
            said, complained = process.communicate(timeout=60)
        assert (process.returncode, said, complained.strip()) == (status, b"", b"")  # ^C of a terminal ends its line
        assert len(assert_whole(pictures)) < COUNT
        assert_no_temporary_file()
    assert run(*BATCH, "--update").returncode == 0
    assert assert_whole(pictures) == set(NAMES)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture that takes a while to write."""
    path = tmp_path_factory.mktemp("large") / "large.ppm"
    save(path, np.random.default_rng(1).integers(0, 256, (2000, 2000, 3)).astype(np.uint8))
    return path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupt_of_one_input_leaves_nothing_either(large: Path, number: signal.Signals, status: int) -> None:
    for _ in range(3):
        Path("out").mkdir(exist_ok=True)
        with begin(*MODULE, "convolve", str(large), "-k", "identity:1", "-o", "out/a.ppm") as process:
            wait_for_outputs(process, 1)
            process.send_signal(number)
            process.communicate(timeout=60)
        assert process.returncode in {0, status}  # it may have ended before
        assert_no_temporary_file()
        shutil.rmtree("out")


def test_an_interrupt_does_not_wait_for_an_input_that_does_not_come(desk: Path) -> None:
    os.mkfifo(desk / "slow.txt")
    with begin(*MODULE, "pool", "slow.txt", *NAMES, "-o", "out/", "-j", "2") as process:
        wait_for_outputs(process, 3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, b"")
    assert_no_temporary_file()


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_reader_that_has_gone_ends_a_batch_without_a_word(jobs: str) -> None:
    for number in range(200):
        np.savetxt(f"{number:03}.txt", np.full((40, 40), number), fmt="%d")
    line = f'set -o pipefail; "$0" -m cnnfilter pool [0-9]*.txt -j {jobs} | head -n 1'
    done = run("bash", "-c", line, sys.executable)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout == b"# 000.txt maxpool:2\n"


@pytest.mark.usefixtures("desk")
def test_two_runs_on_the_same_outputs_do_not_disturb_each_other(pictures: dict[str, Array]) -> None:
    for _ in range(3):
        both = [begin(*BATCH), begin(*BATCH)]
        for process in both:
            said, complained = process.communicate(timeout=60)
            assert (process.returncode, said, complained) == (0, b"", b"")
        assert assert_whole(pictures) == set(NAMES)
        assert_no_temporary_file()


@pytest.mark.usefixtures("desk")
def test_what_is_said_is_heard_while_others_decode() -> None:
    for name in NAMES[::2]:
        Path(name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = run(*BATCH, "-j", "4")
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == NAMES[::2]
    assert lines[-1] == f"cnnfilter: {COUNT // 2} of {COUNT} inputs failed"


@pytest.mark.usefixtures("desk")
def test_standard_streams_that_are_closed_are_not_taken_for_files_of_ours(pictures: dict[str, Array]) -> None:
    line = f'"$0" -m cnnfilter pool /dev/stdin {NAMES[0]} {NAMES[1]} --size 1 -j 2 -o "out-{{index}}.png"'
    done = run("bash", "-c", f"{line} <&-", sys.executable)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == b"cnnfilter: 1 of 3 inputs failed"
    assert np.array_equal(load("out-2.png"), pictures[NAMES[0]])
    line = f'"$0" {" ".join(BATCH[1:])} -q <&- >&- 2>&-'
    assert run("bash", "-c", line, sys.executable).returncode == 0
    assert assert_whole(pictures) == set(NAMES)


def peak(*words: str) -> int:
    """Run a command, and return how much memory it held at most, in KiB."""
    with begin(*words) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.usefixtures("folder")
def test_memory_does_not_grow_with_the_number_of_inputs() -> None:
    noise = np.random.default_rng(4).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    for folder, count in (("few", 100), ("many", 2000)):
        Path(folder).mkdir()
        save(Path(folder, "0000.png"), noise)
        for number in range(1, count):
            Path(folder, f"{number:04}.png").hardlink_to(Path(folder, "0000.png"))
    few, many = (peak(*MODULE, "pool", "-r", name, "-o", f"{name}-out/", "-j", "2") for name in ("few", "many"))
    assert len(files(Path("many-out"))) == 2000
    assert many - few < 8 << 10


# make

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the samples and their makefile, as many pictures more, and what make makes of them."""
    folder = tmp_path_factory.mktemp("made")
    for path in [*(ROOT / "samples").glob("*.png"), ROOT / "samples" / "Makefile"]:
        shutil.copy(path, folder)
    for number in range(3):
        shutil.copy(ROOT / "samples" / "city.png", folder / f"city-{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        tell_make(patch)
        subprocess.run(["make", "-j4"], check=True, capture_output=True, cwd=folder)
    assert len(targets(folder)) == 2 * len(list(folder.glob("*.png")))
    return folder


@pytest.fixture
def workshop(made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, in which everything is made."""
    tell_make(monkeypatch)
    return shutil.copytree(made, folder, dirs_exist_ok=True)


def tell_make(patch: pytest.MonkeyPatch) -> None:
    """Let make run this program, and nothing tell it how."""
    patch.setenv("CNNFILTER", f"{sys.executable} -m cnnfilter")
    patch.delenv("MAKEFLAGS", raising=False)


def targets(folder: Path) -> dict[str, bytes]:
    """Return what make has made."""
    found = [path for name in ("sharp", "small") for path in (folder / name).glob("*.png")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@needs_make
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_make_that_is_interrupted_and_run_again_ends_with_all_targets_right(
    workshop: Path, number: signal.Signals
) -> None:
    right = targets(workshop)
    subprocess.run(["make", "clean"], check=True, capture_output=True)
    assert targets(workshop) == {}
    for moment in range(3):
        with subprocess.Popen(
            ["make", "-j4"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            end = time.monotonic() + 60
            while process.poll() is None and len(targets(workshop)) < 4 * moment + 1 and time.monotonic() < end:
                time.sleep(0.001)
            os.killpg(process.pid, number)
            process.communicate(timeout=60)
        assert targets(workshop).items() <= right.items()
    last = subprocess.run(["make", "-j4"], check=False, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert targets(workshop) == right
    again = subprocess.run(["make", "-j4"], check=True, capture_output=True, text=True)
    assert "convolve" not in again.stdout


@needs_make
@pytest.mark.usefixtures("workshop")
def test_make_makes_again_what_hangs_on_a_picture_that_has_changed() -> None:
    times = {path: path.stat().st_mtime_ns for path in Path().glob("s*/*.png")}
    later = time.time_ns() + 10**9
    os.utime("chart.png", ns=(later, later))
    subprocess.run(["make", "-j4"], check=True, capture_output=True)
    changed = {str(path) for path, before in times.items() if path.stat().st_mtime_ns != before}
    assert changed == {"sharp/chart.png", "small/chart.png"}
