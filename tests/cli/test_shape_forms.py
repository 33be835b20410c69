"""`cnnfilter shape` in its other forms: JSON, CSV, Markdown, formulas; sizes from pictures, layers from files."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.cli.pictures import save, text_of
from tests.conftest import ROOT

SAMPLES = sorted(path.name for path in (ROOT / "samples").glob("*.toml"))
BLOCK = "conv:3x3,4,same@a res(conv:3x3,4,p1@b relu | cat(abs | conv:1x1,4) conv:1x1,4) gap flatten fc:5 softmax"

DESIGN = """
{"input": [224, 224, 3], "network": "conv:7x7,64,s2,p3@conv1",
 "layers": [{"name": "conv1", "op": "conv", "text": "conv:7x7,64,s2,p3", "output": [112, 112, 64],
             "activations": 802816, "parameters": 9472, "macs": 118013952, "padding": [3, 3, 3, 3],
             "receptive_field": [7, 7], "jump": [2, 2], "first": [-3, -3]}],
 "totals": {"parameters": 9472, "statistics": 0, "macs": 118013952, "flops": 236027904, "activations": 802816,
            "bytes": {"batch": 1, "dtype": "float32", "parameters": 37888, "activations": 3211264, "live": 3813376}}}
"""
"""The example that documents the schema."""


def as_json(run: Run, *words: object) -> dict[str, Any]:
    """Return what --json prints, read by another reader than the package's."""
    content: dict[str, Any] = json.loads(run("shape", *words, "--json").stdout)
    return content


def as_csv(run: Run, *words: object) -> list[dict[str, str]]:
    """Return the rows that --csv prints."""
    return list(csv.DictReader(run("shape", *words, "--csv").stdout.splitlines()))


def last_size(run: Run, *words: object) -> str:
    """Return what -q prints."""
    return run("shape", *words, "-q").stdout.rstrip("\n")


def test_json_is_that_of_the_documented_example_key_by_key(run: Run) -> None:
    found, documented = as_json(run, "224x224x3", "conv:7x7,64,s2,p3@conv1"), json.loads(DESIGN)
    assert found == documented
    assert list(found) == list(documented)
    assert list(found["layers"][0]) == list(documented["layers"][0])
    assert list(found["totals"]) == list(documented["totals"])


def test_json_ends_with_a_line_and_stands_alone_on_standard_output(run: Run) -> None:
    result = run("shape", "28x28", "conv:3x3,s5", "--json")
    assert result.stdout.endswith("}\n")
    assert result.stderr.startswith("cnnfilter: warning: ")
    assert run("shape", "28x28", "conv:3x3,s5", "--json", "-q").stderr == ""


def test_rows_of_json_in_blocks_carry_depth_and_branch_and_the_block_follows_them(run: Run) -> None:
    rows = as_json(run, "12x10x3", BLOCK)["layers"]
    assert [(row["name"], row.get("depth"), row.get("branch")) for row in rows] == [
        ("a", None, None),
        ("b", 1, 1),
        ("relu1", 1, 1),
        ("abs1", 2, 1),
        ("conv3", 2, 2),
        ("cat1", 1, 2),
        ("conv4", 1, 2),
        ("res1", None, None),
        ("globalavgpool1", None, None),
        ("flatten1", None, None),
        ("linear1", None, None),
        ("softmax1", None, None),
    ]
    assert rows[7]["op"] == "res"
    assert rows[5]["text"] == "cat(abs | conv:1x1,4)"


def test_json_says_all_where_the_whole_input_is_seen_and_leaves_out_what_does_not_apply(run: Run) -> None:
    rows = {row["name"]: row for row in as_json(run, "12x10x3", BLOCK)["layers"]}
    for name in ("globalavgpool1", "flatten1", "linear1", "softmax1"):
        assert rows[name]["receptive_field"] == "all"
        assert rows[name].keys().isdisjoint({"jump", "first", "padding", "statistics"})
    assert [rows[name]["output"] for name in ("globalavgpool1", "flatten1", "linear1")] == [[1, 1, 4], [4], [5]]
    assert rows["relu1"]["receptive_field"] == [5, 5]
    assert "padding" not in rows["relu1"]
    assert rows["b"]["padding"] == [1, 1, 1, 1]


