"""What is wrong is said in one line, and nothing is touched."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.commands import EVERY_COMMAND
from tests.cli.conftest import Run
from tests.cli.pictures import load, rows, save

Tree = dict[str, bytes | None]
"""Every path below a folder, and what the files hold; None for folders."""


def tree(folder: Path) -> Tree:
    """Return all that lies below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def place(folder: Path, samples: Path, photo: Path, colours: Array) -> Tree:
    """Return what lies in `folder`: good inputs, bad inputs, and bad kernels."""
    assert colours.shape == (21, 26, 3)
    whole, png = photo.read_bytes(), (samples / "city.png").read_bytes()
    shutil.copy(samples / "lines-4x4.txt", "m.txt")
    shutil.copy(samples / "lines-4x4.txt", "1.txt")
    shutil.copy(samples / "sprite.png", "sprite.png")
    Path("folder.png").mkdir()
    Path("out").mkdir()
    Path("empty.png").touch()
    Path("empty.txt").touch()
    Path("text.png").write_text("This is no picture.\n")
    Path("notes.doc").write_text("This is no picture either.\n")
    Path("half.png").write_bytes(png[: len(png) // 2])
    Path("half.jpg").write_bytes(whole[: len(whole) // 2])
    Path("ragged.txt").write_text("1 2 3\n4 5\n")
    Path("word.csv").write_text("1,2\n3,four\n")
    Path("unknown.txt").write_text("1 na\n")
    Path("gap.csv").write_text("1,,2\n")
    Path("channels.txt").write_text("1 2\n3 4\n\n5 6\n")
    Path("comment.txt").write_text("# nothing else\n")
    Path("binary.txt").write_bytes(b"1 2\n\xff\xfe 3\n")
    np.save("whole.npy", np.ones((3, 4)))
    Path("half.npy").write_bytes(Path("whole.npy").read_bytes()[:-20])
    Path("text.npy").write_text("no npy\n")
    np.save("five.npy", np.ones((2, 2, 2, 2, 2)))
    np.save("vector.npy", np.ones(4))
    np.save("complex.npy", np.ones((2, 2), dtype=np.complex128))
    np.save("objects.npy", np.array([[{}]]), allow_pickle=True)
    np.save("two.npy", np.ones((6, 6, 2)))
    Path("ragged-kernel.txt").write_text("1 2\n3\n")
    np.save("slices.npy", np.ones((3, 3, 2)))
    return tree(folder)


@dataclass(frozen=True)
class BadInput:
    """An input that cannot be read, and what must be said of it."""

    name: str
    reason: str


BAD_INPUTS = [
    BadInput("missing.png", "No such file"),
    BadInput("missing.txt", "No such file"),
    BadInput("empty.png", "empty"),
    BadInput("empty.txt", "no row"),
    BadInput("text.png", "not an image"),
    BadInput("notes.doc", "not an image"),
    BadInput("half.png", "cut off"),
    BadInput("half.jpg", "cut off|damaged"),
    BadInput("ragged.txt", "line 2, column 3: the row has 2 numbers, the first row has 3"),
    BadInput("word.csv", "line 2, column 3: 'four'"),
    BadInput("unknown.txt", "line 1, column 3: 'na'"),
    BadInput("gap.csv", "line 1, column 3"),
    BadInput("channels.txt", "channel 2 has 1 row"),
    BadInput("comment.txt", "no row"),
    BadInput("binary.txt", "neither a text nor"),
    BadInput("half.npy", r"not a whole \.npy file"),
    BadInput("text.npy", r"is not a number|\.npy"),
    BadInput("five.npy", "2 (?:or 3|to 4) dimensions"),
    BadInput("vector.npy", "2 (?:or 3|to 4) dimensions"),
    BadInput("complex.npy", "complex numbers are not supported"),
    BadInput("objects.npy", "npy"),
]
EVERY_BAD_INPUT = pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: bad.name)


def assert_one_line(text: str, path: str, reason: str) -> None:
    """Assert that a text is the one line `cnnfilter: PATH: reason`."""
    assert re.fullmatch(rf"cnnfilter: {re.escape(path)}: [^\n]*({reason})[^\n]*\n", text), text


@EVERY_COMMAND
@EVERY_BAD_INPUT
def test_a_bad_input_is_named_with_the_reason_and_nothing_is_written(
    run: Run, folder: Path, place: Tree, command: tuple[str, ...], bad: BadInput
) -> None:
    result = run(*command, bad.name, "-o", "result.png", status=1)
    assert_one_line(result.stderr, bad.name, bad.reason)
    assert result.stdout == ""
    assert tree(folder) == place


@EVERY_COMMAND
@EVERY_BAD_INPUT
def test_a_bad_input_in_the_middle_does_not_keep_the_others_from_being_done(
    run: Run, folder: Path, place: Tree, command: tuple[str, ...], bad: BadInput
) -> None:
    result = run(*command, "colours.png", bad.name, "m.txt", "-o", "out/", "--format", "npy", status=1)
    failure, counts = result.stderr.splitlines(keepends=True)
    assert_one_line(failure, bad.name, bad.reason)
    assert counts == "cnnfilter: 1 of 3 inputs failed\n"
    after = tree(folder)
    assert set(after) - set(place) == {"out/colours.npy", "out/m.npy"}
    assert {name: after[name] for name in place} == place
    assert np.array_equal(np.load("out/colours.npy"), load("colours.png"))
    assert np.array_equal(np.load("out/m.npy"), rows(Path("m.txt").read_text()))


@pytest.mark.parametrize(
    ("words", "path", "reason"),
    [
        (("convolve", "m.txt", "-k", "box:5"), "m.txt", "5x5 is larger than the input of 4x4"),
        (("convolve", "m.txt", "-k", "box:3", "-d", "2"), "m.txt", "spanning 5x5"),
        (("convolve", "colours.png", "-k", "box:99", "-o", "new.png"), "colours.png", "99x99 .* 21x26"),
        (("convolve", "m.txt", "colours.png", "-k", "slices.npy", "-o", "{stem}.npy"), None, "2 slices for [13] chan"),
        (("convolve", "two.npy", "-k", "box:3", "--channels", "gray"), "two.npy", "gray needs 3 channels"),
        (("convolve", "two.npy", "-k", "box:3", "-o", "new.png"), "new.png", r"has 2; a \.npy file"),
        (("convolve", "colours.png", "-k", "box:3", "-o", "new.pgm"), "new.pgm", "grey images only"),
        (("convolve", "sprite.png", "-k", "box:3", "-o", "new.jpg"), "new.jpg", "holds no alpha"),
        (("pool", "m.txt", "--size", "5"), "m.txt", "5x5 is larger"),
        (("pool", "m.txt", "-p", "2"), "m.txt", "more than half"),
        (("pool", "two.npy", "-o", "new.png"), "new.png", r"has 2; a \.npy file"),
        (("pipeline", "maxpool:5", "m.txt"), "m.txt", "maxpool:5: .* larger"),
        (("pipeline", "2x maxpool:3", "m.txt"), "m.txt", "layer 2, maxpool:3: .* larger than the input of 1x1"),
        (("pipeline", "flatten maxpool:2", "m.txt"), "m.txt", "layer 2, .* vector of 16"),
        (("pipeline", "gray", "two.npy"), "two.npy", "gray needs 3 channels"),
        (("pipeline", "conv:sobel-x,g2", "m.txt"), "m.txt", "2 groups"),
        (("pipeline", "channelmax:2", "colours.png", "-o", "new.png"), "colours.png", "3 channels cannot be taken 2"),
        (
            ("pipeline", "gray conv:sobel-x,sobel-y", "colours.png", "-o", "new.png"),
            "new.png",
            r"has 2; a \.npy .* --save all",
        ),
        (("pipeline", "dwconv:sobel-x,sobel-y", "colours.png", "-o", "new.png"), "new.png", r"has 6; a \.npy file"),
    ],
    ids=lambda value: " ".join(value).replace("/", "") if isinstance(value, tuple) else "",
)
def test_what_does_not_fit_an_input_is_said_of_that_input(
    run: Run, folder: Path, place: Tree, words: tuple[str, ...], path: str | None, reason: str
) -> None:
    result = run(*words, status=1)
    if path is None:
        first, second, _ = result.stderr.splitlines(keepends=True)
        assert_one_line(first, "m.txt", reason)
        assert_one_line(second, "colours.png", reason)
    else:
        assert_one_line(result.stderr, path, reason)
    assert result.stdout == ""
    assert tree(folder) == place


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "vector in a picture": (
        ("pipeline", "flatten", "colours.png", "-o", "new.png"),
        r"new\.png: .* a vector; use \.txt",
    ),
    "unknown suffix": (("pool", "colours.png", "-o", "new.xyz"), r"new\.xyz: unknown suffix '\.xyz'"),
    "mistyped suffix": (("pool", "colours.png", "-o", "new.pmg"), r"nearest: .*\.png"),
    "no suffix": (("pool", "colours.png", "-o", "new"), "new: no suffix"),
    "unknown suffix in a folder": (("pool", "notes.doc", "-o", "out/"), r"unknown suffix '\.doc'"),
    "unknown format": (("pool", "colours.png", "-o", "-", "--format", "xyz"), r"unknown suffix '\.xyz'"),
    "empty output": (("pool", "-", "-o", "", "--format", "png"), "output"),
    "output is the kernel": (("convolve", "m.txt", "-k", "1.txt", "-o", "1.txt"), "1.txt: .*kernel"),
    "input is a folder": (("pool", "folder.png", "-o", "new.png"), "folder.png: is a folder; -r reads"),
    "no such folder": (("pool", "colours.png", "-o", "none/new.png"), "no such folder: none"),
    "a file as a folder": (("pool", "colours.png", "-o", "m.txt/"), "m.txt: is not a folder"),
    "a folder in the way": (("pool", "colours.png", "-o", "folder{ext}"), "folder.png: is a folder"),
    "output is input": (
        ("pool", "colours.png", "-o", "colours.png"),
        "the output is the input colours.png; --in-place",
    ),
    "by a dot": (("pool", "colours.png", "-o", "./colours.png"), "the output is the input colours.png"),
    "by another folder": (("pool", "colours.png", "-o", "out/../colours.png"), "the output is the input colours.png"),
    "by its folder": (("pool", "colours.png", "-o", "."), "the output is the input colours.png"),
    "by a template": (("pool", "colours.png", "-o", "{name}"), "the output is the input colours.png"),
    "output is another input": (("pool", "m.txt", "1.txt", "-o", "{index}.txt"), "the output is the input 1.txt"),
    "two inputs, one file": (("pool", "colours.png", "m.txt", "-o", "new.png"), "new.png: .*colours.png and m.txt"),
    "two inputs, one name": (
        ("pool", "half.png", "half.jpg", "-o", "out/", "--format", "png"),
        "half.png and half.jpg would be written to it",
    ),
    "two kernels, one file": (
        ("convolve", "m.txt", "-k", "box:3", "-k", "sharpen", "-o", "new.txt"),
        r"two kernels would be written to it; use a folder, or a template with \{kernel\}",
    ),
    "one kernel twice": (("convolve", "m.txt", "-k", "box:3", "-k", "box:3", "-o", "out/"), "two kernels"),
    "two kernels in place": (("convolve", "m.txt", "-k", "box:3", "-k", "sharpen", "--in-place"), "two kernels"),
    "two results, one stdout": (("pool", "m.txt", "ragged.txt", "-o", "-"), "2 results cannot share standard output"),
    "bad field": (("pool", "colours.png", "-o", "{steam}.png"), r"unknown field \{steam\}; known are .*\{stem\}"),
    "empty field": (("pool", "colours.png", "-o", "{}.png"), r"unknown field \{\}"),
    "no output": (("pool", "colours.png"), "an image needs an output"),
    "no output of one": (("pool", "m.txt", "colours.png"), "colours.png: an image needs an output"),
    "stdin twice": (("pool", "-", "-", "-o", "{index}.png"), "standard input can be read once"),
    "no output of stdin": (("pool", "-"), "standard input is not a matrix, and an image needs an output"),
    "no input": (("pool", "-o", "new.png"), "Missing argument 'INPUT...'"),
    "no kernel": (("convolve", "m.txt"), "Missing option '-k'"),
    "unknown kernel": (("convolve", "m.txt", "-k", "sobelx"), "unknown kernel 'sobelx'; nearest: sobel-x"),
    "unknown kernel of a made one": (("convolve", "m.txt", "-k", "gausian:5"), "nearest: gaussian"),
    "no such kernel file": (("convolve", "m.txt", "-k", "./none.txt"), "none.txt: No such file"),
    "ragged kernel": (("convolve", "m.txt", "-k", "ragged-kernel.txt"), "ragged-kernel.txt: line 2"),
    "ragged inline kernel": (("convolve", "m.txt", "-k", "1 2; 3"), "row 2 has 1 number"),
    "kernels of two sizes": (
        ("convolve", "m.txt", "-k", "box:3", "-k", "box:5", "--combine", "max"),
        "box:3 is 3x3, box:5 is 5x5",
    ),
    "stride 0": (("convolve", "m.txt", "-k", "box:3", "-s", "0"), "stride 0 is below 1"),
    "stride 1x0": (("pool", "m.txt", "-s", "1x0"), "stride 0 is below 1"),
    "stride of letters": (("pool", "m.txt", "-s", "two"), "stride 'two' is neither a number nor HxW"),
    "size 0": (("pool", "m.txt", "--size", "0"), "size 0 is below 1"),
    "dilation 0": (("convolve", "m.txt", "-k", "box:3", "-d", "0"), "dilation 0 is below 1"),
    "padding -1": (("convolve", "m.txt", "-k", "box:3", "-p", "-1"), "padding -1 is below 0"),
    "padding 1/2/3": (("convolve", "m.txt", "-k", "box:3", "-p", "1/2/3"), "T/L/B/R"),
    "unknown padding": (("convolve", "m.txt", "-k", "box:3", "-p", "sam"), "nearest: same"),
    "unknown border": (("convolve", "m.txt", "-k", "box:3", "--border", "reflekt"), "nearest: reflect"),
    "border without its value": (("convolve", "m.txt", "-k", "box:3", "--border", "constant"), "constant:V"),
    "unknown activation": (("convolve", "m.txt", "-k", "box:3", "--activation", "rely"), "nearest: relu"),
    "layer for an activation": (
        ("convolve", "m.txt", "-k", "box:3", "--activation", "gap"),
        "'gap' is not an activation",
    ),
    "bias of letters": (("convolve", "m.txt", "-k", "box:3", "--bias", "one"), "'one' is not a number"),
    "infinite bias": (("convolve", "m.txt", "-k", "box:3", "--bias", "1e999"), "1e999"),
    "sum of zero": (("convolve", "m.txt", "-k", "sobel-x", "--normalize", "sum"), "sums to zero .*abs"),
    "nothing but zeros": (("convolve", "m.txt", "-k", "0 0", "--normalize", "abs"), "all its weights are 0"),
    "unknown normalize": (("convolve", "m.txt", "-k", "box:3", "--normalize", "mean"), "'none', 'sum', 'abs'"),
    "unknown mode": (("pool", "m.txt", "-m", "mean"), "'avg'"),
    "unknown channels": (("convolve", "m.txt", "-k", "box:3", "--channels", "grey"), "'gray'"),
    "unknown combine": (("convolve", "m.txt", "-k", "box:3", "--combine", "min"), "'magnitude'"),
    "unknown range": (("pool", "m.txt", "--range", "all"), "'clip'"),
    "unknown depth": (("pool", "m.txt", "--depth", "32"), "'float'"),
    "range none with PNG": (("pool", "m.txt", "-o", "new.png", "--range", "none"), r"none .*floats.*\.npy.*not PNG"),
    "range none with 8 bits": (("pool", "m.txt", "-o", "new.tiff", "--range", "none", "--depth", "8"), "none"),
    "quality 0": (("pool", "colours.png", "-o", "new.jpg", "--quality", "0"), "1<=x<=100"),
    "compression 10": (("pool", "colours.png", "-o", "new.png", "--compression", "10"), "0<=x<=9"),
    "unknown option": (("pool", "m.txt", "--sise", "2"), "No such option.*--size"),
    "no layer": (("pipeline", "", "m.txt"), "the network has no layer"),
    "nothing but a comment": (("pipeline", "# relu", "m.txt"), "the network has no layer"),
    "unknown layer": (("pipeline", "relu maxpol:2", "m.txt"), "layer 2, 'maxpol:2': .*nearest: maxpool"),
    "layer without weights": (("pipeline", "relu conv:3x3,16", "m.txt"), r"conv1 \(conv:3x3,16\) has no weights"),
    "linear without weights": (("pipeline", "flatten fc:10", "m.txt"), r"linear1 \(linear:10\) has no weights"),
    "batchnorm without weights": (("pipeline", "bn", "m.txt"), r"batchnorm1 \(batchnorm\) has no weights"),
    "bracket left open": (("pipeline", "conv:[1 2", "m.txt"), "never closed"),
    "zero sum in a network": (("pipeline", "conv:sobel-x,normalize=sum", "m.txt"), "sums to zero.*abs"),
}


@pytest.mark.parametrize("mistake", USAGE)
def test_a_mistake_of_usage_is_said_in_the_form_of_click_before_anything_is_touched(
    run: Run, folder: Path, place: Tree, mistake: str
) -> None:
    words, reason = USAGE[mistake]
    result = run(*words, given=Path("colours.png").read_bytes(), status=2)
    usage, advice, empty, error = result.stderr.splitlines()
    assert usage.startswith(f"Usage: cnnfilter {words[0]} [OPTIONS] ")
    assert advice == f"Try 'cnnfilter {words[0]} --help' for help."
    assert empty == ""
    assert error.startswith("Error: ")
    assert re.search(reason, error), error
    assert result.stdout == ""
    assert tree(folder) == place


@pytest.mark.parametrize(
    "link", [lambda link: link.symlink_to("colours.png"), lambda link: link.hardlink_to("colours.png")]
)
@EVERY_COMMAND
def test_an_output_that_is_the_input_under_another_name_is_refused(
    run: Run, folder: Path, place: Tree, command: tuple[str, ...], link: object
) -> None:
    assert callable(link)
    link(folder / "other.png")
    for source, target in (("colours.png", "other.png"), ("other.png", "colours.png")):
        result = run(*command, source, "-o", target, status=2)
        assert f"{target}: the output is the input {source}" in result.stderr
    assert (folder / "colours.png").read_bytes() == (folder / "other.png").read_bytes() == place["colours.png"]


@EVERY_COMMAND
def test_outputs_are_worked_out_before_the_first_input_is_read(
    run: Run, folder: Path, place: Tree, command: tuple[str, ...]
) -> None:
    result = run(*command, "missing.png", "colours.png", "notes.doc", "-o", "out/", status=2)
    assert "unknown suffix '.doc'" in result.stderr
    assert "missing.png" not in result.stderr
    assert tree(folder) == place


def test_in_place_never_writes_on_another_input(run: Run, folder: Path, place: Tree) -> None:
    result = run("pool", "m.txt", "1.txt", "-o", "{index}.txt", "--in-place", status=2)
    assert "1.txt: the output is the input 1.txt" in result.stderr
    assert tree(folder) == place


@EVERY_COMMAND
def test_every_bad_input_has_its_line(run: Run, folder: Path, place: Tree, command: tuple[str, ...]) -> None:
    names = [bad.name for bad in BAD_INPUTS]
    result = run(*command, *names, "-o", "out/{index}.png", "-q", status=1)
    *lines, counts = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == names
    assert counts == f"cnnfilter: {len(names)} of {len(names)} inputs failed"
    assert tree(folder) == place


def test_a_result_that_no_file_can_take_leaves_the_old_file(run: Run, folder: Path, place: Tree) -> None:
    save(folder / "new.png", np.zeros((2, 2), np.uint8))
    before = tree(folder)
    assert set(before) - set(place) == {"new.png"}
    run("pool", "two.npy", "-o", "new.png", status=1)
    assert tree(folder) == before


def test_a_result_that_is_not_written_brings_no_warning(run: Run, place: Tree) -> None:
    result = run("pipeline", "gray conv:sobel-x,sobel-y", "colours.png", "-o", "new.png", status=1)
    assert "new.png" not in place
    assert "warning" not in result.stderr


def test_the_kernels_that_do_not_fail_are_laid_on_an_input_all_the_same(run: Run, folder: Path, place: Tree) -> None:
    result = run("convolve", "m.txt", "-k", "2", "-k", "box:9", "-k", "3", "-o", "out/", status=1)
    assert_one_line(result.stderr, "m.txt", "9x9")
    assert set(tree(folder)) - set(place) == {"out/m-kernel1.txt", "out/m-kernel3.txt"}
    assert np.array_equal(rows(Path("out/m-kernel3.txt").read_text()), 3 * rows(Path("m.txt").read_text()))
