"""`pipeline --explain`: one value, followed from the last layer back to the input."""

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.commands import read_lines
from tests.cli.conftest import Run
from tests.cli.pictures import rows, text_of
from tests.reference.seeded import seeded_state

PLAIN = np.random.default_rng(5).integers(0, 100, (9, 11)).astype(np.float64)


@pytest.fixture(autouse=True)
def _inputs(folder: Path) -> None:
    """Lay a matrix and one of three channels in the current folder."""
    (folder / "m.txt").write_text(text_of(PLAIN))
    np.save(folder / "c.npy", np.random.default_rng(6).normal(size=(9, 11, 3)))


def explain(run: Run, network: str, source: str, *words: str) -> dict[str, Any]:
    """Return what JSON says of a value."""
    (record,) = read_lines(run("pipeline", network, source, *words, "--json").stdout)
    assert isinstance(record, dict)
    return record


def check(record: dict[str, Any], given: Any) -> None:
    """Look whether each layer's value is what it adds up or picks, and the chain leads to a pixel."""
    links = record["layers"]
    assert links[0]["value"] == record["result"]
    for link, before in itertools.pairwise(links):
        assert link["from"]["at"] == before["at"]
        assert link["from"]["value"] == before["value"]
    for link in links:
        if link["maps"]:
            assert link["maps"][0]["value"] == pytest.approx(link["value"], rel=1e-5, abs=1e-5)
        if link["terms"]:
            total = sum(term["product"] for term in link["terms"]) + link["bias"]
            assert total == pytest.approx(link["value"], rel=1e-5, abs=1e-5)
        if norm := link["norm"]:
            normal = (link["from"]["value"] - norm["mean"]) / (norm["variance"] + norm["eps"]) ** 0.5
            scaled = normal if norm["weight"] is None else normal * norm["weight"] + norm["bias"]
            assert scaled == pytest.approx(link["value"], rel=1e-5, abs=1e-5)
        if link["slope"] is not None:
            before = link["from"]["value"]
            assert max(0, before) + link["slope"] * min(0, before) == pytest.approx(link["value"])
    last = links[-1]["from"]
    pixel = given[tuple(last["at"])] if given.ndim == 3 else given[tuple(last["at"][:2])]
    assert last["value"] == pytest.approx(float(pixel), rel=1e-6)


NETWORKS = [
    "conv:sharpen,same,bias=3 relu maxpool:2",
    "conv:3x3,4,p1 batchnorm relu6 avgpool:2,s1 conv:2x2,3,g1",
    "conv:3x3,4 conv:3x3,6,g2 leakyrelu:0.2",
    "dwconv:sobel-x,sobel-y,border=edge magnitude minpool:3,s1,p1",
    "dwconv:3x3,2,p1 channelmax l2pool:2",
    "conv:3x3,3,p1 res(conv:3x3,3,p1 relu) res(conv:1x1,2 | conv:1x1,2) medianpool:3",
    "conv:3x3,3,p1 cat(relu | conv:1x1,2 | maxpool:3,s1,p1) dropout lrn channelavg",
    "conv:3x3,3,d2 equalize channelmin gelu",
    "conv:3x3,3,s2 softmax",
    "conv:3x3,4,s2 prelu:each deconv:4x3,6,s2x1,p1,d1x2,op1,g2 hardswish upsample:2x3,bilinear",
    "adaptivemaxpool:4x13 upsample:2 conv:2x2,4 groupnorm:2 layernorm adaptiveavgpool:5x3 instancenorm selu",
]