def test_json_has_statistics_where_there_are_some(run: Run) -> None:
    content = as_json(run, "8x8x6", "bn", "relu")
    assert content["layers"][0]["statistics"] == content["totals"]["statistics"] == 12
    assert "statistics" not in content["layers"][1]


@pytest.mark.parametrize("words", [("--json",), ("--json", "--compare")], ids=" ".join)
@pytest.mark.parametrize("sample", SAMPLES)
def test_json_reads_back_as_a_network_file_that_gives_the_same_json(
    run: Run, folder: Path, samples: Path, sample: str, words: tuple[str, ...]
) -> None:
    printed = run("shape", samples / sample, *words, "-q").stdout
    (folder / "again.json").write_text(printed)
    assert run("shape", "again.json", *words, "-q").stdout == printed


@pytest.mark.parametrize(
    ("size", "network"),
    [
        ("12x10x3", BLOCK),
        ("12x10x3", "2x conv:3x3@a dwconv:[0 1; 1 0],s2x1 conv:gaussian:5:1.5,box:5,half,border=edge,flip"),
        ("1x1x1", "leakyrelu:0.3 elu dropout:0.25 lrn:5,alpha=1e-4,beta=0.75,k=1"),
        ("9x9x4", "cat( | maxpool:3,s1,p1)@side avgpool:3,s2,p1,ceil,countpad channelmax:2"),
        ("5x5", ""),
    ],
)
def test_json_of_any_network_reads_back(run: Run, folder: Path, size: str, network: str) -> None:
    printed = run("shape", size, network, "--json", "-q").stdout
    (folder / "again.json").write_text(printed)
    assert run("shape", "again.json", "--json", "-q").stdout == printed


def test_json_runs_as_a_network(run: Run, folder: Path, samples: Path) -> None:
    network = "conv:sobel-x,same relu maxpool:2"
    (folder / "net.json").write_text(run("shape", "4x4", network, "--json").stdout)
    matrix = samples / "lines-4x4.txt"
    assert run("pipeline", "net.json", matrix).stdout == run("pipeline", network, matrix).stdout


def test_csv_has_every_column_and_plain_numbers(run: Run) -> None:
    result = run("shape", "224x224x3", "conv:7x7,64,s2,p=3/2/3/4@conv1", "gap", "--csv")
    assert result.stdout == (
        "number,name,op,text,output,activations,parameters,statistics,macs,padding,receptive_field,jump,first,depth,"
        "branch\n"
        '1,conv1,conv,"conv:7x7,64,s2,p=3/2/3/4",112x112x64,802816,9472,0,118013952,3/2/3/4,7x7,2x2,"-3,-2",0,0\n'
        "2,globalavgpool1,globalavgpool,globalavgpool,1x1x64,64,0,0,0,,all,,,0,0\n"
    )


def test_csv_without_layers_has_its_head(run: Run) -> None:
    head = run("shape", "28x28", "relu", "--csv").stdout.splitlines()[0]
    assert run("shape", "28x28", "--csv").stdout == f"{head}\n"


def test_csv_and_json_say_the_same(run: Run) -> None:
    plain, rows = as_csv(run, "12x10x3", BLOCK), as_json(run, "12x10x3", BLOCK)["layers"]
    assert [row["number"] for row in plain] == [str(number) for number in range(1, len(rows) + 1)]
    for line, row in zip(plain, rows, strict=True):
        assert [line[key] for key in ("name", "op", "text")] == [row[key] for key in ("name", "op", "text")]
        assert line["output"] == "x".join(map(str, row["output"]))
        assert (line["depth"], line["branch"]) == (str(row.get("depth", 0)), str(row.get("branch", 0)))
        for key in ("activations", "parameters", "macs"):
            assert int(line[key]) == row[key]


