"""Inputs from files to files: what is done, what is said, what fails."""

import faulthandler
import os
import signal
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import Program, run_program
from cnnfilter.compute.state_dict import Need, RandomWeights
from cnnfilter.compute.threads import count_cores
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import OutputError
from cnnfilter.io.atomic import Encoded
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.paths import Job, OutputRequest, name_input, plan_outputs
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.log import listening, tell
from cnnfilter.nn.language import parse_network
from cnnfilter.run import inputs
from cnnfilter.run.inputs import Outcome, read_input
from cnnfilter.run.process_pool import work_in_order
from cnnfilter.run.settings import Settings, Work

MATRIX = np.array([[1.0, -2, 3], [4, 5, -6]])


@dataclass
class Recorder:
    """Keeps what it is told, in the order in which it is told."""

    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    outputs: list[Encoded] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list, compare=False)
    failed: int = 0

    def hear(self, outcome: Outcome) -> None:
        """Keep what came of an input, and tell its details."""
        self.sources.append(outcome.source)
        self.failed += bool(outcome.errors)
        for kind, content in outcome.events:
            if kind == "note":
                self.warnings.append(f"{name_input(outcome.source)}: {content}")
            elif kind == "failure":
                self.failures.append(content)
            elif kind == "output":
                self.outputs.append(content)
            else:
                tell("%s", content, level=kind)
                continue
            self.order.append(kind)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with three matrices in it."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate("abc", 1):
        np.save(f"{name}.npy", MATRIX * number)
    return tmp_path


