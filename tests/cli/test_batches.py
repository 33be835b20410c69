"""Many inputs: several at a time, from folders and lists, reported on, and made again only where that is needed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import time_ns
from typing import Any

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.commands import EVERY_COMMAND, files
from tests.cli.conftest import Run
from tests.cli.pictures import load, save

MATRIX = "1 2\n3 4\n"


@pytest.fixture
def tree(folder: Path, three: dict[str, Array]) -> dict[str, Array]:
    """Return pictures by where they lie below `in`, beside files that are none."""
    pictures = {"a.png": three["a.png"], "deep/b.PNG": three["b.png"], "deep/er/c.bmp": three["c.png"]}
    for name, pixels in pictures.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path.with_suffix(path.suffix.lower()), pixels)
        path.with_suffix(path.suffix.lower()).rename(path)
    for name in ("notes.txt", ".hidden.png", ".git/d.png", "deep/e.csv", "noext"):
        path = folder / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("neither picture nor matrix")
    return pictures


@EVERY_COMMAND
@pytest.mark.parametrize("jobs", [(), ("-j", "1"), ("-j", "3"), ("--jobs", "64")], ids=["", "1", "3", "64"])
def test_jobs_change_neither_bytes_nor_order(
    run: Run, folder: Path, command: tuple[str, ...], jobs: tuple[str]
) -> None:
    names = [f"{number:02}.png" for number in range(12)]
    for number, name in enumerate(names):
        save(folder / name, np.full((8 + 5 * number, 9, 3), number, np.uint8))
    for name in names[2::4]:
        Path(name).write_text("no picture")
    alone = run(*command, *names, "-o", "alone/", "-j", "1", "-v", status=1)
    beside = run(*command, *names, "-o", "beside/", "-v", *jobs, status=1)
    assert beside.stderr.replace("beside/", "alone/") == alone.stderr
    assert alone.stderr.endswith("cnnfilter: 3 of 12 inputs failed\n")
    assert files(Path("beside")) == files(Path("alone")) == set(names) - set(names[2::4])
    for name in files(Path("beside")):
        assert Path("beside", name).read_bytes() == Path("alone", name).read_bytes()


@EVERY_COMMAND
def test_results_are_printed_in_the_order_of_the_inputs(run: Run, folder: Path, command: tuple[str, ...]) -> None:
    names = [f"{number}.txt" for number in range(9)]
    for number, name in enumerate(names):
        (folder / name).write_text(f"{number}\n")
    lines = run(*command, *names, "-j", "4").stdout.splitlines()
    assert [line.split()[1] for line in lines[::2]] == names
    assert lines[1::2] == [str(number) for number in range(9)]


def test_fail_fast_begins_nothing_after_a_failure_in_any_process(run: Run, folder: Path) -> None:
    names = [f"{number:03}.txt" for number in range(300)]
    for name in names[3:]:
        (folder / name).write_text(MATRIX)
    result = run("pool", *names, "-o", "out/", "--fail-fast", "-j", "2", status=1)
    *failures, counts = result.stderr.splitlines()
    assert 1 <= len(failures) <= 3
    match = re.fullmatch(rf"cnnfilter: {len(failures)} of 300 inputs failed; (\d+) were not started", counts)
    assert match
    assert len(files(folder / "out")) == 300 - int(match[1]) - len(failures)


def test_no_number_of_jobs_below_one_is_taken(run: Run) -> None:
    assert "-j" in run("pool", "m.txt", "-j", "0", status=2).stderr


# Folders


@EVERY_COMMAND
def test_the_pictures_of_a_folder_keep_their_tree(run: Run, tree: dict[str, Array], command: tuple[str, ...]) -> None:
    assert run(*command, "-r", "in", "-o", "out/").output == ""
    assert files(Path("out")) == set(tree)
    for name, pixels in tree.items():
        assert np.array_equal(load(Path("out", name)), pixels)


def test_folders_stand_beside_files_and_other_folders(run: Run, tree: dict[str, Array]) -> None:
    run("pool", "b.png", "in/deep", "-r", "-o", "out/")
    assert files(Path("out")) == {"b.png", "b.PNG", "er/c.bmp"}
    assert len(tree) == 3


def test_a_suffix_and_kernels_go_into_the_tree_too(run: Run, tree: dict[str, Array]) -> None:
    run("convolve", "-r", "in/", "-k", "1", "-k", "2", "-o", "out", "--format", "npy", "-q", status=2)
    run("convolve", "-r", "in/", "-k", "1", "-k", "2", "-o", "out/", "--format", "npy", "-q")
    stems = [str(Path(name).with_suffix("")) for name in tree]
    assert files(Path("out")) == {f"{stem}-kernel{number}.npy" for stem in stems for number in (1, 2)}


@pytest.mark.parametrize("output", ["in/out/", "in/out/{stem}-soft{ext}"])
def test_results_in_the_folder_are_no_inputs_the_next_time(run: Run, tree: dict[str, Array], output: str) -> None:
    Path("in/out").mkdir()
    for _ in range(2):
        run("pool", "-r", "in", "-o", output)
        assert len(files(Path("in/out"))) == len(tree)


@pytest.mark.usefixtures("tree")
def test_a_folder_is_no_input_without_being_asked_for(run: Run) -> None:
    result = run("pool", "in", "a.png", "-o", "{index}.png", status=2)
    assert "in: is a folder; -r reads the images in it" in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipe has a name there")
def test_pipes_and_devices_in_a_folder_are_skipped_with_a_warning(run: Run, tree: dict[str, Array]) -> None:
    os.mkfifo("in/pipe.png")
    Path("in/endless.png").symlink_to("/dev/zero")
    said = run("pool", "-r", "in", "-o", "out/").stderr
    assert len(files(Path("out"))) == len(tree)
    assert "2 skipped, such as in/endless.png: they are not regular files" in said


def test_pictures_of_formats_that_are_not_written_are_skipped_with_a_warning(run: Run, tree: dict[str, Array]) -> None:
    Path("in/a.jfif").write_bytes(b"")
    said = run("pool", "-r", "in", "-o", "out/").stderr
    assert len(files(Path("out"))) == len(tree)
    assert "1 skipped, such as in/a.jfif: they have a format that is only read" in said


def test_a_folder_that_is_not_there_is_named_and_the_others_are_done(run: Run, tree: dict[str, Array]) -> None:
    said = run("pool", "-r", "none", "in", "-o", "out/", status=1).stderr
    assert said.startswith("cnnfilter: none: No such file or directory\n")
    assert len(files(Path("out"))) == len(tree)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device")
def test_a_device_is_no_picture(run: Run) -> None:
    said = run("pool", "/dev/zero", "-o", "a.png", status=1).stderr
    assert said.startswith("cnnfilter: /dev/zero: is a device")


def test_a_folder_without_a_picture_is_a_failure_and_the_others_are_done(run: Run, tree: dict[str, Array]) -> None:
    Path("empty").mkdir()
    result = run("pool", "-r", "empty", "in", "-o", "out/", status=1)
    first, counts = result.stderr.splitlines()
    assert first.startswith("cnnfilter: empty: no image in this folder, or below it (.png .jpg ")
    assert counts == "cnnfilter: 1 of 4 inputs failed"
    assert files(Path("out")) == set(tree)


@pytest.mark.usefixtures("tree")
def test_two_folders_with_one_name_in_them_are_a_mistake(run: Run) -> None:
    Path("other").mkdir()
    Path("other/a.png").write_bytes(Path("in/a.png").read_bytes())
    assert "out/a.png: the outputs of" in run("pool", "-r", "in", "other", "-o", "out/", status=2).stderr
    assert not Path("out").exists()


def test_a_link_in_a_circle_is_not_followed(run: Run, tree: dict[str, Array]) -> None:
    Path("in/deep/round").symlink_to("..", target_is_directory=True)
    run("pool", "-r", "in", "-o", "out/")
    assert files(Path("out")) == set(tree)


# Lists

NAMES = ["a.txt", "a space.txt", "größe.txt", os.fsdecode(b"caf\xe9.txt"), "#1.txt"]


@EVERY_COMMAND
@pytest.mark.parametrize("null", [False, True], ids=["lines", "NULs"])
@pytest.mark.parametrize("given", [False, True], ids=["file", "standard input"])
def test_a_list_names_inputs(run: Run, folder: Path, command: tuple[str, ...], null: bool, given: bool) -> None:
    for name in [*NAMES, "first.txt"]:
        (folder / name).write_text(MATRIX)
    names = [*NAMES, "line\nend.txt"] if null else NAMES
    Path(names[-1]).write_text(MATRIX)
    data = b"".join(os.fsencode(name) + (b"\0" if null else b"\n") for name in ["", *names])
    (folder / "names").write_bytes(data)
    words = ["--files-from", "-" if given else "names", *["-0"] * null]
    run(*command, "first.txt", *words, "-o", "out/", given=data if given else None)
    assert files(folder / "out") == {"first.txt", *names}


def test_a_list_of_windows_and_without_a_last_line_end_is_read(run: Run, folder: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(MATRIX)
    (folder / "names").write_bytes(b"a.txt\r\nb.txt")
    run("pool", "--files-from", "names", "-o", "out/")
    assert files(folder / "out") == {"a.txt", "b.txt"}


def test_an_empty_list_is_nothing_to_do_with_a_warning(run: Run, folder: Path) -> None:
    result = run("pool", "--files-from", "-", "-o", "out/", given=b"\n")
    assert result.stderr == "cnnfilter: warning: -: the list names no input\n"
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("words", "given", "reason"),
    [
        ("-o out/", None, "Missing argument 'INPUT...'"),
        ("--files-from none -o out/", None, "none: No such file"),
        ("a.txt -0 -o out/", None, "--files-from"),
        ("- --files-from - -o out/", b"a.txt\n", "standard input holds the list"),
        ("--files-from - -o out/", b"a.txt\0b.txt\n", "-0"),
        ("a.txt --update --in-place", None, "--in-place"),
        ("a.txt --depfile out.d", None, "--depfile"),
        ("a.txt --report a.txt", None, "a.txt: is read"),
        ("a.txt -o b.txt --report b.txt", None, "b.txt: is an output"),
        ("a.txt -o b.txt --report c --depfile c", None, "c: is an output"),
        ("a.txt -o b.txt --report none/c", None, "none/c: no such folder"),
        ("a.txt -o b.txt --depfile .", None, ".: is a folder"),
        ("a.txt -o b.txt --depfile none/c", None, "none/c: no such folder"),
        ("a.txt -o b.txt --depfile /dev/null", None, "/dev/null: is not a regular file"),
        pytest.param(
            "a.txt -o b.txt --depfile /proc/no.d",
            None,
            "/proc/no.d: ",
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="nothing here is like /proc"),
        ),
        ("a.txt --report -", None, "-o FILE takes the results"),
        ("a.txt -o b.txt --depfile -", None, "./- is a file of that name"),
        ("--files-from a.txt -o a.txt", None, "a list"),
        ("--files-from a.txt -o {index}.png --report a.txt", None, "a.txt: is read"),
        ("--files-from a.txt -o {index}.png --depfile a.txt", None, "a.txt: is read"),
        (". -o out/", None, ".: is a folder; -r reads"),
        ("--files-from - -o out/", b".\n", ".: is a folder; -r reads"),
        ("a!=touch${IFS}b;.txt -o out.txt --depfile out.d", None, "'=' is not possible in rules"),
        ("a;b.txt -o out.txt --depfile out.d", None, "';' is not possible in rules"),
        ("a.txt -o out|b.txt --depfile out.d", None, "'|' is not possible in rules"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    run: Run, folder: Path, words: str, given: bytes | None, reason: str
) -> None:
    (folder / "a.txt").write_text(MATRIX)
    for command in (("convolve", "-k", "1"), ("pool",), ("pipeline", "relu")):
        assert reason in run(*command, *words.split(), given=given, status=2).stderr
    assert files(folder) == {"a.txt"}


# Made again only where that is needed


def age(path: str | Path, seconds: int) -> None:
    """Make a file older."""
    time = Path(path).stat().st_mtime_ns - seconds * 10**9
    os.utime(path, ns=(time, time))


def updated(run: Run, *words: object) -> set[str]:
    """Run a command with --update, and return which outputs it made."""
    said = run(*words, "--update", "-v", "-q").stderr
    passed = set(re.findall(r"skipped, (\S+) is up to date", said))
    return files(Path("out")) - {str(Path(name).relative_to("out")) for name in passed}


@EVERY_COMMAND
def test_update_makes_what_is_missing_or_older_than_its_input(
    run: Run, three: dict[str, Array], command: tuple[str, ...]
) -> None:
    words = (*command, *three, "-o", "out/")
    assert updated(run, *words) == set(three)
    assert updated(run, *words) == set()
    age("out/b.png", 60)
    Path("out/c.png").unlink()
    assert updated(run, *words) == {"b.png", "c.png"}
    assert np.array_equal(load("out/c.png"), three["c.png"])


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("convolve -k kernel.txt", ["kernel.txt"]),
        ("pipeline net.toml --top 1 --format txt", ["net.toml", "net.npz", "net.txt"]),
    ],
)
def test_update_looks_at_kernels_networks_weights_and_labels(
    run: Run, folder: Path, three: dict[str, Array], words: str, read: list[str]
) -> None:
    (folder / "kernel.txt").write_text("1\n")
    (folder / "net.toml").write_text('layers = ["gray gap flatten fc:2@f"]\nweights = "net.npz"\nlabels = "net.txt"\n')
    (folder / "net.txt").write_text("a\nb\n")
    np.savez("net.npz", allow_pickle=False, **{"f.weight": np.ones((2, 1)), "f.bias": np.zeros(2)})
    command = (*words.split(), *three, "-o", "out/")
    assert len(updated(run, *command)) == 3
    assert updated(run, *command) == set()
    for name in read:
        later = time_ns() + 10**9
        os.utime(name, ns=(later, later))
        assert len(updated(run, *command)) == 3
        os.utime(name, ns=(0, 0))
        assert updated(run, *command) == set()


@pytest.mark.usefixtures("colours")
def test_update_counts_the_maps_of_a_layer(run: Run) -> None:
    words = ("pipeline", "conv:3x3,4@c relu", "colours.png", "--init", "he", "--save", "all", "-o", "out/")
    everything = {f"colours-{layer}-{number:02}.png" for layer in ("c", "relu1") for number in range(1, 5)}
    run(*words, "-q")
    times = {name: Path("out", name).stat().st_mtime_ns for name in everything}
    assert "relu1.png is up to date" in run(*words, "--update", "-v").stderr
    assert {name: Path("out", name).stat().st_mtime_ns for name in everything} == times
    Path("out/colours-c-03.png").unlink()
    said = run(*words, "--update", "-v", "-q").stderr
    assert "relu1.png is up to date" in said
    assert "c.png is up to date" not in said
    assert files(Path("out")) == everything


def test_the_rules_for_make_name_all_that_outputs_hang_on(run: Run, folder: Path, three: dict[str, Array]) -> None:
    (folder / "k 1.txt").write_text("1\n")
    Path("b.png").write_text("no picture")
    run("convolve", *three, "-k", "./k 1.txt", "-o", "out/", "--depfile", "all.d", status=1)
    assert Path("all.d").read_text() == "out/a.png: a.png k\\ 1.txt\nout/c.png: c.png k\\ 1.txt\nk\\ 1.txt:\n"
    run("pipeline", "dwconv:[1],[2]@c", "a.png", "--save", "c", "-o", "out/", "--depfile", "maps.d", "-q")
    names = [f"out/a-c-{number:02}.png" for number in range(1, 7)]
    assert Path("maps.d").read_text() == f"{' '.join(names)}: a.png\n"
    run("pool", "a.png", "-o", "out/a.png", "--update", "--depfile", "one.d")
    assert Path("one.d").read_text() == "out/a.png: a.png\n"


# Reported on


@EVERY_COMMAND
def test_a_report_has_a_line_for_each_input(run: Run, three: dict[str, Array], command: tuple[str, ...]) -> None:
    Path("b.png").write_text("no picture")
    run(*command, *three, "none.png", "-o", "out/", "--report", "report.jsonl", status=1)
    records = [json.loads(line) for line in Path("report.jsonl").read_text().splitlines()]
    assert [record["input"] for record in records] == ["a.png", "b.png", "c.png", "none.png"]
    for record in records:
        assert " ".join(record) == "input size outputs skipped warnings classes engines seconds error"
        assert 0 < record["seconds"] < 60
    assert [bool(record["error"]) for record in records] == [False, True, False, True]
    assert records[0]["size"] == [21, 26, 3]
    assert records[0]["outputs"] == [{"path": "out/a.png", "size": [21, 26, 3], "clipped": 0}]
    assert records[3]["error"] == "none.png: No such file or directory"
    assert (records[3]["size"], records[3]["outputs"]) == (None, [])


def test_a_report_tells_engines_shares_and_what_was_skipped(run: Run, three: dict[str, Array]) -> None:
    run("convolve", *three, "-k", "sharpen", "-k", "1", "-o", "out/", "--report", "report.jsonl", "-q")
    record = json.loads(Path("report.jsonl").read_text().splitlines()[0])
    (sharp, same) = record["outputs"]
    assert (sharp["path"], sharp["size"]) == ("out/a-sharpen.png", [19, 24, 3])
    assert 0.1 < sharp["clipped"] < 0.9
    assert same["clipped"] == 0
    assert record["engines"]
    assert all(re.fullmatch(r"[\w ]+ in float(32|64)", engine) for engine in record["engines"])
    run("convolve", *three, "-k", "sharpen", "-k", "1", "-o", "out/", "--no-clobber", "--report", "report.jsonl")
    record = json.loads(Path("report.jsonl").read_text().splitlines()[2])
    assert record["skipped"] == ["out/c-sharpen.png", "out/c-kernel2.png"]
    assert (record["outputs"], record["size"], record["error"]) == ([], None, None)


def test_a_report_that_cannot_be_written_is_told_and_the_work_is_done(run: Run, three: dict[str, Array]) -> None:
    result = run("pool", *three, "-o", "out/", "--report", "/dev/full", status=1)
    assert result.stderr == "cnnfilter: /dev/full: No space left on device\n"
    assert files(Path("out")) == set(three)


def test_a_report_on_standard_output_holds_warnings(run: Run, three: dict[str, Array]) -> None:
    words = ("convolve", *three, "-k", "sobel-x", "-o", "out/")
    result = run(*words, "--report", "-", "-q")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["input"] for record in records] == list(three)
    warnings = run(*words).stderr.splitlines()
    assert [f"cnnfilter: warning: {one['input']}: {text}" for one in records for text in one["warnings"]] == warnings
    foretold = run("pool", "a.png", "-o", "x.png", "--report", "-", "--dry-run").stdout
    assert foretold == "a.png 21x26x3 -> x.png 10x13x3\n"
    for options in (["-o", "-"], ["--explain", "0,0", "-o", "x.png"]):
        assert (
            "--report - prints on standard output" in run("pool", "a.png", *options, "--report", "-", status=2).stderr
        )


# Said on a terminal


def test_a_terminal_sees_a_bar_that_makes_room_for_what_is_said(
    run: Run, three: dict[str, Array], terminal: None
) -> None:
    Path("b.png").write_text("no picture")
    said = run("pool", *three, "-o", "out/", status=1).stderr
    assert said.startswith("\r\x1b[K[------------------------] 0 of 3: a.png")
    lines = re.sub(r"\r\x1b\[K\[[#-]{24}\] \d of 3(, \d+\.\d/s, \d+:\d\d left)?(: \w\.png)?", "<bar>", said)
    assert "<bar>" in lines
    assert re.sub(r"(<bar>)*\r\x1b\[K", "", lines).splitlines()[0].startswith("cnnfilter: b.png: a text, not an image")
    assert re.search(r"\r\x1b\[Kcnnfilter: 2 written, 1 failed in \d\.\d s\n\Z", lines)
    for quiet in ("-q", "-v"):
        assert "\x1b" not in run("pool", *three, "-o", "out/", quiet, status=1).stderr
    assert run("pool", "a.png", "-o", "out/").stderr == ""


def last_line(stderr: str) -> str:
    """Return the closing line without the time that it gives."""
    match = re.search(r"(?:\r\x1b\[K)?cnnfilter: (.*) in \d+\.\d s\n\Z", stderr)
    assert match
    return match[1]


def test_a_batch_closes_with_a_line_on_a_terminal(
    run: Run, folder: Path, three: dict[str, Array], terminal: None
) -> None:
    words = ("convolve", *three, "-k", "box:3", "-o", "out/")
    assert last_line(run(*words).stderr) == "3 written"
    Path("out/b.png").unlink()
    assert last_line(run(*words, "--no-clobber").stderr) == "1 written, 2 skipped (their outputs exist)"
    assert last_line(run(*words, "-v").stderr) == "3 written"
    (folder / "m.txt").write_text(MATRIX)
    (folder / "n.txt").write_text(MATRIX)
    assert run("pool", "m.txt", "n.txt").stderr.endswith("\x1b[K")
    result = run("pool", "none.png", *three, "-o", "out/", "--fail-fast", "-j", "1", status=1)
    assert result.stderr.endswith("cnnfilter: 1 of 4 inputs failed; 3 were not started\n")
    result = run("pool", "a.png", "none.png", "b.png", "-o", "out/", "--fail-fast", "-j", "1", status=1)
    assert last_line(result.stderr) == "1 written, 1 failed, 1 not started"
    for option in ("-q", "--dry-run"):
        assert run(*words, option).stderr == ""


def test_update_says_that_options_are_not_compared(run: Run, three: dict[str, Array], terminal: None) -> None:
    words = ("convolve", *three, "-o", "out/", "--update")
    run(*words, "-k", "box:3")
    assert run("pool", "a.png", "-o", "x.png", "--update").stderr == ""
    Path("out/b.png").unlink()
    skipped = "skipped (up to date; options are not compared)"
    assert last_line(run(*words, "-k", "box:5").stderr) == f"1 written, 2 {skipped}"
    assert last_line(run(*words, "-k", "box:7").stderr) == f"0 written, 3 {skipped}"
    assert last_line(run("convolve", "a.png", "-k", "1", "-o", "out/", "--update").stderr) == f"0 written, 1 {skipped}"


def test_what_only_a_person_reads_is_not_written_elsewhere(run: Run, three: dict[str, Array]) -> None:
    for _ in range(2):
        assert run("convolve", *three, "-k", "box:3", "-o", "out/", "--update").stderr == ""


def test_a_result_that_is_smaller_brings_a_hint(run: Run, three: dict[str, Array], terminal: None) -> None:
    smaller = "cnnfilter: hint: 21x26 -> 19x24: the windows must fit; --border edge keeps the size\n"
    frame = "the zeros around the image leave a frame in the result; --border edge continues the image"
    words = ("convolve", "a.png", "-k", "box:3", "-o", "x.png")
    assert run(*words).stderr == smaller
    assert run("convolve", *three, "-k", "box:3", "-o", "out/").stderr.count("hint: ") == 1
    assert run(*words, "-p", "same").stderr == f"cnnfilter: hint: {frame}\n"
    for options in (["-q"], ["--border", "edge"], ["-p", "valid"], ["-s", "2"], ["-p", "full"]):
        assert run(*words, *options).stderr == ""
    assert run("pool", "a.png", "-o", "x.png").stderr == ""
    assert run("pipeline", "dwconv:box:3", "a.png", "-o", "x.png").stderr == ""
    Path("m.txt").write_text("1 2 3\n4 5 6\n7 8 9\n")
    assert run("convolve", "m.txt", "-k", "box:3").stderr == ""


def test_hints_need_a_terminal(run: Run, three: dict[str, Array]) -> None:
    assert run("convolve", "a.png", "-k", "box:3", "-o", "x.png").stderr == ""


def test_a_large_image_shows_its_progress_on_a_terminal(
    run: Run, folder: Path, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnfilter.cli.progress._PATIENCE", 0.01)
    monkeypatch.setattr("cnnfilter.cli.progress._PAUSE", 0.001)
    save(folder / "large.png", np.random.default_rng(1).integers(0, 256, (3000, 3000), dtype=np.uint8))
    said = run("convolve", "large.png", "-k", "box:3", "--border", "edge", "-o", "x.tif").stderr  # no strips
    assert said.endswith("\r\x1b[K")
    states = said.split("\r\x1b[K")
    assert all(
        re.fullmatch(r"((\[[#-]+\] )?(reading|filtering|writing), 0:\d\d: large.png)?", state) for state in states
    )
    assert any("reading" in state for state in states)
    assert any("writing" in state for state in states)
    shares = [state.count("#") for state in states if "[" in state]
    assert shares == sorted(shares)
    assert "\x1b" not in run("pool", "large.png", "-q", "-o", "x.png").stderr


def test_a_terminal_is_known_as_one(three: dict[str, Array]) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = (sys.executable, "-m", "cnnfilter", "convolve", *three, "-k", "box:3", "-o", "out/")
    subprocess.run(words, stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    said = os.read(ours, 10000).decode()
    os.close(ours)
    assert "cnnfilter: hint: 21x26 -> 19x24" in said
    assert re.search(r"3 written in \d\.\d s\r\n\Z", said)


# Rehearsed


def test_a_rehearsal_names_what_fails_and_does_nothing(run: Run, folder: Path, three: dict[str, Array]) -> None:
    Path("b.png").unlink()
    words = ("convolve", *three, "-k", "box:3", "-o", "out/", "--report", "r.jsonl", "--depfile", "r.d", "--dry-run")
    result = run(*words, status=1)
    assert result.stdout.splitlines() == [f"{name}.png 21x26x3 -> out/{name}.png 19x24x3" for name in "ac"]
    assert result.stderr.splitlines() == [
        "cnnfilter: b.png: No such file or directory",
        "cnnfilter: 1 of 3 inputs failed",
    ]
    result = run("convolve", "a.png", "-k", "box:30", "-o", "out/", "--dry-run", status=1)
    assert result.stderr.startswith("cnnfilter: a.png: ")
    assert files(folder) == {"a.png", "c.png"}


@pytest.mark.parametrize(("option", "reason"), [("--update", "is up to date"), ("--no-clobber", "exists")])
def test_a_rehearsal_marks_what_would_be_skipped(run: Run, three: dict[str, Array], option: str, reason: str) -> None:
    run("pool", "b.png", "-o", "out/")
    lines = run("pool", *three, "-o", "out/", option, "--dry-run").stdout.splitlines()
    assert [line.endswith(f" 10x13x3 ({reason})") for line in lines] == [False, True, False]
    assert [line.endswith(" 10x13x3") for line in lines] == [True, False, True]


def test_a_rehearsal_reads_no_pixel(run: Run, samples: Path, folder: Path) -> None:
    whole = (samples / "city.png").read_bytes()
    (folder / "head.png").write_bytes(whole[:200])
    assert run("pool", "head.png", "-o", "x.png", "--dry-run").stdout == "head.png 480x640x3 -> x.png 240x320x3\n"


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (("convolve", "sprite.png", "-k", "sharpen"), "62x62x4"),
        (("convolve", "sprite.png", "-k", "sharpen", "--channels", "gray"), "62x62"),
        (("pipeline", "maxpool:2", "sprite.png"), "32x32x3"),
        (("pipeline", "maxpool:2", "sprite.png", "--resize", "10x20"), "5x10x3"),
    ],
    ids=" ".join,
)
def test_a_rehearsal_foretells_the_size_that_comes_out(
    run: Run, folder: Path, samples: Path, words: tuple[str, ...], end: str
) -> None:
    (folder / "sprite.png").write_bytes((samples / "sprite.png").read_bytes())
    assert run(*words, "-o", "out.png", "--dry-run").stdout == f"sprite.png 64x64x4 -> out.png {end}\n"
    run(*words, "-o", "out.png", "-q", "--report", "r.jsonl")
    (output,) = json.loads(Path("r.jsonl").read_text())["outputs"]
    assert "x".join(map(str, output["size"])) == end


def test_a_warning_of_many_inputs_is_given_of_three_and_then_counted(run: Run, folder: Path) -> None:
    names = [f"{number}.png" for number in range(7)]
    for number, name in enumerate(names):
        pixels = np.zeros((10, 10), np.uint8)
        pixels[number:, 3:] = 255
        save(folder / name, pixels)
    words = ("convolve", *names, "-k", "sharpen", "-p", "half", "-o", "out/")
    loud = [line for line in run(*words, "-v", "-j", "1").stderr.splitlines() if ": warning: " in line]
    assert [line.split(": ")[2] for line in loud] == names
    for jobs in ("1", "3"):
        *first, last = run(*words, "-j", jobs).stderr.splitlines()
        assert first == loud[:3]
        assert (
            last
            == f"cnnfilter: warning: 4 more inputs like these (-v shows all), the last {loud[-1].split(': ', 2)[2]}"
        )
        assert run(*words, "-q", "-j", jobs).stderr == ""


def test_warnings_of_different_kinds_are_counted_apart(run: Run, folder: Path) -> None:
    for number in range(5):
        save(folder / f"{number}.png", np.full((6, 6), 255, np.uint8))
        (folder / f"{number}.txt").write_text("1 2 3\n" * 3)
    bright, texts = ([f"{number}{suffix}" for number in range(5)] for suffix in (".png", ".txt"))
    words = ("convolve", *bright, *texts, "-k", "0 0 0; 0 2 0; 0 0 0", "-p", "0", "--border", "edge", "-o", "out/")
    lines = run(*words).stderr.splitlines()
    assert sum("border edge has no effect" in line for line in lines) == 4
    assert sum("were clipped" in line for line in lines) == 4
    assert sum("more inputs like these" in line for line in lines) == 2


def test_an_input_that_is_named_again_later_counts_again(run: Run, folder: Path) -> None:
    (folder / "a.txt").write_text(MATRIX)
    (folder / "bad.txt").write_text("1 x\n")
    for jobs in ("1", "2"):
        result = run("pool", "bad.txt", "a.txt", "bad.txt", "a.txt", "-j", jobs, "-o", "{index}.txt", status=1)
        assert result.stderr.splitlines()[-1] == "cnnfilter: 2 of 4 inputs failed"


def test_what_is_told_of_weights_does_not_hang_on_who_binds_them(run: Run, folder: Path) -> None:
    weights: dict[str, Any] = {"a.weight": np.ones((1, 1, 2, 2), np.float32), "a.bias": np.ones(1, np.float32)}
    np.savez("w.npz", **weights)
    names = [f"{number}.txt" for number in range(9)]
    for number, name in enumerate(names):
        (folder / name).write_text(MATRIX * (1 + number % 2))
    words = ("pipeline", "conv:2x2", *names, "--weights", "w.npz", "-v", "-o", "out/")
    alone = run(*words, "-j", "1").stderr
    assert alone.count("conv1 <- a.weight") == 1
    assert run(*words, "-j", "2").stderr == run(*words, "-j", "3").stderr == alone


def test_a_pipe_is_read_once_where_weights_are_drawn(folder: Path) -> None:
    (folder / "b.txt").write_text(MATRIX)
    os.mkfifo("pipe.txt")
    writer = Thread(target=Path("pipe.txt").absolute().write_text, args=(MATRIX,), daemon=True)
    writer.start()
    words = ("pipeline", "conv:2x2", "pipe.txt", "b.txt", "--init", "he", "-j", "2", "-o", "out/")
    done = subprocess.run((sys.executable, "-m", "cnnfilter", *words), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path("out/pipe.txt").read_text() == Path("out/b.txt").read_text()