def test_markdown_is_a_table_whose_rows_have_one_number_of_cells(run: Run) -> None:
    lines = run("shape", "12x10x3", BLOCK, "--markdown").stdout.splitlines()
    table = lines[: lines.index("")]
    assert len(table) == 2 + 1 + 12
    assert {line.replace("\\|", "").count("|") for line in table} == {10}
    assert table[1] == "|---:|---|---|---|---:|---:|---:|---|---|"
    assert table[0] == ("| # | name | layer | output | activations | parameters | MACs | receptive field | jump |")
    assert table[3].startswith("| 1 | a | conv:3x3,4,same (padding 1) | 12x10x4 | 480 | 112 | 12,960 | 3x3 | 1x1 |")
    assert "&nbsp;&nbsp;relu |" in table[5]
    assert lines[len(table) + 1].endswith(" parameters (1.3 KiB as float32)  ")


def test_explain_puts_the_numbers_into_the_formulas(run: Run) -> None:
    lines = run("shape", "224x224x3", "conv:7x7,64,s2,p3@conv1", "--explain").stdout.splitlines()
    assert lines[0] == "1 conv1: conv:7x7,64,s2,p3, 224x224x3 -> 112x112x64"
    formulas = dict(line.strip().split("  ", 1) for line in lines[1:-1])
    assert {subject: formula.strip() for subject, formula in formulas.items()} == {
        "height, width": "floor((224 + 3 + 3 - 1*(7-1) - 1)/2) + 1 = 112",
        "channels": "64, one for each filter",
        "parameters": "7*7*3*64 + 64 = 9,472",
        "MACs": "112*112*64 * 7*7*3 = 118,013,952",
        "receptive field": "1 + 1*(7-1)*1 = 7",
        "jump": "1*2 = 2",
        "first pixel": "0 - 3*1 = -3",
    }
    assert lines[-1].startswith("MACs are multiplications by weights")


