"""What texts can ask for is bounded before an array is made, and said in a line."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.compute.tiles import Model
from cnnfilter.io import decode
from cnnfilter.io import paths as limits
from cnnfilter.io.paths import free_memory
from tests.cli.commands import files
from tests.cli.conftest import Run
from tests.cli.pictures import save
from tests.io.pngs import put_together

WORDS = [
    pytest.param(("convolve", "-k", "box:100000000"), 2, "from 1 to 4001", id="kernel"),
    pytest.param(("convolve", "-k", "gaussian:sigma=1e6"), 2, "from 1 to 4001", id="sigma"),
    pytest.param(("convolve", "-k", "box:3", "-p", "1000000000"), 2, "100000, the most", id="padding"),
    pytest.param(("convolve", "-k", "box:3", "-d", "1000000000"), 2, "100000, the most", id="dilation"),
    pytest.param(("convolve", "-k", "box:3", "-s", "9" * 30), 2, "neither a number", id="stride"),
    pytest.param(("pool", "--size", "100000000000"), 2, "100000, the most", id="window"),
    pytest.param(("pipeline", "9999999x conv:box:3"), 2, "more than 10000 layers", id="repeats"),
    pytest.param(("pipeline", "100x res(100x relu)"), 2, "more than 10000 layers", id="repeats-in-blocks"),
    pytest.param(("pipeline", "res(" * 5000), 2, "more than 50 blocks", id="blocks-in-blocks"),
    pytest.param(("pipeline", "relu", "--resize", "100000"), 2, "the most allowed", id="resize"),
    pytest.param(("convolve", "-k", "box:3", "--max-pixels", "9" * 25), 2, "1<=x<=", id="max-pixels"),
    pytest.param(("convolve", "-k", "box:3", "-p", "100000"), 1, "a result of 200019x200024x3 values", id="result"),
    pytest.param(("pipeline", "2000x conv:box:4001,same"), 2, "the network's 2000 kernels need", id="kernels"),
    pytest.param(
        ("pipeline", "conv:21x26,100000000", "--init", "he"), 1, "weights, 163900000000 of them in conv1,", id="weights"
    ),
    pytest.param(("pipeline", "flatten linear:1000000000", "--init", "he"), 1, "of them in linear1, need", id="linear"),
    pytest.param(("pipeline", "flatten " + "relu " * 3 + "linear:9" + "0" * 300), 2, "linear", id="a-long-number"),
]


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize(("words", "status", "reason"), WORDS)
def test_what_cannot_be_is_said_before_an_array_is_made(
    run: Run, words: tuple[str, ...], status: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: min(free_memory(), 1 << 33))
    command, *others = words
    place = 1 if command == "pipeline" else 0
    output = "new.npy" if command == "pipeline" else "new.png"
    result = run(command, *others[:place], "colours.png", *others[place:], "-o", output, status=status)
    assert reason in result.stderr
    assert max(map(len, result.stderr.splitlines())) < 7000


@pytest.mark.usefixtures("colours")
def test_no_weight_is_drawn_for_a_result_that_no_memory_holds(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 30)
    monkeypatch.setattr(Model, "program", lambda *_: pytest.fail("weights are drawn"))
    words = ("pipeline", "conv:1x1,1000000", "colours.png", "--init", "he", "-o", "x.npy")
    for more in ((), ("--dry-run",)):
        assert "a result of 21x26x1000000 values would need" in run(*words, *more, status=1).stderr


@pytest.mark.usefixtures("colours")
def test_a_key_of_very_many_parts_is_refused_before_it_takes_memory(run: Run, folder: Path) -> None:
    (folder / "deep.toml").write_text("a" + ".a" * 16_000 + " = 1\n")
    assert "a key has more than 100 parts" in run("pipeline", "deep.toml", "colours.png", status=2).stderr


@pytest.mark.usefixtures("colours")
def test_layers_that_are_made_whole_must_fit_into_memory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_WORTH_ASKING", 0)
    monkeypatch.setattr(limits, "free_memory", lambda: 10_000)
    whole = run("pipeline", "dwconv:identity:1 equalize avgpool:7", "colours.png", "-o", "new.png", status=1)
    assert "values that live beside" in whole.stderr
    monkeypatch.setattr(limits, "free_memory", lambda: 8 * 21 * 26 * 3 - 1)
    assert (
        "a result of 21x26x3 values would need"
        in run("pool", "colours.png", "--size", 1, "-o", "x.png", status=1).stderr
    )


@pytest.mark.usefixtures("colours")
def test_a_message_does_not_grow_with_what_it_is_about(run: Run) -> None:
    kernel = " ".join(np.ones(60_000, int).astype(str))
    result = run("convolve", "colours.png", "-k", kernel, "-o", "x.png", status=1)
    assert "larger than the input of 21x26" in result.stderr
    assert len(result.stderr) < 7000


def forbid_decoding(patch: pytest.MonkeyPatch) -> None:
    """Let a test fail where pixels are decoded, by whatever library."""
    patch.setattr("cnnfilter.io.decode.call_opencv", lambda *_: pytest.fail("it is decoded"))
    for format_ in list(decode._DECODERS):
        patch.setitem(decode._DECODERS, format_, lambda *_: pytest.fail("it is decoded"))


@pytest.mark.parametrize("suffix", ["npy", "tif", "pfm"])
@pytest.mark.parametrize(
    ("words", "shape", "needed"),
    [
        (("pool", "--size", "1"), "30000x30000x1", 9 * 30000**2),
        (("convolve", "-k", "box:3"), "29998x29998x1", 30000**2 + 8 * 29998**2),
        (("pipeline", "conv:1x1,9", "--init", "he"), "30000x30000x9", 73 * 30000**2),
    ],
    ids=["pool", "convolve", "pipeline"],
)
def test_what_a_huge_image_gives_is_seen_from_its_head(
    run: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    words: tuple[str, ...],
    shape: str,
    needed: int,
) -> None:
    (folder / "huge.png").write_bytes(put_together((30000, 30000), 0, 8, b"none"))  # whole chunks, and no pixel
    monkeypatch.setattr(limits, "free_memory", lambda: needed - 1)
    forbid_decoding(monkeypatch)
    place = 2 if words[0] == "pipeline" else 1
    words = (*words[:place], "huge.png", *words[place:], "-o", f"out.{suffix}", "--depth", "float")
    said = run(*words, status=1).stderr
    free = (needed - 1) >> 20
    reason = f"a result of {shape} values would need {needed >> 20} MB of memory, and {free} MB are free"
    assert said == f"cnnfilter: huge.png: {reason}\n"
    assert files(folder) == {"huge.png"}


def test_of_several_kernels_only_those_are_refused_that_are_too_large(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.zeros((2100, 2100), np.uint8)
    save(folder / "large.png", image)
    np.save(folder / "bank.npy", np.ones((1, 1, 1, 64)))
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 30)
    words = ("convolve", "large.png", "-k", "bank.npy", "-k", "identity:1", "-k", "./slices.npy", "-o", "out/")
    np.save(folder / "slices.npy", np.ones((1, 1, 5)))
    said = run(*words, status=1).stderr
    assert "a result of 2100x2100x64 values would need" in said
    assert said.count("\n") == 2
    assert files(folder / "out") == {"large-identity_1.png"}


@pytest.mark.parametrize(
    "command", [("convolve", "-k", "sharpen"), ("pool", "--size", "1")], ids=lambda words: words[0]
)
def test_a_large_image_is_not_decoded_for_a_result_that_no_memory_holds(
    run: Run, folder: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "large.pgm").open("wb") as file:
        file.write(b"P5 9000 9000 255\n")
        file.truncate(file.tell() + 9000 * 9000)
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 28)
    forbid_decoding(monkeypatch)
    stderr = run(*command, "large.pgm", "-o", "x.npy", status=1).stderr
    assert stderr.startswith("cnnfilter: large.pgm: a result of ")
    assert "values would need" in stderr