@pytest.mark.parametrize("source", ["m.txt", "c.npy"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_value_is_that_of_the_result_and_each_layer_adds_up(run: Run, network: str, source: str) -> None:
    run("pipeline", network, source, "--init", "he", "-o", "out.npy", "-q")
    given = np.load("c.npy") if source == "c.npy" else PLAIN
    result = np.atleast_3d(np.load("out.npy"))
    height, width, maps = result.shape
    for place in {(0, 0, 0), (height - 1, width - 1, maps - 1), (height // 2, width // 3, maps // 2)}:
        words = ("--init", "he", "--explain", f"{place[0]},{place[1]}", "--map", str(place[2]))
        record = explain(run, network, source, *words)
        assert record["at"] == list(place)
        assert record["result"] == pytest.approx(float(result[place]), rel=1e-6)
        check(record, given)


@pytest.mark.parametrize("network", ["layernorm@n", "groupnorm:3@n", "bn@n", "bn:noaffine@n", "prelu:each@n"])
def test_trained_norms_and_slopes_are_those_of_the_value(run: Run, network: str) -> None:
    shapes = {"weight": (3, 9, 11) if network == "layernorm@n" else (3,)}
    shapes |= {"bias": shapes["weight"]} if "norm@" in network or network.startswith(("group", "bn@")) else {}
    shapes |= {"running_mean": (3,), "running_var": (3,)} if network.startswith("bn") else {}
    names = [name for name in shapes if "noaffine" not in network or name != "weight"]
    np.savez("w.npz", allow_pickle=False, **seeded_state((f"n.{name}", shapes[name]) for name in names))
    for place, number in (("2,7", "1"), ("8,0", "2")):
        record = explain(run, network, "c.npy", "--weights", "w.npz", "--explain", place, "--map", number)
        check(record, np.load("c.npy"))
        (link,) = record["layers"]
        assert (link["norm"] or {}).get("weight") is None or "noaffine" not in network


def test_what_a_deconv_leaves_empty_has_nothing_to_follow(run: Run) -> None:
    words = ("pipeline", "deconv:1x1,s2,op1", "m.txt", "--init", "he", "--explain", "1,0")
    assert "deconv1 (deconv:1x1,s2,op1): no value before it is in the value at (1, 0)" in run(*words, status=1).stderr


@pytest.mark.parametrize(
    "network",
    ["conv:3x3,4 relu gap flatten fc:5 bn softmax", "maxpool:3 flatten fc:40 relu fc:3", "globalmaxpool flatten"],
)
def test_an_index_into_a_vector_is_followed(run: Run, network: str) -> None:
    words = ("pipeline", network, "c.npy", "--init", "uniform")
    printed = rows(run(*words).stdout).ravel()
    for index in (0, len(printed) - 1):
        record = explain(run, *("c.npy", network)[::-1], "--init", "uniform", "--explain", str(index))
        assert record["result"] == pytest.approx(printed[index], rel=1e-6)
        check(record, np.load("c.npy"))


def test_the_text_goes_through_the_lectures_chain(run: Run, samples: Path) -> None:
    words = ("pipeline", "conv:sharpen,same relu maxpool:2", samples / "sharpen-5x5.txt", "--explain", "0,0")
    text = run(*words).stdout
    heads = re.findall(r"^(\w+): (.*) \d+x\d+x1 -> \d+x\d+x1$", text, re.MULTILINE)
    assert heads == [("maxpool1", "maxpool:2"), ("relu1", "relu"), ("conv1", "conv:sharpen,same")]
    assert "  max(320, 206, 210, 89) = 320 = i[0,0]\n" in text
    assert "then      relu(320) = 320\n" in text
    assert "  i[0,0]*f[1,1]   = 105*5 = 525\n" in text
    assert text.endswith("result    o[0,0,0] = 320\nback to   i[0,0,0] = 105, the largest product\n")


def test_a_known_network_has_its_name_and_a_number_is_the_same_in_every_line(run: Run, samples: Path) -> None:
    head, *lines = run("pipeline", "digits", samples / "digit-7.png", "--explain", "3").stdout.splitlines()
    value = head.removeprefix(f"{samples / 'digit-7.png'}, digits: output [3] = ").removesuffix(", back to the input")
    assert f"result    o[3] = {value}" in lines
    assert any(line.startswith("then      exp(") and line.endswith(f" = {value}") for line in lines)


def test_blocks_and_sums_are_named_in_the_text(run: Run) -> None:
    text = run(
        "pipeline", "gray res(maxpool:3,s1,p1) cat(relu | abs)", "c.npy", "--explain", "4,5", "--map", "1"
    ).stdout
    assert "back to   i[4,5,0] = " in text
    assert ", from branch 2\n" in text
    assert "  branch 1 i[4,5,0]" in text
    assert "  the block's input i[4,5,0]" in text
    assert "  i[" in text.partition("gray1")[2]


def test_long_sums_list_the_largest_products(run: Run) -> None:
    text = run("pipeline", "flatten fc:2", "c.npy", "--init", "he", "--explain", "1").stdout
    assert len(re.findall(r"\]\*w +=", text)) == 25
    assert "  272 smaller products are not listed\n" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("relu", "--explain", "9,0"), "position 9,0 of map 0 is outside the result of 9x11x1, which has rows to 8, "),
        (
            ("relu", "--explain", "1,1", "--map", "1"),
            "of map 1 is outside the result of 9x11x1, which has rows to",
        ),
        (("relu", "--explain", "3"), "the result is 9x11x1; --explain Y,X takes a row and a column"),
        (("flatten", "--explain", "1,1"), "the result is a vector of 99; --explain K takes an index"),
        (("flatten", "--explain", "99"), "position 99 is outside the result of 99, which has indices to 98"),
        (("flatten", "--explain", "1", "--map", "0"), "is a vector of 99, and has no maps; leave --map out"),
    ],
)
def test_a_place_that_is_not_there_fails_in_one_line(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("pipeline", words[0], "m.txt", *words[1:], status=1)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--map", "1"), "--map chooses what --explain Y,X follows, which is not there"),
        (("--explain", "1", "--top", "2"), "--top lists classes, and --explain follows one value; leave one out"),
        (("--explain", "0,0", "--region", "0:1,0:1"), "--explain goes by the whole"),
        (("--explain", "a"), "position 'a' is not Y,X, a row and a column from 0, such as 2,31, or K, an index into a"),
        (("--json",), "--json needs --top N or --explain Y,X"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(run: Run, words: tuple[str, ...], message: str) -> None:
    assert message in run("pipeline", "relu", "m.txt", *words, status=2).stderr


def test_a_result_and_a_figure_are_made_beside_it(run: Run, folder: Path) -> None:
    text = run("pipeline", "relu", "m.txt", "--explain", "0,0", "-o", "out.txt", "--plot", "layers.png").stdout
    assert text.startswith("m.txt, relu: output [0,0,0]")
    assert (folder / "out.txt").exists()
    assert (folder / "layers.png").exists()