@pytest.mark.parametrize(
    ("words", "formula"),
    [
        (("10x12", "conv:3x5"), "height           floor((10 + 0 + 0 - 1*(3-1) - 1)/1) + 1 = 8"),
        (("10x12", "conv:3x5"), "width            floor((12 + 0 + 0 - 1*(5-1) - 1)/1) + 1 = 8"),
        (("10", "conv:3x3,d3"), "floor((10 + 0 + 0 - 3*(3-1) - 1)/1) + 1 = 4"),
        (("10", "maxpool:3,s2,ceil"), "ceil((10 + 0 + 0 - 1*(3-1) - 1)/2) + 1 = 5"),
        (("10", "conv:4x4,s3,same"), "same: max((ceil(10/3)-1)*3 + 1*(4-1) + 1 - 10, 0) = 3: 1 before, 2 after"),
        (("10", "conv:3x3,full"), "full: 2*1*(3-1) = 4: 2 before, 2 after"),
        (("8x8x3", "dwconv:3x3,2"), "3*2 = 6"),
        (("8x8x3", "flatten"), "8*8*3 = 192"),
        (("8x8x3", "flatten fc:10"), "192*10 + 10 = 1,930"),
        (("8x8x3", "bn"), "2*3 = 6 (mean, variance)"),
        (("8x8x3", "cat(relu | abs | )"), "3 + 3 + 3 = 9"),
        (("8x8x3", "gray"), "0.299 R + 0.587 G + 0.114 B"),
        (("28x28", "conv:5x5 maxpool:2"), "5 + 1*(2-1)*1 = 6"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_each_kind_of_layer_has_its_formulas(run: Run, words: tuple[str, ...], formula: str) -> None:
    assert formula in run("shape", *words, "--explain").stdout


def test_compare_shows_what_sharing_weights_saves(run: Run) -> None:
    (row,) = as_json(run, "28x28", "conv:5x5", "--compare")["layers"]
    assert (row["parameters"], row["macs"]) == (26, 14_400)
    assert row["locally_connected"] == {"parameters": 14_976, "macs": 14_400}
    assert row["fully_connected"] == {"parameters": 576 * 784 + 576, "macs": 576 * 784}
    head, _, line, *_ = run("shape", "28x28", "conv:5x5", "--compare").stdout.splitlines()
    assert head.split("  ")[-4:] == ["full: parameters", "full: MACs", "local: parameters", "local: MACs"]
    assert line.split()[-4:] == ["452,160", "451,584", "14,976", "14,400"]


def test_compare_counts_no_bias_where_there_is_none(run: Run) -> None:
    plain, _, pool = as_csv(run, "10x10x2", "conv:3x3,4,nobias", "conv:3x3,4,g2", "maxpool:2", "--compare")
    assert plain["fully_connected_parameters"] == plain["fully_connected_macs"] == str(8 * 8 * 4 * 200)
    assert plain["locally_connected_parameters"] == plain["macs"]
    assert pool["fully_connected_parameters"] == pool["locally_connected_macs"] == ""


def test_quiet_is_the_last_size_beside_compare_too(run: Run) -> None:
    assert run("shape", "28x28", "conv:5x5", "--compare", "-q").stdout == "24x24x1\n"


def test_the_options_of_one_conv_need_its_kernel(run: Run) -> None:
    for option in ("--outputs", "--stride", "--padding", "--dilation"):
        assert "--kernel is missing" in run("shape", "28", option, "2", status=2).stderr


def test_a_size_with_the_channels_first_is_the_same_size(run: Run) -> None:
    words = ("conv:7x7,64,s2,p3", "gap", "--json")
    expected = run("shape", "224x200x3", *words).stdout
    assert run("shape", "3x224x200", *words, "--layout", "chw").stdout == expected
    assert last_size(run, "224x200", "relu", "--layout", "chw") == "224x200x1"
    assert last_size(run, "3x224x200", "relu") == "3x224x200"


def tag_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Return a JPEG with an EXIF block that says how it is turned."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + orientation.to_bytes(4, "little")
    block = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + entry + b"\x00\x00\x00\x00"
    return jpeg[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + jpeg[2:]


@pytest.mark.parametrize(("orientation", "size"), [(1, "20x30x3"), (3, "20x30x3"), (6, "30x20x3"), (8, "30x20x3")])
def test_the_size_of_a_photo_is_that_of_the_photo_upright(run: Run, folder: Path, orientation: int, size: str) -> None:
    _, data = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))
    (folder / "photo.JPG").write_bytes(tag_orientation(data.tobytes(), orientation))
    assert last_size(run, "photo.JPG", "relu") == last_size(run, "photo.JPG") == size
    run("pipeline", "relu", "photo.JPG", "-o", "out.npy")
    assert "x".join(map(str, np.load("out.npy").shape)) == size


@pytest.mark.parametrize(
    ("pixels", "size"),
    [
        (np.zeros((5, 7), np.uint8), "5x7x1"),
        (np.zeros((5, 7), np.uint16), "5x7x1"),
        (np.zeros((5, 7, 3), np.uint8), "5x7x3"),
        (np.zeros((5, 7, 4), np.uint8), "5x7x3"),
    ],
    ids=["grey", "16 bits", "colour", "alpha"],
)
def test_the_size_of_a_picture_has_the_channels_that_a_network_sees(
    run: Run, folder: Path, pixels: np.ndarray[Any, Any], size: str
) -> None:
    save(folder / "picture.png", pixels)
    assert last_size(run, "picture.png", "relu") == size


def test_the_size_of_a_matrix_is_its_own(run: Run, folder: Path) -> None:
    (folder / "3x3.txt").write_text(text_of(np.ones((4, 6))))
    (folder / "volume.csv").write_text(text_of(np.ones((4, 6, 2)), ","))
    np.save(folder / "volume.npy", np.ones((4, 6, 5)))
    (folder / "net.txt").write_text("# a network\nmaxpool:2\nrelu\n")
    assert last_size(run, "3x3.txt", "relu") == "4x6x1"
    assert last_size(run, "volume.csv", "relu") == "4x6x2"
    assert last_size(run, "volume.npy") == "4x6x5"
    assert last_size(run, "volume.npy", "net.txt") == "2x3x5"
    assert last_size(run, "3x3.txt", "net.txt") == "2x3x1"


def test_a_size_is_not_read_from_a_picture_that_is_none(run: Run, folder: Path) -> None:
    (folder / "text.png").write_text("no picture\n")
    assert "text.png: a text, not an image" in run("shape", "text.png", "relu", status=2).stderr
    assert "none.png: No such file" in run("shape", "none.png", "relu", status=2).stderr


@pytest.mark.parametrize(
    ("options", "layer"),
    [
        ("--kernel 7 --stride 2 --padding 3 --outputs 64", "conv:7x7,64,s2,p3"),
        ("-k 7x5 -s 2x1 -p same", "conv:7x5,s2x1,same"),
        ("-k 5 -p 1/2/3/4 -d 2", "conv:5x5,p=1/2/3/4,d2"),
        ("--kernel sobel-x --padding half", "conv:sobel-x,half"),
        ("--kernel gaussian:5:1.5", "conv:gaussian:5:1.5"),
        ("--kernel 1 --outputs 5", "conv:1x1,5"),
        ("--kernel 1 --stride 2", "conv:1x1,s2"),
    ],
)
def test_the_options_stand_for_one_conv(run: Run, options: str, layer: str) -> None:
    assert run("shape", "32x30x3", *options.split(), "--json", "-q").stdout == (
        run("shape", "32x30x3", layer, "--json", "-q").stdout
    )


def test_a_kernel_of_the_options_can_be_a_matrix_or_a_file(run: Run, folder: Path) -> None:
    (folder / "k.txt").write_text(text_of(np.ones((2, 5))))
    assert last_size(run, "9x9", "--kernel", "1 2; 3 4; 5 6") == "7x8x1"
    assert last_size(run, "9x9", "--kernel", "./k.txt") == "8x5x1"


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_network_file_needs_no_size_and_takes_another(run: Run, samples: Path, sample: str) -> None:
    own = as_json(run, samples / sample, "-q")
    size = "x".join(map(str, own["input"]))
    assert as_json(run, size, samples / sample, "-q") == own
    if own["layers"][-1]["op"] == "softmax":
        assert run("shape", samples / sample, "-q").stdout == f"{own['layers'][-1]['output'][0]}\n"


def test_a_network_file_runs_on_the_size_of_a_picture(run: Run, samples: Path) -> None:
    assert last_size(run, samples / "city.png", samples / "squeezenet.toml") == "1000"
    content = as_json(run, samples / "city.png", samples / "squeezenet.toml", "-q")
    assert content["input"] == [480, 640, 3]
    assert content["layers"][0]["output"] == [237, 317, 96]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("net.toml", 'input = "9x8x2"\nlayers = ["conv:3x3,4@first", {op = "maxpool", size = 2, stride = 1}]\n'),
        (
            "net.toml",
            'input = [9, 8, 2]\nlayers = [{op = "conv", kernel = 3, outputs = 4, name = "first"}, "maxpool:2,s1"]',
        ),
        ("net.json", '{"input": [9, 8, 2], "network": "conv:3x3,4@first maxpool:2,s1"}'),
        ("net.json", '{"input": "9x8x2", "layers": ["conv:3x3,4@first", {"op": "maxpool", "size": 2, "stride": 1}]}'),
        ("NET.JSON", '{"input": "9x8x2", "network": "conv:3x3,4@first maxpool:2,s1", "layers": 3, "totals": {}}'),
    ],
    ids=["toml", "toml of tables", "json", "json of tables", "json with what is for reading"],
)
def test_network_files_of_every_kind_say_the_same(run: Run, folder: Path, name: str, text: str) -> None:
    expected = run("shape", "9x8x2", "conv:3x3,4@first", "maxpool:2,s1", "--json").stdout
    (folder / name).write_text(text)
    assert run("shape", name, "--json").stdout == expected


