"""`cnnfilter shape`: the table of sizes, weights and multiplications."""

import csv
import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.commands import read_json
from tests.cli.conftest import Run
from tests.cli.pictures import text_of
from tests.reference.shapes import NETWORKS, REFUSED_LAYERS, SINGLE_LAYERS, ReferenceNetwork, RefusedLayer, SingleLayer
from tests.reference.worked_examples import SHAPES, Sizes

SOME_LAYERS = SINGLE_LAYERS[::7]
"""The others go through the library; a part of them is enough to see that the table shows the same."""


def by_id(table: tuple[Sizes, ...] | tuple[SingleLayer, ...] | tuple[ReferenceNetwork, ...]) -> list[str]:
    """Return the names of a table's rows."""
    return [row.id for row in table]


def show(shape: tuple[int, ...]) -> str:
    """Return a shape as the table shows it."""
    return "x".join(map(str, shape))


def layers(run: Run, *words: object) -> list[dict[str, Any]]:
    """Return what is known of each layer, by the keys of --json."""
    rows: list[dict[str, Any]] = json.loads(run("shape", *words, "--json").stdout)["layers"]
    return rows


def totals(run: Run, *words: object) -> dict[str, int]:
    """Return the sums of a network, by the keys of --json, and not the bytes that follow from them."""
    sums: dict[str, int] = json.loads(run("shape", *words, "--json").stdout)["totals"]
    del sums["bytes"]
    return sums


def column(run: Run, key: str, *words: object) -> list[str]:
    """Return a column of the CSV."""
    return [row[key] for row in csv.DictReader(run("shape", *words, "--csv").stdout.splitlines())]


BLOCKS = """\
#  name            layer                            output  activations  parameters  MACs  receptive field  jump
   input                                            8x6x1            48                    1x1              1x1
1  conv1           - conv:3x3,same (padding 1)      8x6x1            48          10   432  3x3              1x1
2  batchnorm1        batchnorm                      8x6x1            48           2     0  3x3              1x1
3  abs1              - abs                          8x6x1            48           0     0  1x1              1x1
4  relu1             - relu                         8x6x1            48           0     0  1x1              1x1
5  cat1            - cat (2 branches side by side)  8x6x2            96           0     0  1x1              1x1
6  conv2             conv:1x1                       8x6x1            48           3    96  1x1              1x1
7  res1            res (sum of 2 branches)          8x6x1            48           0     0  3x3              1x1
8  globalavgpool1  globalavgpool                    1x1x1             1           0     0  all
9  flatten1        flatten                          1                 1           0     0  all
15 parameters (60 bytes as float32), and 2 statistics of batchnorm
528 MACs, 1,056 FLOPs
386 activations (1.5 KiB as float32), at most 240 values (960 bytes) live at a time
receptive field of the whole input
"""


def test_the_table_shows_each_layer_and_the_totals(run: Run) -> None:
    result = run("shape", "224x224x3", "conv:7x7,64,s2,p3", "maxpool:3,s2,p1")
    assert result.stdout == (
        "#  name      layer              output      activations  parameters         MACs  receptive field  jump\n"
        "   input                        224x224x3       150,528                           1x1              1x1\n"
        "1  conv1     conv:7x7,64,s2,p3  112x112x64      802,816       9,472  118,013,952  7x7              2x2\n"
        "2  maxpool1  maxpool:3,s2,p1    56x56x64        200,704           0            0  11x11            4x4\n"
        "9,472 parameters (37.0 KiB as float32)\n"
        "118,013,952 MACs, 236,027,904 FLOPs\n"
        "1,003,520 activations (3.8 MiB as float32), at most 1,003,520 values (3.8 MiB) live at a time\n"
        "receptive field 11x11, jump 4x4\n"
    )
    assert result.stderr == ""


def test_layers_in_blocks_are_indented_and_a_dash_begins_a_branch(run: Run) -> None:
    table = run("shape", "8x6", "res(conv:3x3,same bn | cat(abs | relu) conv:1x1) gap flatten").stdout
    assert table == BLOCKS


def test_a_batch_and_a_type_say_how_much_memory_is_taken(run: Run) -> None:
    words = ("shape", "32x32x3", "conv:5x5,8", "maxpool:2", "--batch", "32", "--dtype", "float16")
    lines = run(*words).stdout.splitlines()
    assert lines[-4] == "608 parameters (1.2 KiB as float16)"
    assert lines[-2] == (
        "7,840 activations (490.0 KiB as float16 for a batch of 32), at most 9,344 values (584.0 KiB) live at a time"
    )
    assert f"{lines[-2]}  \n" in run(*words, "--markdown").stdout
    assert read_json(run(*words, "--json").stdout)["totals"]["bytes"] == {
        "batch": 32,
        "dtype": "float16",
        "parameters": 2 * 608,
        "activations": 2 * 32 * 7840,
        "live": 2 * 32 * 9344,
    }


@pytest.mark.parametrize("form", ["--table", "--markdown"])
def test_the_rule_of_counting_is_for_explain_alone(run: Run, form: str) -> None:
    assert "MACs are" not in run("shape", "8x6", "conv:3x3", form).stdout
    assert "MACs are multiplications by weights" in run("shape", "8x6", "conv:3x3", "--explain").stdout


