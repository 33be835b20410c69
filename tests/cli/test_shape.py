"""`cnnfilter shape`: the table of sizes, weights and multiplications."""

import re
from math import prod
from pathlib import Path

import numpy as np
import pytest

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


def cells(table: str) -> list[list[str]]:
    """Return number, name, layer, output, parameters and MACs of each layer in a table."""
    lines = table.splitlines()[2:-1]
    return [re.split(r" {2,}", line.strip()) for line in lines]


def test_the_table_shows_each_layer_and_the_totals(run: Run) -> None:
    result = run("shape", "224x224x3", "conv:7x7,64,s2,p3", "maxpool:3,s2,p1")
    assert result.stdout == (
        "#  name      layer                          output      parameters         MACs\n"
        "   input                                    224x224x3\n"
        "1  conv1     conv:7x7,64,s2,p3 (padding 3)  112x112x64       9,472  118,013,952\n"
        "2  maxpool1  maxpool:3,s2,p1 (padding 1)    56x56x64             0            0\n"
        "9,472 parameters; 118,013,952 MACs (weights of conv and linear), 236,027,904 FLOPs\n"
    )
    assert result.stderr == ""


@pytest.mark.parametrize("example", SHAPES, ids=by_id(SHAPES))
def test_a_worked_example_has_the_sizes_and_weights_that_it_states(run: Run, example: Sizes) -> None:
    if example.refused:
        assert example.refused in run("shape", example.input, example.layers, status=2).stderr
        return
    table = run("shape", example.input, *example.layers.split()).stdout
    layers = cells(table)
    outputs = [row[3] for row in layers]
    assert outputs[len(outputs) - len(example.outputs) :] == [show(output) for output in example.outputs]
    if example.parameters is not None:
        assert [row[4] for row in layers] == [f"{number:,}" for number in example.parameters]
    if example.total_parameters is not None:
        assert table.splitlines()[-1].startswith(f"{example.total_parameters:,} parameters")
    if example.padding is not None:
        assert len(set(example.padding)) == 1
        assert f"(padding {example.padding[0]})" in table
    assert example.outputs or example.parameters or example.total_parameters


@pytest.mark.parametrize("layer", SOME_LAYERS, ids=by_id(SOME_LAYERS))
def test_a_layer_has_the_size_the_weights_and_the_macs_of_pytorch(run: Run, layer: SingleLayer) -> None:
    ((_, _, text, *numbers),) = cells(run("shape", show(layer.input), layer.layer).stdout)
    assert numbers == [show(layer.output), f"{layer.parameters:,}", f"{layer.macs:,}"]
    assert text.split(":")[0] == layer.layer.split(":")[0]
    if layer.padding is not None and any(layer.padding):
        top, left, bottom, right = layer.padding
        if (top, left) == (bottom, right):
            shown = str(top) if top == left else f"{top}x{left}"
        else:
            shown = "/".join(map(str, layer.padding))
        assert text.endswith(f" (padding {shown})")


@pytest.mark.parametrize("network", NETWORKS, ids=by_id(NETWORKS))
def test_a_known_network_has_its_known_totals(run: Run, network: ReferenceNetwork) -> None:
    table = run("shape", show(network.input), network.text).stdout
    assert [row[3:] for row in cells(table)] == [
        [show(layer.output), f"{layer.parameters:,}", f"{layer.macs:,}"] for layer in network.layers
    ]
    assert table.splitlines()[-1] == (
        f"{network.parameters:,} parameters; {network.macs:,} MACs (weights of conv and linear), "
        f"{2 * network.macs:,} FLOPs"
    )


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
    assert run("shape", size, "relu").stdout.splitlines()[1].split() == ["input", shape]


def test_quiet_prints_the_last_size_alone(run: Run) -> None:
    words = ("shape", "32x32x3", "conv:5x5,8", "maxpool:2")
    assert run(*words, "-q").stdout == "14x14x8\n"
    assert run(*words, "flatten", "--quiet").stdout == "1568\n"


def test_layers_are_words_or_one_text(run: Run) -> None:
    words = ["conv:3x3,8,p1+bn+relu", "2x", "maxpool:2"]
    assert run("shape", "32x32x3", *words).stdout == run("shape", "32x32x3", " ".join(words)).stdout


def test_a_word_for_padding_shows_the_pixels_that_it_comes_to(run: Run) -> None:
    table = run("shape", "28x31", "conv:4x4,same", "conv:3x3,s2,same-lower", "conv:3x5,half", "conv:3,full", status=2)
    assert "3x3" in table.stderr
    table = run("shape", "28x31", "conv:4x4,same", "conv:3x3,s2,same-lower", "conv:3x5,half", "conv:3x3,full")
    assert [row[2].partition(" (")[2] for row in cells(table.stdout)] == [
        "padding 1/1/2/2)",
        "padding 1/1/0/1)",
        "padding 1x2)",
        "padding 2)",
    ]


def test_statistics_of_batchnorm_stand_apart(run: Run) -> None:
    table = run("shape", "8x8x6", "bn", "bn").stdout
    assert [row[1:] for row in cells(table)] == [
        [f"batchnorm{number}", "batchnorm", "8x8x6", "12", "0"] for number in (1, 2)
    ]
    assert table.splitlines()[-1].startswith("24 parameters, 24 statistics of batchnorm apart; 0 MACs")


def test_kernels_count_as_weights_once_for_each_channel_they_lie_on(run: Run) -> None:
    table = run("shape", "10x10x3", "conv:sobel-x,sobel-y", "dwconv:gaussian:5:1").stdout
    assert [row[3:] for row in cells(table)] == [
        ["8x8x2", str(9 * 3 * 2), f"{8 * 8 * 9 * 3 * 2:,}"],
        ["4x4x2", str(25 * 2), str(4 * 4 * 25 * 2)],
    ]


def test_kernel_files_need_only_their_size(run: Run, folder: Path) -> None:
    (folder / "k.txt").write_text(text_of(np.ones((3, 5, 2))))
    np.save(folder / "bank.npy", np.ones((2, 2, 1, 7)))
    table = run("shape", "10x10x2", "conv:k.txt", "conv:bank.npy").stdout
    assert [row[3] for row in cells(table)] == ["8x6x1", "7x5x7"]


def test_names_are_given_or_counted(run: Run) -> None:
    table = run("shape", "32x32", "conv:3x3@first", "conv:3x3", "relu", "relu", "2x", "conv:1x1@again").stdout
    assert [row[1] for row in cells(table)] == ["first", "conv2", "relu1", "relu2", "again.1", "again.2"]


def test_a_border_that_nothing_sees_brings_a_remark_unless_quiet(run: Run) -> None:
    words = ("shape", "28x28", "conv:sobel-x,border=edge")
    result = run(*words)
    assert result.stderr.startswith("cnnfilter: remark: conv:sobel-x,border=edge: ")
    assert [row[3] for row in cells(result.stdout)] == ["26x26x1"]
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