def by_input(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the jobs of each input."""
    return [list(group) for _, group in groupby(jobs, key=lambda job: job.source)]


def work(sources: list[str], output: str | None, *networks: str, **told: object) -> Work:
    """Return the work of running networks on inputs."""
    parsed = [parse_network(text, kernel_shape) for text in networks]
    kernels = tuple(f"k{number}" for number in range(len(parsed))) if len(parsed) > 1 else ()
    jobs = plan_outputs(sources, OutputRequest(output, kernels=kernels))
    settings = Settings(**{name: told.pop(name) for name in tuple(told) if name in Settings._fields})  # type: ignore[arg-type]
    return Work(settings, tuple(map(Model, parsed)), by_input(jobs), **told)  # type: ignore[arg-type]


def run_batch(work: Work, recorder: Recorder) -> int:
    """Carry out all jobs, and return how many inputs failed."""
    before = recorder.failed
    inputs.run_batch(work, recorder.hear)
    return recorder.failed - before


def test_every_input_is_read_run_and_written() -> None:
    recorder = Recorder()
    assert run_batch(work(["a.npy", "b.npy", "c.npy"], "out/", "relu"), recorder) == 0
    for number, name in enumerate("abc", 1):
        assert np.array_equal(np.load(f"out/{name}.npy"), np.maximum(MATRIX * number, 0))
    assert recorder == Recorder()


def test_an_input_that_fails_is_told_and_counted_and_the_others_are_done() -> None:
    Path("b.npy").write_text("broken")
    recorder = Recorder()
    assert run_batch(work(["a.npy", "b.npy", "none.npy", "c.npy"], "out/", "relu"), recorder) == 2
    assert [line.split(": ")[0] for line in recorder.failures] == ["b.npy", "none.npy"]
    assert all("\n" not in line for line in recorder.failures)
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.npy", "c.npy"]


def test_the_first_failure_ends_it_where_that_is_asked() -> None:
    Path("b.npy").write_text("broken")
    recorder = Recorder()
    assert (
        run_batch(work(["a.npy", "b.npy", "none.npy", "c.npy"], "out/", "relu", fail_fast=True, jobs=1), recorder) == 1
    )
    assert len(recorder.failures) == 1
    assert [path.name for path in Path("out").iterdir()] == ["a.npy"]


def test_an_input_counts_once_however_many_of_its_kernels_fail() -> None:
    recorder = Recorder()
    networks = ("dwconv:box:3", "dwconv:[2]", "dwconv:box:5")
    assert run_batch(work(["a.npy", "b.npy"], "out/", *networks), recorder) == 2
    assert [line.split(": ")[0] for line in recorder.failures] == ["a.npy", "a.npy", "b.npy", "b.npy"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a-k1.npy", "b-k1.npy"]
    assert np.array_equal(np.load("out/b-k1.npy"), 4 * MATRIX)


def test_what_exists_is_skipped_unread_where_that_is_asked() -> None:
    Path("out").mkdir()
    Path("out/b.npy").write_text("kept")
    Path("b.npy").write_text("broken, which nobody notices")
    recorder = Recorder()
    assert run_batch(work(["a.npy", "b.npy"], "out/", "relu", no_clobber=True), recorder) == 0
    assert Path("out/b.npy").read_text() == "kept"
    assert Path("out/a.npy").exists()
    assert recorder == Recorder()


def test_only_the_kernels_whose_output_is_missing_are_run() -> None:
    Path("out").mkdir()
    Path("out/a-k0.npy").write_text("kept")
    assert run_batch(work(["a.npy"], "out/", "relu", "abs", no_clobber=True), Recorder()) == 0
    assert Path("out/a-k0.npy").read_text() == "kept"
    assert np.array_equal(np.load("out/a-k1.npy"), np.abs(MATRIX))


def test_a_result_without_a_file_goes_to_the_listener() -> None:
    recorder = Recorder()
    assert run_batch(work(["a.npy"], None, "relu"), recorder) == 0
    assert recorder.outputs == [b"1 0 3\n4 5 0\n"]


def test_several_results_without_a_file_have_titles() -> None:
    recorder = Recorder()
    assert run_batch(work(["a.npy", "b.npy"], None, "relu"), recorder) == 0
    assert recorder.outputs == [b"# a.npy relu\n", b"1 0 3\n4 5 0\n", b"# b.npy relu\n", b"2  0 6\n8 10 0\n"]


def test_standard_input_is_what_the_work_holds() -> None:
    recorder = Recorder()
    assert run_batch(work(["-"], "out.npy", "abs", stdin=b"1 -2\n"), recorder) == 0
    assert np.array_equal(np.load("out.npy"), [[1, 2]])
    assert run_batch(work(["-"], "out.npy", "abs", stdin=b"1 -2\n3\n"), recorder) == 1
    (failure,) = recorder.failures
    assert failure.startswith("standard input: line 2")


def test_warnings_name_the_input_and_come_once_the_result_is_sure() -> None:
    recorder = Recorder()
    assert run_batch(work(["a.npy"], "out.png", "dwconv:[100]"), recorder) == 0
    (warning,) = recorder.warnings
    assert warning.startswith("a.npy: 83.3 % of the values")
    recorder = Recorder()
    assert run_batch(work(["a.npy"], "out.png", "conv:[100],[200]"), recorder) == 1
    assert recorder.order == ["failure"]


def test_only_networks_that_were_written_as_such_bring_warnings_on_sums() -> None:
    np.save("volume.npy", np.ones((4, 4, 3)))
    for pipeline, count in ((True, 1), (False, 0)):
        recorder = Recorder()
        assert run_batch(work(["volume.npy"], "out.npy", "conv:box:3", pipeline=pipeline), recorder) == 0
        assert sum("sums 3 channels" in warning for warning in recorder.warnings) == count
        assert np.allclose(np.load("out.npy"), 3)


@pytest.mark.parametrize(
    ("range_", "depth", "expected"),
    [
        (None, None, [[1, 0, 3], [4, 5, 0]]),
        (Range.ABS, None, [[1, 2, 3], [4, 5, 6]]),
        (Range.OFFSET, None, [[129, 126, 131], [132, 133, 122]]),
        (
            Range.MAX,
            Depth.SIXTEEN,
            [
                [
                    10922,
                    0,
                    32768,
                ],
                [43690, 54612, 0],
            ],
        ),
    ],
)
def test_range_and_depth_are_those_of_the_work(
    range_: Range | None, depth: Depth | None, expected: list[list[int]]
) -> None:
    assert run_batch(work(["a.npy"], "out.png", "dwconv:[1]", range_=range_, depth=depth), Recorder()) == 0
    stored = cv2.imread("out.png", cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored.dtype == (np.uint16 if depth else np.uint8)
    assert stored.tolist() == expected


def test_memory_that_is_short_fails_one_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(program: Program, image: Array, **told: Any) -> Array:
        if image[0, 0, 0] == 2:
            raise MemoryError
        return run_program(program, image, **told)

    monkeypatch.setattr("cnnfilter.compute.tiles.run_program", run)
    recorder = Recorder()
    assert run_batch(work(["a.npy", "b.npy", "c.npy"], "out/", "relu"), recorder) == 1
    assert recorder.failures == ["b.npy: not enough memory"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.npy", "c.npy"]


def test_a_bug_fails_its_input_alone_and_asks_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(program: Program, image: Array, **told: Any) -> Array:
        if image[0, 0, 0] == 2:
            raise ZeroDivisionError("by nothing")
        return run_program(program, image, **told)

    monkeypatch.setattr("cnnfilter.compute.tiles.run_program", run)
    recorder, details = Recorder(), list[str]()
    with listening(lambda _level, message, *values: details.append(message % values)):
        assert run_batch(work(["a.npy", "b.npy", "c.npy"], "out/", "relu"), recorder) == 1
    (failure,) = recorder.failures
    assert failure.startswith("b.npy: ZeroDivisionError: by nothing; this is a mistake in cnnfilter, please report it")
    assert "\n" not in failure
    assert "Traceback (most recent call last):" in details
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.npy", "c.npy"]


def test_a_file_that_the_system_refuses_is_one_failure() -> None:
    planned = work(["a.npy", "b.npy"], "out/", "relu")
    for name in ("a.npy", "b.npy"):
        Path("out", name).mkdir(parents=True)
    recorder = Recorder()
    assert run_batch(planned, recorder) == 2
    assert [line.split(": ")[0] for line in recorder.failures] == ["out/a.npy", "out/b.npy"]
    assert [path.is_dir() for path in Path("out").iterdir()] == [True, True]


def test_a_folder_that_cannot_be_made_is_refused_before_any_input_is_read() -> None:
    planned = work(["a.npy", "b.npy"], "out/", "relu")
    Path("out").write_text("in the way")
    recorder = Recorder()
    with pytest.raises(OutputError, match="out: File exists"):
        run_batch(planned, recorder)
    assert recorder.order == []
    assert Path("out").read_text() == "in the way"


def test_no_half_written_file_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("out.npy", MATRIX)
    before = Path("out.npy").read_bytes()

    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    recorder = Recorder()
    assert run_batch(work(["b.npy"], "out.npy", "relu"), recorder) == 1
    assert recorder.failures == ["out.npy: No space left on device"]
    assert Path("out.npy").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["a.npy", "b.npy", "c.npy", "out.npy"]


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("output", ["out/", None])
def test_a_process_holds_one_picture_at_a_time(
    processes: int, output: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[Array]] = []

    def read(source: str, work: Work) -> Picture:
        picture = read_input(source, work)
        held.append(weakref.ref(picture.pixels))
        tell("held %s", sum(each() is not None for each in held))
        return picture

    monkeypatch.setattr("cnnfilter.run.inputs.read_input", read)
    names = [f"{number}.npy" for number in range(40)]
    for number, name in enumerate(names):
        np.save(name, MATRIX * number)
    recorder, details = Recorder(), list[str]()
    with listening(lambda _level, message, *values: details.append(message % values)):
        assert run_batch(work(names, output, "relu", jobs=processes), recorder) == 0
    assert [text for text in details if text.startswith("held")] == ["held 1"] * 40
    assert recorder.sources == names


def test_several_inputs_have_one_thread_of_opencv_each_and_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.inputs.count_cores", lambda: 2)
    usual, cores = cv2.getNumThreads(), count_cores()

    def run(program: Program, image: Array, **told: Any) -> Array:
        tell("%s threads of OpenCV, %s cores, %s", cv2.getNumThreads(), count_cores(), os.getpid() == process)
        return run_program(program, image, **told)

    process = os.getpid()
    monkeypatch.setattr("cnnfilter.compute.tiles.run_program", run)
    alone, shared = f"{usual} threads of OpenCV, {cores} cores, True", "1 threads of OpenCV, 1 cores, "
    for sources, processes, expected in (
        (["a.npy", "b.npy"], None, f"{shared}False"),
        (["a.npy"], None, alone),
        (["a.npy"], 2, alone),
        (["a.npy"], 1, f"{shared}True"),
        (["a.npy", "b.npy"], 1, f"{shared}True"),
    ):
        details: list[str] = []
        with listening(lambda _level, message, *values, heard=details: heard.append(message % values)):
            run_batch(work(sources, "out/", "relu", jobs=processes), Recorder())
        assert [text for text in details if "OpenCV" in text] == [expected] * len(sources)
        assert (cv2.getNumThreads(), count_cores()) == (usual, cores)


def crash_on(value: float, how: Callable[[], None]) -> Callable[..., Array]:
    """Return what runs networks, but for an image that begins with a value."""

    def run(program: Program, image: Array, **told: Any) -> Array:
        if image[0, 0, 0] == value:
            how()
        return run_program(program, image, **told)

    return run


def send(number: signal.Signals) -> None:
    """Send a signal to this process, of which pytest says nothing."""
    faulthandler.disable()
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (partial(send, signal.SIGSEGV), "was ended by signal 11, Segmentation fault"),
        (partial(send, signal.SIGKILL), "was ended by signal 9, Killed, perhaps because memory ran out"),
        (partial(os._exit, 3), "ended with status 3"),
    ],
    ids=["crash", "kill", "exit"],
)
def test_an_input_that_ends_its_process_fails_alone(
    how: Callable[[], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnfilter.compute.tiles.run_program", crash_on(2, how))
    recorder = Recorder()
    sources = ["a.npy", "b.npy", "c.npy"]
    assert run_batch(work(sources, "out/", "relu", jobs=2), recorder) == 1
    assert recorder.failures == [f"b.npy: the process that worked on it {said}"]
    assert recorder.sources == sources
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.npy", "c.npy"]


def test_what_a_process_that_was_killed_has_half_written_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def be_killed_or_replace(temporary: Path, path: Path) -> None:
        if path.name == "c.npy":  # the last, so that no other sweeps the folder
            os.truncate(temporary, 10)
            os.kill(os.getpid(), signal.SIGKILL)
        replace(temporary, path)

    monkeypatch.setattr(os, "replace", be_killed_or_replace)
    for _ in range(3):
        assert run_batch(work(["a.npy", "b.npy", "c.npy"], "out/", "relu", jobs=2), Recorder()) == 1
        assert sorted(path.name for path in Path("out").iterdir()) == ["a.npy", "b.npy"]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_processes_that_begin_afresh_do_the_same(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.process_pool.START", start)
    recorder = Recorder()
    networks = ("dwconv:sobel-x,same maxpool:2,s1 res(relu lrn) cat(abs | relu)", "dwconv:[1 2;3 4],s2 relu")
    assert run_batch(work(["a.npy", "none.npy", "b.npy"], None, *networks, jobs=2), recorder) == 1
    alone = Recorder()
    assert run_batch(work(["a.npy", "none.npy", "b.npy"], None, *networks, jobs=1), alone) == 1
    assert recorder == alone
    assert len(alone.outputs) == 8


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_maps_of_two_inputs_with_one_name_are_not_written_over_each_other(
    start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnfilter.run.process_pool.START", start)
    model = Model(parse_network("conv:1x1,4", kernel_shape), RandomWeights("he", 1))
    jobs = tuple(Job(f"{name}.npy", 0, Path("x.png"), "x.png", "conv1") for name in "ab")
    recorder = Recorder()
    assert run_batch(Work(Settings(jobs=2), (model,), by_input(jobs)), recorder) == 1
    (failure,) = recorder.failures
    assert failure.endswith("x-01.png: was already written for another input or layer; use another folder")
    assert len(list(Path().glob("x-0[1-4].png"))) == 4


def test_random_weights_are_drawn_once_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = RandomWeights.find

    def find(self: RandomWeights, wanted: list[Need], fixed: frozenset[str]) -> dict[str, dict[str, Array]]:
        with Path("drawn.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return drawn(self, wanted, fixed)

    monkeypatch.setattr(RandomWeights, "find", find)
    sources = [f"{name}.png" for name in "abcd"]
    for source in sources:
        cv2.imwrite(source, np.full((5, 5, 3), 7, np.uint8))
    model = Model(parse_network("conv:3x3,2 conv:3x3,3", kernel_shape), RandomWeights("he", 1))
    assert run_batch(work(sources, "out/", "relu", jobs=2)._replace(models=(model,)), Recorder()) == 0
    assert Path("drawn.txt").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize(("first", "failures"), [("pipe.txt", 0), ("cut.png", 1), ("none.png", 1), ("small.png", 1)])
def test_what_a_first_input_does_not_tell_of_its_weights_is_no_matter(first: str, failures: int) -> None:
    os.mkfifo("pipe.txt")
    Path("cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cv2.imwrite("small.png", np.full((2, 2), 7, np.uint8))
    Path("b.txt").write_text("1 2 3\n" * 3)
    if first == "pipe.txt":  # else nobody reads it, and who waits to write to it may do so in another folder
        Thread(target=Path("pipe.txt").absolute().write_text, args=("1 2 3\n" * 3,), daemon=True).start()
    model = Model(parse_network("conv:3x3", kernel_shape), RandomWeights("he", 1))
    recorder = Recorder()
    assert run_batch(work([first, "b.txt"], "out/", "relu", jobs=2)._replace(models=(model,)), recorder) == failures
    assert [line.split(": ")[0] for line in recorder.failures] == [first] * failures


def test_results_to_be_printed_do_not_pile_up_and_failures_end_a_batch_where_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []

    def spy(*words: Any) -> Any:
        told.append(words[4])
        return work_in_order(*words)

    monkeypatch.setattr("cnnfilter.run.process_pool.work_in_order", spy)
    sources = ["a.npy", "b.npy", "c.npy"]
    run_batch(work(sources, None, "relu", jobs=2), Recorder())
    run_batch(work(sources, "out/", "relu", jobs=2), Recorder())
    run_batch(work(sources, "out/", "relu", jobs=2, fail_fast=True), Recorder())
    assert told == [3, 1000, 2]


def test_who_begins_afresh_cannot_read_our_pipes_so_that_they_are_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.process_pool.START", "spawn")
    own, other = os.pipe()
    os.write(other, b"1 -2\n")
    os.close(other)
    Path("b.txt").write_text("-3\n")
    recorder = Recorder()
    jobs = (Job(f"/dev/fd/{own}", 0, None, "-.txt"), Job("b.txt", 0, None, "-.txt"))
    planned = Work(Settings(jobs=2), (Model(parse_network("relu", kernel_shape)),), by_input(jobs))
    assert run_batch(planned, recorder) == 1  # a name without a suffix is no matrix
    os.close(own)
    assert recorder.outputs[-1] == b"0\n"


@pytest.mark.parametrize("processes", [1, 4])
def test_a_model_that_several_shapes_are_asked_of_gives_each_its_own(processes: int) -> None:
    names = [f"{number}.npy" for number in range(60)]
    for number, name in enumerate(names):
        np.save(name, np.ones((3, 3, 1 + number % 3)))
    model = Model(parse_network("conv:1x1,2", kernel_shape), RandomWeights("he", 1))
    planned = work(names, "out/", "relu", jobs=processes)._replace(models=(model,))
    assert run_batch(planned, Recorder()) == 0
    for number in range(3):
        first = np.load(f"out/{number}.npy")
        assert all(np.array_equal(np.load(f"out/{other}.npy"), first) for other in range(number, 60, 3))
