"""What texts can ask for is bounded before an array is made, and said in a line."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.compute.tiles import Model
from cnnfilter.io import paths as limits
from cnnfilter.io.paths import free_memory
from tests.cli.conftest import Run

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


@pytest.mark.parametrize(("words", "status", "reason"), WORDS)
def test_what_cannot_be_is_said_before_an_array_is_made(
    run: Run, colours: Array, words: tuple[str, ...], status: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert colours.size
    monkeypatch.setattr(limits, "free_memory", lambda: min(free_memory(), 1 << 33))
    command, *others = words
    place = 1 if command == "pipeline" else 0
    output = "new.npy" if command == "pipeline" else "new.png"
    result = run(command, *others[:place], "colours.png", *others[place:], "-o", output, status=status)
    assert reason in result.stderr
    assert max(map(len, result.stderr.splitlines())) < 7000


def test_no_weight_is_drawn_for_a_result_that_no_memory_holds(
    run: Run, colours: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert colours.size
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 30)
    monkeypatch.setattr(Model, "program", lambda *_: pytest.fail("weights are drawn"))
    words = ("pipeline", "conv:1x1,1000000", "colours.png", "--init", "he", "-o", "x.npy")
    for more in ((), ("--dry-run",)):
        assert "a result of 21x26x1000000 values would need" in run(*words, *more, status=1).stderr


def test_a_key_of_very_many_parts_is_refused_before_it_takes_memory(run: Run, colours: Array, folder: Path) -> None:
    assert colours.size
    (folder / "deep.toml").write_text("a" + ".a" * 16_000 + " = 1\n")
    assert "a key has more than 100 parts" in run("pipeline", "deep.toml", "colours.png", status=2).stderr


def test_layers_that_are_made_whole_must_fit_into_memory(
    run: Run, colours: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert colours.size
    monkeypatch.setattr(limits, "_WORTH_ASKING", 0)
    monkeypatch.setattr(limits, "free_memory", lambda: 10_000)
    whole = run("pipeline", "dwconv:identity:1 equalize avgpool:7", "colours.png", "-o", "new.png", status=1)
    assert "values that live beside" in whole.stderr
    monkeypatch.setattr(limits, "free_memory", lambda: 8 * 21 * 26 * 3 - 1)
    assert (
        "a result of 21x26x3 values would need"
        in run("pool", "colours.png", "--size", 1, "-o", "x.png", status=1).stderr
    )


def test_a_message_does_not_grow_with_what_it_is_about(run: Run, colours: Array) -> None:
    assert colours.size
    kernel = " ".join(np.ones(60_000, int).astype(str))
    result = run("convolve", "colours.png", "-k", kernel, "-o", "x.png", status=1)
    assert "larger than the input of 21x26" in result.stderr
    assert len(result.stderr) < 7000


@pytest.mark.parametrize(
    "command", [("convolve", "-k", "sharpen"), ("pool", "--size", "1")], ids=lambda words: words[0]
)
def test_a_large_image_is_not_decoded_for_a_result_that_no_memory_holds(
    run: Run, folder: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "large.pgm").open("wb") as file:
        file.write(b"P5 9000 9000 255\n")
        file.truncate(file.tell() + 9000 * 9000)
    monkeypatch.setattr(limits, "free_memory", lambda: 1 << 26)
    monkeypatch.setattr("cnnfilter.run.inputs.read_input", lambda *_: pytest.fail("it is decoded"))
    stderr = run(*command, "large.pgm", "-o", "x.npy", status=1).stderr
    assert stderr.startswith("cnnfilter: large.pgm: a result of ")
    assert "values would need" in stderr