@pytest.mark.parametrize("example", SHAPES, ids=by_id(SHAPES))
def test_a_worked_example_has_the_sizes_and_weights_that_it_states(run: Run, example: Sizes) -> None:
    if example.refused:
        assert example.refused in run("shape", example.input, example.layers, status=2).stderr
        return
    words = (example.input, *example.layers.split())
    rows = layers(run, *words)
    outputs = [tuple(row["output"]) for row in rows]
    assert outputs[len(outputs) - len(example.outputs) :] == list(example.outputs)
    if example.parameters is not None:
        assert [row["parameters"] for row in rows] == list(example.parameters)
    if example.total_parameters is not None:
        assert f"\n{example.total_parameters:,} parameters" in run("shape", *words).stdout
    if example.padding is not None:
        assert [row["padding"] for row in rows] == [list(example.padding)]
    assert example.outputs or example.parameters or example.total_parameters


@pytest.mark.parametrize("layer", SOME_LAYERS, ids=by_id(SOME_LAYERS))
def test_a_layer_has_the_size_the_weights_and_the_macs_of_pytorch(run: Run, layer: SingleLayer) -> None:
    (row,) = layers(run, show(layer.input), layer.layer)
    assert tuple(row["output"]) == layer.output
    assert (row["parameters"], row["macs"]) == (layer.parameters, layer.macs)
    assert row["op"] == layer.layer.split(":")[0]
    if layer.padding is not None:
        assert tuple(row["padding"]) == layer.padding
    if layer.receptive_field is not None:
        assert tuple(row["receptive_field"]) == layer.receptive_field


@pytest.mark.parametrize("network", NETWORKS, ids=by_id(NETWORKS))
def test_a_known_network_has_its_known_rows_and_totals(run: Run, network: ReferenceNetwork) -> None:
    words = (show(network.input), network.text)
    found = [(row.get("branch"), tuple(row["output"]), row["parameters"], row["macs"]) for row in layers(run, *words)]
    assert found == [(layer.branch, layer.output, layer.parameters, layer.macs) for layer in network.layers]
    assert totals(run, *words) == {
        "parameters": network.parameters,
        "statistics": network.statistics,
        "macs": network.macs,
        "flops": 2 * network.macs,
        "activations": network.activations,
    }


@pytest.mark.parametrize("network", NETWORKS, ids=by_id(NETWORKS))
def test_a_known_network_sees_the_pixels_that_are_known(run: Run, network: ReferenceNetwork) -> None:
    rows = layers(run, show(network.input), network.text)
    for row, layer in zip(rows, network.layers, strict=True):
        if layer.receptive_field and layer.jump and layer.first:
            assert row["receptive_field"] == list(layer.receptive_field)
            assert (row["jump"], row["first"]) == (list(layer.jump), list(layer.first))


