"""A batch on a Dask cluster: the files, the messages and the statuses of a batch on one machine."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.compute.tiles import Model
from cnnfilter.io.paths import Job
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.run.inputs import Filtering
from cnnfilter.run.settings import Settings, Work
from tests.conftest import ROOT

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask warns of slow machines and of its own sockets


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    """Return a client beside that of the command."""
    with distributed.Client(cluster, set_as_default=False) as beside:
        yield beside


@pytest.fixture
def desk(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which workers were not started in, with images of several kinds."""
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, 256, (70, 61, 3), np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    cnnfilter.write_image(folder / "rgb.png", pixels)
    cnnfilter.write_image(folder / "deep.tif", pixels[:, :, 0].astype(np.uint16) * 257)
    cnnfilter.write_image(folder / "float.tif", (pixels / 255).astype(np.float32))
    shutil.copy(samples / "sprite.png", folder / "sprite.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def many(desk: Path) -> list[str]:
    """Return the names of 60 small images, of which the one in the middle is damaged."""
    (desk / "many").mkdir()
    names = [f"many/{number:02}.png" for number in range(60)]
    for name in names:
        shutil.copy(desk / "in" / "sprite.png", name)
    Path(names[30]).write_bytes(Path(names[30]).read_bytes()[:90])
    return names


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def read_folder(folder: str) -> dict[str, bytes]:
    """Return the files in a folder by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def without_times(report: str) -> list[dict[str, Any]]:
    """Return the lines of a report without what each run has for itself."""
    return [{**json.loads(line), "seconds": 0, "outputs": 0} for line in report.splitlines()]


COMMANDS = {
    "engines": [
        *("convolve", "-r", "in", "--border", "edge", "--range", "scale"),
        *(
            "-k",
            "sharpen",
            "-k",
            "gaussian:31",
            "-k",
            "box:9",
            "-k",
            "line-diagonal:25",
            "-k",
            "disk:17",
            "-k",
            "disk:9",
        ),
    ],
    "stride": ["convolve", "-r", "in", "-k", "gaussian:9", "-s", "3", "--range", "none", "--format", "npy"],
    "pool": ["pool", "-r", "in", "-m", "avg"],
    "pipeline": ["pipeline", "conv:3x3,6@c relu", "-r", "in", "--init", "he", "--save", "c", "--range", "scale"],
    "augment": ["augment", "rotate:-15..15 noise:5", "-r", "in", "--copies", "2"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("desk")
def test_a_cluster_writes_the_bytes_and_says_the_words_of_one_machine(cluster: Any, name: str) -> None:
    command = [*COMMANDS[name], "--report", "-"]
    here = run(*command, "-o", "here/")
    there = run(*command, "-o", "there/", "--cluster", cluster.scheduler_address)
    assert here.exit_code == there.exit_code == 0, there.stderr
    assert read_folder("here") == read_folder("there")
    assert len(read_folder("here")) >= 3
    assert here.stderr == there.stderr.replace("there/", "here/")
    assert without_times(here.stdout) == without_times(there.stdout.replace("there/", "here/"))


@pytest.mark.usefixtures("many")
def test_a_damaged_file_among_many_fails_alone_and_in_its_turn(cluster: Any) -> None:
    command = ["convolve", "-r", "many", "-k", "emboss", "--report", "-"]
    here = run(*command, "-o", "here/")
    there = run(*command, "-o", "there/", "--cluster", cluster.scheduler_address)
    assert (there.exit_code, there.stderr) == (1, here.stderr)
    assert without_times(there.stdout) == without_times(here.stdout)
    assert read_folder("there") == read_folder("here")
    assert len(read_folder("there")) == 59


def test_fail_fast_starts_no_input_after_one_that_fails(cluster: Any, many: list[str]) -> None:
    done = run(
        *("convolve", *many[25:], "-k", "emboss", "-q", "--fail-fast"),
        *("-o", "there/", "--cluster", cluster.scheduler_address),
    )
    assert done.exit_code == 1
    assert "were not started" in done.stderr
    assert 5 <= len(read_folder("there")) < 15


def test_what_is_printed_comes_in_order(cluster: Any, samples: Path) -> None:
    inputs = [str(samples / name) for name in ("pool-4x4.txt", "sharpen-5x5.txt")]
    command = ["convolve", *inputs, "-k", "sharpen", "-p", "1"]
    assert run(*command, "--cluster", cluster.scheduler_address).stdout == run(*command).stdout


def test_update_compares_times_where_the_work_is_done(cluster: Any, many: list[str]) -> None:
    command = ["pool", *many[:9], "-o", "there/", "--update", "--cluster", cluster.scheduler_address, "--report", "-"]
    assert run(*command).exit_code == 0
    lines = [json.loads(line) for line in run(*command).stdout.splitlines()]
    assert [line["skipped"] for line in lines] == [[f"there/{number:02}.png"] for number in range(9)]


def test_dry_run_needs_no_cluster(many: list[str]) -> None:
    done = run("pool", *many[:3], "-o", "there/", "--dry-run", "--cluster", "tcp://127.0.0.1:1")
    assert (done.exit_code, done.stdout.count(" -> there/")) == (0, 3)


Change = Callable[[str, Callable[[], Any]], Any]
"""Gets the name of an input, and what does the work on it."""


def change_work(change: Change) -> None:
    """Let a worker work on inputs in another way."""
    if not hasattr(Filtering, "unchanged"):
        Filtering.unchanged = Filtering.filter_input  # type: ignore[attr-defined]

    def filter_input(self: Any, jobs: Any) -> Any:
        return change(jobs[0].source, lambda: self.unchanged(jobs))

    Filtering.filter_input = filter_input  # type: ignore[method-assign]


def die_at_31(source: str, work: Callable[[], Any]) -> Any:
    if source.endswith("31.png"):
        os.kill(os.getpid(), signal.SIGKILL)
    return work()


def die_once_after_31(source: str, work: Callable[[], Any]) -> Any:
    outcome = work()
    if source.endswith("31.png") and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome


def take_time(_source: str, work: Callable[[], Any]) -> Any:
    time.sleep(0.03)
    return work()


def do_nothing(_source: str, work: Callable[[], Any]) -> Any:
    return work()


@pytest.fixture
def changing(client: Any) -> Iterator[Callable[[Change], None]]:
    """Return what changes the work of all workers, also of those that replace others, for this test."""
    import cloudpickle  # noqa: PLC0415

    cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["run"]))

    def change_all(change: Change) -> None:
        client.register_worker_callbacks(lambda: change_work(change))

    yield change_all
    change_all(do_nothing)


def test_a_worker_that_is_killed_costs_no_file(
    cluster: Any, client: Any, changing: Callable[[Change], None], many: list[str]
) -> None:
    changing(take_time)
    victim = min(client.run(os.getpid).values())

    def kill_at_first_file() -> None:
        while not read_folder("there"):
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)

    from threading import Thread  # noqa: PLC0415

    killer = Thread(target=kill_at_first_file)
    killer.start()
    done = run("pool", *many, "-q", "-o", "there/", "--cluster", cluster.scheduler_address)
    killer.join()
    assert done.stderr.splitlines()[-1:] == ["cnnfilter: 1 of 60 inputs failed"]  # the damaged one
    assert len(read_folder("there")) == 59


def test_an_input_that_ends_its_workers_fails_alone(
    cluster: Any, changing: Callable[[Change], None], many: list[str]
) -> None:
    changing(die_at_31)
    done = run("pool", *many[30:34], "-q", "-o", "there/", "--cluster", cluster.scheduler_address)
    assert done.stderr.splitlines()[-2:] == [
        "cnnfilter: many/31.png: each worker that worked on it was ended, perhaps because memory ran out",
        "cnnfilter: 2 of 4 inputs failed",
    ]
    assert sorted(read_folder("there")) == ["32.png", "33.png"]


@pytest.mark.parametrize("option", ["--no-clobber", "--update"])
def test_what_a_worker_has_written_before_it_died_was_not_there(
    cluster: Any, changing: Callable[[Change], None], many: list[str], option: str
) -> None:
    inputs = [*many[25:30], *many[31:36]]
    command = ["pool", "--report", "-", option]
    for folder in ("here", "there"):  # one output is older than the batch
        assert run(*command, inputs[0], "-o", f"{folder}/").exit_code == 0
    here = run(*command, *inputs, "-o", "here/")
    changing(die_once_after_31)
    there = run(*command, *inputs, "-o", "there/", "--cluster", cluster.scheduler_address)
    assert Path("died").exists()
    assert (there.exit_code, there.stderr) == (0, here.stderr)
    assert without_times(there.stdout.replace("there/", "here/")) == without_times(here.stdout)
    assert [bool(json.loads(line)["skipped"]) for line in there.stdout.splitlines()] == [True, *[False] * 9]
    assert read_folder("there") == read_folder("here")


@pytest.mark.parametrize("layer", ["", "a"])
def test_a_retry_keeps_what_others_have_written(tmp_path: Path, samples: Path, layer: str) -> None:
    target = tmp_path / "gray.png"
    jobs = [Job(str(samples / "city.png"), 0, target, str(target), layer)]
    work = Work(Settings(no_clobber=True), (Model(parse_network("gray maxpool:2@a", kernel_shape)),), [jobs])
    work = work._replace(begun=time.time_ns())
    worker = Filtering(work)
    first, second = (worker.filter_input(jobs) for _ in range(2))
    assert [output["path"] for output in first.outputs] == [str(target)]
    assert (second.outputs, second.skipped, second.errors) == (first.outputs, [], [])
    target.write_bytes(b"of another program")
    assert Filtering(work).filter_input(jobs).skipped == [str(target)]
    assert target.read_bytes() == b"of another program"


def test_no_scheduler_is_one_line(many: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.cluster._PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        port = silent.getsockname()[1]
        for address in ("tcp://127.0.0.1:1", f"tcp://127.0.0.1:{port}", f"tls://127.0.0.1:{port}"):
            done = run("pool", *many, "-o", "there/", "--cluster", address)
            assert done.exit_code == 1
            reason = "no Dask scheduler answers there; `dask scheduler` starts one, and prints its address"
            assert done.stderr == f"cnnfilter: --cluster {address}: {reason}\n"


def test_other_versions_bring_a_warning_before_the_work(
    cluster: Any, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnfilter.run.cluster.__version__", "9.9")
    done = run("pool", *many[:2], "-o", "there/", "--cluster", cluster.scheduler_address)
    assert done.exit_code == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("cnnfilter: warning: worker tcp://127.0.0.1:")
        assert f"has cnnfilter {cnnfilter.__version__} (here 9.9); last bits of results may differ" in line


def test_a_folder_that_a_worker_does_not_see_is_named_before_the_work(
    cluster: Any, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnfilter.run.cluster._find_missing", lambda folders: folders[-1:])
    done = run("pool", *many, "-o", "there/", "--cluster", cluster.scheduler_address)
    assert done.exit_code == 1
    what = f"does not see {Path('there').absolute()}; workers need folders that all machines see, or an object store"
    assert re.fullmatch(rf"cnnfilter: worker tcp://127\.0\.0\.1:\d+ {re.escape(what)}\n", done.stderr)
    assert not read_folder("there")


def test_workers_that_do_not_start_are_one_line(many: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any, **_options: Any) -> None:
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("distributed.LocalCluster", fail)
    done = run("pool", *many, "-o", "there/", "--cluster", "local:2")
    message = "cnnfilter: --cluster local:2: the workers do not start; local:1 starts one alone\n"
    assert (done.exit_code, done.stderr) == (1, message)


@pytest.mark.parametrize("prefix", ["", 150 * "l"], ids=["short", "long"])
@pytest.mark.usefixtures("desk")
def test_local_workers_leave_no_folder_behind(prefix: str) -> None:
    command = [sys.executable, "-m", "cnnfilter", "pool", "in/rgb.png", "-o", "there/", "--cluster", "local:1"]
    with TemporaryDirectory(prefix=prefix) as folder:  # a long name is too long for sockets, which go elsewhere
        environment = {**os.environ, "TMPDIR": folder, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert [path.name for path in Path(folder).iterdir()] == [
            "dask-scratch-space"
        ]  # Dask's own locks, for all that come


def test_no_input_at_all_is_not_sent(tmp_path: Path) -> None:
    done = run("pool", "-r", str(tmp_path / "none"), "-o", str(tmp_path / "out/"), "--cluster", "local:1")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in/rgb.png", "-o", "out/", "-j", "2"], "-j is for this machine"),
        (["memory://a.png", "-o", "out/"], "memory://a.png: memory:// is within one process"),
        (["in/rgb.png", "-o", "memory://out/"], "memory://out/rgb.png: memory:// is within one process"),
        (["in/rgb.png", "-o", "/dev/null", "--format", "png"], "/dev/null: is a pipe or a device of this machine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("desk")
def test_what_workers_cannot_reach_is_a_usage_error(arguments: list[str], message: str) -> None:
    done = run("pool", *arguments, "--cluster", "tcp://127.0.0.1:1")
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("text", ["", "localhost", "local:0", "local:x", "tcp://host", "host:8786", "tcp://h:1/x y"])
def test_an_address_of_a_cluster_has_a_scheme_and_a_port(text: str) -> None:
    done = run("pool", "a.png", "-o", "b.png", "--cluster", text)
    assert done.exit_code == 2
    assert f"cluster {text!r} is neither an address, such as tcp://host:8786, nor local or local:N" in done.stderr


def test_more_local_workers_than_the_cores_can_use_are_a_usage_error() -> None:
    done = run("pool", "a.png", "-o", "b.png", "--cluster", "local:9999")
    assert done.exit_code == 2
    assert f"cluster local:9999: this machine takes {8 * (os.cpu_count() or 1)} workers at most" in done.stderr


def test_the_page_on_scaling_shows_commands_that_run(many: list[str]) -> None:
    assert many
    text = (ROOT / "cnnfilter" / "help" / "scaling.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("cnnfilter ") and " local:" in line]
    assert commands
    Path("many").rename("photos")
    for command in commands:
        done = run(*command[1:])
        assert done.stderr.splitlines()[-1] == "cnnfilter: 1 of 60 inputs failed"
        assert len(read_folder(command[-1])) == 59


SBATCH = """
for share in share-*; do
    number=${share#share-}
    if [ -s $share ]; then SLURM_ARRAY_TASK_ID=${number#0} sh -c "$4"; fi
done
"""
"""What Slurm does with the command of the page; most of its tasks have no input here."""


@pytest.mark.skipif(not (shutil.which("xargs") and shutil.which("split")), reason="needs xargs and split")
@pytest.mark.parametrize("tool", ["xargs", "sbatch"])
@pytest.mark.usefixtures("desk")
def test_the_page_on_scaling_shows_shares_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    scripts = {"cnnfilter": f'exec {shlex.quote(sys.executable)} -m cnnfilter "$@"', "sbatch": SBATCH}
    for name, script in scripts.items():
        (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("photos").mkdir()
    for name in ("a", "b c"):
        cnnfilter.write_image(f"photos/{name}.jpg", np.zeros((9, 9, 3), np.uint8))
    text = (ROOT / "cnnfilter" / "help" / "scaling.md").read_text(encoding="utf-8")
    (block,) = [part for part in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if f"{tool} " in part]
    done = subprocess.run(["sh", "-c", block], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, sorted(read_folder("relief"))) == (0, "", ["a.jpg", "b c.jpg"])
