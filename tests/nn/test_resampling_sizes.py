"""Layers that decode and normalise: sizes, counts, receptive fields, and what they refuse."""

import json

import pytest

import cnnfilter
from cnnfilter.errors import CnnFilterError
from cnnfilter.network_files import write_network
from cnnfilter.nn.formulas import explain
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.lint import warn_about_sizes
from cnnfilter.nn.tables import write_report


@pytest.mark.parametrize(
    ("text", "shape", "output", "parameters", "macs"),
    [
        ("deconv:3x3,32,s2,p1,op1", (7, 7, 64), (14, 14, 32), 64 * 32 * 9 + 32, 49 * 64 * 32 * 9),
        ("deconv:4x4,3,s2,p1,nobias", (32, 32, 8), (64, 64, 3), 8 * 3 * 16, 1024 * 8 * 3 * 16),
        ("deconv:4x2,6,s3x1,d2,g2", (3, 4, 4), (13, 6, 6), 4 * 3 * 8 + 6, 12 * 4 * 3 * 8),
        ("deconv:2x2,p=0/1/1/0", (3, 3, 1), (3, 3, 1), 5, 9 * 4),
        ("upsample:2x3,bilinear", (5, 4, 3), (10, 12, 3), 0, 0),
        ("adaptiveavgpool:7", (10, 3, 5), (7, 7, 5), 0, 0),
        ("groupnorm:2", (5, 4, 6), (5, 4, 6), 12, 0),
        ("groupnorm:2,noaffine", (5, 4, 6), (5, 4, 6), 0, 0),
        ("instancenorm", (5, 4, 6), (5, 4, 6), 0, 0),
        ("layernorm", (5, 4, 6), (5, 4, 6), 240, 0),
        ("flatten layernorm", (5, 4, 6), (120,), 240, 0),
        ("bn:noaffine", (5, 4, 6), (5, 4, 6), 0, 0),
        ("prelu", (5, 4, 6), (5, 4, 6), 1, 0),
        ("prelu:each", (5, 4, 6), (5, 4, 6), 6, 0),
    ],
)
def test_sizes_and_counts_are_those_of_pytorch(
    text: str, shape: Shape, output: Shape, parameters: int, macs: int
) -> None:
    summary = cnnfilter.network(text).summary(shape)
    assert summary.rows[-1].output == output
    assert (summary.totals.parameters, summary.totals.macs) == (parameters, macs)


@pytest.mark.parametrize(
    ("text", "field", "jump"),
    [
        ("deconv:3x3,p1", [3, 3], [1, 1]),
        ("deconv:3x3,s2,p1,op1", [2, 2], None),
        ("deconv:2x2,s2", [1, 1], None),
        ("upsample:2", [1, 1], None),
        ("upsample:2,bilinear", [2, 2], None),
        ("upsample:2 avgpool:2", [1, 1], [1, 1]),
        ("avgpool:2 upsample:2", [2, 2], None),
        ("upsample:2 conv:3x3,p1", [2, 2], None),
        ("upsample:2 conv:5x4,p1", [3, 3], None),
        ("upsample:1", [1, 1], [1, 1]),
        ("adaptiveavgpool:4", [2, 2], [2, 2]),
        ("adaptiveavgpool:3", [4, 4], None),
        ("adaptiveavgpool:1", "all", "left out"),
        ("groupnorm:1", "all", "left out"),
        ("deconv:8x8,s4 deconv:8x8,s4 conv:3x3", [3, 3], None),
        ("res(avgpool:2 upsample:2)", [2, 2], None),
        ("gap deconv:4x4", "all", "left out"),
    ],
)
def test_a_field_is_the_largest_of_any_value_and_its_jump_null_where_it_varies(
    text: str, field: object, jump: object
) -> None:
    report = json.loads(write_report(cnnfilter.network(text).summary((8, 8, 1)), "json"))
    row = report["layers"][-1]
    assert (row["receptive_field"], row.get("jump", "left out")) == (field, jump)


def test_a_single_pixel_is_all_that_values_made_of_it_see() -> None:
    (row,) = cnnfilter.network("deconv:4x4").summary((1, 1, 8)).rows
    assert (row.output, row.receptive_field) == ((4, 4, 1), (1, 1))
    (row,) = cnnfilter.network("upsample:4,bilinear").summary((1, 1, 8)).rows
    assert row.receptive_field == (1, 1)


def test_the_table_says_that_a_jump_varies() -> None:
    table = str(cnnfilter.network("upsample:2 conv:3x3").summary((8, 8, 1)))
    assert "2x2              varies" in table
    assert table.endswith("receptive field 2x2, jump varies")


def test_fields_too_many_to_follow_count_as_the_whole() -> None:
    *_, row = cnnfilter.network("10x upsample:2").summary((8, 8, 1)).rows
    assert row.receptive_field == "all"