@pytest.mark.parametrize("layer", REFUSED_LAYERS, ids=[layer.id for layer in REFUSED_LAYERS])
def test_what_pytorch_refuses_is_a_usage_error(run: Run, layer: RefusedLayer) -> None:
    result = run("shape", show(layer.input), layer.layer, status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: cnnfilter shape")
    assert layer.layer.split(",")[0] in result.stderr


@pytest.mark.parametrize(
    ("size", "shape"), [("28", "28x28x1"), ("28x30", "28x30x1"), ("28x30x3", "28x30x3"), ("1x1x1", "1x1x1")]
)
def test_a_size_is_one_number_or_two_or_three(run: Run, size: str, shape: str) -> None:
    assert run("shape", size, "-q").stdout == f"{shape}\n"
    assert run("shape", size, "relu").stdout.splitlines()[1].split()[:2] == ["input", shape]


def test_quiet_prints_the_last_size_alone(run: Run) -> None:
    words = ("shape", "32x32x3", "conv:5x5,8", "maxpool:2")
    assert run(*words, "-q").stdout == "14x14x8\n"
    assert run(*words, "flatten", "--quiet").stdout == "1568\n"


def test_layers_are_words_or_one_text(run: Run) -> None:
    words = ["conv:3x3,8,p1+bn+relu", "2x", "maxpool:2"]
    assert run("shape", "32x32x3", *words).stdout == run("shape", "32x32x3", " ".join(words)).stdout


def test_a_word_for_padding_shows_the_pixels_that_it_comes_to(run: Run) -> None:
    words = ("28x31", "conv:4x4,same", "conv:3x3,s2,same-lower", "conv:3x5,half", "conv:3x3,full")
    table = run("shape", *words).stdout.splitlines()
    assert [line.partition("(")[2].partition(")")[0] for line in table[2:6]] == [
        "padding 1/1/2/2",
        "padding 1/1/0/1",
        "padding 1x2",
        "padding 2",
    ]
    assert column(run, "padding", *words) == ["1/1/2/2", "1/1/0/1", "1/2/1/2", "2/2/2/2"]


def test_a_kernel_with_one_side_is_refused_with_both_shown(run: Run) -> None:
    assert "3x3" in run("shape", "28x31", "conv:3,full", status=2).stderr


def test_statistics_of_batchnorm_stand_apart(run: Run) -> None:
    rows = layers(run, "8x8x6", "bn", "bn")
    assert [
        (row["name"], row["op"], row["output"], row["parameters"], row["statistics"], row["macs"]) for row in rows
    ] == [(f"batchnorm{number}", "batchnorm", [8, 8, 6], 12, 12, 0) for number in (1, 2)]
    assert (
        "\n24 parameters (96 bytes as float32), and 24 statistics of batchnorm\n0 MACs, 0 FLOPs\n"
        in run("shape", "8x8x6", "bn", "bn").stdout
    )


def test_kernels_count_as_weights_once_for_each_channel_they_lie_on(run: Run) -> None:
    words = ("10x10x3", "conv:sobel-x,sobel-y", "dwconv:gaussian:5:1")
    assert column(run, "output", *words) == ["8x8x2", "4x4x2"]
    assert column(run, "parameters", *words) == [str(9 * 3 * 2), str(25 * 2)]
    assert column(run, "macs", *words) == [str(8 * 8 * 9 * 3 * 2), str(4 * 4 * 25 * 2)]


def test_kernel_files_need_only_their_size(run: Run, folder: Path) -> None:
    (folder / "k.txt").write_text(text_of(np.ones((3, 5, 2))))
    np.save(folder / "bank.npy", np.ones((2, 2, 1, 7)))
    assert column(run, "output", "10x10x2", "conv:k.txt", "conv:bank.npy") == ["8x6x1", "7x5x7"]


def test_names_are_given_or_counted(run: Run) -> None:
    words = ("32x32", "conv:3x3@first", "conv:3x3", "relu", "relu", "2x", "conv:1x1@again")
    assert column(run, "name", *words) == ["first", "conv2", "relu1", "relu2", "again.1", "again.2"]


def test_a_border_that_nothing_sees_brings_a_warning_unless_quiet(run: Run) -> None:
    words = ("shape", "28x28", "conv:sobel-x,p0,border=edge")
    result = run(*words)
    assert result.stderr.startswith("cnnfilter: warning: conv:sobel-x,valid,border=edge: ")
    assert "  26x26x1  " in result.stdout
    assert run(*words, "-q").stderr == ""


@pytest.mark.parametrize(
    "network",
    [
        "conv:sobel-x,s2,p1 relu maxpool:3,ceil",
        "dwconv:gaussian:5:1,gaussian:5:2,same",
        "gray conv:line-vertical:7,line-horizontal:7,full magnitude avgpool:3x2,s2",
        "2x dwconv:box:3,d2 channelmax",
        "l2pool:4,p2 flatten softmax",
        "globalmaxpool",
        "medianpool:3,s2,same abs",
    ],
)
def test_the_sizes_are_those_that_pipeline_gives(run: Run, folder: Path, network: str) -> None:
    image = np.random.default_rng(9).normal(size=(23, 18, 3))
    np.save(folder / "image.npy", image)
    run("pipeline", network, "image.npy", "-o", "out.npy", "-q")
    size = [int(number) for number in run("shape", "23x18x3", network, "-q").stdout.strip().split("x")]
    shape = np.load("out.npy").shape
    assert prod(size) == prod(shape)
    assert tuple(size) == (shape if len(shape) != 2 else (*shape, 1))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("28x28", "convv:3x3"), ["layer 1", "convv:3x3", "nearest: conv"]),
        (("28x28", "relu", "maxpol:2"), ["layer 2", "'maxpol:2'", "nearest: maxpool"]),
        (("28x28", "conv:3,16"), ["layer 1", "3x3"]),
        (("28x28", "2xconv:3x3"), ["'2x conv'", "a word of its own"]),
        (("28x28", "0x", "relu"), ["1x is the least"]),
        (("28x28", "relu", "2x"), ["nothing follows '2x'"]),
        (("28x28", "fc:10"), ["flatten"]),
        (("28x28", "flatten", "conv:3x3"), ["layer 2", "vector of 784"]),
        (("28x28x2", "gray"), ["gray needs 3 channels"]),
        (("28x28", "conv:3x3,s0"), ["stride 0 is below 1"]),
        (("28x28", "relu@a", "abs@a"), ["@a", "names must differ"]),
        (("28x28", "conv:sobelx"), ["sobelx", "nearest: sobel-x"]),
        (("28x28", "relu:2"), ["relu has no number"]),
        (("28y28", "relu"), ["'28y28'", "HxW"]),
        (("0x28", "relu"), ["at least 1"]),
        (("28x28x3x1", "relu"), ["HxWxC"]),
        ((), ["SIZE"]),
    ],
)
def test_a_mistake_is_a_usage_error_that_names_the_place_and_a_remedy(
    run: Run, words: tuple[str, ...], named: list[str]
) -> None:
    result = run("shape", *words, status=2)
    assert result.stderr.startswith("Usage: cnnfilter shape")
    message = result.stderr.partition("Error: ")[2]
    assert message.count("\n") == 1
    assert [part for part in named if part not in message] == []
