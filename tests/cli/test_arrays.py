"""Arrays of four dimensions are batches of `pipeline`: N inputs, and N results in one array."""

import json
from pathlib import Path

import numpy as np
import pytest

import cnnfilter
from tests.cli.commands import read_lines
from tests.cli.conftest import Run
from tests.cli.pictures import rows

RNG = np.random.default_rng(8)
IMAGES = RNG.integers(0, 255, (3, 9, 8, 2))
DIGITS = RNG.integers(0, 16, (4, 8, 8, 1)).astype(np.float64)


@pytest.fixture(autouse=True)
def _arrays(folder: Path) -> None:
    """Lay two batches in the current folder."""
    np.save(folder / "b.npy", IMAGES)
    np.save(folder / "g.npy", DIGITS)


@pytest.mark.parametrize(
    "network", ["dwconv:sharpen,same relu maxpool:2", "conv:sobel-x", "channelmax", "flatten", "gap flatten softmax"]
)
def test_the_results_are_those_of_the_library(run: Run, network: str) -> None:
    assert run("pipeline", network, "b.npy", "-o", "out.npy", "-q").stdout == ""
    made, expected = np.load("out.npy"), cnnfilter.network(network).run(IMAGES.astype(np.float64))
    assert made.shape == expected.shape
    np.testing.assert_array_equal(made, expected)


def test_each_result_is_that_of_its_input_alone(run: Run, folder: Path) -> None:
    words = ("conv:3x3,4 batchnorm relu avgpool:2", "--init", "he", "--seed", "3", "--input-scale", "1/255")
    run("pipeline", words[0], "b.npy", *words[1:], "-o", "out.npy")
    for number, image in enumerate(IMAGES):
        np.save(folder / "one.npy", image)
        run("pipeline", words[0], "one.npy", *words[1:], "-o", "alone.npy")
        np.testing.assert_array_equal(np.load("out.npy")[number], np.load("alone.npy"))
        run("pipeline", words[0], "b.npy", *words[1:], "--page", number + 1, "-o", "page.npy")
        np.testing.assert_array_equal(np.load("page.npy"), np.load("alone.npy"))


def test_extremes_are_those_of_the_whole_batch(run: Run) -> None:
    run("pipeline", "relu", "b.npy", "--range", "scale", "--depth", "8", "-o", "out.npy")
    low, high = IMAGES.min(), IMAGES.max()
    np.testing.assert_array_equal(np.load("out.npy"), np.rint((IMAGES - low) / (high - low) * 255))


def test_vectors_are_printed_a_row_for_each_input(run: Run) -> None:
    expected = cnnfilter.network("digits").run(DIGITS)
    np.testing.assert_allclose(rows(run("pipeline", "digits", "g.npy").stdout), expected, rtol=1e-6)


def test_top_prints_a_line_for_each_input(run: Run) -> None:
    expected = cnnfilter.network("digits").run(DIGITS)
    best = np.argsort(-expected, axis=1)[:, :2]
    lines = [line.split() for line in run("pipeline", "digits", "g.npy", "--top", "2").stdout.splitlines()]
    assert [[line[0], line[1], line[3]] for line in lines] == [
        [str(number), *map(str, order)] for number, order in enumerate(best.tolist())
    ]
    records = read_lines(run("pipeline", "digits", "g.npy", "--top", "2", "--json").stdout)
    assert [(record["input"], record["item"]) for record in records] == [("g.npy", number) for number in range(4)]
    assert [[one["index"] for one in record["classes"]] for record in records] == best.tolist()
    run("pipeline", "digits", "g.npy", "--top", "2", "-o", "top.csv")
    assert [line.split(",")[:2] for line in Path("top.csv").read_text().splitlines()] == [line[:2] for line in lines]


def test_a_dry_run_knows_the_shape(run: Run) -> None:
    shown = run("pipeline", "conv:sobel-x maxpool:2", "b.npy", "-o", "out.npy", "--dry-run").stdout
    assert shown == "b.npy 9x8x2 -> out.npy 3x3x3x1\n"
    assert not Path("out.npy").exists()


def test_a_report_has_the_shape_of_the_array(run: Run) -> None:
    run("pipeline", "maxpool:2", "b.npy", "-o", "out.npy", "--report", "report.jsonl")
    assert json.loads(Path("report.jsonl").read_text())["outputs"][0]["size"] == [3, 4, 4, 2]


def test_a_figure_and_an_explanation_are_of_the_first(run: Run, folder: Path) -> None:
    result = run("pipeline", "relu", "b.npy", "--explain", "1,2", "--plot", "out.png")
    assert f"o[1,2,0] = {IMAGES[0, 1, 2, 0]}\n" in result.stdout
    assert "b.npy: the first of 3 inputs of the batch is shown; --page N takes another" in result.stderr
    assert (folder / "out.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("relu", "b.npy"), "standard output: the results of a batch are 3x9x8x2, for .npy alone: -o FILE.npy"),
        (("relu", "b.npy", "-o", "out.png"), "out.png: the results of a batch are 3x9x8x2, for .npy alone"),
        (("relu", "b.npy", "-o", "out.csv"), "out.csv: the results of a batch are 3x9x8x2, for .npy alone"),
        (("relu", "b.npy", "-o", "out.csv", "--dry-run"), "out.csv: the results of a batch are 3x9x8x2, for .npy"),
        (
            ("relu", "b.npy", "--save", "all", "-o", "out/"),
            "--save writes the layers of one input, and this is a batch",
        ),
        (("relu", "b.npy", "--page", "4", "-o", "out.npy"), "the batch has 3 inputs, and --page 4 does not exist"),
        (("relu", "five.npy", "-o", "out.npy"), "real numbers in 2 to 4 dimensions are read"),
    ],
)
def test_what_holds_no_batch_is_refused(run: Run, folder: Path, words: tuple[str, ...], message: str) -> None:
    np.save(folder / "five.npy", np.zeros((1, 2, 3, 4, 5)))
    assert message in run("pipeline", *words, status=1).stderr
    assert not list(folder.glob("out.*"))


@pytest.mark.parametrize("words", [("convolve", "b.npy", "-k", "sharpen"), ("pool", "b.npy")])
def test_other_commands_name_the_one_that_takes_batches(run: Run, words: tuple[str, ...]) -> None:
    assert "a batch (N, H, W, C) is for `cnnfilter pipeline`" in run(*words, status=1).stderr


def test_three_dimensions_are_always_height_width_and_channels(run: Run, folder: Path) -> None:
    np.save(folder / "three.npy", IMAGES[:, :, :, 0])
    run("pipeline", "maxpool:2", "three.npy", "-o", "out.npy")
    assert np.load("out.npy").shape == (1, 4, 8)