def test_a_text_is_a_network_file_too_but_names_no_input(run: Run, folder: Path) -> None:
    (folder / "net.txt").write_text("# a network\nconv:3x3,4@first   # its first layer\n\n2x relu\n")
    expected = run("shape", "9x8x2", "conv:3x3,4@first 2x relu", "--json").stdout
    assert run("shape", "9x8x2", "net.txt", "--json").stdout == expected
    (folder / "sub").mkdir()
    (folder / "sub" / "k.txt").write_text("1 2 3\n")
    (folder / "sub" / "net.txt").write_text("conv:[k.txt]\n")
    assert last_size(run, "9x9", "sub/net.txt") == "9x7x1"


def test_values_held_at_a_time_are_input_and_output_and_what_a_block_still_needs(run: Run) -> None:
    def held(*words: str) -> str:
        return run("shape", *words).stdout.partition("at most ")[2].partition(" values")[0]

    assert held("10x10", "relu") == "200"
    assert held("10x10", "relu", "conv:1x1,9") == "1,000"
    assert held("10x10", "res(relu)") == "300"
    assert held("10x10") == "100"


def test_the_sizes_of_a_published_network_were_meant(run: Run) -> None:
    assert run("shape", "resnet18").stderr == ""
    assert "no window reaches" in run("shape", "225x225x3", "resnet18").stderr


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (
            ("28x28", "conv:3x3,s5"),
            "conv1: no window reaches some rows and columns: the stride of 5 is larger than",
        ),
        (("28x28", "conv:3x3,s2"), "no window reaches the last row and the last column of 28x28"),
        (("29x28", "maxpool:2@pool"), "layer 1, pool: no window reaches the last row of 29x28; ceil"),
        (("28x28", "conv:4x4,same"), "`same` pads 1/1/2/2, one more at the end"),
        (("28x28", "conv:4x4,same-lower"), "`same-lower` pads 2/2/1/1, one more at the start"),
        (("28x28", "conv:3x3,s1,p1 conv:5x5,d7,half"), "receptive field, 31x31, is larger than the input of 28x28"),
        (("28x28x3", "conv:box:3"), "conv:box:3 sums 3 channels; dwconv"),
        (("28x28", "conv:box:3,valid,border=wrap"), "border wrap has no effect with padding 0"),
        (("28x28", "cat(maxpool:3,s2,p1 | maxpool:2 2x relu conv:1x1,s1)"), ""),
        (("28x28", "conv:3x3,p1,s1 relu"), ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_perhaps_not_meant_brings_a_warning(run: Run, words: tuple[str, ...], warning: str) -> None:
    result = run("shape", *words)
    assert warning in result.stderr
    assert bool(result.stderr) == bool(warning)
    assert all(line.startswith("cnnfilter: warning: ") for line in result.stderr.splitlines())
    assert run("shape", *words, "-q").stderr == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("224", "--kernel", "3", "relu"), "describe one layer, and layers are given as well"),
        (("samples/digits.toml", "--kernel", "3"), "layers are given as well"),
        (("224", "--kernel", "sobel-x", "--outputs", "3"), "outputs follows from the kernel"),
        (("224", "--kernel", "0"), "kernel size 0 is below 1"),
        (("224", "--kernel", "sobelx"), "unknown kernel 'sobelx'; nearest: sobel-x"),
        (("224", "--kernel", "3", "--stride", "0"), "stride 0 is below 1"),
        (("224", "--kernel", "3", "--padding", "-1"), "padding -1 is below 0"),
        (("224", "--kernel", "3", "--dilation", "x"), "dilation 'x' is neither a number nor HxW"),
        (("224", "--kernel", "3", "--outputs", "0"), "0 is not in the range 1<=x<=1000000000"),
        (("224", "--kernel", "300"), "300x300 is larger than the input of 224x224"),
        (("224", "--layout", "nchw", "relu"), "'hwc', 'chw'"),
        (("conv:3x3",), "SIZE is missing"),
        (("2x", "relu"), "SIZE is missing"),
        (("relu.txt", "relu", "abs"), "relu.txt: No such file"),
        (("none.toml",), "none.toml: No such file"),
        (("28", "none.toml"), "none.toml: No such file"),
        (("folder.toml",), "folder.toml: Is a directory"),
        (("no-input.toml",), "SIZE is missing"),
        (("28", "bad.toml"), "bad.toml: layer 2, 'rellu': unknown layer 'rellu'; nearest: relu"),
        (("28", "half.toml"), "half.toml: not TOML: "),
        # From Python 3.13 on the comma itself is named, before that what follows it.
        (("28", "comma.json"), r"comma.json: not JSON: .*line (1 column 19|2 column 1)\b"),
        (("28", "bad.txt"), "bad.txt: line 3, layer 2, 'maxpol:2': .*nearest: maxpool"),
        (("28", "open.txt"), r"open.txt: line 2, 'conv:\[1 2': '\[' is never closed"),
        (("28", "block.txt"), r"block.txt: line 2, 'res\(' is never closed"),
        (("28", "binary.txt"), "binary.txt: not a text in UTF-8"),
        (("28", "key.toml"), "key.toml: unknown key 'lairs'; nearest: layers"),
        (("28", "relu", "--compare", "--explain"), "--compare adds columns to a table"),
        (("28", "relu", "--batch", "2", "--csv"), "--batch and --dtype need a table, Markdown or JSON"),
        (("28", "relu", "--dtype", "float16", "--explain"), "--batch and --dtype need a table, Markdown or JSON"),
        (("28", "relu", "--batch", "2", "--plot", "a.svg"), "--batch and --dtype need a table, Markdown or JSON"),
        (("28", "relu", "--batch", "0"), "0 is not in the range"),
        (("28", "relu", "--dtype", "int8"), "'int8' is not one of 'float32', 'float16'"),
        (("28", "conv:3x3", "--solve", "stride", "--target", "13", "--json"), "--solve prints one layer a line"),
        (("28x28", "--kernel", "3", "--target", "3"), "--solve PART and --target HxW belong together"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_in_the_form_of_click(
    run: Run, folder: Path, samples: Path, words: tuple[str, ...], reason: str
) -> None:
    (folder / "samples").symlink_to(samples)
    (folder / "folder.toml").mkdir()
    for name, text in {
        "no-input.toml": 'layers = ["relu"]\n',
        "bad.toml": 'layers = ["abs", "rellu"]\n',
        "half.toml": 'layers = ["abs"',
        "comma.json": '{"network": "relu",\n}',
        "bad.txt": "relu\n# pools\nmaxpol:2\n",
        "open.txt": "relu\nconv:[1 2\n",
        "block.txt": "relu\nres(abs\n",
        "key.toml": 'lairs = ["relu"]\n',
    }.items():
        (folder / name).write_text(text)
    (folder / "binary.txt").write_bytes(b"\xff\xfe relu\n")
    result = run("shape", *words, status=2)
    assert result.stdout == ""
    usage, _, empty, error = result.stderr.splitlines()
    assert usage.startswith("Usage: cnnfilter shape [OPTIONS] ")
    assert empty == ""
    assert error.startswith("Error: ")
    assert re.search(reason, error), error


@pytest.mark.parametrize("suffix", ["pbm", "ppm", "j2k"])
def test_an_image_of_a_format_that_is_read_alone_tells_its_size(run: Run, folder: Path, suffix: str) -> None:
    Image.new("1" if suffix == "pbm" else "RGB", (9, 17)).save(folder / f"a.{suffix}")
    size = "17x9" if suffix == "pbm" else "17x9x3"
    assert size in run("shape", f"a.{suffix}").stdout