def test_formulas_have_their_numbers_put_in() -> None:
    (visit,) = cnnfilter.network("deconv:4x3,6,s2,p1,op1x0,g2").visits((7, 5, 4))
    assert explain(visit) == [
        ("height", "(7-1)*2 - 1 - 1 + 1*(4-1) + 1 + 1 = 15"),
        ("width", "(5-1)*2 - 1 - 1 + 1*(3-1) + 0 + 1 = 9"),
        ("channels", "6, one for each filter"),
        ("parameters", "4*3*4*3 + 6 = 150"),
        ("MACs", "7*5*4 * 3*4*3 = 5,040"),
        ("receptive field", "2x2, the largest of any value"),
        ("jump", "varies"),
    ]
    (visit,) = cnnfilter.network("adaptivemaxpool:3x2").visits((7, 5, 4))
    assert ("height of window i", "floor(i*7/3) to before ceil((i+1)*7/3)") in explain(visit)
    (visit,) = cnnfilter.network("layernorm").visits((3, 2, 4))
    assert ("parameters", "2*4*3*2 = 48 (weight, bias)") in explain(visit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deconv", "a kernel size such as 3x3 is needed"),
        ("deconv:5", "5 is not a window; deconv:5x5 is a window, deconv:3x3,5 has 5 outputs"),
        ("deconv:3x3,s2,op2", "output padding 2 is not below the stride of 2"),
        ("deconv:3x3,s2,d3,op1x3", "output padding 3 is not below the stride of 2 or the dilation of 3"),
        ("deconv:3x3,op-1", "output padding -1 is below 0, the least that is allowed"),
        ("deconv:3x3,same", "padding of deconv is written in numbers, such as p1, not same"),
        ("deconv:3x3,border=edge", "deconv has no border"),
        ("deconv:3x3,g3", "4 channels cannot be divided into 3 groups"),
        ("deconv:3x3,4,g8", "4 channels cannot be divided into 8 groups"),
        ("deconv:3x3,p5", "padding 5/5/5/5 cuts all of the result away"),
        ("deconv:3x3,output_padding=1", "'output_padding=1' is written op1"),
        ("conv:3x3,op1", "conv has no output padding"),
        ("upsample", "one factor is needed, as in upsample:2 or upsample:2x3"),
        ("upsample:2,2x2", "one factor is needed, as in upsample:2 or upsample:2x3"),
        ("upsample:1.5", "factor 1.5 is not a whole number"),
        ("upsample:0", "factor 0 is below 1, the least that is allowed"),
        ("upsample:2,bicubic", "unknown option 'bicubic'"),
        ("adaptiveavgpool", "one output size is needed, as in adaptiveavgpool:7 or adaptiveavgpool:7x3"),
        ("groupnorm", "the number of groups is needed, as in groupnorm:8"),
        ("groupnorm:3", "4 channels cannot be divided into 3 groups"),
        ("groupnorm:2,eps=-1", "eps -1.0 is negative; it is added to a variance"),
        ("instancenorm:2", "instancenorm has no number"),
        ("prelu:0.2", "prelu has no number"),
        ("bn:affine", "unknown option 'affine'; nearest: noaffine"),
        ("flatten groupnorm:2", "groupnorm needs height, width and channels, but gets a vector of 36"),
    ],
)
def test_what_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(CnnFilterError, match=message.replace("(", r"\(")):
        cnnfilter.network(text).output((3, 3, 4))


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("deconv:3x3,s2", []),
        ("deconv:2x2,s2", []),
        ("deconv:3x2,s3", ["columns, which hold the bias alone: a window of 2 and a stride of 3"]),
        ("deconv:2x3,s2,d2x1", ["rows, which hold the bias alone: a window of 3 and a stride of 2"]),
    ],
)
def test_rows_that_no_value_reaches_bring_a_warning(text: str, warnings: list[str]) -> None:
    found = warn_about_sizes(cnnfilter.network(text).visits((8, 8, 1)))
    assert found == [f"layer 1, deconv1: no value reaches some {warning}" for warning in warnings]


def test_a_table_of_a_file_says_the_same() -> None:
    tables = [
        {"op": "deconv", "kernel": 3, "outputs": 8, "stride": 2, "padding": 1, "output_padding": 1, "bias": False},
        {"op": "upsample", "factor": [2, 3], "interpolation": "bilinear"},
        {"op": "groupnorm", "groups": 4, "noaffine": True},
        {"op": "adaptiveavgpool", "size": [3, 2]},
        {"op": "prelu", "each": True, "name": "slopes"},
    ]
    assert write_network({"layers": tables}).split() == [
        "deconv:3x3,8,s2,p=1,op1,nobias",
        "upsample:2x3,bilinear",
        "groupnorm:4,noaffine",
        "adaptiveavgpool:3x2",
        "prelu:each@slopes",
    ]


def test_branches_that_move_at_one_pace_bring_no_warning() -> None:
    network = cnnfilter.network("cat(avgpool:2 upsample:2 | relu)")
    assert not warn_about_sizes(network.visits((8, 8, 1)))
    network = cnnfilter.network("cat(conv:3x3,p1 | deconv:2x2,s2 conv:2x2,s2,d8,p4)")
    assert not [text for text in warn_about_sizes(network.visits((8, 8, 1))) if "jumps" in text]
